//! The codec against a second implementation, `mqtt5-protocol`, in both directions: on packets at random, and on bytes at
//! random. Both must understand the same, except where [`theirs_may_accept`] and [`ours_may_accept`] say why not.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use mqtt::{
    Connack, Connect, ConnectCode, DecodeError, Filters, Packet, PacketId, Publish, QoS, Suback,
    Subscribe, TopicFilters, Unsubscribe, Version, Will, frame_length,
};
use mqtt5_protocol::packet::connack::ConnAckPacket;
use mqtt5_protocol::packet::connect::ConnectPacket;
use mqtt5_protocol::packet::disconnect::DisconnectPacket;
use mqtt5_protocol::packet::puback::PubAckPacket;
use mqtt5_protocol::packet::pubcomp::PubCompPacket;
use mqtt5_protocol::packet::publish::PublishPacket;
use mqtt5_protocol::packet::pubrec::PubRecPacket;
use mqtt5_protocol::packet::pubrel::PubRelPacket;
use mqtt5_protocol::packet::suback::{SubAckPacket, SubAckReasonCode};
use mqtt5_protocol::packet::subscribe::SubscribePacket;
use mqtt5_protocol::packet::unsuback::UnsubAckPacket;
use mqtt5_protocol::packet::unsubscribe::UnsubscribePacket;
use mqtt5_protocol::packet::{FixedHeader, MqttPacket, Packet as Theirs};
use mqtt5_protocol::{ConnectOptions, QoS as TheirQoS, ReasonCode, WillMessage};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn they_read_what_we_write(packet in packet()) {
        packet.with(|ours| {
            let theirs = their_decode(&encoded(ours)).unwrap();
            assert!(same(ours, &theirs), "{ours:?} was read as {theirs:?}");
        });
    }

    #[test]
    fn we_read_what_they_write_and_would_write_the_same(packet in packet()) {
        packet.with(|ours| {
            let bytes = their_encode(ours);
            assert_eq!(Packet::decode(&bytes).as_ref(), Ok(ours));
            assert_eq!(encoded(ours), bytes);
        });
    }

    #[test]
    fn both_find_the_same_end_of_a_packet(bytes in prop::collection::vec(prop_oneof![any::<u8>(), 0x80..=0x8f_u8], 0..8)) {
        let theirs = FixedHeader::decode(&mut bytes.as_slice());
        match frame_length(&bytes) {
            Ok(Some(ours)) => if let Ok(theirs) = theirs {
                assert_eq!(ours.remaining, theirs.remaining_length as usize);
            } else {
                // They look at the packet type at once.
                assert_eq!(bytes[0] >> 4, 0, "{bytes:02x?}");
            },
            Ok(None) | Err(_) => assert!(theirs.is_err(), "{bytes:02x?}"),
        }
    }

    #[test]
    fn both_understand_the_same_of_any_bytes(bytes in hostile_frame()) {
        match (Packet::decode(&bytes), their_decode(&bytes)) {
            (Ok(ours), Ok(theirs)) => assert!(
                same(&ours, &theirs) || reserved_connack(&ours),
                "{bytes:02x?}: {ours:?} and {theirs:?}"
            ),
            (Ok(ours), Err(why)) => assert!(ours_may_accept(&ours), "{bytes:02x?}: {ours:?}, they say {why}"),
            (Err(why), Ok(theirs)) => assert!(
                theirs_may_accept(why, &theirs),
                "{bytes:02x?}: {theirs:?}, we say {why}"
            ),
            (Err(_), Err(_)) => {}
        }
    }
}

/// What they take and we do not.
fn theirs_may_accept(why: DecodeError, theirs: &Theirs) -> bool {
    match (why, theirs) {
        // They leave these to the layers above their codec.
        (
            DecodeError::PacketId,
            Theirs::Publish(_)
            | Theirs::PubAck(_)
            | Theirs::PubRec(_)
            | Theirs::PubRel(_)
            | Theirs::PubComp(_)
            | Theirs::Subscribe(_)
            | Theirs::SubAck(_)
            | Theirs::Unsubscribe(_)
            | Theirs::UnsubAck(_),
        )
        | (DecodeError::TopicName, Theirs::Publish(_) | Theirs::Connect(_))
        | (DecodeError::TopicFilter, Theirs::Subscribe(_) | Theirs::Unsubscribe(_))
        | (DecodeError::ProtocolLevel(_), Theirs::Connect(_)) => true,
        // They mask the reserved bits of the requested QoS away, and take 3 for 0.
        (DecodeError::QoS, Theirs::Subscribe(_)) => true,
        // They read the forms of MQTT 5, with reason codes and properties, where a version is not told.
        (
            DecodeError::Length,
            Theirs::PubAck(_)
            | Theirs::PubRec(_)
            | Theirs::PubRel(_)
            | Theirs::PubComp(_)
            | Theirs::ConnAck(_)
            | Theirs::Disconnect(_),
        )
        | (DecodeError::SubackCode, Theirs::SubAck(_))
        | (DecodeError::PacketType(15), Theirs::Auth(_)) => true,
        // They do not look whether anything follows the last field.
        (DecodeError::Length, Theirs::Connect(_) | Theirs::PingReq | Theirs::PingResp) => true,
        // They take a session that is present though refused.
        (DecodeError::Connack, Theirs::ConnAck(connack)) => {
            connack.session_present && connack.reason_code != ReasonCode::Success
        }
        _ => false,
    }
}

