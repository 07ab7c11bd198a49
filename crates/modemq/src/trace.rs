//! What happened, as text or as JSON lines.

use crate::control::journal;
use clap::ValueEnum;
use instant::Instant;
use module::{Trace, TraceKind};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io::{self, Write};

/// How a trace is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For programs: one JSON object a line.
    Json,
}

/// Writes a trace.
pub struct Writer {
    format: Format,
    out: Box<dyn Write>,
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer")
            .field("format", &self.format)
            .finish_non_exhaustive()
    }
}

impl Writer {
    /// To a file, or to standard error.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn open(format: Format, file: Option<&std::path::Path>) -> io::Result<Self> {
        let out: Box<dyn Write> = match file {
            Some(path) => Box::new(std::fs::File::create(path).map_err(|error| {
                io::Error::new(error.kind(), format!("{}: {error}", path.display()))
            })?),
            None => Box::new(io::stderr()),
        };
        Ok(Self { format, out })
    }

    /// Writes one line. `module` names which of several it is.
    pub fn write(&mut self, module: Option<usize>, trace: &Trace) {
        if matches!(trace.kind, TraceKind::Event(_)) {
            // Other lines tell of it.
            return;
        }
        let line = Line::new(module, trace);
        let line = match self.format {
            Format::Text => format!("{line}\n"),
            Format::Json => format!("{}\n", serde_json::json!(line)),
        };
        // A trace that cannot be written must not end the module.
        let _ = self.out.write_all(line.as_bytes());
    }
}

/// One line of a trace. Displayed, it is for people; with serde, it is the JSON object for programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(expecting = "an object with us, kind and text")]
pub struct Line {
    /// When: microseconds since the program's start.
    #[serde(rename = "us")]
    pub micros: u64,
    /// Which way.
    pub kind: Kind,
    /// What; bytes as [`escape`] shows them.
    pub text: String,
    /// Which of several modules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module: Option<usize>,
}

/// Which way something went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// From the host to the module.
    #[serde(rename = "host ->")]
    FromHost,
    /// From the module to the host.
    #[serde(rename = "host <-")]
    ToHost,
    /// From the module to the broker.
    #[serde(rename = "mqtt ->")]
    ToBroker,
    /// From the broker to the module.
    #[serde(rename = "mqtt <-")]
    FromBroker,
    /// Nowhere: a change of state.
    #[serde(rename = "state")]
    State,
    /// Nowhere: what there is to know.
    #[serde(rename = "note")]
    Note,
    /// Nowhere: what a program can wait for. Other lines tell people of it.
    #[serde(rename = "event")]
    Event,
}

impl Kind {
    /// In a word or two.
    pub fn name(self) -> &'static str {
        match self {
            Self::FromHost => "host ->",
            Self::ToHost => "host <-",
            Self::ToBroker => "mqtt ->",
            Self::FromBroker => "mqtt <-",
            Self::State => "state",
            Self::Note => "note",
            Self::Event => "event",
        }
    }
}

impl Line {
    /// What a module tells; `module` names which of several it is.
    pub fn new(module: Option<usize>, trace: &Trace) -> Self {
        let (kind, text) = match &trace.kind {
            TraceKind::FromHost(bytes) => (Kind::FromHost, escape(bytes)),
            TraceKind::ToHost(bytes) => (Kind::ToHost, escape(bytes)),
            TraceKind::ToBroker(text) => (Kind::ToBroker, text.clone()),
            TraceKind::FromBroker(text) => (Kind::FromBroker, text.clone()),
            TraceKind::State(text) => (Kind::State, text.clone()),
            TraceKind::Note(text) => (Kind::Note, text.clone()),
            TraceKind::Event(event) => (Kind::Event, journal::Event::of_module(event).words()),
        };
        Self {
            micros: trace.at.as_micros(),
            kind,
            text,
            module,
        }
    }

    /// Reads what [`Format::Json`] writes.
    ///
    /// # Errors
    /// It is something else; a sentence.
    pub fn from_json(line: &str) -> Result<Self, String> {
        serde_json::from_str(line).map_err(|error| complaint(&error))
    }

    /// Reads what a line of a recording tells of the trace; `None`: nothing.
    ///
    /// # Errors
    /// It is something else; a sentence.
    pub fn from_recording(line: &str) -> Result<Option<Self>, String> {
        let parsed = serde_json::from_str(line);
        let mut value: serde_json::Value = parsed.map_err(|error| complaint(&error))?;
        if value["out"] != "trace" {
            return Ok(None);
        }
        value["us"] = value["at"].take();
        let line: Self = serde_json::from_value(value).map_err(|error| complaint(&error))?;
        Ok(Some(line).filter(|line| line.kind != Kind::Event))
    }

    /// The text without anything that a terminal or a drawing would take for more than text.
    pub fn printable(&self) -> String {
        let mut text = String::with_capacity(self.text.len());
        for character in self.text.chars() {
            match character {
                '\u{fffe}' | '\u{ffff}' => text.push('\u{fffd}'),
                control if control.is_control() => {
                    text.push_str(&format!("\\x{:02x}", control as u32));
                }
                other => text.push(other),
            }
        }
        text
    }
}

/// Why a line cannot be read.
fn complaint(error: &serde_json::Error) -> String {
    if error.is_eof() {
        return "the line is cut off".into();
    }
    let what = error.to_string();
    // Behind it stands where, with a line number that is always 1.
    let what = what.split(" at line ").next().unwrap_or(&what);
    format!("no line of a trace: {what}")
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = Instant::from_micros(self.micros).to_string();
        write!(f, "{at:>9} ")?;
        if let Some(index) = self.module {
            write!(f, "#{index} ")?;
        }
        write!(f, "{:<8} {}", self.kind.name(), self.printable())
    }
}

/// Bytes as text, with what is not printable escaped.
pub fn escape(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\r' => text.push_str("\\r"),
                '\n' => text.push_str("\\n"),
                '\\' => text.push_str("\\\\"),
                control if control.is_control() => {
                    text.push_str(&format!("\\x{:02x}", control as u32));
                }
                other => text.push(other),
            }
        }
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}
