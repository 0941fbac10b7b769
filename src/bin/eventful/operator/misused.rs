//! Commands that were used in a wrong way.

use std::fmt;

/// Arguments that no server can do anything with, and the ones to give instead.
#[derive(Debug)]
pub(crate) struct Misused(pub(super) String);

impl fmt::Display for Misused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Misused {}
