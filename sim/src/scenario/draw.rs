//! Scenarios drawn from a seed.
//!
//! Faults come in families. With swarm testing (Groce et al., "Swarm Testing", 2012) each family is disabled in half
//! of the runs, so that faults which hide each other also occur alone.

use super::family::{Crowd, DrawPlan, FaultFamily};
use super::kinds::{channel, clock, crash, dispatcher, outcome, sweeper, tickets};
use super::units::MILLI;
use super::{Act, Behaviour, CoreFault, CoreScenario, CoreSetup, Injection, Operation, Settings};
use crate::seeded_rng::{SeededRng, Stream};
use crate::tier::ScenarioPart as _;

impl CoreScenario {
    /// Returns the scenario of this seed.
    pub fn draw(seed: u64, plan: DrawPlan) -> Self {
        let rng = SeededRng::of(seed);
        let mut families = rng.stream("families");
        let mut on = FaultFamily::ALL.map(|_| !plan.swarm || families.per_mille(500));
        on[FaultFamily::Journal as usize] &= plan.journals;
        let submits = plan.submits.max(1);
        let horizon = u64::from(submits) * 60 * MILLI;
        let span = horizon / rng.stream("tempo").pick(&[1, 1, 4, 40]);
        let draw = CoreDraw { rng, on, submits, horizon, span };
        let mut settings = draw.settings();
        let (operations, faults) = (draw.operations(), draw.faults(&settings));
        // Downtimes that are no longer kept apart extend retentions by all of them: with a clock that was weeks ahead
        // the run would last for weeks.
        if faults.iter().any(|fault| matches!(fault.what, Injection::ClockOff { .. })) {
            settings.thresholds.iter_mut().for_each(|small| small.downtimes = 256);
        }
        let (journal, quick) = (draw.journaling(), draw.is_held_up() || draw.rng.stream("quick").per_mille(500));
        let setup = CoreSetup { settings, journal, patience: 0, idles_first: false, quick };
        Self { operations, faults, ..Self::of(seed, setup) }
    }
}

pub(super) struct CoreDraw {
    pub(super) rng: SeededRng,
    on: [bool; FaultFamily::ALL.len()],
    pub(super) submits: u16,
    /// The latest time of a fault.
    horizon: u64,
    /// The latest time of a submission.
    pub(super) span: u64,
}

impl CoreDraw {
    pub(super) fn has(&self, family: FaultFamily) -> bool {
        self.on[family as usize]
    }

    /// Returns the number of submissions relative to a short run: pages grow with it, so that a list takes as many
    /// pages.
    pub(super) fn length(&self) -> usize {
        usize::from(self.submits).div_ceil(20)
    }

    fn operations(&self) -> Vec<Operation> {
        let mut submits = self.rng.stream("operations");
        let retries = self.has(FaultFamily::Clients);
        let mut operations = Vec::with_capacity(usize::from(self.submits) + 16);
        let mut fresh = 0;
        for _ in 0..self.submits {
            let known = retries && fresh > 0 && submits.per_mille(300);
            let event = if known { submits.below(fresh) as u16 } else { fresh as u16 };
            fresh += u64::from(!known);
            let payload = if retries && submits.per_mille(200) { 1 + submits.below(3) as u8 } else { 0 };
            let act = Act::Submit { event, payload };
            let operation = self.operation(&mut submits, self.span, act);
            operations.push(operation);
            if retries && submits.per_mille(60) {
                // The client races itself: the same key again, at the same time.
                let payload = if submits.per_mille(500) { payload } else { payload + 1 };
                operations.push(Operation { act: Act::Submit { event, payload }, ..operation });
            }
        }
        if self.has(FaultFamily::Operators) {
            self.operators(fresh, &mut operations);
        }
        if self.has(FaultFamily::Groups) && self.has(FaultFamily::Operators) {
            self.group_pauses(fresh, &mut operations);
        }
        if self.has(FaultFamily::Waiters) {
            self.waiters(&mut operations);
        }
        if self.has(FaultFamily::Readers) {
            self.readers(&mut operations);
        }
        if self.has(FaultFamily::Delays) {
            self.delays(&mut operations);
        }
        operations.sort_by_key(|operation| operation.at);
        operations
    }

