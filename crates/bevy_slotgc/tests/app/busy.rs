//! A random program against a model.

use std::collections::HashMap;

use bevy_app::{Last, Update};
use bevy_ecs::prelude::*;
use bevy_slotgc::slotgc::{Budget, Gc, Heap, HeapConfig};
use bevy_slotgc::{GcCommands, GcHeap, GcPlugin, GcSystems, GcWorldExt};

use super::{Brain, Mood, Node, Number, app_with, heap, is_pair, pair};

struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        // Numerical Recipes' generator; the high bits are the good ones.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % end
    }
}

#[derive(Resource)]
struct Program {
    random: Random,
    next: u64,
}

impl Program {
    fn pair(&mut self, heap: &mut Heap) -> (Gc<Node>, Number) {
        self.next += 1;
        (pair(heap, self.next), Number(self.next))
    }
}

/// The number of the pair in the entity's `Mood`.
#[derive(Component, Clone, Copy)]
struct MoodNumber(u64);

fn act(
    mut program: ResMut<Program>,
    mut heap: ResMut<GcHeap>,
    mut commands: GcCommands,
    mut brains: Query<(Entity, &mut Brain, &mut Number)>,
    mut moods: Query<(Entity, &mut Mood, &mut MoodNumber)>,
) {
    let program = &mut *program;
    let entities: Vec<_> = brains.iter().map(|(entity, ..)| entity).collect();
    let moody: Vec<_> = moods.iter().map(|(entity, ..)| entity).collect();
    for _ in 0..program.random.below(12) {
        let some = entities.get(program.random.below(entities.len() + 1)).copied();
        match (program.random.below(7), some) {
            (0, _) | (_, None) => {
                let (gc, number) = program.pair(&mut heap);
                commands.spawn_gc(Brain(gc)).insert(number);
            }
            (1, Some(entity)) => commands.entity(entity).try_despawn(),
            (2, Some(entity)) => {
                let (mut brain, mut number) = brains.get_mut(entity).map(|(_, b, n)| (b, n)).unwrap();
                (brain.0, *number) = program.pair(&mut heap);
            }
            (3, Some(entity)) => {
                // Into another column; until then only in the heap.
                let (gc, number) = program.pair(&mut heap);
                commands.queue_gc((Mood(gc),), move |(mood,), world| {
                    if let Ok(mut entity) = world.get_entity_mut(entity) {
                        entity.insert((mood, MoodNumber(number.0)));
                    }
                });
            }
            (4, _) if !moody.is_empty() => {
                let entity = moody[program.random.below(moody.len())];
                commands.entity(entity).try_remove::<(Mood, MoodNumber)>();
            }
            (5, Some(entity)) => {
                // A handle moves from one row to another.
                let taken = brains.get(entity).map(|(_, b, n)| (*b, *n)).unwrap();
                let (mut brain, mut number) = brains.iter_mut().next().map(|(_, b, n)| (b, n)).unwrap();
                (*brain, *number) = taken;
            }
            _ => {
                for (_, mut mood, mut number) in moods.iter_mut().take(2) {
                    let (gc, new) = program.pair(&mut heap);
                    (mood.0, number.0) = (gc, new.0);
                }
            }
        }
    }
    // Garbage, so that the collector has reason to run.
    (0..200).for_each(|n| _ = heap.alloc([n; 16]));
}

fn check(heap: Res<GcHeap>, brains: Query<(&Brain, &Number)>, moods: Query<(&Mood, &MoodNumber)>) {
    for (brain, number) in &brains {
        assert!(is_pair(&heap, brain.0, number.0), "{number:?}");
    }
    for (mood, number) in &moods {
        assert!(is_pair(&heap, mood.0, number.0), "{}", number.0);
    }
}

#[test]
fn a_world_that_changes_all_the_time_loses_nothing_and_keeps_no_garbage() {
    for (seed, budget) in [(1, Budget::Objects(20)), (2, Budget::Objects(150)), (3, Budget::Unlimited)] {
        let config = HeapConfig::default().nursery_bytes(16 << 10).growth(0.1);
        let mut app = app_with(GcPlugin::default().budget(budget).config(config));
        app.insert_resource(Program { random: Random(seed), next: 0 });
        app.add_systems(Update, act).add_systems(Last, check.after(GcSystems::Pace));
        (0..1500).for_each(|_| app.update());
        let full = heap(&mut app).stats().collections;
        assert!(full > 10, "{full} collections");

        (0..2).for_each(|_| _ = app.world_mut().collect_gc());
        let world = app.world_mut();
        let mut held: HashMap<Gc<Node>, ()> = HashMap::new();
        held.extend(world.query::<&Brain>().iter(world).map(|brain| (brain.0, ())));
        held.extend(world.query::<&Mood>().iter(world).map(|mood| (mood.0, ())));
        assert_eq!(world.resource::<GcHeap>().len(), 2 * held.len());
    }
}
