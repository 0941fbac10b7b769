//! Snapshots of a [`PlainStore`](super::PlainStore): one file each, named when it is whole.

use std::collections::BTreeMap;

use eventful::journal::{Corrupt, OpenError, ReadError, Sequence};

use super::drive::{Drive, DriveFile};
use super::medium::{DiskError, Life};
use super::record::{self, Kind, Record};
use super::refusal::refused;
use super::segment;

/// The file of the one that is being written.
const UNFINISHED: &str = "new-snapshot";

/// The snapshots of one opening.
#[derive(Debug)]
pub(super) struct Shelf {
    drive: Drive,
    life: Life,
    /// Where the parts of each begin, once somebody has asked.
    finished: BTreeMap<Sequence, Option<Vec<u64>>>,
    unfinished: Option<Unfinished>,
    record: Vec<u8>,
}

#[derive(Debug)]
struct Unfinished {
    at: Sequence,
    file: DriveFile,
    parts: Vec<u64>,
    end: u64,
}

/// The file of the snapshot of everything before this frame.
pub(super) fn name(at: Sequence) -> String {
    format!("snapshot-{at:020}")
}

fn number(name: &str) -> Option<u64> {
    name.strip_prefix("snapshot-")?.parse().ok()
}

/// Which of these names are those of finished snapshots from `first` on.
pub(super) fn all(names: &[String], first: Sequence) -> Vec<Sequence> {
    let numbers = names.iter().filter_map(|name| number(name)).map(Sequence::new);
    numbers.filter(|at| *at >= first).collect()
}

/// Takes away what is not finished.
pub(super) fn sweep(drive: &Drive, life: Life, names: &[String]) -> Result<(), OpenError> {
    if names.iter().any(|name| name == UNFINISHED) {
        drive.disk().remove(life, UNFINISHED).map_err(|error| refused(UNFINISHED, error))?;
    }
    Ok(())
}

impl Shelf {
    /// The finished ones from `first` on.
    pub(super) fn open(drive: &Drive, life: Life, first: Sequence) -> Result<Self, OpenError> {
        let names = drive.disk().names(life).map_err(|error| refused("the directory", error))?;
        let finished = all(&names, first).into_iter().map(|at| (at, None)).collect();
        Ok(Self { drive: drive.clone(), life, finished, unfinished: None, record: Vec::new() })
    }

    pub(super) fn list(&self) -> Vec<Sequence> {
        self.finished.keys().copied().collect()
    }

    /// Puts the next part. Nothing when it follows no other.
    pub(super) fn put(&mut self, at: Sequence, part: u32, bytes: &[u8], last: bool) -> Result<Option<()>, DiskError> {
        if part == 0 {
            self.begin(at)?;
        }
        let follows = |unfinished: &&mut Unfinished| unfinished.at == at && unfinished.parts.len() == part as usize;
        let Some(unfinished) = self.unfinished.as_mut().filter(follows) else { return Ok(None) };
        let kind = if last { Kind::LastPart } else { Kind::Part };
        let record = Record { kind, number: u64::from(part), body: bytes };
        record::encode(&record, at.number(), unfinished.end, &mut self.record);
        unfinished.file.write(unfinished.end, &self.record)?;
        unfinished.parts.push(unfinished.end);
        unfinished.end += self.record.len() as u64;
        if last {
            self.finish()?;
        }
        Ok(Some(()))
    }

    fn begin(&mut self, at: Sequence) -> Result<(), DiskError> {
        self.unfinished = None;
        if self.finished.remove(&at).is_some() {
            self.drive.disk().remove(self.life, &name(at))?;
        }
        let file = DriveFile::open(&self.drive, self.life, UNFINISHED)?;
        file.set_len(0)?;
        self.unfinished = Some(Unfinished { at, file, parts: Vec::new(), end: 0 });
        Ok(())
    }

    fn finish(&mut self) -> Result<(), DiskError> {
        let Some(Unfinished { at, file, parts, .. }) = self.unfinished.take() else { return Ok(()) };
        file.sync()?;
        self.drive.disk().rename(self.life, UNFINISHED, &name(at))?;
        self.drive.disk().sync_names(self.life)?;
        self.finished.insert(at, Some(parts));
        Ok(())
    }

    /// One part; nothing after the last.
    pub(super) fn get(&mut self, at: Sequence, part: u32) -> Result<Option<Vec<u8>>, ReadError> {
        let Some(parts) = self.finished.get(&at) else { return Ok(None) };
        let name = name(at);
        let bytes = segment::read(&self.drive, self.life, &name)
            .map_err(|error| ReadError::Io { place: name.clone(), cause: error.to_string() })?;
        let parts = match parts {
            Some(parts) => parts.clone(),
            None => scan(&bytes, at)?,
        };
        let found = parts.get(part as usize).map(|from| read(&bytes, at, *from));
        self.finished.insert(at, Some(parts));
        Ok(found.transpose()?)
    }

    /// Takes away those before this frame.
    pub(super) fn trim(&mut self, below: Sequence) -> Result<(), DiskError> {
        let kept = self.finished.split_off(&below);
        for at in core::mem::replace(&mut self.finished, kept).into_keys() {
            self.drive.disk().remove(self.life, &name(at))?;
        }
        Ok(())
    }
}

/// Where the parts of a snapshot begin.
fn scan(bytes: &[u8], at: Sequence) -> Result<Vec<u64>, Corrupt> {
    let mut parts = Vec::new();
    let mut from = 0;
    loop {
        let record = record::decode(&bytes[from.min(bytes.len())..], at.number(), from as u64)
            .ok_or_else(|| corrupt(at, from as u64))?;
        parts.push(from as u64);
        from += record::bytes_of(record.body.len());
        if record.kind == Kind::LastPart {
            return Ok(parts);
        }
    }
}

fn read(bytes: &[u8], at: Sequence, from: u64) -> Result<Vec<u8>, Corrupt> {
    let record = bytes.get(from as usize..).and_then(|bytes| record::decode(bytes, at.number(), from));
    record.map(|record| record.body.to_vec()).ok_or_else(|| corrupt(at, from))
}

fn corrupt(at: Sequence, from: u64) -> Corrupt {
    Corrupt::new(format_args!("{} at byte {from}", name(at)), "a part of it is damaged")
}
