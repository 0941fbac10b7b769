//! The trace of a run: a hash and, on request, a text for people.

use std::hash::{Hash, Hasher};

use eventful::Timestamp;

use super::step::NetworkStep;
use super::tier::NetworkScenario;
use super::trace_builder::TraceBuilder;
use crate::failure::Broken;
use crate::state_hash::StateHash;
use crate::tier::{Keep, Report};

/// The steps so far.
#[derive(Debug, Default)]
pub(super) struct StepTrace {
    hash: StateHash,
    steps: u32,
    /// The hash after each step, where they are kept.
    hashes: Option<Vec<u64>>,
    diary: Option<TraceBuilder>,
}

impl StepTrace {
    /// Creates a trace that keeps this much of a run of `scenario`.
    pub(super) fn keeping(keep: Keep, scenario: &NetworkScenario) -> Self {
        let diary = keep.trace.then(|| TraceBuilder::of(&scenario.operations));
        Self { hashes: keep.hashes.then(Vec::new), diary, ..Self::default() }
    }

    pub(super) fn note(&mut self, at: Timestamp, step: &NetworkStep<'_>) {
        let at_micros = at.as_micros() - super::clock::EPOCH.as_micros() as u64;
        self.hash.write_u64(at_micros);
        step.hash(&mut self.hash);
        self.steps += 1;
        if let Some(hashes) = &mut self.hashes {
            hashes.push(self.hash.finish());
        }
        if let Some(diary) = &mut self.diary {
            diary.note(at_micros, step);
        }
    }

    /// Returns the report of the run.
    pub(super) fn report(&mut self, virtual_micros: u64, broken: Option<Broken>) -> Report {
        Report {
            steps: self.steps,
            virtual_micros,
            hash: self.hash.finish(),
            hashes: self.hashes.take().unwrap_or_default(),
            trace: self.diary.take().map(|diary| diary.finish(virtual_micros, broken.as_ref())),
            broken,
            choices: None,
        }
    }
}
