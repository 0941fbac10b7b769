//! A source made ready, and an event out of a request.

use core::fmt::Display;
use std::borrow::ToOwned as _;
use std::format;
use std::string::{String, ToString as _};
use std::vec::Vec;

use axum::http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, EXPECT, HOST,
    PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use axum::http::{HeaderName, StatusCode};
use bytes::Bytes;

use super::config::{ConflictPolicy, SourceConfig, SuccessStatus};
use super::hexadecimal;
use super::pick::{Pick, ReceivedRequest, Unpicked};
use super::preset::Preset;
use super::secret::{NoSecret, Secret};
use super::verify::{Unverifiable, Unverified, Verifier};
use crate::engine::{Algorithm, Digest, Event, InvalidEvent, InvalidKey, Key, Timestamp};
use crate::texts::json::{InvalidJson, Pointer, digest_without};

/// The attribute of an event that came under the id of another one: that id. See [`ConflictPolicy::Quarantine`].
pub const QUARANTINED: &str = "quarantined";

/// The prefix of kept headers among the attributes.
const HEADER: &str = "header:";

/// Headers that are for one connection or one server, or hold a secret: they are not kept, nor sent on.
const NOT_FORWARDED: [HeaderName; 13] = [
    AUTHORIZATION,
    CONNECTION,
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    COOKIE,
    EXPECT,
    HOST,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// A sender, ready to be received from.
#[derive(Debug, Clone)]
pub struct Source {
    name: String,
    verifier: Verifier,
    id: Pick,
    event_type: Option<Pick>,
    time: Option<Pick>,
    excluded: Vec<Pointer>,
    headers: Vec<HeaderName>,
    success: StatusCode,
    conflict: ConflictPolicy,
    max_body_bytes: Option<usize>,
    is_slack: bool,
    verify_token: Option<Secret>,
}

/// The reason why a configuration makes no source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("source {source_name}: {reason}")]
pub struct InvalidSource {
    source_name: String,
    reason: String,
}

/// The reason why a request makes no event.
#[derive(Debug, thiserror::Error)]
pub(in crate::http) enum NoEvent {
    #[error("{0} is not there or empty, and has the id: correct the sender, or the configured id")]
    NoId(Pick),
    #[error(transparent)]
    Unpicked(#[from] Unpicked),
    #[error(transparent)]
    Json(#[from] InvalidJson),
    #[error(transparent)]
    Key(#[from] InvalidKey),
    #[error(transparent)]
    Event(#[from] InvalidEvent),
    #[error("the header {0} is not ASCII: encode it")]
    NotAscii(HeaderName),
}

impl Source {
    /// Makes a source ready. Its secrets are read.
    ///
    /// # Errors
    ///
    /// [`InvalidSource`] when something is missing, contradicts itself, or cannot be read.
    pub fn new(name: &str, config: &SourceConfig) -> Result<Self, InvalidSource> {
        let invalid = |reason: &dyn Display| InvalidSource { source_name: name.to_owned(), reason: reason.to_string() };
        // It is a part of a path, and stands in front of the key of each of its events.
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if name.is_empty() || !name.bytes().all(is_plain) || name.bytes().all(|byte| byte == b'.') {
            return Err(invalid(&"its name is a part of URLs: use letters, digits, -, _ and ."));
        }
        let config = config.whole();
        let missing = |what| move || invalid(&format!("{what} is missing: add it, or a preset"));
        let verification = config.verify.ok_or_else(missing("verify"))?;
        let read = |secret: &super::SecretRef| secret.read();
        let secrets = config.secrets.iter().map(read).collect::<Result<_, _>>().map_err(|no| invalid(&no))?;
        let verifier = Verifier::new(&verification, secrets, config.url.as_deref())
            .map_err(|reason: Unverifiable| invalid(&reason))?;
        let token: Result<_, NoSecret> = config.verify_token.as_ref().map(read).transpose();
        Ok(Self {
            name: name.to_owned(),
            verifier,
            id: config.id.ok_or_else(missing("id"))?,
            event_type: config.event_type,
            time: config.time,
            excluded: config.exclude.unwrap_or_default(),
            headers: kept_headers(&config.headers.unwrap_or_default()).map_err(|reason| invalid(&reason))?,
            success: config.success.unwrap_or(SuccessStatus::Accepted).into(),
            conflict: config.conflict.unwrap_or(ConflictPolicy::Reject),
            max_body_bytes: config.max_body_bytes,
            is_slack: config.preset == Some(Preset::Slack),
            verify_token: token.map_err(|no| invalid(&no))?,
        })
    }

    /// Its name, which is the source of its events.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) const fn success(&self) -> StatusCode {
        self.success
    }

    pub(super) const fn quarantines(&self) -> bool {
        matches!(self.conflict, ConflictPolicy::Quarantine)
    }

    pub(super) const fn max_body_bytes(&self) -> Option<usize> {
        self.max_body_bytes
    }

    pub(super) const fn challenge(&self) -> &'static str {
        self.verifier.challenge()
    }

    pub(super) fn is_token(&self, token: &str) -> bool {
        self.verify_token.as_ref().is_some_and(|secret| secret.is(token.as_bytes()))
    }

    /// Returns whether the body must be readable as it is sent.
    pub(super) fn reads_body(&self) -> bool {
        let picks = [Some(&self.id), self.event_type.as_ref(), self.time.as_ref()];
        self.is_slack || !self.excluded.is_empty() || picks.into_iter().flatten().any(Pick::is_inside)
    }

    pub(super) fn verify(&self, request: &ReceivedRequest<'_>, wall: Timestamp) -> Result<(), Unverified> {
        self.verifier.verify(request, wall)
    }

    /// Returns what Slack wants to have back before it sends events.
    pub(super) fn slack_challenge(&self, request: &ReceivedRequest<'_>) -> Option<String> {
        let text = |place: &str| place.parse::<Pointer>().ok()?.text(request.body).ok()?;
        let asks = self.is_slack && text("/type").as_deref() == Some("url_verification");
        if asks { text("/challenge").map(String::from) } else { None }
    }

    /// The event of a request, whose body this is.
    pub(super) fn event(
        &self,
        request: &ReceivedRequest<'_>,
        body: Bytes,
        encoding: Option<&str>,
    ) -> Result<Event, NoEvent> {
        let id = self.id.text(request)?.ok_or_else(|| NoEvent::NoId(self.id.clone()))?;
        let key = Key::new(&self.name, &id)?;
        let event = if self.excluded.is_empty() {
            Event::new(key, body)
        } else {
            let rest = digest_without(request.body, &self.excluded)?;
            // The digest leaves out what changes between deliveries, so that these are duplicates and no conflicts.
            Event::with_digest(key, body, Digest::new(Algorithm::Sha256OfParts, rest))
        };
        self.dressed(event, request, encoding)
    }

    /// The event with all that it has beside its payload.
    fn dressed(
        &self,
        mut event: Event,
        request: &ReceivedRequest<'_>,
        encoding: Option<&str>,
    ) -> Result<Event, NoEvent> {
        let pick = |pick: &Option<Pick>| pick.as_ref().map_or(Ok(None), |pick| pick.text(request));
        if let Some(event_type) = pick(&self.event_type)? {
            event = event.with_type(&event_type)?;
        }
        if let Some(time) = pick(&self.time)? {
            event = event.with_attribute("time", &time)?;
        }
        let ascii = |name: &HeaderName| {
            let value = request.headers.get(name).map(|value| value.to_str());
            value.transpose().map_err(|_| NoEvent::NotAscii(name.clone()))
        };
        if let Some(content_type) = ascii(&CONTENT_TYPE)? {
            event = event.with_content_type(content_type)?;
        }
        if let Some(encoding) = encoding {
            event = event.with_content_encoding(encoding)?;
        }
        for name in &self.headers {
            if let Some(value) = ascii(name)? {
                event = event.with_attribute(&format!("{HEADER}{name}"), value)?;
            }
        }
        Ok(event)
    }

    /// The same payload under an id of its own, for an event that came under the id of another one.
    pub(super) fn quarantined(&self, event: &Event) -> Result<Event, NoEvent> {
        let (id, digest) = (event.key().id(), event.digest());
        // Eight bytes distinguish the payloads of one id, and keep the new id short.
        let mark = hexadecimal::encode(&digest.as_bytes()[..8]);
        // An id that is too long with the mark is replaced by the mark alone.
        let key = Key::new(&self.name, &format!("{id}~{mark}")).or_else(|_| Key::new(&self.name, &mark))?;
        Ok(event.clone().with_key(key).with_attribute(QUARANTINED, &id)?)
    }
}

fn kept_headers(names: &[String]) -> Result<Vec<HeaderName>, String> {
    let name = |name: &String| {
        let known: Option<HeaderName> = name.parse().ok();
        let known = known.ok_or_else(|| format!("{name:?} is no name of a header: correct headers"))?;
        if NOT_FORWARDED.contains(&known) {
            return Err(format!("the header {known} is for one connection or holds a secret: leave it out of headers"));
        }
        Ok(known)
    };
    names.iter().map(name).collect()
}

/// The prefixes of headers that say what this server knows: no attribute replaces them.
const OWN: [&str; 2] = ["webhook-", "eventful-"];

/// The headers that were kept with an event, to be sent on with it.
pub fn forwarded_headers(event: &Event) -> impl Iterator<Item = (HeaderName, &str)> {
    event.attributes().iter().filter_map(|(name, value)| {
        let name: HeaderName = name.strip_prefix(HEADER)?.parse().ok()?;
        let is_ours = OWN.iter().any(|begin| name.as_str().starts_with(begin));
        (!is_ours && !NOT_FORWARDED.contains(&name)).then_some((name, value))
    })
}
