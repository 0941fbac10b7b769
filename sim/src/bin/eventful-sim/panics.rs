//! A panic is a finding like any other: it has a seed, and does not end the program.

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};

use eventful_sim::failure::Broken;

/// Who speaks when something panics.
pub(crate) const ORACLE: &str = "panics";

thread_local! {
    /// What the last panic of this thread said, while panics are caught.
    static SAID: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Keeps panics that are caught off the terminal, from now on.
pub(crate) fn keep_quiet() {
    let other = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let caught = SAID.with_borrow_mut(|said| said.as_mut().map(|said| *said = info.to_string()));
        if caught.is_none() {
            other(info);
        }
    }));
}

/// What `play` gives, or what it said when it panicked.
pub(crate) fn catch<T>(play: impl FnOnce() -> T) -> Result<T, Broken> {
    SAID.set(Some(String::new()));
    let played = panic::catch_unwind(AssertUnwindSafe(play));
    let said = SAID.take().unwrap_or_default();
    played.map_err(|_| Broken::new(ORACLE, 1, said))
}

/// What the last panic of this thread said, and where, while panics are caught.
pub(crate) fn said() -> String {
    SAID.with_borrow(|said| said.clone().unwrap_or_default())
}
