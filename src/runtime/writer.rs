//! Writes groups of facts to the journal, one after the other, and opens it again when it fails.
//!
//! There is no timer for groups: what was decided while one is written is the next one.

use core::any::Any;
use core::time::Duration;
use std::boxed::Box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::string::ToString;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::vec::Vec;

use super::locked::Core;
use super::shared::Shared;
use super::subscribe::publish;
use crate::engine::{Fact, Output, Replay, Timestamp};
use crate::journal::{
    JournalStore, Log, MaintainError, Maintained, OpenError, Owner, Recovered, Room, Sequence, WriteError, recover,
};

/// A journal that has nothing to write for so long is sealed.
const SEAL_AFTER: Duration = Duration::from_millis(50);

/// Facts that one hold of the lock compares with what is waited for.
const WATCHED_PART: usize = 4096;

/// Facts for which memory is kept from one group to the next.
const SPARE_FACTS: usize = 8192;

/// The time between tries to open a journal again.
const REOPEN_AFTER: Duration = Duration::from_secs(1);

/// The time between looks how much room there is, and whether the journal is there: half of the
/// second within which readiness says so.
const LOOK_AFTER: Duration = Duration::from_millis(500);

/// Who writes to the journal.
pub(super) struct JournalWriter {
    pub(super) shared: Arc<Shared>,
    source: Source,
    /// Absent between a failure and the next opening.
    log: Option<Log>,
    /// The group being written. It stays here while there is no room for it.
    facts: Vec<Fact>,
    /// Why the group is not written yet, when the journal has refused it.
    held_by: Option<WriteError>,
    /// What the last look at the journal found.
    found: Found,
    /// Something was appended since the journal was sealed.
    unsealed: bool,
    /// The frame after the last one that is durable.
    durable_end: Sequence,
    /// How often it was opened since something was last durable.
    openings_in_vain: u32,
}

/// Where the journal comes from.
pub(super) struct Source {
    pub(super) store: Box<dyn JournalStore>,
    pub(super) owner: Owner,
    pub(super) snapshot_after_bytes: u64,
    pub(super) reserve_bytes: u64,
}

/// What came of writing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wrote {
    Group,
    Nothing,
    /// There is a group, and the journal has no room for it or is not there.
    NotYet,
}

/// What a look at the journal found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Found {
    #[default]
    Room,
    /// An event may be refused as there is no room for it.
    Short,
    /// The journal is not there.
    Unreachable,
}

/// What the writer does next.
pub(super) enum Next {
    Go,
    /// Wait for the bell, at most so long.
    Wait(Option<Duration>),
    End,
}

impl JournalWriter {
    /// Makes the opening of the engine durable.
    ///
    /// # Errors
    ///
    /// [`WriteError`]
    pub(super) fn start(shared: &Arc<Shared>, source: Source, mut log: Log) -> Result<Self, WriteError> {
        log.reserve(source.reserve_bytes);
        warn_of_damaged(&mut log);
        let (shared, durable_end) = (Arc::clone(shared), log.next());
        let (log, facts, openings_in_vain) = (Some(log), Vec::new(), 0);
        let (unsealed, held_by, found) = Default::default();
        let mut writer = Self { shared, source, log, facts, held_by, found, unsealed, durable_end, openings_in_vain };
        writer.write()?;
        writer.held_by.take().map_or(Ok(writer), Err)
    }

    /// Writes one group, if there is one.
    fn write(&mut self) -> Result<Wrote, WriteError> {
        let Some(log) = &mut self.log else { return Ok(Wrote::Nothing) };
        if self.facts.is_empty() && !self.shared.repair(|core, _| core.commits.begin(&mut self.facts)) {
            return Ok(Wrote::Nothing);
        }
        match log.append(&self.facts) {
            Ok(()) => (self.unsealed, self.durable_end, self.openings_in_vain) = (true, log.next(), 0),
            // Nothing was written, so nothing is unknown: it is tried again.
            Err(error @ (WriteError::Full | WriteError::Unreachable { .. })) => {
                self.held_by = Some(error);
                return Ok(Wrote::NotYet);
            }
            Err(error) => return Err(error),
        }
        self.held_by = None;
        self.shared.finish_group(&self.facts, log.room());
        self.drop_facts();
        Ok(Wrote::Group)
    }

    /// They hold payloads, so they are dropped at once, and not under the lock.
    fn drop_facts(&mut self) {
        self.facts.clear();
        self.facts.shrink_to(SPARE_FACTS);
    }

    /// Looks how much room there is, and whether the journal is there. Nothing but this tells that others
    /// have taken some, or made some. Answers whether to look again.
    fn look_for_room(&mut self) -> bool {
        let Some(log) = &self.log else { return false };
        let (Room(room), reached) = (log.room(), log.reach());
        if reached.is_ok() && Room(room) == Room::UNBOUNDED && self.found == Found::Room {
            return self.held_by.is_some();
        }
        let is_short = self.shared.measure(Room(room), reached.is_ok(), self.shared.config.max_event_bytes);
        let found = match (&reached, is_short) {
            (Err(_), _) => Found::Unreachable,
            (Ok(()), true) => Found::Short,
            (Ok(()), false) => Found::Room,
        };
        if core::mem::replace(&mut self.found, found) != found {
            self.log_found(room, &reached);
        }
        true
    }

