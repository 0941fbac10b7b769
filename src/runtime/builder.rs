//! Sets an adapter up.

use core::fmt;
use core::time::Duration;
use std::string::{String, ToString as _};
use std::sync::Arc;
use tokio::runtime::Handle;

use super::Eventful;
use super::clock::{Clock, SystemClock};
use super::dispatcher::dispatch;
use super::handler::Handler;
use super::hooks::Probe;
use super::locked::Core;
use super::shared::{Parts, Shared};
use super::shutdown::see_to_the_end;
use super::supervisor::{Part, keep};
use super::sweeper::sweep;
use crate::engine::{Config, Engine, InvalidConfig, Output};

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
    config: Config,
    seed: Option<u64>,
    clock: Option<Arc<dyn Clock>>,
    submit_timeout: Duration,
    probe: Probe,
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
    /// The operating system gave no seed.
    #[error("the operating system gave no random seed ({0}): set one with Builder::seed")]
    Seed(String),
}

impl Builder {
    /// The defaults: see [`Config`] and the methods here.
    pub fn new() -> Self {
        Self {
            config: Config::default(),
            seed: None,
            clock: None,
            submit_timeout: Duration::from_secs(5),
            probe: Probe::default(),
        }
    }

    /// Takes this configuration, but for its seed: see [`Builder::seed`].
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// The configuration, to be changed.
    pub fn config_mut(&mut self) -> &mut Config {
        &mut self.config
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
    /// than [`SystemClock`] is set.
    ///
    /// # Errors
    ///
    /// [`StartError`]
    pub fn start(self, handler: impl Handler) -> Result<Eventful, StartError> {
        let runtime = Handle::try_current().map_err(|_| StartError::NoRuntime)?;
        let shared = Shared::new(self.parts()?);
        spawn(&runtime, &shared, handler);
        Ok(Eventful::new(shared))
    }

    fn parts(mut self) -> Result<Parts, StartError> {
        self.config.seed = self.seed.map_or_else(draw_seed, Ok)?;
        let clock = self.clock.unwrap_or_else(|| Arc::new(SystemClock::new()));
        let mut out = Output::new();
        let engine = Engine::new(self.config.clone(), clock.now(), &mut out)?;
        Ok(Parts {
            core: Core::new(engine, out, self.probe.clone()),
            clock,
            config: self.config,
            submit_timeout: self.submit_timeout,
            probe: self.probe,
        })
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
