//! How a broker is made, and what comes out of it.

use mqtt::{ConnectCode, DecodeError, QoS, Version};
use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

/// A connection that the caller has accepted. Never used again once it is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId {
    pub(crate) slot: u32,
    pub(crate) serial: u32,
}

/// How a broker is made.
#[derive(Clone, Debug)]
pub struct Config {
    /// User names and passwords; empty: everybody is let in.
    pub users: HashMap<String, String>,
    /// Let in who gives no user name, though there are [`Config::users`].
    pub anonymous: bool,
    /// Filters that nobody may subscribe to; SUBACK 0x80 answers them.
    pub refused_filters: Vec<String>,
    /// The largest packet in bytes; a client that sends a larger one is thrown out.
    pub max_packet: usize,
    /// Connections at a time.
    pub max_connections: usize,
    /// Sessions, online and kept; a client that would need one more is refused with CONNACK 3.
    pub max_sessions: usize,
    /// Subscriptions of one session, and filters in one SUBSCRIBE; one more is refused with SUBACK 0x80.
    pub max_subscriptions: usize,
    /// Messages of QoS 1 and 2 that wait for one session; one more is dropped and counted, so the oldest stay. QoS 0 does not
    /// wait for a client that is away, and is not counted.
    pub max_queued: usize,
    /// Bytes of topic and payload of the messages that wait for one session.
    pub max_queued_bytes: usize,
    /// Messages of QoS 1 and 2 that one client has not acknowledged; 1 to 65,534.
    pub max_in_flight: usize,
    /// Bytes that wait for one connection before QoS 0 is dropped and the rest is queued. A client that goes on asking and does
    /// not read is thrown out at twice as many and [`Config::max_packet`].
    pub max_outgoing: usize,
    /// Retained messages; one more is dropped and counted.
    pub max_retained: usize,
    /// Bytes of topic and payload of the retained messages.
    pub max_retained_bytes: usize,
    /// How long a connection may take to send CONNECT.
    pub connect_timeout: Duration,
    /// Whether [`Output::Event`] is wanted.
    pub events: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            users: HashMap::new(),
            anonymous: false,
            refused_filters: Vec::new(),
            max_packet: 1 << 20,
            max_connections: 20_000,
            max_sessions: 100_000,
            max_subscriptions: 1_000,
            // As Mosquitto's max_queued_messages.
            max_queued: 1_000,
            max_queued_bytes: 16 << 20,
            // As Mosquitto's max_inflight_messages.
            max_in_flight: 20,
            max_outgoing: 1 << 20,
            max_retained: 100_000,
            max_retained_bytes: 256 << 20,
            // As EMQX's idle_timeout: firmware that was written against it takes its time.
            connect_timeout: Duration::from_secs(15),
            events: false,
        }
    }
}

impl Config {
    pub(crate) fn admits(&self, username: Option<&str>, password: Option<&[u8]>) -> bool {
        match username {
            _ if self.users.is_empty() => true,
            None => self.anonymous,
            Some(username) => self
                .users
                .get(username)
                .is_some_and(|wanted| Some(wanted.as_bytes()) == password),
        }
    }
}

/// What is to be done, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// [`crate::Broker::outgoing`] has bytes for this connection.
    Transmit(ConnId),
    /// [`crate::Broker::takes_data`] is true again for this connection.
    Read(ConnId),
    /// Send what is outgoing, close the connection, and say so with [`crate::Broker::link_closed`].
    Close(ConnId, CloseReason),
    /// What happened, for people; only with [`Config::events`].
    Event(Event),
}

