//! One MQTT link: the transport below, the session on it, and what becomes of both.

use crate::api::{LinkEvent, LinkId, NetError, Output, TraceKind, Transport};
use crate::core::Core;
use instant::Instant;
use mqtt::{Connect, Event, Packet, Session, SessionConfig};

/// Where a link is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// There is none.
    Closed,
    /// The transport is being opened.
    Opening,
    /// The transport is open; nobody has logged in.
    Open,
    /// CONNECT was sent.
    LoggingIn,
    /// The server accepted.
    Up,
    /// DISCONNECT was sent; the transport is still open.
    LoggedOut,
    /// There is no transport any more, but the host was not told and has not closed the link: the server closed it
    /// after DISCONNECT, or the network below is gone.
    Dead,
}

/// What a family is told of its link.
pub(crate) enum News<'a> {
    /// The transport is open.
    Opened,
    /// It could not be opened.
    OpenFailed(NetError),
    /// Something of the session.
    Mqtt(Event<'a>),
    /// The transport is gone, and this phase ended with it.
    Closed(Phase),
}

pub(crate) struct Link {
    id: Option<LinkId>,
    pub(crate) phase: Phase,
    pub(crate) session: Session,
    tracer: Tracer,
}

impl Link {
    pub(crate) fn new(config: SessionConfig) -> Self {
        Self {
            id: None,
            phase: Phase::Closed,
            session: Session::new(config),
            tracer: Tracer::default(),
        }
    }

    /// Asks for a transport.
    pub(crate) fn open(&mut self, core: &mut Core, host: &str, port: u16, transport: Transport) {
        self.phase = Phase::Opening;
        core.state(|| match &transport.websocket {
            Some(path) => format!("opening {host}:{port}, a WebSocket at {path:?}"),
            None => format!("opening {host}:{port}"),
        });
        self.id = Some(core.open(host, port, transport));
    }

    /// Sends CONNECT on an open transport; false when it cannot be encoded.
    pub(crate) fn log_in(&mut self, core: &mut Core, connect: &Connect<'_>) -> bool {
        let queued = self.session.connect(core.now, connect).is_ok();
        if queued {
            self.phase = Phase::LoggingIn;
            self.flush(core);
        }
        queued
    }

    /// Sends DISCONNECT. The transport stays, until the server closes it.
    pub(crate) fn log_out(&mut self, core: &mut Core) {
        self.session.disconnect(core.now);
        self.flush(core);
        self.phase = Phase::LoggedOut;
    }

    /// Closes the transport in an orderly way.
    pub(crate) fn close(&mut self, core: &mut Core) {
        if let Some(link) = self.id.take() {
            core.state(|| "link closed".into());
            core.out.push_back(Output::Close { link });
        }
        self.forget();
    }

    /// The network below the transport is gone: nobody tells the peer.
    pub(crate) fn cut(&mut self, core: &mut Core) {
        if let Some(link) = self.id.take() {
            core.state(|| "link cut off".into());
            core.out.push_back(Output::Abort { link });
            self.session.link_lost();
            self.tracer = Tracer::default();
            self.phase = Phase::Dead;
        }
    }

