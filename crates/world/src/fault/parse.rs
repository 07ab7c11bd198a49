//! Lines to faults and back.

use super::words::{ALIASES, Layer, Span, WORDS, Word};
use super::{Fault, Place, Share, Side, UrcPlace, What, When};
use module::{Registration, Sim};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A line that is no fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultError {
    /// Where, in characters from 1.
    pub column: usize,
    /// What was wrong, and what would be right.
    pub problem: String,
}

impl fmt::Display for FaultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {}: {}", self.column, self.problem)
    }
}

impl std::error::Error for FaultError {}

/// What may follow a word and its arguments.
const OPTIONS: [&str; 9] = [
    "on",
    "at",
    "every",
    "when",
    "after",
    "jitter",
    "for",
    "probability",
    "times",
];

/// The longest time that is taken: a year.
const TIME_MAX: Duration = Duration::from_secs(366 * 24 * 60 * 60);

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(line: &str) -> Result<Self, FaultError> {
        let mut tokens = Tokens::new(line)?;
        let first = tokens.next().ok_or_else(|| FaultError {
            column: 1,
            problem: "a fault is wanted, such as pdp-deact every 10m; `modemq faults` lists them"
                .into(),
        })?;
        let alias = ALIASES.iter().find(|(name, _)| *name == first.text);
        let (word, mut on) = match alias {
            Some((_, meaning)) => tokens.prepend(meaning, first.column),
            None => (first.clone(), None),
        };
        let found = Word::by_name(&word.text).ok_or_else(|| unknown_word(&first))?;
        let what = arguments(found, &mut tokens, &first)?;
        let mut fault = Fault::new(what);
        let mut seen: Vec<&'static str> = Vec::new();
        let mut after = None;
        while let Some(token) = tokens.next() {
            let Some(option) = OPTIONS.iter().find(|name| **name == token.text) else {
                return Err(token.wrong(&format!(
                    "{:?} is no option: {}{}",
                    token.text,
                    one_of(&OPTIONS),
                    did_you_mean(&token.text, OPTIONS.into_iter())
                )));
            };
            if seen.contains(option) {
                return Err(token.wrong(&format!("a second `{option}`")));
            }
            let triggers = ["at", "every", "when"];
            if triggers.contains(option)
                && let Some(other) = seen.iter().find(|own| triggers.contains(own))
            {
                return Err(token.wrong(&format!("`{option}` and `{other}`: one of them")));
            }
            seen.push(option);
            let value = tokens.value(&token)?;
            match *option {
                "on" => on = Some(place(&value)?),
                "at" => fault.when = When::At(time(&value)?),
                "every" => fault.when = When::Every(period(&value)?),
                "when" => {
                    fault.when = When::Typed {
                        text: some_text(&value)?,
                        after: Duration::ZERO,
                    }
                }
                "after" => after = Some((token, time(&value)?)),
                "jitter" => fault.jitter = share(&value)?,
                "for" => fault.lasts = Some(period(&value)?),
                "probability" => fault.probability = share(&value)?,
                _ => fault.times = Some(number(&value, 1, u64::from(u32::MAX))? as u32),
            }
        }
        fault.on = on;
        match (after, &mut fault.when) {
            (Some((_, span)), When::Typed { after, .. }) => *after = span,
            (Some((token, _)), _) => {
                return Err(token.wrong("`after` goes with `when`: when AT+MPUB after 5ms"));
            }
            (None, _) => {}
        }
        fits(&fault, found).map_err(|problem| first.wrong(&problem))?;
        Ok(fault)
    }
}

