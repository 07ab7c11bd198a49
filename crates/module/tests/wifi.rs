//! ESP-AT against peers that are fast, silent or gone, in virtual time.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use dialect::Model;
use instant::Instant;
use module::{Config, LinkEvent, LinkId, Module, NetworkEvent, Output, Pace};
use std::time::Duration;

struct Bench {
    module: Module,
    now: Instant,
    serial: Vec<u8>,
    /// Links as they were asked for.
    opened: Vec<LinkId>,
    closed: Vec<LinkId>,
    sent: Vec<u8>,
}

impl Bench {
    /// A module that has booted, without echo, in reach of an access point.
    fn new(pace: Pace) -> Self {
        let config = Config {
            pace,
            latency: Some(Duration::ZERO),
            ..Config::default()
        };
        let mut bench = Self {
            module: Module::new(Instant::ZERO, Model::by_name("esp8266").unwrap(), config),
            now: Instant::ZERO,
            serial: Vec::new(),
            opened: Vec::new(),
            closed: Vec::new(),
            sent: Vec::new(),
        };
        bench.run(Duration::from_secs(5));
        bench.ask("ATE0");
        bench
    }

    /// The same, with an address.
    fn joined(pace: Pace) -> Self {
        let mut bench = Self::new(pace);
        bench.say("AT+CWJAP=\"any\",\"password\"");
        bench.run(Duration::from_secs(10));
        assert_eq!(bench.take(), "WIFI CONNECTED\r\nWIFI GOT IP\r\n\r\nOK\r\n");
        bench
    }

    /// The same, logged in with reconnect.
    fn logged_in(pace: Pace) -> Self {
        let mut bench = Self::joined(pace);
        bench.ask("AT+MQTTUSERCFG=0,1,\"id\",\"\",\"\",0,0,\"\"");
        bench.say("AT+MQTTCONN=0,\"broker.test\",1883,1");
        bench.event(LinkEvent::Opened([192, 0, 2, 1].into()));
        bench.event(LinkEvent::Data(b"\x20\x02\x00\x00"));
        bench.run(Duration::from_millis(100));
        assert!(bench.take().ends_with("\r\nOK\r\n"));
        bench
    }

    fn drain(&mut self) {
        while let Some(output) = self.module.poll_output() {
            match output {
                Output::Serial(bytes) => self.serial.extend(bytes),
                Output::Open { link, .. } => self.opened.push(link),
                Output::Close { link } | Output::Abort { link } => self.closed.push(link),
                Output::Send { bytes, .. } => self.sent.extend(bytes),
                _ => {}
            }
        }
    }

    fn run(&mut self, span: Duration) {
        let end = self.now + span;
        self.drain();
        while let Some(at) = self.module.next_deadline().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.module.advance(self.now);
            self.drain();
        }
        self.now = end;
    }

    fn type_bytes(&mut self, bytes: &[u8]) {
        self.module.receive(self.now, bytes);
        self.drain();
    }

    fn say(&mut self, line: &str) {
        self.type_bytes(format!("{line}\r\n").as_bytes());
    }

    /// Sends a line and returns its answer.
    fn ask(&mut self, line: &str) -> String {
        self.serial.clear();
        self.say(line);
        self.run(Duration::from_millis(100));
        self.take()
    }

    fn take(&mut self) -> String {
        String::from_utf8(std::mem::take(&mut self.serial)).unwrap()
    }

    /// Something happens to the last link.
    fn event(&mut self, event: LinkEvent<'_>) {
        let link = *self.opened.last().unwrap();
        self.module.receive_link(self.now, link, event);
        self.drain();
    }

    /// Gives what the module has room for, and returns how much that was.
    fn offer(&mut self, data: &[u8]) -> usize {
        let link = *self.opened.last().unwrap();
        let mut given = 0;
        for chunk in data.chunks(1460) {
            if !self.module.takes_data(link) {
                break;
            }
            self.event(LinkEvent::Data(chunk));
            given += chunk.len();
        }
        given
    }
}

fn numbers() -> Vec<u8> {
    (0..10_000)
        .flat_map(|n| format!("{n:06}").into_bytes())
        .collect()
}

fn socket(pace: Pace) -> Bench {
    let mut bench = Bench::joined(pace);
    bench.say("AT+CIPSTART=\"TCP\",\"peer.test\",80");
    bench.event(LinkEvent::Opened([192, 0, 2, 1].into()));
    bench.run(Duration::from_millis(100));
    assert_eq!(bench.take(), "CONNECT\r\n\r\nOK\r\n");
    bench
}

#[test]
fn a_host_that_asks_for_its_data_gets_all_of_it() {
    let mut bench = socket(Pace::Fast);
    bench.ask("AT+CIPRECVMODE=1");
    let data = numbers();
    let mut given = bench.offer(&data);
    assert!((5760..5760 + 1460).contains(&given), "{given}");
    assert_eq!(bench.take(), "\r\n+IPD,1460\r\n");
    assert_eq!(
        bench.ask("AT+CIPRECVLEN?"),
        "+CIPRECVLEN:5760\r\n\r\nOK\r\n"
    );
    let mut read = String::new();
    while read.len() < data.len() {
        let answer = bench.ask("AT+CIPRECVDATA=2000");
        let (len, rest) = answer
            .strip_prefix("+CIPRECVDATA:")
            .and_then(|rest| rest.split_once(','))
            .unwrap_or_else(|| panic!("{answer:?}"));
        read.push_str(&rest[..len.parse().unwrap()]);
        given += bench.offer(&data[given..]);
    }
    assert_eq!(read.as_bytes(), data);
}

