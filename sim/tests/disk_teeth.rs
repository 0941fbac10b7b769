//! Oracles of the disk detect broken stores.

use std::io;

use eventful::journal::{
    Claim, DiskStore, Extent, FreeSpace, Intercept, Intercepted, Journal, JournalStore, OpenError, OpenMode, Owner,
    ReadError, Sequence, Unclaimed, Volume, VolumeFile, WriteError,
};
use eventful_sim::disk::{
    DiskFamily, DiskFault, DiskHandle, DriveStore, DriveVolume, Effort, Length, Maker, SharedDisk, SimulatedDisk,
    crash_everywhere, run,
};

/// The number of scenarios within which each broken store is detected.
const SCENARIOS: u64 = 20;

const EFFORT: Effort = Effort { length: Length { openings: 3, groups: 6 }, kills: 1, draws: 4, again: 100 };

/// Returns the first violation that crash points find with a store.
fn crash(make: Maker<'_>) -> Option<String> {
    (0..SCENARIOS).find_map(|seed| crash_everywhere(seed, EFFORT, make).err()).map(|broken| broken.what)
}

/// Returns the first violation that random faults find with a store.
fn fault(trials: u64, make: Maker<'_>) -> Option<String> {
    (0..trials).find_map(|seed| run(seed, DiskFamily::Failures, Length::TRIAL, make).err()).map(|broken| broken.what)
}

#[test]
fn sound_store_is_not_blamed() {
    assert_eq!(crash(&|drive| Box::new(DriveStore::new(drive))), None);
    assert_eq!(fault(SCENARIOS, &|drive| Box::new(DriveStore::new(drive))), None);
}

#[test]
fn disk_whose_syncs_lie_loses_what_was_acknowledged() {
    let found = crash(&|drive| {
        (0..100).for_each(|_| drive.disk().trouble().arm(DiskFault::SyncLies));
        Box::new(DriveStore::new(drive))
    });
    assert!(found.is_some());
}

#[test]
fn store_that_acknowledges_before_it_writes_is_found() {
    let found = crash(&|drive| Spoilt::store(drive, How::AcksEarly));
    assert!(found.as_ref().is_some_and(|what| what.contains("acknowledged groups are lost")), "{found:?}");
}

#[test]
fn store_that_trims_before_its_snapshot_is_whole_is_found() {
    let found = crash(&|drive| Spoilt::store(drive, How::TrimsEarly));
    assert!(found.as_ref().is_some_and(|what| what.contains("no snapshot holds them")), "{found:?}");
}

#[test]
fn store_that_checks_no_sums_is_found() {
    let found = crash(&|drive| Box::new(NaiveStore { drive, syncs: true }));
    assert!(found.as_ref().is_some_and(|what| what.contains("the journal does not open")), "{found:?}");
}

#[test]
fn store_that_never_syncs_is_found() {
    let found = crash(&|drive| Box::new(NaiveStore { drive, syncs: false }));
    assert!(found.as_ref().is_some_and(|what| what.contains("acknowledged groups are lost")), "{found:?}");
}

#[test]
fn store_that_believes_the_cache_after_a_failed_sync_is_found() {
    let found = fault(500, &|drive| Lax::store(drive, VolumeLapse::Evicts));
    assert!(found.is_some());
}

#[test]
fn store_that_does_not_sync_its_directory_is_found() {
    let found = crash(&|drive| Lax::store(drive, VolumeLapse::SyncsNames));
    assert!(found.as_ref().is_some_and(|what| what.contains("acknowledged groups are lost")), "{found:?}");
}

/// The calls that a volume skips.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum VolumeLapse {
    Evicts,
    SyncsNames,
}

/// A volume that skips some calls, and returns success.
#[derive(Debug)]
struct Lax {
    volume: DriveVolume,
    lapse: VolumeLapse,
}

#[derive(Debug)]
struct LaxFile {
    file: Box<dyn VolumeFile>,
    lapse: VolumeLapse,
}

impl Lax {
    fn store(drive: SharedDisk, lapse: VolumeLapse) -> Box<dyn JournalStore> {
        let open = move || Ok(Self { volume: DriveVolume::new(&drive), lapse });
        Box::new(DiskStore::on("a lax disk", open).segment_bytes(8 << 10, 16 << 10))
    }
}

impl Volume for Lax {
    fn claim(&self, owner: &Owner) -> Result<Claim, Unclaimed> {
        self.volume.claim(owner)
    }

    fn names(&self) -> io::Result<Vec<String>> {
        self.volume.names()
    }

    fn open(&self, name: &str, access: OpenMode) -> io::Result<Box<dyn VolumeFile>> {
        Ok(Box::new(LaxFile { file: self.volume.open(name, access)?, lapse: self.lapse }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.volume.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.volume.remove(name)
    }

    fn sync_names(&self) -> io::Result<()> {
        if self.lapse == VolumeLapse::SyncsNames { Ok(()) } else { self.volume.sync_names() }
    }

    fn free_bytes(&self) -> io::Result<u64> {
        self.volume.free_bytes()
    }
}

impl VolumeFile for LaxFile {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read_at(offset, out)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_at(offset, bytes)
    }

    fn allocate(&self, bytes: u64) -> io::Result<()> {
        self.file.allocate(bytes)
    }

    fn cut(&self, bytes: u64) -> io::Result<()> {
        self.file.cut(bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }

    fn evict(&self) -> io::Result<()> {
        if self.lapse == VolumeLapse::Evicts { Ok(()) } else { self.file.evict() }
    }
}

/// The defect of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// A frame is written only when the next one comes.
    AcksEarly,
    /// Frames are dropped when the first part of a snapshot is put.
    TrimsEarly,
}

/// A correct store with a defect added.
#[derive(Debug, Clone)]
struct Spoilt {
    how: How,
    held: Option<Vec<u8>>,
}

impl Spoilt {
    fn store(drive: SharedDisk, how: How) -> Box<dyn JournalStore> {
        Box::new(Intercepted::new(Box::new(DriveStore::new(drive)), Self { how, held: None }))
    }

