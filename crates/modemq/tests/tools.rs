//! The command line: demo, ports, pub and sub.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{Broker, Folder, Running, Tool, modemq, publish, run, start, temporary};
use dialect::Model;
use rustix::process::Signal;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::path::Path;

#[test]
fn the_demo_verifies_what_it_shows() {
    for model in dialect::model::ALL {
        let output = run(&["demo", "--pace", "fast", "--model", model.name], b"");
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{text}");
        for wanted in ["received ", "publishes "] {
            assert!(text.contains(wanted), "{text}");
        }
        let last = text.trim_end().lines().last().unwrap();
        assert!(
            last.starts_with("Verified: ") && last.contains("byte for byte"),
            "{last}"
        );
        assert!(!text.contains('\x1b'), "no colours in a pipe");
    }
}

/// What a demo over TLS comes to: `None` when the model cannot, and a sentence says so.
fn demo_over_tls(model: &Model, check: &str) -> Option<()> {
    let args = [
        "demo", "--pace", "fast", "--model", model.name, "--tls", check,
    ];
    let output = run(&args, b"");
    let [text, error] = [output.stdout, output.stderr].map(|b| String::from_utf8(b).unwrap());
    if output.status.success() {
        let last = text.trim_end().lines().last().unwrap();
        assert!(
            last.starts_with("Verified: ") && last.contains("TLS over TCP"),
            "{last}"
        );
        assert!(!text.contains("PRIVATE KEY"), "{text}");
        return Some(());
    }
    let title = model.title;
    let none = format!("modemq: the {title} has no TLS here: ");
    let other = format!("modemq: the {title} cannot do --tls {check} here; it can ");
    assert!(
        text.is_empty() && (error.starts_with(&none) || error.starts_with(&other)),
        "{text}{error}"
    );
    None
}

#[test]
fn the_demo_goes_over_tls_where_the_model_can() {
    std::thread::scope(|scope| {
        for model in dialect::model::ALL {
            scope.spawn(move || {
                let [none, _, _] =
                    ["none", "one-way", "mutual"].map(|check| demo_over_tls(model, check));
                assert_eq!(none.is_some(), !model.suites.is_empty(), "{}", model.title);
            });
        }
    });
}

fn module_on(link: &Path) -> Running {
    let mut module = start(&[
        "module",
        "air780ep",
        "--pty",
        link.to_str().unwrap(),
        "--pace",
        "fast",
    ]);
    let line = module.line();
    assert!(
        line.starts_with(&format!("Air780EP on {}", link.display())),
        "{line}"
    );
    module
}

fn answers(link: &Path) {
    let mut line = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(link)
        .unwrap();
    line.write_all(b"ATE0\rAT+CGMM\r").unwrap();
    let mut received = Vec::new();
    while !received.ends_with(b"\r\n+CGMM: \"Air780EP\"\r\n\r\nOK\r\n") {
        let mut buffer = [0; 256];
        let n = line.read(&mut buffer).unwrap();
        assert!(n > 0);
        received.extend_from_slice(&buffer[..n]);
    }
}

#[test]
fn the_link_lives_as_long_as_the_module() {
    let link = temporary("link");
    let mut module = module_on(&link);
    answers(&link);
    // A host that closes its end and comes back.
    answers(&link);
    module.signal(Signal::TERM);
    assert!(module.wait().success());
    assert!(fs::symlink_metadata(&link).is_err(), "the link is removed");
}

#[test]
fn a_link_that_was_left_behind_is_replaced() {
    let link = temporary("link");
    let mut module = module_on(&link);
    module.signal(Signal::KILL);
    module.wait();
    assert!(
        fs::symlink_metadata(&link).is_ok(),
        "nobody could remove it"
    );
    let _module = module_on(&link);
    answers(&link);
}

