//! The writer of the journal: its jobs, one after the other.
//!
//! ```text
//!   ┌──────────────────── notified, or time ────────────────────┐
//!   ▼                                                            │
//! Write ──Append──▶ Maintain ──(nothing to do)──▶ Rest ──Wait────┘
//!   ▲                  │  ▲                         │
//!   └──(more to do)────┘  └─────────Append──────────┘
//! ```

use core::time::Duration;

use crate::engine::Timestamp;

/// A job for the writer of the journal.
///
/// Exhaustive on purpose: a driver must do all of it, one at a time, and report the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a job that is not done is waited for"]
pub enum Job {
    /// Append the facts as one frame. Report [`appended`](super::Node::appended),
    /// [`refused`](super::Node::refused) or [`journal_failed`](super::Node::journal_failed).
    Append,
    /// Make a small step towards a snapshot. Report [`maintained`](super::Node::maintained) or
    /// [`journal_failed`](super::Node::journal_failed).
    Maintain,
    /// Seal the journal. Report only [`journal_failed`](super::Node::journal_failed).
    Seal,
    /// Measure the free room, and check whether the journal is reachable. Report [`measured`](super::Node::measured).
    Measure,
    /// Open the journal again. Report [`journal_opened`](super::Node::journal_opened) or
    /// [`journal_not_opened`](super::Node::journal_not_opened).
    Open,
    /// Wait to be woken, at most until then.
    Wait(Option<Timestamp>),
    /// Close the journal. Report [`journal_closed`](super::Node::journal_closed).
    Close,
}

/// The condition of the journal's room, as the last check found it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum JournalSpace {
    /// There is room for an event of any size that is allowed.
    #[default]
    Enough,
    /// An event may be refused as there is no room for it.
    Short,
    /// The journal is not there.
    Unreachable,
}

/// The time without a write after which a journal is sealed: long enough that a busy journal writes no seals, and
/// short enough that the last group of a quiet one does not look like a torn tail for long.
const SEAL_AFTER: Duration = Duration::from_millis(50);

/// The time between measurements of the free room: half of the second within which readiness reports a change.
const MEASURE_AFTER: Duration = Duration::from_millis(500);

/// The time between tries to open a journal again. If it were much shorter, a broken disk would be read all the time;
/// longer, a mended one would be used late.
const REOPEN_AFTER: Duration = Duration::from_secs(1);

/// The state of the writer.
#[derive(Debug)]
pub(super) struct WriterState {
    turn: WriterTurn,
    /// The group at hand was refused, and stays with the driver until there is room.
    is_refused: bool,
    /// The time at which something was last appended, until the journal is sealed.
    unsealed_since: Option<Timestamp>,
    found: JournalSpace,
    /// True if the journal can grow without a bound, so that it need not be measured.
    is_unbounded: bool,
    /// The time of its last check.
    checked_at: Timestamp,
    /// Openings since something was last appended.
    openings_in_vain: u32,
    /// The time before which no opening is tried.
    open_at: Timestamp,
    /// Frames that are durable.
    frames: u64,
    /// The time at which it began the job at hand.
    busy_since: Option<Timestamp>,
    reopenings: u64,
    is_closed: bool,
}

/// The next turn of the writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum WriterTurn {
    Write,
    Maintain,
    Rest,
}

impl WriterState {
    pub(super) const fn new(frames: u64) -> Self {
        Self {
            turn: WriterTurn::Write,
            is_refused: false,
            unsealed_since: None,
            found: JournalSpace::Enough,
            is_unbounded: false,
            // Long ago, so that a check is due as soon as there is nothing to write.
            checked_at: Timestamp::EPOCH,
            openings_in_vain: 0,
            open_at: Timestamp::EPOCH,
            frames,
            busy_since: None,
            reopenings: 0,
            is_closed: false,
        }
    }

    /// Creates the writer of a node without a journal.
    pub(super) const fn closed() -> Self {
        Self { is_closed: true, ..Self::new(0) }
    }

