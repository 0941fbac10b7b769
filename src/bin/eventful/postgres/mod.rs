//! Events kept in PostgreSQL.
//!
//! | module | topic |
//! |---|---|
//! | `options` | the flags of `serve` about a database |
//! | `schema` | `eventful postgres`: makes and checks the schema, prints the rights of a role |
//! | `shards` | the journals that a server opens |

pub(crate) mod options;
pub(crate) mod schema;
pub(crate) mod shards;
