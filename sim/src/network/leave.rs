//! A program that drops its last handle while a handler runs.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use eventful::{Config, Eventful};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::connection_owners::event;
use super::oracle::{OracleResult, holds};
use super::run_context::RunContext;
use super::scenario::SubmittedItem;
use crate::failure::Broken;

/// The longest time in which a handler begins, and is dropped once it is stopped: one tick.
const AT_ONCE: Duration = Duration::from_millis(5);

/// Drops the last handle of an engine, and checks that the handler is dropped at once: nothing is drained when no
/// caller is left to see it.
pub(super) async fn leave(stage: &Arc<RunContext>) -> OracleResult {
    let broken = |what: &dyn std::fmt::Display| Broken::new("shutdown", 6, what);
    let (held, mut is_dropped) = oneshot::channel::<()>();
    let (begin, has_begun) = oneshot::channel::<()>();
    let once = Mutex::new(Some((held, begin)));
    let builder = Eventful::builder().config(Config::default()).seed(stage.scenario.seed).clock(stage.clock.clone());
    let started = builder.start(move |_, _| {
        let once = once.lock().unwrap_or_else(PoisonError::into_inner).take();
        async move {
            let (_held, begin) = once.unzip();
            begin.map(|begin| begin.send(()));
            std::future::pending().await
        }
    });
    let eventful = started.map_err(|error| broken(&error))?;
    let item = SubmittedItem { key: 0, payload: 0 };
    eventful.submit(event(item)).await.map_err(|error| broken(&error))?;
    let begun = timeout(AT_ONCE, has_begun).await;
    holds(begun.is_ok() && is_dropped.try_recv().is_err_and(|why| why == oneshot::error::TryRecvError::Empty), || {
        broken(&"a handler does not begin, although the engine has no other work")
    })?;
    drop(eventful);
    let dropped = timeout(AT_ONCE, is_dropped).await;
    holds(dropped.is_ok(), || broken(&"the last handle is dropped, but the handler continues"))
}
