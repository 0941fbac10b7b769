//! Times as people read them.

use core::fmt;

use super::time::Timestamp;

/// A time as RFC 3339 has it, in UTC with microseconds: `2023-11-14T22:13:20.000000Z`. Written with `{:#}` it has them only
/// where they are not zero.
#[derive(Debug, Clone, Copy)]
pub struct Rfc3339(pub Timestamp);

impl fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.as_micros();
        let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
        let (year, month, day) = date(seconds / 86_400);
        let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        match fraction {
            0 if f.alternate() => f.write_str("Z"),
            _ => write!(f, ".{fraction:06}Z"),
        }
    }
}

/// Parses a time such as `2023-11-14T22:13:20Z` or `2023-11-14T23:13:20.5+01:00`. Digits behind the microseconds are
/// dropped.
pub fn parse(text: &str) -> Option<Timestamp> {
    micros(text).map(Timestamp::from_micros)
}

fn micros(text: &str) -> Option<u64> {
    let number = |from: usize, len: usize| {
        let digits = text.get(from..from + len).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
        digits.parse::<u64>().ok()
    };
    let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    let separated = separators.iter().all(|(at, byte)| text.as_bytes().get(*at) == Some(byte));
    let (year, month, day) = (number(0, 4)?, number(5, 2)?, number(8, 2)?);
    let (hour, minute, second) = (number(11, 2)?, number(14, 2)?, number(17, 2)?);
    // Months have unequal lengths: a day that is not in its month comes back as another date.
    let days = days(year, month, day).filter(|days| date(*days) == (year, month, day))?;
    let rest = text.get(19..)?;
    let digits = rest.strip_prefix('.').map_or(0, |rest| rest.bytes().take_while(u8::is_ascii_digit).count());
    // Digits behind the microseconds are dropped.
    let fraction = (0..6).fold(0, |sum, at| sum * 10 + if at < digits { number(20 + at, 1).unwrap_or(0) } else { 0 });
    let zone = &rest[if digits > 0 { digits + 1 } else { 0 }..];
    let sound = separated && hour < 24 && minute < 60 && second < 60;
    let seconds = (days * 24 + hour) * 3600 + minute * 60 + second;
    let seconds = if sound { with_offset(seconds, zone)? } else { return None };
    Some(seconds * 1_000_000 + fraction)
}

/// The day counted from the Unix epoch; the inverse of [`date`] for days that there are.
const fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    let year = if month <= 2 { year.saturating_sub(1) } else { year };
    let (era, year_of_era) = (year / 400, year % 400);
    let month_from_march = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * month_from_march + 2) / 5 + day;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    // One more than `date` adds: the days of a month count from 1.
    (era * 146_097 + day_of_era).checked_sub(719_469)
}

/// Seconds in UTC of those at this offset.
fn with_offset(seconds: u64, zone: &str) -> Option<u64> {
    if zone == "Z" {
        return Some(seconds);
    }
    let (hours, minutes) =
        zone.get(1..)?.split_once(':').filter(|(hours, minutes)| hours.len() == 2 && minutes.len() == 2)?;
    let offset = hours.parse::<u64>().ok()? * 3600 + minutes.parse::<u64>().ok()? * 60;
    match zone.as_bytes().first()? {
        // Where the offset is positive, clocks are ahead of UTC.
        b'+' => seconds.checked_sub(offset),
        b'-' => seconds.checked_add(offset),
        _ => None,
    }
}

/// Year, month and day of the Gregorian calendar, of a day counted from the Unix epoch.
///
/// Counts years from March, so that the leap day is the last of its year; see Howard Hinnant,
/// "chrono-Compatible Low-Level Date Algorithms".
const fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + if month <= 2 { 1 } else { 0 }, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString as _;

    #[test]
    fn it_knows_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (951_782_400, "2000-02-29T00:00:00.000000Z"),
            (1_700_000_000, "2023-11-14T22:13:20.000000Z"),
            (4_107_542_399, "2100-02-28T23:59:59.000000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000000Z"),
        ] {
            assert_eq!(Rfc3339(Timestamp::from_micros(seconds * 1_000_000)).to_string(), text);
        }
    }

    #[test]
    fn time_is_read_with_fraction_and_offset() {
        for (text, micros) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2000-02-29T00:00:00Z", Some(951_782_400_000_000)),
            ("2023-11-14T22:13:20.5Z", Some(1_700_000_000_500_000)),
            ("2023-11-14T23:13:20.000001+01:00", Some(1_700_000_000_000_001)),
            ("2023-11-14T21:43:20-00:30", Some(1_700_000_000_000_000)),
            ("2100-02-29T00:00:00Z", None),
            ("2023-13-01T00:00:00Z", None),
            ("2023-11-14T24:00:00Z", None),
            ("2023-11-14 22:13:20Z", None),
            ("2023-11-14T22:13:20", None),
            ("2023-11-14T22:13:20+1", None),
            ("1969-12-31T00:00:00Z", None),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(super::micros(text), micros, "{text}");
        }
    }
}
