//! Transitions: the changes of each fact, and the facts that it may follow.

use eventful::{
    Event, Key, Timestamp,
    engine::{
        Epoch, GroupName, NotBefore, RunId, ScheduleCursor, ScheduleName,
        facts::{AfterRun, AttemptEnd, Change, Charge, Fact},
    },
};

use super::attempts::{self, RunEnding};
use super::reference_state::{broken, unfit};
use super::{EventLimits, Lifecycle, Numbering, ReferenceRecord, ReferenceState, event_bytes};
use crate::failure::{Broken, holds};
use crate::scenario::EventNumber;

impl ReferenceState {
    /// Applies the next fact. Returns the event that it is about, unless it forgets some.
    ///
    /// # Errors
    ///
    /// [`Broken`] if the fact cannot follow from those before it.
    pub fn apply(&mut self, fact: &Fact, keys: &impl Numbering) -> Result<Option<EventNumber>, Broken> {
        let now = fact.at;
        holds(self.last <= now, || {
            broken(7, format_args!("a fact of {now} follows one of {}, but times must not fall", self.last))
        })?;
        let last = std::mem::replace(&mut self.last, now);
        let number = |key: &Key| {
            keys.number(key)
                .ok_or_else(|| broken(1, format_args!("a fact is about {key}, which is the key of no event")))
        };
        let event = match &fact.change {
            Change::Accepted(event) => number(event.key())?,
            Change::Started { key, .. } | Change::Finished { key, .. } => number(key)?,
            Change::Redriven(key) | Change::Discarded(key) => number(key)?,
            Change::Forgotten(keys) => {
                keys.iter().try_for_each(|key| self.forget(now, number(key)?))?;
                return Ok(None);
            }
            Change::Paused | Change::Resumed => return self.pause(fact.change == Change::Paused).map(|()| None),
            Change::GroupPaused { group, paused } => return self.pause_group(group, *paused).map(|()| None),
            Change::Scheduled { schedule, cursor } => {
                return self.move_schedule(schedule, *cursor, keys).map(|()| None);
            }
            Change::Epoch(epoch) => return self.open(now, last, *epoch).map(|()| None),
        };
        match &fact.change {
            Change::Accepted(accepted) => self.accept(now, event, accepted)?,
            Change::Started { run, .. } => self.start(now, event, *run, &fact.change)?,
            Change::Finished { run, end, next, charge, error, .. } => {
                let ended = RunEnding { run: *run, end: *end, next: *next, charge: *charge, error: error.as_ref() };
                self.finish(now, event, &ended, &fact.change)?;
            }
            Change::Redriven(_) => self.redrive(now, event, &fact.change)?,
            Change::Discarded(_) => self.discard(now, event, &fact.change)?,
            Change::Forgotten(_)
            | Change::Paused
            | Change::Resumed
            | Change::Epoch(_)
            | Change::GroupPaused { .. }
            | Change::Scheduled { .. } => {}
        }
        Ok(Some(event))
    }

