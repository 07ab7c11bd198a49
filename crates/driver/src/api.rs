//! What goes into a driver and what comes out of it.

use core::fmt;
use core::time::Duration;
use dialect::wire;

/// Quality of service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QoS {
    /// 0: at most once.
    #[default]
    AtMostOnce,
    /// 1: at least once.
    AtLeastOnce,
    /// 2: exactly once.
    ExactlyOnce,
}

impl QoS {
    /// 0, 1 or 2.
    pub const fn level(self) -> u8 {
        self as u8
    }

    /// The quality of this number; `None` above 2.
    pub const fn from_level(level: u8) -> Option<Self> {
        match level {
            0 => Some(Self::AtMostOnce),
            1 => Some(Self::AtLeastOnce),
            2 => Some(Self::ExactlyOnce),
            _ => None,
        }
    }
}

/// What the driver works in. Everything that it holds is in here or in [`Driver`](crate::Driver) itself.
#[derive(Debug)]
pub struct Memory<'a> {
    /// The line that is being received: as long as the longest message that is to be taken, with its topic and 32 bytes more
    /// (twice the message and that on a BC26), and 128 at least. A message that is longer is cut, and [`Message::lack`] says so; where
    /// its report does not tell its length, which is on BC26 and NT35E, it is lost ([`Event::Damaged`]).
    pub line: &'a mut [u8],
    /// The command line that is being sent: 256 bytes, or as long as client id, user name and password together and 32 more; on an
    /// NT35E as long as the Base64 of [`Tls::ca`] and 32 more, which is 1,200 to 2,000 bytes for one with an RSA key.
    pub command: &'a mut [u8],
    /// The message that is being published, with its topic. It is kept until its outcome is known.
    pub outbox: &'a mut [u8],
    /// The topics that are subscribed to, each with 6 bytes more.
    pub topics: &'a mut [u8],
}

/// Where to connect, and as whom. The strings are the caller's, and are typed as they are: Huawei's, Aliyun's and ThingsBoard's
/// credentials are nothing special.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// The broker's name or address.
    pub host: &'a str,
    /// Its port.
    pub port: u16,
    /// Client identifier.
    pub client_id: &'a str,
    /// User name.
    pub username: Option<&'a str>,
    /// Password; not without a user name.
    pub password: Option<&'a str>,
    /// Keep alive in seconds. Every model takes 1 to 3600; 0, which is off, and more are refused by those that do not.
    pub keep_alive: u16,
    /// A clean session: the broker forgets the client when the connection ends.
    pub clean_session: bool,
    /// Last will.
    pub will: Option<Will<'a>>,
    /// The PIN of the SIM, typed when it asks for one. One that the SIM has refused is not typed again before the next
    /// [`Driver::connect`](crate::Driver::connect), whatever starts anew meanwhile, and one whose answer was lost is typed twice at
    /// most: the third wrong one locks the SIM.
    pub pin: Option<&'a str>,
    /// The access point of the mobile network; `None`: what the SIM's operator gives.
    pub apn: Option<Apn<'a>>,
    /// The Wi-Fi access point; `None`: the one that the module joins by itself.
    pub wifi: Option<Wifi<'a>>,
    /// TLS; `None`: plain TCP.
    pub tls: Option<Tls<'a>>,
    /// Can the caller reset the module? Give an ESP-AT this pin: it waits for a message's data for ever. Then the last rung is [`Event::Reset`], and otherwise a command, which a module that
    /// hears nothing does not hear.
    pub reset_pin: bool,
    /// How long the driver waits.
    pub patience: Patience,
}

impl<'a> Options<'a> {
    /// The texts that are typed in command lines, where a control character would be a key.
    pub(crate) fn typed(&self) -> impl Iterator<Item = &'a str> {
        let will = self.will.map(|will| [will.topic, will.payload]);
        let apn = self.apn.map(|apn| [apn.name, apn.username, apn.password]);
        let wifi = self.wifi.map(|wifi| [wifi.ssid, wifi.password]);
        [self.host, self.client_id]
            .into_iter()
            .chain(self.username)
            .chain(self.password)
            .chain(self.pin)
            .chain(will.into_iter().flatten())
            .chain(apn.into_iter().flatten())
            .chain(wifi.into_iter().flatten())
    }
}

