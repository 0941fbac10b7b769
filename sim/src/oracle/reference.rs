//! P1–P9: results, effects and facts of the engine are those of the reference model.
//!
//! One scenario in some is compared, from its opening in memory. An engine that is recovered from a journal is not:
//! facts do not determine the order of equals.

use std::fmt::{Debug, Display};

use eventful::{
    RecordView, Timestamp,
    engine::{Answer, Command, Engine},
};

use super::{CommandSummary, Observation};
use crate::failure::{Broken, holds};
use crate::spec::model::{Dropped, Model, ModelCounts, ModelResponse};

/// One in this many seeds is compared: the model searches lists, which takes about half as long as all the rest of a
/// step.
const ONE_OF: u64 = 8;

/// The reference model of an engine, with its results for the current command.
#[derive(Debug, Default)]
pub(super) struct Reference {
    model: Option<Model>,
    expected: Option<ModelResponse>,
}

impl Reference {
    /// Begins with an engine that was opened at `now`, without records.
    pub(super) fn open(&mut self, engine: &Engine, now: Timestamp) {
        let config = engine.config();
        let is_followed = config.seed.unwrap_or_default().is_multiple_of(ONE_OF);
        self.model = is_followed.then(|| Model::new(config.clone(), now));
    }

    /// Ends the comparison.
    pub(super) fn lose(&mut self) {
        *self = Self::default();
    }

    /// Executes a command in the model, before the engine does.
    pub(super) fn execute(&mut self, now: Timestamp, command: &Command) {
        self.expected = self.model.as_mut().map(|model| model.execute(now, command));
    }

    /// Checks a step.
    pub(super) fn judge(&mut self, seen: &Observation<'_>) -> Result<(), Broken> {
        let (Some(model), Some(expected)) = (&mut self.model, self.expected.take()) else { return Ok(()) };
        same(seen, "answer", seen.answer, &expected.answer)?;
        same(seen, "effects", seen.effects, &expected.effects[..])?;
        same(seen, "facts", seen.facts, &expected.facts[..])?;
        same(seen, "next deadline", &seen.deadline, &model.next_deadline())?;
        let dropped: Vec<_> = model.dropped.drain(..).collect();
        same(seen, "dropped events", &seen.dropped.iter().map(Dropped::from).collect(), &dropped)?;
        let gauges = [seen.gauges.line, seen.gauges.gated, seen.gauges.delayed, seen.gauges.inflight];
        let lengths =
            [model.line.len(), model.grouped.len() + model.gated.len(), model.delayed.len(), model.deadlines.len()];
        same(seen, "line, gated, delayed and in flight", &gauges, &lengths.map(|length| length as u64))
    }

    /// Checks the parts of the touched record that facts do not determine.
    pub(super) fn judge_touched(&self, seen: &Observation<'_>, view: &RecordView) -> Result<(), Broken> {
        let Some(model) = &self.model else { return Ok(()) };
        same(seen, "place", &view.place, &model.place(&view.key))?;
        let deadline = view.run.and_then(|run| model.deadline(run.id));
        same(seen, "deadline of the run", &view.run.map(|run| run.deadline), &deadline)
    }

    /// Checks the counters, at the end of a phase.
    pub(super) fn judge_phase(&self, engine: &Engine) -> Result<(), Broken> {
        let Some(model) = &self.model else { return Ok(()) };
        let (shown, counted) = (ModelCounts::of(&engine.metrics()), model.counts());
        holds(shown == counted, || broken(7, format_args!("the engine counts {shown:?}, the model {counted:?}")))
    }
}

fn same<T: PartialEq + Debug + ?Sized>(
    seen: &Observation<'_>,
    what: &str,
    engine: &T,
    model: &T,
) -> Result<(), Broken> {
    holds(engine == model, || {
        let what = format_args!("{what} of {:?}: the engine has {engine:?}, the model {model:?}", seen.said);
        broken(promise(seen), what)
    })
}

/// Returns the promise that a command is about.
const fn promise(seen: &Observation<'_>) -> u8 {
    match seen.said {
        CommandSummary::Submit { .. } if !matches!(seen.answer, Answer::Refused(_)) => 2,
        CommandSummary::SetSchedules | CommandSummary::Tick => 2,
        CommandSummary::Submit { .. }
        | CommandSummary::Reject(_)
        | CommandSummary::HoldExpiry
        | CommandSummary::ReleaseExpiry => 9,
        CommandSummary::Start(_) | CommandSummary::EnqueueFailed(..) | CommandSummary::ChannelLost => 3,
        CommandSummary::Settle(..) | CommandSummary::Heartbeat(_) => 4,
        CommandSummary::Sweep
        | CommandSummary::Redrive(_)
        | CommandSummary::Discard(_)
        | CommandSummary::Pause
        | CommandSummary::PauseGroup { .. }
        | CommandSummary::Resume
        | CommandSummary::Open => 1,
        CommandSummary::Shutdown | CommandSummary::AbortInflight => 6,
    }
}

fn broken(promise: u8, what: impl Display) -> Broken {
    Broken::new("reference", promise, what)
}
