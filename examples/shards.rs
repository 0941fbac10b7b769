//! One handle over several engines, each with a part of the keys: more than one lock and more than one log in a process.
//!
//! All events of a key reach the same engine, else no one would notice a duplicate. So the shard is a function of the
//! key alone, and the number of shards is fixed once their journals exist.
//!
//! `cargo run --example shards --features durable`

use std::error::Error;
use std::path::Path;

use eventful::cluster::ClusterConfig;
use eventful::journal::DiskShards;
use eventful::{Attempt, Durability, Event, Eventful, Failure, StartError};

async fn handle(event: Event, _: Attempt) -> Result<(), Failure> {
    println!("handling {}", event.key());
    Ok(())
}

async fn open(directory: &Path, shards: u16) -> Result<Eventful, StartError> {
    let journals = DiskShards::new(directory);
    Eventful::cluster(ClusterConfig::new(shards).journals(journals, Durability::default())).open(handle).await
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let eventful = open(directory.path(), 4).await?;
    for number in 0..8 {
        eventful.submit(Event::with_id(&format!("order-{number}"), "apples")?).await?;
    }
    println!("again: {:?}", eventful.submit(Event::with_id("order-3", "apples")?).await?);
    eventful.wait_idle().await?;
    for (shard, stats) in eventful.shard_stats()?.iter().enumerate() {
        println!("shard {shard}: {} accepted", stats.engine.facts.accepted);
    }
    println!("{:?}", eventful.shutdown(None).await);

    // The directory knows for how many shards it is.
    match open(directory.path(), 3).await {
        Ok(_) => return Err("another number of shards was taken".into()),
        Err(refused) => println!("refused: {refused}"),
    }
    Ok(())
}
