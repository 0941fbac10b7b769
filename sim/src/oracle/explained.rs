//! P7: what the engine says of why an event is not running is so.

use eventful::{
    RecordView,
    engine::{Phase, Place},
};

use super::Observation;
use super::tickets::SentTickets;
use crate::failure::{Broken, holds};
use crate::scenario::EventNumber;
use crate::spec::{Lifecycle, ReferenceRecord, ReferenceState};

/// Explanations are judged in one step of so many.
const EVERY: u32 = 16;

/// `view` is what is shown of the event, which the step has touched.
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
        Broken::new("explained", 7, format_args!("event {event} is explained by {shown:?}, and due is {due:?}"))
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
            format!("It has failed at attempt {attempt}: {error}; redrive it to try again.{kept}")
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
            Some(Place::Queued(ticket)) => {
                let (ahead, running, limit) = (tickets.ahead_of(ticket), seen.gauges.inflight, seen.config.concurrency);
                format!("It is in the channel with {ahead} ahead of it, while {running} of at most {limit} run.")
            }
            Some(Place::Line) | None => in_line(tickets, seen),
        },
    }
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
