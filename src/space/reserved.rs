//! One reserved address range per heap: a slot's address is `base + granule * 8`.
//!
//! The range is mapped without access, which costs no memory and counts towards no overcommit limit, and made
//! accessible in steps as pages are opened. Nothing is mapped before the first page is opened, so an empty
//! heap costs nothing. What differs between systems is in `space/system_unix.rs` and
//! `space/system_windows.rs`; the size of a range is decided in `space/share.rs`.
//!
//! The tags lie before the pages, one for every page that a granule can name whatever the range's size, so a
//! lookup needs no bounds check. The bitmaps lie before the tags, one for each class, for the pages of the
//! range. Tags are at a constant offset from the base; bits at an offset that also depends on the size of the
//! range.
//!
//! ```text
//! | white, class 7 .. 1 | occupied, class 7 .. 1 | tags  | pages                                  |
//! | 508 MiB             | 508 MiB                | 4 MiB ^ base                            32 GiB |
//! | 254 KiB             | 254 KiB                | 4 MiB ^ base                            16 MiB |
//! ```
#![expect(unsafe_code, reason = "maps memory and computes addresses in it")]

use core::marker::PhantomData;
use core::ptr::NonNull;

use crate::bitmap::{Bits, Class, LAST_CLASS};
use crate::config::Limit;
use crate::geometry::{GRANULE_BYTES, Granule, MAX_PAGES, PAGE_BYTES};
use crate::space::growth::{Growth, HUGE_BYTES, make_writable, part};
use crate::space::reuse;
use crate::space::share::{LEAST_PAGES, Share};
use crate::space::system::{self, Mapping};
use crate::sync::{BitsWord, Flag, Lock, Ordering};
use crate::tag::Tag;

/// Tags and bitmaps become writable in steps of this size, a multiple of every system's page.
const SIDE_STEP_BYTES: usize = 64 << 10;

const TAGS_BYTES: usize = MAX_PAGES as usize * size_of::<Tag>();

/// Classes, including the one for which no slot is small enough.
const CLASSES: usize = LAST_CLASS as usize + 1;

/// Where the bits of a class begin: this many rows before the tags, a row being a word for each page. By
/// bitmap and class; a table, so that it is a constant wherever the class is.
const BITS_PLACE: [[usize; CLASSES]; 2] = {
    let mut places = [[0; CLASSES]; 2];
    let mut place = 0;
    let mut bits = 0;
    while bits < 2 {
        let mut class = 1;
        while class < CLASSES {
            place += Class(class as u32).page_words();
            places[bits][class] = place;
            class += 1;
        }
        bits += 1;
    }
    places
};

/// Bytes of a row: a word for each of this many pages.
const fn row_bytes(pages: u32) -> usize {
    pages as usize * size_of::<u64>()
}

/// Bytes of all bitmaps for this many pages.
const fn all_bits_bytes(pages: u32) -> usize {
    let rows = BITS_PLACE[Bits::White as usize][CLASSES - 1];
    (rows * row_bytes(pages)).next_multiple_of(SIDE_STEP_BYTES)
}

/// Bytes of a range of this many pages, with everything before the base and what is needed to align it.
const fn range_bytes(pages: u32) -> usize {
    all_bits_bytes(pages) + TAGS_BYTES + pages as usize * PAGE_BYTES + HUGE_BYTES
}

const _: () = assert!(row_bytes(LEAST_PAGES) % 64 == 0, "every bitmap begins on a line");
const _: () = assert!(TAGS_BYTES % SIDE_STEP_BYTES == 0);

/// The tags of a space in which nothing is reserved yet: all `NONE`, never written, no memory.
static NO_TAGS: [Tag; MAX_PAGES as usize] = [Tag::NONE; MAX_PAGES as usize];

