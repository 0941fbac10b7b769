//! What must hold, whatever goes wrong: one file for each oracle. None is ever off.
//!
//! | oracle | promise | what it sees |
//! |---|---|---|
//! | `durable` | P10 | the journal: what was acknowledged, and what each opening finds |
//! | `kept` | P1 | what clients were told is there, and ends once faults have stopped |
//! | `payloads` | P2 | answers to submissions, with the payloads that were submitted |
//! | `expected` | P1–P8 | every fact of the engine: see [`spec`](crate::spec) |
//! | `shortage` | P8 | what handlers were short of costs no attempt |
//! | `calls` | P4 P5 P8 | calls of the handler |
//! | `front` | P1 P7 P9 | what the HTTP front shows at rest |
//! | `exposed` | P7 | the numbers that the front shows, each under its name |
//! | `answered` | P9 | whoever sends a request gets an answer |
//! | `permits` | P5 | permits and workers |
//! | `progress` | P3 | a ticket and a free permit meet soon |
//! | `shutdown` | P6 | reports of shutdowns, and what is left behind |
//! | `numbers` | P7 | the metrics, against each other and against the facts |
//! | `waits` | P9 | calls, readiness and what is taken while the disk is out of reach |
//! | `panics` | P5 | panics and restarts, against those that were asked for |

pub(super) mod answered;
pub(super) mod calls;
pub(super) mod durable;
pub(super) mod exposed;
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

/// What the oracles remember of the process of the server that is up.
#[derive(Debug)]
pub(super) struct ProcessOracles {
    setup: NetworkSetup,
    pub(super) payloads: payloads::Payloads,
    /// What the facts say; with a journal, those that are durable.
    pub(super) expected: ReferenceState,
    pub(super) shortages: shortage::OpenShortages,
    pub(super) calls: calls::CallOracle,
    pub(super) numbers: numbers::SeenCounters,
    pub(super) durable: durable::Durable,
    /// How often any record was forgotten, in all processes.
    forgets: u64,
    /// That number, when the record of the key was last forgotten.
    forgotten: BTreeMap<KeyNumber, u64>,
}

/// What a client that asks may build on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Memory {
    /// How often any record had been forgotten.
    forgets: u64,
    /// Somebody had been told by this process that the event in question is taken.
    taken_by: Option<u32>,
    /// What one process has said binds the next one.
    binds_all: bool,
}

impl Memory {
    /// Whether this process had said that the event in question is taken.
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
            calls: calls::CallOracle::new(setup),
            numbers: numbers::SeenCounters::default(),
            durable: durable::Durable::new(),
            forgets: 0,
            forgotten: BTreeMap::new(),
        }
    }

    /// There is another process. Without a journal nothing is left of the last one.
    pub(super) fn begin_process(&mut self) {
        if self.is_durable() {
            self.calls.process_ended();
            self.numbers = numbers::SeenCounters::default();
            self.durable.forget_readers();
        } else {
            *self = Self { forgets: self.forgets, ..Self::new(&self.setup) };
        }
    }

    /// The shortest time for which what has ended is remembered.
    pub(super) fn retention(&self) -> Duration {
        let config = self.setup.config();
        config.failed_retention.map_or(config.retention, |failed| failed.min(config.retention))
    }

    /// How long answers wait for the journal.
    pub(super) fn answer_timeout(&self) -> Duration {
        self.setup.journal.map_or(Duration::MAX, |journal| journal.answer_timeout())
    }

    /// Whether a handler is only called when its start is durable.
    pub(super) fn syncs_starts(&self) -> bool {
        self.setup.journal.is_some_and(|journal| journal.syncs_starts)
    }

    /// Whether what is acknowledged outlives the process.
    pub(super) const fn is_durable(&self) -> bool {
        self.setup.journal.is_some()
    }

    /// The engine has decided this.
    pub(super) fn see(&mut self, fact: &Fact) -> OracleResult {
        if let Change::Finished { key, .. } = &fact.change {
            let record = Ids.number(key).and_then(|event| self.expected.record(event));
            self.shortages.judge(fact, record, self.expected.config.max_snoozes)?;
        }
        if let Change::Epoch(_) = fact.change {
            self.bring_back(fact.at);
        }
        self.expected.apply(fact, &Ids)?;
        self.expected.judge_permits()
    }

    /// The record of this key.
    pub(super) fn record(&self, key: KeyNumber) -> Option<&ReferenceRecord> {
        self.expected.record(key.into())
    }

    /// Whether the event is completed.
    pub(super) fn is_completed(&self, key: KeyNumber) -> bool {
        self.record(key).is_some_and(|record| record.status() == Status::Completed)
    }

    /// Whether the record of this key may be gone for those who ask: its retention is over.
    pub(super) fn may_be_gone(&self, now: Timestamp, key: KeyNumber) -> bool {
        self.expected.present(key.into(), now).is_none()
    }

    /// The record of this key is gone, after its retention.
    pub(super) fn forget_key(&mut self, key: KeyNumber) {
        self.forgets += 1;
        self.forgotten.insert(key, self.forgets);
        self.payloads.forget(key);
        self.calls.forget(key);
    }

    /// Notes which records an opening brings back: those whose retention was over before, as the time that it
    /// took does not count. The engine before may have forgotten them, and said so.
    fn bring_back(&mut self, opened_at: Timestamp) {
        let expected = &self.expected;
        let lapsed = expected.all().filter(|(event, _)| expected.present(*event, opened_at).is_none());
        for key in lapsed.filter_map(|(event, _)| KeyNumber::try_from(event).ok()) {
            self.forgets += 1;
            self.forgotten.insert(key, self.forgets);
        }
    }

    /// What a client that asks for this now may build on, while this process is up.
    pub(super) fn memory(&self, generation: u32, call: &ClientCall) -> Memory {
        let taken = call.key().is_some_and(|key| self.payloads.is_taken(key));
        let binds_all = self.is_durable();
        Memory { forgets: self.forgets, taken_by: taken.then_some(generation), binds_all }
    }

    /// Whether the key's record has been forgotten since then, so that an answer may speak of the
    /// record before or of the one after.
    pub(super) fn is_forgotten_since(&self, memory: Memory, key: KeyNumber) -> bool {
        self.forgotten.get(&key).is_some_and(|at| *at > memory.forgets)
    }
}
