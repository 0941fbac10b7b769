//! The start of an adapter: its engines, their tasks and their writers.

#[cfg(feature = "durable")]
use std::panic::resume_unwind;
#[cfg(feature = "durable")]
use std::string::ToString as _;
use std::sync::{Arc, PoisonError};
use std::vec::Vec;

use super::builder::{Builder, StartError};
use super::clock::SystemClock;
use super::dispatcher::dispatch;
#[cfg(feature = "durable")]
use super::driver::WriterDriver;
#[cfg(feature = "durable")]
use super::durability::{Durability, StartDurability, StoreSource, owner};
use super::ender::watch;
use super::handle::Eventful;
use super::handler::Handler;
use super::leader_runs::LeaderRuns;
#[cfg(feature = "durable")]
use super::recovering::{RecoveredShard, ShardJournal, recover_all};
use super::router::Router;
use super::shards::Shards;
use super::shared::{AdapterParts, JournalParts, Shared};
use super::supervisor::{SupervisedGuard, keep};
use super::sweeper::sweep;
use super::timeline::Timeline;
use super::worker::WorkerPool;
#[cfg(feature = "durable")]
use super::writer::{JournalSource, JournalWriter};
use crate::engine::{Config, Engine, InvalidConfig, Output, ShardCount, Timestamp};
#[cfg(feature = "durable")]
use crate::journal::FreeSpace;
#[cfg(feature = "durable")]
use crate::node::OpenedEngine;
use crate::node::{Node, Schedule, SupervisedTask};
use crate::sync::Handle;

/// The configuration of all shards together, and the part of each.
struct Plan {
    count: ShardCount,
    config: Config,
    parts: Vec<Config>,
}

/// A shard whose opening is durable, and whose writer is not driven yet.
#[cfg(feature = "durable")]
struct StartedShard {
    shared: Arc<Shared>,
    driver: WriterDriver,
    writer: JournalWriter,
}

impl Plan {
    fn new(count: ShardCount, config: Config) -> Result<Self, InvalidConfig> {
        let parts = count.shards().map(|shard| config.part(count, shard)).collect::<Result<_, _>>()?;
        Ok(Self { count, config, parts })
    }
}

impl Builder {
    /// Starts the engine on the current tokio runtime, whose time must be enabled unless a clock other than
    /// [`SystemClock`] is set. With a journal it blocks the thread until that is replayed; in async code use
    /// [`Builder::open`].
    ///
    /// # Errors
    ///
    /// [`StartError`]
    pub fn start(mut self, handler: impl Handler) -> Result<Eventful, StartError> {
        let runtime = Handle::try_current().map_err(|_| StartError::NoRuntime)?;
        let count = ShardCount::new(self.shards)?;
        let (config, typed) = self.route()?;
        let plan = Plan::new(count, config)?;
        let handler = Arc::new(Router::new(typed, handler));
        if handler.is_asked_beside_others() {
            return Err(StartError::AskedBesideOthers);
        }
        if handler.waits_to_be_asked() && plan.parts.len() > 1 {
            return Err(StartError::AskedOfShards(count));
        }
        if let Some(schedules) = &self.schedules {
            Schedule::validate_all(schedules, &plan.config)?;
            if !schedules.is_empty() && plan.parts.len() > 1 {
                return Err(StartError::SchedulesOfShards(count));
            }
        }
        // An option that needs another one is refused, because a progress that is never reported would look like a
        // hang.
        #[cfg(feature = "durable")]
        match self.journal.take() {
            Some((stores, durability)) => return self.start_durable(&runtime, plan, stores, durability, &handler),
            None if self.progress.is_some() => return Err(StartError::NoJournal),
            None => {}
        }
        let clock = self.take_clock();
        let Plan { count, config, parts } = plan;
        let mut engines = Vec::new();
        for part in parts {
            let mut out = Output::new();
            let clock = clock.split();
            let now = clock.now();
            let engine = Engine::new(part, now, &mut out)?;
            engines.push(self.share(
                &runtime,
                self.scheduled(now, Node::in_memory(now, engine, out)),
                (count, clock),
                JournalParts::default(),
            ));
        }
        let eventful = Eventful::new(Shards::new(engines, count, config));
        // After all that can fail, so that an error leaves no task behind.
        eventful.shards.all().for_each(|shared| spawn(&runtime, shared, &handler, self.is_idle));
        Ok(eventful)
    }

    /// Does what [`Builder::start`] does, with the journal read on a thread where it may block. If
    /// the future is dropped while it waits, the journal is read to its end and closed.
    ///
    /// # Errors
    ///
    /// [`StartError`]
    pub async fn open(self, handler: impl Handler) -> Result<Eventful, StartError> {
        #[cfg(feature = "durable")]
        if self.journal.as_ref().is_some_and(|(stores, _)| stores.blocks()) {
            // Recovery reads files: on a thread of the runtime it would hold up other tasks.
            let runtime = Handle::try_current().map_err(|_| StartError::NoRuntime)?;
            return match runtime.spawn_blocking(move || self.start(handler)).await {
                Ok(started) => started,
                // A panic in the store is passed on, as `start` would.
                Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
                Err(_) => Err(StartError::NoRuntime),
            };
        }
        self.start(handler)
    }

