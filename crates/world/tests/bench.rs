//! What the world does to a module and its broker.

// clippy.toml allows unwrap in test functions; these helpers are called by nothing else.
#![allow(clippy::unwrap_used)]

use broker::{CloseReason, Event};
use dialect::Model;
use module::{Config, NetworkEvent, Pace};
use mqtt::QoS;
use std::time::Duration;
use world::Bench;

fn booted(pace: Pace) -> Bench {
    let model = Model::by_name("air780ep").unwrap();
    let config = Config {
        pace,
        ..Config::default()
    };
    let mut bench = Bench::new(model, config);
    bench.run_for(Duration::from_secs(10));
    bench.take_serial();
    bench
}

fn break_it(bench: &mut Bench, fault: &str) {
    bench.inject(fault.parse().unwrap()).unwrap();
}

fn say(bench: &mut Bench, line: &str) -> String {
    bench.type_bytes(line.as_bytes());
    bench.type_bytes(b"\r");
    bench.run_for(Duration::from_secs(1));
    String::from_utf8(bench.take_serial()).unwrap()
}

fn logged_in(pace: Pace, keep_alive: u16) -> Bench {
    let mut bench = booted(pace);
    say(&mut bench, "ATE0");
    say(
        &mut bench,
        "AT+MCONFIG=\"dev1\",\"\",\"\",0,0,\"will\",\"gone\"",
    );
    say(&mut bench, "AT+MIPSTART=\"broker.test\",1883");
    let answer = say(&mut bench, &format!("AT+MCONNECT=1,{keep_alive}"));
    assert_eq!(answer, "\r\nOK\r\n\r\nCONNACK OK\r\n");
    bench.take_events();
    bench
}

fn gone(events: &[Event]) -> Vec<CloseReason> {
    let reason = |event: &Event| match event {
        Event::Gone { reason, .. } => Some(*reason),
        _ => None,
    };
    events.iter().filter_map(reason).collect()
}

#[test]
fn a_broker_learns_of_a_power_cut_by_its_keep_alive_alone() {
    let mut bench = logged_in(Pace::Real, 60);
    bench.network(NetworkEvent::PowerCycle);
    bench.run_for(Duration::from_secs(80));
    assert_eq!(bench.take_published(), []);
    assert_eq!(gone(&bench.take_events()), []);
    bench.run_for(Duration::from_secs(12));
    assert_eq!(gone(&bench.take_events()), [CloseReason::KeepAlive]);
    assert_eq!(
        bench.take_published(),
        [("will".to_string(), b"gone".to_vec())]
    );
    assert_eq!(bench.broker().stats().connections, 0);
}

#[test]
fn a_broker_learns_of_a_lost_bearer_when_the_client_is_back() {
    let mut bench = logged_in(Pace::Real, 300);
    bench.network(NetworkEvent::PdpDeactivated);
    bench.run_for(Duration::from_secs(5));
    assert_eq!(bench.broker().stats().connections, 1);
    bench.take_serial();
    say(&mut bench, "AT+MIPCLOSE");
    say(&mut bench, "AT+MIPSTART=\"broker.test\",1883");
    assert_eq!(
        say(&mut bench, "AT+MCONNECT=1,300"),
        "\r\nOK\r\n\r\nCONNACK OK\r\n"
    );
    assert_eq!(gone(&bench.take_events()), [CloseReason::TakenOver]);
    assert_eq!(bench.broker().stats().connections, 1);
}

#[test]
fn a_silent_broker_neither_answers_nor_closes_and_goes_on_where_it_was() {
    let mut bench = logged_in(Pace::Real, 600);
    say(&mut bench, "AT+MSUB=\"t\",1");
    break_it(&mut bench, "broker-silent");
    assert_eq!(say(&mut bench, "AT+MPUB=\"up\",1,0,\"x\""), "\r\nOK\r\n");
    bench.publish("t", b"late", QoS::AtMostOnce, false);
    bench.run_for(Duration::from_secs(300));
    assert_eq!(bench.take_serial(), b"");
    assert_eq!(bench.take_published(), []);
    bench.clear_all();
    bench.run_for(Duration::from_secs(1));
    let serial = String::from_utf8(bench.take_serial()).unwrap();
    assert!(serial.contains("\r\nPUBACK\r\n"), "{serial}");
    assert!(
        serial.contains("\r\n+MSUB: \"t\",4 byte,late\r\n"),
        "{serial}"
    );
    assert_eq!(bench.take_published(), [("up".to_string(), b"x".to_vec())]);
}

#[test]
fn a_login_that_nobody_answers_is_given_up_by_the_module() {
    let mut bench = booted(Pace::Real);
    break_it(&mut bench, "broker-silent");
    say(&mut bench, "ATE0");
    assert_eq!(
        say(&mut bench, "AT+MIPSTART=\"broker.test\",1883"),
        "\r\nOK\r\n\r\nCONNECT OK\r\n"
    );
    assert_eq!(say(&mut bench, "AT+MCONNECT=1,60"), "\r\nOK\r\n");
    bench.run_for(Duration::from_secs(60));
    assert_eq!(
        String::from_utf8(bench.take_serial()).unwrap(),
        "\r\nERROR\r\n\r\nCLOSED\r\n"
    );
}

#[test]
fn a_message_takes_the_latency_there_and_the_latency_back() {
    let mut bench = logged_in(Pace::Fast, 60);
    say(&mut bench, "AT+MSUB=\"t\",0");
    bench.set_latency(Duration::from_millis(150));
    let start = bench.now();
    bench.type_bytes(b"AT+MPUB=\"t\",0,0,\"x\"\r");
    assert_eq!(bench.take_serial(), b"\r\nOK\r\n");
    bench.run_until_serial(Duration::from_secs(5));
    assert_eq!(bench.take_serial(), b"\r\n+MSUB: \"t\",1 byte,x\r\n");
    assert_eq!(bench.now() - start, Duration::from_millis(300));
}

#[test]
fn the_same_steps_give_the_same_bytes_at_the_same_times() {
    let run = || {
        let mut bench = logged_in(Pace::Real, 60);
        let mut seen = Vec::new();
        say(&mut bench, "AT+MSUB=\"t\",2");
        for round in 0..20_u8 {
            bench.publish("t", &[b'a' + round; 300], QoS::ExactlyOnce, false);
            bench.type_bytes(b"AT+MPUB=\"t\",2,0,\"x\"\r");
            if round == 10 {
                break_it(&mut bench, "tcp-drop");
            }
            for _ in 0..40 {
                bench.step();
                seen.push((bench.now(), bench.take_serial()));
            }
        }
        seen
    };
    assert_eq!(run(), run());
}
