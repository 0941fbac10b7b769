//! Bytes that count against bounds, added up from the fields of events and facts.

use eventful::{
    Event, Key,
    engine::facts::{Change, Fact},
};

/// The bytes of a UUID as text.
const UUID_BYTES: usize = 36;

/// The approximate bytes of a fact beside its event or its keys: times, names and numbers. The engine uses the same
/// estimate.
const REST_BYTES: usize = 64;

/// Returns the bytes of a key: of its source and its id.
pub fn key_bytes(key: &Key) -> usize {
    let id = if key.as_uuid().is_some() { UUID_BYTES } else { key.id().into_text().len() };
    key.source().len() + id
}

/// Returns the bytes of an event: its payload, its key, its type, its group, its content type and its attributes.
pub fn event_bytes(event: &Event) -> usize {
    let texts = [event.event_type(), event.group(), event.content_type()].into_iter().flatten().map(str::len);
    let attributes = event.attributes().iter().map(|(name, value)| name.len() + value.len());
    event.payload().len() + key_bytes(event.key()) + texts.chain(attributes).sum::<usize>()
}

/// Returns the approximate bytes of a fact that waits for the journal.
pub fn fact_bytes(fact: &Fact) -> usize {
    let own = match &fact.change {
        Change::Accepted(event) => event_bytes(event),
        Change::Finished { key, error, .. } => key_bytes(key) + error.as_ref().map_or(0, |error| error.as_str().len()),
        Change::Started { key, .. } | Change::Redriven(key) | Change::Discarded(key) => key_bytes(key),
        Change::Forgotten(keys) => keys.iter().map(key_bytes).sum(),
        Change::GroupPaused { group, .. } => group.as_str().len(),
        Change::Scheduled { schedule, .. } => schedule.as_str().len(),
        Change::Paused | Change::Resumed | Change::Epoch(_) => 0,
    };
    REST_BYTES + own
}
