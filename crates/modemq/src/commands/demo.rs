//! `modemq demo`: the tutorial, from power-on to goodbye, between three parties on this machine.

use super::Error;
use super::module::parse_model;
use crate::broker_server::BrokerServer;
use crate::client::{Client, News};
use crate::clock::{Clock, unix_time};
use crate::net::Resolver;
use crate::port::{Port, Pty, TcpPort, watch};
use crate::runtime::Host;
use crate::trace::escape;
use anstyle::{AnsiColor, Style};
use clap::Args as ClapArgs;
use dialect::{Family, Model};
use module::{Config, Module, Pace};
use mqtt::{Connect, QoS};
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;
use tokio::task::LocalSet;

/// What the module publishes, and what the PC's tool sees. Source: the Air700EAQ tutorial, §6.2.
const FROM_MODULE: (&str, &str) = ("mqtt/sub", "data from 4G module");
/// What the PC's tool publishes, and what the module reports.
const FROM_TOOL: (&str, &str) = ("mqtt/pub", "data from tcp server");
/// A generous guard: nothing here takes a second.
const PATIENCE: Duration = Duration::from_secs(20);

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
    LocalSet::new().run_until(play(args)).await
}

async fn play(args: Args) -> Result<ExitCode, Error> {
    let clock = Clock::start();
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let (broker, _) = BrokerServer::start(broker::Config::default(), &[loopback]).await?;
    let broker_address = broker.local_addrs()[0];

    let link = super::module::default_link(args.model)
        .with_extension(format!("demo-{}", std::process::id()));
    let pty = Pty::open(Some(&link))?;
    let device = pty.path().to_path_buf();
    let pace = if args.pace == "fast" {
        Pace::Fast
    } else {
        Pace::Real
    };
    let config = Config {
        pace,
        unix_time: unix_time(),
        ..Config::default()
    };
    // The same model once more on a TCP port, for whoever has no terminal program.
    let tcp = TcpPort::listen(loopback).await?;
    let tcp_address = tcp.local_addr();
    let mut hosts = Vec::new();
    for port in [Port::Pty(pty), Port::Tcp(tcp)] {
        let module = Module::new(clock.now(), args.model, config.clone());
        let (host, _) = Host::new(module, port, clock, Resolver::default());
        hosts.push(tokio::task::spawn_local(host.run()));
    }

    let mut stage = Stage::new(clock, args.model);
    stage.opening(&device, broker_address);
    let mut tool = Tool::start(broker_address).await?;
    stage.tool(&format!("connected to {broker_address}"));
    let mut mcu = Mcu::open(&device)?;
    let result = conversation(&mut stage, &mut mcu, &mut tool, broker_address).await;
    let passed = stage.closing(&result);
    if passed && args.stay {
        stay(args.model, &device, tcp_address, broker_address)?;
        for host in hosts {
            host.await??;
        }
    }
    drop(mcu);
    broker.shutdown().await;
    Ok(if passed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What happens in a conversation, after the boot.
enum Act {
    /// The host sends a command, and the module answers with these frames.
    Command(String, Vec<String>),
    /// The host sends data after the prompt, and the module answers with these frames.
    Data(String, String, Vec<String>),
    /// The PC's tool sees what the module published.
    ToolReceives,
    /// The PC's tool publishes, and the module reports it so.
    ToolPublishes(String),
}

/// The tutorial of each family: the Air700EAQ's §6.2 for Luat, the NT35E's page, and for Quectel the fourth tutorial's
/// flow in the form that the firmware takes.
fn acts(model: &Model, broker: SocketAddr) -> Vec<Act> {
    let command = |line: &str, frames: &[&str]| {
        Act::Command(
            line.into(),
            frames.iter().map(ToString::to_string).collect(),
        )
    };
    let (host, port) = (broker.ip(), broker.port());
    let (up, said) = FROM_MODULE;
    let (down, heard) = FROM_TOOL;
    let len = heard.len();
    match model.family {
        Family::Luat => vec![
            command("AT+MCONFIG=868488076771714,root,luat123456", &["OK"]),
            command(
                &format!("AT+MIPSTART=\"{host}\",\"{port}\""),
                &["OK", "CONNECT OK"],
            ),
            command("AT+MCONNECT=1,60", &["OK", "CONNACK OK"]),
            command(&format!("AT+MSUB=\"{down}\",0"), &["OK", "SUBACK"]),
            command(&format!("AT+MPUB=\"{up}\",0,0,\"{said}\""), &["OK"]),
            Act::ToolReceives,
            Act::ToolPublishes(format!("+MSUB: \"{down}\",{len} byte,{heard}")),
            command("AT+MDISCONNECT", &["OK"]),
            command("AT+MIPCLOSE", &["OK"]),
        ],
        Family::EigenComm => vec![
            command(
                &format!("AT+ECMTOPEN=0,\"{host}\",{port}"),
                &["OK", "+ECMTOPEN: 0,0"],
            ),
            command("AT+ECMTCONN=0,\"nt35e-demo\"", &["OK", "+ECMTCONN: 0,0,0"]),
            command(
                &format!("AT+ECMTSUB=0,1,\"{down}\",2"),
                &["OK", "+ECMTSUB: 0,1,0,1"],
            ),
            command(
                &format!("AT+ECMTPUB=0,0,0,0,\"{up}\",\"{said}\""),
                &["OK", "+ECMTPUB: 0,0,0"],
            ),
            Act::ToolReceives,
            Act::ToolPublishes(format!("+ECMTRECV: 0,0,\"{down}\",{heard}")),
            command("AT+ECMTDISC=0", &["OK", "+ECMTDISC: 0,0"]),
        ],
        Family::Quectel => {
            let publish = if model.name == "bc26" {
                command(
                    &format!("AT+QMTPUB=0,0,0,0,\"{up}\",\"{said}\""),
                    &["OK", "+QMTPUB: 0,0,0"],
                )
            } else {
                let line = format!("AT+QMTPUBEX=0,0,0,0,\"{up}\",{}", said.len());
                Act::Data(
                    line,
                    said.into(),
                    vec!["OK".into(), "+QMTPUBEX: 0,0,0".into()],
                )
            };
            vec![
                command("AT+QMTCFG=\"version\",0,4", &["OK"]),
                command(
                    &format!("AT+QMTOPEN=0,\"{host}\",{port}"),
                    &["OK", "+QMTOPEN: 0,0"],
                ),
                command(
                    "AT+QMTCONN=0,\"dev1\",\"user\",\"password\"",
                    &["OK", "+QMTCONN: 0,0,0"],
                ),
                command(
                    &format!("AT+QMTSUB=0,1,\"{down}\",1"),
                    &["OK", "+QMTSUB: 0,1,0,1"],
                ),
                publish,
                Act::ToolReceives,
                Act::ToolPublishes(format!("+QMTRECV: 0,0,\"{down}\",\"{heard}\"")),
                command("AT+QMTDISC=0", &["OK", "+QMTDISC: 0,0"]),
            ]
        }
    }
}

/// What a model says by itself after power-on; the last of Luat's tells the time, whatever it is.
fn boot_reports(model: &Model) -> &'static [&'static str] {
    match model.family {
        Family::Luat => &[
            "RDY",
            "+CPIN: READY",
            "^MODE: 17,17",
            "+E_UTRAN Service",
            "+CGEV: ME PDN ACT 1,0",
            "+NITZ: ",
        ],
        Family::EigenComm => &["REBOOT_CAUSE_APPLICATION_POWER_ON_RESET"],
        Family::Quectel if model.name == "bc26" => &["+CPIN: READY", "+IP: 10.173.90.29"],
        Family::Quectel => &[
            "RDY",
            "+CFUN: 1",
            "+CPIN: READY",
            "+QUSIM: 1",
            "+QIND: SMS DONE",
            "+QIND: PB DONE",
        ],
    }
}

/// Plays it. Each reply is compared byte by byte.
async fn conversation(
    stage: &mut Stage,
    mcu: &mut Mcu,
    tool: &mut Tool,
    broker: SocketAddr,
) -> Result<(), String> {
    for report in boot_reports(stage.model) {
        if report.ends_with(' ') {
            let frame = mcu.frame().await?;
            stage.module(&frame);
            if !frame.starts_with(report) {
                return Err(format!("expected {report}…, got {frame}"));
            }
        } else {
            mcu.expect(stage, report).await?;
        }
    }
    for (line, frames) in [
        ("AT", &["OK"][..]),
        ("AT+CPIN?", &["+CPIN: READY", "OK"]),
        ("AT+CSQ", &["+CSQ: 24,0", "OK"]),
    ] {
        mcu.command(stage, line, frames).await?;
    }
    mcu.attach(stage).await?;
    for act in acts(stage.model, broker) {
        match act {
            Act::Command(line, frames) => {
                let frames: Vec<&str> = frames.iter().map(String::as_str).collect();
                mcu.command(stage, &line, &frames).await?;
            }
            Act::Data(line, data, frames) => {
                mcu.command(stage, &line, &[]).await?;
                mcu.take("\r\n> ")
                    .await
                    .map_err(|got| format!("expected the prompt, got {got}"))?;
                stage.module(">");
                stage.host(&data);
                mcu.send(data.as_bytes()).await?;
                for frame in &frames {
                    mcu.expect(stage, frame).await?;
                }
            }
            Act::ToolReceives => tool.expect(stage, FROM_MODULE.0, FROM_MODULE.1).await?,
            Act::ToolPublishes(report) => {
                tool.publish(stage, FROM_TOOL.0, FROM_TOOL.1).await?;
                mcu.expect(stage, &report).await?;
            }
        }
    }
    Ok(())
}

/// The host: what a microcontroller would do, on the other end of the PTY.
struct Mcu {
    line: AsyncFd<OwnedFd>,
    received: Vec<u8>,
}

impl Mcu {
    fn open(device: &Path) -> Result<Self, Error> {
        use std::os::unix::fs::OpenOptionsExt;
        let flags = rustix::fs::OFlags::NOCTTY | rustix::fs::OFlags::NONBLOCK;
        let file = std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(flags.bits().cast_signed())
            .open(device)?;
        Ok(Self {
            line: watch(file.into())?,
            received: Vec::new(),
        })
    }

    /// Asks until the module is attached, as firmware does.
    async fn attach(&mut self, stage: &mut Stage) -> Result<(), String> {
        let end = tokio::time::Instant::now() + PATIENCE;
        while tokio::time::Instant::now() < end {
            self.command(stage, "AT+CGATT?", &[]).await?;
            let state = self.frame().await?;
            stage.module(&state);
            self.expect(stage, "OK").await?;
            match state.as_str() {
                "+CGATT: 1" => return Ok(()),
                "+CGATT: 0" => tokio::time::sleep(Duration::from_millis(500)).await,
                other => return Err(format!("expected +CGATT, got {other}")),
            }
        }
        Err("the module does not attach".into())
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), String> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let mut ready = self
                .line
                .writable()
                .await
                .map_err(|error| error.to_string())?;
            match ready.try_io(|fd| Ok(rustix::io::write(fd, rest)?)) {
                Ok(Ok(n)) => rest = &rest[n..],
                Ok(Err(error)) => return Err(error.to_string()),
                Err(_) => {}
            }
        }
        Ok(())
    }

    /// Sends a command, and compares its echo and each frame of what follows.
    async fn command(
        &mut self,
        stage: &mut Stage,
        command: &str,
        replies: &[&str],
    ) -> Result<(), String> {
        stage.host(command);
        let line = format!("{command}\r");
        self.send(line.as_bytes()).await?;
        self.take(&line)
            .await
            .map_err(|got| format!("{command}: expected its echo, got {got}"))?;
        for reply in replies {
            self.expect(stage, reply)
                .await
                .map_err(|error| format!("{command}: {error}"))?;
        }
        Ok(())
    }

    async fn expect(&mut self, stage: &mut Stage, text: &str) -> Result<(), String> {
        let frame = format!("\r\n{text}\r\n");
        self.take(&frame)
            .await
            .map_err(|got| format!("expected {}, got {got}", escape(frame.as_bytes())))?;
        stage.module(text);
        stage.verified += 1;
        Ok(())
    }

    /// Takes exactly these bytes; otherwise tells what came.
    async fn take(&mut self, bytes: &str) -> Result<(), String> {
        let wanted = bytes.as_bytes();
        let arrival = async {
            while self.received.len() < wanted.len() && wanted.starts_with(&self.received) {
                self.read().await?;
            }
            Ok::<(), String>(())
        };
        match tokio::time::timeout(PATIENCE, arrival).await {
            Ok(result) => result?,
            Err(_) => return Err(format!("{:?} and then nothing", escape(&self.received))),
        }
        if !self.received.starts_with(wanted) {
            return Err(escape(&self.received));
        }
        self.received.drain(..wanted.len());
        Ok(())
    }

    /// The next frame, whatever stands in it.
    async fn frame(&mut self) -> Result<String, String> {
        self.take("\r\n").await?;
        let arrival = async {
            loop {
                if let Some(end) = self.received.windows(2).position(|pair| pair == b"\r\n") {
                    let text = String::from_utf8_lossy(&self.received[..end]).into_owned();
                    self.received.drain(..end + 2);
                    return Ok(text);
                }
                self.read().await?;
            }
        };
        match tokio::time::timeout(PATIENCE, arrival).await {
            Ok(result) => result,
            Err(_) => Err("nothing".into()),
        }
    }

    async fn read(&mut self) -> Result<(), String> {
        let mut buffer = [0; 1024];
        loop {
            let mut ready = self
                .line
                .readable()
                .await
                .map_err(|error| error.to_string())?;
            match ready.try_io(|fd| Ok(rustix::io::read(fd, &mut buffer)?)) {
                Ok(Ok(0)) => return Err("the module hung up".into()),
                Ok(Ok(n)) => {
                    self.received.extend_from_slice(&buffer[..n]);
                    return Ok(());
                }
                Ok(Err(error)) => return Err(error.to_string()),
                Err(_) => {}
            }
        }
    }
}

