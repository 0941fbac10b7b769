//! Maps a run to its handler: that of its type policy, or the default one.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use std::boxed::Box;
use std::vec::Vec;

use super::attempt::Attempt;
use super::handler::{Failure, Handler};
use crate::engine::{Event, PolicyId, TypePolicy};

/// The handlers of one adapter.
pub(super) struct Router<H> {
    /// By the number of the policy; absent where the default one is called.
    typed: TypedHandlers,
    default: H,
}

/// A handler for some types of events.
pub(super) struct TypedHandler {
    pub(super) pattern: Box<str>,
    pub(super) policy: TypePolicy,
    pub(super) handler: Box<dyn BoxedHandler>,
}

/// Handlers by the number of their policy.
#[derive(Default)]
pub(super) struct TypedHandlers(Vec<Option<Box<dyn BoxedHandler>>>);

/// A handler whose futures are boxed.
pub(super) trait BoxedHandler: Send + Sync {
    fn call(&self, event: Event, attempt: Attempt) -> BoxedCall<'_>;

    /// See [`Handler::waits_to_be_asked`].
    fn is_asked(&self) -> bool;
}

type BoxedCall<'h> = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send + 'h>>;

/// The default handler where there is none: every event fails.
pub(super) struct NoDefault;

impl<H: Handler> Router<H> {
    pub(super) fn new(typed: TypedHandlers, default: H) -> Self {
        Self { typed, default }
    }

    /// Returns whether a handler whose runs start only when they are asked for is not the only one. The engine counts what
    /// is asked for without types, so runs of the other handlers would wait for workers, too.
    pub(super) fn is_asked_beside_others(&self) -> bool {
        let mut typed = self.typed.0.iter().flatten();
        typed.any(|handler| handler.is_asked() || self.default.waits_to_be_asked())
    }
}

impl TypedHandlers {
    /// Sets the handler of a policy.
    pub(super) fn set(&mut self, policy: PolicyId, handler: Box<dyn BoxedHandler>) {
        let number = policy.index();
        // Policies of the configuration come before those of handlers, and have no handler here.
        if self.0.len() <= number {
            self.0.resize_with(number + 1, || None);
        }
        self.0[number] = Some(handler);
    }

    /// Returns whether the policy with this number has one.
    pub(super) fn has(&self, number: usize) -> bool {
        self.0.get(number).is_some_and(Option::is_some)
    }

    fn of(&self, attempt: &Attempt) -> Option<&dyn BoxedHandler> {
        self.0.get(attempt.0.policy?.index())?.as_deref()
    }
}

impl<H: Handler> BoxedHandler for H {
    fn call(&self, event: Event, attempt: Attempt) -> BoxedCall<'_> {
        Box::pin(self.handle(event, attempt))
    }

    fn is_asked(&self) -> bool {
        self.waits_to_be_asked()
    }
}

impl<H: Handler> Handler for Router<H> {
    async fn handle(&self, event: Event, attempt: Attempt) -> Result<(), Failure> {
        match self.typed.of(&attempt) {
            Some(handler) => handler.call(event, attempt).await,
            None => self.default.handle(event, attempt).await,
        }
    }

    fn waits_to_be_asked(&self) -> bool {
        // The default one alone: beside others, the start refuses a handler that waits to be asked.
        self.default.waits_to_be_asked()
    }
}

impl Handler for NoDefault {
    async fn handle(&self, event: Event, _: Attempt) -> Result<(), Failure> {
        Err(match event.event_type() {
            Some(event_type) => Failure::permanent(format_args!(
                "no handler is for type {event_type}: add one with Builder::on, then redrive the event"
            )),
            None => {
                Failure::permanent("the event has no type, and no handler is for such events: start with a default one")
            }
        })
    }
}

impl fmt::Debug for TypedHandlers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TypedHandlers").field(&self.0.len()).finish()
    }
}
