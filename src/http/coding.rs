//! The codings of a request: of its content, which the payload keeps, and of its transfer.

use std::format;
use std::string::String;

use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, TRANSFER_ENCODING};

use super::problem::{Problem, ProblemKind};

/// The codings of the body in the order in which they were applied, in lower case; none when there
/// are none but `identity`.
pub(super) fn content(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut codings = String::new();
    for value in headers.get_all(CONTENT_ENCODING) {
        for coding in value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            if !coding.iter().copied().all(is_token) {
                return Err(Problem::invalid(format!("Content-Encoding is {value:?}: send names such as gzip or br")));
            }
            // `identity` is no encoding.
            if !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity") {
                codings.push_str(if codings.is_empty() { "" } else { ", " });
                codings.extend(coding.iter().map(|byte| char::from(byte.to_ascii_lowercase())));
            }
        }
    }
    Ok((!codings.is_empty()).then_some(codings))
}

/// Refuses a body that must be read and is encoded.
pub(super) fn refuse_content(headers: &HeaderMap) -> Result<(), Problem> {
    let Some(codings) = content(headers)? else { return Ok(()) };
    let detail =
        format!("the body is encoded with {codings}: send envelopes as they are, or the event with an id header");
    Err(Problem::new(ProblemKind::UnsupportedEncoding, detail).closing())
}

/// Refuses a transfer coding other than `chunked`, which alone is undone here: any other would become a
/// part of the payload.
pub(super) fn refuse_transfer(headers: &HeaderMap) -> Result<(), Problem> {
    let mut values = headers.get_all(TRANSFER_ENCODING).iter();
    let (value, rest) = (values.next(), values.next());
    if value.is_none_or(|value| value.as_bytes().eq_ignore_ascii_case(b"chunked")) && rest.is_none() {
        return Ok(());
    }
    let detail = "the only transfer coding known is chunked: send gzip and the like as Content-Encoding";
    Err(Problem::new(ProblemKind::NotImplemented, detail).closing())
}

/// Returns whether a byte may be in a token of RFC 9110.
const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~')
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn codings_are_joined_in_order_and_identity_is_none() {
        for (values, codings) in [
            (&[][..], None),
            (&["identity"], None),
            (&[""], None),
            (&["GZIP"], Some("gzip")),
            (&["gzip, identity ,br"], Some("gzip, br")),
            (&["deflate", "gzip"], Some("deflate, gzip")),
        ] {
            assert_eq!(content(&headers(values)).expect("codings").as_deref(), codings, "{values:?}");
        }
    }

    #[test]
    fn coding_that_is_no_token_is_refused() {
        for value in ["g zip", "gzip;q=1", "\"gzip\"", "gz\u{e4}p"] {
            assert_eq!(
                content(&headers(&[value])).map_err(|problem| problem.kind()),
                Err(ProblemKind::Invalid),
                "{value}"
            );
        }
    }

    fn headers(values: &[&str]) -> HeaderMap {
        let value = |text: &&str| HeaderValue::from_bytes(text.as_bytes()).expect("a value");
        values.iter().map(|text| (CONTENT_ENCODING, value(text))).collect()
    }
}
