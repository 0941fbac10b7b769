//! HTTP/1.1 of a client: requests as bytes, and parsed responses. Written independently of the product's code.

use eventful::Digest;
use serde_json::json;

use super::connection_owners::{SIGNER, attributes, id, payload, source, start};
use super::scenario::{ClientCall, KeyNumber, SubmittedItem};

/// A response.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct HttpResponse {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
    /// The `Location` header: the path of the event's record.
    pub(super) location: Option<String>,
    /// The `Retry-After` header, in seconds.
    pub(super) retry_after: Option<String>,
    /// The `Content-Type` header.
    pub(super) content_type: Option<String>,
    /// True if the connection may be used again.
    pub(super) reusable: bool,
}

/// Returns the bytes of a request.
pub(super) fn request(call: &ClientCall) -> Vec<u8> {
    match call {
        ClientCall::Submit(item) => with_body("/v1/events", "content-type: application/json\r\n", &envelope(*item)),
        ClientCall::SubmitByHeader(item) => {
            // The header is a quoted string of RFC 8941, in which these two are escaped.
            let id = id(item.key).replace('\\', "\\\\").replace('"', "\\\"");
            let texts = listed_attributes(item.key);
            let (mut query, mut header) = (query(item.key, '?'), format!("idempotency-key: \"{id}\"\r\n"));
            // Both places for attributes are used: the header and the query.
            match item.key.is_multiple_of(2) {
                _ if texts.is_empty() => {}
                true => header += &format!("eventful-attributes: {texts}\r\n"),
                false => {
                    query += &format!("{}attributes={}", if query.is_empty() { '?' } else { '&' }, escaped(&texts))
                }
            }
            if let Some((field, value)) = start(item.key) {
                query += &format!("{}{field}={}", if query.is_empty() { '?' } else { '&' }, escaped(value));
            }
            with_body(&format!("/v1/events{query}"), &header, &payload(*item))
        }
        ClientCall::Batch(items) => {
            let bad = std::iter::repeat_n(r#"{"id":"#.to_owned(), bad_lines(items));
            let good = items.iter().enumerate().map(|(at, item)| envelope(*item) + &"\n".repeat(blank_lines(at)));
            let lines: Vec<_> = bad.chain(good).collect();
            batch(&lines.join("\n"))
        }
        ClientCall::Look(key) => without_body("GET", &path(*key, "")),
        ClientCall::List => without_body("GET", "/v1/events?limit=5"),
        ClientCall::Redrive(key) => without_body("POST", &path(*key, "/redrive")),
        ClientCall::RedriveAll => without_body("POST", "/v1/redrive?status=failed"),
        ClientCall::Discard(key) => without_body("DELETE", &path(*key, "")),
        ClientCall::Pause => without_body("POST", "/v1/pause"),
        ClientCall::Resume => without_body("POST", "/v1/resume"),
        ClientCall::Stats => without_body("GET", "/v1/stats"),
        ClientCall::Metrics => without_body("GET", "/metrics"),
        ClientCall::Ready => without_body("GET", "/readyz"),
    }
}

/// Returns the number of invalid lines in front of those of a batch of these items: none in front of a single one.
pub(super) fn bad_lines(items: &[SubmittedItem]) -> usize {
    usize::from(items.len() > 1)
}

/// Returns the number of blank lines behind this line of a batch: one behind every third.
pub(super) const fn blank_lines(at: usize) -> usize {
    if at % 3 == 1 { 1 } else { 0 }
}

/// Returns the bytes of a batch of these lines.
pub(super) fn batch(lines: &str) -> Vec<u8> {
    with_body("/v1/events/batch", "", lines)
}

/// Returns an event as JSON.
pub(super) fn envelope(item: SubmittedItem) -> String {
    let (id, source) = (json!(id(item.key)), json!(source(item.key)));
    let source = if source == "" { String::new() } else { format!(r#""source":{source},"#) };
    let texts: serde_json::Map<_, _> =
        attributes(item.key).into_iter().map(|(k, v)| (k.to_owned(), v.into())).collect();
    let texts = if texts.is_empty() { String::new() } else { format!(r#""attributes":{},"#, json!(texts)) };
    let start = start(item.key).map_or_else(String::new, |(field, value)| format!(r#""{field}":"{value}","#));
    format!(r#"{{"id":{id},{source}{texts}{start}"payload":{}}}"#, payload(item))
}

/// Returns the bytes of an event whose payload is `null`.
pub(super) fn with_null(key: KeyNumber) -> Vec<u8> {
    let (id, source) = (json!(id(key)), json!(source(key)));
    let body = format!(r#"{{"id":{id},"source":{source},"payload":null}}"#);
    with_body("/v1/events", "content-type: application/json\r\n", &body)
}

/// Returns the identity of an event as one text, as a `webhook-id` header has it.
pub(super) fn webhook_id(key: KeyNumber) -> String {
    let (id, source) = (id(key), source(key));
    let is_printable = id.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    let would_change = id.trim() != id || id.starts_with('"') || id.starts_with("eventful:");
    if source.is_empty() && is_printable && !would_change {
        return id;
    }
    let encode = |text: &str, also: u8| -> String {
        let escape = |byte: u8| match byte {
            b' ' | b'"' | b'%' => format!("%{byte:02X}"),
            b'!'..=b'~' if byte != also => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        };
        text.bytes().map(escape).collect()
    };
    format!("eventful:{}/{}", encode(source, b'/'), encode(&id, b' '))
}

/// Returns the bytes of an event as another server forwards it.
pub(super) fn forwarded(item: SubmittedItem) -> Vec<u8> {
    let source = source(item.key).replace(' ', "%20");
    let texts = listed_attributes(item.key);
    let texts = if texts.is_empty() { texts } else { format!("eventful-attributes: {texts}\r\n") };
    let headers = format!("webhook-id: {}\r\neventful-source: {source}\r\n{texts}", webhook_id(item.key));
    with_body("/v1/events", &headers, &payload(item))
}

/// Returns the bytes of an event as its sender sends it, with this signature.
pub(super) fn signed(item: SubmittedItem, signature: &str) -> Vec<u8> {
    let headers = format!("x-id: {}\r\nx-signature: sha256={signature}\r\n", id(item.key));
    with_body(&format!("/in/{SIGNER}"), &headers, &payload(item))
}

/// Returns the bytes of an event as a CloudEvent in binary mode, for a key that has a source.
pub(super) fn cloud_event(item: SubmittedItem) -> Vec<u8> {
    let [id, source] = [&id(item.key), source(item.key)].map(escaped);
    let attributes = format!("ce-specversion: 1.0\r\nce-id: {id}\r\nce-source: {source}\r\nce-type: t\r\n");
    with_body("/v1/events", &format!("{attributes}content-type: text/plain\r\n"), &payload(item))
}

/// The secret that is shared with the sender that signs.
pub(super) const SIGNING_SECRET: &str = "shared with the sender";

/// Returns the signature of a payload, an HMAC by RFC 2104, in hexadecimal digits.
pub(super) fn signature(item: SubmittedItem) -> String {
    let pad = |byte: u8| {
        // RFC 2104: the key is padded with zeros to the block of the hash, which has 64 bytes for SHA-256.
        let key = SIGNING_SECRET.bytes().chain(std::iter::repeat(0)).take(64);
        key.map(|part| part ^ byte).collect::<Vec<_>>()
    };
    let inner = Digest::of(&[&pad(0x36)[..], payload(item).as_bytes()].concat());
    let outer = Digest::of(&[&pad(0x5c)[..], inner.as_bytes()].concat());
    outer.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns the bytes of an event with these ids.
pub(super) fn with_ids(item: SubmittedItem, ids: [&str; 2]) -> Vec<u8> {
    let headers = ids.map(|id| format!("idempotency-key: {id}\r\n")).concat();
    with_body("/v1/events", &headers, &payload(item))
}

/// Returns the bytes of a request for a record, with its payload or without.
pub(super) fn look(key: KeyNumber, payload: bool) -> Vec<u8> {
    let path = path(key, "");
    let begin = if path.contains('?') { '&' } else { '?' };
    without_body("GET", &format!("{path}{begin}payload={payload}"))
}

/// Returns the path of a call that is about one event. An id of dots would be taken for a part of the path.
fn path(key: KeyNumber, call: &str) -> String {
    let id = id(key);
    match id.as_str() {
        "." | ".." => format!("/v1/event{call}?id={}{}", escaped(&id), query(key, '&')),
        _ => format!("/v1/events/{}{call}{}", escaped(&id), query(key, '?')),
    }
}

/// Returns the source of a key as a part of a query that begins with this character.
fn query(key: KeyNumber, begin: char) -> String {
    let source = source(key);
    if source.is_empty() { String::new() } else { format!("{begin}source={}", escaped(source)) }
}

/// Returns the attributes of a key as a list.
fn listed_attributes(key: KeyNumber) -> String {
    let pairs = attributes(key).into_iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(&value)));
    pairs.collect::<Vec<_>>().join(", ")
}

/// Percent-encodes everything but letters and digits.
fn escaped(text: &str) -> String {
    let escape = |byte: u8| match byte.is_ascii_alphanumeric() {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    text.bytes().map(escape).collect()
}

/// Returns whether a `Location` leads to the event of a key, for a client that takes dots for parts of a path.
pub(super) fn leads_to(location: &str, key: KeyNumber) -> bool {
    let (path, query) = location.split_once('?').unwrap_or((location, ""));
    let field = |name: &str| {
        let mut fields = query.split('&').filter_map(|field| field.split_once('='));
        fields.find(|(field, _)| *field == name).map(|(_, value)| unescaped(&value.replace('+', " ")))
    };
    let segment = path.strip_prefix("/v1/events/").filter(|_| field("id").is_none()).map(unescaped);
    let by_path = segment.filter(|id| !matches!(id.as_str(), "." | ".."));
    let by_query = field("id").filter(|_| path == "/v1/event");
    by_path.or(by_query).is_some_and(|found| found == id(key)) && field("source").unwrap_or_default() == source(key)
}

fn unescaped(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let [first, behind @ ..] = rest {
        let escape = behind.get(..2).filter(|_| *first == b'%').and_then(|two| std::str::from_utf8(two).ok());
        match escape.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) => (bytes, rest) = ([bytes, vec![byte]].concat(), &behind[2..]),
            None => (bytes, rest) = ([bytes, vec![*first]].concat(), behind),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn with_body(path: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    let token = authorization(OPERATOR);
    format!("POST {path} HTTP/1.1\r\nhost: server\r\n{token}{headers}content-length: {length}\r\n\r\n{body}")
        .into_bytes()
}

/// The tokens of a client: for everything, for submitting, and for reading.
pub(super) const OPERATOR: &str = "operator's token";
pub(super) const SUBMITTER: &str = "submitter's token";
pub(super) const READER: &str = "reader's token";

fn authorization(token: &str) -> String {
    format!("authorization: Bearer {token}\r\n")
}

/// Returns the bytes of a request without a body, with this token.
pub(super) fn with_token(method: &str, path: &str, token: &str) -> Vec<u8> {
    let token = authorization(token);
    format!("{method} {path} HTTP/1.1\r\nhost: server\r\n{token}content-length: 0\r\n\r\n").into_bytes()
}

/// Returns the bytes of a request without a body.
pub(super) fn without_body(method: &str, path: &str) -> Vec<u8> {
    with_token(method, path, OPERATOR)
}

/// Parses a response; returns none while a part of it is missing.
pub(super) fn response(bytes: &[u8]) -> Option<HttpResponse> {
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
    let names = ["location", "retry-after", "content-type"];
    let [location, retry_after, content_type] = names.map(|name| header(head, name).map(str::to_owned));
    Some(HttpResponse { status, body, location, retry_after, content_type, reusable })
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
    fn answer_is_read_when_all_of_it_is_there() {
        let whole = b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\nconnection: close\r\n\r\nok";
        for cut in 0..whole.len() {
            assert_eq!(response(&whole[..cut]), None, "{cut}");
        }
        let (location, retry_after, content_type) = (None, None, None);
        let body = b"ok".to_vec();
        let expected = HttpResponse { status: 202, body, location, retry_after, content_type, reusable: false };
        assert_eq!(response(whole), Some(expected));
    }

    #[test]
    fn location_leads_to_its_event_alone() {
        assert!(leads_to("/v1/event?id=..", 3) && leads_to("/v1/events/e0", 0));
        assert!(leads_to("/v1/events/e14%2F?source=a%2Bb%20%26c", 14) == (id(14) == "e14/"));
        for wrong in ["/v1/events/..", "/v1/events/%2E%2E", "/v1/event?id=.", "/v1/events?id=.."] {
            assert!(!leads_to(wrong, 3), "{wrong}");
        }
    }

    #[test]
    fn chunked_answer_is_put_together() {
        let whole = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\na\r\n0123456789\r\n0\r\n\r\n";
        for cut in 0..whole.len() {
            assert_eq!(response(&whole[..cut]), None, "{cut}");
        }
        assert_eq!(response(whole).expect("it is whole").body, b"ab0123456789");
    }
}
