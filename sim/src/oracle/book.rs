//! What the facts say, kept apart from the engine.

use std::time::Duration;

use eventful::{
    AttemptEnd, Change, Charge, Config, Digest, Epoch, ErrorText, Fact, FailedOverflow, Key, Next, RunId, Status,
    Timestamp,
};

use super::errors::Errors;
use super::{Said, Seen};
use crate::failure::Broken;
use crate::roster::Roster;
use crate::scenario::EventNumber;

const ORACLE: &str = "book";

/// A fold of the facts.
#[derive(Debug, Default)]
pub struct Book {
    known: Vec<Option<Known>>,
    /// Runs in flight, with their events.
    pub inflight: Vec<(RunId, EventNumber)>,
    /// Records by status.
    pub records: [u64; Status::ALL.len()],
    /// Bytes of events that are not terminal.
    pub bytes: u64,
    /// Bytes of failed events, with their errors.
    pub failed_bytes: u64,
    /// Events accepted.
    pub accepted: u64,
    /// Failed events given another life.
    pub redriven: u64,
    /// Records forgotten, by status.
    pub forgotten: [u64; Status::ALL.len()],
    /// Runs started.
    pub started: u64,
    /// Runs ended, by how.
    pub finished: [u64; AttemptEnd::ALL.len()],
    /// Whether the engine is paused.
    pub paused: bool,
    /// The engine's epoch.
    pub epoch: Epoch,
    /// The time of the last fact.
    last: Timestamp,
    /// When it was opened, and for how long no fact had been decided then.
    openings: Vec<(Timestamp, Duration)>,
}

/// What the facts say about one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// The digest of its payload.
    pub digest: Digest,
    /// What it is charged against the bound by bytes.
    pub size_bytes: usize,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// How often a run was started.
    pub attempt: u32,
    /// What is compared with the limits.
    pub charge: Charge,
    /// Where it stands.
    pub stage: Stage,
    /// How the last attempt ended.
    pub last_end: Option<AttemptEnd>,
    /// The errors that are kept of it.
    pub errors: Errors,
}

/// Where an event stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It waits for its first run, since.
    Received(Timestamp),
    /// It is being handled.
    Processing {
        /// By this run.
        run: RunId,
        /// Since.
        since: Timestamp,
    },
    /// It waits for another attempt, not before.
    FailedRetry(Timestamp),
    /// Completed, when.
    Completed(Timestamp),
    /// Failed, when.
    Failed(Timestamp),
    /// Discarded, when.
    Discarded(Timestamp),
}

impl Stage {
    /// The status that it shows.
    pub const fn status(self) -> Status {
        match self {
            Self::Received(_) => Status::Received,
            Self::Processing { .. } => Status::Processing,
            Self::FailedRetry(_) => Status::FailedRetry,
            Self::Completed(_) => Status::Completed,
            Self::Failed(_) => Status::Failed,
            Self::Discarded(_) => Status::Discarded,
        }
    }

    /// When it became terminal.
    pub const fn terminal_at(self) -> Option<Timestamp> {
        match self {
            Self::Completed(at) | Self::Failed(at) | Self::Discarded(at) => Some(at),
            Self::Received(_) | Self::Processing { .. } | Self::FailedRetry(_) => None,
        }
    }

    /// When it may start, while it waits.
    pub const fn eligible_at(self) -> Option<Timestamp> {
        match self {
            Self::Received(at) | Self::FailedRetry(at) => Some(at),
            Self::Processing { .. } | Self::Completed(_) | Self::Failed(_) | Self::Discarded(_) => None,
        }
    }

    /// Since when it is being handled.
    pub const fn running_since(self) -> Option<Timestamp> {
        match self {
            Self::Processing { since, .. } => Some(since),
            Self::Received(_) | Self::FailedRetry(_) | Self::Completed(_) | Self::Failed(_) | Self::Discarded(_) => {
                None
            }
        }
    }
}

impl Known {
    /// What it takes of the bound on pending events, and of that on failed ones.
    fn bytes(&self) -> (u64, u64) {
        match self.stage {
            Stage::Completed(_) | Stage::Discarded(_) => (0, 0),
            Stage::Failed(_) => (0, (self.size_bytes + self.errors.bytes()) as u64),
            Stage::Received(_) | Stage::Processing { .. } | Stage::FailedRetry(_) => (self.size_bytes as u64, 0),
        }
    }
}

impl Book {
    /// The engine was opened.
    pub fn open(&mut self, epoch: Epoch) {
        self.epoch = epoch;
    }

    /// What is known of an event, however long ago it ended.
    pub fn known(&self, event: EventNumber) -> Option<&Known> {
        self.known.get(usize::from(event))?.as_ref()
    }