/// The PC's tool: an MQTT client that sees everything.
struct Tool {
    requests: mpsc::Sender<(String, String)>,
    messages: mpsc::Receiver<(String, Vec<u8>)>,
}

impl Tool {
    async fn start(broker: SocketAddr) -> Result<Self, Error> {
        let connect = Connect {
            clean_session: true,
            keep_alive: 60,
            client_id: "pc-tool",
            ..Connect::default()
        };
        let mut client = Client::connect(&broker.ip().to_string(), broker.port(), &connect).await?;
        client
            .subscribe(&[(FROM_MODULE.0, QoS::AtMostOnce)])
            .await?;
        while !matches!(client.next().await?, News::Subscribed(..)) {}
        let (requests, mut asked) = mpsc::channel::<(String, String)>(1);
        let (sender, messages) = mpsc::channel(16);
        tokio::task::spawn_local(async move {
            loop {
                tokio::select! {
                    news = client.next() => match news {
                        Ok(News::Message(message)) => {
                            if sender.send((message.topic, message.payload)).await.is_err() {
                                break;
                            }
                        }
                        Ok(_) => {}
                        Err(_) => break,
                    },
                    request = asked.recv() => {
                        let Some((topic, payload)) = request else { break };
                        if client.publish(&topic, payload.as_bytes(), QoS::AtMostOnce, false).await.is_err() {
                            break;
                        }
                    }
                }
            }
        });
        Ok(Self { requests, messages })
    }

