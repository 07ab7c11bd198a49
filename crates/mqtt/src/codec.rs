//! Bytes to packets and back.

use crate::packet::{
    Connack, Connect, ConnectCode, Filters, Packet, PacketId, Publish, QoS, Suback, Subscribe,
    TopicFilters, Unsubscribe, Version, Will,
};
use crate::topic::{topic_filter_is_valid, topic_name_is_valid};
use alloc::vec::Vec;
use core::fmt;

/// The largest remaining length: four bytes of seven bits, §2.2.3.
pub const MAX_REMAINING_LENGTH: usize = 268_435_455;

/// How long a packet is, by its fixed header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameLength {
    /// Bytes of the fixed header: 2 to 5.
    pub header: usize,
    /// Bytes after it.
    pub remaining: usize,
}

impl FrameLength {
    /// Bytes of the whole packet.
    pub const fn total(self) -> usize {
        self.header + self.remaining
    }
}

/// How long is the packet that starts here? `Ok(None)`: too few bytes to know.
///
/// # Errors
/// The remaining length does not end after four bytes.
pub fn frame_length(bytes: &[u8]) -> Result<Option<FrameLength>, DecodeError> {
    let mut remaining = 0;
    for index in 0..4 {
        let Some(&byte) = bytes.get(1 + index) else {
            return Ok(None);
        };
        remaining |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Ok(Some(FrameLength {
                header: 2 + index,
                remaining,
            }));
        }
    }
    Err(DecodeError::RemainingLength)
}

/// What is wrong with a packet. The number in brackets is the normative statement of MQTT 3.1.1 that it breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// The remaining length does not end (§2.2.3).
    RemainingLength,
    /// The packet ends inside a field, or goes on after the last one.
    Length,
    /// Packet type 0 or 15 (§2.2.1).
    PacketType(u8),
    /// Reserved flags are not as they must be [MQTT-2.2.2-1].
    Flags,
    /// QoS 3 [MQTT-3.3.1-4], [MQTT-3.8.3-4].
    QoS,
    /// DUP on QoS 0 [MQTT-3.3.1-2].
    Dup,
    /// Packet identifier 0 [MQTT-2.3.1-1].
    PacketId,
    /// Not UTF-8, or U+0000 in it [MQTT-1.5.3-1], [MQTT-1.5.3-2].
    String,
    /// A wildcard in a topic name, or a topic name without characters [MQTT-3.3.2-2], [MQTT-4.7.3-1].
    TopicName,
    /// A filter that is none [MQTT-4.7.1-2], [MQTT-4.7.1-3].
    TopicFilter,
    /// A SUBSCRIBE or UNSUBSCRIBE of nothing [MQTT-3.8.3-3], [MQTT-3.10.3-2].
    NoFilter,
    /// The protocol's name is neither `MQTT` nor `MQIsdp` [MQTT-3.1.2-1].
    ProtocolName,
    /// A protocol level that is not spoken here; the server answers CONNACK 1 [MQTT-3.1.2-2].
    ProtocolLevel(u8),
    /// The flags of CONNECT contradict one another [MQTT-3.1.2-3] to [MQTT-3.1.2-22].
    ConnectFlags,
    /// Reserved bits in CONNACK, or a session that is present though refused [MQTT-3.2.2-4].
    Connack,
    /// A SUBACK code that does not exist [MQTT-3.9.3-2].
    SubackCode,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RemainingLength => "remaining length does not end",
            Self::Length => "packet ends inside a field or goes on after the last",
            Self::PacketType(kind) => return write!(f, "packet type {kind} does not exist"),
            Self::Flags => "reserved flags are set",
            Self::QoS => "QoS 3",
            Self::Dup => "DUP on QoS 0",
            Self::PacketId => "packet identifier 0",
            Self::String => "string is not UTF-8 or holds U+0000",
            Self::TopicName => "topic name is empty or holds a wildcard",
            Self::TopicFilter => "topic filter is malformed",
            Self::NoFilter => "no topic filter",
            Self::ProtocolName => "protocol name is neither MQTT nor MQIsdp",
            Self::ProtocolLevel(level) => {
                return write!(f, "protocol level {level} is not supported");
            }
            Self::ConnectFlags => "connect flags contradict one another",
            Self::Connack => "CONNACK flags are malformed",
            Self::SubackCode => "SUBACK code does not exist",
        })
    }
}

