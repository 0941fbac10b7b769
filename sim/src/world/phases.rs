//! Chaos, then healing, then a bounded time to finish, then the audit.

use std::time::Duration;

use eventful::{Command, Config, Status, Timestamp};

use super::channel::FOR_GOOD;
use super::{Choices, World};
use crate::chance::Chance;
use crate::failure::Broken;
use crate::oracle::Said;
use crate::panics;
use crate::scenario::{Behaviour, Fault, Injection, Scenario};
use crate::tier::{Keep, Probes, Report};

/// Steps that an operation or a fault can cause at one time, at most. More of them: it spins.
const STEPS_EACH: u32 = 20;

/// Why a run stops before its end.
#[derive(Debug)]
pub(crate) enum Halt {
    /// A promise is broken.
    Broken(Broken),
    /// A search has been in this state before.
    Seen,
}

impl From<Broken> for Halt {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

impl Halt {
    /// The broken promise, if that is why.
    pub(crate) fn broken(self) -> Option<Broken> {
        match self {
            Self::Broken(broken) => Some(broken),
            Self::Seen => None,
        }
    }
}

/// How a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It was shut down.
    Stopped,
    /// Every event is terminal.
    Finished,
}

impl Scenario {
    /// Lets it happen. What fires is added to `probes`.
    pub(crate) fn play(&self, keep: Keep, probes: &mut Probes) -> Report {
        let mut choices = match &self.choices {
            Some(listed) => Choices::listed(listed.clone()),
            None => Choices::drawn(Chance::of(self.seed).stream("choices")),
        };
        let mut world = match World::new(self, keep, std::mem::take(probes)) {
            Ok(world) => world,
            Err(refused) => return Report { broken: Some(Broken::new("settings", 11, refused)), ..Report::default() },
        };
        let broken = world.live(&mut choices).err().and_then(Halt::broken);
        if let Some(broken) = &broken {
            world.note_broken(broken);
        }
        world.probe_disk();
        *probes = std::mem::take(&mut world.probes);
        world.into_report(broken, choices)
    }
}

