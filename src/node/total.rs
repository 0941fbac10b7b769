//! The numbers of several nodes, as those of one.

use super::health::Stats;
use super::journal_state::JournalState;
use super::shutdown::ShutdownReport;
use crate::engine::Phase;

impl Stats {
    /// Adds the numbers of another node. Counts are then those of both; of the states, the one that needs more
    /// attention; of times, the longest; of the room in journals, the least, as the next event may need that one.
    pub fn add(&mut self, other: &Self) {
        // Without `..`, so that a new number does not compile until it is added.
        let Self {
            engine,
            channel_depth,
            workers_running,
            permits_free,
            submitters_waiting,
            dispatcher_restarts,
            sweeper_restarts,
            subscription_dropped,
            unsynced,
            journal_room_bytes,
            journal_reopenings,
            journal,
            unsynced_bytes,
            unsynced_for,
            pending_for,
            failed_for,
            journal_groups,
            clock_ahead,
            phase,
            paused,
            paused_groups,
            types,
            unmatched,
            full_of_failures,
        } = other;
        self.engine.add(engine);
        self.channel_depth += channel_depth;
        self.workers_running += workers_running;
        self.permits_free += permits_free;
        self.submitters_waiting += submitters_waiting;
        self.dispatcher_restarts += dispatcher_restarts;
        self.sweeper_restarts += sweeper_restarts;
        self.subscription_dropped += subscription_dropped;
        self.unsynced += unsynced;
        self.journal_room_bytes = least(self.journal_room_bytes, *journal_room_bytes);
        self.journal_reopenings += journal_reopenings;
        self.journal = worse(self.journal, *journal);
        self.unsynced_bytes += unsynced_bytes;
        self.unsynced_for = self.unsynced_for.max(*unsynced_for);
        self.pending_for = self.pending_for.max(*pending_for);
        self.failed_for = self.failed_for.max(*failed_for);
        self.journal_groups += journal_groups;
        self.clock_ahead = self.clock_ahead.max(*clock_ahead);
        self.phase = earlier(self.phase, *phase);
        self.paused |= paused;
        // A group has its events in several shards, and each of them names it.
        self.paused_groups.extend_from_slice(paused_groups);
        self.paused_groups.sort_unstable();
        self.paused_groups.dedup();
        // Nodes that share a configuration have the same policies in the same order.
        self.types.iter_mut().zip(types).for_each(|(sum, other)| sum.add(other));
        self.unmatched += unmatched;
        self.full_of_failures |= full_of_failures;
    }
}

impl ShutdownReport {
    /// Adds the report of another node. The time is that of the one that took longer, as they end at the same time.
    pub fn add(&mut self, other: &Self) {
        let Self { drained, interrupted, abandoned, left, unsynced, took } = other;
        self.drained += drained;
        self.interrupted += interrupted;
        self.abandoned += abandoned;
        self.left += left;
        self.unsynced += unsynced;
        self.took = self.took.max(*took);
    }
}

/// Returns the smaller one of those that are there.
fn least(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    [one, other].into_iter().flatten().min()
}

fn worse(one: Option<JournalState>, other: Option<JournalState>) -> Option<JournalState> {
    match (one, other) {
        // Results have waited since the earlier time.
        (Some(JournalState::Stalled { since }), Some(JournalState::Stalled { since: other })) => {
            Some(JournalState::Stalled { since: since.min(other) })
        }
        (one, other) => [one, other].into_iter().flatten().max_by_key(|state| rank(*state)),
    }
}

/// Returns the rank of a state: each needs more attention than those below it.
const fn rank(state: JournalState) -> u8 {
    match state {
        JournalState::Working => 0,
        JournalState::Stalled { .. } => 1,
        JournalState::Full => 2,
        JournalState::Unreachable => 3,
        JournalState::Reopening => 4,
        JournalState::Down => 5,
    }
}

