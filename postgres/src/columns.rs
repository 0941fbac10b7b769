//! Numbers as the tables have them.

use eventful::journal::{Sequence, Shard};

/// The number of a shard as the tables have it. No table has more shards than that counts.
pub(crate) fn number(shard: Shard) -> i16 {
    i16::try_from(shard.number()).unwrap_or(i16::MAX)
}

/// A sequence out of a table; they begin at 1.
pub(crate) fn sequence(number: i64) -> Sequence {
    Sequence::new(number.unsigned_abs())
}

/// A sequence as a table has it.
pub(crate) fn number_of(sequence: Sequence) -> i64 {
    i64::try_from(sequence.number()).unwrap_or(i64::MAX)
}
