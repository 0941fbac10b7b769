//! Operations of clients and operators.

use serde::{Deserialize, Serialize};

use super::EventNumber;
use super::units::Micros;
use crate::tier::ScenarioPart;

/// Something that a client or an operator does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// The time at which it reaches the engine.
    pub at: u64,
    /// The client.
    pub client: u8,
    /// True if the client hangs up before the result reaches it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub hangs_up: bool,
    /// The time after it at which the first run of an event that is submitted may start; 0 for at once.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub delay: u64,
    /// The act.
    #[serde(rename = "do")]
    pub act: Act,
}

/// An act of a client or an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs, reason = "the docs of the variants name the fields")]
pub enum Act {
    /// An event is submitted, with the payload of this number; another number, another payload and size.
    Submit { event: EventNumber, payload: u8 },
    /// An event is submitted, and waits for room for so long when there is none. A client that hangs up leaves
    /// when it has waited in vain, any other tries once more then.
    Enter { event: EventNumber, payload: u8, patience: u64 },
    /// Something that makes no event is submitted: too large, or of a wrong form.
    Reject { too_large: bool },
    /// An operator gives a failed event another life.
    Redrive { event: EventNumber },
    /// An operator gives the first event that has failed another life.
    RedriveFirst,
    /// An operator ends an event.
    Discard { event: EventNumber },
    /// An operator stops the start of runs.
    Pause,
    /// An operator lets runs start again.
    Resume,
    /// A record is read.
    Read { event: EventNumber },
    /// A list is read to its end, a page of `limit` records `every` so often: of what fits the filter of the
    /// number `which`.
    List { which: u8, limit: u8, every: u64 },
    /// The end of an event is waited for, for so long.
    Watch { event: EventNumber, patience: u64 },
    /// The time at which no event is pending is waited for, for so long.
    AwaitIdle { patience: u64 },
    /// Facts are read as they happen, one `every` so often; `capacity` of them may wait to be read.
    Subscribe { capacity: u16, every: u64, lasts: u64 },
}

impl ScenarioPart for Operation {
    fn at(&self) -> Option<u64> {
        Some(self.at)
    }

    fn words(&self) -> String {
        let hangs_up = if self.hangs_up { ", and hangs up before the answer" } else { "" };
        let delay = if self.delay == 0 { String::new() } else { format!(", to start after {}", Micros(self.delay)) };
        format!("{}{delay}{hangs_up}", self.act)
    }

    fn who(&self) -> String {
        format!("client {}", self.client)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(value: &u64) -> bool {
    *value == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !value
}
