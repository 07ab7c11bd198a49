//! How often does each peer panic on what a hostile server or client may send?

use crate::peers::{mpc_client, our_client};
use bytes::BytesMut;
use mqtt_protocol_core::mqtt as mpc;
use std::panic::{AssertUnwindSafe, catch_unwind};
use tokio_util::codec::Decoder;

type Feed = Box<dyn FnMut(&[u8])>;

/// A session lives for this many inputs at most: half a packet would swallow all that follow.
const LIFE: usize = 4;

/// Name and panics. Every crate gets the same inputs, whole packets and broken ones; a session that ended is replaced.
pub fn panics(inputs: usize) -> impl Iterator<Item = (&'static str, usize)> {
    std::panic::set_hook(Box::new(|_| ()));
    let rows: [(&'static str, fn() -> Feed); 10] = [
        ("**modemq-mqtt** codec", || {
            Box::new(|bytes| {
                let _ = mqtt::frame_length(bytes);
                let _ = mqtt::Packet::decode(bytes);
            })
        }),
        ("**modemq-mqtt** `Session`", || {
            let mut session = our_client();
            Box::new(move |bytes| {
                session.receive(instant::Instant::ZERO, bytes, &mut |_| ());
                session.sent(usize::MAX);
                if session.state() != mqtt::State::Connected {
                    session = our_client();
                }
            })
        }),
        ("mqttrs 0.4.1", || {
            Box::new(|bytes| drop(mqttrs::decode_slice(bytes)))
        }),
        ("mqttbytes 0.6.0 `v4`", || {
            Box::new(|bytes| drop(mqttbytes::v4::read(&mut BytesMut::from(bytes), 1 << 20)))
        }),
        ("rumqttc 0.25.1 `mqttbytes::v4`", || {
            Box::new(|bytes| drop(rumqttc::Packet::read(&mut BytesMut::from(bytes), 1 << 20)))
        }),
        ("rumqttc 0.25.1 `MqttState`", || {
            let mut state = rumqttc::MqttState::new(100, false);
            Box::new(move |bytes| {
                if let Ok(packet) = rumqttc::Packet::read(&mut BytesMut::from(bytes), 1 << 20)
                    && state.handle_incoming_packet(packet).is_err()
                {
                    state = rumqttc::MqttState::new(100, false);
                }
                state.events.clear();
            })
        }),
        ("rmqtt-codec 0.3.1 `v3`", || {
            Box::new(|bytes| {
                let _ = rmqtt_codec::v3::Codec::new(1 << 20).decode(&mut BytesMut::from(bytes));
            })
        }),
        ("mqtt5-protocol 0.16.2 (3.1.1)", || {
            Box::new(|mut bytes| {
                use mqtt5_protocol::{FixedHeader, Packet};
                if let Ok(header) = FixedHeader::decode(&mut bytes) {
                    let _ = Packet::decode_from_body_with_version(
                        header.packet_type,
                        &header,
                        &mut bytes,
                        4,
                    );
                }
            })
        }),
        ("mqtt-proto 0.4.0 `v3`", || {
            Box::new(|bytes| drop(mqtt_proto::v3::Packet::decode(bytes)))
        }),
        ("mqtt-protocol-core 0.7.9 `Connection`", || {
            let mut client = mpc_client();
            Box::new(move |bytes| {
                let mut cursor = mpc::common::Cursor::new(bytes);
                let events = client.recv(&mut cursor);
                let over = |event: &mpc::connection::Event| {
                    matches!(event, mpc::connection::Event::RequestClose)
                };
                if events.iter().any(over) || cursor.position() < bytes.len() as u64 {
                    client = mpc_client();
                }
            })
        }),
    ];
    rows.into_iter().map(move |(name, make)| {
        let mut random = Random(0x9E37_79B9_7F4A_7C15);
        let mut feed = make();
        let mut panics = 0;
        let mut input = Vec::new();
        for round in 0..inputs {
            if round % LIFE == 0 {
                feed = make();
            }
            random.input(&mut input);
            if catch_unwind(AssertUnwindSafe(|| feed(&input))).is_err() {
                panics += 1;
                feed = make();
            }
        }
        (name, panics)
    })
}

/// xorshift: the same inputs on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() >> 33) as usize % end
    }

    /// A valid packet with up to three bytes changed, a field set to zero or an end cut off; or any type and flags with a body of small
    /// numbers, whose length fits.
    fn input(&mut self, out: &mut Vec<u8>) {
        const VALID: [&[u8]; 12] = [
            crate::WIRE,
            b"\x34\x08\x00\x01t\x00\x07two",
            b"\x10\x1d\x00\x04MQTT\x04\xce\x00\x3c\x00\x03dev\x00\x01w\x00\x01p\x00\x01u\x00\x01s",
            b"\x10\x0f\x00\x06MQIsdp\x03\x02\x00\x0a\x00\x01x",
            b"\x20\x02\x00\x00",
            b"\x40\x02\x00\x01",
            b"\x50\x02\x00\x01",
            b"\x62\x02\x00\x01",
            b"\x82\x0c\x00\x0a\x00\x03a/b\x01\x00\x01#\x00",
            b"\x90\x04\x00\x01\x02\x80",
            b"\xa2\x0a\x00\x0a\x00\x03a/b\x00\x01#",
            b"\xd0\x00",
        ];
        out.clear();
        if self.next() & 1 == 0 {
            out.extend(VALID[self.below(VALID.len())]);
            for _ in 0..self.below(4) {
                let at = self.below(out.len());
                out[at] = self.byte();
            }
            // A field of two bytes set to zero: a length, a packet identifier, a keep alive.
            if self.below(4) == 0 && out.len() > 3 {
                let at = 2 + self.below(out.len() - 3);
                out[at..at + 2].fill(0);
            }
            if self.below(8) == 0 {
                out.truncate(self.below(out.len() + 1));
            }
            // Mostly the length fits what is there, or most of the inputs would fail on it alone.
            if self.below(4) != 0 && out.len() > 1 {
                out[1] = out.len() as u8 - 2;
            }
        } else {
            let length = self.below(40);
            out.extend([self.next() as u8, length as u8]);
            for _ in 0..length {
                let byte = self.byte();
                out.push(byte);
            }
        }
    }

    fn byte(&mut self) -> u8 {
        if self.next() & 1 == 0 {
            self.below(8) as u8
        } else {
            self.next() as u8
        }
    }
}
