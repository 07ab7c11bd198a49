//! What passes over a host's line, on standard error with the time: `--debug`. Passwords and keys are not shown.

use crate::clock::Clock;
use crate::trace::escape;
use dialect::wire::{Escapes, closing_quote};
use dialect::{Model, command, model};

/// Of one line so much is shown.
const SHOWN: usize = 400;

/// Words of the manuals for what nobody else may know.
const SECRET: &[&str] = &["pass", "pwd", "secret", "key", "psk"];

/// Shows both directions, line by line.
#[derive(Debug)]
pub struct Tap {
    clock: Clock,
    /// What was heard of a line that has not ended.
    heard: Vec<u8>,
    /// The name of the command that was typed last.
    command: String,
    /// Data that was not shown. The module may echo it.
    hidden: Vec<u8>,
}

impl Tap {
    /// A tap whose times begin now.
    pub fn new() -> Self {
        Self {
            clock: Clock::start(),
            heard: Vec::new(),
            command: String::new(),
            hidden: Vec::new(),
        }
    }

    /// The host types.
    pub fn typed(&mut self, bytes: &[u8]) {
        self.end_of_heard();
        let line = bytes.trim_ascii_end();
        if is_command(line) {
            self.command = command_name(line);
            self.hidden.clear();
            self.show('>', &masked(line));
        } else if ["PUB", "SEND"]
            .iter()
            .any(|verb| self.command.contains(verb))
        {
            self.show('>', &cut(&escape(bytes)));
        } else {
            self.show('>', &format!("<{} bytes>", bytes.len()));
            self.hidden.extend_from_slice(bytes);
        }
    }

    /// The module says something.
    pub fn heard(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            match byte {
                b'\r' | b'\n' => self.end_of_heard(),
                byte => self.heard.push(byte),
            }
        }
        // A prompt has no end.
        if self.heard.trim_ascii() == b">" || self.heard.len() > 64 * 1024 {
            self.end_of_heard();
        }
    }

    fn end_of_heard(&mut self) {
        let line = std::mem::take(&mut self.heard);
        let line = line.trim_ascii();
        if line.is_empty() {
            return;
        }
        let is_hidden = line.len() > 2 && memchr_in(&self.hidden, line);
        let text = if is_hidden {
            format!("<{} bytes>", line.len())
        } else if is_command(line) {
            masked(line)
        } else {
            cut(&escape(line))
        };
        self.show('<', &text);
    }

    fn show(&self, direction: char, text: &str) {
        eprintln!("{:>9} {direction} {text}", self.clock.now().to_string());
    }
}

impl Default for Tap {
    fn default() -> Self {
        Self::new()
    }
}

fn memchr_in(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|part| part == needle)
}

fn is_command(line: &[u8]) -> bool {
    line.get(..2)
        .is_some_and(|at| at.eq_ignore_ascii_case(b"AT"))
}

/// `+QFUPL` of `AT+QFUPL="UFS:ca",1200`.
fn command_name(line: &[u8]) -> String {
    let name = line[2..].split(|byte| matches!(byte, b'=' | b'?' | b';'));
    String::from_utf8_lossy(name.into_iter().next().unwrap_or_default()).to_ascii_uppercase()
}

/// A command line as it may be shown.
fn masked(line: &[u8]) -> String {
    let mut shown = line.to_vec();
    for own in model::ALL {
        for range in secrets(own, line) {
            shown[range].fill(b'*');
        }
    }
    // So many stars as there were letters would tell of the password.
    let mut text: Vec<u8> = Vec::new();
    for (at, &byte) in shown.iter().enumerate() {
        let is_hidden = byte == b'*' && line[at] != b'*';
        if !(is_hidden && text.ends_with(b"***")) {
            text.extend_from_slice(if is_hidden {
                b"***"
            } else {
                std::slice::from_ref(&byte)
            });
        }
    }
    cut(&escape(&text))
}

/// Where a secret stands in a line that a model understands.
fn secrets(model: &Model, line: &[u8]) -> Vec<std::ops::Range<usize>> {
    let mut bytes = line[2..].to_vec();
    let start = bytes.as_ptr() as usize;
    let Ok((statement, _)) = command::parse(model.syntax, model.commands, &mut bytes) else {
        return Vec::new();
    };
    let values = statement.values.as_slice().iter();
    let named = statement.params.iter().zip(values);
    let secret = named.filter(|(param, value)| {
        let name = param.name.to_ascii_lowercase();
        let is_secret = name.ends_with("pin") || SECRET.iter().any(|word| name.contains(word));
        !value.text().is_empty() && is_secret
    });
    secret
        .map(|(_, value)| {
            let from = 2 + (value.text().as_ptr() as usize) - start;
            let rest = &line[from..];
            // What is written with escapes is longer than it was.
            let end = if line[from - 1] == b'"' {
                closing_quote(rest, Escapes::Backslash)
            } else {
                rest.iter().position(|byte| *byte == b',')
            };
            from..end.map_or(line.len(), |end| from + end)
        })
        .collect()
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{} … and {} bytes more", &text[..at], text.len() - at),
        None => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_shown() {
        for (line, shown) in [
            (r#"AT+CPIN="4711""#, r#"AT+CPIN="***""#),
            (
                r#"AT+MCONFIG="id","user","hunter2""#,
                r#"AT+MCONFIG="id","user","***""#,
            ),
            (
                r#"AT+QMTCONN=0,"id","user","hunter2""#,
                r#"AT+QMTCONN=0,"id","user","***""#,
            ),
            (r#"AT+CWJAP="home","a\,b\"c""#, r#"AT+CWJAP="home","***""#),
            (
                r#"AT+MQTTUSERCFG=0,1,"id","user","hunter2",0,0,"""#,
                r#"AT+MQTTUSERCFG=0,1,"id","user","***",0,0,"""#,
            ),
            (
                r#"AT+ECMTCONN=0,"id","user","hunter2""#,
                r#"AT+ECMTCONN=0,"id","user","***""#,
            ),
            (
                r#"AT+MPUB="t",1,0,"hunter2""#,
                r#"AT+MPUB="t",1,0,"hunter2""#,
            ),
            ("AT+CSQ", "AT+CSQ"),
        ] {
            assert_eq!(masked(line.as_bytes()), shown.replace('\\', "\\\\"));
        }
    }
}
