//! How long does it take to mark an object, by the shape of the graph that it is in?
//!
//! The time is `CollectStats::mark_time` of full collections in which nothing dies: from clearing the marks
//! until the last object is traced.
//!
//! `naive_*` is the collector that one writes first, over the same graph: a stack, a bitmap, and a vector of
//! objects with 4-byte indices for edges. In `naive_72_bytes` objects are as large as one of our slots, in
//! `naive_16_bytes` they are only the edges. They are limits for the shapes in which the next object is
//! already in the cache, and show what prefetching gains in the others. A limit with prefetching needs
//! `unsafe`: it is in `crates/versus`.
//!
//! Do not conclude: that a pause is this long (weak collections, sweeping and destructors come on top; a
//! graph that the program has just used is in the cache, another is not); that a list is slow to trace (its
//! links are followed one after the other, so nothing overlaps: in random order each object is a cache miss,
//! with any collector); that types cost nothing (16 of them here share all the work equally).

mod ephemerons;
mod stale;
mod types;

use std::hint::black_box;
use std::time::Duration;

use slotgc::{CollectStats, Gc, Heap, Root, Trace};
use slotgc_graphs::{DEGREE, Graph, NONE, Random};

use crate::heaps::{Node, build};
use crate::{Question, timed};

/// Builds a graph of this many objects.
type Shape = fn(usize) -> Graph;

pub(crate) fn ask(question: &mut Question<'_>) {
    let n = question.objects;
    let shapes: [(&str, Shape, usize); 4] = [
        ("random", Graph::random, 0),
        ("tree", Graph::tree_by_level, 0),
        ("list", Graph::list, 0),
        ("list_in_reverse", Graph::list_in_reverse, n - 1),
    ];
    for (name, shape, root) in shapes {
        let make = || Rooted::<3>::build(&shape(n), root);
        question.case(name, n, make, |graph| mark(&mut graph.heap, n));
        naive::<18>(question, &format!("naive_72_bytes_{name}"), shape, root);
        naive::<4>(question, &format!("naive_16_bytes_{name}"), shape, root);
    }
    // 56 bytes and the header are one cache line.
    let make = || Rooted::<2>::build(&Graph::random(n), 0);
    question.case("random_56_bytes", n, make, |graph| mark(&mut graph.heap, n));
    question.case("star", n, || Star::build(n, false), |star| mark(&mut star.heap, n + 1));
    question.case("star_shuffled", n, || Star::build(n, true), |star| mark(&mut star.heap, n + 1));
    roots(question);
    types::ask(question);
    stale::ask(question);
    ephemerons::ask(question);
}

/// A collection that reaches exactly `n` objects and frees none.
fn mark(heap: &mut Heap, n: usize) -> Duration {
    mark_time(heap.collect(), n)
}

fn mark_time(stats: CollectStats, n: usize) -> Duration {
    assert_eq!((stats.marked, stats.freed), (n, 0), "everything is reached");
    stats.mark_time
}

/// A graph that one root keeps alive.
struct Rooted<const FILL: usize> {
    heap: Heap,
    _root: Root<Node<FILL>>,
}

impl<const FILL: usize> Rooted<FILL> {
    fn build(graph: &Graph, root: usize) -> Self {
        let mut heap = Heap::new();
        let nodes = build::<FILL>(graph, &mut heap);
        let root = heap.root(nodes[root]).expect("a living object");
        Self { heap, _root: root }
    }
}

/// One object with an edge to each of the others.
struct Star {
    heap: Heap,
    _center: Root<Center>,
}

#[derive(Trace)]
struct Center(Vec<Gc<Node>>);

impl Star {
    fn build(n: usize, shuffled: bool) -> Self {
        let mut heap = Heap::new();
        let mut nodes: Vec<_> = (0..n as u64).map(|id| heap.alloc(Node::new(id))).collect();
        if shuffled {
            Random::new(5).shuffle(&mut nodes);
        }
        let center = heap.alloc_root(Center(nodes));
        Self { heap, _center: center }
    }
}

/// Objects without edges, in allocation order: each with a root, and from one root source.
fn roots(question: &mut Question<'_>) {
    let n = question.objects;
    let make = || {
        let mut heap = Heap::new();
        let roots: Vec<Root<Node>> = (0..n as u64).map(|id| heap.alloc_root(Node::new(id))).collect();
        (heap, roots)
    };
    question.case("roots", n, make, |(heap, _)| mark(heap, n));
    let make = || {
        let mut heap = Heap::new();
        let handles: Vec<Gc<Node>> = (0..n as u64).map(|id| heap.alloc(Node::new(id))).collect();
        (heap, handles)
    };
    question.case("root_source", n, make, |(heap, handles)| mark_time(heap.collect_with(handles), n));
}

/// A heap of objects of `WORDS` times four bytes, starting with their edges.
struct Naive<const WORDS: usize> {
    objects: Vec<[u32; WORDS]>,
    marked: Vec<u64>,
    stack: Vec<u32>,
}

fn naive<const WORDS: usize>(question: &mut Question<'_>, name: &str, shape: Shape, root: usize) {
    let n = question.objects;
    question.case(
        name,
        n,
        || Naive::<WORDS>::build(&shape(n)),
        |heap| {
            let (time, marked) = timed(|| heap.mark(root as u32));
            assert_eq!(marked, n);
            time
        },
    );
}

impl<const WORDS: usize> Naive<WORDS> {
    fn build(graph: &Graph) -> Self {
        let object =
            |edges: &[u32; DEGREE]| std::array::from_fn(|word| edges.get(word).copied().unwrap_or_default());
        let objects: Vec<_> = graph.edges.iter().map(object).collect();
        let marked = vec![0; objects.len().div_ceil(64)];
        Self { objects, marked, stack: Vec::new() }
    }

    /// Marks what the root reaches and returns how many objects that is.
    fn mark(&mut self, root: u32) -> usize {
        let Self { objects, marked, stack } = self;
        marked.fill(0);
        let mut push = |stack: &mut Vec<u32>, object: u32| {
            let (word, bit) = (&mut marked[object as usize / 64], 1 << (object % 64));
            if *word & bit == 0 {
                *word |= bit;
                stack.push(object);
            }
        };
        let mut count = 0;
        push(stack, root);
        while let Some(object) = stack.pop() {
            count += 1;
            let edges = &black_box(&*objects)[object as usize][..DEGREE];
            edges.iter().filter(|edge| **edge != NONE).for_each(|edge| push(stack, *edge));
        }
        count
    }
}
