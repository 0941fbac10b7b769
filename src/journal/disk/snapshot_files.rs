//! Snapshots: a file for each, which gets its name when it is whole and durable.

use std::collections::BTreeMap;
use std::io;
use std::string::String;
use std::sync::Arc;
use std::vec::Vec;

use super::super::error::{Corrupt, ReadError};
use super::super::sequence::Sequence;
use super::reader::{RecordRead, RecordReader, SharedFile};
use super::record::{self, RecordBuffer, RecordKind, RecordPlace};
use super::volume::{OpenMode, Volume};

/// The file of the snapshot that is being written.
pub(super) const NEW: &str = "snapshot.new";

/// The snapshots of one opening.
#[derive(Debug)]
pub(super) struct SnapshotFiles {
    volume: Arc<dyn Volume>,
    place: String,
    finished: BTreeMap<Sequence, Stored>,
    unfinished: Option<Unfinished>,
    cursor: Option<PartCursor>,
    record: RecordBuffer,
}

/// A snapshot that is whole.
#[derive(Debug, Default)]
struct Stored {
    bytes: u64,
    /// The file, kept open where its name may be removed.
    file: Option<SharedFile>,
}

/// The snapshot that is being written.
#[derive(Debug)]
struct Unfinished {
    at: Sequence,
    file: SharedFile,
    /// The number of the next part.
    part: u32,
    end: u64,
}

/// The place of a part in a file.
#[derive(Debug)]
struct PartCursor {
    at: Sequence,
    part: u32,
    reader: RecordReader,
    bytes: u64,
    /// True once the last part was passed.
    is_at_end: bool,
}

/// Returns the name of the file of the snapshot of everything before this frame.
pub(super) fn name(at: Sequence) -> String {
    std::format!("snapshot-{:020}", at.number())
}

/// Returns the frame before which the snapshot with this name stands.
pub(super) fn number(name: &str) -> Option<Sequence> {
    let digits = name.strip_prefix("snapshot-").filter(|digits| digits.len() == 20)?;
    digits.parse().ok().map(Sequence::new)
}

impl SnapshotFiles {
    pub(super) fn new(volume: &Arc<dyn Volume>, place: &str, snapshots: &[(Sequence, u64)]) -> Self {
        let finished = snapshots.iter().map(|(at, bytes)| (*at, Stored { bytes: *bytes, file: None })).collect();
        let (volume, place) = (Arc::clone(volume), place.into());
        Self { volume, place, finished, unfinished: None, cursor: None, record: RecordBuffer::default() }
    }

    /// Opens all files, so that they can be read when their names are gone.
    pub(super) fn keep_open(&mut self) -> io::Result<()> {
        for (at, stored) in &mut self.finished {
            stored.file = Some(Arc::new(self.volume.open(&name(*at), OpenMode::Read)?));
        }
        Ok(())
    }

    pub(super) fn list(&self) -> Vec<Sequence> {
        self.finished.keys().copied().collect()
    }

    /// Returns the bytes of the files.
    pub(super) fn bytes(&self) -> u64 {
        let unfinished = self.unfinished.as_ref().map_or(0, |unfinished| unfinished.end);
        self.finished.values().map(|stored| stored.bytes).sum::<u64>() + unfinished
    }

    /// Returns the bytes of a snapshot and its file.
    pub(super) fn file(&self, at: Sequence) -> io::Result<Option<(u64, SharedFile)>> {
        let Some(Stored { bytes, file }) = self.finished.get(&at) else { return Ok(None) };
        let open = || self.volume.open(&name(at), OpenMode::Read).map(Arc::new);
        Ok(Some((*bytes, file.clone().map_or_else(open, Ok)?)))
    }

    /// Puts the next part. Returns whether it follows the one before. All are durable once the last one is there.
    pub(super) fn put(&mut self, at: Sequence, part: u32, bytes: &[u8], last: bool) -> io::Result<bool> {
        if part == 0 {
            self.begin(at)?;
        }
        let follows = |unfinished: &&mut Unfinished| unfinished.at == at && unfinished.part == part;
        let Some(unfinished) = self.unfinished.as_mut().filter(follows) else { return Ok(false) };
        let kind = if last { RecordKind::LastPart } else { RecordKind::Part };
        let place = RecordPlace { file: at.number(), at: unfinished.end };
        record::encode(kind, part.into(), bytes, place, &mut self.record);
        if let Err(error) = unfinished.file.write_at(unfinished.end, self.record.bytes()) {
            // A part that was written halfway is cut off, so that the refusal has written nothing.
            unfinished.file.cut(unfinished.end)?;
            return Err(error);
        }
        // One sync behind the last part is enough, as no name leads to the file until then. The others only keep the cache
        // short.
        if last {
            unfinished.file.sync()?
        } else {
            unfinished.file.relieve()?
        }
        (unfinished.part, unfinished.end) = (part + 1, unfinished.end + self.record.bytes().len() as u64);
        if last {
            self.finish()?;
        }
        Ok(true)
    }

