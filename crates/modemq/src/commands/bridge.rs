//! `modemq bridge`: a local MQTT listener whose clients reach the world through a module.

use super::Signals;
use super::broker::{describe, parse_user};
use super::connection::Connection;
use super::via::{self, Awaited, Place, Via};
use crate::broker_server::{Backend, BrokerServer, Happening};
use crate::clock::Clock;
use crate::modem::{HostModem, Room};
use crate::net::parse_address;
use bridge::{Bridge, Limits};
use broker::{CloseReason, Config, Event};
use clap::Args as ClapArgs;
use driver::asynch;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedReceiver;

/// A local MQTT 3.1.1 server whose clients reach the broker through a module, so that any MQTT program can use it.
#[derive(ClapArgs, Debug)]
#[command(
    disable_help_flag = true,
    mut_arg("via", |arg| arg.required(true)),
    after_help = "\
Messages with QoS 1 and 2 are acknowledged when the broker has acknowledged them. \
While there is no connection clients stay, their messages wait, and whoever publishes more than there is room for is not read from; \
QoS 0 is dropped when 100 wait. SUBACK waits for the broker's answer. \
A message that the model cannot carry is acknowledged, discarded and told. docs/bridge.md has the rest.

Examples:
  modemq bridge --via ec20:/dev/ttyUSB2 -h broker.example -u dev1 -P secret -i dev1
      mosquitto_pub, Node-RED and others then use 127.0.0.1:1883
  modemq bridge --via esp32c3:/dev/ttyUSB0 --wifi home:secret --listen 0 --user me:secret
      on a free port, which is printed, for clients that know the password"
)]
pub struct Args {
    #[command(flatten)]
    connection: Connection,

    #[command(flatten)]
    via: Via,

    /// Where it listens; port 0 is any free one. May be repeated
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:1883", value_parser = parse_address)]
    listen: Vec<SocketAddr>,

    /// Let in this local user only. May be repeated
    #[arg(long, value_name = "NAME:PASSWORD", value_parser = parse_user)]
    user: Vec<(String, String)>,

    /// Let in who gives no user name, though there are local users
    #[arg(long)]
    anonymous: bool,

    /// Discard a message when so many attempts have ended with the connection; 0: never
    #[arg(long, value_name = "COUNT", default_value_t = Limits::default().attempts)]
    attempts: u32,

    /// Print what local clients do, to standard error
    #[arg(long)]
    trace: bool,

    /// Print help
    #[arg(long, action = clap::ArgAction::Help)]
    help: Option<bool>,
}

/// Clients at a time, and sessions that are kept. What they may have waiting is for machines with little memory.
const CLIENTS: usize = 1_000;
/// Bytes of a packet. A message that no model can carry is taken up to this, and told.
const LARGEST: usize = 256 * 1024;
/// Bytes of messages that wait for one client.
const WAITING: usize = 1024 * 1024;

/// To say goodbye while there is no login: a connection may be open all the same.
const HALF_OPEN: Duration = Duration::from_secs(2);

/// Before a port that has ended is opened again.
const AGAIN: Duration = Duration::from_secs(1);

/// Tells what the bridge has to tell, and when there is something to request of the driver.
struct Uplink {
    wake: Arc<Notify>,
}

impl Backend for Uplink {
    type Policy = Bridge;

    fn follow(&mut self, bridge: &mut Bridge, _: &dyn Fn(Happening)) {
        while let Some(news) = bridge.poll_news() {
            eprintln!("modemq bridge: {news}");
        }
        if bridge.is_touched() {
            self.wake.notify_one();
        }
    }
}

