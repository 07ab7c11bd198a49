//! The host's end of a serial line: what a microcontroller holds in its hands.

use serial2_tokio::SerialPort;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A line to a module.
#[derive(Debug)]
pub enum HostLine {
    /// To a module on a TCP port.
    Tcp(TcpStream),
    /// To a module on a UART or a PTY.
    Serial(SerialPort),
}

impl HostLine {
    /// Opens `tcp:HOST:PORT` or a device.
    ///
    /// # Errors
    /// What cannot be opened, and why.
    pub async fn open(port: &str, baud: u32) -> Result<Self, String> {
        let opened = match port.strip_prefix("tcp:") {
            Some(address) => Self::connect(address).await,
            None => SerialPort::open(port, baud).map(Self::Serial),
        };
        opened.map_err(|error| format!("{port}: {error}"))
    }

    async fn connect(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self::Tcp(stream))
    }

    /// Types.
    ///
    /// # Errors
    /// The line is broken.
    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.write_all(bytes).await,
            Self::Serial(serial) => serial.write_all(bytes).await,
        }
    }

    /// Waits for bytes; none: the line has ended.
    ///
    /// # Errors
    /// The line is broken.
    pub async fn read_some(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer).await,
            Self::Serial(serial) => serial.read(buffer).await,
        }
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
