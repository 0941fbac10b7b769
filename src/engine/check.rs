//! The check that the state is consistent.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Debug;

use super::gates::GateCount;
use super::key::Key;
use super::replay::Replay;
use super::store::{ActiveRun, List, LiveRecord, LiveState, Location, Slab, Slot, WaitingState};
use super::tickets::Holder;
use super::time::earlier;
use super::view::{Gate, Place};
use super::{Engine, Gauges, Phase, Status};

/// Something that should always hold and does not: a bug in the engine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the engine contradicts itself, please report this: {0}")]
pub struct Violation(String);

/// The sums over all records.
#[derive(Debug, Default)]
struct Recount {
    gauges: Gauges,
    /// By the number of the policy.
    gates: Vec<GateCount>,
}

impl Engine {
    /// Verifies every invariant by a recount of all records. Takes time in proportion to them.
    ///
    /// # Errors
    ///
    /// [`Violation`] names the first invariant that does not hold.
    pub fn check(&self) -> Result<(), Violation> {
        let mut recount = Recount::default();
        for (slot, record) in self.state.store.live.iter() {
            self.check_record(Location::Live(slot), record.event.key(), record.state.status(), &mut recount)?;
            self.check_live(slot, record, &mut recount)?;
        }
        for (id, tombstone) in self.state.store.tombstones() {
            self.check_record(Location::Tombstone(id), &tombstone.key, tombstone.status(), &mut recount)?;
        }
        // Before the gauges, one of which is read from a list.
        self.check_lists()?;
        same("gauges and a recount of the records", &self.gauges(), &recount.gauges)?;
        let alone = self.config.types.behind_the_last();
        self.groups.check(&self.state.store.live, alone).map_err(Violation)?;
        self.gates.check(&recount.gates).map_err(Violation)?;
        self.check_channel()?;
        holds("the equations of the counters hold", self.equations_hold())
    }

    /// accepted = records + forgotten; started = finished + in flight;
    /// received + failed_retry = queued + line + delayed + gated.
    pub(super) fn equations_hold(&self) -> bool {
        let (gauges, counters) = (self.gauges(), &self.state.counters);
        let waiting = gauges.records(Status::Received) + gauges.records(Status::FailedRetry);
        counters.accepted == gauges.records_total() + counters.forgotten_total()
            && counters.started == counters.finished_total() + gauges.inflight
            && gauges.inflight == gauges.records(Status::Processing)
            && waiting == gauges.queued + gauges.line + gauges.delayed + gauges.gated
    }

    fn check_record(&self, at: Location, key: &Key, status: Status, recount: &mut Recount) -> Result<(), Violation> {
        recount.gauges.records[status as usize] += 1;
        same("a record and what its key leads to", &self.state.store.find_from(at, key), &Some(at))
    }

    fn check_live(&self, slot: Slot, record: &LiveRecord, recount: &mut Recount) -> Result<(), Violation> {
        match record.state {
            LiveState::Failed { at, .. } => {
                recount.gauges.failed_bytes += record.kept_bytes() as u64;
                recount.gauges.oldest_failed = earlier(recount.gauges.oldest_failed, Some(at));
            }
            LiveState::Waiting(_) | LiveState::Processing(_) => {
                recount.gauges.bytes += record.event.size_bytes() as u64;
                let since = record.pending_since().rounded_up();
                recount.gauges.oldest_pending = earlier(recount.gauges.oldest_pending, Some(since));
            }
        }
        let group = record.group.map(|group| self.groups.name(group));
        let is_pending = record.state.status() != Status::Failed;
        let due = record.event.group().filter(|name| is_pending || self.config.groups.of(name).halts());
        same("a record's group", &group, &due)?;
        same("a record's type policy", &record.policy, &self.policy_of(&record.event))?;
        if let Some(gate) = record.policy {
            // As far as there are records: behind the last policy there is a gate of events without one.
            recount.gates.resize(recount.gates.len().max(gate.index() + 1), GateCount::default());
            recount.gates[gate.index()].add(&record.state);
        }
        let charge = record.charge;
        // Earlier facts may be of higher limits, so these are not compared with them.
        let accounted = charge.charged.saturating_add(charge.snoozes).saturating_add(charge.refunds);
        holds("each start is charged, or given back, once at most", accounted <= record.attempt)?;
        match record.state {
            LiveState::Waiting(waiting) => self.check_waiting(slot, waiting, recount),
            LiveState::Processing(run) => self.check_run(slot, run, recount),
            LiveState::Failed { at, .. } => holds("a failure lies in the past", at <= self.now),
        }
    }

