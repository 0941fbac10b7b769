//! The oracle that every request of a well-behaved client has a response, also under overload.

use crate::failure::Broken;

/// A client had its own connection, neither its link nor the server's process was disturbed, and yet the connection
/// ended without a response.
pub(in crate::network) fn cut(request: usize) -> Broken {
    Broken::new(
        "answered",
        9,
        format_args!("request {request} was cut off without a response, although nothing was disturbed"),
    )
}

/// The same, but no response came in a long time.
pub(in crate::network) fn silent(request: usize) -> Broken {
    Broken::new(
        "answered",
        9,
        format_args!("request {request} had no response in all its time, although nothing was disturbed"),
    )
}
