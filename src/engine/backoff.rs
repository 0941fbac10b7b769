//! The wait of a failed event for its next attempt.

use core::hash::{Hash as _, Hasher as _};
use core::time::Duration;
use siphasher::sip::SipHasher13;

use super::key::Key;
use super::time::micros;

/// Exponential backoff with a cap and jitter.
///
/// The wait doubles with each charged attempt, from `base` up to `cap`, and is then shortened by
/// up to `jitter_percent` of itself, so that events which failed together come back apart. The
/// jitter depends on seed, key and attempt alone. See "Exponential Backoff And Jitter" (AWS
/// Architecture Blog, 2015); with 50 % this is its "equal jitter".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Backoff {
    /// The wait after the first charged attempt, before jitter. 500 ms by default.
    pub base: Duration,
    /// The longest wait. 10 min by default.
    pub cap: Duration,
    /// The part of the wait that is random, in percent. 50 by default.
    pub jitter_percent: u8,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { base: Duration::from_millis(500), cap: Duration::from_secs(600), jitter_percent: 50 }
    }
}

impl Backoff {
    /// The wait of the event `key` after `charged` attempts were charged and `attempt` started.
    pub fn delay(&self, seed: u64, key: &Key, charged: u32, attempt: u32) -> Duration {
        let full = self.without_jitter(charged);
        let spread = u128::from(full) * u128::from(self.jitter_percent) / 100;
        let cut = (spread * u128::from(chance(seed, key, attempt))) >> 64;
        // `cut` is at most `full`, so it fits.
        Duration::from_micros(full.saturating_sub(u64::try_from(cut).unwrap_or(full)))
    }

    /// Microseconds.
    fn without_jitter(&self, charged: u32) -> u64 {
        // What has 64 bits and is shifted by 63 fits into 128.
        let doublings = charged.saturating_sub(1).min(63);
        let grown = u128::from(micros(self.base)) << doublings;
        u64::try_from(grown).unwrap_or(u64::MAX).min(micros(self.cap))
    }
}

/// A number that every machine draws alike for the same seed, key and attempt.
fn chance(seed: u64, key: &Key, attempt: u32) -> u64 {
    // The second half of the key is a constant ("jitter"), so that no other hash of this seed shows what is drawn.
    let mut hasher = SipHasher13::new_with_keys(seed, 0x6a69_7474_6572);
    key.hash(&mut hasher);
    hasher.write(&attempt.to_le_bytes());
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    fn key(n: u32) -> Key {
        Key::new("", &format!("event-{n}")).expect("a key")
    }

    #[test]
    fn it_doubles_up_to_its_cap() {
        let backoff = Backoff { jitter_percent: 0, ..Backoff::default() };
        let wait = |charged| backoff.delay(0, &key(0), charged, charged);
        assert_eq!(wait(1), backoff.base);
        assert_eq!(wait(2), backoff.base * 2);
        assert_eq!(wait(5), backoff.base * 16);
        assert_eq!(wait(12), backoff.cap);
    }

    #[test]
    fn it_holds_at_the_last_attempt_there_is() {
        let longest = Backoff { base: Duration::MAX, cap: Duration::MAX, jitter_percent: 0 };
        assert_eq!(longest.delay(0, &key(0), u32::MAX, u32::MAX), Duration::from_micros(u64::MAX));
        let wait = Backoff::default().delay(7, &key(0), u32::MAX, u32::MAX);
        assert!(wait <= Duration::from_secs(600) && wait >= Duration::from_secs(300), "{wait:?}");
    }

    #[test]
    fn jitter_spreads_over_its_whole_share() {
        let backoff = Backoff { base: Duration::from_secs(100), ..Backoff::default() };
        let mut tenths = [0; 10];
        for n in 0..10_000 {
            let wait = backoff.delay(1, &key(n), 1, 1);
            tenths[((wait.as_secs_f64() - 50.0) / 5.0) as usize] += 1;
        }
        assert!(tenths.iter().all(|count| (850..=1150).contains(count)), "{tenths:?}");
    }

    #[test]
    fn equal_seed_key_and_attempt_draw_equal_jitter_everywhere() {
        let wait = Backoff::default().delay(42, &key(17), 3, 3);
        assert_eq!(wait, Duration::from_micros(1_006_394));
        assert_ne!(wait, Backoff::default().delay(42, &key(17), 3, 4));
        assert_ne!(wait, Backoff::default().delay(43, &key(17), 3, 3));
        assert_ne!(wait, Backoff::default().delay(42, &key(18), 3, 3));
    }
}