/// What cannot be said together.
fn fits(fault: &Fault, word: &Word) -> Result<(), String> {
    let name = word.name;
    match (&fault.on, word.layer) {
        (None, _)
        | (Some(_), Layer::Stream)
        | (Some(Place::Serial(_)), Layer::Serial)
        | (Some(Place::Link { .. }), Layer::Link) => {}
        (Some(_), Layer::Serial) => {
            return Err(format!(
                "{name} is of the serial line: on serial, or no `on`"
            ));
        }
        (Some(_), Layer::Link) => {
            return Err(format!(
                "{name} is of connections: on link, on link:HOST[:PORT], or no `on`"
            ));
        }
        (Some(_), Layer::Radio | Layer::Module) => {
            return Err(format!("{name} happens to the module: it has no `on`"));
        }
    }
    let sides = matches!(
        fault.what,
        What::Latency { .. }
            | What::Bandwidth(_)
            | What::Slicer { .. }
            | What::Loss(_)
            | What::Stall
            | What::Corrupt(_)
            | What::Duplicate(_)
            | What::WrongBaud(_)
    );
    let side = match &fault.on {
        Some(Place::Serial(side) | Place::Link { side, .. }) => *side,
        None => None,
    };
    if side.is_some() && !sides {
        return Err(format!(
            "{name} is not of one direction: it has no /upstream and no /downstream"
        ));
    }
    match (word.span, fault.lasts, &fault.when) {
        (Span::AtOnce, Some(_), _) => {
            return Err(format!("{name} is over at once: it has no `for`"));
        }
        (Span::Lasts, None, When::Every(_) | When::Typed { .. }) => {
            return Err(format!(
                "{name} lasts until it is cleared, so it cannot come again: say how long, such as for 10s"
            ));
        }
        _ => {}
    }
    if fault.jitter != Share::NONE
        && !matches!(fault.when, When::At(_) | When::Every(_))
        && fault.lasts.is_none()
    {
        return Err("`jitter` varies the times of `at`, `every` and `for`: there is none".into());
    }
    if fault.times.is_some_and(|times| times > 1) && matches!(fault.when, When::Now | When::At(_)) {
        return Err(
            "`times` goes with `every` and `when`: without them it strikes once anyhow".into(),
        );
    }
    Ok(())
}

fn arguments(word: &'static Word, tokens: &mut Tokens, first: &Token) -> Result<What, FaultError> {
    let mut args = Args {
        word,
        tokens,
        first,
    };
    Ok(match word.name {
        "latency" => What::Latency {
            delay: time(&args.next()?)?,
            jitter: args.optional(time)?.unwrap_or_default(),
        },
        "bandwidth" => What::Bandwidth(rate(&args.next()?)?),
        "slicer" => What::Slicer {
            bytes: number(&args.next()?, 1, 1 << 20)? as u32,
            delay: args.optional(time)?.unwrap_or_default(),
        },
        "loss" => What::Loss(share(&args.next()?)?),
        "stall" => What::Stall,
        "corrupt" => What::Corrupt(share(&args.next()?)?),
        "duplicate" => What::Duplicate(share(&args.next()?)?),
        "echo-garbled" => What::EchoGarbled(share(&args.next()?)?),
        "overrun" => What::Overrun {
            bytes: number(&args.next()?, 1, 1 << 20)? as u32,
        },
        "wrong-baud" => What::WrongBaud(number(&args.next()?, 300, 4_000_000)? as u32),
        "late-reply" => What::LateReply {
            delay: time(&args.next()?)?,
            replies: args.optional(count)?.unwrap_or(1),
        },
        "lost-reply" => What::LostReply {
            replies: args.optional(count)?.unwrap_or(1),
        },
        "urc" => What::Urc {
            text: some_text(&args.next()?)?,
            place: args.optional(urc_place)?.unwrap_or(UrcPlace::Now),
        },
        "tcp-drop" => What::TcpDrop,
        "reset_peer" => What::ResetPeer,
        "half-open" => What::HalfOpen,
        "timeout" => What::Timeout(time(&args.next()?)?),
        "slow_close" => What::SlowClose(time(&args.next()?)?),
        "limit_data" => What::LimitData(number(&args.next()?, 0, 1 << 40)?),
        "refuse" => What::Refuse,
        "close-on-connect" => What::CloseOnConnect,
        "broker-silent" => What::BrokerSilent,
        "broker-up" => What::BrokerUp,
        "dns-fail" => What::DnsFail,
        "dns-slow" => What::DnsSlow(time(&args.next()?)?),
        "signal" => What::Signal(rssi(&args.next()?)?),
        "signal-back" => What::SignalBack,
        "registration" => What::Registration(registration(&args.next()?)?),
        "pdp-deact" => What::PdpDeact,
        "ip-change" => What::IpChange,
        "sim" => What::Sim(sim(&args.next()?)?),
        "sim-busy" => What::SimBusy {
            times: count(&args.next()?)?,
        },
        "reboot" => What::Reboot,
        "power-cut" => What::PowerCut,
        "brown-out" => What::BrownOut {
            times: number(&args.next()?, 1, 100)? as u32,
        },
        "stuck" => What::Stuck,
        "flash-full" => What::FlashFull,
        "clock-lost" => What::ClockLost,
        "cme-error" => What::CmeError {
            code: number(&args.next()?, 0, 65_535)? as u16,
            commands: args.optional(count)?.unwrap_or(1),
        },
        _ => return Err(unknown_word(first)),
    })
}

