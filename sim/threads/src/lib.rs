//! The product's adapter on threads that a scheduler interleaves: finds races of threads, and lost wake-ups.
//!
//! The simulator drives the adapter on one thread, so nothing happens there between two instructions of it. Here the
//! sources of `src/runtime` are compiled once more, with other primitives: [`sync`] has those of `shuttle`, and
//! tokio's built on them. Each operation on one of them is a point at which the scheduler may let another thread run.
//! Time stands still unless a model advances it ([`clock`]), so no timer repairs the effect of a lost wake-up: it
//! shows as a deadlock.
//!
//! The models are in `tests/`: small scenarios, each run over some thousands of schedules, random ones and those of
//! PCT ("A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs", Burckhardt et al., ASPLOS 2010). A
//! failure prints its schedule:
//!
//! ```text
//! cargo test -p eventful-threads                                      all models
//! EVENTFUL_SCHEDULES=100000 cargo test -p eventful-threads --test X   as many schedules of each kind
//! SHUTTLE_RANDOM_SEED=7 cargo test -p eventful-threads                other schedules
//! EVENTFUL_REPLAY=9101… cargo test -p eventful-threads --test X NAME  the schedule that a failure has printed
//! ```
//!
//! Not covered: weak memory (every atomic operation is sequentially consistent), and bugs of tokio itself.

// The adapter names the layers below it by these paths.
#[cfg(feature = "durable")]
use eventful::journal;
use eventful::{engine, node};

pub mod clock;
pub mod model;
#[path = "../../../src/runtime/mod.rs"]
mod runtime;
pub mod sync;

pub use runtime::{
    Attempt, Builder, Cancellation, Clock, ClusterConfig, Discarded, Eventful, Failure, FailureKind, FollowUpError,
    Handler, Lease, LeaseDesk, ManualClock, NotSettled, Redriven, Sleep, Stale, StartError, Subscription, SystemClock,
};
#[cfg(feature = "durable")]
pub use runtime::{Durability, Recovery, StartDurability};
#[cfg(feature = "json")]
pub use runtime::{JsonHandler, json};
