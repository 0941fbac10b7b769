//! Properties that must hold after every step. None is ever disabled.
//!
//! Oracles see what an outsider sees: commands, results, effects, facts, metrics, and the record that a command
//! touched. From the facts they derive a [`ReferenceState`](crate::spec), which is the first of all oracles: it
//! rejects a fact that cannot follow.
//!
//! | oracle | promise | what must hold |
//! |---|---|---|
//! | `expected` | P1–P8 | each fact follows from those before it, and from the configuration |
//! | `ledger` | P1 | results that clients have received stay true |
//! | `payload` | P2 | one key, one payload |
//! | `tickets` | P3 | tickets rise, fit the channel, and are stale for a reason |
//! | `order` | P3 | first in, first out, but for lost tickets |
//! | `operator` | P1 | calls of operators do what they ask for |
//! | `runs` | P4 | one run at a time, one outcome each |
//! | `concurrency` | P5 | free permits and workers add up to the limit |
//! | `shutdown` | P6 | each phase allows what it must, the end comes in time, and its report is right |
//! | `readiness` | P9 | a node is ready when it makes progress, and else gives the reason |
//! | `metrics` | P7 | counters rise, and equal a fold of results and facts; gauges equal a recount |
//! | `durations` | P7 | histograms equal a fold of facts |
//! | `retries` | P8 | attempts are bounded, waits lie within their limits |
//! | `admission` | P9 | bounds are kept, and refusals have a reason |
//! | `follow_ups` | P1 | all follow-ups of a run that succeeded exist, or none was accepted |
//! | `gates` | P1, P5 | no more events of a type run than its policy allows, and none waits without need |
//! | `groups` | P1, P3, P5 | groups take turns, keep their order and their limits, and none waits without need |
//! | `lists` | P7 | lists and counts contain every record that matches, and no other |
//! | `replay` | P10 | a replay of the facts leads to the same state |
//! | `journal` | P9, P10 | nothing is shown before it is durable; an opening recovers what was appended |
//! | `departures` | P10 | tickets are sent in order, after their facts are durable; those that do not get in return in order |
//! | `readers` | P10 | readers of facts receive all durable ones, in order |
//! | `dropped` | P1 | a failed event that is forgotten is reported, once |
//! | `reference` | P1–P9 | results, effects and facts of the engine are those of the reference model |
//! | `record` | P7 | the touched record is that of the facts |
//! | `explained` | P7 | the explanation why an event is not running is right |
//! | `consistency` | P7 | the engine's structures are consistent |
//! | `deadline` | P1 | the engine asks to be woken for everything that waits for a time |
//! | `liveness` | P1 | after the faults every event ends in time |

mod admission;
mod client_oracle;
mod concurrency;
mod consistency;
mod deadline;
mod departures;
mod dropped;
mod durations;
mod explained;
mod follow_ups;
mod gates;
mod groups;
mod journal;
pub(crate) mod lists;
mod liveness;
mod metrics;
mod observation;
mod opening;
mod operator;
mod order;
mod payload;
mod readers;
mod readiness;
mod record;
mod reference;
mod replay;
mod retries;
mod runs;
mod shown;
mod shutdown;
mod tickets;

pub use client_oracle::{ClientOracle, Era};
pub(crate) use concurrency::judge_permits;
use eventful::node::CommitLimits;
use eventful::{
    Status, Timestamp,
    engine::{
        Command, Engine, Ticket,
        facts::{Change, Fact},
    },
};
pub use observation::{CommandSummary, Observation, OutcomeSummary};
pub(crate) use readiness::{Health, JournalHealth};
pub(crate) use shutdown::ShutdownEnded;

use crate::failure::{Broken, holds};
use crate::key_table::KeyTable;
use crate::scenario::EventNumber;
use crate::spec::{ReferenceState, event_bytes};

/// The facts of most runs fit, so that the list rarely grows.
const USUAL_FACTS: usize = 64;

/// All oracles, with their state.
#[derive(Debug)]
pub struct Oracles {
    /// The state that follows from the facts.
    pub expected: ReferenceState,
    /// The results that clients have received, and the calls of handlers.
    pub ledger: ClientOracle,
    tickets: tickets::SentTickets,
    order: order::ExpectedLine,
    runs: runs::Started,
    reference: reference::Reference,
    metrics: metrics::CountedMetrics,
    durations: durations::Durations,
    shutdown: shutdown::ShutdownAsked,
    /// The state of the journal; none without a journal.
    pub(crate) journal: Option<journal::JournaledFacts>,
    /// The tickets that are still to be sent.
    pub(crate) departures: departures::Departures,
    /// The facts that readers must receive.
    pub(crate) published: readers::Published,
    facts: Vec<Fact>,
    /// The number of facts decided until the last change of each event.
    changed: Vec<usize>,
    touched: Vec<EventNumber>,
    /// The number of facts decided until the last pause or resume.
    paused_by: usize,
    /// The number of facts decided at the end of the step that is checked.
    step_ends: usize,
    /// The violation of the last opening in memory, until the next step is checked.
    opening: Result<(), Broken>,
}

