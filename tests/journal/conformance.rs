//! Every journal keeps what journals must keep, and one that does not is found.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard};

use eventful::journal::{
    DiskStore, Extent, Intercept, Intercepted, Journal, JournalStore, MemoryStore, OpenError, Owner, ReadError,
    Sequence, WriteError, conformance,
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
fn a_journal_on_a_volume_of_others_conforms() {
    conformance::check(&mut || Box::new(Image::default().store()));
    conformance::check_bounded(2 << 20, &mut |max_bytes| Box::new(Image::default().store().max_bytes(max_bytes)));
}

#[test]
fn a_journal_that_refuses_as_early_as_it_may_conforms() {
    conformance::check_bounded(SMALL, &mut |max_bytes| StoreLapse::RefusesEarly.store(MemoryStore::bounded(max_bytes)));
}

#[test]
fn each_lapse_is_found_by_the_rule_that_it_breaks() {
    for (lapse, rule) in [
        (StoreLapse::BeginsWithFrame, "a new journal has no frames"),
        (StoreLapse::DropsAppends, "the extent ends after the last frame"),
        (StoreLapse::ReversesFrames, "frames are read as they were appended"),
        (StoreLapse::ReadsOn, "a read gives at least one frame"),
        (StoreLapse::AppendsAnywhere, "frame 1 is not the second one"),
        (StoreLapse::RefusesRepeats, "frame 1 can be appended again"),
        (StoreLapse::AppendsRepeats, "a frame that is appended again is there once"),
        (StoreLapse::TrimsWhenFenced, "the first owner trims nothing"),
        (StoreLapse::RepeatsFrames, "frames are there after reopening"),
        (StoreLapse::HidesSnapshots, "snapshots are there after reopening"),
        (StoreLapse::ShowsUnfinished, "an unfinished snapshot does not exist"),
        (StoreLapse::CutsParts, "parts are read as they were put"),
        (StoreLapse::KeepsUnfinished, "an unfinished snapshot vanishes"),
        (StoreLapse::BeginsOnce, "part 0 of the snapshot before frame 1 is put"),
        (StoreLapse::TakesAnyPart, "part 1 of snapshot 2 does not follow part 0 of snapshot 1"),
        (StoreLapse::PutsAfterUnknown, "nor put"),
        (StoreLapse::AppendsAfterUnknown, "after an unknown outcome nothing is appended"),
        (StoreLapse::TrimsAfterUnknown, "nor trimmed"),
        (StoreLapse::SealsAfterUnknown, "nor sealed"),
        (StoreLapse::ReadsAfterUnknown, "nor read"),
        (StoreLapse::DropsTrims, "frames before the trim are gone"),
        (StoreLapse::DropsTrimsPastEnd, "a trim goes no further than the end"),
        (StoreLapse::TrimsUnfinished, "part 1 of the snapshot before frame 3 is put"),
        (StoreLapse::TakesOldParts, "no snapshot is put before the first frame"),
        (StoreLapse::TrimsFew, "a long trim is as good as a short one"),
        (StoreLapse::AppendsSeals, "a seal adds no frame"),
    ] {
        let said = complaint(|| conformance::check(&mut || lapse.store(MemoryStore::new())));
        assert!(said.contains(rule), "{lapse:?}: {said}");
    }
}

#[test]
fn each_lapse_without_room_is_found_by_the_rule_that_it_breaks() {
    for (lapse, rule) in [
        (StoreLapse::IsAlwaysFull, "a frame of 70000 bytes is refused at"),
        (StoreLapse::RefusesParts, "a part of 70000 bytes is refused at"),
        (StoreLapse::DropsTrims, "what is trimmed becomes room again"),
        (StoreLapse::AcceptsTooMuch, "no room for a part"),
        (StoreLapse::MakesRoom, "what is refused takes nothing away"),
    ] {
        let make = |max_bytes| lapse.store(MemoryStore::bounded(max_bytes));
        let said = complaint(|| conformance::check_bounded(SMALL, &mut { make }));
        assert!(said.contains(rule), "{lapse:?}: {said}");
    }
}

/// A defect of a journal in memory.
#[derive(Debug, Clone, Copy, PartialEq)]
enum StoreLapse {
    /// A new journal has a frame.
    BeginsWithFrame,
    /// Appends are acknowledged and not made.
    DropsAppends,
    /// Reads have no limit.
    ReadsOn,
    /// The bytes of frames are read in the other direction.
    ReversesFrames,
    /// A frame is read as the first one of its size.
    RepeatsFrames,
    /// Any frame is the expected one.
    AppendsAnywhere,
    /// The last frame is refused when it is appended again.
    RefusesRepeats,
    /// The last frame is there twice when it is appended again.
    AppendsRepeats,
    /// Trims of an owner that was fenced are acknowledged.
    TrimsWhenFenced,
    /// No snapshot is listed.
    HidesSnapshots,
    /// A snapshot is listed before it is finished.
    ShowsUnfinished,
    /// Of a part 64 KiB are read.
    CutsParts,
    /// A snapshot that was not finished is one after reopening.
    KeepsUnfinished,
    /// A snapshot that was begun is not begun again.
    BeginsOnce,
    /// Parts are acknowledged that follow nothing.
    TakesAnyPart,
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
    /// Trims past the end are acknowledged and not made.
    DropsTrimsPastEnd,
    /// A trim drops the snapshot that is being put.
    TrimsUnfinished,
    /// Parts of snapshots before the first frame are acknowledged.
    TakesOldParts,
    /// A trim drops fifty frames at most.
    TrimsFew,
    /// The second seal since an opening is a frame.
    AppendsSeals,
    /// No frame is taken.
    IsAlwaysFull,
    /// The last 256 KiB are not for parts.
    RefusesParts,
    /// A part for which there is no room is acknowledged.
    AcceptsTooMuch,
    /// A part for which there is no room takes the place of the frames.
    MakesRoom,
    /// Frames are refused at the most room at which they may be: no lapse.
    RefusesEarly,
}

impl StoreLapse {
    fn store(self, store: MemoryStore) -> Box<dyn JournalStore> {
        let lapsing = Lapsing { lapse: self, is_unknown: false, is_sealed: false, unfinished: Arc::default() };
        Box::new(Intercepted::new(Box::new(store), lapsing))
    }
}

/// Makes a lapse in each journal that is opened.
#[derive(Debug, Clone)]
struct Lapsing {
    lapse: StoreLapse,
    /// An outcome was unknown.
    is_unknown: bool,
    is_sealed: bool,
    /// The snapshot that was begun last and is not finished, in any opening.
    unfinished: Arc<Mutex<Option<Sequence>>>,
}

impl Lapsing {
    fn unfinished(&self) -> MutexGuard<'_, Option<Sequence>> {
        self.unfinished.lock().expect("no panic while it is locked")
    }

    fn after_unknown(&self, lapse: StoreLapse, done: Result<(), WriteError>) -> Result<(), WriteError> {
        if self.is_unknown && self.lapse == lapse { Ok(()) } else { done }
    }
}