    #[cfg(feature = "durable")]
    fn start_durable(
        mut self,
        runtime: &Handle,
        plan: Plan,
        stores: StoreSource,
        durability: Durability,
        handler: &Arc<impl Handler>,
    ) -> Result<Eventful, StartError> {
        let Plan { count, config, parts } = plan;
        // Before a store is asked for: what cannot work is to leave no directory behind.
        let durabilities = count.shards().map(|shard| durability.part(count, shard)).collect::<Result<Vec<_>, _>>()?;
        let stores = stores.stores(count)?.ok_or(StartError::OneJournal(count))?;
        let journals = stores.into_iter().zip(parts).zip(durabilities);
        let journals: Vec<_> =
            journals.map(|((store, config), durability)| ShardJournal { store, config, durability }).collect();
        for journal in &journals {
            journal.durability.validate(&journal.config, &*journal.store)?;
        }
        let recovered = recover_all(journals, count, &owner(), self.progress.take())?;
        let clock = self.take_clock();
        // Before an engine is opened, because its first fact must not be older than the last one in a journal.
        recovered.iter().for_each(|shard| clock.start_at(shard.recovered.replay.summary().last));
        let recovery = recovered.iter().map(|shard| shard.summary()).reduce(|sum, shard| sum.with(&shard));
        let mut opened = Vec::new();
        for shard in recovered {
            opened.push(self.open_shard(runtime, shard, (count, clock.split()))?);
        }
        let engines = opened.iter().map(|shard| Arc::clone(&shard.shared)).collect();
        // From here on an error ends what has been started.
        let eventful = Eventful::new(Shards::new(engines, count, config).recovered(recovery));
        for StartedShard { shared, driver, writer } in opened {
            driver.drive(runtime, writer).map_err(|error| StartError::Thread(error.to_string()))?;
            spawn(runtime, &shared, handler, self.is_idle);
        }
        Ok(eventful)
    }

    /// Opens an engine, and makes that durable.
    #[cfg(feature = "durable")]
    fn open_shard(
        &self,
        runtime: &Handle,
        shard: RecoveredShard,
        (shards, clock): (ShardCount, Timeline),
    ) -> Result<StartedShard, StartError> {
        let RecoveredShard { journal: ShardJournal { store, durability, .. }, owner, recovered } = shard;
        let now = clock.now();
        let mut out = Output::with_facts();
        let (log, replay) = (recovered.log, recovered.replay);
        let engine = replay.open(now, &mut out);
        let (FreeSpace(room_bytes), frames) = (log.room(), log.next().previous().number());
        let opened = OpenedEngine { engine, out, room_bytes, frames };
        let node = self.scheduled(now, Node::with_journal(now, opened, durability.limits()));
        let driver = WriterDriver::new(store.blocks());
        let syncs_starts = durability.starts == StartDurability::Synced;
        let journal = JournalParts { notify: Some(driver.notify()), has_thread: store.blocks(), syncs_starts };
        let shared = self.share(runtime, node, (shards, clock), journal);
        let Durability { snapshot_after_bytes, reserve_bytes, .. } = durability;
        let source = JournalSource { store, owner, snapshot_after_bytes, reserve_bytes };
        // Before any task runs: the facts of the opening are the first group, and a store that fails here refuses the
        // start.
        let writer = JournalWriter::start(&shared, source, log)?;
        Ok(StartedShard { shared, driver, writer })
    }

    fn take_clock(&mut self) -> Timeline {
        Timeline::new(self.clock.take().unwrap_or_else(|| Arc::new(SystemClock::new())))
    }

    /// Returns the node of a shard with the schedules, which are those of one shard alone.
    fn scheduled(&self, now: Timestamp, mut node: Node) -> Node {
        if let Some(schedules) = &self.schedules {
            // A node that was opened just now is available.
            let _ = node.set_schedules(now, schedules.clone());
        }
        node
    }

    fn share(
        &self,
        runtime: &Handle,
        node: Node,
        (shards, clock): (ShardCount, Timeline),
        journal: JournalParts,
    ) -> Arc<Shared> {
        let Self { submit_timeout, probe, .. } = self;
        let (submit_timeout, node) = (*submit_timeout, node.probed(probe.clone()));
        Shared::new(AdapterParts {
            node,
            runtime: runtime.clone(),
            journal,
            clock,
            submit_timeout,
            shards,
            probe: probe.clone(),
        })
    }
}

fn spawn(runtime: &Handle, shared: &Arc<Shared>, handler: &Arc<impl Handler>, is_idle: bool) {
    let (shared, handler) = (Arc::clone(shared), Arc::clone(handler));
    if handler.waits_to_be_asked() {
        shared.write(|node, _| node.want_runs(0));
    }
    let pool = Arc::new(WorkerPool { shared: Arc::clone(&shared), handler, leader_runs: LeaderRuns::default() });
    let dispatcher = move || dispatch(Arc::clone(&pool), is_idle);
    let for_sweeper = Arc::clone(&shared);
    let sweeper = move || sweep(Arc::clone(&for_sweeper));
    let tasks = [
        runtime.spawn(keep(SupervisedGuard::new(&shared, SupervisedTask::Dispatcher), dispatcher)),
        runtime.spawn(keep(SupervisedGuard::new(&shared, SupervisedTask::Sweeper), sweeper)),
    ];
    // Kept to be aborted at the end: a task that hangs must not outlive the report.
    shared.tasks.lock().unwrap_or_else(PoisonError::into_inner).extend(tasks);
    watch(&shared);
}
