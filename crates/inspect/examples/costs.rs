//! What it costs to ask why an object is alive, compared with a full collection of the same heap in the same
//! run.
//!
//! ```text
//! taskset -c 1 cargo run --release -p slotgc-inspect --example costs -- [OBJECTS [ROUNDS]]
//! ```
//!
//! A random graph of objects of 64 bytes, four edges each, everything reached from one root. Times are this
//! thread's own processor time, so that a busy machine does not count; medians over the rounds, of ratios too:
//! each is that of two times of one round. Each work checks its result. `petgraph` is
//! `dominators::simple_fast` on the same graph, which computes no retained sizes.
//!
//! Do not conclude that the heap of a game takes as long. It has more structure than a random graph, and a
//! full collection of it takes less.

use std::time::Duration;

use petgraph::algo::dominators::simple_fast;
use petgraph::graph::{DiGraph, NodeIndex};
use rustix::time::{ClockId, clock_gettime};
use slotgc::{Gc, Heap, Root, Trace};

#[derive(Trace)]
struct Object {
    id: u64,
    edges: [Option<Gc<Object>>; 4],
    #[trace(skip)]
    _fill: [u64; 2],
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((u128::from(mixed ^ (mixed >> 31)) * limit as u128) >> 64) as usize
    }
}

/// Processor time of this thread.
fn now() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// The times of each work, by round.
#[derive(Default)]
struct Costs {
    rows: Vec<(&'static str, Vec<Duration>)>,
}

impl Costs {
    fn time<R>(&mut self, name: &'static str, work: impl FnOnce() -> R) -> R {
        let start = now();
        let result = work();
        let time = now() - start;
        match self.rows.iter_mut().find(|(known, _)| *known == name) {
            Some((_, times)) => times.push(time),
            None => self.rows.push((name, vec![time])),
        }
        result
    }

    fn of(&self, name: &str) -> impl Iterator<Item = f64> {
        let (_, times) = self.rows.iter().find(|(known, _)| *known == name).expect("a known name");
        times.iter().map(Duration::as_secs_f64)
    }

    fn seconds(&self, name: &str) -> f64 {
        median(self.of(name))
    }