impl Oracles {
    /// Creates the oracles of an engine that was just opened, with the facts of its opening.
    pub fn new(engine: &Engine, facts: impl Iterator<Item = Fact>) -> Self {
        let mut oracles = Self {
            expected: ReferenceState::new(engine.config().clone()),
            ledger: ClientOracle::default(),
            tickets: tickets::SentTickets::default(),
            order: order::ExpectedLine::default(),
            runs: runs::Started::default(),
            reference: reference::Reference::default(),
            metrics: metrics::CountedMetrics::default(),
            durations: durations::Durations::default(),
            shutdown: shutdown::ShutdownAsked::default(),
            journal: None,
            departures: departures::Departures::default(),
            published: readers::Published::default(),
            changed: Vec::new(),
            facts: Vec::with_capacity(USUAL_FACTS),
            touched: Vec::new(),
            paused_by: 0,
            step_ends: 0,
            opening: Ok(()),
        };
        oracles.open(engine, facts);
        oracles
    }

    /// Begins to expect a journal, which has nothing yet.
    pub(crate) fn keep_journal(&mut self, limits: CommitLimits, relaxed_starts: bool) {
        let mut journal = journal::JournaledFacts::new(limits, relaxed_starts);
        journal.decide(&self.facts);
        self.journal = Some(journal);
    }

    /// Returns the facts that were decided.
    pub(crate) fn facts(&self) -> &[Fact] {
        &self.facts
    }

    /// Returns the number of facts that were decided.
    pub(crate) const fn decided(&self) -> usize {
        self.facts.len()
    }

    /// Prepares the reference model for a command that is about to be executed.
    pub(crate) fn expect(&mut self, now: Timestamp, command: &Command) {
        self.reference.execute(now, command);
    }

    /// Checks that a step accepts follow-ups only while the journal has room for them. `now` is the time that the node was
    /// given.
    ///
    /// # Errors
    ///
    /// [`Broken`] if it accepts them without.
    pub(crate) fn judge_room(&self, now: Timestamp, seen: &Observation<'_>) -> Result<(), Broken> {
        let accepts = seen.facts.iter().any(|fact| matches!(fact.change, Change::Accepted(_)));
        let Some(journal) = self.journal.as_ref().filter(|_| accepts && seen.said.has_follow_ups()) else {
            return Ok(());
        };
        let size = seen.then.iter().map(event_bytes).sum();
        let refusal = journal.refusal(now, size, &self.facts);
        holds(refusal.is_none(), || {
            Broken::new(
                "follow_ups",
                9,
                format_args!("follow-ups were accepted, although the journal refuses: {refusal:?}"),
            )
        })
    }

    /// Checks a step.
    ///
    /// # Errors
    ///
    /// [`Broken`] if a promise does not hold.
    pub fn judge(&mut self, seen: &Observation<'_>) -> Result<(), Broken> {
        // An opening in memory has no result of its own, so its violation is reported here.
        std::mem::replace(&mut self.opening, Ok(()))?;
        self.step_ends = self.facts.len() + seen.facts.len();
        // The checks down to the facts need the state before the step.
        payload::judge(&self.expected, seen)?;
        dropped::judge_records(&self.expected, seen)?;
        operator::judge(&self.expected, seen)?;
        self.tickets.judge(&self.expected, seen)?;
        self.departures.judge(seen.said)?;
        self.order.judge(&self.expected, &self.tickets, seen)?;
        self.runs.judge(&self.expected, seen)?;
        self.shutdown.judge(seen)?;
        self.journal.as_ref().map_or(Ok(()), |journal| journal.judge_gate(seen.said, seen.holds_expiry))?;
        self.touched.clear();
        self.touched.extend(seen.said.event());
        let failed_before = self.expected.counts.forgotten[Status::Failed as usize];
        for fact in seen.facts {
            retries::judge(&self.expected, seen, fact)?;
            judge_epoch(seen, fact)?;
            self.durations.measure(&self.expected, fact, seen.key_table);
            let event = self.expected.apply(fact, seen.key_table)?;
            self.expected.judge_permits()?;
            gates::judge(&self.expected, seen, fact)?;
            groups::judge(&self.expected, seen, fact)?;
            if matches!(fact.change, Change::Paused | Change::Resumed | Change::GroupPaused { .. }) {
                self.paused_by = self.step_ends;
            }
            self.touch(event);
            match (&fact.change, event) {
                (Change::Forgotten(keys), _) => keys.iter().for_each(|key| self.forget(seen.key_table.number(key))),
                (Change::Redriven(_), Some(event)) => self.ledger.redrive(event),
                _ => {}
            }
        }
        // The checks from here on need the state after the step.
        self.shutdown.count(&self.expected, seen.said);
        dropped::judge(&self.expected, seen, failed_before)?;
        gates::judge_waiting(&self.expected, seen)?;
        gates::judge_stats(&self.expected, seen)?;
        groups::judge_places(&self.expected, seen)?;
        admission::judge(&self.expected, seen)?;
        follow_ups::judge(&self.expected, seen)?;
        self.metrics.judge(&self.expected, seen)?;
        if !seen.facts.is_empty() {
            self.durations.judge(seen.engine.histograms())?;
        }
        for event in &self.touched {
            let view = seen.engine.get(seen.now, seen.key_table.key(*event));
            record::judge(&self.expected, seen, *event, view.as_ref())?;
            explained::judge(&self.expected, &self.tickets, seen, *event, view.as_ref())?;
            view.iter().try_for_each(|view| self.tickets.judge_touched(*event, view))?;
            view.iter().try_for_each(|view| self.runs.judge_touched(*event, view))?;
            view.iter().try_for_each(|view| self.reference.judge_touched(seen, view))?;
        }
        deadline::judge(&self.expected, seen, self.tickets.test_due(seen))?;
        consistency::judge(seen)?;
        self.reference.judge(seen)
    }

