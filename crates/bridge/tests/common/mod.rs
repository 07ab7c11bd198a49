//! Local clients, a bridge, a driver, a module and the broker above, in virtual time.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test program has its own copy, and uses what it needs"
)]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use bridge::{Bridge, Limits};
use broker::{Broker, CloseReason, ConnId, Output};
use dialect::Model;
use driver::{Driver, Event, Message, Options, Wifi};
use instant::Instant;
use mqtt::{
    Connect, Filters, Packet, PacketId, Publish, QoS, Subscribe, TopicFilters, Unsubscribe,
};
use std::collections::BTreeMap;
use std::time::Duration;
use world::{Bench, Pair, Room, Told};

pub use mqtt::QoS::{AtLeastOnce as Q1, AtMostOnce as Q0, ExactlyOnce as Q2};

pub const OPTIONS: Options<'static> = Options {
    host: "broker.test",
    port: 1883,
    client_id: "gateway",
    username: None,
    password: None,
    keep_alive: 30,
    clean_session: true,
    will: None,
    pin: None,
    apn: None,
    wifi: Some(Wifi {
        ssid: "home",
        password: "password",
    }),
    tls: None,
    reset_pin: true,
    patience: driver::Patience {
        first_wait: Duration::from_secs(1),
        longest_wait: Duration::from_secs(60),
        check: Duration::from_secs(60),
        gap: Duration::from_millis(20),
    },
};

/// A local client, which answers what it is sent.
#[derive(Default)]
pub struct Client {
    conn: Option<ConnId>,
    input: Vec<u8>,
    /// Messages, as topic, QoS and payload; RETAIN and DUP are shown when they are set.
    pub messages: Vec<String>,
    /// Identifiers of messages that were acknowledged, and SUBACK with its codes.
    pub answers: Vec<String>,
    pub closed: Option<CloseReason>,
}

pub struct Site<'a> {
    pub pair: Pair<'a>,
    pub broker: Broker<Bridge>,
    pub clients: BTreeMap<String, Client>,
    pub news: Vec<String>,
}

impl<'a> Site<'a> {
    pub fn new(model: &'static Model, room: &'a mut Room, limits: Limits) -> Self {
        let bench = Bench::new(model, module::Config::default());
        Self::at(bench, Driver::new(model, room.memory(), 1), limits)
    }

    pub fn at(bench: Bench, driver: Driver<'a>, limits: Limits) -> Self {
        let config = broker::Config::default();
        Self {
            pair: Pair::new(bench, driver),
            broker: Broker::under(config, Some(Bridge::new(limits))),
            clients: BTreeMap::new(),
            news: Vec::new(),
        }
    }

    /// The driver logs in.
    pub fn connect(&mut self) {
        self.begin();
        assert!(
            self.until(300, |site| site.pair.driver.is_connected()),
            "{:?}",
            self.news
        );
    }

    pub fn begin(&mut self) {
        let now = self.now();
        self.pair.driver.connect(now, OPTIONS).unwrap();
        self.settle();
    }

    pub fn now(&self) -> Instant {
        self.pair.now()
    }

    pub fn client(&mut self, name: &str) {
        self.login(&Connect {
            clean_session: true,
            client_id: name,
            ..Connect::default()
        });
    }

    pub fn login(&mut self, connect: &Connect<'_>) {
        let conn = self.broker.accept(self.now());
        let client = self.clients.entry(connect.client_id.into()).or_default();
        client.conn = Some(conn);
        client.input.clear();
        self.send(connect.client_id, &Packet::Connect(*connect));
    }

    pub fn send(&mut self, name: &str, packet: &Packet<'_>) {
        self.give(name, packet);
        self.settle();
    }

    fn give(&mut self, name: &str, packet: &Packet<'_>) {
        let mut bytes = Vec::new();
        packet.append_to(&mut bytes).unwrap();
        let conn = self.clients[name].conn.unwrap();
        self.broker.receive(self.pair.now(), conn, &bytes);
    }

    /// The identifier means nothing with QoS 0.
    pub fn publish(&mut self, name: &str, topic: &str, payload: &[u8], qos: QoS, id: u16) {
        self.publish_as(name, topic, payload, qos, id, false);
    }

    pub fn publish_as(
        &mut self,
        name: &str,
        topic: &str,
        payload: &[u8],
        qos: QoS,
        id: u16,
        retain: bool,
    ) {
        let publish = Publish {
            dup: false,
            qos,
            retain,
            topic,
            id: PacketId::new(id).filter(|_| qos != Q0),
            payload,
        };
        self.send(name, &Packet::Publish(publish));
    }

    pub fn subscribe(&mut self, name: &str, filters: &[(&str, QoS)]) {
        let filters = TopicFilters::List(filters);
        let id = PacketId::FIRST;
        self.send(name, &Packet::Subscribe(Subscribe { id, filters }));
    }

    pub fn unsubscribe(&mut self, name: &str, filter: &str) {
        let list = [filter];
        let filters = Filters::List(&list);
        let id = PacketId::FIRST;
        self.send(name, &Packet::Unsubscribe(Unsubscribe { id, filters }));
    }

    /// The transport breaks.
    pub fn cut(&mut self, name: &str) {
        let client = self.clients.get_mut(name).unwrap();
        let conn = client.conn.take();
        let conn = conn.unwrap_or_else(|| panic!("{name}: {:?}", client.closed));
        self.broker.link_closed(conn);
        self.settle();
    }

    pub fn takes_data(&self, name: &str) -> bool {
        self.broker.takes_data(self.clients[name].conn.unwrap())
    }

