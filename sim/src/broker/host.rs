//! The engine of a run: the node that ships, with its journal in memory and its handlers.

use std::num::NonZeroUsize;
use std::time::Duration;

use eventful::engine::facts::{Fact, Replay};
use eventful::engine::{Outcome, Output, RunId};
use eventful::node::{
    Actions, CommitLimits, Decided, Job, Lsn, Node, OpenedEngine, RunBatch, Start, SubmitError, Submitted, Tick,
    Unsynced, WorkerId,
};
use eventful::{Config, Event, Timestamp, Unavailable};

use super::scenario::BrokerSetup;
use crate::failure::Broken;

/// The time of the start of every run.
pub(super) const START: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

/// The longest time for which a result waits for the journal: within the stalls of scenarios.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(500);

/// Work of the engine that takes time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HostWork {
    /// An append of the journal.
    Append,
    /// A handler.
    Run(WorkerId, RunId),
}

/// The engine of one life of the process.
#[derive(Debug)]
pub(super) struct EngineHost {
    /// The number of the process: work of one before is no work of this one.
    pub(super) life: u32,
    node: Node,
    is_shutting_down: bool,
    config: Config,
    /// The group that is being written.
    group: Vec<Fact>,
    is_writing: bool,
    /// The time at which the writer asks for its next job; none while it waits to be woken.
    write_at: Option<u64>,
    tick_at: Option<u64>,
    /// True once the sweeper has ended, and true once the writer has: neither is woken any more.
    has_swept: bool,
    has_written: bool,
    /// Work that has begun.
    pub(super) begun: Vec<HostWork>,
}

/// Returns the engine's time.
pub(super) fn time(now: u64) -> Timestamp {
    START + Duration::from_micros(now)
}

fn config(setup: &BrokerSetup) -> Config {
    let mut config = Config::default();
    config.max_pending = usize::from(setup.max_pending);
    config.max_event_bytes = setup.max_event_bytes as usize;
    config.overload_retry_after = Duration::from_micros(setup.retry_delay);
    config.concurrency = NonZeroUsize::MIN.saturating_add(3);
    config.channel_capacity = NonZeroUsize::MIN.saturating_add(7);
    config.seed = Some(7);
    config
}

impl EngineHost {
    /// Opens an engine from the facts that are durable, and returns it with the first group of its life.
    pub(super) fn open(now: u64, life: u32, setup: &BrokerSetup, durable: &DurableFrames) -> Result<Self, Broken> {
        let config = config(setup);
        let opened = opened(now, &config, durable)?;
        let limits = CommitLimits {
            max_unsynced_bytes: 1 << 20,
            reserve_bytes: 0,
            answer_timeout: ANSWER_TIMEOUT,
            group_bytes: CommitLimits::GROUP_BYTES,
            failures: CommitLimits::FAILURES,
        };
        let node = Node::with_journal(time(now), opened, limits);
        let (group, begun) = (Vec::new(), Vec::new());
        let (write_at, tick_at) = (Some(now), Some(now));
        Ok(Self {
            life,
            node,
            is_shutting_down: false,
            config,
            group,
            is_writing: false,
            write_at,
            tick_at,
            has_swept: false,
            has_written: false,
            begun,
        })
    }

    pub(super) fn submit(
        &mut self,
        now: u64,
        event: Event,
    ) -> Result<Decided<Result<Submitted, SubmitError>>, Unavailable> {
        let decided = self.node.submit(time(now), event);
        self.act(now);
        decided
    }

    /// Returns the fate of an LSN, once it is open no more.
    pub(super) fn fate(&self, lsn: Lsn) -> Option<Result<(), Unsynced>> {
        self.node.horizon().map_or(Some(Ok(())), |horizon| horizon.find(lsn, false))
    }

    pub(super) fn shut_down(&mut self, now: u64) {
        self.is_shutting_down = true;
        self.node.shut_down(time(now), Duration::ZERO);
        self.act(now);
    }

    pub(super) const fn is_shutting_down(&self) -> bool {
        self.is_shutting_down
    }

    /// Returns the facts that are being written.
    pub(super) fn group(&self) -> &[Fact] {
        &self.group
    }

    /// Returns the time of the next step that no work has to end for.
    pub(super) fn next_time(&self) -> Option<u64> {
        let write_at = self.write_at.filter(|_| !self.is_writing);
        [write_at, self.tick_at].into_iter().flatten().min()
    }

    /// Takes the steps that are due.
    pub(super) fn step(&mut self, now: u64, durable: &DurableFrames) -> Result<(), Broken> {
        if self.tick_at.is_some_and(|at| at <= now) {
            self.tick(now);
        }
        if !self.is_writing && self.write_at.is_some_and(|at| at <= now) {
            self.write(now, durable)?;
        }
        Ok(())
    }

