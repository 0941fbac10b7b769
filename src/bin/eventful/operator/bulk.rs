//! Redrive and discard, of some events and of many.

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use hyper::Method;
use serde_json::{Value, json};

use super::backend::{ApiResponse, Backend};
use super::misused::Misused;
use super::options::{BackendOptions, BulkOptions};
use super::query::Query;
use crate::terminal::{say, warn};

/// A change of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BulkChange {
    Redrive,
    Discard,
}

impl BulkChange {
    /// The verb, and what has happened then.
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Redrive => ("redrive", "redriven"),
            Self::Discard => ("discard", "discarded"),
        }
    }
}

/// Changes the events that the options choose.
pub(super) async fn change(
    backend: &Backend,
    change: BulkChange,
    (many, status): (&BulkOptions, &str),
    options: &BackendOptions,
) -> anyhow::Result<ExitCode> {
    if !many.ids.is_empty() {
        return each(backend, change, many, options.json).await;
    }
    let query = Query::of(&many.filter, Some(status));
    // The status is always in it, so that a second parameter is a filter.
    let chosen = query.as_str().contains('&');
    let (verb, done) = change.words();
    if !chosen && !many.all && !many.dry_run {
        let words = format!("no event is chosen: give ids, filters, or --all to {verb} all that are {status}");
        return Err(Misused(words).into());
    }
    let counted = backend.call(Method::POST, &format!("/v1/{verb}{}&dry_run=true", query.as_str())).await?.ok()?.json();
    let matching = counted["matching"].as_u64().unwrap_or(0);
    if many.dry_run || matching == 0 {
        print(options.json, &json!({ "matching": matching }), &format!("{matching} events match"));
        return Ok(ExitCode::SUCCESS);
    }
    if !many.yes && !confirmed(&format!("{verb} {matching} events?"))? {
        say("nothing is changed");
        return Ok(ExitCode::FAILURE);
    }
    let (mut count, mut after) = (0, String::new());
    // Events that fail again at once come back behind the cursor: no more are changed than were counted.
    while count < matching {
        let target = format!("/v1/{verb}{}&limit={}{after}", query.as_str(), matching - count);
        let page = backend.call(Method::POST, &target).await?.ok()?.json();
        count += page[done].as_u64().unwrap_or(0);
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    print(options.json, &json!({ done: count, "matching": matching }), &format!("{done} {count} events"));
    Ok(ExitCode::SUCCESS)
}

/// Changes each of the events that are named. Exit code 1 when one could not be.
async fn each(backend: &Backend, change: BulkChange, many: &BulkOptions, json: bool) -> anyhow::Result<ExitCode> {
    let (verb, done) = change.words();
    let mut failed = false;
    for id in &many.ids {
        let query = Query::default().with("id", id).with("source", many.filter.source.as_deref().unwrap_or_default());
        let response = match (change, many.dry_run) {
            (_, true) => backend.call(Method::GET, &format!("/v1/event{}", query.as_str())).await?,
            (BulkChange::Redrive, false) => {
                backend.call(Method::POST, &format!("/v1/event/redrive{}", query.as_str())).await?
            }
            (BulkChange::Discard, false) => {
                backend.call(Method::DELETE, &format!("/v1/event{}", query.as_str())).await?
            }
        };
        match response.ok().and_then(|response| changeable(change, many.dry_run, response)) {
            Ok(_) if many.dry_run => print(json, &json!({ "id": id, "would": verb }), &format!("would {verb} {id}")),
            Ok(_) => print(json, &json!({ "id": id, "outcome": done }), &format!("{done} {id}")),
            Err(error) => {
                failed = true;
                warn(&format!("{id}: {error:#}"));
            }
        }
    }
    Ok(ExitCode::from(u8::from(failed)))
}

/// Refuses an event whose status a dry run shows to be no status for this change.
fn changeable(change: BulkChange, dry_run: bool, response: ApiResponse) -> anyhow::Result<ApiResponse> {
    let record = response.json();
    let status = record["status"].as_str().unwrap_or_default();
    let is_possible = match change {
        BulkChange::Redrive => status == "failed",
        BulkChange::Discard => status != "completed",
    };
    anyhow::ensure!(!dry_run || is_possible, "it is {status}, which {} does not change", change.words().0);
    Ok(response)
}

/// Asks at the terminal. Where there is none, `--yes` must say so.
fn confirmed(question: &str) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        return Err(Misused(format!("{question} there is no terminal to ask at: add --yes, or --dry-run")).into());
    }
    // A program may read standard output.
    let mut stderr = std::io::stderr().lock();
    write!(stderr, "{question} [y/N] ")?;
    stderr.flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str()))
}

pub(super) fn print(json: bool, value: &Value, words: &str) {
    say(&if json { value.to_string() } else { words.to_owned() });
}