    pub fn messages(&mut self, name: &str) -> Vec<String> {
        std::mem::take(&mut self.clients.get_mut(name).unwrap().messages)
    }

    pub fn answers(&mut self, name: &str) -> Vec<String> {
        std::mem::take(&mut self.clients.entry(name.into()).or_default().answers)
    }

    /// What the broker above has been sent: topics and payloads.
    pub fn published(&mut self) -> Vec<String> {
        let published = self.pair.bench.take_published();
        let line =
            |(topic, payload): (String, Vec<u8>)| format!("{topic} {}", payload.escape_ascii());
        published.into_iter().map(line).collect()
    }

    /// What the module has subscribed to at the broker above.
    pub fn above(&self) -> Vec<String> {
        let broker = self.pair.bench.broker();
        let gateway = broker.clients().find(|it| it.client_id == "gateway");
        let mut filters: Vec<_> = gateway
            .into_iter()
            .flat_map(|it| it.subscriptions)
            .map(|(filter, qos)| format!("{filter} q{}", qos.level()))
            .collect();
        filters.sort();
        filters
    }

    pub fn fault(&mut self, line: &str) {
        self.pair.bench.inject(line.parse().unwrap()).unwrap();
        self.settle();
    }

    /// Lets so many seconds pass.
    pub fn wait(&mut self, seconds: u64) {
        self.until(seconds, |_| false);
    }

    /// Runs until something is so, at most for so many seconds.
    pub fn until(&mut self, seconds: u64, done: impl Fn(&Self) -> bool) -> bool {
        let end = self.now() + Duration::from_secs(seconds);
        while !done(self) {
            if self.now() >= end {
                return false;
            }
            self.step(end);
        }
        true
    }

    pub fn step(&mut self, end: Instant) {
        let bridge = self.broker.with_policy(|bridge| bridge.next_request());
        let others = [self.broker.next_deadline(), bridge.flatten(), Some(end)];
        let other = others.into_iter().flatten().min().unwrap_or(end);
        if self.pair.next_event().is_some_and(|at| at <= other) {
            self.pair.step();
        } else {
            self.pair.run_for(other - self.now());
            self.pair.driver.advance(self.now());
        }
        self.broker.advance(self.now());
        self.settle();
    }

    pub fn settle(&mut self) {
        loop {
            let now = self.now();
            for told in self.pair.take_told() {
                match &told {
                    Told::Event(event) => bridge::receive(&mut self.broker, now, event),
                    Told::Message(topic, payload, lack) => {
                        let message = Message {
                            topic: topic.as_bytes(),
                            payload,
                            lack: *lack,
                        };
                        bridge::receive(&mut self.broker, now, &Event::Message(message));
                    }
                    _ => {}
                }
            }
            self.transmit();
            bridge::request(&mut self.broker, now, &mut self.pair.driver);
            self.transmit();
            self.pair.exchange();
            let touched = self.broker.with_policy(|bridge| bridge.is_touched());
            if self.pair.told().is_empty() && touched == Some(false) {
                break;
            }
        }
        let news = &mut self.news;
        self.broker.with_policy(|bridge| {
            while let Some(it) = bridge.poll_news() {
                news.push(it.to_string());
            }
        });
    }

    fn transmit(&mut self) {
        while let Some(output) = self.broker.poll_output() {
            match output {
                Output::Transmit(conn) => self.deliver(conn),
                Output::Close(conn, reason) => {
                    self.deliver(conn);
                    self.broker.link_closed(conn);
                    for client in self.clients.values_mut() {
                        if client.conn == Some(conn) {
                            client.conn = None;
                            client.closed = Some(reason);
                        }
                    }
                }
                Output::Read(_) | Output::Event(_) => {}
            }
        }
    }

    fn deliver(&mut self, conn: ConnId) {
        let bytes = self.broker.outgoing(conn).to_vec();
        self.broker.sent(conn, bytes.len());
        let found = self
            .clients
            .iter_mut()
            .find(|(_, client)| client.conn == Some(conn));
        let Some((name, client)) = found else { return };
        let name = name.clone();
        client.input.extend(bytes);
        let input = std::mem::take(&mut client.input);
        let mut rest = input.as_slice();
        while let Some(length) = mqtt::frame_length(rest).unwrap() {
            let (frame, after) = rest.split_at(length.total());
            self.hear(&name, &Packet::decode(frame).unwrap());
            rest = after;
        }
        assert!(rest.is_empty(), "a broker here sends whole packets");
    }

    fn hear(&mut self, name: &str, packet: &Packet<'_>) {
        let client = self.clients.get_mut(name).unwrap();
        match packet {
            Packet::Publish(publish) => {
                client.messages.push(format!(
                    "{}{}{} q{} {}",
                    if publish.dup { "DUP " } else { "" },
                    if publish.retain { "RETAIN " } else { "" },
                    publish.topic,
                    publish.qos.level(),
                    publish.payload.escape_ascii()
                ));
                match (publish.qos, publish.id) {
                    (QoS::AtLeastOnce, Some(id)) => self.give(name, &Packet::Puback(id)),
                    (QoS::ExactlyOnce, Some(id)) => self.give(name, &Packet::Pubrec(id)),
                    _ => {}
                }
            }
            Packet::Pubrel(id) => self.give(name, &Packet::Pubcomp(*id)),
            Packet::Pubrec(id) => self.give(name, &Packet::Pubrel(*id)),
            Packet::Puback(id) | Packet::Pubcomp(id) => client.answers.push(id.get().to_string()),
            Packet::Suback(suback) => client.answers.push(format!("SUBACK {:?}", suback.codes)),
            _ => {}
        }
    }
}
