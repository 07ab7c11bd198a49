//! What faults do to a module and its connections, where a transcript cannot show it: to the microsecond, and at the real pace.

// clippy.toml allows unwrap in test functions; these helpers are called by nothing else.
#![allow(clippy::unwrap_used)]

use dialect::Model;
use module::{Config, Pace, TraceKind};
use mqtt::QoS;
use std::time::Duration;
use world::{Bench, Fault, InjectError};

const SECOND: Duration = Duration::from_secs(1);

fn booted(model: &str, pace: Pace) -> Bench {
    let config = Config {
        pace,
        trace: true,
        ..Config::default()
    };
    let mut bench = Bench::new(Model::by_name(model).unwrap(), config);
    bench.run_for(SECOND * 10);
    bench.take_serial();
    bench.take_trace();
    bench
}

fn logged_in() -> Bench {
    let mut bench = booted("air780ep", Pace::Fast);
    say(&mut bench, "ATE0");
    say(&mut bench, "AT+MCONFIG=\"dev1\"");
    say(&mut bench, "AT+MIPSTART=\"broker.test\",1883");
    say(&mut bench, "AT+MCONNECT=1,60");
    assert_eq!(
        say(&mut bench, "AT+MSUB=\"t\",0"),
        "\r\nOK\r\n\r\nSUBACK\r\n"
    );
    bench
}

fn say(bench: &mut Bench, line: &str) -> String {
    bench.type_bytes(format!("{line}{}", bench.rig().model().syntax.line_end()).as_bytes());
    bench.run_for(SECOND);
    heard(bench)
}

fn heard(bench: &mut Bench) -> String {
    String::from_utf8(bench.take_serial()).unwrap()
}

fn inject(bench: &mut Bench, line: &str) -> world::FaultId {
    bench.inject(line.parse().unwrap()).unwrap()
}

/// When the next message of the broker is on the line, in milliseconds.
fn millis_to_message(bench: &mut Bench) -> u64 {
    let start = bench.now();
    assert!(bench.publish("t", b"x", QoS::AtMostOnce, false));
    bench.run_until_serial(SECOND * 600);
    assert_eq!(heard(bench), "\r\n+MSUB: \"t\",1 byte,x\r\n");
    (bench.now() - start).as_micros() as u64 / 1000
}

#[test]
fn a_brown_out_gets_no_further_than_the_first_report() {
    for (model, first, last) in [
        ("air780ep", "\r\nRDY\r\n", "+CGEV: ME PDN ACT 1,0"),
        (
            "nt35e",
            "\r\nREBOOT_CAUSE_APPLICATION_POWER_ON_RESET\r\n",
            "",
        ),
        ("ec20", "\r\nRDY\r\n\r\n+CFUN: 1\r\n", "+QIND: PB DONE"),
        ("esp8266", "\r\nready\r\n", ""),
    ] {
        let mut bench = booted(model, Pace::Real);
        inject(&mut bench, "brown-out 4");
        bench.run_for(SECOND * 20);
        let text = heard(&mut bench);
        assert!(text.starts_with(&first.repeat(4)), "{model}: {text}");
        assert_eq!(text.matches(first).count(), 4, "{model}: {text}");
        assert!(text.contains(last), "{model}: {text}");
    }
}

#[test]
fn a_latency_is_that_of_one_way_and_goes_when_it_is_cleared() {
    let mut bench = logged_in();
    assert_eq!(millis_to_message(&mut bench), 20);
    let id = inject(&mut bench, "latency 300ms on link/downstream");
    assert_eq!(millis_to_message(&mut bench), 320);
    // Cleared, nothing is held back any more.
    bench.publish("t", b"x", QoS::AtMostOnce, false);
    bench.run_for(Duration::from_millis(100));
    assert!(bench.clear(id));
    assert!(!bench.clear(id));
    assert_eq!(heard(&mut bench), "\r\n+MSUB: \"t\",1 byte,x\r\n");
    assert_eq!(millis_to_message(&mut bench), 20);
}

#[test]
fn a_rate_lets_so_many_bits_through_and_a_lost_segment_comes_later() {
    let mut bench = logged_in();
    // Six bytes of PUBLISH at 80 bit/s.
    let id = inject(&mut bench, "bandwidth 80bit on link/downstream");
    assert_eq!(millis_to_message(&mut bench), 620);
    bench.clear(id);
    // Every segment is lost as often as it can be: 1 + 2 + 4 + 8 + 16 + 32 s.
    inject(&mut bench, "loss 100% on link/downstream");
    assert_eq!(millis_to_message(&mut bench), 63_020);
}

#[test]
fn a_fault_is_of_the_host_that_it_names() {
    let mut bench = logged_in();
    inject(&mut bench, "latency 1s on link:other.test/downstream");
    inject(&mut bench, "latency 1s on link:broker.test:8883/downstream");
    assert_eq!(millis_to_message(&mut bench), 20);
    inject(&mut bench, "latency 1s on link:BROKER.test:1883/downstream");
    assert_eq!(millis_to_message(&mut bench), 1020);
}

