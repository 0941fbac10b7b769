//! What the calls share.

use core::time::Duration;

use crate::runtime::Eventful;

/// What every call has at hand.
#[derive(Debug)]
pub(super) struct Front {
    pub(super) eventful: Eventful,
    pub(super) body_timeout: Duration,
}
