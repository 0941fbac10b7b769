//! The rules, one by one, on a node that is given what it reads.

use core::time::Duration;

use crate::membership::{
    ClusterRows, MemberAction, Membership, NodeBeat, NodeRow, NotOpened, RoundEnd, ShardRow, Timing,
};
use crate::node_id::NodeId;

const SECOND: Duration = Duration::from_secs(1);
const LEASE: Duration = Duration::from_secs(5);

fn node(number: u8) -> NodeId {
    format!("00000000-0000-4000-8000-0000000000{number:02}").parse().expect("a UUID")
}

/// Node 1 of a cluster, and what it reads.
struct Given {
    member: Membership,
    now: Duration,
    rows: ClusterRows,
}

impl Given {
    /// The owner of two shards.
    fn owner_among(others: u8) -> Self {
        Self::owner_of(2, others)
    }

    /// The owner of so many shards, which has seen the others for some beats.
    fn owner_of(shards: u16, others: u8) -> Self {
        let mut given = Self {
            member: Membership::new(node(1), shards, Timing::of(LEASE)),
            now: SECOND,
            rows: ClusterRows {
                nodes: (1..=others + 1).map(|number| row(number, 1)).collect(),
                shards: vec![ShardRow { term: 1, owner: Some(node(1)), url: None }; usize::from(shards)],
            },
        };
        assert_eq!(given.round().len(), usize::from(shards), "it opens all");
        (0..shards).for_each(|shard| given.member.opened(given.now, shard, Ok(1)));
        given
    }

    fn own(&mut self, shard: usize, owner: Option<u8>) {
        self.rows.shards[shard].owner = owner.map(node);
    }

    /// The next beat, a second later, with which the others beat, too. Returns what is to be done.
    fn round(&mut self) -> Vec<MemberAction> {
        self.now += SECOND;
        self.rows.nodes.iter_mut().filter(|row| row.node != node(9)).for_each(|row| row.beat += 1);
        let round = self.member.begin(self.now).expect("it is time");
        let beat = round.beat.map(|beat| match beat {
            NodeBeat::Join => 1,
            NodeBeat::Raise { to, .. } => to,
        });
        self.member.end(self.now, round, RoundEnd::Done { beat, rows: self.rows.clone() });
        self.member.decide(self.now)
    }

    /// Hands a shard over, and takes it from the node. Returns which one.
    fn hand_over(&mut self) -> u16 {
        for _ in 0..5 {
            if let [MemberAction::HandOver { shard }] = self.round()[..] {
                self.member.closed(self.now, shard);
                self.own(usize::from(shard), None);
                return shard;
            }
        }
        panic!("it hands none over");
    }
}

fn row(number: u8, beat: i64) -> NodeRow {
    NodeRow { node: node(number), url: String::new(), beat, is_leaving: false }
}

#[test]
fn lease_begins_when_a_beat_is_sent_and_ends_early() {
    let mut given = Given::owner_among(0);
    given.now += SECOND;
    let sent = given.now;
    let round = given.member.begin(sent).expect("it is time");
    given.now += SECOND;
    given.member.end(given.now, round, RoundEnd::Done { beat: Some(2), rows: given.rows.clone() });
    assert_eq!(given.member.serves_until(), sent + LEASE - LEASE / 10);
}

#[test]
fn beat_that_is_repeated_is_a_higher_one() {
    let mut given = Given::owner_among(0);
    let mut beats = Vec::new();
    for _ in 0..3 {
        given.now += SECOND;
        let round = given.member.begin(given.now).expect("it is time");
        beats.push(round.beat);
        given.member.end(given.now, round, RoundEnd::Failed);
    }
    let raised = |to| Some(NodeBeat::Raise { to, is_leaving: false });
    assert_eq!(beats, [raised(2), raised(3), raised(4)], "others may have seen the first one long ago");
}

#[test]
fn shard_whose_row_has_another_owner_or_term_is_abandoned() {
    for (owner, term) in [(None, 1), (Some(2), 2), (Some(1), 2)] {
        let mut given = Given::owner_among(0);
        given.own(1, owner);
        given.rows.shards[1].term = term;
        assert_eq!(given.round(), [MemberAction::Abandon { shard: 1 }]);
        assert!(given.member.serves(given.now, 0) && !given.member.serves(given.now, 1));
    }
}