    /// Applies these facts.
    ///
    /// # Errors
    ///
    /// [`Broken`] for the first that cannot follow from those before it.
    pub fn apply_all<'f>(
        &mut self,
        facts: impl IntoIterator<Item = &'f Fact>,
        keys: &impl Numbering,
    ) -> Result<(), Broken> {
        facts.into_iter().try_for_each(|fact| self.apply(fact, keys).map(drop))
    }

    fn accept(&mut self, now: Timestamp, event: EventNumber, accepted: &Event) -> Result<(), Broken> {
        let at = usize::from(event);
        // Numbers of events are small, so the list has few gaps.
        if self.records.len() <= at {
            self.records.resize(at + 1, None);
        }
        self.counts.accepted += 1;
        let is_time = !matches!(accepted.not_before(), Some(NotBefore::After(_)));
        // A delay is turned into a time at acceptance: else it would begin again with each opening.
        holds(is_time, || {
            broken(1, format_args!("event {event} was accepted with a delay, but has no time to start"))
        })?;
        let record = Box::new(ReferenceRecord::new(accepted.clone(), now, self.counts.accepted));
        self.by_status[record.status() as usize] += 1;
        self.bytes += event_bytes(accepted) as u64;
        let before = self.records[at].replace(record);
        holds(before.is_none(), || broken(2, format_args!("event {event} was accepted, but has a record: {before:?}")))
    }

    fn start(&mut self, now: Timestamp, event: EventNumber, run: RunId, change: &Change) -> Result<(), Broken> {
        self.counts.started += 1;
        holds(!self.paused, || broken(3, format_args!("event {event} was started while paused")))?;
        let (last_run, epoch) = (self.last_run.replace(run), self.epoch);
        holds(last_run < Some(run) && epoch.is_none_or(|epoch| epoch == run.epoch()), || {
            broken(4, format_args!("{run} follows {last_run:?} in {epoch:?}, but runs must rise"))
        })?;
        let event_type = self.record(event).and_then(|record| record.event.event_type());
        let most = EventLimits::of(&self.config, event_type).max_attempts;
        let most = most.saturating_add(self.config.max_snoozes).saturating_add(self.config.max_refunds);
        self.change(event, change, |record| {
            let eligible_at = record.stage.eligible_at().ok_or_else(|| unfit(4, event, Some(record.stage), change))?;
            record.stage = Lifecycle::Processing { run, started_at: now };
            record.attempt += 1;
            record.charge.charged += 1;
            let Charge { charged, snoozes, refunds } = record.charge;
            // The counts of starts that were given back are bounded too, so their sum bounds all starts.
            let starts = charged + snoozes + refunds;
            holds(eligible_at <= now, || {
                broken(8, format_args!("event {event} was started at {now}, before {eligible_at}"))
            })?;
            holds(starts <= most, || {
                broken(8, format_args!("event {event} was started {starts} times, but {most} are allowed"))
            })
        })
    }

    fn finish(
        &mut self,
        now: Timestamp,
        event: EventNumber,
        ended: &RunEnding<'_>,
        change: &Change,
    ) -> Result<(), Broken> {
        self.counts.finished[ended.end as usize] += 1;
        if let Some(record) = self.record(event) {
            attempts::judge(&self.config, record, now, ended)?;
        }
        let most = self.config.thresholds().history;
        self.change(event, change, |record| {
            let Some(run) = record.stage.run() else { return Err(unfit(4, event, Some(record.stage), change)) };
            match ended.next {
                AfterRun::Completed => record.retire(Lifecycle::Completed(now)),
                AfterRun::Failed => record.stage = Lifecycle::Failed(now),
                AfterRun::Retry { eligible_at } => record.stage = Lifecycle::FailedRetry(eligible_at),
            }
            // A completed record is a tombstone, without charge and history.
            if ended.next != AfterRun::Completed {
                record.charge = ended.charge;
                record.remember(run, now, ended.end, ended.error, most);
            }
            Ok(())
        })
    }

    fn redrive(&mut self, now: Timestamp, event: EventNumber, change: &Change) -> Result<(), Broken> {
        self.counts.redriven += 1;
        self.change(event, change, |record| {
            let before = std::mem::replace(&mut record.stage, Lifecycle::Received(now));
            record.charge = Charge::default();
            record.redriven += 1;
            holds(matches!(before, Lifecycle::Failed(_)), || unfit(4, event, Some(before), change))
        })
    }

    fn discard(&mut self, now: Timestamp, event: EventNumber, change: &Change) -> Result<(), Broken> {
        let runs = self.record(event).is_some_and(|record| record.stage.run().is_some());
        self.counts.finished[AttemptEnd::Discarded as usize] += u64::from(runs);
        self.change(event, change, |record| {
            let before = record.stage;
            record.retire(Lifecycle::Discarded(now));
            holds(!before.is_tombstone(), || unfit(4, event, Some(before), change))
        })
    }

    fn forget(&mut self, now: Timestamp, event: EventNumber) -> Result<(), Broken> {
        let record = self.records.get_mut(usize::from(event)).and_then(Option::take);
        let Some(record) = record else {
            return Err(broken(1, format_args!("event {event} was forgotten, but has no record")));
        };
        let may_be_forgotten = self.may_be_forgotten(&record, now);
        let status = record.status() as usize;
        self.by_status[status] -= 1;
        self.counts.forgotten[status] += 1;
        self.count_bytes(record.bytes(), (0, 0));
        // A pending event is lost; of a terminal one the duplicate check is.
        let promise = if record.status().is_terminal() { 2 } else { 1 };
        holds(may_be_forgotten, || {
            broken(promise, format_args!("event {event} was forgotten, but is {:?}", record.stage))
        })
    }

    /// Returns whether its retention has ended, or it is the oldest of failed events beyond their bound.
    fn may_be_forgotten(&self, record: &ReferenceRecord, now: Timestamp) -> bool {
        let Lifecycle::Failed(at) = record.stage else { return self.is_expired(record.stage, now) };
        let is_older = |other: &ReferenceRecord| matches!(other.stage, Lifecycle::Failed(other) if other < at);
        self.is_expired(record.stage, now)
            || self.drops_oldest() && self.has_failed_overflow() && !self.all().any(|(_, other)| is_older(other))
    }

    fn pause(&mut self, paused: bool) -> Result<(), Broken> {
        let before = std::mem::replace(&mut self.paused, paused);
        holds(before != paused, || broken(4, "a pause or a resume was decided twice"))
    }

    fn pause_group(&mut self, group: &GroupName, paused: bool) -> Result<(), Broken> {
        let has_changed = match paused {
            true => self.paused_groups.insert(group.clone()),
            false => self.paused_groups.remove(group),
        };
        holds(has_changed, || broken(4, format_args!("a pause or a resume of group {group} was decided twice")))
    }

    /// A cursor begins at the time of its schedule, never goes back nor into the future, and an instant that was accepted
    /// has an event.
    fn move_schedule(
        &mut self,
        schedule: &ScheduleName,
        cursor: Option<ScheduleCursor>,
        keys: &impl Numbering,
    ) -> Result<(), Broken> {
        let before = match cursor {
            Some(cursor) => self.schedules.insert(schedule.clone(), cursor),
            None => self.schedules.remove(schedule),
        };
        let is_accepted =
            |nominal| keys.number(&schedule.key(nominal)).is_some_and(|event| self.record(event).is_some());
        let follows = match (before, cursor) {
            (None, None) => false,
            (None, Some(new)) => new == ScheduleCursor { decided: self.last, accepted: None },
            (Some(_), None) => true,
            (Some(old), Some(new)) => {
                let accepts = new.accepted == Some(new.decided) && is_accepted(new.decided);
                old.decided < new.decided && new.decided <= self.last && (accepts || new.accepted == old.accepted)
            }
        };
        holds(follows, || {
            broken(2, format_args!("the cursor of schedule {schedule} was {before:?}, and is {cursor:?}"))
        })
    }

    fn open(&mut self, now: Timestamp, last: Timestamp, epoch: Epoch) -> Result<(), Broken> {
        let oldest = self.all().filter_map(|(_, record)| record.stage.terminal_at()).min();
        self.downtimes.open(now, last, oldest, self.config.thresholds().downtimes);
        self.counts_at_opening = self.counts;
        let before = self.epoch.replace(epoch);
        holds(before < Some(epoch), || broken(4, format_args!("{epoch:?} follows {before:?}, but epochs must rise")))
    }

    fn count_bytes(&mut self, before: (u64, u64), after: (u64, u64)) {
        self.bytes = self.bytes + after.0 - before.0;
        self.failed_bytes = self.failed_bytes + after.1 - before.1;
    }

    /// Changes a record, and updates the sums.
    fn change(
        &mut self,
        event: EventNumber,
        fact: &Change,
        change: impl FnOnce(&mut ReferenceRecord) -> Result<(), Broken>,
    ) -> Result<(), Broken> {
        let record = self.records.get_mut(usize::from(event)).and_then(Option::as_deref_mut);
        let Some(record) = record else { return Err(unfit(1, event, None, fact)) };
        let (before, bytes) = (record.stage, record.bytes());
        let verdict = change(record);
        let (after, bytes_after) = (record.stage, record.bytes());
        if let Some((run, _)) = before.run() {
            self.inflight.retain(|(current, _)| *current != run);
        }
        if let Some((run, _)) = after.run() {
            self.inflight.push((run, event));
        }
        self.by_status[before.status() as usize] -= 1;
        self.by_status[after.status() as usize] += 1;
        self.count_bytes(bytes, bytes_after);
        verdict
    }
}
