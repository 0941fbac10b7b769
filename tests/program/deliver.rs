//! `serve --deliver`

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use cloudevents::AttributesReader as _;
use eventful::http::Signer;
use eventful::http::sources::Secret;
use eventful::journal::DiskStore;
use eventful::{Attempt, Durability, Event, Eventful, Timestamp, clock::ManualClock};

use crate::process::ServerChild;
use crate::sink::{HANGS_UP, Sink};

#[tokio::test]
async fn an_event_arrives_with_its_payload_and_what_is_known_of_it() {
    let sink = Sink::start(&[]).await;
    let server = ServerChild::start(&["--deliver", &sink.url]).await;
    server.submit("a-1", "/v1/events?source=shop&type=order", "three apples").await;
    server.until("/v1/events/a-1?source=shop", "completed").await;
    let requests = sink.requests();
    assert_eq!(requests.len(), 1);
    assert!(requests[0].starts_with("POST /hook HTTP/1.1\r\n") && requests[0].ends_with("\r\n\r\nthree apples"));
    for header in
        ["webhook-id: eventful:shop/a-1\r", "eventful-source: shop\r", "eventful-type: order", "eventful-attempt: 1"]
    {
        assert!(requests[0].contains(header), "{header} in {}", requests[0]);
    }
    assert!(requests[0].contains("webhook-timestamp: 1") || requests[0].contains("webhook-timestamp: 2"));
}

#[tokio::test]
async fn two_hops_keep_source_id_and_type() {
    let second = ServerChild::start(&[]).await;
    let first = ServerChild::start(&["--deliver", &format!("{}/v1/events", second.url())]).await;
    let events =
        [("order-1", "shop-eu"), ("order-1", "shop-us"), ("order-1", ""), ("eventful:a/b", ""), ("ä /", "ö/%")];
    for (id, source) in events {
        let (source, place) = (percent(source), format!("/v1/events/{}?source={}", percent(id), percent(source)));
        first.submit(id, &format!("/v1/events?type=a%25b&source={source}"), "x").await;
        first.until(&place, "completed").await;
        let record = second.until(&place, "completed").await;
        assert_eq!((&record["id"], record["attempt"].as_u64()), (&id.into(), Some(1)), "{place}");
    }
    assert_eq!(second.get("/v1/stats").await["events_accepted_total"], events.len());
}

#[tokio::test]
async fn content_type_encoding_and_attributes_arrive_over_two_hops() {
    let sink = Sink::start(&[]).await;
    let second = ServerChild::start(&["--deliver", &sink.url]).await;
    let first = ServerChild::start(&["--deliver", &format!("{}/v1/events", second.url())]).await;
    let representation = "content-type: text/csv\r\ncontent-encoding: deflate, GZIP\r\n";
    let target = "/v1/events?attributes=b=1%252C2,a=%C3%A4";
    first.submit_with("a", target, representation, "x").await;
    second.until("/v1/events/a", "completed").await;
    let request = &sink.requests()[0];
    assert!(request.contains("content-type: text/csv\r\n"), "{request}");
    assert!(request.contains("content-encoding: deflate, gzip\r\n"), "{request}");
    assert!(!request.contains("eventful-scheduled-for"), "{request}");
    assert!(request.contains("eventful-attributes: a=%C3%A4,b=1%2C2\r\n"), "{request}");
}

#[tokio::test]
async fn recorded_headers_are_delivered_and_replace_none_of_ours() {
    let sink = Sink::start(&[]).await;
    let server = ServerChild::start(&["--deliver", &sink.url]).await;
    let kept = "header:x-github-event=push,header:eventful-type=forged,header:content-length=9,header:user-agent=b";
    server.submit("a", &format!("/v1/events?attributes={kept}"), "x").await;
    server.until("/v1/events/a", "completed").await;
    let request = &sink.requests()[0];
    assert!(request.contains("x-github-event: push\r\n") && request.contains("user-agent: eventful/"), "{request}");
    assert!(!request.contains("\r\neventful-type") && request.contains("content-length: 1\r\n"), "{request}");
}

#[tokio::test]
async fn event_in_quarantine_fails_and_is_not_delivered() {
    let sink = Sink::start(&[]).await;
    let server = ServerChild::start(&["--deliver", &sink.url]).await;
    server.submit("a~1", "/v1/events?attributes=quarantined=a", "x").await;
    let record = server.until("/v1/events/a~1", "failed").await;
    let error = record["last_error"].as_str().expect("an error");
    assert!(error.contains("quarantine") && error.contains("\"a\"") && sink.count() == 0, "{error}");
}

