//! The usual first version: a bounded channel, a semaphore, and a task per event.
//!
//! *Naive* remembers nothing. *Article* adds what the usual article adds: a map of ids under a mutex, with the SHA-256 of the
//! payload and a status. Neither retries, survives a fault, or bounds its memory.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tokio::sync::{Semaphore, mpsc};

/// The number of concurrent handlers in each system: a free choice, the same for all.
pub(crate) const LIMIT: usize = 64;
const CAPACITY: usize = 1024;

type BaselineItem = (String, Bytes);

/// The handler of a baseline.
pub(crate) trait BaselineHandler: Fn(Bytes) + Clone + Send + Sync + 'static {}

impl<F: Fn(Bytes) + Clone + Send + Sync + 'static> BaselineHandler for F {}

/// A bounded channel, a semaphore, and a task per event.
#[derive(Clone)]
pub(crate) struct Naive(mpsc::Sender<BaselineItem>);

impl Naive {
    pub(crate) fn start(handle: impl BaselineHandler) -> Self {
        Self(start(move |(_, payload)| handle(payload)))
    }

    pub(crate) async fn submit(&self, id: String, payload: Bytes) {
        self.0.send((id, payload)).await.expect("the dispatcher lives");
    }
}

/// The same, with a map of digests and statuses.
#[derive(Clone)]
pub(crate) struct Article {
    channel: mpsc::Sender<BaselineItem>,
    seen: Arc<Mutex<SeenMap>>,
}

type SeenMap = HashMap<String, ([u8; 32], BaselineStatus)>;

enum BaselineStatus {
    Received,
    Processing,
    Completed,
}

/// The result of a submit by the map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BaselineSubmitted {
    New,
    Duplicate,
    Conflict,
}

impl Article {
    pub(crate) fn start(handle: impl BaselineHandler) -> Self {
        let seen: Arc<Mutex<SeenMap>> = Arc::default();
        let map = Arc::clone(&seen);
        let channel = start(move |(id, payload): BaselineItem| {
            set(&map, &id, BaselineStatus::Processing);
            handle(payload);
            set(&map, &id, BaselineStatus::Completed);
        });
        Self { channel, seen }
    }

    pub(crate) async fn submit(&self, id: String, payload: Bytes) -> BaselineSubmitted {
        let submitted = self.remember(&id, Sha256::digest(&payload).into());
        if submitted == BaselineSubmitted::New {
            self.channel.send((id, payload)).await.expect("the dispatcher lives");
        }
        submitted
    }

    fn remember(&self, id: &str, digest: [u8; 32]) -> BaselineSubmitted {
        match self.seen.lock().unwrap_or_else(PoisonError::into_inner).entry(id.to_owned()) {
            Entry::Occupied(seen) if seen.get().0 == digest => BaselineSubmitted::Duplicate,
            Entry::Occupied(_) => BaselineSubmitted::Conflict,
            Entry::Vacant(room) => {
                room.insert((digest, BaselineStatus::Received));
                BaselineSubmitted::New
            }
        }
    }
}

fn set(seen: &Mutex<SeenMap>, id: &str, status: BaselineStatus) {
    if let Some(record) = seen.lock().unwrap_or_else(PoisonError::into_inner).get_mut(id) {
        record.1 = status;
    }
}

fn start(work: impl Fn(BaselineItem) + Clone + Send + Sync + 'static) -> mpsc::Sender<BaselineItem> {
    let (sender, mut receiver) = mpsc::channel::<BaselineItem>(CAPACITY);
    let permits = Arc::new(Semaphore::new(LIMIT));
    tokio::spawn(async move {
        while let Some(item) = receiver.recv().await {
            let permit = Arc::clone(&permits).acquire_owned().await;
            let work = work.clone();
            tokio::spawn(async move {
                work(item);
                drop(permit);
            });
        }
    });
    sender
}
