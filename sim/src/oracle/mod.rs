//! What must hold, one file each. None is ever switched off.
//!
//! Oracles see what an outsider sees: commands, answers, effects, facts, metrics, and the record
//! that a command touched. From the facts they keep a [`Book`](crate::spec) of their own, which is the
//! first of all oracles: it rejects a fact that cannot follow.
//!
//! | file | promise | what must hold |
//! |---|---|---|
//! | `book` | P1–P8 | each fact follows from those before it, and from the configuration |
//! | `ledger` | P1 | what a client was told is true at the end |
//! | `payload` | P2 | one key, one payload |
//! | `tickets` | P3 | tickets rise, fit the channel, and are stale for a reason |
//! | `order` | P3 | first in, first out, but for lost tickets |
//! | `runs` | P4 | one run at a time, one outcome each |
//! | `concurrency` | P5 | free permits and workers add up to the limit |
//! | `shutdown` | P6 | what each phase allows, and that the end comes in time |
//! | `metrics` | P7 | counters rise, and equal a fold of answers and facts; gauges equal a recount |
//! | `retries` | P8 | attempts are bounded, waits lie within their limits |
//! | `admission` | P9 | bounds are kept, and refusals have a reason |
//! | `replay` | P10 | facts lead to the state that is there |
//! | `journal` | P10 | nothing is told before it is durable; what comes back is what was appended |
//! | `dropped` | P1 | a failed event that is forgotten is reported, once |
//! | `reference` | P1–P9 | answers, effects and facts of the engine are those of the reference model |
//! | `record` | P7 | the touched record is what the facts make of it |
//! | `consistency` | P7 | the engine does not contradict itself |
//! | `deadline` | P1 | the engine asks to be woken for whatever waits for time |
//! | `liveness` | P1 | after the faults every event ends in time |

mod admission;
mod concurrency;
mod consistency;
mod deadline;
mod dropped;
mod journal;
mod ledger;
mod liveness;
mod metrics;
mod order;
mod payload;
mod record;
mod reference;
mod replay;
mod retries;
mod runs;
mod seen;
mod shutdown;
mod tickets;

use std::time::Duration;

use eventful::{Change, Command, Config, DurableState, Engine, Fact, Status, Ticket, Timestamp};
pub use ledger::{Era, Ledger};
pub use seen::{Said, Seen, Told};

use crate::failure::{Broken, holds};
use crate::roster::Roster;
use crate::scenario::EventNumber;
use crate::spec::{Book, Register};

/// As many as most runs put out, so that they find room for them at once.
const USUAL_FACTS: usize = 64;

/// All oracles, with what they remember.
#[derive(Debug)]
pub struct Oracles {
    /// What the facts say.
    pub book: Book,
    /// What clients were told, and what handlers did.
    pub ledger: Ledger,
    tickets: tickets::Sent,
    order: order::Line,
    runs: runs::Started,
    reference: reference::Reference,
    metrics: metrics::Counted,
    shutdown: shutdown::Asked,
    /// What the journal has of the facts; without one nothing.
    pub(crate) journal: Option<journal::Kept>,
    facts: Vec<Fact>,
    touched: Vec<EventNumber>,
    /// What is wrong with the opening in memory that was last, until the next step is judged.
    opening: Result<(), Broken>,
}

impl Oracles {
    /// For an engine that was just opened, with the facts of its opening.
    pub fn new(engine: &Engine, facts: impl Iterator<Item = Fact>) -> Self {
        let mut oracles = Self {
            book: Book::new(engine.config().clone()),
            ledger: Ledger::default(),
            tickets: tickets::Sent::default(),
            order: order::Line::default(),
            runs: runs::Started::default(),
            reference: reference::Reference::default(),
            metrics: metrics::Counted::default(),
            shutdown: shutdown::Asked::default(),
            journal: None,
            facts: Vec::with_capacity(USUAL_FACTS),
            touched: Vec::new(),
            opening: Ok(()),
        };
        oracles.open(engine, facts);
        oracles
    }

    /// From now on there is a journal, and it has what was decided until now.
    pub(crate) fn keep_journal(&mut self, relaxed_starts: bool) {
        self.journal = Some(journal::Kept::new(self.facts.len(), relaxed_starts));
    }

    /// The facts that were decided.
    pub(crate) fn facts(&self) -> &[Fact] {
        &self.facts
    }

    /// How many facts were decided.
    pub(crate) const fn decided(&self) -> usize {
        self.facts.len()
    }

