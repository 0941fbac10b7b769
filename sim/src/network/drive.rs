//! Drives a run: hosts and faults in the order of time, tick by tick, until everything has ended.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use eventful::{
    Eventful, Unavailable,
    metrics::{NotReady, Readiness, RejectReason},
};
use turmoil::Sim;

use super::clock::{EPOCH, TICK};
use super::connection_owners::LONGEST_DELAY;
use super::given_up::given_up;
use super::inspect::{self, INSPECTION, INSPECTOR};
use super::oracle::panics;
use super::oracle::{OracleResult, holds, kept, numbers, permits, waits};
use super::run_context::RunContext;
use super::scenario::{AdapterFault, LinkFault, NetworkFault, NetworkFaultKind};
use super::schedule::Faults;
use super::server::{CLOSE_GRACE, Order, ServerProcess, Up};
use super::step::NetworkStep;
use super::tier::NetworkScenario;
use super::trace::StepTrace;
use super::{client, server};
use crate::disk::Ailment;
use crate::failure::Broken;
use crate::tier::{Keep, Probes, Report};

/// Longer than any run can last before its end is bounded: clients and faults have finished by then.
const LONGEST_CHAOS: Duration = Duration::from_secs(60);

/// Ticks from one look at all that clients were told to the next. What is lost stays lost.
const KEPT_EVERY: u64 = 8;

/// The time between two looks of the adapter whether there is room on a disk that was full.
const LOOK_AFTER: Duration = Duration::from_millis(500);

impl NetworkScenario {
    /// Lets it happen. What it reaches is added to `probes`.
    pub(super) fn play(&self, keep: Keep, probes: &mut Probes) -> Report {
        let stage = RunContext::new(self, StepTrace::keeping(keep, self));
        let mut drive = NetworkRun::new(&stage);
        let verdict = drive.go_through();
        stage.judge(verdict);
        let virtual_micros = u64::try_from(drive.sim.elapsed().as_micros()).unwrap_or(u64::MAX);
        stage.mute(true);
        drop(drive);
        stage.count_disk_faults();
        stage.judge(stage.with(|notes, _| panics::are(notes.armed.panics, notes.script_panics)));
        stage.with(|notes, _| {
            probes.add(&notes.coverage);
            notes.trace.report(virtual_micros, notes.broken.take())
        })
    }
}

/// The name of a client's host.
pub(super) fn client_name(client: u8) -> String {
    format!("client{client}")
}

/// A run on its way.
pub(super) struct NetworkRun {
    pub(super) stage: Arc<RunContext>,
    pub(super) sim: Sim<'static>,
    pub(super) door: ServerProcess,
    pub(super) faults: Faults,
    clients_over: bool,
    ticks: u64,
}

impl NetworkRun {
    fn new(stage: &Arc<RunContext>) -> Self {
        let scenario = &stage.scenario;
        let mut sim = turmoil::Builder::new()
            .epoch(UNIX_EPOCH + EPOCH)
            .rng_seed(scenario.seed)
            .tick_duration(TICK)
            .simulation_duration(Duration::MAX)
            .max_message_latency(Duration::from_millis(scenario.setup.latency_ms.into()))
            .tcp_capacity(1024)
            .build();
        let door: ServerProcess = Rc::new(RefCell::new(None));
        let (for_server, at_door) = (Arc::clone(stage), Rc::clone(&door));
        sim.host("server", move || server::live(Arc::clone(&for_server), Rc::clone(&at_door)));
        for number in 0..scenario.setup.clients {
            sim.client(client_name(number), client::live(Arc::clone(stage), number));
        }
        let faults = Faults::new(scenario);
        Self { stage: Arc::clone(stage), sim, door, faults, clients_over: false, ticks: 0 }
    }

    fn go_through(&mut self) -> OracleResult {
        self.until("faults and clients have ended", LONGEST_CHAOS, |drive| {
            drive.bring_faults();
            drive.faults.are_over() && drive.clients_over && drive.is_up()
        })?;
        self.let_messages_arrive()?;
        self.drain()?;
        self.audit()?;
        self.end()
    }

    /// What clients have given up may still be on its way to the server, on a link that was slow.
    fn let_messages_arrive(&mut self) -> OracleResult {
        let latency_ms = |fault: &NetworkFault| {
            if let NetworkFaultKind::Link { trouble: LinkFault::Slow { latency_ms }, .. } = fault.kind {
                latency_ms
            } else {
                0
            }
        };
        let longest_ms = self.stage.scenario.faults.iter().map(latency_ms).max().unwrap_or_default();
        let by = self.sim.elapsed() + Duration::from_millis(longest_ms.into());
        while self.sim.elapsed() < by {
            self.tick()?;
        }
        Ok(())
    }

    /// Ticks until it is so.
    fn until(&mut self, what: &str, bound: Duration, mut is_so: impl FnMut(&mut Self) -> bool) -> OracleResult {
        let by = self.sim.elapsed() + bound;
        while !is_so(self) {
            self.tick()?;
            holds(self.sim.elapsed() <= by, || {
                Broken::new("kept", 1, format_args!("after {bound:?} it is not so that {what}"))
            })?;
        }
        Ok(())
    }

