//! What is credited to what: late, lost and second answers, answers that look like reports, and any slicing.

// clippy.toml allows unwrap in test functions; these helpers are called by nothing else.
#![allow(clippy::unwrap_used)]

use driver::{CommandFailure, Driver, Event, Memory, Options, Outcome, QoS, Refusal};
use instant::Instant;
use std::time::Duration;

/// A driver whose other end is the test.
struct Line {
    driver: Driver<'static>,
    now: Instant,
    events: Vec<String>,
}

impl Line {
    fn new(model: &str) -> Self {
        let memory = Memory {
            line: Box::leak(Box::new([0; 8192])),
            command: Box::leak(Box::new([0; 512])),
            outbox: Box::leak(Box::new([0; 2048])),
            topics: Box::leak(Box::new([0; 256])),
        };
        let model = dialect::Model::by_name(model).unwrap();
        Self {
            driver: Driver::new(model, memory, 7),
            now: Instant::ZERO,
            events: Vec::new(),
        }
    }

    /// What is typed now.
    fn typed(&mut self) -> String {
        let mut typed = Vec::new();
        while let Some(bytes) = self.driver.poll_transmit() {
            typed.extend_from_slice(bytes);
            let count = bytes.len();
            self.driver.transmitted(self.now, count);
        }
        String::from_utf8(typed).unwrap()
    }

