//! `modemq demo`: the tutorial, from power-on to goodbye, between three parties on this machine.

use super::Error;
use super::module::parse_model;
use super::replay::variables;
use crate::broker_server::BrokerServer;
use crate::clock::{Clock, unix_time};
use crate::net::Resolver;
use crate::port::{Port, Pty, TcpPort, picocom_options};
use crate::runtime::Host;
use crate::trace::escape;
use crate::transcript::{Directive, Line, PortDevice, Report, Script, Seen, play};
use anstyle::{AnsiColor, Style};
use clap::Args as ClapArgs;
use dialect::Model;
use module::{Config, Module, NetworkEvent, Pace};
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;
use tokio::sync::mpsc;
use tokio::task::LocalSet;

/// The tutorials as transcripts: of a model, or of a family for every model without one of its own.
const TUTORIALS: &[(&str, &str)] = &[
    ("luat", include_str!("../../../../transcripts/luat/demo.at")),
    (
        "eigencomm",
        include_str!("../../../../transcripts/eigencomm/demo.at"),
    ),
    (
        "bc26",
        include_str!("../../../../transcripts/quectel/demo-bc26.at"),
    ),
    (
        "bg95",
        include_str!("../../../../transcripts/quectel/demo-bg95.at"),
    ),
    (
        "quectel",
        include_str!("../../../../transcripts/quectel/demo.at"),
    ),
    (
        "espressif",
        include_str!("../../../../transcripts/espressif/demo.at"),
    ),
];

/// Play the tutorial: a broker, a module on a real PTY, an MQTT client as the PC's tool, and a conversation
#[derive(ClapArgs, Debug)]
pub struct Args {
    /// Which module
    #[arg(long, default_value = "air780ep", value_parser = parse_model)]
    model: &'static Model,

    /// real: the model's delays, as people see them; fast: none
    #[arg(long, default_value = "real", value_parser = ["real", "fast"])]
    pace: String,

    /// Leave everything running afterwards, and say how to reach it
    #[arg(long)]
    stay: bool,
}

/// Plays the tutorial; the exit status tells whether everything was as the tutorial has it.
///
/// # Errors
/// What could not be set up.
pub async fn run(args: Args) -> Result<ExitCode, Error> {
    LocalSet::new().run_until(stage(args)).await
}

