//! The turmoil tier: the adapter and the HTTP front on a simulated network.

use super::coverage::{FAULTS, RESPONSES};
use super::scenario::{NetworkFault, NetworkFaultKind, NetworkSetup, Request};
use super::trace_builder::plain;
use crate::scenario::DrawPlan;
use crate::tier::{FileError, Keep, Probes, Report, ScenarioChange, ScenarioPart, Tier};
use crate::trace::OutageSpan;

/// Everything that decides a run. Each client sends its own requests in their order.
pub type NetworkScenario = crate::tier::Scenario<TurmoilTier>;

/// The turmoil tier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TurmoilTier {}

impl Tier for TurmoilTier {
    const NAME: &'static str = "turmoil";
    const BATCH: u64 = 4;

    type Setup = NetworkSetup;
    type Operation = Request;
    type Fault = NetworkFault;

    fn kinds() -> usize {
        FAULTS.lines().count()
    }

    fn draw(seed: u64, _: DrawPlan) -> NetworkScenario {
        NetworkScenario::generate(seed)
    }

    fn check(scenario: &NetworkScenario, path: &str) -> Result<(), FileError> {
        let settings = &scenario.setup.settings;
        let policies = settings.policies().and(settings.group_policies().map(drop));
        policies.map_err(|source| FileError::Policies { path: path.to_owned(), source })?;
        scenario.setup.config().validate().map_err(|source| FileError::Settings { path: path.to_owned(), source })
    }

    fn run(scenario: &NetworkScenario, keep: Keep, probes: &mut Probes) -> Report {
        scenario.play(keep, probes)
    }

    /// Returns the number of requests, faults, and turns of the handler.
    fn size(scenario: &NetworkScenario) -> usize {
        let turns: usize = scenario.setup.scripts.iter().map(|script| script.turns.len()).sum();
        scenario.operations.len() + scenario.faults.len() + turns
    }

    fn moves(scenario: &NetworkScenario) -> Vec<ScenarioChange<Self>> {
        let mut moves: Vec<ScenarioChange<Self>> = vec![
            Box::new(|scenario| scenario.setup.yields_per_mille = 0),
            Box::new(|scenario| scenario.setup.scripts.clear()),
        ];
        for key in scenario.setup.scripts.iter().map(|script| script.key) {
            moves.push(Box::new(move |scenario| scenario.setup.scripts.retain(|script| script.key != key)));
            moves.push(Box::new(move |scenario| {
                let mut scripts = scenario.setup.scripts.iter_mut();
                scripts.find(|script| script.key == key).into_iter().for_each(|script| script.turns.truncate(1));
            }));
        }
        moves
    }

    fn probe(number: usize) -> String {
        FAULTS.lines().chain(RESPONSES.lines()).nth(number).unwrap_or("what is on no list").to_owned()
    }

    fn expected(_: &Probes) -> Vec<String> {
        FAULTS.lines().chain(RESPONSES.lines()).map(str::to_owned).collect()
    }
}

impl ScenarioPart for Request {
    fn at(&self) -> Option<u64> {
        Some(micros(self.at_ms))
    }

    fn words(&self) -> String {
        plain(&self.call)
    }

    fn who(&self) -> String {
        format!("client {}", self.client)
    }
}

impl ScenarioPart for NetworkFault {
    fn at(&self) -> Option<u64> {
        Some(micros(self.at_ms))
    }

    fn words(&self) -> String {
        plain(&self.kind)
    }

    fn span(&self) -> Option<OutageSpan> {
        let (for_ms, name, part) = match self.kind {
            NetworkFaultKind::Link { client, for_ms, .. } => (for_ms, "link", format!("client {client}")),
            NetworkFaultKind::Outage { down_ms, .. } => (down_ms, "down", "engine".to_owned()),
            NetworkFaultKind::Pause { for_ms } => (for_ms, "paused", "engine".to_owned()),
            NetworkFaultKind::DiskFull { for_ms } => (for_ms, "full", "journal".to_owned()),
            NetworkFaultKind::DiskBlocks { for_ms } => (for_ms, "blocked", "journal".to_owned()),
            NetworkFaultKind::DiskGone { for_ms } => (for_ms, "gone", "journal".to_owned()),
            NetworkFaultKind::Disturb { .. } | NetworkFaultKind::Disk { .. } | NetworkFaultKind::Inside(_) => {
                return None;
            }
        };
        Some(OutageSpan::new(self.words(), micros(for_ms), name, &[&part]))
    }
}

fn micros(ms: u32) -> u64 {
    u64::from(ms) * 1_000
}
