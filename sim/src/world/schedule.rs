//! The schedule: the choice among ready steps.

use std::collections::HashSet;
use std::hash::BuildHasherDefault;

use crate::seeded_rng::Stream;
use crate::state_hash::StateHash;

/// The schedule of a run: chooses one of several ready steps.
#[derive(Debug)]
pub struct StepSchedule {
    source: ScheduleSource,
    /// The choices so far, wherever there were several steps.
    pub made: Vec<u16>,
    /// The number of ready steps at each choice.
    pub(crate) counts: Vec<u16>,
    /// The states that a search has visited.
    visited: Option<Visited>,
}

/// The states that a search has visited: it continues from each of them once.
#[derive(Debug, Default)]
pub(crate) struct Visited {
    /// The number of choices that lead to a state that was visited, after which another order is tried.
    pub(crate) known: usize,
    /// Hashes of the states.
    pub(crate) states: HashSet<u64, BuildHasherDefault<StateHash>>,
}

#[derive(Debug)]
enum ScheduleSource {
    Drawn(Stream),
    Listed(Vec<u16>),
}

impl StepSchedule {
    /// Returns a schedule of random choices.
    pub fn drawn(stream: Stream) -> Self {
        Self::of(ScheduleSource::Drawn(stream))
    }

    /// Returns a schedule with a list of choices; the first ready step when the list has ended.
    pub fn listed(list: Vec<u16>) -> Self {
        Self::of(ScheduleSource::Listed(list))
    }

    fn of(source: ScheduleSource) -> Self {
        Self { source, made: Vec::new(), counts: Vec::new(), visited: None }
    }

    /// Returns the schedule of a search, which stops at a state that was visited.
    pub(crate) fn searching(prefix: Vec<u16>, visited: Visited) -> Self {
        Self { visited: Some(Visited { known: prefix.len(), ..visited }), ..Self::listed(prefix) }
    }

    /// Takes the states that the search has visited.
    pub(crate) fn take_visited(&mut self) -> Visited {
        self.visited.take().unwrap_or_default()
    }

    /// Returns whether the search has visited the state of this hash.
    pub(super) fn has_seen(&mut self, state: impl FnOnce() -> u64) -> bool {
        let made = self.made.len();
        self.visited.as_mut().is_some_and(|visited| made >= visited.known && !visited.states.insert(state()))
    }

    /// Chooses one of `count` steps.
    pub(super) fn choose(&mut self, count: usize) -> usize {
        if count <= 1 {
            return 0;
        }
        let choice = match &mut self.source {
            ScheduleSource::Drawn(stream) => stream.index(count),
            ScheduleSource::Listed(list) => list.get(self.made.len()).map_or(0, |choice| usize::from(*choice) % count),
        };
        self.made.push(u16::try_from(choice).unwrap_or(u16::MAX));
        self.counts.push(u16::try_from(count).unwrap_or(u16::MAX));
        choice
    }
}
