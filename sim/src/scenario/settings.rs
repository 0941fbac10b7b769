//! The engine's configuration as a scenario file has it.

use std::num::NonZeroUsize;
use std::time::Duration;

use eventful::{
    Backoff, Config, GroupPolicy, TypePolicy, Unmatched,
    engine::{FailedOverflow, GroupPolicies, InvalidPolicy, OnFailure, Thresholds, TypePolicies},
};
use serde::{Deserialize, Serialize};

use super::EventNumber;
use super::units::MILLI;

/// The engine's configuration and its environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CoreSetup {
    /// The engine's configuration.
    pub settings: Settings,
    /// The settings of the journal; none without a journal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub journal: Option<Journaling>,
    /// The greatest number of times that time may pass although a step is ready. Passing time is then one of the
    /// choices.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub patience: u8,
    /// True if a task without work takes its step at once, and is none of the choices: the order makes no difference
    /// to it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub idles_first: bool,
    /// True if most handlers end at once, those that have no duration of their own.
    #[serde(default, skip_serializing_if = "is_false")]
    pub quick: bool,
}

/// The engine's configuration. Durations are microseconds; the names are those of [`Config`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "each is the field of `Config` of the same name")]
pub struct Settings {
    pub concurrency: NonZeroUsize,
    pub channel_capacity: NonZeroUsize,
    pub max_attempts: u32,
    pub backoff_base: u64,
    pub backoff_cap: u64,
    pub backoff_jitter_percent: u8,
    pub max_retry_after: u64,
    pub max_snooze: u64,
    pub max_snoozes: u32,
    pub max_refunds: u32,
    pub run_timeout: u64,
    pub run_lifetime: u64,
    pub max_pending: usize,
    pub max_records: usize,
    pub max_bytes: usize,
    pub max_event_bytes: usize,
    pub retention: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_retention: Option<u64>,
    #[serde(default = "plenty", skip_serializing_if = "is_plenty")]
    pub max_failed_bytes: usize,
    /// True if `failed_overflow` is to drop the oldest.
    #[serde(default, skip_serializing_if = "is_false")]
    pub drops_oldest_failed: bool,
    pub sweep_batch: NonZeroUsize,
    pub sweep_interval: u64,
    pub stuck_after: u64,
    /// Absent: the interval of sweeps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overload_retry_after: Option<u64>,
    pub drain_timeout: u64,
    pub abort_grace: u64,
    /// Absent: the default of the product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sync_grace: Option<u64>,
    /// Thresholds of the engine, so small that a run crosses them. Absent: those of the product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thresholds: Option<SmallThresholds>,
    /// Policies by type of event.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<TypeSettings>,
    /// True if events without a policy wait.
    #[serde(default, skip_serializing_if = "is_false")]
    pub unmatched_wait: bool,
    /// Absent: the default of the product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_follow_ups: Option<usize>,
    /// Policies by name of group. Without any, no event is in a group.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupSettings>,
}

/// The engine's [`Thresholds`] as a scenario file has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmallThresholds {
    /// The greatest number of records that one page scans.
    pub scan_limit: usize,
    /// The bytes of events at which a page ends.
    pub page_bytes: usize,
    /// The number of past attempts that a record keeps.
    pub history: usize,
    /// The number of keys in one fact of forgotten records.
    pub forgotten: usize,
    /// The number of downtimes that are kept apart.
    pub downtimes: usize,
    /// The number of bits in the hash of a key.
    pub hash_bits: u32,
    /// The number of entries at which the index is split.
    pub split_at: usize,
    /// The greatest number of items that one hold of the lock, one step of an operator or one part of a body handles.
    /// Absent: as in the product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<usize>,
    /// The number of holds of the lock for one page. Absent: as in the product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holds: Option<usize>,
}

impl From<SmallThresholds> for Thresholds {
    fn from(small: SmallThresholds) -> Self {
        let SmallThresholds { scan_limit, page_bytes, history, forgotten, downtimes, hash_bits, split_at, part, holds } =
            small;
        let usual = Self::default();
        let part_of = |usual| part.unwrap_or(usual);
        Self {
            scan_limit,
            page_bytes,
            history,
            forgotten,
            downtimes,
            hash_bits,
            split_at,
            published: part_of(usual.published),
            views: part_of(usual.views),
            holds: holds.unwrap_or(usual.holds),
            batch: part_of(usual.batch),
            runs: part_of(usual.runs),
            bulk: part_of(usual.bulk),
            // Not so small that reading all records takes long.
            listed: part.map_or(usual.listed, |part| part + 2),
            lines: part_of(usual.lines),
        }
    }
}

impl Settings {
    /// A size in bytes that no scenario reaches.
    pub const PLENTY: usize = 1 << 30;

    /// Returns the policies by type of event.
    ///
    /// # Errors
    ///
    /// [`InvalidPolicy`] if one sets nothing, or overlaps with another.
    pub fn policies(&self) -> Result<TypePolicies, InvalidPolicy> {
        let mut policies = TypePolicies::default();
        self.types.iter().try_for_each(|settings| policies.add(&settings.pattern, settings.policy()).map(drop))?;
        Ok(policies)
    }

    /// Returns the policies by name of group.
    ///
    /// # Errors
    ///
    /// [`InvalidPolicy`] when one is none, or overlaps with another.
    pub fn group_policies(&self) -> Result<GroupPolicies, InvalidPolicy> {
        let mut policies = GroupPolicies::default();
        self.groups.iter().try_for_each(|settings| policies.add(&settings.pattern, settings.policy()).map(drop))?;
        Ok(policies)
    }

