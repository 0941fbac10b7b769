//! Operations of clients and operators.

use serde::{Deserialize, Serialize};

use super::EventNumber;
use super::units::Micros;
use crate::tier::ScenarioPart;

/// One operation of a client or an operator.
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
    /// The delay before the first run of a submitted event may start; 0 for none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub delay: u64,
    /// The action.
    #[serde(rename = "do")]
    pub act: Act,
}

/// An action of a client or an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs, reason = "the docs of the variants name the fields")]
pub enum Act {
    /// Submits an event with the payload of this number; another number has other bytes, and often another size.
    Submit { event: EventNumber, payload: u8 },
    /// Submits an event, and waits for room for this long if there is none. A client that hangs up leaves after that;
    /// any other tries once more.
    Enter { event: EventNumber, payload: u8, patience: u64 },
    /// Submits something invalid: too large, or malformed.
    Reject { too_large: bool },
    /// Redrives a failed event.
    Redrive { event: EventNumber },
    /// Redrives the first failed event.
    RedriveFirst,
    /// Discards an event.
    Discard { event: EventNumber },
    /// Pauses starts of runs.
    Pause,
    /// Resumes starts of runs.
    Resume,
    /// Pauses the group of an event, or resumes it.
    PauseGroup { event: EventNumber, paused: bool },
    /// Reads a record.
    Read { event: EventNumber },
    /// Reads a list to its end, a page of `limit` records at the interval `every`, with the filter of the number
    /// `which`.
    List { which: u8, limit: u8, every: u64 },
    /// Waits for the end of an event, for this long.
    Watch { event: EventNumber, patience: u64 },
    /// Waits until no event is pending, for this long.
    AwaitIdle { patience: u64 },
    /// Reads facts as they happen, one at the interval `every`; `capacity` of them may wait to be read.
    Subscribe { capacity: u16, every: u64, lasts: u64 },
}

impl ScenarioPart for Operation {
    fn at(&self) -> Option<u64> {
        Some(self.at)
    }

    fn words(&self) -> String {
        let hangs_up = if self.hangs_up { ", and hangs up before the result" } else { "" };
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
