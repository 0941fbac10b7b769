//! The records, and how to find one.

mod index;
mod list;
mod live;
mod pending_since;
mod scan;
mod slab;
mod tombstones;

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use siphasher::sip::SipHasher13;

use super::event::Event;
use super::ids::Seq;
use super::key::Key;
use super::status::Status;
use super::thresholds::Thresholds;
use super::time::Timestamp;
use index::Index;
pub(super) use index::Location;
pub(super) use list::List;
pub(super) use live::{ActiveRun, LiveRecord, LiveState, WaitingState};
use pending_since::PendingSince;
pub(super) use slab::{GroupId, Slab, Slot};
pub(super) use tombstones::{Tombstone, TombstoneId, TombstoneKind, Tombstones};

/// Every record: live ones whole, those that have ended as tombstones.
///
/// Only these methods change a record's status, and they keep the counts.
#[derive(Debug)]
pub(super) struct Store {
    hash_key: u64,
    hash_mask: u64,
    index: Index,
    pub(super) live: Slab<LiveRecord>,
    tombstones: Tombstones,
    /// Failed records by when they failed, under rising numbers, so that a walk over them continues
    /// where it stopped whatever left meanwhile.
    failed: BTreeMap<u64, Slot>,
    /// The number of the next one.
    next_failure: u64,
    counts: [u64; Status::ALL.len()],
    pending_since: PendingSince,
    /// Bytes of the events that have not ended.
    bytes: usize,
    /// Bytes of the events that have failed, with their errors.
    failed_bytes: usize,
}

impl Store {
    pub(super) fn new(seed: u64, thresholds: &Thresholds) -> Self {
        Self {
            hash_key: seed,
            hash_mask: thresholds.hash_mask(),
            index: Index::new(thresholds.split_at),
            live: Slab::new(),
            tombstones: Tombstones::new(),
            failed: BTreeMap::new(),
            next_failure: 0,
            counts: [0; Status::ALL.len()],
            pending_since: PendingSince::default(),
            bytes: 0,
            failed_bytes: 0,
        }
    }

    /// The keyed hash of a key. Ids come from outside, so no sender may choose where they fall.
    pub(super) fn hash(&self, key: &Key) -> u64 {
        // The second half of the key is a constant ("index"): the seed alone is secret.
        // The mask has all bits, unless a simulation wants keys to collide.
        SipHasher13::new_with_keys(self.hash_key, 0x0069_6e64_6578).hash(key.as_bytes()) & self.hash_mask
    }

    pub(super) fn find(&self, hash: u64, key: &Key) -> Option<Location> {
        self.index.find(hash, |location| match location {
            Location::Live(slot) => self.live[slot].event.key() == key,
            Location::Tombstone(id) => self.tombstone(id).key == *key,
        })
    }

    /// Returns where the key of the record at `from` leads to.
    pub(super) fn find_from(&self, from: Location, key: &Key) -> Option<Location> {
        self.index.find_from(self.hash(key), from, |location| self.has_key(location, key))
    }

    /// Hardly ever asked: another record must have the same hash.
    #[cold]
    fn has_key(&self, location: Location, key: &Key) -> bool {
        self.key(location) == key
    }

    /// Every tombstone that is in use.
    pub(super) fn tombstones(&self) -> impl Iterator<Item = (TombstoneId, &Tombstone)> {
        self.tombstones.iter().filter(|(_, tombstone)| tombstone.is_kept())
    }

    pub(super) fn tombstone(&self, id: TombstoneId) -> &Tombstone {
        match self.tombstones.get(id) {
            Some(tombstone) => tombstone,
            None => unreachable!("the index names only tombstones that have not left"),
        }
    }

    pub(super) fn insert(&mut self, hash: u64, event: Event, accepted_at: Timestamp, seq: Option<Seq>) -> Slot {
        let record = LiveRecord::new(event, hash, accepted_at, seq);
        self.counts[record.state.status() as usize] += 1;
        let slot = self.live.insert(record);
        self.count_in(slot);
        self.index.insert(hash, Location::Live(slot));
        slot
    }

    /// Moves a live record to its next state.
    pub(super) fn advance(&mut self, slot: Slot, state: LiveState) {
        let is_pending = |state: &LiveState| state.status() != Status::Failed;
        // What is counted of a pending record is the same in each of its states.
        let counts = !is_pending(&self.live[slot].state) || !is_pending(&state);
        if counts {
            self.uncount(slot);
        }
        let from = core::mem::replace(&mut self.live[slot].state, state);
        if counts {
            self.count_in(slot);
        }
        self.counts[from.status() as usize] -= 1;
        self.counts[state.status() as usize] += 1;
    }

