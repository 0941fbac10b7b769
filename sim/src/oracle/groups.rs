//! P1, P3, P5: groups take turns, keep their order and their limits, and none waits without need.

use eventful::{
    Config, Timestamp,
    engine::{
        Gate, GroupOrder, Place,
        facts::{Change, Fact},
    },
};

use super::Observation;
use crate::failure::{Broken, holds};
use crate::scenario::EventNumber;
use crate::spec::{Lifecycle, ReferenceRecord, ReferenceState, gate_of, group_policy_of, not_before};

/// Places are checked in one step of this many, as each costs a read of every pending record.
const EVERY: u32 = 8;

/// Checks a fact, after it was applied to `expected`.
pub(super) fn judge(expected: &ReferenceState, seen: &Observation<'_>, fact: &Fact) -> Result<(), Broken> {
    let Change::Started { key, .. } = &fact.change else { return Ok(()) };
    let Some(event) = seen.key_table.number(key) else { return Ok(()) };
    let Some(record) = expected.record(event) else { return Ok(()) };
    let Some(group) = record.event.group() else { return Ok(()) };
    holds(!expected.paused_groups.contains(group), || {
        Broken::new("groups", 1, format_args!("event {event} started, while its group {group} is paused"))
    })?;
    let policy = group_policy_of(seen.config, group);
    let running = 1 + others(expected, seen.config, event, group).filter(|(_, other)| is_running(other)).count();
    let limit = most_at_once(seen.config, group);
    holds(running <= limit, || {
        let what = format!("{running} events of group {group} run at once, with a limit of {limit}");
        Broken::new("groups", 5, what)
    })?;
    if policy.order == GroupOrder::Free {
        return Ok(());
    }
    let halted_by = expected.halted_by(group).filter(|_| record.redriven == 0);
    holds(halted_by.is_none(), || {
        let what = format!("event {event} of group {group} started, which event {halted_by:?} has halted");
        Broken::new("groups", 3, what)
    })?;
    let is_first = policy.halts() && record.redriven > 0;
    let ahead =
        others(expected, seen.config, event, group).find(|(_, other)| match policy.halts() && other.redriven > 0 {
            true => !is_first,
            false => is_ahead(other, record, seen.now) && !(is_first && is_new(other)),
        });
    holds(ahead.is_none(), || {
        let what = format!("event {event} of group {group} started before {ahead:?}, which comes first in its order");
        Broken::new("groups", 3, what)
    })
}

/// Checks the places of the events of each group: one at most is past its gate and has not started, and none waits
/// there unless that one, a run or a retry holds it up.
pub(super) fn judge_places(expected: &ReferenceState, seen: &Observation<'_>) -> Result<(), Broken> {
    if !seen.step.is_multiple_of(EVERY) {
        return Ok(());
    }
    let mut checked: Vec<&str> = Vec::new();
    for group in expected.all().filter(|(_, record)| is_pending(record)).filter_map(|(_, record)| record.event.group())
    {
        if !checked.contains(&group) {
            checked.push(group);
            judge_group(expected, seen, group)?;
        }
    }
    Ok(())
}

fn judge_group(expected: &ReferenceState, seen: &Observation<'_>, group: &str) -> Result<(), Broken> {
    let (mut waiting, mut unstarted, mut running, mut retried) = (0, 0, 0, 0);
    for (event, record) in members(expected, seen.config, group) {
        let view = seen.engine.get(seen.now, seen.key_table.key(event));
        match view.and_then(|view| view.place) {
            Some(Place::Gated(Gate::Group)) => waiting += 1,
            Some(Place::Gated(Gate::Type) | Place::Line | Place::Queued(_)) => unstarted += 1,
            Some(Place::Delayed) if matches!(record.stage, Lifecycle::FailedRetry(_)) => retried += 1,
            Some(Place::Delayed) => {}
            None => running += 1,
        }
    }
    let is_paused = expected.paused_groups.contains(group);
    let is_full = match group_policy_of(seen.config, group).order == GroupOrder::Fifo {
        true => unstarted + running + retried > 0 || expected.halted_by(group).is_some(),
        false => unstarted > 0 || running >= most_at_once(seen.config, group),
    };
    let is_closed = is_paused || is_full;
    let most = if is_paused { 0 } else { 1 };
    holds(unstarted <= most && (waiting == 0 || is_closed), || {
        let what = format!(
            "in group {group} {waiting} wait, while {unstarted} are next, {running} run and {retried} are retried"
        );
        Broken::new("groups", 1, what)
    })
}

fn most_at_once(config: &Config, group: &str) -> usize {
    let policy = group_policy_of(config, group);
    if policy.order == GroupOrder::Fifo { 1 } else { policy.concurrency.unwrap_or(usize::MAX) }
}

fn is_pending(record: &ReferenceRecord) -> bool {
    !record.status().is_terminal()
}

/// Returns whether it has not started yet, or not since it was redriven.
const fn is_new(record: &ReferenceRecord) -> bool {
    matches!(record.stage, Lifecycle::Received(_))
}

fn is_running(record: &ReferenceRecord) -> bool {
    record.stage.run().is_some()
}

/// Returns the pending events of a group, but those that wait for a policy of their type and so hold up no other.
fn members<'e>(
    expected: &'e ReferenceState,
    config: &'e Config,
    group: &'e str,
) -> impl Iterator<Item = (EventNumber, &'e ReferenceRecord)> {
    let is_alone = |record: &ReferenceRecord| gate_of(config, &record.event).is_some_and(|(_, limit)| limit == 0);
    let of_group = move |(_, record): &(EventNumber, &ReferenceRecord)| {
        is_pending(record) && record.event.group() == Some(group) && !is_alone(record)
    };
    expected.all().filter(of_group)
}

fn others<'e>(
    expected: &'e ReferenceState,
    config: &'e Config,
    event: EventNumber,
    group: &'e str,
) -> impl Iterator<Item = (EventNumber, &'e ReferenceRecord)> {
    members(expected, config, group).filter(move |(other, _)| *other != event)
}

/// Returns whether `other` comes before `started` in the order of their group. Of two that became due at one time, a
/// redriven one may come before or behind.
fn is_ahead(other: &ReferenceRecord, started: &ReferenceRecord, now: Timestamp) -> bool {
    if matches!(other.stage, Lifecycle::FailedRetry(_)) {
        return true;
    }
    let (Some(due), Some(own)) = (arrived_at(other), arrived_at(started)) else { return false };
    let has_equal = due == own && other.redriven == 0 && started.redriven == 0;
    started.charge.charged == 1 && due <= now && (due < own || has_equal && other.seq < started.seq)
}

/// Returns the time at which an event became due first since it was accepted or redriven, as far as that can be seen. A
/// redriven one that has started counts as the first.
fn arrived_at(record: &ReferenceRecord) -> Option<Timestamp> {
    match record.stage {
        Lifecycle::Received(at) => Some(at),
        Lifecycle::Processing { .. } | Lifecycle::FailedRetry(_) if record.redriven == 0 => {
            Some(not_before(&record.event).map_or(record.accepted_at, |at| at.max(record.accepted_at)))
        }
        Lifecycle::Processing { .. }
        | Lifecycle::FailedRetry(_)
        | Lifecycle::Completed(_)
        | Lifecycle::Failed(_)
        | Lifecycle::Discarded(_) => None,
    }
}
