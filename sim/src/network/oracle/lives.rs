//! Every fact of the engine follows from those before it, as the table of the design has it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use eventful::{
    AttemptEnd, Change, Charge, Config, Digest, Epoch, Fact, FactCounters, Key, Next, RunId, Status, Timestamp,
};

use super::{Verdict, holds};
use crate::failure::Broken;

/// The events of one engine, as its facts tell them.
#[derive(Debug)]
pub(in crate::network) struct Lives {
    config: Config,
    keys: BTreeMap<Key, Life>,
    last_run: Option<RunId>,
    last_at: Timestamp,
    /// When it was opened, and for how long no fact had been decided then.
    openings: Vec<(Timestamp, Duration)>,
    paused: bool,
    inflight: usize,
    counted: Counted,
    epoch: Option<Epoch>,
    /// What was counted when the engine was opened.
    before: Before,
    /// Runs whose handler was short of something of its process.
    short: BTreeSet<RunId>,
}

/// Facts from before an engine was opened, of which its histograms know nothing.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::network) struct Before {
    pub(in crate::network) started: u64,
    pub(in crate::network) finished: u64,
    pub(in crate::network) done: u64,
}

/// How often each kind of fact was there.
#[derive(Debug, Default)]
struct Counted {
    accepted: u64,
    redriven: u64,
    /// By status.
    forgotten: [u64; Status::ALL.len()],
    started: u64,
    finished: [u64; AttemptEnd::ALL.len()],
}

#[derive(Debug)]
struct Life {
    digest: Digest,
    stage: Stage,
    /// Starts in this life.
    starts: u32,
    /// What the event was charged with at last.
    charge: Charge,
    /// How often it got another life.
    redriven: u32,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Stage {
    Waiting { eligible_at: Timestamp },
    Processing(RunId),
    Completed(Timestamp),
    Failed(Timestamp),
    Discarded(Timestamp),
}

impl Lives {
    pub(in crate::network) fn new(config: Config) -> Self {
        Self {
            config,
            keys: BTreeMap::new(),
            last_run: None,
            last_at: Timestamp::EPOCH,
            openings: Vec::new(),
            paused: false,
            inflight: 0,
            epoch: None,
            before: Before::default(),
            short: BTreeSet::new(),
            counted: Counted::default(),
        }
    }

    /// The engine has decided this.
    pub(in crate::network) fn see(&mut self, fact: &Fact) -> Verdict {
        holds(self.last_at <= fact.at, || broken(7, "a fact is older than the one before it"))?;
        let idle = fact.at.since(std::mem::replace(&mut self.last_at, fact.at));
        match &fact.change {
            Change::Accepted(event) => self.accept(fact.at, event.key(), *event.digest()),
            Change::Started { key, run } => self.start(fact.at, key, *run),
            Change::Finished { key, run, end, next, charge, error } => {
                self.give_back(key, *run, *end, error.is_some())?;
                self.charge(key, *end, *charge)?;
                self.finish(fact.at, key, *run, *end, *next)
            }
            Change::Redriven(key) => self.redrive(fact.at, key),
            Change::Discarded(key) => self.discard(fact.at, key),
            Change::Forgotten(keys) => keys.iter().try_for_each(|key| self.forget(fact.at, key)),
            Change::Paused => self.pause(true),
            Change::Resumed => self.pause(false),
            Change::Epoch(epoch) => {
                self.openings.push((fact.at, idle));
                self.open(*epoch)
            }
        }
    }

    fn accept(&mut self, at: Timestamp, key: &Key, digest: Digest) -> Verdict {
        self.counted.accepted += 1;
        let life = Life {
            digest,
            stage: Stage::Waiting { eligible_at: at },
            starts: 0,
            charge: Charge::default(),
            redriven: 0,
        };
        let before = self.keys.insert(key.clone(), life);
        holds(before.is_none(), || broken(2, format_args!("{key} was accepted while its record was there")))
    }

    fn start(&mut self, at: Timestamp, key: &Key, run: RunId) -> Verdict {
        self.counted.started += 1;
        self.inflight += 1;
        let (inflight, limit) = (self.inflight, self.config.concurrency.get());
        holds(inflight <= limit, || broken(5, format_args!("{inflight} runs with a limit of {limit}")))?;
        holds(!self.paused, || broken(3, format_args!("{key} was started during a pause")))?;
        holds(self.last_run < Some(run), || broken(4, format_args!("{key} was started as {run}, which is not new")))?;
        self.last_run = Some(run);
        let most = self.config.max_attempts + self.config.max_snoozes + self.config.max_refunds;
        let life = self.life(key)?;
        let Stage::Waiting { eligible_at } = life.stage else {
            return Err(broken(4, format_args!("{key} was started in {:?}", life.stage)));
        };
        life.stage = Stage::Processing(run);
        life.starts += 1;
        let starts = life.starts;
        holds(eligible_at <= at, || broken(8, format_args!("{key} was started before {eligible_at}")))?;
        holds(starts <= most, || broken(8, format_args!("{key} was started {starts} times, {most} are allowed")))
    }

