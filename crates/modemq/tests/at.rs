//! One line at a module, and which module it is: `at`, `identify`, with the programs as they are built, on PTYs and TCP.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{Broker, Folder, Running, run, start, temporary};
use dialect::model::{self, Bearer, Model};
use rustix::pty::OpenptFlags;
use rustix::termios::tcgetattr;
use std::io::{Read, Write};
use std::path::PathBuf;

/// A module on a TCP port, and its name there.
fn module(model: &Model) -> (Running, String) {
    let mut module = start(&[
        "module",
        model.name,
        "--tcp",
        "127.0.0.1:0",
        "--pace",
        "fast",
    ]);
    let line = module.line();
    let mut words = line.split_whitespace();
    let port = words.find(|word| word.starts_with("tcp:"));
    let port = port.unwrap().to_string();
    (module, port)
}

fn by_name(name: &str) -> &'static Model {
    Model::by_name(name).unwrap()
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

/// Exit status and standard output.
fn at(args: &[&str], input: &[u8]) -> (Option<i32>, String) {
    let output = run(&[&["at"], args].concat(), input);
    (output.status.code(), text(output.stdout))
}

#[test]
fn one_line_is_typed_and_answered() {
    for model in model::ALL {
        let (_module, port) = module(model);
        let command = if model.bearer == Bearer::WiFi {
            ("AT+CWMODE?", "+CWMODE:1\nOK\n")
        } else {
            ("AT+CSQ", "+CSQ: 24,0\nOK\n")
        };
        let output = run(&["at", &port, command.0], b"");
        // What looks for the host's rate has used the first line up.
        let output = if output.status.code() == Some(27) && model.defaults.autobaud {
            run(&["at", &port, command.0], b"")
        } else {
            output
        };
        assert_eq!(text(output.stdout), command.1, "{}", model.name);
        assert!(output.status.success());
    }
    let (_module, port) = module(Model::by_name("air780ep").unwrap());
    let output = run(
        &["at", &port, "AT+MIPCLOSE", "--json", "-m", "air780ep"],
        b"",
    );
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        text(output.stdout),
        "{\"command\":\"AT+MIPCLOSE\",\"lines\":[],\"reports\":[],\"result\":\"+CME ERROR: 767\",\"code\":767,\"meaning\":\"Operation failed\"}\n"
    );
}

/// `modemq at PORT AT` printed what the module had said an hour before as if it were the answer.
#[test]
fn reports_are_no_answers() {
    let link = temporary("reports");
    let port = link.to_str().unwrap();
    let _module = {
        let mut module = start(&["module", "ec20", "--pty", port, "--pace", "fast"]);
        module.line();
        module
    };
    assert_eq!(at(&[port, "AT"], b""), (Some(0), "OK\n".into()));
    // A subscription to one's own message: the report follows OK, or comes before it. It is no line of the answer.
    let broker = Broker::ours(&[]);
    let open = format!("AT+QMTOPEN=0,\"127.0.0.1\",{}", broker.address.port());
    for command in [&open, "AT+QMTCONN=0,\"id\"", "AT+QMTSUB=0,1,\"t\",0"] {
        let deadline = std::time::Instant::now() + common::GUARD;
        while at(&[port, command], b"") != (Some(0), "OK\n".into()) {
            assert!(std::time::Instant::now() < deadline, "{command}");
        }
    }
    let publish = ["AT+QMTPUBEX=0,0,0,0,\"t\",6", "--data-text", "a\r\nOK\r"];
    assert_eq!(
        at(&[&[port], &publish[..]].concat(), b""),
        (Some(0), "OK\n".into())
    );
    assert_eq!(at(&[port, "ATI"], b"").1.lines().next(), Some("Quectel"));
}

