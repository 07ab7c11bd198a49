//! Packets to bytes. Encoding refuses what decoding would: whatever it writes, [`Packet::decode`] reads back as the same value.

use alloc::vec::Vec;
use core::fmt;

use crate::decode::{CLEAN_SESSION, PASSWORD, USERNAME, WILL, WILL_RETAIN};
use crate::topic::{topic_filter_is_valid, topic_name_is_valid};
use crate::{
    Connect, MAX_REMAINING_LENGTH, Packet, PacketId, Publish, QoS, Suback, Subscribe, Unsubscribe,
    Version, Will,
};

impl Packet<'_> {
    /// Bytes that [`Packet::encode`] writes, 2 to 268,435,460.
    ///
    /// For a packet that it refuses, the number has no meaning.
    pub fn encoded_len(&self) -> usize {
        let remaining = self.remaining_length();
        header_length(remaining) + remaining
    }

    /// Writes the packet to the front of `out` and says how many bytes that were. After an error `out` is as it was.
    #[inline]
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, EncodeError> {
        self.check()?;
        let remaining = self.remaining_length();
        if remaining > MAX_REMAINING_LENGTH {
            return Err(EncodeError::PacketTooLong);
        }
        let needed = header_length(remaining) + remaining;
        let Some(out) = out.get_mut(..needed) else {
            return Err(EncodeError::BufferTooSmall { needed });
        };
        self.write(remaining, &mut Writer(out));
        Ok(needed)
    }

    /// Appends the packet. After an error `out` is as it was.
    pub fn append_to(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.check()?;
        let remaining = self.remaining_length();
        if remaining > MAX_REMAINING_LENGTH {
            return Err(EncodeError::PacketTooLong);
        }
        let start = out.len();
        out.resize(start + header_length(remaining) + remaining, 0);
        self.write(remaining, &mut Writer(&mut out[start..]));
        Ok(())
    }

    /// The first byte: packet type and flags (§2.2).
    fn first_byte(&self) -> u8 {
        match self {
            Self::Connect(_) => 0x10,
            Self::Connack(_) => 0x20,
            Self::Publish(publish) => {
                0x30 | u8::from(publish.dup) << 3
                    | (publish.qos as u8) << 1
                    | u8::from(publish.retain)
            }
            Self::Puback(_) => 0x40,
            Self::Pubrec(_) => 0x50,
            Self::Pubrel(_) => 0x62,
            Self::Pubcomp(_) => 0x70,
            Self::Subscribe(_) => 0x82,
            Self::Suback(_) => 0x90,
            Self::Unsubscribe(_) => 0xA2,
            Self::Unsuback(_) => 0xB0,
            Self::Pingreq => 0xC0,
            Self::Pingresp => 0xD0,
            Self::Disconnect => 0xE0,
        }
    }

    fn remaining_length(&self) -> usize {
        match self {
            Self::Connect(connect) => {
                let will = |will: Will<'_>| 4 + will.topic.len() + will.payload.len();
                2 + connect.version.protocol_name().len()
                    + 4
                    + (2 + connect.client_id.len())
                    + connect.will.map_or(0, will)
                    + connect.username.map_or(0, |username| 2 + username.len())
                    + connect.password.map_or(0, |password| 2 + password.len())
            }
            Self::Publish(publish) => {
                let id = if publish.id.is_some() { 2 } else { 0 };
                2 + publish.topic.len() + id + publish.payload.len()
            }
            Self::Subscribe(subscribe) => {
                2 + subscribe.filters().map(|(f, _)| 3 + f.len()).sum::<usize>()
            }
            Self::Suback(suback) => 2 + suback.codes.len(),
            Self::Unsubscribe(unsubscribe) => {
                2 + unsubscribe.filters().map(|f| 2 + f.len()).sum::<usize>()
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

    /// Is every field one that a packet may carry?
    fn check(&self) -> Result<(), EncodeError> {
        match self {
            Self::Connect(connect) => check_connect(connect),
            Self::Connack(connack) if connack.session_present && connack.code.to_u8() != 0 => {
                Err(EncodeError::Contradiction)
            }
            Self::Publish(publish) => check_publish(publish),
            Self::Subscribe(subscribe) => check_filters(subscribe.filters().map(|(f, _)| f)),
            Self::Suback(suback) => check_codes(suback.codes),
            Self::Unsubscribe(unsubscribe) => check_filters(unsubscribe.filters()),
            _ => Ok(()),
        }
    }

    /// `out` is as long as the packet: `header_length(remaining) + remaining`.
    #[inline]
    fn write(&self, remaining: usize, out: &mut Writer<'_>) {
        out.byte(self.first_byte());
        out.length(remaining);
        match self {
            Self::Connect(connect) => write_connect(connect, out),
            Self::Connack(connack) => {
                out.byte(u8::from(connack.session_present));
                out.byte(connack.code.to_u8());
            }
            Self::Publish(publish) => {
                out.binary(publish.topic.as_bytes());
                if let Some(id) = publish.id {
                    out.packet_id(id);
                }
                out.put(publish.payload);
            }
            Self::Puback(id)
            | Self::Pubrec(id)
            | Self::Pubrel(id)
            | Self::Pubcomp(id)
            | Self::Unsuback(id) => out.packet_id(*id),
            Self::Subscribe(Subscribe { id, filters }) => {
                out.packet_id(*id);
                for (filter, qos) in *filters {
                    out.binary(filter.as_bytes());
                    out.byte(qos as u8);
                }
            }
            Self::Suback(Suback { id, codes }) => {
                out.packet_id(*id);
                out.put(codes);
            }
            Self::Unsubscribe(Unsubscribe { id, filters }) => {
                out.packet_id(*id);
                for filter in *filters {
                    out.binary(filter.as_bytes());
                }
            }
            Self::Pingreq | Self::Pingresp | Self::Disconnect => {}
        }
    }
}

/// Why a packet cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EncodeError {
    /// The buffer is shorter than the packet.
    BufferTooSmall {
        /// Bytes that the packet takes.
        needed: usize,
    },
    /// More than [`MAX_REMAINING_LENGTH`] bytes after the fixed header.
    PacketTooLong,
    /// A string, will payload or password of more than 65,535 bytes.
    FieldTooLong,
    /// A string with U+0000 in it.
    NullCharacter,
    /// A topic name that [`topic_name_is_valid`] refuses.
    TopicName,
    /// A topic filter that [`topic_filter_is_valid`] refuses.
    TopicFilter,
    /// SUBSCRIBE or UNSUBSCRIBE without a filter, SUBACK without a code.
    NoFilters,
    /// A code of SUBACK that is not 0, 1, 2 or 0x80.
    SubackCode,
    /// Fields that exclude each other: a packet identifier with QoS 0 or none with QoS 1 and 2, DUP with QoS 0, a password
    /// without a user name, session present with a refusal.
    Contradiction,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BufferTooSmall { needed } => {
                return write!(f, "the packet needs {needed} bytes, the buffer has fewer");
            }
            Self::PacketTooLong => "the packet is longer than 268435455 bytes",
            Self::FieldTooLong => "a field is longer than 65535 bytes",
            Self::NullCharacter => "a string contains U+0000",
            Self::TopicName => "a topic name is empty, longer than 65535 bytes or has a wildcard",
            Self::TopicFilter => {
                "a topic filter is empty, longer than 65535 bytes or has a wildcard out of place"
            }
            Self::NoFilters => "the packet names no topic filter",
            Self::SubackCode => "a SUBACK code is not 0, 1, 2 or 0x80",
            Self::Contradiction => "fields of the packet exclude each other",
        })
    }
}

