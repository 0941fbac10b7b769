//! P1: all follow-ups of a run that succeeded exist, or none was accepted.
//!
//! The fate of a run with follow-ups follows from the state before its end: from what is known under their keys, and from
//! the bounds. The checks here have a definition of their own for each bound, in terms of all records.

use eventful::{
    Event,
    engine::{
        Answer, Bound, FailedOverflow,
        facts::{AfterRun, Change},
    },
};

use super::admission::retry_due;
use super::{CommandSummary, Observation};
use crate::failure::{Broken, holds};
use crate::spec::{Cause, ReferenceState, event_bytes, group_policy_of};

/// Returns the cause of the end of a run with follow-ups, in the state before it.
pub(super) fn cause(expected: &ReferenceState, seen: &Observation<'_>) -> Cause {
    if is_too_much(seen) || conflict(expected, seen).is_some() {
        return Cause::Permanent;
    }
    match bound(expected, seen) {
        Some(bound) => Cause::Snooze { delay: retry_due(expected, seen, bound) },
        None => Cause::Done,
    }
}

/// Checks the follow-ups in the state after the step.
pub(super) fn judge(expected: &ReferenceState, seen: &Observation<'_>) -> Result<(), Broken> {
    let accepted: Vec<&Event> = seen.facts.iter().filter_map(|fact| accepted(&fact.change)).collect();
    if !seen.said.has_follow_ups() {
        return holds(accepted.is_empty() || matches!(seen.said, CommandSummary::Submit { .. }), || {
            broken(seen, "an event was accepted that nothing submits")
        });
    }
    let is_done = matches!(seen.facts.iter().find_map(|fact| end(&fact.change)), Some(true));
    if !is_done {
        return holds(accepted.is_empty(), || broken(seen, "its event is not completed, but follow-ups are accepted"));
    }
    for (number, event) in seen.then.iter().enumerate() {
        let record = seen.key_table.number(event.key()).and_then(|number| expected.present(number, seen.now));
        let is_there = record.is_some_and(|record| record.event.digest() == event.digest());
        holds(is_there, || broken(seen, &format!("follow-up {number} does not exist, or has another payload")))?;
    }
    let is_one = |event: &Event| accepted.iter().filter(|other| other.key() == event.key()).count() == 1;
    let are_follow_ups = accepted.iter().all(|event| {
        let source = seen.then.iter().find(|source| source.key() == event.key());
        is_one(event) && source.is_some_and(|source| is_same(source, event))
    });
    holds(are_follow_ups, || broken(seen, "what was accepted is not what the run ended with, each once"))
}

/// Returns the numbers of follow-ups that are duplicates, and of those that conflict, in the state after the step.
pub(super) fn tallied(expected: &ReferenceState, seen: &Observation<'_>) -> (u64, u64) {
    if !seen.said.has_follow_ups() || !matches!(seen.answer, Answer::Settled(_)) {
        return (0, 0);
    }
    let accepted = seen.facts.iter().filter_map(|fact| accepted(&fact.change)).count();
    match seen.facts.iter().find_map(|fact| end(&fact.change)) {
        Some(true) => (seen.then.len() as u64 - accepted as u64, 0),
        // Nothing was accepted: what is known is as before.
        _ => (0, u64::from(!is_too_much(seen) && conflict(expected, seen).is_some())),
    }
}

/// Returns whether the run has more follow-ups or more bytes of them than may ever be.
fn is_too_much(seen: &Observation<'_>) -> bool {
    let size: usize = seen.then.iter().map(event_bytes).sum();
    seen.then.len() > seen.config.max_follow_ups || size > seen.config.max_event_bytes
}

