//! Interceptors: what they do not override is the call of the journal.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use eventful::journal::{
    Intercept, Intercepted, Journal, JournalStore, MemoryStore, OpenError, Owner, Sequence, WriteError, conformance,
};

/// Overrides nothing.
#[derive(Debug, Clone)]
struct Through;

impl Intercept for Through {}

/// Overrides what a journal in memory does not.
#[derive(Debug, Clone, Default)]
struct Marked {
    dropped: Arc<AtomicUsize>,
}

impl Intercept for Marked {
    fn blocks(&self, store: &dyn JournalStore) -> bool {
        !store.blocks()
    }

    fn max_frame_bytes(&self, _: &dyn JournalStore) -> usize {
        7
    }

    fn reach(&self, _: &dyn Journal) -> Result<(), WriteError> {
        Err(WriteError::Unreachable { cause: "marked".to_owned() })
    }

    fn drop_unfinished(&mut self, journal: &mut dyn Journal) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
        journal.drop_unfinished();
    }

    fn seal(&mut self, _: &mut dyn Journal) -> Result<(), WriteError> {
        Err(WriteError::Full)
    }
}

/// Refuses each opening.
#[derive(Debug, Clone)]
struct Closed;

impl Intercept for Closed {
    fn open(&mut self, _: &mut dyn JournalStore, _: &Owner) -> Result<Box<dyn Journal>, OpenError> {
        Err(OpenError::InUse { owner: "a test".to_owned() })
    }
}

fn through(store: impl JournalStore) -> Box<dyn JournalStore> {
    Box::new(Intercepted::new(Box::new(store), Through))
}

#[test]
fn journal_behind_an_empty_interceptor_conforms() {
    conformance::check(&mut || through(MemoryStore::new()));
    conformance::check_bounded(1 << 20, &mut |max_bytes| through(MemoryStore::bounded(max_bytes)));
}

#[test]
fn defaulted_calls_reach_the_journal_behind_an_interceptor() {
    let marked = Marked::default();
    let mut store = through(Intercepted::new(Box::new(MemoryStore::bounded(500)), marked.clone()));
    assert_eq!((store.blocks(), store.capacity_bytes(), store.max_frame_bytes()), (true, 500, 7));
    let mut journal = store.open(&Owner::new("a test")).expect("memory");
    assert!(matches!(journal.reach(), Err(WriteError::Unreachable { .. })));
    assert_eq!(journal.seal(), Err(WriteError::Full));
    journal.put_snapshot(Sequence::FIRST, 0, b"a part", false).expect("memory");
    let room = journal.room();
    journal.drop_unfinished();
    assert!(journal.room() > room && marked.dropped.load(Ordering::Relaxed) == 1);
}

#[test]
fn opening_is_intercepted() {
    let refused = Intercepted::new(through(MemoryStore::new()), Closed).open(&Owner::new("another"));
    assert!(matches!(refused, Err(OpenError::InUse { .. })), "{refused:?}");
}