    pub(super) fn operation(&self, draw: &mut Stream, span: u64, act: Act) -> Operation {
        let hangs_up = self.has(FaultFamily::Clients) && draw.per_mille(80);
        Operation { at: moment(draw, span), client: draw.below(4) as u8, hangs_up, delay: 0, act }
    }

    fn operators(&self, events: u64, operations: &mut Vec<Operation>) {
        let draw = &mut self.rng.stream("operators");
        for _ in 0..draw.below(u64::from(self.submits / 4) + 3) {
            let event = draw.below(events + 1) as u16;
            let act = match draw.below(10) {
                0 => Act::Redrive { event },
                1..=2 => Act::RedriveFirst,
                3..=6 => Act::Discard { event },
                7 => Act::Reject { too_large: draw.per_mille(500) },
                8 => Act::Pause,
                _ => Act::Resume,
            };
            let mut operation = self.operation(draw, self.span * 2, act);
            if let Some(shutdown) = self.first_shutdown().filter(|_| draw.per_mille(300)) {
                operation.at = shutdown + draw.below(200) * MILLI;
            }
            operations.push(operation);
            if draw.per_mille(600) {
                // The next operation is on the same event, soon after.
                let act = match draw.below(3) {
                    0 => Act::Redrive { event },
                    payload => Act::Submit { event, payload: payload as u8 - 1 },
                };
                operations.push(Operation { at: operation.at + draw.below(100) * MILLI, act, ..operation });
            }
        }
    }

    fn faults(&self, settings: &Settings) -> Vec<CoreFault> {
        let mut faults = Vec::new();
        for family in FaultFamily::ALL.into_iter().filter(|family| self.has(*family)) {
            match family {
                FaultFamily::Channel => self.timed(family, &mut faults, channel),
                FaultFamily::Tickets => self.timed(family, &mut faults, tickets),
                FaultFamily::Dispatcher => self.timed(family, &mut faults, |draw| dispatcher(draw, settings)),
                FaultFamily::Sweeper => self.timed(family, &mut faults, sweeper),
                FaultFamily::Clock => self.timed(family, &mut faults, clock),
                FaultFamily::Handlers => self.handlers(family, &mut faults, outcome),
                FaultFamily::Crashes => self.crashes(settings, &mut faults),
                FaultFamily::Shutdown => self.shutdowns(settings, &mut faults),
                FaultFamily::Restart => self.restarts(&mut faults),
                FaultFamily::Masses => self.masses(&mut faults),
                FaultFamily::Swizzle => self.swizzle(&mut faults),
                FaultFamily::Journal => self.journal(settings, &mut faults),
                FaultFamily::Panics => self.panics(&mut faults),
                FaultFamily::FollowUps => self.follow_ups(&mut faults),
                // These families show in settings and operations.
                FaultFamily::Clients
                | FaultFamily::Delays
                | FaultFamily::Types
                | FaultFamily::Groups
                | FaultFamily::Overload
                | FaultFamily::Operators
                | FaultFamily::Waiters
                | FaultFamily::Readers => {}
            }
        }
        faults.sort_by_key(|fault| fault.at());
        faults
    }

    pub(super) fn stream(&self, family: FaultFamily) -> Stream {
        self.rng.stream(&family.name())
    }

    /// Returns a time for a fault: mostly while events are submitted.
    pub(super) fn trouble(&self, draw: &mut Stream) -> u64 {
        let span = if draw.per_mille(750) { self.span } else { self.horizon };
        moment(draw, span)
    }

