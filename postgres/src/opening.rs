//! The opening of a journal: the fence first, and then what is there.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use eventful::engine::ShardCount;
use eventful::journal::{Extent, OpenError, Owner, Shard, TooNew};
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, Type};

use crate::blocking::Blocking;
use crate::columns::{number, sequence};
use crate::journal::{PostgresJournal, Term};
use crate::leftovers::Leftovers;
use crate::link::{Link, Undone};
use crate::membership::DeadOwner;
use crate::node_id::NodeId;
use crate::schema;
use crate::session::Parameters;
use crate::settings::{CurrentGuarantee, Guarantee, ServerSettings};
use crate::statements;

/// The node that opens a journal, and what it asks of the server.
pub(crate) struct Claimant<'a> {
    pub(crate) place: &'a str,
    pub(crate) shard: Shard,
    /// The number of shards that the schema must have, when that is known.
    pub(crate) shards: Option<ShardCount>,
    pub(crate) node: &'a NodeId,
    pub(crate) owner: &'a Owner,
    /// The part of this node in a cluster, if it is a member of one.
    pub(crate) member: Option<&'a MemberClaim>,
    pub(crate) takes_one_copy: bool,
    pub(crate) guarantee: &'a CurrentGuarantee,
}

/// The claim of a member of a cluster.
#[derive(Debug, Clone)]
pub(crate) struct MemberClaim {
    /// The URL at which others reach it.
    pub(crate) url: String,
    /// The owner that may be fenced.
    pub(crate) dead: Option<DeadOwner>,
    /// The terms of the shards that it has fenced.
    pub(crate) terms: FencedTerms,
}

/// The last terms with which a node has fenced shards, also when an engine has opened its journal again by itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct FencedTerms(Arc<Mutex<BTreeMap<Shard, i64>>>);

impl FencedTerms {
    fn note(&self, shard: Shard, term: i64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(shard, term);
    }

    pub(crate) fn of(&self, shard: Shard) -> Option<i64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&shard).copied()
    }
}

/// A shard with a new owner.
pub(crate) struct OpenedShard {
    shard: Shard,
    term: Term,
    extent: Extent,
    leftovers: Leftovers,
}

impl OpenedShard {
    pub(crate) fn journal(
        self,
        place: String,
        blocking: Blocking,
        link: Link,
        takes_one_copy: bool,
        guarantee: CurrentGuarantee,
    ) -> PostgresJournal {
        let Self { shard, term, extent, leftovers } = self;
        PostgresJournal::new(place, blocking, link, (shard, term, extent, leftovers), takes_one_copy, guarantee)
    }
}

/// Opens a journal: checks the schema and the server, fences the owner before, and reads in later statements where
/// the journal ends.
pub(crate) async fn open(link: &mut Link, claimant: &Claimant<'_>) -> Result<OpenedShard, OpenError> {
    admit(link, claimant).await?;
    let (term, first) = fence(link, claimant).await?;
    let shard = claimant.shard;
    let rows = link.run(statements::BOUNDS, &[(&number(shard), Type::INT2), (&first, Type::INT8)]).await;
    let rows = rows.map_err(|undone| io(claimant.place, undone))?;
    let last: Option<i64> = column(claimant.place, &rows, "last")?;
    let left: Option<i64> = column(claimant.place, &rows, "left")?;
    let end = last.map_or(first, |last| last + 1);
    let extent = Extent { first: sequence(first), end: sequence(end) };
    Ok(OpenedShard { shard, term: Term(term), extent, leftovers: Leftovers::from(left.unwrap_or(first)) })
}

