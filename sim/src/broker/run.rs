//! A run: the broker, its client, the intake that ships, and the engine that ships, in one time.

use eventful::broker::{DeliveryTag, Intake, IntakeAction};
use eventful::node::{Decided, Lsn, SubmitError, Submitted};
use eventful::{Event, Unavailable};
use std::collections::BTreeMap;
use std::hash::Hasher as _;

use super::client::BrokerClient;
use super::host::{DurableFrames, EngineHost, HostWork, micros, time};
use super::oracle::BrokerOracle;
use super::parts::{BrokerStep, FaultTimes, LostCalls, terms};
use super::probe::BrokerProbe;
use super::scenario::{BrokerFaultKind, BrokerScenario, BrokerSetup};
use super::simulated::SimulatedBroker;
use crate::failure::{Broken, holds};
use crate::seeded_rng::{SeededRng, Stream};
use crate::state_hash::StateHash;
use crate::tier::{Keep, Probes, Report};
use crate::trace::{Lane, Trace, TraceEntry, What};

/// A run.
pub(super) struct BrokerRun<'a> {
    pub(super) scenario: &'a BrokerScenario,
    pub(super) setup: BrokerSetup,
    pub(super) now: u64,
    steps: BTreeMap<(u64, u64), BrokerStep>,
    made: u64,
    pub(super) broker: SimulatedBroker,
    pub(super) client: BrokerClient,
    pub(super) intake: Option<Intake>,
    pub(super) host: Option<EngineHost>,
    pub(super) frames: DurableFrames,
    /// Raised with each intake: what was under way for one before reaches no other.
    pub(super) life: u32,
    /// The number of processes so far.
    pub(super) processes: u32,
    pub(super) is_receiving: bool,
    waits: Vec<(DeliveryTag, Lsn)>,
    pub(super) oracle: BrokerOracle,
    pub(super) chance: Stream,
    pub(super) lost: LostCalls,
    pub(super) until: FaultTimes,
    pub(super) probes: &'a mut Probes,
    pub(super) trace: Option<Vec<TraceEntry>>,
    taken: u32,
    hash: StateHash,
    hashes: Option<Vec<u64>>,
    pub(super) is_final: bool,
}

/// The time after the last fault by which every message must be acknowledged: some hundred times the longest delays of
/// the scenarios.
const PATIENCE: u64 = 1_000_000_000;

/// The most steps: many times what a run takes.
const MOST_STEPS: u32 = 2_000_000;

/// The time after which an empty broker is asked again.
const ASK_AGAIN: u64 = 5_000;

/// The factor by which calls are slow.
const SLOWER: u64 = 40;

/// Runs a scenario.
pub(super) fn run(scenario: &BrokerScenario, keep: Keep, probes: &mut Probes) -> Report {
    let mut run = BrokerRun::new(scenario, keep, probes);
    let broken = run.go_through().err();
    if let Some(broken) = &broken {
        run.note(What::Broken, broken.to_string());
    }
    Report {
        broken,
        steps: run.taken,
        virtual_micros: run.now,
        hash: run.hash.finish(),
        hashes: run.hashes.unwrap_or_default(),
        choices: None,
        trace: run.trace.map(|entries| Trace { entries }),
    }
}

impl<'a> BrokerRun<'a> {
    fn new(scenario: &'a BrokerScenario, keep: Keep, probes: &'a mut Probes) -> Self {
        let (setup, rng) = (scenario.setup, SeededRng::of(scenario.seed));
        let terms = terms(&setup);
        let mut run = Self {
            scenario,
            setup,
            now: 0,
            steps: BTreeMap::new(),
            made: 0,
            broker: SimulatedBroker::new(&setup, rng.stream("order")),
            client: BrokerClient::default(),
            intake: None,
            host: None,
            frames: DurableFrames::default(),
            life: 0,
            processes: 0,
            is_receiving: false,
            waits: Vec::new(),
            oracle: BrokerOracle::new(setup, terms),
            chance: rng.stream("times"),
            lost: LostCalls::default(),
            until: FaultTimes::default(),
            probes,
            trace: keep.trace.then(Vec::new),
            taken: 0,
            hash: StateHash::default(),
            hashes: keep.hashes.then(Vec::new),
            is_final: false,
        };
        run.at(0, BrokerStep::Start);
        (0..scenario.operations.len()).for_each(|at| run.at(scenario.operations[at].at, BrokerStep::Publish(at)));
        (0..scenario.faults.len()).for_each(|at| run.at(scenario.faults[at].at, BrokerStep::Fault(at)));
        run
    }

