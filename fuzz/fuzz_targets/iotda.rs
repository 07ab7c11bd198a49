//! A cloud with a device that sends what it likes: it never panics, and what it keeps can be told in one message.
#![no_main]

use arbitrary::Arbitrary;
use broker::{Broker, Config, ConnId, Output};
use credentials::{Credentials, Secret, SignType};
use instant::Instant;
use iotda::{Device, Platform, Product, Request, broker_config};
use libfuzzer_sys::fuzz_target;
use mqtt::{Connect, Packet, PacketId, Publish, QoS};
use std::time::Duration;

#[derive(Arbitrary, Debug)]
enum Act<'a> {
    LogIn(&'a str, &'a str, &'a [u8], u16),
    Data(&'a [u8]),
    Publish(u8, &'a str, &'a [u8], u8),
    Request(&'a str),
    Wait(u16),
}

/// What stands behind `$oc/devices/d/sys/`.
const TOPICS: [&str; 8] = [
    "properties/report",
    "messages/up",
    "events/up",
    "gateway/sub_devices/properties/report",
    "shadow/get/request_id=1",
    "commands/response/request_id=00000000-0000-4000-8000-000000000001",
    "properties/set/response/request_id=00000000-0000-4000-8000-000000000002",
    "properties/get/response/request_id=00000000-0000-4000-8000-000000000003",
];

fuzz_target!(|acts: Vec<Act<'_>>| {
    let mut now = Instant::ZERO;
    let product: Product = serde_json::from_str(
        r#"{"product_id":"p","service_capabilities":[{"service_id":"s","properties":[{"property_name":"a","data_type":"int","min":"0","max":"9"}],
            "commands":[{"command_name":"c"}]}],"allowed_topics":["a*?"]}"#,
    )
    .unwrap();
    let device = Device { id: "d".into(), secret: "secret".into(), product: Some("p".into()), frozen: false };
    let plain = Device { id: "e".into(), product: None, ..device.clone() };
    let config = iotda::Config { devices: vec![device, plain], products: vec![product], news: true, ..iotda::Config::default() };
    let platform = Platform::new(now, config).unwrap();
    let mut broker = Broker::under(broker_config(Config::default()), Some(platform));
    let mut conns = [None; 2];
    for act in acts {
        for (conn, id) in conns.iter_mut().zip(["d", "e"]) {
            if conn.is_none() {
                *conn = Some(log_in(&mut broker, now, id));
            }
        }
        let conn = |who: u8| conns[usize::from(who & 1)].unwrap();
        match act {
            Act::LogIn(client_id, name, password, keep_alive) => {
                let conn = broker.accept(now);
                let connect = Connect { client_id, username: Some(name), password: Some(password), keep_alive, ..Connect::default() };
                send(&mut broker, now, conn, &Packet::Connect(connect));
                broker.link_closed(conn);
            }
            Act::Data(bytes) => broker.receive(now, conn(0), bytes),
            Act::Publish(who, topic, payload, qos) => {
                let topic = match TOPICS.get(usize::from(who / 2)) {
                    Some(own) => format!("$oc/devices/{}/sys/{own}", ["d", "e"][usize::from(who & 1)]),
                    None => topic.into(),
                };
                let qos = QoS::try_from(qos % 2).unwrap();
                let id = (qos != QoS::AtMostOnce).then_some(PacketId::FIRST);
                let publish = Publish { dup: false, qos, retain: false, topic: &topic, id, payload };
                send(&mut broker, now, conn(who), &Packet::Publish(publish));
            }
            Act::Request(line) => {
                if let Ok(request) = line.parse::<Request>() {
                    broker.with_policy(|platform| drop(platform.request(now, request)));
                }
            }
            Act::Wait(millis) => {
                now = now + Duration::from_millis(millis.into());
                broker.advance(now);
            }
        }
        while let Some(output) = broker.poll_output() {
            if let Output::Transmit(conn) | Output::Close(conn, _) = output {
                let sent = broker.outgoing(conn).len();
                broker.sent(conn, sent);
            }
            if let Output::Close(closed, _) = output {
                broker.link_closed(closed);
                conns.iter_mut().filter(|own| **own == Some(closed)).for_each(|own| *own = None);
            }
        }
        broker.with_policy(|platform| {
            while let Some(news) = platform.poll_news() {
                let _ = news.to_string();
            }
            while platform.poll_answer().is_some() {}
        });
        assert_eq!(broker.stats().dropped, 0, "what the cloud has for a device fits into a message");
    }
});

fn log_in(broker: &mut Broker<Platform>, now: Instant, id: &str) -> ConnId {
    let conn = broker.accept(now);
    let timestamp = "1970010100".parse().unwrap();
    let login = Credentials::new(id, &Secret::from("secret"), SignType::Unchecked, timestamp).unwrap();
    let client_id = login.client_id.to_string();
    let connect = Connect {
        clean_session: true,
        keep_alive: 1200,
        client_id: &client_id,
        username: Some(id),
        password: Some(login.password.as_bytes()),
        ..Connect::default()
    };
    send(broker, now, conn, &Packet::Connect(connect));
    conn
}

fn send(broker: &mut Broker<Platform>, now: Instant, conn: ConnId, packet: &Packet<'_>) {
    let mut bytes = Vec::new();
    if packet.append_to(&mut bytes).is_ok() {
        broker.receive(now, conn, &bytes);
    }
}
