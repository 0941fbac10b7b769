//! The interface of a journal.

use core::fmt;
use std::boxed::Box;
use std::string::String;
use std::vec::Vec;

use super::error::{OpenError, ReadError, WriteError};
use super::sequence::Sequence;

/// A place where a journal can be opened.
///
/// The module `conformance` checks that an implementation keeps the contract of these traits.
pub trait JournalStore: fmt::Debug + Send + 'static {
    /// Opens the journal, and creates it when there is none. An earlier owner can write no more: it is refused from
    /// now on ([`WriteError::Fenced`]), or this call is ([`OpenError::InUse`]).
    ///
    /// All that was acknowledged before is there. What was being written when its owner died is there whole, or not at
    /// all: a torn tail is cut.
    ///
    /// # Errors
    ///
    /// [`OpenError`]
    fn open(&mut self, owner: &Owner) -> Result<Box<dyn Journal>, OpenError>;

    /// Returns whether its journals block the thread that calls them. Then the adapter gives the journal a thread of
    /// its own.
    fn blocks(&self) -> bool {
        true
    }

    /// Returns the largest number of bytes that its journals take, as it was set up; `u64::MAX`, the default, without
    /// a bound.
    fn capacity_bytes(&self) -> u64 {
        u64::MAX
    }

    /// Returns the largest number of bytes that a frame may have. By default as many as a frame's header can count.
    fn max_frame_bytes(&self) -> usize {
        u32::MAX as usize
    }
}

/// The name of the process that opens a journal, in words from which an operator knows what to stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner(String);

impl Owner {
    /// Creates the owner with this name, such as `process 4242 on host blue`.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Bytes that a journal can still take; `u64::MAX` when it knows no bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FreeSpace(pub u64);

impl FreeSpace {
    /// No known bound.
    pub const UNBOUNDED: Self = Self(u64::MAX);
}

/// The frames that a journal holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// The first one that was not trimmed.
    pub first: Sequence,
    /// The one that will be appended next.
    pub end: Sequence,
}

/// An open journal: frames one after the other, and snapshots that take the place of the frames before them.
///
/// A call that returns `Ok` is durable. Dropping it closes it and releases its lock.
pub trait Journal: fmt::Debug + Send {
    /// Returns the frames in it.
    fn extent(&self) -> Extent;

    /// Returns the bytes that it can still take.
    fn room(&self) -> FreeSpace;

    /// Checks that writes would be found again: the place of the journal is there, and responds. By default there is
    /// no place that could vanish.
    ///
    /// # Errors
    ///
    /// [`WriteError::Unreachable`]
    fn reach(&self) -> Result<(), WriteError> {
        Ok(())
    }

    /// Appends a frame, on the condition that it is the `expected` one. Durable when it returns.
    ///
    /// The last frame can be appended again with the same bytes, which changes nothing: so a caller that
    /// has lost the result repeats the call.
    ///
    /// # Errors
    ///
    /// [`WriteError`]; [`WriteError::Fenced`] when another frame was expected.
    fn append(&mut self, expected: Sequence, frame: &[u8]) -> Result<(), WriteError>;

    /// Reads frames in order, from this one on, and passes each to `visit`: at least one unless the end is reached,
    /// and no more once `limit_bytes` are read. Returns the next one to read.
    ///
    /// # Errors
    ///
    /// [`ReadError`]; [`ReadError::Corrupt`] too when a frame that was not trimmed is missing.
    fn read(
        &mut self,
        from: Sequence,
        limit_bytes: usize,
        visit: &mut dyn FnMut(Sequence, &[u8]),
    ) -> Result<Sequence, ReadError>;

    /// Puts the next part of the snapshot of everything before frame `at`. The snapshot exists once its `last` part
    /// was put. Part 0 begins it again, and replaces one that was begun or finished there before.
    ///
    /// # Errors
    ///
    /// [`WriteError`]; [`WriteError::Unknown`] when the part does not follow the one before it of this snapshot, or the
    /// frame was trimmed.
    fn put_snapshot(&mut self, at: Sequence, part: u32, bytes: &[u8], last: bool) -> Result<(), WriteError>;

    /// Abandons the snapshot of which some parts were put, and frees their space, at once or with the next write. By
    /// default this happens at the next snapshot, or opening.
    fn drop_unfinished(&mut self) {}

    /// Returns the snapshots that exist, the newest last.
    ///
    /// # Errors
    ///
    /// [`ReadError`]
    fn snapshots(&mut self) -> Result<Vec<Sequence>, ReadError>;

    /// Returns one part of a snapshot; none after its last.
    ///
    /// # Errors
    ///
    /// [`ReadError`]
    fn snapshot(&mut self, at: Sequence, part: u32) -> Result<Option<Vec<u8>>, ReadError>;

    /// Drops the frames and the snapshots before `below`. The snapshot at `below` stays.
    ///
    /// # Errors
    ///
    /// [`WriteError`]
    fn trim(&mut self, below: Sequence) -> Result<(), WriteError>;

    /// Makes what was acknowledged as safe as it can be. Called when nothing was appended for a while. The default
    /// does nothing.
    ///
    /// # Errors
    ///
    /// [`WriteError`]
    fn seal(&mut self) -> Result<(), WriteError> {
        Ok(())
    }
}
