//! Each command.

use std::process::ExitCode;

use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use super::backend::Backend;
use super::bulk::{BulkChange, change, print};
use super::doctor::Symptoms;
use super::misused::Misused;
use super::options::{BackendOptions, EventOptions, FilterOptions, OperatorCall};
use super::query::Query;
use super::{show, tail, watch};
use crate::terminal::{say, warn};

/// Events on a page of a list.
const PAGE: usize = 1000;

/// Performs a command.
pub(crate) async fn call(command: &OperatorCall, options: &BackendOptions) -> anyhow::Result<ExitCode> {
    let backend = Backend::open(options).await?;
    let done = perform(&backend, command, options).await;
    // Closed after an error, too, as it may hold a journal; the error of the command counts first.
    let closed = backend.close().await;
    let code = done?;
    closed.map(|()| code)
}

async fn perform(backend: &Backend, command: &OperatorCall, options: &BackendOptions) -> anyhow::Result<ExitCode> {
    let json = options.json;
    match command {
        OperatorCall::Stats => {
            let stats = backend.get("/v1/stats").await?;
            print(json, &stats, &show::numbers(&stats).join("\n"));
        }
        OperatorCall::Get { event, payload } => return get(backend, event, *payload, json).await,
        OperatorCall::Ls { status, filter, limit, payload } => {
            list(backend, (filter, status.as_deref()), *limit, *payload, json).await?;
        }
        OperatorCall::Explain(event) => {
            let Some(record) = find(backend, event, false).await? else { return Ok(ExitCode::FAILURE) };
            let (explanation, error) = (show::text(&record, "explanation"), show::text(&record, "last_error"));
            let value = json!({
                "id": event.id, "source": event.source, "explanation": explanation, "last_error": record["last_error"]
            });
            let is_new = !error.is_empty() && !explanation.contains(&error);
            let words = if is_new { format!("{explanation}\nIts last error: {error}") } else { explanation };
            print(json, &value, &words);
        }
        OperatorCall::Redrive(many) => return change(backend, BulkChange::Redrive, (many, "failed"), options).await,
        OperatorCall::Discard { many, status } => {
            return change(backend, BulkChange::Discard, (many, status), options).await;
        }
        OperatorCall::Pause => post(backend, "/v1/pause", json, "paused").await?,
        OperatorCall::Resume => post(backend, "/v1/resume", json, "resumed").await?,
        OperatorCall::Targets { .. } | OperatorCall::Health { .. } | OperatorCall::Tail(_) if !backend.is_server() => {
            let words = "a directory has no targets, is not alive, and nothing happens in it: ask a server that runs, \
                         without --data";
            return Err(Misused(words.to_owned()).into());
        }
        OperatorCall::Targets { close: Some(name) } => {
            let target = format!(
                "/v1/targets/{}/close",
                percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC)
            );
            post(backend, &target, json, "closed").await?;
        }
        OperatorCall::Targets { close: None } => targets(&backend.get("/v1/targets").await?, json),
        OperatorCall::Tail(options) => return tail::tail(backend, options, json).await,
        OperatorCall::Watch { every, times } => return watch::watch(backend, *every, *times, json).await,
        OperatorCall::Health { ready } => {
            let response = backend.call(Method::GET, if *ready { "/readyz" } else { "/livez" }).await?.ok()?;
            print(json, &json!({ "outcome": response.text() }), &response.text());
        }
        OperatorCall::Doctor => return doctor(backend, json).await,
    }
    Ok(ExitCode::SUCCESS)
}

async fn post(backend: &Backend, target: &str, json: bool, done: &str) -> anyhow::Result<()> {
    backend.call(Method::POST, target).await?.ok()?;
    print(json, &json!({ "outcome": done }), done);
    Ok(())
}

