//! Events, as users submit them.

use alloc::boxed::Box;
use alloc::sync::Arc;
use bytes::Bytes;
use core::borrow::Borrow;
use core::fmt;
use core::time::Duration;

use super::attributes::Attributes;
use super::digest::Digest;
use super::invalid_event::{InvalidEvent, MAX_TEXT_BYTES, checked};
use super::key::Key;
use super::payload;
use super::time::Timestamp;

/// An event: a key, a payload, and optionally a type, a content type and a few attributes.
///
/// Its digest is computed here, once, over the payload alone. Type and attributes are no part of
/// the identity: of two submissions with one key and one payload, the first one's stay. Cloning
/// shares everything.
///
/// ```
/// use eventful::Event;
///
/// let event = Event::with_id("order-17", r#"{"total": 12}"#)?
///     .with_type("order.created")?
///     .with_content_type("application/json")?
///     .with_attribute("tenant", "blue")?;
/// assert_eq!(event.payload().len(), 13);
/// # Ok::<(), eventful::engine::InvalidEvent>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    key: Key,
    digest: Digest,
    payload: Bytes,
    extras: Option<Arc<Extras>>,
}

/// The parts that most events do not have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Extras {
    event_type: Option<Box<str>>,
    group: Option<Box<str>>,
    content_type: Option<Box<str>>,
    attributes: Attributes,
    not_before: Option<NotBefore>,
}

/// The time before which the first run of an event does not start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NotBefore {
    /// At this time, or later.
    At(Timestamp),
    /// So long after it was accepted, or later.
    After(Duration),
}

impl Event {
    /// The longest type or content type, in bytes.
    pub const MAX_TEXT_BYTES: usize = MAX_TEXT_BYTES;
    /// The name of the attribute that says how the payload is encoded.
    pub const CONTENT_ENCODING: &'static str = "content-encoding";

    /// The event with this key and payload. Hashes the payload.
    ///
    /// A payload that is the only one in a buffer of more than twice its size is copied out of it. One that shares its
    /// buffer with other [`Bytes`] keeps all of it, however small a part it is, and is charged that part only: copy it
    /// ([`Bytes::copy_from_slice`]) where many small payloads are cut from large buffers.
    ///
    /// What owns the payload's bytes (see [`Bytes::from_owner`]) may be dropped while the engine is
    /// locked, so its `Drop` must neither call the engine nor panic.
    pub fn new(key: Key, payload: impl Into<Bytes>) -> Self {
        // A small payload would keep the large buffer that it came in.
        let payload = payload::fitted(payload.into());
        Self { key, digest: Digest::of(&payload), payload, extras: None }
    }

    /// The event with this key and payload, and a digest of what of the payload counts: another payload with the same
    /// digest is a duplicate.
    pub fn with_digest(key: Key, payload: impl Into<Bytes>, digest: Digest) -> Self {
        Self { key, digest, payload: payload::fitted(payload.into()), extras: None }
    }

    /// The same event under another key.
    pub fn with_key(self, key: Key) -> Self {
        Self { key, ..self }
    }

    /// The event with this id, no source, and this payload.
    ///
    /// # Errors
    ///
    /// [`InvalidEvent::Key`] when the id cannot be one; see [`Key::new`].
    pub fn with_id(id: &str, payload: impl Into<Bytes>) -> Result<Self, InvalidEvent> {
        Ok(Self::new(Key::new("", id)?, payload))
    }

    /// The same event with a type, such as `order.created`.
    ///
    /// # Errors
    ///
    /// [`InvalidEvent`] when it is too long or holds a control character.
    pub fn with_type(mut self, event_type: &str) -> Result<Self, InvalidEvent> {
        let text = checked("type", event_type, MAX_TEXT_BYTES)?;
        self.extras_mut().event_type = Some(text);
        Ok(self)
    }

    /// The same event in a group, `tenant/7` or the id of an order: its members share order and limits, which
    /// [`Config::groups`](super::Config::groups) sets.
    ///
    /// Like its attributes, the group is no part of the identity: that of the first submission stays.
    ///
    /// # Errors
    ///
    /// [`InvalidEvent`] when its name is empty, too long, or holds a control character.
    pub fn with_group(mut self, group: &str) -> Result<Self, InvalidEvent> {
        self.extras_mut().group = Some(GroupName::new(group)?.as_str().into());
        Ok(self)
    }