/// Without what is secret.
impl fmt::Debug for Options<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("client_id", &self.client_id)
            .field("username", &self.username)
            .field("keep_alive", &self.keep_alive)
            .field("clean_session", &self.clean_session)
            .field("will", &self.will)
            .field("apn", &self.apn)
            .field("wifi", &self.wifi)
            .field("tls", &self.tls)
            .field("reset_pin", &self.reset_pin)
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self {
            host: "",
            port: 1883,
            client_id: "",
            username: None,
            password: None,
            keep_alive: 60,
            clean_session: true,
            will: None,
            pin: None,
            apn: None,
            wifi: None,
            tls: None,
            reset_pin: false,
            patience: Patience::default(),
        }
    }
}

/// A last will.
#[derive(Clone, Copy, Debug)]
pub struct Will<'a> {
    /// Its topic.
    pub topic: &'a str,
    /// Its message.
    pub payload: &'a str,
    /// Its quality of service.
    pub qos: QoS,
    /// Does the broker keep it?
    pub retain: bool,
}

/// TLS. Certificates and keys are PEM. What a model lacks is refused by [`Driver::connect`](crate::Driver::connect) with a
/// [`TlsError`].
///
/// | | server checked | client's certificate | typed when |
/// |---|---|---|---|
/// | Luat's, EC20, BG95 | yes | yes | no file of that name and length is there; the name is made of what it holds. What is not used any more is not deleted |
/// | ESP32-C3 | yes | yes | what its `mqtt_ca`, `mqtt_cert` and `mqtt_key` hold is another, or longer than [`Memory::line`] |
/// | BC26 | yes | yes | with each [`Driver::connect`](crate::Driver::connect) and each restart: it does not show what it has |
/// | NT35E | yes, one authority of at most 4,000 bytes of Base64, which [`Memory::command`] must hold | no | with each connection: it forgets it when the connection ends |
/// | ESP8266 | no TLS | | |
#[derive(Clone, Copy)]
pub struct Tls<'a> {
    /// The authority that the server's certificate must be of; `None`: the server is not checked.
    pub ca: Option<&'a str>,
    /// The client's certificate and private key.
    pub identity: Option<(&'a str, &'a str)>,
    /// Must the certificates be valid by the module's clock? Luat's and Espressif's modules always mind it, an NT35E never.
    pub dates: bool,
}

/// Without what is secret.
impl fmt::Debug for Tls<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("ca", &self.ca.is_some())
            .field("identity", &self.identity.is_some())
            .field("dates", &self.dates)
            .finish()
    }
}

impl<'a> Tls<'a> {
    /// The three files: authority, certificate, key.
    pub(crate) fn file(&self, slot: u8) -> Option<&'a str> {
        match slot {
            0 => self.ca,
            1 => self.identity.map(|(certificate, _)| certificate),
            _ => self.identity.map(|(_, key)| key),
        }
    }

    /// Is all of it PEM? A path in its place, or nothing, would be found out only by a handshake that fails.
    pub(crate) fn is_pem(&self) -> bool {
        let has = |text: &str, part: &str| wire::find(text.as_bytes(), part.as_bytes()).is_some();
        (0..3).all(|slot| {
            self.file(slot)
                .is_none_or(|text| has(text, "-----BEGIN ") && has(text, "-----END "))
        })
    }

    /// 0 nobody is checked, 1 the server is, 2 both are.
    pub(crate) fn level(&self) -> i64 {
        match (self.identity, self.ca) {
            (Some(_), _) => 2,
            (None, Some(_)) => 1,
            (None, None) => 0,
        }
    }
}

/// An access point of the mobile network.
#[derive(Clone, Copy)]
pub struct Apn<'a> {
    /// Its name.
    pub name: &'a str,
    /// User name; may be empty.
    pub username: &'a str,
    /// Password; may be empty.
    pub password: &'a str,
}

/// Without its password.
impl fmt::Debug for Apn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Apn")
            .field("name", &self.name)
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

/// A Wi-Fi access point.
#[derive(Clone, Copy)]
pub struct Wifi<'a> {
    /// Its name.
    pub ssid: &'a str,
    /// Its password; empty when it is open.
    pub password: &'a str,
}

/// Without its password.
impl fmt::Debug for Wifi<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wifi")
            .field("ssid", &self.ssid)
            .finish_non_exhaustive()
    }
}

