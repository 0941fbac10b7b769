//! Where a journal goes on.

use super::frame::Link;
use super::sequence::Sequence;
use crate::engine::Epoch;

/// The place of the next frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    /// The next frame's number.
    pub(super) next: Sequence,
    /// The link of the frame before.
    pub(super) previous: Link,
    /// The last epoch.
    pub(super) epoch: Epoch,
}

impl Position {
    /// Before the first frame.
    pub(super) const START: Self = Self { next: Sequence::FIRST, previous: Link::NONE, epoch: Epoch::new(0) };
}
