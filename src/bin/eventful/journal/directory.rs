//! The journal that a directory holds, and this program as its owner.

use std::path::Path;

use eventful::journal::{DiskStore, Owner};

/// Returns the journal in this directory, which must exist.
pub(super) fn find(directory: &Path) -> anyhow::Result<DiskStore> {
    anyhow::ensure!(DiskStore::is_in(directory)?, "{}: there is no journal in it", directory.display());
    Ok(DiskStore::new(directory))
}

/// Returns the journal in this directory, for reading only.
pub(super) fn find_read_only(directory: &Path) -> anyhow::Result<DiskStore> {
    Ok(find(directory)?.read_only())
}

/// Returns this program as an owner.
pub(super) fn owner(verb: &str) -> Owner {
    Owner::new(format!("`eventful journal {verb}`, process {}", std::process::id()))
}
