//! Talks to a module as a host does, line by line.

use super::lines::Step;
use crate::line::HostLine;
use crate::trace::escape;
use dialect::{Model, Syntax};
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
    model: &'static Model,
    /// What has come and is no whole line yet.
    received: Vec<u8>,
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
    /// Takes a line.
    pub fn new(line: HostLine, model: &'static Model) -> Self {
        Self {
            line,
            model,
            received: Vec::new(),
            lines: VecDeque::new(),
        }
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
        let end = match self.model.syntax {
            Syntax::V250 => "\r",
            Syntax::EspAt => "\r\n",
        };
        self.line
            .send(format!("{}{end}", exchange.line).as_bytes())
            .await?;
        let mut open = Awaited {
            result: true,
            report: exchange.report.is_some(),
            back: exchange.back.is_some(),
            prompt: exchange.data.is_some(),
        };
        let mut lines = Vec::new();
        loop {
            let line = match self.next(deadline, open.prompt).await? {
                Some(Heard::Line(line)) => line,
                Some(Heard::Prompt) => {
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
    async fn next(&mut self, deadline: Instant, prompt: bool) -> io::Result<Option<Heard>> {
        loop {
            match self.lines.pop_front() {
                Some(line) if prompt && matches!(line.as_str(), "CONNECT" | ">") => {
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
        let is_end = |byte: &u8| matches!(byte, b'\n' | b'\r');
        while let Some(at) = self.received.iter().position(is_end) {
            let line: Vec<u8> = self.received.drain(..=at).collect();
            let line = line[..at].trim_ascii();
            if !line.is_empty() {
                self.lines.push_back(escape(line));
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

/// What a module says.
enum Heard {
    /// A line.
    Line(String),
    /// `>`, or the `CONNECT` of a file transfer: data may be typed.
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
        let is_error = line == "ERROR"
            || line == "TimeOut"
            || line.starts_with("+CME ERROR:")
            || line.starts_with("+CMS ERROR:");
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
