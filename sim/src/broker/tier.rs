//! The broker tier.

use super::draw;
use super::probe::BrokerProbe;
use super::run;
use super::scenario::{BrokerFault, BrokerScenario, BrokerSetup, BrokerTier, PublishedMessage};
use crate::scenario::DrawPlan;
use crate::tier::{FileError, Keep, Probes, Report, ScenarioChange, Tier};

impl Tier for BrokerTier {
    const NAME: &'static str = "broker";
    const UNIT: &'static str = "messages and faults";
    const BATCH: u64 = 16;

    type Setup = BrokerSetup;
    type Operation = PublishedMessage;
    type Fault = BrokerFault;

    fn kinds() -> usize {
        BrokerProbe::FAULTS
    }

    fn draw(seed: u64, _: DrawPlan) -> BrokerScenario {
        draw::scenario(seed)
    }

    fn check(scenario: &BrokerScenario, path: &str) -> Result<(), FileError> {
        let BrokerSetup { max_in_flight, max_in_flight_bytes, max_pending, .. } = scenario.setup;
        let refused = |what: &str| Err(FileError::TooLarge { path: path.to_owned(), what: what.to_owned() });
        if max_in_flight == 0 || max_in_flight_bytes == 0 || max_pending == 0 || scenario.setup.partitions() == 0 {
            return refused("a bound of the setup is 0, so nothing is ever received, and the rest");
        }
        // A free choice far above drawn scenarios: a longer one would look like a hang.
        const MOST: usize = 10_000;
        if scenario.size() > MOST { refused("there are more than 10000 messages and faults") } else { Ok(()) }
    }

    fn run(scenario: &BrokerScenario, keep: Keep, probes: &mut Probes) -> Report {
        run::run(scenario, keep, probes)
    }

    fn moves(scenario: &BrokerScenario) -> Vec<ScenarioChange<Self>> {
        let mut moves: Vec<ScenarioChange<Self>> = vec![
            Box::new(|scenario| scenario.setup.handler = 0),
            Box::new(|scenario| scenario.setup.sync = 1),
            Box::new(|scenario| scenario.setup.latency = 1),
        ];
        for at in 0..scenario.operations.len() {
            moves.push(Box::new(move |scenario| {
                scenario.operations.get_mut(at).into_iter().for_each(|message| message.bytes = 1);
            }));
        }
        moves
    }

    fn probe(number: usize) -> String {
        BrokerProbe::ALL.get(number).map_or_else(|| "what is on no list".to_owned(), |probe| probe.name().to_owned())
    }

    fn expected(_: &Probes) -> Vec<String> {
        BrokerProbe::ALL.iter().map(|probe| probe.name().to_owned()).collect()
    }
}
