//! `--via MODEL:PORT`: `modemq pub`, `modemq sub` and `modemq bridge` through a module.

use super::connection::{Connection, own_id};
use crate::line::HostLine;
use crate::modem::{HostModem, Room};
use clap::Args;
use dialect::Model;
use driver::{
    Apn, ConnectError, Event, Message, Options, Outcome, PublishError, QoS, Recovery, Refusal,
    SubscribeError, Tls, Token, Why, Wifi, asynch,
};
use std::fmt;
use std::io;
use std::time::Duration;

/// Which module, and what it needs to reach the network.
#[derive(Args, Debug)]
pub struct Via {
    /// Through the module of this model at this port: a device, or tcp:HOST:PORT
    #[arg(long, value_name = "MODEL:PORT", value_parser = parse_place)]
    pub via: Option<Place>,

    /// Bits per second of the module's port [default: the model's]
    #[arg(long, value_name = "RATE", requires = "via")]
    baud: Option<u32>,

    /// The module's access point of the mobile network [default: the operator's]
    #[arg(long, value_name = "NAME", requires = "via")]
    apn: Option<String>,

    /// The module's Wi-Fi [default: what it joins by itself]
    #[arg(long, value_name = "SSID:PASSWORD", requires = "via")]
    wifi: Option<String>,

    /// TLS from the module to the broker; without --cafile nobody checks the server
    #[arg(long, requires = "via")]
    tls: bool,

    /// The authority that the module is to trust, PEM
    #[arg(long, value_name = "FILE", requires = "tls", value_parser = read_file)]
    cafile: Option<Pem>,

    /// The client's certificate, PEM
    #[arg(long, value_name = "FILE", requires = "key", value_parser = read_file)]
    cert: Option<Pem>,

    /// The client's private key, PEM
    #[arg(long, value_name = "FILE", requires_all = ["cert", "tls"], value_parser = read_file)]
    key: Option<Pem>,
}

/// What a file holds. It may be a private key.
#[derive(Clone)]
struct Pem(String);

impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

fn read_file(path: &str) -> Result<Pem, String> {
    let read = std::fs::read_to_string(path);
    read.map(Pem).map_err(|error| error.to_string())
}

/// A module at a port.
#[derive(Clone, Debug)]
pub struct Place {
    model: &'static Model,
    port: String,
    /// The client id, when none is given.
    own_id: String,
}

/// Why it did not work through the module.
#[derive(Debug)]
pub enum Error {
    /// The port cannot be used.
    Port(String),
    /// The options do not fit the model.
    Options(ConnectError),
    /// A topic does not.
    Subscribe(String, SubscribeError),
    /// A message does not.
    Publish(PublishError),
    /// Who refused.
    Refused(Refusal),
    /// Nobody knows whether the message arrived.
    Unknown,
    /// No connection in time; the last reason.
    Timeout(Option<Why>),
    /// Standard output cannot be written.
    Output(io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(error) => f.write_str(error),
            Self::Options(error) => error.fmt(f),
            Self::Subscribe(topic, error) => write!(f, "{topic}: {error}"),
            Self::Publish(error) => error.fmt(f),
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Unknown => f.write_str("nobody knows whether the message arrived"),
            Self::Timeout(Some(why)) => write!(f, "timed out: {why}"),
            Self::Timeout(None) => f.write_str("timed out"),
            Self::Output(error) => error.fmt(f),
        }
    }
}

impl Error {
    /// The exit status of mosquitto's clients: the code of a refusal, 27 for a time-out, 1 for the rest.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Refused(Refusal::Broker(code)) => *code,
            Self::Timeout(_) => 27,
            _ => 1,
        }
    }
}

impl From<asynch::Error<io::Error>> for Error {
    fn from(error: asynch::Error<io::Error>) -> Self {
        Self::Port(error.to_string())
    }
}

/// From the port to a login: a module that starts, registers and attaches.
const CONNECT: Duration = Duration::from_secs(180);
/// To say goodbye.
const GOODBYE: Duration = Duration::from_secs(20);

/// A module that is logged in.
pub struct Session<'a> {
    modem: HostModem<'a>,
    who: &'static str,
}

impl Via {
    /// Connects through the module, and subscribes. `who` stands before what is told on standard error.
    ///
    /// # Errors
    /// Why not.
    pub async fn open<'a>(
        &'a self,
        place: &'a Place,
        room: &'a mut Room,
        connection: &'a Connection,
        filters: &[(&str, QoS)],
        who: &'static str,
    ) -> Result<Session<'a>, Error> {
        let modem = self.begin(place, room, connection, filters).await?;
        let mut session = Session { modem, who };
        session.wait_for_connection().await?;
        Ok(session)
    }

    /// Begins to connect through the module, and to subscribe.
    ///
    /// # Errors
    /// The port cannot be used, or the options do not fit the model.
    pub async fn begin<'a>(
        &'a self,
        place: &'a Place,
        room: &'a mut Room,
        connection: &'a Connection,
        filters: &[(&str, QoS)],
    ) -> Result<HostModem<'a>, Error> {
        let opened = room.open(place.model, &place.port, self.baud).await;
        let mut modem = opened.map_err(Error::Port)?;
        let now = modem.now();
        for (filter, qos) in filters {
            let taken = modem.driver.subscribe(now, filter, *qos);
            taken.map_err(|error| Error::Subscribe((*filter).into(), error))?;
        }
        let options = Options {
            apn: self.apn.as_deref().map(|name| Apn {
                name,
                username: "",
                password: "",
            }),
            wifi: self.wifi.as_deref().map(|wifi| {
                let (ssid, password) = wifi.split_once(':').unwrap_or((wifi, ""));
                Wifi { ssid, password }
            }),
            tls: self.tls.then(|| Tls {
                ca: self.cafile.as_ref().map(|pem| pem.0.as_str()),
                identity: self
                    .cert
                    .as_ref()
                    .zip(self.key.as_ref())
                    .map(|(certificate, key)| (certificate.0.as_str(), key.0.as_str())),
                dates: true,
            }),
            ..connection.options(&place.own_id)
        };
        modem.driver.connect(now, options).map_err(Error::Options)?;
        Ok(modem)
    }

    /// Opens the module's port once more, for a modem whose port has ended.
    ///
    /// # Errors
    /// The port cannot be used.
    pub async fn open_again(&self, place: &Place) -> Result<HostLine, Error> {
        let baud = self.baud.unwrap_or(place.model.defaults.baud);
        HostLine::open(&place.port, baud).await.map_err(Error::Port)
    }
}

