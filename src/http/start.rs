//! The time before which the first run of an event does not start, as requests write it.

use std::borrow::ToOwned as _;
use std::string::String;

use super::duration::{self, InvalidDuration};
use crate::engine::Event;
use crate::texts::rfc3339;

/// The reason why a text is no such time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidStart {
    /// Both forms of it are there.
    #[error("both not_before and delay are given: give one of them")]
    Both,
    /// The time is none.
    #[error("not_before is {0:?}: give a time such as 2023-11-14T22:13:20Z")]
    NotBefore(String),
    /// The delay is none.
    #[error("delay: {0}")]
    Delay(#[from] InvalidDuration),
}

/// The event with a time before which it does not start, or a delay, when one of them is given.
pub(super) fn with_start(event: Event, not_before: Option<&str>, delay: Option<&str>) -> Result<Event, InvalidStart> {
    match (not_before, delay) {
        (None, None) => Ok(event),
        (Some(_), Some(_)) => Err(InvalidStart::Both),
        (Some(time), None) => {
            let at = rfc3339::parse(time).ok_or_else(|| InvalidStart::NotBefore(time.to_owned()))?;
            Ok(event.with_not_before(at))
        }
        (None, Some(delay)) => Ok(event.with_delay(duration::parse(delay)?)),
    }
}
