//! Targets of deliveries: each with a bound on its attempts at the same time, and a circuit.
//!
//! A handler asks [`Targets::enter`] before each attempt. A target that has failed for long has an open circuit: its events
//! wait, without a charge, while those of other targets continue. The front shows all of it, and closes a circuit by hand.
//!
//! | module | topic |
//! |---|---|
//! | `circuit` | the state machine of one circuit |
//! | `registry` | all targets, behind a lock each |
//! | `calls` | `GET /v1/targets`, `POST /v1/targets/{name}/close` |

pub(super) mod calls;
mod circuit;
mod registry;

pub use circuit::CircuitConfig;
pub use registry::{InvalidTargetName, TargetLimits, TargetPass, TargetState, TargetWait, Targets};