    fn wait(&mut self, span: Duration) {
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

    fn say(&mut self, bytes: &str) {
        let mut rest = bytes.as_bytes();
        while !rest.is_empty() {
            let taken = self.driver.receive(self.now, rest);
            rest = &rest[taken..];
            self.drain();
        }
    }

    fn drain(&mut self) {
        while let Some(event) = self.driver.poll_event() {
            self.events.push(match event {
                Event::Message(message) => format!(
                    "message {} {}",
                    message.topic.escape_ascii(),
                    message.payload.escape_ascii()
                ),
                Event::Line(line) => format!("line {}", line.escape_ascii()),
                other => format!("{other:?}"),
            });
        }
    }

    fn events(&mut self) -> Vec<String> {
        std::mem::take(&mut self.events)
    }

    /// Answers what is typed until the driver is connected: `OK`, or what stands in the table.
    fn answer(&mut self, table: &[(&str, &str)]) {
        self.answer_until(table, "\n");
    }

    /// The same until this is typed, which is not answered.
    fn answer_until(&mut self, table: &[(&str, &str)], end: &str) {
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
            if line.starts_with(end) {
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

const EC20: &[(&str, &str)] = &[
    ("AT+IPR?", "\r\n+IPR: 115200\r\n\r\nOK\r\n"),
    ("AT+CPIN?", "\r\n+CPIN: READY\r\n\r\nOK\r\n"),
    ("AT+CEREG?", "\r\n+CEREG: 0,1\r\n\r\nOK\r\n"),
    ("AT+CGATT?", "\r\n+CGATT: 1\r\n\r\nOK\r\n"),
    ("AT+QMTCLOSE", "\r\nERROR\r\n"),
    ("AT+QIACT?", "\r\n+QIACT: 1,1,1,\"10.0.0.1\"\r\n\r\nOK\r\n"),
    ("AT+QMTOPEN", "\r\nOK\r\n\r\n+QMTOPEN: 0,0\r\n"),
    ("AT+QMTCONN=", "\r\nOK\r\n\r\n+QMTCONN: 0,0,0\r\n"),
];

fn connected() -> Line {
    let mut line = Line::new("ec20");
    let options = Options {
        host: "broker.test",
        client_id: "dev1",
        ..Options::default()
    };
    line.driver.connect(line.now, options).unwrap();
    line.answer(EC20);
    assert_eq!(line.events(), ["Connected"]);
    line
}

fn run(line: &mut Line, command: &str) {
    let patience = Duration::from_secs(5);
    line.driver.command(line.now, command, patience).unwrap();
    assert_eq!(line.typed().trim_end(), command);
}

#[test]
fn late_ok_is_not_credited_to_the_next_command() {
    let mut line = Line::new("ec20");
    run(&mut line, "AT+COPS=0");
    line.wait(Duration::from_millis(5020));
    assert_eq!(line.events(), ["Done(Err(TimedOut))"]);
    // Nothing of the caller's is typed before the module is understood again.
    let refused = line
        .driver
        .command(line.now, "AT+CFUN=0", Duration::from_secs(5));
    assert_eq!(refused, Err(driver::CommandError::Busy));
    assert_eq!(line.typed(), "AT+IPR?\r");
    line.say("\r\nOK\r\n"); // the late one
    line.say("\r\n+IPR: 115200\r\n\r\nOK\r\n");
    line.wait(Duration::from_millis(300));
    assert_eq!(line.driver.stats().stray_results, 1);
    run(&mut line, "AT+CFUN=0");
    assert_eq!(line.events(), Vec::<String>::new());
    line.say("\r\nERROR\r\n");
    assert_eq!(line.events(), ["Done(Err(Refused(None)))"]);
}

#[test]
fn answers_to_several_questions_are_waited_for() {
    let mut line = Line::new("ec20");
    run(&mut line, "AT+COPS=?");
    line.wait(Duration::from_millis(5020));
    assert_eq!(line.typed(), "AT+IPR?\r");
    line.wait(Duration::from_secs(1));
    assert_eq!(line.typed(), "AT+IPR?\r");
    // Both at once, after the late one.
    line.say("\r\nERROR\r\n\r\n+IPR: 115200\r\n\r\nOK\r\n");
    line.say("\r\n+IPR: 115200\r\n\r\nOK\r\n");
    line.wait(Duration::from_millis(300));
    run(&mut line, "AT+CFUN?");
    line.say("\r\n+CFUN: 1\r\n\r\nOK\r\n");
    assert_eq!(
        line.events(),
        ["Done(Err(TimedOut))", "line +CFUN: 1", "Done(Ok(()))"]
    );
}

#[test]
fn a_second_ok_is_credited_to_nothing() {
    let mut line = Line::new("ec20");
    run(&mut line, "AT+CFUN=1");
    line.say("\r\nOK\r\n\r\nOK\r\n");
    assert_eq!(line.events(), ["Done(Ok(()))"]);
    assert_eq!(line.driver.stats().stray_results, 1);
    let early = line
        .driver
        .command(line.now, "AT+CFUN=0", Duration::from_secs(5));
    assert_eq!(early, Err(driver::CommandError::Busy));
}

#[test]
fn a_module_that_never_answers_is_said_to_be_silent() {
    let mut line = Line::new("ec20");
    let options = Options {
        host: "broker.test",
        client_id: "dev1",
        reset_pin: true,
        ..Options::default()
    };
    line.driver.connect(line.now, options).unwrap();
    for wait in [1, 2, 4, 8, 8, 8, 8, 8] {
        assert_eq!(line.typed(), "AT+IPR?\r");
        line.wait(Duration::from_secs(wait));
    }
    assert_eq!(line.now, Instant::from_millis(47_000));
    let events = line.events();
    assert!(events[0].starts_with("Recovering(Recovery { rung: Reset, attempt: 1, why: Silent"));
    line.wait(Duration::from_secs(10));
    assert!(line.events().contains(&"Reset".to_string()));
}

#[test]
fn an_unsolicited_creg_is_not_the_answer_to_creg() {
    let mut line = Line::new("ec20");
    run(&mut line, "AT+CREG?");
    line.say("\r\n+CREG: 5\r\n");
    assert_eq!(line.events(), Vec::<String>::new());
    line.say("\r\n+CREG: 1,1\r\n\r\nOK\r\n");
    assert_eq!(line.events(), ["line +CREG: 1,1", "Done(Ok(()))"]);

    line.wait(Duration::from_millis(20));
    line.driver
        .query(line.now, driver::Query::Registration)
        .unwrap();
    assert_eq!(line.typed(), "AT+CEREG?\r");
    line.say("\r\n+CEREG: 2\r\n\r\n+CEREG: 0,5\r\n\r\nOK\r\n");
    assert_eq!(line.events(), ["Answer(Registration, Registration(5))"]);
}

#[test]
fn a_report_inside_an_answer_is_a_report() {
    let mut line = connected();
    line.driver.query(line.now, driver::Query::Signal).unwrap();
    line.wait(Duration::from_millis(20));
    assert_eq!(line.typed(), "AT+CSQ\r");
    line.say("\r\n+QMTRECV: 0,0,\"t\",9,\"\r\nOK\r\n+CS\"\r\n\r\n+CSQ: 24,0\r\n\r\nOK\r\n");
    assert_eq!(
        line.events(),
        [r"message t \r\nOK\r\n+CS", "Answer(Signal, Signal(24))"]
    );
}

#[test]
fn echo_makes_no_difference() {
    for echo in ["", "AT+CSQ\r"] {
        let mut line = connected();
        line.driver.query(line.now, driver::Query::Signal).unwrap();
        line.wait(Duration::from_millis(20));
        line.typed();
        line.say(&format!("{echo}\r\n+CSQ: 9,99\r\n\r\nOK\r\n"));
        assert_eq!(line.events(), ["Answer(Signal, Signal(9))"]);
        assert_eq!(line.driver.stats().unknown_lines, 0);
    }
}

#[test]
fn an_acknowledgement_of_another_packet_is_not_taken() {
    let mut line = connected();
    let publish = |line: &mut Line, payload: &[u8]| {
        line.driver
            .publish(line.now, "t", payload, QoS::AtLeastOnce, false)
            .unwrap();
        line.wait(Duration::from_millis(20));
        let typed = line.typed();
        line.say("\r\n> ");
        assert_eq!(line.typed().as_bytes(), payload);
        line.say("\r\nOK\r\n");
        typed.split(',').nth(1).unwrap().to_string()
    };
    let first = publish(&mut line, b"one");
    line.say(&format!("\r\n+QMTPUBEX: 0,{first},0\r\n"));
    assert_eq!(line.events(), ["Published(Token(1), Delivered)"]);
    let second = publish(&mut line, b"two");
    assert_ne!(first, second);
    line.say(&format!("\r\n+QMTPUBEX: 0,{first},0\r\n"));
    assert_eq!(line.events(), Vec::<String>::new());
    line.say(&format!("\r\n+QMTPUBEX: 0,{second},0\r\n"));
    assert_eq!(line.events(), ["Published(Token(2), Delivered)"]);
}

#[test]
fn a_message_whose_link_is_lost_is_unknown_and_can_be_sent_again() {
    let mut line = connected();
    line.driver
        .publish(line.now, "t", b"precious", QoS::AtLeastOnce, false)
        .unwrap();
    line.wait(Duration::from_millis(20));
    line.typed();
    line.say("\r\n> ");
    line.typed();
    line.say("\r\nOK\r\n\r\n+QMTSTAT: 0,1\r\n");
    let events = line.events();
    assert_eq!(events[0], "Lost(Closed)");
    assert_eq!(events[1], "Published(Token(1), Unknown)");
    assert!(events[2].starts_with("Recovering(Recovery { rung: Reopen, attempt: 1, why: Closed"));
    assert_eq!(
        line.driver.republish(line.now),
        Err(driver::PublishError::NotConnected)
    );
    line.answer(EC20);
    assert_eq!(line.events(), ["Recovered"]);
    line.driver.republish(line.now).unwrap();
    line.wait(Duration::from_millis(20));
    assert!(line.typed().starts_with("AT+QMTPUBEX=0,2,1,0,\"t\",8"));
}

#[test]
fn a_message_that_was_not_typed_is_refused_when_the_link_is_lost() {
    let mut line = connected();
    line.driver.query(line.now, driver::Query::Signal).unwrap();
    line.wait(Duration::from_millis(20));
    line.typed();
    line.driver
        .publish(line.now, "t", b"x", QoS::AtLeastOnce, false)
        .unwrap();
    line.say("\r\n+QMTSTAT: 0,1\r\n");
    let refused = Outcome::Refused(Refusal::NotConnected);
    assert!(
        line.events()
            .contains(&format!("Published(Token(1), {refused:?})"))
    );
}

#[test]
fn nothing_is_typed_at_a_module_that_may_wait_for_data() {
    let mut line = connected();
    line.driver
        .publish(line.now, "t", b"hello", QoS::AtLeastOnce, false)
        .unwrap();
    line.wait(Duration::from_millis(20));
    assert!(line.typed().starts_with("AT+QMTPUBEX"));
    // The prompt is lost on the line.
    line.wait(Duration::from_secs(100));
    assert_eq!(line.typed(), "");
    assert_eq!(line.events(), ["Published(Token(1), Unknown)"]);
    line.wait(Duration::from_secs(10));
    assert_eq!(line.typed(), "AT+IPR?\r");
}

#[test]
fn a_reply_of_4_kib_costs_the_same_byte_by_byte() {
    let payload = ">\r\nOK\r\n+CSQ: 1,1\r\n".repeat(256);
    assert!(payload.len() > 4096);
    let report = format!(
        "\r\n+QMTRECV: 0,0,\"t\",{},\"{payload}\"\r\n",
        payload.len()
    );
    let mut line = connected();
    for at in 0..report.len() {
        line.say(&report[at..=at]);
    }
    let expected = format!("message t {}", payload.as_bytes().escape_ascii());
    assert_eq!(line.events().as_slice(), std::slice::from_ref(&expected));
    line.say(&report);
    assert_eq!(line.events(), [expected]);
    assert_eq!(line.driver.stats().unknown_lines, 0);
}

const BC26: &[(&str, &str)] = &[
    ("AT+QMTCFG=\"dataformat\",0,", "\r\nOK\r\n"),
    (
        "AT+QMTCFG=\"dataformat\",0",
        "\r\n+QMTCFG: \"dataformat\",0,1\r\n\r\nOK\r\n",
    ),
];

/// A byte of `AT+QMTCFG="dataformat",0,0,1` was lost on the line, and `…,0,0,` is as good to the module: it reported messages as
/// they are. `hello` was given up as damaged, and so was every message after it; `00ff` came out as two bytes.
#[test]
fn a_setting_that_decides_what_bytes_mean_is_read_back() {
    let table = [BC26, EC20].concat();
    let mut line = Line::new("bc26");
    let options = Options {
        host: "broker.test",
        client_id: "dev1",
        ..Options::default()
    };
    line.driver.connect(line.now, options).unwrap();
    line.answer_until(&table, "AT+QMTCFG=\"dataformat\",0,0,1");
    line.say("\r\nOK\r\n");
    line.wait(Duration::from_millis(20));
    assert_eq!(line.typed(), "AT+QMTCFG=\"dataformat\",0\r");
    line.say("\r\n+QMTCFG: \"dataformat\",0,0\r\n\r\nOK\r\n");
    let events = line.events();
    assert!(events[0].contains("rung: Reopen, attempt: 1, why: Configuration"));
    line.answer(&table);
    assert_eq!(line.events(), ["Connected"]);

    line.say("\r\n+QMTRECV: 0,0,\"t\",\"00FF\"\r\n");
    assert_eq!(line.events(), [r"message t \x00\xff"]);
    // It started anew, say, and nobody heard of it.
    line.say("\r\n+QMTRECV: 0,0,\"t\",\"hello\"\r\n");
    assert_eq!(line.events()[..2], ["Damaged(25)", "Lost(Configuration)"]);
    line.answer(&table);
    assert_eq!(line.events(), ["Recovered"]);
}

/// The same for the form in which the module takes them: a message of digits would have been published as digits.
#[test]
fn a_message_is_not_typed_in_a_form_that_the_module_did_not_confirm() {
    let table = [BC26, EC20].concat();
    let mut line = Line::new("bc26");
    let options = Options {
        host: "broker.test",
        client_id: "dev1",
        ..Options::default()
    };
    line.driver.connect(line.now, options).unwrap();
    line.answer(&table);
    line.driver
        .publish(line.now, "t", b"\x1a", QoS::AtMostOnce, false)
        .unwrap();
    for confirmed in ["0,1", "1,1"] {
        line.wait(Duration::from_millis(20));
        assert_eq!(line.typed(), "AT+QMTCFG=\"dataformat\",0,1,1\r");
        line.say("\r\nOK\r\n");
        line.wait(Duration::from_millis(20));
        assert_eq!(line.typed(), "AT+QMTCFG=\"dataformat\",0\r");
        line.say(&format!(
            "\r\n+QMTCFG: \"dataformat\",{confirmed}\r\n\r\nOK\r\n"
        ));
    }
    line.wait(Duration::from_millis(20));
    assert!(line.typed().starts_with("AT+QMTPUB="));
    line.say("\r\n> ");
    assert_eq!(line.typed(), "1A\x1a");
    // A message that is no digits puts it in doubt: once by noise, twice by the setting.
    line.say("\r\nOK\r\n\r\n+QMTPUB: 0,0,0\r\n");
    line.events();
    line.say("\r\n+QMTRECV: 0,0,\"t\",\"0G\"\r\n");
    assert_eq!(line.events(), ["Damaged(22)"]);
    line.say("\r\n+QMTRECV: 0,0,\"t\",\"0G\"\r\n");
    assert_eq!(line.events()[..2], ["Damaged(22)", "Lost(Configuration)"]);
}

#[test]
fn a_restart_ends_what_runs() {
    let mut line = Line::new("ec20");
    run(&mut line, "AT+QPING=1,\"x\"");
    line.say("\r\nRDY\r\n");
    assert_eq!(
        line.events(),
        [format!("Done(Err({:?}))", CommandFailure::Rebooted)]
    );
}
