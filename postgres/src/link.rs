//! Statements that outlive the connection on which they were begun.

use core::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};
use tokio_postgres::Row;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;

use crate::database::Database;
use crate::session::{Parameters, Reply, Session, reason};

/// The first pause before a statement is repeated. Each one that follows is twice as long, up to the most: a server
/// that restarts needs some tenths of a second.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// The longest time after which a statement without a result is asked about for the first time. With a default lease it is a
/// quarter of it; a longer lease is no reason to keep a connection for longer that may be half open.
const LONGEST_PATIENCE: Duration = Duration::from_millis(1250);

/// The longest time that a journal takes to be given up: a server that is slow has done it by then, and a shutdown is not
/// held up for longer by one that is gone.
const LONGEST_PARTING: Duration = Duration::from_secs(5);

/// Age in seconds. Counts the sessions of this user that have committed, wait for a standby, and began this long ago.
/// Others' are not shown to a role without `pg_read_all_stats`.
const STANDBY_WAITS: &str = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND query_start <= \
                             clock_timestamp() - make_interval(secs => $1)";

/// The reason why a statement gave no rows.
#[derive(Debug)]
pub(crate) struct Undone {
    pub(crate) cause: String,
    pub(crate) certainty: Certainty,
    /// The code of the server, when it refused.
    code: Option<SqlState>,
}

impl Undone {
    /// Returns whether the role has no right to what it asked for.
    pub(crate) fn is_denied(&self) -> bool {
        self.code.as_ref().is_some_and(|code| *code == SqlState::INSUFFICIENT_PRIVILEGE)
    }

    /// Returns whether it says that the database has no schema of eventful.
    pub(crate) fn is_missing_schema(&self) -> bool {
        self.code
            .as_ref()
            .is_some_and(|code| *code == SqlState::UNDEFINED_TABLE || *code == SqlState::INVALID_SCHEMA_NAME)
    }
}

/// The knowledge about a statement without a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Certainty {
    /// The disk of the server is full, and nothing was done.
    Full,
    /// The statement did nothing.
    Nothing,
    /// Done or not.
    Unknown,
}

/// The connection of a journal, made again when it breaks.
#[derive(Debug)]
pub(crate) struct Link {
    database: Database,
    session: Option<Session>,
    /// No host was reached the last time, or not in time.
    missed: bool,
    /// The time for which a statement is repeated.
    lease: Duration,
}

/// One try of a statement.
enum Try {
    Done(Reply),
    /// There is no connection.
    Unconnected(String),
    /// No response came in time, and no statement as old waits for a standby.
    Silent,
}

impl Link {
    pub(crate) const fn new(database: Database, lease: Duration) -> Self {
        Self { database, session: None, missed: false, lease }
    }

    /// Runs a statement. Until it has a result it is repeated, unchanged, for one lease time: it must be
    /// one that can be repeated. While the server says that it waits for a standby, the lease does not
    /// begin: then nothing is in doubt, and repeating would change nothing.
    pub(crate) async fn run(&mut self, sql: &str, parameters: Parameters<'_>) -> Result<Vec<Row>, Undone> {
        let mut deadline = after(self.lease);
        let (mut certainty, mut pause) = (Certainty::Nothing, FIRST_PAUSE);
        let mut patience = (self.lease / 4).min(LONGEST_PATIENCE);
        loop {
            let cause = match self.attempt(sql, parameters, patience, &mut deadline).await {
                Try::Done(Reply::Rows(rows)) => return Ok(rows),
                Try::Done(Reply::Refused(code, cause)) => {
                    let is_full = code == SqlState::DISK_FULL && certainty == Certainty::Nothing;
                    if !is_passing(&code) {
                        let certainty = if is_full { Certainty::Full } else { certainty };
                        return Err(Undone { cause, certainty, code: Some(code) });
                    }
                    if code == SqlState::READ_ONLY_SQL_TRANSACTION {
                        // This was the primary once. Another host is.
                        self.session = None;
                    }
                    cause
                }
                Try::Done(Reply::Unsent(cause)) | Try::Unconnected(cause) => cause,
                Try::Done(Reply::Unknown(cause)) => {
                    certainty = Certainty::Unknown;
                    cause
                }
                Try::Silent => {
                    certainty = Certainty::Unknown;
                    self.abandon().await;
                    // The server may be slow instead.
                    patience *= 2;
                    "no response in time".to_owned()
                }
            };
            if timeout_at(deadline, sleep(pause)).await.is_err() {
                return Err(Undone { cause, certainty, code: None });
            }
            tracing::debug!(%cause, "a statement is repeated");
            pause = (2 * pause).min(LONGEST_PAUSE);
        }
    }

    /// Runs a statement once, and waits for a quarter of the lease at most.
    ///
    /// # Errors
    ///
    /// The reason why it gave no rows.
    pub(crate) async fn ask(&mut self, sql: &str, parameters: Parameters<'_>) -> Result<Vec<Row>, String> {
        self.ask_until(after(self.lease / 4), sql, parameters).await
    }

