//! The circuit of one target.

use core::time::Duration;
use std::borrow::ToOwned as _;
use std::string::String;

use crate::engine::Timestamp;

/// The conditions under which a circuit opens, and how it is tried whether the target works again.
///
/// The pattern is that of "Release It!" (Nygard, 2007). An attempt at a time is let through an open circuit; the first that
/// succeeds closes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CircuitConfig {
    /// The time for which a target must have failed without any success. 1 min by default: a restart of a target is
    /// shorter, and the backoff of events bridges that.
    pub open_after: Duration,
    /// Failures in a row that it takes, too. 5 by default: a target with few events is not judged by one of them.
    pub failures: u32,
    /// The time between two attempts that are let through an open circuit. 30 s by default.
    pub probe_every: Duration,
}

impl Default for CircuitConfig {
    fn default() -> Self {
        Self { open_after: Duration::from_secs(60), failures: 5, probe_every: Duration::from_secs(30) }
    }
}

/// The circuit of one target.
#[derive(Debug)]
pub(super) struct Circuit {
    config: CircuitConfig,
    failures: u32,
    /// The time of the first of these failures.
    failing_since: Timestamp,
    last_error: String,
    open: Option<OpenCircuit>,
    pub(super) opened: u64,
}

/// An open circuit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OpenCircuit {
    pub(super) since: Timestamp,
    pub(super) next_probe: Timestamp,
    /// True while a probe is on its way.
    is_probing: bool,
}

impl Circuit {
    pub(super) const fn new(config: CircuitConfig) -> Self {
        let failing_since = Timestamp::from_micros(0);
        Self { config, failures: 0, failing_since, last_error: String::new(), open: None, opened: 0 }
    }

    /// Lets an attempt through.
    ///
    /// # Errors
    ///
    /// The time of the next probe, when the circuit is open and it is no time for one.
    pub(super) fn admit(&mut self, now: Timestamp) -> Result<(), Timestamp> {
        match &mut self.open {
            Some(open) if now < open.next_probe => Err(open.next_probe),
            Some(open) => {
                open.next_probe = now + self.config.probe_every;
                // One at a time: a target that hangs would otherwise hold one more attempt after each `probe_every`.
                if open.is_probing {
                    return Err(open.next_probe);
                }
                open.is_probing = true;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Notes that a probe has ended, with a verdict or without.
    pub(super) fn probe_ended(&mut self) {
        if let Some(open) = &mut self.open {
            open.is_probing = false;
        }
    }

    /// Notes a response that shows that the target works, and closes the circuit. Returns whether it was open.
    pub(super) fn succeeded(&mut self) -> bool {
        self.failures = 0;
        self.last_error.clear();
        self.open.take().is_some()
    }

    /// Notes a failure of the target. Returns whether it opens the circuit.
    pub(super) fn failed(&mut self, error: &str, now: Timestamp) -> bool {
        if self.failures == 0 {
            self.failing_since = now;
        }
        self.failures = self.failures.saturating_add(1);
        self.last_error = error.to_owned();
        let is_long = now.since(self.failing_since) >= self.config.open_after && self.failures >= self.config.failures;
        // An open circuit stays as it is: `admit` has set the time of its next probe.
        if self.open.is_some() || !is_long {
            return false;
        }
        self.open = Some(OpenCircuit { since: now, next_probe: now + self.config.probe_every, is_probing: false });
        self.opened += 1;
        true
    }

    pub(super) const fn open(&self) -> Option<OpenCircuit> {
        self.open
    }

    /// Failures in a row, and the last of their errors.
    pub(super) fn failures(&self) -> (u32, &str) {
        (self.failures, &self.last_error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    /// A circuit that failed at these times.
    fn failed(times: &[u64]) -> Circuit {
        let mut circuit = Circuit::new(CircuitConfig::default());
        times.iter().for_each(|time| {
            circuit.failed("refused", at(*time));
        });
        circuit
    }

    #[test]
    fn circuit_opens_after_enough_failures_over_enough_time() {
        for (times, is_open) in [
            (&[0, 1, 2, 3, 4][..], false),
            (&[0, 60], false),
            (&[0, 1, 2, 3, 60], true),
            (&[0, 1, 2, 3, 59], false),
            (&[0, 1, 2, 3, 4, 61], true),
        ] {
            assert_eq!(failed(times).open().is_some(), is_open, "{times:?}");
        }
    }

    #[test]
    fn success_between_failures_keeps_it_closed() {
        let mut circuit = failed(&[0, 20, 40, 50]);
        assert!(!circuit.succeeded());
        for time in [61, 62, 63, 64] {
            assert!(!circuit.failed("refused", at(time)));
        }
        assert!(circuit.failed("refused", at(121)));
        assert_eq!((circuit.opened, circuit.failures()), (1, (5, "refused")));
    }

    #[test]
    fn open_circuit_lets_one_attempt_through_at_a_time() {
        let mut circuit = failed(&[0, 1, 2, 3, 60]);
        assert_eq!(circuit.admit(at(60)), Err(at(90)));
        assert_eq!(circuit.admit(at(89)), Err(at(90)));
        assert_eq!(circuit.admit(at(100)), Ok(()));
        assert_eq!(circuit.admit(at(100)), Err(at(130)));
        assert!(!circuit.failed("still refused", at(101)), "it is open already");
        assert_eq!(circuit.admit(at(129)), Err(at(130)));
        assert_eq!(circuit.admit(at(130)), Err(at(160)), "the one before is still on its way");
        circuit.probe_ended();
        assert_eq!(circuit.admit(at(160)), Ok(()));
        assert!(circuit.succeeded());
        circuit.probe_ended();
        assert_eq!((circuit.admit(at(161)), circuit.failures(), circuit.opened), (Ok(()), (0, ""), 1));
    }
}
