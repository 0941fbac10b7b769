//! `eventful journal backup`

use std::path::Path;
use std::process::ExitCode;

use eventful::journal::{BackedUp, DiskStore, Extent};

use super::directory::{find, owner};
use crate::terminal::say;

/// Copies what `from` holds now into `to`.
pub(super) fn backup(from: &Path, to: &Path) -> anyhow::Result<ExitCode> {
    let from = find(from)?;
    anyhow::ensure!(!DiskStore::is_in(to)?, "{}: there is a journal in it already: name a new one", to.display());
    let BackedUp { extent: Extent { first, end }, snapshots, bytes, .. } =
        from.backup(&DiskStore::new(to), &owner("backup"))?;
    say(&format!("journal    {}", to.display()));
    match end.number() - first.number() {
        0 => say("frames     none"),
        frames => say(&format!("frames     {first} to {}: {frames}", end.previous())),
    }
    say(&format!("snapshots  {snapshots}"));
    say(&format!("copied     {bytes} bytes"));
    Ok(ExitCode::SUCCESS)
}
