//! How each family does each job: which command, what answers it, what its reports mean. Nothing here keeps state.

mod eigencomm;
mod espressif;
mod luat;
mod quectel;

use crate::api::{Answer, Options, PublishError, QoS, Query, Tls, TlsError};
use core::time::Duration;
use dialect::model::Bearer;
use dialect::{Family, Form, Line, Model, Value, Values, command, network};

/// What the driver types next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Job {
    /// Something whose answer nothing else can give.
    Probe,
    /// Echo off.
    Echo,
    /// Errors as numbers.
    Errors,
    /// Is the SIM usable? 1 yes, 2 it wants its PIN, 3 its PUK.
    Sim,
    /// The PIN.
    Pin,
    /// Is the module registered? `<stat>`.
    Registration,
    /// The same in 2G and 3G, where a module has them. A module that 4G refuses may be taken there.
    OlderRegistration,
    /// Is it attached? 1 yes.
    Attached,
    /// Attach.
    Attach,
    /// The access point of the mobile network: which one it is (1 the one that was given), and another one.
    Apn(u8),
    /// Certificates and what goes with them, command by command.
    Provision(u8),
    /// What the bearer needs, command by command.
    Bearer(u8),
    /// Give the bearer up.
    Leave,
    /// The radio on or off.
    Radio(bool),
    /// Start anew.
    Restart,
    /// Leave no connection behind.
    Close,
    /// Settings, command by command. One that is read back: 0 it is another.
    Configure(u8),
    /// The TCP connection.
    Open,
    /// The MQTT session.
    Login,
    /// A topic.
    Subscribe,
    /// Unsubscribe. Reads 0 when the module had no such subscription and sent nothing to the broker.
    Unsubscribe,
    /// What must be set for this message, and whether it is: 1 yes.
    Prepare,
    /// A message.
    Publish,
    /// Is it logged in? 1 yes, 2 only TCP, 0 neither.
    Status,
    /// Goodbye.
    Logout,
    /// The user's question.
    Query(Query),
    /// The user's command.
    Raw,
}

/// What a job needs to know.
pub(crate) struct About<'c> {
    pub(crate) model: &'static Model,
    pub(crate) options: &'c Options<'c>,
    /// What [`Options::clean_session`] says, or true for once.
    pub(crate) clean_session: bool,
    /// What the job before it read.
    pub(crate) reading: Option<i64>,
    pub(crate) id: u16,
    pub(crate) topic: &'c [u8],
    pub(crate) payload: &'c [u8],
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    pub(crate) way: Way,
    /// The file that [`Job::Provision`] asked for last is there.
    pub(crate) present: bool,
    pub(crate) format: Format,
}

/// In which form the module takes messages, where that is a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// Who knows.
    Unknown,
    /// `OK` was the answer to this setting: in hexadecimal digits, or as they are. A byte of it may have been lost on the line.
    Set { hex: bool },
    /// The module has said so.
    Known { hex: bool },
}

/// How a message is carried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Way {
    /// In the command line, escaped where the language has escapes.
    #[default]
    Inline,
    /// After the prompt, as many bytes as the command line said.
    Length,
    /// After the prompt, up to Ctrl-Z.
    CtrlZ,
    /// After the prompt, in hexadecimal digits, up to Ctrl-Z.
    Hex,
}

/// What a job comes to.
pub(crate) enum Step {
    /// The line is written: this answers it.
    Ask(Ask),
    /// This command is not needed.
    Skip,
    /// What the command before it read is not what it must be: it is asked again in a while.
    Wait,
    /// There is nothing (more) to do.
    Done,
    /// The values do not fit the command, or the line its memory.
    Cannot,
}

/// What answers a command.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask {
    /// Where the prompt stands.
    pub(crate) prompt: PromptAt,
    /// Until the final result, or the prompt.
    pub(crate) patience: Duration,
    /// The report that ends the job, and how long it may take.
    pub(crate) report: Option<(Awaited, Duration)>,
    /// A refusal is as good: there was nothing to do.
    pub(crate) tolerant: bool,
}

/// Where the prompt stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PromptAt {
    /// There is none.
    Nowhere,
    /// In place of the final result, which follows the data.
    First,
    /// After `OK`; what follows the data is a report, or a final result where there is none.
    AfterOk,
    /// It is the line `CONNECT`, in place of the final result.
    Connect,
}

