//! Starts runs, each with a permit, and gives them to workers.

use std::sync::Arc;

use super::handler::Handler;
use super::points::pass;
use super::shared::Shared;
use super::supervisor::{Exit, give_way};
use super::worker::{Flight, Started, work};
use crate::node::Point;

/// Dispatches until shutdown begins.
pub(super) async fn dispatch<H: Handler>(shared: Arc<Shared>, handler: Arc<H>) -> Exit {
    loop {
        pass(&shared.probe, Point::Dispatch).await;
        match Flight::start(&shared) {
            Started::Flight(flight) => {
                spawn(&shared, &handler, flight);
                // A handler that does not wait lets its worker take what is there without another spawn.
                give_way().await;
            }
            Started::Wait => shared.bells.dispatch.notified().await,
            Started::ChannelGone => return Exit::Dead("the channel has lost its receiver"),
            Started::End => return Exit::Done,
        }
    }
}

fn spawn<H: Handler>(shared: &Arc<Shared>, handler: &Arc<H>, flight: Flight) {
    let mut workers = shared.workers();
    while let Some(ended) = workers.try_join_next() {
        if let Err(error) = ended {
            tracing::error!(%error, "a worker died; its run counts as crashed");
        }
    }
    workers.spawn(work(Arc::clone(handler), flight));
}
