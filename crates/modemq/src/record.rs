//! A module's run as a file: everything that went in and came out, with the time, and the same again from the file.
//!
//! A recording is JSON lines. The first one says which module it is and how it was set up; each of the others has the virtual time
//! in microseconds (`us`) and what went `in` or came `out`. Bytes are `text` where they are UTF-8, and else `hex`.

use crate::trace::Line;
use instant::Instant;
use module::{Area, Content, Flash, FlashItem, LinkId, NetError, NetworkEvent, Output, QueryId};
use serde_json::{Map, Value, json};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;
use world::fault::What;
use world::{Fault, FaultId, OwnedEvent, Record, Recorded, Rig};

/// The format that is written; readers refuse others.
const FORMAT: u64 = 1;

/// How a module was set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The arguments of `modemq module`.
    pub args: Vec<String>,
    /// When it was powered on.
    pub start: Instant,
    /// UTC in seconds since 1970 when it started; `None`: it did not know.
    pub unix_time: Option<u64>,
    /// What its flash held.
    pub flash: Option<Flash>,
}

/// Writes a recording.
#[derive(Debug)]
pub struct Recorder {
    file: File,
}

impl Recorder {
    /// Begins a file, readable for its owner alone: it holds what the host typed, passwords and keys included.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn create(path: &Path, header: &Header) -> io::Result<Self> {
        let named =
            |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(path).map_err(named)?;
        writeln!(file, "{}", header.line()).map_err(named)?;
        Ok(Self { file })
    }

    /// Writes what has happened since the last call, whole lines at a time: what is there survives the program.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&mut self, rig: &mut Rig) -> io::Result<()> {
        let records = rig.take_records();
        if records.is_empty() {
            return Ok(());
        }
        let mut lines = String::new();
        for record in &records {
            lines.push_str(&line(record).to_string());
            lines.push('\n');
        }
        self.file.write_all(lines.as_bytes())
    }
}

/// Whether a text is a recording.
pub fn is_recording(text: &str) -> bool {
    text.starts_with("{\"modemq\":")
}

/// What came of playing a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// What went in.
    pub inputs: usize,
    /// What came out, all of it as recorded.
    pub outputs: usize,
    /// How long it took then.
    pub span: Duration,
    /// The last line is cut off: the program was killed.
    pub is_cut: bool,
}

/// Plays a recording on a module that `make` sets up, and compares everything that comes out.
///
/// # Errors
/// What is no recording, and the first line where the module does something else.
pub fn replay(
    text: &str,
    make: impl FnOnce(&Header) -> Result<Rig, String>,
) -> Result<Replayed, String> {
    let mut lines = text.lines().enumerate();
    let header = lines
        .next()
        .and_then(|(_, line)| Header::parse(line))
        .ok_or("line 1: no recording of this version of modemq")?;
    let mut rig = make(&header)?;
    let mut replayed = Replayed {
        inputs: 0,
        outputs: 0,
        span: Duration::ZERO,
        is_cut: false,
    };
    let whole = text.ends_with('\n');
    let last = text.lines().count();
    for (index, text) in lines {
        let number = index + 1;
        let Ok(value) = serde_json::from_str::<Value>(text) else {
            if number == last && !whole {
                replayed.is_cut = true;
                break;
            }
            return Err(format!("line {number}: no line of a recording: {text}"));
        };
        if let Some(micros) = value["us"].as_u64() {
            replayed.span = Duration::from_micros(micros);
        }
        if value.get("out").is_none() {
            let record = parse(&value).ok_or_else(|| format!("line {number}: no input: {text}"))?;
            rig.feed(&record);
            replayed.inputs += 1;
            continue;
        }
        let at = Instant::ZERO + replayed.span;
        let came = rig.poll_output().map(|output| {
            let what = Recorded::Output(output);
            line(&Record { at, what }).to_string()
        });
        if came.as_deref() != Some(text) {
            return Err(format!(
                "line {number}: the module does something else\n  then: {text}\n  now:  {}",
                came.as_deref().unwrap_or("(nothing)")
            ));
        }
        replayed.outputs += 1;
    }
    // Of the last input something may have been cut off.
    if !replayed.is_cut
        && let Some(output) = rig.poll_output()
    {
        return Err(format!(
            "line {}: the module has more to say: {output:?}",
            last + 1
        ));
    }
    Ok(replayed)
}

