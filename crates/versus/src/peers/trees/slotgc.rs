//! slotgc: after each tree the collector does what is due.

use std::marker::PhantomData;
use std::time::Duration;

use slotgc::{Budget, Gc, Heap, Root, Trace};

use crate::needs::trees::Trees;

#[derive(Trace)]
struct Node {
    left: Option<Gc<Node>>,
    right: Option<Gc<Node>>,
}

/// How the program collects.
pub(crate) trait Way {
    /// After each tree.
    fn collect(heap: &mut Heap);
}

/// `pace`, a millisecond at a time.
#[derive(Debug)]
pub(crate) struct Pace;

/// Whole collections, whenever one is due.
#[derive(Debug)]
pub(crate) struct WhenDue;

impl Way for Pace {
    fn collect(heap: &mut Heap) {
        heap.pace(Budget::Time(Duration::from_millis(1)));
    }
}

impl Way for WhenDue {
    fn collect(heap: &mut Heap) {
        if heap.is_due() {
            heap.collect();
        }
    }
}

/// A heap.
#[derive(Debug)]
pub(crate) struct SlotGcTrees<W> {
    heap: Heap,
    kept: Option<Root<Node>>,
    way: PhantomData<W>,
}

fn build(heap: &mut Heap, depth: u32) -> Gc<Node> {
    let mut child = || (depth > 0).then(|| build(heap, depth - 1));
    let (left, right) = (child(), child());
    heap.alloc(Node { left, right })
}

fn count(heap: &Heap, tree: Gc<Node>) -> u64 {
    let Node { left, right } = &heap[tree];
    1 + [left, right].into_iter().flatten().map(|child| count(heap, *child)).sum::<u64>()
}

impl<W: Way> Trees for SlotGcTrees<W> {
    fn new() -> Self {
        Self { heap: Heap::new(), kept: None, way: PhantomData }
    }

    fn keep(&mut self, depth: u32) {
        let tree = build(&mut self.heap, depth);
        self.kept = self.heap.root(tree);
    }

    fn count_kept(&self) -> u64 {
        self.kept.as_ref().map_or(0, |tree| count(&self.heap, tree.gc()))
    }

    fn pass(&mut self, depth: u32) -> u64 {
        let tree = build(&mut self.heap, depth);
        let nodes = count(&self.heap, tree);
        W::collect(&mut self.heap);
        nodes
    }

    fn living(&mut self) -> Option<u64> {
        self.heap.collect();
        Some(self.heap.len() as u64)
    }
}
