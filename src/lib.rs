//! An embeddable engine that accepts events, remembers them by id, runs your handler on each, retries what fails,
//! and never loses one.
//!
//! ```
//! use eventful::{Attempt, Event, Eventful, Failure, Key, Status};
//!
//! async fn handle(event: Event, attempt: Attempt) -> Result<(), Failure> {
//!     println!("{} attempt {}: {:?}", event.key(), attempt.charged(), event.payload());
//!     Ok(())
//! }
//!
//! # #[cfg(feature = "tokio")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let eventful = Eventful::builder().start(handle)?;
//! eventful.submit(Event::with_id("order-17", "three apples")?).await?;
//! let record = eventful.wait(&Key::new("", "order-17")?).await?;
//! assert_eq!(record.status, Status::Completed);
//! eventful.shutdown(None).await;
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "tokio"))]
//! # fn main() {}
//! ```
//!
//! # The story
//!
//! A queue with a worker pool behind it loses work when the queue is full or broken, runs an id twice, mistakes
//! a duplicate for a conflict, hangs on shutdown, and its metrics drift. Here an event is stored first, as a
//! *record* under its *key* (a source and an id). A second event of that key is a duplicate if its payload is the
//! same, and a conflict if it is another.
//!
//! Being stored and being scheduled are two things. A record that waits is in one of four places: *delayed* until
//! its time comes; *gated* while its group or its type has as many runs as it may; in the *line*, first in, first out;
//! or *queued*, which means that a *ticket* for it is in the channel to the dispatcher. Tickets may be lost at any
//! time. Their records return to the line, so no event is lost with them.
//!
//! The dispatcher presents a ticket and gets a *run*: one call of your handler. Only the current run of a record can
//! end it, so a handler that returns after its time is up changes nothing. What fails is retried later, with
//! growing delays, up to a number of attempts; after that the event is kept as failed until an operator redrives or
//! discards it.
//!
//! All that is decided and must survive is a *fact*. Records are what facts make of them, in operation and after a
//! restart alike. With a journal, no result is returned before its facts are on disk.
//!
//! ```text
//! HTTP → Ingest → Store → Channel → Dispatcher → Workers
//!                   ↑         ↖
//!                   └─ Sweeper ┘
//! ```
//!
//! # Three layers
//!
//! 1. [`engine::Engine`] decides about events. Commands with their times go in; results, effects and facts come out.
//! 2. [`node::Node`] holds an engine and decides about everything around it: the channel, permits, waiting callers,
//!    group commit, shutdown.
//! 3. `Eventful` (feature `tokio`, on by default) drives a node: it keeps it behind a lock, performs its actions, and
//!    calls your handler. Most programs use nothing else.
//!
//! The first two have no clock, no I/O and no threads. Without features this crate is `no_std`, so the compiler
//! proves it, and the simulator drives the same node through any order of steps and faults.
//!
//! # Where things are
//!
//! The names at the root are those that most programs need. The rest is in modules:
//!
//! | module | feature | contents |
//! |---|---|---|
//! | `handler` | `tokio` | what a handler receives and returns |
//! | `operator` | `tokio` | results of redrive, discard, pause and resume |
//! | [`schedules`] | | events at the instants of calendars; with feature `schedules` cron expressions in time zones |
//! | [`metrics`] | | counters, gauges, histograms, readiness |
//! | `clock` | `tokio` | the clock of an engine, and one that tests set by hand |
//! | `cluster` | `tokio` | several engines behind one handle, each with a part of the keys |
//! | `durability` | `durable` | an engine with a journal, and what was recovered |
//! | `journal` | `durable` | journals on disk and in memory, and how to write another |
//! | `cloud_events` | `cloud-events` | events as CloudEvents 1.0 has them |
//! | `http` | `http` | the HTTP front |
//! | `broker` | `broker` | events from brokers and to them: the contract of their clients |
//! | [`engine`] | | the state machine of events; [`engine::facts`] is what survives of it |
//! | [`node`] | | the state machine of everything else |
//!
//! Feature `json` adds handlers that take types of yours (`Builder::on_json`). Feature `unstable` adds the format of
//! journals, their inspection, and the test suites for stores and for clients of brokers of your own; it may change in
//! any release. The program `eventful` is a package of its own, `eventful-server`.
//!
//! # Promises
//!
//! The README lists the promises P1 to P11, each with the test that defends it. One of them matters before you
//! write a handler: delivery is **at least once**. A crash between a handler's side effect and its recorded outcome
//! runs the handler again. Every attempt carries its key, number and run, so the handler can make its own effects
//! idempotent.

