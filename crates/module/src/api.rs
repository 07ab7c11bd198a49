//! What goes into a module and what comes out of it.

use crate::flash::{Content, Flash, FlashItem};
use crate::state::Event;
use crate::tls::Tls;
use instant::Instant;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

/// A transport that the module asked for. Never used again once it is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LinkId(pub u32);

/// A name look-up that the module asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct QueryId(pub u32);

/// What became of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkEvent<'a> {
    /// The transport to this address is up; with TLS, after the handshake.
    Opened(IpAddr),
    /// It did not come up.
    Failed(NetError),
    /// Bytes from the peer, in any slicing.
    Data(&'a [u8]),
    /// The peer closed its side (FIN).
    Closed,
    /// The transport broke (RST, time-out).
    Reset,
}

/// What runs between TCP and MQTT.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transport {
    /// TLS.
    pub tls: Option<Box<Tls>>,
    /// A WebSocket on top, at this path of the server; the bytes of a link are then the payload of its binary messages.
    pub websocket: Option<String>,
}

/// Why a transport or a look-up failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetError {
    /// The name has no address, or no server answered.
    Dns,
    /// The peer refused (RST to SYN).
    Refused,
    /// Nobody answered in time.
    Timeout,
    /// No route.
    Unreachable,
    /// The peer broke the connection off while it was being made.
    Reset,
    /// The TLS handshake failed.
    Tls,
    /// The server does not speak WebSocket there.
    WebSocket,
    /// Anything else.
    Other,
}

impl fmt::Display for NetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dns => "name not resolved",
            Self::Refused => "connection refused",
            Self::Timeout => "connection timed out",
            Self::Unreachable => "no route to host",
            Self::Reset => "connection reset",
            Self::Tls => "TLS handshake failed",
            Self::WebSocket => "no WebSocket there",
            Self::Other => "network error",
        })
    }
}

impl std::error::Error for NetError {}

/// What the world does to a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetworkEvent {
    /// The network takes the PDP context away (`+CGEV: NW PDN DEACT 1`): links die without a word to the peer.
    PdpDeactivated,
    /// The signal changes: 0 to 31 as in `+CSQ`, 99 unknown. Without a signal a cellular module loses its registration, and a
    /// Wi-Fi module its access point.
    Signal {
        /// Received signal strength indication, 0 to 31, 99 unknown.
        rssi: u8,
    },
    /// The registration changes.
    Registration(Registration),
    /// The SIM changes.
    Sim(Sim),
    /// The network gives another address: the PDP context goes and comes back with it, a Wi-Fi station keeps its access point.
    // Source: 3GPP TS 24.301 §6.4.4.2, ESM cause 39, reactivation requested.
    AddressChanged,
    /// The SIM is busy until it was asked for so often, and then ready. On a Wi-Fi module nothing.
    SimBusy {
        /// How often commands that need it get `+CME ERROR: 14`.
        times: u32,
    },
    /// The module's clock is set to this UTC, in seconds since 1970: 0 to 4,102,444,799 (the year 2099).
    ClockSet(i64),
    /// Power is cut and comes back: no goodbye to the peer, boot reports follow.
    PowerCycle,
    /// Power is cut, and stays so until [`NetworkEvent::PowerCycle`].
    PowerCut,
    /// The firmware crashes and starts again by itself.
    Crash,
    /// There is no room for files any more, or there is again.
    FlashFull(bool),
    /// The clock is as at power-on, until somebody sets it.
    ClockLost,
    /// The next extended commands are refused, whatever they are.
    CommandsFail {
        /// `+CME ERROR: code`, in the form that `AT+CMEE` asks for.
        code: u16,
        /// How many.
        commands: u32,
    },
    /// The host's UART has this rate, in bits per second. A module that finds the rate by itself takes it; to another one it
    /// makes no difference: what comes at a wrong rate is garbled by whoever knows both.
    HostRate {
        /// Bits per second.
        baud: u32,
    },
}

/// Network registration, `<stat>` of 3GPP TS 27.007 §7.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Registration {
    /// 0: not registered, not searching.
    NotRegistered,
    /// 1: registered, home network.
    #[default]
    Home,
    /// 2: searching.
    Searching,
    /// 3: denied (a SIM in arrears).
    Denied,
    /// 5: registered, roaming.
    Roaming,
}

impl Registration {
    /// The number that `+CREG` prints.
    pub const fn stat(self) -> u8 {
        match self {
            Self::NotRegistered => 0,
            Self::Home => 1,
            Self::Searching => 2,
            Self::Denied => 3,
            Self::Roaming => 5,
        }
    }

