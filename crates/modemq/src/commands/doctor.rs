//! `modemq doctor`: why does it not connect?

use super::Error;
use super::module::parse_model;
use crate::clock::{Clock, unix_time};
use crate::doctor::conversation::Modem;
use crate::doctor::lines::{Stage, conversation, set_apn};
use crate::doctor::{
    Credentials, Finding, Login, Question, Report, Target, Verdict, radio, server, trial,
};
use crate::line::HostLine;
use crate::net::{Override, Resolver};
use crate::port::{Port, TcpPort};
use crate::runtime::Host;
use anstyle::{AnsiColor, Style};
use clap::Args as ClapArgs;
use dialect::Model;
use dialect::model::Bearer;
use module::{Config, Module, Pace};
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use tokio::task::LocalSet;

/// Say why a module does not connect to a broker, step by step, and print the AT lines that work
#[derive(ClapArgs, Debug)]
#[command(after_help = "Examples:
  modemq doctor mqtts://broker.example --model air700eaq --cafile ca.crt -u user -P secret
      this machine looks at the broker with what an Air700EAQ offers, and then a virtual one logs in
  modemq doctor mqtt://broker.example --model ec20 --port /dev/ttyUSB2
      the same with a real module, after its SIM, signal, registration, address and clock

It logs in with the client id that is given: a device that uses the same one is thrown out meanwhile.
The exit status is 0 when it works, 1 when something keeps it from working.")]
pub struct Args {
    /// mqtt://HOST[:PORT], mqtts://, ws:// or wss://
    #[arg(value_name = "URL")]
    target: Target,

    /// With whose eyes; `modemq models` lists them
    #[arg(short, long, value_parser = parse_model)]
    model: &'static Model,

    /// The authority that the module is to trust, PEM or DER
    #[arg(long, value_name = "FILE")]
    cafile: Option<PathBuf>,

    /// The client's certificate
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,

    /// The client's private key
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,

    /// User name
    #[arg(short, long, value_name = "NAME")]
    username: Option<String>,

    /// Password
    #[arg(
        short = 'P',
        long = "pw",
        value_name = "PASSWORD",
        requires = "username"
    )]
    password: Option<String>,

    /// Client id; with one, another device that uses it shows [default: one that nobody has]
    #[arg(short = 'i', long, value_name = "ID")]
    id: Option<String>,

    /// Where it subscribes and publishes [default: modemq/doctor/ and a number]
    #[arg(short, long, value_name = "TOPIC")]
    topic: Option<String>,

    /// Keep alive in seconds
    #[arg(short, long, value_name = "SECONDS", default_value_t = 120)]
    keepalive: u16,

    /// How long the server is watched for how long it waits for CONNECT
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(..=3600))]
    patience: u64,

    /// What the firmware lets pass between the connection and its login
    #[arg(long, value_name = "SECONDS", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=600))]
    connect_delay: u64,

    /// The module is to compare the dates of certificates with its clock (ignorelocaltime 0)
    #[arg(long)]
    check_dates: bool,

    /// Through a module at a serial device or tcp:HOST:PORT
    #[arg(long, value_name = "DEV|tcp:ADDR")]
    port: Option<String>,

    /// Bits per second of the serial device [default: the model's]
    #[arg(long, value_name = "N", requires = "port")]
    baud: Option<u32>,

    /// The APN that the module is to use
    #[arg(long, value_name = "NAME", requires = "port")]
    apn: Option<String>,

    /// The access point that a Wi-Fi module is to join
    #[arg(long, value_name = "SSID[:PASSWORD]", requires = "port")]
    wifi: Option<String>,

    /// Where a name leads, against what DNS says, for this machine and the virtual module; one on a port has a DNS of its own. May be repeated
    #[arg(long, value_name = "HOST[:PORT]=ADDR[:PORT]")]
    resolve: Vec<Override>,

    /// For programs: one JSON object
    #[arg(long)]
    json: bool,
}

/// Examines.
///
/// # Errors
/// A file that cannot be read, a port that cannot be opened.
pub async fn run(args: Args) -> Result<ExitCode, Error> {
    LocalSet::new().run_until(examine(args)).await
}

