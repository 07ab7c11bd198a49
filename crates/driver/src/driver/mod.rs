//! The driver: what is typed when, what a line means at this moment, and what is done when it goes wrong.

mod outcome;
mod reading;
mod recovery;
mod resync;
mod stages;
mod typing;

use crate::api::*;
use crate::family::{
    About, Ask, Awaited, Format, Job, Language, Module, PromptAt, Step, Way, Writer,
};
use crate::lines::{Found, Lines, Sized};
use crate::mutant::Mutant;
use crate::store::{Interest, Outbox, Sending, Topics, is_topic_filter, is_topic_name};
use core::fmt;
use core::ops::Range;
use core::time::Duration;
use dialect::Model;
use instant::Instant;

/// A report whose rest does not come is given up after so long.
const STALLED: Duration = Duration::from_secs(2);
/// A report of which the line end alone does not come is taken after so long. When it comes later it is an empty line.
const UNENDED: Duration = Duration::from_millis(200);

/// What a module says of itself in one line: its version, its address, the answer to a question.
const LINE_MIN: usize = 128;

/// One module at the other end of a serial port.
pub struct Driver<'a> {
    model: &'static Model,
    language: &'static dyn Language,
    mutant: Option<Mutant>,
    now: Instant,
    random: u64,

    lines: Lines<'a>,
    last_byte: Instant,
    command: &'a mut [u8],
    /// The command line that was typed last, with its end, and how much of it is out.
    typed: usize,
    sent: usize,
    outbox: Outbox<'a>,
    topics: Topics<'a>,

    options: Options<'a>,
    wanted: bool,
    stage: Stage,
    /// The stage does not go on before.
    wait_until: Instant,
    /// How often the stage has asked the same.
    polls: u16,
    pin: Pin,
    /// An access point has been typed since the caller's connect.
    has_typed_apn: bool,
    /// The module has its access point and its certificates: what recovers the connection may begin at the connection.
    is_set_up: bool,
    /// What the last command read.
    reading: Option<i64>,
    /// The file that was asked for last is in the module.
    present: bool,

    pending: Option<Pending>,
    resync: Option<Resync>,
    /// Questions that were asked to find out what the module hears, and whose answers are outstanding.
    questions: u8,
    /// Nothing is typed before.
    free_at: Instant,
    /// A port that has not taken the rest of a line until then will not.
    stuck_at: Instant,
    format: Format,
    packet: u16,
    /// The broker may hold the identifier of a message with QoS 2 in a session that is kept.
    has_unsettled: bool,
    /// The module does not know of it, and would give the identifier to another message: the next session is a clean one.
    forgets_session: bool,
    token: u16,
    query: Option<Query>,
    /// The caller's command, which stands in the memory of the command and is typed next.
    raw: Option<Raw>,
    /// The job that was typed last was a query.
    has_asked: bool,

    was_online: bool,
    online_since: Option<Instant>,
    checked_at: Instant,
    /// What had been seen at the last check, and how many there were since it was subscribed to everything.
    checked: (Stats, u8),
    climb: Option<Climb>,
    /// The module has started anew, or never answered the echo: it is set up from there, whatever the rung.
    fresh: bool,
    /// When it said so.
    started_at: Option<Instant>,

    notes: Notes,
    held: Option<Held>,
    stats: Stats,
}

/// Where the driver is, from power-on to the last subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// No connection is wanted.
    Off,
    Echo,
    Errors,
    Sim,
    Pin,
    Apn(u8),
    Registration,
    /// The same in 2G and 3G.
    OlderRegistration,
    Attached,
    Attach,
    Provision(u8),
    Close,
    Bearer(u8),
    Configure(u8),
    Open,
    Login,
    Subscribe,
    Online,
    /// Before the next attempt to recover.
    Waiting(Rung),
    Leave,
    RadioOff,
    RadioOn,
    Restart,
    /// The caller pulls the pin.
    Resetting,
    Logout,
    Hangup,
}

