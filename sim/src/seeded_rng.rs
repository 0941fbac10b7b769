//! Random streams: every part that draws has a stream of its own, named by a label.
//!
//! So draws of one part do not shift those of another, and a change to one part leaves the other parts of a seed's run
//! as they were.

use rand::{Rng as _, RngExt as _, SeedableRng as _};
use rand_xoshiro::Xoshiro256PlusPlus;

/// The random streams of one seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeededRng {
    seed: u64,
}

impl SeededRng {
    /// Returns the streams of this seed.
    pub const fn of(seed: u64) -> Self {
        Self { seed }
    }

    /// Returns the stream with this label. The same seed and label give the same draws, on every machine.
    pub fn stream(&self, label: &str) -> Stream {
        // FNV-1a keeps the labels apart; xoshiro's own seeding spreads the result.
        let hash = label
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
        let seed = self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ hash;
        Stream(Xoshiro256PlusPlus::seed_from_u64(seed))
    }
}

/// One random stream.
#[derive(Debug, Clone)]
pub struct Stream(Xoshiro256PlusPlus);

impl Stream {
    /// Returns a number below `bound`; 0 if `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.0.random_range(0..bound) }
    }

    /// Returns a number from `least` to `most`, both included; `least` if the range is empty.
    pub fn between(&mut self, least: u64, most: u64) -> u64 {
        least.saturating_add(self.below(most.saturating_sub(least).saturating_add(1)))
    }

    /// Returns an index into a list of this length; 0 if it is empty.
    pub fn index(&mut self, len: usize) -> usize {
        // An index below a `usize` fits.
        self.below(len as u64) as usize
    }

    /// Returns one of these.
    ///
    /// # Panics
    ///
    /// If there are none.
    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.index(of.len())]
    }

    /// Returns true with this probability, in thousandths.
    pub fn per_mille(&mut self, probability: u32) -> bool {
        self.below(1000) < u64::from(probability)
    }

    /// Returns any number.
    pub fn number(&mut self) -> u64 {
        self.0.next_u64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_repeat_and_differ_by_label_and_by_seed() {
        let draws = |seed: u64, label: &str| {
            let mut stream = SeededRng::of(seed).stream(label);
            [stream.number(), stream.number(), stream.number()]
        };
        assert_eq!(draws(1, "faults"), draws(1, "faults"));
        assert_ne!(draws(1, "faults"), draws(1, "operations"));
        assert_ne!(draws(1, "faults"), draws(2, "faults"));
    }

    #[test]
    fn draws_stay_within_their_bounds() {
        let mut stream = SeededRng::of(7).stream("bounds");
        assert!((0..1000).all(|_| stream.below(3) < 3));
        assert!((0..1000).all(|_| (5..=6).contains(&stream.between(5, 6))));
        assert_eq!((stream.below(0), stream.index(0), stream.between(9, 2)), (0, 0, 9));
        assert!(!stream.per_mille(0) && stream.per_mille(1000));
    }
}
