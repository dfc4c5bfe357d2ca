//! Bitmaps of slots: one bit a slot, in 64-bit words, a fixed number of words a page.
//!
//! Two of them accompany the pages: `occupied` (an object lives there, or the slot is not to be handed out)
//! and `white` (occupied, and not reached by the collection under way). White is the only bit that an edge
//! tests.

use alloc::vec::Vec;

use crate::handle::{Granule, MIN_SLOT_BYTES, PAGE_BYTES};

/// Words of bits that any page can need.
pub(crate) const PAGE_WORDS: usize = PAGE_BYTES / MIN_SLOT_BYTES / 64;

/// Words from one page's bits to the next page's: an odd number of cache lines, so that the first lines of
/// all pages spread over all sets of a cache. (With 64 words the bits of a million objects of 72 bytes share a
/// quarter of the sets.)
const STRIDE: usize = PAGE_WORDS + 8;

/// A bit for every slot of every page.
#[derive(Default)]
pub(crate) struct Bitmap {
    words: Vec<u64>,
}

/// Where a slot's bit is.
#[derive(Clone, Copy)]
pub(crate) struct BitPlace {
    word: usize,
    mask: u64,
}

impl BitPlace {
    #[inline(always)]
    pub(crate) fn new(page: u32, slot: u32) -> Self {
        Self { word: page as usize * STRIDE + slot as usize / 64, mask: 1 << (slot % 64) }
    }

    /// The place of a slot boundary of `T`.
    #[inline(always)]
    pub(crate) fn of_slot<T>(granule: Granule) -> Self {
        Self::new(granule.page(), granule.slot_index::<T>())
    }
}

impl Bitmap {
    /// Makes room for the bits of `pages` pages, all clear.
    pub(crate) fn grow(&mut self, pages: u32) {
        self.words.resize(pages as usize * STRIDE, 0);
    }

    /// The bits of a page; its slots need the first `PAGE_SLOTS / 64` words, rounded up.
    #[inline(always)]
    pub(crate) fn page(&self, page: u32) -> &[u64; PAGE_WORDS] {
        let start = page as usize * STRIDE;
        self.words[start..][..PAGE_WORDS].try_into().expect("a slice of that length")
    }

    #[inline(always)]
    pub(crate) fn page_mut(&mut self, page: u32) -> &mut [u64; PAGE_WORDS] {
        let start = page as usize * STRIDE;
        (&mut self.words[start..][..PAGE_WORDS]).try_into().expect("a slice of that length")
    }

    #[inline(always)]
    pub(crate) fn get(&self, place: BitPlace) -> bool {
        self.words[place.word] & place.mask != 0
    }

    /// The bit of a slot boundary of `T`.
    #[inline(always)]
    pub(crate) fn get_slot<T>(&self, granule: Granule) -> bool {
        self.get(BitPlace::of_slot::<T>(granule))
    }

    #[inline(always)]
    pub(crate) fn set(&mut self, place: BitPlace) {
        self.words[place.word] |= place.mask;
    }

    #[inline(always)]
    pub(crate) fn clear(&mut self, place: BitPlace) {
        self.words[place.word] &= !place.mask;
    }

    /// All words, for a loop that keeps their address in a register.
    #[inline(always)]
    pub(crate) fn bits(&mut self) -> Bits<'_> {
        Bits(&mut self.words)
    }
}

/// A bitmap borrowed for a loop.
pub(crate) struct Bits<'a>(&'a mut [u64]);

impl Bits<'_> {
    /// Whether the bit was set; clears it too if `clear` is all ones, leaves it if `clear` is zero.
    #[inline(always)]
    pub(crate) fn test_and_clear(&mut self, place: BitPlace, clear: u64) -> bool {
        let word = &mut self.0[place.word];
        let was = *word & place.mask;
        *word &= !(place.mask & clear);
        was != 0
    }

    #[inline(always)]
    pub(crate) fn get(&self, place: BitPlace) -> bool {
        self.0[place.word] & place.mask != 0
    }
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

    #[test]
    fn bits_of_neighbouring_pages_do_not_touch() {
        let mut bits = Bitmap::default();
        bits.grow(3);
        bits.set(BitPlace::new(1, 0));
        bits.set(BitPlace::new(1, 4095));
        assert!(bits.page(0).iter().chain(bits.page(2)).all(|word| *word == 0));
        assert_eq!((bits.page(1)[0], bits.page(1)[63]), (1, 1 << 63));
        assert!(bits.bits().test_and_clear(BitPlace::new(1, 0), 0));
        assert!(bits.bits().test_and_clear(BitPlace::new(1, 0), u64::MAX));
        assert!(!bits.get(BitPlace::new(1, 0)));
    }

    #[test]
    fn ones_come_lowest_first() {
        assert!(ones(1 << 63 | 0b101).eq([0, 2, 63]));
        assert_eq!(ones(0).count(), 0);
    }
}
