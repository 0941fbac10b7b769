//! Thresholds that are no settings.

use super::fact::Change;
use super::view::RecordView;

/// Sizes at which the engine, or what drives it, takes another path. They are no settings: each has one good value,
/// the default. None is 0, and of downtimes there are two at least. A simulator makes them small, so that its short
/// runs come past them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    /// Records that one page scans, at most: a scan holds up everything else. 4,096 by default.
    pub scan_limit: usize,
    /// Bytes of events at which a page ends: its views hold them in memory, and responses show them. 8 MiB by
    /// default.
    pub page_bytes: usize,
    /// Past attempts that a record remembers.
    pub history: usize,
    /// Keys in one fact of forgotten records.
    pub forgotten: usize,
    /// Downtimes that are kept apart: more than the restarts of an hourly update in a week. Past them, records
    /// from before the oldest one are remembered for somewhat longer. 256 by default.
    pub downtimes: usize,
    /// Bits of the hash of a key. All 64 by default.
    pub hash_bits: u32,
    /// Entries at which the index is split: few enough to be moved at once. 1,024 by default.
    pub split_at: usize,
    /// Facts that one hold of the lock gives to readers, counted for each of them: a copy takes some 70 ns. 256 by
    /// default.
    pub published: usize,
    /// Records that one hold of the lock copies out: of one that has failed often that takes some 10 µs. 64 by
    /// default.
    pub views: usize,
    /// Holds of the lock for one page; then it is cut, and its cursor says where to continue. 256 by default.
    pub holds: usize,
    /// Events that one hold of the lock takes in. 64 by default.
    pub batch: usize,
    /// Runs that one task is given at once, while its handlers are quick. With more the gain is small, and what a handler
    /// that blocks holds up is more. 32 by default.
    pub runs: usize,
    /// Events that one step of an operator changes at most, each in a hold of the lock of its own. 100 by default.
    pub bulk: usize,
    /// Records on a page of the HTTP front, at most. 1,000 by default.
    pub listed: usize,
    /// Lines of a body that are submitted together, and get their results together. 64 by default.
    pub lines: usize,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            scan_limit: 4096,
            page_bytes: 8 << 20,
            history: RecordView::MAX_HISTORY,
            forgotten: Change::MAX_FORGOTTEN,
            downtimes: 256,
            hash_bits: u64::BITS,
            split_at: 1024,
            published: 256,
            views: 64,
            holds: 256,
            batch: 64,
            runs: 32,
            bulk: 100,
            listed: 1000,
            lines: 64,
        }
    }
}

impl Thresholds {
    /// The bits of a hash that count.
    pub(super) const fn hash_mask(&self) -> u64 {
        match u64::MAX.checked_shr(u64::BITS.saturating_sub(self.hash_bits)) {
            Some(mask) => mask,
            None => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_mask_has_as_many_bits_as_asked() {
        let mask = |hash_bits| Thresholds { hash_bits, ..Thresholds::default() }.hash_mask();
        assert_eq!([mask(0), mask(2), mask(64), mask(u32::MAX)], [0, 0b11, u64::MAX, u64::MAX]);
    }
}
