//! What every family shares: the time, the serial line, the radio, the settings, and what is to be done outside.

use crate::Reboot;
use crate::api::{
    Circuits, Config, LineState, LinkEvent, LinkId, NetError, Output, Pace, QueryId, Trace,
    TraceKind, Transport,
};
use crate::clock::Clock;
use crate::files::Files;
use crate::flash::{Area, Content, Kept};
use crate::radio::{Change, Radio, SavedApn};
use crate::state::{Event, SerialState};
use crate::telling::Teller;
use crate::terminal::{DataMode, Frame, Terminal};
use dialect::{Line, Model, Syntax, Value, basic, espressif, reply};
use instant::Instant;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

/// How a command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// `OK`, or the next command of the line.
    Ok,
    /// `ERROR`
    Error,
    /// `+CME ERROR: n`, or what AT+CMEE makes of it.
    Cme(u16),
    /// A final result of the command's own, in place of `OK`.
    Line(&'static Line),
    /// No final result at all.
    Silent,
    /// It comes later, through [`Core::completed`].
    Later,
    /// The command takes data first.
    Data(DataMode),
    /// This is printed, and from then on everything that is typed goes to [`crate::family::Family::stream`].
    Stream(&'static [u8]),
}

impl Outcome {
    /// The refusal of a value that has the right form and makes no sense.
    // Inferred: "Param value range beyond" of the Luat table; no log shows one.
    pub(crate) const BAD_VALUE: Outcome = Outcome::Cme(793);
}

/// The settings of AT&W, and the APN of AT+CPNETAPN, in the flash.
const SAVED: &str = "AT&W";
const SAVED_APN: &str = "CPNETAPN";

/// Bytes that are under way from the peers at a time.
const ARRIVING_MAX: usize = 64 * 1024;

/// Bytes that wait for the serial line; with more than that, data of a socket stays with the peer.
const FULL: usize = 16 * 1024;

/// An event of a link, on its way.
pub(crate) enum Parcel {
    Opened(IpAddr),
    Failed(NetError),
    Data(Vec<u8>),
    Closed,
    Reset,
}

impl Parcel {
    fn new(event: LinkEvent<'_>) -> Self {
        match event {
            LinkEvent::Opened(peer) => Self::Opened(peer),
            LinkEvent::Failed(error) => Self::Failed(error),
            LinkEvent::Data(bytes) => Self::Data(bytes.into()),
            LinkEvent::Closed => Self::Closed,
            LinkEvent::Reset => Self::Reset,
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Data(bytes) => bytes.len(),
            _ => 0,
        }
    }

    pub(crate) fn event(&self) -> LinkEvent<'_> {
        match self {
            Self::Opened(peer) => LinkEvent::Opened(*peer),
            Self::Failed(error) => LinkEvent::Failed(*error),
            Self::Data(bytes) => LinkEvent::Data(bytes),
            Self::Closed => LinkEvent::Closed,
            Self::Reset => LinkEvent::Reset,
        }
    }
}

/// What the host can set and `AT&W` keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) echo: bool,
    pub(crate) verbose: bool,
    pub(crate) quiet: bool,
    pub(crate) cmee: u8,
    /// Bits per second as the host set them; 0 is autobauding.
    pub(crate) rate: u32,
    /// `AT&C0`: DCD is on, whether there is a carrier or not.
    pub(crate) dcd_always: bool,
}