#[test]
fn names_are_slow_and_closing_takes_its_time() {
    let mut bench = booted("air780ep", Pace::Fast);
    say(&mut bench, "ATE0");
    inject(&mut bench, "dns-slow 8s");
    let start = bench.now();
    assert_eq!(
        say(&mut bench, "AT+MIPSTART=\"broker.test\",1883"),
        "\r\nOK\r\n"
    );
    bench.run_until_serial(SECOND * 60);
    assert_eq!(heard(&mut bench), "\r\nCONNECT OK\r\n");
    assert_eq!(bench.now() - start, SECOND * 8 + Duration::from_millis(20));
    inject(&mut bench, "slow_close 5s");
    inject(&mut bench, "tcp-drop");
    let start = bench.now();
    bench.run_until_serial(SECOND * 60);
    assert_eq!(heard(&mut bench), "\r\nCLOSED\r\n");
    assert_eq!(bench.now() - start, SECOND * 5);
}

#[test]
fn a_server_that_nobody_reaches_and_one_that_hears_nothing_of_the_end() {
    let mut bench = booted("air780ep", Pace::Fast);
    say(&mut bench, "ATE0");
    inject(&mut bench, "stall");
    assert_eq!(
        say(&mut bench, "AT+MIPSTART=\"broker.test\",1883"),
        "\r\nOK\r\n"
    );
    bench.run_for(SECOND * 100);
    assert!(heard(&mut bench).ends_with("\r\nCONNECT FAIL\r\n"));
    assert_eq!(bench.broker().stats().accepted, 0);

    let mut bench = logged_in();
    inject(&mut bench, "half-open");
    say(&mut bench, "AT+MIPCLOSE");
    bench.run_for(SECOND * 30);
    assert_eq!(bench.broker().stats().connections, 1);
    bench.run_for(SECOND * 70);
    assert_eq!(bench.broker().stats().connections, 0);
}

#[test]
fn a_stuck_module_does_nothing_and_loses_what_its_buffer_does_not_hold() {
    let mut bench = logged_in();
    inject(&mut bench, "stuck for 40s");
    bench.publish("t", b"x", QoS::AtMostOnce, false);
    bench.type_bytes(&b"AT+CSQ\r".repeat(300));
    bench.run_for(SECOND * 39);
    assert_eq!(heard(&mut bench), "");
    bench.run_for(SECOND * 2);
    let text = heard(&mut bench);
    assert_eq!(text.matches("+CSQ: ").count(), 2048 / 7, "{text}");
    assert!(text.contains("\r\n+MSUB: \"t\",1 byte,x\r\n"), "{text}");
}

#[test]
fn a_power_cut_wakes_a_module_that_hangs() {
    let mut bench = booted("ec20", Pace::Real);
    inject(&mut bench, "stuck");
    assert_eq!(say(&mut bench, "AT"), "");
    inject(&mut bench, "power-cut for 3s");
    bench.run_for(SECOND * 10);
    assert!(heard(&mut bench).starts_with("\r\nRDY\r\n"));
    assert_eq!(say(&mut bench, "AT"), "AT\r\r\nOK\r\n");
}

#[test]
fn a_fault_finds_connections_that_were_there_before_it() {
    let mut bench = logged_in();
    inject(&mut bench, "reset_peer");
    assert_eq!(heard(&mut bench), "\r\nCLOSED\r\n");
}

#[test]
fn the_youngest_of_several_states_holds_and_the_first_one_comes_back() {
    let mut bench = booted("air780ep", Pace::Fast);
    say(&mut bench, "ATE0");
    inject(&mut bench, "signal 10");
    inject(&mut bench, "signal 3 for 5s");
    assert_eq!(say(&mut bench, "AT+CSQ"), "\r\n+CSQ: 3,0\r\n\r\nOK\r\n");
    bench.run_for(SECOND * 5);
    assert_eq!(say(&mut bench, "AT+CSQ"), "\r\n+CSQ: 10,0\r\n\r\nOK\r\n");
    bench.clear_all();
    assert_eq!(say(&mut bench, "AT+CSQ"), "\r\n+CSQ: 24,0\r\n\r\nOK\r\n");
}

#[test]
fn every_strike_and_every_end_is_in_the_trace_with_its_time() {
    let mut bench = booted("air780ep", Pace::Fast);
    inject(&mut bench, "stall on serial every 10s for 4s times 2");
    bench.run_for(SECOND * 60);
    let notes: Vec<_> = bench
        .take_trace()
        .into_iter()
        .filter_map(|trace| match trace.kind {
            TraceKind::Note(text) => Some((trace.at.to_string(), text)),
            _ => None,
        })
        .collect();
    let line = "stall on serial every 10s for 4s times 2";
    let strikes = format!("fault 1 strikes: {line}");
    let over = format!("fault 1 is over: {line}");
    let wanted = [
        ("20.000", &strikes),
        ("24.000", &over),
        ("30.000", &strikes),
        ("34.000", &over),
    ];
    assert_eq!(
        notes,
        wanted.map(|(at, text)| (at.to_string(), text.clone()))
    );
}