impl Header {
    fn line(&self) -> Value {
        let mut line = json!({
            "modemq": FORMAT,
            "us": self.start.as_micros(),
            "args": self.args,
            "unix_time": self.unix_time,
        });
        if let Some(flash) = &self.flash {
            let items = flash.0.iter().map(|(item, content)| {
                let mut value = json!({ "area": area_name(item.area), "name": item.name });
                put_bytes(&mut value, &content.0);
                value
            });
            line["flash"] = items.collect();
        }
        line
    }

    fn parse(line: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(line).ok()?;
        if value["modemq"].as_u64()? != FORMAT {
            return None;
        }
        let args = value["args"].as_array()?.iter();
        let flash = match value.get("flash") {
            None => None,
            Some(items) => {
                let items = items.as_array()?.iter().map(|item| {
                    let area = area_named(item["area"].as_str()?)?;
                    let name = item["name"].as_str()?.to_string();
                    Some((FlashItem { area, name }, Content(bytes_of(item)?)))
                });
                Some(Flash(items.collect::<Option<_>>()?))
            }
        };
        Some(Self {
            args: args
                .map(|arg| arg.as_str().map(str::to_string))
                .collect::<Option<_>>()?,
            start: Instant::from_micros(value["us"].as_u64()?),
            unix_time: value["unix_time"].as_u64(),
            flash,
        })
    }
}

const AREAS: [(Area, &str); 4] = [
    (Area::File, "file"),
    (Area::Folder, "folder"),
    (Area::Certificate, "certificate"),
    (Area::Setting, "setting"),
];

fn area_name(area: Area) -> &'static str {
    let found = AREAS.iter().find(|(own, _)| *own == area);
    found.map_or("file", |(_, name)| name)
}

fn area_named(name: &str) -> Option<Area> {
    let found = AREAS.iter().find(|(_, own)| *own == name);
    found.map(|(area, _)| *area)
}

/// A record as a line.
fn line(record: &Record) -> Value {
    let mut value = json!({ "us": record.at.as_micros() });
    match &record.what {
        Recorded::Host(bytes) => {
            value["in"] = "host".into();
            put_bytes(&mut value, bytes);
        }
        Recorded::Link(link, event) => {
            let (name, error) = match event {
                OwnedEvent::Opened(_) => ("opened", None),
                OwnedEvent::Failed(error) => ("failed", Some(error_name(*error))),
                OwnedEvent::Data(_) => ("data", None),
                OwnedEvent::Closed => ("closed", None),
                OwnedEvent::Reset => ("reset", None),
            };
            value["in"] = name.into();
            value["link"] = link.0.into();
            if let Some(error) = error {
                value["error"] = error.into();
            }
            match event {
                OwnedEvent::Opened(peer) => value["address"] = peer.to_string().into(),
                OwnedEvent::Data(bytes) => put_bytes(&mut value, bytes),
                _ => {}
            }
        }
        Recorded::Resolved(query, answer) => {
            value["in"] = "resolved".into();
            value["query"] = query.0.into();
            match answer {
                Ok(found) => value["addresses"] = found.iter().map(IpAddr::to_string).collect(),
                Err(error) => value["error"] = error_name(*error).into(),
            }
        }
        Recorded::Network(event) => {
            value["in"] = "network".into();
            value["event"] = event_words(event).into();
        }
        Recorded::Inject(fault) => {
            value["in"] = "fault".into();
            value["line"] = fault.to_string().into();
        }
        Recorded::Clear(id) => {
            value["in"] = "clear".into();
            value["fault"] = id.0.into();
        }
        Recorded::ClearAll => value["in"] = "heal".into(),
        Recorded::Advance => value["in"] = "time".into(),
        Recorded::Output(output) => put_output(&mut value, output),
    }
    value
}