    fn flush(&mut self, journal: &mut dyn Journal) -> Result<(), WriteError> {
        let end = journal.extent().end;
        self.held.take().map_or(Ok(()), |frame| journal.append(end, &frame))
    }
}

impl Intercept for Spoilt {
    fn extent(&self, journal: &dyn Journal) -> Extent {
        let Extent { first, end } = journal.extent();
        Extent { first, end: if self.held.is_some() { end.next() } else { end } }
    }

    fn append(&mut self, journal: &mut dyn Journal, expected: Sequence, frame: &[u8]) -> Result<(), WriteError> {
        if self.how != How::AcksEarly {
            return journal.append(expected, frame);
        }
        self.flush(journal)?;
        self.held = Some(frame.to_vec());
        Ok(())
    }

    fn read(
        &mut self,
        journal: &mut dyn Journal,
        from: Sequence,
        limit_bytes: usize,
        visit: &mut dyn FnMut(Sequence, &[u8]),
    ) -> Result<Sequence, ReadError> {
        let _ = self.flush(journal);
        journal.read(from, limit_bytes, visit)
    }

    fn put_snapshot(
        &mut self,
        journal: &mut dyn Journal,
        at: Sequence,
        part: u32,
        bytes: &[u8],
        last: bool,
    ) -> Result<(), WriteError> {
        self.flush(journal)?;
        if self.how == How::TrimsEarly {
            journal.trim(at)?;
        }
        journal.put_snapshot(at, part, bytes, last)
    }
}

/// A store that writes lengths and frames to a file, without checksums.
#[derive(Debug)]
struct NaiveStore {
    drive: SharedDisk,
    syncs: bool,
}

impl JournalStore for NaiveStore {
    fn open(&mut self, _: &Owner) -> Result<Box<dyn Journal>, OpenError> {
        let io = |error: eventful_sim::disk::DiskError| OpenError::Io {
            place: "naive".to_owned(),
            cause: error.to_string(),
        };
        let mut disk = self.drive.disk();
        let life = disk.life();
        let file = disk.open(life, "naive").map_err(io)?;
        disk.sync_names(life).map_err(io)?;
        let frames = frames(&mut disk, file).map_err(io)?;
        drop(disk);
        let end = frames.iter().map(|frame| frame.len() as u64 + 4).sum();
        Ok(Box::new(NaiveJournal { drive: self.drive.clone(), syncs: self.syncs, file, frames, end }))
    }
}

fn frames(disk: &mut SimulatedDisk, file: DiskHandle) -> Result<Vec<Vec<u8>>, eventful_sim::disk::DiskError> {
    let mut bytes = vec![0; disk.len(file)? as usize];
    disk.read(file, 0, &mut bytes)?;
    let (mut frames, mut rest) = (Vec::new(), &bytes[..]);
    while let Some((head, tail)) = rest.split_at_checked(4) {
        let length = u32::from_le_bytes(head.try_into().expect("four bytes")) as usize;
        let Some((frame, after)) = tail.split_at_checked(length).filter(|_| length > 0) else { break };
        frames.push(frame.to_vec());
        rest = after;
    }
    Ok(frames)
}

#[derive(Debug)]
struct NaiveJournal {
    drive: SharedDisk,
    syncs: bool,
    file: DiskHandle,
    frames: Vec<Vec<u8>>,
    end: u64,
}

impl Journal for NaiveJournal {
    fn extent(&self) -> Extent {
        Extent { first: Sequence::FIRST, end: Sequence::new(self.frames.len() as u64 + 1) }
    }

    fn room(&self) -> FreeSpace {
        FreeSpace(u64::MAX)
    }

    fn append(&mut self, _: Sequence, frame: &[u8]) -> Result<(), WriteError> {
        let unknown = |error: eventful_sim::disk::DiskError| WriteError::Unknown { cause: error.to_string() };
        let bytes = [&(frame.len() as u32).to_le_bytes()[..], frame].concat();
        let mut disk = self.drive.disk();
        disk.write(self.file, self.end, &bytes).map_err(unknown)?;
        if self.syncs {
            disk.sync(self.file).map_err(unknown)?;
        }
        self.end += bytes.len() as u64;
        self.frames.push(frame.to_vec());
        Ok(())
    }

    fn read(
        &mut self,
        from: Sequence,
        _: usize,
        visit: &mut dyn FnMut(Sequence, &[u8]),
    ) -> Result<Sequence, ReadError> {
        for (sequence, frame) in (from.number()..).zip(&self.frames[from.previous().number() as usize..]) {
            visit(Sequence::new(sequence), frame);
        }
        Ok(self.extent().end)
    }

    fn put_snapshot(&mut self, _: Sequence, _: u32, _: &[u8], _: bool) -> Result<(), WriteError> {
        Err(WriteError::Full)
    }

    fn snapshots(&mut self) -> Result<Vec<Sequence>, ReadError> {
        Ok(Vec::new())
    }

    fn snapshot(&mut self, _: Sequence, _: u32) -> Result<Option<Vec<u8>>, ReadError> {
        Ok(None)
    }

    fn trim(&mut self, _: Sequence) -> Result<(), WriteError> {
        Ok(())
    }
}
