//! Pages that are filled with `&Store`, before they are opened.
//!
//! A *draft* is a page that is not open yet, and the permission to make objects on it. Its memory is
//! accessible and zero, its number is promised to this draft alone, and it has no tag: so only its draft
//! reads or writes there. [`Store::open_draft`] sets the tag, which makes its objects visible to all. A page
//! that was given up is promised before a new one, or the numbers would run out.
//!
//! Invariant: from a number's promise on there is at most one draft with that number, and no page with it.
//! Numbers start over only when the heap goes back to a checkpoint, which is refused as long as there are
//! drafts.
#![expect(unsafe_code, reason = "writes values into memory that has no tag yet; see the argument above")]

use alloc::collections::BTreeSet;
use core::marker::PhantomData;
use core::mem::needs_drop;
use core::ptr::NonNull;

use crate::bitmap::{Bits, Class, Valid, write_word};
use crate::config::Limit;
use crate::geometry::{Geometry, Granule, PAGE_BYTES};
use crate::handle::{Generation, RawHandle};
use crate::panics::Panics;
use crate::store::slot::{Slot, Start};
use crate::store::{Age, Barrier, Made, Store};
use crate::sync::{Ordering, PageCount};

/// The promised numbers.
#[derive(Default)]
pub(super) struct Ahead {
    /// How many, from the first page that was never opened.
    pages: PageCount,
    /// Promised pages before that one.
    passed: BTreeSet<u32>,
    /// How many drafts exist.
    drafts: PageCount,
}

impl Ahead {
    /// How many pages after the last opened one are promised.
    pub(super) fn pages(&self) -> u32 {
        // Relaxed: promises need `&Store`, of which there is none where the exact number matters.
        self.pages.load(Ordering::Relaxed)
    }

    /// Promised pages before the last opened one.
    pub(super) fn passed(&self) -> impl Iterator<Item = u32> + '_ {
        self.passed.iter().copied()
    }

    /// Promises `run` pages after `opened` and the pages already promised, and before `most`; returns the
    /// first.
    fn promise(&self, opened: u32, run: u32, most: u32) -> Option<u32> {
        let more = |pages: u32| {
            let end = opened.checked_add(pages)?.checked_add(run)?;
            (end <= most).then(|| pages + run)
        };
        // Relaxed, both: one atomic operation, so no two threads get the same pages. What is written there is
        // published with the store.
        let pages = self.pages.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        self.drafts.fetch_add(1, Ordering::Relaxed);
        Some(opened + pages)
    }

    /// A run of pages was opened; before that, the first page never opened was `opened`.
    pub(super) fn note_opened(&mut self, opened: u32, page: u32, run: u32) {
        let pages = self.pages();
        if page >= opened {
            self.passed.extend(opened..page);
            self.pages = PageCount::new(pages.saturating_sub(page + run - opened));
        } else if !self.passed.is_empty() {
            (page..page + run).for_each(|page| _ = self.passed.remove(&page));
        }
    }

    /// Starts the numbers over.
    ///
    /// # Panics
    /// If there are drafts.
    pub(super) fn begin_again(&mut self) {
        assert!(self.drafts.load(Ordering::Relaxed) == 0, "no page is being filled ahead");
        *self = Self::default();
    }
}

/// A page of `T` that is being filled.
pub(crate) struct Draft<T> {
    heap: u64,
    page: u32,
    /// Its memory.
    memory: NonNull<u8>,
    /// The generation of its objects.
    first: Generation,
    /// The start of their headers.
    start: Start,
    /// Slots with an object.
    len: u32,
    values: PhantomData<T>,
}

// SAFETY: a draft owns its values as a vector does, and its memory as long as it has no tag.
unsafe impl<T: Send> Send for Draft<T> {}
// SAFETY: nothing is read through `&Draft`.
unsafe impl<T: Sync> Sync for Draft<T> {}

impl<T: 'static> Draft<T> {
    /// Whether every slot has an object.
    #[inline(always)]
    pub(crate) fn is_full(&self) -> bool {
        self.len == Geometry::<T>::PAGE_SLOTS
    }

    /// Makes an object. Its handle resolves when the page is opened.
    ///
    /// # Panics
    /// If the draft is full, or the store is another one.
    #[inline(always)]
    pub(crate) fn push(&mut self, store: &Store, value: T) -> RawHandle {
        assert!(store.heap == self.heap && !self.is_full(), "a draft of this heap with room");
        let granule = Granule::of_slot::<T>(self.page, self.len);
        // SAFETY: the page's memory is accessible, since the store exists, and was zero; only this draft
        // changes it.
        let slot = unsafe { self.slot(self.len) };
        // SAFETY: nothing else uses it: the draft is borrowed mutably, and its page has no tag.
        let generation = unsafe { slot.exclusive() }.occupy(self.first, self.start, value);
        self.len += 1;
        RawHandle::new(granule, generation)
    }

    /// A slot of the page.
    ///
    /// # Safety
    /// The draft's store must exist, and the page must not be open.
    #[inline(always)]
    unsafe fn slot(&self, slot: u32) -> Slot<'_, T> {
        assert!(slot < Geometry::<T>::PAGE_SLOTS);
        // SAFETY: the slot lies in the page's memory.
        let start = unsafe { self.memory.add(slot as usize * Geometry::<T>::SLOT_BYTES) };
        // SAFETY: a slot boundary of a page for `T`, changed by `push` only since it was zero.
        unsafe { Slot::at(start) }
    }
}

