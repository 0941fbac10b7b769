//! The behaviour of handlers.

use super::worker::Does;
use crate::scenario::{Behaviour, CoreScenario, EventNumber, Injection};

/// The behaviour of handlers, as the scenario has it.
#[derive(Debug)]
pub(super) struct Handlers {
    /// Behaviours by event and attempt.
    planned: Vec<(EventNumber, u32, Behaviour)>,
    poison: Vec<EventNumber>,
    /// The time until which all handlers that end fail.
    pub(super) all_fail_until: u64,
    pub(super) workers_stalled_until: u64,
}

impl Handlers {
    pub(super) fn of(scenario: &CoreScenario) -> Self {
        let mut handlers =
            Self { planned: Vec::new(), poison: Vec::new(), all_fail_until: 0, workers_stalled_until: 0 };
        for fault in &scenario.faults {
            if let Injection::Handler { event, attempt, does } = fault.what {
                handlers.planned.push((event, attempt, does));
            } else if let Injection::Poison { event } = fault.what {
                handlers.poison.push(event);
            }
        }
        handlers.planned.sort_by_key(|(event, attempt, _)| (*event, *attempt));
        handlers
    }

    /// Returns the behaviour of a handler that is called now. Each planned one is stuck at most once: else an event
    /// that is forgotten and accepted again would take one permit after the other permanently.
    pub(super) fn plan(&mut self, event: EventNumber, attempt: u32) -> Does {
        if self.poison.contains(&event) {
            return Does::Poison;
        }
        let at = self.planned.partition_point(|(e, a, _)| (*e, *a) < (event, attempt));
        match self.planned.get_mut(at) {
            Some((e, a, behaviour)) if (*e, *a) == (event, attempt) => {
                let does = Does::As(*behaviour);
                if *behaviour == Behaviour::Stuck {
                    *behaviour = Behaviour::Hang;
                }
                does
            }
            _ => Does::Succeed,
        }
    }

    /// Lets this attempt kill no further process. With relaxed starts the same attempt may be repeated after each
    /// death, without end.
    pub(super) fn calm(&mut self, event: EventNumber, attempt: u32) {
        let killer = self.planned.iter_mut().find(|(e, a, _)| (*e, *a) == (event, attempt));
        killer.into_iter().for_each(|(.., does)| *does = Behaviour::PanicBefore);
    }
}