/// The arguments of a word: what follows it up to the first option.
struct Args<'a> {
    word: &'static Word,
    tokens: &'a mut Tokens,
    first: &'a Token,
}

impl Args<'_> {
    fn next(&mut self) -> Result<Token, FaultError> {
        self.tokens.argument().ok_or_else(|| {
            let Word {
                name,
                args,
                example,
                ..
            } = self.word;
            self.first
                .wrong(&format!("{name} wants {args}, such as {example}"))
        })
    }

    fn optional<T>(
        &mut self,
        read: impl FnOnce(&Token) -> Result<T, FaultError>,
    ) -> Result<Option<T>, FaultError> {
        // What is neither an argument nor an option is taken for a misspelt argument only where one is possible.
        self.tokens.argument().map(|token| read(&token)).transpose()
    }
}

#[derive(Clone, Debug)]
struct Token {
    text: String,
    column: usize,
    quoted: bool,
}

impl Token {
    fn wrong(&self, problem: &str) -> FaultError {
        FaultError {
            column: self.column,
            problem: problem.into(),
        }
    }
}

struct Tokens {
    /// The next one is the last.
    left: Vec<Token>,
}

impl Tokens {
    fn new(line: &str) -> Result<Self, FaultError> {
        let mut left = Vec::new();
        let mut characters = line.chars().enumerate().peekable();
        while let Some((at, character)) = characters.next() {
            let column = at + 1;
            if character.is_whitespace() {
                continue;
            }
            let mut text = String::new();
            let quoted = character == '"';
            if !quoted {
                text.push(character);
                while let Some((_, next)) = characters.next_if(|(_, next)| !next.is_whitespace()) {
                    text.push(next);
                }
                left.push(Token {
                    text,
                    column,
                    quoted,
                });
                continue;
            }
            loop {
                let escaped = match characters.next() {
                    None => None,
                    Some((_, '"')) => break,
                    Some((_, '\\')) => match characters.next() {
                        Some((_, 'r')) => Some('\r'),
                        Some((_, 'n')) => Some('\n'),
                        Some((_, same @ ('"' | '\\'))) => Some(same),
                        _ => {
                            return Err(FaultError {
                                column,
                                problem: "between quotes a backslash begins \\\", \\\\, \\r or \\n"
                                    .into(),
                            });
                        }
                    },
                    Some((_, plain)) => Some(plain),
                };
                let Some(character) = escaped else {
                    return Err(FaultError {
                        column,
                        problem: "the closing quote is missing".into(),
                    });
                };
                text.push(character);
            }
            left.push(Token {
                text,
                column,
                quoted,
            });
        }
        left.reverse();
        Ok(Self { left })
    }

    fn next(&mut self) -> Option<Token> {
        self.left.pop()
    }

    /// The next one, unless it is an option.
    fn argument(&mut self) -> Option<Token> {
        let next = self.left.last()?;
        let is_option = !next.quoted && OPTIONS.contains(&next.text.as_str());
        if is_option { None } else { self.left.pop() }
    }

