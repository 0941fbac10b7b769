//! The configuration of an engine.

use core::num::NonZeroUsize;
use core::time::Duration;

use super::backoff::Backoff;
use super::group_policies::{GroupOrder, GroupPolicies};
use super::shard::ShardCount;
use super::thresholds::Thresholds;
use super::types::{TypePolicies, Unmatched};

/// Every limit and duration of the engine, and of the node and the adapter around it.
///
/// Start from [`Config::default`] and change what you need; the engine refuses a configuration
/// that contradicts itself.
///
/// ```
/// let mut config = eventful::Config::default();
/// config.max_attempts = 5;
/// config.validate()?;
/// # Ok::<(), eventful::engine::InvalidConfig>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// The seed of jitter and of the keyed hash. Same seed, same run. Absent by default: then the adapter draws one
    /// from the operating system, and the engine alone takes 0.
    pub seed: Option<u64>,
    /// Runs at the same time. 64 by default.
    pub concurrency: NonZeroUsize,
    /// Tickets in the channel. 1,024 by default.
    pub channel_capacity: NonZeroUsize,

    /// Charged starts after which an event has failed. 10 by default.
    pub max_attempts: u32,
    /// The wait between attempts.
    pub backoff: Backoff,
    /// The longest wait that a handler's `retry after` can ask for. 1 h by default.
    pub max_retry_after: Duration,
    /// The longest wait that a handler's snooze can ask for. 1 h by default.
    pub max_snooze: Duration,
    /// Snoozes that are not charged. 100 by default.
    pub max_snoozes: u32,
    /// Interruptions by shutdown that are not charged. 10 by default.
    pub max_refunds: u32,

    /// The longest time that a run may last without a heartbeat. 30 s by default.
    pub run_timeout: Duration,
    /// The longest time that a run may last with heartbeats. 10 min by default.
    pub run_lifetime: Duration,

    /// Policies by type of event. None by default.
    pub types: TypePolicies,
    /// The fate of events that no policy is for. They run by default.
    pub unmatched: Unmatched,

    /// Policies by name of group. None by default: then every group is free, without a limit.
    pub groups: GroupPolicies,

    /// Events that are not terminal. 100,000 by default. The redrive of an event that
    /// [halts](super::OnFailure::Halt) its group may exceed this bound and [`max_bytes`](Self::max_bytes).
    pub max_pending: usize,
    /// Records of any status. 1,000,000 by default.
    pub max_records: usize,
    /// Bytes of events that are not terminal. 256 MiB by default.
    pub max_bytes: usize,
    /// Bytes of failed events with their errors, which are kept until they are redriven or discarded.
    /// 256 MiB by default, as much as [`max_bytes`](Self::max_bytes): the two together bound the
    /// memory that payloads take.
    pub max_failed_bytes: usize,
    /// The reaction to failed events that have more than [`max_failed_bytes`](Self::max_failed_bytes). New events are
    /// refused by default, so that no failed one is lost.
    pub failed_overflow: FailedOverflow,
    /// Bytes of one event. 1 MiB by default.
    ///
    /// The follow-ups of one run have at most as many together, and so may exceed [`max_bytes`](Self::max_bytes) by
    /// [`concurrency`](Self::concurrency) times this.
    pub max_event_bytes: usize,
    /// Events with which one run may [end](super::Outcome::DoneWith). 100 by default, 1,000 at most: with more of them the
    /// engine would work too long on one outcome. They may exceed [`max_pending`](Self::max_pending),
    /// [`max_records`](Self::max_records) and the bound of a group by [`concurrency`](Self::concurrency) times this, since
    /// the events that fill these bounds could not end otherwise.
    pub max_follow_ups: usize,
    /// The time that a refused sender is asked to wait while pending events fill a bound. 1 s by default.
    pub overload_retry_after: Duration,
    /// The time for which a completed or discarded record is remembered. 1 h by default. Only time counts in which
    /// the engine is open: a stop, and a clock that steps between two starts, make it longer by the clock on the
    /// wall.
    pub retention: Duration,
    /// The time for which a failed event is kept that is neither redriven nor discarded. Without end (`None`) by
    /// default: the end of an event that failed is an operator's decision. Time counts as for
    /// [`retention`](Self::retention).
    pub failed_retention: Option<Duration>,

    /// Items that one sweep handles. 1,000 by default.
    pub sweep_batch: NonZeroUsize,
    /// The time for which feeding stays stopped after a ticket did not get into the channel. 1 s by default.
    pub sweep_interval: Duration,
    /// The age of a ticket at which the channel is put to the test. 30 s by default.
    pub stuck_after: Duration,

    /// The longest time for which a shutdown waits for runs in flight. 30 s by default.
    pub drain_timeout: Duration,
    /// The longest time for which a shutdown waits for aborted runs to yield. 1 s by default.
    pub abort_grace: Duration,
    /// The longest time for which a shutdown waits then for the last facts to be durable, and for the adapter's own
    /// tasks. 5 s by default.
    pub sync_grace: Duration,

    /// Thresholds that only a simulator changes.
    pub(super) thresholds: Thresholds,
}

