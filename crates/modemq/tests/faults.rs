//! Faults of the command line, on real ports against real brokers.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{Broker, Folder, Host, Tool, run};
use std::time::{Duration, Instant};

fn with_faults(faults: &[&str]) -> (common::Running, Host) {
    let mut args = vec!["--pace", "fast", "--seed", "7"];
    for fault in faults {
        args.extend(["--fault", fault]);
    }
    Host::with_module("air780ep", &args)
}

/// The tutorial's two recoveries, which firmware runs for the first time in the field.
#[test]
fn a_connection_that_the_server_closes_is_told_and_opened_again() {
    for broker in Broker::each() {
        let (_module, mut host) = with_faults(&["tcp-drop when AT+MPUB after 50ms times 1"]);
        host.synchronise();
        host.log_in(&broker, "dropped", true);
        host.command("AT+MPUB=\"t\",0,0,\"x\"", &["OK", "CLOSED"]);
        host.command("AT+MIPCLOSE", &["+CME ERROR: 767"]);
        host.log_in(&broker, "dropped", true);
        host.command("AT+MPUB=\"t\",1,0,\"x\"", &["OK", "PUBACK"]);
    }
}

#[test]
fn a_bearer_that_the_network_takes_away_is_told_and_the_server_hears_nothing() {
    for broker in Broker::each() {
        let (_module, mut host) = with_faults(&["pdp-deact when MPUB times 1"]);
        host.synchronise();
        host.log_in(&broker, "cut", true);
        host.command("AT+MPUB=\"t\",0,0,\"x\"", &["OK", "+CGEV: NW PDN DEACT 1"]);
        host.command("AT+MQTTSTATU", &["+MQTTSTATU :0", "OK"]);
        host.command("AT+MIPCLOSE", &["OK"]);
        host.command("AT+MCONFIG=\"cut\",\"\",\"\"", &["OK"]);
        host.send(format!("AT+MIPSTART=\"127.0.0.1\",{}\r", broker.port()).as_bytes());
        host.wait_for("\r\nCONNECT OK\r\n");
        host.command("AT+MCONNECT=1,60", &["OK", "CONNACK OK"]);
    }
}

#[test]
fn a_server_that_refuses_and_one_that_is_gone_without_a_word() {
    let broker = Broker::mosquitto();
    let (_module, mut host) =
        with_faults(&["refuse", "broker-up when CSQ", "half-open when MQTTSTATU"]);
    host.synchronise();
    host.command(
        &format!("AT+MIPSTART=\"127.0.0.1\",{}", broker.port()),
        &["OK", "STATE:TCP CLOSED", "CONNECT FAIL"],
    );
    host.command("AT+CSQ", &["+CSQ: 24,0", "OK"]);
    host.log_in(&broker, "half", true);
    host.command("AT+MSUB=\"t\",1", &["OK", "SUBACK"]);
    host.command("AT+MQTTSTATU", &["+MQTTSTATU :1", "OK"]);
    let mut tool = Tool::subscribe(&broker, "t", "1");
    common::publish(&broker, &["-t", "t", "-m", "one"]);
    assert_eq!(tool.next(), "t one");
    // Nothing comes, though the module takes itself for connected.
    host.command("AT+MQTTSTATU", &["+MQTTSTATU :1", "OK"]);
}

#[test]
fn the_line_is_cut_into_single_bytes_and_a_report_stands_inside_the_reply() {
    let (_module, mut host) = with_faults(&[
        "slicer 1 2ms on serial/downstream",
        "urc \"+CSQ: 99,99\" inside-reply when CGATT?",
    ]);
    host.synchronise();
    let start = Instant::now();
    host.command("AT+CGATT?", &["+CGATT: 1", "+CSQ: 99,99", "OK"]);
    // 41 bytes, two milliseconds apart.
    assert!(start.elapsed() >= Duration::from_millis(80));
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let input = b"AT\rAT+CSQ\rAT+CGATT?\rAT+CGSN\rATI\rAT+COPS?\r".repeat(20);
    let spoilt = |seed: &str| {
        let args = ["module", "air780ep", "--stdio", "--pace", "fast"];
        let faults = [
            "--seed",
            seed,
            "--fault",
            "corrupt 2%",
            "--fault",
            "loss 1% on serial",
        ];
        run(&[&args[..], &faults[..]].concat(), &input).stdout
    };
    let once = spoilt("7");
    assert!(once.len() > 2000);
    assert_eq!(spoilt("7"), once);
    assert_ne!(spoilt("8"), once);
}

#[test]
fn every_strike_is_in_the_trace() {
    let args = ["module", "air780ep", "--stdio", "--pace", "fast", "--trace"];
    let output = run(
        &[&args[..], &["--fault", "pdp-deact when CSQ"][..]].concat(),
        b"AT+CSQ\r",
    );
    let trace = String::from_utf8(output.stderr).unwrap();
    let note = "note     fault 1 strikes: pdp-deact when CSQ\n";
    assert!(trace.contains(note), "{trace}");
    assert!(trace.contains("+CGEV: NW PDN DEACT 1"), "{trace}");
}

