//! `modemq at`: one command line, and what the module says to it.

use super::module::parse_model;
use crate::conversation::{self, Heard, Modem};
use crate::data::{self, Wanted};
use crate::line::HostLine;
use crate::output;
use crate::stdin;
use crate::trace::escape;
use clap::Args as ClapArgs;
use dialect::{Family, Model, command, model, reply};
use serde_json::json;
use std::process::ExitCode;
use std::time::Duration;
use tokio::time::Instant;

/// Type one command line at a module and print its answer
#[derive(ClapArgs, Debug)]
#[command(after_help = "Examples:
  modemq at /dev/ttyUSB2 AT+CSQ
  modemq at tcp:127.0.0.1:7000 'AT+CREG?' --json
  modemq at /dev/ttyUSB2 'AT+QMTPUB=0,1,1,0,\"a/b\",5' --data-text hello
  modemq at /dev/ttyUSB2 'AT+QFUPL=\"UFS:ca.pem\",1212' --data ca.pem

A command that takes data after a prompt is typed with its data only: a module that is left waiting takes the next command for a
message. What the module reports meanwhile goes to standard error.

The exit status is 0 for OK, 1 for an error, 2 for a mistake on the command line, 3 when the module asked for data that was not
given, 27 when no answer comes in time.")]
pub struct Args {
    /// A device, or tcp:HOST:PORT
    #[arg(value_name = "PORT")]
    port: String,

    /// The command line
    #[arg(value_name = "COMMAND")]
    command: String,

    /// Which model it is; `modemq models` lists them [default: any]
    #[arg(short, long, value_parser = parse_model)]
    model: Option<&'static Model>,

    /// Bits per second [default: the model's]
    #[arg(long, value_name = "RATE")]
    baud: Option<u32>,

    /// What is typed after the prompt: a file's bytes; - is standard input
    #[arg(long, value_name = "FILE", group = "what")]
    data: Option<String>,

    /// What is typed after the prompt: this
    #[arg(long, value_name = "TEXT", group = "what")]
    data_text: Option<String>,

    /// How long the answer may take, in seconds
    #[arg(short, long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,

    /// Print a JSON object, errors too
    #[arg(long)]
    json: bool,

    /// Show what passes over the line on standard error, with times and without passwords and keys
    #[arg(short, long)]
    debug: bool,
}

/// How long after `OK` a prompt may come.
const PROMPT: Duration = Duration::from_secs(2);
/// The same when nobody knows that there is one.
const PERHAPS: Duration = Duration::from_millis(150);
/// How long a module takes to say that it has given up, or has got its data.
const END: Duration = Duration::from_secs(2);
/// Nothing is typed for so long before and after `+++`. Source: BG96 FILE: 1 s.
const GUARD: Duration = Duration::from_secs(1);

/// How it ended.
#[derive(Debug, PartialEq, Eq)]
enum Ended {
    Good(String),
    Refused(String),
    TimedOut,
    /// The module wanted data, and was told with this that there is none; what it answered.
    NoData(&'static str, Option<String>),
}

/// Types it, and waits for its final result.
///
/// # Errors
/// The port cannot be used, or the line cannot be typed.
pub async fn run(args: Args) -> Result<ExitCode, super::Error> {
    let result = async {
        let data = data_of(&args).await?;
        Dialogue::open(&args).await?.run(data).await
    };
    match result.await {
        Ok(heard) => tell(&args, &heard),
        Err(error) if args.json && !output::is_closed(&*error) => {
            let object = json!({ "command": args.command, "error": error.to_string() });
            output::print(&format!("{object}\n"))?;
            Ok(ExitCode::FAILURE)
        }
        Err(error) => Err(error),
    }
}

/// What is to follow the prompt; `None` when there is none.
async fn data_of(args: &Args) -> Result<Option<Vec<u8>>, super::Error> {
    let line = &args.command;
    if line.bytes().any(|byte| byte < b' ') {
        return Err("a command line has no line end and no control characters".into());
    }
    let data = match (&args.data, &args.data_text) {
        (Some(name), _) if name == "-" => Some(stdin::all().await?),
        (Some(name), _) => Some(std::fs::read(name).map_err(|error| format!("{name}: {error}"))?),
        (None, text) => text.as_ref().map(|text| text.clone().into_bytes()),
    };
    let command = line.split('=').next().unwrap_or(line);
    match (data::wanted(line, args.model), &data) {
        (Some(Wanted::Stream), _) => {
            Err(format!("after {command} everything that is typed goes to the peer: that wants a terminal, such as picocom").into())
        }
        (Some(wanted), None) => {
            let what = match wanted {
                Wanted::Bytes(len) => format!("{len} bytes"),
                _ => "data".into(),
            };
            let other = if args.model.is_none() { "; if this model does not, name it with -m" } else { "" };
            Err(format!("{command} waits for {what} after its prompt: give it with --data FILE or --data-text TEXT{other}").into())
        }
        (Some(Wanted::Bytes(len)), Some(data)) if data.len() != len => {
            Err(format!("{command} announces {len} bytes, and the data has {}", data.len()).into())
        }
        (Some(Wanted::CtrlZ), Some(data)) if data.iter().any(|byte| matches!(byte, 0x1a | 0x1b)) => {
            Err("data that ends at Ctrl-Z can hold neither Ctrl-Z (0x1A) nor ESC (0x1B)".into())
        }
        _ => Ok(data),
    }
}

struct Dialogue<'a> {
    args: &'a Args,
    modem: Modem,
    lines: Vec<String>,
    reports: Vec<String>,
}

