//! A frame of a game: a world of long-lived objects, and in each frame many that hardly outlive it.
//!
//! For a world of 200k objects a frame looks 50 objects up in a cache that holds them weakly, and the numbers that a
//! weak-key table has for them; makes 5k objects, each of which is made of two of the world and reads both; sets
//! 1.5k edges between old objects anew; hangs 500 of the new objects on old ones, where they live until they are
//! replaced some twenty frames later, and puts 50 of those into the cache and the table. Then the peer does what it
//! does at the end of a frame. All of that is timed, drawing the random numbers is not.
//!
//! What is looked up is alive by what the program itself knows, so that the answers do not depend on when a peer
//! collects. After the last frame the objects that hang on old ones are compared with a model that has only numbers.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use crate::clock::Stopwatch;
use crate::distribution::Distribution;
use crate::peers::frame::{
    arena::ArenaGame, boa::BoaWorld, dumpster::DumpsterWorld, rc::RcWorld, safe_gc::SafeWorld,
    slotgc::SlotGcWorld, slotmap::SlotMapWorld,
};
use crate::shape::{Inputs, NONE, Random};
use crate::work::{Bound, Work, size_name};

/// The edge on which young objects hang; the first one keeps the world together, the others are changed.
pub(crate) const HOOK: usize = 3;

/// New objects refer to the one before them, so many in a row.
const ROW: usize = 8;

/// Frames that are run, and how many of them do not count: the world fills with objects that hang on others.
const FRAMES: usize = 600;
const UNCOUNTED: usize = 100;

/// How much of everything there is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    /// Long-lived objects.
    pub(crate) old: usize,
    young: usize,
    rewired: usize,
    hung: usize,
    /// Old objects on which young ones hang, and how many of those carry objects in the cache.
    hooks: usize,
    cached_hooks: usize,
    cached: usize,
}

impl Sizes {
    fn of(old: usize) -> Self {
        let part = |divisor: usize| (old / divisor).max(1);
        Self {
            old,
            young: part(40),
            rewired: old * 3 / 400,
            hung: part(400),
            hooks: part(20),
            cached_hooks: part(200),
            cached: part(4000),
        }
    }

    /// The old object that a hook is on: they are scattered over the world.
    fn hook(&self, hook: usize) -> u32 {
        (hook * (self.old / self.hooks)) as u32
    }
}

/// The world at its beginning: from each object to three others, the first of which is the next one on a cycle
/// through all of them.
#[derive(Debug)]
pub(crate) struct Start(pub(crate) Vec<[u32; HOOK]>);

impl Start {
    fn new(old: usize) -> Self {
        let mut random = Random::new(7);
        let cycle = random.order(old);
        let mut edges = vec![[NONE; HOOK]; old];
        for (place, node) in cycle.iter().enumerate() {
            edges[*node as usize] = std::array::from_fn(|_| random.below(old) as u32);
            edges[*node as usize][0] = cycle[(place + 1) % old];
        }
        Self(edges)
    }
}

/// What happens in a frame.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// The id of the first object that is made.
    pub(crate) first_id: u64,
    /// The ids of objects to look up in the cache.
    pub(crate) lookups: Vec<u64>,
    /// Of which two old objects each new one is made.
    pub(crate) young: Vec<[u32; 2]>,
    /// An old object, its edge, and what that refers to from now on.
    pub(crate) rewired: Vec<(u32, usize, u32)>,
    /// The old object on which new object `k * ROW` hangs from now on, for each `k`.
    pub(crate) hooks: Vec<u32>,
    /// How many of those, from the first, are cached; what they replace was cached too.
    pub(crate) cached: usize,
}

impl Plan {
    /// Whether a new object, by number, hangs on an old one at the end of the frame or did in the course of it.
    pub(crate) fn is_hung(&self, number: usize) -> bool {
        number.is_multiple_of(ROW) && number / ROW < self.hooks.len()
    }
}

/// Draws the plans, and knows what the answers are.
struct Model {
    sizes: Sizes,
    random: Random,
    next_id: u64,
    /// What hangs on each hook.
    hung: Vec<Option<u64>>,
}

impl Model {
    fn new(sizes: Sizes) -> Self {
        Self { sizes, random: Random::new(8), next_id: sizes.old as u64, hung: vec![None; sizes.hooks] }
    }

