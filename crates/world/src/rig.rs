//! A module in the field: with the serial line, the network and the faults around it.
//!
//! **It is driven as a module is: after any input, drain [`Rig::poll_output`] until it is empty, and call [`Rig::advance`] when
//! [`Rig::next_deadline`] has come.** Until a fault is injected it is the module and nothing else.

use crate::fault::{Fault, Place, What};
use crate::line::{Line, LineOutput};
use crate::links::{LinkOutput, Links, OwnedEvent};
use crate::schedule::{Edge, FaultId, Schedule, Status, Strike, TooMany};
use dialect::Model;
use instant::Instant;
use module::{
    Config, LineState, LinkEvent, LinkId, Module, NetError, NetworkEvent, Output, QueryId,
    Registration, Sim, Trace, TraceKind,
};
use std::collections::VecDeque;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

/// A module, and what can happen to it.
#[derive(Debug)]
pub struct Rig {
    now: Instant,
    module: Module,
    seed: u64,
    rate: u32,
    trace: bool,
    /// What the radio goes back to when a fault is over.
    normal: Normal,
    /// The links that it has while there is nothing around it: a fault must find those too.
    links: Vec<Open>,
    /// There is nothing around it until there is a fault.
    around: Option<Box<Around>>,
    /// What went in and came out, when somebody wants to know.
    tape: Option<Vec<Record>>,
}

/// Something that went into a rig or came out of it. The same inputs at the same times bring the same outputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// When.
    pub at: Instant,
    /// What.
    pub what: Recorded,
}

/// What went in or came out.
#[allow(clippy::large_enum_variant, reason = "they are short-lived")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// [`Rig::receive`]
    Host(Vec<u8>),
    /// [`Rig::receive_link`]
    Link(LinkId, OwnedEvent),
    /// [`Rig::resolved`]
    Resolved(QueryId, Result<Vec<IpAddr>, NetError>),
    /// [`Rig::network`]
    Network(NetworkEvent),
    /// [`Rig::inject`]
    Inject(Fault),
    /// [`Rig::clear`]
    Clear(FaultId),
    /// [`Rig::clear_all`]
    ClearAll,
    /// [`Rig::advance`]
    Advance,
    /// [`Rig::poll_output`]
    Output(Output),
}

/// Why a fault cannot be injected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InjectError {
    /// The module cannot have it; why, in a sentence.
    NotHere(String),
    /// There are too many.
    TooMany(TooMany),
}

