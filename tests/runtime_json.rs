//! Handlers that take a type in place of bytes.

mod harness;

use std::sync::{Arc, Mutex};

use eventful::{Attempt, Event, Eventful, Failure, Status, TypePolicy, handler::json};
use harness::*;

#[derive(serde::Deserialize)]
struct Order {
    total: u64,
}

#[tokio::test(start_paused = true)]
async fn payload_is_parsed() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let totals = Arc::clone(&seen);
    let handler = move |order: Order, attempt: Attempt| {
        totals.lock().unwrap().push((attempt.key().clone(), order.total));
        async { Ok::<(), Failure>(()) }
    };
    let eventful = Eventful::builder().on_json("order.*", handler, TypePolicy::new()).start_typed().expect("it starts");
    assert_eq!(end_of(&eventful, r#"{"total": 12, "more": null}"#).await, (Status::Completed, None));
    assert_eq!(*seen.lock().unwrap(), [(key("a"), 12)]);
}

#[tokio::test(start_paused = true)]
async fn payload_that_does_not_parse_fails_and_says_where() {
    for (payload, wrong) in [
        (r#"{"total": "twelve"}"#, "invalid type: string \"twelve\", expected u64 at line 1 column 18"),
        ("{\n\"totals\": 1}", "missing field `total` at line 2 column 12"),
        ("", "EOF while parsing a value at line 1 column 0"),
        ("\u{1}", "expected value at line 1 column 1"),
    ] {
        let builder = Eventful::builder().on_json("order.*", take, TypePolicy::new());
        let eventful = builder.start_typed().expect("it starts");
        let (status, error) = end_of(&eventful, payload).await;
        assert_eq!(
            (status, error),
            (Status::Failed, Some(format!("the payload does not parse as runtime_json::Order: {wrong}")))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn encoded_payload_is_not_parsed() {
    let eventful = Eventful::builder().start(json(take)).expect("it starts");
    let encoded = event("a").with_content_encoding("gzip").expect("an encoding");
    eventful.submit(encoded).await.expect("room");
    let record = eventful.wait(&key("a")).await.expect("it ends");
    let error = record.last_error.expect("a reason");
    assert!(error.as_str().starts_with("the payload is encoded with gzip"), "{error}");
}

async fn take(_: Order, _: Attempt) -> Result<(), Failure> {
    Ok(())
}

async fn end_of(eventful: &Eventful, payload: &'static str) -> (Status, Option<String>) {
    let order = Event::new(key("a"), payload).with_type("order.created").expect("a short type");
    eventful.submit(order).await.expect("room");
    let record = eventful.wait(&key("a")).await.expect("it ends");
    assert_eq!(record.attempt, 1);
    (record.status, record.last_error.map(|error| error.as_str().to_owned()))
}
