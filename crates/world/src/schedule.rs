//! When faults strike: decided by a seed, and by nothing else.

use crate::dice::Dice;
use crate::fault::{Fault, Share, When};
use instant::Instant;
use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

/// The name of a fault from the moment that it was injected. Never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FaultId(pub u32);

impl fmt::Display for FaultId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A fault begins or ends.
#[derive(Clone, Debug)]
pub struct Strike {
    /// Which.
    pub id: FaultId,
    /// The line that it was injected with.
    pub fault: Fault,
    /// When it was due.
    pub at: Instant,
    /// Whether it begins or ends. What is over at once has no end.
    pub edge: Edge,
    /// For what it leaves to chance while it lasts.
    pub dice: Dice,
}

/// Which end of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// It is there.
    Begin,
    /// It is over.
    End,
}

/// A fault of a schedule, for lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status<'a> {
    /// Its name.
    pub id: FaultId,
    /// What it is.
    pub fault: &'a Fault,
    /// Whether it is there now.
    pub active: bool,
    /// How often it has struck.
    pub strikes: u32,
    /// When it begins or ends next, by itself.
    pub next: Option<Instant>,
}

/// Faults, and when each of them is due.
///
/// **After [`Schedule::inject`], [`Schedule::clear`] or [`Schedule::typed`], and when [`Schedule::next_deadline`] has come, call
/// [`Schedule::poll`] until it is empty.**
///
/// Each fault has a stream of chance of its own, named after its line: another fault does not reshuffle it, wherever it stands.
#[derive(Clone, Debug)]
pub struct Schedule {
    seed: u64,
    next_id: u32,
    entries: Vec<Entry>,
    /// Ends of what was cleared.
    cleared: VecDeque<Strike>,
    /// How many faults each line has had, since a second one must not do what the first one does.
    lines: Vec<(String, u32)>,
}

#[derive(Clone, Debug)]
struct Entry {
    id: FaultId,
    fault: Fault,
    dice: Dice,
    /// When it comes next.
    next: Option<Instant>,
    /// It is there.
    active: bool,
    /// Until then; `None`: until it is cleared.
    end: Option<Instant>,
    strikes: u32,
}

/// Faults of a schedule at a time.
pub const FAULTS_MAX: usize = 1000;

/// There are [`FAULTS_MAX`] faults already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany;

impl fmt::Display for TooMany {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there are {FAULTS_MAX} faults already: clear some")
    }
}

impl std::error::Error for TooMany {}

