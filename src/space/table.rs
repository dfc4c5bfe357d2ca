//! A table of pages, each allocated on its own: for targets where no address range can be reserved.
//!
//! A slot's address is one table look-up and an addition. A run of pages is one allocation; the table's
//! entries of its later pages are empty, since no slot begins there.
#![expect(unsafe_code, reason = "allocates pages and computes addresses in them")]

use alloc::alloc::{Layout, alloc_zeroed, dealloc};
use alloc::vec::Vec;
use core::ptr::{NonNull, null_mut};

use crate::config::Limit;
use crate::handle::{GRANULE_BYTES, Granule, MAX_PAGES, PAGE_BYTES};

/// The pages of a heap.
#[derive(Default)]
pub(crate) struct Space {
    pages: Vec<Option<Run>>,
}

/// An allocation of one page or more, and how many.
struct Run {
    start: NonNull<u8>,
    pages: u32,
}

// SAFETY: a `Run` owns its memory as a box does, and `&Run` only tells its address.
unsafe impl Send for Run {}
// SAFETY: as above.
unsafe impl Sync for Run {}

impl Run {
    fn layout(pages: u32) -> Option<Layout> {
        Layout::from_size_align((pages as usize).checked_mul(PAGE_BYTES)?, PAGE_BYTES).ok()
    }

    fn new(pages: u32) -> Result<Self, Limit> {
        let refused = Limit::Memory((pages as usize).saturating_mul(PAGE_BYTES));
        let layout = Self::layout(pages).ok_or(refused)?;
        // SAFETY: the layout is of at least one page.
        let start = unsafe { alloc_zeroed(layout) };
        Ok(Self { start: NonNull::new(start).ok_or(refused)?, pages })
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let layout = Self::layout(self.pages).expect("a run was allocated with this layout");
        // SAFETY: allocated in `new` with this layout, and dropped once.
        unsafe { dealloc(self.start.as_ptr(), layout) };
    }
}

impl Space {
    /// An empty space.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// The address of a granule; meaningful if its page is open.
    #[inline(always)]
    pub(crate) fn slot_ptr(&self, granule: Granule) -> *mut u8 {
        match self.pages.get(granule.page() as usize) {
            Some(Some(run)) => run.start.as_ptr().wrapping_add(granule.in_page() as usize * GRANULE_BYTES),
            _ => null_mut(),
        }
    }

    /// Opens the next `run` pages and gives the number of the first.
    pub(crate) fn open(&mut self, run: u32) -> Result<u32, Limit> {
        let first = self.pages.len() as u32;
        // The last page is never handed out: the null handle points there.
        let end = first.checked_add(run).filter(|end| *end < MAX_PAGES);
        let end = end.ok_or(Limit::Range(u64::from(MAX_PAGES - 1) * PAGE_BYTES as u64))?;
        self.pages.push(Some(Run::new(run)?));
        self.pages.resize_with(end as usize, || None);
        Ok(first)
    }

    /// Gives the memory of a run of pages back to the allocator.
    pub(crate) fn release(&mut self, first: u32, _run: u32) {
        self.pages[first as usize] = None;
    }

    /// Undoes `release`: the pages read as zero.
    pub(crate) fn reopen(&mut self, first: u32, run: u32) -> Result<(), Limit> {
        self.pages[first as usize] = Some(Run::new(run)?);
        Ok(())
    }
}
