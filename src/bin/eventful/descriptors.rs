//! File descriptors, and their division among connections, handlers and the program.

use eventful::http::Limits;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The descriptors of the program itself: standard streams, the runtime, the listener, the journal, and the
/// connections of probes.
const OWN: u64 = 64 + Limits::RESERVED_CONNECTIONS as u64;
/// The connections of clients for which there is always room, if need be at the cost of handlers, whose events wait
/// then.
const LEAST_CONNECTIONS: u64 = 16;

/// Raises the limit of open files so far that `connections` of clients and `handlers` descriptors fit, and
/// returns how many connections do.
pub(crate) fn share(connections: usize, handlers: u64) -> usize {
    let wanted = u64::try_from(connections).unwrap_or(u64::MAX).saturating_add(handlers).saturating_add(OWN);
    let limit = raise(wanted);
    let fitting = fit(connections, handlers, limit);
    if limit < wanted {
        tracing::warn!(
            "{limit} files may be open, {wanted} are needed at most: clients get {fitting} connections; \
             raise the limit (ulimit -Hn, LimitNOFILE), or lower --concurrency"
        );
    }
    fitting
}

/// Returns the connections that fit under the limit beside all else.
fn fit(connections: usize, handlers: u64, limit: u64) -> usize {
    let left = limit.saturating_sub(OWN).saturating_sub(handlers).max(LEAST_CONNECTIONS);
    usize::try_from(left).unwrap_or(usize::MAX).min(connections)
}

/// Raises the limit to what is wanted, or as far as it goes, and not further: commands inherit it, and some
/// go through all descriptors that there could be.
fn raise(wanted: u64) -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // A process may raise its limit by itself up to the hard one.
    let raised = wanted.min(maximum.unwrap_or(u64::MAX));
    match current {
        Some(current) if current < raised => {
            let new = Rlimit { current: Some(raised), maximum };
            if setrlimit(Resource::Nofile, new).is_ok() { raised } else { current }
        }
        current => current.unwrap_or(u64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_room_for_handlers_and_the_program() {
        assert_eq!(fit(1024, 192, 1 << 20), 1024);
        assert_eq!(fit(1024, 192, 1024), 1024 - 192 - 80);
        assert_eq!(fit(1024, 192, 256), 16);
        assert_eq!(fit(1024, u64::MAX, 1024), 16);
        assert_eq!(fit(8, 0, 32), 8);
    }
}
