//! A serial line on a TCP port: raw, or with RFC 2217 around it.

use super::Input;
use super::rfc2217::{Event, Session, Uart};
use module::LineState;
use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// What waits for a host with RFC 2217; with more than that, the module's bytes wait where they are.
const OUTGOING: usize = 4096;

/// One host at a time. A new one takes the place of the one before it: a host that crashed and came back must not find
/// its own ghost on the line.
#[derive(Debug)]
pub struct TcpPort {
    listener: TcpListener,
    address: SocketAddr,
    host: RefCell<Option<Rc<TcpStream>>>,
    telnet: Option<Box<Telnet>>,
}

/// The host's UART and the circuits.
#[derive(Debug)]
struct Telnet {
    signature: String,
    end: Cell<LineState>,
    /// How the host has set its UART by now: what it has sent and is not read yet may be at another rate than what follows.
    uart: Cell<Uart>,
    /// That of the host that is connected.
    session: RefCell<Option<Session>>,
    /// The host wants to hear more again, or is another one.
    resumed: Notify,
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
            telnet: None,
        })
    }

    /// Speaks RFC 2217: the host sets a UART of its own and reads the module's circuits. `signature` says what is here.
    #[must_use]
    pub fn with_rfc2217(mut self, signature: &str) -> Self {
        self.telnet = Some(Box::new(Telnet {
            signature: signature.into(),
            end: Cell::default(),
            uart: Cell::new(Uart::new(0)),
            session: RefCell::new(None),
            resumed: Notify::new(),
        }));
        self
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Whether there is RFC 2217 around the line.
    pub fn has_rfc2217(&self) -> bool {
        self.telnet.is_some()
    }

    /// What the host's UART reads of the module's bytes.
    pub(super) fn as_host_reads(&self, bytes: Vec<u8>) -> Vec<u8> {
        let Some(telnet) = &self.telnet else {
            return bytes;
        };
        as_host_reads(bytes, telnet.uart.get(), telnet.end.get())
    }

    pub(super) fn set_line_state(&self, end: LineState) {
        if let Some(telnet) = &self.telnet
            && telnet.end.replace(end) != end
            && let Some(session) = &mut *telnet.session.borrow_mut()
        {
            session.set_circuits(end.circuits);
        }
    }

    pub(super) async fn read(&self, buffer: &mut [u8]) -> io::Result<Input> {
        loop {
            if let Some(input) = self.telnet.as_ref().and_then(|own| own.next_input()) {
                return Ok(input);
            }
            let host = self.host.borrow().clone();
            // Who asks and does not listen is not heard either.
            let deaf = self.telnet.as_ref().is_some_and(|own| own.is_full());
            let answers = self.telnet.as_ref().is_some_and(|own| own.has_outgoing());
            let readable = async {
                match &host {
                    Some(host) if !deaf => host.readable().await,
                    _ => std::future::pending().await,
                }
            };
            let writable = async {
                match &host {
                    Some(host) if answers => host.writable().await,
                    _ => std::future::pending().await,
                }
            };
            tokio::select! {
                accepted = self.listener.accept() => {
                    // Out of descriptors or a host that is gone again: the line itself is well.
                    if let Ok((stream, _)) = accepted {
                        let _ = stream.set_nodelay(true);
                        *self.host.borrow_mut() = Some(Rc::new(stream));
                        if let Some(telnet) = &self.telnet {
                            telnet.begin();
                        }
                    } else {
                        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                    }
                }
                ready = writable => {
                    let Some(host) = host else { continue };
                    self.flush(ready, &host);
                }
                ready = readable => {
                    let Some(host) = host else { continue };
                    match (ready.and_then(|()| host.try_read(buffer)), &self.telnet) {
                        (Err(error), _) if error.kind() == io::ErrorKind::WouldBlock => {}
                        (Ok(0) | Err(_), _) => self.hang_up(&host),
                        (Ok(n), None) => return Ok(Input::Bytes(n)),
                        (Ok(n), Some(telnet)) => telnet.receive(&buffer[..n]),
                    }
                }
            }
        }
    }

    pub(super) async fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(telnet) = &self.telnet {
            return self.write_telnet(telnet, bytes).await;
        }
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

    async fn write_telnet(&self, telnet: &Telnet, bytes: &[u8]) -> io::Result<usize> {
        loop {
            // It may be another host after each wait.
            let Some(host) = self.host.borrow().clone() else {
                return Ok(bytes.len());
            };
            if telnet.is_suspended() {
                telnet.resumed.notified().await;
            } else if telnet.is_full() {
                self.flush(host.writable().await, &host);
            } else {
                telnet.send(bytes);
                self.flush(Ok(()), &host);
                return Ok(bytes.len());
            }
        }
    }

    /// Sends what waits in the session.
    fn flush(&self, ready: io::Result<()>, host: &Rc<TcpStream>) {
        let Some(telnet) = self.telnet.as_ref().filter(|_| self.is_current(host)) else {
            return;
        };
        let mut session = telnet.session.borrow_mut();
        let Some(session) = &mut *session else {
            return;
        };
        let outgoing = session.outgoing();
        match ready.and_then(|()| host.try_write(outgoing)) {
            Ok(n) => drop(outgoing.drain(..n)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => {
                outgoing.clear();
                self.hang_up(host);
            }
        }
    }

    fn hang_up(&self, gone: &Rc<TcpStream>) {
        if self.is_current(gone) {
            *self.host.borrow_mut() = None;
        }
    }

    fn is_current(&self, host: &Rc<TcpStream>) -> bool {
        let current = self.host.borrow();
        current.as_ref().is_some_and(|own| Rc::ptr_eq(own, host))
    }
}

impl Telnet {
    fn begin(&self) {
        let end = self.end.get();
        let session = Session::new(end.baud, end.circuits, &self.signature);
        self.uart.set(Uart::new(end.baud));
        *self.session.borrow_mut() = Some(session);
        self.resumed.notify_waiters();
    }

    fn receive(&self, bytes: &[u8]) {
        if let Some(session) = &mut *self.session.borrow_mut() {
            session.receive(bytes);
            if !session.is_suspended() {
                self.resumed.notify_waiters();
            }
        }
    }

    /// The next thing that the host has done.
    fn next_input(&self) -> Option<Input> {
        let mut session = self.session.borrow_mut();
        let session = session.as_mut()?;
        Some(match session.poll_event()? {
            Event::Data(bytes) => {
                Input::Given(as_module_reads(&bytes, self.uart.get(), self.end.get()))
            }
            event => {
                if let Event::Uart(uart) = event {
                    self.uart.set(uart);
                }
                Input::Line(event)
            }
        })
    }

    fn send(&self, bytes: &[u8]) {
        if let Some(session) = &mut *self.session.borrow_mut() {
            session.send(bytes);
        }
    }

    fn has_outgoing(&self) -> bool {
        let mut session = self.session.borrow_mut();
        let session = session.as_mut();
        session.is_some_and(|session| !session.outgoing().is_empty())
    }

    fn is_full(&self) -> bool {
        let mut session = self.session.borrow_mut();
        let session = session.as_mut();
        session.is_some_and(|session| session.outgoing().len() > OUTGOING)
    }

    fn is_suspended(&self) -> bool {
        let session = self.session.borrow();
        session.as_ref().is_some_and(Session::is_suspended)
    }
}

/// What the module's UART reads of the bytes of another one. Its own has eight data bits and no parity.
fn as_module_reads(bytes: &[u8], uart: Uart, end: LineState) -> Vec<u8> {
    let bytes: Vec<u8> = bytes.iter().map(|byte| uart.sends(*byte)).collect();
    if end.autobaud {
        bytes
    } else {
        world::resample(&bytes, uart.baud, end.baud)
    }
}

/// The other way.
fn as_host_reads(bytes: Vec<u8>, uart: Uart, end: LineState) -> Vec<u8> {
    let bytes = if end.autobaud {
        bytes
    } else {
        world::resample(&bytes, end.baud, uart.baud)
    };
    bytes.iter().map(|byte| uart.reads(*byte)).collect()
}
