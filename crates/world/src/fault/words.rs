//! Every word of the vocabulary, once: what it takes, where it belongs, what it does.

use super::What;

/// One word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    /// As it is written.
    pub name: &'static str,
    /// What follows it, as a synopsis.
    pub args: &'static str,
    /// Where it belongs.
    pub layer: Layer,
    /// How long it is there.
    pub span: Span,
    /// Whether a Wi-Fi module cannot have it.
    pub cellular: bool,
    /// What happens, in a sentence.
    pub about: &'static str,
    /// A line with it.
    pub example: &'static str,
}

/// Where a fault belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layer {
    /// The serial line.
    Serial,
    /// The connections.
    Link,
    /// The connections, or the serial line when it says so.
    Stream,
    /// SIM, signal, registration, bearer.
    Radio,
    /// The module itself.
    Module,
}

impl Layer {
    /// In the order in which they are listed.
    pub const ALL: [Layer; 5] = [
        Self::Stream,
        Self::Serial,
        Self::Link,
        Self::Radio,
        Self::Module,
    ];

    /// What stands above its words.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Stream => "Connections, or the serial line with `on serial`",
            Self::Serial => "Serial line",
            Self::Link => "Connections",
            Self::Radio => "Radio, SIM and bearer",
            Self::Module => "The module itself",
        }
    }
}

/// How long a fault is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// It happens, and is over.
    AtOnce,
    /// It lasts for some time, or until it is cleared.
    Lasts,
    /// It lasts for some time, or for good until something else is said.
    Either,
}

/// Other names, and what they stand for.
pub const ALIASES: &[(&str, &str)] = &[
    ("delay", "latency"),
    ("rate", "bandwidth"),
    ("flow-off", "stall on serial"),
    ("pdp-no-data", "stall"),
    ("broker-down", "refuse"),
    ("signal-lost", "signal 99"),
    ("wifi-gone", "signal 99"),
    ("deregister", "registration searching"),
    ("arrears", "registration denied"),
    ("sim-removed", "sim absent"),
    ("power-cycle", "power-cut"),
];

const fn word(
    name: &'static str,
    args: &'static str,
    layer: Layer,
    span: Span,
    about: &'static str,
    example: &'static str,
) -> Word {
    Word {
        name,
        args,
        layer,
        span,
        cellular: false,
        about,
        example,
    }
}

const fn cellular(mut word: Word) -> Word {
    word.cellular = true;
    word
}

use Layer::{Link, Module, Radio, Serial, Stream};
use Span::{AtOnce, Either, Lasts};

/// The vocabulary.
#[rustfmt::skip]
pub const WORDS: &[Word] = &[
    word("latency", "TIME [JITTER]", Stream, Lasts, "Everything takes so much longer, give or take the jitter; nothing overtakes.", "latency 300ms 100ms"),
    word("bandwidth", "RATE", Stream, Lasts, "No more than so many bits a second (20kbit, 1mbit, 5KB/s) in each direction.", "bandwidth 20kbit on link/upstream"),
    word("slicer", "BYTES [DELAY]", Stream, Lasts, "Nothing comes in pieces of more bytes, with the delay between them.", "slicer 1 5ms on serial/downstream"),
    word("loss", "SHARE", Stream, Lasts, "On the serial line bytes are lost. On a connection segments are, and TCP sends them again: after 1 s, 2 s, 4 s …", "loss 5% for 1m"),
    word("stall", "", Stream, Lasts, "Nothing passes, connecting and names included; it goes on where it was. On the serial line: the other side's RTS or CTS is off.", "stall every 5m for 20s"),
    word("corrupt", "SHARE", Serial, Lasts, "One bit of a byte is flipped.", "corrupt 0.1%"),
    word("duplicate", "SHARE", Serial, Lasts, "A byte comes twice.", "duplicate 1% on serial/downstream"),
    word("echo-garbled", "SHARE", Serial, Lasts, "One bit of a byte of the echo is flipped, and of nothing else.", "echo-garbled 10%"),
    word("overrun", "BYTES", Serial, Lasts, "The module takes so many bytes in 10 ms, and loses the rest.", "overrun 16"),
    word("wrong-baud", "RATE", Serial, Lasts, "The host's UART runs at so many bits a second, and each side reads what that makes of the other's bits.", "wrong-baud 9600 for 10s"),
    word("late-reply", "TIME [REPLIES]", Serial, AtOnce, "The next reply, or so many, is that late; the echo is not.", "late-reply 20s when AT+QMTOPEN"),
    word("lost-reply", "[REPLIES]", Serial, AtOnce, "The next reply, or so many, never comes; the echo does.", "lost-reply when MPUB times 3"),
    word("urc", "TEXT [now|before-reply|inside-reply|glued]", Serial, AtOnce, "A report of this text: between two frames, between the next command and its reply, between the lines of the next reply that has several, straight behind the next final result.", "urc \"+CSQ: 99,99\" inside-reply"),
    word("tcp-drop", "", Link, AtOnce, "The server closes its connections (FIN).", "tcp-drop every 10m jitter 50%"),
    word("reset_peer", "", Link, AtOnce, "The connections break (RST).", "reset_peer when MPUB probability 5%"),
    word("half-open", "", Link, AtOnce, "The server is gone from the connections and nobody says so: nothing comes, and what is sent goes nowhere.", "half-open at 1m"),
    word("timeout", "TIME", Link, Lasts, "Nothing passes on the connections, and they are closed after that time; 0s: never.", "timeout 30s"),
    word("slow_close", "TIME", Link, Lasts, "Closing takes so much longer, on either side.", "slow_close 10s"),
    word("limit_data", "BYTES", Link, Lasts, "A connection is closed when it has carried so many bytes, both directions together.", "limit_data 500"),
    word("refuse", "", Link, Lasts, "Connections are refused. Those that are open stay.", "refuse at 5m for 20s"),
    word("close-on-connect", "", Link, Lasts, "The server takes a connection and closes it at once.", "close-on-connect for 1m"),
    word("broker-silent", "", Link, Lasts, "The server takes connections, and neither reads, answers nor closes; then it goes on where it was.", "broker-silent for 2m"),
    word("broker-up", "", Link, AtOnce, "Ends every fault of the connections that lasts.", "broker-up at 10m"),
    word("dns-fail", "", Link, Lasts, "No name is resolved.", "dns-fail for 30s"),
    word("dns-slow", "TIME", Link, Lasts, "Resolving a name takes so much longer.", "dns-slow 8s"),
    word("signal", "RSSI", Radio, Either, "The signal as AT+CSQ tells it: 0 to 31, 99 none. Without one a module loses its registration, or its access point.", "signal 99 every 5m for 40s"),
    word("signal-back", "", Radio, AtOnce, "The signal is as it was at power-on.", "signal-back at 1m"),
    cellular(word("registration", "home|roaming|searching|denied|none", Radio, Either, "The network registers the module so; denied is what a SIM in arrears gets.", "registration denied for 2m")),
    cellular(word("pdp-deact", "", Radio, AtOnce, "The network takes the PDP contexts away: connections die without a word to the server.", "pdp-deact every 10m jitter 30%")),
    word("ip-change", "", Radio, AtOnce, "The network gives another address: connections die without a word to the server.", "ip-change every 1h")    ,
    cellular(word("sim", "ready|absent|busy|pin:DIGITS", Radio, Either, "The SIM is so.", "sim absent at 30s for 10s")),
    cellular(word("sim-busy", "TIMES", Radio, AtOnce, "The SIM is busy until it was asked for so often, and for a minute at most: +CME ERROR: 14.", "sim-busy 3")),
    word("reboot", "", Module, AtOnce, "The module starts anew by itself, as after a crash, be it in the middle of a command.", "reboot when AT+MIPSTART after 2ms times 1"),
    word("power-cut", "", Module, Either, "Power goes, and comes back at once or after its time; the module says what it says at power-on.", "power-cut every 1h for 3s"),
    word("brown-out", "TIMES", Module, AtOnce, "Power dips so often that the module gets no further than its first boot report, and starts again.", "brown-out 4 at 30s"),
    word("stuck", "", Module, Lasts, "The module hangs: it hears, says and does nothing. Power helps.", "stuck every 1h for 1m30s"),
    word("flash-full", "", Module, Lasts, "There is no room for files.", "flash-full"),
    word("clock-lost", "", Module, AtOnce, "The clock is as at power-on, until somebody sets it.", "clock-lost at 1m"),
    cellular(word("cme-error", "CODE [COMMANDS]", Module, AtOnce, "The next extended command, or so many, is refused with +CME ERROR: CODE, in the form that AT+CMEE asks for.", "cme-error 14 5")),
];

