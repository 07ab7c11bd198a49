//! What is credited to what: late, lost and second answers, answers that look like reports, and any slicing.
//!
//! First the three that a driver gets wrong most: a late `OK`, a `+CREG` that is solicited and one that is not, a reply of 4 KiB byte
//! by byte. Each is asked of each family where the families differ.

// clippy.toml allows unwrap in test functions; these helpers are called by nothing else.
#![allow(clippy::unwrap_used)]

mod common;

use common::Line;
use driver::{CommandFailure, Options, Outcome, QoS, Query, Refusal, Stats};
use instant::Instant;
use std::time::Duration;

/// How a family says what the tests need.
struct Words {
    model: &'static str,
    line_end: &'static str,
    /// What is asked to find out what the module hears, and its answer without `OK`.
    probe: (&'static str, &'static str),
    /// The question for the signal, and two answers to it without `OK`, with what they come to.
    signal: (&'static str, [(&'static str, i16); 2]),
    /// How a subscription to `t` begins, `#` for its identifier, and what follows its `OK`.
    subscribe: (&'static str, &'static str),
    /// The same of a message of 5 bytes with QoS 1, which the prompt precedes.
    publish: (&'static str, &'static str),
    /// The prompt, with what precedes it.
    prompt: &'static str,
    /// What ends the data.
    data_end: &'static str,
    /// What precedes the report of a message that was sent.
    published: &'static str,
}

const CELLULAR: Words = Words {
    model: "ec20",
    line_end: "\r",
    probe: ("AT+IPR?", "\r\n+IPR: 115200\r\n"),
    signal: (
        "AT+CSQ",
        [("\r\n+CSQ: 24,0\r\n", 24), ("\r\n+CSQ: 9,99\r\n", 9)],
    ),
    subscribe: ("AT+QMTSUB=0,#,\"t\",1", "\r\n+QMTSUB: 0,#,0,1\r\n"),
    publish: ("AT+QMTPUBEX=0,#,1,0,\"t\",5", "\r\n+QMTPUBEX: 0,#,0\r\n"),
    prompt: "\r\n> ",
    data_end: "",
    published: OK,
};

const FAMILIES: &[Words] = &[
    CELLULAR,
    Words {
        model: "bc26",
        publish: ("AT+QMTPUB=0,#,1,0,\"t\"", "\r\n+QMTPUB: 0,#,0\r\n"),
        data_end: "\x1a",
        ..CELLULAR
    },
    Words {
        model: "nt35e",
        subscribe: ("AT+ECMTSUB=0,#,\"t\",1", "\r\n+ECMTSUB: 0,#,0,1\r\n"),
        publish: ("AT+ECMTPUB=0,#,1,0,\"t\"", "\r\n+ECMTPUB: 0,#,0\r\n"),
        data_end: "\x1a",
        ..CELLULAR
    },
    Words {
        model: "air780ep",
        subscribe: ("AT+MSUB=\"t\",1", "\r\nSUBACK\r\n"),
        publish: ("AT+MPUBEX=\"t\",1,0,5", "\r\nPUBACK\r\n"),
        prompt: ">",
        ..CELLULAR
    },
    Words {
        model: "esp8266",
        line_end: "\r\n",
        probe: ("AT+UART_CUR?", "+UART_CUR:115200,8,1,0,0\r\n"),
        signal: (
            "AT+CWJAP?",
            [
                (
                    "+CWJAP:\"home\",\"02:00:00:00:00:01\",6,-51,0,1,3,0,1\r\n",
                    -51,
                ),
                (
                    "+CWJAP:\"home\",\"02:00:00:00:00:01\",6,-80,0,1,3,0,1\r\n",
                    -80,
                ),
            ],
        ),
        subscribe: ("AT+MQTTSUB=0,\"t\",1", ""),
        publish: ("AT+MQTTPUBRAW=0,\"t\",5,1,0", "+MQTTPUB:OK\r\n"),
        prompt: "\r\nOK\r\n\r\n>",
        data_end: "",
        published: "",
    },
];

const OK: &str = "\r\nOK\r\n";
const ERROR: &str = "\r\nERROR\r\n";
const NOTHING: [&str; 0] = [];

impl Words {
    /// Have its acknowledgements no identifier?
    fn is_anonymous(&self) -> bool {
        !self.subscribe.1.contains('#') && !self.subscribe.1.is_empty()
    }

    fn line(&self, text: &str, id: u16) -> String {
        format!("{}{}", numbered(text, id), self.line_end)
    }

    /// The module is asked what it hears, and answers `late` first.
    #[track_caller]
    fn resync(&self, line: &mut Line, late: &str) {
        line.types(&self.line(self.probe.0, 0));
        line.say(late);
        line.say(self.probe.1);
        line.say(OK);
    }

    /// Publishes and types it all, up to the answer that is due; returns the packet's identifier.
    #[track_caller]
    fn publish(&self, line: &mut Line, id: u16, payload: &str) {
        line.driver
            .publish(line.now, "t", payload.as_bytes(), QoS::AtLeastOnce, false)
            .unwrap();
        if self.model == "bc26" && id == 1 {
            line.types("AT+QMTCFG=\"dataformat\",0,0,1\r");
            line.say(OK);
            line.types("AT+QMTCFG=\"dataformat\",0\r");
            line.say("\r\n+QMTCFG: \"dataformat\",0,1\r\n\r\nOK\r\n");
        }
        line.types(&self.line(self.publish.0, id));
        line.say(self.prompt);
        line.types(&format!("{payload}{}", self.data_end));
    }
}

fn numbered(text: &str, id: u16) -> String {
    text.replace('#', &id.to_string())
}