#[test]
fn what_a_model_cannot_have_is_refused_and_faults_are_listed() {
    let mut bench = booted("esp8266", Pace::Fast);
    let fault: Fault = "pdp-deact".parse().unwrap();
    let why = "pdp-deact is for cellular modules, and the ESP8266 is none";
    assert_eq!(bench.inject(fault), Err(InjectError::NotHere(why.into())));
    let first = inject(&mut bench, "latency 5ms");
    let second = inject(&mut bench, "tcp-drop every 1h");
    inject(&mut bench, "tcp-drop");
    let listed: Vec<_> = bench
        .rig()
        .faults()
        .map(|status| (status.id, status.fault.to_string(), status.active))
        .collect();
    assert_eq!(
        listed,
        [
            (first, "latency 5ms".to_string(), true),
            (second, "tcp-drop every 1h".to_string(), false)
        ]
    );
}

/// What opens a connection on a model of each family.
const OPENING: [(&str, &[&str]); 4] = [
    ("air780ep", &["AT+MIPSTART=\"broker.test\",1883"]),
    ("nt35e", &["AT+ECMTOPEN=0,\"broker.test\",1883"]),
    ("ec20", &["AT+QMTOPEN=0,\"broker.test\",1883"]),
    (
        "esp8266",
        &[
            "AT+CWJAP=\"a\",\"\"",
            "AT+MQTTUSERCFG=0,1,\"d\",\"\",\"\",0,0,\"\"",
            "AT+MQTTCONN=0,\"broker.test\",1883,0",
        ],
    ),
];

#[test]
fn a_slow_name_server_delays_the_connection_on_each_family() {
    for (model, lines) in OPENING {
        let mut bench = booted(model, Pace::Fast);
        inject(&mut bench, "dns-slow 5s");
        for line in lines {
            say(&mut bench, line);
        }
        bench.run_for(SECOND * 3);
        assert_eq!(bench.broker().stats().accepted, 0, "{model}");
        bench.run_for(SECOND * 3);
        assert_eq!(bench.broker().stats().accepted, 1, "{model}");
    }
}

#[test]
fn every_fault_of_the_serial_line_shows_on_each_family_and_passes() {
    for (model, _) in OPENING {
        let clean = {
            let mut bench = booted(model, Pace::Real);
            (0..20).map(|_| say(&mut bench, "AT")).collect::<String>()
        };
        for line in [
            "latency 100ms 90ms on serial",
            "bandwidth 300bit on serial",
            "slicer 1 50ms on serial",
            "loss 20% on serial",
            "stall on serial",
            "corrupt 20%",
            "duplicate 20%",
            "echo-garbled 50%",
            "overrun 2",
            "wrong-baud 9600",
            "late-reply 900ms 20",
            "lost-reply 20",
            "urc \"+X: 1\" every 1s",
        ] {
            let mut bench = booted(model, Pace::Real);
            let id = inject(&mut bench, line);
            let mut spoilt = String::new();
            let mut late = false;
            for _ in 0..20 {
                bench.type_bytes(format!("AT{}", bench.rig().model().syntax.line_end()).as_bytes());
                bench.run_for(Duration::from_millis(30));
                let at_once = String::from_utf8_lossy(&bench.take_serial()).into_owned();
                bench.run_for(Duration::from_millis(970));
                let after = String::from_utf8_lossy(&bench.take_serial()).into_owned();
                late |= !after.is_empty();
                spoilt.push_str(&(at_once + &after));
            }
            assert!(late || spoilt != clean, "{model}: {line}: {spoilt}");
            bench.clear(id);
            bench.clear_all();
            bench.run_for(SECOND * 2);
            say_anything(&mut bench);
            let text = say(&mut bench, "AT");
            assert!(text.ends_with("OK\r\n"), "{model}: {line}: {text}");
        }
    }
}

/// What is left of a line that was spoilt goes.
fn say_anything(bench: &mut Bench) {
    bench.type_bytes(bench.rig().model().syntax.line_end().as_bytes());
    bench.run_for(SECOND);
    bench.take_serial();
}

#[test]
fn an_esp_that_has_lost_its_clock_is_in_1970() {
    let config = Config {
        pace: Pace::Fast,
        unix_time: Some(1_728_632_315),
        ..Config::default()
    };
    let mut bench = Bench::new(Model::by_name("esp8266").unwrap(), config);
    bench.run_for(SECOND * 5);
    for line in [
        "ATE0",
        "AT+CWJAP=\"a\",\"\"",
        "AT+CIPSNTPCFG=1,0,\"a.test\"",
    ] {
        say(&mut bench, line);
    }
    bench.run_for(SECOND * 20);
    bench.take_serial();
    let text = say(&mut bench, "AT+CIPSNTPTIME?");
    assert!(text.contains("2024"), "{text}");
    inject(&mut bench, "clock-lost");
    let text = say(&mut bench, "AT+CIPSNTPTIME?");
    assert!(text.contains("1970"), "{text}");
}
