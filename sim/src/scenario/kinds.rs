//! One fault of each family.

use super::units::MILLI;
use super::{Behaviour, Fault, Loss, Settings};
use crate::chance::Stream;

pub(super) fn channel(at: u64, draw: &mut Stream) -> Fault {
    match draw.below(24) {
        0 => Fault::ChannelFull { at, lasts: None },
        1..12 => Fault::ChannelFull { at, lasts: Some(draw.between(1, 200) * MILLI) },
        _ => Fault::ReceiverDropped { at, unnoticed: draw.below(200) * MILLI },
    }
}

pub(super) fn tickets(at: u64, draw: &mut Stream) -> Fault {
    match draw.below(6) {
        0 => Fault::TicketLost { at, which: Loss::All },
        1..=2 => Fault::TicketLost { at, which: Loss::Middle },
        3 => Fault::TicketLost { at, which: Loss::Tail },
        4 => Fault::MarkerLost { at },
        _ => Fault::TicketTwice { at },
    }
}

pub(super) fn dispatcher(at: u64, draw: &mut Stream, settings: &Settings) -> Fault {
    match draw.below(4) {
        0 => Fault::TicketLate { at, by: draw.pick(&[0, 5, 50, 500]) * MILLI, marker: false },
        1 => Fault::TicketLate { at, by: draw.pick(&[50, 1_000]) * MILLI, marker: true },
        2 => Fault::DispatcherStalled { at, lasts: draw.below(settings.stuck_after * 5 / MILLI) * MILLI },
        _ => Fault::DispatcherDies { at, lasts: draw.below(100) * MILLI },
    }
}

pub(super) fn sweeper(at: u64, draw: &mut Stream) -> Fault {
    match draw.below(2) {
        0 => Fault::SweeperDies { at, lasts: draw.below(300) * MILLI },
        _ => Fault::SweepsDelayed { at, lasts: draw.below(500) * MILLI, by: draw.below(200) * MILLI },
    }
}

pub(super) fn clock(at: u64, draw: &mut Stream) -> Fault {
    match draw.below(3) {
        0 => Fault::ClockForward { at, by: draw.below(2_000) * MILLI },
        1 => Fault::ClockBack { at, by: draw.below(1_000) * MILLI },
        _ => Fault::ProcessPauses { at, lasts: draw.below(1_000) * MILLI },
    }
}

pub(super) fn outcome(draw: &mut Stream) -> Behaviour {
    match draw.below(9) {
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
    match draw.below(12) {
        0..=2 => Behaviour::PanicBefore,
        3..=5 => Behaviour::PanicAfter,
        6..=7 => Behaviour::Hang,
        8..=10 => Behaviour::Deaf { lasts: draw.below(settings.run_lifetime * 2 / MILLI) * MILLI },
        _ => Behaviour::Stuck,
    }
}
