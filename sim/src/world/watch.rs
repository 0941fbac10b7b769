//! The checks after each step, and whenever time passes.

use std::time::Duration;

use eventful::node::{Lsn, Readiness, Unavailable};
use eventful::{Timestamp, engine::Phase};

use super::journal::{WorldJournal, WriterHand};
use super::routine::Routine;
use super::state::World;
use super::waits::{Awaited, WaitingClient};
use crate::failure::{Broken, holds};
use crate::oracle::{self, Health, JournalHealth};

/// The number of steps between two checks of the node's readiness, which read all workers.
const HEALTH_EVERY: u32 = 16;

/// The time within which readiness shows that the disk is full or gone: two intervals of the node's checks.
const LOOKED_MICROS: u64 = 1_000_000;

/// The difference by which the node's time is ahead of the wall clock, as it is given for its numbers. A free choice.
const AHEAD: Duration = Duration::from_secs(7);

/// The longest time for which the dispatcher sleeps while a task starts what comes: the product's own bound.
pub(super) const LED_AT_MOST: Duration = Duration::from_millis(1);

/// The number of steps between two comparisons of all numbers, which take long.
const NUMBERS_EVERY: u32 = 64;

impl World<'_> {
    /// Checks the simulation between two steps.
    pub(super) fn judge_step(&mut self) -> Result<(), Broken> {
        if !self.is_up {
            return Ok(());
        }
        self.call_operator();
        let known = self.unavailable();
        let shown = self.node.unavailable();
        holds(known == shown, || {
            Broken::new("readiness", 9, format_args!("the node shows {shown:?}, expected {known:?}"))
        })?;
        // An engine that was abandoned has runs without workers.
        let dropped = if known.is_none() { self.dropped } else { usize::MAX / 2 };
        let permits = (self.node.permits_free(), self.workers.len());
        oracle::judge_permits(self.node.engine(), permits, dropped, self.is_broken)?;
        self.judge_intake()?;
        holds(!self.tasks.is_led() || self.dispatcher.routine != Routine::Asleep(None), || {
            Broken::new("waits", 3, "a task leads, but the dispatcher does not watch it")
        })?;
        match self.steps.is_multiple_of(HEALTH_EVERY) {
            true => self.judge_health(),
            false => Ok(()),
        }
    }

    /// Checks the readiness and state that the node reports.
    fn judge_health(&self) -> Result<(), Broken> {
        let now = self.clock();
        let seen = self.observer.see();
        let facts = seen.oracles.facts();
        let kept = seen.oracles.journal.as_ref();
        let journal = self.journal.as_ref().zip(kept).map(|(journal, kept)| JournalHealth {
            unavailable: self.unavailable().filter(|why| *why != Unavailable::Broken),
            is_reachable: kept.is_reachable,
            room: kept.room(),
            waits_since: kept.unsynced_since(facts).into_iter().chain(journal.busy_since).min(),
        });
        let grace = self.config.abort_grace;
        let stopped = self.workers.iter().filter_map(|worker| worker.cancelled);
        let health = Health {
            is_broken: self.is_broken,
            journal,
            stopped_for_long: stopped.filter(|since| now.since(*since) >= grace).count(),
            dispatcher_is_down: self.dispatcher().routine.is_dead(),
            sweeper_is_down: self.sweeper.routine.is_dead(),
        };
        let readiness: Readiness = self.node.readiness(now);
        seen.oracles.judge_readiness(now, self.node.engine(), &health, readiness)?;
        let stats = self.node.stats(now, AHEAD);
        let Ok(stats) = stats else {
            return holds(self.is_broken, || {
                Broken::new("numbers", 7, "stats are refused, but the node is not broken")
            });
        };
        if !self.steps.is_multiple_of(NUMBERS_EVERY) {
            return Ok(());
        }
        seen.oracles.judge_stats(now, self.node.engine(), &health, &stats, AHEAD)?;
        let same = |what: &str, shown: u64, counted: u64| {
            holds(shown == counted, || {
                Broken::new("numbers", 7, format_args!("{what}: {shown} are shown, but {counted} are counted"))
            })
        };
        same("tickets in the channel", stats.channel_depth, self.node.tickets().map_or(0, |held| held.len() as u64))?;
        same("workers", stats.workers_running, self.workers.len() as u64)?;
        same("submitters that wait", stats.submitters_waiting, self.clients.queue.len() as u64)?;
        same("restarts of the dispatcher", stats.dispatcher_restarts, self.dispatcher.restarts)?;
        same("restarts of the sweeper", stats.sweeper_restarts, self.sweeper.restarts)?;
        same("dropped notices", stats.subscription_dropped, seen.oracles.published.dropped())?;
        let (Some(journal), Some(kept)) = (&self.journal, kept) else { return Ok(()) };
        same("facts that are not durable", stats.unsynced, (facts.len() - kept.reported) as u64)?;
        same("reopenings", stats.journal_reopenings, journal.reopenings)?;
        if self.is_serving() {
            same("bytes that are not durable", stats.unsynced_bytes, kept.unsynced_bytes as u64)?;
            same("bytes of room", stats.journal_room_bytes.unwrap_or_default(), kept.room())?;
        }
        Ok(())
    }

    /// Checks, before time passes until `next`, that no task sleeps that has something to do: all ready steps were
    /// taken.
    pub(super) fn judge_pause(&self, next: u64) -> Result<(), Broken> {
        if !self.is_up {
            return Ok(());
        }
        if !self.clients.readers.is_empty() {
            self.judge_readers()?;
        }
        self.clients.waits.iter().filter(|wait| wait.is_asleep()).try_for_each(|wait| self.judge_wait(wait))?;
        if self.is_serving() {
            self.judge_routines()?;
        }
        self.judge_end_in_sight(next)
    }

    /// Checks that no routine sleeps that has something to do, or sleeps for too long.
    fn judge_routines(&self) -> Result<(), Broken> {
        let engine = self.node.engine();
        let is_asleep = |routine: Routine| matches!(routine, Routine::Asleep(_));
        let has_tickets = self.node.tickets().is_some_and(|tickets| !tickets.is_empty());
        let can_start = has_tickets && self.may_start();
        // While a task leads, the dispatcher checks on it every millisecond.
        let looks_soon =
            matches!(self.dispatcher.routine, Routine::Asleep(Some(until)) if until <= self.clock() + LED_AT_MOST);
        let late = |until: Timestamp| engine.next_deadline().is_some_and(|deadline| deadline.at < until);
        let why = if can_start && is_asleep(self.dispatcher.routine) && !looks_soon {
            Some("the dispatcher sleeps, but a run can start")
        } else if self.sweeper.routine == Routine::Ended && !self.node.has_stopped() {
            Some("the sweeper has ended, but the engine has not")
        } else if let Routine::Asleep(until) = self.sweeper.routine
            && late(until.unwrap_or(Timestamp::MAX))
        {
            Some("the sweeper sleeps past a deadline")
        } else {
            self.journal.as_ref().and_then(|journal| self.late_writer(journal))
        };
        why.map_or(Ok(()), |why| Err(Broken::new("waits", 3, why)))?;
        holds(looks_soon || !self.dispatcher.routine.is_alive() || !self.has_forgotten_runs(), || {
            Broken::new("waits", 3, "a run has started, but no task calls its handler")
        })?;
        let is_at_rest =
            |journal: &&WorldJournal| is_asleep(journal.routine) && journal.facts.is_empty() && !journal.seems_gone;
        let resting = self.journal.as_ref().filter(is_at_rest).filter(|_| self.ender.ending.is_none());
        resting.map_or(Ok(()), WorldJournal::judge_rest)
    }

    /// Checks that a dispatcher is replaced only when it could have presented its tickets.
    pub(super) fn judge_replacement(&self) -> Result<(), Broken> {
        let now = self.clock();
        let seen = self.observer.see();
        let kept = seen.oracles.journal.as_ref();
        let unsynced_since = kept.and_then(|kept| kept.unsynced_since(seen.oracles.facts()));
        let excuse = if self.workers.len() >= self.config.concurrency.get() {
            Some("no permit is free")
        } else if unsynced_since.is_some_and(|since| now.since(since) >= self.config.stuck_after) {
            Some("the journal is stuck")
        } else if self.dispatcher().routine.is_dead() {
            Some("it is down already")
        } else {
            None
        };
        excuse.map_or(Ok(()), |why| {
            Err(Broken::new("waits", 3, format_args!("the dispatcher is to be replaced, but {why}")))
        })
    }

    /// Checks that an engine takes no events once a shutdown was begun, however often it was opened since.
    fn judge_intake(&self) -> Result<(), Broken> {
        let is_open = self.is_serving() && self.node.engine().phase() == Phase::Running;
        holds(self.ender.ending.is_none() || !is_open, || {
            Broken::new("shutdown", 6, "a shutdown was begun, but the engine takes events")
        })
    }

    /// Returns whether a run may start once there is a ticket.
    pub(super) fn may_start(&self) -> bool {
        let engine = self.node.engine();
        let is_running = engine.phase() == Phase::Running && !engine.is_paused() && self.ender.ending.is_none();
        is_running && self.node.permits_free() > 0
    }

    /// Returns the reason why the writer of the journal should not sleep.
    fn late_writer(&self, journal: &WorldJournal) -> Option<&'static str> {
        let sleeps = matches!((journal.routine, &journal.hand), (Routine::Asleep(_), WriterHand::Free));
        let is_refused = !journal.facts.is_empty();
        if sleeps && !is_refused && !self.seen().oracles.is_synced() {
            return Some("the writer sleeps, but there is a group to write");
        }
        let looks = is_refused || !journal.settings.hides_room;
        let since = journal.measured_at.max(journal.stalled_until).max(self.hindered);
        let is_blind = looks && self.now > since + LOOKED_MICROS;
        (is_blind && journal.routine.is_alive()).then_some("the writer has not checked its disk for long")
    }

    fn judge_wait(&self, wait: &WaitingClient) -> Result<(), Broken> {
        let seen = self.observer.see();
        let (expected, is_lost) = (&seen.oracles.expected, self.is_lost());
        let is_stopped = self.node.phase() == Phase::Stopped;
        let horizon = self.node.horizon();
        let is_settled = |lsn: &Lsn, patient| horizon.is_some_and(|horizon| horizon.find(*lsn, patient).is_some());
        let why = match &wait.awaited {
            Awaited::Durable(due, _) if is_settled(&due.lsn, false) => Some("its LSN is settled"),
            Awaited::Start(_, lsn) if is_settled(lsn, true) => Some("its LSN is settled"),
            Awaited::Durable(..) if self.has_waited_too_long(wait) => Some("no result may wait for so long"),
            Awaited::End(_) | Awaited::Idle | Awaited::Room { .. } if is_lost || is_stopped => {
                Some("its wait cannot end")
            }
            Awaited::End(_) | Awaited::Idle | Awaited::Room { .. } if !self.is_serving() => None,
            Awaited::End(event) => {
                let has_ended = expected.record(*event).is_some_and(|known| known.stage.terminal_at().is_some());
                let is_published = seen.oracles.is_synced() && !self.is_publishing();
                (has_ended && is_published).then_some("its event has ended")
            }
            Awaited::Idle => (expected.pending() == 0).then_some("no event is pending"),
            Awaited::Room { event, .. } => {
                let is_first = self.clients.queue.front() == Some(&wait.waiter);
                drop(seen);
                let outlook = self.outlook(event);
                let may_enter = outlook.has_room || self.node.phase() != Phase::Running;
                (is_first && may_enter).then_some("there is room")
            }
            Awaited::Durable(..) | Awaited::Start(..) => None,
        };
        why.map_or(Ok(()), |why| {
            Err(Broken::new(
                "waits",
                9,
                format_args!("a client that waits since {} sleeps, but {why}: {:?}", wait.since, wait.awaited),
            ))
        })
    }

    fn is_publishing(&self) -> bool {
        self.journal.as_ref().is_some_and(|journal| matches!(journal.hand, WriterHand::Publishing(..)))
    }

    /// Returns whether a result waits for longer than it may, and nothing kept the sweeper from noticing that.
    fn has_waited_too_long(&self, wait: &WaitingClient) -> bool {
        let Some(journal) = self.journal.as_ref().filter(|_| self.scenario.setup.patience == 0) else { return false };
        let since = wait.since.max(self.hindered);
        let timeout = journal.limits().answer_timeout.as_micros();
        self.sweeper.routine.is_alive() && u128::from(self.now - since.min(self.now)) > timeout
    }

    fn judge_readers(&self) -> Result<(), Broken> {
        let published = &self.observer.see().oracles.published;
        let has_ended = self.publishes_no_more();
        let news = |waiter| has_ended || published.has_news(waiter);
        let slept = self.clients.readers.iter().find(|reader| reader.sleeps && news(reader.waiter));
        slept.map_or(Ok(()), |reader| {
            let what = if has_ended { "no fact will follow" } else { "there is something to read" };
            Err(Broken::new("readers", 10, format_args!("{:?} sleeps, but {what}", reader.waiter)))
        })
    }

    /// Checks that a shutdown ends when it has nothing to wait for.
    fn judge_end_in_sight(&self, next: u64) -> Result<(), Broken> {
        if self.ender.ending.is_none() || self.ender.has_ended() {
            return Ok(());
        }
        let routines = [self.dispatcher.routine, self.sweeper.routine];
        let is_closed = self.journal.as_ref().is_none_or(|journal| journal.routine == Routine::Ended);
        let waits = !self.workers.is_empty() || !is_closed || routines.into_iter().any(Routine::is_alive);
        holds(waits, || Broken::new("shutdown", 6, "everything has ended, but the shutdown has not"))?;
        let is_asked = self.workers.iter().all(|worker| worker.cancelled.is_some());
        let has_time = self.ender.ending.is_some_and(|ending| next <= self.world_time(ending.deadline));
        holds(is_asked || has_time, || {
            Broken::new("shutdown", 6, "the time to drain has passed, but a handler was not cancelled")
        })
    }
}
