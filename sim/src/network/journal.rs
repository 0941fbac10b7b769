//! Settings of a run's journal, as data.

use std::time::Duration;

use eventful::{Durability, durability::StartDurability};
use serde::{Deserialize, Serialize};

/// The settings of a run's journal. The journal outlives the processes of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JournalSetup {
    /// True if a handler is called only when its start is durable.
    pub syncs_starts: bool,
    /// See [`Durability::snapshot_after_bytes`].
    pub snapshot_after_bytes: u32,
    /// The configuration's `sync_grace`.
    pub sync_grace_ms: u32,
    /// See [`Durability::answer_timeout`].
    #[serde(default = "answer_timeout_ms")]
    pub answer_timeout_ms: u32,
}

/// The value for scenarios that lack the field: no call gives up while the server is up.
const fn answer_timeout_ms() -> u32 {
    60_000
}

/// The space that is kept free for outcomes: more than all events of a run can need, so that outcomes always find
/// room.
pub(super) const RESERVE_BYTES: u64 = 64 << 10;

impl JournalSetup {
    /// Returns the durability settings of the adapter.
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
