//! The world: time, processes, and messages between them and the database.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use crate::database::ModelDatabase;
use crate::membership::{MemberAction, Membership, NodeBeat, NotOpened, Round, RoundEnd, Timing};
use crate::node_id::NodeId;

pub(super) const LEASE: Duration = Duration::from_secs(5);

/// The time after which a process waits no more for a result.
const TIMEOUT: Duration = Duration::from_millis(1250);

/// Delays and losses of messages.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weather {
    /// The longest delay of most messages, in ms.
    pub(super) delay: u64,
    /// Of a hundred messages so many are lost, and as many delayed for seconds.
    pub(super) bad: u64,
}

pub(super) const CALM: Weather = Weather { delay: 10, bad: 0 };
pub(super) const STORM: Weather = Weather { delay: 60, bad: 4 };

pub(super) struct MemberWorld {
    pub(super) now: Duration,
    random: u64,
    pub(super) weather: Weather,
    pub(super) database: ModelDatabase,
    pub(super) processes: Vec<Process>,
    events: BTreeMap<(Duration, u64), ModelEvent>,
    number: u64,
}

/// A process of a node, from its start until it is killed.
pub(super) struct Process {
    pub(super) node: NodeId,
    pub(super) member: Membership,
    started: Duration,
    /// Its clock runs by so many thousandths too fast.
    skew: i32,
    pub(super) is_alive: bool,
    pub(super) is_leaving: bool,
    pub(super) paused_until: Duration,
    pub(super) cut_until: Duration,
    wakes_at: Duration,
    /// Shards that are being closed.
    closing: BTreeSet<u16>,
    /// The terms of open shards.
    terms: BTreeMap<u16, i64>,
}

enum ModelEvent {
    Wake(usize),
    /// A statement arrives at the database.
    Beat(usize, Round),
    Read(usize, Round, Option<i64>),
    Fence(usize, MemberAction),
    Release(usize, u16, i64),
    GiveUp(u16, i64),
    LateBeat(NodeId, NodeBeat),
    EngineEnded(usize, u16),
    /// A result arrives at a process.
    Ended(usize, Round, RoundEnd),
    Opened(usize, u16, Result<i64, NotOpened>),
    Closed(usize, u16),
}

impl MemberWorld {
    pub(super) fn new(seed: u64, shards: u16, nodes: u8) -> Self {
        let mut world = Self {
            now: Duration::from_secs(1_000),
            random: seed,
            weather: CALM,
            database: ModelDatabase::new(shards),
            processes: Vec::new(),
            events: BTreeMap::new(),
            number: 0,
        };
        (1..=nodes).for_each(|number| world.start(&node(number)));
        world
    }