/// What we take and they do not.
fn ours_may_accept(ours: &Packet<'_>) -> bool {
    // They speak no MQTT 3.1.
    let old = matches!(ours, Packet::Connect(connect) if connect.version == Version::V31);
    old || reserved_connack(ours)
}

/// The return codes 6 to 255 are reserved in 3.1.1; they read reason codes of MQTT 5 into them.
fn reserved_connack(ours: &Packet<'_>) -> bool {
    matches!(ours, Packet::Connack(connack) if matches!(connack.code, ConnectCode::Other(_)))
}

fn same(ours: &Packet<'_>, theirs: &Theirs) -> bool {
    match (ours, theirs) {
        (Packet::Connect(ours), Theirs::Connect(theirs)) => {
            let will = match (&ours.will, &theirs.will) {
                (None, None) => true,
                (Some(ours), Some(theirs)) => {
                    (ours.topic, ours.payload, ours.qos as u8, ours.retain)
                        == (
                            &*theirs.topic,
                            &*theirs.payload,
                            theirs.qos as u8,
                            theirs.retain,
                        )
                }
                _ => false,
            };
            will && ours.version.level() == theirs.protocol_version
                && ours.clean_session == theirs.clean_start
                && ours.keep_alive == theirs.keep_alive
                && ours.client_id == theirs.client_id
                && ours.username == theirs.username.as_deref()
                && ours.password == theirs.password.as_deref()
        }
        (Packet::Connack(ours), Theirs::ConnAck(theirs)) => {
            ours.session_present == theirs.session_present
                && their_reason(ours.code) == Some(theirs.reason_code)
        }
        (Packet::Publish(ours), Theirs::Publish(theirs)) => {
            ours.topic == theirs.topic_name
                && ours.id.map(PacketId::get) == theirs.packet_id
                && ours.payload == theirs.payload
                && ours.qos as u8 == theirs.qos as u8
                && (ours.retain, ours.dup) == (theirs.retain, theirs.dup)
        }
        (Packet::Puback(ours), Theirs::PubAck(theirs)) => ours.get() == theirs.packet_id,
        (Packet::Pubrec(ours), Theirs::PubRec(theirs)) => ours.get() == theirs.packet_id,
        (Packet::Pubrel(ours), Theirs::PubRel(theirs)) => ours.get() == theirs.packet_id,
        (Packet::Pubcomp(ours), Theirs::PubComp(theirs)) => ours.get() == theirs.packet_id,
        (Packet::Subscribe(ours), Theirs::Subscribe(theirs)) => {
            let theirs_filters = theirs
                .filters
                .iter()
                .map(|filter| (&*filter.filter, filter.options.qos as u8));
            ours.id.get() == theirs.packet_id
                && ours
                    .filters
                    .iter()
                    .map(|(filter, qos)| (filter, qos as u8))
                    .eq(theirs_filters)
        }
        (Packet::Suback(ours), Theirs::SubAck(theirs)) => {
            ours.id.get() == theirs.packet_id
                && ours
                    .codes
                    .iter()
                    .copied()
                    .eq(theirs.reason_codes.iter().map(|code| *code as u8))
        }
        (Packet::Unsubscribe(ours), Theirs::Unsubscribe(theirs)) => {
            ours.id.get() == theirs.packet_id
                && ours.filters.iter().eq(theirs.filters.iter().map(|f| &**f))
        }
        (Packet::Unsuback(ours), Theirs::UnsubAck(theirs)) => ours.get() == theirs.packet_id,
        (Packet::Pingreq, Theirs::PingReq)
        | (Packet::Pingresp, Theirs::PingResp)
        | (Packet::Disconnect, Theirs::Disconnect(_)) => true,
        _ => false,
    }
}

