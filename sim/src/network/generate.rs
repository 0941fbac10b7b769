//! Scenarios from seeds.

use std::num::NonZeroUsize;

use super::inside::Inside;
use super::journal::JournalSetup;
use super::scenario::{
    Call, Disturbance, Ending, Fault, FaultKind, Item, Manner, Outage, Request, Script, Setup, Trouble, Turn,
};
use super::tier::Scenario;
use crate::chance::{Chance, Stream};
use crate::disk::Ailment;
use crate::scenario::{MILLI, Settings, SmallThresholds};

/// Keys that clients share.
const KEYS: u64 = 24;
/// Clients.
const CLIENTS: u64 = 3;
/// Requests of each client.
const REQUESTS: usize = 20;
/// How long clients ask and faults begin.
const CHAOS_MS: u64 = 450;

/// Faults that are on or off together.
struct Family {
    label: &'static str,
    kind: fn(&mut Stream) -> FaultKind,
    /// Of them in one run.
    most: u64,
}

const FAMILIES: [Family; 7] = [
    Family { label: "links", kind: link, most: 5 },
    Family { label: "outages", kind: outage, most: 2 },
    Family { label: "channel", kind: channel, most: 5 },
    Family { label: "tasks", kind: tasks, most: 5 },
    Family { label: "breaks", kind: breaks, most: 1 },
    Family { label: "pauses", kind: pause, most: 2 },
    Family { label: "inside", kind: inside, most: 3 },
];

/// Those of scenarios with a journal.
const JOURNAL_FAMILIES: [Family; 4] = [
    Family { label: "ends", kind: end, most: 2 },
    Family { label: "disk", kind: disk, most: 3 },
    Family { label: "writer", kind: writer, most: 4 },
    Family { label: "absent disk", kind: absent_disk, most: 2 },
];

impl Scenario {
    /// The scenario of this seed: three clients with twenty requests each.
    ///
    /// Each family of faults is off in half of all scenarios.
    pub fn generate(seed: u64) -> Self {
        let chance = Chance::of(seed);
        let mut families = chance.stream("families");
        let mut on = || families.per_mille(500);
        let mut faults = Vec::new();
        for Family { label, kind, most } in &FAMILIES {
            let mut stream = chance.stream(label);
            let count = if on() { stream.between(1, *most) } else { 0 };
            faults.extend((0..count).map(|_| fault(&mut stream, *kind)));
        }
        let (scripted, manners, yields) = (on(), on(), on());
        let mut setup = setup(&mut chance.stream("setup"));
        setup.yields_per_mille *= u32::from(yields);
        if faults.iter().any(|fault| matches!(fault.kind, FaultKind::Inside(_))) {
            // Those who wait for room must find that there is none.
            setup.settings.max_pending = chance.stream("room").pick(&[1, 2, 3, setup.settings.max_pending]);
        }
        let mut journal = chance.stream("journal");
        if journal.per_mille(500) {
            setup.journal = Some(journal_setup(&mut journal));
            faults.extend(journal_faults(&chance, &mut journal));
            let stalls = stalls_beside_submitters(&mut chance.stream("stalls"), &faults);
            faults.extend(stalls);
        }
        if scripted {
            setup.scripts = scripts(&mut chance.stream("scripts"));
        }
        Self { operations: requests(&mut chance.stream("requests"), manners), faults, ..Self::of(seed, setup) }
    }
}

