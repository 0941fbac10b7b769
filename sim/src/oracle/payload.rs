//! P2: one key, one payload, checked on every path for the whole retention.

use eventful::engine::Answer;

use super::{CommandSummary, Observation};
use crate::failure::Broken;
use crate::spec::ReferenceState;

const ORACLE: &str = "payload";

pub(super) fn judge(expected: &ReferenceState, seen: &Observation<'_>) -> Result<(), Broken> {
    let CommandSummary::Submit { event, digest, .. } = seen.said else { return Ok(()) };
    let Some(record) = expected.present(event, seen.now) else { return judge_new(seen) };
    let expected = record.recognize(&digest);
    match *seen.answer == expected && seen.facts.is_empty() {
        true => Ok(()),
        false => {
            let what = format!("event {event} is known, so the result must be {expected:?}, not {:?}", seen.answer);
            Err(Broken::new(ORACLE, 2, what))
        }
    }
}

/// Checks that an unknown event is accepted or refused.
fn judge_new(seen: &Observation<'_>) -> Result<(), Broken> {
    match matches!(seen.answer, Answer::Accepted | Answer::Refused(_)) {
        true => Ok(()),
        false => Err(Broken::new(ORACLE, 2, format!("the submission of an unknown event returned {:?}", seen.answer))),
    }
}
