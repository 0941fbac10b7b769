//! The position that may be committed in each partition of a log.

use alloc::collections::{BTreeMap, BTreeSet};

use super::message::Partition;

/// The name of one assignment of a partition. After a revocation the same partition has another one, so that what was
/// received before commits nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Assignment(u64);

/// The positions of a log: messages are done with in any order, and a position is committed only when everything before
/// it is done with. For the sources of logs, such as Kafka's.
///
/// ```
/// use eventful::broker::{Offsets, Partition};
///
/// let (mut offsets, partition) = (Offsets::default(), Partition::new(3));
/// let assigned = offsets.assigned(partition);
/// (10..13).for_each(|offset| offsets.taken(partition, assigned, offset));
/// assert_eq!(offsets.done(partition, assigned, 11), None);
/// assert_eq!(offsets.done(partition, assigned, 10), Some(12));
/// offsets.revoked(partition);
/// assert_eq!(offsets.done(partition, assigned, 12), None);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Offsets {
    partitions: BTreeMap<Partition, PartitionOffsets>,
    assignments: u64,
}

#[derive(Debug, Clone)]
struct PartitionOffsets {
    assignment: Assignment,
    /// Offsets that were received and are not done with.
    open: BTreeSet<u64>,
    /// The offset after the highest that was received.
    next: u64,
    /// The position that was returned last; before that, where the assignment begins.
    committed: u64,
}

impl Offsets {
    /// Begins with a partition that was assigned. What was taken from it before counts no more.
    pub fn assigned(&mut self, partition: Partition) -> Assignment {
        self.assignments += 1;
        let assignment = Assignment(self.assignments);
        let offsets = PartitionOffsets { assignment, open: BTreeSet::new(), next: 0, committed: 0 };
        self.partitions.insert(partition, offsets);
        assignment
    }

    /// Records that the message at this offset was received. Offsets between it and the one before are those of no
    /// message, and count as done with.
    pub fn taken(&mut self, partition: Partition, assignment: Assignment, offset: u64) {
        if let Some(offsets) = self.current(partition, assignment)
            && offset >= offsets.committed
        {
            if offsets.next == 0 {
                offsets.committed = offset;
            }
            offsets.open.insert(offset);
            offsets.next = offsets.next.max(offset.saturating_add(1));
        }
    }

    /// Records that the message at this offset is done with. Returns the position to commit, the offset of the first
    /// message that is not done with, if it has risen; none of a partition that was revoked meanwhile.
    pub fn done(&mut self, partition: Partition, assignment: Assignment, offset: u64) -> Option<u64> {
        let offsets = self.current(partition, assignment)?;
        offsets.open.remove(&offset);
        let position = offsets.position();
        (position > offsets.committed).then(|| {
            offsets.committed = position;
            position
        })
    }

    /// Returns the position up to which a partition may be committed, to repeat a commit that failed; none before any
    /// message was received, and of a partition that was revoked.
    pub fn position(&self, partition: Partition, assignment: Assignment) -> Option<u64> {
        let offsets = self.partitions.get(&partition).filter(|offsets| offsets.assignment == assignment)?;
        (offsets.next > 0).then(|| offsets.position())
    }

    /// Ends the assignment of a partition: nothing of it is committed any more.
    pub fn revoked(&mut self, partition: Partition) {
        self.partitions.remove(&partition);
    }

    /// Returns the number of messages that are not done with.
    pub fn open(&self) -> usize {
        self.partitions.values().map(|offsets| offsets.open.len()).sum()
    }

    fn current(&mut self, partition: Partition, assignment: Assignment) -> Option<&mut PartitionOffsets> {
        self.partitions.get_mut(&partition).filter(|offsets| offsets.assignment == assignment)
    }
}

impl PartitionOffsets {
    fn position(&self) -> u64 {
        self.open.first().copied().unwrap_or(self.next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Partition = Partition::new(1);

    #[test]
    fn position_stops_at_the_first_hole() {
        let (mut offsets, assigned) = taken(0..5);
        assert_eq!(offsets.done(ONE, assigned, 2), None);
        assert_eq!(offsets.done(ONE, assigned, 0), Some(1));
        assert_eq!(offsets.done(ONE, assigned, 4), None);
        assert_eq!(offsets.done(ONE, assigned, 1), Some(3));
        assert_eq!(offsets.position(ONE, assigned), Some(3));
        assert_eq!(offsets.done(ONE, assigned, 3), Some(5));
        assert_eq!(offsets.open(), 0);
    }

    #[test]
    fn offsets_without_a_message_hold_up_nothing() {
        let (mut offsets, assigned) = taken([3, 9, 27]);
        assert_eq!(offsets.done(ONE, assigned, 27), None);
        assert_eq!(offsets.done(ONE, assigned, 3), Some(9));
        assert_eq!(offsets.done(ONE, assigned, 9), Some(28));
    }

    #[test]
    fn revoked_partition_commits_nothing_even_once_it_is_back() {
        let (mut offsets, before) = taken(0..3);
        offsets.revoked(ONE);
        assert_eq!((offsets.done(ONE, before, 0), offsets.position(ONE, before)), (None, None));
        let after = offsets.assigned(ONE);
        offsets.taken(ONE, before, 1);
        offsets.taken(ONE, after, 0);
        assert_eq!((offsets.done(ONE, before, 0), offsets.open()), (None, 1));
        assert_eq!(offsets.done(ONE, after, 0), Some(1));
    }

    #[test]
    fn repeated_offsets_move_nothing_back() {
        let (mut offsets, assigned) = taken(0..2);
        assert_eq!(offsets.done(ONE, assigned, 0), Some(1));
        assert_eq!(offsets.done(ONE, assigned, 0), None);
        offsets.taken(ONE, assigned, 0);
        assert_eq!((offsets.position(ONE, assigned), offsets.open()), (Some(1), 1));
        assert_eq!(offsets.done(ONE, assigned, 1), Some(2));
    }

    #[test]
    fn partitions_are_apart() {
        let (mut offsets, one) = taken(0..2);
        let two = offsets.assigned(Partition::new(2));
        offsets.taken(Partition::new(2), two, 7);
        assert_eq!(offsets.done(Partition::new(2), two, 7), Some(8));
        assert_eq!(offsets.done(Partition::new(2), one, 0), None);
        assert_eq!(offsets.position(ONE, one), Some(0));
    }

    fn taken(numbers: impl IntoIterator<Item = u64>) -> (Offsets, Assignment) {
        let mut offsets = Offsets::default();
        let assigned = offsets.assigned(ONE);
        numbers.into_iter().for_each(|offset| offsets.taken(ONE, assigned, offset));
        (offsets, assigned)
    }
}
