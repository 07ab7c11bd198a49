//! The serial line between host and module, and what happens to bytes on it.
//!
//! **After any input, drain [`Line::poll_output`] until it is empty, and call [`Line::advance`] when [`Line::next_deadline`] has
//! come.** Without a fault every byte comes out at once, in the pieces in which it went in.

use crate::dice::Dice;
use crate::fault::{Place, Share, Side, UrcPlace, What};
use crate::pipe::{Item, Medium, Pipe};
use crate::schedule::{Edge, FaultId, Strike};
use dialect::{Model, Syntax, espressif};
use instant::Instant;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

/// What comes out of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineOutput {
    /// Bytes for the module.
    ToModule(Vec<u8>),
    /// The bytes for the module so far have ended a command line: this one, without its end.
    Typed(Vec<u8>),
    /// Bytes for the host.
    ToHost(Vec<u8>),
    /// What was lost, for the trace.
    Note(String),
}

/// How long the module's UART buffer fills before it is read.
const OVERRUN_WINDOW: Duration = Duration::from_millis(10);
/// Bytes of a line that are kept to tell what it is.
const LINE_MAX: usize = 4096;
/// Command lines that follow each other faster do not wait for the answers between them.
const PIPELINED: Duration = Duration::from_secs(1);
/// Faults that wait for a reply.
const ARMED_MAX: usize = 256;

/// A serial line.
#[derive(Clone, Debug)]
pub struct Line {
    now: Instant,
    syntax: Syntax,
    echoes_cr: bool,
    up: Pipe<Infallible>,
    down: Pipe<Infallible>,
    out: VecDeque<LineOutput>,
    /// Bits per second at the module's end.
    rate: u32,
    wrong_rates: Vec<(FaultId, Side2, u32)>,
    overruns: Vec<(FaultId, u32)>,
    /// Since when bytes go into the module's buffer, and how many have.
    window: (Instant, u32),
    garbled: Vec<(FaultId, Share, Dice)>,
    armed: VecDeque<(FaultId, Armed)>,
    /// A reply is late until then.
    late_until: Instant,
    talk: Talk,
}

/// Both directions or one.
type Side2 = Option<Side>;

/// A fault that waits for its place in what the module says.
#[derive(Clone, Debug)]
enum Armed {
    Late(Duration),
    Lost,
    Urc(String, UrcPlace),
}

/// Where the conversation is.
#[derive(Clone, Debug, Default)]
struct Talk {
    /// What the host is sending, up to the line's end.
    typed: Vec<u8>,
    /// What the module has got and not echoed.
    echo: VecDeque<u8>,
    /// Commands that were sent, and whose final results have not come.
    awaits: u32,
    /// When the last one was.
    asked: Instant,
    /// Of the reply to the first of them something has come.
    replies: bool,
    /// This reply is lost.
    loses: bool,
    /// What the module is saying, up to the line's end.
    said: Vec<u8>,
    /// The module is not between two frames.
    in_frame: bool,
}

impl Line {
    /// The line of a module.
    pub fn new(model: &Model) -> Self {
        Self {
            now: Instant::ZERO,
            syntax: model.syntax,
            echoes_cr: model.defaults.echoes_cr,
            up: Pipe::new(Medium::Serial),
            down: Pipe::new(Medium::Serial),
            out: VecDeque::new(),
            rate: model.defaults.baud,
            wrong_rates: Vec::new(),
            overruns: Vec::new(),
            window: (Instant::ZERO, 0),
            garbled: Vec::new(),
            armed: VecDeque::new(),
            late_until: Instant::ZERO,
            talk: Talk::default(),
        }
    }

    /// The module's UART runs at so many bits per second.
    pub fn set_rate(&mut self, rate: u32) {
        self.rate = rate.max(1);
    }

