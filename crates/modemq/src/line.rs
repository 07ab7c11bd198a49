//! The host's end of a serial line: what a microcontroller holds in its hands.

use crate::serial::Serial;
use crate::tap::Tap;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long a TCP connection to a module may take.
const CONNECT: Duration = Duration::from_secs(10);

/// A line to a module.
#[derive(Debug)]
pub struct HostLine {
    wire: Wire,
    tap: Option<Tap>,
}

#[derive(Debug)]
enum Wire {
    /// To a module on a TCP port.
    Tcp(TcpStream),
    /// To a module on a UART or a PTY.
    Serial(Serial),
    /// To nobody: it has ended.
    Gone,
}

impl Wire {
    async fn open(port: &str, baud: u32) -> Result<Self, String> {
        Ok(match port.strip_prefix("tcp:") {
            Some(address) => {
                let connected = connect(address).await;
                Self::Tcp(connected.map_err(|why| format!("{port}: {why}"))?)
            }
            None => Self::Serial(Serial::open(port, baud).map_err(|error| error.to_string())?),
        })
    }
}

impl HostLine {
    /// Opens `tcp:HOST:PORT` or a device.
    ///
    /// # Errors
    /// What cannot be opened, and why.
    pub async fn open(port: &str, baud: u32) -> Result<Self, String> {
        let wire = Wire::open(port, baud).await?;
        Ok(Self { wire, tap: None })
    }

    /// Lets go of it: the system gives the name of a USB device to the next one only when nobody has the last one open.
    pub fn close(&mut self) {
        self.wire = Wire::Gone;
    }

    /// Opens it once more after [`HostLine::close`].
    ///
    /// # Errors
    /// What cannot be opened, and why.
    pub async fn open_again(&mut self, port: &str, baud: u32) -> Result<(), String> {
        self.wire = Wire::open(port, baud).await?;
        Ok(())
    }

    /// Shows what passes on standard error.
    pub fn tap(&mut self) {
        self.tap = Some(Tap::new());
    }

    /// Has it a rate?
    pub fn is_serial(&self) -> bool {
        matches!(self.wire, Wire::Serial(_))
    }

    /// Throws away what the module said before.
    ///
    /// # Errors
    /// The line is broken.
    pub fn discard_input(&self) -> io::Result<()> {
        match &self.wire {
            // Nobody was there to hear it.
            Wire::Tcp(_) | Wire::Gone => Ok(()),
            Wire::Serial(serial) => serial.discard_input_buffer(),
        }
    }

    /// Types.
    ///
    /// # Errors
    /// The line is broken.
    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Some(tap) = &mut self.tap {
            tap.typed(bytes);
        }
        match &mut self.wire {
            Wire::Tcp(stream) => stream.write_all(bytes).await,
            Wire::Serial(serial) => serial.write_all(bytes).await,
            Wire::Gone => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Types the beginning, and says how much of it. Nothing is typed when it is dropped while it waits.
    ///
    /// # Errors
    /// The line is broken.
    pub async fn send_some(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = match &mut self.wire {
            Wire::Tcp(stream) => stream.write(bytes).await?,
            Wire::Serial(serial) => serial.write(bytes).await?,
            Wire::Gone => return Err(io::ErrorKind::NotConnected.into()),
        };
        if let Some(tap) = &mut self.tap {
            tap.typed(&bytes[..n]);
        }
        Ok(n)
    }

    /// Waits for bytes; none: the line has ended.
    ///
    /// # Errors
    /// The line is broken.
    pub async fn read_some(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = match &mut self.wire {
            Wire::Tcp(stream) => stream.read(buffer).await?,
            Wire::Serial(serial) => serial.read(buffer).await?,
            Wire::Gone => 0,
        };
        if let Some(tap) = &mut self.tap {
            tap.heard(&buffer[..n]);
        }
        Ok(n)
    }

    /// Waits for bytes, and no longer than `limit`; none when there were none.
    ///
    /// # Errors
    /// The line is broken, or its other end has closed it.
    pub async fn receive(&mut self, limit: Duration) -> io::Result<Vec<u8>> {
        let mut buffer = vec![0; 4096];
        match tokio::time::timeout(limit, self.read_some(&mut buffer)).await {
            Ok(Ok(0)) => Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the other end has closed the line",
            )),
            Ok(Ok(n)) => {
                buffer.truncate(n);
                Ok(buffer)
            }
            Ok(Err(error)) => Err(error),
            Err(_) => Ok(Vec::new()),
        }
    }
}

async fn connect(address: &str) -> Result<TcpStream, String> {
    let has_port = address
        .rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
    if !has_port {
        return Err("expected tcp:HOST:PORT, such as tcp:127.0.0.1:7000".into());
    }
    let connected = tokio::time::timeout(CONNECT, TcpStream::connect(address)).await;
    let connected =
        connected.map_err(|_| format!("nobody answers there in {} s", CONNECT.as_secs()))?;
    let stream = connected.map_err(|error| match error.kind() {
        io::ErrorKind::ConnectionRefused => "nobody listens there".into(),
        _ => error.to_string(),
    })?;
    stream
        .set_nodelay(true)
        .map_err(|error| error.to_string())?;
    Ok(stream)
}
