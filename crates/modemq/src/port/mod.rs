//! Where a module's serial line is reached.

mod pty;
pub mod rfc2217;
mod stdio;
mod tcp;

pub use pty::Pty;
pub use stdio::Stdio;
pub use tcp::TcpPort;

use crate::serial::Serial;
use dialect::Syntax;
use module::LineState;
use std::io;

/// A module's serial line.
#[derive(Debug)]
pub enum Port {
    /// A pseudo-terminal.
    Pty(Pty),
    /// A TCP port, raw or with RFC 2217.
    Tcp(TcpPort),
    /// A UART of this machine.
    Serial(Serial),
    /// Standard input and output.
    Stdio(Stdio),
}

impl Port {
    /// Opens a UART.
    ///
    /// # Errors
    /// The system's, with the name of the device.
    pub fn serial(device: &str, baud: u32) -> io::Result<Self> {
        Serial::open(device, baud).map(Self::Serial)
    }

    /// Waits for what the host does. Loses nothing when it is dropped while it waits.
    ///
    /// # Errors
    /// The line is broken for good.
    pub async fn read(&self, buffer: &mut [u8]) -> io::Result<Input> {
        let read = match self {
            Self::Tcp(tcp) => return tcp.read(buffer).await,
            Self::Pty(pty) => pty.read(buffer).await,
            Self::Serial(serial) => serial.read(buffer).await,
            Self::Stdio(stdio) => stdio.read(buffer).await,
        };
        Ok(match read? {
            0 => Input::End,
            n => Input::Bytes(n),
        })
    }

    /// Gives bytes to the host, as many as it takes now. Nobody there: they are gone, as on a wire.
    ///
    /// # Errors
    /// The line is broken for good.
    pub async fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Pty(pty) => pty.write(bytes).await,
            Self::Tcp(tcp) => tcp.write(bytes).await,
            Self::Serial(serial) => serial.write(bytes).await,
            Self::Stdio(stdio) => stdio.write(bytes),
        }
    }

    /// The module's UART has another rate.
    ///
    /// # Errors
    /// The device does not know the rate.
    pub fn set_baud(&mut self, baud: u32) -> io::Result<()> {
        let Self::Serial(serial) = self else {
            return Ok(());
        };
        let mut settings = serial.get_configuration()?;
        settings.set_baud_rate(baud)?;
        serial.set_configuration(&settings)
    }

    /// What kind it is, and where a program reaches it. Empty where whoever started it knows: a UART, standard input and output.
    pub fn place(&self) -> (&'static str, String) {
        match self {
            Self::Pty(pty) => ("pty", pty.path().display().to_string()),
            Self::Tcp(tcp) if tcp.has_rfc2217() => ("rfc2217", tcp.local_addr().to_string()),
            Self::Tcp(tcp) => ("tcp", tcp.local_addr().to_string()),
            Self::Serial(_) => ("serial", String::new()),
            Self::Stdio(_) => ("stdio", String::new()),
        }
    }

    /// The module's end of the line is like this now.
    pub fn set_line_state(&self, state: LineState) {
        if let Self::Tcp(tcp) = self {
            tcp.set_line_state(state);
        }
    }

    /// What the host's UART reads of what the module's sends: something else where their rates differ, and both are known.
    pub fn as_host_reads(&self, bytes: Vec<u8>) -> Vec<u8> {
        match self {
            Self::Tcp(tcp) => tcp.as_host_reads(bytes),
            _ => bytes,
        }
    }

    /// How a person reaches it, in a few words; the module's lines end as its syntax says.
    pub fn how_to_reach(&self, syntax: Syntax) -> String {
        match self {
            Self::Pty(pty) => {
                let path = pty.path().display();
                format!("{path} (try: picocom {}{path})", picocom_options(syntax))
            }
            Self::Tcp(tcp) if tcp.has_rfc2217() => {
                let url = format!("rfc2217://{}", tcp.local_addr());
                format!("{url} (try: python3 -m serial.tools.miniterm {url} 115200)")
            }
            Self::Tcp(tcp) => {
                let address = tcp.local_addr();
                format!(
                    "tcp:{address} (try: nc -C {} {})",
                    address.ip(),
                    address.port()
                )
            }
            Self::Serial(_) => "serial line".into(),
            Self::Stdio(_) => "standard input and output".into(),
        }
    }
}

/// What a host does.
#[derive(Debug)]
pub enum Input {
    /// It sends so many bytes, which are in the buffer.
    Bytes(usize),
    /// It sends these.
    Given(Vec<u8>),
    /// It does something to its UART.
    Line(rfc2217::Event),
    /// It is gone, and no other comes.
    End,
}

/// What a terminal needs for a module: its Return key is CR alone.
pub fn picocom_options(syntax: Syntax) -> &'static str {
    match syntax {
        Syntax::V250 => "",
        Syntax::EspAt => "--omap crcrlf ",
    }
}
