//! What goes wrong below a journal, and what that is above it.

use core::any::Any;
use core::panic::AssertUnwindSafe;
use std::io;
use std::panic::catch_unwind;
use std::string::{String, ToString as _};

use super::super::error::{Corrupt, OpenError, ReadError};

/// What goes wrong below a journal.
#[derive(Debug)]
pub(super) enum Fault {
    /// What is there is not what was written.
    Damage(Corrupt),
    /// The database refused.
    Database(redb::Error),
    /// The database gave up in a panic, as it can when a page is damaged.
    Panic(String),
}

/// Calls the database. A panic in it is a fault, too.
pub(super) fn guarded<T>(call: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| Err(Fault::Panic(words(&*panic))))
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).into());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without words".into())
}

impl Fault {
    /// As a reason not to open what is at `place`; `owner` tells who has it.
    pub(super) fn at_opening(self, place: &str, owner: impl FnOnce() -> String) -> OpenError {
        if matches!(self, Self::Database(redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch)) {
            return OpenError::InUse { owner: owner() };
        }
        self.at_reading(place).into()
    }

    /// As a reason not to read what is at `place`.
    pub(super) fn at_reading(self, place: &str) -> ReadError {
        match self {
            Self::Damage(corrupt) => corrupt.into(),
            Self::Panic(words) => Corrupt::new(place, words).into(),
            Self::Database(redb::Error::Io(error)) if !is_damage(&error) => {
                ReadError::Io { place: place.into(), cause: error.to_string() }
            }
            Self::Database(redb::Error::Backend(error)) => {
                ReadError::Io { place: place.into(), cause: error.to_string() }
            }
            Self::Database(error) => Corrupt::new(place, error).into(),
        }
    }

    /// What happened, in words.
    pub(super) fn cause(self) -> String {
        match self {
            Self::Damage(corrupt) => corrupt.to_string(),
            Self::Database(error) => error.to_string(),
            Self::Panic(words) => words,
        }
    }
}

/// Whether an error tells of what the file holds, not of the reading of it.
fn is_damage(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)
}

impl From<Corrupt> for Fault {
    fn from(corrupt: Corrupt) -> Self {
        Self::Damage(corrupt)
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Database(redb::Error::Io(error))
    }
}

/// Every error of the database is one of its errors.
macro_rules! from_database {
    ($($error:ident),*) => {$(
        impl From<redb::$error> for Fault {
            fn from(error: redb::$error) -> Self {
                Self::Database(error.into())
            }
        }
    )*};
}

from_database!(CommitError, CompactionError, DatabaseError, StorageError, TableError, TransactionError);
