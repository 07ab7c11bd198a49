//! The client's side of an MQTT session.

use crate::codec::{DecodeError, EncodeError, frame_length, publish_head};
use crate::packet::{
    Connect, ConnectCode, Filters, Packet, PacketId, Publish, QoS, Subscribe, TopicFilters,
    Unsubscribe, Version,
};
use crate::topic::{topic_filter_is_valid, topic_name_is_valid};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;
use instant::Instant;

/// Buffers of up to this many bytes are kept for the next packet; larger ones are given back once they are empty.
const KEPT_CAPACITY: usize = 512;

/// Answers that wait for a server that does not read, in bytes. Far more than any exchange needs.
const ANSWERS_MAX: usize = 64 * 1024;

/// The packets by their type.
const NAMES: [&str; 16] = [
    "",
    "CONNECT",
    "CONNACK",
    "PUBLISH",
    "PUBACK",
    "PUBREC",
    "PUBREL",
    "PUBCOMP",
    "SUBSCRIBE",
    "SUBACK",
    "UNSUBSCRIBE",
    "UNSUBACK",
    "PINGREQ",
    "PINGRESP",
    "DISCONNECT",
    "",
];

/// How a session behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionConfig {
    /// The largest packet that is held in memory, in bytes. A larger PUBLISH is delivered in parts of this many bytes of
    /// payload; any other packet that is larger ends the session. At least 64.
    pub max_packet: u32,
    /// How many packets may await an acknowledgement at a time. At least 1.
    pub max_in_flight: u16,
    /// Send a packet again that was not acknowledged for so long. `None` as MQTT 3.1.1 §4.4 asks: only on reconnecting.
    pub retry: Option<Duration>,
    /// How often it is sent in all, when `retry` is set, before [`Event::TimedOut`].
    pub attempts: u8,
    /// How long PINGRESP may take.
    pub ping_timeout: Duration,
    /// How many PINGREQ go unanswered before [`Event::PingLost`].
    pub ping_attempts: u8,
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self {
            max_packet: 8 * 1024,
            max_in_flight: 64,
            retry: None,
            attempts: 1,
            ping_timeout: Duration::from_secs(20),
            ping_attempts: 1,
        }
    }
}

/// Where a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// No CONNECT was sent on this link.
    Idle,
    /// CONNECT was sent.
    Connecting,
    /// The server accepted.
    Connected,
    /// Over: refused, disconnected, or the server broke the protocol. What arrives is ignored.
    Closed,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// The server accepted.
    Connected {
        /// It had kept a session.
        session_present: bool,
    },
    /// The server refused. It closes the link next.
    Refused(ConnectCode),
    /// A message, or a part of one that is larger than [`SessionConfig::max_packet`]. It is whole when `offset` is 0 and
    /// the payload is `total` bytes long.
    Message {
        /// Where it was published.
        topic: &'a str,
        /// The bytes from `offset` on.
        payload: &'a [u8],
        /// Where in the message they stand.
        offset: usize,
        /// Bytes of the whole message.
        total: usize,
        /// The QoS that it came with.
        qos: QoS,
        /// It was retained.
        retain: bool,
        /// The server had sent it before.
        dup: bool,
        /// Its identifier, with QoS 1 and 2.
        id: Option<PacketId>,
    },
    /// PUBREC: the server has a QoS 2 message; PUBREL was queued.
    Received {
        /// Of the PUBLISH.
        id: PacketId,
    },
    /// PUBACK or PUBCOMP: a message is the server's now.
    Published {
        /// Of the PUBLISH.
        id: PacketId,
        /// Of the PUBLISH.
        qos: QoS,
    },
    /// SUBACK.
    Subscribed {
        /// Of the SUBSCRIBE.
        id: PacketId,
        /// The QoS granted to each filter, or [`crate::Suback::FAILURE`].
        codes: &'a [u8],
    },
    /// UNSUBACK.
    Unsubscribed {
        /// Of the UNSUBSCRIBE.
        id: PacketId,
    },
    /// A packet was sent again, since nobody acknowledged it.
    Retransmitted {
        /// Its identifier.
        id: PacketId,
        /// Which time it was: 2 is the first repetition.
        attempt: u8,
    },
    /// A packet was never acknowledged and is given up.
    TimedOut {
        /// Its identifier.
        id: PacketId,
    },
    /// PINGREQ was queued.
    PingSent,
    /// PINGRESP came.
    PingAnswered,
    /// PINGRESP did not come: the link is dead.
    PingLost,
    /// An acknowledgement of nothing. Servers send such after a restart, so it is no reason to break off.
    Ignored {
        /// The packet's name.
        packet: &'static str,
        /// Its identifier.
        id: PacketId,
    },
    /// The server broke the protocol; the caller closes the link. Nothing follows.
    Failed(ProtocolError),
}