/// Stats since the login.
fn since(before: Stats, line: &Line) -> Stats {
    let after = line.stray();
    Stats {
        stray_results: after.stray_results - before.stray_results,
        unknown_lines: after.unknown_lines - before.unknown_lines,
        damaged_bytes: after.damaged_bytes - before.damaged_bytes,
        timeouts: after.timeouts - before.timeouts,
        resyncs: after.resyncs - before.resyncs,
    }
}

fn on_each_family(test: impl Fn(&Words, Line)) {
    for words in FAMILIES {
        println!("{}", words.model);
        test(words, Line::connected(words.model));
    }
}

// --- A late OK ---

#[test]
fn late_result_of_a_command_is_not_credited_to_the_next_command() {
    for late in [OK, ERROR, "\r\n+CME ERROR: 3\r\n"] {
        on_each_family(|words, mut line| {
            let before = line.stray();
            line.run("AT+ONE");
            line.wait(Duration::from_secs(5));
            assert_eq!(line.events(), ["Done(Err(TimedOut))"]);
            words.resync(&mut line, late);
            line.wait(Duration::from_millis(300));
            line.run("AT+TWO");
            assert_eq!(line.events(), NOTHING);
            line.say("\r\n+CME ERROR: 4\r\n");
            assert_eq!(line.events(), ["Done(Err(Refused(Some(4))))"]);
            let expected = Stats {
                stray_results: 1,
                timeouts: 1,
                resyncs: 1,
                ..Stats::default()
            };
            assert_eq!(since(before, &line), expected);
        });
    }
}

#[test]
fn late_answer_to_a_question_is_not_credited_to_the_same_question_later() {
    on_each_family(|words, mut line| {
        let before = line.stray();
        let (question, [(first, _), (second, value)]) = words.signal;
        line.ask(Query::Signal, question);
        line.wait(Duration::from_secs(5));
        assert_eq!(line.events(), ["Unanswered(Signal)"]);
        // Asked again at once: it waits until the module is understood.
        line.driver.query(line.now, Query::Signal).unwrap();
        words.resync(&mut line, &format!("{first}{OK}"));
        assert_eq!(line.typed(), "");
        line.types(&words.line(question, 0));
        line.say(second);
        line.say(OK);
        assert_eq!(line.events(), [format!("Answer(Signal, Signal({value}))")]);
        let expected = Stats {
            stray_results: 1,
            unknown_lines: 1,
            timeouts: 1,
            resyncs: 1,
            ..Stats::default()
        };
        assert_eq!(since(before, &line), expected);
    });
}

#[test]
fn late_ok_of_a_subscription_is_not_credited_to_the_next_one() {
    on_each_family(|words, mut line| {
        let before = line.stray();
        let (command, report) = words.subscribe;
        line.driver
            .subscribe(line.now, "t", QoS::AtLeastOnce)
            .unwrap();
        line.types(&words.line(command, 1));
        line.wait(Duration::from_secs(46));
        words.resync(&mut line, &format!("{OK}{}", numbered(report, 1)));
        if words.is_anonymous() {
            // The next acknowledgement could be the first one's: another session.
            assert_eq!(line.events()[0], "Lost(Unanswered)");
            line.types("AT+MIPCLOSE\r");
            return;
        }
        assert_eq!(line.events(), NOTHING);
        // To subscribe twice does no harm.
        line.types(&words.line(command, 2));
        assert_eq!(line.events(), NOTHING);
        line.say(OK);
        line.say(numbered(report, 2));
        assert_eq!(line.events(), ["Subscribed(Token(1), Ok(()))"]);
        let expected = Stats {
            stray_results: 1,
            timeouts: 1,
            resyncs: 1,
            ..Stats::default()
        };
        assert_eq!(since(before, &line), expected);
    });
}

#[test]
fn late_ok_of_a_message_is_not_credited_to_the_next_one() {
    on_each_family(|words, mut line| {
        // The ESP8266 has no final result behind the data.
        if words.published.is_empty() {
            return;
        }
        let before = line.stray();
        words.publish(&mut line, 1, "hello");
        line.wait(Duration::from_secs(5));
        let events = line.events();
        assert_eq!(events[0], "Published(Token(1), Unknown)");
        // Nothing is typed while the module may wait for data.
        line.say(words.published);
        line.say(numbered(words.publish.1, 1));
        assert_eq!(line.events(), NOTHING);
        line.wait(Duration::from_secs(59));
        assert_eq!(line.typed(), "");
        words.resync(&mut line, "");
        if words.is_anonymous() {
            assert_eq!(events[1], "Lost(Unanswered)");
            line.types("AT+MIPCLOSE\r");
            return;
        }
        assert_eq!(events.len(), 1);
        words.publish(&mut line, 2, "again");
        line.say(OK);
        assert_eq!(line.events(), NOTHING);
        line.say(numbered(words.publish.1, 2));
        assert_eq!(line.events(), ["Published(Token(2), Delivered)"]);
        let expected = Stats {
            stray_results: 1,
            timeouts: 1,
            resyncs: 1,
            ..Stats::default()
        };
        assert_eq!(since(before, &line), expected);
    });
}

#[test]
fn an_ok_that_is_lost_ends_its_command_and_no_other() {
    on_each_family(|words, mut line| {
        let before = line.stray();
        line.run("AT+ONE");
        line.wait(Duration::from_secs(5));
        words.resync(&mut line, "");
        line.wait(Duration::from_millis(300));
        assert_eq!(line.events(), ["Done(Err(TimedOut))"]);
        line.run("AT+TWO");
        line.say(OK);
        assert_eq!(line.events(), ["Done(Ok(()))"]);
        let expected = Stats {
            timeouts: 1,
            resyncs: 1,
            ..Stats::default()
        };
        assert_eq!(since(before, &line), expected);
    });
}

