//! The journals of several engines in one directory: a directory in it for each, whose name says of how many it is one.

use std::boxed::Box;
use std::path::PathBuf;
use std::string::{String, ToString as _};
use std::vec::Vec;

use super::super::error::OpenError;
use super::super::shards::ShardStores;
use super::super::store::JournalStore;
use super::directory::Directory;
use super::opening::refused;
use super::volume::Volume as _;
use super::{DiskStore, marker, segment, shard_names};
use crate::engine::{Shard, ShardCount};

/// The journals of all shards, in one directory.
///
/// ```no_run
/// use eventful::cluster::ClusterConfig;
/// use eventful::journal::DiskShards;
/// use eventful::{Durability, Eventful};
///
/// let journals = DiskShards::new("/var/lib/eventful").max_bytes(10 << 30);
/// let builder = Eventful::cluster(ClusterConfig::new(4).journals(journals, Durability::default()));
/// ```
///
/// Opening them makes the directory if there is none (mode 0700), in an existing parent, and in it one for each shard,
/// such as `shard-2-of-4`. Refused are: a directory with the journals of another number of shards, or with the journal of
/// one engine ([`OpenError::OtherShards`]), and one in which the directory of a shard is missing while another shard has
/// its journal ([`OpenError::Gone`]).
#[derive(Debug, Clone)]
pub struct DiskShards {
    directory: PathBuf,
    max_bytes: u64,
}

impl DiskShards {
    /// The journals in this directory.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into(), max_bytes: u64::MAX }
    }

    /// Bounds the bytes that the files of all journals together take: each may take its part. By default only the room on
    /// the disk bounds them.
    #[must_use]
    pub const fn max_bytes(mut self, max_bytes: u64) -> Self {
        self.max_bytes = max_bytes;
        self
    }

    fn directory(&self, shard: Shard, shards: ShardCount) -> PathBuf {
        self.directory.join(shard_names::name(shard, shards))
    }

    fn store(&self, shard: Shard, shards: ShardCount) -> DiskStore {
        let store = DiskStore::new(self.directory(shard, shards));
        match self.max_bytes {
            u64::MAX => store,
            // Each has its part, so that all together keep the bound.
            max_bytes => store.max_bytes(max_bytes / u64::from(shards.number())),
        }
    }

    /// Makes the directories that are missing, unless that would hide that one was lost. All are there before the first
    /// journal is made.
    fn make(&self, shards: ShardCount) -> Result<(), OpenError> {
        let directory = Directory::new(self.directory.clone());
        let place = directory.place();
        let names = directory.make().and_then(|_| directory.names()).map_err(|error| refused(&place, &error))?;
        let is_journal = |name: &String| segment::number(name).is_some() || name == marker::FORMAT;
        // The journal of one engine is in the directory itself, and not in one for a shard.
        let of_one = names.iter().any(is_journal).then_some(1);
        let found = of_one.into_iter().chain(names.iter().filter_map(|name| shard_names::count(name)));
        if let Some(found) = found.into_iter().find(|found| of_one.is_some() || *found != shards.number()) {
            return Err(OpenError::OtherShards { place, found, wanted: shards.number() });
        }
        let (there, missing): (Vec<_>, Vec<_>) =
            shards.shards().partition(|shard| names.contains(&shard_names::name(*shard, shards)));
        let Some(first) = missing.first() else { return Ok(()) };
        for shard in there {
            // Directories without a journal are no loss: a crash in the loop below leaves some of them.
            if DiskStore::is_in(self.directory(shard, shards))? {
                return Err(OpenError::Gone {
                    place: self.directory(*first, shards).display().to_string(),
                    problem: std::format!("its directory is missing, while shard {shard} has its journal"),
                    marker: "the directories of all shards".into(),
                });
            }
        }
        for shard in missing {
            let directory = Directory::new(self.directory(shard, shards));
            directory.make().map_err(|error| refused(&directory.place(), &error))?;
        }
        Ok(())
    }
}

impl ShardStores for DiskShards {
    fn stores(self: Box<Self>, shards: ShardCount) -> Result<Vec<Box<dyn JournalStore>>, OpenError> {
        self.make(shards)?;
        Ok(shards.shards().map(|shard| Box::new(self.store(shard, shards)) as Box<dyn JournalStore>).collect())
    }
}