/// From when on an access point holds that was typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ApnHolds {
    /// The module leaves the network by itself, and comes back with it.
    AtOnce,
    /// Once the radio was off: a context that is active keeps the one that it has.
    AfterRadio,
    /// Once it has started anew.
    AfterRestart,
}

/// A report that ends a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Awaited {
    Opened,
    LoggedIn,
    Subscribed,
    Unsubscribed,
    Published,
    Released,
}

impl Ask {
    /// A question of the user's.
    pub(crate) const fn question() -> Self {
        Self::new(REPLY)
    }

    /// A command that is answered by its final result.
    const fn new(patience: Duration) -> Self {
        Self {
            prompt: PromptAt::Nowhere,
            patience,
            report: None,
            tolerant: false,
        }
    }

    /// What tells how it ended comes after `OK`.
    const fn then(mut self, awaited: Awaited, patience: Duration) -> Self {
        self.report = Some((awaited, patience));
        self
    }

    const fn prompt(mut self, at: PromptAt) -> Self {
        self.prompt = at;
        self
    }

    const fn tolerant(mut self) -> Self {
        self.tolerant = true;
        self
    }
}

/// What a line of the module's own accord says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Report<'l> {
    /// The TCP connection is made, or is not.
    Opened(bool),
    /// The login: `Err` with the code of CONNACK, when there is one.
    LoggedIn(Result<(), Option<u8>>),
    /// The answer to SUBSCRIBE; `None`: there was none.
    Subscribed { id: Option<u16>, ok: Option<bool> },
    /// The answer to UNSUBSCRIBE.
    Unsubscribed { id: Option<u16>, ok: bool },
    /// The message's way has ended; of a message with this quality, when the report is of one quality alone.
    Published {
        id: Option<u16>,
        qos: Option<QoS>,
        ok: bool,
    },
    /// The connection that the host closed is closed.
    Released,
    /// A message.
    Message {
        topic: &'l [u8],
        payload: &'l [u8],
        hex: bool,
    },
    /// The connection is over.
    Closed,
    /// The bearer is gone.
    BearerLost,
    /// The module has started anew.
    Booted,
    /// It has, and may have said so before.
    Ready,
    /// A message in a form that was not asked for: a setting did not reach the module as it was typed.
    Misconfigured,
    /// It took no notice of what was typed: a command runs.
    Busy,
    /// Something that the driver need not act on.
    Other,
    /// Nothing that this family says by itself.
    Unknown,
}

/// A family's language.
pub(crate) trait Language: Sync {
    /// The reports that tell how long they are.
    fn sized(&self, model: &Model) -> &'static [&'static Line];

    /// Writes the command of a job.
    fn write(&self, job: Job, about: &About<'_>, line: &mut Writer<'_>) -> Step;

    /// Reads an information line of a job.
    fn answer(&self, job: Job, about: &About<'_>, text: &[u8]) -> Option<i64>;

    /// Reads a report; of one that did not fit into the memory, its beginning.
    fn report<'l>(&self, model: &Model, text: &'l [u8], is_cut: bool) -> Report<'l>;

    /// How a query is asked.
    fn question(&self, model: &Model, query: Query) -> Option<Question>;

    /// How a message can be carried.
    fn way(&self, model: &Model, topic: &str, payload: &[u8]) -> Result<Way, PublishError>;

    /// Which file a step of [`Job::Provision`] types, and whether Ctrl-Z ends it; `None`: the family has no such files.
    fn file_of(&self, _model: &Model, _step: u8) -> Option<(u8, bool)> {
        None
    }

    /// Can the family do TLS like this? Asked of models that have TLS.
    fn check_tls(&self, _tls: &Tls<'_>) -> Result<(), TlsError> {
        Ok(())
    }

    /// From when on an access point holds.
    fn apn_holds(&self, _model: &Model) -> ApnHolds {
        ApnHolds::AfterRadio
    }

    /// The longest topic, in bytes.
    fn topic_max(&self) -> usize;

    /// Is the message as long as the longest that is reported whole?
    fn is_full(&self, model: &Model, _topic: &[u8], payload: &[u8]) -> bool {
        payload.len() >= model.limits.report
    }

    /// Does a subscription that the module has stay as it is when it is typed with another quality?
    fn keeps_first_quality(&self) -> bool {
        false
    }

    /// Does the module choose the packet identifiers? It begins anew when it starts anew.
    fn chooses_packet_ids(&self) -> bool {
        false
    }

    /// Do acknowledgements name no packet, and is `ERROR` a report as well?
    fn is_anonymous(&self) -> bool {
        false
    }

    /// How long a module waits for data that does not come, when it gives up at all.
    fn data_patience(&self, way: Way) -> Option<Duration>;
}

