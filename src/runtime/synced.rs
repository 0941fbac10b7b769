//! How far durability has come, and who waits for it.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

use super::unavailable::Unsynced;
use crate::journal::Mark;

/// Bells that groups take turns at. Two groups are on their way as a rule, and more when they are full: then
/// the bell of one may wake who waits for a later one, and goes back to waiting.
const BELLS: usize = 8;

/// How far durability has come, and bells for the groups that are on their way.
#[derive(Debug, Default)]
pub(super) struct Synced {
    reached: Mutex<Reached>,
    bells: [Notify; BELLS],
}

#[derive(Debug, Default)]
struct Reached {
    mark: Mark,
    /// Answers wait for no mark up to this one any more: its group is older than they may wait.
    late: Mark,
    /// Marks that will never be durable: after the first, up to the second of each pair.
    lost: VecDeque<(Mark, Mark)>,
    /// Up to here it is not kept which ones were lost: so all may be.
    unclear: Mark,
}

/// Failures of which it is kept what they took. Who waits is told at once, and only a future that
/// nobody polls meanwhile asks later.
const FAILURES: usize = 64;

impl Synced {
    /// Waits until this mark is durable, or answers are not to wait for it any longer.
    ///
    /// # Errors
    ///
    /// [`Unsynced`]
    pub(super) async fn wait(&self, mark: Mark) -> Result<(), Unsynced> {
        self.wait_while(mark, |reached| mark > reached.late).await
    }

    /// Waits until this mark is durable, however long that takes.
    ///
    /// # Errors
    ///
    /// [`Unsynced::Lost`]
    pub(super) async fn wait_however_long(&self, mark: Mark) -> Result<(), Unsynced> {
        self.wait_while(mark, |_| true).await
    }

    async fn wait_while(&self, mark: Mark, waits: impl Fn(&Reached) -> bool) -> Result<(), Unsynced> {
        loop {
            // Made before the look, so that no ringing between them is missed.
            let rung = self.bell(mark).notified();
            let found = self.lock().find(mark, &waits);
            match found {
                Some(result) => return result,
                None => rung.await,
            }
        }
    }

    /// Answers wait no longer for what is up to this mark.
    pub(super) fn stop_waiting(&self, up_to: Mark) {
        let mut reached = self.lock();
        let is_news = up_to > reached.late;
        reached.late = up_to.max(reached.late);
        drop(reached);
        if is_news {
            self.bells.iter().for_each(Notify::notify_waiters);
        }
    }

    /// Everything up to this mark is durable.
    pub(super) fn reach(&self, mark: Mark) {
        let before = core::mem::replace(&mut self.lock().mark, mark);
        for number in before.number() + 1..=mark.number().min(before.number() + BELLS as u64) {
            self.bells[number as usize % BELLS].notify_waiters();
        }
    }

    /// What is after the first mark, up to the second, will not be durable.
    pub(super) fn lose(&self, after: Mark, up_to: Mark) {
        let mut reached = self.lock();
        reached.mark = up_to;
        reached.lost.push_back((after, up_to));
        if reached.lost.len() > FAILURES {
            reached.unclear = reached.lost.pop_front().map_or(reached.unclear, |(_, up_to)| up_to);
        }
        drop(reached);
        self.bells.iter().for_each(Notify::notify_waiters);
    }

    fn bell(&self, mark: Mark) -> &Notify {
        &self.bells[mark.number() as usize % BELLS]
    }

    fn lock(&self) -> MutexGuard<'_, Reached> {
        self.reached.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reached {
    /// What is to be said to who waits for this mark; nothing while that is open.
    fn find(&self, mark: Mark, waits: impl Fn(&Self) -> bool) -> Option<Result<(), Unsynced>> {
        if mark > self.mark {
            return (!waits(self)).then_some(Err(Unsynced::Late));
        }
        let lost = mark <= self.unclear || self.lost.iter().any(|(after, up_to)| *after < mark && mark <= *up_to);
        Some(if lost { Err(Unsynced::Lost) } else { Ok(()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Change, Fact, Timestamp};
    use crate::journal::Groups;
    use std::vec::Vec;

    /// Lets a group fail, and answers the marks that it takes with it.
    fn fail(groups: &mut Groups) -> (Mark, Mark) {
        groups.add([Fact { at: Timestamp::EPOCH, change: Change::Paused }]);
        let after = groups.settled();
        groups.fail();
        (after, groups.settled())
    }

    #[tokio::test]
    async fn of_many_failures_none_is_taken_for_durable_and_few_are_kept() {
        let (mut groups, synced) = (Groups::new(), Synced::default());
        let lost: Vec<_> = (0..10 * FAILURES).map(|_| fail(&mut groups)).collect();
        for (after, up_to) in &lost {
            synced.lose(*after, *up_to);
        }
        for (_, mark) in lost {
            assert_eq!(synced.wait(mark).await, Err(Unsynced::Lost));
        }
        assert_eq!(synced.lock().lost.len(), FAILURES);
    }

    #[tokio::test]
    async fn answer_that_is_late_leaves_and_a_start_waits_on() {
        let (mut groups, synced) = (Groups::new(), Synced::default());
        groups.add([Fact { at: Timestamp::EPOCH, change: Change::Paused }]);
        let mark = groups.tail();
        let start = synced.wait_however_long(mark);
        let (done, late) = tokio::join!(start, async {
            synced.stop_waiting(mark);
            let late = synced.wait(mark).await;
            synced.reach(mark);
            late
        });
        assert_eq!((done, late, synced.wait(mark).await), (Ok(()), Err(Unsynced::Late), Ok(())));
    }
}
