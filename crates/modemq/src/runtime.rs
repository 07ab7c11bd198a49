//! Runs a module: its serial line on a port, its links on TCP.

use crate::capture::{Conversation, Side, Tap, shown_port};
use crate::clock::Clock;
use crate::control::journal::{self, Journal};
use crate::flash::FlashFolder;
use crate::net::Resolver;
use crate::port::rfc2217::Event;
use crate::port::{Input, Port};
use crate::record::Recorder;
use crate::stream::Stream;
use crate::tls;
use crate::trace::{Line, Writer};
use crate::websocket;
use instant::Instant;
use module::{
    LinkEvent, LinkId, NetError, NetworkEvent, Output, QueryId, Trace, TraceKind, Transport,
};
use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use world::Rig;

/// Bytes for a host that does not read; what comes beyond them is lost, as it is on a wire.
const SERIAL_BACKLOG: usize = 64 * 1024;
/// Bytes for a broker that does not read; beyond them the link is taken for broken.
const LINK_BACKLOG: usize = 1024 * 1024;
/// How long a server may take to open a WebSocket; a module gives up earlier.
const HANDSHAKE: Duration = Duration::from_secs(60);
/// How long a link that was closed waits for the peer to close as well.
const LINGER: Duration = Duration::from_secs(2);

thread_local! {
    /// What a link had to say, on its way to its module: one buffer for all modules of the thread.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; 16 * 1024]);
}

/// One module with its port.
pub struct Host {
    rig: Rig,
    port: Port,
    clock: Clock,
    resolver: Resolver,
    links: Vec<Link>,
    /// Links that are being opened. One that the module closes meanwhile is not among them any more.
    opening: Vec<(LinkId, AbortHandle)>,
    serial: Vec<u8>,
    lost: usize,
    /// What the tasks that resolve and connect have found.
    found: (mpsc::UnboundedSender<Found>, mpsc::UnboundedReceiver<Found>),
    acts: mpsc::UnboundedReceiver<Act>,
    journal: Option<Arc<Journal>>,
    trace: Option<(Rc<RefCell<Writer>>, Option<usize>)>,
    flash: Option<FlashFolder>,
    recorder: Option<Recorder>,
    tap: Option<Tap>,
}

/// What somebody outside does to a module, or wants to know of it.
type Act = Box<dyn FnOnce(&mut Rig, Instant) + Send>;

/// Reaches a module that runs, from any task or thread.
#[derive(Clone, Debug)]
pub struct Handle {
    acts: mpsc::UnboundedSender<Act>,
}

/// The module runs no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

impl std::fmt::Display for Gone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the module runs no more")
    }
}

impl std::error::Error for Gone {}

impl Handle {
    /// Does something to the module as soon as it is its turn: a fault, an event of the network.
    ///
    /// # Errors
    /// The module runs no more.
    pub fn act(&self, act: impl FnOnce(&mut Rig, Instant) + Send + 'static) -> Result<(), Gone> {
        self.acts.send(Box::new(act)).map_err(|_| Gone)
    }

    /// [`Handle::act`], and what came of it.
    ///
    /// # Errors
    /// The module runs no more.
    pub async fn ask<R: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Rig, Instant) -> R + Send + 'static,
    ) -> Result<R, Gone> {
        let (sender, receiver) = oneshot::channel();
        self.act(move |rig, now| {
            // Whoever asked may not wait any more.
            let _ = sender.send(act(rig, now));
        })?;
        receiver.await.map_err(|_| Gone)
    }
}

struct Link {
    id: LinkId,
    stream: Stream,
    outgoing: Vec<u8>,
    /// The module has closed it: what is outgoing still goes, what comes in is thrown away.
    closed: Option<Instant>,
    /// Our side of the connection has been shut.
    shut: bool,
    /// What a packet capture shows of it.
    shown: Option<Conversation>,
}

/// A stream, the address at its other end, and the port there that a packet capture shows.
type Opened = (Stream, IpAddr, u16);

enum Found {
    Connected(LinkId, Result<Opened, (NetError, Option<String>)>),
    Resolved(QueryId, Result<Vec<IpAddr>, NetError>),
}

enum Ready {
    Readable(usize),
    Writable(usize),
}

impl Host {
    /// Joins a module and a port. The second part reaches the module while it runs.
    pub fn new(rig: Rig, port: Port, clock: Clock, resolver: Resolver) -> (Self, Handle) {
        let (sender, acts) = mpsc::unbounded_channel();
        let host = Self {
            rig,
            port,
            clock,
            resolver,
            links: Vec::new(),
            opening: Vec::new(),
            serial: Vec::new(),
            lost: 0,
            found: mpsc::unbounded_channel(),
            acts,
            journal: None,
            trace: None,
            flash: None,
            recorder: None,
            tap: None,
        };
        (host, Handle { acts: sender })
    }

