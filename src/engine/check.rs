//! Whether the state agrees with itself.

use alloc::string::String;
use core::fmt::Debug;

use super::replay::Replay;
use super::store::{ActiveRun, LiveRecord, Location, Slot, Stage, Waiting};
use super::tickets::Holder;
use super::view::Place;
use super::{Engine, Gauges, Phase, Status};

/// Something that should always hold and does not: a bug in the engine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the engine contradicts itself, please report this: {0}")]
pub struct Violation(String);

/// What the records add up to.
#[derive(Debug, Default)]
struct Recount {
    gauges: Gauges,
}

impl Engine {
    /// Verifies every invariant by a recount of all records. Takes time in proportion to them.
    ///
    /// # Errors
    ///
    /// [`Violation`] names the first invariant that does not hold.
    pub fn check(&self) -> Result<(), Violation> {
        let mut recount = Recount::default();
        for location in self.state.store.locations() {
            self.check_record(location, &mut recount)?;
        }
        same("gauges and a recount of the records", &self.gauges(), &recount.gauges)?;
        self.check_lists()?;
        self.check_channel()?;
        holds("the equations of the counters hold", self.equations_hold())
    }

    /// accepted = records + forgotten; started = finished + in flight;
    /// received + failed_retry = queued + line + delayed.
    pub(super) fn equations_hold(&self) -> bool {
        let (gauges, counters) = (self.gauges(), &self.state.counters);
        let waiting = gauges.records(Status::Received) + gauges.records(Status::FailedRetry);
        counters.accepted == gauges.records_total() + counters.forgotten
            && counters.started == counters.finished_total() + gauges.inflight
            && gauges.inflight == gauges.records(Status::Processing)
            && waiting == gauges.queued + gauges.line + gauges.delayed
    }

    fn check_record(&self, location: Location, recount: &mut Recount) -> Result<(), Violation> {
        let store = &self.state.store;
        let key = store.key(location);
        same("a record and what its key leads to", &store.find(store.hash(key), key), &Some(location))?;
        recount.gauges.records[store.status(location) as usize] += 1;
        match location {
            Location::Buried(_) => Ok(()),
            Location::Live(slot) => self.check_live(slot, &store.live[slot], recount),
        }
    }

    fn check_live(&self, slot: Slot, record: &LiveRecord, recount: &mut Recount) -> Result<(), Violation> {
        recount.gauges.bytes += record.event.size_bytes() as u64;
        let charge = record.charge;
        // Earlier facts may be of higher limits, so these are not compared with them.
        let accounted = charge.charged.saturating_add(charge.snoozes).saturating_add(charge.refunds);
        holds("each start is charged, or given back, once at most", accounted <= record.attempt)?;
        match record.stage {
            Stage::Waiting(waiting) => self.check_waiting(slot, waiting, recount),
            Stage::Processing(run) => self.check_run(slot, run, recount),
            Stage::Failed { at } => holds("a failure lies in the past", at <= self.now),
        }
    }

    fn check_waiting(&self, slot: Slot, waiting: Waiting, recount: &mut Recount) -> Result<(), Violation> {
        match waiting.place {
            None => holds("a waiting record has a place", false),
            Some(Place::Delayed) => {
                recount.gauges.delayed += 1;
                let held = self.delayed.holds(waiting.eligible_at, waiting.delayed_as, slot);
                holds("a delayed record is among the delayed", held)
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
        let lifetime_end = run.started_at + self.config.run_lifetime;
        holds("a deadline lies within the lifetime", run.deadline <= lifetime_end)?;
        holds("a stopped engine has no run in flight", self.phase != Phase::Stopped)
    }

    fn check_lists(&self) -> Result<(), Violation> {
        let live = &self.state.store.live;
        let in_line = |slot: Slot| matches!(live[slot].stage, Stage::Waiting(Waiting { place: Some(Place::Line), .. }));
        same("the line's length", &self.line.iter(live).count(), &self.line.len())?;
        holds("the line holds records whose place it is", self.line.iter(live).all(in_line))?;
        self.state.store.check_lists().map_err(Violation)?;
        self.runs.check(live).map_err(Violation)
    }

    fn check_channel(&self) -> Result<(), Violation> {
        let capacity = self.config.channel_capacity.get();
        holds("the channel is not overfilled", self.tickets.outstanding() <= capacity)?;
        self.tickets.check().map_err(Violation)?;
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

/// Holds, or is a violation with this name.
fn holds(what: &str, does: bool) -> Result<(), Violation> {
    match does {
        true => Ok(()),
        false => Err(Violation(alloc::format!("it should be that {what}"))),
    }
}

fn same<T: PartialEq + Debug>(what: &str, stored: &T, counted: &T) -> Result<(), Violation> {
    match stored == counted {
        true => Ok(()),
        false => Err(Violation(alloc::format!("{what}: {stored:?} is not {counted:?}"))),
    }
}
