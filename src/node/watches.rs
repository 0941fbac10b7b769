//! Waiters for the end of one event.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::actions::Waiter;
use super::groups::Lsn;
use super::unavailable::Unavailable;
use crate::engine::{
    Key, RecordView,
    facts::{AfterRun, Change, Fact},
};

/// The reason why there is no end to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WaitError {
    /// There is no such event; perhaps it has expired.
    #[error("there is no such event: submit it first")]
    NotFound,
    /// The engine has stopped before.
    #[error("the engine has stopped before the end: wait again when it is back")]
    Stopped,
    /// See [`Unavailable`].
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// An event whose end is waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WatchedEvent {
    /// The event has ended, and that is durable with this LSN.
    Ended(Box<RecordView>, Option<Lsn>),
    /// The event has not ended: the waiter is woken when it has.
    Waits,
    /// There is none, and that is durable with this LSN.
    Absent(Option<Lsn>),
    /// The engine has stopped before its end.
    Stopped,
}

/// The waiters for the end of each event.
#[derive(Debug, Default)]
pub(super) struct Watches(BTreeMap<Key, BTreeSet<Waiter>>);

impl Watches {
    pub(super) fn any(&self) -> bool {
        !self.0.is_empty()
    }

    pub(super) fn add(&mut self, key: &Key, waiter: Waiter) {
        self.0.entry(key.clone()).or_default().insert(waiter);
    }

    pub(super) fn remove(&mut self, key: &Key, waiter: Waiter) {
        let Some(waiters) = self.0.get_mut(key) else { return };
        waiters.remove(&waiter);
        if waiters.is_empty() {
            self.0.remove(key);
        }
    }

    /// Moves the waiters for an end among these facts to `wake`.
    pub(super) fn take(&mut self, facts: &[Fact], wake: &mut Vec<Waiter>) {
        // Mostly there are no waiters: then no fact needs to be read.
        if self.any() {
            facts.iter().filter_map(ended).for_each(|key| wake.extend(self.0.remove(key).unwrap_or_default()));
        }
    }
}

/// Returns the event that this fact ends.
fn ended(fact: &Fact) -> Option<&Key> {
    match &fact.change {
        Change::Finished { key, next: AfterRun::Completed | AfterRun::Failed, .. } | Change::Discarded(key) => {
            Some(key)
        }
        Change::Finished { .. }
        | Change::Accepted(_)
        | Change::Started { .. }
        | Change::Redriven(_)
        | Change::Forgotten(_)
        | Change::Paused
        | Change::Resumed
        | Change::Epoch(_)
        | Change::GroupPaused { .. }
        | Change::Scheduled { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Timestamp;

    #[test]
    fn waiter_is_woken_by_the_end_of_its_event_or_removed() {
        let (mut watches, mut wake) = (Watches::default(), Vec::new());
        let [one, other] = ["one", "other"].map(|id| Key::new("", id).expect("a key"));
        watches.add(&one, Waiter::new(1));
        watches.add(&one, Waiter::new(2));
        watches.add(&other, Waiter::new(3));
        watches.remove(&one, Waiter::new(2));
        watches.take(&[Fact { at: Timestamp::EPOCH, change: Change::Discarded(one) }], &mut wake);
        assert_eq!(wake, [Waiter::new(1)]);
        watches.remove(&other, Waiter::new(3));
        assert!(!watches.any());
    }
}
