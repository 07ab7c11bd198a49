//! The same work, done by each peer in the way that its own documentation shows.
//!
//! Decoding walks a read buffer that holds [`BATCH`] packets, `BytesMut` where the peer takes one; filling it is not timed. Where
//! a peer reads a slice and does not say how much of it, the ends of the packets are known, for us as for them; a second row of
//! ours finds them as well. Encoding starts from a topic and a payload that the caller has as slices, and writes into a buffer that is used
//! again where the peer allows it.

use crate::measure::{BATCH, best_of};
use crate::{Cell, PAYLOAD, TOPIC, WIRE};
use bytes::{Bytes, BytesMut};
use instant::Instant;
use mqtt::{Connect, Packet, PacketId, Publish, QoS, Session, SessionConfig, frame_length};
use mqtt_protocol_core::mqtt as mpc;
use mqtt_protocol_core::mqtt::prelude::*;
use mqtt5_protocol::packet::MqttPacket;
use std::any::Any;
use std::hint::black_box;
use std::num::NonZeroU16;
use tokio_util::codec::{Decoder, Encoder};

fn stream() -> Vec<u8> {
    WIRE.repeat(BATCH)
}

fn stream_bytes() -> BytesMut {
    BytesMut::from(&stream()[..])
}

/// Name, decode, encode.
pub fn codecs() -> impl Iterator<Item = (&'static str, Cell, Cell)> {
    let rows: [fn() -> (&'static str, Cell, Cell); 9] = [
        ours,
        ours_with_ends,
        mqttrs,
        mqttbytes,
        rumqttc,
        rmqtt,
        mqtt5,
        mqtt_proto,
        mpc_codec,
    ];
    rows.into_iter().map(|row| row())
}

fn ours() -> (&'static str, Cell, Cell) {
    let decode = best_of(stream, |bytes| {
        let mut rest = &bytes[..];
        let mut sum = 0;
        while let Some((frame, after)) = rest.split_at_checked(WIRE.len()) {
            rest = after;
            let Ok(Packet::Publish(publish)) = Packet::decode(black_box(frame)) else {
                panic!("decode");
            };
            sum += black_box(&publish).payload.len();
        }
        assert_eq!(sum, BATCH * PAYLOAD.len());
    });
    let encode = best_of(
        || [0; 128],
        |out| {
            for _ in 0..BATCH {
                let publish = Publish {
                    dup: false,
                    qos: QoS::AtLeastOnce,
                    retain: false,
                    topic: black_box(TOPIC),
                    id: PacketId::new(7),
                    payload: black_box(PAYLOAD),
                };
                let length = Packet::Publish(publish).encode(out).expect("encode");
                assert_eq!(black_box(&out[..length]).len(), WIRE.len());
            }
        },
    );
    ("**modemq-mqtt**", Some(decode), Some(encode))
}

fn ours_with_ends() -> (&'static str, Cell, Cell) {
    let decode = best_of(stream, |bytes| {
        let mut rest = &bytes[..];
        let mut sum = 0;
        while let Ok(Some(length)) = frame_length(black_box(rest)) {
            let (frame, after) = rest.split_at(length.total());
            rest = after;
            let Ok(Packet::Publish(publish)) = Packet::decode(black_box(frame)) else {
                panic!("decode");
            };
            sum += black_box(&publish).payload.len();
        }
        assert_eq!(sum, BATCH * PAYLOAD.len());
    });
    ("**modemq-mqtt**, `frame_length` too", Some(decode), None)
}

fn mqttrs() -> (&'static str, Cell, Cell) {
    let decode = best_of(stream, |bytes| {
        let mut rest = &bytes[..];
        let mut sum = 0;
        while let Ok(Some(mqttrs::Packet::Publish(publish))) = mqttrs::decode_slice(black_box(rest))
        {
            sum += black_box(&publish).payload.len();
            rest = &rest[WIRE.len()..];
        }
        assert_eq!(sum, BATCH * PAYLOAD.len());
    });
    let encode = best_of(
        || [0; 128],
        |out| {
            for _ in 0..BATCH {
                let publish = mqttrs::Publish {
                    dup: false,
                    qospid: mqttrs::QosPid::AtLeastOnce(mqttrs::Pid::try_from(7).expect("id")),
                    retain: false,
                    topic_name: black_box(TOPIC),
                    payload: black_box(PAYLOAD),
                };
                let length = mqttrs::encode_slice(&publish.into(), out).expect("encode");
                assert_eq!(black_box(&out[..length]).len(), WIRE.len());
            }
        },
    );
    ("mqttrs 0.4.1", Some(decode), Some(encode))
}

fn mqttbytes() -> (&'static str, Cell, Cell) {
    let decode = best_of(stream_bytes, |bytes| {
        let mut sum = 0;
        while let Ok(mqttbytes::v4::Packet::Publish(publish)) = mqttbytes::v4::read(bytes, 1 << 20)
        {
            sum += black_box(&publish).payload.len();
        }
        assert_eq!(sum, BATCH * PAYLOAD.len());
    });
    let encode = best_of(
        || BytesMut::with_capacity(128),
        |out| {
            for _ in 0..BATCH {
                out.clear();
                let mut publish = mqttbytes::v4::Publish::new(
                    black_box(TOPIC),
                    mqttbytes::QoS::AtLeastOnce,
                    black_box(PAYLOAD),
                );
                publish.pkid = 7;
                publish.write(out).expect("encode");
                assert_eq!(black_box(&out[..]).len(), WIRE.len());
            }
        },
    );
    ("mqttbytes 0.6.0 `v4`", Some(decode), Some(encode))
}

fn rumqttc() -> (&'static str, Cell, Cell) {
    let decode = best_of(stream_bytes, |bytes| {
        let mut sum = 0;
        while let Ok(rumqttc::Packet::Publish(publish)) = rumqttc::Packet::read(bytes, 1 << 20) {
            sum += black_box(&publish).payload.len();
        }
        assert_eq!(sum, BATCH * PAYLOAD.len());
    });
    let encode = best_of(
        || BytesMut::with_capacity(128),
        |out| {
            for _ in 0..BATCH {
                out.clear();
                let mut publish = rumqttc::Publish::new(
                    black_box(TOPIC),
                    rumqttc::QoS::AtLeastOnce,
                    black_box(PAYLOAD),
                );
                publish.pkid = 7;
                publish.write(out).expect("encode");
                assert_eq!(black_box(&out[..]).len(), WIRE.len());
            }
        },
    );
    ("rumqttc 0.25.1 `mqttbytes::v4`", Some(decode), Some(encode))
}

fn rmqtt() -> (&'static str, Cell, Cell) {
    use rmqtt_codec::types::{Publish, QoS};
    use rmqtt_codec::v3::{Codec, Packet};
    let decode = best_of(
        || (Codec::new(1 << 20), stream_bytes()),
        |(codec, bytes)| {
            let mut sum = 0;
            while let Ok(Some((Packet::Publish(publish), _))) = codec.decode(bytes) {
                sum += black_box(&publish).payload.len();
            }
            assert_eq!(sum, BATCH * PAYLOAD.len());
        },
    );
    let encode = best_of(
        || (Codec::new(1 << 20), BytesMut::with_capacity(128)),
        |(codec, out)| {
            for _ in 0..BATCH {
                out.clear();
                let publish = Publish {
                    dup: false,
                    retain: false,
                    qos: QoS::AtLeastOnce,
                    topic: black_box(TOPIC).into(),
                    packet_id: NonZeroU16::new(7),
                    payload: Bytes::copy_from_slice(black_box(PAYLOAD)),
                    properties: None,
                };
                codec
                    .encode(Packet::Publish(Box::new(publish)), out)
                    .expect("encode");
                assert_eq!(black_box(&out[..]).len(), WIRE.len());
            }
        },
    );
    ("rmqtt-codec 0.3.1 `v3`", Some(decode), Some(encode))
}

fn mqtt5() -> (&'static str, Cell, Cell) {
    use mqtt5_protocol::packet::publish::PublishPacket;
    use mqtt5_protocol::{FixedHeader, Packet, QoS};
    let decode = best_of(stream, |bytes| {
        let mut rest = &bytes[..];
        let mut sum = 0;
        while let Ok(header) = FixedHeader::decode(&mut rest) {
            let (mut body, after) = rest.split_at(header.remaining_length as usize);
            rest = after;
            let decoded =
                Packet::decode_from_body_with_version(header.packet_type, &header, &mut body, 4);
            let Ok(Packet::Publish(publish)) = decoded else {
                panic!("decode");
            };
            sum += black_box(&publish).payload.len();
        }
        assert_eq!(sum, BATCH * PAYLOAD.len());
    });
    let encode = best_of(
        || BytesMut::with_capacity(128),
        |out| {
            for _ in 0..BATCH {
                out.clear();
                let payload = Bytes::copy_from_slice(black_box(PAYLOAD));
                PublishPacket::new_v311(black_box(TOPIC), payload, QoS::AtLeastOnce)
                    .with_packet_id(7)
                    .encode(out)
                    .expect("encode");
                assert_eq!(black_box(&out[..]).len(), WIRE.len());
            }
        },
    );
    ("mqtt5-protocol 0.16.2 (3.1.1)", Some(decode), Some(encode))
}

fn mqtt_proto() -> (&'static str, Cell, Cell) {
    use mqtt_proto::v3::{Packet, Publish};
    use mqtt_proto::{Pid, QosPid, TopicName};
    let decode = best_of(stream, |bytes| {
        let mut rest = &bytes[..];
        let mut sum = 0;
        while let Ok(Some(Packet::Publish(publish))) = Packet::decode(black_box(rest)) {
            sum += black_box(&publish).payload.len();
            rest = &rest[WIRE.len()..];
        }
        assert_eq!(sum, BATCH * PAYLOAD.len());
    });
    let encode = best_of(
        || (),
        |()| {
            for _ in 0..BATCH {
                let publish = Publish {
                    dup: false,
                    retain: false,
                    qos_pid: QosPid::Level1(Pid::try_from(7).expect("id")),
                    topic_name: TopicName::try_from(black_box(TOPIC)).expect("topic"),
                    payload: Bytes::copy_from_slice(black_box(PAYLOAD)),
                };
                let out = Packet::Publish(publish).encode().expect("encode");
                assert_eq!(black_box(out.as_ref()).len(), WIRE.len());
            }
        },
    );
    ("mqtt-proto 0.4.0 `v3`", Some(decode), Some(encode))
}

fn mpc_publish() -> mpc::packet::v3_1_1::Publish {
    mpc::packet::v3_1_1::Publish::builder()
        .topic_name(black_box(TOPIC))
        .expect("topic")
        .qos(mpc::packet::Qos::AtLeastOnce)
        .packet_id(7_u16)
        .payload(black_box(PAYLOAD))
        .build()
        .expect("publish")
}

fn mpc_codec() -> (&'static str, Cell, Cell) {
    let decode = best_of(
        || (),
        |()| {
            for _ in 0..BATCH {
                // It takes the body as an `Arc`, which its own connection makes for each packet.
                let body: std::sync::Arc<[u8]> = black_box(&WIRE[2..]).into();
                let (publish, _) =
                    mpc::packet::v3_1_1::Publish::parse(0b0010, body).expect("decode");
                assert_eq!(black_box(&publish).payload().len(), PAYLOAD.len());
            }
        },
    );
    let encode = best_of(
        || (),
        |()| {
            for _ in 0..BATCH {
                let out = mpc_publish().to_continuous_buffer();
                assert_eq!(black_box(&out[..]).len(), WIRE.len());
            }
        },
    );
    (
        "mqtt-protocol-core 0.7.9, packets alone",
        Some(decode),
        Some(encode),
    )
}

/// Name, receive and acknowledge, publish and be acknowledged.
pub fn sessions() -> impl Iterator<Item = (&'static str, Cell, Cell)> {
    let rows: [fn() -> (&'static str, Cell, Cell); 3] = [our_session, mpc_session, rumqttc_session];
    rows.into_iter().map(|row| row())
}

pub fn our_client() -> Session {
    let mut session = Session::new(SessionConfig::default());
    let connect = Connect {
        client_id: "868488076506128",
        keep_alive: 60,
        ..Connect::default()
    };
    session.connect(Instant::ZERO, &connect).expect("connect");
    session.sent(usize::MAX);
    session.receive(Instant::ZERO, b"\x20\x02\x00\x00", &mut |_| ());
    let id = session
        .subscribe(Instant::ZERO, None, &[(TOPIC, QoS::AtLeastOnce)])
        .expect("subscribe");
    session.sent(usize::MAX);
    let [high, low] = id.get().to_be_bytes();
    session.receive(Instant::ZERO, &[0x90, 3, high, low, 1], &mut |_| ());
    session
}

fn our_receive(session: &mut Session, bytes: &[u8]) -> usize {
    let mut sum = 0;
    session.receive(Instant::ZERO, bytes, &mut |event| {
        if let mqtt::Event::Message { payload, .. } = event {
            sum += payload.len();
        }
    });
    let queued = black_box(session.outgoing()).len();
    session.sent(queued);
    sum
}

fn our_publish(session: &mut Session) {
    let id = session
        .publish(Instant::ZERO, TOPIC, PAYLOAD, QoS::AtLeastOnce, false)
        .expect("publish")
        .expect("id");
    let queued = black_box(session.outgoing()).len();
    session.sent(queued);
    let [high, low] = id.get().to_be_bytes();
    session.receive(Instant::ZERO, &[0x40, 2, high, low], &mut |event| {
        black_box(event);
    });
}

fn our_session() -> (&'static str, Cell, Cell) {
    let receive = best_of(our_client, |session| {
        for _ in 0..BATCH {
            assert_eq!(our_receive(session, black_box(WIRE)), PAYLOAD.len());
        }
    });
    let publish = best_of(our_client, |session| {
        for _ in 0..BATCH {
            our_publish(session);
        }
        assert_eq!(session.in_flight(), 0);
    });
    ("**modemq-mqtt** `Session`", Some(receive), Some(publish))
}

/// A silent keep alive is when it gives its buffers back.
fn after_a_ping(mut session: Session) -> Session {
    let later = Instant::ZERO + std::time::Duration::from_secs(60);
    session.advance(later, &mut |event| assert_eq!(event, mqtt::Event::PingSent));
    session.sent(usize::MAX);
    session.receive(later, b"\xd0\x00", &mut |_| ());
    session
}

type MpcClient = mpc::Connection<mpc::role::Client>;

pub fn mpc_client() -> MpcClient {
    let mut client = MpcClient::new(mpc::Version::V3_1_1);
    client.set_auto_pub_response(true);
    let connect = mpc::packet::v3_1_1::Connect::builder()
        .client_id("868488076506128")
        .expect("client id")
        .keep_alive(60)
        .clean_session(false)
        .build()
        .expect("connect");
    client.checked_send(connect);
    client.recv(&mut mpc::common::Cursor::new(&b"\x20\x02\x00\x00"[..]));
    let id = client.acquire_packet_id().expect("id");
    let entry = mpc::packet::SubEntry::new(
        TOPIC,
        mpc::packet::SubOpts::new().set_qos(mpc::packet::Qos::AtLeastOnce),
    );
    let subscribe = mpc::packet::v3_1_1::Subscribe::builder()
        .packet_id(id)
        .entries(vec![entry.expect("filter")])
        .build()
        .expect("subscribe");
    client.checked_send(subscribe);
    let [high, low] = id.to_be_bytes();
    client.recv(&mut mpc::common::Cursor::new(&[0x90, 3, high, low, 1][..]));
    client
}

fn mpc_receive(client: &mut MpcClient, bytes: &[u8]) -> usize {
    let mut sum = 0;
    for event in client.recv(&mut mpc::common::Cursor::new(bytes)) {
        match event {
            mpc::connection::Event::NotifyPacketReceived(mpc::packet::Packet::V3_1_1Publish(
                publish,
            )) => {
                sum += publish.payload().len();
            }
            mpc::connection::Event::RequestSendPacket { packet, .. } => {
                black_box(packet.to_continuous_buffer());
            }
            _ => {}
        }
    }
    sum
}

fn mpc_send(client: &mut MpcClient) {
    let id = client.acquire_packet_id().expect("id");
    let publish = mpc::packet::v3_1_1::Publish::builder()
        .topic_name(black_box(TOPIC))
        .expect("topic")
        .qos(mpc::packet::Qos::AtLeastOnce)
        .packet_id(id)
        .payload(black_box(PAYLOAD))
        .build()
        .expect("publish");
    for event in client.checked_send(publish) {
        if let mpc::connection::Event::RequestSendPacket { packet, .. } = event {
            black_box(packet.to_continuous_buffer());
        }
    }
    let [high, low] = id.to_be_bytes();
    black_box(client.recv(&mut mpc::common::Cursor::new(&[0x40, 2, high, low][..])));
}

fn mpc_session() -> (&'static str, Cell, Cell) {
    let receive = best_of(mpc_client, |client| {
        for _ in 0..BATCH {
            assert_eq!(mpc_receive(client, black_box(WIRE)), PAYLOAD.len());
        }
    });
    let publish = best_of(mpc_client, |client| {
        for _ in 0..BATCH {
            mpc_send(client);
        }
    });
    (
        "mqtt-protocol-core 0.7.9 `Connection`",
        Some(receive),
        Some(publish),
    )
}

struct Rumqttc {
    state: rumqttc::MqttState,
    input: BytesMut,
    output: BytesMut,
}

impl Rumqttc {
    fn new() -> Self {
        let mut client = Self {
            state: rumqttc::MqttState::new(100, false),
            input: BytesMut::with_capacity(128),
            output: BytesMut::with_capacity(128),
        };
        client.subscribe();
        client
    }

    fn subscribe(&mut self) {
        let subscribe = rumqttc::Subscribe::new(TOPIC, rumqttc::QoS::AtLeastOnce);
        self.send(rumqttc::Request::Subscribe(subscribe));
        self.receive(&[0x90, 3, 0, 1, 1]);
    }

    fn send(&mut self, request: rumqttc::Request) {
        if let Some(packet) = self.state.handle_outgoing_packet(request).expect("request") {
            packet.write(&mut self.output, 1 << 20).expect("encode");
        }
        self.state.events.clear();
        black_box(&self.output);
        self.output.clear();
    }

    fn receive(&mut self, bytes: &[u8]) -> usize {
        self.input.extend_from_slice(bytes);
        let packet = rumqttc::Packet::read(&mut self.input, 1 << 20).expect("decode");
        let answer = self.state.handle_incoming_packet(packet).expect("packet");
        if let Some(packet) = answer {
            packet.write(&mut self.output, 1 << 20).expect("encode");
        }
        let mut sum = 0;
        for event in self.state.events.drain(..) {
            if let rumqttc::Event::Incoming(rumqttc::Packet::Publish(publish)) = event {
                sum += publish.payload.len();
            }
        }
        black_box(&self.output);
        self.output.clear();
        sum
    }

    fn publish(&mut self, round: usize) {
        let publish = rumqttc::Publish::new(
            black_box(TOPIC),
            rumqttc::QoS::AtLeastOnce,
            black_box(PAYLOAD),
        );
        self.send(rumqttc::Request::Publish(publish));
        // Its identifiers go round from 1 to the 100 that may be in flight, and SUBSCRIBE took the first.
        let id = ((round + 1) % 100 + 1) as u8;
        self.receive(&[0x40, 2, 0, id]);
    }
}

fn rumqttc_session() -> (&'static str, Cell, Cell) {
    let receive = best_of(Rumqttc::new, |client| {
        for _ in 0..BATCH {
            assert_eq!(client.receive(black_box(WIRE)), PAYLOAD.len());
        }
    });
    let publish = best_of(Rumqttc::new, |client| {
        for round in 0..BATCH {
            client.publish(round);
        }
        assert_eq!(client.state.inflight(), 0);
    });
    (
        "rumqttc 0.25.1 `MqttState` and codec",
        Some(receive),
        Some(publish),
    )
}

/// Name, size of the struct, a session that is idle, and one that was used before.
#[expect(clippy::type_complexity, reason = "read in one place")]
pub fn idle_sessions() -> [(
    &'static str,
    usize,
    fn() -> Box<dyn Any>,
    fn() -> Box<dyn Any>,
); 4] {
    [
        (
            "**modemq-mqtt** `Session`",
            size_of::<Session>(),
            || Box::new(our_client()),
            || {
                let mut session = our_client();
                for _ in 0..100 {
                    our_receive(&mut session, WIRE);
                    our_publish(&mut session);
                }
                Box::new(session)
            },
        ),
        (
            "**modemq-mqtt** `Session`, from its first PINGREQ on",
            size_of::<Session>(),
            || Box::new(after_a_ping(our_client())),
            || {
                let mut session = our_client();
                for _ in 0..100 {
                    our_receive(&mut session, WIRE);
                    our_publish(&mut session);
                }
                Box::new(after_a_ping(session))
            },
        ),
        (
            "mqtt-protocol-core 0.7.9 `Connection`",
            size_of::<MpcClient>(),
            || Box::new(mpc_client()),
            || {
                let mut client = mpc_client();
                for _ in 0..100 {
                    mpc_receive(&mut client, WIRE);
                    mpc_send(&mut client);
                }
                Box::new(client)
            },
        ),
        (
            "rumqttc 0.25.1 `MqttState::new(100)` alone",
            size_of::<rumqttc::MqttState>(),
            || Box::new(Rumqttc::new().state),
            || {
                let mut client = Rumqttc::new();
                for round in 0..100 {
                    client.receive(WIRE);
                    client.publish(round);
                }
                Box::new(client.state)
            },
        ),
    ]
}
