//! The slots of all living objects of a type, from both ends. No `unsafe`.
//!
//! Invariant: a bit of `occupied` is in one place at a time, in a word that is not loaded yet or in one of
//! the two that are. Taking a bit removes it, so no slot is returned twice, from either end.

#[cfg(feature = "rayon")]
use alloc::vec::Vec;
use core::marker::PhantomData;
use core::ops::Range;

#[cfg(feature = "rayon")]
use crate::bitmap::ones;
use crate::bitmap::{Bits, Class, Valid, read_word};
use crate::geometry::Granule;
use crate::handle::RawHandle;
use crate::space::Space;
#[cfg(feature = "rayon")]
use crate::store::Barrier;
use crate::store::Look;
use crate::store::open_page::OpenPage;
use crate::store::pages::PageMeta;
use crate::store::slot::Slot;

/// Bits of a word that are still to be visited.
struct Loaded<'a, T> {
    /// Counted over all pages.
    word: usize,
    bits: u64,
    page: u32,
    /// `None` while dead objects in it await their sweep.
    open: Option<OpenPage<'a, T>>,
}

impl<T> Copy for Loaded<'_, T> {}

impl<T> Clone for Loaded<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Loaded<'_, T> {
    const NONE: Self = Self { word: 0, bits: 0, page: 0, open: None };

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

