//! Limits for `get` and `alloc`.
#![expect(unsafe_code, reason = "a limit on lookups has no bounds check")]

use slotgc_graphs::DEGREE;

use crate::limits::slots::{Edge, Node, Pages, Slot, Slots};
use crate::needs::iterate::Iterate;
use crate::needs::{Field, Free, Handles};

const NO_EDGE: Edge = Edge { index: 0, generation: 0 };

fn node(id: u64) -> Node {
    Node { id, edges: [NO_EDGE; DEGREE], fill: [0; 2], tail: id + 1 }
}

/// A vector of values of 64 bytes, indexed.
#[derive(Debug)]
pub(crate) struct IndexVec {
    nodes: Vec<Node>,
}

/// An index into the very vector that returned it. As wide as the peers' handles, so that reading a list of
/// them costs the same.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Index(u64);

impl Handles for IndexVec {
    type Handle = Index;

    fn new(_: usize) -> Self {
        Self { nodes: Vec::new() }
    }

    #[inline(always)]
    fn alloc(&mut self, id: u64) -> Index {
        self.nodes.push(node(id));
        Index(self.nodes.len() as u64 - 1)
    }

    #[inline(always)]
    fn read<F: Field>(&self, handle: &Index) -> u64 {
        // SAFETY: the vector handed out the index and never shrinks.
        let node = unsafe { self.nodes.get_unchecked(handle.0 as usize) };
        F::pick(&node.id, &node.tail)
    }
}

impl Iterate for IndexVec {
    fn sum_of_all(&self) -> u64 {
        self.nodes.iter().map(|node| node.id).sum()
    }
}

/// Slots of 72 bytes on huge pages, allocated by looking for a clear bit.
#[derive(Debug)]
pub(crate) struct BitmapSlots {
    slots: Slots,
    /// A bit for each slot.
    occupied: Vec<u64>,
    /// The word of `occupied` that is being filled, and its clear bits.
    word: usize,
    clear: u64,
}

impl Handles for BitmapSlots {
    type Handle = Index;

    fn new(objects: usize) -> Self {
        let words = objects.div_ceil(64);
        let slots = Slots::new(words * 64, Pages::Huge);
        Self { slots, occupied: vec![0; words], word: 0, clear: u64::MAX }
    }

    #[inline(always)]
    fn alloc(&mut self, id: u64) -> Index {
        while self.clear == 0 {
            self.occupied[self.word] = u64::MAX;
            self.word += 1;
            self.clear = !self.occupied[self.word];
        }
        let index = self.word * 64 + self.clear.trailing_zeros() as usize;
        self.clear &= self.clear - 1;
        let slot = &mut self.slots.as_mut_slice()[index];
        *slot = Slot { generation: slot.generation + 1, flags: 0, node: node(id) };
        Index(index as u64)
    }

    #[inline(always)]
    fn read<F: Field>(&self, handle: &Index) -> u64 {
        // SAFETY: the slots handed out the index, and their number never changes.
        let node = unsafe { &self.slots.as_slice().get_unchecked(handle.0 as usize).node };
        F::pick(&node.id, &node.tail)
    }
}

impl Iterate for BitmapSlots {
    /// Sums all slots: none may be free.
    fn sum_of_all(&self) -> u64 {
        self.slots.as_slice().iter().map(|slot| slot.node.id).sum()
    }
}

impl Free for BitmapSlots {
    /// As a sweep does it, in order.
    fn free(&mut self, dead: Vec<Index>, _: &[Index]) {
        // Stores which bits of the current word were taken.
        self.occupied[self.word] = !self.clear;
        for Index(index) in dead {
            self.occupied[index as usize / 64] &= !(1 << (index % 64));
        }
        for (index, slot) in self.slots.as_mut_slice().iter_mut().enumerate() {
            slot.generation += u32::from(self.occupied[index / 64] >> (index % 64) & 1 == 0);
        }
        self.word = 0;
        self.clear = !self.occupied[0];
    }
}
