//! Time zones as spans of time with one offset each.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A span of time in which clocks run evenly. Times are seconds since the Unix epoch, offsets seconds ahead of UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OffsetSpan {
    /// The first second.
    pub(super) begin: i64,
    /// The first second behind it; absent when nothing follows.
    pub(super) end: Option<i64>,
    /// The offset in it.
    pub(super) offset: i64,
    /// The offset before it; absent when nothing is known of that.
    pub(super) before: Option<i64>,
}

/// Returns the spans of a zone, from the one that holds this second on.
pub(super) fn spans(zone: &TimeZone, from: i64) -> impl Iterator<Item = OffsetSpan> {
    // Years -9999 to 9999; times outside of them are at their ends.
    let from = Timestamp::from_second(from).unwrap_or(if from < 0 { Timestamp::MIN } else { Timestamp::MAX });
    let offset = |at: Timestamp| i64::from(zone.to_offset(at).seconds());
    let after = from.as_second().saturating_add(1);
    let latest = Timestamp::from_second(after).ok().and_then(|after| zone.preceding(after).next());
    let first = match latest.map(|transition| transition.timestamp().as_second()) {
        Some(begin) => {
            let before = Timestamp::from_second(begin - 1).ok().map(offset);
            OffsetSpan { begin, end: None, offset: offset(from), before }
        }
        None => OffsetSpan { begin: Timestamp::MIN.as_second(), end: None, offset: offset(from), before: None },
    };
    let mut following = zone.following(from);
    let mut next = Some(first);
    std::iter::from_fn(move || {
        let mut span = next?;
        let transition = following.next();
        span.end = transition.as_ref().map(|transition| transition.timestamp().as_second());
        next = transition.map(|transition| OffsetSpan {
            begin: transition.timestamp().as_second(),
            end: None,
            offset: i64::from(transition.offset().seconds()),
            before: Some(span.offset),
        });
        Some(span)
    })
}
