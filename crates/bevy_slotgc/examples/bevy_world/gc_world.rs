//! The world with a heap.

use bevy_app::{App, Last, TaskPoolPlugin, Update};
use bevy_ecs::prelude::*;
use bevy_ecs::schedule::ScheduleLabel;
use bevy_slotgc::slotgc::{Gc, Root, Rule, Trace, Weak};
use bevy_slotgc::{GcAppExt, GcFrame, GcHeap, GcPlugin, GcWorldExt, pace};

use crate::game::{LINES, Mind, Model, Outcome, Size};
use crate::stopwatch::Stopwatch;

/// What an entity thinks with.
#[derive(Component, Trace)]
struct Brain(Gc<Blackboard>);

/// What it is talking about: a line of a dialogue.
#[derive(Component, Trace)]
struct Talk(Gc<Line>);

#[derive(Trace)]
struct Blackboard {
    id: u64,
    plan: Gc<Plan>,
    /// Another mind: may be gone.
    target: Weak<Blackboard>,
}

#[derive(Trace)]
struct Plan {
    owner: Gc<Blackboard>, // a cycle
    steps: u64,
}

#[derive(Trace)]
struct Line {
    number: u64,
    next: Gc<Line>,
}

/// The first line of each dialogue: singletons of the level.
#[derive(Resource)]
struct Topics(Vec<Vec<Root<Line>>>);

fn think(gc: &mut GcHeap, mind: Mind) -> Gc<Blackboard> {
    gc.alloc_cyclic(|heap, owner| Blackboard {
        id: mind.id,
        plan: heap.alloc(Plan { owner, steps: 0 }),
        target: Weak::dangling(),
    })
}

/// One frame: a thousand despawn and spawn, some think, some talk, and many short-lived objects are
/// allocated.
fn live(world: &mut World) {
    let size = *world.resource::<Size>();
    world.resource_scope(|world, mut model: Mut<Model>| {
        for _ in 0..size.spawned {
            let (doomed, _) = model.doom();
            world.despawn(doomed);
        }
        spawn(world, &mut model, size.spawned);
        for _ in 0..size.thinkers() {
            think_on(world, &mut model);
        }
        for _ in 0..size.thinkers() {
            talk(world, &mut model);
        }
        let mut heap = world.resource_mut::<GcHeap>();
        for n in 0..size.temporaries {
            heap.alloc([n as u64; 4]);
        }
        model.end_frame();
    });
}

fn spawn(world: &mut World, model: &mut Model, count: usize) {
    let size = *world.resource::<Size>();
    for _ in 0..count {
        let mind = model.conceive(&size);
        let line = world.resource::<Topics>().0[mind.topic][mind.line].gc();
        let brain = think(&mut world.resource_mut::<GcHeap>(), mind);
        let entity = world.spawn((Brain(brain), Talk(line))).id();
        model.minds.push((entity, mind));
    }
}

/// One continues its plan, or makes another, and looks for a target.
fn think_on(world: &mut World, model: &mut Model) {
    let (one, other) = (model.dice.below(model.minds.len()), model.dice.below(model.minds.len()));
    let brain = |world: &World, index: usize| world.get::<Brain>(model.minds[index].0).unwrap().0;
    let (me, target) = (brain(world, one), brain(world, other));
    let mut heap = world.resource_mut::<GcHeap>();
    let plan = heap[me].plan;
    let steps = heap[plan].steps + 1;
    if steps.is_multiple_of(3) {
        heap[me].plan = heap.alloc(Plan { owner: me, steps });
    } else {
        heap[plan].steps = steps;
    }
    heap[me].target = target.downgrade();
    let seen = heap.get(heap[me].target).map_or(0, |target| target.id);
    model.minds[one].1.steps += 1;
    model.note(seen ^ steps);
}

/// One says its line, and turns to the next.
fn talk(world: &mut World, model: &mut Model) {
    let one = model.dice.below(model.minds.len());
    let entity = model.minds[one].0;
    let heap = world.resource::<GcHeap>();
    let line = &heap[world.get::<Talk>(entity).unwrap().0];
    let (said, next) = (line.number, line.next);
    world.get_mut::<Talk>(entity).unwrap().0 = next;
    let mind = &mut model.minds[one].1;
    mind.line = (mind.line + 1) % LINES;
    model.note(said);
}

