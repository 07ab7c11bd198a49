//! A Wi-Fi station: the access point that it looks for, the association, the address.

use crate::api::{AccessPoint, Pace, Radio as World};
use dialect::model::Timing;
use instant::Instant;
use std::net::Ipv4Addr;
use std::time::Duration;

/// Where the station is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It never tried.
    Idle,
    /// It looks for the access point.
    Joining,
    /// It is associated and has no address yet.
    Associated,
    /// It has an address.
    Ready,
    /// It was associated, or failed to be.
    Disconnected,
}

/// What the host is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum News {
    Associated,
    GotAddress,
    /// With the number that AT+CWJAP prints.
    Failed(u8),
}

/// Why a station does not join. Source: ESP-AT 2.2 documentation, CWJAP.
mod failure {
    pub(super) const TIMEOUT: u8 = 1;
    pub(super) const WRONG_PASSWORD: u8 = 2;
    pub(super) const NOT_FOUND: u8 = 3;
}

/// Whom the station looks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) ssid: String,
    pub(crate) password: String,
}

pub(crate) struct Station {
    pub(crate) state: State,
    pub(crate) target: Option<Target>,
    /// Seconds between attempts to join again; 0: none.
    pub(crate) interval: u16,
    /// How many attempts; 0: without end.
    pub(crate) repeat: u16,
    /// How long AT+CWJAP tries.
    pub(crate) patience: Duration,
    /// AT+CIPSTA: address, gateway, netmask.
    pub(crate) fixed: Option<[Ipv4Addr; 3]>,
    in_reach: bool,
    attempts: u16,
    /// The host waits for what becomes of it.
    asked: bool,
    next: Option<(Instant, Step)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Associate,
    Address,
    Fail(u8),
    Again,
}

impl Station {
    pub(crate) fn new() -> Self {
        Self {
            state: State::Idle,
            target: None,
            interval: 1,
            repeat: 0,
            patience: Duration::from_secs(15),
            fixed: None,
            in_reach: true,
            attempts: 0,
            asked: false,
            next: None,
        }
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.state == State::Ready
    }

    /// The access point with which the station is associated.
    pub(crate) fn joined(&self) -> Option<&Target> {
        let associated = matches!(self.state, State::Associated | State::Ready);
        self.target.as_ref().filter(|_| associated)
    }

    /// Looks for the access point, once.
    pub(crate) fn join_once(&mut self, now: Instant, world: &World, timing: &Timing, pace: Pace) {
        self.join(now, world, timing, pace);
        self.asked = true;
    }

    /// Looks for the access point until it is found.
    pub(crate) fn join(&mut self, now: Instant, world: &World, timing: &Timing, pace: Pace) {
        let Some(target) = &self.target else {
            return;
        };
        self.state = State::Joining;
        self.asked = false;
        let (after, step) = if self.in_reach && world.rssi != 99 {
            match find(world, &target.ssid) {
                None => (timing.registration * 2, Step::Fail(failure::NOT_FOUND)),
                Some(found) if !found.password.is_empty() && found.password != target.password => {
                    (timing.registration * 3, Step::Fail(failure::WRONG_PASSWORD))
                }
                Some(_) => (timing.registration, Step::Associate),
            }
        } else {
            (self.patience, Step::Fail(failure::TIMEOUT))
        };
        self.schedule(now, after, step, pace);
    }

    /// Leaves the access point, and does not look for it again by itself; true when it was associated.
    pub(crate) fn leave(&mut self) -> bool {
        let was = self.joined().is_some();
        if self.state != State::Idle {
            self.state = State::Disconnected;
        }
        self.next = None;
        was
    }

    /// The access points go away or come back; true when the association is lost.
    pub(crate) fn reach(&mut self, now: Instant, in_reach: bool) -> bool {
        self.in_reach = in_reach;
        if in_reach {
            return false;
        }
        let was = self.joined().is_some();
        match self.next {
            // An association that is under way comes to nothing.
            Some((_, Step::Associate)) => {
                self.next = Some((now + self.patience, Step::Fail(failure::TIMEOUT)));
            }
            Some((_, Step::Address)) => self.next = None,
            _ => {}
        }
        if was {
            self.state = State::Disconnected;
            self.attempts = 0;
            self.try_again(now);
        }
        was
    }

    /// What has happened by now.
    pub(crate) fn advance(
        &mut self,
        now: Instant,
        world: &World,
        timing: &Timing,
        pace: Pace,
    ) -> Option<News> {
        let (_, step) = self.next.filter(|(at, _)| *at <= now)?;
        self.next = None;
        match step {
            Step::Associate => {
                self.state = State::Associated;
                self.schedule(now, timing.pdp, Step::Address, pace);
                Some(News::Associated)
            }
            Step::Address => {
                self.state = State::Ready;
                self.attempts = 0;
                Some(News::GotAddress)
            }
            Step::Fail(code) => {
                self.state = State::Disconnected;
                if !self.asked {
                    self.try_again(now);
                }
                Some(News::Failed(code))
            }
            Step::Again => {
                self.attempts = self.attempts.saturating_add(1);
                self.join(now, world, timing, pace);
                None
            }
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.next.map(|(at, _)| at)
    }

    fn try_again(&mut self, now: Instant) {
        let more = self.repeat == 0 || self.attempts < self.repeat;
        if self.interval > 0 && more {
            // At any pace: nobody may be there for a long time.
            let after = Duration::from_secs(self.interval.into());
            self.next = Some((now + after, Step::Again));
        }
    }

    fn schedule(&mut self, now: Instant, after: Duration, step: Step, pace: Pace) {
        let after = match pace {
            Pace::Real => after,
            Pace::Fast => Duration::ZERO,
        };
        self.next = Some((now + after, step));
    }
}

/// The access point of that name.
fn find(world: &World, ssid: &str) -> Option<AccessPoint> {
    if world.access_points.is_empty() {
        return Some(AccessPoint {
            ssid: ssid.into(),
            password: String::new(),
        });
    }
    let mut points = world.access_points.iter();
    points.find(|point| point.ssid == ssid).cloned()
}

/// The hardware address of an access point: made of its name, so that it stays the same.
pub(crate) fn bssid(ssid: &str) -> String {
    let sum = ssid.bytes().fold(0x811c_9dc5_u32, |sum, byte| {
        (sum ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    let [a, b, c, d] = sum.to_be_bytes();
    format!("02:00:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
}
