//! The journal that a directory holds, and this program as its owner.

use std::path::Path;

use eventful::journal::{DiskStore, Owner};

/// The journal in this directory. None is made.
pub(super) fn find(directory: &Path) -> anyhow::Result<DiskStore> {
    anyhow::ensure!(DiskStore::is_in(directory)?, "{}: there is no journal in it", directory.display());
    Ok(DiskStore::new(directory))
}

/// The journal in this directory, to be looked at only.
pub(super) fn look(directory: &Path) -> anyhow::Result<DiskStore> {
    Ok(find(directory)?.read_only())
}

/// This program, as an owner.
pub(super) fn owner(verb: &str) -> Owner {
    Owner::new(format!("`eventful journal {verb}`, process {}", std::process::id()))
}
