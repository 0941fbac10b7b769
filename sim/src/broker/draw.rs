//! Random scenarios.

use super::scenario::{BrokerFault, BrokerFaultKind, BrokerKind, BrokerScenario, BrokerSetup, PublishedMessage};
use crate::seeded_rng::{SeededRng, Stream};

/// The time in which messages are published and faults begin: long beside every time of the setup.
const BUSY: u64 = 20_000_000;

const MILLI: u64 = 1_000;
const SECOND: u64 = 1_000_000;

/// Returns the scenario of a seed.
pub(super) fn scenario(seed: u64) -> BrokerScenario {
    let rng = SeededRng::of(seed);
    let mut scenario = BrokerScenario::of(seed, setup(&mut rng.stream("setup")));
    let mut draw = rng.stream("messages");
    // Bursts fill the bounds, and few messages over a long time meet each fault alone.
    let (count, busy) = (draw.between(1, 60), draw.pick(&[BUSY / 20, BUSY / 4, BUSY]));
    let ids = draw.between(1, count);
    scenario.operations = (0..count).map(|_| message(&mut draw, ids, busy, &scenario.setup)).collect();
    scenario.operations.sort_by_key(|message| message.at);
    let mut draw = rng.stream("faults");
    let count = draw.below(9);
    scenario.faults = (0..count).map(|_| fault(&mut draw, busy, scenario.setup.partitions())).collect();
    scenario.faults.sort_by_key(|fault| fault.at);
    scenario
}

fn setup(draw: &mut Stream) -> BrokerSetup {
    let ack_wait = draw.pick(&[200 * MILLI, SECOND, 5 * SECOND]);
    let kind = match draw.below(5) {
        0..2 => BrokerKind::Queue { ack_wait: Some(ack_wait) },
        2 => BrokerKind::Queue { ack_wait: None },
        _ => BrokerKind::Log { partitions: draw.pick(&[1, 2, 4]) },
    };
    BrokerSetup {
        kind,
        max_in_flight: draw.pick(&[1, 2, 5, 20, 100]),
        max_in_flight_bytes: draw.pick(&[1, 100, 2_000, 1 << 20]),
        max_pending: draw.pick(&[1, 3, 10, 1_000]),
        max_event_bytes: draw.pick(&[64, 400, 1_000]),
        retry_delay: draw.pick(&[20 * MILLI, 100 * MILLI, SECOND]),
        max_hold: draw.pick(&[300 * MILLI, 2 * SECOND, 10 * SECOND]),
        drain_timeout: draw.pick(&[50 * MILLI, SECOND, 5 * SECOND]),
        call_timeout: draw.pick(&[50 * MILLI, 500 * MILLI]),
        latency: draw.pick(&[100, 2 * MILLI, 10 * MILLI]),
        sync: draw.pick(&[100, 5 * MILLI, 50 * MILLI]),
        handler: draw.pick(&[100, 10 * MILLI, 400 * MILLI]),
    }
}

fn message(draw: &mut Stream, ids: u64, busy: u64, setup: &BrokerSetup) -> PublishedMessage {
    let most = u64::from(setup.max_event_bytes);
    let id = (!draw.per_mille(50)).then(|| u16::try_from(draw.below(ids)).unwrap_or_default());
    // Of one id all payloads have the same size, so that equal ones come again.
    let usual = 1 + u64::from(id.unwrap_or_default()) * 37 % (most / 2);
    let bytes = if draw.per_mille(50) { most + 1 } else { usual };
    PublishedMessage {
        at: draw.below(busy),
        id,
        payload: u8::from(draw.per_mille(150)),
        bytes: u32::try_from(bytes).unwrap_or(u32::MAX),
    }
}

fn fault(draw: &mut Stream, busy: u64, partitions: u8) -> BrokerFault {
    let lasts = draw.pick(&[5 * MILLI, 100 * MILLI, SECOND, 4 * SECOND]);
    let few = u16::try_from(draw.between(1, 12)).unwrap_or(1);
    let kind = match draw.below(13) {
        0 => BrokerFaultKind::ConfirmationsLost { calls: few },
        1 => BrokerFaultKind::CallsLost { calls: few },
        2 => BrokerFaultKind::DeliveredTwice { messages: few },
        3 => BrokerFaultKind::Reordered { lasts },
        4 => BrokerFaultKind::Slow { lasts },
        5 => BrokerFaultKind::Unreachable { lasts },
        6 => BrokerFaultKind::Revoked { partition: u8::try_from(draw.below(partitions.into())).unwrap_or(0), lasts },
        7 => BrokerFaultKind::Crash { lasts },
        8 => BrokerFaultKind::ConsumerRestarts,
        9 => BrokerFaultKind::Shutdown { lasts },
        10 => BrokerFaultKind::JournalFails,
        11 => BrokerFaultKind::JournalStalls { lasts },
        _ => BrokerFaultKind::HandlersStall { lasts },
    };
    BrokerFault { at: draw.below(busy), kind }
}