    async fn publish(
        &mut self,
        stage: &mut Stage,
        topic: &str,
        payload: &str,
    ) -> Result<(), String> {
        stage.tool(&format!("publishes {topic}: {payload}"));
        let sent = self.requests.send((topic.into(), payload.into())).await;
        sent.map_err(|_| "the PC tool has lost the broker".into())
    }

    async fn expect(
        &mut self,
        stage: &mut Stage,
        topic: &str,
        payload: &str,
    ) -> Result<(), String> {
        let arrived = tokio::time::timeout(PATIENCE, self.messages.recv()).await;
        let Ok(Some((got_topic, got))) = arrived else {
            return Err(format!("the PC tool did not receive {topic}"));
        };
        stage.tool(&format!("received {got_topic}: {}", escape(&got)));
        if got_topic != topic || got != payload.as_bytes() {
            return Err(format!(
                "the PC tool expected {topic}: {payload}, got {got_topic}: {}",
                escape(&got)
            ));
        }
        stage.verified += 1;
        Ok(())
    }
}

/// Where the PC tool's side begins, in characters after the time.
const SECOND_COLUMN: usize = 50;

/// Shows the three parties side by side.
struct Stage {
    clock: Clock,
    model: &'static Model,
    verified: usize,
}

const HOST: Style = AnsiColor::Cyan.on_default();
const MODULE: Style = AnsiColor::Green.on_default();
const TOOL: Style = AnsiColor::Yellow.on_default();
const DIM: Style = Style::new().dimmed();