/// A reserved range, and how much of it is in use.
pub(crate) struct Space {
    /// The first page's address, on a boundary of `HUGE_BYTES`; the tags begin `TAGS_BYTES` before it. While
    /// nothing is reserved it is the end of `NO_TAGS`.
    base: NonNull<u8>,
    /// See [`row_bytes`].
    row_bytes: usize,
    /// What to unmap.
    map: Option<Mapping>,
    /// This range's share of the process's address space.
    share: Share,
    /// Pages that the range has room for.
    reserved: u32,
    /// Pages handed out.
    opened: u32,
    /// Bytes of tags that can be written.
    tags_bytes: usize,
    /// For each class, the bytes of each of its bitmaps that can be accessed.
    bits_bytes: [usize; CLASSES],
    growth: Lock<Growth>,
    /// A range that was reserved with `&Space`, and is taken over with `&mut`.
    ahead: Lock<Option<Range>>,
    /// Whether a frame has ended since memory was made accessible: then the heap grows frame by frame.
    is_calm: Flag,
}

// SAFETY: `Space` owns its mapping as a box owns its memory, and hands out only addresses and atomics.
unsafe impl Send for Space {}
// SAFETY: `&Space` computes addresses, reads tags, which change only through `&mut`, returns atomics, and
// makes memory accessible, under a lock.
unsafe impl Sync for Space {}

/// A range that was reserved.
struct Range {
    map: Mapping,
    base: NonNull<u8>,
    pages: u32,
    /// Whether it is smaller than requested.
    was_refused: bool,
    /// Whether all bitmaps can be accessed.
    has_bits: bool,
}

// SAFETY: `Range` owns its mapping as a box owns its memory.
unsafe impl Send for Range {}

/// The range of a heap that was dropped: empty again, and as far accessible as it was.
pub(super) struct Used {
    range: Range,
    growth: Growth,
    tags_bytes: usize,
    bits_bytes: [usize; CLASSES],
}

impl Space {
    /// An empty space, for at most this many bytes in slots. Nothing is reserved yet.
    pub(crate) fn new(max_bytes: usize) -> Self {
        let base = NonNull::from(&NO_TAGS).cast::<u8>();
        // SAFETY: the end of the static, one past its last byte.
        let base = unsafe { base.add(TAGS_BYTES) };
        let (tags_bytes, bits_bytes) = (0, [0; CLASSES]);
        Self {
            base,
            row_bytes: 0,
            map: None,
            share: Share::for_bytes(max_bytes),
            reserved: 0,
            opened: 0,
            tags_bytes,
            bits_bytes,
            growth: Lock::new(Growth::default()),
            ahead: Lock::new(None),
            is_calm: Flag::new(false),
        }
    }

