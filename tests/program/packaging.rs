//! Files for other programs: dashboards, alerts, units, images.

use std::collections::BTreeSet;

use crate::process::{ServerChild, run};

const DASHBOARD: &str = include_str!("../../packaging/grafana.json");
const ALERTS: &str = include_str!("../../packaging/alerts.yml");

/// The names of metrics in a text.
fn names(text: &str) -> BTreeSet<&str> {
    let is_part = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '_';
    text.split(|char| !is_part(char)).filter(|word| word.starts_with("eventful_")).collect()
}

#[tokio::test]
async fn every_metric_in_a_dashboard_and_an_alert_exists() {
    let home = tempfile::tempdir().expect("a directory");
    let data = home.path().to_str().expect("text");
    let server = ServerChild::start(&["--data", data, "--deliver", "http://127.0.0.1:1/"]).await;
    let metrics = server.send("GET", "/metrics", "", "").await;
    let known = names(&metrics);
    for (file, text) in [("grafana.json", DASHBOARD), ("alerts.yml", ALERTS)] {
        let used = names(text);
        assert!(used.len() > 8, "{used:?}");
        let unknown: Vec<_> = used.difference(&known).collect();
        assert!(unknown.is_empty(), "{file}: {unknown:?}");
    }
    let dashboard: serde_json::Value = serde_json::from_str(DASHBOARD).expect("JSON");
    assert!(dashboard["panels"].as_array().is_some_and(|panels| panels.len() > 10));
}

#[tokio::test]
async fn every_command_of_unit_and_image_exists() {
    for (text, words) in [
        (include_str!("../../packaging/eventful.service"), "/usr/local/bin/eventful "),
        (include_str!("../../packaging/Dockerfile"), "CMD [\"eventful\", \""),
    ] {
        let commands = text.lines().filter_map(|line| line.split_once(words)?.1.split([' ', '"']).next());
        for command in commands {
            let (code, help, _) = run(&[command, "--help"]).await;
            assert!(code == 0 && help.contains("Usage"), "{command}: {help}");
        }
    }
}

#[tokio::test]
async fn health_is_an_exit_code() {
    let server = ServerChild::start(&[]).await;
    assert_eq!(run(&["health", "--to", &server.url()]).await.1, "alive\n");
    assert_eq!(run(&["health", "--ready", "--to", &server.url(), "--json"]).await.1, "{\"outcome\":\"ready\"}\n");
    assert_eq!(run(&["health", "--to", "http://127.0.0.1:1"]).await.0, 1);
}