#[test]
fn what_is_not_ours_is_not_replaced() {
    let file = temporary("file");
    fs::write(&file, "precious").unwrap();
    let elsewhere = temporary("elsewhere");
    symlink("/etc/hostname", &elsewhere).unwrap();
    let ours = temporary("link");
    let _module = module_on(&ours);
    for (path, why) in [
        (&file, "exists, and is not a link of modemq's"),
        (&elsewhere, "exists, and is not a link of modemq's"),
        (&ours, "another modemq that still runs has this link"),
    ] {
        let output = run(
            &["module", "air780ep", "--pty", path.to_str().unwrap()],
            b"",
        );
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && error.contains(why), "{error}");
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
    answers(&ours);
    fs::remove_file(&file).unwrap();
    fs::remove_file(&elsewhere).unwrap();
}

#[test]
fn a_module_on_standard_input_answers_and_ends_with_it() {
    let output = run(
        &["module", "air780ep", "--stdio", "--pace", "fast"],
        b"ATE0\rAT+CGATT?\r",
    );
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.ends_with("ATE0\r\r\nOK\r\n\r\n+CGATT: 1\r\n\r\nOK\r\n"),
        "{text:?}"
    );
}

#[test]
fn the_trace_says_why() {
    let output = run(
        &[
            "module",
            "air780ep",
            "--stdio",
            "--pace",
            "fast",
            "--trace=json",
        ],
        b"AT+MSUB=\"a\",7\r",
    );
    let trace = String::from_utf8(output.stderr).unwrap();
    let notes: Vec<_> = trace
        .lines()
        .filter(|line| line.contains("\"kind\":\"note\""))
        .collect();
    assert_eq!(notes.len(), 1, "{trace}");
    assert!(
        notes[0].contains("AT+MSUB parameter 2, qos (0-2), is out of range"),
        "{trace}"
    );
}

#[test]
fn sub_and_pub_have_mosquittos_flags() {
    for broker in Broker::each() {
        let port = broker.port();
        let on = ["-h", "127.0.0.1", "-p", &port];
        publish(&broker, &["-t", "kept/a", "-r", "-q", "1", "-m", "one"]);
        publish(
            &broker,
            &[
                "-t", "kept/b", "-r", "-q", "2", "-V", "mqttv31", "-i", "old", "-m", "two",
            ],
        );
        let sub = |args: &[&str]| run(&[&["sub"], &on[..], args].concat(), b"");
        let output = sub(&["-t", "kept/#", "-v", "-C", "2", "-q", "2"]);
        let mut lines: Vec<_> = String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .map(str::to_string)
            .collect();
        lines.sort();
        assert_eq!(lines, ["kept/a one", "kept/b two"], "{}", broker.name);
        assert_eq!(sub(&["-t", "kept/a", "-C", "1", "-N"]).stdout, b"one");
        assert_eq!(sub(&["-t", "nothing", "-W", "1"]).status.code(), Some(27));
        assert_eq!(sub(&["-t", "kept/a", "-R", "-W", "1"]).stdout, b"");
        publish(&broker, &["-t", "kept/a", "-r", "-n"]);
        publish(&broker, &["-t", "kept/b", "-r", "-n"]);
        assert_eq!(sub(&["-t", "kept/#", "-W", "1"]).stdout, b"");
    }
}

#[test]
fn pub_takes_lines_and_files_from_standard_input() {
    let broker = Broker::ours(&[]);
    let port = broker.port();
    let to = [
        "pub",
        "-h",
        "127.0.0.1",
        "-p",
        &port,
        "-t",
        "in",
        "-q",
        "1",
        "-r",
    ];
    let last = || {
        let args = [
            "sub",
            "-h",
            "127.0.0.1",
            "-p",
            &port,
            "-t",
            "in",
            "-C",
            "1",
            "-N",
        ];
        String::from_utf8(run(&args, b"").stdout).unwrap()
    };
    assert!(
        run(&[&to[..], &["-l"]].concat(), b"one\ntwo\n")
            .status
            .success()
    );
    assert_eq!(last(), "two");
    assert!(
        run(&[&to[..], &["-s"]].concat(), b"one\ntwo\n")
            .status
            .success()
    );
    assert_eq!(last(), "one\ntwo\n");
    let file = temporary("message");
    fs::write(&file, "from a file").unwrap();
    assert!(
        run(&[&to[..], &["-f", file.to_str().unwrap()]].concat(), b"")
            .status
            .success()
    );
    assert_eq!(last(), "from a file");
    fs::remove_file(&file).unwrap();
    assert!(!run(&to, b"").status.success(), "a message is wanted");
}

