//! `modemq explain`: what a line means to a model, from its command items.

use super::Error;
use super::module::parse_model;
use crate::reference::pattern;
use crate::trace::escape;
use clap::Args as ClapArgs;
use dialect::command::{self, Form};
use dialect::{Model, Piece, Statement, Value};
use std::process::ExitCode;

/// Say what a command line or a reply means to a model, and what is wrong with it
#[derive(ClapArgs, Debug)]
#[command(after_help = "Examples:
  modemq explain 'AT+QMTOPEN=0,\"tcp\",\"h\",1883' --model bc26
  modemq explain '+QMTSTAT: 0,1' --model ec20
The exit status is 1 when the model does not know the line or refuses its form.")]
pub struct Args {
    /// A command line, or a line that the module printed
    line: String,

    /// Whose
    #[arg(long, default_value = "air780ep", value_parser = parse_model)]
    model: &'static Model,
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
    let explained = if is_command {
        explain_command(args.model, &text[2..])
    } else {
        explain_reply(args.model, text)
    };
    let (known, words) = explained;
    print!("{words}");
    Ok(if known {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn explain_command(model: &Model, text: &str) -> (bool, String) {
    let mut words = String::new();
    let mut bytes = text.as_bytes().to_vec();
    let mut rest = &mut bytes[..];
    if rest.is_empty() {
        return (true, "AT: are you there? The module answers OK\n".into());
    }
    while !rest.is_empty() {
        match command::parse(model.syntax, model.commands, rest) {
            Ok((statement, after)) => {
                words.push_str(&explain_statement(&statement));
                rest = after;
            }
            Err(error) => {
                words.push_str(&format!("{} refuses this: {error}\n", model.title));
                if let Some(known) = error.command {
                    words.push_str(&format!(
                        "  AT{}: {}\n  source: {}\n",
                        known.0.name, known.0.title, known.0.source
                    ));
                }
                return (false, words);
            }
        }
    }
    (true, words)
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

fn explain_reply(model: &Model, text: &str) -> (bool, String) {
    let commands = model.commands.iter().flat_map(|table| table.iter());
    let mut words = String::new();
    let mut seen: Vec<&str> = Vec::new();
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
    {
        let meaning =
            dialect::reply::meaning(model.cme, code).unwrap_or("not in the model's table");
        words.push_str(&format!("+CME ERROR {code}: {meaning}\n"));
    }
    if words.is_empty() {
        return (false, format!("{} prints no such line\n", model.title));
    }
    (true, words)
}

fn shown(value: Value<'_>) -> String {
    match value {
        Value::Omitted => "(left out)".into(),
        Value::Int(number) => number.to_string(),
        Value::Text(text) => format!("\"{}\"", escape(text)),
    }
}
