//! The phases of a run: faults, their end, a bounded time to finish, and the audit.

use std::time::Duration;

use eventful::{Config, Status, Timestamp};

use super::event_queue::Task;
use super::routine::Routine;
use super::schedule::StepSchedule;
use super::state::World;
use super::trouble::FOREVER;
use crate::failure::Broken;
use crate::panics;
use crate::scenario::{Behaviour, CoreFault, CoreScenario, Injection};
use crate::seeded_rng::SeededRng;
use crate::spec::{Lifecycle, ReferenceRecord};
use crate::tier::{Keep, Probes, Report};

/// The greatest number of steps that an operation or a fault can cause at one time. More mean that a task spins.
const STEPS_EACH: u32 = 20;

/// The number of steps that are taken when only the writer of the journal has something to do: enough for it to check
/// the disk.
const LAST_STEPS: u32 = 12;

/// The greatest time that a failure of the journal or a dead task may take beside the bound of the engine: a try to
/// open the journal again, or to write to a full disk.
const SLACK: Duration = Duration::from_secs(3);

/// The greatest time in which a process recovers from the last fault. Tries to open a journal, to start a dead task
/// again, or to start the process, are at most one second apart, so this allows many of them.
const RECOVERY_MICROS: u64 = 60_000_000;

/// The reason why a run stops before its end.
#[derive(Debug)]
pub(crate) enum Halt {
    /// A promise is broken.
    Broken(Broken),
    /// A search has been in this state before.
    Seen,
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

impl From<Broken> for Halt {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

impl Halt {
    /// Returns the broken promise, if there is one.
    pub(crate) fn broken(self) -> Option<Broken> {
        match self {
            Self::Broken(broken) => Some(broken),
            Self::Seen => None,
        }
    }
}

/// The end of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorldEnd {
    /// The shutdown has ended.
    Stopped,
    /// Every event is terminal.
    Finished,
}

impl CoreScenario {
    /// Runs the scenario. The probes that fire are added to `probes`.
    pub(crate) fn play(&self, keep: Keep, probes: &mut Probes) -> Report {
        let mut choices = match &self.choices {
            Some(listed) => StepSchedule::listed(listed.clone()),
            None => StepSchedule::drawn(SeededRng::of(self.seed).stream("choices")),
        };
        let mut world = match World::new(self, keep, std::mem::take(probes)) {
            Ok(world) => world,
            Err(refused) => return Report { broken: Some(Broken::new("settings", 11, refused)), ..Report::default() },
        };
        let broken = world.live(&mut choices).err().and_then(Halt::broken);
        if let Some(broken) = &broken {
            world.note(|trace| trace.note_broken(broken));
        }
        world.probe_disk();
        *probes = world.take_probes();
        world.into_report(broken, choices)
    }
}

impl World<'_> {
    /// Runs all phases. A panic of the engine breaks a promise too.
    pub(crate) fn live(&mut self, choices: &mut StepSchedule) -> Result<WorldEnd, Halt> {
        panics::catch(|| self.pass_phases(choices)).unwrap_or_else(|broken| Err(broken.into()))
    }

    fn pass_phases(&mut self, choices: &mut StepSchedule) -> Result<WorldEnd, Halt> {
        self.pass_chaos(choices)?;
        let ended = match self.is_ending() {
            true => self.wait_for_end(choices)?,
            false => self.heal_and_finish(choices)?,
        };
        self.wait_until_durable(choices)?;
        self.judge_phase()?;
        self.note(|trace| trace.note_world("audit: the results of clients are compared with the records"));
        self.audit(self.node.engine())?;
        self.audit_after_all()?;
        // Only some runs, as this takes as long as the retentions.
        if self.scenario.seed.is_multiple_of(4) && ended == WorldEnd::Finished {
            self.become_idle(choices)?;
        }
        Ok(ended)
    }

    /// Lets time pass until all facts are durable, without any further fault.
    fn wait_until_durable(&mut self, choices: &mut StepSchedule) -> Result<(), Halt> {
        while !self.is_settled() {
            if !self.bounded_step(choices)? {
                return Err(Broken::new("journal", 10, "nothing is left to happen, but not all is durable").into());
            }
        }
        Ok(())
    }