/// Returns the first follow-up that has another payload than what is known under its key, or than one before it.
fn conflict<'a>(expected: &ReferenceState, seen: &Observation<'a>) -> Option<&'a Event> {
    seen.then
        .iter()
        .enumerate()
        .map(|(number, event)| {
            let record = seen.key_table.number(event.key()).and_then(|number| expected.present(number, seen.now));
            let before = || seen.then[..number].iter().find(|other| other.key() == event.key());
            let known = record.map(|record| *record.event.digest()).or_else(|| before().map(|other| *other.digest()));
            (known.is_some_and(|known| known != *event.digest()), event)
        })
        .find_map(|(conflicts, event)| conflicts.then_some(event))
}

/// Returns the first bound that leaves no room for the new follow-ups, in the state before the end of the run.
fn bound(expected: &ReferenceState, seen: &Observation<'_>) -> Option<Bound> {
    let CommandSummary::Settle(run, _) = seen.said else { return None };
    let ending = &expected.record(expected.of_run(run)?)?.event;
    let is_known = |event: &Event| {
        seen.key_table.number(event.key()).is_some_and(|number| expected.present(number, seen.now).is_some())
    };
    let mut new: Vec<&Event> = Vec::new();
    for event in seen.then.iter().filter(|event| !is_known(event)) {
        if new.iter().all(|other| other.key() != event.key()) {
            new.push(event);
        }
    }
    let (config, size) = (seen.config, new.iter().map(|event| event_bytes(event)).sum::<usize>());
    let spare = config.concurrency.get() * config.max_follow_ups;
    let exceeds = |used: u64, comes: usize, leaves: usize, most: usize| {
        comes > leaves && used as usize + comes - leaves > most.saturating_add(spare)
    };
    let is_group_full = new.iter().filter_map(|event| event.group()).any(|group| {
        let of_group = |event: &Event| event.group() == Some(group);
        let comes = new.iter().filter(|event| of_group(event)).count();
        let most = group_policy_of(config, group).max_pending;
        most.is_some_and(|most| exceeds(expected.pending_in(group) as u64, comes, usize::from(of_group(ending)), most))
    });
    let failed = expected.failed_bytes > config.max_failed_bytes as u64
        && (config.failed_overflow != FailedOverflow::DropOldest
            || (expected.bytes + expected.failed_bytes) as usize + size > config.max_bytes + config.max_failed_bytes);
    let most_bytes = config.max_bytes.saturating_add(config.concurrency.get() * config.max_event_bytes);
    let leaves = event_bytes(ending);
    let bounds = [
        (is_group_full, Bound::Group),
        (exceeds(expected.pending(), new.len(), 1, config.max_pending), Bound::Pending),
        (failed, Bound::Failed),
        (exceeds(expected.total(), new.len(), 0, config.max_records), Bound::Records),
        (size > leaves && expected.bytes as usize + size - leaves > most_bytes, Bound::Bytes),
    ];
    bounds.into_iter().find_map(|(is_reached, bound)| (is_reached && !new.is_empty()).then_some(bound))
}

/// Returns the event that a change accepts.
const fn accepted(change: &Change) -> Option<&Event> {
    if let Change::Accepted(event) = change { Some(event) } else { None }
}

/// Returns whether a change completes an event, if it ends a run.
const fn end(change: &Change) -> Option<bool> {
    if let Change::Finished { next, .. } = change { Some(matches!(next, AfterRun::Completed)) } else { None }
}

/// Returns whether an accepted event is the submitted one. Its delay has become a time.
fn is_same(submitted: &Event, accepted: &Event) -> bool {
    let parts = |event: &Event| {
        let texts = [event.event_type(), event.content_type(), event.group()].map(|text| text.map(str::to_owned));
        (event.payload().clone(), texts, event.attributes().clone(), event.not_before().is_some())
    };
    parts(submitted) == parts(accepted)
}

fn broken(seen: &Observation<'_>, what: &str) -> Broken {
    Broken::new(
        "follow_ups",
        1,
        format_args!("{what}: {:?} with {:?} returned {:?}", seen.said, seen.then, seen.answer),
    )
}
