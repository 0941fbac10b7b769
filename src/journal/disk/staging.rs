//! A new journal that is there once it is whole, and not before.
//!
//! It is made in a directory within its own: that one may be all that its owner may write to, and
//! may be on a disk of its own.

use std::io;

use super::super::error::OpenError;
use super::directory::Directory;

/// A journal that is being made. When this is dropped, what is there of it goes.
#[derive(Debug)]
pub(super) struct Staging<'a> {
    to: &'a Directory,
    stage: Directory,
    /// The directory was made for it.
    made: bool,
}

impl<'a> Staging<'a> {
    /// Begins anew: what one that died left behind is removed.
    pub(super) fn begin(to: &'a Directory) -> Result<Self, OpenError> {
        let stage = to.stage();
        match stage.look().map(|file| file.try_lock()) {
            Ok(Ok(())) => stage.remove().map_err(|error| stage.refused(&error))?,
            Ok(Err(_)) => return Err(OpenError::InUse { owner: stage.owner() }),
            Err(_) => {}
        }
        if to.look().is_ok() {
            return Err(to.refused(&"it holds a journal already"));
        }
        let made = to.make()?;
        Ok(Self { to, stage, made })
    }

    /// Where it is made.
    pub(super) fn stage(&self) -> Directory {
        self.stage.clone()
    }

    /// Puts it where it is to be, where none may be by now. It was closed.
    pub(super) fn finish(&mut self) -> Result<(), OpenError> {
        self.put().map_err(|error| {
            let is_taken = error.kind() == io::ErrorKind::AlreadyExists;
            if is_taken { self.to.refused(&"it holds a journal already") } else { self.to.refused(&error) }
        })?;
        // The journal is there. If this fails, its first opening does it.
        let _ = self.to.mark();
        Ok(())
    }

    fn put(&mut self) -> io::Result<()> {
        self.stage.link_to(self.to)?;
        self.made = false;
        self.to.sync()
    }
}

impl Drop for Staging<'_> {
    fn drop(&mut self) {
        // The error that led here is what is told.
        let _ = self.stage.remove();
        if self.made {
            self.to.remove_empty();
        }
    }
}