/// A command line of the caller's.
#[derive(Clone, Copy, Debug)]
struct Raw {
    len: usize,
    patience: Duration,
}

/// What is known of the PIN that was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pin {
    /// It has not been typed since the SIM took it last.
    Untried,
    /// It has been typed, and the SIM has not said that it is ready.
    Typed,
    /// Nobody knows whether the SIM has heard it: it may be typed once more.
    Unanswered,
    /// It has been typed once more.
    TypedAgain,
    /// The SIM has refused it.
    Wrong,
}

/// The command that is on the line.
#[derive(Clone, Copy, Debug)]
struct Pending {
    job: Job,
    ask: Ask,
    phase: Phase,
    deadline: Instant,
    /// The topic that it is about, and the caller's request for it.
    topic: usize,
    token: Option<Token>,
    id: u16,
    /// Bytes that were not to be understood have come before its final result.
    is_damaged: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Its final result, or its prompt, is due.
    Reply,
    /// `OK` has come, and the prompt is due.
    Prompt,
    /// So many bytes of the data are out.
    Data(usize),
    /// The data is out, and its final result is due.
    AfterData,
    /// Its final result has come, and its report is due.
    Report,
}

/// Finding out what the module hears.
#[derive(Clone, Copy, Debug)]
struct Resync {
    asked: u8,
    /// When the next question is typed.
    ask_at: Instant,
    /// The module may be waiting for data until then.
    in_doubt: bool,
    /// The answer to a question has come.
    answered: bool,
    /// Final results that belong to none.
    strays: u8,
    /// The last answer has come whole. If no other final result comes until then, none is outstanding and the search ends.
    quiet_at: Option<Instant>,
}

/// Why a command has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    /// By the module.
    Refused(Option<u16>),
    /// By the broker.
    Broker(Option<u8>),
    /// No final result.
    TimedOut,
    /// No report.
    Unanswered,
    /// The data is out and its fate is not known.
    Doubtful,
}

#[derive(Clone, Copy, Debug)]
struct Climb {
    rung: Rung,
    attempt: u8,
    /// Attempts on all rungs.
    attempts: u8,
}

/// An event without text.
#[derive(Clone, Copy, Debug)]
enum Note {
    Connected,
    Disconnected,
    Lost(Why),
    Recovering(Recovery),
    Recovered,
    Published(Token, Outcome),
    Subscribed(Token, Result<(), Refusal>),
    Unsubscribed(Token, Result<(), Refusal>),
    Unanswered(Query),
    Done(Result<(), CommandFailure>),
    Reset,
    Damaged(usize),
}

/// An event whose text stands in the line that was received last.
#[derive(Clone, Debug)]
enum Held {
    Message {
        topic: Range<usize>,
        payload: Range<usize>,
        lack: Lack,
    },
    Line,
    Unsolicited,
    Answer(Query),
}

/// Events in their order. No input leads to more of them than there is room: nothing is taken while one waits.
#[derive(Debug, Default)]
struct Notes {
    ring: [Option<Note>; 8],
    first: usize,
    len: usize,
}

impl Notes {
    fn push(&mut self, note: Note) {
        debug_assert!(
            self.len < self.ring.len(),
            "events are drained after any input"
        );
        if self.len < self.ring.len() {
            self.ring[(self.first + self.len) % self.ring.len()] = Some(note);
            self.len += 1;
        }
    }

    /// Is there room for what one failure leads to?
    fn has_room(&self) -> bool {
        self.len + 4 <= self.ring.len()
    }

    fn pop(&mut self) -> Option<Note> {
        let note = self.ring[self.first].take()?;
        self.first = (self.first + 1) % self.ring.len();
        self.len -= 1;
        Some(note)
    }
}