/// A model, and how to talk to it.
///
/// A program that names its modules, as in [`models::EC20`], has the languages of those alone linked in. One that gets them
/// [`From`] a [`Model`], which it perhaps found by its name, has all.
#[derive(Clone, Copy)]
pub struct Module {
    pub(crate) model: &'static Model,
    pub(crate) language: &'static dyn Language,
}

impl Module {
    /// A module of this model. In a constant, as in [`models`], it is its own language alone.
    pub const fn of(model: &'static Model) -> Self {
        let language: &dyn Language = match model.family {
            Family::Luat => &luat::Luat,
            Family::EigenComm => &eigencomm::EigenComm,
            Family::Quectel => &quectel::Quectel,
            Family::Espressif => &espressif::Espressif,
        };
        Self { model, language }
    }

    /// Which model it is.
    pub const fn model(self) -> &'static Model {
        self.model
    }
}

impl core::fmt::Debug for Module {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("Module").field(&self.model.name).finish()
    }
}

impl From<&'static Model> for Module {
    fn from(model: &'static Model) -> Self {
        Self::of(model)
    }
}

/// Every model, each by itself.
pub mod models {
    use super::Module;
    use dialect::model;

    macro_rules! modules {
        ($($name:ident)*) => {$(
            #[doc = concat!("`dialect::model::", stringify!($name), "` and its language.")]
            pub const $name: Module = Module::of(&model::$name);
        )*
            /// All of them, in the order of `dialect::model::ALL`.
            pub const ALL: &[Module] = &[$($name),*];
        };
    }

    modules!(AIR780EP AIR700EAQ AIR780E NT35E BC26 EC20 BG95 ESP8266 ESP32C3);
}

/// How a query is asked.
pub(crate) struct Question {
    pub(crate) command: &'static str,
    pub(crate) form: Form,
    pub(crate) argument: Option<i64>,
    /// The line of the answer, a longer or shorter form of it that other settings or firmware have, and which of its values it is.
    pub(crate) line: &'static Line,
    pub(crate) or: Option<&'static Line>,
    pub(crate) field: usize,
}

impl Question {
    const fn new(command: &'static str, form: Form, line: &'static Line, field: usize) -> Self {
        Self {
            command,
            form,
            argument: None,
            line,
            or: None,
            field,
        }
    }

    const fn or(mut self, line: &'static Line) -> Self {
        self.or = Some(line);
        self
    }

    const fn with(mut self, argument: i64) -> Self {
        self.argument = Some(argument);
        self
    }

    /// Reads the answer.
    pub(crate) fn answer<'l>(&self, query: Query, text: &'l [u8]) -> Option<Answer<'l>> {
        let values = [Some(self.line), self.or]
            .into_iter()
            .flatten()
            .find_map(|line| line.parse(text))?;
        // A line that is a string and no more would take every line.
        let fits = match (self.line.pieces.len(), query) {
            // 14 digits, a check digit or a version.
            (1, Query::Imei) => {
                (14..=17).contains(&text.len()) && text.iter().all(u8::is_ascii_digit)
            }
            // Nor the echo of what was typed before, of a module that has just started.
            (1, _) => {
                text.first().is_some_and(u8::is_ascii_alphanumeric) && !text.starts_with(b"AT+")
            }
            _ => true,
        };
        if !fits {
            return None;
        }
        Some(match (query, values.at(self.field)) {
            (Query::Signal, Value::Int(number)) => Answer::Signal(i16::try_from(number).ok()?),
            (Query::Registration, Value::Int(number)) => {
                Answer::Registration(u8::try_from(number).ok()?)
            }
            (_, value) => Answer::Text(core::str::from_utf8(value.text()).ok()?),
        })
    }
}

