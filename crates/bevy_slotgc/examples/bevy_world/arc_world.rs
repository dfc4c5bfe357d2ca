//! The same world without a collector: minds are `Arc`s, and despawning an entity takes its cycle apart.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};

use bevy_app::{App, TaskPoolPlugin, Update};
use bevy_ecs::prelude::*;

use crate::game::{LINES, Mind, Model, Outcome, Size};
use crate::stopwatch::Stopwatch;

/// The number of minds and plans in memory.
static LIVING: AtomicUsize = AtomicUsize::new(0);

/// Part of everything that is counted.
struct Life;

impl Life {
    fn new() -> Self {
        // Relaxed, here and below: a count.
        LIVING.fetch_add(1, Ordering::Relaxed);
        Self
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        LIVING.fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Component)]
struct Brain(Arc<Blackboard>);

#[derive(Component)]
struct Talk(Arc<Line>);

struct Blackboard {
    id: u64,
    plan: Mutex<Option<Arc<Plan>>>,
    target: Mutex<Weak<Blackboard>>,
    _life: Life,
}

struct Plan {
    owner: Arc<Blackboard>, // a cycle
    steps: Mutex<u64>,
    _life: Life,
}

struct Line {
    number: u64,
    next: Mutex<Option<Arc<Line>>>,
}

#[derive(Resource)]
struct Topics(Vec<Vec<Arc<Line>>>);

#[derive(Resource, Default)]
struct Broken(usize);

fn think(mind: Mind) -> Arc<Blackboard> {
    let board = Arc::new(Blackboard {
        id: mind.id,
        plan: Mutex::default(),
        target: Mutex::new(Weak::new()),
        _life: Life::new(),
    });
    let plan = Plan { owner: board.clone(), steps: Mutex::new(0), _life: Life::new() };
    *board.plan.lock().unwrap() = Some(Arc::new(plan));
    board
}

/// One frame. The time that it spends on memory counts as a pause.
fn live(world: &mut World) {
    let size = *world.resource::<Size>();
    world.resource_scope(|world, mut model: Mut<Model>| {
        let doomed: Vec<_> = (0..size.spawned).map(|_| model.doom().0).collect();
        world.non_send_mut::<Watch>().memory.start();
        for entity in doomed {
            let brain = world.get::<Brain>(entity).unwrap();
            let plan = brain.0.plan.lock().unwrap().take(); // or it leaks
            drop(plan);
            world.despawn(entity);
            world.resource_mut::<Broken>().0 += 1;
        }
        let mut watch = world.non_send_mut::<Watch>();
        let pause = watch.memory.stop().own;
        watch.pauses.push(pause);
        spawn(world, &mut model, size.spawned);
        for _ in 0..size.thinkers() {
            think_on(world, &mut model);
        }
        for _ in 0..size.thinkers() {
            talk(world, &mut model);
        }
        for n in 0..size.temporaries {
            std::hint::black_box(Arc::new([n as u64; 4]));
        }
        model.end_frame();
    });
}

fn spawn(world: &mut World, model: &mut Model, count: usize) {
    let size = *world.resource::<Size>();
    for _ in 0..count {
        let mind = model.conceive(&size);
        let line = world.resource::<Topics>().0[mind.topic][mind.line].clone();
        let entity = world.spawn((Brain(think(mind)), Talk(line))).id();
        model.minds.push((entity, mind));
    }
}

fn think_on(world: &mut World, model: &mut Model) {
    let (one, other) = (model.dice.below(model.minds.len()), model.dice.below(model.minds.len()));
    let brain = |index: usize| &world.get::<Brain>(model.minds[index].0).unwrap().0;
    let (me, target) = (brain(one), brain(other));
    let mut plan = me.plan.lock().unwrap();
    let steps = {
        let mut steps = plan.as_ref().unwrap().steps.lock().unwrap();
        *steps += 1;
        *steps
    };
    if steps.is_multiple_of(3) {
        let other = Plan { owner: me.clone(), steps: Mutex::new(steps), _life: Life::new() };
        *plan = Some(Arc::new(other)); // the old plan refers to its owner, and nothing refers to it
    }
    drop(plan);
    *me.target.lock().unwrap() = Arc::downgrade(target);
    let seen = me.target.lock().unwrap().upgrade().map_or(0, |target| target.id);
    model.minds[one].1.steps += 1;
    model.note(seen ^ steps);
}

fn talk(world: &mut World, model: &mut Model) {
    let one = model.dice.below(model.minds.len());
    let mut talk = world.get_mut::<Talk>(model.minds[one].0).unwrap();
    let said = talk.0.number;
    let next = talk.0.next.lock().unwrap().clone().unwrap();
    talk.0 = next;
    let mind = &mut model.minds[one].1;
    mind.line = (mind.line + 1) % LINES;
    model.note(said);
}

fn check(world: &World) {
    let model = world.resource::<Model>();
    for (entity, mind) in &model.minds {
        let board = &world.get::<Brain>(*entity).unwrap().0;
        let plan = board.plan.lock().unwrap().clone().unwrap();
        let line = &world.get::<Talk>(*entity).unwrap().0;
        assert_eq!((board.id, *plan.steps.lock().unwrap()), (mind.id, mind.steps));
        assert_eq!(plan.owner.id, mind.id);
        assert_eq!(line.number, (mind.topic * LINES + mind.line) as u64);
    }
}

/// Reads the times of its own thread, so it stays on the app's thread.
struct Watch {
    frame: Stopwatch,
    memory: Stopwatch,
    pauses: Vec<std::time::Duration>,
}

pub(crate) fn play(size: &Size) -> Outcome {
    let mut app = App::new();
    app.add_plugins(TaskPoolPlugin::default());
    app.insert_resource(*size).insert_resource(Model::new()).init_resource::<Broken>();
    let topics = (0..size.topics()).map(|topic| {
        let lines: Vec<_> = (0..LINES)
            .map(|line| Arc::new(Line { number: (topic * LINES + line) as u64, next: Mutex::default() }))
            .collect();
        (0..LINES)
            .for_each(|line| *lines[line].next.lock().unwrap() = Some(lines[(line + 1) % LINES].clone()));
        lines
    });
    let topics = Topics(topics.collect());
    app.insert_resource(topics);
    app.insert_non_send(Watch { frame: Stopwatch::new(), memory: Stopwatch::new(), pauses: Vec::new() });
    app.world_mut().resource_scope(|world, mut model: Mut<Model>| spawn(world, &mut model, size.entities));
    app.add_systems(Update, live);

    let mut frames = Vec::new();
    for _ in 0..size.frames {
        app.world_mut().non_send_mut::<Watch>().frame.start();
        app.update();
        frames.push(app.world_mut().non_send_mut::<Watch>().frame.stop().own);
    }
    check(app.world());
    let world = app.world_mut();
    let pauses = std::mem::take(&mut world.non_send_mut::<Watch>().pauses);
    let model = world.remove_resource::<Model>().unwrap();
    for (entity, _) in &model.minds {
        drop(world.get::<Brain>(*entity).unwrap().0.plan.lock().unwrap().take());
        world.despawn(*entity);
    }
    assert_eq!(LIVING.load(Ordering::Relaxed), 0, "minds leaked");
    for topic in &world.resource::<Topics>().0 {
        topic.iter().for_each(|line| *line.next.lock().unwrap() = None); // these cycles, too
    }
    let broken = world.resource::<Broken>().0;
    Outcome { pauses, frames, checksums: model.checksums, broken, notes: String::new() }
}