    fn log_found(&self, room: u64, reached: &Result<(), WriteError>) {
        let reserve = self.source.reserve_bytes;
        match (reached, self.found) {
            (Err(error), _) => tracing::error!(
                %error,
                "the journal is not reachable: until it is, nothing is written, new events are refused, and what \
                 waits is kept"
            ),
            (Ok(()), Found::Short) => tracing::warn!(
                room,
                reserve,
                "the disk of the journal is nearly full: until there is more room than the reserve, new events are \
                 refused and outcomes are still recorded"
            ),
            (Ok(()), Found::Room | Found::Unreachable) => {
                tracing::info!(room, reserve, "there is room for new events again");
            }
        }
    }

    /// Does the next thing. `quiet` says that the last wait was not ended by the bell.
    pub(super) fn step(&mut self, quiet: bool) -> Next {
        self.shared.writer.busy_since.store(self.shared.now().as_micros(), Ordering::Release);
        // A panic leaves the log in an unknown state, and it is dropped.
        let stepped = catch_unwind(AssertUnwindSafe(|| self.try_step(quiet)));
        let next = stepped.unwrap_or_else(|panic| Err(panicked(&*panic))).unwrap_or_else(|error| self.fail(&error));
        self.shared.writer.busy_since.store(0, Ordering::Release);
        next
    }

    fn try_step(&mut self, quiet: bool) -> Result<Next, WriteError> {
        if self.log.is_none() {
            // An opening that brought nothing is not tried again at once: perhaps the disk is full.
            let pauses = self.openings_in_vain > 0 && !quiet && self.shared.ending().is_none();
            return Ok(if pauses { Next::Wait(Some(REOPEN_AFTER)) } else { self.reopen() });
        }
        let wrote = self.write()?;
        if wrote != Wrote::Group && self.shared.end.stopped.is_open() {
            // A snapshot that is under way is made anew after the next opening.
            self.seal()?;
            return Ok(if wrote == Wrote::NotYet { self.end_without_last_group() } else { Next::End });
        }
        // Nothing can be written to a journal that is not there, so no snapshot is tried in vain.
        let maintained = self.found != Found::Unreachable && self.maintain()?;
        if maintained || wrote == Wrote::Group {
            return Ok(Next::Go);
        }
        if quiet {
            self.seal()?;
        }
        let looks = self.look_for_room();
        Ok(Next::Wait(if self.unsealed { Some(SEAL_AFTER) } else { looks.then_some(LOOK_AFTER) }))
    }

    /// The engine has stopped, and the journal has not taken its last group.
    fn end_without_last_group(&mut self) -> Next {
        let facts = self.shared.give_up();
        let why = self.held_by.as_ref().map(ToString::to_string);
        tracing::error!(facts, why, "the journal does not hold the last facts: mend it before the next start");
        self.stay_down()
    }

    /// Makes a small step towards a snapshot. Answers whether there is more to do.
    fn maintain(&mut self) -> Result<bool, WriteError> {
        let Some(log) = &mut self.log else { return Ok(false) };
        let maintained = log.maintain(&|| self.shared.last_look(|core| core.engine.gauges()));
        warn_of_damaged(log);
        match maintained {
            Ok(Maintained::Nothing) => Ok(false),
            Ok(Maintained::More) => Ok(true),
            Ok(Maintained::Snapshot(before)) => {
                tracing::info!(%before, "a snapshot stands for the frames before this one");
                Ok(true)
            }
            Err(MaintainError::Write(error @ (WriteError::Unknown { .. } | WriteError::Fenced))) => Err(error),
            Err(error) => {
                tracing::warn!(%error, "no snapshot was made, the journal goes on without; it will be tried again");
                // What was written of it is removed with the next seal.
                self.unsealed = true;
                Ok(false)
            }
        }
    }