#[tokio::test]
async fn delivery_of_a_delayed_event_says_for_when_it_was() {
    let sink = Sink::start(&[]).await;
    let server = ServerChild::start(&["--deliver", &sink.url]).await;
    server.submit("a", "/v1/events?not_before=2001-02-03T04:05:06Z&group=t/7", "x").await;
    server.until("/v1/events/a", "completed").await;
    let request = &sink.requests()[0];
    assert!(request.contains("eventful-scheduled-for: 2001-02-03T04:05:06.000000Z\r\n"), "{request}");
    assert!(request.contains("eventful-group: t/7\r\n"), "{request}");
}

#[tokio::test]
async fn content_encoding_survives_a_kill() {
    let home = tempfile::tempdir().expect("a directory");
    let sink = Sink::start(&["503 Busy\r\nretry-after: 1000"]).await;
    let args = ["--deliver", &*sink.url, "--data", home.path().to_str().expect("text")];
    let server = ServerChild::start(&args).await;
    server.submit_with("a", "/v1/events", "content-encoding: gzip\r\n", "x").await;
    server.until("/v1/events/a", "failed_retry").await;
    server.kill().await;

    let record = ServerChild::start(&args).await.get("/v1/events/a").await;
    assert_eq!((&record["status"], &record["content_encoding"]), (&"failed_retry".into(), &"gzip".into()));
}

