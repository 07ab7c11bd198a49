//! `modemq pub`: publish, with mosquitto_pub's flags.

use super::connection::{Connection, exit_code, qos};
use super::via::{self, Place, Via};
use crate::client::{self, Client};
use crate::modem::Room;
use clap::Args as ClapArgs;
use std::io::{BufRead, Read};
use std::path::PathBuf;
use std::process::ExitCode;

/// Publish messages; the flags are those of mosquitto_pub.
#[derive(ClapArgs, Debug)]
#[command(
    disable_help_flag = true,
    after_help = "Examples:
  modemq pub -t mqtt/pub -m 'data from tcp server'
  modemq pub -h 127.0.0.1 -p 1884 -u user -P secret -t a/b -q 1 -r -m '{\"on\":1}'
  tail -f log | modemq pub -t log -l
  modemq pub --via ec20:/dev/ttyUSB2 -h broker.example -t a/b -q 1 -m hi
      through a module"
)]
pub struct Args {
    #[command(flatten)]
    connection: Connection,

    #[command(flatten)]
    via: Via,

    /// Topic
    #[arg(short, long, value_name = "TOPIC")]
    topic: String,

    /// This message
    #[arg(short, long, value_name = "MESSAGE", group = "what")]
    message: Option<String>,

    /// What is in this file
    #[arg(short, long, value_name = "FILE", group = "what")]
    file: Option<PathBuf>,

    /// Each line of standard input
    #[arg(short = 'l', long, group = "what")]
    stdin_line: bool,

    /// All of standard input
    #[arg(short = 's', long, group = "what")]
    stdin_file: bool,

    /// A message of no bytes
    #[arg(short = 'n', long, group = "what")]
    null_message: bool,

    /// Quality of service
    #[arg(short, long, value_name = "QOS", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=2))]
    qos: u8,

    /// The broker keeps the message
    #[arg(short, long)]
    retain: bool,

    /// Print help
    #[arg(long, action = clap::ArgAction::Help)]
    help: Option<bool>,
}

/// Publishes, and waits until the broker has what it acknowledges.
///
/// # Errors
/// Why not.
pub async fn run(args: Args) -> Result<ExitCode, super::Error> {
    let single = if let Some(message) = &args.message {
        Some(message.clone().into_bytes())
    } else if let Some(path) = &args.file {
        Some(std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?)
    } else if args.stdin_file {
        let mut all = Vec::new();
        std::io::stdin().lock().read_to_end(&mut all)?;
        Some(all)
    } else if args.null_message {
        Some(Vec::new())
    } else if args.stdin_line {
        None
    } else {
        return Err("what to publish? -m MESSAGE, -f FILE, -l, -s or -n".into());
    };
    if let Some(place) = &args.via.via {
        return Ok(match publish_via(&args, place, single).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("modemq pub: {error}");
                error.exit_code().into()
            }
        });
    }
    match publish(&args, single).await {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) => {
            eprintln!("modemq pub: {error}");
            Ok(exit_code(&error).into())
        }
    }
}

async fn publish(args: &Args, single: Option<Vec<u8>>) -> Result<(), client::Error> {
    let mut client = args.connection.open().await?;
    match single {
        Some(message) => one(&mut client, args, &message).await?,
        None => {
            for line in std::io::stdin().lock().split(b'\n') {
                one(&mut client, args, &line?).await?;
            }
        }
    }
    client.disconnect().await
}

/// The same through a module.
async fn publish_via(
    args: &Args,
    place: &Place,
    single: Option<Vec<u8>>,
) -> Result<(), via::Error> {
    let mut room = Room::default();
    let qos = driver::QoS::from_level(args.qos).unwrap_or_default();
    let opened = args
        .via
        .open(place, &mut room, &args.connection, &[], "pub");
    let mut session = opened.await?;
    match single {
        Some(message) => {
            let sent = session.publish(&args.topic, &message, qos, args.retain);
            sent.await?;
        }
        None => {
            for line in std::io::stdin().lock().split(b'\n') {
                let line = line.map_err(via::Error::Output)?;
                let sent = session.publish(&args.topic, &line, qos, args.retain);
                sent.await?;
            }
        }
    }
    session.disconnect().await
}

async fn one(client: &mut Client, args: &Args, message: &[u8]) -> Result<(), client::Error> {
    client
        .publish(&args.topic, message, qos(args.qos), args.retain)
        .await?;
    while client.in_flight() > 0 {
        client.next().await?;
    }
    Ok(())
}
