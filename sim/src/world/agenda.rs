//! What will happen when, and which of the steps that are ready comes first.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};
use std::hash::BuildHasherDefault;

use eventful::{RunId, Ticket};

use super::worker::Serial;
use crate::chance::Stream;
use crate::mix::Mix;

/// A step of the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Task {
    /// The operation of this number reaches the engine.
    Operation(u32),
    /// The fault of this number begins.
    Fault(u32),
    /// The dispatcher takes the next ticket.
    Dispatch,
    /// A ticket is presented although it was before.
    PresentAgain(Ticket),
    /// A ticket that was taken before is presented.
    PresentLate(Ticket),
    /// The sweeper sweeps.
    Sweep,
    /// A worker calls its handler.
    Begin(Serial),
    /// A handler is alive and says so.
    Beat(Serial),
    /// A handler ends.
    End(Serial),
    /// A cancelled handler is dropped.
    Yield(Serial),
    /// A worker tells the outcome.
    Settle(Serial),
    /// A worker tells the outcome of a run that is none of its own, or of one that it told before.
    SettleAgain(RunId),
    /// Somebody sees that the channel has no receiver. Each new channel has a new number.
    ReplaceChannel(u32),
    /// The time to drain is over.
    DrainEnds,
    /// The time to yield is over.
    GraceEnds,
    /// The engine is told that it is the end.
    Stop,
    /// The process starts again.
    Revive,
    /// The writer of the journal takes its next step.
    Write,
    /// Nothing was appended for a while.
    Seal,
    /// The disk has its space back, if it was taken until then.
    DiskFreed,
}

/// Tasks that wait for their time, and tasks that are ready.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    waiting: BinaryHeap<Reverse<(u64, u64, Task)>>,
    /// The first ready first.
    pub(super) ready: Vec<Task>,
    /// Tasks of one time stay in their order.
    sequence: u64,
}

impl Agenda {
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

    /// Forgets tickets that somebody has in his hand: another engine gives their numbers anew.
    pub(super) fn lose_tickets(&mut self) {
        let stays = |task: &Task| !matches!(task, Task::PresentAgain(_) | Task::PresentLate(_));
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

/// Which of several ready steps is taken.
#[derive(Debug)]
pub struct Choices {
    source: Source,
    /// What was chosen so far, where there was a choice.
    pub made: Vec<u16>,
    /// Among how many.
    pub(crate) counts: Vec<u16>,
    /// The states that a search has seen.
    visited: Option<Visited>,
}

/// The states that a search has seen: it looks behind each of them once.
#[derive(Debug, Default)]
pub(crate) struct Visited {
    /// Choices that lead to a state that was seen, from which another way is taken.
    pub(crate) known: usize,
    /// Hashes of the states.
    pub(crate) states: HashSet<u64, BuildHasherDefault<Mix>>,
}

#[derive(Debug)]
enum Source {
    Drawn(Stream),
    Listed(Vec<u16>),
}

impl Choices {
    /// Drawn from a source of chance.
    pub fn drawn(stream: Stream) -> Self {
        Self::of(Source::Drawn(stream))
    }

    /// From a list; the first ready when the list has ended.
    pub fn listed(list: Vec<u16>) -> Self {
        Self::of(Source::Listed(list))
    }

    fn of(source: Source) -> Self {
        Self { source, made: Vec::new(), counts: Vec::new(), visited: None }
    }

    /// Those of a search, which goes no further where it has been.
    pub(crate) fn searching(prefix: Vec<u16>, visited: Visited) -> Self {
        Self { visited: Some(Visited { known: prefix.len(), ..visited }), ..Self::listed(prefix) }
    }

    /// What the search has seen until now.
    pub(crate) fn take_visited(&mut self) -> Visited {
        self.visited.take().unwrap_or_default()
    }

    /// Whether the search has been in the state of this hash.
    pub(super) fn has_seen(&mut self, state: impl FnOnce() -> u64) -> bool {
        let made = self.made.len();
        self.visited.as_mut().is_some_and(|visited| made >= visited.known && !visited.states.insert(state()))
    }

    /// One of `count` steps.
    pub(super) fn choose(&mut self, count: usize) -> usize {
        if count <= 1 {
            return 0;
        }
        let choice = match &mut self.source {
            Source::Drawn(stream) => stream.index(count),
            Source::Listed(list) => list.get(self.made.len()).map_or(0, |choice| usize::from(*choice) % count),
        };
        self.made.push(u16::try_from(choice).unwrap_or(u16::MAX));
        self.counts.push(u16::try_from(count).unwrap_or(u16::MAX));
        choice
    }
}
