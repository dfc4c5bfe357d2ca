//! A frame of a game: a world of long-lived objects, and in each frame many that hardly outlive it.
//!
//! For a world of 200k objects a frame looks 50 objects up in a cache that holds them weakly, and the numbers
//! that a weak-key table has for them; allocates 5k objects, each from two of the world, and reads both;
//! changes 1.5k edges between old objects; hangs 500 of the new objects on old ones, where they live until
//! they are replaced some twenty frames later, and puts 50 of those into the cache and the table. Then the
//! peer does its work for the end of a frame. All of that is timed; drawing the random numbers is not.
//!
//! The program itself knows that what it looks up is alive, so the answers do not depend on when a peer
//! collects. After the last frame the objects that hang on old ones are compared with a model that has only
//! numbers.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use slotgc_graphs::{NONE, Random};

use crate::clock::Stopwatch;
use crate::distribution::Distribution;
use crate::needs::frame::{Game, HOOK, Plan, ROW, Start, number_of};
use crate::peers::frame::{
    arena::ArenaGame, boa::BoaWorld, dumpster::DumpsterWorld, rc::RcWorld, safe_gc::SafeWorld,
    slotgc::SlotGcWorld, slotmap::SlotMapWorld,
};
use crate::shape::Inputs;
use crate::work::{Bound, Work, size_name};

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

/// A random world.
fn start(old: usize) -> Start {
    let mut random = Random::new(7);
    let cycle = random.order(old);
    let mut edges = vec![[NONE; HOOK]; old];
    for (place, node) in cycle.iter().enumerate() {
        edges[*node as usize] = std::array::from_fn(|_| random.below(old) as u32);
        edges[*node as usize][0] = cycle[(place + 1) % old];
    }
    Start(edges)
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

    /// Draws the next frame, and returns what it adds up to.
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
            let hook = if count < sizes.cached {
                random.below(sizes.cached_hooks)
            } else {
                sizes.cached_hooks + random.below(sizes.hooks - sizes.cached_hooks)
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

/// Runs all frames, and returns the times of those that count.
fn run<G: Game>(old: usize) -> Distribution {
    let sizes = Sizes::of(old);
    let mut game = G::new(&start(old));
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

/// Name, meaning, and how it is computed from the times of a run's frames.
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
        .note(
            &["safe-gc", "dumpster"],
            "collect by themselves; no weak maps: a plain map, cleaned up by hand",
        )
        .note(&["dumpster"], "its nodes are of 88 bytes, since an `Option` of its pointers takes 16");
    match name {
        "median" => work.target("slotmap", 1.15),
        "max" => work.target("slotmap", 1.5).target_of("slotgc", "gc-arena", Bound::AtMost(1.0)),
        _ => work,
    }
}