/// A command line in the making.
pub(crate) struct Writer<'w> {
    model: &'static Model,
    buffer: &'w mut [u8],
    len: usize,
    /// The buffer had room.
    fits: bool,
    well_formed: bool,
}

impl<'w> Writer<'w> {
    pub(crate) fn new(model: &'static Model, buffer: &'w mut [u8]) -> Self {
        Self {
            model,
            buffer,
            len: 0,
            fits: true,
            well_formed: true,
        }
    }

    /// How long the line is, when it fits.
    pub(crate) fn len(&self) -> Option<usize> {
        let line = self.len.checked_sub(self.model.syntax.line_end().len())?;
        (self.fits && line <= self.model.limits.line).then_some(self.len)
    }

    /// How long the line is, whether it fits or not.
    pub(crate) fn needed(&self) -> usize {
        self.len
    }

    /// Did every value fit its parameter?
    pub(crate) fn was_well_formed(&self) -> bool {
        self.well_formed
    }

    pub(crate) fn into_buffer(self) -> &'w mut [u8] {
        self.buffer
    }

    /// `AT+X=…`; false when a value does not fit.
    pub(crate) fn set(&mut self, name: &str, values: &[Value<'_>]) -> bool {
        self.command(name, Form::Set, values)
    }

    pub(crate) fn command(&mut self, name: &str, form: Form, values: &[Value<'_>]) -> bool {
        let Some(command) = command::find(self.model.commands, name.as_bytes()) else {
            self.well_formed = false;
            return false;
        };
        self.len = 0;
        self.fits = true;
        let written = command.write(form, values, &mut |part| self.raw(part));
        self.raw(self.model.syntax.line_end().as_bytes());
        self.well_formed = written.is_ok();
        written.is_ok() && self.len().is_some()
    }

    /// `AT+X=<first>,"…"` with Base64 that stands in lines, as PEM has it: written without their ends.
    pub(crate) fn set_base64(&mut self, name: &str, first: Value<'_>, base64: &str) -> bool {
        self.set(name, &[first, Value::Omitted]);
        if !self.well_formed {
            return false;
        }
        let end = self.model.syntax.line_end().as_bytes();
        self.len -= end.len();
        self.raw(b"\"");
        for part in base64.split_ascii_whitespace() {
            self.raw(part.as_bytes());
        }
        self.raw(b"\"");
        self.raw(end);
        self.len().is_some()
    }

    /// A line as it stands, which is not looked up.
    pub(crate) fn line(&mut self, text: &[u8]) -> bool {
        self.len = 0;
        self.fits = true;
        self.raw(text);
        self.raw(self.model.syntax.line_end().as_bytes());
        self.len().is_some()
    }

    fn raw(&mut self, part: &[u8]) {
        match self.buffer.get_mut(self.len..self.len + part.len()) {
            Some(room) => room.copy_from_slice(part),
            None => self.fits = false,
        }
        self.len += part.len();
    }
}

/// A command that answers at once. NB-IoT modules that sleep take their time to wake.
const REPLY: Duration = Duration::from_secs(5);
/// A TCP connection, with TLS.
// Source: BC26 AN §3.2.2 and BG95 AN §3.2.2: 75 s for QMTOPEN.
const OPEN: Duration = Duration::from_secs(80);
/// A packet and its answer, with the repetitions that the module makes.
// Source: BC26 AN §3.2.1: 10 s, three times.
const ROUND_TRIP: Duration = Duration::from_secs(45);

/// Asks when the values fit.
fn ask(fits: bool, ask: Ask) -> Step {
    if fits { Step::Ask(ask) } else { Step::Cannot }
}

/// The jobs that 3GPP TS 27.007 describes.
fn cellular(job: Job, about: &About<'_>, line: &mut Writer<'_>) -> Step {
    let quick = Ask::new(REPLY);
    match job {
        Job::Probe => ask(line.command("+IPR", Form::Read, &[]), quick),
        Job::Echo => ask(line.set("E", &[0.into()]), quick),
        Job::Errors => ask(line.set("+CMEE", &[1.into()]), quick.tolerant()),
        Job::Sim => ask(line.command("+CPIN", Form::Read, &[]), quick.tolerant()),
        Job::Pin => match about.options.pin {
            Some(pin) => ask(line.set("+CPIN", &[pin.into()]), quick),
            None => Step::Done,
        },
        Job::Registration => ask(line.command("+CEREG", Form::Read, &[]), quick.tolerant()),
        // Source: SeeedJP/WioLTEforArduino issues 5 and 34 (EC21): both are asked, CGREG for 2G and 3G, CEREG for 4G.
        Job::OlderRegistration if about.model.bearer == Bearer::NbIot => Step::Skip,
        Job::OlderRegistration => ask(line.command("+CGREG", Form::Read, &[]), quick.tolerant()),
        Job::Attached => ask(line.command("+CGATT", Form::Read, &[]), quick.tolerant()),
        // Source: 3GPP leaves it open; BC26 AT and EC2x AT: 140 s and 85 s at most.
        Job::Attach => ask(
            line.set("+CGATT", &[1.into()]),
            Ask::new(Duration::from_secs(140)).tolerant(),
        ),
        Job::Leave => ask(
            line.set("+CGATT", &[0.into()]),
            Ask::new(Duration::from_secs(40)).tolerant(),
        ),
        // Source: EC2x AT §2.22: 15 s at most.
        Job::Radio(on) => ask(
            line.set("+CFUN", &[i64::from(on).into()]),
            Ask::new(Duration::from_secs(20)).tolerant(),
        ),
        _ => Step::Done,
    }
}

/// Reads the answers that 3GPP TS 27.007 describes.
fn cellular_answer(job: Job, text: &[u8]) -> Option<i64> {
    match job {
        Job::Probe => text.starts_with(b"+IPR:").then_some(0),
        Job::Sim => match network::CPIN.parse(text)?.text(0) {
            b"READY" => Some(1),
            b"SIM PIN" => Some(2),
            b"SIM PUK" => Some(3),
            _ => Some(0),
        },
        Job::Registration => [&network::CEREG_READ, &network::CEREG_READ_AT]
            .iter()
            .find_map(|line| line.parse(text))?
            .int(1),
        Job::OlderRegistration => [&network::CGREG_READ, &network::CGREG_READ_AT]
            .iter()
            .find_map(|line| line.parse(text))?
            .int(1),
        Job::Attached => network::CGATT.parse(text)?.int(0),
        _ => None,
    }
}

/// The questions that every cellular module answers alike.
const fn cellular_question(query: Query) -> Option<Question> {
    Some(match query {
        Query::Signal => Question::new("+CSQ", Form::Execute, &network::CSQ, 0),
        // With the cell after AT+CEREG=2, which a module may have kept.
        Query::Registration => {
            Question::new("+CEREG", Form::Read, &network::CEREG_READ, 1).or(&network::CEREG_READ_AT)
        }
        Query::Time => Question::new("+CCLK", Form::Read, &network::CCLK, 0),
        _ => return None,
    })
}

/// The reports that 3GPP TS 27.007 and 27.005 describe, of whichever family, and those that all vendors have.
fn cellular_report(text: &[u8]) -> Report<'_> {
    if is_registration_report(text) || HARMLESS.iter().any(|name| text.starts_with(name)) {
        return Report::Other;
    }
    match deactivated(text) {
        Some(cid) if cid == BEARER => Report::BearerLost,
        Some(_) => Report::Other,
        None if text == b"+CGEV: ME DETACH" || text == b"+CGEV: NW DETACH" => Report::BearerLost,
        None if text.starts_with(b"+CGEV: ") => Report::Other,
        None => Report::Unknown,
    }
}