fn their_decode(bytes: &[u8]) -> Result<Theirs, String> {
    let mut rest = bytes;
    let header = FixedHeader::decode(&mut rest).map_err(|error| error.to_string())?;
    if header.remaining_length as usize != rest.len() {
        return Err("not one whole packet".into());
    }
    Theirs::decode_from_body_with_version(header.packet_type, &header, &mut rest, 4)
        .map_err(|error| error.to_string())
}

/// The bytes that they write for the same packet.
fn their_encode(ours: &Packet<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    match ours {
        Packet::Connect(ours) => their_connect(ours).encode(&mut out),
        Packet::Connack(ours) => {
            let reason = their_reason(ours.code).unwrap();
            ConnAckPacket::new_v311(ours.session_present, reason).encode(&mut out)
        }
        Packet::Publish(ours) => {
            PublishPacket::new_v311(ours.topic, ours.payload.to_vec(), their_qos(ours.qos))
                .with_packet_id(ours.id.map_or(0, PacketId::get))
                .with_retain(ours.retain)
                .with_dup(ours.dup)
                .encode(&mut out)
        }
        Packet::Puback(id) => PubAckPacket::new(id.get()).encode(&mut out),
        Packet::Pubrec(id) => PubRecPacket::new(id.get()).encode(&mut out),
        Packet::Pubrel(id) => PubRelPacket::new(id.get()).encode(&mut out),
        Packet::Pubcomp(id) => PubCompPacket::new(id.get()).encode(&mut out),
        Packet::Subscribe(ours) => ours
            .filters
            .iter()
            .fold(
                SubscribePacket::new_v311(ours.id.get()),
                |theirs, (filter, qos)| theirs.add_filter(filter, their_qos(qos)),
            )
            .encode(&mut out),
        Packet::Suback(ours) => ours
            .codes
            .iter()
            .fold(SubAckPacket::new_v311(ours.id.get()), |theirs, &code| {
                theirs.add_reason_code(SubAckReasonCode::from_u8(code).unwrap())
            })
            .encode(&mut out),
        Packet::Unsubscribe(ours) => ours
            .filters
            .iter()
            .fold(
                UnsubscribePacket::new_v311(ours.id.get()),
                UnsubscribePacket::add_filter,
            )
            .encode(&mut out),
        Packet::Unsuback(id) => UnsubAckPacket::new_v311(id.get()).encode(&mut out),
        Packet::Pingreq => {
            mqtt5_protocol::packet::pingreq::PingReqPacket::default().encode(&mut out)
        }
        Packet::Pingresp => {
            mqtt5_protocol::packet::pingresp::PingRespPacket::default().encode(&mut out)
        }
        Packet::Disconnect => DisconnectPacket::normal().encode(&mut out),
    }
    .unwrap();
    out
}

fn their_connect(ours: &Connect<'_>) -> ConnectPacket {
    let mut options = ConnectOptions::new(ours.client_id);
    options.clean_start = ours.clean_session;
    options.username = ours.username.map(Into::into);
    options.password = ours.password.map(Into::into);
    options.will = ours.will.map(|will| {
        let mut theirs = WillMessage::new(will.topic, will.payload);
        theirs.qos = their_qos(will.qos);
        theirs.retain = will.retain;
        theirs
    });
    let mut theirs = ConnectPacket::new_v311(options);
    theirs.keep_alive = ours.keep_alive;
    theirs
}

fn their_qos(ours: QoS) -> TheirQoS {
    TheirQoS::from(ours as u8)
}

fn their_reason(ours: ConnectCode) -> Option<ReasonCode> {
    match ours {
        ConnectCode::Accepted => Some(ReasonCode::Success),
        ConnectCode::UnacceptableProtocolVersion => Some(ReasonCode::UnsupportedProtocolVersion),
        ConnectCode::IdentifierRejected => Some(ReasonCode::ClientIdentifierNotValid),
        ConnectCode::ServerUnavailable => Some(ReasonCode::ServerUnavailable),
        ConnectCode::BadCredentials => Some(ReasonCode::BadUsernameOrPassword),
        ConnectCode::NotAuthorized => Some(ReasonCode::NotAuthorized),
        ConnectCode::Other(_) => None,
    }
}

fn encoded(packet: &Packet<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    packet.append_to(&mut out).unwrap();
    out
}

/// What a packet is made of; the packet itself borrows.
#[derive(Clone, Debug)]
struct Parts {
    kind: u8,
    id: u16,
    qos: QoS,
    flags: [bool; 4],
    number: u16,
    code: u8,
    text: [String; 2],
    topic: String,
    payload: Vec<u8>,
    filters: Vec<(String, QoS)>,
    codes: Vec<u8>,
}