pub(crate) struct Core {
    pub(crate) now: Instant,
    pub(crate) model: &'static Model,
    pub(crate) config: Config,
    pub(crate) settings: Settings,
    pub(crate) terminal: Terminal,
    pub(crate) radio: Radio,
    pub(crate) clock: Clock,
    pub(crate) files: Files,
    /// Settings that survive a reboot, by name.
    pub(crate) kept: Kept,
    /// Certificates and keys that are in no file, by name.
    pub(crate) certificates: Kept,
    pub(crate) out: VecDeque<Output>,
    /// What is under way from the peers, in the order of its arrival.
    arriving: VecDeque<(Instant, LinkId, Parcel)>,
    arriving_len: usize,
    /// The end of a command that said [`Outcome::Later`].
    pub(crate) completed: Option<Outcome>,
    /// Bytes from the host, bytes for it, and lines and data of it, since the module was made.
    pub(crate) from_host: u64,
    to_host: u64,
    pub(crate) lines: u64,
    /// What `AT&W` kept.
    saved: Settings,
    /// Information text of the command that runs.
    info: Vec<u8>,
    /// Its last line has no end.
    info_is_open: bool,
    /// It may hold a private key: the trace tells its length alone.
    info_is_secret: bool,
    /// Why the module last started: the number that `AT*EXINFO?` prints.
    pub(crate) boot_reason: u8,
    pub(crate) teller: Teller,
    power: bool,
    /// It listens to the serial line: not before it has booted.
    pub(crate) booted: bool,
    /// It does not know the rate of the host yet.
    pub(crate) finds_rate: bool,
    /// Bits per second of the host's UART, where they are known.
    host_rate: Option<u32>,
    /// Bits per second that the line has: those of a setting as soon as the reply to it is out.
    line_rate: u32,
    reboot: Option<(Instant, Reboot)>,
    next_handle: u32,
    /// A fault: this code for so many of the next extended commands.
    pub(crate) failing: Option<(u16, u32)>,
    /// The rate of the line changes when all that was said at the old one is out.
    new_baud: bool,
}

impl Core {
    pub(crate) fn new(now: Instant, model: &'static Model, mut config: Config) -> Self {
        let factory = Settings::factory(model, &config);
        let flash = config.flash.take();
        let mut core = Self {
            now,
            model,
            settings: factory,
            saved: factory,
            terminal: new_terminal(model, &config),
            radio: Radio::new(&config.radio),
            clock: Clock::new(now, config.unix_time),
            files: Files::new(model.limits.flash, flash.is_some()),
            kept: Kept::new(Area::Setting, flash.as_ref()),
            certificates: Kept::new(Area::Certificate, flash.as_ref()),
            out: VecDeque::new(),
            arriving: VecDeque::new(),
            arriving_len: 0,
            completed: None,
            from_host: 0,
            to_host: 0,
            lines: 0,
            info: Vec::new(),
            info_is_open: false,
            info_is_secret: false,
            boot_reason: 0,
            teller: Teller::default(),
            power: false,
            booted: false,
            finds_rate: false,
            host_rate: None,
            line_rate: config.baud.unwrap_or(model.defaults.baud),
            reboot: None,
            next_handle: 0,
            failing: None,
            new_baud: false,
            config,
        };
        let homeless = flash.map(|flash| core.files.load(&flash));
        for (item, error) in homeless.unwrap_or_default() {
            core.note(|| format!("{} of the flash left out: {error}", item.name));
        }
        let saved = core.kept.text(SAVED).and_then(Settings::from_text);
        core.saved = saved.unwrap_or(factory);
        core.radio.saved_apn = core.kept.text(SAVED_APN).and_then(SavedApn::from_text);
        core.power_on(Reboot::PowerCycle);
        core
    }

    /// What is to be done outside next. The flash comes first: what the module has said OK to is kept by then.
    pub(crate) fn next_output(&mut self) -> Option<Output> {
        let files = self.files.changes.pop().map(|item| {
            let content = self.files.current(&item);
            (item, content)
        });
        let kept = || {
            [&mut self.certificates, &mut self.kept]
                .into_iter()
                .find_map(|kept| {
                    let item = kept.changes.pop()?;
                    let content = kept.get(&item.name).map(<[u8]>::to_vec);
                    Some((item, content))
                })
        };
        match files.or_else(kept) {
            Some((item, content)) => Some(Output::Flash {
                item,
                content: content.map(Content),
            }),
            None => self.out.pop_front(),
        }
    }

