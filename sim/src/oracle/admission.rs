//! P9: bounds are kept, and refusals have a reason. A refused command changes nothing.

use std::time::Duration;

use eventful::{
    Event, Timestamp,
    engine::{
        Answer, Bound, FailedOverflow, Phase, Refusal,
        facts::{Change, Fact},
    },
};

use super::{CommandSummary, Observation};
use crate::failure::Broken;
use crate::scenario::EventNumber;
use crate::spec::{ReferenceState, event_bytes, group_policy_of};

/// Checks a submission or redrive after the facts of the step were applied: an expired record that made room is gone.
pub(super) fn judge(expected: &ReferenceState, seen: &Observation<'_>) -> Result<(), Broken> {
    judge_forgotten(seen)?;
    let refused = matches!(seen.answer, Answer::Refused(_));
    if refused && !seen.facts.iter().all(|fact| matches!(fact.change, Change::Forgotten(_))) {
        return Err(Broken::new("admission", 9, format!("{:?} was refused, but changed {:?}", seen.said, seen.facts)));
    }
    match (seen.said, seen.answer) {
        (CommandSummary::Submit { size_bytes, .. }, Answer::Accepted) => judge_accepted(expected, seen, size_bytes),
        (CommandSummary::Submit { size_bytes, .. }, Answer::Refused(refusal)) => {
            judge_refused(expected, seen, *refusal, size_bytes)
        }
        (CommandSummary::Redrive(event), Answer::Refused(refusal)) => {
            let may_be_full = !ends_halt(expected, event) || *refusal == Refusal::ShuttingDown;
            within(may_be_full, expected, seen)?;
            judge_refused(expected, seen, *refusal, size_of(expected, event))
        }
        (CommandSummary::Redrive(event), Answer::Noted) if ends_halt(expected, event) => Ok(()),
        (CommandSummary::Redrive(event), Answer::Noted) => judge_redriven(expected, seen, size_of(expected, event)),
        _ => Ok(()),
    }
}

/// Checks that a step forgets a bounded number of records; while the journal has enough to write, only those whose
/// room a submission needs.
fn judge_forgotten(seen: &Observation<'_>) -> Result<(), Broken> {
    let forgotten = forgotten(seen);
    let batch = if seen.holds_expiry { 1 } else { seen.config.sweep_batch.get() };
    let most = if matches!(seen.said, CommandSummary::Submit { .. }) {
        // The additional one is the old record of the same key.
        batch + 1
    } else if seen.said.has_follow_ups() {
        // The additional ones are the old records of the same keys.
        let count = seen.then.len();
        if seen.holds_expiry { count * 2 } else { batch.max(count) + count }
    } else if seen.said == CommandSummary::Sweep && !seen.holds_expiry {
        batch
    } else {
        0
    };
    match forgotten <= most {
        true => Ok(()),
        false => {
            let what = format!(
                "{:?} forgets {forgotten} records, the limit is {most}; expiry is held: {}",
                seen.said, seen.holds_expiry
            );
            Err(Broken::new("admission", 9, what))
        }
    }
}

/// Returns the number of records that a step forgets.
fn forgotten(seen: &Observation<'_>) -> usize {
    let keys = |fact: &Fact| if let Change::Forgotten(keys) = &fact.change { keys.len() } else { 0 };
    seen.facts.iter().map(keys).sum()
}

fn judge_accepted(expected: &ReferenceState, seen: &Observation<'_>, size_bytes: usize) -> Result<(), Broken> {
    let config = seen.config;
    let kept = expected.pending() <= config.max_pending as u64
        && expected.total() <= config.max_records as u64
        && expected.bytes <= config.max_bytes as u64
        && takes_beside_failed(expected, seen)
        && size_bytes <= config.max_event_bytes
        && keeps_group(expected, seen);
    within(kept, expected, seen)
}

/// Checks a redrive. Its bytes are in memory already, so an event that is larger than the bound may wait alone.
fn judge_redriven(expected: &ReferenceState, seen: &Observation<'_>, size_bytes: usize) -> Result<(), Broken> {
    let config = seen.config;
    // Equal means that no other event is pending.
    let fits = expected.bytes <= config.max_bytes as u64 || expected.bytes == size_bytes as u64;
    let kept = fits && expected.pending() <= config.max_pending as u64 && keeps_group(expected, seen);
    within(kept, expected, seen)
}

/// Returns whether the redrive of an event lets the others of its group run again. No bound refuses it then: all that is
/// pending may wait for it.
fn ends_halt(expected: &ReferenceState, event: EventNumber) -> bool {
    expected.record(event).is_some_and(|record| expected.would_halt(&record.event))
}

/// Returns whether the group of the event has no more pending events than its policy allows.
fn keeps_group(expected: &ReferenceState, seen: &Observation<'_>) -> bool {
    let record = seen.said.event().and_then(|event| expected.record(event));
    record.and_then(|record| record.event.group()).is_none_or(|group| {
        let most = group_policy_of(seen.config, group).max_pending;
        most.is_none_or(|most| expected.pending_in(group) <= most)
    })
}

fn size_of(expected: &ReferenceState, event: EventNumber) -> usize {
    expected.record(event).map_or(0, |record| event_bytes(&record.event))
}

