//! The tokio adapter: turns what happens into commands, and performs the engine's effects.
//!
//! | module | topic |
//! |---|---|
//! | `builder` | sets everything up |
//! | `ingest` | takes events in, waits for room |
//! | `operator`, `bulk`, `stats`, `subscribe`, `wait` | what else a handle can do |
//! | `stopping` | runs that were stopped and still hold their permits |
//! | `shared` | what handles and tasks share; decides under the lock, and rings the bells after it |
//! | `locked`, `cells` | what the lock guards: engine, channel, runs in flight |
//! | `dispatcher` | takes a permit, then a ticket, and spawns a worker |
//! | `worker`, `attempt`, `handler` | runs handlers; what a handler sees |
//! | `failures` | says what became of failed events that nothing remembers any more |
//! | `sweeper` | wakes at the engine's next deadline |
//! | `supervisor` | restarts dispatcher and sweeper |
//! | `shutdown`, `ender` | ends everything; who sees to it |
//! | `commits`, `synced`, `writer`, `driver`, `handover` | what is not durable yet, and who makes it so (feature `durable`) |
//! | `recovery` | what the journal held at the start (feature `durable`) |
//! | `unavailable`, `journal_state` | why there is no answer, and how the journal is |
//! | `reads`, `answers` | shows records, and whether that is durable; waits for that |
//! | `holds` | how long the lock is held, for benchmarks |
//! | `clock`, `timeline`, `hooks`, `latch` | time, points of disturbance, something that happens once |

mod answers;
mod attempt;
mod builder;
mod bulk;
mod cells;
mod clock;
#[cfg(feature = "durable")]
mod commits;
#[cfg(not(feature = "durable"))]
#[path = "commits_absent.rs"]
mod commits;
mod dispatcher;
#[cfg(feature = "durable")]
mod driver;
#[cfg(feature = "durable")]
mod durability;
mod ender;
mod failures;
mod handler;
#[cfg(feature = "durable")]
mod handover;
mod holds;
mod hooks;
mod ingest;
mod journal_state;
mod latch;
mod locked;
mod operator;
mod reads;
#[cfg(feature = "durable")]
mod recovery;
mod shared;
mod shutdown;
mod stats;
mod stopping;
mod subscribe;
mod supervisor;
mod sweeper;
#[cfg(feature = "durable")]
mod synced;
mod timeline;
mod unavailable;
mod wait;
mod worker;
#[cfg(feature = "durable")]
mod writer;

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

pub use attempt::{Attempt, Cancellation, Stale};
pub use builder::{Builder, StartError};
pub use bulk::Discarded;
pub use clock::{Clock, ManualClock, Sleep, SystemClock};
#[cfg(feature = "durable")]
pub use durability::{Durability, StartDurability};
pub use handler::{Failure, FailureKind, Handler};
#[cfg(feature = "sim")]
#[doc(hidden)]
pub use hooks::{Action, Hooks, Point};
pub use ingest::{SubmitError, Submitted};
pub use journal_state::JournalState;
pub use operator::{DiscardError, PauseError, RedriveError, Redriven};
#[cfg(feature = "durable")]
pub use recovery::Recovery;
pub use shutdown::ShutdownReport;
pub use stats::{NotReady, Readiness, Stats};
pub use subscribe::{Notice, Subscription};
pub use unavailable::Unavailable;
pub use wait::WaitError;

use crate::engine::{Config, Timestamp};
use shared::Shared;

/// A running engine. Cheap to clone; clones are the same engine.
///
/// Dropping the last one shuts the engine down and waits for nothing; call
/// [`Eventful::shutdown`] to let the runs in flight end.
#[derive(Clone)]
pub struct Eventful {
    shared: Arc<Shared>,
    _lease: Arc<Lease>,
}

/// What all handles hold and no task does.
struct Lease(Arc<Shared>);

impl Eventful {
    fn new(shared: Arc<Shared>) -> Self {
        let lease = Arc::new(Lease(Arc::clone(&shared)));
        Self { shared, _lease: lease }
    }

    /// Sets one up.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// Shuts down: takes in and starts nothing more, waits at most `timeout` for the runs in flight
    /// (the configuration's `drain_timeout` when absent), stops the others, and reports. It goes on
    /// when this future is dropped. Later calls share it, and the earliest deadline wins.
    ///
    /// It ends by the timeout plus `abort_grace` plus `sync_grace`. On a runtime with several threads
    /// that holds even while handlers block all of them; on a `current_thread` runtime no handler may
    /// block the thread. It ends, too, when the runtime was dropped before, polled or not.
    pub async fn shutdown(&self, timeout: Option<Duration>) -> ShutdownReport {
        self.shared.ask_to_end(timeout.unwrap_or(self.shared.config.drain_timeout));
        self.shared.ended().await
    }

    /// Waits until somebody's shutdown has ended.
    pub async fn stopped(&self) -> ShutdownReport {
        self.shared.ended().await
    }

    /// Holds of the lock since the last call, by their length: those in the nth place lasted less than 2ⁿ
    /// µs, and no less than half of that.
    #[cfg(feature = "sim")]
    #[doc(hidden)]
    pub fn lock_holds(&self) -> [u64; 32] {
        self.shared.holds.take()
    }

    /// The time by the engine's clock.
    pub fn now(&self) -> Timestamp {
        self.shared.now()
    }

    /// The configuration, with the seed that is in use.
    pub fn config(&self) -> &Config {
        &self.shared.config
    }
}

impl fmt::Debug for Eventful {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Eventful").field("config", self.config()).finish_non_exhaustive()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.ask_to_end(Duration::ZERO);
    }
}
