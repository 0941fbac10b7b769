//! The driver of a run: advances hosts and faults in the order of time, tick by tick, until everything has ended.

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

/// The longest time until clients and faults have finished: far more than any scenario takes, so reaching it means a
/// hang.
const LONGEST_CHAOS: Duration = Duration::from_secs(60);

/// The number of ticks between two checks that accepted events are there. A lost event stays lost, so checking each
/// tick would find no more.
const KEPT_EVERY: u64 = 8;

/// The interval at which the adapter checks for room on a full disk.
const LOOK_AFTER: Duration = Duration::from_millis(500);

impl NetworkScenario {
    /// Plays the scenario. What it reaches is added to `probes`.
    pub(super) fn play(&self, keep: Keep, probes: &mut Probes) -> Report {
        let stage = RunContext::new(self, StepTrace::keeping(keep, self));
        let mut drive = NetworkRun::new(&stage);
        let verdict = drive.go_through();
        stage.judge(verdict);
        let virtual_micros = u64::try_from(drive.sim.elapsed().as_micros()).unwrap_or(u64::MAX);
        // What destructors of the last process do is no part of the run.
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

/// Returns the name of a client's host.
pub(super) fn client_name(client: u8) -> String {
    format!("client{client}")
}

/// A run in progress.
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
            // A fixed epoch and seed make the run depend on the scenario alone.
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
            drive.faults.have_ended() && drive.clients_over && drive.is_up()
        })?;
        self.let_messages_arrive()?;
        self.drain()?;
        self.audit()?;
        self.end()
    }

    /// Waits for messages that clients have given up on, and that the network still carries to the server.
    fn let_messages_arrive(&mut self) -> OracleResult {
        let latency_ms = |fault: &NetworkFault| {
            if let NetworkFaultKind::Link { trouble: LinkFault::Slow { latency_ms }, .. } = fault.kind {
                latency_ms
            } else {
                0
            }
        };
        let scenario = &self.stage.scenario;
        let slowest_ms = scenario.faults.iter().map(latency_ms).max().unwrap_or_default();
        // A message that was sent in the last moment takes one trip, and leaves and arrives with a step.
        let longest = Duration::from_millis(slowest_ms.max(scenario.setup.latency_ms).into());
        let by = self.sim.elapsed() + longest + TICK * 2;
        while self.sim.elapsed() < by {
            self.tick()?;
        }
        Ok(())
    }

    /// Ticks until the condition holds, or fails after `bound`.
    fn until(&mut self, what: &str, bound: Duration, mut is_so: impl FnMut(&mut Self) -> bool) -> OracleResult {
        let by = self.sim.elapsed() + bound;
        while !is_so(self) {
            self.tick()?;
            holds(self.sim.elapsed() <= by, || {
                Broken::new("kept", 1, format_args!("after {bound:?} still not reached: {what}"))
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

    /// Checks the current process.
    fn look(&mut self) -> OracleResult {
        self.stage.see_facts();
        let now = self.sim.elapsed();
        let running = self.sim.is_host_running("server");
        let mut door = self.door.borrow_mut();
        let Some(up) = door.as_mut() else {
            drop(door);
            if !running && !self.faults.awaits_restart() {
                // The process did not start, as its journal could not be opened.
                self.fence();
                self.faults.server_ended(now);
            }
            return Ok(());
        };
        inspect_process(&self.stage, up, now)?;
        drop(door);
        // A process that has ended is checked at once: later its memory is gone.
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

    /// Checks that the events which clients know to be accepted are there.
    pub(super) fn look_whether_kept(&self) -> OracleResult {
        let door = self.door.borrow();
        match door.as_ref().filter(|up| up.broken_since.is_none()) {
            Some(up) => kept::there(&up.eventful, &self.stage.owed()),
            None => Ok(()),
        }
    }

    /// Waits until no event is pending, at most as long as the configuration allows.
    fn drain(&mut self) -> OracleResult {
        // The last request of a client may have been a pause.
        self.order(Order::Resume);
        self.tick()?;
        let Some(eventful) = self.eventful() else { return Err(Broken::new("kept", 1, "the server is not up")) };
        let pending = eventful.stats().map_or(0, |stats| stats.engine.gauges.pending());
        let bound = eventful.config().liveness_bound(usize::try_from(pending).unwrap_or(usize::MAX));
        self.until("all events have ended", bound + LONGEST_DELAY + TICK * 2, |drive| {
            let Ok(stats) = eventful.stats() else { return false };
            if stats.paused {
                // A pause that the network had delayed has only now arrived.
                drive.order(Order::Resume);
            }
            given_up(&stats).is_none() && stats.engine.gauges.pending() == 0
        })
    }

    /// Checks that everything adds up once no work is left.
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

    /// Returns the time for which a group that found no room on the disk may wait.
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

    /// Checks that the front shows what the oracles expect.
    fn inspect(&mut self, eventful: Eventful) -> OracleResult {
        self.sim.client(INSPECTOR, inspect::live(Arc::clone(&self.stage), eventful));
        self.sim.set_link_latency(INSPECTOR, "server", Duration::ZERO);
        self.clients_over = false;
        self.until("the inspector has seen all", INSPECTION, |drive| drive.clients_over)
    }

    /// Shuts the server down when nothing is left to wait for.
    fn end(&mut self) -> OracleResult {
        let Some(config) = self.eventful().map(|eventful| eventful.config().clone()) else { return Ok(()) };
        self.order(Order::Shutdown { timeouts: vec![config.drain_timeout], awaited: true });
        let sync = self.stage.scenario.setup.journal.map_or(Duration::ZERO, |_| config.sync_grace);
        let bound = config.drain_timeout + config.abort_grace * 2 + sync + CLOSE_GRACE + TICK * 4;
        self.until("the server has ended", bound, |drive| drive.door.borrow().is_none())
    }

    /// Stops the disk for the process that has ended.
    fn fence(&self) {
        self.stage.drive.iter().for_each(crate::disk::SharedDisk::kill);
    }

    pub(super) fn eventful(&self) -> Option<Eventful> {
        self.door.borrow().as_ref().map(|up| up.eventful.clone())
    }

    /// Returns whether a server is up, and its engine usable.
    fn is_up(&self) -> bool {
        self.door
            .borrow()
            .as_ref()
            .is_some_and(|up| up.broken_since.is_none() && up.ends_by.is_none() && !up.is_reopening)
    }

    pub(super) fn order(&self, order: Order) {
        if let Some(up) = self.door.borrow().as_ref() {
            // Sending fails only while a process is about to end, when it takes no orders.
            let _sent = up.orders.send(order);
        }
    }

    pub(super) fn note(&self, step: &NetworkStep<'_>) {
        self.stage.note(step);
    }
}

/// Checks an engine that is out of use: its readiness gives the reason. Unless it is broken, it still returns its
/// numbers.
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
        Broken::new(
            "front",
            9,
            format_args!("the engine is unavailable as {why:?}, but its readiness is {readiness:?}"),
        )
    })
}

fn inspect_process(stage: &RunContext, up: &mut Up, now: Duration) -> OracleResult {
    let in_time = up.ends_by.is_none_or(|by| now <= by);
    holds(in_time, || Broken::new("shutdown", 6, format_args!("at {now:?} a shutdown has not ended")))?;
    let stats = match up.eventful.stats() {
        Ok(stats) => stats,
        Err(Unavailable::Broken) => return unavailable(stage, up, now, NotReady::Broken),
        Err(why) => return Err(Broken::new("front", 9, format_args!("stats are refused with {why:?}"))),
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
    // A group without room, or a stalled writer, keeps new events out once calls no longer wait for it.
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
        // Facts that are not durable are counted already, but not delivered yet.
        if stats.unsynced == 0 {
            numbers::agree(&notes.oracles.expected, &stats.engine.facts)?;
        }
        if !notes.armed.has_broken() {
            notes.oracles.durable.has_delivered_reopenings(stats.journal_reopenings)?;
            notes.oracles.durable.all_delivered()?;
        }
        notes.oracles.numbers.see(&stats, &notes.oracles.expected.counts_at_opening)?;
        let met = |disturbance| notes.armed.met(disturbance);
        numbers::failures(&stats, met(AdapterFault::ChannelFull), met(AdapterFault::ReceiverDroppedAtSend))
    })?;
    Ok(())
}
