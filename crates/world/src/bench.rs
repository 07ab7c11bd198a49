//! A module and a broker joined in virtual time.
//!
//! **Time passes only in [`Bench::step`] and what calls it.** A conversation with its time-outs runs in no time, and the
//! same steps give the same bytes on every machine.
//!
//! ```
//! use std::time::Duration;
//! use world::Bench;
//!
//! let model = dialect::Model::by_name("air780ep").unwrap();
//! let mut bench = Bench::new(model, module::Config::default());
//! bench.run_for(Duration::from_secs(5)); // boots and registers
//! bench.take_serial();
//! bench.type_bytes(b"AT+CGATT?\r");
//! bench.run_for(Duration::from_secs(1));
//! assert_eq!(bench.take_serial(), b"AT+CGATT?\r\r\n+CGATT: 1\r\n\r\nOK\r\n");
//! ```

use crate::fault::Fault;
use crate::rig::{InjectError, Rig};
use crate::schedule::FaultId;
use broker::{Broker, ConnId, Event};
use dialect::Model;
use instant::Instant;
use iotda::{News, Platform};
use module::{LinkEvent, LinkId, NetError, NetworkEvent, Output, QueryId, Tls, Trace};
use mqtt::{Connect, Packet, QoS};
use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// A module, a broker, and the network between them.
#[derive(Debug)]
pub struct Bench {
    now: Instant,
    rig: Rig,
    broker: Broker<Platform>,
    /// One way between module and broker.
    latency: Duration,
    /// Names that lead to the broker; every other name is unknown. Addresses always lead there.
    names: Vec<String>,
    links: HashMap<LinkId, ConnId>,
    by_conn: HashMap<ConnId, LinkId>,
    /// What is under way on the network, in the order of its arrival.
    wire: BTreeMap<(Instant, u64), Parcel>,
    serial_number: u64,
    serial: Vec<u8>,
    published: Vec<(String, Vec<u8>)>,
    events: Vec<Event>,
    news: Vec<News>,
    trace: Vec<Trace>,
    baud: Option<u32>,
    server: Option<TlsServer>,
}

/// A broker's TLS, as far as certificates decide about a handshake: none is made here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsServer {
    /// The authority of its certificate, in PEM: a module that checks must have been given this one.
    pub authority: String,
    /// The certificate that a client must show, in PEM, with its key.
    pub client: Option<(String, String)>,
}

impl TlsServer {
    fn accepts(&self, tls: &Tls) -> bool {
        let is_same = |given: &[u8], own: &str| {
            let bytes = |text: &[u8]| -> Vec<u8> {
                let kept = text.iter().filter(|byte| !byte.is_ascii_whitespace());
                kept.copied().collect()
            };
            bytes(given) == bytes(own.as_bytes())
        };
        let trusts = tls
            .authorities
            .as_ref()
            .is_none_or(|given| is_same(given, &self.authority));
        let shows = self.client.as_ref().is_none_or(|(certificate, key)| {
            tls.identity
                .as_ref()
                .is_some_and(|(own, own_key)| is_same(own, certificate) && is_same(own_key, key))
        });
        trusts && shows
    }
}

/// Where every name leads. Source: RFC 5737.
const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

#[derive(Debug)]
enum Parcel {
    Opened(LinkId),
    Failed(LinkId, NetError),
    ToBroker(LinkId, Vec<u8>),
    ToModule(LinkId, Vec<u8>),
    ClosedByModule(LinkId),
    /// The module has gone without a word: the broker is not told.
    Vanished(LinkId),
    ClosedByBroker(LinkId),
    Resolved(QueryId, Option<IpAddr>),
}

impl Bench {
    /// A module that is powered on, and a broker that lets everybody in.
    pub fn new(model: &'static Model, config: module::Config) -> Self {
        Self::with_broker(model, config, broker::Config::default())
    }

    /// The same with a broker of the caller's making.
    pub fn with_broker(
        model: &'static Model,
        config: module::Config,
        broker: broker::Config,
    ) -> Self {
        Self::with_platform(model, config, broker, None)
    }

    /// The same with a broker that is Huawei's IoTDA, whose clock began at [`Instant::ZERO`], when there is a platform.
    pub fn with_platform(
        model: &'static Model,
        config: module::Config,
        broker: broker::Config,
        platform: Option<Platform>,
    ) -> Self {
        let now = Instant::ZERO;
        let broker = broker::Config {
            events: true,
            ..broker
        };
        let mut bench = Self {
            now,
            rig: Rig::new(now, model, config),
            broker: Broker::under(broker, platform),
            latency: Duration::from_millis(20),
            names: vec!["broker.test".into()],
            links: HashMap::new(),
            by_conn: HashMap::new(),
            wire: BTreeMap::new(),
            serial_number: 0,
            serial: Vec::new(),
            published: Vec::new(),
            events: Vec::new(),
            news: Vec::new(),
            trace: Vec::new(),
            baud: None,
            server: None,
        };
        bench.settle();
        bench
    }