fn put_output(value: &mut Value, output: &Output) {
    let mut out = |name: &str| value["out"] = name.into();
    match output {
        Output::Serial(bytes) => {
            out("host");
            put_bytes(value, bytes);
        }
        Output::Open {
            link,
            host,
            port,
            transport,
        } => {
            out("open");
            value["link"] = link.0.into();
            value["host"] = host.as_str().into();
            value["port"] = (*port).into();
            // What it would show of keys and certificates is in the bytes of the host.
            value["tls"] = transport.tls.is_some().into();
            if let Some(path) = &transport.websocket {
                value["websocket"] = path.as_str().into();
            }
        }
        Output::Send { link, bytes } => {
            out("send");
            value["link"] = link.0.into();
            put_bytes(value, bytes);
        }
        Output::Close { link } => {
            out("close");
            value["link"] = link.0.into();
        }
        Output::Abort { link } => {
            out("abort");
            value["link"] = link.0.into();
        }
        Output::Resolve { query, host } => {
            out("resolve");
            value["query"] = query.0.into();
            value["host"] = host.as_str().into();
        }
        Output::Flash { item, content } => {
            out("flash");
            value["area"] = area_name(item.area).into();
            value["name"] = item.name.as_str().into();
            match content {
                Some(content) => put_bytes(value, &content.0),
                None => value["deleted"] = true.into(),
            }
        }
        Output::Baud(baud) => {
            out("baud");
            value["rate"] = (*baud).into();
        }
        Output::PoweredOff => out("off"),
        Output::Trace(trace) => {
            out("trace");
            let line = Line::new(None, trace);
            value["at"] = line.micros.into();
            value["kind"] = json!(line.kind);
            value["text"] = line.text.into();
        }
    }
}

/// An input from its line.
fn parse(value: &Value) -> Option<Record> {
    let at = Instant::from_micros(value["us"].as_u64()?);
    let link = || Some(LinkId(u32::try_from(value["link"].as_u64()?).ok()?));
    let text = |name: &str| value[name].as_str();
    let what = match text("in")? {
        "host" => Recorded::Host(bytes_of(value)?),
        "opened" => Recorded::Link(link()?, OwnedEvent::Opened(text("address")?.parse().ok()?)),
        "failed" => Recorded::Link(link()?, OwnedEvent::Failed(error_named(text("error")?)?)),
        "data" => Recorded::Link(link()?, OwnedEvent::Data(bytes_of(value)?)),
        "closed" => Recorded::Link(link()?, OwnedEvent::Closed),
        "reset" => Recorded::Link(link()?, OwnedEvent::Reset),
        "resolved" => {
            let query = QueryId(u32::try_from(value["query"].as_u64()?).ok()?);
            let answer = match value.get("addresses") {
                Some(found) => {
                    let found = found.as_array()?.iter();
                    let parsed = found.map(|address| address.as_str()?.parse().ok());
                    Ok(parsed.collect::<Option<_>>()?)
                }
                None => Err(error_named(text("error")?)?),
            };
            Recorded::Resolved(query, answer)
        }
        "network" => Recorded::Network(event_of(text("event")?)?),
        "fault" => Recorded::Inject(text("line")?.parse().ok()?),
        "clear" => Recorded::Clear(FaultId(u32::try_from(value["fault"].as_u64()?).ok()?)),
        "heal" => Recorded::ClearAll,
        "time" => Recorded::Advance,
        _ => return None,
    };
    Some(Record { at, what })
}

fn put_bytes(value: &mut Value, bytes: &[u8]) {
    if let Ok(text) = str::from_utf8(bytes) {
        value["text"] = text.into();
        return;
    }
    let mut hex = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        hex.push_str(&format!("{byte:02x}"));
    }
    value["hex"] = hex.into();
}

