//! Durability: decisions are kept where a crash does not reach them.
//!
//! | module | topic |
//! |---|---|
//! | `frame`, `wire`, `wire_event`, `wire_digest` | the format of frames, facts, keys, events and digests |
//! | `records`, `summary` | the format of snapshots: records and downtimes, and the summary at the end |
//! | `store`, `shards` | the interface of a journal ([`JournalStore`], [`Journal`]), and of those of several engines |
//! | `error`, `sequence` | the errors of a journal, numbers of frames |
//! | `conformance` | the rules that every journal must keep, as a suite |
//! | `memory`, `disk` | a journal in memory, and one on disk |
//! | `intercept` | calls of a journal that are changed on their way, to test code that uses it: [`Intercept`] |
//! | `inspect` | a journal as it is, for an operator |
//! | `log`, `position` | the journal of an engine: groups are appended to it, and where it continues |
//! | `recovery`, `replaying`, `pages` | recovery: on two threads, a page of frames at a time |
//! | `due`, `snapshot`, `merge` | snapshots: when one is made, in which steps, out of what |
//! | `parts`, `loading` | the parts of a snapshot, written and read |

#[cfg(feature = "unstable")]
pub mod conformance;
#[cfg(not(feature = "unstable"))]
#[allow(dead_code, unreachable_pub, reason = "public with feature `unstable` only")]
mod conformance;
mod disk;
mod due;
mod error;
#[cfg(feature = "unstable")]
pub mod frame;
#[cfg(not(feature = "unstable"))]
#[allow(dead_code, unreachable_pub, reason = "public with feature `unstable` only")]
mod frame;
#[cfg(feature = "unstable")]
pub mod inspect;
#[cfg(not(feature = "unstable"))]
#[allow(dead_code, unreachable_pub, reason = "public with feature `unstable` only")]
mod inspect;
mod intercept;
mod loading;
mod log;
mod memory;
mod merge;
mod pages;
mod parts;
mod position;
mod records;
mod recovery;
mod replaying;
mod sequence;
mod shards;
mod snapshot;
mod store;
mod summary;
#[cfg(feature = "unstable")]
pub mod wire;
#[cfg(not(feature = "unstable"))]
#[allow(dead_code, unreachable_pub, reason = "public with feature `unstable` only")]
mod wire;
mod wire_digest;
#[cfg_attr(not(feature = "unstable"), allow(unreachable_pub, reason = "`wire` shows its error"))]
mod wire_event;

pub use crate::engine::Shard;
pub use disk::{BackedUp, Claim, DiskShards, DiskStore, LostFrames, OpenMode, Salvaged, Unclaimed, Volume, VolumeFile};
pub use error::{Corrupt, MaintainError, OpenError, ReadError, TooNew, WriteError};
pub use intercept::{Intercept, Intercepted};
pub use log::JournalLog;
pub use memory::MemoryStore;
pub use recovery::{Recovered, RecoveryProgress, recover};
pub use sequence::Sequence;
pub use shards::ShardStores;
pub use snapshot::Maintained;
pub use store::{Extent, FreeSpace, Journal, JournalStore, Owner};