/// How a server broke the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolError {
    /// A packet is malformed.
    Malformed(DecodeError),
    /// A packet that has no place here, by its name.
    Unexpected(&'static str),
    /// A packet, other than a PUBLISH, or the topic of one, that is larger than this client holds.
    TooLarge,
    /// The server sends on and on, and does not read what it is answered.
    DoesNotRead,
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(error) => write!(f, "malformed packet: {error}"),
            Self::Unexpected(name) => write!(f, "unexpected {name}"),
            Self::TooLarge => f.write_str("packet too large"),
            Self::DoesNotRead => f.write_str("the server does not read its answers"),
        }
    }
}

/// Why a request was not taken. Nothing was queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionError {
    /// There is no session yet, or no more.
    NotConnected,
    /// CONNECT was sent before on this link.
    AlreadyConnecting,
    /// As many packets await their acknowledgement as [`SessionConfig::max_in_flight`] allows.
    InFlightFull,
    /// The identifier that was asked for awaits its acknowledgement.
    PacketIdInUse,
    /// The topic name or filter is none.
    Topic,
    /// MQTT cannot say it.
    Encode(EncodeError),
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotConnected => f.write_str("no MQTT session"),
            Self::AlreadyConnecting => f.write_str("CONNECT was sent already"),
            Self::InFlightFull => f.write_str("too many packets await their acknowledgement"),
            Self::PacketIdInUse => f.write_str("packet identifier awaits its acknowledgement"),
            Self::Topic => f.write_str(
                "no topic of MQTT: it is 1 to 65535 bytes long, and + and # stand for whole levels of a filter only",
            ),
            Self::Encode(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for SessionError {}

/// The client's side of an MQTT session.
///
/// **After any call that takes `now`, send what [`Session::outgoing`] holds, and say so with [`Session::sent`].**
#[derive(Debug)]
pub struct Session {
    /// Bytes for the server; the first `sent` of them have gone.
    outgoing: Vec<u8>,
    sent: u32,
    /// Bytes of answers among them.
    answers: u32,
    config: Config,
    state: State,
    clean: bool,
    version: Version,
    keep_alive: u16,
    next_id: PacketId,
    pings: u8,
    last_sent: Instant,
    ping_sent: Instant,
    /// The beginning of a packet whose end has not arrived.
    partial: Vec<u8>,
    /// Everything that exists only while something is under way.
    busy: Option<Box<Busy>>,
}

/// [`SessionConfig`] in fewer bytes.
#[derive(Clone, Copy, Debug)]
struct Config {
    max_packet: u32,
    retry_ms: u32,
    ping_timeout_ms: u32,
    max_in_flight: u16,
    attempts: u8,
    ping_attempts: u8,
}

#[derive(Debug, Default)]
struct Busy {
    /// Packets that await their acknowledgement, oldest first.
    in_flight: Vec<InFlight>,
    /// Their bytes, one after another in the same order.
    store: Vec<u8>,
    /// QoS 2 identifiers that were received and not released, sorted.
    received: Vec<PacketId>,
    /// A PUBLISH that is delivered in parts.
    stream: Option<Stream>,
}

impl Busy {
    fn is_idle(&self) -> bool {
        self.in_flight.is_empty() && self.received.is_empty() && self.stream.is_none()
    }
}

#[derive(Clone, Copy, Debug)]
struct InFlight {
    id: PacketId,
    awaits: Awaits,
    attempt: u8,
    /// Of a SUBSCRIBE: how many.
    filters: u16,
    /// Bytes in the store; 0 when there is nothing to send again.
    len: u32,
    due: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaits {
    Puback,
    Pubrec,
    Pubcomp,
    Suback,
    Unsuback,
}

#[derive(Debug)]
struct Stream {
    topic: String,
    id: Option<PacketId>,
    flags: u8,
    /// A QoS 2 message that was delivered before.
    duplicate: bool,
    offset: usize,
    total: usize,
}

impl Session {
    /// A session on no link.
    pub fn new(config: SessionConfig) -> Self {
        let millis = |span: Duration| u32::try_from(span.as_millis()).unwrap_or(u32::MAX).max(1);
        Self {
            outgoing: Vec::new(),
            sent: 0,
            answers: 0,
            config: Config {
                max_packet: config.max_packet.max(64),
                retry_ms: config.retry.map_or(0, millis),
                ping_timeout_ms: millis(config.ping_timeout),
                max_in_flight: config.max_in_flight.max(1),
                attempts: config.attempts.max(1),
                ping_attempts: config.ping_attempts.max(1),
            },
            state: State::Idle,
            clean: true,
            version: Version::V311,
            keep_alive: 0,
            next_id: PacketId::FIRST,
            pings: 0,
            last_sent: Instant::ZERO,
            ping_sent: Instant::ZERO,
            partial: Vec::new(),
            busy: None,
        }
    }

    /// The link is open: queues CONNECT.
    ///
    /// # Errors
    /// [`SessionError::AlreadyConnecting`] when it went out before on this link, or what MQTT cannot say.
    pub fn connect(&mut self, now: Instant, connect: &Connect<'_>) -> Result<(), SessionError> {
        if self.state != State::Idle {
            return Err(SessionError::AlreadyConnecting);
        }
        self.outgoing.clear();
        self.sent = 0;
        self.answers = 0;
        self.queue(now, &Packet::Connect(*connect))?;
        if connect.clean_session {
            self.busy = None;
        }
        self.clean = connect.clean_session;
        self.version = connect.version;
        self.keep_alive = connect.keep_alive;
        self.pings = 0;
        self.state = State::Connecting;
        Ok(())
    }

    /// Queues PUBLISH. QoS 1 and 2 return the identifier that [`Event::Published`] will name.
    ///
    /// # Errors
    /// See [`SessionError`]; nothing was queued.
    pub fn publish(
        &mut self,
        now: Instant,
        topic: &str,
        payload: &[u8],
        qos: QoS,
        retain: bool,
    ) -> Result<Option<PacketId>, SessionError> {
        self.publish_with_id(now, None, topic, payload, qos, retain)
    }

    /// [`Session::publish`] with an identifier of the caller's choice, as some AT dialects have it.
    ///
    /// # Errors
    /// [`SessionError::PacketIdInUse`] besides.
    pub fn publish_with_id(
        &mut self,
        now: Instant,
        id: Option<PacketId>,
        topic: &str,
        payload: &[u8],
        qos: QoS,
        retain: bool,
    ) -> Result<Option<PacketId>, SessionError> {
        if !topic_name_is_valid(topic) {
            return Err(SessionError::Topic);
        }
        let publish = |id| {
            Packet::Publish(Publish {
                dup: false,
                qos,
                retain,
                topic,
                id,
                payload,
            })
        };
        let awaits = match qos {
            QoS::AtMostOnce => {
                self.check_connected()?;
                self.queue(now, &publish(None))?;
                return Ok(None);
            }
            QoS::AtLeastOnce => Awaits::Puback,
            QoS::ExactlyOnce => Awaits::Pubrec,
        };
        let id = self.reserve(id)?;
        self.track(now, id, awaits, &publish(Some(id)))?;
        Ok(Some(id))
    }

    /// Queues SUBSCRIBE; [`Event::Subscribed`] will name the identifier.
    ///
    /// # Errors
    /// See [`SessionError`]; nothing was queued.
    pub fn subscribe(
        &mut self,
        now: Instant,
        id: Option<PacketId>,
        filters: &[(&str, QoS)],
    ) -> Result<PacketId, SessionError> {
        if filters.is_empty()
            || filters
                .iter()
                .any(|(filter, _)| !topic_filter_is_valid(filter))
        {
            return Err(SessionError::Topic);
        }
        let id = self.reserve(id)?;
        let filters = TopicFilters::List(filters);
        self.track(
            now,
            id,
            Awaits::Suback,
            &Packet::Subscribe(Subscribe { id, filters }),
        )?;
        Ok(id)
    }

    /// Queues UNSUBSCRIBE; [`Event::Unsubscribed`] will name the identifier.
    ///
    /// # Errors
    /// See [`SessionError`]; nothing was queued.
    pub fn unsubscribe(
        &mut self,
        now: Instant,
        id: Option<PacketId>,
        filters: &[&str],
    ) -> Result<PacketId, SessionError> {
        if filters.is_empty() || filters.iter().any(|filter| !topic_filter_is_valid(filter)) {
            return Err(SessionError::Topic);
        }
        let id = self.reserve(id)?;
        let filters = Filters::List(filters);
        self.track(
            now,
            id,
            Awaits::Unsuback,
            &Packet::Unsubscribe(Unsubscribe { id, filters }),
        )?;
        Ok(id)
    }

    /// Queues DISCONNECT, when there is a session to end. What arrives afterwards is ignored.
    pub fn disconnect(&mut self, now: Instant) {
        if self.state == State::Connected || self.state == State::Connecting {
            // DISCONNECT is two bytes; it cannot fail to be encoded.
            let _ = self.queue(now, &Packet::Disconnect);
            self.state = State::Closed;
        }
    }

    /// The link is gone. What was in flight is kept for the next CONNECT without a clean session.
    pub fn link_lost(&mut self) {
        self.outgoing = Vec::new();
        self.sent = 0;
        self.partial = Vec::new();
        self.state = State::Idle;
        if self.clean {
            self.busy = None;
        } else if let Some(busy) = &mut self.busy {
            busy.stream = None;
            busy.in_flight.retain(|entry| {
                !matches!(entry.awaits, Awaits::Suback | Awaits::Unsuback) || entry.len > 0
            });
        }
    }

    /// Forgets everything, what was in flight included.
    pub fn reset(&mut self) {
        self.clean = true;
        self.link_lost();
        self.next_id = PacketId::FIRST;
    }

    /// Bytes from the server, sliced in any way. Each event is given to `on` in its order.
    pub fn receive(&mut self, now: Instant, bytes: &[u8], on: &mut dyn FnMut(Event<'_>)) {
        let mut rest = bytes;
        let open = matches!(self.state, State::Connecting | State::Connected);
        // Looked at between calls only: within one, the caller had no chance to send anything.
        if open && !bytes.is_empty() && self.answers as usize > ANSWERS_MAX {
            self.fail(ProtocolError::DoesNotRead, on);
        }
        while !rest.is_empty() && matches!(self.state, State::Connecting | State::Connected) {
            let step = if self.busy.as_ref().is_some_and(|busy| busy.stream.is_some()) {
                self.receive_stream(now, &mut rest, on);
                Ok(())
            } else if self.partial.is_empty() {
                self.receive_whole(now, &mut rest, on)
            } else {
                self.receive_partial(now, &mut rest, on)
            };
            if let Err(error) = step {
                self.fail(error, on);
            }
        }
        if self
            .busy
            .as_ref()
            .is_some_and(|busy| busy.is_idle() && busy.store.capacity() > KEPT_CAPACITY)
        {
            self.busy = None;
        }
    }

    /// Time has come: keep alive, and repetitions when they are configured.
    pub fn advance(&mut self, now: Instant, on: &mut dyn FnMut(Event<'_>)) {
        if self.state != State::Connected {
            return;
        }
        self.retry(now, on);
        if self.ping_deadline().is_none_or(|deadline| now < deadline) {
            return;
        }
        if self.pings >= self.config.ping_attempts {
            self.state = State::Closed;
            on(Event::PingLost);
            return;
        }
        // Nothing was sent for a whole keep alive: the time to give buffers back.
        if self.outgoing().is_empty() {
            self.outgoing = Vec::new();
            self.sent = 0;
        }
        if self.busy.as_ref().is_some_and(|busy| busy.is_idle()) {
            self.busy = None;
        }
        self.pings += 1;
        self.ping_sent = now;
        // PINGREQ is two bytes; it cannot fail to be encoded.
        let _ = self.queue(now, &Packet::Pingreq);
        on(Event::PingSent);
    }

    /// When [`Session::advance`] is to be called next.
    pub fn next_deadline(&self) -> Option<Instant> {
        if self.state != State::Connected {
            return None;
        }
        let retry = self
            .busy
            .iter()
            .filter(|_| self.config.retry_ms > 0)
            .flat_map(|busy| busy.in_flight.iter().map(|entry| entry.due))
            .min();
        match (self.ping_deadline(), retry) {
            (Some(ping), Some(retry)) => Some(ping.min(retry)),
            (ping, retry) => ping.or(retry),
        }
    }

    /// Bytes for the server.
    pub fn outgoing(&self) -> &[u8] {
        &self.outgoing[self.sent as usize..]
    }

    /// The first `n` bytes of [`Session::outgoing`] have gone.
    pub fn sent(&mut self, n: usize) {
        let n = n.min(self.outgoing().len());
        let sent = self.sent as usize + n;
        self.answers = self.answers.saturating_sub(n as u32);
        if sent < self.outgoing.len() {
            self.sent = sent as u32;
            // What has gone is forgotten now and then, so that a queue that is never quite empty does not grow.
            if sent > KEPT_CAPACITY && sent > self.outgoing.len() / 2 {
                self.outgoing.drain(..sent);
                self.sent = 0;
            }
            return;
        }
        self.sent = 0;
        self.answers = 0;
        if self.outgoing.capacity() > KEPT_CAPACITY {
            self.outgoing = Vec::new();
        } else {
            self.outgoing.clear();
        }
    }

    /// Where the session is.
    pub const fn state(&self) -> State {
        self.state
    }

    /// How many packets await their acknowledgement.
    pub fn in_flight(&self) -> usize {
        self.busy.as_ref().map_or(0, |busy| busy.in_flight.len())
    }

    fn check_connected(&self) -> Result<(), SessionError> {
        if self.state == State::Connected {
            Ok(())
        } else {
            Err(SessionError::NotConnected)
        }
    }

    fn ping_deadline(&self) -> Option<Instant> {
        if self.keep_alive == 0 {
            None
        } else if self.pings > 0 {
            // While an answer is awaited nothing else may be sent, and the server's patience still runs.
            let timeout = Duration::from_millis(self.config.ping_timeout_ms.into());
            let again = timeout.min(Duration::from_secs(self.keep_alive.into()));
            let last = self.pings >= self.config.ping_attempts;
            Some(self.ping_sent + if last { timeout } else { again })
        } else {
            Some(self.last_sent + Duration::from_secs(self.keep_alive.into()))
        }
    }

    /// Queues an acknowledgement. It has four bytes, and cannot fail to be encoded.
    fn answer(&mut self, now: Instant, packet: &Packet<'_>) {
        let _ = self.queue(now, packet);
        self.answers = self.answers.saturating_add(4);
    }

    fn queue(&mut self, now: Instant, packet: &Packet<'_>) -> Result<(), SessionError> {
        packet
            .append_to(&mut self.outgoing)
            .map_err(SessionError::Encode)?;
        self.last_sent = now;
        Ok(())
    }

    /// The identifier for a new packet: the caller's or the next free one.
    fn reserve(&mut self, wanted: Option<PacketId>) -> Result<PacketId, SessionError> {
        self.check_connected()?;
        let used = |id| {
            self.busy
                .as_ref()
                .is_some_and(|busy| busy.in_flight.iter().any(|entry| entry.id == id))
        };
        if self.in_flight() >= usize::from(self.config.max_in_flight) {
            return Err(SessionError::InFlightFull);
        }
        if let Some(id) = wanted {
            return if used(id) {
                Err(SessionError::PacketIdInUse)
            } else {
                Ok(id)
            };
        }
        // Fewer are in flight than there are identifiers, so this ends.
        let mut id = self.next_id;
        while used(id) {
            id = id.next();
        }
        Ok(id)
    }

    fn track(
        &mut self,
        now: Instant,
        id: PacketId,
        awaits: Awaits,
        packet: &Packet<'_>,
    ) -> Result<(), SessionError> {
        let start = self.outgoing.len();
        self.queue(now, packet)?;
        let is_publish = matches!(awaits, Awaits::Puback | Awaits::Pubrec);
        let busy = self.busy.get_or_insert_default();
        let mut len = 0;
        if is_publish || self.config.retry_ms > 0 {
            busy.store.extend_from_slice(&self.outgoing[start..]);
            len = (self.outgoing.len() - start) as u32;
        }
        busy.in_flight.push(InFlight {
            id,
            awaits,
            attempt: 1,
            filters: match packet {
                Packet::Subscribe(subscribe) => subscribe.filters.iter().count() as u16,
                _ => 0,
            },
            len,
            due: now + Duration::from_millis(self.config.retry_ms.into()),
        });
        self.next_id = id.next();
        Ok(())
    }

    fn retry(&mut self, now: Instant, on: &mut dyn FnMut(Event<'_>)) {
        if self.config.retry_ms == 0 {
            return;
        }
        let mut index = 0;
        while let Some(entry) = self
            .busy
            .as_ref()
            .and_then(|busy| busy.in_flight.get(index))
            .copied()
        {
            if entry.due > now {
                index += 1;
            } else if entry.attempt >= self.config.attempts {
                self.forget(index);
                on(Event::TimedOut { id: entry.id });
            } else {
                self.send_again(now, index);
                on(Event::Retransmitted {
                    id: entry.id,
                    attempt: entry.attempt + 1,
                });
                index += 1;
            }
        }
    }

    /// Queues the packet in flight at `index` once more, with DUP where the packet has such a flag.
    fn send_again(&mut self, now: Instant, index: usize) {
        let Some(busy) = &mut self.busy else { return };
        let start: usize = busy.in_flight[..index]
            .iter()
            .map(|entry| entry.len as usize)
            .sum();
        let entry = &mut busy.in_flight[index];
        entry.attempt = entry.attempt.saturating_add(1);
        entry.due = now + Duration::from_millis(self.config.retry_ms.into());
        let (id, awaits) = (entry.id, entry.awaits);
        let bytes = &mut busy.store[start..start + entry.len as usize];
        if matches!(awaits, Awaits::Puback | Awaits::Pubrec)
            && let Some(first) = bytes.first_mut()
        {
            *first |= 0x08;
        }
        self.outgoing.extend_from_slice(bytes);
        self.last_sent = now;
        if awaits == Awaits::Pubcomp {
            let _ = self.queue(now, &Packet::Pubrel(id));
        }
    }

    fn fail(&mut self, error: ProtocolError, on: &mut dyn FnMut(Event<'_>)) {
        self.state = State::Closed;
        self.partial = Vec::new();
        on(Event::Failed(error));
    }

    /// Takes the packet in flight at `index` out, with its bytes.
    fn forget(&mut self, index: usize) {
        if let Some(busy) = &mut self.busy {
            drop_stored(busy, index);
            busy.in_flight.remove(index);
        }
    }

    fn filters(&self, index: usize) -> usize {
        let entry = self
            .busy
            .as_ref()
            .and_then(|busy| busy.in_flight.get(index));
        entry.map_or(0, |entry| usize::from(entry.filters))
    }

    fn position(&self, id: PacketId, awaits: Awaits) -> Option<usize> {
        let busy = self.busy.as_ref()?;
        busy.in_flight
            .iter()
            .position(|entry| entry.id == id && entry.awaits == awaits)
    }

    /// Ends a link to something that is no MQTT server at its first byte, not after the length that it seems to announce.
    fn check_first_byte(&self, first: u8) -> Result<(), ProtocolError> {
        let (kind, flags) = (first >> 4, first & 0x0f);
        let flags_fit = match kind {
            3 => true,
            6 => flags == 0b0010,
            _ => flags == 0,
        };
        if kind == 0 || kind == 15 {
            Err(ProtocolError::Malformed(DecodeError::PacketType(kind)))
        } else if !flags_fit {
            Err(ProtocolError::Malformed(DecodeError::Flags))
        } else if self.state == State::Connecting && kind != 2 {
            Err(ProtocolError::Unexpected(NAMES[usize::from(kind)]))
        } else {
            Ok(())
        }
    }

    fn receive_whole(
        &mut self,
        now: Instant,
        rest: &mut &[u8],
        on: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), ProtocolError> {
        let bytes = *rest;
        self.check_first_byte(bytes[0])?;
        let length = frame_length(bytes).map_err(ProtocolError::Malformed)?;
        if let Some(length) = length
            && length.total() <= self.config.max_packet as usize
            && let Some((frame, after)) = bytes.split_at_checked(length.total())
        {
            *rest = after;
            return self.handle(now, frame, on);
        }
        // One byte begins a partial packet; what more it needs is found out there.
        self.partial.push(bytes[0]);
        *rest = &bytes[1..];
        Ok(())
    }

    fn receive_partial(
        &mut self,
        now: Instant,
        rest: &mut &[u8],
        on: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), ProtocolError> {
        loop {
            let wanted = self.wanted()?;
            if self.partial.len() >= wanted {
                break;
            }
            let take = (wanted - self.partial.len()).min(rest.len());
            if take == 0 {
                return Ok(());
            }
            self.partial.extend_from_slice(&rest[..take]);
            *rest = &rest[take..];
        }
        let mut frame = core::mem::take(&mut self.partial);
        let whole = frame_length(&frame)
            .map_err(ProtocolError::Malformed)?
            .is_some_and(|length| length.total() == frame.len());
        let result = if whole {
            self.handle(now, &frame, on)
        } else {
            self.begin_stream(&frame)
        };
        if frame.capacity() <= KEPT_CAPACITY {
            frame.clear();
            self.partial = frame;
        }
        result
    }

    /// How many bytes `partial` must hold before something can be done with them.
    fn wanted(&self) -> Result<usize, ProtocolError> {
        let Some(length) = frame_length(&self.partial).map_err(ProtocolError::Malformed)? else {
            return Ok(self.partial.len() + 1);
        };
        let max = self.config.max_packet as usize;
        if length.total() <= max {
            return Ok(length.total());
        }
        if self.partial[0] >> 4 != 3 {
            return Err(ProtocolError::TooLarge);
        }
        // Of a PUBLISH that is streamed: the topic and the identifier.
        let id = if self.partial[0] & 0x06 == 0 { 0 } else { 2 };
        match self.partial.get(length.header..length.header + 2) {
            None => Ok(length.header + 2),
            Some(topic) => {
                let topic = usize::from(u16::from_be_bytes([topic[0], topic[1]]));
                let head = length.header + 2 + topic + id;
                if head > max {
                    Err(ProtocolError::TooLarge)
                } else {
                    Ok(head)
                }
            }
        }
    }

    fn begin_stream(&mut self, head: &[u8]) -> Result<(), ProtocolError> {
        let malformed = ProtocolError::Malformed;
        let length = frame_length(head)
            .map_err(malformed)?
            .ok_or(malformed(DecodeError::Length))?;
        let flags = head[0] & 0x0f;
        let (topic, id, used) = publish_head(flags, &head[length.header..]).map_err(malformed)?;
        if self.state != State::Connected {
            return Err(ProtocolError::Unexpected("PUBLISH"));
        }
        let dup = flags & 8 != 0;
        let duplicate = flags & 4 != 0 && id.is_some_and(|id| self.was_received(id, dup));
        let busy = self.busy.get_or_insert_default();
        busy.stream = Some(Stream {
            topic: topic.into(),
            id,
            flags,
            duplicate,
            offset: 0,
            total: length.remaining - used,
        });
        Ok(())
    }

    fn receive_stream(&mut self, now: Instant, rest: &mut &[u8], on: &mut dyn FnMut(Event<'_>)) {
        let Some(stream) = self.busy.as_mut().and_then(|busy| busy.stream.as_mut()) else {
            return;
        };
        // Parts have the same size however the bytes are sliced, so that a replay gives the same events.
        let part = (self.config.max_packet as usize).min(stream.total - stream.offset);
        let direct = self.partial.is_empty() && rest.len() >= part;
        if !direct {
            let take = (part - self.partial.len()).min(rest.len());
            self.partial.extend_from_slice(&rest[..take]);
            *rest = &rest[take..];
            if self.partial.len() < part {
                return;
            }
        }
        let payload = if direct {
            &rest[..part]
        } else {
            &self.partial[..]
        };
        let qos = qos_of(stream.flags);
        if !stream.duplicate {
            on(Event::Message {
                topic: &stream.topic,
                payload,
                offset: stream.offset,
                total: stream.total,
                qos,
                retain: stream.flags & 1 != 0,
                dup: stream.flags & 8 != 0,
                id: stream.id,
            });
        }
        stream.offset += part;
        let (done, id) = (stream.offset == stream.total, stream.id);
        if direct {
            *rest = &rest[part..];
        } else {
            self.partial.clear();
        }
        if done {
            self.partial = Vec::new();
            if let Some(busy) = &mut self.busy {
                busy.stream = None;
            }
            self.acknowledge(now, qos, id);
        }
    }

    fn handle(
        &mut self,
        now: Instant,
        frame: &[u8],
        on: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), ProtocolError> {
        let packet = Packet::decode(frame).map_err(ProtocolError::Malformed)?;
        match (self.state, packet) {
            (State::Connecting, Packet::Connack(connack)) => {
                if connack.code == ConnectCode::Accepted {
                    self.resume(now, connack.session_present, on);
                } else {
                    self.state = State::Closed;
                    on(Event::Refused(connack.code));
                }
            }
            (State::Connected, Packet::Publish(publish)) => {
                let duplicate = publish.qos == QoS::ExactlyOnce
                    && publish
                        .id
                        .is_some_and(|id| self.was_received(id, publish.dup));
                if !duplicate {
                    on(Event::Message {
                        topic: publish.topic,
                        payload: publish.payload,
                        offset: 0,
                        total: publish.payload.len(),
                        qos: publish.qos,
                        retain: publish.retain,
                        dup: publish.dup,
                        id: publish.id,
                    });
                }
                self.acknowledge(now, publish.qos, publish.id);
            }
            (State::Connected, Packet::Puback(id)) => match self.position(id, Awaits::Puback) {
                Some(index) => {
                    self.forget(index);
                    let qos = QoS::AtLeastOnce;
                    on(Event::Published { id, qos });
                }
                None => on(Event::Ignored {
                    packet: "PUBACK",
                    id,
                }),
            },
            (State::Connected, Packet::Pubrec(id)) => {
                if let Some(index) = self.position(id, Awaits::Pubrec) {
                    if let Some(busy) = &mut self.busy {
                        drop_stored(busy, index);
                        let due = now + Duration::from_millis(self.config.retry_ms.into());
                        let entry = &mut busy.in_flight[index];
                        (entry.awaits, entry.len, entry.attempt, entry.due) =
                            (Awaits::Pubcomp, 0, 1, due);
                    }
                    on(Event::Received { id });
                } else if self.position(id, Awaits::Pubcomp).is_none() {
                    on(Event::Ignored {
                        packet: "PUBREC",
                        id,
                    });
                }
                // PUBREL even for an identifier that is not known: it lets the server finish the exchange.
                self.answer(now, &Packet::Pubrel(id));
            }
            (State::Connected, Packet::Pubrel(id)) => {
                if let Some(busy) = &mut self.busy
                    && let Ok(index) = busy.received.binary_search(&id)
                {
                    busy.received.remove(index);
                }
                self.answer(now, &Packet::Pubcomp(id));
            }
            (State::Connected, Packet::Pubcomp(id)) => match self.position(id, Awaits::Pubcomp) {
                Some(index) => {
                    self.forget(index);
                    let qos = QoS::ExactlyOnce;
                    on(Event::Published { id, qos });
                }
                None => on(Event::Ignored {
                    packet: "PUBCOMP",
                    id,
                }),
            },
            (State::Connected, Packet::Suback(suback)) => {
                match self.position(suback.id, Awaits::Suback) {
                    // [MQTT-3.8.4-5]: a code for each filter.
                    Some(index) if self.filters(index) != suback.codes.len() => {
                        return Err(ProtocolError::Unexpected("SUBACK"));
                    }
                    Some(index) => {
                        self.forget(index);
                        let (id, codes) = (suback.id, suback.codes);
                        on(Event::Subscribed { id, codes });
                    }
                    None => on(Event::Ignored {
                        packet: "SUBACK",
                        id: suback.id,
                    }),
                }
            }
            (State::Connected, Packet::Unsuback(id)) => match self.position(id, Awaits::Unsuback) {
                Some(index) => {
                    self.forget(index);
                    on(Event::Unsubscribed { id });
                }
                None => on(Event::Ignored {
                    packet: "UNSUBACK",
                    id,
                }),
            },
            (State::Connected, Packet::Pingresp) => {
                self.pings = 0;
                on(Event::PingAnswered);
            }
            (_, packet) => return Err(ProtocolError::Unexpected(packet.name())),
        }
        Ok(())
    }

    /// Was this QoS 2 message delivered, and not released since?
    ///
    /// CONNACK of MQTT 3.1 does not say whether the server knows the session. There DUP decides: a server that starts anew
    /// does not set it.
    fn was_received(&self, id: PacketId, dup: bool) -> bool {
        (dup || self.version == Version::V311)
            && self
                .busy
                .as_ref()
                .is_some_and(|busy| busy.received.binary_search(&id).is_ok())
    }

    fn acknowledge(&mut self, now: Instant, qos: QoS, id: Option<PacketId>) {
        let Some(id) = id else { return };
        if qos == QoS::AtLeastOnce {
            self.answer(now, &Packet::Puback(id));
            return;
        }
        let received = &mut self.busy.get_or_insert_default().received;
        if let Err(index) = received.binary_search(&id) {
            received.insert(index, id);
        }
        self.answer(now, &Packet::Pubrec(id));
    }

    /// The server accepted: what was in flight on the last link goes out again, in its order (§4.4, §4.6).
    fn resume(&mut self, now: Instant, session_present: bool, on: &mut dyn FnMut(Event<'_>)) {
        self.state = State::Connected;
        // MQTT 3.1 cannot say whether a session is present.
        let anew = !session_present && self.version == Version::V311;
        if anew && let Some(busy) = &mut self.busy {
            busy.received.clear();
        }
        on(Event::Connected { session_present });
        for index in 0..self.in_flight() {
            if let Some(busy) = &mut self.busy {
                // A new link has its own attempts.
                busy.in_flight[index].attempt = 0;
            }
            self.send_again(now, index);
        }
    }
}

fn drop_stored(busy: &mut Busy, index: usize) {
    let start: usize = busy.in_flight[..index]
        .iter()
        .map(|entry| entry.len as usize)
        .sum();
    let end = start + busy.in_flight[index].len as usize;
    busy.store.drain(start..end);
}

const fn qos_of(flags: u8) -> QoS {
    match flags >> 1 & 3 {
        0 => QoS::AtMostOnce,
        1 => QoS::AtLeastOnce,
        _ => QoS::ExactlyOnce,
    }
}