    /// The journal was opened again, and this is the state that it gives back. What was decided and
    /// is not in it has not happened. Returns how many facts these are, and whether the group whose
    /// fate was unknown is in it, if there was one.
    ///
    /// # Errors
    ///
    /// [`Broken`] when it is not what was appended.
    pub(crate) fn recover(
        &mut self,
        found: &DurableState,
        config: &Config,
        roster: &Roster,
    ) -> Result<(usize, Option<bool>), Broken> {
        let Some(journal) = &mut self.journal else { return Ok((0, None)) };
        let (book, kept, group) = journal.recover(&self.facts, found, config, roster)?;
        self.book = book;
        let lost = self.facts.len() - kept;
        for fact in self.facts.drain(kept..) {
            if let Change::Forgotten(keys) = &fact.change {
                keys.iter().filter_map(|key| roster.number(key)).for_each(|event| self.ledger.recall(event));
            }
        }
        self.forget_process();
        Ok((lost, group))
    }

    /// Everything but what outlives a process.
    fn forget_process(&mut self) {
        self.reference.lose();
        self.tickets = tickets::Sent::default();
        self.order = order::Line::default();
        self.metrics = metrics::Counted::default();
        self.shutdown = shutdown::Asked::default();
    }

    /// Judges an engine that was opened from its journal, with the facts of the opening.
    ///
    /// # Errors
    ///
    /// [`Broken`] when a promise does not hold.
    pub(crate) fn judge_opening(&mut self, seen: &Seen<'_>) -> Result<(), Broken> {
        self.judge(seen)?;
        for event in self.book.all().map(|(event, _)| event) {
            let view = seen.engine.get(seen.now, seen.roster.key(event));
            record::judge(&self.book, seen, event, view.as_ref())?;
        }
        journal::judge_opening(&self.book, seen)?;
        self.audit(seen.now, seen.roster, seen.engine)
    }

    /// Judges what the journal holds, when it holds all that was decided: `found` comes out of it.
    ///
    /// # Errors
    ///
    /// [`Broken`] when it is not the state that the facts make, and that is there.
    pub(crate) fn judge_journal(&self, found: &DurableState, engine: &Engine, roster: &Roster) -> Result<(), Broken> {
        self.judge_found(found, roster)?;
        journal::judge_state(&self.book, &engine.durable_state(), roster)
    }

    /// Judges what a journal gives back.
    ///
    /// # Errors
    ///
    /// [`Broken`] when it is not the state that the facts make.
    pub(crate) fn judge_found(&self, found: &DurableState, roster: &Roster) -> Result<(), Broken> {
        journal::judge_state(&self.book, found, roster)
    }

    /// The process has started again with nothing in its memory.
    pub fn reopen(&mut self, engine: &Engine, facts: impl Iterator<Item = Fact>) {
        self.ledger.lose_process();
        self.book = Book::new(engine.config().clone());
        self.forget_process();
        self.facts.clear();
        self.open(engine, facts);
    }

    fn open(&mut self, engine: &Engine, facts: impl Iterator<Item = Fact>) {
        self.facts.extend(facts);
        self.opening = self.take_in_opening(engine);
        self.reference.open(engine, self.book.last);
    }

    /// In memory an engine is opened without records.
    fn take_in_opening(&mut self, engine: &Engine) -> Result<(), Broken> {
        self.book.apply_all(&self.facts, &Register::default())?;
        let (facts, epoch) = (self.book.epoch, engine.epoch());
        holds(facts == Some(epoch), || {
            Broken::new("book", 4, format_args!("the engine is of {epoch:?}, its facts of {facts:?}"))
        })
    }

    /// A command is about to be carried out.
    pub(crate) fn expect(&mut self, now: Timestamp, command: &Command) {
        self.reference.execute(now, command);
    }

