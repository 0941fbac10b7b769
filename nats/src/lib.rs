//! Events from streams of NATS JetStream, and to them.
//!
//! [`NatsSource`] is a [`BrokerSource`](eventful::broker::BrokerSource): each message of a durable pull consumer becomes an
//! event, and is acknowledged once that is durable. [`NatsSink`] is a [`BrokerSink`](eventful::broker::BrokerSink): an
//! event is done once a stream has confirmed it.
//!
//! ```no_run
//! use eventful::Eventful;
//! use eventful::broker::{IntakeConfig, consume};
//! use eventful_nats::{NatsSource, NatsSourceConfig, async_nats};
//!
//! # async fn f(eventful: Eventful) -> Result<(), Box<dyn std::error::Error>> {
//! let client = async_nats::connect("nats://127.0.0.1:4222").await?;
//! let config = NatsSourceConfig::new("ORDERS", "eventful", "dead.orders");
//! let source = NatsSource::open(client, config).await?;
//! consume(&eventful, source, IntakeConfig::default(), std::future::pending()).await?;
//! # Ok(())
//! # }
//! ```
//!
//! ## What becomes of a message
//!
//! A CloudEvent in either mode is the event that it says, with its own source and id. Of other messages:
//!
//! | message | event |
//! |---|---|
//! | header `Nats-Msg-Id` | key: the source and id that it names, as [`message_id`](eventful::broker::message_id) writes them |
//! | no such header | key: id `STREAM:SEQUENCE`, source `jetstream:CREATED` with the time at which the stream was created, so that a new stream of the same name does not repeat the ids of the old one |
//! | header `eventful-type`, else the subject | type |
//! | header `Content-Type` | content type |
//! | payload | payload |
//!
//! | outcome | said to the server |
//! |---|---|
//! | accepted or duplicate, and durable | `+ACK`, confirmed |
//! | conflict, too large, invalid | published to the subject of dead letters and confirmed, then `+TERM`, confirmed |
//! | no room | `+WPI` at half of the consumer's `ack_wait`; later `-NAK` with a delay |
//! | unknown, or the engine shuts down | nothing, or `-NAK` with a delay |
//!
//! | module | topic |
//! |---|---|
//! | `config`, `opening` | the settings of a source; the stream and the consumer, checked before the first message |
//! | `source`, `inlet`, `deliveries`, `connection` | the source; pull requests and what has arrived; deliveries that are open; calls that a lost connection ends |
//! | `reading`, `letters` | messages as events; dead letters as messages |
//! | `sink`, `writing` | events that are published; events as messages |

mod config;
mod connection;
mod deliveries;
mod inlet;
mod letters;
mod opening;
mod reading;
mod sink;
mod source;
mod writing;

pub use async_nats;
pub use config::{MessageForm, NatsSourceConfig};
pub use opening::SourceOpenError;
pub use sink::NatsSink;
pub use source::{LagReader, NatsSource, StreamLag};
