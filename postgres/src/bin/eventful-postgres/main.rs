//! `eventful-postgres`: makes and checks the schema of eventful in a database.

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use eventful_postgres::{Database, check, init, role_script};

/// Makes and checks the schema of eventful in a database.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: SchemaCommand,
}

#[derive(Debug, Subcommand)]
enum SchemaCommand {
    /// Makes the schema, or brings an older one to the format of this version.
    Init {
        #[command(flatten)]
        address: Address,
        /// The number of shards, which cannot be changed later: as many nodes can share the work.
        #[arg(long, default_value_t = 16)]
        shards: u16,
    },
    /// Checks the schema and the server, changes nothing, and says what the server promises.
    Check {
        #[command(flatten)]
        address: Address,
    },
    /// Prints a script for psql that gives a role the rights that a node needs.
    Role {
        /// The role.
        #[arg(long, default_value = "eventful_node")]
        node: String,
    },
}

#[derive(Debug, clap::Args)]
struct Address {
    /// The database: `postgresql://USER:PASSWORD@HOST:PORT/DATABASE`. In the variable the password is not shown to
    /// other users of the machine.
    #[arg(env = "EVENTFUL_POSTGRES_URL", hide_env_values = true)]
    url: String,
}

impl Address {
    fn database(&self) -> anyhow::Result<Database> {
        Ok(self.url.parse()?)
    }
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime")?;
    let checked = match arguments.command {
        SchemaCommand::Init { address, shards } => runtime.block_on(init(&address.database()?, shards))?,
        SchemaCommand::Check { address } => runtime.block_on(check(&address.database()?))?,
        SchemaCommand::Role { node } => {
            print!("{}", role_script(&node));
            return Ok(());
        }
    };
    println!("{checked}");
    Ok(())
}