/// Why a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// The client closed it, or it broke.
    ByClient,
    /// The client sent DISCONNECT.
    Disconnect,
    /// CONNECT was refused.
    Refused,
    /// CONNECT did not come in time.
    NoConnect,
    /// The first byte was not that of a CONNECT.
    NotConnect,
    /// Nothing came for one and a half times the keep alive.
    KeepAlive,
    /// Another client came with the same identifier.
    TakenOver,
    /// The bench threw the client out.
    Dropped,
    /// There are as many connections as may be.
    TooManyConnections,
    /// The client goes on asking and does not read the answers: [`Config::max_outgoing`].
    NotReading,
    /// A packet was larger than the broker takes.
    TooLarge,
    /// A packet was malformed.
    Malformed(DecodeError),
    /// The [`crate::Policy`] does not take what the client published.
    NotAllowed,
    /// A packet that has no place here, by its name.
    Unexpected(&'static str),
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ByClient => "connection closed by the client",
            Self::Disconnect => "disconnected",
            Self::Refused => "refused",
            Self::NoConnect => "no CONNECT in time",
            Self::NotConnect => "does not begin with CONNECT",
            Self::KeepAlive => "nothing heard for 1.5 times the keep alive",
            Self::TakenOver => "taken over: another client has the same id",
            Self::Dropped => "thrown out",
            Self::TooManyConnections => "too many connections",
            Self::NotReading => "does not read what it is sent",
            Self::TooLarge => "packet too large",
            Self::NotAllowed => "published what is not allowed here",
            Self::Malformed(error) => return write!(f, "malformed packet: {error}"),
            Self::Unexpected(name) => return write!(f, "unexpected {name}"),
        })
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A client was let in.
    Connected {
        /// Who.
        client_id: String,
        /// What it speaks.
        version: Version,
        /// Whether its session ends with its connection.
        clean_session: bool,
        /// In seconds.
        keep_alive: u16,
    },
    /// A client was refused.
    Refused {
        /// Who.
        client_id: String,
        /// Why.
        code: ConnectCode,
    },
    /// A connection ended before anybody was let in or refused on it.
    Closed {
        /// Why.
        reason: CloseReason,
    },
    /// A client is gone.
    Gone {
        /// Who.
        client_id: String,
        /// Why.
        reason: CloseReason,
    },
    /// A client's will is published.
    Will {
        /// Whose.
        client_id: String,
        /// Where.
        topic: String,
        /// What.
        payload: Vec<u8>,
    },
    /// A client subscribed.
    Subscribed {
        /// Who.
        client_id: String,
        /// To what.
        filter: String,
        /// With which QoS.
        qos: QoS,
    },
    /// A client unsubscribed.
    Unsubscribed {
        /// Who.
        client_id: String,
        /// From what.
        filter: String,
    },
    /// A client published.
    Published {
        /// Who.
        client_id: String,
        /// Where.
        topic: String,
        /// What.
        payload: Vec<u8>,
        /// With which QoS.
        qos: QoS,
        /// Whether it is kept.
        retain: bool,
    },
    /// A message for a slow or absent client was dropped.
    Dropped {
        /// Whose.
        client_id: String,
        /// Where it was published.
        topic: String,
    },
}

/// Numbers of a broker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Connections now.
    pub connections: usize,
    /// Sessions now, online or kept.
    pub sessions: usize,
    /// Retained messages now.
    pub retained: usize,
    /// Connections accepted.
    pub accepted: u64,
    /// CONNECT refused.
    pub refused: u64,
    /// Connections ended by a time limit.
    pub timeouts: u64,
    /// Connections ended because the client broke the protocol.
    pub violations: u64,
    /// Messages received.
    pub published: u64,
    /// Messages sent to subscribers.
    pub delivered: u64,
    /// Messages dropped, since a queue or the store of retained messages was full.
    pub dropped: u64,
}

/// A session, as [`crate::Broker::clients`] shows it.
#[derive(Clone, Copy, Debug)]
pub struct Client<'a> {
    /// Who.
    pub client_id: &'a str,
    /// Whether it is connected.
    pub online: bool,
    /// What it has subscribed to.
    pub subscriptions: &'a [(Box<str>, QoS)],
    /// Messages that wait for it.
    pub queued: usize,
}
