//! A task of the driver that calls the node again and again: dispatcher, sweeper, writer of the journal, and the one
//! that performs shutdowns.

use eventful::Timestamp;

/// The state of a task of the driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Routine {
    /// Ready for its next step.
    Awake,
    /// Asleep until it is woken, at most until this time of the node's clock.
    Asleep(Option<Timestamp>),
    /// Dead until it is started again, by the node's clock, and not before that time of the simulation.
    Dead(Timestamp, u64),
    /// Ended permanently.
    Ended,
}

impl Routine {
    /// Returns the state of a task that died now, and is not started again before this long; a task that will not be
    /// started again finds that out at once.
    pub(super) fn dead(not_before: Option<Timestamp>, now: u64, lasts: u64) -> Self {
        not_before.map_or(Self::Dead(Timestamp::EPOCH, now), |not_before| Self::Dead(not_before, now + lasts))
    }

    /// Starts it again at once, or lets it find out that it is no longer needed.
    pub(super) const fn hurry(&mut self) {
        if matches!(self, Self::Dead(..)) {
            *self = Self::Dead(Timestamp::EPOCH, 0);
        }
    }

    /// Puts it to sleep until it is woken: called before the node is, so that no wake-up is missed.
    pub(super) const fn doze(&mut self) {
        *self = Self::Asleep(None);
    }

    /// Limits its sleep to this time, unless it was woken since it fell asleep.
    pub(super) const fn sleep(&mut self, until: Option<Timestamp>) {
        if matches!(self, Self::Asleep(_)) {
            *self = Self::Asleep(until);
        }
    }

    /// Wakes it if it sleeps.
    pub(super) const fn wake(&mut self) {
        if matches!(self, Self::Asleep(_)) {
            *self = Self::Awake;
        }
    }

    pub(super) const fn is_alive(self) -> bool {
        !matches!(self, Self::Dead(..) | Self::Ended)
    }

    pub(super) const fn is_dead(self) -> bool {
        matches!(self, Self::Dead(..))
    }

    /// Returns the time of its next step, if nothing wakes it before. `time` converts from the node's clock.
    pub(super) fn due(self, time: impl FnOnce(Timestamp) -> u64) -> Option<u64> {
        match self {
            Self::Awake => Some(0),
            Self::Asleep(until) => until.map(time),
            Self::Dead(not_before, until) => Some(time(not_before).max(until)),
            Self::Ended => None,
        }
    }
}
