//! The task of a node: it does what the membership decides, and reports it.

use core::future::{Future, pending};
use core::pin::Pin;
use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;

use eventful::engine::{Shard, ShardCount};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::config::MemberConfig;
use super::host::ShardHost;
use super::roster::Roster;
use super::status::SharedStatus;
use crate::link::{Link, now};
use crate::membership::{MemberAction, Membership, NotOpened, Round, RoundEnd, Timing};
use crate::opening::{FencedTerms, MemberClaim};
use crate::store::PostgresStore;

/// The time that the runs of a shard have to end when it is handed over. Those that take longer run again elsewhere.
const DRAIN: Duration = Duration::from_secs(10);

/// The longest sleep: timers do not reach the end of time.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

pub(super) struct Driver {
    config: MemberConfig,
    shards: u16,
    host: Arc<dyn ShardHost>,
    status: Arc<SharedStatus>,
    member: Membership,
    /// Absent while a round or another statement uses it.
    roster: Option<Roster>,
    terms: FencedTerms,
    works: JoinSet<ShardWork>,
    /// Tasks that close a shard: two when it is first handed over and then abandoned.
    closing: BTreeMap<u16, u32>,
    /// Shards to give up, once the roster is free.
    given_up: Vec<(u16, i64)>,
    start: Instant,
}

/// The end of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Left {
    /// All shards were given up.
    GaveUp,
    /// Another process has its identity. It has closed its shards, and must end.
    Superseded,
}

/// Work on a shard that was done.
enum ShardWork {
    Opened(u16, Result<i64, NotOpened>),
    Closed(u16),
}

/// Statements that have ended, with the roster that they used.
type Statements = Pin<Box<dyn Future<Output = (Roster, Option<(Round, RoundEnd)>)> + Send>>;

impl Driver {
    pub(super) fn new(config: MemberConfig, shards: u16, host: Arc<dyn ShardHost>, status: Arc<SharedStatus>) -> Self {
        let MemberConfig { database, node, url, lease, .. } = config.clone();
        let link = Link::new(database, lease);
        Self {
            member: Membership::new(node.clone(), shards, Timing::of(lease)),
            roster: Some(Roster { link, node, url }),
            config,
            shards,
            host,
            status,
            terms: FencedTerms::default(),
            works: JoinSet::new(),
            closing: BTreeMap::new(),
            given_up: Vec::new(),
            start: now(),
        }
    }

    fn now(&self) -> Duration {
        now() - self.start
    }

    /// Takes part in the cluster until it is asked to leave, and has, or is superseded.
    pub(super) async fn drive(mut self, leaving: Arc<Notify>) -> Left {
        let mut statements: Option<Statements> = None;
        loop {
            let time = self.now();
            self.note_terms(time);
            for action in self.member.decide(time) {
                self.act(action);
            }
            if statements.is_none() {
                statements = self.next_statements(time);
            }
            self.status.note(self.start, time, &self.member);
            let is_idle = self.works.is_empty() && statements.is_none();
            if is_idle && self.member.is_superseded() {
                tracing::error!("another process has the identity of this node: give each its own");
                return Left::Superseded;
            }
            if is_idle && self.member.has_left() {
                let beat = self.member.beat();
                if let (Some(mut roster), Some(beat)) = (self.roster.take(), beat) {
                    roster.leave(beat).await;
                }
                return Left::GaveUp;
            }
            let wake = self.start + self.member.wake_at().min(time + LONGEST_SLEEP);
            tokio::select! {
                biased;
                (roster, ended) = next(&mut statements) => {
                    statements = None;
                    self.roster = Some(roster);
                    if let Some((round, end)) = ended {
                        self.member.end(self.now(), round, end);
                    }
                }
                Some(work) = self.works.join_next() => match work {
                    Ok(work) => self.report(work),
                    Err(error) => self.end_of_host(error),
                },
                () = leaving.notified() => self.member.leave(self.now()),
                () = sleep_until(wake) => {}
            }
        }
    }

    /// An engine that opens its journal again by itself raises the term.
    fn note_terms(&mut self, now: Duration) {
        for shard in 0..self.shards {
            if let Some(term) = self.terms.of(Shard::new(shard)) {
                self.member.fenced_again(now, shard, term);
            }
        }
    }

