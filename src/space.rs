//! The address space of a heap: pages of 64 KiB, found from a granule by arithmetic.
//!
//! Two backends with one interface: one reserved address range (64-bit Unix, and Windows on x86-64), and a
//! table of separately allocated pages (everywhere else: 32 bits, `no_std`, WebAssembly, Miri, or on request
//! with `--cfg slotgc_table`). What the former needs from the system is in a file for each family of systems.
//!
//! Invariant, which `store.rs` builds on: between `open` or `reopen` of a run of pages and its `release`,
//! `slot_ptr` of a granule in the run points to that granule's memory, which stays in place, is used by
//! nothing else, is aligned as the page is, and read as zero when the pages were opened. A page has a tag
//! other than `NONE` only between these calls, so seeing a tag is permission to access. The last page that a
//! granule can name is never opened, so that the null handle lies outside every page.

#[cfg(all(
    feature = "std",
    any(unix, all(windows, target_arch = "x86_64")),
    target_pointer_width = "64",
    not(any(miri, loom, slotgc_table))
))]
#[path = "space/reserved.rs"]
mod backend;

#[cfg(all(
    feature = "std",
    any(unix, all(windows, target_arch = "x86_64")),
    target_pointer_width = "64",
    not(any(miri, loom, slotgc_table))
))]
#[cfg_attr(unix, path = "space/system_unix.rs")]
#[cfg_attr(windows, path = "space/system_windows.rs")]
mod system;

#[cfg(all(
    feature = "std",
    any(unix, all(windows, target_arch = "x86_64")),
    target_pointer_width = "64",
    not(any(miri, loom, slotgc_table))
))]
mod growth;

#[cfg(all(
    feature = "std",
    any(unix, all(windows, target_arch = "x86_64")),
    target_pointer_width = "64",
    not(any(miri, loom, slotgc_table))
))]
mod reuse;

#[cfg(all(
    feature = "std",
    any(unix, all(windows, target_arch = "x86_64")),
    target_pointer_width = "64",
    not(any(miri, loom, slotgc_table))
))]
mod share;

#[cfg(not(all(
    feature = "std",
    any(unix, all(windows, target_arch = "x86_64")),
    target_pointer_width = "64",
    not(any(miri, loom, slotgc_table))
)))]
#[path = "space/table.rs"]
mod backend;

pub(crate) use backend::{Space, View};

/// Prefetches the line at `ptr` into the second-level cache. Any address is allowed.
#[inline(always)]
pub(crate) fn prefetch_far(ptr: *const u8) {
    prefetch::far(ptr);
}

/// Prefetches the line at `ptr` into the first-level cache. Any address is allowed.
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

