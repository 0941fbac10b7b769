//! The side of the node that faces the writer of the journal: its jobs, and their results.

use alloc::vec::Vec;
use core::mem;

use super::Node;
use super::channel::TicketChannel;
use super::commits::{EngineCondition, OpenedEngine};
use super::writer::{Job, JournalSpace};
use crate::engine::{Engine, Timestamp, facts::Fact};

/// The error for a journal that lacks frames which were durable when it was opened again: it is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the journal lacks frames that were durable: restore it from a copy, and restart")]
#[non_exhaustive]
pub struct FramesLost;

/// The consequences of a refusal by the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AppendRefused {
    /// The condition that was found, if it has changed.
    pub found: Option<JournalSpace>,
    /// The number of facts that are abandoned, when the node ends without them.
    pub abandoned: Option<usize>,
}

impl Node {
    /// Returns the next job of the journal's writer. For [`Job::Append`] the group is put into `facts`, unless it is
    /// there since it was refused.
    pub fn next_job(&mut self, now: Timestamp, facts: &mut Vec<Fact>) -> Job {
        let ends = self.has_stopped() || self.is_broken;
        let job = match self.commits.condition() {
            EngineCondition::Down => Job::Close,
            // A shutdown waits for an opening that is under way, and begins none.
            EngineCondition::Reopening if self.shutdown.is_some() || self.is_broken => {
                self.stay_down();
                Job::Close
            }
            EngineCondition::Reopening => self.writer.next_opening(now),
            EngineCondition::Open => self.writer.next_job(now, || self.commits.begin(facts), ends),
        };
        self.writer.begin_job(now, job);
        job
    }

    /// Records that the group is durable, as the last of this many frames: its tickets and results leave. Returns
    /// whether its facts are to be [published](Self::publish). After a panic in it the group counts as durable, too,
    /// and more can be appended.
    pub fn appended(&mut self, now: Timestamp, room_bytes: u64, frames: u64) -> bool {
        self.writer.appended(now, frames);
        let (tickets, after, up_to) = self.commits.finish(room_bytes);
        self.pending.edit().settle(after, up_to);
        // A broken node decides nothing, but what is durable must count as such.
        if self.is_broken {
            return false;
        }
        // Before the tickets leave: the journal may have caught up with this group.
        self.gate_expiry(now);
        self.outbox.extend(tickets);
        self.perform(now);
        self.readers.any() || self.watches.any()
    }

    /// Passes durable facts to their readers and to the callers that wait for them, part by part: fewer at a time when
    /// there are many readers. Returns the number of facts that were passed.
    pub fn publish(&mut self, facts: &[Fact]) -> usize {
        // The cost is that of all readers together, and this is one hold of the lock.
        let most = (self.config().thresholds().published / self.readers.len().max(1)).max(1);
        let part = &facts[..facts.len().min(most)];
        self.readers.publish(part, &mut self.pending.edit().wake);
        self.watches.take(part, &mut self.pending.edit().wake);
        part.len()
    }

    /// Records that the journal has refused the group, and that nothing of it was written: it stays with the writer,
    /// and is tried again.
    pub fn refused(&mut self, now: Timestamp, room_bytes: u64, is_reachable: bool) -> AppendRefused {
        // First: a journal that has refused a group counts as bounded, whatever room it reports.
        self.writer.refused();
        let found = self.measured(now, room_bytes, is_reachable);
        let ends = self.has_stopped() || self.is_broken;
        // The last try has failed, and an engine that has stopped asks for no other.
        let abandoned = ends.then(|| {
            let facts = self.abandon(now);
            self.stay_down();
            facts
        });
        AppendRefused { found, abandoned }
    }

    /// Records that a step towards a snapshot was made. `more` says that there is more to do; `left` that parts of an
    /// abandoned snapshot were written.
    pub fn maintained(&mut self, now: Timestamp, more: bool, left: bool) {
        self.writer.maintained(more);
        if left {
            self.writer.leave_unsealed(now);
        }
    }

