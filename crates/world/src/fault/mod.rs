//! What can break, in words: `pdp-deact every 10m jitter 30%`.
//!
//! One line is one [`Fault`]. The same words stand on the command line, in transcripts, in weather files and in tests, and a fault
//! is printed as it would be written.
//!
//! ```
//! use world::Fault;
//!
//! let fault: Fault = "latency 200ms 50ms on link/downstream for 30s".parse().unwrap();
//! assert_eq!(fault.to_string(), "latency 200ms 50ms on link/downstream for 30s");
//!
//! let error = "pdp-deactt every 10m".parse::<Fault>().unwrap_err();
//! assert_eq!(
//!     error.to_string(),
//!     "column 1: there is no fault \"pdp-deactt\"; did you mean \"pdp-deact\"?"
//! );
//! ```

mod parse;
mod words;

pub use parse::{FaultError, parse_time, write_time};
pub use words::{ALIASES, Layer, Span, WORDS, Word};

use dialect::Model;
use dialect::model::Bearer;
use module::{Registration, Sim};
use std::time::Duration;

/// Something that breaks: what, where, when, for how long and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What breaks.
    pub what: What,
    /// Where; `None`: where it belongs.
    pub on: Option<Place>,
    /// When it strikes.
    pub when: When,
    /// By how much of themselves the times of [`Fault::when`] and [`Fault::lasts`] vary, either way.
    pub jitter: Share,
    /// How long it lasts; `None`: until it is cleared, unless it is over at once.
    pub lasts: Option<Duration>,
    /// How likely it is to strike when its time comes.
    pub probability: Share,
    /// How often it strikes at most; `None`: as often as its time comes.
    pub times: Option<u32>,
}

/// What breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // each variant is described where its word is: `WORDS`
pub enum What {
    Latency {
        delay: Duration,
        jitter: Duration,
    },
    /// Bits per second.
    Bandwidth(u64),
    Slicer {
        bytes: u32,
        delay: Duration,
    },
    Loss(Share),
    Stall,
    Corrupt(Share),
    Duplicate(Share),
    EchoGarbled(Share),
    Overrun {
        bytes: u32,
    },
    WrongBaud(u32),
    LateReply {
        delay: Duration,
        replies: u32,
    },
    LostReply {
        replies: u32,
    },
    Urc {
        text: String,
        place: UrcPlace,
    },
    TcpDrop,
    ResetPeer,
    HalfOpen,
    Timeout(Duration),
    SlowClose(Duration),
    /// Bytes, in both directions together.
    LimitData(u64),
    Refuse,
    CloseOnConnect,
    BrokerSilent,
    BrokerUp,
    DnsFail,
    DnsSlow(Duration),
    Signal(u8),
    SignalBack,
    Registration(Registration),
    PdpDeact,
    IpChange,
    Sim(Sim),
    SimBusy {
        times: u32,
    },
    Reboot,
    PowerCut,
    BrownOut {
        times: u32,
    },
    Stuck,
    FlashFull,
    ClockLost,
    CmeError {
        code: u16,
        commands: u32,
    },
}

/// Where a report lands that the host does not expect there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UrcPlace {
    /// Between two frames, as soon as the line is between two.
    Now,
    /// Between the command (its echo) and its reply.
    BeforeReply,
    /// Between the information text of a reply and its final result.
    InsideReply,
    /// Straight behind the final result, in the same piece.
    Glued,
}

/// Where a fault strikes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The serial line.
    Serial(Option<Side>),
    /// The connections to a host, or all of them.
    Link {
        /// The host as the module was told it; `None`: every host.
        host: Option<String>,
        /// Its port; `None`: every port.
        port: Option<u16>,
        /// Which direction; `None`: both.
        side: Option<Side>,
    },
}

/// A direction, in toxiproxy's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// From the host to the module, and from the module to the server.
    Upstream,
    /// From the server to the module, and from the module to the host.
    Downstream,
}

/// When a fault strikes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum When {
    /// As soon as it is there.
    Now,
    /// So long after that.
    At(Duration),
    /// Again and again, so long after that and after each time.
    Every(Duration),
    /// Whenever the host sends a command line that holds this text, and so much later.
    Typed {
        /// What the line holds, in letters of either case.
        text: String,
        /// How long after the line's end.
        after: Duration,
    },
}

/// A part of the whole, in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Share(u32);

impl Share {
    /// Nothing.
    pub const NONE: Share = Share(0);
    /// Everything.
    pub const ALL: Share = Share(1_000_000);

    /// So many millionths, 1,000,000 at most.
    pub const fn from_ppm(ppm: u32) -> Self {
        if ppm > Self::ALL.0 {
            Self::ALL
        } else {
            Self(ppm)
        }
    }

    /// Millionths.
    pub const fn ppm(self) -> u32 {
        self.0
    }

    /// This part of a time.
    pub fn of(self, span: Duration) -> Duration {
        let micros = span.as_micros() * u128::from(self.0) / u128::from(Self::ALL.0);
        Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }
}

impl Fault {
    /// It strikes at once, and lasts until it is cleared.
    pub fn new(what: What) -> Self {
        Self {
            what,
            on: None,
            when: When::Now,
            jitter: Share::NONE,
            lasts: None,
            probability: Share::ALL,
            times: None,
        }
    }

    /// The same, over after `span`.
    #[must_use]
    pub fn lasting(mut self, span: Duration) -> Self {
        self.lasts = Some(span);
        self
    }

    /// Whether a model can have it.
    ///
    /// # Errors
    /// Why not, in a sentence.
    pub fn check(&self, model: &Model) -> Result<(), String> {
        let cellular = model.bearer != Bearer::WiFi;
        let word = self.what.word();
        if word.cellular && !cellular {
            return Err(format!(
                "{} is for cellular modules, and the {} is none",
                word.name, model.title
            ));
        }
        if self.what == What::FlashFull && model.limits.flash == 0 {
            return Err(format!(
                "flash-full is for modules with files, and the {} has none",
                model.title
            ));
        }
        Ok(())
    }

    /// Where it strikes: what it says, or else where it belongs.
    pub fn place(&self) -> Option<Place> {
        let everywhere = Place::Link {
            host: None,
            port: None,
            side: None,
        };
        match (&self.on, self.what.word().layer) {
            (Some(place), _) => Some(place.clone()),
            (None, Layer::Serial) => Some(Place::Serial(None)),
            (None, Layer::Link | Layer::Stream) => Some(everywhere),
            (None, Layer::Radio | Layer::Module) => None,
        }
    }
}

impl Place {
    /// Whether it is on this connection.
    pub fn is_link(&self, to: &str, at: u16) -> bool {
        match self {
            Self::Serial(_) => false,
            Self::Link { host, port, .. } => {
                host.as_ref()
                    .is_none_or(|host| host.eq_ignore_ascii_case(to))
                    && port.is_none_or(|port| port == at)
            }
        }
    }

    /// Whether it is in this direction.
    pub fn is_side(&self, side: Side) -> bool {
        let (Self::Serial(own) | Self::Link { side: own, .. }) = self;
        own.is_none_or(|own| own == side)
    }
}

#[cfg(test)]
mod tests;
