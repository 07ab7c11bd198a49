//! `modemq demo`: the tutorial, from power-on to goodbye, between three parties on this machine.

use super::module::parse_model;
use super::replay::models_of;
use super::{Cloud, Error};
use crate::application::Socket;
use crate::broker_server::BrokerServer;
use crate::certificates::Authority;
use crate::clock::{Clock, unix_millis, unix_time};
use crate::net::Resolver;
use crate::output;
use crate::port::{Port, Pty, TcpPort, picocom_options};
use crate::runtime::{Handle, Host};
use crate::trace::escape;
use crate::transcript::{
    Directive, Line, PortBroker, PortDevice, Report, Script, Seen, Step, Variables, play,
};
use anstyle::{AnsiColor, Style};
use clap::{Args as ClapArgs, ValueEnum};
use dialect::Model;
use instant::Instant;
use module::{Config, Pace};
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;
use tokio::task::LocalSet;
use world::Rig;

/// The transcripts that a demo may play: family, file, text.
const DEMOS: &[(&str, &str, &str)] = include!(concat!(env!("OUT_DIR"), "/demos.rs"));

/// Play the tutorial: a broker, a module on a real PTY, an MQTT client as the PC's tool, and a conversation
#[derive(ClapArgs, Debug)]
pub struct Args {
    /// Which module
    #[arg(long, default_value = "air780ep", value_parser = parse_model)]
    model: &'static Model,

    /// Over TLS: none, without certificates; one-way, the module checks the server; mutual, each checks the other
    #[arg(long, value_name = "CHECK")]
    tls: Option<Check>,

    /// With this cloud behind the broker, and its side of the conversation
    #[arg(long, value_name = "CLOUD", conflicts_with = "tls")]
    cloud: Option<Cloud>,

    /// The fourth tutorial's lines as they stand there, which hardware refuses
    #[arg(long, requires = "cloud")]
    as_written: bool,

    /// real: the model's delays, as people see them; fast: none
    #[arg(long, default_value = "real", value_parser = ["real", "fast"])]
    pace: String,

    /// Leave everything running afterwards, and say how to reach it
    #[arg(long)]
    stay: bool,
}

/// Who checks whom over TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Check {
    /// Nobody.
    None,
    /// The module checks the server.
    OneWay,
    /// And the server the module.
    Mutual,
}

impl Check {
    const ALL: [Self; 3] = [Self::None, Self::OneWay, Self::Mutual];

    fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::OneWay => "one-way",
            Self::Mutual => "mutual",
        }
    }

    /// How the name of its transcript begins.
    fn file(self) -> String {
        format!("tls-{}", self.name())
    }
}

/// Plays the tutorial; the exit status tells whether everything was as the tutorial has it.
///
/// # Errors
/// What could not be set up.
pub async fn run(args: Args) -> Result<ExitCode, Error> {
    LocalSet::new().run_until(stage(args)).await
}

