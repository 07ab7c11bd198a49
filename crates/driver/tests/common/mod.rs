//! A driver whose other end is the test: what it types is held against the test's lines, what the module says is said, and the
//! time is the test's own.

// clippy.toml allows unwrap in test functions; these helpers are called by nothing else. Not every test file uses all of them.
#![allow(clippy::unwrap_used, dead_code)]

use driver::{Driver, Event, Memory, Options, Stats};
use instant::Instant;
use std::time::Duration;

/// A driver whose other end is the test.
pub(crate) struct Line {
    pub(crate) driver: Driver<'static>,
    pub(crate) now: Instant,
    events: Vec<String>,
    unsolicited: Vec<String>,
}

impl Line {
    pub(crate) fn new(model: &str) -> Self {
        let memory = Memory {
            line: Box::leak(Box::new([0; 8192])),
            command: Box::leak(Box::new([0; 512])),
            outbox: Box::leak(Box::new([0; 8192])),
            topics: Box::leak(Box::new([0; 256])),
        };
        let model = dialect::Model::by_name(model).unwrap();
        Self {
            driver: Driver::new(model, memory, 7),
            now: Instant::ZERO,
            events: Vec::new(),
            unsolicited: Vec::new(),
        }
    }

    /// A driver that has logged in, at a module that answers as the table says.
    pub(crate) fn connected(model: &str) -> Self {
        let mut line = Self::new(model);
        line.driver.connect(line.now, OPTIONS).unwrap();
        line.answer(answers(model));
        assert_eq!(line.events(), ["Connected"]);
        assert_eq!(
            line.stray(),
            Stats {
                resyncs: line.driver.stats().resyncs,
                ..Stats::default()
            }
        );
        line
    }

    /// What is typed now.
    pub(crate) fn typed(&mut self) -> String {
        let mut typed = Vec::new();
        while let Some(bytes) = self.driver.poll_transmit() {
            typed.extend_from_slice(bytes);
            let count = bytes.len();
            self.driver.transmitted(self.now, count);
        }
        String::from_utf8(typed).unwrap()
    }

    /// Lets a minute pass at most, until the driver types, and holds what it types against `expected`, to the byte. Behind `…`
    /// anything may follow.
    #[track_caller]
    pub(crate) fn types(&mut self, expected: &str) {
        if self.driver.poll_transmit().is_none() {
            self.wait(Duration::from_secs(60));
        }
        let typed = self.typed();
        match expected.strip_suffix('…') {
            Some(beginning) => assert!(
                typed.starts_with(beginning),
                "typed {typed:?}, and not {expected:?}: {:?}",
                self.driver
            ),
            None => assert_eq!(typed, expected, "{:?}", self.driver),
        }
    }

