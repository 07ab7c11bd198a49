//! A broker with clients that send what they like: it never panics, and serves the others.
#![no_main]

use arbitrary::Arbitrary;
use broker::{Broker, Config, ConnId, Output};
use instant::Instant;
use libfuzzer_sys::fuzz_target;
use std::time::Duration;

#[derive(Arbitrary, Debug)]
enum Act<'a> {
    Accept,
    Connect(u8),
    Data(u8, &'a [u8]),
    Publish(u8, &'a str, &'a [u8], u8),
    Subscribe(u8, &'a str, u8),
    Gone(u8),
    Wait(u16),
}

fuzz_target!(|acts: Vec<Act<'_>>| {
    let mut now = Instant::ZERO;
    let mut broker = Broker::new(Config { max_queued: 20, max_outgoing: 4096, events: true, ..Config::default() });
    let mut clients: Vec<ConnId> = Vec::new();
    for act in acts {
        match act {
            Act::Accept if clients.len() < 8 => clients.push(broker.accept(now)),
            Act::Connect(who) => {
                let packet = [b"\x10\x0d\x00\x04MQTT\x04\x00\x00\x0a\x00\x01".as_slice(), &[b'a' + who % 4]].concat();
                send(&mut broker, now, &clients, who, &packet);
            }
            Act::Data(who, bytes) => send(&mut broker, now, &clients, who, bytes),
            Act::Publish(who, topic, payload, qos) => {
                let qos = mqtt::QoS::try_from(qos % 3).unwrap();
                let id = (qos != mqtt::QoS::AtMostOnce).then_some(mqtt::PacketId::FIRST);
                let packet = mqtt::Packet::Publish(mqtt::Publish { dup: false, qos, retain: who & 8 != 0, topic, id, payload });
                let mut bytes = Vec::new();
                let _ = packet.append_to(&mut bytes);
                send(&mut broker, now, &clients, who, &bytes);
            }
            Act::Subscribe(who, filter, qos) => {
                let filters = [(filter, mqtt::QoS::try_from(qos % 3).unwrap())];
                let id = mqtt::PacketId::FIRST;
                let packet = mqtt::Packet::Subscribe(mqtt::Subscribe { id, filters: mqtt::TopicFilters::List(&filters) });
                let mut bytes = Vec::new();
                let _ = packet.append_to(&mut bytes);
                send(&mut broker, now, &clients, who, &bytes);
            }
            Act::Gone(who) => {
                if !clients.is_empty() {
                    let conn = clients.swap_remove(usize::from(who) % clients.len());
                    broker.link_closed(conn);
                }
            }
            Act::Wait(millis) => {
                now = now + Duration::from_millis(millis.into());
                broker.advance(now);
            }
            Act::Accept => {}
        }
        while let Some(output) = broker.poll_output() {
            match output {
                Output::Transmit(conn) => {
                    let n = broker.outgoing(conn).len();
                    broker.sent(conn, n);
                }
                Output::Close(conn, _) => {
                    broker.link_closed(conn);
                    clients.retain(|own| *own != conn);
                }
                Output::Read(_) | Output::Event(_) => {}
            }
        }
    }
    let conn = broker.accept(now);
    broker.receive(now, conn, b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x0a\x00\x01z");
    assert_eq!(broker.outgoing(conn), b"\x20\x02\x00\x00");
});

fn send(broker: &mut Broker, now: Instant, clients: &[ConnId], who: u8, bytes: &[u8]) {
    if let Some(conn) = clients.get(usize::from(who) % clients.len().max(1)) {
        broker.receive(now, *conn, bytes);
    }
}
