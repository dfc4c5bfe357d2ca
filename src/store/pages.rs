//! Pages: opening them for a type, closing them, releasing their memory, counting their slots.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::mem::needs_drop;
use core::ptr;

use crate::bitmap::{Bits, Class, read_word, write_word};
use crate::config::Limit;
use crate::geometry::{Geometry, Granule, PAGE_GRANULES};
use crate::handle::Generation;
use crate::space::prefetch_near;
use crate::store::Store;
use crate::tag::Tag;

/// What is known about the objects that a page has had. As long as no slot has had two, an occupied slot's
/// object is its first, and the slot's generation is that at which the page began.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Past {
    /// None is gone.
    Fresh,
    /// Some are, and their slots are not occupied.
    Vacated,
    /// Slots were reused, or the occupied ones are not all alive.
    Recycled,
}

/// What is known about a page's past and present besides its slots' headers.
#[derive(Clone, Copy)]
pub(super) struct PagePast {
    pub(super) of_objects: Past,
    /// Whether a claim has slots of it that look occupied and are not yet.
    pub(super) is_claimed: bool,
    /// Whether it is out of access and holds memory.
    pub(super) is_closed: bool,
}

impl PagePast {
    const FRESH: Self = Self { of_objects: Past::Fresh, is_claimed: false, is_closed: false };

    /// Whether the bitmaps alone tell which objects of the page are alive.
    #[inline(always)]
    pub(super) fn is_told_by_bits(self) -> bool {
        self.of_objects != Past::Recycled && !self.is_claimed
    }
}

/// Makes room for this many more pages in a list, or returns the error for the allocation.
pub(crate) fn reserve<T>(list: &mut Vec<T>, more: u32) -> Result<(), Limit> {
    list.try_reserve(more as usize).map_err(|_| Limit::Memory((list.len() + more as usize) * size_of::<T>()))
}

/// Pages without memory that any type may have.
#[derive(Clone, Default)]
pub(super) struct GivenUp {
    free: BTreeSet<u32>,
    /// Those that are being filled with `&Store`.
    drafts: BTreeSet<u32>,
}

impl GivenUp {
    /// The first of `len` consecutive ones. O(log pages) for one.
    fn run(&self, len: u32) -> Option<u32> {
        let mut pages = self.free.iter();
        let mut first = *pages.next()?;
        let mut end = first + 1;
        while end - first < len {
            let page = *pages.next()?;
            if page != end {
                first = page;
            }
            end = page + 1;
        }
        Some(first)
    }

    pub(super) fn insert(&mut self, page: u32) {
        let is_new = self.free.insert(page);
        assert!(is_new, "page {page} was given up twice");
    }

    fn remove(&mut self, page: u32) {
        let was_there = self.free.remove(&page);
        assert!(was_there, "page {page} was given up");
    }

    /// Takes `len` consecutive ones for a draft; returns the first.
    pub(super) fn take_for_draft(&mut self, len: u32) -> Option<u32> {
        let first = self.run(len)?;
        for page in first..first + len {
            self.remove(page);
            self.drafts.insert(page);
        }
        Some(first)
    }

    /// The draft of `len` pages no longer exists; returns whether they were given up before.
    pub(super) fn end_draft(&mut self, first: u32, len: u32) -> bool {
        let before = self.drafts.len();
        (first..first + len).for_each(|page| _ = self.drafts.remove(&page));
        self.drafts.len() < before
    }

    /// As they are without drafts.
    pub(super) fn without_drafts(&self) -> Self {
        Self { free: self.free.union(&self.drafts).copied().collect(), drafts: BTreeSet::new() }
    }
}

/// What is known about a page besides its tag. Eight bytes, so that a cache line describes eight pages.
#[derive(Clone, Copy)]
pub(crate) struct PageMeta {
    /// The generation at which its fresh slots start.
    first: Generation,
    /// The pool that the page belongs to.
    pub(super) pool: u16,
    /// Granules from one slot to the next; the whole page where an object takes a run of pages.
    pub(super) slot_granules: u16,
}

const _: () = assert!(size_of::<PageMeta>() == 8);

impl PageMeta {
    pub(super) fn first(&self) -> Generation {
        self.first
    }

