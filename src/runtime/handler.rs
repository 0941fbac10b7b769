//! What the user writes: the handler, and how it says that it did not succeed.

use core::error::Error;
use core::fmt;
use core::future::Future;
use core::time::Duration;

use super::attempt::Attempt;
use crate::engine::{ErrorText, Event, Outcome};

/// Processes events.
///
/// Any closure or function `async fn(Event, Attempt) -> Result<(), Failure>` is one. Delivery is
/// at least once: make the handler's own effects idempotent, by [`Attempt::key`] for example.
///
/// A handler that must be stopped (its run timed out, its event was discarded, or the engine shuts
/// down) is dropped at its next await. One that blocks its thread cannot be stopped: move such
/// work to `tokio::task::spawn_blocking` and let it look at [`Attempt::cancellation`].
pub trait Handler: Send + Sync + 'static {
    /// Processes `event` once. A panic counts as a crash of this attempt and nothing more.
    ///
    /// # Errors
    ///
    /// [`Failure`] says what is to become of the event.
    fn handle(&self, event: Event, attempt: Attempt) -> impl Future<Output = Result<(), Failure>> + Send;
}

impl<F, Fut> Handler for F
where
    F: Fn(Event, Attempt) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), Failure>> + Send,
{
    fn handle(&self, event: Event, attempt: Attempt) -> impl Future<Output = Result<(), Failure>> + Send {
        self(event, attempt)
    }
}

/// Why an attempt did not succeed, and what is to become of its event.
///
/// Every error turns into one that retries, so `?` is enough in most handlers:
///
/// ```
/// use eventful::{Attempt, Event, Failure};
///
/// async fn handle(event: Event, _attempt: Attempt) -> Result<(), Failure> {
///     let text = str::from_utf8(event.payload()).map_err(Failure::permanent)?;
///     let _number: u64 = text.parse()?;
///     Ok(())
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure(Outcome);

impl Failure {
    /// Another attempt may succeed.
    pub fn retry(error: impl fmt::Display) -> Self {
        Self(Outcome::Retry { error: ErrorText::new(error), after: None })
    }

    /// Another attempt may succeed, but not before `after` from now on.
    pub fn retry_after(error: impl fmt::Display, after: Duration) -> Self {
        Self(Outcome::Retry { error: ErrorText::new(error), after: Some(after) })
    }

    /// No attempt will ever succeed.
    pub fn permanent(error: impl fmt::Display) -> Self {
        Self(Outcome::Permanent { error: ErrorText::new(error) })
    }

    /// Nothing is wrong, but it is too early: try again `delay` from now on, without charge.
    pub fn snooze(delay: Duration) -> Self {
        Self(Outcome::Snooze { delay })
    }
}

/// Retries, with the texts of the error and of its sources.
impl<E: Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::retry(Chain(&error))
    }
}

/// What the engine is told of a handler's result.
pub(super) fn outcome(result: Result<(), Failure>) -> Outcome {
    result.map_or_else(|failure| failure.0, |()| Outcome::Done)
}

/// An error and its sources: `outer: inner: innermost`.
struct Chain<'a>(&'a dyn Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut error = self.0;
        while let Some(source) = error.source() {
            write!(f, ": {source}")?;
            error = source;
        }
        Ok(())
    }
}
