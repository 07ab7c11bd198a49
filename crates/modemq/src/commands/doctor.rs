//! `modemq doctor`: why does it not connect?

use super::module::parse_model;
use super::{Cloud, Error};
use crate::clock::{Clock, unix_millis, unix_time};
use crate::conversation::Modem;
use crate::doctor::lines::{Abilities, conversation, set_apn};
use crate::doctor::server::Served;
use crate::doctor::trial::Known;
use crate::doctor::{
    Cause, Credentials, Finding, Login, Question, Report, Target, Verdict, iotda, radio, server,
    trial,
};
use crate::line::HostLine;
use crate::net::{Override, Resolver};
use crate::port::{Port, TcpPort};
use crate::registry::{SECRET_VARIABLE, secret_from_environment, secret_from_file};
use crate::runtime::Host;
use anstyle::{AnsiColor, Style};
use clap::Args as ClapArgs;
use dialect::Model;
use dialect::model::Bearer;
use module::{Config, Pace};
use mqtt::QoS;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use tokio::task::LocalSet;
use world::Rig;

/// Say why a module does not connect to a broker, step by step, and print the AT lines that work
#[derive(ClapArgs, Debug)]
#[command(after_help = "Examples:
  modemq doctor mqtts://broker.example --model air700eaq --cafile ca.crt -u user -P secret
      this machine looks at the broker with what an Air700EAQ offers, and then a virtual one logs in
  modemq doctor mqtt://broker.example --model ec20 --port /dev/ttyUSB2
      the same with a real module, after its SIM, signal, registration, address and clock
  modemq doctor mqtt://127.0.0.1 --model bc26 --cloud huawei -i dev1_0_0_2025041401 -u dev1 -P … \\
      --secret-file dev1.secret -t '$oc/devices/dev1/sys/properties/report' --message '{\"services\":[]}'
      what Huawei Cloud IoTDA has against it, to begin with

It takes some seconds besides --patience, and some minutes with servers and modules that do not answer. It logs in with the client id
that is given: a device that uses the same one is thrown out meanwhile. The lines hold the password. The exit status is 0 when it
works, 1 when something keeps it from working, 2 when it could not be examined.")]
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

    /// What is behind the broker has rules of its own: they are looked at first
    #[arg(long, value_name = "CLOUD")]
    cloud: Option<Cloud>,

    /// A file whose first line is the device's secret, which its password is compared with [default: $MODEMQ_IOTDA_SECRET]
    #[arg(long, value_name = "FILE", requires = "cloud")]
    secret_file: Option<PathBuf>,

    /// What the firmware publishes to a topic of the cloud's, which --topic is then
    #[arg(long, value_name = "TEXT", requires_all = ["cloud", "topic"])]
    message: Option<String>,

    /// Keep alive in seconds
    #[arg(short, long, value_name = "SECONDS", default_value_t = 120)]
    keepalive: u16,

    /// How long a silent connection is watched, to see how long the server waits for CONNECT; 0 is not at all
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