    /// The class of its slots.
    #[inline(always)]
    pub(super) fn class(&self) -> Class {
        Class::of_slots(self.slot_granules.into())
    }
}

/// How many pages ahead of the one at hand bits are prefetched. Pages are far apart in memory, and each takes
/// the processor a fault of its translation cache.
const BITS_AHEAD: usize = 4;

impl Store {
    /// Opens a page for `T` (a run of pages where `T` is larger than one), all slots free: one that was given
    /// up, or a new one.
    pub(crate) fn open_page<T: 'static>(&mut self, pool: u16, first: Generation) -> Result<u32, Limit> {
        let run = Geometry::<T>::RUN_PAGES;
        if let Some(page) = self.find_given_up(run) {
            self.open_one_of::<T>(pool, first, page, true)?;
            return Ok(page);
        }
        // Promised pages lie before the next new one.
        let end = self.space.opened();
        let page = end + self.ahead.pages();
        self.open_one_of::<T>(pool, first, page, false)?;
        self.ahead.note_opened(end, page, run);
        Ok(page)
    }

    /// The first of `len` consecutive pages that were given up.
    fn find_given_up(&self, len: u32) -> Option<u32> {
        self.given_up.with(|given_up| given_up.run(len))
    }

    fn take_given_up(&self, first: u32, len: u32) {
        self.given_up.with(|given_up| (first..first + len).for_each(|page| given_up.remove(page)));
    }

    /// The bitmaps do not tell which objects of the page are alive.
    pub(crate) fn distrust_bits(&mut self, page: u32) {
        self.note_past(page, Past::Recycled);
    }

    /// Opens a page without an owner, new or given up; returns the generation at which its slots start.
    pub(super) fn open_one_of<T: 'static>(
        &mut self,
        pool: u16,
        first: Generation,
        page: u32,
        was_given_up: bool,
    ) -> Result<Generation, Limit> {
        let () = Geometry::<T>::FITS;
        let run = Geometry::<T>::RUN_PAGES;
        let class = Class::of::<T>();
        let (start, end) = (page as usize, (page + run) as usize);
        let more = end.saturating_sub(self.pages.len()) as u32;
        reserve(&mut self.pages, more)?;
        reserve(&mut self.pasts, more)?;
        let mut first = first;
        if was_given_up {
            self.space.open_again(page, run, class)?;
            self.take_given_up(page, run);
            first = self.first_above(page, run, first);
        } else {
            self.space.open(page, run, class, pool)?;
        }
        let slot_granules = Geometry::<T>::SLOT_GRANULES.min(PAGE_GRANULES) as u16;
        let (meta, past) = (PageMeta { first, pool, slot_granules }, PagePast::FRESH);
        if more > 0 {
            self.pages.resize(end, meta);
            self.pasts.resize(end, past);
        }
        self.pages[start..end].fill(meta);
        self.pasts[start..end].fill(past);
        // Only the first page of a run: no slot begins in the others.
        self.space.set_tag(page, Tag::of::<T>());
        Ok(first)
    }

    /// This generation, or one above every generation that any of these pages used.
    pub(super) fn first_above(&self, page: u32, run: u32, first: Generation) -> Generation {
        let pages = &self.pages[page as usize..(page + run) as usize];
        pages.iter().map(|page| page.first).fold(first, Generation::max)
    }

    /// Makes room for the metadata of this many more pages, if there is memory for that.
    pub(crate) fn reserve_pages(&mut self, more: u32) {
        // Otherwise each page reserves its own.
        let _ = reserve(&mut self.pages, more);
        let _ = reserve(&mut self.pasts, more);
    }

    /// Takes a page in which all objects died out of access, so that every handle into it is dead. O(1); the
    /// generations are bumped when the page is next used. Only for types without destructors.
    pub(crate) fn close_page(&mut self, page: u32) {
        self.note_past(page, Past::Vacated);
        self.pasts[page as usize].is_closed = true;
        self.space.set_tag(page, Tag::NONE);
        for bits in [Bits::Occupied, Bits::White] {
            self.words(bits, page).iter().for_each(|word| write_word(word, 0));
        }
    }

    /// Undoes `close_page`: bumps the generations of the dead and opens the page to access. Reports the slots
    /// whose generations are used up.
    pub(crate) fn reopen_closed<T: 'static>(&mut self, page: u32, mut retire: impl FnMut(Granule)) {
        assert!(!needs_drop::<T>(), "a page of values with destructors is not closed");
        self.pasts[page as usize].is_closed = false;
        self.space.set_tag(page, Tag::of::<T>());
        for slot_index in 0..Geometry::<T>::PAGE_SLOTS {
            let granule = Granule::of_slot::<T>(page, slot_index);
            let mut slot = self.slot_mut::<T>(granule).expect("the page is one of T's");
            let was_occupied = slot.look().generation().is_occupied();
            let is_used_up = if was_occupied { slot.forget() == Generation::ZERO } else { slot.end_spent() };
            if is_used_up {
                self.set_occupied(granule);
                retire(granule);
            }
        }
    }

    fn set_occupied(&self, granule: Granule) {
        if let Some((word, mask)) = self.bit(Bits::Occupied, granule) {
            write_word(word, read_word(word) | mask);
        }
    }

    /// Returns the memory of a page without occupied slots to the system. If its slots are used again, they
    /// start above every generation that was handed out.
    pub(crate) fn release_page<T: 'static>(&mut self, page: u32) {
        assert!(self.is_vacant(page), "a released page has no occupied slot");
        let meta = self.pages[page as usize];
        let (mut last, mut are_spent) = (Generation::ZERO, false);
        // A page that was closed still holds the odd generations of its dead.
        self.pasts[page as usize].is_closed = false;
        self.space.set_tag(page, Tag::of::<T>());
        for slot_index in 0..Geometry::<T>::PAGE_SLOTS {
            let slot = self.look().slot::<T>(Granule::of_slot::<T>(page, slot_index)).expect("a page of T's");
            assert!(!slot.is_doomed(), "a released page has no value left to drop");
            last = last.max(slot.generation());
            are_spent |= slot.is_spent();
        }
        if are_spent {
            last = Generation(u32::MAX);
        }
        // Odd: the next tenant's, one above the last one's. If that is past the end, the page is used up.
        let next = if last.is_occupied() { last.0.checked_add(2) } else { Some(last.0 + 1) };
        let first = next.map_or(Generation::ZERO, |next| meta.first.max(Generation(next)));
        self.pages[page as usize].first = first;
        self.space.set_tag(page, Tag::NONE);
        self.space.release(page, Geometry::<T>::RUN_PAGES);
    }

    /// Undoes `release_page`; `false` if the page's generations are used up.
    pub(crate) fn reopen_released<T: 'static>(&mut self, page: u32) -> Result<bool, Limit> {
        let meta = self.pages[page as usize];
        if meta.first == Generation::ZERO {
            return Ok(false);
        }
        self.space.reopen(page, Geometry::<T>::RUN_PAGES)?;
        self.space.set_tag(page, Tag::of::<T>());
        self.pasts[page as usize] = PagePast::FRESH;
        Ok(true)
    }

    /// Leaves a released page to the next type that needs one, unless its generations are used up. Its slots
    /// will lie elsewhere and start above every generation that was handed out, so no old handle names one of
    /// them.
    pub(crate) fn give_up_page<T: 'static>(&mut self, page: u32) {
        let first = self.pages[page as usize].first;
        assert!(self.space.view().tag(page) == Tag::NONE, "a page that is given up is out of access");
        if first == Generation::ZERO {
            return;
        }
        self.leave_to_all(page, Geometry::<T>::RUN_PAGES, first);
    }

    /// A draft was discarded whose handles have this generation: its pages serve another one, as before.
    pub(super) fn give_up_draft(&mut self, page: u32, run: u32, last: Generation) {
        let were_given_up = self.given_up.with(|given_up| given_up.end_draft(page, run));
        // Otherwise their generations are used up, or the numbers were new: those are lost.
        let next = last.0.checked_add(2).filter(|_| were_given_up);
        next.into_iter().for_each(|next| self.leave_to_all(page, run, Generation(next)));
    }

    fn leave_to_all(&mut self, page: u32, run: u32, first: Generation) {
        let pages = page..page + run;
        self.pages[pages.start as usize..pages.end as usize].iter_mut().for_each(|page| page.first = first);
        self.given_up.with(|given_up| pages.for_each(|page| given_up.insert(page)));
    }

    /// The program is between two frames.
    pub(crate) fn note_frame(&mut self) {
        self.space.note_frame();
    }

    pub(super) fn note_past(&mut self, page: u32, past: Past) {
        let known = &mut self.pasts[page as usize].of_objects;
        *known = past.max(*known);
    }

    // ---- Counting

    /// Whether no slot of the page is occupied.
    pub(crate) fn is_vacant(&self, page: u32) -> bool {
        self.words(Bits::Occupied, page).iter().all(|word| read_word(word) == 0)
    }

    /// Occupied slots of the page.
    pub(crate) fn occupied_len(&self, page: u32) -> u32 {
        self.words(Bits::Occupied, page).iter().map(|word| read_word(word).count_ones()).sum()
    }

    /// White slots of the page; `None` if every occupied one is.
    pub(crate) fn white_len(&self, page: u32) -> Option<u32> {
        let white = self.words(Bits::White, page);
        let occupied = self.words(Bits::Occupied, page);
        let some_black =
            white.iter().zip(occupied).any(|(white, occupied)| read_word(white) != read_word(occupied));
        some_black.then(|| white.iter().map(|word| read_word(word).count_ones()).sum())
    }

    /// White slots of the page.
    pub(crate) fn white_slots_len(&self, page: u32) -> usize {
        self.words(Bits::White, page).iter().map(|word| read_word(word).count_ones() as usize).sum()
    }

    /// The occupied slots of a word of the page.
    pub(crate) fn occupied_word(&self, page: u32, word: usize) -> u64 {
        read_word(&self.words(Bits::Occupied, page)[word])
    }

    /// Words of bits that the page has.
    pub(crate) fn page_words(&self, page: u32) -> usize {
        self.pages[page as usize].class().page_words()
    }

    // ---- Colors of whole pages

    /// Makes everything white: every occupied slot of these pages is up for collection.
    pub(crate) fn whiten(&mut self, pages: &[u32]) {
        for (number, page) in pages.iter().enumerate() {
            self.prefetch_bits(pages.get(number + BITS_AHEAD));
            let occupied = self.words(Bits::Occupied, *page);
            self.words(Bits::White, *page)
                .iter()
                .zip(occupied)
                .for_each(|(white, word)| write_word(white, read_word(word)));
        }
    }

    /// Prefetches a page's bits.
    fn prefetch_bits(&self, page: Option<&u32>) {
        const LINE: usize = 64 / size_of::<u64>();
        let Some(page) = page else { return };
        for bits in [Bits::White, Bits::Occupied] {
            self.words(bits, *page)
                .iter()
                .step_by(LINE)
                .for_each(|word| prefetch_near(ptr::from_ref(word).cast()));
        }
    }

    /// Makes everything white in these pages dead at once; see [`veil`](Self::veil).
    pub(crate) fn veil_all(&mut self, pages: &[u32]) {
        for (number, page) in pages.iter().enumerate() {
            self.prefetch_bits(pages.get(number + BITS_AHEAD));
            self.veil(*page);
        }
    }

    /// Makes everything white in a page dead at once; its sweep comes later. Does nothing to a page without
    /// white slots.
    pub(crate) fn veil(&mut self, page: u32) {
        let tag = self.space.view().tag(page);
        if tag != Tag::NONE && self.words(Bits::White, page).iter().any(|word| read_word(word) != 0) {
            self.space.set_tag(page, tag.veiled());
        }
    }

    /// Lifts the veil of a page whose dead were swept.
    pub(crate) fn unveil(&mut self, page: u32) {
        let tag = self.space.view().tag(page);
        if tag.is_veiled() {
            self.space.set_tag(page, tag.unveiled());
        }
    }

    /// Whether the page has dead objects that no longer resolve and are not swept yet.
    pub(crate) fn is_veiled(&self, page: u32) -> bool {
        self.space.view().tag(page).is_veiled()
    }
}
