//! Plays a transcript against a device, byte for byte.

use super::device::Device;
use super::script::{Directive, Line, Script, Step, unescape};
use super::variables::Variables;
use crate::trace::escape;
use dialect::{Model, Syntax, espressif};
use std::fmt;
use std::time::Duration;

/// How long a frame may take when the transcript says nothing.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long the end waits for something that nobody expects.
const AFTERWARDS: Duration = Duration::from_millis(300);
/// How long `@poll` waits before it asks again.
const POLL: Duration = Duration::from_millis(500);

/// A transcript that went as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// Commands sent.
    pub commands: usize,
    /// Frames compared.
    pub frames: usize,
    /// Messages that the PC's tool compared.
    pub messages: usize,
}

/// Where a transcript and the device part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The transcript.
    pub name: String,
    /// The line, counted from 1.
    pub number: usize,
    /// What should have come, escaped.
    pub expected: String,
    /// What came, escaped.
    pub got: String,
    /// The last command, and how long ago it was sent.
    pub command: Option<(String, Duration)>,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:", self.name, self.number)?;
        if let Some((command, after)) = &self.command {
            write!(f, " {:.3} s after {command}", after.as_secs_f64())?;
        }
        let width = split(&self.expected)
            .iter()
            .map(|line| line.chars().count())
            .max()
            .unwrap_or(0)
            // Longer lines stand out of their column.
            .clamp(8, 200);
        write!(f, "\n    {:width$} | got", "expected")?;
        let (expected, got) = (split(&self.expected), split(&self.got));
        for index in 0..expected.len().max(got.len()) {
            let wanted = expected.get(index).copied().unwrap_or("");
            let came = got.get(index).copied().unwrap_or("");
            let mark = if wanted == came { ' ' } else { '|' };
            write!(f, "\n  {mark} {wanted:width$} | {came}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Mismatch {}

/// What happens while a transcript is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen<'a> {
    /// The host sends a line, or data.
    Host(&'a str),
    /// The module says a line that was expected.
    Module(&'a str),
    /// The PC's tool publishes.
    ToolPublishes(&'a str, &'a [u8]),
    /// The PC's tool receives what was expected.
    ToolReceives(&'a str, &'a [u8]),
    /// The application asks the platform: its request in words.
    Application(&'a str),
    /// What was expected has happened at the platform.
    Platform(&'a str),
}

/// Plays a transcript, and tells `watch` what happens.
///
/// # Errors
/// The first place where the device does something else.
pub fn play(
    script: &Script,
    model: &Model,
    device: &mut dyn Device,
    variables: &Variables,
    watch: &mut dyn FnMut(Seen<'_>),
) -> Result<Report, Box<Mismatch>> {
    let mut player = Player {
        script,
        syntax: model.syntax,
        echoes_cr: model.defaults.echoes_cr,
        device,
        watch,
        variables: variables.clone(),
        received: Vec::new(),
        echo: true,
        within: PATIENCE,
        command: None,
        number: 0,
        report: Report {
            commands: 0,
            frames: 0,
            messages: 0,
        },
    };
    for step in &script.steps {
        player.step(step)?;
    }
    player.silence(AFTERWARDS)?;
    Ok(player.report)
}

struct Player<'a> {
    script: &'a Script,
    syntax: Syntax,
    echoes_cr: bool,
    device: &'a mut dyn Device,
    watch: &'a mut dyn FnMut(Seen<'_>),
    variables: Variables,
    received: Vec<u8>,
    echo: bool,
    within: Duration,
    command: Option<(String, Duration)>,
    number: usize,
    report: Report,
}

/// A part of what is expected.
enum Token {
    Bytes(Vec<u8>),
    /// Anything up to what follows, within the line; kept under this name.
    Any(Option<String>),
}

impl Player<'_> {
    fn step(&mut self, step: &Step) -> Result<(), Box<Mismatch>> {
        self.number = step.number;
        match &step.line {
            Line::Command(command) => {
                let command = self.fill(command);
                self.report.commands += 1;
                (self.watch)(Seen::Host(&command));
                let line = self.type_line(&command)?;
                if self.echo {
                    let echo = self.echo_of(&line);
                    self.expect(&[Token::Bytes(echo)])?;
                }
                match command.to_ascii_uppercase().as_str() {
                    "ATE0" | "ATE" => self.echo = false,
                    "ATE1" => self.echo = true,
                    _ => {}
                }
                Ok(())
            }
            Line::Frame(lines) => {
                let tokens = self.frame(lines);
                let came = self.expect(&tokens)?;
                for line in String::from_utf8_lossy(&came).trim().lines() {
                    (self.watch)(Seen::Module(line));
                }
                self.report.frames += 1;
                Ok(())
            }
            Line::Prompt => {
                let prompt = match self.syntax {
                    Syntax::V250 => ">",
                    Syntax::EspAt => "\r\n>",
                };
                self.expect(&[Token::Bytes(prompt.into())])?;
                (self.watch)(Seen::Module(">"));
                self.report.frames += 1;
                Ok(())
            }
            Line::Data(bytes) => {
                (self.watch)(Seen::Host(&escape(bytes)));
                self.send(bytes)
            }
            Line::File(name) => self.send_file(name),
            Line::Directive(directive) => self.directive(directive),
        }
    }

    fn directive(&mut self, directive: &Directive) -> Result<(), Box<Mismatch>> {
        match directive {
            Directive::Expect(bytes) => {
                self.expect(&[Token::Bytes(bytes.clone())])?;
                (self.watch)(Seen::Module(escape(bytes).trim_start_matches("\\r\\n")));
            }
            Directive::Poll(command, frame) => return self.poll(command, frame),
            Directive::Try(command) => return self.attempt(command),
            Directive::Wait(span) => self.collect(*span),
            Directive::Silence(span) => return self.silence(*span),
            Directive::Within(span) => self.within = *span,
            Directive::Echo(echo) => self.echo = *echo,
            Directive::Publish {
                topic,
                payload,
                qos,
                retain,
            } => {
                let topic = self.fill(topic);
                (self.watch)(Seen::ToolPublishes(&topic, payload));
                let result = self.device.publish(&topic, payload, *qos, *retain);
                result.map_err(|why| self.mismatch(&format!("publish {topic}"), &why))?;
            }
            Directive::ExpectPublish { topic, payload } => {
                let topic = self.fill(topic);
                let got = self.device.published(self.within);
                let expected = format!("{topic} {}", escape(payload));
                let shown = match &got {
                    Some((topic, payload)) => format!("{topic} {}", escape(payload)),
                    None => "(nothing was published)".into(),
                };
                if got.is_none_or(|(got_topic, got)| got_topic != topic || got != *payload) {
                    return Err(self.mismatch(&expected, &shown));
                }
                (self.watch)(Seen::ToolReceives(&topic, payload));
                self.report.messages += 1;
            }
            Directive::Fault(fault) => {
                let result = self.device.fault(fault);
                result.map_err(|why| self.mismatch("the fault happens", &why))?;
            }
            Directive::Heal => {
                let result = self.device.heal();
                result.map_err(|why| self.mismatch("everything is whole again", &why))?;
            }
            Directive::Rival(client_id) => {
                let client_id = self.fill(client_id);
                let result = self.device.rival(&client_id);
                result.map_err(|why| self.mismatch("another client logs in", &why))?;
            }
            Directive::Iotda(request) => {
                let words = request.to_string();
                (self.watch)(Seen::Application(&words));
                let result = self.device.iotda(request);
                result.map_err(|why| self.mismatch(&words, &why))?;
            }
            Directive::ExpectIotda(text) => self.expect_news(text)?,
            Directive::PowerOn => {
                let result = self.device.power_on();
                self.received.clear();
                result.map_err(|why| self.mismatch("the module is powered on", &why))?;
            }
        }
        Ok(())
    }

    /// Waits until this has happened at the platform; what else happens there meanwhile is not compared.
    fn expect_news(&mut self, text: &str) -> Result<(), Box<Mismatch>> {
        let mut wanted = Vec::new();
        self.tokens(text, &mut wanted);
        // Anything that stands last ends where the line does.
        wanted.push(Token::Bytes(b"\n".to_vec()));
        let end = self.device.elapsed() + self.within;
        let mut happened = Vec::new();
        loop {
            let left = end.saturating_sub(self.device.elapsed());
            let Some(news) = self.device.news(left) else {
                let got = match happened.join("\\r\\n") {
                    nothing if nothing.is_empty() => "(nothing)".into(),
                    happened => happened,
                };
                return Err(self.mismatch(&shown(&wanted), &got));
            };
            let line = format!("{news}\n");
            if let Found::Whole(len, captured) = compare(&wanted, line.as_bytes())
                && len == line.len()
            {
                self.keep(captured);
                (self.watch)(Seen::Platform(&news));
                self.report.messages += 1;
                return Ok(());
            }
            happened.push(news);
        }
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), Box<Mismatch>> {
        let result = self.device.send(bytes);
        result.map_err(|why| self.mismatch(&format!("sending {}", escape(bytes)), &why))
    }

    /// Sends a file. Its content is never shown: it may be a private key.
    fn send_file(&mut self, name: &str) -> Result<(), Box<Mismatch>> {
        let Some(bytes) = self.variables.file(name).map(<[u8]>::to_vec) else {
            return Err(self.mismatch(&format!("a file {name}"), "(there is none)"));
        };
        (self.watch)(Seen::Host(&format!("({name}, {} bytes)", bytes.len())));
        let result = self.device.send(&bytes);
        result.map_err(|why| self.mismatch(&format!("sending the file {name}"), &why))
    }

    /// Sends a command line, and returns it with its end.
    fn type_line(&mut self, command: &str) -> Result<String, Box<Mismatch>> {
        self.command = Some((command.into(), self.device.elapsed()));
        let line = format!("{command}{}", self.syntax.line_end());
        self.send(line.as_bytes())?;
        Ok(line)
    }

    /// What a module prints of a command line that it has got.
    fn echo_of(&self, line: &str) -> Vec<u8> {
        let echoed = if self.echoes_cr {
            line
        } else {
            line.trim_end_matches('\r')
        };
        echoed.into()
    }

    /// Sends a command until it is answered so.
    fn poll(&mut self, command: &str, frame: &str) -> Result<(), Box<Mismatch>> {
        let end = self.device.elapsed() + self.within;
        loop {
            (self.watch)(Seen::Host(command));
            self.report.commands += 1;
            let line = self.type_line(command)?;
            let mut wanted = if self.echo {
                self.echo_of(&line)
            } else {
                Vec::new()
            };
            for text in [frame, "OK"].into_iter().filter(|text| !text.is_empty()) {
                let text = text.to_string();
                for token in self.frame(&[text]) {
                    if let Token::Bytes(bytes) = token {
                        wanted.extend(bytes);
                    }
                }
            }
            self.collect(AFTERWARDS);
            for line in String::from_utf8_lossy(&self.received).lines().skip(1) {
                if !line.is_empty() {
                    (self.watch)(Seen::Module(line));
                }
            }
            if self.received.starts_with(&wanted) {
                self.received.drain(..wanted.len());
                self.report.frames += 2;
                return Ok(());
            }
            if self.device.elapsed() >= end {
                let got = escape(&self.received);
                return Err(self.mismatch(&escape(&wanted), &got));
            }
            self.received.clear();
            self.collect(POLL);
            self.received.clear();
        }
    }

    /// Sends a command and takes whatever answers it.
    fn attempt(&mut self, command: &str) -> Result<(), Box<Mismatch>> {
        let command = self.fill(command);
        (self.watch)(Seen::Host(&command));
        self.report.commands += 1;
        self.type_line(&command)?;
        let end = self.device.elapsed() + self.within;
        while !is_answered(&self.received) {
            let left = end.saturating_sub(self.device.elapsed());
            if left.is_zero() {
                let got = escape(&self.received);
                return Err(self.mismatch("OK or an error", &got));
            }
            let more = self.device.receive(left);
            self.received.extend_from_slice(&more);
        }
        let came = std::mem::take(&mut self.received);
        for line in String::from_utf8_lossy(&came).lines().skip(1) {
            if !line.trim().is_empty() {
                (self.watch)(Seen::Module(line));
            }
        }
        Ok(())
    }

    fn keep(&mut self, captured: Vec<(String, String)>) {
        for (name, value) in captured {
            self.variables.set(&name, &value);
        }
    }

    /// Waits until what was received begins with this, and takes it.
    fn expect(&mut self, tokens: &[Token]) -> Result<Vec<u8>, Box<Mismatch>> {
        let end = self.device.elapsed() + self.within;
        loop {
            match compare(tokens, &self.received) {
                Found::Whole(len, captured) => {
                    self.keep(captured);
                    return Ok(self.received.drain(..len).collect());
                }
                Found::Different => break,
                Found::Beginning => {}
            }
            let left = end.saturating_sub(self.device.elapsed());
            if left.is_zero() {
                break;
            }
            let more = self.device.receive(left);
            self.received.extend_from_slice(&more);
        }
        // What comes next helps whoever reads the message.
        self.collect(AFTERWARDS);
        let got = if self.received.is_empty() {
            "(nothing)".into()
        } else {
            escape(&self.received)
        };
        Err(self.mismatch(&shown(tokens), &got))
    }

    fn silence(&mut self, span: Duration) -> Result<(), Box<Mismatch>> {
        self.collect(span);
        if self.received.is_empty() {
            return Ok(());
        }
        let got = escape(&self.received);
        Err(self.mismatch("(nothing)", &got))
    }

    fn collect(&mut self, span: Duration) {
        let end = self.device.elapsed() + span;
        loop {
            let left = end.saturating_sub(self.device.elapsed());
            if left.is_zero() {
                return;
            }
            let more = self.device.receive(left);
            self.received.extend_from_slice(&more);
        }
    }

    fn frame(&self, lines: &[String]) -> Vec<Token> {
        let leads = match self.syntax {
            Syntax::V250 => true,
            Syntax::EspAt => espressif::has_lead(lines[0].as_bytes()),
        };
        let mut tokens = Vec::new();
        if leads {
            tokens.push(Token::Bytes(b"\r\n".to_vec()));
        }
        for line in lines {
            self.tokens(line, &mut tokens);
            tokens.push(Token::Bytes(b"\r\n".to_vec()));
        }
        tokens
    }

    /// A line in parts: `{name}` is filled in, `{*}` is anything, `{name:*}` is anything and kept.
    fn tokens(&self, line: &str, tokens: &mut Vec<Token>) {
        let bytes = |text: &str| Token::Bytes(unescape(text).unwrap_or_default());
        let mut rest = line;
        while let Some((open, close)) = variable(rest) {
            let name = &rest[open + 1..close];
            let token = match name.strip_suffix('*') {
                Some("") => Some(Token::Any(None)),
                Some(name) => name
                    .strip_suffix(':')
                    .map(|name| Token::Any(Some(name.into()))),
                None => self
                    .variables
                    .get(name)
                    .map(|value| Token::Bytes(value.into())),
            };
            let kept = if token.is_some() { open } else { close + 1 };
            tokens.push(bytes(&rest[..kept]));
            tokens.extend(token);
            rest = &rest[close + 1..];
        }
        tokens.push(bytes(rest));
    }

    fn fill(&self, text: &str) -> String {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((open, close)) = variable(rest) {
            match self.variables.get(&rest[open + 1..close]) {
                Some(value) => {
                    filled.push_str(&rest[..open]);
                    filled.push_str(value);
                }
                None => filled.push_str(&rest[..=close]),
            }
            rest = &rest[close + 1..];
        }
        filled + rest
    }

    fn mismatch(&self, expected: &str, got: &str) -> Box<Mismatch> {
        let now = self.device.elapsed();
        Box::new(Mismatch {
            name: self.script.name.clone(),
            number: self.number,
            expected: expected.into(),
            got: got.into(),
            command: self
                .command
                .as_ref()
                .map(|(command, at)| (command.clone(), now.saturating_sub(*at))),
        })
    }
}

/// Where the next `{word}`, `{word:*}` or `{*}` stands. Braces around anything else are themselves, so JSON is.
fn variable(text: &str) -> Option<(usize, usize)> {
    let mut at = 0;
    loop {
        let open = at + text[at..].find('{')?;
        let name_len = text[open + 1..].find(|character: char| {
            !(character.is_ascii_alphanumeric() || matches!(character, '_' | '-' | '.' | ':' | '*'))
        })?;
        let close = open + 1 + name_len;
        if name_len > 0 && text[close..].starts_with('}') {
            return Some((open, close));
        }
        at = open + 1;
    }
}

/// Whether the last line is a final result code.
fn is_answered(received: &[u8]) -> bool {
    let text = String::from_utf8_lossy(received);
    let Some(text) = text.strip_suffix("\r\n") else {
        return false;
    };
    let last = text.rsplit("\r\n").next().unwrap_or_default();
    matches!(last, "OK" | "ERROR") || last.starts_with("+CME ERROR")
}

enum Found {
    /// All of it: so many bytes, and what was kept.
    Whole(usize, Vec<(String, String)>),
    /// As far as it goes.
    Beginning,
    Different,
}

fn compare(tokens: &[Token], received: &[u8]) -> Found {
    let mut at = 0;
    let mut captured = Vec::new();
    let mut tokens = tokens.iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            Token::Bytes(wanted) => {
                let rest = &received[at..];
                if rest.len() < wanted.len() {
                    return if wanted.starts_with(rest) {
                        Found::Beginning
                    } else {
                        Found::Different
                    };
                }
                if !rest.starts_with(wanted) {
                    return Found::Different;
                }
                at += wanted.len();
            }
            Token::Any(name) => {
                let Some(Token::Bytes(next)) =
                    tokens.find(|token| !matches!(token, Token::Bytes(b) if b.is_empty()))
                else {
                    return Found::Different;
                };
                let rest = &received[at..];
                let Some(len) = rest.windows(next.len()).position(|window| window == next) else {
                    return Found::Beginning;
                };
                if rest[..len].contains(&b'\r') {
                    return Found::Different;
                }
                if let Some(name) = name {
                    captured.push((
                        name.clone(),
                        String::from_utf8_lossy(&rest[..len]).into_owned(),
                    ));
                }
                at += len + next.len();
            }
        }
    }
    Found::Whole(at, captured)
}

fn shown(tokens: &[Token]) -> String {
    tokens
        .iter()
        .map(|token| match token {
            Token::Bytes(bytes) => escape(bytes),
            Token::Any(_) => "{*}".into(),
        })
        .collect()
}

/// Lines of escaped text: each ends behind its `\r\n`.
fn split(text: &str) -> Vec<&str> {
    text.split_inclusive("\\r\\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_no_variable() {
        assert_eq!(variable("{\"a\":{\"b\":1}}"), None);
        assert_eq!(variable("{\"a\":1} {host}"), Some((8, 13)));
    }

    #[test]
    fn a_mismatch_shows_both_sides() {
        let mismatch = Mismatch {
            name: "t".into(),
            number: 7,
            expected: "\\r\\nOK\\r\\n".into(),
            got: "\\r\\nERROR\\r\\n".into(),
            command: Some(("AT+X".into(), Duration::from_millis(4))),
        };
        assert_eq!(
            mismatch.to_string(),
            "t:7: 0.004 s after AT+X\n    expected | got\n    \\r\\n     | \\r\\n\n  | OK\\r\\n   | ERROR\\r\\n"
        );
    }
}
