//! A driver between a host and a serial line that do as they please: it never panics, always takes what it is given, types one
//! command at a time and nothing but data where data belongs, tells a bounded number of events, and always knows when to wake.
#![no_main]

use arbitrary::Arbitrary;
use dialect::Family;
use dialect::model::ALL;
use driver::{Driver, Event, Memory, Options, QoS, Query, Tls, Token, Wifi};
use instant::Instant;
use libfuzzer_sys::fuzz_target;
use std::time::Duration;

#[derive(Arbitrary, Debug)]
struct Setup {
    model: u8,
    tight: bool,
    clean_session: bool,
    reset_pin: bool,
    tls: bool,
    pin: bool,
}

#[derive(Arbitrary, Debug)]
enum Act<'a> {
    Connect,
    Disconnect,
    Subscribe(u8, u8),
    Unsubscribe(u8),
    Publish(u16, u8),
    Republish,
    Query(u8),
    Command(u8),
    /// Any bytes, in pieces of this size.
    Hear(&'a [u8], u8),
    /// A line that means something.
    Line(u8, u8),
    /// What a module in good health answers to what was typed last.
    Answer(u8),
    Wait(u16),
    /// Up to the next deadline.
    Wake,
}

const TOPICS: [&str; 3] = ["t", "down/two", "d/3?x=1;y"];
const COMMANDS: [&str; 4] = ["AT", "AT+CREG?", "AT+QMTPUB=0,0,0,0,\"t\"", "AT+X=\"\\\""];
/// Nothing is waited for any longer: the slowest command, its prompt, and a caller's patience.
const LONGEST: Duration = Duration::from_secs(200);
/// Time stands still when so many deadlines come at once.
const AT_ONCE: usize = 64;
/// Events of one input: as many as there is room for, and one whose text stands in the line.
const EVENTS: usize = 9;

fuzz_target!(|input: (Setup, Vec<Act<'_>>)| {
    let (setup, acts) = input;
    let model = &ALL[usize::from(setup.model) % ALL.len()];
    let (mut line, mut command, mut outbox, mut topics) = ([0; 1500], [0; 512], [0; 2048], [0; 128]);
    let size = if setup.tight { 24 } else { 1500 };
    let memory = Memory {
        line: &mut line[..size],
        command: &mut command,
        outbox: &mut outbox,
        topics: &mut topics,
    };
    let options = Options {
        host: "h",
        client_id: "c",
        username: Some("u"),
        clean_session: setup.clean_session,
        pin: setup.pin.then_some("1234"),
        wifi: Some(Wifi { ssid: "home", password: "" }),
        tls: setup.tls.then_some(Tls { ca: Some("ca"), identity: None, dates: false }),
        reset_pin: setup.reset_pin,
        ..Options::default()
    };
    let mut host = Host {
        driver: Driver::new(model, memory, 1),
        now: Instant::ZERO,
        wanted: false,
        payload: Vec::new(),
        data: None,
        typed: Vec::new(),
        typed_at: None,
        heard: false,
    };
    for act in acts {
        host.act(&act, options);
    }
});

struct Host<'a> {
    driver: Driver<'a>,
    now: Instant,
    wanted: bool,
    /// The message that was taken last.
    payload: Vec<u8>,
    /// How much of it was typed after the command line.
    data: Option<usize>,
    /// The command line that was typed last, and when.
    typed: Vec<u8>,
    typed_at: Option<Instant>,
    /// Something was heard since.
    heard: bool,
}

impl<'a> Host<'a> {
    fn act(&mut self, act: &Act<'_>, options: Options<'a>) {
        let now = self.now;
        match act {
            Act::Connect => self.wanted |= self.driver.connect(now, options).is_ok(),
            Act::Disconnect => {
                self.driver.disconnect(now);
                self.wanted = false;
            }
            Act::Subscribe(topic, qos) => {
                let qos = QoS::from_level(qos % 3).unwrap_or_default();
                let _ = self.driver.subscribe(now, TOPICS[usize::from(*topic) % 3], qos);
            }
            Act::Unsubscribe(topic) => {
                let _ = self.driver.unsubscribe(now, TOPICS[usize::from(*topic) % 3]);
            }
            Act::Publish(len, qos) => {
                let qos = QoS::from_level(qos % 3).unwrap_or_default();
                let len = usize::from(*len) % 1200;
                let payload: Vec<u8> = (0..len).map(|at| (at * 7 + len) as u8).collect();
                if self.driver.publish(now, "up", &payload, qos, false).is_ok() {
                    self.payload = payload;
                }
            }
            Act::Republish => drop(self.driver.republish(now)),
            Act::Query(which) => {
                let all = [
                    Query::Signal,
                    Query::Registration,
                    Query::Iccid,
                    Query::Imei,
                    Query::Firmware,
                    Query::Model,
                    Query::Time,
                ];
                let _ = self.driver.query(now, all[usize::from(*which) % all.len()]);
            }
            Act::Command(which) => {
                let line = COMMANDS[usize::from(*which) % COMMANDS.len()];
                let _ = self.driver.command(now, line, Duration::from_secs(5));
            }
            Act::Hear(bytes, size) => self.hear(bytes, usize::from(*size)),
            Act::Line(which, size) => {
                let line = text(self.driver.model().family, usize::from(*which));
                self.hear(line.as_bytes(), usize::from(*size));
            }
            Act::Answer(size) => {
                let answer = answer(&self.typed);
                self.hear(answer.as_bytes(), usize::from(*size));
            }
            Act::Wait(millis) => self.wait(now + Duration::from_millis((*millis).into())),
            Act::Wake => {
                if let Some(at) = self.driver.next_deadline() {
                    self.wait(at);
                }
            }
        }
        self.settle();
    }

