//! Writes groups of facts to the journal, one after the other, and opens it again when it fails.
//!
//! There is no timer for groups: what was decided while one is written is the next one.

use core::any::Any;
use core::time::Duration;
use std::boxed::Box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::vec::Vec;

use super::locked::Core;
use super::shared::Shared;
use crate::engine::{Command, Fact, Replay, Timestamp};
use crate::journal::{
    JournalStore, Log, MaintainError, Maintained, OpenError, Owner, Recovered, Room, Sequence, WriteError, recover,
};

/// A journal that has nothing to write for so long is sealed.
const SEAL_AFTER: Duration = Duration::from_millis(50);

/// Facts for which memory is kept from one group to the next.
const SPARE_FACTS: usize = 8192;

/// The time between tries to open a journal again.
const REOPEN_AFTER: Duration = Duration::from_secs(1);

/// The time between looks whether there is room again.
const LOOK_AFTER: Duration = Duration::from_secs(1);

/// Who writes to the journal.
pub(super) struct JournalWriter {
    pub(super) shared: Arc<Shared>,
    source: Source,
    /// Absent between a failure and the next opening.
    log: Option<Log>,
    /// The group being written. It stays here while there is no room for it.
    facts: Vec<Fact>,
    /// An event may be refused as there is no room for it.
    is_short: bool,
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
    /// There is a group, and no room for it.
    NoRoom,
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
        let (shared, durable_end) = (Arc::clone(shared), log.next());
        let (log, facts, openings_in_vain) = (Some(log), Vec::new(), 0);
        let (unsealed, is_short) = Default::default();
        let mut writer = Self { shared, source, log, facts, is_short, unsealed, durable_end, openings_in_vain };
        match writer.write()? {
            Wrote::NoRoom => Err(WriteError::Full),
            Wrote::Group | Wrote::Nothing => Ok(writer),
        }
    }

    /// Writes one group, if there is one.
    fn write(&mut self) -> Result<Wrote, WriteError> {
        let Some(log) = &mut self.log else { return Ok(Wrote::Nothing) };
        if self.facts.is_empty() && !self.shared.repair(|core, now| core.commits.begin(now, &mut self.facts)) {
            return Ok(Wrote::Nothing);
        }
        match log.append(&self.facts) {
            Ok(()) => (self.unsealed, self.durable_end, self.openings_in_vain) = (true, log.next(), 0),
            // Nothing was written, so nothing is unknown: it is tried again.
            Err(WriteError::Full) => return Ok(Wrote::NoRoom),
            Err(error) => return Err(error),
        }
        self.shared.finish_group(&self.facts, log.room());
        self.drop_facts();
        Ok(Wrote::Group)
    }

    /// They hold payloads, so they are dropped at once, and not under the lock.
    fn drop_facts(&mut self) {
        self.facts.clear();
        self.facts.shrink_to(SPARE_FACTS);
    }

    /// Looks how much room there is, as long as there may be too little: nothing but this tells
    /// that somebody has made some.
    fn look_for_room(&mut self, wrote: Wrote) {
        let Some(log) = &self.log else { return };
        let largest = self.shared.config.max_event_bytes;
        let was_short = self.is_short;
        let may_be_short = || wrote == Wrote::NoRoom || self.shared.last_look(|core| core.commits.lacks_room(largest));
        if !was_short && !may_be_short() {
            return;
        }
        let Room(room) = log.room();
        self.is_short = self.shared.measure(Room(room), largest);
        let reserve = self.source.reserve_bytes;
        match (was_short, self.is_short) {
            (false, true) => tracing::warn!(
                room,
                reserve,
                "the disk of the journal is nearly full: until there is more room than the reserve, new events are \
                 refused and outcomes are still recorded"
            ),
            (true, false) => tracing::info!(room, reserve, "there is room for new events again"),
            (true, true) | (false, false) => {}
        }
    }

    /// Does the next thing. `quiet` says that the last wait was not ended by the bell.
    pub(super) fn step(&mut self, quiet: bool) -> Next {
        // A panic leaves the log in an unknown state, and it is dropped.
        let stepped = catch_unwind(AssertUnwindSafe(|| self.try_step(quiet)));
        stepped.unwrap_or_else(|panic| Err(panicked(&*panic))).unwrap_or_else(|error| self.fail(&error))
    }

    fn try_step(&mut self, quiet: bool) -> Result<Next, WriteError> {
        if self.log.is_none() {
            // An opening that brought nothing is not tried again at once: perhaps the disk is full.
            let pauses = self.openings_in_vain > 0 && !quiet && !self.shared.end.is_asked();
            return Ok(if pauses { Next::Wait(Some(REOPEN_AFTER)) } else { self.reopen() });
        }
        let wrote = self.write()?;
        if wrote != Wrote::Group && self.shared.end.stopped.is_open() {
            // A snapshot that is under way is made anew after the next opening.
            self.seal()?;
            return Ok(if wrote == Wrote::NoRoom { self.end_without_room() } else { Next::End });
        }
        if self.maintain()? || wrote == Wrote::Group {
            return Ok(Next::Go);
        }
        if quiet {
            self.seal()?;
        }
        self.look_for_room(wrote);
        let looks = self.is_short || wrote == Wrote::NoRoom;
        Ok(Next::Wait(if self.unsealed { Some(SEAL_AFTER) } else { looks.then_some(LOOK_AFTER) }))
    }

    /// The engine has stopped, and there is no room for its last group.
    fn end_without_room(&mut self) -> Next {
        let facts = self.shared.give_up();
        tracing::error!(facts, "the journal has no room for the last facts: make some before the next start");
        self.stay_down()
    }

    /// Makes a small step towards a snapshot. Answers whether there is more to do.
    fn maintain(&mut self) -> Result<bool, WriteError> {
        let Some(log) = &mut self.log else { return Ok(false) };
        match log.maintain() {
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
                Ok(()) | Err(WriteError::Full) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Gives up the engine: what it knows and the journal may not is not to be trusted.
    fn fail(&mut self, error: &WriteError) -> Next {
        self.log = None;
        self.drop_facts();
        let facts = self.shared.give_up();
        tracing::error!(%error, facts, "the journal has failed; what was not durable is unknown");
        if *error == WriteError::Fenced {
            return self.stay_down();
        }
        Next::Go
    }

    fn reopen(&mut self) -> Next {
        if self.shared.end.is_asked() {
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
        let (mark, wakes) = self.repair(|core, now| {
            let mark = core.finish_group(now, facts, room);
            (mark, core.wakes())
        });
        self.synced.reach(mark);
        self.wake(wakes);
    }

    /// Says how much room there is, and lets those in who wait for some. Answers whether there is
    /// too little for an event of this size.
    fn measure(&self, room: Room, size_bytes: usize) -> bool {
        let (is_short, wakes) = self.repair(|core, _| {
            core.commits.measure(room);
            (core.commits.lacks_room(size_bytes), core.wakes())
        });
        self.wake(wakes);
        is_short
    }

    /// Gives up the engine and everything that is not durable. Answers how many facts that were.
    fn give_up(&self) -> usize {
        let ((after, up_to, facts), wakes) = self.repair(|core, _| {
            let lost = core.give_up();
            (lost, core.wakes())
        });
        self.synced.lose(after, up_to);
        self.wake(wakes);
        self.ring_all();
        facts
    }

    /// Puts the engine that the journal gives back in the place of the one that was given up.
    fn install(&self, replay: Replay, room: Room) {
        let wakes = self.repair(|core, now| {
            core.install(now, replay, room);
            self.end.count_from(core.engine.metrics().facts);
            core.wakes()
        });
        self.writer.reopenings.fetch_add(1, Ordering::AcqRel);
        self.wake(wakes);
        if self.end.is_asked() {
            // Asked for while there was no engine to tell. One that is given up again needs no telling.
            let _ = self.execute(Command::Shutdown);
        }
        self.ring_all();
    }

    /// Changes a core whatever its condition.
    fn repair<T>(&self, repair: impl FnOnce(&mut Core, Timestamp) -> T) -> T {
        self.last_look(|core| repair(core, self.clock.now()))
    }
}
