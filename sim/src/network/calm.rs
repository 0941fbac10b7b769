//! Whether a client may expect an answer: nothing is wrong with its link, nor with the server's process.

use std::collections::BTreeMap;

/// What was wrong with links and processes so far.
#[derive(Debug)]
pub(super) struct Calm {
    links: BTreeMap<u8, CalmLink>,
    /// How often a process has begun, or met its end.
    changes: u64,
    /// A process is up, and nobody has asked for its end.
    is_up: bool,
}

#[derive(Debug, Default)]
struct CalmLink {
    changes: u64,
    is_troubled: bool,
}

/// What had changed at a time of calm. As long as it is the same, the calm lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lull {
    process: u64,
    link: u64,
}

impl Calm {
    pub(super) const fn new() -> Self {
        Self { links: BTreeMap::new(), changes: 0, is_up: false }
    }

    /// The link of this client has begun to misbehave, or ceased to.
    pub(super) fn link(&mut self, client: u8, is_troubled: bool) {
        let link = self.links.entry(client).or_default();
        link.changes += 1;
        link.is_troubled = is_troubled;
    }

    /// A process of the server has begun, or will end.
    pub(super) const fn process(&mut self, is_up: bool) {
        self.changes += 1;
        self.is_up = is_up;
    }

    /// Whether the link of this client has ever misbehaved.
    pub(super) fn was_troubled(&self, client: u8) -> bool {
        self.links.get(&client).is_some_and(|link| link.changes > 0)
    }

    /// The calm that this client has now, if it has.
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
