//! `eventful journal dump`

use std::path::Path;
use std::process::ExitCode;

use eventful::journal::{Journal, JournalStore as _, Sequence, inspect};
use eventful::{Config, Cursor, engine::facts::Replay};

use serde_json::Value;

use super::directory::{find_read_only, owner};
use super::json;
use crate::terminal::{end_when_broken, say};

/// Records that are printed at once: any number that keeps memory small would do.
const PAGE: usize = 256;

/// Prints the records of a snapshot, then the facts after it.
pub(super) fn dump(directory: &Path) -> anyhow::Result<ExitCode> {
    let mut journal = find_read_only(directory)?.open(&owner("dump"))?;
    // Frames were trimmed: what they held is in the snapshot only.
    if journal.extent().first > Sequence::FIRST {
        dump_snapshot(&mut *journal)?;
    }
    inspect::facts(&mut *journal, &mut |header, fact| print(&json::fact(header, &fact)))?;
    Ok(ExitCode::SUCCESS)
}

/// Prints the records of the snapshot that holds the frames which were trimmed.
fn dump_snapshot(journal: &mut dyn Journal) -> anyhow::Result<()> {
    let first = journal.extent().first;
    let mut result = Ok(());
    inspect::snapshots(journal, &Config::default(), &mut |at, loaded| match loaded {
        Ok(replay) if at == first => dump_records(at, &replay),
        Err(error) if at == first => result = Err(error),
        Ok(_) | Err(_) => {}
    })?;
    Ok(result?)
}

fn dump_records(at: Sequence, replay: &Replay) {
    let mut cursor = Cursor::START;
    loop {
        let (page, after) = replay.kept(cursor, PAGE);
        if page.is_empty() {
            return;
        }
        page.iter().for_each(|kept| print(&json::record(at, kept)));
        cursor = after;
    }
}

fn print(value: &Value) {
    say(&value.to_string());
    end_when_broken();
}
