//! Spans, taken by a collector.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use tokio::net::TcpListener;

use crate::process::{ServerChild, run, spawn};
use crate::sink::Sink;

/// The context of the sender.
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

/// A collector that keeps what it takes.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Taken>>);

#[derive(Default)]
struct Taken {
    spans: Vec<Span>,
    services: Vec<String>,
    types: Vec<String>,
}

impl Collector {
    /// Returns it with its URL. It responds with this status.
    async fn start(status: StatusCode) -> (Self, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("its address"));
        let collector = Self::default();
        let taker = collector.clone();
        let take = async move |headers: HeaderMap, body: Bytes| {
            if status.is_success() {
                taker.take(&headers, body);
            }
            status
        };
        tokio::spawn(async { axum::serve(listener, Router::new().route("/v1/traces", post(take))).await });
        (collector, url)
    }

    fn take(&self, headers: &HeaderMap, body: Bytes) {
        let request = ExportTraceServiceRequest::decode(body).expect("an export");
        let mut taken = self.0.lock().expect("what was taken");
        taken.types.push(headers["content-type"].to_str().expect("text").to_owned());
        for resource in request.resource_spans {
            let attributes = resource.resource.expect("a resource").attributes;
            taken.services.push(values(&attributes)["service.name"].clone());
            taken.spans.extend(resource.scope_spans.into_iter().flat_map(|scope| scope.spans));
        }
    }

    /// Returns the spans with this name, in the order in which they began.
    fn spans(&self, name: &str) -> Vec<Span> {
        let taken = self.0.lock().expect("what was taken");
        let mut spans: Vec<_> = taken.spans.iter().filter(|span| span.name == name).cloned().collect();
        spans.sort_by_key(|span| span.start_time_unix_nano);
        spans
    }
}

fn values(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |value: &Option<AnyValue>| match value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        other => panic!("neither text nor number: {other:?}"),
    };
    attributes.iter().map(|pair| (pair.key.clone(), text(&pair.value))).collect()
}

