//! Real apps, whose systems run on several threads.

use std::sync::atomic::{AtomicUsize, Ordering};

use bevy_app::{App, First, Last, PostUpdate, Startup, TaskPoolPlugin, Update};
use bevy_ecs::entity_disabling::Disabled;
use bevy_ecs::prelude::*;
use bevy_ecs::schedule::ScheduleBuildSettings;
use bevy_ecs::world::CommandQueue;
use bevy_slotgc::slotgc::{AnyGc, Budget, Gc, Heap, HeapConfig, Phase, Root, Trace, Weak};
use bevy_slotgc::{
    GcAppExt, GcColumn, GcCommands, GcFrame, GcHeap, GcInFlight, GcPlugin, GcRef, GcRoot, GcSettings,
    GcSystems, GcWorldExt, ObjectDied, mark_beside,
};

#[path = "app/busy.rs"]
mod busy;

#[derive(Component, Trace, Clone, Copy)]
struct Brain(Gc<Node>);

#[derive(Component, Trace, Clone, Copy)]
#[component(storage = "SparseSet")]
struct Mood(Gc<Node>);

#[derive(Resource, Trace)]
struct Council(Vec<Gc<Node>>);

#[derive(Message, Trace, Clone, Copy)]
struct Rumour(Gc<Node>);

#[derive(Component, Clone, Copy, PartialEq, Debug)]
struct Number(u64);

/// Two of them, in a cycle.
#[derive(Trace)]
struct Node {
    number: u64,
    other: Option<Gc<Node>>,
}

fn pair(heap: &mut Heap, number: u64) -> Gc<Node> {
    let first = heap.alloc(Node { number, other: None });
    let second = heap.alloc(Node { number, other: Some(first) });
    heap[first].other = Some(second);
    first
}

/// Whether a handle leads to a whole pair of this number.
fn is_pair(heap: &Heap, gc: Gc<Node>, number: u64) -> bool {
    let other = heap.get(gc).and_then(|node| heap.get(node.other?));
    heap.get(gc).is_some_and(|node| node.number == number) && other.is_some_and(|node| node.number == number)
}

fn app_with(plugin: GcPlugin) -> App {
    let mut app = App::new();
    app.add_plugins((TaskPoolPlugin::default(), plugin));
    app.register_gc_component::<Brain>().register_gc_component::<Mood>();
    app.register_gc_resource::<Council>().register_gc_message::<Rumour>();
    app
}

/// Each `pace` is a full collection: what nothing holds is gone after one frame.
fn stressed() -> App {
    app_with(GcPlugin::default().config(HeapConfig::default().stress(true)))
}

fn heap(app: &mut App) -> Mut<'_, GcHeap> {
    app.world_mut().resource_mut::<GcHeap>()
}

fn new_pair(app: &mut App, number: u64) -> Gc<Node> {
    pair(&mut heap(app), number)
}

#[test]
fn a_component_keeps_its_objects_alive_and_a_despawn_lets_go() {
    let mut app = stressed();
    let gcs: Vec<_> = (0..4).map(|number| new_pair(&mut app, number)).collect();
    let world = app.world_mut();
    let entity = world.spawn(Brain(gcs[0])).id();
    world.spawn(Mood(gcs[1])); // in a sparse set
    world.spawn((Brain(gcs[2]), Disabled)); // queries leave it out
    app.update();
    let alive = |app: &mut App, number: usize| is_pair(&heap(app), gcs[number], number as u64);
    assert!(alive(&mut app, 0) && alive(&mut app, 1) && alive(&mut app, 2) && !alive(&mut app, 3));
    app.world_mut().despawn(entity);
    app.update();
    assert!(!alive(&mut app, 0) && heap(&mut app).len() == 4);
}

