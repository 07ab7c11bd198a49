//! One MQTT link: the transport below, the session on it, and what becomes of both.

use crate::api::{LinkEvent, LinkId, NetError, Output, TraceKind, Transport};
use crate::core::Core;
use crate::state::{self, LinkState, Message, Protocol, SessionState};
use instant::Instant;
use mqtt::{Connect, Event, Packet, PacketId, QoS, Session, SessionConfig};

pub(crate) use crate::state::Phase;

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
    about: Option<Box<About>>,
}

/// What a bench sees of a link besides its phase.
struct About {
    host: String,
    port: u16,
    tls: bool,
    websocket: bool,
    session: Option<SessionState>,
    /// SUBSCRIBE and UNSUBSCRIBE under way.
    asked: Vec<(PacketId, Asked)>,
}

/// Filters that a snapshot tells, and packets about them that are followed.
const FILTERS_MAX: usize = 1000;

impl Link {
    pub(crate) fn new(config: SessionConfig) -> Self {
        Self {
            id: None,
            phase: Phase::Closed,
            session: Session::new(config),
            tracer: Tracer::default(),
            about: None,
        }
    }

    /// How it is now; `None` when there is no link.
    pub(crate) fn state(&self, index: usize) -> Option<LinkState> {
        let about = self.about.as_ref()?;
        (self.phase != Phase::Closed).then(|| LinkState {
            index,
            protocol: Protocol::Mqtt,
            host: about.host.clone(),
            port: about.port,
            tls: about.tls,
            websocket: about.websocket,
            phase: self.phase,
            session: about.session.clone().map(|session| SessionState {
                in_flight: self.session.in_flight(),
                ..session
            }),
        })
    }

    /// Asks for a transport.
    pub(crate) fn open(&mut self, core: &mut Core, host: &str, port: u16, transport: Transport) {
        self.phase = Phase::Opening;
        core.state(|| match &transport.websocket {
            Some(path) => format!("opening {host}:{port}, a WebSocket at {path:?}"),
            None => format!("opening {host}:{port}"),
        });
        self.about = Some(Box::new(About {
            host: host.into(),
            port,
            tls: transport.tls.is_some(),
            websocket: transport.websocket.is_some(),
            session: None,
            asked: Vec::new(),
        }));
        self.id = Some(core.open(host, port, transport));
    }

    /// Sends CONNECT on an open transport; false when it cannot be encoded.
    pub(crate) fn log_in(&mut self, core: &mut Core, connect: &Connect<'_>) -> bool {
        let queued = self.session.connect(core.now, connect).is_ok();
        if queued {
            self.phase = Phase::LoggingIn;
            if let Some(about) = &mut self.about {
                about.asked.clear();
                about.session = Some(SessionState {
                    client_id: connect.client_id.into(),
                    clean_session: connect.clean_session,
                    keep_alive: connect.keep_alive,
                    ..SessionState::default()
                });
            }
            self.flush(core);
        }
        queued
    }

    /// Sends DISCONNECT. The transport stays, until the server closes it.
    pub(crate) fn log_out(&mut self, core: &mut Core) {
        self.session.disconnect(core.now);
        self.flush(core);
        self.session_ends(core);
        self.phase = Phase::LoggedOut;
    }

    /// Closes the transport in an orderly way.
    pub(crate) fn close(&mut self, core: &mut Core) {
        if let Some(link) = self.id.take() {
            core.state(|| "link closed".into());
            core.out.push_back(Output::Close { link });
        }
        self.forget(core);
    }

