//! What a journal goes through on a disk that misbehaves, as data.

use std::fmt::{self, Display};
use std::hash::{Hash as _, Hasher as _};
use std::path::Path;

use eventful::journal::JournalStore;
use serde::{Deserialize, Serialize};

use super::backend::disk_store;
use super::crash::{Effort, Tried, crash_everywhere};
use super::drive::Drive;
use super::fault::DiskProbes;
use super::history::Length;
use super::journal::PlainStore;
use super::trial::{Family, Trial, Trust, suffer};
use crate::chance::Chance;
use crate::failure::Broken;
use crate::file::{self, FileError};
use crate::mix::Mix;

/// A journal on a simulated disk, and what it goes through. Equal ordeals go the same way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ordeal {
    /// What it shows, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub about: String,
    /// Where histories and strikes come from.
    pub seed: u64,
    /// What keeps the journal.
    pub keeper: Keeper,
    /// What strikes.
    pub strikes: Strikes,
    /// How long it is.
    pub length: Length,
}

/// What keeps a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Keeper {
    /// Segments of records: [`PlainStore`].
    Plain,
    /// The real database: [`disk_store`].
    Database,
}

/// What strikes a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Survived {
    /// All crashes.
    Crashes(Tried),
    /// A trial.
    Trial(Trial),
}

impl Keeper {
    /// A store on this drive.
    pub fn store(self, drive: &Drive) -> Box<dyn JournalStore> {
        match self {
            Self::Plain => Box::new(PlainStore::new(drive.clone())),
            Self::Database => Box::new(disk_store(drive)),
        }
    }

    /// What it takes for granted of its disk.
    pub const fn trust(self) -> Trust {
        match self {
            Self::Plain => Trust::PLAIN,
            Self::Database => Trust::REDB,
        }
    }

    /// How much of its crashes is tried. A database changes more, and takes longer to open.
    const fn effort(self, length: Length) -> Effort {
        let whole_head = self.trust().whole_head;
        match self {
            Self::Plain => Effort { length, kills: 1, draws: 12, again: 100, whole_head },
            Self::Database => Effort { length, kills: 8, draws: 2, again: 500, whole_head },
        }
    }
}

impl Ordeal {
    /// The ordeal of this seed.
    pub fn draw(seed: u64) -> Self {
        let mut draw = Chance::of(seed).stream("ordeal");
        let keeper = draw.pick(&[Keeper::Plain, Keeper::Database]);
        let strikes = match draw.below(8) {
            0..2 => Strikes::Crashes,
            2..5 => Strikes::Failures,
            5..7 => Strikes::Damage,
            _ => Strikes::Lies,
        };
        let length = match (strikes, keeper) {
            (Strikes::Crashes, Keeper::Plain) => Length { openings: 3, groups: 6 },
            (Strikes::Crashes, Keeper::Database) => Length { openings: 1, groups: 3 },
            (Strikes::Failures | Strikes::Damage | Strikes::Lies, _) => Length::TRIAL,
        };
        Self { about: String::new(), seed, keeper, strikes, length }
    }

    /// Goes through it.
    ///
    /// # Errors
    ///
    /// [`Broken`] when the journal does not keep what it promises.
    pub fn run(&self) -> Result<Survived, Broken> {
        let make = |drive: Drive| self.keeper.store(&drive);
        let family = match self.strikes {
            Strikes::Crashes => {
                return crash_everywhere(self.seed, self.keeper.effort(self.length), &make).map(Survived::Crashes);
            }
            Strikes::Failures => Family::Failures,
            Strikes::Damage => Family::Damage,
            Strikes::Lies => Family::Lies,
        };
        suffer(self.seed, family, self.length, self.keeper.trust(), &make).map(Survived::Trial)
    }

    /// How many groups there are at most, over all openings.
    pub const fn size(&self) -> usize {
        (self.length.openings as usize).saturating_mul(self.length.groups as usize)
    }

    /// The shortest one that breaks the same promise in the eyes of the same oracle, and what it says.
    /// Nothing when this one breaks none.
    pub fn shrink(&self) -> Option<(Self, Broken)> {
        let whole = self.run().err()?;
        let mut lengths: Vec<_> = (1..=self.length.openings)
            .flat_map(|openings| (1..=self.length.groups).map(move |groups| Length { openings, groups }))
            .collect();
        lengths.sort_by_key(|length| length.openings * length.groups);
        let mut shorter = lengths.into_iter().map(|length| Self { length, ..self.clone() });
        shorter.find_map(|ordeal| {
            ordeal.run().err().filter(|broken| broken.is_like(&whole)).map(|broken| (ordeal, broken))
        })
    }
}

impl Ordeal {
    /// The most groups that a file may ask for.
    const MOST: usize = 10_000;

    /// Whether a text looks like an ordeal: it says what strikes.
    pub fn recognizes(text: &str) -> bool {
        file::has_member(text, "strikes")
    }

    /// Reads a file.
    ///
    /// # Errors
    ///
    /// [`FileError`] when there is none, or it is not one that this program can run.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        let ordeal: Self = file::read(path, "disk")?;
        match ordeal.size() <= Self::MOST {
            true => Ok(ordeal),
            false => {
                let what = format!("openings times groups are over {}", Self::MOST);
                Err(FileError::TooLarge { path: path.display().to_string(), what })
            }
        }
    }

    /// Writes it to a file.
    ///
    /// # Errors
    ///
    /// [`FileError::Io`] when the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), FileError> {
        file::write(path, &file::pretty(self))
    }
}

impl Survived {
    /// What has struck.
    pub const fn probes(&self) -> &DiskProbes {
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
