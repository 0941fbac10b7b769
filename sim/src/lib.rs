//! Simulates an [`eventful`] node under faults, and checks that its promises hold.
//!
//! ```text
//! seed ──▶ scenario ──▶ world ──calls, time──▶ node ──Command──▶ engine
//!                       │   ◀────Actions, Job──  │ hooks
//!                       └───────▶ oracles ◀──────┘
//! ```
//!
//! For users: `check` (feature `check`, on by default) runs a handler of yours in the real adapter, under faults and
//! in virtual time, and reports its flaws.
//!
//! The specification, for every tier:
//!
//! - [`spec`]: a fold of facts into records, which rejects a fact that cannot follow, and the engine as
//!   its contract has it, written to be read, without optimization.
//!
//! The frame around every run of the tiers below:
//!
//! - [`tier`]: a scenario as data, drawn from a seed, saved as JSON, replayed exactly, shrunk.
//! - [`trace`]: the steps of a run, for people. [`report`]: a page that shows them.
//!
//! The core tier, a discrete-event simulation around the product's node:
//!
//! - [`scenario`]: its scenarios, and their random generation.
//! - [`world`]: a driver of the node (clients, dispatcher, workers, sweeper, writer of the journal, clock
//!   and process) with a choice among all steps that are ready.
//! - [`oracle`]: properties that must hold, one file each. [`failure`]: a violation.
//! - [`scope`]: every interleaving of a tiny case.
//! - [`seeded_rng`], [`state_hash`], [`key_table`]: labelled random streams, a chained hash, the keys of events.
//!
//! The disk under a journal, alone and in both other tiers:
//!
//! - [`disk`]: a simulated disk with its faults, journals on it, crash points and random faults.
//!
//! The model tier, a plain model against the engine:
//!
//! - [`strategy`]: the inputs of both: small configurations, and steps at critical times.
//! - [`sut`]: the engine with all of its output.
//! - [`assertions`]: the engine equals the model after each step, and is consistent by itself.
//! - [`driver`]: an engine with a clock that jumps and a channel that loses tickets on demand, for
//!   tests of one scenario.
//!
//! The turmoil tier: `network` (feature `turmoil`), the adapter and the HTTP front on a simulated
//! network.

pub mod assertions;
#[cfg(feature = "check")]
mod at_once;
#[cfg(feature = "check")]
mod check;
pub mod disk;
pub mod driver;
mod edge;
pub mod failure;
pub mod key_table;
#[cfg(feature = "turmoil")]
pub mod network;
pub mod oracle;
mod panics;
pub mod report;
pub mod scenario;
pub mod scope;
pub mod seeded_rng;
pub mod spec;
mod spelling;
pub mod state_hash;
pub mod strategy;
pub mod sut;
pub mod tier;
pub mod trace;
pub mod world;

#[cfg(feature = "check")]
pub use check::{Check, HandlerFault, check};
