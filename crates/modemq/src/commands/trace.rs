//! `modemq trace`: read a trace again, as text or as a picture.

use super::Error;
use crate::chart;
use crate::output;
use crate::record;
use crate::trace::Line;
use clap::Args as ClapArgs;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Read a trace again: as text, or as a picture of who said what
#[derive(ClapArgs, Debug)]
#[command(after_help = "Examples:
  modemq module air780ep --trace json --log FILE
      writes one
  modemq trace FILE --svg > conversation.svg
      a sequence chart of host, module and broker, for any browser
  modemq trace FILE --from 3.7 --to 12
      what was said from second 3.7 to second 12")]
pub struct Args {
    /// Written by --trace json --log FILE, or by --record FILE; - is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Draw a sequence chart to standard output (SVG)
    #[arg(long)]
    svg: bool,

    /// Leave out what was before this, in seconds as the trace tells them
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    from: Option<u64>,

    /// Leave out what was after this, in seconds as the trace tells them
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    to: Option<u64>,

    /// Only this one of several modules
    #[arg(long, value_name = "N")]
    module: Option<usize>,

    /// How many lines a chart has; it says what it leaves out
    #[arg(long, value_name = "N", default_value_t = 500, requires = "svg", value_parser = clap::value_parser!(u32).range(1..=20_000))]
    limit: u32,
}

/// Prints or draws.
///
/// # Errors
/// The file cannot be read, or a line of it is none of a trace.
pub fn run(args: &Args) -> Result<ExitCode, Error> {
    let mut chosen = Chosen::default();
    let mut out = output::stdout();
    let result = read(&args.file, &mut |line| {
        if args.includes(&line) {
            if args.svg {
                chosen.add(line, args.limit as usize);
            } else {
                writeln!(out, "{line}")?;
            }
        }
        Ok(())
    });
    match result {
        Err(Failure::Out(error)) => return Err(error.into()),
        result => result?,
    }
    if args.svg {
        let modules: Vec<_> = chosen.modules.iter().map(|n| format!("#{n}")).collect();
        if modules.len() > 1 {
            let modules = modules.join(", ");
            return Err(format!(
                "the trace is of several modules, {modules}: choose with --module"
            )
            .into());
        }
        let name = match modules.first() {
            Some(module) => format!("module {module}"),
            None => "module".into(),
        };
        let left_out = chosen.left_out();
        if let Some(left_out) = &left_out {
            eprintln!("modemq: {left_out}");
        }
        let svg = chart::svg(&chosen.lines, &name, left_out.as_deref());
        out.write_all(svg.as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}

impl Args {
    fn includes(&self, line: &Line) -> bool {
        self.from.is_none_or(|from| line.micros >= from)
            && self.to.is_none_or(|to| line.micros <= to)
            && (self.module.is_none() || self.module == line.module)
    }
}

/// What a chart shows.
#[derive(Default)]
struct Chosen {
    lines: Vec<Line>,
    modules: BTreeSet<usize>,
    /// How many lines there were no room for, and when the first of them was.
    beyond: usize,
    first: u64,
}

impl Chosen {
    fn add(&mut self, line: Line, limit: usize) {
        self.modules.extend(line.module);
        if self.lines.len() < limit {
            self.lines.push(line);
            return;
        }
        if self.beyond == 0 {
            self.first = line.micros;
        }
        self.beyond += 1;
    }

    fn left_out(&self) -> Option<String> {
        let (seconds, micros) = (self.first / 1_000_000, self.first % 1_000_000);
        (self.beyond > 0).then(|| {
            format!(
                "{} more lines are left out: --from {seconds}.{micros:06} draws them, --limit draws more at once",
                self.beyond
            )
        })
    }
}

enum Failure {
    Out(io::Error),
    Trace(String),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Out(error)
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Out(error) => error.into(),
            Failure::Trace(text) => text.into(),
        }
    }
}

/// Reads a trace line by line, so that its length does not matter.
fn read(path: &Path, on: &mut dyn FnMut(Line) -> io::Result<()>) -> Result<(), Failure> {
    let name = path.display();
    let fail = |error: io::Error| Failure::Trace(format!("{name}: {error}"));
    let file: Box<dyn BufRead> = if path.as_os_str() == "-" {
        Box::new(io::stdin().lock())
    } else {
        Box::new(BufReader::new(File::open(path).map_err(fail)?))
    };
    let mut is_recording = false;
    for (index, line) in file.split(b'\n').enumerate() {
        let line = line.map_err(fail)?;
        let number = index + 1;
        let line = str::from_utf8(&line).map_err(|_| "no line of a trace: it is no UTF-8".into());
        let line = line.and_then(|line| {
            is_recording |= index == 0 && record::is_recording(line);
            if is_recording {
                Line::from_recording(line)
            } else {
                Line::from_json(line).map(Some)
            }
        });
        let line = line.map_err(|why: String| {
            let hint = if index == 0 {
                "; `modemq module … --trace json --log FILE` writes a trace"
            } else {
                ""
            };
            Failure::Trace(format!("{name}, line {number}: {why}{hint}"))
        })?;
        if let Some(line) = line {
            on(line)?;
        }
    }
    Ok(())
}

/// Seconds with up to six decimals, in microseconds.
fn parse_seconds(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is no number of seconds, such as 12 or 3.75");
    let (seconds, decimals) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(seconds) || !digits(decimals) || decimals.len() > 6 {
        return Err(wrong());
    }
    let seconds: u64 = seconds.parse().map_err(|_| wrong())?;
    let micros: u64 = format!("{decimals:0<6}").parse().map_err(|_| wrong())?;
    let total = seconds
        .checked_mul(1_000_000)
        .and_then(|own| own.checked_add(micros));
    total.ok_or_else(wrong)
}
