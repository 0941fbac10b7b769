//! Schedules: the instants of a calendar, and the rule for those that were missed.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::num::NonZeroUsize;
use core::time::Duration;

use crate::engine::{Config, Event, InvalidScheduleName, Overlap, ScheduleName, Timestamp};

/// The instants of a schedule.
///
/// A pure function: the same arguments give the same result. It is called while the node is locked.
pub trait Calendar: fmt::Debug + Send + Sync {
    /// Returns the first instant after this time; none when there is none.
    fn after(&self, at: Timestamp) -> Option<Timestamp>;

    /// Returns the last instant before this time; none when there is none.
    fn before(&self, at: Timestamp) -> Option<Timestamp>;
}

/// Events that are accepted at the instants of a calendar.
///
/// The event of an instant is the given one under another key: its source is `schedule:NAME`, its id the instant in UTC. So
/// an instant is accepted once, whatever restarts or other schedulers there are.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Schedule {
    /// The name, under which it is known over restarts.
    pub name: ScheduleName,
    /// The event, whose key is replaced.
    pub event: Event,
    /// Its instants.
    pub calendar: Arc<dyn Calendar>,
    /// The instants that are made up for. The latest by default.
    pub missed: Missed,
    /// The longest time after an instant in which it is made up for. A day by default.
    pub catch_up: Duration,
    /// The rule for an instant that comes before the last event has ended. It is passed over by default.
    pub overlap: Overlap,
}

/// The instants that are made up for, of those that came while nothing could be accepted and that are not older than
/// [`Schedule::catch_up`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Missed {
    /// The latest of them.
    #[default]
    Latest,
    /// The latest ones, so many of them, the oldest first. Their events overlap: see [`Overlap::Allow`].
    All(NonZeroUsize),
    /// None.
    None,
}

/// The reason why schedules cannot be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSchedules {
    /// There are more than [`Schedule::MAX`].
    #[error("there are {0} schedules, an engine has {max} at most: leave some out", max = Schedule::MAX)]
    TooMany(usize),
    /// Two have one name.
    #[error("two schedules have the name {0}: give one of them another")]
    Twice(ScheduleName),
    /// A schedule makes up for more instants than [`Schedule::MAX_MISSED`].
    #[error("schedule {0} makes up for more than {max} missed instants: lower that", max = Schedule::MAX_MISSED)]
    MissedTooMany(ScheduleName),
    /// A schedule makes up for several instants, and passes over those that come before the last event has ended.
    #[error(
        "schedule {0} makes up for several missed instants, and lets no two overlap: allow that, or take the latest"
    )]
    MissedOverlap(ScheduleName),
    /// The event of a schedule has more than [`Config::max_event_bytes`].
    #[error(
        "the event of schedule {schedule} is too large: {bytes} bytes, max_event_bytes is {limit_bytes}; raise the limit or send a reference"
    )]
    TooLarge {
        /// The schedule.
        schedule: ScheduleName,
        /// Bytes of the event.
        bytes: usize,
        /// The limit.
        limit_bytes: usize,
    },
}

/// The longest delay with which an instant is on time, even if none is made up for: a loaded machine, or a short stop of the
/// journal, is no reason to lose one.
const PUNCTUAL: Duration = Duration::from_secs(60);

impl Schedule {
    /// The most schedules of an engine: all are searched for the next one.
    pub const MAX: usize = 1000;
    /// The most instants that a schedule makes up for: each is a search in the calendar.
    pub const MAX_MISSED: usize = 100;

    /// The schedule that accepts this event at the instants of this calendar. The event's key does not matter.
    ///
    /// # Errors
    ///
    /// [`InvalidScheduleName`]
    pub fn new(name: &str, calendar: impl Calendar + 'static, event: Event) -> Result<Self, InvalidScheduleName> {
        Ok(Self {
            name: ScheduleName::new(name)?,
            event,
            calendar: Arc::new(calendar),
            missed: Missed::default(),
            catch_up: Duration::from_secs(24 * 3600),
            overlap: Overlap::default(),
        })
    }

