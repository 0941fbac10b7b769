//! What its process was short of costs an event no attempt.

use std::collections::BTreeSet;

use eventful::engine::{
    RunId,
    facts::{AttemptEnd, Change, Fact},
};

use super::{OracleResult, holds};
use crate::failure::Broken;
use crate::spec::ReferenceRecord;

/// The runs whose handlers were short of something, and that have not ended.
#[derive(Debug, Default)]
pub(in crate::network) struct OpenShortages(BTreeSet<RunId>);

impl OpenShortages {
    /// The handler of this run was short of something of its process.
    pub(in crate::network) fn add(&mut self, run: RunId) {
        self.0.insert(run);
    }

    /// Judges the end of a run that was short of something, as long as it may be given back: it is not
    /// charged, and the reason is kept. `record` is what was known before.
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
                "{key} ends {end} {reason} its reason for want of a descriptor, {snoozes} were given back"
            );
            Broken::new("shortage", 8, what)
        })
    }
}
