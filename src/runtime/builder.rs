//! Sets an adapter up.

use core::fmt;
use core::time::Duration;
#[cfg(feature = "durable")]
use std::boxed::Box;
use std::string::{String, ToString as _};
use std::sync::Arc;
use tokio::runtime::Handle;

use super::Eventful;
use super::clock::{Clock, SystemClock};
use super::commits::Commits;
use super::dispatcher::dispatch;
#[cfg(feature = "durable")]
use super::driver::Driver;
#[cfg(feature = "durable")]
use super::durability::{Durability, Setup, StartDurability};
use super::handler::Handler;
use super::hooks::Probe;
use super::locked::Core;
use super::shared::{Parts, Shared, Writer};
use super::shutdown::see_to_the_end;
use super::supervisor::{Part, keep};
use super::sweeper::sweep;
#[cfg(feature = "durable")]
use super::writer::{JournalWriter, Source};
use crate::engine::{Config, Engine, InvalidConfig, Output};
#[cfg(feature = "durable")]
use crate::journal::{JournalStore, OpenError, Progress, Recovered, WriteError, recover};

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
pub struct Builder {
    config: Option<Config>,
    seed: Option<u64>,
    clock: Option<Arc<dyn Clock>>,
    submit_timeout: Duration,
    probe: Probe,
    #[cfg(feature = "durable")]
    journal: Option<Setup>,
}

