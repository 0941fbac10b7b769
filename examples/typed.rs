//! Handlers by type of event, each with its own payload and limits; a payload that does not parse fails at once. A bill is
//! followed by a mail, which is accepted together with its completion.
//!
//! `cargo run --features json --example typed`

use std::error::Error;
use std::time::Duration;

use eventful::{Attempt, Event, Eventful, Failure, Key, TypePolicy};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
struct Order {
    item: String,
    quantity: u32,
}

#[derive(Debug, Deserialize)]
struct Mail {
    to: String,
}

async fn bill(order: Order, attempt: Attempt) -> Result<(), Failure> {
    println!("bill {} × {}, attempt {}", order.quantity, order.item, attempt.charged());
    // Accepted only if this attempt succeeds.
    let key = Key::new("mail", &attempt.key().id().to_string())?;
    attempt.follow_up(Event::new(key, r#"{"to": "the buyer"}"#).with_type("mail")?)?;
    if attempt.charged() == 1 { Err(Failure::retry("the ledger is locked")) } else { Ok(()) }
}

async fn send(mail: Mail, _: Attempt) -> Result<(), Failure> {
    println!("mail to {}", mail.to);
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let eventful = Eventful::builder()
        .on_json("order.*", bill, TypePolicy::new().with_concurrency(8).with_max_attempts(5))
        .on_json("mail", send, TypePolicy::new().with_run_timeout(Duration::from_secs(5)))
        .start_typed()?;

    let order = Event::with_id("order-17", r#"{"item": "apple", "quantity": 3}"#)?.with_type("order.created")?;
    let mail = Event::with_id("mail-1", r#"{"to": "ada@example.org"}"#)?.with_type("mail")?;
    let misspelt = Event::with_id("order-18", r#"{"item": "pear", "quantity": "one"}"#)?.with_type("order.created")?;
    for event in [order, mail, misspelt] {
        eventful.submit(event).await?;
    }

    for (source, id) in [("", "order-17"), ("mail", "order-17"), ("", "mail-1"), ("", "order-18")] {
        let record = eventful.wait(&Key::new(source, id)?).await?;
        match record.last_error {
            Some(error) => println!("{}: {}; {error}", record.key, record.status),
            None => println!("{}: {}", record.key, record.status),
        }
    }
    println!("{:?}", eventful.shutdown(None).await);
    Ok(())
}
