//! The state of supervised tasks.

use crate::engine::Timestamp;

/// A supervised task of the driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SupervisedTask {
    /// Calls [`Node::start`](super::Node::start).
    Dispatcher,
    /// Calls [`Node::tick`](super::Node::tick).
    Sweeper,
}

/// The state of a supervised task.
#[derive(Debug, Default, Hash)]
pub(super) struct Supervised {
    restarts: u64,
    /// True if it died, and is not started again yet.
    is_down: bool,
    /// The time before which it may not be started again.
    not_before: Timestamp,
    has_ended: bool,
}

impl Supervised {
    pub(super) const fn restarts(&self) -> u64 {
        self.restarts
    }

    pub(super) const fn is_down(&self) -> bool {
        self.is_down
    }

    /// Returns whether there is a task. One that is down and not wanted any more need not be waited for.
    pub(super) const fn is_up(&self) -> bool {
        !self.has_ended && !self.is_down
    }

    /// Records that the task died. Returns the time at which it may be started again.
    pub(super) const fn die(&mut self) -> Timestamp {
        self.is_down = true;
        self.not_before
    }

    /// Records that the task is started again. If it dies at once, it stays down until then.
    pub(super) const fn restart(&mut self, not_before: Timestamp) {
        (self.restarts, self.is_down, self.not_before) = (self.restarts + 1, false, not_before);
    }

    pub(super) const fn end(&mut self) {
        self.has_ended = true;
    }
}
