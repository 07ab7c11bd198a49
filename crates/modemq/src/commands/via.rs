//! `--via MODEL:PORT`: `modemq pub`, `modemq sub` and `modemq bridge` through a module.

use super::connection::{Connection, Limit, own_id};
use crate::identity::identify;
use crate::line::HostLine;
use crate::modem::{HostModem, Room};
use crate::output;
use clap::Args;
use dialect::Model;
use driver::{
    Apn, ConnectError, Event, Lack, Message, Options, Outcome, PublishError, QoS, Recovery,
    Refusal, SubscribeError, Tls, Token, Why, Wifi, asynch,
};
use std::fmt;
use std::io;
use std::process::ExitCode;
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};

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

    /// The PIN of the module's SIM
    #[arg(long, value_name = "PIN", requires = "via")]
    pin: Option<String>,

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

    /// Show what passes over the module's line on standard error, with times and without passwords and keys
    #[arg(short, long, requires = "via")]
    debug: bool,
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
    /// Another module is there: what it is, and what was wanted.
    Other(&'static Model, &'static Model),
    /// The options do not fit the model.
    Options(ConnectError),
    /// A topic does not.
    Subscribe(String, SubscribeError),
    /// A message does not.
    Publish(PublishError),
    /// Who refused.
    Refused(Refusal),
    /// Nobody knows whether the message arrived.
    Unknown {
        /// There was no time to send it again.
        timed_out: bool,
    },
    /// No connection in time; the last reason.
    Timeout(Option<Why>),
    /// Standard input cannot be read, or standard output written.
    Stream(io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(error) => f.write_str(error),
            Self::Other(is, wanted) => write!(
                f,
                "the module says that it is {}, not {}: --via {}:…",
                a(is),
                a(wanted),
                is.name
            ),
            Self::Options(error) => error.fmt(f),
            Self::Subscribe(topic, error) => write!(f, "{topic}: {error}"),
            Self::Publish(error) => error.fmt(f),
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Unknown { timed_out: false } => {
                f.write_str("nobody knows whether the message arrived")
            }
            Self::Unknown { timed_out: true } => {
                f.write_str("timed out: nobody knows whether the message arrived")
            }
            Self::Timeout(Some(why)) => write!(f, "timed out: {why}"),
            Self::Timeout(None) => f.write_str("timed out"),
            Self::Stream(error) => error.fmt(f),
        }
    }
}

impl Error {
    /// The exit status of mosquitto's clients: the code of a refusal, 27 for a time-out, 1 for the rest. Whoever stops reading has
    /// had enough.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Refused(Refusal::Broker(code)) => *code,
            Self::Timeout(_) | Self::Unknown { timed_out: true } => 27,
            Self::Stream(error) if output::is_closed(error) => 0,
            _ => 1,
        }
    }

    /// Says it on standard error; returns the exit status.
    pub fn tell(&self, who: &str) -> ExitCode {
        let code = self.exit_code();
        if code != 0 {
            eprintln!("modemq {who}: {self}");
        }
        code.into()
    }
}

impl From<asynch::Error<io::Error>> for Error {
    fn from(error: asynch::Error<io::Error>) -> Self {
        Self::Port(error.to_string())
    }
}

/// From the port to a login: a module that starts, registers and attaches.
const CONNECT: Duration = Duration::from_secs(180);
/// A module that answers nothing at all. Inferred: from power-on to the first answer takes the slowest 15 s.
const SILENT: Duration = Duration::from_secs(30);
/// To say goodbye.
const GOODBYE: Duration = Duration::from_secs(20);
/// What takes longer is told.
const PATIENT: Duration = Duration::from_secs(2);
/// How often `AT` is typed before it is told that nobody answers, and how long each waits.
const TRIES: u32 = 3;
const ANSWER: Duration = Duration::from_millis(700);

