//! The setup of an adapter.

use core::fmt;
use core::time::Duration;
use std::boxed::Box;
use std::string::{String, ToString as _};
use std::sync::Arc;
use std::vec::Vec;

use super::clock::Clock;
#[cfg(doc)]
use super::clock::SystemClock;
#[cfg(feature = "durable")]
use super::durability::{Durability, ProgressCallback, StoreSource};
use super::handle::Eventful;
use super::router::TypedHandler;
use crate::engine::{Config, InvalidConfig, InvalidPolicy, InvalidShardCount, ShardCount};
#[cfg(feature = "durable")]
use crate::engine::{Key, Shard};
#[cfg(feature = "durable")]
use crate::journal::{JournalStore, OpenError, RecoveryProgress, WriteError};
use crate::node::{HookSet, InvalidSchedules, Schedule};

/// Sets up an [`Eventful`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use eventful::{Attempt, Event, Eventful, Failure};
///
/// let eventful = Eventful::builder().start(|event: Event, _attempt: Attempt| async move {
///     println!("{} has {} bytes", event.key(), event.payload().len());
///     Ok::<(), Failure>(())
/// })?;
/// eventful.submit(Event::with_id("order-17", "{}")?).await?;
/// eventful.shutdown(None).await;
/// # Ok(())
/// # }
/// ```
///
/// The order of the calls does not matter, but that of two calls for one setting: the later one wins.
pub struct Builder {
    config: Option<Config>,
    edits: Vec<Edit>,
    pub(super) typed: Vec<TypedHandler>,
    pub(super) has_default: bool,
    pub(super) clock: Option<Arc<dyn Clock>>,
    pub(super) submit_timeout: Duration,
    pub(super) is_idle: bool,
    pub(super) schedules: Option<Vec<Schedule>>,
    pub(super) probe: HookSet,
    #[cfg(feature = "durable")]
    pub(super) journal: Option<(StoreSource, Durability)>,
    #[cfg(feature = "durable")]
    pub(super) progress: Option<ProgressCallback>,
    /// The number of shards that was asked for.
    pub(super) shards: u16,
}

/// A change of the configuration, applied when everything is known that its defaults depend on.
type Edit = Box<dyn FnOnce(&mut Config) + Send>;

