//! The schema: made, checked, and its rights given to roles.

use core::fmt;
use core::time::Duration;

use tokio::time::timeout;
use tokio_postgres::error::SqlState;

use crate::database::Database;
use crate::link::Link;
use crate::session::{Reply, Session, reason};
use crate::settings::{Guarantee, ServerSettings, settings_columns};

/// The format of the schema that this version makes and reads.
pub(crate) const FORMAT: i16 = 2;

/// The scripts that bring a schema from each format to the next; the first one makes it.
const MIGRATIONS: [&str; FORMAT as usize] = [include_str!("../sql/format-1.sql"), include_str!("../sql/format-2.sql")];

/// The rights that a node needs.
const ROLE: &str = include_str!("../sql/role.sql");

/// The oldest server with all that the statements need: `gen_random_uuid` is of 13.
const OLDEST_SERVER: i32 = 130_000;

/// The time for which `check` waits for the server.
const CHECK_FOR: Duration = Duration::from_secs(5);

/// The time for which `init` waits for the server, and the server for locks and its disk. To make the tables takes
/// milliseconds.
const INIT_FOR: Duration = Duration::from_secs(20);
const MIGRATE_FOR: Duration = Duration::from_secs(10);

/// Waits until the server has, as it promises it, all that was committed before.
const BARRIER: &str = "WITH conf AS MATERIALIZED (SELECT set_config('synchronous_commit', 'on', true) AS commit_waits) \
                       SELECT (SELECT commit_waits FROM conf) FROM eventful.meta FOR SHARE OF meta";

/// Reads the format, and what an opening must know of the server.
pub(crate) const META: &str = concat!(
    "SELECT format, shards, cluster::text, current_setting('default_transaction_isolation') AS isolation, \
     current_setting('server_version_num')::int4 AS server, current_setting('synchronous_commit') AS commits, ",
    settings_columns!(),
    " FROM eventful.meta"
);

/// The reason why a schema was not made, or cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// The database has none.
    #[error("the database has no schema of eventful: make it with `eventful postgres init URL`")]
    Missing,
    /// A newer version made it.
    #[error("the schema has format {found}, this program reads formats up to {FORMAT}: use a newer program")]
    TooNew {
        /// Its format.
        found: i16,
    },
    /// An older version made it.
    #[error(
        "the schema has format {found}, this program needs format {FORMAT}: stop the nodes of the older version, then \
         run `eventful postgres init URL`, which brings it there"
    )]
    TooOld {
        /// Its format.
        found: i16,
    },
    /// The schema has another number of shards, which cannot be changed.
    #[error("the schema has {found} shards, {wanted} were asked for: the number is fixed when the schema is made")]
    OtherShards {
        /// Its shards.
        found: i16,
        /// Those that were asked for.
        wanted: u16,
    },
    /// No such number of shards is possible.
    #[error("{0} shards are not possible: from 1 to 1024 are; 16 serve up to 16 nodes")]
    Shards(u16),
    /// The server is too old.
    #[error("the server has version {0}, {OLDEST_SERVER} is the oldest that will do (13): use a newer one")]
    OldServer(i32),
    /// The role may not do what a node does.
    #[error(
        "{place}: {cause}: give the role the rights of a node, with `eventful postgres role --name {role} | psql URL`"
    )]
    Denied {
        /// The database.
        place: String,
        /// The message of the server.
        cause: String,
        /// The role.
        role: String,
    },
    /// The server refused, or was not reached.
    #[error("{place}: {cause}")]
    Server {
        /// The database.
        place: String,
        /// The message of the server.
        cause: String,
    },
}

/// A schema that can be used, with its server.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Checked {
    /// The format of the schema.
    pub format: i16,
    /// The number of shards.
    pub shards: i16,
    /// The identity of the cluster.
    pub cluster: String,
    /// The version of the server, as `server_version_num`.
    pub server: i32,
    /// The promise of the server about a commit.
    pub guarantee: Guarantee,
    /// The setting `synchronous_commit` of a new session. A journal sets its own.
    pub synchronous_commit: String,
}

impl Checked {
    /// Returns the version of the server as it is written: two numbers since 10.
    pub fn version(&self) -> String {
        format!("{}.{}", self.server / 10_000, self.server % 10_000)
    }
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { format, shards, cluster, guarantee, .. } = self;
        writeln!(f, "schema format {format}, {shards} shards, cluster {cluster}, PostgreSQL {}", self.version())?;
        write!(f, "promised: {guarantee}")
    }
}

/// Makes the schema with so many shards, or brings an older one to the format of this version. A schema that is as it
/// should be stays as it is. Needs a role that may create schemas. Waits for the server for 20 s at most.
///
/// # Errors
///
/// [`SchemaError`]
pub async fn init(database: &Database, shards: u16) -> Result<Checked, SchemaError> {
    let wanted = i16::try_from(shards).ok().filter(|shards| (1..=1024).contains(shards));
    let wanted = wanted.ok_or(SchemaError::Shards(shards))?;
    timeout(INIT_FOR, make(database, wanted)).await.unwrap_or_else(|_| {
        let cause = format!(
            "no response within {} s, so the schema is made or not: see that the server and its synchronous standbys are \
             there, then run this again",
            INIT_FOR.as_secs()
        );
        Err(SchemaError::Server { place: database.to_string(), cause })
    })?;
    let checked = check(database).await?;
    match checked.shards == wanted {
        true => Ok(checked),
        false => Err(SchemaError::OtherShards { found: checked.shards, wanted: shards }),
    }
}

