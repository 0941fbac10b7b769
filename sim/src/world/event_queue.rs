//! The queue of what will happen, by time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use eventful::engine::{RunId, Ticket};
use eventful::node::Waiter;

use super::worker::{Serial, TaskNumber};

/// The time at which every run starts, in microseconds since the Unix epoch: any late enough to be plausible would
/// do.
pub(super) const STARTED_AT: u64 = 1_700_000_000_000_000;

/// A step of the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Task {
    /// The operation of this number reaches the node.
    Operation(u32),
    /// One who waits was woken, and asks again.
    Wake(Waiter),
    /// One who waits has waited for long enough.
    GiveUp(Waiter),
    /// One who has waited for room waits no longer.
    Leave(Waiter),
    /// A reader of facts reads the next notice.
    Read(Waiter),
    /// A reader of a list reads the next page.
    Turn(Waiter),
    /// A reader of facts has read enough.
    Unsubscribe(Waiter),
    /// The fault of this number begins.
    Fault(u32),
    /// The dispatcher starts the next run, or is started again itself.
    Dispatch,
    /// A ticket that was taken from the channel is there again.
    TicketBack(Ticket),
    /// The sweeper checks what is due, or is started again.
    Sweep,
    /// The writer of the journal takes its next step.
    Write,
    /// A shutdown goes as far as it can.
    SeeToEnd,
    /// The node's actions are taken once more, as by a call that only reads.
    Notice,
    /// A worker calls its handler.
    Begin(Serial),
    /// A handler is alive and says so.
    Beat(Serial),
    /// A handler ends.
    End(Serial),
    /// A cancelled handler is dropped.
    Yield(Serial),
    /// A task settles the runs that it has ended.
    Settle(TaskNumber),
    /// A worker settles a run that is none of its own, or one that it has settled before.
    SettleAgain(RunId),
    /// There is room in the channel, if it was full until then.
    ChannelFree,
    /// An operator kills a process that decides nothing any more.
    Restart,
    /// The process starts again.
    Revive,
    /// The disk has its space back, if it was taken until then.
    DiskFreed,
}

/// Tasks that wait for their time, and tasks that are ready.
#[derive(Debug, Default)]
pub(super) struct EventQueue {
    waiting: BinaryHeap<Reverse<(u64, u64, Task)>>,
    /// The first ready first.
    pub(super) ready: Vec<Task>,
    /// Tasks of one time stay in their order.
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

    /// Makes ready what is due.
    pub(super) fn wake(&mut self, now: u64) {
        while let Some(Reverse((time, _, task))) = self.waiting.peek().copied()
            && time <= now
        {
            self.waiting.pop();
            self.ready.push(task);
        }
    }

    /// Forgets everything but what comes from outside the process.
    pub(super) fn lose_process(&mut self) {
        let outside =
            |task: &Task| matches!(task, Task::Operation(_) | Task::Fault(_) | Task::Revive | Task::DiskFreed);
        self.ready.retain(outside);
        self.waiting.retain(|Reverse((.., task))| outside(task));
    }

    /// Forgets tickets that were taken from the channel: another engine uses their numbers again.
    pub(super) fn lose_tickets(&mut self) {
        let stays = |task: &Task| !matches!(task, Task::TicketBack(_));
        self.ready.retain(stays);
        self.waiting.retain(|Reverse((.., task))| stays(task));
    }

    /// Every task that waits, with its time, in order.
    pub(super) fn waiting(&self) -> Vec<(u64, Task)> {
        let mut waiting: Vec<_> = self.waiting.iter().map(|Reverse(entry)| *entry).collect();
        waiting.sort_unstable();
        waiting.into_iter().map(|(time, _, task)| (time, task)).collect()
    }
}
