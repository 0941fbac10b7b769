//! Settings that contradict each other, though a server can be started with them.

use std::collections::BTreeMap;

use eventful::Config;
use eventful::http::Limits;
use eventful::http::sources::{Preset, SourceConfig};

use crate::routing::config::TargetConfig;
use crate::spans::show;

/// Bytes of memory of a remembered event that has ended, with an id of 36 bytes: what `cargo bench --bench engine` measures.
const RECORD_BYTES: u64 = 160;
/// Bytes of the smallest event worth counting with: an id of 36 bytes and hardly any payload.
const SMALL_EVENT_BYTES: usize = 40;

/// The settings that are compared.
#[derive(Debug)]
pub(crate) struct Compared<'a> {
    pub(crate) config: &'a Config,
    pub(crate) limits: &'a Limits,
    pub(crate) sources: &'a BTreeMap<String, SourceConfig>,
    pub(crate) targets: &'a BTreeMap<String, TargetConfig>,
    /// Targets that no event is for, and whether there are events that are for no target.
    pub(crate) gaps: (Vec<&'a str>, bool),
    /// Bytes of memory that this process may have, when that is known.
    pub(crate) memory: Option<u64>,
}

impl Compared<'_> {
    /// Returns each contradiction in one sentence, with what to change.
    pub(crate) fn contradictions(&self) -> Vec<String> {
        [self.horizons(), self.times(), self.unreachable(), self.routing(), self.memory().into_iter().collect()]
            .concat()
    }

    /// Returns the bytes that the bounds allow altogether.
    pub(crate) fn allowed_bytes(&self) -> u64 {
        let Self { config, limits, .. } = self;
        let payloads = (config.max_bytes as u64).saturating_add(config.max_failed_bytes as u64);
        let records = (config.max_records as u64).saturating_mul(RECORD_BYTES);
        // One buffer for what is read and one for what is written.
        let buffers = (limits.max_connections as u64).saturating_mul(limits.buffer_bytes as u64).saturating_mul(2);
        [records, limits.max_inflight_bytes as u64, buffers].into_iter().fold(payloads, u64::saturating_add)
    }

    /// Events that a sender sends again after they were forgotten would be handled again.
    fn horizons(&self) -> Vec<String> {
        let kept = [("retention", Some(self.config.retention)), ("failed_retention", self.config.failed_retention)];
        let mut found = Vec::new();
        for (name, source) in self.sources {
            // Nothing is known of how long this sender repeats an event.
            let Some(horizon) = source.preset.and_then(Preset::retry_horizon) else { continue };
            for (what, kept) in kept {
                if let Some(kept) = kept.filter(|kept| *kept < horizon) {
                    let (kept, horizon) = (show(kept), show(horizon));
                    found.push(format!(
                        "{what} is {kept}, and source {name} may send an event again for {horizon}: it would be handled \
                         twice; raise {what} to {horizon} at least"
                    ));
                }
            }
        }
        found
    }

    fn times(&self) -> Vec<String> {
        let Config { run_timeout, drain_timeout, .. } = self.config;
        let mut found = Vec::new();
        if drain_timeout < run_timeout {
            found.push(format!(
                "drain_timeout is {}, and an attempt may take {} (run_timeout): shutdown interrupts those that take longer, \
                 and they are made again; raise drain_timeout or lower run_timeout",
                show(*drain_timeout),
                show(*run_timeout)
            ));
        }
        found
    }

    /// Limits that cannot be reached, because another one is reached before.
    fn unreachable(&self) -> Vec<String> {
        let Self { config, limits, .. } = self;
        let mut found = Vec::new();
        let mut less = |greater: (&str, usize), less: (&str, usize), why: &str| {
            // Equal limits are reached at the same time, which is no contradiction.
            if greater.1 > less.1 {
                let ((greater, most), (less, least)) = (greater, less);
                found.push(format!(
                    "{greater} is {most}, and {less} is {least}: {why}; lower {greater} or raise {less}"
                ));
            }
        };
        let pending = ("max_pending", config.max_pending);
        less(("concurrency", config.concurrency.get()), pending, "so many are never there to be handled");
        less(("channel_capacity", config.channel_capacity.get()), pending, "so many are never there to be queued");
        let small = config.max_pending.saturating_mul(SMALL_EVENT_BYTES);
        if small > config.max_bytes {
            found.push(format!(
                "max_pending is {}, and max_bytes is {}: even events of {SMALL_EVENT_BYTES} bytes fill max_bytes before; \
                 lower max_pending or raise max_bytes to {small}",
                config.max_pending, config.max_bytes
            ));
        }
        if limits.max_inflight_bytes < config.max_event_bytes {
            found.push(format!(
                "max_inflight_bytes is {}, and one event may have {} (max_event_bytes): the larger one counts; raise \
                 max_inflight_bytes to several times max_event_bytes",
                limits.max_inflight_bytes, config.max_event_bytes
            ));
        }
        for (name, source) in self.sources {
            if let Some(most) = source.max_body_bytes.filter(|most| *most > config.max_event_bytes) {
                found.push(format!(
                    "sources.{name}.max_body_bytes is {most}, and max_event_bytes is {}: a larger body is refused all the \
                     same; lower the one or raise the other",
                    config.max_event_bytes
                ));
            }
        }
        found
    }

    fn routing(&self) -> Vec<String> {
        let (unused, is_open) = &self.gaps;
        let unused =
            unused.iter().map(|name| format!("targets.{name} is in no route: add one to [[routes]], or remove it"));
        let open = is_open.then(|| {
            "there are events that no route fits, which fail at once: end [[routes]] with one that has a target only"
                .to_owned()
        });
        let idle = self.targets.iter().filter_map(|(name, target)| {
            let most = target.concurrency.filter(|most| *most > self.config.concurrency)?;
            Some(format!(
                "targets.{name}.concurrency is {most}, and concurrency is {}: so many are never there to be delivered; \
                 lower the one or raise the other",
                self.config.concurrency
            ))
        });
        unused.chain(open).chain(idle).collect()
    }

    fn memory(&self) -> Option<String> {
        let (allowed, memory) = (self.allowed_bytes(), self.memory?);
        (allowed > memory).then(|| {
            format!(
                "max_records, max_bytes, max_failed_bytes, max_inflight_bytes and connections allow {} of memory, and this \
                 process may have {}: lower max_records ({RECORD_BYTES} bytes each) or the bytes",
                mebibytes(allowed),
                mebibytes(memory)
            )
        })
    }
}

