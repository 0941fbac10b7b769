//! The specification of the engine.
//!
//! A [`ReferenceState`] is a fold of facts: it keeps a [`ReferenceRecord`] of each event, and rejects a fact that
//! cannot follow from those before it. Every tier keeps one of its engine's facts. A [`model::Model`] is an engine
//! written to be read: it computes the result, the effects and the facts of each command.
//!
//! | file | contents |
//! |---|---|
//! | `lifecycle` | the stages of a record |
//! | `record` | the part of a record that facts determine, and its comparison with an engine's |
//! | `reference_state` | the sums of the facts, and queries |
//! | `transitions` | the changes of each fact, and the facts that it may follow |
//! | `attempts` | the charge of an ended attempt, and the fates of its event |
//! | `limits` | the policy of an event, and its bounds |
//! | `downtimes` | the times that do not count toward retention |
//! | `model` | the result of each command |
//! | `sizes` | the bytes that count against bounds |
//! | `counts`, `numbering` | counters of facts; numbers of keys |
//! | `state` | the comparison with a recovered state |

mod attempts;
mod counts;
mod downtimes;
mod lifecycle;
mod limits;
pub mod model;
mod numbering;
mod record;
mod reference_state;
mod sizes;
mod state;
mod transitions;

pub use attempts::{Cause, Ruling, RunFate};
pub use counts::FactCounts;
pub use lifecycle::Lifecycle;
pub use limits::{EventLimits, gate_of, group_policy_of, policy_of};
pub use numbering::{Numbering, Register};
pub use record::{ReferenceRecord, not_before};
pub use reference_state::ReferenceState;
pub use sizes::{event_bytes, fact_bytes, key_bytes};