impl core::error::Error for EncodeError {}

fn header_length(remaining: usize) -> usize {
    match remaining {
        0..=0x7F => 2,
        0x80..=0x3FFF => 3,
        0x4000..=0x1F_FFFF => 4,
        _ => 5,
    }
}

fn check_connect(connect: &Connect<'_>) -> Result<(), EncodeError> {
    check_string(connect.client_id)?;
    if let Some(will) = connect.will {
        if !topic_name_is_valid(will.topic) {
            return Err(EncodeError::TopicName);
        }
        check_length(will.payload)?;
    }
    connect.username.map_or(Ok(()), check_string)?;
    connect.password.map_or(Ok(()), check_length)?;
    if connect.password.is_some() && connect.username.is_none() {
        return Err(EncodeError::Contradiction);
    }
    Ok(())
}

#[inline]
fn check_publish(publish: &Publish<'_>) -> Result<(), EncodeError> {
    if !topic_name_is_valid(publish.topic) {
        return Err(EncodeError::TopicName);
    }
    let acknowledged = publish.qos != QoS::AtMostOnce;
    if acknowledged != publish.id.is_some() || (publish.dup && !acknowledged) {
        return Err(EncodeError::Contradiction);
    }
    Ok(())
}

fn check_filters<'a>(filters: impl Iterator<Item = &'a str>) -> Result<(), EncodeError> {
    let mut any = false;
    for filter in filters {
        any = true;
        if !topic_filter_is_valid(filter) {
            return Err(EncodeError::TopicFilter);
        }
    }
    if any {
        Ok(())
    } else {
        Err(EncodeError::NoFilters)
    }
}

