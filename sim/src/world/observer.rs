//! The hooks of the node: show the oracles each command of the engine and each ticket that is sent, panic, and fill
//! the channel, as faults say.

use std::hash::Hash as _;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};

use eventful::node::{Action, Hooks, Point};
use eventful::{
    Event, Timestamp,
    engine::{
        Answer, Command, Engine, EnqueueFailure, ErrorText, Outcome, Output, Phase, Ticket,
        facts::{AttemptEnd, Change},
    },
};

use super::trace_recorder::TraceRecorder;
use crate::edge::Standing;
use crate::failure::Broken;
use crate::key_table::KeyTable;
use crate::oracle::{CommandSummary, Observation, Oracles, OutcomeSummary};
use crate::scenario::FaultKind;
use crate::spec::ReferenceRecord;
use crate::state_hash::StateHash;
use crate::tier::Probes;

/// The hooks of a simulation's nodes, one after the other.
#[derive(Debug)]
pub(super) struct NodeObserver {
    seen: Mutex<ObservedNodes>,
    /// Outside the lock, as it is read at each call and each ticket.
    switches: Switches,
    keeps_trace: bool,
    /// True if tickets may have to wait for the journal before they are sent.
    has_journal: bool,
}

/// Faults at the hook points of a node, and whether a hook was called.
#[derive(Debug, Default)]
pub(super) struct Switches {
    /// True if the engine executed a command, or something else has happened that has to be checked.
    has_acted: AtomicBool,
    /// True if no ticket gets into the channel.
    pub(super) is_full: AtomicBool,
    /// True if the next call that sends a ticket, or the next that takes one, panics.
    pub(super) panics: [AtomicBool; 2],
}

impl Switches {
    /// Notes that something has happened that has to be checked at the end of the call.
    pub(super) fn act(&self) {
        self.has_acted.store(true, Relaxed);
    }

    /// Returns whether anything has happened since the last call.
    pub(super) fn has_acted(&self) -> bool {
        let has_acted = self.has_acted.load(Relaxed);
        self.has_acted.store(false, Relaxed);
        has_acted
    }

    /// Returns whether a call may panic.
    pub(super) fn may_panic(&self) -> bool {
        self.panics.iter().any(|panics| panics.load(Relaxed))
    }

    /// Disarms all panics.
    pub(super) fn calm(&self) {
        self.panics.iter().for_each(|panics| panics.store(false, Relaxed));
    }
}

/// The state about a simulation's nodes that is tracked outside of them.
#[derive(Debug)]
pub(super) struct ObservedNodes {
    pub(super) key_table: Arc<KeyTable>,
    pub(super) oracles: Oracles,
    pub(super) probes: Probes,
    pub(super) trace: TraceRecorder,
    /// A hash over all commands and their output.
    pub(super) hash: StateHash,
    /// The number of commands so far.
    commands: u32,
    /// The number of outcomes that the engine was given.
    pub(super) settles: usize,
    /// The latest time that the engine was given.
    pub(super) latest: Timestamp,
    /// The engine's last result of a submission.
    pub(super) submitted: Option<Answer>,
    /// The number of forgotten failures that are still to be logged.
    pub(super) unlogged: usize,
    /// True if failed events keep new ones out, as was last logged.
    pub(super) is_full_of_failures: bool,
    /// The current command, and the state of engine and record before it.
    command: Option<(CommandSummary, Standing)>,
    /// The follow-ups with which the current command ends a run.
    then: Vec<Event>,
    /// The first promise that was broken.
    broken: Option<Broken>,
}

impl NodeObserver {
    pub(super) fn new(
        key_table: Arc<KeyTable>,
        oracles: Oracles,
        probes: Probes,
        trace: TraceRecorder,
        latest: Timestamp,
    ) -> Self {
        let (keeps_trace, has_journal) = (trace.trace.is_some(), oracles.journal.is_some());
        let seen = Mutex::new(ObservedNodes {
            key_table,
            oracles,
            probes,
            trace,
            hash: StateHash::default(),
            commands: 0,
            settles: 0,
            latest,
            submitted: None,
            unlogged: 0,
            is_full_of_failures: false,
            command: None,
            then: Vec::new(),
            broken: None,
        });
        Self { seen, switches: Switches::default(), keeps_trace, has_journal }
    }

