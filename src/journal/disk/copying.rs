//! A new journal that is opened only once it is whole.
//!
//! It is made in its own directory, which may be all that its owner may write to, and may be on a disk of its own.
//! Until it is whole, a file there marks it as unfinished, and it is not opened.

use std::io;
use std::string::String;
use std::vec::Vec;

use super::super::error::OpenError;
use super::super::store::Owner;
use super::directory::{Directory, LOCK};
use super::marker::{self, UNFINISHED};
use super::opening::{is_unfinished, refused};
use super::volume::{Claim, Volume as _};
use super::{segment, snapshot_files, unclaimed_as};

/// A journal that is being made. Dropped before it is finished, it removes its files.
#[derive(Debug)]
pub(super) struct UnfinishedCopy {
    to: Directory,
    /// True if the directory was made for it.
    made: bool,
    claim: Option<Claim>,
    is_whole: bool,
}

impl UnfinishedCopy {
    /// Begins a copy, in the place of an unfinished one if there is one.
    pub(super) fn begin(to: &Directory, owner: &Owner) -> Result<Self, OpenError> {
        let place = to.place();
        let io = |error: io::Error| refused(&place, &error);
        let made = to.make().map_err(io)?;
        let claim = to.claim(owner).map_err(|unclaimed| unclaimed_as(unclaimed, &place))?;
        let names = to.names().map_err(io)?;
        let is_left = names.iter().any(|name| name == UNFINISHED);
        // The claim has just made the lock.
        if !is_left && names.iter().any(|name| is_ours(name) && name != LOCK) {
            return Err(OpenError::Io { place, cause: "it holds a journal already".into() });
        }
        let copying = Self { to: to.clone(), made, claim: Some(claim), is_whole: false };
        copying.clear().map_err(io)?;
        marker::begin(to).map_err(io)?;
        Ok(copying)
    }

    /// Takes out the lock of the directory, for a journal that takes it over.
    pub(super) fn take_claim(&mut self) -> Option<Claim> {
        self.claim.take()
    }

    /// Marks the journal as whole.
    pub(super) fn finish(mut self) -> Result<(), OpenError> {
        let finished = marker::finish(&self.to);
        self.is_whole = finished.is_ok();
        finished.map_err(|error| refused(&self.to.place(), &error))
    }

    /// Removes all files of a journal but the lock and the mark that it is unfinished.
    fn clear(&self) -> io::Result<()> {
        let names: Vec<String> = self.to.names()?;
        let ours = names.iter().filter(|name| is_ours(name) && *name != LOCK && *name != UNFINISHED);
        ours.into_iter().try_for_each(|name| self.to.remove(name))
    }
}

/// Returns whether a file with this name may belong to a journal.
fn is_ours(name: &str) -> bool {
    let is_numbered = segment::number(name).is_some() || snapshot_files::number(name).is_some();
    is_numbered || [marker::FORMAT, UNFINISHED, LOCK].contains(&name) || is_unfinished(name)
}

impl Drop for UnfinishedCopy {
    fn drop(&mut self) {
        if self.is_whole {
            return;
        }
        // The error that led here is shown instead.
        let _ = self.clear().and_then(|()| self.to.remove(UNFINISHED)).and_then(|()| self.to.remove(LOCK));
        if self.made {
            self.to.remove_empty();
        }
    }
}
