//! Keeping the state of all slots, and going back to it.
//!
//! For each page, its tag, the header and the bits of each slot, and copies of the values are kept. Going
//! back is a transition of each slot ([`SlotMut::restore`](crate::store::slot::SlotMut::restore)), which
//! returns the value that was there. So nothing is dropped twice or forgotten, whatever happened in between.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::any::Any;

use crate::bitmap::{Bits, Class, read_word, write_word};
use crate::geometry::Granule;
use crate::handle::{Generation, RawHandle};
use crate::panics::Panics;
use crate::store::Store;
use crate::store::pages::{GivenUp, PageMeta, PagePast};
use crate::store::slot::KeptHeader;
use crate::tag::Tag;

/// The storage as it was, except for its slots.
pub(crate) struct KeptStore {
    pages: Vec<PageMeta>,
    pasts: Vec<PagePast>,
    given_up: GivenUp,
    dirty: Vec<RawHandle>,
    is_marking: bool,
    freed_owned: usize,
}

impl KeptStore {
    /// How many pages there were.
    pub(crate) fn opened(&self) -> u32 {
        self.pages.len() as u32
    }
}

/// The pages of a pool as they were: those that held memory.
#[derive(Default)]
pub(crate) struct KeptPages {
    numbers: Vec<u32>,
    /// Those of all slots of a page, one page after the other.
    headers: Vec<KeptHeader>,
    /// For each page, the occupied words and then the white ones.
    words: Vec<u64>,
    /// `NONE` for closed pages.
    tags: Vec<Tag>,
    /// Slots of each page.
    slots: usize,
}

impl KeptPages {
    /// With capacity for this many pages of this many slots each.
    pub(crate) fn with_room(pages: usize, slots: u32) -> Self {
        let slots = slots as usize;
        let (numbers, tags) = (Vec::with_capacity(pages), Vec::with_capacity(pages));
        Self { numbers, tags, headers: Vec::with_capacity(pages * slots), words: Vec::new(), slots }
    }

    /// The first object, in slot order.
    pub(crate) fn first_object(&self, store: &Store) -> Option<RawHandle> {
        let place = self.headers.iter().position(|header| header.has_value())?;
        let (page, slot) = (*self.numbers.get(place / self.slots)?, (place % self.slots) as u32);
        let granule = Granule::new(page, slot * u32::from(store.pages[page as usize].slot_granules));
        Some(RawHandle::new(granule, self.headers[place].generation()))
    }
}

/// The values of a pool's pages, in the order of their slots.
pub(crate) trait KeptValues: Send + Sync {
    /// Puts copies of the values into their slots. Where the `clone` of a value panics, there is no object;
    /// the handle is added to `lost`.
    fn restore(&self, store: &mut Store, pages: &KeptPages, lost: &mut Vec<RawHandle>, panics: &mut Panics);
}

struct Values<T>(Vec<T>);

impl<T: Clone + Send + Sync + Any> KeptValues for Values<T> {
    fn restore(&self, store: &mut Store, pages: &KeptPages, lost: &mut Vec<RawHandle>, panics: &mut Panics) {
        let (mut page, mut slot_index, mut value) = (0, 0, 0);
        // The slot whose value is being copied.
        let mut copying = None;
        panics.run_all(|| {
            if let Some((granule, kept)) = copying.take() {
                let kept: KeptHeader = kept;
                let generation = kept.generation();
                let is_object = generation.is_occupied();
                let after = if is_object { generation.next() } else { generation };
                lost.extend(is_object.then(|| RawHandle::new(granule, generation)));
                let mut slots = store.slots();
                let mut slot = slots.slot_to_sweep::<T>(granule).expect("a page of its type");
                drop(slot.restore(KeptHeader::free(after), None));
            }
            let mut slots = store.slots();
            while let Some(number) = pages.numbers.get(page) {
                let headers = &pages.headers[page * pages.slots..][..pages.slots];
                while let Some(kept) = headers.get(slot_index) {
                    let granule = Granule::of_slot::<T>(*number, slot_index as u32);
                    slot_index += 1;
                    let copy = if kept.has_value() {
                        let original = &self.0[value];
                        value += 1;
                        copying = Some((granule, *kept));
                        let copy = original.clone();
                        copying = None;
                        Some(copy)
                    } else {
                        None
                    };
                    let mut slot = slots.slot_to_sweep::<T>(granule).expect("a page of its type");
                    drop(slot.restore(*kept, copy));
                }
                (page, slot_index) = (page + 1, 0);
            }
            false
        });
    }
}

impl Store {
    pub(crate) fn keep(&self) -> KeptStore {
        // Pages that are being filled will be empty when the heap goes back.
        let mut given_up = self.given_up.with(|given_up| given_up.without_drafts());
        self.ahead.passed().for_each(|page| given_up.insert(page));
        KeptStore {
            pages: self.pages.clone(),
            pasts: self.pasts.clone(),
            given_up,
            dirty: self.dirty.clone(),
            is_marking: self.is_marking,
            freed_owned: self.freed_owned,
        }
    }

    /// Adds a page that holds memory to what is kept.
    pub(crate) fn keep_page(&self, page: u32, kept: &mut KeptPages) {
        kept.numbers.push(page);
        let is_closed = self.pasts[page as usize].is_closed;
        for bits in [Bits::Occupied, Bits::White] {
            kept.words.extend(self.words(bits, page).iter().map(read_word));
        }
        kept.tags.push(if is_closed { Tag::NONE } else { self.space.view().tag(page) });
        let headers = (0..kept.slots as u32).map(|slot| self.slot_of_page(page, slot).kept());
        kept.headers.extend(headers.map(|kept| if is_closed { kept.of_closed_page() } else { kept }));
    }