#[test]
fn an_ok_that_comes_twice_is_credited_once() {
    on_each_family(|_, mut line| {
        let before = line.stray();
        line.run("AT+ONE");
        line.say(format!("{OK}{OK}"));
        assert_eq!(line.events(), ["Done(Ok(()))"]);
        // The gap: nothing is typed into which a third could fall.
        let patience = Duration::from_secs(5);
        line.driver.command(line.now, "AT+TWO", patience).unwrap();
        assert_eq!(
            line.driver.command(line.now, "AT+THREE", patience),
            Err(driver::CommandError::Busy)
        );
        assert_eq!(line.typed(), "");
        line.say(OK);
        assert_eq!(line.events(), NOTHING);
        line.wait(Duration::from_millis(20));
        assert_eq!(line.typed().trim_end(), "AT+TWO");
        line.say(ERROR);
        assert_eq!(line.events(), ["Done(Err(Refused(None)))"]);
        let expected = Stats {
            stray_results: 2,
            ..Stats::default()
        };
        assert_eq!(since(before, &line), expected);
    });
}

// --- A report with the name of a question ---

/// What the module says while it is asked, and whether that answers.
const QUESTIONS: &[(&str, &str, &str, bool)] = &[
    ("ec20", "AT+CREG?", "+CREG: 1", false),
    ("ec20", "AT+CREG?", "+CREG: 0,1", true),
    ("ec20", "AT+CREG?", "+CREG: 1,\"25A5\",\"0BCA5D3\"", false),
    ("ec20", "AT+CREG?", "+CREG: 5,\"25A5\",\"0BCA5D3\",7", false),
    (
        "ec20",
        "AT+CREG?",
        "+CREG: 2,1,\"25A5\",\"0BCA5D3\",7",
        true,
    ),
    ("ec20", "AT+CGREG?", "+CGREG: 2", false),
    ("ec20", "AT+CGREG?", "+CGREG: 2,2", true),
    (
        "ec20",
        "AT+CEREG?",
        "+CEREG: 1,\"1A2B\",\"01234567\",7",
        false,
    ),
    (
        "ec20",
        "AT+CEREG?",
        "+CEREG: 2,1,\"1A2B\",\"01234567\",7",
        true,
    ),
    // With what PSM negotiates, after AT+CEREG=4 or 5.
    (
        "bc26",
        "AT+CEREG?",
        "+CEREG: 1,\"1A2B\",\"01234567\",9,,,\"00000001\",\"00100100\"",
        false,
    ),
    (
        "bc26",
        "AT+CEREG?",
        "+CEREG: 5,1,\"1A2B\",\"01234567\",9,,,\"00000001\",\"00100100\"",
        true,
    ),
    ("ec20", "AT+QMTCONN?", "+QMTCONN: 0,3", true),
    ("ec20", "AT+QMTCONN?", "+QMTCONN: 0,0,0", false),
    (
        "ec20",
        "AT+QMTOPEN?",
        "+QMTOPEN: 0,\"broker.test\",1883",
        true,
    ),
    ("ec20", "AT+QMTOPEN?", "+QMTOPEN: 0,0", false),
    ("nt35e", "AT+ECMTCONN?", "+ECMTCONN:0,3", true),
    ("nt35e", "AT+ECMTCONN?", "+ECMTCONN: 0,0,0", false),
    (
        "esp8266",
        "AT+MQTTCONN?",
        "+MQTTCONN:0,4,1,\"broker.test\",\"1883\",\"\",0",
        true,
    ),
    (
        "esp8266",
        "AT+MQTTCONN?",
        "+MQTTCONNECTED:0,1,\"broker.test\",\"1883\",\"\",0",
        false,
    ),
    ("esp8266", "AT+MQTTSUB?", "+MQTTSUB:0,6,\"t\",1", true),
    ("esp8266", "AT+MQTTSUB?", "+MQTTSUBRECV:0,\"t\",2,hi", false),
    ("air780ep", "AT+MQTTSTATU", "+MQTTSTATU :1", true),
];

#[test]
fn a_report_with_the_name_of_the_question_is_not_its_answer() {
    for &(model, question, said, answers) in QUESTIONS {
        let mut line = Line::new(model);
        line.run(question);
        line.say(format!("\r\n{said}\r\n"));
        let told = line.events();
        let expected = format!("line {said}");
        assert_eq!(told.contains(&expected), answers, "{question}: {told:?}");
        line.say(OK);
        assert_eq!(line.events(), ["Done(Ok(()))"], "{question}");
    }
}

#[test]
fn a_solicited_answer_answers_nothing_when_nothing_was_asked() {
    let mut line = Line::connected("ec20");
    let before = line.stray();
    for said in [
        "+CREG: 0,1",
        "+CEREG: 2,1,\"1A2B\",\"01234567\",7",
        "+CSQ: 9,99",
    ] {
        line.say(format!("\r\n{said}\r\n"));
    }
    line.ask(Query::Registration, "AT+CEREG?");
    // Another registration, and a change of this one.
    line.say("\r\n+CREG: 0,3\r\n\r\n+CEREG: 2\r\n\r\n+CEREG: 3,\"1A2B\",\"01234567\",7\r\n");
    assert_eq!(line.events(), NOTHING);
    line.say("\r\n+CEREG: 2,5,\"1A2B\",\"01234567\",7\r\n\r\nOK\r\n");
    assert_eq!(line.events(), ["Answer(Registration, Registration(5))"]);
    let expected = Stats {
        unknown_lines: 4,
        ..Stats::default()
    };
    assert_eq!(since(before, &line), expected);
}