#[test]
fn data_follows_the_prompt() {
    let folder = Folder::new("data");
    let file = folder.0.join("ca.pem");
    std::fs::write(&file, "abc\r\nOK\r\n").unwrap();
    let file = file.to_str().unwrap();
    let (_ec20, ec20) = module(by_name("ec20"));
    // As many bytes as were announced, from a file, and from standard input.
    let upload = "AT+QFUPL=\"UFS:a\",9,5";
    assert_eq!(
        at(&[&ec20, upload, "--data", file], b""),
        (Some(0), "+QFUPL: 9,492d\nOK\n".into())
    );
    let upload = "AT+QFUPL=\"UFS:b\",9,5";
    assert_eq!(
        at(&[&ec20, upload, "--data", "-"], b"abc\r\nOK\r\n"),
        (Some(0), "+QFUPL: 9,492d\nOK\n".into())
    );
    let (_esp, esp) = module(by_name("esp32c3"));
    let write = "AT+SYSMFG=2,\"mqtt_ca\",\"mqtt_ca.0\",8,5";
    assert_eq!(
        at(&[&esp, write, "--data-text", "hello"], b""),
        (Some(0), "OK\n".into())
    );
    let (_air, air) = module(by_name("air780ep"));
    assert_eq!(at(&[&air, "AT+FSCREATE=\"f\""], b"").0, Some(0));
    let write = "AT+FSWRITE=\"f\",0,5,10";
    assert_eq!(
        at(&[&air, write, "--data-text", "hello"], b""),
        (Some(0), "OK\n".into())
    );
    assert_eq!(
        at(&[&air, "AT+FSREAD=\"f\",0,5,0"], b""),
        (Some(0), "hello\nOK\n".into())
    );
    // Up to Ctrl-Z.
    let (_bc26, bc26) = module(by_name("bc26"));
    // What looks for the host's rate uses the first line up.
    at(&[&bc26, "AT", "-t", "1"], b"");
    let own = ["AT+QSSLCFG=1,5,\"cacert\"", "--data-text", "abc"];
    assert_eq!(
        at(&[&[bc26.as_str()], &own[..]].concat(), b""),
        (Some(0), "+QSSLCFG: 1,5,\"cacert\",3\nOK\n".into())
    );
}

/// A module that waited for data took the next user's command for a message.
#[test]
fn nothing_is_left_waiting_for_data() {
    let (_module, port) = module(by_name("ec20"));
    for (args, status, wanted) in [
        // Before it is typed, where the command is known.
        (
            &["AT+QFUPL=\"UFS:a\",5"][..],
            1,
            "modemq: AT+QFUPL waits for 5 bytes after its prompt: give it with --data FILE or --data-text TEXT; if this model does not, name it with -m\n",
        ),
        (
            &["AT+QFUPL=\"UFS:a\",5", "--data-text", "x"],
            1,
            "modemq: AT+QFUPL announces 5 bytes, and the data has 1\n",
        ),
        (
            &["AT+QMTPUB=0,0,0,0,\"t\"", "--data-text", "a\u{1a}b"],
            1,
            "modemq: data that ends at Ctrl-Z can hold neither Ctrl-Z (0x1A) nor ESC (0x1B)\n",
        ),
        (
            &["AT+CIPSEND"],
            1,
            "modemq: after AT+CIPSEND everything that is typed goes to the peer: that wants a terminal, such as picocom\n",
        ),
    ] {
        let output = run(&[&["at", &port], args].concat(), b"");
        assert_eq!(output.status.code(), Some(status));
        assert_eq!(text(output.stderr), wanted);
    }
    // At the prompt, where it is not: an Air780EP has no such commands.
    let broker = Broker::ours(&[]);
    let open = format!("AT+QMTOPEN=0,\"127.0.0.1\",{}", broker.address.port());
    for command in [&open, "AT+QMTCONN=0,\"id\""] {
        let deadline = std::time::Instant::now() + common::GUARD;
        while at(&[&port, command], b"").0 != Some(0) {
            assert!(std::time::Instant::now() < deadline, "{command}");
        }
    }
    let other = ["-m", "air780ep"];
    for (command, how) in [
        ("AT+QMTPUB=0,0,0,0,\"t\"", "ESC"),
        ("AT+QFUPL=\"UFS:a\",5,60", "+++"),
    ] {
        let deadline = std::time::Instant::now() + common::GUARD;
        let wanted = format!(
            "the module asked for data, was told with {how} that there is none, and answered OK; see --data\n"
        );
        // It may not have logged in yet.
        let answer = loop {
            let answer = at(&[&[port.as_str(), command], &other[..]].concat(), b"");
            if answer.0 != Some(1) || std::time::Instant::now() > deadline {
                break answer;
            }
        };
        assert_eq!(answer, (Some(3), wanted));
        assert_eq!(at(&[&port, "AT"], b""), (Some(0), "OK\n".into()));
    }
    let length = "AT+QMTPUBEX=0,0,0,0,\"t\",5";
    let wanted = "the module asked for data and still waits for it: ESC did not end it. What is typed next becomes part of it\n";
    assert_eq!(
        at(&[&[port.as_str(), length], &other[..]].concat(), b""),
        (Some(3), wanted.into())
    );
}

