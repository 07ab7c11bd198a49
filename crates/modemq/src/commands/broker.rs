//! `modemq broker`: the bench's broker.

use super::Error;
use crate::application::Socket;
use crate::broker_server::{BrokerServer, Happening};
use crate::certificates;
use crate::clock::Clock;
use crate::net::parse_address;
use crate::output;
use crate::registry;
use crate::tls::{self, Acceptor, Server};
use crate::trace::escape;
use broker::{Config, Event};
use clap::Args as ClapArgs;
use module::TlsVersion;
use std::collections::BTreeSet;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use tokio::task::JoinSet;

const EXAMPLES: &str = "Examples:
  modemq broker
      on 127.0.0.1:1883, for everybody on this machine
  modemq broker --listen 127.0.0.1:0 --user dev:secret --trace
      on a free port, which is printed; one user; what happens is shown
  modemq broker --tls 127.0.0.1:8883 --mutual-tls 127.0.0.1:8884 --certificates certs
      with TLS; certificates for broker and client are made in ./certs, ready for FSWRITE or QFUPL
  modemq broker --tls 127.0.0.1:8883 --certificates certs --tls-suites 0XC02F --tls-versions 1.2
      a strict server: does my firmware reach it?
  modemq broker --iotda devices.toml --trace
      Huawei Cloud IoTDA for these devices; `modemq iotda --help` has the other side";

/// The bench's MQTT broker. It forgets everything when it stops: for production, use Mosquitto, EMQX or another.
#[derive(ClapArgs, Debug)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", registry::FORMAT))]
pub struct Args {
    /// Where it listens; port 0 is any free one. May be repeated
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:1883", value_parser = parse_address)]
    listen: Vec<SocketAddr>,

    /// Where it listens for MQTT on WebSockets, at any path; port 0 is any free one. May be repeated
    #[arg(long, value_name = "ADDR", value_parser = parse_address)]
    websocket: Vec<SocketAddr>,

    /// Where it listens for MQTT over TLS. May be repeated
    #[arg(long, value_name = "ADDR", requires = "certificates", value_parser = parse_address)]
    tls: Vec<SocketAddr>,

    /// The same, for clients that show a certificate of the CA. May be repeated
    #[arg(long, value_name = "ADDR", requires = "certificates", value_parser = parse_address)]
    mutual_tls: Vec<SocketAddr>,

    /// Where ca.crt, server.crt and server.key are, in PEM; made there, with client.crt and client.key, when they are not
    #[arg(long, value_name = "DIR")]
    certificates: Option<PathBuf>,

    /// The only cipher suites that TLS takes, as AT+SSLCFG and AT+QSSLCFG number them [default: all; with --iotda those of Huawei]
    #[arg(long, value_name = "0XHHHH", value_delimiter = ',', value_parser = tls::parse_suite)]
    tls_suites: Vec<u16>,

    /// The versions that TLS takes: 1.0, 1.1, 1.2, or a range of them
    #[arg(long, value_name = "V[-V]", default_value = "1.0-1.2", value_parser = tls::parse_versions)]
    tls_versions: (TlsVersion, TlsVersion),

    /// Let in this user only. May be repeated
    #[arg(long, value_name = "NAME:PASSWORD", value_parser = parse_user)]
    user: Vec<(String, String)>,

    /// Let in who gives no user name, though there are users
    #[arg(long)]
    anonymous: bool,

    /// Be Huawei Cloud IoTDA for the devices of this file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["user", "anonymous", "max_packet"])]
    iotda: Option<PathBuf>,

    /// Refuse subscriptions to this filter (SUBACK 0x80). May be repeated
    #[arg(long, value_name = "FILTER")]
    refuse_filter: Vec<String>,

    /// How long a connection may take to send CONNECT, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=3600))]
    connect_timeout: u64,

    /// The largest packet in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 20)]
    max_packet: usize,

    /// Print what happens, to standard error
    #[arg(long)]
    trace: bool,
}