/// Iterates over the slots in which objects of type `T` live, in slot order.
pub(super) struct Living<'a, T> {
    /// Not a `Look`, which is an address: this may be sent to another thread where a `&T` may.
    space: &'a Space,
    metas: &'a [PageMeta],
    /// Pages of `T`, in the order of addresses.
    pages: &'a [u32],
    /// Words of these pages that are not loaded, counted over all of them.
    words: Range<usize>,
    front: Loaded<'a, T>,
    back: Loaded<'a, T>,
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
    fn load(&self, word: usize) -> Loaded<'a, T> {
        let page = self.pages[word / Self::PAGE_WORDS];
        let words = Look::of(self.space).words(self.metas, Bits::Occupied, page);
        let bits = read_word(&words[word % Self::PAGE_WORDS]);
        Loaded { word, bits, page, open: OpenPage::of(self.space, page) }
    }

    /// The slot of a bit, if an object lives there: it may be free and claimed, or its object may be dead.
    #[inline(always)]
    fn slot(&self, loaded: &Loaded<'a, T>, bit: u32) -> Option<(RawHandle, Slot<'a, T>)> {
        let slot_index = Class::of::<T>().slot::<T>(loaded.word % Self::PAGE_WORDS, bit);
        let (granule, slot) = match loaded.open {
            Some(page) => page.slot(slot_index),
            None => slot_behind_veil(self.space, loaded.page, slot_index)?,
        };
        let generation = slot.generation();
        generation.is_occupied().then(|| (RawHandle::new(granule, generation), slot))
    }

    /// The next slot.
    #[inline(always)]
    pub(super) fn next(&mut self) -> Option<(RawHandle, Slot<'a, T>)> {
        loop {
            while self.front.bits != 0 {
                let bit = self.front.take_lowest();
                if let Some(found) = self.slot(&self.front, bit) {
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

    /// Calls `visit` for all slots. Faster than [`next`](Self::next), since nothing is kept between two
    /// calls, and full words are not looked at bit by bit.
    #[inline(always)]
    pub(super) fn fold<B>(self, init: B, mut visit: impl FnMut(B, RawHandle, Slot<'a, T>) -> B) -> B {
        let mut all = self.fold_word(init, &self.front, &mut visit);
        for word in self.words.clone() {
            all = self.fold_word(all, &self.load(word), &mut visit);
        }
        self.fold_word(all, &self.back, &mut visit)
    }

    #[inline(always)]
    fn fold_word<B>(
        &self,
        mut all: B,
        loaded: &Loaded<'a, T>,
        visit: &mut impl FnMut(B, RawHandle, Slot<'a, T>) -> B,
    ) -> B {
        let (word, mut loaded) = (loaded.word % Self::PAGE_WORDS, *loaded);
        if let Some(page) = loaded.open.filter(|_| loaded.bits == Valid::<T>::bits(word)) {
            // Slots without a gap.
            let first = Class::of::<T>().slot::<T>(word, loaded.bits.trailing_zeros());
            for slot_index in first..first + loaded.bits.count_ones() {
                let (granule, slot) = page.slot(slot_index);
                let generation = slot.generation();
                if generation.is_occupied() {
                    all = visit(all, RawHandle::new(granule, generation), slot);
                }
            }
            return all;
        }
        while loaded.bits != 0 {
            let bit = loaded.take_lowest();
            if let Some((raw, slot)) = self.slot(&loaded, bit) {
                all = visit(all, raw, slot);
            }
        }
        all
    }

    /// The last slot.
    #[inline(always)]
    pub(super) fn next_back(&mut self) -> Option<(RawHandle, Slot<'a, T>)> {
        loop {
            while self.back.bits != 0 {
                let bit = self.back.take_highest();
                if let Some(found) = self.slot(&self.back, bit) {
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

/// Without the iterator, which otherwise could not be kept in registers.
#[cold]
#[inline(never)]
fn slot_behind_veil<T: 'static>(space: &Space, page: u32, slot_index: u32) -> Option<(Granule, Slot<'_, T>)> {
    let granule = Granule::of_slot::<T>(page, slot_index);
    Some((granule, Look::of(space).slot::<T>(granule)?))
}

/// In pieces, for several threads.
#[cfg(feature = "rayon")]
impl<'a, T: 'static> Living<'a, T> {
    /// Splits before the object with this number, counted over all pages: those of page `i` begin with
    /// `starts[i]`. Each slot is in one of the pieces.
    pub(super) fn split_at(self, starts: &[usize], number: usize) -> (Self, Self) {
        let page = starts.partition_point(|start| *start <= number).checked_sub(1);
        let place = page.and_then(|page| self.nth_of_page(page, number - starts[page]));
        let nothing = Self { words: 0..0, front: Loaded::NONE, back: Loaded::NONE, ..self };
        let Some((word, bit)) = place else {
            return (self, nothing);
        };
        let cut = |loaded: Loaded<'a, T>| {
            let low = (1_u64 << bit) - 1;
            (Loaded { bits: loaded.bits & low, ..loaded }, Loaded { bits: loaded.bits & !low, ..loaded })
        };
        let loaded = if self.words.contains(&word) { self.load(word) } else { Loaded::NONE };
        let Self { words, front, back, .. } = self;
        if words.contains(&word) {
            let (low, high) = cut(loaded);
            let left = Self { words: words.start..word, front, back: low, ..nothing.clone() };
            (left, Self { words: word + 1..words.end, front: high, back, ..nothing })
        } else if front.bits != 0 && front.word == word {
            let (low, high) = cut(front);
            (Self { front: low, ..nothing.clone() }, Self { words, front: high, back, ..nothing })
        } else if back.bits != 0 && back.word == word {
            let (low, high) = cut(back);
            (Self { words, front, back: low, ..nothing.clone() }, Self { back: high, ..nothing })
        } else {
            // The object is the first one after these.
            (Self { words, front, back, ..nothing.clone() }, nothing)
        }
    }

    /// The word and the bit of an object by its number in a page.
    fn nth_of_page(&self, page: usize, nth: usize) -> Option<(usize, u32)> {
        let words = page * Self::PAGE_WORDS..(page + 1) * Self::PAGE_WORDS;
        let loaded = words.map(|word| self.load(word));
        let bits = loaded.flat_map(|loaded| ones(loaded.bits).map(move |bit| (loaded, bit)));
        let mut living = bits.filter(|(loaded, bit)| self.slot(loaded, *bit).is_some());
        living.nth(nth).map(|(loaded, bit)| (loaded.word, bit))
    }

    /// The number of objects in the page of this index, and those that were not logged before and are now, if
    /// `barrier` requires that.
    pub(super) fn survey(&self, page: usize, barrier: Barrier) -> (usize, Vec<RawHandle>) {
        let words = page * Self::PAGE_WORDS..(page + 1) * Self::PAGE_WORDS;
        let mut one_page = Self { words, front: Loaded::NONE, back: Loaded::NONE, ..*self };
        let (mut len, mut logged) = (0, Vec::new());
        while let Some((raw, slot)) = one_page.next() {
            len += 1;
            if barrier == Barrier::Log && !slot.is_logged() {
                slot.note_logged();
                logged.push(raw);
            }
        }
        (len, logged)
    }
}
