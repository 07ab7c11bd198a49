//! Bytes from a peer to packets: where a packet ends, and what it says. Strict, allocation-free, and total: any bytes give
//! a packet or an error.

use core::fmt;

use crate::packet::List;
use crate::topic::{topic_filter_is_valid, topic_name_is_valid};
use crate::{
    Connack, Connect, ConnectCode, Packet, PacketId, Publish, QoS, Suback, Subscribe,
    SubscribeFilters, Unsubscribe, UnsubscribeFilters, Version, Will,
};

/// How long is the packet that starts here? `Ok(None)`: not enough bytes to know.
///
/// Looks at the fixed header only (§2.2.3): the packet itself need not be there yet.
pub fn frame_length(bytes: &[u8]) -> Result<Option<FrameLength>, DecodeError> {
    let mut remaining = 0;
    for index in 0..4 {
        let Some(&byte) = bytes.get(1 + index) else {
            return Ok(None);
        };
        remaining |= usize::from(byte & 0x7F) << (7 * index);
        if byte & 0x80 == 0 {
            let header = 2 + index;
            return Ok(Some(FrameLength { header, remaining }));
        }
    }
    Err(DecodeError::RemainingLength)
}

/// What a fixed header says about length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameLength {
    /// Bytes of the fixed header, 2 to 5.
    pub header: usize,
    /// Bytes after it, 0 to [`MAX_REMAINING_LENGTH`](crate::MAX_REMAINING_LENGTH).
    pub remaining: usize,
}

impl FrameLength {
    /// Bytes of the whole packet.
    pub const fn total(self) -> usize {
        self.header + self.remaining
    }
}

impl<'a> Packet<'a> {
    /// Reads exactly one whole packet by the rules of MQTT 3.1.1.
    ///
    /// A CONNECT of MQTT 3.1 is understood too; for what follows it on the same connection see [`Packet::decode_as`].
    pub fn decode(frame: &'a [u8]) -> Result<Self, DecodeError> {
        Self::decode_as(Version::V311, frame)
    }

    /// Reads exactly one whole packet of a connection that speaks `version`.
    ///
    /// MQTT 3.1 gives less to check: a sender may set DUP in PUBREL, SUBSCRIBE and UNSUBSCRIBE that it repeats, and leaves the
    /// other flags and the first byte of CONNACK unused, so that these are ignored.
    // Source: MQTT 3.1 §2.1, §3.2
    #[inline]
    pub fn decode_as(version: Version, frame: &'a [u8]) -> Result<Self, DecodeError> {
        let Some(length) = frame_length(frame)? else {
            return Err(DecodeError::Incomplete);
        };
        let Some(body) = frame.get(length.header..) else {
            return Err(DecodeError::Incomplete);
        };
        if body.len() != length.remaining {
            return Err(if body.len() < length.remaining {
                DecodeError::Incomplete
            } else {
                DecodeError::TrailingBytes
            });
        }
        let (kind, flags) = (frame[0] >> 4, frame[0] & 0x0F);
        if kind == 3 {
            return publish(flags, Reader(body)).map(Packet::Publish);
        }
        if flags != reserved_flags(kind)? && version != Version::V31 {
            return Err(DecodeError::ReservedFlags);
        }
        let mut body = Reader(body);
        let packet = match kind {
            1 => Packet::Connect(connect(&mut body)?),
            2 => Packet::Connack(connack(version, &mut body)?),
            4 => Packet::Puback(body.packet_id()?),
            5 => Packet::Pubrec(body.packet_id()?),
            6 => Packet::Pubrel(body.packet_id()?),
            7 => Packet::Pubcomp(body.packet_id()?),
            8 => Packet::Subscribe(subscribe(&mut body)?),
            9 => Packet::Suback(suback(&mut body)?),
            10 => Packet::Unsubscribe(unsubscribe(&mut body)?),
            11 => Packet::Unsuback(body.packet_id()?),
            12 => Packet::Pingreq,
            13 => Packet::Pingresp,
            _ => Packet::Disconnect,
        };
        body.end()?;
        Ok(packet)
    }
}