/// The event; absent, with a line on standard error, when there is none.
async fn find(backend: &Backend, event: &EventOptions, payload: bool) -> anyhow::Result<Option<Value>> {
    let query = Query::default().with("id", &event.id).with("source", &event.source);
    let query = if payload { query.with("payload", "true") } else { query };
    let response = backend.call(Method::GET, &format!("/v1/event{}", query.as_str())).await?;
    if response.status == StatusCode::NOT_FOUND {
        warn(&format!("{}: there is no such event: perhaps it was forgotten, or has another --source", event.id));
        return Ok(None);
    }
    Ok(Some(response.ok()?.json()))
}

async fn get(backend: &Backend, event: &EventOptions, payload: bool, json: bool) -> anyhow::Result<ExitCode> {
    let Some(record) = find(backend, event, payload).await? else { return Ok(ExitCode::FAILURE) };
    print(json, &record, &show::event(&record).join("\n"));
    Ok(ExitCode::SUCCESS)
}

async fn list(
    backend: &Backend,
    (filter, status): (&FilterOptions, Option<&str>),
    limit: usize,
    payload: bool,
    json: bool,
) -> anyhow::Result<()> {
    let query = Query::of(filter, status);
    let (mut listed, mut after, mut left) = (Vec::new(), None::<String>, limit);
    while left > 0 {
        let page = query.clone().with("limit", &left.min(PAGE).to_string()).with_some("after", after.as_deref());
        let page = if payload { page.with("payload", "true") } else { page };
        let page = backend.get(&format!("/v1/events{}", page.as_str())).await?;
        let records = page["records"].as_array().cloned().unwrap_or_default();
        left = left.saturating_sub(records.len());
        if json {
            records.iter().for_each(|record| say(&record.to_string()));
        } else {
            // Kept until the end: the width of a column follows from all its cells.
            listed.extend(records);
        }
        after = page["next"].as_str().map(ToOwned::to_owned);
        if after.is_none() {
            break;
        }
    }
    match (json, payload) {
        (true, _) => {}
        // A payload has no room in a table.
        (false, true) => listed.iter().for_each(|record| say(&format!("{}\n", show::event(record).join("\n")))),
        (false, false) => {
            let rows: Vec<_> = listed.iter().map(show::row).collect();
            show::table(&show::HEAD, &rows).iter().for_each(|line| say(line));
        }
    }
    if after.is_some() {
        warn(&format!("there are more: --limit is {limit}"));
    }
    Ok(())
}

fn targets(body: &Value, json: bool) {
    let targets = body["targets"].as_array().cloned().unwrap_or_default();
    if json {
        return targets.iter().for_each(|target| say(&target.to_string()));
    }
    let names = ["name", "circuit", "running", "failures", "opened", "waits", "last_error"];
    let first_line = |text: String| text.lines().next().unwrap_or_default().to_owned();
    let row = |target| names.map(|name| first_line(show::text(target, name))).into();
    let rows: Vec<_> = targets.iter().map(row).collect();
    let head = ["TARGET", "CIRCUIT", "RUNNING", "FAILURES", "OPENED", "WAITS", "ERROR"];
    show::table(&head, &rows).iter().for_each(|line| say(line));
}

async fn doctor(backend: &Backend, json: bool) -> anyhow::Result<ExitCode> {
    let ready = backend.call(Method::GET, "/readyz").await?;
    let is_ready = ready.status.is_success() || !backend.is_server();
    let detail = show::text(&ready.json(), "detail");
    let symptoms = Symptoms {
        not_ready: (!is_ready).then_some(detail),
        stats: backend.get("/v1/stats").await?,
        targets: backend.get("/v1/targets").await?,
        failed: backend.get("/v1/events?status=failed&limit=1000").await?,
    };
    let findings = symptoms.findings();
    for finding in &findings {
        let value = json!({ "wrong": finding.wrong, "remedy": finding.remedy, "now": finding.is_now });
        print(json, &value, &format!("{}\n    {}", finding.wrong, finding.remedy));
    }
    let is_wrong = findings.iter().any(|finding| finding.is_now);
    if !is_wrong && !json {
        say("nothing is wrong now");
    }
    Ok(ExitCode::from(u8::from(is_wrong)))
}
