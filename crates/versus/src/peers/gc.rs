//! gc (rust-gc): its heap belongs to the thread; handles outside of it are roots. Marks by recursion.
//!
//! An `Option` of its pointers takes 16 bytes, so that edges are an enum of arrays instead: 64 bytes hold
//! four.
#![expect(unsafe_code, reason = "its trait is unsafe, and its derive macro adds a destructor to types")]

use gc::{Finalize, Gc, GcCell, Trace, configure, custom_trace, force_collect, unsafe_empty_trace};
use slotgc_graphs::DEGREE;

use crate::needs::collect::{Census, Linked};
use crate::needs::memory::Meter;
use crate::needs::{Field, Free, Handles, NODE_BYTES};

enum Edges {
    None,
    One([Gc<Node>; 1]),
    Two([Gc<Node>; 2]),
    Three([Gc<Node>; 3]),
    Four([Gc<Node>; DEGREE]),
}

impl Edges {
    fn new(edges: [Option<&Gc<Node>>; DEGREE]) -> Self {
        let edges: Vec<_> = edges.into_iter().flatten().cloned().collect();
        match edges.len() {
            0 => Self::None,
            1 => Self::One(take(edges)),
            2 => Self::Two(take(edges)),
            3 => Self::Three(take(edges)),
            _ => Self::Four(take(edges)),
        }
    }

    fn as_slice(&self) -> &[Gc<Node>] {
        match self {
            Self::None => &[],
            Self::One(edges) => edges,
            Self::Two(edges) => edges,
            Self::Three(edges) => edges,
            Self::Four(edges) => edges,
        }
    }
}

fn take<T, const N: usize>(items: Vec<T>) -> [T; N] {
    items.try_into().unwrap_or_else(|_| panic!("the number of edges was counted"))
}

impl Finalize for Edges {}

// SAFETY: marks every pointer in it.
unsafe impl Trace for Edges {
    custom_trace!(this, {
        // SAFETY: the macro's methods are called under the conditions that `mark` requires.
        this.as_slice().iter().for_each(|edge| unsafe { mark(edge) });
    });
}

#[repr(C)]
pub(crate) struct Node {
    id: u64,
    edges: GcCell<Edges>,
    tail: u64,
}

const _: () = assert!(size_of::<Node>() == NODE_BYTES);

impl Finalize for Node {}

// SAFETY: marks the only field that holds pointers.
unsafe impl Trace for Node {
    custom_trace!(this, {
        // SAFETY: the macro's methods are called under the conditions that `mark` requires.
        unsafe { mark(&this.edges) };
    });
}

/// The thread's heap.
#[derive(Debug)]
pub(crate) struct RustGc;

impl Drop for RustGc {
    /// Leaves nothing for the next case.
    fn drop(&mut self) {
        force_collect();
    }
}

impl Handles for RustGc {
    type Handle = Gc<Node>;

    /// Collections happen only on request.
    fn new(_: usize) -> Self {
        configure(|config| config.threshold = usize::MAX);
        Self
    }

    #[inline(always)]
    fn alloc(&mut self, id: u64) -> Gc<Node> {
        Gc::new(Node { id, edges: GcCell::new(Edges::None), tail: id + 1 })
    }

    #[inline(always)]
    fn read<F: Field>(&self, handle: &Gc<Node>) -> u64 {
        F::pick(&handle.id, &handle.tail)
    }
}

impl Free for RustGc {
    fn free(&mut self, dead: Vec<Gc<Node>>, _: &[Gc<Node>]) {
        drop(dead);
        force_collect();
    }
}

impl Linked for RustGc {
    fn link(&mut self, from: &Gc<Node>, to: [Option<&Gc<Node>>; DEGREE]) {
        *from.edges.borrow_mut() = Edges::new(to);
    }

    fn collect(&mut self, _: &[Gc<Node>]) {
        force_collect();
    }

    fn census(&self) -> Census {
        Census::AskMalloc
    }

    fn edges(&self, of: &Gc<Node>) -> [Option<Gc<Node>>; DEGREE] {
        let edges = of.edges.borrow();
        std::array::from_fn(|place| edges.as_slice().get(place).cloned())
    }
}

struct Blob<const WORDS: usize>([u64; WORDS]);

impl<const WORDS: usize> Finalize for Blob<WORDS> {}

// SAFETY: there are no pointers in it.
unsafe impl<const WORDS: usize> Trace for Blob<WORDS> {
    unsafe_empty_trace!();
}

/// See [`crate::needs::memory`].
pub(crate) fn memory<const WORDS: usize>(meter: &mut Meter) {
    configure(|config| config.threshold = usize::MAX);
    meter.fill(|id| std::mem::forget(Gc::new(Blob([id; WORDS]))));
}
