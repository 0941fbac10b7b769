//! Conditions under which a client is owed a response: its link and the server's process are undisturbed.

use std::collections::BTreeMap;

/// The disturbances of links and processes so far.
#[derive(Debug)]
pub(super) struct Calm {
    links: BTreeMap<u8, CalmLink>,
    /// The number of times that a process started or began to end.
    changes: u64,
    /// True while a process is up and was not asked to end.
    is_up: bool,
}

#[derive(Debug, Default)]
struct CalmLink {
    changes: u64,
    is_troubled: bool,
}

/// A snapshot of the counters in undisturbed conditions. While it stays equal, nothing was disturbed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lull {
    process: u64,
    link: u64,
}

impl Calm {
    pub(super) const fn new() -> Self {
        Self { links: BTreeMap::new(), changes: 0, is_up: false }
    }

    /// Notes that the link of this client begins or ceases to misbehave.
    pub(super) fn link(&mut self, client: u8, is_troubled: bool) {
        let link = self.links.entry(client).or_default();
        link.changes += 1;
        link.is_troubled = is_troubled;
    }

    /// Notes that a server process has started, or will end.
    pub(super) const fn process(&mut self, is_up: bool) {
        self.changes += 1;
        self.is_up = is_up;
    }

    /// Returns whether the link of this client has ever misbehaved.
    pub(super) fn was_troubled(&self, client: u8) -> bool {
        self.links.get(&client).is_some_and(|link| link.changes > 0)
    }

    /// Returns the current counters, unless this client is disturbed.
    pub(super) fn lull(&self, client: u8) -> Option<Lull> {
        let (link, troubled) = self.links.get(&client).map_or((0, false), |link| (link.changes, link.is_troubled));
        (self.is_up && !troubled).then_some(Lull { process: self.changes, link })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calm_ends_with_each_trouble_and_another_one_begins() {
        let mut calm = Calm::new();
        assert_eq!(calm.lull(0), None, "there is no server");
        calm.process(true);
        let first = calm.lull(0).expect("all is well");
        calm.link(1, true);
        assert_eq!((calm.lull(0), calm.lull(1)), (Some(first), None));
        calm.link(0, true);
        calm.link(0, false);
        let second = calm.lull(0).expect("all is well again");
        assert_ne!(second, first);
        calm.process(false);
        assert_eq!(calm.lull(0), None);
        calm.process(true);
        assert_ne!(calm.lull(0), Some(second));
    }
}