    /// The handler of this run was short of something of its process.
    pub(in crate::network) fn fall_short(&mut self, run: RunId) {
        self.short.insert(run);
    }

    /// A run that was short of something of its process costs no attempt while it may be given back, and the
    /// reason is kept.
    fn give_back(&mut self, key: &Key, run: RunId, end: AttemptEnd, has_reason: bool) -> Verdict {
        if !self.short.remove(&run) {
            return Ok(());
        }
        let (snoozes, most) = (self.life(key)?.charge.snoozes, self.config.max_snoozes);
        let is_charged = matches!(end, AttemptEnd::Retry | AttemptEnd::Failed);
        holds(has_reason && (!is_charged || snoozes >= most), || {
            let reason = if has_reason { "with" } else { "without" };
            broken(
                8,
                format_args!(
                    "{key} ends {end} {reason} its reason for want of a descriptor, {snoozes} were given back"
                ),
            )
        })
    }

    /// Every start is charged, unless it was given back for the one reason or the other.
    fn charge(&mut self, key: &Key, end: AttemptEnd, charge: Charge) -> Verdict {
        let Config { max_attempts, max_snoozes, max_refunds, .. } = self.config;
        let life = self.life(key)?;
        let bounded = charge.charged <= max_attempts && charge.snoozes <= max_snoozes && charge.refunds <= max_refunds;
        let whole = charge.charged + charge.snoozes + charge.refunds == life.starts;
        let snoozed = charge.snoozes == life.charge.snoozes || end == AttemptEnd::Snoozed;
        let refunded = charge.refunds == life.charge.refunds || end == AttemptEnd::Interrupted;
        let (starts, before) = (life.starts, std::mem::replace(&mut life.charge, charge));
        holds(bounded && whole && snoozed && refunded, || {
            broken(8, format_args!("{key} is charged {charge:?} after {starts} starts, the last one {end}: {before:?}"))
        })
    }

    /// The engine is opened. Its epoch is new.
    fn open(&mut self, epoch: Epoch) -> Verdict {
        let counted = &self.counted;
        self.before = Before {
            started: counted.started,
            finished: counted.finished.iter().sum(),
            done: counted.finished[AttemptEnd::Done as usize],
        };
        let before = self.epoch.replace(epoch);
        holds(before < Some(epoch), || broken(4, format_args!("an engine is opened as {epoch:?}, after {before:?}")))
    }

    /// The engine was opened, and all facts of that are there: no run is left open.
    pub(in crate::network) fn opened(&self) -> Verdict {
        let open = self.keys.iter().find(|(_, life)| matches!(life.stage, Stage::Processing(_)));
        holds(open.is_none(), || broken(4, format_args!("the engine was opened, and goes on with {open:?}")))
    }

    /// What was counted before the engine was opened.
    pub(in crate::network) const fn before(&self) -> Before {
        self.before
    }

    /// Whether this is the run of the event, now.
    pub(in crate::network) fn is_run_of(&self, key: &Key, run: RunId) -> bool {
        self.keys.get(key).is_some_and(|life| life.stage == Stage::Processing(run))
    }

    /// Whether the event was ended by an operator.
    pub(in crate::network) fn is_discarded(&self, key: &Key) -> bool {
        self.keys.get(key).is_some_and(|life| matches!(life.stage, Stage::Discarded(_)))
    }

    /// Whether the event was completed.
    pub(in crate::network) fn is_completed(&self, key: &Key) -> bool {
        self.keys.get(key).is_some_and(|life| matches!(life.stage, Stage::Completed(_)))
    }

    /// Whether the event got another life.
    pub(in crate::network) fn is_redriven(&self, key: &Key) -> bool {
        self.keys.get(key).is_some_and(|life| life.redriven > 0)
    }

    fn finish(&mut self, at: Timestamp, key: &Key, run: RunId, end: AttemptEnd, next: Next) -> Verdict {
        self.counted.finished[end as usize] += 1;
        self.inflight = self.inflight.saturating_sub(1);
        let life = self.life(key)?;
        let current = life.stage == Stage::Processing(run);
        holds(current, || broken(4, format_args!("{run} of {key} has ended, in {:?}", life.stage)))?;
        life.stage = match next {
            Next::Completed => Stage::Completed(at),
            Next::Failed => Stage::Failed(at),
            Next::Retry { eligible_at } => Stage::Waiting { eligible_at },
        };
        let fits = (end == AttemptEnd::Done) == (next == Next::Completed);
        holds(fits, || broken(4, format_args!("{run} of {key} has ended {end}, and then {next:?}")))
    }

