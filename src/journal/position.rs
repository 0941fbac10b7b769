//! The position at which a journal continues.

use super::frame::FrameHash;
use super::sequence::Sequence;
use crate::engine::Epoch;

/// The position of the next frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FramePosition {
    /// The number of the next frame.
    pub(super) next: Sequence,
    /// The link of the frame before.
    pub(super) previous: FrameHash,
    /// The epoch of the last frame.
    pub(super) epoch: Epoch,
}

impl FramePosition {
    /// The position of the first frame.
    pub(super) const START: Self = Self { next: Sequence::FIRST, previous: FrameHash::NONE, epoch: Epoch::new(0) };
}
