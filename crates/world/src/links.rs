//! The network between module and servers, and what happens to connections on it.
//!
//! **After any input, drain [`Links::poll_output`] until it is empty, and call [`Links::advance`] when [`Links::next_deadline`]
//! has come.** It stands between a module and whoever carries out what the module asks for: [`Links::from_module`] takes the
//! module's requests, [`Links::from_network`] and [`Links::resolved`] take what became of them. Without a fault everything comes
//! out at once and as it went in.

use crate::dice::Dice;
use crate::fault::{Fault, Place, Side, What};
use crate::pipe::{Item, Medium, Pipe};
use crate::schedule::{Edge, FaultId, Strike};
use instant::Instant;
use module::{LinkEvent, LinkId, NetError, Output, QueryId};
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

/// What comes out of the network.
#[allow(clippy::large_enum_variant, reason = "it is taken apart at once")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkOutput {
    /// To be carried out: [`Output::Open`], [`Output::Send`], [`Output::Close`], [`Output::Abort`] or [`Output::Resolve`].
    Network(Output),
    /// For `Module::receive_link`.
    Event(LinkId, OwnedEvent),
    /// For `Module::resolved`.
    Resolved(QueryId, Result<Vec<IpAddr>, NetError>),
}

/// A [`LinkEvent`] that keeps its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnedEvent {
    /// [`LinkEvent::Opened`]
    Opened(IpAddr),
    /// [`LinkEvent::Failed`]
    Failed(NetError),
    /// [`LinkEvent::Data`]
    Data(Vec<u8>),
    /// [`LinkEvent::Closed`]
    Closed,
    /// [`LinkEvent::Reset`]
    Reset,
}

impl OwnedEvent {
    /// The event that it keeps.
    pub fn event(&self) -> LinkEvent<'_> {
        match self {
            Self::Opened(peer) => LinkEvent::Opened(*peer),
            Self::Failed(error) => LinkEvent::Failed(*error),
            Self::Data(bytes) => LinkEvent::Data(bytes),
            Self::Closed => LinkEvent::Closed,
            Self::Reset => LinkEvent::Reset,
        }
    }
}

impl From<LinkEvent<'_>> for OwnedEvent {
    fn from(event: LinkEvent<'_>) -> Self {
        match event {
            LinkEvent::Opened(peer) => Self::Opened(peer),
            LinkEvent::Failed(error) => Self::Failed(error),
            LinkEvent::Data(bytes) => Self::Data(bytes.into()),
            LinkEvent::Closed => Self::Closed,
            LinkEvent::Reset => Self::Reset,
        }
    }
}

/// How long TCP tries to connect, and a resolver to resolve, when nobody answers.
const PATIENCE: Duration = Duration::from_secs(75);
/// Bytes that wait on the way to a server; beyond them the connection is taken for broken.
const UP_MAX: usize = 1024 * 1024;
/// Bytes that wait on the way to the module; with more, the rest should stay with the server.
const DOWN_MAX: usize = 64 * 1024;

/// The connections of one module.
#[derive(Clone, Debug, Default)]
pub struct Links {
    now: Instant,
    /// In the order of their opening.
    open: BTreeMap<u32, Link>,
    count: u64,
    queries: Vec<Query>,
    faults: Vec<Active>,
    out: VecDeque<LinkOutput>,
}

/// A fault that lasts.
#[derive(Clone, Debug)]
struct Active {
    id: FaultId,
    fault: Fault,
    dice: Dice,
}

#[derive(Clone, Debug)]
struct Link {
    host: String,
    port: u16,
    /// How many connections there were before it.
    number: u64,
    up: Pipe<Output>,
    down: Pipe<OwnedEvent>,
    phase: Phase,
    /// When it fails or is closed by a fault.
    deadline: Option<(Instant, End)>,
    /// Bytes that it has carried.
    carried: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The request to open it is on its way, or waits for the answer.
    Opening,
    Open,
    /// The server is gone, and nobody has said so: everything vanishes.
    Dead,
    /// The module has closed it; what it said before still goes.
    Closing,
}

/// How a connection ends by a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    TimedOut,
    Closed,
}

#[derive(Clone, Debug)]
struct Query {
    id: QueryId,
    host: String,
    /// When it goes on; `None`: it has, and waits for the answer.
    due: Option<Instant>,
    /// When the resolver gives up.
    end: Instant,
}