#[test]
fn a_component_removed_or_replaced_lets_go() {
    let mut app = stressed();
    let (old, removed) = (new_pair(&mut app, 0), new_pair(&mut app, 2));
    let replaced = app.world_mut().spawn((Brain(old), Mood(removed))).id();
    app.update();
    assert_eq!(heap(&mut app).len(), 4);
    let new = new_pair(&mut app, 1);
    app.world_mut().entity_mut(replaced).insert(Brain(new)).remove::<Mood>();
    app.update();
    assert!(is_pair(&heap(&mut app), new, 1) && heap(&mut app).len() == 2);
}

#[test]
fn resources_and_messages_are_roots_for_as_long_as_they_are_there() {
    let mut app = stressed();
    let (spoken, seat) = (new_pair(&mut app, 0), new_pair(&mut app, 1));
    app.insert_resource(Council(vec![seat]));
    app.world_mut().write_message(Rumour(spoken));
    app.update();
    assert!(is_pair(&heap(&mut app), spoken, 0) && is_pair(&heap(&mut app), seat, 1));
    app.world_mut().remove_resource::<Council>();
    app.update();
    app.update(); // the message is two frames old
    assert!(heap(&mut app).is_empty());
}

#[test]
fn a_root_needs_no_registration() {
    #[derive(Resource)]
    struct Motto(GcRoot<String>);

    let mut app = stressed();
    let motto = heap(&mut app).alloc_root("honey first".to_string());
    app.insert_resource(Motto(motto.into()));
    app.update();
    let world = app.world();
    assert_eq!(world.resource::<GcHeap>()[&*world.resource::<Motto>().0], "honey first");
}

// ---- What is in flight

fn no_sync(schedule: &mut Schedule) {
    schedule.set_build_settings(ScheduleBuildSettings {
        auto_insert_apply_deferred: false,
        ..Default::default()
    });
}

/// The trap: a system in whose schedule the collector runs before its commands are applied. Here no sync
/// points are inserted; two unordered systems do the same.
#[test]
fn bare_handles_in_commands_are_lost_to_a_collection_that_comes_before_they_are_applied() {
    const SPAWNED: u64 = 20_000;
    fn spawn_bare(mut heap: ResMut<GcHeap>, mut commands: Commands) {
        (0..SPAWNED).for_each(|number| _ = commands.spawn(Brain(pair(&mut heap, number))));
    }
    fn spawn_kept(mut heap: ResMut<GcHeap>, mut commands: GcCommands) {
        (0..SPAWNED).for_each(|number| _ = commands.spawn_gc(Brain(pair(&mut heap, number))));
    }
    fn spawn_then(mut commands: GcCommands) {
        (0..SPAWNED).for_each(|number| {
            commands.spawn_with_heap(move |heap| Brain(pair(heap, number))).insert(Number(number));
        });
    }
    let survivors = |add: fn(&mut App)| {
        let mut app = stressed();
        add(&mut app);
        app.update();
        let mut brains = app.world_mut().query::<&Brain>();
        let heap = app.world().resource::<GcHeap>();
        let brains: Vec<_> = brains.iter(app.world()).collect();
        assert_eq!(brains.len(), SPAWNED as usize);
        brains
            .iter()
            .filter(|brain| heap.get(brain.0).is_some_and(|node| is_pair(heap, brain.0, node.number)))
            .count()
    };
    let bare = survivors(|app| {
        _ = app.add_systems(Last, spawn_bare.before(GcSystems::Pace)).edit_schedule(Last, no_sync)
    });
    let kept = survivors(|app| {
        _ = app.add_systems(Last, spawn_kept.before(GcSystems::Pace)).edit_schedule(Last, no_sync)
    });
    let then = survivors(|app| {
        _ = app.add_systems(Last, spawn_then.before(GcSystems::Pace)).edit_schedule(Last, no_sync)
    });
    let synced = survivors(|app| _ = app.add_systems(Last, spawn_bare.before(GcSystems::Pace)));
    let elsewhere = survivors(|app| _ = app.add_systems(Update, spawn_bare));
    assert_eq!((bare, kept, then, synced, elsewhere), (0, 20_000, 20_000, 20_000, 20_000));
}

