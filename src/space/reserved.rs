//! One reserved address range a heap: a slot's address is `base + granule * 8`.
//!
//! The range is mapped without access, which costs no memory and counts towards no overcommit limit, and made
//! accessible in steps as pages are opened. Nothing is mapped before the first page is opened, so an empty
//! heap costs nothing.
#![expect(unsafe_code, reason = "maps memory and computes addresses in it")]

use core::ffi::c_void;
use core::ptr::NonNull;

use rustix::mm::{Advice, MapFlags, MprotectFlags, ProtFlags, madvise, mmap_anonymous, mprotect, munmap};

use crate::config::Limit;
use crate::handle::{GRANULE_BYTES, Granule, MAX_PAGES, PAGE_BYTES};

/// The size of a huge page: memory is opened in steps of it, on its boundaries.
const HUGE_BYTES: usize = 2 << 20;
const STEP_PAGES: u32 = (HUGE_BYTES / PAGE_BYTES) as u32;
/// A heap below this size is not worth huge pages: most of one would stay empty.
const HUGE_FROM_PAGES: u32 = 2 * STEP_PAGES;
/// The smallest range worth having when the system refuses larger ones.
const LEAST_PAGES: u32 = 8 * STEP_PAGES;

/// A reserved range and how much of it is in use.
pub(crate) struct Space {
    /// The first page's address, on a boundary of `HUGE_BYTES`; dangling while nothing is reserved.
    base: NonNull<u8>,
    /// What to unmap.
    map: Option<Mapping>,
    /// Pages that the range has room for.
    reserved: u32,
    /// Pages that can be accessed.
    accessible: u32,
    /// Pages handed out.
    opened: u32,
}

// SAFETY: `Space` owns its mapping as a box owns its memory, and hands out addresses only.
unsafe impl Send for Space {}
// SAFETY: `&Space` only computes addresses.
unsafe impl Sync for Space {}

impl Space {
    /// An empty space. Nothing is reserved yet.
    pub(crate) fn new() -> Self {
        Self { base: NonNull::dangling(), map: None, reserved: 0, accessible: 0, opened: 0 }
    }

    /// The address of a granule; meaningful if its page is open.
    #[inline(always)]
    pub(crate) fn slot_ptr(&self, granule: Granule) -> *mut u8 {
        self.base.as_ptr().wrapping_add(granule.0 as usize * GRANULE_BYTES)
    }

    /// Opens the next `run` pages and gives the number of the first.
    pub(crate) fn open(&mut self, run: u32) -> Result<u32, Limit> {
        if self.map.is_none() {
            self.reserve()?;
        }
        let first = self.opened;
        let end = first.checked_add(run).filter(|end| *end <= self.reserved);
        let end = end.ok_or(Limit::Range(u64::from(self.reserved) * PAGE_BYTES as u64))?;
        if end > self.accessible {
            self.make_accessible(end)?;
        }
        self.opened = end;
        Ok(first)
    }

    /// Gives the memory of a run of pages back to the system.
    pub(crate) fn release(&mut self, first: u32, run: u32) {
        let (start, bytes) = self.range(first, first + run);
        // SAFETY: the range is in the mapping and accessible, and the caller's pages are out of use. Private
        // anonymous memory reads as zero after this advice.
        let advised = unsafe { madvise(start, bytes, Advice::LinuxDontNeed) };
        if advised.is_err() || cfg!(not(any(target_os = "linux", target_os = "android"))) {
            // Elsewhere the advice need not empty the pages. Zero is what `reopen` promises.
            // SAFETY: as above; the pages are writable.
            unsafe { start.cast::<u8>().write_bytes(0, bytes) };
        }
    }

    /// Undoes `release`: the pages read as zero.
    pub(crate) fn reopen(&mut self, _first: u32, _run: u32) -> Result<(), Limit> {
        Ok(())
    }

    /// Reserves the range, a smaller one when the system refuses, and no access to it.
    fn reserve(&mut self) -> Result<(), Limit> {
        // The last page is never handed out: the null handle points there.
        let mut pages = MAX_PAGES;
        loop {
            match Mapping::without_access(pages as usize * PAGE_BYTES + HUGE_BYTES) {
                Some(map) => {
                    self.base = map.aligned_start();
                    self.map = Some(map);
                    self.reserved = pages.min(MAX_PAGES - 1);
                    return Ok(());
                }
                None if pages > LEAST_PAGES => pages /= 2,
                None => return Err(Limit::Memory(pages as usize * PAGE_BYTES)),
            }
        }
    }

    /// Makes the pages before `end` accessible, and some more: a step is a call into the kernel.
    #[cold]
    fn make_accessible(&mut self, end: u32) -> Result<(), Limit> {
        let ahead = (self.accessible / 8).max(STEP_PAGES);
        let end = end.max(self.accessible + ahead).next_multiple_of(STEP_PAGES).min(self.reserved);
        let (start, bytes) = self.range(self.accessible, end);
        // SAFETY: the range is in the mapping, and nobody has accessed it yet.
        unsafe { mprotect(start, bytes, MprotectFlags::READ | MprotectFlags::WRITE) }
            .map_err(|_| Limit::Memory(bytes))?;
        if end > HUGE_FROM_PAGES {
            self.advise_huge(end);
        }
        self.accessible = end;
        Ok(())
    }

    /// Asks for huge pages from where the heap became large enough for them.
    fn advise_huge(&self, end: u32) {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            let (start, bytes) = self.range(self.accessible.max(STEP_PAGES), end);
            // SAFETY: the range is in the mapping. The advice changes no contents; where it is refused the
            // pages stay small.
            let _ = unsafe { madvise(start, bytes, Advice::LinuxHugepage) };
        }
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        let _ = end;
    }

    /// Address and length of the pages from `first` to before `end`.
    fn range(&self, first: u32, end: u32) -> (*mut c_void, usize) {
        assert!(
            first <= end && end <= self.reserved,
            "pages {first} to {end} lie outside of the heap's range"
        );
        let start = self.slot_ptr(Granule::new(first, 0));
        (start.cast(), (end - first) as usize * PAGE_BYTES)
    }
}

/// Memory mapped by us, unmapped when dropped.
struct Mapping {
    start: NonNull<c_void>,
    bytes: usize,
}

impl Mapping {
    fn without_access(bytes: usize) -> Option<Self> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        let flags = MapFlags::PRIVATE;
        // SAFETY: a new mapping at an address of the kernel's choice touches no memory of ours.
        let start = unsafe { mmap_anonymous(core::ptr::null_mut(), bytes, ProtFlags::empty(), flags) };
        Some(Self { start: NonNull::new(start.ok()?)?, bytes })
    }

    /// The first boundary of a huge page in the mapping, which is a huge page longer than needed.
    fn aligned_start(&self) -> NonNull<u8> {
        let start = self.start.cast::<u8>();
        let skip = start.as_ptr().align_offset(HUGE_BYTES);
        // SAFETY: `skip` is less than a huge page, and the mapping is longer than that.
        unsafe { start.add(skip) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours and, its `Space` being dropped, out of use.
        let unmapped = unsafe { munmap(self.start.as_ptr(), self.bytes) };
        debug_assert!(unmapped.is_ok(), "a mapping of our own can be unmapped");
    }
}