impl Stage {
    fn new(clock: Clock, model: &'static Model) -> Self {
        Self {
            clock,
            model,
            verified: 0,
        }
    }

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

    fn host(&self, text: &str) {
        self.line(&format!("{HOST}> {text}{HOST:#}"));
    }

    fn module(&self, text: &str) {
        self.line(&format!("{MODULE}< {text}{MODULE:#}"));
    }

    fn tool(&self, text: &str) {
        self.line(&format!("{:SECOND_COLUMN$}{TOOL}{text}{TOOL:#}", ""));
    }

    fn line(&self, text: &str) {
        let now = self.clock.now().to_string();
        say(&format!("{DIM}{now:>7}{DIM:#}  {text}"));
    }

    fn closing(&self, result: &Result<(), String>) -> bool {
        say("");
        match result {
            Ok(()) => say(&format!(
                "{MODULE}Verified{MODULE:#}: {} frames and messages, byte for byte, over a real PTY and real TCP: \
                 boot, queries, login, subscribe, publish, receive, logout.",
                self.verified
            )),
            Err(error) => say(&format!(
                "{}Failed{}: {error}",
                AnsiColor::Red.render_fg(),
                anstyle::Reset
            )),
        }
        result.is_ok()
    }
}

/// Prints a line, with colours where the terminal has them.
fn say(line: &str) {
    let mut out = anstream::stdout().lock();
    // A reader that went away must not fail the demonstration.
    let _ = writeln!(out, "{line}");
    let _ = out.flush();
}

fn stay(model: &Model, device: &Path, tcp: SocketAddr, broker: SocketAddr) -> Result<(), Error> {
    let (broker_host, broker_port) = (broker.ip(), broker.port());
    let device = device.display();
    let mut out = std::io::stdout().lock();
    write!(
        out,
        "
Everything stays up until Ctrl-C:
  the module on its PTY        picocom {device}
  another on a TCP port        nc -C {} {}
  the broker                   modemq sub -h {broker_host} -p {broker_port} -t '#' -v
                               modemq pub -h {broker_host} -p {broker_port} -t {} -m hello
",
        tcp.ip(),
        tcp.port(),
        FROM_TOOL.0,
    )?;
    // What a person types to log in and subscribe.
    let lines = acts(model, broker).into_iter().map_while(|act| match act {
        Act::Command(line, _) if !line.contains("PUB") => Some(line),
        _ => None,
    });
    for (index, line) in lines.enumerate() {
        let head = if index == 0 { "in the module" } else { "" };
        writeln!(out, "  {head:<28} {line}")?;
    }
    Ok(out.flush()?)
}
