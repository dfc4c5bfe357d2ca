//! Bitmaps of slots: where a slot's bit is.
//!
//! Two bitmaps accompany the pages: `occupied` (an object lives there, or the slot must not be handed out)
//! and `white` (occupied, and not reached by the current collection). White is the only bit that an edge
//! tests, so its place must be cheap to find: no division by the size of a slot, no table. Slots of 2^s
//! granules or more, and fewer than 2^(s+1), are of *class* s. Each class has a bitmap of its own, in which
//! the bit of the slot at `granule` is `granule >> s`: different for any two slots, and dense within a factor
//! of two. The words themselves are kept by `space.rs`.

use crate::geometry::{Geometry, Granule, PAGE_GRANULES};
use crate::sync::{BitsWord, Ordering};

/// The largest class: its pages have one word.
pub(crate) const LAST_CLASS: u32 = 7;

/// Words that a page of the first class has; no page has more.
pub(crate) const MAX_PAGE_WORDS: usize = Class(1).page_words();

const _: () = assert!(Class(LAST_CLASS).page_words() == 1);

/// Which of the two bitmaps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Bits {
    Occupied,
    White,
}

/// The base-2 logarithm of the granules for which there is one bit.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Class(pub(crate) u32);

impl Class {
    /// The class of slots of this many granules.
    #[inline(always)]
    pub(crate) const fn of_slots(slot_granules: u32) -> Self {
        let class = slot_granules.ilog2();
        Self(if class < LAST_CLASS { class } else { LAST_CLASS })
    }

    #[inline(always)]
    pub(crate) const fn of<T>() -> Self {
        Self::of_slots(Geometry::<T>::SLOT_GRANULES)
    }

    /// Words of bits in a page.
    #[inline(always)]
    pub(crate) const fn page_words(self) -> usize {
        (PAGE_GRANULES >> self.0) as usize / 64
    }

    /// The word that holds the bit of the slot at `granule`, counted from the bitmap's beginning.
    #[inline(always)]
    pub(crate) fn word(self, granule: Granule) -> usize {
        (granule.0 >> (self.0 + 6)) as usize
    }

    /// The bit in that word.
    #[inline(always)]
    pub(crate) fn mask(self, granule: Granule) -> u64 {
        1 << (granule.0 >> self.0 & 63)
    }

    /// The slot whose bit this is: the first multiple of the slot size from the granules of the bit on.
    #[inline(always)]
    pub(crate) fn slot<T>(self, word_in_page: usize, bit: u32) -> u32 {
        ((word_in_page as u32 * 64 + bit) << self.0).div_ceil(Geometry::<T>::SLOT_GRANULES)
    }
}

/// The bits of a word that belong to slots of `T`.
pub(crate) struct Valid<T>(core::marker::PhantomData<T>);

impl<T> Valid<T> {
    /// For each word of a page.
    const WORDS: [u64; MAX_PAGE_WORDS] = {
        let mut words = [0; MAX_PAGE_WORDS];
        let mut slot = 0;
        while slot < Geometry::<T>::PAGE_SLOTS {
            let bit = if Geometry::<T>::RUN_PAGES > 1 {
                0
            } else {
                (slot * Geometry::<T>::SLOT_GRANULES) >> Class::of::<T>().0
            };
            words[bit as usize / 64] |= 1 << (bit % 64);
            slot += 1;
        }
        words
    };

    #[inline]
    pub(crate) fn bits(word_in_page: usize) -> u64 {
        let words: &'static [u64; MAX_PAGE_WORDS] = const { &Self::WORDS };
        words[word_in_page]
    }
}

/// The bits of a word. Relaxed, as in [`write_word`]: bits are set only with exclusive access to the heap,
/// and threads that read them start later.
#[inline(always)]
pub(crate) fn read_word(word: &BitsWord) -> u64 {
    word.load(Ordering::Relaxed)
}

/// Sets the bits of a word.
#[inline(always)]
pub(crate) fn write_word(word: &BitsWord, bits: u64) {
    word.store(bits, Ordering::Relaxed);
}

/// Clears a bit of a word beside other threads that do, and returns whether it was set. Relaxed: it only
/// decides who cleared the bit; a lock publishes what marking did. Loads first, since a load alone keeps the
/// cache line shared.
#[inline(always)]
pub(crate) fn take_bits(word: &BitsWord, mask: u64) -> bool {
    read_word(word) & mask != 0 && word.fetch_and(!mask, Ordering::Relaxed) & mask != 0
}

/// The positions of the ones in `word`, lowest first.
pub(crate) fn ones(mut word: u64) -> impl Iterator<Item = u32> {
    core::iter::from_fn(move || {
        (word != 0).then(|| {
            let index = word.trailing_zeros();
            word &= word - 1;
            index
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every slot of a page has a bit of its own, the bit leads back to the slot, and no other bit is valid.
    fn check<T>() {
        let class = Class::of::<T>();
        let mut seen = [0_u64; MAX_PAGE_WORDS];
        for slot in 0..Geometry::<T>::PAGE_SLOTS {
            let granule = Granule::of_slot::<T>(3, slot);
            let (word, mask) = (class.word(granule) % class.page_words(), class.mask(granule));
            assert_eq!(class.word(granule), 3 * class.page_words() + word);
            assert_eq!(seen[word] & mask, 0, "two slots share a bit");
            seen[word] |= mask;
            assert_eq!(class.slot::<T>(word, mask.trailing_zeros()), slot);
        }
        for (word, seen) in seen.iter().enumerate() {
            assert_eq!(Valid::<T>::bits(word), *seen);
        }
    }

    #[test]
    fn every_slot_has_a_bit_of_its_own() {
        check::<u8>();
        check::<[u64; 2]>();
        check::<[u64; 7]>();
        check::<[u64; 8]>();
        check::<[u64; 62]>();
        check::<[u64; 127]>();
        check::<[u64; 5000]>();
        check::<[u64; 8191]>();
        check::<[u64; 20000]>();
    }

    #[test]
    fn ones_come_lowest_first() {
        assert!(ones(1 << 63 | 0b101).eq([0, 2, 63]));
        assert_eq!(ones(0).count(), 0);
    }
}
