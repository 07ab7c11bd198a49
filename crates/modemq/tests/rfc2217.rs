//! `modemq module --rfc2217`: a host at the other end of telnet, byte for byte.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{GUARD, Running, run, start, temporary};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// WILL ECHO, WILL SUPPRESS-GO-AHEAD, WILL and DO BINARY, DO COM-PORT-OPTION.
const OFFERS: &[u8] = b"\xff\xfb\x01\xff\xfb\x03\xff\xfb\x00\xff\xfd\x00\xff\xfd\x2c";
/// What a host agrees to.
const AGREED: &[u8] = b"\xff\xfd\x01\xff\xfd\x03\xff\xfd\x00\xff\xfb\x00\xff\xfb\x2c";
/// NOTIFY-MODEMSTATE: DSR and CTS.
const READY: &[u8] = b"\xff\xfa\x2c\x6b\x30\xff\xf0";

struct Host(TcpStream);

impl Host {
    fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(GUARD)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(stream)
    }

    /// One that controls the port.
    fn controlling(address: SocketAddr) -> Self {
        let mut host = Self::connect(address);
        host.expect(OFFERS);
        host.send(AGREED);
        host.expect(READY);
        host
    }

    fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    fn expect(&mut self, wanted: &[u8]) {
        let mut came = vec![0; wanted.len()];
        if let Err(error) = self.0.read_exact(&mut came) {
            panic!("{:?} wanted: {error}", wanted.escape_ascii().to_string());
        }
        assert_eq!(
            came.escape_ascii().to_string(),
            wanted.escape_ascii().to_string()
        );
    }

    /// A command of COM-PORT-OPTION, and its answer.
    fn set(&mut self, command: &[u8], answer: &[u8]) {
        self.send(&[b"\xff\xfa\x2c", command, b"\xff\xf0"].concat());
        if !answer.is_empty() {
            self.expect(&[b"\xff\xfa\x2c", answer, b"\xff\xf0"].concat());
        }
    }

    /// Waits for what tells that everything before it has arrived, and that nothing else was said.
    fn synchronise(&mut self) {
        self.set(&[7], &[107, 0x30]);
    }

    /// Reads up to this, and returns what came before it.
    fn wait_for(&mut self, wanted: &[u8]) -> Vec<u8> {
        let mut came = Vec::new();
        while !came.ends_with(wanted) {
            let mut byte = [0];
            self.0.read_exact(&mut byte).unwrap();
            came.extend(byte);
        }
        came.truncate(came.len() - wanted.len());
        came
    }

    fn command(&mut self, line: &str, reply: &str) {
        self.send(format!("{line}\r").as_bytes());
        self.expect(format!("{line}\r\r\n{reply}\r\n").as_bytes());
    }
}

/// A module that has said all that it says by itself.
fn module() -> (Running, SocketAddr) {
    let mut module = start(&[
        "module",
        "air780ep",
        "--pace",
        "fast",
        "--rfc2217",
        "127.0.0.1:0",
    ]);
    let address = address_of(&module.line());
    (module, address)
}

