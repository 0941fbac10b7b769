//! Numbers and health.

use crate::server::TestServer;
use eventful::{Config, TypePolicy, Unmatched};
use serde_json::{Value, json};

#[tokio::test]
async fn stats_and_metrics_and_a_recount_of_the_records_agree() {
    let server = TestServer::default().await;
    for id in ["a", "b", "bad", "hung", "a"] {
        server.envelope(&format!(r#"{{"id":"{id}","payload":0}}"#)).await;
    }
    server.envelope(r#"{"id":"a","payload":1}"#).await;
    for (id, status) in [("a", "completed"), ("b", "completed"), ("bad", "failed"), ("hung", "processing")] {
        server.until(id, status).await;
    }
    let stats = server.get("/v1/stats").await.json();
    let metrics = server.get("/metrics").await;
    assert_eq!(metrics.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert_eq!(flat_metrics(&metrics.body), flat_stats(&stats));
    assert_eq!((&stats["events_accepted_total"], &stats["events_deduplicated_total"]), (&4.into(), &1.into()));
    assert_eq!(stats["events_conflicted_total"], 1);
    for status in ["received", "processing", "failed_retry", "completed", "failed", "discarded"] {
        let page = server.get(&format!("/v1/events?status={status}")).await.json();
        assert_eq!(page["records"].as_array().map(Vec::len), stats["records"][status].as_u64().map(|n| n as usize));
    }
}

#[tokio::test]
async fn events_of_each_type_policy_are_counted() {
    let mut config = Config::default();
    let limited = TypePolicy::new().with_concurrency(2);
    config.types.add("hung\\\"*", limited).expect("a policy");
    config.types.add("mail", TypePolicy::new()).expect("a policy");
    config.unmatched = Unmatched::Wait;
    let server = TestServer::start(config).await;
    assert_eq!(server.get("/v1/stats").await.json()["type_running"], json!({"hung\\\"*": 0, "mail": 0}));
    for id in ["hung", "hung-2", "hung-3", "hung-4", "hung-5"] {
        server.envelope(&json!({"id": id, "type": "hung\\\"1"}).to_string()).await;
    }
    server.envelope(r#"{"id":"a","type":"mail"}"#).await;
    server.envelope(r#"{"id":"b"}"#).await;
    server.envelope(r#"{"id":"c","type":"fax"}"#).await;
    server.until("a", "completed").await;
    server.until("hung", "processing").await;
    server.until("hung-2", "processing").await;
    let stats = server.get("/v1/stats").await.json();
    assert_eq!(stats["type_gated"], json!({"hung\\\"*": 3, "mail": 0}));
    assert_eq!(stats["type_running"], json!({"hung\\\"*": 2, "mail": 0}));
    assert_eq!(stats["type_next"], json!({"hung\\\"*": 0, "mail": 0}));
    assert_eq!((&stats["unmatched"], &stats["gated"]), (&2.into(), &5.into()));
    let metrics = server.get("/metrics").await.body;
    assert!(metrics.contains("eventful_type_gated{type=\"hung\\\\\\\"*\"} 3"), "{metrics}");
}

#[tokio::test]
async fn every_family_says_what_it_is_before_its_numbers() {
    let server = TestServer::default().await;
    let body = server.get("/metrics").await.body;
    let mut known = String::new();
    for line in body.lines() {
        match line.strip_prefix("# ") {
            Some(comment) => known = comment.split(' ').nth(1).expect("a name").to_owned(),
            None => assert!(line.starts_with(&known), "{line} after {known}"),
        }
    }
    for name in [
        "eventful_attempts_finished_total{outcome=\"timed_out\"} 0",
        "eventful_end_to_end_seconds_bucket{le=\"0.00001\"} 0",
    ] {
        assert!(body.contains(name), "{name}");
    }
}

/// Names and label values are a contract with dashboards and alerts: they are added to, not changed.
#[tokio::test]
async fn every_promised_number_is_there_under_its_name() {
    let server = TestServer::default().await;
    let metrics = server.get("/metrics").await.body;
    let lines: Vec<_> = metrics.lines().filter_map(|line| Some(line.rsplit_once(' ')?.0)).collect();
    for name in COUNTERS_AND_GAUGES {
        assert!(lines.contains(&name), "{name}");
    }
    for (name, label, values) in LABELLED {
        for value in values.split(' ') {
            let name = format!("{name}{{{label}=\"{value}\"}}");
            assert!(lines.contains(&name.as_str()), "{name}");
        }
    }
    for name in HISTOGRAMS {
        for name in [format!("{name}_bucket{{le=\"+Inf\"}}"), format!("{name}_sum"), format!("{name}_count")] {
            assert!(lines.contains(&name.as_str()), "{name}");
        }
    }
}

const COUNTERS_AND_GAUGES: [&str; 20] = [
    "eventful_events_accepted_total",
    "eventful_events_redriven_total",
    "eventful_event_bytes",
    "eventful_failed_bytes",
    "eventful_oldest_pending_seconds",
    "eventful_oldest_failed_seconds",
    "eventful_failed_full",
    "eventful_attempts_started_total",
    "eventful_events_deduplicated_total",
    "eventful_events_conflicted_total",
    "eventful_tickets_stale_total",
    "eventful_outcomes_stale_total",
    "eventful_sweeps_total",
    "eventful_backlog_queued",
    "eventful_line_length",
    "eventful_delayed",
    "eventful_processing_inflight",
    "eventful_queue_channel_depth",
    "eventful_workers_running",
    "eventful_clock_ahead_seconds",
];

const LABELLED: [(&str, &str, &str); 6] = [
    (
        "eventful_attempts_finished_total",
        "outcome",
        "done retry failed snoozed crashed timed_out interrupted discarded",
    ),
    (
        "eventful_events_rejected_total",
        "reason",
        "count group bytes failed disk journal_slow journal_unreachable too_large invalid shutting_down",
    ),
    ("eventful_events_forgotten_total", "status", "completed failed discarded"),
    ("eventful_enqueue_failures_total", "reason", "full closed"),
    ("eventful_swept_total", "reason", "retry_due lost_ticket expired_run"),
    ("eventful_records", "status", "received processing failed_retry completed failed discarded"),
];

const HISTOGRAMS: [&str; 3] =
    ["eventful_queue_time_seconds", "eventful_processing_time_seconds", "eventful_end_to_end_seconds"];

#[tokio::test]
async fn draining_server_is_alive_not_ready_and_knows_its_events() {
    let server = TestServer::default().await;
    assert_eq!(server.get("/readyz").await.status, 200);
    server.envelope(r#"{"id":"hung"}"#).await;
    server.until("hung", "processing").await;
    let eventful = server.eventful.clone();
    tokio::spawn(async move { eventful.shutdown(None).await });
    tokio::task::yield_now().await;
    assert_eq!(server.get("/livez").await.status, 200);
    let ready = server.get("/readyz").await;
    assert_eq!((ready.status, ready.problem().as_str()), (503, "not_ready"));
    let answer = server.envelope(r#"{"id":"new"}"#).await;
    assert_eq!((answer.status, answer.problem().as_str()), (503, "shutting_down"));
    assert!(answer.header("retry-after").is_some());
    assert_eq!(server.envelope(r#"{"id":"hung"}"#).await.status, 200);
}

/// Returns names, with labels as keys, and numbers.
fn flat_stats(stats: &Value) -> Vec<(String, String)> {
    let mut out = Vec::new();
    flatten("", stats, &mut out);
    out.sort();
    out
}

fn flatten(path: &str, value: &Value, out: &mut Vec<(String, String)>) {
    let Value::Object(members) = value else { return out.push((path.to_owned(), number(&value.to_string()))) };
    for (name, value) in members {
        let path = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
        flatten(&path, value, out);
    }
}

fn flat_metrics(text: &str) -> Vec<(String, String)> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let mut out: Vec<_> = lines
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').expect("a name and a number");
            let name = name.strip_prefix("eventful_").expect("the prefix");
            let name = match name.split_once("{") {
                Some((name, label)) => format!("{name}/{}", label.split('"').nth(1).expect("a value")),
                None => name.to_owned(),
            };
            let name = ["bucket", "sum", "count"]
                .into_iter()
                .fold(name, |name, part| name.replace(&format!("_seconds_{part}"), &format!("_seconds/{part}")));
            (name, number(value))
        })
        .collect();
    out.sort();
    out
}

fn number(text: &str) -> String {
    text.parse::<f64>().expect("a number").to_string()
}
