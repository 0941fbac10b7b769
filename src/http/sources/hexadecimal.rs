//! Bytes as hexadecimal digits.

use std::string::String;
use std::vec::Vec;

/// Two digits for each byte, in lower case.
pub(in crate::http) fn encode(bytes: &[u8]) -> String {
    let digits = |byte: &u8| [byte >> 4, byte & 15].map(|four| char::from(b"0123456789abcdef"[usize::from(four)]));
    bytes.iter().flat_map(digits).collect()
}

/// The bytes of these digits, in any case; nothing when they are none.
pub(in crate::http) fn decode(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    text.as_bytes().chunks(2).map(|two| Some(digit(two[0])? << 4 | digit(two[1])?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_the_bytes() {
        assert_eq!(encode(&[0, 0xa1, 0xff]), "00a1ff");
        assert_eq!(decode("00A1ff"), Some(std::vec![0, 0xa1, 0xff]));
        for text in ["0", "0g", "+1", "\u{e4}"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
