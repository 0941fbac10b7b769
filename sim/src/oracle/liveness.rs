//! P1: once the faults have stopped, every pending event ends within the bound.

use eventful::{
    Timestamp,
    engine::{Engine, Place, Ticket},
};

use crate::failure::Broken;
use crate::key_table::KeyTable;
use crate::spec::ReferenceState;

pub(super) fn judge(
    expected: &ReferenceState,
    now: Timestamp,
    limit: Timestamp,
    key_table: &KeyTable,
    engine: &Engine,
) -> Result<(), Broken> {
    if expected.pending() == 0 || now <= limit {
        return Ok(());
    }
    let pending = expected.all().find(|(_, record)| record.stage.terminal_at().is_none());
    let why = pending.and_then(|(event, _)| engine.explain(now, key_table.key(event)));
    let what = format!(
        "{} events are pending at {now}, all should have ended by {limit}; one says: {}",
        expected.pending(),
        why.unwrap_or_default()
    );
    Err(Broken::new("liveness", 1, what))
}

/// Checks that, while no ticket gets into the channel, each event waits for its time or in the line. An event whose
/// ticket was lost is exempt: the loss cannot be detected as long as no later ticket arrives.
pub(super) fn judge_waiting(
    expected: &ReferenceState,
    now: Timestamp,
    held: &[Ticket],
    key_table: &KeyTable,
    engine: &Engine,
) -> Result<(), Broken> {
    for (event, _) in expected.all().filter(|(_, record)| record.stage.terminal_at().is_none()) {
        let place = engine.get(now, key_table.key(event)).and_then(|view| view.place);
        let waits = match place {
            Some(Place::Delayed | Place::Gated(_) | Place::Line) => true,
            Some(Place::Queued(ticket)) => !held.contains(&ticket),
            None => false,
        };
        if !waits {
            let why = engine.explain(now, key_table.key(event)).unwrap_or_default();
            let what = format!("the channel takes nothing, so event {event} should wait in the line: {why}");
            return Err(Broken::new("liveness", 1, what));
        }
    }
    Ok(())
}
