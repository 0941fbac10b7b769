//! Steps of the tests: stores, and journals that are opened and appended to.

use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use eventful::journal::{Extent, Journal, JournalStore as _, Owner, Sequence, Shard, WriteError};
use eventful_postgres::{Checked, Database, NodeId, PostgresStore, SchemaError};

use crate::start::PostgresServer;

/// A lease that no test waits for.
pub(crate) const LONG: Duration = Duration::from_secs(120);

/// A server with a schema of so many shards.
pub(crate) fn server_with(shards: u16) -> PostgresServer {
    let server = PostgresServer::start();
    init(&server.database(), shards).expect("a schema is made");
    server
}

pub(crate) fn init(database: &Database, shards: u16) -> Result<Checked, SchemaError> {
    block_on(eventful_postgres::init(database, shards))
}

pub(crate) fn check(database: &Database) -> Result<Checked, SchemaError> {
    block_on(eventful_postgres::check(database))
}

fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(future)
}

/// The store of shard 0, which accepts one copy, with a lease that no test waits for.
pub(crate) fn store(database: Database) -> PostgresStore {
    strict_store(database).one_copy()
}

/// The same, and one copy is not accepted.
pub(crate) fn strict_store(database: Database) -> PostgresStore {
    PostgresStore::new(database, Shard::new(0), node(1)).lease(LONG)
}

pub(crate) fn node(number: u8) -> NodeId {
    format!("00000000-0000-4000-8000-0000000000{number:02}").parse().expect("a UUID")
}

pub(crate) fn open(store: &mut PostgresStore) -> Box<dyn Journal> {
    store.open(&Owner::new("a test")).unwrap_or_else(|error| panic!("it is opened: {error}"))
}

pub(crate) fn append(journal: &mut dyn Journal, frame: &[u8]) {
    let end = journal.extent().end;
    journal.append(end, frame).unwrap_or_else(|error| panic!("frame {end} is appended: {error}"));
}

/// Everything in a journal.
pub(crate) fn frames(journal: &mut dyn Journal) -> Vec<Vec<u8>> {
    let Extent { first, end } = journal.extent();
    let mut frames = Vec::new();
    let next = journal.read(first, usize::MAX, &mut |_, frame| frames.push(frame.to_vec()));
    assert_eq!(next, Ok(end), "everything is read");
    frames
}

/// An append on a thread of its own.
pub(crate) struct Appending {
    done: Receiver<(Box<dyn Journal>, Result<(), WriteError>)>,
}

impl Appending {
    pub(crate) fn begin(mut journal: Box<dyn Journal>, frame: &'static [u8]) -> Self {
        let (sender, done) = channel();
        thread::spawn(move || {
            let appended = journal.append(journal.extent().end, frame);
            sender.send((journal, appended))
        });
        Self { done }
    }

    /// Waits for its end. Returns the journal and the result.
    pub(crate) fn end(self) -> (Box<dyn Journal>, Result<(), WriteError>) {
        self.done.recv_timeout(LONG).expect("it ends in time")
    }

    /// Its end, if it has ended.
    pub(crate) fn try_end(&self) -> Option<(Box<dyn Journal>, Result<(), WriteError>)> {
        self.done.try_recv().ok()
    }

    /// Checks that it has not ended.
    pub(crate) fn assert_waits(&self) {
        assert!(self.done.try_recv().is_err(), "nothing is acknowledged yet");
    }
}

pub(crate) const fn at(number: u64) -> Sequence {
    Sequence::new(number)
}
