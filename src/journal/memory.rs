//! A journal in memory: for tests, and as the simplest implementation of a journal.

use std::boxed::Box;
use std::collections::BTreeMap;
use std::string::String;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::vec::Vec;

use super::error::{Corrupt, OpenError, ReadError, WriteError};
use super::sequence::Sequence;
use super::store::{Extent, FreeSpace, Journal, JournalStore, Owner};

/// A journal that exists as long as one of its clones. Clones are the same journal.
///
/// A new owner fences the one before.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore(Arc<Mutex<MemoryContents>>);

#[derive(Debug)]
struct MemoryContents {
    /// The bytes of frames and snapshots that it takes.
    max_bytes: u64,
    /// The number of openings; only the last owner may write.
    opening: u64,
    first: Sequence,
    frames: BTreeMap<Sequence, Vec<u8>>,
    /// Finished snapshots, by the frame after them.
    snapshots: BTreeMap<Sequence, Vec<Vec<u8>>>,
    /// The snapshot that is being written.
    unfinished: Option<(Sequence, Vec<Vec<u8>>)>,
}

impl Default for MemoryContents {
    fn default() -> Self {
        let (frames, snapshots, unfinished) = Default::default();
        Self { max_bytes: u64::MAX, opening: 0, first: Sequence::FIRST, frames, snapshots, unfinished }
    }
}

impl MemoryContents {
    fn end(&self) -> Sequence {
        self.frames.last_key_value().map_or(self.first, |(last, _)| last.next())
    }

    fn room(&self) -> u64 {
        if self.max_bytes == u64::MAX {
            return u64::MAX;
        }
        let parts = self.snapshots.values().chain(self.unfinished.as_ref().map(|(_, parts)| parts)).flatten();
        let used: u64 = self.frames.values().chain(parts).map(|bytes| bytes.len() as u64).sum();
        self.max_bytes.saturating_sub(used)
    }

    fn admit(&self, bytes: usize) -> Result<(), WriteError> {
        if bytes as u64 > self.room() { Err(WriteError::Full) } else { Ok(()) }
    }
}

impl MemoryStore {
    /// Creates an empty journal.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns another journal with a copy of the contents.
    #[must_use]
    pub fn copy(&self) -> Self {
        let contents = self.lock();
        let copy = MemoryContents {
            frames: contents.frames.clone(),
            snapshots: contents.snapshots.clone(),
            first: contents.first,
            max_bytes: contents.max_bytes,
            ..MemoryContents::default()
        };
        Self(Arc::new(Mutex::new(copy)))
    }

    /// Creates an empty journal that takes this many bytes.
    pub fn bounded(max_bytes: u64) -> Self {
        let store = Self::new();
        store.lock().max_bytes = max_bytes;
        store
    }

    fn lock(&self) -> MutexGuard<'_, MemoryContents> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl JournalStore for MemoryStore {
    fn open(&mut self, _: &Owner) -> Result<Box<dyn Journal>, OpenError> {
        let mut contents = self.lock();
        contents.opening += 1;
        // A snapshot that its owner did not finish is gone with that owner.
        contents.unfinished = None;
        Ok(Box::new(MemoryJournal { opening: contents.opening, store: self.clone(), broken: None }))
    }

    fn capacity_bytes(&self) -> u64 {
        self.lock().max_bytes
    }

    fn blocks(&self) -> bool {
        false
    }
}

#[derive(Debug)]
struct MemoryJournal {
    opening: u64,
    store: MemoryStore,
    /// The reason why it takes no more calls.
    broken: Option<String>,
}

impl MemoryJournal {
    /// Returns the contents, as long as no other owner has them.
    fn own(&self) -> Result<MutexGuard<'_, MemoryContents>, WriteError> {
        if let Some(cause) = &self.broken {
            return Err(WriteError::Unknown { cause: cause.clone() });
        }
        // Each call checks the owner, as another opening may have come at any time.
        let contents = self.store.lock();
        if contents.opening == self.opening { Ok(contents) } else { Err(WriteError::Fenced) }
    }

    /// Returns the contents, for reading.
    fn contents(&self) -> Result<MutexGuard<'_, MemoryContents>, ReadError> {
        match &self.broken {
            Some(cause) => Err(ReadError::Io { place: "memory".into(), cause: cause.clone() }),
            None => Ok(self.store.lock()),
        }
    }
}

impl Journal for MemoryJournal {
    fn extent(&self) -> Extent {
        let contents = self.store.lock();
        Extent { first: contents.first, end: contents.end() }
    }