    /// Returns the next job on an open journal. `begin` prepares the next group, if there is one; `ends` says that
    /// nothing will be decided any more.
    pub(super) fn next_job(&mut self, now: Timestamp, mut begin: impl FnMut() -> bool, ends: bool) -> Job {
        // At the end no snapshot is begun or continued, and a group that was refused is tried a last time.
        let writes = ends || self.turn == WriterTurn::Write;
        if writes || self.turn == WriterTurn::Rest && !self.is_refused {
            // A refused group is with the driver already, so none is begun for it.
            if writes && self.is_refused || begin() {
                self.turn = WriterTurn::Maintain;
                return Job::Append;
            }
            // Sealed before it is closed, so that the next opening knows that no frame is missing at the end.
            if ends {
                return if self.unsealed_since.take().is_some() { Job::Seal } else { Job::Close };
            }
        }
        if !self.is_unbounded && self.checked_at + MEASURE_AFTER <= now {
            return Job::Measure;
        }
        let maintains = self.turn != WriterTurn::Rest && self.found != JournalSpace::Unreachable;
        // Alternates with writes, so that a snapshot never holds up more than one group.
        self.turn = if maintains { WriterTurn::Rest } else { WriterTurn::Write };
        // Nothing can be written to a journal that is not there, so no snapshot is tried in vain.
        if maintains {
            return Job::Maintain;
        }
        if self.unsealed_since.is_some_and(|since| since + SEAL_AFTER <= now) {
            self.unsealed_since = None;
            return Job::Seal;
        }
        Job::Wait(self.wakes_at())
    }

    /// Returns the time at which it has something to do for which nothing wakes it.
    fn wakes_at(&self) -> Option<Timestamp> {
        let measure = (!self.is_unbounded).then(|| self.checked_at + MEASURE_AFTER);
        self.unsealed_since.map(|since| since + SEAL_AFTER).into_iter().chain(measure).min()
    }

    /// Returns the next job on a journal that has failed.
    pub(super) fn next_opening(&self, now: Timestamp) -> Job {
        if now < self.open_at { Job::Wait(Some(self.open_at)) } else { Job::Open }
    }

    /// Records the job that the driver got.
    pub(super) fn begin_job(&mut self, now: Timestamp, job: Job) {
        // A writer that waits or has closed holds up nothing, and must not count as stalled.
        self.busy_since = (!matches!(job, Job::Wait(_) | Job::Close)).then_some(now);
    }

    pub(super) fn appended(&mut self, now: Timestamp, frames: u64) {
        (self.is_refused, self.openings_in_vain) = (false, 0);
        (self.unsealed_since, self.frames) = (Some(now), frames);
    }

    /// Records that the group at hand stays with the driver.
    pub(super) const fn refused(&mut self) {
        self.is_refused = true;
    }

    pub(super) const fn maintained(&mut self, more: bool) {
        if more {
            self.turn = WriterTurn::Write;
        }
    }

    /// Records that a snapshot was abandoned: the parts that were written are removed with the next seal. The reason
    /// may be the disk, so that is checked.
    pub(super) const fn leave_unsealed(&mut self, now: Timestamp) {
        // A check is due at once.
        (self.unsealed_since, self.checked_at) = (Some(now), Timestamp::EPOCH);
    }

    /// Records the result of a measurement. Returns whether it has changed.
    pub(super) fn measured(&mut self, now: Timestamp, found: JournalSpace, is_unbounded: bool) -> bool {
        self.checked_at = now;
        // A journal that refused a group has a bound, whatever it reports.
        self.is_unbounded = is_unbounded && found == JournalSpace::Enough && !self.is_refused;
        core::mem::replace(&mut self.found, found) != found
    }

    /// Records that the journal has failed. After an opening in vain the next one is not tried at once: perhaps the
    /// disk is full.
    pub(super) fn failed(&mut self, now: Timestamp) {
        (self.is_refused, self.unsealed_since, self.turn) = (false, None, WriterTurn::Write);
        // Tried at once if something was appended since the last opening; otherwise another one is likely to be in
        // vain, too.
        self.open_at = if self.openings_in_vain > 0 { now + REOPEN_AFTER } else { now };
    }

    /// Returns whether a journal with this many frames has lost some that were durable.
    pub(super) const fn lacks_frames(&self, frames: u64) -> bool {
        frames < self.frames
    }

    pub(super) const fn opened(&mut self) {
        // In vain until something is appended, which sets it to zero.
        (self.openings_in_vain, self.reopenings) = (self.openings_in_vain + 1, self.reopenings + 1);
        self.turn = WriterTurn::Write;
    }

    pub(super) fn not_opened(&mut self, now: Timestamp) {
        self.openings_in_vain += 1;
        self.open_at = now + REOPEN_AFTER;
    }

    pub(super) const fn close(&mut self) {
        (self.is_closed, self.busy_since) = (true, None);
    }