    fn value(&mut self, option: &Token) -> Result<Token, FaultError> {
        self.next().ok_or_else(|| {
            let example = match option.text.as_str() {
                "on" => "on link/downstream",
                "at" => "at 30s",
                "every" => "every 10m",
                "when" => "when AT+MPUB",
                "after" => "after 5ms",
                "jitter" => "jitter 30%",
                "for" => "for 20s",
                "probability" => "probability 5%",
                _ => "times 3",
            };
            option.wrong(&format!(
                "`{}` wants something behind it: {example}",
                option.text
            ))
        })
    }

    /// Puts what an alias stands for in its place: the word, and where.
    fn prepend(&mut self, meaning: &str, column: usize) -> (Token, Option<Place>) {
        let mut parts = meaning.split(' ').map(|text| Token {
            text: text.into(),
            column,
            quoted: false,
        });
        let word = parts.next();
        let mut rest: Vec<Token> = parts.collect();
        let mut on = None;
        if let Some(at) = rest.iter().position(|token| token.text == "on") {
            on = rest.get(at + 1).and_then(|token| place(token).ok());
            rest.truncate(at);
        }
        rest.reverse();
        self.left.extend(rest);
        let word = word.unwrap_or_else(|| Token {
            text: meaning.into(),
            column,
            quoted: false,
        });
        (word, on)
    }
}

fn unknown_word(token: &Token) -> FaultError {
    let names = WORDS.iter().map(|word| word.name);
    let names = names.chain(ALIASES.iter().map(|(name, _)| *name));
    let hint = did_you_mean(&token.text, names);
    let hint = if hint.is_empty() {
        "; `modemq faults` lists them".into()
    } else {
        hint
    };
    token.wrong(&format!("there is no fault {:?}{hint}", token.text))
}

/// `; did you mean "x"?`, when something is near.
fn did_you_mean(text: &str, names: impl Iterator<Item = &'static str>) -> String {
    let text = text.to_ascii_lowercase();
    let near = names
        .map(|name| (strsim::jaro_winkler(&text, name), name))
        .max_by(|(one, _), (other, _)| one.total_cmp(other));
    match near {
        Some((likeness, name)) if likeness > 0.8 => format!("; did you mean {name:?}?"),
        _ => String::new(),
    }
}

fn one_of(names: &[&str]) -> String {
    let (last, others) = names.split_last().unwrap_or((&"", &[]));
    format!("{} or {last}", others.join(", "))
}

fn share(token: &Token) -> Result<Share, FaultError> {
    let wrong = || {
        token.wrong(&format!(
            "{:?} is no share: 0% to 100%, such as 5% or 0.1%",
            token.text
        ))
    };
    let digits = token.text.strip_suffix('%').ok_or_else(wrong)?;
    let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !is_number(whole) || !is_number(part) || part.len() > 4 || whole.len() > 3 {
        return Err(wrong());
    }
    let whole: u32 = whole.parse().map_err(|_| wrong())?;
    let part: u32 = format!("{part:0<4}").parse().map_err(|_| wrong())?;
    let ppm = whole * 10_000 + part;
    if ppm > Share::ALL.ppm() {
        return Err(wrong());
    }
    Ok(Share::from_ppm(ppm))
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.ppm() / 10_000, self.ppm() % 10_000);
        if part == 0 {
            write!(f, "{whole}%")
        } else {
            write!(f, "{whole}.{}%", format!("{part:04}").trim_end_matches('0'))
        }
    }
}

const UNITS: [(&str, u64); 6] = [
    ("d", 86_400_000_000),
    ("h", 3_600_000_000),
    ("m", 60_000_000),
    ("s", 1_000_000),
    ("ms", 1_000),
    ("us", 1),
];