    /// A fault begins or ends; false when it is none of the serial line.
    pub fn strike(&mut self, now: Instant, strike: &Strike) -> bool {
        self.now = now;
        let Some(place @ Place::Serial(side)) = strike.fault.place() else {
            return false;
        };
        let id = strike.id;
        if strike.edge == Edge::End {
            self.up.end(now, id);
            self.down.end(now, id);
            self.wrong_rates.retain(|(own, ..)| *own != id);
            self.overruns.retain(|(own, _)| *own != id);
            self.garbled.retain(|(own, ..)| *own != id);
            self.carry();
            return true;
        }
        match &strike.fault.what {
            What::WrongBaud(rate) => self.wrong_rates.push((id, side, *rate)),
            What::Overrun { bytes } => self.overruns.push((id, *bytes)),
            What::EchoGarbled(share) => self.garbled.push((id, *share, strike.dice.clone())),
            What::LateReply { delay, replies } => {
                for _ in 0..*replies {
                    self.arm(id, Armed::Late(*delay));
                }
            }
            What::LostReply { replies } => {
                for _ in 0..*replies {
                    self.arm(id, Armed::Lost);
                }
            }
            What::Urc { text, place } => self.arm(id, Armed::Urc(text.clone(), *place)),
            what => {
                let sides = [Side::Upstream, Side::Downstream];
                for (index, side) in sides.into_iter().enumerate() {
                    if place.is_side(side) {
                        let dice = strike.dice.fork(index as u64);
                        self.pipe(side).begin(id, what, dice);
                    }
                }
            }
        }
        self.report_between_frames();
        self.carry();
        true
    }

    /// What waits for a reply waits no more: that of one fault, or everything. False when there was nothing.
    pub fn disarm(&mut self, id: Option<FaultId>) -> bool {
        let before = self.armed.len();
        self.armed
            .retain(|(own, _)| id.is_some_and(|id| *own != id));
        self.armed.len() < before
    }

    /// Bytes from the host.
    pub fn from_host(&mut self, now: Instant, bytes: &[u8]) {
        self.now = now;
        let bytes = self.at_another_rate(bytes, Side::Upstream);
        self.up.push(now, bytes);
        self.carry();
    }

    /// Bytes from the module.
    pub fn from_module(&mut self, now: Instant, bytes: &[u8]) {
        self.now = now;
        let mut said = Vec::with_capacity(bytes.len());
        for &byte in bytes {
            self.say(byte, &mut said);
        }
        self.send(&said);
        self.report_between_frames();
        self.carry();
    }

    /// The module starts anew: what it was late with it does not say.
    pub fn restart(&mut self, now: Instant) {
        self.now = now;
        if self.now < self.late_until {
            self.down.clear();
        }
        self.late_until = self.now;
        self.talk = Talk::default();
    }

    /// Time has come.
    pub fn advance(&mut self, now: Instant) {
        self.now = now;
        self.carry();
    }

    /// What has arrived.
    pub fn poll_output(&mut self) -> Option<LineOutput> {
        self.out.pop_front()
    }

    /// When something arrives next.
    pub fn next_deadline(&self) -> Option<Instant> {
        let pipes = [self.up.next_deadline(), self.down.next_deadline()];
        pipes.into_iter().flatten().min()
    }

    /// Bytes on the way.
    pub fn held(&self) -> usize {
        self.up.len() + self.down.len()
    }

    fn pipe(&mut self, side: Side) -> &mut Pipe<Infallible> {
        match side {
            Side::Upstream => &mut self.up,
            Side::Downstream => &mut self.down,
        }
    }

    fn arm(&mut self, id: FaultId, armed: Armed) {
        if self.armed.len() < ARMED_MAX {
            self.armed.push_back((id, armed));
        }
    }

    /// Hands over what has arrived by now.
    fn carry(&mut self) {
        while let Some(Item::Data(bytes)) = self.up.poll(self.now) {
            let bytes = self.taken(bytes);
            self.hand_over(&bytes);
        }
        while let Some(Item::Data(bytes)) = self.down.poll(self.now) {
            self.out.push_back(LineOutput::ToHost(bytes));
        }
        for (lost, whose) in [
            (self.up.take_lost(), "the host"),
            (self.down.take_lost(), "the module"),
        ] {
            if lost > 0 {
                self.out.push_back(LineOutput::Note(format!(
                    "{lost} bytes of {whose} lost: the serial line holds no more back"
                )));
            }
        }
    }

    /// What the module's buffer has room for.
    fn taken(&mut self, mut bytes: Vec<u8>) -> Vec<u8> {
        let Some(room) = self.overruns.iter().map(|(_, bytes)| *bytes).min() else {
            return bytes;
        };
        if self.now.since(self.window.0) >= OVERRUN_WINDOW {
            self.window = (self.now, 0);
        }
        let left = room.saturating_sub(self.window.1) as usize;
        let lost = bytes.len().saturating_sub(left);
        bytes.truncate(left);
        self.window.1 += bytes.len() as u32;
        if lost > 0 {
            self.out.push_back(LineOutput::Note(format!(
                "{lost} bytes of the host lost: the UART's buffer of {room} bytes was full"
            )));
        }
        bytes
    }