    /// Lets `span` pass, or less: until the driver types.
    pub(crate) fn wait(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(at) = self.driver.next_deadline().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.driver.advance(self.now);
            self.drain();
            if self.driver.poll_transmit().is_some() {
                return;
            }
        }
        self.now = end;
        self.driver.advance(end);
        self.drain();
    }

    /// The module says this.
    pub(crate) fn say(&mut self, bytes: impl AsRef<[u8]>) {
        let mut rest = bytes.as_ref();
        while !rest.is_empty() {
            let taken = self.driver.receive(self.now, rest);
            rest = &rest[taken..];
            self.drain();
        }
    }

    pub(crate) fn drain(&mut self) {
        while let Some(event) = self.driver.poll_event() {
            self.events.push(match event {
                Event::Message(message) => {
                    format!(
                        "message {} {}",
                        shown(message.topic),
                        shown(message.payload)
                    )
                }
                Event::Line(line) => format!("line {}", shown(line)),
                Event::Unsolicited(line) => {
                    self.unsolicited.push(shown(line));
                    continue;
                }
                other => format!("{other:?}"),
            });
        }
    }

    /// What has happened since it was asked last.
    pub(crate) fn events(&mut self) -> Vec<String> {
        std::mem::take(&mut self.events)
    }

    /// The lines that the driver knew nothing of since it was asked last. They are no events here.
    pub(crate) fn unsolicited(&mut self) -> Vec<String> {
        std::mem::take(&mut self.unsolicited)
    }

    /// What belonged to nothing.
    pub(crate) fn stray(&self) -> Stats {
        self.driver.stats()
    }

    /// Types a command of the user's.
    #[track_caller]
    pub(crate) fn run(&mut self, command: &str) {
        self.wait(Duration::from_millis(20));
        let patience = Duration::from_secs(5);
        self.driver.command(self.now, command, patience).unwrap();
        assert_eq!(self.typed().trim_end(), command);
    }

    /// Asks a question of the user's.
    #[track_caller]
    pub(crate) fn ask(&mut self, query: driver::Query, command: &str) {
        self.driver.query(self.now, query).unwrap();
        self.wait(Duration::from_millis(20));
        assert_eq!(self.typed().trim_end(), command);
    }

    /// A conversation: what is typed, and what the module says to it. Where nothing is typed the module speaks by itself.
    #[track_caller]
    pub(crate) fn play(&mut self, conversation: &[(&str, &str)]) {
        for (typed, said) in conversation {
            if !typed.is_empty() {
                self.types(typed);
            }
            self.say(said);
        }
    }

    /// Answers what is typed until it is connected: `OK`, what stands in the table, and nothing where it is empty.
    #[track_caller]
    pub(crate) fn answer(&mut self, table: &[(&str, &str)]) {
        self.answer_until(table, "");
    }

    /// The same until a line is typed that begins so; it has no answer yet.
    #[track_caller]
    pub(crate) fn answer_until(&mut self, table: &[(&str, &str)], beginning: &str) {
        for _ in 0..100 {
            let typed = self.typed();
            let line = typed.trim_end();
            if line.is_empty() {
                let before = self.now;
                self.wait(Duration::from_millis(500));
                if self.driver.poll_transmit().is_none() && self.driver.is_connected() {
                    return;
                }
                assert!(self.now > before || self.driver.poll_transmit().is_some());
                continue;
            }
            if !beginning.is_empty() && line.starts_with(beginning) {
                return;
            }
            let answer = table
                .iter()
                .find(|(command, _)| line.starts_with(command))
                .map_or("\r\nOK\r\n", |(_, answer)| answer);
            self.say(answer);
        }
        panic!("it never ends: {:?}", self.driver);
    }
}

/// Bytes as a string literal has them, but for quotes.
fn shown(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string().replace("\\\"", "\"")
}

pub(crate) const OPTIONS: Options<'static> = Options {
    host: "broker.test",
    port: 1883,
    client_id: "dev1",
    username: None,
    password: None,
    keep_alive: 60,
    clean_session: true,
    will: None,
    pin: None,
    apn: None,
    wifi: None,
    tls: None,
    reset_pin: false,
    patience: driver::Patience {
        first_wait: Duration::from_secs(1),
        longest_wait: Duration::from_secs(60),
        check: Duration::from_secs(60),
        gap: Duration::from_millis(20),
    },
};

/// What a module of each family says on the way to a login; `OK` to all else.
pub(crate) fn answers(model: &str) -> &'static [(&'static str, &'static str)] {
    match model {
        "ec20" | "bg95" => EC20,
        "bc26" => BC26,
        "nt35e" => NT35E,
        "esp8266" | "esp32c3" => ESP,
        _ => LUAT,
    }
}

const EC20: &[(&str, &str)] = &[
    ("AT+IPR?", "\r\n+IPR: 115200\r\n\r\nOK\r\n"),
    ("AT+CPIN?", "\r\n+CPIN: READY\r\n\r\nOK\r\n"),
    ("AT+CEREG?", "\r\n+CEREG: 0,1\r\n\r\nOK\r\n"),
    ("AT+CGATT?", "\r\n+CGATT: 1\r\n\r\nOK\r\n"),
    ("AT+QMTCLOSE", "\r\nERROR\r\n"),
    ("AT+QIACT?", "\r\n+QIACT: 1,1,1,\"10.0.0.1\"\r\n\r\nOK\r\n"),
    ("AT+QMTOPEN", "\r\nOK\r\n\r\n+QMTOPEN: 0,0\r\n"),
    ("AT+QMTCONN=", "\r\nOK\r\n\r\n+QMTCONN: 0,0,0\r\n"),
    ("AT+QMTCONN?", "\r\n+QMTCONN: 0,3\r\n\r\nOK\r\n"),
    ("AT+QMTSUB=0,1,", "\r\nOK\r\n\r\n+QMTSUB: 0,1,0,1\r\n"),
];

