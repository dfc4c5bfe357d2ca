//! Limits for a full collection: marking a graph of slots with a bitmap, and sweeping it.
//!
//! [`StackMark`] is the obvious version: a stack. [`TwoStageMark`] puts a queue behind the stack, in which a
//! slot waits for its memory: it is prefetched into the second-level cache when it enters, into the
//! first-level cache shortly before it leaves. An edge tests and clears its target's white bit without a
//! branch.
//!
//! No generation is compared and no type looked at. The invariant of [`Marker`]: every edge's index is at
//! most `len`, and bit `len` is never white, so that null edges, which have that index, need no test.
#![expect(unsafe_code, reason = "a limit has no bounds checks; prefetching is unsafe")]

use slotgc_graphs::{DEGREE, Graph, NONE};

use crate::limits::slots::{Edge, Node, Pages, Slot, Slots};
use crate::needs::collect::{Census, Collector, Reached};

/// Slots that wait for their memory.
const DEPTH: usize = 64;

/// How many places before its end the queue prefetches a second time.
const NEAR: usize = 8;

/// A heap of slots with the way in which it marks.
#[derive(Debug)]
pub(crate) struct Marker<const HUGE: bool, const PREFETCH: bool> {
    slots: Slots,
    roots: Vec<u32>,
    occupied: Vec<u64>,
    white: Vec<u64>,
    /// Room for all slots and the edges of one more, since a push writes before it tests.
    stack: Vec<u32>,
}

/// A stack, on the pages that a vector would use.
pub(crate) type StackMark = Marker<false, false>;

/// With prefetching, on huge pages.
pub(crate) type TwoStageMark = Marker<true, true>;

/// With prefetching, on pages of 4 KiB.
pub(crate) type TwoStageSmallPages = Marker<false, true>;

impl<const HUGE: bool, const PREFETCH: bool> Collector for Marker<HUGE, PREFETCH> {
    fn build(graph: &Graph) -> Self {
        let len = graph.len();
        let null = Edge { index: len as u32, generation: 0 };
        let mut slots = Slots::new(len, if HUGE { Pages::Huge } else { Pages::Usual });
        for (id, (slot, edges)) in slots.as_mut_slice().iter_mut().zip(&graph.edges).enumerate() {
            let edges =
                edges.map(|edge| if edge == NONE { null } else { Edge { index: edge, generation: 1 } });
            let (id, tail) = (id as u64, id as u64 + 1);
            *slot = Slot { generation: 1, flags: 0, node: Node { id, edges, fill: [0; 2], tail } };
        }
        let mut occupied = vec![0; len / 64 + 1];
        (0..len).for_each(|index| occupied[index / 64] |= 1 << (index % 64));
        let white = vec![0; occupied.len()];
        Self { slots, roots: graph.roots.clone(), occupied, white, stack: vec![0; len + DEGREE] }
    }

    fn drop_other_roots(&mut self) {
        self.roots.truncate(1);
    }

    fn collect(&mut self) {
        self.white.copy_from_slice(&self.occupied);
        for (place, root) in self.roots.iter().enumerate() {
            self.white[*root as usize / 64] &= !(1 << (root % 64));
            self.stack[place] = *root;
        }
        if PREFETCH {
            self.mark_in_two_stages()
        } else {
            self.mark()
        }
        self.sweep();
    }

    fn census(&self) -> Census {
        Census::Count(self.occupied.iter().map(|word| word.count_ones() as usize).sum())
    }

    fn walk(&self) -> Reached {
        let slots = self.slots.as_slice();
        let mut seen = vec![false; slots.len() + 1];
        let mut stack = self.roots.clone();
        let mut reached = Reached::default();
        seen[slots.len()] = true;
        while let Some(index) = stack.pop() {
            if !std::mem::replace(&mut seen[index as usize], true) {
                let Slot { generation, node, .. } = &slots[index as usize];
                assert_eq!((*generation, node.tail), (1, node.id + 1), "a living slot");
                reached = Reached { count: reached.count + 1, sum: reached.sum + node.id };
                stack.extend(node.edges.iter().map(|edge| edge.index));
            }
        }
        reached
    }
}

