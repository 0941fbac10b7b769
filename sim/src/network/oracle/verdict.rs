//! The verdict of an oracle.

use crate::failure::Broken;

/// Nothing, or the promise that is broken.
pub(in crate::network) type Verdict = Result<(), Broken>;

/// Returns the broken promise unless it is so.
pub(in crate::network) fn holds(it_is_so: bool, broken: impl FnOnce() -> Broken) -> Verdict {
    if it_is_so { Ok(()) } else { Err(broken()) }
}