    /// Runs until every operation and every fault of the scenario has happened and passed.
    fn pass_chaos(&mut self, choices: &mut StepSchedule) -> Result<(), Halt> {
        let mut well = 0;
        while self.now < self.trouble_ends().max(self.dead_until()) || self.is_troubled() {
            if self.now < self.trouble_ends() || self.is_scheduled() || self.is_well() && self.dead_until() == 0 {
                well = self.now;
            }
            if self.now > well + RECOVERY_MICROS {
                return Err(
                    Broken::new("liveness", 1, "the faults have ended, but the process does not recover").into()
                );
            }
            if !self.bounded_step(choices)? {
                break;
            }
        }
        Ok(())
    }

    fn is_troubled(&self) -> bool {
        self.is_scheduled() || !self.is_well() || self.node.tickets().is_none()
    }

    /// Returns whether an operation or a fault is still to come.
    fn is_scheduled(&self) -> bool {
        let outside = |task: &Task| matches!(task, Task::Operation(_) | Task::Fault(_));
        self.next_operation < self.scenario.operations.len()
            || self.next_fault < self.scenario.faults.len()
            || self.event_queue.ready.iter().any(outside)
    }

    /// Returns whether the process serves, or is lost and will end. A missing channel has no effect while nothing may
    /// start.
    fn is_well(&self) -> bool {
        let has_channel = self.node.tickets().is_some() || !self.may_start();
        self.is_serving() && has_channel || self.is_lost() && self.ender.ending.is_some()
    }

    /// Returns the time at which the faults that have begun end.
    fn trouble_ends(&self) -> u64 {
        let ends = [
            self.full_until,
            self.dispatcher.stalled_until,
            self.sweeper.late_until,
            self.handlers.workers_stalled_until,
            self.clients.stalled_until,
            self.journal
                .as_ref()
                .map_or(0, |journal| journal.stalled_until.max(journal.full_until).max(journal.gone_until)),
        ];
        ends.into_iter().filter(|end| *end < FOREVER).max().unwrap_or_default()
    }

    /// Returns the time at which the last of the dead tasks is started again.
    fn dead_until(&self) -> u64 {
        let routines = [self.dispatcher.routine, self.sweeper.routine].into_iter().filter(|routine| routine.is_dead());
        routines.filter_map(|routine| routine.due(|at| self.world_time(at))).max().unwrap_or_default()
    }

    fn wait_for_end(&mut self, choices: &mut StepSchedule) -> Result<WorldEnd, Halt> {
        while !self.has_ended() {
            if self.is_up && self.ender.ending.is_none() {
                // The process died before the shutdown ended, and was started again.
                return self.heal_and_finish(choices);
            }
            if !self.bounded_step(choices)? {
                return Err(
                    Broken::new("shutdown", 6, "nothing is left to happen, but the shutdown has not ended").into()
                );
            }
        }
        self.heal_disk();
        // Handlers that ignore cancellation still end, and settle runs that no longer count.
        while self.bounded_step(choices)? {}
        Ok(WorldEnd::Stopped)
    }

    fn heal_and_finish(&mut self, choices: &mut StepSchedule) -> Result<WorldEnd, Halt> {
        self.heal()?;
        if self.full_until == FOREVER {
            self.wait_while_full(choices)?;
        }
        self.decide_waiting()?;
        let mut limit = self.latest.max(self.clock()) + self.time_to_finish();
        let mut accepted = self.seen().oracles.expected.counts.accepted;
        while !self.is_serving() || self.node.engine().gauges().pending() > 0 {
            let went_on = self.bounded_step(choices)?;
            if self.is_ending() {
                return self.wait_for_end(choices);
            }
            let (has_resumed, acts) = (self.resume()?, self.decide_waiting()?);
            let accepted_before = std::mem::replace(&mut accepted, self.seen().oracles.expected.counts.accepted);
            // Follow-ups have their own time.
            if acts.redriven || accepted > accepted_before {
                limit = limit.max(self.latest.max(self.clock()) + self.time_to_finish());
            }
            // Without a further step no time will pass, so pending events would never end.
            let now = if went_on || has_resumed || acts.any { self.latest } else { Timestamp::MAX };
            self.seen().oracles.judge_liveness(now, limit, &self.key_table, self.node.engine())?;
        }
        Ok(WorldEnd::Finished)
    }