/// Examines. The exit status is 2 when that cannot be done.
///
/// # Errors
/// None: they are told.
pub async fn run(args: Args) -> Result<ExitCode, Error> {
    let result = LocalSet::new().run_until(examine(args)).await;
    Ok(result.unwrap_or_else(|error| {
        eprintln!("modemq doctor: {error}");
        ExitCode::from(2)
    }))
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
        let title = question.model.title;
        say(&format!(
            "{} with the eyes of the {title}\n",
            question.target
        ));
    }
    let mut report = Report::new(&mut tell);
    let suits_cloud = match args.cloud {
        Some(Cloud::Huawei) => {
            let now = unix_millis().unwrap_or_default();
            iotda::examine(&question, &known(&args)?, now, &mut report)
        }
        None => true,
    };
    let works = diagnose(&args, &question, &mut report).await? && suits_cloud;
    if json {
        say(&as_json(&question, works, report.findings()).to_string());
    } else {
        conclude(&question, works, report.findings());
    }
    Ok(if works {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn diagnose(
    args: &Args,
    question: &Question,
    report: &mut Report<'_>,
) -> Result<bool, Error> {
    if !server::transport(question, report) {
        return Ok(false);
    }
    if let Err(why) = conversation(question, &Abilities::hoped(question)) {
        report.bad("values", Cause::TooLongForModel, why);
        return Ok(false);
    }
    let resolver = Resolver::new(args.resolve.clone());
    let Some(port) = &args.port else {
        return Ok(match server::examine(question, &resolver, report).await {
            Some(served) => virtually(question, resolver, served, report).await?,
            None => false,
        });
    };
    let baud = args.baud.unwrap_or(question.model.defaults.baud);
    let mut modem = Modem::new(HostLine::open(port, baud).await?, question.model);
    let broken = |error| format!("{port}: {error}");
    let has_network = radio::examine(question, &mut modem, report).await;
    let has_network = has_network.map_err(broken)?;
    let served = server::examine(question, &resolver, report).await;
    // What this machine cannot reach, a private network's module may.
    let known = served.map_or(Known::Refused, Known::OtherWay);
    Ok(has_network
        && trial::run(question, &mut modem, &known, report)
            .await
            .map_err(broken)?)
}

/// The trial with a virtual module in this process.
async fn virtually(
    question: &Question,
    resolver: Resolver,
    served: Served,
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
    let rig = Rig::new(clock.now(), question.model, config);
    let (host, _) = Host::new(rig, Port::Tcp(port), clock, resolver);
    let running = tokio::task::spawn_local(host.run());
    let line = HostLine::open(&format!("tcp:{address}"), question.model.defaults.baud).await?;
    let mut modem = Modem::new(line, question.model);
    // Its network is as good as any: nobody wants to hear of it.
    let mut silence = |_: &Finding| {};
    let wifi = question.model.bearer == Bearer::WiFi;
    let at_home = Question {
        wifi: wifi.then(|| ("any".into(), String::new())),
        ..question.clone()
    };
    let ready = radio::examine(&at_home, &mut modem, &mut Report::new(&mut silence)).await?;
    let known = Known::SameWay(served);
    let works = ready && trial::run(question, &mut modem, &known, report).await?;
    running.abort();
    Ok(works)
}

fn question(args: &Args) -> Result<Question, Error> {
    let number = std::process::id();
    let own = format!("modemq-doctor-{number}");
    let wifi = args.wifi.as_ref().map(|wifi| {
        let (name, password) = wifi.split_once(':').unwrap_or((wifi, ""));
        (name.to_string(), password.to_string())
    });
    let title = args.model.title;
    let is_wifi = args.model.bearer == Bearer::WiFi;
    let usable = |topic: &String| mqtt::topic_name_is_valid(topic);
    if args.cloud.is_none() && !args.topic.as_ref().is_none_or(usable) {
        return Err("--topic wants one without wildcards, since it also publishes there".into());
    }
    if is_wifi && args.apn.is_some() {
        return Err(format!("--apn is for cellular modules, and the {title} is none").into());
    }
    if !is_wifi && wifi.is_some() {
        return Err(format!("--wifi is for Wi-Fi modules, and the {title} is none").into());
    }
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
            // What is published to a cloud's own topics does not come back: iotda::Known has those.
            .filter(|topic| args.cloud.is_none() || !topic.starts_with('$'))
            .unwrap_or(format!("modemq/doctor/{number}")),
        max_qos: match args.cloud {
            Some(Cloud::Huawei) => QoS::AtLeastOnce,
            None => QoS::ExactlyOnce,
        },
        patience: Duration::from_secs(args.patience),
        connect_delay: Duration::from_secs(args.connect_delay),
        check_dates: args.check_dates,
        apn: args.apn.clone(),
        wifi,
    })
}

fn known(args: &Args) -> Result<iotda::Known, Error> {
    Ok(iotda::Known {
        secret: match &args.secret_file {
            Some(path) => Some(secret_from_file(path)?),
            None => secret_from_environment(SECRET_VARIABLE).ok(),
        },
        topic: args.topic.clone(),
        message: args.message.clone(),
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
    say(&format!(
        "{style}{mark}{style:#} {step:<width$}{says}",
        width = COLUMN - 2
    ));
    if let Some(cause) = finding.cause {
        let indent = " ".repeat(COLUMN);
        say(&format!(
            "{indent}{DIM}{}: {}{DIM:#}",
            cause.name(),
            cause.advice()
        ));
    }
}

fn say(line: &str) {
    // Nobody may be reading any more.
    let _ = writeln!(anstream::stdout().lock(), "{line}");
}

/// The verdict, and the lines.
fn conclude(question: &Question, works: bool, findings: &[Finding]) {
    let title = question.model.title;
    let mut bad = findings.iter().rev();
    let bad = bad.find(|finding| finding.verdict == Verdict::Bad);
    let before = if question.model.bearer == Bearer::WiFi && question.wifi.is_none() {
        ", once it is in an access point (AT+CWJAP)"
    } else {
        ""
    };
    match (works, bad) {
        (true, _) => say(&format!(
            "\n{GOOD}It works.{GOOD:#} The lines for the {title}{before}, each after the answer to the one before:\n"
        )),
        (false, bad) => {
            let step = bad.map_or("a step above", |finding| finding.step);
            say(&format!("\n{BAD}It does not work: {step}.{BAD:#}"));
        }
    }
    // Without a way there, no line is of use.
    if let (Ok(lines), false) = (paste(question), bad.is_some_and(is_hopeless)) {
        if !works {
            say(&format!(
                "Once that is mended, the lines for the {title}{before} are:\n"
            ));
        }
        for line in &lines {
            say(line);
        }
    }
}

fn is_hopeless(finding: &Finding) -> bool {
    matches!(
        finding.cause,
        Some(Cause::NoTls | Cause::NoWebSocket | Cause::TooLongForModel)
    )
}

/// The lines as people paste them.
fn paste(question: &Question) -> Result<Vec<String>, String> {
    let mut lines = match &question.apn {
        Some(apn) => set_apn(question.model, apn)?,
        None => Vec::new(),
    };
    for step in conversation(question, &Abilities::hoped(question))? {
        lines.extend(step.lines());
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
                "cause": finding.cause.map(Cause::name),
                "advice": finding.cause.map(Cause::advice),
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