/// Why bytes are not a packet. `Display` adds the normative statement that they break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DecodeError {
    /// Fewer bytes than the fixed header says.
    Incomplete,
    /// More bytes than the fixed header says.
    TrailingBytes,
    /// The remaining length runs over four bytes.
    RemainingLength,
    /// Packet type 0 or 15.
    PacketType(u8),
    /// The flags of the fixed header are not those of the packet type.
    ReservedFlags,
    /// The fields are longer or shorter than the remaining length.
    FieldLength,
    /// A PUBLISH of QoS 3.
    PublishQos,
    /// DUP in a PUBLISH of QoS 0.
    DupWithoutQos,
    /// A packet identifier of zero.
    ZeroPacketId,
    /// A string that is not UTF-8.
    NotUtf8,
    /// A string with U+0000 in it.
    NullCharacter,
    /// A topic name that is empty or has a wildcard in it.
    TopicName,
    /// A topic filter that is empty or has a misplaced wildcard.
    TopicFilter,
    /// CONNECT of something that is not MQTT.
    ProtocolName,
    /// CONNECT of a version other than 3.1 and 3.1.1: to be answered with CONNACK 1.
    UnsupportedProtocolLevel(u8),
    /// The reserved flag of CONNECT is set.
    ConnectReservedFlag,
    /// Will QoS or will retain without a will, or a will of QoS 3.
    WillFlags,
    /// A password without a user name.
    PasswordWithoutUsername,
    /// CONNACK flags other than session present.
    ConnackFlags,
    /// CONNACK refuses and claims a session at once.
    SessionPresentOnRefusal,
    /// SUBSCRIBE, UNSUBSCRIBE or SUBACK about nothing.
    NoFilters,
    /// SUBSCRIBE asks for a QoS above 2, or sets bits beside it.
    RequestedQos,
    /// A return code of SUBACK that is not 0, 1, 2 or 0x80.
    SubackCode,
}

