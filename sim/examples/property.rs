//! A property of your own about the engine: each start of an event has exactly one end, or is in flight.
//!
//! Histories are drawn from the strategies of the simulator, so they aim at what is there, and shrink.
//!
//! `cargo run -p eventful-sim --example property`

use eventful::Timestamp;
use eventful::engine::facts::{AttemptEnd, Change};
use eventful_sim::spec::model::Model;
use eventful_sim::strategy::histories;
use eventful_sim::sut::Sut;
use proptest::test_runner::{Config, TestRunner};

const OPENED_AT: Timestamp = Timestamp::from_micros(1_000_000);

fn main() {
    let mut runner = TestRunner::new(Config { cases: 200, failure_persistence: None, ..Config::default() });
    let property = runner.run(&histories(80), |(config, steps)| {
        let mut model = Model::new(config.clone(), OPENED_AT);
        let mut sut = Sut::open(config, OPENED_AT).expect("histories have valid configurations");
        for step in steps {
            let (now, command) = step.resolve(&model);
            model.execute(now, &command);
            sut.execute(now, command);
        }
        let started = sut.facts().iter().filter(|fact| matches!(fact.change, Change::Started { .. })).count();
        let ended = sut.facts().iter().filter(|fact| matches!(fact.change, Change::Finished { .. })).count();
        let discarded = sut.engine().fact_counters().finished(AttemptEnd::Discarded);
        let inflight = sut.engine().gauges().inflight;
        assert_eq!(started as u64, ended as u64 + discarded + inflight, "each start has one end, or is in flight");
        Ok(())
    });
    property.expect("the property holds");
    println!("it holds in 200 histories of up to 80 steps");
}
