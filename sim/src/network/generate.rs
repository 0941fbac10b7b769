//! Generation of scenarios from seeds.

use std::num::NonZeroUsize;

use super::inside::Inside;
use super::journal::JournalSetup;
use super::scenario::{
    AdapterFault, ClientCall, ClientManner, HandlerEnding, HandlerScript, LinkFault, NetworkFault, NetworkFaultKind,
    NetworkSetup, Outage, Request, ScriptTurn, SubmittedItem,
};
use super::tier::NetworkScenario;
use crate::disk::Ailment;
use crate::scenario::{MILLI, Settings, SmallThresholds};
use crate::seeded_rng::{SeededRng, Stream};

/// The number of keys that clients share: few enough that clients meet on the same event.
const KEYS: u64 = 24;
/// The number of clients. A free choice: with three, two can conflict while a third uses the same events.
const CLIENTS: u64 = 3;
/// The number of requests of each client. A free choice: it sets how long a seed takes.
const REQUESTS: usize = 20;
/// The time in which clients send and faults begin. Ten times a typical timeout, so that retries happen within it.
const CHAOS_MS: u64 = 450;

/// A group of faults that is enabled or disabled as a whole.
struct NetworkFamily {
    label: &'static str,
    kind: fn(&mut Stream) -> NetworkFaultKind,
    /// The greatest number of them in one run.
    most: u64,
}

const FAMILIES: [NetworkFamily; 7] = [
    NetworkFamily { label: "links", kind: link, most: 5 },
    NetworkFamily { label: "outages", kind: outage, most: 2 },
    NetworkFamily { label: "channel", kind: channel, most: 5 },
    NetworkFamily { label: "tasks", kind: tasks, most: 5 },
    NetworkFamily { label: "breaks", kind: breaks, most: 1 },
    NetworkFamily { label: "pauses", kind: pause, most: 2 },
    NetworkFamily { label: "inside", kind: inside, most: 3 },
];

/// The families of scenarios with a journal.
const JOURNAL_FAMILIES: [NetworkFamily; 4] = [
    NetworkFamily { label: "ends", kind: end, most: 2 },
    NetworkFamily { label: "disk", kind: disk, most: 3 },
    NetworkFamily { label: "writer", kind: writer, most: 4 },
    NetworkFamily { label: "absent disk", kind: absent_disk, most: 2 },
];

impl NetworkScenario {
    /// Returns the scenario of this seed: three clients with twenty requests each.
    ///
    /// Each family of faults is disabled in half of all scenarios.
    pub fn generate(seed: u64) -> Self {
        let rng = SeededRng::of(seed);
        let mut families = rng.stream("families");
        let mut on = || families.per_mille(500);
        let mut faults = Vec::new();
        for NetworkFamily { label, kind, most } in &FAMILIES {
            let mut stream = rng.stream(label);
            let count = if on() { stream.between(1, *most) } else { 0 };
            faults.extend((0..count).map(|_| fault(&mut stream, *kind)));
        }
        let (scripted, manners, yields) = (on(), on(), on());
        let mut setup = setup(&mut rng.stream("setup"));
        setup.yields_per_mille *= u32::from(yields);
        if faults.iter().any(|fault| matches!(fault.kind, NetworkFaultKind::Inside(_))) {
            // Submitters must find the engine full to wait for room.
            setup.settings.max_pending = rng.stream("room").pick(&[1, 2, 3, setup.settings.max_pending]);
        }
        let mut journal = rng.stream("journal");
        if journal.per_mille(500) {
            setup.journal = Some(journal_setup(&mut journal));
            faults.extend(journal_faults(&rng, &mut journal));
            let stalls = stalls_beside_submitters(&mut rng.stream("stalls"), &faults);
            faults.extend(stalls);
        }
        if scripted {
            setup.scripts = scripts(&mut rng.stream("scripts"));
        }
        Self { operations: requests(&mut rng.stream("requests"), manners), faults, ..Self::of(seed, setup) }
    }
}

