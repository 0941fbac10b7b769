//! Requests to sources: the first byte chooses the preset, headers and body follow as in `header_forms`. No input has a
//! right signature, so no event may be accepted.
#![no_main]

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Request};
use libfuzzer_sys::fuzz_target;

const SIGNED: [&str; 6] = [
    "webhook-signature",
    "x-hub-signature-256",
    "stripe-signature",
    "x-slack-signature",
    "x-shopify-hmac-sha256",
    "x-hub-signature-256",
];

fuzz_target!(|data: &[u8]| {
    let Some((choice, rest)) = data.split_first() else { return };
    let preset = usize::from(*choice) % SIGNED.len();
    let mut parts = rest.splitn(3, |byte| *byte == b'\n');
    let mut request = Request::post(format!("/in/s{preset}")).header("host", "localhost");
    for name in [SIGNED[preset], "webhook-timestamp"] {
        if let Ok(value) = HeaderValue::from_bytes(parts.next().unwrap_or_default()) {
            request = request.header(HeaderName::from_static(name), value);
        }
    }
    let request = request.header("webhook-id", "a").header("x-slack-request-timestamp", "1");
    let body = Body::from(parts.next().unwrap_or_default().to_vec());
    let response = eventful_fuzz::call(request.body(body).expect("a request"));
    assert!(matches!(response.status().as_u16(), 400 | 401 | 413), "{}", response.status());
});
