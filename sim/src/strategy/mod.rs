//! What a test feeds to a model and to an engine: small configurations, whose limits are soon
//! reached, and moves that aim at what is there, at what was there, and at what never was.

mod aim;
mod config;
mod moves;
mod time;

pub use aim::{KeyAim, RunAim, TicketAim};
pub use config::configs;
pub use moves::{Move, key, moves, payload};
pub use time::When;

use eventful::{Command, Timestamp};
use proptest::prelude::*;

use crate::model::Model;

/// One step of a test: a move at a time. Both are resolved against the model when the step is
/// taken, so that a step still means something when others before it are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// When.
    pub when: When,
    /// What.
    pub what: Move,
}

impl Step {
    /// The time and the command that this step is for an engine in the state of `model`.
    pub fn resolve(&self, model: &Model) -> (Timestamp, Command) {
        (self.when.resolve(model), self.what.resolve(model))
    }
}

/// Steps of all kinds, those that end the engine's life rarely.
pub fn steps() -> impl Strategy<Value = Step> {
    (When::strategy(), moves()).prop_map(|(when, what)| Step { when, what })
}