    /// The same event with the media type of its payload, such as `application/json`.
    ///
    /// # Errors
    ///
    /// [`InvalidEvent`] when it is too long or holds a control character.
    pub fn with_content_type(mut self, content_type: &str) -> Result<Self, InvalidEvent> {
        let text = checked("content type", content_type, MAX_TEXT_BYTES)?;
        self.extras_mut().content_type = Some(text);
        Ok(self)
    }

    /// The same event whose payload is encoded, with `gzip` for example: what the header
    /// `Content-Encoding` of HTTP says. It is kept as the attribute [`Event::CONTENT_ENCODING`].
    ///
    /// The payload is what was encoded, so the same data in another encoding is another payload.
    ///
    /// # Errors
    ///
    /// [`InvalidEvent`], as of any attribute.
    pub fn with_content_encoding(self, encoding: &str) -> Result<Self, InvalidEvent> {
        self.with_attribute(Self::CONTENT_ENCODING, encoding)
    }

    /// The same event with this attribute, in place of one of the same name.
    ///
    /// # Errors
    ///
    /// [`InvalidEvent`] when name or value is too long or holds a control character, when the name is empty, or
    /// when there are too many.
    pub fn with_attribute(mut self, name: &str, value: &str) -> Result<Self, InvalidEvent> {
        self.extras_mut().attributes.set(name, value)?;
        Ok(self)
    }

    /// The same event, of which no run starts before this time. It is accepted at once, and counts as pending.
    ///
    /// Like its attributes, the time is no part of the identity: that of the first submission stays.
    #[must_use]
    pub fn with_not_before(mut self, at: Timestamp) -> Self {
        self.extras_mut().not_before = Some(NotBefore::At(at));
        self
    }

    /// The same event, of which no run starts until so much time has passed since it was accepted; see
    /// [`Event::with_not_before`], of which this is in place.
    ///
    /// ```
    /// use core::time::Duration;
    /// use eventful::Event;
    ///
    /// let reminder = Event::with_id("reminder-17", "")?.with_delay(Duration::from_secs(3600));
    /// # Ok::<(), eventful::engine::InvalidEvent>(())
    /// ```
    #[must_use]
    pub fn with_delay(mut self, delay: Duration) -> Self {
        self.extras_mut().not_before = Some(NotBefore::After(delay));
        self
    }

    /// Its identity.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// The digest of its payload.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Its payload.
    pub fn payload(&self) -> &Bytes {
        &self.payload
    }

    /// Its type, when it has one.
    pub fn event_type(&self) -> Option<&str> {
        self.extras.as_ref()?.event_type.as_deref()
    }

    /// Its group, when it has one.
    pub fn group(&self) -> Option<&str> {
        self.extras.as_ref()?.group.as_deref()
    }

    /// The media type of its payload, when it has one.
    pub fn content_type(&self) -> Option<&str> {
        self.extras.as_ref()?.content_type.as_deref()
    }

    /// Returns the encoding of its payload, when there is one.
    pub fn content_encoding(&self) -> Option<&str> {
        self.attributes().value(Self::CONTENT_ENCODING)
    }

    /// Its attributes.
    pub fn attributes(&self) -> &Attributes {
        const NONE: &Attributes = &Attributes::none();
        self.extras.as_ref().map_or(NONE, |extras| &extras.attributes)
    }

    /// Returns the time before which its first run does not start, when one was given. Once it is accepted it is a
    /// point in time.
    pub fn not_before(&self) -> Option<NotBefore> {
        self.extras.as_ref()?.not_before
    }

    /// The same event as it is accepted at `now`: with a time in place of a delay.
    pub(super) fn accepted_at(mut self, now: Timestamp) -> Self {
        if let Some(NotBefore::After(delay)) = self.not_before() {
            self.extras_mut().not_before = Some(NotBefore::At(now + delay));
        }
        self
    }

    /// Returns the time at which its first run may start, if it was accepted at `now`.
    pub(super) fn eligible_at(&self, now: Timestamp) -> Timestamp {
        self.not_before().map_or(now, |not_before| not_before.since(now).max(now))
    }

    /// Returns the bytes that it takes of the bound by bytes: payload, key, type, group, content type and attributes.
    pub fn size_bytes(&self) -> usize {
        self.payload.len() + self.key.len_bytes() + self.extras.as_ref().map_or(0, |extras| extras.size_bytes())
    }

    fn extras_mut(&mut self) -> &mut Extras {
        // Copied only when another clone of the event shares them.
        Arc::make_mut(self.extras.get_or_insert_default())
    }
}

/// The name of a group. Clones share its text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupName(Arc<str>);