    #[inline(always)]
    pub(crate) fn view(&self) -> View<'_> {
        View { base: self.base, row_bytes: self.row_bytes, space: PhantomData }
    }

    /// The program is between two frames.
    pub(crate) fn note_frame(&mut self) {
        // Relaxed, here and below: only decides whether memory is requested in small pages.
        self.is_calm.store(true, Ordering::Relaxed);
    }

    /// Sets the tag of an open page.
    pub(crate) fn set_tag(&mut self, page: u32, tag: Tag) {
        assert!(page < self.opened, "page {page} is not open");
        // SAFETY: the tags of open pages are writable, see `open`.
        unsafe { self.view().tag_ptr(page).write(tag) }
    }

    /// Opens `run` pages for slots of a class, of the type with this number, from page `first` on: new ones,
    /// or some that were opened ahead. Earlier pages that were not opened may be opened later.
    pub(crate) fn open(&mut self, first: u32, run: u32, class: Class, of: u16) -> Result<(), Limit> {
        if self.map.is_none() {
            self.reserve()?;
        }
        let range = (self.base, self.reserved);
        let end = self.growth.with(|growth| {
            growth.firsts = growth.firsts.max(u32::from(of) + 1);
            growth.reach(range, first, run, &self.is_calm)
        })?;
        let tags_bytes = (end as usize * size_of::<Tag>()).next_multiple_of(SIDE_STEP_BYTES);
        if tags_bytes > self.tags_bytes {
            make_writable(self.view().tag_ptr(0).as_ptr().cast(), tags_bytes)?;
            self.tags_bytes = tags_bytes;
        }
        self.make_bits_accessible(class, end)?;
        self.opened = self.opened.max(end);
        Ok(())
    }

    /// Makes the memory of `run` pages from page `first` on accessible, to be opened later: new ones, or
    /// released ones. Returns its address: nothing else reads or writes there until then.
    pub(crate) fn open_ahead(&self, first: u32, run: u32, _class: Class) -> Result<NonNull<u8>, Limit> {
        let range = match &self.map {
            Some(_) => (self.base, self.reserved),
            None => self.ahead.with(|ahead| {
                let range = match ahead {
                    Some(range) => range,
                    None => ahead.insert(Range::new(self.share.pages())?),
                };
                Ok((range.base, range.most_pages()))
            })?,
        };
        self.growth.with(|growth| growth.reach(range, first, run, &self.is_calm))?;
        if first < self.opened {
            // Others had them before, and released them.
            let (start, bytes) = part(range, first, first + run);
            // SAFETY: the pages lie in the mapping, and were emptied by `release`.
            let is_refilled = unsafe { system::refill(start, bytes) };
            is_refilled.then_some(()).ok_or(Limit::Memory(bytes))?;
        }
        // SAFETY: the pages lie in the range, since `reach` made them accessible.
        Ok(unsafe { range.0.add(first as usize * PAGE_BYTES) })
    }

    /// Gives up pages that were opened ahead and are out of use: they read as zero again.
    pub(crate) fn close_ahead(&mut self, first: u32, run: u32) {
        if self.map.is_none() && self.reserve().is_err() {
            return;
        }
        self.release(first, run);
        self.reopen(first, run).expect("memory for pages that had some");
    }

    /// The number of the next page that was never opened.
    pub(crate) fn opened(&self) -> u32 {
        self.opened
    }

    /// How many pages there is room for, as far as that is known.
    pub(crate) fn most_pages(&self) -> u32 {
        if self.map.is_some() { self.reserved } else { MAX_PAGES - 1 }
    }

    /// Returns the memory of a run of pages to the system.
    pub(crate) fn release(&mut self, first: u32, run: u32) {
        let (start, bytes) = self.range(first, first + run);
        // SAFETY: the range is in the mapping and accessible, and the caller's pages are out of use.
        unsafe { system::empty(start, bytes) };
    }

    /// Undoes `release`: the pages read as zero.
    pub(crate) fn reopen(&mut self, first: u32, run: u32) -> Result<(), Limit> {
        let (start, bytes) = self.range(first, first + run);
        // SAFETY: the range is in the mapping and was emptied by `release`.
        let is_refilled = unsafe { system::refill(start, bytes) };
        is_refilled.then_some(()).ok_or(Limit::Memory(bytes))
    }

    /// Opens a run of released pages, perhaps from other runs, for slots of a class: the pages read as zero.
    pub(crate) fn open_again(&mut self, first: u32, run: u32, class: Class) -> Result<(), Limit> {
        assert!(first + run <= self.opened, "pages {first} and on were open before");
        self.make_bits_accessible(class, first + run)?;
        self.reopen(first, run)
    }

    /// Forgets that the pages from this one on were opened. They are out of use, and their bits are zero.
    pub(crate) fn truncate(&mut self, opened: u32) {
        if opened < self.opened {
            (opened..self.opened).for_each(|page| self.set_tag(page, Tag::NONE));
            let run = self.opened - opened;
            self.release(opened, run);
            self.reopen(opened, run).expect("memory for pages that had some");
            self.opened = opened;
        }
    }

    /// Reserves the range, or takes over the one that was reserved ahead, or that of another heap.
    fn reserve(&mut self) -> Result<(), Limit> {
        let mut range = self.ahead.with(Option::take);
        if range.is_none() && self.share.is_uncapped() {
            range = reuse::take().map(|used| {
                (self.tags_bytes, self.bits_bytes) = (used.tags_bytes, used.bits_bytes);
                self.growth = Lock::new(used.growth);
                used.range
            });
        }
        let range = match range {
            Some(range) => range,
            None => Range::new(self.share.pages())?,
        };
        self.row_bytes = row_bytes(range.pages);
        if range.has_bits {
            self.bits_bytes = [usize::MAX; CLASSES];
        }
        self.share.take(range_bytes(range.pages), range.was_refused);
        self.reserved = range.most_pages();
        (self.base, self.map) = (range.base, Some(range.map));
        Ok(())
    }

    /// Empties the range for another heap, if it is of the usual size and little of it is in use.
    fn take_used(&mut self) -> Option<Used> {
        if self.reserved != MAX_PAGES - 1 {
            return None;
        }
        let growth = self.growth.with(|growth| growth.for_another())?;
        for page in 0..self.opened {
            self.set_tag(page, Tag::NONE);
        }
        for class in (1..=LAST_CLASS).map(Class) {
            let known = self.bits_bytes[class.0 as usize] / (class.page_words() * size_of::<u64>());
            for page in 0..self.opened.min(known as u32) {
                for bits in [Bits::Occupied, Bits::White] {
                    // SAFETY: so far the words of the class are accessible.
                    let words = unsafe { self.view().words(bits, class, page) };
                    // Relaxed: nothing else uses the heap.
                    words.iter().for_each(|word| word.store(0, Ordering::Relaxed));
                }
            }
        }
        let (start, bytes) = self.range(0, growth.accessible());
        // SAFETY: the pages lie in the mapping, are accessible, and out of use.
        unsafe { system::empty(start, bytes) };
        // SAFETY: they were just emptied.
        let is_refilled = unsafe { system::refill(start, bytes) };
        let (map, base) = (self.map.take()?, self.base);
        let range = Range { map, base, pages: MAX_PAGES, was_refused: false, has_bits: false };
        let used = Used { range, growth, tags_bytes: self.tags_bytes, bits_bytes: self.bits_bytes };
        is_refilled.then_some(used)
    }

    /// Makes a class's bitmaps accessible for the pages before `end`.
    fn make_bits_accessible(&mut self, class: Class, end: u32) -> Result<(), Limit> {
        let bytes = end as usize * class.page_words() * size_of::<u64>();
        if bytes <= self.bits_bytes[class.0 as usize] {
            return Ok(());
        }
        let bytes = bytes.next_multiple_of(SIDE_STEP_BYTES);
        for bits in [Bits::Occupied, Bits::White] {
            let start = self.base.as_ptr().wrapping_sub(self.view().bits_offset(bits, class));
            make_writable(start, bytes)?;
        }
        self.bits_bytes[class.0 as usize] = bytes;
        Ok(())
    }

    /// Address and length of the pages from `first` up to `end`.
    fn range(&self, first: u32, end: u32) -> (*mut u8, usize) {
        part((self.base, self.reserved), first, end)
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        if self.map.is_some() {
            self.take_used().into_iter().for_each(reuse::keep);
        }
    }
}

