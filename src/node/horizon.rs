//! The horizon: the progress of durability, and its meaning for a result that waits.

use alloc::collections::VecDeque;

use super::groups::Lsn;

/// The reason why a decision is not known to be durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsynced {
    /// Lost: the decision was abandoned with its engine.
    Lost,
    /// A result may not wait for it any longer. It may become durable yet.
    Late,
}

/// The progress of durability. Callers that wait can read a copy of it, which spares them the node.
#[derive(Debug, Clone, Default)]
pub struct Horizon {
    reached: Lsn,
    /// Results wait for no LSN up to this one any more: its group is older than they may wait.
    late: Lsn,
    /// LSNs that will never be durable: after the first, up to the second of each pair.
    lost: VecDeque<(Lsn, Lsn)>,
    /// The LSN up to which it is not kept which ones were lost: so all may be.
    unclear: Lsn,
    /// True once no further LSN is settled.
    is_closed: bool,
}

impl Horizon {
    /// Records that everything up to this LSN is durable. Returns its place before.
    pub(super) const fn reach(&mut self, lsn: Lsn) -> Lsn {
        core::mem::replace(&mut self.reached, lsn)
    }

    /// Records that what is after the first LSN, up to the second, will not be durable. Keeps the ranges of at most
    /// `most` failures.
    pub(super) fn lose(&mut self, after: Lsn, up_to: Lsn, most: usize) {
        // What is lost counts as passed; the ranges keep it apart from what is durable.
        self.reached = up_to;
        self.lost.push_back((after, up_to));
        // The oldest range is merged into the part of which all counts as lost: a false loss is safe, a false success
        // is not.
        if self.lost.len() > most {
            self.unclear = self.lost.pop_front().map_or(self.unclear, |(_, up_to)| up_to);
        }
    }

    /// Ends the wait of results for what is up to this LSN. Returns the LSN up to which it had ended before, if that
    /// changes.
    pub(super) fn stop_waiting(&mut self, up_to: Lsn) -> Option<Lsn> {
        (up_to > self.late).then(|| core::mem::replace(&mut self.late, up_to))
    }

    /// Ends all waits for what is open: the node has come to its end.
    pub(super) const fn close(&mut self) {
        self.is_closed = true;
    }

    /// Returns the fate of an LSN; `None` while that is open. A `patient` caller waits without limit, a result only
    /// for the `answer_timeout`.
    pub fn find(&self, lsn: Lsn, patient: bool) -> Option<Result<(), Unsynced>> {
        if lsn > self.reached {
            // A closed horizon will never move, so even a patient caller returns.
            let waits = !self.is_closed && (patient || lsn > self.late);
            return (!waits).then_some(Err(Unsynced::Late));
        }
        let lost = lsn <= self.unclear || self.lost.iter().any(|(after, up_to)| *after < lsn && lsn <= *up_to);
        Some(if lost { Err(Unsynced::Lost) } else { Ok(()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{
        Timestamp,
        facts::{Change, Fact},
    };

    const MOST: usize = 3;
    use crate::node::Groups;
    use alloc::vec::Vec;

    /// Adds a group, and returns its LSN and the one before.
    fn add(groups: &mut Groups) -> (Lsn, Lsn) {
        groups.add([Fact { at: Timestamp::EPOCH, change: Change::Paused }]);
        (groups.settled(), groups.tail())
    }

    #[test]
    fn failures_never_count_as_durable_and_few_are_kept() {
        let (mut groups, mut horizon, mut lost) = (Groups::bounded(1), Horizon::default(), Vec::new());
        for _ in 0..10 * MOST {
            let (after, up_to) = add(&mut groups);
            groups.fail();
            horizon.lose(after, up_to, MOST);
            lost.push(up_to);
        }
        assert!(lost.into_iter().all(|lsn| horizon.find(lsn, true) == Some(Err(Unsynced::Lost))));
        assert_eq!(horizon.lost.len(), MOST);
    }

    #[test]
    fn result_that_is_late_leaves_and_a_start_waits_on() {
        let (mut groups, mut horizon) = (Groups::bounded(1), Horizon::default());
        let (before, lsn) = add(&mut groups);
        assert_eq!(horizon.find(lsn, false), None);
        assert_eq!((horizon.stop_waiting(lsn), horizon.stop_waiting(lsn)), (Some(before), None));
        assert_eq!((horizon.find(lsn, false), horizon.find(lsn, true)), (Some(Err(Unsynced::Late)), None));
        assert_eq!(horizon.reach(lsn), before);
        assert_eq!(horizon.find(lsn, false), Some(Ok(())));
    }

    #[test]
    fn nothing_waits_for_a_closed_horizon() {
        let (mut groups, mut horizon) = (Groups::bounded(1), Horizon::default());
        let (_, durable) = add(&mut groups);
        let (_, lsn) = add(&mut groups);
        horizon.reach(durable);
        horizon.close();
        assert_eq!(horizon.find(lsn, true), Some(Err(Unsynced::Late)));
        assert_eq!(horizon.find(durable, true), Some(Ok(())));
    }
}