    /// Draws the next frame, and gives what it adds up to.
    fn next(&mut self, plan: &mut Plan) -> u64 {
        let Self { sizes, random, next_id, hung } = self;
        plan.first_id = *next_id;
        plan.cached = sizes.cached;
        let looked_up = (0..sizes.cached).filter_map(|_| hung[random.below(sizes.cached_hooks)]);
        plan.lookups.clear();
        plan.lookups.extend(looked_up);
        let mut old = || random.below(sizes.old) as u32;
        plan.young.clear();
        plan.young.extend((0..sizes.young).map(|_| [old(), old()]));
        plan.rewired.clear();
        plan.rewired.extend((0..sizes.rewired).map(|count| (old(), 1 + count % 2, old())));
        plan.hooks.clear();
        for count in 0..sizes.hung {
            let hook = match count < sizes.cached {
                true => random.below(sizes.cached_hooks),
                false => sizes.cached_hooks + random.below(sizes.hooks - sizes.cached_hooks),
            };
            hung[hook] = Some(*next_id + (count * ROW) as u64);
            plan.hooks.push(sizes.hook(hook));
        }
        *next_id += sizes.young as u64;
        let found: u64 = plan.lookups.iter().map(|id| id + number_of(*id)).sum();
        let read: u64 = plan.young.iter().flatten().map(|old| u64::from(*old)).sum();
        found + read
    }
}

/// What the weak-key table has for an object.
pub(crate) const fn number_of(id: u64) -> u64 {
    id ^ 5
}

/// What a frame needs of a peer. Old objects are named by their numbers.
pub(crate) trait World {
    /// A new object, as long as the frame has it in hand.
    type Young;

    /// The id of an old object, read from it.
    fn read(&self, old: u32) -> u64;
    /// Makes an object with edges to two old ones and, perhaps, to a new one.
    fn make(&mut self, id: u64, of: [u32; 2], previous: Option<&Self::Young>) -> Self::Young;
    /// Sets an edge between old objects.
    fn rewire(&mut self, from: u32, edge: usize, to: u32);
    /// Sets the fourth edge of an old object. What it referred to is dead now; whether it was cached is for those
    /// who free by hand.
    fn hang(&mut self, old: u32, young: &Self::Young, is_cached: bool);
    /// Puts an object into the cache under its id, and its number into the weak-key table.
    fn cache(&mut self, id: u64, young: &Self::Young);
    /// The id of an object found in the cache, and its number.
    fn look_up(&self, id: u64) -> u64;
    /// The frame is over. `young` are its objects in the order in which they were made, `plan` tells those that live.
    fn end_frame(&mut self, young: &mut Vec<Self::Young>, plan: &Plan);
    /// What hangs on an old object.
    fn hung_on(&self, old: u32) -> Option<u64>;
}

/// One frame.
#[inline(never)]
pub(crate) fn frame<W: World>(world: &mut W, young: &mut Vec<W::Young>, plan: &Plan) -> u64 {
    let mut sum = 0_u64;
    for id in &plan.lookups {
        sum += world.look_up(*id);
    }
    for (number, of) in plan.young.iter().enumerate() {
        sum += world.read(of[0]) + world.read(of[1]);
        let previous = if number % ROW == 0 { None } else { young.last() };
        let made = world.make(plan.first_id + number as u64, *of, previous);
        young.push(made);
    }
    for (from, edge, to) in &plan.rewired {
        world.rewire(*from, *edge, *to);
    }
    for (count, old) in plan.hooks.iter().enumerate() {
        let number = count * ROW;
        let is_cached = count < plan.cached;
        world.hang(*old, &young[number], is_cached);
        if is_cached {
            world.cache(plan.first_id + number as u64, &young[number]);
        }
    }
    world.end_frame(young, plan);
    sum
}

/// A world between frames.
pub(crate) trait Game {
    /// The world at its beginning, in which no garbage is.
    fn new(start: &Start) -> Self;
    /// One frame; gives what it adds up to.
    fn frame(&mut self, plan: &Plan) -> u64;
    /// What hangs on each of some old objects.
    fn hung_on(&self, old: &[u32]) -> Vec<Option<u64>>;
    /// Frees what is dead, and says how many objects live, if the peer can say.
    fn living(&mut self) -> Option<usize>;
}

