//! Crash points: a history is written once; then the process is killed, or the power cut, before and after each change
//! of the disk.
//!
//! Each state that a power cut may leave is recovered and compared with the expected log at that moment. Of up to six
//! pending changes every subset survives, with the others unchanged, torn, and garbage; of more, some subsets. Many of
//! them leave the same bytes, as files without a name are gone: these are recovered once. Now and then the recovery is
//! interrupted too, before each of its own changes, and recovered again; then the engine continues.

use std::collections::BTreeSet;

use eventful::journal::{JournalStore, MaintainError, OpenError, WriteError};

use super::expected_log::{ExpectedLength, ExpectedLog, JournaledEngine, ReplayedJournal, open};
use super::fault::FaultInjector;
use super::history::Length;
use super::medium::{DiskImage, Rest, SimulatedDisk, UnsyncedLoss};
use super::shared_disk::SharedDisk;
use crate::failure::Broken;
use crate::seeded_rng::{SeededRng, Stream};
use crate::tier::Probes;

/// The number of pending changes up to which every subset is tried: 64 subsets for each moment.
const ALL_SUBSETS: usize = 6;

/// The fates of changes that are not in the subset.
const RESTS: [Rest; 3] = [Rest::Lost, Rest::Torn, Rest::Garbage];

/// The space on every disk: far more than a history takes.
const CAPACITY_BYTES: u64 = 64 << 20;

/// Creates a store on a disk.
pub type Maker<'m> = &'m dyn Fn(SharedDisk) -> Box<dyn JournalStore>;

/// The number of crashes to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effort {
    /// The length of a history.
    pub length: Length,
    /// One in this many moments has the process killed, too.
    pub kills: u64,
    /// The number of random subsets where there are too many for all of them.
    pub draws: u32,
    /// One in this many recoveries is interrupted and repeated.
    pub again: u64,
}

/// The numbers of what was tried.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Tried {
    pub scenarios: u64,
    pub groups: u64,
    pub points: u64,
    pub recoveries: u64,
    pub repeated: u64,
    pub interrupted: u64,
    pub snapshots: u64,
    pub probes: Probes,
}

/// One scenario, and all of its crashes.
struct Crashes<'m> {
    make: Maker<'m>,
    effort: Effort,
    stream: Stream,
    tried: Tried,
    /// States after power cuts that were recovered already, each with the length of the log acknowledged by then.
    recovered: BTreeSet<(u64, ExpectedLength)>,
}

/// Writes the history of this seed, and crashes it at every change.
///
/// # Errors
///
/// [`Broken`], with the change before which the crash was.
pub fn crash_everywhere(seed: u64, effort: Effort, make: Maker<'_>) -> Result<Tried, Broken> {
    let rng = SeededRng::of(seed);
    let drive = SharedDisk::new(SimulatedDisk::new(CAPACITY_BYTES, FaultInjector::none(rng.stream("trouble"))));
    drive.disk().keep_history();
    let stream = rng.stream("crashes");
    let mut crashes = Crashes { make, effort, stream, tried: Tried::default(), recovered: BTreeSet::new() };
    let ledger = crashes.write(&drive, &mut rng.stream("history"))?;
    let mut moments = drive.disk().take_history();
    let changes = drive.disk().changes();
    // The crash after the last change.
    moments.push(DiskImage { changes, disk: drive.disk().clone() });
    for moment in &moments {
        let at_moment = |broken: Broken| Broken {
            what: format!("{}, after a crash before change {}", broken.what, moment.changes),
            ..broken
        };
        crashes.crash(moment, &ledger.as_of(moment.changes)).map_err(at_moment)?;
    }
    crashes.tried.scenarios += 1;
    Ok(crashes.tried)
}

