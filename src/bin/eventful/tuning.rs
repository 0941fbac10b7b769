//! Settings that few have a reason to change.

use std::num::NonZeroUsize;
use std::time::Duration;

use clap::Args;
use eventful::Config;
use eventful::http::Limits;

use crate::spans;

/// Settings that few have a reason to change: `--help` shows them, `-h` does not.
#[derive(Debug, Args)]
#[command(next_help_heading = "Rarely needed")]
pub(crate) struct TuningOptions {
    /// The part of the wait between attempts that is random, in percent
    #[arg(long, env = "EVENTFUL_BACKOFF_JITTER", default_value_t = Config::default().backoff.jitter_percent, value_name = "PERCENT", hide_short_help = true)]
    backoff_jitter: u8,
    /// The longest wait that a target can ask for by Retry-After
    #[arg(long, env = "EVENTFUL_MAX_RETRY_AFTER", value_parser = spans::parse, default_value = spans::show(Config::default().max_retry_after), value_name = "TIME", hide_short_help = true)]
    max_retry_after: Duration,
    /// The longest pause of an event that waits for something other than its time, such as file descriptors
    #[arg(long, env = "EVENTFUL_MAX_SNOOZE", value_parser = spans::parse, default_value = spans::show(Config::default().max_snooze), value_name = "TIME", hide_short_help = true)]
    max_snooze: Duration,
    /// Such pauses of one event that are not charged [default: 100, without end where there are targets: an event waits for
    /// as long as the circuit of its target is open]
    #[arg(long, env = "EVENTFUL_MAX_SNOOZES", value_name = "N", hide_short_help = true)]
    max_snoozes: Option<u32>,
    /// Interruptions of one event by shutdown that are not charged
    #[arg(long, env = "EVENTFUL_MAX_REFUNDS", default_value_t = Config::default().max_refunds, value_name = "N", hide_short_help = true)]
    max_refunds: u32,
    /// Events with which a worker may end one event, 1000 at most
    #[arg(long, env = "EVENTFUL_MAX_FOLLOW_UPS", default_value_t = Config::default().max_follow_ups, value_name = "N", hide_short_help = true)]
    max_follow_ups: usize,
    /// The longest time for an attempt that reports its progress [default: 10m, or --run-timeout when that is longer]
    #[arg(long, env = "EVENTFUL_RUN_LIFETIME", value_parser = spans::parse, value_name = "TIME", hide_short_help = true)]
    run_lifetime: Option<Duration>,
    /// Due retries, expired attempts and expired events that are handled at once
    #[arg(long, env = "EVENTFUL_SWEEP_BATCH", default_value_t = Config::default().sweep_batch, value_name = "N", hide_short_help = true)]
    sweep_batch: NonZeroUsize,
    /// The time for which nothing is queued after something could not be
    #[arg(long, env = "EVENTFUL_SWEEP_INTERVAL", value_parser = spans::parse, default_value = spans::show(Config::default().sweep_interval), value_name = "TIME", hide_short_help = true)]
    sweep_interval: Duration,
    /// The time for which an event is queued before the queue is put to the test
    #[arg(long, env = "EVENTFUL_STUCK_AFTER", value_parser = spans::parse, default_value = spans::show(Config::default().stuck_after), value_name = "TIME", hide_short_help = true)]
    stuck_after: Duration,
    /// The longest time that a shutdown waits for attempts that were stopped
    #[arg(long, env = "EVENTFUL_ABORT_GRACE", value_parser = spans::parse, default_value = spans::show(Config::default().abort_grace), value_name = "TIME", hide_short_help = true)]
    abort_grace: Duration,
    /// The longest time that a shutdown waits then for the journal
    #[arg(long, env = "EVENTFUL_SYNC_GRACE", value_parser = spans::parse, default_value = spans::show(Config::default().sync_grace), value_name = "TIME", hide_short_help = true)]
    sync_grace: Duration,
    /// Connections of clients at the same time
    #[arg(long, env = "EVENTFUL_MAX_CONNECTIONS", default_value_t = Limits::default().max_connections, value_name = "N", hide_short_help = true)]
    max_connections: usize,
    /// Bytes of the buffer of a connection in each direction, into which the head of a request must fit; 8192 at least
    #[arg(long, env = "EVENTFUL_BUFFER_BYTES", default_value_t = Limits::default().buffer_bytes, value_name = "N", hide_short_help = true)]
    buffer_bytes: usize,
    /// Bytes of results of one batch that wait to be read
    #[arg(long, env = "EVENTFUL_MAX_UNREAD_BYTES", default_value_t = Limits::default().max_unread_bytes, value_name = "N", hide_short_help = true)]
    max_unread_bytes: usize,
    /// The longest time that a batch waits for a client that reads none of its results
    #[arg(long, env = "EVENTFUL_UNREAD_PATIENCE", value_parser = spans::parse, default_value = spans::show(Limits::default().unread_patience), value_name = "TIME", hide_short_help = true)]
    unread_patience: Duration,
    /// The longest time in which a client reads nothing of a response
    #[arg(long, env = "EVENTFUL_WRITE_TIMEOUT", value_parser = spans::parse_nonzero, default_value = spans::show(Limits::default().write_timeout), value_name = "TIME", hide_short_help = true)]
    write_timeout: Duration,
    /// The longest time that open requests may take when the server stops
    #[arg(long, env = "EVENTFUL_CLOSE_GRACE", value_parser = spans::parse, default_value = spans::show(Limits::default().close_grace), value_name = "TIME", hide_short_help = true)]
    close_grace: Duration,
}

impl TuningOptions {
    /// Sets what it says in the configuration of an engine. What depends on other settings comes after them.
    pub(crate) fn set(&self, config: &mut Config, has_targets: bool) {
        config.backoff.jitter_percent = self.backoff_jitter;
        config.max_retry_after = self.max_retry_after;
        config.max_snooze = self.max_snooze;
        let snoozes = if has_targets { u32::MAX } else { config.max_snoozes };
        config.max_snoozes = self.max_snoozes.unwrap_or(snoozes);
        config.max_refunds = self.max_refunds;
        config.max_follow_ups = self.max_follow_ups;
        // A long timeout raises the default of the lifetime, which must not be less.
        config.run_lifetime = self.run_lifetime.unwrap_or(config.run_lifetime.max(config.run_timeout));
        config.sweep_batch = self.sweep_batch;
        config.sweep_interval = self.sweep_interval;
        config.stuck_after = self.stuck_after;
        config.abort_grace = self.abort_grace;
        config.sync_grace = self.sync_grace;
    }

    /// Sets what it says in the limits on clients.
    pub(crate) fn limit(&self, limits: &mut Limits) {
        limits.max_connections = self.max_connections;
        limits.buffer_bytes = self.buffer_bytes;
        limits.max_unread_bytes = self.max_unread_bytes;
        limits.unread_patience = self.unread_patience;
        limits.write_timeout = self.write_timeout;
        limits.close_grace = self.close_grace;
    }
}