    /// Writes the trace there; `index` tells modules apart that share it.
    #[must_use]
    pub fn with_trace(mut self, writer: Rc<RefCell<Writer>>, index: Option<usize>) -> Self {
        self.trace = Some((writer, index));
        self
    }

    /// Keeps the flash of the module there.
    #[must_use]
    pub fn with_flash(mut self, folder: FlashFolder) -> Self {
        self.flash = Some(folder);
        self
    }

    /// Writes a recording there; the rig must be recording.
    #[must_use]
    pub fn with_recorder(mut self, recorder: Recorder) -> Self {
        self.recorder = Some(recorder);
        self
    }

    /// Keeps what happens there as well; the module must have been made to give a trace.
    #[must_use]
    pub fn with_journal(mut self, journal: Arc<Journal>) -> Self {
        self.journal = Some(journal);
        self
    }

    /// Shows what goes over the module's links in a packet capture.
    #[must_use]
    pub fn with_capture(mut self, tap: Tap) -> Self {
        self.tap = Some(tap);
        self
    }

    /// Where it is reached.
    pub fn port(&self) -> &Port {
        &self.port
    }

    /// Runs until the port ends.
    ///
    /// # Errors
    /// The port is broken, or the flash or the recording cannot be written: what the module says OK to would be lost.
    pub async fn run(mut self) -> io::Result<()> {
        let mut buffer = vec![0; 1024];
        loop {
            self.act()?;
            let deadline = self.next_deadline();
            let (serial, port, links, rig) = (&self.serial, &self.port, &self.links, &self.rig);
            tokio::select! {
                read = port.read(&mut buffer) => {
                    match read? {
                        Input::Bytes(n) => self.rig.receive(self.clock.now(), &buffer[..n]),
                        Input::Given(bytes) => self.rig.receive(self.clock.now(), &bytes),
                        Input::Line(event) => self.host_line(&event),
                        Input::End => return self.finish().await,
                    }
                }
                written = port.write(serial), if !serial.is_empty() => {
                    let n = written?;
                    self.serial.drain(..n);
                    self.report_loss();
                }
                ready = poll_fn(|context| poll_links(links, rig, context)) => SCRATCH.with_borrow_mut(|scratch| self.serve(&ready, scratch))?,
                Some(found) = self.found.1.recv() => self.take(found),
                Some(act) = self.acts.recv() => act(&mut self.rig, self.clock.now()),
                () = self.clock.sleep_until(deadline) => {
                    let now = self.clock.now();
                    self.links.retain(|link| link.closed.is_none_or(|at| at > now));
                    self.rig.advance(now);
                }
            }
        }
    }

    /// The port has ended: what the module still says is printed.
    async fn finish(&mut self) -> io::Result<()> {
        let limit = self.clock.now() + Duration::from_secs(1);
        while let Some(deadline) = self.rig.next_deadline()
            && deadline < limit
        {
            self.clock.sleep_until(Some(deadline)).await;
            self.rig.advance(self.clock.now());
            self.act()?;
        }
        while !self.serial.is_empty()
            && let Ok(n @ 1..) = self.port.write(&self.serial).await
        {
            self.serial.drain(..n);
        }
        Ok(())
    }

    fn next_deadline(&self) -> Option<Instant> {
        let lingering = self.links.iter().filter_map(|link| link.closed);
        lingering.chain(self.rig.next_deadline()).min()
    }

