//! P7: the explanation why an event is not running is right.

use eventful::{
    RecordView,
    engine::{Gate, GroupOrder, Phase, Place},
};

use super::Observation;
use super::tickets::SentTickets;
use crate::failure::{Broken, holds};
use crate::scenario::EventNumber;
use crate::spec::{Lifecycle, ReferenceRecord, ReferenceState, gate_of, group_policy_of, policy_of};

/// Explanations are checked in one step of this many, as each costs a string.
const EVERY: u32 = 16;

/// Checks the explanation of an event that the step has touched. `view` is its record.
pub(super) fn judge(
    expected: &ReferenceState,
    tickets: &SentTickets,
    seen: &Observation<'_>,
    event: EventNumber,
    view: Option<&RecordView>,
) -> Result<(), Broken> {
    if !seen.step.is_multiple_of(EVERY) {
        return Ok(());
    }
    let shown = seen.engine.explain(seen.now, seen.key_table.key(event));
    let due = expected
        .present(event, seen.now)
        .zip(view)
        .map(|(record, view)| explain(expected, tickets, seen, record, view));
    holds(shown == due, || {
        Broken::new("explained", 7, format_args!("event {event} is explained by {shown:?}, expected {due:?}"))
    })
}

fn explain(
    expected: &ReferenceState,
    tickets: &SentTickets,
    seen: &Observation<'_>,
    record: &ReferenceRecord,
    view: &RecordView,
) -> String {
    let (status, attempt) = (record.status(), record.attempt);
    let left = expected.forgets_at(record.stage).map(|end| end.since(seen.now));
    match record.stage {
        Lifecycle::Completed(_) | Lifecycle::Discarded(_) => {
            format!("It is {status}, and is remembered for another {:?}.", left.unwrap_or_default())
        }
        Lifecycle::Failed(_) => {
            let error = record.last_error.as_ref().map_or("no error was recorded", |error| error.as_str());
            let kept = left.map_or_else(String::new, |left| format!(" It is kept for another {left:?}."));
            let group = record.event.group().filter(|group| group_policy_of(seen.config, group).halts());
            let halts = group.map_or_else(String::new, |group| {
                format!(" Its group {group} is halted until then, or until it is discarded.")
            });
            format!("It has failed at attempt {attempt}: {error}; redrive it to try again.{halts}{kept}")
        }
        Lifecycle::Processing { started_at, .. } => {
            let (lasts, due) = (seen.now.since(started_at), view.run.map(|run| run.deadline).unwrap_or_default());
            let left = due.since(seen.now);
            format!("It is running: attempt {attempt} for {lasts:?} now, with {left:?} left until its deadline.")
        }
        Lifecycle::Received(at) | Lifecycle::FailedRetry(at) => match view.place {
            _ if seen.engine.phase() != Phase::Running => {
                "It waits because the engine is shutting down and starts nothing.".to_owned()
            }
            _ if expected.paused => "It waits because the engine is paused; resume it.".to_owned(),
            Some(Place::Delayed) if attempt == 0 => {
                format!("It waits for {:?} until its first attempt may start.", at.since(seen.now))
            }
            Some(Place::Delayed) => format!("It waits for {:?} until its next attempt may start.", at.since(seen.now)),
            Some(Place::Gated(Gate::Group)) => in_group(expected, seen, record),
            Some(Place::Gated(Gate::Type)) => at_gate(expected, seen, record),
            Some(Place::Queued(ticket)) => {
                let (ahead, running, limit) = (tickets.ahead_of(ticket), seen.gauges.inflight, seen.config.concurrency);
                format!("It is in the channel with {ahead} ahead of it, while {running} of at most {limit} run.")
            }
            Some(Place::Line) | None => in_line(tickets, seen),
        },
    }
}

