//! How much memory a broker holds for each client: `broker_clients NAME=PID=ADDRESS …`, all in one run.
//!
//! Connects 2,000 clients to each broker, each with one subscription of its own, and prints what the broker's resident memory
//! grew by. `benches/README.md` has the command.

use std::io::{Read, Write};
use std::net::TcpStream;

const CLIENTS: usize = 2_000;

fn main() {
    println!(
        "| broker | resident before, KB | with {CLIENTS} clients, KB | bytes a client |\n|---|---:|---:|---:|"
    );
    for argument in std::env::args().skip(1) {
        let mut parts = argument.split('=');
        let (Some(name), Some(pid), Some(address)) = (parts.next(), parts.next(), parts.next())
        else {
            panic!("NAME=PID=ADDRESS is wanted, got {argument}");
        };
        let before = resident(pid);
        let clients: Vec<_> = (0..CLIENTS).map(|index| client(address, index)).collect();
        let with = resident(pid);
        println!(
            "| {name} | {before} | {with} | {} |",
            (with - before) * 1024 / CLIENTS
        );
        drop(clients);
    }
}

fn client(address: &str, index: usize) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("the broker takes connections");
    let id = format!("client-{index:05}");
    let connect = [
        b"\x10\x18\x00\x04MQTT\x04\x02\x00\x00\x00\x0c".as_slice(),
        id.as_bytes(),
    ]
    .concat();
    let topic = format!("bench/{index:05}");
    let subscribe = [
        b"\x82\x10\x00\x01\x00\x0b".as_slice(),
        topic.as_bytes(),
        b"\x00",
    ]
    .concat();
    stream
        .write_all(&[connect, subscribe].concat())
        .expect("the broker reads");
    let mut answers = [0; 9];
    stream.read_exact(&mut answers).expect("CONNACK and SUBACK");
    assert_eq!(&answers, b"\x20\x02\x00\x00\x90\x03\x00\x01\x00");
    stream
}

/// Resident memory of a process in KB.
fn resident(pid: &str) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("such a process");
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .expect("a resident size");
    line.split_whitespace()
        .nth(1)
        .and_then(|number| number.parse().ok())
        .expect("a number")
}
