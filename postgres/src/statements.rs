//! The statements of a journal. Each is a transaction of its own, and can be repeated.
//!
//! A statement that writes sets `synchronous_commit` for itself, in `conf`: a session could lose the setting to a pooler,
//! and the server may have another one. It proves its ownership in `own`, with a lock that an opening waits for. The lock
//! also gives the transaction a record in the log: so a repeated statement that finds everything done waits for the
//! standby, too.

use crate::settings::settings_columns;

/// Sets `synchronous_commit` until the end of the transaction.
macro_rules! conf {
    () => {
        "conf AS MATERIALIZED (SELECT set_config('synchronous_commit', 'on', true) AS commit_waits)"
    };
}

/// The same for a transaction that may be lost: it need not wait for a disk or a standby.
macro_rules! loose {
    () => {
        "conf AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true) AS commit_waits)"
    };
}

/// The shard, as long as term `$2` is the last.
macro_rules! own {
    () => {
        "own AS MATERIALIZED (SELECT 1 FROM eventful.shard WHERE shard = $1 AND term = $2 FOR SHARE)"
    };
}

/// The first columns of every statement that writes: whether it owned the shard.
macro_rules! owned {
    () => {
        "(SELECT count(*) FROM own) AS owned, (SELECT commit_waits FROM conf) AS commit_waits"
    };
}

/// Shard, term, sequence, bytes. Returns (owned, put): (1, 1) is appended, (0, 0) is fenced, (1, 0) leaves to
/// compare.
pub(crate) const APPEND: &str = concat!(
    "WITH ",
    conf!(),
    ", ",
    own!(),
    ", put AS (INSERT INTO eventful.frame SELECT $1, $3, $4 FROM own ON CONFLICT DO NOTHING RETURNING 1) SELECT ",
    owned!(),
    ", (SELECT count(*) FROM put) AS put, ",
    settings_columns!()
);

/// Shard, sequence, bytes. Returns whether the frame there has these bytes.
pub(crate) const IS_FRAME: &str = "SELECT body = $3 AS same FROM eventful.frame WHERE shard = $1 AND seq = $2";

/// Shard, node, words, dead node, its beat, whether the node must have joined. The fence of an opening: returns the term and
/// the first sequence. Whatever the opening reads, it must read in a later statement: one that began before the fence was
/// committed does not see the frame in flight. The row of a dead node is locked: its next beat waits, and it then reads that it
/// has lost the shard; one that came before makes it no dead node.
pub(crate) const FENCE: &str = concat!(
    "WITH ",
    conf!(),
    ", dead AS MATERIALIZED (SELECT node FROM eventful.node WHERE node = $4::uuid AND beat = $5 FOR UPDATE), \
     fence AS (UPDATE eventful.shard SET term = term + 1, owner = $2::uuid, url = $3 WHERE shard = $1 AND \
     (owner IS NULL OR owner = $2::uuid OR owner IN (SELECT node FROM dead)) AND \
     (NOT $6 OR EXISTS (SELECT FROM eventful.node WHERE node = $2::uuid)) RETURNING term, first_seq) SELECT term, first_seq, \
     (SELECT commit_waits FROM conf) AS commit_waits FROM fence"
);

/// Shard. Returns its owner.
pub(crate) const OWNER: &str = "SELECT owner::text, url FROM eventful.shard WHERE shard = $1";

/// Shard, term. Gives up the shard, unless another node has it by now.
pub(crate) const RELEASE: &str = "UPDATE eventful.shard SET owner = NULL, url = NULL WHERE shard = $1 AND term = $2";

/// Shard, term. Returns whether it is still the last.
pub(crate) const IS_OWN: &str = concat!(
    "SELECT EXISTS (SELECT FROM eventful.shard WHERE shard = $1 AND term = $2) AS owned, ",
    settings_columns!()
);

/// Shard, first sequence. Returns the last one, and the first one of those that a trim has left.
pub(crate) const BOUNDS: &str = "SELECT (SELECT max(seq) FROM eventful.frame WHERE shard = $1 AND seq >= $2) AS last, \
                                 (SELECT min(seq) FROM eventful.frame WHERE shard = $1 AND seq < $2) AS left";

/// Shard, from, end, bytes. Returns frames until so many bytes are reached, of a thousand at most: of those that it leaves
/// out, the server reads the lengths only.
pub(crate) const READ: &str = "SELECT seq, body FROM (SELECT seq, body, sum(octet_length(body)) OVER (ORDER BY seq) - \
                               octet_length(body) AS before FROM eventful.frame WHERE shard = $1 AND seq >= $2 AND \
                               seq < least($3, $2 + 1000)) AS page WHERE before < $4 OR seq = $2 ORDER BY seq";

