//! P7: the engine's structures are consistent.

use eventful::engine::{Answer, Engine};

use super::Observation;
use crate::failure::Broken;

/// The number of records up to which the whole engine is checked after every step that changes something. More make a
/// run slow, as the check reads every record.
const FEW_RECORDS: u64 = 32;

/// With more records the engine is checked after every step whose number is a multiple of this. A free choice between
/// speed and a violation that is found close to its cause.
const EVERY: u32 = 16;

pub(super) fn judge(seen: &Observation<'_>) -> Result<(), Broken> {
    let is_due = seen.gauges.records_total() <= FEW_RECORDS && !changes_nothing(seen);
    if is_due || seen.step.is_multiple_of(EVERY) { judge_engine(seen.engine) } else { Ok(()) }
}

/// Returns whether the engine claims to have changed nothing. If it has, the next check finds that.
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
