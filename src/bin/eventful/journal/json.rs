//! Facts and records as JSON, for people and their tools.

use eventful::journal::Sequence;
use eventful::journal::frame::Header;
use eventful::{
    Event, Key, Timestamp,
    engine::{
        ScheduleCursor,
        facts::{AfterRun, Change, Fact, SnapshotRecord},
    },
};
use serde_json::{Map, Value, json};

/// Returns a fact as JSON, with the frame that holds it. Times are microseconds since the Unix epoch.
pub(super) fn fact(header: &Header, fact: &Fact) -> Value {
    let mut object = Map::new();
    object.insert("frame".into(), header.sequence.number().into());
    object.insert("epoch".into(), header.epoch.number().into());
    object.insert("at".into(), fact.at.as_micros().into());
    let (name, rest) = change(&fact.change);
    object.insert("fact".into(), name.into());
    object.extend(rest);
    object.into()
}

fn change(change: &Change) -> (&'static str, Map<String, Value>) {
    match change {
        Change::Accepted(event) => ("accepted", of_event(event)),
        Change::Started { key, run } => ("started", with(of_key(key), [("run", json!(run.to_string()))])),
        Change::Finished { key, run, end, error, next, charge } => {
            let rest = [
                ("run", json!(run.to_string())),
                ("end", json!(end.as_str())),
                ("error", json!(error.as_ref().map(|error| error.as_str()))),
                ("next", of_next(*next)),
                ("charged", json!(charge.charged)),
            ];
            ("finished", with(of_key(key), rest))
        }
        Change::Redriven(key) => ("redriven", of_key(key)),
        Change::Discarded(key) => ("discarded", of_key(key)),
        Change::Forgotten(keys) => ("forgotten", of_keys(keys)),
        Change::Paused => ("paused", Map::new()),
        Change::Resumed => ("resumed", Map::new()),
        Change::GroupPaused { group, paused } => {
            let name = if *paused { "group_paused" } else { "group_resumed" };
            (name, with(Map::new(), [("group", json!(group.as_str()))]))
        }
        Change::Scheduled { schedule, cursor } => {
            let cursor = cursor.map(|ScheduleCursor { decided, accepted }| {
                json!({ "decided": decided.as_micros(), "accepted": accepted.map(Timestamp::as_micros) })
            });
            ("scheduled", with(Map::new(), [("schedule", json!(schedule.as_str())), ("cursor", json!(cursor))]))
        }
        Change::Epoch(epoch) => ("epoch", with(Map::new(), [("opened", json!(epoch.number()))])),
    }
}

fn of_next(next: AfterRun) -> Value {
    match next {
        AfterRun::Completed => json!("completed"),
        AfterRun::Failed => json!("failed"),
        AfterRun::Retry { eligible_at } => json!({ "retry_at": eligible_at.as_micros() }),
    }
}

/// Returns a record of a snapshot as JSON.
pub(super) fn record(at: Sequence, kept: &SnapshotRecord) -> Value {
    let record = &kept.record;
    let key = of_key(&record.key);
    let rest = [
        ("snapshot", json!(at.number())),
        ("status", json!(record.status.as_str())),
        ("attempt", json!(record.attempt)),
        ("accepted_at", json!(record.accepted_at.as_micros())),
        ("digest", json!(record.digest.to_string())),
        ("last_error", json!(record.last_error.as_ref().map(|error| error.as_str()))),
    ];
    let mut object = with(key, rest);
    object.extend(kept.event.as_ref().map(of_event).unwrap_or_default());
    object.into()
}

fn of_key(key: &Key) -> Map<String, Value> {
    with(Map::new(), [("source", json!(key.source())), ("id", json!(key.id().to_string()))])
}

/// Returns a single key as in every other fact; several as a list.
fn of_keys(keys: &[Key]) -> Map<String, Value> {
    match keys {
        [key] => of_key(key),
        keys => with(Map::new(), [("keys", keys.iter().map(of_key).collect())]),
    }
}

fn of_event(event: &Event) -> Map<String, Value> {
    let mut object = of_key(event.key());
    let attributes: Map<_, _> =
        event.attributes().iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
    let optional = [
        ("type", event.event_type().map(Value::from)),
        ("content_type", event.content_type().map(Value::from)),
        ("attributes", (!attributes.is_empty()).then(|| attributes.into())),
    ];
    object.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    match std::str::from_utf8(event.payload()) {
        Ok(text) => object.insert("payload".into(), text.into()),
        Err(_) => object.insert("payload_base64".into(), base64(event.payload()).into()),
    };
    object
}

fn with<const N: usize>(mut object: Map<String, Value>, rest: [(&str, Value); N]) -> Map<String, Value> {
    object.extend(rest.map(|(name, value)| (name.to_owned(), value)));
    object
}

/// Encodes bytes as in RFC 4648, with padding.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let byte = |place: usize| u32::from(three.get(place).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            let value = (bits >> (18 - 6 * digit)) as usize & 63;
            text.push(if digit <= three.len() { char::from(DIGITS[value]) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn base64_is_that_of_the_rfc() {
        let cases =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE=")];
        cases.iter().for_each(|(bytes, text)| assert_eq!(base64(bytes.as_bytes()), *text));
        assert_eq!(base64(&[0xff, 0xfe]), "//4=");
    }
}
