//! Worlds without an app: nothing here needs a feature. They count how much of the world a collection looks
//! at.

use std::sync::atomic::{AtomicUsize, Ordering};

use bevy_ecs::prelude::*;
use bevy_slotgc::slotgc::{Budget, Gc, Heap, HeapConfig, Trace, Tracer};
use bevy_slotgc::{GcColumn, GcFrame, GcHeap, GcWorldExt, pace};

#[derive(Component, Trace, Clone, Copy)]
struct Brain(Gc<u64>);

/// As `Brain`, and counts how often it is looked at.
macro_rules! counted {
    ($($name:ident $looks:ident $(#[$attribute:meta])*;)*) => {$(
        static $looks: AtomicUsize = AtomicUsize::new(0);

        #[derive(Component, Clone, Copy)]
        $(#[$attribute])*
        struct $name(Gc<u64>);

        impl Trace for $name {
            fn trace(&self, tracer: &mut Tracer<'_>) {
                // Relaxed: a count.
                $looks.fetch_add(1, Ordering::Relaxed);
                tracer.edge(self.0);
            }
        }
    )*};
}

counted! {
    Dense DENSE_LOOKS;
    Sparse SPARSE_LOOKS #[component(storage = "SparseSet")];
    Summed SUMMED_LOOKS #[component(summary_tick)];
    Always ALWAYS_LOOKS;
    InParts PARTS_LOOKS;
}

fn looks(counter: &AtomicUsize) -> usize {
    counter.swap(0, Ordering::Relaxed)
}

fn minor(world: &mut World) {
    world.gc_scope(|heap, roots| {
        // Enough for a minor collection, not for a cycle.
        while !heap.is_due() {
            heap.alloc([0_u64; 8]);
        }
        let report = heap.pace_with(Budget::Unlimited, roots);
        assert!(report.finished.is_some_and(|stats| stats.is_minor), "{report:?}");
    });
}

#[test]
fn pace_is_a_system_like_any_other() {
    let mut world = World::new();
    world.init_gc();
    world.register_gc_component::<Brain>();
    let mut schedule = Schedule::default();
    schedule.add_systems(pace);
    for number in 0..1000 {
        let gc = world.resource_mut::<GcHeap>().alloc(number);
        world.spawn(Brain(gc));
        schedule.run(&mut world);
    }
    assert_eq!(world.resource::<GcHeap>().len(), 1000);
    assert_eq!(world.resource::<GcFrame>().freed, 0);
}

#[test]
fn a_minor_collection_looks_at_what_changed() {
    const ROWS: u64 = 1000;
    let mut world = World::new();
    // Never a full cycle unasked.
    world.init_gc_with(HeapConfig::default().growth(1000.0).ceiling_bytes(1 << 30));
    world.register_gc_component::<Dense>();
    world.register_gc_component::<Sparse>();
    world.register_gc_component::<Summed>();
    world.register_gc_component_with(GcColumn::<Always>::new().always());
    let mut entities = Vec::new();
    for number in 0..ROWS {
        let gc = world.resource_mut::<GcHeap>().alloc(number);
        entities.push(world.spawn((Dense(gc), Sparse(gc), Summed(gc), Always(gc))).id());
    }
    let all = || [&DENSE_LOOKS, &SPARSE_LOOKS, &SUMMED_LOOKS, &ALWAYS_LOOKS].map(looks);
    let rows = ROWS as usize;

    world.collect_gc();
    assert_eq!(all(), [rows; 4], "once each, though the collector asks twice");
    minor(&mut world);
    assert_eq!(all(), [0, 0, 0, rows], "nothing changed");

    let new = world.resource_mut::<GcHeap>().alloc(ROWS);
    let mut changed = world.entity_mut(entities[500]);
    changed.get_mut::<Dense>().unwrap().0 = new;
    changed.insert(Sparse(new));
    changed.get_mut::<Summed>().unwrap().0 = new;
    minor(&mut world);
    assert_eq!(all(), [1, 1, 1, rows], "one row of each changed");
    assert_eq!(world.resource::<GcHeap>()[new], ROWS);

    minor(&mut world);
    assert_eq!(all(), [0, 0, 0, rows], "it was reported");

    let newborn = world.resource_mut::<GcHeap>().alloc(ROWS + 1);
    world.spawn((Dense(newborn), Summed(newborn)));
    world.despawn(entities[0]);
    minor(&mut world);
    assert_eq!(all(), [1, 0, 1, rows - 1], "a row that is new, and none of one that is gone");

    world.collect_gc();
    assert_eq!(all(), [rows, rows - 1, rows, rows - 1], "a full cycle begins with everything");
    assert_eq!(world.resource::<GcHeap>().len(), rows + 1);
}

#[test]
fn a_column_registered_late_is_reported_in_full() {
    let mut world = World::new();
    world.init_gc_with(HeapConfig::default().growth(1000.0).ceiling_bytes(1 << 30));
    world.collect_gc();
    let gcs: Vec<_> = (0..10).map(|number| world.resource_mut::<GcHeap>().alloc(number)).collect();
    let entities: Vec<_> = gcs.iter().map(|gc| world.spawn(Brain(*gc)).id()).collect();
    world.increment_change_tick();
    (0..3).for_each(|_| world.register_gc_component::<Brain>()); // once is enough
    minor(&mut world);
    let heap = world.resource::<GcHeap>();
    assert!(entities.iter().all(|entity| heap.is_alive(world.get::<Brain>(*entity).unwrap().0)));
}

/// A change with the tick at which the collector asked last.
#[test]
fn a_change_right_after_a_collection_is_a_change() {
    let mut world = World::new();
    world.init_gc_with(HeapConfig::default().growth(1000.0).ceiling_bytes(1 << 30));
    world.register_gc_component::<Brain>();
    let first = world.resource_mut::<GcHeap>().alloc(0);
    let entity = world.spawn(Brain(first)).id();
    world.collect_gc();
    for number in 1..100 {
        // No system runs and no tick passes between the two.
        let next = world.resource_mut::<GcHeap>().alloc(number);
        world.get_mut::<Brain>(entity).unwrap().0 = next;
        minor(&mut world);
        assert_eq!(world.resource::<GcHeap>().get(next), Some(&number));
    }
}

#[test]
fn another_heap_in_the_same_place_is_told_everything() {
    let mut world = World::new();
    world.init_gc();
    world.register_gc_component::<Brain>();
    world.collect_gc();
    // The columns stay.
    **world.resource_mut::<GcHeap>() = Heap::new();
    let gc = world.resource_mut::<GcHeap>().alloc(1);
    world.spawn(Brain(gc));
    world.collect_gc();
    assert_eq!(world.resource::<GcHeap>()[gc], 1);
}

/// Moves an entity to another table, or back.
#[derive(Component)]
struct Marker;

#[derive(Component, Trace, Clone, Copy)]
#[component(storage = "SparseSet")]
struct Thought(Gc<u64>);

#[test]
fn whatever_changes_and_moves_between_two_parts_of_a_report_is_kept() {
    let mut world = World::new();
    world.init_gc();
    world.register_gc_component::<Brain>();
    world.register_gc_component::<Thought>();
    let mut random = 1_u64;
    let mut below = move |limit: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (random >> 33) as usize % limit
    };
    let mut next = 0;
    let mut alloc = |world: &mut World| {
        next += 1;
        world.resource_mut::<GcHeap>().alloc(next)
    };
    let mut entities: Vec<Entity> = Vec::new();
    for _ in 0..20_000 {
        let (brain, thought) = (alloc(&mut world), alloc(&mut world));
        entities.push(world.spawn((Brain(brain), Thought(thought))).id());
    }
    let (mut cycles, mut steps) = (0, 0);
    while cycles < 3 {
        for _ in 0..60 {
            let (entity, other) = (entities[below(entities.len())], entities[below(entities.len())]);
            match below(8) {
                0 => _ = world.entity_mut(entity).insert(Marker),
                1 => _ = world.entity_mut(entity).remove::<Marker>(),
                2 => {
                    let thought = alloc(&mut world);
                    world.entity_mut(entity).insert(Thought(thought));
                }
                3 => {
                    let brain = alloc(&mut world);
                    world.entity_mut(entity).get_mut::<Brain>().unwrap().0 = brain;
                }
                // From one entity to another.
                4 => {
                    if let Some(brain) = world.entity_mut(entity).take::<Brain>() {
                        world.entity_mut(other).insert(brain);
                        let brain = alloc(&mut world);
                        world.entity_mut(entity).insert(Brain(brain));
                    }
                }
                5 => {
                    let Ok([mut a, mut b]) = world.get_entity_mut([entity, other]) else { continue };
                    core::mem::swap(&mut *a.get_mut::<Brain>().unwrap(), &mut *b.get_mut::<Brain>().unwrap());
                }
                6 => {
                    let place = below(entities.len());
                    world.despawn(entities.swap_remove(place));
                }
                _ => {
                    let (brain, thought) = (alloc(&mut world), alloc(&mut world));
                    entities.push(world.spawn((Brain(brain), Marker, Thought(thought))).id());
                }
            }
        }
        world.gc_scope(|heap, roots| {
            steps += 1;
            cycles += usize::from(heap.step_with(Budget::Objects(1500), roots).finished.is_some());
        });
        let heap = world.remove_resource::<GcHeap>().unwrap();
        let mut held = world.query::<(&Brain, &Thought)>();
        assert_eq!(held.iter(&world).len(), entities.len());
        for (brain, thought) in held.iter(&world) {
            assert!(heap.is_alive(brain.0) && heap.is_alive(thought.0), "lost in step {steps}");
        }
        world.insert_resource(heap);
    }
    assert!(steps > 40, "{steps} steps");
    world.collect_gc();
    assert_eq!(world.resource::<GcHeap>().len(), 2 * entities.len());
}

#[test]
fn a_part_of_a_report_looks_at_few_rows() {
    let mut world = World::new();
    world.init_gc();
    world.register_gc_component::<InParts>();
    for number in 0..30_000 {
        let gc = world.resource_mut::<GcHeap>().alloc(number);
        world.spawn(InParts(gc));
    }
    let mut most = 0;
    let is_over = |world: &mut World| {
        world.gc_scope(|heap, roots| heap.step_with(Budget::Objects(1), roots).finished.is_some())
    };
    while !is_over(&mut world) {
        most = most.max(looks(&PARTS_LOOKS));
    }
    assert!((1..=8192).contains(&most), "{most} rows in a step");
    assert_eq!(world.resource::<GcHeap>().len(), 30_000);
}
