//! A journal in a run, as data: what keeps it, and how its disk misbehaves.

use std::time::Duration;

use eventful::{Durability, StartDurability};
use serde::{Deserialize, Serialize};

use crate::disk::{DiskFault, Keeper};

/// The journal of a run. It outlives the processes of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JournalSetup {
    /// What keeps it.
    pub keeper: Keeper,
    /// Whether a handler waits until its start is durable.
    pub syncs_starts: bool,
    /// See [`Durability::snapshot_after_bytes`].
    pub snapshot_after_bytes: u32,
    /// The configuration's `sync_grace`.
    pub sync_grace_ms: u32,
    /// See [`Durability::answer_timeout`].
    #[serde(default = "answer_timeout_ms")]
    pub answer_timeout_ms: u32,
}

/// That of scenarios that say nothing of it: answers wait as long as the server is up.
const fn answer_timeout_ms() -> u32 {
    60_000
}

/// What is kept free for outcomes. More than all events of a run can need.
pub(super) const RESERVE_BYTES: u64 = 64 << 10;

impl JournalSetup {
    /// How the adapter uses it.
    pub fn durability(&self) -> Durability {
        let mut durability = Durability::default();
        durability.starts = if self.syncs_starts { StartDurability::Synced } else { StartDurability::Relaxed };
        durability.snapshot_after_bytes = self.snapshot_after_bytes.max(1).into();
        durability.reserve_bytes = RESERVE_BYTES;
        durability.answer_timeout = self.answer_timeout();
        durability
    }

    pub(super) const fn answer_timeout(&self) -> Duration {
        Duration::from_millis(self.answer_timeout_ms as u64)
    }

    pub(super) const fn sync_grace(&self) -> Duration {
        Duration::from_millis(self.sync_grace_ms as u64)
    }
}

/// How the disk misbehaves, for one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum DiskTrouble {
    /// A write takes less than it was given.
    ShortWrite,
    /// A write fails.
    WriteFails,
    /// A write finds no space.
    NoSpace,
    /// A read fails.
    ReadFails,
    /// A sync fails, and what was to be written may become durable later.
    SyncFails,
    /// A sync fails, and what was to be written is nowhere.
    SyncDrops,
    /// A sync says that it is done, and has done nothing. No scenario is drawn with it: no journal
    /// can help, and oracles say so.
    SyncLies,
}

impl DiskTrouble {
    /// Every one.
    pub(super) const ALL: [Self; 7] = [
        Self::ShortWrite,
        Self::WriteFails,
        Self::NoSpace,
        Self::ReadFails,
        Self::SyncFails,
        Self::SyncDrops,
        Self::SyncLies,
    ];

    /// The fault of the simulated disk.
    pub(super) const fn fault(self) -> DiskFault {
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