impl Session<'_> {
    async fn wait_for_connection(&mut self) -> Result<(), Error> {
        let mut last = None;
        let wait = async {
            loop {
                match self.modem.next().await? {
                    Event::Connected => return Ok(()),
                    Event::Recovering(Recovery {
                        why: Why::Refused(code),
                        ..
                    }) => return Err(Error::Refused(Refusal::Broker(code))),
                    Event::Recovering(recovery) => {
                        last = Some(recovery.why);
                        tell(self.who, recovery);
                    }
                    Event::Subscribed(_, Err(refusal)) => return Err(Error::Refused(refusal)),
                    _ => {}
                }
            }
        };
        match tokio::time::timeout(CONNECT, wait).await {
            Ok(result) => result,
            Err(_) => Err(Error::Timeout(last)),
        }
    }

    /// Publishes, and waits for what becomes of it. Waits for a connection before, when there is none.
    ///
    /// # Errors
    /// Why not.
    pub async fn publish(
        &mut self,
        topic: &str,
        payload: &[u8],
        qos: QoS,
        retain: bool,
    ) -> Result<(), Error> {
        let token = loop {
            let now = self.modem.now();
            match self.modem.driver.publish(now, topic, payload, qos, retain) {
                Ok(token) => break token,
                Err(PublishError::NotConnected) => self.wait_for_recovery().await?,
                Err(error) => return Err(Error::Publish(error)),
            }
        };
        match self.outcome(token).await? {
            Outcome::Delivered | Outcome::Sent => Ok(()),
            Outcome::Refused(refusal) => Err(Error::Refused(refusal)),
            Outcome::Unknown => Err(Error::Unknown),
        }
    }

    async fn outcome(&mut self, token: Token) -> Result<Outcome, Error> {
        loop {
            match self.modem.next().await? {
                Event::Published(own, outcome) if own == token => return Ok(outcome),
                Event::Recovering(recovery) => tell(self.who, recovery),
                _ => {}
            }
        }
    }

    async fn wait_for_recovery(&mut self) -> Result<(), Error> {
        let wait = async {
            while self.modem.next().await? != Event::Recovered {}
            Ok(())
        };
        match tokio::time::timeout(CONNECT, wait).await {
            Ok(result) => result,
            Err(_) => Err(Error::Timeout(None)),
        }
    }

    /// Gives each message to `take`, until it says that it has enough.
    ///
    /// # Errors
    /// The port cannot be used, a subscription was refused, or what `take` says.
    pub async fn listen(
        &mut self,
        mut take: impl FnMut(&Message<'_>) -> io::Result<bool>,
    ) -> Result<(), Error> {
        loop {
            match self.modem.next().await? {
                Event::Message(message) if take(&message).map_err(Error::Output)? => return Ok(()),
                Event::Subscribed(_, Err(refusal)) => return Err(Error::Refused(refusal)),
                Event::Recovering(recovery) => tell(self.who, recovery),
                Event::Recovered => eprintln!("modemq {}: connected again", self.who),
                _ => {}
            }
        }
    }

    /// Logs out.
    ///
    /// # Errors
    /// The port cannot be used.
    pub async fn disconnect(mut self) -> Result<(), Error> {
        disconnect(&mut self.modem).await
    }
}

/// Logs out.
///
/// # Errors
/// The port cannot be used.
pub async fn disconnect(modem: &mut HostModem<'_>) -> Result<(), Error> {
    let now = modem.now();
    modem.driver.disconnect(now);
    let wait = async {
        while modem.next().await? != Event::Disconnected {}
        Ok(())
    };
    tokio::time::timeout(GOODBYE, wait).await.unwrap_or(Ok(()))
}

fn tell(who: &str, recovery: Recovery) {
    eprintln!("modemq {who}: {}; {}", recovery.why, recovery.rung);
}

fn parse_place(text: &str) -> Result<Place, String> {
    let (model, port) = text
        .split_once(':')
        .filter(|(_, port)| !port.is_empty())
        .ok_or("expected MODEL:PORT, such as ec20:/dev/ttyUSB2 or air780ep:tcp:127.0.0.1:7000")?;
    Ok(Place {
        model: super::module::parse_model(model)?,
        port: port.into(),
        own_id: own_id(),
    })
}