/// Returns the phase that comes before the other: only when all have stopped, nothing changes any more.
const fn earlier(one: Phase, other: Phase) -> Phase {
    match (one, other) {
        (Phase::Running, _) | (_, Phase::Running) => Phase::Running,
        (Phase::Draining, _) | (_, Phase::Draining) => Phase::Draining,
        (Phase::Stopped, Phase::Stopped) => Phase::Stopped,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Config, Engine, Event, GroupName, Output, Timestamp, TypePolicy, TypeStats, Unmatched};
    use crate::node::Node;
    use core::time::Duration;

    const NOW: Timestamp = Timestamp::from_micros(1_000_000);

    fn stats(events: u64) -> Stats {
        let mut out = Output::new();
        let engine = Engine::new(Config::default(), NOW, &mut out).expect("the defaults are valid");
        let mut node = Node::in_memory(NOW, engine, out);
        for number in 0..events {
            let event = Event::with_id(&alloc::format!("event-{number}"), "").expect("an event");
            assert!(node.submit(NOW, event).is_ok_and(|decided| decided.value.is_ok()));
        }
        node.stats(NOW, Duration::ZERO).expect("a sound node")
    }

    #[test]
    fn counts_are_summed() {
        let mut sum = stats(2);
        sum.add(&stats(3));
        assert_eq!((sum.engine.facts.accepted, sum.channel_depth, sum.permits_free), (5, 5, 128));
        assert_eq!((sum.journal, sum.journal_room_bytes), (None, None));
    }

    #[test]
    fn numbers_of_each_policy_are_summed() {
        let mut config = Config::default();
        config.types.add("a", TypePolicy::new().with_concurrency(2)).expect("a policy");
        config.types.add("b", TypePolicy::new()).expect("a policy");
        config.unmatched = Unmatched::Wait;
        let stats = |events: &[&str]| {
            let mut out = Output::new();
            let engine = Engine::new(config.clone(), NOW, &mut out).expect("a valid configuration");
            let mut node = Node::in_memory(NOW, engine, out);
            for (number, kind) in events.iter().enumerate() {
                let event = Event::with_id(&alloc::format!("event-{number}"), "").expect("an event");
                let event = event.with_type(kind).expect("a short type");
                node.submit(NOW, event).expect("it is ready").value.expect("room");
            }
            node.stats(NOW, Duration::ZERO).expect("a sound node")
        };
        let mut sum = stats(&["a", "a", "a", "c"]);
        sum.add(&stats(&["a", "b", "c"]));
        let numbers = |of: &TypeStats| (of.concurrency, of.gated, of.unstarted, of.running);
        assert_eq!(
            sum.types.iter().map(numbers).collect::<alloc::vec::Vec<_>>(),
            [(Some(4), 1, 3, 0), (None, 0, 1, 0)]
        );
        assert_eq!(sum.unmatched, 2);
    }

    #[test]
    fn state_is_the_one_that_needs_more_attention() {
        let since = Timestamp::from_micros;
        let journal = |state| Stats { journal: Some(state), journal_room_bytes: Some(7), ..stats(0) };
        let sum = |one: &Stats, other: &Stats| {
            let mut sum = one.clone();
            sum.add(other);
            sum
        };
        let states = [
            JournalState::Working,
            JournalState::Stalled { since: since(1) },
            JournalState::Full,
            JournalState::Unreachable,
            JournalState::Reopening,
            JournalState::Down,
        ];
        for pair in states.windows(2) {
            for (one, other) in [(pair[0], pair[1]), (pair[1], pair[0])] {
                assert_eq!(sum(&journal(one), &journal(other)).journal, Some(pair[1]));
            }
        }
        let stalled = |at| journal(JournalState::Stalled { since: since(at) });
        assert_eq!(sum(&stalled(5), &stalled(3)).journal, Some(JournalState::Stalled { since: since(3) }));
        let room = sum(&journal(JournalState::Working), &Stats { journal_room_bytes: Some(3), ..stats(0) });
        assert_eq!(room.journal_room_bytes, Some(3));
    }

    #[test]
    fn all_have_stopped_before_the_sum_has() {
        for (one, other, sum) in [
            (Phase::Running, Phase::Stopped, Phase::Running),
            (Phase::Stopped, Phase::Draining, Phase::Draining),
            (Phase::Stopped, Phase::Stopped, Phase::Stopped),
        ] {
            assert_eq!(earlier(one, other), sum);
        }
        let mut paused = stats(0);
        paused.add(&Stats { paused: true, ..stats(0) });
        assert!(paused.paused, "one that starts no runs is seen");
        let groups = |names: &[&str]| Stats {
            paused_groups: names.iter().map(|name| GroupName::new(name).expect("a short name")).collect(),
            ..stats(0)
        };
        let mut sum = groups(&["a", "c"]);
        sum.add(&groups(&["b", "c"]));
        assert_eq!(sum.paused_groups, groups(&["a", "b", "c"]).paused_groups, "each once");
    }

    #[test]
    fn report_sums_counts_and_takes_the_longer_time() {
        let report = |left, secs| ShutdownReport {
            left,
            drained: 1,
            took: Duration::from_secs(secs),
            ..ShutdownReport::default()
        };
        let mut sum = report(2, 5);
        sum.add(&report(3, 4));
        assert_eq!(sum, ShutdownReport { drained: 2, ..report(5, 5) });
    }
}
