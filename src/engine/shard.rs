//! The division of keys among several engines.

use core::fmt;
use core::num::NonZeroU16;

use sha2::{Digest as _, Sha256};

use super::key::Key;

/// The number of one of several engines among which keys are divided. The first is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Shard(u16);

impl Shard {
    /// Creates the shard with this number.
    pub const fn new(number: u16) -> Self {
        Self(number)
    }

    /// Returns its number.
    pub const fn number(self) -> u16 {
        self.0
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number of shards among which keys are divided.
///
/// The shard of a key depends on nothing but the key and this number, in every process and on every machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShardCount(NonZeroU16);

/// There cannot be so many shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} shards are not possible: set a number from 1 to {max}", max = ShardCount::MAX)]
#[non_exhaustive]
pub struct InvalidShardCount(pub u16);

impl ShardCount {
    /// One shard, with all keys.
    pub const ONE: Self = Self(NonZeroU16::MIN);

    /// The most shards. More would be a sign of a shard for each user or source, which keys are for.
    pub const MAX: u16 = 1024;

    /// Creates the count of so many shards, at least one.
    ///
    /// # Errors
    ///
    /// [`InvalidShardCount`] for none, and for more than [`ShardCount::MAX`].
    pub const fn new(count: u16) -> Result<Self, InvalidShardCount> {
        match NonZeroU16::new(count) {
            Some(count) if count.get() <= Self::MAX => Ok(Self(count)),
            Some(_) | None => Err(InvalidShardCount(count)),
        }
    }

    /// Returns how many there are.
    pub const fn number(self) -> u16 {
        self.0.get()
    }

    /// Returns the shards, in the order of their numbers.
    pub fn shards(self) -> impl Iterator<Item = Shard> + Clone {
        (0..self.number()).map(Shard)
    }

    /// Returns the shard of a key.
    ///
    /// The key's slot is the number in the first two bytes, the high one first, of the SHA-256 of: one byte with the
    /// length of the source, the source, the id. Each shard has as many of the 65,536 slots as the others, or one
    /// more: slot × count ÷ 65,536, rounded down.
    pub fn shard_of(self, key: &Key) -> Shard {
        if self == Self::ONE {
            return Shard(0);
        }
        let (source, id) = (key.source(), key.id());
        // A source has 255 bytes at most.
        let mut hash = Sha256::new_with_prefix([source.len() as u8]);
        hash.update(source);
        hash.update(&*id);
        let digest = hash.finalize();
        let slot = u32::from(digest[0]) << 8 | u32::from(digest[1]);
        // Less than the count, as the slot is less than 65,536.
        Shard(((slot * u32::from(self.number())) >> 16) as u16)
    }

    /// Returns the part of a shared number that this shard gets. The parts add up to the whole, and differ by one at
    /// most.
    pub fn part(self, whole: usize, shard: Shard) -> usize {
        let count = usize::from(self.number());
        whole / count + usize::from(usize::from(shard.0) < whole % count)
    }
}

impl fmt::Display for ShardCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::ToString as _;
    use alloc::vec;
    use alloc::vec::Vec;

    fn count(shards: u16) -> ShardCount {
        ShardCount::new(shards).expect("a count")
    }

    fn shard(shards: u16, source: &str, id: &str) -> u16 {
        count(shards).shard_of(&Key::new(source, id).expect("a key")).number()
    }

    /// The slots were computed with `printf '\x04shoporder-17' | sha256sum`, and so on.
    #[test]
    fn shard_of_a_key_is_the_same_everywhere_and_for_ever() {
        let keys = [
            ("", "order-17", 45_804),
            ("shop", "order-17", 42_981),
            ("", "6024c586-801f-6fde-8f56-48f09db2401f", 35_663),
            ("shop", "6024c586-801f-6fde-8f56-48f09db2401f", 22_470),
        ];
        for (source, id, slot) in keys {
            for shards in [1, 2, 3, 4, 16, 1000, 1024] {
                let expected = (slot * u32::from(shards) / 65_536) as u16;
                assert_eq!(shard(shards, source, id), expected, "{source}/{id} of {shards}");
            }
        }
    }

    #[test]
    fn length_of_the_source_keeps_keys_apart() {
        let shards = |keys: [(&str, &str); 2]| keys.map(|(source, id)| shard(1024, source, id));
        let [one, other] = shards([("ab", "c"), ("a", "bc")]);
        assert_ne!(one, other);
    }

    #[test]
    fn keys_are_spread_evenly() {
        let mut keys = vec![0_u32; 16];
        for number in 0..16_000 {
            keys[usize::from(shard(16, "", &format!("event-{number}")))] += 1;
        }
        // 1,000 each, with a deviation of 31: six times that.
        assert!(keys.iter().all(|keys| (816..1184).contains(keys)), "{keys:?}");
    }

    #[test]
    fn count_has_bounds() {
        assert_eq!(count(1), ShardCount::ONE);
        assert_eq!(count(1024).shards().last(), Some(Shard::new(1023)));
        for refused in [0, 1025, u16::MAX] {
            let error = ShardCount::new(refused).expect_err("it has bounds").to_string();
            assert_eq!(error, format!("{refused} shards are not possible: set a number from 1 to 1024"));
        }
    }

    #[test]
    fn parts_add_up_and_differ_by_one_at_most() {
        for (shards, whole) in [(1, 7), (3, 10), (4, 64), (16, 3), (1024, 100_000)] {
            let parts: Vec<_> = count(shards).shards().map(|shard| count(shards).part(whole, shard)).collect();
            assert_eq!(parts.iter().sum::<usize>(), whole);
            assert!(parts.iter().max() <= parts.iter().min().map(|least| least + 1).as_ref(), "{parts:?}");
        }
    }
}
