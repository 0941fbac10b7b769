//! Runs of a journal under random faults, which check its promises.

use core::fmt;

use eventful::engine::facts::Fact;
use eventful::journal::{MaintainError, OpenError, WriteError};

use super::crash::Maker;
use super::expected_log::{ExpectedLog, JournaledEngine, ReplayedJournal, open};
use super::fault::{DiskFault, FaultInjector};
use super::history::Length;
use super::medium::SimulatedDisk;
use super::shared_disk::SharedDisk;
use crate::failure::Broken;
use crate::seeded_rng::{SeededRng, Stream};
use crate::tier::Probes;

/// The number of openings that may fail one after the other before the faults pause: else a run may never open the
/// journal again.
const PATIENCE: u32 = 4;

/// The space on a disk without shortage: far more than a run takes.
const CAPACITY_BYTES: u64 = 64 << 20;

/// The faults of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskFamily {
    /// Crashes, and operations that return errors.
    Failures,
    /// The same, with bit rot and misdirected reads and writes.
    Damage,
    /// The faults of `Failures`, with syncs that lie.
    Lies,
}

/// The result of a run without a broken promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RunVerdict {
    /// All acknowledged groups are there.
    Kept,
    /// The journal is damaged, and refused.
    Refused,
    /// The last group was damaged while nothing followed it, and was cut.
    LastCut,
    /// A sync has lied, and the oracle has detected the loss.
    Caught,
}

impl fmt::Display for RunVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kept => "all of them are there",
            Self::Refused => "the journal is damaged, and refused",
            Self::LastCut => "the last was damaged while nothing followed it, and is cut",
            Self::Caught => "a sync has lied, and the loss was detected",
        })
    }
}

/// The result of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RandomFaultRun {
    /// The verdict.
    pub verdict: RunVerdict,
    /// The number of groups that were acknowledged and audited.
    pub groups: usize,
    /// The faults that have struck.
    pub probes: Probes,
}

/// The reason why a life of the journal ended.
#[derive(Debug)]
enum LifeEnding {
    /// The journal was closed, or an error ended it.
    Over,
    /// A promise is broken, unless the family allows it.
    Broken(Broken),
    /// The opening was refused.
    Refused(String),
}

impl From<Broken> for LifeEnding {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

/// Runs a journal under the faults of this seed.
///
/// # Errors
///
/// [`Broken`] if the journal does not keep its promises under these faults.
pub fn run(seed: u64, family: DiskFamily, length: Length, make: Maker<'_>) -> Result<RandomFaultRun, Broken> {
    let rng = SeededRng::of(seed);
    let mut stream = rng.stream("trial");
    let trouble = family.draw(&mut stream, rng.stream("trouble"));
    let drive = SharedDisk::new(SimulatedDisk::new(CAPACITY_BYTES, trouble.clone()));
    let ledger = ExpectedLog::default();
    let mut tested = TestedJournal { make, drive, family, length, trouble, stream, ledger, lost: 0 };
    let verdict = tested.live()?;
    let (groups, probes) = (tested.ledger.len(), tested.drive.probes());
    Ok(RandomFaultRun { verdict, groups, probes })
}

impl DiskFamily {
    /// Returns faults for a disk: each kind of the family with a rate of its own, and half of them not at all. The
    /// rates come from `stream`, the strikes from `strikes`.
    pub fn draw(self, stream: &mut Stream, strikes: Stream) -> FaultInjector {
        let mut trouble = FaultInjector::none(strikes);
        let calls = DiskFault::OF_WRITES.into_iter().chain(DiskFault::OF_READS).chain(DiskFault::OF_SYNCS);
        let calls = calls.chain([DiskFault::AllocateFails]);
        for fault in calls {
            let lies = self == Self::Lies && fault == DiskFault::SyncLies;
            let belongs = fault.is_survivable() || (self == Self::Damage && fault != DiskFault::SyncLies);
            // Lies are more frequent, as each must meet a power cut to have an effect.
            let rate = stream.between(100, if lies { 30_000 } else { 4000 }) as u32;
            if lies || belongs && stream.below(2) == 0 {
                trouble = trouble.with(fault, rate);
            }
        }
        trouble
    }
}

/// A journal under test.
struct TestedJournal<'m> {
    make: Maker<'m>,
    drive: SharedDisk,
    family: DiskFamily,
    length: Length,
    trouble: FaultInjector,
    stream: Stream,
    ledger: ExpectedLog,
    /// The greatest number of groups that were lost at once.
    lost: usize,
}

