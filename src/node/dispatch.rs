//! The start and the settlement of runs.

use super::Node;
use super::admission::Decided;
use super::batch::{Launch, RunBatch};
use super::channel::{ChannelGone, TicketChannel};
use super::pace::LeaderState;
use super::unavailable::Unavailable;
use super::workers::WorkerId;
use crate::engine::{Answer, Command, Outcome, Phase, RunId, Status, Timestamp};

/// The result of the dispatcher's request for runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "runs that have started must be worked on"]
pub enum Start {
    /// Some have started, for one task.
    Runs,
    /// None can start now. The dispatcher is woken when one can.
    Wait,
    /// A task leads, and starts what comes. It is to be checked again then, and before if the dispatcher is woken.
    Led(Timestamp),
    /// The task that led is held up: its runs that were not called are to be given to other tasks.
    Stalled,
    /// The channel has lost its receiver: the dispatcher must be started again, with a new one.
    ChannelGone,
    /// None will start any more.
    End,
}

impl Node {
    /// Starts the runs of the next tickets that have a record, when there are permits: one, or several while handlers
    /// are quick. While nothing may start, tickets stay where they are and keep their order.
    pub fn start(&mut self, now: Timestamp, batch: &mut RunBatch) -> Start {
        let start = match (self.pace.watch(now), self.unavailable()) {
            // First of all: the runs of a leader that is held up must not wait for the journal or for a shutdown.
            (LeaderState::Stalled, _) => Start::Stalled,
            (LeaderState::Leads(until), _) => Start::Led(until),
            (LeaderState::Absent, _) if self.shutdown.is_some() => Start::End,
            (LeaderState::Absent, Some(why)) if why.is_temporary() => Start::Wait,
            (LeaderState::Absent, Some(_)) => Start::End,
            (LeaderState::Absent, None) => match self.launch_batch(now, batch) {
                Err(ChannelGone) => Start::ChannelGone,
                Ok(()) if batch.len() == 0 => Start::Wait,
                Ok(()) => Start::Runs,
            },
        };
        self.pace.set_watched(matches!(start, Start::Led(_)));
        self.dispatcher_waits = matches!(start, Start::Wait | Start::Led(_));
        start
    }

    /// Starts the run of the next ticket, if there is one and a permit.
    fn launch(&mut self, now: Timestamp) -> Result<Option<Launch>, ChannelGone> {
        // A ticket without a record costs no permit, so the loop goes to the next one.
        while self.may_start() && self.workers.may_begin() {
            let Some(ticket) = self.channel.take(&self.probe)? else { break };
            if let Answer::Running(run) = self.execute(now, Command::Start(ticket)) {
                let worker = self.workers.begin(run.id);
                // The LSN after the start was decided: it contains the fact of the start.
                return Ok(Some(Launch { worker, run, lsn: self.commits.tail() }));
            }
        }
        Ok(None)
    }

    pub(super) fn may_start(&self) -> bool {
        self.engine.phase() == Phase::Running && !self.engine.is_paused()
    }

    /// Settles the run of a worker, which has ended with this outcome; without one when the run was stopped. Its
    /// permit is free again. Returns the status to which the outcome leads, if it counts.
    pub fn settle(&mut self, now: Timestamp, worker: WorkerId, run: RunId, outcome: Option<Outcome>) -> Option<Status> {
        // Only for the run that the worker holds: a cancellation that is pending for it must not hit its next run.
        if self.workers.end(worker, run) {
            self.pending.spare(worker);
        }
        // The permit is free in any case; an outcome counts only for the engine that started the run.
        let outcome = self.with_room(now, outcome.filter(|_| self.unavailable().is_none())?);
        let answer = self.execute(now, Command::Settle { run, outcome });
        if let Answer::Settled(status) = answer { Some(status) } else { None }
    }

    /// Returns the outcome for the engine, which knows no journal: while that has no room for the follow-ups of a run, its
    /// event waits as it does for any other bound.
    fn with_room(&self, now: Timestamp, outcome: Outcome) -> Outcome {
        let Outcome::DoneWith { then } = &outcome else { return outcome };
        match self.journal_refuses_any(now, then) {
            Some(bound) => Outcome::no_room(bound, self.config().overload_retry_after),
            None => outcome,
        }
    }

