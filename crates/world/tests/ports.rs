//! The driver at ports of `embedded-io`, as a firmware's loop has it, and of `embedded-io-async`.

// clippy.toml allows unwrap in test functions; these helpers are called by nothing else.
#![allow(clippy::unwrap_used)]

use dialect::Model;
use driver::asynch::{Clock, Modem};
use driver::{Driver, Event, Options, Outcome, QoS, Query, blocking};
use embedded_io::{ErrorType, Read, ReadReady, Write};
use instant::Instant;
use module::{Config, Pace};
use std::cell::Cell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
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

/// A port that has ended, and one on which a module never stops talking: each of its reads takes a tenth of a second.
struct Port<'c> {
    says: &'static [u8],
    clock: &'c Cell<u64>,
}

impl ErrorType for Port<'_> {
    type Error = Infallible;
}

impl Read for Port<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        self.clock.set(self.clock.get() + 100);
        assert!(self.clock.get() < 60_000, "a minute, and no event");
        buffer[..self.says.len()].copy_from_slice(self.says);
        Ok(self.says.len())
    }
}

impl ReadReady for Port<'_> {
    fn read_ready(&mut self) -> Result<bool, Infallible> {
        Ok(true)
    }
}

impl Write for Port<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

impl embedded_io_async::Read for Port<'_> {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        Read::read(self, buffer)
    }
}

impl embedded_io_async::Write for Port<'_> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        Ok(bytes.len())
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// Milliseconds that pass as the test wants.
struct Milliseconds<'c>(&'c Cell<u64>);

impl Clock for Milliseconds<'_> {
    fn now(&self) -> Instant {
        Instant::from_millis(self.0.get())
    }

    async fn wait_until(&self, at: Option<Instant>) {
        if at.is_none_or(|at| at > self.now()) {
            std::future::pending::<()>().await;
        }
    }
}

#[test]
fn a_port_that_has_ended_says_so() {
    let clock = Cell::new(0);
    let mut room = Room::default();
    let mut driver = Driver::new(Model::by_name("ec20").unwrap(), room.memory(), 1);
    let mut port = Port {
        says: b"",
        clock: &clock,
    };
    assert_eq!(
        blocking::exchange(&mut driver, &mut port, Instant::ZERO),
        Err(blocking::Error::Ended)
    );
    let mut modem = Modem::new(driver, port, Milliseconds(&clock));
    let next = pin!(modem.next()).poll(&mut Context::from_waker(Waker::noop()));
    assert_eq!(next, Poll::Ready(Err(driver::asynch::Error::Ended)));
}

/// The time stood still as long as there was something to read.
#[test]
fn a_module_that_never_stops_talking_does_not_stop_the_time() {
    let clock = Cell::new(0);
    let mut room = Room::default();
    let driver = Driver::new(Model::by_name("ec20").unwrap(), room.memory(), 1);
    let port = Port {
        says: b"\r\n+X: 1\r\n",
        clock: &clock,
    };
    let mut modem = Modem::new(driver, port, Milliseconds(&clock));
    modem.driver.query(modem.now(), Query::Imei).unwrap();
    let next = pin!(modem.next()).poll(&mut Context::from_waker(Waker::noop()));
    assert_eq!(next, Poll::Ready(Ok(Event::Unanswered(Query::Imei))));
}