/// The context that MQTT uses. The network has others for itself: that of voice comes and goes as it likes.
pub(crate) const BEARER: i64 = 1;

/// Which context is gone, of `+CGEV: NW PDN DEACT 1`: some firmware has a reason behind it, and some the context's type before it.
// Source: 3GPP TS 27.007 §10.1.19.
fn deactivated(text: &[u8]) -> Option<i64> {
    let rest = [b"+CGEV: NW PDN DEACT ", b"+CGEV: ME PDN DEACT "]
        .iter()
        .find_map(|name| text.strip_prefix(*name))?;
    let digits = rest.split(|byte| !byte.is_ascii_digit()).next()?;
    dialect::wire::parse_int(digits)
}

/// What is said of SIM, clock, network mode, calls and short messages, and nothing follows from it.
// Source: 3GPP TS 27.007 §7.18, §8.41 (+CTZV, +CTZE), 27.005 §3.4.1 (+CMTI, +CMT); Quectel EC2x AT table 24 (+QIND, +QUSIM);
// Luat AT manual, Network_service (^MODE, +NITZ, +E_UTRAN Service), and logs of its boot loader. Inferred: those of SIMCom's firmware
// (*PSUTTZ, DST, Call Ready, SMS Ready), whose commands Luat's are made after.
const HARMLESS: &[&[u8]] = &[
    b"+CPIN: ",
    b"+CTZV:",
    b"+CTZE:",
    b"+CTZDST:",
    b"*PSUTTZ:",
    b"DST:",
    b"+NITZ:",
    b"^MODE:",
    b"^boot.rom",
    b"+E_UTRAN Service",
    b"+QIND: ",
    b"+CMTI: ",
    b"+CMT: ",
    b"RING",
    b"Call Ready",
    b"SMS Ready",
    b"NORMAL POWER DOWN",
    b"POWERED DOWN",
];