    /// What is known of an event whose retention has not ended.
    pub fn present(&self, event: EventNumber, seen: &Seen<'_>) -> Option<&Known> {
        let known = self.known(event)?;
        let ended = self.forgets_at(known.stage, seen.config).is_some_and(|end| end <= seen.now);
        (!ended).then_some(known)
    }

    /// When a record is forgotten that ended like this: the time between the last fact before an
    /// opening and that does not count. A failed event may be kept for ever.
    pub fn forgets_at(&self, stage: Stage, config: &Config) -> Option<Timestamp> {
        let at = stage.terminal_at()?;
        let is_failed = stage.status() == Status::Failed;
        let retention = if is_failed { config.failed_retention? } else { config.retention };
        let since = self.openings.iter().filter(|(opened, _)| *opened > at);
        Some(at + retention + since.map(|(_, down)| *down).sum::<Duration>())
    }

    /// Every event that there is a record of.
    pub fn all(&self) -> impl Iterator<Item = (EventNumber, &Known)> {
        (0..).zip(&self.known).filter_map(|(event, known)| Some((event, known.as_ref()?)))
    }

    /// The event that is handled by this run.
    pub fn of_run(&self, run: RunId) -> Option<EventNumber> {
        self.inflight.iter().find(|(current, _)| *current == run).map(|(_, event)| *event)
    }

    /// Events that are not terminal.
    pub const fn pending(&self) -> u64 {
        self.count(Status::Received) + self.count(Status::Processing) + self.count(Status::FailedRetry)
    }

    /// Records of this status.
    pub const fn count(&self, status: Status) -> u64 {
        self.records[status as usize]
    }

    /// Records of any status.
    pub fn total(&self) -> u64 {
        self.records.iter().sum()
    }

    /// The book of these facts. They were judged when they were decided.
    pub(super) fn recalled(facts: &[Fact], roster: &Roster) -> Result<Self, Broken> {
        let mut book = Self::default();
        for fact in facts {
            book.take_in(fact, roster, |_, _| true)?;
        }
        Ok(book)
    }

    /// Takes in a fact, and says which event it is about, unless it forgets some.
    pub(super) fn apply(&mut self, fact: &Fact, seen: &Seen<'_>) -> Result<Option<EventNumber>, Broken> {
        if let Change::Epoch(epoch) = fact.change
            && (seen.said != Said::Open || epoch <= self.epoch)
        {
            return Err(Broken::new(ORACLE, 11, format!("epoch {epoch:?} after epoch {:?}", self.epoch)));
        }
        self.take_in(fact, seen.roster, |book, known| book.may_forget(known, seen))
    }

    /// Its retention is over; or it is the oldest of failed events that are more than are kept.
    fn may_forget(&self, known: &Known, seen: &Seen<'_>) -> bool {
        let is_over = self.forgets_at(known.stage, seen.config).is_some_and(|end| end <= seen.now);
        let Stage::Failed(at) = known.stage else { return is_over };
        let is_older = |other: &Known| matches!(other.stage, Stage::Failed(other) if other < at);
        is_over
            || seen.config.failed_overflow == FailedOverflow::DropOldest
                && self.failed_bytes > seen.config.max_failed_bytes as u64
                && !self.all().any(|(_, other)| is_older(other))
    }

    fn take_in(
        &mut self,
        fact: &Fact,
        roster: &Roster,
        may_forget: impl Fn(&Self, &Known) -> bool,
    ) -> Result<Option<EventNumber>, Broken> {
        let now = fact.at;
        let down = now.since(std::mem::replace(&mut self.last, now));
        let key = match &fact.change {
            Change::Accepted(event) => event.key(),
            Change::Started { key, .. } | Change::Finished { key, .. } => key,
            Change::Redriven(key) | Change::Discarded(key) => key,
            Change::Forgotten(keys) => {
                keys.iter().try_for_each(|key| self.forget(key, roster, &may_forget))?;
                return Ok(None);
            }
            Change::Paused | Change::Resumed => {
                self.paused = fact.change == Change::Paused;
                return Ok(None);
            }
            Change::Epoch(epoch) => {
                self.openings.push((now, down));
                self.open(*epoch);
                return Ok(None);
            }
        };
        let event = number(key, roster)?;
        let follows = match &fact.change {
            Change::Accepted(accepted) => self.accept(event, now, accepted.digest(), accepted.size_bytes()),
            Change::Started { run, .. } => self.start(event, now, *run),
            Change::Finished { run, end, next, charge, error, .. } => {
                self.finish(event, now, *run, (*end, *next, *charge, error.as_ref()))
            }
            Change::Redriven(_) => self.redrive(event, now),
            Change::Discarded(_) => self.discard(event, now),
            Change::Forgotten(_) | Change::Paused | Change::Resumed | Change::Epoch(_) => true,
        };
        match follows {
            true => Ok(Some(event)),
            false => {
                let known = self.known(event).map(|known| known.stage);
                Err(Broken::new(ORACLE, 1, format!("event {event} is {known:?}, and now {:?}", fact.change)))
            }
        }
    }