impl Crashes<'_> {
    fn open(&self, drive: &SharedDisk, snapshot_after: u64) -> Result<ReplayedJournal, OpenError> {
        open(&mut *(self.make)(drive.clone()), snapshot_after)
    }

    /// Writes a history of a few openings.
    fn write(&mut self, drive: &SharedDisk, stream: &mut Stream) -> Result<ExpectedLog, Broken> {
        let mut ledger = ExpectedLog::default();
        let snapshot_after = stream.between(300, 4000);
        for _ in 0..stream.between(1, self.effort.length.openings.into()) {
            let mut opened = self.open(drive, snapshot_after).map_err(|error| refused(&error))?;
            sound(opened.audit(&mut ledger)?.groups)?;
            self.live(opened, &mut ledger, drive, stream)?;
            if stream.below(2) == 0 {
                drive.kill();
            }
        }
        self.tried.groups += ledger.len() as u64;
        Ok(ledger)
    }

    fn live(
        &mut self,
        opened: ReplayedJournal,
        ledger: &mut ExpectedLog,
        drive: &SharedDisk,
        stream: &mut Stream,
    ) -> Result<(), Broken> {
        let changes = || drive.disk().changes();
        let (mut writer, facts) = opened.begin(ledger)?;
        writer.append(&facts, ledger, &changes)?.map_err(|error| unwritten(&error))?;
        for _ in 0..stream.between(1, self.effort.length.groups.into()) {
            let facts = writer.history.advance(stream);
            writer.append(&facts, ledger, &changes)?.map_err(|error| unwritten(&error))?;
            self.tend(&mut writer, stream)?;
        }
        Ok(())
    }

    /// Does what is due between appends.
    fn tend(&mut self, writer: &mut JournaledEngine, stream: &mut Stream) -> Result<(), Broken> {
        let made = |result: Result<(), MaintainError>| match result {
            Ok(()) | Err(MaintainError::Write(WriteError::Full)) => Ok(()),
            Err(error) => {
                Err(Broken::new("durability", 10, format_args!("a snapshot failed without a fault: {error}")))
            }
        };
        match stream.below(10) {
            0 => writer.log.seal().map_err(|error| unwritten(&error)),
            1 => {
                self.tried.snapshots += 1;
                made(writer.tend(true))
            }
            _ => (0..stream.below(4)).try_for_each(|_| made(writer.tend(false))),
        }
    }

    /// Tries every crash at one moment.
    fn crash(&mut self, moment: &DiskImage, ledger: &ExpectedLog) -> Result<(), Broken> {
        self.tried.points += 1;
        let (pending, names) = (moment.disk.pending(), moment.disk.pending_names());
        if self.stream.below(self.effort.kills) == 0 {
            let mut disk = moment.disk.clone();
            disk.kill();
            self.recover(disk, ledger)?;
        }
        if pending > ALL_SUBSETS {
            for _ in 0..self.effort.draws {
                self.cut(moment, ledger, &mut |disk, stream| disk.power_cut(UnsyncedLoss::Drawn(stream)))?;
            }
            return Ok(());
        }
        for names in 0..=names {
            for survivors in 0..1 << pending {
                let rests = if survivors + 1 == 1 << pending { &RESTS[..1] } else { &RESTS[..] };
                for rest in rests.iter().copied() {
                    self.cut(moment, ledger, &mut |disk, stream| {
                        disk.power_cut(UnsyncedLoss::Chosen { survivors, names, rest, stream });
                    })?;
                }
            }
        }
        Ok(())
    }

    /// Tries one power cut, unless another one has left the same state.
    fn cut(
        &mut self,
        moment: &DiskImage,
        ledger: &ExpectedLog,
        crash: &mut dyn FnMut(&mut SimulatedDisk, &mut Stream),
    ) -> Result<(), Broken> {
        let mut disk = moment.disk.clone();
        crash(&mut disk, &mut self.stream);
        if !self.recovered.insert((disk.contents_hash(), ledger.length())) {
            self.tried.repeated += 1;
            self.tried.probes.add(disk.probes());
            return Ok(());
        }
        self.recover(disk, ledger)
    }

    /// Recovers once, and sometimes again.
    fn recover(&mut self, disk: SimulatedDisk, ledger: &ExpectedLog) -> Result<(), Broken> {
        self.tried.recoveries += 1;
        self.tried.probes.add(disk.probes());
        let again = self.stream.below(self.effort.again) == 0;
        let (drive, copy) = (SharedDisk::new(disk.clone()), disk);
        let before = drive.disk().changes();
        let mut opened = self.open(&drive, u64::MAX).map_err(|error| refused(&error))?;
        let mut found = ledger.clone();
        sound(opened.audit(&mut found)?.groups)?;
        if again {
            opened.audit_snapshots(&found)?;
            self.continue_with(opened, &mut found, &drive)?;
            let changes = drive.disk().changes() - before;
            for after in 0..changes {
                self.interrupt(&copy, &mut ledger.clone(), after)?;
            }
        }
        Ok(())
    }

    /// Continues with the engine, and checks that its facts survive another power cut.
    fn continue_with(
        &mut self,
        opened: ReplayedJournal,
        ledger: &mut ExpectedLog,
        drive: &SharedDisk,
    ) -> Result<(), Broken> {
        let mut stream = self.stream.clone();
        let (mut writer, facts) = opened.begin(ledger)?;
        let changes = || drive.disk().changes();
        writer.append(&facts, ledger, &changes)?.map_err(|error| unwritten(&error))?;
        let facts = writer.history.advance(&mut stream);
        writer.append(&facts, ledger, &changes)?.map_err(|error| unwritten(&error))?;
        drive.power_cut(&mut self.stream);
        drop(writer);
        let mut opened = self.open(drive, u64::MAX).map_err(|error| refused(&error))?;
        sound(opened.audit(ledger)?.groups)
    }

    /// Cuts the power again after this many changes of the recovery.
    fn interrupt(&mut self, disk: &SimulatedDisk, ledger: &mut ExpectedLog, after: u64) -> Result<(), Broken> {
        self.tried.interrupted += 1;
        let mut disk = disk.clone();
        disk.stop_after(after);
        let drive = SharedDisk::new(disk);
        if let Ok(mut opened) = self.open(&drive, u64::MAX) {
            sound(opened.audit(ledger)?.groups)?;
            let (mut writer, facts) = opened.begin(ledger)?;
            let mut result = writer.append(&facts, ledger, &|| 0)?;
            while result.is_ok() {
                let facts = writer.history.advance(&mut self.stream);
                result = writer.append(&facts, ledger, &|| 0)?;
            }
        }
        match self.stream.below(4) {
            0 => drive.kill(),
            _ => drive.power_cut(&mut self.stream),
        }
        let mut opened = self.open(&drive, u64::MAX).map_err(|error| refused(&error))?;
        sound(opened.audit(ledger)?.groups)
    }
}

fn sound(lost_groups: usize) -> Result<(), Broken> {
    match lost_groups {
        0 => Ok(()),
        lost => Err(Broken::new("durability", 10, format_args!("{lost} acknowledged groups are lost"))),
    }
}

fn refused(error: &OpenError) -> Broken {
    Broken::new("durability", 10, format_args!("the journal does not open: {error}"))
}

fn unwritten(error: &WriteError) -> Broken {
    Broken::new("durability", 10, format_args!("the journal does not write: {error}"))
}

impl Tried {
    /// Adds other numbers.
    pub fn add(&mut self, other: &Self) {
        self.scenarios += other.scenarios;
        self.groups += other.groups;
        self.points += other.points;
        self.recoveries += other.recoveries;
        self.repeated += other.repeated;
        self.interrupted += other.interrupted;
        self.snapshots += other.snapshots;
        self.probes.add(&other.probes);
    }
}
