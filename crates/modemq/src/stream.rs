//! Connections, and what runs on top of them.

use std::io;
use std::net::Shutdown;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::{TcpStream, UnixStream};

/// Bytes to and from a peer, for who waits for readiness and keeps no buffer of its own.
#[derive(Debug)]
pub enum Stream {
    /// A TCP connection.
    Tcp(TcpStream),
    /// What runs on top of one: a task unwraps it and hands its bytes over on this pair of sockets. It costs a copy, and
    /// keeps the protocol out of everybody else's loop.
    Layered(UnixStream),
}

impl Stream {
    /// What `carry` reads from and writes to its end, on a task of its own. What goes wrong there shows as the end of the stream.
    ///
    /// # Errors
    /// The system's.
    pub fn layered<F>(carry: impl FnOnce(UnixStream) -> F) -> io::Result<Self>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (ours, theirs) = UnixStream::pair()?;
        tokio::spawn(carry(theirs));
        Ok(Self::Layered(ours))
    }

    /// Reads what is there.
    ///
    /// # Errors
    /// The system's; [`io::ErrorKind::WouldBlock`] when there is nothing yet.
    pub fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_read(buffer),
            Self::Layered(stream) => stream.try_read(buffer),
        }
    }

    /// Writes what the system takes now.
    ///
    /// # Errors
    /// The system's; [`io::ErrorKind::WouldBlock`] when it takes nothing.
    pub fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_write(bytes),
            Self::Layered(stream) => stream.try_write(bytes),
        }
    }

    /// Ready when there is something to read, or it is over.
    pub fn poll_read_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => stream.poll_read_ready(context),
            Self::Layered(stream) => stream.poll_read_ready(context),
        }
    }

    /// Ready when it takes something, or it is over.
    pub fn poll_write_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => stream.poll_write_ready(context),
            Self::Layered(stream) => stream.poll_write_ready(context),
        }
    }

    /// Waits until there is something to read.
    ///
    /// # Errors
    /// The system's.
    pub async fn readable(&self) -> io::Result<()> {
        std::future::poll_fn(|context| self.poll_read_ready(context)).await
    }

    /// Waits until it takes something.
    ///
    /// # Errors
    /// The system's.
    pub async fn writable(&self) -> io::Result<()> {
        std::future::poll_fn(|context| self.poll_write_ready(context)).await
    }

    /// Tells the peer that nothing more comes.
    pub fn shut(&self) {
        // One that the peer has closed needs no telling.
        let _ = match self {
            Self::Tcp(stream) => socket2::SockRef::from(stream).shutdown(Shutdown::Write),
            Self::Layered(stream) => socket2::SockRef::from(stream).shutdown(Shutdown::Write),
        };
    }

    /// Ends it with RST: the nearest to silence that the system has. What is layered on TCP ends without a farewell of
    /// MQTT's.
    pub fn abort(self) {
        if let Self::Tcp(stream) = self {
            let _ = socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
        }
    }
}
