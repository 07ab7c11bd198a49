//! `examples/gateway.rs` as it is built, at a module on a PTY: every reading arrives, whatever happens to the connection meanwhile.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{Folder, GUARD, Running, modemq, run, start};
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

fn program() -> &'static PathBuf {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let built = Command::new(env!("CARGO"))
            .args([
                "build",
                "--quiet",
                "--locked",
                "-p",
                "modemq",
                "--example",
                "gateway",
            ])
            .status();
        assert!(built.unwrap().success());
        let own = std::env::current_exe().unwrap();
        own.ancestors().nth(2).unwrap().join("examples/gateway")
    })
}

/// A gateway that runs.
struct Gateway {
    child: Child,
    input: Option<ChildStdin>,
    output: Receiver<String>,
    errors: Receiver<String>,
}

/// The lines of a pipe, which is read whether anybody waits for them or not.
fn lines(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (to, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines() {
            if to.send(line.unwrap()).is_err() {
                return;
            }
        }
    });
    lines
}

impl Gateway {
    fn start(folder: &Folder, port: &str, args: &[&str]) -> Self {
        let device = folder.0.join("port");
        let mut child = Command::new(program())
            .args(["ec20", device.to_str().unwrap(), "127.0.0.1", "-p", port])
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            input: child.stdin.take(),
            output: lines(child.stdout.take().unwrap()),
            errors: lines(child.stderr.take().unwrap()),
            child,
        }
    }

    fn read(&mut self, reading: &str) {
        writeln!(self.input.as_mut().unwrap(), "{reading}").unwrap();
    }

    /// The next line of standard error with this in it.
    fn says(&self, part: &str) -> String {
        self.errors.iter().find(|line| line.contains(part)).unwrap()
    }

    fn ends(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A broker, and each message that it is given.
struct Broker {
    child: Child,
    port: String,
    published: Receiver<String>,
}

impl Broker {
    fn start() -> Self {
        let mut child = modemq(&["broker", "--listen", "127.0.0.1:0", "--trace"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let told = lines(child.stdout.take().unwrap()).recv().unwrap();
        let port = told.rsplit(':').next().unwrap().to_string();
        Self {
            port,
            published: lines(child.stderr.take().unwrap()),
            child,
        }
    }

    /// The next message to this topic, with its quality.
    fn next(&self, topic: &str) -> String {
        let end = Instant::now() + GUARD;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let line = self.published.recv_timeout(left).unwrap();
            if let Some((_, message)) = line.split_once("published ")
                && message.contains(&format!(" {topic}: "))
            {
                return message.into();
            }
        }
    }

    /// The next other one: what was on its way when the connection broke may come twice.
    fn next_but(&self, topic: &str, last: &str) -> String {
        loop {
            let message = self.next(topic);
            if message != last {
                return message;
            }
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn module(folder: &Folder, args: &[&str]) -> Running {
    let port = folder.0.join("port");
    let place = [
        "module",
        "ec20",
        "--pty",
        port.to_str().unwrap(),
        "--pace",
        "fast",
    ];
    let mut module = start(&[&place[..], args].concat());
    module.line();
    module
}

#[test]
fn readings_go_up_and_messages_come_down() {
    let (folder, broker) = (Folder::new("gateway"), Broker::start());
    let _module = module(&folder, &[]);
    let sent = run(
        &[
            "pub",
            "-p",
            &broker.port,
            "-r",
            "-t",
            "site/down",
            "-m",
            "valve 3",
        ],
        b"",
    );
    assert!(sent.status.success());
    let args = ["--up", "site/up", "--down", "site/down"];
    let mut gateway = Gateway::start(&folder, &broker.port, &args);
    assert_eq!(gateway.output.recv().unwrap(), "site/down valve 3");
    for reading in ["20.1", "{\"t\":20.2}", ""] {
        gateway.read(reading);
        assert_eq!(broker.next("site/up"), format!("q1 site/up: {reading}"));
    }
    drop(gateway.input.take());
    assert_eq!(gateway.ends(), Some(0));
}

#[test]
fn no_reading_is_lost_with_the_connection() {
    let (folder, broker) = (Folder::new("gateway-losses"), Broker::start());
    // Three times the connection breaks with a message on its way.
    let _module = module(&folder, &["--fault", "tcp-drop when AT+QMTPUB times 3"]);
    let mut gateway = Gateway::start(&folder, &broker.port, &[]);
    for number in 0..20 {
        gateway.read(&format!("reading {number}"));
    }
    drop(gateway.input.take());
    let mut last = String::new();
    for number in 0..20 {
        last = broker.next_but("up", &last);
        assert_eq!(last, format!("q1 up: reading {number}"));
    }
    assert_eq!(gateway.ends(), Some(0));
    assert!(
        gateway
            .errors
            .iter()
            .filter(|line| line == "connected")
            .count()
            >= 2
    );
}

#[test]
fn the_port_may_vanish_and_come_back() {
    let (folder, broker) = (Folder::new("gateway-unplugged"), Broker::start());
    let plugged = module(&folder, &[]);
    let mut gateway = Gateway::start(&folder, &broker.port, &[]);
    gateway.read("before");
    assert_eq!(broker.next("up"), "q1 up: before");
    drop(plugged);
    gateway.says("port: ");
    gateway.read("meanwhile");
    let plugged = module(&folder, &[]);
    assert_eq!(broker.next_but("up", "q1 up: before"), "q1 up: meanwhile");
    drop(plugged);
    gateway.says("port: ");
    gateway.read("too late");
    // One more line: the one before it has been read by then.
    gateway.read("later still");
    gateway.says("port: ");
    rustix::process::kill_process(
        rustix::process::Pid::from_child(&gateway.child),
        rustix::process::Signal::TERM,
    )
    .unwrap();
    gateway.says("readings were not delivered");
    assert_eq!(gateway.ends(), Some(1));
}
