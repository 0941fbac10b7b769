//! P7: the record that a command touched is what the facts make of it.

use eventful::{Place, RecordView};

use super::{Book, Known, Seen, Stage};
use crate::failure::Broken;
use crate::scenario::EventNumber;

pub(super) fn judge(book: &Book, seen: &Seen<'_>, event: EventNumber, view: Option<&RecordView>) -> Result<(), Broken> {
    let wrong = match (book.present(event, seen), view) {
        (None, None) => None,
        (Some(known), Some(view)) => difference(known, view, seen),
        (Some(_), None) => Some("is not there"),
        (None, Some(_)) => Some("is there"),
    };
    match wrong {
        None => Ok(()),
        Some(wrong) => {
            let what = format!("event {event} {wrong}: {view:?}, but {:?}", book.known(event));
            Err(Broken::new("record", 7, what))
        }
    }
}

/// What of the record is not as the facts have it.
fn difference(known: &Known, view: &RecordView, seen: &Seen<'_>) -> Option<&'static str> {
    let terminal = known.stage.terminal_at();
    let error = view.last_error.is_some();
    let checks = [
        (view.status == known.stage.status(), "has another status"),
        (view.digest == known.digest, "has another digest"),
        (view.attempt == known.attempt, "has another number of attempts"),
        (view.charge == known.charge, "has another charge"),
        (view.accepted_at == known.accepted_at, "was accepted at another time"),
        (view.terminal_at == terminal, "ended at another time"),
        (view.eligible_at == known.stage.eligible_at(), "may start at another time"),
        (view.place.is_some() == known.stage.eligible_at().is_some(), "waits in no place, or in one too many"),
        (error || !matches!(known.stage, Stage::Failed(_)), "failed without an error"),
        (is_placed(known, view, seen), "waits in the wrong place"),
        (is_run_by(known, view), "has another run"),
    ];
    checks.into_iter().find(|(sound, _)| !sound).map(|(_, wrong)| wrong)
}

fn is_placed(known: &Known, view: &RecordView, seen: &Seen<'_>) -> bool {
    match (view.place, known.stage.eligible_at()) {
        (Some(Place::Line | Place::Queued(_)), Some(at)) => at <= seen.now,
        (Some(Place::Delayed), Some(_)) | (None, _) => true,
        (Some(_), None) => false,
    }
}

fn is_run_by(known: &Known, view: &RecordView) -> bool {
    let run = match known.stage {
        Stage::Processing { run, since } => Some((run, since)),
        Stage::Received(_) | Stage::FailedRetry(_) | Stage::Completed(_) | Stage::Failed(_) | Stage::Discarded(_) => {
            None
        }
    };
    view.run.map(|run| (run.id, run.started_at)) == run
}
