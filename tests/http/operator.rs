//! Calls of operators.

use crate::server::TestServer;

const ALL_FAILED: &str = "/v1/redrive?status=failed";

#[tokio::test]
async fn a_failed_event_shows_its_error_and_can_be_redriven() {
    let server = TestServer::default().await;
    server.envelope(r#"{"id":"bad","payload":1}"#).await;
    server.until("bad", "failed").await;
    let record = server.get("/v1/events/bad").await.json();
    assert_eq!((&record["last_error"], &record["attempt"]), (&"it is bad".into(), &1.into()));
    assert_eq!(record["history"][0]["end"], "failed");
    assert_eq!(server.call("POST", "/v1/events/bad/redrive", &[], "").await.status, 204);
    server.until("bad", "failed").await;
    assert_eq!(server.call("POST", ALL_FAILED, &[], "").await.json()["redriven"], 1);
}

#[tokio::test]
async fn a_redrive_of_all_with_a_body_is_refused_and_redrives_none() {
    let server = TestServer::default().await;
    server.envelope(r#"{"id":"bad","payload":1}"#).await;
    server.until("bad", "failed").await;
    server.call("POST", "/v1/pause", &[], "").await;
    let answer = server.call("POST", ALL_FAILED, &[], r#"{"id":"no"}"#).await;
    assert_eq!((answer.status, answer.problem().as_str()), (400, "invalid"));
    let detail = answer.json()["detail"].to_string();
    assert!(detail.contains("POST /v1/events/{id}/redrive is for one event"), "{detail}");
    let chunked = "POST /v1/redrive?status=failed HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
    assert!(server.raw(chunked.as_bytes()).await.starts_with("HTTP/1.1 400"));
    assert_eq!(server.get("/v1/events/bad").await.json()["status"], "failed");
    assert_eq!(server.call("POST", ALL_FAILED, &[], "").await.json()["redriven"], 1);
}

#[tokio::test]
async fn redrive_of_all_must_say_so() {
    let server = TestServer::default().await;
    server.envelope(r#"{"id":"bad"}"#).await;
    server.until("bad", "failed").await;
    for target in ["/v1/redrive", "/v1/redrive?after=0", "/v1/redrive?status=received", "/v1/redrive?status"] {
        let answer = server.call("POST", target, &[], "").await;
        assert_eq!((answer.status, answer.problem().as_str()), (400, "invalid"), "{target}");
        assert!(answer.body.contains("POST /v1/redrive?status=failed"), "{answer:?}");
    }
    assert_eq!(server.get("/v1/events/bad").await.json()["attempt"], 1);
}

#[tokio::test]
async fn redrive_of_all_says_how_many_are_left_and_how_to_continue() {
    let server = TestServer::default().await;
    let body: String = (0..230).map(|n| format!("{{\"id\":\"bad-{n}\"}}\n")).collect();
    server.call("POST", "/v1/events/batch", &[], &body).await;
    for n in 0..230 {
        server.until(&format!("bad-{n}"), "failed").await;
    }
    server.call("POST", "/v1/pause", &[], "").await;
    let mut target = ALL_FAILED.to_owned();
    for (redriven, left) in [(100, 130), (100, 30), (30, 0)] {
        let answer = server.call("POST", &target, &[], "").await.json();
        assert_eq!((&answer["redriven"], &answer["left"]), (&redriven.into(), &left.into()), "{answer}");
        let Some(next) = answer["next"].as_str() else {
            assert!(left == 0 && answer.get("detail").is_none(), "{answer}");
            break;
        };
        target = format!("{ALL_FAILED}&after={next}");
        assert_eq!(answer["detail"], format!("{left} failed events are left: POST {target}"));
    }
}

#[tokio::test]
async fn call_for_many_changes_no_more_than_its_limit() {
    let server = TestServer::default().await;
    for n in 0..5 {
        server.envelope(&format!(r#"{{"id":"bad-{n}"}}"#)).await;
        server.until(&format!("bad-{n}"), "failed").await;
    }
    server.call("POST", "/v1/pause", &[], "").await;
    let answer = server.call("POST", &format!("{ALL_FAILED}&limit=2"), &[], "").await.json();
    let next = answer["next"].as_str().expect("there is more");
    assert_eq!((&answer["redriven"], &answer["left"]), (&2.into(), &3.into()), "{answer}");
    let again = format!("3 failed events are left: POST {ALL_FAILED}&limit=2&after={next}");
    assert_eq!(answer["detail"], again);
    let rest = server.call("POST", &format!("/v1/discard?status=failed&limit=1&after={next}"), &[], "").await.json();
    assert_eq!((&rest["discarded"], &rest["left"]), (&1.into(), &2.into()), "{rest}");
    // A page is as long as it may be, however many a caller would take.
    let rest = server.call("POST", &format!("{ALL_FAILED}&limit=18446744073709551615"), &[], "").await.json();
    assert_eq!((&rest["redriven"], &rest["left"], rest.get("next")), (&2.into(), &0.into(), None), "{rest}");
    for call in [ALL_FAILED, "/v1/discard?status=received"] {
        for limit in ["0", "-1", "x", ""] {
            let refused = server.call("POST", &format!("{call}&limit={limit}"), &[], "").await;
            assert_eq!((refused.status, refused.problem().as_str()), (400, "invalid"), "{call} {limit}");
            assert!(refused.body.contains("limit is") && refused.body.contains("from 1"), "{refused:?}");
        }
    }
    assert_eq!(server.get("/v1/stats").await.json()["records"]["received"], 4);
}

#[tokio::test]
async fn number_that_is_too_large_is_refused_with_its_range() {
    let server = TestServer::default().await;
    for (target, range) in [
        ("/v1/events?limit=99999999999999999999", "from 1 to 1000"),
        ("/v1/events?after=99999999999999999999", "from 0 to 18446744073709551615"),
    ] {
        let answer = server.get(target).await;
        let detail = answer.json()["detail"].to_string();
        assert!(answer.status == 400 && detail.contains(range), "{target}: {detail}");
    }
}

#[tokio::test]
async fn a_tombstone_shows_what_it_knows_and_nothing_else() {
    let server = TestServer::default().await;
    for id in ["a", "bad"] {
        server.envelope(&format!(r#"{{"id":"{id}","payload":1}}"#)).await;
    }
    server.until("a", "completed").await;
    server.until("bad", "failed").await;
    let (tombstone, kept) = (server.get("/v1/events/a").await.json(), server.get("/v1/events/bad").await.json());
    for name in ["status", "queued", "attempt", "digest", "accepted_at", "terminal_at", "explanation"] {
        assert!(tombstone.get(name).is_some() && kept.get(name).is_some(), "{name}");
    }
    for name in ["charged", "size_bytes", "history"] {
        assert!(tombstone.get(name).is_none() && kept.get(name).is_some(), "{name}");
    }
}

#[tokio::test]
async fn a_page_of_another_site_may_call_nothing() {
    let server = TestServer::default().await;
    for origin in ["http://elsewhere.example", "https://localhost.example", "http://localhost:81", "null"] {
        let answer = server.call("POST", "/v1/pause", &[("origin", origin)], "").await;
        assert_eq!((answer.status, answer.problem().as_str()), (403, "cross_site"), "{origin}");
    }
    assert!(!server.eventful.stats().expect("numbers").paused);
    assert_eq!(server.call("POST", "/v1/pause", &[("origin", "http://LOCALHOST:80")], "").await.status, 204);
}

#[tokio::test]
async fn rebound_name_reaches_nothing_on_a_loopback_address() {
    let server = TestServer::default().await;
    for origin in ["", "origin: http://evil.example\r\n"] {
        let head = "POST /v1/pause HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\ncontent-length: 0\r\n";
        let answer = server.raw(format!("{head}{origin}\r\n").as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 421") && answer.contains("urn:eventful:problem:misdirected"), "{answer}");
    }
    let without = server.raw(b"POST /v1/pause HTTP/1.1\r\nconnection: close\r\n\r\n").await;
    assert!(without.starts_with("HTTP/1.1 400"), "{without}");
    assert!(!server.eventful.stats().expect("numbers").paused);
    let old = server.raw(b"POST /v1/pause HTTP/1.0\r\n\r\n").await;
    assert!(old.starts_with("HTTP/1.0 204"), "{old}");
}

#[tokio::test]
async fn refused_redrive_or_discard_says_why() {
    let server = TestServer::default().await;
    server.envelope(r#"{"id":"a"}"#).await;
    server.until("a", "completed").await;
    for (method, target, status, problem) in [
        ("POST", "/v1/events/none/redrive", 404, "not_found"),
        ("POST", "/v1/events/a/redrive", 409, "not_failed"),
        ("DELETE", "/v1/events/none", 404, "not_found"),
        ("DELETE", "/v1/events/a", 409, "completed"),
    ] {
        let answer = server.call(method, target, &[], "").await;
        assert_eq!((answer.status, answer.problem().as_str()), (status, problem), "{method} {target}");
    }
}

#[tokio::test]
async fn an_event_may_be_called_batch() {
    let server = TestServer::default().await;
    server.call("POST", "/v1/pause", &[], "").await;
    server.envelope(r#"{"id":"batch"}"#).await;
    assert_eq!(server.get("/v1/events/batch").await.json()["id"], "batch");
    assert_eq!(server.call("POST", "/v1/events/batch/redrive", &[], "").await.problem(), "not_failed");
    assert_eq!(server.call("DELETE", "/v1/events/batch", &[], "").await.status, 204);
    assert_eq!(server.get("/v1/events/batch").await.json()["status"], "discarded");
}

#[tokio::test]
async fn paused_events_wait_until_resumed() {
    let server = TestServer::default().await;
    assert_eq!(server.call("POST", "/v1/pause", &[], "").await.status, 204);
    server.envelope(r#"{"id":"a"}"#).await;
    assert_eq!(server.get("/v1/events/a").await.json()["status"], "received");
    assert_eq!(server.get("/v1/stats").await.json()["paused"], 1);
    let ready = server.get("/readyz").await;
    assert_eq!((ready.status, ready.body.starts_with("ready, and paused")), (200, true), "{ready:?}");
    assert_eq!(server.call("POST", "/v1/resume", &[], "").await.status, 204);
    assert_eq!(server.get("/readyz").await.body, "ready\n");
    server.until("a", "completed").await;
}

#[tokio::test]
async fn paused_group_is_shown_and_waits_until_resumed() {
    let server = TestServer::default().await;
    assert_eq!(server.call("POST", "/v1/pause?group=tenant/7", &[], "").await.status, 204);
    assert_eq!(server.call("POST", "/v1/events?group=tenant/7", &[("webhook-id", "a")], "x").await.status, 202);
    server.envelope(r#"{"id":"b","group":"tenant/8"}"#).await;
    server.until("b", "completed").await;
    let record = server.get("/v1/events/a").await.json();
    assert_eq!(record["explanation"], "It waits because its group tenant/7 is paused; resume it.");
    let stats = server.get("/v1/stats").await.json();
    assert_eq!((&stats["paused_groups"], &stats["groups_paused"]), (&serde_json::json!({"tenant/7": 1}), &1.into()));
    assert_eq!(stats["paused"], 0);
    assert_eq!(server.call("POST", "/v1/resume?group=tenant/7", &[], "").await.status, 204);
    server.until("a", "completed").await;
    for call in ["/v1/pause?group=", "/v1/resume?group=", "/v1/pause?groups=a"] {
        assert_eq!(server.call("POST", call, &[], "").await.status, 400, "{call}");
    }
}

#[tokio::test]
async fn page_has_a_thousand_records_at_most_and_one_at_least() {
    let server = TestServer::default().await;
    server.call("POST", "/v1/pause", &[], "").await;
    let body: String = (0..1001).map(|n| format!("{{\"id\":\"e{n}\"}}\n")).collect();
    server.call("POST", "/v1/events/batch", &[], &body).await;
    for (limit, shown) in [(5000, 1000), (1001, 1000), (1000, 1000), (0, 1)] {
        let page = server.get(&format!("/v1/events?limit={limit}")).await.json();
        assert_eq!(page["records"].as_array().map(Vec::len), Some(shown), "{limit}");
    }
}

#[tokio::test]
async fn pages_show_every_record_once() {
    let server = TestServer::default().await;
    server.call("POST", "/v1/pause", &[], "").await;
    let body: String = (0..25).map(|n| format!("{{\"id\":\"{n:02}\"}}\n")).collect();
    server.call("POST", "/v1/events/batch", &[], &body).await;
    let mut ids = Vec::new();
    let mut after = "0".to_owned();
    loop {
        let page = server.get(&format!("/v1/events?status=received&limit=10&after={after}")).await.json();
        let records = page["records"].as_array().expect("records").clone();
        ids.extend(records.iter().map(|record| record["id"].as_str().expect("an id").to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        after = next.to_owned();
    }
    ids.sort();
    assert_eq!(ids, (0..25).map(|n| format!("{n:02}")).collect::<Vec<_>>());
    assert_eq!(server.get("/v1/events?status=odd").await.status, 400);
    assert_eq!(server.get("/v1/events?limit=x").await.status, 400);
    for after in ["-1", "1.5", "", "18446744073709551616"] {
        assert_eq!(server.get(&format!("/v1/events?after={after}")).await.status, 400, "{after}");
    }
    let beyond = server.get(&format!("/v1/events?after={}", u64::MAX)).await.json();
    assert_eq!(beyond, serde_json::json!({ "records": [] }));
}
