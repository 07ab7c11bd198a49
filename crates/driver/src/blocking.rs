//! A driver at a port of `embedded-io`, in a loop of the caller's.
//!
//! ```no_run
//! # fn run<P>(driver: &mut driver::Driver<'_>, port: &mut P, now: impl Fn() -> instant::Instant) -> Result<(), driver::blocking::Error<P::Error>>
//! # where P: embedded_io::Read + embedded_io::ReadReady + embedded_io::Write {
//! loop {
//!     driver::blocking::exchange(driver, port, now())?;
//!     while let Some(event) = driver.poll_event() { /* … */ }
//!     // The rest of the program; the module's bytes wait in the port's buffer meanwhile.
//! }
//! # }
//! ```

use crate::Driver;
pub use crate::port::Error;
use embedded_io::{Read, ReadReady, Write};
use instant::Instant;

/// Writes what is to be written, reads what has come, byte by byte so that none is left over when an event waits, and lets the
/// time come. It waits for the port to take bytes, and for nothing else.
///
/// # Errors
/// The port cannot be used any more.
pub fn exchange<P>(
    driver: &mut Driver<'_>,
    port: &mut P,
    now: Instant,
) -> Result<(), Error<P::Error>>
where
    P: Read + ReadReady + Write,
{
    driver.advance(now);
    loop {
        while let Some(bytes) = driver.poll_transmit() {
            let written = port.write(bytes).map_err(Error::Port)?;
            driver.transmitted(now, written);
        }
        if driver.has_event() || !port.read_ready().map_err(Error::Port)? {
            return Ok(());
        }
        let mut byte = [0];
        let read = port.read(&mut byte).map_err(Error::Port)?;
        if read == 0 {
            return Err(Error::Ended);
        }
        driver.receive(now, &byte[..read]);
    }
}
