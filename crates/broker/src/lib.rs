//! An MQTT 3.1 and 3.1.1 broker without I/O: the bench's other end.
//!
//! **After any input, drain [`Broker::poll_output`] until it is empty, and call [`Broker::advance`] when
//! [`Broker::next_deadline`] has come.**
//!
//! It is an instrument, not for production: it forgets everything when it stops, and it is made to be small, exact and
//! deterministic rather than fast. Use Mosquitto, EMQX or another for the field.
//!
//! Connections are the caller's. [`Broker::accept`] names one, [`Broker::receive`] takes its bytes in any slicing, and
//! [`Output::Transmit`] says that [`Broker::outgoing`] has bytes for it: what the caller cannot send now it leaves there,
//! which is how a slow client is noticed.

#![forbid(unsafe_code)]

mod api;
mod policy;
mod session;
mod topics;

pub use api::*;
pub use policy::{Decision, Delivery, Grant, Policy, Ticket, Verdict};

use crate::session::{Message, Next, Session};
use crate::topics::{MAX_LEVELS, Retained, Subscriptions};
use instant::Instant;
use mqtt::{
    Connack, Connect, ConnectCode, DecodeError, Packet, PacketId, Publish, QoS, Suback, Subscribe,
    Version, frame_length,
};
use slab::Slab;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// What was sent is cut off the front of a buffer once it is more than this many bytes, and more than what is left.
const CUT: usize = 256;

/// First byte of a CONNECT.
const CONNECT: u8 = 0x10;

/// First byte of a PUBLISH, without its flags.
const PUBLISH: u8 = 0x30;

/// Fixed header, length of the topic, and packet identifier of a PUBLISH.
const LARGEST_HEADER: usize = 9;

/// Stale deadlines, beside one for each connection, before they are swept out.
const STALE_DEADLINES: usize = 64;

/// The broker, with what a [`Policy`] adds to it.
pub struct Broker<P = ()> {
    config: Config,
    /// The time of the last input that had one.
    now: Instant,
    policy: Option<P>,
    connections: Slab<Connection>,
    sessions: Slab<Session>,
    by_client: HashMap<Arc<str>, usize>,
    subscriptions: Subscriptions,
    retained: Retained,
    /// When a connection is to be looked at. An entry that is not [`Connection::due`] is stale.
    deadlines: BinaryHeap<Reverse<(Instant, ConnId)>>,
    out: VecDeque<Output>,
    stats: Stats,
    serial: u32,
    /// Sessions that a message goes to; kept from one message to the next.
    matched: Vec<(usize, QoS)>,
    /// What the policy answers later.
    waiting: BTreeMap<Ticket, Wait>,
    /// Connections whose next packet is a message that the policy has no room for, in their order.
    held: VecDeque<ConnId>,
}

/// Who is answered later. It ends with the session.
struct Wait {
    session: usize,
    /// None: a message, which the session knows.
    subscription: Option<(ConnId, Box<str>)>,
}

struct Connection {
    serial: u32,
    phase: Phase,
    /// As CONNECT named it.
    version: Version,
    /// Bytes of a packet whose end has not arrived.
    partial: Vec<u8>,
    /// Bytes for the client; the first `sent` have gone.
    outgoing: Vec<u8>,
    sent: u32,
    /// [`Output::Transmit`] was given and not yet taken up.
    announced: bool,
    /// One and a half times the keep alive; 0: none.
    patience_ms: u32,
    heard: Instant,
    /// When it is to be looked at.
    due: Option<Instant>,
    /// It is one of [`Broker::held`].
    held: bool,
    subacks: Vec<LaterSuback>,
}

/// A SUBACK in the making.
struct LaterSuback {
    id: PacketId,
    codes: Vec<u8>,
    /// The codes that are not known yet.
    waits: Vec<(usize, Ticket)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Waits for CONNECT.
    New,
    /// Has a session.
    Online(usize),
    /// To be closed by the caller.
    Closing,
}

impl Broker {
    /// A broker that nobody is connected to.
    pub fn new(config: Config) -> Self {
        Self::under(config, None)
    }
}

impl<P: Policy> Broker<P> {
    /// The same, under a policy when there is one.
    pub fn under(config: Config, policy: Option<P>) -> Self {
        Self {
            config,
            now: Instant::ZERO,
            policy,
            connections: Slab::new(),
            sessions: Slab::new(),
            by_client: HashMap::new(),
            subscriptions: Subscriptions::default(),
            retained: Retained::default(),
            deadlines: BinaryHeap::new(),
            out: VecDeque::new(),
            stats: Stats::default(),
            serial: 0,
            matched: Vec::new(),
            waiting: BTreeMap::new(),
            held: VecDeque::new(),
        }
    }