fn setup(chance: &mut Stream) -> Setup {
    let run_timeout = millis(chance, 20, 60);
    let max_pending = chance.pick(&[3, 10, 100, 100]);
    let (latency_ms, yields_per_mille) = (between(chance, 1, 20), chance.pick(&[50, 300, 700]));
    let (concurrency, channel_capacity) = (count(chance, &[1, 1, 2, 3, 8]), count(chance, &[1, 1, 2, 4, 16]));
    let (max_attempts, max_snoozes) = (chance.pick(&[1, 2, 3, 4]), chance.pick(&[0, 1, 3]));
    let (backoff_base, backoff_cap) = (millis(chance, 1, 15), millis(chance, 15, 60));
    let settings = Settings {
        concurrency,
        channel_capacity,
        max_attempts,
        backoff_base,
        backoff_cap,
        backoff_jitter_percent: 50,
        max_retry_after: backoff_cap,
        max_snooze: backoff_cap,
        max_snoozes,
        max_refunds: 10,
        run_timeout,
        run_lifetime: run_timeout * 2,
        max_pending,
        max_records: max_pending.max(chance.pick(&[12, 1000, 1000])),
        max_bytes: Settings::PLENTY,
        max_event_bytes: 1 << 20,
        retention: chance.pick(&[100, 60_000, 60_000, 60_000]) * MILLI,
        failed_retention: chance.pick(&[None, None, Some(100 * MILLI), Some(60_000 * MILLI)]),
        max_failed_bytes: Settings::PLENTY,
        drops_oldest_failed: false,
        sweep_batch: count(chance, &[1, 4, 100]),
        sweep_interval: millis(chance, 10, 30),
        stuck_after: millis(chance, 30, 100),
        drain_timeout: millis(chance, 0, 80),
        abort_grace: millis(chance, 5, 20),
        overload_retry_after: None,
        sync_grace: None,
        thresholds: thresholds(chance),
    };
    Setup { clients: CLIENTS as u8, latency_ms, yields_per_mille, settings, journal: None, scripts: Vec::new() }
}

/// Thresholds of the engine and of what drives it, small in most runs.
fn thresholds(chance: &mut Stream) -> Option<SmallThresholds> {
    chance.per_mille(700).then(|| SmallThresholds {
        scan_limit: chance.pick(&[2, 5, 4096]),
        page_bytes: chance.pick(&[1, 30, 8 << 20]),
        history: chance.pick(&[1, 2, 8]),
        forgotten: chance.pick(&[1, 2, 1024]),
        downtimes: 256,
        hash_bits: chance.pick(&[1, 3, 64, 64]),
        split_at: 1024,
        part: chance.pick(&[None, Some(1), Some(2), Some(3)]),
        holds: chance.pick(&[None, None, Some(2), Some(4)]),
    })
}

fn journal_setup(chance: &mut Stream) -> JournalSetup {
    JournalSetup {
        syncs_starts: chance.per_mille(750),
        snapshot_after_bytes: chance.pick(&[300, 1500, 6000, 1 << 20]),
        sync_grace_ms: between(chance, 60, 120),
        answer_timeout_ms: between(chance, 15, 60),
    }
}

/// Each of these families is off in half of the scenarios with a journal, too.
fn journal_faults(chance: &Chance, on: &mut Stream) -> Vec<Fault> {
    let mut faults = Vec::new();
    for Family { label, kind, most } in &JOURNAL_FAMILIES {
        let mut stream = chance.stream(label);
        let count = if on.per_mille(500) { stream.between(1, *most) } else { 0 };
        faults.extend((0..count).map(|_| fault(&mut stream, *kind)));
    }
    faults
}

/// Has answers wait for the journal while other submitters wait for room, and ends while they are waited for.
fn stalls_beside_submitters(chance: &mut Stream, faults: &[Fault]) -> Vec<Fault> {
    let submitters = faults.iter().filter(|fault| matches!(fault.kind, FaultKind::Inside(Inside::Submitters { .. })));
    submitters
        .flat_map(|fault| [20, 200].map(|most| (fault.at_ms, most)))
        .filter_map(|(at_ms, most)| {
            let at_ms = at_ms + between(chance, 0, most);
            let passes = chance.between(1, 3) as u8;
            let kind = FaultKind::Disturb { disturbance: Disturbance::JournalStalls, passes };
            chance.per_mille(500).then_some(Fault { at_ms, kind })
        })
        .collect()
}

fn requests(chance: &mut Stream, manners: bool) -> Vec<Request> {
    let count = REQUESTS * CLIENTS as usize;
    let mut requests: Vec<_> = (0..count).map(|n| request(chance, (n % CLIENTS as usize) as u8, manners)).collect();
    requests.sort_by_key(|request| request.at_ms);
    requests
}

