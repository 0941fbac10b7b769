//! P10: nothing is told before it is durable, and what comes back is what was appended.

use eventful::{Config, DurableState, Fact};

use super::Seen;
use crate::failure::{Broken, holds};
use crate::roster::Roster;
use crate::spec::Book;

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
    /// was known, whole, or not at all. Returns the book of these facts, how many they are, and whether
    /// that group is there, if there was one.
    pub(super) fn recover(
        &mut self,
        facts: &[Fact],
        found: &DurableState,
        config: &Config,
        roster: &Roster,
    ) -> Result<(Book, usize, Option<bool>), Broken> {
        let given = std::mem::take(&mut self.given);
        let (acknowledged, rest) = facts.split_at(self.acknowledged);
        let mut book = Book::new(config.clone());
        book.apply_all(acknowledged, roster)?;
        let Some(difference) = book.difference(found, roster) else {
            return Ok((book, self.acknowledged, (given > 0).then_some(false)));
        };
        book.apply_all(&rest[..given], roster)?;
        if given > 0 && book.difference(found, roster).is_none() {
            self.acknowledged += given;
            return Ok((book, self.acknowledged, Some(true)));
        }
        broken(format!("the journal does not give back what was acknowledged: {difference}"))
    }
}

/// Judges that this state is what the facts make.
pub(super) fn judge_state(book: &Book, state: &DurableState, roster: &Roster) -> Result<(), Broken> {
    match book.difference(state, roster) {
        None => Ok(()),
        Some(difference) => broken(format!("what is there is not what was decided: {difference}")),
    }
}

/// Judges what is there after an opening: a new epoch, and no run.
pub(super) fn judge_opening(book: &Book, seen: &Seen<'_>) -> Result<(), Broken> {
    let (engine, facts) = (Some(seen.engine.epoch()), book.epoch);
    holds(engine == facts, || {
        Broken::new(ORACLE, 10, format_args!("the engine is of epoch {engine:?}, its facts of {facts:?}"))
    })?;
    book.judge_opened()
}

fn broken<T>(what: String) -> Result<T, Broken> {
    Err(Broken::new(ORACLE, 10, what))
}
