//! Calls of the adapter that may have to wait for the journal, each with a bound on its duration.

use std::sync::Arc;
use std::time::Duration;

use eventful::{Cursor, Eventful, Timestamp, clock::Clock as _};
use tokio::time::{sleep, timeout};

use super::clock::TICK;
use super::connection_owners;
use super::oracle::waits;
use super::run_context::RunContext;
use super::scenario::{AdapterFault, KeyNumber, NetworkFault, NetworkFaultKind};
use super::tier::NetworkScenario;

/// Returns the greatest number of times that the sweeper panics in this scenario.
fn sweeper_panics(scenario: &NetworkScenario) -> u32 {
    let passes = |fault: &NetworkFault| {
        let NetworkFaultKind::Disturb { disturbance: AdapterFault::SweeperPanics, passes } = fault.kind else {
            return 0;
        };
        passes.into()
    };
    scenario.faults.iter().map(passes).sum::<u32>()
}

/// A caller of one server process.
pub(super) struct Asker {
    stage: Arc<RunContext>,
    pub(super) eventful: Eventful,
    bound: Duration,
}

impl Asker {
    pub(super) fn new(stage: &Arc<RunContext>, eventful: &Eventful) -> Self {
        let timeout = stage.with(|notes, _| notes.oracles.answer_timeout());
        // The sweeper lets go of calls that have waited long enough. One that panics is restarted within its interval.
        let restarts = eventful.config().sweep_interval * (2 + sweeper_panics(&stage.scenario));
        let bound = timeout.saturating_add(restarts + TICK * 4);
        Self { stage: Arc::clone(stage), eventful: eventful.clone(), bound }
    }

    /// Makes all calls, round after round, until this time.
    pub(super) async fn ask(self, until: Timestamp) {
        while self.stage.clock.now() < until {
            for item in self.stage.owed().items {
                self.look(item.key).await;
            }
            self.within("a page", self.eventful.list(None, Cursor::START, 10)).await;
            self.within("a wait for durability", self.eventful.sync()).await;
            sleep(TICK).await;
        }
    }

    async fn look(&self, number: KeyNumber) {
        let key = connection_owners::key(number);
        let was_over = self.stage.with(|notes, _| notes.oracles.is_completed(number));
        let shown = self.within("a look", self.eventful.get(key)).await;
        self.within("an explanation", self.eventful.explain(key)).await;
        if let Some(Ok(Some(record))) = shown.filter(|_| was_over) {
            self.stage.judge(self.stage.with(|notes, _| waits::marked(&notes.oracles.expected, &record)));
        }
    }

    /// Returns the result of a call, which must come in time.
    pub(super) async fn within<T>(&self, what: &str, call: impl Future<Output = T>) -> Option<T> {
        let answer = timeout(self.bound, call).await.ok();
        if answer.is_none() {
            self.stage.judge(Err(waits::silent(what, self.bound)));
        }
        answer
    }
}
