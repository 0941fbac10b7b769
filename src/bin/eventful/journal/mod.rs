//! `eventful journal`

mod backup;
mod by_status;
mod compact;
mod directory;
mod dump;
mod json;
pub(crate) mod options;
mod salvage;
mod verify;

use std::process::ExitCode;

use eventful::journal::{MaintainError, OpenError};
use options::{JournalCall, JournalOptions};

pub(crate) fn call(options: JournalOptions) -> anyhow::Result<ExitCode> {
    match options.call {
        JournalCall::Verify(of) => verify::verify(&of.directory),
        JournalCall::Dump(of) => dump::dump(&of.directory),
        JournalCall::Salvage { from, to } => salvage::salvage(&from.directory, &to),
        JournalCall::Compact(of) => compact::compact(&of.directory),
        JournalCall::Backup(options) => backup::backup(&options),
    }
}

/// Returns whether this is about a journal that a newer program wrote.
pub(crate) fn is_newer(error: &anyhow::Error) -> bool {
    let of_open = |error: &OpenError| matches!(error, OpenError::TooNew(_));
    let maintained = error.downcast_ref::<MaintainError>();
    error.downcast_ref().is_some_and(of_open)
        || maintained.is_some_and(|error| matches!(error, MaintainError::Open(OpenError::TooNew(_))))
}