    /// Runs while no ticket gets into the channel: tickets that are there have a bounded time to end their runs, and
    /// all other events wait in their places. Then makes room.
    fn wait_while_full(&mut self, choices: &mut StepSchedule) -> Result<(), Halt> {
        let (mut limit, mut epoch, mut well) = (Timestamp::EPOCH, None, self.now);
        while self.node.engine().gauges().pending() > 0 {
            // The process has died, and the next one has a channel with room.
            if self.full_until != FOREVER {
                return Ok(());
            }
            let opened = Some(self.node.engine().epoch());
            // The tickets of an opening get into the channel that comes with it.
            if std::mem::replace(&mut epoch, opened) != opened {
                limit = self.latest.max(self.clock()) + self.time_while_full();
            }
            if self.is_serving() {
                well = self.now;
            }
            let has_recovered = well == self.now || self.now > well + RECOVERY_MICROS;
            if has_recovered && self.latest > limit || !self.bounded_step(choices)? {
                break;
            }
        }
        let held: Vec<_> = self.node.tickets().into_iter().flatten().copied().collect();
        self.seen().oracles.judge_waiting(self.latest, &held, &self.key_table, self.node.engine())?;
        self.audit(self.node.engine())?;
        self.note(|trace| trace.note_world("room is made in the channel"));
        self.free_channel_now();
        Ok(())
    }

    /// Ends all faults: the clock is right, the disk works, and operators resume starts.
    fn heal(&mut self) -> Result<(), Broken> {
        self.note(|trace| trace.note_world("the faults have ended: pending events have a bounded time to end"));
        self.skew = self.skew.max(self.lag());
        // A later start would skip the time in which all pending events must end.
        self.machine_skew = self.machine_skew.min(self.skew);
        self.may_panic = false;
        self.observer.switches().calm();
        self.heal_disk();
        self.resume().map(drop)
    }

    /// Returns the time in which all pending events must end.
    fn time_to_finish(&self) -> Duration {
        let expected = &self.seen().oracles.expected;
        let pending = usize::try_from(expected.pending()).unwrap_or(usize::MAX);
        let first = |(_, record): (_, &ReferenceRecord)| match record.stage {
            Lifecycle::Received(at) => Some(at.since(self.clock())),
            Lifecycle::Processing { .. }
            | Lifecycle::FailedRetry(_)
            | Lifecycle::Completed(_)
            | Lifecycle::Failed(_)
            | Lifecycle::Discarded(_) => None,
        };
        let delay = expected.all().filter_map(first).max().unwrap_or_default();
        self.config_left().liveness_bound(pending) + delay + SLACK
    }

    /// Returns the time in which all runs must end if no event gets another ticket than the one it has.
    fn time_while_full(&self) -> Duration {
        let mut config = self.config_left();
        // No event gets another ticket, so each has at most the run that it has now.
        (config.max_attempts, config.max_snoozes, config.max_refunds) = (1, 0, 0);
        (config.backoff.cap, config.max_retry_after, config.max_snooze) = Default::default();
        let late = |fault: &CoreFault| if let Injection::TicketLate { by, .. } = fault.what { by } else { 0 };
        let late = Duration::from_micros(self.scenario.faults.iter().map(late).max().unwrap_or_default());
        let gauges = self.node.engine().gauges();
        config.liveness_bound(usize::try_from(gauges.queued + gauges.inflight).unwrap_or(usize::MAX)) + late
    }

    /// Returns the configuration without the permits that stuck handlers hold permanently, and with an `abort_grace`
    /// that covers handlers that ignore cancellation.
    fn config_left(&self) -> Config {
        let mut config = self.config.clone();
        let mut stuck = 0;
        for fault in &self.scenario.faults {
            let Injection::Handler { does, .. } = fault.what else { continue };
            stuck += usize::from(does == Behaviour::Stuck);
            if let Behaviour::Deaf { lasts } = does {
                config.abort_grace = config.abort_grace.max(Duration::from_micros(lasts));
            }
        }
        let left = config.concurrency.get().saturating_sub(stuck).max(1);
        config.concurrency = std::num::NonZeroUsize::new(left).unwrap_or(std::num::NonZeroUsize::MIN);
        config
    }

