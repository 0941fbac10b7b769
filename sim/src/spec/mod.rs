//! The specification of the engine.
//!
//! A [`ReferenceState`] is a fold of facts: it keeps a [`ReferenceRecord`] of each event, and rejects a fact that cannot
//! follow from those before it. Every tier keeps one of what its engine has decided. A [`model::Model`]
//! is an engine written to be read: it says what each command must return, and what it decides.
//!
//! | file | what it says |
//! |---|---|
//! | `lifecycle` | the stages in the life of a record |
//! | `record` | what facts determine of one event, and how it is compared with what an engine shows |
//! | `reference_state` | what the facts add up to, and what can be asked of them |
//! | `transitions` | what each fact changes, and what it may follow |
//! | `attempts` | how the end of an attempt is charged, and what may become of its event |
//! | `limits` | which policy an event has, and what that bounds |
//! | `downtimes` | which times do not count toward retention |
//! | `model` | what follows from each command |
//! | `sizes` | what counts against bounds by bytes |
//! | `state` | how the whole is compared with what a journal gives back |

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
pub use limits::{EventLimits, gate_of, policy_of};
pub use numbering::{Numbering, Register};
pub use record::{ReferenceRecord, not_before};
pub use reference_state::ReferenceState;
pub use sizes::{event_bytes, fact_bytes, key_bytes};