/// Is it a report of the registration? The answer to the query has another number of values.
pub(crate) fn is_registration_report(text: &[u8]) -> bool {
    is_any(
        &[
            &network::CREG,
            &network::CREG_AT,
            &network::CGREG,
            &network::CGREG_AT,
            &network::CEREG,
            &network::CEREG_AT,
        ],
        text,
    )
}

/// Reads a line, or the beginning of one that was cut.
fn read<'l>(line: &Line, text: &'l [u8], is_cut: bool) -> Option<Values<'l>> {
    if is_cut {
        line.parse_cut(text)
    } else {
        line.parse(text)
    }
}

/// What a file is called that holds this: 64 bits of FNV-1a, so that another certificate has another name.
pub(crate) struct FileName {
    text: [u8; 24],
    len: usize,
}

impl FileName {
    pub(crate) fn new(folder: &str, holds: &str) -> Self {
        let hash = holds.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let mut name = Self {
            text: [0; 24],
            len: folder.len() + 20,
        };
        let digits = (0..16).map(|at| b"0123456789abcdef"[(hash >> (60 - 4 * at)) as usize & 15]);
        let all = folder.bytes().chain(digits).chain(*b".pem");
        for (place, byte) in name.text.iter_mut().zip(all) {
            *place = byte;
        }
        name
    }

    pub(crate) fn value(&self) -> Value<'_> {
        Value::Text(&self.text[..self.len])
    }
}

/// Does one of these lines say it?
fn is_any(lines: &[&Line], text: &[u8]) -> bool {
    lines.iter().any(|line| line.parse(text).is_some())
}

/// The packet identifier at this place.
fn packet_id(values: &Values<'_>, place: usize) -> Option<u16> {
    u16::try_from(values.int(place)?).ok()
}

/// Reads the result of a packet in a report `…: <id>,<msgID>,<result>`: `None` when it is only sent once more.
// Source: BC26 AN §3.2.6 to §3.2.8: 0 acknowledged, 1 sent again, 2 failed.
fn packet_result(values: &Values<'_>) -> Option<(Option<u16>, bool)> {
    match values.int(2) {
        Some(1) => None,
        result => Some((packet_id(values, 1), result == Some(0))),
    }
}

/// Is it a report of a client that is not ours, the first? What used the module before may have left one connected.
fn is_of_another_client(text: &[u8], prefix: &[u8]) -> bool {
    text.starts_with(prefix)
        && text
            .split(|&byte| byte == b':')
            .nth(1)
            .and_then(|values| values.trim_ascii_start().first())
            .is_some_and(|client| matches!(client, b'1'..=b'9'))
}

/// Is this the access point, as far as the module shows it: name, user name, password? 1 yes.
fn is_access_point(options: &Options<'_>, texts: &[Option<&[u8]>]) -> Option<i64> {
    let apn = options.apn?;
    let wanted = [apn.name, apn.username, apn.password];
    let same = texts
        .iter()
        .zip(wanted)
        .all(|(text, wanted)| text.is_none_or(|text| text == wanted.as_bytes()));
    Some(i64::from(same))
}

/// The quoted texts of a line.
fn quoted(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|&byte| byte == b'"').skip(1).step_by(2)
}

/// Has it a byte that ends data mode?
fn ends_data(payload: &[u8]) -> bool {
    payload.iter().any(|byte| matches!(byte, 0x1a | 0x1b))
}
