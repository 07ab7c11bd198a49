//! What is done when it does not work, rung by rung, at a module whose every word is the test's.

mod common;

use common::{Line, OPTIONS, answers};
use driver::{Apn, Options, Query, Tls};
use std::time::Duration;

const OK: &str = "\r\nOK\r\n";

/// How often a command was typed while `span` passed, at a module that answers as the tables say, the first that fits.
fn count(line: &mut Line, span: Duration, tables: &[&[(&str, &str)]], command: &str) -> usize {
    let end = line.now + span;
    let mut found = 0;
    while line.now < end {
        line.wait(Duration::from_secs(1));
        let typed = line.typed();
        for typed in typed.split_terminator('\r') {
            found += usize::from(typed.starts_with(command));
            let mut rows = tables.iter().flat_map(|table| table.iter());
            let said = rows.find(|(command, _)| typed.starts_with(command));
            line.say(said.map_or(OK, |(_, said)| said));
        }
    }
    found
}

/// What was climbed, without the waits.
fn rungs(line: &mut Line) -> Vec<String> {
    let events = line.events();
    let recovering = events.iter().filter_map(|event| {
        let (rung, _) = event.split_once(", wait: ")?;
        rung.strip_prefix("Recovering(Recovery { ")
            .map(String::from)
    });
    recovering.collect()
}

/// It connected without the authority, and so to anybody who answered.
#[test]
fn a_module_that_takes_no_certificate_is_not_connected() {
    let mut line = Line::new("ec20");
    let options = Options {
        tls: Some(Tls {
            ca: Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
            identity: None,
            dates: true,
        }),
        ..OPTIONS
    };
    line.driver.connect(line.now, options).unwrap();
    let table = [("AT+QFLST", OK), ("AT+QFUPL", "\r\n+CME ERROR: 403\r\n")];
    let tables = [&table[..], answers("ec20")];
    let opened = count(&mut line, Duration::from_secs(1200), &tables, "AT+QMTOPEN");
    assert_eq!(opened, 0);
    let climbed = rungs(&mut line);
    assert_eq!(climbed[0], "rung: Reopen, attempt: 1, why: Configuration");
    assert!(
        climbed.contains(&"rung: Reset, attempt: 1, why: Configuration".into()),
        "{climbed:?}"
    );
}

#[test]
fn a_module_that_takes_no_access_point_is_not_connected() {
    let mut line = Line::new("ec20");
    let apn = Apn {
        name: "iot.example",
        username: "",
        password: "",
    };
    let options = Options {
        apn: Some(apn),
        ..OPTIONS
    };
    line.driver.connect(line.now, options).unwrap();
    let tables = [&[("AT+QICSGP", "\r\nERROR\r\n")][..], answers("ec20")];
    let opened = count(&mut line, Duration::from_secs(1200), &tables, "AT+QMTOPEN");
    assert_eq!(opened, 0);
}

/// It was typed after each reset, and the third wrong one locks the SIM for good.
#[test]
fn a_wrong_pin_costs_one_attempt() {
    for model in ["ec20", "air780ep", "nt35e", "bc26"] {
        let mut line = Line::new(model);
        let options = Options {
            pin: Some("0000"),
            ..OPTIONS
        };
        line.driver.connect(line.now, options).unwrap();
        let table = [
            ("AT+CPIN=", "\r\n+CME ERROR: 16\r\n"),
            ("AT+CPIN?", "\r\n+CPIN: SIM PIN\r\n\r\nOK\r\n"),
        ];
        let tables = [&table[..], answers(model)];
        let typed = count(&mut line, Duration::from_secs(3600), &tables, "AT+CPIN=");
        assert_eq!(typed, 1, "{model}");
        let climbed = rungs(&mut line);
        assert_eq!(climbed[0], "rung: Reopen, attempt: 1, why: SimLocked");
        assert!(climbed.iter().all(|rung| rung.contains("Reopen")));
        // A reset of the module does not give the SIM another attempt.
        line.say("\r\nRDY\r\n");
        let typed = count(&mut line, Duration::from_secs(600), &tables, "AT+CPIN=");
        assert_eq!(typed, 0, "{model}");
    }
}

#[test]
fn a_pin_whose_answer_is_lost_is_typed_twice_at_most() {
    let mut line = Line::new("ec20");
    let options = Options {
        pin: Some("1234"),
        ..OPTIONS
    };
    line.driver.connect(line.now, options).unwrap();
    let table = [
        ("AT+CPIN=", ""),
        ("AT+CPIN?", "\r\n+CPIN: SIM PIN\r\n\r\nOK\r\n"),
    ];
    let tables = [&table[..], answers("ec20")];
    let typed = count(&mut line, Duration::from_secs(3600), &tables, "AT+CPIN=");
    assert_eq!(typed, 2);
}

/// After a restart it took two cycles of the radio and a reset before the PIN was typed.
#[test]
fn a_pin_that_was_taken_is_typed_again_after_a_restart() {
    let mut line = Line::new("ec20");
    let options = Options {
        pin: Some("1234"),
        ..OPTIONS
    };
    line.driver.connect(line.now, options).unwrap();
    let locked = ("AT+CPIN?", "\r\n+CPIN: SIM PIN\r\n\r\nOK\r\n");
    for round in 0..2 {
        line.answer_until(&[&[locked], answers("ec20")].concat(), "AT+CPIN=\"1234\"");
        line.say(OK);
        line.answer(answers("ec20"));
        assert!(line.driver.is_connected(), "round {round}");
        let climbed = rungs(&mut line);
        assert_eq!(climbed.len(), round);
        line.say("\r\nRDY\r\n");
    }
}

