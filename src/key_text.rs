//! Keys as texts, for the headers that name an event.

use std::borrow::Cow;
use std::format;
use std::string::{String, ToString as _};

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use crate::engine::{InvalidKey, Key};

/// The prefix of an identifier of source and id, and of no other.
const PREFIX: &str = "eventful:";

/// The bytes that are percent-encoded in a header, as the HTTP binding of CloudEvents 1.0 has it (section 3.1.3.2);
/// and everything that is not ASCII.
pub(crate) const UNSAFE: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'%');

/// The same, and what ends the source.
const UNSAFE_IN_SOURCE: &AsciiSet = &UNSAFE.add(b'/');

/// The reason why a `webhook-id` identifies no event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidWebhookId {
    /// The prefix of a source and an id is there, and the rest has not their form.
    #[error("the webhook-id {0:?} is not eventful:SOURCE/ID, percent-encoded: send it as an eventful server does")]
    Form(String),
    /// Its source and its id make no key.
    #[error(transparent)]
    Key(#[from] InvalidKey),
}

/// The `webhook-id` of this event: two events have the same one only if they have the same key.
///
/// It is the id alone when there is no source and the id is printable ASCII that a header leaves as it
/// is; else `eventful:SOURCE/ID`, percent-encoded.
///
/// ```
/// use eventful::{Key, http::webhook};
///
/// assert_eq!(webhook::id(&Key::new("", "order-1")?), "order-1");
/// assert_eq!(webhook::id(&Key::new("shop eu", "order-1")?), "eventful:shop%20eu/order-1");
/// assert_eq!(webhook::key("eventful:shop%20eu/order-1")?, Key::new("shop eu", "order-1")?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn id(key: &Key) -> String {
    let id = key.id();
    // Ids that need no escape are sent as they are, so that receivers see the id that was submitted.
    if key.source().is_empty() && is_plain(&id) {
        return id.to_string();
    }
    let source = utf8_percent_encode(key.source(), UNSAFE_IN_SOURCE);
    format!("{PREFIX}{source}/{}", utf8_percent_encode(&id, UNSAFE))
}

/// The key whose [`id`] this is.
///
/// # Errors
///
/// [`InvalidWebhookId`] when it is no event's.
pub fn key(webhook_id: &str) -> Result<Key, InvalidWebhookId> {
    let Some(rest) = webhook_id.strip_prefix(PREFIX) else { return Ok(Key::new("", webhook_id)?) };
    let malformed = || InvalidWebhookId::Form(webhook_id.to_string());
    let (source, id) = rest.split_once('/').ok_or_else(malformed)?;
    let (source, id) = (untext(source).ok_or_else(malformed)?, untext(id).ok_or_else(malformed)?);
    let key = Key::new(&source, &id)?;
    // One key has one form: another spelling could be used to avoid deduplication.
    if self::id(&key) == webhook_id { Ok(key) } else { Err(malformed()) }
}

/// Returns whether such a text names a source too.
#[cfg(feature = "http")]
pub(crate) fn names_source(webhook_id: &str) -> bool {
    webhook_id.starts_with(PREFIX)
}

/// Encodes a text as the value of a header: percent-encoded where a header would change or refuse it.
pub fn text(text: &str) -> String {
    utf8_percent_encode(text, UNSAFE).to_string()
}

/// The text whose percent-encoded form this is; none when it is not UTF-8.
pub fn untext(value: &str) -> Option<Cow<'_, str>> {
    percent_decode_str(value).decode_utf8().ok()
}

/// Returns whether an id passes through a header as it is, and cannot be taken for another.
fn is_plain(id: &str) -> bool {
    let printable = id.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    printable && id.trim() == id && !id.starts_with('"') && !id.starts_with(PREFIX)
}