    fn check_waiting(&self, slot: Slot, waiting: WaitingState, recount: &mut Recount) -> Result<(), Violation> {
        match waiting.place {
            None => holds("a waiting record has a place", false),
            Some(Place::Delayed) => {
                recount.gauges.delayed += 1;
                let held = self.delayed.holds(waiting.eligible_at, waiting.delayed_as, slot);
                holds("a delayed record is among the delayed", held)
            }
            Some(Place::Gated(_)) => {
                recount.gauges.gated += 1;
                holds("a record at its gate is eligible", waiting.eligible_at <= self.now)
            }
            Some(Place::Line) => {
                recount.gauges.line += 1;
                holds("a record in the line is eligible", waiting.eligible_at <= self.now)
            }
            Some(Place::Queued(ticket)) => {
                recount.gauges.queued += 1;
                same("a queued record's ticket", &self.tickets.holder(ticket), &Some(Holder::Record(slot)))
            }
        }
    }

    fn check_run(&self, slot: Slot, run: ActiveRun, recount: &mut Recount) -> Result<(), Violation> {
        recount.gauges.inflight += 1;
        same("a run and what its number leads to", &self.runs.find(run.id, &self.state.store.live), &Some(slot))?;
        holds("a run is of this epoch", run.id.epoch() == self.state.epoch)?;
        let limits = self.config.run_limits(self.state.store.live[slot].policy);
        let lifetime_end = run.started_at + limits.run_lifetime;
        holds("a deadline lies within the lifetime", run.deadline <= lifetime_end)?;
        holds("a stopped engine has no run in flight", self.phase != Phase::Stopped)
    }

    fn check_lists(&self) -> Result<(), Violation> {
        let live = &self.state.store.live;
        check_list("the line", &self.line, live, Place::Line)?;
        self.gates
            .lists()
            .try_for_each(|list| check_list("the list of a gate", list, live, Place::Gated(Gate::Type)))?;
        self.groups
            .lists()
            .try_for_each(|list| check_list("the list of a group", list, live, Place::Gated(Gate::Group)))?;
        self.state.store.check_lists().map_err(Violation)?;
        self.runs.check(live).map_err(Violation)
    }

    fn check_channel(&self) -> Result<(), Violation> {
        let capacity = self.config.channel_capacity.get();
        holds("the channel is not overfilled", self.tickets.outstanding() <= capacity)?;
        self.tickets.check().map_err(Violation)?;
        // While the engine is not feeding, records rightly stay in the line.
        let idle = !self.is_feeding() || self.blocked_since.is_some() || self.line.is_empty();
        holds("nothing stays in the line while the channel has room", idle || self.tickets.outstanding() == capacity)
    }
}

impl Replay {
    /// Verifies that the records agree with their counts.
    ///
    /// # Errors
    ///
    /// [`Violation`] names the first invariant that does not hold.
    pub fn check(&self) -> Result<(), Violation> {
        self.store().check().map_err(Violation)
    }
}

/// Verifies that a list has as many records as it says, and that all are in this place.
fn check_list(name: &str, list: &List, live: &Slab<LiveRecord>, due: Place) -> Result<(), Violation> {
    let is_there = |slot: Slot| matches!(live[slot].state, LiveState::Waiting(waiting) if waiting.place == Some(due));
    let (mut length, mut strangers) = (0, 0);
    for slot in list.iter(live) {
        length += 1;
        strangers += usize::from(!is_there(slot));
    }
    same(&alloc::format!("the length of {name}"), &length, &list.len())?;
    holds(&alloc::format!("{name} holds records whose place it is"), strangers == 0)
}

