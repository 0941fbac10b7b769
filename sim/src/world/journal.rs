//! The disk, the journal on it, and the state that the simulator tracks about both.

use std::hash::{Hash, Hasher};
use std::time::Duration;

use eventful::journal::{JournalLog, OpenError, Owner, Recovered, WriteError, recover};
use eventful::node::{CommitLimits, Job, Node, OpenedEngine};
use eventful::{
    Config, Timestamp,
    engine::{Engine, Output, facts::Fact},
};

use super::backlog::Backlog;
use super::rot::Rot;
use super::routine::Routine;
use crate::disk::{DriveStore, FaultInjector, SharedDisk, SimulatedDisk};
use crate::scenario::{CoreScenario, Journaling};
use crate::seeded_rng::{SeededRng, Stream};

/// The space on the disk: more than any scenario writes.
pub(super) const CAPACITY_BYTES: u64 = 64 << 20;

/// The product's default of `answer_timeout`.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(4);

/// The journal of a simulation.
#[derive(Debug)]
pub(super) struct WorldJournal {
    pub(super) settings: Journaling,
    pub(super) store: DriveStore,
    /// The log; none between a failure and the next opening.
    pub(super) log: Option<JournalLog>,
    pub(super) condition: JournalCondition,
    /// The state of the writer.
    pub(super) routine: Routine,
    pub(super) hand: WriterHand,
    /// The group that the writer is writing.
    pub(super) facts: Vec<Fact>,
    /// The time at which the writer got its current job, by the node's clock.
    pub(super) busy_since: Option<Timestamp>,
    /// The number of reopenings in this process.
    pub(super) reopenings: u64,
    /// True if a snapshot was made, in this process or an earlier one.
    pub(super) has_snapshot: bool,
    pub(super) stalled_until: u64,
    pub(super) full_until: u64,
    pub(super) gone_until: u64,
    /// True if the directory was gone at the writer's last check: a disk that is back is used for other work only
    /// after the next check.
    pub(super) seems_gone: bool,
    /// The time at which the free space was last reported to the node.
    pub(super) measured_at: u64,
    /// True if another process has opened the journal.
    pub(super) is_fenced: bool,
    /// The way in which the process dies when the disk stops.
    pub(super) death: Option<Death>,
    /// The number of groups written, for audits now and then.
    pub(super) written: u32,
    /// The random stream of what a power cut leaves.
    pub(super) power: Stream,
    pub(super) rot: Rot,
    pub(super) backlog: Backlog,
    /// The bytes of the largest fact so far.
    pub(super) largest_fact: usize,
}

/// The condition of the engine, as the simulation sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum JournalCondition {
    Open,
    /// The engine was abandoned, and another one will replace it.
    Reopening,
    /// The engine was abandoned, and none will replace it.
    Down,
}

/// The state of the writer's current job.
#[derive(Debug)]
pub(super) enum WriterHand {
    /// No job: the writer asks for the next one.
    Free,
    /// A job to do.
    Job(Job),
    /// The result of an append.
    Appended(Result<(), WriteError>),
    /// The result of an opening.
    Opened(Result<Box<Recovered>, OpenError>),
    /// Durable facts to publish: the index of the next one, and the number of the first of all.
    Publishing(usize, usize),
}

impl WriterHand {
    pub(super) const fn kind(&self) -> u8 {
        match self {
            Self::Free => 0,
            Self::Job(Job::Append) => 1,
            Self::Job(_) => 2,
            Self::Appended(_) => 3,
            Self::Opened(_) => 4,
            Self::Publishing(..) => 5,
        }
    }
}

/// A death of the process before a change of the disk.
#[derive(Debug, Clone, Copy)]
pub(super) struct Death {
    /// The number of changes that are still done.
    pub(super) after: u64,
    /// The count of changes at which the disk stops.
    pub(super) at: u64,
    pub(super) power: bool,
    pub(super) lasts: u64,
}

