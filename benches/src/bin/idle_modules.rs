//! How much memory a module with an idle link takes, over TCP and over TLS: `idle_modules PATH/TO/modemq`.
//!
//! Starts a broker, and for each kind of link a process with 500 modules that log in to it; prints what the resident memory
//! of the modules' process and of the broker's grew by for each. `benches/README.md` has the command.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const MODULES: usize = 500;
/// Modules that log in before: what a process pays once is not counted.
const WARM: usize = 20;

fn main() {
    let modemq = std::env::args()
        .nth(1)
        .expect("idle_modules PATH/TO/modemq");
    let folder = std::env::temp_dir().join(format!("idle-modules-{}", std::process::id()));
    println!(
        "| link | bytes a module | ratio | bytes a client at the broker | ratio |\n|---|---:|---:|---:|---:|"
    );
    let mut plain = None;
    for (name, listener, opens, level) in [
        ("TCP", 0, "MIPSTART", 0),
        ("TLS, no check", 1, "SSLMIPSTART", 0),
        ("TLS, one-way", 1, "SSLMIPSTART", 1),
        ("TLS, mutual", 2, "SSLMIPSTART", 2),
    ] {
        let grown = grown(&modemq, &folder, listener, opens, level);
        let plain = *plain.get_or_insert(grown);
        let ratio = |index: usize| grown[index] as f64 / plain[index] as f64;
        println!(
            "| {name} | {} | {:.1}x | {} | {:.1}x |",
            grown[0],
            ratio(0),
            grown[1],
            ratio(1)
        );
    }
    std::fs::remove_dir_all(&folder).expect("it can be removed");
}

/// By how many bytes modules and broker grew for each module that logged in.
fn grown(modemq: &str, folder: &Path, listener: usize, opens: &str, level: usize) -> [usize; 2] {
    let certificates = folder.to_str().expect("a path in UTF-8");
    let broker = [
        "broker",
        "--certificates",
        certificates,
        "--listen",
        "127.0.0.1:0",
    ];
    let broker = [
        &broker[..],
        &["--tls", "127.0.0.1:0", "--mutual-tls", "127.0.0.1:0"],
    ]
    .concat();
    let (mut broker, lines) = start(modemq, &broker, 3);
    let port = lines[listener]
        .rsplit(':')
        .next()
        .expect("an address and a port");
    let count = (WARM + MODULES).to_string();
    let modules = [
        "module",
        "air780ep",
        "--pace",
        "fast",
        "--tcp",
        "127.0.0.1:0",
        "--count",
        &count,
    ];
    let (mut modules, lines) = start(modemq, &modules, WARM + MODULES);
    let mut hosts: Vec<_> = lines.iter().map(|line| Host::connect(line)).collect();
    let mut before = [0; 2];
    for (index, host) in hosts.iter_mut().enumerate() {
        if index == WARM {
            before = [resident(&modules), resident(&broker)];
        }
        host.log_in(folder, index, port, opens, level);
    }
    let after = [resident(&modules), resident(&broker)];
    stop(&mut modules);
    stop(&mut broker);
    [0, 1].map(|index| (after[index] - before[index]) * 1024 / MODULES)
}

/// A host on a module's line.
struct Host {
    line: TcpStream,
    received: Vec<u8>,
}

impl Host {
    fn connect(reached: &str) -> Self {
        let address = reached
            .split("tcp:")
            .nth(1)
            .and_then(|rest| rest.split(' ').next());
        let line = TcpStream::connect(address.expect("tcp:ADDRESS")).expect("the module's port");
        line.set_nodelay(true).expect("a socket option");
        line.set_read_timeout(Some(Duration::from_secs(30)))
            .expect("a socket option");
        let mut host = Self {
            line,
            received: Vec::new(),
        };
        host.say("ATE0", "OK");
        host
    }

    fn log_in(&mut self, folder: &Path, index: usize, port: &str, opens: &str, level: usize) {
        let files = [
            ("cacert", "ca.crt"),
            ("clientcert", "client.crt"),
            ("clientkey", "client.key"),
        ];
        for (setting, file) in &files[..[0, 1, 3][level]] {
            let bytes = std::fs::read(folder.join(file)).expect("the broker has written it");
            self.say(&format!("AT+FSCREATE=\"{file}\""), "OK");
            self.send(format!("AT+FSWRITE=\"{file}\",0,{},15\r", bytes.len()).as_bytes());
            self.wait_for(">");
            self.send(&bytes);
            self.wait_for("OK\r\n");
            self.say(&format!("AT+SSLCFG=\"{setting}\",88,\"{file}\""), "OK");
        }
        self.say(&format!("AT+SSLCFG=\"seclevel\",88,{level}"), "OK");
        self.say(&format!("AT+MCONFIG=\"bench-{index:04}\""), "OK");
        self.say(&format!("AT+{opens}=\"127.0.0.1\",{port}"), "CONNECT OK");
        self.say("AT+MCONNECT=1,60", "CONNACK OK");
    }

    fn say(&mut self, line: &str, answer: &str) {
        self.send(format!("{line}\r").as_bytes());
        self.wait_for(&format!("{answer}\r\n"));
    }

    fn send(&mut self, bytes: &[u8]) {
        self.line.write_all(bytes).expect("the module reads");
    }

    fn wait_for(&mut self, wanted: &str) {
        let mut buffer = [0; 1024];
        while !self.received.ends_with(wanted.as_bytes()) {
            let n = self.line.read(&mut buffer).unwrap_or(0);
            let got = String::from_utf8_lossy(&self.received);
            assert!(n > 0, "waiting for {wanted:?}, got {got:?}");
            self.received.extend_from_slice(&buffer[..n]);
        }
        self.received.clear();
    }
}

/// Starts a program and reads so many lines of what it prints.
fn start(program: &str, arguments: &[&str], lines: usize) -> (Child, Vec<String>) {
    let mut child = Command::new(program)
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .expect("modemq starts");
    let output = BufReader::new(child.stdout.take().expect("a pipe"));
    let lines: Vec<_> = output
        .lines()
        .take(lines)
        .map(|line| line.expect("text"))
        .collect();
    (child, lines)
}

fn stop(child: &mut Child) {
    child.kill().expect("it runs");
    child.wait().expect("it ends");
}

/// Resident memory of a process in KB.
fn resident(child: &Child) -> usize {
    let path = format!("/proc/{}/status", child.id());
    let status = std::fs::read_to_string(path).expect("such a process");
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .expect("a resident size");
    line.split_whitespace()
        .nth(1)
        .and_then(|number| number.parse().ok())
        .expect("a number")
}
