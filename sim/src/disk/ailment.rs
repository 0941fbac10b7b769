//! The faults of single disk calls, as scenarios name them.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::fault::DiskFault;

/// A fault that strikes one call of the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ailment {
    /// A write takes a part of its bytes, and returns how many.
    ShortWrite,
    /// A write fails.
    WriteFails,
    /// There is no space for a write.
    NoSpace,
    /// A read fails.
    ReadFails,
    /// A sync fails, and may succeed later.
    SyncFails,
    /// A sync fails, and the unsynced bytes are lost.
    SyncDrops,
    /// A sync returns success without doing anything. Never drawn at random: no journal survives it.
    SyncLies,
}

impl Ailment {
    /// All kinds.
    pub const ALL: [Self; 7] = [
        Self::ShortWrite,
        Self::WriteFails,
        Self::NoSpace,
        Self::ReadFails,
        Self::SyncFails,
        Self::SyncDrops,
        Self::SyncLies,
    ];

    /// Returns the fault of the simulated disk.
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
            Self::ShortWrite => "a write will take a part of its bytes",
            Self::WriteFails => "a write will fail",
            Self::NoSpace => "a write will find no space",
            Self::ReadFails => "a read will fail",
            Self::SyncFails => "a sync will fail",
            Self::SyncDrops => "a sync will fail and lose the unsynced bytes",
            Self::SyncLies => "a sync will return success without doing anything",
        })
    }
}