    /// Runs a last statement once. What depends on it can wait for the server as long as for any.
    ///
    /// # Errors
    ///
    /// The reason why it gave no rows.
    pub(crate) async fn part(&mut self, sql: &str, parameters: Parameters<'_>) -> Result<Vec<Row>, String> {
        self.ask_until(after(self.lease.min(LONGEST_PARTING)), sql, parameters).await
    }

    async fn ask_until(
        &mut self,
        deadline: Instant,
        sql: &str,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, String> {
        let session = match timeout_at(deadline, self.session()).await {
            Ok(session) => session?,
            Err(_) => return Err("no connection in time".to_owned()),
        };
        match timeout_at(deadline, session.query(sql, parameters)).await {
            Ok(Reply::Rows(rows)) => Ok(rows),
            Ok(Reply::Refused(_, cause) | Reply::Unsent(cause) | Reply::Unknown(cause)) => Err(cause),
            Err(_) => {
                self.abandon().await;
                Err("no response in time".to_owned())
            }
        }
    }

    /// Runs a statement once, and waits for its result for twice the patience, unless the server says that it waits for a
    /// standby: then the lease begins again.
    async fn attempt(
        &mut self,
        sql: &str,
        parameters: Parameters<'_>,
        patience: Duration,
        deadline: &mut Instant,
    ) -> Try {
        let (lease, slice) = (self.lease, self.lease / 4);
        let database = self.database.clone();
        let session = match timeout_at(after(slice).min(*deadline), self.session()).await {
            Ok(Ok(session)) => session,
            Ok(Err(cause)) => return Try::Unconnected(cause),
            Err(_) => return Try::Unconnected("no connection in time".to_owned()),
        };
        let mut query = core::pin::pin!(session.query(sql, parameters));
        let began = now();
        let mut is_asked = false;
        loop {
            if let Ok(reply) = timeout_at(after(patience).min(*deadline), query.as_mut()).await {
                return Try::Done(reply);
            }
            // Others wait too, each for a moment. The statement that was sent is not seen as younger than half of its age,
            // however long it was on its way.
            let age = now() - began;
            if waits_for_standby(&database, age / 2, after(slice)).await {
                tracing::warn!("the server waits for its synchronous standby: bring the standby back");
                (*deadline, is_asked) = (after(lease), false);
            } else if is_asked || now() >= *deadline {
                return Try::Silent;
            } else {
                is_asked = true;
            }
        }
    }

    /// The connection, made when there is none.
    async fn session(&mut self) -> Result<&mut Session, String> {
        if !self.session.as_ref().is_some_and(Session::is_open) {
            self.session = None;
            // The first host may be one that takes connections and never responds.
            let is_shuffled = core::mem::replace(&mut self.missed, true);
            self.session = Some(self.database.connect(is_shuffled).await.map_err(|error| reason(&error))?);
            self.missed = false;
        }
        self.session.as_mut().ok_or_else(|| "no connection".to_owned())
    }

    /// Gives up a connection whose statement may still run. The server would let that run, and keep its locks, for as long
    /// as it waits for something.
    async fn abandon(&mut self) {
        if let Some(session) = self.session.take() {
            let token = session.cancel_token();
            drop(session);
            // Where the server is gone there is nothing to cancel.
            let _ = timeout_at(after(self.lease / 4), self.database.cancel(&token)).await;
        }
    }
}

/// Asks on another connection whether commits of this age wait for a standby. No response in time means no.
async fn waits_for_standby(database: &Database, age: Duration, deadline: Instant) -> bool {
    let age = age.as_secs_f64();
    let asked = timeout_at(deadline, async {
        let mut session = database.connect(false).await.ok()?;
        match session.query(STANDBY_WAITS, &[(&age, Type::FLOAT8)]).await {
            Reply::Rows(rows) => rows.first()?.try_get::<_, i64>(0).ok(),
            Reply::Refused(..) | Reply::Unsent(_) | Reply::Unknown(_) => None,
        }
    });
    asked.await.ok().flatten().is_some_and(|waits| waits > 0)
}

/// The time so long from now.
fn after(duration: Duration) -> Instant {
    sleep(duration).deadline()
}

/// The time by the timer of the runtime.
pub(crate) fn now() -> Instant {
    after(Duration::ZERO)
}

/// Returns whether a refusal may not come again when the statement is repeated.
fn is_passing(code: &SqlState) -> bool {
    [
        SqlState::READ_ONLY_SQL_TRANSACTION,
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::LOCK_NOT_AVAILABLE,
        SqlState::QUERY_CANCELED,
        SqlState::TOO_MANY_CONNECTIONS,
        SqlState::CANNOT_CONNECT_NOW,
        SqlState::OUT_OF_MEMORY,
    ]
    .contains(code)
}