impl Links {
    /// No connections yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A connection that was there before.
    pub fn adopt(&mut self, id: LinkId, host: &str, port: u16, is_open: bool) {
        let mut link = self.new_link(host, port);
        if is_open {
            link.phase = Phase::Open;
        }
        self.open.insert(id.0, link);
    }

    /// Takes a request of the module; gives back what is none of the network's.
    pub fn from_module(&mut self, now: Instant, output: Output) -> Option<Output> {
        self.now = now;
        match output {
            Output::Open {
                link,
                ref host,
                port,
                ..
            } => {
                let new = self.new_link(host, port);
                self.open.insert(link.0, new);
                self.open(link, output);
            }
            Output::Send { link, bytes } => self.send(link, bytes),
            Output::Close { link } => self.close(link),
            Output::Abort { link } => {
                self.open.remove(&link.0);
                self.out.push_back(LinkOutput::Network(output));
            }
            Output::Resolve { query, host } => {
                let slow = self.slow_names(&host, 0);
                self.queries.push(Query {
                    id: query,
                    host,
                    due: Some(now + slow),
                    end: now + slow + PATIENCE,
                });
            }
            other => return Some(other),
        }
        self.carry();
        None
    }

    /// What became of a connection.
    pub fn from_network(&mut self, now: Instant, id: LinkId, event: LinkEvent<'_>) {
        self.now = now;
        let Some(link) = self.open.get_mut(&id.0) else {
            return;
        };
        match link.phase {
            // The server hears nothing more of it, and is not heard.
            Phase::Dead => {}
            // It is over on both sides; until then the module's own end is still on its way.
            Phase::Closing => {
                if !matches!(event, LinkEvent::Data(_) | LinkEvent::Opened(_)) {
                    self.open.remove(&id.0);
                }
            }
            Phase::Opening | Phase::Open => {
                match event {
                    LinkEvent::Data(bytes) => {
                        link.carried += bytes.len() as u64;
                        link.down.push(now, bytes.to_vec());
                    }
                    LinkEvent::Reset => link.down.push_mark(now, OwnedEvent::Reset),
                    LinkEvent::Closed => {
                        let slow = slow_close(&self.faults, link);
                        link.down.not_before(now + slow);
                        link.down.push_mark(now, OwnedEvent::Closed);
                    }
                    LinkEvent::Opened(_) | LinkEvent::Failed(_) => {
                        link.down.push_mark(now, event.into());
                    }
                }
                self.watch_limit(id);
            }
        }
        self.carry();
    }

    /// The answer to [`Output::Resolve`].
    pub fn resolved(&mut self, now: Instant, id: QueryId, answer: Result<&[IpAddr], NetError>) {
        self.now = now;
        self.queries.retain(|query| query.id != id);
        let answer = answer.map(<[IpAddr]>::to_vec);
        self.out.push_back(LinkOutput::Resolved(id, answer));
    }

    /// A fault begins or ends; false when it is none of the connections.
    pub fn strike(&mut self, now: Instant, strike: &Strike) -> bool {
        self.now = now;
        let Some(place @ Place::Link { .. }) = strike.fault.place() else {
            return false;
        };
        if strike.edge == Edge::End {
            self.end(strike.id);
            self.carry();
            return true;
        }
        let struck: Vec<u32> = self
            .open
            .iter()
            .filter(|(_, link)| place.is_link(&link.host, link.port))
            .map(|(id, _)| *id)
            .collect();
        match strike.fault.what {
            What::TcpDrop => {
                for id in struck {
                    self.close_by_server(id);
                }
            }
            What::ResetPeer => {
                for id in struck {
                    self.reset_by_server(id);
                }
            }
            What::HalfOpen => {
                for id in struck {
                    if let Some(link) = self.open.get_mut(&id)
                        && link.phase == Phase::Open
                    {
                        link.phase = Phase::Dead;
                        link.up.clear();
                        link.down.clear();
                    }
                }
            }
            // What the caller ends then comes as ends of its own.
            What::BrokerUp => {}
            _ => {
                let active = Active {
                    id: strike.id,
                    fault: strike.fault.clone(),
                    dice: strike.dice.clone(),
                };
                for id in struck {
                    if let Some(link) = self.open.get_mut(&id) {
                        link.begin(now, &active);
                    }
                }
                self.faults.push(active);
            }
        }
        self.carry();
        true
    }

