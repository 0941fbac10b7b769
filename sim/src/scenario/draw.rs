//! Scenarios drawn from a seed.
//!
//! Faults come in families. With swarm testing (Groce et al., "Swarm Testing", 2012) each family
//! is off in half of the runs, so that faults which hide each other are seen apart.

use std::num::NonZeroUsize;

use super::family::{Family, Plan};
use super::kinds::{channel, clock, crash, dispatcher, outcome, sweeper, tickets};
use super::units::MILLI;
use super::{Act, Behaviour, CoreSetup, Fault, Injection, Operation, Scenario, Settings, SmallThresholds};
use crate::chance::{Chance, Stream};
use crate::tier::Part as _;

impl Scenario {
    /// The scenario of this seed.
    pub fn draw(seed: u64, plan: Plan) -> Self {
        let chance = Chance::of(seed);
        let mut families = chance.stream("families");
        let mut on = Family::ALL.map(|_| !plan.swarm || families.per_mille(500));
        on[Family::Journal as usize] &= plan.journals;
        let submits = plan.submits.max(1);
        let horizon = u64::from(submits) * 60 * MILLI;
        let span = horizon / chance.stream("tempo").pick(&[1, 1, 4, 40]);
        let draw = Draw { chance, on, submits, horizon, span };
        let mut settings = draw.settings();
        let (operations, faults) = (draw.operations(), draw.faults(&settings));
        // Downtimes that are no longer kept apart make retentions longer by all of them: with a clock that was
        // weeks ahead the run would have to last for weeks.
        if faults.iter().any(|fault| matches!(fault.what, Injection::ClockOff { .. })) {
            settings.thresholds.iter_mut().for_each(|small| small.downtimes = 256);
        }
        let setup = CoreSetup { settings, journal: draw.journaling(), patience: 0, idles_first: false };
        Self { operations, faults, ..Self::of(seed, setup) }
    }
}

pub(super) struct Draw {
    pub(super) chance: Chance,
    on: [bool; Family::ALL.len()],
    pub(super) submits: u16,
    /// When the last fault comes at the latest.
    horizon: u64,
    /// When the last submission comes at the latest.
    pub(super) span: u64,
}

impl Draw {
    pub(super) fn has(&self, family: Family) -> bool {
        self.on[family as usize]
    }

    fn settings(&self) -> Settings {
        let draw = &mut self.chance.stream("settings");
        let run_timeout = draw.between(20, 200) * MILLI;
        let backoff_base = draw.between(1, 100) * MILLI;
        let max_event_bytes = 400;
        let mut settings = Settings {
            concurrency: count(draw.between(1, 4)),
            channel_capacity: count(draw.pick(&[2, 3, 8, 64])),
            max_attempts: small(draw.between(1, 5)),
            backoff_base,
            backoff_cap: backoff_base * draw.between(1, 8),
            backoff_jitter_percent: draw.pick(&[0, 50, 100]),
            max_retry_after: draw.between(0, 500) * MILLI,
            max_snooze: draw.between(0, 500) * MILLI,
            max_snoozes: small(draw.below(4)),
            max_refunds: small(draw.below(3)),
            run_timeout,
            run_lifetime: run_timeout * draw.between(1, 3),
            max_pending: 100_000,
            max_records: 100_000,
            max_bytes: Settings::PLENTY,
            max_event_bytes,
            retention: draw.pick(&[50, 500, 5_000, 3_600_000]) * MILLI,
            failed_retention: None,
            max_failed_bytes: Settings::PLENTY,
            drops_oldest_failed: false,
            sweep_batch: count(draw.pick(&[1, 2, 1_000])),
            sweep_interval: draw.between(10, 100) * MILLI,
            stuck_after: draw.pick(&[3, 30, 100, 300]) * MILLI,
            drain_timeout: draw.pick(&[0, 50, 300, 2_000]) * MILLI,
            abort_grace: draw.between(1, 50) * MILLI,
            thresholds: self.thresholds(),
            overload_retry_after: Some(self.chance.stream("overload").pick(&[
                1,
                7 * MILLI,
                300 * MILLI,
                90_000 * MILLI,
            ])),
            sync_grace: Some(self.chance.stream("sync grace").pick(&[20, 100, 1_000]) * MILLI),
        };
        if self.has(Family::Channel) && draw.per_mille(400) {
            settings.channel_capacity = NonZeroUsize::MIN;
        }
        if self.has(Family::Overload) {
            self.narrow(&mut settings, draw);
        }
        self.keep_failed(&mut settings);
        self.go_on_for_long(&mut settings);
        self.reach_edges(&mut settings);
        settings
    }