impl<'a> Driver<'a> {
    /// A driver of a module that may be in any state. Nothing is typed before the first request. `seed` makes its waits differ
    /// from those of another driver.
    ///
    /// Firmware names its module, as in `driver::models::EC20`, and is spared the languages of the others.
    pub fn new(module: impl Into<Module>, memory: Memory<'a>, seed: u64) -> Self {
        let Module { model, language } = module.into();
        let Memory {
            line,
            command,
            outbox,
            topics,
        } = memory;
        Self {
            model,
            language,
            mutant: None,
            now: Instant::ZERO,
            random: seed,
            lines: Lines::new(line),
            last_byte: Instant::ZERO,
            command,
            typed: 0,
            sent: 0,
            outbox: Outbox::new(outbox),
            topics: Topics::new(topics),
            options: Options::default(),
            wanted: false,
            stage: Stage::Off,
            wait_until: Instant::ZERO,
            polls: 0,
            pin: Pin::Untried,
            has_typed_apn: false,
            is_set_up: false,
            reading: None,
            present: false,
            pending: None,
            resync: None,
            questions: 0,
            free_at: Instant::ZERO,
            stuck_at: Instant::ZERO,
            format: Format::Unknown,
            packet: 0,
            has_unsettled: false,
            forgets_session: false,
            token: 0,
            query: None,
            raw: None,
            has_asked: false,
            was_online: false,
            online_since: None,
            checked_at: Instant::ZERO,
            checked: (Stats::default(), 0),
            climb: None,
            fresh: false,
            started_at: None,
            notes: Notes::default(),
            held: None,
            stats: Stats::default(),
        }
    }

    /// The same with a defect.
    #[cfg(feature = "mutants")]
    #[must_use]
    pub fn with_mutant(mut self, mutant: Mutant) -> Self {
        self.mutant = Some(mutant);
        self
    }