/// A time such as `500ms`, `20s` or `1h30m`; `None` when it is none, or more than a year.
pub fn parse_time(text: &str) -> Option<Duration> {
    let mut micros = 0_u64;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|character: char| !character.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let end = rest
            .find(|character: char| character.is_ascii_digit())
            .unwrap_or(rest.len());
        let (_, unit) = UNITS.iter().find(|(name, _)| *name == &rest[..end])?;
        micros = micros.checked_add(number.checked_mul(*unit)?)?;
        rest = &rest[end..];
    }
    let span = Duration::from_micros(micros);
    (!text.is_empty() && span <= TIME_MAX).then_some(span)
}

/// A time as [`parse_time`] reads it, to the microsecond.
pub fn write_time(span: Duration) -> String {
    let mut rest = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
    if rest == 0 {
        return "0s".into();
    }
    let mut text = String::new();
    for (name, unit) in UNITS {
        if rest >= unit {
            text.push_str(&format!("{}{name}", rest / unit));
            rest %= unit;
        }
    }
    text
}

fn time(token: &Token) -> Result<Duration, FaultError> {
    parse_time(&token.text).ok_or_else(|| {
        token.wrong(&format!(
            "{:?} is no time: 500ms, 20s, 5m or 1h30m, a year at most",
            token.text
        ))
    })
}

/// A time that is not nothing.
fn period(token: &Token) -> Result<Duration, FaultError> {
    // Shorter ones would make a schedule that does nothing else.
    const LEAST: Duration = Duration::from_millis(1);
    let span = time(token)?;
    if span < LEAST {
        return Err(token.wrong(&format!("{:?} is too short: 1ms or more", token.text)));
    }
    Ok(span)
}

fn number(token: &Token, min: u64, max: u64) -> Result<u64, FaultError> {
    let number = token.text.parse().ok();
    number
        .filter(|number| (min..=max).contains(number))
        .ok_or_else(|| {
            token.wrong(&format!(
                "{:?} is no number from {min} to {max}",
                token.text
            ))
        })
}

fn count(token: &Token) -> Result<u32, FaultError> {
    Ok(number(token, 1, 1_000_000)? as u32)
}

fn rssi(token: &Token) -> Result<u8, FaultError> {
    match token.text.parse() {
        Ok(rssi @ (0..=31 | 99)) => Ok(rssi),
        _ => Err(token.wrong(&format!(
            "{:?} is no signal: 0 to 31, or 99 for none",
            token.text
        ))),
    }
}

const RATES: [(&str, u64); 7] = [
    ("kbit", 1_000),
    ("mbit", 1_000_000),
    ("gbit", 1_000_000_000),
    ("bit", 1),
    ("KB/s", 8_000),
    ("kB/s", 8_000),
    ("B/s", 8),
];

/// `20kbit` as `tc` writes it, and `5KB/s` as toxiproxy counts.
fn rate(token: &Token) -> Result<u64, FaultError> {
    let digits = token
        .text
        .trim_end_matches(|character: char| !character.is_ascii_digit());
    let unit = &token.text[digits.len()..];
    let unit = RATES.iter().find(|(name, _)| *name == unit);
    let rate = digits
        .parse::<u64>()
        .ok()
        .zip(unit)
        .and_then(|(number, (_, unit))| number.checked_mul(*unit));
    rate.filter(|rate| (8..=10_000_000_000).contains(rate))
        .ok_or_else(|| {
            token.wrong(&format!(
                "{:?} is no rate: 9600bit, 20kbit, 1mbit or 5KB/s, from 8bit to 10gbit",
                token.text
            ))
        })
}

fn write_rate(rate: u64) -> String {
    let unit = [
        ("gbit", 1_000_000_000),
        ("mbit", 1_000_000),
        ("kbit", 1_000),
    ]
    .into_iter()
    .find(|(_, unit)| rate.is_multiple_of(*unit))
    .unwrap_or(("bit", 1));
    format!("{}{}", rate / unit.1, unit.0)
}

fn some_text(token: &Token) -> Result<String, FaultError> {
    if token.text.is_empty() {
        return Err(token.wrong("some text is wanted between the quotes"));
    }
    Ok(token.text.clone())
}