    /// A client has connected.
    pub fn accept(&mut self, now: Instant) -> ConnId {
        self.now = now;
        self.serial = self.serial.wrapping_add(1);
        let slot = self.connections.insert(Connection {
            serial: self.serial,
            phase: Phase::New,
            version: Version::V311,
            partial: Vec::new(),
            outgoing: Vec::new(),
            sent: 0,
            announced: false,
            patience_ms: 0,
            heard: now,
            due: None,
            held: false,
            subacks: Vec::new(),
        });
        let conn = ConnId {
            slot: slot as u32,
            serial: self.serial,
        };
        self.stats.accepted += 1;
        if self.connections.len() > self.config.max_connections {
            self.end(conn, CloseReason::TooManyConnections);
        } else {
            self.look_at(conn, now + self.config.connect_timeout);
        }
        conn
    }

    /// Bytes from a client, sliced in any way. What comes while [`Broker::takes_data`] is false is kept however much it is.
    pub fn receive(&mut self, now: Instant, conn: ConnId, bytes: &[u8]) {
        self.now = now;
        self.read(now, conn, bytes);
        self.follow_policy();
    }

    /// May bytes of this client be given to the broker? Otherwise they are to be left to the transport: the policy has no room for
    /// the message that the client has sent. [`Output::Read`] says when that is over.
    pub fn takes_data(&self, conn: ConnId) -> bool {
        self.connections
            .get(conn.slot as usize)
            .is_none_or(|connection| connection.serial != conn.serial || !connection.held)
    }

    fn read(&mut self, now: Instant, conn: ConnId, bytes: &[u8]) {
        let Some(connection) = self.connection(conn) else {
            return;
        };
        connection.heard = now;
        let mut whole = std::mem::take(&mut connection.partial);
        let rest = if whole.is_empty() {
            let used = self.packets(now, conn, bytes);
            bytes[used..].to_vec()
        } else {
            // Appended where it stands: a packet that comes byte by byte is not copied each time.
            whole.extend_from_slice(bytes);
            match self.packets(now, conn, &whole) {
                0 => whole,
                used => whole[used..].to_vec(),
            }
        };
        if let Some(connection) = self.connection(conn) {
            connection.partial = rest;
        }
    }

    /// The connection is gone: closed by the client, broken, or closed by the caller as asked.
    pub fn link_closed(&mut self, conn: ConnId) {
        let Some(connection) = self.connection(conn) else {
            return;
        };
        let phase = connection.phase;
        self.ended(phase, CloseReason::ByClient);
        self.connections.remove(conn.slot as usize);
        if self.connections.is_empty() {
            self.connections = Slab::new();
            self.deadlines = BinaryHeap::new();
        }
        self.follow_policy();
    }

    /// Time has come.
    pub fn advance(&mut self, now: Instant) {
        self.now = now;
        while let Some(Reverse((at, conn))) = self.deadlines.peek().copied()
            && at <= now
        {
            self.deadlines.pop();
            let Some(connection) = self.connection(conn) else {
                continue;
            };
            if connection.due != Some(at) {
                continue;
            }
            connection.due = None;
            let reason = match connection.phase {
                // Runs from the connection's beginning, whatever bytes have come.
                Phase::New => CloseReason::NoConnect,
                Phase::Online(_) => {
                    let due = if connection.held {
                        now + connection.patience()
                    } else {
                        connection.heard + connection.patience()
                    };
                    if due > now {
                        self.look_at(conn, due);
                        continue;
                    }
                    CloseReason::KeepAlive
                }
                Phase::Closing => continue,
            };
            self.stats.timeouts += 1;
            self.end(conn, reason);
        }
        if let Some(policy) = &mut self.policy {
            policy.advance(now);
        }
        self.follow_policy();
    }

    /// When [`Broker::advance`] is to be called next. It may come too early, never too late.
    pub fn next_deadline(&self) -> Option<Instant> {
        let own = self.deadlines.peek().map(|Reverse((at, _))| *at);
        let policys = self.policy.as_ref().and_then(Policy::next_deadline);
        own.into_iter().chain(policys).min()
    }

    /// The policy, for whoever plays the server behind it: what it then has for clients goes out. `None` when there is none.
    pub fn with_policy<R>(&mut self, act: impl FnOnce(&mut P) -> R) -> Option<R> {
        let result = self.policy.as_mut().map(act);
        self.follow_policy();
        result
    }

