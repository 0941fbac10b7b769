//! Spans of time as people write them: `500ms`, `5s`, `2m`, `1h30m`.

use core::time::Duration;
use std::format;
use std::string::String;

use std::borrow::ToOwned as _;

/// A text that is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no duration: write a number with a unit, such as 500ms, 5s, 2m or 1h30m")]
pub struct InvalidDuration(String);

/// The units that a duration may have, with their microseconds; each before those it ends like.
const UNITS: [(&str, u64); 7] = [
    ("us", 1),
    ("ms", 1000),
    ("s", 1_000_000),
    ("m", 60_000_000),
    ("h", 3_600_000_000),
    ("d", 86_400_000_000),
    ("w", 604_800_000_000),
];

/// A duration such as `500ms`, `5s`, `2m` or `1h30m`.
///
/// # Errors
///
/// [`InvalidDuration`] says what to write instead.
pub fn parse(text: &str) -> Result<Duration, InvalidDuration> {
    let refused = || InvalidDuration(text.to_owned());
    let mut rest = text;
    let mut micros: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(refused)?;
        let (number, tail) = rest.split_at(digits);
        let letters = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        let (_, factor) = UNITS.into_iter().find(|(name, _)| *name == unit).ok_or_else(refused)?;
        let part = number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor));
        micros = part.and_then(|part| micros.checked_add(part)).ok_or_else(refused)?;
        rest = tail;
    }
    if text.is_empty() { Err(refused()) } else { Ok(Duration::from_micros(micros)) }
}

/// A duration in the form that [`parse`] reads, in its largest whole unit.
pub fn show(duration: Duration) -> String {
    let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    let fitting = UNITS.into_iter().rev().find(|(_, factor)| micros > 0 && micros.is_multiple_of(*factor));
    fitting.map_or_else(|| "0s".to_owned(), |(unit, factor)| format!("{}{unit}", micros / factor))
}

/// A duration in the largest unit of which there is at least one, rounded down.
pub fn about(duration: Duration) -> String {
    let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    let fitting = UNITS.into_iter().rev().find(|(_, factor)| micros >= *factor);
    fitting.map_or_else(|| "0s".to_owned(), |(unit, factor)| format!("{}{unit}", micros / factor))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString as _;

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, millis) in [("500ms", 500), ("5s", 5000), ("2m", 120_000), ("1h30m", 5_400_000), ("0s", 0)] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn invalid_duration_is_refused_with_an_example() {
        for text in ["", "5", "s", "5 s", "-5s", "1.5s", "5parsecs", "99999999999999w", "5s3"] {
            let error = parse(text).expect_err(text).to_string();
            assert!(error.contains("500ms"), "{error}");
        }
    }

    #[test]
    fn about_a_duration_is_said_in_its_largest_unit() {
        for (millis, text) in [(0, "0s"), (999, "999ms"), (3_601_000, "1h"), (172_799_000, "1d"), (60_000, "1m")] {
            assert_eq!(about(Duration::from_millis(millis)), text);
        }
    }

    #[test]
    fn a_duration_is_shown_as_it_is_read() {
        for text in ["500ms", "5s", "2m", "90m", "1h", "1us", "0s"] {
            assert_eq!(show(parse(text).expect("a duration")), text);
        }
    }
}
