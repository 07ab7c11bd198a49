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

#[test]
#[ignore = "needs the target thumbv7em-none-eabihf and qemu-system-arm; .ci/run runs it where they are"]
fn firmware_publishes_and_receives_through_each_model() {
    let firmware = firmware();
    let broker = Broker::ours(&[]);
    for model in model::ALL {
        let mut module = start(&[
            "module",
            model.name,
            "--tcp",
            "127.0.0.1:0",
            "--pace",
            "fast",
        ]);
        let line = module.line();
        let port = line
            .split_whitespace()
            .find(|word| word.starts_with("tcp:"))
            .unwrap();
        let words = ["firmware", model.name, "127.0.0.1", &broker.port(), "a/b"];
        let words = words.map(|word| format!("arg={word}")).join(",");
        let output = Command::new("timeout")
            .args([
                "60",
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
            .arg(&firmware)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let told = String::from_utf8(output.stdout).unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {told}{errors}", model.name);
        let mut events: Vec<_> = told.lines().collect();
        // The broker may be faster with the message than with its acknowledgement.
        events[2..].sort_unstable();
        let expected = [
            "Subscribed(Token(1), Ok(()))",
            "Connected",
            "Message(Message { topic: [97, 47, 98], payload: [48], lack: Nothing })",
            "Published(Token(2), Delivered)",
        ];
        assert_eq!(
            events,
            expected.map(|event| format!("{}: {event}", model.name))
        );
    }
}
