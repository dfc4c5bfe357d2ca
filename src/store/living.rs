//! The slots of all living objects of a type, from both ends. No `unsafe`.
//!
//! Invariant: a bit of `occupied` is in one place at a time, in a word that is not loaded yet or in one of
//! the two that are. Whoever takes one removes it, so no slot comes twice, from whichever end.

use core::marker::PhantomData;
use core::ops::Range;

use crate::bitmap::{Bits, Class, read_word};
use crate::geometry::Granule;
use crate::handle::RawHandle;
use crate::space::Space;
use crate::store::Look;
use crate::store::pages::PageMeta;
use crate::store::slot::Slot;

/// Bits of a word that are yet to be looked at.
#[derive(Clone, Copy)]
struct Loaded {
    /// Counted over all pages.
    word: usize,
    bits: u64,
}

impl Loaded {
    const NONE: Self = Self { word: 0, bits: 0 };

    #[inline(always)]
    fn take_lowest(&mut self) -> u32 {
        let bit = self.bits.trailing_zeros();
        self.bits &= self.bits - 1;
        bit
    }

    #[inline(always)]
    fn take_highest(&mut self) -> u32 {
        let bit = u64::BITS - 1 - self.bits.leading_zeros();
        self.bits &= !(1 << bit);
        bit
    }
}

/// Goes over the slots in which objects of type `T` live, in slot order.
pub(super) struct Living<'a, T> {
    /// Not a `Look`, which is an address: this may go to another thread where a `&T` may.
    space: &'a Space,
    metas: &'a [PageMeta],
    /// Pages of `T`, in the order of addresses.
    pages: &'a [u32],
    /// Words of these pages that are not loaded, counted over all of them.
    words: Range<usize>,
    front: Loaded,
    back: Loaded,
    objects: PhantomData<&'a T>,
}

impl<T> Clone for Living<'_, T> {
    fn clone(&self) -> Self {
        Self { words: self.words.clone(), ..*self }
    }
}

impl<'a, T: 'static> Living<'a, T> {
    /// Words of bits in a page of `T`, or in a run of pages.
    const PAGE_WORDS: usize = Class::of::<T>().page_words();

    pub(super) fn new(space: &'a Space, metas: &'a [PageMeta], pages: &'a [u32]) -> Self {
        let words = 0..pages.len() * Self::PAGE_WORDS;
        Self { space, metas, pages, words, front: Loaded::NONE, back: Loaded::NONE, objects: PhantomData }
    }

    #[inline(always)]
    fn load(&self, word: usize) -> Loaded {
        let page = self.pages[word / Self::PAGE_WORDS];
        let words = Look::of(self.space).words(self.metas, Bits::Occupied, page);
        Loaded { word, bits: read_word(&words[word % Self::PAGE_WORDS]) }
    }

    /// The slot of a bit, if an object lives there: it may be free and claimed, or its object be dead.
    #[inline(always)]
    fn slot(&self, word: usize, bit: u32) -> Option<(RawHandle, Slot<'a, T>)> {
        let page = self.pages[word / Self::PAGE_WORDS];
        let slot_index = Class::of::<T>().slot::<T>(word % Self::PAGE_WORDS, bit);
        let granule = Granule::of_slot::<T>(page, slot_index);
        let slot = Look::of(self.space).slot::<T>(granule)?;
        let generation = slot.generation();
        generation.is_occupied().then(|| (RawHandle::new(granule, generation), slot))
    }

    /// The next slot.
    #[inline(always)]
    pub(super) fn next(&mut self) -> Option<(RawHandle, Slot<'a, T>)> {
        loop {
            while self.front.bits != 0 {
                let bit = self.front.take_lowest();
                if let Some(found) = self.slot(self.front.word, bit) {
                    return Some(found);
                }
            }
            if let Some(word) = self.words.next() {
                self.front = self.load(word);
            } else if self.back.bits != 0 {
                self.front = core::mem::replace(&mut self.back, Loaded::NONE);
            } else {
                return None;
            }
        }
    }

    /// The last slot.
    #[inline(always)]
    pub(super) fn next_back(&mut self) -> Option<(RawHandle, Slot<'a, T>)> {
        loop {
            while self.back.bits != 0 {
                let bit = self.back.take_highest();
                if let Some(found) = self.slot(self.back.word, bit) {
                    return Some(found);
                }
            }
            if let Some(word) = self.words.next_back() {
                self.back = self.load(word);
            } else if self.front.bits != 0 {
                self.back = core::mem::replace(&mut self.front, Loaded::NONE);
            } else {
                return None;
            }
        }
    }
}