/// Bytes in words.
pub(crate) fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}

/// Bytes of memory that this process may have: the machine's, or less by its control group. Only Linux says so.
pub(crate) fn memory_of_machine() -> Option<u64> {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let machine = read("/proc/meminfo").and_then(|text| total_memory(&text));
    // The file holds `max` when the group has no limit: then the machine's memory is the limit.
    let group = read("/sys/fs/cgroup/memory.max").and_then(|text| text.trim().parse().ok());
    machine.into_iter().chain(group).min()
}

fn total_memory(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn defaults_contradict_nothing() {
        for config in [Config::default(), Config::durable()] {
            assert_eq!(found(&config, &Limits::default(), &[]), Vec::<String>::new());
        }
    }

    #[test]
    fn retention_below_the_horizon_of_a_sender_is_found() {
        let mut config = Config::durable();
        let sender = |preset: Preset| vec![("a".to_owned(), preset.config())];
        for preset in Preset::ALL {
            let longest = preset.retry_horizon().is_some_and(|horizon| horizon > config.retention);
            assert_eq!(found(&config, &Limits::default(), &sender(preset)).len(), usize::from(longest), "{preset:?}");
        }
        config.retention = Duration::from_secs(3600);
        config.failed_retention = Some(Duration::from_secs(7200));
        let words = found(&config, &Limits::default(), &sender(Preset::Stripe));
        assert!(words[0].starts_with("retention is 1h, and source a may send an event again for 3d"), "{words:?}");
        assert!(words[1].starts_with("failed_retention is 2h"), "{words:?}");
    }

    #[test]
    fn limit_that_cannot_be_reached_is_found() {
        let limits = Limits::default();
        let one = |change: fn(&mut Config)| {
            let mut config = Config::default();
            change(&mut config);
            found(&config, &limits, &[]).join("\n")
        };
        assert!(
            one(|c| (c.max_pending, c.max_records) = (60, 60)).contains("concurrency is 64, and max_pending is 60")
        );
        assert!(one(|c| c.max_pending = 1000).contains("channel_capacity is 1024"));
        assert!(one(|c| c.max_bytes = 1 << 21).contains("raise max_bytes to 4000000"));
        assert!(one(|c| c.max_event_bytes = 65 << 20).contains("max_inflight_bytes is 67108864"));
        assert!(one(|c| c.drain_timeout = Duration::from_secs(5)).contains("drain_timeout is 5s"));
        let mut source = Preset::Github.config();
        source.max_body_bytes = Some(2 << 20);
        let words = found(&Config::durable(), &limits, &[("hub".to_owned(), source)]);
        assert!(words[0].starts_with("sources.hub.max_body_bytes is 2097152"), "{words:?}");
    }

    #[test]
    fn memory_that_is_not_there_is_found() {
        let (config, limits, sources) = (Config::durable(), Limits::default(), BTreeMap::new());
        let (targets, none) = (BTreeMap::new(), || (Vec::new(), false));
        let with = |memory| Compared {
            config: &config,
            limits: &limits,
            sources: &sources,
            targets: &targets,
            gaps: none(),
            memory,
        };
        let allowed = with(None).allowed_bytes();
        assert_eq!(allowed, (256 << 20) * 2 + 1_600_000_000 + (64 << 20) + (128 << 20));
        assert_eq!(with(Some(allowed)).contradictions(), Vec::<String>::new());
        let words = with(Some(1 << 30)).contradictions();
        assert!(words[0].contains("allow 2229 MiB of memory, and this process may have 1024 MiB"), "{words:?}");
    }

    #[test]
    fn memory_of_the_machine_is_read() {
        assert_eq!(total_memory("MemFree: 1 kB\nMemTotal:       24396424 kB\n"), Some(24_396_424 << 10));
        assert_eq!((total_memory(""), total_memory("MemTotal: many")), (None, None));
    }

    fn found(config: &Config, limits: &Limits, sources: &[(String, SourceConfig)]) -> Vec<String> {
        let sources = sources.iter().cloned().collect();
        let (targets, gaps) = (BTreeMap::new(), (Vec::new(), false));
        Compared { config, limits, sources: &sources, targets: &targets, gaps, memory: None }.contradictions()
    }
}