/// Other architectures: the mark loop is the same, but waits for memory.
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
    use crate::bitmap::{Bits, Class};
    use crate::config::Limit;
    use crate::geometry::{Granule, MAX_PAGES, PAGE_BYTES};
    use crate::sync::Ordering;
    use crate::tag::Tag;

    /// Opens the next pages.
    fn open(space: &mut Space, run: u32, class: Class) -> Result<u32, Limit> {
        let first = space.opened();
        space.open(first, run, class, 0).map(|()| first)
    }

    fn start_of(space: &Space, page: u32) -> *mut u8 {
        // SAFETY: called only for open pages.
        unsafe { space.view().slot_ptr(Granule::new(page, 0)) }.as_ptr()
    }

    /// Fills a page with a byte and returns what was there.
    fn fill(space: &mut Space, page: u32, byte: u8) -> u8 {
        let start = start_of(space, page);
        // SAFETY: the page is open, see the module's invariant.
        let old = unsafe { start.wrapping_add(PAGE_BYTES - 1).read() };
        // SAFETY: as above.
        unsafe { start.write_bytes(byte, PAGE_BYTES) };
        old
    }

    #[test]
    fn pages_are_zero_apart_and_stay_in_place() {
        let mut space = Space::new(usize::MAX);
        let first = open(&mut space, 1, Class(1)).unwrap();
        let start = start_of(&space, first);
        assert_eq!(fill(&mut space, first, 1), 0);
        for byte in 2..200 {
            let page = open(&mut space, 1, Class(1)).unwrap();
            assert_eq!(page, first + u32::from(byte) - 1);
            assert_eq!(fill(&mut space, page, byte), 0);
        }
        assert_eq!(start_of(&space, first), start);
        assert_eq!(fill(&mut space, first, 1), 1);
    }

    #[test]
    fn bits_of_neighbouring_pages_classes_and_bitmaps_do_not_touch() {
        let mut space = Space::new(usize::MAX);
        let classes = [Class(1), Class(3), Class(1), Class(7), Class(3)];
        let pages = classes.map(|class| (open(&mut space, 1, class).unwrap(), class));
        let words = |bits, page: (u32, Class)| {
            // SAFETY: the page was opened for this class.
            unsafe { space.view().words(bits, page.1, page.0) }
        };
        for (number, page) in pages.iter().enumerate() {
            for bits in [Bits::Occupied, Bits::White] {
                for word in words(bits, *page) {
                    // Relaxed: one thread.
                    let old = word.swap(number as u64 * 2 + bits as u64 + 1, Ordering::Relaxed);
                    assert_eq!(old, 0, "the words of page {number} are its own");
                }
            }
        }
        assert_eq!(words(Bits::White, pages[3]).len(), 1);
    }

    #[test]
    fn a_run_is_contiguous() {
        let mut space = Space::new(usize::MAX);
        let page = open(&mut space, 3, Class(7)).unwrap();
        assert_eq!(open(&mut space, 1, Class(1)).unwrap(), page + 3);
        let start = start_of(&space, page);
        // SAFETY: the three pages are open and contiguous.
        unsafe { start.write_bytes(7, 3 * PAGE_BYTES) };
    }

    #[test]
    fn released_pages_come_back_as_zero() {
        let mut space = Space::new(usize::MAX);
        let page = open(&mut space, 1, Class(1)).unwrap();
        fill(&mut space, page, 9);
        space.release(page, 1);
        space.reopen(page, 1).unwrap();
        assert_eq!(fill(&mut space, page, 9), 0);
    }

    #[test]
    fn every_page_has_a_tag_and_it_is_none_at_first() {
        let mut space = Space::new(usize::MAX);
        assert_eq!(space.view().tag(MAX_PAGES - 1), Tag::NONE);
        let pages: alloc::vec::Vec<u32> = (0..100).map(|_| open(&mut space, 1, Class(1)).unwrap()).collect();
        for page in &pages {
            assert_eq!(space.view().tag(*page), Tag::NONE);
            space.set_tag(*page, Tag::of::<u8>());
        }
        assert!(pages.iter().all(|page| space.view().tag(*page) == Tag::of::<u8>()));
        assert_eq!(space.view().tag(100), Tag::NONE);
        assert_eq!(space.view().tag(MAX_PAGES - 1), Tag::NONE);
    }

    #[test]
    fn a_space_after_another_finds_nothing_of_it() {
        for round in 0..20 {
            let classes = [Class(1), Class(3), Class(7)];
            let mut space = Space::new(usize::MAX);
            for class in classes.into_iter().cycle().skip(round % 3).take(1 + round) {
                let page = open(&mut space, 1, class).unwrap();
                assert_eq!(space.view().tag(page), Tag::NONE);
                space.set_tag(page, Tag::of::<u8>());
                assert_eq!(fill(&mut space, page, 7), 0);
                // SAFETY: the page is open.
                assert_eq!(unsafe { start_of(&space, page).read() }, 7);
                for bits in [Bits::Occupied, Bits::White] {
                    // SAFETY: the page was opened for this class.
                    for word in unsafe { space.view().words(bits, class, page) } {
                        // Relaxed: one thread.
                        assert_eq!(word.swap(u64::MAX, Ordering::Relaxed), 0);
                    }
                }
            }
            assert!((40..1000).all(|page| space.view().tag(page) == Tag::NONE));
        }
    }

    #[test]
    fn an_unused_space_holds_nothing() {
        let many: alloc::vec::Vec<Space> = (0..10_000).map(|_| Space::new(usize::MAX)).collect();
        drop(many);
    }
}