impl Word {
    /// The word of this name. Aliases are none.
    pub fn by_name(name: &str) -> Option<&'static Word> {
        WORDS.iter().find(|word| word.name == name)
    }
}

impl What {
    /// How it is called.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Latency { .. } => "latency",
            Self::Bandwidth(_) => "bandwidth",
            Self::Slicer { .. } => "slicer",
            Self::Loss(_) => "loss",
            Self::Stall => "stall",
            Self::Corrupt(_) => "corrupt",
            Self::Duplicate(_) => "duplicate",
            Self::EchoGarbled(_) => "echo-garbled",
            Self::Overrun { .. } => "overrun",
            Self::WrongBaud(_) => "wrong-baud",
            Self::LateReply { .. } => "late-reply",
            Self::LostReply { .. } => "lost-reply",
            Self::Urc { .. } => "urc",
            Self::TcpDrop => "tcp-drop",
            Self::ResetPeer => "reset_peer",
            Self::HalfOpen => "half-open",
            Self::Timeout(_) => "timeout",
            Self::SlowClose(_) => "slow_close",
            Self::LimitData(_) => "limit_data",
            Self::Refuse => "refuse",
            Self::CloseOnConnect => "close-on-connect",
            Self::BrokerSilent => "broker-silent",
            Self::BrokerUp => "broker-up",
            Self::DnsFail => "dns-fail",
            Self::DnsSlow(_) => "dns-slow",
            Self::Signal(_) => "signal",
            Self::SignalBack => "signal-back",
            Self::Registration(_) => "registration",
            Self::PdpDeact => "pdp-deact",
            Self::IpChange => "ip-change",
            Self::Sim(_) => "sim",
            Self::SimBusy { .. } => "sim-busy",
            Self::Reboot => "reboot",
            Self::PowerCut => "power-cut",
            Self::BrownOut { .. } => "brown-out",
            Self::Stuck => "stuck",
            Self::FlashFull => "flash-full",
            Self::ClockLost => "clock-lost",
            Self::CmeError { .. } => "cme-error",
        }
    }

    /// Whether it is there until it is cleared, when nothing says how long.
    pub(crate) fn lasts(&self) -> bool {
        match self.word().span {
            AtOnce => false,
            Lasts => true,
            Either => !matches!(self, Self::PowerCut),
        }
    }

    /// Its entry in [`WORDS`].
    pub fn word(&self) -> &'static Word {
        let name = self.name();
        let found = Word::by_name(name);
        // A test holds every name of `What::name` against the table.
        found.unwrap_or(&WORDS[0])
    }
}
