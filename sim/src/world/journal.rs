//! The disk, the journal on it, and how the simulator knows that it is.

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

/// Space on the disk.
pub(super) const CAPACITY_BYTES: u64 = 64 << 20;

/// The time for which a result waits by the default of the product.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(4);

/// The journal of a world.
#[derive(Debug)]
pub(super) struct WorldJournal {
    pub(super) settings: Journaling,
    pub(super) store: DriveStore,
    /// Absent between a failure and the next opening.
    pub(super) log: Option<JournalLog>,
    pub(super) condition: JournalCondition,
    /// Its writer.
    pub(super) routine: Routine,
    pub(super) hand: WriterHand,
    /// The group that the writer has.
    pub(super) facts: Vec<Fact>,
    /// The time at which the writer got the job at hand, by the node's clock.
    pub(super) busy_since: Option<Timestamp>,
    /// Times that it was opened again in this process.
    pub(super) reopenings: u64,
    /// A snapshot was made, now or in an earlier life.
    pub(super) has_snapshot: bool,
    pub(super) stalled_until: u64,
    pub(super) full_until: u64,
    pub(super) gone_until: u64,
    /// Its directory was gone when the writer last looked: a disk that is back is used for what is not urgent
    /// once the writer has checked it again.
    pub(super) seems_gone: bool,
    /// The time at which the node was last given its room.
    pub(super) measured_at: u64,
    /// Another process has opened it.
    pub(super) is_fenced: bool,
    /// The way the process dies when the disk stops.
    pub(super) death: Option<Death>,
    /// Groups written, for audits now and then.
    pub(super) written: u32,
    /// The random stream of what a power cut leaves.
    pub(super) power: Stream,
    pub(super) rot: Rot,
    pub(super) backlog: Backlog,
    /// The bytes of the largest fact so far.
    pub(super) largest_fact: usize,
}

/// The condition of the engine, as the world sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum JournalCondition {
    Open,
    /// The engine was abandoned, and another one takes its place.
    Reopening,
    /// The engine was abandoned, and none takes its place.
    Down,
}

/// The job in the hand of the writer.
#[derive(Debug)]
pub(super) enum WriterHand {
    /// No job: it asks for the next one.
    Free,
    /// A job that is to be done.
    Job(Job),
    /// The result of an append.
    Appended(Result<(), WriteError>),
    /// The result of an opening.
    Opened(Result<Box<Recovered>, OpenError>),
    /// Facts that are durable and to be published, from this one on; the first of all has that number.
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

impl WorldJournal {
    /// An empty journal on a disk of its own.
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

    /// Returns the bounds that the node is to keep.
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

    /// Opens it.
    pub(super) fn open(&mut self, config: &Config) -> Result<Recovered, OpenError> {
        let owner = Owner::new("a simulated process");
        let after = self.settings.snapshot_after_bytes;
        let mut recovered = recover(&mut self.store, &owner, config, after, &mut |_| {})?;
        recovered.log.reserve(self.settings.reserve_bytes);
        self.settings.part_bytes.into_iter().for_each(|bytes| recovered.log.bound_parts(bytes));
        Ok(recovered)
    }

    /// The first node of all, around an engine that was opened just now.
    pub(super) fn first_node(&mut self, now: Timestamp, engine: Engine, out: Output, config: &Config) -> Node {
        let recovered = self.open(config).expect("nothing is wrong with an empty disk yet");
        self.log = Some(recovered.log);
        let room_bytes = self.room();
        Node::with_journal(now, OpenedEngine { engine, out, room_bytes, frames: 0 }, self.limits())
    }

    /// The room that its log shows.
    pub(super) fn room(&self) -> u64 {
        if self.settings.hides_room { u64::MAX } else { self.log.as_ref().map_or(0, |log| log.room().0) }
    }

    /// The free space of the journal, hidden from the node or not.
    pub(super) fn free(&self) -> u64 {
        self.log.as_ref().map_or(0, |log| log.room().0)
    }

    /// Frames that were ever appended.
    pub(super) fn frames(&self) -> u64 {
        self.log.as_ref().map_or(0, |log| log.next().previous().number())
    }

    /// Everything that a process has in its memory is gone.
    pub(super) fn forget_process(&mut self) {
        (self.log, self.hand, self.condition, self.busy_since) = (None, WriterHand::Free, JournalCondition::Open, None);
        (self.routine, self.reopenings, self.is_fenced) = (Routine::Awake, 0, false);
        self.facts.clear();
        self.rot.forget_process();
        self.seems_gone = false;
        self.backlog.forget_process();
    }

    /// Returns whether the disk has stopped, and the process is to die of it.
    pub(super) fn is_dead(&self) -> bool {
        self.death.is_some_and(|death| self.store.drive().disk().changes() >= death.at)
    }
}

/// The journal on this drive. Its segments are smaller than a group, or of many.
fn store(drive: SharedDisk, stream: &mut Stream) -> DriveStore {
    let first = stream.pick(&[300, 1 << 10, 4 << 10]);
    DriveStore::new(drive).segment_bytes(first, first * 4)
}

impl Hash for WorldJournal {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        // No two states of a disk are distinguished otherwise.
        self.store.drive().disk().changes().hash(hasher);
        (self.condition, self.routine, self.hand.kind(), self.facts.len(), self.is_fenced).hash(hasher);
    }
}

/// The journal of a world whose writer takes a step.
pub(super) fn journal_of(journal: &mut Option<WorldJournal>) -> &mut WorldJournal {
    journal.as_mut().expect("only a world with a journal has a writer")
}