    /// Reads bytes in pieces.
    fn hear(&mut self, bytes: &[u8], size: usize) {
        for mut piece in bytes.chunks(size.max(1)) {
            while !piece.is_empty() {
                let taken = self.driver.receive(self.now, piece);
                assert!(taken > 0 || self.driver.has_event(), "it takes nothing");
                piece = &piece[taken..];
                self.heard = true;
                self.settle();
            }
        }
    }

    fn wait(&mut self, end: Instant) {
        let mut at_once = 0;
        while let Some(at) = self.driver.next_deadline().filter(|at| *at <= end) {
            at_once = if at > self.now { 0 } else { at_once + 1 };
            assert!(at_once < AT_ONCE, "time stands still");
            self.now = self.now.max(at);
            self.driver.advance(self.now);
            self.settle();
        }
        self.now = self.now.max(end);
        self.driver.advance(self.now);
    }

    /// Drains what came out, and looks at it.
    fn settle(&mut self) {
        self.drain();
        while let Some(bytes) = self.driver.poll_transmit() {
            let bytes = bytes.to_vec();
            assert!(!bytes.is_empty());
            self.look(&bytes);
            self.driver.transmitted(self.now, bytes.len());
            self.drain();
        }
        match self.driver.next_deadline() {
            Some(at) => assert!(at <= self.now + LONGEST, "it sleeps for ever"),
            None => assert!(!self.wanted, "it waits for nothing"),
        }
    }

    fn drain(&mut self) {
        let mut events = 0;
        while let Some(event) = self.driver.poll_event() {
            events += 1;
            if let Event::Published(Token(0), _) = event {
                panic!("nobody asked for it");
            }
        }
        assert!(events <= EVENTS, "{events} events at once");
    }

    /// Is it one command, or the data of the last one?
    fn look(&mut self, bytes: &[u8]) {
        let is_command = bytes.starts_with(b"AT") && bytes.ends_with(b"\r") | bytes.ends_with(b"\r\n");
        if is_command && self.data.is_none_or(|at| at == 0 || at >= self.payload.len()) {
            let at_once = self.typed_at == Some(self.now) && !self.heard;
            assert!(!at_once, "two commands at once: {}", bytes.escape_ascii());
            self.typed = bytes.to_vec();
            (self.typed_at, self.heard, self.data) = (Some(self.now), false, None);
            return;
        }
        if is_command {
            // The data was given up half-way.
            assert!(self.heard || self.typed_at != Some(self.now));
            self.typed = bytes.to_vec();
            (self.typed_at, self.heard, self.data) = (Some(self.now), false, None);
            return;
        }
        let shown = bytes.escape_ascii().to_string();
        let is_file = bytes == b"ca";
        let is_end = bytes == b"\x1a";
        let digits: String = self.payload.iter().map(|byte| format!("{byte:02X}")).collect();
        let is_data = bytes == self.payload || bytes == digits.as_bytes();
        assert!(is_file || is_end || is_data, "typed as data: {shown}");
        self.data = Some(self.payload.len());
    }
}