impl World<'_> {
    /// The whole run. A panic of the engine breaks a promise too.
    pub(crate) fn live(&mut self, choices: &mut Choices) -> Result<Ended, Halt> {
        panics::catch(|| self.pass_phases(choices)).unwrap_or_else(|broken| Err(broken.into()))
    }

    fn pass_phases(&mut self, choices: &mut Choices) -> Result<Ended, Halt> {
        self.pass_chaos(choices)?;
        let ended = match self.is_ending() {
            true => self.wait_for_end(choices)?,
            false => self.heal_and_finish(choices)?,
        };
        self.wait_until_durable(choices)?;
        self.oracles.judge_phase(self.told, &self.engine, &self.roster)?;
        self.note_world("audit: what clients were told is compared with what is there");
        self.oracles.audit(self.told, &self.roster, &self.engine)?;
        self.audit_after_all()?;
        if self.scenario.seed.is_multiple_of(4) && ended == Ended::Finished {
            self.fall_silent(choices)?;
        }
        Ok(ended)
    }

    /// What was decided becomes durable without any more ado.
    fn wait_until_durable(&mut self, choices: &mut Choices) -> Result<(), Halt> {
        while !self.is_synced() {
            if !self.bounded_step(choices)? {
                return Err(Broken::new("journal", 10, "nothing is left to happen, but not all is durable").into());
            }
        }
        Ok(())
    }

    /// Until every operation and every fault of the scenario has happened and passed.
    fn pass_chaos(&mut self, choices: &mut Choices) -> Result<(), Halt> {
        while self.now < self.trouble_ends() || self.is_troubled() {
            if !self.bounded_step(choices)? {
                break;
            }
        }
        Ok(())
    }

    fn is_troubled(&self) -> bool {
        let outside = |task: &super::Task| matches!(task, super::Task::Operation(_) | super::Task::Fault(_));
        self.next_operation < self.scenario.operations.len()
            || self.next_fault < self.scenario.faults.len()
            || !(self.is_serving() || self.is_down())
            || !self.channel.content().1
            || self.agenda.ready.iter().any(outside)
    }

    /// When the windows of the faults that have begun are over.
    fn trouble_ends(&self) -> u64 {
        let ends = [
            self.channel.full_until,
            self.dispatcher.stalled_until,
            self.sweeper.dead_until,
            self.sweeper.late_until,
            self.handlers.workers_stalled_until,
            self.clients_stalled_until,
            self.journal.as_ref().map_or(0, |journal| journal.stalled_until.max(journal.full_until)),
        ];
        ends.into_iter().filter(|end| *end < FOR_GOOD).max().unwrap_or_default()
    }

    fn wait_for_end(&mut self, choices: &mut Choices) -> Result<Ended, Halt> {
        while !self.has_ended() {
            if self.ending.is_none() {
                // It died before it came to its end, and was started again.
                return self.heal_and_finish(choices);
            }
            if !self.bounded_step(choices)? {
                return Err(
                    Broken::new("shutdown", 6, "nothing is left to happen, but it has not come to its end").into()
                );
            }
        }
        self.heal_disk();
        // Handlers that heard nothing still end, and tell what nobody counts.
        while self.bounded_step(choices)? {}
        Ok(Ended::Stopped)
    }

    fn heal_and_finish(&mut self, choices: &mut Choices) -> Result<Ended, Halt> {
        self.heal()?;
        if self.channel.full_until == FOR_GOOD {
            self.wait_while_full(choices)?;
        }
        let limit = self.told.max(self.clock()) + self.time_to_finish();
        while self.engine.gauges().pending() > 0 {
            let went_on = self.bounded_step(choices)?;
            if self.is_ending() {
                return self.wait_for_end(choices);
            }
            self.resume()?;
            let now = if went_on { self.told } else { Timestamp::MAX };
            self.oracles.judge_liveness(now, limit, &self.roster, &self.engine)?;
        }
        Ok(Ended::Finished)
    }

    /// No ticket gets into the channel. Who has one has a bounded time to end its run, and all
    /// others are where they can wait. Then somebody makes room.
    fn wait_while_full(&mut self, choices: &mut Choices) -> Result<(), Halt> {
        let limit = self.told.max(self.clock()) + self.time_while_full();
        while self.engine.gauges().pending() > 0 && self.told <= limit {
            if !self.bounded_step(choices)? {
                break;
            }
        }
        let held: Vec<_> = self.channel.content().0.collect();
        self.oracles.judge_waiting(self.told, &held, &self.roster, &self.engine)?;
        self.oracles.audit(self.told, &self.roster, &self.engine)?;
        self.note_world("somebody makes room in the channel");
        self.channel.full_until = 0;
        Ok(())
    }

    /// The clock shows the time again, the disk works, and operators let runs start.
    fn heal(&mut self) -> Result<(), Broken> {
        self.note_world("the faults are over: what is pending has a bounded time to end");
        self.skew = self.skew.max(self.lag());
        self.heal_disk();
        self.resume()
    }

    /// Operators let runs start, again when the process has died with their word.
    fn resume(&mut self) -> Result<(), Broken> {
        match self.is_serving() && self.engine.is_paused() {
            true => self.tell(Command::Resume, Said::Resume).map(drop),
            false => Ok(()),
        }
    }

    /// In which all that is pending must end.
    fn time_to_finish(&self) -> Duration {
        self.config_left().liveness_bound(usize::try_from(self.engine.gauges().pending()).unwrap_or(usize::MAX))
    }

    /// In which all runs must end when no event gets another ticket than the one it has.
    fn time_while_full(&self) -> Duration {
        let mut config = self.config_left();
        (config.max_attempts, config.max_snoozes, config.max_refunds) = (1, 0, 0);
        (config.backoff.cap, config.max_retry_after, config.max_snooze) = Default::default();
        let late = |fault: &Fault| if let Injection::TicketLate { by, .. } = fault.what { by } else { 0 };
        let late = Duration::from_micros(self.scenario.faults.iter().map(late).max().unwrap_or_default());
        let gauges = self.engine.gauges();
        config.liveness_bound(usize::try_from(gauges.queued + gauges.inflight).unwrap_or(usize::MAX)) + late
    }

    /// The configuration, with what the scenario's faults take from it: permits that are gone for
    /// good, and handlers that hear no cancellation.
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

    /// Until nothing is left to happen: what is terminal is forgotten at the end of its retention, if
    /// it has one.
    fn fall_silent(&mut self, choices: &mut Choices) -> Result<(), Halt> {
        while self.bounded_step(choices)? {}
        if !self.takes_events() {
            return Err(Broken::new("journal", 9, "there is room on the disk, and new events are refused").into());
        }
        let for_ever = match self.config.failed_retention {
            None => self.oracles.book.count(Status::Failed),
            Some(_) => 0,
        };
        match self.engine.gauges().records_total() - for_ever {
            0 => {
                self.oracles.judge_phase(self.told, &self.engine, &self.roster)?;
                Ok(self.audit_after_all()?)
            }
            left => Err(Broken::new("liveness", 1, format!("{left} records are never forgotten")).into()),
        }
    }

    /// A step, unless there were so many that it must be spinning.
    fn bounded_step(&mut self, choices: &mut Choices) -> Result<bool, Halt> {
        if self.now > self.moment.0 {
            self.moment = (self.now, self.steps);
        }
        let (steps, size) = (self.steps - self.moment.1, self.scenario.size() as u32 + 20);
        if steps >= size * STEPS_EACH {
            return Err(Broken::new("liveness", 1, format!("it spins: {steps} steps, and no time passes")).into());
        }
        let went_on = self.step(choices)?;
        match went_on && choices.has_seen(|| self.fingerprint()) {
            true => Err(Halt::Seen),
            false => Ok(went_on),
        }
    }

    fn into_report(self, broken: Option<Broken>, choices: Choices) -> Report {
        Report {
            broken,
            steps: self.steps,
            virtual_micros: self.now,
            hash: std::hash::Hasher::finish(&self.hash),
            hashes: self.hashes.unwrap_or_default(),
            choices: Some(choices.made),
            trace: self.trace,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::agenda::Task;
    use super::*;
    use crate::scope::small_case;

    #[test]
    fn a_panic_on_the_way_is_a_broken_promise() {
        let scenario = small_case();
        let mut world = World::new(&scenario, Keep::default(), Probes::default()).expect("a valid configuration");
        world.agenda.now(Task::Fault(99));
        let broken = world.live(&mut Choices::listed(Vec::new())).err().and_then(Halt::broken).expect("it panics");
        assert_eq!((&*broken.oracle, broken.what.contains("99")), ("panics", true), "{broken}");
    }
}
