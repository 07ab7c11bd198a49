//! The device end of MQTT over AT commands, as a state machine: serial bytes in, serial bytes out, and requests for links.
//!
//! **After any input, drain [`Module::poll_output`] until it is empty, and call [`Module::advance`] when
//! [`Module::next_deadline`] has come.** The module opens no socket, reads no clock and rolls no dice: what it wants done
//! comes out as an [`Output`], and what became of it goes in again.
//!
//! ```
//! use instant::Instant;
//! use module::{Config, Module, Output, Pace};
//!
//! let model = dialect::Model::by_name("air780ep").unwrap();
//! let mut module = Module::new(Instant::ZERO, model, Config { pace: Pace::Fast, ..Config::default() });
//! while module.poll_output().is_some() {} // the boot reports
//!
//! module.receive(Instant::ZERO, b"AT\r");
//! let mut reply = Vec::new();
//! while let Some(output) = module.poll_output() {
//!     if let Output::Serial(bytes) = output {
//!         reply.extend(bytes);
//!     }
//! }
//! assert_eq!(reply, b"AT\r\r\nOK\r\n");
//! ```

#![forbid(unsafe_code)]

mod api;
mod basic;
mod clock;
mod core;
mod family;
mod files;
mod flash;
mod link;
mod network;
mod radio;
mod state;
mod telling;
mod terminal;
mod tls;
mod wifi;

pub use api::*;
pub use flash::{Area, Content, Flash, FlashItem};
pub use state::*;
pub use tls::{Psk, Tls, TlsVersion};

use crate::core::{Core, Outcome};
use crate::family::Family;
use crate::radio::Change;
use crate::terminal::{DataEnd, Input};
use ::core::fmt;
use dialect::command::{self, Statement};
use dialect::model::Bearer;
use dialect::{Model, ParseError, Problem, Syntax};
use instant::Instant;
use std::net::IpAddr;

/// One module, powered on.
pub struct Module {
    core: Core,
    family: Box<dyn Family>,
    /// Commands of the current line that wait for the one before them, when there is one.
    waiting: Option<Vec<u8>>,
}

impl Module {
    /// Powers a module on. Boot reports follow.
    pub fn new(now: Instant, model: &'static Model, config: Config) -> Self {
        let mut module = Self {
            family: family::new(model),
            core: Core::new(now, model, config),
            waiting: None,
        };
        module.advance(now);
        module
    }