    /// Time has come.
    pub fn advance(&mut self, now: Instant) {
        self.now = now;
        let due: Vec<_> = self
            .open
            .iter_mut()
            .filter_map(|(id, link)| {
                let (_, end) = link.deadline.take_if(|(at, _)| *at <= now)?;
                Some((*id, end))
            })
            .collect();
        for (id, end) in due {
            match end {
                End::TimedOut => self.fail(id, NetError::Timeout),
                End::Closed => self.close_by_server(id),
            }
        }
        self.carry();
    }

    /// What is to be done, in order.
    pub fn poll_output(&mut self) -> Option<LinkOutput> {
        self.out.pop_front()
    }

    /// When something arrives next.
    pub fn next_deadline(&self) -> Option<Instant> {
        let links = self.open.values().flat_map(|link| {
            [
                link.up.next_deadline(),
                link.down.next_deadline(),
                link.deadline.map(|(at, _)| at),
            ]
        });
        let names = self.queries.iter().map(|query| {
            let stalled = self.stalls_names(&query.host);
            query.due.map(|due| if stalled { query.end } else { due })
        });
        links.chain(names).flatten().min()
    }

    /// Whether there is room for data of a connection on its way to the module.
    pub fn takes_data(&self, id: LinkId) -> bool {
        self.open
            .get(&id.0)
            .is_none_or(|link| link.down.len() < DOWN_MAX)
    }

    /// Bytes on the way.
    pub fn held(&self) -> usize {
        self.open
            .values()
            .map(|link| link.up.len() + link.down.len())
            .sum()
    }

    fn new_link(&mut self, host: &str, port: u16) -> Link {
        let mut link = Link {
            host: host.into(),
            port,
            number: self.count,
            up: Pipe::new(Medium::Tcp),
            down: Pipe::new(Medium::Tcp),
            phase: Phase::Opening,
            deadline: None,
            carried: 0,
        };
        self.count += 1;
        for active in &self.faults {
            if active.is_on(host, port) {
                link.begin(self.now, active);
            }
        }
        link
    }

    fn open(&mut self, id: LinkId, output: Output) {
        let now = self.now;
        let Some(link) = self.open.get(&id.0) else {
            return;
        };
        let faults = self.faults.iter();
        let mut on: Vec<&What> = Vec::new();
        on.extend(
            faults
                .filter(|active| active.is_on(&link.host, link.port))
                .map(|active| &active.fault.what),
        );
        let is_name = link.host.parse::<IpAddr>().is_err();
        let error = if is_name && on.contains(&&What::DnsFail) {
            Some(NetError::Dns)
        } else if on.contains(&&What::Refuse) {
            Some(NetError::Refused)
        } else {
            None
        };
        let slow = self.slow_names(&link.host, link.port);
        let Some(link) = self.open.get_mut(&id.0) else {
            return;
        };
        if is_name {
            link.up.not_before(now + slow);
            link.down.not_before(now + slow);
        }
        match error {
            Some(error) => link.down.push_mark(now, OwnedEvent::Failed(error)),
            None => link.up.push_mark(now, output),
        }
        link.deadline = Some((now + PATIENCE + slow, End::TimedOut));
    }

    fn send(&mut self, id: LinkId, bytes: Vec<u8>) {
        let Some(link) = self.open.get_mut(&id.0) else {
            return;
        };
        if link.phase == Phase::Dead {
            return;
        }
        link.carried += bytes.len() as u64;
        link.up.push(self.now, bytes);
        if link.up.len() > UP_MAX {
            self.reset_by_server(id.0);
        } else {
            self.watch_limit(id);
        }
    }

