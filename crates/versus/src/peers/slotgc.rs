//! slotgc itself: roots come from a root source, here a vector of handles.

use std::marker::PhantomData;

use slotgc::{Gc, Handle, Heap, Trace};
use slotgc_graphs::DEGREE;

use crate::needs::collect::{Census, Linked};
use crate::needs::iterate::Iterate;
use crate::needs::memory::Meter;
use crate::needs::{Field, Free, Handles, NODE_BYTES};

#[derive(Trace)]
#[repr(C)]
pub(crate) struct Node {
    id: u64,
    edges: [Option<Gc<Node>>; DEGREE],
    fill: [u64; 2],
    tail: u64,
}

impl Node {
    /// A node without edges.
    #[inline(always)]
    pub(crate) fn new(id: u64) -> Self {
        Self { id, edges: [None; DEGREE], fill: [0; 2], tail: id + 1 }
    }
}

const _: () = assert!(size_of::<Node>() == NODE_BYTES);

/// A heap.
#[derive(Debug)]
pub(crate) struct WithPast<P> {
    heap: Heap,
    past: PhantomData<P>,
}

/// A new heap.
pub(crate) type SlotGc = WithPast<New>;

/// What happened to a heap before.
pub(crate) trait Past {
    /// A heap to which that happened.
    fn heap() -> Heap;
}

/// Nothing.
#[derive(Debug)]
pub(crate) struct New;

impl Past for New {
    fn heap() -> Heap {
        Heap::new()
    }
}

impl<P> WithPast<P> {
    /// The heap itself, for what only slotgc has.
    pub(crate) fn heap_mut(&mut self) -> &mut Heap {
        &mut self.heap
    }

    /// Reads, through any handle, the words of a living object that `F` selects.
    #[inline(always)]
    pub(crate) fn read_any<F: Field>(&self, handle: impl Handle<Target = Node>) -> u64 {
        let node = self.heap.get(handle).expect("a living object");
        F::pick(&node.id, &node.tail)
    }
}

impl<P> WithPast<P> {
    /// The sum of the words that `F` selects in living objects, looked up in one call.
    #[inline(always)]
    pub(crate) fn sum_many<F: Field>(&self, handles: &[Gc<Node>]) -> u64 {
        self.heap.get_many(handles).fold(0, |sum, node| {
            let node = node.expect("a living object");
            sum.wrapping_add(F::pick(&node.id, &node.tail))
        })
    }
}

impl<P: Past> Handles for WithPast<P> {
    type Handle = Gc<Node>;

    fn new(_: usize) -> Self {
        Self { heap: P::heap(), past: PhantomData }
    }

    #[inline(always)]
    fn alloc(&mut self, id: u64) -> Gc<Node> {
        self.heap.alloc(Node::new(id))
    }

    #[inline(always)]
    fn read<F: Field>(&self, handle: &Gc<Node>) -> u64 {
        self.read_any::<F>(*handle)
    }
}

impl<P: Past> Free for WithPast<P> {
    fn free(&mut self, dead: Vec<Gc<Node>>, kept: &[Gc<Node>]) {
        let stats = self.heap.collect_with(&kept);
        assert_eq!(stats.freed, dead.len());
    }
}

impl<P: Past> Iterate for WithPast<P> {
    fn sum_of_all(&self) -> u64 {
        self.heap.iter::<Node>().map(|(_, node)| node.id).sum()
    }
}

impl<P: Past> Linked for WithPast<P> {
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

/// See [`crate::needs::memory`].
pub(crate) fn memory<const WORDS: usize>(meter: &mut Meter) {
    let mut heap = Heap::new();
    meter.fill(|id| {
        heap.alloc([id; WORDS]);
    });
}