/// The reason why an [`Eventful`] could not be started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The configuration contradicts itself.
    #[error(transparent)]
    InvalidConfig(#[from] InvalidConfig),
    /// A type policy is none, or overlaps with another.
    #[error(transparent)]
    InvalidPolicy(#[from] InvalidPolicy),
    /// No handler is for these types of events, and there is no default one.
    #[error("type `{0}` has no handler: add one with Builder::on, or start with a default one")]
    NoHandler(Box<str>),
    /// The current thread is not in a tokio runtime.
    #[error("there is no tokio runtime here: call it from async code, or enter a runtime first")]
    NoRuntime,
    /// The journal was not opened.
    #[cfg(feature = "durable")]
    #[error("the journal was not opened: {0}")]
    Open(#[from] OpenError),
    /// The journal was opened, and could not be written to.
    #[cfg(feature = "durable")]
    #[error("the journal was not written: {0}")]
    Write(#[from] WriteError),
    /// The operating system gave no thread for the journal.
    #[cfg(feature = "durable")]
    #[error("the operating system gave no thread for the journal ({0}): try again")]
    Thread(String),
    /// There cannot be so many shards.
    #[error(transparent)]
    InvalidShardCount(#[from] InvalidShardCount),
    /// [`Builder::journal`] was called for several shards.
    #[cfg(feature = "durable")]
    #[error("one journal was given for {0} shards: give each its own with ClusterConfig::journals")]
    OneJournal(ShardCount),
    /// A handler that starts no run before it is asked for, such as `LeaseDesk`, was given for several shards.
    #[error("runs that workers ask for are those of one engine, and there are {0} shards: start with one shard")]
    AskedOfShards(ShardCount),
    /// A handler that starts no run before it is asked for, such as `LeaseDesk`, was given beside other handlers.
    #[error(
        "runs that workers ask for are those of the only handler: start with that alone, without Builder::on, and with \
         Config::types for limits by type"
    )]
    AskedBesideOthers,
    /// The journal of a shard holds an event of another one.
    #[cfg(feature = "durable")]
    #[error(
        "the journal of shard {shard} holds event {key}, which belongs to shard {belongs} of {shards}: start with as many \
         shards as the journals were made for, and with each journal in its place"
    )]
    OtherShard {
        /// The shard to which the journal was given.
        shard: Shard,
        /// The first such event that was found.
        key: Key,
        /// The shard to which it belongs.
        belongs: Shard,
        /// The number of shards.
        shards: ShardCount,
    },
    /// [`Builder::on_recovery`] was called, and there is no journal to recover from.
    #[cfg(feature = "durable")]
    #[error("on_recovery is set, and there is no journal: set one with Builder::journal, or leave on_recovery out")]
    NoJournal,
    /// The schedules contradict each other or the configuration.
    #[error(transparent)]
    InvalidSchedules(#[from] InvalidSchedules),
    /// Schedules were given for several shards.
    #[error("schedules are those of one engine, and there are {0} shards: start with one shard")]
    SchedulesOfShards(ShardCount),
    /// The operating system gave no seed.
    #[error("the operating system gave no random seed ({0}): set one with Builder::seed")]
    Seed(String),
}

impl Builder {
    /// The defaults: see [`Config`] and the methods here.
    pub fn new() -> Self {
        Self {
            config: None,
            edits: Vec::new(),
            typed: Vec::new(),
            has_default: true,
            clock: None,
            submit_timeout: Duration::from_secs(5),
            is_idle: false,
            schedules: None,
            probe: HookSet::default(),
            #[cfg(feature = "durable")]
            journal: None,
            #[cfg(feature = "durable")]
            progress: None,
            shards: 1,
        }
    }

    /// Takes this configuration as it is, in the place of the defaults. For one with a journal, begin
    /// with [`Config::durable`], or change the defaults with [`Builder::configure`].
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = Some(config);
        self
    }

    /// Changes the configuration: the one given with [`Builder::config`], else the defaults, which
    /// are [`Config::durable`]'s with a journal. Runs when the engine is started, after the changes
    /// that were asked for before.
    ///
    /// ```
    /// let builder = eventful::Eventful::builder().configure(|config| config.max_attempts = 5);
    /// ```
    #[must_use]
    pub fn configure(mut self, edit: impl FnOnce(&mut Config) + Send + 'static) -> Self {
        self.edits.push(Box::new(edit));
        self
    }

    /// Returns the resulting configuration, without the policies of handlers.
    pub(super) fn resolve(&mut self) -> Result<Config, StartError> {
        let mut config = self.config.take().unwrap_or_else(|| self.defaults());
        self.edits.drain(..).for_each(|edit| edit(&mut config));
        // After the changes, one of which may have set it.
        config.seed = Some(config.seed.map_or_else(draw_seed, Ok)?);
        Ok(config)
    }

    fn defaults(&self) -> Config {
        #[cfg(feature = "durable")]
        // Records outlive the process then, and can be compared with what senders repeat days later.
        if self.journal.is_some() {
            return Config::durable();
        }
        Config::default()
    }

    /// Keeps every fact in this journal with these settings, and starts with what it holds.
    #[cfg(feature = "durable")]
    #[must_use]
    pub fn journal(mut self, store: impl JournalStore, durability: Durability) -> Self {
        self.journal = Some((StoreSource::One(Box::new(store)), durability));
        self
    }

    /// Calls `progress` repeatedly while the journal is replayed. Without a journal the start is refused.
    #[cfg(feature = "durable")]
    #[must_use]
    pub fn on_recovery(mut self, progress: impl FnMut(RecoveryProgress) + Send + 'static) -> Self {
        self.progress = Some(Box::new(progress));
        self
    }

    /// Takes jitter and the keyed hash from this seed: sets [`Config::seed`](field@Config::seed).
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        self.configure(move |config| config.seed = Some(seed))
    }

    /// Takes the time from this clock. [`SystemClock`] by default. When it is behind what the journal
    /// holds, the engine's time is ahead of it by the difference, from the start on.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Sets the longest time for which [`Eventful::submit`] waits for room. 5 s by default.
    #[must_use]
    pub fn submit_timeout(mut self, timeout: Duration) -> Self {
        self.submit_timeout = timeout;
        self
    }

    /// Accepts events at the instants of these schedules, in the place of those of an earlier call. What is known of others is
    /// forgotten; without a call it stays, and no schedule runs.
    ///
    /// With a journal each continues where it was: an instant that was missed is made up for as [`Schedule::missed`] says,
    /// and none is taken twice. The schedules are those of one engine, with one shard.
    #[must_use]
    pub fn schedules(mut self, schedules: Vec<Schedule>) -> Self {
        self.schedules = Some(schedules);
        self
    }

    /// Starts no run: events are kept, shown, redriven and discarded, and none is handled. For a tool that opens the
    /// journal of a server that has stopped.
    #[must_use]
    pub fn without_runs(mut self) -> Self {
        self.is_idle = true;
        self
    }

    /// Asks these hooks at each of their points.
    #[cfg(feature = "sim")]
    #[doc(hidden)]
    #[must_use]
    pub fn hooks(mut self, hooks: Arc<dyn crate::node::Hooks>) -> Self {
        self.probe = HookSet::new(hooks);
        self
    }
}

impl Eventful {
    /// Returns a builder with the defaults.
    pub fn builder() -> Builder {
        Builder::new()
    }
}

#[allow(clippy::disallowed_methods, reason = "the one place that draws a seed")]
fn draw_seed() -> Result<u64, StartError> {
    // Unknown to senders, who could otherwise choose keys that collide in the index.
    let mut seed = [0; 8];
    getrandom::fill(&mut seed).map_err(|error| StartError::Seed(error.to_string()))?;
    Ok(u64::from_le_bytes(seed))
}

impl Default for Builder {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("config", &self.config)
            .field("edits", &self.edits.len())
            .field("typed", &self.typed.len())
            .finish_non_exhaustive()
    }
}