    fn close(&mut self, id: LinkId) {
        let now = self.now;
        let Some(link) = self.open.get_mut(&id.0) else {
            return;
        };
        match link.phase {
            Phase::Dead => {
                // Nobody hears the FIN; whoever carries the connection still lets go of it.
                self.open.remove(&id.0);
                self.out
                    .push_back(LinkOutput::Network(Output::Abort { link: id }));
            }
            // It has not even been asked for.
            Phase::Opening if !link.up.is_empty() => {
                self.open.remove(&id.0);
            }
            Phase::Opening | Phase::Open => {
                let slow = slow_close(&self.faults, link);
                link.phase = Phase::Closing;
                link.deadline = None;
                link.down.clear();
                link.up.not_before(now + slow);
                link.up.push_mark(now, Output::Close { link: id });
            }
            Phase::Closing => {}
        }
    }

    /// Hands over what has arrived by now.
    fn carry(&mut self) {
        let now = self.now;
        let mut next = self.open.keys().next().copied();
        while let Some(id) = next {
            self.carry_link(id);
            next = self.open.range(id + 1..).next().map(|(id, _)| *id);
        }
        let mut index = 0;
        while let Some(query) = self.queries.get(index) {
            let (id, host, end) = (query.id, query.host.clone(), query.end);
            let stalled = self.stalls_names(&host) && end > now;
            if query.due.is_none_or(|due| due > now) || stalled {
                index += 1;
                continue;
            }
            let fails = self
                .faults
                .iter()
                .any(|active| active.fault.what == What::DnsFail && active.is_host(&host));
            if fails || self.stalls_names(&host) {
                self.queries.remove(index);
                self.out
                    .push_back(LinkOutput::Resolved(id, Err(NetError::Dns)));
            } else {
                self.queries[index].due = None;
                let query = Output::Resolve { query: id, host };
                self.out.push_back(LinkOutput::Network(query));
                index += 1;
            }
        }
    }

    fn carry_link(&mut self, id: u32) {
        let now = self.now;
        let link_id = LinkId(id);
        while let Some(link) = self.open.get_mut(&id)
            && let Some(item) = link.up.poll(now)
        {
            match item {
                Item::Data(bytes) => {
                    let send = Output::Send {
                        link: link_id,
                        bytes,
                    };
                    self.out.push_back(LinkOutput::Network(send));
                }
                Item::Mark(output) => {
                    if matches!(output, Output::Close { .. }) {
                        self.open.remove(&id);
                    }
                    self.out.push_back(LinkOutput::Network(output));
                }
            }
        }
        while let Some(link) = self.open.get_mut(&id)
            && let Some(item) = link.down.poll(now)
        {
            let event = match item {
                Item::Data(bytes) => OwnedEvent::Data(bytes),
                Item::Mark(event) => event,
            };
            let opened = matches!(event, OwnedEvent::Opened(_));
            let over = !opened && !matches!(event, OwnedEvent::Data(_));
            self.out.push_back(LinkOutput::Event(link_id, event));
            if over {
                self.open.remove(&id);
            } else if opened {
                self.has_opened(id);
            }
        }
    }

    /// The module is told that a connection is up: what is done to connections begins.
    fn has_opened(&mut self, id: u32) {
        let now = self.now;
        let Some(link) = self.open.get_mut(&id) else {
            return;
        };
        link.phase = Phase::Open;
        link.deadline = None;
        let mut closes = false;
        for active in &self.faults {
            if !active.is_on(&link.host, link.port) {
                continue;
            }
            closes |= active.fault.what == What::CloseOnConnect;
            link.begin_open(now, active);
        }
        if closes {
            self.close_by_server(id);
        }
    }

    /// FIN, as if from the server: behind what it has sent.
    fn close_by_server(&mut self, id: u32) {
        let now = self.now;
        let Some(link) = self.open.get_mut(&id) else {
            return;
        };
        if link.phase != Phase::Open {
            return;
        }
        let slow = slow_close(&self.faults, link);
        link.phase = Phase::Dead;
        link.deadline = None;
        link.up.clear();
        // A time-out holds what it has held back.
        link.down.release();
        link.down.not_before(now + slow);
        link.down.push_mark(now, OwnedEvent::Closed);
        let close = Output::Close { link: LinkId(id) };
        self.out.push_back(LinkOutput::Network(close));
    }

    fn reset_by_server(&mut self, id: u32) {
        let Some(link) = self.open.get(&id) else {
            return;
        };
        if matches!(link.phase, Phase::Open | Phase::Dead) {
            self.open.remove(&id);
            let link = LinkId(id);
            self.out
                .push_back(LinkOutput::Event(link, OwnedEvent::Reset));
            self.out
                .push_back(LinkOutput::Network(Output::Abort { link }));
        }
    }

