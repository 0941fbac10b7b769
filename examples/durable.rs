//! An engine with a journal: what was accepted before a crash is handled after it.
//!
//! `cargo run --example durable --features durable`

use std::error::Error;
use std::future::pending;

use eventful::journal::DiskStore;
use eventful::{Attempt, Durability, Event, Eventful, Failure, Key};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let store = || DiskStore::new(directory.path());

    // The first life ends before the event is handled. Here a shutdown that waits for nothing ends it; after a power
    // cut the second life would find the same.
    let never = |_: Event, _: Attempt| pending::<Result<(), Failure>>();
    let eventful = Eventful::builder().journal(store(), Durability::default()).open(never).await?;
    eventful.submit(Event::with_id("order-17", "three apples")?).await?; // on disk when this returns
    println!("first life: {:?}", eventful.shutdown(Some(std::time::Duration::ZERO)).await);
    drop(eventful);

    let handle = async |event: Event, attempt: Attempt| {
        println!("second life: {} attempt {}", event.key(), attempt.charged());
        Ok::<(), Failure>(())
    };
    let eventful = Eventful::builder().journal(store(), Durability::default()).open(handle).await?;
    println!("recovered: {:?}", eventful.recovery());
    println!("order-17 ended as {}", eventful.wait(&Key::new("", "order-17")?).await?.status);
    println!("{:?}", eventful.shutdown(None).await);
    Ok(())
}