impl<'a> Dialogue<'a> {
    async fn open(args: &'a Args) -> Result<Self, super::Error> {
        let baud = args.baud.or(args.model.map(|model| model.defaults.baud));
        let mut line = HostLine::open(&args.port, baud.unwrap_or(115_200)).await?;
        if args.debug {
            line.tap();
        }
        // Reports of an hour ago answer nothing.
        line.discard_input()?;
        let end = args.model.map_or_else(
            || conversation::line_end(&args.command),
            |model| model.syntax.line_end(),
        );
        let mut modem = Modem::new(line, args.model.unwrap_or(&model::ALL[0]));
        modem.end_lines_with(end);
        Ok(Self {
            args,
            modem,
            lines: Vec::new(),
            reports: Vec::new(),
        })
    }

    async fn run(mut self, data: Option<Vec<u8>>) -> Result<Answer, super::Error> {
        let command = &self.args.command;
        self.modem.type_line(command).await?;
        let wanted = data::wanted(command, self.args.model);
        let known = is_known(command, self.args.model);
        let patience = Duration::from_secs(self.args.timeout);
        let mut deadline = Instant::now() + patience;
        // OK has come, and a prompt may follow.
        let mut good = false;
        let ended = loop {
            let prompt = match self.modem.next(deadline, true).await? {
                None if good => break Ended::Good("OK".into()),
                None => break Ended::TimedOut,
                Some(Heard::Prompt) => true,
                Some(Heard::Line(line)) if line == "CONNECT" && self.is_file() => false,
                Some(Heard::Line(line)) => {
                    match conversation::final_result(&line) {
                        Some(Ok(())) if wanted.is_some() || !known => {
                            good = true;
                            let wait = if wanted.is_some() { PROMPT } else { PERHAPS };
                            deadline = deadline.min(Instant::now() + wait);
                        }
                        Some(Ok(())) => break Ended::Good(line),
                        Some(Err(_)) => break Ended::Refused(line),
                        None => self.take(line)?,
                    }
                    continue;
                }
            };
            break match &data {
                Some(data) => self.give(data, wanted, patience).await?,
                None => self.give_up(prompt).await?,
            };
        };
        Ok(Answer {
            lines: self.lines,
            reports: self.reports,
            ended,
        })
    }

    /// `CONNECT` asks for a file's bytes. Elsewhere it reports a connection.
    fn is_file(&self) -> bool {
        self.args.command.to_ascii_uppercase().starts_with("AT+Q")
    }

    /// A line that is no final result.
    fn take(&mut self, line: String) -> Result<(), super::Error> {
        if line == escape(self.args.command.as_bytes()) {
            return Ok(());
        }
        if conversation::is_report(&line, &self.args.command) {
            if !self.args.json {
                eprintln!("reported meanwhile: {line}");
            }
            self.reports.push(line);
            return Ok(());
        }
        if !self.args.json {
            output::print(&format!("{line}\n"))?;
        }
        self.lines.push(line);
        Ok(())
    }

    /// Types the data, and waits for what becomes of it.
    async fn give(
        &mut self,
        data: &[u8],
        wanted: Option<Wanted>,
        patience: Duration,
    ) -> Result<Ended, super::Error> {
        self.modem.type_data(data).await?;
        match wanted {
            Some(Wanted::CtrlZ) => self.modem.press(b"\x1a").await?,
            Some(_) => {}
            // Who counts has enough, and answers; who does not is told.
            None => {
                if let Some(ended) = self.end(END.min(patience)).await? {
                    return Ok(ended);
                }
                self.modem.press(b"\x1a").await?;
            }
        }
        let ended = self.end(patience).await?;
        Ok(ended.unwrap_or(Ended::TimedOut))
    }

