//! Clients and operators.

use std::sync::Arc;
use std::time::Duration;

use eventful::node::{Decided, Lsn, Node, RedriveError, ShownWhen as Until, SubmitError, Submitted, Unavailable};
use eventful::{
    Event, Status, Timestamp,
    engine::{Answer, Bound, GroupName, Phase, Rejection},
};

use super::event_queue::{STARTED_AT, Task};
use super::state::World;
use super::stop::Stop;
use super::waits::{Outlook, ShownValue, SubmitAnswer};
use crate::failure::{Broken, holds};
use crate::scenario::{Act, EventNumber, FaultKind, MILLI, Operation};
use crate::spec::{ReferenceRecord, event_bytes};

/// The grid of the start times that some events have: round times make several due at one time.
const ROUND: u64 = 100 * MILLI;

impl World<'_> {
    pub(super) fn operate(&mut self, at: u32) -> Result<(), Stop> {
        if self.now < self.clients.stalled_until {
            self.event_queue.at(self.clients.stalled_until, Task::Operation(at));
            return Ok(());
        }
        let operation = self.scenario.operations[at as usize];
        if !self.is_up {
            self.note(|trace| trace.note_unreachable(&operation));
            return Ok(());
        }
        self.note(|trace| trace.caller = Some(operation.client));
        let done = self.act(at, &operation);
        self.note(|trace| trace.caller = None);
        done
    }

    /// Returns the event of a submission. A start time is given as such, or as a delay.
    fn submitted_event(&self, at: u32, operation: &Operation, event: EventNumber, payload: u8) -> Event {
        let (submitted, delay) = (self.key_table.submitted(event, payload, at), Duration::from_micros(operation.delay));
        let submitted = match self.scenario.setup.settings.group_of(event) {
            Some(group) => submitted.with_group(&group).expect("a short name"),
            None => submitted,
        };
        match (operation.delay, event % 2) {
            (0, _) => submitted,
            (_, 0) => submitted.with_delay(delay),
            // Several events have the same start time.
            (_, _) => {
                submitted.with_not_before(Timestamp::from_micros(STARTED_AT + operation.at / ROUND * ROUND) + delay)
            }
        }
    }

    fn act(&mut self, at: u32, operation: &Operation) -> Result<(), Stop> {
        let Operation { client, hangs_up, act, .. } = *operation;
        match act {
            Act::Submit { event, payload } => {
                self.probe_race(at, operation);
                self.submit(client, self.submitted_event(at, operation, event, payload), hangs_up)
            }
            Act::Enter { event, payload, patience } => {
                self.enter(client, self.submitted_event(at, operation, event, payload), hangs_up, patience)
            }
            Act::Reject { too_large } => {
                let rejection = if too_large { Rejection::TooLarge } else { Rejection::Invalid };
                self.drive(|node, now| node.reject(now, rejection))
            }
            Act::RedriveFirst => {
                let event = self.first_failed();
                self.redrive(client, event)
            }
            Act::Redrive { event } => self.redrive(client, event),
            Act::Discard { event } => {
                let key = self.key_table.key(event).clone();
                let decided = self.ask(Some(event), |node, now| node.discard(now, key))?;
                Ok(self.pass_on(client, decided)?)
            }
            Act::Pause => {
                let decided = self.ask(None, Node::pause)?;
                Ok(self.pass_on(client, decided)?)
            }
            Act::Resume => {
                let decided = self.ask(None, Node::resume)?;
                Ok(self.pass_on(client, decided)?)
            }
            Act::PauseGroup { event, paused } => {
                let Some(group) = self.scenario.setup.settings.group_of(event) else { return Ok(()) };
                let group = GroupName::new(&group).expect("a short name");
                let decided = self.ask(None, |node, now| match paused {
                    true => node.pause_group(now, group.clone()),
                    false => node.resume_group(now, group.clone()),
                })?;
                let is_so = self.node.engine().paused_groups().any(|other| *other == group) == paused;
                let is_done = matches!(decided.0, Ok(Decided { value: Ok(()), .. }));
                holds(!is_done || is_so, || {
                    Broken::new("operator", 1, format_args!("group {group} is paused: {}, expected {paused}", !paused))
                })?;
                Ok(self.pass_on(client, decided)?)
            }
            Act::Read { event } => Ok(self.see(client, event)?),
            Act::List { which, limit, every } => Ok(self.list(client, which, limit, every)?),
            Act::Watch { event, patience } => {
                let waiter = self.clients.name();
                self.event_queue.at(self.now + patience, Task::GiveUp(waiter));
                self.watch(waiter, client, event)
            }
            Act::AwaitIdle { patience } => {
                let waiter = self.clients.name();
                self.event_queue.at(self.now + patience, Task::GiveUp(waiter));
                self.await_idle(waiter, client)
            }
            Act::Subscribe { capacity, every, lasts } => self.subscribe(client, capacity.into(), every, lasts),
        }
    }

    /// Submits an event, without a wait for room.
    pub(super) fn submit(&mut self, client: u8, event: Event, hangs_up: bool) -> Result<(), Stop> {
        let outlook = self.outlook(&event);
        match self.ask(Some(outlook.event), |node, now| node.submit(now, event))? {
            (Ok(decided), changed) => Ok(self.submitted(client, decided, changed, &outlook, hangs_up)?),
            (Err(why), _) => Ok(self.judge_unavailable(client, why)?),
        }
    }

    /// Makes a call of the node. Returns its result, with the number of facts decided until the last change of this
    /// event, or until the last pause or resume.
    pub(super) fn ask<T>(
        &mut self,
        event: Option<EventNumber>,
        call: impl FnOnce(&mut Node, Timestamp) -> T,
    ) -> Result<(T, usize), Stop> {
        let observer = Arc::clone(&self.observer);
        self.drive(|node, now| {
            let (answer, seen) = (call(node, now), observer.see());
            (answer, event.map_or(seen.oracles.paused_by(), |event| seen.oracles.changed(event)))
        })
    }

    /// Returns the expected result of a submission.
    pub(super) fn outlook(&self, event: &Event) -> Outlook {
        let number = self.key_table.number(event.key()).unwrap_or_default();
        let (digest, size_bytes, now) = (*event.digest(), event_bytes(event), self.clock());
        let seen = self.observer.see();
        let (expected, facts) = (&seen.oracles.expected, seen.oracles.facts());
        let refusal = seen.oracles.journal.as_ref().and_then(|journal| journal.refusal(now, size_bytes, facts));
        let is_new = self.is_serving()
            && self.node.phase() == Phase::Running
            && expected.present(number, self.latest.max(now)).is_none();
        let has_room = refusal.is_none() && expected.has_room(size_bytes);
        let is_group_full = expected.is_group_full(event);
        let may_be_taken = is_new && size_bytes <= self.config.max_event_bytes;
        // No other waits behind an event whose own group has no room: it is refused at once.
        let is_taken_if_room = may_be_taken && !is_group_full;
        let is_group_full = may_be_taken && is_group_full;
        Outlook { event: number, digest, refusal, is_taken_if_room, is_new, is_group_full, has_room }
    }

    /// Checks the result of a submission, and shows it to the client.
    pub(super) fn submitted(
        &mut self,
        client: u8,
        Decided { value, lsn }: Decided<Result<Submitted, SubmitError>>,
        changed: usize,
        outlook: &Outlook,
        hangs_up: bool,
    ) -> Result<(), Broken> {
        let mut seen = self.observer.see();
        let engine = seen.submitted.take();
        if let Some(kind) = kind_of(&value) {
            seen.probes.fault(kind);
        }
        let refusal = outlook.refusal.filter(|_| outlook.is_new);
        let is_so = match (&value, &engine) {
            (Err(SubmitError::Overloaded { bound, .. }), None) => refusal == Some(*bound),
            (value, Some(engine)) => refusal.is_none() && is_passed_on(value, engine),
            (_, None) => false,
        };
        holds(is_so, || {
            let what = format_args!("the engine returned {engine:?} and the client {value:?}, expected {refusal:?}");
            Broken::new("admission", 9, what)
        })?;
        let is_refused = matches!(value, Err(SubmitError::Overloaded { bound: Bound::Group, .. }));
        holds(is_refused == (refusal.is_none() && outlook.is_group_full), || {
            let what = format_args!("refused for its group: {is_refused}, expected {}", outlook.is_group_full);
            Broken::new("admission", 9, what)
        })?;
        let answer = match value {
            Ok(Submitted::Accepted) => Answer::Accepted,
            Ok(Submitted::Duplicate(duplicate)) => Answer::Duplicate(duplicate),
            Err(SubmitError::Conflict(conflict)) => Answer::Conflict(conflict),
            Err(_) => {
                return holds(lsn.is_none(), || {
                    Broken::new("journal", 9, format_args!("a refusal waits for {lsn:?}: {value:?}"))
                });
            }
        };
        let Outlook { event, digest, .. } = *outlook;
        if hangs_up {
            seen.probes.fault(FaultKind::ClientHangsUp);
            seen.trace.note_hang_up(client, event);
            return Ok(());
        }
        let era = seen.oracles.ledger.era(event);
        drop(seen);
        let submission = Some(SubmitAnswer { event, digest, answer, era });
        self.show(client, lsn, ShownValue { what: "an answer", decided: changed, submission })
    }

    fn redrive(&mut self, client: u8, event: EventNumber) -> Result<(), Stop> {
        let key = self.key_table.key(event).clone();
        let (now, seen) = (self.clock(), self.observer.see());
        let (expected, facts) = (&seen.oracles.expected, seen.oracles.facts());
        let has_failed =
            expected.present(event, self.latest.max(now)).is_some_and(|known| known.status() == Status::Failed);
        let refusal = seen.oracles.journal.as_ref().and_then(|journal| journal.refusal(now, 0, facts));
        let refusal = refusal.filter(|_| has_failed && self.node.phase() == Phase::Running);
        let has_no_room = |record: &ReferenceRecord| {
            let pending = expected.pending() >= self.config.max_pending as u64;
            pending || expected.is_group_full(&record.event)
        };
        let is_past_bound = has_failed && expected.record(event).is_some_and(has_no_room);
        drop(seen);
        let decided = self.ask(Some(event), |node, now| node.redrive(now, key))?;
        if let (Ok(Decided { value, .. }), _) = &decided {
            if is_past_bound && value.is_ok() {
                self.probe(FaultKind::RedrivenPastBound);
            }
            let shown = match value {
                Err(RedriveError::Overloaded { bound, .. }) if is_of_journal(*bound) => Some(*bound),
                Ok(()) | Err(_) => None,
            };
            holds(shown == refusal, || {
                let what = format_args!("a redrive of event {event} is refused for the journal's bound {shown:?}");
                Broken::new("admission", 9, format_args!("{what}, expected {refusal:?}"))
            })?;
        }
        self.pass_on(client, decided)?;
        // An operator that reads now sees the result of its own call.
        Ok(self.see(client, event)?)
    }

    /// Passes a result to an operator.
    fn pass_on<T, E>(
        &mut self,
        client: u8,
        (decided, changed): (Result<Decided<Result<T, E>>, Unavailable>, usize),
    ) -> Result<(), Broken> {
        let Decided { value, lsn } = match decided {
            Ok(decided) => decided,
            Err(why) => return self.judge_unavailable(client, why),
        };
        let decided = if value.is_ok() { changed } else { 0 };
        self.show(client, lsn, ShownValue { what: "the result of an operator's call", decided, submission: None })
    }

    /// Reads a record.
    fn see(&mut self, client: u8, event: EventNumber) -> Result<(), Broken> {
        let now = self.clock();
        self.latest = self.latest.max(now);
        let read = match self.node.see(now, self.key_table.key(event)) {
            Ok(read) => read,
            Err(why) => return self.judge_unavailable(client, why),
        };
        let mut seen = self.observer.see();
        seen.probes.fault(FaultKind::RecordRead);
        let wrong = match (seen.oracles.expected.present(event, self.latest), &read.value) {
            (Some(known), Some(view)) => known.difference(view),
            (None, None) => None,
            (known, _) => Some(if known.is_some() { "is missing" } else { "should not be there" }),
        };
        if let Some(wrong) = wrong {
            return Err(Broken::new("record", 7, format_args!("event {event} {wrong}: {:?}", read.value)));
        }
        let decided = seen.oracles.changed(event);
        drop(seen);
        self.show_when(client, read.wait, ShownValue { what: "a record", decided, submission: None })
    }

    /// Checks that no call waits for a journal that has failed, or that has let others wait for longer than a call
    /// may.
    pub(super) fn judge_patience(&self, what: &str, wait: Until) -> Result<(), Broken> {
        let is_stuck = self.unavailable().is_some() || self.seen().oracles.is_journal_stuck(self.clock());
        let is_due = match wait {
            Until::None => true,
            Until::For(_) => !is_stuck,
            Until::TooLong => is_stuck,
        };
        holds(is_due, || {
            Broken::new(
                "journal",
                9,
                format_args!("{what} is to wait for {wait:?}, but the journal is stuck: {is_stuck}"),
            )
        })
    }

    pub(super) fn show_when(&mut self, client: u8, wait: Until, shown: ShownValue) -> Result<(), Broken> {
        self.judge_patience(shown.what, wait)?;
        let lsn: Option<Lsn> = match wait {
            Until::None => None,
            Until::For(lsn) => Some(lsn),
            Until::TooLong => return Ok(()),
        };
        self.show(client, lsn, shown)
    }

    /// Checks that the node is right to refuse all calls now.
    pub(super) fn judge_unavailable(&mut self, client: u8, why: Unavailable) -> Result<(), Broken> {
        let known = self.unavailable();
        self.note(|trace| trace.note_refusal(client, why));
        holds(known == Some(why), || {
            Broken::new("readiness", 9, format_args!("a client receives {why:?}, expected {known:?}"))
        })
    }

    fn probe_race(&self, at: u32, operation: &Operation) {
        let earlier = (at as usize).checked_sub(1).map(|before| &self.scenario.operations[before]);
        if earlier.is_some_and(|earlier| earlier.at == operation.at && names_same(earlier.act, operation.act)) {
            self.probe(FaultKind::ClientRacesItself);
        }
    }

    /// Returns the first event that has failed; the first of all if none has.
    fn first_failed(&self) -> EventNumber {
        let seen = self.seen();
        let mut failed = seen.oracles.expected.all().filter(|(_, known)| known.stage.status() == Status::Failed);
        failed.next().map_or(0, |(event, _)| event)
    }
}