/// Shard, term, at, part, last, bytes, writing. Puts a part. Part 0 takes the last part of an earlier writing there, so that
/// this is no snapshot any more. One that arrives late, when it was repeated long ago, changes nothing: a later writing
/// stays, and the same one has the same bytes.
pub(crate) const PUT_PART: &str = concat!(
    "WITH ",
    conf!(),
    ", ",
    own!(),
    ", cut AS (DELETE FROM eventful.snapshot AS s USING own WHERE $4 = 0 AND s.shard = $1 AND s.at = $3 AND s.part > 0 \
     AND s.last AND s.writing < $7), \
     put AS (INSERT INTO eventful.snapshot AS s SELECT $1, $3, $4, $5, $6, $7 FROM own WHERE true \
     ON CONFLICT (shard, at, part) DO UPDATE SET last = excluded.last, body = excluded.body, \
     writing = excluded.writing WHERE s.writing <= excluded.writing) SELECT ",
    owned!()
);

/// Shard, first sequence. Returns the snapshots that are finished.
pub(crate) const SNAPSHOTS: &str =
    "SELECT at FROM eventful.snapshot WHERE shard = $1 AND at >= $2 AND last ORDER BY at";

/// Shard, at, part. Returns the part of a snapshot that is finished.
pub(crate) const PART: &str = "SELECT body FROM eventful.snapshot AS s WHERE shard = $1 AND at = $2 AND part = $3 AND \
                               EXISTS (SELECT FROM eventful.snapshot AS l WHERE l.shard = $1 AND l.at = s.at AND l.last \
                               AND l.writing = s.writing)";

/// Shard, term, below. The first step of a trim: from now on the rows before count as gone.
pub(crate) const TRIM: &str = concat!(
    "WITH ",
    conf!(),
    ", own AS (UPDATE eventful.shard SET first_seq = $3 WHERE shard = $1 AND term = $2 AND first_seq <= $3 RETURNING 1) \
     SELECT ",
    owned!()
);

/// Shard, term, from, until. Takes away frames that were trimmed.
pub(crate) const DELETE_FRAMES: &str = concat!(
    "WITH ",
    loose!(),
    ", ",
    own!(),
    ", gone AS (DELETE FROM eventful.frame AS f USING own WHERE f.shard = $1 AND f.seq >= $3 AND f.seq < $4) SELECT ",
    owned!()
);

/// Shard, term, below, writing, count. Takes away so many parts of snapshots that were trimmed, or that an earlier writing
/// than this one left unfinished. Returns how many there were.
pub(crate) const DELETE_PARTS: &str = concat!(
    "WITH ",
    loose!(),
    ", ",
    own!(),
    ", gone AS (DELETE FROM eventful.snapshot AS s USING own WHERE s.shard = $1 AND s.writing < $4 AND (s.at, s.part) IN \
     (SELECT o.at, o.part FROM eventful.snapshot AS o WHERE o.shard = $1 AND o.writing < $4 AND (o.at < $3 OR NOT EXISTS \
     (SELECT FROM eventful.snapshot AS l WHERE l.shard = $1 AND l.at = o.at AND l.last AND l.writing = o.writing)) \
     LIMIT $5) RETURNING 1) SELECT ",
    owned!(),
    ", (SELECT count(*) FROM gone) AS gone"
);

/// Node, URL. A node joins: returns its beat, by which a process that had this identity before learns that it is superseded.
pub(crate) const JOIN: &str = concat!(
    "WITH ",
    conf!(),
    ", put AS (INSERT INTO eventful.node AS n VALUES ($1::uuid, $2, (extract(epoch FROM clock_timestamp()) * 1000000)::int8, \
     false) ON CONFLICT (node) DO UPDATE SET url = excluded.url, leaving = false, \
     beat = greatest(n.beat + 1000000, excluded.beat) RETURNING beat) SELECT (SELECT beat FROM put) AS beat, \
     (SELECT commit_waits FROM conf) AS commit_waits"
);

/// Node, beat, whether it leaves. Raises its beat; returns none when another process has this identity. It may be lost with
/// the server: then it is raised again.
pub(crate) const BEAT: &str = concat!(
    "WITH ",
    loose!(),
    ", put AS (UPDATE eventful.node SET beat = $2, leaving = $3 WHERE node = $1::uuid AND beat < $2 RETURNING beat) \
     SELECT (SELECT beat FROM put) AS beat, (SELECT commit_waits FROM conf) AS commit_waits"
);

/// All nodes and all shards: the columns of the one are empty in the rows of the other.
pub(crate) const CLUSTER: &str = "SELECT node::text AS node, url, beat, leaving, NULL::int2 AS shard, NULL::int8 AS term FROM \
                                  eventful.node UNION ALL SELECT owner::text, url, NULL, NULL, shard, term FROM \
                                  eventful.shard ORDER BY shard";

/// Node, beat. A node that has closed all its shards leaves, unless another process has its identity.
pub(crate) const LEAVE: &str = concat!(
    "WITH ",
    conf!(),
    ", gone AS (DELETE FROM eventful.node WHERE node = $1::uuid AND beat <= $2 RETURNING node), \
     free AS (UPDATE eventful.shard SET owner = NULL, url = NULL WHERE owner IN (SELECT node FROM gone)) \
     SELECT (SELECT commit_waits FROM conf) AS commit_waits"
);