impl core::error::Error for DecodeError {}

/// Why a packet cannot be encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncodeError {
    /// The buffer is shorter than the packet.
    NoRoom,
    /// A string or binary field of more than 65,535 bytes, or a packet beyond [`MAX_REMAINING_LENGTH`].
    TooLong,
    /// What [`Packet::decode`] would refuse: such a packet costs the link.
    Invalid(DecodeError),
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRoom => f.write_str("no room for the packet"),
            Self::TooLong => f.write_str("a field is longer than MQTT can say"),
            Self::Invalid(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for EncodeError {}

impl<'a> Packet<'a> {
    /// Reads exactly one whole packet, by the rules of MQTT 3.1.1.
    ///
    /// # Errors
    /// [`DecodeError`] names what of MQTT 3.1.1 the packet breaks. Never panics, whatever the bytes.
    pub fn decode(frame: &'a [u8]) -> Result<Self, DecodeError> {
        Self::decode_as(Version::V311, frame)
    }

    /// Reads exactly one whole packet of a link whose CONNECT named `version`.
    ///
    /// MQTT 3.1 sets DUP on SUBSCRIBE, UNSUBSCRIBE and PUBREL that are sent again (§3.6, §3.8, §3.10).
    ///
    /// # Errors
    /// As [`Packet::decode`].
    pub fn decode_as(version: Version, frame: &'a [u8]) -> Result<Self, DecodeError> {
        let length = frame_length(frame)?.ok_or(DecodeError::Length)?;
        if frame.len() != length.total() {
            return Err(DecodeError::Length);
        }
        let (kind, flags) = (frame[0] >> 4, frame[0] & 0x0f);
        let body = &frame[length.header..];
        let expected_flags = match kind {
            3 => flags,
            6 | 8 | 10 if version == Version::V31 => 0b0010 | flags & 0b1000,
            6 | 8 | 10 => 0b0010,
            _ => 0,
        };
        if flags != expected_flags && (1..=14).contains(&kind) {
            return Err(DecodeError::Flags);
        }
        match kind {
            1 => decode_connect(body).map(Packet::Connect),
            2 => decode_connack(body).map(Packet::Connack),
            3 => decode_publish(flags, body).map(Packet::Publish),
            4 => only_id(body).map(Packet::Puback),
            5 => only_id(body).map(Packet::Pubrec),
            6 => only_id(body).map(Packet::Pubrel),
            7 => only_id(body).map(Packet::Pubcomp),
            8 => decode_subscribe(body).map(Packet::Subscribe),
            9 => decode_suback(body).map(Packet::Suback),
            10 => decode_unsubscribe(body).map(Packet::Unsubscribe),
            11 => only_id(body).map(Packet::Unsuback),
            12 => empty(body).map(|()| Packet::Pingreq),
            13 => empty(body).map(|()| Packet::Pingresp),
            14 => empty(body).map(|()| Packet::Disconnect),
            kind => Err(DecodeError::PacketType(kind)),
        }
    }

    /// Bytes of the packet on the wire, whether or not they fit a field.
    pub fn encoded_len(&self) -> usize {
        let remaining = self.remaining_len();
        1 + length_of_length(remaining) + remaining
    }

    /// Writes the packet to the start of `out` and returns how many bytes it took.
    ///
    /// # Errors
    /// [`EncodeError`]; what stands in `out` then means nothing.
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, EncodeError> {
        let remaining = self.remaining_len();
        if remaining > MAX_REMAINING_LENGTH {
            return Err(EncodeError::TooLong);
        }
        self.check().map_err(EncodeError::Invalid)?;
        let mut writer = Writer { out, at: 0 };
        writer.byte(self.first_byte())?;
        let mut rest = remaining;
        loop {
            let more = if rest > 0x7f { 0x80 } else { 0 };
            writer.byte((rest & 0x7f) as u8 | more)?;
            rest >>= 7;
            if rest == 0 {
                break;
            }
        }
        self.encode_body(&mut writer)?;
        Ok(writer.at)
    }

    /// Appends the packet to `out`.
    ///
    /// # Errors
    /// [`EncodeError::TooLong`]; `out` is then as it was.
    pub fn append_to(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let start = out.len();
        if self.remaining_len() > MAX_REMAINING_LENGTH {
            return Err(EncodeError::TooLong);
        }
        out.resize(start + self.encoded_len(), 0);
        let written = self.encode(&mut out[start..]);
        if written.is_err() {
            out.truncate(start);
        }
        written.map(|_| ())
    }

    /// Is it a packet that the other side takes? Lengths are checked where they are written.
    fn check(&self) -> Result<(), DecodeError> {
        match self {
            Self::Publish(publish) => {
                let acknowledged = publish.qos != QoS::AtMostOnce;
                if publish.dup && !acknowledged {
                    Err(DecodeError::Dup)
                } else if publish.id.is_some() != acknowledged {
                    Err(DecodeError::PacketId)
                } else if topic_name_is_valid(publish.topic)
                    || publish.topic.len() > usize::from(u16::MAX)
                {
                    Ok(())
                } else {
                    Err(DecodeError::TopicName)
                }
            }
            Self::Connect(connect) => {
                let texts = [Some(connect.client_id), connect.username];
                if texts.iter().flatten().any(|text| text.contains('\0')) {
                    Err(DecodeError::String)
                } else if connect
                    .will
                    .is_some_and(|will| !topic_name_is_valid(will.topic))
                {
                    Err(DecodeError::TopicName)
                } else if connect.version == Version::V311
                    && connect.password.is_some()
                    && connect.username.is_none()
                {
                    Err(DecodeError::ConnectFlags)
                } else {
                    Ok(())
                }
            }
            _ => Ok(()),
        }
    }

    fn first_byte(&self) -> u8 {
        match self {
            Self::Connect(_) => 0x10,
            Self::Connack(_) => 0x20,
            Self::Publish(publish) => {
                0x30 | u8::from(publish.dup) << 3
                    | publish.qos.level() << 1
                    | u8::from(publish.retain)
            }
            Self::Puback(_) => 0x40,
            Self::Pubrec(_) => 0x50,
            Self::Pubrel(_) => 0x62,
            Self::Pubcomp(_) => 0x70,
            Self::Subscribe(_) => 0x82,
            Self::Suback(_) => 0x90,
            Self::Unsubscribe(_) => 0xa2,
            Self::Unsuback(_) => 0xb0,
            Self::Pingreq => 0xc0,
            Self::Pingresp => 0xd0,
            Self::Disconnect => 0xe0,
        }
    }

    fn remaining_len(&self) -> usize {
        match self {
            Self::Connect(connect) => {
                let will = connect
                    .will
                    .map_or(0, |will| 4 + will.topic.len() + will.payload.len());
                let username = connect.username.map_or(0, |username| 2 + username.len());
                let password = connect.password.map_or(0, |password| 2 + password.len());
                2 + connect.version.protocol_name().len()
                    + 4
                    + 2
                    + connect.client_id.len()
                    + will
                    + username
                    + password
            }
            Self::Publish(publish) => {
                2 + publish.topic.len()
                    + if publish.id.is_some() { 2 } else { 0 }
                    + publish.payload.len()
            }
            Self::Subscribe(subscribe) => {
                2 + subscribe
                    .filters
                    .iter()
                    .map(|(filter, _)| 3 + filter.len())
                    .sum::<usize>()
            }
            Self::Suback(suback) => 2 + suback.codes.len(),
            Self::Unsubscribe(unsubscribe) => {
                2 + unsubscribe
                    .filters
                    .iter()
                    .map(|filter| 2 + filter.len())
                    .sum::<usize>()
            }
            Self::Connack(_)
            | Self::Puback(_)
            | Self::Pubrec(_)
            | Self::Pubrel(_)
            | Self::Pubcomp(_)
            | Self::Unsuback(_) => 2,
            Self::Pingreq | Self::Pingresp | Self::Disconnect => 0,
        }
    }

    fn encode_body(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        match self {
            Self::Connect(connect) => encode_connect(connect, writer),
            Self::Connack(connack) => {
                writer.byte(u8::from(connack.session_present))?;
                writer.byte(connack.code.code())
            }
            Self::Publish(publish) => {
                writer.field(publish.topic.as_bytes())?;
                if let Some(id) = publish.id {
                    writer.u16(id.get())?;
                }
                writer.raw(publish.payload)
            }
            Self::Subscribe(subscribe) => {
                writer.u16(subscribe.id.get())?;
                for (filter, qos) in subscribe.filters.iter() {
                    writer.field(filter.as_bytes())?;
                    writer.byte(qos.level())?;
                }
                Ok(())
            }
            Self::Suback(suback) => {
                writer.u16(suback.id.get())?;
                writer.raw(suback.codes)
            }
            Self::Unsubscribe(unsubscribe) => {
                writer.u16(unsubscribe.id.get())?;
                unsubscribe
                    .filters
                    .iter()
                    .try_for_each(|filter| writer.field(filter.as_bytes()))
            }
            Self::Puback(id)
            | Self::Pubrec(id)
            | Self::Pubrel(id)
            | Self::Pubcomp(id)
            | Self::Unsuback(id) => writer.u16(id.get()),
            Self::Pingreq | Self::Pingresp | Self::Disconnect => Ok(()),
        }
    }
}

/// Splits a length-prefixed UTF-8 string off the front.
pub(crate) fn split_string(bytes: &[u8]) -> Result<(&str, &[u8]), DecodeError> {
    let (field, rest) = split_field(bytes)?;
    let text = core::str::from_utf8(field).map_err(|_| DecodeError::String)?;
    if field.contains(&0) {
        return Err(DecodeError::String);
    }
    Ok((text, rest))
}

/// Reads topic and packet identifier of a PUBLISH whose payload need not have arrived: `(topic, id, bytes used)`.
pub(crate) fn publish_head(
    flags: u8,
    body: &[u8],
) -> Result<(&str, Option<PacketId>, usize), DecodeError> {
    let qos = QoS::try_from(flags >> 1 & 3).map_err(|()| DecodeError::QoS)?;
    if qos == QoS::AtMostOnce && flags & 8 != 0 {
        return Err(DecodeError::Dup);
    }
    // Not `split_string`: the look for wildcards finds U+0000 as well.
    let (topic, rest) = split_field(body)?;
    let topic = core::str::from_utf8(topic).map_err(|_| DecodeError::String)?;
    if !topic_name_is_valid(topic) {
        return Err(if topic.contains('\0') {
            DecodeError::String
        } else {
            DecodeError::TopicName
        });
    }
    if qos == QoS::AtMostOnce {
        return Ok((topic, None, body.len() - rest.len()));
    }
    let (id, rest) = split_id(rest)?;
    Ok((topic, Some(id), body.len() - rest.len()))
}

fn decode_connect(body: &[u8]) -> Result<Connect<'_>, DecodeError> {
    let (name, rest) = split_string(body)?;
    let [level, flags, high, low, rest @ ..] = rest else {
        return Err(if name == "MQTT" || name == "MQIsdp" {
            DecodeError::Length
        } else {
            DecodeError::ProtocolName
        });
    };
    let version = match (name, level) {
        ("MQTT", 4) => Version::V311,
        ("MQIsdp", 3) => Version::V31,
        ("MQTT" | "MQIsdp", level) => return Err(DecodeError::ProtocolLevel(*level)),
        _ => return Err(DecodeError::ProtocolName),
    };
    let flag = |bit: u8| flags & 1 << bit != 0;
    let will_qos = QoS::try_from(flags >> 3 & 3).map_err(|()| DecodeError::ConnectFlags)?;
    if flag(0) || (!flag(2) && flags & 0b0011_1000 != 0) {
        return Err(DecodeError::ConnectFlags);
    }
    // A password without a user name is forbidden in 3.1.1 only [MQTT-3.1.2-22].
    if version == Version::V311 && flag(6) && !flag(7) {
        return Err(DecodeError::ConnectFlags);
    }
    let (client_id, mut rest) = split_string(rest)?;
    let mut will = None;
    if flag(2) {
        let (topic, after) = split_string(rest)?;
        let (payload, after) = split_field(after)?;
        if !topic_name_is_valid(topic) {
            return Err(DecodeError::TopicName);
        }
        rest = after;
        will = Some(Will {
            topic,
            payload,
            qos: will_qos,
            retain: flag(5),
        });
    }
    let mut username = None;
    // MQTT 3.1 §3.1: the remaining length takes precedence over the flag.
    if flag(7) && (version == Version::V311 || !rest.is_empty()) {
        let (text, after) = split_string(rest)?;
        rest = after;
        username = Some(text);
    }
    let mut password = None;
    if flag(6) && (version == Version::V311 || !rest.is_empty()) {
        let (bytes, after) = split_field(rest)?;
        rest = after;
        password = Some(bytes);
    }
    empty(rest)?;
    Ok(Connect {
        version,
        clean_session: flag(1),
        keep_alive: u16::from_be_bytes([*high, *low]),
        client_id,
        will,
        username,
        password,
    })
}