#[test]
fn with_json_an_error_is_json_too() {
    for (port, wanted) in [
        ("/dev/ttyNone", "/dev/ttyNone: there is no such device"),
        ("tcp:127.0.0.1:1", "tcp:127.0.0.1:1: nobody listens there"),
    ] {
        for args in [
            &["at", port, "AT", "--json"][..],
            &["identify", port, "--json"],
        ] {
            let output = run(args, b"");
            assert_eq!(output.status.code(), Some(1));
            assert_eq!(text(output.stderr), "");
            let said = text(output.stdout);
            let json: serde_json::Value = serde_json::from_str(&said).unwrap();
            assert!(
                json["error"].as_str().unwrap().starts_with(wanted),
                "{json}"
            );
        }
    }
}

#[test]
fn what_passes_is_shown_without_passwords() {
    let (_module, port) = module(by_name("air780ep"));
    let output = run(
        &["at", &port, "AT+MCONFIG=\"id\",\"user\",\"hunter2\"", "-d"],
        b"",
    );
    let trace = text(output.stderr);
    let lines: Vec<_> = trace.lines().map(|line| &line[10..]).collect();
    assert_eq!(
        lines,
        [
            "> AT+MCONFIG=\"id\",\"user\",\"***\"",
            "< AT+MCONFIG=\"id\",\"user\",\"***\"",
            "< OK"
        ]
    );
}

/// What each model says of itself: its answers, not the reports of its start, with echo and without.
#[test]
fn each_model_is_identified() {
    std::thread::scope(|scope| {
        for model in model::ALL {
            scope.spawn(move || identified(model));
        }
    });
}

fn identified(model: &Model) {
    let link = temporary(model.name);
    let port = link.to_str().unwrap();
    // It starts as hardware does, and says so.
    let mut module = start(&["module", model.name, "--pty", port, "--pace", "real"]);
    module.line();
    let ask = || {
        let output = run(&["identify", port, "--json"], b"");
        assert_eq!(output.status.code(), Some(0), "{}", model.name);
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(json["model"], model.name);
        assert_eq!(json["baud"], 115_200);
        json["says"].clone()
    };
    let firmware = model.firmware;
    let expected: Vec<String> = match model.name {
        "esp8266" => [
            "AT version:2.2.0.0(s-b097cdf - ESP8266 - Jun 17 2021 12:58:29)",
            "SDK version:v3.4-22-g967752e2",
            "compile time(6800286):Jul 11 2021 11:09:32",
            "Bin version:2.2.0(ESP8266_1MB)",
        ]
        .map(String::from)
        .into(),
        "esp32c3" => [
            "AT version:3.3.0.0(3b13d04 - ESP32C3 - May  8 2024 08:21:54)",
            "SDK version:v5.0.6-dirty",
            "compile time(be332568):May  8 2024 08:51:33",
            "Bin version:v3.3.0.0(MINI-1)",
        ]
        .map(String::from)
        .into(),
        "nt35e" => vec!["NT35E".into(), firmware.into()],
        "bc26" => {
            let own = ["Quectel_BC26", "Quectel_Ltd", "Quectel_BC26"];
            let revision = format!("Revision: {firmware}");
            own.map(String::from)
                .into_iter()
                .chain([revision])
                .collect()
        }
        "ec20" | "bg95" => {
            let revision = format!("Revision: {firmware}");
            vec![
                model.title.into(),
                "Quectel".into(),
                model.title.into(),
                revision,
            ]
        }
        _ => vec![format!("+CGMM: \"{}\"", model.title), firmware.into()],
    };
    assert_eq!(
        ask(),
        serde_json::json!(expected),
        "{}, as it starts",
        model.name
    );
    assert_eq!(at(&[port, "ATE0"], b"").0, Some(0));
    assert_eq!(
        ask(),
        serde_json::json!(expected),
        "{}, without echo",
        model.name
    );
    let output = run(&["identify", port], b"");
    let first = format!(
        "{}: {} by {}, at 115200 bit/s. It says:\n",
        model.name, model.title, model.vendor
    );
    let said = text(output.stdout);
    assert!(said.starts_with(&first), "{said}");
}

