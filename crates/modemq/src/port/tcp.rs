//! A serial line on a TCP port, raw.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use tokio::net::{TcpListener, TcpStream};

/// One host at a time. A new one takes the place of the one before it: a host that crashed and came back must not find
/// its own ghost on the line.
#[derive(Debug)]
pub struct TcpPort {
    listener: TcpListener,
    address: SocketAddr,
    host: RefCell<Option<Rc<TcpStream>>>,
}

impl TcpPort {
    /// Listens; port 0 is any free one.
    ///
    /// # Errors
    /// The system's, with the address.
    pub async fn listen(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address)
            .await
            .map_err(|error| io::Error::new(error.kind(), format!("{address}: {error}")))?;
        Ok(Self {
            address: listener.local_addr()?,
            listener,
            host: RefCell::new(None),
        })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    pub(super) async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let host = self.host.borrow().clone();
            let readable = async {
                match &host {
                    Some(host) => host.readable().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                accepted = self.listener.accept() => {
                    // Out of descriptors or a host that is gone again: the line itself is well.
                    if let Ok((stream, _)) = accepted {
                        let _ = stream.set_nodelay(true);
                        *self.host.borrow_mut() = Some(Rc::new(stream));
                    } else {
                        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                    }
                }
                ready = readable => {
                    let Some(host) = host else { continue };
                    match ready.and_then(|()| host.try_read(buffer)) {
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                        Ok(0) | Err(_) => self.hang_up(&host),
                        Ok(n) => return Ok(n),
                    }
                }
            }
        }
    }

    pub(super) async fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let Some(host) = self.host.borrow().clone() else {
            return Ok(bytes.len());
        };
        loop {
            match host.writable().await.and_then(|()| host.try_write(bytes)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Ok(n) => return Ok(n),
                Err(_) => {
                    self.hang_up(&host);
                    return Ok(bytes.len());
                }
            }
        }
    }

    fn hang_up(&self, gone: &Rc<TcpStream>) {
        let mut host = self.host.borrow_mut();
        if host.as_ref().is_some_and(|host| Rc::ptr_eq(host, gone)) {
            *host = None;
        }
    }
}