    /// Is there service?
    pub const fn has_service(self) -> bool {
        matches!(self, Self::Home | Self::Roaming)
    }
}

/// `home`, `roaming`, `searching`, `denied`, `none`.
impl fmt::Display for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotRegistered => "none",
            Self::Home => "home",
            Self::Searching => "searching",
            Self::Denied => "denied",
            Self::Roaming => "roaming",
        })
    }
}

impl FromStr for Registration {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "none" => Ok(Self::NotRegistered),
            "home" => Ok(Self::Home),
            "searching" => Ok(Self::Searching),
            "denied" => Ok(Self::Denied),
            "roaming" => Ok(Self::Roaming),
            _ => Err("home, roaming, searching, denied or none"),
        }
    }
}

/// The SIM as `+CPIN` tells it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Sim {
    /// Usable.
    #[default]
    Ready,
    /// Wants this PIN first.
    Pin(String),
    /// Not there.
    Absent,
    /// Still starting: `+CME ERROR: 14`.
    Busy,
}

/// `ready`, `absent`, `busy`, `pin:1234`.
impl fmt::Display for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready => f.write_str("ready"),
            Self::Pin(pin) => write!(f, "pin:{pin}"),
            Self::Absent => f.write_str("absent"),
            Self::Busy => f.write_str("busy"),
        }
    }
}

impl FromStr for Sim {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_pin = |pin: &&str| {
            (4..=8).contains(&pin.len()) && pin.bytes().all(|byte| byte.is_ascii_digit())
        };
        match text {
            "ready" => Ok(Self::Ready),
            "absent" => Ok(Self::Absent),
            "busy" => Ok(Self::Busy),
            _ => match text.strip_prefix("pin:").filter(is_pin) {
                Some(pin) => Ok(Self::Pin(pin.into())),
                None => Err("ready, absent, busy, or pin: and four to eight digits"),
            },
        }
    }
}

/// What the module wants done, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Bytes for the host.
    Serial(Vec<u8>),
    /// Resolve `host` and open a transport to it; answer with [`LinkEvent::Opened`] or [`LinkEvent::Failed`].
    Open {
        /// Its name from now on.
        link: LinkId,
        /// Name or address, as the host typed it.
        host: String,
        /// TCP port.
        port: u16,
        /// What runs inside the TCP connection.
        transport: Transport,
    },
    /// Bytes for the peer.
    Send {
        /// Which link.
        link: LinkId,
        /// What to send.
        bytes: Vec<u8>,
    },
    /// Send what is pending, then close (FIN). No further event is wanted.
    Close {
        /// Which link.
        link: LinkId,
    },
    /// Drop the link at once: what is pending is lost. The peer hears nothing, or RST where silence cannot be had.
    Abort {
        /// Which link.
        link: LinkId,
    },
    /// Look a name up; answer with `Module::resolved`.
    Resolve {
        /// Its name from now on.
        query: QueryId,
        /// The name.
        host: String,
    },
    /// The flash changes; only with [`Config::flash`]. It comes before the reply that tells of it.
    Flash {
        /// What is written or deleted.
        item: FlashItem,
        /// All that it holds now; `None`: it is gone. A folder holds nothing.
        content: Option<Content>,
    },
    /// The UART changes to this many bits per second.
    Baud(u32),
    /// The module has switched itself off.
    PoweredOff,
    /// What happened, for people; only with [`Config::trace`].
    Trace(Trace),
}

/// One line of the trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// When.
    pub at: Instant,
    /// What.
    pub kind: TraceKind,
}

/// What a trace line tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TraceKind {
    /// A command line from the host, or data that it typed.
    FromHost(Vec<u8>),
    /// A frame for the host.
    ToHost(Vec<u8>),
    /// An MQTT packet to the broker, in words.
    ToBroker(String),
    /// An MQTT packet from the broker, in words.
    FromBroker(String),
    /// A change of state: registration, PDP context, link, session.
    State(String),
    /// Something that a bench waits for; other lines tell people of it.
    Event(Event),
    /// Why something was refused, dropped, overwritten or truncated, and what would work.
    Note(String),
}

/// The module's end of the serial line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LineState {
    /// Bits per second.
    pub baud: u32,
    /// It takes the rate of the host, whatever that is.
    pub autobaud: bool,
    /// What it drives.
    pub circuits: Circuits,
}

