//! Durability: what was decided, kept where a crash does not reach it.
//!
//! | module | topic |
//! |---|---|
//! | `frame`, `wire`, `records` | the format: frames, facts, and the records of snapshots |
//! | `store`, `error` | what is asked of a journal: [`JournalStore`], [`Journal`] |
//! | `conformance` | what every journal must keep, as a suite |
//! | `memory` | a journal in memory |
//! | `disk` | a journal on disk |
//! | `intercept` | a journal some of whose calls are changed on their way, to test what uses it: [`Intercept`] |
//! | `inspect` | a journal as an operator looks at it |
//! | `log`, `position`, `pages`, `recovery`, `replaying` | a journal as the engine uses it: appended to, where it goes on, read, and replayed |
//! | `due`, `snapshot`, `merge`, `parts`, `loading` | snapshots: when one is made, in which steps, of what, how it is written, and read |

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

pub use disk::{BackedUp, Claim, DiskStore, LostFrames, OpenMode, Salvaged, Unclaimed, Volume, VolumeFile};
pub use error::{Corrupt, MaintainError, OpenError, ReadError, TooNew, WriteError};
pub use intercept::{Intercept, Intercepted};
pub use log::JournalLog;
pub use memory::MemoryStore;
pub use recovery::{Recovered, RecoveryProgress, recover};
pub use sequence::{Sequence, Shard};
pub use snapshot::Maintained;
pub use store::{Extent, FreeSpace, Journal, JournalStore, Owner};