impl fmt::Display for InjectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotHere(why) => f.write_str(why),
            Self::TooMany(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for InjectError {}

#[derive(Clone, Debug)]
struct Open {
    link: LinkId,
    host: String,
    port: u16,
    up: bool,
}

#[derive(Clone, Debug)]
struct Normal {
    rssi: u8,
    registration: Registration,
    sim: Sim,
}

#[derive(Debug)]
struct Around {
    schedule: Schedule,
    line: Line,
    links: Links,
    out: VecDeque<Output>,
    /// The faults by which the module hangs.
    stuck: Vec<FaultId>,
    /// What waits for a module that hangs.
    unread: Vec<u8>,
    unheard: VecDeque<LinkOutput>,
    /// When power dips next, and how often yet.
    dips: Option<(Instant, u32)>,
}

/// Bytes of the host that a module which hangs still finds in its buffer afterwards.
// Inferred: two kilobytes are what UART drivers of such firmware have.
const UART_BUFFER: usize = 2048;

impl Rig {
    /// Powers a module on.
    pub fn new(now: Instant, model: &'static Model, config: Config) -> Self {
        Self {
            now,
            seed: 0,
            rate: config.baud.unwrap_or(model.defaults.baud),
            trace: config.trace,
            normal: Normal {
                rssi: config.radio.rssi,
                registration: config.radio.registration,
                sim: config.radio.sim.clone(),
            },
            links: Vec::new(),
            around: None,
            tape: None,
            module: Module::new(now, model, config),
        }
    }

    /// Decides what the faults leave to chance, those that are injected from now on; 0 at first.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The module itself.
    pub fn module(&self) -> &Module {
        &self.module
    }

    /// Which model it is.
    pub fn model(&self) -> &'static Model {
        self.module.model()
    }

    /// The module's end of the serial line: rate and circuits.
    pub fn line_state(&self) -> LineState {
        self.module.line_state()
    }

    /// What decides everything that is left to chance.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Records everything from now on, for [`Rig::take_records`].
    pub fn record(&mut self) {
        self.tape.get_or_insert_default();
    }

    /// What went in and came out since the last call.
    pub fn take_records(&mut self) -> Vec<Record> {
        self.tape.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Does what a record says went in; `None`: it came out.
    pub fn feed(&mut self, record: &Record) -> Option<()> {
        let now = record.at;
        match &record.what {
            Recorded::Host(bytes) => self.receive(now, bytes),
            Recorded::Link(link, event) => self.receive_link(now, *link, event.event()),
            Recorded::Resolved(query, answer) => {
                self.resolved(now, *query, answer.as_deref().map_err(|error| *error));
            }
            Recorded::Network(event) => self.network(now, event.clone()),
            // What it came to then it comes to now.
            Recorded::Inject(fault) => _ = self.inject(now, fault.clone()),
            Recorded::Clear(id) => _ = self.clear(now, *id),
            Recorded::ClearAll => self.clear_all(now),
            Recorded::Advance => self.advance(now),
            Recorded::Output(_) => return None,
        }
        Some(())
    }

    fn tape(&mut self, at: Instant, what: impl FnOnce() -> Recorded) {
        if let Some(tape) = &mut self.tape {
            tape.push(Record { at, what: what() });
        }
    }

    /// Adds a fault. Its times count from now.
    ///
    /// # Errors
    /// The model cannot have it, or there are too many.
    pub fn inject(&mut self, now: Instant, fault: Fault) -> Result<FaultId, InjectError> {
        self.now = now;
        self.tape(now, || Recorded::Inject(fault.clone()));
        fault.check(self.model()).map_err(InjectError::NotHere)?;
        let around = self.around();
        let id = around.schedule.inject(now, fault);
        let id = id.map_err(InjectError::TooMany)?;
        self.settle(now);
        Ok(id)
    }

    /// Takes a fault away: what it did ends. False when there is none of this name.
    pub fn clear(&mut self, now: Instant, id: FaultId) -> bool {
        self.now = now;
        self.tape(now, || Recorded::Clear(id));
        let Some(around) = &mut self.around else {
            return false;
        };
        let found = around.schedule.clear(now, id) | around.line.disarm(Some(id));
        self.settle(now);
        found
    }

    /// Takes every fault away: the world heals.
    pub fn clear_all(&mut self, now: Instant) {
        self.now = now;
        self.tape(now, || Recorded::ClearAll);
        if let Some(around) = &mut self.around {
            around.schedule.clear_all(now, |_| true);
            around.line.disarm(None);
            around.dips = None;
            let event = NetworkEvent::CommandsFail {
                code: 0,
                commands: 0,
            };
            self.module.network(now, event);
            self.settle(now);
        }
    }

    /// The faults that are there or will be, in the order of their injection.
    pub fn faults(&self) -> impl Iterator<Item = Status<'_>> {
        self.around.iter().flat_map(|around| around.schedule.list())
    }

    /// Serial bytes from the host, sliced in any way.
    pub fn receive(&mut self, now: Instant, bytes: &[u8]) {
        self.now = now;
        self.tape(now, || Recorded::Host(bytes.into()));
        match &mut self.around {
            None => self.module.receive(now, bytes),
            Some(around) => {
                around.line.from_host(now, bytes);
                self.settle(now);
            }
        }
    }

    /// What became of a link. Events of a link that was closed are ignored.
    pub fn receive_link(&mut self, now: Instant, link: LinkId, event: LinkEvent<'_>) {
        self.now = now;
        self.tape(now, || Recorded::Link(link, event.into()));
        match &mut self.around {
            None => {
                match event {
                    LinkEvent::Data(_) => {}
                    LinkEvent::Opened(_) => {
                        if let Some(own) = self.links.iter_mut().find(|own| own.link == link) {
                            own.up = true;
                        }
                    }
                    _ => self.forget(link),
                }
                self.module.receive_link(now, link, event);
            }
            Some(around) => {
                around.links.from_network(now, link, event);
                self.settle(now);
            }
        }
    }

    /// Whether there is room for data of a link. What comes when there is none should stay with the peer.
    pub fn takes_data(&self, link: LinkId) -> bool {
        let passes = self
            .around
            .as_ref()
            .is_none_or(|around| around.stuck.is_empty() && around.links.takes_data(link));
        passes && self.module.takes_data(link)
    }

    /// The answer to [`Output::Resolve`].
    pub fn resolved(&mut self, now: Instant, query: QueryId, answer: Result<&[IpAddr], NetError>) {
        self.now = now;
        self.tape(now, || {
            Recorded::Resolved(query, answer.map(<[IpAddr]>::to_vec))
        });
        match &mut self.around {
            None => self.module.resolved(now, query, answer),
            Some(around) => {
                around.links.resolved(now, query, answer);
                self.settle(now);
            }
        }
    }

    /// What the world does to the module, for good: faults go back to it.
    pub fn network(&mut self, now: Instant, event: NetworkEvent) {
        self.now = now;
        self.tape(now, || Recorded::Network(event.clone()));
        match &event {
            NetworkEvent::Signal { rssi } => self.normal.rssi = *rssi,
            NetworkEvent::Registration(registration) => self.normal.registration = *registration,
            NetworkEvent::Sim(sim) => self.normal.sim = sim.clone(),
            // Power helps.
            NetworkEvent::PowerCycle => self.wake(now, false),
            _ => {}
        }
        self.module.network(now, event);
        self.settle(now);
    }

    /// Time has come.
    pub fn advance(&mut self, now: Instant) {
        self.now = now;
        self.tape(now, || Recorded::Advance);
        let hangs = self.hangs();
        if let Some(around) = &mut self.around {
            around.line.advance(now);
            around.links.advance(now);
            if let Some((_, left)) = around.dips.take_if(|(at, _)| *at <= now) {
                self.dip(now, left);
            }
            // What is due on the way to the module comes before what the module does by itself.
            self.settle(now);
        }
        if !hangs {
            self.module.advance(now);
        }
        self.settle(now);
    }

    /// What is to be done, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        let output = self.next_output()?;
        self.tape(self.now, || Recorded::Output(output.clone()));
        Some(output)
    }

    fn next_output(&mut self) -> Option<Output> {
        if let Some(around) = &mut self.around {
            return around.out.pop_front();
        }
        let output = self.module.poll_output()?;
        match &output {
            Output::Open {
                link, host, port, ..
            } => self.links.push(Open {
                link: *link,
                host: host.clone(),
                port: *port,
                up: false,
            }),
            Output::Close { link } | Output::Abort { link } => self.forget(*link),
            Output::Baud(rate) => self.rate = *rate,
            _ => {}
        }
        Some(output)
    }

    /// When [`Rig::advance`] must be called next; `None`: only after some input.
    pub fn next_deadline(&self) -> Option<Instant> {
        let module = self.module.next_deadline();
        let Some(around) = &self.around else {
            return module;
        };
        [
            module.filter(|_| !self.hangs()),
            around.schedule.next_deadline(),
            around.line.next_deadline(),
            around.links.next_deadline(),
            around.dips.map(|(at, _)| at),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Bytes that faults hold back.
    pub fn held(&self) -> usize {
        let around = self.around.as_ref();
        around.map_or(0, |around| {
            around.line.held() + around.links.held() + around.unread.len()
        })
    }

    fn around(&mut self) -> &mut Around {
        let (model, rate, seed) = (self.module.model(), self.rate, self.seed);
        let open = &mut self.links;
        self.around.get_or_insert_with(|| {
            let mut line = Line::new(model);
            line.set_rate(rate);
            let mut links = Links::new();
            for own in std::mem::take(open) {
                links.adopt(own.link, &own.host, own.port, own.up);
            }
            Box::new(Around {
                schedule: Schedule::new(seed),
                line,
                links,
                out: VecDeque::new(),
                stuck: Vec::new(),
                unread: Vec::new(),
                unheard: VecDeque::new(),
                dips: None,
            })
        })
    }

    fn forget(&mut self, link: LinkId) {
        self.links.retain(|own| own.link != link);
        if self.links.is_empty() {
            self.links = Vec::new();
        }
    }

    fn hangs(&self) -> bool {
        self.around
            .as_ref()
            .is_some_and(|around| !around.stuck.is_empty())
    }

    /// Carries everything as far as it goes now.
    fn settle(&mut self, now: Instant) {
        while let Some(around) = &mut self.around {
            // Faults first: one that a command line calls for strikes before the module has said anything to it.
            if let Some(strike) = around.schedule.poll(now) {
                self.strike(now, &strike);
            } else if let Some(output) = around.line.poll_output() {
                self.line_output(now, output);
            } else if let Some(output) = around.links.poll_output() {
                self.links_output(now, output);
            } else if around.stuck.is_empty()
                && let Some(output) = self.module.poll_output()
            {
                self.module_output(now, output);
            } else {
                return;
            }
        }
    }

    fn line_output(&mut self, now: Instant, output: LineOutput) {
        let Some(around) = &mut self.around else {
            return;
        };
        match output {
            LineOutput::ToModule(bytes) if around.stuck.is_empty() => {
                self.module.receive(now, &bytes);
            }
            LineOutput::ToModule(bytes) => {
                let room = UART_BUFFER.saturating_sub(around.unread.len());
                let (kept, lost) = bytes.split_at(bytes.len().min(room));
                around.unread.extend_from_slice(kept);
                if !lost.is_empty() {
                    let lost = lost.len();
                    self.note(now, || {
                        format!("{lost} bytes of the host lost: the module hangs, and its buffer is full")
                    });
                }
            }
            LineOutput::Typed(line) => around.schedule.typed(now, &line),
            LineOutput::ToHost(bytes) => around.out.push_back(Output::Serial(bytes)),
            LineOutput::Note(text) => self.note(now, || text),
        }
    }

    fn links_output(&mut self, now: Instant, output: LinkOutput) {
        let Some(around) = &mut self.around else {
            return;
        };
        match output {
            LinkOutput::Network(output) => around.out.push_back(output),
            heard if !around.stuck.is_empty() => around.unheard.push_back(heard),
            LinkOutput::Event(link, event) => self.module.receive_link(now, link, event.event()),
            LinkOutput::Resolved(query, answer) => {
                let answer = answer.as_deref().map_err(|error| *error);
                self.module.resolved(now, query, answer);
            }
        }
    }

    fn module_output(&mut self, now: Instant, output: Output) {
        if let Output::Baud(rate) = output {
            self.rate = rate;
        }
        let Some(around) = &mut self.around else {
            return;
        };
        match output {
            Output::Serial(bytes) => around.line.from_module(now, &bytes),
            Output::Baud(rate) => {
                around.line.set_rate(rate);
                around.out.push_back(Output::Baud(rate));
            }
            output => {
                if let Some(output) = around.links.from_module(now, output) {
                    around.out.push_back(output);
                }
            }
        }
    }

    fn strike(&mut self, now: Instant, strike: &Strike) {
        let Some(around) = &mut self.around else {
            return;
        };
        let (id, fault) = (strike.id, &strike.fault);
        let begins = strike.edge == Edge::Begin;
        let taken = around.line.strike(now, strike) || around.links.strike(now, strike);
        if fault.what == What::BrokerUp {
            around.schedule.end_all(now, |other| {
                let place = other.place();
                matches!(place, Some(Place::Link { .. }))
            });
        }
        self.note(strike.at, || match strike.edge {
            Edge::Begin => format!("fault {id} strikes: {fault}"),
            Edge::End => format!("fault {id} is over: {fault}"),
        });
        if taken {
            return;
        }
        let event = match &fault.what {
            What::SignalBack => {
                if let Some(around) = &mut self.around {
                    let is_signal = |other: &Fault| matches!(other.what, What::Signal(_));
                    around.schedule.end_all(now, is_signal);
                }
                return;
            }
            What::Signal(_) => NetworkEvent::Signal {
                rssi: self
                    .latest(|what| match what {
                        What::Signal(rssi) => Some(*rssi),
                        _ => None,
                    })
                    .unwrap_or(self.normal.rssi),
            },
            What::Registration(_) => NetworkEvent::Registration(
                self.latest(|what| match what {
                    What::Registration(registration) => Some(*registration),
                    _ => None,
                })
                .unwrap_or(self.normal.registration),
            ),
            What::Sim(_) => NetworkEvent::Sim(
                self.latest(|what| match what {
                    What::Sim(sim) => Some(sim.clone()),
                    _ => None,
                })
                .unwrap_or_else(|| self.normal.sim.clone()),
            ),
            What::FlashFull => {
                let full = self.latest(|what| (*what == What::FlashFull).then_some(()));
                NetworkEvent::FlashFull(full.is_some())
            }
            What::SimBusy { times } => NetworkEvent::SimBusy { times: *times },
            What::PdpDeact => NetworkEvent::PdpDeactivated,
            What::IpChange => NetworkEvent::AddressChanged,
            What::ClockLost => NetworkEvent::ClockLost,
            What::CmeError { code, commands } => NetworkEvent::CommandsFail {
                code: *code,
                commands: *commands,
            },
            What::Reboot => {
                self.wake(now, false);
                NetworkEvent::Crash
            }
            What::PowerCut => {
                self.wake(now, false);
                if begins && fault.lasts.is_some() {
                    NetworkEvent::PowerCut
                } else {
                    NetworkEvent::PowerCycle
                }
            }
            What::BrownOut { times } => {
                self.dip(now, *times);
                return;
            }
            What::Stuck => {
                if let Some(around) = &mut self.around {
                    around.stuck.retain(|own| *own != id);
                    if begins {
                        around.stuck.push(id);
                    } else if around.stuck.is_empty() {
                        self.wake(now, true);
                    }
                }
                return;
            }
            // The layers have taken what is theirs.
            _ => return,
        };
        self.module.network(now, event);
    }

    /// What the youngest fault of a kind says that is there now.
    fn latest<T>(&self, of: impl Fn(&What) -> Option<T>) -> Option<T> {
        let mut found = None;
        for status in self.faults().filter(|status| status.active) {
            found = of(&status.fault.what).or(found);
        }
        found
    }

    /// Power dips, and does so `left - 1` times more: each time as soon as the module has said its first word.
    fn dip(&mut self, now: Instant, left: u32) {
        self.wake(now, false);
        self.module.network(now, NetworkEvent::PowerCycle);
        let boot = self.model().timing.boot + Duration::from_millis(300);
        if let Some(around) = &mut self.around {
            around.dips = (left > 1).then(|| (now + boot, left - 1));
        }
    }

    /// The module does not hang any more: it goes on with what has waited for it, or without when it starts anew.
    fn wake(&mut self, now: Instant, goes_on: bool) {
        let Some(around) = &mut self.around else {
            return;
        };
        around.stuck.clear();
        let unread = std::mem::take(&mut around.unread);
        let unheard = std::mem::take(&mut around.unheard);
        if !goes_on {
            around.line.restart(now);
            return;
        }
        for output in unheard {
            self.links_output(now, output);
        }
        if !unread.is_empty() {
            self.module.receive(now, &unread);
        }
        self.module.advance(now);
    }

    fn note(&mut self, at: Instant, text: impl FnOnce() -> String) {
        if let Some(around) = &mut self.around
            && self.trace
        {
            let kind = TraceKind::Note(text());
            around.out.push_back(Output::Trace(Trace { at, kind }));
        }
    }
}