fn urc_place(token: &Token) -> Result<UrcPlace, FaultError> {
    let found = UrcPlace::ALL
        .iter()
        .find(|place| place.name() == token.text);
    found.copied().ok_or_else(|| {
        token.wrong(&format!(
            "{:?} is no place for a report: {}{}",
            token.text,
            one_of(&UrcPlace::ALL.map(UrcPlace::name)),
            did_you_mean(&token.text, UrcPlace::ALL.map(UrcPlace::name).into_iter())
        ))
    })
}

impl UrcPlace {
    const ALL: [UrcPlace; 4] = [Self::Now, Self::BeforeReply, Self::InsideReply, Self::Glued];

    const fn name(self) -> &'static str {
        match self {
            Self::Now => "now",
            Self::BeforeReply => "before-reply",
            Self::InsideReply => "inside-reply",
            Self::Glued => "glued",
        }
    }
}

fn registration(token: &Token) -> Result<Registration, FaultError> {
    token
        .text
        .parse()
        .map_err(|why| token.wrong(&format!("{:?} is no registration: {why}", token.text)))
}

fn sim(token: &Token) -> Result<Sim, FaultError> {
    token
        .text
        .parse()
        .map_err(|why| token.wrong(&format!("{:?} is no state of a SIM: {why}", token.text)))
}

impl Side {
    const UPSTREAM: &str = "upstream";
    const DOWNSTREAM: &str = "downstream";
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Upstream => Self::UPSTREAM,
            Self::Downstream => Self::DOWNSTREAM,
        })
    }
}

/// `serial`, `link` or `link:HOST[:PORT]`, and perhaps a side.
fn place(token: &Token) -> Result<Place, FaultError> {
    let (target, side) = match token.text.rsplit_once('/') {
        None => (token.text.as_str(), None),
        Some((target, Side::UPSTREAM)) => (target, Some(Side::Upstream)),
        Some((target, Side::DOWNSTREAM)) => (target, Some(Side::Downstream)),
        Some((_, side)) => {
            return Err(token.wrong(&format!(
                "{side:?} is no direction: upstream (from the host, to the server) or downstream"
            )));
        }
    };
    if target == "serial" {
        return Ok(Place::Serial(side));
    }
    let everywhere = Place::Link {
        host: None,
        port: None,
        side,
    };
    if target == "link" {
        return Ok(everywhere);
    }
    let Some(address) = target.strip_prefix("link:") else {
        return Err(token.wrong(&format!(
            "{target:?} is no place: serial, link or link:HOST[:PORT], and perhaps /upstream or /downstream{}",
            did_you_mean(target, ["serial", "link"].into_iter())
        )));
    };
    let no_host =
        || token.wrong("link: wants a host, and perhaps a port: link:mqtt.example.com:1883");
    // An IPv6 address stands between brackets when there is a port.
    let (host, port) = match address
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
    {
        Some((host, "")) => (host, None),
        Some((host, port)) => (host, Some(port.strip_prefix(':').ok_or_else(no_host)?)),
        None => match address.split_once(':') {
            Some((_, port)) if port.contains(':') => (address, None),
            Some((host, port)) => (host, Some(port)),
            None => (address, None),
        },
    };
    if host.is_empty() || host.contains(['[', ']', '/']) {
        return Err(no_host());
    }
    let port = match port {
        None => None,
        Some(port) => Some(port.parse().map_err(|_| no_host())?),
    };
    Ok(Place::Link {
        host: Some(host.into()),
        port,
        side,
    })
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Serial(side) | Self::Link { side, .. }) = self;
        match self {
            Self::Serial(_) => f.write_str("serial")?,
            Self::Link {
                host: Some(host),
                port,
                ..
            } => match port {
                Some(port) if host.contains(':') => write!(f, "link:[{host}]:{port}")?,
                Some(port) => write!(f, "link:{host}:{port}")?,
                None => write!(f, "link:{host}")?,
            },
            Self::Link { .. } => f.write_str("link")?,
        }
        match side {
            Some(side) => write!(f, "/{side}"),
            None => Ok(()),
        }
    }
}

