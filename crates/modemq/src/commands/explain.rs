//! `modemq explain`: what a line means to a model, from its command items.

use super::Error;
use super::module::parse_model;
use crate::output;
use crate::reference::pattern;
use crate::trace::escape;
use clap::Args as ClapArgs;
use dialect::command::{self, Form};
use dialect::model::Bearer;
use dialect::{Line, Model, ParseError, Piece, Statement, Syntax, Value, basic, espressif};
use instant::Instant;
use module::{Config, Module, Output, Pace, Trace, TraceKind};
use std::process::ExitCode;
use std::time::Duration;

/// Say what a command line or a reply means to a model, what is wrong with it, and what the module answers
#[derive(ClapArgs, Debug)]
#[command(after_help = "Examples:
  modemq explain 'AT+QMTOPEN=0,\"tcp\",\"h\",1883' --model bc26
  modemq explain '+QMTSTAT: 0,1'
  modemq explain 'ERR CODE:0x010a6044'
The exit status is 1 when no model that was asked for knows the line, or its form is refused.")]
pub struct Args {
    /// A command line, or a line that the module printed
    line: String,

    /// Whose; without it, of every model that knows the line
    #[arg(long, value_parser = parse_model)]
    model: Option<&'static Model>,
}

/// How well a model knows a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Known {
    NotAtAll,
    Refused,
    Well,
}

/// Explains.
///
/// # Errors
/// None: what cannot be explained is said.
pub fn run(args: &Args) -> Result<ExitCode, Error> {
    let text = args.line.trim();
    let is_command = text
        .get(..2)
        .is_some_and(|start| start.eq_ignore_ascii_case("AT"));
    let explain = |model| {
        if is_command {
            explain_command(model, text)
        } else {
            explain_reply(model, text)
        }
    };
    let (known, words) = match args.model {
        Some(model) => explain(model),
        None => all_models(explain),
    };
    output::print(&words)?;
    Ok(match known {
        Known::Well => ExitCode::SUCCESS,
        Known::Refused | Known::NotAtAll => ExitCode::FAILURE,
    })
}

