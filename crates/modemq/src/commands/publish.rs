//! `modemq pub`: publish, with mosquitto_pub's flags.

use super::connection::{Connection, Limit, exit_code, qos};
use super::via::{self, Place, Session, Via};
use crate::client::{self, Client};
use crate::modem::Room;
use crate::stdin;
use clap::Args as ClapArgs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Publish messages; the flags are those of mosquitto_pub.
#[derive(ClapArgs, Debug)]
#[command(
    disable_help_flag = true,
    after_help = "Examples:
  modemq pub -t mqtt/pub -m 'data from tcp server'
  modemq pub -h 127.0.0.1 -p 1884 -u user -P secret -t a/b -q 1 -r -m '{\"on\":1}'
  tail -f log | modemq pub -t log -l
  modemq pub --via ec20:/dev/ttyUSB2 -h broker.example -t a/b -q 1 -m hi
      through a module

Through a module it tells on standard error what it waits for, and why it tries again. A message with QoS 1 of which nobody knows
whether the broker has it is sent again until the time is over; one with QoS 2 is not, since the broker might take it for another one.

The exit status is 0 when the broker has what it acknowledges (with QoS 0, when the message was handed over), 27 when the time of -W
is over, the code of CONNACK when the broker refuses the login, 2 for a mistake on the command line, and 1 for anything else; through a module
also when nobody knows whether the message arrived."
)]
pub struct Args {
    #[command(flatten)]
    connection: Connection,

    #[command(flatten)]
    limit: Limit,

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
        Some(stdin::all().await?)
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
            Err(error) => error.tell("pub"),
        });
    }
    let limit = args.limit.given().unwrap_or(Duration::MAX);
    let published = tokio::time::timeout(limit, publish(&args, single)).await;
    match published.unwrap_or(Err(client::Error::Timeout)) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) => {
            eprintln!("modemq pub: {error}");
            Ok(exit_code(&error).into())
        }
    }
}

async fn publish(args: &Args, single: Option<Vec<u8>>) -> Result<(), client::Error> {
    let mut client = args.connection.open().await?;
    if let Some(message) = single {
        one(&mut client, args, &message).await?;
        return client.disconnect().await;
    }
    let mut lines = stdin::lines();
    loop {
        tokio::select! {
            line = lines.recv() => match line {
                Some(line) => one(&mut client, args, &line?).await?,
                None => break,
            },
            // Nobody is subscribed: this keeps the connection alive.
            news = client.next() => drop(news?),
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
        .open(place, &mut room, &args.connection, &[], args.limit, "pub");
    let mut session = opened.await?;
    let done = async {
        let Some(message) = single else {
            return publish_lines(args, &mut session, qos).await;
        };
        let sent = session.publish(&args.topic, &message, qos, args.retain);
        sent.await
    }
    .await;
    session.end(done).await
}

/// Each line of standard input. The driver keeps the connection meanwhile.
async fn publish_lines(
    args: &Args,
    session: &mut Session<'_>,
    qos: driver::QoS,
) -> Result<(), via::Error> {
    let mut lines = stdin::lines();
    loop {
        let line = tokio::select! {
            line = lines.recv() => line,
            error = session.idle() => return Err(error),
        };
        let Some(line) = line else { return Ok(()) };
        let line = line.map_err(via::Error::Stream)?;
        let sent = session.publish(&args.topic, &line, qos, args.retain);
        sent.await?;
    }
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
