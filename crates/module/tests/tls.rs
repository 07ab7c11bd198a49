//! Handshakes that never end, in virtual time: the module's own error within its own time limit, and the link is given back.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use dialect::Model;
use instant::Instant;
use module::{Config, LinkEvent, LinkId, Module, NetError, Output, Pace, Tls, TlsVersion};
use std::time::Duration;

struct Bench {
    now: Instant,
    module: Module,
    said: Vec<u8>,
    opened: Option<(LinkId, Tls)>,
    given_back: bool,
}

impl Bench {
    fn new(model: &str) -> Self {
        let config = Config {
            pace: Pace::Fast,
            ..Config::default()
        };
        let model = Model::by_name(model).unwrap();
        let mut bench = Self {
            now: Instant::ZERO,
            module: Module::new(Instant::ZERO, model, config),
            said: Vec::new(),
            opened: None,
            given_back: false,
        };
        bench.drain();
        bench.said.clear();
        bench
    }

    fn drain(&mut self) {
        while let Some(output) = self.module.poll_output() {
            match output {
                Output::Serial(bytes) => self.said.extend(bytes),
                Output::Open {
                    link, transport, ..
                } => {
                    self.opened = Some((link, *transport.tls.unwrap()));
                    self.given_back = false;
                }
                Output::Close { link } | Output::Abort { link } => {
                    self.given_back |= self.opened.as_ref().is_some_and(|(own, _)| *own == link);
                }
                _ => {}
            }
        }
    }

    fn send(&mut self, lines: &[&str]) {
        for line in lines {
            self.module.receive(self.now, line.as_bytes());
            self.module.receive(self.now, b"\r\n");
            self.drain();
            // Wi-Fi takes its time at any pace.
            for _ in 0..20 {
                self.step();
            }
        }
        self.said.clear();
    }

    /// To the next moment, when it is near.
    fn step(&mut self) {
        if let Some(at) = self.module.next_deadline()
            && at <= self.now + Duration::from_secs(10)
        {
            self.now = self.now.max(at);
            self.module.advance(self.now);
            self.drain();
        }
    }

    /// Until this has been said.
    fn wait_for(&mut self, wanted: &str) -> Duration {
        let begin = self.now;
        while !String::from_utf8_lossy(&self.said).ends_with(wanted) {
            let at = self.module.next_deadline();
            self.now = at.unwrap_or_else(|| panic!("{:?}", String::from_utf8_lossy(&self.said)));
            self.module.advance(self.now);
            self.drain();
        }
        self.now - begin
    }
}

/// How a model is set up for TLS without a check; the line that opens; what fails.
const FAMILIES: [(&str, &[&str], &str, &str, u64); 4] = [
    (
        "ec20",
        &["ATE0", "AT+QMTCFG=\"ssl\",0,1,2"],
        "AT+QMTOPEN=0,\"h\",8883",
        "\r\nOK\r\n\r\n+QMTOPEN: 0,5\r\n",
        75,
    ),
    (
        "bc26",
        &["ATE0", "AT+QMTCFG=\"ssl\",0,1,1,5"],
        "AT+QMTOPEN=0,\"h\",8883",
        "\r\nOK\r\n\r\n+QMTOPEN: 0,5\r\n",
        75,
    ),
    (
        "nt35e",
        &["ATE0", "AT+ECMTCFG=\"ssl\",\"ecc\",\"-\""],
        "AT+ECMTOPEN=0,\"h\",8883",
        "\r\nOK\r\n\r\n+ECMTOPEN: 0,0\r\n",
        600,
    ),
    (
        "esp32c3",
        &[
            "ATE0",
            "AT+CWJAP=\"any\",\"\"",
            "AT+MQTTUSERCFG=0,2,\"id\",\"\",\"\",0,0,\"\"",
        ],
        "AT+MQTTCONN=0,\"h\",8883,0",
        "+MQTTDISCONNECTED:0\r\n\r\nERROR\r\n",
        15,
    ),
];