async fn stage(args: Args) -> Result<ExitCode, Error> {
    let script = tutorial(&args)?;
    let clock = Clock::start();
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let platform = script.platform(Instant::ZERO, unix_millis().unwrap_or_default())?;
    let config = match &platform {
        Some(_) => iotda::broker_config(broker::Config {
            events: true,
            ..broker::Config::default()
        }),
        None => broker::Config::default(),
    };
    let (mut broker, happenings) =
        BrokerServer::start_platform(config, platform, &[loopback]).await?;
    let tool = broker.local_addrs()[0];
    if args.cloud.is_some() {
        tokio::task::spawn_local(Socket::listen(tool.port())?.serve(broker.application()));
    }
    let broker_address = match &script.tls {
        Some(wanted) => {
            broker
                .listen_for_tls(loopback, wanted.acceptor(Ipv4Addr::LOCALHOST)?)
                .await?
        }
        None => tool,
    };

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
        as_written: args.as_written,
        ..Config::default()
    };
    // The same model once more on a TCP port, for whoever has no terminal program.
    let tcp = TcpPort::listen(loopback).await?;
    let tcp_address = tcp.local_addr();
    let mut hosts = Vec::new();
    let mut handles = Vec::new();
    for port in [Port::Pty(pty), Port::Tcp(tcp)] {
        let rig = Rig::new(clock.now(), args.model, config.clone());
        let (host, handle) = Host::new(rig, port, clock, Resolver::default());
        hosts.push(tokio::task::spawn_local(host.run()));
        handles.push(handle);
    }

    let show = Show {
        clock: Clock::start(),
        model: args.model,
        cloud: args.cloud,
    };
    show.opening(&device, broker_address, tool);
    let plain = |address: SocketAddr| (address.ip().to_string(), address.port());
    let reached = match args.cloud {
        Some(Cloud::Huawei) => PortBroker::Cloud {
            address: plain(broker_address),
            application: broker.application(),
            events: happenings,
        },
        None => PortBroker::Given {
            address: plain(broker_address),
            tool: plain(tool),
            tool_tls: None,
        },
    };
    // The player waits as a person would, so it has a thread of its own.
    let lines = script.clone();
    let (path, handle) = (device.clone(), handles.swap_remove(0));
    let played =
        tokio::task::spawn_blocking(move || show.play(&lines, &path, reached, tool, handle));
    let result = played.await?;
    let network = if script.tls.is_some() {
        "TLS over TCP"
    } else {
        "real TCP"
    };
    let passed = closing(&result, network);
    if passed && args.stay {
        stay(
            args.model,
            &script,
            &device,
            tcp_address,
            broker_address,
            tool,
        )?;
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

/// The tutorial of a model, as it was asked for.
fn tutorial(args: &Args) -> Result<Script, Error> {
    let model = args.model;
    let plain = find(model, "demo")?.ok_or("there is no tutorial for this model")?;
    let found = match (args.tls, args.cloud) {
        (None, None) => return Ok(plain),
        (Some(check), _) => match find(model, &check.file())? {
            Some(script) => script,
            None => return Err(without(model, check)?.into()),
        },
        (None, Some(Cloud::Huawei)) => {
            let file = if args.as_written {
                "as-written-huawei"
            } else {
                "huawei"
            };
            find(model, file)?.ok_or_else(|| without_cloud(model, file))?
        }
    };
    // It begins when the module is up, so that it can be played on a real one: here the power comes first.
    let boot = plain.steps.into_iter();
    let boot = boot.take_while(|step| !matches!(step.line, Line::Command(_)));
    let mut script = found;
    script.steps.splice(0..0, boot);
    Ok(script)
}

/// The transcript of a model whose file begins so.
fn find(model: &'static Model, wanted: &str) -> Result<Option<Script>, Error> {
    for (family, file, text) in DEMOS {
        let rest = file.strip_prefix(wanted);
        if *family != model.family.name()
            || !rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        {
            continue;
        }
        let path = format!("transcripts/{family}/{file}.at");
        let script = Script::parse(&path, text)?;
        if !models_of(&script, Path::new(&path), Some(model))?.is_empty() {
            return Ok(Some(script));
        }
    }
    Ok(None)
}

/// Why there is no such demo, and for which models there is.
fn without_cloud(model: &Model, file: &str) -> String {
    let can: Vec<_> = dialect::model::ALL
        .iter()
        .filter(|other| find(other, file).is_ok_and(|found| found.is_some()))
        .map(|other| other.name)
        .collect();
    format!(
        "there is no such tutorial for the {}; there is for {}",
        model.title,
        can.join(", ")
    )
}

/// Why there is no such demo, and which there is.
fn without(model: &'static Model, check: Check) -> Result<String, Error> {
    let title = model.title;
    let mut can = Vec::new();
    for other in Check::ALL {
        if find(model, &other.file())?.is_some() {
            can.push(format!("--tls {}", other.name()));
        }
    }
    Ok(if can.is_empty() {
        format!("the {title} has no TLS here: without --tls the demo goes over plain TCP")
    } else {
        let name = check.name();
        format!(
            "the {title} cannot do --tls {name} here; it can {}",
            can.join(" and ")
        )
    })
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
    cloud: Option<Cloud>,
}

impl Show {
    fn opening(&self, device: &Path, broker: SocketAddr, tool: SocketAddr) {
        let title = self.model.title;
        let device = device.display();
        let broker = if broker == tool {
            broker.to_string()
        } else {
            format!("{broker} with TLS and on {tool} without")
        };
        let (others, tool) = match self.cloud {
            None => (
                format!("a broker on {broker}, an MQTT client as the PC's tool"),
                "PC tool",
            ),
            Some(Cloud::Huawei) => (format!("Huawei Cloud IoTDA on {broker}"), "IoTDA"),
        };
        say(&format!(
            "{DIM}A software {title} on {device}, {others}.{DIM:#}\n"
        ));
        let gap = " ".repeat(SECOND_COLUMN - "host (MCU) / ".len() - title.len());
        say(&format!(
            "{DIM}seconds{DIM:#}  {HOST}host (MCU){HOST:#} / {MODULE}{title}{MODULE:#}{gap}{TOOL}{tool}{TOOL:#}"
        ));
    }

    /// Plays the tutorial over the PTY. Each byte of each reply is compared.
    fn play(
        &self,
        script: &Script,
        pty: &Path,
        broker: PortBroker,
        tool: SocketAddr,
        handle: Handle,
    ) -> Result<Report, String> {
        let baud = self.model.defaults.baud;
        let device = PortDevice::open(&pty.display().to_string(), baud, broker, &script.filters());
        let mut device = device?.with_handle(handle);
        let (host, port) = device.broker_address();
        let mut variables = Variables::new(host, port);
        if script.tls.is_some() {
            let authority = Authority::of_this_process().map_err(|error| error.to_string())?;
            let set = variables.set_certificates(authority);
            set.map_err(|error| error.to_string())?;
        }
        if self.cloud.is_none() {
            self.tool(&format!("connected to {tool}"));
        }
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
                Seen::Application(request) => self.tool(&format!("asks for {request}")),
                // Each begins with the device, and here is one.
                Seen::Platform(news) => {
                    self.tool(news.split_once(": ").map_or(news, |(_, rest)| rest));
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

fn closing(result: &Result<Report, String>, network: &str) -> bool {
    say("");
    match result {
        Ok(report) => say(&format!(
            "{MODULE}Verified{MODULE:#}: {} frames and messages, byte for byte, over a real PTY and {network}: \
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
    tool: SocketAddr,
) -> Result<(), Error> {
    let (host, port) = (tool.ip(), tool.port());
    let device = device.display();
    let map = picocom_options(model.syntax);
    let broker_side = if let Some(iotda::Device { id, .. }) = script.iotda.first() {
        format!(
            "  the cloud                    modemq iotda shadow {id} -p {port}
                               modemq iotda message {id} hello -p {port}"
        )
    } else {
        // Topics that begin with $ are not among those of #.
        let published = script.steps.iter().find_map(|step| match &step.line {
            Line::Directive(Directive::Publish { topic, .. }) => Some(topic.as_str()),
            _ => None,
        });
        let topic = published.unwrap_or("mqtt/pub");
        let all = if topic.starts_with('$') { "$oc/#" } else { "#" };
        format!(
            "  the broker                   modemq sub -h {host} -p {port} -t '{all}' -v
                               modemq pub -h {host} -p {port} -t '{topic}' -m hello"
        )
    };
    let mut out = output::stdout();
    write!(
        out,
        "
Everything stays up until Ctrl-C:
  the module on its PTY        picocom {map}{device}
  another on a TCP port        nc -C {} {}
{broker_side}
",
        tcp.ip(),
        tcp.port(),
    )?;
    // What a person types to log in and subscribe. The files stay on the module.
    let is_file = |step: &Step| matches!(step.line, Line::File(_));
    let login = script
        .steps
        .iter()
        .rposition(is_file)
        .map_or(0, |at| at + 1);
    let lines = script.steps[login..]
        .iter()
        .filter_map(|step| match &step.line {
            Line::Command(line) if line.contains('=') => Some(line),
            _ => None,
        });
    for (index, line) in lines.take_while(|line| !line.contains("PUB")).enumerate() {
        let head = if index == 0 { "in the module" } else { "" };
        let line = line
            .replace("{host}", &broker.ip().to_string())
            .replace("{port}", &broker.port().to_string());
        writeln!(out, "  {head:<28} {line}")?;
    }
    Ok(out.flush()?)
}
