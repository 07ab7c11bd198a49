//! A bench of real programs: `modemq` as it was built, Debian's Mosquitto, PTYs and TCP on loopback.
//!
//! Nothing sleeps to be lucky: whatever is awaited is awaited until it comes, or until a guard that is generous.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test program has its own copy, and uses what it needs"
)]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use modemq::tls::suite_name;
use modemq::transcript::TlsBroker;
use module::TlsVersion;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Nothing here takes this long unless it never comes.
pub const GUARD: Duration = Duration::from_secs(30);

/// A program that ends with the test.
pub struct Running {
    child: Child,
    pub lines: BufReader<std::process::ChildStdout>,
}

impl Running {
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim_end().into()
    }

    /// What it writes to standard error, when that was asked for.
    pub fn trace(&mut self) -> std::process::ChildStderr {
        self.child.stderr.take().unwrap()
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), signal)
            .unwrap();
    }

    /// How many files, sockets and pipes it has open.
    pub fn descriptors(&self) -> usize {
        let folder = format!("/proc/{}/fd", self.child.id());
        std::fs::read_dir(folder).unwrap().count()
    }

    pub fn wait(&mut self) -> std::process::ExitStatus {
        let end = Instant::now() + GUARD;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < end, "the program does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `modemq` with these arguments.
pub fn modemq(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_modemq"));
    command.args(args);
    command
}

/// Starts `modemq` and leaves it running.
pub fn start(args: &[&str]) -> Running {
    running(&mut modemq(args))
}

/// Runs `modemq` to its end, with this on standard input.
pub fn run(args: &[&str], input: &[u8]) -> Output {
    let mut child = modemq(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

/// Starts a program and leaves it running.
pub fn running(command: &mut Command) -> Running {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap());
    Running { child, lines }
}

/// A broker that a test talks to.
pub struct Broker {
    pub program: Running,
    pub address: SocketAddr,
    pub name: &'static str,
}

impl Broker {
    /// Ours.
    pub fn ours(args: &[&str]) -> Self {
        Self::listening("127.0.0.1:0", args)
    }

    /// Ours, where another one was.
    pub fn ours_at(address: &str) -> Self {
        Self::listening(address, &[])
    }

    fn listening(address: &str, args: &[&str]) -> Self {
        let mut program = start(&[&["broker", "--listen", address], args].concat());
        let line = program.line();
        let address = line.rsplit(' ').next().unwrap().parse().unwrap();
        let name = "modemq broker";
        Self {
            program,
            address,
            name,
        }
    }

    /// Ours, with WebSockets at the second part.
    pub fn ours_with_websockets() -> (Self, SocketAddr) {
        let mut broker = Self::ours(&["--websocket", "127.0.0.1:0"]);
        let line = broker.program.line();
        let address = line.rsplit('/').next().unwrap().parse().unwrap();
        (broker, address)
    }

    /// Debian's Mosquitto.
    pub fn mosquitto() -> Self {
        Self::mosquitto_on(&[""]).0
    }

    /// Debian's Mosquitto, with WebSockets at the second part.
    pub fn mosquitto_with_websockets() -> (Self, SocketAddr) {
        let (broker, [_, websockets]) = Self::mosquitto_on(&["", "protocol websockets\n"]);
        (broker, websockets)
    }

    /// Ours, with TLS at the second part and mutual TLS at the third; what is given comes on top.
    pub fn ours_with_tls(folder: &Path, args: &[&str]) -> (Self, [SocketAddr; 2]) {
        let folder = folder.to_str().unwrap();
        let addresses = [
            "--tls",
            "127.0.0.1:0",
            "--mutual-tls",
            "127.0.0.1:0",
            "--certificates",
            folder,
        ];
        let mut broker = Self::ours(&[&addresses, args].concat());
        let tls = [(); 2].map(|()| {
            let line = broker.program.line();
            line.rsplit(' ').next().unwrap().parse().unwrap()
        });
        (broker, tls)
    }

    /// Debian's Mosquitto, with TLS at the second part and mutual TLS at the third.
    pub fn mosquitto_with_tls(folder: &Path) -> (Self, [SocketAddr; 2]) {
        Self::mosquitto_with(folder, "")
    }

    /// The same, with WebSockets inside of TLS.
    pub fn mosquitto_with_secure_websockets(folder: &Path) -> (Self, [SocketAddr; 2]) {
        Self::mosquitto_with(folder, "protocol websockets\n")
    }

    fn mosquitto_with(folder: &Path, protocol: &str) -> (Self, [SocketAddr; 2]) {
        // It gives up its rights, and could not read a key that is root's.
        let folder = folder.display();
        let tls = format!(
            "certfile {folder}/server.crt\nkeyfile {folder}/server.key\ncafile {folder}/ca.crt\nciphers ALL:@SECLEVEL=0\n{protocol}"
        );
        let mutual = format!("{tls}require_certificate true\n");
        let (broker, [_, tls, mutual]) = Self::mosquitto_on(&["", &tls, &mutual]);
        (broker, [tls, mutual])
    }

    /// Debian's Mosquitto, with TLS as a transcript wants it at the second part.
    pub fn mosquitto_as_wanted(folder: &Path, wanted: &TlsBroker) -> (Self, SocketAddr) {
        let folder = folder.display();
        let suites: Vec<_> = wanted
            .suites
            .iter()
            .map(|suite| suite_name(*suite).unwrap())
            .collect();
        let suites = if suites.is_empty() {
            "ALL".into()
        } else {
            suites.join(":")
        };
        let mutual = wanted.mutual;
        let lowest = match wanted.versions.0 {
            TlsVersion::Tls12 => "tls_version tlsv1.2\n",
            _ => "",
        };
        let (broker, [_, tls]) = Self::mosquitto_on(&[
            "",
            &format!(
                "certfile {folder}/server.crt\nkeyfile {folder}/server.key\ncafile {folder}/ca.crt\n\
                 ciphers {suites}:@SECLEVEL=0\nrequire_certificate {mutual}\n{lowest}"
            ),
        ]);
        (broker, tls)
    }

    /// Mosquitto on so many addresses, each with its settings.
    fn mosquitto_on<const N: usize>(listeners: &[&str; N]) -> (Self, [SocketAddr; N]) {
        // It cannot be asked for a free port: some that were free a moment ago are tried, and others when they are taken.
        for _ in 0..20 {
            let bound: [TcpListener; N] =
                std::array::from_fn(|_| TcpListener::bind("127.0.0.1:0").unwrap());
            let free = bound.map(|listener| listener.local_addr().unwrap());
            let mut settings =
                "allow_anonymous true\nuser root\nlog_dest stderr\nlog_type information\n"
                    .to_owned();
            for (address, further) in free.iter().zip(listeners) {
                settings += &format!("listener {} 127.0.0.1\n{further}", address.port());
            }
            let file = temporary("mosquitto");
            std::fs::write(&file, settings).unwrap();
            let mut command = Command::new(mosquitto_program());
            command.arg("-c").arg(&file).stderr(Stdio::piped());
            let mut program = running(&mut command);
            let mut log = BufReader::new(program.trace()).lines();
            // It says so once it has all of them; a connection might be somebody else's who was faster.
            let is_up = log
                .by_ref()
                .any(|line| line.unwrap_or_default().ends_with(" running"));
            if is_up {
                // Nobody reads on, and it must not wait for that.
                std::thread::spawn(move || log.for_each(drop));
                let broker = Self {
                    program,
                    address: free[0],
                    name: "mosquitto",
                };
                return (broker, free);
            }
        }
        panic!("mosquitto does not start");
    }

    /// Each of them.
    pub fn each() -> [Self; 2] {
        [Self::ours(&[]), Self::mosquitto()]
    }

    pub fn port(&self) -> String {
        self.address.port().to_string()
    }
}

fn mosquitto_program() -> &'static str {
    [
        "/usr/sbin/mosquitto",
        "/usr/local/sbin/mosquitto",
        "/usr/bin/mosquitto",
    ]
    .into_iter()
    .find(|path| Path::new(path).exists())
    .expect("these tests need Mosquitto: apt-get install -y mosquitto")
}

/// A folder for a test, gone with it.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(kind: &str) -> Self {
        let path = temporary(kind);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Folder {
    /// With a CA, a server's and a client's certificate, as `modemq broker` makes them.
    pub fn with_certificates() -> Self {
        let folder = Self::new("certificates");
        modemq::certificates::provide(&folder.0).unwrap();
        folder
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A name for a file or link that no other test has.
pub fn temporary(kind: &str) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("modemq-test-{}-{count}-{kind}", std::process::id()))
}

/// A host at the other end of a module's line.
pub struct Host {
    line: TcpStream,
    received: Vec<u8>,
}

impl Host {
    /// A module on a TCP port, and a host on its line.
    pub fn with_module(model: &str, args: &[&str]) -> (Running, Self) {
        let mut module = start(&[&["module", model, "--tcp", "127.0.0.1:0"], args].concat());
        let host = Self::connect(address_of(&module.line()));
        (module, host)
    }

    /// The same, with its trace on standard error.
    pub fn with_traced_module(model: &str) -> (Running, Self) {
        let mut command = modemq(&[
            "module",
            model,
            "--tcp",
            "127.0.0.1:0",
            "--pace",
            "fast",
            "--trace",
        ]);
        command.stderr(Stdio::piped());
        let mut module = running(&mut command);
        let host = Self::connect(address_of(&module.line()));
        (module, host)
    }

    pub fn connect(address: SocketAddr) -> Self {
        let line = TcpStream::connect(address).unwrap();
        line.set_read_timeout(Some(GUARD)).unwrap();
        line.set_nodelay(true).unwrap();
        Self {
            line,
            received: Vec::new(),
        }
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.line.write_all(bytes).unwrap();
    }

    /// Waits until all of this has come, and nothing else before it.
    pub fn expect(&mut self, wanted: &str) {
        while self.received.len() < wanted.len() && wanted.as_bytes().starts_with(&self.received) {
            let mut buffer = [0; 4096];
            let n = self.line.read(&mut buffer).unwrap_or_else(|error| {
                panic!(
                    "expected {wanted:?}, got {:?}: {error}",
                    String::from_utf8_lossy(&self.received)
                )
            });
            assert!(n > 0, "expected {wanted:?}, and the line has ended");
            self.received.extend_from_slice(&buffer[..n]);
        }
        let came = String::from_utf8_lossy(&self.received[..self.received.len().min(wanted.len())])
            .into_owned();
        assert_eq!(came, wanted);
        self.received.drain(..wanted.len());
    }

    /// Waits until all of one or of the other has come, and nothing else before it: true when it is the first.
    pub fn either(&mut self, first: &str, second: &str) -> bool {
        let begins = |received: &[u8], wanted: &str| wanted.as_bytes().starts_with(received);
        while self.received.len() < first.len().min(second.len())
            && (begins(&self.received, first) || begins(&self.received, second))
        {
            let mut buffer = [0; 4096];
            let n = self.line.read(&mut buffer).unwrap();
            assert!(n > 0, "the line has ended");
            self.received.extend_from_slice(&buffer[..n]);
        }
        let short = first.len().min(second.len()).min(self.received.len());
        let is_first = self.received.starts_with(&first.as_bytes()[..short]);
        self.expect(if is_first { first } else { second });
        is_first
    }

    /// Sends a command and expects its echo and these frames.
    pub fn command(&mut self, command: &str, frames: &[&str]) {
        self.send(format!("{command}\r").as_bytes());
        self.expect(&format!("{command}\r"));
        for frame in frames {
            self.expect(&format!("\r\n{frame}\r\n"));
        }
    }

    /// Sends a command and expects these frames.
    pub fn command_without_echo(&mut self, command: &str, frames: &[&str]) {
        self.send(format!("{command}\r").as_bytes());
        for frame in frames {
            self.expect(&format!("\r\n{frame}\r\n"));
        }
    }

    /// Reads and throws away until the module answers this `AT`.
    pub fn synchronise(&mut self) {
        self.send(b"\rATE0\rAT+CGMM\r");
        let mut buffer = [0; 4096];
        let end = Instant::now() + GUARD;
        while !self.received.ends_with(b"\"\r\n\r\nOK\r\n") {
            assert!(Instant::now() < end, "the module does not answer");
            let n = self.line.read(&mut buffer).unwrap();
            self.received.extend_from_slice(&buffer[..n]);
        }
        self.received.clear();
        self.send(b"ATE1\r");
        self.expect("\r\nOK\r\n");
    }

    /// Waits for the last report of a boot at the model's own pace.
    pub fn boot(&mut self) {
        self.wait_for("+NITZ: ");
        self.wait_for("\r\n");
    }

    /// Reads and throws away up to and with this.
    pub fn wait_for(&mut self, wanted: &str) {
        let wanted = wanted.as_bytes();
        loop {
            let found = self
                .received
                .windows(wanted.len())
                .position(|bytes| bytes == wanted);
            if let Some(at) = found {
                self.received.drain(..at + wanted.len());
                return;
            }
            let mut buffer = [0; 4096];
            let n = self.line.read(&mut buffer).unwrap();
            assert!(n > 0, "the line has ended");
            self.received.extend_from_slice(&buffer[..n]);
        }
    }

    pub fn log_in(&mut self, broker: &Broker, client_id: &str, clean: bool) {
        self.command(&format!("AT+MCONFIG=\"{client_id}\""), &["OK"]);
        self.open(broker);
        self.command(
            &format!("AT+MCONNECT={},60", u8::from(clean)),
            &["OK", "CONNACK OK"],
        );
    }

    pub fn open(&mut self, broker: &Broker) {
        let port = broker.port();
        self.command(
            &format!("AT+MIPSTART=\"127.0.0.1\",{port}"),
            &["OK", "CONNECT OK"],
        );
    }
}

/// The address in what `modemq module --tcp` prints.
pub fn address_of(line: &str) -> SocketAddr {
    let text = line
        .split("tcp:")
        .nth(1)
        .unwrap_or_else(|| panic!("{line:?}"));
    text.split(' ').next().unwrap().parse().unwrap()
}

/// `modemq sub` that has subscribed: its first message is a retained one that says so.
pub struct Tool {
    program: Running,
}

impl Tool {
    /// Sees what is published to a filter. The topic `ready` must not be covered by it.
    pub fn subscribe(broker: &Broker, filter: &str, qos: &str) -> Self {
        let port = broker.port();
        let retained = run(
            &[
                "pub",
                "-h",
                "127.0.0.1",
                "-p",
                &port,
                "-t",
                "ready",
                "-r",
                "-q",
                "1",
                "-m",
                "now",
            ],
            b"",
        );
        assert!(retained.status.success());
        let args = [
            "sub",
            "-h",
            "127.0.0.1",
            "-p",
            &port,
            "-t",
            filter,
            "-t",
            "ready",
            "-q",
            qos,
            "-v",
        ];
        let mut tool = Self {
            program: start(&args),
        };
        assert_eq!(tool.next(), "ready now");
        tool
    }

    /// `topic message`
    pub fn next(&mut self) -> String {
        self.program.line()
    }
}

/// Publishes with `modemq pub`.
pub fn publish(broker: &Broker, args: &[&str]) {
    let port = broker.port();
    let output = run(
        &[&["pub", "-h", "127.0.0.1", "-p", &port], args].concat(),
        b"",
    );
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Reads one record of TLS: a ClientHello, as a server sees it.
pub fn capture(link: &mut TcpStream) -> Vec<u8> {
    link.set_read_timeout(Some(GUARD)).unwrap();
    let mut record = vec![0; 5];
    link.read_exact(&mut record).unwrap();
    let len = usize::from(u16::from_be_bytes([record[3], record[4]]));
    record.resize(5 + len, 0);
    link.read_exact(&mut record[5..]).unwrap();
    record
}
