//! An application on any UART of embassy's: it publishes a count, takes what comes for it, and stays connected.

#![no_std]
#![forbid(unsafe_code)]

use core::fmt::Write as _;
use core::future::pending;
use driver::asynch::{Clock, Error, Modem};
use driver::{Driver, Event, Memory, Module, Options, Outcome, PublishError, QoS};
use embassy_time::{Duration, Timer};
use embedded_io_async::{Read, Write};

/// The driver's time, told by embassy's.
#[derive(Clone, Copy, Debug, Default)]
pub struct EmbassyClock;

impl Clock for EmbassyClock {
    fn now(&self) -> instant::Instant {
        instant::Instant::from_micros(embassy_time::Instant::now().as_micros())
    }

    async fn wait_until(&self, at: Option<instant::Instant>) {
        match at {
            // One tick later: embassy rounds down, and a deadline must have come.
            Some(at) => {
                let at = embassy_time::Instant::from_micros(at.as_micros());
                Timer::at(at + Duration::from_ticks(1)).await;
            }
            None => pending().await,
        }
    }
}

/// What the application is to do.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    /// Where to connect.
    pub options: Options<'a>,
    /// What to subscribe to.
    pub down: &'a str,
    /// What to publish to.
    pub up: &'a str,
    /// How long between two messages.
    pub period: Duration,
}

/// A message that has not arrived is tried again so soon.
const RETRY: Duration = Duration::from_secs(1);

/// Runs until the port ends, or `see` has seen enough.
///
/// # Errors
/// The port cannot be used any more.
///
/// # Panics
/// The plan does not fit the model: found out at the first start.
pub async fn run<P: Read + Write>(
    module: Module,
    port: P,
    plan: Plan<'_>,
    mut see: impl FnMut(&Event<'_>) -> bool,
) -> Result<(), Error<P::Error>> {
    let (mut line, mut command, mut outbox, mut topics) = ([0; 1500], [0; 512], [0; 256], [0; 128]);
    let memory = Memory {
        line: &mut line,
        command: &mut command,
        outbox: &mut outbox,
        topics: &mut topics,
    };
    // On a product: a serial number.
    let driver = Driver::new(module, memory, 1);
    let mut modem = Modem::new(driver, port, EmbassyClock);
    let now = modem.now();
    modem
        .driver
        .subscribe(now, plan.down, QoS::AtLeastOnce)
        .expect("the topic fits the model");
    modem
        .driver
        .connect(now, plan.options)
        .expect("the options fit the model");

    let mut count = Count::default();
    let mut next = embassy_time::Instant::now();
    loop {
        // Dropped while it waits for bytes, it loses none.
        let event = match embassy_time::with_deadline(next, modem.next()).await {
            Ok(event) => Some(event?),
            Err(_) => None,
        };
        if event.as_ref().is_some_and(&mut see) {
            return Ok(());
        }
        let wait = match event {
            Some(Event::Published(_, Outcome::Delivered | Outcome::Sent)) => {
                count.next();
                plan.period
            }
            // It is not there, or nobody knows: the same once more.
            Some(Event::Published(_, Outcome::Refused(_) | Outcome::Unknown)) => RETRY,
            Some(_) => continue,
            None => {
                let now = modem.now();
                let driver = &mut modem.driver;
                let published = driver.republish(now).or_else(|error| match error {
                    PublishError::Nothing => {
                        driver.publish(now, plan.up, count.text(), QoS::AtLeastOnce, false)
                    }
                    error => Err(error),
                });
                match published {
                    // Until its outcome is known.
                    Ok(_) => Duration::from_secs(3600),
                    // Not connected yet.
                    Err(_) => RETRY,
                }
            }
        };
        next = embassy_time::Instant::now() + wait;
    }
}

/// A number, and its digits.
#[derive(Default)]
struct Count {
    number: u32,
    text: [u8; 10],
}

impl Count {
    fn next(&mut self) {
        self.number = self.number.wrapping_add(1);
    }

    fn text(&mut self) -> &[u8] {
        let mut rest = Rest(&mut self.text);
        let _ = write!(rest, "{}", self.number);
        let left = rest.0.len();
        &self.text[..self.text.len() - left]
    }
}

/// What is left of a buffer.
struct Rest<'b>(&'b mut [u8]);

impl core::fmt::Write for Rest<'_> {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        let room = core::mem::take(&mut self.0);
        if room.len() < text.len() {
            return Err(core::fmt::Error);
        }
        let (used, rest) = room.split_at_mut(text.len());
        used.copy_from_slice(text.as_bytes());
        self.0 = rest;
        Ok(())
    }
}
