//! The address space of a heap: pages of 64 KiB, found from a granule by arithmetic.
//!
//! Two backends with one interface: one reserved address range (Unix, 64 bits), and a table of separately
//! allocated pages (everywhere else: `no_std`, WebAssembly, Miri, or on request with `--cfg slotgc_table`).
//!
//! Invariant, which `page.rs` builds on: between `open` or `reopen` of a run of pages and its `release`,
//! `slot_ptr` of a granule in the run points to that granule's memory, which stays in place, belongs to nobody
//! else, is aligned as the page is, and read as zero when the pages were opened. The last page that a granule
//! can name is never opened, so that the null handle lies outside of every page.

#[cfg(all(feature = "std", unix, target_pointer_width = "64", not(any(miri, loom, slotgc_table))))]
#[path = "space/reserved.rs"]
mod backend;

#[cfg(not(all(feature = "std", unix, target_pointer_width = "64", not(any(miri, loom, slotgc_table)))))]
#[path = "space/table.rs"]
mod backend;

pub(crate) use backend::Space;

/// Asks the processor to bring the line at `ptr` into its second-level cache. Any address will do.
#[inline(always)]
pub(crate) fn prefetch_far(ptr: *const u8) {
    prefetch::far(ptr);
}

/// Asks the processor to bring the line at `ptr` into its first-level cache. Any address will do.
#[inline(always)]
pub(crate) fn prefetch_near(ptr: *const u8) {
    prefetch::near(ptr);
}

#[cfg(all(target_arch = "x86_64", not(miri)))]
#[expect(unsafe_code, reason = "prefetch instructions are declared unsafe")]
mod prefetch {
    use core::arch::x86_64::{_MM_HINT_T0, _MM_HINT_T1, _mm_prefetch};

    #[inline(always)]
    pub(super) fn far(ptr: *const u8) {
        // SAFETY: a prefetch never faults and changes no memory, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(ptr.cast()) }
    }

    #[inline(always)]
    pub(super) fn near(ptr: *const u8) {
        // SAFETY: a prefetch never faults and changes no memory, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(ptr.cast()) }
    }
}

/// Other architectures: the mark loop is the same, its memory arrives later.
#[cfg(not(all(target_arch = "x86_64", not(miri))))]
mod prefetch {
    #[inline(always)]
    pub(super) fn far(_: *const u8) {}

    #[inline(always)]
    pub(super) fn near(_: *const u8) {}
}

#[cfg(test)]
#[expect(unsafe_code, reason = "the test writes to the memory that the space hands out")]
mod tests {
    use super::*;
    use crate::handle::{Granule, PAGE_BYTES};

    /// Fills a page with a byte and says what was there.
    fn fill(space: &mut Space, page: u32, byte: u8) -> u8 {
        let start = space.slot_ptr(Granule::new(page, 0));
        // SAFETY: the page is open, see the module's invariant.
        let old = unsafe { start.add(PAGE_BYTES - 1).read() };
        // SAFETY: as above.
        unsafe { start.write_bytes(byte, PAGE_BYTES) };
        old
    }

    #[test]
    fn pages_are_zero_apart_and_stay_in_place() {
        let mut space = Space::new();
        let first = space.open(1).unwrap();
        let start = space.slot_ptr(Granule::new(first, 0));
        assert_eq!(fill(&mut space, first, 1), 0);
        for byte in 2..200 {
            let page = space.open(1).unwrap();
            assert_eq!(page, first + u32::from(byte) - 1);
            assert_eq!(fill(&mut space, page, byte), 0);
        }
        assert_eq!(space.slot_ptr(Granule::new(first, 0)), start);
        assert_eq!(fill(&mut space, first, 1), 1);
    }

    #[test]
    fn a_run_is_contiguous() {
        let mut space = Space::new();
        let page = space.open(3).unwrap();
        assert_eq!(space.open(1).unwrap(), page + 3);
        let start = space.slot_ptr(Granule::new(page, 0));
        // SAFETY: the three pages are open and contiguous.
        unsafe { start.write_bytes(7, 3 * PAGE_BYTES) };
    }

    #[test]
    fn released_pages_come_back_as_zero() {
        let mut space = Space::new();
        let page = space.open(1).unwrap();
        fill(&mut space, page, 9);
        space.release(page, 1);
        space.reopen(page, 1).unwrap();
        assert_eq!(fill(&mut space, page, 9), 0);
    }

    #[test]
    fn an_unused_space_holds_nothing() {
        let many: alloc::vec::Vec<Space> = (0..10_000).map(|_| Space::new()).collect();
        drop(many);
    }
}