impl DecodeError {
    /// The normative statement of MQTT 3.1.1 that the bytes break, or its section where no statement has a number.
    pub const fn statement(self) -> &'static str {
        match self {
            Self::Incomplete | Self::TrailingBytes | Self::RemainingLength => "§2.2.3",
            Self::PacketType(_) => "§2.2.1",
            Self::ReservedFlags => "MQTT-2.2.2-2",
            Self::FieldLength => "§2.2.3",
            Self::PublishQos => "MQTT-3.3.1-4",
            Self::DupWithoutQos => "MQTT-3.3.1-2",
            Self::ZeroPacketId => "MQTT-2.3.1-1",
            Self::NotUtf8 => "MQTT-1.5.3-1",
            Self::NullCharacter => "MQTT-1.5.3-2",
            Self::TopicName => "MQTT-3.3.2-2",
            Self::TopicFilter => "MQTT-4.7.1-2",
            Self::ProtocolName => "MQTT-3.1.2-1",
            Self::UnsupportedProtocolLevel(_) => "MQTT-3.1.2-2",
            Self::ConnectReservedFlag => "MQTT-3.1.2-3",
            Self::WillFlags => "MQTT-3.1.2-11",
            Self::PasswordWithoutUsername => "MQTT-3.1.2-22",
            Self::ConnackFlags => "§3.2.2.1",
            Self::SessionPresentOnRefusal => "MQTT-3.2.2-4",
            Self::NoFilters => "MQTT-3.8.3-3",
            Self::RequestedQos => "MQTT-3-8.3-4",
            Self::SubackCode => "MQTT-3.9.3-2",
        }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Incomplete => f.write_str("the packet is shorter than its header says"),
            Self::TrailingBytes => f.write_str("the packet is longer than its header says"),
            Self::RemainingLength => f.write_str("the remaining length takes more than 4 bytes"),
            Self::PacketType(kind) => write!(f, "packet type {kind} is reserved"),
            Self::ReservedFlags => f.write_str("the flags do not fit the packet type"),
            Self::FieldLength => f.write_str("the fields do not fit the remaining length"),
            Self::PublishQos => f.write_str("a PUBLISH has QoS 3"),
            Self::DupWithoutQos => f.write_str("a PUBLISH of QoS 0 has DUP set"),
            Self::ZeroPacketId => f.write_str("the packet identifier is 0"),
            Self::NotUtf8 => f.write_str("a string is not UTF-8"),
            Self::NullCharacter => f.write_str("a string contains U+0000"),
            Self::TopicName => f.write_str("a topic name is empty or has a wildcard"),
            Self::TopicFilter => {
                f.write_str("a topic filter is empty or has a wildcard out of place")
            }
            Self::ProtocolName => f.write_str("the protocol name is neither MQTT nor MQIsdp"),
            Self::UnsupportedProtocolLevel(level) => {
                write!(f, "protocol level {level} is not MQTT 3.1 (3) or 3.1.1 (4)")
            }
            Self::ConnectReservedFlag => f.write_str("the reserved flag of CONNECT is set"),
            Self::WillFlags => f.write_str("the will flags contradict each other"),
            Self::PasswordWithoutUsername => f.write_str("a password comes without a user name"),
            Self::ConnackFlags => f.write_str("reserved flags of CONNACK are set"),
            Self::SessionPresentOnRefusal => {
                f.write_str("CONNACK refuses and says session present")
            }
            Self::NoFilters => f.write_str("the packet names no topic filter"),
            Self::RequestedQos => f.write_str("the requested QoS is not 0, 1 or 2"),
            Self::SubackCode => f.write_str("a SUBACK code is not 0, 1, 2 or 0x80"),
        }?;
        write!(f, " [{}]", self.statement())
    }
}

impl core::error::Error for DecodeError {}

/// The flags that a packet of this type must have (§2.2.2); PUBLISH, the only one with a choice, is not asked for.
fn reserved_flags(kind: u8) -> Result<u8, DecodeError> {
    match kind {
        0 | 15 => Err(DecodeError::PacketType(kind)),
        6 | 8 | 10 => Ok(0b0010),
        _ => Ok(0),
    }
}

fn connect<'a>(body: &mut Reader<'a>) -> Result<Connect<'a>, DecodeError> {
    let name = body.binary()?;
    let expected = match name {
        b"MQTT" => Version::V311,
        b"MQIsdp" => Version::V31,
        _ => return Err(DecodeError::ProtocolName),
    };
    let level = body.byte()?;
    let version = if level == expected.level() {
        expected
    } else {
        return Err(DecodeError::UnsupportedProtocolLevel(level));
    };
    let flags = body.byte()?;
    let has = |flag: u8| flags & flag != 0;
    if has(RESERVED) {
        return Err(DecodeError::ConnectReservedFlag);
    }
    if !has(WILL) && (flags & WILL_QOS != 0 || has(WILL_RETAIN)) {
        return Err(DecodeError::WillFlags);
    }
    if has(PASSWORD) && !has(USERNAME) {
        return Err(DecodeError::PasswordWithoutUsername);
    }
    let keep_alive = body.u16()?;
    let client_id = body.string()?;
    let will = if has(WILL) {
        let qos = QoS::try_from((flags & WILL_QOS) >> 3).map_err(|_| DecodeError::WillFlags)?;
        Some(Will {
            topic: body.topic_name()?,
            payload: body.binary()?,
            qos,
            retain: has(WILL_RETAIN),
        })
    } else {
        None
    };
    // MQTT 3.1 §3.1: the remaining length takes precedence over these two flags, for clients of MQTT 3.
    let here = |body: &Reader<'_>| version != Version::V31 || !body.0.is_empty();
    let username = if has(USERNAME) && here(body) {
        Some(body.string()?)
    } else {
        None
    };
    let password = if has(PASSWORD) && here(body) {
        Some(body.binary()?)
    } else {
        None
    };
    Ok(Connect {
        version,
        clean_session: has(CLEAN_SESSION),
        keep_alive,
        client_id,
        will,
        username,
        password,
    })
}

