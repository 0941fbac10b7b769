//! A disk that does not do what it is asked, as a reason not to open.

use eventful::journal::OpenError;

use super::medium::DiskError;

/// The refusal to open a journal when the disk fails at `place`.
pub(super) fn refused(place: &str, error: DiskError) -> OpenError {
    OpenError::Io { place: place.to_owned(), cause: error.to_string() }
}
