//! What does a frame of a game that calls `pace` at its end cost?
//!
//! A fifth of the objects (200k of a million) live long. A frame allocates a fortieth of that (5k), each with
//! edges to two old objects that it reads; changes 3 old edges in 400 (1.5k); and stores every tenth of the
//! new objects (500) in old ones, where it replaces an earlier one. The time is that of a whole frame.
//! `no_pace` never collects, and its heap is dropped when memory has doubled: what the program costs by
//! itself. `by_hand` is slotmap, freed by a program that knows what died: the floor. `collect` is a full
//! collection each frame.
//!
//! Do not conclude: how long the worst frame is (these are means; `crates/versus` has the longest, and other
//! collectors); that the difference between `pace` and `no_pace` is the cost of `pace` (a heap that is
//! collected is smaller and stays in the cache); that a program can free by hand (this one is told what died,
//! which is what a collector finds out).

use std::time::Duration;

use slotgc::{Budget, Gc, Heap, Root, Trace};
use slotgc_graphs::{DEGREE, Graph, NONE, Random};
use slotmap::{DefaultKey, SlotMap};

use crate::{Question, timed};

/// The edge on which new objects are stored.
const HOOK: usize = 3;

/// One in this many new objects is stored.
const STORED: usize = 10;

pub(crate) fn ask(question: &mut Question<'_>) {
    let n = question.objects / 5;
    let case = |at_end: fn(&mut Heap)| {
        move |world: &mut (Plan, Collected)| {
            let (plan, game) = world;
            let (time, sum) = timed(|| {
                let sum = game.play(plan);
                at_end(&mut game.heap);
                sum
            });
            plan.check_and_draw(sum);
            time
        }
    };
    let make = || (Plan::new(n), Collected::new(n));
    question.case("pace", 1, make, case(|heap| _ = heap.pace(Budget::Time(Duration::from_millis(1)))));
    question.case("pace_10k_objects", 1, make, case(|heap| _ = heap.pace(Budget::Objects(10_000))));
    question.case("collect", 1, make, case(|heap| _ = heap.collect()));
    question.case("no_pace", 1, make, |world| {
        if world.1.heap.len() > 2 * n {
            world.1 = Collected::new(n);
        }
        case(|_| {})(world)
    });
    question.case(
        "by_hand",
        1,
        || (Plan::new(n), ByHand::new(n)),
        |(plan, game)| {
            let (time, sum) = timed(|| game.play(plan));
            plan.check_and_draw(sum);
            assert!(game.map.len() <= n + n / 20, "what died was removed");
            time
        },
    );
}

/// What happens in a frame.
struct Plan {
    random: Random,
    old: usize,
    /// The two old objects of each new one.
    young: Vec<[usize; 2]>,
    /// An old object and what an edge of it refers to from now on.
    rewired: Vec<[usize; 2]>,
    /// The old objects in which new ones are stored.
    hooks: Vec<usize>,
}

impl Plan {
    fn new(old: usize) -> Self {
        let mut plan =
            Self { random: Random::new(12), old, young: Vec::new(), rewired: Vec::new(), hooks: Vec::new() };
        plan.draw();
        plan
    }

    fn draw(&mut self) {
        let Self { random, old, .. } = self;
        let mut pairs =
            |len: usize| (0..len).map(|_| [random.below(*old), random.below(*old)]).collect::<Vec<_>>();
        self.young = pairs(*old / 40);
        self.rewired = pairs(*old * 3 / 400);
        // One old object in twenty has room for one.
        self.hooks = (0..*old / 40 / STORED).map(|_| random.below(*old / 20) * 20).collect();
    }

    /// The ids of all old objects read must add up.
    fn check_and_draw(&mut self, sum: u64) {
        assert_eq!(sum, self.young.iter().flatten().map(|old| *old as u64).sum::<u64>());
        self.draw();
    }
}

#[derive(Trace)]
struct Thing {
    id: u64,
    edges: [Option<Gc<Thing>>; DEGREE],
    fill: [u64; 3],
}

