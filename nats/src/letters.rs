//! Dead letters as messages.

use async_nats::HeaderMap;
use async_nats::jetstream::context::Context;
use eventful::broker::{DeadLetter, SourceError};

use crate::deliveries::OpenDelivery;
use crate::reading::MESSAGE_ID;

/// The prefix of the server's own headers, some of which are orders to it.
const OF_THE_SERVER: &str = "nats-";

/// Publishes a dead letter, and waits until a stream has it.
///
/// The payload and the headers are those of the message, beside those of the letter; `eventful-subject` and
/// `eventful-message-id` are its subject and its id. Its own id names the place of the message, so that the stream knows
/// a letter that is written again.
pub(crate) async fn publish(
    context: &Context,
    to: &str,
    stream: &str,
    delivery: OpenDelivery,
    letter: DeadLetter,
) -> Result<(), SourceError> {
    let headers = headers(stream, &delivery, &letter);
    let published = context.publish_with_headers(to.to_owned(), headers, letter.payload).await;
    published.map_err(SourceError::temporary)?.await.map(drop).map_err(SourceError::temporary)
}

fn headers(stream: &str, delivery: &OpenDelivery, letter: &DeadLetter) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, values) in delivery.headers.iter().flat_map(HeaderMap::iter) {
        let is_of_the_server = name.to_string().to_ascii_lowercase().starts_with(OF_THE_SERVER);
        if is_of_the_server && name.to_string() != MESSAGE_ID {
            continue;
        }
        for value in values {
            match is_of_the_server {
                true => headers.insert("eventful-message-id", value.clone()),
                false => headers.append(name.clone(), value.clone()),
            }
        }
    }
    for (name, value) in letter.headers() {
        headers.insert(name, value);
    }
    headers.insert("eventful-subject", delivery.subject.as_str());
    headers.insert(MESSAGE_ID, format!("dead:{stream}:{}", delivery.sequence));
    headers
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_nats::Subject;
    use bytes::Bytes;
    use eventful::broker::{DeadReason, Unfit};
    use eventful::engine::Digest;

    #[test]
    fn letter_has_what_the_message_had_and_orders_nothing() {
        let mut of_message = HeaderMap::new();
        of_message.insert("tenant", "blue");
        of_message.insert(MESSAGE_ID, "a");
        of_message.insert("Nats-Rollup", "all");
        let (reply, subject) = (Subject::from_static("reply"), Subject::from_static("orders.new"));
        let delivery = OpenDelivery { reply, sequence: 7, subject, headers: Some(of_message), is_buried: false };
        let letter = DeadLetter {
            reason: DeadReason::Unfit(Unfit::WithoutId),
            key: None,
            digest: Digest::of(b"x"),
            payload: Bytes::from_static(b"x"),
            deliveries: 2,
        };
        let headers = headers("ORDERS", &delivery, &letter);
        for (name, value) in [
            ("tenant", "blue"),
            ("eventful-message-id", "a"),
            (MESSAGE_ID, "dead:ORDERS:7"),
            ("eventful-reason", "without-id"),
            ("eventful-deliveries", "2"),
            ("eventful-subject", "orders.new"),
        ] {
            assert_eq!(headers.get(name).map(|value| value.as_str()), Some(value), "{name}");
        }
        assert!(headers.get("Nats-Rollup").is_none(), "an order to the server would empty the stream");
    }
}