/// How long the driver waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Before the second attempt to recover. Each further wait is twice as long, give or take a quarter.
    pub first_wait: Duration,
    /// The longest wait between two attempts.
    pub longest_wait: Duration,
    /// How often an idle module is asked whether it is still logged in: a report of the end may have been lost.
    pub check: Duration,
    /// Nothing is typed so long after a final result: a second copy of it falls into this gap.
    pub gap: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            first_wait: Duration::from_secs(1),
            longest_wait: Duration::from_secs(60),
            check: Duration::from_secs(60),
            gap: Duration::from_millis(20),
        }
    }
}

/// The name of a request, for its event. Numbers begin again after 65,535 requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Token(pub u16);

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The broker has acknowledged it.
    Delivered,
    /// QoS 0: the module has handed it over to the network.
    Sent,
    /// The broker does not have it.
    Refused(Refusal),
    /// Nobody knows: the answer or the link was lost meanwhile. A message with QoS 1 or 2 is kept, and
    /// [`Driver::republish`](crate::Driver::republish) sends it again. No module lets the host set DUP, and Luat's and Espressif's
    /// not the packet identifier either, so the broker may take it for another message and have it twice, with QoS 2 as well.
    Unknown,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Delivered => "delivered",
            Self::Sent => "sent",
            Self::Refused(refusal) => return refusal.fmt(f),
            Self::Unknown => "nobody knows whether the message arrived",
        })
    }
}

/// Who refused, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The module: `ERROR`, or this code of `+CME ERROR`.
    Module(Option<u16>),
    /// The broker: the code of its CONNACK, or 128 of its SUBACK.
    Broker(u8),
    /// The link was lost before the request was typed.
    NotConnected,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Module(None) => f.write_str("the module answered ERROR"),
            Self::Module(Some(code)) => write!(f, "the module answered +CME ERROR: {code}"),
            Self::Broker(1) => f.write_str("the broker does not speak this version of MQTT"),
            Self::Broker(2) => f.write_str("the broker refused the client identifier"),
            Self::Broker(3) => f.write_str("the broker's service is unavailable"),
            Self::Broker(4) => f.write_str("the broker refused user name or password"),
            Self::Broker(5) => f.write_str("the broker did not authorize the client"),
            Self::Broker(128) => f.write_str("the broker refused the subscription"),
            Self::Broker(code) => write!(f, "the broker refused with code {code}"),
            Self::NotConnected => f.write_str("the link was lost before it was typed"),
        }
    }
}

/// Why there is no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The module answers nothing, or nothing that can be understood.
    Silent,
    /// It answers, and not the driver's question as this model does: it is another one.
    NotUnderstood,
    /// The module started anew.
    Rebooted,
    /// No SIM, or one that is broken.
    Sim,
    /// The SIM wants its PIN, which was not given or was wrong, or its PUK. No rung mends that: it is asked again, and nothing is
    /// typed that costs an attempt.
    SimLocked,
    /// Not registered with the network.
    NotRegistered,
    /// No packet service, PDP context or Wi-Fi.
    NoBearer,
    /// The network took the PDP context or the Wi-Fi away.
    BearerLost,
    /// The TCP or TLS connection was not made.
    NotOpened,
    /// The TCP connection was closed or broke.
    Closed,
    /// The broker did not answer the login, or the module says no more.
    NotLoggedIn,
    /// The broker refused the login, with this code of CONNACK when the module shows it.
    Refused(u8),
    /// A subscription or a message was not acknowledged in time.
    Unanswered,
    /// The module says, being asked, that it is not logged in.
    NotConnected,
    /// The module refused to be configured so.
    Configuration,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Silent => "the module does not answer",
            Self::NotUnderstood => "the module answers, and not as this model does",
            Self::Rebooted => "the module started anew",
            Self::Sim => "the SIM is not usable",
            Self::SimLocked => "the SIM is locked: it wants its PIN or PUK",
            Self::NotRegistered => "not registered with the network",
            Self::NoBearer => "no packet service, PDP context or Wi-Fi",
            Self::BearerLost => "the network took the PDP context or the Wi-Fi away",
            Self::NotOpened => "the broker cannot be reached",
            Self::Closed => "the connection was closed",
            Self::NotLoggedIn => "the broker did not answer the login",
            Self::Refused(code) => return write!(f, "{}", Refusal::Broker(*code)),
            Self::Unanswered => "the broker did not acknowledge in time",
            Self::NotConnected => "the module says that it is not logged in",
            Self::Configuration => "the module refused a setting",
        })
    }
}

