//! Where a journal goes on.

use super::frame::FrameHash;
use super::sequence::Sequence;
use crate::engine::Epoch;

/// The place of the next frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FramePosition {
    /// The next frame's number.
    pub(super) next: Sequence,
    /// The link of the frame before.
    pub(super) previous: FrameHash,
    /// The last epoch.
    pub(super) epoch: Epoch,
}

impl FramePosition {
    /// Before the first frame.
    pub(super) const START: Self = Self { next: Sequence::FIRST, previous: FrameHash::NONE, epoch: Epoch::new(0) };
}
