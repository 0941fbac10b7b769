//! Simulates an [`eventful`] engine under faults, and checks that its promises hold.
//!
//! ```text
//! strategy ──step──▶ model ──command──▶ sut (the engine)
//!                      │                  │
//!                      └───▶ assertions ◀─┘
//! ```
//!
//! - [`model`]: the engine as its contract has it, written to be read, without any cleverness.
//! - [`strategy`]: what a test feeds to both: small configurations, and steps at awkward times.
//! - [`sut`]: the engine with all that it ever put out.
//! - [`assertions`]: what must be equal after each step, and what must hold of the engine alone.
//! - [`driver`]: an engine with a clock that jumps and a channel that loses tickets on demand, for
//!   tests that tell one scenario.
//! - [`chance`], [`failure`]: labelled sources of chance, and what a broken promise looks like.

pub mod assertions;
pub mod chance;
pub mod driver;
pub mod failure;
pub mod model;
pub mod strategy;
pub mod sut;