/// What those models say that know the line best; what several say alike is said once.
fn all_models(explain: impl Fn(&'static Model) -> (Known, String)) -> (Known, String) {
    let mut best = Known::NotAtAll;
    let mut said: Vec<(Vec<&str>, String)> = Vec::new();
    for model in dialect::model::ALL {
        let (known, words) = explain(model);
        if known > best {
            best = known;
            said.clear();
        }
        if known < best || known == Known::NotAtAll {
            continue;
        }
        match said.iter_mut().find(|(_, other)| *other == words) {
            Some((titles, _)) => titles.push(model.title),
            None => said.push((vec![model.title], words)),
        }
    }
    if said.is_empty() {
        return (Known::NotAtAll, "no model knows such a line\n".into());
    }
    let parts: Vec<_> = said
        .iter()
        .map(|(titles, words)| format!("{}:\n{words}", titles.join(", ")))
        .collect();
    (best, parts.join("\n"))
}

fn explain_command(model: &'static Model, line: &str) -> (Known, String) {
    let mut words = String::new();
    let (mut known, mut refusal) = (Known::Well, None);
    let mut bytes = line.as_bytes()[2..].to_vec();
    let mut rest = &mut bytes[..];
    if rest.is_empty() {
        words.push_str("AT: are you there?\n");
    }
    while !rest.is_empty() {
        let mut before = rest.to_vec();
        match command::parse(model.syntax, model.commands, rest) {
            Ok((statement, after)) => {
                words.push_str(&explain_statement(&statement));
                rest = after;
            }
            Err(error) => {
                words.push_str(&format!("refused: {error}\n"));
                known = Known::NotAtAll;
                if let Some(command) = error.command {
                    known = Known::Refused;
                    words.push_str(&format!(
                        "  AT{}: {}\n  source: {}\n",
                        command.0.name, command.0.title, command.0.source
                    ));
                }
                if let Ok((statement, _)) =
                    command::parse(model.syntax, model.as_written, &mut before)
                {
                    known = Known::Refused;
                    words.push_str(&format!(
                        "  a line of the fourth tutorial; the form that works: {}\n",
                        statement.command.title
                    ));
                }
                refusal = Some(error);
                break;
            }
        }
    }
    words.push_str(&answer(model, line, refusal.as_ref()));
    (known, words)
}

/// What a module says that has just come up and has no connection: it is asked.
fn answer(model: &'static Model, line: &str, refusal: Option<&ParseError>) -> String {
    let config = Config {
        pace: Pace::Fast,
        trace: true,
        ..Config::default()
    };
    let mut now = Instant::ZERO;
    let mut module = Module::new(now, model, config);
    let mut said = Vec::new();
    let (mut then, mut notes) = (String::new(), Vec::new());
    let mut drain = |module: &mut Module, said: &mut Vec<u8>| {
        while let Some(output) = module.poll_output() {
            match output {
                Output::Serial(bytes) => said.extend(bytes),
                Output::Open { host, port, .. } => {
                    then = format!(", and opens a connection to {host}:{port}");
                }
                Output::Resolve { host, .. } => then = format!(", and looks {host} up"),
                Output::Trace(Trace {
                    kind: TraceKind::Note(note),
                    ..
                }) if refusal.is_none() => notes.push(note),
                _ => {}
            }
        }
    };
    let mut lines = vec!["ATE0"];
    if model.bearer == Bearer::WiFi {
        lines.extend(["AT+CWMODE=1", "AT+CWJAP=\"network\",\"password\""]);
    }
    lines.push(line);
    for line in lines {
        drain(&mut module, &mut said);
        said.clear();
        module.receive(now, format!("{line}{}", model.syntax.line_end()).as_bytes());
        let end = now + Duration::from_secs(1);
        while let Some(at) = module.next_deadline().filter(|at| *at <= end) {
            now = now.max(at);
            drain(&mut module, &mut said);
            module.advance(now);
        }
        now = end;
    }
    drain(&mut module, &mut said);
    let who = match model.bearer {
        Bearer::WiFi => "a module that has just joined a network",
        Bearer::Cellular | Bearer::NbIot => "a module that has just come up",
    };
    let said = match said.as_slice() {
        [] => "is silent".to_owned(),
        said => format!("answers {}", escape(said)),
    };
    let notes = match notes.join("; ") {
        notes if notes.is_empty() => notes,
        notes => format!(": {notes}"),
    };
    format!("  {who} {said}{then}{notes}\n")
}

fn explain_statement(statement: &Statement<'_>) -> String {
    let command = statement.command;
    let mut words = format!("AT{}: {}\n", command.name, command.title);
    match statement.form {
        Form::Execute => {}
        Form::Read => words.push_str("  asks for what is set\n"),
        Form::Test => words.push_str("  asks for the forms and ranges\n"),
        Form::Set => {
            for (param, value) in statement.params.iter().zip(statement.values.as_slice()) {
                words.push_str(&format!("  {param} = {}\n", shown(*value)));
            }
        }
    }
    for line in command.replies {
        words.push_str(&format!("  may answer {}: {}\n", pattern(line), line.about));
    }
    words.push_str(&format!("  source: {}\n", command.source));
    words
}

fn explain_reply(model: &Model, text: &str) -> (Known, String) {
    match explain_line(model, text) {
        (Known::NotAtAll, words) => {
            explain_misprint(model, text).unwrap_or((Known::NotAtAll, words))
        }
        explained => explained,
    }
}

/// A line that the model prints otherwise: without the space, or with a letter missing.
fn explain_misprint(model: &Model, text: &str) -> Option<(Known, String)> {
    let (given, fields) = text.split_once(':')?;
    let fields = fields.trim_start();
    let commands = || model.commands.iter().flat_map(|table| table.iter());
    let names = commands()
        .flat_map(|command| command.replies)
        .map(|line| line.name);
    let names = names.filter(|name| name.len() <= given.len() + 1 && name.starts_with(given));
    for name in names {
        for printed in [format!("{name}: {fields}"), format!("{name}:{fields}")] {
            let (known, words) = explain_line(model, &printed);
            if known == Known::Well {
                return Some((known, format!("taken for {printed}\n{words}")));
            }
        }
    }
    let command = commands().find(|command| command.name.eq_ignore_ascii_case(given))?;
    let words = format!(
        "an answer of AT{}: {}\n  source: {}\n",
        command.name, command.title, command.source
    );
    Some((Known::Well, words))
}

fn explain_line(model: &Model, text: &str) -> (Known, String) {
    let commands = model.commands.iter().flat_map(|table| table.iter());
    let mut words = String::new();
    let mut seen: Vec<&str> = Vec::new();
    let busy: &[&Line] = match model.syntax {
        Syntax::V250 => &[],
        Syntax::EspAt => &[&espressif::BUSY],
    };
    let general = [
        &[&basic::OK, &basic::ERROR],
        model.boot,
        model.sim_ready,
        busy,
    ];
    for line in general.into_iter().flatten() {
        if line.parse(text.as_bytes()).is_some() {
            seen.push(line.name);
            words.push_str(&format!("{}: {}\n", line.name, line.about));
        }
    }
    if text == ">" {
        words.push_str("the prompt: the module waits for data\n");
    }
    for (command, line) in
        commands.flat_map(|command| command.replies.iter().map(move |line| (command, line)))
    {
        // A line that is nothing but one free text fits everything.
        let free = line
            .pieces
            .iter()
            .all(|piece| matches!(piece, Piece::Bare(_)));
        let Some(values) = line
            .parse(text.as_bytes())
            .filter(|_| !free && !seen.contains(&line.name))
        else {
            continue;
        };
        seen.push(line.name);
        words.push_str(&format!(
            "{}, of AT{}: {}\n",
            line.name, command.name, line.about
        ));
        let names = line.pieces.iter().filter_map(|piece| match piece {
            Piece::Lit(_) => None,
            Piece::Int(name) | Piece::Quoted(name) | Piece::Bare(name) | Piece::Sized(name) => {
                Some(name)
            }
        });
        for (name, value) in names.zip(values.as_slice()) {
            words.push_str(&format!("  {name} = {}\n", shown(*value)));
        }
    }
    if let Some(code) = text
        .strip_prefix("+CME ERROR: ")
        .and_then(|code| code.trim().parse().ok())
        && model.syntax == Syntax::V250
    {
        let meaning =
            dialect::reply::meaning(model.cme, code).unwrap_or("not in the model's table");
        words.push_str(&format!("+CME ERROR {code}: {meaning}\n"));
    }
    if let Some(code) = text
        .strip_prefix("ERR CODE:0x")
        .and_then(|code| u32::from_str_radix(code.trim(), 16).ok())
        && model.syntax == Syntax::EspAt
    {
        let category = espressif::error_category(code).unwrap_or("no code of ESP-AT");
        words.push_str(&format!("  {category}"));
        let mqtt = dialect::reply::meaning(model.cme, code as u16);
        match mqtt.filter(|_| espressif::mqtt_error(code as u16) == code) {
            Some(meaning) => words.push_str(&format!(": {meaning}\n")),
            None => words.push_str(&format!(", detail {:#06x}\n", code as u16)),
        }
    }
    if words.is_empty() {
        let words = format!("{} prints no such line\n", model.title);
        return (Known::NotAtAll, words);
    }
    (Known::Well, words)
}

fn shown(value: Value<'_>) -> String {
    match value {
        Value::Omitted => "(left out)".into(),
        Value::Int(number) => number.to_string(),
        Value::Text(text) => format!("\"{}\"", escape(text)),
    }
}
