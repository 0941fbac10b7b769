//! Random faults of each family.

use super::units::MILLI;
use super::{Behaviour, Injection, Loss, Settings};
use crate::seeded_rng::Stream;

pub(super) fn channel(draw: &mut Stream) -> Injection {
    match draw.below(24) {
        0 => Injection::ChannelFull { lasts: None },
        1..12 => Injection::ChannelFull { lasts: Some(draw.between(1, 200) * MILLI) },
        _ => Injection::ReceiverDropped { unnoticed: draw.below(200) * MILLI },
    }
}

pub(super) fn tickets(draw: &mut Stream) -> Injection {
    match draw.below(6) {
        0 => Injection::TicketLost { which: Loss::All },
        1..=2 => Injection::TicketLost { which: Loss::Middle },
        3 => Injection::TicketLost { which: Loss::Tail },
        4 => Injection::MarkerLost,
        _ => Injection::TicketTwice,
    }
}

pub(super) fn dispatcher(draw: &mut Stream, settings: &Settings) -> Injection {
    match draw.below(4) {
        0 => Injection::TicketLate { by: draw.pick(&[0, 5, 50, 500]) * MILLI, marker: false },
        1 => Injection::TicketLate { by: draw.pick(&[50, 1_000]) * MILLI, marker: true },
        2 => Injection::DispatcherStalled { lasts: draw.below(settings.stuck_after * 5 / MILLI) * MILLI },
        _ => Injection::DispatcherDies { lasts: draw.below(100) * MILLI },
    }
}

pub(super) fn sweeper(draw: &mut Stream) -> Injection {
    match draw.below(2) {
        0 => Injection::SweeperDies { lasts: draw.below(300) * MILLI },
        _ => Injection::SweepsDelayed { lasts: draw.below(500) * MILLI, by: draw.below(200) * MILLI },
    }
}

pub(super) fn clock(draw: &mut Stream) -> Injection {
    match draw.below(3) {
        0 => Injection::ClockForward { by: draw.below(2_000) * MILLI },
        1 => Injection::ClockBack { by: draw.below(1_000) * MILLI },
        _ => Injection::ProcessPauses { lasts: draw.below(1_000) * MILLI },
    }
}

pub(super) fn outcome(draw: &mut Stream) -> Behaviour {
    match draw.below(11) {
        9..=10 => Behaviour::Blocks { lasts: draw.pick(&[500, 1_000, 3_000, 30_000]) },
        0..=1 => Behaviour::Retry { after: None },
        2 => Behaviour::Retry { after: Some(draw.below(1_000) * MILLI) },
        3 => Behaviour::Permanent,
        4 => match draw.below(2_000) {
            delay @ 0..1_000 => Behaviour::Snooze { delay: delay * MILLI },
            delay => Behaviour::Shortage { delay: (delay - 1_000) * MILLI },
        },
        5 => Behaviour::Slow { lasts: draw.below(300) * MILLI },
        6 => Behaviour::Beating { lasts: draw.below(600) * MILLI, every: draw.between(1, 60) * MILLI },
        7 => Behaviour::ReportsTwice,
        _ => Behaviour::ReportsForeign,
    }
}

pub(super) fn crash(draw: &mut Stream, settings: &Settings) -> Behaviour {
    match draw.below(14) {
        12..=13 => Behaviour::NotCalled,
        0..=2 => Behaviour::PanicBefore,
        3..=5 => Behaviour::PanicAfter,
        6..=7 => Behaviour::Hang,
        8..=10 => Behaviour::Deaf { lasts: draw.below(settings.run_lifetime * 2 / MILLI) * MILLI },
        _ => Behaviour::Stuck,
    }
}
