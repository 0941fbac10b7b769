//! Deliveries that are open: what is said about each goes to a subject of its own.

use std::collections::BTreeMap;

use async_nats::{HeaderMap, Subject};
use eventful::broker::DeliveryTag;

/// One delivery.
#[derive(Debug, Clone)]
pub(crate) struct OpenDelivery {
    /// The subject at which the server takes what is said about it.
    pub(crate) reply: Subject,
    /// The place of the message in the stream.
    pub(crate) sequence: u64,
    /// The subject of the message.
    pub(crate) subject: Subject,
    /// The headers of the message.
    pub(crate) headers: Option<HeaderMap>,
    /// True once its dead letter is kept.
    pub(crate) is_buried: bool,
}

/// The deliveries that are open, by their tags.
///
/// The server takes an acknowledgement of any delivery of a message, also of one that has expired. So the delivery before is
/// forgotten when the same message comes again: what is said about it does not leave this process.
#[derive(Debug, Default)]
pub(crate) struct Deliveries {
    tags: u64,
    open: BTreeMap<DeliveryTag, OpenDelivery>,
    newest: BTreeMap<u64, DeliveryTag>,
}

impl Deliveries {
    /// Opens a delivery, and closes the one before of the same message.
    pub(crate) fn open(&mut self, delivery: OpenDelivery) -> DeliveryTag {
        self.tags += 1;
        let tag = DeliveryTag::new(self.tags);
        if let Some(before) = self.newest.insert(delivery.sequence, tag) {
            self.open.remove(&before);
        }
        self.open.insert(tag, delivery);
        tag
    }

    /// Returns a delivery that is open.
    pub(crate) fn delivery(&self, tag: DeliveryTag) -> Option<&OpenDelivery> {
        self.open.get(&tag)
    }

    /// Records that the dead letter of a delivery is kept.
    pub(crate) fn bury(&mut self, tag: DeliveryTag) {
        if let Some(delivery) = self.open.get_mut(&tag) {
            delivery.is_buried = true;
        }
    }

    /// Closes a delivery.
    pub(crate) fn close(&mut self, tag: DeliveryTag) {
        if let Some(delivery) = self.open.remove(&tag) {
            self.newest.remove(&delivery.sequence);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_that_comes_again_closes_the_delivery_before() {
        let mut deliveries = Deliveries::default();
        let [first, other, again] = [7, 8, 7].map(|sequence| deliveries.open(delivery(sequence)));
        assert!(deliveries.delivery(first).is_none() && deliveries.delivery(other).is_some());
        deliveries.close(first);
        assert!(deliveries.delivery(again).is_some(), "the end of the old delivery leaves the new one");
        deliveries.close(again);
        assert!(deliveries.delivery(again).is_none() && deliveries.newest.len() == 1);
    }

    #[test]
    fn tags_are_used_once() {
        let mut deliveries = Deliveries::default();
        let first = deliveries.open(delivery(1));
        deliveries.close(first);
        assert_ne!(deliveries.open(delivery(1)), first);
    }

    fn delivery(sequence: u64) -> OpenDelivery {
        let (reply, subject) = (Subject::from_static("reply"), Subject::from_static("orders"));
        OpenDelivery { reply, sequence, subject, headers: None, is_buried: false }
    }
}
