//! Equal inputs give equal runs.

use eventful::Timestamp;
use eventful_sim::spec::model::Model;
use eventful_sim::strategy::{StrategyStep, configs, steps};
use eventful_sim::sut::Sut;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

const OPENED_AT: Timestamp = Timestamp::from_micros(1_000_000);

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct("../proptest-regressions/determinism.txt"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn equal_commands_at_equal_times_give_equal_output(
        config in configs(),
        history in proptest::collection::vec(steps(), 1..100),
    ) {
        let start = Model::new(config, OPENED_AT);
        let (first, second) = (trace(start.clone(), &history), trace(start, &history));
        prop_assert_eq!(first, second);
    }
}

/// Returns everything that an engine puts out over a history, and its state at the end.
fn trace(mut model: Model, history: &[StrategyStep]) -> String {
    let mut sut = Sut::open(model.config().clone(), OPENED_AT).expect("a valid configuration");
    let mut trace = String::new();
    for step in history {
        let (now, command) = step.resolve(&model);
        model.execute(now, &command);
        trace.push_str(&format!("{:?} {:?}\n", sut.execute(now, command), sut.engine().next_deadline()));
    }
    trace + &format!("{:?}\n{:?}\n{:?}", sut.facts(), sut.engine().metrics(), sut.engine().durable_state())
}
