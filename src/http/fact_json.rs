//! Facts as JSON.

use std::string::{String, ToString as _};

use serde_json::{Map, Value, json};

use crate::engine::facts::{AfterRun, Change, Fact};
use crate::engine::{ErrorText, Event, Key, ScheduleCursor};
use crate::node::Notice;
use crate::texts::rfc3339::Rfc3339;

/// The name of a notice, and its JSON. A payload is not in it: it may be large, and `GET /v1/events/{id}` shows it.
pub(super) fn notice(notice: &Notice) -> (&'static str, String) {
    let (name, json) = match notice {
        Notice::Fact(fact) => self::fact(fact),
        Notice::Lagged(missed) => ("missed", json!({ "missed": missed })),
        Notice::Reopened => ("reopened", json!({})),
    };
    (name, json.to_string())
}

fn fact(Fact { at, change }: &Fact) -> (&'static str, Value) {
    let (name, mut object) = self::change(change);
    object.insert("at".into(), json!(Rfc3339(*at)));
    (name, object.into())
}

fn change(change: &Change) -> (&'static str, Map<String, Value>) {
    match change {
        Change::Accepted(event) => ("accepted", of_event(event)),
        Change::Started { key, run } => ("started", with(of_key(key), [("run", json!(run.to_string()))])),
        Change::Finished { key, run, end, error, next, charge } => {
            let mut object = with(of_key(key), [("run", json!(run.to_string())), ("end", json!(end.as_str()))]);
            let (status, eligible_at) = match next {
                AfterRun::Completed => ("completed", None),
                AfterRun::Failed => ("failed", None),
                AfterRun::Retry { eligible_at } => ("failed_retry", Some(*eligible_at)),
            };
            object = with(object, [("status", json!(status)), ("charged", json!(charge.charged))]);
            let optional = [
                ("error", error.as_ref().map(|error| json!(ErrorText::as_str(error)))),
                ("eligible_at", eligible_at.map(|at| json!(Rfc3339(at)))),
            ];
            object.extend(optional.into_iter().filter_map(|(name, value)| Some((name.into(), value?))));
            ("finished", object)
        }
        Change::Redriven(key) => ("redriven", of_key(key)),
        Change::Discarded(key) => ("discarded", of_key(key)),
        Change::Forgotten(keys) => {
            let keys = keys.iter().map(of_key).map(Value::from).collect::<Value>();
            ("forgotten", with(Map::new(), [("events", keys)]))
        }
        Change::Paused => ("paused", Map::new()),
        Change::Resumed => ("resumed", Map::new()),
        Change::GroupPaused { group, paused } => {
            let name = if *paused { "group_paused" } else { "group_resumed" };
            (name, with(Map::new(), [("group", json!(group.as_str()))]))
        }
        Change::Scheduled { schedule, cursor } => {
            let cursor = cursor.map(|ScheduleCursor { decided, accepted }| {
                json!({ "decided": Rfc3339(decided), "accepted": accepted.map(Rfc3339) })
            });
            ("scheduled", with(Map::new(), [("schedule", json!(schedule.as_str())), ("cursor", json!(cursor))]))
        }
        Change::Epoch(epoch) => ("opened", with(Map::new(), [("epoch", json!(epoch.number()))])),
    }
}

fn of_key(key: &Key) -> Map<String, Value> {
    with(Map::new(), [("id", json!(&*key.id())), ("source", json!(key.source()))])
}

fn of_event(event: &Event) -> Map<String, Value> {
    let mut object = with(of_key(event.key()), [("size_bytes", json!(event.size_bytes()))]);
    let texts = [("type", event.event_type()), ("group", event.group())];
    object.extend(texts.into_iter().filter_map(|(name, text)| Some((name.into(), text?.into()))));
    object
}

fn with<const N: usize>(mut object: Map<String, Value>, rest: [(&str, Value); N]) -> Map<String, Value> {
    object.extend(rest.map(|(name, value)| (name.into(), value)));
    object
}
