//! Journals of eventful engines in PostgreSQL.
//!
//! [`PostgresStore`] is a [`JournalStore`](eventful::journal::JournalStore): the engine appends each group of facts as one row, in a
//! transaction of its own, and acknowledges nothing before the server has. [`init`] makes the schema, [`check`] reads what the
//! server promises, [`role_script`] gives a role the rights that a node needs. [`PostgresShards`] has the journals of all
//! shards of a schema, for `Eventful::cluster`.
//!
//! ```no_run
//! use eventful::journal::{JournalStore, Owner, Shard};
//! use eventful_postgres::{Database, PostgresStore};
//!
//! let database: Database = "postgresql://app@db.example/orders?sslmode=require".parse()?;
//! let node = "72d3162e-cc78-11e3-81ab-4c9367dc0958".parse()?;
//! let mut store = PostgresStore::new(database, Shard::new(0), node);
//! let journal = store.open(&Owner::new("process 4242 on host blue"))?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! ## How an append stays exact
//!
//! An append names shard, term and sequence, and inserts only where the shard still has this term: an owner that was
//! fenced writes nothing. When its result is lost, or the server warns that it has not waited for its
//! standby, the same bytes are appended at the same sequence again: a row that is there with the same bytes is durable,
//! with other bytes it is another owner's. It is repeated for one lease time; only then is the outcome unknown. Nothing
//! depends on the state of a session, so a pooler in transaction mode may stand between.
//!
//! | module | topic |
//! |---|---|
//! | `store`, `opening`, `journal` | the store, the opening of a journal with its fence, an open one |
//! | `leftovers` | rows that were trimmed, and are taken away |
//! | `shards` | the stores of all shards |
//! | `membership` | which node serves which shard, decided without I/O |
//! | `cluster` | a node of a cluster: its beats, and the engines that it opens and closes |
//! | `statements`, `columns` | the SQL of a journal, and numbers as the tables have them |
//! | `link`, `session`, `blocking` | statements that are repeated, one connection, the thread that waits |
//! | `schema`, `settings` | the schema and its rights; what the settings of a server promise |
//! | `banner` | the lines that a program prints about both |
//! | `database`, `tls`, `node_id` | the address of a database; connections with TLS; the identity of a node |

mod banner;
mod blocking;
mod cluster;
mod columns;
mod database;
mod journal;
mod leftovers;
mod link;
mod membership;
mod node_id;
mod opening;
mod schema;
mod session;
mod settings;
mod shards;
mod statements;
mod store;
#[cfg(feature = "tls")]
mod tls;

pub use banner::banner;
pub use cluster::{
    ClusterNode, ClusterStatus, HostFuture, Left, MemberConfig, NodeStatus, ShardHost, ShardOwner, Survey,
};
pub use database::{Database, UrlError};
pub use node_id::{InvalidNodeId, NodeId};
pub use schema::{Checked, SchemaError, check, init, role_script};
pub use settings::{CurrentGuarantee, Guarantee, ServerSettings};
pub use shards::PostgresShards;
pub use store::PostgresStore;