    fn seal(&mut self) -> Result<(), WriteError> {
        if core::mem::take(&mut self.unsealed)
            && let Some(log) = &mut self.log
        {
            match log.seal() {
                // Sealed or not, all that was acknowledged is there.
                Ok(()) | Err(WriteError::Full | WriteError::Unreachable { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Gives up the engine: what it knows and the journal may not is not to be trusted.
    fn fail(&mut self, error: &WriteError) -> Next {
        (self.log, self.held_by) = (None, None);
        self.drop_facts();
        let facts = self.shared.give_up();
        tracing::error!(%error, facts, "the journal has failed; what was not durable is unknown");
        if *error == WriteError::Fenced {
            return self.stay_down();
        }
        Next::Go
    }

    fn reopen(&mut self) -> Next {
        if self.shared.ending().is_some() {
            return self.stay_down();
        }
        let Source { store, owner, snapshot_after_bytes, reserve_bytes } = &mut self.source;
        match recover(&mut **store, owner, &self.shared.config, *snapshot_after_bytes, &mut |_| {}) {
            Ok(Recovered { log, .. }) if log.next() < self.durable_end => {
                let (found, wanted) = (log.next(), self.durable_end);
                tracing::error!(%found, %wanted, "the journal has lost frames that were durable: was it removed?");
                self.stay_down()
            }
            Ok(Recovered { mut log, replay }) => {
                warn_of_damaged(&mut log);
                self.openings_in_vain += 1;
                log.reserve(*reserve_bytes);
                self.shared.install(replay, log.room());
                self.log = Some(log);
                tracing::info!("the journal was opened again");
                Next::Go
            }
            Err(error @ (OpenError::InUse { .. } | OpenError::Io { .. })) => {
                tracing::error!(%error, "the journal cannot be opened again; it will be tried again");
                self.openings_in_vain += 1;
                Next::Wait(Some(REOPEN_AFTER))
            }
            Err(error) => {
                tracing::error!(%error, "the journal cannot be opened again");
                self.stay_down()
            }
        }
    }

    fn stay_down(&self) -> Next {
        self.shared.last_look(|core| core.commits.stay_down());
        self.shared.ring_all();
        Next::End
    }
}

/// Says which snapshots were passed over.
fn warn_of_damaged(log: &mut Log) {
    for error in log.drain_damaged() {
        tracing::warn!(%error, "a snapshot is damaged, and an older one is used: check the disk");
    }
}

/// Whatever ends the writer, nobody waits for it for ever.
impl Drop for JournalWriter {
    fn drop(&mut self) {
        if !self.shared.end.stopped.is_open() {
            self.shared.give_up();
            self.stay_down();
        }
        // Closed before that is told.
        self.log = None;
        self.shared.writer.closed.open();
    }
}

fn panicked(panic: &(dyn Any + Send)) -> WriteError {
    let text = panic.downcast_ref::<std::string::String>().map(|text| text.as_str());
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
    WriteError::Unknown { cause: std::format!("the journal panicked: {text}") }
}

impl Shared {
    /// A group is durable: its tickets leave, its readers read, and whoever waits for it goes on.
    fn finish_group(&self, facts: &[Fact], room: Room) {
        let ((mark, readers), mut wakes, is_watched) =
            self.repair(|core, now| (core.finish_group(now, room), core.wakes(now), core.watches.any()));
        // Only this thread publishes what a journal has, so groups stay in order without the lock.
        let dropped = publish(&readers, facts);
        wakes.readers.extend(readers);
        for part in facts.chunks(WATCHED_PART).filter(|_| is_watched) {
            self.last_look(|core| core.watches.take(part, &mut wakes.ends));
        }
        if dropped > 0 {
            self.last_look(|core| core.subscribers.dropped += dropped);
        }
        self.synced.reach(mark);
        self.wake(wakes);
    }

    /// Says how much room there is, and whether the journal is there, and lets those in who wait for that.
    /// Answers whether there is too little for an event of this size.
    fn measure(&self, room: Room, is_reachable: bool, size_bytes: usize) -> bool {
        let (is_short, wakes) = self.repair(|core, now| {
            core.commits.measure(room, is_reachable);
            let is_short = core.commits.room().is_some_and(|room| room < size_bytes as u64);
            (is_short, core.wakes(now))
        });
        self.wake(wakes);
        is_short
    }

    /// Gives up the engine and everything that is not durable. Answers how many facts that were.
    fn give_up(&self) -> usize {
        let ((after, up_to, facts), wakes) = self.repair(|core, now| {
            let lost = core.give_up(now);
            (lost, core.wakes(now))
        });
        self.synced.lose(after, up_to);
        self.wake(wakes);
        self.ring_all();
        facts
    }

    /// Puts the engine that the journal gives back in the place of the one that was given up.
    fn install(&self, replay: Replay, room: Room) {
        // Another process may have written meanwhile, with a clock of its own.
        self.clock.start_at(replay.summary().last);
        let before = self.last_look(|core| core.engine.metrics());
        let mut out = Output::with_facts();
        // Both the opening and the drop take their time with many records, and need no lock.
        let engine = replay.open_instead(self.clock.now(), before, &mut out);
        let (wakes, before) = self.repair(|core, now| {
            let before = core.install(now, engine, out, room);
            // One asked for while there was no engine is for this one.
            core.end_engine(now);
            (core.wakes(now), before)
        });
        drop(before);
        self.writer.reopenings.fetch_add(1, Ordering::AcqRel);
        self.wake(wakes);
        self.ring_all();
    }

    /// Changes a core whatever its condition.
    fn repair<T>(&self, repair: impl FnOnce(&mut Core, Timestamp) -> T) -> T {
        self.last_look(|core| repair(core, self.clock.now()))
    }
}