/// A module that is logged in.
pub struct Session<'a> {
    modem: HostModem<'a>,
    who: &'static str,
    /// All of it ends then.
    end: Option<Instant>,
    /// What is waited for, since when, and whether that was told.
    awaited: Awaited,
    /// Why there was no connection the last time.
    last: Option<Why>,
    /// Messages that came before the last subscription was granted, each with its topic and what it lacks.
    early: Vec<(Vec<u8>, Vec<u8>, Lack)>,
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
        limit: Limit,
        who: &'static str,
    ) -> Result<Session<'a>, Error> {
        let end = limit.given().map(|limit| Instant::now() + limit);
        let silent = Instant::now() + SILENT;
        let line = timeout_at(until(silent, end), self.find(place, who)).await;
        let line = line.map_err(|_| Error::Timeout(Some(Why::Silent)))??;
        let modem = self.start(room.at(place.model, line), place, connection, filters)?;
        let mut session = Session {
            modem,
            who,
            end,
            awaited: Awaited::default(),
            last: None,
            early: Vec::new(),
        };
        session.wait_for_connection().await?;
        Ok(session)
    }

    /// Begins to connect through the module, once it answers.
    ///
    /// # Errors
    /// The port cannot be used, another module is there, or the options do not fit the model.
    pub async fn begin<'a>(
        &'a self,
        place: &'a Place,
        room: &'a mut Room,
        connection: &'a Connection,
        who: &str,
    ) -> Result<HostModem<'a>, Error> {
        let line = self.find(place, who).await?;
        self.start(room.at(place.model, line), place, connection, &[])
    }

    async fn open_line(&self, place: &Place) -> Result<HostLine, Error> {
        let opened = HostLine::open(&place.port, self.rate(place)).await;
        let mut line = opened.map_err(Error::Port)?;
        if self.debug {
            line.tap();
        }
        Ok(line)
    }

    fn rate(&self, place: &Place) -> u32 {
        self.baud.unwrap_or(place.model.defaults.baud)
    }

    /// The line to the module, once it answers and is not another one. The driver would find out as well, in minutes.
    async fn find(&self, place: &Place, who: &str) -> Result<HostLine, Error> {
        let mut line = self.open_line(place).await?;
        let mut told = false;
        loop {
            let at = if line.is_serial() {
                format!(" at {} bit/s", self.rate(place))
            } else {
                String::new()
            };
            let asked = identify(line, TRIES, ANSWER).await;
            let (back, identity) =
                asked.map_err(|error| Error::Port(format!("{}: {error}", place.port)))?;
            line = back;
            let Some(identity) = identity else {
                if !told {
                    eprintln!(
                        "modemq {who}: the module at {} does not answer{at}; trying on. Is it powered, is this its AT port, is its rate \
                         right? `modemq identify {}` tries others",
                        place.port, place.port
                    );
                    told = true;
                }
                continue;
            };
            match identity.model {
                Some(is) if is.name == place.model.name => {}
                Some(is) if is.family != place.model.family => {
                    return Err(Error::Other(is, place.model));
                }
                Some(is) => eprintln!(
                    "modemq {who}: the module says that it is {}; used as {}, as --via has it",
                    a(is),
                    a(place.model)
                ),
                None if identity.says.is_empty() => {}
                None => eprintln!(
                    "modemq {who}: the module says that it is {}, which modemq does not know; used as {}",
                    identity.says.join(", "),
                    a(place.model)
                ),
            }
            return Ok(line);
        }
    }

    fn start<'a>(
        &'a self,
        mut modem: HostModem<'a>,
        place: &'a Place,
        connection: &'a Connection,
        filters: &[(&str, QoS)],
    ) -> Result<HostModem<'a>, Error> {
        let now = modem.now();
        for (filter, qos) in filters {
            let taken = modem.driver.subscribe(now, filter, *qos);
            taken.map_err(|error| Error::Subscribe((*filter).into(), error))?;
        }
        let options = Options {
            pin: self.pin.as_deref(),
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

    /// Opens the module's port once more, when it has ended.
    ///
    /// # Errors
    /// The port cannot be used.
    pub async fn open_again(&self, place: &Place, line: &mut HostLine) -> Result<(), Error> {
        let opened = line.open_again(&place.port, self.rate(place)).await;
        opened.map_err(Error::Port)
    }
}

