//! HTTP/1.1 as a client needs it here: requests as bytes, and answers out of bytes.

use super::ledger::{id, payload};
use super::scenario::{Call, Item};

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
    /// Whether the connection may be used again.
    pub(super) reusable: bool,
}

/// The bytes of a request.
pub(super) fn request(call: &Call) -> Vec<u8> {
    match call {
        Call::Submit(item) => with_body("/v1/events", "content-type: application/json\r\n", &envelope(*item)),
        Call::SubmitByHeader(item) => {
            let header = format!("idempotency-key: \"{}\"\r\n", id(item.key));
            with_body("/v1/events", &header, &payload(*item))
        }
        Call::Batch(items) => {
            let bad = std::iter::repeat_n(r#"{"id":"#.to_owned(), bad_lines(items));
            let lines: Vec<_> = bad.chain(items.iter().map(|item| envelope(*item))).collect();
            with_body("/v1/events/batch", "", &lines.join("\n"))
        }
        Call::Look(key) => without_body("GET", &format!("/v1/events/{}", id(*key))),
        Call::List => without_body("GET", "/v1/events?limit=5"),
        Call::Redrive(key) => without_body("POST", &format!("/v1/events/{}/redrive", id(*key))),
        Call::RedriveAll => without_body("POST", "/v1/redrive?status=failed"),
        Call::Discard(key) => without_body("DELETE", &format!("/v1/events/{}", id(*key))),
        Call::Pause => without_body("POST", "/v1/pause"),
        Call::Resume => without_body("POST", "/v1/resume"),
        Call::Stats => without_body("GET", "/v1/stats"),
        Call::Metrics => without_body("GET", "/metrics"),
        Call::Ready => without_body("GET", "/readyz"),
    }
}

/// Lines that make no event, in front of those of a batch of these items: none in front of a single one.
pub(super) fn bad_lines(items: &[Item]) -> usize {
    usize::from(items.len() > 1)
}

fn envelope(item: Item) -> String {
    format!(r#"{{"id":"{}","payload":{}}}"#, id(item.key), payload(item))
}

fn with_body(path: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nhost: server\r\n{headers}content-length: {length}\r\n\r\n{body}").into_bytes()
}

/// The bytes of a request without a body.
pub(super) fn without_body(method: &str, path: &str) -> Vec<u8> {
    format!("{method} {path} HTTP/1.1\r\nhost: server\r\ncontent-length: 0\r\n\r\n").into_bytes()
}

/// The answer in these bytes; nothing while a part of it is missing.
pub(super) fn response(bytes: &[u8]) -> Option<Response> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let rest = &bytes[end + 4..];
    let status = head.get(9..12)?.parse().ok()?;
    let body = match (header(head, "content-length"), header(head, "transfer-encoding")) {
        (Some(length), _) => rest.get(..length.parse().ok()?)?.to_vec(),
        (None, Some(_)) => unchunked(rest)?,
        (None, None) => Vec::new(),
    };
    let reusable = header(head, "connection").is_none_or(|value| value != "close");
    Some(Response { status, body, reusable })
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let fields = head.split("\r\n").skip(1).filter_map(|line| line.split_once(':'));
    fields.into_iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

fn unchunked(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = rest.windows(2).position(|two| two == b"\r\n")?;
        let length = usize::from_str_radix(std::str::from_utf8(&rest[..line]).ok()?, 16).ok()?;
        rest = &rest[line + 2..];
        body.extend_from_slice(rest.get(..length)?);
        rest = rest.get(length + 2..)?;
        if length == 0 {
            return Some(body);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_when_all_of_it_is_there() {
        let whole = b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\nconnection: close\r\n\r\nok";
        for cut in 0..whole.len() {
            assert_eq!(response(&whole[..cut]), None, "{cut}");
        }
        assert_eq!(response(whole), Some(Response { status: 202, body: b"ok".to_vec(), reusable: false }));
    }

    #[test]
    fn a_chunked_answer_is_put_together() {
        let whole = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\na\r\n0123456789\r\n0\r\n\r\n";
        for cut in 0..whole.len() {
            assert_eq!(response(&whole[..cut]), None, "{cut}");
        }
        assert_eq!(response(whole).expect("it is whole").body, b"ab0123456789");
    }
}