#[test]
fn a_refused_login_has_the_servers_code() {
    let broker = Broker::ours(&["--user", "dev:secret"]);
    let port = broker.port();
    let login = |args: &[&str]| {
        let output = run(
            &[
                &["pub", "-h", "127.0.0.1", "-p", &port, "-t", "t", "-m", "m"],
                args,
            ]
            .concat(),
            b"",
        );
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    assert_eq!(login(&["-u", "dev", "-P", "secret"]).0, Some(0));
    let (code, error) = login(&["-u", "dev", "-P", "wrong"]);
    assert_eq!(
        (code, error.as_str()),
        (
            Some(4),
            "modemq pub: connection refused: bad user name or password\n"
        )
    );
    assert_eq!(login(&[]).0, Some(5));
}

#[test]
fn explain_says_what_a_line_means_and_what_is_wrong() {
    for (line, model, code, wanted) in [
        (
            "AT+QMTOPEN=0,\"tcp\",\"h\",1883",
            "bc26",
            1,
            "refused: AT+QMTOPEN takes 3 parameters (tcpconnectID (0-5), host_name, port (1-65535)); got 4\n",
        ),
        (
            "AT+QMTSTAT=0",
            "ec20",
            1,
            "refused: this model has no such command\n",
        ),
        (
            "+QMTSTAT: 0,1",
            "ec20",
            0,
            "+QMTSTAT, of AT+QMTOPEN: 1 closed or reset by the peer",
        ),
        (
            "AT+MCONNECT=1,60",
            "air780ep",
            0,
            "  keepalive (1-65535) = 60\n",
        ),
        (
            "+CME ERROR: 767",
            "air780ep",
            0,
            "+CME ERROR 767: Operation failed\n",
        ),
        ("+ECMTCONN: 0,0,5", "nt35e", 0, "  ret_code = 5\n"),
        (
            "AT+QMTOPEN=0,\"h\",1883",
            "bc26",
            0,
            "  a module that has just come up answers \\r\\nOK\\r\\n, and opens a connection to h:1883\n",
        ),
        (
            "AT+QMTCFG=\"keepalive\",0,60;+QMTCFG=\"alive\"",
            "ec20",
            1,
            "refused: AT+QMTCFG has no option of that name; AT+QMTCFG=? lists those it has\n",
        ),
        (
            "AT+CIPMQTTC=1",
            "esp8266",
            1,
            "  a line of the fourth tutorial; the form that works: AT+MQTTCONN=0,\"host\",1883,0\n",
        ),
        ("OK", "bc26", 0, "OK: The command was taken.\n"),
        ("busy p...", "esp8266", 0, "busy p...: A command runs"),
        (
            "+CEREG: 1,1",
            "bc26",
            0,
            "+CEREG (read), of AT+CEREG: The answer: 1 registered",
        ),
        ("+ECMTCON:0,0,5", "nt35e", 0, "taken for +ECMTCONN: 0,0,5\n"),
        (
            "ERR CODE:0x010a6044",
            "esp8266",
            0,
            "  the command failed: AT_MQTT_DATA_READ_FAILED\n",
        ),
    ] {
        let output = run(&["explain", line, "--model", model], b"");
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(
            output.status.code() == Some(code) && text.contains(wanted),
            "{line}: {text}"
        );
    }
}

#[test]
fn sub_comes_back_to_a_broker_that_was_away() {
    let broker = Broker::ours(&[]);
    let mut tool = Tool::subscribe(&broker, "t", "0");
    let address = broker.address.to_string();
    drop(broker);
    let again = Broker::ours_at(&address);
    // The tool may come back before or after: the message is retained.
    publish(&again, &["-t", "t", "-r", "-m", "back"]);
    assert_eq!(tool.next(), "t back");
}

#[test]
fn options_that_a_model_has_no_use_for_are_mistakes() {
    for (args, wanted) in [
        (
            ["module", "bc26", "--wifi", "a:b"],
            "modemq: --wifi is for Wi-Fi modules, and the BC26 is none\n",
        ),
        (
            ["module", "esp8266", "--sim", "absent"],
            "modemq: --sim is for cellular modules, and the ESP8266 is none\n",
        ),
    ] {
        let output = run(&args, b"");
        assert!(!output.status.success());
        assert_eq!(String::from_utf8_lossy(&output.stderr), wanted);
    }
}

#[test]
fn explain_without_a_model_asks_all_of_them() {
    let output = run(&["explain", "+QMTSTAT: 0,1"], b"");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success());
    assert!(
        text.starts_with("BC26, EC20, BG95:\n+QMTSTAT, of AT+QMTOPEN: 1 closed"),
        "{text}"
    );
    let output = run(&["explain", "AT+NOSUCH"], b"");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(output.stdout, b"no model knows such a line\n");
}

