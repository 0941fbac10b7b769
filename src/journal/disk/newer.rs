//! What a newer program left in a file: it is no damage, and nothing is salvaged without it.

use core::fmt::Display;
use std::io;

use super::super::error::{OpenError, TooNew};
use super::super::frame::{self, FrameError};
use super::super::loading::place as place_of_part;
use super::super::records;
use super::super::wire::{self, WireError};
use super::remains::Remains;

/// Refuses a file in which anything is left that this program does not know, though it is whole.
pub(super) fn refuse(remains: &Remains, place: &str) -> Result<(), OpenError> {
    let unread = |error: io::Error| OpenError::Io { place: place.into(), cause: std::format!("{error}") };
    for sequence in remains.frames() {
        for bytes in remains.frame(sequence).map_err(unread)? {
            check(&bytes, &format_args!("{place}, frame {sequence}"), |_, body| wire::check(body))?;
        }
    }
    for (at, part) in remains.parts() {
        for bytes in remains.part(at, part).map_err(unread)? {
            let place = format_args!("{place}, {}", place_of_part(at, part));
            check(&bytes, &place, |version, body| records::check(body, part == 0 && version == frame::VERSION))?;
        }
    }
    Ok(())
}

fn check(
    bytes: &[u8],
    at: &dyn Display,
    body_is_known: impl FnOnce(u16, &[u8]) -> Result<(), WireError>,
) -> Result<(), OpenError> {
    match frame::decode(bytes) {
        Ok(read) => body_is_known(read.version, read.body).map_err(|error| TooNew::new(at, error).into()),
        Err(FrameError::TooNew { found }) => Err(TooNew::format(at, found.into(), frame::SNAPSHOT_VERSION).into()),
        Err(FrameError::Short { .. } | FrameError::Long { .. } | FrameError::Checksum) => Ok(()),
    }
}