    /// The network below the transport is gone: nobody tells the peer.
    pub(crate) fn cut(&mut self, core: &mut Core) {
        if let Some(link) = self.id.take() {
            core.state(|| "link cut off".into());
            core.out.push_back(Output::Abort { link });
            self.forget(core);
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
                self.forget(core);
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
        if let Some(about) = &mut self.about {
            about.sent(core, bytes);
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
        let (phase, about) = (&mut self.phase, &mut self.about);
        self.session.receive(core.now, bytes, &mut |event| {
            if let Some(about) = about {
                about.received(core, &event);
            }
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
        self.forget(core);
        if phase == Phase::LoggedOut {
            self.phase = Phase::Dead;
        }
        on(core, News::Closed(phase));
    }

    fn forget(&mut self, core: &mut Core) {
        self.session_ends(core);
        self.session.link_lost();
        self.tracer = Tracer::default();
        self.phase = Phase::Closed;
    }
}

impl Link {
    /// A session that was there is over.
    fn session_ends(&mut self, core: &mut Core) {
        let session = self.about.as_ref().and_then(|about| about.session.as_ref());
        if let Some(session) = session.filter(|_| self.phase == Phase::Up) {
            core.event(|| state::Event::Disconnected(session.client_id.clone()));
        }
    }
}

impl About {
    /// Whole packets for the server.
    fn sent(&mut self, core: &mut Core, bytes: &[u8]) {
        let mut rest = bytes;
        while let Ok(Some(length)) = mqtt::frame_length(rest)
            && let Some((frame, after)) = rest.split_at_checked(length.total())
        {
            rest = after;
            // The others need not be read once more.
            let asked = match frame[0] >> 4 {
                3 if core.config.trace => Packet::decode(frame),
                8 | 10 => Packet::decode(frame),
                _ => continue,
            };
            match asked {
                Ok(Packet::Subscribe(packet)) => {
                    let filters = packet.filters.iter();
                    self.ask(
                        packet.id,
                        filters.map(|(filter, qos)| (filter.into(), Some(qos))),
                    );
                }
                Ok(Packet::Unsubscribe(packet)) => {
                    let filters = packet.filters.iter();
                    self.ask(packet.id, filters.map(|filter| (filter.into(), None)));
                }
                Ok(Packet::Publish(packet)) => core.event(|| {
                    state::Event::Sent(Message {
                        topic: packet.topic.into(),
                        payload: packet.payload.into(),
                        qos: packet.qos,
                        retain: packet.retain,
                    })
                }),
                _ => {}
            }
        }
    }

    /// Remembers what the acknowledgement of a packet will mean.
    fn ask(&mut self, id: PacketId, filters: impl Iterator<Item = (String, Option<QoS>)>) {
        // A packet that is sent again is the same packet.
        self.asked.retain(|(own, _)| *own != id);
        if self.asked.len() < FILTERS_MAX {
            self.asked.push((id, filters.collect()));
        }
    }

    fn received(&mut self, core: &mut Core, event: &Event<'_>) {
        let Some(session) = &mut self.session else {
            return;
        };
        match event {
            Event::Connected { .. } => {
                core.event(|| state::Event::Connected(session.client_id.clone()));
            }
            Event::Message {
                topic,
                payload,
                offset: 0,
                qos,
                retain,
                ..
            } => core.event(|| {
                state::Event::Received(Message {
                    topic: (*topic).into(),
                    payload: (*payload).into(),
                    qos: *qos,
                    retain: *retain,
                })
            }),
            Event::Subscribed { id, codes } => {
                let granted = codes.iter().map(|code| QoS::try_from(*code).ok());
                for ((filter, _), qos) in take(&mut self.asked, *id).into_iter().zip(granted) {
                    session.subscriptions.retain(|(own, _)| *own != filter);
                    let Some(qos) = qos else { continue };
                    if session.subscriptions.len() == FILTERS_MAX {
                        session.subscriptions.remove(0);
                    }
                    session.subscriptions.push((filter.clone(), qos));
                    core.event(|| state::Event::Subscribed(filter, qos));
                }
            }
            Event::Unsubscribed { id } => {
                for (filter, _) in take(&mut self.asked, *id) {
                    session.subscriptions.retain(|(own, _)| *own != filter);
                    core.event(|| state::Event::Unsubscribed(filter));
                }
            }
            Event::TimedOut { id } => drop(take(&mut self.asked, *id)),
            _ => {}
        }
    }
}

type Asked = Vec<(String, Option<QoS>)>;

fn take(asked: &mut Vec<(PacketId, Asked)>, id: PacketId) -> Asked {
    match asked.iter().position(|(own, _)| *own == id) {
        Some(index) => asked.remove(index).1,
        None => Vec::new(),
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