    fn tick(&mut self) -> OracleResult {
        self.stage.clock.stop(false);
        let stepped = self.sim.step();
        self.stage.clock.stop(true);
        self.stage.clock.reach(self.sim.elapsed());
        self.ticks += 1;
        self.clients_over =
            stepped.map_err(|error| Broken::new("panics", 5, format_args!("a host has failed: {error}")))?;
        self.look()?;
        match self.stage.with(|notes, _| notes.broken.take()) {
            Some(broken) => Err(broken),
            None => Ok(()),
        }
    }

    /// Looks at the process that is up.
    fn look(&mut self) -> OracleResult {
        self.stage.see_facts();
        let now = self.sim.elapsed();
        let running = self.sim.is_host_running("server");
        let mut door = self.door.borrow_mut();
        let Some(up) = door.as_mut() else {
            drop(door);
            if !running && !self.faults.awaits_restart() {
                // It did not start, as its journal could not be opened.
                self.fence();
                self.faults.server_ended(now);
            }
            return Ok(());
        };
        look_at(&self.stage, up, now)?;
        drop(door);
        if !running || self.ticks.is_multiple_of(KEPT_EVERY) {
            self.look_whether_kept()?;
        }
        if !running {
            self.door.borrow_mut().take();
            self.fence();
            self.stage.close();
            self.faults.server_ended(now);
        }
        Ok(())
    }

    /// Whether what clients were told is there.
    pub(super) fn look_whether_kept(&self) -> OracleResult {
        let door = self.door.borrow();
        match door.as_ref().filter(|up| up.broken_since.is_none()) {
            Some(up) => kept::there(&up.eventful, &self.stage.owed()),
            None => Ok(()),
        }
    }

    /// Waits until no event is pending, at most as long as the configuration allows.
    fn drain(&mut self) -> OracleResult {
        // The last thing that a client asked for may have been a pause.
        self.order(Order::Resume);
        self.tick()?;
        let Some(eventful) = self.eventful() else { return Err(Broken::new("kept", 1, "the server is not up")) };
        let pending = eventful.stats().map_or(0, |stats| stats.engine.gauges.pending());
        let bound = eventful.config().liveness_bound(usize::try_from(pending).unwrap_or(usize::MAX));
        self.until("all events have ended", bound + LONGEST_DELAY + TICK * 2, |drive| {
            let Ok(stats) = eventful.stats() else { return false };
            if stats.paused {
                // A pause that the network had held back has come only now.
                drive.order(Order::Resume);
            }
            given_up(&stats).is_none() && stats.engine.gauges.pending() == 0
        })
    }

    /// At rest everything adds up.
    fn audit(&mut self) -> OracleResult {
        let Some(eventful) = self.eventful() else { return Err(Broken::new("kept", 1, "the server is not up")) };
        for _ in 0..2 {
            self.tick()?;
        }
        let bound = eventful.config().sweep_interval + TICK * 2 + self.wait_for_room();
        self.until("the engine is ready, and all is durable", bound, |_| {
            eventful.readiness() == Readiness::Ready && eventful.stats().is_ok_and(|stats| stats.unsynced == 0)
        })?;
        self.until("the room on the disk is seen", LOOK_AFTER + TICK * 2, |_| {
            eventful.stats().is_ok_and(|stats| stats.journal_room_bytes.is_none_or(|room| room > 0))
        })?;
        let Ok(stats) = eventful.stats() else { return Err(Broken::new("kept", 1, "the engine is broken at rest")) };
        permits::at_rest(&stats, eventful.config().concurrency.get())?;
        numbers::at_rest(&stats)?;
        numbers::one_reads(eventful.waiters())?;
        self.stage.with(|notes, _| {
            notes.oracles.calls.none_left()?;
            numbers::none_waits(notes.ends_awaited)?;
            panics::mended(
                &stats,
                notes.armed.met(AdapterFault::DispatcherPanics),
                notes.armed.met(AdapterFault::SweeperPanics),
            )
        })?;
        kept::over(&eventful, &self.stage.owed())?;
        self.stage.see_facts();
        let (expected, now) = self.stage.with(|notes, now| (notes.oracles.expected.clone(), now));
        kept::shown(&eventful, &expected, now)?;
        self.inspect(eventful)
    }

    /// How long a group may wait that found no room on the disk.
    fn wait_for_room(&self) -> Duration {
        let lacks = |kind: &NetworkFaultKind| {
            let is_short = matches!(kind, NetworkFaultKind::Disk { trouble: Ailment::NoSpace, .. });
            is_short || matches!(kind, NetworkFaultKind::DiskFull { .. } | NetworkFaultKind::DiskGone { .. })
        };
        match self.stage.scenario.faults.iter().any(|fault| lacks(&fault.kind)) {
            true => LOOK_AFTER,
            false => Duration::ZERO,
        }
    }

