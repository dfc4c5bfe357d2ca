//! Where slots lie: granules, pages, and the slots of a type in its pages.

use core::marker::PhantomData;

/// Bytes in a granule, the unit in which handles count addresses.
pub(crate) const GRANULE_BYTES: usize = 8;
/// Bytes in a page, the slots that are of one type and swept together.
pub(crate) const PAGE_BYTES: usize = 64 * 1024;
/// Granules in a page.
pub(crate) const PAGE_GRANULES: u32 = (PAGE_BYTES / GRANULE_BYTES) as u32;
/// Pages that a granule can name: 32 GiB of them.
pub(crate) const MAX_PAGES: u32 = u32::MAX / PAGE_GRANULES + 1;
/// The header before each value: generation and flags.
pub(crate) const HEADER_BYTES: usize = 8;
/// No slot is smaller, so that a page has at most 4096 of them.
pub(crate) const MIN_SLOT_BYTES: usize = 16;

/// Bytes that granules can name. More than a `usize` holds where that has 32 bits, and so never a `usize`.
pub(crate) const RANGE_BYTES: u64 = MAX_PAGES as u64 * PAGE_BYTES as u64;

const _: () = assert!(RANGE_BYTES == 32 << 30);

/// Where the slots of `T` lie in its pages.
pub(crate) struct Geometry<T>(PhantomData<T>);

impl<T> Geometry<T> {
    /// Bytes from one slot to the next.
    pub(crate) const SLOT_BYTES: usize = {
        let align = if align_of::<T>() > HEADER_BYTES { align_of::<T>() } else { HEADER_BYTES };
        // The value follows the header at the next multiple of its alignment.
        let bytes = (align + size_of::<T>()).next_multiple_of(align);
        if bytes < MIN_SLOT_BYTES { MIN_SLOT_BYTES } else { bytes }
    };
    /// Granules from one slot to the next.
    pub(crate) const SLOT_GRANULES: u32 = (Self::SLOT_BYTES / GRANULE_BYTES) as u32;
    /// Pages that belong together: more than one only where a slot is larger than a page.
    pub(crate) const RUN_PAGES: u32 = Self::SLOT_BYTES.div_ceil(PAGE_BYTES) as u32;
    /// Slots in a page, or in a run of pages.
    pub(crate) const PAGE_SLOTS: u32 =
        if Self::RUN_PAGES > 1 { 1 } else { PAGE_GRANULES / Self::SLOT_GRANULES };
    /// Whether a heap can hold a `T` at all.
    pub(crate) const FITS: () = assert!(
        align_of::<T>() <= PAGE_BYTES && (Self::SLOT_BYTES as u64) < RANGE_BYTES,
        "slotgc: a heap holds types of less than 32 GiB that are aligned to 64 KiB at most"
    );
}

/// A place in the heap: a page and the granule in it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Granule(pub(crate) u32);

impl Granule {
    #[inline(always)]
    pub(crate) fn new(page: u32, in_page: u32) -> Self {
        Self(page * PAGE_GRANULES + in_page)
    }

    #[inline(always)]
    pub(crate) fn page(self) -> u32 {
        self.0 / PAGE_GRANULES
    }

    #[inline(always)]
    pub(crate) fn in_page(self) -> u32 {
        self.0 % PAGE_GRANULES
    }

    /// The slot's number in its page; meaningful only for a slot boundary of `T`.
    #[inline(always)]
    pub(crate) fn slot_index<T>(self) -> u32 {
        self.in_page() / Geometry::<T>::SLOT_GRANULES
    }

    #[inline(always)]
    pub(crate) fn of_slot<T>(page: u32, slot: u32) -> Self {
        Self::new(page, slot * Geometry::<T>::SLOT_GRANULES)
    }

    pub(crate) fn is_boundary<T>(self) -> bool {
        self.in_page() % Geometry::<T>::SLOT_GRANULES == 0
            && self.slot_index::<T>() < Geometry::<T>::PAGE_SLOTS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_hold_header_and_value_at_their_alignment() {
        #[repr(align(64))]
        struct Wide(#[expect(dead_code, reason = "only its size matters")] [u8; 64]);
        assert_eq!(Geometry::<()>::SLOT_BYTES, 16);
        assert_eq!(Geometry::<u64>::SLOT_BYTES, 16);
        assert_eq!(Geometry::<[u8; 9]>::SLOT_BYTES, 24);
        assert_eq!(Geometry::<[u64; 8]>::SLOT_BYTES, 72);
        // The alignment of `u128` and of `u64` depends on the target.
        assert_eq!(Geometry::<u128>::SLOT_BYTES, if align_of::<u128>() == 16 { 32 } else { 24 });
        assert_eq!(Geometry::<Wide>::SLOT_BYTES, 128);
        assert_eq!(Geometry::<[u64; 8]>::PAGE_SLOTS, 910);
        assert_eq!(Geometry::<[u8; PAGE_BYTES]>::RUN_PAGES, 2);
        assert_eq!(Geometry::<[u8; PAGE_BYTES]>::PAGE_SLOTS, 1);
    }
}