/// Compares every mind with the model.
fn check(world: &World) {
    let (heap, model) = (world.resource::<GcHeap>(), world.resource::<Model>());
    for (entity, mind) in &model.minds {
        let board = &heap[world.get::<Brain>(*entity).unwrap().0];
        let (plan, line) = (&heap[board.plan], &heap[world.get::<Talk>(*entity).unwrap().0]);
        assert_eq!((board.id, plan.steps), (mind.id, mind.steps));
        assert_eq!(heap[plan.owner].id, mind.id);
        assert_eq!(line.number, (mind.topic * LINES + mind.line) as u64);
    }
}

pub(crate) fn play(size: &Size) -> Outcome {
    let mut app = App::new();
    app.add_plugins((TaskPoolPlugin::default(), GcPlugin::default().budget(size.budget).schedule(ByHand)));
    app.register_gc_component::<Brain>().register_gc_component::<Talk>();
    app.insert_resource(*size).insert_resource(Model::new());
    let mut heap = app.world_mut().resource_mut::<GcHeap>();
    let topics = (0..size.topics()).map(|topic| {
        let lines: Vec<_> = (0..LINES)
            .map(|line| heap.alloc_root(Line { number: (topic * LINES + line) as u64, next: Gc::default() }))
            .collect();
        (0..LINES).for_each(|line| heap[&lines[line]].next = lines[(line + 1) % LINES].gc());
        lines
    });
    let topics = Topics(topics.collect());
    app.insert_resource(topics);
    app.world_mut().resource_scope(|world, mut model: Mut<Model>| spawn(world, &mut model, size.entities));
    // The level is loaded, with time to tidy up.
    app.world_mut().collect_gc();
    app.add_systems(Update, live);
    app.add_systems(Last, measured_pace);
    app.insert_non_send(Watch { frame: Stopwatch::new(), pace: Stopwatch::new(), pauses: Vec::new() });

    let (mut frames, mut cycles, mut forced) = (Vec::new(), 0, 0);
    let from = app.world().resource::<GcHeap>().stats();
    for frame in 0..size.frames {
        app.world_mut().non_send_mut::<Watch>().frame.start();
        app.update();
        frames.push(app.world_mut().non_send_mut::<Watch>().frame.stop().own);
        let report = app.world().resource::<GcFrame>().report;
        cycles += usize::from(report.finished.is_some_and(|stats| !stats.is_minor));
        forced += usize::from(report.rule == Rule::Ceiling);
        if frame % 500 == 0 {
            check(app.world());
        }
    }
    check(app.world());
    let to = app.world().resource::<GcHeap>().stats();
    let pauses = std::mem::take(&mut app.world_mut().non_send_mut::<Watch>().pauses);
    let model = app.world_mut().remove_resource::<Model>().unwrap();
    (0..2).for_each(|_| _ = app.world_mut().collect_gc());
    let left = app.world().resource::<GcHeap>().len();
    assert_eq!(
        left,
        2 * model.minds.len() + LINES * size.topics(),
        "no garbage is left, and nothing else is gone"
    );
    let notes = format!(
        "With GcPlugin: {cycles} full cycles of {} frames, {} collections in all, {forced} forced; {} objects freed; at most {:.1} MiB",
        to.cycle_steps,
        to.collections - from.collections,
        to.freed - from.freed,
        to.peak_bytes as f64 / f64::from(1 << 20),
    );
    Outcome { pauses, frames, checksums: model.checksums, broken: 0, notes }
}

/// Reads the times of its own thread, so it stays on the app's thread.
struct Watch {
    frame: Stopwatch,
    pace: Stopwatch,
    pauses: Vec<std::time::Duration>,
}

/// The schedule in which the plugin would pace, and which never runs: pacing is done by hand, with a
/// stopwatch.
#[derive(ScheduleLabel, Clone, PartialEq, Eq, Hash, Debug)]
struct ByHand;

fn measured_pace(world: &mut World) {
    world.non_send_mut::<Watch>().pace.start();
    pace(world);
    let mut watch = world.non_send_mut::<Watch>();
    let pause = watch.pace.stop().own;
    watch.pauses.push(pause);
}