fn hex(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn stop(server: ServerChild) -> (String, String) {
    server.signal("TERM");
    server.rest().await
}

#[tokio::test]
async fn spans_lead_from_the_sender_to_each_delivery() {
    let (collector, url) = Collector::start(StatusCode::OK).await;
    let sink = Sink::start(&["503 Service Unavailable"]).await;
    let server = ServerChild::start(&["--deliver", &sink.url, "--otlp", &url]).await;
    let traceparent = format!("traceparent: 00-{TRACE}-{PARENT}-01\r\ntracestate: vendor=1\r\n");
    server.submit_with("order-17", "/v1/events?source=shop&type=order.paid", &traceparent, "three apples").await;
    server.until("/v1/events/order-17?source=shop", "completed").await;
    stop(server).await;

    let [request] = &collector.spans("POST /v1/events")[..] else { panic!("not one request") };
    assert_eq!((hex(&request.trace_id), hex(&request.parent_span_id)), (TRACE.to_owned(), PARENT.to_owned()));
    assert_eq!((request.kind, &*request.trace_state), (2, "vendor=1"), "a server's");
    let about = values(&request.attributes);
    assert_eq!((&*about["http.response.status_code"], &*about["http.route"]), ("202", "/v1/events"));

    let attempts = collector.spans("attempt");
    assert_eq!((attempts.len(), sink.count()), (2, 2));
    for (attempt, delivery) in attempts.iter().zip(sink.requests()) {
        assert_eq!((hex(&attempt.trace_id), &attempt.parent_span_id), (TRACE.to_owned(), &request.span_id));
        assert_eq!(attempt.kind, 5, "a consumer's");
        let context = format!("traceparent: 00-{TRACE}-{}-01\r\n", hex(&attempt.span_id));
        assert!(delivery.contains(&context) && delivery.contains("tracestate: vendor=1\r\n"), "{context} {delivery}");
    }
    let about: Vec<_> = attempts.iter().map(|attempt| values(&attempt.attributes)).collect();
    for (name, first, second) in [
        ("eventful.attempt", Some("1"), Some("2")),
        ("eventful.failure", Some("retry"), None),
        ("cloudevents.event_id", Some("order-17"), Some("order-17")),
        ("cloudevents.event_source", Some("shop"), Some("shop")),
        ("cloudevents.event_type", Some("order.paid"), Some("order.paid")),
        ("messaging.message.body.size", Some("12"), Some("12")),
    ] {
        let found = about.iter().map(|about| about.get(name).map(String::as_str)).collect::<Vec<_>>();
        assert_eq!(found, [first, second], "{name}");
    }
    let status = attempts[0].status.as_ref().expect("a status");
    assert_eq!((status.code, &*status.message), (2, "the target answered 503 Service Unavailable"));
    assert!(attempts[1].status.as_ref().is_none_or(|status| status.code != 2), "{:?}", attempts[1]);
    let taken = collector.0.lock().expect("what was taken");
    assert!(taken.services.iter().all(|service| service == "eventful"), "{:?}", taken.services);
    assert!(taken.types.iter().all(|kind| kind == "application/x-protobuf"), "{:?}", taken.types);
}

#[tokio::test]
async fn events_of_a_batch_belong_to_its_request() {
    let (collector, url) = Collector::start(StatusCode::OK).await;
    let server = ServerChild::start(&["--exec", "true", "--otlp", &url]).await;
    let lines = "{\"id\": \"a\"}\n{\"id\": \"b\"}\n{\"id\": \n";
    let response = server.send("POST", "/v1/events/batch", "content-type: application/x-ndjson\r\n", lines).await;
    assert!(response.starts_with("HTTP/1.1 200"), "{response}");
    for id in ["a", "b"] {
        server.until(&format!("/v1/events/{id}"), "completed").await;
    }
    let refused = server.send("POST", "/v1/events", "", "no id").await;
    assert!(refused.starts_with("HTTP/1.1 415"), "{refused}");
    server.get("/v1/stats").await;
    stop(server).await;

    let [batch] = &collector.spans("POST /v1/events/batch")[..] else { panic!("not one batch") };
    assert!(batch.parent_span_id.is_empty(), "no context was sent");
    let attempts = collector.spans("attempt");
    assert_eq!(attempts.len(), 2);
    for attempt in &attempts {
        assert_eq!((&attempt.trace_id, &attempt.parent_span_id), (&batch.trace_id, &batch.span_id));
    }
    let [refused] = &collector.spans("POST /v1/events")[..] else { panic!("not one request") };
    assert_eq!(values(&refused.attributes)["http.response.status_code"], "415");
    assert!(refused.status.as_ref().is_none_or(|status| status.code != 2), "a mistake of the client");
    assert_eq!(collector.0.lock().expect("what was taken").spans.len(), 4, "nothing else has a span");
}

#[tokio::test]
async fn trace_that_is_not_sampled_is_passed_on_without_spans() {
    let (collector, url) = Collector::start(StatusCode::OK).await;
    let sink = Sink::start(&[]).await;
    let server = ServerChild::start(&["--deliver", &sink.url, "--otlp", &url]).await;
    server.submit_with("a", "/v1/events", &format!("traceparent: 00-{TRACE}-{PARENT}-00\r\n"), "x").await;
    server.until("/v1/events/a", "completed").await;
    stop(server).await;
    assert!(sink.requests()[0].contains(&format!("traceparent: 00-{TRACE}-")), "{:?}", sink.requests());
    assert_eq!(collector.0.lock().expect("what was taken").spans, []);
}

#[tokio::test]
async fn collector_that_takes_nothing_holds_up_nothing() {
    let (_, refusing) = Collector::start(StatusCode::SERVICE_UNAVAILABLE).await;
    let absent = "http://127.0.0.1:9".to_owned();
    for (url, why) in [(refusing, "it responds 503 Service Unavailable"), (absent, "onnection refused")] {
        let child = spawn(&["--exec", "true", "--otlp", &url, "--log", "info"]);
        let server = ServerChild::of(child).await;
        server.submit("a", "/v1/events", "x").await;
        server.until("/v1/events/a", "completed").await;
        let (_, log) = stop(server).await;
        let lost = format!("the collector at {url}/v1/traces takes no spans: ");
        assert!(log.contains(&lost) && log.contains(why) && log.matches(&lost).count() == 1, "{log}");
    }
}

#[tokio::test]
async fn address_that_is_no_collector_is_refused() {
    for (url, why) in [
        ("localhost:4318", "the scheme is missing"),
        ("grpc://localhost:4317", "neither http nor https"),
        ("http://a/?b", "a query would not be sent"),
    ] {
        let (code, _, stderr) = run(&["serve", "--otlp", url]).await;
        assert!(code == 2 && stderr.contains(why), "{url}: {code} {stderr}");
    }
}
