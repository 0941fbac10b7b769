//! Recovery of a journal with one damaged part that its store does not detect.

use eventful::engine::facts::DurableState;
use eventful::journal::{OpenError, Owner, recover};
use eventful_sim::disk::{
    BusyEngine, Damage, DamagedStore, DriveStore, ExpectedLog, FaultInjector, SharedDisk, SimulatedDisk, open,
};
use eventful_sim::seeded_rng::SeededRng;

/// Returns a journal with two snapshots, and frames behind them.
fn journal() -> DriveStore {
    let rng = SeededRng::of(7);
    let mut store =
        DriveStore::new(SharedDisk::new(SimulatedDisk::new(64 << 20, FaultInjector::none(rng.stream("trouble")))));
    let (mut ledger, mut stream) = (ExpectedLog::default(), rng.stream("history"));
    let opened = open(&mut store, u64::MAX).expect("a sound disk");
    let (mut writer, facts) = opened.begin(&ledger).expect("the first epoch");
    writer.append(&facts, &mut ledger, &|| 0).expect("facts of an engine").expect("a sound disk");
    for group in 0..9 {
        let facts = writer.history.advance(&mut stream);
        writer.append(&facts, &mut ledger, &|| 0).expect("facts of an engine").expect("a sound disk");
        if group == 3 || group == 6 {
            writer.tend(true).expect("a sound disk");
        }
    }
    store
}

/// Returns the state that is recovered with this damage, and whether the damaged part was read.
fn damaged(store: &DriveStore, damage: Damage) -> (Result<DurableState, OpenError>, bool) {
    let mut store = DamagedStore::new(store.clone(), damage);
    let recovered = recover(&mut store, &Owner::new("a test"), &BusyEngine::config(), u64::MAX, &mut |_| {});
    (recovered.map(|recovered| recovered.replay.state()), store.has_struck())
}

#[test]
fn damaged_frame_is_refused() {
    let store = journal();
    for bit in (0..2_000).step_by(23) {
        let (found, has_struck) = damaged(&store, Damage::Frame { bit });
        assert!(has_struck && matches!(found, Err(OpenError::Corrupt(_))), "bit {bit}: {found:?}");
    }
}

#[test]
fn frame_of_another_history_is_refused() {
    let (found, has_struck) = damaged(&journal(), Damage::Stranger);
    assert!(has_struck && matches!(found, Err(OpenError::Corrupt(_))), "{found:?}");
}

#[test]
fn damaged_snapshot_is_no_loss() {
    let mut store = journal();
    let whole = recover(&mut store, &Owner::new("a test"), &BusyEngine::config(), u64::MAX, &mut |_| {});
    let whole = whole.expect("a sound disk").replay.state();
    for bit in (0..2_000).step_by(23) {
        let (found, has_struck) = damaged(&store, Damage::Snapshot { bit });
        assert_eq!(found, Ok(whole.clone()), "bit {bit}");
        assert!(has_struck);
    }
}