    /// Runs until no task is left: terminal records are forgotten at the end of their retention, if they have one.
    fn become_idle(&mut self, choices: &mut StepSchedule) -> Result<(), Halt> {
        let remembered = self.config.retention + self.config.failed_retention.unwrap_or_default();
        let longest = remembered.saturating_mul(2).saturating_add(self.seen().oracles.expected.most_longer());
        let limit = self.now.saturating_add(micros(longest)).saturating_add(RECOVERY_MICROS);
        while self.bounded_step(choices)? || self.decide_waiting()?.any {
            if self.now > limit {
                return Err(Broken::new("liveness", 1, "no work is left, but the process is not idle").into());
            }
        }
        if !self.takes_events() {
            return Err(Broken::new("journal", 9, "there is room on the disk, but new events are refused").into());
        }
        let for_ever = match self.config.failed_retention {
            None => self.seen().oracles.expected.count(Status::Failed),
            Some(_) => 0,
        };
        match self.node.engine().gauges().records_total() - for_ever {
            0 => {
                self.judge_phase()?;
                Ok(self.audit_after_all()?)
            }
            left => Err(Broken::new("liveness", 1, format!("{left} records are never forgotten")).into()),
        }
    }

    /// Returns whether only the writer of the journal has something to do, which checks the disk now and then.
    fn is_quiet(&self) -> bool {
        let routines = [self.dispatcher.routine, self.sweeper.routine, self.ender.routine];
        let knows_room = self.journal.as_ref().is_some_and(|journal| !journal.settings.hides_room);
        knows_room
            && self.is_up
            && self.is_settled()
            && self.next_operation == self.scenario.operations.len()
            && self.next_fault == self.scenario.faults.len()
            && self.event_queue.ready.is_empty()
            && self.event_queue.next_time().is_none()
            && routines.iter().all(|routine| matches!(routine, Routine::Asleep(None) | Routine::Ended))
    }

    /// Takes a step, and fails if there were so many that a task must be spinning.
    fn bounded_step(&mut self, choices: &mut StepSchedule) -> Result<bool, Halt> {
        if self.now > self.moment.0 {
            self.moment = (self.now, self.steps);
        }
        let (steps, size) = (self.steps - self.moment.1, self.scenario.size() as u32 + 20);
        if steps >= size * STEPS_EACH {
            return Err(Broken::new("liveness", 1, format!("a task spins: {steps} steps without time passing")).into());
        }
        if self.quiet_steps >= LAST_STEPS {
            self.quiet_steps = 0;
            return Ok(false);
        }
        let went_on = self.step(choices)?;
        self.quiet_steps = if self.is_quiet() { self.quiet_steps + 1 } else { 0 };
        match went_on && choices.has_seen(|| self.fingerprint()) {
            true => Err(Halt::Seen),
            false => Ok(went_on),
        }
    }

    fn into_report(self, broken: Option<Broken>, choices: StepSchedule) -> Report {
        let (hash, trace) = (self.hashed(), self.seen().trace.trace.take());
        Report {
            broken,
            steps: self.steps,
            virtual_micros: self.now,
            hash,
            trace,
            hashes: self.hashes.unwrap_or_default(),
            choices: Some(choices.made),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::event_queue::Task;
    use super::*;
    use crate::scope::small_case;

    #[test]
    fn panic_on_the_way_is_a_broken_promise() {
        let scenario = small_case();
        let mut world = World::new(&scenario, Keep::default(), Probes::default()).expect("a valid configuration");
        world.event_queue.now(Task::Fault(99));
        let broken = world.live(&mut StepSchedule::listed(Vec::new())).err().and_then(Halt::broken).expect("it panics");
        assert_eq!((&*broken.oracle, broken.what.contains("99")), ("panics", true), "{broken}");
    }
}
