//! All targets, each behind a lock of its own.

use core::fmt;
use core::num::NonZeroUsize;
use core::time::Duration;
use std::borrow::ToOwned as _;
use std::collections::BTreeMap;
use std::string::String;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::vec::Vec;

use super::circuit::{Circuit, CircuitConfig};
use crate::engine::Timestamp;
use crate::runtime::Clock;

/// The bounds of one target.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TargetLimits {
    /// Attempts at the same time; as many as the engine has by default.
    pub concurrency: Option<NonZeroUsize>,
    /// The conditions under which its circuit opens.
    pub circuit: CircuitConfig,
}

/// All targets of a handler. Clones are the same targets.
///
/// ```
/// use std::sync::Arc;
/// use eventful::clock::SystemClock;
/// use eventful::http::targets::{TargetLimits, Targets};
///
/// let targets = Targets::new(Arc::new(SystemClock::new()), [("billing".to_owned(), TargetLimits::default())])?;
/// let pass = targets.enter("billing").expect("its circuit is closed");
/// pass.succeeded();
/// # Ok::<(), eventful::http::targets::InvalidTargetName>(())
/// ```
#[derive(Clone)]
pub struct Targets {
    clock: Arc<dyn Clock>,
    by_name: Arc<BTreeMap<String, Mutex<Target>>>,
}

struct Target {
    concurrency: Option<NonZeroUsize>,
    circuit: Circuit,
    running: usize,
    /// Attempts that were not let through.
    waits: u64,
}

/// A name that no target may have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no name of a target: it is a part of URLs and a label of metrics: use letters, digits, -, _ and .")]
pub struct InvalidTargetName(String);

/// The reason why an attempt may not begin now. Its event waits, which is no fault of its own: snooze it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TargetWait {
    /// The target has as many attempts as it may have.
    Busy,
    /// Its circuit is open.
    Open {
        /// The time until the next attempt is let through.
        until_probe: Duration,
        /// The last error of the target.
        last_error: String,
    },
}

/// The state of one target.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TargetState {
    /// Its name.
    pub name: String,
    /// Attempts at the same time, at most, when it has a bound of its own.
    pub concurrency: Option<NonZeroUsize>,
    /// Attempts now.
    pub running: usize,
    /// The time at which its circuit was opened; absent while that is closed.
    pub open_since: Option<Timestamp>,
    /// The time of the next attempt that an open circuit lets through.
    pub next_probe: Option<Timestamp>,
    /// Failures since its last success.
    pub failures: u32,
    /// The error of the last failure; empty without one.
    pub last_error: String,
    /// The number of times that its circuit was opened.
    pub opened: u64,
    /// Attempts that were not let through, because it was busy or its circuit open.
    pub waits: u64,
}

impl Targets {
    /// Targets with these names and bounds, by this clock.
    ///
    /// # Errors
    ///
    /// [`InvalidTargetName`]
    pub fn new(
        clock: Arc<dyn Clock>,
        targets: impl IntoIterator<Item = (String, TargetLimits)>,
    ) -> Result<Self, InvalidTargetName> {
        let mut by_name = BTreeMap::new();
        for (name, limits) in targets {
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
            // In a URL, clients and proxies take `.` and `..` for steps along the path.
            if name.is_empty() || !name.bytes().all(is_plain) || name.bytes().all(|byte| byte == b'.') {
                return Err(InvalidTargetName(name));
            }
            let circuit = Circuit::new(limits.circuit);
            by_name.insert(name, Mutex::new(Target { concurrency: limits.concurrency, circuit, running: 0, waits: 0 }));
        }
        Ok(Self { clock, by_name: Arc::new(by_name) })
    }

    /// Lets an attempt at a target begin. One that there is not always lets through.
    ///
    /// # Errors
    ///
    /// [`TargetWait`]
    pub fn enter(&self, name: &str) -> Result<TargetPass, TargetWait> {
        let is_probe = match self.target(name) {
            Some(mut target) => target.enter(self.clock.now())?,
            None => false,
        };
        Ok(TargetPass { targets: self.clone(), name: name.to_owned(), is_probe })
    }

    /// The states of all targets, by their names.
    pub fn states(&self) -> Vec<TargetState> {
        self.by_name.iter().map(|(name, target)| lock(target).state(name)).collect()
    }

    /// Closes a circuit by hand. Returns whether it was open; absent when there is no such target.
    pub fn close(&self, name: &str) -> Option<bool> {
        self.target(name).map(|mut target| target.circuit.succeeded())
    }

    fn target(&self, name: &str) -> Option<MutexGuard<'_, Target>> {
        self.by_name.get(name).map(lock)
    }
}

/// A target is never left half changed, so a panic elsewhere does not spoil it.
fn lock(target: &Mutex<Target>) -> MutexGuard<'_, Target> {
    target.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Targets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.states()).finish()
    }
}

impl Target {
    /// Lets an attempt begin. Returns whether it is a probe: one that an open circuit lets through.
    fn enter(&mut self, now: Timestamp) -> Result<bool, TargetWait> {
        let is_probe = self.circuit.open().is_some();
        // Before the circuit: an attempt that is not made must not use up the time of a probe.
        let is_busy = self.concurrency.is_some_and(|most| self.running >= most.get());
        let admitted = if is_busy { Err(TargetWait::Busy) } else { self.admit(now) };
        match admitted {
            Ok(()) => self.running += 1,
            Err(_) => self.waits += 1,
        }
        admitted.map(|()| is_probe)
    }

