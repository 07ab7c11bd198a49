//! A module's state as a bench wants to see it: plain data, taken at one moment.

use crate::api::{Registration, Sim};
use mqtt::QoS;
use std::net::Ipv4Addr;

/// Everything that [`crate::Module::state`] tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Whether it runs.
    pub power: Power,
    /// `AT+CFUN`: 0 minimum, 1 full, 4 radio off. On a Wi-Fi module 1.
    pub functionality: u8,
    /// `+CSQ`: 0 to 31, 99 unknown or none.
    pub rssi: u8,
    /// The registration as the module knows it. A Wi-Fi module is at home when it has an address of an access point.
    pub registration: Registration,
    /// Whether it is attached for packet service.
    pub attached: bool,
    /// The SIM; `None` on a Wi-Fi module.
    pub sim: Option<Sim>,
    /// The module's clock: UTC in seconds since 1970; 0 while nobody has set it.
    pub unix_time: i64,
    /// The PDP contexts that are defined, in the order of their definition; none on a Wi-Fi module.
    pub pdp: Vec<PdpState>,
    /// The access point; `None` on a cellular module, and when the station is associated with none.
    pub wifi: Option<WifiState>,
    /// Connections that there are, or that the host has yet to close.
    pub links: Vec<LinkState>,
    /// The serial line.
    pub serial: SerialState,
}

/// Whether a module runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Power {
    /// It has none, or switched itself off.
    Off,
    /// It does not listen to the serial line yet.
    Booting,
    /// It runs.
    On,
}

/// A PDP context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PdpState {
    /// Its number, from 1.
    pub cid: u8,
    /// `IP`, `IPV6`, `IPV4V6`, as the host typed it.
    pub kind: String,
    /// The APN that it has or would get.
    pub apn: String,
    /// Its address; `None` while it is not active.
    pub address: Option<Ipv4Addr>,
}

/// The association of a Wi-Fi station.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WifiState {
    /// The access point's name.
    pub ssid: String,
    /// Whether it has given an address.
    pub has_address: bool,
}

/// A connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkState {
    /// Its number among its kind, as the host's commands count, from 0.
    pub index: usize,
    /// What runs on it.
    pub protocol: Protocol,
    /// Where to, as the host typed it.
    pub host: String,
    /// TCP or UDP port.
    pub port: u16,
    /// Whether there is TLS below.
    pub tls: bool,
    /// Whether there is a WebSocket below.
    pub websocket: bool,
    /// How far it is.
    pub phase: Phase,
    /// The MQTT session, from CONNECT on.
    pub session: Option<SessionState>,
}

/// What runs on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// MQTT.
    Mqtt,
    /// The host's own bytes on TCP, or on TLS.
    Tcp,
    /// The host's own datagrams.
    Udp,
}

/// How far a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// There is none.
    Closed,
    /// The transport is being opened.
    Opening,
    /// The transport is open; nobody has logged in.
    Open,
    /// CONNECT was sent.
    LoggingIn,
    /// The server accepted.
    Up,
    /// DISCONNECT was sent; the transport is still open.
    LoggedOut,
    /// There is no transport any more, but the host was not told and has not closed the link: the server closed it
    /// after DISCONNECT, or the network below is gone.
    Dead,
}

/// An MQTT session as the client knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionState {
    /// Who it is.
    pub client_id: String,
    /// Whether the server forgets it at its end.
    pub clean_session: bool,
    /// Seconds; 0: off.
    pub keep_alive: u16,
    /// Filters and the QoS that the server granted, the last 1,000. It may know of more, from an earlier connection.
    pub subscriptions: Vec<(String, QoS)>,
    /// Packets that await an acknowledgement.
    pub in_flight: usize,
}

/// What has passed over the serial line since the module was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SerialState {
    /// Bits per second.
    pub baud: u32,
    /// Bytes from the host, those included that a starting module has lost.
    pub from_host: u64,
    /// Bytes for the host.
    pub to_host: u64,
    /// Lines and data from the host.
    pub lines: u64,
    /// Bytes for the host that wait for their turn.
    pub waiting: usize,
}

/// Something that a bench waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It listens to the serial line.
    Booted,
    /// Power is gone.
    PowerOff,
    /// There is service.
    Registered,
    /// There is none any more.
    Unregistered,
    /// A PDP context is up.
    PdpUp(u8),
    /// A PDP context is down.
    PdpDown(u8),
    /// A server has accepted the client of this identifier.
    Connected(String),
    /// That session is over, or its connection is.
    Disconnected(String),
    /// The server has granted this filter.
    Subscribed(String, QoS),
    /// The server has acknowledged that this filter is gone.
    Unsubscribed(String),
    /// A message was sent to the server, for the first time or again.
    Sent(Message),
    /// A message came from the server.
    Received(Message),
}

/// An MQTT message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Where it is published.
    pub topic: String,
    /// What.
    pub payload: Vec<u8>,
    /// With which QoS.
    pub qos: QoS,
    /// The flag.
    pub retain: bool,
}
