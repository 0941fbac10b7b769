//! Strategies of property tests for a model and an engine: small configurations, whose limits are soon reached, and
//! steps that name existing, former and unknown tickets, runs and keys.

mod aim;
mod config;
mod events;
mod moves;
mod time;

pub use aim::{KeyAim, RunAim, TickAim, TicketAim};
pub use config::configs;
pub use events::{key, payload, schedule};
pub use moves::{AimedCommand, moves};
pub use time::When;

use eventful::{Config, Timestamp, engine::Command};
use proptest::prelude::*;

use crate::spec::model::Model;

/// One step of a test: a command at a time. Both are resolved against the model when the step is taken, so that a step
/// keeps its meaning when others before it are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StrategyStep {
    /// The choice of the time.
    pub when: When,
    /// The choice of the command.
    pub what: AimedCommand,
}

impl StrategyStep {
    /// Returns the time and the command for an engine in the state of `model`.
    pub fn resolve(&self, model: &Model) -> (Timestamp, Command) {
        (self.when.resolve(model), self.what.resolve(model))
    }
}

/// Returns a strategy for whole histories: a configuration, and at most this many steps.
///
/// They shrink, step by step and number by number; a bare seed as the input of a property would not. An example of a
/// suite that checks that every command leaves an engine consistent:
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
///         let (now, command) = step.resolve(&model); // what the step means in this state
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

/// Returns a strategy for steps of all kinds; those that end the engine are rare.
pub fn steps() -> impl Strategy<Value = StrategyStep> {
    (When::strategy(), moves()).prop_map(|(when, what)| StrategyStep { when, what })
}
