//! A broker in virtual time, with clients that are nothing but bytes.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test program has its own copy, and uses what it needs"
)]

use broker::{Broker, CloseReason, Config, ConnId, Event, Output, Policy};
use instant::Instant;
use mqtt::{
    Connect, Filters, Packet, PacketId, Publish, QoS, Subscribe, TopicFilters, Unsubscribe, Will,
};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

#[allow(unused_imports, reason = "each test program uses what it needs")]
pub use mqtt::QoS::{AtLeastOnce as Q1, AtMostOnce as Q0, ExactlyOnce as Q2};

/// CONNACK: accepted, no session was there.
pub const ACCEPTED: &[u8] = b"\x20\x02\x00\x00";
/// CONNACK: accepted, and the session was there.
pub const PRESENT: &[u8] = b"\x20\x02\x01\x00";

/// A broker, its clock, and what has come out of it.
pub struct Bench<P = ()> {
    pub broker: Broker<P>,
    pub now: Instant,
    pub events: Vec<Event>,
    received: BTreeMap<ConnId, Vec<u8>>,
    closed: BTreeMap<ConnId, CloseReason>,
    deaf: BTreeSet<ConnId>,
    /// Connections that the broker reads from again.
    pub read_again: Vec<ConnId>,
}

impl Default for Bench {
    fn default() -> Self {
        Self::new(Config::default())
    }
}

impl Bench {
    /// With events, whatever the configuration says.
    pub fn new(config: Config) -> Self {
        Self::under(config, None)
    }
}

impl<P: Policy> Bench<P> {
    /// The same under a policy.
    pub fn under(config: Config, policy: Option<P>) -> Self {
        let config = Config {
            events: true,
            ..config
        };
        Self {
            broker: Broker::under(config, policy),
            now: Instant::from_millis(1_000),
            events: Vec::new(),
            received: BTreeMap::new(),
            closed: BTreeMap::new(),
            deaf: BTreeSet::new(),
            read_again: Vec::new(),
        }
    }

    pub fn accept(&mut self) -> ConnId {
        let conn = self.broker.accept(self.now);
        self.settle();
        conn
    }

    /// A client with a clean session and no keep alive.
    pub fn client(&mut self, client_id: &str) -> ConnId {
        self.connect(&clean(client_id), ACCEPTED)
    }

    /// A client with this CONNECT, which is answered so.
    pub fn connect(&mut self, connect: &Connect<'_>, answer: &[u8]) -> ConnId {
        let conn = self.accept();
        self.send(conn, &Packet::Connect(*connect));
        assert_eq!(self.take_first(conn, answer.len()), answer);
        conn
    }

    /// A client that has subscribed.
    pub fn subscriber(&mut self, client_id: &str, filter: &str, qos: QoS) -> ConnId {
        let conn = self.client(client_id);
        self.subscribe(conn, filter, qos);
        conn
    }

    pub fn subscribe(&mut self, conn: ConnId, filter: &str, qos: QoS) {
        self.send(conn, &subscribe(&[(filter, qos)]));
        let suback = [0x90, 3, 0, 1, qos.level()];
        assert_eq!(self.take_first(conn, 5), suback);
    }

    pub fn publish(&mut self, conn: ConnId, topic: &str, payload: &str, qos: QoS, id: u16) {
        self.send(conn, &publish(topic, payload.as_bytes(), qos, id));
    }

    pub fn send(&mut self, conn: ConnId, packet: &Packet<'_>) {
        self.send_bytes(conn, &bytes(packet));
    }

    pub fn send_bytes(&mut self, conn: ConnId, bytes: &[u8]) {
        self.broker.receive(self.now, conn, bytes);
        self.settle();
    }

    /// The transport breaks.
    pub fn cut(&mut self, conn: ConnId) {
        self.broker.link_closed(conn);
        self.settle();
    }

    /// What came since the last look.
    pub fn take(&mut self, conn: ConnId) -> Vec<u8> {
        self.received.remove(&conn).unwrap_or_default()
    }

    /// The first bytes of what came since the last look.
    pub fn take_first(&mut self, conn: ConnId, n: usize) -> Vec<u8> {
        let mut first = self.take(conn);
        let rest = first.split_off(n.min(first.len()));
        self.received.insert(conn, rest);
        first
    }

    /// The packets that came since the last look, one line each.
    pub fn packets(&mut self, conn: ConnId) -> Vec<String> {
        packets(&self.take(conn))
    }

