//! Cron expressions, and the dates and times of day that fit them.

use core::str::FromStr;
use std::vec::Vec;

use jiff::civil::Date;

use super::field::{Field, FieldKind};
use super::invalid::InvalidCron;

/// A cron expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Expression {
    minute: Field,
    hour: Field,
    day: Field,
    month: Field,
    weekday: Field,
}

const MONTHS: &[&str] = &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

const KINDS: [FieldKind; 5] = [
    FieldKind { name: "minute", range: 0..=59, words: &[] },
    FieldKind { name: "hour", range: 0..=23, words: &[] },
    FieldKind { name: "day of the month", range: 1..=31, words: &[] },
    FieldKind { name: "month", range: 1..=12, words: MONTHS },
    FieldKind { name: "day of the week", range: 0..=7, words: WEEKDAYS },
];

/// Expressions with a name.
const NAMED: [(&str, &str); 7] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

/// The days of the longest year's months.
const LONGEST: [u8; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

const DAY: i64 = 24 * 3600;

impl FromStr for Expression {
    type Err = InvalidCron;

    fn from_str(text: &str) -> Result<Self, InvalidCron> {
        let named = NAMED.iter().find(|(name, _)| name.eq_ignore_ascii_case(text.trim()));
        let parts: Vec<_> = named.map_or(text, |(_, expression)| expression).split_whitespace().collect();
        let [minute, hour, day, month, weekday] = parts[..] else {
            return Err(InvalidCron::Fields { text: text.into(), fields: parts.len() });
        };
        let field = |at: usize, text| Field::parse(&KINDS[at], text);
        let expression = Self {
            minute: field(0, minute)?,
            hour: field(1, hour)?,
            day: field(2, day)?,
            month: field(3, month)?,
            // Sunday has two numbers.
            weekday: field(4, weekday)?.renamed(7, 0),
        };
        match expression.is_possible() {
            true => Ok(expression),
            false => Err(InvalidCron::Impossible(text.into())),
        }
    }
}

impl Expression {
    /// Returns whether the hours follow the clock when it is put forward or back.
    pub(super) const fn follows_the_clock(&self) -> bool {
        self.hour.has_star
    }

    fn is_possible(&self) -> bool {
        let has_day = |month: u8| self.day.first() <= LONGEST[usize::from(month) - 1];
        self.is_either_day() || (1..=12).any(|month| self.month.has(month) && has_day(month))
    }

    /// Returns whether a day fits that fits one of both fields.
    const fn is_either_day(&self) -> bool {
        !self.day.has_star && !self.weekday.has_star
    }

    fn fits(&self, date: Date) -> bool {
        let number = |value: i8| u8::try_from(value).unwrap_or_default();
        let day = self.day.has(number(date.day()));
        let weekday = self.weekday.has(number(date.weekday().to_sunday_zero_offset()));
        self.month.has(number(date.month())) && if self.is_either_day() { day || weekday } else { day && weekday }
    }

    /// Returns the first time not before this one that fits. Times are what a clock shows, as seconds since the beginning of
    /// 1970 on it. None when there is none before the year 10000.
    pub(super) fn next(&self, from: i64) -> Option<i64> {
        // Instants are at whole minutes.
        let from = from.div_euclid(60) + i64::from(from.rem_euclid(60) > 0);
        let (day, minute) = (from.div_euclid(DAY / 60), from.rem_euclid(DAY / 60));
        let mut date = date(day)?;
        if self.fits(date)
            && let Some(minute) = self.minute_from(minute)
        {
            return Some(day * DAY + minute * 60);
        }
        loop {
            date = date.tomorrow().ok()?;
            if !self.month.has(u8::try_from(date.month()).unwrap_or_default()) {
                // To the end of a month that does not fit.
                date = date.last_of_month();
            } else if self.fits(date) {
                return Some(days(date) * DAY + self.minute_from(0)? * 60);
            }
        }
    }

    /// Returns the first minute of a day that fits, not before this one.
    fn minute_from(&self, minute: i64) -> Option<i64> {
        let number = |value: i64| u8::try_from(value).unwrap_or(u8::MAX);
        let (hour, minute) = (number(minute / 60), number(minute % 60));
        if self.hour.has(hour)
            && let Some(minute) = self.minute.from(minute)
        {
            return Some(i64::from(hour) * 60 + i64::from(minute));
        }
        let hour = self.hour.from(hour + 1)?;
        Some(i64::from(hour) * 60 + i64::from(self.minute.first()))
    }
}

const EPOCH: Date = Date::constant(1970, 1, 1);

fn date(days: i64) -> Option<Date> {
    EPOCH.checked_add(jiff::Span::new().try_days(days).ok()?).ok()
}

fn days(date: Date) -> i64 {
    date.duration_since(EPOCH).as_secs() / DAY
}
