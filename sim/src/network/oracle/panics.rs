//! The oracle of panics: none is lost, and none comes uninjected.

use eventful::metrics::Stats;

use super::{OracleResult, holds};
use crate::failure::Broken;
use crate::panics;

/// The end of the message of a panic that a hook injects.
const BY_HOOKS: &str = "as the hooks asked";

/// The end of the message of a panic that a script injects.
pub(in crate::network) const BY_SCRIPT: &str = "as the script says";

/// Checks the numbers of panics of hooks and of the handler.
pub(in crate::network) fn are(by_hooks: u64, by_script: u64) -> OracleResult {
    let seen = panics::seen();
    let count = |mark| seen.iter().filter(|text| text.contains(mark)).count() as u64;
    if let Some(other) = seen.iter().find(|text| !text.contains(BY_HOOKS) && !text.contains(BY_SCRIPT)) {
        return Err(broken(format_args!("a panic was not injected: {other}")));
    }
    let (seen, asked) = ((count(BY_HOOKS), count(BY_SCRIPT)), (by_hooks, by_script));
    holds(seen == asked, || broken(format_args!("hooks and handler injected {asked:?} panics, {seen:?} were seen")))
}

/// Checks, at rest with a ready engine, that each task that panicked was restarted. The dispatcher is restarted for
/// other reasons too.
pub(in crate::network) fn mended(stats: &Stats, dispatcher_panics: u64, sweeper_panics: u64) -> OracleResult {
    let (dispatcher, sweeper) = (stats.dispatcher_restarts, stats.sweeper_restarts);
    holds(dispatcher >= dispatcher_panics && sweeper == sweeper_panics, || {
        let asked = (dispatcher_panics, sweeper_panics);
        broken(format_args!(
            "dispatcher and sweeper panicked {asked:?} times, but were restarted {dispatcher} and {sweeper} times"
        ))
    })
}

fn broken(what: impl std::fmt::Display) -> Broken {
    Broken::new("panics", 5, what)
}
