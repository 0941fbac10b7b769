//! Says what nothing else remembers: failed events that were dropped, and that they keep others out.

use std::vec::Vec;

use crate::engine::{DropReason, DroppedFailure, Engine, ErrorText, Output, Phase};

/// What one change did to failed events, to be logged once the lock is free.
#[derive(Default)]
pub(super) struct Failures {
    dropped: Vec<DroppedFailure>,
    /// New events are refused from now on, or taken again.
    turned_full: Option<Full>,
}

/// Failed events against their bound.
struct Full {
    is_full: bool,
    bytes: u64,
    max_bytes: usize,
}

impl Failures {
    /// What is new since this was asked last. `said_full` is what was said then.
    pub(super) fn since(said_full: &mut bool, engine: &Engine, out: &mut Output) -> Self {
        // An engine that stops takes nothing again, whatever fits.
        let is_running = engine.phase() == Phase::Running;
        let is_full = if is_running { engine.is_full_of_failures() } else { *said_full };
        let turned = core::mem::replace(said_full, is_full) != is_full;
        let full =
            || Full { is_full, bytes: engine.gauges().failed_bytes, max_bytes: engine.config().max_failed_bytes };
        Self { dropped: out.drain_dropped().collect(), turned_full: turned.then(full) }
    }

    /// A line for each.
    pub(super) fn log(&self) {
        for DroppedFailure { key, failed_at, attempt, error, why, .. } in &self.dropped {
            let error = error.as_ref().map(ErrorText::as_str);
            tracing::warn!(%key, %failed_at, attempt, error, "{}", words(*why));
        }
        match self.turned_full {
            Some(Full { is_full: true, bytes, max_bytes }) => tracing::error!(
                bytes,
                max_bytes,
                "failed events have more than max_failed_bytes, and no new event is taken: redrive or discard some"
            ),
            Some(Full { is_full: false, bytes, max_bytes }) => {
                tracing::info!(bytes, max_bytes, "failed events fit max_failed_bytes, and new events are taken again");
            }
            None => {}
        }
    }
}

const fn words(why: DropReason) -> &'static str {
    match why {
        DropReason::Expired => "a failed event is forgotten at the end of failed_retention",
        DropReason::Overflow => {
            "a failed event is forgotten, the oldest one, since failed events had more than max_failed_bytes"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Answer, Command, Config, Effect, Event, Outcome, Timestamp};

    #[test]
    fn engine_that_stops_does_not_say_that_events_are_taken_again() {
        let (now, mut out, mut said_full) = (Timestamp::from_micros(1), Output::new(), false);
        let mut config = Config::default();
        (config.max_event_bytes, config.max_failed_bytes) = (100, 100);
        let mut engine = Engine::new(config, now, &mut out).expect("a valid configuration");
        fail(&mut engine, now, &mut out);
        let turned = Failures::since(&mut said_full, &engine, &mut out).turned_full;
        assert!(turned.is_some_and(|full| full.is_full));

        engine.execute(now, Command::Shutdown, &mut out);
        assert!(Failures::since(&mut said_full, &engine, &mut out).turned_full.is_none());
    }

    /// Fails an event that fits with an error that does not.
    fn fail(engine: &mut Engine, now: Timestamp, out: &mut Output) {
        let event = Event::with_id("a", std::vec![0; 90]).expect("an event");
        assert_eq!(engine.execute(now, Command::Submit(event), out), Answer::Accepted);
        let Some(Effect::Enqueue(ticket)) = out.drain_effects().next() else { panic!("it is fed") };
        let Answer::Running(run) = engine.execute(now, Command::Start(ticket), out) else { panic!("it starts") };
        let outcome = Outcome::Permanent { error: ErrorText::new("w".repeat(100)) };
        engine.execute(now, Command::Settle { run: run.id, outcome }, out);
    }
}
