//! A journal in PostgreSQL, as a place where it can be opened.

use core::time::Duration;

use eventful::engine::ShardCount;
use eventful::journal::{Journal, JournalStore, OpenError, Owner, Shard};

use crate::blocking::Blocking;
use crate::database::Database;
use crate::journal::LIMIT_BYTES;
use crate::link::Link;
use crate::node_id::NodeId;
use crate::opening::{self, Claimant, MemberClaim};
use crate::settings::CurrentGuarantee;

/// The time for which a statement is repeated, unless another one is set: the time after which a node that
/// shows no life is taken for dead.
pub(crate) const LEASE: Duration = Duration::from_secs(5);

/// The journal of one shard, in PostgreSQL.
///
/// Its journals block the thread that calls them, so the adapter gives each a thread of its own.
#[derive(Debug, Clone)]
pub struct PostgresStore {
    database: Database,
    shard: Shard,
    /// The number of shards that the schema must have, when that is known.
    shards: Option<ShardCount>,
    node: NodeId,
    lease: Duration,
    takes_one_copy: bool,
    guarantee: CurrentGuarantee,
    member: Option<MemberClaim>,
}

impl PostgresStore {
    /// The journal of a shard, for this node. The schema must be there: [`init`](crate::init) makes it.
    ///
    /// A server without a synchronous standby is refused, unless [`one_copy`](Self::one_copy) is called.
    pub fn new(database: Database, shard: Shard, node: NodeId) -> Self {
        Self {
            database,
            shard,
            shards: None,
            node,
            lease: LEASE,
            takes_one_copy: false,
            guarantee: CurrentGuarantee::default(),
            member: None,
        }
    }

    /// Accepts a server on which what is acknowledged has one copy: [`Guarantee::OneCopy`](crate::Guarantee::OneCopy).
    #[must_use]
    pub const fn one_copy(mut self) -> Self {
        self.takes_one_copy = true;
        self
    }

    /// Sets for how long a statement is repeated before its outcome is unknown: 5 s unless this is called.
    #[must_use]
    pub const fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// The journal of another shard, of so many, with the same settings.
    pub(crate) const fn of(mut self, shard: Shard, shards: ShardCount) -> Self {
        (self.shard, self.shards) = (shard, Some(shards));
        self
    }

    /// The same journal, claimed by a member of a cluster.
    pub(crate) fn claimed(self, member: MemberClaim) -> Self {
        Self { member: Some(member), ..self }
    }

    /// Returns the number of its shard.
    pub const fn shard(&self) -> Shard {
        self.shard
    }

    /// Returns what the server promises, kept up to date.
    pub fn guarantee(&self) -> CurrentGuarantee {
        self.guarantee.clone()
    }
}

impl JournalStore for PostgresStore {
    fn open(&mut self, owner: &Owner) -> Result<Box<dyn Journal>, OpenError> {
        let place = format!("shard {} of {}", self.shard.number(), self.database);
        let refused = |error: std::io::Error| OpenError::Io { place: place.clone(), cause: error.to_string() };
        let blocking = Blocking::new().map_err(refused)?;
        let mut link = Link::new(self.database.clone(), self.lease);
        let claimant = Claimant {
            place: &place,
            shard: self.shard,
            shards: self.shards,
            node: &self.node,
            owner,
            member: self.member.as_ref(),
            takes_one_copy: self.takes_one_copy,
            guarantee: &self.guarantee,
        };
        let opened = blocking.run(opening::open(&mut link, &claimant))?;
        Ok(Box::new(opened.journal(place, blocking, link, self.takes_one_copy, self.guarantee.clone())))
    }

    fn max_frame_bytes(&self) -> usize {
        LIMIT_BYTES
    }
}