    /// Returns the group of an event: of every two one is in the same, and others are by themselves or with few.
    pub fn group_of(&self, event: EventNumber) -> Option<String> {
        (!self.groups.is_empty()).then_some(())?;
        match event % 8 {
            0 | 2 | 4 | 7 => Some("hot".to_owned()),
            1 => Some(format!("cold/{event}")),
            3 => Some("few/1".to_owned()),
            5 => Some(format!("few/{}", event % 3)),
            _ => None,
        }
    }

    /// Returns the configuration. Its seed is the scenario's.
    pub fn config(&self) -> Config {
        let mut config = Config::default();
        (config.concurrency, config.channel_capacity) = (self.concurrency, self.channel_capacity);
        config.max_attempts = self.max_attempts;
        config.backoff = Backoff {
            base: Duration::from_micros(self.backoff_base),
            cap: Duration::from_micros(self.backoff_cap),
            jitter_percent: self.backoff_jitter_percent,
        };
        config.max_retry_after = Duration::from_micros(self.max_retry_after);
        config.max_snooze = Duration::from_micros(self.max_snooze);
        (config.max_snoozes, config.max_refunds) = (self.max_snoozes, self.max_refunds);
        config.run_timeout = Duration::from_micros(self.run_timeout);
        config.run_lifetime = Duration::from_micros(self.run_lifetime);
        (config.max_pending, config.max_records) = (self.max_pending, self.max_records);
        (config.max_bytes, config.max_event_bytes) = (self.max_bytes, self.max_event_bytes);
        config.max_follow_ups = self.max_follow_ups.unwrap_or(config.max_follow_ups);
        config.retention = Duration::from_micros(self.retention);
        config.failed_retention = self.failed_retention.map(Duration::from_micros);
        config.max_failed_bytes = self.max_failed_bytes;
        if self.drops_oldest_failed {
            config.failed_overflow = FailedOverflow::DropOldest;
        }
        config.overload_retry_after = Duration::from_micros(self.overload_retry_after.unwrap_or(self.sweep_interval));
        config.sweep_batch = self.sweep_batch;
        config.sweep_interval = Duration::from_micros(self.sweep_interval);
        config.stuck_after = Duration::from_micros(self.stuck_after);
        config.drain_timeout = Duration::from_micros(self.drain_timeout);
        config.abort_grace = Duration::from_micros(self.abort_grace);
        config.sync_grace = self.sync_grace.map_or(config.sync_grace, Duration::from_micros);
        config.types = self.policies().expect("the policies of a scenario that was read fit each other");
        config.groups = self.group_policies().expect("the policies of a scenario that was read fit each other");
        config.unmatched = if self.unmatched_wait { Unmatched::Wait } else { Unmatched::Run };
        config.with_thresholds(self.thresholds.map_or_else(Thresholds::default, Thresholds::from))
    }
}

/// A policy by type of event. Durations are microseconds; the names are those of [`TypePolicy`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "each is the field of `TypePolicy` of the same name")]
pub struct TypeSettings {
    pub pattern: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_attempts: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff_cap: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_timeout: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_lifetime: Option<u64>,
}

impl TypeSettings {
    fn policy(&self) -> TypePolicy {
        let mut policy = TypePolicy::new();
        (policy.concurrency, policy.max_attempts) = (self.concurrency, self.max_attempts);
        policy.backoff = self.backoff_cap.map(|cap| Backoff {
            base: Duration::from_micros(cap.min(MILLI)),
            cap: Duration::from_micros(cap),
            jitter_percent: 50,
        });
        policy.run_timeout = self.run_timeout.map(Duration::from_micros);
        policy.run_lifetime = self.run_lifetime.map(Duration::from_micros);
        policy
    }
}

/// A policy by name of group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupSettings {
    /// The names that it is for.
    pub pattern: String,
    /// True if the events of a group run in their order.
    #[serde(default, skip_serializing_if = "is_false")]
    pub fifo: bool,
    /// True if an event that has failed stops the others of its group.
    #[serde(default, skip_serializing_if = "is_false")]
    pub halts: bool,
    /// The most of them that run at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<usize>,
    /// The most of them that are pending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_pending: Option<usize>,
}

impl GroupSettings {
    fn policy(&self) -> GroupPolicy {
        let mut policy = if self.fifo { GroupPolicy::fifo() } else { GroupPolicy::free() };
        (policy.concurrency, policy.max_pending) = (self.concurrency, self.max_pending);
        policy.on_failure = if self.halts { OnFailure::Halt } else { OnFailure::Continue };
        policy
    }
}

/// The settings of a journal. Sizes are bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Journaling {
    /// True if handlers are called before the start of their run is durable.
    #[serde(default, skip_serializing_if = "is_false")]
    pub relaxed_starts: bool,
    /// The bytes that are appended between two snapshots.
    pub snapshot_after_bytes: u64,
    /// The space for outcomes, which no new event may use.
    pub reserve_bytes: u64,
    /// The unsynced bytes at which no new event is accepted.
    pub max_unsynced_bytes: u64,
    /// The bytes at which a group is full. Absent: the default of the product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_bytes: Option<usize>,
    /// The number of failures whose facts the node keeps. Absent: the default of the product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failures: Option<usize>,
    /// The time for which a result waits to be durable. Absent: the default of the product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_timeout: Option<u64>,
    /// True if the journal never reports its free space: it has no bound.
    #[serde(default, skip_serializing_if = "is_false")]
    pub hides_room: bool,
    /// The bytes at which a part of a snapshot is full. Absent: the default of the product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part_bytes: Option<usize>,
}

const fn plenty() -> usize {
    Settings::PLENTY
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_plenty(bytes: &usize) -> bool {
    *bytes == Settings::PLENTY
}

/// Returns whether the field is left out of a file, as in most scenarios.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(patience: &u8) -> bool {
    *patience == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_false(value: &bool) -> bool {
    !*value
}
