//! Every journal keeps what journals must keep, and one that does not is found.

use std::panic::{AssertUnwindSafe, catch_unwind};

use eventful::journal::{
    DiskStore, Intercept, Intercepted, Journal, JournalStore, MemoryStore, ReadError, Sequence, WriteError, conformance,
};

use crate::image::Image;

/// Bytes of the journals that are filled.
const SMALL: u64 = 1 << 20;

#[test]
fn a_journal_in_memory_conforms() {
    conformance::check(&mut || Box::new(MemoryStore::new()));
    conformance::check_bounded(SMALL, &mut |max_bytes| Box::new(MemoryStore::bounded(max_bytes)));
}

#[test]
fn a_journal_on_disk_conforms() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut journals = 0..;
    let mut store = || DiskStore::new(directory.path().join(journals.next().unwrap_or(0).to_string()));
    conformance::check(&mut || Box::new(store()));
    conformance::check_bounded(2 << 20, &mut |max_bytes| Box::new(store().max_bytes(max_bytes)));
}

#[test]
fn a_journal_on_a_backend_of_others_conforms() {
    conformance::check(&mut || Box::new(Image::default().store()));
    conformance::check_bounded(2 << 20, &mut |max_bytes| Box::new(Image::default().store().max_bytes(max_bytes)));
}

#[test]
fn a_journal_that_refuses_as_early_as_it_may_conforms() {
    conformance::check_bounded(SMALL, &mut |max_bytes| Lapse::RefusesEarly.store(MemoryStore::bounded(max_bytes)));
}

#[test]
fn each_lapse_is_found_by_the_rule_that_it_breaks() {
    for (lapse, rule) in [
        (Lapse::DropsAppends, "the extent ends after the last frame"),
        (Lapse::ReadsOn, "a read gives at least one frame"),
        (Lapse::AppendsAnywhere, "frame 1 is not the second one"),
        (Lapse::HidesSnapshots, "snapshots are there after reopening"),
        (Lapse::PutsAfterUnknown, "nor put"),
        (Lapse::AppendsAfterUnknown, "after an unknown outcome nothing is appended"),
        (Lapse::TrimsAfterUnknown, "nor trimmed"),
        (Lapse::SealsAfterUnknown, "nor sealed"),
        (Lapse::ReadsAfterUnknown, "nor read"),
        (Lapse::DropsTrims, "frames before the trim are gone"),
        (Lapse::AppendsSeals, "a long trim is as good as a short one"),
    ] {
        let said = complaint(|| conformance::check(&mut || lapse.store(MemoryStore::new())));
        assert!(said.contains(rule), "{lapse:?}: {said}");
    }
}

#[test]
fn each_lapse_without_room_is_found_by_the_rule_that_it_breaks() {
    for (lapse, rule) in [
        (Lapse::IsAlwaysFull, "a frame of 70000 bytes is refused at"),
        (Lapse::DropsTrims, "what is trimmed becomes room again"),
        (Lapse::AcceptsTooMuch, "no room for a part"),
        (Lapse::MakesRoom, "what is refused takes nothing away"),
    ] {
        let make = |max_bytes| lapse.store(MemoryStore::bounded(max_bytes));
        let said = complaint(|| conformance::check_bounded(SMALL, &mut { make }));
        assert!(said.contains(rule), "{lapse:?}: {said}");
    }
}

/// What a journal in memory does otherwise than it should.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Lapse {
    /// Appends are acknowledged and not made.
    DropsAppends,
    /// Reads have no limit.
    ReadsOn,
    /// Any frame is the expected one.
    AppendsAnywhere,
    /// No snapshot is listed.
    HidesSnapshots,
    /// Parts are acknowledged after an unknown outcome.
    PutsAfterUnknown,
    /// Appends are acknowledged after an unknown outcome.
    AppendsAfterUnknown,
    /// Trims are acknowledged after an unknown outcome.
    TrimsAfterUnknown,
    /// Seals are acknowledged after an unknown outcome.
    SealsAfterUnknown,
    /// There is nothing to read after an unknown outcome, and no error.
    ReadsAfterUnknown,
    /// Trims are acknowledged and not made.
    DropsTrims,
    /// A seal is a frame.
    AppendsSeals,
    /// No frame is taken.
    IsAlwaysFull,
    /// A part for which there is no room is acknowledged.
    AcceptsTooMuch,
    /// A part for which there is no room takes the place of the frames.
    MakesRoom,
    /// Frames are refused at the most room at which they may be: no lapse.
    RefusesEarly,
}