/// Why an [`Eventful`] could not be started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The configuration contradicts itself.
    #[error(transparent)]
    InvalidConfig(#[from] InvalidConfig),
    /// There is no tokio runtime here.
    #[error("there is no tokio runtime here: call it from async code, or enter a runtime first")]
    NoRuntime,
    /// The journal was not opened.
    #[cfg(feature = "durable")]
    #[error("the journal was not opened: {0}")]
    Open(#[from] OpenError),
    /// The journal was opened, and not written to.
    #[cfg(feature = "durable")]
    #[error("the journal was not written: {0}")]
    Write(#[from] WriteError),
    /// The operating system gave no thread for the journal.
    #[cfg(feature = "durable")]
    #[error("the operating system gave no thread for the journal ({0}): try again")]
    Thread(String),
    /// The operating system gave no seed.
    #[error("the operating system gave no random seed ({0}): set one with Builder::seed")]
    Seed(String),
}

impl Builder {
    /// The defaults: see [`Config`] and the methods here.
    pub fn new() -> Self {
        Self {
            config: None,
            seed: None,
            clock: None,
            submit_timeout: Duration::from_secs(5),
            probe: Probe::default(),
            #[cfg(feature = "durable")]
            journal: None,
        }
    }

    /// Takes this configuration, but for its seed: see [`Builder::seed`].
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = Some(config);
        self
    }

    /// The configuration, to be changed: the one given before, or the defaults.
    pub fn config_mut(&mut self) -> &mut Config {
        let defaults = self.defaults();
        self.config.get_or_insert(defaults)
    }

    fn defaults(&self) -> Config {
        #[cfg(feature = "durable")]
        if self.journal.is_some() {
            return Config::durable();
        }
        Config::default()
    }

    /// Keeps every fact in this journal, and starts with what it holds. Without a configuration
    /// given before, the defaults are [`Config::durable`]'s from now on.
    #[cfg(feature = "durable")]
    #[must_use]
    pub fn journal(mut self, store: impl JournalStore) -> Self {
        self.journal = Some(Setup::new(Box::new(store)));
        self
    }

    /// How the journal is used. Does nothing before [`Builder::journal`].
    #[cfg(feature = "durable")]
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.journal.iter_mut().for_each(|setup| setup.durability = durability);
        self
    }

    /// Tells `progress` now and then how far the journal is replayed. Does nothing before
    /// [`Builder::journal`].
    #[cfg(feature = "durable")]
    #[must_use]
    pub fn on_recovery(mut self, progress: impl FnMut(Progress) + Send + 'static) -> Self {
        let mut progress = Some(progress);
        self.journal.iter_mut().for_each(|setup| {
            if let Some(progress) = progress.take() {
                setup.progress = Box::new(progress);
            }
        });
        self
    }

    /// Takes jitter and the keyed hash from this seed. By default the operating system draws one.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Takes the time from this clock. [`SystemClock`] by default.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// How long [`Eventful::submit`] waits for room. 5 s by default.
    #[must_use]
    pub fn submit_timeout(mut self, timeout: Duration) -> Self {
        self.submit_timeout = timeout;
        self
    }

    /// Asks these hooks at each of their points.
    #[cfg(feature = "sim")]
    #[doc(hidden)]
    #[must_use]
    pub fn hooks(mut self, hooks: Arc<dyn super::hooks::Hooks>) -> Self {
        self.probe = Probe::new(hooks);
        self
    }

    /// Starts it on the current tokio runtime, whose time must be enabled unless a clock other
    /// than [`SystemClock`] is set. With a journal it blocks the thread until that is replayed.
    ///
    /// # Errors
    ///
    /// [`StartError`]
    pub fn start(mut self, handler: impl Handler) -> Result<Eventful, StartError> {
        let runtime = Handle::try_current().map_err(|_| StartError::NoRuntime)?;
        let mut config = self.config.take().unwrap_or_else(|| self.defaults());
        config.seed = self.seed.map_or_else(draw_seed, Ok)?;
        #[cfg(feature = "durable")]
        if let Some(setup) = self.journal.take() {
            return self.start_durable(&runtime, config, setup, handler);
        }
        let clock = self.clock.take().unwrap_or_else(|| Arc::new(SystemClock::new()));
        let mut out = Output::new();
        let engine = Engine::new(config.clone(), clock.now(), &mut out)?;
        let core = Core::new(engine, out, Commits::none(), self.probe.clone());
        let writer = Writer::default();
        writer.closed.open();
        let shared = self.share(core, clock, config, writer);
        spawn(&runtime, &shared, handler);
        Ok(Eventful::new(shared))
    }

    #[cfg(feature = "durable")]
    fn start_durable(
        mut self,
        runtime: &Handle,
        config: Config,
        setup: Setup,
        handler: impl Handler,
    ) -> Result<Eventful, StartError> {
        config.validate()?;
        let Setup { durability, mut store, owner, mut progress } = setup;
        durability.validate()?;
        let Recovered { log, replay } =
            recover(&mut *store, &owner, &config, durability.snapshot_after_bytes, &mut progress)?;
        let earliest = replay.summary().last;
        let clock = self.clock.take().unwrap_or_else(|| Arc::new(SystemClock::not_before(earliest)));
        let now = clock.now();
        let mut out = Output::with_facts();
        let engine = replay.open(now, &mut out);
        let mut core = Core::new(engine, out, Commits::new(durability.limits(), log.room()), self.probe.clone());
        core.perform(now);
        let driver = Driver::new(store.blocks());
        let syncs_starts = durability.starts == StartDurability::Synced;
        let writer = Writer { bell: Some(driver.bell()), syncs_starts, ..Writer::default() };
        let shared = self.share(core, clock, config, writer);
        let Durability { snapshot_after_bytes, reserve_bytes, .. } = durability;
        let source = Source { store, owner, snapshot_after_bytes, reserve_bytes };
        let writer = JournalWriter::start(&shared, source, log)?;
        driver.drive(runtime, writer).map_err(|error| StartError::Thread(error.to_string()))?;
        spawn(runtime, &shared, handler);
        Ok(Eventful::new(shared))
    }

    fn share(self, core: Core, clock: Arc<dyn Clock>, config: Config, writer: Writer) -> Arc<Shared> {
        let Self { submit_timeout, probe, .. } = self;
        Shared::new(Parts { core, writer, clock, config, submit_timeout, probe })
    }
}

fn spawn(runtime: &Handle, shared: &Arc<Shared>, handler: impl Handler) {
    let handler = Arc::new(handler);
    let for_dispatcher = Arc::clone(shared);
    let dispatcher = move || dispatch(Arc::clone(&for_dispatcher), Arc::clone(&handler));
    let for_sweeper = Arc::clone(shared);
    let sweeper = move || sweep(Arc::clone(&for_sweeper));
    let kept = [
        runtime.spawn(keep(Arc::clone(shared), Part::Dispatcher, dispatcher)),
        runtime.spawn(keep(Arc::clone(shared), Part::Sweeper, sweeper)),
    ];
    runtime.spawn(see_to_the_end(Arc::clone(shared), kept));
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
        f.debug_struct("Builder").field("config", &self.config).field("seed", &self.seed).finish_non_exhaustive()
    }
}
