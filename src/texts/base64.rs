//! Bytes as text (RFC 4648, section 4).

use std::string::String;
use std::vec::Vec;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Encodes bytes as base64, padded.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for part in bytes.chunks(3) {
        let number = part.iter().fold(0, |number, byte| number << 8 | usize::from(*byte)) << (8 * (3 - part.len()));
        for at in 0..4 {
            let letter = char::from(ALPHABET[number >> (18 - 6 * at) & 63]);
            text.push(if at <= part.len() { letter } else { '=' });
        }
    }
    text
}

/// The bytes of a text in base64, padded or not; nothing when it is none.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let letters = text.trim_end_matches('=').as_bytes();
    let is_padded = text.len() == letters.len() || text.len().is_multiple_of(4) && text.len() - letters.len() <= 2;
    let mut bytes = Vec::with_capacity(letters.len() / 4 * 3 + 2);
    for part in letters.chunks(4) {
        let mut number = 0;
        for letter in part {
            number = number << 6 | value(*letter)?;
        }
        // The bits behind the last byte are zeros, or two texts would be the same bytes.
        let (len, rest) = (part.len() * 6 / 8, part.len() * 6 % 8);
        if rest == 6 || number & ((1 << rest) - 1) != 0 {
            return None;
        }
        bytes.extend_from_slice(&(number >> rest).to_be_bytes()[4 - len..]);
    }
    is_padded.then_some(bytes)
}

const fn value(letter: u8) -> Option<u32> {
    Some(match letter {
        b'A'..=b'Z' => letter - b'A',
        b'a'..=b'z' => letter - b'a' + 26,
        b'0'..=b'9' => letter - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    } as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_encoded_as_the_rfc_has_them() {
        let texts = ["", "f", "fo", "foo", "foob", "fooba", "foobar"].map(|text| encode(text.as_bytes()));
        assert_eq!(texts, ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"]);
        assert_eq!(encode(&[0xff, 0xfe, 0xfb]), "//77");
    }

    #[test]
    fn text_is_the_bytes_that_it_was_made_of() {
        for bytes in ["", "f", "fo", "foo", "foob", "fooba", "foobar"] {
            let text = encode(bytes.as_bytes());
            assert_eq!(decode(&text).as_deref(), Some(bytes.as_bytes()));
            assert_eq!(decode(text.trim_end_matches('=')).as_deref(), Some(bytes.as_bytes()));
        }
        assert_eq!(decode("//77").as_deref(), Some(&[0xff, 0xfe, 0xfb][..]));
        for text in ["Z", "Zh==", "Zg=", "Zg===", "Zm9v=", "Zm 9", "Zm9-", "=", "\u{e4}"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