fn encode_connect(connect: &Connect<'_>, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
    let mut flags = u8::from(connect.clean_session) << 1;
    if let Some(will) = connect.will {
        flags |= 1 << 2 | will.qos.level() << 3 | u8::from(will.retain) << 5;
    }
    flags |= u8::from(connect.password.is_some()) << 6 | u8::from(connect.username.is_some()) << 7;
    writer.field(connect.version.protocol_name().as_bytes())?;
    writer.byte(connect.version.level())?;
    writer.byte(flags)?;
    writer.u16(connect.keep_alive)?;
    writer.field(connect.client_id.as_bytes())?;
    if let Some(will) = connect.will {
        writer.field(will.topic.as_bytes())?;
        writer.field(will.payload)?;
    }
    if let Some(username) = connect.username {
        writer.field(username.as_bytes())?;
    }
    connect
        .password
        .map_or(Ok(()), |password| writer.field(password))
}

fn decode_connack(body: &[u8]) -> Result<Connack, DecodeError> {
    let &[flags, code] = body else {
        return Err(DecodeError::Length);
    };
    let code = ConnectCode::from(code);
    let session_present = flags & 1 != 0;
    if flags & 0xfe != 0 || (session_present && code != ConnectCode::Accepted) {
        return Err(DecodeError::Connack);
    }
    Ok(Connack {
        session_present,
        code,
    })
}