/// Checks the schema, and what the server promises.
async fn admit(link: &mut Link, claimant: &Claimant<'_>) -> Result<(), OpenError> {
    let place = claimant.place;
    let rows = link.run(schema::META, &[]).await.map_err(|undone| match undone.is_missing_schema() {
        true => refused(place, format_args!("{}", schema::SchemaError::Missing)),
        false => io(place, undone),
    })?;
    let format: i16 = column(place, &rows, "format")?;
    if format > schema::FORMAT {
        return Err(
            TooNew::format(place, u64::try_from(format).unwrap_or_default(), schema::FORMAT.unsigned_abs()).into()
        );
    }
    if format < schema::FORMAT {
        return Err(refused(place, format_args!("{}", schema::SchemaError::TooOld { found: format })));
    }
    let shards: i16 = column(place, &rows, "shards")?;
    if let (Some(wanted), Ok(found)) = (claimant.shards, u16::try_from(shards))
        && found != wanted.number()
    {
        return Err(OpenError::OtherShards { place: place.to_owned(), found, wanted: wanted.number() });
    }
    if number(claimant.shard) >= shards {
        return Err(refused(
            place,
            format_args!("there are {shards} shards, the first of them is 0: name one of these"),
        ));
    }
    let isolation: String = column(place, &rows, "isolation")?;
    if isolation != "read committed" {
        let advice = "set default_transaction_isolation = 'read committed' for the role (ALTER ROLE … SET)";
        return Err(refused(place, format_args!("transactions are `{isolation}` by default: {advice}")));
    }
    let settings = rows.first().map(ServerSettings::of);
    let Some(Ok(settings)) = settings else { return Err(refused(place, format_args!("it has no settings"))) };
    let guarantee = settings.guarantee();
    claimant.guarantee.note(&guarantee);
    match guarantee {
        Guarantee::None { .. } => Err(refused(place, format_args!("the server promises {guarantee}"))),
        Guarantee::OneCopy if !claimant.takes_one_copy => {
            Err(refused(place, format_args!("the server promises {guarantee}, or accept one copy explicitly")))
        }
        Guarantee::OneCopy | Guarantee::Standbys { .. } => Ok(()),
    }
}

/// Raises the term, which refuses the statements of the owner before from now on.
async fn fence(link: &mut Link, claimant: &Claimant<'_>) -> Result<(i64, i64), OpenError> {
    let Claimant { place, node, owner, .. } = claimant;
    let shard = number(claimant.shard);
    let node = node.as_str();
    let (words, dead) = match claimant.member {
        Some(MemberClaim { url, dead, .. }) => (url.clone(), dead.as_ref()),
        None => (in_words(owner), None),
    };
    let (dead, beat) = (dead.map(|dead| dead.node.as_str()), dead.map(|dead| dead.beat));
    let must_have_joined = claimant.member.is_some();
    let parameters: Parameters<'_> = &[
        (&shard, Type::INT2),
        (&node, Type::TEXT),
        (&words, Type::TEXT),
        (&dead, Type::TEXT),
        (&beat, Type::INT8),
        (&must_have_joined, Type::BOOL),
    ];
    let fence = link.run(statements::FENCE, parameters);
    let rows = fence.await.map_err(|undone| io(place, undone))?;
    if !rows.is_empty() {
        let term = column(place, &rows, "term")?;
        claimant.member.into_iter().for_each(|member| member.terms.note(claimant.shard, term));
        return Ok((term, column(place, &rows, "first_seq")?));
    }
    let owned = link.run(statements::OWNER, &[(&shard, Type::INT2)]).await.map_err(|undone| io(place, undone))?;
    if owned.is_empty() {
        return Err(refused(
            place,
            format_args!("its row in eventful.shard is gone: restore the database from a copy"),
        ));
    }
    let owner: Option<String> = column(place, &owned, "owner")?;
    let url: Option<String> = column(place, &owned, "url")?;
    let owner = format!("{} (node {})", url.unwrap_or_default(), owner.unwrap_or_default());
    Err(OpenError::InUse { owner })
}

/// The owner with its machine, where the system says which one it is: another node may run elsewhere.
fn in_words(owner: &Owner) -> String {
    match std::fs::read_to_string("/proc/sys/kernel/hostname") {
        Ok(host) => format!("{owner} on {}", host.trim_end()),
        Err(_) => owner.to_string(),
    }
}

pub(crate) fn refused(place: &str, cause: core::fmt::Arguments<'_>) -> OpenError {
    OpenError::Io { place: place.to_owned(), cause: cause.to_string() }
}

fn io(place: &str, undone: Undone) -> OpenError {
    OpenError::Io { place: place.to_owned(), cause: undone.cause }
}

fn column<'a, T: FromSql<'a>>(place: &str, rows: &'a [Row], name: &str) -> Result<T, OpenError> {
    let row = rows.first().ok_or_else(|| refused(place, format_args!("the server gave no row")))?;
    row.try_get(name).map_err(|error| refused(place, format_args!("{error}")))
}
