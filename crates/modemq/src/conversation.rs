//! Talks to a module as a host does, line by line.

use crate::data;
use crate::doctor::lines::Step;
use crate::line::HostLine;
use crate::trace::escape;
use dialect::{Line, Model, Piece, Syntax, model};
use std::collections::VecDeque;
use std::io;
use std::time::Duration;
use tokio::time::Instant;

/// How long a step may take. A TCP connection that nobody answers takes modules up to 75 s, and a login 60 s.
const LIMIT: Duration = Duration::from_secs(90);

/// Lines of an answer that are kept: the last ones.
const KEPT: usize = 20;
/// Lines that wait, and bytes of one that has no end yet.
const MOST_LINES: usize = 1000;
const MOST_BYTES: usize = 64 * 1024;

/// A module at the other end of a line.
#[derive(Debug)]
pub struct Modem {
    line: HostLine,
    /// What ends a command line.
    end: &'static str,
    /// Lines that say how long they are: their text may hold line ends, and final results.
    sized: Vec<&'static Line>,
    /// What has come and is no whole line yet.
    received: Vec<u8>,
    /// Data that was typed, which some modules echo: it may hold lines that look like an answer.
    typed: Vec<u8>,
    lines: VecDeque<String>,
}

/// What came of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// `OK`, and what was awaited besides.
    Good,
    /// `ERROR`, `+CME ERROR: n`, or a report of failure: the line.
    Failed(String),
    /// Nothing of it in time.
    TimedOut,
}

/// What came of a command, with the lines that came on the way.
#[derive(Clone, Debug)]
pub struct Answer {
    /// How it ended.
    pub end: End,
    /// All lines but the echo, the last one included.
    pub lines: Vec<String>,
}

impl Answer {
    /// What stands behind this prefix in the first line that has it.
    pub fn after(&self, prefix: &str) -> Option<&str> {
        self.lines
            .iter()
            .find_map(|line| line.strip_prefix(prefix))
            .map(str::trim)
    }

    /// The last lines, for people.
    pub fn words(&self) -> String {
        match &self.end {
            End::TimedOut if self.lines.is_empty() => "no answer".into(),
            End::TimedOut => format!("{}, and then nothing", self.lines.join(", ")),
            _ => self.lines.join(", "),
        }
    }
}

impl Modem {
    /// Talks as this model's hosts do.
    pub fn new(line: HostLine, model: &'static Model) -> Self {
        Self {
            line,
            end: model.syntax.line_end(),
            sized: sized_lines(),
            received: Vec::new(),
            typed: Vec::new(),
            lines: VecDeque::new(),
        }
    }

    /// The lines that are typed from now on end like this.
    pub fn end_lines_with(&mut self, end: &'static str) {
        self.end = end;
    }

    /// Types a command line, and waits for nothing. What came before belongs to nobody any more.
    ///
    /// # Errors
    /// The line is broken.
    pub async fn type_line(&mut self, line: &str) -> io::Result<()> {
        self.lines.clear();
        self.typed.clear();
        let line = format!("{line}{}", self.end);
        self.line.send(line.as_bytes()).await
    }

    /// Types data.
    ///
    /// # Errors
    /// The line is broken.
    pub async fn type_data(&mut self, data: &[u8]) -> io::Result<()> {
        self.typed.extend_from_slice(data);
        self.line.send(data).await
    }

    /// Types what ends data, or gives it up: Ctrl-Z, ESC, `+++`.
    ///
    /// # Errors
    /// The line is broken.
    pub async fn press(&mut self, keys: &[u8]) -> io::Result<()> {
        self.line.send(keys).await
    }

    /// Gives the line back.
    pub fn into_line(self) -> HostLine {
        self.line
    }

