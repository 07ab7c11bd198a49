//! The cores' time, from the machine's monotonic clock.

use instant::Instant;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Tells how long it has been running.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: tokio::time::Instant,
}

impl Clock {
    /// A clock that starts now.
    pub fn start() -> Self {
        Self {
            start: tokio::time::Instant::now(),
        }
    }

    /// The cores' now.
    pub fn now(self) -> Instant {
        let micros = u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX);
        Instant::from_micros(micros)
    }

    /// Waits for an instant of the cores; for ever when there is none.
    pub async fn sleep_until(self, at: Option<Instant>) {
        match at {
            Some(at) => {
                tokio::time::sleep_until(self.start + Duration::from_micros(at.as_micros())).await;
            }
            None => std::future::pending().await,
        }
    }
}

/// UTC in seconds since 1970.
pub fn unix_time() -> Option<u64> {
    Some(unix_millis()? / 1000)
}

/// The same in milliseconds.
pub fn unix_millis() -> Option<u64> {
    Some(unix_micros()? / 1000)
}

/// The same in microseconds.
pub fn unix_micros() -> Option<u64> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    u64::try_from(since.as_micros()).ok()
}
