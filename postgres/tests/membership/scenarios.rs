//! Scenarios, and runs with random faults.

use core::time::Duration;

use crate::world::{CALM, LEASE, MemberWorld, STORM, node};

const SHARDS: u16 = 16;

/// Seeds of each scenario, and of runs with faults: some seconds of work without optimisation.
const SEEDS: u64 = 4;
const STORMS: u64 = 6;

/// The time in which nodes that start together divide the shards among them.
const START: Duration = Duration::from_secs(15);

/// Three nodes that have divided the shards.
fn three(seed: u64) -> MemberWorld {
    let mut world = MemberWorld::new(seed, SHARDS, 3);
    world.run(START);
    let mut loads = world.loads();
    loads.sort_unstable();
    assert_eq!(loads, [5, 5, 6], "they have divided the shards: {}", world.describe());
    world
}

#[test]
fn nodes_that_start_together_move_few_shards() {
    for seed in 0..SEEDS {
        // Each divides what it reads, while the others open theirs.
        let moves = three(seed).database.moves - u32::from(SHARDS);
        assert!(moves <= 2, "seed {seed}: {moves} moves");
    }
}

#[test]
fn shards_of_a_dead_node_are_served_again_soon() {
    for seed in 0..SEEDS {
        let mut world = three(seed);
        world.kill(0);
        world.run(Duration::from_millis(1));
        let took = world.until(2 * LEASE, "all are served again", |world| world.unserved() == 0);
        // Its last beat is seen a second later, and once more when it is too old.
        assert!(took < LEASE + Duration::from_millis(1_800), "seed {seed}: {took:?}");
        assert_eq!(world.loads(), [8, 8]);
    }
}

#[test]
fn node_that_comes_back_takes_its_shards_at_once() {
    for seed in 0..SEEDS {
        let mut world = three(seed);
        world.kill(0);
        let moves = world.database.moves;
        world.start(&node(1));
        let took = world.until(LEASE, "all are served again", |world| world.unserved() == 0);
        assert!(took < Duration::from_secs(1), "seed {seed}: {took:?}");
        world.run(4 * LEASE);
        assert!(world.database.moves - moves <= 6, "seed {seed}: no other shard has moved");
    }
}

#[test]
fn node_that_leaves_hands_over_one_shard_after_the_other() {
    for seed in 0..SEEDS {
        let mut world = three(seed);
        let moves = world.database.moves;
        world.leave(0);
        while world.processes[0].is_alive {
            // One that ends, and those whose new owners replay their journals.
            assert!(world.unserved() <= 3, "seed {seed}: one at a time: {}", world.describe());
            world.run(Duration::from_millis(10));
        }
        world.run(Duration::from_secs(3));
        assert_eq!((world.unserved(), world.loads()), (0, vec![8, 8]), "seed {seed}");
        assert!(world.database.moves - moves <= 6, "seed {seed}: no other shard has moved");
        assert_eq!(world.database.rows.nodes.len(), 2);
    }
}

#[test]
fn shard_that_is_handed_over_is_without_owner_for_a_moment_only() {
    for seed in 0..SEEDS {
        let mut world = three(seed);
        world.leave(0);
        let mut since = None;
        while world.processes[0].is_alive {
            world.run(Duration::from_millis(5));
            let is_free = world.database.rows.shards.iter().any(|row| row.owner.is_none());
            since = since.filter(|_| is_free).or_else(|| is_free.then_some(world.now));
            // A read each tenth of a second, and the messages of the read and of the fence.
            assert!(
                since.is_none_or(|since| world.now - since < Duration::from_millis(400)),
                "seed {seed} {}",
                world.describe()
            );
        }
    }
}

#[test]
fn last_node_gives_everything_up_when_it_leaves() {
    for seed in 0..SEEDS {
        let mut world = MemberWorld::new(seed, SHARDS, 1);
        world.run(START);
        assert_eq!(world.loads(), [16]);
        world.leave(0);
        world.until(Duration::from_secs(4), "it has left", |world| !world.processes[0].is_alive);
        assert!(world.database.rows.shards.iter().all(|row| row.owner.is_none()), "seed {seed}");
    }
}

