//! Shortages of this process, or of its machine.

use std::error::Error;
use std::fs::File;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use eventful::Failure;
use rustix::io::Errno;

use crate::spans::RealStopwatch;

/// The time between two lines of the log about shortages: a shortage fails many attempts at a time.
const QUIET: Duration = Duration::from_secs(10);
/// The longest pause before an event that met a shortage is tried again. It grows up to here second by
/// second, so that with the default of 100 for `max_snoozes` a shortage may last 40 minutes.
const LONGEST_PAUSE_SECONDS: u32 = 30;

/// A resource that is used up here. The event and its target are not the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shortage(Errno);

impl Shortage {
    /// Returns the shortage among an error and its sources.
    pub(crate) fn of(error: &(dyn Error + 'static)) -> Option<Self> {
        let code = os_code(error)?;
        [Errno::MFILE, Errno::NFILE, Errno::AGAIN, Errno::NOMEM, Errno::NOBUFS, Errno::ADDRNOTAVAIL]
            .into_iter()
            .find(|errno| errno.raw_os_error() == code)
            .map(Self)
    }

    /// Returns the shortage that let a connection fail. The lookup of a name does not say why it failed, so after one
    /// without a code a descriptor is asked for.
    pub(crate) fn of_connect(error: &(dyn Error + 'static)) -> Option<Self> {
        match os_code(error) {
            Some(_) => Self::of(error),
            None => File::open("/dev/null").err().as_ref().and_then(|error| Self::of(error)),
        }
    }

    /// Describes what is used up, and how to get more of it.
    const fn words(self) -> &'static str {
        match self.0 {
            Errno::MFILE => "no file descriptor is left in this process: raise its limit of open files (ulimit -n)",
            Errno::NFILE => "no file descriptor is left on this machine: raise fs.file-max",
            Errno::AGAIN => "no process or port is left: raise the limit of processes (ulimit -u, pids.max)",
            Errno::ADDRNOTAVAIL => "no local port is left, or none for this target: widen net.ipv4.ip_local_port_range",
            // `NOMEM` and `NOBUFS`.
            _ => "no memory is left: give this machine more, or lower --concurrency",
        }
    }
}

/// Returns the code of the operating system in an error or its sources.
fn os_code(error: &(dyn Error + 'static)) -> Option<i32> {
    let mut next = Some(error);
    while let Some(error) = next {
        let io = error.downcast_ref::<io::Error>();
        if let Some(code) = io.and_then(io::Error::raw_os_error) {
            return Some(code);
        }
        // What an I/O error wraps is not among its sources, only the sources of that are.
        let inner = io.and_then(io::Error::get_ref).map(|inner| inner as &(dyn Error + 'static));
        next = inner.or_else(|| error.source());
    }
    None
}

/// The log of shortages, which must not make them worse.
#[derive(Debug)]
pub(crate) struct Shortages {
    watch: RealStopwatch,
    noted: Mutex<Noted>,
}

#[derive(Debug, Default)]
struct Noted {
    last: Option<Duration>,
    unlogged: u64,
}

impl Shortages {
    pub(crate) fn new() -> Self {
        Self { watch: RealStopwatch::start(), noted: Mutex::default() }
    }

    /// Logs the shortage, now and then, and returns the failure for the event: another attempt after a pause, without
    /// charge.
    pub(crate) fn failure(&self, shortage: Shortage, starts: u32) -> Failure {
        let words = shortage.words();
        if let Some(unlogged) = self.due(self.watch.elapsed()) {
            tracing::warn!(unlogged, "{words}; events wait, and are not charged for it");
        }
        // Longer with every start: when all that wait come back at once, the shortage only lasts.
        Failure::snooze_because(words, Duration::from_secs(starts.clamp(1, LONGEST_PAUSE_SECONDS).into()))
    }

    /// Returns the number of shortages since the last line, when it is time for another.
    fn due(&self, now: Duration) -> Option<u64> {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        // Each is counted for the next line.
        if noted.last.is_some_and(|last| now.saturating_sub(last) < QUIET) {
            noted.unlogged += 1;
            return None;
        }
        noted.last = Some(now);
        Some(std::mem::take(&mut noted.unlogged))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shortage_is_found_inside_other_errors() {
        let full = || io::Error::from_raw_os_error(Errno::MFILE.raw_os_error());
        let wrapped = io::Error::other(io::Error::other(full()));
        for error in [full(), wrapped] {
            assert_eq!(Shortage::of(&error), Some(Shortage(Errno::MFILE)));
            assert_eq!(Shortage::of_connect(&error), Some(Shortage(Errno::MFILE)));
        }
    }

    #[test]
    fn error_of_the_target_is_no_shortage() {
        for errno in [Errno::CONNREFUSED, Errno::TIMEDOUT, Errno::NOENT, Errno::ACCESS] {
            let error = io::Error::from_raw_os_error(errno.raw_os_error());
            assert_eq!((Shortage::of(&error), Shortage::of_connect(&error)), (None, None), "{errno}");
        }
        assert_eq!(Shortage::of_connect(&io::Error::other("no such name")), None);
    }

    #[test]
    fn every_shortage_says_what_to_raise() {
        for errno in [Errno::MFILE, Errno::NFILE, Errno::AGAIN, Errno::NOMEM, Errno::NOBUFS, Errno::ADDRNOTAVAIL] {
            let error = io::Error::from_raw_os_error(errno.raw_os_error());
            assert!(Shortage::of(&error).is_some_and(|shortage| shortage.words().contains(": ")), "{errno}");
        }
    }

    #[test]
    fn log_of_shortages_counts_what_it_leaves_out() {
        let shortages = Shortages::new();
        let due: Vec<_> = [0, 1, 9, 10, 15, 21].map(|at| shortages.due(Duration::from_secs(at))).into();
        assert_eq!(due, [Some(0), None, None, Some(2), None, Some(1)]);
    }
}