impl Lapse {
    fn store(self, store: MemoryStore) -> Box<dyn JournalStore> {
        Box::new(Intercepted::new(Box::new(store), Lapsing { lapse: self, is_unknown: false }))
    }
}

/// Makes a lapse in each journal that is opened.
#[derive(Debug, Clone)]
struct Lapsing {
    lapse: Lapse,
    /// An outcome was unknown.
    is_unknown: bool,
}

impl Lapsing {
    fn after_unknown(&self, lapse: Lapse, done: Result<(), WriteError>) -> Result<(), WriteError> {
        if self.is_unknown && self.lapse == lapse { Ok(()) } else { done }
    }
}

impl Intercept for Lapsing {
    fn append(&mut self, journal: &mut dyn Journal, expected: Sequence, frame: &[u8]) -> Result<(), WriteError> {
        let (end, wanted) = (journal.extent().end, 2 * frame.len() as u64 + 8192);
        if self.lapse == Lapse::DropsAppends {
            return Ok(());
        }
        if self.lapse == Lapse::IsAlwaysFull || self.lapse == Lapse::RefusesEarly && journal.room().0 < wanted {
            return Err(WriteError::Full);
        }
        let expected = if self.lapse == Lapse::AppendsAnywhere { end } else { expected };
        self.after_unknown(Lapse::AppendsAfterUnknown, journal.append(expected, frame))
    }

    fn read(
        &mut self,
        journal: &mut dyn Journal,
        from: Sequence,
        limit_bytes: usize,
        visit: &mut dyn FnMut(Sequence, &[u8]),
    ) -> Result<Sequence, ReadError> {
        if self.lapse == Lapse::ReadsAfterUnknown && self.is_unknown {
            return Ok(from);
        }
        journal.read(from, if self.lapse == Lapse::ReadsOn { usize::MAX } else { limit_bytes }, visit)
    }

    fn put_snapshot(
        &mut self,
        journal: &mut dyn Journal,
        at: Sequence,
        part: u32,
        bytes: &[u8],
        last: bool,
    ) -> Result<(), WriteError> {
        let put = self.after_unknown(Lapse::PutsAfterUnknown, journal.put_snapshot(at, part, bytes, last));
        self.is_unknown |= matches!(put, Err(WriteError::Unknown { .. }));
        if put == Err(WriteError::Full) && self.lapse == Lapse::AcceptsTooMuch {
            return Ok(());
        }
        if put == Err(WriteError::Full) && self.lapse == Lapse::MakesRoom {
            journal.trim(at)?;
        }
        put
    }

    fn snapshots(&mut self, journal: &mut dyn Journal) -> Result<Vec<Sequence>, ReadError> {
        let snapshots = journal.snapshots()?;
        Ok(if self.lapse == Lapse::HidesSnapshots { Vec::new() } else { snapshots })
    }

    fn trim(&mut self, journal: &mut dyn Journal, below: Sequence) -> Result<(), WriteError> {
        let below = if self.lapse == Lapse::DropsTrims { Sequence::FIRST } else { below };
        self.after_unknown(Lapse::TrimsAfterUnknown, journal.trim(below))
    }

    fn seal(&mut self, journal: &mut dyn Journal) -> Result<(), WriteError> {
        if self.lapse == Lapse::AppendsSeals {
            return journal.append(journal.extent().end, b"a seal");
        }
        self.after_unknown(Lapse::SealsAfterUnknown, journal.seal())
    }
}

/// The message with which it panics.
fn complaint(run: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(run)).expect_err("a lapse is found");
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).expect("a message")
}
