//! The disk tier: scenarios of a journal on a disk with faults.

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

/// A scenario of a journal on a simulated disk.
pub type DiskScenario = Scenario<DiskTier>;

/// The faults of a scenario, and its length.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiskSetup {
    /// The kinds of faults.
    pub profile: FaultProfile,
    /// The length.
    pub length: Length,
}

/// The type of operations and faults, of which there are none: all of them follow from the seed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Never {}

/// The kinds of faults of a scenario.
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

/// The result of a scenario that broke no promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Survived {
    /// The numbers of all crashes.
    Crashes(Tried),
    /// The result under random faults.
    Trial(RandomFaultRun),
}

/// Returns the number of crashes to try. Kills are cheap, so each moment has one; an interrupted recovery costs as
/// much as all its changes.
const fn effort(length: Length) -> Effort {
    Effort { length, kills: 1, draws: 12, again: 300 }
}

/// Returns a store on this disk. The seed decides whether segments are smaller than a group, or have many.
fn store(drive: SharedDisk, seed: u64) -> Box<dyn JournalStore> {
    let mut draw = SeededRng::of(seed).stream("segments");
    let first = draw.pick(&[200, 700, 1 << 10, 4 << 10]);
    Box::new(DriveStore::new(drive).segment_bytes(first, first * draw.between(1, 8)))
}

impl DiskScenario {
    /// Returns the scenario of this seed.
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

    /// Runs the scenario.
    ///
    /// # Errors
    ///
    /// [`Broken`] if the journal does not keep its promises.
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
        // A free choice far above drawn scenarios: a larger one, written by hand, would look like a hang.
        const MOST: usize = 10_000;
        if scenario.size() <= MOST {
            return Ok(());
        }
        Err(FileError::TooLarge { path: path.to_owned(), what: format!("openings times groups are more than {MOST}") })
    }

    /// Runs a scenario, which has no steps, so its hash is the only one. Faults that have struck count unless a
    /// promise is broken.
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

    /// Returns the greatest number of groups over all openings.
    fn size(scenario: &DiskScenario) -> usize {
        let Length { openings, groups } = scenario.setup.length;
        (openings as usize).saturating_mul(groups as usize)
    }

    /// Returns shorter scenarios, the shortest first.
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
    /// Returns the faults that have struck.
    pub const fn probes(&self) -> &Probes {
        match self {
            Self::Crashes(tried) => &tried.probes,
            Self::Trial(trial) => &trial.probes,
        }
    }

    /// Returns a hash of all results.
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
