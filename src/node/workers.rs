//! Permits and their holders: one worker for each permit, one run at a time.

use alloc::vec::Vec;
use core::num::NonZeroUsize;
use core::time::Duration;

use crate::engine::{RunId, Timestamp};

/// A worker that holds a permit. Its number is used again when it has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkerId(usize);

impl WorkerId {
    /// Returns its number, smaller than the configured concurrency.
    pub const fn number(self) -> usize {
        self.0
    }
}

/// Permits and their holders.
#[derive(Debug)]
pub(super) struct Workers {
    limit: usize,
    slots: Vec<PermitUse>,
    free: Vec<usize>,
    /// The number of runs that count.
    inflight: usize,
    /// The number of runs that are asked for and have not come, where each must be asked for.
    wanted: Option<usize>,
    /// The number of runs that were asked for, have begun, and have not come to those who asked.
    on_way: usize,
}

/// The use of a permit by its holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum PermitUse {
    /// Free: no one holds the permit.
    Free,
    /// Works on a run that counts. `on_way`: it was asked for, and has not come to those who asked.
    Running { run: RunId, on_way: bool },
    /// Was cancelled, and has not ended.
    Stopped { run: RunId, since: Timestamp },
}

impl Workers {
    pub(super) const fn new(limit: NonZeroUsize) -> Self {
        Self { limit: limit.get(), slots: Vec::new(), free: Vec::new(), inflight: 0, wanted: None, on_way: 0 }
    }

    /// Returns the number of runs in flight that count.
    pub(super) const fn inflight(&self) -> usize {
        self.inflight
    }