impl<const HUGE: bool, const PREFETCH: bool> Marker<HUGE, PREFETCH> {
    /// Takes slots from the top of the stack and puts their white targets there.
    #[inline(never)]
    fn mark(&mut self) {
        let slots = self.slots.as_slice();
        let mut height = self.roots.len();
        while height > 0 {
            height -= 1;
            let index = *at(&self.stack, height);
            height = push_edges(at(slots, index as usize), &mut self.white, &mut self.stack, height);
        }
    }

    /// The same with a queue between taking a slot from the stack and reading it.
    #[inline(never)]
    fn mark_in_two_stages(&mut self) {
        let slots = self.slots.as_slice();
        let mut height = self.roots.len();
        let mut queue = [0; DEPTH.next_power_of_two()];
        let (mut head, mut tail) = (0_usize, 0_usize);
        loop {
            while tail - head < DEPTH && height > 0 {
                height -= 1;
                let index = *at(&self.stack, height);
                prefetch_far(slots, index);
                queue[tail % DEPTH.next_power_of_two()] = index;
                tail += 1;
            }
            if head == tail {
                break;
            }
            let index = queue[head % DEPTH.next_power_of_two()];
            head += 1;
            // Near the end of the work this place holds an old slot, which is harmless.
            prefetch_near(slots, queue[(head + NEAR - 1) % DEPTH.next_power_of_two()]);
            height = push_edges(at(slots, index as usize), &mut self.white, &mut self.stack, height);
        }
    }

    /// What is white is dead: its slot gets the next generation.
    #[inline(never)]
    fn sweep(&mut self) {
        let slots = self.slots.as_mut_slice();
        for (word, (occupied, white)) in self.occupied.iter_mut().zip(&self.white).enumerate() {
            *occupied &= !white;
            let mut dead = *white;
            while dead != 0 {
                slots[word * 64 + dead.trailing_zeros() as usize].generation += 1;
                dead &= dead - 1;
            }
        }
    }
}

/// Clears the white bit of each target, and pushes the target if it was set.
#[inline(always)]
fn push_edges(slot: &Slot, white: &mut [u64], stack: &mut [u32], mut height: usize) -> usize {
    for edge in slot.node.edges {
        let word = at_mut(white, edge.index as usize / 64);
        let was_white = *word >> (edge.index % 64) & 1;
        *word &= !(1 << (edge.index % 64));
        *at_mut(stack, height) = edge.index;
        height += was_white as usize;
    }
    height
}

#[inline(always)]
fn at<T>(items: &[T], index: usize) -> &T {
    // SAFETY: slots are marked once each, so that the stack, which has room for all, holds no more than
    // `len`; what is on it was white, hence is less than `len`.
    unsafe { items.get_unchecked(index) }
}

#[inline(always)]
fn at_mut<T>(items: &mut [T], index: usize) -> &mut T {
    // SAFETY: the stack has room for all slots and four more; the bitmap has a bit for each and for `len`.
    unsafe { items.get_unchecked_mut(index) }
}

/// Prefetches all lines of a slot: two, or one where only its header lies in the line before.
#[inline(always)]
fn prefetch_far(slots: &[Slot], index: u32) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        let slot = std::ptr::from_ref(at(slots, index as usize)).cast::<i8>();
        // SAFETY: the address of a slot.
        unsafe { _mm_prefetch(slot, _MM_HINT_T1) };
        // SAFETY: an address inside of the same slot.
        let last = unsafe { slot.add(size_of::<Slot>() - 8) };
        // SAFETY: the address of a slot's last word.
        unsafe { _mm_prefetch(last, _MM_HINT_T1) };
    }
}

#[inline(always)]
fn prefetch_near(slots: &[Slot], index: u32) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let slot = std::ptr::from_ref(at(slots, index as usize)).cast::<i8>();
        // SAFETY: the address of a slot.
        unsafe { _mm_prefetch(slot, _MM_HINT_T0) };
        // SAFETY: an address inside of the same slot.
        let last = unsafe { slot.add(size_of::<Slot>() - 8) };
        // SAFETY: the address of a slot's last word.
        unsafe { _mm_prefetch(last, _MM_HINT_T0) };
    }
}