impl Intercept for Lapsing {
    fn open(&mut self, store: &mut dyn JournalStore, owner: &Owner) -> Result<Box<dyn Journal>, OpenError> {
        let mut journal = store.open(owner)?;
        if self.lapse == StoreLapse::BeginsWithFrame && journal.extent().end == Sequence::FIRST {
            journal.append(Sequence::FIRST, b"a frame").expect("memory");
        }
        if let Some(at) = self.unfinished().take().filter(|_| self.lapse == StoreLapse::KeepsUnfinished) {
            journal.put_snapshot(at, 0, b"a part", true).expect("memory");
        }
        Ok(journal)
    }

    fn append(&mut self, journal: &mut dyn Journal, expected: Sequence, frame: &[u8]) -> Result<(), WriteError> {
        let (end, wanted) = (journal.extent().end, 2 * frame.len() as u64 + 8192);
        if self.lapse == StoreLapse::DropsAppends {
            return Ok(());
        }
        if self.lapse == StoreLapse::IsAlwaysFull || self.lapse == StoreLapse::RefusesEarly && journal.room().0 < wanted
        {
            return Err(WriteError::Full);
        }
        if self.lapse == StoreLapse::RefusesRepeats && expected < end {
            return Err(WriteError::Fenced);
        }
        if self.lapse == StoreLapse::AppendsRepeats && expected < end && journal.append(expected, frame).is_ok() {
            return journal.append(end, frame);
        }
        let expected = if self.lapse == StoreLapse::AppendsAnywhere { end } else { expected };
        self.after_unknown(StoreLapse::AppendsAfterUnknown, journal.append(expected, frame))
    }

