//! Facts as they happen.

use std::process::ExitCode;
use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde_json::Value;

use super::backend::{Backend, Opened};
use super::event_stream::{EventStream, SentEvent};
use super::options::TailOptions;
use super::query::Query;
use super::show;
use crate::terminal::{say, warn};

/// The longest silence of a connection that works: a server without facts sends a comment every 15 s.
const SILENCE: Duration = Duration::from_secs(45);
/// The time between two tries to reach a server that is gone: short at first, as most are back at once.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const PAUSE: Duration = Duration::from_secs(1);
/// Tries in a row, about a minute of them: a restart takes less.
const TRIES: u32 = 60;

/// Prints facts until it is stopped, or so many of them. A connection that breaks is made again, and continues where it
/// was.
pub(super) async fn tail(backend: &Backend, options: &TailOptions, json: bool) -> anyhow::Result<ExitCode> {
    let mut tail = Tail { options, json, shown: 0, cursor: options.after.clone() };
    let mut tries = 0;
    let mut is_first = true;
    loop {
        match backend.follow(&tail.target()).await? {
            Opened::Stream(body) => {
                // The server is there, so that the next tries begin from the first.
                (tries, is_first) = (0, false);
                if tail.follow(body).await? {
                    return Ok(ExitCode::SUCCESS);
                }
            }
            // At first a wrong address is more likely than a restart.
            Opened::Gone(error) if is_first || tries == TRIES => return Err(error),
            Opened::Gone(_) => {}
        }
        tries += 1;
        if tries == 1 {
            warn("the connection has ended: it is made again");
        }
        tokio::time::sleep(PAUSE.min(FIRST_PAUSE * tries)).await;
    }
}

/// Facts that are shown.
#[derive(Debug)]
struct Tail<'a> {
    options: &'a TailOptions,
    json: bool,
    shown: u64,
    /// The place behind the last fact, shown or not.
    cursor: Option<String>,
}

impl Tail<'_> {
    fn target(&self) -> String {
        format!("/v1/facts{}", Query::default().with_some("after", self.cursor.as_deref()).as_str())
    }

    /// Shows the facts of a connection. Returns whether as many as wanted are shown; false when it has ended before.
    async fn follow(&mut self, mut body: Incoming) -> anyhow::Result<bool> {
        let mut stream = EventStream::default();
        while let Ok(Some(Ok(frame))) = tokio::time::timeout(SILENCE, body.frame()).await {
            let Some(part) = frame.data_ref() else { continue };
            for sent in stream.read(part)? {
                if self.show(&sent) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Shows a fact, if it is wanted. Returns whether it was the last one.
    fn show(&mut self, sent: &SentEvent) -> bool {
        // Also that of a fact which is not shown: a new connection is to continue behind it.
        if !sent.id.is_empty() {
            self.cursor = Some(sent.id.clone());
        }
        if sent.data.is_empty() {
            return false;
        }
        let fact: Value = serde_json::from_str(&sent.data).unwrap_or_default();
        if !is_wanted(self.options, &fact) {
            return false;
        }
        say(&if self.json { with_name(sent, fact).to_string() } else { line(&sent.name, &fact) });
        crate::terminal::end_when_broken();
        self.shown += 1;
        self.options.count.is_some_and(|count| self.shown >= count)
    }
}

/// Returns whether the filters let a fact through. One that is about no single event is always let through: it says, for
/// instance, that facts are missing.
fn is_wanted(options: &TailOptions, fact: &Value) -> bool {
    let fits =
        |wanted: Option<&str>, name: &str| wanted.is_none() || fact[name].is_null() || fact[name].as_str() == wanted;
    fits(options.id.as_deref(), "id") && fits(options.source.as_deref(), "source")
}

/// The fact with its name and cursor among its members.
fn with_name(sent: &SentEvent, mut fact: Value) -> Value {
    if let Some(object) = fact.as_object_mut() {
        object.insert("fact".into(), sent.name.as_str().into());
        if !sent.id.is_empty() {
            object.insert("cursor".into(), sent.id.as_str().into());
        }
    }
    fact
}

/// The fact as a line.
fn line(name: &str, fact: &Value) -> String {
    let text = |name: &str| show::text(fact, name);
    let key = match (text("source"), text("id")) {
        (source, id) if source.is_empty() => id,
        (source, id) => format!("{source}/{id}"),
    };
    let error = text("error");
    let error = error.lines().next().unwrap_or_default();
    let count = |what: &str| fact[what].as_array().map(|events| format!("{} events", events.len())).unwrap_or_default();
    let parts = [key, text("type"), text("end"), text("status"), count("events"), text("missed"), error.to_owned()];
    let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    format!("{:27}  {name:9}  {}", text("at"), parts.join("  ")).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn options(id: Option<&str>, source: Option<&str>) -> TailOptions {
        let owned = |text: Option<&str>| text.map(ToOwned::to_owned);
        TailOptions { id: owned(id), source: owned(source), after: None, count: None }
    }

    #[test]
    fn filters_choose_events_and_keep_what_is_about_none() {
        let fact = json!({"id": "a", "source": "s"});
        for (id, source, is_shown) in [
            (None, None, true),
            (Some("a"), None, true),
            (Some("b"), None, false),
            (None, Some("s"), true),
            (None, Some(""), false),
            (Some("a"), Some("t"), false),
        ] {
            assert_eq!(is_wanted(&options(id, source), &fact), is_shown, "{id:?} {source:?}");
            assert!(is_wanted(&options(id, source), &json!({"missed": 5})));
        }
    }

    #[test]
    fn fact_is_a_line_without_control_characters() {
        let fact = json!({
            "at": "2027-01-31T02:00:00.000000Z", "id": "a", "source": "s", "run": "1-1", "end": "retry",
            "status": "failed_retry", "error": "refused\u{1b}[2J\nbody"
        });
        let wanted = "2027-01-31T02:00:00.000000Z  finished   s/a  retry  failed_retry  refused\\u{1b}[2J";
        assert_eq!(line("finished", &fact), wanted);
        assert_eq!(line("paused", &json!({"at": "T"})), format!("{:27}  paused", "T"));
        assert_eq!(line("forgotten", &json!({"events": [{}, {}]})), format!("{:27}  forgotten  2 events", ""));
    }
}
