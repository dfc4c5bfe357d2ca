//! slotgc itself: roots come from a root source, here a vector of handles.

use slotgc::{Gc, Heap, Trace};

use crate::peers::{Field, Free, Handles, Linked, NODE_BYTES};
use crate::shape::DEGREE;
use crate::work::collect::Census;
use crate::work::memory::Meter;

#[derive(Trace)]
#[repr(C)]
pub(crate) struct Node {
    id: u64,
    edges: [Option<Gc<Node>>; DEGREE],
    fill: [u64; 2],
    tail: u64,
}

const _: () = assert!(size_of::<Node>() == NODE_BYTES);

/// A heap.
#[derive(Debug)]
pub(crate) struct SlotGc {
    heap: Heap,
}

impl Handles for SlotGc {
    type Handle = Gc<Node>;

    fn new(_: usize) -> Self {
        Self { heap: Heap::new() }
    }

    #[inline(always)]
    fn alloc(&mut self, id: u64) -> Gc<Node> {
        self.heap.alloc(Node { id, edges: [None; DEGREE], fill: [0; 2], tail: id + 1 })
    }

    #[inline(always)]
    fn read<F: Field>(&self, handle: &Gc<Node>) -> u64 {
        let node = self.heap.get(*handle).expect("a living object");
        F::pick(&node.id, &node.tail)
    }
}

impl Free for SlotGc {
    fn free(&mut self, dead: Vec<Gc<Node>>, kept: &[Gc<Node>]) {
        let stats = self.heap.collect_with(&kept);
        assert_eq!(stats.freed, dead.len());
    }
}

impl Linked for SlotGc {
    fn link(&mut self, from: &Gc<Node>, to: [Option<&Gc<Node>>; DEGREE]) {
        self.heap[from].edges = to.map(Option::<&Gc<Node>>::copied);
    }

    fn collect(&mut self, roots: &[Gc<Node>]) {
        self.heap.collect_with(&roots);
    }

    fn census(&self) -> Census {
        Census::Count(self.heap.len())
    }

    fn edges(&self, of: &Gc<Node>) -> [Option<Gc<Node>>; DEGREE] {
        self.heap[of].edges
    }
}

/// See [`crate::work::memory`].
pub(crate) fn memory<const WORDS: usize>(meter: &mut Meter) {
    let mut heap = Heap::new();
    meter.fill(|id| {
        heap.alloc([id; WORDS]);
    });
}