    /// The same schedule with these [`missed`](Self::missed) instants.
    #[must_use]
    pub fn with_missed(self, missed: Missed) -> Self {
        Self { missed, ..self }
    }

    /// The same schedule with this time to [`catch_up`](Self::catch_up).
    #[must_use]
    pub fn with_catch_up(self, catch_up: Duration) -> Self {
        Self { catch_up, ..self }
    }

    /// The same schedule with this rule for [`overlap`](Self::overlap).
    #[must_use]
    pub fn with_overlap(self, overlap: Overlap) -> Self {
        Self { overlap, ..self }
    }

    /// Checks that schedules can be kept together, by an engine with this configuration.
    ///
    /// # Errors
    ///
    /// The first contradiction.
    pub fn validate_all(schedules: &[Self], config: &Config) -> Result<(), InvalidSchedules> {
        if schedules.len() > Self::MAX {
            return Err(InvalidSchedules::TooMany(schedules.len()));
        }
        let mut names: Vec<_> = schedules.iter().map(|schedule| &schedule.name).collect();
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(InvalidSchedules::Twice(pair[0].clone()));
        }
        schedules.iter().try_for_each(|schedule| schedule.validate(config))
    }

    fn validate(&self, config: &Config) -> Result<(), InvalidSchedules> {
        let (name, limit_bytes) = (&self.name, config.max_event_bytes);
        match self.missed {
            Missed::All(most) if most.get() > Self::MAX_MISSED => {
                return Err(InvalidSchedules::MissedTooMany(name.clone()));
            }
            Missed::All(_) if self.overlap == Overlap::Skip => {
                return Err(InvalidSchedules::MissedOverlap(name.clone()));
            }
            Missed::All(_) | Missed::Latest | Missed::None => {}
        }
        // The longest id that a time has.
        let bytes = self.event.clone().with_key(name.key(Timestamp::MAX)).size_bytes();
        match bytes > limit_bytes {
            true => Err(InvalidSchedules::TooLarge { schedule: name.clone(), bytes, limit_bytes }),
            false => Ok(()),
        }
    }

    /// Returns the next instant to decide that has come, and whether its event is to be accepted; else it is passed over,
    /// with those before it.
    pub(super) fn due(&self, decided: Timestamp, now: Timestamp) -> Option<(Timestamp, bool)> {
        let is_open = |at: &Timestamp| *at > decided;
        let newest = self.calendar.before(now + Duration::from_micros(1)).filter(is_open)?;
        let (horizon, most) = match self.missed {
            Missed::None => (PUNCTUAL, 1),
            Missed::Latest => (self.catch_up.max(PUNCTUAL), 1),
            Missed::All(most) => (self.catch_up.max(PUNCTUAL), most.get()),
        };
        let counts = |at: &Timestamp| now.since(*at) <= horizon;
        if !counts(&newest) {
            return Some((newest, false));
        }
        let mut oldest = newest;
        for _ in 1..most {
            match self.calendar.before(oldest).filter(is_open).filter(counts) {
                Some(earlier) => oldest = earlier,
                None => break,
            }
        }
        Some((oldest, true))
    }
}

/// The schedules of a node.
#[derive(Debug, Default)]
pub(super) struct Schedules {
    /// Each with the time at which it is next to be decided.
    pub(super) entries: Vec<(Schedule, Option<Timestamp>)>,
    /// The earliest of these times.
    earliest: Option<Timestamp>,
}

impl Schedules {
    pub(super) fn new(schedules: Vec<Schedule>) -> Self {
        Self { entries: schedules.into_iter().map(|schedule| (schedule, None)).collect(), earliest: None }
    }

    /// Returns the time at which the next schedule is to be decided.
    pub(super) const fn earliest(&self) -> Option<Timestamp> {
        self.earliest
    }

    /// Sets the time at which a schedule is next to be decided.
    pub(super) fn set_next(&mut self, at: usize, next: Option<Timestamp>) {
        self.entries[at].1 = next;
        self.earliest = self.entries.iter().filter_map(|(_, next)| *next).min();
    }
}
