//! A task of the driver that calls the node over and over: dispatcher, sweeper, writer of the journal, and
//! who sees to the end.

use eventful::Timestamp;

/// The state of a task of the driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Routine {
    /// Its next step can be taken.
    Awake,
    /// Sleeping until it is woken, at most until then by the node's clock.
    Asleep(Option<Timestamp>),
    /// Dead until it is started again, by the node's clock, and not before that time of the world.
    Dead(Timestamp, u64),
    /// Ended: nothing more to do.
    Ended,
}

impl Routine {
    /// One that died now, and is started again not before so long; one that is not to be started again
    /// learns that at once.
    pub(super) fn dead(not_before: Option<Timestamp>, now: u64, lasts: u64) -> Self {
        not_before.map_or(Self::Dead(Timestamp::EPOCH, now), |not_before| Self::Dead(not_before, now + lasts))
    }

    /// Starts it again at once, or has it learn that it is not wanted any more.
    pub(super) const fn hurry(&mut self) {
        if matches!(self, Self::Dead(..)) {
            *self = Self::Dead(Timestamp::EPOCH, 0);
        }
    }

    /// Lets it sleep until it is woken: to be called before the node is, so that no wake-up is missed.
    pub(super) const fn doze(&mut self) {
        *self = Self::Asleep(None);
    }

    /// Lets it sleep until then at most, unless it was woken since it dozed.
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

    /// Returns when its next step can be taken, if nothing wakes it before. `time` is the world's for one of the
    /// node's clock.
    pub(super) fn due(self, time: impl FnOnce(Timestamp) -> u64) -> Option<u64> {
        match self {
            Self::Awake => Some(0),
            Self::Asleep(until) => until.map(time),
            Self::Dead(not_before, until) => Some(time(not_before).max(until)),
            Self::Ended => None,
        }
    }
}
