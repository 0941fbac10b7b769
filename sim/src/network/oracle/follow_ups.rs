//! The oracle of follow-ups: a run that succeeded with one completes its event and has it accepted, in one frame.

use std::collections::BTreeMap;

use eventful::engine::{
    RunId,
    facts::{AttemptEnd, Change, Fact},
};

use super::{OracleResult, holds};
use crate::failure::Broken;
use crate::network::connection_owners;
use crate::network::scenario::{KeyNumber, SubmittedItem};
use crate::spec::ReferenceState;

/// The first key of follow-ups: no client submits one from here on.
const FIRST: KeyNumber = 128;

/// The follow-ups of runs that have not ended.
#[derive(Debug, Default)]
pub(in crate::network) struct OpenFollowUps {
    /// The follow-ups with which handlers returned success.
    returned: BTreeMap<RunId, KeyNumber>,
    /// The one that the next fact must accept.
    owed: Option<KeyNumber>,
}

/// Returns the follow-up of an event.
pub(in crate::network) const fn item(key: KeyNumber) -> SubmittedItem {
    SubmittedItem { key: key | FIRST, payload: 0 }
}

impl OpenFollowUps {
    /// Notes that the handler returned success for this run, with the follow-up of its event.
    pub(in crate::network) fn add(&mut self, run: RunId, key: KeyNumber) {
        self.returned.insert(run, item(key).key);
    }

    /// Checks a fact, in the state before it.
    pub(in crate::network) fn judge(&mut self, fact: &Fact, expected: &ReferenceState) -> OracleResult {
        let owed = self.owed.take();
        if let Change::Accepted(event) = &fact.change {
            let number = connection_owners::number(event.key()).filter(|number| *number >= FIRST);
            return holds(number == owed, || broken(format_args!("e{number:?} is accepted, but e{owed:?} follows")));
        }
        holds(owed.is_none(), || broken(format_args!("e{owed:?} follows, but the next fact is {fact:?}")))?;
        if let Change::Finished { run, end, .. } = &fact.change
            && let Some(number) = self.returned.remove(run)
            && *end == AttemptEnd::Done
        {
            self.owed = Some(number).filter(|number| expected.present((*number).into(), fact.at).is_none());
        }
        Ok(())
    }

    /// Checks that a frame does not end between a run and its follow-up.
    pub(in crate::network) fn end_frame(&self) -> OracleResult {
        holds(self.owed.is_none(), || broken(format_args!("e{:?} follows, but is not in the same frame", self.owed)))
    }
}

fn broken(what: impl core::fmt::Display) -> Broken {
    Broken::new("follow_ups", 1, what)
}
