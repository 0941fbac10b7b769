//! No panic is lost, and none comes unasked.
//!
//! A panic in a spawned task can vanish in a simulated host, so panics are seen where they begin:
//! in the process's panic hook.

use std::cell::RefCell;
use std::panic;
use std::sync::Once;

use eventful::Stats;

use super::{Verdict, holds};
use crate::failure::Broken;

/// What the adapter says when its hooks ask for a panic.
const BY_HOOKS: &str = "as the hooks asked";

/// What the handler says.
pub(in crate::network) const BY_SCRIPT: &str = "as the script says";

thread_local! {
    static SEEN: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

static HOOK: Once = Once::new();

/// Sees the panics of this thread, and keeps them off the terminal, until it is dropped.
#[derive(Debug)]
pub(in crate::network) struct Watch(());

impl Watch {
    pub(in crate::network) fn begin() -> Self {
        HOOK.call_once(|| {
            let other = panic::take_hook();
            panic::set_hook(Box::new(move |info| {
                let seen = SEEN.with_borrow_mut(|seen| seen.as_mut().map(|seen| seen.push(info.to_string())));
                if seen.is_none() {
                    other(info);
                }
            }));
        });
        SEEN.set(Some(Vec::new()));
        Self(())
    }

    /// There were exactly these many panics: of the hooks, and of the handler.
    pub(in crate::network) fn are(&self, by_hooks: u64, by_script: u64) -> Verdict {
        SEEN.with_borrow(|seen| {
            let seen = seen.as_deref().unwrap_or_default();
            let count = |mark| seen.iter().filter(|text| text.contains(mark)).count() as u64;
            if let Some(other) = seen.iter().find(|text| !text.contains(BY_HOOKS) && !text.contains(BY_SCRIPT)) {
                return Err(broken(format_args!("nobody asked for a panic: {other}")));
            }
            let seen = (count(BY_HOOKS), count(BY_SCRIPT));
            let asked = (by_hooks, by_script);
            holds(seen == asked, || broken(format_args!("of hooks and handler, {asked:?} panics became {seen:?}")))
        })
    }
}

/// At rest, with a ready engine: each task that was made to panic was restarted. The dispatcher is
/// restarted for other reasons too.
pub(in crate::network) fn mended(stats: &Stats, dispatcher_panics: u64, sweeper_panics: u64) -> Verdict {
    let (dispatcher, sweeper) = (stats.dispatcher_restarts, stats.sweeper_restarts);
    holds(dispatcher >= dispatcher_panics && sweeper == sweeper_panics, || {
        let asked = (dispatcher_panics, sweeper_panics);
        broken(format_args!("dispatcher and sweeper panicked {asked:?} times, restarts are {dispatcher} and {sweeper}"))
    })
}

impl Drop for Watch {
    fn drop(&mut self) {
        SEEN.set(None);
    }
}

fn broken(what: impl std::fmt::Display) -> Broken {
    Broken::new("panics", 5, what)
}