    /// As [`Node::settle`], with the LSN that must be durable before the status is shown.
    ///
    /// # Errors
    ///
    /// [`Unavailable`]
    pub fn settle_shown(
        &mut self,
        now: Timestamp,
        (worker, run): (WorkerId, RunId),
        outcome: Outcome,
    ) -> Result<Decided<Option<Status>>, Unavailable> {
        self.ready()?;
        let value = self.settle(now, worker, run, Some(outcome));
        Ok(Decided { value, lsn: self.commits.tail() })
    }

    /// Settles the runs that a task has ended, frees their permits, and starts further runs for the same task: several
    /// while handlers are quick. Without any the task is to end.
    pub fn settle_and_start(&mut self, now: Timestamp, batch: &mut RunBatch) {
        self.settle_batch(now, batch);
        // Before new runs are started, as it sets how many.
        self.pace.judge(batch.was_quick(now), self.most_at_once());
        let is_ready = self.shutdown.is_none() && self.unavailable().is_none();
        let others_lead = self.pace.is_led() && !self.pace.is_leader(batch.lead());
        // A second task with several runs would only compete with the leader for cache lines.
        if is_ready && !(others_lead && self.pace.size() > 1) {
            // The dispatcher notices by itself that a receiver is gone.
            let _ = self.launch_batch(now, batch);
        }
        // The dispatcher starts nothing while a task leads, so a lead that serves nothing ends here.
        if batch.len() == 0 || self.pace.size() == 1 {
            self.pace.step_down(batch.step_down());
        }
    }

    /// Settles the runs that a task has ended, and ends its lead: one of its handlers waits.
    pub fn settle_and_wait(&mut self, now: Timestamp, batch: &mut RunBatch) {
        self.settle_batch(now, batch);
        self.pace.judge(false, 1);
        self.pace.step_down(batch.step_down());
    }

    fn settle_batch(&mut self, now: Timestamp, batch: &mut RunBatch) {
        for ended in batch.ended() {
            ended.status = self.settle(now, ended.worker, ended.run, ended.outcome.take());
        }
    }

    /// Starts as many runs as a task gets at once, or as there are.
    fn launch_batch(&mut self, now: Timestamp, batch: &mut RunBatch) -> Result<(), ChannelGone> {
        while batch.len() < self.pace.size() {
            match self.launch(now) {
                Ok(Some(launch)) => batch.give(launch),
                Ok(None) => break,
                // Runs that have started must reach their task; the next call finds the channel gone.
                Err(gone) if batch.len() == 0 => return Err(gone),
                Err(ChannelGone) => break,
            }
        }
        // One run alone leads only for a task that leads already: otherwise every task would become the leader.
        let leads = batch.len() > 1 || batch.len() == 1 && self.pace.is_leader(batch.lead());
        let lead = if leads { Some(self.pace.lead(now, batch.lead())) } else { batch.lead() };
        batch.complete(now, lead);
        Ok(())
    }

    /// Returns the most runs that one task gets. With a journal one: a handler that kills the process would use up the
    /// attempts of the runs that were started with its own and not called.
    fn most_at_once(&self) -> usize {
        if self.commits.keeps_facts() { 1 } else { self.config().thresholds().runs }
    }

    /// Records that the handler of this run is alive. Returns the run's new deadline, if it still counts.
    pub fn heartbeat(&mut self, now: Timestamp, run: RunId) -> Option<Timestamp> {
        self.ready().ok()?;
        let answer = self.execute(now, Command::Heartbeat(run));
        if let Answer::Alive(deadline) = answer { Some(deadline) } else { None }
    }