/// The flags of CONNECT (§3.1.2.3).
pub(crate) const USERNAME: u8 = 0x80;
pub(crate) const PASSWORD: u8 = 0x40;
pub(crate) const WILL_RETAIN: u8 = 0x20;
pub(crate) const WILL_QOS: u8 = 0x18;
pub(crate) const WILL: u8 = 0x04;
pub(crate) const CLEAN_SESSION: u8 = 0x02;
const RESERVED: u8 = 0x01;

fn connack(version: Version, body: &mut Reader<'_>) -> Result<Connack, DecodeError> {
    let flags = match version {
        Version::V31 => {
            body.byte()?;
            0
        }
        Version::V311 => body.byte()?,
    };
    let code = ConnectCode::from(body.byte()?);
    match (flags, code) {
        (0, _) => Ok(Connack {
            session_present: false,
            code,
        }),
        (1, ConnectCode::Accepted) => Ok(Connack {
            session_present: true,
            code,
        }),
        (1, _) => Err(DecodeError::SessionPresentOnRefusal),
        _ => Err(DecodeError::ConnackFlags),
    }
}

#[inline]
fn publish(flags: u8, mut body: Reader<'_>) -> Result<Publish<'_>, DecodeError> {
    let dup = flags & 0b1000 != 0;
    let qos = match flags >> 1 & 0b11 {
        0 => QoS::AtMostOnce,
        1 => QoS::AtLeastOnce,
        2 => QoS::ExactlyOnce,
        _ => return Err(DecodeError::PublishQos),
    };
    if dup && qos == QoS::AtMostOnce {
        return Err(DecodeError::DupWithoutQos);
    }
    let topic = body.topic_name()?;
    let id = match qos {
        QoS::AtMostOnce => None,
        QoS::AtLeastOnce | QoS::ExactlyOnce => Some(body.packet_id()?),
    };
    Ok(Publish {
        dup,
        qos,
        retain: flags & 1 != 0,
        topic,
        id,
        payload: body.0,
    })
}

fn subscribe<'a>(body: &mut Reader<'a>) -> Result<Subscribe<'a>, DecodeError> {
    let id = body.packet_id()?;
    let filters = SubscribeFilters(List::Encoded(body.0));
    if body.0.is_empty() {
        return Err(DecodeError::NoFilters);
    }
    while !body.0.is_empty() {
        body.topic_filter()?;
        QoS::try_from(body.byte()?).map_err(|_| DecodeError::RequestedQos)?;
    }
    Ok(Subscribe { id, filters })
}

fn suback<'a>(body: &mut Reader<'a>) -> Result<Suback<'a>, DecodeError> {
    let id = body.packet_id()?;
    let codes = core::mem::take(&mut body.0);
    if codes.is_empty() {
        return Err(DecodeError::NoFilters);
    }
    if codes
        .iter()
        .any(|&code| code > 2 && code != Suback::FAILURE)
    {
        return Err(DecodeError::SubackCode);
    }
    Ok(Suback { id, codes })
}

fn unsubscribe<'a>(body: &mut Reader<'a>) -> Result<Unsubscribe<'a>, DecodeError> {
    let id = body.packet_id()?;
    let filters = UnsubscribeFilters(List::Encoded(body.0));
    if body.0.is_empty() {
        return Err(DecodeError::NoFilters);
    }
    while !body.0.is_empty() {
        body.topic_filter()?;
    }
    Ok(Unsubscribe { id, filters })
}

