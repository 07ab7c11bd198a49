//! Random faults over a module with a random but legal host, seed after seed: nothing panics, every command is answered unless a
//! fault has taken command or answer away, memory is bounded, and once the world heals the module works.
//!
//! CI plays a thousand seeds; `MODEMQ_SEEDS=10000 cargo test --release -p modemq-world --test seeds` plays more, and
//! `MODEMQ_SEED=123` one.

// clippy.toml allows unwrap in test functions; these helpers are called by nothing else.
#![allow(clippy::unwrap_used)]

use dialect::command::{Command, Form, Kind, Param, Presence};
use dialect::model::ALL;
use dialect::{Family, Model, Syntax, Value, wire};
use module::{Config, NetworkEvent, Pace, TraceKind};
use mqtt::QoS;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;
use world::fault::{Layer, What, Word};
use world::{Bench, Dice, Fault};

/// Bytes that are allocated, and the most that ever were.
static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let live = LIVE.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(live, Relaxed);
        // SAFETY: as promised to us.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as promised to us.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What a module, a broker, a host's transcript and all that faults hold back may cost, in bytes.
const MEMORY_MAX: usize = 16 << 20;
/// No command takes longer: 150 s is what manuals name for the slowest.
const LONGEST: Duration = Duration::from_secs(300);