#[tokio::test]
async fn type_of_an_event_arrives_at_the_second_hop() {
    let second = ServerChild::start(&["--exec", r#"test "$EVENTFUL_TYPE" = "a%b ä""#]).await;
    let first = ServerChild::start(&["--deliver", &format!("{}/v1/events", second.url())]).await;
    first.submit("a", "/v1/events?type=a%25b%20%C3%A4", "x").await;
    second.until("/v1/events/a", "completed").await;
}

#[tokio::test]
async fn temporary_failures_are_retried_on_kept_connections() {
    let responses = ["500 Oh", "429 Slow Down\r\nretry-after: 0", "408 Late", "425 Early", "503 Busy"];
    let sink = Sink::start(&responses).await;
    let server = ServerChild::start(&["--deliver", &sink.url]).await;
    server.submit("a", "/v1/events", "x").await;
    server.until("/v1/events/a", "completed").await;
    let requests = sink.requests();
    assert_eq!(requests.len(), 6);
    assert!(requests[5].contains("eventful-attempt: 6"));
    assert_eq!(sink.connections(), 1);
}

#[tokio::test]
async fn permanent_failures_and_redirects_fail_at_once() {
    for answer in ["302 Found\r\nlocation: /hook", "400 Bad", "410 Gone"] {
        let sink = Sink::start(&[answer]).await;
        let server = ServerChild::start(&["--deliver", &sink.url]).await;
        server.submit("a", "/v1/events", "x").await;
        let record = server.until("/v1/events/a", "failed").await;
        let error = record["last_error"].as_str().expect("an error");
        assert!(error.starts_with("the target answered ") && error.contains(&answer[..3]), "{error}");
        assert_eq!(sink.requests().len(), 1);
    }
}

#[tokio::test]
async fn error_holds_the_status_and_the_start_of_the_response() {
    let long: &str = Box::leak(format!("400 Bad\r\ncontent-length: 5000\r\n\r\n{}", "ä".repeat(2500)).into_boxed_str());
    let cut = format!("the target answered 400 Bad Request\n{}", "ä".repeat((1024 - 36) / 2));
    for (answer, error) in [
        ("410 Gone\r\ncontent-length: 9\r\n\r\n{\"a\": 1}\n", "the target answered 410 Gone\n{\"a\": 1}"),
        (
            "410 Gone\r\ncontent-length: 7\r\n\r\na\x1b\0\r\n\tb",
            "the target answered 410 Gone\na\\u{1b}\\u{0}\\r\n\\tb",
        ),
        // A body that never ends.
        ("410 Gone\r\ncontent-length: 9\r\n\r\nbegun", "the target answered 410 Gone\nbegun"),
        ("410 Gone", "the target answered 410 Gone"),
        (long, &*cut),
    ] {
        let sink = Sink::start(&[answer]).await;
        let server = ServerChild::start(&["--deliver", &sink.url, "--run-timeout", "10s"]).await;
        server.submit("a", "/v1/events", "x").await;
        let record = server.until("/v1/events/a", "failed").await;
        assert_eq!(record["last_error"], error);
    }
}

#[tokio::test]
async fn response_that_echoes_the_payload_stays_out_of_the_log() {
    let sink = Sink::start(&["410 Gone\r\ncontent-length: 6\r\n\r\nsecret"]).await;
    let server = ServerChild::start(&["--log", "debug", "--deliver", &sink.url]).await;
    server.submit("a", "/v1/events", "secret").await;
    server.until("/v1/events/a", "failed").await;
    server.signal("TERM");
    let log = server.whole_log().await;
    assert!(log.contains("410 Gone") && !log.contains("secret"), "{log}");
}

#[tokio::test]
async fn times_of_others_are_compared_with_the_wall_clock() {
    let home = tempfile::tempdir().expect("a directory");
    let wall = std::fs::metadata(home.path()).and_then(|home| home.modified()).expect("the time it was made");
    let since_epoch = wall.duration_since(UNIX_EPOCH).expect("a time after 1970");
    let data = home.path().join("data");
    start_at(Timestamp::EPOCH + since_epoch + 365 * DAY, &data).await;
    let date = httpdate::fmt_http_date(wall + DAY / 12);
    let sink = Sink::start(&[Box::leak(format!("503 Busy\r\nretry-after: {date}").into_boxed_str())]).await;
    let server = ServerChild::start(&["--deliver", &sink.url, "--data", data.to_str().expect("text")]).await;
    server.submit("a", "/v1/events", "x").await;
    let record = server.until("/v1/events/a", "failed_retry").await;

    let request = &sink.requests()[0];
    let sent = request.lines().find_map(|line| line.strip_prefix("webhook-timestamp: ")?.parse().ok());
    let sent = Duration::from_secs(sent.expect("a time"));
    assert!(sent.abs_diff(since_epoch) < DAY / 24, "sent at {sent:?}, and it is {since_epoch:?}");
    let ended = record["history"][0]["ended_at"].as_str().expect("a time");
    let eligible = record["eligible_at"].as_str().expect("a time");
    assert_ne!(ended[..13], eligible[..13], "{ended} and {eligible} are an hour apart");
}

#[tokio::test]
async fn response_counts_although_its_body_never_ends() {
    let sink = Sink::start(&["200 OK\r\ncontent-length: 10"]).await;
    let server = ServerChild::start(&["--deliver", &sink.url, "--run-timeout", "10s"]).await;
    server.submit("a", "/v1/events", "x").await;
    let record = server.until("/v1/events/a", "completed").await;
    assert_eq!((&record["attempt"], sink.requests().len()), (&1.into(), 1));
}

#[tokio::test]
async fn retry_after_is_a_floor_for_the_next_attempt() {
    let sink = Sink::start(&["503 Busy\r\nretry-after: 1000"]).await;
    let server = ServerChild::start(&["--deliver", &sink.url]).await;
    server.submit("a", "/v1/events", "x").await;
    let record = server.until("/v1/events/a", "failed_retry").await;
    assert_eq!((&record["place"], sink.requests().len()), (&"delayed".into(), 1));
    let ended = record["history"][0]["ended_at"].as_str().expect("a time");
    let eligible = record["eligible_at"].as_str().expect("a time");
    assert_ne!(ended[..16], eligible[..16], "{ended} and {eligible} are many minutes apart");
}

#[tokio::test]
async fn a_target_that_is_not_there_is_tried_again() {
    let server = ServerChild::start(&["--deliver", "http://127.0.0.1:1/", "--max-attempts", "3"]).await;
    server.submit("a", "/v1/events", "x").await;
    let record = server.until("/v1/events/a", "failed").await;
    assert_eq!(record["attempt"], 3);
    assert!(record["last_error"].as_str().expect("an error").to_lowercase().contains("connection refused"));
}

#[tokio::test]
async fn kept_connection_that_was_closed_costs_no_attempt() {
    let sink = Sink::start(&["204 No Content", HANGS_UP]).await;
    let server = ServerChild::start(&["--deliver", &sink.url, "--max-attempts", "1"]).await;
    for id in ["a", "b"] {
        server.submit(id, "/v1/events", id).await;
        let record = server.until(&format!("/v1/events/{id}"), "completed").await;
        assert_eq!(record["attempt"], 1);
    }
    assert_eq!((sink.count(), sink.connections()), (3, 2));
}

#[tokio::test]
async fn new_connection_that_was_closed_costs_an_attempt() {
    let sink = Sink::start(&[HANGS_UP]).await;
    let server = ServerChild::start(&["--deliver", &sink.url]).await;
    server.submit("a", "/v1/events", "x").await;
    let record = server.until("/v1/events/a", "completed").await;
    assert_eq!((&record["attempt"], sink.count()), (&2.into(), 2));
}

#[tokio::test]
async fn request_is_sent_once_more_at_most() {
    let sink = Sink::start(&["204 No Content", HANGS_UP, HANGS_UP]).await;
    let server = ServerChild::start(&["--deliver", &sink.url]).await;
    server.submit("a", "/v1/events", "x").await;
    server.until("/v1/events/a", "completed").await;
    server.submit("b", "/v1/events", "x").await;
    let record = server.until("/v1/events/b", "completed").await;
    // The kept connection, a new one, and then another attempt.
    assert_eq!((&record["attempt"], sink.count()), (&2.into(), 1 + 2 + 1));
}

#[tokio::test]
async fn response_that_has_begun_is_not_asked_for_again() {
    let sink = Sink::start(&["204 No Content", "HTTP/1.1 20<hangs up>"]).await;
    let server = ServerChild::start(&["--deliver", &sink.url]).await;
    server.submit("a", "/v1/events", "x").await;
    server.until("/v1/events/a", "completed").await;
    server.submit("b", "/v1/events", "x").await;
    let record = server.until("/v1/events/b", "completed").await;
    assert_eq!((&record["attempt"], sink.count()), (&2.into(), 1 + 1 + 1));
}

#[tokio::test]
async fn failed_attempts_are_in_the_log() {
    let sink = Sink::start(&["500 Oh", "410 Gone"]).await;
    let mut server = ServerChild::start(&["--log", "info", "--deliver", &sink.url]).await;
    server.submit("a-1", "/v1/events", "x").await;
    for (level, what, why) in [("INFO", "another will follow", "500"), ("WARN", "the event has failed", "410 Gone")] {
        let line = server.logs(what).await;
        assert!(line.contains(level) && line.contains(r#"key="a-1""#) && line.contains(why), "{line}");
    }
}

#[tokio::test]
async fn delivery_is_a_cloud_event_in_the_form_that_is_chosen() {
    let sink = Sink::start(&[]).await;
    let home = tempfile::tempdir().expect("a directory");
    let secret = home.path().join("secret");
    std::fs::write(&secret, "whsec_YWJj").expect("a file");
    let secret = secret.to_str().expect("text");
    for form in ["cloudevents-binary", "cloudevents-structured"] {
        let options = ["--deliver", &sink.url, "--deliver-as", form, "--deliver-secret-file", secret];
        let server = ServerChild::start(&options).await;
        let target = "/v1/events?source=/shop&type=order.paid&attributes=subject=17%2525";
        server.submit_with("a 1", target, "content-type: application/json\r\n", r#"{"n": 1.50}"#).await;
        server.until("/v1/events/a%201?source=/shop", "completed").await;
    }
    let requests = sink.requests();
    let [binary, structured] = <[String; 2]>::try_from(requests).expect("two");
    for header in
        ["ce-specversion: 1.0", "ce-id: a%201", "ce-source: /shop", "ce-type: order.paid", "ce-subject: 17%25"]
    {
        assert!(binary.contains(&format!("{header}\r\n")), "{header} in {binary}");
    }
    assert!(binary.contains("content-type: application/json\r\n") && binary.ends_with("\r\n\r\n{\"n\": 1.50}"));
    let (head, body) = structured.split_once("\r\n\r\n").expect("a body");
    assert!(head.contains("content-type: application/cloudevents+json; charset=utf-8") && !head.contains("ce-id"));
    let event: cloudevents::Event = serde_json::from_str(body).expect("a CloudEvent");
    assert_eq!((event.id(), event.source().as_str(), event.ty()), ("a 1", "/shop", "order.paid"));
    assert_eq!((event.subject(), event.datacontenttype()), (Some("17%"), Some("application/json")));
    assert!(body.contains("\"data\":{\"n\": 1.50}"), "byte for byte: {body}");
    // The signature is of what is sent.
    let field =
        |name: &str| head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).expect("a header");
    let time = field("webhook-timestamp").parse().expect("seconds");
    let signer = Signer::new(&[Secret::new("whsec_YWJj")]).expect("a signer");
    assert_eq!(field("webhook-signature"), signer.header(field("webhook-id"), time, body.as_bytes()));
}

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Opens a journal at this time, and closes it.
async fn start_at(now: Timestamp, data: &Path) {
    let builder = Eventful::builder().journal(DiskStore::new(data), Durability::default());
    let handler = async |_: Event, _: Attempt| Ok(());
    let eventful = builder.clock(Arc::new(ManualClock::new(now))).start(handler).expect("it starts");
    eventful.shutdown(None).await;
}

/// Encodes every byte with a percent sign.
fn percent(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
