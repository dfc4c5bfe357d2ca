//! `std::rc::Rc`: what a pointer to an allocation of its own costs. It does not find cycles.

use std::cell::RefCell;
use std::hint::black_box;

use slotgc_graphs::DEGREE;

use crate::needs::memory::Meter;
use crate::needs::{Field, Free, Handles, NODE_BYTES};

#[repr(C)]
pub(crate) struct Node {
    id: u64,
    edges: RefCell<[Option<std::rc::Rc<Node>>; DEGREE]>,
    fill: u64,
    tail: u64,
}

const _: () = assert!(size_of::<Node>() == NODE_BYTES);

/// The C allocator's heap.
#[derive(Debug)]
pub(crate) struct Rc;

impl Handles for Rc {
    type Handle = std::rc::Rc<Node>;

    fn new(_: usize) -> Self {
        Self
    }

    #[inline(always)]
    fn alloc(&mut self, id: u64) -> Self::Handle {
        std::rc::Rc::new(Node { id, edges: RefCell::default(), fill: 0, tail: id + 1 })
    }

    #[inline(always)]
    fn read<F: Field>(&self, handle: &Self::Handle) -> u64 {
        F::pick(&handle.id, &handle.tail)
    }
}

impl Free for Rc {
    fn free(&mut self, dead: Vec<Self::Handle>, _: &[Self::Handle]) {
        drop(dead);
    }
}

/// See [`crate::needs::memory`].
pub(crate) fn memory<const WORDS: usize>(meter: &mut Meter) {
    meter.fill(|id| std::mem::forget(black_box(std::rc::Rc::new([id; WORDS]))));
}
