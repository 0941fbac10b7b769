//! One target: its work, its timeout and its retry policy.

use std::time::Duration;

use eventful::handler::FailureKind;
use eventful::http::targets::{TargetLimits, TargetWait, Targets};
use eventful::{Attempt, Backoff, Event, Failure};

use super::work::Work;
use crate::deliver::{Contact, Undelivered};

/// The waits of an event whose target is busy, by how often it has waited: short at first, as a place may be free soon,
/// and no longer than a person would wait to see it continue.
const BUSY: Backoff = Backoff { base: Duration::from_millis(20), cap: Duration::from_secs(5), jitter_percent: 50 };

/// One target.
#[derive(Debug)]
pub(super) struct RoutedTarget {
    pub(super) name: String,
    pub(super) work: Work,
    pub(super) limits: TargetLimits,
    /// The time of an attempt, when it is shorter than that of the engine.
    pub(super) timeout: Option<Duration>,
    /// Attempts after which an event has failed, when they are fewer than those of the engine.
    pub(super) max_attempts: Option<u32>,
    /// The wait between attempts, when it is longer than that of the engine.
    pub(super) backoff: Option<Backoff>,
}

impl RoutedTarget {
    /// Makes one attempt, when the target lets it through.
    pub(super) async fn attempt(&self, targets: &Targets, event: &Event, attempt: &Attempt) -> Result<(), Failure> {
        let pass = match targets.enter(&self.name) {
            Ok(pass) => pass,
            Err(wait) => return Err(self.wait(&wait, attempt)),
        };
        let time = self.timeout.map_or(attempt.remaining(), |timeout| timeout.min(attempt.remaining()));
        let Err(Undelivered { failure, contact }) = self.work.run(event, attempt, time).await else {
            pass.succeeded();
            return Ok(());
        };
        let error = failure.error().unwrap_or_default();
        match failure.kind() {
            FailureKind::Retry => {
                // No event is to blame for a target that is not there, or that an open circuit tries by it.
                let is_blameless = contact == Contact::Unreachable || pass.is_probe();
                match pass.failed(error).filter(|_| is_blameless) {
                    Some(until_probe) => {
                        let delay = spread(until_probe, attempt).max(failure.delay().unwrap_or_default());
                        Err(Failure::snooze_because(error, delay))
                    }
                    None => Err(self.again(failure, attempt)),
                }
            }
            // The target works: it is this event that it refuses.
            FailureKind::Permanent if contact == Contact::Reached => {
                pass.succeeded();
                Err(failure)
            }
            // Something is short here, or the event cannot be sent, which says nothing of the target.
            FailureKind::Permanent | FailureKind::Snooze | _ => Err(failure),
        }
    }

    /// The pause of an event that its target does not let through.
    fn wait(&self, wait: &TargetWait, attempt: &Attempt) -> Failure {
        match wait {
            TargetWait::Open { until_probe, last_error, .. } => {
                let reason = format!("the circuit of target {} is open: {last_error}", self.name);
                Failure::snooze_because(reason, spread(*until_probe, attempt))
            }
            TargetWait::Busy | _ => {
                // Starts that were not charged were waits, and this is one more.
                let waits = attempt.number().saturating_sub(attempt.charged()).saturating_add(1);
                Failure::snooze(BUSY.delay(0, attempt.key(), waits, attempt.number()))
            }
        }
    }

    /// Another attempt by the policy of this target.
    fn again(&self, failure: Failure, attempt: &Attempt) -> Failure {
        let error = failure.error().unwrap_or_default();
        if self.max_attempts.is_some_and(|most| attempt.charged() >= most) {
            return Failure::permanent(error);
        }
        let own = self.backoff.map(|backoff| backoff.delay(0, attempt.key(), attempt.charged(), attempt.number()));
        // The longer one: an absent time is less than any.
        match own.max(failure.delay()) {
            Some(delay) => Failure::retry_after(error, delay),
            None => failure,
        }
    }
}

/// A time behind `least`, by up to the half of it: what waits for one probe does not come at once.
fn spread(least: Duration, attempt: &Attempt) -> Duration {
    let (base, cap) = (least / 2, least / 2);
    least + Backoff { base, cap, jitter_percent: 100 }.delay(0, attempt.key(), 1, attempt.number())
}
