//! Policies by type of event.

use super::draw::CoreDraw;
use super::family::FaultFamily;
use super::units::MILLI;
use super::{Settings, TypeSettings};
use crate::seeded_rng::Stream;

impl CoreDraw {
    /// Draws policies by type. A third of the events have one of two types, `order` and `email`: one policy may apply
    /// to both.
    pub(super) fn types(&self, settings: &mut Settings) {
        let draw = &mut self.stream(FaultFamily::Types);
        let patterns: &[&str] = match draw.below(6) {
            0 => &["order"],
            1 => &["*"],
            2 => &["e*", "order"],
            3 => &["o*", "email"],
            4 => &["orders*", "email"],
            _ => &["order", "email"],
        };
        settings.types = patterns.iter().map(|pattern| type_settings(draw, settings, pattern)).collect();
        settings.unmatched_wait = draw.per_mille(150);
    }
}

fn type_settings(draw: &mut Stream, settings: &Settings, pattern: &str) -> TypeSettings {
    let [sets_timeout, sets_lifetime, sets_attempts, sets_backoff] = [(); 4].map(|()| draw.per_mille(400));
    let run_timeout = sets_timeout.then(|| draw.between(1, 60) * MILLI);
    let longest = run_timeout.unwrap_or(settings.run_timeout);
    // The lifetime of the configuration may be less than the timeout of the policy.
    let has_lifetime = sets_lifetime || longest > settings.run_lifetime;
    TypeSettings {
        pattern: pattern.to_owned(),
        concurrency: draw.pick(&[None, Some(1), Some(1), Some(2), Some(3)]),
        max_attempts: sets_attempts.then(|| u32::try_from(draw.between(1, 6)).unwrap_or(1)),
        backoff_cap: sets_backoff.then(|| draw.between(1, 60) * MILLI),
        run_timeout,
        run_lifetime: has_lifetime.then(|| longest * draw.between(1, 3)),
    }
}