impl Schedule {
    /// No faults yet.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            next_id: 0,
            entries: Vec::new(),
            cleared: VecDeque::new(),
            lines: Vec::new(),
        }
    }

    /// What decides everything.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Adds a fault. Its times count from now.
    ///
    /// # Errors
    /// There are too many.
    pub fn inject(&mut self, now: Instant, fault: Fault) -> Result<FaultId, TooMany> {
        if self.entries.len() >= FAULTS_MAX {
            return Err(TooMany);
        }
        self.next_id = self.next_id.wrapping_add(1);
        let id = FaultId(self.next_id);
        let mut dice = Dice::new(self.seed, &fault.to_string()).fork(self.ordinal(&fault).into());
        let next = match &fault.when {
            When::Now => Some(now),
            When::At(span) | When::Every(span) => Some(now + vary(&mut dice, *span, fault.jitter)),
            When::Typed { .. } => None,
        };
        self.entries.push(Entry {
            id,
            fault,
            dice,
            next,
            active: false,
            end: None,
            strikes: 0,
        });
        Ok(id)
    }

    /// Takes a fault away; when it is there, it ends. False when there is none of this name.
    pub fn clear(&mut self, now: Instant, id: FaultId) -> bool {
        let Some(index) = self.entries.iter().position(|entry| entry.id == id) else {
            return false;
        };
        let entry = self.entries.remove(index);
        if entry.active {
            self.cleared.push_back(entry.strike(now, Edge::End));
        }
        true
    }

    /// Takes every fault away for which this is true.
    pub fn clear_all(&mut self, now: Instant, which: impl Fn(&Fault) -> bool) {
        let found: Vec<_> = self
            .entries
            .iter()
            .filter(|entry| which(&entry.fault))
            .map(|entry| entry.id)
            .collect();
        for id in found {
            self.clear(now, id);
        }
    }

    /// Ends what is there and for which this is true; it may come again.
    pub fn end_all(&mut self, now: Instant, which: impl Fn(&Fault) -> bool) {
        for entry in &mut self.entries {
            if entry.active && which(&entry.fault) {
                entry.active = false;
                entry.end = None;
                self.cleared.push_back(entry.strike(now, Edge::End));
            }
        }
        self.entries.retain(|entry| !entry.is_over());
    }

    /// The faults that are there or will be, in the order of their injection.
    pub fn list(&self) -> impl Iterator<Item = Status<'_>> {
        self.entries.iter().map(|entry| Status {
            id: entry.id,
            fault: &entry.fault,
            active: entry.active,
            strikes: entry.strikes,
            next: entry.deadline(),
        })
    }

    /// Whether a fault waits for a command line.
    pub fn listens(&self) -> bool {
        self.entries
            .iter()
            .any(|entry| matches!(entry.fault.when, When::Typed { .. }))
    }

    /// The host has sent a command line.
    pub fn typed(&mut self, now: Instant, line: &[u8]) {
        for entry in &mut self.entries {
            if let When::Typed { text, after } = &entry.fault.when
                && entry.next.is_none()
                && entry.may_strike()
                && holds(line, text.as_bytes())
            {
                entry.next = Some(now + *after);
            }
        }
    }

    /// When [`Schedule::poll`] has something to tell next.
    pub fn next_deadline(&self) -> Option<Instant> {
        if let Some(first) = self.cleared.front() {
            return Some(first.at);
        }
        self.entries.iter().filter_map(Entry::deadline).min()
    }

    /// What begins or ends by now, in the order of the time.
    pub fn poll(&mut self, now: Instant) -> Option<Strike> {
        if let Some(strike) = self.cleared.pop_front() {
            return Some(strike);
        }
        loop {
            let due = self
                .entries
                .iter()
                .enumerate()
                .filter_map(|(index, entry)| Some((entry.deadline()?, index)))
                .min();
            let (at, index) = due.filter(|(at, _)| *at <= now)?;
            let entry = &mut self.entries[index];
            let strike = entry.advance(at);
            if entry.is_over() {
                self.entries.remove(index);
            }
            if strike.is_some() {
                return strike;
            }
        }
    }

    /// How many faults of this line there were before.
    fn ordinal(&mut self, fault: &Fault) -> u32 {
        let line = fault.to_string();
        if let Some((_, count)) = self.lines.iter_mut().find(|(own, _)| *own == line) {
            *count += 1;
            return *count;
        }
        // A caller that injects ever new lines for ever must not cost ever more.
        if self.lines.len() < FAULTS_MAX {
            self.lines.push((line, 0));
        }
        0
    }
}

impl Entry {
    fn deadline(&self) -> Option<Instant> {
        [self.end, self.next].into_iter().flatten().min()
    }

    fn may_strike(&self) -> bool {
        self.fault.times.is_none_or(|times| self.strikes < times)
    }

    /// It is not there, and will not be again.
    fn is_over(&self) -> bool {
        let waits = matches!(self.fault.when, When::Typed { .. }) && self.may_strike();
        !self.active && self.next.is_none() && !waits
    }

    /// What is due at `at` happens.
    fn advance(&mut self, at: Instant) -> Option<Strike> {
        if self.end.is_some_and(|end| end <= at) {
            self.active = false;
            self.end = None;
            return Some(self.strike(at, Edge::End));
        }
        self.next = None;
        let struck = self.dice.chance(self.fault.probability);
        if struck {
            self.strikes = self.strikes.saturating_add(1);
        }
        if let When::Every(span) = self.fault.when
            && self.may_strike()
        {
            self.next = Some(at + vary(&mut self.dice, span, self.fault.jitter));
        }
        if !struck {
            return None;
        }
        let begins = !self.active;
        if let Some(span) = self.fault.lasts {
            self.end = Some(at + vary(&mut self.dice, span, self.fault.jitter));
            self.active = true;
        } else if self.fault.what.lasts() {
            self.active = true;
        }
        begins.then(|| self.strike(at, Edge::Begin))
    }

