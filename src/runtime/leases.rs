//! Gives runs to workers that ask for them, wherever these are.

use core::future::pending;
use core::num::NonZeroUsize;
use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, PoisonError};
use std::vec::Vec;

use super::attempt::{Attempt, NotSettled};
use super::handle::Eventful;
use super::handler::{Failure, Handler, outcome};
use super::notifications::guarded;
use super::shared::Shared;
use crate::engine::{Event, Outcome, RunId, Status, Timestamp};
use crate::node::{Node, Unavailable, Waiter};
use crate::sync::{Mutex, MutexGuard, Notify};

/// The longest time for which a run that was started waits for a worker, when the one that it was started for has left.
/// Then its event goes back, without charge.
const GIVE_BACK: Duration = Duration::from_secs(1);

/// The longest time for which a request waits for runs that are about to start, and so may have to be given back: for the
/// first one where it was to wait for less, and for more of them once it has one. A start on a slow disk takes less.
const PATIENCE: Duration = Duration::from_secs(1);

/// A handler that gives each event to a worker that asks for it: by [`LeaseDesk::lease`], or `POST /v1/lease` of the HTTP
/// front.
///
/// No run starts before it is asked for, so an event waits without charge until there is a worker. From then on the run is
/// like any other: it ends by its deadline, [`Attempt::heartbeat`] moves that, and an outcome that comes later changes
/// nothing. A desk is the only handler of one engine, with one shard.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use eventful::{Event, Eventful, handler::LeaseDesk};
///
/// let desk = LeaseDesk::new();
/// let eventful = Eventful::builder().start(desk.clone())?;
/// eventful.submit(Event::with_id("order-17", "three apples")?).await?;
///
/// let leases = desk.lease(&eventful, 10.try_into()?, Duration::from_secs(1)).await?;
/// let status = desk.settle(leases[0].attempt.run(), Ok(())).await?;
/// assert_eq!((leases.len(), status), (1, eventful::Status::Completed));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct LeaseDesk(Arc<Mutex<DeskState>>);

/// A run that was given to a worker.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Lease {
    /// The event.
    pub event: Event,
    /// The run.
    pub attempt: Attempt,
}

#[derive(Debug, Default)]
struct DeskState {
    /// Runs that have started, and that no worker has.
    ready: VecDeque<Lease>,
    /// Runs that workers have, by their names.
    taken: BTreeMap<RunId, Attempt>,
    /// Requests that wait, in their order, with how many runs each still takes.
    waiting: BTreeMap<u64, (usize, Arc<Notify>)>,
    requests: u64,
}

impl LeaseDesk {
    /// The most bytes of the events of one lease: those of a page of the list.
    const MOST_BYTES: usize = 8 << 20;

    /// A desk without runs.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes up to `most` runs, and waits for the first of them for at most `wait`. Fewer come when no more events are due,
    /// or when theirs have 8 MiB; none when the time is up or the engine shuts down. Dropping the future gives back what
    /// it has taken.
    ///
    /// An event that is due takes a moment to start, and longer where its start must be durable first. So a request is given
    /// a second for events that are due, even if `wait` is less; and it takes at most a second more once it has an event,
    /// within `wait`, as long as others are about to start.
    ///
    /// # Errors
    ///
    /// [`Unavailable`]
    pub async fn lease(
        &self,
        eventful: &Eventful,
        most: NonZeroUsize,
        wait: Duration,
    ) -> Result<Vec<Lease>, Unavailable> {
        let shared = eventful.shards.first();
        let entered = shared.now();
        let (until, mut give_up) = (entered + wait, entered + wait.max(PATIENCE));
        let mut request = LeaseRequest::enter(self, shared, most.get());
        loop {
            // Made before the read, so that no notification between them is missed.
            let notify = Arc::clone(&request.notify);
            let notified = notify.notified();
            let had_none = request.leases.is_empty();
            let more = request.take()?;
            let (now, has_some) = (shared.now(), !request.leases.is_empty());
            if had_none && has_some {
                give_up = give_up.min(now + PATIENCE);
            }
            let is_enough = !more && (has_some || now >= until);
            if is_enough || request.is_full() || now >= give_up || shared.ending.is_open() {
                return Ok(request.leave());
            }
            // Woken when a run comes, and when none is about to come any more.
            let at = if more { give_up } else { until };
            tokio::select! {
                biased;
                () = notified => {}
                () = guarded(shared.ending.wait()) => {}
                () = shared.sleep_until(at) => {}
            }
        }
    }

