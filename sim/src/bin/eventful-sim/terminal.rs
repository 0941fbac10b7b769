//! Output for the user.

use std::io::Write as _;

/// Writes a line to standard output. An error is ignored, as the reader may be gone.
pub(crate) fn say(text: &str) {
    let _written = writeln!(std::io::stdout().lock(), "{text}");
}

/// Writes a line to standard error. An error is ignored, as the reader may be gone.
pub(crate) fn warn(text: &str) {
    let _written = writeln!(std::io::stderr().lock(), "{text}");
}

/// Formats a number with separated thousands: `12,345`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Returns a number of steps to begin a list with; nothing in a tier that does not count them.
pub(crate) fn steps(count: u64) -> String {
    if count > 0 { format!("{} steps, ", grouped(count)) } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn thousands_are_apart() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
    }
}
