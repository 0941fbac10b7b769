//! The diagnosis of a server: findings, each with a remedy.

use serde_json::Value;

/// The numbers and states that a diagnosis is made of.
#[derive(Debug, Default)]
pub(super) struct Symptoms {
    /// The detail of a readiness that is false.
    pub(super) not_ready: Option<String>,
    pub(super) stats: Value,
    pub(super) targets: Value,
    /// Failed events, a page.
    pub(super) failed: Value,
}

/// A finding: what is wrong, and what to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Diagnosis {
    pub(super) wrong: String,
    pub(super) remedy: String,
    /// True if it is wrong now; else it has happened since the server started.
    pub(super) is_now: bool,
}

fn finding(wrong: impl Into<String>, remedy: impl Into<String>) -> Diagnosis {
    Diagnosis { wrong: wrong.into(), remedy: remedy.into(), is_now: true }
}

/// A finding from the time since the start.
fn past(wrong: impl Into<String>, remedy: impl Into<String>) -> Diagnosis {
    Diagnosis { is_now: false, ..finding(wrong, remedy) }
}

impl Symptoms {
    /// Returns what is wrong, the most urgent first.
    pub(super) fn findings(&self) -> Vec<Diagnosis> {
        let mut found = Vec::new();
        if let Some(detail) = &self.not_ready {
            // Messages say what is wrong, then a colon, then what to do.
            let (wrong, remedy) = detail.split_once(": ").unwrap_or((detail, "see the log"));
            found.push(finding(format!("not ready: {wrong}"), remedy));
        }
        if self.number("paused", None) == 1 {
            found.push(finding("paused: no run starts", "eventful resume"));
        }
        found.extend(self.circuits());
        found.extend(self.causes());
        found.extend(self.counters());
        found
    }

    fn number(&self, name: &str, label: Option<&str>) -> u64 {
        let value = &self.stats[name];
        label.map_or(value, |label| &value[label]).as_u64().unwrap_or(0)
    }

    fn circuits(&self) -> Vec<Diagnosis> {
        let targets = self.targets["targets"].as_array().into_iter().flatten();
        let open = targets.filter(|target| target["circuit"] == "open");
        open.map(|target| {
            let text = |name: &str| super::show::text(target, name);
            let error = text("last_error");
            let (name, since, error) = (text("name"), text("open_since"), error.lines().next().unwrap_or_default());
            let mend = format!(
                "mend the target; it is tried again at {}, or after: eventful targets --close {name}",
                text("next_probe")
            );
            finding(format!("the circuit of target {name} is open since {since}: {error}"), mend)
        })
        .collect()
    }

    /// Failed events, grouped by the first line of their error.
    fn causes(&self) -> Vec<Diagnosis> {
        let mut causes = std::collections::BTreeMap::<String, u64>::new();
        for record in self.failed["records"].as_array().into_iter().flatten() {
            let error = super::show::text(record, "last_error");
            *causes.entry(error.lines().next().unwrap_or_default().to_owned()).or_default() += 1;
        }
        let mut causes: Vec<_> = causes.into_iter().collect();
        causes.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let more = if self.failed["next"].is_null() { "" } else { " or more" };
        let cause = |(error, count): (String, u64)| {
            let remedy = format!("mend the cause, then: eventful redrive --error {error:?}, or discard");
            finding(format!("{count}{more} failed: {error}"), remedy)
        };
        // The most frequent ones: more of them would hide what else was found.
        causes.into_iter().take(5).map(cause).collect()
    }

    fn counters(&self) -> Vec<Diagnosis> {
        let mut found = Vec::new();
        let rejected =
            ["count", "bytes", "disk"].map(|reason| (reason, self.number("events_rejected_total", Some(reason))));
        for (reason, count) in rejected.into_iter().filter(|(_, count)| *count > 0) {
            let remedy = match reason {
                "count" => "raise max_pending or max_records, or handle events faster: concurrency, targets",
                "bytes" => "raise max_bytes, or redrive and discard what failed",
                _ => "make room on the disk of the journal",
            };
            found.push(past(format!("{count} events were refused since the start: no room by {reason}"), remedy));
        }
        for (name, what) in [("dispatcher_restarts_total", "the dispatcher"), ("sweeper_restarts_total", "the sweeper")]
        {
            let count = self.number(name, None);
            if count > 0 {
                let remedy = "a handler that blocks threads, or a bug: see the log";
                found.push(past(format!("{what} was restarted {count} times since the start"), remedy));
            }
        }
        let conflicts = self.number("events_conflicted_total", None);
        if conflicts > 0 {
            let remedy = "a sender gives one id to two payloads: exclude what changes, or have conflicts quarantined";
            found.push(past(format!("{conflicts} conflicts since the start"), remedy));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn healthy_server_has_no_findings() {
        let stats = json!({"paused": 0, "events_rejected_total": {"count": 0, "invalid": 5}});
        assert_eq!(Symptoms { stats, ..Symptoms::default() }.findings(), []);
    }

    #[test]
    fn every_symptom_has_a_finding_with_a_remedy() {
        let failed = ["refused\nby", "refused", "gone"].map(|error| json!({ "last_error": error }));
        let symptoms = Symptoms {
            not_ready: Some("the disk is full: make room".to_owned()),
            stats: json!({
                "paused": 1, "events_rejected_total": {"count": 1, "bytes": 2, "disk": 3},
                "dispatcher_restarts_total": 1, "sweeper_restarts_total": 1, "events_conflicted_total": 4
            }),
            targets: json!({"targets": [
                {"name": "a", "circuit": "open", "open_since": "T", "next_probe": "U", "last_error": "x\ny"},
                {"name": "b", "circuit": "closed"}
            ]}),
            failed: json!({ "records": failed }),
        };
        let wrong: Vec<_> = symptoms.findings().into_iter().map(|finding| finding.wrong).collect();
        assert_eq!(
            wrong[..3],
            ["not ready: the disk is full", "paused: no run starts", "the circuit of target a is open since T: x"]
        );
        assert_eq!(wrong[3..5], ["2 failed: refused", "1 failed: gone"]);
        assert_eq!(wrong.len(), 11, "{wrong:?}");
        assert!(symptoms.findings().iter().all(|finding| !finding.remedy.is_empty()));
    }
}