    fn accept(&mut self, event: EventNumber, now: Timestamp, digest: &Digest, size_bytes: usize) -> bool {
        let at = usize::from(event);
        if self.known.len() <= at {
            self.known.resize(at + 1, None);
        }
        self.accepted += 1;
        let (charge, stage) = (Charge::default(), Stage::Received(now));
        let (digest, errors) = (*digest, Errors::default());
        let known = Known { digest, size_bytes, accepted_at: now, attempt: 0, charge, stage, last_end: None, errors };
        let before = self.known[at].replace(known);
        self.records[Status::Received as usize] += 1;
        self.bytes += size_bytes as u64;
        before.is_none()
    }

    fn start(&mut self, event: EventNumber, now: Timestamp, run: RunId) -> bool {
        self.started += 1;
        self.change(event, |known| {
            let waited = known.stage.eligible_at().is_some_and(|at| at <= now);
            known.stage = Stage::Processing { run, since: now };
            known.attempt += 1;
            known.charge.charged += 1;
            waited
        })
    }

    fn finish(
        &mut self,
        event: EventNumber,
        now: Timestamp,
        run: RunId,
        how: (AttemptEnd, Next, Charge, Option<&ErrorText>),
    ) -> bool {
        let (end, next, charge, error) = how;
        self.finished[end as usize] += 1;
        self.change(event, |known| {
            let current = matches!(known.stage, Stage::Processing { run: current, .. } if current == run);
            known.stage = match next {
                Next::Completed => Stage::Completed(now),
                Next::Failed => Stage::Failed(now),
                Next::Retry { eligible_at } => Stage::FailedRetry(eligible_at),
            };
            known.charge = if next == Next::Completed { Charge::default() } else { charge };
            known.last_end = Some(end);
            known.errors.add(error);
            current
        })
    }

    fn redrive(&mut self, event: EventNumber, now: Timestamp) -> bool {
        self.redriven += 1;
        self.change(event, |known| {
            let failed = matches!(known.stage, Stage::Failed(_));
            (known.stage, known.charge) = (Stage::Received(now), Charge::default());
            failed
        })
    }

    fn discard(&mut self, event: EventNumber, now: Timestamp) -> bool {
        let processing = self.known(event).is_some_and(|known| known.stage.status() == Status::Processing);
        self.finished[AttemptEnd::Discarded as usize] += u64::from(processing);
        self.change(event, |known| {
            let open = !matches!(known.stage, Stage::Completed(_) | Stage::Discarded(_));
            (known.stage, known.charge) = (Stage::Discarded(now), Charge::default());
            open
        })
    }

    fn forget(&mut self, key: &Key, roster: &Roster, may_forget: impl Fn(&Self, &Known) -> bool) -> Result<(), Broken> {
        let event = number(key, roster)?;
        let known = self.known(event).copied();
        let follows = known.is_some_and(|known| known.stage.terminal_at().is_some() && may_forget(self, &known));
        if let Some(known) = known {
            let status = known.stage.status() as usize;
            self.known[usize::from(event)] = None;
            self.records[status] -= 1;
            self.forgotten[status] += 1;
            self.count_bytes(known.bytes(), (0, 0));
        }
        match follows {
            true => Ok(()),
            false => {
                let stage = known.map(|known| known.stage);
                Err(Broken::new(ORACLE, 1, format!("event {event} is {stage:?}, and now forgotten")))
            }
        }
    }

    fn count_bytes(&mut self, before: (u64, u64), after: (u64, u64)) {
        self.bytes = self.bytes + after.0 - before.0;
        self.failed_bytes = self.failed_bytes + after.1 - before.1;
    }

    /// Changes what is known of an event, and keeps the sums.
    fn change(&mut self, event: EventNumber, change: impl FnOnce(&mut Known) -> bool) -> bool {
        let Some(known) = self.known.get_mut(usize::from(event)).and_then(Option::as_mut) else { return false };
        let (before, bytes) = (known.stage, known.bytes());
        let follows = change(known);
        if let Stage::Processing { run, .. } = before {
            self.inflight.retain(|(current, _)| *current != run);
        }
        if let Stage::Processing { run, .. } = known.stage {
            self.inflight.push((run, event));
        }
        self.records[before.status() as usize] -= 1;
        self.records[known.stage.status() as usize] += 1;
        let after = known.bytes();
        self.count_bytes(bytes, after);
        follows
    }
}

fn number(key: &Key, roster: &Roster) -> Result<EventNumber, Broken> {
    let unknown = || Broken::new(ORACLE, 1, format!("a fact about {key}, which nobody submitted"));
    roster.number(key).ok_or_else(unknown)
}
