//! `eventful journal salvage`

use std::path::Path;
use std::process::ExitCode;

use eventful::Config;
use eventful::journal::{DiskStore, Salvaged};

use super::{describe, look, owner};
use crate::terminal::{say, warn};

/// Writes what `from` still proves into `to`, and tells what is lost. Exit code 1 when something is.
pub(super) fn salvage(from: &Path, to: &Path) -> anyhow::Result<ExitCode> {
    let from = look(from)?;
    anyhow::ensure!(!DiskStore::is_in(to), "{}: there is a journal in it already: name a new one", to.display());
    let salvaged = from.salvage(&mut DiskStore::new(to), &owner("salvage"), &Config::default())?;
    say(&format!("journal    {}", to.display()));
    say(&format!("records    {}", describe(&salvaged.records)));
    say(&format!("saved      {}", saved(&salvaged)));
    for (at, problem) in &salvaged.damaged {
        warn(&format!("unusable:  the snapshot before frame {at}: {problem}"));
    }
    match salvaged.stranded.last() {
        None => {
            say(&format!("lost       nothing that left a trace: no frame from {} on was found", salvaged.end));
            Ok(ExitCode::SUCCESS)
        }
        Some(last) => {
            let (end, found) = (salvaged.end, salvaged.stranded.len());
            warn(&format!("lost:      frames {end} to {last}, or more: frame {end}: {}", salvaged.problem));
            warn(&format!("           something is left of {found} of them, which nothing leads to any more"));
            Ok(ExitCode::FAILURE)
        }
    }
}

fn saved(salvaged: &Salvaged) -> String {
    let frames = match salvaged.frames {
        0 => "no frames".to_owned(),
        frames => format!("{frames} frames, up to {}", salvaged.end.previous()),
    };
    match salvaged.snapshot {
        Some(at) => format!("the snapshot before frame {at}, and {frames}"),
        None => frames,
    }
}
