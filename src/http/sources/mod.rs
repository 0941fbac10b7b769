//! Senders as they really come: where in a request the event is, and how it is known to be theirs.
//!
//! | module | topic |
//! |---|---|
//! | `config`, `preset`, `known` | what a configuration says, and the configurations of known senders |
//! | `pick` | where in a request something is, and what of it counts |
//! | `scheme`, `verify`, `mac`, `secret`, `hexadecimal` | how a request is known to be its sender's |
//! | `source` | a configuration made ready, and an event out of a request |
//! | `receive` | the calls `POST` and `GET /in/{source}` |

#[cfg(doctest)]
#[doc = include_str!("../../../docs/senders.md")]
struct SendersPage;

mod config;
mod hexadecimal;
mod known;
pub(super) mod mac;
mod pick;
mod preset;
pub(super) mod receive;
mod scheme;
mod secret;
mod source;
mod verify;

pub use crate::texts::json::{InvalidPointer, Pointer};
pub use config::{ConflictPolicy, InvalidSuccessStatus, SourceConfig, SuccessStatus};
pub use pick::{InvalidPick, Pick};
pub use preset::Preset;
pub use scheme::{
    HmacAlgorithm, HmacScheme, InvalidSignedText, InvalidTimestampPlace, KeyForm, SignatureEncoding, SignedText,
    TimestampPlace, Verification,
};
pub use secret::{NoSecret, Secret, SecretRef};
pub(super) use verify::credentials;

pub use source::{InvalidSource, QUARANTINED, Source, forwarded_headers};
