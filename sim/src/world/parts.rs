//! The tasks that call the node again and again, besides the writer of the journal.

use eventful::Timestamp;

use super::routine::Routine;

/// The dispatcher.
#[derive(Debug)]
pub(super) struct Dispatcher {
    pub(super) routine: Routine,
    pub(super) stalled_until: u64,
    pub(super) restarts: u64,
    /// True if the next ticket is presented twice.
    pub(super) presents_twice: bool,
    /// The delay with which the next ticket is presented, and whether it must be a marker.
    pub(super) presents_late: Option<(u64, bool)>,
}

impl Default for Dispatcher {
    fn default() -> Self {
        let (stalled_until, restarts, presents_twice, presents_late) = Default::default();
        Self { routine: Routine::Awake, stalled_until, restarts, presents_twice, presents_late }
    }
}

/// The sweeper.
#[derive(Debug)]
pub(super) struct Sweeper {
    pub(super) routine: Routine,
    pub(super) restarts: u64,
    pub(super) late_until: u64,
    pub(super) late_by: u64,
}

impl Default for Sweeper {
    fn default() -> Self {
        Self { routine: Routine::Awake, restarts: 0, late_until: 0, late_by: 0 }
    }
}

/// The task that performs shutdowns, and its progress.
#[derive(Debug, Hash)]
pub(super) struct Ender {
    pub(super) routine: Routine,
    pub(super) ending: Option<BegunShutdown>,
    /// The timeout of a shutdown that begins while the journal is being opened again.
    pub(super) armed: Option<u64>,
    /// True if an operator will kill the process.
    pub(super) operator_comes: bool,
}

impl Default for Ender {
    fn default() -> Self {
        Self { routine: Routine::Asleep(None), ending: None, armed: None, operator_comes: false }
    }
}

/// A shutdown that has begun. Times are those of the node's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct BegunShutdown {
    pub(super) asked_at: Timestamp,
    /// The earliest deadline of all callers.
    pub(super) deadline: Timestamp,
    /// True if at some time since it was begun nothing ran and everything was durable.
    pub(super) was_drained: bool,
    pub(super) stopped: Option<Stopped>,
    pub(super) has_ended: bool,
}

/// The state at the moment when a shutdown stopped the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Stopped {
    pub(super) at: Timestamp,
    pub(super) workers: usize,
    pub(super) pending: u64,
    /// True if the engine could be used.
    pub(super) is_usable: bool,
}

impl Ender {
    /// Returns whether the shutdown has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.ending.is_some_and(|ending| ending.has_ended)
    }
}
