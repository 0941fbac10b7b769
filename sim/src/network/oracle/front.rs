//! What the HTTP front shows when nothing is left to do: it answers, and says what is owed.

use serde_json::Value;

use super::payloads::Owed;
use super::{Verdict, holds};
use crate::failure::Broken;
use crate::network::ledger::{digest, id};
use crate::network::wire::Response;

/// It is ready.
pub(in crate::network) fn ready(response: &Response) -> Verdict {
    holds(response.status == 200, || broken(9, format_args!("it is not ready at rest: {}", response.status)))
}

/// The numbers fit each other.
pub(in crate::network) fn numbers(response: &Response) -> Verdict {
    let stats = json(response)?;
    let number = |name: &str| stats[name].as_u64();
    let sum = |name: &str| stats[name].as_object().map(|values| values.values().filter_map(Value::as_u64).sum::<u64>());
    let records = sum("records").zip(sum("events_forgotten_total")).map(|(records, forgotten)| records + forgotten);
    let accepted = number("events_accepted_total");
    holds(accepted.is_some() && accepted == records, || {
        broken(7, format_args!("it shows {accepted:?} accepted, and {records:?} there or forgotten"))
    })?;
    let (started, finished) = (number("attempts_started_total"), sum("attempts_finished_total"));
    holds(started.is_some() && started == finished, || {
        broken(7, format_args!("at rest it shows {started:?} started and {finished:?} finished"))
    })
}

/// Each event that is owed is on the page, with its payload, and has ended.
pub(in crate::network) fn page(response: &Response, owed: &Owed) -> Verdict {
    let page = json(response)?;
    let records = page["records"].as_array().map(Vec::as_slice).unwrap_or_default();
    for item in &owed.items {
        let id = id(item.key);
        let record = records.iter().find(|record| record["id"] == id.as_str());
        let shown = record.and_then(|record| Some((record["digest"].as_str()?, record["status"].as_str()?)));
        let Some((shown, status)) = shown else {
            return Err(broken(1, format_args!("{id} was taken, and is not on the page of all events")));
        };
        let own = digest(item.key, item.payload).to_string();
        holds(shown == own, || broken(2, format_args!("{id} has {shown} on the page, and was sent with {own}")))?;
        let over = matches!(status, "completed" | "failed" | "discarded");
        holds(over, || broken(1, format_args!("{id} is {status} on the page, at rest")))?;
    }
    Ok(())
}

/// There was no answer.
pub(in crate::network) fn silent(what: &str) -> Broken {
    broken(9, format_args!("it does not answer at rest: {what}"))
}

fn json(response: &Response) -> Result<Value, Broken> {
    serde_json::from_slice(&response.body).map_err(|error| broken(7, format_args!("it shows no JSON: {error}")))
}

fn broken(promise: u8, what: impl std::fmt::Display) -> Broken {
    Broken::new("front", promise, what)
}