    fn admit(&mut self, now: Timestamp) -> Result<(), TargetWait> {
        self.circuit.admit(now).map_err(|probe| {
            let (_, error) = self.circuit.failures();
            TargetWait::Open { until_probe: probe.since(now), last_error: error.to_owned() }
        })
    }

    fn state(&self, name: &str) -> TargetState {
        let (failures, last_error) = self.circuit.failures();
        let open = self.circuit.open();
        TargetState {
            name: name.to_owned(),
            concurrency: self.concurrency,
            running: self.running,
            open_since: open.map(|open| open.since),
            next_probe: open.map(|open| open.next_probe),
            failures,
            last_error: last_error.to_owned(),
            opened: self.circuit.opened,
            waits: self.waits,
        }
    }
}

/// An attempt at a target, on its way. Dropped without a verdict, it says nothing of the target.
#[derive(Debug)]
pub struct TargetPass {
    targets: Targets,
    name: String,
    is_probe: bool,
}

impl TargetPass {
    /// Returns whether an open circuit let it through, to see if the target works again.
    pub const fn is_probe(&self) -> bool {
        self.is_probe
    }

    /// Notes that the target works: it has responded, if only to refuse this one event.
    pub fn succeeded(self) {
        let was_open = self.targets.target(&self.name).is_some_and(|mut target| target.circuit.succeeded());
        if was_open {
            tracing::info!(target = self.name, "target works again: its circuit is closed, and its events continue");
        }
    }

    /// Notes that the target failed, with its error. Returns the time until the next attempt is let through, when its
    /// circuit is open now.
    pub fn failed(self, error: &str) -> Option<Duration> {
        let now = self.targets.clock.now();
        let mut target = self.targets.target(&self.name)?;
        let has_opened = target.circuit.failed(error, now);
        let wait = target.circuit.open().map(|open| open.next_probe.since(now));
        // Unlocked before the line is logged, which may take long.
        drop(target);
        if has_opened {
            let line = error.lines().next().unwrap_or_default();
            tracing::warn!(
                target = self.name,
                "target has failed for long, its circuit is open: its events wait; {line}"
            );
        }
        wait
    }
}

impl Drop for TargetPass {
    fn drop(&mut self) {
        if let Some(mut target) = self.targets.target(&self.name) {
            target.running -= 1;
            if self.is_probe {
                target.circuit.probe_ended();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::ManualClock;
    use std::string::ToString as _;

    fn targets(concurrency: usize) -> (Arc<ManualClock>, Targets) {
        let clock = Arc::new(ManualClock::new(Timestamp::from_micros(0)));
        let limits = TargetLimits { concurrency: NonZeroUsize::new(concurrency), ..TargetLimits::default() };
        let names = ["a", "b"].map(|name| (name.to_owned(), limits));
        (Arc::clone(&clock), Targets::new(clock, names).expect("names"))
    }

    fn fail(targets: &Targets, clock: &ManualClock, times: usize) {
        for _ in 0..times {
            targets.enter("a").expect("it is let through").failed("refused");
            clock.advance(Duration::from_secs(20));
        }
    }

    #[test]
    fn busy_target_lets_no_more_through() {
        let (_, targets) = targets(1);
        let pass = targets.enter("a").expect("it is free");
        assert_eq!(targets.enter("a").expect_err("it is busy"), TargetWait::Busy);
        let _other = targets.enter("b").expect("it is free");
        drop(pass);
        assert_eq!((targets.states()[0].running, targets.states()[0].waits, targets.states()[1].running), (0, 1, 1));
        assert!(targets.enter("a").is_ok());
    }

    #[test]
    fn open_circuit_keeps_its_own_events_only() {
        let (clock, targets) = targets(0);
        fail(&targets, &clock, 5);
        let wait = targets.enter("a").expect_err("it is open");
        let until_probe = Duration::from_secs(10);
        assert_eq!(wait, TargetWait::Open { until_probe, last_error: "refused".to_owned() });
        assert!(targets.enter("b").is_ok());
        let state = &targets.states()[0];
        assert_eq!((state.open_since, state.failures), (Some(Timestamp::from_micros(80_000_000)), 5));
        clock.advance(until_probe);
        let probe = targets.enter("a").expect("it is time for a probe");
        assert!(probe.is_probe() && !targets.enter("b").expect("it is free").is_probe());
        assert_eq!(probe.failed("refused"), Some(Duration::from_secs(30)));
        clock.advance(Duration::from_secs(30));
        targets.enter("a").expect("it is time for a probe").succeeded();
        assert_eq!((targets.states()[0].open_since, targets.states()[0].opened), (None, 1));
    }

    #[test]
    fn circuit_is_closed_by_hand() {
        let (clock, targets) = targets(0);
        fail(&targets, &clock, 5);
        assert_eq!([targets.close("a"), targets.close("a"), targets.close("c")], [Some(true), Some(false), None]);
        assert!(targets.enter("a").is_ok());
    }

    #[test]
    fn pass_that_is_dropped_says_nothing_of_the_target() {
        let (_, targets) = targets(0);
        drop(targets.enter("a"));
        drop(targets.enter("unknown"));
        assert_eq!((targets.states()[0].failures, targets.states()[0].running), (0, 0));
    }

    #[test]
    fn name_that_is_no_part_of_a_url_is_refused() {
        for name in ["", "a/b", "..", "a\"b", "ä"] {
            let (clock, _) = targets(0);
            let refused = Targets::new(clock, [(name.to_owned(), TargetLimits::default())]).expect_err(name);
            assert!(refused.to_string().contains("use letters, digits"), "{refused}");
        }
    }
}
