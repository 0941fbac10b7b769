//! An engine in a program: two events, one of them sent twice, one handler that fails at first.
//!
//! `cargo run --example embed`

use std::error::Error;
use std::time::Duration;

use eventful::{Attempt, Event, Eventful, Failure, Key, SubmitError};

async fn handle(event: Event, attempt: Attempt) -> Result<(), Failure> {
    println!("{} attempt {}: {:?}", event.key(), attempt.charged(), event.payload());
    if attempt.charged() == 1 && &*event.key().id() == "order-18" {
        return Err(Failure::retry_after("the printer is out of paper", Duration::from_millis(700)));
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let eventful = Eventful::builder().start(handle)?;

    eventful.submit(Event::with_id("order-17", "three apples")?).await?;
    eventful.submit(Event::with_id("order-18", "a pear")?).await?;
    let again = eventful.submit(Event::with_id("order-17", "three apples")?).await?;
    println!("order-17 again: {again:?}");
    match eventful.submit(Event::with_id("order-17", "four apples")?).await {
        Err(SubmitError::Conflict(conflict)) => println!("order-17 with another payload: {conflict:?}"),
        other => println!("not expected: {other:?}"),
    }

    let retried = Key::new("", "order-18")?;
    println!("order-18: {}", eventful.explain(&retried).await?.unwrap_or_default());
    println!("order-18 ended as {}", eventful.wait(&retried).await?.status);
    eventful.wait_idle().await?;
    println!("{:?}", eventful.shutdown(None).await);
    Ok(())
}