    fn ratio(&self, name: &str, other: &str) -> f64 {
        median(self.of(name).zip(self.of(other)).map(|(a, b)| a / b))
    }
}

fn median(numbers: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = numbers.collect();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// The objects, the one farthest from the root, and the same graph for petgraph.
struct World {
    heap: Heap,
    root: Root<Object>,
    nodes: Vec<Gc<Object>>,
    farthest: Gc<Object>,
    distance: usize,
    graph: DiGraph<(), ()>,
}

impl World {
    fn new(objects: usize) -> Self {
        let mut random = Random(1);
        let mut heap = Heap::new();
        let bare = |id| Object { id, edges: [None; 4], _fill: [0; 2] };
        let nodes: Vec<Gc<Object>> = (0..objects as u64).map(|id| heap.alloc(bare(id))).collect();
        // The first edges make one cycle through all, in random order.
        let mut order: Vec<usize> = (0..objects).collect();
        (1..objects).rev().for_each(|last| order.swap(last, random.below(last + 1)));
        let mut edges = vec![[0; 4]; objects];
        for (place, from) in order.iter().enumerate() {
            let next = order[(place + 1) % objects];
            edges[*from] = [next, random.below(objects), random.below(objects), random.below(objects)];
            heap[nodes[*from]].edges = edges[*from].map(|to| Some(nodes[to]));
        }
        let root = heap.root(nodes[0]).expect("it is alive");
        let mut graph = DiGraph::with_capacity(objects, 4 * objects);
        let places: Vec<NodeIndex> = (0..objects).map(|_| graph.add_node(())).collect();
        for (from, to) in edges.iter().enumerate() {
            to.iter().for_each(|to| _ = graph.add_edge(places[from], places[*to], ()));
        }
        let snapshot = heap.snapshot();
        let distance =
            |gc: Gc<Object>| snapshot.get(gc).and_then(|node| node.distance()).expect("all are reached");
        let farthest = nodes.iter().copied().max_by_key(|gc| distance(*gc)).expect("some object");
        let distance = distance(farthest);
        Self { heap, root, nodes, farthest, distance, graph }
    }

    fn round(&mut self, costs: &mut Costs) -> Bytes {
        let Self { heap, root, nodes, farthest, distance, graph } = self;
        let stats = costs.time(COLLECTION, || heap.collect());
        assert_eq!((stats.marked, stats.freed), (nodes.len(), 0));
        let path = costs.time("why_alive, farthest", || heap.why_alive(*farthest)).expect("it is reached");
        assert_eq!(path.len(), *distance + 1);
        let snapshot = costs.time("snapshot", || heap.snapshot());
        let bare = snapshot.memory_bytes();
        let root_node = snapshot.get(root.gc()).expect("it is alive");
        assert_eq!(costs.time(DOMINATORS, || root_node.retained_len()), nodes.len());
        let found = costs.time(PETGRAPH, || simple_fast(&*graph, NodeIndex::new(0)));
        assert_eq!(found.root(), NodeIndex::new(0));
        let far = snapshot.get(*farthest).expect("it is alive");
        assert_eq!(costs.time("distances", || far.distance()), Some(*distance));
        let second = snapshot.get(nodes[1]).expect("it is alive");
        assert!(costs.time("referrers", || second.referrers().count()) > 0);
        // Large enough that writing allocates nothing.
        let mut file = Vec::with_capacity(100 * nodes.len() + (64 << 10));
        costs.time(WRITE, || snapshot.write_heapsnapshot(&mut file)).expect("memory takes all");
        let census = costs.time("census", || snapshot.census());
        assert_eq!(census.rows()[0].count, nodes.len());
        assert_eq!(heap[nodes[1]].id, 1);
        Bytes { file: file.len(), bare, all: snapshot.memory_bytes() }
    }
}

/// What a file and a snapshot take, and a snapshot with all that is computed of it.
struct Bytes {
    file: usize,
    bare: usize,
    all: usize,
}

const COLLECTION: &str = "full collection";
const DOMINATORS: &str = "dominators, retained";
const PETGRAPH: &str = "petgraph";
const WRITE: &str = "write_heapsnapshot";

fn main() {
    let mut args = std::env::args().skip(1).map(|arg| arg.parse::<usize>().expect("a number"));
    let (objects, rounds) = (args.next().unwrap_or(1_000_000), args.next().unwrap_or(5).max(1));
    run(objects, rounds);
}

fn run(objects: usize, rounds: usize) {
    let mut world = World::new(objects);
    let mut costs = Costs::default();
    let bytes = (0..rounds).map(|_| world.round(&mut costs)).last().expect("at least one round");
    drop(world);
    println!("{:22} {:>10} {:>12}", "", "ms", "collections");
    for (name, _) in &costs.rows {
        println!("{name:22} {:>10.1} {:>12.2}", costs.seconds(name) * 1e3, costs.ratio(name, COLLECTION));
    }
    let each = |bytes: usize| bytes as f64 / objects as f64;
    println!("a snapshot with everything computed takes {:.1} bytes per object\n", each(bytes.all));
    println!("{:38} {:>10} {:>10}", "", "is", "goal");
    let goals = [
        ("why_alive, farthest / full collection", costs.ratio("why_alive, farthest", COLLECTION), "<= 4"),
        ("snapshot / full collection", costs.ratio("snapshot", COLLECTION), "<= 12"),
        ("dominators, retained: s", costs.seconds(DOMINATORS), "<= 1.5"),
        ("dominators, retained / petgraph", costs.ratio(DOMINATORS, PETGRAPH), "<= 3"),
        ("write_heapsnapshot: MB/s", bytes.file as f64 / costs.seconds(WRITE) / 1e6, ">= 100"),
        ("snapshot: bytes per object", each(bytes.bare), "<= 100"),
    ];
    for (name, is, goal) in goals {
        println!("{name:38} {is:>10.2} {goal:>10}");
    }
    let small_stack = std::thread::Builder::new().stack_size(128 << 10);
    let list = small_stack.spawn(move || long_list(10 * objects)).expect("a thread");
    list.join().expect("it overflows no stack");
}

/// The deepest graph there is: nothing may recurse on it.
fn long_list(len: usize) {
    struct Link(Option<Gc<Link>>);
    impl Trace for Link {
        fn trace(&self, tracer: &mut slotgc::Tracer<'_>) {
            self.0.trace(tracer);
        }
    }
    let mut heap = Heap::new();
    let first = heap.alloc(Link(None));
    let head = (1..len).fold(first, |next, _| heap.alloc(Link(Some(next))));
    let root = heap.root(head).expect("it is alive");
    let start = now();
    assert_eq!(heap.why_alive(first).expect("it is reached").len(), len);
    let path = now() - start;
    let snapshot = heap.snapshot();
    assert_eq!(snapshot.get(root.gc()).expect("it is alive").retained_len(), len);
    assert_eq!(snapshot.get(first).expect("it is alive").distance(), Some(len - 1));
    println!("\na list of {len}: why_alive of its end {} ms, all on a stack of 128 KiB", path.as_millis());
}

#[test]
fn a_small_run_checks_out() {
    run(1000, 1);
}
