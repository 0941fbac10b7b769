//! The sink: a handler that publishes each event to a broker.

use std::string::String;

use crate::engine::Event;
use crate::key_text;
use crate::runtime::{Attempt, Failure, Handler};

/// A connection to a broker that publishes events.
pub trait BrokerSink: Send + Sync + 'static {
    /// Publishes the event under this message id. Returns success once the broker has confirmed that it keeps it, and
    /// never before.
    ///
    /// The id is the same for each attempt of an event, so that a broker that removes duplicates, or the receiver, knows a
    /// repeated one.
    fn publish(&self, id: &str, event: &Event, attempt: &Attempt) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// The handler that publishes each event, and is done once the broker has confirmed it.
///
/// Delivery is at least once: a crash between the confirmation and its record publishes the event again, with the same
/// message id.
#[derive(Debug, Clone)]
pub struct PublishEvents<S>(S);

impl<S: BrokerSink> PublishEvents<S> {
    /// The handler that publishes with this sink.
    pub const fn new(sink: S) -> Self {
        Self(sink)
    }
}

impl<S: BrokerSink> Handler for PublishEvents<S> {
    async fn handle(&self, event: Event, attempt: Attempt) -> Result<(), Failure> {
        let id: String = key_text::id(event.key());
        self.0.publish(&id, &event, &attempt).await
    }
}