fn setup(rng: &mut Stream) -> NetworkSetup {
    let run_timeout = millis(rng, 20, 60);
    let max_pending = rng.pick(&[3, 10, 100, 100]);
    let (latency_ms, yields_per_mille) = (between(rng, 1, 20), rng.pick(&[50, 300, 700]));
    let (concurrency, channel_capacity) = (count(rng, &[1, 1, 2, 3, 8]), count(rng, &[1, 1, 2, 4, 16]));
    let (max_attempts, max_snoozes) = (rng.pick(&[1, 2, 3, 4]), rng.pick(&[0, 1, 3]));
    let (backoff_base, backoff_cap) = (millis(rng, 1, 15), millis(rng, 15, 60));
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
        max_records: max_pending.max(rng.pick(&[12, 1000, 1000])),
        max_bytes: Settings::PLENTY,
        max_event_bytes: 1 << 20,
        retention: rng.pick(&[100, 60_000, 60_000, 60_000]) * MILLI,
        failed_retention: rng.pick(&[None, None, Some(100 * MILLI), Some(60_000 * MILLI)]),
        max_failed_bytes: Settings::PLENTY,
        drops_oldest_failed: false,
        sweep_batch: count(rng, &[1, 4, 100]),
        sweep_interval: millis(rng, 10, 30),
        stuck_after: millis(rng, 30, 100),
        drain_timeout: millis(rng, 0, 80),
        abort_grace: millis(rng, 5, 20),
        overload_retry_after: None,
        sync_grace: None,
        thresholds: thresholds(rng),
        types: Vec::new(),
        unmatched_wait: false,
        max_follow_ups: None,
        groups: Vec::new(),
    };
    NetworkSetup { clients: CLIENTS as u8, latency_ms, yields_per_mille, settings, journal: None, scripts: Vec::new() }
}

/// Thresholds of the engine and of its driver, small in most runs.
fn thresholds(rng: &mut Stream) -> Option<SmallThresholds> {
    rng.per_mille(700).then(|| SmallThresholds {
        scan_limit: rng.pick(&[2, 5, 4096]),
        page_bytes: rng.pick(&[1, 30, 8 << 20]),
        history: rng.pick(&[1, 2, 8]),
        forgotten: rng.pick(&[1, 2, 1024]),
        downtimes: 256,
        hash_bits: rng.pick(&[1, 3, 64, 64]),
        split_at: 1024,
        part: rng.pick(&[None, Some(1), Some(2), Some(3)]),
        holds: rng.pick(&[None, None, Some(2), Some(4)]),
    })
}

fn journal_setup(rng: &mut Stream) -> JournalSetup {
    JournalSetup {
        syncs_starts: rng.per_mille(750),
        snapshot_after_bytes: rng.pick(&[300, 1500, 6000, 1 << 20]),
        sync_grace_ms: between(rng, 60, 120),
        answer_timeout_ms: between(rng, 15, 60),
    }
}

/// Returns the faults of the journal. Each family is disabled in half of the scenarios with a journal.
fn journal_faults(rng: &SeededRng, on: &mut Stream) -> Vec<NetworkFault> {
    let mut faults = Vec::new();
    for NetworkFamily { label, kind, most } in &JOURNAL_FAMILIES {
        let mut stream = rng.stream(label);
        let count = if on.per_mille(500) { stream.between(1, *most) } else { 0 };
        faults.extend((0..count).map(|_| fault(&mut stream, *kind)));
    }
    faults
}

/// Returns stalls of the writer beside submitters, so that results wait for the journal while others wait for room.
fn stalls_beside_submitters(rng: &mut Stream, faults: &[NetworkFault]) -> Vec<NetworkFault> {
    let submitters =
        faults.iter().filter(|fault| matches!(fault.kind, NetworkFaultKind::Inside(Inside::Submitters { .. })));
    submitters
        .flat_map(|fault| [20, 200].map(|most| (fault.at_ms, most)))
        .filter_map(|(at_ms, most)| {
            let at_ms = at_ms + between(rng, 0, most);
            let passes = rng.between(1, 3) as u8;
            let kind = NetworkFaultKind::Disturb { disturbance: AdapterFault::JournalStalls, passes };
            rng.per_mille(500).then_some(NetworkFault { at_ms, kind })
        })
        .collect()
}

fn requests(rng: &mut Stream, manners: bool) -> Vec<Request> {
    let count = REQUESTS * CLIENTS as usize;
    let mut requests: Vec<_> = (0..count).map(|n| request(rng, (n % CLIENTS as usize) as u8, manners)).collect();
    requests.sort_by_key(|request| request.at_ms);
    requests
}

