//! An interceptor that keeps a copy of each frame.

use std::sync::{Arc, Mutex};

use eventful::journal::{Intercept, Journal, Sequence, WriteError};

/// The frames that were appended, in their order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Recorded(Arc<Mutex<Vec<Vec<u8>>>>);

impl Recorded {
    /// Takes out the frames so far.
    pub(crate) fn take(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.0.lock().expect("no panic"))
    }
}

impl Intercept for Recorded {
    fn append(&mut self, journal: &mut dyn Journal, expected: Sequence, frame: &[u8]) -> Result<(), WriteError> {
        self.0.lock().expect("no panic").push(frame.to_vec());
        journal.append(expected, frame)
    }
}
