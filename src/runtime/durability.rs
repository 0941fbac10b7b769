//! Settings of a journal.

use core::time::Duration;
use std::boxed::Box;
use std::vec::Vec;

use crate::engine::{Config, InvalidConfig, Shard, ShardCount};
use crate::journal::{JournalStore, OpenError, Owner, RecoveryProgress, ShardStores};
use crate::node::CommitLimits;

/// The settings of a journal.
///
/// ```
/// let mut durability = eventful::Durability::default();
/// durability.snapshot_after_bytes = 16 << 20;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Durability {
    /// The facts that must be durable before a handler is called. [`StartDurability::Synced`] by default.
    pub starts: StartDurability,
    /// Bytes of frames after which the next snapshot is made, at least 1. 64 MiB by default.
    pub snapshot_after_bytes: u64,
    /// Bytes of facts that are not durable, past which no new event is taken, at least 1. 64 MiB by
    /// default.
    pub max_unsynced_bytes: usize,
    /// Room in the journal that is kept for outcomes and for shutdown: new events are refused
    /// when there is no more than this. 16 MiB by default. A journal with a bound on its bytes must
    /// have room for this and for one event of `max_event_bytes`.
    pub reserve_bytes: u64,
    /// The longest time that a result waits for its facts to be durable, more than zero; then it is
    /// [`Unavailable::Unknown`](crate::Unavailable::Unknown). While a result has waited for longer, new events are
    /// refused. 4 s by default: longer than a disk that works holds up a write, and shorter than the 5 s after which
    /// the least patient senders of webhooks hang up.
    pub answer_timeout: Duration,
}

/// The facts that must be durable before a handler is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StartDurability {
    /// The start of its run: an attempt is charged even when the power fails while it runs.
    Synced,
    /// None: the handler is called sooner by the time of one append. An event that kills the machine may be tried more
    /// often than `max_attempts`.
    Relaxed,
}

impl Default for Durability {
    fn default() -> Self {
        Self {
            starts: StartDurability::Synced,
            snapshot_after_bytes: 64 << 20,
            max_unsynced_bytes: 64 << 20,
            reserve_bytes: 16 << 20,
            answer_timeout: Duration::from_secs(4),
        }
    }
}

/// An allowance for the bytes of a frame that are not counted as bytes of its events: headers, lengths and numbers.
/// They are far less than 1 MiB; if they were more, the first full group could not be appended.
const FRAME_MARGIN_BYTES: usize = 1 << 20;

impl Durability {
    /// Refuses settings with which a journal would never come to rest, or would refuse every event.
    pub(super) fn validate(&self, config: &Config, store: &dyn JournalStore) -> Result<(), InvalidConfig> {
        let counts = [
            (self.snapshot_after_bytes, "durability.snapshot_after_bytes"),
            (self.max_unsynced_bytes as u64, "durability.max_unsynced_bytes"),
        ];
        if let Some((_, name)) = counts.into_iter().find(|(count, _)| *count == 0) {
            return Err(InvalidConfig::Zero(name));
        }
        if self.answer_timeout.is_zero() {
            return Err(InvalidConfig::Zero("durability.answer_timeout"));
        }
        // With less the journal would count as full from the start, and no new event would be accepted.
        let for_events = store.capacity_bytes().saturating_sub(self.reserve_bytes);
        if for_events < config.max_event_bytes as u64 {
            return Err(InvalidConfig::Less(
                "max_bytes of the journal less durability.reserve_bytes",
                "max_event_bytes",
            ));
        }
        // A group that is not full takes one more event, and a group is one frame.
        let for_group = CommitLimits::GROUP_BYTES + FRAME_MARGIN_BYTES;
        let most = store.max_frame_bytes().saturating_sub(for_group);
        match config.max_event_bytes > most {
            true => Err(InvalidConfig::Greater("max_event_bytes", most as u64)),
            false => Ok(()),
        }
    }

    /// Returns the settings of the journal of one shard: its part of what is bounded for all together.
    pub(super) fn part(&self, shards: ShardCount, shard: Shard) -> Result<Self, InvalidConfig> {
        let (name, least) = ("durability.max_unsynced_bytes", 1);
        match shards.part(self.max_unsynced_bytes, shard) {
            0 if shards != ShardCount::ONE => Err(InvalidConfig::Part { name, least, shards }),
            max_unsynced_bytes => Ok(Self { max_unsynced_bytes, ..*self }),
        }
    }

    pub(super) const fn limits(&self) -> CommitLimits {
        let Self { max_unsynced_bytes, reserve_bytes, answer_timeout, .. } = *self;
        let (group_bytes, failures) = (CommitLimits::GROUP_BYTES, CommitLimits::FAILURES);
        CommitLimits { max_unsynced_bytes, reserve_bytes, answer_timeout, group_bytes, failures }
    }
}

/// A callback for the progress of a replay.
pub(super) type ProgressCallback = Box<dyn FnMut(RecoveryProgress) + Send>;

/// The origin of the stores of journals.
pub(super) enum StoreSource {
    /// The one store.
    One(Box<dyn JournalStore>),
    /// A store for each shard.
    OfShards(Box<dyn ShardStores>),
}

impl StoreSource {
    /// Returns whether its journals block the thread that opens them, as far as that is known.
    pub(super) fn blocks(&self) -> bool {
        match self {
            Self::One(store) => store.blocks(),
            // Asked for the stores, it may read a directory.
            Self::OfShards(_) => true,
        }
    }

    /// Returns the store of each shard; none when there is one store for several shards.
    pub(super) fn stores(self, shards: ShardCount) -> Result<Option<Vec<Box<dyn JournalStore>>>, OpenError> {
        match self {
            Self::One(store) if shards == ShardCount::ONE => Ok(Some(Vec::from([store]))),
            Self::One(_) => Ok(None),
            Self::OfShards(stores) => stores.stores(shards).map(Some),
        }
    }
}

/// Returns the name of this process, by which an operator finds the owner of a journal.
pub(super) fn owner() -> Owner {
    Owner::new(std::format!("process {}", std::process::id()))
}
