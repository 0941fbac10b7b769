//! The tokio adapter: drives the node, and decides nothing.
//!
//! | module | topic |
//! |---|---|
//! | `builder`, `durability` | sets everything up |
//! | `handle` | the handle |
//! | `ingest`, `operator`, `bulk`, `reads`, `stats`, `subscribe`, `wait` | what a handle can do |
//! | `shared`, `notifications` | the node behind its lock, and what its actions wake |
//! | `dispatcher`, `sweeper`, `supervisor` | tasks that ask the node what to do |
//! | `worker`, `flight`, `line` | works on runs; a run that is settled whatever happens; runs that wait for their calls |
//! | `call`, `handler`, `attempt`, `span` | calls a handler; what a handler is, and sees; what is logged of it |
//! | `writer`, `driver`, `recovery` | does what the node wants of the journal (feature `durable`) |
//! | `ender` | sees to the end |
//! | `failures` | logs what became of failed events that nothing remembers any more |
//! | `holds`, `points` | how long the lock is held, for benchmarks; points of disturbance |
//! | `clock`, `timeline`, `latch` | time, something that happens once |

mod attempt;
mod builder;
mod bulk;
mod call;
mod clock;
mod dispatcher;
#[cfg(feature = "durable")]
mod driver;
#[cfg(feature = "durable")]
mod durability;
mod ender;
mod failures;
mod handle;
mod handler;
mod holds;
mod ingest;
mod latch;
mod leader_runs;
mod notifications;
mod operator;
mod points;
mod reads;
#[cfg(feature = "durable")]
mod recovery;
mod run_guard;
mod shared;
mod span;
mod stats;
mod subscribe;
mod supervisor;
mod sweeper;
mod timeline;
mod wait;
mod worker;
#[cfg(feature = "durable")]
mod writer;

pub use attempt::{Attempt, Cancellation, Stale};
pub use builder::{Builder, StartError};
pub use bulk::{Discarded, Redriven};
pub use clock::{Clock, ManualClock, Sleep, SystemClock};
#[cfg(feature = "durable")]
pub use durability::{Durability, StartDurability};
pub use handle::Eventful;
pub use handler::{Failure, FailureKind, Handler};
#[cfg(feature = "durable")]
pub use recovery::Recovery;
pub use subscribe::Subscription;
