//! The statements about nodes and owners.

use tokio_postgres::Row;
use tokio_postgres::types::Type;

use crate::link::Link;
use crate::membership::{ClusterRows, NodeBeat, NodeRow, Round, RoundEnd, ShardRow};
use crate::node_id::NodeId;
use crate::session::{Parameters, reason};
use crate::statements;

/// The row of this node, and the connection on which it is kept.
#[derive(Debug)]
pub(super) struct Roster {
    pub(super) link: Link,
    pub(super) node: NodeId,
    pub(super) url: String,
}

impl Roster {
    /// Runs the statements of a round, the read in a later one than the beat.
    pub(super) async fn run(&mut self, round: &Round) -> RoundEnd {
        let beaten = match round.beat {
            None => Ok(Beaten::Not),
            Some(beat) => self.beat(beat).await,
        };
        let beat = match beaten {
            Ok(Beaten::Not) => None,
            Ok(Beaten::At(beat)) => Some(beat),
            Ok(Beaten::Superseded) => return RoundEnd::Superseded,
            Err(cause) => return failed(&cause),
        };
        match self.link.ask(statements::CLUSTER, &[]).await.and_then(|rows| read(&rows)) {
            Ok(rows) => RoundEnd::Done { beat, rows },
            Err(cause) => failed(&cause),
        }
    }

    async fn beat(&mut self, beat: NodeBeat) -> Result<Beaten, String> {
        let node = self.node.as_str();
        let rows = match beat {
            NodeBeat::Join => {
                let parameters: Parameters<'_> = &[(&node, Type::TEXT), (&self.url, Type::TEXT)];
                self.link.ask(statements::JOIN, parameters).await?
            }
            NodeBeat::Raise { to, is_leaving } => {
                let parameters: Parameters<'_> = &[(&node, Type::TEXT), (&to, Type::INT8), (&is_leaving, Type::BOOL)];
                self.link.ask(statements::BEAT, parameters).await?
            }
        };
        let row = rows.first().ok_or("the server gave no row")?;
        let beat: Option<i64> = row.try_get("beat").map_err(|error| reason(&error))?;
        Ok(beat.map_or(Beaten::Superseded, Beaten::At))
    }

    /// Gives up a shard that is not open here.
    pub(super) async fn give_up(&mut self, shard: u16, term: i64) {
        let shard = i16::try_from(shard).unwrap_or(i16::MAX);
        let parameters: Parameters<'_> = &[(&shard, Type::INT2), (&term, Type::INT8)];
        if let Err(cause) = self.link.ask(statements::RELEASE, parameters).await {
            tracing::debug!(shard, %cause, "a shard was not given up, and is again");
        }
    }

    /// Takes the row away, with what this node still owns by the table.
    pub(super) async fn leave(&mut self, beat: i64) {
        let node = self.node.as_str();
        let parameters: Parameters<'_> = &[(&node, Type::TEXT), (&beat, Type::INT8)];
        if let Err(cause) = self.link.part(statements::LEAVE, parameters).await {
            tracing::warn!(%cause, "this node has not left the table: others wait for a lease before they take its shards");
        }
    }
}

enum Beaten {
    Not,
    At(i64),
    Superseded,
}

fn failed(cause: &str) -> RoundEnd {
    tracing::debug!(%cause, "a beat failed, and is repeated");
    RoundEnd::Failed
}

/// The nodes and shards in rows of the statement that reads all.
pub(super) fn read(rows: &[Row]) -> Result<ClusterRows, String> {
    let mut all = ClusterRows::default();
    for row in rows {
        take(row, &mut all).map_err(|error| reason(&error))??;
    }
    Ok(all)
}

fn take(row: &Row, all: &mut ClusterRows) -> Result<Result<(), String>, tokio_postgres::Error> {
    let node = row.try_get::<_, Option<&str>>("node")?.map(str::parse::<NodeId>).transpose();
    let node = match node {
        Ok(node) => node,
        Err(error) => return Ok(Err(error.to_string())),
    };
    let url: Option<String> = row.try_get("url")?;
    match (row.try_get::<_, Option<i16>>("shard")?, node) {
        (Some(_), owner) => all.shards.push(ShardRow { term: row.try_get("term")?, owner, url }),
        (None, Some(node)) => all.nodes.push(NodeRow {
            node,
            url: url.unwrap_or_default(),
            beat: row.try_get("beat")?,
            is_leaving: row.try_get("leaving")?,
        }),
        (None, None) => return Ok(Err("a row of eventful.node has no node".to_owned())),
    }
    Ok(Ok(()))
}
