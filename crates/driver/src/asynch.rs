//! A driver at a port of `embedded-io-async`, in any executor.
//!
//! ```no_run
//! # async fn run<P, C>(modem: &mut driver::asynch::Modem<'_, P, C>) -> Result<(), driver::asynch::Error<P::Error>>
//! # where P: embedded_io_async::Read + embedded_io_async::Write, C: driver::asynch::Clock {
//! use driver::{Event, QoS};
//!
//! loop {
//!     match modem.next().await? {
//!         Event::Connected | Event::Recovered => {
//!             let now = modem.now();
//!             let _ = modem.driver.publish(now, "up", b"hello", QoS::AtLeastOnce, false);
//!         }
//!         Event::Message(message) => { /* message.topic, message.payload */ }
//!         _ => {}
//!     }
//! }
//! # }
//! ```

pub use crate::port::Error;
use crate::{Driver, Event};
use core::future::Future;
use embassy_futures::select::{Either, select};
use embedded_io_async::{Read, Write};
use instant::Instant;

/// What tells the time and waits for it: `embassy_time`, `tokio::time` …
pub trait Clock {
    /// Now, from any epoch.
    fn now(&self) -> Instant;

    /// Waits until then, or for ever. May be dropped while it waits.
    fn wait_until(&self, at: Option<Instant>) -> impl Future<Output = ()>;
}

/// A driver, its port and its clock.
#[derive(Debug)]
pub struct Modem<'a, P, C> {
    /// The driver, to make requests of. They are carried out while [`Modem::next`] waits.
    pub driver: Driver<'a>,
    port: P,
    clock: C,
    /// Bytes that were read and that the driver has not taken: from the first number to the second.
    input: [u8; 256],
    taken: usize,
    read: usize,
}

impl<'a, P: Read + Write, C: Clock> Modem<'a, P, C> {
    /// The three of them.
    pub fn new(driver: Driver<'a>, port: P, clock: C) -> Self {
        Self {
            driver,
            port,
            clock,
            input: [0; 256],
            taken: 0,
            read: 0,
        }
    }

    /// The clock's time, for requests.
    pub fn now(&self) -> Instant {
        self.clock.now()
    }

    /// The port itself.
    pub fn port(&mut self) -> &mut P {
        &mut self.port
    }

    /// Carries bytes both ways until something happens. Loses nothing when it is dropped while it waits, if the port's `read`
    /// does not; what was being written may be cut.
    ///
    /// # Errors
    /// The port cannot be used any more.
    pub async fn next(&mut self) -> Result<Event<'_>, Error<P::Error>> {
        self.wait().await?;
        self.driver.poll_event().ok_or(Error::Ended)
    }

    /// The same for who asks [`Driver::poll_event`] itself what has happened.
    ///
    /// # Errors
    /// The port cannot be used any more.
    pub async fn wait(&mut self) -> Result<(), Error<P::Error>> {
        while !self.driver.has_event() {
            self.step().await?;
        }
        Ok(())
    }

    async fn step(&mut self) -> Result<(), Error<P::Error>> {
        while let Some(bytes) = self.driver.poll_transmit() {
            let written = self.port.write(bytes).await.map_err(Error::Port)?;
            self.driver.transmitted(self.clock.now(), written);
        }
        self.port.flush().await.map_err(Error::Port)?;
        if self.taken == self.read {
            let wait = self.clock.wait_until(self.driver.next_deadline());
            match select(self.port.read(&mut self.input), wait).await {
                Either::First(read) => {
                    self.taken = 0;
                    self.read = read.map_err(Error::Port)?;
                    if self.read == 0 {
                        return Err(Error::Ended);
                    }
                }
                Either::Second(()) => self.driver.advance(self.clock.now()),
            }
        }
        let input = &self.input[self.taken..self.read];
        let now = self.clock.now();
        self.taken += self.driver.receive(now, input);
        // A module that never stops talking does not stop the time.
        if !self.driver.has_event() && self.driver.next_deadline().is_some_and(|at| at <= now) {
            self.driver.advance(now);
        }
        Ok(())
    }
}
