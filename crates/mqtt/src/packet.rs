//! The packets of both roles, borrowed from the buffer that they arrived in.

use core::fmt;
use core::num::NonZeroU16;

/// The protocol's version, as CONNECT names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Version {
    /// MQTT 3.1: `MQIsdp`, level 3.
    V31,
    /// MQTT 3.1.1: `MQTT`, level 4.
    #[default]
    V311,
}

impl Version {
    /// The protocol level of CONNECT.
    pub const fn level(self) -> u8 {
        match self {
            Self::V31 => 3,
            Self::V311 => 4,
        }
    }

    /// The protocol name of CONNECT.
    pub const fn protocol_name(self) -> &'static str {
        match self {
            Self::V31 => "MQIsdp",
            Self::V311 => "MQTT",
        }
    }
}

/// Quality of service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum QoS {
    /// 0
    #[default]
    AtMostOnce = 0,
    /// 1
    AtLeastOnce = 1,
    /// 2
    ExactlyOnce = 2,
}

impl QoS {
    /// Its number on the wire.
    pub const fn level(self) -> u8 {
        self as u8
    }
}

impl TryFrom<u8> for QoS {
    type Error = ();

    fn try_from(level: u8) -> Result<Self, ()> {
        match level {
            0 => Ok(Self::AtMostOnce),
            1 => Ok(Self::AtLeastOnce),
            2 => Ok(Self::ExactlyOnce),
            _ => Err(()),
        }
    }
}

/// A packet identifier: 1 to 65,535.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PacketId(NonZeroU16);

impl PacketId {
    /// The first one.
    pub const FIRST: PacketId = PacketId(NonZeroU16::MIN);

    /// `None` for 0, which is no identifier.
    pub const fn new(id: u16) -> Option<Self> {
        match NonZeroU16::new(id) {
            Some(id) => Some(Self(id)),
            None => None,
        }
    }

    /// Its number.
    pub const fn get(self) -> u16 {
        self.0.get()
    }

    /// The one after it; 1 after 65,535.
    #[must_use]
    pub const fn next(self) -> Self {
        match self.0.checked_add(1) {
            Some(id) => Self(id),
            None => Self::FIRST,
        }
    }
}

/// One packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// Client to server: begin a session.
    Connect(Connect<'a>),
    /// Server to client: the answer.
    Connack(Connack),
    /// A message.
    Publish(Publish<'a>),
    /// QoS 1: received.
    Puback(PacketId),
    /// QoS 2, part 1: received.
    Pubrec(PacketId),
    /// QoS 2, part 2: release.
    Pubrel(PacketId),
    /// QoS 2, part 3: complete.
    Pubcomp(PacketId),
    /// Client to server: subscribe.
    Subscribe(Subscribe<'a>),
    /// The answer.
    Suback(Suback<'a>),
    /// Client to server: unsubscribe.
    Unsubscribe(Unsubscribe<'a>),
    /// The answer.
    Unsuback(PacketId),
    /// Client to server: are you there?
    Pingreq,
    /// The answer.
    Pingresp,
    /// Client to server: goodbye.
    Disconnect,
}

/// CONNECT, §3.1.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Connect<'a> {
    /// Which protocol the client speaks.
    pub version: Version,
    /// Begin anew and keep nothing.
    pub clean_session: bool,
    /// Seconds; 0: off. The server waits one and a half times as long.
    pub keep_alive: u16,
    /// Who it is; may be empty with a clean session in 3.1.1.
    pub client_id: &'a str,
    /// What the server publishes when the client goes without DISCONNECT.
    pub will: Option<Will<'a>>,
    /// User name.
    pub username: Option<&'a str>,
    /// Password; any bytes.
    pub password: Option<&'a [u8]>,
}

/// Prints everything but the password.
impl fmt::Debug for Connect<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connect")
            .field("version", &self.version)
            .field("clean_session", &self.clean_session)
            .field("keep_alive", &self.keep_alive)
            .field("client_id", &self.client_id)
            .field("will", &self.will)
            .field("username", &self.username)
            .field("password", &self.password.map(|_| "…"))
            .finish()
    }
}

/// A client's last will.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Will<'a> {
    /// Where to.
    pub topic: &'a str,
    /// What.
    pub payload: &'a [u8],
    /// With which quality of service.
    pub qos: QoS,
    /// Whether it is retained.
    pub retain: bool,
}