#[test]
fn a_weather_is_a_file_of_lines() {
    let folder = Folder::new("weather");
    let file = folder.0.join("mine.weather");
    std::fs::write(&file, "# Mine.\nsim absent\n\nsignal 3\n").unwrap();
    let args = ["module", "--stdio", "--pace", "fast", "--weather"];
    let path = file.to_str().unwrap();
    let said = |model, weather| {
        let args = [&args[..1], &[model], &args[1..], &[weather]].concat();
        run(&args, b"ATE0\rAT+CPIN?\rAT+CSQ\r")
    };
    let output = said("air780ep", path);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("\r\n+CME ERROR: 10\r\n\r\n+CSQ: 3,0\r\n"),
        "{text}"
    );
    std::fs::write(&file, "signal 3\n\nrain at 5s\n").unwrap();
    let output = said("air780ep", path);
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        format!(
            "modemq: --weather {path}, line 3, column 1: there is no fault \"rain\"; `modemq faults` lists them\n"
        )
    );
    // What a Wi-Fi module cannot have is left out.
    std::fs::write(&file, "sim absent\n").unwrap();
    assert!(said("esp8266", path).status.success());
}

#[test]
fn every_weather_starts_on_every_model() {
    for (name, _) in world::weather::BUILT_IN {
        for model in dialect::model::ALL {
            let args = [
                "module",
                model.name,
                "--stdio",
                "--pace",
                "fast",
                "--weather",
                name,
            ];
            let output = run(&args, b"AT\r\n");
            assert!(output.status.success(), "{name} on {}", model.name);
        }
    }
}

#[test]
fn the_page_of_faults_is_printed_from_the_vocabulary() {
    let path = format!("{}/../../docs/faults.md", env!("CARGO_MANIFEST_DIR"));
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == modemq::commands::faults::page(),
        "{path} is stale: cargo run -p modemq -- faults --markdown > docs/faults.md"
    );
}

/// What a module is told on its line, while faults strike, and all that comes of it; then again from the file alone.
#[test]
fn a_recording_is_replayed_byte_for_byte() {
    let folder = Folder::new("recording");
    let file = folder.0.join("run.jsonl");
    let path = file.to_str().unwrap();
    let broker = Broker::mosquitto();
    let faults = [
        "latency 20ms 15ms on link",
        "slicer 3 1ms on serial/downstream",
        "echo-garbled 20%",
        "tcp-drop when AT+MPUB after 30ms times 1",
    ];
    let mut args = vec![
        "--pace", "fast", "--seed", "7", "--signal", "20", "--record", path,
    ];
    for fault in faults {
        args.extend(["--fault", fault]);
    }
    let (module, mut host) = Host::with_module("air780ep", &args);
    let port = broker.port();
    for (line, last) in [
        (&b"AT+MCONFIG=\"r\"\r"[..], "OK\r\n"),
        (
            format!("AT+MIPSTART=\"127.0.0.1\",{port}\r").as_bytes(),
            "CONNECT OK\r\n",
        ),
        (b"AT+MCONNECT=1,60\r", "CONNACK OK\r\n"),
        (b"\xff\xfe\rAT+CSQ\r", "+CSQ: 20,0\r\n"),
        (b"AT+MPUB=\"t\",1,0,\"x\"\r", "CLOSED\r\n"),
    ] {
        host.send(line);
        host.wait_for(last);
    }
    module.signal(rustix::process::Signal::KILL);
    drop(module);

    let replay = || run(&["replay", path], b"");
    let output = replay();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    assert!(text.contains("as recorded"), "{text}");
    let recording = std::fs::read_to_string(&file).unwrap();
    for part in [
        "\"--seed\",\"7\"",
        "\"in\":\"fault\",\"line\":\"latency 20ms 15ms on link\"",
        "\"out\":\"open\"",
        "\"in\":\"opened\"",
        "\"hex\":\"",
        "fault 4 strikes",
        "CLOSED",
    ] {
        assert!(recording.contains(part), "{part}");
    }

    // Another byte, and the line that shows it; a cut line is no error.
    std::fs::write(&file, recording.replacen("MCONFIG", "MCONFIX", 1)).unwrap();
    let output = replay();
    assert!(!output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("the module does something else"), "{text}");
    std::fs::write(&file, &recording[..recording.len() - 5]).unwrap();
    let text = String::from_utf8(replay().stdout).unwrap();
    assert!(text.contains("the last line is cut off"), "{text}");
}

#[test]
fn what_is_no_recording_is_refused() {
    let folder = Folder::new("no-recording");
    let file = folder.0.join("run.jsonl");
    for (text, wanted) in [
        (
            "{\"modemq\":99}\n",
            "line 1: no recording of this version of modemq",
        ),
        (
            "{\"modemq\":1,\"us\":0,\"args\":[\"module\",\"air780ep\"],\"unix_time\":null}\nx\n",
            "line 2: no line of a recording: x",
        ),
        (
            "{\"modemq\":1,\"us\":0,\"args\":[\"module\",\"air780ep\"],\"unix_time\":null}\n{\"us\":1,\"in\":\"host\",\"hex\":\"zz\"}\n",
            "line 2: no input",
        ),
        (
            "{\"modemq\":1,\"us\":0,\"args\":[\"module\",\"nonsense\"],\"unix_time\":null}\n",
            "no such model",
        ),
    ] {
        std::fs::write(&file, text).unwrap();
        let output = run(&["replay", file.to_str().unwrap()], b"");
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(!output.status.success() && said.contains(wanted), "{said}");
    }
}
