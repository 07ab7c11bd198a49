//! One direction of a stream, with what delays, cuts, holds or spoils it on the way.

use crate::dice::Dice;
use crate::fault::{Share, What};
use crate::schedule::FaultId;
use instant::Instant;
use std::collections::VecDeque;
use std::time::Duration;

/// What a stream runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Medium {
    /// A UART: what is lost is lost, and what there is no room for too.
    Serial,
    /// TCP: what is lost is sent again, and what there is no room for waits with the sender.
    Tcp,
}

/// What travels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Item<M> {
    Data(Vec<u8>),
    /// Something that keeps its place among the bytes: a connection's end.
    Mark(M),
}

/// Bytes that a serial line holds back; what comes beyond them is lost.
const SERIAL_MAX: usize = 64 * 1024;
/// Bytes of a TCP segment over Ethernet, and so what is lost at a time.
const SEGMENT: usize = 1460;
/// How long TCP waits before it sends a segment again the first time (RFC 6298 §2.1); each further time it waits twice as long.
const RETRANSMISSION: Duration = Duration::from_secs(1);
/// How often it does so for one segment here.
const RETRANSMISSIONS_MAX: u32 = 6;

#[derive(Clone, Debug)]
pub(crate) struct Pipe<M> {
    medium: Medium,
    effects: Vec<(FaultId, Effect)>,
    /// What travels, each with the time before which it does not arrive.
    queue: VecDeque<(Instant, Item<M>)>,
    len: usize,
    /// Nothing overtakes what was sent before.
    last: Instant,
    /// When the next piece may start.
    free: Instant,
    lost: usize,
}

#[derive(Clone, Debug)]
enum Effect {
    Latency {
        delay: Duration,
        jitter: Duration,
        dice: Dice,
    },
    Bandwidth(u64),
    Slicer {
        bytes: usize,
        delay: Duration,
    },
    Loss(Share, Dice),
    Corrupt(Share, Dice),
    Duplicate(Share, Dice),
    Hold,
}

impl<M> Pipe<M> {
    pub(crate) fn new(medium: Medium) -> Self {
        Self {
            medium,
            effects: Vec::new(),
            queue: VecDeque::new(),
            len: 0,
            last: Instant::ZERO,
            free: Instant::ZERO,
            lost: 0,
        }
    }

    /// A fault begins here; false when it is none of a stream.
    pub(crate) fn begin(&mut self, id: FaultId, what: &What, dice: Dice) -> bool {
        let effect = match *what {
            What::Latency { delay, jitter } => Effect::Latency {
                delay,
                jitter,
                dice,
            },
            What::Bandwidth(rate) => Effect::Bandwidth(rate),
            What::Slicer { bytes, delay } => Effect::Slicer {
                bytes: bytes as usize,
                delay,
            },
            What::Loss(share) => Effect::Loss(share, dice),
            What::Corrupt(share) => Effect::Corrupt(share, dice),
            What::Duplicate(share) => Effect::Duplicate(share, dice),
            What::Stall | What::BrokerSilent | What::Timeout(_) => Effect::Hold,
            _ => return false,
        };
        self.effects.push((id, effect));
        true
    }

    /// It is over. What it has held back goes on at once, as when a toxic of toxiproxy is removed.
    pub(crate) fn end(&mut self, now: Instant, id: FaultId) {
        let before = self.effects.len();
        self.effects.retain(|(own, _)| *own != id);
        if self.effects.len() < before {
            for (due, _) in &mut self.queue {
                *due = now.min(*due);
            }
            self.last = now;
            self.free = now;
        }
    }

    pub(crate) fn push(&mut self, now: Instant, bytes: Vec<u8>) {
        let bytes = self.spoil(bytes);
        let room = match self.medium {
            Medium::Serial => SERIAL_MAX.saturating_sub(self.len),
            Medium::Tcp => usize::MAX,
        };
        let (bytes, beyond) = bytes.split_at(bytes.len().min(room));
        self.lost += beyond.len();
        if self.medium == Medium::Serial || !self.loses() {
            let due = self.due(now);
            self.put(due, bytes);
            return;
        }
        for segment in bytes.chunks(SEGMENT) {
            let due = self.due(now) + self.retransmissions();
            self.last = due;
            self.put(due, segment);
        }
    }

    pub(crate) fn push_mark(&mut self, now: Instant, mark: M) {
        let due = self.due(now);
        self.queue.push_back((due, Item::Mark(mark)));
    }

    /// Nothing that is sent from now on arrives before `at`.
    pub(crate) fn not_before(&mut self, at: Instant) {
        self.last = self.last.max(at);
    }