/// What the driver does to recover, from the cheapest to the dearest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rung {
    /// Subscribe again.
    Resubscribe,
    /// Log in again on the open TCP connection.
    Reconnect,
    /// Close and open the TCP connection, and log in.
    Reopen,
    /// Deactivate and activate the PDP context; leave and join the access point.
    Reactivate,
    /// Radio off and on: `AT+CFUN`, or `AT+CWMODE`.
    Radio,
    /// Reset by the pin, or by a command.
    Reset,
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resubscribe => "subscribe again",
            Self::Reconnect => "log in again",
            Self::Reopen => "open the connection again",
            Self::Reactivate => "activate the bearer again",
            Self::Radio => "switch the radio off and on",
            Self::Reset => "reset the module",
        })
    }
}

/// Where the driver stands on its ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// What it will do.
    pub rung: Rung,
    /// Which attempt on this rung, from 1.
    pub attempt: u8,
    /// Why.
    pub why: Why,
    /// How long it waits before.
    pub wait: Duration,
}

/// A message that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'d> {
    /// Its topic.
    pub topic: &'d [u8],
    /// Its payload: any bytes.
    pub payload: &'d [u8],
    /// Whether something is missing.
    pub lack: Lack,
}

/// Whether something of a message is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// Nothing.
    Nothing,
    /// So many bytes, for which [`Memory::line`] had no room.
    Bytes(usize),
    /// Perhaps: it is as long as the model's longest report. A longer message is cut by Luat's and Quectel's, and continued in
    /// further messages by Espressif's.
    Perhaps,
}

/// What can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Query {
    /// Signal strength.
    Signal,
    /// Registration with the network.
    Registration,
    /// The SIM's number.
    Iccid,
    /// The module's number; with Wi-Fi its MAC address.
    Imei,
    /// The firmware.
    Firmware,
    /// The model.
    Model,
    /// The network's time, as the module writes it.
    Time,
}

/// An answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer<'d> {
    /// Signal strength: 0 to 31 as in `+CSQ` (−113 to −51 dBm in steps of 2), 99 unknown; with Wi-Fi in dBm, below 0.
    Signal(i16),
    /// `<stat>` of 3GPP TS 27.007 §7.2: 1 home, 5 roaming, 0 not, 2 searching, 3 denied.
    Registration(u8),
    /// What the module wrote.
    Text(&'d str),
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'d> {
    /// A message came.
    Message(Message<'d>),
    /// Logged in, and subscribed to everything.
    Connected,
    /// Logged out, as asked.
    Disconnected,
    /// The connection is lost. The driver recovers by itself.
    Lost(Why),
    /// The driver is about to do this.
    Recovering(Recovery),
    /// Logged in and subscribed again.
    Recovered,
    /// What became of a message.
    Published(Token, Outcome),
    /// What became of a subscription.
    Subscribed(Token, Result<(), Refusal>),
    /// A subscription has ended; or it has not, since the module or the broker refused that three times, and goes on.
    Unsubscribed(Token, Result<(), Refusal>),
    /// The answer to a query.
    Answer(Query, Answer<'d>),
    /// A query has no answer.
    Unanswered(Query),
    /// A line that a raw command printed.
    Line(&'d [u8]),
    /// A line that the driver knows nothing of: what follows a raw command of the caller's, such as `+QPING:`, and what the firmware
    /// says besides.
    Unsolicited(&'d [u8]),
    /// A raw command has ended.
    Done(Result<(), CommandFailure>),
    /// Pull the module's reset pin now, as long as its manual says.
    Reset,
    /// So many bytes of the serial line were not to be understood.
    Damaged(usize),
}

/// How a raw command failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandFailure {
    /// `ERROR`, or this code of `+CME ERROR`.
    Refused(Option<u16>),
    /// No final result in time.
    TimedOut,
    /// The module started anew meanwhile.
    Rebooted,
    /// It wants data. Nothing is typed until the module must have given up.
    Prompted,
}

impl fmt::Display for CommandFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(code) => write!(f, "{}", Refusal::Module(*code)),
            Self::TimedOut => f.write_str("no final result in time"),
            Self::Rebooted => f.write_str("the module started anew meanwhile"),
            Self::Prompted => f.write_str("it wants data, and a raw command has none"),
        }
    }
}

