//! The journal: group commit, and what waits until it may leave.

use std::collections::VecDeque;
use std::hash::{Hash, Hasher};

use eventful::journal::{Log, Room};
use eventful::node::{Groups, Lsn as Mark};
use eventful::{Answer, Digest, Fact, Ticket};

use super::World;
use super::agenda::Task;
use super::rot::Rot;
use super::worker::Serial;
use crate::chance::{Chance, Stream};
use crate::disk::{Disk, Drive, PlainStore, Trouble};
use crate::failure::Broken;
use crate::oracle::Era;
use crate::scenario::{EventNumber, FaultKind, Journaling, Scenario};

/// Space on the disk.
pub(super) const CAPACITY_BYTES: u64 = 64 << 20;

/// The part of `max_unsynced_bytes` that expiry may fill, as in the adapter.
const PATIENT_SHARE: u64 = 16;

/// Time between tries to open a journal again.
pub(super) const REOPEN_AFTER_MICROS: u64 = 100_000;

/// The journal of a world.
#[derive(Debug)]
pub(super) struct Journal {
    pub(super) settings: Journaling,
    pub(super) groups: Groups,
    pub(super) store: PlainStore,
    /// Absent between a failure and the next opening.
    pub(super) log: Option<Log>,
    pub(super) condition: Condition,
    pub(super) group: Group,
    pub(super) room: Room,
    /// In the order of their marks.
    waiting: VecDeque<Waiting>,
    /// Tickets that have not left, with how many facts had been decided before.
    pub(super) held: VecDeque<(Ticket, usize)>,
    /// A step of the writer is on the agenda.
    pub(super) rung: bool,
    pub(super) unsealed: bool,
    /// A snapshot was made, now or in an earlier life.
    pub(super) has_snapshot: bool,
    pub(super) stalled_until: u64,
    pub(super) full_until: u64,
    /// How the process dies when the disk stops.
    pub(super) death: Option<Death>,
    /// Groups written, for audits now and then.
    pub(super) written: u32,
    /// What a power cut leaves.
    pub(super) power: Stream,
    pub(super) rot: Rot,
    /// The bytes of the largest fact so far.
    pub(super) largest_fact: usize,
}

fn groups(settings: Journaling) -> Groups {
    Groups::bounded(settings.group_bytes.unwrap_or(1 << 20))
}

/// Whether the engine can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Condition {
    Open,
    /// It was given up, and another one takes its place soon.
    Reopening,
    /// It was given up for good.
    Down,
}

/// The group that the writer has.
#[derive(Debug)]
pub(super) enum Group {
    None,
    /// It is to be appended.
    Taken(Vec<Fact>),
    /// It is durable, and nobody knows yet.
    Appended,
}

/// The process dies before a change of the disk.
#[derive(Debug, Clone, Copy)]
pub(super) struct Death {
    /// So many more changes are done from its arming on.
    pub(super) after: u64,
    /// The count of changes that the disk stops at.
    pub(super) at: u64,
    pub(super) power: bool,
    pub(super) lasts: u64,
}

/// What a client is told of an event.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) event: EventNumber,
    pub(super) digest: Digest,
    pub(super) answer: Answer,
    pub(super) era: Era,
}

/// Somebody who waits until what was decided is durable.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) mark: Mark,
    decided: usize,
    since: u64,
    pub(super) who: Who,
}

#[derive(Debug)]
pub(super) enum Who {
    Client(u8, Option<Told>),
    Worker(Serial),
}

impl Journal {
    /// An empty journal on a disk of its own.
    pub(super) fn of(scenario: &Scenario, settings: Journaling) -> Self {
        let chance = Chance::of(scenario.seed);
        let disk = Disk::new(CAPACITY_BYTES, Trouble::none(chance.stream("disk")));
        Self {
            settings,
            groups: groups(settings),
            store: PlainStore::new(Drive::new(disk)),
            log: None,
            condition: Condition::Open,
            group: Group::None,
            room: Room(CAPACITY_BYTES),
            waiting: VecDeque::new(),
            held: VecDeque::new(),
            rung: false,
            unsealed: false,
            has_snapshot: false,
            stalled_until: 0,
            full_until: 0,
            death: None,
            written: 0,
            power: chance.stream("power"),
            rot: Rot::new(chance.stream("rot")),
            largest_fact: 0,
        }
    }