/// The circuits of V.24 that a module drives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Circuits {
    /// Circuit 106, ready for sending.
    pub cts: bool,
    /// Circuit 107, data set ready.
    pub dsr: bool,
    /// Circuit 125, calling indicator.
    pub ri: bool,
    /// Circuit 109, received line signal detector.
    pub dcd: bool,
}

/// Whose module it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// 15 digits.
    pub imei: String,
    /// 20 digits.
    pub iccid: String,
    /// 15 digits.
    pub imsi: String,
    /// The MAC address of a Wi-Fi station.
    pub mac: String,
}

impl Default for Identity {
    /// Numbers from the vendor's manual pages (`AT*I`), which belong to nobody's device.
    fn default() -> Self {
        Self {
            imei: "864040060365518".into(),
            iccid: "89860621260002571487".into(),
            imsi: "460060086257148".into(),
            mac: "5c:cf:7f:80:aa:01".into(),
        }
    }
}

/// The network that the module finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Radio {
    /// `+CSQ`: 0 to 31, 99 unknown.
    pub rssi: u8,
    /// What becomes of the registration after power-on.
    pub registration: Registration,
    /// The SIM at power-on.
    pub sim: Sim,
    /// Long name of the operator, as `+COPS` prints it with format 0.
    pub operator: String,
    /// Short name, format 1.
    pub operator_short: String,
    /// MCC and MNC, five or six digits, format 2.
    pub plmn: String,
    /// Tracking area code, hexadecimal digits.
    pub tac: String,
    /// Cell identity, hexadecimal digits.
    pub cell: String,
    /// The APN that the network gives when the module asks for none.
    pub default_apn: String,
    /// The only APNs that get a PDP context; empty: any.
    pub allowed_apns: Vec<String>,
    /// The only names and addresses that the SIM may reach; empty: all. Source: tutorial §7 Q3, cards with directed IP.
    pub white_list: Vec<String>,
    /// The address of the first PDP context.
    pub address: std::net::Ipv4Addr,
    /// The name servers that the network gives.
    pub dns: [std::net::Ipv4Addr; 2],
    /// The Wi-Fi access points in reach; empty: one of every name, which takes every password.
    pub access_points: Vec<AccessPoint>,
    /// The address that an access point gives.
    pub station_address: std::net::Ipv4Addr,
}

/// A Wi-Fi access point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessPoint {
    /// Its name, up to 32 bytes.
    pub ssid: String,
    /// Empty: it is open.
    pub password: String,
}

impl Default for Radio {
    fn default() -> Self {
        Self {
            rssi: 24,
            registration: Registration::Home,
            sim: Sim::Ready,
            operator: "CHN-UNICOM".into(),
            operator_short: "UNICOM".into(),
            plmn: "46001".into(),
            tac: "1863".into(),
            cell: "00a2c315".into(),
            default_apn: "cmiot".into(),
            allowed_apns: Vec::new(),
            white_list: Vec::new(),
            address: std::net::Ipv4Addr::new(10, 173, 90, 29),
            dns: [
                std::net::Ipv4Addr::new(211, 136, 112, 50),
                std::net::Ipv4Addr::new(211, 136, 150, 66),
            ],
            access_points: Vec::new(),
            station_address: std::net::Ipv4Addr::new(192, 168, 1, 108),
        }
    }
}

/// How the module keeps time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pace {
    /// The model's delays, and no more bytes a second than its UART carries.
    #[default]
    Real,
    /// No delays.
    Fast,
}

/// How a module is made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Config {
    /// IMEI and friends.
    pub identity: Identity,
    /// The network around it.
    pub radio: Radio,
    /// Whether it takes its time.
    pub pace: Pace,
    /// UTC, in seconds since 1970, at the instant of power-on; without it the clock starts as an unset one does.
    pub unix_time: Option<u64>,
    /// How long a connection, and each answer of a peer, takes besides what the network itself takes; `None`: as long as on the
    /// model's network with [`Pace::Real`], no time with [`Pace::Fast`].
    pub latency: Option<Duration>,
    /// Bits per second of the UART; `None`: the model's default.
    pub baud: Option<u32>,
    /// Whether the tutorials' own forms are taken where the firmware refuses them; the trace marks each.
    pub as_written: bool,
    /// What the flash holds at the start; then its changes come out as [`Output::Flash`]. `None`: it is empty, and lives in
    /// memory.
    pub flash: Option<Flash>,
    /// Whether [`Output::Trace`] is wanted.
    pub trace: bool,
}