    /// Adds faults at times of their own, more in longer runs.
    fn timed(&self, family: FaultFamily, faults: &mut Vec<CoreFault>, one: impl Fn(&mut Stream) -> Injection) {
        let draw = &mut self.stream(family);
        for _ in 0..draw.between(1, u64::from(self.submits) / 24 + 4) {
            let at = self.trouble(draw);
            faults.push(one(draw).at(at));
        }
    }

    /// Adds behaviours of some attempts, at a rate of this run's own.
    fn handlers(&self, family: FaultFamily, faults: &mut Vec<CoreFault>, one: impl Fn(&mut Stream) -> Behaviour) {
        let draw = &mut self.stream(family);
        let rate = draw.pick(&[30, 100, 300]);
        for event in 0..self.submits {
            for attempt in 1..=3 {
                if draw.per_mille(rate) {
                    faults.push(Injection::Handler { event, attempt, does: one(draw) }.at(0));
                }
            }
        }
    }

    /// Adds handlers that end with follow-ups. Those have higher numbers than their event, so that every chain has an end.
    fn follow_ups(&self, faults: &mut Vec<CoreFault>) {
        let draw = &mut self.stream(FaultFamily::FollowUps);
        let (rate, crowd) = (draw.pick(&[100, 300, 800]), self.crowded());
        for event in 0..self.submits {
            for attempt in 1..=3 {
                if let Some(crowd) = crowd {
                    // Two new ones in the place of each.
                    let does = Behaviour::Follows {
                        first: self.submits + 2 * event,
                        count: 2,
                        payload: u8::from(crowd == Crowd::Bytes),
                    };
                    faults.push(Injection::Handler { event, attempt, does }.at(0));
                } else if draw.per_mille(rate) {
                    // Some are events that clients submit, too, before or after.
                    let first = event + 1 + if draw.per_mille(300) { self.submits } else { draw.below(3) as u16 };
                    let payload = if draw.per_mille(150) { draw.between(1, 3) as u8 } else { 0 };
                    let does = Behaviour::Follows { first, count: draw.between(1, 4) as u8, payload };
                    faults.push(Injection::Handler { event, attempt, does }.at(0));
                }
            }
        }
    }

    /// Adds crashes of some attempts. At least one permit is left to handlers that are not stuck permanently.
    fn crashes(&self, settings: &Settings, faults: &mut Vec<CoreFault>) {
        let mut permits = settings.concurrency.get() - 1;
        let began = faults.len();
        self.handlers(FaultFamily::Crashes, faults, |draw| crash(draw, settings));
        for fault in &mut faults[began..] {
            if let Injection::Handler { does: does @ Behaviour::Stuck, .. } = &mut fault.what {
                match permits {
                    0 => *does = Behaviour::Hang,
                    _ => permits -= 1,
                }
            }
        }
    }

    fn first_shutdown(&self) -> Option<u64> {
        let draw = &mut self.rng.stream("first shutdown");
        (self.has(FaultFamily::Shutdown) && draw.per_mille(600)).then(|| self.trouble(draw))
    }

