//! What the journal's writer does to the core.

use super::commits::Mark;
use super::locked::{Channel, Core};
use crate::engine::{Fact, Replay, Timestamp};
use crate::journal::Room;

impl Core {
    /// A group is durable: sends its tickets and tells its facts.
    pub(super) fn finish_group(&mut self, now: Timestamp, facts: &[Fact], room: Room) -> Mark {
        let (tickets, mark) = self.commits.finish(room);
        self.gate_expiry(now);
        self.outbox.extend(tickets);
        self.send(now);
        self.perform(now);
        self.watches.take(facts, &mut self.ends);
        if self.subscribers.any() {
            let readers = self.subscribers.publish(facts);
            self.readers.extend(readers);
        }
        mark
    }

    /// Gives up the engine: its runs are stopped, and nothing that it decided leaves any more.
    /// Answers the marks that are lost, and how many facts.
    pub(super) fn give_up(&mut self, now: Timestamp) -> (Mark, Mark, usize) {
        let lost = self.commits.give_up();
        let before = self.aborted.len();
        self.cells.take_all(&mut self.aborted);
        self.stopping.add(now, &self.aborted[before..]);
        lost
    }

    /// Opens the engine that was replayed, in the place of the one that was given up.
    pub(super) fn install(&mut self, now: Timestamp, replay: Replay, room: Room) {
        self.engine = replay.open_instead(now, &self.engine, &mut self.out);
        self.channel = Channel::new(&self.engine);
        self.armed = Timestamp::EPOCH;
        self.commits.reopen(room);
        self.perform(now);
        let readers = self.subscribers.reopen();
        self.readers.extend(readers);
    }
}
