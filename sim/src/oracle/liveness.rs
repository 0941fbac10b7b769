//! P1: once the faults have stopped, every pending event ends within the bound.

use eventful::{Engine, Timestamp};

use super::Book;
use crate::failure::Broken;
use crate::roster::Roster;

pub(super) fn judge(
    book: &Book,
    now: Timestamp,
    limit: Timestamp,
    roster: &Roster,
    engine: &Engine,
) -> Result<(), Broken> {
    if book.pending() == 0 || now <= limit {
        return Ok(());
    }
    let pending = book.all().find(|(_, known)| known.stage.terminal_at().is_none());
    let why = pending.and_then(|(event, _)| engine.explain(now, roster.key(event)));
    let what = format!(
        "{} events are pending at {now}, all should have ended by {limit}; one says: {}",
        book.pending(),
        why.unwrap_or_default()
    );
    Err(Broken::new("liveness", 1, what))
}