    fn begin(&mut self, at: Sequence) -> io::Result<()> {
        (self.unfinished, self.cursor) = (None, None);
        if self.finished.remove(&at).is_some() {
            self.volume.remove(&name(at))?;
        }
        let file = Arc::new(self.volume.open(NEW, OpenMode::Create)?);
        self.unfinished = Some(Unfinished { at, file, part: 0, end: 0 });
        Ok(())
    }

    /// Gives the snapshot its name. Its parts are read back from the medium.
    fn finish(&mut self) -> io::Result<()> {
        let Some(Unfinished { at, file, end, .. }) = self.unfinished.take() else { return Ok(()) };
        self.volume.rename(NEW, &name(at))?;
        self.volume.sync_names()?;
        file.evict()?;
        self.finished.insert(at, Stored { bytes: end, file: None });
        Ok(())
    }

    /// Removes the parts of the snapshot that is being written.
    pub(super) fn drop_unfinished(&mut self) {
        if self.unfinished.take().is_some() {
            // A file that remains is removed by the next snapshot, or at opening.
            let _ = self.volume.remove(NEW);
        }
    }

    /// Reads one part; none after the last.
    pub(super) fn get(&mut self, at: Sequence, part: u32) -> Result<Option<Vec<u8>>, ReadError> {
        let place = std::format!("{}/{}", self.place, name(at));
        let unread = |error: io::Error| ReadError::Io { place: place.clone(), cause: std::format!("{error}") };
        let mut cursor = match self.cursor.take().filter(|cursor| cursor.at == at && cursor.part == part) {
            Some(cursor) => cursor,
            None => match self.file(at).map_err(unread)? {
                Some((bytes, file)) => {
                    let reader = RecordReader::new(file, at.number(), 0);
                    PartCursor { at, part: 0, reader, bytes, is_at_end: false }
                }
                None => return Ok(None),
            },
        };
        let corrupt = |at| Corrupt::new(std::format_args!("{place} at byte {at}"), "a part of it is damaged");
        // Only when parts are read out of order: those before are passed over by their heads.
        while cursor.part < part && !cursor.is_at_end {
            let passed = cursor.skip().map_err(unread)?;
            passed.ok_or_else(|| corrupt(cursor.reader.at()))?;
        }
        if cursor.is_at_end {
            return Ok(None);
        }
        let read = cursor.next().map_err(unread)?;
        let read = read.ok_or_else(|| corrupt(cursor.reader.at()))?;
        self.cursor = Some(cursor);
        Ok(Some(read))
    }

    /// Removes the snapshots before this frame. Returns the names of their files.
    pub(super) fn trim(&mut self, below: Sequence) -> Vec<String> {
        let kept = self.finished.split_off(&below);
        let trimmed = core::mem::replace(&mut self.finished, kept);
        if self.unfinished.as_ref().is_some_and(|unfinished| unfinished.at < below) {
            self.drop_unfinished();
        }
        trimmed.into_keys().map(name).collect()
    }
}

impl PartCursor {
    /// Reads the next part; none when it is damaged.
    fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        let RecordRead::Record { head, body, .. } = self.reader.next(self.bytes)? else { return Ok(None) };
        if !matches!(head.kind, RecordKind::Part | RecordKind::LastPart) || head.number != u64::from(self.part) {
            return Ok(None);
        }
        (self.is_at_end, self.part) = (head.kind == RecordKind::LastPart, self.part + 1);
        Ok(Some(body.to_vec()))
    }

    /// Skips the next part; none when it is damaged.
    fn skip(&mut self) -> io::Result<Option<()>> {
        let Some(head) = self.reader.skip(self.bytes)? else { return Ok(None) };
        if !matches!(head.kind, RecordKind::Part | RecordKind::LastPart) || head.number != u64::from(self.part) {
            return Ok(None);
        }
        (self.is_at_end, self.part) = (head.kind == RecordKind::LastPart, self.part + 1);
        Ok(Some(()))
    }
}