#[test]
fn the_state_of_a_login_is_not_its_outcome() {
    let mut line = Line::new("ec20");
    line.driver.connect(line.now, common::OPTIONS).unwrap();
    line.answer_until(common::answers("ec20"), "AT+QMTCONN=");
    line.say(OK);
    // 2 connecting, sent again, and another client's login.
    line.say("\r\n+QMTCONN: 0,3\r\n\r\n+QMTCONN: 0,1\r\n\r\n+QMTCONN: 1,0,5\r\n");
    assert_eq!(line.events(), NOTHING);
    line.say("\r\n+QMTCONN: 0,0,0\r\n");
    line.wait(Duration::from_millis(20));
    assert_eq!(line.events(), ["Connected"]);
}

#[test]
fn an_idle_module_that_is_asked_and_closes_meanwhile_is_lost_once() {
    for (model, question, closed, answer) in [
        (
            "ec20",
            "AT+QMTCONN?\r",
            "\r\n+QMTSTAT: 0,1\r\n",
            "\r\n+QMTCONN: 0,3\r\n",
        ),
        (
            "nt35e",
            "AT+ECMTCONN?\r",
            "\r\n+ECMTSTAT: 0,1\r\n",
            "\r\n+ECMTCONN:0,3\r\n",
        ),
        (
            "air780ep",
            "AT+MQTTSTATU\r",
            "\r\nCLOSED\r\n",
            "\r\n+MQTTSTATU :1\r\n",
        ),
        (
            "esp8266",
            "AT+MQTTCONN?\r\n",
            "+MQTTDISCONNECTED:0\r\n",
            "+MQTTCONN:0,4,1,\"broker.test\",\"1883\",\"\",0\r\n",
        ),
    ] {
        let mut line = Line::connected(model);
        line.types(question);
        line.say(closed);
        let events = line.events();
        assert_eq!(events[0], "Lost(Closed)");
        assert!(events[1].starts_with("Recovering(Recovery { rung: Reopen"));
        line.say(format!("{answer}{OK}"));
        assert_eq!(line.events(), NOTHING);
        assert!(!line.driver.is_connected());
    }
}

// --- 4 KiB, byte by byte ---

/// The report of a message in each family that tells its length.
fn messages() -> [(&'static str, &'static str, String); 4] {
    let payload =
        ">\r\nOK\r\n\r\n> \r\n+QMTRECV: 0,0,\"t\",1,\"x\"\r\nERROR\r\n\0\x1a\u{fc}".repeat(90);
    assert!(payload.len() > 4096);
    let len = payload.len();
    [
        (
            "ec20",
            "+QMTRECV: 0,0,\"t\",2,\"hi\"",
            format!("+QMTRECV: 0,0,\"t\",{len},\"{payload}\""),
        ),
        (
            "bg95",
            "+QMTRECV: 0,0,\"t\",2,\"hi\"",
            format!("+QMTRECV: 0,0,\"t\",{len},\"{payload}\""),
        ),
        (
            "air780ep",
            "+MSUB: \"t\",2 byte,hi",
            format!("+MSUB: \"t\",{len} byte,{payload}"),
        ),
        (
            "esp8266",
            "+MQTTSUBRECV:0,\"t\",2,hi",
            format!("+MQTTSUBRECV:0,\"t\",{len},{payload}"),
        ),
    ]
}

#[test]
fn a_message_of_4_kib_is_the_same_byte_by_byte_and_in_halves() {
    for (model, _, report) in messages() {
        let report = format!("\r\n{report}\r\n");
        let mut line = Line::connected(model);
        let before = line.stray();
        line.say(&report);
        let whole = line.events();
        assert_eq!(whole.len(), 1, "{model}: {whole:?}");
        assert!(whole[0].starts_with(r"message t >\r\nOK\r\n\r\n> \r\n+QMTRECV"));
        for byte in report.as_bytes() {
            line.say([*byte]);
        }
        assert_eq!(line.events(), whole, "{model}");
        let step = if model == "ec20" { 1 } else { 11 };
        for at in (1..report.len()).step_by(step) {
            let (first, second) = report.as_bytes().split_at(at);
            line.say(first);
            line.say(second);
            assert_eq!(line.events(), whole, "{model}, cut at {at}");
        }
        assert_eq!(line.stray(), before);
    }
}

/// An answer of 4 KiB and more, with a report in its midst and one in its last line.
#[test]
fn an_answer_of_4_kib_with_reports_inside_is_the_same_byte_by_byte_and_in_halves() {
    for (model, message, _) in messages() {
        let mut line = Line::connected(model);
        let before = line.stray();
        let mut answer = String::from("\r\n");
        let mut expected = Vec::new();
        for number in 0..150 {
            if number == 50 || number == 149 {
                answer += &format!("\r\n{message}\r\n");
                expected.push("message t hi".to_string());
            }
            let text = format!("+QFLST: \"UFS:{number:08}.pem\",{}", 1000 + number);
            answer += &format!("{text}\r\n");
            expected.push(format!("line {text}"));
        }
        answer += OK;
        assert!(answer.len() > 4096);
        expected.push("Done(Ok(()))".to_string());
        let mut ask = |chunks: &mut dyn Iterator<Item = &[u8]>| {
            line.run("AT+QFLST=\"*\"");
            for chunk in chunks {
                line.say(chunk);
            }
            assert_eq!(line.events(), expected, "{model}");
        };
        ask(&mut [answer.as_bytes()].into_iter());
        ask(&mut answer.as_bytes().chunks(1));
        for at in (1..answer.len()).step_by(7) {
            let (first, second) = answer.as_bytes().split_at(at);
            ask(&mut [first, second].into_iter());
        }
        assert_eq!(line.stray(), before);
    }
}

