//! The runs in flight, as their workers hold them.

use std::sync::Arc;
use std::vec::Vec;

use super::attempt::RunCell;
use crate::engine::RunId;

/// The cells of the runs in flight, each in a slot of its own.
#[derive(Default)]
pub(super) struct Cells {
    slots: Vec<Option<Arc<RunCell>>>,
    free: Vec<usize>,
    inflight: usize,
}

impl Cells {
    /// Runs that the engine counts as in flight.
    pub(super) const fn inflight(&self) -> usize {
        self.inflight
    }

    /// The cells of all runs in flight.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<RunCell>> {
        self.slots.iter().flatten()
    }

    /// Lets go of all cells, and counts them as in flight all the same.
    pub(super) fn release_all(&mut self) -> impl Iterator<Item = Arc<RunCell>> {
        self.slots.iter_mut().filter_map(Option::take)
    }

    pub(super) fn reserve(&mut self) -> usize {
        self.inflight += 1;
        self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        })
    }

    pub(super) fn put(&mut self, cell: &Arc<RunCell>) {
        self.slots[cell.slot] = Some(Arc::clone(cell));
    }

    /// Moves the cells of these runs, no longer in flight, to `out`. Rare, so it may look at all
    /// cells, but only once for all runs.
    pub(super) fn take(&mut self, runs: &mut Vec<RunId>, out: &mut Vec<Arc<RunCell>>) {
        if runs.is_empty() {
            return;
        }
        runs.sort_unstable();
        for (slot, kept) in self.slots.iter_mut().enumerate() {
            if let Some(cell) = kept.take_if(|cell| runs.binary_search(&cell.run).is_ok()) {
                self.inflight -= 1;
                self.free.push(slot);
                out.push(cell);
            }
        }
        runs.clear();
    }

    /// Moves all cells to `out`: no run counts any more.
    #[cfg(feature = "durable")]
    pub(super) fn take_all(&mut self, out: &mut Vec<Arc<RunCell>>) {
        for (slot, kept) in self.slots.iter_mut().enumerate() {
            if let Some(cell) = kept.take() {
                self.inflight -= 1;
                self.free.push(slot);
                out.push(cell);
            }
        }
    }

    pub(super) fn release(&mut self, cell: &RunCell) {
        let slot = &mut self.slots[cell.slot];
        if slot.as_ref().is_some_and(|kept| kept.run == cell.run) {
            *slot = None;
            self.inflight -= 1;
            self.free.push(cell.slot);
        }
    }
}
