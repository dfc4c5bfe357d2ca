//! Minor collections: what they cost, and whether that grows with the number of old objects.
//!
//! Before each, 10k objects are allocated; 2k of them are stored in random old objects, and live on with one
//! more object each. 10k old objects have a [`Root`].

use std::rc::Rc;

use slotgc::{CollectStats, Gc, Heap, Root, Trace};
use slotgc_graphs::{DEGREE, Random};

use crate::clock::Stopwatch;
use crate::distribution::Distribution;
use crate::needs::NODE_BYTES;
use crate::shape::Inputs;
use crate::work::{Bound, Work, size_name};

const YOUNG: usize = 10_000;
const DIRTY: usize = 2_000;
const ROOTS: usize = 10_000;

/// Collections of which the median is taken, after a few that do not count.
const COUNTED: usize = 25;
const UNCOUNTED: usize = 5;

/// The most time that one may take.
const MOST_NS: f64 = 200_000.0;

#[derive(Trace)]
#[repr(C)]
struct Node {
    id: u64,
    edges: [Option<Gc<Node>>; DEGREE],
    fill: [u64; 3],
}

const _: () = assert!(size_of::<Node>() == NODE_BYTES);

/// How the collector learns what the program holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Rooting {
    Roots,
    Source,
}

fn node(id: u64, edges: [Option<Gc<Node>>; DEGREE]) -> Node {
    Node { id, edges, fill: [0; 3] }
}

/// The median of some minor collections above this many old objects.
fn minor(n: usize, rooting: Rooting) -> f64 {
    let mut random = Random::new(9);
    let mut heap = Heap::new();
    let old: Vec<_> = (0..n as u64).map(|id| heap.alloc(node(id, [None; DEGREE]))).collect();
    for from in &old {
        heap[from].edges = std::array::from_fn(|_| Some(old[random.below(n)]));
    }
    let held: Vec<Gc<Node>> = (0..ROOTS).map(|_| old[random.below(n)]).collect();
    let roots: Vec<Root<Node>> = match rooting {
        Rooting::Roots => held.iter().map(|gc| heap.root(gc).expect("a living object")).collect(),
        Rooting::Source => Vec::new(),
    };
    heap.collect_with(&old);

    let mut times = Vec::new();
    for round in 0..UNCOUNTED + COUNTED {
        let living = heap.len();
        let mut young = Vec::new();
        for number in 0..YOUNG {
            let previous = if number % 5 == 1 { young.last().copied() } else { None };
            young.push(heap.alloc(node(number as u64, [previous, None, None, None])));
        }
        for group in young.chunks(YOUNG / DIRTY) {
            let mut place = random.below(n);
            // Each once.
            while heap[old[place]].fill[0] == round as u64 + 1 {
                place = random.below(n);
            }
            let from = &mut heap[old[place]];
            from.edges[DEGREE - 1] = Some(group[1]);
            from.fill[0] = round as u64 + 1;
        }
        let start = Stopwatch::start();
        let stats = match rooting {
            Rooting::Roots => heap.collect_minor(),
            Rooting::Source => heap.collect_minor_with(&held),
        };
        let time = start.elapsed();
        check(&heap, stats, &young, living);
        if round >= UNCOUNTED {
            times.push(time.as_secs_f64() * 1e9);
        }
    }
    drop(roots);
    Distribution::new(times).quantile(0.5)
}

/// Of the 10k, those that were stored live, with what they refer to, and no others.
fn check(heap: &Heap, stats: CollectStats, young: &[Gc<Node>], living: usize) {
    assert_eq!((stats.freed, heap.len()), (YOUNG - 2 * DIRTY, living + 2 * DIRTY), "what dies");
    for (number, gc) in young.iter().enumerate() {
        assert_eq!(heap.get(gc).map(|node| node.id), (number % 5 < 2).then_some(number as u64));
    }
}

pub(super) fn works(inputs: &Rc<Inputs>) -> Vec<Work> {
    let n = inputs.objects;
    let about = format!(
        "ns a minor collection: {YOUNG} young, {DIRTY} changed, {ROOTS} roots; {} old objects, and ten times as many",
        size_name(n)
    );
    let work = Work::new("minor", about)
        .case("slotgc", move || minor(n, Rooting::Roots))
        .case("slotgc:x10", move || minor(10 * n, Rooting::Roots))
        .case("slotgc:source", move || minor(n, Rooting::Source))
        .case("limit:200us", || MOST_NS)
        .target("limit:200us", 1.0)
        .target_of("slotgc:x10", "limit:200us", Bound::AtMost(1.0))
        .target_of("slotgc:source", "limit:200us", Bound::AtMost(1.0))
        .target_of("slotgc:x10", "slotgc", Bound::AtMost(1.15))
        .absent(&["gc-arena", "safe-gc", "boa_gc", "gc", "dumpster", "rust-cc"], "have one generation")
        .note(&["slotgc:x10"], "above ten times as many old objects")
        .note(&["slotgc:source"], "the 10k roots come from a root source");
    vec![work]
}