    fn shutdowns(&self, settings: &Settings, faults: &mut Vec<CoreFault>) {
        let draw = &mut self.stream(FaultFamily::Shutdown);
        if let Some(first) = self.first_shutdown() {
            faults.push(Injection::Shutdown { timeout: draw.pick(&[0, settings.drain_timeout]) }.at(first));
            let before = first.saturating_sub(draw.below(300) * MILLI);
            faults.push(Injection::TicketLate { by: draw.pick(&[50, 1_000]) * MILLI, marker: true }.at(before));
            // Some handlers take long, so that draining does too.
            for event in 0..self.submits {
                if draw.per_mille(150) {
                    let lasts = draw.below(1_000) * MILLI;
                    // Without heartbeats the handler has no effect on the node until it ends.
                    let does = match draw.per_mille(500) {
                        true => Behaviour::Beating { lasts, every: 5 * MILLI },
                        false => Behaviour::Slow { lasts },
                    };
                    faults.push(Injection::Handler { event, attempt: 1, does }.at(0));
                } else if draw.per_mille(60) {
                    faults.push(Injection::Handler { event, attempt: 1, does: Behaviour::NotCalled }.at(0));
                }
            }
            if draw.per_mille(300) {
                faults.push(Injection::WorkersStalled { lasts: draw.below(100) * MILLI }.at(first));
            }
            if draw.per_mille(500) {
                let at = first + draw.pick(&[0, settings.drain_timeout / 2, settings.drain_timeout * 3]);
                let timeout = draw.pick(&[0, settings.drain_timeout / 10, settings.drain_timeout]);
                faults.push(Injection::Shutdown { timeout }.at(at));
            }
        }
        if let Some(first) = self.first_shutdown().filter(|_| draw.per_mille(300)) {
            // The sweeper is needed to the end: a handler may run past its deadline while the others are drained.
            faults.push(Injection::SweeperDies { lasts: draw.below(20) * MILLI }.at(first + draw.below(10) * MILLI));
        }
        if self.has(FaultFamily::Journal) && draw.per_mille(500) {
            let timeout = draw.pick(&[0, settings.drain_timeout]);
            faults.push(Injection::ShutdownAmidOpening { timeout }.at(self.trouble(draw)));
        }
    }

    fn restarts(&self, faults: &mut Vec<CoreFault>) {
        let draw = &mut self.stream(FaultFamily::Restart);
        for _ in 0..draw.below(3) {
            faults.push(CoreFault {
                at: self.trouble(draw),
                what: Injection::Restart { lasts: draw.below(100) * MILLI },
            });
        }
    }

    fn masses(&self, faults: &mut Vec<CoreFault>) {
        let draw = &mut self.stream(FaultFamily::Masses);
        if draw.per_mille(600) {
            faults.push(Injection::Poison { event: draw.below(u64::from(self.submits)) as u16 }.at(0));
        }
        if draw.per_mille(600) {
            let lasts = (!draw.per_mille(200)).then(|| draw.between(10, 500) * MILLI);
            faults.push(Injection::AllFail { lasts }.at(self.trouble(draw)));
        }
        if self.is_held_up() {
            faults.push(Injection::DispatcherStalled { lasts: self.span }.at(0));
            for event in 0..self.submits {
                if draw.per_mille(250) {
                    let does = Behaviour::Blocks { lasts: draw.pick(&[1_000, 1_500]) };
                    faults.push(Injection::Handler { event, attempt: 1, does }.at(0));
                }
            }
        }
    }

    /// Returns whether handlers are quick and some block their threads, behind a backlog: one task after another leads
    /// and is blocked, some of them until the next one is.
    pub(super) fn is_held_up(&self) -> bool {
        self.has(FaultFamily::Masses) && !self.has(FaultFamily::Journal) && self.rng.stream("held up").per_mille(250)
    }

    /// Stops dispatcher, sweeper, workers and clients one by one, and restores them in another order (a swizzle, as in
    /// the tests of FoundationDB).
    fn swizzle(&self, faults: &mut Vec<CoreFault>) {
        let draw = &mut self.stream(FaultFamily::Swizzle);
        let start = self.trouble(draw);
        let step = draw.between(1, 40) * MILLI;
        let mut restored = [0, 1, 2, 3];
        for at in (1..restored.len()).rev() {
            restored.swap(at, draw.index(at + 1));
        }
        for (part, order) in restored.into_iter().enumerate() {
            let at = start + step * part as u64;
            let lasts = step * (restored.len() as u64 + order) - step * part as u64;
            faults.push(match part {
                0 => Injection::DispatcherStalled { lasts }.at(at),
                1 => Injection::SweeperDies { lasts }.at(at),
                2 => Injection::WorkersStalled { lasts }.at(at),
                _ => Injection::ClientsStalled { lasts }.at(at),
            });
        }
    }
}

/// Returns a time on a grid, so that several things happen at one time.
fn moment(draw: &mut Stream, span: u64) -> u64 {
    draw.below(span / MILLI + 1) * MILLI
}