    fn room(&self) -> FreeSpace {
        FreeSpace(self.store.lock().room())
    }

    fn append(&mut self, expected: Sequence, frame: &[u8]) -> Result<(), WriteError> {
        let mut contents = self.own()?;
        if contents.end() != expected {
            let last = contents.frames.last_key_value();
            // A caller that has not learned of its success may append the same frame once more.
            let is_repeat = last.is_some_and(|(last, bytes)| *last == expected && bytes == frame);
            return if is_repeat { Ok(()) } else { Err(WriteError::Fenced) };
        }
        contents.admit(frame.len())?;
        contents.frames.insert(expected, frame.to_vec());
        Ok(())
    }

    fn read(
        &mut self,
        from: Sequence,
        limit_bytes: usize,
        visit: &mut dyn FnMut(Sequence, &[u8]),
    ) -> Result<Sequence, ReadError> {
        let contents = self.contents()?;
        if from < contents.first {
            return Err(Corrupt::new(format_args!("frame {from} in memory"), "it was trimmed").into());
        }
        let (mut next, mut bytes) = (from, 0);
        for (sequence, frame) in contents.frames.range(from..) {
            visit(*sequence, frame);
            next = sequence.next();
            bytes += frame.len();
            if bytes >= limit_bytes {
                break;
            }
        }
        Ok(next)
    }

    fn put_snapshot(&mut self, at: Sequence, part: u32, bytes: &[u8], last: bool) -> Result<(), WriteError> {
        let mut contents = self.own()?;
        contents.admit(bytes.len())?;
        if part == 0 {
            contents.snapshots.remove(&at);
            contents.unfinished = Some((at, Vec::new()));
        }
        let first = contents.first;
        let follows =
            |(begun, parts): &(Sequence, Vec<Vec<u8>>)| *begun == at && parts.len() == part as usize && at >= first;
        let Some((_, mut parts)) = contents.unfinished.take_if(|unfinished| follows(unfinished)) else {
            drop(contents);
            let cause = std::format!("part {part} of the snapshot before frame {at} follows nothing");
            // The caller has lost track of its parts, which no later call could repair.
            self.broken = Some(cause.clone());
            return Err(WriteError::Unknown { cause });
        };
        parts.push(bytes.to_vec());
        match last {
            true => drop(contents.snapshots.insert(at, parts)),
            false => contents.unfinished = Some((at, parts)),
        }
        Ok(())
    }

    fn drop_unfinished(&mut self) {
        if let Ok(mut contents) = self.own() {
            contents.unfinished = None;
        }
    }

    fn snapshots(&mut self) -> Result<Vec<Sequence>, ReadError> {
        Ok(self.contents()?.snapshots.keys().copied().collect())
    }

    fn snapshot(&mut self, at: Sequence, part: u32) -> Result<Option<Vec<u8>>, ReadError> {
        let contents = self.contents()?;
        Ok(contents.snapshots.get(&at).and_then(|parts| parts.get(part as usize)).cloned())
    }

    fn trim(&mut self, below: Sequence) -> Result<(), WriteError> {
        let mut contents = self.own()?;
        // Never past the end, so that the next frame keeps its number.
        let below = below.min(contents.end());
        contents.frames = contents.frames.split_off(&below);
        contents.snapshots = contents.snapshots.split_off(&below);
        contents.unfinished.take_if(|(at, _)| *at < below);
        contents.first = contents.first.max(below);
        Ok(())
    }

    fn seal(&mut self) -> Result<(), WriteError> {
        self.own().map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_take_room_from_the_first_on_and_give_it_back() {
        let mut store = MemoryStore::bounded(100);
        let mut journal = store.open(&Owner::new("a test")).expect("it is new");
        let at = Sequence::FIRST.next();
        journal.append(Sequence::FIRST, &[0; 10]).expect("room");
        journal.put_snapshot(at, 0, &[0; 30], false).expect("room");
        assert_eq!(journal.room(), FreeSpace(60), "what is unfinished is there");

        journal.drop_unfinished();
        assert_eq!(journal.room(), FreeSpace(90));

        journal.put_snapshot(at, 0, &[0; 30], false).expect("room");
        journal.put_snapshot(at, 1, &[0; 20], true).expect("room");
        journal.trim(at).expect("it is the owner");
        assert_eq!(journal.room(), FreeSpace(50), "the frame is gone");
    }
}
