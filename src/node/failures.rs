//! News of failed events for the log, of which no other trace remains: those that were removed, and that they keep new
//! ones out.

use alloc::vec::Vec;

use crate::engine::{DroppedFailure, Engine, Output, Phase};

/// News of failed events.
#[derive(Debug, Default)]
pub struct Failures {
    /// The events that were removed.
    pub dropped: Vec<DroppedFailure>,
    /// Set when new events are refused from now on, or accepted again.
    pub turned_full: Option<FullOfFailures>,
}

/// Failed events against their bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FullOfFailures {
    /// True if new events are refused.
    pub is_full: bool,
    /// Bytes of failed events.
    pub bytes: u64,
    /// The bound on them.
    pub max_bytes: usize,
}

impl Failures {
    /// Returns the news since the last call. `reported_full` is what was reported then.
    pub(super) fn since(reported_full: &mut bool, engine: &Engine, out: &mut Output) -> Self {
        // An engine that stops accepts nothing again, whatever fits.
        let is_running = engine.phase() == Phase::Running;
        let is_full = if is_running { engine.is_full_of_failures() } else { *reported_full };
        let turned = *reported_full != is_full;
        if turned {
            *reported_full = is_full;
        }
        let full = || FullOfFailures {
            is_full,
            bytes: engine.gauges().failed_bytes,
            max_bytes: engine.config().max_failed_bytes,
        };
        let dropped = if out.dropped().is_empty() { Vec::new() } else { out.drain_dropped().collect() };
        Self { dropped, turned_full: turned.then(full) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Answer, Command, Config, Effect, ErrorText, Event, Outcome, Timestamp};

    #[test]
    fn engine_that_stops_does_not_say_that_events_are_taken_again() {
        let (now, mut out, mut reported_full) = (Timestamp::from_micros(1), Output::new(), false);
        let mut config = Config::default();
        (config.max_event_bytes, config.max_failed_bytes) = (100, 100);
        let mut engine = Engine::new(config, now, &mut out).expect("a valid configuration");
        fail(&mut engine, now, &mut out);
        let turned = Failures::since(&mut reported_full, &engine, &mut out).turned_full;
        assert!(turned.is_some_and(|full| full.is_full));

        engine.execute(now, Command::Shutdown, &mut out);
        assert!(Failures::since(&mut reported_full, &engine, &mut out).turned_full.is_none());
    }

    /// Fails an event that fits with an error that does not.
    fn fail(engine: &mut Engine, now: Timestamp, out: &mut Output) {
        let event = Event::with_id("a", alloc::vec![0; 90]).expect("an event");
        assert_eq!(engine.execute(now, Command::Submit(event), out), Answer::Accepted);
        let Some(Effect::Enqueue(ticket)) = out.drain_effects().next() else { panic!("it is fed") };
        let Answer::Running(run) = engine.execute(now, Command::Start(ticket), out) else { panic!("it starts") };
        let outcome = Outcome::Permanent { error: ErrorText::new("w".repeat(100)) };
        engine.execute(now, Command::Settle { run: run.id, outcome }, out);
    }
}
