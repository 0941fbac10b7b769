//! The identity of an event.

use alloc::borrow::Cow;
use alloc::sync::Arc;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::ops::Deref;

/// The identity of an event: the `source` it comes from (may be empty) and its `id` there.
///
/// Two keys are equal when both parts are: `("ab", "c")` is not `("a", "bc")`. Cloning never
/// allocates. A lower-case UUID without a source is kept in 16 bytes; any other key is one
/// allocation.
///
/// ```
/// use eventful::Key;
///
/// let key = Key::new("github", "72d3162e-cc78-11e3-81ab-4c9367dc0958")?;
/// assert_eq!(key.source(), "github");
/// assert_ne!(Key::new("ab", "c")?, Key::new("a", "bc")?);
/// # Ok::<(), eventful::engine::InvalidKey>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(Packed);

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Packed {
    /// A canonical UUID without a source.
    Uuid([u8; 16]),
    /// One byte with the length of the source, the source, the id.
    Text(Arc<[u8]>),
}

/// The reason why a source and an id make no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidKey {
    /// The id has no characters.
    #[error("the id is empty: give each event an id that its sender repeats on every retry")]
    Empty,
    /// The id is longer than [`Key::MAX_ID_BYTES`].
    #[error("the id has {bytes} bytes, {max} are allowed: send a hash of it instead", max = Key::MAX_ID_BYTES)]
    IdTooLong {
        /// Bytes of the refused id.
        bytes: usize,
    },
    /// The source is longer than [`Key::MAX_SOURCE_BYTES`].
    #[error("the source has {bytes} bytes, {max} are allowed: use a shorter name", max = Key::MAX_SOURCE_BYTES)]
    SourceTooLong {
        /// Bytes of the refused source.
        bytes: usize,
    },
    /// The id or the source holds a control character, which no header and no log line can carry.
    #[error("the {part} holds a control character at byte {at}: encode it, in base64 for example")]
    ControlCharacter {
        /// `"id"` or `"source"`.
        part: &'static str,
        /// Position in bytes.
        at: usize,
    },
}

impl Key {
    /// The longest id, in bytes.
    pub const MAX_ID_BYTES: usize = 1024;
    /// The longest source, in bytes.
    pub const MAX_SOURCE_BYTES: usize = 255;

    /// The key of `id` at `source`; `source` may be empty.
    ///
    /// # Errors
    ///
    /// [`InvalidKey`] when the id is empty, a part is too long, or a part holds a control
    /// character (line breaks and NUL among them).
    pub fn new(source: &str, id: &str) -> Result<Self, InvalidKey> {
        if source.is_empty()
            && let Some(uuid) = parse_uuid(id)
        {
            return Ok(Self(Packed::Uuid(uuid)));
        }
        if id.is_empty() {
            return Err(InvalidKey::Empty);
        }
        if id.len() > Self::MAX_ID_BYTES {
            return Err(InvalidKey::IdTooLong { bytes: id.len() });
        }
        // The bound is what the byte in front can count.
        let Some(source_len) = u8::try_from(source.len()).ok() else {
            return Err(InvalidKey::SourceTooLong { bytes: source.len() });
        };
        refuse_control("source", source)?;
        refuse_control("id", id)?;
        // The length in front keeps `("ab", "c")` and `("a", "bc")` apart.
        let bytes = core::iter::once(source_len).chain(source.bytes()).chain(id.bytes());
        Ok(Self(Packed::Text(bytes.collect())))
    }

    /// Returns the source of the event; empty when its sender named none.
    pub fn source(&self) -> &str {
        match &self.0 {
            Packed::Uuid(_) => "",
            Packed::Text(bytes) => text(bytes.get(1..1 + usize::from(bytes[0]))),
        }
    }

    /// The id, unique within the source.
    pub fn id(&self) -> Id<'_> {
        match &self.0 {
            Packed::Uuid(uuid) => Id(Unpacked::Uuid(format_uuid(uuid))),
            Packed::Text(bytes) => Id(Unpacked::Text(text(bytes.get(1 + usize::from(bytes[0])..)))),
        }
    }

    /// The key of this UUID in its canonical form, without a source.
    pub const fn from_uuid(uuid: [u8; 16]) -> Self {
        Self(Packed::Uuid(uuid))
    }

    /// The 16 bytes of the id when it is a UUID in its canonical form, and there is no source.
    pub const fn as_uuid(&self) -> Option<&[u8; 16]> {
        match &self.0 {
            Packed::Uuid(uuid) => Some(uuid),
            Packed::Text(_) => None,
        }
    }

    /// Bytes of source and id together.
    pub fn len_bytes(&self) -> usize {
        match &self.0 {
            Packed::Uuid(_) => UUID_TEXT,
            Packed::Text(bytes) => bytes.len() - 1,
        }
    }

    /// All that distinguishes it from other keys of its kind.
    pub(super) fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Packed::Uuid(uuid) => uuid,
            Packed::Text(bytes) => bytes,
        }
    }

    /// A key of no event, for places whose key has left.
    pub(super) const fn vacant() -> Self {
        Self(Packed::Uuid([0; 16]))
    }
}

/// The same key feeds a hasher the same bytes on every machine.
impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Neither a length nor the kind: keys are compared after each match of hashes, so a collision costs time only.
        state.write(self.as_bytes());
    }
}

/// `source/id`, or the id alone when there is no source.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.source() {
            "" => f.write_str(&self.id()),
            source => write!(f, "{source}/{}", &*self.id()),
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:?}, {:?})", self.source(), &*self.id())
    }
}

/// The id of a [`Key`], as text; it dereferences to `str`.
#[derive(Debug, Clone)]
pub struct Id<'a>(Unpacked<'a>);

