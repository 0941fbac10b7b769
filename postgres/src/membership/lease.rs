//! The beats of a node, and until when it may serve.

use core::time::Duration;

use super::rows::ClusterRows;
use super::timing::Timing;

/// Beats after which a node knows which others live: each of these has shown two by then, the first of which was its start.
const ACQUAINTED: u32 = 4;

/// The statements of a node: a beat, if there is one, and in a *later* statement all rows.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Round {
    pub(crate) begun_at: Duration,
    pub(crate) beat: Option<NodeBeat>,
}

/// A change of the node's own row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NodeBeat {
    /// Puts the row there, with a higher beat than there was: a process that had it before is superseded.
    Join,
    /// Raises the beat to `to`, if it is less: a server that fails over may have lost some beats. A beat that is there already
    /// would prove nothing, as others may have seen it long ago, so each statement has a higher one.
    Raise { to: i64, is_leaving: bool },
}

/// The end of a round.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum RoundEnd {
    /// All was done.
    Done {
        /// The beat that the row has now, if the round had a beat.
        beat: Option<i64>,
        rows: ClusterRows,
    },
    /// The row has another beat, or is gone: it is another process's.
    Superseded,
    /// A result did not come, or not in time. Done or not.
    Failed,
}

/// The lease of this node.
#[derive(Debug, Default)]
pub(super) struct OwnLease {
    /// The last beat that was confirmed.
    beat: Option<i64>,
    /// The last beat that was sent.
    sent: i64,
    /// Beats that were confirmed.
    beats: u32,
    /// The time at which the last of them was sent, with the margin: what is owned may be served until then.
    until: Duration,
    /// The time since when the row says that this node leaves.
    leaves_since: Option<Duration>,
    next_beat: Duration,
    next_at: Duration,
    is_in_round: bool,
    is_superseded: bool,
}

impl OwnLease {
    pub(super) fn begin(&mut self, now: Duration, timing: Timing, is_leaving: bool) -> Option<Round> {
        if self.is_in_round || self.is_superseded || now < self.next_at {
            return None;
        }
        self.is_in_round = true;
        let is_due = now >= self.next_beat;
        if is_due {
            self.next_beat = now + timing.beat;
        }
        let beat = is_due.then(|| match self.beat {
            None => NodeBeat::Join,
            Some(_) => {
                self.sent += 1;
                NodeBeat::Raise { to: self.sent, is_leaving }
            }
        });
        Some(Round { begun_at: now, beat })
    }

    /// Takes the end of a round in. Returns what was read.
    pub(super) fn end(&mut self, now: Duration, timing: Timing, round: Round, end: RoundEnd) -> Option<ClusterRows> {
        self.is_in_round = false;
        self.next_at = self.next_beat.max(now);
        match end {
            RoundEnd::Done { beat, rows } => {
                if let Some(beat) = beat {
                    (self.beat, self.sent, self.beats) = (Some(beat), beat, self.beats.saturating_add(1));
                    if let Some(NodeBeat::Raise { is_leaving: true, .. }) = round.beat {
                        self.leaves_since = self.leaves_since.or(Some(now));
                    }
                    // From the time at which it was sent: others may have seen it at once.
                    self.until = round.begun_at + timing.lease - timing.margin;
                }
                Some(rows)
            }
            RoundEnd::Superseded => {
                (self.is_superseded, self.until) = (true, Duration::ZERO);
                None
            }
            RoundEnd::Failed => {
                self.next_at = now + timing.hurry;
                if round.beat.is_some() {
                    self.next_beat = self.next_at;
                }
                None
            }
        }
    }

    /// Brings the next round forward.
    pub(super) fn hurry(&mut self, at: Duration) {
        self.next_at = self.next_at.min(at);
    }

    /// Brings the next beat forward.
    pub(super) fn beat_soon(&mut self, now: Duration) {
        (self.next_beat, self.next_at) = (now, now);
    }

    /// Returns whether all others have read that this node leaves.
    pub(super) fn is_departure_known(&self, now: Duration, timing: Timing) -> bool {
        self.leaves_since.is_some_and(|since| now >= since + timing.beat)
    }

    pub(super) const fn is_superseded(&self) -> bool {
        self.is_superseded
    }

    /// Returns the highest beat that was sent.
    pub(super) const fn sent(&self) -> Option<i64> {
        match self.beat {
            Some(_) => Some(self.sent),
            None => None,
        }
    }

    pub(super) fn lasts(&self, now: Duration) -> bool {
        now < self.until
    }

    pub(super) const fn until(&self) -> Duration {
        self.until
    }

    /// Returns the time of the next round; none before the one at hand has ended.
    pub(super) const fn next_at(&self) -> Duration {
        if self.is_in_round || self.is_superseded { Duration::MAX } else { self.next_at }
    }

    /// Returns whether it has beaten often enough to know the others.
    pub(super) const fn is_acquainted(&self) -> bool {
        self.beats >= ACQUAINTED
    }
}
