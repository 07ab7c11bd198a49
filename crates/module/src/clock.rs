//! The module's own clock.

use credentials::Timestamp;
use instant::Instant;
use time::{Date, Month, OffsetDateTime, PrimitiveDateTime, Time};

/// What the clock shows after power-on when nobody has set it: 2000-01-01 00:00:00 UTC.
// Inferred: no page says what an unset clock shows.
const UNSET: i64 = 946_684_800;

/// The real-time clock: unset, set by the network, or set by the host.
#[derive(Debug)]
pub(crate) struct Clock {
    /// UTC as the world has it, when that is known, at an instant.
    world: Option<(Instant, i64)>,
    /// UTC as the module has it, at an instant.
    own: (Instant, i64),
    /// Quarters of an hour east of UTC.
    quarters: i8,
    /// Whether anybody has set it since power-on.
    is_set: bool,
}

impl Clock {
    pub(crate) fn new(now: Instant, unix_time: Option<u64>) -> Self {
        Self {
            world: unix_time.and_then(|seconds| Some((now, i64::try_from(seconds).ok()?))),
            own: (now, UNSET),
            quarters: 0,
            is_set: false,
        }
    }

    pub(crate) fn power_on(&mut self, now: Instant) {
        self.own = (now, UNSET);
        self.quarters = 0;
        self.is_set = false;
    }

    /// The network tells the time; false when the world has none to tell.
    pub(crate) fn set_from_network(&mut self, now: Instant) -> bool {
        if let Some(world) = self.world {
            self.set_unix(now, at(world, now));
        }
        self.world.is_some()
    }

    /// Sets the clock from `yy/MM/dd,hh:mm:ss±zz`; false when that is no time.
    pub(crate) fn set(&mut self, now: Instant, text: &[u8]) -> bool {
        let Some((seconds, quarters)) = parse(text) else {
            return false;
        };
        self.set_unix(now, seconds);
        self.quarters = quarters;
        true
    }

    /// `yy/MM/dd,hh:mm:ss±zz`, local time.
    pub(crate) fn cclk(&self, now: Instant) -> String {
        let local = self.local(now);
        format!(
            "{:02}/{:02}/{:02},{:02}:{:02}:{:02}{:+03}",
            local.year() % 100,
            u8::from(local.month()),
            local.day(),
            local.hour(),
            local.minute(),
            local.second(),
            self.quarters
        )
    }

    /// `yyyy/MM/dd,hh:mm:ss+z`, as the report of the network's time has it.
    // Source: tutorial §6.3: `+NITZ: 2024/10/11,07:38:35+0,0`.
    pub(crate) fn nitz(&self, now: Instant) -> String {
        let local = self.local(now);
        format!(
            "{:04}/{:02}/{:02},{:02}:{:02}:{:02}{:+}",
            local.year(),
            u8::from(local.month()),
            local.day(),
            local.hour(),
            local.minute(),
            local.second(),
            self.quarters
        )
    }

    /// What `asctime` makes of it: `Thu Sep  2 18:57:03 2021`, so many minutes east of UTC; 1970 when it was never set.
    pub(crate) fn asctime(&self, now: Instant, minutes_east: i64) -> String {
        let utc = match at(self.own, now) {
            seconds if self.is_set => seconds + minutes_east * 60,
            _ => 0,
        };
        let time = OffsetDateTime::from_unix_timestamp(utc).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let name = |name: String| name[..3].to_string();
        format!(
            "{} {} {:2} {:02}:{:02}:{:02} {}",
            name(time.weekday().to_string()),
            name(time.month().to_string()),
            time.day(),
            time.hour(),
            time.minute(),
            time.second(),
            time.year()
        )
    }

    /// Seconds since 1970; 0 when it was never set.
    pub(crate) fn unix(&self, now: Instant) -> i64 {
        if self.is_set { at(self.own, now) } else { 0 }
    }

    /// Sets it to so many seconds since 1970.
    pub(crate) fn set_unix(&mut self, now: Instant, seconds: i64) {
        self.own = (now, seconds);
        self.is_set = true;
    }

    /// The hour in UTC, as clouds' passwords have it.
    pub(crate) fn hour(&self, now: Instant) -> Timestamp {
        Timestamp::from_unix(at(self.own, now)).unwrap_or_default()
    }

    fn local(&self, now: Instant) -> OffsetDateTime {
        let seconds = at(self.own, now) + i64::from(self.quarters) * 900;
        OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }
}

fn at((since, seconds): (Instant, i64), now: Instant) -> i64 {
    seconds.saturating_add((now - since).as_secs().cast_signed())
}

/// UTC seconds and the zone's quarters of an hour.
fn parse(text: &[u8]) -> Option<(i64, i8)> {
    let text = std::str::from_utf8(text).ok()?;
    let bytes = text.as_bytes();
    let form = b"00/00/00,00:00:00";
    let fits = bytes.len() == form.len() + 3
        && form.iter().zip(bytes).all(|(&wanted, &byte)| {
            if wanted == b'0' {
                byte.is_ascii_digit()
            } else {
                byte == wanted
            }
        });
    if !fits {
        return None;
    }
    let number = |from: usize| text[from..from + 2].parse::<u8>().ok();
    let date = Date::from_calendar_date(
        2000 + i32::from(number(0)?),
        Month::try_from(number(3)?).ok()?,
        number(6)?,
    );
    let time = Time::from_hms(number(9)?, number(12)?, number(15)?);
    let quarters: i8 = text[form.len()..].parse().ok()?;
    let local = PrimitiveDateTime::new(date.ok()?, time.ok()?).assume_utc();
    ((-47..=48).contains(&quarters))
        .then(|| (local.unix_timestamp() - i64::from(quarters) * 900, quarters))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_runs_from_where_it_was_set() {
        let mut clock = Clock::new(Instant::ZERO, None);
        assert_eq!(
            clock.cclk(Instant::from_millis(61_000)),
            "00/01/01,00:01:01+00"
        );
        assert!(clock.set(Instant::ZERO, b"18/08/07,13:28:29+32"));
        assert_eq!(
            clock.cclk(Instant::from_millis(2_000)),
            "18/08/07,13:28:31+32"
        );
        for bad in [
            "18/13/07,13:28:29+32",
            "18/08/07 13:28:29+32",
            "18/08/07,13:28:29+99",
            "",
        ] {
            assert!(!clock.set(Instant::ZERO, bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn the_network_tells_the_time() {
        let mut clock = Clock::new(Instant::ZERO, Some(1_728_632_315));
        assert!(clock.set_from_network(Instant::ZERO));
        assert_eq!(clock.nitz(Instant::ZERO), "2024/10/11,07:38:35+0");
    }
}