#[test]
fn what_travels_in_a_queue_of_ones_own_is_kept_until_it_arrives_or_is_dropped() {
    let mut app = stressed();
    let (arrives, dropped) = (new_pair(&mut app, 0), new_pair(&mut app, 1));
    let in_flight = app.world().resource::<GcInFlight>().clone();
    let (first, second) = (in_flight.keep(Brain(arrives)), in_flight.keep(Brain(dropped)));
    let mut queue = CommandQueue::default();
    queue.push(move |world: &mut World| _ = world.spawn(first.into_inner()));
    app.update();
    app.update();
    assert_eq!(heap(&mut app).len(), 4);
    drop(second);
    queue.apply(app.world_mut());
    app.update();
    assert!(is_pair(&heap(&mut app), arrives, 0) && heap(&mut app).len() == 2);
    assert_eq!(format!("{in_flight:?}"), "GcInFlight(0)");
}

#[test]
fn messages_events_and_inserts_travel_too() {
    #[derive(Event, Trace)]
    struct Spoken(Gc<Node>);

    #[derive(Resource, Default)]
    struct Heard(usize);

    fn send(mut heap: ResMut<GcHeap>, mut commands: GcCommands, entities: Query<Entity, With<Number>>) {
        commands.write_gc_message(Rumour(pair(&mut heap, 0)));
        commands.trigger_gc(Spoken(pair(&mut heap, 1)));
        let entity = entities.single().unwrap();
        commands.insert_gc(entity, (Brain(pair(&mut heap, 2)), Mood(pair(&mut heap, 3))));
        let moved = pair(&mut heap, 4);
        commands.queue_gc(vec![moved], |council, world| world.insert_resource(Council(council)));
        commands.queue_heap(|heap| std::mem::forget(heap.alloc_root("kept".to_string())));
    }

    let mut app = stressed();
    app.init_resource::<Heard>();
    app.add_observer(|spoken: On<Spoken>, heap: Res<GcHeap>, mut heard: ResMut<Heard>| {
        assert!(is_pair(&heap, spoken.0, 1));
        heard.0 += 1;
    });
    app.world_mut().spawn(Number(0));
    app.add_systems(Last, send.before(GcSystems::Pace)).edit_schedule(Last, no_sync);
    app.update();
    let world = app.world_mut();
    assert_eq!(world.resource::<Heard>().0, 1);
    let (brain, mood) = world.query::<(&Brain, &Mood)>().single(world).map(|(b, m)| (b.0, m.0)).unwrap();
    let heap = world.resource::<GcHeap>();
    assert!(is_pair(heap, brain, 2) && is_pair(heap, mood, 3));
    assert!(is_pair(heap, world.resource::<Council>().0[0], 4));
    let rumours = world.resource::<Messages<Rumour>>();
    assert!(rumours.get_cursor().read(rumours).all(|rumour| is_pair(heap, rumour.0, 0)));
    assert_eq!(heap.len_of::<String>(), 1);
}

// ---- Allocation through `&GcHeap`

#[test]
fn systems_that_run_in_parallel_allocate() {
    const EACH: u64 = 5000;
    static TOGETHER: AtomicUsize = AtomicUsize::new(0);

    #[derive(Component)]
    struct Ticket(Root<Node>);

    fn order(heap: Res<GcHeap>, numbers: Query<(Entity, &Number)>, commands: ParallelCommands) {
        numbers.par_iter().for_each(|(entity, number)| {
            let later = heap.alloc_root_later(Node { number: number.0, other: None });
            commands.command_scope(|mut commands| _ = commands.entity(entity).insert(Ticket(later)));
        });
        // Relaxed: a count.
        TOGETHER.fetch_add(1, Ordering::Relaxed);
    }
    fn order_for_the_council(heap: Res<GcHeap>) {
        heap.alloc_later(Node { number: 0, other: None }); // nothing holds it
        TOGETHER.fetch_add(1, Ordering::Relaxed);
    }

    let mut app = stressed();
    app.world_mut().spawn_batch((0..EACH).map(Number));
    app.add_systems(Startup, (order, order_for_the_council));
    app.update();
    let world = app.world_mut();
    let mut tickets = world.query::<(&Number, &Ticket)>();
    let heap = world.resource::<GcHeap>();
    assert_eq!((heap.len(), TOGETHER.load(Ordering::Relaxed)), (EACH as usize, 2));
    for (number, ticket) in tickets.iter(world) {
        assert_eq!(heap[&ticket.0].number, number.0);
    }
    let mut entities = world.query_filtered::<Entity, With<Ticket>>();
    let entities: Vec<_> = entities.iter(world).collect();
    entities.into_iter().for_each(|entity| _ = world.despawn(entity));
    app.update();
    assert!(heap_is_empty(&mut app));
}