const BC26: &[(&str, &str)] = &[
    ("AT+IPR?", "\r\n+IPR: 115200\r\n\r\nOK\r\n"),
    ("AT+CPIN?", "\r\n+CPIN: READY\r\n\r\nOK\r\n"),
    ("AT+CEREG?", "\r\n+CEREG: 0,1\r\n\r\nOK\r\n"),
    ("AT+CGATT?", "\r\n+CGATT: 1\r\n\r\nOK\r\n"),
    ("AT+QMTCLOSE", "\r\nERROR\r\n"),
    ("AT+QMTCFG=\"dataformat\",0,", "\r\nOK\r\n"),
    (
        "AT+QMTCFG=\"dataformat\",0",
        "\r\n+QMTCFG: \"dataformat\",0,1\r\n\r\nOK\r\n",
    ),
    ("AT+QMTOPEN", "\r\nOK\r\n\r\n+QMTOPEN: 0,0\r\n"),
    ("AT+QMTCONN=", "\r\nOK\r\n\r\n+QMTCONN: 0,0,0\r\n"),
    ("AT+QMTCONN?", "\r\n+QMTCONN: 0,3\r\n\r\nOK\r\n"),
];

const NT35E: &[(&str, &str)] = &[
    ("AT+IPR?", "\r\n+IPR: 115200\r\n\r\nOK\r\n"),
    ("AT+CPIN?", "\r\n+CPIN: READY\r\n\r\nOK\r\n"),
    ("AT+CEREG?", "\r\n+CEREG: 0,1\r\n\r\nOK\r\n"),
    ("AT+CGATT?", "\r\n+CGATT: 1\r\n\r\nOK\r\n"),
    ("AT+ECMTCLOSE", "\r\n+CME ERROR: 3\r\n"),
    ("AT+ECMTOPEN", "\r\nOK\r\n\r\n+ECMTOPEN: 0,0\r\n"),
    ("AT+ECMTCONN=", "\r\nOK\r\n\r\n+ECMTCONN: 0,0,0\r\n"),
    ("AT+ECMTCONN?", "\r\n+ECMTCONN:0,3\r\n\r\nOK\r\n"),
];

const LUAT: &[(&str, &str)] = &[
    ("AT+IPR?", "\r\n+IPR: 115200\r\n\r\nOK\r\n"),
    ("AT+CPIN?", "\r\n+CPIN: READY\r\n\r\nOK\r\n"),
    ("AT+CEREG?", "\r\n+CEREG: 0,1\r\n\r\nOK\r\n"),
    ("AT+CGATT?", "\r\n+CGATT: 1\r\n\r\nOK\r\n"),
    ("AT+MIPCLOSE", "\r\n+CME ERROR: 767\r\n"),
    ("AT+MIPSTART", "\r\nOK\r\n\r\nCONNECT OK\r\n"),
    ("AT+MCONNECT", "\r\nOK\r\n\r\nCONNACK OK\r\n"),
    ("AT+MQTTSTATU", "\r\n+MQTTSTATU :1\r\n\r\nOK\r\n"),
];

const ESP: &[(&str, &str)] = &[
    ("AT+UART_CUR?", "+UART_CUR:115200,8,1,0,0\r\n\r\nOK\r\n"),
    ("AT+CWSTATE?", "+CWSTATE:2,\"home\"\r\n\r\nOK\r\n"),
    ("AT+MQTTCLEAN", "\r\nERROR\r\n"),
    (
        "AT+MQTTCONN=",
        "+MQTTCONNECTED:0,1,\"broker.test\",\"1883\",\"\",0\r\n\r\nOK\r\n",
    ),
    (
        "AT+MQTTCONN?",
        "+MQTTCONN:0,4,1,\"broker.test\",\"1883\",\"\",0\r\n\r\nOK\r\n",
    ),
];