    pub(super) fn draw(&mut self, below: u64) -> u64 {
        // SplitMix64.
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) % below
    }

    pub(super) fn start(&mut self, node: &NodeId) {
        let shards = u16::try_from(self.database.rows.shards.len()).expect("few shards");
        let skew = i32::try_from(self.draw(41)).expect("few") - 20;
        self.processes.push(Process {
            node: node.clone(),
            member: Membership::new(node.clone(), shards, Timing::of(LEASE)),
            started: self.now,
            skew,
            is_alive: true,
            is_leaving: false,
            paused_until: Duration::ZERO,
            cut_until: Duration::ZERO,
            wakes_at: self.now,
            closing: BTreeSet::new(),
            terms: BTreeMap::new(),
        });
        self.at(Duration::ZERO, ModelEvent::Wake(self.processes.len() - 1));
    }

    pub(super) fn leave(&mut self, process: usize) {
        let (now, process_of) = (self.local(process), &mut self.processes[process]);
        process_of.member.leave(now);
        process_of.is_leaving = true;
        self.at(Duration::ZERO, ModelEvent::Wake(process));
    }

    /// The time of a process's own clock.
    fn local(&self, process: usize) -> Duration {
        let Process { started, skew, .. } = self.processes[process];
        let passed = self.now - started;
        passed.mul_f64(f64::from(1000 + skew) / 1000.0)
    }

    fn at(&mut self, after: Duration, happening: ModelEvent) {
        self.number += 1;
        self.events.insert((self.now + after, self.number), happening);
    }

    /// The delay of a message of a process; none when it is lost.
    fn delay(&mut self, process: usize) -> Option<Duration> {
        let Weather { delay, bad } = self.weather;
        let is_cut = self.now < self.processes[process].cut_until;
        match self.draw(100) {
            _ if is_cut => None,
            chance if chance < bad => None,
            chance if chance < 2 * bad => Some(Duration::from_millis(self.draw(4_000))),
            _ => Some(Duration::from_millis(self.draw(delay) + 1)),
        }
    }

    /// Lets time pass, and checks after each event that no shard is served twice.
    pub(super) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some((&(at, number), _)) = self.events.first_key_value() {
            if at > end {
                break;
            }
            let happening = self.events.remove(&(at, number)).expect("the first one");
            self.now = at;
            self.happen(happening);
            self.check();
        }
        self.now = end;
    }

    fn happen(&mut self, happening: ModelEvent) {
        let process = match &happening {
            ModelEvent::Wake(process)
            | ModelEvent::Ended(process, ..)
            | ModelEvent::Opened(process, ..)
            | ModelEvent::EngineEnded(process, _)
            | ModelEvent::Closed(process, _) => Some(*process),
            ModelEvent::Beat(..)
            | ModelEvent::LateBeat(..)
            | ModelEvent::Read(..)
            | ModelEvent::Fence(..)
            | ModelEvent::GiveUp(..)
            | ModelEvent::Release(..) => None,
        };
        if let Some(Process { is_alive, paused_until, .. }) = process.map(|process| &self.processes[process]) {
            if !is_alive
                || matches!(happening, ModelEvent::Wake(process) if self.processes[process].wakes_at > self.now)
            {
                return;
            }
            if let Some(left) = paused_until.checked_sub(self.now).filter(|left| !left.is_zero()) {
                return self.at(left, happening);
            }
        }
        match happening {
            ModelEvent::Beat(process, round) => self.beat(process, round),
            ModelEvent::Read(process, round, beat) => {
                let rows = self.database.rows.clone();
                self.result(process, round, RoundEnd::Done { beat, rows });
            }
            ModelEvent::Fence(process, action) => self.fence(process, &action),
            ModelEvent::GiveUp(shard, term) => self.database.release(shard, term),
            ModelEvent::Release(process, shard, term) => {
                self.database.release(shard, term);
                let delay = self.delay(process).unwrap_or(TIMEOUT);
                self.at(delay, ModelEvent::Closed(process, shard));
            }
            ModelEvent::LateBeat(node, beat) => drop(self.database.beat(&node, beat, self.micros())),
            ModelEvent::EngineEnded(process, shard) => self.release(process, shard),
            ModelEvent::Wake(_) => {}
            ModelEvent::Ended(process, round, end) => {
                let now = self.local(process);
                self.processes[process].member.end(now, round, end);
            }
            ModelEvent::Opened(process, shard, opened) => {
                let now = self.local(process);
                let of = &mut self.processes[process];
                of.terms.extend(opened.map(|term| (shard, term)));
                of.member.opened(now, shard, opened);
            }
            ModelEvent::Closed(process, shard) => self.closed(process, shard),
        }
        process.into_iter().for_each(|process| self.work(process));
    }

    /// The clock of the database, with which the beats of a node begin.
    fn micros(&self) -> i64 {
        i64::try_from(self.now.as_micros()).expect("a time")
    }

    fn beat(&mut self, process: usize, round: Round) {
        let node = self.processes[process].node.clone();
        let start = self.micros();
        match round.beat {
            None => self.read(process, round, None),
            Some(beat) => match self.database.beat(&node, beat, start) {
                Some(beat) => self.read(process, round, Some(beat)),
                None => self.result(process, round, RoundEnd::Superseded),
            },
        }
    }

    /// A read is sent when the beat is confirmed: two messages later.
    fn read(&mut self, process: usize, round: Round, beat: Option<i64>) {
        let (one, other) = (self.delay(process), self.delay(process));
        match one.zip(other) {
            Some((one, other)) => self.at(one + other, ModelEvent::Read(process, round, beat)),
            None => self.at(TIMEOUT, ModelEvent::Ended(process, round, RoundEnd::Failed)),
        }
    }

    fn result(&mut self, process: usize, round: Round, end: RoundEnd) {
        match self.delay(process).filter(|delay| *delay < TIMEOUT) {
            Some(delay) => self.at(delay, ModelEvent::Ended(process, round, end)),
            None => self.at(TIMEOUT, ModelEvent::Ended(process, round, RoundEnd::Failed)),
        }
    }

    fn fence(&mut self, process: usize, action: &MemberAction) {
        let MemberAction::Open { shard, dead } = action else { unreachable!("only an opening is fenced") };
        let node = self.processes[process].node.clone();
        let fenced = self.database.fence(&node, *shard, dead.as_ref());
        let replay = Duration::from_millis(self.draw(300));
        match self.delay(process) {
            Some(delay) => self.at(delay + replay, ModelEvent::Opened(process, *shard, fenced)),
            None => self.at(TIMEOUT, ModelEvent::Opened(process, *shard, Err(NotOpened::Failed))),
        }
    }

    /// Gives up a shard whose engine has ended.
    fn release(&mut self, process: usize, shard: u16) {
        let term = self.processes[process].terms.remove(&shard);
        match (self.delay(process), term) {
            (Some(delay), Some(term)) => self.at(delay, ModelEvent::Release(process, shard, term)),
            _ => self.at(TIMEOUT, ModelEvent::Closed(process, shard)),
        }
    }

    fn closed(&mut self, process: usize, shard: u16) {
        let now = self.local(process);
        let of = &mut self.processes[process];
        of.closing.remove(&shard);
        of.member.closed(now, shard);
    }

    /// Does what a process wants done now.
    fn work(&mut self, process: usize) {
        let now = self.local(process);
        if !self.processes[process].is_alive {
            return;
        }
        for action in self.processes[process].member.decide(now) {
            self.act(process, action);
        }
        if self.processes[process].member.has_left() {
            self.processes[process].is_alive = false;
            let node = self.processes[process].node.clone();
            self.database.leave(&node);
            return;
        }
        if self.processes[process].member.is_superseded() && self.processes[process].closing.is_empty() {
            self.processes[process].is_alive = false;
            return;
        }
        if let Some(round) = self.processes[process].member.begin(now) {
            self.send(process, round);
        }
        let wake = self.processes[process].member.wake_at().saturating_sub(now);
        let wake = wake.clamp(Duration::from_millis(1), Duration::from_secs(60));
        // The last one counts: each event would begin a row of its own otherwise.
        self.processes[process].wakes_at = self.now + wake;
        self.at(wake, ModelEvent::Wake(process));
    }

    fn send(&mut self, process: usize, round: Round) {
        let node = self.processes[process].node.clone();
        match self.delay(process) {
            Some(delay) if delay < TIMEOUT => self.at(delay, ModelEvent::Beat(process, round)),
            late => {
                // One that is late is done all the same, when its result is not waited for any more.
                if let Some((late, beat)) = late.zip(round.beat) {
                    self.at(late, ModelEvent::LateBeat(node, beat));
                }
                self.at(TIMEOUT, ModelEvent::Ended(process, round, RoundEnd::Failed));
            }
        }
    }

    fn act(&mut self, process: usize, action: MemberAction) {
        match action {
            MemberAction::Open { shard, .. } => match self.delay(process) {
                Some(delay) => self.at(delay, ModelEvent::Fence(process, action)),
                None => self.at(TIMEOUT, ModelEvent::Opened(process, shard, Err(NotOpened::Failed))),
            },
            MemberAction::HandOver { shard } => {
                let drain = Duration::from_millis(self.draw(2_000));
                self.end_engine(process, shard, drain);
            }
            MemberAction::Abandon { shard } => {
                let grace = Duration::from_millis(self.draw(200));
                self.end_engine(process, shard, grace);
            }
            MemberAction::GiveUp { shard, term } => {
                if let Some(delay) = self.delay(process) {
                    self.at(delay, ModelEvent::GiveUp(shard, term));
                }
            }
        }
    }

    /// An engine that ends is not ended again.
    fn end_engine(&mut self, process: usize, shard: u16, within: Duration) {
        if self.processes[process].closing.insert(shard) {
            self.at(within, ModelEvent::EngineEnded(process, shard));
        }
    }

    fn check(&self) {
        for shard in self.shards() {
            let serving: Vec<_> = self.serving(shard).collect();
            assert!(serving.len() <= 1, "shard {shard} is served by {}", self.describe());
        }
    }

    pub(super) fn shards(&self) -> core::ops::Range<u16> {
        0..u16::try_from(self.database.rows.shards.len()).expect("few shards")
    }

    /// The processes that serve a shard. One that is paused serves, too: it would, if it ran.
    pub(super) fn serving(&self, shard: u16) -> impl Iterator<Item = usize> {
        let processes = self.processes.iter().enumerate().filter(|(_, process)| process.is_alive);
        processes.map(|(process, _)| process).filter(move |process| self.serves(*process, shard))
    }

    fn serves(&self, process: usize, shard: u16) -> bool {
        self.processes[process].member.serves(self.local(process), shard)
    }

    /// The table, and each living process.
    pub(super) fn describe(&self) -> String {
        let of =
            |process: usize| format!("{process} at {:?}: {:?}\n", self.local(process), self.processes[process].member);
        let processes = self.living().into_iter().map(of);
        format!("{:?}\n{}", self.database.rows, processes.collect::<String>())
    }

    pub(super) fn unserved(&self) -> usize {
        self.shards().filter(|shard| self.serving(*shard).next().is_none()).count()
    }

    /// The number of shards that each living process serves.
    pub(super) fn loads(&self) -> Vec<usize> {
        let living = (0..self.processes.len()).filter(|process| self.processes[*process].is_alive);
        living.map(|process| self.shards().filter(|shard| self.serves(process, *shard)).count()).collect()
    }

    pub(super) fn living(&self) -> Vec<usize> {
        (0..self.processes.len()).filter(|process| self.processes[*process].is_alive).collect()
    }

    pub(super) fn kill(&mut self, process: usize) {
        self.processes[process].is_alive = false;
    }

    /// Lets time pass until a condition holds. Returns how long that took.
    pub(super) fn until(&mut self, most: Duration, what: &str, is_so: impl Fn(&Self) -> bool) -> Duration {
        let begun = self.now;
        while !is_so(self) {
            assert!(self.now < begun + most, "{what} within {most:?}: {:?}\n{}", self.loads(), self.describe());
            self.run(Duration::from_millis(10));
        }
        self.now - begun
    }
}

pub(super) fn node(number: u8) -> NodeId {
    format!("00000000-0000-4000-8000-0000000000{number:02}").parse().expect("a UUID")
}
