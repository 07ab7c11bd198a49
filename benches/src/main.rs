//! The codec and the session beside their peers, in one run: time, allocations, memory when idle, and panics on hostile
//! bytes. Prints markdown; `README.md` keeps what it printed.
//!
//!     cargo run --release [hostile inputs]

mod hostile;
mod measure;
mod peers;

use measure::{Cost, Table, idle};

/// What every row is about: QoS 1, topic `mqtt/pub`, 20 bytes.
pub const TOPIC: &str = "mqtt/pub";
pub const PAYLOAD: &[u8] = b"data from tcp server";
pub const WIRE: &[u8] = b"\x32\x20\x00\x08mqtt/pub\x00\x07data from tcp server";

fn main() {
    let inputs = std::env::args().nth(1).map_or(1_000_000, |number| {
        number.parse().expect("a number of hostile inputs")
    });

    println!("## Codec: one PUBLISH, QoS 1, 20 bytes\n");
    let table = Table::new(&["decode", "encode"]);
    for (name, decode, encode) in peers::codecs() {
        table.row(name, &[decode, encode]);
    }

    println!("\n## Session: a QoS 1 message each way, with its PUBACK\n");
    let table = Table::new(&["receive", "publish"]);
    for (name, receive, publish) in peers::sessions() {
        table.row(name, &[receive, publish]);
    }

    println!("\n## Memory of a session: connected, one subscription, idle\n");
    println!("| | bytes: struct + heap | ratio | struct alone | after 100 messages each way |");
    println!("|---|---:|---:|---:|---:|");
    let mut ours = None;
    for (name, size, make, used) in peers::idle_sessions() {
        let (fresh, worn) = (size + idle(make), size + idle(used));
        let ours = *ours.get_or_insert(fresh);
        println!(
            "| {name} | {fresh} | {:.1}x | {size} | {worn} |",
            fresh as f64 / ours as f64
        );
    }

    println!("\n## Panics on {inputs} hostile inputs\n");
    println!("| | panics | panics per million |");
    println!("|---|---:|---:|");
    for (name, panics) in hostile::panics(inputs) {
        println!(
            "| {name} | {panics} | {:.0} |",
            panics as f64 * 1e6 / inputs as f64
        );
    }
}

/// Nanoseconds and allocations of one operation; `None`: the peer has no such thing.
pub type Cell = Option<Cost>;