    /// Passes bytes on to the module, and tells of each command line as it ends.
    fn hand_over(&mut self, bytes: &[u8]) {
        let mut from = 0;
        for (at, &byte) in bytes.iter().enumerate() {
            let ends = match self.syntax {
                Syntax::V250 => byte == b'\r',
                Syntax::EspAt => byte == b'\n' && self.talk.typed.last() == Some(&b'\r'),
            };
            if self.talk.echo.len() >= LINE_MAX {
                self.talk.echo.pop_front();
            }
            if self.echoes_cr || byte != b'\r' {
                self.talk.echo.push_back(byte);
            }
            if !ends {
                if self.talk.typed.len() < LINE_MAX {
                    self.talk.typed.push(byte);
                }
                continue;
            }
            let line = std::mem::take(&mut self.talk.typed);
            let line = line.trim_ascii().to_vec();
            if line.is_empty() {
                continue;
            }
            if self.now.since(self.talk.asked) < PIPELINED {
                self.talk.awaits = self.talk.awaits.saturating_add(1);
            } else {
                // The host has its answer, or has given it up.
                self.talk.awaits = 1;
                self.talk.replies = false;
                self.talk.loses = false;
            }
            self.talk.asked = self.now;
            let part = bytes[from..=at].to_vec();
            from = at + 1;
            self.out.push_back(LineOutput::ToModule(part));
            self.out.push_back(LineOutput::Typed(line));
        }
        if from < bytes.len() {
            self.out
                .push_back(LineOutput::ToModule(bytes[from..].to_vec()));
        }
    }

    /// One byte of the module, on its way into the line.
    fn say(&mut self, byte: u8, said: &mut Vec<u8>) {
        if self.talk.said.is_empty() && self.talk.echo.front() == Some(&byte) {
            self.talk.echo.pop_front();
            said.push(self.garble(byte));
            return;
        }
        if self.talk.awaits > 0 && !self.talk.replies {
            self.talk.replies = true;
            self.begin_reply(said);
        }
        self.talk.in_frame = true;
        if !self.talk.loses {
            said.push(byte);
        }
        // ATV0 ends a final result with CR alone.
        let short = byte == b'\r' && matches!(&self.talk.said[..], b"0" | b"4");
        if byte != b'\n' && !short {
            if !matches!(byte, b'\r') && self.talk.said.len() < LINE_MAX {
                self.talk.said.push(byte);
            }
            return;
        }
        let line = std::mem::take(&mut self.talk.said);
        if line.is_empty() {
            return;
        }
        if is_final(&line) {
            self.talk.awaits = self.talk.awaits.saturating_sub(1);
            self.talk.replies = false;
            self.talk.loses = false;
            self.talk.in_frame = false;
            if self.talk.awaits == 0 {
                self.talk.echo.clear();
            }
            self.insert(UrcPlace::Glued, said);
        } else if self.talk.awaits > 0 {
            self.insert(UrcPlace::InsideReply, said);
        } else {
            self.talk.in_frame = false;
        }
    }

    /// The reply to the command begins: what waits for it happens.
    fn begin_reply(&mut self, said: &mut Vec<u8>) {
        self.insert(UrcPlace::BeforeReply, said);
        let waits = |(_, armed): &(FaultId, Armed)| matches!(armed, Armed::Late(_) | Armed::Lost);
        let Some(at) = self.armed.iter().position(waits) else {
            return;
        };
        match self.armed.remove(at).map(|(_, armed)| armed) {
            Some(Armed::Late(delay)) => {
                // The echo is out by then.
                let before = std::mem::take(said);
                self.send(&before);
                self.late_until = self.late_until.max(self.now + delay);
                self.down.not_before(self.now + delay);
            }
            Some(Armed::Lost) => self.talk.loses = true,
            _ => {}
        }
    }

    /// Puts in the reports that wait for this place.
    fn insert(&mut self, place: UrcPlace, said: &mut Vec<u8>) {
        let syntax = self.syntax;
        self.armed.retain(|(_, armed)| match armed {
            Armed::Urc(text, own) if *own == place => {
                said.extend(frame(syntax, text));
                false
            }
            _ => true,
        });
    }

    fn report_between_frames(&mut self) {
        if self.talk.awaits == 0 && !self.talk.in_frame && self.talk.echo.is_empty() {
            let mut said = Vec::new();
            self.insert(UrcPlace::Now, &mut said);
            self.send(&said);
        }
    }

