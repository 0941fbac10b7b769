//! The flags of `serve` about a database.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args;
use eventful_postgres::{Database, NodeId};

use crate::unrepeated::Unrepeated;

/// A database that keeps everything, and this node in it.
#[derive(Debug, Args)]
pub(crate) struct PostgresOptions {
    /// Keep everything in this database, so that it survives a crash. `eventful postgres init` makes its schema. The password
    /// is better in a file
    #[arg(long, env = "EVENTFUL_POSTGRES", value_name = "DATABASE", value_parser = Unrepeated(database), conflicts_with = "data")]
    pub(crate) postgres: Option<Database>,
    /// A file with the password for the database
    #[arg(long, env = "EVENTFUL_POSTGRES_PASSWORD_FILE", value_name = "FILE")]
    postgres_password_file: Option<PathBuf>,
    /// The identity of this node: a UUID of its own, which it keeps. A node that died takes its events back with it; another
    /// one is refused as long as they have an owner
    #[arg(long, env = "EVENTFUL_NODE", value_name = "UUID", value_parser = node)]
    node: Option<NodeId>,
    /// Accept a database without a synchronous standby: what is acknowledged has one copy, and a fail-over can lose it
    #[arg(long, env = "EVENTFUL_ONE_COPY")]
    one_copy: bool,
}

/// The database of a server, with all that goes with it.
#[derive(Debug, Clone)]
pub(crate) struct PostgresPlace {
    pub(crate) database: Database,
    pub(crate) node: NodeId,
    pub(crate) takes_one_copy: bool,
}

impl PostgresOptions {
    /// Returns the database, if there is one, with its password.
    ///
    /// # Errors
    ///
    /// A setting that goes with a database and has none, or one that is missing, or a file that cannot be read. Not asked of
    /// the parser, which sees each key of a configuration file alone.
    pub(crate) fn place(&self) -> anyhow::Result<Option<PostgresPlace>> {
        let Some(database) = self.postgres.clone() else {
            let given = [
                ("node", self.node.is_some()),
                ("one_copy", self.one_copy),
                ("postgres_password_file", self.postgres_password_file.is_some()),
            ];
            if let Some((name, _)) = given.into_iter().find(|(_, is_given)| *is_given) {
                bail!("{name} is for a database, and postgres is not set: set it, or leave {name} out");
            }
            return Ok(None);
        };
        let node = self.node.clone().context(
            "node is missing, the identity of this node in the database: make a UUID once, with uuidgen for example, and \
             give it at each start, --node UUID",
        )?;
        let database = match &self.postgres_password_file {
            None => database,
            Some(path) => {
                let text = std::fs::read_to_string(path).map_err(|error| {
                    anyhow::anyhow!("{} cannot be read: {error}; correct postgres_password_file", path.display())
                })?;
                database.password(text.trim_end_matches(['\r', '\n']))
            }
        };
        Ok(Some(PostgresPlace { database, node, takes_one_copy: self.one_copy }))
    }
}

/// Reads the URL of a database.
pub(super) fn database(text: &str) -> Result<Database, String> {
    text.parse().map_err(|error: eventful_postgres::UrlError| error.to_string())
}

fn node(text: &str) -> Result<NodeId, String> {
    text.parse().map_err(|error: eventful_postgres::InvalidNodeId| error.to_string())
}