    /// Does what the module wants done.
    fn act(&mut self) -> io::Result<()> {
        while let Some(output) = self.rig.poll_output() {
            match output {
                Output::Serial(bytes) => {
                    let bytes = self.port.as_host_reads(bytes);
                    let room = SERIAL_BACKLOG
                        .saturating_sub(self.serial.len())
                        .min(bytes.len());
                    self.serial.extend_from_slice(&bytes[..room]);
                    self.lost += bytes.len() - room;
                }
                Output::Open {
                    link,
                    host,
                    port,
                    transport,
                } => {
                    let (resolver, sender) = (self.resolver.clone(), self.found.0.clone());
                    let task = tokio::spawn(async move {
                        let result = open(&resolver, &host, port, &transport).await;
                        // The module may be gone by now.
                        let _ = sender.send(Found::Connected(link, result));
                    });
                    self.opening.push((link, task.abort_handle()));
                }
                Output::Send { link, bytes } => {
                    if let Some(link) = self.links.iter_mut().find(|own| own.id == link) {
                        link.outgoing.extend_from_slice(&bytes);
                        if let Some(shown) = &mut link.shown {
                            shown.data(self.clock.now(), Side::Module, &bytes);
                        }
                        link.write();
                    }
                }
                Output::Close { link } => {
                    self.give_up(link);
                    let now = self.clock.now();
                    if let Some(link) = self.links.iter_mut().find(|own| own.id == link) {
                        if let Some(shown) = &mut link.shown {
                            shown.close(now, Side::Module);
                        }
                        link.closed = Some(now + LINGER);
                        link.write();
                    }
                }
                Output::Abort { link } => {
                    self.give_up(link);
                    if let Some(index) = self.links.iter().position(|own| own.id == link) {
                        let mut link = self.links.swap_remove(index);
                        if let Some(shown) = &mut link.shown {
                            shown.reset(self.clock.now(), Side::Module);
                        }
                        link.stream.abort();
                    }
                }
                Output::Resolve { query, host } => {
                    let (resolver, sender) = (self.resolver.clone(), self.found.0.clone());
                    tokio::spawn(async move {
                        let result = resolver.resolve(&host, 0).await;
                        let result = result
                            .map(|found| found.iter().map(std::net::SocketAddr::ip).collect());
                        let _ = sender.send(Found::Resolved(query, result));
                    });
                }
                Output::Flash { item, content } => {
                    if let Some(folder) = &mut self.flash {
                        folder.apply(&item, content.as_ref())?;
                    }
                }
                Output::Baud(baud) => {
                    self.port.set_line_state(self.rig.line_state());
                    if let Err(error) = self.port.set_baud(baud) {
                        self.note(format!("the port does not take {baud} bit/s: {error}"));
                    }
                }
                Output::PoweredOff => {
                    self.note("the module is off; start it again to power it on".into());
                }
                Output::Trace(trace) => self.write_trace(&trace),
            }
        }
        self.port.set_line_state(self.rig.line_state());
        // A link that is closed and has nothing more to send waits for the peer; one that has failed is gone.
        self.links
            .retain(|link| link.closed.is_none() || !link.outgoing.is_empty() || link.shut);
        if let Some(recorder) = &mut self.recorder {
            recorder.write(&mut self.rig)?;
        }
        if self.links.is_empty() {
            self.links = Vec::new();
        }
        Ok(())
    }

    /// Nobody waits for a link any more that is being opened: what it has come to by now ends.
    fn give_up(&mut self, link: LinkId) {
        if let Some(index) = self.opening.iter().position(|(own, _)| *own == link) {
            self.opening.swap_remove(index).1.abort();
        }
    }

    fn serve(&mut self, ready: &Ready, buffer: &mut [u8]) -> io::Result<()> {
        let now = self.clock.now();
        match *ready {
            Ready::Writable(index) => self.links[index].write(),
            Ready::Readable(index) => {
                let link = &mut self.links[index];
                let (id, closed) = (link.id, link.closed.is_some());
                let event = match link.stream.try_read(buffer) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                    Ok(0) => LinkEvent::Closed,
                    Ok(n) => LinkEvent::Data(&buffer[..n]),
                    Err(_) => LinkEvent::Reset,
                };
                match (&mut link.shown, event) {
                    (Some(shown), LinkEvent::Data(bytes)) => shown.data(now, Side::Server, bytes),
                    (Some(shown), LinkEvent::Closed) => shown.close(now, Side::Server),
                    (Some(shown), LinkEvent::Reset) => shown.reset(now, Side::Server),
                    _ => {}
                }
                if !matches!(event, LinkEvent::Data(_)) && closed {
                    self.links.swap_remove(index);
                } else if !closed {
                    let over = !matches!(event, LinkEvent::Data(_));
                    self.rig.receive_link(now, id, event);
                    self.act()?;
                    if over {
                        self.links.retain(|link| link.id != id);
                    }
                }
            }
        }
        if let Some(index) = self
            .links
            .iter()
            .position(|link| link.outgoing.len() > LINK_BACKLOG)
        {
            let mut link = self.links.swap_remove(index);
            if let Some(shown) = &mut link.shown {
                shown.reset(now, Side::Module);
            }
            self.rig.receive_link(now, link.id, LinkEvent::Reset);
        }
        Ok(())
    }

    fn take(&mut self, found: Found) {
        let now = self.clock.now();
        if let Found::Connected(id, _) = &found {
            let Some(index) = self.opening.iter().position(|(own, _)| own == id) else {
                return;
            };
            self.opening.swap_remove(index);
        }
        match found {
            Found::Connected(id, Ok((stream, peer, port))) => {
                self.links.push(Link {
                    id,
                    stream,
                    outgoing: Vec::new(),
                    closed: None,
                    shut: false,
                    shown: self.tap.as_ref().map(|tap| tap.open(now, peer, port)),
                });
                self.rig.receive_link(now, id, LinkEvent::Opened(peer));
            }
            Found::Connected(id, Err((error, why))) => {
                if let Some(why) = why {
                    self.note(why);
                }
                self.rig.receive_link(now, id, LinkEvent::Failed(error));
            }
            Found::Resolved(query, Ok(addresses)) => {
                self.rig.resolved(now, query, Ok(&addresses));
            }
            Found::Resolved(query, Err(error)) => self.rig.resolved(now, query, Err(error)),
        }
    }

    fn report_loss(&mut self) {
        if self.lost > 0 && self.serial.is_empty() {
            let lost = std::mem::take(&mut self.lost);
            self.note(format!("{lost} bytes for the host lost: nobody read them"));
        }
    }

    /// The host has done something to its UART.
    fn host_line(&mut self, event: &Event) {
        self.tell(TraceKind::State(format!("host: {event}")));
        match event {
            Event::Uart(uart) => {
                let event = NetworkEvent::HostRate { baud: uart.baud };
                self.rig.network(self.clock.now(), event);
            }
            Event::Purge => self.serial.clear(),
            _ => {}
        }
    }

    fn note(&mut self, text: String) {
        self.tell(TraceKind::Note(text));
    }

    fn tell(&mut self, kind: TraceKind) {
        let trace = Trace {
            at: self.clock.now(),
            kind,
        };
        self.write_trace(&trace);
    }

    fn write_trace(&mut self, trace: &Trace) {
        if let Some(journal) = &self.journal {
            let event = match &trace.kind {
                TraceKind::Event(event) => Some(journal::Event::of_module(event)),
                _ => None,
            };
            let line = Line::new(None, trace);
            journal.push(line.micros, line.kind.name(), line.text, event);
        }
        if let Some((writer, index)) = &self.trace {
            writer.borrow_mut().write(*index, trace);
        }
    }
}

