//! thunderdome: `Arena`, grown as needed.

use slotgc_graphs::DEGREE;
use thunderdome::{Arena, Index};

use crate::needs::iterate::Iterate;
use crate::needs::memory::Meter;
use crate::needs::{Field, Free, Handles, NODE_BYTES};

#[derive(Debug)]
#[repr(C)]
struct Node {
    id: u64,
    edges: [Option<Index>; DEGREE],
    fill: [u64; 2],
    tail: u64,
}

const _: () = assert!(size_of::<Node>() == NODE_BYTES);

/// An arena.
#[derive(Debug)]
pub(crate) struct Thunderdome {
    arena: Arena<Node>,
}

impl Handles for Thunderdome {
    type Handle = Index;

    fn new(_: usize) -> Self {
        Self { arena: Arena::new() }
    }

    #[inline(always)]
    fn alloc(&mut self, id: u64) -> Index {
        self.arena.insert(Node { id, edges: [None; DEGREE], fill: [0; 2], tail: id + 1 })
    }

    #[inline(always)]
    fn read<F: Field>(&self, handle: &Index) -> u64 {
        let node = self.arena.get(*handle).expect("a living object");
        F::pick(&node.id, &node.tail)
    }
}

impl Free for Thunderdome {
    fn free(&mut self, dead: Vec<Index>, _: &[Index]) {
        dead.into_iter().for_each(|index| assert!(self.arena.remove(index).is_some()));
    }
}

impl Iterate for Thunderdome {
    fn sum_of_all(&self) -> u64 {
        self.arena.iter().map(|(_, node)| node.id).sum()
    }
}

/// See [`crate::needs::memory`].
pub(crate) fn memory<const WORDS: usize>(meter: &mut Meter) {
    let mut arena = Arena::new();
    meter.fill(|id| {
        arena.insert([id; WORDS]);
    });
}
