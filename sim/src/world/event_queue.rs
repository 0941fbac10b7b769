//! The event queue: tasks by their times.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use eventful::engine::{RunId, Ticket};
use eventful::node::Waiter;

use super::worker::{Serial, TaskNumber};

/// The time at which every run starts, in microseconds since the Unix epoch. Any time after 1970 would do.
pub(super) const STARTED_AT: u64 = 1_700_000_000_000_000;

/// A task of the simulation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Task {
    /// Passes the operation of this number to the node.
    Operation(u32),
    /// Repeats the call of a client that was woken.
    Wake(Waiter),
    /// Ends the wait of a client whose patience has ended.
    GiveUp(Waiter),
    /// Ends the wait of a client for room.
    Leave(Waiter),
    /// Reads the next notice for a reader of facts.
    Read(Waiter),
    /// Reads the next page for a reader of a list.
    Turn(Waiter),
    /// Ends a reader of facts.
    Unsubscribe(Waiter),
    /// Begins the fault of this number.
    Fault(u32),
    /// Takes a step of the dispatcher, or starts it again.
    Dispatch,
    /// Returns a ticket that was taken from the channel.
    TicketBack(Ticket),
    /// Takes a step of the sweeper, or starts it again.
    Sweep,
    /// Takes a step of the journal's writer.
    Write,
    /// Takes a shutdown as far as it can go.
    SeeToEnd,
    /// Takes the node's actions once more, as a call that only reads does.
    Notice,
    /// Calls the handler of a worker.
    Begin(Serial),
    /// Sends the heartbeat of a handler.
    Beat(Serial),
    /// Ends a handler.
    End(Serial),
    /// Drops a cancelled handler.
    Yield(Serial),
    /// Settles the runs that a task has ended.
    Settle(TaskNumber),
    /// Settles a run that is not the worker's, or that it has settled before.
    SettleAgain(RunId),
    /// Makes room in the channel, if it was full until then.
    ChannelFree,
    /// Kills a process that no longer decides anything, as an operator would.
    Restart,
    /// Starts the process again.
    Revive,
    /// Frees the disk, if it was full until then.
    DiskFreed,
}

/// Tasks that wait for their times, and tasks that are ready.
#[derive(Debug, Default)]
pub(super) struct EventQueue {
    waiting: BinaryHeap<Reverse<(u64, u64, Task)>>,
    /// Ready tasks, the first ready first.
    pub(super) ready: Vec<Task>,
    /// A counter that keeps tasks of one time in their order.
    sequence: u64,
}

impl EventQueue {
    pub(super) fn at(&mut self, time: u64, task: Task) {
        self.sequence += 1;
        self.waiting.push(Reverse((time, self.sequence, task)));
    }

    pub(super) fn now(&mut self, task: Task) {
        self.ready.push(task);
    }

    pub(super) fn next_time(&self) -> Option<u64> {
        self.waiting.peek().map(|Reverse((time, ..))| *time)
    }

    /// Makes due tasks ready.
    pub(super) fn wake(&mut self, now: u64) {
        while let Some(Reverse((time, _, task))) = self.waiting.peek().copied()
            && time <= now
        {
            self.waiting.pop();
            self.ready.push(task);
        }
    }

    /// Drops everything but what comes from outside the process.
    pub(super) fn lose_process(&mut self) {
        let outside =
            |task: &Task| matches!(task, Task::Operation(_) | Task::Fault(_) | Task::Revive | Task::DiskFreed);
        self.ready.retain(outside);
        self.waiting.retain(|Reverse((.., task))| outside(task));
    }

    /// Drops tickets that were taken from the channel: another engine uses their numbers again.
    pub(super) fn lose_tickets(&mut self) {
        let stays = |task: &Task| !matches!(task, Task::TicketBack(_));
        self.ready.retain(stays);
        self.waiting.retain(|Reverse((.., task))| stays(task));
    }

    /// Returns every task that waits, with its time, in order.
    pub(super) fn waiting(&self) -> Vec<(u64, Task)> {
        let mut waiting: Vec<_> = self.waiting.iter().map(|Reverse(entry)| *entry).collect();
        waiting.sort_unstable();
        waiting.into_iter().map(|(time, _, task)| (time, task)).collect()
    }
}
