//! The identity of a node.

use core::fmt;
use core::str::FromStr;

/// The identity of a node: a UUID. A node that comes back with the identity that it had takes its shards
/// back at once; any other one is refused as long as they have an owner.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(String);

/// The text is no UUID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no identity of a node: write a UUID, as 72d3162e-cc78-11e3-81ab-4c9367dc0958")]
pub struct InvalidNodeId(String);

impl FromStr for NodeId {
    type Err = InvalidNodeId;

    fn from_str(text: &str) -> Result<Self, InvalidNodeId> {
        let is_uuid = text.len() == 36
            && text.bytes().enumerate().all(|(at, byte)| match at {
                8 | 13 | 18 | 23 => byte == b'-',
                _ => byte.is_ascii_hexdigit(),
            });
        if is_uuid { Ok(Self(text.to_ascii_lowercase())) } else { Err(InvalidNodeId(text.to_owned())) }
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl NodeId {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_is_a_uuid_in_any_case() {
        let node: NodeId = "72D3162E-cc78-11e3-81ab-4c9367dc0958".parse().expect("a UUID");
        assert_eq!(node.to_string(), "72d3162e-cc78-11e3-81ab-4c9367dc0958");
        for text in ["", "72d3162ecc7811e381ab4c9367dc0958", "72d3162e-cc78-11e3-81ab-4c9367dc095g"] {
            let refused = text.parse::<NodeId>().expect_err("no UUID").to_string();
            assert!(refused.contains("write a UUID"), "{refused}");
        }
    }
}