/// What is left to the pace of the marking of a full cycle, with or without a system that marks beside those
/// that read.
fn work_of_marking(marks: bool) -> usize {
    fn look(heap: Res<GcHeap>, brains: Query<&Brain>) {
        assert!(brains.iter().all(|brain| is_pair(&heap, brain.0, 7)));
    }

    let mut app = app_with(GcPlugin::default().budget(Budget::Objects(500)));
    app.add_systems(Update, look);
    if marks {
        app.add_systems(Update, mark_beside);
    }
    let brains: Vec<_> = (0..10_000).map(|_| Brain(pair(&mut heap(&mut app), 7))).collect();
    app.world_mut().spawn_batch(brains);
    app.world_mut().collect_gc();
    let collections = heap(&mut app).stats().collections;
    let mut work = 0;
    while heap(&mut app).stats().collections == collections || heap(&mut app).stats().phase != Phase::Idle {
        // More garbage than a minor collection may look at.
        (0..600_u64).for_each(|n| _ = heap(&mut app).alloc([n; 16]));
        app.update();
        let report = app.world().resource::<GcFrame>().report;
        work += if report.phase == Phase::Mark { report.work } else { 0 };
    }
    work
}

#[test]
fn a_system_that_marks_beside_those_that_read_takes_marking_off_the_pace() {
    let (alone, beside) = (work_of_marking(false), work_of_marking(true));
    assert!(beside < alone / 2, "{beside} units with help, {alone} without");
}

fn heap_is_empty(app: &mut App) -> bool {
    heap(app).is_empty()
}

// ---- Deaths

#[test]
fn a_despawn_destroys_where_the_column_says_so_and_a_removal_does_not() {
    let mut app = App::new();
    app.add_plugins((TaskPoolPlugin::default(), GcPlugin::default()));
    app.register_gc_component_with(
        GcColumn::<Brain>::new().destroy_on_despawn(|brain| [AnyGc::from(brain.0)]),
    );
    app.register_gc_component::<Mood>();
    let gcs: Vec<_> = (0..4).map(|number| new_pair(&mut app, number)).collect();
    let world = app.world_mut();
    let despawned = world.spawn((Brain(gcs[0]), Mood(gcs[1]))).id();
    let stripped = world.spawn(Brain(gcs[2])).id();
    let disabled = world.spawn((Brain(gcs[3]), Disabled)).id();
    world.despawn(despawned);
    world.despawn(disabled);
    world.entity_mut(stripped).remove::<Brain>();
    let heap = world.resource::<GcHeap>();
    let alive: Vec<_> = gcs.iter().map(|gc| heap.is_alive(gc)).collect();
    assert_eq!(alive, [false, true, true, false]);
}