    /// Finds out whether anybody is there. What came before the answer is thrown away.
    ///
    /// # Errors
    /// The line is broken.
    pub async fn synchronise(&mut self) -> io::Result<bool> {
        for _ in 0..6 {
            let answer = self.ask("AT", Duration::from_secs(1)).await?;
            if answer.end == End::Good {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Sends a command line and waits for its final result.
    ///
    /// # Errors
    /// The line is broken.
    pub async fn ask(&mut self, line: &str, limit: Duration) -> io::Result<Answer> {
        self.exchange(
            &Exchange {
                line,
                ..Exchange::default()
            },
            limit,
        )
        .await
    }

    /// Does a step, and waits for everything that must come of it.
    ///
    /// # Errors
    /// The line is broken.
    pub async fn perform(&mut self, step: &Step) -> io::Result<Answer> {
        let exchange = Exchange {
            line: &step.line,
            data: step.data.as_ref().map(|data| data.bytes.as_slice()),
            report: step.report.as_deref(),
            failures: &step.failures,
            back: step
                .back
                .as_ref()
                .map(|(prefix, text)| (*prefix, text.as_str())),
        };
        self.exchange(&exchange, LIMIT).await
    }

    async fn exchange(&mut self, exchange: &Exchange<'_>, limit: Duration) -> io::Result<Answer> {
        let deadline = Instant::now() + limit;
        // Reports that came before belong to nobody here.
        self.lines.clear();
        self.type_line(exchange.line).await?;
        let mut open = Awaited {
            result: true,
            report: exchange.report.is_some(),
            back: exchange.back.is_some(),
            prompt: exchange.data.is_some(),
        };
        let mut lines = Vec::new();
        loop {
            let line = match self.next(deadline, open.prompt).await? {
                // A file's bytes are wanted.
                Some(Heard::Line(line)) if line != "CONNECT" || !open.prompt => line,
                Some(_) => {
                    open.prompt = false;
                    self.line.send(exchange.data.unwrap_or_default()).await?;
                    continue;
                }
                None => {
                    let end = End::TimedOut;
                    return Ok(Answer { end, lines });
                }
            };
            if line == exchange.line {
                continue;
            }
            lines.push(line.clone());
            if lines.len() > KEPT {
                lines.remove(0);
            }
            if let Some(end) = open.take(&line, exchange) {
                return Ok(Answer { end, lines });
            }
        }
    }

    /// The next whole line, without its end, or a prompt when one is awaited; `None` when neither comes in time.
    ///
    /// # Errors
    /// The line is broken.
    pub async fn next(&mut self, deadline: Instant, prompt: bool) -> io::Result<Option<Heard>> {
        loop {
            match self.lines.pop_front() {
                Some(line) if prompt && line == ">" => {
                    return Ok(Some(Heard::Prompt));
                }
                Some(line) => return Ok(Some(Heard::Line(line))),
                None if prompt && self.received.trim_ascii().starts_with(b">") => {
                    self.received.clear();
                    return Ok(Some(Heard::Prompt));
                }
                None => {}
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            self.receive(left).await?;
        }
    }

    /// Takes what comes apart into lines.
    async fn receive(&mut self, limit: Duration) -> io::Result<()> {
        let came = self.line.receive(limit).await?;
        self.received.extend_from_slice(&came);
        if !self.forget_echo() {
            return Ok(());
        }
        while let Some(line) = self.take_line() {
            // Ctrl-Z may be echoed too.
            if !line.is_empty() && line != b"\x1a" {
                self.lines.push_back(escape(&line));
            }
        }
        // Nobody says so much without an end, and nobody asks for so many.
        if self.received.len() > MOST_BYTES {
            self.received.clear();
        }
        while self.lines.len() > MOST_LINES {
            self.lines.pop_front();
        }
        Ok(())
    }

    /// Drops the echo of data. False while what has come may be its beginning.
    fn forget_echo(&mut self) -> bool {
        if self.typed.is_empty() {
            return true;
        }
        // What stands behind the prompt.
        let spaces = self
            .received
            .iter()
            .take_while(|byte| **byte == b' ')
            .count();
        let start = if self.typed[0] == b' ' { 0 } else { spaces };
        let came = &self.received[start..];
        let same = came
            .iter()
            .zip(&self.typed)
            .take_while(|(a, b)| a == b)
            .count();
        if same == came.len() && same < self.typed.len() {
            return false;
        }
        if same == self.typed.len() {
            self.received.drain(..start + same);
        }
        self.typed.clear();
        true
    }

    /// The next line that is whole.
    fn take_line(&mut self) -> Option<Vec<u8>> {
        let start = self.received.len() - self.received.trim_ascii_start().len();
        self.received.drain(..start);
        let is_end = |byte: &u8| matches!(byte, b'\n' | b'\r');
        let mut at = self.received.iter().position(is_end)?;
        let sized = self.sized.iter();
        let mut says = sized.filter_map(|line| line.length(&self.received[..at]));
        if let Some(total) = says.next().filter(|total| *total > at) {
            if self.received.len() < total && total <= MOST_BYTES {
                return None;
            }
            at = total.min(self.received.len());
        }
        let line: Vec<u8> = self.received.drain(..at).collect();
        Some(line.trim_ascii_end().to_vec())
    }

    /// Throws away what comes until nothing has come for so long.
    ///
    /// # Errors
    /// The line is broken.
    pub async fn drain(&mut self, quiet: Duration) -> io::Result<()> {
        let end = Instant::now() + 20 * quiet;
        while Instant::now() < end && !self.line.receive(quiet).await?.is_empty() {}
        self.received.clear();
        self.lines.clear();
        Ok(())
    }
}

/// How a command ends, when this line ends it: `Err` with the line.
///
/// Source: V.250 §5.7.1; 3GPP TS 27.005 and 27.007 for `+CMS` and `+CME`; Luat's manual for `SHUT OK`, `CLOSE OK`, `NORMAL POWER DOWN`
/// and `TimeOut`; EC616S firmware for `REBOOTING`; ESP-AT's documentation for the others.
pub fn final_result(line: &str) -> Option<Result<(), &str>> {
    match line {
        "OK" | "SEND OK" | "SHUT OK" | "CLOSE OK" | "NORMAL POWER DOWN" | "REBOOTING"
        | "+MQTTPUB:OK" => Some(Ok(())),
        "ERROR" | "TimeOut" | "SEND FAIL" | "+MQTTPUB:FAIL" | "NO CARRIER" | "NO DIALTONE"
        | "NO ANSWER" | "BUSY" => Some(Err(line)),
        _ if ["+CME ERROR:", "+CMS ERROR:", "busy "]
            .iter()
            .any(|error| line.starts_with(error)) =>
        {
            Some(Err(line))
        }
        _ => None,
    }
}

/// Does the module say this of its own accord, while `typed` runs? It does when the line bears the name of another command, or
/// is a report that a model here prints and nothing that `typed` is answered with.
pub fn is_report(line: &str, typed: &str) -> bool {
    let typed = typed.to_ascii_uppercase();
    let text = line.as_bytes();
    // `+CREG: 1` is a report, and `+CREG: 0,1` the answer.
    if ["+CREG:", "+CGREG:", "+CEREG:"]
        .iter()
        .any(|name| line.starts_with(name))
    {
        let second = line.split(',').nth(1).map(str::trim);
        return second.is_none_or(|second| second.starts_with('"'));
    }
    let name = line.split(':').next().unwrap_or_default();
    if name.len() > 1 && typed.contains(&name.to_ascii_uppercase()) {
        return false;
    }
    let (mut is_own, mut is_known) = (false, false);
    for model in model::ALL {
        let first = [model.boot, model.sim_ready];
        is_known |= first
            .into_iter()
            .flatten()
            .any(|own| own.parse(text).is_some());
        for command in model.commands.iter().flat_map(|table| table.iter()) {
            let name = command.name.split('=').next().unwrap_or_default();
            // What begins with a value of its own fits many lines.
            let replies = command
                .replies
                .iter()
                .filter(|reply| begins_with_words(reply));
            if replies.into_iter().any(|reply| reply.parse(text).is_some()) {
                is_known = true;
                is_own |= typed.contains(name);
            }
        }
    }
    is_known && !is_own
}

fn begins_with_words(line: &Line) -> bool {
    matches!(line.pieces.first(), Some(Piece::Lit(text)) if text.len() > 1)
}

/// How a line ends whose model nobody knows: ESP-AT wants a line feed, which others overlook, but for those that may take it for
/// the first byte of the data that the command asks for.
pub fn line_end(typed: &str) -> &'static str {
    let asks = |model: &&'static Model| data::wanted(typed, Some(model)).is_some();
    let mut asking = model::ALL.iter().filter(asks).peekable();
    if asking.peek().is_some() && asking.all(|model| model.syntax == Syntax::V250) {
        "\r"
    } else {
        "\r\n"
    }
}

/// The lines of every model that say how many bytes they have.
fn sized_lines() -> Vec<&'static Line> {
    let tables = model::ALL.iter().flat_map(|model| model.commands.iter());
    let commands = tables.flat_map(|table| table.iter());
    let lines = commands.flat_map(|command| command.replies.iter().copied());
    let mut sized: Vec<&'static Line> = Vec::new();
    for line in lines.filter(|line| {
        line.pieces
            .iter()
            .any(|piece| matches!(piece, Piece::Sized(_)))
    }) {
        if !sized.contains(&line) {
            sized.push(line);
        }
    }
    sized
}

/// What a module says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A line.
    Line(String),
    /// `>`: data may be typed.
    Prompt,
}

/// A command, and what must come of it.
#[derive(Default)]
struct Exchange<'a> {
    line: &'a str,
    data: Option<&'a [u8]>,
    report: Option<&'a str>,
    failures: &'a [String],
    back: Option<(&'a str, &'a str)>,
}

/// What has not come yet.
struct Awaited {
    result: bool,
    report: bool,
    back: bool,
    prompt: bool,
}

impl Awaited {
    /// How it ended, when this line ends it.
    fn take(&mut self, line: &str, exchange: &Exchange<'_>) -> Option<End> {
        let is_error = matches!(final_result(line), Some(Err(_)));
        // The longer beginning decides: `+X: 0,0` is none of `+X: 0,`, and `+X: 0,128` none of `+X: 0,`.
        let reported = exchange.report.filter(|report| line.starts_with(report));
        let failures = exchange.failures.iter().map(String::as_str);
        let failed = failures.filter(|failure| line.starts_with(failure));
        let failed = failed.map(str::len).max().unwrap_or(0);
        let is_failure = failed > reported.map_or(0, str::len);
        let is_report = reported.is_some();
        if is_error || is_failure {
            return Some(End::Failed(line.into()));
        }
        // The OK of ESP-AT before its prompt is not the last word.
        self.result &= line != "OK" || self.prompt;
        self.report &= !is_report;
        self.back &= !exchange
            .back
            .is_some_and(|(prefix, text)| line.starts_with(prefix) && line.contains(text));
        (!self.result && !self.report && !self.back).then_some(End::Good)
    }
}