/// The reaction to failed events that have more than `max_failed_bytes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum FailedOverflow {
    /// New events are refused until failed ones are redriven or discarded, or reach the end of
    /// `failed_retention`.
    #[default]
    Refuse,
    /// The events that failed first are forgotten, one by one, until the others fit. Each is in
    /// [`Output::drain_dropped`](super::Output::drain_dropped), and the adapter logs it.
    DropOldest,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            seed: None,
            concurrency: nonzero(64),
            channel_capacity: nonzero(1024),
            max_attempts: 10,
            backoff: Backoff::default(),
            max_retry_after: HOUR,
            max_snooze: HOUR,
            max_snoozes: 100,
            max_refunds: 10,
            run_timeout: Duration::from_secs(30),
            run_lifetime: Duration::from_secs(600),
            types: TypePolicies::default(),
            unmatched: Unmatched::default(),
            groups: GroupPolicies::default(),
            max_pending: 100_000,
            max_records: 1_000_000,
            max_bytes: 256 << 20,
            max_failed_bytes: 256 << 20,
            failed_overflow: FailedOverflow::Refuse,
            max_event_bytes: 1 << 20,
            max_follow_ups: 100,
            overload_retry_after: Duration::from_secs(1),
            retention: HOUR,
            failed_retention: None,
            sweep_batch: nonzero(1000),
            sweep_interval: Duration::from_secs(1),
            stuck_after: Duration::from_secs(30),
            drain_timeout: Duration::from_secs(30),
            abort_grace: Duration::from_secs(1),
            sync_grace: Duration::from_secs(5),
            thresholds: Thresholds::default(),
        }
    }
}

impl Config {
    /// The defaults for an engine with a journal: 10,000,000 records, remembered for 96 h, since
    /// senders of webhooks retry for up to 76 h.
    pub fn durable() -> Self {
        Self { max_records: 10_000_000, retention: 96 * HOUR, ..Self::default() }
    }

    /// The configuration with other thresholds: for simulators.
    #[doc(hidden)]
    #[must_use]
    pub const fn with_thresholds(mut self, thresholds: Thresholds) -> Self {
        self.thresholds = thresholds;
        self
    }

    /// The thresholds in use: for simulators.
    #[doc(hidden)]
    pub const fn thresholds(&self) -> &Thresholds {
        &self.thresholds
    }

    /// Returns how far follow-ups may pass the bounds on counts: as if every run had as many of them as it may.
    pub(super) const fn spare_follow_ups(&self) -> usize {
        self.concurrency.get().saturating_mul(self.max_follow_ups)
    }

    /// Returns the bound on records with follow-ups.
    pub(super) fn most_records(&self) -> usize {
        // `validate` bounds `max_records` alone: with follow-ups the sum may be more than can be addressed.
        self.max_records.saturating_add(self.spare_follow_ups()).min(ADDRESSABLE)
    }

    /// Returns the bound on bytes of pending events with follow-ups.
    pub(super) const fn most_bytes(&self) -> usize {
        self.max_bytes.saturating_add(self.concurrency.get().saturating_mul(self.max_event_bytes))
    }

