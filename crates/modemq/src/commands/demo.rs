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
use dialect::Model;
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
        stay(&device, tcp_address, broker_address)?;
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

/// The tutorial, §6.2. Each reply is compared byte by byte.
async fn conversation(
    stage: &mut Stage,
    mcu: &mut Mcu,
    tool: &mut Tool,
    broker: SocketAddr,
) -> Result<(), String> {
    mcu.boot(stage).await?;
    for (command, replies) in [
        ("AT", &["OK"][..]),
        ("AT+CPIN?", &["+CPIN: READY", "OK"]),
        ("AT+CSQ", &["+CSQ: 24,0", "OK"]),
        ("AT+CGREG?", &["+CGREG: 0,1", "OK"]),
        ("AT+CGATT?", &["+CGATT: 1", "OK"]),
        ("AT+MCONFIG=868488076771714,root,luat123456", &["OK"]),
    ] {
        mcu.command(stage, command, replies).await?;
    }
    let start = format!("AT+MIPSTART=\"{}\",\"{}\"", broker.ip(), broker.port());
    mcu.command(stage, &start, &["OK", "CONNECT OK"]).await?;
    mcu.command(stage, "AT+MCONNECT=1,60", &["OK", "CONNACK OK"])
        .await?;
    let subscribe = format!("AT+MSUB=\"{}\",0", FROM_TOOL.0);
    mcu.command(stage, &subscribe, &["OK", "SUBACK"]).await?;

    let publish = format!("AT+MPUB=\"{}\",0,0,\"{}\"", FROM_MODULE.0, FROM_MODULE.1);
    mcu.command(stage, &publish, &["OK"]).await?;
    tool.expect(stage, FROM_MODULE.0, FROM_MODULE.1).await?;

    tool.publish(stage, FROM_TOOL.0, FROM_TOOL.1).await?;
    let report = format!(
        "+MSUB: \"{}\",{} byte,{}",
        FROM_TOOL.0,
        FROM_TOOL.1.len(),
        FROM_TOOL.1
    );
    mcu.expect(stage, &report).await?;

    mcu.command(stage, "AT+MDISCONNECT", &["OK"]).await?;
    mcu.command(stage, "AT+MIPCLOSE", &["OK"]).await
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

    /// Waits until the module has told of its PDP context and the time.
    async fn boot(&mut self, stage: &mut Stage) -> Result<(), String> {
        for report in [
            "RDY",
            "+CPIN: READY",
            "^MODE: 17,17",
            "+E_UTRAN Service",
            "+CGEV: ME PDN ACT 1,0",
        ] {
            self.expect(stage, report).await?;
        }
        let time = self.frame().await?;
        stage.module(&time);
        if time.starts_with("+NITZ: ") {
            Ok(())
        } else {
            Err(format!("expected +NITZ: …, got {time}"))
        }
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
        let mut rest = line.as_bytes();
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

fn stay(device: &Path, tcp: SocketAddr, broker: SocketAddr) -> Result<(), Error> {
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
  in the module                AT+MIPSTART=\"{broker_host}\",{broker_port}
                               AT+MCONNECT=1,60
                               AT+MSUB=\"{}\",0
",
        tcp.ip(),
        tcp.port(),
        FROM_TOOL.0,
        FROM_TOOL.0,
    )?;
    Ok(out.flush()?)
}
