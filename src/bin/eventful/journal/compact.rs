//! `eventful journal compact`

use std::path::Path;
use std::process::ExitCode;

use eventful::Config;

use super::directory::{find, owner};
use crate::terminal::say;

/// Makes the journal as small as it can be.
pub(super) fn compact(directory: &Path) -> anyhow::Result<ExitCode> {
    let mut store = find(directory)?;
    let before = store.size_bytes()?;
    let at = store.compact(&owner("compact"), &Config::default())?;
    let after = store.size_bytes()?;
    say(&format!("journal    {}", directory.display()));
    say(&format!("snapshot   of everything before frame {at}"));
    say(&format!("size       {before} bytes became {after}"));
    Ok(ExitCode::SUCCESS)
}