#[test]
fn mistakes_on_the_command_line_are_explained() {
    for (args, wanted) in [
        (
            &["module", "air9000"][..],
            "no such model; there are air780ep, air700eaq, air780e, nt35e, bc26, ec20",
        ),
        (
            &["module", "air780ep", "--resolve", "x"],
            "is not HOST[:PORT]=ADDR[:PORT]",
        ),
        (
            &["module", "air780ep", "--serial", "/dev/none"],
            "/dev/none: ",
        ),
        (&["module", "air780ep", "--signal", "40"], "0 to 31, or 99"),
        (&["broker", "--user", "x"], "NAME:PASSWORD is wanted"),
        (&["replay", "/none.at"], "/none.at: "),
    ] {
        let output = modemq(args).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(
            !output.status.success() && error.contains(wanted),
            "{args:?}: {error}"
        );
    }
}

/// A folder that held some other CA lost it to the bench's.
#[test]
fn certificates_of_the_users_are_not_written_over() {
    let folder = Folder::new("own");
    fs::write(folder.0.join("ca.crt"), "mine").unwrap();
    let path = folder.0.to_str().unwrap();
    let args = [
        "broker",
        "--listen",
        "127.0.0.1:0",
        "--tls",
        "127.0.0.1:0",
        "--certificates",
        path,
    ];
    let output = run(&args, b"");
    assert_eq!(output.status.code(), Some(1));
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(words.contains("ca.crt is there, and"), "{words}");
    assert_eq!(fs::read(folder.0.join("ca.crt")).unwrap(), b"mine");
    // A folder that cannot be made is named.
    let below = folder.0.join("ca.crt/below");
    let output = run(&[&args[..6], &[below.to_str().unwrap()]].concat(), b"");
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(words.contains("ca.crt/below: Not a directory"), "{words}");
}

/// The columns of a mismatch were as wide as its longest line, which the formatter does not take beyond 65,535.
#[test]
fn a_transcript_with_a_line_without_end_is_only_wrong() {
    let folder = Folder::new("long");
    let file = folder.0.join("long.at");
    fs::write(&file, "x".repeat(70_000)).unwrap();
    let output = run(&["replay", "--model", "ec20", file.to_str().unwrap()], b"");
    assert_eq!(output.status.code(), Some(1));
}

/// It went as written on all nine models.
#[test]
fn a_file_with_nothing_in_it_is_no_transcript() {
    let folder = Folder::new("empty");
    for (name, text) in [("run.jsonl", ""), ("empty.at", "// nothing\n\n")] {
        let file = folder.0.join(name);
        fs::write(&file, text).unwrap();
        let output = run(&["replay", file.to_str().unwrap()], b"");
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1));
        assert!(words.contains("there is nothing to play in it"), "{words}");
    }
}
