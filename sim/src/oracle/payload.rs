//! P2: one key, one payload. Compared on every path, for the whole retention.

use eventful::{Answer, Conflict, Duplicate};

use super::{Book, Known, Said, Seen};
use crate::failure::Broken;

const ORACLE: &str = "payload";

pub(super) fn judge(book: &Book, seen: &Seen<'_>) -> Result<(), Broken> {
    let Said::Submit { event, digest, .. } = seen.said else { return Ok(()) };
    let expected = match book.present(event, seen) {
        None => return judge_new(seen),
        Some(known) if known.digest == digest => Answer::Duplicate(duplicate(known)),
        Some(known) => {
            Answer::Conflict(Conflict { stored: known.digest, received: digest, first_received_at: known.accepted_at })
        }
    };
    match *seen.answer == expected && seen.facts.is_empty() {
        true => Ok(()),
        false => {
            let what = format!("event {event} is known, so {expected:?} is due, not {:?}", seen.answer);
            Err(Broken::new(ORACLE, 2, what))
        }
    }
}

/// An event that is not known is accepted or refused.
fn judge_new(seen: &Seen<'_>) -> Result<(), Broken> {
    match matches!(seen.answer, Answer::Accepted | Answer::Refused(_)) {
        true => Ok(()),
        false => Err(Broken::new(ORACLE, 2, format!("an event that is not known is answered {:?}", seen.answer))),
    }
}

fn duplicate(known: &Known) -> Duplicate {
    Duplicate { status: known.stage.status(), attempt: known.attempt, accepted_at: known.accepted_at }
}
