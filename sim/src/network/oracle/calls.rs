//! The oracle of handler calls: one run of an event at a time, no more runs than allowed, each one new.

use std::collections::BTreeMap;

use eventful::{Timestamp, engine::RunId};

use super::{OracleResult, holds};
use crate::failure::Broken;
use crate::network::scenario::{KeyNumber, NetworkSetup};

/// The handler calls of all processes so far.
#[derive(Debug)]
pub(in crate::network) struct CallOracle {
    limit: usize,
    most_in_a_life: u32,
    /// True if starts of runs are durable before the handler is called.
    syncs_starts: bool,
    alive: usize,
    last_run: Option<RunId>,
    keys: BTreeMap<KeyNumber, Called>,
}

#[derive(Debug, Default)]
struct Called {
    alive: bool,
    attempt: u32,
    calls: u32,
    lives: u32,
    /// Runs that were given back without charge.
    given_back: u32,
    /// The last run in which the handler returned success.
    succeeded: Option<RunId>,
}

impl CallOracle {
    pub(in crate::network) fn new(setup: &NetworkSetup) -> Self {
        let config = setup.config();
        Self {
            limit: config.concurrency.get(),
            most_in_a_life: config.max_attempts + config.max_snoozes,
            syncs_starts: setup.journal.is_none_or(|journal| journal.syncs_starts),
            alive: 0,
            last_run: None,
            keys: BTreeMap::new(),
        }
    }

    /// Allows the event another full count of attempts: it was redriven, or forgotten and accepted again.
    pub(in crate::network) fn live_again(&mut self, key: KeyNumber) {
        self.keys.entry(key).or_default().lives += 1;
    }

    /// Notes that the record was forgotten, and the number of attempts with it.
    pub(in crate::network) fn forget(&mut self, key: KeyNumber) {
        self.live_again(key);
        self.keys.entry(key).or_default().attempt = 0;
    }

    /// Notes that a shutdown interrupted a run and gave it back.
    pub(in crate::network) fn interrupted(&mut self, key: KeyNumber) {
        self.keys.entry(key).or_default().given_back += 1;
    }

    /// Notes that the process has ended, and its handlers with it.
    pub(in crate::network) fn process_ended(&mut self) {
        self.alive = 0;
        self.keys.values_mut().for_each(|called| called.alive = false);
    }

    /// Notes that the engine was opened again. Starts that were not durable when their handlers were called are
    /// unknown to it, and may happen once more.
    pub(in crate::network) fn opened(&mut self) {
        if !self.syncs_starts {
            for called in self.keys.values_mut() {
                called.attempt = 0;
                called.given_back += 1;
            }
        }
    }

    /// Checks a call of the handler.
    pub(in crate::network) fn call(&mut self, key: KeyNumber, attempt: u32, run: RunId) -> OracleResult {
        self.alive += 1;
        let (alive, limit) = (self.alive, self.limit);
        holds(alive <= limit, || broken(5, format_args!("{alive} handlers run, the limit is {limit}")))?;
        let called = self.keys.entry(key).or_default();
        let alone = !std::mem::replace(&mut called.alive, true);
        holds(alone, || broken(4, format_args!("two handlers run e{key} at a time")))?;
        // The number of attempts rises over redrives and snoozes too.
        let rises = std::mem::replace(&mut called.attempt, attempt) < attempt;
        holds(rises, || broken(4, format_args!("attempt {attempt} of e{key} is not greater than the one before")))?;
        called.calls += 1;
        // Each redrive, and each time that it was forgotten, allows all attempts again.
        let (calls, most) = (called.calls, (called.lives + 1) * self.most_in_a_life + called.given_back);
        holds(calls <= most, || broken(8, format_args!("e{key} was called {calls} times, {most} are allowed")))?;
        let newest = self.last_run.is_none_or(|last| last != run);
        self.last_run = Some(run);
        holds(newest, || broken(4, format_args!("{run} was used twice")))
    }

    /// Notes that the handler's future was dropped.
    pub(in crate::network) fn leave(&mut self, key: KeyNumber) {
        self.alive = self.alive.saturating_sub(1);
        self.keys.entry(key).or_default().alive = false;
    }

    /// Notes that the handler returned success for this run.
    pub(in crate::network) fn succeed(&mut self, key: KeyNumber, run: RunId) {
        self.keys.entry(key).or_default().succeeded = Some(run);
    }

    /// Checks that a run which the engine takes for a success is one.
    pub(in crate::network) fn done(&self, key: KeyNumber, run: RunId) -> OracleResult {
        let succeeded = self.keys.get(&key).is_some_and(|called| called.succeeded == Some(run));
        holds(succeeded, || {
            broken(4, format_args!("e{key} is completed by {run}, in which the handler did not succeed"))
        })
    }

    /// Checks that a heartbeat does not count once another run has begun.
    pub(in crate::network) fn beat(&self, key: KeyNumber, attempt: u32, counted: bool) -> OracleResult {
        let current = self.keys.get(&key).is_some_and(|called| called.attempt == attempt);
        holds(current || !counted, || broken(4, format_args!("a heartbeat of an old run of e{key} counts")))
    }

    /// Checks that no handler is running.
    pub(in crate::network) fn none_left(&self) -> OracleResult {
        holds(self.alive == 0, || broken(5, format_args!("{} handlers are left", self.alive)))
    }
}

/// Checks that a handler is shown the deadline that its heartbeat has moved.
pub(in crate::network) fn shown(key: KeyNumber, due: Timestamp, shown: Timestamp) -> OracleResult {
    holds(shown == due, || {
        broken(4, format_args!("a heartbeat of e{key} moves its deadline to {due}, but {shown} is shown"))
    })
}

fn broken(promise: u8, what: impl std::fmt::Display) -> Broken {
    Broken::new("calls", promise, what)
}
