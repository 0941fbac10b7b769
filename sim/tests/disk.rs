//! The simulated disk behaves as its table says.

use eventful_sim::disk::{
    DiskError, DiskFault, DiskHandle, DiskTier, FaultInjector, Rest, SECTOR_BYTES, SimulatedDisk, UnsyncedLoss,
};
use eventful_sim::seeded_rng::{SeededRng, Stream};
use eventful_sim::tier::Tier as _;

fn stream() -> Stream {
    SeededRng::of(7).stream("a test")
}

fn disk() -> SimulatedDisk {
    SimulatedDisk::new(1 << 20, FaultInjector::none(stream()))
}

/// Returns a disk with one file of this content, synced.
fn with(content: &[u8]) -> (SimulatedDisk, DiskHandle) {
    let mut disk = disk();
    let file = disk.open(disk.life(), "a").expect("a new file");
    assert_eq!(disk.write(file, 0, content), Ok(content.len()));
    disk.sync(file).expect("an honest sync");
    disk.sync_names(disk.life()).expect("an honest sync");
    (disk, file)
}

fn content(disk: &mut SimulatedDisk) -> Vec<u8> {
    let file = disk.open(disk.life(), "a").expect("a file");
    let mut bytes = vec![0; disk.len(file).expect("a file") as usize];
    disk.read(file, 0, &mut bytes).expect("within the file");
    bytes
}

fn lose(disk: &mut SimulatedDisk, survivors: u64) {
    let mut stream = stream();
    disk.power_cut(UnsyncedLoss::Chosen { survivors, names: 0, rest: Rest::Lost, stream: &mut stream });
}

#[test]
fn synced_bytes_survive_a_power_cut_and_others_do_not() {
    let (mut disk, file) = with(b"old");
    assert_eq!(disk.write(file, 0, b"new and longer"), Ok(14));

    lose(&mut disk, 0);

    assert_eq!(content(&mut disk), b"old");
}

#[test]
fn every_subset_of_what_was_not_synced_can_survive() {
    let sectors = |survivors: u64| {
        let (mut disk, file) = with(&[1; 3 * SECTOR_BYTES]);
        assert_eq!(disk.write(file, 0, &[2; 3 * SECTOR_BYTES]), Ok(3 * SECTOR_BYTES));
        assert_eq!(disk.pending(), 3);
        lose(&mut disk, survivors);
        [0, 1, 2].map(|sector| content(&mut disk)[sector * SECTOR_BYTES])
    };
    assert_eq!(sectors(0b000), [1, 1, 1]);
    assert_eq!(sectors(0b101), [2, 1, 2]);
    assert_eq!(sectors(0b111), [2, 2, 2]);
}

#[test]
fn length_and_data_survive_a_power_cut_independently() {
    let after = |survivors: u64| {
        let (mut disk, file) = with(b"old");
        assert_eq!(disk.write(file, SECTOR_BYTES as u64, b"far"), Ok(3));
        lose(&mut disk, survivors);
        let bytes = content(&mut disk);
        (bytes.len(), bytes.get(SECTOR_BYTES).copied(), DiskTier::missing(disk.probes()))
    };
    let (len, byte, missing) = after(0b01);
    assert_eq!((len, byte, missing.contains(&DiskFault::LengthWithoutData.name())), (SECTOR_BYTES + 3, Some(0), false));
    let (len, byte, missing) = after(0b10);
    assert_eq!((len, byte, missing.contains(&DiskFault::DataWithoutLength.name())), (3, None, false));
}

#[test]
fn garbage_is_only_where_something_was_written() {
    for seed in 0..50 {
        let (mut disk, file) = with(&[7; SECTOR_BYTES]);
        assert_eq!(disk.write(file, 100, &[8; 50]), Ok(50));
        let mut stream = SeededRng::of(seed).stream("garbage");
        disk.power_cut(UnsyncedLoss::Chosen { survivors: 0, names: 0, rest: Rest::Garbage, stream: &mut stream });
        let bytes = content(&mut disk);
        assert!(bytes[..100].iter().chain(&bytes[150..]).all(|byte| *byte == 7), "seed {seed}");
        assert!(bytes[100..150].iter().any(|byte| *byte != 7), "seed {seed}");
    }
}

#[test]
fn regrown_file_has_zeros_behind_its_least_length() {
    let (mut disk, file) = with(&[9; 2 * SECTOR_BYTES]);
    disk.set_len(file, 10).expect("room");
    disk.set_len(file, 2 * SECTOR_BYTES as u64).expect("room");
    disk.sync(file).expect("an honest sync");

    lose(&mut disk, 0);

    let bytes = content(&mut disk);
    assert!(bytes[..10].iter().all(|byte| *byte == 9) && bytes[10..].iter().all(|byte| *byte == 0));
}

#[test]
fn killed_process_leaves_the_cache_and_its_handles_are_invalid() {
    let (mut disk, file) = with(b"old");
    assert_eq!(disk.write(file, 0, b"new"), Ok(3));

    disk.kill();

    assert_eq!(disk.write(file, 0, b"ghost"), Err(DiskError::Dead));
    assert_eq!((content(&mut disk), disk.pending()), (b"new".to_vec(), 1));
}

