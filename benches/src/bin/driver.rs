//! A report and a reply, read by the driver and by atat's digester: so many times, for callgrind to count.
//!
//!     cargo build --release --bin driver
//!     for what in urc reply; do for who in ours atat; do for slice in 0 1; do
//!         valgrind --tool=callgrind --callgrind-out-file=/dev/null target/release/driver $who $what $slice 1000
//!     done; done; done
//!
//! The same with 2,000: the difference is 1,000 of them. `driver sizes` prints what the state takes.

use atat::digest::ParseError;
use atat::{AtDigester, DigestResult, Digester, Parser};
use driver::{Driver, Event, Memory};
use instant::Instant;
use std::hint::black_box;
use std::time::Duration;

const URC: &[u8] = b"\r\n+QMTRECV: 0,0,\"mqtt/pub\",20,\"data from tcp server\"\r\n";
const REPLY: &[u8] = b"\r\n+CSQ: 24,0\r\n\r\nOK\r\n";

/// As atat's derive writes it for one URC: its prefix, and a line end behind it.
struct Urcs;

impl Parser for Urcs {
    fn parse(buffer: &[u8]) -> Result<(&[u8], usize), ParseError> {
        let (_, found) = atat::digest::parser::urc_helper("+QMTRECV")(buffer)?;
        Ok(found)
    }
}

fn memory() -> Memory<'static> {
    Memory {
        line: vec![0; 4096].leak(),
        command: vec![0; 512].leak(),
        outbox: vec![0; 1024].leak(),
        topics: vec![0; 256].leak(),
    }
}

fn ours(what: &str, slice: usize, count: u64) -> u64 {
    let model = dialect::Model::by_name("ec20").expect("a model");
    let mut driver = Driver::new(model, memory(), 1);
    let mut found = 0;
    for at in 0..count {
        let now = Instant::from_millis(at * 100);
        let input = if what == "reply" {
            let patience = Duration::from_secs(1);
            driver.command(now, "AT+CSQ", patience).expect("it is idle");
            while let Some(bytes) = driver.poll_transmit() {
                let len = bytes.len();
                driver.transmitted(now, len);
            }
            REPLY
        } else {
            URC
        };
        for mut chunk in input.chunks(slice) {
            while !chunk.is_empty() {
                let taken = driver.receive(now, black_box(chunk));
                chunk = &chunk[taken..];
                while let Some(event) = driver.poll_event() {
                    let counts = matches!(event, Event::Message(_) | Event::Line(_));
                    found += u64::from(counts);
                }
            }
        }
    }
    found
}

fn atats(what: &str, slice: usize, count: u64) -> u64 {
    let mut digester = AtDigester::<Urcs>::new();
    let mut buffer = Vec::with_capacity(4096);
    let mut found = 0;
    let input = if what == "reply" { REPLY } else { URC };
    for _ in 0..count {
        for chunk in input.chunks(slice) {
            buffer.extend_from_slice(black_box(chunk));
            loop {
                let (result, used) = digester.digest(&buffer);
                let counts = matches!(result, DigestResult::Urc(_) | DigestResult::Response(Ok(_)));
                let nothing = matches!(result, DigestResult::None);
                found += u64::from(counts);
                buffer.drain(..used);
                if nothing || buffer.is_empty() {
                    break;
                }
            }
        }
    }
    found
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["sizes"] => println!(
            "Driver: {} bytes besides its memory",
            size_of::<Driver<'_>>()
        ),
        [who, what, slice, count] => {
            let slice = match slice.parse().expect("a number") {
                0 => usize::MAX,
                slice => slice,
            };
            let count = count.parse().expect("a number");
            let found = match who {
                "ours" => ours(what, slice, count),
                _ => atats(what, slice, count),
            };
            assert_eq!(found, count, "each is found once");
        }
        _ => eprintln!("driver ours|atat urc|reply SLICE COUNT, or driver sizes"),
    }
}