    /// Replaces the channel, with the loss of every ticket in it.
    pub(super) fn replace_channel(&mut self, now: Timestamp) {
        // The tickets of an engine that was abandoned are void with it, and the next one gets a channel of its own.
        if self.unavailable().is_none() {
            self.channel = TicketChannel::new(self.engine.config());
            // Tickets in groups that are not durable belong to the old channel, too.
            self.commits.forget_tickets();
            self.execute(now, Command::ChannelLost);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Config, Engine, Event, Output, facts::Replay};
    use crate::node::pace::{QUICK, STALL};
    use crate::node::{CommitLimits, Job, OpenedEngine};
    use alloc::vec::Vec;
    use core::time::Duration;

    const NOW: Timestamp = Timestamp::from_micros(1_000_000);

    fn opened() -> OpenedEngine {
        let mut out = Output::with_facts();
        let engine: Engine = Replay::new(Config::default()).expect("the default is valid").open(NOW, &mut out);
        OpenedEngine { engine, out, room_bytes: u64::MAX, frames: 0 }
    }

    fn limits() -> CommitLimits {
        CommitLimits {
            max_unsynced_bytes: 1 << 20,
            reserve_bytes: 0,
            answer_timeout: Duration::from_secs(1),
            group_bytes: CommitLimits::GROUP_BYTES,
            failures: CommitLimits::FAILURES,
        }
    }

    #[test]
    fn run_is_not_cancelled_for_the_one_that_its_worker_had_before() {
        let mut out = Output::new();
        let engine = Engine::new(Config::default(), NOW, &mut out).expect("the default is valid");
        let mut node = Node::in_memory(NOW, engine, out);
        for id in ["a", "b"] {
            node.submit(NOW, Event::with_id(id, "").expect("an event")).expect("it is ready").value.expect("room");
        }
        let mut batch = RunBatch::default();
        assert_eq!(node.start(NOW, &mut batch), Start::Runs);
        let first = batch.launches().next().expect("a run");
        node.discard(NOW, first.run.event.key().clone()).expect("it is ready").value.expect("it is there");
        batch.end(first.worker, first.run.id, None);
        node.settle_and_start(NOW, &mut batch);
        assert_eq!(batch.launches().map(|launch| launch.worker).collect::<Vec<_>>(), [first.worker]);
        assert_eq!(batch.statuses().collect::<Vec<_>>(), [None]);
        assert_eq!(node.actions(NOW).cancel, []);
    }

    #[test]
    fn dispatcher_is_not_woken_for_an_abandoned_engine() {
        let (mut node, mut facts) = (Node::with_journal(NOW, opened(), limits()), Vec::new());
        node.submit(NOW, Event::with_id("a", "").expect("an event")).expect("it is ready").value.expect("room");
        assert_eq!(node.next_job(NOW, &mut facts), Job::Append);
        node.appended(NOW, u64::MAX, 1);
        assert_eq!(node.engine().gauges().queued, 1, "its ticket is in the channel");
        node.journal_failed(NOW, false);
        assert!(node.actions(NOW).dispatch, "it is to learn of the failure");
        assert_eq!(node.start(NOW, &mut RunBatch::default()), Start::Wait);
        assert!(!node.actions(NOW).dispatch);

        node.journal_opened(NOW, OpenedEngine { frames: 1, ..opened() }).expect("no frame is lost");
        assert!(node.actions(NOW).dispatch);
    }

    #[test]
    fn dispatcher_ends_when_the_journal_is_down_permanently() {
        let mut node = Node::with_journal(NOW, opened(), limits());
        node.journal_failed(NOW, true);
        assert_eq!(node.start(NOW, &mut RunBatch::default()), Start::End);
    }

    /// Returns a node with this many waiting events.
    fn node(events: usize) -> Node {
        let (mut config, mut out) = (Config::default(), Output::new());
        (config.concurrency, config.channel_capacity) =
            (1000.try_into().expect("not zero"), 1000.try_into().expect("not zero"));
        let engine = Engine::new(config, NOW, &mut out).expect("a valid configuration");
        let mut node = Node::in_memory(NOW, engine, out);
        for number in 0..events {
            let event = Event::with_id(&alloc::format!("{number}"), "").expect("an event");
            node.submit(NOW, event).expect("it is ready").value.expect("room");
        }
        node
    }

    /// Returns a task's batch, and the first runs in it.
    fn begin(node: &mut Node, now: Timestamp) -> (RunBatch, Vec<Launch>) {
        let mut batch = RunBatch::default();
        assert_eq!(node.start(now, &mut batch), Start::Runs);
        let runs = batch.launches().collect();
        (batch, runs)
    }

    /// Ends these runs, and returns those that follow.
    fn turn(node: &mut Node, now: Timestamp, batch: &mut RunBatch, runs: Vec<Launch>) -> Vec<Launch> {
        let count = runs.len();
        for launch in runs {
            batch.end(launch.worker, launch.run.id, Some(Outcome::Done));
        }
        node.settle_and_start(now, batch);
        assert_eq!(batch.statuses().collect::<Vec<_>>(), alloc::vec![Some(Status::Completed); count]);
        batch.launches().collect()
    }

    /// Returns the sizes of the batches of a task whose every turn takes this time.
    fn sizes(node: &mut Node, turns: &[Duration]) -> Vec<usize> {
        let (mut now, (mut batch, mut runs)) = (NOW, begin(node, NOW));
        let mut sizes = alloc::vec![runs.len()];
        for took in turns {
            now = now + *took;
            runs = turn(node, now, &mut batch, runs);
            sizes.push(runs.len());
        }
        sizes
    }

    #[test]
    fn quick_handlers_are_given_twice_as_many_runs_each_time() {
        let quick = [Duration::ZERO; 8];
        assert_eq!(sizes(&mut node(100), &quick), [1, 2, 4, 8, 16, 32, 32, 5, 0]);
    }

    #[test]
    fn slow_handler_is_given_one_run_again() {
        let turns = [Duration::ZERO, Duration::ZERO, QUICK * 5, QUICK * 9 + Duration::from_micros(1), QUICK * 2];
        assert_eq!(sizes(&mut node(100), &turns), [1, 2, 4, 8, 1, 2]);
    }

    #[test]
    fn handler_that_waits_ends_the_lead() {
        let mut node = node(100);
        let (mut batch, runs) = begin(&mut node, NOW);
        let runs = turn(&mut node, NOW, &mut batch, runs);
        assert!((runs.len(), node.start(NOW, &mut RunBatch::default())) == (2, Start::Led(NOW + STALL)));

        batch.wait();
        node.settle_and_wait(NOW, &mut batch);
        assert_eq!(batch.lead(), None);
        assert_eq!(begin(&mut node, NOW).1.len(), 1);
    }

    #[test]
    fn dispatcher_is_not_woken_for_what_the_leader_takes() {
        let mut node = node(3);
        let (mut batch, runs) = begin(&mut node, NOW);
        let runs = turn(&mut node, NOW, &mut batch, runs);
        assert_eq!(node.start(NOW, &mut RunBatch::default()), Start::Led(NOW + STALL));
        let _ = node.actions(NOW);
        let submit = |node: &mut Node, id| {
            node.submit(NOW, Event::with_id(id, "").expect("an event")).expect("it is ready").value.expect("room");
        };
        submit(&mut node, "a");
        assert!(!node.actions(NOW).dispatch);

        let runs = turn(&mut node, NOW, &mut batch, runs);
        assert_eq!((runs.len(), turn(&mut node, NOW, &mut batch, runs).len()), (1, 0));
        assert!(!node.actions(NOW).dispatch);
        submit(&mut node, "b");
        assert!(node.actions(NOW).dispatch, "no one leads any more");
    }

    #[test]
    fn task_ends_while_another_one_leads() {
        let mut node = node(100);
        let [(mut first, runs), (mut second, others)] = [begin(&mut node, NOW), begin(&mut node, NOW)];
        assert_eq!(turn(&mut node, NOW, &mut first, runs).len(), 2);
        assert!(first.lead().is_some());
        assert_eq!(turn(&mut node, NOW, &mut second, others).len(), 0);
        assert_eq!(node.start(NOW, &mut RunBatch::default()), Start::Led(NOW + STALL), "the first one leads on");
    }

    #[test]
    fn leader_that_is_not_heard_of_is_relieved() {
        let mut node = node(100);
        let (mut batch, runs) = begin(&mut node, NOW);
        let runs = turn(&mut node, NOW, &mut batch, runs);
        let late = NOW + STALL;
        assert_eq!(node.start(late, &mut RunBatch::default()), Start::Stalled);
        let (mut other, others) = begin(&mut node, late);
        assert_eq!((others.len(), other.lead()), (1, None));
        assert_eq!(turn(&mut node, late, &mut other, others).len(), 2);
        assert!(other.lead().is_some() && other.lead() != batch.lead());

        // Back again, the task is one of the slow ones, and another one leads.
        assert_eq!((turn(&mut node, late, &mut batch, runs).len(), batch.lead()), (1, None));
        assert_eq!(node.start(late, &mut RunBatch::default()), Start::Led(late + STALL));
    }
}
