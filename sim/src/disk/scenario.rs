//! The disk tier: what a journal goes through on a disk that misbehaves.

use std::fmt::{self, Display};
use std::hash::{Hash as _, Hasher as _};

use eventful::journal::JournalStore;
use serde::{Deserialize, Serialize};

use super::crash::{Effort, Tried, crash_everywhere};
use super::fault::DiskFault;
use super::history::Length;
use super::random_faults::{DiskFamily, RandomFaultRun, run};
use super::shared_disk::SharedDisk;
use super::store::DriveStore;
use crate::failure::Broken;
use crate::scenario::DrawPlan;
use crate::seeded_rng::SeededRng;
use crate::state_hash::StateHash;
use crate::tier::{FileError, Keep, Probes, Report, Scenario, ScenarioChange, ScenarioPart, Tier};
use crate::trace::Trace;

/// The disk tier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DiskTier {}

/// A journal on a simulated disk, and what it goes through.
pub type DiskScenario = Scenario<DiskTier>;

/// What strikes a journal, and how long it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiskSetup {
    /// What strikes.
    pub profile: FaultProfile,
    /// How long it is.
    pub length: Length,
}

/// No operation and no fault: all of them follow from the seed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Never {}

/// What strikes a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum FaultProfile {
    /// A crash before and after each change of the disk, one at a time: [`crash_everywhere`].
    Crashes,
    /// See [`DiskFamily::Failures`](super::DiskFamily::Failures).
    Failures,
    /// See [`DiskFamily::Damage`](super::DiskFamily::Damage).
    Damage,
    /// See [`DiskFamily::Lies`](super::DiskFamily::Lies).
    Lies,
}

/// What a scenario that broke no promise came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Survived {
    /// All crashes.
    Crashes(Tried),
    /// A trial.
    Trial(RandomFaultRun),
}

/// How much of the crashes of a history is tried.
const fn effort(length: Length) -> Effort {
    Effort { length, kills: 1, draws: 12, again: 300 }
}

/// A store on this drive, whose segments are as large as the seed says: smaller than a group, or of many.
fn store(drive: SharedDisk, seed: u64) -> Box<dyn JournalStore> {
    let mut draw = SeededRng::of(seed).stream("segments");
    let first = draw.pick(&[200, 700, 1 << 10, 4 << 10]);
    Box::new(DriveStore::new(drive).segment_bytes(first, first * draw.between(1, 8)))
}

impl DiskScenario {
    /// The scenario of this seed.
    pub fn draw(seed: u64) -> Self {
        let mut draw = SeededRng::of(seed).stream("scenario");
        let profile = match draw.below(8) {
            0 => FaultProfile::Crashes,
            1..4 => FaultProfile::Failures,
            4..7 => FaultProfile::Damage,
            _ => FaultProfile::Lies,
        };
        let length = match profile {
            FaultProfile::Crashes => Length { openings: 3, groups: 6 },
            FaultProfile::Failures | FaultProfile::Damage | FaultProfile::Lies => Length::TRIAL,
        };
        Self::of(seed, DiskSetup { profile, length })
    }

    /// Goes through it.
    ///
    /// # Errors
    ///
    /// [`Broken`] when the journal does not keep what it promises.
    pub fn go_through(&self) -> Result<Survived, Broken> {
        let DiskSetup { profile, length } = self.setup;
        let make = |drive: SharedDisk| store(drive, self.seed);
        let family = match profile {
            FaultProfile::Crashes => return crash_everywhere(self.seed, effort(length), &make).map(Survived::Crashes),
            FaultProfile::Failures => DiskFamily::Failures,
            FaultProfile::Damage => DiskFamily::Damage,
            FaultProfile::Lies => DiskFamily::Lies,
        };
        run(self.seed, family, length, &make).map(Survived::Trial)
    }
}

impl Tier for DiskTier {
    const NAME: &'static str = "disk";
    const UNIT: &'static str = "groups";
    const BATCH: u64 = 2;

    type Setup = DiskSetup;
    type Operation = Never;
    type Fault = Never;

    fn kinds() -> usize {
        DiskFault::ALL.len()
    }

    fn draw(seed: u64, _: DrawPlan) -> DiskScenario {
        DiskScenario::draw(seed)
    }

    fn check(scenario: &DiskScenario, path: &str) -> Result<(), FileError> {
        const MOST: usize = 10_000;
        if scenario.size() <= MOST {
            return Ok(());
        }
        Err(FileError::TooLarge { path: path.to_owned(), what: format!("openings times groups are over {MOST}") })
    }

    /// It has no steps, so that one hash is all there are. What has struck counts unless a promise is broken.
    fn run(scenario: &DiskScenario, keep: Keep, probes: &mut Probes) -> Report {
        let survived = scenario.go_through();
        let (outcome, hash, broken) = match survived {
            Ok(survived) => {
                probes.add(survived.probes());
                (survived.to_string(), survived.hash(), None)
            }
            Err(broken) => (broken.to_string(), 0, Some(broken)),
        };
        let profile = scenario.setup.profile;
        let trace = keep.trace.then(|| Trace::of_one(format!("{profile:?}: {outcome}"), broken.is_some()));
        Report { broken, hash, hashes: vec![hash], trace, ..Report::default() }
    }

    /// How many groups there are at most, over all openings.
    fn size(scenario: &DiskScenario) -> usize {
        let Length { openings, groups } = scenario.setup.length;
        (openings as usize).saturating_mul(groups as usize)
    }

    /// The shortest comes first.
    fn moves(scenario: &DiskScenario) -> Vec<ScenarioChange<Self>> {
        let Length { openings, groups } = scenario.setup.length;
        let of = |openings| (1..=groups).map(move |groups| Length { openings, groups });
        let mut lengths: Vec<_> = (1..=openings).flat_map(of).collect();
        lengths.sort_by_key(|length| length.openings * length.groups);
        lengths
            .into_iter()
            .map(|length| Box::new(move |scenario: &mut DiskScenario| scenario.setup.length = length) as _)
            .collect()
    }

    fn probe(number: usize) -> String {
        DiskFault::ALL[number].name()
    }

    fn expected(_: &Probes) -> Vec<String> {
        DiskFault::ALL.into_iter().map(DiskFault::name).collect()
    }
}

impl ScenarioPart for Never {
    fn at(&self) -> Option<u64> {
        match *self {}
    }

    fn words(&self) -> String {
        match *self {}
    }
}

impl Survived {
    /// What has struck.
    pub const fn probes(&self) -> &Probes {
        match self {
            Self::Crashes(tried) => &tried.probes,
            Self::Trial(trial) => &trial.probes,
        }
    }

    /// A hash of everything that was counted on the way.
    pub fn hash(&self) -> u64 {
        let mut hash = StateHash::default();
        format!("{self:?}").hash(&mut hash);
        hash.finish()
    }
}

impl Display for Survived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Crashes(Tried { groups, points, recoveries, interrupted, snapshots, .. }) => write!(
                f,
                "{groups} groups and {snapshots} snapshots, {points} moments to crash at, {recoveries} recoveries, \
                 {interrupted} of them interrupted"
            ),
            Self::Trial(RandomFaultRun { verdict, groups, .. }) => {
                write!(f, "{groups} groups were acknowledged; {verdict}")
            }
        }
    }
}