/// CONNACK, §3.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connack {
    /// The server has kept a session of this client. Only with [`ConnectCode::Accepted`].
    pub session_present: bool,
    /// Accepted or why not.
    pub code: ConnectCode,
}

/// The return code of CONNACK, §3.2.2.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConnectCode {
    /// 0
    Accepted,
    /// 1
    UnacceptableProtocolVersion,
    /// 2
    IdentifierRejected,
    /// 3
    ServerUnavailable,
    /// 4
    BadCredentials,
    /// 5
    NotAuthorized,
    /// 6 to 255: reserved.
    Other(u8),
}

impl ConnectCode {
    /// Its number on the wire.
    pub const fn code(self) -> u8 {
        match self {
            Self::Accepted => 0,
            Self::UnacceptableProtocolVersion => 1,
            Self::IdentifierRejected => 2,
            Self::ServerUnavailable => 3,
            Self::BadCredentials => 4,
            Self::NotAuthorized => 5,
            Self::Other(code) => code,
        }
    }
}

impl From<u8> for ConnectCode {
    fn from(code: u8) -> Self {
        match code {
            0 => Self::Accepted,
            1 => Self::UnacceptableProtocolVersion,
            2 => Self::IdentifierRejected,
            3 => Self::ServerUnavailable,
            4 => Self::BadCredentials,
            5 => Self::NotAuthorized,
            other => Self::Other(other),
        }
    }
}

/// In words: `bad user name or password`.
impl fmt::Display for ConnectCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Accepted => "accepted",
            Self::UnacceptableProtocolVersion => "unacceptable protocol version",
            Self::IdentifierRejected => "identifier rejected",
            Self::ServerUnavailable => "server unavailable",
            Self::BadCredentials => "bad user name or password",
            Self::NotAuthorized => "not authorized",
            Self::Other(code) => return write!(f, "reserved code {code}"),
        })
    }
}

/// PUBLISH, §3.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Publish<'a> {
    /// Sent before.
    pub dup: bool,
    /// With which quality of service.
    pub qos: QoS,
    /// To the server: keep it. From the server: it was kept.
    pub retain: bool,
    /// Where to.
    pub topic: &'a str,
    /// There when, and only when, QoS is 1 or 2.
    pub id: Option<PacketId>,
    /// What.
    pub payload: &'a [u8],
}

/// SUBSCRIBE, §3.8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subscribe<'a> {
    /// Echoed by SUBACK.
    pub id: PacketId,
    /// What to subscribe to; at least one.
    pub filters: TopicFilters<'a>,
}

/// The filters of a SUBSCRIBE with the QoS that each asks for.
#[derive(Clone, Copy)]
pub enum TopicFilters<'a> {
    /// As they stand in a packet that was decoded, and so checked.
    Wire(&'a [u8]),
    /// To be encoded.
    List(&'a [(&'a str, QoS)]),
}

impl<'a> TopicFilters<'a> {
    /// One after another.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, QoS)> + use<'a> {
        let (mut wire, list) = match *self {
            Self::Wire(bytes) => (bytes, [].as_slice()),
            Self::List(list) => ([].as_slice(), list),
        };
        let mut list = list.iter();
        core::iter::from_fn(move || {
            if let Some(item) = list.next() {
                return Some(*item);
            }
            let (filter, rest) = crate::codec::split_string(wire).ok()?;
            let (&qos, rest) = rest.split_first()?;
            wire = rest;
            Some((filter, QoS::try_from(qos).ok()?))
        })
    }
}

impl PartialEq for TopicFilters<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for TopicFilters<'_> {}

impl fmt::Debug for TopicFilters<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// SUBACK, §3.9.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suback<'a> {
    /// Of the SUBSCRIBE.
    pub id: PacketId,
    /// One for each filter: the QoS granted, or [`Suback::FAILURE`].
    pub codes: &'a [u8],
}

impl Suback<'_> {
    /// The server refused this filter.
    pub const FAILURE: u8 = 0x80;
}

/// UNSUBSCRIBE, §3.10.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsubscribe<'a> {
    /// Echoed by UNSUBACK.
    pub id: PacketId,
    /// What to unsubscribe from; at least one.
    pub filters: Filters<'a>,
}

