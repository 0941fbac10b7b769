//! `eventful journal`

mod compact;
mod dump;
mod json;
mod salvage;
mod verify;

use std::path::Path;
use std::process::ExitCode;

use eventful::Status;
use eventful::journal::{DiskStore, MaintainError, OpenError, Owner};

use crate::options::{JournalCall, JournalOptions};

pub(crate) fn call(options: JournalOptions) -> anyhow::Result<ExitCode> {
    match options.call {
        JournalCall::Verify(of) => verify::verify(&of.directory),
        JournalCall::Dump(of) => dump::dump(&of.directory),
        JournalCall::Salvage { from, to } => salvage::salvage(&from.directory, &to),
        JournalCall::Compact(of) => compact::compact(&of.directory),
    }
}

/// Whether this is about a journal that a newer program wrote.
pub(crate) fn is_newer(error: &anyhow::Error) -> bool {
    let of_open = |error: &OpenError| matches!(error, OpenError::TooNew(_));
    let maintained = error.downcast_ref::<MaintainError>();
    error.downcast_ref().is_some_and(of_open)
        || maintained.is_some_and(|error| matches!(error, MaintainError::Open(OpenError::TooNew(_))))
}

/// The journal in this directory. None is made.
fn find(directory: &Path) -> anyhow::Result<DiskStore> {
    anyhow::ensure!(DiskStore::is_in(directory)?, "{}: there is no journal in it", directory.display());
    Ok(DiskStore::new(directory))
}

/// The journal in this directory, to be looked at only.
fn look(directory: &Path) -> anyhow::Result<DiskStore> {
    Ok(find(directory)?.read_only())
}

/// This program, as an owner.
fn owner(verb: &str) -> Owner {
    Owner::new(format!("`eventful journal {verb}`, process {}", std::process::id()))
}

/// Records by status, in words.
fn describe(records: &[(Status, u64)]) -> String {
    let all: u64 = records.iter().map(|(_, count)| count).sum();
    let some: Vec<_> = records.iter().filter(|(_, count)| *count > 0).collect();
    let some: Vec<_> = some.into_iter().map(|(status, count)| format!("{count} {}", status.as_str())).collect();
    if some.is_empty() { "none".to_owned() } else { format!("{all}: {}", some.join(", ")) }
}
