//! Single events.

use crate::server::TestServer;
use eventful::Config;
use serde_json::json;

#[tokio::test]
async fn new_event_is_accepted_and_found_at_its_location() {
    let server = TestServer::default().await;
    server.eventful.pause().await.expect("it pauses");
    let answer = server.envelope(r#"{"id":"a/b ä","source":"s&t","type":"greeting","payload":{"n":1}}"#).await;
    assert_eq!(answer.status, 202);
    let json = answer.json();
    assert_eq!((&json["outcome"], &json["id"], &json["source"]), (&"accepted".into(), &"a/b ä".into(), &"s&t".into()));
    let location = answer.body_location();
    let record = server.get(&location).await.json();
    assert_eq!(
        (&record["id"], &record["source"], &record["type"]),
        (&"a/b ä".into(), &"s&t".into(), &"greeting".into())
    );
    assert!(record["explanation"].is_string());
}

#[tokio::test]
async fn the_same_event_again_is_a_duplicate_with_its_current_status() {
    let server = TestServer::default().await;
    server.envelope(r#"{"id":"a","payload":1}"#).await;
    server.until("a", "completed").await;
    let answer = server.envelope(r#"{"id":"a","payload":1}"#).await;
    assert_eq!(answer.status, 200);
    assert_eq!((&answer.json()["outcome"], &answer.json()["status"]), (&"duplicate".into(), &"completed".into()));
}

#[tokio::test]
async fn other_payload_is_a_conflict_with_both_digests() {
    let server = TestServer::default().await;
    server.envelope(r#"{"id":"a","payload":{"n":1}}"#).await;
    let answer = server.envelope(r#"{"id":"a","payload":{"n": 1}}"#).await;
    assert_eq!((answer.status, answer.problem().as_str()), (409, "conflict"));
    let problem = answer.json();
    let stored = eventful::Digest::of(br#"{"n":1}"#).to_string();
    let received = eventful::Digest::of(br#"{"n": 1}"#).to_string();
    assert_eq!((&problem["stored_digest"], &problem["received_digest"]), (&stored.into(), &received.into()));
    assert!(problem["first_received_at"].as_str().expect("a time").ends_with('Z'));
}

#[tokio::test]
async fn an_id_in_a_header_makes_the_body_the_payload_whatever_it_is() {
    let server = TestServer::default().await;
    for (name, value, status) in [
        ("Idempotency-Key", "a", 202),
        ("Idempotency-Key", r#""a""#, 200),
        ("webhook-id", "a", 200),
        ("webhook-id", "b", 202),
    ] {
        let headers = [(name, value), ("content-type", "text/plain")];
        let answer = server.call("POST", "/v1/events?source=s&type=t", &headers, "hello").await;
        assert_eq!(answer.status, status, "{name}: {value}");
    }
}

#[tokio::test]
async fn headers_of_an_eventful_server_name_source_id_and_type() {
    let server = TestServer::default().await;
    server.eventful.pause().await.expect("it pauses");
    let forwarded =
        [("webhook-id", "eventful:shop%20eu/order/1"), ("eventful-source", "shop%20eu"), ("eventful-type", "a%25b")];
    assert_eq!(server.call("POST", "/v1/events", &forwarded, "x").await.status, 202);
    let record = server.get("/v1/events/order%2F1?source=shop%20eu").await.json();
    assert_eq!((&record["source"], &record["type"]), (&"shop eu".into(), &"a%b".into()));
}

#[tokio::test]
async fn group_is_given_in_each_form_and_shown() {
    let server = TestServer::default().await;
    server.eventful.pause().await.expect("it pauses");
    let id = |id| ("webhook-id", id);
    let json = [("content-type", "application/json")];
    let forwarded = [id("b"), ("eventful-group", "tenant/%C3%A4")];
    let both = [id("c"), ("eventful-group", "header")];
    assert_eq!(server.call("POST", "/v1/events", &json, r#"{"id": "a", "group": "tenant/7"}"#).await.status, 202);
    assert_eq!(server.call("POST", "/v1/events", &forwarded, "x").await.status, 202);
    assert_eq!(server.call("POST", "/v1/events?group=url", &both, "x").await.status, 202);
    for (id, group) in [("a", "tenant/7"), ("b", "tenant/ä"), ("c", "url")] {
        assert_eq!(server.get(&format!("/v1/events/{id}")).await.json()["group"], group);
    }
    let refused = server.call("POST", "/v1/events?group=", &[id("d")], "x").await;
    assert_eq!(refused.status, 400);
    assert!(refused.json()["detail"].as_str().is_some_and(|detail| detail.contains("the name of the group is empty")));
}

#[tokio::test]
async fn id_and_source_headers_name_one_key_in_each_combination() {
    let server = TestServer::default().await;
    let (plain, whole) = (("webhook-id", "a"), ("webhook-id", "eventful:s/a"));
    let (source, none) = (("eventful-source", "s"), ("eventful-source", ""));
    for (target, headers, (key_source, id)) in [
        // A plain id and a source; a source that is given as empty; no source.
        ("/v1/events", vec![plain, source], ("s", "a")),
        ("/v1/events", vec![plain, none], ("", "a")),
        ("/v1/events", vec![plain], ("", "a")),
        // The id of another kind of sender is taken as it is.
        ("/v1/events", vec![whole], ("", "eventful:s/a")),
        ("/v1/events", vec![("idempotency-key", "eventful:s/a"), source], ("s", "eventful:s/a")),
        // The source in the URL wins, and then the id stays whole, or two events could become one.
        ("/v1/events?source=hub", vec![whole, source], ("hub", "eventful:s/a")),
        ("/v1/events?source=hub", vec![plain, source], ("hub", "a")),
        ("/v1/events?source=", vec![whole, source], ("", "eventful:s/a")),
    ] {
        let answer = server.call("POST", target, &headers, "x").await.json();
        assert_eq!((&answer["source"], &answer["id"]), (&key_source.into(), &id.into()), "{target} {headers:?}");
    }
}

#[tokio::test]
async fn type_in_the_url_wins_over_the_one_in_a_header() {
    let server = TestServer::default().await;
    server.eventful.pause().await.expect("it pauses");
    for (id, target, event_type) in [("a", "/v1/events?type=url", "url"), ("b", "/v1/events", "header")] {
        server.call("POST", target, &[("webhook-id", id), ("eventful-type", "header")], "x").await;
        assert_eq!(server.get(&format!("/v1/events/{id}")).await.json()["type"], event_type);
    }
}

#[tokio::test]
async fn source_headers_that_contradict_or_mean_nothing_are_refused() {
    let server = TestServer::default().await;
    for headers in [
        vec![("webhook-id", "eventful:s/a"), ("eventful-source", "other")],
        vec![("webhook-id", "eventful:s/a"), ("eventful-source", "")],
        vec![("webhook-id", "eventful:nonsense"), ("eventful-source", "s")],
        vec![("webhook-id", "eventful:%FF/a"), ("eventful-source", "s")],
        vec![("webhook-id", "a"), ("eventful-source", "%FF")],
        vec![("webhook-id", "a"), ("eventful-source", "s"), ("eventful-source", "s")],
        vec![("webhook-id", "a"), ("eventful-type", "%0A")],
    ] {
        let answer = server.call("POST", "/v1/events", &headers, "x").await;
        assert_eq!((answer.status, answer.problem().as_str()), (400, "invalid"), "{headers:?}");
    }
}

#[tokio::test]
async fn the_envelope_and_the_header_form_name_the_same_event() {
    let server = TestServer::default().await;
    server.envelope(r#"{"id":"a","payload": [1, 2]}"#).await;
    let answer = server.call("POST", "/v1/events", &[("idempotency-key", "a")], "[1, 2]").await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn request_that_makes_no_event_is_refused_and_counted() {
    let server = TestServer::default().await;
    let json = ("content-type", "application/json");
    for (target, headers, body) in [
        ("/v1/events", vec![json], "{"),
        ("/v1/events", vec![json], r#"{"id":""}"#),
        ("/v1/events", vec![json], r#"{"id":"a","extra":1}"#),
        ("/v1/events", vec![json], r#"["a","source","type",1]"#),
        ("/v1/events?source=s", vec![json], r#"{"id":"a"}"#),
        ("/v1/events", vec![("idempotency-key", r#""""#)], "x"),
        ("/v1/events", vec![("idempotency-key", "a"), ("idempotency-key", "b")], "x"),
        ("/v1/events?source=a&source=b", vec![("idempotency-key", "a")], "x"),
        ("/v1/events?soruce=a", vec![("idempotency-key", "a")], "x"),
        ("/v1/events?source=%FF", vec![("idempotency-key", "a")], "x"),
        ("/v1/events?type=%00", vec![("idempotency-key", "a")], "x"),
    ] {
        let answer = server.call("POST", target, &headers, body).await;
        assert_eq!((answer.status, answer.problem().as_str()), (400, "invalid"), "{target} {headers:?} {body}");
    }
    let stats = server.get("/v1/stats").await.json();
    assert_eq!(stats["events_rejected_total"]["invalid"], 11);
    assert_eq!(stats["events_accepted_total"], 0);
}

#[tokio::test]
async fn two_ids_in_headers_are_refused_when_they_differ() {
    let server = TestServer::default().await;
    let (key, webhook) = ("idempotency-key", "webhook-id");
    for (headers, status) in [
        ([(key, "a"), (webhook, "b")], 400),
        ([(webhook, "b"), (key, "a")], 400),
        ([(webhook, "a"), (webhook, "b")], 400),
        ([(key, "a"), (webhook, "")], 400),
        ([(key, "a"), (webhook, "a")], 202),
        ([(key, "\"a\""), (webhook, "a")], 200),
        ([(key, "a"), (key, "\"a\"")], 200),
    ] {
        let answer = server.call("POST", "/v1/events", &headers, "x").await;
        assert_eq!(answer.status, status, "{headers:?}");
        assert!(status != 400 || answer.body.contains("give one id"), "{answer:?}");
    }
    assert_eq!(server.eventful.stats().expect("stats").engine.facts.accepted, 1);
}

#[tokio::test]
async fn byte_order_mark_is_skipped_and_utf16_is_named() {
    let server = TestServer::default().await;
    assert_eq!(server.envelope("\u{feff}{\"id\":\"a\"}").await.status, 202);
    assert_eq!(server.envelope("{\"id\":\"a\"}").await.status, 200);
    let units = "\u{feff}{\"id\":\"b\"}".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
    let mut request = format!(
        "POST /v1/events HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        units.len()
    )
    .into_bytes();
    request.extend(units);
    let answer = server.raw(&request).await;
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("the text is UTF-16"), "{answer}");
}

#[tokio::test]
async fn payload_in_header_form_keeps_its_byte_order_mark() {
    let server = TestServer::default().await;
    let header = [("idempotency-key", "a")];
    assert_eq!(server.call("POST", "/v1/events", &header, "\u{feff}x").await.status, 202);
    assert_eq!(server.call("POST", "/v1/events", &header, "x").await.status, 409);
}

#[tokio::test]
async fn a_header_that_is_not_utf8_is_refused() {
    let server = TestServer::default().await;
    let request =
        b"POST /v1/events HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nwebhook-id: \xff\r\ncontent-length: 0\r\n\r\n";
    let answer = server.raw(request).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
}

#[tokio::test]
async fn id_of_a_mebibyte_is_refused_and_the_server_continues() {
    let server = TestServer::default().await;
    let id = "x".repeat(1 << 20);
    for id in [&id, &id[..1025]] {
        assert_eq!(server.envelope(&format!(r#"{{"id":"{id}"}}"#)).await.status, 400);
    }
    assert_eq!(server.envelope(r#"{"id":"a"}"#).await.status, 202);
}

#[tokio::test]
async fn an_event_over_the_limit_is_too_large_in_either_form() {
    let mut config = Config::default();
    config.max_event_bytes = 100;
    let server = TestServer::start(config).await;
    let body = "x".repeat(101);
    let by_header = server.call("POST", "/v1/events", &[("idempotency-key", "a")], &body).await;
    let by_envelope = server.envelope(&format!(r#"{{"id":"a","payload":"{body}"}}"#)).await;
    for answer in [by_header, by_envelope] {
        assert_eq!((answer.status, answer.problem().as_str()), (413, "too_large"));
    }
    assert_eq!(server.get("/v1/stats").await.json()["events_rejected_total"]["too_large"], 2);
}

#[tokio::test]
async fn a_body_of_another_form_needs_an_id_header() {
    let server = TestServer::default().await;
    for headers in [vec![], vec![("content-type", "text/plain")]] {
        let answer = server.call("POST", "/v1/events", &headers, "hello").await;
        assert_eq!((answer.status, answer.problem().as_str()), (415, "unsupported_media_type"));
    }
    let headers = [("content-type", "Application/JSON; charset=utf-8")];
    assert_eq!(server.call("POST", "/v1/events", &headers, r#"{"id":"a"}"#).await.status, 202);
}

#[tokio::test]
async fn content_encoding_is_kept_with_the_payload() {
    let server = TestServer::default().await;
    server.eventful.pause().await.expect("it pauses");
    let zipped = [("idempotency-key", "a"), ("content-encoding", "Deflate"), ("content-encoding", "identity, gzip")];
    assert_eq!(server.call("POST", "/v1/events", &zipped, "x").await.status, 202);
    assert_eq!(server.get("/v1/events/a").await.json()["content_encoding"], "deflate, gzip");
    // The payload is the bytes as sent: the same bytes are the same payload, whatever the headers claim.
    assert_eq!(server.call("POST", "/v1/events", &zipped[..1], "x").await.status, 200);
    assert_eq!(server.call("POST", "/v1/events", &zipped, "y").await.status, 409);
    let plain = [("idempotency-key", "b"), ("content-encoding", "identity")];
    assert_eq!(server.call("POST", "/v1/events", &plain, "x").await.status, 202);
    assert_eq!(server.get("/v1/events/b").await.json()["content_encoding"], serde_json::Value::Null);
}

#[tokio::test]
async fn attributes_are_kept_by_every_form_and_the_first_stay() {
    let server = TestServer::default().await;
    server.eventful.pause().await.expect("it pauses");
    let (form, id) = (("eventful-attributes", "tenant=blue,a%2Cb=%C3%A4"), ("idempotency-key", "a"));
    let kept = json!({"tenant": "blue", "a,b": "ä"});
    let bodies = [
        server.call("POST", "/v1/events", &[id, form], "x").await,
        server.call("POST", "/v1/events?attributes=tenant=blue,a%252Cb=ä", &[("webhook-id", "b"), form], "x").await,
        server.envelope(r#"{"id":"c","attributes":{"tenant":"blue","a,b":"ä"},"payload":1}"#).await,
    ];
    assert_eq!(bodies.map(|answer| answer.status), [202, 202, 202]);
    for id in ["a", "b", "c"] {
        assert_eq!(server.get(&format!("/v1/events/{id}")).await.json()["attributes"], kept, "{id}");
    }
    let others = server.call("POST", "/v1/events?attributes=tenant=red", &[id], "x").await;
    assert_eq!(others.status, 200);
    let zipped = [("idempotency-key", "d"), ("content-encoding", "gzip")];
    assert_eq!(server.call("POST", "/v1/events", &zipped, "x").await.status, 202);
    assert_eq!(server.get("/v1/events/a").await.json()["attributes"], kept);
    assert_eq!(server.get("/v1/events/d").await.json()["attributes"], serde_json::Value::Null);
}

#[tokio::test]
async fn attributes_that_are_none_are_refused() {
    let server = TestServer::default().await;
    let too_many = (0..17).map(|n| format!("a{n}=x")).collect::<Vec<_>>().join(",");
    for attributes in ["a", "a=1,a=2", "=1", "content-encoding=gzip", "a=%FF", "a=%0A", &too_many] {
        let headers = [("idempotency-key", "a"), ("eventful-attributes", attributes)];
        let answer = server.call("POST", "/v1/events", &headers, "x").await;
        assert_eq!((answer.status, answer.problem().as_str()), (400, "invalid"), "{attributes}");
    }
    let answer = server.envelope(r#"{"id":"a","attributes":{"a":1}}"#).await;
    assert_eq!((answer.status, answer.problem().as_str()), (400, "invalid"));
}

#[tokio::test]
async fn event_with_a_delay_waits_for_its_time() {
    let server = TestServer::default().await;
    let time = "2099-01-01T00:00:00.000000Z";
    let id = |id| [("idempotency-key", id)];
    let bodies = [
        server.call("POST", "/v1/events?not_before=2099-01-01T01:00:00%2B01:00", &id("a"), "x").await,
        server.envelope(&format!(r#"{{"id":"b","not_before":"{time}"}}"#)).await,
        server.call("POST", "/v1/events?delay=1h30m", &id("c"), "x").await,
        server.envelope(r#"{"id":"d","delay":"1h30m"}"#).await,
    ];
    assert_eq!(bodies.map(|answer| answer.status), [202; 4]);
    for id in ["a", "b", "c", "d"] {
        let record = server.get(&format!("/v1/events/{id}")).await.json();
        assert_eq!((&record["status"], &record["place"]), (&"received".into(), &"delayed".into()), "{record}");
        assert_eq!(record["not_before"], record["eligible_at"], "{record}");
        let is_same = record["not_before"] == time;
        assert_eq!(is_same, id < "c", "{record}");
        let explanation = record["explanation"].as_str().unwrap_or_default();
        assert!(explanation.ends_with("until its first attempt may start."), "{record}");
    }
    assert_eq!(server.get("/v1/events/d").await.json()["seq"], 4);
}

#[tokio::test]
async fn start_that_is_none_or_is_given_twice_is_refused() {
    let server = TestServer::default().await;
    for query in ["delay=5", "delay=soon", "not_before=tomorrow", "delay=5s&not_before=2099-01-01T00:00:00Z"] {
        let answer = server.call("POST", &format!("/v1/events?{query}"), &[("idempotency-key", "a")], "x").await;
        assert_eq!((answer.status, answer.problem().as_str()), (400, "invalid"), "{query}");
    }
}

#[tokio::test]
async fn content_encoding_that_is_none_is_refused() {
    let server = TestServer::default().await;
    for encoding in ["g zip", &"x".repeat(1100)] {
        let headers = [("idempotency-key", "a"), ("content-encoding", encoding)];
        assert_eq!(server.call("POST", "/v1/events", &headers, "x").await.status, 400, "{encoding}");
    }
}

#[tokio::test]
async fn encoded_envelope_or_batch_is_refused() {
    let server = TestServer::default().await;
    for (target, kind) in [("/v1/events", "application/json"), ("/v1/events/batch", "application/x-ndjson")] {
        let headers = [("content-type", kind), ("content-encoding", "gzip")];
        let answer = server.call("POST", target, &headers, r#"{"id":"a"}"#).await;
        assert_eq!((answer.status, answer.problem().as_str()), (415, "unsupported_encoding"), "{target}");
        assert_eq!(answer.header("accept-encoding"), Some("identity"));
        let headers = [("content-type", kind), ("content-encoding", "identity")];
        assert!(server.call("POST", target, &headers, r#"{"id":"a"}"#).await.status < 300, "{target}");
    }
}

#[tokio::test]
async fn transfer_coding_other_than_chunked_is_not_implemented() {
    let server = TestServer::default().await;
    for (coding, status) in [
        ("chunked", "202"),
        ("Chunked", "200"),
        ("gzip, chunked", "501"),
        ("gzip\r\ntransfer-encoding: chunked", "501"),
        ("chunked, chunked", "501"),
        ("identity, chunked", "501"),
        // Without chunked at the end, the end of the body is unknown.
        ("gzip", "400"),
    ] {
        let head = "POST /v1/events HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nidempotency-key: a\r\n";
        let request = format!("{head}transfer-encoding: {coding}\r\n\r\n1\r\nx\r\n0\r\n\r\n");
        let answer = server.raw(request.as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{coding}: {answer}");
        assert_eq!(answer.contains("urn:eventful:problem:not_implemented"), status == "501", "{coding}: {answer}");
    }
}

#[tokio::test]
async fn sender_of_a_large_refused_body_gets_the_reason() {
    let server = TestServer::default().await;
    let (id, twice) = (("idempotency-key", "a"), ("idempotency-key", "b"));
    let body = "x".repeat(4_100_000);
    for (target, headers, status) in [
        ("/v1/events", vec![], 415),
        ("/v1/events", vec![id, twice], 400),
        ("/v1/events?soruce=s", vec![("content-type", "application/json")], 400),
        ("/v1/events", vec![id], 413),
        ("/v1/events/batch?source=s", vec![], 400),
        ("/v1/nothing", vec![], 404),
    ] {
        assert_eq!(server.call("POST", target, &headers, &body).await.status, status, "{target} {headers:?}");
    }
}

#[tokio::test]
async fn sender_without_room_learns_when_to_come_back() {
    let mut config = Config::default();
    config.max_pending = 1;
    config.overload_retry_after = std::time::Duration::from_millis(1500);
    let server = TestServer::start(config).await;
    server.envelope(r#"{"id":"hung"}"#).await;
    let answer = server.envelope(r#"{"id":"b"}"#).await;
    assert_eq!((answer.status, answer.problem().as_str()), (503, "overloaded"));
    assert_eq!(answer.header("retry-after"), Some("2"));
}

impl crate::server::TestResponse {
    fn body_location(&self) -> String {
        self.header("location").expect("a location").to_owned()
    }
}
