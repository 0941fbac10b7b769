//! Strategies of property tests for a model and an engine: small configurations, whose limits are soon reached, and
//! moves that aim at what is there, at what was there, and at what never was.

mod aim;
mod config;
mod events;
mod moves;
mod time;

pub use aim::{KeyAim, RunAim, TicketAim};
pub use config::configs;
pub use events::{key, payload};
pub use moves::{AimedCommand, moves};
pub use time::When;

use eventful::{Config, Timestamp, engine::Command};
use proptest::prelude::*;

use crate::spec::model::Model;

/// One step of a test: a move at a time. Both are resolved against the model when the step is
/// taken, so that a step still means something when others before it are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StrategyStep {
    /// The time.
    pub when: When,
    /// The move.
    pub what: AimedCommand,
}

impl StrategyStep {
    /// The time and the command that this step is for an engine in the state of `model`.
    pub fn resolve(&self, model: &Model) -> (Timestamp, Command) {
        (self.when.resolve(model), self.what.resolve(model))
    }
}

/// Whole histories: a configuration, and at most so many steps.
///
/// They shrink, step by step and number by number; a bare seed as the input of a property would
/// not. Here a suite of one's own checks that no command makes an engine contradict itself:
///
/// ```
/// use eventful::Timestamp;
/// use eventful_sim::{spec::model::Model, strategy::histories, sut::Sut};
/// use proptest::test_runner::{Config, TestRunner};
///
/// let opened_at = Timestamp::from_micros(1_000_000);
/// let mut runner = TestRunner::new(Config { cases: 20, failure_persistence: None, ..Config::default() });
/// let property = runner.run(&histories(50), |(config, steps)| {
///     let mut model = Model::new(config.clone(), opened_at);
///     let mut sut = Sut::open(config, opened_at).expect("histories have valid configurations");
///     for step in steps {
///         let (now, command) = step.resolve(&model); // what the step is, as things stand
///         model.execute(now, &command);
///         sut.execute(now, command);
///         assert_eq!(sut.engine().check(), Ok(()));
///     }
///     Ok(())
/// });
/// assert_eq!(property, Ok(()));
/// ```
pub fn histories(most_steps: usize) -> impl Strategy<Value = (Config, Vec<StrategyStep>)> {
    (configs(), proptest::collection::vec(steps(), 1..=most_steps.max(1)))
}

/// Steps of all kinds, those that end the engine's life rarely.
pub fn steps() -> impl Strategy<Value = StrategyStep> {
    (When::strategy(), moves()).prop_map(|(when, what)| StrategyStep { when, what })
}
