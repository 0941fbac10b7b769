//! What the lock guards: the engine, the channel, and the runs in flight.
//!
//! Tickets are sent and taken under the lock, so they are presented in the order of their numbers,
//! whoever presents them.

use core::mem;
use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::vec::Vec;
use tokio::sync::Notify;

use super::attempt::RunCell;
use super::cells::Cells;
use super::commits::Commits;
use super::failures::Failures;
use super::hooks::{Action, Point, Probe};
use super::shutdown::Ending;
use super::stopping::Stopping;
use super::subscribe::{Awaited, Subscribers, Subscription};
use super::wait::Watches;
use crate::engine::{Answer, Command, Deadline, Effect, Engine, EnqueueFailure, Outcome, Output, Phase, Run, RunId};
use crate::engine::{Ticket, Timestamp};

/// The engine with everything that its effects touch at once.
pub(super) struct Core {
    pub(super) engine: Engine,
    pub(super) out: Output,
    pub(super) commits: Commits,
    /// Tickets to be sent, of the output at hand.
    pub(super) outbox: Vec<Ticket>,
    /// Those of them that did not get into the channel.
    unsent: Vec<Ticket>,
    pub(super) channel: Channel,
    pub(super) cells: Cells,
    pub(super) subscribers: Subscribers,
    pub(super) watches: Watches,
    pub(super) stopping: Stopping,
    probe: Probe,
    /// What the sweeper sleeps towards: the next deadline, or an earlier time.
    pub(super) armed: Timestamp,
    /// The dispatcher has a permit and waits for word of a ticket.
    pub(super) dispatcher_waits: bool,
    /// Submitters that wait for room.
    pub(super) waiting: usize,
    /// The end of the last pending event is waited for.
    pub(super) awaits_idle: bool,
    /// The size of the first one's event.
    pub(super) wanted_bytes: usize,
    /// The end that was asked for.
    pub(super) ending: Option<Ending>,
    /// Runs that no longer count, of the output at hand.
    stopped: Vec<RunId>,
    pub(super) aborted: Vec<Arc<RunCell>>,
    /// Readers of facts that are durable now.
    pub(super) readers: Vec<Awaited>,
    /// Those who wait for an end that is durable now.
    pub(super) ends: Vec<Weak<Notify>>,
    /// Whether it was said last that failed events keep new ones out.
    said_full: bool,
}

/// What is left to do once the lock is free, in any order.
#[derive(Default)]
pub(super) struct Wakes {
    /// The dispatcher has something to take.
    pub(super) ticket: bool,
    /// The sweeper sleeps past the next deadline.
    pub(super) deadline: bool,
    /// The first submitter that waits for room may look again.
    pub(super) room: bool,
    /// Shutdown waits for the runs in flight and their facts, and nothing is left of them.
    pub(super) drained: bool,
    /// There is a group to write.
    pub(super) writer: bool,
    /// They have facts to read.
    pub(super) readers: Vec<Awaited>,
    /// An event has ended that they wait for.
    pub(super) ends: Vec<Weak<Notify>>,
    /// No event is pending.
    pub(super) idle: bool,
    /// These runs are to stop.
    pub(super) aborted: Vec<Arc<RunCell>>,
    /// What is to be said of failed events.
    pub(super) failures: Failures,
}

/// What came of a look for a ticket.
pub(super) enum Taken {
    /// A run has started.
    Run(Run, usize),
    /// There is none that may be presented now.
    Nothing,
    /// The channel has no receiver any more.
    ChannelGone,
}

impl Core {
    /// The core of an engine that was opened just now, with `out` for its output.
    pub(super) fn new(engine: Engine, out: Output, commits: Commits, probe: Probe) -> Self {
        let channel = Channel::new(&engine);
        Self {
            engine,
            out,
            commits,
            outbox: Vec::new(),
            unsent: Vec::new(),
            channel,
            cells: Cells::default(),
            subscribers: Subscribers::default(),
            watches: Watches::default(),
            stopping: Stopping::default(),
            probe,
            armed: Timestamp::MAX,
            dispatcher_waits: false,
            waiting: 0,
            awaits_idle: false,
            wanted_bytes: 0,
            ending: None,
            stopped: Vec::new(),
            aborted: Vec::new(),
            readers: Vec::new(),
            ends: Vec::new(),
            said_full: false,
        }
    }

    /// Decides, and performs what must not wait.
    pub(super) fn execute(&mut self, now: Timestamp, command: Command) -> Answer {
        self.gate_expiry(now);
        let answer = self.engine.execute(now, command, &mut self.out);
        self.perform(now);
        answer
    }

    /// Lets sweeps forget only while the journal keeps up. Nobody waits for that, and what a long
    /// stop has made due at once must not stand before answers in the queue of the disk.
    pub(super) fn gate_expiry(&mut self, now: Timestamp) {
        let hold = self.commits.is_behind();
        if hold != self.engine.holds_expiry() {
            let command = if hold { Command::HoldExpiry } else { Command::ReleaseExpiry };
            self.engine.execute(now, command, &mut self.out);
        }
    }