    /// What has arrived.
    pub(crate) fn poll(&mut self, now: Instant) -> Option<Item<M>> {
        let (ready, count) = self.ready()?;
        if ready > now {
            return None;
        }
        let (_, item) = self.queue.front_mut()?;
        if let Item::Data(bytes) = item {
            self.len -= count;
            let piece = if count < bytes.len() {
                let rest = bytes.split_off(count);
                std::mem::replace(bytes, rest)
            } else {
                let whole = std::mem::take(bytes);
                self.queue.pop_front();
                whole
            };
            self.free = match self.slicer() {
                // Whoever looks late must not find two pieces at once.
                Some((_, delay)) if !delay.is_zero() => now + delay,
                _ => ready,
            };
            return Some(Item::Data(piece));
        }
        self.queue.pop_front().map(|(_, item)| item)
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.ready().map(|(at, _)| at)
    }

    /// Bytes on the way.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Nothing is on the way, marks included.
    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Bytes that were lost since the last call because there was no room for them.
    pub(crate) fn take_lost(&mut self) -> usize {
        std::mem::take(&mut self.lost)
    }

    /// Nothing is held back any more.
    pub(crate) fn release(&mut self) {
        self.effects
            .retain(|(_, effect)| !matches!(effect, Effect::Hold));
    }

    /// Everything on the way is gone, and nothing waits for it.
    pub(crate) fn clear(&mut self) {
        self.queue.clear();
        self.len = 0;
        self.last = Instant::ZERO;
    }

    /// When the next item arrives, and how many bytes of it.
    fn ready(&self) -> Option<(Instant, usize)> {
        let (due, item) = self.queue.front()?;
        if self.is_held() {
            return None;
        }
        let start = (*due).max(self.free);
        let Item::Data(bytes) = item else {
            return Some((start, 0));
        };
        let slice = self.slicer().map_or(usize::MAX, |(bytes, _)| bytes);
        let rate = self.rate();
        // Ten milliseconds of a slow line at a time.
        let quantum = rate.map_or(usize::MAX, |rate| (rate / 800).max(1) as usize);
        let count = bytes.len().min(slice).min(quantum);
        let takes = rate.map_or(Duration::ZERO, |rate| {
            Duration::from_micros((count as u64).saturating_mul(8_000_000) / rate)
        });
        Some((start + takes, count))
    }

    fn is_held(&self) -> bool {
        self.effects
            .iter()
            .any(|(_, effect)| matches!(effect, Effect::Hold))
    }

    fn loses(&self) -> bool {
        self.effects
            .iter()
            .any(|(_, effect)| matches!(effect, Effect::Loss(..)))
    }

    fn slicer(&self) -> Option<(usize, Duration)> {
        let slicers = self.effects.iter().filter_map(|(_, effect)| match effect {
            Effect::Slicer { bytes, delay } => Some((*bytes, *delay)),
            _ => None,
        });
        slicers.reduce(|(bytes, delay), (other, other_delay)| {
            (bytes.min(other), delay.max(other_delay))
        })
    }

    fn rate(&self) -> Option<u64> {
        let rates = self.effects.iter().filter_map(|(_, effect)| match effect {
            Effect::Bandwidth(rate) => Some((*rate).max(1)),
            _ => None,
        });
        rates.min()
    }

    /// When something that is sent now arrives at the earliest.
    fn due(&mut self, now: Instant) -> Instant {
        let mut due = now;
        for (_, effect) in &mut self.effects {
            if let Effect::Latency {
                delay,
                jitter,
                dice,
            } = effect
            {
                due += dice.around(*delay, *jitter);
            }
        }
        self.last = self.last.max(due);
        self.last
    }

    /// How much later a segment comes because it was lost on the way.
    fn retransmissions(&mut self) -> Duration {
        let mut late = Duration::ZERO;
        for (_, effect) in &mut self.effects {
            if let Effect::Loss(share, dice) = effect {
                let mut wait = RETRANSMISSION;
                let mut tries = 0;
                while tries < RETRANSMISSIONS_MAX && dice.chance(*share) {
                    late += wait;
                    wait *= 2;
                    tries += 1;
                }
            }
        }
        late
    }

    fn spoil(&mut self, mut bytes: Vec<u8>) -> Vec<u8> {
        let serial = self.medium == Medium::Serial;
        for (_, effect) in &mut self.effects {
            match effect {
                Effect::Loss(share, dice) if serial => bytes.retain(|_| !dice.chance(*share)),
                Effect::Corrupt(share, dice) => {
                    for byte in &mut bytes {
                        if dice.chance(*share) {
                            *byte ^= 1 << dice.below(8);
                        }
                    }
                }
                Effect::Duplicate(share, dice) => {
                    bytes = bytes
                        .iter()
                        .flat_map(|byte| {
                            let twice = dice.chance(*share);
                            std::iter::repeat_n(*byte, 1 + usize::from(twice))
                        })
                        .collect();
                }
                _ => {}
            }
        }
        bytes
    }

    /// What follows at once travels along with what is there.
    fn put(&mut self, due: Instant, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.len += bytes.len();
        match self.queue.back_mut() {
            Some((before, Item::Data(data)))
                if *before == due && self.medium == Medium::Tcp && data.len() < SEGMENT =>
            {
                data.extend_from_slice(bytes);
            }
            _ => self.queue.push_back((due, Item::Data(bytes.to_vec()))),
        }
    }
}