/// Runs until it is stopped.
///
/// # Errors
/// An address that cannot be had.
pub async fn run(args: Args) -> Result<ExitCode, Error> {
    let config = Config {
        users: args.user.into_iter().collect(),
        anonymous: args.anonymous,
        refused_filters: args.refuse_filter,
        connect_timeout: Duration::from_secs(args.connect_timeout),
        max_packet: args.max_packet,
        events: args.trace,
        ..Config::default()
    };
    let clock = Clock::start();
    let (config, platform) = match &args.iotda {
        None => (config, None),
        Some(path) => {
            let platform = registry::platform(path, args.trace)?;
            (iotda::broker_config(config), Some(platform))
        }
    };
    let has_platform = platform.is_some();
    let suites = match args.tls_suites.as_slice() {
        [] if has_platform => iotda::CIPHER_SUITES.to_vec(),
        given => given.to_vec(),
    };
    let (mut server, mut events) =
        BrokerServer::start_platform(config, platform, &args.listen).await?;
    for address in server.local_addrs() {
        writeln!(output::stdout(), "broker on {address}")?;
    }
    for address in args.websocket {
        let address = server.listen_for_websockets(address).await?;
        writeln!(output::stdout(), "broker on ws://{address}")?;
    }
    if let Some(folder) = &args.certificates {
        certificates::provide(folder)?;
        let read = |name| {
            let path = folder.join(name);
            std::fs::read(&path).map_err(|error| {
                std::io::Error::new(error.kind(), format!("{}: {error}", path.display()))
            })
        };
        let (certificate, key) = (read("server.crt")?, read("server.key")?);
        for (addresses, mutual) in [(&args.tls, false), (&args.mutual_tls, true)] {
            let authorities = mutual.then(|| read("ca.crt")).transpose()?;
            let acceptor = Acceptor::new(&Server {
                certificate: &certificate,
                key: &key,
                client_authorities: authorities.as_deref(),
                suites: &suites,
                versions: args.tls_versions,
            })?;
            for address in addresses {
                let address = server.listen_for_tls(*address, acceptor.clone()).await?;
                let kind = if mutual { "mutual TLS" } else { "TLS" };
                writeln!(output::stdout(), "broker on {kind} {address}")?;
            }
        }
    }
    let mut sockets = JoinSet::new();
    if has_platform {
        let ports: BTreeSet<u16> = server.local_addrs().iter().map(SocketAddr::port).collect();
        for port in ports {
            sockets.spawn(Socket::listen(port)?.serve(server.application()));
        }
    }
    output::stdout().flush()?;
    while let Some(happening) = events.recv().await {
        let text = match &happening {
            Happening::Broker(event) => describe(event),
            Happening::Platform(news) => news.to_string(),
        };
        eprintln!("{:>9} {text}", clock.now().to_string());
    }
    // Without a trace there are no events: wait until somebody stops the program.
    std::future::pending().await
}

/// An event in words.
pub fn describe(event: &Event) -> String {
    match event {
        Event::Connected {
            client_id,
            version,
            clean_session,
            keep_alive,
        } => format!(
            "{client_id}: connected, level {}, keep alive {keep_alive} s{}",
            version.level(),
            if *clean_session {
                ", clean session"
            } else {
                ""
            }
        ),
        Event::Refused { client_id, code } => format!("{client_id}: refused: {code}"),
        Event::Closed { reason } => format!("a connection: {reason}"),
        Event::Gone { client_id, reason } => format!("{client_id}: {reason}"),
        Event::Will {
            client_id, topic, ..
        } => format!("{client_id}: will published to {topic}"),
        Event::Subscribed {
            client_id,
            filter,
            qos,
        } => format!("{client_id}: subscribed to {filter} q{}", qos.level()),
        Event::Unsubscribed { client_id, filter } => {
            format!("{client_id}: unsubscribed from {filter}")
        }
        Event::Published {
            client_id,
            topic,
            payload,
            qos,
            retain,
        } => format!(
            "{client_id}: published q{}{} {topic}: {}",
            qos.level(),
            if *retain { " retained" } else { "" },
            escape(payload)
        ),
        Event::Dropped { client_id, topic } => {
            format!("{client_id}: a message of {topic} dropped: its queue is full")
        }
    }
}

/// `NAME:PASSWORD`.
///
/// # Errors
/// It is none.
pub fn parse_user(text: &str) -> Result<(String, String), String> {
    match text.split_once(':') {
        Some((name, password)) if !name.is_empty() => Ok((name.into(), password.into())),
        _ => Err("NAME:PASSWORD is wanted".into()),
    }
}