    /// Which model it is.
    pub fn model(&self) -> &'static Model {
        self.core.model
    }

    /// Serial bytes from the host, sliced in any way.
    pub fn receive(&mut self, now: Instant, bytes: &[u8]) {
        self.core.now = now;
        self.core.from_host += bytes.len() as u64;
        // What has happened by now comes first: it may still be booting.
        self.settle();
        if self.core.booted {
            let bytes = self.find_rate(bytes);
            self.process(bytes);
        } else if self.core.power_is_on() {
            let text = self.core.typed(bytes);
            self.core
                .note(|| format!("{text} lost: the module is starting"));
        }
        self.settle();
    }

    /// Uses up the first line after power-on, when the rate of the host is not known; what follows it can be read.
    fn find_rate<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        if !self.core.finds_rate {
            return bytes;
        }
        let Some(end) = bytes.iter().position(|byte| *byte == b'\r') else {
            return &[];
        };
        self.core.finds_rate = false;
        self.core
            .note(|| "the rate of the host is found (autobaud): the line is lost, send AT until it is answered".into());
        bytes[end + 1..]
            .strip_prefix(b"\n")
            .unwrap_or(&bytes[end + 1..])
    }

    /// What became of a link. Events of a link that was closed are ignored.
    pub fn receive_link(&mut self, now: Instant, link: LinkId, event: LinkEvent<'_>) {
        self.core.now = now;
        if !self.core.hold_back(link, event) {
            self.family.link(&mut self.core, link, event);
        }
        self.settle();
    }

    /// Whether it has room for data of a link. What comes when it has none should stay with the peer, as TCP's window has
    /// it: ask again after any input and any [`Module::advance`].
    pub fn takes_data(&self, link: LinkId) -> bool {
        self.family.takes_data(&self.core, link)
    }

    /// The answer to [`Output::Resolve`].
    pub fn resolved(&mut self, now: Instant, query: QueryId, answer: Result<&[IpAddr], NetError>) {
        self.core.now = now;
        self.family.resolved(&mut self.core, query, answer);
        self.settle();
    }

    /// Its end of the serial line: rate and circuits.
    pub fn line_state(&self) -> LineState {
        self.core.line_state()
    }

    /// What the world does to the module.
    pub fn network(&mut self, now: Instant, event: NetworkEvent) {
        self.core.now = now;
        match event {
            NetworkEvent::PowerCycle => self.core.reboot(Reboot::PowerCycle),
            NetworkEvent::FlashFull(full) => self.core.files.set_full(full),
            NetworkEvent::HostRate { baud } => self.core.set_host_rate(baud),
            event if !self.core.power_is_on() => self.core.radio.unseen(event),
            NetworkEvent::PowerCut => self.core.reboot(Reboot::Cut),
            NetworkEvent::Crash => self.core.reboot(Reboot::Crash),
            NetworkEvent::ClockSet(seconds) => self.core.clock.set_unix(now, seconds),
            NetworkEvent::ClockLost => self.core.clock.power_on(now),
            NetworkEvent::CommandsFail { code, commands } => {
                self.core.failing = Some((code, commands)).filter(|_| commands > 0);
            }
            event => {
                let (timing, pace) = (&self.core.model.timing, self.core.config.pace);
                self.core.radio.event(now, timing, pace, event);
            }
        }
        self.settle();
    }

    /// Time has come.
    pub fn advance(&mut self, now: Instant) {
        self.core.now = now;
        if let Some(end) = self.core.terminal.data_deadline_passed(now) {
            self.finish_data(end);
        }
        self.family.advance(&mut self.core);
        self.settle();
    }

    /// What the module wants done, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.core.next_output()
    }

    /// When [`Module::advance`] must be called next; `None`: only after some input.
    pub fn next_deadline(&self) -> Option<Instant> {
        [
            self.core.terminal.next_deadline(),
            self.core.radio.next_deadline(),
            self.family.next_deadline(),
            self.core.arrival_deadline(),
            self.core.reboot_deadline(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// How it is now. Costs a copy of everything that is told.
    pub fn state(&self, now: Instant) -> State {
        let core = &self.core;
        let radio = &core.radio;
        let cellular = core.model.bearer != Bearer::WiFi;
        let wifi = self.family.wifi();
        let on_wifi = if wifi.as_ref().is_some_and(|wifi| wifi.has_address) {
            Registration::Home
        } else {
            Registration::NotRegistered
        };
        let pdp = |context: &radio::Context| PdpState {
            cid: context.cid,
            kind: context.kind.clone(),
            apn: radio.apn_of(context.cid),
            address: context.active.then(|| radio.address(context.cid)),
        };
        State {
            power: match (core.power_is_on(), core.booted) {
                (false, _) => Power::Off,
                (true, false) => Power::Booting,
                (true, true) => Power::On,
            },
            functionality: radio.fun,
            rssi: core.rssi(),
            registration: if cellular { radio.stat } else { on_wifi },
            attached: radio.attached,
            sim: cellular.then(|| radio.world.sim.clone()),
            unix_time: core.clock.unix(now),
            pdp: radio
                .contexts
                .iter()
                .filter(|_| cellular)
                .map(pdp)
                .collect(),
            wifi,
            links: self.family.links(),
            serial: core.serial(),
        }
    }

    /// Lets everything happen that is due now, until nothing more does.
    fn settle(&mut self) {
        loop {
            if let Some((link, parcel)) = self.core.arrived() {
                self.family.link(&mut self.core, link, parcel.event());
            } else if let Some(how) = self.core.take_reboot() {
                self.power_cycle(how);
            } else if let Some(outcome) = self.core.completed.take() {
                let rest = self.waiting.take().unwrap_or_default();
                self.conclude(outcome, rest);
            } else if self.core.booted
                && let Some(pending) = self.core.terminal.take_pending()
            {
                self.process(&pending);
            } else if !self.next_change() {
                break;
            }
        }
        self.core.transmit();
    }

    /// Tells of the next change of SIM, registration or PDP context; false when there is none.
    fn next_change(&mut self) -> bool {
        let Some(change) = self.core.next_radio_change() else {
            return false;
        };
        self.core.booted |= change == Change::Booted;
        self.core.tell_change(&change);
        network::report(&mut self.core, &change);
        self.family.network(&mut self.core, &change);
        true
    }

    fn power_cycle(&mut self, how: Reboot) {
        self.family.power_off(&mut self.core);
        self.waiting = None;
        self.family = family::new(self.core.model);
        self.core.power_off(how);
        if !matches!(how, Reboot::Off | Reboot::Cut) {
            self.core.power_on(how);
        }
    }

    /// Takes bytes from the host until they end or a command keeps the module busy; the rest waits.
    fn process(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            match self
                .core
                .terminal
                .take(self.core.now, &mut rest, self.core.settings.echo)
            {
                Input::Nothing => {}
                Input::Line { line, lost } => {
                    self.leftover(&mut rest);
                    self.line(&line, lost);
                    // What the command changed holds before the next one is read.
                    while self.next_change() {}
                }
                Input::Data(end) => {
                    self.leftover(&mut rest);
                    self.finish_data(end);
                }
                Input::Stream(bytes) => {
                    self.core.trace(|| TraceKind::FromHost(bytes.clone()));
                    self.family.stream(&mut self.core, &bytes);
                }
                Input::Busy if self.family.busy(&mut self.core, rest) => return,
                Input::Busy => {
                    let lost = self.core.terminal.keep_for_later(rest);
                    if lost > 0 {
                        self.core.note(|| format!("{lost} bytes lost: they came faster than the module answers, and its input buffer was full"));
                    }
                    return;
                }
            }
        }
    }

    /// ESP-AT takes what comes in one go with a command, and behind it, for typed while the command runs. Without a pace
    /// nothing comes in one go.
    // Source: MAME's esp8266_at.
    fn leftover(&mut self, rest: &mut &[u8]) {
        let is_esp = self.core.model.syntax == Syntax::EspAt;
        if is_esp && self.core.config.pace == Pace::Real && !rest.is_empty() {
            self.family.busy(&mut self.core, rest);
            *rest = &[];
        }
    }

    fn line(&mut self, line: &[u8], lost: usize) {
        self.core.lines += 1;
        self.core.trace_typed(line);
        if self.core.model.syntax == Syntax::EspAt {
            self.esp_line(line, lost);
            return;
        }
        let Some(at) = line
            .windows(2)
            .position(|pair| pair.eq_ignore_ascii_case(b"AT"))
        else {
            // V.250 §5.2.1: what does not begin with AT is no command line, and gets no answer.
            let answered = self.family.other_line(&mut self.core, line);
            if !answered && !line.trim_ascii().is_empty() {
                self.core.note(|| {
                    "no AT in the line: not a command, so no answer (V.250 §5.2.1)".into()
                });
            }
            return;
        };
        if lost > 0 {
            let limit = self.core.model.limits.line;
            self.core.note(|| {
                format!(
                    "the line is {} bytes long, and {limit} is all that the module holds",
                    limit + lost
                )
            });
            self.core.finish(Outcome::Error);
            return;
        }
        self.run(line[at + 2..].to_vec());
    }

    /// ESP-AT has an answer to every line.
    fn esp_line(&mut self, line: &[u8], lost: usize) {
        let problem = match line {
            _ if lost > 0 => Problem::TooLong,
            [b'a' | b'A', b't' | b'T', ..] => {
                self.run(line[2..].to_vec());
                return;
            }
            _ => Problem::NotACommand,
        };
        let outcome = self.refuse(&ParseError {
            command: None,
            problem,
            param: None,
            second: false,
            given: 0,
        });
        self.core.finish(outcome);
    }

    /// Runs the commands of a line one after another; the first refusal ends it (V.250 §5.6).
    fn run(&mut self, mut rest: Vec<u8>) {
        loop {
            if rest.trim_ascii().is_empty() {
                self.core.finish(Outcome::Ok);
                return;
            }
            self.core.terminal.set_busy();
            let before = (!self.core.model.as_written.is_empty()).then(|| rest.clone());
            let model = self.core.model;
            let (outcome, left) = match command::parse(model.syntax, model.commands, &mut rest) {
                Ok((statement, left)) => (
                    execute(&mut self.core, &mut *self.family, &statement),
                    left.len(),
                ),
                Err(error) => (self.as_written(before, &error), 0),
            };
            rest.drain(..rest.len() - left);
            if outcome == Outcome::Ok && left > 0 {
                self.core.print_info();
            }
            if outcome != Outcome::Ok {
                self.conclude(outcome, rest);
                return;
            }
        }
    }

    /// A line that the firmware refuses may be one that a tutorial prints: the trace shows the form that works, and with
    /// the option for it the line is carried out all the same.
    fn as_written(&mut self, before: Option<Vec<u8>>, error: &ParseError) -> Outcome {
        let mut line = before.unwrap_or_default();
        let model = self.core.model;
        let Ok((statement, _)) = command::parse(model.syntax, model.as_written, &mut line) else {
            return self.refuse(error);
        };
        let works = statement.command.title;
        self.core.note(|| {
            format!("hardware refuses this line of the tutorial; the form that works: {works}")
        });
        if !self.core.config.as_written {
            return self.refuse(error);
        }
        self.family.as_written(&mut self.core, &statement)
    }

    fn refuse(&mut self, error: &ParseError) -> Outcome {
        self.core.note(|| error.to_string());
        self.family.refuse(&mut self.core, error)
    }

    fn conclude(&mut self, outcome: Outcome, rest: Vec<u8>) {
        match outcome {
            Outcome::Ok => self.run(rest),
            Outcome::Later => {
                self.waiting = Some(rest);
                self.core.terminal.set_busy();
            }
            Outcome::Data(data) => {
                self.waiting = Some(rest);
                self.core.begin_data(data);
            }
            Outcome::Stream(prompt) => {
                self.waiting = None;
                self.core.begin_stream(prompt);
            }
            outcome => self.core.finish(outcome),
        }
    }

    fn finish_data(&mut self, end: DataEnd) {
        let (data, how) = self.core.terminal.take_data();
        if how.secret {
            self.core.teller.suspect();
        }
        self.core.lines += 1;
        self.core.trace(|| {
            TraceKind::FromHost(if how.secret {
                format!("<{} bytes of a file>", data.len()).into_bytes()
            } else {
                data.clone()
            })
        });
        let outcome = self.family.data(&mut self.core, &data, end);
        let rest = self.waiting.take().unwrap_or_default();
        self.conclude(outcome, rest);
    }
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Module")
            .field("model", &self.core.model.name)
            .field("now", &self.core.now)
            .finish_non_exhaustive()
    }
}