/// Why a message is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublishError {
    /// There is no connection.
    NotConnected,
    /// Another message is on its way: wait for its [`Event::Published`].
    Busy,
    /// The model takes so many bytes, and the message has more.
    TooLong(usize),
    /// The model cannot carry these bytes.
    Bytes,
    /// The model cannot write this topic, or it is longer than it takes.
    Topic,
    /// [`Memory::outbox`] has no room for it, or [`Memory::command`] for its command.
    Memory,
    /// There is no message whose outcome is unknown.
    Nothing,
}

impl fmt::Display for PublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotConnected => f.write_str("not connected"),
            Self::Busy => f.write_str("another message is on its way"),
            Self::TooLong(limit) => write!(f, "the model takes messages of up to {limit} bytes"),
            Self::Bytes => f.write_str("the model cannot carry these bytes"),
            Self::Topic => f.write_str("the model cannot write this topic"),
            Self::Memory => f.write_str("the outbox or the command memory is too small"),
            Self::Nothing => f.write_str("no message has an unknown outcome"),
        }
    }
}

/// Why a subscription is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscribeError {
    /// The model cannot write this topic, or it is longer than it takes.
    Topic,
    /// [`Memory::topics`] has no room for it, or [`Memory::command`] for its command.
    Memory,
    /// It is not subscribed to.
    Unknown,
}

impl fmt::Display for SubscribeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Topic => "the model cannot write this topic",
            Self::Memory => "there is no room for another topic",
            Self::Unknown => "the topic is not subscribed to",
        })
    }
}

/// Why a connection is not begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectError {
    /// There is one already, or a query or command runs.
    Busy,
    /// The host is empty, the will's topic is none, there is a password without a user name, or a control character in a text; or host, client identifier, user name, password or will is longer than the model takes, or cannot be written.
    Options,
    /// The model cannot do TLS like this.
    Tls(TlsError),
    /// [`Memory::command`] is too small for the command of these options, or [`Memory::line`] for what a module says of itself.
    Memory,
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Busy => "there is a connection already, or a command runs",
            Self::Options => "the model cannot write these options",
            Self::Tls(error) => return error.fmt(f),
            Self::Memory => {
                "the memory of the command is too small for these options, or that of the line"
            }
        })
    }
}

/// What is wrong with [`Options::tls`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsError {
    /// The model has no TLS.
    NotOnThisModel,
    /// The model has no place for a certificate of the client's.
    NoIdentity,
    /// A certificate or a key is not PEM.
    NotPem,
    /// There is more than one authority in [`Tls::ca`], and the model takes one.
    OneAuthority,
    /// The authority's certificate is longer than so many bytes of Base64, which is what the model takes.
    TooLong(usize),
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotOnThisModel => "no TLS on this model",
            Self::NoIdentity => {
                "the model has no place for a client's certificate: it can check the server, and no more"
            }
            Self::NotPem => "a certificate or key is not PEM",
            Self::OneAuthority => "the model takes the certificate of one authority",
            Self::TooLong(limit) => {
                return write!(f, "the model takes a certificate of up to {limit} bytes of Base64");
            }
        })
    }
}

/// Why a query or a raw command is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandError {
    /// Another one runs, one of the driver's own perhaps, or it is being found out what the module hears:
    /// [`Driver::can_command`](crate::Driver::can_command).
    Busy,
    /// The model has nothing that answers this.
    NotOnThisModel,
    /// [`Memory::command`] is too small, or the line holds a line end.
    Line,
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Busy => "another command runs",
            Self::NotOnThisModel => "the model has nothing that answers this",
            Self::Line => "the line is too long, or holds a line end",
        })
    }
}

impl core::error::Error for PublishError {}
impl core::error::Error for SubscribeError {}
impl core::error::Error for ConnectError {}
impl core::error::Error for TlsError {}
impl core::error::Error for CommandError {}

/// What was seen on the line that belongs to nothing. Counted, never credited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Final results when no command ran: late ones, and second copies.
    pub stray_results: u32,
    /// Lines that are neither an answer nor a known report.
    pub unknown_lines: u32,
    /// Bytes that were not to be understood.
    pub damaged_bytes: u32,
    /// Commands whose final result did not come in time.
    pub timeouts: u32,
    /// Typed again to find out what the module hears.
    pub resyncs: u32,
}
