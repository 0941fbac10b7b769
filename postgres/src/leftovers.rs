//! Rows that are no part of a journal any more, and are taken away a few at a time.

use tokio_postgres::types::Type;

use crate::blocking::Blocking;
use crate::link::Link;
use crate::session::Parameters;
use crate::statements;

/// Rows that one statement takes away. The server has a row of 1 MiB, which is what a frame has at most unless a single
/// event is larger, as 500 rows of its own: with a thousand such frames at once, deletes took longer than a lease.
const AT_ONCE: i64 = 64;

/// Calls that follow one in vain without another try: so a server that is slow to delete costs few appends their pace.
const REST: u32 = 64;

/// The rows that are left of what was trimmed or not finished.
#[derive(Debug)]
pub(crate) struct Leftovers {
    /// The first frame that may be left.
    frames: i64,
    /// Parts of snapshots may be left.
    parts: bool,
    /// Calls that still pass without a try.
    rest: u32,
}

/// The journal whose rows these are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KeptRows {
    pub(crate) shard: i16,
    pub(crate) term: i64,
    /// The first frame that is kept.
    pub(crate) first: i64,
    /// Parts of this writing, and of later ones, may belong to a snapshot that is not finished yet.
    pub(crate) writing: i64,
}

impl Leftovers {
    /// The rows that may be left at an opening: frames from this one on, and parts.
    pub(crate) const fn from(frames: i64) -> Self {
        Self { frames, parts: true, rest: 0 }
    }

    /// Notes that parts of a snapshot are of no more use.
    pub(crate) const fn note_parts(&mut self) {
        self.parts = true;
    }

    /// Takes some rows away, if there are any. A failure is of no consequence: they are tried again, by the next opening at
    /// the latest.
    pub(crate) fn sweep(&mut self, blocking: &Blocking, link: &mut Link, kept: KeptRows) {
        if let Some(rest) = self.rest.checked_sub(1) {
            self.rest = rest;
            return;
        }
        let swept = match (self.parts, self.frames < kept.first) {
            (true, _) => self.sweep_parts(blocking, link, kept),
            (false, true) => self.sweep_frames(blocking, link, kept),
            (false, false) => Ok(()),
        };
        if let Err(cause) = swept {
            tracing::debug!(%cause, "rows that were trimmed are left for later");
            self.rest = REST;
        }
    }

    fn sweep_parts(&mut self, blocking: &Blocking, link: &mut Link, kept: KeptRows) -> Result<(), String> {
        let KeptRows { shard, term, first, writing } = kept;
        let parameters: Parameters<'_> = &[
            (&shard, Type::INT2),
            (&term, Type::INT8),
            (&first, Type::INT8),
            (&writing, Type::INT8),
            (&AT_ONCE, Type::INT8),
        ];
        let rows = blocking.run(link.ask(statements::DELETE_PARTS, parameters))?;
        let gone =
            rows.first().map_or(Ok(0), |row| row.try_get::<_, i64>("gone")).map_err(|error| error.to_string())?;
        self.parts = gone == AT_ONCE;
        Ok(())
    }

    fn sweep_frames(&mut self, blocking: &Blocking, link: &mut Link, kept: KeptRows) -> Result<(), String> {
        let KeptRows { shard, term, first, .. } = kept;
        let until = (self.frames + AT_ONCE).min(first);
        let parameters: Parameters<'_> =
            &[(&shard, Type::INT2), (&term, Type::INT8), (&self.frames, Type::INT8), (&until, Type::INT8)];
        blocking.run(link.ask(statements::DELETE_FRAMES, parameters))?;
        self.frames = until;
        Ok(())
    }
}
