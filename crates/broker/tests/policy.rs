//! What a policy decides, and what MQTT keeps all the same.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use broker::{Broker, CloseReason, Config, ConnId, Delivery, Grant, Output, Policy, Verdict};
use instant::Instant;
use mqtt::{Connect, ConnectCode, Packet, PacketId, Publish, QoS, Subscribe, TopicFilters, Will};
use std::collections::VecDeque;
use std::time::Duration;

/// Lets in who has a user name, and knows clients by it.
#[derive(Default)]
struct ByName {
    told: Vec<String>,
    out: VecDeque<Delivery>,
    alarm: Option<Instant>,
}

impl Policy for ByName {
    fn admit(&mut self, _: Instant, connect: &Connect<'_>) -> Result<String, ConnectCode> {
        let name = connect.username.ok_or(ConnectCode::NotAuthorized)?;
        Ok(name.into())
    }

    fn arrived(&mut self, _: Instant, client: &str) {
        self.told.push(format!("{client} arrived"));
        self.out.push_back(delivery(client, "hello"));
    }

    fn gone(&mut self, client: &str) {
        self.told.push(format!("{client} gone"));
    }

    fn publish(&mut self, now: Instant, client: &str, message: &Publish<'_>) -> Verdict {
        match message.topic {
            "taken" => {
                self.out.push_back(delivery(client, "answer"));
                self.alarm = Some(now + Duration::from_secs(5));
                Verdict::Take
            }
            "closed" => Verdict::Close,
            _ => Verdict::Route,
        }
    }

    fn subscribe(&mut self, _: Instant, _: &str, filter: &str, qos: QoS) -> Grant {
        match filter {
            "secret" => Grant::Refused,
            _ => Grant::Granted(qos.min(QoS::AtLeastOnce)),
        }
    }

    fn takes_wills(&self) -> bool {
        false
    }

    fn retains(&self) -> bool {
        false
    }

    fn advance(&mut self, now: Instant) {
        if self.alarm.take_if(|at| *at <= now).is_some() {
            self.out.push_back(delivery("ann", "late"));
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        self.alarm
    }

    fn poll_delivery(&mut self) -> Option<Delivery> {
        self.out.pop_front()
    }
}

fn delivery(client: &str, topic: &str) -> Delivery {
    Delivery {
        client: client.into(),
        topic: topic.into(),
        payload: b"x".to_vec(),
        qos: QoS::ExactlyOnce,
    }
}

struct Bench {
    broker: Broker<ByName>,
    now: Instant,
}

impl Bench {
    fn new() -> Self {
        Self {
            broker: Broker::under(Config::default(), Some(ByName::default())),
            now: Instant::from_millis(1_000),
        }
    }

    fn client(&mut self, client_id: &str, username: Option<&str>) -> ConnId {
        let conn = self.broker.accept(self.now);
        let connect = Connect {
            clean_session: true,
            client_id,
            username,
            will: Some(Will {
                topic: "will",
                payload: b"gone",
                qos: QoS::AtMostOnce,
                retain: false,
            }),
            ..Connect::default()
        };
        self.send(conn, &Packet::Connect(connect));
        conn
    }

    fn subscribe(&mut self, conn: ConnId, filter: &str) {
        let filters = [(filter, QoS::ExactlyOnce)];
        let filters = TopicFilters::List(&filters);
        let id = PacketId::FIRST;
        self.send(conn, &Packet::Subscribe(Subscribe { id, filters }));
    }

    fn publish(&mut self, conn: ConnId, topic: &str, retain: bool) {
        let publish = Publish {
            dup: false,
            qos: QoS::AtLeastOnce,
            retain,
            topic,
            id: Some(PacketId::FIRST),
            payload: b"x",
        };
        self.send(conn, &Packet::Publish(publish));
    }

    fn send(&mut self, conn: ConnId, packet: &Packet<'_>) {
        let mut bytes = Vec::new();
        packet.append_to(&mut bytes).unwrap();
        self.broker.receive(self.now, conn, &bytes);
    }