fn request(rng: &mut Stream, client: u8, manners: bool) -> Request {
    let mut request = Request {
        client,
        at_ms: between(rng, 0, CHAOS_MS),
        call: call(rng),
        tries: rng.pick(&[1, 2, 3]),
        timeout_ms: between(rng, 20, 60),
        manner: if manners { manner(rng) } else { ClientManner::KeepsConnection },
    };
    if manners && matches!(request.call, ClientCall::Batch(_)) && rng.per_mille(300) {
        request.manner = ClientManner::SendsAllFirst { copies: between(rng, 20, 200) as u8 };
    }
    request
}

fn call(rng: &mut Stream) -> ClientCall {
    match rng.below(100) {
        0..45 => ClientCall::Submit(item(rng)),
        45..60 => ClientCall::SubmitByHeader(item(rng)),
        60..68 => ClientCall::Batch((0..rng.between(1, 5)).map(|_| item(rng)).collect()),
        68..76 => ClientCall::Look(key(rng)),
        76..78 => ClientCall::List,
        78..82 => ClientCall::Redrive(key(rng)),
        82..84 => ClientCall::RedriveAll,
        84..88 => ClientCall::Discard(key(rng)),
        88..90 => ClientCall::Pause,
        90..94 => ClientCall::Resume,
        94..96 => ClientCall::Stats,
        96..97 => ClientCall::Metrics,
        _ => ClientCall::Ready,
    }
}

fn key(rng: &mut Stream) -> u8 {
    rng.below(KEYS) as u8
}

/// Returns an item. One in ten has another payload than the others of its key.
fn item(rng: &mut Stream) -> SubmittedItem {
    SubmittedItem { key: key(rng), payload: u8::from(rng.per_mille(100)) }
}

fn manner(rng: &mut Stream) -> ClientManner {
    match rng.below(10) {
        0..5 => ClientManner::KeepsConnection,
        5..7 => ClientManner::OneConnection,
        7 => ClientManner::ClosesSending,
        8 => ClientManner::HangsUp { after_ms: between(rng, 0, 20) },
        _ => ClientManner::SendsHalf { after_ms: between(rng, 0, 40) },
    }
}

fn scripts(rng: &mut Stream) -> Vec<HandlerScript> {
    (0..KEYS as u8)
        .filter_map(|key| {
            let turns = (0..rng.below(4)).map(|_| turn(rng)).collect::<Vec<_>>();
            (!turns.is_empty()).then_some(HandlerScript { key, turns })
        })
        .collect()
}

fn turn(rng: &mut Stream) -> ScriptTurn {
    let ending = match rng.below(23) {
        20..22 => HandlerEnding::Follow,
        22 => HandlerEnding::FollowAndRetry,
        0..6 => HandlerEnding::Done,
        6..9 => HandlerEnding::Retry,
        9..11 => HandlerEnding::RetryAfter { after_ms: between(rng, 1, 80) },
        11 => HandlerEnding::Permanent,
        12 => HandlerEnding::Snooze { delay_ms: between(rng, 1, 80) },
        13 => HandlerEnding::Shortage { delay_ms: between(rng, 1, 80) },
        14 => HandlerEnding::Panic,
        15 => HandlerEnding::PanicAtCall,
        16 => HandlerEnding::Hang,
        17 => HandlerEnding::BeatForEver { every_ms: between(rng, 5, 20) },
        _ => HandlerEnding::LeaveTask { for_ms: between(rng, 10, 150) },
    };
    ScriptTurn { takes_ms: rng.pick(&[0, 0, 1, 5, 20]), ending }
}

fn fault(rng: &mut Stream, kind: fn(&mut Stream) -> NetworkFaultKind) -> NetworkFault {
    NetworkFault { at_ms: between(rng, 0, CHAOS_MS), kind: kind(rng) }
}

fn link(rng: &mut Stream) -> NetworkFaultKind {
    let trouble = match rng.below(6) {
        0 => LinkFault::Partition,
        1 => LinkFault::PartitionToServer,
        2 => LinkFault::PartitionToClient,
        3 => LinkFault::Hold,
        4 => LinkFault::Slow { latency_ms: between(rng, 10, 60) },
        _ => LinkFault::Loss { per_mille: between(rng, 50, 500) },
    };
    NetworkFaultKind::Link { client: rng.below(CLIENTS) as u8, trouble, for_ms: between(rng, 10, 150) }
}