    /// Copies the values of pages of `T`, and keeps each page as `keep_page` does.
    pub(crate) fn keep_values<T: Clone + Send + Sync + 'static>(
        &self,
        pages: impl Iterator<Item = u32>,
        len: usize,
        kept: &mut KeptPages,
    ) -> Box<dyn KeptValues> {
        let mut values = Vec::<T>::with_capacity(len);
        let look = self.look();
        for page in pages {
            let start = kept.headers.len();
            // Page by page: the headers are in the cache when the values are copied.
            self.keep_page(page, kept);
            for (slot_index, header) in kept.headers[start..].iter().enumerate() {
                if header.has_value() {
                    let granule = Granule::of_slot::<T>(page, slot_index as u32);
                    let slot = look.slot_to_sweep::<T>(granule).expect("a page of T's");
                    values.push(slot.value_if_any().expect("a header that says so").clone());
                }
            }
        }
        Box::new(Values(values))
    }

    /// Goes back to what was kept. All pages that were not open then are now out of use; see
    /// [`wipe_page`](Self::wipe_page).
    pub(crate) fn restore(&mut self, kept: &KeptStore) {
        self.ahead.begin_again();
        self.space.truncate(kept.opened());
        self.pages.clone_from(&kept.pages);
        self.pasts.clone_from(&kept.pasts);
        self.given_up.with(|given_up| given_up.clone_from(&kept.given_up));
        self.dirty.clone_from(&kept.dirty);
        self.is_marking = kept.is_marking;
    }

    /// Finishes going back.
    pub(crate) fn restore_owned(&mut self, kept: &KeptStore) {
        self.freed_owned = kept.freed_owned;
    }

    /// The slots of a page with a value: those of objects with the object's handle, and those whose value
    /// waits for its destructor.
    pub(crate) fn filled(&self, page: u32, slots: u32) -> Vec<(Granule, Option<RawHandle>)> {
        let slot_granules = u32::from(self.pages[page as usize].slot_granules);
        let headers = (0..slots).map(|slot| (slot, self.slot_of_page(page, slot).kept()));
        let filled = headers.filter(|(_, header)| header.has_value());
        let named = filled.map(|(slot, header)| {
            let (granule, generation) = (Granule::new(page, slot * slot_granules), header.generation());
            (granule, generation.is_occupied().then(|| RawHandle::new(granule, generation)))
        });
        named.collect()
    }

    /// Takes a page without values out of access; releases its memory unless `keep_memory`.
    pub(crate) fn wipe_page(&mut self, page: u32, run: u32, keep_memory: bool) {
        self.space.set_tag(page, Tag::NONE);
        for bits in [Bits::Occupied, Bits::White] {
            self.words(bits, page).iter().for_each(|word| write_word(word, 0));
        }
        self.pasts[page as usize].is_closed = false;
        if !keep_memory {
            self.space.release(page, run);
        }
    }

    /// Reopens pages that are out of use, with slots of this many granules, as they are after `release`:
    /// without memory.
    pub(crate) fn reclaim_released(&mut self, page: u32, run: u32, slot_granules: u32) {
        self.reclaim(page, run, slot_granules);
        self.space.release(page, run);
    }

    /// Reopens pages that are out of use, with slots of this many granules.
    pub(crate) fn reclaim(&mut self, page: u32, run: u32, slot_granules: u32) {
        let opened = self.space.open_again(page, run, Class::of_slots(slot_granules));
        opened.expect("slotgc: memory for pages that had some");
    }

    /// Makes pages of a type accessible, to be restored.
    pub(crate) fn unseal(&mut self, kept: &KeptPages, of: Tag) {
        kept.numbers.iter().for_each(|page| self.space.set_tag(*page, of));
    }

    /// Restores the slots of pages without values, both now and then.
    pub(crate) fn restore_empty(&mut self, kept: &KeptPages) {
        for (page, headers) in kept.numbers.iter().zip(kept.headers.chunks(kept.slots.max(1))) {
            let slot_granules = u32::from(self.pages[*page as usize].slot_granules);
            for (slot_index, header) in headers.iter().enumerate() {
                let granule = Granule::new(*page, slot_index as u32 * slot_granules);
                let mut slot = self.untyped_mut(granule).expect("a slot of an open page");
                slot.restore(*header, None);
            }
        }
    }

    /// Restores bits and tags; the slots were restored before.
    pub(crate) fn seal(&mut self, kept: &KeptPages) {
        let mut words = kept.words.iter();
        for (page, tag) in kept.numbers.iter().zip(&kept.tags) {
            for bits in [Bits::Occupied, Bits::White] {
                self.words(bits, *page)
                    .iter()
                    .zip(&mut words)
                    .for_each(|(word, kept)| write_word(word, *kept));
            }
            self.space.set_tag(*page, *tag);
        }
    }

    /// The generation of the slot that begins at `granule`, if one does and its page is accessible.
    pub(crate) fn generation_any(&self, granule: Granule) -> Option<Generation> {
        self.untyped(granule).map(|slot| slot.kept().generation())
    }
}
