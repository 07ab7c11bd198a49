//! Where a module's serial line is reached.

mod pty;
mod stdio;
mod tcp;

pub use pty::Pty;
pub use stdio::Stdio;
pub use tcp::TcpPort;

use dialect::Syntax;
use std::io;

/// A module's serial line.
#[derive(Debug)]
pub enum Port {
    /// A pseudo-terminal.
    Pty(Pty),
    /// A TCP port, raw.
    Tcp(TcpPort),
    /// A UART of this machine.
    Serial(serial2_tokio::SerialPort),
    /// Standard input and output.
    Stdio(Stdio),
}

impl Port {
    /// Opens a UART.
    ///
    /// # Errors
    /// The system's, with the name of the device.
    pub fn serial(device: &str, baud: u32) -> io::Result<Self> {
        serial2_tokio::SerialPort::open(device, baud)
            .map(Self::Serial)
            .map_err(|error| io::Error::new(error.kind(), format!("{device}: {error}")))
    }

    /// Waits for bytes from the host; 0 when there will be no more. Loses nothing when it is dropped while it waits.
    ///
    /// # Errors
    /// The line is broken for good.
    pub async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Pty(pty) => pty.read(buffer).await,
            Self::Tcp(tcp) => tcp.read(buffer).await,
            Self::Serial(serial) => serial.read(buffer).await,
            Self::Stdio(stdio) => stdio.read(buffer).await,
        }
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
            Self::Tcp(tcp) => ("tcp", tcp.local_addr().to_string()),
            Self::Serial(_) => ("serial", String::new()),
            Self::Stdio(_) => ("stdio", String::new()),
        }
    }

    /// How a person reaches it, in a few words; the module's lines end as its syntax says.
    pub fn how_to_reach(&self, syntax: Syntax) -> String {
        match self {
            Self::Pty(pty) => {
                let path = pty.path().display();
                format!("{path} (try: picocom {}{path})", picocom_options(syntax))
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

/// What a terminal needs for a module: its Return key is CR alone.
pub fn picocom_options(syntax: Syntax) -> &'static str {
    match syntax {
        Syntax::V250 => "",
        Syntax::EspAt => "--omap crcrlf ",
    }
}