fn request(chance: &mut Stream, client: u8, manners: bool) -> Request {
    let mut request = Request {
        client,
        at_ms: between(chance, 0, CHAOS_MS),
        call: call(chance),
        tries: chance.pick(&[1, 2, 3]),
        timeout_ms: between(chance, 20, 60),
        manner: if manners { manner(chance) } else { Manner::KeepsConnection },
    };
    if manners && matches!(request.call, Call::Batch(_)) && chance.per_mille(300) {
        request.manner = Manner::SendsAllFirst { copies: between(chance, 20, 200) as u8 };
    }
    request
}

fn call(chance: &mut Stream) -> Call {
    match chance.below(100) {
        0..45 => Call::Submit(item(chance)),
        45..60 => Call::SubmitByHeader(item(chance)),
        60..68 => Call::Batch((0..chance.between(1, 5)).map(|_| item(chance)).collect()),
        68..76 => Call::Look(key(chance)),
        76..78 => Call::List,
        78..82 => Call::Redrive(key(chance)),
        82..84 => Call::RedriveAll,
        84..88 => Call::Discard(key(chance)),
        88..90 => Call::Pause,
        90..94 => Call::Resume,
        94..96 => Call::Stats,
        96..97 => Call::Metrics,
        _ => Call::Ready,
    }
}

fn key(chance: &mut Stream) -> u8 {
    chance.below(KEYS) as u8
}

/// One in ten submissions has another payload than the others of its key.
fn item(chance: &mut Stream) -> Item {
    Item { key: key(chance), payload: u8::from(chance.per_mille(100)) }
}

fn manner(chance: &mut Stream) -> Manner {
    match chance.below(10) {
        0..5 => Manner::KeepsConnection,
        5..7 => Manner::OneConnection,
        7 => Manner::ClosesSending,
        8 => Manner::HangsUp { after_ms: between(chance, 0, 20) },
        _ => Manner::SendsHalf { after_ms: between(chance, 0, 40) },
    }
}

fn scripts(chance: &mut Stream) -> Vec<Script> {
    (0..KEYS as u8)
        .filter_map(|key| {
            let turns = (0..chance.below(4)).map(|_| turn(chance)).collect::<Vec<_>>();
            (!turns.is_empty()).then_some(Script { key, turns })
        })
        .collect()
}

fn turn(chance: &mut Stream) -> Turn {
    let ending = match chance.below(20) {
        0..6 => Ending::Done,
        6..9 => Ending::Retry,
        9..11 => Ending::RetryAfter { after_ms: between(chance, 1, 80) },
        11 => Ending::Permanent,
        12 => Ending::Snooze { delay_ms: between(chance, 1, 80) },
        13 => Ending::Shortage { delay_ms: between(chance, 1, 80) },
        14 => Ending::Panic,
        15 => Ending::PanicAtCall,
        16 => Ending::Hang,
        17 => Ending::BeatForEver { every_ms: between(chance, 5, 20) },
        _ => Ending::LeaveTask { for_ms: between(chance, 10, 150) },
    };
    Turn { takes_ms: chance.pick(&[0, 0, 1, 5, 20]), ending }
}

fn fault(chance: &mut Stream, kind: fn(&mut Stream) -> FaultKind) -> Fault {
    Fault { at_ms: between(chance, 0, CHAOS_MS), kind: kind(chance) }
}

fn link(chance: &mut Stream) -> FaultKind {
    let trouble = match chance.below(6) {
        0 => Trouble::Partition,
        1 => Trouble::PartitionToServer,
        2 => Trouble::PartitionToClient,
        3 => Trouble::Hold,
        4 => Trouble::Slow { latency_ms: between(chance, 10, 60) },
        _ => Trouble::Loss { per_mille: between(chance, 50, 500) },
    };
    FaultKind::Link { client: chance.below(CLIENTS) as u8, trouble, for_ms: between(chance, 10, 150) }
}