    fn strike(&self, at: Instant, edge: Edge) -> Strike {
        Strike {
            id: self.id,
            fault: self.fault.clone(),
            at,
            edge,
            dice: self.dice.fork(u64::from(self.strikes)),
        }
    }
}

/// A time, more or less; never nothing, so that what comes again and again lets time pass.
fn vary(dice: &mut Dice, span: Duration, jitter: Share) -> Duration {
    let least = span.min(Duration::from_millis(1));
    dice.around(span, jitter.of(span)).max(least)
}

fn holds(line: &[u8], text: &[u8]) -> bool {
    line.windows(text.len().max(1))
        .any(|window| window.eq_ignore_ascii_case(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(seed: u64, lines: &[&str], of: &str) -> Vec<u64> {
        let mut schedule = Schedule::new(seed);
        for line in lines {
            schedule
                .inject(Instant::ZERO, line.parse().unwrap())
                .unwrap();
        }
        let end = Instant::ZERO + Duration::from_secs(24 * 60 * 60);
        let mut found = Vec::new();
        while let Some(strike) = schedule.poll(end) {
            if strike.fault.what.name() == of && strike.edge == Edge::Begin {
                found.push(strike.at.as_micros());
            }
        }
        found
    }

    #[test]
    fn a_seed_decides_when_and_another_fault_changes_nothing() {
        let line = "pdp-deact every 10m jitter 30% probability 50%";
        let alone = times(7, &[line], "pdp-deact");
        assert!((50..90).contains(&alone.len()), "{}", alone.len());
        let others = [
            "tcp-drop every 1s",
            line,
            "stall every 3m for 10s jitter 5%",
        ];
        assert_eq!(times(7, &others, "pdp-deact"), alone);
        assert_ne!(times(8, &[line], "pdp-deact"), alone);
        let twice = times(7, &[line, line], "pdp-deact");
        assert!(alone.iter().all(|at| twice.contains(at)));
        assert!(twice.len() > alone.len() + 30);
    }

    #[test]
    fn what_lasts_ends_once_however_often_it_comes() {
        let mut schedule = Schedule::new(1);
        let fault = "stall every 10s for 15s times 3".parse().unwrap();
        schedule.inject(Instant::ZERO, fault).unwrap();
        let mut seen = Vec::new();
        while let Some(at) = schedule.next_deadline() {
            while let Some(strike) = schedule.poll(at) {
                seen.push((strike.at.as_micros() / 1_000_000, strike.edge));
            }
        }
        assert_eq!(seen, [(10, Edge::Begin), (45, Edge::End)]);
        assert_eq!(schedule.list().count(), 0);
    }

    #[test]
    fn a_line_that_is_typed_strikes_as_often_as_it_may() {
        let mut schedule = Schedule::new(1);
        let fault = "reboot when +mpub= after 5ms times 2".parse().unwrap();
        schedule.inject(Instant::ZERO, fault).unwrap();
        let mut strikes = 0;
        for second in 1..10 {
            let now = Instant::from_millis(second * 1000);
            schedule.typed(now, b"AT+MPUB=\"t\",0,0,\"x\"");
            assert!(schedule.poll(now).is_none());
            let due = now + Duration::from_millis(5);
            strikes += usize::from(schedule.poll(due).is_some_and(|strike| strike.at == due));
        }
        assert_eq!(strikes, 2);
    }

    #[test]
    fn what_is_cleared_ends() {
        let mut schedule = Schedule::new(1);
        let now = Instant::ZERO;
        let stall = schedule.inject(now, "stall".parse().unwrap()).unwrap();
        let drop = schedule
            .inject(now, "tcp-drop every 1s".parse().unwrap())
            .unwrap();
        assert_eq!(schedule.poll(now).map(|strike| strike.id), Some(stall));
        assert!(schedule.clear(now, stall));
        assert!(schedule.clear(now, drop));
        assert!(!schedule.clear(now, drop));
        let end = schedule.poll(now).unwrap();
        assert_eq!((end.id, end.edge), (stall, Edge::End));
        assert_eq!(schedule.next_deadline(), None);
    }
}
