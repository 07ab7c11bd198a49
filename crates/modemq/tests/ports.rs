//! How the tools reach a module's port, and what becomes of what they print: one program at a port, errors that say what to do,
//! readers that go away.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{Running, modemq, run, start, temporary};
use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::Output;

fn module_on(link: &Path) -> Running {
    let link = link.to_str().unwrap();
    let mut module = start(&["module", "air780ep", "--pty", link, "--pace", "fast"]);
    module.line();
    module
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Two programs at one port stole each other's bytes, and both waited for what the other one had read.
#[test]
fn a_port_is_one_programs_at_a_time() {
    let link = temporary("alone");
    let _module = module_on(&link);
    let port = link.to_str().unwrap();
    let other = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(&link)
        .unwrap();
    other.try_lock().unwrap();
    for args in [&["at", port, "AT"][..], &["identify", port]] {
        let output = run(args, b"");
        assert_eq!(output.status.code(), Some(1));
        let wanted = format!("modemq: {port}: in use by another program\n");
        assert_eq!(stderr(&output), wanted);
    }
    drop(other);
    let output = run(&["at", port, "AT"], b"");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "OK\n");
    // What minds no lock was not kept out for ever.
    let mut plain = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(&link)
        .unwrap();
    plain.write_all(b"AT\r").unwrap();
    let mut byte = [0];
    plain.read_exact(&mut byte).unwrap();
}

#[test]
fn what_is_wrong_with_a_port_is_said_with_what_helps() {
    let file = temporary("file");
    fs::write(&file, "x").unwrap();
    let file = file.to_str().unwrap();
    for (port, wanted) in [
        (
            "tcp:localhost",
            "tcp:localhost: expected tcp:HOST:PORT, such as tcp:127.0.0.1:7000\n",
        ),
        (
            "tcp:127.0.0.1:x",
            "tcp:127.0.0.1:x: expected tcp:HOST:PORT, such as tcp:127.0.0.1:7000\n",
        ),
        ("tcp:127.0.0.1:1", "tcp:127.0.0.1:1: nobody listens there\n"),
        ("/dev/ttyNone", "/dev/ttyNone: there is no such device: "),
        (file, &format!("{file}: this is no serial port\n")),
    ] {
        let via = format!("ec20:{port}");
        for args in [
            &["at", port, "AT"][..],
            &["identify", port],
            &["pub", "--via", &via, "-t", "t", "-n"],
        ] {
            let output = run(args, b"");
            assert_eq!(output.status.code(), Some(1));
            assert!(stderr(&output).contains(wanted), "{}", stderr(&output));
        }
    }
    fs::remove_file(file).unwrap();
}

/// `modemq models | head -1` ended with a panic's message.
#[test]
fn a_reader_that_goes_away_is_no_error() {
    for args in [
        &["models"][..],
        &["reference", "ec20"],
        &["explain", "AT+CSQ"],
        &["faults"],
        &["faults", "latency"],
        &["iotda", "credentials", "--device-id", "d", "--secret", "s"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = modemq(args).stdout(writer).output().unwrap();
        assert_eq!(stderr(&output), "", "{args:?}");
        assert!(output.status.success(), "{args:?}");
    }
}