fn judge_refused(
    expected: &ReferenceState,
    seen: &Observation<'_>,
    refusal: Refusal,
    size_bytes: usize,
) -> Result<(), Broken> {
    let config = seen.config;
    let reached = match refusal {
        Refusal::ShuttingDown => seen.engine.phase() != Phase::Running,
        Refusal::TooLarge { limit_bytes } => limit_bytes == config.max_event_bytes && size_bytes > limit_bytes,
        Refusal::Overloaded { bound, retry_after } => {
            retry_after == retry_due(expected, seen, bound)
                && match bound {
                    Bound::Pending => expected.pending() >= config.max_pending as u64,
                    Bound::Group => expected.all().any(|(_, record)| expected.is_group_full(&record.event)),
                    // An expired record makes room, whether it was swept or not, unless it ended after one that is kept
                    // for longer: that happens where downtimes are no longer kept apart.
                    Bound::Records => {
                        let longer = u64::try_from(expected.most_longer().as_micros()).unwrap_or(u64::MAX);
                        let at = Timestamp::from_micros(seen.now.as_micros().saturating_sub(longer));
                        let batch = if seen.holds_expiry { 1 } else { config.sweep_batch.get() };
                        // Follow-ups pass the bound, so that a batch of expired ones may not make room.
                        let is_past = expected.total() >= config.max_records as u64 && forgotten(seen) >= batch;
                        is_past || expected.remembered(at) >= config.max_records
                    }
                    Bound::Failed => expected.failed_bytes > config.max_failed_bytes as u64,
                    Bound::Bytes => expected.bytes + size_bytes as u64 > config.max_bytes as u64,
                    // The engine itself has no journal.
                    Bound::Disk | Bound::JournalSlow | Bound::JournalUnreachable | Bound::PausedGroups => false,
                }
        }
    };
    within(reached, expected, seen)
}

/// The longest advice to wait for failed events: an operator may end one at any time.
const OPERATOR: Duration = Duration::from_secs(60);

/// Returns the time after which to try again: the retention of the next record, where its end makes room; for failed
/// events at least the time of any overload.
pub(super) fn retry_due(expected: &ReferenceState, seen: &Observation<'_>, bound: Bound) -> Duration {
    let least = seen.config.overload_retry_after;
    let until = |end: Timestamp| end.since(seen.now);
    match bound {
        Bound::Records => {
            let ends = [true, false].into_iter().filter_map(|whole| expected.first_end(whole)).min();
            ends.map(until).filter(|left| !left.is_zero()).unwrap_or(least)
        }
        Bound::Failed => expected.first_end(true).map_or(OPERATOR, until).min(OPERATOR).max(least),
        Bound::Pending
        | Bound::Group
        | Bound::PausedGroups
        | Bound::Bytes
        | Bound::Disk
        | Bound::JournalSlow
        | Bound::JournalUnreachable => least,
    }
}

impl ReferenceState {
    /// Returns the number of records whose retention has not ended.
    fn remembered(&self, now: Timestamp) -> usize {
        self.all().filter(|(event, _)| self.present(*event, now).is_some()).count()
    }

    /// Returns the number of pending events of a group.
    pub(crate) fn pending_in(&self, group: &str) -> usize {
        let pending = self.all().filter(|(_, record)| !record.status().is_terminal());
        pending.filter(|(_, record)| record.event.group() == Some(group)).count()
    }

    /// Returns whether the event is in a group that has as many pending events as its policy allows.
    pub(crate) fn is_group_full(&self, event: &Event) -> bool {
        let most = |group| group_policy_of(&self.config, group).max_pending;
        event.group().is_some_and(|group| most(group).is_some_and(|most| self.pending_in(group) >= most))
    }

    /// Returns whether the bounds that all events share allow one more event of this size.
    pub(crate) fn has_room(&self, size_bytes: usize) -> bool {
        let (config, size_bytes) = (&self.config, size_bytes as u64);
        let (failed, most) = (self.failed_bytes, config.max_failed_bytes as u64);
        let overflows = failed > most
            && (config.failed_overflow != FailedOverflow::DropOldest
                || self.bytes + failed + size_bytes > config.max_bytes as u64 + most);
        self.pending() < config.max_pending as u64
            && self.total() < config.max_records as u64
            && !overflows
            && self.bytes + size_bytes <= config.max_bytes as u64
    }
}

/// Returns whether failed events leave room: they keep new ones out, or are dropped before memory is short.
fn takes_beside_failed(expected: &ReferenceState, seen: &Observation<'_>) -> bool {
    let config = seen.config;
    let (failed, most) = (expected.failed_bytes, config.max_failed_bytes as u64);
    match config.failed_overflow == FailedOverflow::DropOldest {
        true => expected.bytes + failed <= config.max_bytes as u64 + most,
        false => failed <= most,
    }
}

fn within(kept: bool, expected: &ReferenceState, seen: &Observation<'_>) -> Result<(), Broken> {
    if kept {
        return Ok(());
    }
    let (pending, total, bytes, failed) = (expected.pending(), expected.total(), expected.bytes, expected.failed_bytes);
    let config = seen.config;
    let what = format!(
        "{:?} returned {:?} with {pending} pending of {}, {total} records of {}, {bytes} bytes of {}, {failed} of {}",
        seen.said, seen.answer, config.max_pending, config.max_records, config.max_bytes, config.max_failed_bytes
    );
    Err(Broken::new("admission", 9, what))
}