    /// A connection that does not come up.
    fn fail(&mut self, id: u32, error: NetError) {
        if self.open.remove(&id).is_some() {
            let link = LinkId(id);
            self.out
                .push_back(LinkOutput::Event(link, OwnedEvent::Failed(error)));
            self.out
                .push_back(LinkOutput::Network(Output::Close { link }));
        }
    }

    fn end(&mut self, id: FaultId) {
        let now = self.now;
        self.faults.retain(|active| active.id != id);
        for link in self.open.values_mut() {
            link.up.end(now, id);
            link.down.end(now, id);
            let times_out = self.faults.iter().any(|active| {
                matches!(active.fault.what, What::Timeout(_)) && active.is_on(&link.host, link.port)
            });
            if !times_out {
                link.deadline = link.deadline.filter(|(_, end)| *end != End::Closed);
            }
        }
        if !self
            .faults
            .iter()
            .any(|active| matches!(active.fault.what, What::DnsSlow(_)))
        {
            for query in &mut self.queries {
                query.due = query.due.map(|due| due.min(now));
            }
        }
    }

    fn watch_limit(&mut self, id: LinkId) {
        let Some(link) = self.open.get(&id.0) else {
            return;
        };
        let reached = self.faults.iter().any(|active| {
            matches!(active.fault.what, What::LimitData(limit) if link.carried >= limit)
                && active.is_on(&link.host, link.port)
        });
        if reached && link.phase == Phase::Open {
            self.carry();
            self.close_by_server(id.0);
        }
    }

    fn slow_names(&self, host: &str, port: u16) -> Duration {
        let slow = self
            .faults
            .iter()
            .filter_map(|active| match active.fault.what {
                What::DnsSlow(span) if port == 0 && active.is_host(host) => Some(span),
                What::DnsSlow(span) if port != 0 && active.is_on(host, port) => Some(span),
                _ => None,
            });
        slow.max().unwrap_or_default()
    }

    /// Name servers are not reached.
    fn stalls_names(&self, host: &str) -> bool {
        self.faults
            .iter()
            .any(|active| active.fault.what == What::Stall && active.is_host(host))
    }
}

impl Active {
    fn is_on(&self, host: &str, port: u16) -> bool {
        let place = self.fault.place();
        place.is_some_and(|place| place.is_link(host, port))
    }

    /// Whatever the port.
    fn is_host(&self, host: &str) -> bool {
        match self.fault.place() {
            Some(Place::Link { port, .. }) => self.is_on(host, port.unwrap_or_default()),
            _ => false,
        }
    }
}

impl Link {
    /// A fault begins on a connection, be it open or not.
    fn begin(&mut self, now: Instant, active: &Active) {
        // These let a connection come up first.
        let opens = matches!(
            active.fault.what,
            What::BrokerSilent | What::Timeout(_) | What::Slicer { .. }
        );
        if !opens {
            self.begin_pipes(active);
        } else if self.phase == Phase::Open {
            self.begin_open(now, active);
        }
    }

    /// A fault begins on a connection that is up.
    fn begin_open(&mut self, now: Instant, active: &Active) {
        if let What::Timeout(span) = active.fault.what
            && !span.is_zero()
        {
            self.deadline = Some((now + span, End::Closed));
        }
        if matches!(
            active.fault.what,
            What::BrokerSilent | What::Timeout(_) | What::Slicer { .. }
        ) {
            self.begin_pipes(active);
        }
    }

    fn begin_pipes(&mut self, active: &Active) {
        let Some(place) = active.fault.place() else {
            return;
        };
        let dice = active.dice.fork(self.number);
        if place.is_side(Side::Upstream) {
            self.up.begin(active.id, &active.fault.what, dice.fork(0));
        }
        if place.is_side(Side::Downstream) {
            self.down.begin(active.id, &active.fault.what, dice.fork(1));
        }
    }
}

fn slow_close(faults: &[Active], link: &Link) -> Duration {
    let slow = faults.iter().filter_map(|active| match active.fault.what {
        What::SlowClose(span) if active.is_on(&link.host, link.port) => Some(span),
        _ => None,
    });
    slow.max().unwrap_or_default()
}
