//! Waiting: of clients for room, for durability, for the end of an event, until none is pending; and of workers, for
//! the start of their run to be durable.

use eventful::node::{Admission, Decided, Lsn, Unavailable, Unsynced, Waiter, WatchedEvent};
use eventful::{Event, engine::Phase};

use super::event_queue::Task;
use super::journal::JournalCondition;
use super::state::World;
use super::stop::Stop;
use super::waits::{Awaited, DurableBefore, Outlook, ShownValue, SubmitAnswer, WaitingClient};
use super::worker::Serial;
use crate::failure::{Broken, holds};
use crate::scenario::{EventNumber, FaultKind};

impl World<'_> {
    /// Adds a client that waits since this time. A wake-up of the node's last call is not missed.
    fn await_it(&mut self, waiter: Waiter, client: u8, awaited: Awaited, since: u64) {
        let mut wait = WaitingClient { waiter, client, awaited, since, is_woken: false };
        let rung = &self.clients.rung;
        if rung.everyone || rung.idle && wait.is_for_idle() || rung.waiters.contains(&waiter) {
            wait.wake(&mut self.event_queue);
        }
        self.clients.waits.push(wait);
    }

    /// Lets a worker wait until the start of its run is durable.
    pub(super) fn await_start(&mut self, serial: Serial, lsn: Lsn) {
        let waiter = self.clients.name();
        self.check_start(waiter, serial, lsn, self.now);
    }

    fn check_start(&mut self, waiter: Waiter, serial: Serial, lsn: Lsn, since: u64) {
        let Some(found) = self.clients.horizon.find(lsn, true) else {
            return self.await_it(waiter, 0, Awaited::Start(serial, lsn), since);
        };
        if found.is_err() {
            self.probe(FaultKind::StartLost);
            return self.event_queue.now(Task::Yield(serial));
        }
        if self.now > since {
            self.probe(FaultKind::StartLate);
        }
        self.event_queue.now(Task::Begin(serial));
    }

    /// Shows a value to a client, once it may.
    pub(super) fn show(&mut self, client: u8, lsn: Option<Lsn>, shown: ShownValue) -> Result<(), Broken> {
        let Some(lsn) = lsn else { return self.hand_over(client, shown, false) };
        holds(!self.seen().oracles.is_synced(), || {
            Broken::new("journal", 9, format_args!("{} waits for {lsn:?}, but everything is durable", shown.what))
        })?;
        let due = DurableBefore { lsn, decided: self.seen().oracles.decided() };
        let waiter = self.clients.name();
        self.look_again(waiter, client, due, shown, self.now)
    }

    fn look_again(
        &mut self,
        waiter: Waiter,
        client: u8,
        due: DurableBefore,
        shown: ShownValue,
        since: u64,
    ) -> Result<(), Broken> {
        match self.clients.horizon.find(due.lsn, false) {
            None => {
                self.await_it(waiter, client, Awaited::Durable(due, shown), since);
                Ok(())
            }
            Some(Ok(())) => self.hand_over(client, shown, self.now > since),
            Some(Err(why)) => self.learn_nothing(client, &shown, due, why),
        }
    }

    fn hand_over(&mut self, client: u8, shown: ShownValue, is_late: bool) -> Result<(), Broken> {
        let ShownValue { what, decided, submission } = shown;
        let mut seen = self.observer.see();
        seen.oracles.judge_shown(what, decided)?;
        if is_late {
            seen.probes.fault(FaultKind::AnswerLate);
        }
        let Some(SubmitAnswer { event, digest, answer, era }) = submission else { return Ok(()) };
        if is_late {
            seen.trace.note_answer(client, event, &answer);
        }
        seen.oracles.ledger.record_result(event, digest, &answer, era)
    }

    /// Repeats the call of a client that was woken.
    pub(super) fn poll(&mut self, waiter: Waiter) -> Result<(), Stop> {
        let waits = &mut self.clients.waits;
        let Some(at) = waits.iter().position(|wait| wait.waiter == waiter) else { return Ok(()) };
        if self.now < self.clients.stalled_until {
            self.event_queue.at(self.clients.stalled_until, Task::Wake(waiter));
            return Ok(());
        }
        let wait = waits.remove(at);
        let WaitingClient { client, since, .. } = wait;
        match wait.awaited {
            Awaited::Room { event, hangs_up } => self.enter_again(waiter, client, event, hangs_up, since),
            Awaited::End(event) => {
                self.unwatch(waiter, event)?;
                self.watch(waiter, client, event)
            }
            Awaited::Idle => self.await_idle(waiter, client),
            Awaited::Durable(due, shown) => Ok(self.look_again(waiter, client, due, shown, since)?),
            Awaited::Start(serial, lsn) => {
                self.check_start(waiter, serial, lsn, since);
                Ok(())
            }
        }
    }

    /// Informs a client that its result may be lost.
    fn learn_nothing(
        &mut self,
        client: u8,
        shown: &ShownValue,
        due: DurableBefore,
        why: Unsynced,
    ) -> Result<(), Broken> {
        let now = self.clock();
        let mut seen = self.observer.see();
        seen.trace.note_unknown(client, shown.submission.as_ref().map(|answered| answered.event));
        seen.probes.fault(match why {
            Unsynced::Lost => FaultKind::AnswerUnknown,
            Unsynced::Late => FaultKind::AnswerGivenUp,
        });
        let oracles = &seen.oracles;
        // At the first failure in a process the durable facts are known, unless the node broke as it noted them.
        let sound = self.journal.as_ref().filter(|_| !self.is_broken);
        let is_first =
            sound.is_some_and(|journal| journal.condition != JournalCondition::Open && journal.reopenings == 0);
        let reported = oracles.journal.as_ref().map_or(0, |kept| kept.reported);
        holds(why != Unsynced::Lost || !is_first || due.decided > reported, || {
            let what = shown.what;
            Broken::new("journal", 9, format_args!("{what} is reported as lost, but was durable before the failure"))
        })?;
        let has_ended = self.is_broken || self.ender.has_ended();
        holds(why == Unsynced::Lost || oracles.is_journal_stuck(now) || has_ended, || {
            let what = shown.what;
            Broken::new("journal", 9, format_args!("{what} is given up, but nothing has waited for too long"))
        })
    }

    /// Ends the wait of a client whose patience has ended.
    pub(super) fn abandon(&mut self, waiter: Waiter) -> Result<(), Stop> {
        let waits = &mut self.clients.waits;
        let Some(at) = waits.iter().position(|wait| wait.waiter == waiter) else { return Ok(()) };
        if !matches!(waits[at].awaited, Awaited::Room { .. } | Awaited::End(_) | Awaited::Idle) {
            return Ok(());
        }
        let WaitingClient { client, awaited, .. } = waits.remove(at);
        match awaited {
            Awaited::Room { event, hangs_up } => {
                self.event_queue.now(Task::Leave(waiter));
                if hangs_up {
                    self.probe(FaultKind::SubmitterLeaves);
                    return Ok(());
                }
                // The last try brings a refusal, which is counted and says when to try again.
                self.probe(FaultKind::RoomNotFound);
                self.submit(client, event, false)
            }
            Awaited::End(event) => {
                self.probe(FaultKind::WaitGivenUp);
                self.unwatch(waiter, event)
            }
            Awaited::Idle | Awaited::Durable(..) | Awaited::Start(..) => Ok(()),
        }
    }

    /// Ends the wait of a client for room.
    pub(super) fn leave(&mut self, waiter: Waiter) -> Result<(), Stop> {
        self.clients.queue.retain(|other| *other != waiter);
        self.drive(|node, _| node.leave(waiter))
    }

    /// Submits an event, and waits for room.
    pub(super) fn enter(&mut self, client: u8, event: Event, hangs_up: bool, patience: u64) -> Result<(), Stop> {
        let (waiter, outlook) = (self.clients.name(), self.outlook(&event));
        let entered = self.ask(Some(outlook.event), |node, now| node.enter(now, event, || waiter))?;
        if matches!(entered.0, Ok(Admission::Waits(_))) {
            self.probe(FaultKind::RoomAwaited);
            self.event_queue.at(self.now + patience, Task::GiveUp(waiter));
            self.clients.queue.push_back(waiter);
        }
        self.entered(waiter, client, entered, &outlook, hangs_up, self.now)
    }

    fn enter_again(
        &mut self,
        waiter: Waiter,
        client: u8,
        event: Event,
        hangs_up: bool,
        since: u64,
    ) -> Result<(), Stop> {
        let outlook = self.outlook(&event);
        let entered = self.ask(Some(outlook.event), |node, now| node.enter_again(now, event, waiter));
        let entered = match entered {
            Ok(entered) => entered,
            Err(stop) => {
                self.event_queue.now(Task::Leave(waiter));
                return Err(stop);
            }
        };
        if !matches!(entered.0, Ok(Admission::Waits(_))) {
            self.event_queue.now(Task::Leave(waiter));
        }
        if matches!(entered.0, Ok(Admission::Decided(Decided { value: Ok(_), .. }))) {
            self.probe(FaultKind::RoomFound);
        }
        self.entered(waiter, client, entered, &outlook, hangs_up, since)
    }

    /// Checks whether a submitter must wait, and lets it wait or passes on its result.
    fn entered(
        &mut self,
        waiter: Waiter,
        client: u8,
        (entered, changed): (Result<Admission, Unavailable>, usize),
        outlook: &Outlook,
        hangs_up: bool,
        since: u64,
    ) -> Result<(), Stop> {
        let is_first = self.clients.queue.front().is_none_or(|first| *first == waiter);
        let waits = outlook.is_taken_if_room && !(is_first && outlook.has_room);
        if let Ok(entry) = &entered {
            let has_waited = matches!(entry, Admission::Waits(_));
            holds(has_waited == waits, || {
                let what = format_args!("waits for room: {has_waited}; is first: {is_first}; {outlook:?}");
                Broken::new("admission", 9, what)
            })?;
        }
        match entered {
            Ok(Admission::Waits(event)) => {
                self.await_it(waiter, client, Awaited::Room { event, hangs_up }, since);
                Ok(())
            }
            Ok(Admission::Decided(decided)) => Ok(self.submitted(client, decided, changed, outlook, hangs_up)?),
            Err(why) => Ok(self.judge_unavailable(client, why)?),
        }
    }

    /// Waits for the end of an event.
    pub(super) fn watch(&mut self, waiter: Waiter, client: u8, event: EventNumber) -> Result<(), Stop> {
        let key = self.key_table.key(event).clone();
        let observer = std::sync::Arc::clone(&self.observer);
        let (watched, is_stopped, known, decided) = self.drive(|node, now| {
            let watched = node.watch(now, &key, waiter);
            let seen = observer.see();
            let known = seen.oracles.expected.present(event, now).map(|known| known.stage.terminal_at().is_some());
            (watched, node.phase() == Phase::Stopped, known, seen.oracles.changed(event))
        })?;
        let watched = match watched {
            Ok(watched) => watched,
            Err(why) => return Ok(self.judge_unavailable(client, why)?),
        };
        let is_so = match &watched {
            WatchedEvent::Ended(..) => known == Some(true),
            WatchedEvent::Absent(_) => known.is_none(),
            WatchedEvent::Waits => known == Some(false) && !is_stopped,
            WatchedEvent::Stopped => known == Some(false) && is_stopped,
        };
        holds(is_so, || {
            Broken::new(
                "record",
                7,
                format_args!("event {event} has ended: {known:?}, but the client that waits receives {watched:?}"),
            )
        })?;
        match watched {
            WatchedEvent::Ended(_, lsn) | WatchedEvent::Absent(lsn) => {
                self.probe(FaultKind::EndSeen);
                Ok(self.show(client, lsn, ShownValue { what: "the end of an event", decided, submission: None })?)
            }
            WatchedEvent::Waits => {
                self.probe(FaultKind::EndAwaited);
                self.clients.watching.push(waiter);
                self.await_it(waiter, client, Awaited::End(event), self.now);
                Ok(())
            }
            WatchedEvent::Stopped => Ok(()),
        }
    }

    fn unwatch(&mut self, waiter: Waiter, event: EventNumber) -> Result<(), Stop> {
        self.clients.unregister(waiter);
        let key = self.key_table.key(event).clone();
        self.drive(|node, _| node.unwatch(&key, waiter))
    }

    /// Waits until no event is pending.
    pub(super) fn await_idle(&mut self, waiter: Waiter, client: u8) -> Result<(), Stop> {
        let observer = std::sync::Arc::clone(&self.observer);
        let (pending, is_stopped, counted, decided) = self.drive(|node, _| {
            let (pending, seen) = (node.await_idle(), observer.see());
            let is_stopped = node.phase() == Phase::Stopped;
            (pending, is_stopped, seen.oracles.expected.pending(), seen.oracles.decided())
        })?;
        let pending = match pending {
            Ok(pending) => pending,
            Err(why) => return Ok(self.judge_unavailable(client, why)?),
        };
        holds(pending.value == counted, || {
            Broken::new("metrics", 7, format_args!("{} events are pending, but {counted} are counted", pending.value))
        })?;
        if counted == 0 {
            self.probe(FaultKind::IdleSeen);
            return Ok(self.show(client, pending.lsn, ShownValue { what: "idleness", decided, submission: None })?);
        }
        if !is_stopped {
            self.probe(FaultKind::IdleAwaited);
            self.await_it(waiter, client, Awaited::Idle, self.now);
        }
        Ok(())
    }
}
