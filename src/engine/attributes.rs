//! A few texts that travel with an event.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::invalid_event::{InvalidEvent, MAX_ATTRIBUTES, MAX_ATTRIBUTES_BYTES, MAX_TEXT_BYTES, checked};

/// The attributes of an event: names and values, ordered by name, each name once.
///
/// ```
/// use eventful::Event;
///
/// let event = Event::with_id("order-17", "12")?.with_attribute("tenant", "blue")?;
/// assert_eq!(event.attributes().value("tenant"), Some("blue"));
/// # Ok::<(), eventful::engine::InvalidEvent>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attributes(Vec<(Box<str>, Box<str>)>);

impl Attributes {
    /// The most attributes of one event.
    pub const MAX: usize = MAX_ATTRIBUTES;
    /// The longest name, in bytes.
    pub const MAX_NAME_BYTES: usize = MAX_TEXT_BYTES;
    /// The longest value, in bytes: a signature under several keys, or a `tracestate`, fits.
    pub const MAX_VALUE_BYTES: usize = 1024;
    /// The most bytes of all names and values: as many as the headers of a request have on common servers.
    pub const MAX_BYTES: usize = MAX_ATTRIBUTES_BYTES;

    pub(super) const fn none() -> Self {
        Self(Vec::new())
    }

    /// The value of this attribute, when there is one.
    pub fn value(&self, name: &str) -> Option<&str> {
        let at = self.position(name).ok()?;
        Some(&self.0[at].1)
    }

    /// Names and values, ordered by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// The number of attributes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The bytes of all names and values.
    pub fn size_bytes(&self) -> usize {
        self.iter().map(|(name, value)| name.len() + value.len()).sum()
    }

    /// Sets one attribute, and changes nothing when a bound is passed.
    pub(super) fn set(&mut self, name: &str, value: &str) -> Result<(), InvalidEvent> {
        if name.is_empty() {
            return Err(InvalidEvent::UnnamedAttribute);
        }
        let pair = (
            checked("attribute name", name, Self::MAX_NAME_BYTES)?,
            checked("attribute value", value, Self::MAX_VALUE_BYTES)?,
        );
        let place = self.position(name);
        // A value that is replaced does not count against the limit.
        let replaced = place.map_or(0, |at| name.len() + self.0[at].1.len());
        let bytes = self.size_bytes() - replaced + name.len() + value.len();
        if bytes > Self::MAX_BYTES {
            return Err(InvalidEvent::AttributesTooLong { bytes });
        }
        match place {
            Ok(at) => self.0[at] = pair,
            Err(_) if self.len() == Self::MAX => return Err(InvalidEvent::TooManyAttributes),
            Err(at) => self.0.insert(at, pair),
        }
        Ok(())
    }

    fn position(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| (**known).cmp(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn names_are_ordered_and_a_second_value_replaces_the_first() {
        let mut attributes = Attributes::default();
        for (name, value) in [("b", "1"), ("a", "2"), ("b", "3")] {
            attributes.set(name, value).expect("short texts");
        }
        assert_eq!(attributes.iter().collect::<Vec<_>>(), [("a", "2"), ("b", "3")]);
        assert_eq!((attributes.value("b"), attributes.value("c"), attributes.size_bytes()), (Some("3"), None, 4));
    }

    #[test]
    fn so_many_are_allowed_and_not_one_more() {
        let mut attributes = Attributes::default();
        for n in 0..Attributes::MAX {
            attributes.set(&format!("{n}"), "x").expect("room for an attribute");
        }
        assert_eq!(attributes.set("more", "x"), Err(InvalidEvent::TooManyAttributes));
        attributes.set("0", "y").expect("a new value of an attribute that is there");
        assert_eq!((attributes.len(), attributes.value("0")), (Attributes::MAX, Some("y")));
    }

    #[test]
    fn their_bytes_are_bounded_one_by_one_and_together() {
        let mut attributes = Attributes::default();
        let longest = "x".repeat(Attributes::MAX_VALUE_BYTES);
        let (part, max) = ("attribute value", Attributes::MAX_VALUE_BYTES);
        let too_long = InvalidEvent::TooLong { part, bytes: max + 1, max };
        assert_eq!(attributes.set("a", &(longest.clone() + "x")), Err(too_long));
        for name in ["a", "b", "c", "d", "e", "f", "g"] {
            attributes.set(name, &longest).expect("an allowed value");
        }
        let left = Attributes::MAX_BYTES - attributes.size_bytes() - 1;
        let bytes = Attributes::MAX_BYTES + 1;
        let refused = Err(InvalidEvent::AttributesTooLong { bytes });
        assert_eq!(attributes.set("h", &longest[..=left]), refused);
        attributes.set("h", &longest[..left]).expect("as many as are allowed");
        attributes.set("h", &longest[..left]).expect("as many as are allowed, again");
    }

    #[test]
    fn attribute_needs_a_name_without_control_characters() {
        let mut attributes = Attributes::default();
        assert_eq!(attributes.set("", "x"), Err(InvalidEvent::UnnamedAttribute));
        let refused = |part| Err(InvalidEvent::ControlCharacter { part });
        assert_eq!(attributes.set("a\nb", "c"), refused("attribute name"));
        assert_eq!(attributes.set("a", "b\nc"), refused("attribute value"));
        assert!(attributes.is_empty());
    }
}