fn check_codes(codes: &[u8]) -> Result<(), EncodeError> {
    if codes.is_empty() {
        return Err(EncodeError::NoFilters);
    }
    let known = |&code: &u8| code <= 2 || code == Suback::FAILURE;
    if codes.iter().all(known) {
        Ok(())
    } else {
        Err(EncodeError::SubackCode)
    }
}

fn check_string(string: &str) -> Result<(), EncodeError> {
    check_length(string.as_bytes())?;
    if string.as_bytes().contains(&0) {
        return Err(EncodeError::NullCharacter);
    }
    Ok(())
}

fn check_length(field: &[u8]) -> Result<(), EncodeError> {
    if field.len() > usize::from(u16::MAX) {
        return Err(EncodeError::FieldTooLong);
    }
    Ok(())
}

fn write_connect(connect: &Connect<'_>, out: &mut Writer<'_>) {
    let mut flags = 0;
    if connect.clean_session {
        flags |= CLEAN_SESSION;
    }
    if let Some(will) = connect.will {
        flags |= WILL | (will.qos as u8) << 3;
        if will.retain {
            flags |= WILL_RETAIN;
        }
    }
    if connect.username.is_some() {
        flags |= USERNAME;
    }
    if connect.password.is_some() {
        flags |= PASSWORD;
    }
    out.binary(connect.version.protocol_name().as_bytes());
    out.byte(Version::level(connect.version));
    out.byte(flags);
    out.put(&connect.keep_alive.to_be_bytes());
    out.binary(connect.client_id.as_bytes());
    if let Some(will) = connect.will {
        out.binary(will.topic.as_bytes());
        out.binary(will.payload);
    }
    if let Some(username) = connect.username {
        out.binary(username.as_bytes());
    }
    if let Some(password) = connect.password {
        out.binary(password);
    }
}

/// What is left to be written. The space was measured beforehand, and never runs out.
struct Writer<'a>(&'a mut [u8]);

