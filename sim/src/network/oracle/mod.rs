//! Properties that must hold under all faults: one file for each oracle. None is ever disabled.
//!
//! | oracle | promise | what it checks |
//! |---|---|---|
//! | `durable` | P10 | the journal: acknowledged frames against those that each opening finds |
//! | `kept` | P1 | accepted events are there, and end once faults have stopped |
//! | `payloads` | P2 | results of submissions, with the payloads that were submitted |
//! | `expected` | P1–P8 | every fact of the engine: see [`spec`](crate::spec) |
//! | `follow_ups` | P1 | a run that succeeded with a follow-up has it accepted, in one frame |
//! | `shortage` | P8 | a run that lacked a resource costs no attempt |
//! | `calls` | P4 P5 P8 | calls of the handler |
//! | `front` | P1 P7 P9 | responses of the HTTP front at rest |
//! | `exposed` | P7 | metrics of the HTTP front, each under its name |
//! | `answered` | P9 | every request has a response |
//! | `permits` | P5 | permits and workers |
//! | `progress` | P3 | a queued ticket is started soon when a permit is free |
//! | `shutdown` | P6 | duration and report of each shutdown, and the state after it |
//! | `numbers` | P7 | the metrics, against each other and against the facts |
//! | `waits` | P9 | calls, readiness and accepted events while the disk is out of reach |
//! | `panics` | P5 | panics and restarts, against those that were injected |

pub(super) mod answered;
pub(super) mod calls;
pub(super) mod durable;
pub(super) mod exposed;
pub(super) mod follow_ups;
pub(super) mod front;
pub(super) mod kept;
pub(super) mod numbers;
pub(super) mod panics;
pub(super) mod payloads;
pub(super) mod permits;
pub(super) mod progress;
pub(super) mod shortage;
pub(super) mod shutdown;
mod verdict;
pub(super) mod waits;

pub(super) use verdict::{OracleResult, holds};

use std::collections::BTreeMap;
use std::time::Duration;

use eventful::{
    Status, Timestamp,
    engine::facts::{Change, Fact},
};

use super::connection_owners::Ids;
use super::scenario::{ClientCall, KeyNumber, NetworkSetup};
use crate::spec::{Numbering as _, ReferenceRecord, ReferenceState};

/// The state of all oracles about the current process of the server.
#[derive(Debug)]
pub(super) struct ProcessOracles {
    setup: NetworkSetup,
    pub(super) payloads: payloads::Payloads,
    /// The state that the facts make; with a journal, the durable facts.
    pub(super) expected: ReferenceState,
    pub(super) shortages: shortage::OpenShortages,
    pub(super) follow_ups: follow_ups::OpenFollowUps,
    pub(super) calls: calls::CallOracle,
    pub(super) numbers: numbers::SeenCounters,
    pub(super) durable: durable::Durable,
    /// The number of times that any record was forgotten, in all processes.
    forgets: u64,
    /// The value of `forgets` when the record of the key was last forgotten.
    forgotten: BTreeMap<KeyNumber, u64>,
}

/// The promises that a client can rely on when it sends a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Memory {
    /// The number of times that any record had been forgotten.
    forgets: u64,
    /// The process that had confirmed the event in question, if one had.
    taken_by: Option<u32>,
    /// True if the promises of one process bind the next one.
    binds_all: bool,
}

impl Memory {
    /// Returns whether this process is bound by a confirmation of the event in question.
    pub(super) fn is_taken_by(self, generation: u32) -> bool {
        self.taken_by.is_some_and(|by| self.binds_all || by == generation)
    }
}

impl ProcessOracles {
    pub(super) fn new(setup: &NetworkSetup) -> Self {
        Self {
            setup: setup.clone(),
            payloads: payloads::Payloads::default(),
            expected: ReferenceState::new(setup.config()),
            shortages: shortage::OpenShortages::default(),
            follow_ups: follow_ups::OpenFollowUps::default(),
            calls: calls::CallOracle::new(setup),
            numbers: numbers::SeenCounters::default(),
            durable: durable::Durable::new(),
            forgets: 0,
            forgotten: BTreeMap::new(),
        }
    }

