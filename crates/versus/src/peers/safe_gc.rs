//! safe-gc: a heap without unsafe code. `alloc` roots what it makes, and collects when the heap is full;
//! neither can be turned off, so roots are kept where objects are to survive the next allocation.
//!
//! Its handles have no niche, so that four optional edges take 48 of a node's 64 bytes.

use std::panic::{self, AssertUnwindSafe};

use safe_gc::{Collector, Gc, Heap, Root, Trace};
use slotgc_graphs::DEGREE;

use crate::needs::collect::{Census, Linked};
use crate::needs::memory::Meter;
use crate::needs::{Field, Free, Handles, NODE_BYTES};
use crate::work::touched;

#[repr(C)]
pub(crate) struct Node {
    id: u64,
    edges: [Option<Gc<Node>>; DEGREE],
    tail: u64,
}

const _: () = assert!(size_of::<Node>() == NODE_BYTES);

impl Trace for Node {
    fn trace(&self, collector: &mut Collector) {
        self.edges.iter().flatten().for_each(|edge| collector.edge(*edge));
    }
}

/// One object in this many is checked for being alive.
const SAMPLED: usize = 1009;

/// A heap.
pub(crate) struct SafeGc {
    heap: Heap,
    sample: Vec<Gc<Node>>,
}

impl Handles for SafeGc {
    type Handle = Root<Node>;

    fn new(_: usize) -> Self {
        Self { heap: Heap::new(), sample: Vec::new() }
    }

    #[inline(always)]
    fn alloc(&mut self, id: u64) -> Root<Node> {
        self.heap.alloc(Node { id, edges: [None; DEGREE], tail: id + 1 })
    }

    #[inline(always)]
    fn read<F: Field>(&self, handle: &Root<Node>) -> u64 {
        let node = self.heap.get(handle);
        F::pick(&node.id, &node.tail)
    }
}

/// A heap whose handles are not roots: what a lookup takes.
pub(crate) struct Unrooted {
    heap: Heap,
    roots: Vec<Root<Node>>,
}

impl Handles for Unrooted {
    type Handle = Gc<Node>;

    fn new(objects: usize) -> Self {
        Self { heap: Heap::new(), roots: Vec::with_capacity(objects) }
    }

    fn alloc(&mut self, id: u64) -> Gc<Node> {
        self.roots.push(self.heap.alloc(Node { id, edges: [None; DEGREE], tail: id + 1 }));
        self.roots[self.roots.len() - 1].unrooted()
    }

    #[inline(always)]
    fn read<F: Field>(&self, handle: &Gc<Node>) -> u64 {
        let node = self.heap.get(*handle);
        F::pick(&node.id, &node.tail)
    }
}

impl Free for SafeGc {
    fn free(&mut self, dead: Vec<Root<Node>>, _: &[Root<Node>]) {
        drop(dead);
        self.heap.gc();
    }
}

impl Linked for SafeGc {
    fn link(&mut self, from: &Root<Node>, to: [Option<&Root<Node>>; DEGREE]) {
        self.heap[from].edges = to.map(|edge| edge.map(Root::unrooted));
    }

    fn remember(&mut self, handles: &[Root<Node>]) {
        self.sample = handles.iter().step_by(SAMPLED).map(Root::unrooted).collect();
    }

    fn collect(&mut self, _: &[Root<Node>]) {
        self.heap.gc();
    }

    /// There is no count. Looking up a dead object panics.
    fn census(&self) -> Census {
        let hook = panic::take_hook();
        panic::set_hook(Box::new(|_| {}));
        let lives = |gc: &Gc<Node>| panic::catch_unwind(AssertUnwindSafe(|| self.heap.get(*gc).id)).is_ok();
        let sample = self.sample.iter().enumerate().map(|(place, gc)| (place * SAMPLED, lives(gc))).collect();
        panic::set_hook(hook);
        Census::Sample(sample)
    }

    fn edges(&self, of: &Root<Node>) -> [Option<Root<Node>>; DEGREE] {
        self.heap[of].edges.map(|edge| edge.map(|gc| self.heap.root(gc)))
    }
}

struct Blob<const WORDS: usize>([u64; WORDS]);

impl<const WORDS: usize> Trace for Blob<WORDS> {
    fn trace(&self, _: &mut Collector) {}
}

/// Keeps objects alive without a root for each of them.
struct Keep<const WORDS: usize>(Vec<Gc<Blob<WORDS>>>);

impl<const WORDS: usize> Trace for Keep<WORDS> {
    fn trace(&self, collector: &mut Collector) {
        self.0.iter().for_each(|gc| collector.edge(*gc));
    }
}

/// See [`crate::needs::memory`].
pub(crate) fn memory<const WORDS: usize>(meter: &mut Meter) {
    let mut heap = Heap::new();
    let keep = heap.alloc(Keep(touched(meter.most_objects())));
    meter.fill(|id| {
        let blob = heap.alloc(Blob([id; WORDS])).unrooted();
        heap[&keep].0.push(blob);
    });
    let first = heap[&keep].0[0];
    assert_eq!(heap[first].0[0], 0);
}