    /// What is to be done, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        let output = self.out.pop_front();
        if let Some(Output::Transmit(conn)) = output
            && let Some(connection) = self.connection(conn)
        {
            connection.announced = false;
        }
        output
    }

    /// Bytes for a client.
    pub fn outgoing(&self, conn: ConnId) -> &[u8] {
        match self.connections.get(conn.slot as usize) {
            Some(connection) if connection.serial == conn.serial => {
                &connection.outgoing[connection.sent as usize..]
            }
            _ => &[],
        }
    }

    /// The first `n` bytes of [`Broker::outgoing`] have gone.
    pub fn sent(&mut self, conn: ConnId, n: usize) {
        let Some(connection) = self.connection(conn) else {
            return;
        };
        let sent = (connection.sent as usize + n).min(connection.outgoing.len());
        connection.sent = sent as u32;
        if sent == connection.outgoing.len() {
            connection.sent = 0;
            connection.outgoing = Vec::new();
        } else if sent > CUT && sent > connection.outgoing.len() / 2 {
            connection.outgoing.drain(..sent);
            connection.sent = 0;
        }
        if let Phase::Online(session) = connection.phase {
            self.pump(session);
        }
    }

    /// Publishes a message of the bench's own; false when the topic is none, or the message larger than what a client may send.
    pub fn publish(&mut self, topic: &str, payload: &[u8], qos: QoS, retain: bool) -> bool {
        if !mqtt::topic_name_is_valid(topic)
            || LARGEST_HEADER + topic.len() + payload.len() > self.config.max_packet
        {
            return false;
        }
        let message = Message {
            topic: topic.into(),
            payload: payload.into(),
            qos,
            retain,
        };
        self.route(&message);
        true
    }

    /// Throws a client out as a server does that restarts; false when there is no such client online.
    pub fn drop_client(&mut self, client_id: &str) -> bool {
        let Some(&session) = self.by_client.get(client_id) else {
            return false;
        };
        let Some(conn) = self.sessions[session].conn else {
            return false;
        };
        self.end(conn, CloseReason::Dropped);
        true
    }

    /// Throws every client out.
    pub fn drop_all(&mut self) {
        let online: Vec<ConnId> = self
            .sessions
            .iter()
            .filter_map(|(_, session)| session.conn)
            .collect();
        for conn in online {
            self.end(conn, CloseReason::Dropped);
        }
    }

    /// Numbers since the start.
    pub fn stats(&self) -> Stats {
        Stats {
            connections: self.connections.len(),
            sessions: self.sessions.len(),
            retained: self.retained.len(),
            ..self.stats
        }
    }

    /// Every session, online or kept.
    pub fn clients(&self) -> impl Iterator<Item = Client<'_>> {
        self.sessions.iter().map(|(_, session)| Client {
            client_id: &session.client_id,
            online: session.conn.is_some(),
            subscriptions: &session.subscriptions,
            queued: session.queued(),
        })
    }

    /// Handles the whole packets at the start of `bytes` and returns how many bytes they have.
    fn packets(&mut self, now: Instant, conn: ConnId, bytes: &[u8]) -> usize {
        let mut used = 0;
        loop {
            let rest = &bytes[used..];
            let Some(connection) = self.connection(conn) else {
                return bytes.len();
            };
            if connection.phase == Phase::Closing {
                return bytes.len();
            }
            let version = connection.version;
            let (is_new, backlog) = (connection.phase == Phase::New, connection.backlog());
            if is_new && rest.first().is_some_and(|&first| first != CONNECT) {
                self.violation(conn, CloseReason::NotConnect);
                return bytes.len();
            }
            // Answers are not held back as messages are, so somebody has to stop asking.
            if backlog > self.most_outgoing() {
                self.violation(conn, CloseReason::NotReading);
                return bytes.len();
            }
            let length = match frame_length(rest) {
                Ok(Some(length)) => length,
                Ok(None) => return used,
                Err(error) => {
                    self.violation(conn, CloseReason::Malformed(error));
                    return bytes.len();
                }
            };
            if length.total() > self.config.max_packet {
                self.violation(conn, CloseReason::TooLarge);
                return bytes.len();
            }
            let Some(frame) = rest.get(..length.total()) else {
                return used;
            };
            if self.holds(conn, frame[0]) {
                return used;
            }
            used += frame.len();
            match Packet::decode_as(version, frame) {
                Ok(packet) => self.handle(now, conn, &packet),
                Err(error) => self.malformed(conn, error),
            }
        }
    }

    fn malformed(&mut self, conn: ConnId, error: DecodeError) {
        let is_new = self
            .connection(conn)
            .is_some_and(|connection| connection.phase == Phase::New);
        if is_new && matches!(error, DecodeError::ProtocolLevel(_)) {
            self.refuse(conn, ConnectCode::UnacceptableProtocolVersion, "");
        } else {
            self.violation(conn, CloseReason::Malformed(error));
        }
    }

    fn violation(&mut self, conn: ConnId, reason: CloseReason) {
        self.stats.violations += 1;
        self.end(conn, reason);
    }

    fn handle(&mut self, now: Instant, conn: ConnId, packet: &Packet<'_>) {
        let Some(connection) = self.connection(conn) else {
            return;
        };
        match (connection.phase, packet) {
            (Phase::New, Packet::Connect(connect)) => self.connect(now, conn, connect),
            (Phase::Online(session), packet) => self.handle_online(now, conn, session, packet),
            _ => self.violation(conn, CloseReason::Unexpected(packet.name())),
        }
    }

    fn handle_online(&mut self, now: Instant, conn: ConnId, session: usize, packet: &Packet<'_>) {
        match packet {
            Packet::Publish(publish) => self.receive_publish(now, conn, session, publish),
            Packet::Puback(id) | Packet::Pubcomp(id) => {
                self.sessions[session].acknowledged(*id, matches!(packet, Packet::Pubcomp(_)));
                self.pump(session);
            }
            Packet::Pubrec(id) => {
                self.sessions[session].received(*id);
                // Answered even for an identifier that is not known, so that the client can finish.
                self.send(conn, &Packet::Pubrel(*id));
            }
            Packet::Pubrel(id) => {
                self.sessions[session].released(*id);
                self.send(conn, &Packet::Pubcomp(*id));
            }
            Packet::Subscribe(subscribe) => self.receive_subscribe(now, conn, session, subscribe),
            Packet::Unsubscribe(unsubscribe) => {
                for filter in unsubscribe.filters.iter() {
                    self.unsubscribe(session, filter);
                }
                self.send(conn, &Packet::Unsuback(unsubscribe.id));
            }
            Packet::Pingreq => self.send(conn, &Packet::Pingresp),
            Packet::Disconnect => {
                self.sessions[session].will = None;
                self.end(conn, CloseReason::Disconnect);
            }
            packet => self.violation(conn, CloseReason::Unexpected(packet.name())),
        }
    }

    fn connect(&mut self, now: Instant, conn: ConnId, connect: &Connect<'_>) {
        let client_id: Arc<str> = if connect.client_id.is_empty() {
            if !connect.clean_session || connect.version == Version::V31 {
                return self.refuse(conn, ConnectCode::IdentifierRejected, "");
            }
            self.assigned_name(conn)
        } else {
            connect.client_id.into()
        };
        if !self.config.admits(connect.username, connect.password) {
            let code = if connect.username.is_some() {
                ConnectCode::BadCredentials
            } else {
                ConnectCode::NotAuthorized
            };
            return self.refuse(conn, code, &client_id);
        }
        let client_id = match &mut self.policy {
            None => client_id,
            Some(policy) => match policy.admit(now, connect) {
                Ok(name) if name.is_empty() => client_id,
                Ok(name) => name.into(),
                Err(code) => return self.refuse(conn, code, &client_id),
            },
        };
        if self.sessions.len() >= self.config.max_sessions
            && !self.by_client.contains_key(&client_id)
        {
            return self.refuse(conn, ConnectCode::ServerUnavailable, &client_id);
        }
        let (session, session_present) = self.open_session(conn, &client_id, connect);
        if let Some(policy) = &mut self.policy {
            policy.arrived(now, &client_id);
        }
        let Some(connection) = self.connection(conn) else {
            return;
        };
        connection.phase = Phase::Online(session);
        connection.version = connect.version;
        connection.patience_ms = u32::from(connect.keep_alive) * 1500;
        connection.due = None;
        if connection.patience_ms > 0 {
            let due = now + connection.patience();
            self.look_at(conn, due);
        }
        let code = ConnectCode::Accepted;
        self.send(
            conn,
            &Packet::Connack(Connack {
                session_present,
                code,
            }),
        );
        self.event(|| Event::Connected {
            client_id: client_id.to_string(),
            version: connect.version,
            clean_session: connect.clean_session,
            keep_alive: connect.keep_alive,
        });
        self.sessions[session].send_again();
        self.pump(session);
    }

    /// A name that nobody else has.
    fn assigned_name(&self, conn: ConnId) -> Arc<str> {
        let mut number = conn.serial;
        loop {
            let name = format!("auto-{number}");
            if !self.by_client.contains_key(name.as_str()) {
                return name.into();
            }
            number = number.wrapping_add(1);
        }
    }

    /// The session of a client, as CONNECT asks for it, and whether it was there before and may be announced: MQTT 3.1 knows no
    /// such flag.
    fn open_session(
        &mut self,
        conn: ConnId,
        client_id: &Arc<str>,
        connect: &Connect<'_>,
    ) -> (usize, bool) {
        if let Some(&old) = self.by_client.get(client_id) {
            // §3.1.4-2: the client that has the identifier is thrown out.
            if let Some(other) = self.sessions[old].conn {
                self.end(other, CloseReason::TakenOver);
            }
        }
        let kept = self.by_client.get(client_id).copied();
        let (session, present) = match kept {
            Some(session) if !connect.clean_session => (session, true),
            _ => {
                if let Some(session) = kept {
                    self.end_session(session);
                }
                let session = self.sessions.insert(Session::new(client_id.clone()));
                self.by_client.insert(client_id.clone(), session);
                (session, false)
            }
        };
        let takes_wills = self.policy.as_ref().is_none_or(Policy::takes_wills);
        let entry = &mut self.sessions[session];
        entry.conn = Some(conn);
        entry.clean = connect.clean_session;
        entry.will = connect.will.filter(|_| takes_wills).map(|will| {
            Box::new(Message {
                topic: will.topic.into(),
                payload: will.payload.into(),
                qos: will.qos,
                retain: will.retain,
            })
        });
        (session, present && connect.version == Version::V311)
    }

    fn refuse(&mut self, conn: ConnId, code: ConnectCode, client_id: &str) {
        let session_present = false;
        self.stats.refused += 1;
        self.send(
            conn,
            &Packet::Connack(Connack {
                session_present,
                code,
            }),
        );
        self.event(|| Event::Refused {
            client_id: client_id.to_string(),
            code,
        });
        self.end(conn, CloseReason::Refused);
    }

    fn receive_subscribe(
        &mut self,
        now: Instant,
        conn: ConnId,
        session: usize,
        subscribe: &Subscribe<'_>,
    ) {
        let max = self.config.max_subscriptions;
        let waits = self.connection(conn).map_or(0, |connection| {
            let subacks = connection.subacks.iter();
            subacks.map(|suback| suback.codes.len()).sum()
        });
        let mut suback = LaterSuback {
            id: subscribe.id,
            codes: Vec::new(),
            waits: Vec::new(),
        };
        let mut granted: Vec<(&str, QoS)> = Vec::new();
        for (filter, qos) in subscribe.filters.iter() {
            let refused = waits + suback.codes.len() >= max
                || self.sessions[session].subscriptions.len() >= max
                    && !self.sessions[session].has_subscribed(filter)
                || filter.split('/').count() > MAX_LEVELS
                || self
                    .config
                    .refused_filters
                    .iter()
                    .any(|refused| refused == filter);
            let grant = match &mut self.policy {
                _ if refused => Grant::Refused,
                None => Grant::Granted(qos),
                Some(policy) => {
                    policy.subscribe(now, &self.sessions[session].client_id, filter, qos)
                }
            };
            suback.codes.push(match grant {
                Grant::Granted(qos) => {
                    self.subscribe(session, filter, qos);
                    self.subscribed(session, filter, qos);
                    granted.retain(|&(other, _)| other != filter);
                    granted.push((filter, qos));
                    qos.level()
                }
                Grant::Refused => Suback::FAILURE,
                Grant::Later(ticket) => {
                    self.subscribe(session, filter, qos);
                    let wait = Wait {
                        session,
                        subscription: Some((conn, filter.into())),
                    };
                    self.waiting.insert(ticket, wait);
                    suback.waits.push((suback.codes.len(), ticket));
                    qos.level()
                }
            });
        }
        if suback.waits.is_empty() {
            let (id, codes) = (suback.id, suback.codes.as_slice());
            self.send(conn, &Packet::Suback(Suback { id, codes }));
        } else if let Some(connection) = self.connection(conn) {
            connection.subacks.push(suback);
        }
        for (filter, qos) in granted {
            self.send_retained(session, filter, qos);
        }
    }

    fn receive_publish(
        &mut self,
        now: Instant,
        conn: ConnId,
        session: usize,
        publish: &Publish<'_>,
    ) {
        let entry = &mut self.sessions[session];
        let fresh = match (publish.qos, publish.id) {
            (QoS::ExactlyOnce, Some(id)) => entry.receives(id),
            // What is not acknowledged yet is the same message.
            (QoS::AtLeastOnce, Some(id)) if publish.dup => !entry.awaits(id, conn),
            _ => true,
        };
        let mut route = true;
        let mut ticket = None;
        if fresh && let Some(policy) = &mut self.policy {
            match policy.publish(now, &self.sessions[session].client_id, publish) {
                Verdict::Route => {}
                Verdict::Take => route = false,
                Verdict::Later(own) => {
                    route = false;
                    ticket = Some(own);
                }
                Verdict::Close => return self.violation(conn, CloseReason::NotAllowed),
            }
        }
        if fresh {
            self.stats.published += 1;
            let retains = self.policy.as_ref().is_none_or(Policy::retains);
            let message = Message {
                topic: publish.topic.into(),
                payload: publish.payload.into(),
                qos: publish.qos,
                retain: publish.retain && retains,
            };
            if self.config.events {
                let client_id = self.sessions[session].client_id.to_string();
                self.event(|| Event::Published {
                    client_id,
                    topic: publish.topic.to_string(),
                    payload: publish.payload.to_vec(),
                    qos: publish.qos,
                    retain: publish.retain,
                });
            }
            if route {
                self.route(&message);
            }
        }
        let (Some(id), qos) = (publish.id, publish.qos) else {
            return;
        };
        if let Some(ticket) = ticket {
            self.sessions[session].defer(ticket, id, qos, conn);
            let subscription = None;
            self.waiting.insert(
                ticket,
                Wait {
                    session,
                    subscription,
                },
            );
        } else if fresh || !self.sessions[session].awaits(id, conn) {
            self.acknowledge(conn, id, qos);
        }
    }

    fn acknowledge(&mut self, conn: ConnId, id: PacketId, qos: QoS) {
        match qos {
            QoS::AtMostOnce => {}
            QoS::AtLeastOnce => self.send(conn, &Packet::Puback(id)),
            QoS::ExactlyOnce => self.send(conn, &Packet::Pubrec(id)),
        }
    }

    /// Is a packet that begins with this byte a message that the policy has no room for?
    fn holds(&mut self, conn: ConnId, first: u8) -> bool {
        let qos = QoS::try_from(first >> 1 & 3).unwrap_or_default();
        if first & 0xf0 != PUBLISH || self.policy.as_ref().is_none_or(|it| it.has_room(qos)) {
            return false;
        }
        if let Some(connection) = self.connection(conn)
            && !std::mem::replace(&mut connection.held, true)
        {
            self.held.push_back(conn);
        }
        true
    }

    /// Goes on with the connections whose messages had to wait, each in its turn.
    fn release(&mut self) {
        let mut in_vain = 0;
        while in_vain < self.held.len()
            && let Some(conn) = self.held.pop_front()
        {
            let now = self.now;
            let Some(connection) = self.connection(conn) else {
                continue;
            };
            connection.held = false;
            let before = connection.partial.len();
            self.read(now, conn, &[]);
            match self.connection(conn) {
                Some(connection) if connection.held => {
                    let waits_still = connection.partial.len() == before;
                    in_vain = if waits_still { in_vain + 1 } else { 0 };
                }
                Some(_) => {
                    in_vain = 0;
                    self.out.push_back(Output::Read(conn));
                }
                None => {}
            }
        }
    }

    /// Answers what the policy has decided.
    fn decide(&mut self, decision: Decision) {
        let (ticket, grant) = match decision {
            Decision::Acknowledged(ticket) => (ticket, None),
            Decision::Subscribed(ticket, grant) => (ticket, grant),
        };
        let Some(Wait {
            session,
            subscription,
        }) = self.waiting.remove(&ticket)
        else {
            return;
        };
        let Some((conn, filter)) = subscription else {
            let entry = &mut self.sessions[session];
            if let Some(((id, qos), conn)) = entry.settle(ticket).zip(entry.conn) {
                self.acknowledge(conn, id, qos);
            }
            return;
        };
        // It may have unsubscribed meanwhile.
        let is_subscribed = self.sessions[session].has_subscribed(&filter);
        match grant {
            Some(qos) if is_subscribed => {
                self.subscribe(session, &filter, qos);
                self.subscribed(session, &filter, qos);
            }
            Some(_) => {}
            None => self.unsubscribe(session, &filter),
        }
        let code = grant.map_or(Suback::FAILURE, QoS::level);
        self.answer_subscribe(conn, ticket, code);
        if let Some(qos) = grant.filter(|_| is_subscribed) {
            self.send_retained(session, &filter, qos);
        }
    }

    /// One code of a SUBACK is known; it is sent when all are.
    fn answer_subscribe(&mut self, conn: ConnId, ticket: Ticket, code: u8) {
        let Some(connection) = self.connection(conn) else {
            return;
        };
        let place = connection.subacks.iter().enumerate().find_map(|(at, it)| {
            let wait = it.waits.iter().position(|(_, own)| *own == ticket)?;
            Some((at, wait))
        });
        let Some((at, wait)) = place else {
            return;
        };
        let suback = &mut connection.subacks[at];
        let (index, _) = suback.waits.swap_remove(wait);
        suback.codes[index] = code;
        if suback.waits.is_empty() {
            let suback = connection.subacks.remove(at);
            let (id, codes) = (suback.id, suback.codes.as_slice());
            self.send(conn, &Packet::Suback(Suback { id, codes }));
        }
    }

    /// Keeps a retained message and gives it to whoever subscribed: one copy each, at the highest QoS of its
    /// overlapping subscriptions, as Mosquitto does.
    fn route(&mut self, message: &Message) {
        let (max, max_bytes) = (self.config.max_retained, self.config.max_retained_bytes);
        if message.retain && !self.retained.set(message, max, max_bytes) {
            self.stats.dropped += 1;
        }
        let mut matched = std::mem::take(&mut self.matched);
        self.subscriptions.matches(&message.topic, &mut matched);
        matched.sort_unstable_by_key(|&(session, qos)| (session, Reverse(qos)));
        matched.dedup_by_key(|&mut (session, _)| session);
        for &(session, qos) in &matched {
            let copy = Message {
                qos: qos.min(message.qos),
                // A message that is not sent because of a new subscription has no RETAIN: §3.3.1.3.
                retain: false,
                ..message.clone()
            };
            self.deliver(session, copy);
        }
        matched.clear();
        self.matched = matched;
    }

    /// Does what the policy has decided, and sends what it has for clients.
    fn follow_policy(&mut self) {
        if self.policy.is_none() {
            return;
        }
        while let Some(decision) = self.policy.as_mut().and_then(Policy::poll_decision) {
            self.decide(decision);
        }
        self.release();
        self.deliver_for_policy();
    }

    /// Sends what the policy has for clients. Who is not there gets nothing: a policy that keeps messages keeps them itself.
    fn deliver_for_policy(&mut self) {
        while let Some(delivery) = self.policy.as_mut().and_then(Policy::poll_delivery) {
            let Some(&session) = self.by_client.get(delivery.client.as_str()) else {
                continue;
            };
            if !mqtt::topic_name_is_valid(&delivery.topic)
                || LARGEST_HEADER + delivery.topic.len() + delivery.payload.len()
                    > self.config.max_packet
            {
                self.stats.dropped += 1;
                self.dropped(session, &delivery.topic);
                continue;
            }
            let subscribed = self.sessions[session]
                .subscriptions
                .iter()
                .filter(|(filter, _)| mqtt::topic_matches(filter, &delivery.topic))
                .map(|&(_, qos)| qos)
                .max();
            let message = Message {
                qos: delivery.qos.min(subscribed.unwrap_or_default()),
                topic: delivery.topic.into(),
                payload: delivery.payload.into(),
                retain: false,
            };
            self.deliver(session, message);
        }
    }

    fn send_retained(&mut self, session: usize, filter: &str, qos: QoS) {
        for message in self.retained.matching(filter) {
            let qos = qos.min(message.qos);
            self.deliver(session, Message { qos, ..message });
        }
    }

    fn deliver(&mut self, session: usize, message: Message) {
        let online = self.sessions[session].conn;
        if message.qos == QoS::AtMostOnce {
            let Some(conn) = online else { return };
            if self.backlog(conn) > self.config.max_outgoing {
                self.stats.dropped += 1;
                self.dropped(session, &message.topic);
            } else {
                self.stats.delivered += 1;
                self.send(conn, &message.packet(None, false));
            }
            return;
        }
        let topic = message.topic.clone();
        let (max, max_bytes) = (self.config.max_queued, self.config.max_queued_bytes);
        if !self.sessions[session].queue(message, max, max_bytes) {
            self.stats.dropped += 1;
            self.dropped(session, &topic);
        }
        self.pump(session);
    }

    /// Sends what waits for a session, as far as its window and its connection allow.
    fn pump(&mut self, session: usize) {
        while let Some(entry) = self.sessions.get_mut(session)
            && let Some(conn) = entry.conn
        {
            let backlog = self
                .connections
                .get(conn.slot as usize)
                .map_or(0, Connection::backlog);
            if backlog > self.config.max_outgoing {
                return;
            }
            match entry.next_to_send(self.config.max_in_flight) {
                Some(Next::Message(id, message, dup)) => {
                    self.stats.delivered += u64::from(!dup);
                    self.send(conn, &message.packet(Some(id), dup));
                }
                Some(Next::Release(id)) => self.send(conn, &Packet::Pubrel(id)),
                None => return,
            }
        }
    }

    fn subscribe(&mut self, session: usize, filter: &str, qos: QoS) {
        let own = &mut self.sessions[session].subscriptions;
        match own.iter_mut().find(|(other, _)| &**other == filter) {
            Some((_, old)) => *old = qos,
            None => own.push((filter.into(), qos)),
        }
        self.subscriptions.insert(filter, session, qos);
    }

    fn subscribed(&mut self, session: usize, filter: &str, qos: QoS) {
        if self.config.events {
            let client_id = self.sessions[session].client_id.to_string();
            self.event(|| Event::Subscribed {
                client_id,
                filter: filter.to_string(),
                qos,
            });
        }
    }

    fn unsubscribe(&mut self, session: usize, filter: &str) {
        let entry = &mut self.sessions[session];
        let before = entry.subscriptions.len();
        entry.subscriptions.retain(|(other, _)| &**other != filter);
        if entry.subscriptions.len() == before {
            return;
        }
        let client_id = self.sessions[session].client_id.clone();
        self.subscriptions.remove(filter, session);
        if let Some(policy) = &mut self.policy {
            policy.unsubscribed(&client_id, filter);
        }
        self.event(|| Event::Unsubscribed {
            client_id: client_id.to_string(),
            filter: filter.to_string(),
        });
    }

    /// A session has lost its connection: its will is published, and it is kept or forgotten.
    fn go_offline(&mut self, session: usize, reason: CloseReason) {
        let entry = &mut self.sessions[session];
        entry.conn = None;
        let (clean, will, client_id) = (entry.clean, entry.will.take(), entry.client_id.clone());
        if clean {
            self.end_session(session);
        }
        if let Some(policy) = &mut self.policy {
            policy.gone(&client_id);
        }
        self.event(|| Event::Gone {
            client_id: client_id.to_string(),
            reason,
        });
        if let Some(will) = will {
            self.event(|| Event::Will {
                client_id: client_id.to_string(),
                topic: will.topic.to_string(),
                payload: will.payload.to_vec(),
            });
            let verdict = self.policy.as_mut().map_or(Verdict::Route, |policy| {
                policy.will(&client_id, &will.publish(None, false))
            });
            if verdict == Verdict::Route {
                self.route(&will);
            }
        }
    }

    fn end_session(&mut self, session: usize) {
        let entry = self.sessions.remove(session);
        self.by_client.remove(&entry.client_id);
        self.waiting.retain(|_, wait| wait.session != session);
        for (filter, _) in &entry.subscriptions {
            self.subscriptions.remove(filter, session);
            if let Some(policy) = &mut self.policy {
                policy.unsubscribed(&entry.client_id, filter);
            }
        }
    }

    /// Asks for a connection to be closed, and takes its session offline.
    fn end(&mut self, conn: ConnId, reason: CloseReason) {
        let Some(connection) = self.connection(conn) else {
            return;
        };
        let phase = std::mem::replace(&mut connection.phase, Phase::Closing);
        connection.partial = Vec::new();
        connection.subacks = Vec::new();
        if phase == Phase::Closing {
            return;
        }
        self.out.push_back(Output::Close(conn, reason));
        self.ended(phase, reason);
    }

    /// What a connection in this phase leaves behind.
    fn ended(&mut self, phase: Phase, reason: CloseReason) {
        match phase {
            Phase::Online(session) => self.go_offline(session, reason),
            Phase::New if reason != CloseReason::Refused => self.event(|| Event::Closed { reason }),
            Phase::New | Phase::Closing => {}
        }
    }

    /// Looks at a connection again then.
    fn look_at(&mut self, conn: ConnId, at: Instant) {
        if let Some(connection) = self.connection(conn) {
            connection.due = Some(at);
        }
        self.deadlines.push(Reverse((at, conn)));
        // Clients that come and go leave theirs behind, for as long as their keep alive was.
        if self.deadlines.len() > 2 * self.connections.len() + STALE_DEADLINES {
            let connections = &self.connections;
            self.deadlines.retain(|Reverse((at, conn))| {
                connections
                    .get(conn.slot as usize)
                    .is_some_and(|own| own.serial == conn.serial && own.due == Some(*at))
            });
        }
    }

    fn send(&mut self, conn: ConnId, packet: &Packet<'_>) {
        let Some(connection) = self.connection(conn) else {
            return;
        };
        // Whatever goes out here came in as a packet or as a topic that was checked, so it can be encoded.
        if packet.append_to(&mut connection.outgoing).is_ok() && !connection.announced {
            connection.announced = true;
            self.out.push_back(Output::Transmit(conn));
        }
    }

    /// Bytes that may wait for a connection whose client goes on asking.
    fn most_outgoing(&self) -> usize {
        let twice = self.config.max_outgoing.saturating_mul(2);
        twice.saturating_add(self.config.max_packet)
    }

    fn backlog(&self, conn: ConnId) -> usize {
        self.connections
            .get(conn.slot as usize)
            .map_or(0, Connection::backlog)
    }

    fn dropped(&mut self, session: usize, topic: &str) {
        if self.config.events {
            let client_id = self.sessions[session].client_id.to_string();
            self.event(|| Event::Dropped {
                client_id,
                topic: topic.to_string(),
            });
        }
    }

    fn event(&mut self, event: impl FnOnce() -> Event) {
        if self.config.events {
            self.out.push_back(Output::Event(event()));
        }
    }

    fn connection(&mut self, conn: ConnId) -> Option<&mut Connection> {
        self.connections
            .get_mut(conn.slot as usize)
            .filter(|connection| connection.serial == conn.serial)
    }
}

impl<P: Policy> std::fmt::Debug for Broker<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Broker")
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

impl Connection {
    fn patience(&self) -> Duration {
        Duration::from_millis(self.patience_ms.into())
    }

    fn backlog(&self) -> usize {
        self.outgoing.len() - self.sent as usize
    }
}