#![no_std]

extern crate alloc;
#[cfg(any(feature = "tokio", feature = "durable", feature = "schedules", test))]
extern crate std;

#[cfg(feature = "broker")]
pub mod broker;
#[cfg(feature = "schedules")]
mod calendar;
#[cfg(feature = "cloud-events")]
pub mod cloud_events;
pub mod engine;
#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "durable")]
pub mod journal;
#[cfg(any(feature = "cloud-events", all(feature = "broker", feature = "tokio")))]
mod key_text;
pub mod node;
#[cfg(feature = "tokio")]
mod runtime;
#[cfg(feature = "tokio")]
mod sync;
#[cfg(any(feature = "cloud-events", all(feature = "broker", feature = "tokio")))]
#[cfg_attr(not(feature = "http"), allow(dead_code, unreachable_pub, reason = "the HTTP front uses the rest"))]
mod texts;

pub use engine::{
    Backoff, Config, Cursor, Digest, Event, Filter, GroupPolicy, Key, Page, RecordView, Status, Timestamp, TypePolicy,
    Unmatched,
};
pub use node::{Notice, ShutdownReport, SubmitError, Submitted, Unavailable, WaitError};
#[cfg(all(feature = "tokio", feature = "durable"))]
pub use runtime::Durability;
#[cfg(feature = "tokio")]
pub use runtime::{Attempt, Builder, Cancellation, Eventful, Failure, Handler, StartError, Subscription};

/// The clock of an engine: the system's, or one that a test sets by hand.
#[cfg(feature = "tokio")]
pub mod clock {
    pub use crate::engine::Timestamp;
    pub use crate::runtime::{Clock, ManualClock, Sleep, SystemClock};
}

/// An engine with a journal: how it is set up, and what it recovered.
#[cfg(all(feature = "tokio", feature = "durable"))]
pub mod durability {
    pub use crate::runtime::{Durability, Recovery, StartDurability};
}

/// Handlers: what they receive, and what they return when they fail.
#[cfg(feature = "tokio")]
pub mod handler {
    pub use crate::runtime::{
        Attempt, Cancellation, Failure, FailureKind, FollowUpError, Handler, Lease, LeaseDesk, NotSettled, Stale,
    };
    #[cfg(feature = "json")]
    pub use crate::runtime::{JsonHandler, json};
}

/// Events at the instants of calendars: what they are, and what becomes of instants that were missed.
pub mod schedules {
    #[cfg(feature = "schedules")]
    pub use crate::calendar::{Cron, InvalidCron};
    pub use crate::engine::{InvalidScheduleName, Overlap, ScheduleCursor, ScheduleName};
    pub use crate::node::{Calendar, InvalidSchedules, Missed, Schedule};
}

/// Counters, gauges, histograms, and whether the engine makes progress.
pub mod metrics {
    pub use crate::engine::{
        FactCounters, Gauges, Histogram, Histograms, Metrics, RejectReason, SweptReason, Tallies, TypeStats,
    };
    pub use crate::node::{JournalState, NotReady, Readiness, Stats};
}

/// Results and errors of an operator's calls: redrive, discard, pause, resume.
pub mod operator {
    pub use crate::node::{DiscardError, PauseError, RedriveError};
    #[cfg(feature = "tokio")]
    pub use crate::runtime::{Discarded, Redriven};
}

/// Several engines behind one handle, among which keys are divided.
#[cfg(feature = "tokio")]
pub mod cluster {
    pub use crate::engine::{InvalidShardCount, Shard, ShardCount};
    #[cfg(feature = "durable")]
    pub use crate::journal::ShardStores;
    pub use crate::runtime::ClusterConfig;
}

/// Runs the examples of the README.
#[cfg(all(doctest, feature = "tokio"))]
#[doc = include_str!("../README.md")]
struct ReadmeExamples;
