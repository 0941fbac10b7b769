//! A disk without I/O: named files, a cache over them, and the effects of power cuts.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash as _, Hasher as _};

use super::fault::{DiskFault, FaultInjector};
use super::file::SimulatedFile;
use super::sector::SectorFate;
use crate::seeded_rng::Stream;
use crate::state_hash::StateHash;
use crate::tier::Probes;

/// The reason why a disk did not do a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DiskError {
    /// The call failed without details.
    #[error("I/O error")]
    Io,
    /// The disk is full.
    #[error("no space is left on the disk")]
    NoSpace,
    /// There is no such file, or no such place in it.
    #[error("there is no such file, or no such place in it")]
    Missing,
    /// The calling process is dead: it was killed, or the disk stopped.
    #[error("the process is dead")]
    Dead,
}

/// One life of the process that uses a disk. Its handles are invalid in the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskLife(u64);

/// An open file, in one life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskHandle {
    file: u64,
    life: DiskLife,
}

/// The choice of what survives of unsynced changes when the power fails. Exhaustive on purpose: callers choose between
/// both.
#[derive(Debug)]
pub enum UnsyncedLoss<'s> {
    /// A random choice.
    Drawn(&'s mut Stream),
    /// The pending changes, counted from 0, whose bit is set survive, and this many of the pending names.
    Chosen {
        /// A bit for each of [`SimulatedDisk::pending`], the lowest first.
        survivors: u64,
        /// The number of surviving [`SimulatedDisk::pending_names`].
        names: usize,
        /// The fate of the others.
        rest: Rest,
        /// The source of randomness for torn and garbage bytes.
        stream: &'s mut Stream,
    },
}

/// The fate of a sector that does not survive a power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// The sector has its old bytes.
    Lost,
    /// The sector has new bytes in one part and old ones in the other.
    Torn,
    /// The written bytes are garbage.
    Garbage,
}

/// A simulated disk.
#[derive(Debug, Clone)]
pub struct SimulatedDisk {
    pub(super) files: BTreeMap<u64, SimulatedFile>,
    pub(super) next_file: u64,
    pub(super) names: BTreeMap<String, u64>,
    synced_names: BTreeMap<String, u64>,
    pending_names: Vec<Rename>,
    /// The files that were removed last, so that one can return.
    pub(super) removed: Vec<(String, SimulatedFile)>,
    capacity_bytes: u64,
    life: DiskLife,
    operations: u64,
    changes: u64,
    /// The number of changes after which the process is dead.
    stops_at: Option<u64>,
    stalled_micros: u64,
    trouble: FaultInjector,
    pub(super) probes: Probes,
    history: Option<Vec<DiskImage>>,
}

/// Names that change together: the file of each name, if it still has one.
pub(super) type Rename = Vec<(String, Option<u64>)>;

/// A disk before a change.
#[derive(Debug, Clone)]
pub struct DiskImage {
    /// The number of changes done.
    pub changes: u64,
    /// The disk.
    pub disk: SimulatedDisk,
}

impl SimulatedDisk {
    /// Creates an empty disk with this much space, and these faults.
    pub fn new(capacity_bytes: u64, trouble: FaultInjector) -> Self {
        Self {
            files: BTreeMap::new(),
            next_file: 0,
            names: BTreeMap::new(),
            synced_names: BTreeMap::new(),
            pending_names: Vec::new(),
            removed: Vec::new(),
            capacity_bytes,
            life: DiskLife(0),
            operations: 0,
            changes: 0,
            stops_at: None,
            stalled_micros: 0,
            trouble,
            probes: Probes::default(),
            history: None,
        }
    }

    /// Returns the current life of the process.
    pub const fn life(&self) -> DiskLife {
        self.life
    }

    /// Returns the number of calls of any kind.
    pub const fn operations(&self) -> u64 {
        self.operations
    }

    /// Returns the number of calls that may have changed the disk.
    pub const fn changes(&self) -> u64 {
        self.changes
    }

    /// Returns and resets the time that stalls have taken, in microseconds.
    pub fn take_stalled(&mut self) -> u64 {
        core::mem::take(&mut self.stalled_micros)
    }

    /// Returns the faults that have struck.
    pub const fn probes(&self) -> &Probes {
        &self.probes
    }

    /// Returns the faults to come.
    pub const fn trouble(&mut self) -> &mut FaultInjector {
        &mut self.trouble
    }

    /// Returns the free bytes.
    pub fn room(&self) -> u64 {
        self.capacity_bytes.saturating_sub(self.taken())
    }

    /// Returns the bytes that files take.
    pub fn taken(&self) -> u64 {
        self.names.values().filter_map(|file| self.files.get(file)).map(SimulatedFile::len).sum()
    }

    /// Sets the capacity.
    pub const fn resize(&mut self, capacity_bytes: u64) {
        self.capacity_bytes = capacity_bytes;
    }

    /// Kills the process after this many more changes.
    pub const fn stop_after(&mut self, changes: u64) {
        self.stops_at = Some(self.changes.saturating_add(changes));
    }

    /// Returns whether the process can change nothing more.
    pub fn is_stopped(&self) -> bool {
        self.stops_at.is_some_and(|at| self.changes >= at)
    }

    /// Keeps a copy of the disk before each change from now on.
    pub fn keep_history(&mut self) {
        self.history = Some(Vec::new());
    }

    /// Returns the copies.
    pub fn take_history(&mut self) -> Vec<DiskImage> {
        self.history.take().unwrap_or_default()
    }

    /// Returns the number of unsynced changes: lengths and sectors, file by file.
    pub fn pending(&self) -> usize {
        self.files.values().map(SimulatedFile::pending).sum()
    }

