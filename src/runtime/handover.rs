//! What the journal's writer does to the core.

use core::mem;
use std::vec::Vec;

use super::commits::Mark;
use super::locked::{Channel, Core};
use super::subscribe::Awaited;
use crate::engine::{Engine, Output, Timestamp};
use crate::journal::Room;

impl Core {
    /// A group is durable: sends its tickets. Returns who is to read its facts, which is left for when
    /// the lock is free: there may be many.
    pub(super) fn finish_group(&mut self, now: Timestamp, room: Room) -> (Mark, Vec<Awaited>) {
        let (tickets, mark) = self.commits.finish(room);
        self.gate_expiry(now);
        self.outbox.extend(tickets);
        self.send(now);
        self.perform(now);
        (mark, self.subscribers.readers())
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

    /// Puts an engine that was opened just now, with this output, in the place of the one that was given
    /// up. Returns that: it is large, and takes its time to be dropped.
    pub(super) fn install(&mut self, now: Timestamp, engine: Engine, out: Output, room: Room) -> Engine {
        let before = mem::replace(&mut self.engine, engine);
        self.out = out;
        self.channel = Channel::new(&self.engine);
        self.armed = Timestamp::EPOCH;
        self.commits.reopen(room);
        self.perform(now);
        let readers = self.subscribers.reopen();
        self.readers.extend(readers);
        before
    }
}