/// Returns the explanation of an event at the gate of its group, with the counts of the places that the engine shows.
fn in_group(expected: &ReferenceState, seen: &Observation<'_>, record: &ReferenceRecord) -> String {
    let name = record.event.group().unwrap_or_default();
    if expected.paused_groups.contains(name) {
        return format!("It waits because its group {name} is paused; resume it.");
    }
    let policy = group_policy_of(seen.config, name);
    let alone = |other: &ReferenceRecord| gate_of(seen.config, &other.event).is_some_and(|(_, limit)| limit == 0);
    let of_group = expected
        .all()
        .filter(|(_, other)| other.event.group() == Some(name) && !other.status().is_terminal() && !alone(other));
    let placed: Vec<_> = of_group
        .map(|(event, other)| {
            let view = seen.engine.get(seen.now, seen.key_table.key(event));
            (other, view.and_then(|view| view.place))
        })
        .collect();
    let count = |fits: &dyn Fn(Option<Place>) -> bool| placed.iter().filter(|(_, place)| fits(*place)).count();
    let waiting = count(&|place| place == Some(Place::Gated(Gate::Group)));
    let next = count(&|place| matches!(place, Some(Place::Gated(Gate::Type) | Place::Line | Place::Queued(_))));
    let running = count(&|place| place.is_none());
    let words = format!("It is one of {waiting} that wait in group {name}");
    if policy.order == GroupOrder::Fifo {
        // The one that has the turn is past the gate, or waits for another attempt.
        let is_ahead = |(other, place): &&(&ReferenceRecord, Option<Place>)| match place {
            Some(Place::Gated(Gate::Group)) => false,
            Some(Place::Delayed) => matches!(other.stage, Lifecycle::FailedRetry(_)),
            Some(Place::Gated(Gate::Type) | Place::Line | Place::Queued(_)) | None => true,
        };
        let Some((ahead, place)) = placed.iter().find(is_ahead) else {
            let key = expected.halted_by(name).map(|failed| seen.key_table.key(failed));
            return key.map_or_else(String::new, |key| {
                format!("{words}, which is halted because {key} has failed: redrive or discard that.")
            });
        };
        let doing = match (ahead.stage.eligible_at(), place) {
            (Some(at), Some(Place::Delayed)) if at > seen.now => format!("is retried in {:?}", at.since(seen.now)),
            (Some(_), _) => "is next".to_owned(),
            (None, _) => "runs".to_owned(),
        };
        return format!("{words} behind {}, which {doing}.", ahead.event.key());
    }
    let limit = policy.concurrency.map_or_else(String::new, |limit| format!(", of at most {limit}"));
    format!("{words}, of which {next} is next and {running} run{limit}.")
}

/// Returns the explanation of an event at its gate, with the counts of gauges and facts.
fn at_gate(expected: &ReferenceState, seen: &Observation<'_>, record: &ReferenceRecord) -> String {
    let Some((number, policy)) = policy_of(seen.config, record.event.event_type()) else {
        return match record.event.event_type() {
            Some(event_type) => format!(
                "It waits because no policy fits its type {event_type}: start the engine with one that does, or discard it."
            ),
            None => "It waits because it has no type, and no policy is for such events: discard it, or let unmatched \
                     events run."
                .to_owned(),
        };
    };
    let limit = policy.concurrency.unwrap_or(usize::MAX);
    let is_of = |record: &ReferenceRecord| {
        policy_of(seen.config, record.event.event_type()).is_some_and(|(of, _)| of == number)
    };
    let of_type: Vec<_> = expected.all().filter(|(_, other)| is_of(other)).collect();
    let running = of_type.iter().filter(|(_, other)| other.stage.run().is_some()).count();
    let is_gated = |event| {
        seen.engine
            .get(seen.now, seen.key_table.key(event))
            .is_some_and(|view| view.place == Some(Place::Gated(Gate::Type)))
    };
    let waiting = of_type.iter().filter(|(event, _)| is_gated(*event)).count();
    // Whatever waits at a gate waits because all passes are taken.
    let next = limit - running.min(limit);
    let pattern = seen.config.types.iter().nth(number).map(|(pattern, _)| pattern).unwrap_or_default();
    format!(
        "It is one of {waiting} that wait for type {pattern}, of which {running} run and {next} are next, of at most {limit}."
    )
}

fn in_line(tickets: &SentTickets, seen: &Observation<'_>) -> String {
    let (line, capacity) = (seen.gauges.line, seen.config.channel_capacity);
    let why = match tickets.blocked_since() {
        None => format!("the channel is full with {capacity}."),
        Some(since) => {
            let until = since + seen.config.sweep_interval;
            format!("none gets a ticket until {until}, because the channel took none.")
        }
    };
    format!("It is one of {line} in the line, and {why}")
}
