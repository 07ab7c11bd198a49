//! `modemq identify`: which module is at this port?

use super::at::ask;
use crate::modem::Room;
use clap::Args as ClapArgs;
use dialect::{Model, model};
use std::process::ExitCode;
use std::time::Duration;

/// Ask the module at a port which one it is
#[derive(ClapArgs, Debug)]
#[command(after_help = "Examples:
  modemq identify /dev/ttyUSB2
  modemq identify tcp:127.0.0.1:7000

The exit status is 1 when nobody answers, or nobody that modemq knows.")]
pub struct Args {
    /// A device, or tcp:HOST:PORT
    #[arg(value_name = "PORT")]
    port: String,

    /// Bits per second
    #[arg(long, value_name = "RATE", default_value_t = 115_200)]
    baud: u32,
}

/// Asks in each language.
///
/// # Errors
/// The port cannot be used.
pub async fn run(args: Args) -> Result<ExitCode, super::Error> {
    let mut said = Vec::new();
    // A module that looks for the host's rate uses the first line up; an ESP-AT wants its line feed, which others overlook.
    for (name, command) in [
        ("esp8266", "AT"),
        ("esp8266", "AT+CGMM"),
        ("esp8266", "AT+GMR"),
        ("ec20", "ATI"),
    ] {
        let language = Model::by_name(name).ok_or("no such model")?;
        let mut room = Room::default();
        let patience = Duration::from_secs(2);
        let (lines, _) = ask(
            &mut room,
            language,
            &args.port,
            Some(args.baud),
            command,
            patience,
            |_| (),
        )
        .await?;
        said.extend(lines);
        if let Some(found) = recognise(&said) {
            println!("{}: {} by {}", found.name, found.title, found.vendor);
            for line in &said {
                println!("  {line}");
            }
            return Ok(ExitCode::SUCCESS);
        }
    }
    if said.is_empty() {
        println!("nobody answers at {} at {} bit/s", args.port, args.baud);
    } else {
        println!("none that modemq knows. It says:");
        for line in &said {
            println!("  {line}");
        }
    }
    Ok(ExitCode::FAILURE)
}

/// The model whose name or firmware stands in what was said; of several the one with the longest name.
fn recognise(said: &[String]) -> Option<&'static Model> {
    let names = |model: &Model| {
        let own = [model.title, model.firmware].map(letters);
        said.iter()
            .map(|line| letters(line))
            .any(|line| own.iter().any(|own| line.contains(own.as_str())))
    };
    let known = model::ALL.iter().filter(|model| names(model));
    known
        .max_by_key(|model| model.title.len())
        .or_else(|| chip(said))
}

/// An ESP-AT names its chip in the first line of its version: `AT version:2.2.0.0(… - ESP8266 - …)`.
fn chip(said: &[String]) -> Option<&'static Model> {
    let line = said.iter().find(|line| line.starts_with("AT version:"))?;
    model::ALL
        .iter()
        .find(|model| letters(line).contains(&letters(model.title)))
}

fn letters(text: &str) -> String {
    let kept = text.chars().filter(char::is_ascii_alphanumeric);
    kept.map(|letter| letter.to_ascii_lowercase()).collect()
}