#[test]
fn shard_that_was_opened_during_a_read_is_not_judged_by_it() {
    let mut given = Given::owner_among(0);
    given.own(0, None);
    assert_eq!(given.round(), [MemberAction::Abandon { shard: 0 }]);
    given.member.closed(given.now, 0);
    assert_eq!(given.round(), [MemberAction::Open { shard: 0, dead: None }]);
    given.now += SECOND;
    let round = given.member.begin(given.now).expect("it is time");
    given.member.opened(given.now + SECOND / 2, 0, Ok(2));
    given.member.end(given.now + SECOND, round, RoundEnd::Done { beat: Some(9), rows: given.rows.clone() });
    assert_eq!(given.member.decide(given.now + SECOND), [], "the rows are of the time before");
    assert!(given.member.serves(given.now + SECOND, 0));
}

#[test]
fn shard_that_was_just_closed_is_not_opened_by_an_older_read() {
    let mut given = Given::owner_among(0);
    given.own(0, None);
    assert_eq!(given.round(), [MemberAction::Abandon { shard: 0 }]);
    given.member.closed(given.now + SECOND / 2, 0);
    assert_eq!(given.member.decide(given.now + SECOND / 2), [], "the read is older than the closing");
}

#[test]
fn shard_that_comes_back_is_not_waited_for() {
    let mut given = Given::owner_among(1);
    let shard = given.hand_over();
    // The other one is gone: it falls back to this node, and is handed over again when another one comes.
    given.rows.nodes.truncate(1);
    assert_eq!(given.round(), [MemberAction::Open { shard, dead: None }]);
    given.own(usize::from(shard), Some(1));
    given.rows.shards[usize::from(shard)].term = 2;
    given.member.opened(given.now, shard, Ok(2));
    given.rows.nodes.push(row(3, 1));
    given.hand_over();
}

#[test]
fn node_that_does_not_take_its_shard_gets_no_other_for_a_while() {
    let mut given = Given::owner_of(4, 1);
    let shard = given.hand_over();
    // Ten seconds, in which the other one may take it.
    let mut rounds = 0;
    let actions = loop {
        rounds += 1;
        let actions = given.round();
        if !actions.is_empty() || rounds > 30 {
            break actions;
        }
    };
    assert_eq!(actions, [MemberAction::Open { shard, dead: None }], "after {rounds} s it is taken back");
    assert!((10..=12).contains(&rounds), "{rounds}");
    given.own(usize::from(shard), Some(1));
    given.member.opened(given.now, shard, Ok(1));
    for _ in 0..45 {
        assert_eq!(given.round(), [], "it is kept, and so are the others");
    }
}

#[test]
fn opening_that_fails_is_tried_again_after_longer_and_longer() {
    let mut given = Given::owner_among(0);
    given.own(0, None);
    assert_eq!(given.round(), [MemberAction::Abandon { shard: 0 }]);
    given.member.closed(given.now, 0);
    let mut pauses = Vec::new();
    let mut since = given.now;
    while pauses.len() < 8 {
        if let [MemberAction::Open { shard: 0, .. }] = given.round()[..] {
            pauses.push((given.now - since).as_secs());
            since = given.now;
            given.member.opened(given.now, 0, Err(NotOpened::Failed));
        }
    }
    assert_eq!(pauses, [1, 1, 2, 4, 8, 16, 32, 32]);
}

#[test]
fn shard_that_was_closed_in_vain_is_given_up_again() {
    let mut given = Given::owner_among(0);
    given.member.leave(given.now);
    let handed_over = (0..2).map(|shard| MemberAction::HandOver { shard });
    assert_eq!(given.round(), handed_over.collect::<Vec<_>>(), "there is no other node to wait for");
    (0..2).for_each(|shard| given.member.closed(given.now, shard));
    // The table still says that they are owned.
    for _ in 0..2 {
        let given_up = (0..2).map(|shard| MemberAction::GiveUp { shard, term: 1 });
        assert_eq!(given.round(), given_up.collect::<Vec<_>>());
    }
    assert!(given.member.has_left());
}

#[test]
fn superseded_node_serves_nothing_more() {
    let mut given = Given::owner_among(0);
    let round = given.member.begin(given.now + SECOND).expect("it is time");
    given.member.end(given.now + SECOND, round, RoundEnd::Superseded);
    let abandoned = (0..2).map(|shard| MemberAction::Abandon { shard });
    assert_eq!(given.member.decide(given.now + SECOND), abandoned.collect::<Vec<_>>());
    assert!(given.member.is_superseded() && !given.member.serves(given.now + SECOND, 0));
    assert_eq!(given.member.begin(given.now + 9 * SECOND), None);
}
