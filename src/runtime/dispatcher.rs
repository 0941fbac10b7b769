//! Takes a permit, then a ticket, and gives both to a worker.

use core::sync::atomic::Ordering;
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;

use super::handler::Handler;
use super::hooks::Point;
use super::shared::{Shared, Slot, StartFailure};
use super::supervisor::{Exit, give_way};
use super::worker::{Flight, work};

/// Dispatches until shutdown begins.
pub(super) async fn dispatch<H: Handler>(shared: Arc<Shared>, handler: Arc<H>) -> Exit {
    while let Ok(permit) = Arc::clone(&shared.permits).acquire_owned().await {
        let hand = Hand::new(&shared, permit);
        shared.probe.open(Point::Dispatch).await;
        match next(&shared).await {
            Ok(Some(flight)) => {
                spawn(&shared, &handler, hand, flight);
                // A handler that does not wait lets its worker take what is there without another spawn.
                give_way().await;
            }
            Ok(None) | Err(StartFailure::Unavailable(_)) => break,
            Err(StartFailure::ChannelGone) => return Exit::Dead("the channel has lost its receiver"),
        }
    }
    Exit::Done
}

/// Waits for a run. Nothing when shutdown has begun.
async fn next(shared: &Arc<Shared>) -> Result<Option<Flight>, StartFailure> {
    loop {
        match shared.start_next() {
            // Another engine will take its place, and ring.
            Err(StartFailure::Unavailable(why)) if why.is_temporary() && !shared.permits.is_closed() => {}
            Ok(None) if !shared.permits.is_closed() => {}
            started => return started,
        }
        shared.ticket.notified().await;
    }
}

fn spawn<H: Handler>(shared: &Arc<Shared>, handler: &Arc<H>, hand: Hand, flight: Flight) {
    let mut workers = shared.workers();
    while let Some(ended) = workers.try_join_next() {
        if let Err(error) = ended {
            tracing::error!(%error, "a worker died; its run counts as crashed");
        }
    }
    workers.spawn(work(hand.into_slot(), Arc::clone(handler), flight));
}

/// The permit that the dispatcher holds while it looks for a run.
struct Hand {
    shared: Arc<Shared>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Hand {
    fn new(shared: &Arc<Shared>, permit: OwnedSemaphorePermit) -> Self {
        shared.permits_in_hand.fetch_add(1, Ordering::AcqRel);
        Self { shared: Arc::clone(shared), permit: Some(permit) }
    }

    fn into_slot(mut self) -> Slot {
        Slot::new(&self.shared, self.permit.take())
    }
}

impl Drop for Hand {
    fn drop(&mut self) {
        drop(self.permit.take());
        self.shared.permits_in_hand.fetch_sub(1, Ordering::AcqRel);
    }
}
