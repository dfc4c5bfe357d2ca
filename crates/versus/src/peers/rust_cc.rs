//! rust-cc: reference counts, and a collector of cycles that looks at objects which lost a reference.

use std::cell::RefCell;
use std::hint::black_box;

use rust_cc::{Cc, Finalize, Trace, collect_cycles};
use slotgc_graphs::DEGREE;

use crate::needs::collect::{Census, Examines, Linked};
use crate::needs::memory::Meter;
use crate::needs::{Field, Free, Handles, NODE_BYTES};

// Without a destructor: nothing here needs one.
#[derive(Trace, Finalize)]
#[rust_cc(unsafe_no_drop)]
#[repr(C)]
pub(crate) struct Node {
    id: u64,
    edges: RefCell<[Option<Cc<Node>>; DEGREE]>,
    fill: u64,
    tail: u64,
}

const _: () = assert!(size_of::<Node>() == NODE_BYTES);

/// The thread's heap.
#[derive(Debug)]
pub(crate) struct RustCc;

impl Drop for RustCc {
    /// Leaves nothing for the next case.
    fn drop(&mut self) {
        collect_cycles();
    }
}

impl Handles for RustCc {
    type Handle = Cc<Node>;

    fn new(_: usize) -> Self {
        Self
    }

    #[inline(always)]
    fn alloc(&mut self, id: u64) -> Cc<Node> {
        Cc::new(Node { id, edges: RefCell::default(), fill: 0, tail: id + 1 })
    }

    #[inline(always)]
    fn read<F: Field>(&self, handle: &Cc<Node>) -> u64 {
        F::pick(&handle.id, &handle.tail)
    }
}

impl Free for RustCc {
    fn free(&mut self, dead: Vec<Cc<Node>>, _: &[Cc<Node>]) {
        drop(dead);
    }
}

impl Linked for RustCc {
    const EXAMINES: Examines = Examines::Candidates;

    fn link(&mut self, from: &Cc<Node>, to: [Option<&Cc<Node>>; DEGREE]) {
        *from.edges.borrow_mut() = to.map(Option::<&Cc<Node>>::cloned);
    }

    fn collect(&mut self, _: &[Cc<Node>]) {
        collect_cycles();
    }

    fn census(&self) -> Census {
        Census::AskMalloc
    }

    fn edges(&self, of: &Cc<Node>) -> [Option<Cc<Node>>; DEGREE] {
        of.edges.borrow().clone()
    }
}

/// See [`crate::needs::memory`].
pub(crate) fn memory<const WORDS: usize>(meter: &mut Meter) {
    meter.fill(|id| std::mem::forget(black_box(Cc::new([id; WORDS]))));
}