async fn make(database: &Database, shards: i16) -> Result<(), SchemaError> {
    let server = |cause: String| SchemaError::Server { place: database.to_string(), cause };
    let mut session = database.connect(false).await.map_err(|error| server(reason(&error)))?;
    let found = format_of(database, &mut session).await?;
    if found > FORMAT {
        return Err(SchemaError::TooNew { found });
    }
    if found < FORMAT {
        session.batch(&migration(found, shards)).await.map_err(server)?;
    }
    // A wait for a standby that was cancelled is only a warning there, and what is there already may still wait.
    loop {
        match session.query(BARRIER, &[]).await {
            Reply::Rows(_) => return Ok(()),
            Reply::Unknown(_) if session.is_open() => {}
            Reply::Refused(_, cause) | Reply::Unsent(cause) | Reply::Unknown(cause) => return Err(server(cause)),
        }
    }
}

/// Checks the schema and the server, and changes nothing.
///
/// # Errors
///
/// [`SchemaError`]
pub async fn check(database: &Database) -> Result<Checked, SchemaError> {
    let mut link = Link::new(database.clone(), CHECK_FOR);
    let server = |cause: String| SchemaError::Server { place: database.to_string(), cause };
    let rows = link.run(META, &[]).await.map_err(|undone| match undone.is_missing_schema() {
        true => SchemaError::Missing,
        false if undone.is_denied() => {
            SchemaError::Denied { place: database.to_string(), cause: undone.cause, role: database.role().to_owned() }
        }
        false => server(undone.cause),
    })?;
    let row = rows.first().ok_or(SchemaError::Missing)?;
    let read = |error: tokio_postgres::Error| server(reason(&error));
    let checked = Checked {
        format: row.try_get("format").map_err(read)?,
        shards: row.try_get("shards").map_err(read)?,
        cluster: row.try_get("cluster").map_err(read)?,
        server: row.try_get("server").map_err(read)?,
        guarantee: ServerSettings::of(row).map_err(read)?.guarantee(),
        synchronous_commit: row.try_get("commits").map_err(read)?,
    };
    match checked {
        Checked { server, .. } if server < OLDEST_SERVER => Err(SchemaError::OldServer(server)),
        Checked { format: found, .. } if found > FORMAT => Err(SchemaError::TooNew { found }),
        Checked { format: found, .. } if found < FORMAT => Err(SchemaError::TooOld { found }),
        checked => Ok(checked),
    }
}

/// Returns a script that gives a role what a node needs and no more. The role is made where it is not there; it gets no
/// password and may not log in until that is allowed.
pub fn role_script(node: &str) -> String {
    let quoted = format!("\"{}\"", node.replace('"', "\"\""));
    let literal = format!("'{}'", node.replace('\'', "''"));
    ROLE.replace(":'node'", &literal).replace(":\"node\"", &quoted)
}

/// The format that the database has; 0 when it has no schema.
async fn format_of(database: &Database, session: &mut Session) -> Result<i16, SchemaError> {
    let server = |cause: String| SchemaError::Server { place: database.to_string(), cause };
    match session.query("SELECT format FROM eventful.meta", &[]).await {
        Reply::Rows(rows) => {
            let row =
                rows.first().ok_or_else(|| server("eventful.meta is empty: restore it from a copy".to_owned()))?;
            row.try_get(0).map_err(|error| server(error.to_string()))
        }
        Reply::Refused(SqlState::UNDEFINED_TABLE | SqlState::INVALID_SCHEMA_NAME, _) => Ok(0),
        Reply::Refused(_, cause) | Reply::Unsent(cause) | Reply::Unknown(cause) => Err(server(cause)),
    }
}

/// One transaction that brings the schema from its format to this version's. Two that run at once wait for one another, and
/// the second one fails without a change.
fn migration(found: i16, shards: i16) -> String {
    let mut script = format!(
        "BEGIN; SET LOCAL synchronous_commit = 'on'; SET LOCAL statement_timeout = {}; \
         SELECT pg_advisory_xact_lock(7295640);\n",
        MIGRATE_FOR.as_millis()
    );
    for migration in MIGRATIONS.iter().skip(found.unsigned_abs().into()) {
        script.push_str(migration);
    }
    if found == 0 {
        script.push_str(&format!(
            "INSERT INTO eventful.meta VALUES ({FORMAT}, {shards}, gen_random_uuid(), false, 0);\n\
             INSERT INTO eventful.shard SELECT shard, 0, NULL, NULL, 1 FROM generate_series(0, {shards} - 1) AS shard;\n"
        ));
    } else {
        script.push_str(&format!("UPDATE eventful.meta SET format = {FORMAT};\n"));
    }
    script.push_str("COMMIT;");
    script
}
