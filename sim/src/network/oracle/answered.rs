//! Overload is answered, and so are odd clients: who has sent a request gets an answer.

use crate::failure::Broken;

/// A client had a connection of its own, nothing was wrong with its link or with the server's process, and yet its
/// connection ended without an answer.
pub(in crate::network) fn cut(request: usize) -> Broken {
    Broken::new("answered", 9, format_args!("request {request} was cut off without an answer, and nothing was wrong"))
}

/// The same, and it has waited for long.
pub(in crate::network) fn silent(request: usize) -> Broken {
    Broken::new(
        "answered",
        9,
        format_args!("request {request} was not answered in all its time, and nothing was wrong"),
    )
}