/// A question that was answered too late was taken for the module's name.
#[test]
fn a_late_answer_is_nobodys_name() {
    let fault = ["--fault", "late-reply 4s when AT+CGMM times 1"];
    let own = ["module", "bg95", "--tcp", "127.0.0.1:0", "--pace", "fast"];
    let mut module = start(&[&own[..], &fault].concat());
    let line = module.line();
    let port = line
        .split_whitespace()
        .find(|word| word.starts_with("tcp:"));
    let output = run(&["identify", port.unwrap(), "--json"], b"");
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["model"], "bg95");
    let says = json["says"].as_array().unwrap();
    assert!(
        says.iter()
            .all(|line| !line.as_str().unwrap().starts_with("AT")),
        "{json}"
    );
}

/// A UART whose module answers at one rate: the other end of a PTY, which knows the rate that the host has set.
fn uart(rate: u32) -> PathBuf {
    let controller = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    rustix::pty::grantpt(&controller).unwrap();
    rustix::pty::unlockpt(&controller).unwrap();
    let name = rustix::pty::ptsname(&controller, Vec::new()).unwrap();
    let path = PathBuf::from(name.to_str().unwrap());
    let user = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(&path);
    let user = user.unwrap();
    let mut raw = tcgetattr(&user).unwrap();
    raw.make_raw();
    rustix::termios::tcsetattr(&user, rustix::termios::OptionalActions::Now, &raw).unwrap();
    std::thread::spawn(move || {
        // Kept open, so that the line does not end between two hosts.
        let user = user;
        let mut line = std::fs::File::from(controller);
        let mut typed = Vec::new();
        let mut buffer = [0; 256];
        while let Ok(n) = line.read(&mut buffer) {
            let hears = tcgetattr(&user).is_ok_and(|host| host.input_speed() == rate);
            if !hears {
                let _ = line.write_all(b"\xf8\x80\xfe");
                continue;
            }
            typed.extend_from_slice(&buffer[..n]);
            while let Some(end) = typed.iter().position(|byte| *byte == b'\n') {
                let command: Vec<u8> = typed.drain(..=end).collect();
                let answer: &[u8] = match command.trim_ascii() {
                    b"AT" => b"\r\nOK\r\n",
                    b"ATI" => b"\r\nSIMCOM_SIM800L\r\n\r\n+CREG: 1\r\n\r\nOK\r\n",
                    _ => b"\r\nERROR\r\n",
                };
                let _ = line.write_all(answer);
            }
        }
    });
    path
}

#[test]
fn the_rate_is_found() {
    let port = uart(57_600);
    let port = port.to_str().unwrap();
    let output = run(&["identify", port], b"");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        text(output.stdout),
        "none that modemq knows, at 57600 bit/s. It says:\n  SIMCOM_SIM800L\n"
    );
    let output = run(&["identify", port, "--baud", "9600", "-t", "3"], b"");
    assert_eq!(output.status.code(), Some(27));
    assert_eq!(
        text(output.stdout),
        format!(
            "nobody answers at {port} at 9600 bit/s\nIs it powered, are RX and TX crossed, is this its AT port?\n"
        )
    );
}