    /// Passes an event of the transport on, with what the session makes of it.
    pub(crate) fn event(
        &mut self,
        core: &mut Core,
        link: LinkId,
        event: LinkEvent<'_>,
        on: &mut dyn FnMut(&mut Core, News<'_>),
    ) {
        if self.id != Some(link) {
            return;
        }
        match event {
            LinkEvent::Opened(_) => {
                self.phase = Phase::Open;
                core.state(|| "link open".into());
                on(core, News::Opened);
            }
            LinkEvent::Failed(error) => {
                self.id = None;
                self.forget();
                core.state(|| format!("link not opened: {error}"));
                on(core, News::OpenFailed(error));
            }
            LinkEvent::Data(bytes) => self.data(core, bytes, on),
            LinkEvent::Closed | LinkEvent::Reset => {
                let early = self.phase == Phase::Open;
                core.state(|| {
                    let how = match event {
                        LinkEvent::Reset => "link reset by the peer",
                        _ => "link closed by the peer",
                    };
                    let hint = if early {
                        ": no CONNECT came, and brokers wait for it some seconds only"
                    } else {
                        ""
                    };
                    format!("{how}{hint}")
                });
                self.lose(core, on);
            }
        }
    }

    /// Keep alive and repetitions.
    pub(crate) fn advance(&mut self, core: &mut Core, on: &mut dyn FnMut(&mut Core, News<'_>)) {
        let mut lost = false;
        self.session.advance(core.now, &mut |event| {
            lost |= event == Event::PingLost;
            on(core, News::Mqtt(event));
        });
        self.flush(core);
        if lost {
            core.note(|| "no PINGRESP in time: the module takes the link for dead".into());
            self.lose(core, on);
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.session.next_deadline()
    }

    /// Sends what the session has queued.
    pub(crate) fn flush(&mut self, core: &mut Core) {
        let bytes = self.session.outgoing();
        let Some(link) = self.id.filter(|_| !bytes.is_empty()) else {
            return;
        };
        if core.config.trace {
            let mut tracer = Tracer::default();
            tracer.packets(bytes, &mut |words| {
                core.trace(|| TraceKind::ToBroker(words));
            });
        }
        let bytes = bytes.to_vec();
        self.session.sent(bytes.len());
        core.out.push_back(Output::Send { link, bytes });
    }

    fn data(&mut self, core: &mut Core, bytes: &[u8], on: &mut dyn FnMut(&mut Core, News<'_>)) {
        if core.config.trace {
            self.tracer.packets(bytes, &mut |words| {
                core.trace(|| TraceKind::FromBroker(words));
            });
        }
        let mut failed = false;
        let phase = &mut self.phase;
        self.session.receive(core.now, bytes, &mut |event| {
            match event {
                Event::Connected { .. } => *phase = Phase::Up,
                Event::Refused(code) => {
                    core.note(|| format!("the server refused: {code}"));
                }
                Event::Failed(error) => {
                    failed = true;
                    core.note(|| format!("the server broke the protocol: {error}"));
                }
                _ => {}
            }
            on(core, News::Mqtt(event));
        });
        self.flush(core);
        if failed {
            self.lose(core, on);
        }
    }

    /// The transport is gone, or no use any more.
    fn lose(&mut self, core: &mut Core, on: &mut dyn FnMut(&mut Core, News<'_>)) {
        let phase = self.phase;
        if let Some(link) = self.id.take() {
            core.out.push_back(Output::Close { link });
        }
        self.forget();
        if phase == Phase::LoggedOut {
            self.phase = Phase::Dead;
        }
        on(core, News::Closed(phase));
    }

    fn forget(&mut self) {
        self.session.link_lost();
        self.tracer = Tracer::default();
        self.phase = Phase::Closed;
    }
}

/// Puts MQTT packets into words for the trace.
#[derive(Default)]
struct Tracer {
    partial: Vec<u8>,
    /// Bytes of a packet that is too long to keep.
    skip: usize,
}

impl Tracer {
    /// The beginning of a packet that is kept until its end arrives, in bytes.
    const KEPT: usize = 16 * 1024;

    fn packets(&mut self, bytes: &[u8], on: &mut dyn FnMut(String)) {
        let skipped = self.skip.min(bytes.len());
        self.skip -= skipped;
        self.partial.extend_from_slice(&bytes[skipped..]);
        let mut at = 0;
        while let Ok(Some(length)) = mqtt::frame_length(&self.partial[at..]) {
            let total = length.total();
            let Some(frame) = self.partial.get(at..at + total) else {
                if total > Self::KEPT {
                    on(format!("a packet of {total} bytes"));
                    self.skip = total - (self.partial.len() - at);
                    at = self.partial.len();
                }
                break;
            };
            on(match Packet::decode(frame) {
                Ok(packet) => packet.to_string(),
                Err(error) => format!("a malformed packet: {error}"),
            });
            at += total;
        }
        self.partial.drain(..at);
        if self.partial.len() > Self::KEPT {
            self.partial.clear();
        }
        if self.partial.is_empty() {
            self.partial = Vec::new();
        }
    }
}