impl Range {
    /// Reserves a range of this many pages, or a smaller one if the system refuses, with access only to the
    /// tags.
    fn new(asked: u32) -> Result<Self, Limit> {
        let mut pages = asked;
        let map = loop {
            match Mapping::without_access(range_bytes(pages)) {
                Some(map) => break map,
                None if pages > LEAST_PAGES => pages /= 2,
                None => return Err(Limit::Memory(range_bytes(pages))),
            }
        };
        // The first boundary of a huge page that leaves room for everything before the base.
        let side_bytes = all_bits_bytes(pages) + TAGS_BYTES;
        let skip = map.start().as_ptr().wrapping_add(side_bytes).align_offset(HUGE_BYTES);
        // SAFETY: the mapping is a huge page longer than needed.
        let base = unsafe { map.start().add(side_bytes + skip) };
        let tags = base.as_ptr().wrapping_sub(TAGS_BYTES);
        // SAFETY: the tags lie in the new mapping, which has not been accessed yet.
        if !unsafe { system::make_readable(tags, TAGS_BYTES) } {
            return Err(Limit::Memory(TAGS_BYTES));
        }
        // Too small to be opened in steps, each of which would cost one of the process's few mappings.
        let has_bits = row_bytes(pages) < SIDE_STEP_BYTES.max(system::FREE_BYTES);
        if has_bits {
            let bytes = all_bits_bytes(pages);
            make_writable(tags.wrapping_sub(bytes), bytes)?;
        }
        Ok(Self { map, base, pages, was_refused: pages < asked, has_bits })
    }