/// The filters of an UNSUBSCRIBE.
#[derive(Clone, Copy)]
pub enum Filters<'a> {
    /// As they stand in a packet that was decoded, and so checked.
    Wire(&'a [u8]),
    /// To be encoded.
    List(&'a [&'a str]),
}

impl<'a> Filters<'a> {
    /// One after another.
    pub fn iter(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let (mut wire, list) = match *self {
            Self::Wire(bytes) => (bytes, [].as_slice()),
            Self::List(list) => ([].as_slice(), list),
        };
        let mut list = list.iter();
        core::iter::from_fn(move || {
            if let Some(item) = list.next() {
                return Some(*item);
            }
            let (filter, rest) = crate::codec::split_string(wire).ok()?;
            wire = rest;
            Some(filter)
        })
    }
}

impl PartialEq for Filters<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Filters<'_> {}

impl fmt::Debug for Filters<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl Packet<'_> {
    /// Its name in the standard: `PUBLISH`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Connect(_) => "CONNECT",
            Self::Connack(_) => "CONNACK",
            Self::Publish(_) => "PUBLISH",
            Self::Puback(_) => "PUBACK",
            Self::Pubrec(_) => "PUBREC",
            Self::Pubrel(_) => "PUBREL",
            Self::Pubcomp(_) => "PUBCOMP",
            Self::Subscribe(_) => "SUBSCRIBE",
            Self::Suback(_) => "SUBACK",
            Self::Unsubscribe(_) => "UNSUBSCRIBE",
            Self::Unsuback(_) => "UNSUBACK",
            Self::Pingreq => "PINGREQ",
            Self::Pingresp => "PINGRESP",
            Self::Disconnect => "DISCONNECT",
        }
    }
}

/// One line for traces. Passwords and payloads are not printed.
impl fmt::Display for Packet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            Self::Connect(connect) => {
                write!(
                    f,
                    " {} level {} id \"{}\" keep-alive {} s{}",
                    connect.version.protocol_name(),
                    connect.version.level(),
                    connect.client_id,
                    connect.keep_alive,
                    if connect.clean_session { " clean" } else { "" },
                )?;
                if let Some(username) = connect.username {
                    write!(f, " user \"{username}\"")?;
                }
                if connect.password.is_some() {
                    f.write_str(" password …")?;
                }
                if let Some(will) = connect.will {
                    write!(
                        f,
                        " will q{} \"{}\" {} bytes",
                        will.qos.level(),
                        will.topic,
                        will.payload.len()
                    )?;
                }
                Ok(())
            }
            Self::Connack(connack) => {
                let present = if connack.session_present {
                    " session present"
                } else {
                    ""
                };
                write!(f, " {} {}{present}", connack.code.code(), connack.code)
            }
            Self::Publish(publish) => {
                write!(f, " q{}", publish.qos.level())?;
                if let Some(id) = publish.id {
                    write!(f, " id {}", id.get())?;
                }
                let dup = if publish.dup { " dup" } else { "" };
                let retain = if publish.retain { " retain" } else { "" };
                write!(
                    f,
                    "{dup}{retain} \"{}\" {} bytes",
                    publish.topic,
                    publish.payload.len()
                )
            }
            Self::Puback(id)
            | Self::Pubrec(id)
            | Self::Pubrel(id)
            | Self::Pubcomp(id)
            | Self::Unsuback(id) => {
                write!(f, " id {}", id.get())
            }
            Self::Subscribe(subscribe) => {
                write!(f, " id {}", subscribe.id.get())?;
                subscribe
                    .filters
                    .iter()
                    .try_for_each(|(filter, qos)| write!(f, " \"{filter}\" q{}", qos.level()))
            }
            Self::Suback(suback) => {
                write!(f, " id {}", suback.id.get())?;
                suback.codes.iter().try_for_each(|code| match code {
                    &Suback::FAILURE => f.write_str(" refused"),
                    code => write!(f, " q{code}"),
                })
            }
            Self::Unsubscribe(unsubscribe) => {
                write!(f, " id {}", unsubscribe.id.get())?;
                unsubscribe
                    .filters
                    .iter()
                    .try_for_each(|filter| write!(f, " \"{filter}\""))
            }
            Self::Pingreq | Self::Pingresp | Self::Disconnect => Ok(()),
        }
    }
}