fn decode_publish(flags: u8, body: &[u8]) -> Result<Publish<'_>, DecodeError> {
    let (topic, id, used) = publish_head(flags, body)?;
    Ok(Publish {
        dup: flags & 8 != 0,
        qos: QoS::try_from(flags >> 1 & 3).map_err(|()| DecodeError::QoS)?,
        retain: flags & 1 != 0,
        topic,
        id,
        payload: &body[used..],
    })
}

fn decode_subscribe(body: &[u8]) -> Result<Subscribe<'_>, DecodeError> {
    let (id, filters) = split_id(body)?;
    if filters.is_empty() {
        return Err(DecodeError::NoFilter);
    }
    let mut rest = filters;
    while !rest.is_empty() {
        let (filter, after) = split_string(rest)?;
        let (&qos, after) = after.split_first().ok_or(DecodeError::Length)?;
        if !topic_filter_is_valid(filter) {
            return Err(DecodeError::TopicFilter);
        }
        QoS::try_from(qos).map_err(|()| DecodeError::QoS)?;
        rest = after;
    }
    Ok(Subscribe {
        id,
        filters: TopicFilters::Wire(filters),
    })
}

fn decode_suback(body: &[u8]) -> Result<Suback<'_>, DecodeError> {
    let (id, codes) = split_id(body)?;
    if codes.is_empty() {
        return Err(DecodeError::Length);
    }
    if codes
        .iter()
        .any(|&code| code > 2 && code != Suback::FAILURE)
    {
        return Err(DecodeError::SubackCode);
    }
    Ok(Suback { id, codes })
}

