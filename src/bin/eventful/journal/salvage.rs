//! `eventful journal salvage`

use std::path::Path;
use std::process::ExitCode;

use eventful::Config;
use eventful::journal::{DiskStore, LostFrames, Salvaged};

use super::by_status::describe;
use super::directory::{find_read_only, owner};
use crate::terminal::{say, warn};

/// Writes what `from` still proves into `to`, and reports what is lost. Exit code 1 when something is lost, or when
/// that cannot be known.
pub(super) fn salvage(from: &Path, to: &Path) -> anyhow::Result<ExitCode> {
    let from = find_read_only(from)?;
    anyhow::ensure!(!DiskStore::is_in(to)?, "{}: there is a journal in it already: name a new one", to.display());
    let salvaged = from.salvage(&DiskStore::new(to), &owner("salvage"), &Config::default())?;
    say(&format!("journal    {}", to.display()));
    say(&format!("records    {}", describe(&salvaged.records)));
    say(&format!("saved      {}", saved(&salvaged)));
    for (at, problem) in &salvaged.damaged {
        warn(&format!("unusable:  the snapshot before frame {at}: {problem}"));
    }
    Ok(report_lost(&salvaged))
}

fn report_lost(salvaged: &Salvaged) -> ExitCode {
    let (end, problem, found) = (salvaged.end, &salvaged.problem, salvaged.stranded.len());
    match salvaged.lost {
        LostFrames::Nothing => {
            say(&format!("lost       nothing that left a trace: no frame from {end} on was found"));
            return ExitCode::SUCCESS;
        }
        LostFrames::Through(last) if last == end => warn(&format!("lost:      frame {end}, or more: {problem}")),
        LostFrames::Through(last) => {
            warn(&format!("lost:      frames {end} to {last}, or more: frame {end}: {problem}"));
        }
        LostFrames::Unknown | _ => {
            warn(&format!("lost:      perhaps something: whether there was a frame {end} cannot be known: {problem}"))
        }
    }
    if found > 0 {
        warn(&format!("           something is left of {found} of them, which nothing leads to any more"));
    }
    ExitCode::FAILURE
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
