//! What it costs to ask why an object is alive, compared with a full collection of the same heap in the same
//! run.
//!
//! ```text
//! taskset -c 1 cargo run --release -p slotgc-inspect --example costs -- [OBJECTS [ROUNDS]]
//! ```
//!
//! A random graph of objects of 64 bytes, four edges each, everything reached from one root. Times are this
//! thread's own processor time, so that a busy machine does not count; medians. Each work checks its result.
//! `petgraph` is `dominators::simple_fast` on the same graph, which gives no retained sizes.

use std::time::Duration;

use petgraph::algo::dominators::simple_fast;
use petgraph::graph::{DiGraph, NodeIndex};
use rustix::time::{ClockId, clock_gettime};
use slotgc::{Gc, Heap, Trace};

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

    fn median(&self, name: &str) -> Duration {
        let mut times = self.rows.iter().find(|(known, _)| *known == name).expect("a known name").1.clone();
        times.sort_unstable();
        times[times.len() / 2]
    }
}

fn main() {
    let mut args = std::env::args().skip(1).map(|arg| arg.parse::<usize>().expect("a number"));
    let (objects, rounds) = (args.next().unwrap_or(1_000_000), args.next().unwrap_or(5));
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
    let mut graph = DiGraph::<(), ()>::with_capacity(objects, 4 * objects);
    let places: Vec<NodeIndex> = (0..objects).map(|_| graph.add_node(())).collect();
    for (from, to) in edges.iter().enumerate() {
        to.iter().for_each(|to| _ = graph.add_edge(places[from], places[*to], ()));
    }

    let first = heap.snapshot();
    let distance = |gc: Gc<Object>| first.get(gc).and_then(|node| node.distance()).expect("all are reached");
    let farthest = nodes.iter().copied().max_by_key(|gc| distance(*gc)).expect("some object");
    let far = distance(farthest);
    drop(first);
    let mut costs = Costs { rows: Vec::new() };
    let (mut file_bytes, mut bare_bytes, mut all_bytes) = (0, 0, 0);
    for _ in 0..rounds {
        let stats = costs.time("full collection", || heap.collect());
        assert_eq!((stats.marked, stats.freed), (objects, 0));
        let path = costs.time("why_alive, farthest", || heap.why_alive(farthest)).expect("it is reached");
        assert_eq!(path.len(), far + 1);
        let snapshot = costs.time("snapshot", || heap.snapshot());
        bare_bytes = snapshot.memory_bytes();
        let root_node = snapshot.get(root.gc()).expect("it is alive");
        assert_eq!(costs.time("dominators, retained", || root_node.retained_len()), objects);
        assert_eq!(
            costs.time("distances", || snapshot.get(farthest).and_then(|node| node.distance())),
            Some(far)
        );
        let referrers =
            costs.time("referrers", || snapshot.get(nodes[1]).expect("alive").referrers().count());
        assert!(referrers > 0);
        let mut file = Vec::with_capacity(file_bytes);
        costs
            .time("write_heapsnapshot", || snapshot.write_heapsnapshot(&mut file))
            .expect("memory takes all");
        file_bytes = file.len();
        let census = costs.time("census", || snapshot.census());
        assert_eq!(census.rows()[0].count, objects);
        all_bytes = snapshot.memory_bytes();
        let found = costs.time("petgraph", || simple_fast(&graph, places[0]));
        assert_eq!(found.root(), places[0]);
    }
    assert_eq!(heap[nodes[1]].id, 1);
    let collection = costs.median("full collection");
    println!("{:22} {:>10} {:>14}", "", "ms", "collections");
    for (name, _) in &costs.rows {
        let time = costs.median(name);
        let ratio = time.as_secs_f64() / collection.as_secs_f64();
        println!("{name:22} {:>10.1} {ratio:>14.2}", time.as_secs_f64() * 1e3);
    }
    let rate = file_bytes as f64 / costs.median("write_heapsnapshot").as_secs_f64() / 1e6;
    println!("file: {file_bytes} bytes, {rate:.0} MB/s");
    let each = |bytes: usize| bytes as f64 / objects as f64;
    println!(
        "snapshot: {:.1} bytes an object, {:.1} with all that is computed",
        each(bare_bytes),
        each(all_bytes)
    );
    drop((heap, graph));
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
    println!("a list of {len}: why_alive of its end {} ms, all on a stack of 128 KiB", path.as_millis());
}
