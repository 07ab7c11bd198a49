//! Power, pace and the serial line, in virtual time.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use dialect::Model;
use instant::Instant;
use module::{Config, Module, NetworkEvent, Output, Pace, Sim};
use std::time::Duration;

struct Bench {
    module: Module,
    now: Instant,
    /// What came, and when.
    serial: Vec<(Instant, Vec<u8>)>,
    off: bool,
    bauds: Vec<(usize, u32)>,
}

impl Bench {
    fn new(model: &str, config: Config) -> Self {
        let module = Module::new(Instant::ZERO, Model::by_name(model).unwrap(), config);
        let mut bench = Self {
            module,
            now: Instant::ZERO,
            serial: Vec::new(),
            off: false,
            bauds: Vec::new(),
        };
        bench.drain();
        bench
    }

    fn drain(&mut self) {
        while let Some(output) = self.module.poll_output() {
            match output {
                Output::Serial(bytes) => self.serial.push((self.now, bytes)),
                Output::PoweredOff => self.off = true,
                Output::Baud(baud) => {
                    let said: usize = self.serial.iter().map(|(_, bytes)| bytes.len()).sum();
                    self.bauds.push((said, baud));
                }
                _ => {}
            }
        }
    }

    fn run(&mut self, span: Duration) {
        let end = self.now + span;
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

    fn text(&mut self) -> String {
        let all: Vec<u8> = self.serial.drain(..).flat_map(|(_, bytes)| bytes).collect();
        String::from_utf8(all).unwrap()
    }
}

fn booted(model: &str, pace: Pace) -> Bench {
    let mut bench = Bench::new(
        model,
        Config {
            pace,
            ..Config::default()
        },
    );
    bench.run(Duration::from_secs(10));
    bench.serial.clear();
    bench
}

#[test]
fn a_module_that_is_off_says_and_wants_nothing_until_power_comes() {
    for pace in [Pace::Fast, Pace::Real] {
        let mut bench = booted("air780ep", pace);
        bench.type_bytes(b"AT+MIPSTART=192.0.2.1,1883\rAT+CPOWD=1\r");
        bench.run(Duration::from_secs(5));
        let said = bench.text();
        assert!(
            said.ends_with("AT+CPOWD=1\r\r\nNORMAL POWER DOWN\r\n"),
            "{said:?}"
        );
        assert!(bench.off);
        bench.type_bytes(b"AT\r");
        bench
            .module
            .network(bench.now, NetworkEvent::Sim(Sim::Absent));
        bench
            .module
            .network(bench.now, NetworkEvent::PdpDeactivated);
        bench.drain();
        assert_eq!(bench.module.next_deadline(), None, "nothing wakes it");
        assert_eq!(bench.text(), "");
        bench.module.network(bench.now, NetworkEvent::PowerCycle);
        bench.drain();
        bench.run(Duration::from_secs(10));
        assert!(bench.text().starts_with("\r\nRDY\r\n"));
    }
}

#[test]
fn an_idle_module_wakes_for_nothing() {
    for model in dialect::model::ALL {
        let bench = booted(model.name, Pace::Real);
        assert_eq!(bench.module.next_deadline(), None, "{}", model.name);
    }
}

#[test]
fn at_its_own_pace_a_reply_takes_the_models_time_and_the_lines() {
    let mut bench = booted("air780ep", Pace::Real);
    let start = bench.now;
    bench.type_bytes(b"ATE0\r");
    bench.run(Duration::from_secs(1));
    bench.serial.clear();
    let asked = bench.now;
    bench.type_bytes(b"AT*I\r");
    bench.run(Duration::from_secs(1));
    assert!(start < asked);
    // The model's delay, and then each byte when its last bit is out: 115200 bit/s are 11520 bytes a second.
    let mut said = 0;
    let mut before = asked + Duration::from_millis(4);
    for (at, bytes) in &bench.serial {
        said += u32::try_from(bytes.len()).unwrap();
        let exact = asked + Duration::from_millis(4) + Duration::from_secs(1) * said / 11_520;
        // A microsecond for what each piece rounds away.
        let rounded = Duration::from_micros(bench.serial.len() as u64);
        assert!(
            *at <= exact && *at + rounded >= exact,
            "{said} bytes at {at}, not {exact}"
        );
        assert!(
            *at - before <= Duration::from_millis(1),
            "a gap within the answer"
        );
        before = *at;
    }
    assert_eq!(said, 203);
}

#[test]
fn a_new_rate_holds_after_the_reply_to_the_command_that_set_it() {
    for pace in [Pace::Fast, Pace::Real] {
        let mut bench = booted("air780ep", pace);
        bench.type_bytes(b"AT+IPR=9600\r");
        bench.run(Duration::from_secs(1));
        let said = "AT+IPR=9600\r\r\nOK\r\n";
        assert_eq!(bench.bauds, [(said.len(), 9600)]);
        assert_eq!(bench.text(), said);
    }
}

#[test]
fn any_slicing_of_the_line_gives_the_same_bytes() {
    let script = b"AT+CSQ\r\nAT+MPUB=\"a\",0,0,\"x\x08y\"\rAT+CGATT?;+CREG?\rATE0\rAT\r";
    let mut whole = booted("air780ep", Pace::Fast);
    whole.type_bytes(script);
    let whole = whole.text();
    for size in 1..12 {
        let mut bench = booted("air780ep", Pace::Fast);
        for chunk in script.chunks(size) {
            bench.type_bytes(chunk);
        }
        assert_eq!(bench.text(), whole, "{size} bytes at a time");
    }
}

#[test]
fn what_is_erased_vanishes_from_the_terminal() {
    let mut bench = booted("air780ep", Pace::Fast);
    bench.type_bytes(b"\x7fAT+CSX\x7fQ\r\n");
    assert_eq!(
        bench.text(),
        "AT+CSX\x08 \x08Q\r\r\n+CSQ: 24,0\r\n\r\nOK\r\n"
    );
}

#[test]
fn input_that_waits_for_a_command_is_kept_and_bounded() {
    // CIICR takes its time when the context is down.
    let mut bench = booted("air780ep", Pace::Real);
    bench.type_bytes(b"ATE0\rAT+CGACT=0,1\rAT+CSTT\r");
    bench.run(Duration::from_secs(1));
    bench.serial.clear();
    bench.type_bytes(b"AT+CIICR\rAT+CIFSR\r");
    bench.run(Duration::from_millis(100));
    assert_eq!(bench.text(), "", "it runs, and the next one waits");
    for _ in 0..100 {
        bench.type_bytes(&[b' '; 1000]);
    }
    bench.run(Duration::from_secs(2));
    let said = bench.text();
    assert!(
        said.starts_with("\r\nOK\r\n\r\n10.173.90.29\r\n"),
        "{said:?}"
    );
    bench.type_bytes(b"\rAT\r");
    bench.run(Duration::from_secs(1));
    assert!(bench.text().ends_with("\r\nOK\r\n"));
}

#[test]
fn the_first_line_after_power_on_finds_the_rate() {
    for (config, answered) in [
        (
            Config {
                pace: Pace::Real,
                ..Config::default()
            },
            false,
        ),
        (
            Config {
                pace: Pace::Fast,
                ..Config::default()
            },
            true,
        ),
        (
            Config {
                pace: Pace::Real,
                baud: Some(115_200),
                ..Config::default()
            },
            true,
        ),
    ] {
        let mut bench = Bench::new("bc26", config);
        bench.run(Duration::from_secs(10));
        bench.serial.clear();
        for piece in [&b"A"[..], b"T\r\n"] {
            bench.type_bytes(piece);
        }
        bench.run(Duration::from_secs(1));
        let echoed = if answered { "AT\r\r\nOK\r\n" } else { "" };
        assert_eq!(bench.text(), echoed);
        bench.serial.clear();
        bench.type_bytes(b"AT\r\n");
        bench.run(Duration::from_secs(1));
        assert_eq!(bench.text(), "AT\r\r\nOK\r\n");
    }
}

#[test]
fn what_the_world_does_while_the_power_is_off_is_there_afterwards() {
    let mut bench = booted("air780ep", Pace::Fast);
    let events = [
        NetworkEvent::Signal { rssi: 99 },
        NetworkEvent::PowerCut,
        NetworkEvent::Signal { rssi: 7 },
        NetworkEvent::PowerCycle,
    ];
    for event in events {
        bench.module.network(bench.now, event);
        bench.drain();
        bench.run(Duration::from_secs(10));
    }
    bench.serial.clear();
    bench.type_bytes(b"ATE0\rAT+CSQ\r");
    assert!(bench.text().ends_with("\r\n+CSQ: 7,0\r\n\r\nOK\r\n"));
}

#[test]
fn without_a_rate_of_its_own_it_takes_the_hosts() {
    let mut bench = booted("air780ep", Pace::Real);
    let rate = |bench: &Bench| {
        let state = bench.module.line_state();
        (state.baud, state.autobaud)
    };
    assert_eq!(rate(&bench), (115_200, true));
    let event = NetworkEvent::HostRate { baud: 9600 };
    bench.module.network(bench.now, event.clone());
    bench.drain();
    assert_eq!(rate(&bench), (9600, true));
    let asked = bench.now;
    bench.type_bytes(b"ATE0\r");
    bench.run(Duration::from_secs(1));
    // The echo and OK are 11 bytes of ten bits; each takes 1041 microseconds and a fraction that is rounded away.
    let took = bench.serial.last().unwrap().0 - asked;
    assert!(took >= Duration::from_micros(11 * 1041), "{took:?}");

    // A rate that it is given holds from the end of the reply on, whatever the host does then.
    bench.serial.clear();
    bench.bauds.clear();
    bench.type_bytes(b"AT+IPR=57600\r");
    assert_eq!(rate(&bench), (9600, false));
    bench.run(Duration::from_secs(1));
    assert_eq!(bench.text(), "\r\nOK\r\n");
    assert_eq!(bench.bauds, [(6, 57_600)]);
    bench.module.network(bench.now, event);
    bench.drain();
    assert_eq!(rate(&bench), (57_600, false));

    // ESP-AT has one at any time.
    let esp = booted("esp8266", Pace::Real);
    assert_eq!(rate(&esp), (115_200, false));
}

#[test]
fn circuits_follow_power_and_the_setting_of_dcd() {
    let mut bench = booted("ec20", Pace::Fast);
    let circuits = |bench: &Bench| {
        let circuits = bench.module.line_state().circuits;
        [circuits.cts, circuits.dsr, circuits.ri, circuits.dcd]
    };
    assert_eq!(circuits(&bench), [true, true, false, false]);
    for (line, dcd) in [
        ("AT&C", true),
        ("AT&C1", false),
        ("AT&C0&W", true),
        ("AT&F", false),
        ("ATZ", true),
    ] {
        bench.type_bytes(format!("{line}\r").as_bytes());
        assert_eq!(circuits(&bench), [true, true, false, dcd], "{line}");
    }
    bench.type_bytes(b"AT+QPOWD\r");
    bench.run(Duration::from_secs(30));
    assert!(bench.off);
    assert_eq!(circuits(&bench), [false; 4]);
    bench.module.network(bench.now, NetworkEvent::PowerCycle);
    bench.drain();
    assert_eq!(circuits(&bench), [true, true, false, true], "AT&W");
}
