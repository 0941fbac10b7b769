//! `report`: one scenario, on a page.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};

use crate::case::Case;
use crate::exit::FOUND;
use crate::options::ReportOptions;
use crate::terminal::say;
use crate::{core, network};

/// Runs one scenario, and writes a page that shows it.
pub(crate) fn report(options: &ReportOptions) -> anyhow::Result<ExitCode> {
    let case = Case::find(&options.source)?;
    let (broken, page) = match &case {
        Case::Core(scenario) => core::page(scenario),
        Case::Turmoil(scenario) => network::page(scenario),
        Case::Disk(_) => bail!("runs of the disk tier have no page: replay them with --trace"),
    };
    let named = || PathBuf::from(format!("seed-{}.html", case.seed()));
    let file = options.output.clone().unwrap_or_else(named);
    std::fs::write(&file, page).with_context(|| format!("{}: check the path", file.display()))?;
    say(&format!("page    {}", file.display()));
    let Some(broken) = broken else { return Ok(ExitCode::SUCCESS) };
    say(&broken.to_string());
    Ok(ExitCode::from(FOUND))
}