    /// Begins another process. Without a journal nothing of the last one remains.
    pub(super) fn begin_process(&mut self) {
        if self.is_durable() {
            self.calls.process_ended();
            self.follow_ups = follow_ups::OpenFollowUps::default();
            self.numbers = numbers::SeenCounters::default();
            self.durable.forget_readers();
        } else {
            *self = Self { forgets: self.forgets, ..Self::new(&self.setup) };
        }
    }

    /// Returns the shortest time for which a terminal record is kept.
    pub(super) fn retention(&self) -> Duration {
        let config = self.setup.config();
        config.failed_retention.map_or(config.retention, |failed| failed.min(config.retention))
    }

    /// Returns the time for which calls wait for the journal.
    pub(super) fn answer_timeout(&self) -> Duration {
        self.setup.journal.map_or(Duration::MAX, |journal| journal.answer_timeout())
    }

    /// Returns whether a handler is called only when its start is durable.
    pub(super) fn syncs_starts(&self) -> bool {
        self.setup.journal.is_some_and(|journal| journal.syncs_starts)
    }

    /// Returns whether acknowledged events outlive the process.
    pub(super) const fn is_durable(&self) -> bool {
        self.setup.journal.is_some()
    }

    /// Checks and applies a fact of the engine.
    pub(super) fn see(&mut self, fact: &Fact) -> OracleResult {
        if let Change::Finished { key, .. } = &fact.change {
            let record = Ids.number(key).and_then(|event| self.expected.record(event));
            self.shortages.judge(fact, record, self.expected.config.max_snoozes)?;
        }
        if let Change::Epoch(_) = fact.change {
            self.bring_back(fact.at);
        }
        self.follow_ups.judge(fact, &self.expected)?;
        self.expected.apply(fact, &Ids)?;
        self.expected.judge_permits()
    }

    /// Returns the record of this key.
    pub(super) fn record(&self, key: KeyNumber) -> Option<&ReferenceRecord> {
        self.expected.record(key.into())
    }

    /// Returns whether the event is completed.
    pub(super) fn is_completed(&self, key: KeyNumber) -> bool {
        self.record(key).is_some_and(|record| record.status() == Status::Completed)
    }

    /// Returns whether the retention of this key's record has ended, so that it may be gone.
    pub(super) fn may_be_gone(&self, now: Timestamp, key: KeyNumber) -> bool {
        self.expected.present(key.into(), now).is_none()
    }

    /// Notes that the record of this key was forgotten after its retention.
    pub(super) fn forget_key(&mut self, key: KeyNumber) {
        self.forgets += 1;
        self.forgotten.insert(key, self.forgets);
        self.payloads.forget(key);
        self.calls.forget(key);
    }

    /// Notes the records that an opening brings back: those whose retention had ended before, as the time of the
    /// outage does not count. The engine before may have forgotten them, and clients may have seen that.
    fn bring_back(&mut self, opened_at: Timestamp) {
        let expected = &self.expected;
        let lapsed = expected.all().filter(|(event, _)| expected.present(*event, opened_at).is_none());
        for key in lapsed.filter_map(|(event, _)| KeyNumber::try_from(event).ok()) {
            self.forgets += 1;
            self.forgotten.insert(key, self.forgets);
        }
    }

    /// Returns the promises that a client can rely on if it makes this call now.
    pub(super) fn memory(&self, generation: u32, call: &ClientCall) -> Memory {
        let taken = call.key().is_some_and(|key| self.payloads.is_taken(key));
        let binds_all = self.is_durable();
        Memory { forgets: self.forgets, taken_by: taken.then_some(generation), binds_all }
    }

    /// Returns whether the key's record has been forgotten since the request, so that the response may be about the
    /// record before or the one after.
    pub(super) fn is_forgotten_since(&self, memory: Memory, key: KeyNumber) -> bool {
        self.forgotten.get(&key).is_some_and(|at| *at > memory.forgets)
    }
}