    /// Records how much room there is, and whether the journal is reachable. Returns the condition that follows, if it
    /// has changed.
    pub fn measured(&mut self, now: Timestamp, room_bytes: u64, is_reachable: bool) -> Option<JournalSpace> {
        self.commits.measure(room_bytes, is_reachable);
        let largest = self.config().max_event_bytes as u64;
        // An unreachable journal has no room that could be compared.
        let found = match self.commits.room() {
            _ if !is_reachable => JournalSpace::Unreachable,
            Some(room) if room < largest => JournalSpace::Short,
            Some(_) | None => JournalSpace::Enough,
        };
        self.writer.measured(now, found, room_bytes == u64::MAX).then_some(found)
    }

    /// Records that the journal has failed: whether its last group is durable is unknown, and the engine is abandoned
    /// with all facts that may not be. `is_fenced` says that another process has the journal. Returns the number of
    /// facts that were abandoned.
    pub fn journal_failed(&mut self, now: Timestamp, is_fenced: bool) -> usize {
        let facts = self.abandon(now);
        self.writer.failed(now);
        // Opened again beside its new owner, it would decide about the same events.
        if is_fenced {
            self.stay_down();
        }
        facts
    }

    /// Abandons the engine: its runs are stopped, and nothing that it decided leaves any more.
    fn abandon(&mut self, now: Timestamp) -> usize {
        let (after, up_to, facts) = self.commits.abandon();
        self.workers.stop_all(now, &mut self.pending.edit().cancel);
        self.pending.edit().settle(after, up_to);
        // Also those that wait for no LSN, such as for room: each finds that nothing is decided now.
        self.pending.edit().wake_everyone();
        facts
    }

    /// Records that the journal was opened again: the engine that it returns replaces the one that was abandoned,
    /// unless nothing will be decided any more. Returns the other one: dropping it takes long.
    ///
    /// # Errors
    ///
    /// [`FramesLost`]
    pub fn journal_opened(&mut self, now: Timestamp, opened: OpenedEngine) -> Result<Engine, FramesLost> {
        let OpenedEngine { engine, out, room_bytes, frames } = opened;
        // Frames that were acknowledged are missing: results were given out that this journal does not know.
        if self.writer.lacks_frames(frames) {
            self.stay_down();
            return Err(FramesLost);
        }
        // Too late: the shutdown has counted what is left, and a broken node decides nothing.
        if self.has_stopped() || self.is_broken {
            self.stay_down();
            return Ok(engine);
        }
        self.writer.opened();
        let before = mem::replace(&mut self.engine, engine);
        self.out = out;
        // Tickets of the old engine name nothing in the new one.
        self.channel = TicketChannel::new(self.engine.config());
        self.outbox.clear();
        // The sweeper must learn the deadlines of the new engine.
        self.armed = Timestamp::EPOCH;
        self.commits.reopen(room_bytes);
        // The facts of the opening are the first group of the new engine.
        self.take_output(now);
        self.perform(now);
        self.readers.reopen(&mut self.pending.edit().wake);
        self.pending.edit().wake_everyone();
        // A shutdown that was asked for while there was no engine applies to this one.
        self.end_engine(now);
        self.begin_schedules(now);
        Ok(before)
    }

    /// Records that the journal was not opened. `is_temporary` says that it may be later.
    pub fn journal_not_opened(&mut self, now: Timestamp, is_temporary: bool) {
        self.writer.not_opened(now);
        if !is_temporary {
            self.stay_down();
        }
    }

    fn stay_down(&mut self) {
        self.commits.stay_down();
        self.pending.edit().wake_everyone();
    }

