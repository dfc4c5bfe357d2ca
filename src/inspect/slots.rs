//! Which node an object is: from its handle to its number and back.
//!
//! Nodes are numbered in the order of types, and in slot order within a type. There is a bit for each slot
//! and, for each word of bits, the number of those before it: a fifth of a byte per object, which stays in
//! the cache while millions of edges are looked up.
//!
//! Invariant: node `i + 1` is the object of the i-th bit, counted in the order in which pages were added.

use alloc::vec::Vec;
use core::ops::Range;

use crate::bitmap::Class;
use crate::geometry::Granule;
use crate::handle::{Generation, RawHandle};
use crate::inspect::graph::{NodeIndex, prefetch};

/// The living objects of a heap, numbered.
#[derive(Debug)]
pub(crate) struct Slots {
    /// By page number.
    pages: Vec<PageSlots>,
    words: Vec<Word>,
    /// The root's null handle, then those of objects.
    handles: Vec<RawHandle>,
    /// Where the nodes of each type begin, and where those of the last end.
    types: Vec<u32>,
}

#[derive(Clone, Copy, Debug)]
struct PageSlots {
    first_word: u32,
    class: Class,
    type_index: u32,
    /// That of all objects in the page, so that a handle's generation can be compared without reading the
    /// object's own, which is a cache miss away; or zero if they differ.
    generation: Generation,
}

/// A page without objects. There are fewer words than this.
const NO_WORD: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Word {
    bits: u64,
    /// How many nodes come before those of this word.
    before: u32,
}

impl Slots {
    pub(crate) fn new() -> Self {
        Self {
            pages: Vec::new(),
            words: Vec::new(),
            handles: alloc::vec![RawHandle::NULL],
            types: alloc::vec![1],
        }
    }

    /// In place of a type: any type.
    pub(crate) const ANY: u32 = u32::MAX;

    /// Adds all objects of a type, in slot order.
    pub(crate) fn add_type(&mut self, slot_granules: u32, objects: impl Iterator<Item = RawHandle>) {
        let class = Class::of_slots(slot_granules);
        let (mut page, mut begun) = (None, self.words.len());
        for raw in objects {
            if page != Some(raw.granule().page()) {
                self.end_page(begun);
                page = Some(raw.granule().page());
                begun = self.begin_page(raw, class);
            }
            let entry = &mut self.pages[raw.granule().page() as usize];
            if entry.generation != raw.generation() {
                entry.generation = Generation::ZERO;
            }
            let entry = *entry;
            self.words[entry.word(raw.granule())].bits |= class.mask(raw.granule());
            self.handles.push(raw);
        }
        self.end_page(begun);
        let len = u32::try_from(self.handles.len()).ok().filter(|len| *len < u32::MAX);
        self.types.push(len.expect("slotgc: more than 2^32 objects in a snapshot"));
    }

    /// Returns the page's first word.
    fn begin_page(&mut self, first: RawHandle, class: Class) -> usize {
        let (page, generation) = (first.granule().page() as usize, first.generation());
        if self.pages.len() <= page {
            let none = PageSlots { first_word: NO_WORD, class, type_index: 0, generation: Generation::ZERO };
            self.pages.resize(page + 1, none);
        }
        let begun = self.words.len();
        let type_index = self.types.len() as u32 - 1;
        self.pages[page] = PageSlots { first_word: begun as u32, class, type_index, generation };
        let before = self.handles.len() as u32;
        self.words.resize(begun + class.page_words(), Word { bits: 0, before });
        begun
    }

    /// Sets for each word of a page how many objects come before it.
    fn end_page(&mut self, begun: usize) {
        let words = &mut self.words[begun..];
        let mut before = words.first().map_or(0, |word| word.before);
        for word in words {
            word.before = before;
            before += word.bits.count_ones();
        }
    }

    pub(crate) fn seal(&mut self) {
        self.pages.shrink_to_fit();
        self.words.shrink_to_fit();
        self.handles.shrink_to_fit();
    }

    /// How many nodes there are, the root included.
    pub(crate) fn nodes_len(&self) -> usize {
        self.handles.len()
    }

    pub(crate) fn handle(&self, node: NodeIndex) -> RawHandle {
        self.handles[node.place()]
    }