    /// Adds a live record to the bytes of its kind, and to the failed ones when it is one.
    fn count_in(&mut self, slot: Slot) {
        let record = &mut self.live[slot];
        match &mut record.state {
            LiveState::Failed { number, .. } => {
                // A number for each failure, so that the order of failures survives changes in between.
                *number = self.next_failure;
                self.next_failure += 1;
                self.failed.insert(*number, slot);
                self.failed_bytes += record.kept_bytes();
            }
            LiveState::Waiting(_) | LiveState::Processing(_) => {
                self.bytes += record.event.size_bytes();
                self.pending_since.add(record.pending_since());
            }
        }
    }

    /// Undoes [`Store::count_in`].
    fn uncount(&mut self, slot: Slot) {
        let record = &self.live[slot];
        match record.state {
            LiveState::Failed { number, .. } => {
                self.failed.remove(&number);
                self.failed_bytes -= record.kept_bytes();
            }
            LiveState::Waiting(_) | LiveState::Processing(_) => {
                self.bytes -= record.event.size_bytes();
                self.pending_since.remove(record.pending_since());
            }
        }
    }

    /// Puts a tombstone in the place of a live record.
    pub(super) fn retire(&mut self, slot: Slot, kind: TombstoneKind, terminal_at: Timestamp) {
        let record = &self.live[slot];
        let tombstone = Tombstone {
            key: record.event.key().clone(),
            accepted_at: record.accepted_at,
            terminal_at,
            attempt: record.attempt,
            digest: *record.event.digest(),
            kind,
        };
        let hash = self.drop_live(slot);
        self.counts[tombstone.status() as usize] += 1;
        let id = self.tombstones.push(tombstone);
        // The same key leads to the tombstone from now on.
        self.index.replace(hash, Location::Live(slot), Location::Tombstone(id));
    }

    /// Takes in a tombstone that was retired elsewhere.
    pub(super) fn add_tombstone(&mut self, hash: u64, tombstone: Tombstone) {
        self.counts[tombstone.status() as usize] += 1;
        let id = self.tombstones.push(tombstone);
        self.index.insert(hash, Location::Tombstone(id));
    }

    /// Brings failed records, taken in from elsewhere, into the order in which they failed.
    pub(super) fn sort_failed(&mut self) {
        let mut failed: Vec<_> = core::mem::take(&mut self.failed).into_values().collect();
        // By the time of failure: snapshots hold records in another order.
        failed.sort_by_key(|slot| self.terminal_at(Location::Live(*slot)));
        for (slot, nth) in failed.into_iter().zip(0..) {
            if let LiveState::Failed { number, .. } = &mut self.live[slot].state {
                *number = nth;
            }
            self.failed.insert(nth, slot);
        }
        self.next_failure = self.failed.len() as u64;
    }

    /// Drops a record that has ended.
    pub(super) fn forget(&mut self, location: Location) {
        let hash = match location {
            Location::Live(slot) => self.drop_live(slot),
            Location::Tombstone(id) => {
                let tombstone = self.tombstone(id);
                // A tombstone does not keep its hash: most records are tombstones, and eight bytes in each would add
                // up.
                let (hash, status) = (self.hash(&tombstone.key), tombstone.status());
                self.counts[status as usize] -= 1;
                self.tombstones.remove(id);
                hash
            }
        };
        self.index.remove(hash, location);
    }

    /// Drops a live record, and returns the hash of its key.
    fn drop_live(&mut self, slot: Slot) -> u64 {
        self.uncount(slot);
        let record = &self.live[slot];
        let (hash, status) = (record.hash, record.state.status());
        self.live.remove(slot);
        self.counts[status as usize] -= 1;
        hash
    }

    pub(super) fn key(&self, location: Location) -> &Key {
        match location {
            Location::Live(slot) => self.live[slot].event.key(),
            Location::Tombstone(id) => &self.tombstone(id).key,
        }
    }

    /// Returns the time at which the record became terminal, when it is.
    pub(super) fn terminal_at(&self, location: Location) -> Option<Timestamp> {
        match location {
            Location::Live(slot) => match self.live[slot].state {
                LiveState::Failed { at, .. } => Some(at),
                LiveState::Waiting(_) | LiveState::Processing(_) => None,
            },
            Location::Tombstone(id) => Some(self.tombstone(id).terminal_at),
        }
    }

