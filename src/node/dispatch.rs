//! Starts runs, and settles them.

use super::Node;
use super::channel::{Channel, ChannelGone};
use super::groups::Lsn;
use super::workers::Worker;
use crate::engine::{Answer, Command, Outcome, Phase, Run, RunId, Status, Timestamp};

/// A run that is to be worked on.
#[derive(Debug)]
#[must_use = "its worker holds a permit until the run is settled"]
pub struct Launch {
    /// Who works on it, with its permit.
    pub worker: Worker,
    /// The run.
    pub run: Run,
    /// What must be durable before the handler is called, if starts are to be durable.
    pub lsn: Option<Lsn>,
}

/// What came of the dispatcher's look for a run.
#[derive(Debug)]
#[must_use = "a run that has started must be worked on"]
pub enum Start {
    /// A run has started.
    Run(Launch),
    /// None can start now. The dispatcher is woken when one can.
    Wait,
    /// The channel has lost its receiver: the dispatcher must be started again, with a new one.
    ChannelGone,
    /// None will start any more.
    End,
}

impl Node {
    /// Starts the run of the next ticket that stands for something, when there is a permit. While nothing
    /// may start, tickets stay where they are and keep their order.
    pub fn start(&mut self, now: Timestamp) -> Start {
        let start = match self.unavailable() {
            _ if self.shutdown.is_some() => Start::End,
            Some(why) if why.is_temporary() => Start::Wait,
            Some(_) => Start::End,
            None => self.launch(now),
        };
        self.dispatcher_waits = matches!(start, Start::Wait);
        start
    }

    fn launch(&mut self, now: Timestamp) -> Start {
        while self.may_start() && self.workers.permits_free() > 0 {
            let ticket = match self.channel.take(&self.probe) {
                Ok(Some(ticket)) => ticket,
                Ok(None) => break,
                Err(ChannelGone) => return Start::ChannelGone,
            };
            if let Answer::Running(run) = self.execute(now, Command::Start(ticket)) {
                let worker = self.workers.begin(run.id);
                return Start::Run(Launch { worker, run, lsn: self.commits.tail() });
            }
        }
        Start::Wait
    }

    pub(super) fn may_start(&self) -> bool {
        self.engine.phase() == Phase::Running && !self.engine.is_paused()
    }

    /// A worker has ended its run, with this outcome; without one when the run was stopped. Its permit is
    /// free again. Returns the status that the outcome leads to, if it counts.
    pub fn settle(&mut self, now: Timestamp, worker: Worker, run: RunId, outcome: Option<Outcome>) -> Option<Status> {
        if self.workers.end(worker, run) {
            self.pending.spare(worker);
        }
        let outcome = outcome.filter(|_| self.unavailable().is_none())?;
        let answer = self.execute(now, Command::Settle { run, outcome });
        if let Answer::Settled(status) = answer { Some(status) } else { None }
    }

    /// As [`settle`](Self::settle), and starts the next run for the same task, if there is one.
    pub fn settle_and_start(
        &mut self,
        now: Timestamp,
        worker: Worker,
        run: RunId,
        outcome: Option<Outcome>,
    ) -> (Option<Status>, Option<Launch>) {
        let status = self.settle(now, worker, run, outcome);
        let is_ready = self.shutdown.is_none() && self.unavailable().is_none();
        let launch = if is_ready && let Start::Run(launch) = self.launch(now) { Some(launch) } else { None };
        (status, launch)
    }

    /// The handler of this run is alive. Returns the run's new deadline, if it still counts.
    pub fn heartbeat(&mut self, now: Timestamp, run: RunId) -> Option<Timestamp> {
        self.ready().ok()?;
        let answer = self.execute(now, Command::Heartbeat(run));
        if let Answer::Alive(deadline) = answer { Some(deadline) } else { None }
    }

    /// Gives up the channel and every ticket in it.
    pub(super) fn replace_channel(&mut self, now: Timestamp) {
        if self.unavailable().is_none() {
            self.channel = Channel::new(self.engine.config());
            self.commits.forget_tickets();
            self.execute(now, Command::ChannelLost);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Config, Engine, Event, Output, Replay};
    use crate::node::{Job, Limits, Opened};
    use alloc::vec::Vec;
    use core::time::Duration;

    const NOW: Timestamp = Timestamp::from_micros(1_000_000);

    fn opened() -> Opened {
        let mut out = Output::with_facts();
        let engine: Engine = Replay::new(Config::default()).expect("the default is valid").open(NOW, &mut out);
        Opened { engine, out, room_bytes: u64::MAX, frames: 0 }
    }

    fn limits() -> Limits {
        Limits {
            max_unsynced_bytes: 1 << 20,
            reserve_bytes: 0,
            answer_timeout: Duration::from_secs(1),
            group_bytes: Limits::GROUP_BYTES,
            failures: Limits::FAILURES,
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
        let Start::Run(first) = node.start(NOW) else { panic!("it starts") };
        node.discard(NOW, first.run.event.key().clone()).expect("it is ready").value.expect("it is there");
        let (status, second) = node.settle_and_start(NOW, first.worker, first.run.id, None);
        let second = second.expect("it starts");
        assert_eq!((status, second.worker), (None, first.worker));
        assert_eq!(node.actions(NOW).cancel, []);
    }

    #[test]
    fn dispatcher_is_not_woken_for_an_engine_that_was_given_up() {
        let (mut node, mut facts) = (Node::with_journal(NOW, opened(), limits()), Vec::new());
        node.submit(NOW, Event::with_id("a", "").expect("an event")).expect("it is ready").value.expect("room");
        assert_eq!(node.next_job(NOW, &mut facts), Job::Append);
        node.appended(NOW, u64::MAX, 1);
        assert_eq!(node.engine().gauges().queued, 1, "its ticket is in the channel");
        node.journal_failed(NOW, false);
        assert!(node.actions(NOW).dispatch, "it is to learn of the failure");
        assert!(matches!(node.start(NOW), Start::Wait));
        assert!(!node.actions(NOW).dispatch);

        node.journal_opened(NOW, Opened { frames: 1, ..opened() }).expect("no frame is lost");
        assert!(node.actions(NOW).dispatch);
    }

    #[test]
    fn dispatcher_ends_when_the_journal_is_down_for_good() {
        let mut node = Node::with_journal(NOW, opened(), limits());
        node.journal_failed(NOW, true);
        assert!(matches!(node.start(NOW), Start::End));
    }
}