    fn act(&mut self, action: MemberAction) {
        match action {
            MemberAction::Open { shard, dead } => {
                let MemberConfig { database, node, url, takes_one_copy, lease } = self.config.clone();
                if let Some(dead) = &dead {
                    tracing::warn!(shard, node = %dead.node, "the owner of a shard shows no life: this node takes it");
                }
                let claim = MemberClaim { url, dead, terms: self.terms.clone() };
                let store = PostgresStore::new(database, Shard::new(shard), node).lease(lease).claimed(claim);
                let store = if takes_one_copy { store.one_copy() } else { store };
                let store = match ShardCount::new(self.shards) {
                    Ok(shards) => store.of(Shard::new(shard), shards),
                    Err(_) => store,
                };
                self.open(shard, store);
            }
            MemberAction::HandOver { shard } => {
                tracing::info!(shard, "a shard is handed over");
                self.close(shard, DRAIN);
            }
            MemberAction::Abandon { shard } => {
                tracing::warn!(shard, "a shard is given up at once: its lease has ended, or another node has it");
                self.close(shard, Duration::ZERO);
            }
            MemberAction::GiveUp { shard, term } => self.given_up.push((shard, term)),
        }
    }

    fn open(&mut self, shard: u16, store: PostgresStore) {
        let (host, terms, before) = (Arc::clone(&self.host), self.terms.clone(), self.terms.of(Shard::new(shard)));
        self.works.spawn(async move {
            let opened = host.open(store).await;
            let fenced = terms.of(Shard::new(shard)).filter(|term| Some(*term) != before);
            ShardWork::Opened(
                shard,
                match (opened, fenced) {
                    (Ok(()), Some(term)) => {
                        tracing::info!(shard, term, "a shard is served");
                        Ok(term)
                    }
                    (Ok(()), None) => Err(NotOpened::Failed),
                    (Err(error), None) => {
                        tracing::debug!(shard, error, "a shard was not opened");
                        Err(NotOpened::InUse)
                    }
                    (Err(error), Some(_)) => {
                        tracing::error!(shard, error, "a shard cannot be opened, and is tried again");
                        Err(NotOpened::Failed)
                    }
                },
            )
        });
    }

    fn close(&mut self, shard: u16, within: Duration) {
        let host = Arc::clone(&self.host);
        *self.closing.entry(shard).or_default() += 1;
        self.works.spawn(async move {
            host.close(Shard::new(shard), within).await;
            ShardWork::Closed(shard)
        });
    }

    fn report(&mut self, work: ShardWork) {
        let now = self.now();
        match work {
            ShardWork::Opened(shard, opened) => self.member.opened(now, shard, opened),
            ShardWork::Closed(shard) => {
                let left = self.closing.get_mut(&shard).map_or(0, |left| {
                    *left -= 1;
                    *left
                });
                if left == 0 {
                    self.closing.remove(&shard);
                    self.member.closed(now, shard);
                }
            }
        }
    }

    /// The engines are the host's: after a panic of it nothing is known about them.
    fn end_of_host(&self, error: tokio::task::JoinError) {
        if error.is_panic() {
            std::panic::resume_unwind(error.into_panic());
        }
    }

    /// The next statements, if there are any: shards to give up, or a round.
    fn next_statements(&mut self, now: Duration) -> Option<Statements> {
        let mut roster = self.roster.take()?;
        if !self.given_up.is_empty() {
            let given_up = core::mem::take(&mut self.given_up);
            return Some(Box::pin(async move {
                for (shard, term) in given_up {
                    roster.give_up(shard, term).await;
                }
                (roster, None)
            }));
        }
        match self.member.begin(now) {
            Some(round) => Some(Box::pin(async move {
                let end = roster.run(&round).await;
                (roster, Some((round, end)))
            })),
            None => {
                self.roster = Some(roster);
                None
            }
        }
    }
}

/// The end of statements, when there are any.
async fn next(statements: &mut Option<Statements>) -> (Roster, Option<(Round, RoundEnd)>) {
    match statements {
        Some(statements) => statements.await,
        None => pending().await,
    }
}