    /// Returns the number of workers that hold a permit.
    pub(super) const fn held(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Returns the number of permits that no worker holds.
    pub(super) const fn permits_free(&self) -> usize {
        self.limit.saturating_sub(self.held())
    }

    /// Returns whether a run may begin: a permit is free, and the run is asked for where it must be.
    pub(super) fn may_begin(&self) -> bool {
        self.permits_free() > 0 && !self.is_unasked()
    }

    /// Sets how many runs are asked for and have not come, where each must be asked for. Those on their way are among
    /// them.
    pub(super) const fn want(&mut self, runs: usize) {
        self.wanted = Some(runs);
    }

    /// Returns whether no run may begin because no more are asked for than are on their way.
    pub(super) fn is_unasked(&self) -> bool {
        self.wanted.is_some_and(|wanted| wanted <= self.on_way)
    }

    /// Returns the number of runs that were asked for and are on their way to those who asked.
    pub(super) const fn on_way(&self) -> usize {
        self.on_way
    }

    /// Records that a run has come to those who asked for it.
    pub(super) fn arrive(&mut self, worker: WorkerId, run: RunId) {
        // Unless it was stopped on its way, and its worker has another run by now.
        if let Some(PermitUse::Running { run: held, on_way }) = self.slots.get_mut(worker.0)
            && *held == run
        {
            self.on_way -= usize::from(core::mem::take(on_way));
        }
    }

    /// Gives a permit to a worker for this run.
    pub(super) fn begin(&mut self, run: RunId) -> WorkerId {
        let on_way = self.wanted.is_some();
        self.on_way += usize::from(on_way);
        self.inflight += 1;
        // The worker that ended last, because its memory is likely to be in the cache.
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(PermitUse::Free);
            self.slots.len() - 1
        });
        self.slots[slot] = PermitUse::Running { run, on_way };
        WorkerId(slot)
    }

    /// Takes the permit back from the worker of this run. Returns whether it had one.
    pub(super) fn end(&mut self, worker: WorkerId, run: RunId) -> bool {
        let Some(slot) = self.slots.get_mut(worker.0) else { return false };
        match *slot {
            PermitUse::Running { run: held, on_way } if held == run => {
                self.inflight -= 1;
                self.on_way -= usize::from(on_way);
            }
            // It was taken out of the runs that count when it was stopped.
            PermitUse::Stopped { run: held, .. } if held == run => {}
            PermitUse::Free | PermitUse::Running { .. } | PermitUse::Stopped { .. } => return false,
        }
        *slot = PermitUse::Free;
        self.free.push(worker.0);
        true
    }

    /// Stops the workers of runs that no longer count, and adds them to `cancelled` in the same order. Rare, so it
    /// may visit all workers, but only once for all runs: a shutdown stops all of them.
    pub(super) fn stop(&mut self, now: Timestamp, runs: &[RunId], cancelled: &mut Vec<WorkerId>) {
        // Sorted once, so that each worker is one binary search instead of a scan.
        let mut wanted: Vec<_> = runs.iter().copied().zip(0..).collect();
        wanted.sort_unstable();
        let place = |run: RunId| wanted.binary_search_by_key(&run, |(run, _)| *run).ok().map(|at| wanted[at].1);
        let mut found: Vec<(usize, WorkerId)> = Vec::with_capacity(runs.len());
        for (number, slot) in self.slots.iter_mut().enumerate() {
            if let PermitUse::Running { run, on_way } = *slot
                && let Some(place) = place(run)
            {
                // It keeps its permit until the handler has yielded, as that still takes its share of the machine.
                *slot = PermitUse::Stopped { run, since: now };
                self.on_way -= usize::from(on_way);
                found.push((place, WorkerId(number)));
            }
        }
        self.inflight -= found.len();
        found.sort_unstable();
        cancelled.extend(found.into_iter().map(|(_, worker)| worker));
    }

    /// Stops all runs: none counts any more.
    pub(super) fn stop_all(&mut self, now: Timestamp, cancelled: &mut Vec<WorkerId>) {
        for (number, slot) in self.slots.iter_mut().enumerate() {
            if let PermitUse::Running { run, .. } = *slot {
                *slot = PermitUse::Stopped { run, since: now };
                cancelled.push(WorkerId(number));
            }
        }
        (self.inflight, self.on_way) = (0, 0);
    }

    /// Returns all workers that work on a run.
    pub(super) fn running(&self) -> impl Iterator<Item = WorkerId> + '_ {
        self.slots.iter().enumerate().filter_map(|(number, slot)| match slot {
            PermitUse::Running { .. } => Some(WorkerId(number)),
            PermitUse::Free | PermitUse::Stopped { .. } => None,
        })
    }

    /// Counts the workers that were cancelled at least `grace` ago and have not ended.
    pub(super) fn stopped(&self, now: Timestamp, grace: Duration) -> usize {
        // The usual case: no stopped run holds a permit.
        if self.inflight == self.held() {
            return 0;
        }
        let is_late =
            |slot: &&PermitUse| matches!(slot, PermitUse::Stopped { since, .. } if now.since(*since) >= grace);
        self.slots.iter().filter(is_late).count()
    }

    /// Adds to a hash what decides their further course.
    #[cfg(feature = "sim")]
    pub(super) fn fingerprint(&self, hasher: &mut impl core::hash::Hasher) {
        core::hash::Hash::hash(&(&self.slots, &self.free), hasher);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Epoch;

    const NOW: Timestamp = Timestamp::from_micros(1_000_000);
    const GRACE: Duration = Duration::from_secs(1);

    fn run(number: u64) -> RunId {
        RunId::new(Epoch::new(1), number)
    }

    #[test]
    fn cancelled_worker_holds_its_permit_until_it_ends() {
        let mut workers = Workers::new(NonZeroUsize::MIN);
        let (worker, mut cancelled) = (workers.begin(run(1)), Vec::new());
        workers.stop(NOW, &[run(1)], &mut cancelled);
        assert_eq!((cancelled, workers.inflight(), workers.permits_free()), (alloc::vec![worker], 0, 0));
        assert_eq!((workers.stopped(NOW, GRACE), workers.stopped(NOW + GRACE, GRACE)), (0, 1));
        assert!(workers.end(worker, run(1)));
        assert_eq!((workers.permits_free(), workers.stopped(NOW + GRACE, GRACE)), (1, 0));
    }

    #[test]
    fn run_that_must_be_asked_for_begins_when_it_is() {
        let mut workers = Workers::new(NonZeroUsize::MIN.saturating_add(2));
        assert!(workers.may_begin());
        workers.want(0);
        assert!(!workers.may_begin() && workers.permits_free() == 3);
        workers.want(2);
        let first = workers.begin(run(1));
        assert!(workers.may_begin());
        let second = workers.begin(run(2));
        assert!(!workers.may_begin() && workers.permits_free() == 1);
        workers.want(2);
        assert!(!workers.may_begin(), "both are on their way");
        for (worker, run) in [(first, run(1)), (first, run(1)), (second, run(9))] {
            workers.arrive(worker, run);
        }
        assert_eq!((workers.on_way(), workers.may_begin()), (1, true), "one has come, and is asked for no more");
        workers.want(1);
        assert!(!workers.may_begin());
        assert!(workers.end(first, run(1)) && !workers.may_begin());
        workers.want(9);
        workers.begin(run(3));
        workers.begin(run(4));
        assert!(!workers.may_begin(), "all permits are in use");
    }

    #[test]
    fn run_that_ends_on_its_way_is_asked_for_again() {
        let mut cancelled = Vec::new();
        for how in 0..3 {
            let mut workers = Workers::new(NonZeroUsize::MIN.saturating_add(2));
            workers.want(1);
            let worker = workers.begin(run(1));
            assert!(!workers.may_begin());
            match how {
                0 => assert!(workers.end(worker, run(1))),
                1 => workers.stop(NOW, &[run(1)], &mut cancelled),
                _ => workers.stop_all(NOW, &mut cancelled),
            }
            workers.arrive(worker, run(1));
            assert_eq!((workers.on_way(), workers.may_begin()), (0, true), "{how}");
            assert_eq!(workers.end(worker, run(1)), how > 0);
            assert_eq!(workers.on_way(), 0);
        }
    }

    #[test]
    fn worker_ends_once_and_only_for_its_own_run() {
        let mut workers = Workers::new(NonZeroUsize::MIN);
        let worker = workers.begin(run(1));
        assert!(!workers.end(worker, run(2)));
        assert_eq!((workers.inflight(), workers.permits_free()), (1, 0));
        assert!(workers.end(worker, run(1)) && !workers.end(worker, run(1)));
        assert_eq!((workers.inflight(), workers.permits_free()), (0, 1));
    }
}