impl Store {
    /// A new page for `T` to be filled: a run of pages where `T` is larger than one.
    pub(crate) fn draft<T: 'static>(
        &self,
        first: Generation,
        age: Age,
        barrier: Barrier,
    ) -> Result<Draft<T>, Limit> {
        let () = Geometry::<T>::FITS;
        let run = Geometry::<T>::RUN_PAGES;
        let given_up = self.given_up.with(|given_up| given_up.take_for_draft(run));
        let (page, first) = match given_up {
            Some(page) => {
                self.ahead.drafts.fetch_add(1, Ordering::Relaxed);
                (page, self.first_above(page, run, first))
            }
            None => {
                let most = self.space.most_pages();
                let page = self.ahead.promise(self.space.opened(), run, most);
                (page.ok_or(Limit::Range(u64::from(most) * PAGE_BYTES as u64))?, first)
            }
        };
        let memory = self.space.open_ahead(page, run, Class::of::<T>()).inspect_err(|_| {
            // A new page's number is lost.
            self.given_up.with(|given_up| {
                if given_up.end_draft(page, run) {
                    (page..page + run).for_each(|page| given_up.insert(page));
                }
            });
            self.ahead.drafts.fetch_sub(1, Ordering::Relaxed);
        })?;
        let start = Start::of(age, barrier);
        Ok(Draft { heap: self.heap, page, memory, first, start, len: 0, values: PhantomData })
    }

    /// Opens the page of a draft; returns its number and the number of its objects, which are in the first
    /// slots. Or returns the draft, if there is no memory for the page's metadata.
    ///
    /// # Panics
    /// If it belongs to another store.
    pub(crate) fn open_draft<T: 'static>(
        &mut self,
        draft: Draft<T>,
        pool: u16,
        age: Age,
        barrier: Barrier,
    ) -> Result<(u32, u32), Draft<T>> {
        assert!(draft.heap == self.heap, "a draft of this heap");
        let (page, len, opened) = (draft.page, draft.len, self.space.opened());
        if self.open_one_of::<T>(pool, draft.first, page, false).is_err() {
            return Err(draft);
        }
        self.given_up.with(|given_up| given_up.end_draft(page, Geometry::<T>::RUN_PAGES));
        self.ahead.note_opened(opened, page, Geometry::<T>::RUN_PAGES);
        self.ahead.drafts.fetch_sub(1, Ordering::Relaxed);
        for (word, bits) in filled_words::<T>(len) {
            write_word(&self.words(Bits::Occupied, page)[word], bits);
            if age == Age::Young {
                write_word(&self.words(Bits::White, page)[word], bits);
            }
        }
        if Start::of(age, barrier) != draft.start {
            // A phase has begun since.
            for slot_index in 0..len {
                let slot = self.look().slot::<T>(Granule::of_slot::<T>(page, slot_index));
                slot.expect("a page of T's").begin(Start::of(age, barrier));
            }
        }
        Ok((page, len))
    }

    /// The objects in the first `len` slots of a page of `T`, word by word.
    pub(crate) fn made_on<T: 'static>(page: u32, len: u32) -> impl Iterator<Item = Made> {
        filled_words::<T>(len).map(move |(word, bits)| Made { page, word, bits })
    }

    /// Gives up a draft: the values are dropped, the handles never resolve.
    ///
    /// # Panics
    /// If it belongs to another store.
    pub(crate) fn discard_draft<T: 'static>(&mut self, mut draft: Draft<T>, panics: &mut Panics) {
        assert!(draft.heap == self.heap, "a draft of this heap");
        let run = Geometry::<T>::RUN_PAGES;
        if needs_drop::<T>() {
            panics.run_all(|| {
                let Some(last) = draft.len.checked_sub(1) else { return false };
                draft.len = last;
                let raw = RawHandle::new(Granule::of_slot::<T>(draft.page, last), draft.first);
                // SAFETY: the store exists, and the page was never opened.
                let slot = unsafe { draft.slot(last) };
                // SAFETY: as in `push`.
                drop(unsafe { slot.exclusive() }.take(raw));
                true
            });
        }
        self.ahead.drafts.fetch_sub(1, Ordering::Relaxed);
        self.space.close_ahead(draft.page, run);
        self.give_up_draft(draft.page, run, draft.first);
    }
}

