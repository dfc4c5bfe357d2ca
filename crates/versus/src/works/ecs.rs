//! Entities of an ECS: their components are outside of the heap, and each holds an object.
//!
//! In a frame 1000 entities at random despawn, which leaves their objects dead, and 1000 others spawn with a
//! new object each. Then garbage is reclaimed: all of it (`ecs/collect`), or as much as the collector says is
//! due (`ecs/pace`). All of that is timed; drawing the random numbers is not. After the last frame the column
//! is compared with a model that has only ids.

use std::rc::Rc;

use slotgc_graphs::Random;

use crate::clock::Stopwatch;
use crate::malloc;
use crate::needs::NODE_BYTES;
use crate::needs::ecs::{Column, Held, Plan, Reclaim};
use crate::peers::ecs::arena::{RootColumn, RootSetColumn};
use crate::peers::ecs::slotgc::{AllColumn, ChangesColumn};
use crate::peers::{boa_gc::BoaGc, rc::Rc as StdRc, safe_gc::SafeGc, slotmap::SlotMap};
use crate::shape::Inputs;
use crate::work::{Work, per_object, size_name};

/// The worlds, in hundredths of the largest.
const PERCENT: [usize; 4] = [1, 10, 30, 100];

/// In the largest world one entity in this many despawns in a frame. In the others as many do.
const EXCHANGED: usize = 1000;

/// Garbage for which no collector needs to begin: slotgc lets a heap of any size grow by 32 MiB.
const NEGLIGIBLE: usize = (32 << 20) / NODE_BYTES;

/// How much of everything there is.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    entities: usize,
    /// Entities that despawn in a frame, and others that spawn.
    exchanged: usize,
    /// Frames that count, after a fourth of that which do not.
    frames: usize,
}

impl Sizes {
    /// 10k, 100k, 300k and 1M entities, if there are a million objects.
    fn all(objects: usize, reclaim: Reclaim) -> [Self; 4] {
        let exchanged = (objects / EXCHANGED).max(1);
        PERCENT.map(|percent| {
            let entities = (objects * percent / 100).max(2 * exchanged);
            let frames = match reclaim {
                Reclaim::All => 20,
                // All entities are replaced four times at least, so that a collector has to free old objects.
                Reclaim::Due => (4 * entities / exchanged).max(800),
            };
            Self { entities, exchanged, frames }
        })
    }
}

/// Draws the plans, and knows which ids the column holds.
struct Model {
    ids: Vec<u64>,
    exchanged: usize,
    random: Random,
    plan: Plan,
}

impl Model {
    fn new(sizes: Sizes) -> Self {
        let ids: Vec<_> = (0..sizes.entities as u64).collect();
        let plan = Plan { first_id: ids.len() as u64, ..Plan::default() };
        Self { ids, exchanged: sizes.exchanged, random: Random::new(14), plan }
    }

    fn next(&mut self) -> &Plan {
        let Self { ids, exchanged, random, plan } = self;
        plan.first_id = plan.spawned().end;
        plan.despawned.clear();
        for _ in 0..*exchanged {
            let place = random.below(ids.len());
            ids.swap_remove(place);
            plan.despawned.push(place as u32);
        }
        ids.extend(plan.spawned());
        plan
    }
}

/// Nanoseconds per frame: the mean of those that count.
fn run<C: Column>(sizes: Sizes, reclaim: Reclaim) -> f64 {
    let mut column = C::new(sizes.entities, reclaim);
    let mut model = Model::new(sizes);
    (0..sizes.frames / 4).for_each(|_| column.frame(model.next()));
    let before = malloc::in_use();
    let mut total = 0.0;
    for _ in 0..sizes.frames {
        let plan = model.next();
        let start = Stopwatch::start();
        column.frame(plan);
        total += per_object(start.elapsed(), sizes.frames);
    }
    if reclaim == Reclaim::All {
        check_freed(before, sizes);
    }
    check(&mut column, &model, reclaim);
    total
}

