//! The file that says that a journal was made in its directory, and in which format.
//!
//! It is written once the journal is whole, so that a making that a crash has ended leaves none, and the
//! next opening makes the journal. From then on an empty file is not a new journal: it is one that is gone.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::string::{String, ToString as _};

use super::super::error::{Corrupt, OpenError, TooNew};

/// Its name.
const NAME: &str = "FORMAT";

/// Its name until it is whole.
const NEW: &str = "FORMAT.new";

/// What it begins with, before the number of the format.
const WORDS: &str = "eventful journal, format ";

/// The format that is written here, and the newest one that is read.
const KNOWN_FORMAT: u16 = 1;

/// The marker of a directory.
#[derive(Debug)]
pub(super) struct Marker {
    directory: PathBuf,
}

impl Marker {
    pub(super) fn of(directory: &Path) -> Self {
        Self { directory: directory.into() }
    }

    /// Its path.
    pub(super) fn path(&self) -> PathBuf {
        self.directory.join(NAME)
    }

    /// Whether a journal was made here.
    ///
    /// # Errors
    ///
    /// [`OpenError`]; [`OpenError::TooNew`] when a newer program made it.
    pub(super) fn is_set(&self) -> Result<bool, OpenError> {
        let place = self.path().display().to_string();
        let text = match fs::read(self.path()) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(OpenError::Io { place, cause: error.to_string() }),
        };
        let number = text.strip_prefix(WORDS).and_then(|rest| rest.trim_end().parse::<u64>().ok());
        match number {
            None => Err(Corrupt::new(place, "it does not say the format of the journal").into()),
            Some(number) if number > u64::from(KNOWN_FORMAT) => Err(TooNew::format(place, number, KNOWN_FORMAT).into()),
            Some(_) => Ok(true),
        }
    }

    /// Says that a journal was made here. After a crash the marker is there whole, or not at all; the
    /// caller makes its name durable.
    pub(super) fn set(&self) -> io::Result<()> {
        let new = self.directory.join(NEW);
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(std::format!("{WORDS}{KNOWN_FORMAT}\n").as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, self.path())
    }
}