    /// Keeps the APN of AT+CPNETAPN over a reboot, or forgets it.
    pub(crate) fn save_apn(&mut self, saved: Option<SavedApn>) {
        match &saved {
            Some(saved) => self.kept.insert(SAVED_APN, saved.to_text()),
            None => drop(self.kept.remove(SAVED_APN)),
        }
        self.radio.saved_apn = saved;
    }

    /// Adds a line to the information response of the command that runs.
    pub(crate) fn info(&mut self, line: &Line, values: &[Value<'_>]) {
        self.info_separator();
        line.write(values, &mut |part| self.info.extend_from_slice(part));
    }

    /// Adds a line of text to the information response of the command that runs.
    pub(crate) fn info_text(&mut self, text: &str) {
        self.info_bytes(text.as_bytes());
    }

    /// Adds raw bytes to the information response of the command that runs.
    pub(crate) fn info_bytes(&mut self, bytes: &[u8]) {
        self.info_separator();
        self.info.extend_from_slice(bytes);
    }

    /// [`Core::info_bytes`] for what may be a private key.
    pub(crate) fn info_secret(&mut self, bytes: &[u8]) {
        self.info_bytes(bytes);
        self.info_is_secret = true;
    }

    /// [`Core::info_text`] for a line that the firmware prints without its end.
    pub(crate) fn info_open(&mut self, text: &str) {
        self.info_text(text);
        self.info_is_open = true;
    }

    /// Prints a line at once, though a command runs.
    pub(crate) fn progress(&mut self, line: &Line, values: &[Value<'_>]) {
        self.reply(&written(line, values));
    }

    /// Bytes of the peer for the host, as they are.
    pub(crate) fn stream(&mut self, bytes: &[u8]) {
        let frame = self.raw(bytes);
        self.terminal.send_now(self.now, frame);
    }

    /// Reports something that the host did not ask for just now. It comes after the reply to the command that runs.
    pub(crate) fn report(&mut self, line: &Line, values: &[Value<'_>]) {
        self.report_text(&written(line, values));
    }

    /// [`Core::report`] for text that no item describes.
    pub(crate) fn report_text(&mut self, text: &[u8]) {
        let frame = self.frame(text);
        if !self.terminal.report(frame) {
            self.note(|| {
                format!(
                    "a report of {} bytes lost: too many wait for the serial line",
                    text.len()
                )
            });
        }
    }

    /// Prints what the command that runs has answered so far. What each command of a line answers is a frame of its own
    /// (V.250 §5.7.1).
    pub(crate) fn print_info(&mut self) {
        let info = std::mem::take(&mut self.info);
        let is_open = std::mem::take(&mut self.info_is_open);
        let is_secret = std::mem::take(&mut self.info_is_secret);
        if info.is_empty() {
            return;
        }
        let mut frame = if is_open {
            self.raw(&info)
        } else {
            self.frame(&info)
        };
        if is_secret {
            frame.told = self.told(format!("<{} bytes of a file>", info.len()).as_bytes());
        }
        let delay = self.span(self.model.timing.reply);
        self.terminal.send(self.now + delay, frame);
    }

    /// Prints what the command that runs has answered so far, and its final result.
    pub(crate) fn finish(&mut self, outcome: Outcome) {
        self.print_info();
        let mut text = Vec::new();
        let mut sink = |part: &[u8]| text.extend_from_slice(part);
        let mut code = b'4';
        match outcome {
            Outcome::Ok => {
                code = b'0';
                basic::OK.write(&[], &mut sink);
            }
            Outcome::Line(line) => line.write(&[], &mut sink),
            Outcome::Cme(err) if self.settings.cmee == 1 => {
                basic::CME_ERROR.write(&[i64::from(err).into()], &mut sink);
            }
            Outcome::Cme(err) if self.settings.cmee == 2 => {
                match reply::meaning(self.model.cme, err) {
                    Some(words) => basic::CME_ERROR_WORDS.write(&[words.into()], &mut sink),
                    None => basic::CME_ERROR.write(&[i64::from(err).into()], &mut sink),
                }
            }
            Outcome::Error | Outcome::Cme(_) => basic::ERROR.write(&[], &mut sink),
            Outcome::Silent | Outcome::Later | Outcome::Data(_) | Outcome::Stream(_) => {}
        }
        let short = !self.settings.verbose && (text == b"OK" || text == b"ERROR");
        if short && !self.settings.quiet {
            // V.250 §5.7.1: the numeric form has no line feed.
            let delay = self.span(self.model.timing.reply);
            let frame = self.raw(&[code, b'\r']);
            self.terminal.send(self.now + delay, frame);
        } else if !text.is_empty() && !self.settings.quiet {
            self.reply(&text);
        }
        self.terminal.end();
    }

    /// Prints a frame of the reply now.
    fn reply(&mut self, text: &[u8]) {
        let frame = self.frame(text);
        let delay = self.span(self.model.timing.reply);
        self.terminal.send(self.now + delay, frame);
    }

    pub(crate) fn begin_data(&mut self, data: DataMode) {
        let delay = self.span(self.model.timing.reply);
        let frame = self.raw(data.prompt);
        self.terminal.send(self.now + delay, frame);
        self.terminal.begin_data(self.now + delay, data);
    }

    pub(crate) fn begin_stream(&mut self, prompt: &'static [u8]) {
        let delay = self.span(self.model.timing.reply);
        let frame = self.raw(prompt);
        self.terminal.send(self.now + delay, frame);
        self.terminal.begin_stream();
    }

    /// Gives what is due on the serial line to the outside, no faster than the line is.
    pub(crate) fn transmit(&mut self) {
        if !self.power {
            return;
        }
        let baud = match self.config.pace {
            Pace::Real => Some(self.baud()),
            Pace::Fast => None,
        };
        self.terminal.release_reports(self.now);
        while let Some(Frame { bytes, told }) = self.terminal.transmit(self.now, baud) {
            if !told.is_empty() {
                self.trace(|| TraceKind::ToHost(told));
            }
            self.to_host += bytes.len() as u64;
            self.out.push_back(Output::Serial(bytes));
        }
        if self.new_baud && self.terminal.is_drained() {
            self.new_baud = false;
            self.change_rate();
        }
    }

    /// Bits per second of the line.
    pub(crate) fn baud(&self) -> u32 {
        match (self.settings.rate, self.host_rate) {
            (0, Some(rate)) if self.has_autobaud() => rate,
            (0, _) => self.config.baud.unwrap_or(self.model.defaults.baud),
            (rate, _) => rate,
        }
    }

    /// Whether it takes the rate of the host.
    // Source: AT+IPR=0, V.250 §6.2.10; ESP-AT has a rate at any time (AT+UART).
    fn has_autobaud(&self) -> bool {
        self.settings.rate == 0 && self.model.syntax == Syntax::V250
    }

    fn change_rate(&mut self) {
        self.line_rate = self.baud();
        self.out.push_back(Output::Baud(self.line_rate));
    }

    pub(crate) fn set_host_rate(&mut self, rate: u32) {
        let before = self.baud();
        self.host_rate = Some(rate);
        self.new_baud = self.baud() != before || self.new_baud;
    }

    pub(crate) fn line_state(&self) -> LineState {
        // V.250 §6.2.8: with AT&C1 DCD is the carrier's, and what is a carrier here is that bytes go straight to the peer.
        let dcd = self.settings.dcd_always || self.terminal.is_streaming();
        LineState {
            baud: self.line_rate,
            autobaud: self.has_autobaud(),
            circuits: Circuits {
                cts: self.power,
                dsr: self.power,
                ri: false,
                dcd: self.power && dcd,
            },
        }
    }

    /// A delay of the model; nothing with [`Pace::Fast`].
    pub(crate) fn span(&self, span: Duration) -> Duration {
        match self.config.pace {
            Pace::Real => span,
            Pace::Fast => Duration::ZERO,
        }
    }

    /// Holds an event of a link back for as long as the network takes; false when it takes no time.
    pub(crate) fn hold_back(&mut self, link: LinkId, event: LinkEvent<'_>) -> bool {
        let timing = &self.model.timing;
        let span = match event {
            LinkEvent::Opened(_) | LinkEvent::Failed(_) => timing.connect,
            _ => timing.round_trip,
        };
        let span = self.config.latency.unwrap_or_else(|| self.span(span));
        if span.is_zero() && self.arriving.is_empty() {
            return false;
        }
        let before = self.arriving.back().map_or(Instant::ZERO, |(at, ..)| *at);
        let parcel = Parcel::new(event);
        self.arriving_len += parcel.len();
        let due = before.max(self.now + span);
        self.arriving.push_back((due, link, parcel));
        true
    }

    /// What arrives now. When too much is under way, it arrives sooner.
    pub(crate) fn arrived(&mut self) -> Option<(LinkId, Parcel)> {
        let (at, ..) = self.arriving.front()?;
        if *at > self.now && self.arriving_len <= ARRIVING_MAX {
            return None;
        }
        let (_, link, parcel) = self.arriving.pop_front()?;
        self.arriving_len -= parcel.len();
        Some((link, parcel))
    }

    /// So much waits for the serial line, or is on its way to the module, that no more should come.
    pub(crate) fn is_full(&self) -> bool {
        self.terminal.waiting() > FULL || self.arriving_len > ARRIVING_MAX
    }

    pub(crate) fn arrival_deadline(&self) -> Option<Instant> {
        self.arriving.front().map(|(at, ..)| *at)
    }

    /// Sets the rate once the reply has gone out at the old one.
    pub(crate) fn set_rate(&mut self, rate: u32) {
        let before = self.baud();
        self.settings.rate = rate;
        self.new_baud = self.baud() != before || self.new_baud;
    }

    /// `+CSQ`: 99 while the radio is off.
    pub(crate) fn rssi(&self) -> u8 {
        if self.radio.fun == 1 {
            self.radio.world.rssi
        } else {
            99
        }
    }

    /// Asks for a transport.
    pub(crate) fn open(&mut self, host: &str, port: u16, transport: Transport) -> LinkId {
        let link = LinkId(self.new_handle());
        let white_list = &self.config.radio.white_list;
        if white_list.is_empty() || white_list.iter().any(|own| own.eq_ignore_ascii_case(host)) {
            self.out.push_back(Output::Open {
                link,
                host: host.into(),
                port,
                transport,
            });
        } else {
            self.note(|| format!("{host} is not on the SIM's white list"));
            // Inferred: the network says so (ICMP, administratively prohibited) and does not leave the module waiting.
            let refused = Parcel::new(LinkEvent::Failed(NetError::Unreachable));
            self.arriving.push_back((self.now, link, refused));
        }
        link
    }

    pub(crate) fn new_query(&mut self) -> QueryId {
        QueryId(self.new_handle())
    }

    fn new_handle(&mut self) -> u32 {
        self.next_handle = self.next_handle.wrapping_add(1);
        self.next_handle
    }

    pub(crate) fn trace(&mut self, kind: impl FnOnce() -> TraceKind) {
        if self.config.trace {
            let trace = Trace {
                at: self.now,
                kind: kind(),
            };
            self.out.push_back(Output::Trace(trace));
        }
    }

    /// Tells the trace of a line of the host.
    pub(crate) fn trace_typed(&mut self, line: &[u8]) {
        if self.config.trace {
            let told = self.teller.told(line);
            self.trace(|| TraceKind::FromHost(told));
        }
    }

    /// What the host typed, for a note.
    pub(crate) fn typed(&mut self, bytes: &[u8]) -> String {
        let told = self.teller.told(bytes.trim_ascii());
        told.escape_ascii().to_string()
    }

    pub(crate) fn note(&mut self, text: impl FnOnce() -> String) {
        self.trace(|| TraceKind::Note(text()));
    }

    pub(crate) fn state(&mut self, text: impl FnOnce() -> String) {
        self.trace(|| TraceKind::State(text()));
    }

    pub(crate) fn event(&mut self, event: impl FnOnce() -> Event) {
        self.trace(|| TraceKind::Event(event()));
    }

    /// What a bench waits for of a change.
    pub(crate) fn tell_change(&mut self, change: &Change) {
        let event = match change {
            Change::Booted => Event::Booted,
            Change::Registration if self.radio.stat.has_service() => Event::Registered,
            Change::NoService => Event::Unregistered,
            Change::PdpUp(cid) => Event::PdpUp(*cid),
            Change::PdpDown { cid, .. } => Event::PdpDown(*cid),
            Change::Sim
            | Change::Registration
            | Change::Service
            | Change::Detached
            | Change::Address
            | Change::AccessPoints { .. } => return,
        };
        self.event(|| event);
    }

    pub(crate) fn serial(&self) -> SerialState {
        SerialState {
            baud: self.baud(),
            from_host: self.from_host,
            to_host: self.to_host,
            lines: self.lines,
            waiting: self.terminal.waiting(),
        }
    }

    pub(crate) fn save_settings(&mut self) {
        self.saved = self.settings;
        self.kept.insert(SAVED, self.saved.to_text());
    }

    pub(crate) fn restore_settings(&mut self) {
        let rate = self.settings.rate;
        self.settings = self.saved;
        self.settings.rate = rate;
    }

    pub(crate) fn factory_settings(&mut self) {
        let rate = self.settings.rate;
        self.settings = Settings::factory(self.model, &self.config);
        self.settings.rate = rate;
    }

    /// Starts the module anew once the reply to the command that runs has gone out.
    pub(crate) fn reboot(&mut self, how: Reboot) {
        let delay = match how {
            Reboot::PowerCycle | Reboot::Cut | Reboot::Crash => Duration::ZERO,
            // Long enough for the reply and its delay.
            _ => self.span(Duration::from_millis(100)),
        };
        // Inferred: between its last word and its start it listens to nothing.
        self.booted = false;
        self.reboot = Some((self.now + delay, how));
    }

    pub(crate) fn take_reboot(&mut self) -> Option<Reboot> {
        let (_, how) = self.reboot.filter(|(due, _)| *due <= self.now)?;
        if matches!(how, Reboot::PowerCycle | Reboot::Cut | Reboot::Crash) {
            // What nobody has taken from it yet is not out.
            self.out
                .retain(|output| !matches!(output, Output::Serial(_)));
        } else {
            // What the command said must be out first.
            self.terminal.release_reports(self.now);
            self.transmit();
        }
        self.reboot = None;
        Some(how)
    }

    pub(crate) fn reboot_deadline(&self) -> Option<Instant> {
        self.reboot.map(|(due, _)| due)
    }

    pub(crate) fn power_is_on(&self) -> bool {
        self.power
    }

    pub(crate) fn power_off(&mut self, how: Reboot) {
        let had_service = self.radio.stat.has_service();
        self.power = false;
        self.booted = false;
        self.completed = None;
        self.failing = None;
        self.info.clear();
        self.info_is_open = false;
        self.info_is_secret = false;
        self.arriving.clear();
        self.arriving_len = 0;
        self.terminal = new_terminal(self.model, &self.config);
        self.radio.power_off();
        if how == Reboot::Factory {
            self.saved = Settings::factory(self.model, &self.config);
            self.radio.forget_apn();
            self.kept.clear();
        }
        if had_service {
            self.event(|| Event::Unregistered);
        }
        self.event(|| Event::PowerOff);
        self.state(|| "power off".into());
        if how == Reboot::Off {
            self.out.push_back(Output::PoweredOff);
        }
    }

    pub(crate) fn power_on(&mut self, how: Reboot) {
        self.power = true;
        self.booted = false;
        self.boot_reason = if how == Reboot::PowerCycle { 0 } else { 3 };
        let before = self.baud();
        self.settings = self.saved;
        if self.baud() != before {
            self.change_rate();
        }
        // Without a pace there is no rate to be found.
        let has_rate = self.settings.rate != 0 || self.config.pace == Pace::Fast;
        self.finds_rate = self.model.defaults.autobaud && how == Reboot::PowerCycle && !has_rate;
        self.clock.power_on(self.now);
        self.radio.power_on(self.now, self.model, self.config.pace);
        self.state(|| "power on".into());
    }

    pub(crate) fn next_radio_change(&mut self) -> Option<Change> {
        self.radio
            .next_change(self.now, &self.model.timing, self.config.pace)
    }

    fn info_separator(&mut self) {
        if !self.info.is_empty() {
            self.info.extend_from_slice(b"\r\n");
        }
    }

    /// Bytes without line ends of our own.
    fn raw(&self, bytes: &[u8]) -> Frame {
        Frame {
            bytes: bytes.to_vec(),
            told: self.told(bytes),
        }
    }

    /// What the trace will say, when there is one.
    fn told(&self, text: &[u8]) -> Vec<u8> {
        if self.config.trace {
            text.to_vec()
        } else {
            Vec::new()
        }
    }

    fn frame(&self, text: &[u8]) -> Frame {
        let mut frame = Vec::with_capacity(text.len() + 4);
        let leads = match self.model.syntax {
            // V.250 §6.2.6: without ATV1 the line end before the text goes away.
            Syntax::V250 => self.settings.verbose,
            Syntax::EspAt => espressif::has_lead(text),
        };
        if leads {
            frame.extend_from_slice(b"\r\n");
        }
        frame.extend_from_slice(text);
        frame.extend_from_slice(b"\r\n");
        Frame {
            bytes: frame,
            told: self.told(text),
        }
    }
}

fn written(line: &Line, values: &[Value<'_>]) -> Vec<u8> {
    let mut text = Vec::new();
    line.write(values, &mut |part| text.extend_from_slice(part));
    text
}

fn new_terminal(model: &Model, config: &Config) -> Terminal {
    let gap = match config.pace {
        Pace::Real => model.timing.report,
        Pace::Fast => Duration::ZERO,
    };
    let paced = config.pace == Pace::Real;
    Terminal::new(model, gap, paced)
}

impl Settings {
    /// As the flash has them.
    fn to_text(self) -> String {
        let flags = [self.echo, self.verbose, self.quiet, self.dcd_always].map(u8::from);
        let [echo, verbose, quiet, dcd] = flags;
        format!("{echo} {verbose} {quiet} {} {} {dcd}", self.cmee, self.rate)
    }

    fn from_text(text: &str) -> Option<Self> {
        let numbers: Option<Vec<u32>> = text.split(' ').map(|part| part.parse().ok()).collect();
        let &[echo, verbose, quiet, cmee, rate, dcd] = numbers?.as_slice() else {
            return None;
        };
        Some(Self {
            echo: echo == 1,
            verbose: verbose == 1,
            quiet: quiet == 1,
            cmee: u8::try_from(cmee).ok().filter(|cmee| *cmee <= 2)?,
            rate,
            dcd_always: dcd == 1,
        })
    }

    fn factory(model: &Model, config: &Config) -> Self {
        Self {
            echo: model.defaults.echo,
            verbose: true,
            quiet: false,
            cmee: model.defaults.cmee,
            rate: config.baud.unwrap_or(0),
            // Inferred: AT&C1, as other vendors' modules have it (Telit, Huawei, Cinterion).
            dcd_always: false,
        }
    }
}