    fn garble(&mut self, mut byte: u8) -> u8 {
        for (_, share, dice) in &mut self.garbled {
            if dice.chance(*share) {
                byte ^= 1 << dice.below(8);
            }
        }
        byte
    }

    fn send(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            let bytes = self.at_another_rate(bytes, Side::Downstream);
            self.down.push(self.now, bytes);
        }
    }

    /// What the other end reads when the rates differ.
    fn at_another_rate(&self, bytes: &[u8], side: Side) -> Vec<u8> {
        let wrong = self
            .wrong_rates
            .iter()
            .rfind(|(_, own, _)| own.is_none_or(|own| own == side));
        match (wrong, side) {
            (Some((_, _, host)), Side::Upstream) => resample(bytes, *host, self.rate),
            (Some((_, _, host)), Side::Downstream) => resample(bytes, self.rate, *host),
            (None, _) => bytes.to_vec(),
        }
    }
}

/// A report as the module frames it.
fn frame(syntax: Syntax, text: &str) -> Vec<u8> {
    let leads = match syntax {
        Syntax::V250 => true,
        Syntax::EspAt => espressif::has_lead(text.as_bytes()),
    };
    let lead = if leads { "\r\n" } else { "" };
    format!("{lead}{text}\r\n").into_bytes()
}

/// Whether a line ends a reply.
// Source: V.250 §5.7.1, 3GPP TS 27.007 §9; SHUT OK: the Luat manual; SEND OK, SEND FAIL, busy, FAIL: ESP-AT's documentation.
fn is_final(line: &[u8]) -> bool {
    const WHOLE: [&[u8]; 12] = [
        b"OK",
        b"ERROR",
        b"NO CARRIER",
        b"NO ANSWER",
        b"NO DIALTONE",
        b"BUSY",
        b"SHUT OK",
        b"SEND OK",
        b"SEND FAIL",
        b"FAIL",
        b"0",
        b"4",
    ];
    WHOLE.contains(&line)
        || line.starts_with(b"+CME ERROR:")
        || line.starts_with(b"+CMS ERROR:")
        || line.starts_with(b"busy ")
}

