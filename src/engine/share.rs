//! The parts of a configuration that each of several engines gets.

use core::num::NonZeroUsize;

use super::config::{Config, InvalidConfig};
use super::group_policies::GroupOrder;
use super::shard::{Shard, ShardCount};

impl Config {
    /// Returns the configuration of one of the engines that share this one: its part of each bound that is on all
    /// events together, so that the parts add up to the bound. The rest is the same for all.
    ///
    /// # Errors
    ///
    /// [`InvalidConfig::Part`] when a bound is too small to be shared by so many.
    pub fn part(&self, shards: ShardCount, shard: Shard) -> Result<Self, InvalidConfig> {
        if shards == ShardCount::ONE {
            return Ok(self.clone());
        }
        let part = |whole: usize, least: usize, name: &'static str| {
            let part = shards.part(whole, shard);
            if part < least { Err(InvalidConfig::Part { name, least, shards }) } else { Ok(part) }
        };
        let nonzero = |whole: NonZeroUsize, name| {
            let part = part(whole.get(), 1, name)?;
            Ok(NonZeroUsize::MIN.saturating_add(part - 1))
        };
        let mut config = self.clone();
        config.concurrency = nonzero(self.concurrency, "concurrency")?;
        config.channel_capacity = nonzero(self.channel_capacity, "channel_capacity")?;
        config.max_pending = part(self.max_pending, 1, "max_pending")?;
        // The least parts are those that the validation of an engine's own configuration asks for.
        config.max_records = part(self.max_records, config.max_pending, "max_records")?;
        config.max_bytes = part(self.max_bytes, self.max_event_bytes, "max_bytes")?;
        config.max_failed_bytes = part(self.max_failed_bytes, self.max_event_bytes, "max_failed_bytes")?;
        for policy in config.types.policies_mut() {
            if let Some(concurrency) = &mut policy.concurrency {
                *concurrency = part(*concurrency, 1, "the concurrency of a type policy")?;
            }
        }
        for policy in config.groups.policies_mut() {
            // The events of a group are in the shards of their keys, which know nothing of each other's.
            if policy.order == GroupOrder::Fifo {
                return Err(InvalidConfig::OrderOverShards(shards));
            }
            if let Some(concurrency) = &mut policy.concurrency {
                *concurrency = part(*concurrency, 1, "the concurrency of a group policy")?;
            }
            if let Some(max_pending) = &mut policy.max_pending {
                *max_pending = part(*max_pending, 1, "max_pending of a group policy")?;
            }
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{GroupPolicy, TypePolicy};
    use alloc::string::ToString as _;
    use alloc::vec::Vec;

    fn parts(config: &Config, shards: u16) -> Result<Vec<Config>, InvalidConfig> {
        let shards = ShardCount::new(shards).expect("a count");
        shards.shards().map(|shard| config.part(shards, shard)).collect()
    }

    #[test]
    fn one_shard_has_the_whole_configuration() {
        let config = Config::durable();
        assert_eq!(parts(&config, 1), Ok(Vec::from([config])));
    }

    #[test]
    fn parts_of_each_bound_add_up_to_it() {
        let mut config = Config::durable();
        config.types.add("mail", TypePolicy::new().with_concurrency(10)).expect("a policy");
        let group = GroupPolicy::free().with_concurrency(10).with_max_pending(8);
        config.groups.add("tenant/*", group).expect("a policy");
        let parts = parts(&config, 3).expect("it can be shared");
        let sum = |bound: fn(&Config) -> usize| parts.iter().map(bound).sum::<usize>();
        for bound in BOUNDS {
            assert_eq!(sum(bound), bound(&config));
        }
        assert!(parts.iter().all(|part| part.validate().is_ok() && part.retention == config.retention));
    }

    #[test]
    fn bound_that_is_too_small_to_be_shared_is_refused() {
        let mut config = Config::default();
        config.types.add("mail", TypePolicy::new().with_concurrency(1)).expect("a policy");
        let refused = parts(&config, 2).expect_err("one run cannot be shared").to_string();
        assert_eq!(
            refused,
            "the concurrency of a type policy is too small for 2 shards: each needs 1, so raise it or take fewer shards"
        );
        let config = Config { max_bytes: 3 << 20, ..Config::default() };
        assert!(parts(&config, 3).is_ok());
        let name = "max_bytes";
        let least = 1 << 20;
        let shards = ShardCount::new(4).expect("a count");
        assert_eq!(parts(&config, 4), Err(InvalidConfig::Part { name, least, shards }));
    }

    #[test]
    fn group_in_order_is_not_divided_among_shards() {
        let mut config = Config::default();
        config.groups.add("account/*", GroupPolicy::fifo()).expect("a policy");
        let shards = ShardCount::new(2).expect("a count");
        assert_eq!(parts(&config, 2), Err(InvalidConfig::OrderOverShards(shards)));
        assert!(parts(&config, 1).is_ok());
        let mut config = Config::default();
        config.groups.add("tenant/*", GroupPolicy::free().with_max_pending(1)).expect("a policy");
        assert!(matches!(parts(&config, 2), Err(InvalidConfig::Part { name: "max_pending of a group policy", .. })));
    }

    const BOUNDS: [fn(&Config) -> usize; 9] = [
        |config| config.concurrency.get(),
        |config| config.channel_capacity.get(),
        |config| config.max_pending,
        |config| config.max_records,
        |config| config.max_bytes,
        |config| config.max_failed_bytes,
        |config| config.types.iter().filter_map(|(_, policy)| policy.concurrency).sum(),
        |config| config.groups.iter().filter_map(|(_, policy)| policy.concurrency).sum(),
        |config| config.groups.iter().filter_map(|(_, policy)| policy.max_pending).sum(),
    ];
}
