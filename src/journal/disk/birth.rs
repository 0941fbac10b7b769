//! A database that a crash has kept from being made.

use core::ops::Bound;
use std::io;

use redb::{BackendError, StorageBackend};

/// What every database of `redb` begins with. It is written last when one is made.
const MAGIC: [u8; 9] = *b"redb\x1A\x0A\xA9\x0D\x0A";

/// The bytes that are written before it.
const HEAD_BYTES: u64 = 512;

/// Bytes of a database that was just made; one in the making has no more.
const NEWBORN_BYTES: u64 = 18 * 4096;

/// Bytes that are read at once.
const PAGE_BYTES: u64 = 64 << 10;

/// Empties a file in which a database was begun and never finished, so that one can be made.
///
/// Nothing but the head is written before the magic number is durable. So a file without it that
/// is zeros behind the head, and no larger than a new database, was never one; any other is one
/// that is damaged, and is left as it is. So is one that somebody else has locked: perhaps they are making one now.
pub(super) fn clear_unborn(backend: &dyn StorageBackend) -> io::Result<()> {
    if !is_unborn(backend)? {
        return Ok(());
    }
    let (start, end) = (Bound::Included(0), Bound::Included(0));
    match backend.try_lock_range(start, end) {
        Ok(false) => Ok(()),
        Ok(true) => {
            let cleared = clear(backend);
            let unlocked = backend.unlock_range(start, end).map_err(io::Error::other);
            cleared.and(unlocked)
        }
        Err(BackendError::Unsupported) => clear(backend),
        Err(error) => Err(io::Error::other(error)),
    }
}

fn clear(backend: &dyn StorageBackend) -> io::Result<()> {
    if is_unborn(backend)? {
        backend.set_len(0)?;
        backend.sync_data()?;
    }
    Ok(())
}

/// Whether a database was begun in it and never finished.
pub(super) fn is_unborn(backend: &dyn StorageBackend) -> io::Result<bool> {
    let len = backend.len()?;
    let may_be = (1..=NEWBORN_BYTES).contains(&len);
    Ok(may_be && !begins_with_magic(backend, len)? && is_zeros(backend, HEAD_BYTES.min(len), len)?)
}

fn begins_with_magic(backend: &dyn StorageBackend, len: u64) -> io::Result<bool> {
    let mut start = [0; MAGIC.len()];
    if len < start.len() as u64 {
        return Ok(false);
    }
    backend.read(0, &mut start)?;
    Ok(start == MAGIC)
}

fn is_zeros(backend: &dyn StorageBackend, mut from: u64, len: u64) -> io::Result<bool> {
    let mut page = std::vec![0; PAGE_BYTES as usize];
    while from < len {
        let bytes = &mut page[..PAGE_BYTES.min(len - from) as usize];
        backend.read(from, bytes)?;
        if bytes.iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
        from += bytes.len() as u64;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use redb::backends::InMemoryBackend;

    /// A file of so many bytes, with these at its start and this one at its end.
    fn file(len: u64, start: &[u8], end: u8) -> InMemoryBackend {
        let file = InMemoryBackend::new();
        file.set_len(len).expect("memory");
        file.write(len - 1, &[end]).expect("memory");
        file.write(0, start).expect("memory");
        file
    }

    #[test]
    fn a_file_in_which_no_database_was_finished_is_emptied() {
        for start in [&b""[..], b"red", &[7; 300]] {
            let file = file(70_000, start, 0);
            clear_unborn(&file).expect("memory");
            assert_eq!(file.len().expect("memory"), 0);
        }
    }

    #[test]
    fn a_file_with_no_room_for_the_magic_number_is_emptied() {
        for (len, start, left) in [(1, &b""[..], 0), (8, &MAGIC[..8], 0), (9, &MAGIC, 9)] {
            let file = file(len, start, 0);
            clear_unborn(&file).expect("memory");
            assert_eq!(file.len().expect("memory"), left);
        }
    }

    #[test]
    fn a_file_of_zeros_that_is_larger_than_a_database_in_the_making_is_left_alone() {
        for (len, left) in [(NEWBORN_BYTES, 0), (NEWBORN_BYTES + 1, NEWBORN_BYTES + 1)] {
            let file = file(len, b"", 0);
            clear_unborn(&file).expect("memory");
            assert_eq!(file.len().expect("memory"), left);
        }
    }

    #[test]
    fn a_database_in_the_making_has_as_many_bytes_as_are_cleared() {
        let path = std::env::temp_dir().join(std::format!("eventful-newborn-{}", std::process::id()));
        let file = std::fs::File::create_new(&path).expect("a file");
        let length = file.try_clone().expect("a file");
        let backend = redb::backends::FileBackend::new(file).expect("a file");
        let database = redb::Builder::new().create_with_backend(backend).expect("a database");
        assert_eq!(length.metadata().expect("a file").len(), NEWBORN_BYTES);
        drop(database);
        std::fs::remove_file(&path).expect("a file");
    }

    #[test]
    fn a_database_is_left_alone_even_when_its_start_is_damaged() {
        for (start, end) in [(&MAGIC[..], 0), (&b"rotb\x1A\x0A\xA9\x0D\x0A"[..], 1)] {
            let file = file(70_000, start, end);
            clear_unborn(&file).expect("memory");
            assert_eq!(file.len().expect("memory"), 70_000);
        }
    }
}
