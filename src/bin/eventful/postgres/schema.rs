//! `eventful postgres`

use std::process::ExitCode;

use clap::{Args, Subcommand};
use eventful_postgres::{Database, SchemaError, Survey, check, init, role_script};

use super::options::database;
use crate::terminal::say;
use crate::unrepeated::Unrepeated;

/// The options of `postgres`.
#[derive(Debug, Args)]
pub(crate) struct SchemaOptions {
    #[command(subcommand)]
    call: SchemaCall,
}

/// The commands of `postgres`.
#[derive(Debug, Subcommand)]
enum SchemaCall {
    /// Make the schema, or bring an older one to the format of this version
    Init {
        #[command(flatten)]
        address: SchemaAddress,
        /// The number of shards, which cannot be changed later: as many nodes can share the work
        #[arg(long, default_value_t = 16, value_name = "N")]
        shards: u16,
    },
    /// Check the schema and the server, change nothing, and show what the server promises
    Check {
        #[command(flatten)]
        address: SchemaAddress,
    },
    /// Show which nodes share the shards, and which shards each of them owns; reads twice in some seconds, to see which nodes
    /// live. Exit code 1 when a shard has no living owner
    Nodes {
        #[command(flatten)]
        address: SchemaAddress,
    },
    /// Print a script for psql that gives a role the rights that a node needs
    Role {
        /// The role
        #[arg(long, default_value = "eventful_node", value_name = "NAME")]
        name: String,
    },
}

/// The database of a command.
#[derive(Debug, Args)]
struct SchemaAddress {
    /// The database; in the variable its password is not shown to other users of the machine
    #[arg(env = "EVENTFUL_POSTGRES", value_name = "DATABASE", value_parser = Unrepeated(database))]
    database: Database,
}

/// Runs one of the commands.
pub(crate) async fn call(options: SchemaOptions) -> Result<ExitCode, SchemaError> {
    let checked = match options.call {
        SchemaCall::Init { address, shards } => init(&address.database, shards).await?,
        SchemaCall::Check { address } => check(&address.database).await?,
        SchemaCall::Nodes { address } => {
            let survey = Survey::of(&address.database).await?;
            say(survey.to_string().trim_end());
            return Ok(if survey.is_whole() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        SchemaCall::Role { name } => {
            say(role_script(&name).trim_end());
            return Ok(ExitCode::SUCCESS);
        }
    };
    say(&checked.to_string());
    Ok(ExitCode::SUCCESS)
}

/// Returns whether an error says that the schema is of a newer program.
pub(crate) fn is_newer(error: &anyhow::Error) -> bool {
    error.downcast_ref().is_some_and(|error| matches!(error, SchemaError::TooNew { .. }))
}
