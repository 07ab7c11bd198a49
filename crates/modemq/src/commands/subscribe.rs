//! `modemq sub`: subscribe and print, with mosquitto_sub's flags.

use super::Signals;
use super::connection::{Connection, Limit, exit_code, qos};
use super::via::{self, Place, Via};
use crate::client::{self, Client, News};
use crate::modem::Room;
use crate::output;
use clap::Args as ClapArgs;
use driver::Lack;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

/// Subscribe and print messages; the flags are those of mosquitto_sub.
#[derive(ClapArgs, Debug)]
#[command(
    disable_help_flag = true,
    after_help = "Examples:
  modemq sub -t 'mqtt/#' -v
  modemq sub -h 127.0.0.1 -p 1884 -t mqtt/sub -C 1 -W 10
      one message, or exit status 27 after ten seconds
  modemq sub --via esp8266:/dev/ttyUSB0 --wifi home:secret -h broker.example -t '#' -v
      through a module

Through a module it tells on standard error what it waits for, and why it tries again.

The exit status is 0 after -C messages or when nobody reads standard output any more, 27 when the time of -W is over or there was no
connection, the code of CONNACK when the broker refuses the login, 128 when it refuses a subscription, 2 for a mistake on the command line, and 1
for anything else."
)]
pub struct Args {
    #[command(flatten)]
    connection: Connection,

    #[command(flatten)]
    limit: Limit,

    #[command(flatten)]
    via: Via,

    /// Topic filter. May be repeated
    #[arg(short, long, value_name = "FILTER", required = true)]
    topic: Vec<String>,

    /// Quality of service
    #[arg(short, long, value_name = "QOS", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=2))]
    qos: u8,

    /// Print the topic before each message
    #[arg(short, long)]
    verbose: bool,

    /// End after so many messages
    #[arg(short = 'C', value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,

    /// Print no line end after a message
    #[arg(short = 'N')]
    no_line_end: bool,

    /// Do not print retained messages
    #[arg(short = 'R')]
    no_retained: bool,

    /// Print help
    #[arg(long, action = clap::ArgAction::Help)]
    help: Option<bool>,
}

/// How long it waits before it tries to connect again.
const AGAIN: Duration = Duration::from_secs(1);

/// Subscribes and prints until it is told to end.
///
/// # Errors
/// Output that cannot be written.
pub async fn run(args: Args) -> Result<ExitCode, super::Error> {
    let mut signals = Signals::new()?;
    if let Some(place) = &args.via.via {
        let heard = subscribe_via(&args, place, &mut signals).await;
        return Ok(heard.unwrap_or_else(|error| error.tell("sub")));
    }
    let limit = args.limit.given().unwrap_or(Duration::MAX);
    let result = tokio::select! {
        heard = tokio::time::timeout(limit, subscribe(&args)) => heard.unwrap_or(Err(client::Error::Timeout)),
        interrupt = signals.next() => return Ok(stopped(interrupt)),
    };
    match result {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(client::Error::Io(error)) if output::is_closed(&error) => Err(error.into()),
        Err(error) => {
            eprintln!("modemq sub: {error}");
            Ok(exit_code(&error).into())
        }
    }
}

/// The exit status of a listener that somebody stops: it has done its work, and Ctrl-C is what shells take it for.
fn stopped(interrupt: bool) -> ExitCode {
    ExitCode::from(if interrupt { 130 } else { 0 })
}

/// Listens until it has what it came for. As mosquitto's client does, it comes back to a server that went away.
async fn subscribe(args: &Args) -> Result<(), client::Error> {
    let mut client: Client = args.connection.open().await?;
    let mut left = args.count;
    loop {
        match listen(&mut client, args, &mut left).await {
            Err(lost) if is_lost(&lost) => eprintln!("modemq sub: {lost}; connecting again"),
            Err(error) => return Err(error),
            Ok(()) => return client.disconnect().await,
        }
        client = loop {
            tokio::time::sleep(AGAIN).await;
            match args.connection.open().await {
                Ok(client) => break client,
                Err(error @ client::Error::Refused(_)) => return Err(error),
                Err(_) => {}
            }
        };
        eprintln!("modemq sub: connected again");
    }
}

/// The server is gone; and not: nobody reads what is printed.
fn is_lost(error: &client::Error) -> bool {
    match error {
        client::Error::Closed => true,
        client::Error::Io(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        _ => false,
    }
}

async fn listen(
    client: &mut Client,
    args: &Args,
    left: &mut Option<u64>,
) -> Result<(), client::Error> {
    let filters: Vec<_> = args
        .topic
        .iter()
        .map(|filter| (filter.as_str(), qos(args.qos)))
        .collect();
    client.subscribe(&filters).await?;
    while *left != Some(0) {
        match client.next().await? {
            News::Subscribed(_, codes) => {
                for (filter, _) in args
                    .topic
                    .iter()
                    .zip(&codes)
                    .filter(|(_, code)| **code == mqtt::Suback::FAILURE)
                {
                    eprintln!("modemq sub: the server refused the subscription to {filter}");
                }
                if codes.iter().all(|code| *code == mqtt::Suback::FAILURE) {
                    return Err(client::Error::Refused(mqtt::ConnectCode::NotAuthorized));
                }
            }
            News::Message(message) if !(args.no_retained && message.retain) => {
                print(args, message.topic.as_bytes(), &message.payload)?;
                *left = left.map(|left| left - 1);
            }
            _ => {}
        }
    }
    Ok(())
}

/// The same through a module, which connects again by itself. It does not say whether a message was retained.
async fn subscribe_via(
    args: &Args,
    place: &Place,
    signals: &mut Signals,
) -> Result<ExitCode, via::Error> {
    let mut room = Room::default();
    let level = driver::QoS::from_level(args.qos).unwrap_or_default();
    let filters: Vec<_> = args
        .topic
        .iter()
        .map(|filter| (filter.as_str(), level))
        .collect();
    let opened = args.via.open(
        place,
        &mut room,
        &args.connection,
        &filters,
        args.limit,
        "sub",
    );
    let mut session = tokio::select! {
        opened = opened => opened?,
        interrupt = signals.next() => return Ok(stopped(interrupt)),
    };
    let mut left = args.count;
    let listening = session.listen(|message| {
        let topic = String::from_utf8_lossy(message.topic);
        match message.lack {
            Lack::Nothing => {}
            Lack::Bytes(lost) => eprintln!("modemq sub: of a message to {topic} the last {lost} bytes are missing"),
            Lack::Perhaps => eprintln!("modemq sub: a message to {topic} is as long as the module's longest: it may have been cut"),
        }
        print(args, message.topic, message.payload)?;
        left = left.map(|left| left - 1);
        Ok(left == Some(0))
    });
    // Who is stopped logs out, lest the module stay subscribed. Who is stopped twice does not.
    let heard = tokio::select! {
        heard = listening => heard.map(|()| ExitCode::SUCCESS),
        interrupt = signals.next() => Ok(stopped(interrupt)),
    };
    tokio::select! {
        ended = session.end(heard) => ended,
        interrupt = signals.next() => Ok(stopped(interrupt)),
    }
}

fn print(args: &Args, topic: &[u8], payload: &[u8]) -> std::io::Result<()> {
    let mut line = Vec::new();
    if args.verbose {
        line.extend_from_slice(topic);
        line.push(b' ');
    }
    line.extend_from_slice(payload);
    if !args.no_line_end {
        line.push(b'\n');
    }
    let mut out = output::stdout();
    out.write_all(&line)?;
    out.flush()
}
