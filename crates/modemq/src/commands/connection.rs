//! The flags that `modemq pub` and `modemq sub` share: mosquitto's.

use crate::client::{Client, Error};
use clap::{Args, ValueEnum};
use mqtt::{Connect, QoS, Version, Will};
use std::time::Duration;

/// Which broker, and who we are.
#[derive(Args, Debug)]
pub struct Connection {
    /// The broker's name or address
    #[arg(short, long, value_name = "HOST", default_value = "localhost")]
    host: String,

    /// The broker's port
    #[arg(short, long, value_name = "PORT", default_value_t = 1883)]
    port: u16,

    /// Client id [default: modemq- and the process's number]
    #[arg(short = 'i', long, value_name = "ID")]
    id: Option<String>,

    /// User name
    #[arg(short, long, value_name = "NAME")]
    username: Option<String>,

    /// Password
    #[arg(short = 'P', long = "pw", value_name = "PASSWORD")]
    password: Option<String>,

    /// Protocol version; through a module it is its own
    #[arg(
        short = 'V',
        long,
        value_name = "VERSION",
        default_value = "mqttv311",
        conflicts_with = "via"
    )]
    protocol_version: VersionArg,

    /// Keep alive in seconds; 0 is off
    #[arg(short, long, value_name = "SECONDS", default_value_t = 60)]
    keepalive: u16,

    /// Keep the session after disconnecting: no clean session
    #[arg(short = 'c', long)]
    disable_clean_session: bool,

    /// Topic of the last will
    #[arg(long, value_name = "TOPIC")]
    will_topic: Option<String>,

    /// Message of the last will
    #[arg(long, value_name = "MESSAGE", requires = "will_topic")]
    will_payload: Option<String>,

    /// Quality of service of the last will
    #[arg(long, value_name = "QOS", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=2))]
    will_qos: u8,

    /// The last will is retained
    #[arg(long, requires = "will_topic")]
    will_retain: bool,
}

/// How long all of it may take.
#[derive(Args, Clone, Copy, Debug)]
pub struct Limit {
    /// End after so many seconds, with exit status 27 [default: never; through a module, 180 to connect]
    #[arg(short = 'W', value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    wait: Option<u64>,
}

impl Limit {
    /// As it was given.
    pub fn given(self) -> Option<Duration> {
        self.wait.map(Duration::from_secs)
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum VersionArg {
    #[value(name = "mqttv311", alias = "311")]
    V311,
    #[value(name = "mqttv31", alias = "31")]
    V31,
}

impl Connection {
    /// The same for a module, with `own` for a client id when none is given.
    pub fn options<'a>(&'a self, own: &'a str) -> driver::Options<'a> {
        driver::Options {
            host: &self.host,
            port: self.port,
            client_id: self.id.as_deref().unwrap_or(own),
            username: self.username.as_deref(),
            password: self.password.as_deref(),
            keep_alive: self.keepalive,
            clean_session: !self.disable_clean_session,
            will: self.will_topic.as_deref().map(|topic| driver::Will {
                topic,
                payload: self.will_payload.as_deref().unwrap_or_default(),
                qos: driver::QoS::from_level(self.will_qos).unwrap_or_default(),
                retain: self.will_retain,
            }),
            ..driver::Options::default()
        }
    }

    /// Connects and logs in.
    ///
    /// # Errors
    /// Why not.
    pub async fn open(&self) -> Result<Client, Error> {
        let own = own_id();
        let connect = Connect {
            version: match self.protocol_version {
                VersionArg::V311 => Version::V311,
                VersionArg::V31 => Version::V31,
            },
            clean_session: !self.disable_clean_session,
            keep_alive: self.keepalive,
            client_id: self.id.as_deref().unwrap_or(&own),
            will: self.will_topic.as_deref().map(|topic| Will {
                topic,
                payload: self.will_payload.as_deref().unwrap_or_default().as_bytes(),
                qos: qos(self.will_qos),
                retain: self.will_retain,
            }),
            username: self.username.as_deref(),
            password: self.password.as_deref().map(str::as_bytes),
        };
        Client::connect(&self.host, self.port, None, &connect).await
    }
}

/// The client id of a tool that was given none.
pub fn own_id() -> String {
    format!("modemq-{}", std::process::id())
}

/// The QoS that a flag names; the parser has checked the range.
pub fn qos(level: u8) -> QoS {
    QoS::try_from(level).unwrap_or_default()
}

/// The exit status of mosquitto's clients: the code of a refusal, 27 for a time-out, 1 for the rest.
pub fn exit_code(error: &Error) -> u8 {
    match error {
        Error::Refused(code) => code.code(),
        Error::Timeout => 27,
        _ => 1,
    }
}
