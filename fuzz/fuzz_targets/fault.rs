//! Any text as a line of faults, and a module in the weather that it makes: it never panics, time never stands still, and when the
//! world heals the module answers AT.
#![no_main]

use arbitrary::Arbitrary;
use dialect::model::ALL;
use instant::Instant;
use libfuzzer_sys::fuzz_target;
use module::{Config, LinkEvent, LinkId, NetError, Output, Pace};
use std::time::Duration;
use world::{Fault, Rig, Weather};

#[derive(Arbitrary, Debug)]
enum Act<'a> {
    Fault(&'a str),
    Weather(&'a str),
    Clear,
    Type(&'a [u8]),
    Line(u8),
    Opened,
    Failed,
    Data(&'a [u8]),
    Closed,
    Wait(u16),
}

fuzz_target!(|input: (u8, bool, u64, Vec<Act<'_>>)| {
    let (model, real, seed, acts) = input;
    let model = &ALL[usize::from(model) % ALL.len()];
    let config = Config {
        pace: if real { Pace::Real } else { Pace::Fast },
        ..Config::default()
    };
    let mut run = Run {
        now: Instant::ZERO,
        rig: Rig::new(Instant::ZERO, model, config).with_seed(seed),
        link: LinkId(1),
        serial: Vec::new(),
    };
    run.pass(Duration::from_secs(30));
    for act in acts {
        let (now, link) = (run.now, run.link);
        match act {
            Act::Fault(line) => {
                if let Ok(fault) = line.parse::<Fault>() {
                    assert_eq!(fault.to_string().parse().as_ref(), Ok(&fault));
                    let _ = run.rig.inject(now, fault);
                }
            }
            Act::Weather(text) => {
                for fault in Weather::parse(text).map(|weather| weather.faults).unwrap_or_default() {
                    let _ = run.rig.inject(now, fault);
                }
            }
            Act::Clear => run.rig.clear_all(now),
            Act::Type(bytes) => run.rig.receive(now, bytes),
            Act::Line(which) => {
                let lines = [
                    "AT+MIPSTART=\"h\",1883", "AT+MCONNECT=1,60", "AT+ECMTOPEN=0,\"h\",1883", "AT+ECMTCONN=0,\"d\"",
                    "AT+QMTOPEN=0,\"h\",1883", "AT+QMTCONN=0,\"d\"", "AT+CWJAP=\"a\",\"\"",
                    "AT+MQTTUSERCFG=0,1,\"d\",\"\",\"\",0,0,\"\"", "AT+MQTTCONN=0,\"h\",1883,1", "AT+CPIN?", "AT+CDNSGIP=\"h\"",
                ];
                let line = lines[usize::from(which) % lines.len()];
                run.rig.receive(now, format!("{line}{}", model.syntax.line_end()).as_bytes());
            }
            Act::Opened => run.rig.receive_link(now, link, LinkEvent::Opened([192, 0, 2, 1].into())),
            Act::Failed => run.rig.receive_link(now, link, LinkEvent::Failed(NetError::Refused)),
            Act::Data(bytes) => run.rig.receive_link(now, link, LinkEvent::Data(bytes)),
            Act::Closed => run.rig.receive_link(now, link, LinkEvent::Closed),
            Act::Wait(millis) => run.pass(Duration::from_millis(millis.into())),
        }
        run.drain();
        assert!(run.rig.held() < 4 << 20);
    }
    run.rig.clear_all(run.now);
    run.drain();
    run.rig.network(run.now, module::NetworkEvent::PowerCycle);
    run.pass(Duration::from_secs(60));
    for _ in 0..2 {
        run.serial.clear();
        run.rig.receive(run.now, format!("AT{}", model.syntax.line_end()).as_bytes());
        run.pass(Duration::from_secs(5));
    }
    let text = String::from_utf8_lossy(&run.serial).into_owned();
    // ATV0 and ATQ1 are kept by AT&W.
    assert!(!text.is_empty() || model.syntax == dialect::Syntax::V250, "{}: AT is not answered", model.title);
});

struct Run {
    now: Instant,
    rig: Rig,
    link: LinkId,
    serial: Vec<u8>,
}

impl Run {
    fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        let mut still = 0;
        self.drain();
        while let Some(at) = self.rig.next_deadline().filter(|at| *at <= end) {
            still = if at > self.now { 0 } else { still + 1 };
            assert!(still < 100_000, "time stands still");
            self.now = self.now.max(at);
            self.rig.advance(self.now);
            self.drain();
        }
        self.now = end;
    }

    fn drain(&mut self) {
        while let Some(output) = self.rig.poll_output() {
            match output {
                Output::Serial(bytes) => self.serial.extend(bytes),
                Output::Open { link, .. } => self.link = link,
                _ => {}
            }
        }
        self.serial.truncate(1 << 20);
    }
}
