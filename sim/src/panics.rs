//! Panics as findings: a panic has a seed like any other violation, and does not end the program.
//!
//! A panic in a spawned task can be swallowed by a simulated host, so panics are recorded in the process's panic hook.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use crate::failure::Broken;

thread_local! {
    /// The messages of this thread's panics, while they are watched.
    static SEEN: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

static HOOK: Once = Once::new();

/// Runs `act`, and keeps the panics of this thread off the terminal meanwhile. One that unwinds out of `act` breaks a
/// promise.
pub(crate) fn watch<T>(act: impl FnOnce() -> T) -> Result<T, Broken> {
    HOOK.call_once(|| {
        let other = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let seen = SEEN.with_borrow_mut(|seen| seen.as_mut().map(|seen| seen.push(info.to_string())));
            if seen.is_none() {
                other(info);
            }
        }));
    });
    let before = SEEN.replace(Some(Vec::new()));
    let done = catch(act);
    SEEN.set(before);
    done
}

/// Runs `act`, and returns a panic that unwinds out of it as a broken promise.
pub(crate) fn catch<T>(act: impl FnOnce() -> T) -> Result<T, Broken> {
    panic::catch_unwind(AssertUnwindSafe(act)).map_err(|said| {
        let text = seen().pop().unwrap_or_else(|| words(&*said));
        Broken::new("panics", 1, text)
    })
}

/// Runs `act`, which may panic by an injected fault. Returns none if it does: that is no finding.
pub(crate) fn injected<T>(act: impl FnOnce() -> T) -> Option<T> {
    let done = panic::catch_unwind(AssertUnwindSafe(act)).ok();
    if done.is_none() {
        SEEN.with_borrow_mut(|seen| seen.as_mut().and_then(Vec::pop));
    }
    done
}

/// Returns the messages and places of this thread's panics since they are watched.
pub(crate) fn seen() -> Vec<String> {
    SEEN.with_borrow(|seen| seen.clone().unwrap_or_default())
}

fn words(said: &(dyn Any + Send)) -> String {
    let text = said.downcast_ref::<String>().map(String::as_str).or_else(|| said.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic without a message").to_owned()
}
