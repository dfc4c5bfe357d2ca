//! The slots of a page whose tag was looked at once.
//!
//! Invariant: the page has the tag of `T` for as long as the space is borrowed.
#![expect(unsafe_code, reason = "turns an observed tag into permission to access; see `space.rs`")]

use core::marker::PhantomData;

use crate::geometry::{Geometry, Granule};
use crate::space::Space;
use crate::store::Look;
use crate::store::slot::Slot;

/// A page of `T` in which no dead object awaits its sweep: its slots are found without another look at its
/// tag. Holds no address, so that it may be sent to another thread where a `&Space` may.
pub(super) struct OpenPage<'a, T> {
    space: &'a Space,
    page: u32,
    slots: PhantomData<fn() -> T>,
}

impl<T> Copy for OpenPage<'_, T> {}

impl<T> Clone for OpenPage<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<'a, T: 'static> OpenPage<'a, T> {
    /// The page of this number, the first of its run, if it is one.
    #[inline(always)]
    pub(super) fn of(space: &'a Space, page: u32) -> Option<Self> {
        let is_open = Look::of(space).is_page_of::<T>(Granule::new(page, 0));
        is_open.then_some(Self { space, page, slots: PhantomData })
    }

    /// The slot of this number.
    ///
    /// # Panics
    /// If the page has no such slot.
    #[inline(always)]
    pub(super) fn slot(self, slot_index: u32) -> (Granule, Slot<'a, T>) {
        assert!(slot_index < Geometry::<T>::PAGE_SLOTS, "a slot of the page");
        let granule = Granule::of_slot::<T>(self.page, slot_index);
        // SAFETY: the page had the tag of `T` when this was made. Tags change only through a `&mut Space`, so
        // it is still open, and the granule is a slot boundary in it.
        let start = unsafe { self.space.view().slot_ptr(granule) };
        // SAFETY: likewise; the store is borrowed for `'a`.
        (granule, unsafe { Slot::at(start) })
    }
}