    /// Performs what follows from a command: its facts are on their way, its tickets leave after
    /// them, and runs that no longer count are stopped at once, which a crash would do as well.
    pub(super) fn perform(&mut self, now: Timestamp) {
        loop {
            self.commits.add(&mut self.out);
            if self.out.effects().is_empty() {
                return;
            }
            for effect in self.out.drain_effects() {
                match effect {
                    Effect::Enqueue(ticket) => self.outbox.extend(self.commits.pass(ticket)),
                    Effect::Abort(run) => self.stopped.push(run),
                }
            }
            let before = self.aborted.len();
            self.cells.take(&mut self.stopped, &mut self.aborted);
            self.stopping.add(now, &self.aborted[before..]);
            self.send(now);
        }
    }

    /// Sends the tickets in the outbox. From the first one on that does not get into the channel,
    /// all are reported, the last one first.
    pub(super) fn send(&mut self, now: Timestamp) {
        let mut failure = EnqueueFailure::Full;
        for ticket in self.outbox.drain(..) {
            let sent = if self.unsent.is_empty() { self.channel.send(ticket, &self.probe) } else { Err(failure) };
            if let Err(cause) = sent {
                failure = cause;
                self.unsent.push(ticket);
            }
        }
        while let Some(ticket) = self.unsent.pop() {
            let command = Command::EnqueueFailed { ticket, cause: failure };
            self.engine.execute(now, command, &mut self.out);
        }
    }

    /// Takes the next ticket that stands for something, and starts its run.
    ///
    /// While nothing may start, tickets stay where they are and keep their order.
    pub(super) fn take(&mut self, now: Timestamp) -> Taken {
        while self.may_start() {
            let ticket = match self.channel.take(&self.probe) {
                Ok(Some(ticket)) => ticket,
                Ok(None) => return Taken::Nothing,
                Err(ChannelGone) => return Taken::ChannelGone,
            };
            if let Answer::Running(run) = self.execute(now, Command::Start(ticket)) {
                let slot = self.cells.reserve();
                return Taken::Run(run, slot);
            }
        }
        Taken::Nothing
    }

    fn may_start(&self) -> bool {
        self.engine.phase() == Phase::Running && !self.engine.is_paused()
    }

    /// Keeps the cell of a run that [`Core::take`] has started.
    pub(super) fn keep(&mut self, cell: &Arc<RunCell>) {
        self.cells.put(cell);
    }

    /// Tells the outcome of a run, which has ended with that.
    pub(super) fn settle(&mut self, now: Timestamp, cell: &RunCell, outcome: Outcome) -> Answer {
        self.cells.release(cell);
        self.execute(now, Command::Settle { run: cell.run, outcome })
    }

    /// Runs that the engine counts as in flight.
    pub(super) fn inflight(&self) -> usize {
        self.cells.inflight()
    }

    /// The cells of all runs in flight, and of those that are to stop.
    pub(super) fn cells(&self) -> impl Iterator<Item = &Arc<RunCell>> {
        self.cells.iter().chain(&self.aborted)
    }

    /// Lets go of the cells that a broken engine has kept: they keep the core itself.
    pub(super) fn release(&mut self) -> Vec<Arc<RunCell>> {
        self.cells.release_all().chain(self.aborted.drain(..)).collect()
    }

    /// Gives up the channel and every ticket in it.
    pub(super) fn replace_channel(&mut self, now: Timestamp) {
        self.channel = Channel::new(&self.engine);
        self.commits.forget_tickets();
        self.execute(now, Command::ChannelLost);
    }

    /// Tickets in the channel, measured.
    pub(super) fn channel_depth(&self) -> usize {
        self.channel.depth()
    }

    /// What a sweep is due for. If nothing is, the sweeper sleeps until [`Core::armed_at`].
    ///
    /// It sleeps on even when what wanted that deadline has ended: a look in vain now and then
    /// costs less than a wake-up for each event that comes and goes.
    pub(super) fn arm(&mut self, now: Timestamp) -> Option<Deadline> {
        if self.armed > now {
            return None;
        }
        let due = self.engine.next_deadline().filter(|deadline| deadline.at <= now);
        if due.is_none() {
            self.armed = self.next_wakeup(now);
        }
        due
    }

    /// The next deadline of the engine, or of answers that wait for the journal.
    fn next_wakeup(&self, now: Timestamp) -> Timestamp {
        let deadline = self.engine.next_deadline().map(|deadline| deadline.at);
        deadline.into_iter().chain(self.commits.next_overdue(now)).min().unwrap_or(Timestamp::MAX)
    }

    /// When the sweeper looks again unless it is told to look sooner.
    pub(super) fn armed_at(&self) -> Option<Timestamp> {
        (self.armed < Timestamp::MAX).then_some(self.armed)
    }