#[test]
fn an_answer_of_one_line_of_4_kib_is_the_same_byte_by_byte() {
    on_each_family(|_, mut line| {
        let before = line.stray();
        let text = format!("+FSREAD: {}", "0123456789abcdef".repeat(257));
        let answer = format!("\r\n{text}\r\n{OK}");
        for size in [answer.len(), 1, 2, 3, 1000] {
            line.run("AT+FSREAD");
            for chunk in answer.as_bytes().chunks(size) {
                line.say(chunk);
            }
            assert_eq!(
                line.events(),
                [format!("line {text}"), "Done(Ok(()))".to_string()]
            );
        }
        assert_eq!(line.stray(), before);
    });
}

// --- Echo ---

#[test]
fn echo_makes_no_difference() {
    on_each_family(|words, mut line| {
        let before = line.stray();
        let (question, [(answer, value), _]) = words.signal;
        for echo in [
            String::new(),
            // With the CR that was typed, with a line end, and with both.
            format!("{question}\r"),
            format!("{question}\r\n"),
            format!("{question}\r\r\n"),
        ] {
            line.ask(Query::Signal, question);
            line.say(format!("{echo}{answer}{OK}"));
            let expected = format!("Answer(Signal, Signal({value}))");
            assert_eq!(line.events(), [expected]);
            line.run(question);
            line.say(format!("{echo}{answer}{OK}"));
            let events = line.events();
            assert_eq!(events.len(), 2, "{events:?}");
            assert!(events[0].starts_with("line +"), "{events:?}");
        }
        assert_eq!(line.stray(), before);
    });
}

/// A message that is made of what the module says: each byte is typed as it is, and nothing of an echo is taken for an answer.
#[test]
fn a_message_that_looks_like_answers_is_typed_as_it_is() {
    let payload = "x\r\nOK\r\n\r\n> \r\n+QMTPUBEX: 0,1,0\r\n+MQTTPUB:OK\r\nPUBACK\r\n";
    for (model, command, prompt, echo, done, report) in [
        (
            "ec20",
            "AT+QMTPUBEX=0,1,1,0,\"t\",#\r",
            "\r\n> ",
            // With ATE1 the payload is echoed.
            true,
            OK,
            "\r\n+QMTPUBEX: 0,1,0\r\n",
        ),
        (
            "air780ep",
            "AT+MPUBEX=\"t\",1,0,#\r",
            ">",
            false,
            OK,
            "\r\nPUBACK\r\n",
        ),
        (
            "esp8266",
            "AT+MQTTPUBRAW=0,\"t\",#,1,0\r\n",
            "\r\nOK\r\n\r\n>",
            false,
            "",
            "+MQTTPUB:OK\r\n",
        ),
    ] {
        let mut line = Line::connected(model);
        line.driver
            .publish(line.now, "t", payload.as_bytes(), QoS::AtLeastOnce, false)
            .unwrap();
        line.types(&command.replace('#', &payload.len().to_string()));
        line.say(prompt);
        assert_eq!(line.typed(), payload, "{model}");
        if echo {
            line.say("x");
        }
        assert_eq!(line.events(), NOTHING, "{model}");
        line.say(done);
        assert_eq!(line.events(), NOTHING, "{model}");
        line.say(report);
        assert_eq!(line.events(), ["Published(Token(1), Delivered)"], "{model}");
    }
}

// --- What follows from a reply that does not come ---

