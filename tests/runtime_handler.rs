//! The failures that a handler returns, and its view on its attempt.

mod harness;

use std::error::Error;
use std::fmt;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use anyhow::Context as _;
use eventful::{Attempt, Event, Eventful, Failure, Status, handler::FailureKind};
use harness::*;

#[test]
fn failure_of_an_error_retries_with_its_sources() {
    let failure = fails(|| Err(Outer(Inner))?);
    assert_eq!((failure.kind(), failure.error()), (FailureKind::Retry, Some("outer: inner")));
}

#[test]
fn failure_of_a_boxed_error_retries_with_its_sources() {
    let failure = fails(|| Err(Box::<dyn Error + Send + Sync>::from(Outer(Inner)))?);
    assert_eq!((failure.kind(), failure.error()), (FailureKind::Retry, Some("outer: inner")));
}

#[test]
fn failure_of_an_anyhow_error_retries_with_its_context() {
    let failure = fails(|| Ok(Err::<(), _>(Outer(Inner)).context("context")?));
    assert_eq!((failure.kind(), failure.error()), (FailureKind::Retry, Some("context: outer: inner")));
}

#[test]
fn failure_of_a_text_retries_with_it() {
    let failure = fails(|| Err(format!("{} is missing", "it"))?);
    assert_eq!((failure.kind(), failure.error()), (FailureKind::Retry, Some("it is missing")));
}

#[test]
fn failure_of_another_failure_is_the_same() {
    let failure = Failure::permanent("never");
    assert_eq!(fails(|| Err(failure.clone())?), failure);
}

#[test]
fn failure_of_a_box_that_cannot_be_sent_keeps_its_text() {
    let unsent: Result<(), Box<dyn Error>> = Err("text".into());
    let failure = fails(|| unsent.map_err(Failure::retry));
    assert_eq!(failure.error(), Some("text"));
}

#[test]
fn failure_shows_kind_delay_and_error() {
    let shown = [
        (Failure::retry("busy"), FailureKind::Retry, None, Some("busy"), "retry: busy"),
        (Failure::retry_after("busy", SECOND), FailureKind::Retry, Some(SECOND), Some("busy"), "retry after 1s: busy"),
        (Failure::permanent("bad"), FailureKind::Permanent, None, Some("bad"), "permanent: bad"),
        (Failure::snooze(SECOND), FailureKind::Snooze, Some(SECOND), None, "snooze after 1s"),
        (
            Failure::snooze_because("no room", SECOND),
            FailureKind::Snooze,
            Some(SECOND),
            Some("no room"),
            "snooze after 1s: no room",
        ),
    ];
    for (failure, kind, delay, error, text) in shown {
        assert_eq!((failure.kind(), failure.delay(), failure.error()), (kind, delay, error));
        assert_eq!(failure.to_string(), text);
    }
}

#[tokio::test(start_paused = true)]
async fn attempt_counts_what_is_charged_and_knows_the_last_one() {
    let (seen, eventful) = watched(|attempt| match attempt.number() {
        1 => Err(Failure::snooze(Duration::from_millis(1))),
        _ => Err(Failure::retry("no")),
    });
    eventful.submit(event("a")).await.expect("room");
    until_failed(&eventful).await;
    assert_eq!(seen.try_iter().collect::<Vec<_>>(), [(1, 1, false), (2, 1, false), (3, 2, true)]);
}

#[tokio::test(start_paused = true)]
async fn attempt_after_a_redrive_is_charged_from_one_again() {
    let (seen, eventful) = watched(|_| Err(Failure::permanent("no")));
    eventful.submit(event("a")).await.expect("room");
    until_failed(&eventful).await;
    eventful.redrive(&key("a")).await.expect("it has failed");
    until_failed(&eventful).await;
    assert_eq!(seen.try_iter().collect::<Vec<_>>(), [(1, 1, false), (2, 1, false)]);
}

/// An engine with two attempts for each event, and the number, the charge and the lastness of each.
fn watched(
    answer: impl Fn(&Attempt) -> Result<(), Failure> + Send + Sync + 'static,
) -> (std::sync::mpsc::Receiver<(u32, u32, bool)>, Eventful) {
    let (sender, seen): (Sender<(u32, u32, bool)>, _) = channel();
    let mut config = narrow();
    config.max_attempts = 2;
    let eventful = start(config, move |_: Event, attempt: Attempt| {
        let sent = sender.send((attempt.number(), attempt.charged(), attempt.is_last()));
        let answer = answer(&attempt);
        async move { sent.map_err(Failure::permanent).and(answer) }
    });
    (seen, eventful)
}

/// Waits in virtual time.
async fn until_failed(eventful: &Eventful) {
    while status(eventful, "a") != Some(Status::Failed) {
        tokio::time::sleep(SECOND).await;
    }
}

fn fails(handler: impl FnOnce() -> Result<(), Failure>) -> Failure {
    handler().expect_err("it fails")
}

#[derive(Debug)]
struct Outer(Inner);

#[derive(Debug)]
struct Inner;

impl fmt::Display for Outer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("outer")
    }
}

impl fmt::Display for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("inner")
    }
}

impl Error for Outer {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

impl Error for Inner {}