    /// In some runs a setting is the least or the greatest that makes sense.
    fn reach_edges(&self, settings: &mut Settings) {
        let draw = &mut self.chance.stream("edges");
        let mut is_at_edge = || draw.per_mille(25);
        if is_at_edge() {
            settings.retention = 1;
        }
        if is_at_edge() {
            settings.failed_retention = Some(1);
        }
        if is_at_edge() {
            (settings.max_event_bytes, settings.max_bytes) = (40, 40);
        }
        if is_at_edge() {
            (settings.max_pending, settings.max_records) = (1, 1);
        }
        if is_at_edge() {
            settings.max_failed_bytes = settings.max_event_bytes;
        }
        if is_at_edge() {
            settings.run_lifetime = settings.run_timeout;
        }
        if is_at_edge() {
            (settings.drain_timeout, settings.abort_grace) = (0, 0);
        }
        if is_at_edge() {
            (settings.backoff_base, settings.backoff_cap) = (1, 1);
        }
        if is_at_edge() {
            (settings.max_snoozes, settings.max_refunds) = (u32::MAX, u32::MAX);
        }
        if is_at_edge() {
            settings.stuck_after = MILLI;
        }
        if is_at_edge() {
            settings.sweep_interval = MILLI;
        }
        if is_at_edge() {
            settings.run_timeout = 1;
            settings.run_lifetime = settings.run_lifetime.min(2);
        }
    }

    /// How many times as many submissions as in a short run: pages grow with it, so that lists take as many.
    pub(super) fn length(&self) -> usize {
        usize::from(self.submits).div_ceil(20)
    }

    /// Thresholds of the engine, small in most runs. Those that make a run slow are small in few: an index that is
    /// split has a thousand tables, and keys of one hash are compared one by one.
    fn thresholds(&self) -> Option<SmallThresholds> {
        let draw = &mut self.chance.stream("thresholds");
        draw.per_mille(800).then(|| SmallThresholds {
            scan_limit: draw.pick(&[1, 2, 4, 16, 4096]) * self.length(),
            page_bytes: draw.pick(&[1, 30, 200, 8 << 20]),
            history: draw.pick(&[1, 2, 3, 8]),
            forgotten: draw.pick(&[1, 2, 3, 1024]),
            downtimes: draw.pick(&[2, 3, 256]),
            hash_bits: if draw.per_mille(100) { draw.pick(&[0, 1, 2, 3]) } else { 64 },
            split_at: if draw.per_mille(50) { draw.pick(&[1, 2, 5]) } else { 1024 },
            part: draw.pick(&[None, Some(1), Some(2), Some(5)]),
            holds: None,
        })
    }

    /// In some runs an event has so many attempts that the delay between them is at its cap for most.
    fn go_on_for_long(&self, settings: &mut Settings) {
        let draw = &mut self.chance.stream("attempts");
        if draw.per_mille(100) {
            settings.max_attempts = small(draw.pick(&[9, 20, 40]));
            settings.backoff_base = draw.pick(&[1, 30, MILLI]);
            settings.backoff_cap = draw.pick(&[MILLI, 50 * MILLI, 4_000 * MILLI]);
        }
    }