    /// Why the broker closed the connection.
    pub fn closed(&self, conn: ConnId) -> Option<CloseReason> {
        self.closed.get(&conn).copied()
    }

    /// Lets time pass, from deadline to deadline.
    pub fn wait(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(at) = self.broker.next_deadline()
            && at <= end
        {
            self.now = self.now.max(at);
            self.broker.advance(self.now);
            self.settle();
            assert_ne!(
                self.broker.next_deadline(),
                Some(at),
                "a deadline that has been served is over"
            );
        }
        self.now = end;
        self.broker.advance(end);
        self.settle();
    }

    /// The client stops reading.
    pub fn deafen(&mut self, conn: ConnId) {
        self.deaf.insert(conn);
    }

    /// The client reads again.
    pub fn hear(&mut self, conn: ConnId) {
        self.deaf.remove(&conn);
        self.transmit(conn);
        self.settle();
    }

    pub fn settle(&mut self) {
        while let Some(output) = self.broker.poll_output() {
            match output {
                Output::Transmit(conn) => self.transmit(conn),
                Output::Close(conn, reason) => {
                    self.transmit(conn);
                    self.closed.insert(conn, reason);
                    self.broker.link_closed(conn);
                }
                Output::Read(conn) => self.read_again.push(conn),
                Output::Event(event) => self.events.push(event),
            }
        }
    }

    fn transmit(&mut self, conn: ConnId) {
        while !self.deaf.contains(&conn) && !self.broker.outgoing(conn).is_empty() {
            // In two parts, since a socket may take less than it is offered.
            let outgoing = self.broker.outgoing(conn);
            let n = outgoing.len().div_ceil(2);
            let part = outgoing[..n].to_vec();
            self.received.entry(conn).or_default().extend(part);
            self.broker.sent(conn, n);
        }
    }
}

pub fn clean(client_id: &str) -> Connect<'_> {
    Connect {
        clean_session: true,
        client_id,
        ..Connect::default()
    }
}

pub fn kept(client_id: &str) -> Connect<'_> {
    Connect {
        clean_session: false,
        ..clean(client_id)
    }
}

#[allow(clippy::unnecessary_wraps, reason = "as CONNECT takes it")]
pub fn will(topic: &'static str, payload: &'static str) -> Option<Will<'static>> {
    Some(Will {
        topic,
        payload: payload.as_bytes(),
        qos: Q0,
        retain: false,
    })
}

pub fn id(id: u16) -> PacketId {
    PacketId::new(id).unwrap()
}

/// `id` means nothing with QoS 0.
pub fn publish<'a>(topic: &'a str, payload: &'a [u8], qos: QoS, id: u16) -> Packet<'a> {
    Packet::Publish(Publish {
        dup: false,
        qos,
        retain: false,
        topic,
        id: if qos == Q0 { None } else { PacketId::new(id) },
        payload,
    })
}

pub fn retained<'a>(topic: &'a str, payload: &'a [u8], qos: QoS, id: u16) -> Packet<'a> {
    let Packet::Publish(publish) = publish(topic, payload, qos, id) else {
        unreachable!()
    };
    Packet::Publish(Publish {
        retain: true,
        ..publish
    })
}

/// With packet identifier 1.
pub fn subscribe<'a>(filters: &'a [(&'a str, QoS)]) -> Packet<'a> {
    Packet::Subscribe(Subscribe {
        id: PacketId::FIRST,
        filters: TopicFilters::List(filters),
    })
}

/// With packet identifier 1.
pub fn unsubscribe<'a>(filters: &'a [&'a str]) -> Packet<'a> {
    Packet::Unsubscribe(Unsubscribe {
        id: PacketId::FIRST,
        filters: Filters::List(filters),
    })
}

pub fn bytes(packet: &Packet<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    packet.append_to(&mut bytes).unwrap();
    bytes
}

/// Every packet that a server sent, one line each; a PUBLISH ends in its payload.
pub fn packets(mut bytes: &[u8]) -> Vec<String> {
    let mut lines = Vec::new();
    while !bytes.is_empty() {
        let length = mqtt::frame_length(bytes).unwrap().unwrap().total();
        let packet = Packet::decode(&bytes[..length]).unwrap();
        let mut line = packet.to_string();
        if let Packet::Publish(publish) = packet {
            line = line.rsplitn(3, ' ').last().unwrap().to_string();
            line = format!("{line} {}", String::from_utf8_lossy(publish.payload));
        }
        lines.push(line);
        bytes = &bytes[length..];
    }
    lines
}