    fn tick(&mut self, now: u64) {
        self.tick_at = loop {
            match self.node.tick(time(now)) {
                Tick::Scheduled { .. } | Tick::Again | Tick::Swept(..) => {}
                // A time that has come is due with the next step, and not with this one again.
                Tick::Until(at) => break at.filter(|at| *at < Timestamp::MAX).map(|at| micros(at).max(now + 1)),
                Tick::End => {
                    self.has_swept = true;
                    break None;
                }
            }
        };
        self.act(now);
    }

    fn write(&mut self, now: u64, durable: &DurableFrames) -> Result<(), Broken> {
        loop {
            match self.node.next_job(time(now), &mut self.group) {
                Job::Append => {
                    self.is_writing = true;
                    self.begun.push(HostWork::Append);
                    break;
                }
                Job::Maintain => self.node.maintained(time(now), false, false),
                Job::Seal => {}
                Job::Measure => {
                    let _ = self.node.measured(time(now), u64::MAX, true);
                }
                Job::Open => {
                    let opened = opened(now, &self.config, durable)?;
                    let replaced = self.node.journal_opened(time(now), opened);
                    replaced.map_err(|lost| Broken::new("journal", 10, lost))?;
                }
                Job::Wait(until) => {
                    self.write_at = until.map(|at| micros(at).max(now + 1));
                    break;
                }
                Job::Close => {
                    self.node.journal_closed(time(now));
                    (self.has_written, self.write_at) = (true, None);
                    break;
                }
            }
        }
        self.act(now);
        Ok(())
    }

    /// Ends the append, which the journal confirms or not. Without that its facts may be written all the same.
    pub(super) fn appended(&mut self, now: u64, is_confirmed: bool, is_written: bool, durable: &mut DurableFrames) {
        let group = std::mem::take(&mut self.group);
        (self.is_writing, self.write_at) = (false, Some(now).filter(|_| !self.has_written));
        if is_written {
            durable.add(group);
        }
        match is_confirmed {
            // No one reads the facts of this engine.
            true => {
                let _ = self.node.appended(time(now), u64::MAX, durable.frames);
            }
            false => {
                let _ = self.node.journal_failed(time(now), false);
            }
        }
        self.act(now);
    }

    /// Takes the facts that an append has not finished.
    pub(super) fn take_unfinished(&mut self) -> Vec<Fact> {
        if self.is_writing { std::mem::take(&mut self.group) } else { Vec::new() }
    }

    /// Ends a handler, with success.
    pub(super) fn ended(&mut self, now: u64, worker: WorkerId, run: RunId) {
        let _ = self.node.settle(time(now), worker, run, Some(Outcome::Done));
        self.act(now);
    }

    /// Performs what the node wants done, and starts what can be started.
    fn act(&mut self, now: u64) {
        let Actions {
            dispatch: _,
            timer,
            write,
            end: _,
            idle: _,
            everyone,
            replace_dispatcher: _,
            settled: _,
            wake: _,
            cancel: _,
            failures: _,
        } = self.node.actions(time(now));
        if (timer || everyone) && !self.has_swept {
            self.tick_at = Some(now);
        }
        if (write || everyone) && !self.has_written {
            self.write_at = Some(now);
        }
        let mut batch = RunBatch::default();
        while self.node.start(time(now), &mut batch) == Start::Runs {
            self.begun.extend(batch.launches().map(|launch| HostWork::Run(launch.worker, launch.run.id)));
            // Handlers take time, so their tasks lead no others.
            self.node.settle_and_wait(time(now), &mut batch);
            batch = RunBatch::default();
            // Starts are facts, which are written like others.
            if self.node.actions(time(now)).write && !self.has_written {
                self.write_at = Some(now);
            }
        }
    }
}

/// The facts that are durable.
#[derive(Debug, Default)]
pub(super) struct DurableFrames {
    pub(super) facts: Vec<Fact>,
    pub(super) frames: u64,
}

impl DurableFrames {
    pub(super) fn add(&mut self, group: Vec<Fact>) {
        self.facts.extend(group);
        self.frames += 1;
    }
}

fn opened(now: u64, config: &Config, durable: &DurableFrames) -> Result<OpenedEngine, Broken> {
    let broken = |error: &dyn std::fmt::Display| Broken::new("journal", 10, error);
    let mut replay = Replay::new(config.clone()).map_err(|error| broken(&error))?;
    for fact in &durable.facts {
        replay.apply(fact).map_err(|error| broken(&error))?;
    }
    let mut out = Output::with_facts();
    let engine = replay.open(time(now), &mut out);
    Ok(OpenedEngine { engine, out, room_bytes: u64::MAX, frames: durable.frames })
}

/// Returns a time of the engine as one of the run.
pub(super) fn micros(at: Timestamp) -> u64 {
    at.as_micros().saturating_sub(START.as_micros())
}
