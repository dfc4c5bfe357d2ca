//! dumpster: reference counts, and a collector of cycles that looks at objects which lost a reference. The
//! `unsync` half, for one thread. Marks by recursion.
//!
//! An `Option` of its pointers takes 16 bytes, so that edges are an enum of arrays instead: 64 bytes hold
//! four.

use std::cell::RefCell;
use std::hint::black_box;

use dumpster::Trace;
use dumpster::unsync::{CollectInfo, Gc, collect, set_collect_condition};
use slotgc_graphs::DEGREE;

use crate::needs::collect::{Census, Examines, Linked};
use crate::needs::memory::Meter;
use crate::needs::{Field, Free, Handles, NODE_BYTES};

#[derive(Trace)]
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

#[derive(Trace)]
#[repr(C)]
pub(crate) struct Node {
    id: u64,
    edges: RefCell<Edges>,
    tail: u64,
}

const _: () = assert!(size_of::<Node>() == NODE_BYTES);

/// The thread's heap.
#[derive(Debug)]
pub(crate) struct Dumpster;

impl Drop for Dumpster {
    /// Leaves nothing for the next case.
    fn drop(&mut self) {
        collect();
    }
}

fn never(_: &CollectInfo) -> bool {
    false
}

impl Handles for Dumpster {
    type Handle = Gc<Node>;

    /// Collections happen only on request.
    fn new(_: usize) -> Self {
        set_collect_condition(never);
        Self
    }

    #[inline(always)]
    fn alloc(&mut self, id: u64) -> Gc<Node> {
        Gc::new(Node { id, edges: RefCell::new(Edges::None), tail: id + 1 })
    }

    #[inline(always)]
    fn read<F: Field>(&self, handle: &Gc<Node>) -> u64 {
        F::pick(&handle.id, &handle.tail)
    }
}

impl Free for Dumpster {
    fn free(&mut self, dead: Vec<Gc<Node>>, _: &[Gc<Node>]) {
        drop(dead);
    }
}

impl Linked for Dumpster {
    const EXAMINES: Examines = Examines::Candidates;

    fn link(&mut self, from: &Gc<Node>, to: [Option<&Gc<Node>>; DEGREE]) {
        *from.edges.borrow_mut() = Edges::new(to);
    }

    fn collect(&mut self, _: &[Gc<Node>]) {
        collect();
    }

    fn census(&self) -> Census {
        Census::AskMalloc
    }

    fn edges(&self, of: &Gc<Node>) -> [Option<Gc<Node>>; DEGREE] {
        let edges = of.edges.borrow();
        std::array::from_fn(|place| edges.as_slice().get(place).cloned())
    }
}

/// See [`crate::needs::memory`].
pub(crate) fn memory<const WORDS: usize>(meter: &mut Meter) {
    meter.fill(|id| std::mem::forget(black_box(Gc::new([id; WORDS]))));
}
