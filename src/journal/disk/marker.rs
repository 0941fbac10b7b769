//! The files that mark a directory: as one that holds a journal, and in which format; or as unfinished.

use std::io;
use std::string::String;
use std::vec;

use super::super::error::{Corrupt, OpenError, TooNew};
use super::volume::{OpenMode, Volume};

/// The name of the marker: a journal was made, and in which format.
pub(super) const FORMAT: &str = "FORMAT";

/// The name of the marker until it is whole.
pub(super) const NEW: &str = "FORMAT.new";

/// The name of the mark that a journal is being copied or salvaged into its directory.
pub(super) const UNFINISHED: &str = "UNFINISHED";

/// The file of a database, in which journals were kept before there was a release.
const FORMER: &str = "journal.redb";

/// The words at the beginning of the marker, before the number of the format.
const WORDS: &str = "eventful journal, format ";

/// The format that is written here, and the newest one that is read.
const KNOWN_FORMAT: u16 = 3;

/// The most bytes of a marker that are read: more than its words and the largest number.
const MOST_BYTES: u64 = 64;

/// Returns whether a journal was made here.
///
/// # Errors
///
/// [`OpenError`]; [`OpenError::TooNew`] when a newer program made it, [`OpenError::Former`] when it is a database.
pub(super) fn is_set(volume: &dyn Volume, place: &str, names: &[String]) -> Result<bool, OpenError> {
    let has = |name: &str| names.iter().any(|there| there == name);
    let at = std::format!("{place}/{FORMAT}");
    let format = if has(FORMAT) { Some(format(volume, &at)?) } else { None };
    match format {
        Some(None) => Err(Corrupt::new(at, "it does not say the format of the journal").into()),
        Some(Some(number)) if number > u64::from(KNOWN_FORMAT) => Err(TooNew::format(at, number, KNOWN_FORMAT).into()),
        Some(Some(number)) if number < u64::from(KNOWN_FORMAT) => Err(OpenError::Former { place: place.into() }),
        None if has(FORMER) => Err(OpenError::Former { place: place.into() }),
        Some(Some(_)) => Ok(true),
        None => Ok(false),
    }
}

/// Returns the number in the marker, if there is one.
fn format(volume: &dyn Volume, at: &str) -> Result<Option<u64>, OpenError> {
    let refused = |error: io::Error| OpenError::Io { place: at.into(), cause: std::format!("{error}") };
    let file = volume.open(FORMAT, OpenMode::Read).map_err(refused)?;
    let length = file.len().map_err(refused)?.min(MOST_BYTES);
    let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
    file.read_at(0, &mut bytes).map_err(refused)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok(text.strip_prefix(WORDS).and_then(|rest| rest.trim_end().parse().ok()).filter(|number| *number > 0))
}

/// Marks that a journal was made here. After a crash the marker is there whole, or not at all.
pub(super) fn set(volume: &dyn Volume) -> io::Result<()> {
    let file = volume.open(NEW, OpenMode::Create)?;
    file.write_at(0, std::format!("{WORDS}{KNOWN_FORMAT}\n").as_bytes())?;
    file.sync()?;
    volume.rename(NEW, FORMAT)?;
    volume.sync_names()
}

/// Marks the directory as unfinished.
pub(super) fn begin(volume: &dyn Volume) -> io::Result<()> {
    volume.open(UNFINISHED, OpenMode::Create)?.sync()?;
    volume.sync_names()
}

/// Removes the mark of an unfinished directory.
pub(super) fn finish(volume: &dyn Volume) -> io::Result<()> {
    volume.remove(UNFINISHED)?;
    volume.sync_names()
}