    /// A new reader of facts.
    pub(super) fn subscribe(&mut self, capacity: usize) -> Subscription {
        self.out.keep_facts(true);
        self.subscribers.add(capacity)
    }

    /// What to do once the lock is free, after a change.
    pub(super) fn wakes(&mut self, now: Timestamp) -> Wakes {
        let stopping = self.engine.phase() != Phase::Running;
        Wakes {
            ticket: self.wake_dispatcher(stopping),
            deadline: self.wake_sweeper(now),
            room: self.waiting > 0 && (stopping || self.has_room(now, self.wanted_bytes)),
            drained: stopping && self.inflight() == 0 && self.commits.is_idle(),
            writer: self.commits.has_work(),
            readers: self.publish(),
            ends: mem::take(&mut self.ends),
            idle: self.wake_idle(),
            aborted: mem::take(&mut self.aborted),
            failures: Failures::since(&mut self.said_full, &self.engine, &mut self.out),
        }
    }

    /// Without a journal, facts are told to their readers at once.
    fn publish(&mut self) -> Vec<Awaited> {
        if !self.commits.keeps_facts() && !self.out.facts().is_empty() {
            self.readers = self.subscribers.publish(self.out.facts());
            self.watches.take(self.out.facts(), &mut self.ends);
            drop(self.out.drain_facts());
            self.out.keep_facts(self.subscribers.any() || self.watches.any());
        }
        mem::take(&mut self.readers)
    }

    fn wake_dispatcher(&mut self, stopping: bool) -> bool {
        let wake = self.dispatcher_waits && (stopping || self.may_start() && self.channel.has_news());
        self.dispatcher_waits &= !wake;
        wake
    }

    fn wake_sweeper(&mut self, now: Timestamp) -> bool {
        let next = self.next_wakeup(now);
        let sooner = next < self.armed;
        self.armed = self.armed.min(next);
        sooner
    }

    /// Whether no bound stands against one more event of this size.
    pub(super) fn has_room(&self, now: Timestamp, size_bytes: usize) -> bool {
        self.engine.has_room(size_bytes) && self.commits.refusal(now, size_bytes).is_none()
    }
}

/// The channel of tickets. One slot more than the engine feeds, for the marker.
///
/// Both ends are used under the core's lock only, so a ring is all that a channel needs to be.
#[derive(Debug)]
pub(super) struct Channel {
    slots: usize,
    /// Absent when the receiver is gone, and with it all tickets.
    tickets: Option<VecDeque<Ticket>>,
}

/// The channel has no receiver any more.
struct ChannelGone;

impl Channel {
    pub(super) fn new(engine: &Engine) -> Self {
        let slots = engine.config().channel_capacity.get().saturating_add(1);
        Self { slots, tickets: Some(VecDeque::new()) }
    }

    fn send(&mut self, ticket: Ticket, probe: &Probe) -> Result<(), EnqueueFailure> {
        match probe.locked(Point::Enqueue) {
            Action::Fail => return Err(EnqueueFailure::Full),
            Action::DropReceiver => self.tickets = None,
            Action::Continue | Action::Yield | Action::Stall(_) | Action::Panic => {}
        }
        let tickets = self.tickets.as_mut().ok_or(EnqueueFailure::Closed)?;
        if tickets.len() == self.slots {
            return Err(EnqueueFailure::Full);
        }
        tickets.push_back(ticket);
        Ok(())
    }

    fn take(&mut self, probe: &Probe) -> Result<Option<Ticket>, ChannelGone> {
        loop {
            let Some(ticket) = self.tickets.as_mut().ok_or(ChannelGone)?.pop_front() else {
                return Ok(None);
            };
            match probe.locked(Point::Present) {
                Action::Fail => {}
                Action::DropReceiver => self.tickets = None,
                Action::Continue | Action::Yield | Action::Stall(_) | Action::Panic => return Ok(Some(ticket)),
            }
        }
    }

    fn depth(&self) -> usize {
        self.tickets.as_ref().map_or(0, VecDeque::len)
    }

    /// Whether a look at it would find a ticket, or find that it is gone.
    fn has_news(&self) -> bool {
        self.tickets.as_ref().is_none_or(|tickets| !tickets.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Config, Event};

    #[test]
    fn the_sweeper_is_not_woken_again_by_an_event_that_comes_after_another_went() {
        let now = Timestamp::from_micros(1_000_000);
        let mut out = Output::new();
        let engine = Engine::new(Config::default(), now, &mut out).expect("the default is valid");
        let mut core = Core::new(engine, out, Commits::none(), Probe::default());
        let submit = |id| Command::Submit(Event::with_id(id, "").expect("an event"));

        core.execute(now, submit("first"));
        assert!(core.wakes(now).deadline);
        let Taken::Run(run, _) = core.take(now) else { panic!("it starts") };
        core.execute(now, Command::Settle { run: run.id, outcome: Outcome::Done });
        assert!(core.arm(now).is_none());

        core.execute(now, submit("second"));
        assert!(!core.wakes(now).deadline);
    }
}
