//! Chance, from a seed.

use crate::fault::Share;
use rand_pcg::Lcg64Xsh32;
use rand_pcg::rand_core::Rng;
use std::time::Duration;

/// A stream of numbers that a seed and a name decide, on every machine and in every version.
///
/// PCG32 is specified to the bit, and `rand_pcg` promises to keep it so. What is made of its numbers is our own, for the same
/// reason: the ranges of `rand` may change with a release.
#[derive(Clone, Debug)]
pub struct Dice {
    key: u64,
    numbers: Lcg64Xsh32,
}

impl Dice {
    /// The stream of this name. Streams of one seed have nothing to do with each other.
    pub fn new(seed: u64, name: &str) -> Self {
        Self::of(mix(seed ^ mix(fnv1a(name.as_bytes()))))
    }

    /// Another stream, which depends on this one's name and on `index`, not on how far this one has been used.
    #[must_use]
    pub fn fork(&self, index: u64) -> Self {
        Self::of(mix(self.key ^ mix(index.wrapping_add(1))))
    }

    /// True with this probability.
    pub fn chance(&mut self, share: Share) -> bool {
        match share {
            Share::NONE => false,
            Share::ALL => true,
            share => self.below(Share::ALL.ppm()) < share.ppm(),
        }
    }

    /// A number below `limit`, and 0 below 0.
    pub fn below(&mut self, limit: u32) -> u32 {
        ((u64::from(self.numbers.next_u32()) * u64::from(limit)) >> 32) as u32
    }

    /// A time between `span - around` and `span + around`, in microseconds, never below zero.
    pub fn around(&mut self, span: Duration, around: Duration) -> Duration {
        let width = u64::try_from(around.as_micros()).unwrap_or(u64::MAX / 4);
        if width == 0 {
            return span;
        }
        let high = u128::from(self.numbers.next_u32());
        let number = high << 32 | u128::from(self.numbers.next_u32());
        let offset = (number * (u128::from(width) * 2 + 1)) >> 64;
        let micros = (span.as_micros() + offset).saturating_sub(u128::from(width));
        Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }

    fn of(key: u64) -> Self {
        Self {
            key,
            numbers: Lcg64Xsh32::new(key, mix(key)),
        }
    }
}

/// The last step of SplitMix64: neighbours become strangers.
fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// If these numbers change, every recorded seed means something else.
    #[test]
    fn the_numbers_of_a_seed_never_change() {
        let mut dice = Dice::new(7, "pdp-deact every 10m jitter 30%");
        let numbers: Vec<_> = (0..6).map(|_| dice.below(1000)).collect();
        assert_eq!(numbers, [66, 551, 728, 652, 989, 89]);
        let mut fork = dice.fork(1);
        assert_eq!(fork.below(1000), 92);
    }

    #[test]
    fn a_span_stays_within_its_bounds() {
        let mut dice = Dice::new(1, "x");
        let (span, around) = (Duration::from_millis(10), Duration::from_millis(30));
        let spans: Vec<_> = (0..1000).map(|_| dice.around(span, around)).collect();
        assert!(spans.iter().all(|found| *found <= span + around));
        assert!(spans.contains(&Duration::ZERO));
        assert!(spans.iter().any(|found| *found > Duration::from_millis(38)));
    }
}
