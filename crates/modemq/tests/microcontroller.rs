//! Firmware on an emulated microcontroller with an emulated modem: `crates/driver/embassy` on the Cortex-M4 that QEMU plays, its
//! UART at a module of ours.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{Broker, start};
use dialect::model;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The firmware, made as its Cargo.toml says.
fn firmware() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target = root.join("target/embassy");
    let built = Command::new(env!("CARGO"))
        .args(["build", "--release", "--locked", "--quiet"])
        .args(["--target", "thumbv7em-none-eabihf", "--features", "mps2"])
        .arg("--manifest-path")
        .arg(root.join("crates/driver/embassy/Cargo.toml"))
        .arg("--target-dir")
        .arg(&target)
        .status();
    assert!(built.unwrap().success());
    target.join("thumbv7em-none-eabihf/release/mps2")
}

/// Runs the firmware with this module at its UART until it has had its message back; returns what it told.
fn run(firmware: &Path, model: &str, faults: &[&str]) -> Vec<String> {
    let broker = Broker::ours(&[]);
    let place = ["module", model, "--tcp", "127.0.0.1:0", "--pace", "fast"];
    let faults: Vec<_> = faults.iter().flat_map(|fault| ["--fault", fault]).collect();
    let mut module = start(&[&place[..], &faults].concat());
    let line = module.line();
    let port = line
        .split_whitespace()
        .find(|word| word.starts_with("tcp:"))
        .unwrap();
    let words = ["firmware", model, "127.0.0.1", &broker.port(), "a/b"];
    let words = words.map(|word| format!("arg={word}")).join(",");
    let output = Command::new("timeout")
        .args([
            "120",
            "qemu-system-arm",
            "-M",
            "mps2-an386",
            "-nographic",
            "-monitor",
            "none",
        ])
        .args([
            "-serial",
            port,
            "-semihosting-config",
            &format!("enable=on,{words}"),
        ])
        .arg("-kernel")
        .arg(firmware)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{model}: {told}{errors}");
    let own = format!("{model}: ");
    let events = told.lines().map(|line| line.strip_prefix(&own).unwrap());
    events.map(String::from).collect()
}

const BACK: &str = "Message(Message { topic: [97, 47, 98], payload: [48], lack: Nothing })";

#[test]
#[ignore = "needs the target thumbv7em-none-eabihf and qemu-system-arm; .ci/run runs it where they are"]
fn firmware_publishes_and_receives_through_each_model() {
    let firmware = firmware();
    for model in model::ALL {
        let mut events = run(&firmware, model.name, &[]);
        // The broker may be faster with the message than with its acknowledgement.
        events[2..].sort_unstable();
        let expected = [
            "Subscribed(Token(1), Ok(()))",
            "Connected",
            BACK,
            "Published(Token(2), Delivered)",
        ];
        assert_eq!(events, expected, "{}", model.name);
    }
}

#[test]
#[ignore = "needs the target thumbv7em-none-eabihf and qemu-system-arm; .ci/run runs it where they are"]
fn firmware_recovers_and_publishes_again() {
    // The login is answered when it has been given up, and the connection breaks with the message on its way.
    let faults = [
        "late-reply 8s when AT+QMTOPEN times 1",
        "tcp-drop when AT+QMTPUB times 1",
    ];
    let mut events = run(&firmware(), "ec20", &faults);
    assert!(
        events.iter().any(|event| event == "Recovered"),
        "{events:?}"
    );
    let end = events.split_off(events.len() - 2);
    assert!(end.iter().any(|event| event == BACK), "{end:?}");
    let delivered = end
        .iter()
        .any(|event| event.starts_with("Published(") && event.ends_with("Delivered)"));
    assert!(delivered, "{end:?}");
}
