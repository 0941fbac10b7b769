//! Times in JSON.

use serde::ser::{Serialize, Serializer};

pub use crate::engine::{Rfc3339, parse_rfc3339 as parse};

impl Serialize for Rfc3339 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
