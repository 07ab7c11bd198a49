//! `modemq module`: a software module on a port.

use super::Error;
use super::control::Control;
use crate::capture::Capture;
use crate::clock::{Clock, unix_micros, unix_time};
use crate::control::fleet::{Fleet, MODULES_MAX, Member, Plan, Refused};
use crate::flash::FlashFolder;
use crate::net::{Override, Resolver, parse_address};
use crate::output;
use crate::port::{Port, Pty, Stdio, TcpPort};
use crate::record::{Header, Recorder};
use crate::trace::{Format, Writer};
use clap::{Args as ClapArgs, FromArgMatches, ValueEnum};
use dialect::Model;
use dialect::model::Bearer;
use module::{AccessPoint, Config, Flash, Identity, Pace, Radio, Registration, Sim};
use std::cell::RefCell;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use world::{Fault, Rig, Weather};

/// A software module on a PTY, TCP port or serial line.
#[derive(ClapArgs, Debug)]
#[command(after_help = "Examples:
  modemq module air780ep
      on a PTY, at a link that stays the same: picocom /tmp/modemq-air780ep
  modemq module air780ep --tcp 127.0.0.1:7000 --resolve mqtt.example.com=127.0.0.1:1883 --trace
      firmware with a hard-coded cloud host talks to a local broker, and every line is shown
  modemq module air700eaq --serial /dev/ttyUSB0 --baud 115200
      this machine becomes a module for the board at the other end of the wire
  modemq module air780ep --tcp 127.0.0.1:7000 --count 50
      fifty modules on the ports 7000 to 7049
  modemq module air780ep --weather night-train --fault 'reboot when AT+MPUB times 1' --seed 7 --trace
      tunnels, a crash in the middle of the first publish, and the same again with the same seed
  modemq module air780ep --weather city --record run.jsonl
      and modemq replay run.jsonl plays it again, byte for byte
  modemq module ec20 --flash flash
      what is uploaded is kept in flash/ec20 for the next start, and what lies there is on the module")]
pub struct Args {
    /// Which module; `modemq models` lists them
    #[arg(value_parser = parse_model)]
    model: &'static Model,

    /// On a pseudo-terminal; LINK is a symbolic link to it [default: modemq-MODEL in the folder for temporary files]
    #[arg(long, value_name = "LINK", num_args = 0..=1, group = "port")]
    #[allow(clippy::option_option)] // clap's form for a flag whose value may be left out
    pty: Option<Option<PathBuf>>,

    /// On a TCP port, raw; port 0 is any free one. A new host takes the place of the one before it
    #[arg(long, value_name = "ADDR", group = "port", value_parser = parse_address)]
    tcp: Option<SocketAddr>,

    /// On a TCP port with RFC 2217 (telnet), as ser2net serves one: with rate, DTR, RTS, CTS, DSR and DCD. A plain terminal works too
    #[arg(long, value_name = "ADDR", group = "port", value_parser = parse_address)]
    rfc2217: Option<SocketAddr>,

    /// On a UART of this machine, which becomes the module
    #[arg(long, value_name = "DEV", group = "port")]
    serial: Option<String>,

    /// On standard input and output
    #[arg(long, group = "port")]
    stdio: bool,

    /// Bits per second of the serial line [default: the model's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(300..=4_000_000))]
    baud: Option<u32>,

