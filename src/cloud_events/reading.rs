//! CloudEvents as they come, in headers or in JSON.
//!
//! Source and id are the key, so an event is the same one in whichever mode it comes. Data that is JSON is compared in its
//! canonical form, since a program that reads and writes it keeps its meaning, and not its bytes.

use std::string::{String, ToString as _};
use std::vec::Vec;

use bytes::Bytes;
use serde_json::Value;
use serde_json::value::RawValue;

use super::{PREFIX, VERSION, essence, is_json, is_name};
use crate::engine::{Algorithm, Digest, Event, InvalidEvent, InvalidKey, Key};
use crate::key_text;
use crate::texts::base64;
use crate::texts::json::canonical_digest;
use crate::texts::members::Members;

/// The header that a CloudEvent in binary mode has.
const SPEC_VERSION: &str = "ce-specversion";

/// The mode in which a request or a message holds CloudEvents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloudEventsMode {
    /// Attributes in headers: [`binary`].
    Binary,
    /// All in JSON: [`structured`].
    Structured,
    /// A JSON array of several: [`batch`].
    Batch,
}

/// The reason why a request or a message holds no CloudEvent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidCloudEvent {
    /// Not JSON, or not an object.
    #[error("not a CloudEvent: {0}")]
    Json(#[from] serde_json::Error),
    /// A version that is not known.
    #[error("the specversion is {0:?}: send CloudEvents 1.0")]
    Version(String),
    /// A required attribute is missing.
    #[error("the attribute {0} is missing or empty: a CloudEvent has specversion, id, source and type")]
    Missing(&'static str),
    /// An attribute has a name that is not allowed.
    #[error("the attribute {0:?} has no possible name: use lower-case letters and digits")]
    Name(String),
    /// An attribute is there twice.
    #[error("the attribute {0} is given twice: give it once")]
    Twice(String),
    /// An attribute is neither a text nor a number nor a boolean.
    #[error("the attribute {0} is neither a text nor a number nor a boolean: send it as a text")]
    Kind(String),
    /// A header is not UTF-8.
    #[error("the header {0} is not UTF-8: percent-encode it as UTF-8")]
    NotUtf8(String),
    /// Data in two forms.
    #[error("both data and data_base64 are given: send one of them")]
    TwoData,
    /// Data that is not base64.
    #[error("data_base64 is not base64: encode it as RFC 4648, section 4, has it")]
    NotBase64,
    /// Source and id make no key.
    #[error(transparent)]
    Key(#[from] InvalidKey),
    /// No event can have its attributes.
    #[error(transparent)]
    Event(#[from] InvalidEvent),
}

/// Returns the mode in which a request or a message holds CloudEvents, by its content type and its headers' names, in
/// lower case; `None` when it holds none.
pub fn mode<'a>(content_type: Option<&str>, names: impl IntoIterator<Item = &'a str>) -> Option<CloudEventsMode> {
    match essence(content_type.unwrap_or_default()).as_str() {
        "application/cloudevents+json" => Some(CloudEventsMode::Structured),
        "application/cloudevents-batch+json" => Some(CloudEventsMode::Batch),
        // `ce-specversion` is required in binary mode, so it distinguishes that from other bodies.
        _ => names.into_iter().any(|name| name == SPEC_VERSION).then_some(CloudEventsMode::Binary),
    }
}

/// The event of a request or a message in binary mode, by its headers, whose names are in lower case.
///
/// # Errors
///
/// [`InvalidCloudEvent`]
pub fn binary<'a>(
    headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    content_type: Option<&str>,
    body: Bytes,
) -> Result<Event, InvalidCloudEvent> {
    let mut parts = Parts::default();
    for (name, value) in headers {
        // Other headers are those of the protocol, and no part of the event.
        let Some(attribute) = name.strip_prefix(PREFIX) else { continue };
        let text = str::from_utf8(value).ok().and_then(key_text::untext);
        let text = text.ok_or_else(|| InvalidCloudEvent::NotUtf8(name.to_string()))?;
        parts.add(attribute, text.into_owned())?;
    }
    parts.into_event(body, content_type.map(String::from))
}

/// The event in a JSON text.
///
/// # Errors
///
/// [`InvalidCloudEvent`]
pub fn structured(text: &[u8]) -> Result<Event, InvalidCloudEvent> {
    of_members(serde_json::from_slice(text)?)
}

/// The events in a JSON array, each for itself.
///
/// # Errors
///
/// [`InvalidCloudEvent`] when it is no array.
pub fn batch(text: &[u8]) -> Result<Vec<Result<Event, InvalidCloudEvent>>, InvalidCloudEvent> {
    // Raw, so that one bad event does not refuse the others.
    let items: Vec<&RawValue> = serde_json::from_slice(text)?;
    Ok(items.into_iter().map(|item| structured(item.get().as_bytes())).collect())
}

fn of_members(Members(members): Members<'_>) -> Result<Event, InvalidCloudEvent> {
    let (mut parts, mut data, mut base64, mut content_type) = (Parts::default(), None, None, None);
    for (name, value) in members {
        match &*name {
            "data" if data.replace(value).is_some() => return Err(InvalidCloudEvent::Twice(name)),
            "data_base64" if base64.replace(text(&name, value)?).is_some() => {
                return Err(InvalidCloudEvent::Twice(name));
            }
            "datacontenttype" if content_type.replace(text(&name, value)?).is_some() => {
                return Err(InvalidCloudEvent::Twice(name));
            }
            "data" | "data_base64" | "datacontenttype" => {}
            _ => {
                // Null means that the attribute is absent.
                if let Some(text) = text(&name, value)? {
                    parts.add(&name, text)?;
                }
            }
        }
    }
    let content_type = content_type.flatten();
    let body = match (data, base64.flatten()) {
        (Some(_), Some(_)) => return Err(InvalidCloudEvent::TwoData),
        (None, None) => Bytes::new(),
        (None, Some(text)) => base64::decode(&text).ok_or(InvalidCloudEvent::NotBase64)?.into(),
        (Some(data), None) => payload(data, content_type.as_deref())?,
    };
    let is_empty = data.is_none() && body.is_empty();
    // JSON is the format of data unless something else is named.
    parts.into_event(body, content_type.or_else(|| (!is_empty).then(|| "application/json".to_string())))
}

/// Data in its own form: what is no JSON stands in a JSON text.
fn payload(data: &RawValue, content_type: Option<&str>) -> Result<Bytes, InvalidCloudEvent> {
    if !content_type.is_none_or(is_json) && data.get().starts_with('"') {
        return Ok(serde_json::from_str::<String>(data.get())?.into());
    }
    Ok(Bytes::copy_from_slice(data.get().as_bytes()))
}

/// An attribute as text; nothing for `null`, which is as if it were absent.
fn text(name: &str, value: &RawValue) -> Result<Option<String>, InvalidCloudEvent> {
    match serde_json::from_str(value.get())? {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        Value::Bool(_) | Value::Number(_) => Ok(Some(value.get().to_string())),
        Value::Array(_) | Value::Object(_) => Err(InvalidCloudEvent::Kind(name.to_string())),
    }
}

/// The attributes of an event, as they come.
#[derive(Debug, Default)]
struct Parts(Vec<(String, String)>);

impl Parts {
    fn add(&mut self, name: &str, text: String) -> Result<(), InvalidCloudEvent> {
        if !is_name(name) {
            return Err(InvalidCloudEvent::Name(name.to_string()));
        }
        if self.0.iter().any(|(known, _)| known == name) {
            return Err(InvalidCloudEvent::Twice(name.to_string()));
        }
        self.0.push((name.to_string(), text));
        Ok(())
    }

    fn take(&mut self, name: &'static str) -> Result<String, InvalidCloudEvent> {
        let at = self.0.iter().position(|(known, text)| known == name && !text.is_empty());
        at.map(|at| self.0.swap_remove(at).1).ok_or(InvalidCloudEvent::Missing(name))
    }

    fn into_event(mut self, body: Bytes, content_type: Option<String>) -> Result<Event, InvalidCloudEvent> {
        let version = self.take("specversion")?;
        if version != VERSION {
            return Err(InvalidCloudEvent::Version(version));
        }
        let key = Key::new(&self.take("source")?, &self.take("id")?)?;
        let event_type = self.take("type")?;
        // JSON is compared by its meaning: SDKs order and space the same data in different ways.
        let mut event = match content_type.as_deref().is_some_and(is_json).then(|| canonical_digest(&body)) {
            Some(Ok(digest)) => Event::with_digest(key, body, Digest::new(Algorithm::Sha256OfParts, digest)),
            // Data that is said to be JSON, and is none, is data all the same.
            Some(Err(_)) | None => Event::new(key, body),
        };
        event = event.with_type(&event_type)?;
        if let Some(content_type) = content_type {
            event = event.with_content_type(&content_type)?;
        }
        self.0.into_iter().try_fold(event, |event, (name, text)| Ok(event.with_attribute(&name, &text)?))
    }
}
