//! `eventful journal verify`

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;

use eventful::Config;
use eventful::journal::{Extent, Journal, JournalStore as _, OpenError, Recovered, inspect, recover};

use super::by_status::describe;
use super::directory::{find_read_only, owner};
use crate::terminal::{say, warn};

/// Checks everything, and reports what it holds.
pub(super) fn verify(directory: &Path) -> anyhow::Result<ExitCode> {
    let mut store = find_read_only(directory)?;
    say(&format!("journal    {}", directory.display()));
    match store.open(&owner("verify")) {
        Err(error @ OpenError::Corrupt(_)) => return Ok(damaged(&[error])),
        Err(error) => return Err(error.into()),
        Ok(mut journal) => {
            let damage = parts(&mut *journal)?;
            if !damage.is_empty() {
                return Ok(damaged(&damage));
            }
        }
    }
    // Then as a start reads it, which finds facts that contradict each other.
    match recover(&mut store, &owner("verify"), &Config::default(), u64::MAX, &mut |_| {}) {
        Err(error @ OpenError::Corrupt(_)) => return Ok(damaged(&[error])),
        Err(error) => return Err(error.into()),
        Ok(Recovered { replay, .. }) => {
            say(&format!("records    {}", describe(&inspect::records(&replay))));
            if let Err(violation) = replay.check() {
                warn(&format!("damaged: {violation}"));
                return Ok(ExitCode::FAILURE);
            }
        }
    }
    say("sound");
    Ok(ExitCode::SUCCESS)
}

fn damaged(errors: &[OpenError]) -> ExitCode {
    errors.iter().for_each(|error| warn(&format!("damaged: {error}")));
    ExitCode::FAILURE
}

/// Reads all frames and all snapshots, and returns the damage.
fn parts(journal: &mut dyn Journal) -> anyhow::Result<Vec<OpenError>> {
    let mut damage = Vec::new();
    let (mut facts, mut epochs) = (0u64, BTreeSet::new());
    let read = inspect::facts(journal, &mut |header, _| {
        facts += 1;
        epochs.insert(header.epoch);
    });
    let Extent { first, end } = journal.extent();
    match end.number() - first.number() {
        0 => say("frames     none"),
        frames => say(&format!("frames     {first} to {}: {frames} with {facts} facts", end.previous())),
    }
    say(&format!("epochs     {}", epochs.len()));
    keep_damage(read, &mut damage)?;
    let mut unread = Ok(());
    let listed = inspect::snapshots(journal, &Config::default(), &mut |at, loaded| match loaded {
        Ok(replay) => say(&format!("snapshot   before frame {at}: {} records", replay.len())),
        Err(error @ OpenError::Corrupt(_)) => {
            say(&format!("snapshot   before frame {at}: damaged"));
            damage.push(error);
        }
        Err(error) => unread = Err(error),
    });
    keep_damage(listed, &mut damage)?;
    unread?;
    Ok(damage)
}

/// Damage is noted; anything else ends the program.
fn keep_damage(result: Result<(), OpenError>, damage: &mut Vec<OpenError>) -> Result<(), OpenError> {
    match result {
        Err(error @ OpenError::Corrupt(_)) => damage.push(error),
        other => other?,
    }
    Ok(())
}