    pub(super) const fn switches(&self) -> &Switches {
        &self.switches
    }

    /// Locks the state. The lock must not be held while the node is called, which takes it too.
    #[track_caller]
    pub(super) fn see(&self) -> MutexGuard<'_, ObservedNodes> {
        self.seen.try_lock().expect("one thread, which releases the lock before it calls the node")
    }
}

impl Hooks for NodeObserver {
    fn at(&self, point: Point) -> Action {
        let is_sent = point == Point::Enqueue;
        let panics = &self.switches.panics[usize::from(!is_sent)];
        if panics.load(Relaxed) {
            panics.store(false, Relaxed);
            return Action::Panic;
        }
        if is_sent && self.switches.is_full.load(Relaxed) { Action::Fail } else { Action::Continue }
    }

    fn before(&self, now: Timestamp, command: &Command, engine: &Engine) {
        let seen = &mut *self.see();
        let said = CommandSummary::of(command, &seen.key_table);
        seen.settles += usize::from(matches!(said, CommandSummary::Settle(..)));
        seen.oracles.expect(now, command);
        seen.then.clear();
        if let Command::Settle { outcome: Outcome::DoneWith { then }, .. } = command {
            seen.then.extend_from_slice(then);
        }
        seen.command = Some((said, seen.standing(said, now, engine)));
    }

    fn after(&self, now: Timestamp, answer: &Answer, out: &Output, engine: &Engine) {
        self.switches.act();
        self.see().judge(now, answer, out, engine);
    }

    fn wants_facts(&self) -> bool {
        true
    }

    fn sent(&self, ticket: Ticket, sent: Result<(), EnqueueFailure>) {
        self.switches.act();
        let seen = &mut *self.see();
        seen.trace.note_send(ticket, sent);
        let verdict = seen.oracles.judge_departure(ticket);
        seen.keep(verdict);
    }

    fn taken(&self, ticket: Ticket) {
        if !self.keeps_trace && !self.has_journal {
            return;
        }
        let seen = &mut *self.see();
        seen.trace.note_take(ticket);
        let verdict = seen.oracles.departures.judge_taken(ticket);
        seen.keep(verdict);
        self.switches.act();
    }
}

impl ObservedNodes {
    /// Returns the state of engine and record before a command.
    fn standing(&self, said: CommandSummary, now: Timestamp, engine: &Engine) -> Standing {
        let expected = &self.oracles.expected;
        let event = said.event().or_else(|| expected.of_run(said.run()?));
        let record = event.and_then(|event| expected.present(event, self.latest.max(now)));
        Standing { phase: engine.phase(), is_paused: engine.is_paused(), status: record.map(ReferenceRecord::status) }
    }

    fn judge(&mut self, now: Timestamp, answer: &Answer, out: &Output, engine: &Engine) {
        let Some((said, before)) = self.command.take() else { return };
        self.latest = self.latest.max(now);
        self.commands += 1;
        let gauges = engine.gauges();
        let seen = Observation {
            step: self.commands,
            now: self.latest,
            said,
            then: &self.then,
            answer,
            facts: out.facts(),
            effects: out.effects(),
            dropped: out.dropped().get(self.unlogged..).unwrap_or_default(),
            gauges: &gauges,
            deadline: engine.next_deadline(),
            holds_expiry: engine.holds_expiry(),
            engine,
            config: engine.config(),
            key_table: &self.key_table,
        };
        let verdict = self.oracles.judge(&seen).and_then(|()| self.oracles.judge_room(now, &seen));
        note_follow_ups(&mut self.probes, &seen);
        std::mem::discriminant(answer).hash(&mut self.hash);
        self.hash.word(out.facts().len() as u64);
        self.hash.word(gauges.gated << 48 ^ gauges.queued << 32 | gauges.line << 16 | gauges.delayed);
        out.effects().hash(&mut self.hash);
        // Holding expiry is the same in every state, and so counts as no edge.
        if said == CommandSummary::HoldExpiry {
            self.probes.fault(FaultKind::ExpiryHeld);
        } else if said != CommandSummary::ReleaseExpiry {
            self.probes.edge(before, &said, answer);
        }
        self.trace.note_command(&seen, &self.oracles.expected);
        self.oracles.keep(&seen);
        self.unlogged += seen.dropped.len();
        if matches!(said, CommandSummary::Submit { .. }) {
            self.submitted = Some(answer.clone());
        }
        self.keep(verdict);
    }

