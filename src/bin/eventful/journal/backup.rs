//! `eventful journal backup`

use std::process::ExitCode;

use eventful::journal::{BackedUp, DiskStore, Extent};
use serde_json::json;

use super::directory::{find, owner};
use super::options::BackupOptions;
use crate::terminal::say;

/// Copies what one directory holds now into another.
pub(super) fn backup(options: &BackupOptions) -> anyhow::Result<ExitCode> {
    let (from, to) = (find(&options.from.directory)?, &options.to);
    anyhow::ensure!(!DiskStore::is_in(to)?, "{}: there is a journal in it already: name a new one", to.display());
    let BackedUp { extent: Extent { first, end }, snapshots, bytes, .. } =
        from.backup(&DiskStore::new(to), &owner("backup"))?;
    if options.json {
        let (first, frames) = (first.number(), end.number() - first.number());
        let copied = json!({
            "journal": to, "first_frame": first, "frames": frames, "snapshots": snapshots, "bytes": bytes
        });
        say(&copied.to_string());
        return Ok(ExitCode::SUCCESS);
    }
    say(&format!("journal    {}", to.display()));
    match end.number() - first.number() {
        0 => say("frames     none"),
        frames => say(&format!("frames     {first} to {}: {frames}", end.previous())),
    }
    say(&format!("snapshots  {snapshots}"));
    say(&format!("copied     {bytes} bytes"));
    Ok(ExitCode::SUCCESS)
}
