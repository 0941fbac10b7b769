//! Several engines, one for each part of the keys: more than one lock and more than one log in a process.
//!
//! All events of a key must reach the same engine, else no one notices a duplicate. So the shard is a function of the
//! key alone, and the number of shards is fixed once their journals exist.
//!
//! `cargo run --example shards --features durable`

use std::error::Error;
use std::path::Path;

use eventful::journal::DiskStore;
use eventful::{Attempt, Digest, Durability, Event, Eventful, Failure, Key, SubmitError, Submitted};

const SHARDS: u8 = 4;

struct Shards(Vec<Eventful>);

impl Shards {
    async fn open(directory: &Path) -> Result<Self, Box<dyn Error>> {
        let mut shards = Vec::new();
        for number in 0..SHARDS {
            let handle = move |event: Event, _: Attempt| {
                println!("shard {number}: {}", event.key());
                async { Ok::<(), Failure>(()) }
            };
            let store = DiskStore::new(directory.join(number.to_string()));
            shards.push(Eventful::builder().journal(store, Durability::default()).open(handle).await?);
        }
        Ok(Self(shards))
    }

    /// The engine of a key: by a hash that is the same in every process and on every machine.
    fn of(&self, key: &Key) -> &Eventful {
        let digest = Digest::of(key.to_string().as_bytes());
        &self.0[usize::from(digest.as_bytes()[0] % SHARDS)]
    }

    async fn submit(&self, event: Event) -> Result<Submitted, SubmitError> {
        self.of(event.key()).submit(event).await
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let shards = Shards::open(directory.path()).await?;
    for number in 0..8 {
        shards.submit(Event::with_id(&format!("order-{number}"), "apples")?).await?;
    }
    println!("again: {:?}", shards.submit(Event::with_id("order-3", "apples")?).await?);
    for shard in &shards.0 {
        shard.wait_idle().await?;
        println!("{:?}", shard.shutdown(None).await);
    }
    Ok(())
}
