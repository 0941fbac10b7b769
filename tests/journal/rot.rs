//! Snapshots that rot while the journal is open, and of which the store says so.

use std::collections::BTreeMap;

use eventful::journal::{JournalLog, MaintainError, Maintained, MemoryStore, OpenError, Owner};
use eventful::journal::{Recovered, Sequence, recover};
use eventful::{
    engine::facts::{DurableState, Fact},
    metrics::Gauges,
};

use crate::script::{ScriptDriver, ScriptMove, config, start};
use crate::watched::WatchedStore;

#[test]
fn damaged_snapshot_is_passed_over_for_the_older_one() {
    for rotten_from in 0..4 {
        let mut journal = RottingJournal::new();
        let sound = journal.make();
        journal.submit(20);
        let rotten = journal.make();
        journal.watched.notes().rotten.insert(rotten, rotten_from);
        journal.submit(20);

        let made = journal.make();

        assert_eq!(journal.log.drain_damaged().len(), 1);
        let (extent, snapshots) = journal.watched.look();
        assert_eq!((extent.first, snapshots), (sound, vec![sound, rotten, made]), "part {rotten_from}");
        assert_eq!(journal.reopened(), journal.state());
        journal.watched.notes().rotten.insert(made, 0);
        assert_eq!(journal.reopened(), journal.state(), "the sound one is another way back");
    }
}

#[test]
fn rotten_snapshot_is_dropped_once_two_sound_ones_follow() {
    let mut journal = RottingJournal::new();
    journal.make();
    journal.submit(20);
    let rotten = journal.make();
    journal.watched.notes().rotten.insert(rotten, 0);
    journal.submit(20);
    let first = journal.make();
    journal.submit(20);

    let second = journal.make();

    assert_eq!(journal.watched.look().1, [first, second]);
    assert_eq!(journal.reopened(), journal.state());
}

#[test]
fn damaged_snapshots_are_all_passed_over_for_the_first_frame() {
    let mut journal = RottingJournal::new();
    let rotten = journal.make();
    journal.watched.notes().rotten.insert(rotten, 0);
    journal.submit(20);

    journal.make();

    assert_eq!(journal.watched.look().0.first, Sequence::FIRST, "nothing is trimmed that was not found sound");
    assert_eq!(journal.reopened(), journal.state());
}

#[test]
fn snapshot_that_is_damaged_when_it_is_read_back_trims_nothing() {
    let mut journal = RottingJournal::new();
    let sound = journal.make();
    journal.submit(20);
    let before = journal.watched.look().0.first;
    journal.watched.notes().next_rots = Some(1);

    let failed = journal.try_to_make();

    assert!(matches!(failed, Err(MaintainError::Open(OpenError::Corrupt(_)))), "{failed:?}");
    assert_eq!(journal.watched.look().0.first, before);
    assert_eq!(journal.reopened(), journal.state());
    let made = journal.try_to_make().expect("the next one is sound");
    let (extent, snapshots) = journal.watched.look();
    assert_eq!((extent.first, snapshots), (sound, vec![sound, made]), "it took the place of the damaged one");
}

#[test]
fn complete_snapshot_is_made_again_only_if_it_is_damaged() {
    let mut journal = RottingJournal::new();
    journal.make();
    journal.submit(5);
    let at = journal.make();
    let parts = journal.watched.notes().parts.len();
    assert_eq!(journal.log.snapshot(), Ok(at));
    assert_eq!(journal.watched.notes().parts.len(), parts, "it is there");

    journal.watched.notes().rotten.insert(at, 1);

    assert_eq!(journal.log.snapshot(), Ok(at));
    assert_eq!(journal.watched.notes().rotten, BTreeMap::new());
    assert_eq!(journal.reopened(), journal.state());
}

#[test]
fn snapshots_that_damage_fails_are_tried_at_growing_intervals() {
    let mut journal = RottingJournal::new();
    journal.make();
    let end = journal.log.next();
    journal.watched.notes().rotten_frames = Some(end);
    let mut failed = Vec::new();
    for n in 0..400 {
        journal.submit(1);
        loop {
            match journal.step() {
                Ok(Maintained::Nothing) => break,
                Ok(Maintained::More | Maintained::Snapshot(_)) => {}
                Err(_) => break failed.push(n),
            }
        }
    }
    let waits: Vec<_> = failed.windows(2).map(|two| two[1] - two[0]).collect();
    assert!((3..=8).contains(&failed.len()), "{failed:?}");
    assert!(waits.is_sorted() && waits.windows(2).all(|two| two[1] >= two[0] * 3 / 2), "{waits:?}");

    journal.watched.notes().rotten_frames = None;
    journal.make();
    assert_eq!(journal.reopened(), journal.state());
}

#[test]
fn recovery_names_the_snapshots_that_it_passed_over() {
    let mut journal = RottingJournal::new();
    journal.make();
    journal.submit(5);
    let rotten = journal.make();
    journal.watched.notes().rotten.insert(rotten, 0);

    let mut log = journal.recover().log;

    let damaged: Vec<_> = log.drain_damaged().into_iter().map(|corrupt| corrupt.at).collect();
    assert_eq!(damaged, [format!("snapshot {rotten}, part 0")]);
    assert_eq!(log.drain_damaged(), []);
}

/// An engine with a journal.
struct RottingJournal {
    watched: WatchedStore,
    log: JournalLog,
    driver: ScriptDriver,
    submitted: u8,
}

impl RottingJournal {
    /// With some events.
    fn new() -> Self {
        let watched = WatchedStore::new(MemoryStore::new());
        let opened = recover(&mut watched.store(), &Owner::new("a test"), &config(), 4000, &mut |_| {});
        let Recovered { mut log, replay, .. } = opened.expect("an empty journal");
        log.bound_parts(700);
        let (driver, opening) = ScriptDriver::open(replay, start());
        log.append(&opening).expect("memory");
        let mut journal = Self { watched, log, driver, submitted: 0 };
        journal.submit(20);
        journal
    }

    /// Accepts so many events, of which every other one ends.
    fn submit(&mut self, events: u8) {
        for _ in 0..events {
            self.submitted = self.submitted.wrapping_add(1);
            let id = self.submitted;
            let mut facts: Vec<Fact> =
                self.driver.make(&ScriptMove::Submit { id, payload: vec![id; 100], extras: false });
            if id.is_multiple_of(2) {
                facts.extend(self.driver.make(&ScriptMove::Start));
                facts.extend(self.driver.make(&ScriptMove::Discard(id)));
            }
            self.log.append(&facts).expect("memory");
        }
    }

    fn make(&mut self) -> Sequence {
        self.try_to_make().expect("memory")
    }

    fn try_to_make(&mut self) -> Result<Sequence, MaintainError> {
        self.log.snapshot()
    }

    fn step(&mut self) -> Result<Maintained, MaintainError> {
        self.log.maintain(&Gauges::default)
    }

    fn state(&self) -> DurableState {
        self.driver.engine.durable_state()
    }

    fn recover(&self) -> Recovered {
        let mut copy = self.watched.copy().store();
        recover(&mut copy, &Owner::new("a look"), &config(), u64::MAX, &mut |_| {}).expect("there is a way back")
    }

    fn reopened(&self) -> DurableState {
        self.recover().replay.state()
    }
}