    /// Returns whether the journal is closed, or there is none.
    pub(super) const fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Returns the time at which it began the job at hand, if there is one.
    pub(super) const fn busy_since(&self) -> Option<Timestamp> {
        self.busy_since
    }

    /// Returns how many times the journal was opened again.
    pub(super) const fn reopenings(&self) -> u64 {
        self.reopenings
    }

    /// Adds to a hash what decides its further course.
    #[cfg(feature = "sim")]
    pub(super) fn fingerprint(&self, hasher: &mut impl core::hash::Hasher) {
        use core::hash::Hash as _;
        (self.turn, self.is_refused, self.unsealed_since, self.found, self.is_unbounded).hash(hasher);
        // Not the number of openings: only whether there was one in vain changes what comes next.
        (self.checked_at, self.openings_in_vain > 0, self.open_at, self.is_closed).hash(hasher);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    const START: Timestamp = Timestamp::from_micros(1_000_000_000);

    /// Takes jobs until it waits, and returns until when.
    fn until_it_waits(writer: &mut WriterState, now: Timestamp, mut groups: usize) -> Option<Timestamp> {
        for _ in 0..100 {
            let begin = || {
                let left = groups;
                groups = left.saturating_sub(1);
                left > 0
            };
            match writer.next_job(now, begin, false) {
                Job::Wait(until) => return until,
                Job::Measure => {
                    writer.measured(now, JournalSpace::Unreachable, false);
                }
                Job::Append => writer.appended(now, 1),
                Job::Maintain | Job::Seal | Job::Open | Job::Close => {}
            }
        }
        panic!("it spins");
    }

    #[test]
    fn writer_that_ends_closes_although_the_last_look_found_nothing() {
        let mut writer = WriterState::new(0);
        writer.measured(START, JournalSpace::Unreachable, false);
        assert_eq!(writer.next_job(START, || true, true), Job::Append);
        writer.appended(START, 1);
        assert_eq!(writer.next_job(START, || false, true), Job::Seal);
        assert_eq!(writer.next_job(START, || false, true), Job::Close);
    }

    #[test]
    fn writer_that_ends_tries_a_refused_group_at_once() {
        for jobs in 0..4 {
            let mut writer = WriterState::new(0);
            assert_eq!(writer.next_job(START, || true, false), Job::Append);
            writer.refused();
            writer.measured(START, JournalSpace::Short, false);
            let others = (0..jobs).filter(|_| writer.next_job(START, || false, false) == Job::Append).count();
            assert_eq!(others, usize::from(jobs > 2), "after a wait it is tried again");
            assert_eq!(writer.next_job(START, || false, true), Job::Append, "after {jobs} jobs");
        }
    }

    #[test]
    fn groups_and_steps_of_a_snapshot_take_turns() {
        for more in [false, true] {
            let mut writer = WriterState::new(0);
            writer.measured(START, JournalSpace::Enough, true);
            for turn in 0..3 {
                assert_eq!(writer.next_job(START, || true, false), Job::Append, "in turn {turn}");
                writer.appended(START, 1);
                assert_eq!(writer.next_job(START, || true, false), Job::Maintain, "in turn {turn}");
                writer.maintained(more);
            }
        }
    }

    #[test]
    fn abandoned_snapshot_is_followed_by_a_look_and_a_seal() {
        let mut writer = WriterState::new(0);
        writer.measured(START, JournalSpace::Enough, false);
        assert_eq!(until_it_waits(&mut writer, START, 0), Some(START + MEASURE_AFTER));

        writer.leave_unsealed(START);

        let mut jobs = Vec::new();
        for now in [START, START + SEAL_AFTER] {
            loop {
                let job = writer.next_job(now, || false, false);
                if matches!(job, Job::Wait(_)) {
                    break;
                }
                if job == Job::Measure {
                    writer.measured(now, JournalSpace::Enough, false);
                }
                jobs.push((now, job));
            }
        }
        jobs.retain(|(_, job)| *job != Job::Maintain);
        assert_eq!(jobs, [(START, Job::Measure), (START + SEAL_AFTER, Job::Seal)]);
    }

    #[test]
    fn writer_of_a_journal_that_is_not_there_waits_for_a_later_time() {
        let mut writer = WriterState::new(0);
        for now in [START, START + SEAL_AFTER, START + MEASURE_AFTER, START + MEASURE_AFTER * 2] {
            let until = until_it_waits(&mut writer, now, 1);
            assert!(until.is_some_and(|until| until > now), "{until:?} at {now:?}");
        }
    }
}