fn bytes_of(value: &Value) -> Option<Vec<u8>> {
    let object: &Map<String, Value> = value.as_object()?;
    if let Some(text) = object.get("text") {
        return Some(text.as_str()?.as_bytes().to_vec());
    }
    let (pairs, []) = object.get("hex")?.as_str()?.as_bytes().as_chunks::<2>() else {
        return None;
    };
    let byte = |pair: &[u8; 2]| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok();
    pairs.iter().map(byte).collect()
}

const ERRORS: [(NetError, &str); 8] = [
    (NetError::Dns, "dns"),
    (NetError::Refused, "refused"),
    (NetError::Timeout, "timeout"),
    (NetError::Unreachable, "unreachable"),
    (NetError::Reset, "reset"),
    (NetError::Tls, "tls"),
    (NetError::WebSocket, "websocket"),
    (NetError::Other, "other"),
];

fn error_name(error: NetError) -> &'static str {
    let found = ERRORS.iter().find(|(own, _)| *own == error);
    found.map_or("other", |(_, name)| name)
}

fn error_named(name: &str) -> Option<NetError> {
    let found = ERRORS.iter().find(|(_, own)| *own == name);
    found.map(|(error, _)| *error)
}

/// An event of the network in the words of faults, and four of its own.
fn event_words(event: &NetworkEvent) -> String {
    let what = match event {
        NetworkEvent::PowerCut => return "power-off".into(),
        NetworkEvent::FlashFull(false) => return "flash-free".into(),
        NetworkEvent::ClockSet(seconds) => return format!("clock-set {seconds}"),
        NetworkEvent::HostRate { baud } => return format!("host-rate {baud}"),
        NetworkEvent::PdpDeactivated => What::PdpDeact,
        NetworkEvent::Signal { rssi } => What::Signal(*rssi),
        NetworkEvent::Registration(registration) => What::Registration(*registration),
        NetworkEvent::Sim(sim) => What::Sim(sim.clone()),
        NetworkEvent::AddressChanged => What::IpChange,
        NetworkEvent::SimBusy { times } => What::SimBusy { times: *times },
        NetworkEvent::PowerCycle => What::PowerCut,
        NetworkEvent::Crash => What::Reboot,
        NetworkEvent::FlashFull(true) => What::FlashFull,
        NetworkEvent::ClockLost => What::ClockLost,
        NetworkEvent::CommandsFail { code, commands } => What::CmeError {
            code: *code,
            commands: *commands,
        },
    };
    what.to_string()
}

fn event_of(words: &str) -> Option<NetworkEvent> {
    match words {
        "power-off" => return Some(NetworkEvent::PowerCut),
        "flash-free" => return Some(NetworkEvent::FlashFull(false)),
        _ => {}
    }
    if let Some(seconds) = words.strip_prefix("clock-set ") {
        return Some(NetworkEvent::ClockSet(seconds.parse().ok()?));
    }
    if let Some(baud) = words.strip_prefix("host-rate ") {
        let baud = baud.parse().ok()?;
        return Some(NetworkEvent::HostRate { baud });
    }
    let fault: Fault = words.parse().ok()?;
    Some(match fault.what {
        What::PdpDeact => NetworkEvent::PdpDeactivated,
        What::Signal(rssi) => NetworkEvent::Signal { rssi },
        What::Registration(registration) => NetworkEvent::Registration(registration),
        What::Sim(sim) => NetworkEvent::Sim(sim),
        What::IpChange => NetworkEvent::AddressChanged,
        What::SimBusy { times } => NetworkEvent::SimBusy { times },
        What::PowerCut => NetworkEvent::PowerCycle,
        What::Reboot => NetworkEvent::Crash,
        What::FlashFull => NetworkEvent::FlashFull(true),
        What::ClockLost => NetworkEvent::ClockLost,
        What::CmeError { code, commands } => NetworkEvent::CommandsFail { code, commands },
        _ => return None,
    })
}
