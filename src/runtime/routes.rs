//! Sets up handlers by type of event.

use std::boxed::Box;

use super::builder::{Builder, StartError};
use super::handle::Eventful;
use super::handler::Handler;
use super::router::{NoDefault, TypedHandler, TypedHandlers};
use crate::engine::{Config, TypePolicy};

impl Builder {
    /// Calls this handler for events whose type fits the pattern, under this policy.
    ///
    /// A pattern is a type, `order.created`, or the beginning of types with a star behind it, `order.*`. No type may fit two
    /// of them. Policies are added when the engine is started, behind those of [`Config::types`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use core::time::Duration;
    /// use eventful::{Attempt, Event, Eventful, Failure, TypePolicy};
    ///
    /// async fn bill(_: Event, _: Attempt) -> Result<(), Failure> {
    ///     Ok(())
    /// }
    /// async fn mail(_: Event, _: Attempt) -> Result<(), Failure> {
    ///     Ok(())
    /// }
    ///
    /// let eventful = Eventful::builder()
    ///     .on("order.*", bill, TypePolicy::new().with_concurrency(8))
    ///     .on("mail", mail, TypePolicy::new().with_max_attempts(3).with_run_timeout(Duration::from_secs(5)))
    ///     .start_typed()?;
    /// eventful.submit(Event::with_id("order-17", "{}")?.with_type("order.created")?).await?;
    /// # eventful.shutdown(None).await;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn on(mut self, pattern: &str, handler: impl Handler, policy: TypePolicy) -> Self {
        self.typed.push(TypedHandler { pattern: pattern.into(), policy, handler: Box::new(handler) });
        self
    }

    /// The handlers by type, and the configuration with their policies.
    pub(super) fn route(&mut self) -> Result<(Config, TypedHandlers), StartError> {
        let mut config = self.resolve()?;
        let mut handlers = TypedHandlers::default();
        for TypedHandler { pattern, policy, handler } in self.typed.drain(..) {
            handlers.set(config.types.add(&pattern, policy)?, handler);
        }
        let has_handler = |number| self.has_default || handlers.has(number);
        if let Some((_, (pattern, _))) = config.types.iter().enumerate().find(|(number, _)| !has_handler(*number)) {
            return Err(StartError::NoHandler(pattern.into()));
        }
        if config.types.is_empty() && !self.has_default {
            return Err(StartError::NoHandler("*".into()));
        }
        config.validate()?;
        Ok((config, handlers))
    }

    /// Does what [`Builder::start`] does, without a default handler: an event that no handler is for fails, with an error
    /// that says so, or waits if [`Config::unmatched`] says so.
    ///
    /// # Errors
    ///
    /// [`StartError`]; [`StartError::NoHandler`] when no handler is for a policy of [`Config::types`], and when there is
    /// none at all.
    pub fn start_typed(mut self) -> Result<Eventful, StartError> {
        self.has_default = false;
        self.start(NoDefault)
    }

    /// Does what [`Builder::start_typed`] does, with the journal read as by [`Builder::open`].
    ///
    /// # Errors
    ///
    /// [`StartError`]
    pub async fn open_typed(mut self) -> Result<Eventful, StartError> {
        self.has_default = false;
        self.open(NoDefault).await
    }
}
