//! The core tier: the product's node in a discrete-event simulation.

use super::{Act, CoreFault, CoreSetup, DrawPlan, FaultKind, Injection, Operation};
use crate::edge;
use crate::tier::{FileError, Keep, Probes, Report, ScenarioChange, Tier};

/// The parts of a run of the core tier. Times are microseconds since its start.
pub type CoreScenario = crate::tier::Scenario<CoreTier>;

/// The core tier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CoreTier {}

impl Tier for CoreTier {
    const NAME: &'static str = "core";
    const BATCH: u64 = 32;
    const HAS_PLANS: bool = true;

    type Setup = CoreSetup;
    type Operation = Operation;
    type Fault = CoreFault;

    fn kinds() -> usize {
        FaultKind::ALL.len()
    }

    fn draw(seed: u64, plan: DrawPlan) -> CoreScenario {
        CoreScenario::draw(seed, plan)
    }

    fn check(scenario: &CoreScenario, path: &str) -> Result<(), FileError> {
        let (settings, path) = (&scenario.setup.settings, path.to_owned());
        // Permits are numbered in 16 bits.
        if u16::try_from(settings.concurrency.get()).is_err() {
            return Err(FileError::TooLarge { path, what: format!("concurrency is more than {}", u16::MAX) });
        }
        settings.group_policies().map_err(|source| FileError::Policies { path: path.clone(), source })?;
        settings.policies().map_err(|source| FileError::Policies { path: path.clone(), source })?;
        settings.config().validate().map_err(|source| FileError::Settings { path, source })
    }

    fn run(scenario: &CoreScenario, keep: Keep, probes: &mut Probes) -> Report {
        scenario.play(keep, probes)
    }

    fn moves(scenario: &CoreScenario) -> Vec<ScenarioChange<Self>> {
        let mut moves: Vec<ScenarioChange<Self>> = vec![Box::new(|scenario| scenario.setup.patience = 0)];
        for at in 0..scenario.operations.len() {
            moves.push(Box::new(move |scenario| scenario.operations[at].hangs_up = false));
            moves.push(Box::new(move |scenario| scenario.operations[at].client = 0));
            moves.push(Box::new(move |scenario| scenario.operations[at].delay = 0));
            moves.push(Box::new(move |scenario| {
                if let Act::Submit { payload, .. } = &mut scenario.operations[at].act {
                    *payload = 0;
                }
            }));
            moves.push(Box::new(move |scenario| {
                scenario.operations[at].at = 0;
                scenario.operations.sort_by_key(|operation| operation.at);
            }));
        }
        moves.extend(
            (0..scenario.faults.len()).map(|at| Box::new(move |scenario: &mut _| strike_sooner(scenario, at)) as _),
        );
        moves
    }

    fn probe(number: usize) -> String {
        match number.checked_sub(Self::kinds()) {
            None => FaultKind::ALL[number].name(),
            Some(edge) => edge::name(edge),
        }
    }

    fn expected(fired: &Probes) -> Vec<String> {
        let journals = FaultKind::ALL.into_iter().any(|kind| kind.is_of_journal() && fired.count(kind) > 0);
        let kinds = FaultKind::ALL.into_iter().filter(|kind| journals || !kind.is_of_journal());
        kinds.map(FaultKind::name).chain(edge::listed(journals).map(str::to_owned)).collect()
    }
}

/// Moves a fault of a later attempt to the one before, unless that has a fault already.
fn strike_sooner(scenario: &mut CoreScenario, at: usize) {
    let Injection::Handler { event, attempt: attempt @ 2.., does } = scenario.faults[at].what else { return };
    let strikes_before = |fault: &CoreFault| matches!(fault.what, Injection::Handler { event: e, attempt: a, .. } if (e, a) == (event, attempt - 1));
    if !scenario.faults.iter().any(strikes_before) {
        scenario.faults[at].what = Injection::Handler { event, attempt: attempt - 1, does };
    }
}