    /// Whether the journal has room for one more event of this size.
    pub(super) fn has_room(&self, size_bytes: usize) -> bool {
        let unsynced = self.groups.unsynced_bytes() as u64;
        let taken = self.settings.reserve_bytes.saturating_add(unsynced);
        unsynced < self.settings.max_unsynced_bytes && size_bytes as u64 <= self.room.0.saturating_sub(taken)
    }

    /// Whether so much waits for it that expiry must wait.
    pub(super) fn is_behind(&self) -> bool {
        self.groups.unsynced_bytes() as u64 > self.settings.max_unsynced_bytes / PATIENT_SHARE
    }

    /// The channel is gone, and with it every ticket.
    pub(super) fn forget_tickets(&mut self) {
        self.groups.forget_tickets();
        self.held.clear();
    }

    /// Everything that a process has in its memory is gone.
    pub(super) fn forget_process(&mut self) {
        (self.groups, self.group, self.log) = (groups(self.settings), Group::None, None);
        self.rot.forget_process();
        self.waiting.clear();
        self.held.clear();
        (self.rung, self.unsealed) = (false, false);
    }

    /// Whether all that was decided is durable.
    pub(super) fn is_idle(&self) -> bool {
        self.groups.is_idle()
    }

    /// Whether the disk has stopped, and the process is to die of it.
    pub(super) fn is_dead(&self) -> bool {
        self.death.is_some_and(|death| self.store.drive().disk().changes() >= death.at)
    }
}

impl Hash for Journal {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        // No two states of a disk are told apart otherwise.
        self.store.drive().disk().changes().hash(hasher);
        (self.groups.settled(), self.groups.tail(), self.waiting.len(), self.held.len()).hash(hasher);
        (self.condition, self.rung, self.unsealed, core::mem::discriminant(&self.group)).hash(hasher);
    }
}