    /// What the front shows is what is owed.
    fn inspect(&mut self, eventful: Eventful) -> OracleResult {
        self.sim.client(INSPECTOR, inspect::live(Arc::clone(&self.stage), eventful));
        self.sim.set_link_latency(INSPECTOR, "server", Duration::ZERO);
        self.clients_over = false;
        self.until("the inspector has seen all", INSPECTION, |drive| drive.clients_over)
    }

    /// A last shutdown, which has nothing to wait for.
    fn end(&mut self) -> OracleResult {
        let Some(config) = self.eventful().map(|eventful| eventful.config().clone()) else { return Ok(()) };
        self.order(Order::Shutdown { timeouts: vec![config.drain_timeout], awaited: true });
        let sync = self.stage.scenario.setup.journal.map_or(Duration::ZERO, |_| config.sync_grace);
        let bound = config.drain_timeout + config.abort_grace * 2 + sync + CLOSE_GRACE + TICK * 4;
        self.until("the server has ended", bound, |drive| drive.door.borrow().is_none())
    }

    /// What the process that has ended still holds of the disk is of no use any more.
    fn fence(&self) {
        self.stage.drive.iter().for_each(crate::disk::SharedDisk::kill);
    }

    pub(super) fn eventful(&self) -> Option<Eventful> {
        self.door.borrow().as_ref().map(|up| up.eventful.clone())
    }

    /// Whether there is a server whose engine is not broken.
    fn is_up(&self) -> bool {
        self.door
            .borrow()
            .as_ref()
            .is_some_and(|up| up.broken_since.is_none() && up.ends_by.is_none() && !up.is_reopening)
    }

    pub(super) fn order(&self, order: Order) {
        if let Some(up) = self.door.borrow().as_ref() {
            // A process that is about to end takes no orders.
            let _sent = up.orders.send(order);
        }
    }

    pub(super) fn note(&self, step: &NetworkStep<'_>) {
        self.stage.note(step);
    }
}

/// The engine is not in use. Its readiness says why, and waiting helps, or only another process. Unless it
/// is broken, it gives its numbers all the same.
fn unavailable(stage: &RunContext, up: &mut Up, now: Duration, why: NotReady) -> OracleResult {
    up.is_reopening = why == NotReady::Reopening;
    if !up.is_reopening {
        up.broken_since.get_or_insert(now);
    }
    let readiness = up.eventful.readiness();
    stage.with(|notes, _| {
        notes.coverage.reach("unavailable");
        waits::given_up(&notes.oracles.expected, &up.eventful)
    })?;
    holds(readiness == Readiness::NotReady(why), || {
        Broken::new("front", 9, format_args!("it is unavailable, {why:?}, and its readiness is {readiness:?}"))
    })
}

fn look_at(stage: &RunContext, up: &mut Up, now: Duration) -> OracleResult {
    let in_time = up.ends_by.is_none_or(|by| now <= by);
    holds(in_time, || Broken::new("shutdown", 6, format_args!("at {now:?} a shutdown has not ended")))?;
    let stats = match up.eventful.stats() {
        Ok(stats) => stats,
        Err(Unavailable::Broken) => return unavailable(stage, up, now, NotReady::Broken),
        Err(why) => return Err(Broken::new("front", 9, format_args!("no numbers, for {why:?}"))),
    };
    if let Some(why) = given_up(&stats) {
        return unavailable(stage, up, now, why);
    }
    up.is_reopening = false;
    let absence = stage.with(|notes, now| notes.absence.see(now, up.since, stats.unsynced));
    let readiness = up.eventful.readiness();
    stage.with(|notes, _| {
        if absence.is_late {
            notes.coverage.reach("not ready for a disk");
        }
        absence.shows(stats.phase, readiness)
    })?;
    let config = up.eventful.config();
    permits::bounded(&stats, config.concurrency.get())?;
    up.waits.see(now, &stats, config)?;
    // A group that found no room, or a writer that stalls, keeps new events out when answers wait no longer.
    let is_out_of_reach =
        stage.with(|notes, now| notes.absence.may_be_seen(now) || stats.unsynced_for >= notes.oracles.answer_timeout());
    up.waits.see_submitters(now, &stats, config, is_out_of_reach)?;
    stage.with(|notes, _| {
        if stats.journal_reopenings > 0 {
            notes.coverage.reach("journal opened again");
            notes.oracles.durable.reopened(stats.journal_reopenings, notes.armed.has_broken())?;
        }
        if stats.engine.tallies.rejected(RejectReason::Disk) > 0 {
            notes.coverage.reach("refused for want of disk");
        }
        // What is not durable is counted, and not told yet.
        if stats.unsynced == 0 {
            numbers::agree(&notes.oracles.expected, &stats.engine.facts)?;
        }
        if !notes.armed.has_broken() {
            notes.oracles.durable.is_told_of_reopenings(stats.journal_reopenings)?;
            notes.oracles.durable.all_told()?;
        }
        notes.oracles.numbers.see(&stats, &notes.oracles.expected.counts_at_opening)?;
        let met = |disturbance| notes.armed.met(disturbance);
        numbers::failures(&stats, met(AdapterFault::ChannelFull), met(AdapterFault::ReceiverDroppedAtSend))
    })?;
    Ok(())
}
