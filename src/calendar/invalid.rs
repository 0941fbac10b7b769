//! The reasons why a text is no calendar.

use std::boxed::Box;
use std::string::String;

/// The reason why a text is no schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidCron {
    /// The expression has another number of fields than five.
    #[error(
        "a cron expression has 5 fields, and {text:?} has {fields}: write minute, hour, day of the month, month and day of the week, as in \"30 2 * * *\""
    )]
    Fields {
        /// The expression.
        text: String,
        /// Its fields.
        fields: usize,
    },
    /// A field has no meaning.
    #[error(
        "{text:?} is no {name}: write *, or numbers from {first} to {last} with commas, ranges as in a-b, and steps as in */n"
    )]
    Field {
        /// The name of the field.
        name: &'static str,
        /// Its text.
        text: String,
        /// Its least number.
        first: u8,
        /// Its greatest number.
        last: u8,
    },
    /// No date fits the expression.
    #[error("no date fits {0:?}: its months have no such day; change the day or the month")]
    Impossible(Box<str>),
    /// There is no such time zone.
    #[error("there is no time zone {0:?}: write UTC, or a name of the IANA time zone database such as Europe/Berlin")]
    Zone(Box<str>),
}