/// Why a module starts anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reboot {
    /// By a command.
    Command,
    /// By a command that also forgets what was saved.
    Factory,
    /// Power went and came back.
    PowerCycle,
    /// The firmware crashed.
    Crash,
    /// Power went.
    Cut,
    /// It switched itself off, and stays off.
    Off,
}

/// The family first: what it does not know is standard, or not known at all.
fn execute(core: &mut Core, family: &mut dyn Family, statement: &Statement<'_>) -> Outcome {
    if statement.command.is_extended()
        && let Some((code, left)) = core.failing
    {
        core.failing = Some((code, left - 1)).filter(|(_, left)| *left > 0);
        core.note(|| format!("a fault refuses this command; {} more", left - 1));
        return Outcome::Cme(code);
    }
    if statement.form == dialect::Form::Test {
        for line in statement.command.test.unwrap_or(&[]) {
            core.info_text(line);
        }
        return Outcome::Ok;
    }
    if let Some(outcome) = family.execute(core, statement) {
        return outcome;
    }
    if let Some(outcome) = network::execute(core, statement) {
        return outcome;
    }
    if let Some(outcome) = basic::execute(core, statement) {
        return outcome;
    }
    core.note(|| {
        format!(
            "AT{} is described but not played: a defect of modemq",
            statement.command.name
        )
    });
    Outcome::Error
}
