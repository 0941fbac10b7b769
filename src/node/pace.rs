//! Batches: runs that one task settles and starts in one hold of the lock, while handlers end at once.
//!
//! A hold of the lock costs more than the decisions in it: the lock's cache line and those of the records travel from
//! core to core. So while handlers end at once, a task gets twice as many runs each time, up to a limit. With more
//! than one it *leads*: it is the only one that takes tickets, because a second task would only pull the same lines to
//! another core.
//!
//! ```text
//!            handlers end within QUICK
//!  one run ─────────────────────────────▶ several: the task leads ──no ticket──▶ it ends, and no one leads
//!     ▲   a handler waits, or takes longer    │
//!     └───────────────────────────────────────┤
//!              not heard of for STALL         ▼
//!                     the dispatcher has its runs given to other tasks, and starts what comes
//! ```

use core::time::Duration;

use crate::engine::Timestamp;

/// The longest average duration of runs of which a task gets several at once: no more than it costs to have another
/// core take one.
pub(super) const QUICK: Duration = Duration::from_micros(2);

/// The time without a call after which a task that leads counts as held up. Runs that were started with others may
/// wait this long for a handler that blocks its thread. It is some tens of times what a batch of quick handlers takes.
pub(super) const STALL: Duration = Duration::from_millis(1);

/// Returns whether this many runs, which took this long together, with their start and end, were quick.
pub(super) fn is_quick(runs: usize, took: Duration) -> bool {
    // One more for the start and the end of the batch.
    u32::try_from(runs).is_ok_and(|runs| took <= QUICK.saturating_mul(runs.saturating_add(1)))
}

/// The name of a task that leads; none is used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lead(u64);

/// The pace: the number of runs that a task gets at once, and the task that leads.
#[derive(Debug)]
pub(super) struct Pace {
    size: usize,
    /// The leader, and the time of its last call.
    leader: Option<(Lead, Timestamp)>,
    /// The number of leaders so far.
    leaders: u64,
    /// True if the dispatcher checks the leader by itself.
    is_watched: bool,
}

/// The state of the leader, as the dispatcher finds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LeaderState {
    /// There is none.
    Absent,
    /// A task leads. It is to be checked again then.
    Leads(Timestamp),
    /// There was one, and it has not called for too long.
    Stalled,
}

impl Pace {
    pub(super) const fn new() -> Self {
        Self { size: 1, leader: None, leaders: 0, is_watched: false }
    }

    /// Returns whether there is a leader.
    pub(super) const fn is_led(&self) -> bool {
        self.leader.is_some()
    }

    /// Returns whether there is a leader that the dispatcher does not check by itself: one that began while it slept, with
    /// tickets that came one after the other, each by the start of the one before.
    pub(super) const fn needs_watch(&self) -> bool {
        self.leader.is_some() && !self.is_watched
    }

    /// Records whether the dispatcher checks the leader by itself from now on.
    pub(super) fn set_watched(&mut self, is_watched: bool) {
        self.is_watched = is_watched;
    }

    /// Returns the state of the leader, and ends the lead of one that has not called for too long.
    pub(super) fn watch(&mut self, now: Timestamp) -> LeaderState {
        match self.leader {
            None => LeaderState::Absent,
            Some((_, since)) if now.since(since) < STALL => LeaderState::Leads(since + STALL),
            Some(_) => {
                // Back to one run: the handlers are not quick any more.
                (self.leader, self.size) = (None, 1);
                LeaderState::Stalled
            }
        }
    }

    /// Returns the number of runs that a task gets next.
    pub(super) const fn size(&self) -> usize {
        self.size
    }

    /// Sets the number of runs that a task gets next, at most `most`.
    pub(super) fn judge(&mut self, is_quick: bool, most: usize) {
        // Up by doubling, down to one at once: too many runs delay each other, too few only cost time.
        self.size = if is_quick { self.size.saturating_mul(2).min(most) } else { 1 };
    }

    /// Returns whether this is the name of the leader.
    pub(super) fn is_leader(&self, lead: Option<Lead>) -> bool {
        lead.is_some() && self.leader.map(|(leader, _)| leader) == lead
    }

    /// Lets the task of this name lead on, or one without a name begin.
    pub(super) fn lead(&mut self, now: Timestamp, lead: Option<Lead>) -> Lead {
        // A task that was replaced while it was held up leads under a new name: its old one must stay void.
        let lead = lead.filter(|lead| self.is_leader(Some(*lead))).unwrap_or_else(|| {
            self.leaders += 1;
            Lead(self.leaders)
        });
        self.leader = Some((lead, now));
        lead
    }

    /// Ends the lead of the task of this name.
    pub(super) fn step_down(&mut self, lead: Option<Lead>) {
        if self.is_leader(lead) {
            self.leader = None;
        }
    }

    /// Adds what decides about the next runs to a hash.
    #[cfg(feature = "sim")]
    pub(super) fn fingerprint(&self, hasher: &mut impl core::hash::Hasher) {
        core::hash::Hash::hash(&(self.size, self.leader, self.is_watched), hasher);
    }
}
