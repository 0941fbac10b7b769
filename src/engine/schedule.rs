//! Schedules: their names, how far they are, and their instants.

use alloc::boxed::Box;
use alloc::string::ToString as _;
use alloc::sync::Arc;
use core::fmt;

use super::event::Event;
use super::key::Key;
use super::rfc3339::Rfc3339;
use super::time::Timestamp;

/// The name of a schedule: 1 to 64 letters, digits, dots, dashes and underscores.
///
/// Cloning shares it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScheduleName(Arc<str>);

/// A text that is no name of a schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no name of a schedule: write 1 to 64 letters, digits, dots, dashes and underscores")]
pub struct InvalidScheduleName(Box<str>);

/// The cursor of a schedule: how far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ScheduleCursor {
    /// The last instant that was decided: its event was accepted, or it was passed over. At first the time at which the
    /// schedule was added, so that a new schedule makes up for nothing.
    pub decided: Timestamp,
    /// The last instant of which the event was accepted.
    pub accepted: Option<Timestamp>,
}

/// An instant of a schedule that has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleTick {
    /// The schedule.
    pub schedule: ScheduleName,
    /// The instant, as the calendar has it.
    pub nominal: Timestamp,
    /// The event of it, whose key is replaced by that of the instant; absent when the instant is passed over.
    pub event: Option<Event>,
    /// The rule for an instant that comes before the last event has ended.
    pub overlap: Overlap,
}

/// The rule for an instant that comes while the event of an earlier one of the same schedule is pending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Overlap {
    /// The instant is passed over.
    #[default]
    Skip,
    /// Its event is accepted all the same.
    Allow,
}

impl ScheduleName {
    /// The longest name, in bytes.
    pub const MAX_BYTES: usize = 64;
    /// The beginning of the source of its events, before the name.
    pub const SOURCE: &'static str = "schedule:";

    /// The name with this text.
    ///
    /// # Errors
    ///
    /// [`InvalidScheduleName`]
    pub fn new(text: &str) -> Result<Self, InvalidScheduleName> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        match (1..=Self::MAX_BYTES).contains(&text.len()) && text.bytes().all(is_allowed) {
            true => Ok(Self(text.into())),
            false => Err(InvalidScheduleName(text.chars().take(Self::MAX_BYTES + 1).collect())),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the key of the event of an instant: the source is `schedule:NAME`, the id the time in UTC. So the same
    /// instant is the same event, whatever has submitted it.
    pub fn key(&self, nominal: Timestamp) -> Key {
        let source = Self::SOURCE.to_string() + self.as_str();
        // A source of 73 bytes at most, and an id of some 30, without control characters.
        Key::new(&source, &alloc::format!("{:#}", Rfc3339(nominal))).expect("a short source and id")
    }
}

impl fmt::Display for ScheduleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_is_short_and_plain() {
        for name in ["a", "nightly-report_2.b", &"x".repeat(64)] {
            assert_eq!(ScheduleName::new(name).map(|name| name.to_string()).as_deref(), Ok(name));
        }
        for name in ["", "a b", "a:b", "ä", "a\n", &"x".repeat(65)] {
            let wrong = ScheduleName::new(name).expect_err(name).to_string();
            assert!(wrong.ends_with("write 1 to 64 letters, digits, dots, dashes and underscores"), "{wrong}");
        }
    }

    #[test]
    fn key_of_an_instant_is_its_time_in_utc() {
        let name = ScheduleName::new("nightly").expect("a name");
        let key = name.key(Timestamp::from_micros(1_700_000_000_000_000));
        assert_eq!((key.source(), &*key.id()), ("schedule:nightly", "2023-11-14T22:13:20Z"));
        let key = name.key(Timestamp::from_micros(1_500));
        assert_eq!(&*key.id(), "1970-01-01T00:00:00.001500Z");
        assert_eq!(name.key(Timestamp::MAX).source(), "schedule:nightly");
    }
}