fn outage(chance: &mut Stream) -> FaultKind {
    let timeout_ms = between(chance, 0, 60);
    let outage = match chance.below(6) {
        0..2 => Outage::Crash,
        2..4 => Outage::Shutdown { timeout_ms },
        4 => Outage::ShutdownTwice { timeout_ms, second_ms: between(chance, 0, 60) },
        _ => Outage::ShutdownUnawaited { timeout_ms },
    };
    FaultKind::Outage { outage, down_ms: between(chance, 0, 80) }
}

/// An end that a journal must survive.
fn end(chance: &mut Stream) -> FaultKind {
    let outage = match chance.below(5) {
        0 => Outage::Crash,
        1 => Outage::PowerCut,
        _ => Outage::CrashWriting { in_changes: chance.between(1, 12) as u8, power: chance.per_mille(500) },
    };
    FaultKind::Outage { outage, down_ms: between(chance, 0, 80) }
}

fn disk(chance: &mut Stream) -> FaultKind {
    if chance.per_mille(150) {
        return FaultKind::DiskFull { for_ms: between(chance, 20, 150) };
    }
    let trouble = chance.pick(&[
        Ailment::ShortWrite,
        Ailment::WriteFails,
        Ailment::NoSpace,
        Ailment::ReadFails,
        Ailment::SyncFails,
        Ailment::SyncFails,
        Ailment::SyncDrops,
    ]);
    FaultKind::Disk { trouble, times: 1 }
}

fn writer(chance: &mut Stream) -> FaultKind {
    let disturbance = if chance.per_mille(50) { Disturbance::WriterPanics } else { Disturbance::JournalStalls };
    FaultKind::Disturb { disturbance, passes: chance.between(1, 3) as u8 }
}

/// Some last longer than the second within which the server says so.
fn absent_disk(chance: &mut Stream) -> FaultKind {
    let for_ms = if chance.per_mille(150) { between(chance, 1_100, 1_300) } else { between(chance, 20, 300) };
    if chance.per_mille(500) { FaultKind::DiskBlocks { for_ms } } else { FaultKind::DiskGone { for_ms } }
}

fn channel(chance: &mut Stream) -> FaultKind {
    let disturbance = chance.pick(&[
        Disturbance::ChannelFull,
        Disturbance::ReceiverDroppedAtSend,
        Disturbance::TicketLost,
        Disturbance::ReceiverDroppedAtTake,
    ]);
    FaultKind::Disturb { disturbance, passes: chance.between(1, 3) as u8 }
}

fn tasks(chance: &mut Stream) -> FaultKind {
    let disturbance = chance.pick(&[
        Disturbance::DispatcherPanics,
        Disturbance::SweeperPanics,
        Disturbance::WorkerPanicsAtStart,
        Disturbance::WorkerPanicsBeforeSettle,
        Disturbance::WorkerPanicsAfterSettle,
        Disturbance::ShutdownPanics,
    ]);
    FaultKind::Disturb { disturbance, passes: chance.between(1, 3) as u8 }
}

/// Rare: an engine that is broken hides what else it might do wrong.
fn breaks(chance: &mut Stream) -> FaultKind {
    if !chance.per_mille(200) {
        return tasks(chance);
    }
    let disturbance = chance.pick(&[Disturbance::EngineBreaksAtSend, Disturbance::EngineBreaksAtTake]);
    FaultKind::Disturb { disturbance, passes: 1 }
}

fn inside(chance: &mut Stream) -> FaultKind {
    FaultKind::Inside(match chance.per_mille(300) {
        true => Inside::UnpolledStart,
        false => Inside::Submitters {
            first: key(chance),
            count: chance.between(1, 6) as u8,
            for_ms: between(chance, 5, 400),
        },
    })
}

fn pause(chance: &mut Stream) -> FaultKind {
    FaultKind::Pause { for_ms: between(chance, 5, 100) }
}

fn between(chance: &mut Stream, least: u64, most: u64) -> u32 {
    chance.between(least, most) as u32
}

/// So many milliseconds, in microseconds.
fn millis(chance: &mut Stream, least: u64, most: u64) -> u64 {
    chance.between(least, most) * MILLI
}

fn count(chance: &mut Stream, of: &[usize]) -> NonZeroUsize {
    NonZeroUsize::new(chance.pick(of)).unwrap_or(NonZeroUsize::MIN)
}