impl WorldJournal {
    /// Creates an empty journal on a disk of its own.
    pub(super) fn of(scenario: &CoreScenario, settings: Journaling) -> Self {
        let rng = SeededRng::of(scenario.seed);
        let disk = SimulatedDisk::new(CAPACITY_BYTES, FaultInjector::none(rng.stream("disk")));
        Self {
            settings,
            store: store(SharedDisk::new(disk), &mut rng.stream("segments")),
            log: None,
            condition: JournalCondition::Open,
            routine: Routine::Awake,
            hand: WriterHand::Free,
            facts: Vec::new(),
            busy_since: None,
            reopenings: 0,
            has_snapshot: false,
            stalled_until: 0,
            full_until: 0,
            gone_until: 0,
            seems_gone: false,
            measured_at: 0,
            is_fenced: false,
            death: None,
            written: 0,
            power: rng.stream("power"),
            rot: Rot::new(rng.stream("rot")),
            backlog: Backlog::default(),
            largest_fact: 0,
        }
    }

    /// Returns the bounds that the node must keep.
    pub(super) fn limits(&self) -> CommitLimits {
        let Journaling { max_unsynced_bytes, reserve_bytes, answer_timeout, group_bytes, failures, .. } = self.settings;
        CommitLimits {
            max_unsynced_bytes: usize::try_from(max_unsynced_bytes).unwrap_or(usize::MAX),
            reserve_bytes,
            answer_timeout: answer_timeout.map_or(ANSWER_TIMEOUT, Duration::from_micros),
            group_bytes: group_bytes.unwrap_or(CommitLimits::GROUP_BYTES),
            failures: failures.unwrap_or(CommitLimits::FAILURES),
        }
    }

    /// Opens the journal.
    pub(super) fn open(&mut self, config: &Config) -> Result<Recovered, OpenError> {
        let owner = Owner::new("a simulated process");
        let after = self.settings.snapshot_after_bytes;
        let mut recovered = recover(&mut self.store, &owner, config, after, &mut |_| {})?;
        recovered.log.reserve(self.settings.reserve_bytes);
        self.settings.part_bytes.into_iter().for_each(|bytes| recovered.log.bound_parts(bytes));
        Ok(recovered)
    }

    /// Returns the first node, around an engine that was just opened.
    pub(super) fn first_node(&mut self, now: Timestamp, engine: Engine, out: Output, config: &Config) -> Node {
        let recovered = self.open(config).expect("nothing is wrong with an empty disk yet");
        self.log = Some(recovered.log);
        let room_bytes = self.room();
        Node::with_journal(now, OpenedEngine { engine, out, room_bytes, frames: 0 }, self.limits())
    }

    /// Returns the free space of the log.
    pub(super) fn room(&self) -> u64 {
        if self.settings.hides_room { u64::MAX } else { self.log.as_ref().map_or(0, |log| log.room().0) }
    }

    /// Returns the free space of the journal, even if it is hidden from the node.
    pub(super) fn free(&self) -> u64 {
        self.log.as_ref().map_or(0, |log| log.room().0)
    }

    /// Returns the number of frames that were ever appended.
    pub(super) fn frames(&self) -> u64 {
        self.log.as_ref().map_or(0, |log| log.next().previous().number())
    }

    /// Drops everything that a process has in memory.
    pub(super) fn forget_process(&mut self) {
        (self.log, self.hand, self.condition, self.busy_since) = (None, WriterHand::Free, JournalCondition::Open, None);
        (self.routine, self.reopenings, self.is_fenced) = (Routine::Awake, 0, false);
        self.facts.clear();
        self.rot.forget_process();
        self.seems_gone = false;
        self.backlog.forget_process();
    }

    /// Returns whether the disk has stopped, so that the process dies.
    pub(super) fn is_dead(&self) -> bool {
        self.death.is_some_and(|death| self.store.drive().disk().changes() >= death.at)
    }
}

/// Returns the journal on this disk. Its segments are smaller than a group, or have many.
fn store(drive: SharedDisk, stream: &mut Stream) -> DriveStore {
    let first = stream.pick(&[300, 1 << 10, 4 << 10]);
    DriveStore::new(drive).segment_bytes(first, first * 4)
}

impl Hash for WorldJournal {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        // The number of changes distinguishes the states of a disk.
        self.store.drive().disk().changes().hash(hasher);
        (self.condition, self.routine, self.hand.kind(), self.facts.len(), self.is_fenced).hash(hasher);
    }
}

/// Returns the journal of a simulation whose writer takes a step.
pub(super) fn journal_of(journal: &mut Option<WorldJournal>) -> &mut WorldJournal {
    journal.as_mut().expect("only a world with a journal has a writer")
}
