//! The oracle of shortages: a run that lacked a resource of its process costs no attempt.

use std::collections::BTreeSet;

use eventful::engine::{
    RunId,
    facts::{AttemptEnd, Change, Fact},
};

use super::{OracleResult, holds};
use crate::failure::Broken;
use crate::spec::ReferenceRecord;

/// The runs whose handlers lacked a resource, and that have not ended.
#[derive(Debug, Default)]
pub(in crate::network) struct OpenShortages(BTreeSet<RunId>);

impl OpenShortages {
    /// Notes that the handler of this run lacked a resource.
    pub(in crate::network) fn add(&mut self, run: RunId) {
        self.0.insert(run);
    }

    /// Checks the end of a run that lacked a resource, while it may be given back: it is not charged, and its reason
    /// is kept. `record` is the state before.
    pub(in crate::network) fn judge(
        &mut self,
        fact: &Fact,
        record: Option<&ReferenceRecord>,
        max_snoozes: u32,
    ) -> OracleResult {
        let Change::Finished { key, run, end, error, .. } = &fact.change else { return Ok(()) };
        if !self.0.remove(run) {
            return Ok(());
        }
        let snoozes = record.map_or(0, |record| record.charge.snoozes);
        let is_charged = matches!(end, AttemptEnd::Retry | AttemptEnd::Failed);
        holds(error.is_some() && (!is_charged || snoozes >= max_snoozes), || {
            let reason = if error.is_some() { "with" } else { "without" };
            let what = format_args!(
                "a run of {key} that lacked a descriptor ends {end} {reason} its reason, after {snoozes} snoozes"
            );
            Broken::new("shortage", 8, what)
        })
    }
}
