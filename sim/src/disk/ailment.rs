//! How one call of a disk goes wrong, as a scenario says it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::fault::DiskFault;

/// How one call of the disk goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ailment {
    /// A write takes a part of what it was given, and says so.
    ShortWrite,
    /// A write fails.
    WriteFails,
    /// There is no space for a write.
    NoSpace,
    /// A read fails.
    ReadFails,
    /// A sync fails, and may succeed later.
    SyncFails,
    /// A sync fails, and what was to be written is nowhere.
    SyncDrops,
    /// A sync says that it is done, and has done nothing. It is not drawn: no journal survives it.
    SyncLies,
}

impl Ailment {
    /// Every one.
    pub const ALL: [Self; 7] = [
        Self::ShortWrite,
        Self::WriteFails,
        Self::NoSpace,
        Self::ReadFails,
        Self::SyncFails,
        Self::SyncDrops,
        Self::SyncLies,
    ];

    /// The fault of the simulated disk.
    pub const fn fault(self) -> DiskFault {
        match self {
            Self::ShortWrite => DiskFault::ShortWrite,
            Self::WriteFails => DiskFault::WriteFails,
            Self::NoSpace => DiskFault::NoSpace,
            Self::ReadFails => DiskFault::ReadFails,
            Self::SyncFails => DiskFault::SyncFails,
            Self::SyncDrops => DiskFault::SyncDrops,
            Self::SyncLies => DiskFault::SyncLies,
        }
    }
}

impl fmt::Display for Ailment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ShortWrite => "a write will take a part of what it is given",
            Self::WriteFails => "a write will fail",
            Self::NoSpace => "a write will find no space",
            Self::ReadFails => "a read will fail",
            Self::SyncFails => "a sync will fail",
            Self::SyncDrops => "a sync will fail and drop what it was to write",
            Self::SyncLies => "a sync will do nothing and say that it is done",
        })
    }
}
