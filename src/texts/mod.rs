//! Data as text, in the forms that are exchanged with others.
//!
//! | module | topic |
//! |---|---|
//! | `base64`, `rfc3339` | bytes and times |
//! | `json`, `members` | parts of JSON, its canonical form; the members of an object |
//! | `trace` | the trace of an event |

#[cfg(feature = "cloud-events")]
pub(crate) mod base64;
#[cfg(feature = "cloud-events")]
pub(crate) mod json;
#[cfg(feature = "cloud-events")]
pub(crate) mod members;
#[cfg(feature = "cloud-events")]
pub mod rfc3339;
#[cfg_attr(not(feature = "broker"), allow(unreachable_pub, reason = "feature broker makes its functions public"))]
pub(crate) mod trace;