#[test]
fn name_that_was_not_synced_is_lost_in_order() {
    let mut disk = disk();
    for name in ["a", "b"] {
        disk.open(disk.life(), name).expect("a new file");
    }
    disk.rename(disk.life(), "a", "c").expect("a file");
    assert_eq!(disk.pending_names(), 3);

    disk.power_cut(UnsyncedLoss::Chosen { survivors: 0, names: 2, rest: Rest::Lost, stream: &mut stream() });

    assert_eq!(disk.names(disk.life()), Ok(vec!["a".to_owned(), "b".to_owned()]));
}

#[test]
fn sync_that_drops_shows_in_the_cache_until_an_eviction() {
    let (mut disk, file) = with(b"old");
    assert_eq!(disk.write(file, 0, b"new"), Ok(3));
    disk.trouble().arm(DiskFault::SyncDrops);

    assert_eq!((disk.sync(file), disk.sync(file)), (Err(DiskError::Io), Ok(())));

    assert_eq!(content(&mut disk), b"new");
    disk.evict();
    assert_eq!(content(&mut disk), b"old");
}

#[test]
fn sync_that_lies_persists_nothing() {
    let (mut disk, file) = with(b"old");
    assert_eq!(disk.write(file, 0, b"new"), Ok(3));
    disk.trouble().arm(DiskFault::SyncLies);

    assert_eq!(disk.sync(file), Ok(()));

    lose(&mut disk, 0);
    assert_eq!(content(&mut disk), b"old");
}

#[test]
fn stalled_sync_reports_its_duration() {
    let (mut disk, file) = with(b"old");
    disk.trouble().arm(DiskFault::SyncStalls);

    assert_eq!(disk.sync(file), Ok(()));

    assert!(disk.take_stalled() > 0);
    assert_eq!(disk.take_stalled(), 0);
}

#[test]
fn rot_changes_one_bit_permanently() {
    let (mut disk, _) = with(b"old");

    assert!(disk.rot(&mut stream()));

    let rotten = content(&mut disk);
    let bits: u32 = rotten.iter().zip(b"old").map(|(is, was)| (is ^ was).count_ones()).sum();
    assert_eq!(bits, 1);
    lose(&mut disk, 0);
    assert_eq!(content(&mut disk), rotten);
}

#[test]
fn reads_and_writes_go_astray_and_reads_are_stale() {
    let mut content = [1; 4 * SECTOR_BYTES];
    content[SECTOR_BYTES..].fill(2);
    let read = |disk: &mut SimulatedDisk, file| {
        let mut bytes = [0; SECTOR_BYTES];
        disk.read(file, 0, &mut bytes).expect("within the file");
        bytes[0]
    };
    let strike = |fault: DiskFault| {
        let (mut disk, file) = with(&content);
        assert_eq!(disk.write(file, 0, &[3; SECTOR_BYTES]), Ok(SECTOR_BYTES));
        disk.sync(file).expect("an honest sync");
        disk.trouble().arm(fault);
        (0..20).map(|_| read(&mut disk, file)).next().map(|first| (first, read(&mut disk, file)))
    };
    assert_eq!(strike(DiskFault::StaleRead), Some((1, 3)));
    assert_eq!(strike(DiskFault::MisdirectedRead).map(|(_, then)| then), Some(3));
    let (mut disk, file) = with(&content);
    disk.trouble().arm(DiskFault::MisdirectedWrite);
    assert_eq!(disk.write(file, 0, &[4; SECTOR_BYTES]), Ok(SECTOR_BYTES));
    let mut bytes = [0; 4 * SECTOR_BYTES];
    disk.read(file, 0, &mut bytes).expect("within the file");
    assert_eq!(bytes.iter().filter(|byte| **byte == 4).count(), SECTOR_BYTES);
}

#[test]
fn full_disk_and_a_dead_one_say_so() {
    let (mut disk, file) = with(b"old");
    disk.resize(100);
    assert_eq!(disk.write(file, 3, &[0; 98]), Err(DiskError::NoSpace));
    assert_eq!(disk.write(file, 3, &[0; 97]), Ok(97));
    disk.stop_after(1);
    assert_eq!(disk.write(file, 0, b"new"), Ok(3));
    assert_eq!((disk.write(file, 0, b"ghost"), disk.sync(file)), (Err(DiskError::Dead), Err(DiskError::Dead)));
}

#[test]
fn operations_fail_when_a_fault_is_armed() {
    let (mut disk, file) = with(b"old");
    for fault in [DiskFault::WriteFails, DiskFault::NoSpace] {
        disk.trouble().arm(fault);
        assert!(disk.write(file, 0, b"new").is_err());
    }
    disk.trouble().arm(DiskFault::ReadFails);
    assert_eq!(disk.read(file, 0, &mut [0]), Err(DiskError::Io));
    disk.trouble().arm(DiskFault::SyncFails);
    assert_eq!((disk.sync(file), disk.sync(file)), (Err(DiskError::Io), Ok(())));
    disk.trouble().arm(DiskFault::ShortWrite);
    assert!(disk.write(file, 0, b"longer than that").is_ok_and(|taken| taken < 16));
}