impl TestedJournal<'_> {
    fn live(&mut self) -> Result<RunVerdict, Broken> {
        let mut failed = 0;
        for _ in 0..self.length.openings {
            if failed == PATIENCE {
                self.rest();
            }
            match self.life() {
                Ok(()) | Err(LifeEnding::Over) => failed = 0,
                Err(LifeEnding::Broken(broken)) => return self.excuse(broken),
                Err(LifeEnding::Refused(_)) => failed += 1,
            }
            self.interlude();
        }
        self.rest();
        self.drive.power_cut(&mut self.stream);
        match self.checkup() {
            Ok(()) | Err(LifeEnding::Over) if self.lost > 0 => Ok(RunVerdict::LastCut),
            Ok(()) | Err(LifeEnding::Over) => Ok(RunVerdict::Kept),
            Err(LifeEnding::Broken(broken)) => self.excuse(broken),
            Err(LifeEnding::Refused(cause)) => self.excuse_refusal(cause),
        }
    }

    fn struck(&self, fault: DiskFault) -> bool {
        self.drive.probes().count(fault) > 0
    }

    /// Excuses a broken promise if a sync has lied.
    fn excuse(&self, broken: Broken) -> Result<RunVerdict, Broken> {
        if self.struck(DiskFault::SyncLies) { Ok(RunVerdict::Caught) } else { Err(broken) }
    }

    /// Excuses a permanent refusal if the journal is damaged.
    fn excuse_refusal(&self, cause: String) -> Result<RunVerdict, Broken> {
        let damages =
            [DiskFault::BitRot, DiskFault::MisdirectedWrite, DiskFault::FileVanishes, DiskFault::FilesSwapped];
        match self.family {
            DiskFamily::Damage if damages.into_iter().any(|fault| self.struck(fault)) => Ok(RunVerdict::Refused),
            DiskFamily::Failures | DiskFamily::Damage | DiskFamily::Lies => {
                self.excuse(Broken::new("durability", 10, cause))
            }
        }
    }

    /// Ends all faults for a while.
    fn rest(&mut self) {
        let mut disk = self.drive.disk();
        disk.trouble().end();
        disk.resize(CAPACITY_BYTES);
    }

    /// Draws what happens between two openings.
    fn interlude(&mut self) {
        match self.stream.below(6) {
            0 | 1 => self.drive.kill(),
            2 | 3 => self.drive.power_cut(&mut self.stream),
            _ => {}
        }
        let mut disk = self.drive.disk();
        if self.family == DiskFamily::Damage {
            match self.stream.below(32) {
                0..4 => disk.rot(&mut self.stream),
                // A second vanished file could remove the rest, including the format file, and leave an empty
                // directory.
                4 if disk.probes().count(DiskFault::FileVanishes) == 0 => disk.vanish(&mut self.stream),
                5 => disk.swap(&mut self.stream),
                6 | 7 => disk.bring_back(&mut self.stream),
                _ => false,
            };
        }
        let taken = disk.taken();
        match self.stream.below(8) {
            0 => disk.resize(taken + self.stream.below(16 << 10)),
            1 | 2 => disk.resize(CAPACITY_BYTES),
            _ => {}
        }
        if self.stream.below(3) == 0 {
            *disk.trouble() = self.trouble.clone();
        }
    }

    /// Opens the journal once, and appends some groups.
    fn life(&mut self) -> Result<(), LifeEnding> {
        let opened = self.open()?;
        let (mut writer, facts) = opened.begin(&self.ledger)?;
        self.append(&mut writer, &facts)?;
        for _ in 0..self.stream.between(1, self.length.groups.into()) {
            let facts = writer.history.advance(&mut self.stream);
            self.append(&mut writer, &facts)?;
            self.tend(&mut writer)?;
        }
        Ok(())
    }

    /// Appends, and tries again after space was freed.
    fn append(&mut self, writer: &mut JournaledEngine, facts: &[Fact]) -> Result<(), LifeEnding> {
        let drive = self.drive.clone();
        let changes = || drive.disk().changes();
        match writer.append(facts, &mut self.ledger, &changes)? {
            Ok(()) => return Ok(()),
            Err(WriteError::Full) => drive.disk().resize(CAPACITY_BYTES),
            Err(_) => return Err(LifeEnding::Over),
        }
        writer.append(facts, &mut self.ledger, &changes)?.map_err(|_| LifeEnding::Over)
    }

    fn open(&mut self) -> Result<ReplayedJournal, LifeEnding> {
        let snapshot_after = self.stream.between(300, 4000);
        let mut store = (self.make)(self.drive.clone());
        let mut opened = open(&mut *store, snapshot_after).map_err(|error| self.refuse(&error))?;
        let lost = opened.audit(&mut self.ledger)?.groups;
        self.lost = self.lost.max(lost);
        match lost as u64 > self.excused() {
            true => Err(Broken::new("durability", 10, format_args!("{lost} acknowledged groups are lost")).into()),
            false => Ok(opened),
        }
    }

    /// Returns the number of groups at the end that damage may remove undetected: those that it strikes while nothing
    /// valid follows. A misdirected write may hit several, and is missing itself; two wrong reads may agree.
    fn excused(&self) -> u64 {
        let probes = self.drive.probes();
        match probes.count(DiskFault::MisdirectedWrite) {
            0 => probes.count(DiskFault::BitRot) + self.misread() / 2,
            _ => u64::MAX,
        }
    }

    fn misread(&self) -> u64 {
        let probes = self.drive.probes();
        probes.count(DiskFault::StaleRead) + probes.count(DiskFault::MisdirectedRead)
    }

    /// Returns the end of a life whose opening was refused, for now or permanently.
    fn refuse(&self, error: &OpenError) -> LifeEnding {
        let is_damage = matches!(error, OpenError::Corrupt(_) | OpenError::TooNew(_));
        match self.family {
            DiskFamily::Failures if is_damage => {
                Broken::new("durability", 10, format_args!("nothing is damaged, but the opening is refused: {error}"))
                    .into()
            }
            DiskFamily::Failures | DiskFamily::Damage | DiskFamily::Lies => LifeEnding::Refused(error.to_string()),
        }
    }

    fn tend(&mut self, writer: &mut JournaledEngine) -> Result<(), LifeEnding> {
        let result = match self.stream.below(8) {
            0 => writer.log.seal().map_err(MaintainError::Write),
            1 => {
                let made = writer.tend(true);
                // A damaged snapshot is not used; the one before it is kept instead, so only failures can be checked.
                if made.is_ok() && self.family == DiskFamily::Failures {
                    writer.judge_kept()?;
                }
                made
            }
            _ => writer.tend(false),
        };
        match result {
            Ok(()) => Ok(()),
            Err(MaintainError::Write(WriteError::Full)) => Ok(()),
            Err(MaintainError::Write(_)) => Err(LifeEnding::Over),
            Err(MaintainError::Open(error)) => match self.refuse(&error) {
                LifeEnding::Refused(_) | LifeEnding::Over => Ok(()),
                broken => Err(broken),
            },
            Err(_) => Ok(()),
        }
    }

    /// Checks without faults that everything is there, and that the journal continues.
    fn checkup(&mut self) -> Result<(), LifeEnding> {
        let mut opened = self.open()?;
        if self.family == DiskFamily::Failures {
            opened.audit_snapshots(&self.ledger)?;
        }
        let (mut writer, facts) = opened.begin(&self.ledger)?;
        let drive = self.drive.clone();
        match writer.append(&facts, &mut self.ledger, &|| drive.disk().changes())? {
            Ok(()) => Ok(()),
            Err(error) => Err(LifeEnding::Refused(error.to_string())),
        }
    }
}