#[test]
fn answers_to_several_questions_are_waited_for() {
    let mut line = Line::new("ec20");
    line.run("AT+COPS=?");
    line.wait(Duration::from_millis(5020));
    assert_eq!(line.typed(), "AT+IPR?\r");
    line.wait(Duration::from_secs(1));
    assert_eq!(line.typed(), "AT+IPR?\r");
    // Both at once, after the late one.
    line.say("\r\nERROR\r\n\r\n+IPR: 115200\r\n\r\nOK\r\n");
    line.say("\r\n+IPR: 115200\r\n\r\nOK\r\n");
    line.wait(Duration::from_millis(300));
    line.run("AT+CFUN?");
    line.say("\r\n+CFUN: 1\r\n\r\nOK\r\n");
    assert_eq!(
        line.events(),
        ["Done(Err(TimedOut))", "line +CFUN: 1", "Done(Ok(()))"]
    );
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
fn an_acknowledgement_of_another_packet_is_not_taken() {
    let mut line = Line::connected("ec20");
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
    line.say(format!("\r\n+QMTPUBEX: 0,{first},0\r\n"));
    assert_eq!(line.events(), ["Published(Token(1), Delivered)"]);
    let second = publish(&mut line, b"two");
    assert_ne!(first, second);
    line.say(format!("\r\n+QMTPUBEX: 0,{first},0\r\n"));
    assert_eq!(line.events(), Vec::<String>::new());
    line.say(format!("\r\n+QMTPUBEX: 0,{second},0\r\n"));
    assert_eq!(line.events(), ["Published(Token(2), Delivered)"]);
}

#[test]
fn a_message_whose_link_is_lost_is_unknown_and_can_be_sent_again() {
    let mut line = Line::connected("ec20");
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
    line.answer(common::answers("ec20"));
    assert_eq!(line.events(), ["Recovered"]);
    line.driver.republish(line.now).unwrap();
    // With its identifier, by which a broker knows a message with QoS 2 again.
    line.types("AT+QMTPUBEX=0,1,1,0,\"t\",8…");
}

#[test]
fn a_message_that_was_not_typed_is_refused_when_the_link_is_lost() {
    let mut line = Line::connected("ec20");
    line.driver.query(line.now, Query::Signal).unwrap();
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
    let mut line = Line::connected("ec20");
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

/// A byte of `AT+QMTCFG="dataformat",0,0,1` was lost on the line, and `…,0,0,` is as good to the module: it reported messages as
/// they are. `hello` was given up as damaged, and so was every message after it; `00ff` came out as two bytes.
#[test]
fn a_setting_that_decides_what_bytes_mean_is_read_back() {
    let table = common::answers("bc26");
    let mut line = Line::new("bc26");
    line.driver.connect(line.now, common::OPTIONS).unwrap();
    line.answer_until(table, "AT+QMTCFG=\"dataformat\",0,0,1");
    line.say(OK);
    line.types("AT+QMTCFG=\"dataformat\",0\r");
    line.say("\r\n+QMTCFG: \"dataformat\",0,0\r\n\r\nOK\r\n");
    let events = line.events();
    assert!(events[0].contains("rung: Reopen, attempt: 1, why: Configuration"));
    line.answer(table);
    assert_eq!(line.events(), ["Connected"]);

    line.say("\r\n+QMTRECV: 0,0,\"t\",\"00FF\"\r\n");
    assert_eq!(line.events(), [r"message t \x00\xff"]);
    // It started anew, say, and nobody heard of it.
    line.say("\r\n+QMTRECV: 0,0,\"t\",\"hello\"\r\n");
    assert_eq!(line.events()[..2], ["Damaged(25)", "Lost(Configuration)"]);
    line.answer(table);
    assert_eq!(line.events(), ["Recovered"]);
}

/// The same for the form in which the module takes them: a message of digits would have been published as digits.
#[test]
fn a_message_is_not_typed_in_a_form_that_the_module_did_not_confirm() {
    let mut line = Line::connected("bc26");
    line.driver
        .publish(line.now, "t", b"\x1a", QoS::AtMostOnce, false)
        .unwrap();
    for confirmed in ["0,1", "1,1"] {
        line.types("AT+QMTCFG=\"dataformat\",0,1,1\r");
        line.say(OK);
        line.types("AT+QMTCFG=\"dataformat\",0\r");
        line.say(format!(
            "\r\n+QMTCFG: \"dataformat\",{confirmed}\r\n\r\nOK\r\n"
        ));
    }
    line.types("AT+QMTPUB=…");
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
    line.run("AT+QPING=1,\"x\"");
    line.say("\r\nRDY\r\n");
    assert_eq!(
        line.events(),
        [format!("Done(Err({:?}))", CommandFailure::Rebooted)]
    );
}

#[test]
fn a_late_answer_to_a_question_is_no_line_of_a_bare_at() {
    let mut line = Line::new("ec20");
    line.run("AT");
    // Of a question that was given up long ago.
    line.say("\r\n+IPR: 115200\r\n");
    assert_eq!(line.events(), ["Done(Err(TimedOut))"]);
    line.say(OK);
    assert_eq!(line.events(), NOTHING);
}

#[test]
fn nothing_answers_a_command_whose_line_is_not_out() {
    let mut line = Line::connected("ec20");
    line.driver
        .publish(line.now, "t", b"x", QoS::AtMostOnce, false)
        .unwrap();
    line.wait(Duration::from_millis(20));
    // The port takes half of it.
    line.driver.transmitted(line.now, 10);
    line.say("\r\nERROR\r\n\r\n> ");
    assert_eq!(line.typed(), "X=0,0,0,0,\"t\",1\r");
    assert_eq!(line.stray().stray_results, 1);
}

/// A disconnect told the outcome of the message that was on its way, and its acknowledgement told another one.
#[test]
fn a_message_has_one_outcome_whatever_is_asked_meanwhile() {
    let mut line = Line::connected("ec20");
    line.driver
        .publish(line.now, "t", b"x", QoS::AtLeastOnce, false)
        .unwrap();
    line.types("AT+QMTPUBEX=…");
    line.driver.disconnect(line.now);
    line.say("\r\n> ");
    // The module waits for its data all the same.
    assert_eq!(line.typed(), "x");
    line.say(ERROR);
    line.types("AT+QMTDISC=0\r");
    assert_eq!(line.events(), ["Published(Token(1), Unknown)"]);
}

/// The answer to the request before took the topic out of the list, or left it subscribed to.
#[test]
fn requests_for_a_topic_that_overtake_each_other_are_all_carried_out() {
    let mut line = Line::connected("ec20");
    line.driver
        .subscribe(line.now, "t", QoS::AtMostOnce)
        .unwrap();
    line.types("AT+QMTSUB=0,1,\"t\",0\r");
    line.driver.unsubscribe(line.now, "t").unwrap();
    line.say("\r\nOK\r\n\r\n+QMTSUB: 0,1,0,0\r\n");
    line.types("AT+QMTUNS=0,2,\"t\"\r");
    line.driver
        .subscribe(line.now, "t", QoS::ExactlyOnce)
        .unwrap();
    line.say("\r\nOK\r\n\r\n+QMTUNS: 0,2,0\r\n");
    line.types("AT+QMTSUB=0,3,\"t\",2\r");
    line.say("\r\nOK\r\n\r\n+QMTSUB: 0,3,0,2\r\n");
    assert_eq!(
        line.events(),
        [
            "Subscribed(Token(1), Ok(()))",
            "Unsubscribed(Token(2), Ok(()))",
            "Subscribed(Token(3), Ok(()))"
        ]
    );
    line.wait(Duration::from_secs(1));
    assert_eq!(line.typed(), "");
}

/// `PUBACK` of these modules names no packet. That of a message that had been given up was taken for the next one's.
#[test]
fn a_late_puback_without_a_name_is_not_taken_for_the_next_one() {
    let mut line = Line::connected("air780ep");
    line.driver
        .publish(line.now, "t", b"", QoS::AtLeastOnce, false)
        .unwrap();
    line.types("AT+MPUB=…");
    line.types("AT+IPR?\r");
    line.say("\r\nOK\r\n\r\n+IPR: 115200\r\n\r\nOK\r\n");
    assert_eq!(
        line.events()[..2],
        ["Published(Token(1), Unknown)", "Lost(Unanswered)"]
    );
    line.answer_until(common::answers("air780ep"), "AT+MIPCLOSE");
    line.say("\r\nPUBACK\r\n\r\nOK\r\n");
    line.answer(common::answers("air780ep"));
    let events = line.events();
    assert!(!events.iter().any(|event| event.contains("Delivered")));
}

/// A connect began the search anew, and asked in the middle of data.
#[test]
fn a_connect_does_not_type_into_data_either() {
    let mut line = Line::new("ec20");
    line.run("AT+QMTPUB=0,0,0,0,\"t\"");
    line.say("\r\n> ");
    line.wait(Duration::from_secs(2));
    assert_eq!(line.events(), ["Done(Err(Prompted))"]);
    let options = Options {
        host: "broker.test",
        client_id: "dev1",
        ..Options::default()
    };
    line.driver.connect(line.now, options).unwrap();
    assert_eq!(line.typed(), "");
    // The module gives up, and says so.
    line.wait(Duration::from_secs(60));
    line.say("\r\nERROR\r\n");
    assert_eq!(line.typed(), "AT+IPR?\r");
}

#[test]
fn a_raw_command_that_wants_data_fails_and_its_data_is_not_the_next_command() {
    let mut line = Line::connected("ec20");
    line.run("AT+QMTPUB=0,0,0,0,\"t\"");
    line.say("\r\n> ");
    line.wait(Duration::from_secs(2));
    assert_eq!(line.events(), ["Done(Err(Prompted))"]);
    assert_eq!(line.typed(), "");
    line.wait(Duration::from_secs(99));
    assert_eq!(line.typed(), "");
    line.wait(Duration::from_secs(1));
    assert_eq!(line.typed(), "AT+IPR?\r");
}

/// `at+ipr?` was taken for a late answer to the driver's own question, and what came behind `OK` could not be had at all.
#[test]
fn a_raw_command_has_its_lines_however_it_is_written() {
    for (command, said) in [
        ("at+cpin?", &["+CPIN: READY"][..]),
        ("at+ipr?", &["+IPR: 115200"]),
        ("AT+CSQ;+CPIN?", &["+CSQ: 24,0", "+CPIN: READY"]),
        ("AT+CSQ;+IPR?", &["+CSQ: 24,0", "+IPR: 115200"]),
    ] {
        let mut line = Line::new("ec20");
        line.run(command);
        let mut expected = Vec::new();
        for answer in said {
            line.say(format!("\r\n{answer}\r\n"));
            expected.push(format!("line {answer}"));
        }
        line.say(OK);
        expected.push("Done(Ok(()))".into());
        assert_eq!(line.events(), expected, "{command}");
        assert_eq!(line.stray(), Stats::default(), "{command}");
    }
    let mut line = Line::new("ec20");
    line.run("AT+QPING=1,\"broker.test\"");
    line.say(OK);
    line.say("\r\n+QPING: 0,4,50,50,50\r\n");
    assert_eq!(line.events(), ["Done(Ok(()))"]);
    assert_eq!(line.unsolicited(), ["+QPING: 0,4,50,50,50"]);
}

// --- A port that holds back what is typed ---

/// Half a command was out when its time was over, and what was typed next became its other half.
#[test]
fn what_is_typed_next_is_not_the_end_of_what_is_half_typed() {
    let mut line = Line::new("ec20");
    let patience = Duration::from_secs(5);
    line.driver
        .command(line.now, "AT+CFUN=1", patience)
        .unwrap();
    line.driver.transmitted(line.now, 5);
    // Flow control, as long as a module may take to write its flash and longer.
    line.wait(Duration::from_secs(60));
    assert_eq!(line.events(), ["Done(Err(TimedOut))"]);
    line.wait(Duration::from_secs(20));
    assert_eq!(line.driver.poll_transmit(), Some(&b"UN=1\r"[..]));
    assert_eq!(line.typed(), "UN=1\r");
    line.types("AT+IPR?\r");
}

/// The port held the rest of a line back for ever, and nobody pulled the pin.
#[test]
fn a_port_that_takes_nothing_any_more_is_a_module_to_reset() {
    let mut line = Line::new("ec20");
    let options = Options {
        reset_pin: true,
        ..common::OPTIONS
    };
    line.driver.connect(line.now, options).unwrap();
    line.answer(common::answers("ec20"));
    line.driver.query(line.now, Query::Signal).unwrap();
    line.wait(Duration::from_millis(20));
    line.driver.transmitted(line.now, 5);
    let mut events = line.events();
    while !events.contains(&"Reset".into()) {
        let due = line.driver.next_deadline().unwrap();
        assert!(due < Instant::from_millis(200_000));
        line.now = due;
        line.driver.advance(due);
        line.drain();
        events.extend(line.events());
    }
    assert!(events.contains(&"Unanswered(Signal)".into()));
    assert!(events.contains(&"Lost(Silent)".into()));
    // The rest of the line is not typed at a module that starts anew.
    line.types("AT+IPR?\r");
}

/// Three lines in a twentieth of a second, and the connection was thrown away, for ever.
#[test]
fn a_subscription_that_cannot_be_ended_goes_on() {
    for clean_session in [true, false] {
        let mut line = Line::new("ec20");
        let options = Options {
            clean_session,
            ..common::OPTIONS
        };
        line.driver
            .subscribe(line.now, "t", QoS::AtLeastOnce)
            .unwrap();
        line.driver.connect(line.now, options).unwrap();
        line.answer(common::answers("ec20"));
        line.events();
        line.driver.unsubscribe(line.now, "t").unwrap();
        for _ in 0..3 {
            line.types("AT+QMTUNS=…");
            line.say(ERROR);
        }
        assert_eq!(line.events(), ["Unsubscribed(Token(2), Err(Module(None)))"]);
        line.wait(Duration::from_secs(30));
        assert_eq!(line.typed(), "");
        assert!(line.driver.is_connected());
    }
}

#[test]
fn a_command_that_was_given_up_before_it_was_typed_is_not_typed_later() {
    let mut line = Line::new("ec20");
    let patience = Duration::from_secs(5);
    line.driver
        .command(line.now, "AT+CFUN=1", patience)
        .unwrap();
    while line.events().is_empty() {
        let due = line.driver.next_deadline().unwrap();
        line.now = due;
        line.driver.advance(due);
        line.drain();
    }
    line.types("AT+IPR?\r");
}

/// The time of a command that was held back for half a minute ran all the while.
#[test]
fn the_time_of_a_command_begins_when_it_is_out() {
    let mut line = Line::new("ec20");
    let patience = Duration::from_secs(5);
    line.driver.command(line.now, "AT", patience).unwrap();
    line.now += Duration::from_secs(30);
    line.driver.advance(line.now);
    assert_eq!(line.typed(), "AT\r");
    line.wait(Duration::from_secs(4));
    line.say(OK);
    assert_eq!(line.events(), ["Done(Ok(()))"]);
}

// --- A module that may be waiting for data ---

/// `WIFI DISCONNECT` came before the prompt, and the question that was typed next went into the message.
#[test]
fn an_esp_that_may_wait_for_data_is_reset_and_not_typed_at() {
    let mut line = Line::new("esp8266");
    let options = Options {
        reset_pin: true,
        ..common::OPTIONS
    };
    line.driver.connect(line.now, options).unwrap();
    line.answer(common::answers("esp8266"));
    line.driver
        .publish(line.now, "t", &[b'x'; 100], QoS::AtLeastOnce, false)
        .unwrap();
    line.types("AT+MQTTPUBRAW=…");
    line.say(OK);
    line.say("WIFI DISCONNECT\r\n");
    let events = line.events();
    assert!(
        events
            .last()
            .unwrap()
            .contains("rung: Reset, attempt: 1, why: BearerLost"),
        "{events:?}"
    );
    line.wait(Duration::from_secs(1));
    assert_eq!(line.typed(), "");
    assert_eq!(line.events(), ["Reset"]);
}

/// All the data was out, and the driver waited a hundred seconds for the module to give up on it.
#[test]
fn a_module_that_has_its_data_is_typed_at() {
    let mut line = Line::connected("ec20");
    line.driver
        .publish(line.now, "t", b"hello", QoS::AtLeastOnce, false)
        .unwrap();
    line.types("AT+QMTPUBEX=…");
    line.say("\r\n> ");
    line.types("hello");
    line.say("\r\n+QMTSTAT: 0,1\r\n");
    line.wait(Duration::from_secs(2));
    assert_eq!(line.typed(), "AT+IPR?\r");
}

/// Nobody knew what had become of a message of which the module had said that it threw its command away.
#[test]
fn a_message_that_a_busy_module_throws_away_is_typed_again() {
    let mut line = Line::connected("esp8266");
    line.driver
        .publish(line.now, "t", b"hello", QoS::AtLeastOnce, false)
        .unwrap();
    line.types("AT+MQTTPUBRAW=…");
    line.say("busy p...\r\n");
    line.types("AT+UART_CUR?\r\n");
    line.say("+UART_CUR:115200,8,1,0,0\r\n\r\nOK\r\n");
    line.types("AT+MQTTPUBRAW=…");
    line.say("\r\nOK\r\n\r\n>");
    line.types("hello");
    line.say("+MQTTPUB:OK\r\n");
    assert_eq!(line.events(), ["Published(Token(1), Delivered)"]);
}

/// A message that ended with a line end was the answer to a raw command.
#[test]
fn a_message_is_no_line_of_a_raw_command() {
    for (model, report, message) in [
        (
            "esp8266",
            "+MQTTSUBRECV:0,\"t\",4,hi\r\n",
            "message t hi\\r\\n",
        ),
        ("air780ep", "+MSUB: \"t\",4 byte,hi  ", "message t hi  "),
        (
            "ec20",
            "+QMTRECV: 0,0,\"t\",4,\"hi\r\n\"",
            "message t hi\\r\\n",
        ),
    ] {
        let mut line = Line::connected(model);
        line.run("AT+X");
        line.say(format!("\r\n{report}\r\n"));
        line.say(OK);
        assert_eq!(line.events(), [message, "Done(Ok(()))"], "{model}");
    }
}

/// A message in digits set the module up for digits, and a connection that was opened again for text; the next message in digits was
/// published as them.
#[test]
fn a_setting_is_not_trusted_after_the_module_was_configured_anew() {
    let mut line = Line::connected("bc26");
    let readings = [
        ("AT+QMTCFG=\"dataformat\",0,", OK),
        (
            "AT+QMTCFG=\"dataformat\",0",
            "\r\n+QMTCFG: \"dataformat\",1,1\r\n\r\nOK\r\n",
        ),
    ];
    for _ in 0..2 {
        line.driver
            .publish(line.now, "t", b"\x1a", QoS::AtMostOnce, false)
            .unwrap();
        line.types("AT+QMTCFG=\"dataformat\",0,1,1\r");
        line.say(readings[0].1);
        line.types("AT+QMTCFG=\"dataformat\",0\r");
        line.say(readings[1].1);
        line.types("AT+QMTPUB=…");
        line.say("\r\n> ");
        assert_eq!(line.typed(), "1A\x1a");
        line.say("\r\nOK\r\n\r\n+QMTPUB: 0,0,0\r\n");
        line.say("\r\n+QMTSTAT: 0,1\r\n");
        line.answer(common::answers("bc26"));
        assert_eq!(line.events().last().unwrap(), "Recovered");
    }
}