/// What a UART reads at one rate that another one has sent at another, 8N1, without a pause between the bytes.
pub fn resample(bytes: &[u8], sent: u32, read: u32) -> Vec<u8> {
    if sent == read {
        return bytes.to_vec();
    }
    // A start bit, eight data bits from the lowest, a stop bit.
    let bit = |index: u64| match (bytes.get((index / 10) as usize), index % 10) {
        (None, _) | (_, 9) => true,
        (_, 0) => false,
        (Some(byte), place) => byte >> (place - 1) & 1 == 1,
    };
    // In units of 1/(2 · sent · read) seconds.
    let (sent_bit, read_bit) = (2 * u64::from(read), 2 * u64::from(sent));
    let end = bytes.len() as u64 * 10;
    let level = |time: u64| bit(time / sent_bit);
    let mut found = Vec::new();
    let mut time = 0;
    while time / sent_bit < end {
        if level(time) {
            // Idle, until the next edge.
            time = (time / sent_bit + 1) * sent_bit;
            continue;
        }
        let mut byte = 0_u8;
        for place in 0..8 {
            // The middle of each bit.
            let middle = time + read_bit * (place + 1) + read_bit / 2;
            byte |= u8::from(level(middle)) << place;
        }
        found.push(byte);
        time += read_bit * 9 + read_bit / 2;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::Schedule;

    struct Rig {
        line: Line,
        schedule: Schedule,
        now: Instant,
        host: Vec<(u64, String)>,
        module: Vec<(u64, String)>,
    }

    impl Rig {
        fn new(faults: &[&str]) -> Self {
            let model = Model::by_name("air780ep").unwrap();
            let mut rig = Self {
                line: Line::new(model),
                schedule: Schedule::new(7),
                now: Instant::ZERO,
                host: Vec::new(),
                module: Vec::new(),
            };
            for fault in faults {
                let fault = fault.parse().unwrap();
                rig.schedule.inject(Instant::ZERO, fault).unwrap();
            }
            rig.settle();
            rig
        }

        fn settle(&mut self) {
            let millis = self.now.as_micros() / 1000;
            loop {
                if let Some(strike) = self.schedule.poll(self.now) {
                    assert!(self.line.strike(self.now, &strike));
                } else if let Some(output) = self.line.poll_output() {
                    match output {
                        LineOutput::ToHost(bytes) => self.host.push((millis, text(&bytes))),
                        LineOutput::ToModule(bytes) => self.module.push((millis, text(&bytes))),
                        LineOutput::Typed(line) => self.schedule.typed(self.now, &line),
                        LineOutput::Note(note) => self.module.push((millis, note)),
                    }
                } else {
                    return;
                }
            }
        }

        fn host(&mut self, bytes: &str) {
            self.line.from_host(self.now, bytes.as_bytes());
            self.settle();
        }

        fn module(&mut self, bytes: &str) {
            self.line.from_module(self.now, bytes.as_bytes());
            self.settle();
        }

        fn run(&mut self, millis: u64) {
            let end = self.now + Duration::from_millis(millis);
            let next = |rig: &Self| {
                let both = [rig.line.next_deadline(), rig.schedule.next_deadline()];
                both.into_iter().flatten().min().filter(|at| *at <= end)
            };
            while let Some(at) = next(self) {
                self.now = self.now.max(at);
                self.line.advance(self.now);
                self.settle();
            }
            self.now = end;
        }

        fn heard(&self) -> String {
            self.host.iter().map(|(_, text)| text.as_str()).collect()
        }
    }

    fn text(bytes: &[u8]) -> String {
        bytes.escape_ascii().to_string()
    }

    #[test]
    fn without_a_fault_bytes_pass_as_they_come() {
        let mut rig = Rig::new(&[]);
        rig.host("AT\r");
        rig.module("AT\r\r\nOK\r\n");
        assert_eq!(rig.module, [(0, "AT\\r".into())]);
        assert_eq!(rig.host, [(0, "AT\\r\\r\\nOK\\r\\n".into())]);
    }

    #[test]
    fn a_slicer_hands_over_byte_after_byte() {
        let mut rig = Rig::new(&["slicer 2 5ms on serial/downstream"]);
        rig.host("ABC");
        rig.module("12345");
        rig.run(100);
        assert_eq!(rig.module, [(0, "ABC".into())]);
        assert_eq!(
            rig.host,
            [(0, "12".into()), (5, "34".into()), (10, "5".into())]
        );
    }

    #[test]
    fn a_rate_and_a_latency_add_up() {
        let mut rig = Rig::new(&[
            "bandwidth 8kbit on serial/upstream",
            "latency 50ms on serial/upstream",
        ]);
        rig.host(&"x".repeat(25));
        rig.run(1000);
        let arrivals: Vec<_> = rig
            .module
            .iter()
            .map(|(at, text)| (*at, text.len()))
            .collect();
        assert_eq!(arrivals, [(60, 10), (70, 10), (75, 5)]);
    }

    #[test]
    fn a_report_lands_where_it_is_told_to() {
        let reply = "AT+CSQ\r\r\n+CSQ: 24,0\r\n\r\nOK\r\n";
        for (place, wanted) in [
            (
                "before-reply",
                "AT+CSQ\\r\\r\\n+X\\r\\n\\r\\n+CSQ: 24,0\\r\\n\\r\\nOK\\r\\n",
            ),
            (
                "inside-reply",
                "AT+CSQ\\r\\r\\n+CSQ: 24,0\\r\\n\\r\\n+X\\r\\n\\r\\nOK\\r\\n",
            ),
            (
                "glued",
                "AT+CSQ\\r\\r\\n+CSQ: 24,0\\r\\n\\r\\nOK\\r\\n\\r\\n+X\\r\\n",
            ),
        ] {
            let mut rig = Rig::new(&[&format!("urc +X {place}")]);
            rig.host("AT+CSQ\r");
            // However the module's bytes are cut.
            for byte in reply.chars() {
                rig.module(&byte.to_string());
            }
            assert_eq!(rig.heard(), wanted);
        }
        let mut rig = Rig::new(&["urc +X at 1s"]);
        rig.host("AT+CSQ\r");
        rig.module("AT+CSQ\r\r\n+CSQ: ");
        rig.run(2000);
        assert_eq!(rig.heard(), "AT+CSQ\\r\\r\\n+CSQ: ");
        rig.module("24,0\r\n\r\nOK\r\n");
        assert!(rig.heard().ends_with("\\r\\nOK\\r\\n\\r\\n+X\\r\\n"));
    }

    #[test]
    fn a_reply_is_late_or_lost_and_its_echo_is_not() {
        let mut rig = Rig::new(&["late-reply 2s when CSQ", "lost-reply when CREG"]);
        rig.host("AT+CSQ\r");
        rig.module("AT+CSQ\r\r\n+CSQ: 24,0\r\n\r\nOK\r\n");
        rig.run(3000);
        assert_eq!(
            rig.host,
            [
                (0, "AT+CSQ\\r".into()),
                (2000, "\\r\\n+CSQ: 24,0\\r\\n\\r\\nOK\\r\\n".into())
            ]
        );
        rig.host.clear();
        rig.host("AT+CREG?\r");
        rig.module("AT+CREG?\r\r\n+CREG: 0,1\r\n\r\nOK\r\n\r\n+CGEV: X\r\n");
        assert_eq!(rig.heard(), "AT+CREG?\\r\\r\\n+CGEV: X\\r\\n");
    }

    #[test]
    fn commands_that_are_typed_at_once_have_a_reply_each() {
        let mut rig = Rig::new(&["urc +X inside-reply", "lost-reply"]);
        rig.host("ATE0\rAT+CSQ\rAT+CREG?\r");
        rig.module("ATE0\r\r\nOK\r\n\r\n+CSQ: 24,0\r\n\r\nOK\r\n\r\n+CREG: 0,1\r\n\r\nOK\r\n");
        assert_eq!(
            rig.heard(),
            "ATE0\\r\\r\\n+CSQ: 24,0\\r\\n\\r\\n+X\\r\\n\\r\\nOK\\r\\n\\r\\n+CREG: 0,1\\r\\n\\r\\nOK\\r\\n"
        );
    }

    #[test]
    fn only_the_echo_is_garbled() {
        let mut rig = Rig::new(&["echo-garbled 100%"]);
        rig.host("AT\r");
        rig.module("AT\r\r\nOK\r\n");
        let heard = rig.heard();
        assert!(heard.ends_with("\\r\\nOK\\r\\n"), "{heard}");
        assert!(!heard.contains("AT"), "{heard}");
    }

    #[test]
    fn a_full_buffer_loses_the_rest_and_says_so() {
        let mut rig = Rig::new(&["overrun 4"]);
        rig.host("AT+CSQ\r");
        rig.run(20);
        rig.host("AT\r");
        assert_eq!(
            rig.module,
            [
                (
                    0,
                    "3 bytes of the host lost: the UART's buffer of 4 bytes was full".into()
                ),
                (0, "AT+C".into()),
                (20, "AT\\r".into()),
            ]
        );
    }

    #[test]
    fn a_stall_holds_a_bounded_amount_and_lets_it_go_at_its_end() {
        let mut rig = Rig::new(&["stall on serial/downstream for 1s"]);
        for _ in 0..100 {
            rig.module(&"x".repeat(1000));
        }
        assert_eq!(rig.line.held(), 64 * 1024);
        rig.run(2000);
        let held: usize = rig.host.iter().map(|(_, text)| text.len()).sum();
        assert_eq!(held, 64 * 1024);
        assert!(rig.host.iter().all(|(at, _)| *at == 1000));
        assert!(rig.module[0].1.contains("bytes of the module lost"));
    }

    #[test]
    fn another_rate_makes_other_bytes() {
        assert_eq!(resample(b"AT\r", 115_200, 115_200), b"AT\r");
        // Within two percent UARTs still understand each other.
        assert_eq!(resample(b"U", 115_200, 117_000), b"U");
        // Ten bits at half the rate are read as twenty.
        assert_eq!(resample(b"\x00", 9600, 19200), [0x00, 0x80]);
        assert_eq!(resample(b"U", 9600, 19200), [0x66, 0x99]);
        assert_eq!(resample(&[0xff], 9600, 19200), [0xfe]);
        assert!(resample(b"AT+CSQ\r", 115_200, 9600).len() <= 2);
    }

    #[test]
    fn a_seed_decides_which_bytes_are_spoilt() {
        let spoilt = || {
            let mut rig = Rig::new(&["corrupt 10%", "duplicate 5%", "loss 5% on serial"]);
            for _ in 0..50 {
                rig.host("AT+MPUB=\"t\",0,0,\"x\"\r");
                rig.module("\r\nOK\r\n");
            }
            (rig.host, rig.module)
        };
        let (host, module) = spoilt();
        assert_eq!(spoilt(), (host.clone(), module));
        let clean = "\\r\\nOK\\r\\n";
        let hit = host.iter().filter(|(_, text)| text != clean).count();
        assert!((10..50).contains(&hit), "{hit}");
    }
}