    /// Keeps the first broken promise.
    pub(super) fn keep(&mut self, verdict: Result<(), Broken>) {
        if let Err(broken) = verdict {
            self.broken.get_or_insert(broken);
        }
    }

    /// Returns the first broken promise, if there is one.
    pub(super) fn verdict(&mut self) -> Result<(), Broken> {
        self.broken.take().map_or(Ok(()), Err)
    }
}

impl ObservedNodes {
    /// Checks an engine that was opened from its journal.
    pub(super) fn judge_opening(&mut self, now: Timestamp, out: &Output, engine: &Engine) -> Result<(), Broken> {
        self.latest = now;
        let answer = Answer::Noted;
        let gauges = engine.gauges();
        let seen = Observation {
            step: self.commands,
            now,
            said: CommandSummary::Open,
            then: &[],
            answer: &answer,
            facts: out.facts(),
            effects: out.effects(),
            dropped: out.dropped(),
            gauges: &gauges,
            deadline: engine.next_deadline(),
            holds_expiry: engine.holds_expiry(),
            engine,
            config: engine.config(),
            key_table: &self.key_table,
        };
        let verdict = self.oracles.judge_opening(&seen);
        self.trace.note_command(&seen, &self.oracles.expected);
        self.oracles.keep(&seen);
        self.unlogged = out.dropped().len();
        verdict
    }
}

/// Counts the effects of a run that ends with follow-ups.
fn note_follow_ups(probes: &mut Probes, seen: &Observation<'_>) {
    let CommandSummary::Settle(_, OutcomeSummary::DoneWith { .. }) = seen.said else { return };
    let ended = seen.facts.iter().find_map(|fact| {
        if let Change::Finished { end, error, .. } = &fact.change { Some((*end, error.as_ref())) } else { None }
    });
    let accepted = seen.facts.iter().filter(|fact| matches!(fact.change, Change::Accepted(_))).count();
    let pending = seen.engine.gauges().pending() as usize;
    let conflicts =
        |error: Option<&ErrorText>| error.is_some_and(|error| error.as_str().starts_with("another payload"));
    let kinds = match ended {
        Some((AttemptEnd::Done, _)) => vec![
            (FaultKind::FollowUpsAccepted, accepted > 0),
            (FaultKind::FollowUpKnown, accepted < seen.then.len()),
            (FaultKind::FollowUpsPastBound, accepted > 1 && pending > seen.config.max_pending),
            (FaultKind::FollowUpsInShutdown, accepted > 0 && seen.engine.phase() == Phase::Draining),
        ],
        Some((AttemptEnd::Failed, error)) if conflicts(error) => vec![(FaultKind::FollowUpConflicts, true)],
        Some((AttemptEnd::Failed, _)) => vec![(FaultKind::FollowUpsTooMany, true)],
        Some((AttemptEnd::Snoozed, _)) => vec![(FaultKind::FollowUpsWait, true)],
        Some(_) | None => Vec::new(),
    };
    kinds.into_iter().filter(|(_, is_so)| *is_so).for_each(|(kind, _)| probes.fault(kind));
}
