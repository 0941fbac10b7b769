//! Injection of faults at the adapter's hook points.

use std::sync::Arc;

use eventful::node::{Action, Hooks, Point};

use super::run_context::RunContext;
use super::step::NetworkStep;

/// The hooks of one process of the server.
pub(super) struct Disturber(pub(super) Arc<RunContext>);

impl Hooks for Disturber {
    fn at(&self, point: Point) -> Action {
        self.0.with(|notes, now| {
            if notes.muted {
                return Action::Continue;
            }
            let blocked_until = notes.absence.blocks_until(now).filter(|_| point == Point::Write);
            let (action, name) = match blocked_until {
                Some(until) => notes.armed.block(until.since(now)),
                None => notes.armed.next(point),
            };
            if let Action::Stall(lasts) = action {
                notes.armed.stalled_until = now + lasts;
            }
            name.into_iter().for_each(|name| notes.coverage.reach(&name));
            notes.shutdown_panicked |= point == Point::Drain && action == Action::Panic;
            notes.trace.note(now, &NetworkStep::Passed { point, action });
            action
        })
    }
}
