//! One connection, and the statements that are run on it.

use core::fmt;
use core::future::{Future as _, poll_fn};
use core::pin::pin;
use core::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::yield_now;
use tokio_postgres::error::{DbError, Severity, SqlState};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{AsyncMessage, CancelToken, Client, Connection, Row, Socket};

/// The parameters of a statement with their types. The types are named so that one message has the whole
/// statement, and no statement is kept at the server: a pooler may run the next one elsewhere.
pub(crate) type Parameters<'a> = &'a [(&'a (dyn ToSql + Sync), Type)];

/// The outcome of a statement that is its own transaction.
#[derive(Debug)]
pub(crate) enum Reply {
    /// Done; what it writes is durable as the server promises it.
    Rows(Vec<Row>),
    /// Not done: the server has rolled it back.
    Refused(SqlState, String),
    /// Not sent: the connection was closed before.
    Unsent(String),
    /// Done or not: the connection broke, or the server warned that it did not wait for its standby.
    Unknown(String),
}

type Wire = Box<dyn FnMut(&mut Context<'_>) -> Poll<Option<Result<AsyncMessage, tokio_postgres::Error>>> + Send>;

/// A connection. It is driven only while a statement runs, in the same task: so a warning that was
/// received before a result is seen before it.
pub(crate) struct Session {
    client: Client,
    wire: Wire,
    /// The reason why it can be used no more.
    closed: Option<String>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("closed", &self.closed).finish_non_exhaustive()
    }
}

impl Session {
    pub(crate) fn new<T>(client: Client, mut connection: Connection<Socket, T>) -> Self
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        Self { client, wire: Box::new(move |cx| connection.poll_message(cx)), closed: None }
    }

    pub(crate) fn cancel_token(&self) -> CancelToken {
        self.client.cancel_token()
    }

    /// Returns whether it can run another statement.
    pub(crate) const fn is_open(&self) -> bool {
        self.closed.is_none()
    }

    /// Runs a statement as a transaction of its own.
    pub(crate) async fn query(&mut self, sql: &str, parameters: Parameters<'_>) -> Reply {
        // Sees to it that what came while no statement ran can be read, such as the end of the session.
        yield_now().await;
        let Self { client, wire, closed } = self;
        let mut warnings = Vec::new();
        let mut query = pin!(client.query_typed(sql, parameters));
        let mut is_sent = false;
        let done = poll_fn(|cx| {
            drain(wire, cx, closed, &mut warnings);
            if !is_sent {
                // What it warned of before belongs to no statement.
                warnings.clear();
                is_sent = closed.is_none();
            }
            if is_sent { or_closed(query.as_mut().poll(cx), closed) } else { Poll::Ready(None) }
        });
        let done = done.await;
        match (done, warnings.pop()) {
            (Some(_) | None, Some(warning)) => Reply::Unknown(warning),
            (Some(Ok(rows)), None) => Reply::Rows(rows),
            (Some(Err(error)), None) => failed(closed, &error),
            (None, None) if is_sent => Reply::Unknown(closed.clone().unwrap_or_default()),
            (None, None) => Reply::Unsent(closed.clone().unwrap_or_default()),
        }
    }

    /// Runs statements without parameters: all of them as one transaction, or as they say themselves.
    ///
    /// # Errors
    ///
    /// The reason why they were not done.
    pub(crate) async fn batch(&mut self, sql: &str) -> Result<(), String> {
        let Self { client, wire, closed } = self;
        let mut batch = pin!(client.batch_execute(sql));
        let done = poll_fn(|cx| {
            drain(wire, cx, closed, &mut Vec::new());
            or_closed(batch.as_mut().poll(cx), closed)
        });
        match done.await {
            Some(done) => done.map_err(|error| reason(&error)),
            None => Err(closed.clone().unwrap_or_default()),
        }
    }
}

/// The result of a statement, or nothing when its connection is closed: it would wait for ever.
fn or_closed<T>(polled: Poll<T>, closed: &Option<String>) -> Poll<Option<T>> {
    if polled.is_pending() && closed.is_some() { Poll::Ready(None) } else { polled.map(Some) }
}

/// The outcome of a statement that gave an error instead of a result.
fn failed(closed: &mut Option<String>, error: &tokio_postgres::Error) -> Reply {
    match error.as_db_error() {
        Some(refusal) if is_rolled_back(refusal) => Reply::Refused(refusal.code().clone(), reason(error)),
        _ => Reply::Unknown(closed.get_or_insert_with(|| reason(error)).clone()),
    }
}

/// An error with its causes, which the client prints one by one.
pub(crate) fn reason(error: &tokio_postgres::Error) -> String {
    if let Some(refusal) = error.as_db_error() {
        return format!("{} (SQLSTATE {})", refusal.message(), refusal.code().code());
    }
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
    format!("{error}{}", cause.unwrap_or_default())
}

/// Takes all messages that have been received.
fn drain(wire: &mut Wire, cx: &mut Context<'_>, closed: &mut Option<String>, warnings: &mut Vec<String>) {
    while closed.is_none() {
        match wire(cx) {
            Poll::Ready(Some(Ok(AsyncMessage::Notice(notice)))) if is_warning(&notice) => {
                warnings.push(format!("{} (SQLSTATE {})", notice.message(), notice.code().code()));
            }
            Poll::Ready(Some(Ok(_))) => {}
            Poll::Ready(Some(Err(error))) => *closed = Some(reason(&error)),
            Poll::Ready(None) => *closed = Some("the connection was closed".to_owned()),
            Poll::Pending => return,
        }
    }
}

/// Of all notices these alone can take back what a result says. The server names its severity in the
/// language of its messages, unless it is old.
fn is_warning(notice: &DbError) -> bool {
    notice.parsed_severity().map_or(notice.severity() == "WARNING", |severity| severity == Severity::Warning)
}

/// Returns whether an error of the server says that the statement did nothing. Those that end the session do not: they may
/// come between the commit and the result.
fn is_rolled_back(refusal: &DbError) -> bool {
    let severity = refusal.parsed_severity();
    let ends_session = severity.map_or(refusal.severity() != "ERROR", |severity| severity != Severity::Error);
    let code = refusal.code();
    !ends_session && !code.code().starts_with("08") && *code != SqlState::T_R_STATEMENT_COMPLETION_UNKNOWN
}