#[test]
fn a_handshake_without_end_has_one() {
    for (model, setup, open, failed, seconds) in FAMILIES {
        let mut bench = Bench::new(model);
        bench.send(setup);
        bench.module.receive(bench.now, open.as_bytes());
        bench.module.receive(bench.now, b"\r\n");
        bench.drain();
        let (link, tls) = bench.opened.clone().unwrap();
        // Whoever does the handshake ends it no earlier than the module gives up, or it would be another error.
        assert!(
            tls.timeout >= Duration::from_secs(seconds.min(60)),
            "{model}"
        );
        assert_eq!(
            bench.wait_for(failed),
            Duration::from_secs(seconds),
            "{model}"
        );
        assert!(bench.given_back, "{model}");
        // What comes too late changes nothing.
        let event = LinkEvent::Opened([127, 0, 0, 1].into());
        bench.module.receive_link(bench.now, link, event);
        bench.said.clear();
        bench.drain();
        assert_eq!(bench.said, b"", "{model}");
    }
}

#[test]
fn a_handshake_that_fails_is_the_familys_error() {
    for (model, setup, open, ..) in FAMILIES {
        let mut bench = Bench::new(model);
        bench.send(setup);
        bench.module.receive(bench.now, open.as_bytes());
        bench.module.receive(bench.now, b"\r\n");
        bench.drain();
        let (link, _) = bench.opened.clone().unwrap();
        let event = LinkEvent::Failed(NetError::Tls);
        bench.module.receive_link(bench.now, link, event);
        bench.drain();
        let failed = match model {
            "ec20" | "bc26" => "\r\nOK\r\n\r\n+QMTOPEN: 0,-1\r\n",
            "nt35e" => "\r\nOK\r\n\r\n+ECMTOPEN: 0,0\r\n",
            _ => "+MQTTDISCONNECTED:0\r\n\r\nERROR\r\n",
        };
        assert_eq!(String::from_utf8_lossy(&bench.said), failed, "{model}");
    }
}

/// What a host sets is what the handshake is asked for.
#[test]
fn settings_become_a_handshake() {
    let open = |model, lines: &[&str], open: &str| {
        let mut bench = Bench::new(model);
        bench.send(lines);
        bench.send(&[open]);
        bench.opened.unwrap().1
    };
    let tls = open(
        "nt35e",
        &["AT+ECMTCFG=\"ssl\",\"ca\",\"MIID\""],
        "AT+ECMTOPEN=0,\"broker.test\",8883",
    );
    assert_eq!(tls.versions, (TlsVersion::Tls12, TlsVersion::Tls12));
    assert_eq!(tls.server_name.as_deref(), Some("broker.test"));
    assert_eq!(tls.expected_name.as_deref(), Some("broker.test"));
    let pem = b"-----BEGIN CERTIFICATE-----\r\nMIID\r\n-----END CERTIFICATE-----\r\n";
    assert_eq!(tls.authorities.as_deref(), Some(&pem[..]));
    assert!(tls.time.is_none() && tls.identity.is_none() && tls.psk.is_none());
    let tls = open(
        "nt35e",
        &["AT+ECMTCFG=\"ssl\",\"psk\",\"secret\",\"device\""],
        "AT+ECMTOPEN=0,\"broker.test\",8883",
    );
    let psk = tls.psk.clone().unwrap();
    assert_eq!(
        (&*psk.identity, &*psk.key),
        (&b"device"[..], &b"secret"[..])
    );
    assert!(tls.suites.contains(&0x008c) && tls.authorities.is_none());
    assert!(!format!("{tls:?}").contains("secret"));
    let tls = open(
        "bc26",
        &[
            "ATE0",
            "AT+QSSLCFG=1,5,\"cacert\",2",
            "CA",
            "AT+QSSLCFG=1,5,\"seclevel\",1",
            "AT+QSSLCFG=1,5,\"sslversion\",2",
            "AT+QSSLCFG=1,5,\"timeout\",60",
            "AT+QMTCFG=\"ssl\",0,1,1,5",
        ],
        "AT+QMTOPEN=0,\"broker.test\",8883",
    );
    assert_eq!(tls.versions, (TlsVersion::Tls11, TlsVersion::Tls11));
    assert_eq!(tls.authorities.as_deref(), Some(&b"CA"[..]));
    assert_eq!(
        (tls.server_name, tls.expected_name, tls.time),
        (None, None, None)
    );
    assert_eq!(tls.timeout, Duration::from_secs(60));
    assert_eq!(tls.suites, [0x0035, 0x002f, 0x000a]);
}