#[test]
fn a_sim_that_wants_its_puk_is_not_reset() {
    let mut line = Line::new("ec20");
    let options = Options {
        reset_pin: true,
        ..OPTIONS
    };
    line.driver.connect(line.now, options).unwrap();
    let puk = [("AT+CPIN?", "\r\n+CPIN: SIM PUK\r\n\r\nOK\r\n")];
    let tables = [&puk[..], answers("ec20")];
    count(&mut line, Duration::from_secs(3600), &tables, "AT");
    let climbed = rungs(&mut line);
    assert!(climbed.len() > 10);
    let allowed = |rung: &String| rung.contains("Reopen") && rung.ends_with("why: SimLocked");
    assert!(climbed.iter().all(allowed), "{climbed:?}");
}

/// Each attempt of a device with a wrong password pulled the reset pin, when it had been silent before.
#[test]
fn a_refused_login_climbs_no_further() {
    let mut line = Line::new("ec20");
    let options = Options {
        reset_pin: true,
        ..OPTIONS
    };
    line.driver.connect(line.now, options).unwrap();
    // Nobody answers the first eight questions.
    line.wait(Duration::from_secs(1));
    while rungs(&mut line).is_empty() {
        line.typed();
        line.wait(Duration::from_secs(10));
    }
    let refused = [("AT+QMTCONN=", "\r\nOK\r\n\r\n+QMTCONN: 0,0,5\r\n")];
    let tables = [&refused[..], answers("ec20")];
    count(&mut line, Duration::from_secs(1800), &tables, "AT");
    let climbed = rungs(&mut line);
    let refused = climbed.iter().filter(|rung| rung.contains("Refused(5)"));
    let refused: Vec<_> = refused.collect();
    assert!(refused.len() > 10);
    assert!(
        refused.iter().all(|rung| rung.contains("Reopen")),
        "{climbed:?}"
    );
}

/// `OK` without its line told of a lost connection, which the module had not said: the line may have been lost. Twice it says so.
#[test]
fn a_status_without_its_line_loses_no_connection() {
    let mut line = Line::connected("ec20");
    let state = "\r\n+QMTCONN: 0,3\r\n\r\nOK\r\n";
    for said in [OK, state, OK, state] {
        line.types("AT+QMTCONN?\r");
        line.say(said);
        assert_eq!(line.events(), [""; 0]);
    }
    let tables = [&[("AT+QMTCONN?", OK)][..]];
    count(&mut line, Duration::from_secs(65), &tables, "AT");
    assert_eq!(line.events()[0], "Lost(NotConnected)");
}

#[test]
fn a_connection_that_closes_while_it_waits_to_subscribe_is_opened_again() {
    let mut line = Line::connected("ec20");
    line.driver
        .subscribe(line.now, "t", driver::QoS::AtLeastOnce)
        .unwrap();
    line.types("AT+QMTSUB=0,1,\"t\",1\r");
    line.say(OK);
    line.wait(Duration::from_secs(45));
    let climbed = rungs(&mut line);
    assert_eq!(climbed, ["rung: Resubscribe, attempt: 1, why: Unanswered"]);
    line.say("\r\n+QMTSTAT: 0,1\r\n");
    assert_eq!(rungs(&mut line), ["rung: Reopen, attempt: 1, why: Closed"]);
}

/// The driver waited for a set-up that nobody wanted any more, and answered no question.
#[test]
fn a_restart_before_the_end_does_not_silence_the_driver() {
    let mut line = Line::connected("ec20");
    line.say("\r\nRDY\r\n");
    line.driver.disconnect(line.now);
    let tables = [answers("ec20")];
    count(&mut line, Duration::from_secs(60), &tables, "AT");
    assert_eq!(line.events().last().unwrap(), "Disconnected");
    line.ask(Query::Signal, "AT+CSQ");
    line.say("\r\n+CSQ: 24,0\r\n\r\nOK\r\n");
    assert_eq!(line.events(), ["Answer(Signal, Signal(24))"]);
}

/// An NT35E was subscribed with each minute anew, and got each minute what the broker has retained.
#[test]
fn a_healthy_nt35e_is_left_alone_and_a_noisy_one_subscribed_again() {
    let mut line = Line::new("nt35e");
    line.driver.connect(line.now, OPTIONS).unwrap();
    line.driver
        .subscribe(line.now, "t", driver::QoS::AtLeastOnce)
        .unwrap();
    let answers = answers("nt35e");
    let table = [("AT+ECMTSUB=0,1,", "\r\nOK\r\n\r\n+ECMTSUB: 0,1,0,1\r\n")];
    let later: Vec<_> = (2..9)
        .map(|id| {
            let said = format!("\r\nOK\r\n\r\n+ECMTSUB: 0,{id},0,1\r\n");
            (format!("AT+ECMTSUB=0,{id},"), said)
        })
        .collect();
    let later: Vec<_> = later
        .iter()
        .map(|(a, b)| (a.as_str(), b.as_str()))
        .collect();
    line.answer(&[&table[..], answers].concat());
    let tables = [&later[..], answers];
    let minutes = |n: u64| Duration::from_secs(60 * n);
    assert_eq!(count(&mut line, minutes(7), &tables, "AT+ECMTSUB"), 0);
    assert_eq!(count(&mut line, minutes(2), &tables, "AT+ECMTSUB"), 1);
    line.say("\r\n+ECMTST\r\n");
    assert_eq!(count(&mut line, minutes(2), &tables, "AT+ECMTSUB"), 1);
}