    /// How many pages there is room for. The last page that can be named is never handed out: the null handle
    /// points there.
    fn most_pages(&self) -> u32 {
        self.pages.min(MAX_PAGES - 1)
    }
}

/// The locations of everything: an address and a size, which a loop can keep in registers.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    base: NonNull<u8>,
    row_bytes: usize,
    space: PhantomData<&'a Space>,
}

impl<'a> View<'a> {
    /// Where the bits of a class begin: this many bytes before the base.
    #[inline(always)]
    fn bits_offset(self, bits: Bits, class: Class) -> usize {
        TAGS_BYTES + BITS_PLACE[bits as usize][class.0 as usize] * self.row_bytes
    }

    #[inline(always)]
    fn tag_ptr(self, page: u32) -> NonNull<Tag> {
        // SAFETY: before the base lie `MAX_PAGES` tags, in the same mapping or static.
        let tags = unsafe { self.base.sub(TAGS_BYTES) }.cast::<Tag>();
        // SAFETY: every page that a granule can name has a tag.
        unsafe { tags.add(page as usize % MAX_PAGES as usize) }
    }

    /// The tag of a page; `NONE` for one that is not open.
    #[inline(always)]
    pub(crate) fn tag(self, page: u32) -> Tag {
        // SAFETY: the tags are readable; one never written reads as zero, which is `NONE`.
        unsafe { self.tag_ptr(page).read() }
    }

    /// The address of a granule.
    ///
    /// # Safety
    /// Its page must be open: have a tag, or be the caller's own since `open` or `reopen`.
    #[inline(always)]
    pub(crate) unsafe fn slot_ptr(self, granule: Granule) -> NonNull<u8> {
        // Counted in granules, not bytes: the processor's addressing does the multiplication. SAFETY: an open
        // page lies in the mapping.
        unsafe { self.base.cast::<[u8; GRANULE_BYTES]>().add(granule.0 as usize) }.cast()
    }

    /// The address of a granule to prefetch, whatever is there.
    #[inline(always)]
    pub(crate) fn hint_ptr(self, granule: Granule) -> *const u8 {
        self.base.as_ptr().cast::<[u8; GRANULE_BYTES]>().wrapping_add(granule.0 as usize).cast()
    }

    /// The address of the word with the bit of the slot at `granule`.
    ///
    /// # Safety
    /// The page must have been opened for slots of this class.
    #[inline(always)]
    unsafe fn word_ptr(self, bits: Bits, class: Class, granule: Granule) -> NonNull<BitsWord> {
        // SAFETY: before the base lie the bitmaps, in the same mapping since a page was opened.
        let words = unsafe { self.base.sub(self.bits_offset(bits, class)) }.cast::<BitsWord>();
        // SAFETY: each class has a bit for every granule that can be named.
        unsafe { words.add(class.word(granule)) }
    }

    /// The word with the bit of the slot at `granule`.
    ///
    /// # Safety
    /// The page must have been opened for slots of this class.
    #[inline(always)]
    pub(crate) unsafe fn word(self, bits: Bits, class: Class, granule: Granule) -> &'a BitsWord {
        // SAFETY: as the caller promises.
        let word = unsafe { self.word_ptr(bits, class, granule) };
        // SAFETY: the words of a page opened for the class are accessible, aligned, and atomics for as long
        // as the space lives.
        unsafe { word.as_ref() }
    }

    /// The words of a page.
    ///
    /// # Safety
    /// As for `word`.
    #[inline(always)]
    pub(crate) unsafe fn words(self, bits: Bits, class: Class, page: u32) -> &'a [BitsWord] {
        // SAFETY: as the caller promises.
        let first = unsafe { self.word_ptr(bits, class, Granule::new(page, 0)) };
        // The pointer is into the whole mapping, so it may be followed past its first word.
        let words = NonNull::slice_from_raw_parts(first, class.page_words());
        // SAFETY: the words of a page are contiguous, accessible and atomics for as long as the space lives.
        unsafe { words.as_ref() }
    }
}