#[test]
fn deaths_are_messages_and_events() {
    #[derive(Resource, Default)]
    struct Heard(Vec<(Weak<Node>, Option<Entity>)>);

    fn read(mut died: MessageReader<ObjectDied<Node>>, mut heard: ResMut<Heard>) {
        heard.0.extend(died.read().map(|died| (died.object, died.entity)));
    }

    let mut app = stressed();
    app.init_resource::<Heard>().add_gc_deaths::<Node>().add_systems(First, read);
    let seen_by_observers = std::sync::Arc::new(AtomicUsize::new(0));
    let seen = seen_by_observers.clone();
    app.add_observer(move |died: On<ObjectDied<Node>>, heap: Res<GcHeap>| {
        assert!(!heap.is_alive(died.object));
        seen.fetch_add(1, Ordering::Relaxed); // a count
    });
    let gcs: Vec<_> = (0..3).map(|number| new_pair(&mut app, number)).collect();
    let entity = app.world_mut().spawn(Brain(gcs[0])).id();
    let mut world_heap = heap(&mut app);
    world_heap.announce_death_of(gcs[0], entity).unwrap();
    world_heap.announce_death(gcs[1]).unwrap();
    world_heap.destroy(gcs[2]);
    assert!(world_heap.announce_death(gcs[2]).is_err());
    app.update();
    app.world_mut().despawn(entity);
    app.update();
    app.update();
    let expected = vec![(gcs[1].downgrade(), None), (gcs[0].downgrade(), Some(entity))];
    assert_eq!(app.world().resource::<Heard>().0, expected);
    assert_eq!(seen_by_observers.load(Ordering::Relaxed), 2);
}

// ---- Settings

#[test]
fn the_plugin_paces_where_and_by_how_much_it_is_told() {
    fn check(frame: Res<GcFrame>) {
        assert!(frame.report.work > 0, "the collector ran in an earlier schedule");
    }
    let plugin = GcPlugin::default().schedule(PostUpdate).budget(Budget::Objects(100));
    let mut app = app_with(plugin.config(HeapConfig::default().nursery_bytes(1)).ceiling_bytes(1 << 20));
    app.add_systems(Last, check);
    for _ in 0..1000 {
        heap(&mut app).alloc(0_u64);
    }
    app.update();
    app.world_mut().resource_mut::<GcSettings>().budget = Budget::Unlimited;
    (0..3).for_each(|_| {
        heap(&mut app).alloc(0_u64);
        app.update();
    });
    assert!(heap(&mut app).len() < 3);
}

#[test]
fn changes_past_change_detection_are_seen_by_a_column_that_always_reports() {
    #[derive(Component, Trace)]
    struct Pocket(std::sync::Mutex<Option<Gc<Node>>>);

    let mut app = App::new();
    app.add_plugins((TaskPoolPlugin::default(), GcPlugin::default()));
    app.register_gc_component_with(GcColumn::<Pocket>::new().always());
    app.world_mut().spawn(Pocket(Default::default()));
    app.world_mut().collect_gc();
    let gc = new_pair(&mut app, 7);
    let world = app.world_mut();
    *world.query::<&Pocket>().single(world).unwrap().0.lock().unwrap() = Some(gc);
    world.gc_scope(|heap, roots| {
        // A minor collection, which asks by changes.
        (0..20_000).for_each(|n| _ = heap.alloc([n; 8]));
        while heap.pace_with(Budget::Unlimited, roots).work > 0 {}
    });
    assert!(is_pair(&heap(&mut app), gc, 7));
}

#[test]
fn entities_in_derived_code_are_mapped_and_handles_left_alone() {
    use bevy_ecs::entity::{EntityHashMap, MapEntities};

    #[derive(Component, MapEntities)]
    struct Mob {
        #[entities]
        owner: Entity,
        #[entities]
        brain: GcRef<Node>,
    }

    let mut app = stressed();
    let gc = new_pair(&mut app, 1);
    let (from, to) = (app.world_mut().spawn_empty().id(), app.world_mut().spawn_empty().id());
    let mut mob = Mob { owner: from, brain: gc.into() };
    let mut map: EntityHashMap<Entity> = [(from, to)].into_iter().collect();
    MapEntities::map_entities(&mut mob, &mut map);
    assert_eq!((mob.owner, mob.brain), (to, GcRef(gc)));
}
