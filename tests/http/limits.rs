//! Clients that are slow, vanish, or make mistakes.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::server::TestServer;

#[tokio::test(start_paused = true)]
async fn a_half_sent_head_is_cut() {
    let server = TestServer::default().await;
    let answer = server.raw(b"POST /v1/events HTTP/1.1\r\nhost:").await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn half_sent_body_is_cut_with_a_response() {
    let server = TestServer::default().await;
    let head =
        "POST /v1/events HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{";
    let answer = server.raw(head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(answer.contains("urn:eventful:problem:timeout"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn batch_that_stalls_keeps_its_results_and_is_cut() {
    let server = TestServer::default().await;
    let request =
        "POST /v1/events/batch HTTP/1.1\r\nhost: localhost\r\ncontent-length: 99\r\n\r\n{\"id\":\"a\"}\n{\"id\":";
    let answer = server.raw(request.as_bytes()).await;
    assert!(answer.contains(r#""outcome":"accepted","id":"a""#), "{answer}");
    assert!(answer.contains(r#"{"line":2,"outcome":"timeout""#), "{answer}");
    assert_eq!(server.eventful.stats().expect("stats").engine.facts.accepted, 1);
}

#[tokio::test]
async fn absent_event_is_not_found() {
    let server = TestServer::default().await;
    for target in ["/", "/v1", "/v1/events/none", "/v1/events/a/b", "/v2/events"] {
        let answer = server.get(target).await;
        assert_eq!((answer.status, answer.problem().as_str()), (404, "not_found"), "{target}");
    }
    assert_eq!(server.get("/v1/events/%FF").await.status, 400);
    assert_eq!(server.get("/v1/events/%00").await.status, 400);
}

#[tokio::test]
async fn request_with_another_method_gets_the_allowed_ones() {
    let server = TestServer::default().await;
    let answer = server.call("PUT", "/v1/events", &[], "").await;
    assert_eq!((answer.status, answer.problem().as_str()), (405, "method_not_allowed"));
    let allow = answer.header("allow").expect("an Allow header");
    assert!(allow.contains("POST") && allow.contains("GET"), "{allow}");
}

#[tokio::test]
async fn the_description_lists_the_calls_that_there_are() {
    let server = TestServer::default().await;
    let described = server.get("/openapi.json").await.json();
    let Value::Object(paths) = &described["paths"] else { panic!("no paths") };
    assert_eq!(paths.len(), 24);
    for (path, methods) in paths {
        let mut listed: Vec<_> =
            methods.as_object().expect("methods").keys().map(|name| name.to_ascii_uppercase()).collect();
        let target = path.replace("{id}", "a").replace("{run}", "1-1").replace("{name}", "a");
        let answer = server.call("OPTIONS", &target, &[], "").await;
        assert_eq!(answer.status, 405, "{path}");
        let mut there: Vec<_> =
            answer.header("allow").expect("allowed").split(',').filter(|name| *name != "HEAD").collect();
        listed.sort_unstable();
        there.sort_unstable();
        assert_eq!(listed, there, "{path}");
    }
}

#[tokio::test]
async fn links_lead_to_operations_and_their_parameters() {
    let described = TestServer::default().await.get("/openapi.json").await.json();
    let named = |parameter: &Value| {
        let path = parameter["$ref"].as_str().and_then(|path| path.strip_prefix('#'));
        let parameter = path.map_or(parameter, |path| described.pointer(path).expect("a parameter"));
        parameter["name"].as_str().expect("a name").to_owned()
    };
    let Value::Object(paths) = &described["paths"] else { panic!("no paths") };
    let operations: Vec<_> = paths.values().flat_map(|path| path.as_object().expect("methods").values()).collect();
    let by_id: BTreeMap<_, Vec<_>> = operations
        .iter()
        .map(|operation| {
            let parameters = operation["parameters"].as_array().into_iter().flatten().map(named).collect();
            (operation["operationId"].as_str().expect("an id"), parameters)
        })
        .collect();
    assert_eq!(by_id.len(), operations.len(), "two operations have one id");
    let responses = operations.iter().flat_map(|operation| operation["responses"].as_object().expect("some").values());
    let links: Vec<_> = responses.filter_map(|response| response["links"].as_object()).flatten().collect();
    assert!(links.len() > 10, "{links:?}");
    for (name, link) in links {
        let parameters = &by_id[link["operationId"].as_str().expect("an id")];
        for parameter in link["parameters"].as_object().expect("parameters").keys() {
            assert!(parameters.contains(parameter), "{name}: {parameter} is no parameter of {}", link["operationId"]);
        }
    }
}

#[tokio::test]
async fn a_parameter_that_is_not_known_is_named_with_those_that_are() {
    let server = TestServer::default().await;
    for (target, hint) in [
        ("/v1/events?state=failed", r#"unknown parameter "state": this call takes status, source, type, error,"#),
        ("/v1/events?status=done", r#"unknown status "done": known are received, processing,"#),
    ] {
        let answer = server.get(target).await;
        assert_eq!((answer.status, answer.problem().as_str()), (400, "invalid"), "{target}");
        assert!(answer.body.replace('\\', "").contains(hint), "{answer:?}");
    }
    let headers = [("content-type", "application/json")];
    let answer = server.call("POST", "/v1/events?source=s", &headers, r#"{"id":"a"}"#).await;
    assert!(answer.body.contains("an envelope has its source inside"), "{answer:?}");
}