/// Text that is between quotes only where it must be.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0;
        let plain = !text.is_empty()
            && !text.contains(|c: char| c.is_whitespace() || c == '"')
            && !OPTIONS.contains(&text);
        if plain {
            return f.write_str(text);
        }
        f.write_str("\"")?;
        for character in text.chars() {
            match character {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                '\r' => f.write_str("\\r")?,
                '\n' => f.write_str("\\n")?,
                other => write!(f, "{other}")?,
            }
        }
        f.write_str("\"")
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            Self::Latency { delay, jitter } => {
                write!(f, " {}", write_time(*delay))?;
                if !jitter.is_zero() {
                    write!(f, " {}", write_time(*jitter))?;
                }
                Ok(())
            }
            Self::Bandwidth(rate) => write!(f, " {}", write_rate(*rate)),
            Self::Slicer { bytes, delay } => {
                write!(f, " {bytes}")?;
                if !delay.is_zero() {
                    write!(f, " {}", write_time(*delay))?;
                }
                Ok(())
            }
            Self::Loss(share)
            | Self::Corrupt(share)
            | Self::Duplicate(share)
            | Self::EchoGarbled(share) => write!(f, " {share}"),
            Self::Overrun { bytes } => write!(f, " {bytes}"),
            Self::WrongBaud(rate) => write!(f, " {rate}"),
            Self::LateReply { delay, replies } => {
                write!(f, " {}", write_time(*delay))?;
                more_than_one(f, *replies)
            }
            Self::LostReply { replies } => more_than_one(f, *replies),
            Self::Urc { text, place } => {
                write!(f, " {}", Quoted(text))?;
                if *place == UrcPlace::Now {
                    Ok(())
                } else {
                    write!(f, " {}", place.name())
                }
            }
            Self::Timeout(span) | Self::SlowClose(span) | Self::DnsSlow(span) => {
                write!(f, " {}", write_time(*span))
            }
            Self::LimitData(bytes) => write!(f, " {bytes}"),
            Self::Signal(rssi) => write!(f, " {rssi}"),
            Self::Registration(registration) => write!(f, " {registration}"),
            Self::Sim(sim) => write!(f, " {sim}"),
            Self::SimBusy { times } | Self::BrownOut { times } => write!(f, " {times}"),
            Self::CmeError { code, commands } => {
                write!(f, " {code}")?;
                more_than_one(f, *commands)
            }
            Self::Stall
            | Self::TcpDrop
            | Self::ResetPeer
            | Self::HalfOpen
            | Self::Refuse
            | Self::CloseOnConnect
            | Self::BrokerSilent
            | Self::BrokerUp
            | Self::DnsFail
            | Self::SignalBack
            | Self::PdpDeact
            | Self::IpChange
            | Self::Reboot
            | Self::PowerCut
            | Self::Stuck
            | Self::FlashFull
            | Self::ClockLost => Ok(()),
        }
    }
}

fn more_than_one(f: &mut fmt::Formatter<'_>, count: u32) -> fmt::Result {
    if count == 1 {
        Ok(())
    } else {
        write!(f, " {count}")
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.what)?;
        if let Some(place) = &self.on {
            write!(f, " on {place}")?;
        }
        match &self.when {
            When::Now => {}
            When::At(span) => write!(f, " at {}", write_time(*span))?,
            When::Every(span) => write!(f, " every {}", write_time(*span))?,
            When::Typed { text, after } => {
                write!(f, " when {}", Quoted(text))?;
                if !after.is_zero() {
                    write!(f, " after {}", write_time(*after))?;
                }
            }
        }
        if self.jitter != Share::NONE {
            write!(f, " jitter {}", self.jitter)?;
        }
        if let Some(span) = self.lasts {
            write!(f, " for {}", write_time(span))?;
        }
        if self.probability != Share::ALL {
            write!(f, " probability {}", self.probability)?;
        }
        if let Some(times) = self.times {
            write!(f, " times {times}")?;
        }
        Ok(())
    }
}
