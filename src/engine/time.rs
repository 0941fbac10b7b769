//! Time as the engine knows it: a number that is passed in.

use core::fmt;
use core::ops::Add;
use core::time::Duration;

/// A point in time: microseconds since the Unix epoch.
///
/// The engine never reads a clock. Each command comes with its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The Unix epoch.
    pub const EPOCH: Self = Self(0);
    /// The last point in time that can be expressed.
    pub const MAX: Self = Self(u64::MAX);

    /// The point `micros` microseconds after the Unix epoch.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the Unix epoch.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Returns the time from `earlier` to this; zero when it is not after it.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// Returns the first whole second that is not before this.
    pub(super) const fn rounded_up(self) -> Self {
        Self(self.0.div_ceil(1_000_000).saturating_mul(1_000_000))
    }
}

/// Saturates at [`Timestamp::MAX`]; parts of a microsecond are cut off.
impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(micros(duration)))
    }
}

/// Seconds since the Unix epoch with six decimals.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

/// Returns what comes first; among equals the first one given.
pub(super) fn sooner<R: Ord, T>(a: Option<(R, T)>, b: Option<(R, T)>) -> Option<(R, T)> {
    match (a, b) {
        (Some(a), Some(b)) if b.0 < a.0 => Some(b),
        (None, b) => b,
        (a, _) => a,
    }
}

/// Returns the earlier of two times, either of which may be absent.
pub(super) fn earlier(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    [one, other].into_iter().flatten().min()
}

/// Whole microseconds of `duration`, at most `u64::MAX`.
pub(super) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString as _;

    #[test]
    fn time_is_shown_in_seconds_with_six_decimals() {
        assert_eq!(Timestamp::from_micros(12_000_345).to_string(), "12.000345");
    }

    #[test]
    fn it_ends_and_does_not_wrap() {
        assert_eq!(Timestamp::MAX + Duration::from_secs(1), Timestamp::MAX);
        assert_eq!(Timestamp::EPOCH + Duration::MAX, Timestamp::MAX);
        assert_eq!(Timestamp::EPOCH.since(Timestamp::MAX), Duration::ZERO);
    }

    #[test]
    fn the_sooner_one_comes_first_and_among_equals_the_first_given() {
        assert_eq!(sooner(Some((1, 'a')), Some((2, 'b'))), Some((1, 'a')));
        assert_eq!(sooner(Some((2, 'a')), Some((1, 'b'))), Some((1, 'b')));
        assert_eq!(sooner(Some((1, 'a')), Some((1, 'b'))), Some((1, 'a')));
        assert_eq!(sooner(None, Some((1, 'b'))), Some((1, 'b')));
        assert_eq!(sooner(Some((1, 'a')), None), Some((1, 'a')));
        assert_eq!(sooner::<u8, char>(None, None), None);
    }
}