async fn stage(args: Args) -> Result<ExitCode, Error> {
    let script = tutorial(args.model)?;
    let clock = Clock::start();
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let (broker, _) = BrokerServer::start(broker::Config::default(), &[loopback]).await?;
    let broker_address = broker.local_addrs()[0];

    let link = super::module::default_link(args.model)
        .with_extension(format!("demo-{}", std::process::id()));
    let pty = Pty::open(Some(&link))?;
    let device = pty.path().to_path_buf();
    let config = Config {
        pace: if args.pace == "fast" {
            Pace::Fast
        } else {
            Pace::Real
        },
        unix_time: unix_time(),
        ..Config::default()
    };
    // The same model once more on a TCP port, for whoever has no terminal program.
    let tcp = TcpPort::listen(loopback).await?;
    let tcp_address = tcp.local_addr();
    let mut hosts = Vec::new();
    let mut power = Vec::new();
    for port in [Port::Pty(pty), Port::Tcp(tcp)] {
        let module = Module::new(clock.now(), args.model, config.clone());
        let (host, events) = Host::new(module, port, clock, Resolver::default());
        hosts.push(tokio::task::spawn_local(host.run()));
        power.push(events);
    }

    let show = Show {
        clock: Clock::start(),
        model: args.model,
    };
    show.opening(&device, broker_address);
    // The player waits as a person would, so it has a thread of its own.
    let lines = script.clone();
    let (path, events) = (device.clone(), power.swap_remove(0));
    let played =
        tokio::task::spawn_blocking(move || show.play(&lines, &path, broker_address, events));
    let result = played.await?;
    let passed = closing(&result);
    if passed && args.stay {
        stay(args.model, &script, &device, tcp_address, broker_address)?;
        for host in hosts {
            host.await??;
        }
    }
    broker.shutdown().await;
    Ok(if passed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The tutorial of a model.
fn tutorial(model: &Model) -> Result<Script, Error> {
    let found = [model.name, model.family.name()]
        .into_iter()
        .find_map(|name| TUTORIALS.iter().find(|(own, _)| *own == name));
    let (name, text) = found.ok_or("there is no tutorial for this model")?;
    Ok(Script::parse(&format!("the tutorial of {name}"), text)?)
}

/// Where the PC tool's side begins, in characters after the time.
const SECOND_COLUMN: usize = 50;
/// What is shown of a line, in characters after the time; all of it is compared.
const WIDTH: usize = 130;

const HOST: Style = AnsiColor::Cyan.on_default();
const MODULE: Style = AnsiColor::Green.on_default();
const TOOL: Style = AnsiColor::Yellow.on_default();
const DIM: Style = Style::new().dimmed();

/// Shows the three parties side by side.
struct Show {
    clock: Clock,
    model: &'static Model,
}

impl Show {
    fn opening(&self, device: &Path, broker: SocketAddr) {
        let title = self.model.title;
        let device = device.display();
        say(&format!(
            "{DIM}A software {title} on {device}, a broker on {broker}, an MQTT client as the PC's tool.{DIM:#}\n"
        ));
        let gap = " ".repeat(SECOND_COLUMN - "host (MCU) / ".len() - title.len());
        say(&format!(
            "{DIM}seconds{DIM:#}  {HOST}host (MCU){HOST:#} / {MODULE}{title}{MODULE:#}{gap}{TOOL}PC tool{TOOL:#}"
        ));
    }

    /// Plays the tutorial over the PTY. Each byte of each reply is compared.
    fn play(
        &self,
        script: &Script,
        pty: &Path,
        broker: SocketAddr,
        power: mpsc::UnboundedSender<NetworkEvent>,
    ) -> Result<Report, String> {
        let baud = self.model.defaults.baud;
        let address = (broker.ip().to_string(), broker.port());
        let mut device = PortDevice::open(
            &pty.display().to_string(),
            baud,
            Some(&address),
            Ipv4Addr::LOCALHOST,
            &script.filters(),
        )?
        .with_power(power);
        self.tool(&format!("connected to {broker}"));
        let variables = variables(&address.0, address.1);
        play(
            script,
            self.model,
            &mut device,
            &variables,
            &mut |seen| match seen {
                Seen::Host(text) => {
                    let text = shortened(text, WIDTH);
                    self.line(&format!("{HOST}> {text}{HOST:#}"));
                }
                Seen::Module(text) => {
                    let text = shortened(text, WIDTH);
                    self.line(&format!("{MODULE}< {text}{MODULE:#}"));
                }
                Seen::ToolPublishes(topic, payload) => {
                    self.tool(&format!("publishes {topic}: {}", escape(payload)));
                }
                Seen::ToolReceives(topic, payload) => {
                    self.tool(&format!("received {topic}: {}", escape(payload)));
                }
            },
        )
        .map_err(|mismatch| mismatch.to_string())
    }

    fn tool(&self, text: &str) {
        let text = shortened(text, WIDTH - SECOND_COLUMN);
        self.line(&format!("{:SECOND_COLUMN$}{TOOL}{text}{TOOL:#}", ""));
    }

    fn line(&self, text: &str) {
        let now = self.clock.now().to_string();
        say(&format!("{DIM}{now:>7}{DIM:#}  {text}"));
    }
}

/// The beginning of a long text.
fn shortened(text: &str, width: usize) -> String {
    match text.char_indices().nth(width) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into(),
    }
}

fn closing(result: &Result<Report, String>) -> bool {
    say("");
    match result {
        Ok(report) => say(&format!(
            "{MODULE}Verified{MODULE:#}: {} frames and messages, byte for byte, over a real PTY and real TCP: \
             boot, queries, login, subscribe, publish, receive, logout.",
            report.frames + report.messages
        )),
        Err(error) => say(&format!(
            "{}Failed{}: {error}",
            AnsiColor::Red.render_fg(),
            anstyle::Reset
        )),
    }
    result.is_ok()
}

/// Prints a line, with colours where the terminal has them.
fn say(line: &str) {
    let mut out = anstream::stdout().lock();
    // A reader that went away must not fail the demonstration.
    let _ = writeln!(out, "{line}");
    let _ = out.flush();
}

fn stay(
    model: &Model,
    script: &Script,
    device: &Path,
    tcp: SocketAddr,
    broker: SocketAddr,
) -> Result<(), Error> {
    let (host, port) = (broker.ip(), broker.port());
    let device = device.display();
    let map = picocom_options(model.syntax);
    // Topics that begin with $ are not among those of #.
    let published = script.steps.iter().find_map(|step| match &step.line {
        Line::Directive(Directive::Publish { topic, .. }) => Some(topic.as_str()),
        _ => None,
    });
    let topic = published.unwrap_or("mqtt/pub");
    let all = if topic.starts_with('$') { "$oc/#" } else { "#" };
    let mut out = std::io::stdout().lock();
    write!(
        out,
        "
Everything stays up until Ctrl-C:
  the module on its PTY        picocom {map}{device}
  another on a TCP port        nc -C {} {}
  the broker                   modemq sub -h {host} -p {port} -t '{all}' -v
                               modemq pub -h {host} -p {port} -t '{topic}' -m hello
",
        tcp.ip(),
        tcp.port(),
    )?;
    // What a person types to log in and subscribe.
    let lines = script.steps.iter().filter_map(|step| match &step.line {
        Line::Command(line) if line.contains('=') => Some(line),
        _ => None,
    });
    for (index, line) in lines.take_while(|line| !line.contains("PUB")).enumerate() {
        let head = if index == 0 { "in the module" } else { "" };
        let line = line
            .replace("{host}", &host.to_string())
            .replace("{port}", &port.to_string());
        writeln!(out, "  {head:<28} {line}")?;
    }
    Ok(out.flush()?)
}
