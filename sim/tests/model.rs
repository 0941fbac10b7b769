//! The engine against the reference model, over all commands.
//!
//! A failure is shrunk, saved in `proptest-regressions/`, and replayed first by
//! `cargo test -p eventful-sim --test model`. `PROPTEST_CASES` sets the number of cases.

use eventful::Timestamp;
use eventful_sim::assertions::{self, assert_reopened, assert_replayed, assert_state, assert_step};
use eventful_sim::spec::model::Model;
use eventful_sim::strategy::{StrategyStep, configs, steps};
use eventful_sim::sut::Sut;
use proptest::prelude::*;
use proptest::test_runner::{FileFailurePersistence, RngAlgorithm, TestRng, TestRunner};
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};

/// The time at which each engine is opened. Any time after 1970 would do.
const OPENED_AT: Timestamp = Timestamp::from_micros(1_000_000);

/// The greatest number of steps in one case: enough for several retries, and short enough to be read.
const STEPS: usize = 100;

/// The number of cases of each test, unless `PROPTEST_CASES` sets another.
const CASES: u32 = 1000;

prop_state_machine! {
    #![proptest_config(config(FileFailurePersistence::Direct("../proptest-regressions/model.txt")))]

    #[test]
    fn engine_and_model_agree_after_every_step_of_a_random_history(sequential 1..STEPS => EngineTest);
}

#[test]
fn engine_and_model_agree_after_every_step_of_fixed_histories() {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, b"the same histories in each build");
    let persistence = FileFailurePersistence::Direct("../proptest-regressions/model-fixed.txt");
    let config = config(persistence);
    let histories = ModelHistory::sequential_strategy(1..STEPS);
    let outcome = TestRunner::new_with_rng(config.clone(), rng).run(&histories, |(start, steps, seen)| {
        EngineTest::test_sequential(config.clone(), start, steps, seen);
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

fn config(persistence: FileFailurePersistence) -> ProptestConfig {
    let defaults = ProptestConfig::default();
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { defaults.cases } else { CASES };
    ProptestConfig { cases, failure_persistence: Some(Box::new(persistence)), ..defaults }
}

/// The model with the step that it took last.
#[derive(Debug, Clone)]
struct ModelHistory {
    model: Model,
    last: Option<assertions::ComparedStep>,
}

impl ReferenceStateMachine for ModelHistory {
    type State = Self;
    type Transition = StrategyStep;

    fn init_state() -> BoxedStrategy<Self> {
        configs().prop_map(|config| Self { model: Model::new(config, OPENED_AT), last: None }).boxed()
    }

    fn transitions(_: &Self) -> BoxedStrategy<StrategyStep> {
        steps().boxed()
    }

    fn apply(mut history: Self, step: &StrategyStep) -> Self {
        let (now, command) = step.resolve(&history.model);
        let response = history.model.execute(now, &command);
        history.last = Some(assertions::ComparedStep { now, command, response });
        history
    }
}

#[derive(Debug)]
struct EngineTest;

impl StateMachineTest for EngineTest {
    type SystemUnderTest = Sut;
    type Reference = ModelHistory;

    fn init_test(start: &ModelHistory) -> Sut {
        let sut = Sut::open(start.model.config().clone(), OPENED_AT).expect("the strategy makes valid configurations");
        assert_state(&sut, &start.model);
        sut
    }

    fn apply(mut sut: Sut, history: &ModelHistory, _: StrategyStep) -> Sut {
        let step = history.last.clone().expect("a step was taken");
        assert_step(&mut sut, &history.model, step);
        sut
    }

    fn teardown(mut sut: Sut, history: ModelHistory) {
        assert_replayed(&sut);
        assert_reopened(&mut sut, history.model.now);
    }
}
