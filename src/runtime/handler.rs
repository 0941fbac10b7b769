//! Handlers, and the failures that they return.

use core::error::Error;
use core::fmt;
use core::future::Future;
use core::time::Duration;
use std::boxed::Box;

use super::attempt::Attempt;
use crate::engine::{ErrorText, Event, Outcome};

/// Processes events.
///
/// Any closure or function `async fn(Event, Attempt) -> Result<(), Failure>` is one. Delivery is
/// at least once: make the handler's own effects idempotent, by [`Attempt::key`] for example.
///
/// A handler that must be stopped (its run timed out, its event was discarded, or the engine shuts
/// down) is dropped at its next await. One that blocks its thread cannot be stopped: move such
/// work to `tokio::task::spawn_blocking` and have it check [`Attempt::cancellation`]. Events that were
/// started together with one that blocks are given to other threads a millisecond later.
pub trait Handler: Send + Sync + 'static {
    /// Processes `event` once. A panic counts as a crash of this attempt and nothing more.
    ///
    /// # Errors
    ///
    /// [`Failure`] says what is to become of the event.
    fn handle(&self, event: Event, attempt: Attempt) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Returns whether runs start only when they are asked for, as `LeaseDesk` has it. Then it must be the only handler. A
    /// handler that wraps another one returns what that does.
    fn waits_to_be_asked(&self) -> bool {
        false
    }
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

/// The failure of an attempt, and what is to become of its event.
///
/// Every value that converts into a `Box<dyn Error + Send + Sync>` converts into a failure that retries, so `?` is
/// enough in most handlers: on errors, on that box itself, on `anyhow::Error`, and on texts. A `Box<dyn Error>`
/// without `Send` does not, use `map_err(Failure::retry)`.
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
///
/// It can be read, so that a handler can wrap another one:
///
/// ```
/// use eventful::{handler::FailureKind, Attempt, Event, Failure};
///
/// async fn patient(event: Event, attempt: Attempt) -> Result<(), Failure> {
///     let is_last = attempt.is_last();
///     let result = handle(event, attempt).await;
///     if let Err(failure) = &result && is_last && failure.kind() == FailureKind::Retry {
///         eprintln!("given up: {}", failure.error().unwrap_or_default());
///     }
///     result
/// }
/// # async fn handle(_: Event, _: Attempt) -> Result<(), Failure> { Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    kind: FailureKind,
    error: Option<ErrorText>,
    delay: Option<Duration>,
}

/// The future of an event whose attempt did not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureKind {
    /// Another attempt follows, if one is left.
    Retry,
    /// The event has failed.
    Permanent,
    /// Another attempt follows, without charge.
    Snooze,
}

impl Failure {
    /// Returns a failure after which another attempt may succeed.
    pub fn retry(error: impl fmt::Display) -> Self {
        Self { kind: FailureKind::Retry, error: Some(ErrorText::new(error)), delay: None }
    }

    /// Returns a failure after which another attempt may succeed, but not before `after` from now.
    pub fn retry_after(error: impl fmt::Display, after: Duration) -> Self {
        Self { delay: Some(after), ..Self::retry(error) }
    }

    /// Returns a failure after which no attempt will ever succeed.
    pub fn permanent(error: impl fmt::Display) -> Self {
        Self { kind: FailureKind::Permanent, ..Self::retry(error) }
    }

    /// Returns a failure for an event that comes too early: it is tried again `delay` from now, without charge.
    pub fn snooze(delay: Duration) -> Self {
        Self { kind: FailureKind::Snooze, error: None, delay: Some(delay) }
    }

    /// Returns a failure for an event that is in order and cannot be worked on now, for example because this process
    /// is short of something: it is tried again `delay` from now, without charge. The reason is recorded.
    pub fn snooze_because(reason: impl fmt::Display, delay: Duration) -> Self {
        Self { error: Some(ErrorText::new(reason)), ..Self::snooze(delay) }
    }

    /// Returns what is to become of the event.
    pub fn kind(&self) -> FailureKind {
        self.kind
    }

    /// Returns the text of the error, cut to 1 KiB; absent for a snooze without a reason.
    pub fn error(&self) -> Option<&str> {
        self.error.as_ref().map(ErrorText::as_str)
    }

    /// Returns the shortest time until the next attempt, if the handler has set it.
    pub fn delay(&self) -> Option<Duration> {
        self.delay
    }

    fn into_outcome(self) -> Outcome {
        let Self { kind, error, delay } = self;
        let given = |error: Option<ErrorText>| error.unwrap_or_else(|| ErrorText::new(""));
        match kind {
            FailureKind::Retry => Outcome::Retry { error: given(error), after: delay },
            FailureKind::Permanent => Outcome::Permanent { error: given(error) },
            FailureKind::Snooze => Outcome::Snooze { delay: delay.unwrap_or_default(), reason: error },
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            FailureKind::Retry => "retry",
            FailureKind::Permanent => "permanent",
            FailureKind::Snooze => "snooze",
        })?;
        if let Some(delay) = self.delay {
            write!(f, " after {delay:?}")?;
        }
        self.error.as_ref().map_or(Ok(()), |error| write!(f, ": {error}"))
    }
}

/// Converts into a failure that retries, with the texts of the error and of its sources.
impl<E: Into<Box<dyn Error + Send + Sync>>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::retry(Chain(&*error.into()))
    }
}

/// Returns the engine's outcome for a handler's result.
pub(super) fn outcome(result: Result<(), Failure>) -> Outcome {
    result.map_or_else(Failure::into_outcome, |()| Outcome::Done)
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