fn decode_unsubscribe(body: &[u8]) -> Result<Unsubscribe<'_>, DecodeError> {
    let (id, filters) = split_id(body)?;
    if filters.is_empty() {
        return Err(DecodeError::NoFilter);
    }
    let mut rest = filters;
    while !rest.is_empty() {
        let (filter, after) = split_string(rest)?;
        if !topic_filter_is_valid(filter) {
            return Err(DecodeError::TopicFilter);
        }
        rest = after;
    }
    Ok(Unsubscribe {
        id,
        filters: Filters::Wire(filters),
    })
}

fn split_field(bytes: &[u8]) -> Result<(&[u8], &[u8]), DecodeError> {
    let [high, low, rest @ ..] = bytes else {
        return Err(DecodeError::Length);
    };
    rest.split_at_checked(usize::from(u16::from_be_bytes([*high, *low])))
        .ok_or(DecodeError::Length)
}

fn split_id(bytes: &[u8]) -> Result<(PacketId, &[u8]), DecodeError> {
    let [high, low, rest @ ..] = bytes else {
        return Err(DecodeError::Length);
    };
    let id = PacketId::new(u16::from_be_bytes([*high, *low])).ok_or(DecodeError::PacketId)?;
    Ok((id, rest))
}

fn only_id(body: &[u8]) -> Result<PacketId, DecodeError> {
    let (id, rest) = split_id(body)?;
    empty(rest)?;
    Ok(id)
}