/// Runs all frames, and gives the times of those that count.
fn run<G: Game>(old: usize) -> Distribution {
    let sizes = Sizes::of(old);
    let mut game = G::new(&Start::new(old));
    let mut model = Model::new(sizes);
    let mut plan = Plan::default();
    let mut times = Vec::new();
    for number in 0..FRAMES {
        let expected = model.next(&mut plan);
        let start = Stopwatch::start();
        let sum = game.frame(&plan);
        let time = start.elapsed();
        assert_eq!(sum, expected, "what frame {number} adds up to");
        if number >= UNCOUNTED {
            times.push(time.as_secs_f64() * 1e9);
        }
    }
    let hooks: Vec<_> = (0..sizes.hooks).map(|hook| sizes.hook(hook)).collect();
    assert_eq!(game.hung_on(&hooks), model.hung, "what hangs on old objects");
    if let Some(living) = game.living() {
        assert_eq!(living, old + model.hung.iter().flatten().count(), "objects alive at the end");
    }
    Distribution::new(times)
}

/// Name, meaning, and how it is got from the times of a run's frames.
type Figure = (&'static str, &'static str, fn(&Distribution) -> f64);

/// What is reported of a run.
const FIGURES: [Figure; 3] = [
    ("median", "the median", |frames| frames.quantile(0.5)),
    ("mean", "the mean", Distribution::mean),
    ("max", "the longest", Distribution::max),
];

/// The runs of which not all figures have been reported, by peer: each run answers all three works.
#[derive(Default)]
struct Runs(RefCell<HashMap<&'static str, [Option<f64>; FIGURES.len()]>>);

impl Runs {
    fn take(&self, peer: &'static str, figure: usize, run: impl FnOnce() -> Distribution) -> f64 {
        let mut runs = self.0.borrow_mut();
        let left = runs.entry(peer).or_default();
        if left[figure].is_none() {
            let frames = run();
            *left = FIGURES.map(|(.., figure)| Some(figure(&frames)));
        }
        left[figure].take().expect("just run")
    }
}

pub(super) fn works(inputs: &Rc<Inputs>) -> Vec<Work> {
    let runs = Rc::new(Runs::default());
    (0..FIGURES.len()).map(|figure| work(&runs, figure, (inputs.objects / 5).max(400))).collect()
}

fn work(runs: &Rc<Runs>, figure: usize, old: usize) -> Work {
    macro_rules! play {
        ($peer:literal, $game:ty) => {{
            let runs = Rc::clone(runs);
            move || runs.take($peer, figure, || run::<$game>(old))
        }};
    }
    let Sizes { young, rewired, hung, .. } = Sizes::of(old);
    let (name, about, _) = FIGURES[figure];
    let about = format!(
        "{about} of {} frames, in ns: {} old objects, {young} new ones, {} old edges changed",
        FRAMES - UNCOUNTED,
        size_name(old),
        rewired + hung
    );
    let work = Work::new(format!("frame/{name}"), about)
        .case("slotgc", play!("slotgc", SlotGcWorld<1000>))
        .case("slotgc:500us", play!("slotgc:500us", SlotGcWorld<500>))
        .case("slotmap", play!("slotmap", SlotMapWorld))
        .case("rc", play!("rc", RcWorld))
        .case("gc-arena", play!("gc-arena", ArenaGame))
        .case("boa_gc", play!("boa_gc", BoaWorld))
        .case("safe-gc", play!("safe-gc", SafeWorld))
        .case("dumpster", play!("dumpster", DumpsterWorld))
        .absent(&["thunderdome"], "would be slotmap once more")
        .absent(&["gc", "rust-cc"], "would be boa_gc and dumpster once more")
        .note(&["slotgc"], "`pace` with 1 ms at the end of each frame; in its longest it takes all of that")
        .note(&["slotgc:500us"], "the same with half of that")
        .note(
            &["slotmap"],
            "frees by hand, also from the cache and the table: the program tells it what died",
        )
        .note(&["rc"], "frees at once; the edges between old objects are cycles, which it never could")
        .note(
            &["gc-arena"],
            "`collect_debt` at the end of each frame; maps of `GcWeak`, pruned every 64 frames",
        )
        .note(&["boa_gc"], "collects by itself; `WeakMap`, and a map of `WeakGc`, pruned every 64 frames")
        .note(&["safe-gc", "dumpster"], "collect by themselves; no weak maps: removes from a map by hand")
        .note(&["dumpster"], "its nodes are of 88 bytes, since an `Option` of its pointers takes 16");
    match name {
        "median" => work.target("slotmap", 1.15),
        "max" => work.target("slotmap", 1.5).target_of("slotgc", "gc-arena", Bound::AtMost(1.0)),
        _ => work,
    }
}