    /// How failed events are kept.
    fn keep_failed(&self, settings: &mut Settings) {
        let draw = &mut self.chance.stream("failed events");
        if draw.per_mille(500) {
            settings.failed_retention = Some(draw.pick(&[50, 500, 5_000]) * MILLI);
        }
        if self.has(Family::Overload) && draw.per_mille(500) {
            settings.max_failed_bytes = settings.max_event_bytes + draw.index(usize::from(self.submits) * 12);
            settings.drops_oldest_failed = draw.per_mille(500);
        }
    }

    /// Makes bounds so small that they are reached.
    fn narrow(&self, settings: &mut Settings, draw: &mut Stream) {
        let events = usize::from(self.submits);
        if draw.per_mille(600) {
            settings.max_pending = 1 + draw.index(events.div_ceil(4));
        }
        if draw.per_mille(400) {
            settings.max_records = settings.max_pending.min(events) + draw.index(events.div_ceil(3));
            settings.max_pending = settings.max_pending.min(settings.max_records);
        }
        if draw.per_mille(600) {
            settings.max_bytes = settings.max_event_bytes + draw.index(events * 12);
        }
        if draw.per_mille(200) {
            settings.max_event_bytes = 60 + draw.index(100);
        }
    }

    fn operations(&self) -> Vec<Operation> {
        let mut submits = self.chance.stream("operations");
        let retries = self.has(Family::Clients);
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
        if self.has(Family::Operators) {
            self.operators(fresh, &mut operations);
        }
        if self.has(Family::Waiters) {
            self.waiters(&mut operations);
        }
        if self.has(Family::Readers) {
            self.readers(&mut operations);
        }
        operations.sort_by_key(|operation| operation.at);
        operations
    }

    pub(super) fn operation(&self, draw: &mut Stream, span: u64, act: Act) -> Operation {
        let hangs_up = self.has(Family::Clients) && draw.per_mille(80);
        Operation { at: moment(draw, span), client: draw.below(4) as u8, hangs_up, act }
    }