/// Returns whether a client receives the result that the engine has decided.
fn is_passed_on(value: &Result<Submitted, SubmitError>, engine: &Answer) -> bool {
    match (value, engine) {
        (Ok(Submitted::Accepted), Answer::Accepted) => true,
        (Ok(Submitted::Duplicate(shown)), Answer::Duplicate(answered)) => shown == answered,
        (Err(SubmitError::Conflict(shown)), Answer::Conflict(answered)) => shown == answered,
        (Err(refused), Answer::Refused(_)) => !matches!(refused, SubmitError::Unavailable(_)),
        _ => false,
    }
}

/// Returns the fault that the result of a submission is about.
fn kind_of(value: &Result<Submitted, SubmitError>) -> Option<FaultKind> {
    match value {
        Ok(Submitted::Accepted) => None,
        Ok(Submitted::Duplicate(_)) => Some(FaultKind::ClientRetries),
        Err(SubmitError::Conflict(_)) => Some(FaultKind::ClientChangesPayload),
        Err(SubmitError::Overloaded { bound, .. }) => Some(match bound {
            Bound::Bytes => FaultKind::OverloadByBytes,
            Bound::Failed => FaultKind::OverloadByFailures,
            Bound::Group => FaultKind::OverloadByGroup,
            Bound::Pending | Bound::Records | Bound::PausedGroups => FaultKind::OverloadByCount,
            Bound::Disk => FaultKind::RefusedForDisk,
            Bound::JournalSlow => FaultKind::RefusedForSlowness,
            Bound::JournalUnreachable => FaultKind::RefusedForAbsence,
        }),
        Err(_) => None,
    }
}

const fn names_same(one: Act, other: Act) -> bool {
    matches!((one, other), (Act::Submit { event: one, .. }, Act::Submit { event: other, .. }) if one == other)
}

/// Returns whether a bound is the journal's.
const fn is_of_journal(bound: Bound) -> bool {
    matches!(bound, Bound::Disk | Bound::JournalSlow | Bound::JournalUnreachable)
}
