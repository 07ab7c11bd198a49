//! `modemq identify`: which module is at this port?

use crate::identity::{Identity, identify};
use crate::line::HostLine;
use crate::output;
use clap::Args as ClapArgs;
use serde_json::json;
use std::process::ExitCode;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Ask the module at a port which one it is
#[derive(ClapArgs, Debug)]
#[command(after_help = "Examples:
  modemq identify /dev/ttyUSB2
  modemq identify tcp:127.0.0.1:7000 --json

Without --baud a serial port is tried at 115200, 9600, 57600, 921600, 460800, 230400, 38400 and 19200 bit/s.

The exit status is 0 when modemq knows the model, 1 when it does not or the port cannot be used, 27 when nobody answers in time.")]
pub struct Args {
    /// A device, or tcp:HOST:PORT
    #[arg(value_name = "PORT")]
    port: String,

    /// Bits per second [default: several, one after the other]
    #[arg(long, value_name = "RATE")]
    baud: Option<u32>,

    /// How long it may take, in seconds
    #[arg(short, long, value_name = "SECONDS", default_value_t = 40, value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,

    /// Print a JSON object, errors too
    #[arg(long)]
    json: bool,

    /// Show what passes over the line on standard error, with times
    #[arg(short, long)]
    debug: bool,
}

/// The rates that modules come with, the likeliest first.
const RATES: &[u32] = &[
    115_200, 9600, 57_600, 921_600, 460_800, 230_400, 38_400, 19_200,
];
/// How often `AT` is typed at a rate, and how long each waits. The first may be used up to find the rate.
const TRIES: u32 = 3;
const PATIENCE: Duration = Duration::from_millis(500);

/// Asks at each rate.
///
/// # Errors
/// The port cannot be used.
pub async fn run(args: Args) -> Result<ExitCode, super::Error> {
    let end = Instant::now() + Duration::from_secs(args.timeout);
    let found = match timeout_at(end, search(&args)).await {
        Ok(Ok(found)) => Some(found),
        Ok(Err(error)) if args.json => {
            let object = json!({ "port": args.port, "error": error.to_string() });
            output::print(&format!("{object}\n"))?;
            return Ok(ExitCode::FAILURE);
        }
        Ok(Err(error)) => return Err(error),
        Err(_) => None,
    };
    let Some((identity, rate)) = found else {
        let tried = match (args.port.starts_with("tcp:"), args.baud) {
            (true, _) => String::new(),
            (false, Some(rate)) => format!(" at {rate} bit/s"),
            (false, None) => format!(" at {} bit/s", list(RATES)),
        };
        let words = format!("nobody answers at {}{tried}", args.port);
        if args.json {
            let object = json!({ "port": args.port, "error": words });
            output::print(&format!("{object}\n"))?;
        } else {
            output::print(&format!(
                "{words}\nIs it powered, are RX and TX crossed, is this its AT port?\n"
            ))?;
        }
        return Ok(ExitCode::from(27));
    };
    let model = identity.model;
    if args.json {
        let object = json!({
            "port": args.port,
            "baud": rate,
            "model": model.map(|model| model.name),
            "title": model.map(|model| model.title),
            "vendor": model.map(|model| model.vendor),
            "says": identity.says,
        });
        output::print(&format!("{object}\n"))?;
    } else {
        let mut text = match model {
            Some(model) => format!("{}: {} by {}", model.name, model.title, model.vendor),
            None => "none that modemq knows".into(),
        };
        if let Some(rate) = rate {
            text += &format!(", at {rate} bit/s");
        }
        text += if identity.says.is_empty() {
            "\n"
        } else {
            ". It says:\n"
        };
        for line in &identity.says {
            text += &format!("  {line}\n");
        }
        output::print(&text)?;
    }
    Ok(if model.is_some() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Who is there, and at which rate when the port has one. Goes on until somebody answers.
async fn search(args: &Args) -> Result<(Identity, Option<u32>), super::Error> {
    let given = args.baud.as_ref().map(std::slice::from_ref);
    loop {
        for rate in given.unwrap_or(RATES) {
            let mut line = HostLine::open(&args.port, *rate).await?;
            if args.debug && line.is_serial() {
                eprintln!("at {rate} bit/s:");
            }
            if args.debug {
                line.tap();
            }
            let serial = line.is_serial();
            if let (_, Some(identity)) = identify(line, TRIES, PATIENCE).await? {
                return Ok((identity, serial.then_some(*rate)));
            }
        }
    }
}

fn list(rates: &[u32]) -> String {
    let words: Vec<_> = rates.iter().map(u32::to_string).collect();
    words.join(", ")
}