    /// Returns the time at which the terminal record ended that ended first.
    pub(super) fn first_ended(&self) -> Option<Timestamp> {
        let ended = [self.oldest_failed(), self.oldest_tombstone()].into_iter().flatten();
        ended.filter_map(|location| self.terminal_at(location)).min()
    }

    /// The record that failed first.
    pub(super) fn oldest_failed(&self) -> Option<Location> {
        Some(Location::Live(*self.failed.first_key_value()?.1))
    }

    /// The tombstone that was made first.
    pub(super) fn oldest_tombstone(&self) -> Option<Location> {
        Some(Location::Tombstone(self.tombstones.front()?.0))
    }

    /// Records of each status, in the order of [`Status::ALL`].
    pub(super) const fn counts(&self) -> [u64; Status::ALL.len()] {
        self.counts
    }

    pub(super) const fn count(&self, status: Status) -> u64 {
        self.counts[status as usize]
    }

    pub(super) const fn len(&self) -> usize {
        self.live.len() + self.retired()
    }

    /// Records that are not terminal.
    pub(super) fn pending(&self) -> usize {
        // Failed records are live, too, but wait for an operator.
        self.live.len() - self.failed.len()
    }

    /// Bytes of the events that have not ended.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes of the events that have failed, with their errors.
    pub(super) const fn failed_bytes(&self) -> usize {
        self.failed_bytes
    }

    /// Returns the time since which the oldest pending event waits, rounded up to seconds.
    pub(super) fn oldest_pending(&self) -> Option<Timestamp> {
        self.pending_since.oldest()
    }

    /// Verifies the counts by a recount, and all that [`Store::check_lists`] does.
    pub(super) fn check(&self) -> Result<(), String> {
        let mut counts = [0; Status::ALL.len()];
        let (mut bytes, mut failed_bytes, mut pending_since) = (0, 0, PendingSince::default());
        for location in self.locations() {
            counts[self.status(location) as usize] += 1;
            if let Location::Live(slot) = location {
                match &self.live[slot] {
                    failed if failed.state.status() == Status::Failed => failed_bytes += failed.kept_bytes(),
                    pending => {
                        bytes += pending.event.size_bytes();
                        pending_since.add(pending.pending_since());
                    }
                }
            }
        }
        if (counts, bytes, failed_bytes) != (self.counts, self.bytes, self.failed_bytes) {
            return Err(format!(
                "the records do not add up: {counts:?}, {bytes} bytes and {failed_bytes} of failed ones, recounted"
            ));
        }
        if pending_since != self.pending_since {
            return Err(format!("pending events wait since {:?}, recounted {pending_since:?}", self.pending_since));
        }
        self.check_lists()
    }

    /// Verifies that the index and the list of failures hold as many records as are counted.
    pub(super) fn check_lists(&self) -> Result<(), String> {
        let failed = self.failed.values().map(|slot| self.terminal_at(Location::Live(*slot)));
        let sound = failed.clone().is_sorted()
            && failed.clone().all(|at| at.is_some())
            && self.count(Status::Failed) == self.failed.len() as u64
            && self.index.len() == self.len();
        if sound {
            Ok(())
        } else {
            Err(format!("the lists do not add up: {} failed, {} found by key", self.failed.len(), self.index.len()))
        }
    }

    const fn retired(&self) -> usize {
        // These are records in memory, so their number fits.
        (self.count(Status::Completed) + self.count(Status::Discarded)) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_depends_on_the_seed() {
        let key = |id| Key::new("", id).expect("a key");
        let hash = |seed, id| Store::new(seed, &Thresholds::default()).hash(&key(id));
        assert_eq!(hash(1, "a"), hash(1, "a"));
        assert_ne!(hash(1, "a"), hash(1, "b"));
        assert_ne!(hash(1, "a"), hash(2, "a"));
    }

    #[test]
    fn two_records_with_one_hash_are_kept_apart() {
        let mut store = Store::new(0, &Thresholds::default());
        let locations = ["event-49049", "event-55208"].map(|id| {
            let event = Event::with_id(id, "x").expect("an id");
            let (key, hash) = (event.key().clone(), store.hash(event.key()));
            (hash as u32, key, Location::Live(store.insert(hash, event, Timestamp::EPOCH, None)))
        });
        assert_eq!(locations[0].0, locations[1].0, "of the hash only this half is kept");
        for (_, key, location) in locations {
            assert_eq!(store.find(store.hash(&key), &key), Some(location));
            assert_eq!(store.find_from(location, &key), Some(location));
        }
    }
}