impl Link {
    /// Sends what the system takes now. A broken link shows when it is read.
    fn write(&mut self) {
        while !self.outgoing.is_empty() {
            match self.stream.try_write(&self.outgoing) {
                Ok(n) => drop(self.outgoing.drain(..n)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => self.outgoing.clear(),
            }
        }
        if self.outgoing.capacity() > 1024 {
            self.outgoing = Vec::new();
        }
        if self.closed.is_some() && !self.shut {
            self.shut = true;
            self.stream.shut();
        }
    }
}

/// Opens a link with what runs on top of TCP; and says why it failed, when there is more to say than the error.
async fn open(
    resolver: &Resolver,
    host: &str,
    port: u16,
    transport: &Transport,
) -> Result<Opened, (NetError, Option<String>)> {
    let stream = resolver
        .connect(host, port)
        .await
        .map_err(|error| (error, None))?;
    let address = stream.peer_addr().map_err(|_| (NetError::Reset, None))?;
    let stream = match (&transport.tls, &transport.websocket) {
        (None, None) => Stream::Tcp(stream),
        (None, Some(path)) => open_websocket(stream, host, port, path).await?,
        (Some(tls), path) => {
            let stream = tls::connect(stream, tls).await;
            let stream = stream.map_err(|why| (NetError::Tls, Some(format!("TLS: {why}"))))?;
            match path {
                None => tls::unwrap(stream).map_err(|_| (NetError::Other, None))?,
                Some(path) => open_websocket(stream, host, port, path).await?,
            }
        }
    };
    Ok((stream, address.ip(), shown_port(port, transport)))
}

async fn open_websocket(
    stream: impl websocket::Transport,
    host: &str,
    port: u16,
    path: &str,
) -> Result<Stream, (NetError, Option<String>)> {
    let handshake = websocket::connect(stream, host, port, path);
    match tokio::time::timeout(HANDSHAKE, handshake).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err((NetError::WebSocket, Some(format!("WebSocket: {error}")))),
        Err(_) => Err((NetError::Timeout, None)),
    }
}

fn poll_links(links: &[Link], rig: &Rig, context: &mut Context<'_>) -> Poll<Ready> {
    for (index, link) in links.iter().enumerate() {
        // What is not read stays with the system, and then with the peer.
        let takes = link.closed.is_some() || rig.takes_data(link.id);
        if takes && link.stream.poll_read_ready(context).is_ready() {
            return Poll::Ready(Ready::Readable(index));
        }
        if !link.outgoing.is_empty() && link.stream.poll_write_ready(context).is_ready() {
            return Poll::Ready(Ready::Writable(index));
        }
    }
    Poll::Pending
}