    /// So many modules: TCP ports, links and IMEIs are counted upwards
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=4000))]
    count: u16,

    /// Where a name leads, against what DNS says, as curl has it; `*` is every name. May be repeated
    #[arg(long, value_name = "HOST[:PORT]=ADDR[:PORT]", value_parser = parse_resolve)]
    resolve: Vec<Resolve>,

    /// real: the model's delays, and no more bytes a second than its UART carries; fast: no delays
    #[arg(long, value_name = "PACE", default_value = "real")]
    pace: PaceArg,

    /// What breaks, and when: 'pdp-deact every 10m jitter 30%'; `modemq faults` lists the words. May be repeated
    #[arg(long, value_name = "LINE")]
    fault: Vec<Fault>,

    /// Faults that go together: city, elevator, basement, night-train, arrears, server-restart, reconnect-storm, or a file of lines. May be repeated
    #[arg(long, value_name = "NAME|FILE")]
    weather: Vec<String>,

    /// What decides everything that faults leave to chance; each further module of --count has the next number
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,

    /// Write all that goes in and out, with the time, for `modemq replay FILE`; it holds passwords and keys that the host types
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,

    /// Milliseconds that a connection and each answer of a broker take besides [default: as on the model's network; none with --pace fast]
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(..=60_000))]
    latency: Option<u64>,

    /// Also take the tutorials' own forms where the firmware refuses them; the trace marks each
    #[arg(long)]
    as_written: bool,

    /// Print every line both ways, MQTT packets and changes of state, to standard error
    #[arg(long, value_name = "FORMAT", num_args = 0..=1, default_missing_value = "text")]
    trace: Option<Format>,

    /// Write the trace to this file instead
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,

    /// Keep the module's flash there: its files, certificates and settings, in a folder for each module that is named after the
    /// model, and numbered with --count [default: in memory, as long as it runs]
    #[arg(long, value_name = "DIR")]
    flash: Option<PathBuf>,

    /// Write what goes over the links to this file for Wireshark (pcapng): MQTT in the clear, also inside TLS and WebSockets, shown at 1883 in place of 8883
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,

    /// 15 digits
    #[arg(long, value_name = "DIGITS", value_parser = |text: &str| digits(text, 15))]
    imei: Option<String>,

    /// 19 or 20 digits
    #[arg(long, value_name = "DIGITS", value_parser = |text: &str| digits(text, 20))]
    iccid: Option<String>,

    /// 15 digits
    #[arg(long, value_name = "DIGITS", value_parser = |text: &str| digits(text, 15))]
    imsi: Option<String>,

    /// A Wi-Fi access point in reach; without a password it is open. May be repeated [default: one of every name, which takes every password]
    #[arg(long, value_name = "SSID[:PASSWORD]", value_parser = parse_wifi)]
    wifi: Vec<AccessPoint>,

    /// The MAC address of a Wi-Fi module
    #[arg(long, value_name = "MAC", value_parser = parse_mac)]
    mac: Option<String>,

    /// Signal as AT+CSQ tells it: 0 (-113 dBm) to 31 (-51 dBm), 99 none
    #[arg(long, value_name = "RSSI", default_value_t = 24, value_parser = parse_rssi)]
    signal: u8,

    /// The operator: LONG[,SHORT[,MCCMNC]], such as "CHINA MOBILE,CMCC,46000"
    #[arg(long, value_name = "NAMES")]
    operator: Option<String>,

    /// What becomes of the registration; denied is a SIM in arrears
    #[arg(
        long,
        value_name = "home|roaming|searching|denied|none",
        default_value = "home"
    )]
    registration: Registration,

    /// The SIM: ready, absent, busy, or pin:1234
    #[arg(long, value_name = "STATE", default_value = "ready")]
    sim: Sim,

    /// The APN that the network gives when the module asks for none
    #[arg(long, value_name = "NAME")]
    apn: Option<String>,

    /// Give a PDP context only for this APN, as a private network does. May be repeated
    #[arg(long, value_name = "NAME")]
    apn_allow: Vec<String>,

    /// Let the SIM reach these names and addresses only, as a card with directed IP does. May be repeated
    #[arg(long, value_name = "HOST")]
    white_list: Vec<String>,

    /// The module's clock: now, as the network sets it, or unset
    #[arg(long, value_name = "STATE", default_value = "now", value_parser = ["now", "unset"])]
    clock: String,

    #[command(flatten)]
    control: Control,
}