fn address_of(line: &str) -> SocketAddr {
    let address = line.split("rfc2217://").nth(1).unwrap();
    address.split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn a_host_controls_the_port() {
    let (_module, address) = module();
    let mut host = Host::controlling(address);
    host.command("AT", "OK");
    host.set(b"\0", b"\x64modemq 0.1.0 Air780EP");
    host.set(&[5, 9], &[105, 9]);
    host.set(&[5, 7], &[105, 9]);
    host.set(&[12, 3], &[112, 3]);
    // DCD follows AT&C.
    host.send(b"AT&C0\r");
    host.expect(b"\xff\xfa\x2c\x6b\xb8\xff\xf0AT&C0\r\r\nOK\r\n");
    host.send(b"AT&C1\r");
    host.expect(b"\xff\xfa\x2c\x6b\x38\xff\xf0AT&C1\r\r\nOK\r\n");
    // A byte that telnet would take for a command passes both ways.
    host.send(b"AT\xff\xff\r");
    host.expect(b"AT\xff\xff\r\r\nERROR\r\n");
}

#[test]
fn a_wrong_rate_is_noise_both_ways_and_the_right_one_is_found_or_set() {
    let (_module, address) = module();
    let mut host = Host::controlling(address);
    // AT+IPR=0: any rate is the right one.
    host.set(&[1, 0, 0, 0x25, 0x80], &[101, 0, 0, 0x25, 0x80]);
    host.command("AT", "OK");
    // The reply is at the old rate.
    host.command("AT+IPR=115200", "OK");
    host.send(b"AT\r");
    // What 9600 sends is noise without a line end to 115200: its echo is noise again, and no answer comes.
    host.send(b"\xff\xfa\x2c\x01\x00\x01\xc2\x00\xff\xf0");
    let noise = host.wait_for(b"\xff\xfa\x2c\x65\x00\x01\xc2\x00\xff\xf0");
    assert!(!noise.windows(2).any(|pair| pair == b"OK"), "{noise:?}");
    // What the noise has left in the line ends with this.
    host.send(b"\r");
    host.wait_for(b"\r");
    host.command("AT", "OK");
}

#[test]
fn a_host_that_wants_silence_hears_the_rest_later() {
    let (_module, address) = module();
    let mut host = Host::controlling(address);
    host.set(&[8], &[]);
    host.send(b"AT\r");
    // Answers about the port still come, and nothing before them.
    host.synchronise();
    host.set(&[5, 12], &[105, 12]);
    host.set(&[9], &[]);
    host.expect(b"AT\r\r\nOK\r\n");
}

#[test]
fn a_plain_terminal_works_too_and_each_host_begins_anew() {
    let (_module, address) = module();
    let mut terminal = Host::connect(address);
    terminal.expect(OFFERS);
    // NVT: Return is CR NUL.
    terminal.send(b"AT\r\0");
    terminal.expect(b"AT\r\r\nOK\r\n");
    let mut next = Host::controlling(address);
    next.command("AT", "OK");
    let mut rest = Vec::new();
    assert_eq!(terminal.0.read_to_end(&mut rest).unwrap(), 0, "{rest:?}");
}

#[test]
fn nothing_is_lost_when_much_is_said() {
    let (_module, address) = module();
    let mut host = Host::controlling(address);
    let line = format!("AT+CGMM{};+CGMM", ";+CGMM".repeat(100));
    let reply = "\r\n+CGMM: \"Air780EP\"\r\n".repeat(102);
    host.send(format!("{line}\r").as_bytes());
    host.expect(format!("{line}\r{reply}\r\nOK\r\n").as_bytes());
}

#[test]
fn who_asks_and_does_not_listen_is_held_back() {
    let (_module, address) = module();
    let mut host = Host::controlling(address);
    host.0
        .set_write_timeout(Some(Duration::from_secs(2)))
        .unwrap();
    let questions = b"\xff\xfa\x2c\x00\xff\xf0".repeat(10_000);
    // The system's buffers take some megabytes; a module that kept the answers to all of this would be large.
    let held_back = (0..2_000).any(|_| host.0.write_all(&questions).is_err());
    assert!(held_back);
    Host::controlling(address).command("AT", "OK");
}

#[test]
fn one_line_is_one_port() {
    let both = run(&["module", "air780ep", "--tcp", "0", "--rfc2217", "0"], b"");
    assert_eq!(both.status.code(), Some(2));
}

#[test]
fn a_run_with_a_rate_is_played_again() {
    let file = temporary("recording");
    let path = file.to_str().unwrap();
    let mut module = start(&[
        "module",
        "air780ep",
        "--rfc2217",
        "127.0.0.1:0",
        "--record",
        path,
    ]);
    let mut host = Host::controlling(address_of(&module.line()));
    host.wait_for(b"+NITZ");
    host.wait_for(b"\r\n");
    host.set(&[1, 0, 0, 0x25, 0x80], &[101, 0, 0, 0x25, 0x80]);
    host.command("AT+CGMM", "+CGMM: \"Air780EP\"\r\n\r\nOK");
    drop(module);
    let replayed = run(&["replay", path], b"");
    let text = std::fs::read_to_string(&file).unwrap();
    let _ = std::fs::remove_file(&file);
    assert!(text.contains("host-rate 9600"));
    assert!(replayed.status.success(), "{replayed:?}");
}
