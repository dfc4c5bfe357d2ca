//! boa_gc: the collector of the Boa JavaScript engine. Its heap belongs to the thread; handles outside of it
//! are roots. There is no way to set when it collects: its threshold of bytes grows after collections that
//! free little.

use boa_gc::{Finalize, Gc, GcRefCell, Trace, force_collect};
use slotgc_graphs::DEGREE;

use crate::needs::collect::{Census, Linked};
use crate::needs::memory::Meter;
use crate::needs::{Field, Free, Handles, NODE_BYTES};

// Without the destructor that calls `finalize`: nothing here needs one.
#[derive(Trace, Finalize)]
#[boa_gc(unsafe_no_drop)]
#[repr(C)]
pub(crate) struct Node {
    id: u64,
    edges: GcRefCell<[Option<Gc<Node>>; DEGREE]>,
    fill: u64,
    tail: u64,
}

const _: () = assert!(size_of::<Node>() == NODE_BYTES);

/// The thread's heap.
#[derive(Debug)]
pub(crate) struct BoaGc;

impl Drop for BoaGc {
    /// Leaves nothing for the next case.
    fn drop(&mut self) {
        force_collect();
    }
}

impl Handles for BoaGc {
    type Handle = Gc<Node>;

    fn new(_: usize) -> Self {
        Self
    }

    #[inline(always)]
    fn alloc(&mut self, id: u64) -> Gc<Node> {
        Gc::new(Node { id, edges: GcRefCell::default(), fill: 0, tail: id + 1 })
    }

    #[inline(always)]
    fn read<F: Field>(&self, handle: &Gc<Node>) -> u64 {
        F::pick(&handle.id, &handle.tail)
    }
}

impl Free for BoaGc {
    fn free(&mut self, dead: Vec<Gc<Node>>, _: &[Gc<Node>]) {
        drop(dead);
        force_collect();
    }
}

impl Linked for BoaGc {
    fn link(&mut self, from: &Gc<Node>, to: [Option<&Gc<Node>>; DEGREE]) {
        *from.edges.borrow_mut() = to.map(Option::<&Gc<Node>>::cloned);
    }

    fn collect(&mut self, _: &[Gc<Node>]) {
        force_collect();
    }

    fn census(&self) -> Census {
        Census::AskMalloc
    }

    fn edges(&self, of: &Gc<Node>) -> [Option<Gc<Node>>; DEGREE] {
        of.edges.borrow().clone()
    }
}

/// See [`crate::needs::memory`].
pub(crate) fn memory<const WORDS: usize>(meter: &mut Meter) {
    meter.fill(|id| std::mem::forget(Gc::new([id; WORDS])));
}