    fn forget(&mut self, event: Option<EventNumber>) {
        self.touch(event);
        event.into_iter().for_each(|event| self.ledger.forget(event));
    }

    /// Notes that a step changed an event.
    fn touch(&mut self, event: Option<EventNumber>) {
        let Some(event) = event else { return };
        if !self.touched.contains(&event) {
            self.touched.push(event);
        }
        if self.changed.len() <= usize::from(event) {
            self.changed.resize(usize::from(event) + 1, 0);
        }
        self.changed[usize::from(event)] = self.step_ends;
    }

    /// Returns whether a ticket without a record may be in the channel.
    pub(crate) const fn may_have_empty_ticket(&self) -> bool {
        self.tickets.may_be_empty()
    }

    /// Keeps the output of a step.
    pub(crate) fn keep(&mut self, seen: &Observation<'_>) {
        let first = self.facts.len();
        self.facts.extend_from_slice(seen.facts);
        match &mut self.journal {
            Some(journal) => {
                journal.decide(seen.facts);
                if seen.said.has_follow_ups() && !seen.facts.is_empty() {
                    let is_end = |fact: &Fact| matches!(fact.change, Change::Finished { .. });
                    let before = seen.facts.iter().take_while(|fact| !is_end(fact)).count();
                    journal.keep_together(first + before, self.facts.len());
                }
            }
            None => self.published.publish(first, seen.facts.len()),
        }
        self.departures.decide(seen, self.facts.len());
    }

    /// Checks the state at the end of a phase.
    ///
    /// # Errors
    ///
    /// [`Broken`] if a promise does not hold.
    pub fn judge_phase(&self, now: Timestamp, engine: &Engine, key_table: &KeyTable) -> Result<(), Broken> {
        consistency::judge_engine(engine)?;
        metrics::judge_whole(engine)?;
        self.durations.judge(&engine.metrics().histograms)?;
        self.reference.judge_phase(engine)?;
        replay::judge(engine, &self.expected, &self.facts, now, key_table)
    }

    /// Checks that no work is left, or that there is still time for it.
    ///
    /// # Errors
    ///
    /// [`Broken`] if events are pending after the time by which all should have ended.
    pub fn judge_liveness(
        &self,
        now: Timestamp,
        limit: Timestamp,
        key_table: &KeyTable,
        engine: &Engine,
    ) -> Result<(), Broken> {
        liveness::judge(&self.expected, now, limit, key_table, engine)
    }

    /// Checks that, while the channel takes nothing, all pending events are where they can wait. `held` are the
    /// tickets in the channel.
    ///
    /// # Errors
    ///
    /// [`Broken`] if an event has not moved that could.
    pub fn judge_waiting(
        &self,
        now: Timestamp,
        held: &[Ticket],
        key_table: &KeyTable,
        engine: &Engine,
    ) -> Result<(), Broken> {
        liveness::judge_waiting(&self.expected, now, held, key_table, engine)
    }

    /// Compares the results that clients have received with the engine's state.
    ///
    /// # Errors
    ///
    /// [`Broken`] if a result is no longer true.
    pub fn audit(&self, now: Timestamp, key_table: &KeyTable, engine: &Engine) -> Result<(), Broken> {
        self.ledger.audit(&self.expected, now, key_table, engine)?;
        match &self.journal {
            Some(journal) if journal.bounds_calls() => self.ledger.audit_calls(engine.config(), key_table),
            _ => Ok(()),
        }
    }
}

/// Checks that only an opening raises the epoch.
fn judge_epoch(seen: &Observation<'_>, fact: &Fact) -> Result<(), Broken> {
    let is_epoch = matches!(fact.change, Change::Epoch(_));
    holds(!is_epoch || seen.said == CommandSummary::Open, || {
        Broken::new("runs", 4, format_args!("{:?} after {:?}", fact.change, seen.said))
    })
}