impl World<'_> {
    /// Whether the engine answers.
    pub(super) fn is_serving(&self) -> bool {
        self.is_up && self.journal.as_ref().is_none_or(|journal| journal.condition == Condition::Open)
    }

    /// Whether the engine was given up for good.
    pub(super) fn is_down(&self) -> bool {
        self.journal.as_ref().is_some_and(|journal| journal.condition == Condition::Down)
    }

    /// Whether no disk stands against one more event.
    pub(super) fn takes_events(&self) -> bool {
        let largest = self.config.max_event_bytes;
        !self.is_serving() || self.journal.as_ref().is_none_or(|journal| journal.has_room(largest))
    }

    /// Whether all that was decided is as durable as it gets.
    pub(super) fn is_synced(&self) -> bool {
        self.is_down() || self.journal.as_ref().is_none_or(Journal::is_idle)
    }

    /// The facts of a step join the open group.
    pub(super) fn journal_facts(&mut self) {
        let Some(journal) = &mut self.journal else { return };
        let sizes = self.out.facts().iter().map(Fact::size_bytes);
        journal.largest_fact = sizes.chain([journal.largest_fact]).max().unwrap_or(0);
        journal.groups.add(self.out.facts().iter().cloned());
        if journal.groups.can_begin() {
            self.ring_writer();
        }
    }

    pub(super) fn ring_writer_at(&mut self, time: u64) {
        if let Some(journal) = &mut self.journal
            && !std::mem::replace(&mut journal.rung, true)
        {
            self.agenda.at(time, Task::Write);
        }
    }

    pub(super) fn ring_writer(&mut self) {
        if let Some(journal) = &mut self.journal
            && !std::mem::replace(&mut journal.rung, true)
        {
            self.agenda.now(Task::Write);
        }
    }

    /// Whether a ticket may leave at once; else it waits for what was decided before it.
    pub(super) fn may_leave(&mut self, ticket: Ticket) -> bool {
        let decided = self.oracles.decided();
        let Some(journal) = &mut self.journal else { return true };
        let leaves = journal.groups.pass(ticket).is_some();
        if !leaves {
            self.probes.fault(FaultKind::TicketHeld);
        }
        journal.held.push_back((ticket, decided));
        leaves
    }

    /// A ticket goes on its way: not before the facts that were decided before it are durable.
    pub(super) fn judge_ticket(&mut self, ticket: Ticket) -> Result<(), Broken> {
        let (Some(journal), Some(kept)) = (&mut self.journal, &self.oracles.journal) else { return Ok(()) };
        while let Some((held, decided)) = journal.held.pop_front() {
            if held == ticket {
                return kept.judge_told("a ticket", decided);
            }
        }
        Err(Broken::new("journal", 10, format_args!("ticket {} leaves, and its channel is gone", ticket.number())))
    }

    /// A client gets its answer, once it may.
    pub(super) fn reply(&mut self, client: u8, told: Option<Told>) -> Result<(), Broken> {
        let decided = self.oracles.decided();
        let Some(journal) = self.journal.as_mut().filter(|journal| !journal.groups.is_idle()) else {
            return self.hand_over(told, decided);
        };
        let says_nothing = told.as_ref().is_some_and(|told| matches!(told.answer, Answer::Refused(_)));
        if says_nothing {
            return Ok(());
        }
        let mark = journal.groups.tail();
        if mark <= journal.groups.settled() {
            return self.hand_over(told, decided);
        }
        journal.waiting.push_back(Waiting { mark, decided, since: self.now, who: Who::Client(client, told) });
        Ok(())
    }

    fn hand_over(&mut self, told: Option<Told>, decided: usize) -> Result<(), Broken> {
        if let Some(journal) = &self.oracles.journal {
            journal.judge_told("an answer", decided)?;
        }
        let Some(Told { event, digest, answer, era }) = told else { return Ok(()) };
        self.oracles.ledger.tell(event, digest, &answer, era)
    }

    /// Whether a worker may call its handler at once; else it waits until its start is durable.
    pub(super) fn starts_at_once(&mut self, serial: Serial) -> bool {
        let decided = self.oracles.decided();
        let Some(journal) = &mut self.journal else { return true };
        if journal.settings.relaxed_starts {
            self.probes.fault(FaultKind::Relaxed);
            return true;
        }
        if journal.groups.is_idle() {
            return true;
        }
        let mark = journal.groups.tail();
        journal.waiting.push_back(Waiting { mark, decided, since: self.now, who: Who::Worker(serial) });
        false
    }

    pub(super) fn take_waiting(&mut self, may_go: impl FnOnce(&Waiting) -> bool) -> Option<Waiting> {
        let waiting = &mut self.journal.as_mut()?.waiting;
        if waiting.front().is_some_and(may_go) { waiting.pop_front() } else { None }
    }

    pub(super) fn release_waiting(&mut self, Waiting { decided, since, who, .. }: Waiting) -> Result<(), Broken> {
        let is_late = self.now > since;
        match who {
            Who::Client(client, told) => {
                if is_late {
                    self.probes.fault(FaultKind::AnswerLate);
                }
                if let Some(told) = &told {
                    self.note_answer(client, told.event, &told.answer);
                }
                self.hand_over(told, decided)
            }
            Who::Worker(serial) => {
                if is_late {
                    self.probes.fault(FaultKind::StartLate);
                }
                self.agenda.now(Task::Begin(serial));
                Ok(())
            }
        }
    }

    /// Whoever waits is told that nobody knows.
    pub(super) fn give_up_waiting(&mut self, who: Who) {
        match who {
            Who::Client(client, told) => {
                self.probes.fault(FaultKind::AnswerUnknown);
                self.note_unknown(client, told.map(|told| told.event));
            }
            Who::Worker(serial) => {
                self.probes.fault(FaultKind::StartLost);
                let worker = self.workers.iter().find(|worker| worker.serial == serial).copied();
                worker.iter().for_each(|worker| self.release(worker));
            }
        }
    }
}
