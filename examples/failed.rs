//! An operator and events that have failed: find out which and why, mend the cause, redrive them.
//!
//! `cargo run --example failed`

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use eventful::{Attempt, Cursor, Event, Eventful, Failure, Filter, Status};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mended = Arc::new(AtomicBool::new(false));
    let is_mended = Arc::clone(&mended);
    let eventful =
        Eventful::builder().configure(|config| config.max_attempts = 1).start(move |event: Event, _: Attempt| {
            let works = is_mended.load(Ordering::Relaxed) || !event.payload().starts_with(b"pear");
            async move { if works { Ok(()) } else { Err(Failure::retry("no pears in stock")) } }
        })?;
    for (id, goods) in [("1", "apples"), ("2", "pears"), ("3", "pears")] {
        eventful.submit(Event::with_id(id, goods)?).await?;
    }
    eventful.wait_idle().await?;

    let mut filter = Filter::default();
    filter.status = Some(Status::Failed);
    filter.error = Some("pears".into());
    println!("{} to redrive", eventful.count(&filter).await?);
    for record in eventful.find(&filter, Cursor::START, 10).await?.records {
        let why = record.last_error.map(|error| error.to_string()).unwrap_or_default();
        println!("{} failed after {} attempts: {why}", record.key, record.attempt);
    }
    mended.store(true, Ordering::Relaxed);
    println!("{:?}", eventful.redrive_matching(&filter, Cursor::START, usize::MAX).await?);
    eventful.wait_idle().await?;
    println!("{:?}", eventful.shutdown(None).await);
    Ok(())
}
