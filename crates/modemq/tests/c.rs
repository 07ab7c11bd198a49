//! The driver for C: the library without std, its header, and the example in C against a module and a broker.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{Broker, Folder, start};
use std::path::Path;
use std::process::Command;

fn done(command: &mut Command) {
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success(), "{command:?}: {said}");
}

#[test]
fn the_example_in_c_publishes_and_receives() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let source = root.join("crates/driver/c");
    let target = root.join("target/c");
    let mut cargo = Command::new(env!("CARGO"));
    done(
        cargo
            .args([
                "build",
                "--release",
                "--locked",
                "--quiet",
                "--manifest-path",
            ])
            .arg(source.join("Cargo.toml"))
            .arg("--target-dir")
            .arg(&target),
    );
    let folder = Folder::new("c");
    let example = folder.0.join("example");
    let compiler = std::env::var("CC").unwrap_or("cc".into());
    done(
        Command::new(compiler)
            .args(["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-o"])
            .arg(&example)
            .arg(source.join("example.c"))
            .arg(target.join("release/libmodemq.a")),
    );

    let broker = Broker::ours(&[]);
    let link = folder.0.join("port");
    let port = link.to_str().unwrap();
    let mut module = start(&["module", "ec20", "--pty", port, "--pace", "fast"]);
    module.line();
    let output = Command::new(&example)
        .args(["ec20", port, "127.0.0.1", &broker.port(), "a/b", "hello"])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "a/b: hello\n");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "delivered\n");
    assert!(output.status.success());
}
