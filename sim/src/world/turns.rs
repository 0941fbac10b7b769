//! Turns of the tasks that handle runs: the runs that they are given, and those that they return.

use std::collections::VecDeque;
use std::time::Duration;

use eventful::node::{Launch, RunBatch};
use eventful::{
    Event, Status,
    engine::{ErrorText, Outcome},
};

use super::event_queue::Task;
use super::state::World;
use super::stop::Stop;
use super::tasks::WorkTask;
use super::worker::{Serial, TaskNumber, WorldWorker};
use crate::failure::{Broken, holds};
use crate::oracle::OutcomeSummary;
use crate::scenario::{EventNumber, FaultKind, MILLI};

impl World<'_> {
    /// Begins a task with runs that were started.
    pub(super) fn begin_task(&mut self, mut batch: RunBatch) -> Result<(), Broken> {
        let (launches, lead) = (batch.launches().collect(), batch.lead());
        let task = self.tasks.add(batch);
        self.take_up(task, launches, lead)
    }

    /// Gives a task the first of the runs that were started for it; the others wait where all tasks can take them.
    fn take_up(
        &mut self,
        task: TaskNumber,
        launches: Vec<Launch>,
        lead: Option<eventful::node::Lead>,
    ) -> Result<(), Broken> {
        let in_order = launches.is_sorted_by_key(|launch| launch.run.id);
        holds(in_order, || Broken::new("order", 3, format_args!("started together are {launches:?}")))?;
        holds(launches.len() <= 1 || lead.is_some(), || {
            Broken::new("waits", 3, "several runs were started for a task that does not lead")
        })?;
        let mut serials = Vec::with_capacity(launches.len());
        for launch in launches {
            let lsn = launch.lsn;
            let serial = self.add_worker(launch);
            if serials.is_empty() {
                self.assign(serial, task);
                self.begin_when_durable(serial, lsn);
            }
            serials.push(serial);
        }
        if serials.len() > 1 {
            self.probe(FaultKind::RunsTogether);
        }
        if let Some(lead) = lead {
            self.tasks.line_up(self.clock(), lead, serials.into_iter().skip(1));
        }
        Ok(())
    }

    /// Settles, in the dispatcher, the ended runs of a task that is blocked, and gives its other runs to other tasks.
    pub(super) fn take_over(&mut self) -> Result<(), Stop> {
        let (line, ended) = self.tasks.take_over();
        if !line.is_empty() {
            self.probe(FaultKind::RunsTakenOver);
        }
        let task = self.tasks.add(RunBatch::default());
        self.tasks.get(task).into_iter().for_each(|task| task.ended.clone_from(&ended));
        self.settle_ended(task, |node, now, batch| node.settle_and_wait(now, batch))?;
        self.tasks.take(task);
        self.give_tasks(line);
        Ok(())
    }

    /// Gives each run to a task of its own.
    fn give_tasks(&mut self, runs: VecDeque<Serial>) {
        for serial in runs {
            let task = self.tasks.add(RunBatch::default());
            self.assign(serial, task);
            self.event_queue.now(Task::Begin(serial));
        }
    }

    /// Handles a handler that does not end at once: its task settles ended runs first, and the runs that were started
    /// with it go to others.
    pub(super) fn share_out(&mut self, number: TaskNumber) -> Result<(), Stop> {
        let Some(task) = self.tasks.get(number) else { return Ok(()) };
        task.batch.wait();
        let Some(lead) = task.batch.lead() else { return Ok(()) };
        self.settle_ended(number, |node, now, batch| node.settle_and_wait(now, batch))?;
        let line = self.tasks.leave_line(Some(lead));
        if !line.is_empty() {
            self.probe(FaultKind::RunsHandedOver);
        }
        self.give_tasks(line);
        Ok(())
    }

    /// Handles the end of a worker's handler: its task takes the next run that was started with it, or settles all.
    pub(super) fn advance(&mut self, number: TaskNumber, ended: Serial) {
        let Some(task) = self.tasks.get(number) else { return };
        task.ended.push(ended);
        let lead = task.batch.lead();
        match self.tasks.next_in_line(lead) {
            Some(next) => {
                self.assign(next, number);
                self.event_queue.now(Task::Begin(next));
            }
            None => {
                self.tasks.get(number).into_iter().for_each(|task| task.settles = true);
                self.event_queue.now(Task::Settle(number));
            }
        }
    }

    /// Settles the ended runs of a task, which takes the runs that are started for it then.
    pub(super) fn take_turn(&mut self, number: TaskNumber) -> Result<(), Stop> {
        let until = self.handlers.workers_stalled_until;
        if self.now < until {
            self.event_queue.at(until, Task::Settle(number));
            return Ok(());
        }
        let led = self.tasks.get(number).and_then(|task| task.batch.lead()).filter(|lead| self.tasks.is_leader(*lead));
        self.settle_ended(number, |node, now, batch| node.settle_and_start(now, batch))?;
        let Some(task) = self.tasks.get(number) else { return Ok(()) };
        let (launches, lead) = (task.batch.launches().collect::<Vec<_>>(), task.batch.lead());
        holds(led.is_none() || lead.is_none() || led == lead, || {
            Broken::new("waits", 3, "the lead of a task was ended by another one")
        })?;
        if launches.is_empty() {
            let line = self.tasks.leave_line(lead);
            self.tasks.take(number);
            return Ok(holds(line.is_empty(), || Broken::new("waits", 3, "a task ended although it was given runs"))?);
        }
        Ok(self.take_up(number, launches, lead)?)
    }

    /// Settles the ended runs of a task, by this call of the node.
    fn settle_ended(
        &mut self,
        number: TaskNumber,
        call: impl FnOnce(&mut eventful::node::Node, eventful::Timestamp, &mut RunBatch),
    ) -> Result<(), Stop> {
        let Some(mut task) = self.tasks.take(number) else { return Ok(()) };
        task.settles = false;
        let ended: Vec<_> = task.ended.drain(..).filter_map(|serial| self.remove_worker(serial)).collect();
        for worker in &ended {
            let outcome = worker.outcome.map(|outcome| self.outcome_of(outcome));
            task.batch.end(worker.holder, worker.run, outcome);
        }
        let counts: Vec<_> = ended.iter().map(|worker| self.counts(worker)).collect();
        self.dropped +=
            ended.iter().zip(&counts).filter(|(worker, counts)| **counts && worker.outcome.is_none()).count();
        let settles_before = self.seen().settles;
        let settled = self.drive(|node, now| call(node, now, &mut task.batch));
        self.note(|trace| ended.iter().for_each(|worker| trace.note_end(worker)));
        if let Err(stop) = settled {
            for worker in ended {
                self.give_back(&worker, worker.outcome)?;
            }
            self.end_task(task)?;
            return Err(stop);
        }
        let settles = self.seen().settles - settles_before;
        let outcomes = ended.iter().filter(|worker| worker.outcome.is_some()).count();
        holds(settles == outcomes || !self.is_serving(), || {
            Broken::new("runs", 4, format_args!("{outcomes} outcomes were reported, but {settles} settled"))
        })?;
        let statuses: Vec<_> = task.batch.statuses().collect();
        holds(statuses.len() == ended.len(), || {
            Broken::new("runs", 4, format_args!("{} runs were settled, but the results are {statuses:?}", ended.len()))
        })?;
        for ((worker, counts), status) in ended.iter().zip(counts).zip(statuses) {
            self.judge_settled(worker, counts, status)?;
            self.plan_to_settle_again(worker);
        }
        self.tasks.put(task);
        Ok(())
    }

    /// Ends a task that died: its ended runs count, and the runs whose handlers it has not called are given back.
    pub(super) fn end_task(&mut self, task: WorkTask) -> Result<(), Stop> {
        for serial in task.ended {
            if let Some(worker) = self.remove_worker(serial) {
                self.give_back(&worker, worker.outcome)?;
            }
        }
        let at_hand = self.workers.iter().filter(|worker| worker.task == Some(task.number)).map(|worker| worker.serial);
        for serial in at_hand.chain(self.tasks.leave_line(task.batch.lead())).collect::<Vec<_>>() {
            if let Some(worker) = self.remove_worker(serial) {
                let outcome = if worker.begun { OutcomeSummary::Crashed } else { OutcomeSummary::NotCalled };
                self.give_back(&worker, Some(outcome))?;
            }
        }
        Ok(())
    }

    /// Settles one run of a task that has died.
    fn give_back(&mut self, worker: &WorldWorker, outcome: Option<OutcomeSummary>) -> Result<(), Stop> {
        let counts = self.counts(worker);
        self.dropped += usize::from(counts && outcome.is_none());
        let (holder, run) = (worker.holder, worker.run);
        let settled = outcome.map(|outcome| self.outcome_of(outcome));
        let status = self.drive(|node, now| node.settle(now, holder, run, settled))?;
        let ended = WorldWorker { outcome, ..*worker };
        self.note(|trace| trace.note_end(&ended));
        Ok(self.judge_settled(&ended, counts, status)?)
    }

    /// Returns whether the run of a worker is current.
    fn counts(&self, worker: &WorldWorker) -> bool {
        self.is_serving() && self.seen().oracles.expected.of_run(worker.run).is_some()
    }

    /// Checks the effect of an outcome.
    fn judge_settled(&self, worker: &WorldWorker, counts: bool, status: Option<Status>) -> Result<(), Broken> {
        let outcome = worker.outcome;
        let fits = match (outcome.filter(|_| counts), status) {
            (None, None) => true,
            (Some(OutcomeSummary::Done), Some(status)) => status == Status::Completed,
            (Some(OutcomeSummary::Permanent), Some(status)) => status == Status::Failed,
            // The engine's own oracle checks which of them it is.
            (Some(OutcomeSummary::DoneWith { .. }), Some(status)) => {
                matches!(status, Status::Completed | Status::FailedRetry | Status::Failed)
            }
            (Some(_), Some(status)) => matches!(status, Status::FailedRetry | Status::Failed),
            (None, Some(_)) | (Some(_), None) => false,
        };
        holds(fits, || {
            let what =
                format_args!("{} ended with {outcome:?} (counts: {counts}), but its event is {status:?}", worker.run);
            Broken::new("runs", 4, what)
        })?;
        if outcome == Some(OutcomeSummary::Done) && !counts {
            self.probe(FaultKind::Late);
        }
        Ok(())
    }

    /// Returns whether a run waits for its call, and no task will call it.
    pub(super) fn has_forgotten_runs(&self) -> bool {
        self.tasks.is_forgotten()
    }
}

