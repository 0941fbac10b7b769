//! The recovery of all journals of an adapter, several at the same time.

use std::boxed::Box;
use std::panic::resume_unwind;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::vec::Vec;

use super::builder::StartError;
use super::durability::{Durability, ProgressCallback};
use super::recovery::Recovery;
use crate::engine::{Config, Shard, ShardCount};
use crate::journal::{JournalStore, Owner, Recovered, RecoveryProgress, recover};

/// The journal of one shard, before it is opened.
pub(super) struct ShardJournal {
    pub(super) store: Box<dyn JournalStore>,
    /// The shard's part of the configuration.
    pub(super) config: Config,
    pub(super) durability: Durability,
}

/// A journal that was opened and replayed.
pub(super) struct RecoveredShard {
    pub(super) journal: ShardJournal,
    pub(super) owner: Owner,
    pub(super) recovered: Recovered,
}

impl RecoveredShard {
    pub(super) fn summary(&self) -> Recovery {
        Recovery::of(&self.recovered.replay)
    }
}

/// Opens and replays all journals, as many at the same time as there are processors. Each must hold events of its own
/// shard only.
pub(super) fn recover_all(
    journals: Vec<ShardJournal>,
    count: ShardCount,
    owner: &Owner,
    report: Option<ProgressCallback>,
) -> Result<Vec<RecoveredShard>, StartError> {
    let progress = Mutex::new(SummedProgress {
        shards: std::vec![RecoveryProgress::default(); journals.len()],
        report: report.unwrap_or_else(|| Box::new(|_| {})),
    });
    let threads = thread::available_parallelism().map_or(1, usize::from).min(journals.len());
    let queue = Mutex::new(count.shards().zip(journals));
    let take = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || {
        let mut recovered = Vec::new();
        while let Some((shard, journal)) = take() {
            let mut show = |own| progress.lock().unwrap_or_else(PoisonError::into_inner).update(shard, own);
            match recover_shard(journal, shard, count, owner, &mut show) {
                Ok(journal) => recovered.push((shard, journal)),
                Err(error) => {
                    // The start is refused: no other journal need be read.
                    while take().is_some() {}
                    return Err(error);
                }
            }
        }
        Ok::<_, StartError>(recovered)
    };
    let mut recovered = thread::scope(|scope| {
        // This thread works, too, so that one shard needs no other, and a system that gives none is only slower.
        let helpers: Vec<_> =
            (1..threads).filter_map(|_| thread::Builder::new().spawn_scoped(scope, work).ok()).collect();
        // An early return joins the helpers, too: the scope does not end before they have.
        let mut all = work()?;
        for helper in helpers {
            all.extend(helper.join().unwrap_or_else(|panic| resume_unwind(panic))?);
        }
        Ok::<_, StartError>(all)
    })?;
    // Threads end in any order, and the number of a shard is its place in the list.
    recovered.sort_unstable_by_key(|(shard, _)| *shard);
    Ok(recovered.into_iter().map(|(_, recovered)| recovered).collect())
}

fn recover_shard(
    mut journal: ShardJournal,
    shard: Shard,
    shards: ShardCount,
    owner: &Owner,
    show: &mut dyn FnMut(RecoveryProgress),
) -> Result<RecoveredShard, StartError> {
    let snapshot_after = journal.durability.snapshot_after_bytes;
    let recovered = recover(&mut *journal.store, owner, &journal.config, snapshot_after, show)?;
    match recovered.replay.misplaced(shards, shard) {
        None => Ok(RecoveredShard { journal, owner: owner.clone(), recovered }),
        Some(key) => Err(StartError::OtherShard { shard, belongs: shards.shard_of(&key), key, shards }),
    }
}

/// The progress of all recoveries together.
struct SummedProgress {
    shards: Vec<RecoveryProgress>,
    report: ProgressCallback,
}

impl SummedProgress {
    fn update(&mut self, shard: Shard, progress: RecoveryProgress) {
        self.shards[usize::from(shard.number())] = progress;
        let mut sum = RecoveryProgress::default();
        self.shards.iter().for_each(|progress| sum.add(progress));
        (self.report)(sum);
    }
}
