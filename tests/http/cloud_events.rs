//! CloudEvents in each mode, made by the official SDK.

use crate::server::{TestResponse, TestServer};
use cloudevents::{AttributesReader as _, EventBuilder as _, EventBuilderV10};
use serde_json::{Value, json};

const STRUCTURED: &str = "application/cloudevents+json";

#[tokio::test]
async fn one_event_in_two_modes_is_a_duplicate() {
    let server = TestServer::default().await;
    server.eventful.pause().await.expect("it pauses");
    let event = order(json!({"n": 1, "items": ["ä", 1.50]}));
    let answer = structured(&server, &event).await;
    assert_eq!(
        (answer.status, &answer.json()["source"], &answer.json()["id"]),
        (202, &"/shop/eu".into(), &"order-1".into())
    );
    let record = server.get(answer.header("location").expect("a location")).await.json();
    assert_eq!((&record["type"], &record["content_type"]), (&"order.created".into(), &"application/json".into()));
    let time = event.time().expect("a time").to_rfc3339();
    assert_eq!(record["attributes"]["subject"], "17 %");
    assert!(time.starts_with(&record["attributes"]["time"].as_str().expect("a time")[..19]), "{time}");
    assert_eq!((&record["attributes"]["tenant"], &record["attributes"]["priority"]), (&"blue".into(), &"3".into()));
    // The same data, written by another program.
    for body in [r#"{"items":["ä",1.5],"n":1}"#, "{ \"n\": 1, \"items\": [\"\\u00e4\", 1.5] }"] {
        let again = binary(&server, &event, "application/json; charset=utf-8", body).await;
        assert_eq!((again.status, &again.json()["outcome"]), (200, &"duplicate".into()), "{body}");
    }
    let other = binary(&server, &event, "application/json", r#"{"items":["ä",1.5],"n":2}"#).await;
    assert_eq!((other.status, other.problem().as_str()), (409, "conflict"));
}

#[tokio::test]
async fn data_that_is_no_json_is_the_same_in_each_mode() {
    let server = TestServer::default().await;
    server.eventful.pause().await.expect("it pauses");
    for (id, content_type, data, body) in [
        ("text", "text/plain", json!({"data": "grüße"}), "grüße"),
        ("bytes", "application/octet-stream", json!({"data_base64": "AGE="}), "\0a"),
        ("none", "", json!({}), ""),
    ] {
        let mut event = json!({"specversion": "1.0", "id": id, "source": "s", "type": "t"});
        let fields = event.as_object_mut().expect("an object");
        fields.extend(data.as_object().expect("an object").clone());
        if !content_type.is_empty() {
            fields.insert("datacontenttype".to_owned(), content_type.into());
        }
        assert_eq!(post(&server, STRUCTURED, &event.to_string()).await.status, 202, "{id}");
        let headers = [
            ("ce-specversion", "1.0"),
            ("ce-id", id),
            ("ce-source", "s"),
            ("ce-type", "t"),
            ("content-type", content_type),
        ];
        let headers = &headers[..if content_type.is_empty() { 4 } else { 5 }];
        assert_eq!(server.call("POST", "/v1/events", headers, body).await.status, 200, "{id}");
    }
}

#[tokio::test]
async fn batch_is_answered_event_by_event() {
    let server = TestServer::default().await;
    let (one, two) = (order(json!(1)), order(json!(2)));
    let batch = json!([one, two, {"specversion": "1.0"}, one]).to_string();
    let answer = post(&server, "application/cloudevents-batch+json", &batch).await;
    let outcomes: Vec<_> = answer.lines().iter().map(|line| (line["line"].as_u64(), line["outcome"].clone())).collect();
    let due = ["accepted", "conflict", "invalid", "duplicate"];
    assert_eq!(answer.status, 200);
    assert_eq!(
        outcomes,
        due.iter().zip(1..).map(|(outcome, line)| (Some(line), Value::from(*outcome))).collect::<Vec<_>>()
    );
    assert_eq!(post(&server, "application/cloudevents-batch+json", "[]").await.status, 200);
}

#[tokio::test]
async fn event_that_is_none_is_refused() {
    let server = TestServer::default().await;
    let whole = || json!({"specversion": "1.0", "id": "a", "source": "s", "type": "t"});
    let with = |name: &str, value: Value| {
        let mut event = whole();
        event[name] = value;
        event.to_string()
    };
    let mut bodies = vec!["".to_owned(), "{".to_owned(), "[]".to_owned(), "null".to_owned(), "{}".to_owned()];
    bodies.extend(["specversion", "id", "source", "type"].map(|name| with(name, Value::Null)));
    bodies.extend(["specversion", "id", "source", "type"].map(|name| with(name, "".into())));
    bodies.extend([with("specversion", "0.3".into()), with("Extension", "a".into()), with("a_b", "a".into())]);
    bodies.extend([with("list", json!([])), with("object", json!({})), with("data_base64", "*".into())]);
    bodies.push(
        json!({"specversion": "1.0", "id": "a", "source": "s", "type": "t", "data": 1, "data_base64": "YQ=="})
            .to_string(),
    );
    bodies.push(r#"{"specversion":"1.0","id":"a","id":"b","source":"s","type":"t"}"#.to_owned());
    bodies.push(r#"{"specversion":"1.0","id":"a","source":"s","type":"t","data":1,"data":1}"#.to_owned());
    for body in bodies {
        let answer = post(&server, STRUCTURED, &body).await;
        assert_eq!((answer.status, answer.problem().as_str()), (400, "invalid"), "{body}");
    }
    for body in ["", "{}", "[1"] {
        let answer = post(&server, "application/cloudevents-batch+json", body).await;
        assert_eq!((answer.status, answer.problem().as_str()), (400, "invalid"), "{body}");
    }
    for headers in [
        &[("ce-specversion", "1.0")][..],
        &[("ce-specversion", "0.3"), ("ce-id", "a"), ("ce-source", "s"), ("ce-type", "t")],
        &[("ce-specversion", "1.0"), ("ce-id", "a"), ("ce-source", "s"), ("ce-type", "t"), ("ce-a_b", "1")],
        &[("ce-specversion", "1.0"), ("ce-id", "a"), ("ce-id", "b"), ("ce-source", "s"), ("ce-type", "t")],
        &[("ce-specversion", "1.0"), ("ce-id", "%FF"), ("ce-source", "s"), ("ce-type", "t")],
    ] {
        let answer = server.call("POST", "/v1/events", headers, "x").await;
        assert_eq!((answer.status, answer.problem().as_str()), (400, "invalid"), "{headers:?}");
    }
    assert_eq!(server.eventful.stats().expect("not broken").engine.facts.accepted, 0);
}

#[tokio::test]
async fn id_header_makes_any_body_the_payload() {
    let server = TestServer::default().await;
    let headers = [("idempotency-key", "a"), ("content-type", STRUCTURED)];
    assert_eq!(server.call("POST", "/v1/events", &headers, "{}").await.status, 202);
}

fn order(data: Value) -> cloudevents::Event {
    EventBuilderV10::new()
        .id("order-1")
        .source("/shop/eu")
        .ty("order.created")
        .subject("17 %")
        .time("2023-11-14T22:13:20Z")
        .extension("tenant", "blue")
        .extension("priority", 3)
        .data("application/json", data)
        .build()
        .expect("a CloudEvent")
}

async fn structured(server: &TestServer, event: &cloudevents::Event) -> TestResponse {
    post(server, STRUCTURED, &serde_json::to_string(event).expect("it is written")).await
}

async fn post(server: &TestServer, content_type: &str, body: &str) -> TestResponse {
    server.call("POST", "/v1/events", &[("content-type", content_type)], body).await
}

/// Returns the attributes of an event as headers.
async fn binary(server: &TestServer, event: &cloudevents::Event, content_type: &str, body: &str) -> TestResponse {
    let mut headers: Vec<_> = event.iter().map(|(name, value)| (format!("ce-{name}"), value.to_string())).collect();
    headers.retain(|(name, _)| name != "ce-datacontenttype");
    headers.iter_mut().for_each(|(_, value)| *value = value.replace('%', "%25").replace(' ', "%20"));
    headers.push(("content-type".to_owned(), content_type.to_owned()));
    let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    server.call("POST", "/v1/events", &headers, body).await
}
