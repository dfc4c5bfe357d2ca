//! A table of separately allocated pages: for targets where no address range can be reserved.
//!
//! A slot's address is one table lookup and an addition. A run of pages is one allocation; the table's
//! entries of its later pages are empty, since no slot begins there.
#![expect(unsafe_code, reason = "allocates pages and computes addresses in them")]

use alloc::alloc::{Layout, alloc_zeroed, dealloc};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::ops::Range;
use core::ptr::{NonNull, null, null_mut};

use crate::bitmap::{Bits, Class};
use crate::config::Limit;
use crate::geometry::{GRANULE_BYTES, Granule, MAX_PAGES, PAGE_BYTES};
use crate::sync::{BitsWord, Lock};
use crate::tag::Tag;

/// The pages of a heap.
pub(crate) struct Space {
    pages: Vec<Option<Run>>,
    /// Runs that will be opened later, and their first pages.
    ahead: Lock<BTreeMap<u32, Run>>,
}

/// An allocation of one page or more, and the bits of its slots.
struct Run {
    /// `None` while the memory is released.
    start: Option<NonNull<u8>>,
    pages: u32,
    tag: Tag,
    /// In the order of [`Bits`].
    bits: [Box<[BitsWord]>; 2],
}

// SAFETY: a `Run` owns its memory as a box does, and `&Run` only returns its address.
unsafe impl Send for Run {}
// SAFETY: as above.
unsafe impl Sync for Run {}

impl Run {
    fn new(pages: u32, class: Class) -> Result<Self, Limit> {
        let bits = [(); 2].map(|()| (0..class.page_words()).map(|_| BitsWord::new(0)).collect());
        let mut run = Self { start: None, pages, tag: Tag::NONE, bits };
        run.take_again()?;
        Ok(run)
    }

    fn layout(&self) -> Option<Layout> {
        Layout::from_size_align((self.pages as usize).checked_mul(PAGE_BYTES)?, PAGE_BYTES).ok()
    }

    fn take_again(&mut self) -> Result<(), Limit> {
        let refused = Limit::Memory((self.pages as usize).saturating_mul(PAGE_BYTES));
        let layout = self.layout().ok_or(refused)?;
        // SAFETY: the layout is of at least one page.
        let start = unsafe { alloc_zeroed(layout) };
        self.start = Some(NonNull::new(start).ok_or(refused)?);
        Ok(())
    }

    fn give_back(&mut self) {
        if let Some(start) = self.start.take() {
            let layout = self.layout().expect("it was allocated with this layout");
            // SAFETY: allocated in `take_again` with this layout, and taken out of `start`, so freed once.
            unsafe { dealloc(start.as_ptr(), layout) };
        }
    }

    /// The address of a granule in the run.
    #[inline(always)]
    fn ptr(&self, granule: Granule) -> *mut u8 {
        let start = self.start.map_or(null_mut(), NonNull::as_ptr);
        start.wrapping_add(granule.in_page() as usize * GRANULE_BYTES)
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.give_back();
    }
}

impl Space {
    /// An empty space. Its future size does not matter: nothing is reserved.
    pub(crate) fn new(_max_bytes: usize) -> Self {
        Self { pages: Vec::new(), ahead: Lock::new(BTreeMap::new()) }
    }

