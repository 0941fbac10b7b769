//! The reasons why an event cannot be made.

use alloc::boxed::Box;

use super::key::InvalidKey;

/// The longest type, content type or attribute name, in bytes.
pub(super) const MAX_TEXT_BYTES: usize = 255;
/// The most attributes.
pub(super) const MAX_ATTRIBUTES: usize = 16;
/// The most bytes of all attributes: as many as the headers of a request have on common servers.
pub(super) const MAX_ATTRIBUTES_BYTES: usize = 8192;

/// The reason why an event cannot be made of these parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidEvent {
    /// The source and the id make no key.
    #[error(transparent)]
    Key(#[from] InvalidKey),
    /// A type, content type or attribute is longer than it may be.
    #[error("the {part} has {bytes} bytes, {max} are allowed: put it into the payload")]
    TooLong {
        /// The part.
        part: &'static str,
        /// Its bytes.
        bytes: usize,
        /// The most that it may have.
        max: usize,
    },
    /// A type, content type or attribute holds a control character.
    #[error("the {part} holds a control character: put it into the payload")]
    ControlCharacter {
        /// The part.
        part: &'static str,
    },
    /// There are more than [`Attributes::MAX`](super::Attributes::MAX) attributes.
    #[error("there are more than {max} attributes: put them into the payload", max = MAX_ATTRIBUTES)]
    TooManyAttributes,
    /// The attributes are longer than [`Attributes::MAX_BYTES`](super::Attributes::MAX_BYTES) together.
    #[error("the attributes have {bytes} bytes, {max} are allowed: put them into the payload", max = MAX_ATTRIBUTES_BYTES)]
    AttributesTooLong {
        /// Their bytes.
        bytes: usize,
    },
    /// A group has no name.
    #[error("the name of the group is empty: give it one, or leave the group out")]
    UnnamedGroup,
    /// An attribute has no name.
    #[error("an attribute has an empty name: give it one")]
    UnnamedAttribute,
}

/// Returns a text as part of an event, when it is short enough and may be in a header.
pub(super) fn checked(part: &'static str, text: &str, max: usize) -> Result<Box<str>, InvalidEvent> {
    if text.len() > max {
        return Err(InvalidEvent::TooLong { part, bytes: text.len(), max });
    }
    if text.chars().any(char::is_control) {
        return Err(InvalidEvent::ControlCharacter { part });
    }
    Ok(text.into())
}
