//! Completions for shells, and manual pages.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use clap::Command;
use clap_complete::Shell;

/// The completions for a shell.
pub(crate) fn completions(shell: Shell, mut program: Command) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut program, "eventful", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// Writes a manual page for the program and one for each of its commands.
pub(crate) fn manual(directory: &Path, program: Command) -> anyhow::Result<()> {
    fs::create_dir_all(directory).with_context(|| format!("{} cannot be made", directory.display()))?;
    let written = clap_mangen::generate_to(program, directory);
    written.with_context(|| format!("{} cannot be written to", directory.display()))
}