/// What a driver waits for, since when, and whether that was told.
#[derive(Debug, Default)]
pub struct Awaited(Option<(Why, Instant, bool)>);

impl Awaited {
    /// How often to look.
    pub const OFTEN: Duration = Duration::from_millis(500);

    /// Looks at [`driver::Driver::awaits`]: what takes its time is told once.
    pub fn look(&mut self, who: &str, why: Option<Why>, now: Instant) {
        match (&mut self.0, why) {
            (Some((own, since, told)), Some(why)) if *own == why => {
                if !*told && now >= *since + PATIENT {
                    *told = true;
                    eprintln!("modemq {who}: {}", waiting_for(why));
                }
            }
            (awaited, why) => *awaited = why.map(|why| (why, now, false)),
        }
    }
}

/// The earlier one.
fn until(own: Instant, end: Option<Instant>) -> Instant {
    end.map_or(own, |end| end.min(own))
}

impl Session<'_> {
    /// Waits until something has happened, and tells what is waited for when that takes its time.
    async fn happen(&mut self, own: Option<Instant>) -> Result<(), Error> {
        let end = [own, self.end].into_iter().flatten().min();
        while !self.modem.driver.has_event() {
            let now = Instant::now();
            if end.is_some_and(|end| now >= end) {
                return Err(Error::Timeout(self.modem.driver.awaits().or(self.last)));
            }
            let why = self.modem.driver.awaits();
            self.awaited.look(self.who, why, now);
            let look = now + Awaited::OFTEN;
            if let Ok(waited) = timeout_at(until(look, end), self.modem.wait()).await {
                waited?;
            }
        }
        Ok(())
    }

    async fn wait_for_connection(&mut self) -> Result<(), Error> {
        let end = Instant::now() + CONNECT;
        loop {
            self.happen(Some(end)).await?;
            match self.modem.driver.poll_event() {
                Some(Event::Connected) => return Ok(()),
                Some(Event::Recovering(Recovery {
                    why: Why::Refused(code),
                    ..
                })) => return Err(Error::Refused(Refusal::Broker(code))),
                Some(Event::Subscribed(_, Err(refusal))) => return Err(Error::Refused(refusal)),
                Some(Event::Message(message)) => {
                    self.early
                        .push((message.topic.into(), message.payload.into(), message.lack));
                }
                Some(event) => note(self.who, &mut self.last, &event),
                None => {}
            }
        }
    }

    /// Publishes, and waits for what becomes of it. Waits for a connection before, when there is none. A message with QoS 1 of which
    /// nobody knows whether it has arrived is sent again; one with QoS 2 is not, since the broker might take it for another one.
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
        let mut token = loop {
            let now = self.modem.now();
            match self.modem.driver.publish(now, topic, payload, qos, retain) {
                Ok(token) => break token,
                Err(PublishError::NotConnected) => self.wait_for_recovery().await?,
                Err(error) => return Err(Error::Publish(error)),
            }
        };
        // From here on it may be on its way.
        let doubt = |error| match error {
            Error::Timeout(_) => Error::Unknown { timed_out: true },
            error => error,
        };
        let mut in_doubt = false;
        loop {
            let outcome = self.outcome(token).await.map_err(doubt)?;
            match outcome {
                Outcome::Delivered | Outcome::Sent => return Ok(()),
                Outcome::Refused(refusal) if !in_doubt => return Err(Error::Refused(refusal)),
                Outcome::Unknown if qos != QoS::AtLeastOnce => {
                    return Err(Error::Unknown { timed_out: false });
                }
                Outcome::Unknown | Outcome::Refused(_) => {}
            }
            if outcome == Outcome::Unknown {
                in_doubt = true;
                eprintln!(
                    "modemq {}: nobody knows whether the broker has the message; it is sent again, and may arrive twice",
                    self.who
                );
            }
            token = loop {
                let now = self.modem.now();
                match self.modem.driver.republish(now) {
                    Ok(token) => break token,
                    Err(PublishError::NotConnected) => {
                        self.wait_for_recovery().await.map_err(doubt)?;
                    }
                    Err(_) => return Err(Error::Unknown { timed_out: false }),
                }
            };
        }
    }

    async fn outcome(&mut self, token: Token) -> Result<Outcome, Error> {
        loop {
            self.happen(None).await?;
            match self.modem.driver.poll_event() {
                Some(Event::Published(own, outcome)) if own == token => return Ok(outcome),
                Some(event) => note(self.who, &mut self.last, &event),
                None => {}
            }
        }
    }

    async fn wait_for_recovery(&mut self) -> Result<(), Error> {
        let end = Instant::now() + CONNECT;
        while !self.modem.driver.is_connected() {
            self.happen(Some(end)).await?;
            if let Some(event) = self.modem.driver.poll_event() {
                note(self.who, &mut self.last, &event);
            }
        }
        Ok(())
    }

    /// Keeps the connection, until the port cannot be used or the time is over. May be dropped while it waits.
    pub async fn idle(&mut self) -> Error {
        loop {
            if let Err(error) = self.happen(None).await {
                return error;
            }
            if let Some(event) = self.modem.driver.poll_event() {
                note(self.who, &mut self.last, &event);
            }
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
        for (topic, payload, lack) in std::mem::take(&mut self.early) {
            let message = Message {
                topic: &topic,
                payload: &payload,
                lack,
            };
            if take(&message).map_err(Error::Stream)? {
                return Ok(());
            }
        }
        loop {
            self.happen(None).await?;
            match self.modem.driver.poll_event() {
                Some(Event::Message(message)) if take(&message).map_err(Error::Stream)? => {
                    return Ok(());
                }
                Some(Event::Subscribed(_, Err(refusal))) => return Err(Error::Refused(refusal)),
                Some(event) => note(self.who, &mut self.last, &event),
                None => {}
            }
        }
    }

    /// Logs out after `result`, and returns it.
    ///
    /// # Errors
    /// Those of the result, and then of the port.
    pub async fn end<T>(mut self, result: Result<T, Error>) -> Result<T, Error> {
        let is_broken = matches!(result, Err(Error::Port(_)));
        let goodbye = if is_broken {
            Ok(())
        } else {
            disconnect(&mut self.modem).await
        };
        let value = result?;
        goodbye.map(|()| value)
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
    timeout(GOODBYE, wait).await.unwrap_or(Ok(()))
}

/// What is told of an event that nobody waits for.
fn note(who: &str, last: &mut Option<Why>, event: &Event<'_>) {
    match event {
        Event::Recovering(recovery) => {
            *last = Some(recovery.why);
            let Recovery {
                rung,
                attempt,
                why,
                wait,
            } = recovery;
            let seconds = wait.as_secs_f32();
            eprintln!("modemq {who}: {why}; {rung}, attempt {attempt}, in {seconds:.1} s");
        }
        Event::Recovered => eprintln!("modemq {who}: connected again"),
        Event::Damaged(bytes) => {
            eprintln!("modemq {who}: {bytes} bytes of the module were not to be understood");
        }
        _ => {}
    }
}

fn waiting_for(why: Why) -> String {
    match why {
        Why::Silent => "waiting for the module to answer".into(),
        Why::Sim => "the module has no SIM that is usable; asking again".into(),
        Why::NotRegistered => "waiting for registration with the network".into(),
        Why::NoBearer => "waiting for packet service, PDP context or Wi-Fi".into(),
        Why::NotOpened => "waiting for the connection to the broker".into(),
        Why::NotLoggedIn => "waiting for the broker to answer the login".into(),
        Why::Unanswered => "waiting for the broker's acknowledgement".into(),
        why => format!("waiting: {why}"),
    }
}

/// `an EC20`, `a BC26`.
fn a(model: &Model) -> String {
    let vowel = model.title.starts_with(['A', 'E', 'N']);
    format!("{} {}", if vowel { "an" } else { "a" }, model.title)
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
