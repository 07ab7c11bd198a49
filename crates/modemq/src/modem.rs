//! A module at the host's end of a serial line, with the driver on it: what `--via`, `bridge`, `at` and `identify` talk to.

use crate::clock::Clock;
use crate::line::HostLine;
use dialect::Model;
use driver::asynch::{self, Modem};
use driver::{Driver, Memory};
use embedded_io_async::{ErrorType, Read, Write};
use instant::Instant;
use std::io;

/// A driver at a line of this machine.
pub type HostModem<'a> = Modem<'a, HostLine, HostClock>;

/// What a driver works in: room for every message that a model here can send or report.
#[derive(Debug)]
pub struct Room {
    line: Vec<u8>,
    command: Vec<u8>,
    outbox: Vec<u8>,
    topics: Vec<u8>,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            line: vec![0; 16 * 1024],
            command: vec![0; 16 * 1024],
            outbox: vec![0; 128 * 1024],
            topics: vec![0; 16 * 1024],
        }
    }
}

impl Room {
    /// Opens `port` (`tcp:HOST:PORT` or a device) and puts a driver there.
    ///
    /// # Errors
    /// The port cannot be opened.
    pub async fn open(
        &mut self,
        model: &'static Model,
        port: &str,
        baud: Option<u32>,
    ) -> Result<HostModem<'_>, String> {
        let line = HostLine::open(port, baud.unwrap_or(model.defaults.baud)).await?;
        Ok(self.at(model, line))
    }

    /// Puts a driver at a line that is open.
    pub fn at(&mut self, model: &'static Model, line: HostLine) -> HostModem<'_> {
        let memory = Memory {
            line: &mut self.line,
            command: &mut self.command,
            outbox: &mut self.outbox,
            topics: &mut self.topics,
        };
        let driver = Driver::new(model, memory, u64::from(std::process::id()));
        Modem::new(driver, line, HostClock(Clock::start()))
    }
}

/// The monotonic clock of this machine.
#[derive(Debug)]
pub struct HostClock(Clock);

impl asynch::Clock for HostClock {
    fn now(&self) -> Instant {
        self.0.now()
    }

    async fn wait_until(&self, at: Option<Instant>) {
        self.0.sleep_until(at).await;
    }
}

impl ErrorType for HostLine {
    type Error = io::Error;
}

impl Read for HostLine {
    async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read_some(buffer).await
    }
}

impl Write for HostLine {
    async fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.send_some(bytes).await
    }

    async fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
