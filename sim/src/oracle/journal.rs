//! P10: nothing is told before it is durable, and what comes back is what was appended.

use eventful::{Config, DurableState, Fact, Replay};

use super::{Book, Seen};
use crate::failure::Broken;

const ORACLE: &str = "journal";

/// What the journal has of the facts, as its answers say. Facts are counted in the order of their
/// decision.
#[derive(Debug)]
pub(crate) struct Kept {
    /// So many were acknowledged.
    acknowledged: usize,
    /// So many more were given to it, and nothing is known of them.
    given: usize,
    relaxed_starts: bool,
}

impl Kept {
    pub(super) const fn new(acknowledged: usize, relaxed_starts: bool) -> Self {
        Self { acknowledged, given: 0, relaxed_starts }
    }

    /// Whether no handler is called that is not charged for good.
    pub(super) const fn bounds_calls(&self) -> bool {
        !self.relaxed_starts
    }

    /// The next group is given to the journal.
    pub(crate) const fn give(&mut self, facts: usize) {
        self.given = facts;
    }

    /// The journal says that the group is durable.
    pub(crate) const fn acknowledge(&mut self) {
        self.acknowledged += self.given;
        self.given = 0;
    }

    /// The journal says that nothing of the group was written.
    pub(crate) const fn refuse(&mut self) {
        self.given = 0;
    }

    /// Judges that what was decided as one of the first `decided` facts may be told.
    pub(crate) fn judge_told(&self, what: &str, decided: usize) -> Result<(), Broken> {
        match decided <= self.acknowledged {
            true => Ok(()),
            false => broken(format!(
                "{what} follows from fact {decided}, but the journal has acknowledged only {}",
                self.acknowledged
            )),
        }
    }

    /// Judges that a handler may be called whose run was started by one of the first `decided` facts.
    pub(crate) fn judge_call(&self, decided: usize) -> Result<(), Broken> {
        match self.relaxed_starts {
            true => Ok(()),
            false => self.judge_told("a call of a handler", decided),
        }
    }

    /// What is in the journal are the facts that were acknowledged, and the group of which nothing
    /// was known, whole, or not at all. Answers how many facts that is, and whether that group is
    /// there, if there was one.
    pub(super) fn recover(
        &mut self,
        facts: &[Fact],
        found: &DurableState,
        config: &Config,
    ) -> Result<(usize, Option<bool>), Broken> {
        let (acknowledged, given) = (self.acknowledged, std::mem::take(&mut self.given));
        let without = state_of(&facts[..acknowledged], config)?;
        if without == *found {
            return Ok((acknowledged, (given > 0).then_some(false)));
        }
        if given > 0 && state_of(&facts[..acknowledged + given], config)? == *found {
            self.acknowledged += given;
            return Ok((self.acknowledged, Some(true)));
        }
        same_state(found, &without).map(|()| (acknowledged, None))
    }
}

fn state_of(facts: &[Fact], config: &Config) -> Result<DurableState, Broken> {
    let replayed = Replay::new(config.clone()).map_err(|error| Broken::new(ORACLE, 10, error))?;
    let applied = facts.iter().try_fold(replayed, |mut replay, fact| replay.apply(fact).map(|()| replay));
    applied.map(|replay| replay.state()).map_err(|error| Broken::new(ORACLE, 10, error))
}

/// Judges that the journal gives back this state.
pub(crate) fn same_state(found: &DurableState, expected: &DurableState) -> Result<(), Broken> {
    if found == expected {
        return Ok(());
    }
    let lost = expected.records.iter().find(|record| !found.records.contains(record));
    let strange = found.records.iter().find(|record| !expected.records.contains(record));
    broken(match (lost, strange) {
        (None, None) => format!(
            "the journal gives back {:?}, epoch {:?}, and not {:?}, epoch {:?}",
            found.counters, found.epoch, expected.counters, expected.epoch
        ),
        (lost, strange) => format!("the journal gives back {strange:?}, and not {lost:?}"),
    })
}

/// Judges what is there after an opening: a new epoch, no run, and a count of all that ever was.
pub(super) fn judge_opening(book: &Book, seen: &Seen<'_>) -> Result<(), Broken> {
    if book.epoch != seen.engine.epoch() {
        return broken(format!("the engine is of epoch {:?}, its facts of {:?}", seen.engine.epoch(), book.epoch));
    }
    match book.inflight.first() {
        None => Ok(()),
        Some((run, event)) => broken(format!("run {run} of event {event} is in flight in an engine just opened")),
    }
}

fn broken<T>(what: String) -> Result<T, Broken> {
    Err(Broken::new(ORACLE, 10, what))
}