impl GroupName {
    /// The name with this text.
    ///
    /// # Errors
    ///
    /// [`InvalidEvent`] when it is empty, too long, or holds a control character.
    pub fn new(text: &str) -> Result<Self, InvalidEvent> {
        match text {
            "" => Err(InvalidEvent::UnnamedGroup),
            _ => Ok(Self(checked("group", text, MAX_TEXT_BYTES)?.into())),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for GroupName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for GroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl NotBefore {
    /// The time, once it is known.
    pub fn time(self) -> Option<Timestamp> {
        match self {
            Self::At(at) => Some(at),
            Self::After(_) => None,
        }
    }

    /// The time that this is for an event that is accepted at `now`.
    pub(super) fn since(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::After(delay) => now + delay,
        }
    }
}

impl Extras {
    fn size_bytes(&self) -> usize {
        let texts = self.event_type.iter().chain(&self.group).chain(&self.content_type);
        texts.map(|text| text.len()).sum::<usize>() + self.attributes.size_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_returns_the_parts_that_it_was_made_of() {
        let event = full();
        assert_eq!((event.key().source(), &*event.key().id(), &event.payload()[..]), ("shop", "order-17", &b"123"[..]));
        assert_eq!((event.event_type(), event.content_type()), (Some("created"), Some("text/plain")));
        assert_eq!((event.attributes().len(), event.attributes().value("tenant")), (1, Some("red")));
        assert_eq!(*event.digest(), Digest::of(b"123"));
    }

    #[test]
    fn content_encoding_is_an_attribute() {
        let event = plain().with_content_encoding("gzip").expect("an encoding");
        assert_eq!(event.content_encoding(), Some("gzip"));
        assert_eq!(event.attributes().value("content-encoding"), Some("gzip"));
        assert_eq!(full().content_encoding(), None);
    }

    #[test]
    fn it_has_nothing_that_it_was_not_given() {
        let event = plain();
        assert_eq!((event.event_type(), event.content_type(), event.attributes().len()), (None, None, 0));
    }

    #[test]
    fn every_part_counts_as_its_bytes() {
        assert_eq!(plain().size_bytes(), 12 + 3);
        assert_eq!(full().size_bytes(), 12 + 3 + 7 + 10 + 9);
    }

    #[test]
    fn a_clone_shares_its_attributes_until_one_is_added() {
        let event = full();
        let more = event.clone().with_attribute("region", "north").expect("an attribute");
        assert_eq!((event.attributes().len(), more.attributes().len()), (1, 2));
    }

    #[test]
    fn a_text_may_have_so_many_bytes_and_not_one_more() {
        let longest = "x".repeat(Event::MAX_TEXT_BYTES);
        let event = plain().with_type(&longest).expect("an allowed type");
        assert_eq!(event.event_type(), Some(&*longest));

        let too_long = longest + "x";
        let max = Event::MAX_TEXT_BYTES;
        let refused = InvalidEvent::TooLong { part: "content type", bytes: too_long.len(), max };
        assert_eq!(plain().with_content_type(&too_long), Err(refused));
    }

    #[test]
    fn a_text_with_a_line_break_is_refused() {
        let refused = |part| Err(InvalidEvent::ControlCharacter { part });
        assert_eq!(plain().with_type("a\nb"), refused("type"));
    }

    #[test]
    fn delay_becomes_a_time_when_the_event_is_accepted() {
        let (now, second) = (Timestamp::from_micros(5), Duration::from_secs(1));
        let delayed = plain().with_delay(second);
        assert_eq!(delayed.not_before(), Some(NotBefore::After(second)));
        let accepted = delayed.accepted_at(now);
        assert_eq!(accepted.not_before(), Some(NotBefore::At(now + second)));
        assert_eq!(accepted.clone().accepted_at(now + second), accepted);
        assert_eq!(accepted.eligible_at(now), now + second);
        assert_eq!(plain().with_not_before(Timestamp::EPOCH).eligible_at(now), now);
        assert_eq!(plain().with_delay(Duration::MAX).eligible_at(now), Timestamp::MAX);
    }

    fn plain() -> Event {
        Event::new(Key::new("shop", "order-17").expect("a key"), "123")
    }

    fn full() -> Event {
        let event = plain().with_type("created").and_then(|event| event.with_content_type("text/plain"));
        let event = event.and_then(|event| event.with_attribute("tenant", "blue"));
        event.and_then(|event| event.with_attribute("tenant", "red")).expect("allowed parts")
    }
}
