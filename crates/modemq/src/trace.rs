//! What happened, as text or as JSON lines.

use crate::control::journal;
use clap::ValueEnum;
use module::{Trace, TraceKind};
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

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
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
        let (kind, text) = describe(&trace.kind);
        let line = match self.format {
            Format::Text => {
                let module = module.map(|index| format!("#{index} ")).unwrap_or_default();
                format!("{:>9} {module}{kind:<8} {text}\n", trace.at.to_string())
            }
            Format::Json => {
                let micros = trace.at.as_micros();
                let mut object =
                    serde_json::json!({ "us": micros, "kind": kind.trim(), "text": text });
                if let Some(index) = module {
                    object["module"] = index.into();
                }
                format!("{object}\n")
            }
        };
        // A trace that cannot be written must not end the module.
        let _ = self.out.write_all(line.as_bytes());
    }
}

/// Which way, and what.
pub fn describe(kind: &TraceKind) -> (&'static str, String) {
    match kind {
        TraceKind::FromHost(bytes) => ("host ->", escape(bytes)),
        TraceKind::ToHost(bytes) => ("host <-", escape(bytes)),
        TraceKind::ToBroker(text) => ("mqtt ->", text.clone()),
        TraceKind::FromBroker(text) => ("mqtt <-", text.clone()),
        TraceKind::State(text) => ("state", text.clone()),
        TraceKind::Note(text) => ("note", text.clone()),
        TraceKind::Event(event) => ("event", journal::Event::of_module(event).words()),
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