/// Checks that nothing a component holds is lost, and that garbage is freed.
fn check(column: &mut impl Column, model: &Model, reclaim: Reclaim) {
    let entities = model.ids.len();
    let most = match reclaim {
        Reclaim::All => entities,
        Reclaim::Due => 3 * entities + NEGLIGIBLE,
    };
    let objects = column.objects().unwrap_or(0);
    assert!(objects <= most, "{objects} objects after the last frame, {entities} entities");
    column.free_all();
    assert!(column.objects().is_none_or(|objects| objects == entities), "objects alive at the end");
    assert_eq!(column.ids(), model.ids, "what the components hold");
}

/// Checks that memory has not grown by half of what was allocated, for peers that cannot report how many
/// objects live.
fn check_freed(before: Option<usize>, sizes: Sizes) {
    let Some((before, now)) = before.zip(malloc::in_use()) else { return };
    let made = sizes.frames * sizes.exchanged * NODE_BYTES;
    assert!(now <= before + made / 2, "garbage was not freed: {before} bytes became {now}");
}

pub(super) fn works(inputs: &Rc<Inputs>) -> Vec<Work> {
    let all = Sizes::all(inputs.objects, Reclaim::All).map(collect);
    let due = Sizes::all(inputs.objects, Reclaim::Due).map(pace);
    all.into_iter().chain(due).collect()
}

fn about(sizes: Sizes, end: &str) -> String {
    let Sizes { entities, exchanged, frames } = sizes;
    let entities = size_name(entities);
    format!(
        "ns a frame, mean of {frames}: {entities} components with an object each, {exchanged} entities despawn and as \
         many spawn; then {end}"
    )
}

fn collect(sizes: Sizes) -> Work {
    let name = format!("ecs/collect/{}", size_name(sizes.entities));
    let work = Work::new(name, about(sizes, "all garbage is freed"))
        .case("slotgc", move || run::<ChangesColumn>(sizes, Reclaim::All))
        .case("gc-arena", move || run::<RootSetColumn>(sizes, Reclaim::All))
        .case("gc-arena:root", move || run::<RootColumn>(sizes, Reclaim::All))
        .case("safe-gc", move || run::<Held<SafeGc>>(sizes, Reclaim::All))
        .case("boa_gc", move || run::<Held<BoaGc>>(sizes, Reclaim::All))
        .case("slotmap", move || run::<Held<SlotMap>>(sizes, Reclaim::All))
        .case("rc", move || run::<Held<StdRc>>(sizes, Reclaim::All))
        .note(&["slotgc"], "`collect_with` the column")
        .note(&["safe-gc", "boa_gc"], "the components are roots; a full collection");
    with_notes(work).absent(&["gc"], "would be boa_gc once more")
}

fn pace(sizes: Sizes) -> Work {
    let name = format!("ecs/pace/{}", size_name(sizes.entities));
    let work = Work::new(name, about(sizes, "the collector does what is due"))
        .case("slotgc", move || run::<ChangesColumn>(sizes, Reclaim::Due))
        .case("slotgc:all", move || run::<AllColumn>(sizes, Reclaim::Due))
        .case("gc-arena", move || run::<RootSetColumn>(sizes, Reclaim::Due))
        .case("gc-arena:root", move || run::<RootColumn>(sizes, Reclaim::Due))
        .case("slotmap", move || run::<Held<SlotMap>>(sizes, Reclaim::Due))
        .case("rc", move || run::<Held<StdRc>>(sizes, Reclaim::Due))
        .note(&["slotgc"], "`pace_with` 1 ms and a source that reports what changed")
        .note(&["slotgc:all"], "the same with one that always reports all")
        .note(&["gc-arena", "gc-arena:root"], "`collect_debt`");
    with_notes(work).absent(&["safe-gc", "boa_gc", "gc"], "collect by themselves, never a part")
}

fn with_notes(work: Work) -> Work {
    work.note(&["gc-arena"], "a `DynamicRoot` in each component")
        .note(&["gc-arena:root"], "the components are not outside: their column is the arena's root")
        .note(&["slotmap"], "frees by hand: the program knows what died")
        .note(&["rc"], "frees at once; there are no cycles here")
        .absent(&["thunderdome"], "would be slotmap once more")
        .absent(&["dumpster", "rust-cc"], "would be rc once more, without cycles")
}
