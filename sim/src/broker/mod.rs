//! The broker tier: the intake and the engine that ship, between a simulated broker and a simulated journal.
//!
//! | fault | what a correct intake does |
//! |---|---|
//! | a message is delivered twice, late, or in another order | the second is a duplicate, and acknowledged |
//! | a call or its confirmation is lost | it is made again, or the message comes again |
//! | the time of a delivery ends while it is handled | it is extended before; if that fails, it comes again |
//! | a partition is taken away, or a connection ends | nothing more is said about its deliveries |
//! | the engine has no room | nothing is received; what was received is held, extended, and tried again |
//! | the journal fails, or stalls | what may or may not be durable is submitted again, and not acknowledged |
//! | the engine shuts down, the process dies | what is not durable comes again |
//!
//! | file | part |
//! |---|---|
//! | `tier`, `scenario`, `draw`, `probe` | the tier; scenarios, their random generation, and what runs must reach |
//! | `simulated`, `client` | the broker, and the client that an intake talks to |
//! | `host` | the node with its journal and handlers |
//! | `run`, `parts`, `calls`, `faults` | a run: its steps, what is said between intake and broker, faults |
//! | `oracle` | the promises |

mod calls;
mod client;
mod draw;
mod faults;
mod host;
mod oracle;
mod parts;
mod probe;
mod run;
mod scenario;
mod simulated;
mod tier;

pub use scenario::{
    BrokerFault, BrokerFaultKind, BrokerKind, BrokerScenario, BrokerSetup, BrokerTier, PublishedMessage,
};