fn empty(rest: &[u8]) -> Result<(), DecodeError> {
    if rest.is_empty() {
        Ok(())
    } else {
        Err(DecodeError::Length)
    }
}

const fn length_of_length(remaining: usize) -> usize {
    match remaining {
        0..=0x7f => 1,
        0x80..=0x3fff => 2,
        0x4000..=0x1f_ffff => 3,
        _ => 4,
    }
}

struct Writer<'a> {
    out: &'a mut [u8],
    at: usize,
}

impl Writer<'_> {
    fn raw(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        let end = self.at + bytes.len();
        self.out
            .get_mut(self.at..end)
            .ok_or(EncodeError::NoRoom)?
            .copy_from_slice(bytes);
        self.at = end;
        Ok(())
    }

    fn byte(&mut self, byte: u8) -> Result<(), EncodeError> {
        self.raw(&[byte])
    }

    fn u16(&mut self, number: u16) -> Result<(), EncodeError> {
        self.raw(&number.to_be_bytes())
    }

    fn field(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.u16(u16::try_from(bytes.len()).map_err(|_| EncodeError::TooLong)?)?;
        self.raw(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::vec;

    fn id(number: u16) -> PacketId {
        PacketId::new(number).unwrap()
    }

    fn encoded(packet: &Packet<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        packet.append_to(&mut bytes).unwrap();
        assert_eq!(bytes.len(), packet.encoded_len());
        assert_eq!(Packet::decode(&bytes).as_ref(), Ok(packet));
        bytes
    }

    #[test]
    fn connect_of_the_standards_example() {
        let packet = Packet::Connect(Connect {
            version: Version::V311,
            clean_session: true,
            keep_alive: 10,
            client_id: "c",
            will: Some(Will {
                topic: "w",
                payload: b"\x00",
                qos: QoS::AtLeastOnce,
                retain: false,
            }),
            username: Some("u"),
            password: Some(b"\xff"),
        });
        assert_eq!(
            encoded(&packet),
            b"\x10\x19\x00\x04MQTT\x04\xce\x00\x0a\x00\x01c\x00\x01w\x00\x01\x00\x00\x01u\x00\x01\xff"
        );
        assert_eq!(
            packet.to_string(),
            "CONNECT MQTT level 4 id \"c\" keep-alive 10 s clean user \"u\" password … will q1 \"w\" 1 bytes"
        );
    }

    #[test]
    fn every_other_packet() {
        let all: [(Packet<'_>, &[u8]); 13] = [
            (
                Packet::Connack(Connack {
                    session_present: true,
                    code: ConnectCode::Accepted,
                }),
                b"\x20\x02\x01\x00",
            ),
            (
                Packet::Publish(Publish {
                    dup: true,
                    qos: QoS::ExactlyOnce,
                    retain: true,
                    topic: "a/b",
                    id: Some(id(10)),
                    payload: b"hi",
                }),
                b"\x3d\x09\x00\x03a/b\x00\x0ahi",
            ),
            (Packet::Puback(id(1)), b"\x40\x02\x00\x01"),
            (Packet::Pubrec(id(0x1234)), b"\x50\x02\x12\x34"),
            (Packet::Pubrel(id(2)), b"\x62\x02\x00\x02"),
            (Packet::Pubcomp(id(2)), b"\x70\x02\x00\x02"),
            (
                Packet::Subscribe(Subscribe {
                    id: id(10),
                    filters: TopicFilters::List(&[
                        ("a/b", QoS::AtLeastOnce),
                        ("c/#", QoS::ExactlyOnce),
                    ]),
                }),
                b"\x82\x0e\x00\x0a\x00\x03a/b\x01\x00\x03c/#\x02",
            ),
            (
                Packet::Suback(Suback {
                    id: id(10),
                    codes: &[0, 0x80],
                }),
                b"\x90\x04\x00\x0a\x00\x80",
            ),
            (
                Packet::Unsubscribe(Unsubscribe {
                    id: id(10),
                    filters: Filters::List(&["a/b", "+"]),
                }),
                b"\xa2\x0a\x00\x0a\x00\x03a/b\x00\x01+",
            ),
            (Packet::Unsuback(id(10)), b"\xb0\x02\x00\x0a"),
            (Packet::Pingreq, b"\xc0\x00"),
            (Packet::Pingresp, b"\xd0\x00"),
            (Packet::Disconnect, b"\xe0\x00"),
        ];
        for (packet, bytes) in all {
            assert_eq!(encoded(&packet), bytes, "{packet}");
        }
    }

    #[test]
    fn violations_are_named() {
        for (bytes, error) in [
            (&b"\x00\x00"[..], DecodeError::PacketType(0)),
            (b"\xf0\x00", DecodeError::PacketType(15)),
            (b"\xc1\x00", DecodeError::Flags),
            (b"\x60\x02\x00\x01", DecodeError::Flags),
            (b"\x36\x06\x00\x01a\x00\x01x", DecodeError::QoS),
            (b"\x38\x03\x00\x01a", DecodeError::Dup),
            (b"\x32\x05\x00\x01a\x00\x00", DecodeError::PacketId),
            (b"\x30\x03\x00\x01#", DecodeError::TopicName),
            (b"\x30\x02\x00\x00", DecodeError::TopicName),
            (b"\x30\x03\x00\x01\x00", DecodeError::String),
            (b"\x30\x03\x00\x01\xff", DecodeError::String),
            (b"\x82\x02\x00\x01", DecodeError::NoFilter),
            (b"\x82\x06\x00\x01\x00\x01a\x03", DecodeError::QoS),
            (b"\x82\x07\x00\x01\x00\x02a#\x00", DecodeError::TopicFilter),
            (b"\x90\x03\x00\x01\x03", DecodeError::SubackCode),
            (b"\x20\x02\x01\x05", DecodeError::Connack),
            (
                b"\x10\x0c\x00\x04MQTT\x05\x02\x00\x0a\x00\x00",
                DecodeError::ProtocolLevel(5),
            ),
            (
                b"\x10\x0c\x00\x04mqtt\x04\x02\x00\x0a\x00\x00",
                DecodeError::ProtocolName,
            ),
            (
                b"\x10\x0c\x00\x04MQTT\x04\x03\x00\x0a\x00\x00",
                DecodeError::ConnectFlags,
            ),
            (
                b"\x10\x0c\x00\x04MQTT\x04\x20\x00\x0a\x00\x00",
                DecodeError::ConnectFlags,
            ),
            (
                b"\x10\x0c\x00\x04MQTT\x04\x40\x00\x0a\x00\x00",
                DecodeError::ConnectFlags,
            ),
            (b"\xe0\x01\x00", DecodeError::Length),
            (b"\x40\x02\x00", DecodeError::Length),
        ] {
            assert_eq!(Packet::decode(bytes), Err(error), "{bytes:02x?}");
        }
        assert_eq!(
            frame_length(b"\x30\xff\xff\xff\xff"),
            Err(DecodeError::RemainingLength)
        );
        assert_eq!(frame_length(b"\x30\x80"), Ok(None));
    }

    #[test]
    fn fields_that_cannot_be_said_are_refused() {
        let long = vec![b'a'; 65_536];
        let topic = core::str::from_utf8(&long).unwrap();
        let packet = Packet::Publish(Publish {
            dup: false,
            qos: QoS::AtMostOnce,
            retain: false,
            topic,
            id: None,
            payload: b"",
        });
        let mut out = vec![1, 2, 3];
        assert_eq!(packet.append_to(&mut out), Err(EncodeError::TooLong));
        assert_eq!(out, [1, 2, 3]);
        assert_eq!(Packet::Pingreq.encode(&mut [0]), Err(EncodeError::NoRoom));
    }
}