    fn go_through(&mut self) -> Result<(), Broken> {
        let ends = self.scenario.faults.iter().map(|fault| fault.at + fault.kind.lasts());
        let published = self.scenario.operations.iter().map(|message| message.at);
        let heals = ends.chain(published).max().unwrap_or_default();
        loop {
            self.step()?;
            if self.now > heals {
                self.lost = LostCalls::default();
            }
            self.settle()?;
            let is_quiet = self.now > heals && self.broker.is_done() && !self.is_final;
            if is_quiet && self.intake.as_ref().is_some_and(|intake| intake.in_flight() == 0) {
                self.is_final = true;
                self.drain();
                self.settle()?;
            }
            if self.is_final && self.intake.is_none() {
                return self.audit();
            }
            holds(self.now <= heals + PATIENCE && self.taken < MOST_STEPS, || {
                let left: Vec<_> = self.broker.left().collect();
                Broken::new(
                    "liveness",
                    1,
                    format_args!("messages {left:?} are never acknowledged, or the end never comes"),
                )
            })?;
        }
    }

    /// Takes the next step.
    fn step(&mut self) -> Result<(), Broken> {
        self.taken += 1;
        let deadline = self.intake.as_ref().and_then(|intake| intake.next_deadline(time(self.now)));
        let idle = deadline.map(|at| micros(at).max(self.now));
        let host = self.host.as_ref().and_then(EngineHost::next_time);
        let first = self.steps.first_key_value().map(|((at, _), _)| *at);
        let next = [idle, host, first].into_iter().flatten().min().unwrap_or(self.now + ASK_AGAIN);
        self.now = self.now.max(next);
        let step = self.steps.first_entry().filter(|entry| entry.key().0 <= self.now).map(|entry| entry.remove());
        self.remember(step.as_ref());
        match step {
            Some(step) => self.take(step),
            None => Ok(()),
        }
    }

    fn remember(&mut self, step: Option<&BrokerStep>) {
        let in_flight = self.intake.as_ref().map_or(0, Intake::in_flight);
        self.hash.word(self.now);
        self.hash.word(in_flight as u64);
        self.hash.write(format!("{step:?}").as_bytes());
        self.hashes.iter_mut().for_each(|hashes| hashes.push(self.hash.finish()));
    }

    fn take(&mut self, step: BrokerStep) -> Result<(), Broken> {
        match step {
            BrokerStep::Publish(at) => {
                self.broker.publish(at, &self.scenario.operations[at]);
                self.note(What::Note, format!("message {at} is published: {:?}", self.scenario.operations[at]));
                Ok(())
            }
            BrokerStep::Fault(at) => self.strike(self.scenario.faults[at].kind),
            BrokerStep::Start => self.start(),
            BrokerStep::Fetch(life, room) => {
                self.fetch(life, room);
                Ok(())
            }
            BrokerStep::Deliver(life, delivered) => self.deliver(life, delivered),
            BrokerStep::Arrive(life, tag, call, since) => self.arrive(life, tag, call, since),
            BrokerStep::Return(life, tag, call, since, outcome) => self.came_back(life, tag, &call, since, outcome),
            BrokerStep::Revoked(life, partition, generation) => {
                if life == self.life {
                    self.client.learns(partition, generation);
                }
                Ok(())
            }
            BrokerStep::Work(life, work) => self.finish(life, work),
        }
    }

    /// Does everything that follows at once.
    fn settle(&mut self) -> Result<(), Broken> {
        if let Some(host) = &mut self.host {
            host.step(self.now, &self.frames)?;
        }
        self.learn_durable();
        if let Some(intake) = &mut self.intake {
            intake.tick(time(self.now));
        }
        self.perform()?;
        self.begin_work();
        self.receive()?;
        let Some(intake) = &self.intake else { return Ok(()) };
        self.oracle.judge(self.now, intake)?;
        if intake.is_draining() {
            self.oracle.drains(self.now);
        }
        if intake.is_drained() {
            self.oracle.judge_drained()?;
            self.end_intake();
        }
        Ok(())
    }

    fn learn_durable(&mut self) {
        let (Some(host), Some(intake)) = (&self.host, &mut self.intake) else { return };
        let (now, probes) = (time(self.now), &mut *self.probes);
        self.waits.retain(|(tag, lsn)| {
            let Some(fate) = host.fate(*lsn) else { return true };
            if fate.is_err() {
                probes.fire(BrokerProbe::Unknown);
            }
            intake.durable(now, *tag, fate.map_err(Unavailable::from));
            false
        });
    }

    fn perform(&mut self) -> Result<(), Broken> {
        loop {
            let Some(intake) = &mut self.intake else { return Ok(()) };
            let actions = intake.actions();
            if actions.is_empty() {
                return Ok(());
            }
            // The end that follows from a refusal begins before anything is said.
            if intake.is_draining() {
                self.oracle.drains(self.now);
            }
            for action in actions {
                self.act(&action)?;
            }
        }
    }

