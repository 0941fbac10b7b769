//! Calendars of schedules: cron expressions in a time zone.
//!
//! | module | topic |
//! |---|---|
//! | `field` | the fields of an expression, as sets of numbers |
//! | `expression` | expressions, and the dates and times of day that fit them |
//! | `invalid` | the reasons why a text is no calendar |
//! | `zone` | a time zone as spans of time with one offset each |

mod expression;
mod field;
mod invalid;
mod zone;

use core::fmt;
use core::str::FromStr as _;
use std::string::String;

use jiff::tz::TimeZone;

pub use invalid::InvalidCron;

use crate::engine::Timestamp;
use crate::node::Calendar;
use expression::Expression;
use zone::{OffsetSpan, spans};

/// The instants at which a clock on the wall shows a time that fits a cron expression.
///
/// An expression has five fields, which are sets of numbers: minute (0–59), hour (0–23), day of the month (1–31), month
/// (1–12, or `jan` …) and day of the week (0–7, or `sun` …; 0 and 7 are Sunday). A field is `*`, a number, a range `a-b`, each
/// of them with a step behind it, `*/15`, or several of these with commas. If both fields of days are restricted, a day that
/// fits one of them fits; a field that begins with `*` is not restricted. `@hourly`, `@daily`, `@weekly`, `@monthly` and
/// `@yearly` are expressions, too.
///
/// Where clocks are put forward, an instant that they skip comes later by what they skip: 02:30 becomes 03:30. Where they are
/// put back, an instant of the hour that comes twice is that of the first time. With an hour that begins with `*` neither
/// holds: such an expression follows the clock through both, and skips what the clock does not show.
///
/// ```
/// use eventful::{Timestamp, schedules::{Calendar as _, Cron}};
///
/// let nightly = Cron::new("30 2 * * *", "Europe/Berlin")?;
/// let at = nightly.after(Timestamp::from_micros(1_774_700_000_000_000)); // 2026-03-28
/// assert_eq!(at, Some(Timestamp::from_micros(1_774_747_800_000_000))); // 2026-03-29 03:30, as there is no 02:30
/// # Ok::<(), eventful::schedules::InvalidCron>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    expression: Expression,
    text: String,
    zone: TimeZone,
    zone_name: String,
}

/// The longest time by which clocks are put forward or back at once, and some more: the Philippines skipped a day.
const LONGEST_SHIFT_SECONDS: i64 = 26 * 3600;

impl Cron {
    /// The instants of this expression in the time zone of this name, such as `UTC` or `Europe/Berlin`.
    ///
    /// # Errors
    ///
    /// [`InvalidCron`], also when no date fits the expression.
    pub fn new(expression: &str, zone: &str) -> Result<Self, InvalidCron> {
        let parsed = Expression::from_str(expression)?;
        let zone_name = zone.into();
        let zone = TimeZone::get(zone).map_err(|_| InvalidCron::Zone(zone.into()))?;
        Ok(Self { expression: parsed, text: expression.into(), zone, zone_name })
    }

    /// The text of the expression.
    pub fn expression(&self) -> &str {
        &self.text
    }

    /// The name of the time zone.
    pub fn zone(&self) -> &str {
        &self.zone_name
    }

    /// Returns an instant as the clock shows it: `2026-03-29T03:30:00+02:00`.
    pub fn show(&self, at: Timestamp) -> String {
        let Some(time) = seconds(at).and_then(|seconds| jiff::Timestamp::from_second(seconds).ok()) else {
            return std::format!("{at}");
        };
        std::format!("{}", time.display_with_offset(self.zone.to_offset(time)))
    }

    /// Returns the first second after this one, counted from the Unix epoch, that is an instant.
    fn next_second(&self, after: i64) -> Option<i64> {
        let begin = after.saturating_sub(LONGEST_SHIFT_SECONDS);
        // The latest time that a clock has shown.
        let mut shown = i64::MIN;
        let mut best: Option<i64> = None;
        let mut search = SpanSearch { expression: &self.expression, last: None };
        for span in spans(&self.zone, begin) {
            let found = search.first_in(&span, after, shown);
            best = best.into_iter().chain(found).min();
            // What clocks skip may come after the end of a short span.
            if best.is_some_and(|best| span.end.is_none_or(|end| best < end)) {
                break;
            }
            shown = shown.max(span.end? + span.offset);
        }
        best
    }
}

impl Calendar for Cron {
    fn after(&self, at: Timestamp) -> Option<Timestamp> {
        timestamp(self.next_second(seconds(at)?)?)
    }

    /// By a search with [`after`](Calendar::after): as the instants only have to be found in one direction, each rule is
    /// written once.
    fn before(&self, at: Timestamp) -> Option<Timestamp> {
        // The first whole second that is not before it: an instant within a second is before those behind it.
        let at = i64::try_from(at.as_micros().div_ceil(1_000_000)).ok()?;
        let is_before = |from: i64| self.next_second(from).is_some_and(|found| found < at);
        // From here on there is one.
        let mut low = (0..40).map(|power| (at - (1 << power)).max(-1)).find(|from| is_before(*from))?;
        let mut high = at;
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if is_before(middle) { low = middle } else { high = middle }
        }
        timestamp(self.next_second(low)?)
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}", self.text, self.zone_name)
    }
}

/// A search through the spans of a zone, which finds each date once.
struct SpanSearch<'a> {
    expression: &'a Expression,
    /// The last search, and what it found.
    last: Option<(i64, Option<i64>)>,
}

impl SpanSearch<'_> {
    /// Returns the first instant of a span after a second. `shown` is the latest time that the clock showed before it.
    fn first_in(&mut self, span: &OffsetSpan, after: i64, shown: i64) -> Option<i64> {
        let OffsetSpan { begin, end, offset, before } = *span;
        let follows = self.expression.follows_the_clock();
        let least = if follows { begin + offset } else { shown.max(begin + offset) };
        let regular = self.next(least.max(after + 1 + offset));
        let regular = regular.map(|shown| shown - offset).filter(|at| end.is_none_or(|end| *at < end));
        // Times that the clock skips at the beginning of this span.
        let skipped = before.filter(|before| !follows && offset > *before).and_then(|before| {
            let from = shown.max(begin + before).max(after + 1 + before);
            let skipped = self.next(from).filter(|time| *time < begin + offset);
            skipped.map(|time| time - before)
        });
        regular.into_iter().chain(skipped).min()
    }

    /// Returns the first time that fits and is not before this one.
    fn next(&mut self, from: i64) -> Option<i64> {
        let known = self.last.filter(|(begin, found)| *begin <= from && found.is_none_or(|found| from <= found));
        let found = known.map_or_else(|| self.expression.next(from), |(_, found)| found);
        if known.is_none() {
            self.last = Some((from, found));
        }
        found
    }
}

fn seconds(at: Timestamp) -> Option<i64> {
    i64::try_from(at.as_micros() / 1_000_000).ok()
}

fn timestamp(seconds: i64) -> Option<Timestamp> {
    Some(Timestamp::from_micros(u64::try_from(seconds).ok()?.checked_mul(1_000_000)?))
}