impl Parts {
    fn with(&self, check: impl FnOnce(&Packet<'_>)) {
        let id = PacketId::new(self.id).unwrap();
        let [first, second, third, fourth] = self.flags;
        let acknowledged = self.qos != QoS::AtMostOnce;
        let subscriptions: Vec<_> = self.filters.iter().map(|(f, qos)| (&**f, *qos)).collect();
        let filters: Vec<_> = self.filters.iter().map(|(f, _)| &**f).collect();
        check(&match self.kind {
            1 => Packet::Connect(Connect {
                version: Version::V311,
                clean_session: first,
                keep_alive: self.number,
                client_id: &self.text[0],
                will: second.then_some(Will {
                    topic: &self.topic,
                    payload: &self.payload,
                    qos: self.qos,
                    retain: third,
                }),
                username: (third || fourth).then_some(&self.text[1]),
                password: fourth.then_some(&self.payload),
            }),
            2 => Packet::Connack(Connack {
                session_present: first && self.code == 0,
                code: ConnectCode::from(self.code),
            }),
            3 => Packet::Publish(Publish {
                dup: first && acknowledged,
                qos: self.qos,
                retain: second,
                topic: &self.topic,
                id: acknowledged.then_some(id),
                payload: &self.payload,
            }),
            4 => Packet::Puback(id),
            5 => Packet::Pubrec(id),
            6 => Packet::Pubrel(id),
            7 => Packet::Pubcomp(id),
            8 => Packet::Subscribe(Subscribe {
                id,
                filters: TopicFilters::List(&subscriptions),
            }),
            9 => Packet::Suback(Suback {
                id,
                codes: &self.codes,
            }),
            10 => Packet::Unsubscribe(Unsubscribe {
                id,
                filters: Filters::List(&filters),
            }),
            11 => Packet::Unsuback(id),
            12 => Packet::Pingreq,
            13 => Packet::Pingresp,
            _ => Packet::Disconnect,
        });
    }
}

fn packet() -> impl Strategy<Value = Parts> {
    let qos = || prop::sample::select(vec![QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce]);
    let text = || "[^\0]{0,12}";
    let level = || "[^\0+#/]{0,5}";
    let filter = (
        prop::collection::vec(prop_oneof![4 => level(), 1 => "[+]"], 1..4),
        any::<bool>(),
    )
        .prop_map(|(levels, rest)| {
            let levels = levels.join("/");
            if rest || levels.is_empty() {
                format!("{levels}/#")
            } else {
                levels
            }
        });
    let body = (
        "[^\0+#]{1,12}",
        // Up to where the remaining length takes a third byte.
        prop_oneof![
            8 => prop::collection::vec(any::<u8>(), 0..200),
            1 => prop::collection::vec(any::<u8>(), 16_300..16_500),
        ],
        prop::collection::vec((filter, qos()), 1..5),
        prop::collection::vec(prop::sample::select(vec![0, 1, 2, 0x80]), 1..5),
    );
    let head = (
        1..=14_u8,
        1..=u16::MAX,
        qos(),
        any::<[bool; 4]>(),
        any::<u16>(),
        0..6_u8,
        [text(), text()],
    );
    (head, body).prop_map(
        |((kind, id, qos, flags, number, code, text), (topic, payload, filters, codes))| Parts {
            kind,
            id,
            qos,
            flags,
            number,
            code,
            text,
            topic,
            payload,
            filters,
            codes,
        },
    )
}

/// Whole packets, of any content: such as were valid before a few bytes changed, and such as never were.
fn hostile_frame() -> impl Strategy<Value = Vec<u8>> {
    let mutated = (
        packet(),
        prop::collection::vec(
            (
                any::<prop::sample::Index>(),
                prop_oneof![0..4_u8, any::<u8>()],
            ),
            0..4,
        ),
    )
        .prop_map(|(packet, changes)| {
            let mut bytes = Vec::new();
            packet.with(|packet| bytes = encoded(packet));
            for (at, value) in changes {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            bytes
        });
    let byte = prop_oneof![Just(0_u8), 0..6_u8, b'a'..=b'c', any::<u8>()];
    let framed = (any::<u8>(), prop::collection::vec(byte, 0..60)).prop_map(|(first, body)| {
        let mut bytes = vec![first, body.len() as u8];
        bytes.extend(body);
        bytes
    });
    prop_oneof![mutated, framed]
}