    fn read(
        &mut self,
        journal: &mut dyn Journal,
        from: Sequence,
        limit_bytes: usize,
        visit: &mut dyn FnMut(Sequence, &[u8]),
    ) -> Result<Sequence, ReadError> {
        if self.lapse == StoreLapse::ReadsAfterUnknown && self.is_unknown {
            return Ok(from);
        }
        let limit_bytes = if self.lapse == StoreLapse::ReadsOn { usize::MAX } else { limit_bytes };
        let reverses = self.lapse == StoreLapse::ReversesFrames;
        let mut first_of_size = BTreeMap::new();
        if self.lapse == StoreLapse::RepeatsFrames {
            let first = journal.extent().first;
            let mut remember = |_, frame: &[u8]| {
                first_of_size.entry(frame.len()).or_insert(frame.to_vec());
            };
            journal.read(first, usize::MAX, &mut remember)?;
        }
        journal.read(from, limit_bytes, &mut |sequence, frame| {
            let mut frame = first_of_size.get(&frame.len()).cloned().unwrap_or_else(|| frame.to_vec());
            if reverses {
                frame.reverse();
            }
            visit(sequence, &frame);
        })
    }

    fn put_snapshot(
        &mut self,
        journal: &mut dyn Journal,
        at: Sequence,
        part: u32,
        bytes: &[u8],
        last: bool,
    ) -> Result<(), WriteError> {
        if self.lapse == StoreLapse::BeginsOnce && part == 0 && *self.unfinished() == Some(at) {
            return Err(WriteError::Fenced);
        }
        if self.lapse == StoreLapse::RefusesParts && journal.room().0 < 256 << 10 {
            return Err(WriteError::Full);
        }
        let put = self.after_unknown(StoreLapse::PutsAfterUnknown, journal.put_snapshot(at, part, bytes, last));
        if self.lapse == StoreLapse::TakesAnyPart && matches!(put, Err(WriteError::Unknown { .. })) {
            return Ok(());
        }
        if self.lapse == StoreLapse::TakesOldParts && at < journal.extent().first {
            return Ok(());
        }
        self.is_unknown |= matches!(put, Err(WriteError::Unknown { .. }));
        *self.unfinished() = Some(at).filter(|_| !last);
        if put == Err(WriteError::Full) && self.lapse == StoreLapse::AcceptsTooMuch {
            return Ok(());
        }
        if put == Err(WriteError::Full) && self.lapse == StoreLapse::MakesRoom {
            journal.trim(at)?;
        }
        put
    }

    fn snapshots(&mut self, journal: &mut dyn Journal) -> Result<Vec<Sequence>, ReadError> {
        let mut snapshots = journal.snapshots()?;
        snapshots.retain(|_| self.lapse != StoreLapse::HidesSnapshots);
        snapshots.extend(self.unfinished().filter(|_| self.lapse == StoreLapse::ShowsUnfinished));
        Ok(snapshots)
    }

    fn snapshot(&mut self, journal: &mut dyn Journal, at: Sequence, part: u32) -> Result<Option<Vec<u8>>, ReadError> {
        let mut bytes = journal.snapshot(at, part)?;
        bytes.iter_mut().filter(|_| self.lapse == StoreLapse::CutsParts).for_each(|bytes| bytes.truncate(64 << 10));
        Ok(bytes)
    }

    fn trim(&mut self, journal: &mut dyn Journal, below: Sequence) -> Result<(), WriteError> {
        let Extent { first, end } = journal.extent();
        let few = Sequence::new(first.number() + 50);
        let is_dropped =
            self.lapse == StoreLapse::DropsTrims || self.lapse == StoreLapse::DropsTrimsPastEnd && below > end;
        let below = if is_dropped { first } else { below };
        let below = if self.lapse == StoreLapse::TrimsFew { below.min(few) } else { below };
        if self.lapse == StoreLapse::TrimsUnfinished {
            journal.drop_unfinished();
        }
        let trimmed = self.after_unknown(StoreLapse::TrimsAfterUnknown, journal.trim(below));
        if self.lapse == StoreLapse::TrimsWhenFenced && trimmed == Err(WriteError::Fenced) { Ok(()) } else { trimmed }
    }

    fn seal(&mut self, journal: &mut dyn Journal) -> Result<(), WriteError> {
        if self.lapse == StoreLapse::AppendsSeals && self.is_sealed {
            return journal.append(journal.extent().end, b"a seal");
        }
        self.is_sealed = true;
        self.after_unknown(StoreLapse::SealsAfterUnknown, journal.seal())
    }
}

/// The message with which it panics.
fn complaint(run: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(run)).expect_err("a lapse is found");
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).expect("a message")
}