/// What is left of a packet's fields.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    #[inline]
    fn byte(&mut self) -> Result<u8, DecodeError> {
        self.0
            .split_off_first()
            .copied()
            .ok_or(DecodeError::FieldLength)
    }

    #[inline]
    fn u16(&mut self) -> Result<u16, DecodeError> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or(DecodeError::FieldLength)?;
        self.0 = rest;
        Ok(u16::from_be_bytes(*bytes))
    }

    #[inline]
    fn packet_id(&mut self) -> Result<PacketId, DecodeError> {
        PacketId::new(self.u16()?).ok_or(DecodeError::ZeroPacketId)
    }

    #[inline]
    fn binary(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = usize::from(self.u16()?);
        let (bytes, rest) = self
            .0
            .split_at_checked(length)
            .ok_or(DecodeError::FieldLength)?;
        self.0 = rest;
        Ok(bytes)
    }

    #[inline]
    fn utf8(&mut self) -> Result<&'a str, DecodeError> {
        core::str::from_utf8(self.binary()?).map_err(|_| DecodeError::NotUtf8)
    }

    fn string(&mut self) -> Result<&'a str, DecodeError> {
        let string = self.utf8()?;
        if string.as_bytes().contains(&0) {
            return Err(DecodeError::NullCharacter);
        }
        Ok(string)
    }

    #[inline]
    fn topic_name(&mut self) -> Result<&'a str, DecodeError> {
        let name = self.utf8()?;
        if topic_name_is_valid(name) {
            Ok(name)
        } else {
            Err(null_or(name, DecodeError::TopicName))
        }
    }

    fn topic_filter(&mut self) -> Result<&'a str, DecodeError> {
        let filter = self.utf8()?;
        if topic_filter_is_valid(filter) {
            Ok(filter)
        } else {
            Err(null_or(filter, DecodeError::TopicFilter))
        }
    }

    fn end(&self) -> Result<(), DecodeError> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(DecodeError::FieldLength)
        }
    }
}

