//! Bodies of envelopes, CloudEvents and batches: the first byte chooses among them.
#![no_main]

use axum::body::Body;
use axum::http::Request;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((choice, body)) = data.split_first() else { return };
    let (path, content_type) = match choice % 4 {
        0 => ("/v1/events", "application/json"),
        1 => ("/v1/events", "application/cloudevents+json"),
        2 => ("/v1/events", "application/cloudevents-batch+json"),
        _ => ("/v1/events/batch", "application/x-ndjson"),
    };
    let request = Request::post(path).header("host", "localhost").header("content-type", content_type);
    let response = eventful_fuzz::call(request.body(Body::from(body.to_vec())).expect("a request"));
    assert!(matches!(response.status().as_u16(), 200 | 202 | 400 | 409 | 413 | 503), "{}", response.status());
});