    fn act(&mut self, action: &IntakeAction) -> Result<(), Broken> {
        self.note(What::Note, format!("{action:?}"));
        self.oracle.says(self.now, action, &self.broker)?;
        match action {
            IntakeAction::Submit { tag, event } => {
                let decided = self.submit(event.clone());
                self.count(&decided);
                if let Some(intake) = &mut self.intake {
                    intake.decided(time(self.now), *tag, decided);
                }
            }
            IntakeAction::AwaitDurable { tag, lsn, .. } => {
                self.waits.push((*tag, *lsn));
                self.learn_durable();
            }
            IntakeAction::Abandon { .. } => self.probes.fire(BrokerProbe::Abandoned),
            IntakeAction::Acknowledge { .. }
            | IntakeAction::GiveBack { .. }
            | IntakeAction::Extend { .. }
            | IntakeAction::Bury { .. } => match self.client.call(action) {
                Some((tag, Some(call))) => self.send(tag, call),
                Some((tag, None)) => self.refuse(tag, action)?,
                None => {}
            },
        }
        Ok(())
    }

    fn submit(&mut self, event: Event) -> Result<Decided<Result<Submitted, SubmitError>>, Unavailable> {
        match &mut self.host {
            Some(host) => host.submit(self.now, event),
            None => Err(Unavailable::Reopening),
        }
    }

    fn count(&mut self, decided: &Result<Decided<Result<Submitted, SubmitError>>, Unavailable>) {
        let Ok(Decided { value, .. }) = decided else { return };
        let probe = match value {
            Ok(Submitted::Accepted) => BrokerProbe::Accepted,
            Ok(Submitted::Duplicate(_)) => BrokerProbe::Duplicate,
            Err(SubmitError::Conflict(_)) => BrokerProbe::Conflict,
            Err(SubmitError::TooLarge { .. }) => BrokerProbe::TooLarge,
            Err(SubmitError::Overloaded { retry_after, .. }) => {
                self.oracle.overloaded(self.now, *retry_after);
                BrokerProbe::Overloaded
            }
            Err(_) => BrokerProbe::ShuttingDown,
        };
        self.probes.fire(probe);
    }

    fn begin_work(&mut self) {
        let Some(host) = &mut self.host else { return };
        let (life, begun) = (host.life, std::mem::take(&mut host.begun));
        for work in begun {
            let (longest, until) = match work {
                HostWork::Append => (self.setup.sync, self.until.journal),
                HostWork::Run(..) => (self.setup.handler, self.until.handlers),
            };
            let takes = 1 + self.chance.below(longest);
            self.at((self.now + takes).max(until), BrokerStep::Work(life, work));
        }
    }

    /// Receives as a driver does: what the client has, or knows, comes at once, and only where there is room.
    fn receive(&mut self) -> Result<(), Broken> {
        while let Some(room) = self.intake.as_ref().and_then(|intake| intake.room(time(self.now))) {
            self.oracle.receives(self.now)?;
            if let Some(partition) = self.client.revocation() {
                self.learn_revoked(partition);
            } else if !self.hand_over(room)? && !self.client.knows_revocation() {
                break;
            }
            self.perform()?;
        }
        let Some(intake) = &self.intake else { return Ok(()) };
        let Some(room) = intake.room(time(self.now)).filter(|_| !self.is_receiving) else { return Ok(()) };
        self.is_receiving = true;
        let at = self.now + self.delay();
        self.at(at, BrokerStep::Fetch(self.life, room));
        Ok(())
    }

    /// Returns the time of a call on its way.
    pub(super) fn delay(&mut self) -> u64 {
        let takes = 1 + self.chance.below(self.setup.latency);
        if self.now < self.until.slow { takes * SLOWER } else { takes }
    }

    pub(super) fn at(&mut self, at: u64, step: BrokerStep) {
        self.made += 1;
        self.steps.insert((at, self.made), step);
    }

    pub(super) fn forget_waits(&mut self) {
        self.waits.clear();
    }

    pub(super) fn note(&mut self, what: What, note: String) {
        let (step, at) = (self.taken, self.now);
        let lane = Lane::World;
        self.trace.iter_mut().for_each(|trace| {
            trace.push(TraceEntry { step, at, lane, what, event: None, note: note.clone(), record: None })
        });
    }

    /// Fires the probe of a fault, and notes it.
    pub(super) fn struck(&mut self, kind: BrokerFaultKind) {
        self.probes.fire(BrokerProbe::of(kind));
        self.note(What::Fault, format!("{kind:?}"));
    }

    /// Checks everything once more, at the end.
    fn audit(&self) -> Result<(), Broken> {
        self.broker.messages.keys().try_for_each(|number| self.oracle.judge_acknowledged(*number, &self.broker))
    }
}