fn outage(rng: &mut Stream) -> NetworkFaultKind {
    let timeout_ms = between(rng, 0, 60);
    let outage = match rng.below(6) {
        0..2 => Outage::Crash,
        2..4 => Outage::Shutdown { timeout_ms },
        4 => Outage::ShutdownTwice { timeout_ms, second_ms: between(rng, 0, 60) },
        _ => Outage::ShutdownUnawaited { timeout_ms },
    };
    NetworkFaultKind::Outage { outage, down_ms: between(rng, 0, 80) }
}

/// Returns an end of the process that a journal must survive.
fn end(rng: &mut Stream) -> NetworkFaultKind {
    let outage = match rng.below(5) {
        0 => Outage::Crash,
        1 => Outage::PowerCut,
        _ => Outage::CrashWriting { in_changes: rng.between(1, 12) as u8, power: rng.per_mille(500) },
    };
    NetworkFaultKind::Outage { outage, down_ms: between(rng, 0, 80) }
}

fn disk(rng: &mut Stream) -> NetworkFaultKind {
    if rng.per_mille(150) {
        return NetworkFaultKind::DiskFull { for_ms: between(rng, 20, 150) };
    }
    let trouble = rng.pick(&[
        Ailment::ShortWrite,
        Ailment::WriteFails,
        Ailment::NoSpace,
        Ailment::ReadFails,
        Ailment::SyncFails,
        Ailment::SyncFails,
        Ailment::SyncDrops,
    ]);
    NetworkFaultKind::Disk { trouble, times: 1 }
}

fn writer(rng: &mut Stream) -> NetworkFaultKind {
    let disturbance = if rng.per_mille(50) { AdapterFault::WriterPanics } else { AdapterFault::JournalStalls };
    NetworkFaultKind::Disturb { disturbance, passes: rng.between(1, 3) as u8 }
}

/// Returns a disk that is out of reach. Some last longer than the second after which readiness must report it.
fn absent_disk(rng: &mut Stream) -> NetworkFaultKind {
    let for_ms = if rng.per_mille(150) { between(rng, 1_100, 1_300) } else { between(rng, 20, 300) };
    if rng.per_mille(500) { NetworkFaultKind::DiskBlocks { for_ms } } else { NetworkFaultKind::DiskGone { for_ms } }
}

fn channel(rng: &mut Stream) -> NetworkFaultKind {
    let disturbance = rng.pick(&[
        AdapterFault::ChannelFull,
        AdapterFault::ReceiverDroppedAtSend,
        AdapterFault::TicketLost,
        AdapterFault::ReceiverDroppedAtTake,
    ]);
    NetworkFaultKind::Disturb { disturbance, passes: rng.between(1, 3) as u8 }
}

fn tasks(rng: &mut Stream) -> NetworkFaultKind {
    let disturbance = rng.pick(&[
        AdapterFault::DispatcherPanics,
        AdapterFault::SweeperPanics,
        AdapterFault::WorkerPanicsAtStart,
        AdapterFault::WorkerPanicsBeforeSettle,
        AdapterFault::WorkerPanicsAfterSettle,
        AdapterFault::ShutdownPanics,
    ]);
    NetworkFaultKind::Disturb { disturbance, passes: rng.between(1, 3) as u8 }
}

/// Rarely breaks the engine, as a broken engine hides what else it might do wrong.
fn breaks(rng: &mut Stream) -> NetworkFaultKind {
    if !rng.per_mille(200) {
        return tasks(rng);
    }
    let disturbance = rng.pick(&[AdapterFault::EngineBreaksAtSend, AdapterFault::EngineBreaksAtTake]);
    NetworkFaultKind::Disturb { disturbance, passes: 1 }
}

fn inside(rng: &mut Stream) -> NetworkFaultKind {
    NetworkFaultKind::Inside(match rng.per_mille(300) {
        true => Inside::UnpolledStart,
        false => Inside::Submitters { first: key(rng), count: rng.between(1, 6) as u8, for_ms: between(rng, 5, 400) },
    })
}

fn pause(rng: &mut Stream) -> NetworkFaultKind {
    NetworkFaultKind::Pause { for_ms: between(rng, 5, 100) }
}

fn between(rng: &mut Stream, least: u64, most: u64) -> u32 {
    rng.between(least, most) as u32
}

/// Returns a random number of milliseconds, in microseconds.
fn millis(rng: &mut Stream, least: u64, most: u64) -> u64 {
    rng.between(least, most) * MILLI
}

fn count(rng: &mut Stream, of: &[usize]) -> NonZeroUsize {
    NonZeroUsize::new(rng.pick(of)).unwrap_or(NonZeroUsize::MIN)
}