#[test]
fn every_command_is_answered_and_the_module_works_afterwards() {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let seeds = match number("MODEMQ_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("MODEMQ_SEEDS").unwrap_or(1000_u64),
    };
    for seed in seeds {
        PEAK.store(LIVE.load(Relaxed), Relaxed);
        let before = LIVE.load(Relaxed);
        let mut run = Run::new(seed);
        run.talk();
        run.heal();
        run.works();
        let peak = PEAK.load(Relaxed) - before;
        assert!(peak < MEMORY_MAX, "{}: {peak} bytes", run.name);
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    for seed in [1, 2, 3, 5, 8, 13, 21, 34] {
        let said = || {
            let mut run = Run::new(seed);
            run.talk();
            run.heal();
            run.transcript
        };
        let once = said();
        assert!(!once.is_empty());
        assert!(said() == once, "seed {seed}");
    }
}

struct Run {
    name: String,
    model: &'static Model,
    bench: Bench,
    dice: Dice,
    /// What the host has received, with the time.
    transcript: Vec<(u64, Vec<u8>)>,
    received: Vec<u8>,
    /// A fault may have taken a command or its answer away since the last one that was answered.
    unsure: bool,
    /// The same for as long as the world has not healed: replies that will be late or lost.
    always_unsure: bool,
    /// Steps in which no time has passed.
    idle: u32,
}

impl Run {
    fn new(seed: u64) -> Self {
        let model = &ALL[seed as usize % ALL.len()];
        let mut dice = Dice::new(seed, "a random but legal host");
        let pace = if dice.below(4) == 0 {
            Pace::Real
        } else {
            Pace::Fast
        };
        let config = Config {
            pace,
            trace: true,
            unix_time: Some(1_728_632_315),
            ..Config::default()
        };
        let bench = Bench::new(model, config).with_seed(seed);
        let mut run = Self {
            name: format!("MODEMQ_SEED={seed}, {} at pace {pace:?}", model.title),
            model,
            bench,
            dice,
            transcript: Vec::new(),
            received: Vec::new(),
            unsure: false,
            always_unsure: false,
            idle: 0,
        };
        run.wait(Duration::from_secs(15));
        run.power_cycle();
        run.make_faults();
        run
    }

    fn make_faults(&mut self) {
        for _ in 0..=self.dice.below(6) {
            let fault = random_fault(&mut self.dice);
            if self.bench.inject(fault.clone()).is_ok() {
                self.name.push_str(&format!("\n    {fault}"));
            }
        }
    }

    /// The host asks and waits for the answer, again and again.
    fn talk(&mut self) {
        for index in 0..30 {
            if index % 10 == 0 {
                self.log_in();
            }
            match self.dice.below(6) {
                0 => {
                    let line = self.publish_line("x");
                    self.command(&line);
                }
                1 => {
                    self.bench
                        .publish("down", b"message", QoS::AtLeastOnce, false);
                }
                2 => {
                    let span = Duration::from_secs(self.dice.below(120).into());
                    self.wait(span);
                }
                _ => {
                    if let Some(line) = random_command(self.model, &mut self.dice) {
                        self.command(&line);
                    }
                }
            }
        }
    }

    fn heal(&mut self) {
        self.bench.clear_all();
        self.wait(Duration::from_secs(200));
        // Data that a prompt of before waits for.
        for bytes in [&b"\x1b"[..], b"\x1a", b"+++"] {
            self.bench.type_bytes(bytes);
            self.wait(Duration::from_secs(5));
        }
        self.type_line("");
        self.wait(Duration::from_secs(5));
        for _ in 0..4 {
            self.received.clear();
            self.type_line("AT");
            self.wait(Duration::from_secs(5));
            // A command that lost letters may have been ATV0.
            if self.received.ends_with(b"OK\r\n") || self.received.ends_with(b"0\r") {
                return;
            }
        }
        panic!("{}: AT is not answered: {}", self.name, self.heard());
    }

    /// A session from power-on to a message.
    fn works(&mut self) {
        self.power_cycle();
        self.bench.take_published();
        for _ in 0..3 {
            self.log_in();
            let line = self.publish_line("the world has healed");
            self.command(&line);
            self.wait(Duration::from_secs(5));
            let wanted = ("up".to_string(), b"the world has healed".to_vec());
            if self.bench.take_published().contains(&wanted) {
                return;
            }
        }
        panic!("{}: no message comes through: {}", self.name, self.heard());
    }

    fn power_cycle(&mut self) {
        self.bench.network(NetworkEvent::PowerCycle);
        self.wait(Duration::from_secs(30));
        for _ in 0..3 {
            self.type_line("AT");
            self.wait(Duration::from_secs(1));
        }
        self.received.clear();
    }

    fn log_in(&mut self) {
        let lines: &[&str] = match self.model.family {
            Family::Luat => &[
                "AT+MDISCONNECT",
                "AT+MIPCLOSE",
                "AT+MCONFIG=\"robot\",\"\",\"\"",
                "AT+MIPSTART=\"broker.test\",1883",
                "AT+MCONNECT=1,60",
                "AT+MSUB=\"down\",1",
            ],
            Family::EigenComm => &[
                "AT+ECMTCLOSE=0",
                "AT+ECMTOPEN=0,\"broker.test\",1883",
                "AT+ECMTCONN=0,\"robot\"",
                "AT+ECMTSUB=0,1,\"down\",1",
            ],
            Family::Quectel => &[
                "AT+QMTCLOSE=0",
                "AT+QMTDISC=0",
                "AT+QMTCLS=0",
                "AT+QMTOPEN=0,\"broker.test\",1883",
                "AT+QMTCONN=0,\"robot\"",
                "AT+QMTSUB=0,1,\"down\",1",
            ],
            Family::Espressif => &[
                "AT+CWMODE=1",
                "AT+CWJAP=\"home\",\"password\"",
                "AT+MQTTCLEAN=0",
                "AT+MQTTUSERCFG=0,1,\"robot\",\"\",\"\",0,0,\"\"",
                "AT+MQTTCONN=0,\"broker.test\",1883,0",
                "AT+MQTTSUB=0,\"down\",1",
            ],
        };
        for line in lines {
            self.command(line);
            // What OK has promised.
            self.wait(Duration::from_secs(4));
        }
    }

    fn publish_line(&self, message: &str) -> String {
        match self.model.family {
            Family::Luat => format!("AT+MPUB=\"up\",1,0,\"{message}\""),
            Family::EigenComm => format!("AT+ECMTPUB=0,1,1,0,\"up\",\"{message}\""),
            Family::Quectel => match self.model.name {
                "ec20" => format!("AT+QMTPUBEX=0,1,1,0,\"up\",{}\n{message}", message.len()),
                "bc26" => format!("AT+QMTPUB=0,1,1,0,\"up\",\"{message}\""),
                _ => format!("AT+QMTPUB=0,1,1,0,\"up\",{}\n{message}", message.len()),
            },
            Family::Espressif => format!("AT+MQTTPUB=0,\"up\",\"{message}\",1,0"),
        }
    }

    /// Types a command and waits for its final result; what stands behind a line feed is data for its prompt.
    fn command(&mut self, line: &str) {
        let (line, data) = line.split_once('\n').unwrap_or((line, ""));
        self.received.clear();
        if self.unsure {
            // What is left of the one before must not spoil this one.
            self.type_line("");
            self.wait(Duration::from_secs(1));
            self.received.clear();
        }
        self.look_around();
        self.type_line(line);
        let start = self.bench.now();
        let mut data = data;
        loop {
            if self.has_answer() {
                self.unsure = self.always_unsure;
                self.look_around();
                return;
            }
            if !data.is_empty() && self.received.ends_with(b">") || self.received.ends_with(b"> ") {
                self.bench.type_bytes(data.as_bytes());
                data = "";
            }
            let waited = self.bench.now() - start;
            if waited >= Duration::from_secs(30) && self.unsure {
                return;
            }
            assert!(
                waited < LONGEST,
                "{}: {line} is not answered: {}",
                self.name,
                self.heard()
            );
            self.step(start + LONGEST);
        }
    }

    fn has_answer(&self) -> bool {
        let text = &self.received;
        let ends = [
            "\r\nOK\r\n",
            "\r\nERROR\r\n",
            "\r\nSHUT OK\r\n",
            "\r\nFAIL\r\n",
            "\r\nSEND OK\r\n",
        ];
        let found = |wanted: &str| {
            text.windows(wanted.len())
                .any(|part| part == wanted.as_bytes())
        };
        ends.iter().any(|end| found(end)) || found("+CME ERROR:") || found("busy p...")
    }

    /// Faults that are there now may take the command or its answer away.
    fn look_around(&mut self) {
        let mut active = self.bench.rig().faults().filter(|fault| fault.active);
        self.unsure |= active.any(|fault| takes_away(fault.fault.what.word()));
    }

    fn type_line(&mut self, line: &str) {
        let end = self.model.syntax.line_end();
        self.bench.type_bytes(format!("{line}{end}").as_bytes());
        self.collect();
    }

    fn step(&mut self, limit: instant::Instant) {
        let before = self.bench.now();
        if self.bench.next_event().is_some_and(|at| at <= limit) {
            self.bench.step();
        } else {
            self.bench.run_for(limit - self.bench.now());
        }
        self.idle = if self.bench.now() > before {
            0
        } else {
            self.idle + 1
        };
        assert!(self.idle < 100_000, "{}: time stands still", self.name);
        self.collect();
    }

    fn wait(&mut self, span: Duration) {
        let end = self.bench.now() + span;
        while self.bench.now() < end {
            self.step(end);
        }
    }

    fn collect(&mut self) {
        let bytes = self.bench.take_serial();
        if !bytes.is_empty() {
            self.received.extend_from_slice(&bytes);
            self.transcript.push((self.bench.now().as_micros(), bytes));
        }
        for trace in self.bench.take_trace() {
            if std::env::var_os("MODEMQ_SEED").is_some() {
                println!("{} {:?}", trace.at, trace.kind);
            }
            if let TraceKind::Note(note) = &trace.kind
                && let Some((_, fault)) = note.split_once(" strikes: ")
            {
                let fault: Fault = fault.parse().unwrap();
                self.unsure |= takes_away(fault.what.word());
                self.always_unsure |=
                    matches!(fault.what, What::LateReply { .. } | What::LostReply { .. });
            }
        }
        assert!(self.bench.rig().held() < 2 << 20, "{}", self.name);
        // A host that reads forgets.
        if self.received.len() > 1 << 16 {
            self.received.drain(..1 << 15);
        }
    }

    fn heard(&self) -> String {
        let from = self.received.len().saturating_sub(300);
        self.received[from..].escape_ascii().to_string()
    }
}

/// Whether a command or its answer may be gone because of it.
fn takes_away(word: &Word) -> bool {
    match word.layer {
        Layer::Serial | Layer::Stream => true,
        Layer::Link | Layer::Radio => false,
        Layer::Module => matches!(word.name, "reboot" | "power-cut" | "brown-out" | "stuck"),
    }
}

fn random_fault(dice: &mut Dice) -> Fault {
    let words = world::fault::WORDS;
    let pick =
        |dice: &mut Dice, from: &[&str]| from[dice.below(from.len() as u32) as usize].to_string();
    loop {
        let word = &words[dice.below(words.len() as u32) as usize];
        let seconds = |dice: &mut Dice, below| format!("{}s", 1 + dice.below(below));
        let millis = |dice: &mut Dice, below| format!("{}ms", 1 + dice.below(below));
        let few = 1 + dice.below(4);
        let args = match word.name {
            "latency" => format!("{} {}", millis(dice, 2000), millis(dice, 1000)),
            "bandwidth" => format!("{}kbit", 1 + dice.below(50)),
            "slicer" => format!("{} {}", 1 + dice.below(20), millis(dice, 30)),
            "loss" | "corrupt" | "duplicate" | "echo-garbled" => format!("{}%", dice.below(20)),
            "overrun" => format!("{}", 1 + dice.below(64)),
            "wrong-baud" => pick(dice, &["300", "9600", "115000", "230400"]),
            "late-reply" => format!("{} {few}", seconds(dice, 60)),
            "lost-reply" | "sim-busy" | "brown-out" => few.to_string(),
            "urc" => format!(
                "\"+X: 1\" {}",
                pick(dice, &["now", "before-reply", "inside-reply", "glued"])
            ),
            "timeout" | "slow_close" | "dns-slow" => seconds(dice, 40),
            "limit_data" => format!("{}", dice.below(500)),
            "signal" => pick(dice, &["99", "3", "31"]),
            "registration" => pick(dice, &["denied", "searching", "none", "roaming"]),
            "sim" => pick(dice, &["absent", "busy"]),
            "cme-error" => format!("{} {few}", dice.below(200)),
            _ => String::new(),
        };
        let mut line = format!("{} {args}", word.name);
        if word.layer == Layer::Stream {
            line.push_str(&pick(
                dice,
                &[
                    "",
                    " on serial",
                    " on link",
                    " on serial/upstream",
                    " on link/downstream",
                ],
            ));
        }
        let when = match dice.below(4) {
            0 => String::new(),
            1 => format!("at {}", seconds(dice, 300)),
            2 => format!("every {} jitter {}%", seconds(dice, 200), dice.below(100)),
            _ => format!(
                "when {} after {}",
                pick(dice, &["AT", "CONN", "PUB", "OPEN", "START", "?"]),
                millis(dice, 100)
            ),
        };
        // Half of those that may last for ever do.
        let span = match dice.below(2) {
            0 => String::new(),
            _ => format!("for {}", seconds(dice, 100)),
        };
        let probability = match dice.below(3) {
            0 => "probability 50%",
            _ => "",
        };
        // What cannot be said together is thrown again.
        if let Ok(fault) = format!("{line} {when} {span} {probability}").parse::<Fault>() {
            if matches!(fault.what, What::Sim(_)) && fault.lasts.is_none() {
                continue;
            }
            return fault;
        }
    }
}

/// Commands that a robot leaves alone: they end the conversation, change how it is written, or take data.
const LEFT_ALONE: [&str; 56] = [
    "+CPOWD",
    "+QPOWD",
    "+IPR",
    "+ICF",
    "+IFC",
    "Q",
    "V",
    "E",
    "Z",
    "X",
    "S3",
    "S4",
    "S5",
    "&F",
    "&W",
    "&D",
    "&C",
    "+UART",
    "+UART_CUR",
    "+UART_DEF",
    "+SLEEP",
    "+RST",
    "+RESET",
    "+RESTORE",
    "+RSTSET",
    "+QRST",
    "+NRB",
    "+CFUN",
    "^WAKEUPHEX",
    "+POWERMODE",
    "+CSCLK",
    "+QSCLK",
    "+CIPMODE",
    "+CIPSEND",
    "+CIFSR",
    "+MPUBEX",
    "+FSWRITE",
    "+ECMTPUB",
    "+QMTPUB",
    "+QMTPUBEX",
    "+QFUPL",
    "+MQTTLONGCLIENTID",
    "+MQTTLONGUSERNAME",
    "+MQTTLONGPASSWORD",
    "+MQTTPUBRAW",
    "+SYSMSG",
    "+SYSSTORE",
    "+CWRECONNCFG",
    "+CWAUTOCONN",
    "+QATWAKEUP",
    "+CWDHCP",
    "+CIPSTA",
    "+QCGDEFCONT",
    "+CPSMS",
    "+CEDRXS",
    "+MCONFIG",
];

/// A line that the model takes, with any values.
fn random_command(model: &Model, dice: &mut Dice) -> Option<String> {
    let all: Vec<&'static Command> = model
        .commands
        .iter()
        .flat_map(|table| table.iter().copied())
        .collect();
    let command = all[dice.below(all.len() as u32) as usize];
    let name = command.name.split('=').next().unwrap_or_default();
    if LEFT_ALONE.contains(&name) {
        return None;
    }
    let forms = [Form::Execute, Form::Set, Form::Read, Form::Test];
    let forms: Vec<Form> = forms
        .into_iter()
        .filter(|form| command.has(*form))
        .collect();
    let form = forms[dice.below(forms.len().max(1) as u32) as usize];
    let mut texts: Vec<Option<Vec<u8>>> = Vec::new();
    let mut numbers = Vec::new();
    if form == Form::Set {
        for param in command.set? {
            if param.presence == Presence::Optional && dice.below(3) == 0 {
                break;
            }
            let (number, text) = random_value(param, dice);
            numbers.push(number);
            texts.push(text);
        }
    }
    let values: Vec<Value<'_>> = texts
        .iter()
        .zip(&numbers)
        .map(|(text, number)| match text {
            Some(text) => Value::Text(text),
            None => Value::Int(*number),
        })
        .collect();
    let mut line = Vec::new();
    command
        .write(form, &values, &mut |part| line.extend_from_slice(part))
        .ok()?;
    let line = String::from_utf8(line).ok()?;
    let readable =
        !line.contains(['\r', '\n']) && (model.syntax == Syntax::EspAt || line.len() < 500);
    readable.then_some(line)
}

fn random_value(param: &Param, dice: &mut Dice) -> (i64, Option<Vec<u8>>) {
    let text = |dice: &mut Dice, max: usize| {
        let len = 1 + dice.below(max.clamp(1, 12) as u32) as usize;
        Some((0..len).map(|_| b'a' + dice.below(26) as u8).collect())
    };
    match param.kind {
        Kind::Int(min, max) => (
            min + i64::from(dice.below((max - min + 1).clamp(1, 100) as u32)),
            None,
        ),
        Kind::OneOf(numbers) => (numbers[dice.below(numbers.len() as u32) as usize], None),
        Kind::Text(max)
        | Kind::Rest(max)
        | Kind::Quoted(max, wire::Escapes::None | wire::Escapes::Luat | wire::Escapes::Backslash) => {
            (0, text(dice, max))
        }
    }
}