    /// Tells the module that there is no data.
    async fn give_up(&mut self, prompt: bool) -> Result<Ended, super::Error> {
        let how = if prompt {
            // Source: 3GPP TS 27.005 §3.5.1; Quectel's and EigenComm's manuals.
            self.modem.press(b"\x1b").await?;
            "ESC"
        } else {
            // Source: BG96 FILE.
            tokio::time::sleep(GUARD).await;
            self.modem.press(b"+++").await?;
            "+++"
        };
        let said = match self.end(GUARD + END).await? {
            Some(Ended::Good(line) | Ended::Refused(line)) => Some(line),
            _ => None,
        };
        Ok(Ended::NoData(how, said))
    }

    /// The final result after data.
    async fn end(&mut self, patience: Duration) -> Result<Option<Ended>, super::Error> {
        let deadline = Instant::now() + patience;
        while let Some(heard) = self.modem.next(deadline, false).await? {
            let Heard::Line(line) = heard else { continue };
            match conversation::final_result(&line) {
                Some(Ok(())) => return Ok(Some(Ended::Good(line))),
                Some(Err(_)) => return Ok(Some(Ended::Refused(line))),
                None => self.take(line)?,
            }
        }
        Ok(None)
    }
}

/// What was heard.
struct Answer {
    lines: Vec<String>,
    reports: Vec<String>,
    ended: Ended,
}

fn tell(args: &Args, heard: &Answer) -> Result<ExitCode, super::Error> {
    let (result, status) = match &heard.ended {
        Ended::Good(line) => (line.clone(), 0),
        Ended::Refused(line) => (line.clone(), 1),
        Ended::TimedOut => ("no final result in time".into(), 27),
        Ended::NoData(how, Some(said)) => {
            let result = format!(
                "the module asked for data, was told with {how} that there is none, and answered {said}; see --data"
            );
            (result, 3)
        }
        Ended::NoData(how, None) => {
            let result = format!(
                "the module asked for data and still waits for it: {how} did not end it. What is typed next becomes part of it"
            );
            (result, 3)
        }
    };
    let code = match &heard.ended {
        Ended::Refused(line) => line
            .strip_prefix("+CME ERROR:")
            .and_then(|code| code.trim().parse::<u16>().ok()),
        _ => None,
    };
    let meaning = code.and_then(|code| meaning(args.model, code));
    if args.json {
        let object = json!({
            "command": args.command,
            "lines": heard.lines,
            "reports": heard.reports,
            "result": result,
            "code": code,
            "meaning": meaning,
        });
        output::print(&format!("{object}\n"))?;
    } else {
        match meaning {
            Some(meaning) => output::print(&format!("{result} ({meaning})\n"))?,
            None => output::print(&format!("{result}\n"))?,
        }
        if heard.ended == Ended::TimedOut && heard.lines.is_empty() && heard.reports.is_empty() {
            eprintln!(
                "modemq at: nothing was heard. Is it powered, is this its AT port, is its rate right (`modemq identify` tries \
                 others)? One that looks for its host's rate uses the first line up: try again."
            );
        }
    }
    Ok(ExitCode::from(status))
}

/// Of a model that nobody named: what all say that know the code.
fn meaning(model: Option<&'static Model>, code: u16) -> Option<&'static str> {
    if let Some(model) = model {
        return reply::meaning(model.cme, code);
    }
    let cellular = model::ALL
        .iter()
        .filter(|model| model.family != Family::Espressif);
    let mut meanings = cellular.filter_map(|model| reply::meaning(model.cme, code));
    let first = meanings.next()?;
    meanings.all(|other| other == first).then_some(first)
}

/// Does anybody know what the command does, and so that it takes no data?
fn is_known(line: &str, model: Option<&'static Model>) -> bool {
    let name = line.get(2..).unwrap_or_default();
    let end = name.find(['=', '?', ';']).unwrap_or(name.len());
    let basic = !name.starts_with(['+', '*', '^', '$', '#', '%', '&']);
    let all = model::ALL.iter();
    basic
        || name.ends_with('?')
        || all
            .filter(|own| model.is_none_or(|model| model.name == own.name))
            .any(|model| command::find(model.commands, &name.as_bytes()[..end]).is_some())
}