/// Where a name leads.
#[derive(Clone, Debug)]
enum Resolve {
    To(Override),
    /// This name, to the broker of --broker.
    Broker(String),
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum PaceArg {
    Real,
    Fast,
}

/// Runs until it is stopped.
///
/// # Errors
/// A port that cannot be opened, a file that cannot be written.
pub async fn run(args: Args) -> Result<ExitCode, Error> {
    let clock = Clock::start();
    let writer = match (args.trace, &args.log) {
        (None, None) => None,
        (format, log) => {
            let writer = Writer::open(format.unwrap_or(Format::Text), log.as_deref())?;
            Some(Rc::new(RefCell::new(writer)))
        }
    };
    check(&args)?;
    let bench = args.control.start_broker(clock).await?;
    let broker = bench
        .as_ref()
        .and_then(|bench| bench.server.local_addrs().first());
    let resolver = Resolver::new(overrides(&args.resolve, broker)?);
    let faults = faults(&args)?;
    let capture = match &args.pcap {
        Some(path) => {
            let epoch = unix_micros().unwrap_or(0) - clock.now().as_micros();
            Some(Rc::new(RefCell::new(Capture::create(path, epoch)?)))
        }
        None => None,
    };
    let trace = writer.is_some() || args.control.is_on();
    let mut plans = Vec::new();
    for index in 0..args.count {
        let port = open_port(&args, index).await?;
        plans.push(plan(&args, index, port, clock, &faults, trace)?);
    }
    // The port of each module is Rc inside, so they all run on this thread.
    let local = tokio::task::LocalSet::new();
    local
        .run_until(async {
            let mut fleet = Fleet::new(clock, resolver, writer, args.control.is_on());
            if let Some(capture) = capture {
                fleet = fleet.with_capture(capture);
            }
            let mut lines = String::new();
            for plan in plans {
                let model = args.model;
                let (title, port) = (model.title, plan.port.how_to_reach(model.syntax));
                lines += &format!("{title} on {port}\n");
                fleet.add(plan, args.count > 1);
            }
            if let Some(address) = broker {
                lines += &format!("broker on {address}\n");
            }
            let (asks, mut asked) = mpsc::unbounded_channel();
            let members = fleet.members.clone();
            let server = args.control.start(members, asks, bench.clone()).await?;
            if let Some(server) = &server {
                lines += &format!("control on http://{}\n", server.local_addr());
            }
            if args.stdio {
                // Standard output is the serial line.
                std::io::stderr().write_all(lines.as_bytes())?;
            } else {
                output::stdout().write_all(lines.as_bytes())?;
                output::stdout().flush()?;
            }
            let mut stopped = std::pin::pin!(args.control.stopped());
            loop {
                tokio::select! {
                    ended = fleet.ended() => {
                        ended?;
                        // Somebody may still want one more.
                        if fleet.is_empty() && (args.stdio || !args.control.is_on()) {
                            return Ok(ExitCode::SUCCESS);
                        }
                    }
                    () = &mut stopped => return Ok(ExitCode::SUCCESS),
                    Some(ask) = asked.recv() => {
                        let made = make(&mut fleet, &args, &ask.args).await;
                        // Who asked may have gone; the module stays.
                        let _ = ask.answer.send(made);
                    }
                }
            }
        })
        .await
}

fn plan(
    args: &Args,
    index: u16,
    port: Port,
    clock: Clock,
    faults: &[Fault],
    trace: bool,
) -> Result<Plan, Error> {
    let (folder, flash) = open_flash(args, index)?.unzip();
    let header = Header {
        args: std::env::args().skip_while(|arg| arg != "module").collect(),
        start: clock.now(),
        unix_time: unix_time(),
        flash,
    };
    let mut rig = rig(args, index, &header, trace || args.record.is_some());
    let recorder = match &args.record {
        Some(_) if args.count > 1 => {
            return Err("--record is of one module: it does not go with --count".into());
        }
        Some(path) => {
            rig.record();
            Some(Recorder::create(path, &header)?)
        }
        None => None,
    };
    for fault in faults {
        rig.inject(clock.now(), fault.clone())?;
    }
    let radio = config(args, index, None, false).radio;
    Ok(Plan {
        rig,
        imei: imei(args, index),
        address: match args.model.bearer {
            Bearer::WiFi => radio.station_address,
            Bearer::Cellular | Bearer::NbIot => radio.address,
        },
        port,
        folder,
        recorder,
    })
}

/// One more module, as somebody asked for it.
async fn make(fleet: &mut Fleet, like: &Args, args: &[String]) -> Result<Arc<Member>, Refused> {
    if !fleet.has_room() {
        return Err(Refused::Taken(format!(
            "there are {MODULES_MAX} modules already"
        )));
    }
    let command = Args::augment_args(clap::Command::new("module").no_binary_name(true));
    let wrong = |error: clap::Error| {
        let text = error.render().to_string();
        let first = text.lines().next().unwrap_or_default();
        Refused::Wrong(first.trim_start_matches("error: ").into())
    };
    let matches = command.try_get_matches_from(args).map_err(wrong)?;
    let mut args = Args::from_arg_matches(&matches).map_err(wrong)?;
    let given = |name| matches.value_source(name) == Some(clap::parser::ValueSource::CommandLine);
    if !given("pace") {
        args.pace = like.pace;
    }
    if !given("latency") {
        args.latency = like.latency;
    }
    check(&args).map_err(|error| Refused::Wrong(error.to_string()))?;
    let faults = faults(&args).map_err(|error| Refused::Wrong(error.to_string()))?;
    // As with --count: numbers of its own.
    let number = fleet.next_id();
    if !given("seed") {
        args.seed = like.seed.wrapping_add(number.into());
    }
    args.imei = Some(imei(&args, if given("imei") { 0 } else { number as u16 }));
    let port = match (args.tcp.or(args.rfc2217), &args.pty) {
        (None, None) => Pty::open(None).map(Port::Pty).map_err(Error::from),
        _ => open_port(&args, 0).await,
    };
    let plan = port.and_then(|port| plan(&args, 0, port, fleet.clock(), &faults, true));
    let plan = plan.map_err(|error| Refused::Taken(error.to_string()))?;
    Ok(fleet.add(plan, true))
}

/// The module of a recording.
///
/// # Errors
/// Its arguments are none of this version.
pub fn recorded(header: &Header) -> Result<Rig, String> {
    let command = Args::augment_args(clap::Command::new("module"));
    let matches = command.try_get_matches_from(&header.args);
    let args = matches.and_then(|matches| Args::from_arg_matches(&matches));
    let args = args.map_err(|error| format!("line 1: {error}"))?;
    Ok(rig(&args, 0, header, true))
}

fn rig(args: &Args, index: u16, header: &Header, trace: bool) -> Rig {
    let config = Config {
        flash: header.flash.clone(),
        ..config(args, index, header.unix_time, trace)
    };
    let seed = args.seed.wrapping_add(index.into());
    Rig::new(header.start, args.model, config).with_seed(seed)
}

/// The faults of the command line. What the model cannot have is a mistake where it was asked for, and left out of a weather.
fn faults(args: &Args) -> Result<Vec<Fault>, Error> {
    let mut faults = Vec::new();
    for name in &args.weather {
        let weather = weather(name).map_err(|error| format!("--weather {error}"))?;
        let here = |fault: &Fault| fault.check(args.model).is_ok();
        faults.extend(weather.faults.into_iter().filter(here));
    }
    for fault in &args.fault {
        fault
            .check(args.model)
            .map_err(|why| format!("--fault '{fault}': {why}"))?;
        faults.push(fault.clone());
    }
    Ok(faults)
}

/// The weather of this name, or in this file.
///
/// # Errors
/// There is none, or it has a line that is no fault.
pub fn weather(name: &str) -> Result<Weather, Error> {
    if let Some(text) = Weather::text_of(name) {
        return Ok(Weather::parse(text)?);
    }
    let text = std::fs::read_to_string(name).map_err(|error| {
        let names: Vec<_> = world::weather::BUILT_IN
            .iter()
            .map(|(name, _)| *name)
            .collect();
        format!(
            "{name}: no weather of that name ({}), and no file: {error}",
            names.join(", ")
        )
    })?;
    Weather::parse(&text).map_err(|error| format!("{name}, {error}").into())
}

/// Options that the model has no use for are mistakes.
fn check(args: &Args) -> Result<(), Error> {
    let of_wifi = [
        ("--wifi", !args.wifi.is_empty()),
        ("--mac", args.mac.is_some()),
    ];
    let of_cells = [
        ("--imei", args.imei.is_some()),
        ("--iccid", args.iccid.is_some()),
        ("--imsi", args.imsi.is_some()),
        ("--operator", args.operator.is_some()),
        ("--registration", args.registration != Registration::Home),
        ("--sim", args.sim != Sim::Ready),
        ("--apn", args.apn.is_some()),
        ("--apn-allow", !args.apn_allow.is_empty()),
        ("--white-list", !args.white_list.is_empty()),
    ];
    let (wrong, kind): (&[(&str, bool)], _) = match args.model.bearer {
        Bearer::WiFi => (&of_cells, "cellular"),
        Bearer::Cellular | Bearer::NbIot => (&of_wifi, "Wi-Fi"),
    };
    match wrong.iter().find(|(_, given)| *given) {
        Some((name, _)) => Err(format!(
            "{name} is for {kind} modules, and the {} is none",
            args.model.title
        )
        .into()),
        None => Ok(()),
    }
}

/// The flash of a module, when it is to be kept.
fn open_flash(args: &Args, index: u16) -> Result<Option<(FlashFolder, Flash)>, Error> {
    let Some(root) = &args.flash else {
        return Ok(None);
    };
    let own = root.join(args.model.name);
    let own = if args.count == 1 {
        own
    } else {
        numbered(&own, index)
    };
    let wrong = |why: String| format!("--flash: {why}");
    let (folder, flash) = FlashFolder::open(&own, args.model.limits.flash)
        .map_err(|error| wrong(error.to_string()))?;
    flash.check(args.model).map_err(|(item, why)| {
        let title = args.model.title;
        let own = own.display();
        wrong(format!(
            "{own}: {:?} does not fit the {title}: {why}",
            item.name
        ))
    })?;
    Ok(Some((folder, flash)))
}

async fn open_port(args: &Args, index: u16) -> Result<Port, Error> {
    let alone = args.count == 1;
    if let Some(device) = &args.serial {
        if !alone {
            return Err("--serial is one line: --count goes with --pty or --tcp".into());
        }
        return Ok(Port::serial(
            device,
            args.baud.unwrap_or(args.model.defaults.baud),
        )?);
    }
    if args.stdio {
        if !alone {
            return Err("--stdio is one line: --count goes with --pty or --tcp".into());
        }
        return Ok(Port::Stdio(Stdio::open()));
    }
    if let Some(mut address) = args.tcp.or(args.rfc2217) {
        if address.port() != 0 {
            let port = address
                .port()
                .checked_add(index)
                .ok_or("--count goes beyond port 65535")?;
            address.set_port(port);
        }
        let port = TcpPort::listen(address).await?;
        return Ok(Port::Tcp(if args.rfc2217.is_some() {
            let version = env!("CARGO_PKG_VERSION");
            port.with_rfc2217(&format!("modemq {version} {}", args.model.title))
        } else {
            port
        }));
    }
    let link = match &args.pty {
        Some(Some(link)) => link.clone(),
        _ => default_link(args.model),
    };
    Ok(Port::Pty(Pty::open(Some(&if alone {
        link
    } else {
        numbered(&link, index)
    }))?))
}

/// The symbolic link of a model's PTY when none is named.
pub fn default_link(model: &Model) -> PathBuf {
    std::env::temp_dir().join(format!("modemq-{}", model.name))
}

fn numbered(link: &Path, index: u16) -> PathBuf {
    let mut name = link.as_os_str().to_owned();
    name.push(format!("-{index}"));
    name.into()
}

fn config(args: &Args, index: u16, unix_time: Option<u64>, trace: bool) -> Config {
    let default = Identity::default();
    let radio = Radio::default();
    let names: Vec<&str> = args
        .operator
        .as_deref()
        .map(|names| names.split(',').collect())
        .unwrap_or_default();
    let name = |index: usize, other: &str| names.get(index).copied().unwrap_or(other).to_string();
    let long = name(0, &radio.operator);
    Config {
        identity: Identity {
            imei: imei(args, index),
            iccid: args.iccid.clone().unwrap_or(default.iccid),
            imsi: args.imsi.clone().unwrap_or(default.imsi),
            mac: args.mac.clone().unwrap_or(default.mac),
        },
        radio: Radio {
            rssi: args.signal,
            registration: args.registration,
            sim: args.sim.clone(),
            operator_short: if names.is_empty() {
                radio.operator_short
            } else {
                name(1, &long)
            },
            plmn: name(2, &radio.plmn),
            operator: long,
            default_apn: args.apn.clone().unwrap_or(radio.default_apn),
            allowed_apns: args.apn_allow.clone(),
            white_list: args.white_list.clone(),
            tac: radio.tac,
            cell: radio.cell,
            address: radio.address,
            dns: radio.dns,
            access_points: args.wifi.clone(),
            station_address: radio.station_address,
        },
        pace: match args.pace {
            PaceArg::Real => Pace::Real,
            PaceArg::Fast => Pace::Fast,
        },
        unix_time: unix_time.filter(|_| args.clock == "now"),
        latency: args.latency.map(Duration::from_millis),
        baud: args.baud,
        as_written: args.as_written,
        flash: None,
        trace,
    }
}

fn imei(args: &Args, index: u16) -> String {
    let imei = args.imei.clone().unwrap_or(Identity::default().imei);
    count_up(&imei, index)
}

/// The same number of digits, `index` further on.
fn count_up(digits: &str, index: u16) -> String {
    match digits.parse::<u64>() {
        Ok(number) => format!(
            "{:0width$}",
            number.wrapping_add(index.into()),
            width = digits.len()
        ),
        Err(_) => digits.into(),
    }
}

/// The model called so, or which ones there are.
///
/// # Errors
/// A sentence with the names.
pub fn parse_model(name: &str) -> Result<&'static Model, String> {
    Model::by_name(name).ok_or_else(|| {
        let names: Vec<_> = dialect::model::ALL.iter().map(|model| model.name).collect();
        format!("no such model; there are {}", names.join(", "))
    })
}

