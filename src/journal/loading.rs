//! A snapshot, read part by part.

use std::vec::Vec;

use super::error::{Corrupt, OpenError, ReadError};
use super::frame::Link;
use super::log::Position;
use super::records;
use super::sequence::Sequence;
use super::snapshot::{check, place};
use super::store::Journal;
use crate::engine::{Config, Replay, Restoration};

/// A snapshot that is being read.
#[derive(Debug)]
pub(super) struct Loading {
    at: Sequence,
    config: Config,
    /// The next part.
    part: u32,
    begun: Option<Begun>,
}

/// What its parts so far hold.
#[derive(Debug)]
struct Begun {
    restoration: Restoration,
    /// Records that are still to come.
    left: u64,
    position: Position,
    /// The link of the last part.
    link: Link,
}

impl Loading {
    /// Of the snapshot of everything before this frame.
    pub(super) const fn new(at: Sequence, config: Config) -> Self {
        Self { at, config, part: 0, begun: None }
    }

    /// The frame after it.
    pub(super) const fn at(&self) -> Sequence {
        self.at
    }

    /// The part to read next.
    pub(super) const fn part(&self) -> u32 {
        self.part
    }

    /// Takes in the next part.
    pub(super) fn put(&mut self, bytes: &[u8]) -> Result<(), OpenError> {
        let (at, part) = (self.at, self.part);
        let damage = |error: &dyn core::fmt::Display| Corrupt::new(place(at, part), error);
        let read = check(bytes, at, part, self.begun.as_ref().map(|begun| begun.link))?;
        let mut body = read.body;
        let begun = match &mut self.begun {
            Some(begun) => begun,
            None => {
                let (summary, left, rest) = records::decode_summary(body).map_err(|error| damage(&error))?;
                let restoration = Restoration::new(self.config.clone(), summary).map_err(|error| damage(&error))?;
                let position = Position { next: at, previous: read.header.previous, epoch: read.header.epoch };
                body = rest;
                self.begun.insert(Begun { restoration, left, position, link: read.link })
            }
        };
        while !body.is_empty() {
            let (kept, rest) = records::decode(body).map_err(|error| damage(&error))?;
            begun.restoration.put(kept).map_err(|error| damage(&error))?;
            begun.left = begun.left.checked_sub(1).ok_or_else(|| damage(&"it holds more records than it says"))?;
            body = rest;
        }
        begun.link = read.link;
        self.part += 1;
        Ok(())
    }

    /// What it holds, once there are no more parts.
    pub(super) fn finish(&mut self) -> Result<(Replay, Position), OpenError> {
        match self.begun.take() {
            Some(Begun { restoration, left: 0, position, .. }) => {
                let replay = restoration.finish().map_err(|error| Corrupt::new(place(self.at, self.part), error))?;
                Ok((replay, position))
            }
            _ => Err(Corrupt::new(place(self.at, self.part), "it is missing").into()),
        }
    }
}

/// Reads a snapshot.
pub(super) fn load(journal: &mut dyn Journal, at: Sequence, config: &Config) -> Result<(Replay, Position), OpenError> {
    load_parts(at, config, &mut |part| journal.snapshot(at, part))
}

/// Reads a snapshot, part by part.
pub(super) fn load_parts(
    at: Sequence,
    config: &Config,
    read: &mut dyn FnMut(u32) -> Result<Option<Vec<u8>>, ReadError>,
) -> Result<(Replay, Position), OpenError> {
    let mut loading = Loading::new(at, config.clone());
    while let Some(bytes) = read(loading.part())? {
        loading.put(&bytes)?;
    }
    loading.finish()
}
