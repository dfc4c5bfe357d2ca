//! Which places of a heap a walk has reached: a bit per granule, in pages that exist only where one is set.

use alloc::boxed::Box;
use alloc::vec::Vec;

#[cfg(feature = "serde")]
use crate::bitmap::ones;
use crate::geometry::{Granule, PAGE_GRANULES};

const WORDS: usize = PAGE_GRANULES as usize / 64;

#[derive(Default)]
pub(crate) struct Marks {
    pages: Vec<Option<Box<[u64; WORDS]>>>,
}

impl Marks {
    fn place(granule: Granule) -> (usize, usize, u64) {
        let bit = granule.in_page();
        (granule.page() as usize, bit as usize / 64, 1 << (bit % 64))
    }

    /// Sets the bit; `false` if it was set.
    #[inline]
    pub(crate) fn insert(&mut self, granule: Granule) -> bool {
        let (page, word, mask) = Self::place(granule);
        if page >= self.pages.len() {
            self.pages.resize_with(page + 1, || None);
        }
        let words = self.pages[page].get_or_insert_with(|| Box::new([0; WORDS]));
        let is_new = words[word] & mask == 0;
        words[word] |= mask;
        is_new
    }

    pub(crate) fn remove(&mut self, granule: Granule) {
        let (page, word, mask) = Self::place(granule);
        if let Some(words) = self.pages.get_mut(page).and_then(Option::as_mut) {
            words[word] &= !mask;
        }
    }

    pub(crate) fn contains(&self, granule: Granule) -> bool {
        let (page, word, mask) = Self::place(granule);
        self.pages.get(page).and_then(Option::as_ref).is_some_and(|words| words[word] & mask != 0)
    }

    /// How many bits of the same page are set before that of this granule.
    #[cfg(all(feature = "serde", feature = "std"))]
    pub(crate) fn before(&self, granule: Granule) -> usize {
        let (page, word, mask) = Self::place(granule);
        let Some(words) = self.pages.get(page).and_then(Option::as_ref) else { return 0 };
        let in_word = (words[word] & (mask - 1)).count_ones();
        words[..word].iter().map(|word| word.count_ones()).sum::<u32>() as usize + in_word as usize
    }

    /// The pages with a bit that is set, in order.
    #[cfg(feature = "serde")]
    pub(crate) fn pages(&self) -> impl Iterator<Item = u32> {
        self.pages.iter().enumerate().filter(|(_, words)| words.is_some()).map(|(page, _)| page as u32)
    }

    /// The granules of a page whose bit is set, in order.
    #[cfg(feature = "serde")]
    pub(crate) fn of_page(&self, page: u32) -> impl Iterator<Item = Granule> {
        let words = self.pages.get(page as usize).and_then(Option::as_ref);
        let words = words.into_iter().flat_map(|words| words.iter().enumerate());
        words.flat_map(move |(word, bits)| {
            ones(*bits).map(move |bit| Granule::new(page, word as u32 * 64 + bit))
        })
    }
}