    /// Records that the writer has closed the journal, or has died.
    pub fn journal_closed(&mut self, now: Timestamp) {
        // Closed though the engine works: the writer has died.
        if !self.has_stopped() && !self.writer.is_closed() {
            self.abandon(now);
            self.stay_down();
        }
        self.writer.close();
        self.pending.edit().wake_everyone();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{
        Config, Cursor, Event, Filter, Output,
        facts::{Change, Replay},
    };
    use crate::node::{CommitLimits, JournalState, ShownWhen, Waiter};
    use core::time::Duration;

    const NOW: Timestamp = Timestamp::from_micros(1_000_000);

    fn opened(frames: u64) -> OpenedEngine {
        let mut out = Output::with_facts();
        let engine = Replay::new(Config::default()).expect("the default is valid").open(NOW, &mut out);
        OpenedEngine { engine, out, room_bytes: u64::MAX, frames }
    }

    fn node() -> Node {
        let limits = CommitLimits {
            max_unsynced_bytes: 1 << 20,
            reserve_bytes: 0,
            answer_timeout: Duration::from_secs(1),
            group_bytes: CommitLimits::GROUP_BYTES,
            failures: CommitLimits::FAILURES,
        };
        Node::with_journal(NOW, opened(0), limits)
    }

    #[test]
    fn facts_for_many_readers_are_given_in_small_parts() {
        let mut node = node();
        let facts: Vec<_> = (0..1000).map(|_| Fact { at: NOW, change: Change::Paused }).collect();
        for (readers, given) in [(1, 256), (4, 64), (257, 1)] {
            (0..readers).for_each(|reader| node.subscribe(Waiter::new(reader), 1000).expect("it is ready"));
            assert_eq!(node.publish(&facts), given, "{readers} readers");
        }
        assert_eq!(node.publish(&[]), 0);
    }

    #[test]
    fn room_for_one_largest_event_is_enough() {
        let (mut node, mut facts) = (node(), Vec::new());
        assert_eq!(node.next_job(NOW, &mut facts), Job::Append);
        node.appended(NOW, u64::MAX, 1);
        let largest = node.config().max_event_bytes as u64;
        assert_eq!(node.measured(NOW, largest, true), None);
        assert_eq!(node.measured(NOW, largest - 1, true), Some(JournalSpace::Short));
        assert_eq!(node.measured(NOW, largest, true), Some(JournalSpace::Enough));
    }

    #[test]
    fn duplicate_of_a_durable_event_waits_for_no_late_journal() {
        let (mut node, mut facts) = (node(), Vec::new());
        let submit = |node: &mut Node, now, id| {
            let event = Event::with_id(id, "").expect("an event");
            let decided = node.submit(now, event).expect("it is ready");
            decided.value.expect("room");
            decided.lsn.is_some()
        };
        assert!(submit(&mut node, NOW, "a"));
        assert_eq!(node.next_job(NOW, &mut facts), Job::Append);
        node.appended(NOW, u64::MAX, 1);
        let since = NOW + Duration::from_millis(1);
        assert!(submit(&mut node, since, "b"));
        let late = since + Duration::from_secs(1);
        for (now, waits) in [(since, [true, true]), (late, [false, true])] {
            assert_eq!(["a", "b"].map(|id| submit(&mut node, now, id)), waits, "at {now:?}");
        }
    }

    #[test]
    fn page_of_an_abandoned_engine_is_not_durable() {
        let (mut node, mut facts) = (node(), Vec::new());
        assert_eq!(node.next_job(NOW, &mut facts), Job::Append);
        node.appended(NOW, u64::MAX, 1);
        let event = Event::with_id("a", "").expect("an event");
        node.submit(NOW, event).expect("it is ready").value.expect("room");
        node.journal_failed(NOW, false);
        let page = node.see_page(NOW, &Filter::default(), Cursor::START, 10).expect("it is sound");
        assert_eq!(page.value.records.iter().map(|record| record.durable).collect::<Vec<_>>(), [false]);
        assert_eq!(page.wait, ShownWhen::TooLong);
    }

    #[test]
    fn opening_that_ends_after_the_shutdown_is_not_used() {
        let (mut node, mut facts) = (node(), Vec::new());
        assert_eq!(node.next_job(NOW, &mut facts), Job::Append);
        node.appended(NOW, u64::MAX, 1);
        node.journal_failed(NOW, false);
        assert_eq!(node.next_job(NOW, &mut facts), Job::Open);

        node.shut_down(NOW, Duration::ZERO);
        assert!(node.actions(NOW).end && node.has_stopped());
        node.journal_opened(NOW, opened(1)).expect("no frame is lost");
        assert_eq!(node.stats(NOW, Duration::ZERO).expect("it is sound").journal, Some(JournalState::Down));
        assert_eq!(node.next_job(NOW, &mut facts), Job::Close);
    }
}
