//! Excerpts of foreign text, for the record of an attempt: its error has room for 1 KiB.

/// The most bytes of a foreign text that are read: an error has no room for more.
pub(crate) const BYTES: usize = eventful::engine::ErrorText::MAX_BYTES;

/// Returns what is wrong, and on further lines the beginning of the response.
pub(crate) fn with_beginning(wrong: &str, said: &[u8]) -> String {
    let said = said.get(..BYTES).unwrap_or(said);
    let whole = match str::from_utf8(said) {
        // The last character was cut.
        Err(error) if error.error_len().is_none() => &said[..error.valid_up_to()],
        _ => said,
    };
    let text = visible(whole);
    match text.trim_end() {
        "" => wrong.to_owned(),
        text => format!("{wrong}\n{text}"),
    }
}

/// Returns what is wrong, and on further lines the end of the text before it, as much as fits.
pub(crate) fn with_ending(wrong: &str, said: &[u8]) -> String {
    let said = &said[said.len().saturating_sub(BYTES)..];
    // A character that was cut leaves three bytes at most.
    let cut = said.iter().take(3).take_while(|byte| is_continuation(**byte)).count();
    let text = visible(&said[cut..]);
    let text = text.trim_end();
    let room = BYTES.saturating_sub(wrong.len() + 1);
    match &text[text.ceil_char_boundary(text.len().saturating_sub(room))..] {
        "" => wrong.to_owned(),
        text => format!("{wrong}\n{text}"),
    }
}

const fn is_continuation(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

/// Returns the bytes as text, with every control character but the line break written out.
fn visible(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for char in String::from_utf8_lossy(bytes).chars() {
        if char.is_control() && char != '\n' { text.extend(char.escape_default()) } else { text.push(char) }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_visible_and_lines_are_kept() {
        let said = b"a\x1b[31m\r\n\tb\0 \xff\n\n";
        let shown = "wrong\na\\u{1b}[31m\\r\n\\tb\\u{0} \u{fffd}";
        assert_eq!(with_beginning("wrong", said), shown);
        assert_eq!(with_ending("wrong", said), shown);
    }

    #[test]
    fn nothing_said_adds_no_line() {
        for said in [&b""[..], b"\n \n"] {
            assert_eq!((with_beginning("wrong", said), with_ending("wrong", said)), ("wrong".into(), "wrong".into()));
        }
    }

    #[test]
    fn beginning_and_end_are_cut_between_characters() {
        let said = "ä".repeat(1000);
        let (begun, ended) = (with_beginning("wrong", &said.as_bytes()[..1023]), with_ending("wrong", said.as_bytes()));
        assert_eq!(begun, format!("wrong\n{}", "ä".repeat(511)));
        assert_eq!(ended, format!("wrong\n{}", "ä".repeat(509)));
        assert_eq!(with_ending("wrong", &said.as_bytes()[1..6]), "wrong\nää");
    }

    #[test]
    fn end_fits_however_much_must_be_escaped() {
        let said = [&[0; 2000][..], b"the end"].concat();
        let text = with_ending("wrong", &said);
        assert!(text.len() <= BYTES && text.starts_with("wrong\n") && text.ends_with("the end"), "{text}");
    }
}