    /// Ends a run with what its worker says became of it. Returns the status that it leads to, with a journal durably so.
    ///
    /// # Errors
    ///
    /// [`NotSettled`]: the run does not count, or no worker has it.
    pub async fn settle(&self, run: RunId, result: Result<(), Failure>) -> Result<Status, NotSettled> {
        // Taken out first: of two settlements of one run, one must find nothing.
        let attempt = self.lock().taken.remove(&run).ok_or(NotSettled::Stale)?;
        attempt.settle(outcome(result)).await
    }

    /// Ends a run with success and these follow-ups, which are accepted together with its completion; see
    /// [`Attempt::follow_up`]. Returns the status that it leads to, with a journal durably so.
    ///
    /// # Errors
    ///
    /// [`NotSettled`]. When the follow-ups are the reason, the worker still has the run.
    pub async fn settle_with(&self, run: RunId, then: Vec<Event>) -> Result<Status, NotSettled> {
        let attempt = {
            let mut desk = self.lock();
            desk.taken.get(&run).ok_or(NotSettled::Stale)?.0.add_follow_ups(then)?;
            desk.taken.remove(&run).ok_or(NotSettled::Stale)?
        };
        attempt.settle(Outcome::Done).await
    }

    /// The run of this name, when a worker has it.
    pub fn attempt(&self, run: RunId) -> Option<Attempt> {
        self.lock().taken.get(&run).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, DeskState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DeskState {
    /// Has the engine start as many runs as are waited for and are not here. It does so with the desk locked, so that of
    /// two changes the later one counts. `change` is a change of the node at the same time.
    fn want<T>(&self, shared: &Shared, change: impl FnOnce(&mut Node) -> T) -> T {
        // The desk is locked before the node wherever both are, so that they cannot wait for each other.
        let wanted = self.waiting.values().fold(0, |sum: usize, (most, _)| sum.saturating_add(*most));
        shared.write(|node, _| {
            // For those that are ready no other run needs to start.
            node.want_runs(wanted.saturating_sub(self.ready.len()));
            change(node)
        })
    }

    fn call_next(&self) {
        let next = self.waiting.values().find(|(most, _)| *most > 0);
        next.into_iter().for_each(|(_, notify)| notify.notify_one());
    }
}

impl Handler for LeaseDesk {
    fn waits_to_be_asked(&self) -> bool {
        true
    }

    async fn handle(&self, event: Event, attempt: Attempt) -> Result<(), Failure> {
        let shared = &attempt.0.shared;
        let place = DeskPlace { desk: self, attempt: attempt.clone() };
        {
            let mut desk = self.lock();
            desk.ready.push_back(Lease { event, attempt: attempt.clone() });
            desk.want(shared, |node| node.arrive(attempt.0.worker, attempt.run()));
            desk.call_next();
        }
        // Again and again: a worker that has it may still leave, and give it back.
        while !shared.ending.is_open() {
            tokio::select! {
                biased;
                () = guarded(shared.ending.wait()) => {}
                () = shared.sleep_until(shared.now() + GIVE_BACK) => {}
            }
            if place.take_back() {
                return Err(Failure::snooze(Duration::ZERO));
            }
        }
        // It ends when the run is settled, or is to stop.
        pending().await
    }
}

/// The place of a run on the desk, for as long as it counts.
struct DeskPlace<'a> {
    desk: &'a LeaseDesk,
    attempt: Attempt,
}

impl DeskPlace<'_> {
    /// Takes back a run that no worker has. Returns whether it was one.
    fn take_back(&self) -> bool {
        let mut desk = self.desk.lock();
        let (run, before) = (self.attempt.run(), desk.ready.len());
        desk.ready.retain(|lease| lease.attempt.run() != run);
        let is_back = desk.ready.len() < before;
        if is_back {
            desk.want(&self.attempt.0.shared, |_| {});
        }
        is_back
    }
}

