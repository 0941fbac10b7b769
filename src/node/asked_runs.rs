//! Runs that start only when they are asked for.
//!
//! ```text
//! asked for ──start──▶ on its way ──arrive──▶ with those who asked
//! ```
//!
//! A run on its way may wait for its start to be durable. It was asked for once: another one begins in its place only when
//! it ends on its way.

use super::Node;
use super::actions::Waiter;
use super::workers::WorkerId;
use crate::engine::RunId;

impl Node {
    /// Sets how many runs are asked for and have not [come](Self::arrive). From the first call on, each must be asked for:
    /// workers that take runs when they have time for them start none before.
    pub fn want_runs(&mut self, runs: usize) {
        self.workers.want(runs);
    }

    /// Records that a run has come to those who asked for it. Together with [`Node::want_runs`], in one hold of the
    /// lock, in either order.
    pub fn arrive(&mut self, worker: WorkerId, run: RunId) {
        self.workers.arrive(worker, run);
    }

    /// Returns whether a run that was asked for is on its way, or about to start. The waiter is woken once none is any
    /// more.
    pub fn await_runs(&mut self, waiter: Waiter) -> bool {
        let is_coming = self.brings_runs();
        if is_coming {
            self.askers.insert(waiter);
        }
        is_coming
    }

    /// Ends a waiter's wait for runs.
    pub fn stop_asking(&mut self, waiter: Waiter) {
        self.askers.remove(&waiter);
    }

    /// Wakes those who wait for runs, when none is coming any more.
    pub(super) fn release_askers(&mut self) {
        if !self.askers.is_empty() && !self.brings_runs() {
            let askers = core::mem::take(&mut self.askers);
            self.pending.edit().wake.extend(askers);
        }
    }

    fn brings_runs(&self) -> bool {
        self.workers.on_way() > 0 || self.may_start() && self.workers.may_begin() && self.channel.has_news()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Config, Engine, Event, Key, Outcome, Output, Status, Timestamp};
    use crate::node::{Launch, RunBatch, Start};
    use alloc::vec::Vec;

    const NOW: Timestamp = Timestamp::from_micros(1_000_000);
    const ASKER: Waiter = Waiter::new(7);

    /// Returns a node with three waiting events, of which none is asked for.
    fn node() -> Node {
        let mut out = Output::new();
        let engine = Engine::new(Config::default(), NOW, &mut out).expect("the default is valid");
        let mut node = Node::in_memory(NOW, engine, out);
        for id in ["0", "1", "2"] {
            node.submit(NOW, Event::with_id(id, "").expect("an event")).expect("it is ready").value.expect("room");
        }
        node.want_runs(0);
        node
    }

    /// Starts all runs that may start.
    fn launched(node: &mut Node) -> Vec<Launch> {
        let (mut runs, mut batch) = (Vec::new(), RunBatch::default());
        while node.start(NOW, &mut batch) == Start::Runs {
            runs.extend(batch.launches());
        }
        runs
    }

    fn settle(node: &mut Node, launch: &Launch) -> Option<Status> {
        let settled = node.settle_shown(NOW, (launch.worker, launch.run.id), Outcome::Done);
        settled.expect("it is ready").value
    }

    #[test]
    fn run_that_must_be_asked_for_starts_when_it_is() {
        let mut node = node();
        assert_eq!((launched(&mut node).len(), node.actions(NOW).dispatch), (0, false));
        let why = node.explain(NOW, &Key::new("", "0").expect("a key")).expect("it waits");
        assert!(why.contains("No worker asks for an event"), "{why}");
        node.want_runs(2);
        assert!(node.actions(NOW).dispatch);
        let runs = launched(&mut node);
        assert_eq!(runs.len(), 2);
        runs.iter().for_each(|launch| node.arrive(launch.worker, launch.run.id));
        node.want_runs(0);
        assert_eq!(settle(&mut node, &runs[0]), Some(Status::Completed));
        assert_eq!(settle(&mut node, &runs[0]), None, "it no longer counts");
        assert_eq!(launched(&mut node).len(), 0, "a permit that is free is not asked for");
    }

    #[test]
    fn run_on_its_way_is_not_started_a_second_time() {
        let mut node = node();
        node.want_runs(1);
        let runs = launched(&mut node);
        node.want_runs(1);
        assert_eq!((runs.len(), launched(&mut node).len()), (1, 0));
        node.settle(NOW, runs[0].worker, runs[0].run.id, Some(Outcome::NotCalled));
        assert!(node.actions(NOW).dispatch, "it has not come");
        assert_eq!(launched(&mut node).len(), 1);
    }

    #[test]
    fn asker_is_woken_once_no_run_is_coming() {
        let mut node = node();
        assert!(!node.await_runs(ASKER));
        node.want_runs(1);
        assert!(node.await_runs(ASKER), "one is about to start");
        let runs = launched(&mut node);
        assert!(node.await_runs(ASKER), "it is on its way");
        assert_eq!(node.actions(NOW).wake, []);
        node.arrive(runs[0].worker, runs[0].run.id);
        node.want_runs(0);
        assert_eq!(node.actions(NOW).wake, [ASKER]);

        node.want_runs(1);
        assert!(node.await_runs(ASKER));
        node.pause(NOW).expect("it is ready").value.expect("it runs");
        assert_eq!(node.actions(NOW).wake, [ASKER], "nothing starts during a pause");
        node.resume(NOW).expect("it is ready").value.expect("it runs");
        assert!(node.await_runs(ASKER));
        node.stop_asking(ASKER);
        node.want_runs(0);
        assert_eq!(node.actions(NOW).wake, []);
    }
}
