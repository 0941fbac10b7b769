//! A table of the numbers that is refreshed.

use std::process::ExitCode;
use std::time::Duration;

use serde_json::Value;

use super::backend::Backend;
use crate::spans::RealStopwatch;
use crate::terminal::say;

/// Shows the table until it is stopped, or so many times.
pub(super) async fn watch(
    backend: &Backend,
    every: Duration,
    times: Option<u64>,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let mut last: Option<(Value, RealStopwatch)> = None;
    for round in 0.. {
        let stats = backend.get("/v1/stats").await?;
        if json {
            say(&stats.to_string());
        } else {
            // To the first line, then all below is cleared: to clear the whole screen first would flicker.
            let clear = if crate::terminal::is_output_watched() { "\x1b[H\x1b[J" } else { "" };
            let since = last.as_ref().map(|(stats, watch)| (stats, watch.elapsed()));
            say(&format!("{clear}{}", table(&stats, since).join("\n")));
        }
        last = Some((stats, RealStopwatch::start()));
        if times.is_some_and(|times| round + 1 >= times) {
            break;
        }
        tokio::time::sleep(every).await;
    }
    Ok(ExitCode::SUCCESS)
}

/// The rows: counts now, and what was counted per second since the last time.
fn table(stats: &Value, last: Option<(&Value, Duration)>) -> Vec<String> {
    let number = |stats: &Value, path: &str| stats.pointer(path).and_then(Value::as_u64).unwrap_or(0);
    let rate = |path: &str| {
        let (before, time) = last?;
        // The server may have been started again between two rounds.
        let difference = number(stats, path).saturating_sub(number(before, path));
        // Two rounds at the same moment must not divide by zero.
        Some(difference as f64 / time.as_secs_f64().max(0.001))
    };
    let gauges = [
        ("received", "/records/received"),
        ("waiting for a retry", "/records/failed_retry"),
        ("processing", "/records/processing"),
        ("failed", "/records/failed"),
        ("completed", "/records/completed"),
        ("in the channel", "/queue_channel_depth"),
        ("queued", "/backlog_queued"),
        ("in the line", "/line_length"),
        ("delayed", "/delayed"),
        ("in flight", "/processing_inflight"),
    ];
    let counters = [
        ("accepted", "/events_accepted_total"),
        ("duplicates", "/events_deduplicated_total"),
        ("conflicts", "/events_conflicted_total"),
        ("done", "/attempts_finished_total/done"),
        ("retries", "/attempts_finished_total/retry"),
    ];
    let now = gauges.map(|(name, path)| format!("{name:20}  {:>12}", number(stats, path)));
    let counted = counters.map(|(name, path)| {
        let rate = rate(path).map_or_else(String::new, |rate| format!("  {rate:>10.1}/s"));
        format!("{name:20}  {:>12}{rate}", number(stats, path))
    });
    [&now[..], &counted[..]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rates_are_those_since_the_last_time() {
        let stats = |accepted: u64| json!({"events_accepted_total": accepted, "records": {"failed": 2}});
        let rows = table(&stats(150), Some((&stats(100), Duration::from_secs(5))));
        assert!(rows.iter().any(|row| row.starts_with("accepted") && row.ends_with("150        10.0/s")), "{rows:?}");
        assert!(table(&stats(150), None).iter().any(|row| row.starts_with("failed") && row.ends_with(" 2")));
    }
}