/// Holds, or is a violation with this name.
fn holds(what: &str, does: bool) -> Result<(), Violation> {
    match does {
        true => Ok(()),
        false => Err(untrue(what)),
    }
}

fn same<T: PartialEq + Debug>(what: &str, stored: &T, counted: &T) -> Result<(), Violation> {
    match stored == counted {
        true => Ok(()),
        false => Err(unequal(what, stored, counted)),
    }
}

#[cold]
fn untrue(what: &str) -> Violation {
    Violation(alloc::format!("it should be that {what}"))
}

#[cold]
fn unequal(what: &str, stored: &dyn Debug, counted: &dyn Debug) -> Violation {
    Violation(alloc::format!("{what}: {stored:?} is not {counted:?}"))
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;
    use core::num::NonZeroUsize;
    use core::time::Duration;

    use super::*;
    use crate::engine::{
        Answer, Command, Config, Effect, Epoch, ErrorText, Event, Key, Outcome, Output, RunId, Ticket, Timestamp,
    };

    const OPENED_AT: u64 = 1_000_000;

    #[test]
    fn a_sound_engine_passes() {
        assert_eq!(engine().check(), Ok(()));
    }

    #[test]
    fn a_record_that_its_key_does_not_lead_to_is_found() {
        assert_found("what its key leads to", |engine| {
            record(engine, "line").event = Event::with_id("other", "x").expect("an id");
        });
    }

    #[test]
    fn two_records_of_one_key_are_found() {
        assert_found("what its key leads to", |engine| {
            let event = record(engine, "line").event.clone();
            let hash = engine.state.store.hash(event.key());
            engine.state.store.insert(hash, event, engine.now, None);
        });
    }

    #[test]
    fn more_charges_than_starts_are_found() {
        assert_found("each start is charged", |engine| record(engine, "line").charge.charged = 1);
    }

    #[test]
    fn a_failure_in_the_future_is_found() {
        assert_found("a failure lies in the past", |engine| {
            let LiveState::Failed { at, .. } = &mut record(engine, "failed 2").state else { panic!("it has failed") };
            *at = Timestamp::MAX;
        });
    }

    #[test]
    fn failures_out_of_order_are_found() {
        assert_found("the lists do not add up", |engine| {
            let now = engine.now;
            let LiveState::Failed { at, .. } = &mut record(engine, "failed 1").state else { panic!("it has failed") };
            *at = now;
        });
    }

    #[test]
    fn a_waiting_record_without_a_place_is_found() {
        assert_found("a waiting record has a place", |engine| record(engine, "line").waiting_mut().place = None);
    }

    #[test]
    fn a_delayed_record_that_nothing_wakes_is_found() {
        assert_found("is among the delayed", |engine| {
            record(engine, "line").waiting_mut().place = Some(Place::Delayed);
        });
    }

    #[test]
    fn a_record_in_the_line_before_its_time_is_found() {
        assert_found("is eligible", |engine| record(engine, "line").waiting_mut().eligible_at = Timestamp::MAX);
    }

    #[test]
    fn a_ticket_that_was_never_sent_is_found() {
        assert_found("a queued record's ticket", |engine| {
            record(engine, "queued").waiting_mut().place = Some(Place::Queued(Ticket::new(99)));
        });
    }

    #[test]
    fn a_run_that_its_number_does_not_lead_to_is_found() {
        assert_found("what its number leads to", |engine| {
            let epoch = engine.epoch();
            record(engine, "run 1").run_mut().id = RunId::new(epoch, 99);
        });
    }

    #[test]
    fn a_run_of_another_epoch_is_found() {
        assert_found("a run is of this epoch", |engine| engine.state.epoch = Epoch::new(99));
    }

    #[test]
    fn a_deadline_past_the_lifetime_is_found() {
        assert_found("within the lifetime", |engine| record(engine, "run 2").run_mut().deadline = Timestamp::MAX);
    }

    #[test]
    fn deadlines_out_of_order_are_found() {
        assert_found("the runs do not add up", |engine| {
            let run = record(engine, "run 1").run_mut();
            run.deadline = run.deadline + Duration::from_secs(5);
        });
    }

    #[test]
    fn a_run_in_a_stopped_engine_is_found() {
        assert_found("a stopped engine has no run", |engine| engine.phase = Phase::Stopped);
    }

    #[test]
    fn a_gauge_that_drifted_is_found() {
        assert_found("gauges and a recount", |engine| {
            let slot = slot(engine, "line");
            engine.delayed.insert(Timestamp::MAX, slot);
        });
    }

    #[test]
    fn a_stranger_in_the_line_is_found() {
        assert_found("records whose place it is", |engine| {
            let (waiting, stranger) = (slot(engine, "line"), slot(engine, "delayed"));
            engine.line.remove(&mut engine.state.store.live, waiting);
            engine.line.push_back(&mut engine.state.store.live, stranger);
        });
    }

    #[test]
    fn an_overfilled_channel_is_found() {
        assert_found("not overfilled", |engine| engine.config.channel_capacity = NonZeroUsize::MIN);
    }

    #[test]
    fn a_feed_that_stands_still_is_found() {
        assert_found("nothing stays in the line", |engine| engine.config.channel_capacity = NonZeroUsize::MAX);
    }

    #[test]
    fn a_counter_that_drifted_is_found() {
        assert_found("equations", |engine| engine.state.counters.accepted += 1);
        assert_found("equations", |engine| engine.state.counters.started += 1);
    }

    fn assert_found(violation: &str, damage: impl FnOnce(&mut Engine)) {
        let mut engine = engine();
        damage(&mut engine);
        let found = engine.check().expect_err("damage").to_string();
        assert!(found.contains(violation), "{found}");
    }

    /// An engine with a record of every kind, named by what it is.
    fn engine() -> Engine {
        let config = Config { channel_capacity: NonZeroUsize::MIN.saturating_add(1), ..Config::default() };
        let mut engine = Engine::new(config, Timestamp::from_micros(OPENED_AT), &mut Output::new()).expect("a config");
        for id in ["completed", "failed 1", "failed 2", "delayed"] {
            let run = start(&mut engine, id);
            let error = ErrorText::new("wrong");
            let outcome = match id {
                "completed" => Outcome::Done,
                "delayed" => Outcome::Retry { error, after: None },
                _ => Outcome::Permanent { error },
            };
            execute(&mut engine, Command::Settle { run, outcome });
        }
        for id in ["run 1", "run 2"] {
            start(&mut engine, id);
        }
        for id in ["queued", "queued too", "line"] {
            submit(&mut engine, id);
        }
        engine
    }

    /// Each command comes a second after the one before.
    fn execute(engine: &mut Engine, command: Command) -> (Answer, Output) {
        let mut out = Output::new();
        let now = engine.now + Duration::from_secs(1);
        (engine.execute(now, command, &mut out), out)
    }

    fn submit(engine: &mut Engine, id: &str) -> Output {
        execute(engine, Command::Submit(Event::with_id(id, "x").expect("an id"))).1
    }

    fn start(engine: &mut Engine, id: &str) -> RunId {
        let out = submit(engine, id);
        let [Effect::Enqueue(ticket)] = out.effects() else { panic!("it is fed") };
        let (Answer::Running(run), _) = execute(engine, Command::Start(*ticket)) else { panic!("it starts") };
        run.id
    }

    fn slot(engine: &Engine, id: &str) -> Slot {
        let key = Key::new("", id).expect("an id");
        let Some(Location::Live(slot)) = engine.locate(engine.now, &key) else { panic!("{id} is no live record") };
        slot
    }

    fn record<'a>(engine: &'a mut Engine, id: &str) -> &'a mut LiveRecord {
        let slot = slot(engine, id);
        &mut engine.state.store.live[slot]
    }
}
