//! How a bridge is made, and what it tells.

use driver::{PublishError, Recovery, Refusal, SubscribeError};
use std::fmt;

/// What a bridge keeps at most, and how often it tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Messages of QoS 1 and 2 that wait for the module; whoever publishes one more is not read from until there is room.
    pub messages: usize,
    /// Messages of QoS 0 that wait. While there is a connection whoever publishes one more is not read from; while there is none,
    /// it is dropped.
    pub lossy: usize,
    /// Bytes of topic and payload of all of them, give or take the last message.
    pub bytes: usize,
    /// Topic filters of all clients together; one more is refused.
    pub filters: usize,
    /// How often a message of QoS 1 or 2 is tried when each attempt ends with the connection: a broker that closes the connection
    /// because of a message would do so for ever. It is acknowledged and discarded then. 0: no limit.
    pub attempts: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            messages: 1_000,
            lossy: 100,
            bytes: 4 << 20,
            filters: 1_000,
            attempts: 10,
        }
    }
}

/// Numbers since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Messages that the broker has acknowledged, and those of QoS 0 that were handed over.
    pub published: u64,
    /// Messages that were sent more than once: the broker may have them twice.
    pub repeated: u64,
    /// Messages that are not published though they were acknowledged: [`News::Discarded`].
    pub discarded: u64,
    /// Messages of QoS 0 that are lost: dropped while there was no connection, or with the connection.
    pub lost: u64,
    /// Messages that came.
    pub received: u64,
    /// Messages that came and could not be passed on: [`News::NotPassedOn`].
    pub not_passed_on: u64,
}

/// What people are told, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// Logged in for the first time.
    Connected,
    /// There is no connection: what the driver does about it.
    Recovering(Recovery),
    /// Logged in again.
    Recovered,
    /// A message is acknowledged and not published.
    Discarded {
        /// Where it was published.
        topic: Box<str>,
        /// Bytes of its payload.
        bytes: usize,
        /// Why.
        why: Discarded,
    },
    /// Messages of QoS 0 are dropped from now on, since there is no connection.
    Dropping,
    /// So many messages of QoS 0 were dropped until there was a connection again.
    Dropped(u64),
    /// A message of QoS 0 was on its way when the connection was lost.
    Lost(Box<str>),
    /// A will is not published: too much waits.
    WillDropped(Box<str>),
    /// A subscription was refused.
    NotSubscribed {
        /// To what.
        filter: Box<str>,
        /// Why.
        why: NotSubscribed,
    },
    /// A message came and is not passed on.
    NotPassedOn {
        /// Its topic.
        topic: String,
        /// Why.
        why: NotPassedOn,
    },
    /// A message came that may be the beginning of a longer one: it is passed on.
    PerhapsCut {
        /// Its topic.
        topic: String,
        /// Its bytes.
        bytes: usize,
    },
    /// So many bytes of the module were not to be understood: it may have been a message.
    Damaged(usize),
}

/// Why a message is discarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discarded {
    /// The model cannot carry it.
    Cannot(PublishError),
    /// It was refused, again and again.
    Refused(Refusal),
    /// Each of so many attempts ended with the connection.
    GivenUp(u32),
}

/// Why a subscription is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotSubscribed {
    /// The driver does not take it.
    Cannot(SubscribeError),
    /// Broker or module have refused it.
    Refused(Refusal),
    /// There are as many filters as may be.
    TooMany,
}

/// Why a message that came is not passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotPassedOn {
    /// So many of its bytes are missing.
    Cut(usize),
    /// Its topic is none, or it is larger than a packet may be here.
    Packet,
}

impl fmt::Display for News {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connected => f.write_str("connected"),
            Self::Recovering(recovery) => write!(f, "{}; {}", recovery.why, recovery.rung),
            Self::Recovered => f.write_str("connected again"),
            Self::Discarded { topic, bytes, why } => {
                write!(f, "{topic}: a message of {bytes} bytes is discarded: {why}")
            }
            Self::Dropping => {
                f.write_str("no connection: messages with QoS 0 are dropped from now on")
            }
            Self::Dropped(number) => {
                write!(
                    f,
                    "messages with QoS 0 that were dropped meanwhile: {number}"
                )
            }
            Self::Lost(topic) => {
                write!(
                    f,
                    "{topic}: a message with QoS 0 was lost with the connection"
                )
            }
            Self::WillDropped(topic) => {
                write!(f, "{topic}: a will is dropped: too many messages wait")
            }
            Self::NotSubscribed { filter, why } => write!(f, "{filter}: not subscribed: {why}"),
            Self::NotPassedOn { topic, why } => {
                write!(f, "{topic}: a message is not passed on: {why}")
            }
            Self::PerhapsCut { topic, bytes } => write!(
                f,
                "{topic}: a message of {bytes} bytes is as long as the module reports: its end may be missing"
            ),
            Self::Damaged(bytes) => write!(
                f,
                "{bytes} bytes of the module were not to be understood: a message may be lost"
            ),
        }
    }
}

impl fmt::Display for Discarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cannot(error) => error.fmt(f),
            Self::Refused(refusal) => refusal.fmt(f),
            Self::GivenUp(attempts) => write!(f, "{attempts} attempts ended with the connection"),
        }
    }
}

impl fmt::Display for NotSubscribed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cannot(error) => error.fmt(f),
            Self::Refused(refusal) => refusal.fmt(f),
            Self::TooMany => f.write_str("there are as many filters as may be"),
        }
    }
}

impl fmt::Display for NotPassedOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut(bytes) => write!(f, "{bytes} of its bytes are missing"),
            Self::Packet => f.write_str("it makes no packet"),
        }
    }
}
