//! P7: the engine does not contradict itself.

use eventful::Engine;

use super::Seen;
use crate::failure::Broken;

/// The whole engine is checked after every step while it has at most so many records.
const FEW_RECORDS: u64 = 32;

/// Else after every step of which the number is a multiple of this.
const EVERY: u32 = 16;

pub(super) fn judge(seen: &Seen<'_>) -> Result<(), Broken> {
    match seen.gauges.records_total() <= FEW_RECORDS || seen.step.is_multiple_of(EVERY) {
        true => judge_engine(seen.engine),
        false => Ok(()),
    }
}

pub(super) fn judge_engine(engine: &Engine) -> Result<(), Broken> {
    engine.check().map_err(|violation| Broken::new("consistency", 7, violation))
}