/// The delay of some follow-ups: some retries are due before, and some after.
const LATER: Duration = Duration::from_micros(20 * MILLI);

impl World<'_> {
    /// Returns the outcome with which a worker settles its run.
    pub(super) fn outcome_of(&self, summary: OutcomeSummary) -> Outcome {
        if let OutcomeSummary::DoneWith { first, count, payload } = summary {
            let numbers = first..first.saturating_add(u16::from(count));
            let then = numbers.filter(|number| usize::from(*number) < self.key_table.len());
            let mut then: Vec<Event> = then.map(|number| self.follow_up(number, payload)).collect();
            if count > 3 && !then.is_empty() {
                // One key twice, with the same payload or another one.
                then.push(self.follow_up(first, payload + u8::from(first % 4 == 0)));
            }
            return Outcome::DoneWith { then };
        }
        outcome_of(summary)
    }

    /// Returns an event as a follow-up: in its group, and some of them later.
    fn follow_up(&self, number: EventNumber, payload: u8) -> Event {
        let event = self.key_table.event(number, payload);
        let event = match self.scenario.setup.settings.group_of(number) {
            Some(group) => event.with_group(&group).expect("a short name"),
            None => event,
        };
        if number % 5 == 4 { event.with_delay(LATER) } else { event }
    }
}

/// Returns the outcome of this summary, without follow-ups.
fn outcome_of(summary: OutcomeSummary) -> Outcome {
    match summary {
        OutcomeSummary::Done | OutcomeSummary::DoneWith { .. } => Outcome::Done,
        OutcomeSummary::Retry { after } => Outcome::Retry { error: ErrorText::new("not now"), after },
        OutcomeSummary::Permanent => Outcome::Permanent { error: ErrorText::new("never") },
        OutcomeSummary::Snooze { delay, has_reason } => {
            Outcome::Snooze { delay, reason: has_reason.then(|| ErrorText::new("no descriptor is left")) }
        }
        OutcomeSummary::Crashed => Outcome::Crashed { error: ErrorText::new("the handler panicked") },
        OutcomeSummary::NotCalled => Outcome::NotCalled,
    }
}