#[derive(Debug, Clone)]
enum Unpacked<'a> {
    Uuid([u8; UUID_TEXT]),
    Text(&'a str),
}

impl Deref for Id<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match &self.0 {
            Unpacked::Uuid(ascii) => text(Some(ascii)),
            Unpacked::Text(id) => id,
        }
    }
}

impl<'a> Id<'a> {
    /// The text, borrowed from the key where the key holds it as text.
    pub fn into_text(self) -> Cow<'a, str> {
        match self.0 {
            Unpacked::Uuid(ascii) => Cow::Owned(text(Some(&ascii)).into()),
            Unpacked::Text(id) => Cow::Borrowed(id),
        }
    }
}

impl fmt::Display for Id<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self)
    }
}

/// Characters of a UUID in its canonical form.
const UUID_TEXT: usize = 36;

/// The positions at which the two digits of each byte of a canonical UUID begin, with hyphens between.
const PAIRS: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];

/// The positions of the hyphens of a canonical UUID.
const HYPHENS: [usize; 4] = [8, 13, 18, 23];

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// The value of each lower-case hexadecimal digit, and `NO_DIGIT` for all other bytes.
const VALUES: [u8; 256] = {
    let mut values = [NO_DIGIT; 256];
    let mut value = 0;
    while value < DIGITS.len() {
        values[DIGITS[value] as usize] = value as u8;
        value += 1;
    }
    values
};

const NO_DIGIT: u8 = 0xff;

/// The 16 bytes of `id` when it is a UUID in canonical lower-case form, and nothing else.
fn parse_uuid(id: &str) -> Option<[u8; 16]> {
    let ascii: &[u8; UUID_TEXT] = id.as_bytes().try_into().ok()?;
    // No branch per digit: `NO_DIGIT` has all bits set, and shows in the union.
    let mut seen = 0;
    let uuid = PAIRS.map(|at| {
        let (high, low) = (VALUES[usize::from(ascii[at])], VALUES[usize::from(ascii[at + 1])]);
        seen |= high | low;
        high << 4 | low
    });
    (seen != NO_DIGIT && HYPHENS.iter().all(|at| ascii[*at] == b'-')).then_some(uuid)
}

fn format_uuid(uuid: &[u8; 16]) -> [u8; UUID_TEXT] {
    let mut ascii = [b'-'; UUID_TEXT];
    for (byte, at) in uuid.iter().zip(PAIRS) {
        ascii[at] = DIGITS[usize::from(byte >> 4)];
        ascii[at + 1] = DIGITS[usize::from(byte & 15)];
    }
    ascii
}

fn refuse_control(part: &'static str, value: &str) -> Result<(), InvalidKey> {
    match value.char_indices().find(|(_, c)| c.is_control()) {
        Some((at, _)) => Err(InvalidKey::ControlCharacter { part, at }),
        None => Ok(()),
    }
}

/// Bytes that were text when they came in.
fn text(bytes: Option<&[u8]>) -> &str {
    // Checked once more, as unsafe code is forbidden here; it does not fail.
    bytes.and_then(|bytes| core::str::from_utf8(bytes).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::ToString;

    #[test]
    fn a_uuid_keeps_its_text() {
        let id = "6024c586-801f-6fde-8f56-48f09db2401f";
        let key = Key::new("", id).expect("a key");
        assert!(matches!(key.0, Packed::Uuid(_)));
        assert_eq!(key.to_string(), id);
    }

    #[test]
    fn text_that_only_resembles_a_uuid_is_kept_as_text() {
        for id in [
            "6024C586-801f-6fde-8f56-48f09db2401f",
            "6024c586-801f-6fde-8f56-48f09db2401",
            "6024c586-801f-6fde-8f56_48f09db2401f",
            "g024c586-801f-6fde-8f56-48f09db2401f",
            "gg24c586-801f-6fde-8f56-48f09db2401f",
            "6024c586-801f-6fde-8f56-48f09db2401g",
        ] {
            let key = Key::new("", id).expect("a key");
            assert!(matches!(key.0, Packed::Text(_)), "{id}");
            assert_eq!(&*key.id(), id);
        }
    }

    #[test]
    fn a_key_takes_three_words() {
        assert_eq!(size_of::<Key>(), 24);
    }

    #[test]
    fn a_key_keeps_its_source_and_its_id() {
        let key = Key::new("shop", "order-17").expect("a key");
        assert_eq!((key.source(), &*key.id(), key.len_bytes()), ("shop", "order-17", 12));
        assert_eq!(
            (key.to_string(), format!("{key:?}")),
            ("shop/order-17".into(), r#"Key("shop", "order-17")"#.into())
        );
        assert_eq!(format!("{:>9}", key.id()), " order-17");
    }

    #[test]
    fn a_key_without_a_source_is_its_id() {
        for id in ["order-17", "6024c586-801f-6fde-8f56-48f09db2401f"] {
            let key = Key::new("", id).expect("a key");
            assert_eq!((key.source(), key.to_string(), key.len_bytes()), ("", id.into(), id.len()));
        }
    }

    #[test]
    fn a_uuid_with_a_source_keeps_both() {
        let key = Key::new("shop", "6024c586-801f-6fde-8f56-48f09db2401f").expect("a key");
        assert_eq!((key.source(), key.len_bytes()), ("shop", 40));
    }

    #[test]
    fn every_byte_of_a_uuid_counts() {
        let id = "00112233-4455-6677-8899-aabbccddeeff";
        let Packed::Uuid(uuid) = Key::new("", id).expect("a key").0 else { panic!("it is packed") };
        assert_eq!(uuid, [0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff]);
    }
}