    fn operators(&self, events: u64, operations: &mut Vec<Operation>) {
        let draw = &mut self.chance.stream("operators");
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
                // Somebody comes back to the same event soon after.
                let act = match draw.below(3) {
                    0 => Act::Redrive { event },
                    payload => Act::Submit { event, payload: payload as u8 - 1 },
                };
                operations.push(Operation { at: operation.at + draw.below(100) * MILLI, act, ..operation });
            }
        }
    }

    fn faults(&self, settings: &Settings) -> Vec<Fault> {
        let mut faults = Vec::new();
        for family in Family::ALL.into_iter().filter(|family| self.has(*family)) {
            match family {
                Family::Channel => self.timed(family, &mut faults, channel),
                Family::Tickets => self.timed(family, &mut faults, tickets),
                Family::Dispatcher => self.timed(family, &mut faults, |draw| dispatcher(draw, settings)),
                Family::Sweeper => self.timed(family, &mut faults, sweeper),
                Family::Clock => self.timed(family, &mut faults, clock),
                Family::Handlers => self.handlers(family, &mut faults, outcome),
                Family::Crashes => self.crashes(settings, &mut faults),
                Family::Shutdown => self.shutdowns(settings, &mut faults),
                Family::Restart => self.restarts(&mut faults),
                Family::Masses => self.masses(&mut faults),
                Family::Swizzle => self.swizzle(&mut faults),
                Family::Journal => self.journal(settings, &mut faults),
                Family::Panics => self.panics(&mut faults),
                // These show in settings and operations.
                Family::Clients | Family::Overload | Family::Operators | Family::Waiters | Family::Readers => {}
            }
        }
        faults.sort_by_key(|fault| fault.at());
        faults
    }

    pub(super) fn stream(&self, family: Family) -> Stream {
        self.chance.stream(&family.name())
    }

    /// A time at which something goes wrong: mostly while events come in.
    pub(super) fn trouble(&self, draw: &mut Stream) -> u64 {
        let span = if draw.per_mille(750) { self.span } else { self.horizon };
        moment(draw, span)
    }

    /// Faults at times of their own, more in longer runs.
    fn timed(&self, family: Family, faults: &mut Vec<Fault>, one: impl Fn(&mut Stream) -> Injection) {
        let draw = &mut self.stream(family);
        for _ in 0..draw.between(1, u64::from(self.submits) / 24 + 4) {
            let at = self.trouble(draw);
            faults.push(one(draw).at(at));
        }
    }

    /// Behaviours of some attempts, at a rate of this run's own.
    fn handlers(&self, family: Family, faults: &mut Vec<Fault>, one: impl Fn(&mut Stream) -> Behaviour) {
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

    /// Crashes of some attempts. At least one permit is left to those that are not stuck for good.
    fn crashes(&self, settings: &Settings, faults: &mut Vec<Fault>) {
        let mut permits = settings.concurrency.get() - 1;
        let began = faults.len();
        self.handlers(Family::Crashes, faults, |draw| crash(draw, settings));
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
        let draw = &mut self.chance.stream("first shutdown");
        (self.has(Family::Shutdown) && draw.per_mille(600)).then(|| self.trouble(draw))
    }

    fn shutdowns(&self, settings: &Settings, faults: &mut Vec<Fault>) {
        let draw = &mut self.stream(Family::Shutdown);
        if let Some(first) = self.first_shutdown() {
            faults.push(Injection::Shutdown { timeout: draw.pick(&[0, settings.drain_timeout]) }.at(first));
            let before = first.saturating_sub(draw.below(300) * MILLI);
            faults.push(Injection::TicketLate { by: draw.pick(&[50, 1_000]) * MILLI, marker: true }.at(before));
            // Some handlers take their time, so that draining does too.
            for event in 0..self.submits {
                if draw.per_mille(150) {
                    let does = Behaviour::Beating { lasts: draw.below(1_000) * MILLI, every: 5 * MILLI };
                    faults.push(Injection::Handler { event, attempt: 1, does }.at(0));
                }
            }
            if draw.per_mille(500) {
                let at = first + draw.pick(&[0, settings.drain_timeout / 2, settings.drain_timeout * 3]);
                faults.push(Injection::Shutdown { timeout: draw.pick(&[0, settings.drain_timeout]) }.at(at));
            }
        }
    }

    fn restarts(&self, faults: &mut Vec<Fault>) {
        let draw = &mut self.stream(Family::Restart);
        for _ in 0..draw.below(3) {
            faults.push(Fault { at: self.trouble(draw), what: Injection::Restart { lasts: draw.below(100) * MILLI } });
        }
    }

    fn masses(&self, faults: &mut Vec<Fault>) {
        let draw = &mut self.stream(Family::Masses);
        if draw.per_mille(600) {
            faults.push(Injection::Poison { event: draw.below(u64::from(self.submits)) as u16 }.at(0));
        }
        if draw.per_mille(600) {
            let lasts = (!draw.per_mille(200)).then(|| draw.between(10, 500) * MILLI);
            faults.push(Injection::AllFail { lasts }.at(self.trouble(draw)));
        }
    }

    /// Stops dispatcher, sweeper, workers and clients one by one, and restores them in another
    /// order (after FoundationDB's test of that name).
    fn swizzle(&self, faults: &mut Vec<Fault>) {
        let draw = &mut self.stream(Family::Swizzle);
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

/// A time on a grid, so that things happen at once.
fn moment(draw: &mut Stream, span: u64) -> u64 {
    draw.below(span / MILLI + 1) * MILLI
}

fn count(number: u64) -> NonZeroUsize {
    usize::try_from(number).ok().and_then(NonZeroUsize::new).unwrap_or(NonZeroUsize::MIN)
}

fn small(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