    /// Which model it drives.
    pub fn model(&self) -> &'static Model {
        self.model
    }

    /// Logged in, and subscribed to everything?
    pub fn is_connected(&self) -> bool {
        self.online_since.is_some()
    }

    /// May a message be published now?
    pub fn can_publish(&self) -> bool {
        self.is_connected() && !self.outbox.is_busy()
    }

    /// What it waits for at this moment, as the reason that it would give for going up the ladder; `None` when it waits for nothing,
    /// or before its next attempt. For people who wonder why nothing happens.
    pub fn awaits(&self) -> Option<Why> {
        match self.stage {
            Stage::Off | Stage::Waiting(_) => None,
            _ if self.resync.is_some() => Some(Why::Silent),
            Stage::Open => Some(Why::NotOpened),
            Stage::Login => Some(Why::NotLoggedIn),
            Stage::Attach => Some(Why::NoBearer),
            Stage::Online => self.pending.map(|_| Why::Unanswered),
            _ => Some(self.limit().1).filter(|why| *why != Why::Configuration),
        }
    }

    /// What was seen that belongs to nothing.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// Connects, and keeps the connection until [`Driver::disconnect`]: [`Event::Connected`] follows, or [`Event::Recovering`]
    /// until it does.
    ///
    /// # Errors
    /// [`ConnectError`]: nothing is done then.
    pub fn connect(&mut self, now: Instant, options: Options<'a>) -> Result<(), ConnectError> {
        self.now = now;
        if self.wanted || self.pending.is_some() || self.stage != Stage::Off {
            return Err(ConnectError::Busy);
        }
        self.check(&options)?;
        self.options = options;
        self.wanted = true;
        self.was_online = false;
        self.pin = Pin::Untried;
        self.has_typed_apn = false;
        self.climb = None;
        self.topics.renew(false);
        self.set_up();
        self.pump();
        Ok(())
    }

    /// Logs out: [`Event::Disconnected`] follows.
    pub fn disconnect(&mut self, now: Instant) {
        self.now = now;
        if !self.wanted {
            return;
        }
        self.wanted = false;
        let was_online = self.online_since.take().is_some();
        self.lose_messages();
        if self
            .pending
            .is_some_and(|pending| pending.phase == Phase::Report)
        {
            self.pending = None;
        }
        if self.stage == Stage::Waiting(Rung::Reset) && self.options.reset_pin {
            return self.reset_and_stay();
        }
        self.go(if was_online {
            Stage::Logout
        } else {
            Stage::Hangup
        });
        self.pump();
    }

    /// Subscribes, now or once connected, and again after each loss: [`Event::Subscribed`] tells of the first answer, and of one
    /// that is another later. A request that has not been typed when another one for its topic comes has no event.
    ///
    /// # Errors
    /// [`SubscribeError`]: nothing is done then.
    pub fn subscribe(
        &mut self,
        now: Instant,
        topic: &str,
        qos: QoS,
    ) -> Result<Token, SubscribeError> {
        self.now = now;
        let about = About {
            topic: topic.as_bytes(),
            qos,
            id: u16::MAX,
            ..self.about(None)
        };
        if !is_topic_filter(topic) || topic.len() > self.language.topic_max() {
            return Err(SubscribeError::Topic);
        }
        match self.misfit(Job::Subscribe, &about) {
            Some(Misfit::Values) => return Err(SubscribeError::Topic),
            Some(Misfit::Memory) => return Err(SubscribeError::Memory),
            None => {}
        }
        let token = self.next_token();
        let keeps_first = self.language.keeps_first_quality();
        if !self.topics.put(topic.as_bytes(), qos, token, keeps_first) {
            return Err(SubscribeError::Memory);
        }
        self.pump();
        Ok(token)
    }

    /// Ends a subscription: [`Event::Unsubscribed`] follows.
    ///
    /// # Errors
    /// [`SubscribeError::Unknown`].
    pub fn unsubscribe(&mut self, now: Instant, topic: &str) -> Result<Token, SubscribeError> {
        self.now = now;
        let at = self
            .topics
            .find(topic.as_bytes())
            .ok_or(SubscribeError::Unknown)?;
        let token = self.next_token();
        // Nobody has heard of it.
        if self.stage == Stage::Off && !self.topics.may_be_held(at) {
            self.topics.remove(at);
            self.notes.push(Note::Unsubscribed(token, Ok(())));
            return Ok(token);
        }
        self.topics.set(at, Interest::Leaving);
        self.topics.set_token(at, token);
        self.pump();
        Ok(token)
    }

    /// Publishes a message of any bytes, in the way that the model and the bytes ask for: [`Event::Published`] follows. One message
    /// is on its way at a time.
    ///
    /// # Errors
    /// [`PublishError`]: nothing is typed then.
    pub fn publish(
        &mut self,
        now: Instant,
        topic: &str,
        payload: &[u8],
        qos: QoS,
        retain: bool,
    ) -> Result<Token, PublishError> {
        self.now = now;
        if !self.is_connected() {
            return Err(PublishError::NotConnected);
        }
        if self.outbox.is_busy() {
            return Err(PublishError::Busy);
        }
        if !is_topic_name(topic) || topic.len() > self.language.topic_max() {
            return Err(PublishError::Topic);
        }
        let way = self.language.way(self.model, topic, payload)?;
        let about = About {
            topic: topic.as_bytes(),
            payload,
            qos,
            retain,
            way,
            id: u16::MAX,
            ..self.about(None)
        };
        match self.misfit(Job::Publish, &about) {
            Some(Misfit::Values) => return Err(PublishError::Topic),
            Some(Misfit::Memory) => return Err(PublishError::Memory),
            None => {}
        }
        if !self.outbox.put(topic.as_bytes(), payload, way) {
            return Err(PublishError::Memory);
        }
        self.outbox.repeats = false;
        self.outbox.qos = qos;
        self.outbox.retain = retain;
        Ok(self.queue())
    }

    /// Publishes once more the message whose outcome is [`Outcome::Unknown`], with the same packet identifier where the model lets
    /// the host choose it: a broker that has kept the session then knows a message with QoS 2 for the one that it has.
    ///
    /// # Errors
    /// [`PublishError::Nothing`] when there is none, [`PublishError::NotConnected`].
    pub fn republish(&mut self, now: Instant) -> Result<Token, PublishError> {
        self.now = now;
        if self.outbox.state != Sending::Doubtful {
            return Err(PublishError::Nothing);
        }
        if !self.is_connected() {
            return Err(PublishError::NotConnected);
        }
        self.outbox.repeats = true;
        Ok(self.queue())
    }

    /// The message whose outcome is unknown, which [`Driver::republish`] would publish; [`Driver::publish`] forgets it.
    pub fn unknown(&self) -> Option<Token> {
        (self.outbox.state == Sending::Doubtful).then_some(self.outbox.token)
    }

    /// Asks the module: [`Event::Answer`] or [`Event::Unanswered`] follows.
    ///
    /// # Errors
    /// [`CommandError`]
    pub fn query(&mut self, now: Instant, query: Query) -> Result<(), CommandError> {
        self.now = now;
        let runs = self
            .pending
            .is_some_and(|pending| matches!(pending.job, Job::Query(_)));
        if self.query.is_some() || runs {
            return Err(CommandError::Busy);
        }
        if self.language.question(self.model, query).is_none() {
            return Err(CommandError::NotOnThisModel);
        }
        self.query = Some(query);
        self.pump();
        Ok(())
    }

    /// Types a command line of the caller's, without its end: [`Event::Line`] for each line of its answer and [`Event::Done`]
    /// follow. What it changes in the module is the caller's business. One that wants data gets none, and fails
    /// ([`CommandFailure::Prompted`]).
    ///
    /// # Errors
    /// [`CommandError`]
    pub fn command(
        &mut self,
        now: Instant,
        line: &str,
        patience: Duration,
    ) -> Result<(), CommandError> {
        self.now = now;
        if !self.can_command() {
            return Err(CommandError::Busy);
        }
        if self.is_left_behind() {
            self.begin_resync(now, false);
            self.pump();
            return Err(CommandError::Busy);
        }
        let mut writer = Writer::new(self.model, self.command);
        if line.bytes().any(|byte| matches!(byte, b'\r' | b'\n')) || !writer.line(line.as_bytes()) {
            return Err(CommandError::Line);
        }
        let len = writer.len().unwrap_or(0);
        self.raw = Some(Raw { len, patience });
        self.pump();
        Ok(())
    }

    /// Would [`Driver::command`] be taken now? If not, the end of what runs is an input or a deadline like any other: ask again after
    /// it.
    pub fn can_command(&self) -> bool {
        self.pending.is_none()
            && self.resync.is_none()
            && self.raw.is_none()
            && !self.is_half_typed()
            && self.may_ask()
    }

    /// Takes bytes of the serial port, in any slicing, up to the first event; returns how many. **Drain the events, and give it
    /// the rest.**
    pub fn receive(&mut self, now: Instant, bytes: &[u8]) -> usize {
        self.now = now;
        let mut used = 0;
        while used < bytes.len() && !self.has_event() {
            self.last_byte = now;
            let wants_prompt = self.wants_prompt();
            let (taken, found) = self.lines.push(&bytes[used..], wants_prompt, self.sized());
            used += taken;
            match found {
                Found::Nothing => {
                    if self.is(Mutant::DropsPartialLines) {
                        self.lines.abandon();
                    }
                    break;
                }
                Found::Prompt => self.begin_data(),
                Found::Line { missing } => self.line(missing),
                Found::Damaged(bytes) => self.damaged(bytes),
            }
            self.pump();
        }
        used
    }

    /// Time has come.
    pub fn advance(&mut self, now: Instant) {
        self.now = now;
        if self.stalled_at().is_some_and(|at| now >= at) {
            let is_prompt = self.lines.text().trim_ascii() == b">";
            if self.lines.is_unended(self.sized())
                && let Found::Line { missing } = self.lines.end()
            {
                self.line(missing);
            } else {
                let bytes = self.lines.abandon();
                match self.pending {
                    Some(pending) if pending.job == Job::Raw && is_prompt => self.prompted(),
                    _ => self.damaged(bytes),
                }
            }
        }
        if let Some(pending) = self.pending
            && now >= pending.deadline
        {
            self.expire(pending);
        }
        if self.pending.is_none() && self.is_half_typed() && now >= self.stuck_at {
            self.give_up_port();
        }
        self.pump();
    }

    /// When [`Driver::advance`] is due.
    pub fn next_deadline(&self) -> Option<Instant> {
        let stalled = self.stalled_at();
        let next = if let Some(pending) = &self.pending {
            Some(pending.deadline)
        } else if self.is_half_typed() {
            // Nothing may be typed until the port has taken the rest of the line.
            Some(self.stuck_at)
        } else if let Some(resync) = &self.resync {
            Some(resync.quiet_at.unwrap_or(resync.ask_at).max(self.free_at))
        } else {
            self.next_job_at().map(|at| at.max(self.free_at))
        };
        [stalled, next].into_iter().flatten().min()
    }

    fn sized(&self) -> Sized<'static> {
        let lines = if self.is(Mutant::ReadsPayloads) {
            &[]
        } else {
            self.language.sized(self.model)
        };
        Sized {
            lines,
            // With its topic and what stands around them. Other firmware may report more than the model's does.
            longest: self.model.limits.report.max(self.lines.room()) + 1024,
        }
    }

    /// When the rest of a line is waited for no more.
    fn stalled_at(&self) -> Option<Instant> {
        let patience = if self.lines.is_unended(self.sized()) {
            UNENDED
        } else {
            STALLED
        };
        self.lines.is_partial().then(|| self.last_byte + patience)
    }

    /// What is to be written to the serial port next; call [`Driver::transmitted`] with how much of it was.
    pub fn poll_transmit(&self) -> Option<&[u8]> {
        if !self.is_typed() {
            return Some(&self.command[self.sent..self.typed]);
        }
        let Phase::Data(at) = self.pending.as_ref()?.phase else {
            return None;
        };
        let (data, ends_with_ctrl_z) = self.data();
        if at < data.len() {
            Some(&data[at..])
        } else {
            (ends_with_ctrl_z && at == data.len()).then_some(b"\x1a")
        }
    }

    /// So many bytes have been written.
    pub fn transmitted(&mut self, now: Instant, bytes: usize) {
        self.now = now;
        if !self.is_typed() {
            self.sent = self.typed.min(self.sent.saturating_add(bytes));
            if self.is_typed()
                && let Some(pending) = &mut self.pending
            {
                pending.deadline = now + pending.ask.patience;
            }
            return;
        }
        let (data, ends_with_ctrl_z) = self.data();
        let end = data.len() + usize::from(ends_with_ctrl_z);
        if let Some(pending) = &mut self.pending
            && let Phase::Data(at) = &mut pending.phase
        {
            *at += bytes;
            pending.deadline = now + pending.ask.patience;
            if *at >= end {
                pending.phase = Phase::AfterData;
                // ESP-AT: no final result, but the report itself.
                if pending.ask.prompt == PromptAt::AfterOk
                    && let Some((_, patience)) = pending.ask.report
                {
                    pending.phase = Phase::Report;
                    pending.deadline = now + patience;
                }
            }
        }
    }

    /// Has something happened?
    pub fn has_event(&self) -> bool {
        self.notes.len > 0 || self.held.is_some()
    }

    /// What has happened.
    pub fn poll_event(&mut self) -> Option<Event<'_>> {
        // What a line held came before what followed from it.
        if self.held.is_none()
            && let Some(note) = self.notes.pop()
        {
            return Some(match note {
                Note::Connected => Event::Connected,
                Note::Disconnected => Event::Disconnected,
                Note::Lost(why) => Event::Lost(why),
                Note::Recovering(recovery) => Event::Recovering(recovery),
                Note::Recovered => Event::Recovered,
                Note::Published(token, outcome) => Event::Published(token, outcome),
                Note::Subscribed(token, result) => Event::Subscribed(token, result),
                Note::Unsubscribed(token, result) => Event::Unsubscribed(token, result),
                Note::Unanswered(query) => Event::Unanswered(query),
                Note::Done(result) => Event::Done(result),
                Note::Reset => Event::Reset,
                Note::Damaged(bytes) => Event::Damaged(bytes),
            });
        }
        let held = self.held.take()?;
        let text = self.lines.text();
        Some(match held {
            Held::Message {
                topic,
                payload,
                lack,
            } => Event::Message(Message {
                topic: &text[topic],
                payload: &text[payload],
                lack,
            }),
            Held::Line => Event::Line(text),
            Held::Unsolicited => Event::Unsolicited(text),
            Held::Answer(query) => {
                let question = self.language.question(self.model, query)?;
                Event::Answer(query, question.answer(query, text.trim_ascii_end())?)
            }
        })
    }

    /// Has the port taken a part of a line and no more? Whatever is typed next would be its end.
    fn is_half_typed(&self) -> bool {
        self.sent > 0 && !self.is_typed()
    }

    /// The port takes nothing any more: what a reset might mend.
    fn give_up_port(&mut self) {
        (self.typed, self.sent) = (0, 0);
        self.resync = None;
        if self.wanted {
            self.fail(Why::Silent, Rung::Reset);
        } else if self.stage != Stage::Off {
            self.hung_up();
        } else {
            self.query_done();
        }
    }

    /// The command that is on the line, which is waited for no more. Of a line of which no byte is out none follows.
    fn take_pending(&mut self) -> Option<Pending> {
        let pending = self.pending.take()?;
        if self.sent == 0 {
            self.typed = 0;
        }
        self.stuck_at = self.now + outcome::HELD_BACK;
        Some(pending)
    }

    /// Is the command line out?
    fn is_typed(&self) -> bool {
        self.sent == self.typed
    }

    /// Would a `>` be the prompt of what was typed?
    fn wants_prompt(&self) -> bool {
        match (self.pending, self.resync) {
            (Some(pending), _) => {
                let is_due = match pending.phase {
                    // Also where `OK` comes first: it may have been lost, and `>` proves that the data is awaited.
                    Phase::Reply => {
                        matches!(pending.ask.prompt, PromptAt::First | PromptAt::AfterOk)
                    }
                    Phase::Prompt => true,
                    Phase::Data(_) | Phase::AfterData | Phase::Report => false,
                };
                is_due && self.is_typed()
            }
            (None, Some(resync)) => resync.in_doubt,
            (None, None) => false,
        }
    }

    fn is(&self, mutant: Mutant) -> bool {
        cfg!(feature = "mutants") && self.mutant == Some(mutant)
    }

    fn next_token(&mut self) -> Token {
        self.token = self.token.checked_add(1).unwrap_or(1);
        Token(self.token)
    }

    fn next_packet(&mut self) -> u16 {
        let next = self.packet.checked_add(1).unwrap_or(1);
        self.packet = if self.is(Mutant::ReusesPacketIds) {
            1
        } else {
            next
        };
        self.packet
    }

    /// A number below `bound`, for jitter.
    fn below(&mut self, bound: Duration) -> Duration {
        // SplitMix64.
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        let micros = bound.as_micros() as u64;
        Duration::from_micros((mixed ^ mixed >> 31) % micros.max(1))
    }

    /// Why the command of a job cannot be written.
    fn misfit(&self, job: Job, about: &About<'_>) -> Option<Misfit> {
        // Written without memory: what does not fit is the values, the model's line, or the caller's memory.
        let mut scratch = Writer::new(self.model, &mut []);
        if !matches!(self.language.write(job, about, &mut scratch), Step::Cannot) {
            return None;
        }
        let longest = self.model.limits.line + self.model.syntax.line_end().len();
        if !scratch.was_well_formed() || scratch.needed() > longest {
            Some(Misfit::Values)
        } else if scratch.needed() > self.command.len() {
            Some(Misfit::Memory)
        } else {
            None
        }
    }

    /// Can the model write these options?
    fn check(&self, options: &Options<'_>) -> Result<(), ConnectError> {
        if let Some(tls) = &options.tls {
            let checked = if self.model.suites.is_empty() {
                Err(TlsError::NotOnThisModel)
            } else if !tls.is_pem() {
                Err(TlsError::NotPem)
            } else {
                self.language.check_tls(tls)
            };
            checked.map_err(ConnectError::Tls)?;
        }
        if self.lines.room() < LINE_MIN {
            return Err(ConnectError::Memory);
        }
        // MQTT 3.1.1 §3.1.2.9: no password without a user name.
        let is_well_formed = !options.host.is_empty()
            && (options.username.is_some() || options.password.is_none())
            && options.will.is_none_or(|will| is_topic_name(will.topic))
            && options.typed().all(|text| !text.contains(char::is_control));
        if !is_well_formed {
            return Err(ConnectError::Options);
        }
        let about = About {
            options,
            reading: None,
            ..self.about(None)
        };
        let jobs = (0..8).map(Job::Configure).chain([
            Job::Pin,
            Job::Apn(1),
            Job::Open,
            Job::Login,
            Job::Bearer(2),
        ]);
        for job in jobs {
            match self.misfit(job, &about) {
                Some(Misfit::Values) => return Err(ConnectError::Options),
                Some(Misfit::Memory) => return Err(ConnectError::Memory),
                None => {}
            }
        }
        Ok(())
    }

    fn about(&self, topic: Option<usize>) -> About<'_> {
        let (text, qos) = match topic {
            Some(at) => (self.topics.topic(at), self.topics.qos(at)),
            None => (self.outbox.topic(), self.outbox.qos),
        };
        About {
            model: self.model,
            options: &self.options,
            clean_session: self.options.clean_session || self.forgets_session,
            reading: self.reading,
            id: self.outbox.id,
            topic: text,
            payload: self.outbox.payload(),
            qos,
            retain: self.outbox.retain,
            way: self.outbox.way,
            present: self.present,
            format: self.format,
        }
    }

    /// What follows the prompt of the command that runs, and whether Ctrl-Z follows that.
    fn data(&self) -> (&[u8], bool) {
        if let Some(Job::Provision(step)) = self.pending.map(|pending| pending.job) {
            let file = self.language.file_of(self.model, step);
            let (slot, ends_with_ctrl_z) = file.unwrap_or((0, false));
            let text = self.options.tls.and_then(|tls| tls.file(slot));
            return (text.unwrap_or("").as_bytes(), ends_with_ctrl_z);
        }
        let ends_with_ctrl_z = matches!(self.outbox.way, Way::CtrlZ | Way::Hex);
        (self.outbox.payload(), ends_with_ctrl_z)
    }

    fn queue(&mut self) -> Token {
        let token = self.next_token();
        self.outbox.token = token;
        self.outbox.state = Sending::Queued;
        self.pump();
        token
    }
}

/// Why a command cannot be written.
enum Misfit {
    /// A value, or the line, is not one that the model takes.
    Values,
    /// The memory of the command has no room for it.
    Memory,
}

impl fmt::Debug for Driver<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver")
            .field("model", &self.model.name)
            .field("stage", &self.stage)
            .field("pending", &self.pending)
            .field("resync", &self.resync)
            .field("climb", &self.climb)
            .field("stats", &self.stats)
            .finish_non_exhaustive()
    }
}