    fn redrive(&mut self, at: Timestamp, key: &Key) -> Verdict {
        self.counted.redriven += 1;
        let life = self.life(key)?;
        let failed = matches!(life.stage, Stage::Failed(_));
        holds(failed, || broken(4, format_args!("{key} was redriven in {:?}", life.stage)))?;
        life.stage = Stage::Waiting { eligible_at: at };
        (life.starts, life.charge) = (0, Charge::default());
        life.redriven += 1;
        Ok(())
    }

    fn discard(&mut self, at: Timestamp, key: &Key) -> Verdict {
        let life = self.life(key)?;
        let stage = std::mem::replace(&mut life.stage, Stage::Discarded(at));
        if let Stage::Processing(_) = stage {
            self.inflight = self.inflight.saturating_sub(1);
            self.counted.finished[AttemptEnd::Discarded as usize] += 1;
        }
        let may = !matches!(stage, Stage::Completed(_) | Stage::Discarded(_));
        holds(may, || broken(4, format_args!("{key} was discarded in {stage:?}")))
    }

    fn forget(&mut self, at: Timestamp, key: &Key) -> Verdict {
        let stage = self.life(key)?.stage;
        self.counted.forgotten[stage.status() as usize] += 1;
        self.keys.remove(key);
        let kept = self.forgets_at(stage).is_some_and(|end| end <= at);
        holds(kept, || broken(2, format_args!("{key} was forgotten before its retention was over")))
    }

    fn pause(&mut self, paused: bool) -> Verdict {
        let changed = self.paused != paused;
        self.paused = paused;
        holds(changed, || broken(4, "a pause, or the end of one, was decided twice"))
    }

    fn life(&mut self, key: &Key) -> Result<&mut Life, Broken> {
        self.keys.get_mut(key).ok_or_else(|| broken(1, format_args!("{key} has a fact, and was never accepted")))
    }

    /// Whether the record of this key may be gone for those who ask: its retention is over.
    pub(in crate::network) fn may_be_gone(&self, now: Timestamp, key: &Key) -> bool {
        let life = self.keys.get(key);
        life.is_none_or(|life| self.forgets_at(life.stage).is_some_and(|end| end <= now))
    }

    /// When a record is forgotten that ended like this: the time between the last fact before an
    /// opening and that does not count. A failed event may be kept for ever.
    fn forgets_at(&self, stage: Stage) -> Option<Timestamp> {
        let (ended, retention) = match stage {
            Stage::Waiting { .. } | Stage::Processing(_) => return None,
            Stage::Failed(at) => (at, self.config.failed_retention?),
            Stage::Completed(at) | Stage::Discarded(at) => (at, self.config.retention),
        };
        let since = self.openings.iter().filter(|(opened, _)| *opened > ended);
        Some(ended + retention + since.map(|(_, idle)| *idle).sum::<Duration>())
    }

    /// The digest that was accepted.
    pub(in crate::network) fn digest(&self, key: &Key) -> Option<Digest> {
        self.keys.get(key).map(|life| life.digest)
    }

    /// The engine has counted the same facts.
    pub(in crate::network) fn agree(&self, facts: &FactCounters) -> Verdict {
        let Counted { accepted, redriven, forgotten, started, finished } = &self.counted;
        let ours = ([*accepted, *redriven, *started], *forgotten);
        let forgotten = Status::ALL.map(|status| facts.forgotten(status));
        let theirs = ([facts.accepted, facts.redriven, facts.started], forgotten);
        holds(ours == theirs, || broken(7, format_args!("the facts make {ours:?}, the counters say {theirs:?}")))?;
        let theirs = AttemptEnd::ALL.map(|end| facts.finished(end));
        holds(*finished == theirs, || broken(7, format_args!("runs ended {finished:?}, the counters say {theirs:?}")))
    }
}

impl Stage {
    const fn status(self) -> Status {
        match self {
            Self::Waiting { .. } => Status::Received,
            Self::Processing(_) => Status::Processing,
            Self::Completed(_) => Status::Completed,
            Self::Failed(_) => Status::Failed,
            Self::Discarded(_) => Status::Discarded,
        }
    }
}

fn broken(promise: u8, what: impl std::fmt::Display) -> Broken {
    Broken::new("lives", promise, what)
}