/// What a module in good health answers.
fn answer(typed: &[u8]) -> String {
    let typed = String::from_utf8_lossy(typed);
    let line = typed.trim_end();
    let id = line.split(',').nth(1).unwrap_or("0");
    let table = [
        ("AT+IPR?", "\r\n+IPR: 115200\r\n\r\nOK\r\n".into()),
        ("AT+UART_CUR?", "+UART_CUR:115200,8,1,0,0\r\n\r\nOK\r\n".into()),
        ("AT+CPIN?", "\r\n+CPIN: READY\r\n\r\nOK\r\n".into()),
        ("AT+CEREG?", "\r\n+CEREG: 0,1\r\n\r\nOK\r\n".into()),
        ("AT+CGATT?", "\r\n+CGATT: 1\r\n\r\nOK\r\n".into()),
        ("AT+QIACT?", "\r\n+QIACT: 1,1,1,\"10.0.0.1\"\r\n\r\nOK\r\n".into()),
        ("AT+CWSTATE?", "+CWSTATE:2,\"home\"\r\n\r\nOK\r\n".into()),
        ("AT+QMTCFG=\"dataformat\",0\r", "\r\n+QMTCFG: \"dataformat\",0,1\r\n\r\nOK\r\n".into()),
        ("AT+QMTOPEN", "\r\nOK\r\n\r\n+QMTOPEN: 0,0\r\n".into()),
        ("AT+ECMTOPEN", "\r\nOK\r\n\r\n+ECMTOPEN: 0,0\r\n".into()),
        ("AT+MIPSTART", "\r\nOK\r\n\r\nCONNECT OK\r\n".into()),
        ("AT+QMTCONN=", "\r\nOK\r\n\r\n+QMTCONN: 0,0,0\r\n".into()),
        ("AT+ECMTCONN=", "\r\nOK\r\n\r\n+ECMTCONN: 0,0,0\r\n".into()),
        ("AT+MCONNECT", "\r\nOK\r\n\r\nCONNACK OK\r\n".into()),
        ("AT+QMTSUB", format!("\r\nOK\r\n\r\n+QMTSUB: 0,{id},0,1\r\n")),
        ("AT+ECMTSUB", format!("\r\nOK\r\n\r\n+ECMTSUB: 0,{id},0,1\r\n")),
        ("AT+MSUB", "\r\nOK\r\n\r\nSUBACK\r\n".into()),
        ("AT+QMTUNS", format!("\r\nOK\r\n\r\n+QMTUNS: 0,{id},0\r\n")),
        ("AT+QMTPUBEX", "\r\n> ".into()),
        ("AT+QMTPUB", "\r\n> ".into()),
        ("AT+ECMTPUB", "\r\n> ".into()),
        ("AT+MPUBEX", "\r\n> ".into()),
        ("AT+MQTTPUBRAW", "\r\nOK\r\n\r\n>".into()),
        ("AT+QMTCLOSE", "\r\nERROR\r\n".into()),
        ("AT+QMTCONN?", "\r\n+QMTCONN: 0,3\r\n\r\nOK\r\n".into()),
        ("AT+MQTTSTATU", "\r\n+MQTTSTATU :1\r\n\r\nOK\r\n".into()),
    ];
    let known = table.into_iter().find(|(command, _)| typed.starts_with(command));
    known.map_or_else(|| "\r\nOK\r\n".into(), |(_, answer)| answer)
}

/// Lines that lead somewhere.
fn text(family: Family, which: usize) -> &'static str {
    const ALL: &[&str] = &[
        "\r\nOK\r\n",
        "\r\nERROR\r\n",
        "\r\n+CME ERROR: 3\r\n",
        "\r\n> ",
        "\r\n+IPR: 115200\r\n",
        "\r\n+CREG: 2\r\n",
        "\r\n+CEREG: 0,1\r\n",
        "\r\n+CPIN: SIM PIN\r\n",
        "\r\n+CSQ: 24,0\r\n",
    ];
    const LUAT: &[&str] = &[
        "\r\nRDY\r\n",
        "\r\nCLOSED\r\n",
        "\r\nPUBACK\r\n",
        "\r\nPUBCOMP\r\n",
        "\r\nCONNACK OK\r\n",
        "\r\n+MSUB: \"t\",5 byte,a\r\nOK\r\n",
        "\r\n+MSUB: 1\r\n",
        "\r\n+CGEV: NW DEACT IP,\"\",1\r\n",
    ];
    const EIGENCOMM: &[&str] = &[
        "\r\n+ECMTSTAT: 0,1\r\n",
        "\r\n+ECMTRECV: 0,0,\"t\",a,b\r\n",
        "\r\n+ECMTPUB: 0,1,0\r\n",
        "\r\n+ECMTCONN: 0,0,0\r\n",
        "\r\nREBOOT_CAUSE_APPLICATION_SWRESET\r\n",
    ];
    const QUECTEL: &[&str] = &[
        "\r\nRDY\r\n",
        "\r\n+QMTSTAT: 0,1\r\n",
        "\r\n+QMTPUB: 0,1,0\r\n",
        "\r\n+QMTPUBEX: 0,1,2\r\n",
        "\r\n+QMTRECV: 0,0,\"t\",5,\"a\r\nOK\"\r\n",
        "\r\n+QMTRECV: 0,0,\"t\",\"00FF\"\r\n",
        "\r\n+QMTCONN: 0,0,5\r\n",
        "\r\n+QIURC: \"pdpdeact\",1\r\n",
    ];
    const ESPRESSIF: &[&str] = &[
        "ready\r\n",
        "busy p...\r\n",
        ">",
        "+MQTTPUB:OK\r\n",
        "+MQTTPUB:FAIL\r\n",
        "+MQTTDISCONNECTED:0\r\n",
        "+MQTTSUBRECV:0,\"t\",5,a\r\nOK\r\n",
        "WIFI DISCONNECT\r\n",
        "ALREADY SUBSCRIBE\r\n",
    ];
    let own = match family {
        Family::Luat => LUAT,
        Family::EigenComm => EIGENCOMM,
        Family::Quectel => QUECTEL,
        Family::Espressif => ESPRESSIF,
    };
    let which = which % (ALL.len() + own.len());
    ALL.get(which).copied().unwrap_or_else(|| own[which - ALL.len()])
}