fn digits(text: &str, len: usize) -> Result<String, String> {
    let fits = text.len() == len || (len == 20 && text.len() == 19);
    if fits && text.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(text.into())
    } else {
        Err(format!("{len} digits are wanted"))
    }
}

fn parse_resolve(text: &str) -> Result<Resolve, String> {
    match text.strip_suffix("=broker") {
        None => text.parse().map(Resolve::To),
        Some(name) => {
            leads_to(name, SocketAddr::from(([127, 0, 0, 1], 1883)))?;
            Ok(Resolve::Broker(name.into()))
        }
    }
}

fn leads_to(name: &str, address: SocketAddr) -> Result<Override, String> {
    format!("{name}={address}").parse()
}

/// Where names lead, the broker's own behind the user's.
fn overrides(resolve: &[Resolve], broker: Option<&SocketAddr>) -> Result<Vec<Override>, Error> {
    let mut found = Vec::new();
    for entry in resolve {
        found.push(match (entry, broker) {
            (Resolve::To(entry), _) => entry.clone(),
            (Resolve::Broker(name), Some(broker)) => leads_to(name, *broker)?,
            (Resolve::Broker(name), None) => {
                return Err(format!("--resolve {name}=broker needs --broker").into());
            }
        });
    }
    if let Some(broker) = broker {
        found.push(leads_to("broker.test", *broker)?);
    }
    Ok(found)
}

fn parse_rssi(text: &str) -> Result<u8, String> {
    match text.parse() {
        Ok(rssi @ (0..=31 | 99)) => Ok(rssi),
        _ => Err("0 to 31, or 99".into()),
    }
}

fn parse_wifi(text: &str) -> Result<AccessPoint, String> {
    let (ssid, password) = text.split_once(':').unwrap_or((text, ""));
    if ssid.is_empty() || ssid.len() > 32 || password.len() > 64 {
        return Err("a name of 1 to 32 bytes, and perhaps : and a password of up to 64".into());
    }
    Ok(AccessPoint {
        ssid: ssid.into(),
        password: password.into(),
    })
}

fn parse_mac(text: &str) -> Result<String, String> {
    let parts: Vec<_> = text.split(':').collect();
    let is_mac = parts.len() == 6
        && parts
            .iter()
            .all(|part| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_hexdigit()));
    if is_mac {
        Ok(text.to_ascii_lowercase())
    } else {
        Err("six pairs of hexadecimal digits, such as 5c:cf:7f:80:aa:01".into())
    }
}