    #[inline(always)]
    pub(crate) fn view(&self) -> View<'_> {
        View { space: self }
    }

    /// Sets the tag of an open page.
    pub(crate) fn set_tag(&mut self, page: u32, tag: Tag) {
        self.pages[page as usize].as_mut().expect("an open page").tag = tag;
    }

    /// The program is between two frames.
    #[expect(clippy::unused_self, reason = "as for a reserved range")]
    pub(crate) fn note_frame(&mut self) {}

    /// Opens `run` pages for slots of a class, of the type with this number, from page `first` on: new ones,
    /// or some that were opened ahead. Earlier pages that were not opened may be opened later.
    pub(crate) fn open(&mut self, first: u32, run: u32, class: Class, _of: u16) -> Result<(), Limit> {
        // The last page is never handed out: the null handle points there.
        let end = first.checked_add(run).filter(|end| *end < MAX_PAGES);
        let end = end.ok_or(Limit::Range(u64::from(MAX_PAGES - 1) * PAGE_BYTES as u64))? as usize;
        let opened = match self.take_ahead(first) {
            Some(run) => run,
            None => Run::new(run, class)?,
        };
        if self.pages.len() < end {
            self.pages.resize_with(end, || None);
        }
        self.put(first as usize..end, opened);
        Ok(())
    }

    /// Puts a run where there is none, or where others were released.
    fn put(&mut self, place: Range<usize>, run: Run) {
        let pages = &mut self.pages[place];
        let is_released = |page: &Option<Run>| page.as_ref().is_none_or(|run| run.start.is_none());
        assert!(pages.iter().all(is_released), "pages are opened that are in use");
        pages.fill_with(|| None);
        pages[0] = Some(run);
    }

    /// Allocates the memory of `run` pages from page `first` on, to be opened later: new ones, or released
    /// ones. Returns its address: nothing else reads or writes there until then.
    pub(crate) fn open_ahead(&self, first: u32, run: u32, class: Class) -> Result<NonNull<u8>, Limit> {
        let run = Run::new(run, class)?;
        let start = run.start.expect("it has memory");
        self.ahead.with(|ahead| ahead.insert(first, run));
        Ok(start)
    }

    /// Gives up pages that were opened ahead and are out of use.
    pub(crate) fn close_ahead(&mut self, first: u32, _run: u32) {
        drop(self.take_ahead(first));
    }

    fn take_ahead(&mut self, first: u32) -> Option<Run> {
        self.ahead.with(|ahead| ahead.remove(&first))
    }

    /// The number of the next page that was never opened.
    pub(crate) fn opened(&self) -> u32 {
        self.pages.len() as u32
    }

    /// How many pages there is room for.
    pub(crate) fn most_pages(&self) -> u32 {
        MAX_PAGES - 1
    }

    /// Returns the memory of a run of pages to the allocator; their bits stay.
    pub(crate) fn release(&mut self, first: u32, _run: u32) {
        self.run(first).give_back();
    }

    /// Undoes `release`: the pages read as zero.
    pub(crate) fn reopen(&mut self, first: u32, _run: u32) -> Result<(), Limit> {
        self.run(first).take_again()
    }

    /// Opens a run of released pages, perhaps from other runs, for slots of a class: the pages read as zero.
    pub(crate) fn open_again(&mut self, first: u32, run: u32, class: Class) -> Result<(), Limit> {
        let opened = Run::new(run, class)?;
        self.put(first as usize..(first + run) as usize, opened);
        Ok(())
    }

    /// Forgets that the pages from this one on were opened. They are out of use.
    pub(crate) fn truncate(&mut self, opened: u32) {
        self.pages.truncate(opened as usize);
    }

    fn run(&mut self, first: u32) -> &mut Run {
        self.pages[first as usize].as_mut().expect("an open page")
    }
}

/// The locations of everything.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    space: &'a Space,
}

impl<'a> View<'a> {
    /// The tag of a page; `NONE` for one that is not open.
    #[inline(always)]
    pub(crate) fn tag(self, page: u32) -> Tag {
        match self.space.pages.get(page as usize) {
            Some(Some(run)) => run.tag,
            _ => Tag::NONE,
        }
    }

    /// The address of a granule.
    ///
    /// # Safety
    /// Its page must be open: have a tag, or be the caller's own since `open` or `reopen`.
    #[inline(always)]
    pub(crate) unsafe fn slot_ptr(self, granule: Granule) -> NonNull<u8> {
        let run = self.space.pages[granule.page() as usize].as_ref().expect("an open page");
        NonNull::new(run.ptr(granule)).expect("an open page has memory")
    }

    /// The address of a granule to prefetch, whatever is there.
    #[inline(always)]
    pub(crate) fn hint_ptr(self, granule: Granule) -> *const u8 {
        match self.space.pages.get(granule.page() as usize) {
            Some(Some(run)) => run.ptr(granule),
            _ => null(),
        }
    }

    /// The word with the bit of the slot at `granule`.
    ///
    /// # Safety
    /// None here: a page that is not open panics. The other backend requires that the page was opened for
    /// slots of this class.
    #[inline(always)]
    pub(crate) unsafe fn word(self, bits: Bits, class: Class, granule: Granule) -> &'a BitsWord {
        // SAFETY: as the caller promises.
        let words = unsafe { self.words(bits, class, granule.page()) };
        &words[class.word(granule) % class.page_words()]
    }

    /// The words of a page.
    ///
    /// # Safety
    /// As for `word`.
    #[inline(always)]
    pub(crate) unsafe fn words(self, bits: Bits, _class: Class, page: u32) -> &'a [BitsWord] {
        let run = self.space.pages[page as usize].as_ref().expect("an open page");
        &run.bits[bits as usize]
    }
}