async fn examine(args: Args) -> Result<ExitCode, Error> {
    let question = question(&args)?;
    let json = args.json;
    let mut tell = |finding: &Finding| {
        if !json {
            show(finding);
        }
    };
    if !json {
        anstream::println!(
            "{} with the eyes of the {}\n",
            question.target,
            question.model.title
        );
    }
    let mut report = Report::new(&mut tell);
    let resolver = Resolver::new(args.resolve.clone());
    let works = match &args.port {
        Some(port) => {
            let baud = args.baud.unwrap_or(question.model.defaults.baud);
            let line = HostLine::open(port, baud).await?;
            let mut modem = Modem::new(line, question.model);
            let has_network = radio::examine(&question, &mut modem, &mut report).await?;
            let served = server::examine(&question, &resolver, &mut report).await;
            // What this machine cannot reach, a private network's module may.
            let known = served.map_or(trial::Known::Refused, trial::Known::Served);
            has_network && trial::run(&question, &mut modem, known, &mut report).await?
        }
        None => {
            server::examine(&question, &resolver, &mut report)
                .await
                .is_some()
                && virtually(&question, resolver, &mut report).await?
        }
    };
    if json {
        println!("{}", as_json(&question, works, report.findings()));
    } else {
        conclude(&question, works, report.findings());
    }
    Ok(if works {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The trial with a virtual module in this process.
async fn virtually(
    question: &Question,
    resolver: Resolver,
    report: &mut Report<'_>,
) -> Result<bool, Error> {
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let port = TcpPort::listen(loopback).await?;
    let address = port.local_addr();
    let clock = Clock::start();
    let config = Config {
        pace: Pace::Fast,
        unix_time: unix_time(),
        ..Config::default()
    };
    let module = Module::new(clock.now(), question.model, config);
    let (host, _) = Host::new(module, Port::Tcp(port), clock, resolver);
    let running = tokio::task::spawn_local(host.run());
    let line = HostLine::open(&format!("tcp:{address}"), question.model.defaults.baud).await?;
    let mut modem = Modem::new(line, question.model);
    // Its network is as good as any: nobody wants to hear of it.
    let mut silence = |_: &Finding| {};
    let ready = radio::examine(question, &mut modem, &mut Report::new(&mut silence)).await?;
    let works = ready && trial::run(question, &mut modem, trial::Known::SameWay, report).await?;
    running.abort();
    Ok(works)
}

fn question(args: &Args) -> Result<Question, Error> {
    let number = std::process::id();
    let own = format!("modemq-doctor-{number}");
    // The virtual module is in every access point's reach.
    let wifi = match (&args.wifi, &args.port, args.model.bearer) {
        (Some(wifi), ..) => {
            let (name, password) = wifi.split_once(':').unwrap_or((wifi, ""));
            Some((name.to_string(), password.to_string()))
        }
        (None, None, Bearer::WiFi) => Some(("yourSSID".into(), "yourPassword".into())),
        _ => None,
    };
    Ok(Question {
        model: args.model,
        target: args.target.clone(),
        login: Login {
            is_given: args.id.is_some(),
            client_id: args.id.clone().unwrap_or(own),
            username: args.username.clone(),
            password: args.password.clone(),
            keep_alive: args.keepalive,
        },
        credentials: Credentials::read(
            args.cafile.as_ref(),
            args.cert.as_ref(),
            args.key.as_ref(),
        )?,
        topic: args
            .topic
            .clone()
            .unwrap_or(format!("modemq/doctor/{number}")),
        patience: Duration::from_secs(args.patience),
        connect_delay: Duration::from_secs(args.connect_delay),
        check_dates: args.check_dates,
        apn: args.apn.clone(),
        wifi,
    })
}

const GOOD: Style = AnsiColor::Green.on_default();
const REMARK: Style = AnsiColor::Yellow.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const DIM: Style = Style::new().dimmed();

/// Where the text begins.
const COLUMN: usize = 22;

fn show(finding: &Finding) {
    let (style, mark) = match finding.verdict {
        Verdict::Good => (GOOD, "✓"),
        Verdict::Remark => (REMARK, "!"),
        Verdict::Bad => (BAD, "✗"),
        Verdict::Skipped => (DIM, "-"),
    };
    let (step, says) = (finding.step, &finding.says);
    anstream::println!(
        "{style}{mark}{style:#} {step:<width$}{says}",
        width = COLUMN - 2
    );
    if let Some(cause) = finding.cause {
        let indent = " ".repeat(COLUMN);
        anstream::println!("{indent}{DIM}{}: {}{DIM:#}", cause.name(), cause.advice());
    }
}

/// The verdict, and the lines.
fn conclude(question: &Question, works: bool, findings: &[Finding]) {
    let title = question.model.title;
    if works {
        anstream::println!(
            "\n{GOOD}It works.{GOOD:#} The lines for the {title}, each after the answer to the one before:\n"
        );
    } else {
        let bad = findings
            .iter()
            .rev()
            .find(|finding| finding.verdict == Verdict::Bad);
        let step = bad.map_or("a step above", |finding| finding.step);
        anstream::println!(
            "\n{BAD}It does not work: {step}.{BAD:#} Once that is mended, the lines for the {title} are:\n"
        );
    }
    match paste(question) {
        Ok(lines) => {
            let mut out = anstream::stdout().lock();
            for line in lines {
                // Nobody may be reading any more.
                let _ = writeln!(out, "{line}");
            }
        }
        Err(error) => anstream::println!("none: {error}"),
    }
}

/// The lines as people paste them.
fn paste(question: &Question) -> Result<Vec<String>, String> {
    let mut lines = match &question.apn {
        Some(apn) => set_apn(question.model, apn)?,
        None => Vec::new(),
    };
    for step in conversation(question)? {
        lines.push(step.line);
        if let Some(data) = &step.data {
            let is_file = step.stage == Stage::Prepare;
            lines.push(if is_file {
                format!("    > the {} bytes of {}", data.bytes.len(), data.shown)
            } else {
                format!("    > {}", data.shown)
            });
        }
        if let Some(report) = &step.report {
            lines.push(format!("    … until {report}"));
        }
    }
    Ok(lines)
}

fn as_json(question: &Question, works: bool, findings: &[Finding]) -> serde_json::Value {
    let findings: Vec<_> = findings
        .iter()
        .map(|finding| {
            serde_json::json!({
                "step": finding.step,
                "verdict": finding.verdict.name(),
                "says": finding.says,
                "cause": finding.cause.map(crate::doctor::Cause::name),
                "advice": finding.cause.map(crate::doctor::Cause::advice),
            })
        })
        .collect();
    let lines = paste(question).unwrap_or_default();
    serde_json::json!({
        "target": question.target.to_string(),
        "model": question.model.name,
        "works": works,
        "findings": findings,
        "lines": lines,
    })
}
