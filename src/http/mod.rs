//! The HTTP front: accepts events, shows records and numbers, and offers the calls of operators.
//!
//! | module | topic |
//! |---|---|
//! | `server`, `limits`, `listener`, `stall`, `timeouts` | the accept loop and its limits, over any kind of socket |
//! | `preface`, `h2`, `streams` | the version of HTTP of a connection; connections in HTTP/2 |
//! | `tls` | connections in TLS (feature `tls`) |
//! | `calls`, `routes`, `front`, `front_config` | the routes of calls, and the state that all handlers share |
//! | `door`, `hosts`, `cors`, `proxies`, `access`, `access_calls`, `budget` | the checks of hosts, sites and tokens, and a bound on the bytes of all requests |
//! | `submit`, `header_form`, `envelope` | single events, in each form |
//! | `body`, `coding`, `start`, `taken` | bodies, their encoding, the start of a delayed event, the response |
//! | [`sources`] | webhooks as their senders send them, verified |
//! | [`webhook`], `signer` | the identity of an event on its way to another service, and the signature of a delivery |
//! | [`targets`] | targets of deliveries: the number of attempts at once, and circuits |
//! | `batch`, `lines`, `line_results`, `spool` | batches, an event for each line |
//! | `records`, `failures`, `filter`, `operate` | reads of events, failed ones by their cause, and the calls of operators |
//! | `lease` | workers that take events |
//! | `facts`, `fact_log`, `fact_json` | facts as they happen |
//! | `request_trace`, `request_spans` | the trace that an event is part of, and the spans of requests |
//! | `families`, `exposition`, `stats_stream`, `last_event`, `health` | numbers as JSON, once or each second, and as Prometheus text; liveness and readiness |
//! | `ui` | the page for operators |
//! | `problem` | errors, as RFC 9457 has them |
//! | `query`, `path`, [`duration`] | parts of requests and responses |
//!
//! The contract is `openapi.json`, which the server gives out itself.

#[cfg(doctest)]
#[doc = include_str!("../../docs/embed.md")]
struct EmbedPage;

mod access;
mod access_calls;
mod batch;
mod body;
mod budget;
mod calls;
mod coding;
mod cors;
mod door;
pub mod duration;
mod envelope;
mod exposition;
mod fact_json;
mod fact_log;
mod facts;
mod failures;
mod families;
mod filter;
mod front;
mod front_config;
mod h2;
mod header_form;
mod health;
mod hosts;
mod last_event;
mod lease;
mod limits;
mod line_results;
mod lines;
mod listener;
mod operate;
mod path;
mod preface;
mod problem;
mod proxies;
mod query;
mod records;
mod request_spans;
mod request_trace;
mod routes;
mod server;
mod signer;
pub mod sources;
mod spool;
mod stall;
mod start;
mod stats_stream;
mod streams;
mod submit;
mod taken;
pub mod targets;
mod timeouts;
#[cfg(feature = "tls")]
mod tls;
mod ui;
pub mod webhook;

pub use crate::texts::rfc3339;
pub use access::{Access, AccessConfig};
pub use cors::{InvalidOrigin, Origin};
pub use front_config::FrontConfig;
pub use hosts::{Host, InvalidHost};
pub use limits::Limits;
pub use listener::Listener;
pub use proxies::{InvalidNetwork, Network};
pub use request_spans::{RequestRoute, RequestSpan, RequestTracer};
pub use routes::router;
pub use server::serve;
pub use signer::{InvalidSigningKey, Signer};
#[cfg(feature = "tls")]
pub use tls::{InvalidTls, Tls, TlsFiles, TlsIo, TlsListener};
