//! The disk tier: what a journal goes through on a disk that misbehaves.

use std::fmt::{self, Display};
use std::hash::{Hash as _, Hasher as _};

use eventful::journal::JournalStore;
use serde::{Deserialize, Serialize};

use super::crash::{Effort, Tried, crash_everywhere};
use super::drive::Drive;
use super::fault::DiskFault;
use super::history::Length;
use super::store::DriveStore;
use super::trial::{Family, Trial, suffer};
use crate::chance::Chance;
use crate::failure::Broken;
use crate::mix::Mix;
use crate::scenario::Plan;
use crate::tier::{FileError, Keep, Move, Part, Probes, Report, Scenario, Tier};
use crate::trace::Trace;

/// The disk tier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DiskTier {}

/// A journal on a simulated disk, and what it goes through.
pub type Ordeal = Scenario<DiskTier>;

/// What strikes a journal, and how long it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiskSetup {
    /// What strikes.
    pub strikes: Strikes,
    /// How long it is.
    pub length: Length,
}

/// No operation and no fault: all of them follow from the seed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Never {}

/// What strikes a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Strikes {
    /// A crash before and after each change of the disk, one at a time: [`crash_everywhere`].
    Crashes,
    /// See [`Family::Failures`].
    Failures,
    /// See [`Family::Damage`].
    Damage,
    /// See [`Family::Lies`].
    Lies,
}

/// What an ordeal that broke no promise came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Survived {
    /// All crashes.
    Crashes(Tried),
    /// A trial.
    Trial(Trial),
}

/// How much of the crashes of a history is tried.
const fn effort(length: Length) -> Effort {
    Effort { length, kills: 1, draws: 12, again: 300 }
}

/// A store on this drive, whose segments are as large as the seed says: smaller than a group, or of many.
fn store(drive: Drive, seed: u64) -> Box<dyn JournalStore> {
    let mut draw = Chance::of(seed).stream("segments");
    let first = draw.pick(&[200, 700, 1 << 10, 4 << 10]);
    Box::new(DriveStore::new(drive).segment_bytes(first, first * draw.between(1, 8)))
}

impl Ordeal {
    /// The ordeal of this seed.
    pub fn draw(seed: u64) -> Self {
        let mut draw = Chance::of(seed).stream("ordeal");
        let strikes = match draw.below(8) {
            0 => Strikes::Crashes,
            1..4 => Strikes::Failures,
            4..7 => Strikes::Damage,
            _ => Strikes::Lies,
        };
        let length = match strikes {
            Strikes::Crashes => Length { openings: 3, groups: 6 },
            Strikes::Failures | Strikes::Damage | Strikes::Lies => Length::TRIAL,
        };
        Self::of(seed, DiskSetup { strikes, length })
    }

    /// Goes through it.
    ///
    /// # Errors
    ///
    /// [`Broken`] when the journal does not keep what it promises.
    pub fn go_through(&self) -> Result<Survived, Broken> {
        let DiskSetup { strikes, length } = self.setup;
        let make = |drive: Drive| store(drive, self.seed);
        let family = match strikes {
            Strikes::Crashes => return crash_everywhere(self.seed, effort(length), &make).map(Survived::Crashes),
            Strikes::Failures => Family::Failures,
            Strikes::Damage => Family::Damage,
            Strikes::Lies => Family::Lies,
        };
        suffer(self.seed, family, length, &make).map(Survived::Trial)
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

    fn draw(seed: u64, _: Plan) -> Ordeal {
        Ordeal::draw(seed)
    }

    fn check(ordeal: &Ordeal, path: &str) -> Result<(), FileError> {
        const MOST: usize = 10_000;
        if ordeal.size() <= MOST {
            return Ok(());
        }
        Err(FileError::TooLarge { path: path.to_owned(), what: format!("openings times groups are over {MOST}") })
    }

    /// It has no steps, so that one hash is all there are. What has struck counts unless a promise is broken.
    fn run(ordeal: &Ordeal, keep: Keep, probes: &mut Probes) -> Report {
        let survived = ordeal.go_through();
        let (outcome, hash, broken) = match survived {
            Ok(survived) => {
                probes.add(survived.probes());
                (survived.to_string(), survived.hash(), None)
            }
            Err(broken) => (broken.to_string(), 0, Some(broken)),
        };
        let strikes = ordeal.setup.strikes;
        let trace = keep.trace.then(|| Trace::of_one(format!("{strikes:?}: {outcome}"), broken.is_some()));
        Report { broken, hash, hashes: vec![hash], trace, ..Report::default() }
    }

    /// How many groups there are at most, over all openings.
    fn size(ordeal: &Ordeal) -> usize {
        let Length { openings, groups } = ordeal.setup.length;
        (openings as usize).saturating_mul(groups as usize)
    }

    /// The shortest comes first.
    fn moves(ordeal: &Ordeal) -> Vec<Move<Self>> {
        let Length { openings, groups } = ordeal.setup.length;
        let of = |openings| (1..=groups).map(move |groups| Length { openings, groups });
        let mut lengths: Vec<_> = (1..=openings).flat_map(of).collect();
        lengths.sort_by_key(|length| length.openings * length.groups);
        lengths
            .into_iter()
            .map(|length| Box::new(move |ordeal: &mut Ordeal| ordeal.setup.length = length) as _)
            .collect()
    }

    fn probe(number: usize) -> String {
        DiskFault::ALL[number].name()
    }

    fn expected(_: &Probes) -> Vec<String> {
        DiskFault::ALL.into_iter().map(DiskFault::name).collect()
    }
}

impl Part for Never {
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
        let mut hash = Mix::default();
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
            Self::Trial(Trial { verdict, groups, .. }) => write!(f, "{groups} groups were acknowledged; {verdict}"),
        }
    }
}
