//! The operator's commands.

use std::fs;
use std::time::Duration;

use serde_json::Value;

use crate::process::{ServerChild, program, run};
use crate::sink::Sink;

/// Runs a command against this server.
async fn ask(server: &ServerChild, args: &[&str]) -> (i32, String, String) {
    run(&[args, &["--to", &server.url()]].concat()).await
}

/// A server whose events of source `bad` have failed: `b1` and `b2`; `good` is completed.
async fn with_failures() -> (Sink, ServerChild) {
    let sink = Sink::start(&["404 No", "410 Gone"]).await;
    let server = ServerChild::start(&["--deliver", &sink.url, "--concurrency", "1"]).await;
    for (id, query) in [("b1", "?source=bad&type=t"), ("b2", "?source=bad"), ("good", "")] {
        server.submit(id, &format!("/v1/events{query}"), "three apples").await;
    }
    for (target, status) in [("b1?source=bad", "failed"), ("b2?source=bad", "failed"), ("good", "completed")] {
        server.until(&format!("/v1/events/{target}"), status).await;
    }
    (sink, server)
}

fn values(output: &str) -> Vec<Value> {
    output.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[tokio::test]
async fn event_is_shown_with_its_payload_and_its_attempts() {
    let (_sink, server) = with_failures().await;
    let (code, output, _) = ask(&server, &["get", "b1", "--source", "bad", "--payload"]).await;
    for wanted in ["status              failed", "payload             three apples", "404", "past attempt"] {
        assert!(code == 0 && output.contains(wanted), "{wanted}: {output}");
    }
    let (code, output, _) = ask(&server, &["get", "good", "--json"]).await;
    assert_eq!((code, &values(&output)[0]["status"]), (0, &"completed".into()));
    let (code, output, stderr) = ask(&server, &["get", "b1"]).await;
    assert!(code == 1 && output.is_empty() && stderr.contains("another --source"), "{stderr}");
    let (code, output, _) = ask(&server, &["explain", "b1", "--source", "bad"]).await;
    assert!(code == 0 && output.contains("ailed") && output.matches("answered 404").count() == 1, "{output}");
}

#[tokio::test]
async fn explanation_has_the_reason_of_an_event_that_waits() {
    let server =
        ServerChild::start(&["--exec", "echo not yet >&2; exit 75", "--type", "t:backoff=1h,backoff-cap=1h"]).await;
    server.submit("late", "/v1/events?type=t", "x").await;
    server.until("/v1/events/late", "failed_retry").await;
    let (code, output, _) = ask(&server, &["explain", "late"]).await;
    assert!(code == 0 && output.contains("Its last error: the command ended with exit status: 75"), "{output}");
    let (_, output, _) = ask(&server, &["explain", "late", "--json"]).await;
    assert!(values(&output)[0]["last_error"].as_str().is_some_and(|error| error.contains("not yet")), "{output}");
}

#[tokio::test]
async fn events_are_listed_by_what_they_are() {
    let (_sink, server) = with_failures().await;
    let (code, output, stderr) = ask(&server, &["ls", "--status", "failed"]).await;
    let lines: Vec<_> = output.lines().collect();
    assert!(code == 0 && lines.len() == 3 && lines[0].starts_with("STATUS  ATTEMPT"), "{output}");
    assert_eq!(stderr, "");
    for (filter, ids) in [
        (&["--source", "bad"][..], &["b1", "b2"][..]),
        (&["--type", "t"], &["b1"]),
        (&["--error", "410"], &["b2"]),
        (&["--id", "b2"], &["b2"]),
        (&["--cause", "the target answered 410 Gone"], &["b2"]),
        (&["--cause", "the target answered 410"], &[]),
        (&["--accepted-from", "1h", "--status", "failed"], &["b1", "b2"]),
        (&["--accepted-until", "2020-01-01T00:00:00Z"], &[]),
        (&["--failed-until", "2020-01-01T00:00:00Z"], &[]),
        (&["--status", "completed"], &["good"]),
    ] {
        let (code, output, _) = ask(&server, &[&["ls", "--json"], filter].concat()).await;
        let mut found: Vec<_> = values(&output).iter().map(|record| record["id"].to_string()).collect();
        found.sort();
        let ids: Vec<_> = ids.iter().map(|id| format!("{id:?}")).collect();
        assert_eq!((code, found), (0, ids), "{filter:?}");
    }
    let (code, output, stderr) = ask(&server, &["ls", "--limit", "1"]).await;
    assert!(code == 0 && output.lines().count() == 2 && stderr.contains("there are more"), "{output} {stderr}");
    let (code, output, _) = ask(&server, &["ls", "--failed-from", "1h", "--payload"]).await;
    assert!(code == 0 && output.matches("three apples").count() == 2, "{output}");
    assert!(output.contains("the target answered 404") && output.contains("the target answered 410"), "{output}");
    for (args, wanted) in [
        (&["ls", "--status", "lost&x=1"][..], "unknown status"),
        (&["ls", "--failed-from", "yesterday"], "is no time: write 2027-01-31T02:00:00Z, or 02:00Z, or 90m"),
    ] {
        let (code, _, stderr) = ask(&server, args).await;
        assert!(code == 2 && stderr.contains(wanted), "{stderr}");
    }
}

#[tokio::test]
async fn failed_events_are_redriven_by_filter_once_that_is_confirmed() {
    let (_sink, server) = with_failures().await;
    let (code, _, stderr) = ask(&server, &["redrive"]).await;
    assert!(code == 2 && stderr.contains("no event is chosen") && stderr.contains("--all"), "{stderr}");
    let contradictory = [
        &["b1", "--error", "x"][..],
        &["b1", "--id", "b1"],
        &["b1", "--accepted-from", "1h"],
        &["--all", "--type", "t"],
        &["--all", "--cause", "x"],
        &["b1", "--all"],
    ];
    for args in contradictory {
        let (code, _, stderr) = ask(&server, &[&["redrive"], args].concat()).await;
        assert!(code == 2 && stderr.contains("cannot be used with"), "{args:?}: {stderr}");
    }
    let (code, _, stderr) = ask(&server, &["redrive", "good", "--dry-run"]).await;
    assert!(code == 1 && stderr.contains("good: it is completed, which redrive does not change"), "{stderr}");
    let (code, output, _) = ask(&server, &["redrive", "--dry-run"]).await;
    assert_eq!((code, output.as_str()), (0, "2 events match\n"));
    let (code, _, stderr) = ask(&server, &["redrive", "--error", "410"]).await;
    assert!(code == 2 && stderr.contains("add --yes"), "{stderr}");
    assert_eq!(server.get("/v1/stats").await["events_redriven_total"], 0);

    let (code, output, _) = ask(&server, &["redrive", "--error", "410", "--yes", "--json"]).await;
    assert_eq!((code, &values(&output)[0]["redriven"]), (0, &1.into()), "{output}");
    server.until("/v1/events/b2?source=bad", "completed").await;
    let (code, output, _) = ask(&server, &["redrive", "b1", "--source", "bad"]).await;
    assert_eq!((code, output.as_str()), (0, "redriven b1\n"));
    server.until("/v1/events/b1?source=bad", "completed").await;
    let (code, _, stderr) = ask(&server, &["redrive", "b1", "none", "--source", "bad"]).await;
    assert!(code == 1 && stderr.contains("b1: ") && stderr.contains("none: "), "{stderr}");
    let (code, output, _) = ask(&server, &["redrive", "--all"]).await;
    assert_eq!((code, output.as_str()), (0, "0 events match\n"));
}

#[tokio::test]
async fn events_are_discarded_by_status_and_by_id() {
    let (_sink, server) = with_failures().await;
    let (code, output, _) = ask(&server, &["discard", "b1", "--source", "bad", "--dry-run"]).await;
    assert_eq!((code, output.as_str()), (0, "would discard b1\n"));
    let (code, output, _) = ask(&server, &["discard", "b1", "--source", "bad"]).await;
    assert_eq!((code, output.as_str()), (0, "discarded b1\n"));
    let (code, output, _) = ask(&server, &["discard", "--all", "--yes"]).await;
    assert_eq!((code, output.as_str()), (0, "discarded 1 events\n"));
    assert_eq!(server.get("/v1/stats").await["records"]["discarded"], 2);
    let (code, _, stderr) = ask(&server, &["discard", "--all", "--status", "completed"]).await;
    assert!(code == 2 && stderr.contains("say which events"), "{stderr}");
}

#[tokio::test]
async fn doctor_says_what_is_wrong_and_what_to_do() {
    let healthy = ServerChild::start(&[]).await;
    let (code, output, _) = ask(&healthy, &["doctor"]).await;
    assert_eq!((code, output.as_str()), (0, "nothing is wrong now\n"));
    let (_sink, server) = with_failures().await;
    assert_eq!(ask(&server, &["pause"]).await.1, "paused\n");
    let (code, output, _) = ask(&server, &["doctor"]).await;
    for wanted in
        ["paused: no run starts\n    eventful resume", "1 failed: the target answered 404", "eventful redrive --error"]
    {
        assert!(code == 1 && output.contains(wanted), "{wanted}: {output}");
    }
    assert_eq!(ask(&server, &["resume", "--json"]).await.1, "{\"outcome\":\"resumed\"}\n");
    let (code, output, _) = ask(&server, &["doctor", "--json"]).await;
    assert!(code == 1 && values(&output).iter().all(|finding| finding["remedy"].is_string()), "{output}");
}

#[tokio::test]
async fn numbers_are_shown_and_watched() {
    let (_sink, server) = with_failures().await;
    let (code, output, _) = ask(&server, &["stats"]).await;
    assert!(code == 0 && output.contains("records failed") && output.contains("on average"), "{output}");
    let (code, output, _) = ask(&server, &["watch", "--times", "2", "--every", "1ms"]).await;
    assert!(code == 0 && output.matches("accepted").count() == 2 && output.contains("/s"), "{output}");
    let (code, output, _) = ask(&server, &["watch", "--times", "1", "--json"]).await;
    assert_eq!((code, &values(&output)[0]["events_accepted_total"]), (0, &3.into()));
    let (code, output, _) = ask(&server, &["targets"]).await;
    assert!(code == 0 && output.contains("TARGET") && output.contains("default  closed"), "{output}");
    let (code, _, stderr) = ask(&server, &["targets", "--close", "a/b"]).await;
    assert!(code == 1 && stderr.contains("no such target"), "{stderr}");
    let (code, output, _) = ask(&server, &["targets", "--close", "default"]).await;
    assert_eq!((code, output.as_str()), (0, "closed\n"));
}

#[tokio::test]
async fn token_is_shown_and_its_lack_is_named() {
    let home = tempfile::tempdir().expect("a directory");
    let token = home.path().join("token");
    fs::write(&token, "o-token\n").expect("a file");
    let token = token.to_str().expect("text");
    let server = ServerChild::start(&["--operate-token-file", token]).await;
    let (code, _, stderr) = ask(&server, &["stats"]).await;
    assert!(code == 1 && stderr.contains("401") && stderr.contains("--token-file"), "{stderr}");
    assert_eq!(ask(&server, &["stats", "--token-file", token]).await.0, 0);
    let (code, _, stderr) = run(&["stats", "--to", "http://127.0.0.1:1"]).await;
    assert!(code == 1 && stderr.contains("is the server at http://127.0.0.1:1/ running?"), "{stderr}");
}

#[tokio::test]
async fn directory_of_a_stopped_server_is_read_and_changed() {
    let home = tempfile::tempdir().expect("a directory");
    let data = home.path().join("data");
    let data = data.to_str().expect("text");
    let sink = Sink::start(&["404 No"]).await;
    let server = ServerChild::start(&["--deliver", &sink.url, "--data", data]).await;
    server.submit("bad", "/v1/events", "x").await;
    server.until("/v1/events/bad", "failed").await;
    let (code, _, stderr) = run(&["stats", "--data", data]).await;
    assert!(code == 1 && stderr.contains("--to URL") && stderr.matches("in use by").count() == 1, "{stderr}");
    server.signal("TERM");
    assert_eq!(server.exit_code().await, 0);

    let (code, output, stderr) = run(&["ls", "--data", data, "--json"]).await;
    assert_eq!((code, &values(&output)[0]["status"]), (0, &"failed".into()), "{stderr}");
    assert_eq!(run(&["redrive", "bad", "--data", data]).await.1, "redriven bad\n");
    let variables = [("EVENTFUL_TOKEN_FILE", "none"), ("EVENTFUL_TO", "http://127.0.0.1:1"), ("EVENTFUL_LOG", "")];
    let output = program(&["stats", "--data", data]).envs(variables).output().await.expect("it runs");
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    for (args, wanted) in [
        (&["stats", "--to", "http://127.0.0.1:1"][..], "--to is for a server"),
        (&["stats", "--token-file", "none"], "--token-file is for a server"),
        (&["targets"], "a directory has no targets"),
        (&["health"], "without --data"),
    ] {
        let (code, _, stderr) = run(&[args, &["--data", data]].concat()).await;
        assert!(code == 2 && stderr.contains(wanted), "{args:?}: {stderr}");
    }
    let (_, output, _) = run(&["get", "bad", "--data", data, "--json"]).await;
    assert_eq!((&values(&output)[0]["status"], &values(&output)[0]["attempt"]), (&"received".into(), &1.into()));
    let copy = home.path().join("copy");
    let (code, output, _) = run(&["backup", data, copy.to_str().expect("text")]).await;
    assert!(code == 0 && output.contains("copied"), "{output}");
    let second = home.path().join("second");
    let (code, output, _) = run(&["backup", data, second.to_str().expect("text"), "--json"]).await;
    assert!(code == 0 && values(&output)[0]["bytes"].as_u64() > Some(0), "{output}");
    assert_eq!(sink.count(), 1);

    let server = ServerChild::start(&["--deliver", &sink.url, "--data", data]).await;
    server.until("/v1/events/bad", "completed").await;
    assert_eq!(sink.count(), 2);
    let (code, _, stderr) = run(&["stats", "--data", home.path().to_str().expect("text")]).await;
    assert!(code == 1 && stderr.contains("there is no journal in it"), "{stderr}");
}

#[tokio::test]
async fn redrive_of_events_that_fail_again_at_once_ends() {
    let home = tempfile::tempdir().expect("a directory");
    let path = home.path().join("f.toml");
    // No route fits these events, so each fails as soon as it runs.
    let routes = "[targets.a]\nurl = \"http://127.0.0.1:9/\"\n[[routes]]\ntype = \"a\"\ntarget = \"a\"\n";
    fs::write(&path, routes).expect("a file");
    let server = ServerChild::start(&["--config", path.to_str().expect("text")]).await;
    let lines = 3000;
    let batch: String = (0..lines).map(|n| format!("{{\"id\":\"{n}\"}}\n")).collect();
    server.send("POST", "/v1/events/batch", "content-type: application/x-ndjson\r\n", &batch).await;
    server.until_answer("/v1/stats", 200, &format!("\"failed\":{lines}")).await;
    let redrive = ask(&server, &["redrive", "--all", "--yes", "--json"]);
    let (code, output, stderr) = tokio::time::timeout(Duration::from_secs(100), redrive).await.expect("it ends");
    // As many as were confirmed, though more have failed by then.
    assert_eq!((code, &values(&output)[0]["redriven"]), (0, &lines.into()), "{output}{stderr}");
}

#[tokio::test]
async fn reading_a_directory_fails_no_event_whose_run_was_cut() {
    let home = tempfile::tempdir().expect("a directory");
    let path = |name: &str| home.path().join(name).to_str().expect("text").to_owned();
    let (data, calls, go) = (path("data"), path("calls"), path("go"));
    // The twelfth attempt hangs: more than the ten of a server without options.
    let work =
        format!("echo >>{calls}; [ $(wc -l <{calls}) -lt 12 ] || until [ -e {go} ]; do sleep .01; done; exit 75");
    let options = ["--data", &data, "--max-attempts", "50", "--exec", &work];
    let server = ServerChild::start(&options).await;
    server.submit("a", "/v1/events", "x").await;
    server.until_answer("/v1/events/a", 200, "\"attempt\":12").await;
    server.kill().await;
    fs::write(&go, "").expect("a file");
    let (_, output, stderr) = run(&["ls", "--data", &data, "--json"]).await;
    let record = &values(&output)[0];
    assert_eq!((&record["status"], &record["attempt"]), (&"failed_retry".into(), &12.into()), "{stderr}");
}

#[tokio::test]
async fn each_command_is_described_by_itself() {
    let (code, help, _) = run(&["--help"]).await;
    for (command, words) in
        [("stats", "Show the numbers"), ("redrive", "Give failed events"), ("doctor", "Say what is wrong")]
    {
        let line = help.lines().find(|line| line.trim_start().starts_with(&format!("{command} "))).unwrap_or_default();
        assert!(code == 0 && line.contains(words), "{command}: {help}");
    }
}

#[tokio::test]
async fn shells_and_manual_readers_are_served() {
    for shell in ["bash", "zsh", "fish"] {
        let (code, script, _) = run(&["completions", shell]).await;
        assert!(code == 0 && script.contains("redrive") && script.contains("dry-run"), "{shell}");
    }
    let home = tempfile::tempdir().expect("a directory");
    let pages = home.path().join("man");
    let output = program(&["manual", pages.to_str().expect("text")]).output().await.expect("it runs");
    assert_eq!(output.status.code(), Some(0));
    for page in ["eventful.1", "eventful-serve.1", "eventful-redrive.1"] {
        let text = fs::read_to_string(pages.join(page)).expect(page);
        assert!(text.contains(".TH"), "{text}");
    }
}
