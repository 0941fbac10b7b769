//! P7: the engine does not contradict itself.

use eventful::engine::{Answer, Engine};

use super::Observation;
use crate::failure::Broken;

/// The whole engine is checked after every step that changes something, while it has at most so many records.
const FEW_RECORDS: u64 = 32;

/// Else after every step of which the number is a multiple of this.
const EVERY: u32 = 16;

pub(super) fn judge(seen: &Observation<'_>) -> Result<(), Broken> {
    let is_due = seen.gauges.records_total() <= FEW_RECORDS && !changes_nothing(seen);
    if is_due || seen.step.is_multiple_of(EVERY) { judge_engine(seen.engine) } else { Ok(()) }
}

/// Returns whether the engine says that it has changed nothing. A change that it has made all the same is there after
/// the next step, too.
fn changes_nothing(seen: &Observation<'_>) -> bool {
    let is_unchanged = matches!(
        seen.answer,
        Answer::Duplicate(_) | Answer::Conflict(_) | Answer::Refused(_) | Answer::Stale | Answer::NotFound
    );
    is_unchanged && seen.facts.is_empty() && seen.effects.is_empty()
}

pub(super) fn judge_engine(engine: &Engine) -> Result<(), Broken> {
    engine.check().map_err(|violation| Broken::new("consistency", 7, violation))
}
