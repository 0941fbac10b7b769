//! Interceptors: calls of a journal, changed on their way to it.

use core::fmt;
use std::boxed::Box;
use std::vec::Vec;

use super::error::{OpenError, ReadError, WriteError};
use super::sequence::Sequence;
use super::store::{Extent, FreeSpace, Journal, JournalStore, Owner};

/// A store, and an interceptor of its calls and of those of its journals.
#[derive(Debug)]
pub struct Intercepted<I> {
    store: Box<dyn JournalStore>,
    by: I,
}

impl<I: Intercept> Intercepted<I> {
    /// Puts an interceptor before a store.
    pub fn new(store: Box<dyn JournalStore>, by: I) -> Self {
        Self { store, by }
    }
}

#[derive(Debug)]
struct InterceptedJournal<I> {
    journal: Box<dyn Journal>,
    by: I,
}

/// Defines [`Intercept`], and [`Intercepted`] by it, so that each signature is written once.
macro_rules! intercept {
    (
        $(#[$doc:meta])*
        &JournalStore { $(fn $ask:ident() -> $asked:ty;)* }
        &Journal { $(fn $read:ident() -> $returned:ty;)* }
        &mut Journal { $(fn $act:ident($($arg:ident: $type:ty),*) -> $done:ty;)* }
    ) => {
        $(#[$doc])*
        pub trait Intercept: Clone + fmt::Debug + Send + 'static {
            /// Intercepts [`JournalStore::open`]. Calls of the journal that it returns are intercepted too.
            fn open(&mut self, store: &mut dyn JournalStore, owner: &Owner) -> Result<Box<dyn Journal>, OpenError> {
                store.open(owner)
            }

            $(#[doc = concat!("Intercepts [`JournalStore::", stringify!($ask), "`].")]
            fn $ask(&self, store: &dyn JournalStore) -> $asked {
                store.$ask()
            })*

            $(#[doc = concat!("Intercepts [`Journal::", stringify!($read), "`].")]
            fn $read(&self, journal: &dyn Journal) -> $returned {
                journal.$read()
            })*

            $(#[doc = concat!("Intercepts [`Journal::", stringify!($act), "`].")]
            fn $act(&mut self, journal: &mut dyn Journal $(, $arg: $type)*) -> $done {
                journal.$act($($arg),*)
            })*
        }

        // A method with a default body would be left out without an error, and its calls not intercepted.
        #[deny(clippy::missing_trait_methods)]
        impl<I: Intercept> JournalStore for Intercepted<I> {
            fn open(&mut self, owner: &Owner) -> Result<Box<dyn Journal>, OpenError> {
                let journal = self.by.open(&mut *self.store, owner)?;
                Ok(Box::new(InterceptedJournal { journal, by: self.by.clone() }))
            }

            $(fn $ask(&self) -> $asked {
                self.by.$ask(&*self.store)
            })*
        }

        #[deny(clippy::missing_trait_methods)]
        impl<I: Intercept> Journal for InterceptedJournal<I> {
            $(fn $read(&self) -> $returned {
                self.by.$read(&*self.journal)
            })*

            $(fn $act(&mut self $(, $arg: $type)*) -> $done {
                self.by.$act(&mut *self.journal $(, $arg)*)
            })*
        }
    };
}

intercept! {
    /// The interceptor of a store and of the journals that it opens: fails, delays, changes, counts or records their
    /// calls, in tests of code that uses a journal, or of a journal of your own. (gRPC has the name; a layer of tower
    /// is the same.)
    ///
    /// Each method has the contract and the errors of the method of [`JournalStore`] or [`Journal`] with its name, and
    /// gets the store or the journal for which the call was. By default it makes the same call there.
    ///
    /// [`Intercepted`] clones it for each opening: keep what its clones share in an `Arc`.
    ///
    /// ```
    /// use eventful::journal::{Intercept, Intercepted, Journal, JournalStore, MemoryStore, Owner, Sequence, WriteError};
    ///
    /// #[derive(Debug, Clone)]
    /// struct Full;
    ///
    /// impl Intercept for Full {
    ///     fn append(&mut self, _: &mut dyn Journal, _: Sequence, _: &[u8]) -> Result<(), WriteError> {
    ///         Err(WriteError::Full)
    ///     }
    /// }
    ///
    /// let mut store = Intercepted::new(Box::new(MemoryStore::new()), Full);
    /// let mut journal = store.open(&Owner::new("an example"))?;
    /// assert_eq!(journal.append(Sequence::FIRST, b"a frame"), Err(WriteError::Full));
    /// # Ok::<(), eventful::journal::OpenError>(())
    /// ```
    &JournalStore {
        fn blocks() -> bool;
        fn capacity_bytes() -> u64;
        fn max_frame_bytes() -> usize;
    }
    &Journal {
        fn extent() -> Extent;
        fn room() -> FreeSpace;
        fn reach() -> Result<(), WriteError>;
    }
    &mut Journal {
        fn append(expected: Sequence, frame: &[u8]) -> Result<(), WriteError>;
        fn read(from: Sequence, limit_bytes: usize, visit: &mut dyn FnMut(Sequence, &[u8])) -> Result<Sequence, ReadError>;
        fn put_snapshot(at: Sequence, part: u32, bytes: &[u8], last: bool) -> Result<(), WriteError>;
        fn drop_unfinished() -> ();
        fn snapshots() -> Result<Vec<Sequence>, ReadError>;
        fn snapshot(at: Sequence, part: u32) -> Result<Option<Vec<u8>>, ReadError>;
        fn trim(below: Sequence) -> Result<(), WriteError>;
        fn seal() -> Result<(), WriteError>;
    }
}
