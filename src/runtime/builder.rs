//! The setup of an adapter.

use core::fmt;
use core::time::Duration;
use std::boxed::Box;
#[cfg(feature = "durable")]
use std::panic::resume_unwind;
use std::string::{String, ToString as _};
use std::sync::{Arc, PoisonError};
use std::vec::Vec;

use super::clock::{Clock, SystemClock};
use super::dispatcher::dispatch;
#[cfg(feature = "durable")]
use super::driver::WriterDriver;
#[cfg(feature = "durable")]
use super::durability::{Durability, DurabilitySetup, ProgressCallback, StartDurability};
use super::ender::watch;
use super::handle::Eventful;
use super::handler::Handler;
use super::leader_runs::LeaderRuns;
#[cfg(feature = "durable")]
use super::recovery::Recovery;
use super::router::{Router, TypedHandler};
use super::shared::{AdapterParts, JournalParts, Shared};
use super::supervisor::{SupervisedGuard, keep};
use super::sweeper::sweep;
use super::timeline::Timeline;
use super::worker::WorkerPool;
#[cfg(feature = "durable")]
use super::writer::{JournalSource, JournalWriter};
use crate::engine::{Config, Engine, InvalidConfig, InvalidPolicy, Output};
#[cfg(feature = "durable")]
use crate::journal::{FreeSpace, JournalStore, OpenError, Recovered, RecoveryProgress, WriteError, recover};
#[cfg(feature = "durable")]
use crate::node::OpenedEngine;
use crate::node::{HookSet, Node, SupervisedTask};
use crate::sync::Handle;

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
    clock: Option<Arc<dyn Clock>>,
    submit_timeout: Duration,
    probe: HookSet,
    #[cfg(feature = "durable")]
    journal: Option<(Box<dyn JournalStore>, Durability)>,
    #[cfg(feature = "durable")]
    progress: Option<ProgressCallback>,
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
    /// [`Builder::on_recovery`] was called, and there is no journal to recover from.
    #[cfg(feature = "durable")]
    #[error("on_recovery is set, and there is no journal: set one with Builder::journal, or leave on_recovery out")]
    NoJournal,
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
            probe: HookSet::default(),
            #[cfg(feature = "durable")]
            journal: None,
            #[cfg(feature = "durable")]
            progress: None,
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
        config.seed = Some(config.seed.map_or_else(draw_seed, Ok)?);
        Ok(config)
    }

    fn defaults(&self) -> Config {
        #[cfg(feature = "durable")]
        if self.journal.is_some() {
            return Config::durable();
        }
        Config::default()
    }

    /// Keeps every fact in this journal with these settings, and starts with what it holds.
    #[cfg(feature = "durable")]
    #[must_use]
    pub fn journal(mut self, store: impl JournalStore, durability: Durability) -> Self {
        self.journal = Some((Box::new(store), durability));
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

    /// Asks these hooks at each of their points.
    #[cfg(feature = "sim")]
    #[doc(hidden)]
    #[must_use]
    pub fn hooks(mut self, hooks: Arc<dyn crate::node::Hooks>) -> Self {
        self.probe = HookSet::new(hooks);
        self
    }

    /// Starts the engine on the current tokio runtime, whose time must be enabled unless a clock other than
    /// [`SystemClock`] is set. With a journal it blocks the thread until that is replayed; in async code use
    /// [`Builder::open`].
    ///
    /// # Errors
    ///
    /// [`StartError`]
    pub fn start(mut self, handler: impl Handler) -> Result<Eventful, StartError> {
        let runtime = Handle::try_current().map_err(|_| StartError::NoRuntime)?;
        let (config, typed) = self.route()?;
        let handler = Router::new(typed, handler);
        // An option that needs another one is refused, because a progress that is never reported would look like a
        // hang.
        #[cfg(feature = "durable")]
        match (self.journal.take(), self.progress.take()) {
            (Some((store, durability)), progress) => {
                let setup = DurabilitySetup::new(store, durability, progress);
                return self.start_durable(&runtime, config, setup, handler);
            }
            (None, Some(_)) => return Err(StartError::NoJournal),
            (None, None) => {}
        }
        let clock = self.take_clock();
        let mut out = Output::new();
        let now = clock.now();
        let engine = Engine::new(config, now, &mut out)?;
        let node = Node::in_memory(now, engine, out);
        let shared = self.share(&runtime, node, clock, JournalParts::default());
        spawn(&runtime, &shared, handler);
        Ok(Eventful::new(shared))
    }

    /// Does what [`Builder::start`] does, with the journal read on a thread where it may block. If
    /// the future is dropped while it waits, the journal is read to its end and closed.
    ///
    /// # Errors
    ///
    /// [`StartError`]
    pub async fn open(self, handler: impl Handler) -> Result<Eventful, StartError> {
        #[cfg(feature = "durable")]
        if self.journal.as_ref().is_some_and(|(store, _)| store.blocks()) {
            // Recovery reads files: on a thread of the runtime it would hold up other tasks.
            let runtime = Handle::try_current().map_err(|_| StartError::NoRuntime)?;
            return match runtime.spawn_blocking(move || self.start(handler)).await {
                Ok(started) => started,
                // A panic in the store is passed on, as `start` would.
                Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
                Err(_) => Err(StartError::NoRuntime),
            };
        }
        self.start(handler)
    }

    #[cfg(feature = "durable")]
    fn start_durable(
        mut self,
        runtime: &Handle,
        config: Config,
        setup: DurabilitySetup,
        handler: impl Handler,
    ) -> Result<Eventful, StartError> {
        let DurabilitySetup { durability, mut store, owner, mut progress } = setup;
        // Before the store is opened: what cannot work is to leave no directory behind.
        durability.validate(&config, &*store)?;
        let Recovered { log, replay } =
            recover(&mut *store, &owner, &config, durability.snapshot_after_bytes, &mut progress)?;
        let recovery = Some(Recovery::of(&replay));
        let clock = self.take_clock();
        // Before the engine is opened, because its first fact must not be older than the last one in the journal.
        clock.start_at(replay.summary().last);
        let now = clock.now();
        let mut out = Output::with_facts();
        let engine = replay.open(now, &mut out);
        let (FreeSpace(room_bytes), frames) = (log.room(), log.next().previous().number());
        let opened = OpenedEngine { engine, out, room_bytes, frames };
        let node = Node::with_journal(now, opened, durability.limits());
        let driver = WriterDriver::new(store.blocks());
        let syncs_starts = durability.starts == StartDurability::Synced;
        let journal =
            JournalParts { notify: Some(driver.notify()), has_thread: store.blocks(), syncs_starts, recovery };
        let shared = self.share(runtime, node, clock, journal);
        let Durability { snapshot_after_bytes, reserve_bytes, .. } = durability;
        let source = JournalSource { store, owner, snapshot_after_bytes, reserve_bytes };
        // Before any task runs: the facts of the opening are the first group, and a store that fails here refuses the
        // start.
        let writer = JournalWriter::start(&shared, source, log)?;
        driver.drive(runtime, writer).map_err(|error| StartError::Thread(error.to_string()))?;
        spawn(runtime, &shared, handler);
        Ok(Eventful::new(shared))
    }

    fn take_clock(&mut self) -> Timeline {
        Timeline::new(self.clock.take().unwrap_or_else(|| Arc::new(SystemClock::new())))
    }

    fn share(self, runtime: &Handle, node: Node, clock: Timeline, journal: JournalParts) -> Arc<Shared> {
        let Self { submit_timeout, probe, .. } = self;
        let node = node.probed(probe.clone());
        Shared::new(AdapterParts { node, runtime: runtime.clone(), journal, clock, submit_timeout, probe })
    }
}

impl Eventful {
    /// Returns a builder with the defaults.
    pub fn builder() -> Builder {
        Builder::new()
    }
}

fn spawn(runtime: &Handle, shared: &Arc<Shared>, handler: impl Handler) {
    let pool = Arc::new(WorkerPool { shared: Arc::clone(shared), handler, leader_runs: LeaderRuns::default() });
    let dispatcher = move || dispatch(Arc::clone(&pool));
    let for_sweeper = Arc::clone(shared);
    let sweeper = move || sweep(Arc::clone(&for_sweeper));
    let tasks = [
        runtime.spawn(keep(SupervisedGuard::new(shared, SupervisedTask::Dispatcher), dispatcher)),
        runtime.spawn(keep(SupervisedGuard::new(shared, SupervisedTask::Sweeper), sweeper)),
    ];
    // Kept to be aborted at the end: a task that hangs must not outlive the report.
    shared.tasks.lock().unwrap_or_else(PoisonError::into_inner).extend(tasks);
    watch(shared);
}

#[allow(clippy::disallowed_methods, reason = "the one place that draws a seed")]
fn draw_seed() -> Result<u64, StartError> {
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
