//! The HTTP front: takes events in, shows records and numbers, and lets operators act.
//!
//! | module | topic |
//! |---|---|
//! | `server`, `limits`, `listener`, `stall`, `timeouts` | the accept loop and its limits, over any kind of socket |
//! | `calls`, `routes`, `front`, `front_config` | which call goes where, and what all have at hand |
//! | `door`, `hosts`, `access`, `budget` | who is let in, and how many bytes all may hold |
//! | `submit`, `header_form`, `envelope`, `cloud_events`, `members`, `taken`, `body`, `coding` | one event in |
//! | [`sources`] | events as their senders send them, verified |
//! | [`webhook`], `signer` | what identifies an event on its way to another service, and who sent it |
//! | `batch`, `lines`, `line_results`, `spool` | many events in, a line each |
//! | `records`, `operate` | reading events, and acting on them |
//! | `families`, `exposition`, `health` | numbers as JSON and as Prometheus text; is it alive |
//! | `problem` | errors, as RFC 9457 has them |
//! | `query`, `path`, `rfc3339` | words of requests and responses |
//!
//! The contract is `openapi.json`, which the server gives out itself.

mod access;
mod base64;
mod batch;
mod body;
mod budget;
mod calls;
mod cloud_events;
mod coding;
mod door;
pub mod duration;
mod envelope;
mod exposition;
mod families;
mod filter;
mod front;
mod front_config;
mod header_form;
mod health;
mod hosts;
mod limits;
mod line_results;
mod lines;
mod listener;
mod members;
mod operate;
mod path;
mod problem;
mod query;
mod records;
mod rfc3339;
mod routes;
mod server;
mod signer;
pub mod sources;
mod spool;
mod stall;
mod start;
mod submit;
mod taken;
mod timeouts;
pub mod webhook;

pub use access::{Access, AccessConfig};
pub use front_config::FrontConfig;
pub use hosts::{Host, InvalidHost};
pub use limits::Limits;
pub use listener::Listener;
pub use routes::router;
pub use server::serve;
pub use signer::{InvalidSigningKey, Signer};
