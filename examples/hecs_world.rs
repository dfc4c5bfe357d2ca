//! A hecs world whose minds are in a heap: 50,000 entities, each with a blackboard and a plan in a cycle.
//! Each frame some despawn and as many spawn; the collector takes a millisecond at most. slotgc does not know
//! hecs: the world's components are a root source.
//!
//! ```text
//! cargo run --release --example hecs_world --features hecs_world
//! ```

use std::time::{Duration, Instant};

use hecs::{Entity, World};
use slotgc::{Budget, Gc, Heap, Trace, Weak, roots};

/// A component: what keeps the blackboard alive.
struct Brain(Gc<Blackboard>);

#[derive(Trace)]
struct Blackboard {
    id: u64,
    plan: Gc<Plan>,
    target: Weak<Blackboard>, // may be gone
}

#[derive(Trace)]
struct Plan {
    owner: Gc<Blackboard>, // a cycle: with `Arc` this leaks
    steps: u64,
}

fn spawn(world: &mut World, heap: &mut Heap, id: u64) -> Entity {
    let board = heap.alloc_cyclic(|heap, owner| Blackboard {
        id,
        plan: heap.alloc(Plan { owner, steps: 0 }),
        target: Weak::dangling(),
    });
    world.spawn((Brain(board), id))
}

fn main() {
    const ENTITIES: u64 = 50_000;
    const FRAMES: u64 = 1000;
    let (mut world, mut heap) = (World::new(), Heap::new());
    let mut entities: Vec<Entity> = (0..ENTITIES).map(|id| spawn(&mut world, &mut heap, id)).collect();
    let (mut pauses, mut last) = (Vec::new(), Weak::dangling());
    for frame in 0..FRAMES {
        // Some despawn, and others spawn.
        for n in 0..200 {
            let index = ((frame * 7919 + n * 104_729) % ENTITIES) as usize;
            world.despawn(entities[index]).expect("it was spawned");
            entities[index] = spawn(&mut world, &mut heap, ENTITIES + frame * 200 + n);
        }
        // Some think of what others have in mind, if they still exist.
        for entity in entities.iter().skip(frame as usize % 50).step_by(50) {
            let me = world.get::<&Brain>(*entity).expect("it is alive").0;
            let plan = heap[me].plan;
            heap[plan].steps += 1;
            heap[me].target = last;
            last = me.downgrade();
        }
        // The collector's part: every component that holds a handle is a root.
        let start = Instant::now();
        let columns = roots(|tracer| world.query::<&Brain>().iter().for_each(|brain| tracer.edge(brain.0)));
        heap.pace_with(Budget::Time(Duration::from_millis(1)), &columns);
        pauses.push(start.elapsed());
    }

    let columns = roots(|tracer| world.query::<&Brain>().iter().for_each(|brain| tracer.edge(brain.0)));
    (0..2).for_each(|_| _ = heap.collect_with(&columns));
    for (brain, id) in world.query::<(&Brain, &u64)>().iter() {
        let board = &heap[brain.0];
        assert_eq!((board.id, heap[heap[board.plan].owner].id), (*id, *id));
    }
    assert_eq!(heap.len() as u64, 2 * ENTITIES, "nothing is lost, and no garbage is left");
    pauses.sort_unstable();
    let at = |permille: usize| pauses[(pauses.len() * permille).div_ceil(1000) - 1];
    println!(
        "{ENTITIES} entities, {FRAMES} frames: pause p50 {:?}, p99 {:?}, p99.9 {:?}",
        at(500),
        at(990),
        at(999)
    );
    println!("{} objects freed; no cycle was broken by hand", heap.stats().freed);
}
