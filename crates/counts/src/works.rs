//! What is counted: one operation, again and again.

use std::hint::black_box;

use slotgc::{Budget, Gc, Heap, HeapConfig, Trace, WeakValueMap};
use slotgc_graphs::{DEGREE, Graph, NONE};

/// Sixty-four bytes and four edges.
#[derive(Trace, Clone, Copy)]
struct Node {
    edges: [Option<Gc<Node>>; DEGREE],
    id: u64,
    rest: [u64; 3],
}

/// One operation of the heap.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) name: &'static str,
    /// What one count is for.
    pub(crate) unit: &'static str,
    /// Whether it is a whole collection instead of an operation on one object. Its fixed part is large and
    /// varies with what the compiler inlines.
    pub(crate) is_whole: bool,
    /// Counts in one round.
    pub(crate) units: usize,
    /// Prepares, then does this many rounds.
    pub(crate) run: fn(usize),
}

/// Objects of a heap: more than a page has, fewer than make valgrind slow.
const N: usize = 10_000;

pub(crate) const WORKS: &[Work] = &[
    Work { name: "alloc", unit: "object", is_whole: false, units: N, run: alloc },
    Work { name: "get", unit: "call", is_whole: false, units: N, run: |rounds| looks(rounds, look::get) },
    Work {
        name: "get_mut, young or changed",
        unit: "call",
        is_whole: false,
        units: N,
        run: |rounds| changes(rounds, false),
    },
    Work {
        name: "get_mut, first change of an old object",
        unit: "call",
        is_whole: false,
        units: N,
        run: |rounds| changes(rounds, true),
    },
    Work { name: "get_many", unit: "object", is_whole: false, units: N, run: get_many },
    Work { name: "iter", unit: "object", is_whole: false, units: N, run: iter },
    Work { name: "root and drop", unit: "root", is_whole: false, units: N, run: root },
    Work {
        name: "collect, all alive: trace and 4 edges",
        unit: "object",
        is_whole: false,
        units: N,
        run: mark,
    },
    Work {
        name: "alloc, then collect, all dead: sweep",
        unit: "object",
        is_whole: false,
        units: N,
        run: sweep,
    },
    Work { name: "weak map: insert", unit: "entry", is_whole: false, units: N, run: weak_insert },
    Work { name: "weak map: get", unit: "call", is_whole: false, units: N, run: weak_get },
    Work { name: "minor collection, nothing new", unit: "call", is_whole: true, units: 100, run: minor },
    Work { name: "pace, nothing due", unit: "call", is_whole: false, units: N, run: pace },
];

/// Functions whose machine code is looked at too.
pub(crate) mod look {
    use super::{Gc, Heap, Node};

    #[inline(never)]
    pub(super) fn get(heap: &Heap, gc: Gc<Node>) -> Option<&Node> {
        heap.get(gc)
    }
}

/// The end of the path of [`look::get`] in a symbol.
pub(crate) const GET: &str = "works::look::get";

fn heap() -> Heap {
    Heap::with_config(HeapConfig::default())
}

fn node(id: u64) -> Node {
    Node { edges: [None; DEGREE], id, rest: [id; 3] }
}

/// A random graph, all of it reached.
fn graph(heap: &mut Heap) -> (Vec<Gc<Node>>, Vec<slotgc::Root<Node>>) {
    let graph = Graph::random(N);
    let gcs: Vec<Gc<Node>> = (0..N as u64).map(|id| heap.alloc(node(id))).collect();
    for (gc, edges) in gcs.iter().zip(&graph.edges) {
        heap[gc].edges = edges.map(|to| (to != NONE).then(|| gcs[to as usize]));
    }
    let roots = graph.roots.iter().map(|root| heap.root(gcs[*root as usize]).expect("it is alive")).collect();
    (gcs, roots)
}

fn alloc(rounds: usize) {
    let mut heap = heap();
    for id in 0..(rounds * N) as u64 {
        black_box(heap.alloc(node(id)));
    }
}

fn looks(rounds: usize, get: fn(&Heap, Gc<Node>) -> Option<&Node>) {
    let mut heap = heap();
    let (gcs, _roots) = graph(&mut heap);
    let mut sum = 0;
    for _ in 0..rounds {
        sum += gcs.iter().map(|gc| get(&heap, *gc).expect("it is alive").id).sum::<u64>();
    }
    assert_eq!(sum, rounds as u64 * (N * (N - 1) / 2) as u64);
}

/// With a collection before each round all objects are old and unchanged; its own instructions count too.
fn changes(rounds: usize, are_old: bool) {
    let mut heap = heap();
    let (gcs, _roots) = graph(&mut heap);
    for _ in 0..rounds {
        if are_old {
            heap.collect();
        }
        for gc in &gcs {
            heap.get_mut(*gc).expect("it is alive").id += 1;
        }
    }
    assert_eq!(heap[gcs[0]].id, rounds as u64);
}

fn get_many(rounds: usize) {
    let mut heap = heap();
    let (gcs, _roots) = graph(&mut heap);
    let mut sum = 0;
    for _ in 0..rounds {
        sum += heap.get_many(&gcs).map(|node| node.expect("it is alive").id).sum::<u64>();
    }
    assert_eq!(sum, rounds as u64 * (N * (N - 1) / 2) as u64);
}

fn iter(rounds: usize) {
    let mut heap = heap();
    let (_gcs, _roots) = graph(&mut heap);
    let mut sum = 0;
    for _ in 0..rounds {
        sum += heap.iter::<Node>().map(|(_, node)| node.id).sum::<u64>();
    }
    assert_eq!(sum, rounds as u64 * (N * (N - 1) / 2) as u64);
}

fn root(rounds: usize) {
    let mut heap = heap();
    let (gcs, _roots) = graph(&mut heap);
    for gc in gcs.iter().cycle().take(rounds * N) {
        drop(black_box(heap.root(*gc)));
    }
}

fn mark(rounds: usize) {
    let mut heap = heap();
    let (_gcs, _roots) = graph(&mut heap);
    for _ in 0..rounds {
        assert_eq!(heap.collect().freed, 0);
    }
}

fn sweep(rounds: usize) {
    let mut heap = heap();
    for _ in 0..rounds {
        (0..N as u64).for_each(|id| _ = black_box(heap.alloc(node(id))));
        assert_eq!(heap.collect().freed, N);
    }
}

fn weak_insert(rounds: usize) {
    let mut heap = heap();
    let (gcs, _roots) = graph(&mut heap);
    for _ in 0..rounds {
        let mut map = WeakValueMap::new();
        (0..).zip(&gcs).for_each(|(key, gc)| _ = map.insert(key, *gc));
        black_box(&map);
    }
}

fn weak_get(rounds: usize) {
    let mut heap = heap();
    let (gcs, _roots) = graph(&mut heap);
    let mut map = WeakValueMap::new();
    (0..).zip(&gcs).for_each(|(key, gc)| _ = map.insert(key, *gc));
    for key in (0..N as u64).cycle().take(rounds * N) {
        assert!(black_box(map.get(&key)).is_some_and(|weak| heap.is_alive(weak)));
    }
}

fn minor(rounds: usize) {
    let mut heap = heap();
    let (_gcs, _roots) = graph(&mut heap);
    heap.collect();
    (0..100 * rounds).for_each(|_| _ = heap.collect_minor());
}

fn pace(rounds: usize) {
    let mut heap = heap();
    let (_gcs, _roots) = graph(&mut heap);
    heap.collect();
    (0..rounds * N).for_each(|_| _ = black_box(heap.pace(Budget::Objects(100))));
}
