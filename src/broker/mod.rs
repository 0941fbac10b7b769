//! Brokers: events in from the queues and logs that users already run, and out to them.
//!
//! ```text
//! broker ──receive──▶ submit ──▶ durable ──▶ acknowledge
//!              │         ├ no room: stop receiving; extend, or give back with a delay
//!              │         └ conflict, too large ─┐
//!              └ no event, no id ───────────────┴▶ dead letter ──▶ acknowledge
//! ```
//!
//! [`Intake`] decides, without clock and I/O; `consume` (feature `tokio`) drives it with a [`BrokerSource`] and an
//! `Eventful`; [`PublishEvents`] is a handler that publishes with a [`BrokerSink`]. Clients of brokers are in crates of
//! their own.
//!
//! | file | part |
//! |---|---|
//! | `message`, `letter` | messages and the terms of their delivery; dead letters |
//! | `intake`, `action`, `config` | the decisions about deliveries; what follows from them; bounds and times |
//! | `offsets` | the position that may be committed in each partition of a log |
//! | `source`, `sink` | the interfaces of a broker's client |
//! | `consume`, `monitor` | the driver; its numbers while it runs |
//! | `conformance` | the rules that every client must keep, as a suite |

mod action;
mod config;
#[cfg(all(feature = "tokio", feature = "unstable"))]
pub mod conformance;
#[cfg(feature = "tokio")]
mod consume;
mod intake;
mod letter;
mod message;
#[cfg(feature = "tokio")]
mod monitor;
mod offsets;
#[cfg(feature = "tokio")]
mod sink;
#[cfg(feature = "tokio")]
mod source;

#[cfg(feature = "tokio")]
pub use crate::key_text::{
    InvalidWebhookId, id as message_id, key as key_of_message_id, text as header_text, untext as text_of_header,
};
#[cfg(feature = "tokio")]
pub use crate::texts::trace::{headers as trace_headers, with_trace};
pub use action::{IntakeAction, IntakeCounts, IntakeEnd};
pub use config::IntakeConfig;
#[cfg(feature = "tokio")]
pub use consume::{ConsumeError, consume, consume_monitored};
pub use intake::{CallOutcome, Intake};
pub use letter::{DeadLetter, DeadReason};
pub use message::{DeliveryTag, Message, Partition, Room, Terms, Unfit, UnfitMessage};
#[cfg(feature = "tokio")]
pub use monitor::{IntakeMonitor, IntakeNumbers};
pub use offsets::{Assignment, Offsets};
#[cfg(feature = "tokio")]
pub use sink::{BrokerSink, PublishEvents};
#[cfg(feature = "tokio")]
pub use source::{BrokerSource, Received, SourceError, SourceErrorKind};