#[test]
fn node_that_joins_gets_its_part() {
    for seed in 0..SEEDS {
        let mut world = three(seed);
        let moves = world.database.moves;
        world.start(&node(4));
        world.until(Duration::from_secs(30), "it has its part", |world| world.loads() == [4, 4, 4, 4]);
        assert_eq!(world.database.moves - moves, 4, "seed {seed}: no other shard has moved");
        world.run(Duration::from_secs(60));
        assert_eq!(world.database.moves - moves, 4, "seed {seed}: and none moves later");
    }
}

#[test]
fn node_that_is_cut_off_ends_its_service_before_others_begin() {
    for seed in 0..SEEDS {
        let mut world = three(seed);
        world.processes[0].cut_until = world.now + Duration::from_secs(20);
        world.run(Duration::from_secs(10));
        assert_eq!(world.loads(), [0, 8, 8], "seed {seed}");
        world.until(Duration::from_secs(60), "it has its part again", |world| world.loads()[0] >= 5);
    }
}

#[test]
fn second_process_with_one_identity_ends_the_first() {
    for seed in 0..SEEDS {
        // Without shards, as for a lease both would serve those of the first.
        let mut world = MemberWorld::new(seed, 0, 2);
        world.run(START);
        world.start(&node(1));
        world.run(Duration::from_secs(3));
        assert_eq!(world.living(), [1, 2], "seed {seed}");
    }
}

#[test]
fn node_that_comes_and_goes_moves_few_shards() {
    let mut moves = 0;
    for seed in 0..2 {
        let mut world = three(seed);
        let before = world.database.moves;
        for _ in 0..30 {
            world.processes[0].paused_until = world.now + Duration::from_secs(7);
            world.run(Duration::from_secs(12));
        }
        moves = moves.max(world.database.moves - before);
    }
    assert!(moves <= 40, "{moves} moves in six minutes");
}

#[test]
fn shard_is_served_once_under_faults_and_again_after_them() {
    for seed in 0..STORMS {
        storm(seed);
    }
}

/// Two minutes of faults; then everything must come to rest.
fn storm(seed: u64) {
    let mut world = MemberWorld::new(seed, SHARDS, 3);
    world.weather = STORM;
    let mut nodes = 3;
    for _ in 0..60 {
        let (step, length) = (Duration::from_millis(world.draw(4_000)), Duration::from_millis(world.draw(12_000)));
        world.run(step);
        if world.living().is_empty() {
            nodes += 1;
            world.start(&node(nodes));
        }
        let living = world.living();
        let turn = usize::try_from(world.draw(living.len() as u64)).expect("few");
        let process = living[turn];
        match world.draw(6) {
            0 if living.len() > 1 => world.kill(process),
            1 if nodes < 90 && living.len() < 6 => {
                nodes += 1;
                world.start(&node(nodes));
            }
            2 => {
                let again = world.processes[process].node.clone();
                world.kill(process);
                world.start(&again);
            }
            3 => world.processes[process].paused_until = world.now + length,
            4 => world.processes[process].cut_until = world.now + length,
            5 if living.len() > 1 => world.leave(process),
            _ => {}
        }
    }
    world.weather = CALM;
    world.run(Duration::from_secs(15));
    if world.living().iter().all(|process| world.processes[*process].is_leaving) {
        world.start(&node(91));
    }
    // The longest pause after openings that failed is 32 s.
    world.until(Duration::from_secs(45), &format!("seed {seed}: all are served again"), |world| world.unserved() == 0);
    world.run(Duration::from_secs(150));
    let (loads, moves) = (world.loads(), world.database.moves);
    let spread = loads.iter().max().expect("a node") - loads.iter().min().expect("a node");
    assert!(spread <= 1, "seed {seed}: {loads:?} {}", world.describe());
    world.run(Duration::from_secs(120));
    assert_eq!(world.database.moves, moves, "seed {seed}: nothing moves any more");
    assert_eq!(world.unserved(), 0, "seed {seed}");
}