    /// Returns the number of unsynced changes of names. They are synced in order.
    pub fn pending_names(&self) -> usize {
        self.pending_names.len()
    }

    /// Kills the process. The cache stays.
    pub fn kill(&mut self) {
        self.probes.fire(DiskFault::Kill);
        self.restart();
    }

    /// Cuts the power, and restores it.
    pub fn power_cut(&mut self, cut: UnsyncedLoss<'_>) {
        self.probes.fire(DiskFault::PowerCut);
        let (names, stream, chosen) = match cut {
            UnsyncedLoss::Drawn(stream) => (stream.index(self.pending_names.len() + 1), stream, None),
            UnsyncedLoss::Chosen { survivors, names, rest, stream } => (names, stream, Some((survivors, rest))),
        };
        let mut bits = chosen.map_or(0, |(survivors, _)| survivors);
        let mut fate = |stream: &mut Stream| {
            let Some((_, rest)) = chosen else { return SectorFate::draw(stream) };
            // Changes beyond 64 have no bit, and so do not survive.
            let survives = bits & 1 == 1;
            bits >>= 1;
            match rest {
                _ if survives => SectorFate::Survives,
                Rest::Lost => SectorFate::Lost,
                Rest::Torn => SectorFate::Torn,
                Rest::Garbage => SectorFate::Garbage,
            }
        };
        for file in self.files.values_mut() {
            file.cut(&mut fate, stream, &mut self.probes);
        }
        self.cut_names(names);
        self.restart();
    }

    fn cut_names(&mut self, survivors: usize) {
        let pending = core::mem::take(&mut self.pending_names);
        if survivors < pending.len() {
            self.probes.fire(DiskFault::NameLost);
        }
        pending.into_iter().take(survivors).for_each(|rename| apply(&mut self.synced_names, &rename));
        self.names = self.synced_names.clone();
        self.sweep_files();
    }

    fn restart(&mut self) {
        // Handles of the life before are refused from now on.
        self.life = DiskLife(self.life.0 + 1);
        self.stops_at = None;
    }

    /// Reads again from the medium what the cache shows differently since a sync failed.
    pub fn evict(&mut self) {
        self.files.values_mut().for_each(SimulatedFile::evict);
    }

    /// Returns a hash of the files that have a name. Disks with equal hashes behave alike after a power cut.
    pub(super) fn contents_hash(&self) -> u64 {
        let mut hash = StateHash::default();
        for (name, file) in &self.names {
            name.hash(&mut hash);
            self.files.get(file).iter().for_each(|file| file.hash_contents(&mut hash));
        }
        hash.finish()
    }

    /// Returns the names of all files.
    pub fn names_now(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(String::as_str)
    }

    /// Drops files without a name, current or after a power cut.
    fn sweep_files(&mut self) {
        let pending = self.pending_names.iter().flatten().filter_map(|(_, file)| file.as_ref());
        let named: BTreeSet<u64> =
            self.names.values().chain(self.synced_names.values()).chain(pending).copied().collect();
        self.files.retain(|id, _| named.contains(id));
    }

    pub(super) fn begin(&mut self, life: DiskLife, changes: bool) -> Result<(), DiskError> {
        // Reads of a stopped disk still succeed: the process dies at its next change.
        if life != self.life || (changes && self.stops_at.is_some_and(|at| self.changes >= at)) {
            return Err(DiskError::Dead);
        }
        if changes && self.history.is_some() {
            let history = self.history.take();
            let moment = DiskImage { changes: self.changes, disk: self.clone() };
            self.history = history.map(|mut history| {
                history.push(moment);
                history
            });
        }
        self.operations += 1;
        self.changes += u64::from(changes);
        Ok(())
    }

    pub(super) fn strike(&mut self, of: &[DiskFault]) -> Option<DiskFault> {
        let fault = self.trouble.draw(of)?;
        self.probes.fire(fault);
        Some(fault)
    }

    pub(super) const fn stall(&mut self, micros: u64) {
        self.stalled_micros = self.stalled_micros.saturating_add(micros);
    }

    pub(super) fn file(&mut self, handle: DiskHandle) -> Result<&mut SimulatedFile, DiskError> {
        self.files.get_mut(&handle.file).ok_or(DiskError::Missing)
    }

    pub(super) const fn rng(&mut self) -> &mut Stream {
        self.trouble.stream()
    }

    pub(super) fn name(&self, name: &str) -> Option<DiskHandle> {
        self.names.get(name).map(|file| DiskHandle { file: *file, life: self.life })
    }

    pub(super) fn list(&self) -> Vec<String> {
        self.names.keys().cloned().collect()
    }

    pub(super) fn create(&mut self, name: &str) -> DiskHandle {
        let file = self.next_file;
        self.next_file += 1;
        self.files.insert(file, SimulatedFile::default());
        self.call(vec![(name.to_owned(), Some(file))]);
        DiskHandle { file, life: self.life }
    }

    /// Changes names.
    pub(super) fn call(&mut self, rename: Rename) {
        apply(&mut self.names, &rename);
        self.pending_names.push(rename);
        self.sweep_files();
    }

    pub(super) fn settle_names(&mut self) {
        self.pending_names.clear();
        self.synced_names = self.names.clone();
        self.sweep_files();
    }
}

impl DiskHandle {
    pub(super) const fn life(self) -> DiskLife {
        self.life
    }

    pub(super) const fn file(self) -> u64 {
        self.file
    }
}

pub(super) fn apply(names: &mut BTreeMap<String, u64>, rename: &Rename) {
    for (name, file) in rename {
        match file {
            Some(file) => names.insert(name.clone(), *file),
            None => names.remove(name),
        };
    }
}
