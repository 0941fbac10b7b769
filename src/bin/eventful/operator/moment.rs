//! Times as people write them.

use std::time::Duration;

use eventful::engine::Timestamp;
use eventful::http::rfc3339::{self, Rfc3339};

use crate::spans;

const MINUTE: u64 = 60;
const DAY: u64 = 86_400;

/// Parses a time: one of RFC 3339, which is kept as it is; the last `02:00Z`; or `90m`, which is so long ago.
///
/// # Errors
///
/// The forms to write instead.
pub(super) fn parse(text: &str) -> Result<String, String> {
    at(text, spans::since_epoch())
}

fn at(text: &str, now: Duration) -> Result<String, String> {
    if rfc3339::parse(text).is_some() {
        return Ok(text.to_owned());
    }
    let moment = match (clock(text), spans::parse(text)) {
        (Some(clock), _) => last(clock, now),
        (None, Ok(ago)) => now.saturating_sub(ago),
        (None, Err(_)) => {
            return Err(format!("{text:?} is no time: write 2027-01-31T02:00:00Z, or 02:00Z, or 90m for so long ago"));
        }
    };
    let micros = u64::try_from(moment.as_micros()).unwrap_or(u64::MAX);
    Ok(Rfc3339(Timestamp::from_micros(micros)).to_string())
}

/// Seconds since midnight of a text such as `02:00Z`.
fn clock(text: &str) -> Option<u64> {
    let (hour, minute) = text.strip_suffix('Z')?.split_once(':')?;
    let number = |text: &str, end: u64| -> Option<u64> {
        let is_plain = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|number| is_plain && *number < end)
    };
    Some((number(hour, 24)? * 60 + number(minute, 60)?) * MINUTE)
}

/// The last time at which clocks showed these seconds since midnight.
fn last(clock: u64, now: Duration) -> Duration {
    let today = now.as_secs() / DAY * DAY + clock;
    Duration::from_secs(if today <= now.as_secs() { today } else { today.saturating_sub(DAY) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2009-02-13, half past eleven at night.
    const NOW: Duration = Duration::from_secs(1_234_567_890);

    #[test]
    fn time_is_absolute_or_of_a_clock_or_ago() {
        for (text, time) in [
            ("2027-01-31T02:00:00Z", "2027-01-31T02:00:00Z"),
            ("2027-01-31T02:00:00+01:00", "2027-01-31T02:00:00+01:00"),
            ("02:00Z", "2009-02-13T02:00:00.000000Z"),
            ("23:31Z", "2009-02-13T23:31:00.000000Z"),
            ("23:32Z", "2009-02-12T23:32:00.000000Z"),
            ("90m", "2009-02-13T22:01:30.000000Z"),
            ("1h30m", "2009-02-13T22:01:30.000000Z"),
            ("5000w", "1970-01-01T00:00:00.000000Z"),
        ] {
            assert_eq!(at(text, NOW).as_deref(), Ok(time), "{text}");
        }
    }

    #[test]
    fn text_that_is_no_time_is_refused() {
        for text in ["", "02:00", "2:00Z", "24:00Z", "02:60Z", "+2:00Z", "yesterday", "90", "2027-01-31"] {
            assert!(at(text, NOW).is_err_and(|wrong| wrong.contains("or 90m")), "{text}");
        }
    }
}