impl Writer<'_> {
    #[inline]
    fn byte(&mut self, byte: u8) {
        if let Some(slot) = self.0.split_off_first_mut() {
            *slot = byte;
        }
    }

    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        if let Some(slot) = self.0.split_off_mut(..bytes.len()) {
            slot.copy_from_slice(bytes);
        }
    }

    #[inline]
    fn packet_id(&mut self, id: PacketId) {
        self.put(&id.get().to_be_bytes());
    }

    /// A field with its length before it. Checked to be at most 65,535 bytes.
    #[inline]
    fn binary(&mut self, field: &[u8]) {
        self.put(&(field.len() as u16).to_be_bytes());
        self.put(field);
    }

    #[inline]
    fn length(&mut self, mut remaining: usize) {
        while remaining > 0x7F {
            self.byte(remaining as u8 | 0x80);
            remaining >>= 7;
        }
        self.byte(remaining as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Connack, ConnectCode};
    use alloc::string::String;
    use alloc::vec;

    const CONNECT: Connect<'_> = Connect {
        version: Version::V311,
        clean_session: false,
        keep_alive: 60,
        client_id: "",
        will: None,
        username: None,
        password: None,
    };
    const PUBLISH: Publish<'_> = Publish {
        dup: false,
        qos: QoS::AtMostOnce,
        retain: false,
        topic: "a",
        id: None,
        payload: b"",
    };

    fn bytes(packet: &Packet<'_>) -> Vec<u8> {
        let mut out = vec![0xAA];
        packet.append_to(&mut out).unwrap();
        let mut exact = vec![0; packet.encoded_len()];
        assert_eq!(packet.encode(&mut exact), Ok(exact.len()));
        assert_eq!(out[1..], exact);
        assert_eq!(Packet::decode(&exact), Ok(*packet));
        exact
    }

    #[test]
    fn connect_has_the_bytes_of_section_3_1() {
        assert_eq!(
            bytes(&Packet::Connect(CONNECT)),
            b"\x10\x0c\x00\x04MQTT\x04\x00\x00\x3c\x00\x00"
        );
        let full = Connect {
            version: Version::V31,
            clean_session: true,
            client_id: "id",
            will: Some(Will {
                topic: "w",
                payload: b"p",
                qos: QoS::ExactlyOnce,
                retain: true,
            }),
            username: Some("u"),
            password: Some(b"s"),
            ..CONNECT
        };
        assert_eq!(
            bytes(&Packet::Connect(full)),
            b"\x10\x1c\x00\x06MQIsdp\x03\xf6\x00\x3c\x00\x02id\x00\x01w\x00\x01p\x00\x01u\x00\x01s"
        );
    }

    #[test]
    fn publish_has_the_bytes_of_section_3_3() {
        assert_eq!(bytes(&Packet::Publish(PUBLISH)), b"\x30\x03\x00\x01a");
        let publish = Publish {
            dup: true,
            qos: QoS::ExactlyOnce,
            retain: true,
            topic: "a/b",
            id: PacketId::new(0x0102),
            payload: b"hi",
        };
        assert_eq!(
            bytes(&Packet::Publish(publish)),
            b"\x3d\x09\x00\x03a/b\x01\x02hi"
        );
    }

    #[test]
    fn the_remaining_length_takes_as_many_bytes_as_it_needs() {
        for (payload, header) in [
            (124, &b"\x30\x7f"[..]),
            (125, b"\x30\x80\x01"),
            (16_380, b"\x30\xff\x7f"),
            (16_381, b"\x30\x80\x80\x01"),
            (2_097_148, b"\x30\xff\xff\x7f"),
            (2_097_149, b"\x30\x80\x80\x80\x01"),
        ] {
            let payload = vec![7; payload];
            let publish = Publish {
                payload: &payload,
                ..PUBLISH
            };
            assert!(bytes(&Packet::Publish(publish)).starts_with(header));
        }
    }

    #[test]
    fn the_other_packets_have_their_bytes() {
        let id = PacketId::new(0x1234).unwrap();
        let filters = [("a", QoS::AtLeastOnce), ("b/#", QoS::AtMostOnce)];
        let accepted = Connack {
            session_present: true,
            code: ConnectCode::Accepted,
        };
        for (packet, expected) in [
            (Packet::Connack(accepted), &b"\x20\x02\x01\x00"[..]),
            (Packet::Puback(id), b"\x40\x02\x12\x34"),
            (Packet::Pubrec(id), b"\x50\x02\x12\x34"),
            (Packet::Pubrel(id), b"\x62\x02\x12\x34"),
            (Packet::Pubcomp(id), b"\x70\x02\x12\x34"),
            (
                Packet::Subscribe(Subscribe::new(id, &filters)),
                b"\x82\x0c\x12\x34\x00\x01a\x01\x00\x03b/#\x00",
            ),
            (
                Packet::Suback(Suback::new(id, &[1, 0x80])),
                b"\x90\x04\x12\x34\x01\x80",
            ),
            (
                Packet::Unsubscribe(Unsubscribe::new(id, &["a", "b"])),
                b"\xa2\x08\x12\x34\x00\x01a\x00\x01b",
            ),
            (Packet::Unsuback(id), b"\xb0\x02\x12\x34"),
            (Packet::Pingreq, b"\xc0\x00"),
            (Packet::Pingresp, b"\xd0\x00"),
            (Packet::Disconnect, b"\xe0\x00"),
        ] {
            assert_eq!(bytes(&packet), expected);
        }
    }

    #[test]
    fn what_a_peer_would_refuse_is_not_written() {
        let long = String::from_utf8(vec![b'a'; 65_536]).unwrap();
        let id = PacketId::MIN;
        let will = Will {
            topic: "+",
            payload: b"",
            qos: QoS::AtMostOnce,
            retain: false,
        };
        let refused = Connack {
            session_present: true,
            code: ConnectCode::NotAuthorized,
        };
        for (packet, error) in [
            (
                Packet::Connect(Connect {
                    client_id: &long,
                    ..CONNECT
                }),
                EncodeError::FieldTooLong,
            ),
            (
                Packet::Connect(Connect {
                    client_id: "\0",
                    ..CONNECT
                }),
                EncodeError::NullCharacter,
            ),
            (
                Packet::Connect(Connect {
                    will: Some(will),
                    ..CONNECT
                }),
                EncodeError::TopicName,
            ),
            (
                Packet::Connect(Connect {
                    password: Some(b"x"),
                    ..CONNECT
                }),
                EncodeError::Contradiction,
            ),
            (Packet::Connack(refused), EncodeError::Contradiction),
            (
                Packet::Publish(Publish {
                    topic: &long,
                    ..PUBLISH
                }),
                EncodeError::TopicName,
            ),
            (
                Packet::Publish(Publish {
                    id: Some(id),
                    ..PUBLISH
                }),
                EncodeError::Contradiction,
            ),
            (
                Packet::Publish(Publish {
                    qos: QoS::AtLeastOnce,
                    ..PUBLISH
                }),
                EncodeError::Contradiction,
            ),
            (
                Packet::Publish(Publish {
                    dup: true,
                    ..PUBLISH
                }),
                EncodeError::Contradiction,
            ),
            (
                Packet::Subscribe(Subscribe::new(id, &[])),
                EncodeError::NoFilters,
            ),
            (
                Packet::Subscribe(Subscribe::new(id, &[("a#", QoS::AtMostOnce)])),
                EncodeError::TopicFilter,
            ),
            (
                Packet::Unsubscribe(Unsubscribe::new(id, &[])),
                EncodeError::NoFilters,
            ),
            (Packet::Suback(Suback::new(id, &[])), EncodeError::NoFilters),
            (
                Packet::Suback(Suback::new(id, &[3])),
                EncodeError::SubackCode,
            ),
        ] {
            let mut out = Vec::new();
            assert_eq!(packet.append_to(&mut out), Err(error), "{packet}");
            assert_eq!(packet.encode(&mut [0; 16]), Err(error), "{packet}");
            assert!(out.is_empty());
        }
    }

    #[test]
    fn a_short_buffer_is_left_alone_and_told_what_was_needed() {
        let mut out = [0; 4];
        assert_eq!(
            Packet::Publish(PUBLISH).encode(&mut out),
            Err(EncodeError::BufferTooSmall { needed: 5 })
        );
        assert_eq!(out, [0; 4]);
    }
}
