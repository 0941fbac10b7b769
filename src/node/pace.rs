//! Batches: runs that one task settles and starts in one hold of the lock, while handlers end at once.
//!
//! A hold of the lock costs more than what is decided in it: the lock's cache line and those of the records travel from
//! core to core. So while handlers end at once, a task is given twice as many runs each time, up to a most. With more than
//! one it *leads*: it is the only one that takes tickets, for a second task would only pull the same lines to another core.
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

/// The longest average duration of runs that are given several at once: no more than it costs to have another core
/// take one.
pub(super) const QUICK: Duration = Duration::from_micros(2);

/// The time after which a task that leads and is not heard of counts as held up. Runs that were started with others may
/// wait for so long for a handler that blocks its thread. It is some tens of times what a batch of quick handlers takes.
pub(super) const STALL: Duration = Duration::from_millis(1);

/// Returns whether so many runs that took so long together, and their start and end with it, were quick.
pub(super) fn is_quick(runs: usize, took: Duration) -> bool {
    u32::try_from(runs).is_ok_and(|runs| took <= QUICK.saturating_mul(runs.saturating_add(1)))
}

/// The name of a task that leads; none is used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lead(u64);

/// The pace: how many runs a task is given at once, and the task that leads.
#[derive(Debug)]
pub(super) struct Pace {
    size: usize,
    /// The leader, and when it was last heard of.
    leader: Option<(Lead, Timestamp)>,
    /// Leaders that there were.
    leaders: u64,
}

/// The leader, as the dispatcher finds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LeaderState {
    /// There is none.
    Absent,
    /// A task leads. It is to be checked again then.
    Leads(Timestamp),
    /// There was one, and nothing was heard of it for too long.
    Stalled,
}

impl Pace {
    pub(super) const fn new() -> Self {
        Self { size: 1, leader: None, leaders: 0 }
    }

    /// Returns whether there is a leader.
    pub(super) const fn is_led(&self) -> bool {
        self.leader.is_some()
    }

    /// Returns how it is with the leader, and ends the lead of one that was not heard of for too long.
    pub(super) fn watch(&mut self, now: Timestamp) -> LeaderState {
        match self.leader {
            None => LeaderState::Absent,
            Some((_, since)) if now.since(since) < STALL => LeaderState::Leads(since + STALL),
            Some(_) => {
                (self.leader, self.size) = (None, 1);
                LeaderState::Stalled
            }
        }
    }

    /// Returns how many runs a task is given next.
    pub(super) const fn size(&self) -> usize {
        self.size
    }

    /// Sets how many runs a task is given next, at most `most`.
    pub(super) fn judge(&mut self, is_quick: bool, most: usize) {
        self.size = if is_quick { self.size.saturating_mul(2).min(most) } else { 1 };
    }

    /// Returns whether this is the name of the leader.
    pub(super) fn is_leader(&self, lead: Option<Lead>) -> bool {
        lead.is_some() && self.leader.map(|(leader, _)| leader) == lead
    }

    /// The task of this name leads on, or one that has none begins to. The dispatcher need not be woken to watch over it:
    /// several tickets and permits were there, so it is awake.
    pub(super) fn lead(&mut self, now: Timestamp, lead: Option<Lead>) -> Lead {
        let lead = lead.filter(|lead| self.is_leader(Some(*lead))).unwrap_or_else(|| {
            self.leaders += 1;
            Lead(self.leaders)
        });
        self.leader = Some((lead, now));
        lead
    }

    /// The task of this name leads no longer.
    pub(super) fn step_down(&mut self, lead: Option<Lead>) {
        if self.is_leader(lead) {
            self.leader = None;
        }
    }

    /// Adds what decides about the next runs to a hash.
    #[cfg(feature = "sim")]
    pub(super) fn fingerprint(&self, hasher: &mut impl core::hash::Hasher) {
        core::hash::Hash::hash(&(self.size, self.leader), hasher);
    }
}
