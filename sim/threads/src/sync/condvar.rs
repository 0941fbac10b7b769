//! std's `Condvar`. Its waits time out when the clock of the model has reached that time.

use core::time::Duration;
use shuttle::sync::MutexGuard;
use std::sync::{Arc, LockResult, PoisonError};

use crate::clock::{Sleeper, now};

/// Wakes threads that wait for a change under a lock.
#[derive(Debug, Default)]
pub struct Condvar(Arc<shuttle::sync::Condvar>);

impl Condvar {
    /// Waits to be notified.
    ///
    /// # Errors
    ///
    /// [`PoisonError`](std::sync::PoisonError) if the lock is poisoned.
    pub fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> LockResult<MutexGuard<'a, T>> {
        self.0.wait(guard)
    }

    /// Waits while `condition` holds, at most this long. Returns whether it still held at the end.
    ///
    /// # Errors
    ///
    /// [`PoisonError`](std::sync::PoisonError) if the lock is poisoned.
    pub fn wait_timeout_while<'a, T>(
        &self,
        mut guard: MutexGuard<'a, T>,
        limit: Duration,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> LockResult<(MutexGuard<'a, T>, bool)> {
        let sleeper = Sleeper::new(now() + limit, &self.0);
        while condition(&mut guard) {
            if sleeper.is_due() {
                return Ok((guard, true));
            }
            guard = self.0.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
        Ok((guard, false))
    }

    /// Wakes one thread.
    pub fn notify_one(&self) {
        self.0.notify_one();
    }
}