#[cold]
fn null_or(string: &str, otherwise: DecodeError) -> DecodeError {
    if string.as_bytes().contains(&0) {
        DecodeError::NullCharacter
    } else {
        otherwise
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::vec::Vec;

    fn id(number: u16) -> PacketId {
        PacketId::new(number).unwrap()
    }

    #[test]
    fn the_length_is_known_from_the_header_alone() {
        let length = |bytes: &[u8]| frame_length(bytes).map(|l| l.map(|l| (l.header, l.remaining)));
        assert_eq!(length(&[]), Ok(None));
        assert_eq!(length(&[0x30]), Ok(None));
        assert_eq!(length(&[0x30, 0x80]), Ok(None));
        assert_eq!(length(&[0xC0, 0]), Ok(Some((2, 0))));
        assert_eq!(length(&[0x30, 0x7F]), Ok(Some((2, 127))));
        assert_eq!(length(&[0x30, 0x80, 0x01]), Ok(Some((3, 128))));
        assert_eq!(
            length(&[0x30, 0xFF, 0xFF, 0xFF, 0x7F]),
            Ok(Some((5, 268_435_455)))
        );
        assert_eq!(length(&[0x30, 0x80, 0x80, 0x80]), Ok(None));
        assert_eq!(
            length(&[0x30, 0xFF, 0xFF, 0xFF, 0x80]),
            Err(DecodeError::RemainingLength)
        );
    }

    #[test]
    fn a_connect_of_each_version_decodes_with_all_its_fields() {
        let frame = b"\x10\x2d\x00\x04MQTT\x04\xee\x00\x3c\x00\x03dev\x00\x02w/\x00\x03bye\x00\x04user\x00\x08\x00\x01\x02\x03pass";
        let mut frame = frame.to_vec();
        frame[1] = u8::try_from(frame.len() - 2).unwrap();
        let connect = Connect {
            version: Version::V311,
            clean_session: true,
            keep_alive: 60,
            client_id: "dev",
            will: Some(Will {
                topic: "w/",
                payload: b"bye",
                qos: QoS::AtLeastOnce,
                retain: true,
            }),
            username: Some("user"),
            password: Some(b"\x00\x01\x02\x03pass"),
        };
        assert_eq!(Packet::decode(&frame), Ok(Packet::Connect(connect)));

        let old = b"\x10\x0f\x00\x06MQIsdp\x03\x02\x00\x0a\x00\x01x";
        let connect = Connect {
            version: Version::V31,
            clean_session: true,
            keep_alive: 10,
            client_id: "x",
            will: None,
            username: None,
            password: None,
        };
        assert_eq!(Packet::decode(old), Ok(Packet::Connect(connect)));
    }

    #[test]
    fn a_connect_of_mqtt_3_1_may_leave_out_the_user_name_that_it_announces() {
        let old = b"\x10\x0f\x00\x06MQIsdp\x03\xc2\x00\x0a\x00\x01x";
        let Ok(Packet::Connect(connect)) = Packet::decode(old) else {
            panic!("{:?}", Packet::decode(old));
        };
        assert_eq!((connect.username, connect.password), (None, None));
        let new = b"\x10\x0d\x00\x04MQTT\x04\xc2\x00\x0a\x00\x01x";
        assert_eq!(Packet::decode(new), Err(DecodeError::FieldLength));
    }

    #[test]
    fn a_connect_of_another_version_is_told_apart_from_garbage() {
        let five = b"\x10\x0e\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x01x";
        assert_eq!(
            Packet::decode(five),
            Err(DecodeError::UnsupportedProtocolLevel(5))
        );
        let mixed = b"\x10\x0d\x00\x04MQTT\x03\x02\x00\x3c\x00\x01x";
        assert_eq!(
            Packet::decode(mixed),
            Err(DecodeError::UnsupportedProtocolLevel(3))
        );
        let other = b"\x10\x0d\x00\x04HTTP\x04\x02\x00\x3c\x00\x01x";
        assert_eq!(Packet::decode(other), Err(DecodeError::ProtocolName));
    }

    #[test]
    fn the_small_packets_decode() {
        for (frame, packet) in [
            (&b"\x40\x02\x12\x34"[..], Packet::Puback(id(0x1234))),
            (b"\x50\x02\x00\x01", Packet::Pubrec(id(1))),
            (b"\x62\x02\x00\x01", Packet::Pubrel(id(1))),
            (b"\x70\x02\x00\x01", Packet::Pubcomp(id(1))),
            (b"\xb0\x02\x00\x01", Packet::Unsuback(id(1))),
            (b"\xc0\x00", Packet::Pingreq),
            (b"\xd0\x00", Packet::Pingresp),
            (b"\xe0\x00", Packet::Disconnect),
            (
                b"\x90\x04\x00\x01\x02\x80",
                Packet::Suback(Suback::new(id(1), &[2, 0x80])),
            ),
        ] {
            assert_eq!(Packet::decode(frame), Ok(packet));
        }
    }

    #[test]
    fn a_subscription_lists_its_filters() {
        let frame = b"\x82\x0c\x00\x0a\x00\x03a/b\x01\x00\x01#\x00";
        let Ok(Packet::Subscribe(subscribe)) = Packet::decode(frame) else {
            panic!("{:?}", Packet::decode(frame));
        };
        assert_eq!(subscribe.id, id(10));
        let filters: Vec<_> = subscribe.filters().collect();
        assert_eq!(filters, [("a/b", QoS::AtLeastOnce), ("#", QoS::AtMostOnce)]);

        let frame = b"\xa2\x0a\x00\x0a\x00\x03a/b\x00\x01#";
        let Ok(Packet::Unsubscribe(unsubscribe)) = Packet::decode(frame) else {
            panic!("{:?}", Packet::decode(frame));
        };
        assert!(unsubscribe.filters().eq(["a/b", "#"]));
    }

    #[test]
    fn what_the_standard_forbids_is_refused_with_its_statement() {
        use DecodeError::*;
        for (frame, error) in [
            (&b"\x00\x00"[..], PacketType(0)),
            (b"\xf0\x00", PacketType(15)),
            (b"\x30\x05\x00\x01a", Incomplete),
            (b"\x30", Incomplete),
            (b"\xc0\x00\x00", TrailingBytes),
            (b"\x30\xff\xff\xff\xff\x01", RemainingLength),
            (b"\xc1\x00", ReservedFlags),
            (b"\x60\x02\x00\x01", ReservedFlags),
            (b"\x80\x06\x00\x01\x00\x01a\x00", ReservedFlags),
            (b"\xc0\x01\x00", FieldLength),
            (b"\x40\x03\x00\x01\x00", FieldLength),
            (b"\x40\x01\x00", FieldLength),
            (b"\x30\x02\x00\x05", FieldLength),
            (b"\x36\x05\x00\x01a\x00\x01", PublishQos),
            (b"\x38\x03\x00\x01a", DupWithoutQos),
            (b"\x32\x06\x00\x01a\x00\x00y", ZeroPacketId),
            (b"\x40\x02\x00\x00", ZeroPacketId),
            (b"\x30\x03\x00\x01\xff", NotUtf8),
            (b"\x30\x05\x00\x03\xed\xa0\x80", NotUtf8),
            (b"\x30\x03\x00\x01\x00", NullCharacter),
            (b"\x30\x02\x00\x00", TopicName),
            (b"\x30\x03\x00\x01#", TopicName),
            (b"\x82\x06\x00\x01\x00\x01\x00\x00", NullCharacter),
            (b"\x82\x07\x00\x01\x00\x02a#\x00", TopicFilter),
            (b"\x82\x05\x00\x01\x00\x00\x00", TopicFilter),
            (b"\x82\x06\x00\x01\x00\x01a\x03", RequestedQos),
            (b"\x82\x02\x00\x01", NoFilters),
            (b"\xa2\x02\x00\x01", NoFilters),
            (b"\x90\x02\x00\x01", NoFilters),
            (b"\x90\x03\x00\x01\x03", SubackCode),
            (b"\x20\x02\x02\x00", ConnackFlags),
            (b"\x20\x02\x01\x05", SessionPresentOnRefusal),
            (
                b"\x10\x0d\x00\x04MQTT\x04\x03\x00\x3c\x00\x01x",
                ConnectReservedFlag,
            ),
            (b"\x10\x0d\x00\x04MQTT\x04\x0a\x00\x3c\x00\x01x", WillFlags),
            (b"\x10\x0d\x00\x04MQTT\x04\x22\x00\x3c\x00\x01x", WillFlags),
            (b"\x10\x0d\x00\x04MQTT\x04\x1e\x00\x3c\x00\x01x", WillFlags),
            (
                b"\x10\x0d\x00\x04MQTT\x04\x42\x00\x3c\x00\x01x",
                PasswordWithoutUsername,
            ),
        ] {
            assert_eq!(Packet::decode(frame), Err(error), "{frame:02x?}");
        }
        assert_eq!(
            ZeroPacketId.to_string(),
            "the packet identifier is 0 [MQTT-2.3.1-1]"
        );
    }

    #[test]
    fn mqtt_3_1_leaves_unused_bits_unchecked() {
        assert_eq!(
            Packet::decode_as(Version::V31, b"\x6a\x02\x00\x01"),
            Ok(Packet::Pubrel(id(1)))
        );
        assert_eq!(
            Packet::decode_as(Version::V31, b"\x20\x02\xff\x00"),
            Ok(Packet::Connack(Connack {
                session_present: false,
                code: ConnectCode::Accepted
            }))
        );
        assert_eq!(
            Packet::decode_as(Version::V31, b"\xf0\x00"),
            Err(DecodeError::PacketType(15))
        );
    }
}
