//! How much is kept of the errors of an event.

use eventful::{ErrorText, PastAttempt, RecordView};

/// The bytes of the errors that are kept of one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Errors {
    /// Of the last one.
    last: usize,
    /// Of those of past attempts, the newest first.
    past: [usize; RecordView::MAX_HISTORY],
}

impl Errors {
    /// An attempt ended, with this error or with none.
    pub(super) fn add(&mut self, error: Option<&ErrorText>) {
        let text = error.map_or("", ErrorText::as_str);
        self.last = error.map_or(self.last, |_| text.len());
        self.past.rotate_right(1);
        self.past[0] = text.floor_char_boundary(PastAttempt::MAX_ERROR_BYTES);
    }

    /// All of them.
    pub(super) fn bytes(&self) -> usize {
        self.last + self.past.iter().sum::<usize>()
    }
}