    /// What a client has received since the last look: names of packets, and topics with their QoS.
    fn received(&mut self, conn: ConnId) -> Vec<String> {
        let bytes = self.broker.outgoing(conn).to_vec();
        self.broker.sent(conn, bytes.len());
        let mut rest = bytes.as_slice();
        let mut packets = Vec::new();
        while !rest.is_empty() {
            let length = mqtt::frame_length(rest).unwrap().unwrap().total();
            let (frame, after) = rest.split_at(length);
            packets.push(
                match Packet::decode_as(mqtt::Version::V311, frame).unwrap() {
                    Packet::Publish(publish) => {
                        format!("{} q{}", publish.topic, publish.qos.level())
                    }
                    Packet::Connack(connack) => format!("CONNACK {}", connack.code.code()),
                    Packet::Suback(suback) => format!("SUBACK {:02x?}", suback.codes),
                    packet => packet.name().into(),
                },
            );
            rest = after;
        }
        packets
    }

    fn closed(&mut self) -> Vec<CloseReason> {
        let mut reasons = Vec::new();
        while let Some(output) = self.broker.poll_output() {
            if let Output::Close(conn, reason) = output {
                self.broker.link_closed(conn);
                reasons.push(reason);
            }
        }
        reasons
    }

    fn told(&mut self) -> Vec<String> {
        let told = |policy: &mut ByName| std::mem::take(&mut policy.told);
        self.broker.with_policy(told).unwrap()
    }
}

#[test]
fn a_client_is_who_the_policy_says() {
    let mut bench = Bench::new();
    let nobody = bench.client("a", None);
    assert_eq!(bench.received(nobody), ["CONNACK 5"]);
    assert_eq!(bench.closed(), [CloseReason::Refused]);
    let ann = bench.client("a", Some("ann"));
    assert_eq!(bench.received(ann), ["CONNACK 0", "hello q0"]);
    // Another identifier and the same name: the same client.
    let again = bench.client("b", Some("ann"));
    assert_eq!(bench.closed(), [CloseReason::TakenOver]);
    assert_eq!(bench.received(again), ["CONNACK 0", "hello q0"]);
    assert_eq!(bench.told(), ["ann arrived", "ann gone", "ann arrived"]);
    let clients: Vec<_> = bench
        .broker
        .clients()
        .map(|client| client.client_id)
        .collect();
    assert_eq!(clients, ["ann"]);
}

#[test]
fn what_is_taken_is_acknowledged_and_goes_to_nobody() {
    let mut bench = Bench::new();
    let ann = bench.client("a", Some("ann"));
    let bob = bench.client("b", Some("bob"));
    bench.subscribe(bob, "#");
    bench.received(ann);
    assert_eq!(bench.received(bob)[2..], ["SUBACK [01]"]);
    bench.publish(ann, "taken", false);
    assert_eq!(bench.received(ann), ["PUBACK", "answer q0"]);
    bench.publish(ann, "routed", true);
    assert_eq!(bench.received(bob), ["routed q1"]);
    // Nothing is retained, and no will is published.
    bench.broker.link_closed(ann);
    bench.subscribe(bob, "routed");
    assert_eq!(bench.received(bob), ["SUBACK [01]"]);
    bench.publish(bob, "closed", false);
    assert_eq!(bench.closed(), [CloseReason::NotAllowed]);
}

#[test]
fn deliveries_have_the_qos_of_the_subscription_if_there_is_one() {
    let mut bench = Bench::new();
    let ann = bench.client("a", Some("ann"));
    bench.subscribe(ann, "secret");
    bench.subscribe(ann, "answer");
    assert_eq!(bench.received(ann)[2..], ["SUBACK [80]", "SUBACK [01]"]);
    bench.publish(ann, "taken", false);
    assert_eq!(bench.received(ann), ["PUBACK", "answer q1"]);
    // Whoever is not there gets nothing.
    bench
        .broker
        .with_policy(|policy| policy.out.push_back(delivery("nobody", "x")));
    assert_eq!(bench.received(ann), [""; 0]);
}

#[test]
fn the_policys_deadlines_are_the_brokers() {
    let mut bench = Bench::new();
    let ann = bench.client("a", Some("ann"));
    bench.publish(ann, "taken", false);
    bench.received(ann);
    let at = bench.now + Duration::from_secs(5);
    assert_eq!(bench.broker.next_deadline(), Some(at));
    bench.broker.advance(at);
    assert_eq!(bench.received(ann), ["late q0"]);
    assert_ne!(bench.broker.next_deadline(), Some(at));
}
