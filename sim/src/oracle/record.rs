//! P7: the record that a command touched is that of the facts.

use eventful::{
    RecordView,
    engine::{Gate, Place},
};

use super::Observation;
use crate::failure::Broken;
use crate::scenario::EventNumber;
use crate::spec::{EventLimits, Lifecycle, ReferenceRecord, ReferenceState, gate_of};

pub(super) fn judge(
    expected: &ReferenceState,
    seen: &Observation<'_>,
    event: EventNumber,
    view: Option<&RecordView>,
) -> Result<(), Broken> {
    let wrong = match (expected.present(event, seen.now), view) {
        (None, None) => None,
        (Some(record), Some(view)) => record.difference(view).or_else(|| shown_wrong(record, view, seen)),
        (Some(_), None) => Some("is missing"),
        (None, Some(_)) => Some("is there"),
    };
    match wrong {
        None => Ok(()),
        Some(wrong) => {
            let what = format!("event {event} {wrong}: {view:?}, but {:?}", expected.record(event));
            Err(Broken::new("record", 7, what))
        }
    }
}

/// Returns what is wrong with the parts of a view that facts alone do not determine.
fn shown_wrong(record: &ReferenceRecord, view: &RecordView, seen: &Observation<'_>) -> Option<&'static str> {
    let checks = [
        (has_payload(record, view), "has another payload"),
        (view.place.is_some() == record.stage.eligible_at().is_some(), "waits in no place, or in two"),
        (view.last_error.is_some() || !matches!(record.stage, Lifecycle::Failed(_)), "failed without an error"),
        (is_placed(record, view, seen), "waits in the wrong place"),
        (is_due(view, seen), "has a deadline past its lifetime"),
    ];
    checks.into_iter().find(|(is_so, _)| !is_so).map(|(_, wrong)| wrong)
}

/// Returns whether the payload is right. The engine shares the bytes that it was given, so they rarely need to be
/// compared.
fn has_payload(record: &ReferenceRecord, view: &RecordView) -> bool {
    match &view.payload {
        None => record.stage.is_tombstone(),
        Some(shown) => {
            let payload = record.event.payload();
            !record.stage.is_tombstone() && (std::ptr::eq(shown.as_ref(), payload.as_ref()) || shown == payload)
        }
    }
}

fn is_placed(record: &ReferenceRecord, view: &RecordView, seen: &Observation<'_>) -> bool {
    match (view.place, record.stage.eligible_at()) {
        (Some(Place::Gated(Gate::Group)), Some(at)) => at <= seen.now && record.event.group().is_some(),
        (Some(Place::Gated(Gate::Type)), Some(at)) => at <= seen.now && gate_of(seen.config, &record.event).is_some(),
        (Some(Place::Line | Place::Queued(_)), Some(at)) => at <= seen.now,
        (Some(Place::Delayed), Some(_)) | (None, _) => true,
        (Some(_), None) => false,
    }
}

fn is_due(view: &RecordView, seen: &Observation<'_>) -> bool {
    let limits = EventLimits::of(seen.config, view.event_type.as_deref());
    view.run.is_none_or(|run| {
        let end = run.started_at + limits.run_lifetime;
        (end.min(run.started_at + limits.run_timeout)..=end).contains(&run.deadline)
    })
}

#[cfg(test)]
mod tests {
    use eventful::{
        Config, Cursor, Event, Timestamp,
        engine::{Command, Engine, Output},
    };

    /// The fields that [`ReferenceRecord::difference`] and this file compare.
    const COMPARED: [&str; 21] = [
        "key",
        "digest",
        "status",
        "place",
        "attempt",
        "charge",
        "accepted_at",
        "seq",
        "not_before",
        "eligible_at",
        "run",
        "terminal_at",
        "event_type",
        "group",
        "content_type",
        "attributes",
        "size_bytes",
        "payload",
        "last_error",
        "history",
        "durable",
    ];

    #[test]
    fn every_field_of_a_record_is_compared() {
        let (now, mut out) = (Timestamp::from_micros(1), Output::new());
        let mut engine = Engine::new(Config::default(), now, &mut out).expect("the default is valid");
        engine.execute(now, Command::Submit(Event::with_id("a", "").expect("an event")), &mut out);
        let page = engine.page(now, None, Cursor::START, 1);
        let shown = format!("{:#?}", page.records[0]);
        let fields = shown.lines().filter_map(|line| line.strip_prefix("    ")?.split_once(": "));
        let names: Vec<_> = fields.map(|(name, _)| name).filter(|name| !name.starts_with(' ')).collect();
        assert_eq!(names, COMPARED, "a new field has to be compared, and listed here");
    }
}
