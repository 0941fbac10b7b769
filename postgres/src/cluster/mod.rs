//! A node of a cluster: it joins, opens the engines of the shards that fall to it, and closes those that do not any more.
//!
//! | file | topic |
//! |---|---|
//! | `node`, `config`, `host` | a node that has joined, its settings, and the engines that it opens and closes |
//! | `driver` | the task that does what the membership decides |
//! | `roster` | the statements about nodes and owners |
//! | `status`, `survey` | the owners as a node knows them, and as others read them |

mod config;
mod driver;
mod host;
mod node;
mod roster;
mod status;
mod survey;

pub use config::MemberConfig;
pub use driver::Left;
pub use host::{HostFuture, ShardHost};
pub use node::ClusterNode;
pub use status::{ClusterStatus, NodeStatus, ShardOwner};
pub use survey::Survey;