/// The words of a page whose first `len` slots have objects, with their bits.
fn filled_words<T: 'static>(len: u32) -> impl Iterator<Item = (usize, u64)> {
    let class = Class::of::<T>();
    let end = (len < Geometry::<T>::PAGE_SLOTS).then(|| Granule::of_slot::<T>(0, len));
    // The word and the bits before the first slot without an object.
    let last = end.map_or((usize::MAX, 0), |end| (class.word(end), class.mask(end) - 1));
    (0..class.page_words()).filter_map(move |word| {
        let before = match word.cmp(&last.0) {
            core::cmp::Ordering::Less => u64::MAX,
            core::cmp::Ordering::Equal => last.1,
            core::cmp::Ordering::Greater => 0,
        };
        let bits = Valid::<T>::bits(word) & before;
        (bits != 0).then_some((word, bits))
    })
}

#[cfg(all(test, not(loom)))]
mod tests {
    use alloc::sync::Arc;
    use alloc::vec::Vec;

    use super::*;

    const FIRST: Generation = Generation(1);

    fn store() -> Store {
        Store::new(7, usize::MAX)
    }

    fn draft<T: 'static>(store: &Store) -> Draft<T> {
        store.draft::<T>(FIRST, Age::Young, Barrier::None).unwrap()
    }

    #[test]
    fn a_draft_is_seen_by_nobody_and_its_objects_by_all_when_it_is_opened() {
        let mut store = store();
        let mut draft = draft::<u64>(&store);
        let handles: Vec<_> = (0..100).map(|number| draft.push(&store, number)).collect();
        assert!(handles.iter().all(|raw| !store.is_alive::<u64>(*raw)));
        let (page, len) = store.open_draft(draft, 0, Age::Young, Barrier::None).ok().unwrap();
        assert_eq!((page, len, store.occupied_len(page)), (0, 100, 100));
        let read = |raw: &RawHandle| store.look().get::<u64>(*raw).copied();
        assert!(handles.iter().map(read).eq((0..100).map(Some)));
    }

    #[test]
    fn pages_opened_meanwhile_and_drafts_in_any_order_are_apart() {
        let mut store = store();
        let mut drafts: Vec<_> = (0..4).map(|_| draft::<u64>(&store)).collect();
        let opened = store.open_page::<u64>(0, FIRST).unwrap();
        drafts.extend([draft(&store), draft(&store)]);
        let mut pages = Vec::from([opened]);
        let fill = |(number, draft): (u64, &mut Draft<u64>)| (number, draft.push(&store, number));
        let mut handles: Vec<_> = (0..).zip(&mut drafts).map(fill).collect();
        for place in [5, 1, 0, 2, 1, 0] {
            let (number, raw) = handles.remove(place);
            let (page, _) = store.open_draft(drafts.remove(place), 0, Age::Old, Barrier::None).ok().unwrap();
            assert_eq!(store.look().get::<u64>(raw), Some(&number));
            pages.push(page);
        }
        pages.push(store.open_page::<u64>(0, FIRST).unwrap());
        pages.sort_unstable();
        assert!(pages.iter().copied().eq(0..8), "{pages:?}");
        assert_eq!(store.ahead.passed().count(), 0);
    }

    #[test]
    fn what_is_in_a_draft_given_up_is_dropped_once_and_its_memory_is_zero_again() {
        let (mut store, shared) = (store(), Arc::new(()));
        let mut first = draft::<Arc<()>>(&store);
        let raw = first.push(&store, shared.clone());
        first.push(&store, shared.clone());
        let mut panics = Panics::default();
        store.discard_draft(first, &mut panics);
        panics.raise();
        assert_eq!(Arc::strong_count(&shared), 1);
        // Its number is not used again: the handle is dead for ever.
        let mut second = draft::<Arc<()>>(&store);
        assert_ne!(second.push(&store, shared.clone()).granule(), raw.granule());
        assert!(store.open_draft(second, 0, Age::Young, Barrier::None).is_ok());
        assert!(!store.is_alive::<Arc<()>>(raw));
    }

    #[test]
    #[should_panic(expected = "a draft of this heap")]
    fn a_draft_is_opened_by_no_other_store() {
        let (one, mut other) = (store(), Store::new(8, usize::MAX));
        let _ = other.open_draft(draft::<u64>(&one), 0, Age::Young, Barrier::None);
    }

    #[test]
    #[should_panic(expected = "a draft of this heap with room")]
    fn a_draft_is_filled_beside_no_other_store() {
        let (one, other) = (store(), Store::new(8, usize::MAX));
        draft::<u64>(&one).push(&other, 1);
    }

    #[test]
    #[should_panic(expected = "a draft of this heap with room")]
    fn a_full_draft_takes_no_more() {
        let store = store();
        let mut draft = draft::<[u64; 4096]>(&store);
        for number in 0..2 * Geometry::<[u64; 4096]>::PAGE_SLOTS {
            draft.push(&store, [u64::from(number); 4096]);
        }
    }

    #[test]
    #[should_panic(expected = "no page is being filled ahead")]
    fn numbers_do_not_begin_again_beside_a_draft() {
        let mut store = store();
        let kept = store.keep();
        let _draft = draft::<u64>(&store);
        store.restore(&kept);
    }
}