impl Drop for DeskPlace<'_> {
    fn drop(&mut self) {
        self.take_back();
        self.desk.lock().taken.remove(&self.attempt.run());
    }
}

/// A request of a worker. Dropped, it gives back what it has taken.
struct LeaseRequest<'a> {
    desk: &'a LeaseDesk,
    shared: &'a Shared,
    number: u64,
    waiter: Waiter,
    most: usize,
    notify: Arc<Notify>,
    leases: Vec<Lease>,
    bytes: usize,
}

impl<'a> LeaseRequest<'a> {
    fn enter(desk: &'a LeaseDesk, shared: &'a Shared, most: usize) -> Self {
        let waiter = shared.notifications.waiters.name();
        let notify = shared.notifications.waiters.add(waiter);
        let mut state = desk.lock();
        let number = state.requests;
        state.requests += 1;
        state.waiting.insert(number, (most, Arc::clone(&notify)));
        state.want(shared, |_| {});
        drop(state);
        Self { desk, shared, number, waiter, most, notify, leases: Vec::new(), bytes: 0 }
    }

    fn is_full(&self) -> bool {
        self.leases.len() >= self.most || self.bytes >= LeaseDesk::MOST_BYTES
    }

    /// Takes runs that are ready. Returns whether others are about to come; then the request is woken when one has, and
    /// when none is any more.
    fn take(&mut self) -> Result<bool, Unavailable> {
        let mut state = self.desk.lock();
        while !self.is_full()
            && let Some(lease) = state.ready.pop_front()
        {
            self.bytes = self.bytes.saturating_add(lease.event.size_bytes());
            // Before the worker gets it, so that its first call finds the run.
            state.taken.insert(lease.attempt.run(), lease.attempt.clone());
            self.leases.push(lease);
        }
        let left = if self.is_full() { 0 } else { self.most - self.leases.len() };
        if let Some((most, _)) = state.waiting.get_mut(&self.number) {
            *most = left;
        }
        let waiter = self.waiter;
        let more = state.want(self.shared, |node| match node.unavailable() {
            Some(why) => Err(why),
            None => Ok(node.await_runs(waiter)),
        });
        if !state.ready.is_empty() {
            state.call_next();
        }
        more
    }

    fn leave(mut self) -> Vec<Lease> {
        // Taken out, so that the drop that follows gives none of them back.
        core::mem::take(&mut self.leases)
    }
}

impl Drop for LeaseRequest<'_> {
    fn drop(&mut self) {
        let mut state = self.desk.lock();
        state.waiting.remove(&self.number);
        // Last first, so that they are in front in the order in which they started.
        for lease in self.leases.drain(..).rev() {
            // What has ended meanwhile is no longer there.
            if state.taken.remove(&lease.attempt.run()).is_some() {
                state.ready.push_front(lease);
            }
        }
        let waiter = self.waiter;
        state.want(self.shared, |node| node.stop_asking(waiter));
        state.call_next();
        drop(state);
        self.shared.notifications.waiters.remove(waiter);
    }
}

impl Lease {
    /// The time by which the run is to be settled.
    pub fn deadline(&self) -> Timestamp {
        self.attempt.deadline()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Key;

    #[tokio::test(start_paused = true)]
    async fn run_that_is_given_back_late_costs_no_attempt() {
        let desk = LeaseDesk::new();
        let eventful = Eventful::builder().start(desk.clone()).expect("a valid configuration");
        let key = Key::new("", "a").expect("a key");
        eventful.submit(Event::new(key.clone(), "")).await.expect("room");
        let mut request = LeaseRequest::enter(&desk, eventful.shards.first(), 1);
        while request.leases.is_empty() {
            request.take().expect("it is available");
            tokio::task::yield_now().await;
        }
        tokio::time::sleep(GIVE_BACK * 2).await;
        drop(request);
        tokio::time::sleep(GIVE_BACK * 2).await;
        let record = eventful.get(&key).await.expect("it is available").expect("it is kept");
        assert_eq!((record.run.is_none(), record.charge.charged), (true, 0), "{record:?}");
    }
}