    /// Judges a step.
    ///
    /// # Errors
    ///
    /// [`Broken`] when a promise does not hold.
    pub fn judge(&mut self, seen: &Seen<'_>) -> Result<(), Broken> {
        std::mem::replace(&mut self.opening, Ok(()))?;
        payload::judge(&self.book, seen)?;
        self.tickets.judge(&self.book, seen)?;
        self.order.judge(&self.book, &self.tickets, seen)?;
        self.runs.judge(&self.book, seen)?;
        self.shutdown.judge(seen)?;
        self.touched.clear();
        self.touched.extend(seen.said.event());
        let failed_before = self.book.counts.forgotten[Status::Failed as usize];
        for fact in seen.facts {
            retries::judge(&self.book, seen, fact)?;
            judge_epoch(seen, fact)?;
            let event = self.book.apply(fact, seen.roster)?;
            self.book.judge_permits()?;
            self.touch(event);
            match (&fact.change, event) {
                (Change::Forgotten(keys), _) => keys.iter().for_each(|key| self.forget(seen.roster.number(key))),
                (Change::Redriven(_), Some(event)) => self.ledger.redrive(event),
                _ => {}
            }
        }
        dropped::judge(&self.book, seen, failed_before)?;
        admission::judge(&self.book, seen)?;
        self.metrics.judge(&self.book, seen)?;
        for event in &self.touched {
            let view = seen.engine.get(seen.now, seen.roster.key(*event));
            record::judge(&self.book, seen, *event, view.as_ref())?;
            view.iter().try_for_each(|view| self.tickets.judge_touched(*event, view))?;
            view.iter().try_for_each(|view| self.reference.judge_touched(seen, view))?;
        }
        deadline::judge(&self.book, seen, self.tickets.test_due(seen))?;
        consistency::judge(seen)?;
        self.reference.judge(seen)
    }

    fn forget(&mut self, event: Option<EventNumber>) {
        self.touch(event);
        event.into_iter().for_each(|event| self.ledger.forget(event));
    }

    /// A step changed an event, or named it.
    fn touch(&mut self, event: Option<EventNumber>) {
        self.touched.extend(event.filter(|event| !self.touched.contains(event)));
    }

    /// Whether a ticket that stands for no record may be in the channel.
    pub(crate) const fn may_have_empty_ticket(&self) -> bool {
        self.tickets.may_be_empty()
    }

    /// Keeps the facts of a step that was judged.
    pub fn keep(&mut self, facts: impl Iterator<Item = Fact>) {
        self.facts.extend(facts);
    }

    /// Judges the world between two steps.
    ///
    /// # Errors
    ///
    /// [`Broken`] when a promise does not hold.
    pub fn judge_world(&self, engine: &Engine, free: usize, workers: usize, dropped: usize) -> Result<(), Broken> {
        concurrency::judge(engine, free, workers, dropped)
    }

    /// Judges what is there at the end of a phase.
    ///
    /// # Errors
    ///
    /// [`Broken`] when a promise does not hold.
    pub fn judge_phase(&self, now: Timestamp, engine: &Engine, roster: &Roster) -> Result<(), Broken> {
        consistency::judge_engine(engine)?;
        metrics::judge_whole(engine)?;
        self.reference.judge_phase(engine)?;
        replay::judge(engine, &self.book, &self.facts, now, roster)
    }

    /// Judges that the shutdown has come to its end in time.
    ///
    /// # Errors
    ///
    /// [`Broken`] when it has not.
    pub fn judge_end(&self, took: Duration, limit: Duration, engine: &Engine) -> Result<(), Broken> {
        shutdown::judge_end(took, limit, engine)
    }

    /// Judges that there is nothing left to do, or that there is still time for it.
    ///
    /// # Errors
    ///
    /// [`Broken`] when events are pending after the time in which all should have ended.
    pub fn judge_liveness(
        &self,
        now: Timestamp,
        limit: Timestamp,
        roster: &Roster,
        engine: &Engine,
    ) -> Result<(), Broken> {
        liveness::judge(&self.book, now, limit, roster, engine)
    }

    /// Judges that with a channel that takes nothing, all that is pending is where it can wait.
    /// `held` are the tickets that are in the channel.
    ///
    /// # Errors
    ///
    /// [`Broken`] when something has not moved that could.
    pub fn judge_waiting(
        &self,
        now: Timestamp,
        held: &[Ticket],
        roster: &Roster,
        engine: &Engine,
    ) -> Result<(), Broken> {
        liveness::judge_waiting(&self.book, now, held, roster, engine)
    }

    /// Compares what clients were told with what is there.
    ///
    /// # Errors
    ///
    /// [`Broken`] when they were told something that is not true.
    pub fn audit(&self, now: Timestamp, roster: &Roster, engine: &Engine) -> Result<(), Broken> {
        self.ledger.audit(&self.book, now, roster, engine)?;
        match &self.journal {
            Some(journal) if journal.bounds_calls() => self.ledger.audit_calls(engine.config()),
            _ => Ok(()),
        }
    }
}

/// Only an opening raises the epoch.
fn judge_epoch(seen: &Seen<'_>, fact: &Fact) -> Result<(), Broken> {
    let is_epoch = matches!(fact.change, Change::Epoch(_));
    holds(!is_epoch || seen.said == Said::Open, || {
        Broken::new("runs", 4, format_args!("{:?} after {:?}", fact.change, seen.said))
    })
}
