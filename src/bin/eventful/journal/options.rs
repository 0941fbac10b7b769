//! The arguments of the commands of `journal`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// The options of `journal`.
#[derive(Debug, Args)]
pub(crate) struct JournalOptions {
    #[command(subcommand)]
    pub(crate) call: JournalCall,
}

/// The commands of `journal`.
#[derive(Debug, Subcommand)]
pub(crate) enum JournalCall {
    /// Check all of it, also while a server writes it, and show what it holds; exit code 1 when it is damaged
    Verify(JournalDirectory),
    /// Print its facts as JSON, one a line, also while a server writes it; before them the records of a snapshot
    Dump(JournalDirectory),
    /// Write what a damaged journal still proves into a new one, while no server has it open
    Salvage {
        #[command(flatten)]
        from: JournalDirectory,
        /// The directory of the new journal, which is made
        #[arg(value_name = "TO")]
        to: PathBuf,
    },
    /// Replace all facts by one snapshot, and give the room that this frees back to the disk, while no server has it open
    Compact(JournalDirectory),
    /// Copy it as it is now into a new one, also while a server writes it
    Backup(BackupOptions),
}

/// The journal of a command.
#[derive(Debug, Args)]
pub(crate) struct JournalDirectory {
    /// The directory of the journal
    #[arg(value_name = "DIR")]
    pub(crate) directory: PathBuf,
}

/// The arguments of a backup.
#[derive(Debug, Args)]
pub(crate) struct BackupOptions {
    #[command(flatten)]
    pub(crate) from: JournalDirectory,
    /// The directory of the copy, which is made
    #[arg(value_name = "TO")]
    pub(crate) to: PathBuf,
    /// Print JSON, one object
    #[arg(long)]
    pub(crate) json: bool,
}