/// Runs until it is stopped.
///
/// # Errors
/// An address that cannot be had.
pub async fn run(args: Args) -> Result<ExitCode, super::Error> {
    let mut signals = Signals::new()?;
    let Some(place) = &args.via.via else {
        return Err("through which module? --via MODEL:PORT".into());
    };
    let mut room = Room::default();
    let config = Config {
        users: args.user.iter().cloned().collect(),
        anonymous: args.anonymous,
        max_packet: LARGEST,
        max_connections: CLIENTS,
        max_sessions: CLIENTS,
        max_queued_bytes: WAITING,
        max_outgoing: WAITING,
        events: true,
        ..Config::default()
    };
    let limits = Limits {
        attempts: args.attempts,
        ..Limits::default()
    };
    let wake = Arc::new(Notify::new());
    let uplink = Uplink { wake: wake.clone() };
    let policy = Some(Bridge::new(limits));
    let (server, events) = BrokerServer::start_under(config, policy, uplink, &args.listen).await?;
    for address in server.local_addrs() {
        writeln!(io::stdout(), "bridge on {address}")?;
        if !address.ip().is_loopback() && (args.user.is_empty() || args.anonymous) {
            eprintln!(
                "modemq bridge: whoever reaches {address} may use the module: --user NAME:PASSWORD lets in who knows it"
            );
        }
    }
    io::stdout().flush()?;
    // Clients are served while the module starts.
    let mut report = pin!(report(events, args.trace));
    let begun = tokio::select! {
        begun = args.via.begin(place, &mut room, &args.connection, "bridge") => begun,
        () = &mut report => return Ok(ExitCode::SUCCESS),
        _ = signals.next() => return Ok(ExitCode::SUCCESS),
    };
    let mut modem = match begun {
        Ok(modem) => modem,
        Err(error) => {
            eprintln!("modemq bridge: {error}");
            return Ok(error.exit_code().into());
        }
    };
    let work = async {
        loop {
            let error = carry(&server, &mut modem, &wake).await;
            eprintln!("modemq bridge: {error}; opening the port again");
            open_again(&args.via, place, &mut modem).await;
        }
    };
    tokio::select! {
        () = work => {}
        () = report => {}
        _ = signals.next() => {}
    }
    let waiting = server.with_broker(|broker| broker.with_policy(|bridge| bridge.waiting()));
    if let Some(waiting @ 1..) = waiting {
        eprintln!("modemq bridge: messages that were not published: {waiting}");
    }
    // Clients see the end at once, and whoever waits for an acknowledgement knows that there is none.
    server.shutdown().await;
    let limit = if modem.driver.is_connected() {
        Duration::MAX
    } else {
        HALF_OPEN
    };
    tokio::select! {
        said = via::disconnect(&mut modem) => if let Err(error) = said {
            eprintln!("modemq bridge: {error}");
        },
        () = tokio::time::sleep(limit) => {}
        // Twice: at once.
        _ = signals.next() => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// Carries between clients and driver, until the port ends.
async fn carry(
    server: &BrokerServer<Uplink>,
    modem: &mut HostModem<'_>,
    wake: &Notify,
) -> asynch::Error<io::Error> {
    let (zero, start) = (modem.now(), Instant::now());
    let now = || zero + start.elapsed();
    let mut awaited = Awaited::default();
    loop {
        let next = server.with_broker(|broker| {
            bridge::request(broker, now(), &mut modem.driver);
            broker.with_policy(|bridge| bridge.next_request()).flatten()
        });
        let mut wait = next.map_or(Duration::MAX, |at| at - now());
        if !modem.driver.is_connected() {
            let why = modem.driver.awaits();
            awaited.look("bridge", why, tokio::time::Instant::now());
            wait = wait.min(Awaited::OFTEN);
        }
        tokio::select! {
            event = modem.next() => match event {
                Ok(event) => server.with_broker(|broker| bridge::receive(broker, now(), &event)),
                Err(error) => return error,
            },
            () = wake.notified() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// A module on USB goes and comes back when it restarts.
async fn open_again(via: &Via, place: &Place, modem: &mut HostModem<'_>) {
    let mut last = String::new();
    modem.port().close();
    loop {
        tokio::time::sleep(AGAIN).await;
        match via.open_again(place, modem.port()).await {
            Ok(()) => {
                eprintln!("modemq bridge: the port is open again");
                return;
            }
            Err(error) => {
                let error = error.to_string();
                if error != last {
                    eprintln!("modemq bridge: {error}");
                    last = error;
                }
            }
        }
    }
}

/// Tells what happens among the clients: with a trace all of it, and without one what is lost and who is sent away.
async fn report(mut events: UnboundedReceiver<Happening>, trace: bool) {
    let clock = Clock::start();
    while let Some(happening) = events.recv().await {
        match happening {
            Happening::Broker(event) if trace => {
                eprintln!("{:>9} {}", clock.now().to_string(), describe(&event));
            }
            Happening::Broker(event) if is_amiss(&event) => {
                eprintln!("modemq bridge: {}", describe(&event));
            }
            _ => {}
        }
    }
}

fn is_amiss(event: &Event) -> bool {
    match event {
        Event::Dropped { .. } | Event::Refused { .. } => true,
        Event::Gone { reason, .. } | Event::Closed { reason } => !matches!(
            reason,
            CloseReason::ByClient | CloseReason::Disconnect | CloseReason::Refused
        ),
        _ => false,
    }
}
