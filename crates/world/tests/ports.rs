//! The driver at a port of `embedded-io`, as a firmware's loop has it.

// clippy.toml allows unwrap in test functions; these helpers are called by nothing else.
#![allow(clippy::unwrap_used)]

use dialect::Model;
use driver::{Driver, Event, Options, Outcome, QoS, blocking};
use embedded_io::{ErrorType, Read, ReadReady, Write};
use module::{Config, Pace};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;
use world::{Bench, Room};

/// A UART: it takes three bytes at a time, and keeps what has come.
struct Uart {
    bench: Bench,
    received: VecDeque<u8>,
}

impl ErrorType for Uart {
    type Error = Infallible;
}

impl Read for Uart {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        let count = buffer.len().min(self.received.len());
        for (place, byte) in buffer.iter_mut().zip(self.received.drain(..count)) {
            *place = byte;
        }
        Ok(count)
    }
}

impl ReadReady for Uart {
    fn read_ready(&mut self) -> Result<bool, Infallible> {
        self.received.extend(self.bench.take_serial());
        Ok(!self.received.is_empty())
    }
}

impl Write for Uart {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        let count = bytes.len().min(3);
        self.bench.type_bytes(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

#[test]
fn a_loop_around_a_blocking_port_publishes_and_receives() {
    let model = Model::by_name("bc26").unwrap();
    let config = Config {
        pace: Pace::Fast,
        ..Config::default()
    };
    let mut uart = Uart {
        bench: Bench::new(model, config),
        received: VecDeque::new(),
    };
    let mut room = Room::default();
    let mut driver = Driver::new(model, room.memory(), 1);
    let now = uart.bench.now();
    driver.subscribe(now, "t", QoS::AtLeastOnce).unwrap();
    let options = Options {
        host: "broker.test",
        client_id: "dev1",
        ..Options::default()
    };
    driver.connect(now, options).unwrap();
    let (mut delivered, mut received) = (false, Vec::new());
    // A hundred seconds of a loop that comes by every ten milliseconds.
    for _ in 0..10_000 {
        let now = uart.bench.now();
        blocking::exchange(&mut driver, &mut uart, now).unwrap();
        let mut connected = false;
        while let Some(event) = driver.poll_event() {
            match event {
                Event::Connected => connected = true,
                Event::Published(_, outcome) => delivered = outcome == Outcome::Delivered,
                Event::Message(message) => received = message.payload.to_vec(),
                _ => {}
            }
        }
        if connected {
            let payload = b"\x1a\r\nany bytes";
            driver
                .publish(now, "t", payload, QoS::AtLeastOnce, false)
                .unwrap();
        }
        uart.bench.run_for(Duration::from_millis(10));
    }
    assert!(delivered);
    assert_eq!(received, b"\x1a\r\nany bytes");
}
