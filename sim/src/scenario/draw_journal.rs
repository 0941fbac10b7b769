//! The journal of a scenario, and its faults.

use super::draw::CoreDraw;
use super::family::FaultFamily;
use super::units::MILLI;
use super::{Behaviour, CoreFault, Injection, Journaling, Settings};
use crate::disk::Ailment;
use crate::seeded_rng::Stream;

/// The error of a clock, in minutes: from what is noticed late to an empty battery.
const OFF_MINUTES: [u64; 5] = [2, 60, 24 * 60, 5 * 24 * 60, 30 * 24 * 60];

impl CoreDraw {
    pub(super) fn journaling(&self) -> Option<Journaling> {
        let draw = &mut self.rng.stream("journaling");
        // Each snapshot replays everything, so that long runs make as many as short ones.
        let length = u64::from(self.submits).div_ceil(20);
        self.has(FaultFamily::Journal).then(|| Journaling {
            relaxed_starts: draw.per_mille(250),
            snapshot_after_bytes: draw.pick(&[400, 1_500, 6_000, 1 << 20]) * length,
            reserve_bytes: draw.pick(&[0, 2_000, 20_000]),
            max_unsynced_bytes: draw.pick(&[300, 1_000, 1 << 20]),
            group_bytes: draw.pick(&[None, Some(1), Some(200), Some(600)]),
            part_bytes: draw.pick(&[None, Some(1), Some(200), Some(900)]),
            answer_timeout: Some(draw.pick(&[5, 50, 1_000, 4_000]) * MILLI),
            hides_room: draw.per_mille(600),
            failures: draw.pick(&[None, Some(1), Some(2)]),
        })
    }

    pub(super) fn journal(&self, settings: &Settings, faults: &mut Vec<CoreFault>) {
        let draw = &mut self.stream(FaultFamily::Journal);
        if draw.per_mille(700) {
            self.deaths(draw, faults);
        }
        if draw.per_mille(300) {
            self.killers(draw, settings, faults);
        }
        if draw.per_mille(250) {
            self.clocks(draw, faults);
        }
        if draw.per_mille(500) {
            for _ in 0..draw.between(1, u64::from(self.submits) / 24 + 3) {
                faults.push(disk(self.trouble(draw), draw));
            }
        }
        if draw.per_mille(500) {
            for _ in 0..draw.between(1, 3) {
                let lasts = draw.pick(&[1, 20, 500]) * draw.between(1, 4) * MILLI;
                faults.push(Injection::JournalStalled { lasts }.at(self.trouble(draw)));
            }
        }
        if draw.per_mille(400) {
            for _ in 0..draw.between(1, 6) {
                faults.push(Injection::SnapshotRots.at(self.trouble(draw)));
            }
        }
        if draw.per_mille(200) {
            let lasts = draw.pick(&[5, 100, 700]) * draw.between(1, 3) * MILLI;
            faults.push(Injection::DiskGone { lasts }.at(self.trouble(draw)));
        }
        if draw.per_mille(60) {
            faults.push(Injection::Fenced.at(self.trouble(draw)));
        }
    }

    /// Adds starts with a wrong clock, and perhaps one with a right clock again.
    fn clocks(&self, draw: &mut Stream, faults: &mut Vec<CoreFault>) {
        let mut at = self.trouble(draw);
        for _ in 0..draw.between(1, 4) {
            let by = if draw.per_mille(300) { 0 } else { draw.pick(&OFF_MINUTES) * 60_000 * MILLI };
            faults.push(Injection::ClockOff { by, behind: draw.per_mille(400) }.at(at));
            faults.push(Injection::Restart { lasts: draw.below(20) * MILLI }.at(at));
            at += draw.between(20, 400) * MILLI;
        }
    }

    /// Adds deaths of the process, some of them in quick succession, so that a recovery is interrupted.
    fn deaths(&self, draw: &mut Stream, faults: &mut Vec<CoreFault>) {
        for _ in 0..draw.between(1, u64::from(self.submits) / 60 + 2) {
            let (at, lasts) = (self.trouble(draw), draw.below(20) * MILLI);
            faults.push(death(at, lasts, draw));
            if draw.per_mille(300) {
                let at = at + draw.below(lasts / MILLI + 2) * MILLI;
                faults.push(Injection::DiesWriting { after: draw.below(8), power: draw.per_mille(700), lasts }.at(at));
            }
        }
    }

    /// Adds handlers that kill the process.
    fn killers(&self, draw: &mut Stream, settings: &Settings, faults: &mut Vec<CoreFault>) {
        let event = draw.below(u64::from(self.submits)) as u16;
        for attempt in 1..=draw.between(1, u64::from(settings.max_attempts) + 1) as u32 {
            let is_it = |fault: &CoreFault| matches!(fault.what, Injection::Handler { event: e, attempt: a, .. } if (e, a) == (event, attempt));
            faults.retain(|fault| !is_it(fault));
            faults.push(Injection::Handler { event, attempt, does: Behaviour::KillsProcess }.at(0));
        }
    }
}

fn death(at: u64, lasts: u64, draw: &mut Stream) -> CoreFault {
    match draw.below(4) {
        0 => Injection::Restart { lasts }.at(at),
        1 => Injection::PowerCut { lasts }.at(at),
        _ => Injection::DiesWriting { after: draw.below(8), power: draw.per_mille(700), lasts }.at(at),
    }
}

fn disk(at: u64, draw: &mut Stream) -> CoreFault {
    let how = match draw.below(8) {
        0 => Ailment::ShortWrite,
        1 => Ailment::WriteFails,
        2 => Ailment::NoSpace,
        3 => Ailment::ReadFails,
        4 => Ailment::SyncFails,
        5 => Ailment::SyncDrops,
        _ => {
            let left = draw.pick(&[0, 300, 2_000, 8_000]);
            return Injection::DiskFull { lasts: draw.between(1, 200) * MILLI, left }.at(at);
        }
    };
    Injection::DiskFails { how }.at(at)
}
