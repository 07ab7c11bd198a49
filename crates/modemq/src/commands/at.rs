//! `modemq at`: one command line, and what the module says to it.

use super::module::parse_model;
use crate::modem::Room;
use clap::Args as ClapArgs;
use dialect::{Model, reply};
use driver::{CommandFailure, Event};
use serde_json::json;
use std::process::ExitCode;
use std::time::Duration;

/// Type one command line at a module and print its answer
#[derive(ClapArgs, Debug)]
#[command(after_help = "Examples:
  modemq at /dev/ttyUSB2 AT+CSQ
  modemq at tcp:127.0.0.1:7000 'AT+CREG?' --json

The exit status is 0 for OK, 1 for an error, 27 when no answer comes in time.")]
pub struct Args {
    /// A device, or tcp:HOST:PORT
    #[arg(value_name = "PORT")]
    port: String,

    /// The command line
    #[arg(value_name = "COMMAND")]
    command: String,

    /// Which model it is, so that error codes are explained; `modemq models` lists them [default: any]
    #[arg(short, long, value_parser = parse_model)]
    model: Option<&'static Model>,

    /// Bits per second [default: the model's]
    #[arg(long, value_name = "RATE")]
    baud: Option<u32>,

    /// How long the answer may take, in seconds
    #[arg(short, long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,

    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// Types it, and waits for its final result.
///
/// # Errors
/// The port cannot be used, or the line cannot be typed.
pub async fn run(args: Args) -> Result<ExitCode, super::Error> {
    let mut room = Room::default();
    // ESP-AT wants a line feed, which the others overlook, and holds lines of 254 bytes only.
    let any = if args.command.len() < 250 {
        "esp8266"
    } else {
        "ec20"
    };
    let language = args.model.or_else(|| Model::by_name(any));
    let (lines, result) = ask(
        &mut room,
        language.ok_or("no such model")?,
        &args.port,
        args.baud,
        &args.command,
        Duration::from_secs(args.timeout),
        |line| {
            if !args.json {
                println!("{line}");
            }
        },
    )
    .await?;
    let code = match result {
        Err(CommandFailure::Refused(code)) => code,
        _ => None,
    };
    let meaning = code.and_then(|code| reply::meaning(args.model?.cme, code));
    let final_result = match result {
        Ok(()) => "OK".to_string(),
        Err(CommandFailure::Refused(None)) => "ERROR".into(),
        Err(CommandFailure::Refused(Some(code))) => format!("+CME ERROR: {code}"),
        Err(failure) => failure.to_string(),
    };
    if args.json {
        println!(
            "{}",
            json!({ "command": args.command, "lines": lines, "result": final_result, "code": code, "meaning": meaning })
        );
    } else {
        match meaning {
            Some(meaning) => println!("{final_result} ({meaning})"),
            None => println!("{final_result}"),
        }
    }
    Ok(match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(CommandFailure::TimedOut) => ExitCode::from(27),
        Err(_) => ExitCode::FAILURE,
    })
}

/// Types a line at a module of any family, and returns what it says.
///
/// # Errors
/// The port cannot be used, or the line cannot be typed.
pub(super) async fn ask(
    room: &mut Room,
    model: &'static Model,
    port: &str,
    baud: Option<u32>,
    command: &str,
    patience: Duration,
    mut print: impl FnMut(&str),
) -> Result<(Vec<String>, Result<(), CommandFailure>), super::Error> {
    let mut modem = room.open(model, port, baud).await?;
    let now = modem.now();
    modem.driver.command(now, command, patience)?;
    let mut lines = Vec::new();
    loop {
        match modem.next().await? {
            Event::Line(line) => {
                let line = String::from_utf8_lossy(line).into_owned();
                print(&line);
                lines.push(line);
            }
            Event::Done(result) => return Ok((lines, result)),
            _ => {}
        }
    }
}