#[test]
fn a_peer_that_is_faster_than_the_line_is_held_up() {
    for passthrough in [false, true] {
        let mut bench = socket(Pace::Real);
        if passthrough {
            bench.ask("AT+CIPMODE=1");
            assert_eq!(bench.ask("AT+CIPSEND"), "\r\nOK\r\n\r\n>");
        }
        let data = numbers();
        let mut given = bench.offer(&data);
        assert!(given < 20_000, "{given}");
        for _ in 0..1000 {
            bench.run(Duration::from_millis(10));
            given += bench.offer(&data[given..]);
        }
        let said = bench.take();
        let mut came = String::new();
        let mut rest = said.as_str();
        while !passthrough && let Some(after) = rest.strip_prefix("\r\n+IPD,") {
            let (len, after) = after.split_once(':').unwrap();
            let len = len.parse().unwrap();
            came.push_str(&after[..len]);
            rest = after[len..].strip_prefix("\r\n").unwrap();
        }
        came.push_str(rest);
        assert_eq!(came.len(), data.len());
        assert_eq!(came.as_bytes(), data);
    }
}

#[test]
fn a_server_that_falls_silent_is_tried_again() {
    let mut bench = Bench::logged_in(Pace::Fast);
    bench.event(LinkEvent::Closed);
    assert_eq!(bench.take(), "+MQTTDISCONNECTED:0\r\n");
    for attempt in 2..5 {
        bench.run(Duration::from_secs(10));
        assert_eq!(bench.opened.len(), attempt);
        bench.event(LinkEvent::Opened([192, 0, 2, 1].into()));
        bench.run(Duration::from_millis(19_900));
        assert_eq!(bench.take(), "");
        bench.run(Duration::from_millis(100));
        assert_eq!(bench.take(), "+MQTTDISCONNECTED:0\r\n");
        assert_eq!(bench.closed.len(), attempt);
    }
    bench.run(Duration::from_secs(10));
    bench.event(LinkEvent::Opened([192, 0, 2, 1].into()));
    bench.event(LinkEvent::Data(b"\x20\x02\x00\x00"));
    assert_eq!(
        bench.take(),
        "+MQTTCONNECTED:0,1,\"broker.test\",\"1883\",\"\",1\r\n"
    );
    bench.run(Duration::from_secs(60));
    assert_eq!(bench.take(), "");
}

#[test]
fn nothing_is_answered_between_a_restart_and_its_end() {
    let mut bench = Bench::new(Pace::Real);
    bench.say("AT+RST");
    bench.run(Duration::from_millis(20));
    assert_eq!(bench.take(), "\r\nOK\r\n");
    bench.say("AT+GMR");
    bench.run(Duration::from_millis(200));
    assert_eq!(bench.take(), "");
    bench.run(Duration::from_secs(3));
    assert_eq!(bench.take(), "\r\nready\r\n");
}

#[test]
fn an_access_point_that_goes_away_is_not_joined() {
    let mut bench = Bench::new(Pace::Real);
    bench.say("AT+CWJAP=\"any\",\"password\"");
    bench
        .module
        .network(bench.now, NetworkEvent::Signal { rssi: 99 });
    bench.run(Duration::from_secs(30));
    assert_eq!(bench.take(), "+CWJAP:1\r\n\r\nERROR\r\n");
}

#[test]
fn passthrough_opens_its_link_again() {
    let mut bench = socket(Pace::Fast);
    bench.ask("AT+CIPRECONNINTV=20");
    bench.ask("AT+CIPMODE=1");
    assert_eq!(bench.ask("AT+CIPSEND"), "\r\nOK\r\n\r\n>");
    bench.event(LinkEvent::Closed);
    bench.run(Duration::from_millis(1_900));
    assert_eq!(bench.opened.len(), 1);
    bench.run(Duration::from_millis(100));
    assert_eq!(bench.opened.len(), 2);
    bench.event(LinkEvent::Failed(module::NetError::Refused));
    bench.run(Duration::from_secs(2));
    assert_eq!(bench.opened.len(), 3);
    bench.event(LinkEvent::Opened([192, 0, 2, 1].into()));
    bench.type_bytes(b"up");
    bench.event(LinkEvent::Data(b"down"));
    assert_eq!(bench.sent, b"up");
    assert_eq!(bench.take(), "down");
    // A link that is away when the host leaves is over.
    bench.event(LinkEvent::Closed);
    bench.type_bytes(b"+++");
    assert_eq!(bench.take(), "CLOSED\r\n");
    bench.run(Duration::from_secs(60));
    assert_eq!(bench.opened.len(), 3);
}

#[test]
fn what_is_typed_early_is_told_once_however_it_is_written() {
    let mut bench = Bench::joined(Pace::Real);
    bench.say("AT+CWLAP");
    bench.run(Duration::from_millis(10));
    for byte in b"AT\r\n" {
        bench.type_bytes(&[*byte]);
        bench.run(Duration::from_micros(100));
    }
    bench.run(Duration::from_millis(20));
    assert_eq!(bench.take(), "\r\nbusy p...\r\n");
    for byte in b"at+rst\r\n" {
        bench.type_bytes(&[*byte]);
        bench.run(Duration::from_micros(100));
    }
    bench.run(Duration::from_millis(50));
    assert_eq!(bench.take(), "\r\nWill force to restart!!!\r\n\r\nOK\r\n");
}

#[test]
fn messages_come_while_a_command_runs() {
    let mut bench = Bench::logged_in(Pace::Real);
    bench.say("AT+CWLAP");
    bench.run(Duration::from_millis(100));
    bench.event(LinkEvent::Data(b"\x30\x04\x00\x01tx"));
    bench.run(Duration::from_millis(100));
    assert_eq!(bench.take(), "+MQTTSUBRECV:0,\"t\",1,x\r\n");
    bench.run(Duration::from_secs(3));
    assert!(bench.take().ends_with("\r\nOK\r\n"));
}
