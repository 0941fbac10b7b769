//! `replay` and `shrink`: one scenario.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::case::Case;
use crate::clock::Stopwatch;
use crate::exit::FOUND;
use crate::options::{ReplayOptions, ShrinkOptions};
use crate::panics;
use crate::reach::Reach;
use crate::terminal::{say, steps, warn};

/// Runs one scenario, and says what it came to.
pub(crate) fn replay(options: &ReplayOptions) -> anyhow::Result<ExitCode> {
    panics::keep_quiet();
    let case = Case::find(&options.source)?;
    if options.trace {
        case.diary().iter().for_each(|line| say(line));
    }
    let mut reach = Reach::of(case.tier());
    let mut played = case.play(&mut reach);
    if options.twice {
        played = case.play_again(played);
    }
    let mut told = format!("seed {}: {} {}", case.seed(), case.size(), case.unit());
    if played.virtual_micros > 0 {
        let seconds = played.virtual_micros as f64 / 1e6;
        told += &format!(", {}{seconds:.3} s", steps(played.steps.unwrap_or_default().into()));
    }
    say(&told);
    say(&format!("hash {:016x}", played.hash));
    let Some(broken) = played.broken else {
        say("every promise holds");
        return Ok(ExitCode::SUCCESS);
    };
    say(&broken.to_string());
    Ok(ExitCode::from(FOUND))
}

/// Makes a scenario smaller, and saves it.
pub(crate) fn shrink(options: &ShrinkOptions) -> anyhow::Result<ExitCode> {
    panics::keep_quiet();
    let case = Case::find(&options.source)?;
    let since = Stopwatch::start();
    let Some(smaller) = case.shrink() else {
        warn(&format!("{} breaks no promise: there is nothing to shrink", options.source.name));
        return Ok(ExitCode::SUCCESS);
    };
    let named = || PathBuf::from(format!("seed-{}.json", case.seed()));
    let file = options.output.clone().unwrap_or_else(named);
    let took = since.elapsed();
    say(&smaller.broken.to_string());
    say(&smaller.line(case.size(), took));
    smaller.case.write(&file)?;
    say(&format!("replay  cargo sim replay {}", file.display()));
    Ok(ExitCode::from(FOUND))
}
