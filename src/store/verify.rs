//! Checking the storage's own books.

use alloc::vec::Vec;

use crate::bitmap::{Bits, Class, Valid, ones, read_word};
use crate::geometry::Granule;
use crate::handle::RawHandle;
use crate::store::Store;

/// What the checked pages hold.
#[derive(Default)]
pub(crate) struct Tally {
    /// Objects, including dead ones that are not swept yet.
    pub(crate) objects: usize,
    /// Objects on which something is registered.
    pub(crate) watched: usize,
    /// Old objects that were changed since the last collection.
    pub(crate) changed: Vec<RawHandle>,
    /// Old objects that were not.
    pub(crate) unchanged: Vec<RawHandle>,
}

impl Store {
    /// Checks the records about a page of `T`, and adds what lives there to the tally.
    ///
    /// # Panics
    /// If something is wrong.
    pub(crate) fn verify_page<T: 'static>(&self, page: u32, tally: &mut Tally) {
        let name = core::any::type_name::<T>();
        let (white, occupied) = (self.words(Bits::White, page), self.words(Bits::Occupied, page));
        for (word, (white, occupied)) in white.iter().zip(occupied).enumerate() {
            let (white, occupied) = (read_word(white), read_word(occupied));
            assert!(occupied & !Valid::<T>::bits(word) == 0, "page {page} of {name}: a bit without a slot");
            assert!(white & !occupied == 0, "page {page} of {name}: a white slot that is not occupied");
            for bit in ones(Valid::<T>::bits(word)) {
                let granule = Granule::of_slot::<T>(page, Class::of::<T>().slot::<T>(word, bit));
                let slot = self.look().slot_to_sweep::<T>(granule).expect("an open page of its type");
                if !slot.is_held() {
                    continue;
                }
                // As a handle would show it, though the slot may be empty.
                let of = (granule.0, slot.generation().0);
                let is_alive = slot.generation().is_occupied();
                assert!(occupied >> bit & 1 != 0, "{name} {}v{}: its slot may be handed out", of.0, of.1);
                assert!(!is_alive || !slot.is_doomed(), "{name} {}v{}: alive and doomed", of.0, of.1);
                assert!(!is_alive || !slot.is_reserved(), "{name} {}v{}: alive and reserved", of.0, of.1);
                tally.objects += usize::from(is_alive);
                tally.watched += usize::from(is_alive && slot.is_watched());
                if is_alive && white >> bit & 1 == 0 {
                    let list = if slot.is_logged() { &mut tally.changed } else { &mut tally.unchanged };
                    list.push(RawHandle::new(granule, slot.generation()));
                }
            }
        }
    }

    /// Checks the write barrier's list, between two cycles: according to their flags these old objects are in
    /// it. Returns one that is not.
    pub(crate) fn find_lost(&self, changed: &[RawHandle]) -> Option<RawHandle> {
        let mut dirty = self.dirty.clone();
        dirty.sort_unstable();
        changed.iter().copied().find(|raw| dirty.binary_search(raw).is_err())
    }
}
