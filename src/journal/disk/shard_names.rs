//! The names of the directories of shards.

use std::string::String;

use crate::engine::{Shard, ShardCount};

/// Returns the name of the directory of a shard.
pub(super) fn name(shard: Shard, shards: ShardCount) -> String {
    std::format!("shard-{shard}-of-{shards}")
}

/// Returns of how many shards a directory with this name has one; none for another name.
pub(super) fn count(name: &str) -> Option<u16> {
    let (shard, count) = name.strip_prefix("shard-")?.split_once("-of-")?;
    let (_, count): (u16, u16) = (shard.parse().ok()?, count.parse().ok()?);
    Some(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_of_a_directory_says_of_how_many_it_is_one() {
        let shards = ShardCount::new(16).expect("a count");
        let names = shards.shards().map(|shard| name(shard, shards));
        assert!(names.clone().all(|name| count(&name) == Some(16)));
        assert_eq!(names.last().as_deref(), Some("shard-15-of-16"));
        for other in ["", "shard-", "shard-1", "shard-a-of-4", "shard-1-of-", "shard-1-of-70000", "log-1-of-4"] {
            assert_eq!(count(other), None, "{other}");
        }
    }
}