    /// The object's node; `None` if the object is not alive. O(1).
    #[inline]
    pub(crate) fn find(&self, raw: RawHandle) -> Option<NodeIndex> {
        self.find_of(raw, Self::ANY)
    }

    /// As [`find`](Self::find), only for an object of this type.
    #[inline]
    pub(crate) fn find_of(&self, raw: RawHandle, type_index: u32) -> Option<NodeIndex> {
        let page = self.pages.get(raw.granule().page() as usize)?;
        if page.first_word == NO_WORD || (page.type_index != type_index && type_index != Self::ANY) {
            return None;
        }
        let word = self.words[page.word(raw.granule())];
        let mask = page.class.mask(raw.granule());
        let node = NodeIndex(word.before + (word.bits & (mask - 1)).count_ones());
        // A handle with a type lies on a slot boundary of that type.
        let is_own = match page.generation {
            Generation::ZERO => self.handles.get(node.place()) == Some(&raw),
            _ if type_index == Self::ANY => self.handles.get(node.place()) == Some(&raw),
            generation => generation == raw.generation(),
        };
        (word.bits & mask != 0 && is_own).then_some(node)
    }

    /// Prefetches what a lookup of this handle will need.
    #[inline]
    pub(crate) fn prefetch(&self, raw: RawHandle) {
        if let Some(page) = self.pages.get(raw.granule().page() as usize) {
            if page.generation == Generation::ZERO && page.first_word != NO_WORD {
                prefetch(&self.handles, self.words[page.word(raw.granule())].before as usize);
            }
        }
    }

    /// The types' nodes.
    pub(crate) fn nodes_of(&self, type_index: usize) -> Range<u32> {
        self.types[type_index]..self.types[type_index + 1]
    }

    /// The type of an object's node, by number. O(log types).
    pub(crate) fn type_of(&self, node: NodeIndex) -> usize {
        debug_assert!(node != NodeIndex::ROOT, "the root has no type");
        self.types.partition_point(|start| *start <= node.0) - 1
    }

    pub(crate) fn bytes(&self) -> usize {
        self.pages.capacity() * size_of::<PageSlots>()
            + self.words.capacity() * size_of::<Word>()
            + self.handles.capacity() * size_of::<RawHandle>()
    }
}

impl PageSlots {
    #[inline(always)]
    fn word(self, granule: Granule) -> usize {
        self.first_word as usize + (granule.in_page() >> (self.class.0 + 6)) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_handle_is_found_and_no_other_one() {
        let mut slots = Slots::new();
        let raw = |page, slot: u32, granules: u32, generation| {
            RawHandle::new(Granule::new(page, slot * granules), Generation(generation))
        };
        // Two types whose pages alternate, a page with a gap, a slot's second tenant, a type without objects.
        let small: Vec<_> = [(0, 0), (0, 63), (0, 64), (0, 4095), (3, 1), (3, 130)]
            .map(|(page, slot)| raw(page, slot, 2, 1))
            .into();
        let large: Vec<_> =
            [(1, 0), (1, 5), (2, 0), (2, 909)].map(|(page, slot)| raw(page, slot, 9, 7)).into();
        slots.add_type(2, small.iter().copied());
        slots.add_type(4, core::iter::empty());
        slots.add_type(9, large.iter().copied());
        slots.seal();
        let all: Vec<_> = small.iter().chain(&large).copied().collect();
        assert_eq!(slots.nodes_len(), all.len() + 1);
        for (place, handle) in all.iter().enumerate() {
            let node = NodeIndex::from_place(place + 1);
            assert_eq!(slots.find(*handle), Some(node));
            assert_eq!(slots.find_of(*handle, if place < small.len() { 2 } else { 0 }), None);
            assert_eq!(slots.handle(node), *handle);
            assert_eq!(slots.type_of(node), if place < small.len() { 0 } else { 2 });
        }
        let none = [raw(0, 1, 2, 1), raw(1, 5, 9, 9), raw(4, 0, 2, 1), raw(9, 0, 2, 1), RawHandle::NULL];
        assert!(none.iter().all(|raw| slots.find(*raw).is_none()));
        assert_eq!((slots.nodes_of(0), slots.nodes_of(1), slots.nodes_of(2)), (1..7, 7..7, 7..11));
    }
}