    /// Decides what faults leave to chance; 0 at first.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.rig = self.rig.with_seed(seed);
        self
    }

    /// The broker asks for TLS from now on, and plain TCP is broken off.
    pub fn set_tls(&mut self, server: TlsServer) {
        self.server = Some(server);
    }

    /// Virtual time.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// The host types.
    pub fn type_bytes(&mut self, bytes: &[u8]) {
        self.rig.receive(self.now, bytes);
        self.settle();
    }

    /// What the host has received since the last call.
    pub fn take_serial(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.serial)
    }

    /// What clients published on the broker since the last call, wills included: topics and payloads.
    pub fn take_published(&mut self) -> Vec<(String, Vec<u8>)> {
        std::mem::take(&mut self.published)
    }

    /// What happened at the broker since the last call.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// What happened at the platform since the last call, when it was configured to tell.
    pub fn take_news(&mut self) -> Vec<News> {
        std::mem::take(&mut self.news)
    }

    /// The module's trace since the last call, when it was configured to give one.
    pub fn take_trace(&mut self) -> Vec<Trace> {
        std::mem::take(&mut self.trace)
    }

    /// The rate that the module last set, in bits per second.
    pub fn baud(&self) -> Option<u32> {
        self.baud
    }

    /// The broker's side.
    pub fn broker(&self) -> &Broker<Platform> {
        &self.broker
    }

    /// Does something with the platform behind the broker; `None` when there is none.
    pub fn with_iotda<R>(&mut self, act: impl FnOnce(Instant, &mut Platform) -> R) -> Option<R> {
        let now = self.now;
        let result = self.broker.with_policy(|platform| act(now, platform));
        self.settle();
        result
    }

    /// A message of the PC's tool; false when the topic is none.
    pub fn publish(&mut self, topic: &str, payload: &[u8], qos: QoS, retain: bool) -> bool {
        let published = self.broker.publish(topic, payload, qos, retain);
        self.settle();
        published
    }

    /// Another client logs in with this identifier.
    pub fn rival(&mut self, client_id: &str) {
        let conn = self.broker.accept(self.now);
        let connect = Packet::Connect(Connect {
            clean_session: true,
            client_id,
            ..Connect::default()
        });
        let mut bytes = Vec::new();
        if connect.append_to(&mut bytes).is_ok() {
            self.broker.receive(self.now, conn, &bytes);
        }
        self.settle();
    }

    /// The world does something to the module.
    pub fn network(&mut self, event: NetworkEvent) {
        self.rig.network(self.now, event);
        self.settle();
    }

    /// Adds a fault. Its times count from now.
    ///
    /// # Errors
    /// The model cannot have it, or there are too many.
    pub fn inject(&mut self, fault: Fault) -> Result<FaultId, InjectError> {
        let id = self.rig.inject(self.now, fault);
        self.settle();
        id
    }

    /// Takes a fault away; false when there is none of this name.
    pub fn clear(&mut self, id: FaultId) -> bool {
        let found = self.rig.clear(self.now, id);
        self.settle();
        found
    }

    /// Takes every fault away: the world heals.
    pub fn clear_all(&mut self) {
        self.rig.clear_all(self.now);
        self.settle();
    }

    /// The module and what is around it.
    pub fn rig(&self) -> &Rig {
        &self.rig
    }

    /// One way between module and broker; 20 ms at first.
    pub fn set_latency(&mut self, latency: Duration) {
        self.latency = latency;
    }

    /// Another name that leads to the broker, besides `broker.test`.
    pub fn add_name(&mut self, name: &str) {
        self.names.push(name.into());
    }

    /// When something happens next by itself.
    pub fn next_event(&self) -> Option<Instant> {
        let parcel = self.wire.keys().next().map(|(at, _)| *at);
        [
            parcel,
            self.rig.next_deadline(),
            self.broker.next_deadline(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Goes to the next thing that happens; false when nothing will.
    pub fn step(&mut self) -> bool {
        let Some(at) = self.next_event() else {
            return false;
        };
        self.go_to(at);
        true
    }

    /// Lets so much time pass.
    pub fn run_for(&mut self, span: Duration) {
        let end = self.now + span;
        while self.next_event().is_some_and(|at| at <= end) {
            self.step();
        }
        self.now = self.now.max(end);
    }

    /// Runs until the host has received something or `limit` has passed.
    pub fn run_until_serial(&mut self, limit: Duration) {
        let end = self.now + limit;
        while self.serial.is_empty() && self.next_event().is_some_and(|at| at <= end) {
            self.step();
        }
        if self.serial.is_empty() {
            self.now = self.now.max(end);
        }
    }

    fn go_to(&mut self, at: Instant) {
        self.now = self.now.max(at);
        if let Some(parcel) = self
            .wire
            .first_entry()
            .filter(|entry| entry.key().0 <= self.now)
        {
            let parcel = parcel.remove();
            self.arrive(parcel);
        } else if self.broker.next_deadline().is_some_and(|at| at <= self.now) {
            self.broker.advance(self.now);
        } else {
            self.rig.advance(self.now);
        }
        self.settle();
    }

    fn arrive(&mut self, parcel: Parcel) {
        let now = self.now;
        match parcel {
            Parcel::Opened(link) => {
                self.rig.receive_link(now, link, LinkEvent::Opened(ADDRESS));
            }
            Parcel::Failed(link, error) => {
                self.rig.receive_link(now, link, LinkEvent::Failed(error));
            }
            Parcel::ToModule(link, bytes) => {
                self.rig.receive_link(now, link, LinkEvent::Data(&bytes));
            }
            Parcel::ClosedByBroker(link) => self.rig.receive_link(now, link, LinkEvent::Closed),
            Parcel::ToBroker(link, bytes) => {
                if let Some(conn) = self.links.get(&link) {
                    self.broker.receive(now, *conn, &bytes);
                }
            }
            Parcel::ClosedByModule(link) => {
                if let Some(conn) = self.links.remove(&link) {
                    self.by_conn.remove(&conn);
                    self.broker.link_closed(conn);
                }
            }
            Parcel::Vanished(link) => {
                if let Some(conn) = self.links.remove(&link) {
                    self.by_conn.remove(&conn);
                }
            }
            Parcel::Resolved(query, Some(address)) => {
                self.rig.resolved(now, query, Ok(&[address]));
            }
            Parcel::Resolved(query, None) => self.rig.resolved(now, query, Err(NetError::Dns)),
        }
    }

    /// Carries out what module and broker want done, until neither wants more.
    fn settle(&mut self) {
        loop {
            if let Some(output) = self.rig.poll_output() {
                self.do_for_module(output);
            } else if let Some(output) = self.broker.poll_output() {
                self.do_for_broker(output);
            } else {
                break;
            }
        }
        self.broker.with_policy(|platform| {
            self.news
                .extend(std::iter::from_fn(|| platform.poll_news()));
            // Nobody waits for answers here: the news have them too.
            while platform.poll_answer().is_some() {}
        });
    }

    fn do_for_module(&mut self, output: Output) {
        match output {
            Output::Serial(bytes) => self.serial.extend_from_slice(&bytes),
            Output::Open {
                link,
                host,
                transport,
                ..
            } => {
                let known = host.parse::<IpAddr>().is_ok() || self.names.contains(&host);
                let refused = match (&self.server, &transport.tls) {
                    _ if !known => Some(NetError::Dns),
                    (Some(server), Some(tls)) if !server.accepts(tls) => Some(NetError::Tls),
                    (Some(_), None) => Some(NetError::Reset),
                    _ => None,
                };
                if let Some(error) = refused {
                    self.send(Parcel::Failed(link, error));
                } else {
                    let conn = self.broker.accept(self.now);
                    self.links.insert(link, conn);
                    self.by_conn.insert(conn, link);
                    self.send(Parcel::Opened(link));
                }
            }
            Output::Send { link, bytes } => self.send(Parcel::ToBroker(link, bytes)),
            Output::Close { link } => self.send(Parcel::ClosedByModule(link)),
            // Power or bearer is gone: the broker finds out by its keep alive, or when the client comes back.
            Output::Abort { link } => self.send(Parcel::Vanished(link)),
            Output::Resolve { query, host } => {
                let known = self.names.contains(&host);
                self.send(Parcel::Resolved(query, known.then_some(ADDRESS)));
            }
            Output::Baud(baud) => self.baud = Some(baud),
            Output::PoweredOff | Output::Flash { .. } => {}
            Output::Trace(trace) => self.trace.push(trace),
        }
    }

    fn do_for_broker(&mut self, output: broker::Output) {
        match output {
            broker::Output::Transmit(conn) => self.transmit(conn),
            // What comes is given to it at once, and what it has no room for waits in it.
            broker::Output::Read(_) => {}
            broker::Output::Close(conn, _) => {
                self.transmit(conn);
                self.broker.link_closed(conn);
                if let Some(link) = self.by_conn.remove(&conn) {
                    self.links.remove(&link);
                    self.send(Parcel::ClosedByBroker(link));
                }
            }
            broker::Output::Event(event) => {
                if let Event::Published { topic, payload, .. }
                | Event::Will { topic, payload, .. } = &event
                {
                    self.published.push((topic.clone(), payload.clone()));
                }
                self.events.push(event);
            }
        }
    }

    fn transmit(&mut self, conn: ConnId) {
        let bytes = self.broker.outgoing(conn).to_vec();
        self.broker.sent(conn, bytes.len());
        if let Some(link) = self.by_conn.get(&conn)
            && !bytes.is_empty()
        {
            self.send(Parcel::ToModule(*link, bytes));
        }
    }

    fn send(&mut self, parcel: Parcel) {
        self.serial_number += 1;
        self.wire
            .insert((self.now + self.latency, self.serial_number), parcel);
    }
}
