//! A Linux gateway: lines of standard input become messages, messages become lines of standard output, through a module on a serial
//! port. Nothing of it is this program's own but what a gateway is: the port, the clock and the loop are below, to be copied.
//!
//!     sensors | cargo run --example gateway -- ec20 /dev/ttyUSB2 broker.example --up site/7/up --down 'site/7/down/#'
//!
//! A reading waits in memory until the broker has acknowledged it: while there is no connection, while the module starts anew, while
//! the USB stick is out. One whose outcome is unknown is published again; the broker may then have it twice. It ends when standard
//! input has ended and all is delivered, or on SIGINT and SIGTERM; then it says how many readings it gives up, and fails.

use clap::Parser;
use dialect::Model;
use driver::asynch::{self, Modem};
use driver::{
    Apn, Driver, Event, Memory, Message, Options, Outcome, PublishError, QoS, Refusal, Tls, Token,
    Wifi,
};
use embedded_io_adapters::tokio_1::FromTokio;
use instant::Instant;
use serial2_tokio::SerialPort;
use std::collections::VecDeque;
use std::error::Error;
use std::fmt::Display;
use std::io::{BufRead as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

/// Readings from standard input to a broker, messages to standard output.
#[derive(Parser)]
struct Args {
    /// Which module: air780ep, nt35e, bc26, ec20, bg95, esp8266, esp32c3 …
    model: String,
    /// Its serial port.
    device: String,
    /// The broker's name or address.
    host: String,
    /// The broker's port [default: 1883, with TLS 8883].
    #[arg(long, short)]
    port: Option<u16>,
    /// Client identifier.
    #[arg(long, short, default_value = "gateway")]
    id: String,
    /// User name.
    #[arg(long, short)]
    user: Option<String>,
    /// Password.
    #[arg(long, short = 'P')]
    password: Option<String>,
    /// Where readings go.
    #[arg(long, default_value = "up")]
    up: String,
    /// What is printed.
    #[arg(long, default_value = "down")]
    down: String,
    /// Bits per second [default: the model's].
    #[arg(long)]
    baud: Option<u32>,
    /// The PIN of the SIM.
    #[arg(long)]
    pin: Option<String>,
    /// The access point of the mobile network [default: the operator's].
    #[arg(long)]
    apn: Option<String>,
    /// The Wi-Fi, SSID:PASSWORD [default: what the module joins by itself].
    #[arg(long)]
    wifi: Option<String>,
    /// The authority that the module is to trust, a file of PEM: TLS.
    #[arg(long)]
    cafile: Option<String>,
    /// How many readings may wait. Then no more are read, and whoever writes them waits.
    #[arg(long, default_value_t = 10_000)]
    spool: usize,
}

/// Opening a port that is not there is tried again so often.
const REOPEN: Duration = Duration::from_secs(2);
/// A reading that is refused so often is given up.
const REFUSALS: u8 = 3;
/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(15);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let args = Args::parse();
    let model = Model::by_name(&args.model).ok_or("no such model")?;
    let ca = args.cafile.as_ref().map(std::fs::read_to_string);
    let ca = ca.transpose()?;
    let mut stop = Stop {
        interrupt: signal(SignalKind::interrupt())?,
        terminate: signal(SignalKind::terminate())?,
    };
    let mut gateway = Gateway {
        args: &args,
        model,
        options: args.options(ca.as_deref()),
        lines: standard_input(),
        has_ended: false,
        spool: VecDeque::new(),
        on_its_way: None,
        refusals: 0,
        given_up: 0,
        is_stopped: false,
    };
    loop {
        match gateway.serve(&mut stop).await {
            Ok(()) => break,
            Err(Failure::Fatal(error)) => return Err(error),
            // Unplugged, or not there yet.
            Err(Failure::Port(error)) => eprintln!("{}: {error}", args.device),
        }
        gateway.wait(REOPEN, &mut stop).await;
        if gateway.is_stopped || gateway.is_done() {
            break;
        }
    }
    while let Ok(reading) = gateway.lines.try_recv() {
        gateway.spool.push_back(reading);
    }
    let left = gateway.given_up + gateway.spool.len();
    if left > 0 {
        eprintln!("{left} readings were not delivered");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

impl Args {
    fn options<'a>(&'a self, ca: Option<&'a str>) -> Options<'a> {
        Options {
            host: &self.host,
            port: self.port.unwrap_or(if ca.is_some() { 8883 } else { 1883 }),
            client_id: &self.id,
            username: self.user.as_deref(),
            password: self.password.as_deref(),
            pin: self.pin.as_deref(),
            apn: self.apn.as_deref().map(|name| Apn {
                name,
                username: "",
                password: "",
            }),
            wifi: self.wifi.as_deref().map(|wifi| {
                let (ssid, password) = wifi.split_once(':').unwrap_or((wifi, ""));
                Wifi { ssid, password }
            }),
            tls: ca.map(|ca| Tls {
                ca: Some(ca),
                identity: None,
                dates: true,
            }),
            ..Options::default()
        }
    }
}

/// SIGINT and SIGTERM.
struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Lines of standard input, read by a thread: a read of a terminal or a pipe cannot be waited for otherwise everywhere. A line is
/// read when there is room for it, and whoever writes them waits meanwhile.
fn standard_input() -> mpsc::Receiver<Vec<u8>> {
    let (to, lines) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().split(b'\n') {
            let Ok(line) = line else { return };
            if to.blocking_send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// The driver's time.
struct Clock(tokio::time::Instant);

impl asynch::Clock for Clock {
    fn now(&self) -> Instant {
        Instant::from_micros(self.0.elapsed().as_micros() as u64)
    }

    async fn wait_until(&self, at: Option<Instant>) {
        match at {
            Some(at) => {
                tokio::time::sleep_until(self.0 + Duration::from_micros(at.as_micros())).await;
            }
            None => std::future::pending().await,
        }
    }
}

enum Failure {
    /// The serial port cannot be opened or used.
    Port(String),
    /// It will not do better another time.
    Fatal(Box<dyn Error>),
}

impl From<asynch::Error<std::io::Error>> for Failure {
    fn from(error: asynch::Error<std::io::Error>) -> Self {
        Self::Port(error.to_string())
    }
}

impl Failure {
    fn fatal(error: impl Error + 'static) -> Self {
        Self::Fatal(error.into())
    }
}

struct Gateway<'a> {
    args: &'a Args,
    model: &'static Model,
    options: Options<'a>,
    lines: mpsc::Receiver<Vec<u8>>,
    /// Standard input has.
    has_ended: bool,
    /// What the broker has not acknowledged, the oldest first.
    spool: VecDeque<Vec<u8>>,
    /// The oldest of them is.
    on_its_way: Option<Token>,
    /// How often the oldest of them was refused.
    refusals: u8,
    given_up: usize,
    /// A signal came.
    is_stopped: bool,
}

impl Gateway<'_> {
    /// From the port's opening to its end, or the gateway's.
    async fn serve(&mut self, stop: &mut Stop) -> Result<(), Failure> {
        let rate = self.args.baud.unwrap_or(self.model.defaults.baud);
        let port = SerialPort::open(&self.args.device, rate);
        let port = port.map_err(|error| Failure::Port(error.to_string()))?;
        let (mut line, mut command) = (vec![0; 8192], vec![0; 4096]);
        let (mut outbox, mut topics) = (vec![0; 8192], vec![0; 1024]);
        let memory = Memory {
            line: &mut line,
            command: &mut command,
            outbox: &mut outbox,
            topics: &mut topics,
        };
        let driver = Driver::new(self.model, memory, u64::from(std::process::id()));
        let clock = Clock(tokio::time::Instant::now());
        let mut modem = Modem::new(driver, FromTokio::new(port), clock);
        let now = modem.now();
        let subscribed = modem
            .driver
            .subscribe(now, &self.args.down, QoS::AtLeastOnce);
        subscribed.map_err(Failure::fatal)?;
        let begun = modem.driver.connect(now, self.options);
        begun.map_err(Failure::fatal)?;
        // Another driver knows nothing of what was on its way: it is published anew.
        self.on_its_way = None;

        let mut leaving = None;
        loop {
            let now = modem.now();
            // It may give readings up, and the last of them.
            if leaving.is_none() {
                self.publish(&mut modem.driver, now);
            }
            if leaving.is_none() && (self.is_stopped || self.is_done()) {
                modem.driver.disconnect(now);
                leaving = Some(tokio::time::Instant::now() + GOODBYE);
            }
            let has_room = self.has_room();
            tokio::select! {
                event = modem.next() => {
                    if !self.see(event?).map_err(Failure::fatal)? {
                        return Ok(());
                    }
                }
                line = self.lines.recv(), if has_room => self.take(line),
                () = stop.asked(), if !self.is_stopped => self.is_stopped = true,
                () = tokio::time::sleep_until(leaving.unwrap_or_else(tokio::time::Instant::now)), if leaving.is_some() => {
                    return Ok(());
                }
            }
        }
    }

    /// Without a port: readings are taken all the same.
    async fn wait(&mut self, span: Duration, stop: &mut Stop) {
        let end = tokio::time::Instant::now() + span;
        while !self.is_stopped {
            let has_room = self.has_room();
            tokio::select! {
                () = tokio::time::sleep_until(end) => return,
                line = self.lines.recv(), if has_room => self.take(line),
                () = stop.asked() => self.is_stopped = true,
            }
        }
    }

    fn has_room(&self) -> bool {
        !self.has_ended && self.spool.len() < self.args.spool
    }

    fn is_done(&self) -> bool {
        self.has_ended && self.spool.is_empty()
    }

    /// A line of standard input, or its end.
    fn take(&mut self, line: Option<Vec<u8>>) {
        match line {
            Some(line) => self.spool.push_back(line),
            None => self.has_ended = true,
        }
    }

    /// The oldest reading goes on its way, when the driver takes one.
    fn publish(&mut self, driver: &mut Driver<'_>, now: Instant) {
        while self.on_its_way.is_none() && driver.can_publish() {
            let Some(reading) = self.spool.front() else {
                return;
            };
            // One whose outcome is unknown is kept by the driver, and is this one.
            let published = driver.republish(now).or_else(|error| match error {
                PublishError::Nothing => {
                    driver.publish(now, &self.args.up, reading, QoS::AtLeastOnce, false)
                }
                error => Err(error),
            });
            match published {
                Ok(token) => self.on_its_way = Some(token),
                Err(PublishError::NotConnected | PublishError::Busy) => return,
                Err(error) => self.give_up(&error),
            }
        }
    }

    fn give_up(&mut self, why: &dyn Display) {
        eprintln!("a reading is given up: {why}");
        self.spool.pop_front();
        self.refusals = 0;
        self.given_up += 1;
    }

    /// False: that was all.
    fn see(&mut self, event: Event<'_>) -> std::io::Result<bool> {
        match event {
            Event::Message(message) => print(&message)?,
            Event::Published(token, outcome) if self.on_its_way == Some(token) => {
                self.on_its_way = None;
                match outcome {
                    Outcome::Delivered | Outcome::Sent => {
                        self.spool.pop_front();
                        self.refusals = 0;
                    }
                    // It waits for the next connection.
                    Outcome::Unknown | Outcome::Refused(Refusal::NotConnected) => {}
                    Outcome::Refused(refusal) if self.refusals < REFUSALS => {
                        eprintln!("{refusal}");
                        self.refusals += 1;
                    }
                    Outcome::Refused(refusal) => self.give_up(&refusal),
                }
            }
            Event::Subscribed(_, Err(refusal)) => eprintln!("{}: {refusal}", self.args.down),
            Event::Connected | Event::Recovered => eprintln!("connected"),
            Event::Recovering(recovery) => eprintln!(
                "{}; in {} s: {}",
                recovery.why,
                recovery.wait.as_secs_f32(),
                recovery.rung
            ),
            Event::Disconnected => return Ok(false),
            _ => {}
        }
        Ok(true)
    }
}

fn print(message: &Message<'_>) -> std::io::Result<()> {
    let mut output = std::io::stdout().lock();
    for part in [message.topic, b" ", message.payload, b"\n"] {
        output.write_all(part)?;
    }
    output.flush()
}
