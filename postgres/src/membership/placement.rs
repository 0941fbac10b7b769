//! The division of shards among nodes.

use std::collections::BTreeMap;

use crate::node_id::NodeId;

/// Divides shards among nodes: returns for each shard its node, or none where there are no nodes.
///
/// Each node gets as many as any other, or one more. Nodes that own more than their part give up those that fit them least;
/// all others stay where they are, so that a change moves as few as it can. What is left goes to the node that fits best,
/// of those with room. Two nodes that read the same owners come to the same division, and need not ask one another.
///
/// The fit is that of rendezvous hashing: a node that is gone divides its shards among all others, not to one of them.
pub(super) fn place<'n>(nodes: &[&'n NodeId], owners: &[Option<&NodeId>]) -> Vec<Option<&'n NodeId>> {
    let mut owned: BTreeMap<&NodeId, Vec<u16>> = nodes.iter().map(|node| (*node, Vec::new())).collect();
    for (shard, owner) in (0..).zip(owners) {
        owner.and_then(|owner| owned.get_mut(owner)).into_iter().for_each(|shards| shards.push(shard));
    }
    let mut placed = vec![None; owners.len()];
    let (Some(part), Some(longer)) = (owners.len().checked_div(nodes.len()), owners.len().checked_rem(nodes.len()))
    else {
        return placed;
    };
    // Those that own most have the longer parts: so they give up less.
    let mut by_load: Vec<&'n NodeId> = nodes.to_vec();
    by_load.sort_by_key(|node| (core::cmp::Reverse(owned[node].len()), *node));
    let mut room = BTreeMap::new();
    for (place, node) in by_load.into_iter().enumerate() {
        let most = part + usize::from(place < longer);
        let Some(shards) = owned.get_mut(node) else { continue };
        shards.sort_by_key(|shard| core::cmp::Reverse(fit(node, *shard)));
        shards.truncate(most);
        shards.iter().for_each(|shard| placed[usize::from(*shard)] = Some(node));
        room.insert(node, most - shards.len());
    }
    for (shard, place) in (0..).zip(&mut placed).filter(|(_, place)| place.is_none()) {
        let best = room.iter_mut().filter(|(_, room)| **room > 0).max_by_key(|(node, _)| fit(node, shard));
        if let Some((node, room)) = best {
            *room -= 1;
            *place = Some(*node);
        }
    }
    placed
}

/// The fit of a node and a shard: equal everywhere and in each version, as nodes of two versions divide the same shards.
pub(super) fn fit(node: &NodeId, shard: u16) -> u64 {
    // FNV-1a, and the finalizer of SplitMix64, which spreads what the last bytes change over all bits.
    let bytes = node.as_str().bytes().chain(shard.to_be_bytes());
    let hash =
        bytes.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    let mixed = (hash ^ hash >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(number: u8) -> NodeId {
        format!("00000000-0000-4000-8000-0000000000{number:02}").parse().expect("a UUID")
    }

    fn nodes(count: u8) -> Vec<NodeId> {
        (1..=count).map(node).collect()
    }

    /// Places shards again until nothing moves. Returns the owners, and the number of shards that moved.
    fn settle(nodes: &[NodeId], owners: &[Option<NodeId>]) -> (Vec<Option<NodeId>>, usize) {
        let (nodes, before): (Vec<_>, Vec<_>) = (nodes.iter().collect(), owners.iter().map(Option::as_ref).collect());
        let placed = place(&nodes, &before);
        assert_eq!(place(&nodes, &placed), placed, "it is settled at once");
        let moved = placed.iter().zip(&before).filter(|(after, before)| after != before).count();
        (placed.into_iter().map(Option::<&NodeId>::cloned).collect(), moved)
    }

    fn loads(nodes: &[NodeId], owners: &[Option<NodeId>]) -> Vec<usize> {
        nodes.iter().map(|node| owners.iter().filter(|owner| owner.as_ref() == Some(node)).count()).collect()
    }

    #[test]
    fn shards_are_spread_evenly_over_any_number_of_nodes() {
        for shards in [1, 4, 16, 100] {
            for count in 1..=9 {
                let nodes = nodes(count);
                let (owners, _) = settle(&nodes, &vec![None; shards]);
                let loads = loads(&nodes, &owners);
                assert_eq!(loads.iter().sum::<usize>(), shards);
                let spread = loads.iter().max().expect("a node") - loads.iter().min().expect("a node");
                assert!(spread <= 1, "{shards} shards on {count} nodes: {loads:?}");
            }
        }
    }

    #[test]
    fn node_that_joins_or_leaves_moves_no_more_than_its_part() {
        for count in 1..=8 {
            let (fewer, more) = (nodes(count), nodes(count + 1));
            let (owners, _) = settle(&fewer, &[const { None }; 64]);
            let (joined, moved) = settle(&more, &owners);
            assert_eq!(moved, 64 / (usize::from(count) + 1), "to {} nodes", count + 1);
            let (_, moved) = settle(&fewer, &joined);
            assert_eq!(moved, loads(&more, &joined)[usize::from(count)], "those of the node that left");
        }
    }

    #[test]
    fn shards_of_a_node_that_left_go_to_several() {
        let nodes = nodes(5);
        let (owners, _) = settle(&nodes, &[const { None }; 40]);
        let (left, _) = settle(&nodes[1..], &owners);
        let got = |node| owners.iter().zip(&left).filter(|(was, is)| was != is && is.as_ref() == Some(node)).count();
        assert!(nodes[1..].iter().all(|node| got(node) == 2), "each takes two");
    }

    #[test]
    fn shards_without_nodes_are_placed_nowhere() {
        assert_eq!(place(&[], &[None, Some(&node(1))]), [None, None]);
    }

    #[test]
    fn fit_stays_what_it_is() {
        let fits = [fit(&node(1), 0), fit(&node(1), 1), fit(&node(2), 0)];
        assert_eq!(fits, FITS, "nodes of an older version divide by these");
    }

    /// As the first version has computed them.
    const FITS: [u64; 3] = [7_684_657_716_570_153_002, 6_826_905_196_480_643_600, 9_663_009_978_272_583_032];
}
