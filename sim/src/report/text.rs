//! Escaping of text.

use serde::Serialize;

/// Escapes text within HTML, or within a quoted attribute.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            letter => safe.push(letter),
        }
    }
    safe
}

/// Returns JSON for a script element: nothing in it can end the element, or begin a comment.
pub(super) fn embedded(value: &impl Serialize) -> String {
    let json = serde_json::to_string(value).expect("strings, numbers and lists of them have a form in JSON");
    json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

/// Formats seconds with all six digits, so that the points are aligned.
pub(super) fn seconds(micros: u64) -> String {
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}
