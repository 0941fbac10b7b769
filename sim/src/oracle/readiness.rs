//! P9: a node is ready exactly when it makes progress, and otherwise gives the reason.

use std::time::Duration;

use eventful::node::{JournalState, NotReady, Readiness, Unavailable};
use eventful::{
    Config, Timestamp,
    engine::{Engine, FailedOverflow, Phase},
};

use crate::failure::{Broken, holds};
use crate::spec::ReferenceState;

/// The time after which a journal that something waits for counts as stalled, as the node has it.
const LATE_AFTER: Duration = Duration::from_secs(1);

/// The health of a node, as seen from outside.
#[derive(Debug)]
pub(crate) struct Health {
    /// True if one of its calls has panicked.
    pub(crate) is_broken: bool,
    /// Its journal, if it has one.
    pub(crate) journal: Option<JournalHealth>,
    /// The number of workers that were cancelled at least `abort_grace` ago, and have not ended.
    pub(crate) stopped_for_long: usize,
    pub(crate) dispatcher_is_down: bool,
    pub(crate) sweeper_is_down: bool,
}

/// The health of a journal.
#[derive(Debug)]
pub(crate) struct JournalHealth {
    /// The reason why the engine is unavailable, if it is.
    pub(crate) unavailable: Option<Unavailable>,
    pub(crate) is_reachable: bool,
    /// The free space for new events.
    pub(crate) room: u64,
    /// The time since which something waits for it.
    pub(crate) waits_since: Option<Timestamp>,
}

pub(super) fn judge(
    expected: &ReferenceState,
    now: Timestamp,
    engine: &Engine,
    health: &Health,
    shown: Readiness,
) -> Result<(), Broken> {
    let due = reason(expected, now, engine, health).map_or(Readiness::Ready, Readiness::NotReady);
    holds(shown == due, || {
        Broken::new("readiness", 9, format_args!("the node is {shown:?}, expected {due:?}: {health:?}"))
    })
}

/// Returns the state of a journal.
pub(super) fn journal_state(now: Timestamp, config: &Config, journal: &JournalHealth) -> JournalState {
    match journal.unavailable {
        Some(Unavailable::Reopening) => return JournalState::Reopening,
        Some(_) => return JournalState::Down,
        None => {}
    }
    match journal.waits_since {
        _ if !journal.is_reachable => JournalState::Unreachable,
        _ if journal.room < config.max_event_bytes as u64 => JournalState::Full,
        Some(since) if since + LATE_AFTER <= now => JournalState::Stalled { since },
        _ => JournalState::Working,
    }
}

/// Returns the reason why a node is not ready.
fn reason(expected: &ReferenceState, now: Timestamp, engine: &Engine, health: &Health) -> Option<NotReady> {
    if health.is_broken {
        return Some(NotReady::Broken);
    }
    let journal = health.journal.as_ref();
    match journal.and_then(|journal| journal.unavailable) {
        Some(Unavailable::Reopening) => return Some(NotReady::Reopening),
        Some(_) => return Some(NotReady::JournalDown),
        None => {}
    }
    match engine.phase() {
        Phase::Draining => return Some(NotReady::Draining),
        Phase::Stopped => return Some(NotReady::Stopped),
        Phase::Running => {}
    }
    let config = &expected.config;
    let is_late = engine.next_deadline().is_some_and(|deadline| deadline.at + config.stuck_after < now);
    let is_full = expected.failed_bytes > config.max_failed_bytes as u64;
    let part = if health.stopped_for_long >= config.concurrency.get() {
        Some(NotReady::PermitsHeld)
    } else if health.dispatcher_is_down {
        Some(NotReady::DispatcherDown)
    } else if is_late || health.sweeper_is_down {
        Some(NotReady::SweeperDown)
    } else {
        (is_full && config.failed_overflow == FailedOverflow::Refuse).then_some(NotReady::FullOfFailures)
    };
    let stalled = |since: Timestamp| (since + LATE_AFTER <= now).then_some(NotReady::JournalStalled { since });
    let disk = journal.and_then(|journal| match journal.waits_since {
        _ if !journal.is_reachable => Some(NotReady::JournalUnreachable),
        _ if journal.room < config.max_event_bytes as u64 => Some(NotReady::DiskFull),
        since => since.and_then(stalled),
    });
    disk.or(part)
}