    /// The seed that the engine uses.
    pub(super) fn seed(&self) -> u64 {
        self.seed.unwrap_or(0)
    }
}

const HOUR: Duration = Duration::from_secs(3600);

/// Records that the engine can address: half of the numbers that tombstones have, whose order is right over a wrap only
/// while far fewer are in use.
const ADDRESSABLE: usize = 1 << 30;

/// The most follow-ups of one run: they take about a millisecond.
const MOST_FOLLOW_UPS: usize = 1000;

/// The reason why a configuration is not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidConfig {
    /// A setting is zero, and must be more.
    #[error("{0} is zero: set it to at least 1")]
    Zero(&'static str),
    /// A setting is shorter than a microsecond.
    #[error("{0} is shorter than a microsecond: set it to at least 1 µs")]
    TooShort(&'static str),
    /// The first must not be less than the second.
    #[error("{0} is less than {1}: raise {0} or lower {1}")]
    Less(&'static str, &'static str),
    /// More records than the engine can address.
    #[error("max_records is more than {ADDRESSABLE}, the most that can be addressed: lower it")]
    TooManyRecords,
    /// A setting is more than may be.
    #[error("{0} is more than {1}, the most that is allowed: lower it")]
    Greater(&'static str, u64),
    /// A bound on all events together is too small to be shared by the shards.
    #[error("{name} is too small for {shards} shards: each needs {least}, so raise it or take fewer shards")]
    Part {
        /// The setting.
        name: &'static str,
        /// The least that each shard needs.
        least: usize,
        /// The shards.
        shards: ShardCount,
    },
    /// A group policy is in order, and there are several shards.
    #[error("a group policy is in order, which is not kept among {0} shards: take one shard, or let the order be free")]
    OrderOverShards(ShardCount),
    /// Events that no policy fits wait, and there is no policy.
    #[error("unmatched events wait, and without a type policy none would run: add one to types")]
    NoPolicy,
    /// More jitter than the whole wait.
    #[error("backoff.jitter_percent is more than 100: lower it")]
    Jitter,
}

impl Config {
    /// Checks that the parts fit each other.
    ///
    /// # Errors
    ///
    /// The first contradiction found.
    pub fn validate(&self) -> Result<(), InvalidConfig> {
        self.refuse_zeros()?;
        let ordered = [
            (self.run_lifetime < self.run_timeout, "run_lifetime", "run_timeout"),
            (self.has_short_lifetime(), "the run_lifetime of a type policy", "its run_timeout"),
            (self.backoff.cap < self.backoff.base, "backoff.cap", "backoff.base"),
            (self.max_records < self.max_pending, "max_records", "max_pending"),
            (self.max_bytes < self.max_event_bytes, "max_bytes", "max_event_bytes"),
            (self.max_failed_bytes < self.max_event_bytes, "max_failed_bytes", "max_event_bytes"),
        ];
        if let Some((_, greater, less)) = ordered.into_iter().find(|(wrong, ..)| *wrong) {
            return Err(InvalidConfig::Less(greater, less));
        }
        if self.max_follow_ups > MOST_FOLLOW_UPS {
            return Err(InvalidConfig::Greater("max_follow_ups", MOST_FOLLOW_UPS as u64));
        }
        if self.max_records > ADDRESSABLE {
            return Err(InvalidConfig::TooManyRecords);
        }
        if self.types.is_empty() && self.unmatched == Unmatched::Wait {
            return Err(InvalidConfig::NoPolicy);
        }
        if self.backoff.jitter_percent > 100 {
            return Err(InvalidConfig::Jitter);
        }
        Ok(())
    }

    /// Returns whether a policy and the configuration together have a run end before its first timeout.
    fn has_short_lifetime(&self) -> bool {
        self.all_run_limits().any(|limits| limits.run_lifetime < limits.run_timeout)
    }

    fn refuse_zeros(&self) -> Result<(), InvalidConfig> {
        let counts = [
            (u64::from(self.max_attempts), "max_attempts"),
            (self.max_pending as u64, "max_pending"),
            (self.max_event_bytes as u64, "max_event_bytes"),
        ];
        if let Some((_, name)) = counts.into_iter().find(|(count, _)| *count == 0) {
            return Err(InvalidConfig::Zero(name));
        }
        let durations = [
            (self.backoff.base, "backoff.base"),
            (self.run_timeout, "run_timeout"),
            (self.overload_retry_after, "overload_retry_after"),
            (self.retention, "retention"),
            (self.failed_retention.unwrap_or(Duration::MAX), "failed_retention"),
            (self.sweep_interval, "sweep_interval"),
            (self.stuck_after, "stuck_after"),
        ];
        match durations.into_iter().find(|(duration, _)| duration.as_micros() == 0) {
            Some((_, name)) => Err(InvalidConfig::TooShort(name)),
            None => Ok(()),
        }
    }

    /// The longest time in which `pending` events are all terminal, once faults have stopped and
    /// when every handler yields to an abort. Saturates. Events that wait because no type policy fits them do
    /// not end, and those behind a failed one in a group that halts wait for an operator.
    ///
    /// Each start, charged or given back, waits for its delay, then for its turn among the others,
    /// and lasts at most a lifetime; in a group in order each event waits for all starts of those before it; lost tickets are found within two times `stuck_after`, and a
    /// stopped feed continues within `sweep_interval`.
    pub fn liveness_bound(&self, pending: usize) -> Duration {
        let (mut attempts, mut cap, mut lifetime) = (0, Duration::ZERO, Duration::ZERO);
        for limits in self.all_run_limits() {
            (attempts, cap) = (limits.max_attempts.max(attempts), limits.backoff.cap.max(cap));
            lifetime = limits.run_lifetime.max(lifetime);
        }
        let of_types = self.types.iter().filter_map(|(_, policy)| policy.concurrency);
        let of_groups = self.groups.iter().filter_map(|(_, policy)| policy.concurrency);
        let least = of_types.chain(of_groups).fold(self.concurrency.get(), usize::min);
        // Each start uses up one of these.
        let starts = u64::from(attempts) + u64::from(self.max_snoozes) + u64::from(self.max_refunds);
        let delay = cap.max(self.max_retry_after).max(self.max_snooze);
        // Limits are never 0, which is checked when they are added; a division by 0 would panic.
        let turns = pending.div_ceil(least.max(1)) as u64 + 1;
        let run = times(lifetime.saturating_add(self.abort_grace), turns);
        // In a group in order each event waits for all starts of those before it.
        let is_in_order = self.groups.iter().any(|(_, policy)| policy.order == GroupOrder::Fifo);
        let in_turn = if is_in_order { pending.max(1) as u64 } else { 1 };
        times(times(delay.saturating_add(run), starts), in_turn)
            .saturating_add(times(self.stuck_after, 2))
            .saturating_add(self.sweep_interval)
    }
}

fn times(duration: Duration, factor: u64) -> Duration {
    let micros = duration.as_micros().saturating_mul(u128::from(factor));
    Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
}

const fn nonzero(count: usize) -> NonZeroUsize {
    // The constant form: `new` returns an option, and defaults are not to panic.
    NonZeroUsize::MIN.saturating_add(count - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_that_are_documented() {
        let config = Config::default();
        assert_eq!(
            (config.concurrency.get(), config.channel_capacity.get(), config.sweep_batch.get()),
            (64, 1024, 1000)
        );
        assert_eq!((config.max_bytes, config.max_event_bytes), (268_435_456, 1_048_576));
        assert_eq!(config.max_failed_bytes, 268_435_456);
        assert_eq!((config.failed_retention, config.failed_overflow), (None, FailedOverflow::Refuse));
        assert_eq!(config.validate(), Ok(()));
    }

    #[test]
    fn with_a_journal_more_is_remembered_and_for_longer() {
        let (memory, durable) = (Config::default(), Config::durable());
        assert_eq!((memory.max_records, memory.retention), (1_000_000, HOUR));
        assert_eq!((durable.max_records, durable.retention), (10_000_000, 96 * HOUR));
    }

    #[test]
    fn a_limit_may_be_as_small_as_what_it_holds_and_no_smaller() {
        let step = Duration::from_nanos(1);
        assert_least("run_lifetime", "run_timeout", |config, less| {
            config.run_lifetime = config.run_timeout - step * less;
        });
        assert_least("backoff.cap", "backoff.base", |config, less| {
            config.backoff.cap = config.backoff.base - step * less;
        });
        assert_least("max_records", "max_pending", |config, less| {
            config.max_records = config.max_pending - less as usize;
        });
        assert_least("max_bytes", "max_event_bytes", |config, less| {
            config.max_bytes = config.max_event_bytes - less as usize;
        });
        assert_least("max_failed_bytes", "max_event_bytes", |config, less| {
            config.max_failed_bytes = config.max_event_bytes - less as usize;
        });
    }

    #[test]
    fn there_may_be_as_many_records_as_can_be_addressed_and_no_more() {
        assert_eq!(changed(|config| config.max_records = ADDRESSABLE), Ok(()));
        assert_eq!(changed(|config| config.max_records = ADDRESSABLE + 1), Err(InvalidConfig::TooManyRecords));
    }

    #[test]
    fn the_whole_wait_may_be_jitter_and_no_more() {
        assert_eq!(changed(|config| config.backoff.jitter_percent = 100), Ok(()));
        assert_eq!(changed(|config| config.backoff.jitter_percent = 101), Err(InvalidConfig::Jitter));
    }

    #[test]
    fn a_count_of_zero_is_refused() {
        let zero = |name| Err(InvalidConfig::Zero(name));
        assert_eq!(changed(|config| config.max_attempts = 0), zero("max_attempts"));
        assert_eq!(changed(|config| config.max_pending = 0), zero("max_pending"));
        assert_eq!(changed(|config| config.max_event_bytes = 0), zero("max_event_bytes"));
    }

    #[test]
    fn a_duration_below_a_microsecond_is_refused() {
        let short = Duration::from_nanos(999);
        let too_short = |name| Err(InvalidConfig::TooShort(name));
        assert_eq!(changed(|config| config.backoff.base = short), too_short("backoff.base"));
        assert_eq!(changed(|config| config.run_timeout = short), too_short("run_timeout"));
        assert_eq!(changed(|config| config.overload_retry_after = short), too_short("overload_retry_after"));
        assert_eq!(changed(|config| config.retention = short), too_short("retention"));
        assert_eq!(changed(|config| config.failed_retention = Some(short)), too_short("failed_retention"));
        assert_eq!(changed(|config| config.sweep_interval = short), too_short("sweep_interval"));
        assert_eq!(changed(|config| config.stuck_after = short), too_short("stuck_after"));
    }

    #[test]
    fn the_liveness_bound_adds_up_what_each_start_may_wait_for() {
        let mut config = Config::default();
        (config.max_attempts, config.max_snoozes, config.max_refunds) = (2, 3, 4);
        (config.concurrency, config.sweep_interval) = (nonzero(2), Duration::from_micros(1));
        let (delay, run) = (3600, 600 + 1);
        let turns = 3 + 1;
        let expected = Duration::from_secs((2 + 3 + 4) * (delay + turns * run) + 2 * 30) + Duration::from_micros(1);
        assert_eq!(config.liveness_bound(5), expected);
    }

    #[test]
    fn the_liveness_bound_ends_and_does_not_wrap() {
        let config = Config { run_lifetime: Duration::MAX, ..Config::default() };
        assert!(config.liveness_bound(usize::MAX) >= Duration::from_micros(u64::MAX));
    }

    fn changed(change: impl FnOnce(&mut Config)) -> Result<(), InvalidConfig> {
        let mut config = Config::default();
        change(&mut config);
        config.validate()
    }

    /// `set` makes the two equal, but for so many steps that the greater one is less.
    fn assert_least(greater: &'static str, less: &'static str, set: impl Fn(&mut Config, u32)) {
        assert_eq!(changed(|config| set(config, 0)), Ok(()));
        assert_eq!(changed(|config| set(config, 1)), Err(InvalidConfig::Less(greater, less)));
    }
}