const _: () = assert!(size_of::<Thing>() == 64);

/// The edges of the old objects: the first edges join them into a ring, so that all are reached whatever a
/// frame rewires, and the hook edge is empty.
fn old_edges(n: usize) -> Vec<[u32; DEGREE]> {
    let mut edges = Graph::random(n).edges;
    let ring = Random::new(13).order(n);
    for (place, node) in ring.iter().enumerate() {
        let edges = &mut edges[*node as usize];
        edges[0] = ring[(place + 1) % n];
        edges[HOOK] = NONE;
    }
    edges
}

/// A world that is collected.
struct Collected {
    heap: Heap,
    old: Vec<Gc<Thing>>,
    young: Vec<Gc<Thing>>,
    _root: Root<Thing>,
}

impl Collected {
    fn new(n: usize) -> Self {
        let mut heap = Heap::new();
        let thing = |id| Thing { id, edges: [None; DEGREE], fill: [0; 3] };
        let old: Vec<_> = (0..n as u64).map(|id| heap.alloc(thing(id))).collect();
        for (from, edges) in old.iter().zip(old_edges(n)) {
            heap[from].edges = edges.map(|edge| old.get(edge as usize).copied());
        }
        let root = heap.root(old[0]).expect("a living object");
        let stats = heap.collect();
        assert_eq!(stats.marked, n, "all is reached");
        Self { heap, old, young: Vec::new(), _root: root }
    }

    fn play(&mut self, plan: &Plan) -> u64 {
        let Self { heap, old, young, .. } = self;
        let mut sum = 0;
        young.clear();
        for [first, second] in &plan.young {
            let (first, second) = (old[*first], old[*second]);
            sum += heap[first].id + heap[second].id;
            let edges = [Some(first), Some(second), None, None];
            young.push(heap.alloc(Thing { id: sum, edges, fill: [0; 3] }));
        }
        for [from, to] in &plan.rewired {
            heap[old[*from]].edges[1] = Some(old[*to]);
        }
        for (hook, young) in plan.hooks.iter().zip(young.iter().step_by(STORED)) {
            heap[old[*hook]].edges[HOOK] = Some(*young);
        }
        sum
    }
}

struct Item {
    id: u64,
    edges: [Option<DefaultKey>; DEGREE],
    #[expect(dead_code, reason = "makes it as large as `Thing`")]
    fill: [u64; 3],
}

const _: () = assert!(size_of::<Item>() == 64);

/// The same, freed by hand.
struct ByHand {
    map: SlotMap<DefaultKey, Item>,
    old: Vec<DefaultKey>,
    young: Vec<DefaultKey>,
}

impl ByHand {
    fn new(n: usize) -> Self {
        let mut map = SlotMap::new();
        let item = |id| Item { id, edges: [None; DEGREE], fill: [0; 3] };
        let old: Vec<_> = (0..n as u64).map(|id| map.insert(item(id))).collect();
        for (from, edges) in old.iter().zip(old_edges(n)) {
            map[*from].edges = edges.map(|edge| old.get(edge as usize).copied());
        }
        Self { map, old, young: Vec::new() }
    }

    fn play(&mut self, plan: &Plan) -> u64 {
        let Self { map, old, young } = self;
        let mut sum = 0;
        for [first, second] in &plan.young {
            let (first, second) = (old[*first], old[*second]);
            sum += map[first].id + map[second].id;
            let edges = [Some(first), Some(second), None, None];
            young.push(map.insert(Item { id: sum, edges, fill: [0; 3] }));
        }
        for [from, to] in &plan.rewired {
            map[old[*from]].edges[1] = Some(old[*to]);
        }
        for (hook, young) in plan.hooks.iter().zip(young.iter().step_by(STORED)) {
            if let Some(dead) = map[old[*hook]].edges[HOOK].replace(*young) {
                map.remove(dead);
            }
        }
        for (number, young) in young.drain(..).enumerate() {
            if number % STORED != 0 || number / STORED >= plan.hooks.len() {
                map.remove(young);
            }
        }
        sum
    }
}
