//! Slots: where objects live, one header of 8 bytes and one value each. This is THE unsafe file.
//!
//! What makes it sound, in four sentences. A page whose tag is that of `T` is open, holds slots of `T` at
//! every slot boundary of [`Geometry<T>`], and nothing else. A slot's value is initialised exactly while its
//! generation is odd or its flag `DOOMED` is set; the header is always initialised, since fresh pages read as
//! zero. A `Gc<T>` or `Weak<T>` lies on a slot boundary of `T` (see `handle.rs`). So: the tag matches, the
//! generation matches, hence the value is there and is a `T`.
//!
//! Everything here is safe to call in any order: whoever forgets to mark an object gets `None` later, never
//! a value of the wrong type or a value that is gone.
#![expect(unsafe_code, reason = "reads and writes slots through their addresses; see the argument above")]

use alloc::vec::Vec;
use core::marker::PhantomData;
use core::mem::needs_drop;

use crate::bitmap::{BitPlace, Bitmap, Bits, PAGE_WORDS, ones};
use crate::config::Limit;
use crate::handle::{GRANULE_BYTES, Generation, Geometry, Granule, HEADER_BYTES, PAGE_GRANULES, RawHandle};
use crate::space::{Space, prefetch_far, prefetch_near};
use crate::tag::Tag;

/// What stands before each value.
#[repr(C)]
struct Header {
    generation: Generation,
    flags: u32,
}

const _: () = assert!(size_of::<Header>() == HEADER_BYTES && align_of::<Header>() <= GRANULE_BYTES);

/// The slot's object is dead (its generation is even) but its destructor has not run yet.
const DOOMED: u32 = 1;

/// What is known of a page. Sixteen bytes, so that one line describes four pages.
#[derive(Clone, Copy)]
pub(crate) struct PageMeta {
    /// The type of its slots, or `NONE` while the page must not be accessed.
    tag: Tag,
    /// The generation at which its fresh slots start.
    first: Generation,
    /// The pool that the page belongs to.
    pool: u16,
    /// Granules from one slot to the next; the whole page where an object takes a run of pages.
    slot_granules: u16,
}

const _: () = assert!(size_of::<PageMeta>() == 16);

impl PageMeta {
    /// The slot at `granule` if a slot begins there.
    fn slot_at(&self, granule: Granule) -> Option<u32> {
        let slot_granules = u32::from(self.slot_granules);
        let slot = granule.in_page() / slot_granules;
        (self.tag != Tag::NONE
            && granule.in_page() % slot_granules == 0
            && slot < PAGE_GRANULES / slot_granules)
            .then_some(slot)
    }
}

/// The address of a slot that begins at a slot boundary of an open page, of type `T` (or of unknown type
/// for `T = ()`). Made in [`Slots`] only, after the page's tag was seen.
struct Slot<T> {
    start: *mut u8,
    target: PhantomData<*mut T>,
}

impl<T> Clone for Slot<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Slot<T> {}

impl<T> Slot<T> {
    /// The value follows the header at the next multiple of its alignment.
    const VALUE_OFFSET: usize = if align_of::<T>() > HEADER_BYTES { align_of::<T>() } else { HEADER_BYTES };

    #[inline(always)]
    fn generation(self) -> Generation {
        // SAFETY: a `Slot` is in an open page, where every slot has an initialised header.
        unsafe { (*self.start.cast::<Header>()).generation }
    }

    #[inline(always)]
    fn set_generation(self, generation: Generation) {
        // SAFETY: as above; the heap is borrowed mutably by whoever changes a slot.
        unsafe { (*self.start.cast::<Header>()).generation = generation }
    }

    /// Generation and flags at once: a tenant's first moment, or none's.
    #[inline(always)]
    fn set_header(self, generation: Generation) {
        // SAFETY: as above.
        unsafe { self.start.cast::<Header>().write(Header { generation, flags: 0 }) }
    }

    #[inline(always)]
    fn flags(self) -> u32 {
        // SAFETY: as above.
        unsafe { (*self.start.cast::<Header>()).flags }
    }

    #[inline(always)]
    fn set_flags(self, flags: u32) {
        // SAFETY: as above.
        unsafe { (*self.start.cast::<Header>()).flags = flags }
    }

    #[inline(always)]
    fn value(self) -> *mut T {
        self.start.wrapping_add(Self::VALUE_OFFSET).cast()
    }
}

/// The pages and what is in them, but not the bitmaps: marking reads this while it writes those.
pub(crate) struct Slots {
    space: Space,
    pages: Vec<PageMeta>,
}

/// The slots' generations alone, for code that holds a `&mut T` into the slots.
#[derive(Clone, Copy)]
pub(crate) struct Headers<'a>(&'a Slots);

/// The slots to read, and their white bits to clear: what marking works on. Slices, so that a loop keeps
/// their addresses in registers.
pub(crate) struct Reach<'a> {
    pages: &'a [PageMeta],
    slots: &'a Slots,
    white: Bits<'a>,
}

/// How far the collection under way has come with an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Color {
    /// Not reached so far.
    White,
    /// Reached; whether traced too, the bit does not tell.
    Reached,
    /// No such object.
    Dead,
}

impl<'a> Reach<'a> {
    #[inline(always)]
    pub(crate) fn slots(&self) -> &'a Slots {
        self.slots
    }

    /// Whether the slot that a handle of a `T` names is white. The generation is not looked at: it is a cache
    /// miss away, and whoever takes the handle up looks at it then. Clears the bit if `clear` is all ones.
    #[inline(always)]
    pub(crate) fn take_white<T: 'static>(&mut self, raw: RawHandle, clear: u64) -> bool {
        let granule = raw.granule();
        match self.pages.get(granule.page() as usize) {
            Some(page) if page.tag == Tag::of::<T>() => {
                self.white.test_and_clear(BitPlace::of_slot::<T>(granule), clear)
            }
            _ => false,
        }
    }

    /// As `take_white`, for a handle whose type is not known.
    #[inline]
    pub(crate) fn take_white_any(&mut self, raw: RawHandle, clear: u64) -> bool {
        self.slots.place_any(raw).is_some_and(|place| self.white.test_and_clear(place, clear))
    }

    /// How far the collection has come with the object of this handle.
    pub(crate) fn color_any(&self, raw: RawHandle) -> Color {
        match self.slots.place_any(raw) {
            Some(place) if self.white.get(place) => Color::White,
            Some(_) if self.slots.untyped(raw.granule()).generation() == raw.generation() => Color::Reached,
            _ => Color::Dead,
        }
    }
}

/// All storage of a heap.
pub(crate) struct Store {
    slots: Slots,
    /// Slots not to be handed out: an object lives there, its destructor is yet to run, a handle to the
    /// destroyed object may still be stored somewhere (limbo), the slot is retired, or a [`Claim`] has it.
    occupied: Bitmap,
    /// Occupied slots that the collection under way has not reached.
    white: Bitmap,
}

/// Up to 64 neighbouring slots set aside for allocation. Their bits in `occupied` are set and nobody else
/// hands them out.
#[derive(Clone, Copy)]
pub(crate) struct Claim {
    tag: Tag,
    page: u32,
    word: u32,
    free: u64,
    first: Generation,
}

/// What became of a slot whose object died.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Vacated {
    /// It can be used again.
    Reusable,
    /// Its generations are used up; it stays occupied for ever.
    Retired,
}

/// What a sweep of one word of slots found.
#[derive(Clone, Copy, Default)]
pub(crate) struct SweptWord {
    /// Slots whose object died.
    pub(crate) died: u64,
    /// Slots that are never used again.
    pub(crate) retired: u64,
}

impl SweptWord {
    /// The slots that are never used again.
    pub(crate) fn retired_granules(
        self,
        page: u32,
        word: usize,
        slot_bytes: usize,
    ) -> impl Iterator<Item = Granule> {
        let slot_granules = (slot_bytes / GRANULE_BYTES) as u32;
        ones(self.retired).map(move |bit| Granule::new(page, (word as u32 * 64 + bit) * slot_granules))
    }
}

impl Slots {
    /// The slot that `raw`, a handle of a `T`, lies at: its page is one of `T`'s.
    #[inline(always)]
    fn slot<T: 'static>(&self, granule: Granule) -> Option<Slot<T>> {
        match self.pages.get(granule.page() as usize) {
            Some(page) if page.tag == Tag::of::<T>() => {
                Some(Slot { start: self.space.slot_ptr(granule), target: PhantomData })
            }
            _ => None,
        }
    }

    /// The slot in which the object of this handle lives.
    #[inline(always)]
    fn find<T: 'static>(&self, raw: RawHandle) -> Option<Slot<T>> {
        self.slot::<T>(raw.granule()).filter(|slot| slot.generation() == raw.generation())
    }

    #[inline(always)]
    pub(crate) fn get<T: 'static>(&self, raw: RawHandle) -> Option<&T> {
        let slot = self.find::<T>(raw)?;
        // SAFETY: `find` saw the tag of `T` and an odd generation, so the value is an initialised `T`; `&self`
        // keeps it from being changed.
        Some(unsafe { &*slot.value() })
    }

    #[inline(always)]
    pub(crate) fn is_alive<T: 'static>(&self, raw: RawHandle) -> bool {
        self.find::<T>(raw).is_some()
    }

    /// The generation of the slot at a slot boundary of `T`, if the page is one of `T`'s.
    #[inline(always)]
    pub(crate) fn generation<T: 'static>(&self, granule: Granule) -> Option<Generation> {
        self.slot::<T>(granule).map(Slot::generation)
    }

    /// The pool to which the page of `granule` belongs; of a page that is out of access, too.
    #[inline(always)]
    pub(crate) fn pool_of(&self, granule: Granule) -> u16 {
        self.pages[granule.page() as usize].pool
    }

    /// Page and slot of a handle whose type is not known, if a slot begins there.
    #[inline]
    pub(crate) fn place_any(&self, raw: RawHandle) -> Option<BitPlace> {
        let granule = raw.granule();
        let slot = self.pages.get(granule.page() as usize)?.slot_at(granule)?;
        Some(BitPlace::new(granule.page(), slot))
    }

    #[inline]
    pub(crate) fn is_alive_any(&self, raw: RawHandle) -> bool {
        self.place_any(raw).is_some() && self.untyped(raw.granule()).generation() == raw.generation()
    }

    /// The slot at a slot boundary of an accessible page.
    #[inline(always)]
    fn untyped(&self, granule: Granule) -> Slot<()> {
        debug_assert!(self.pages[granule.page() as usize].slot_at(granule).is_some());
        Slot { start: self.space.slot_ptr(granule), target: PhantomData }
    }

    /// Asks for the lines of the slot at `granule`, from the beginning of the slot on, to be brought near.
    #[inline(always)]
    pub(crate) fn prefetch_far(&self, granule: Granule, lines: u32) {
        let start = self.space.slot_ptr(granule);
        for line in 0..lines {
            prefetch_far(start.wrapping_add(line as usize * 64));
        }
    }

    #[inline(always)]
    pub(crate) fn prefetch_near(&self, granule: Granule) {
        prefetch_near(self.space.slot_ptr(granule));
    }
}

impl Headers<'_> {
    #[inline(always)]
    pub(crate) fn is_alive<T: 'static>(self, raw: RawHandle) -> bool {
        self.0.is_alive::<T>(raw)
    }
}

impl Store {
    pub(crate) fn new() -> Self {
        let slots = Slots { space: Space::new(), pages: Vec::new() };
        Self { slots, occupied: Bitmap::default(), white: Bitmap::default() }
    }

    #[inline(always)]
    pub(crate) fn slots(&self) -> &Slots {
        &self.slots
    }

    #[inline(always)]
    pub(crate) fn white(&self) -> &Bitmap {
        &self.white
    }

    #[inline(always)]
    pub(crate) fn occupied(&self) -> &Bitmap {
        &self.occupied
    }

    /// The slots to read and the white bits to clear: what marking works on.
    #[inline(always)]
    pub(crate) fn reach(&mut self) -> Reach<'_> {
        Reach { pages: &self.slots.pages, slots: &self.slots, white: self.white.bits() }
    }

    // ---- Pages

    /// Opens a page for `T` (a run of pages where `T` is larger than one), all slots free.
    pub(crate) fn open_page<T: 'static>(&mut self, pool: u16, first: Generation) -> Result<u32, Limit> {
        let () = Geometry::<T>::FITS;
        let run = Geometry::<T>::RUN_PAGES;
        let page = self.slots.space.open(run)?;
        let later = PageMeta { tag: Tag::NONE, first, pool, slot_granules: PAGE_GRANULES as u16 };
        let slot_granules = Geometry::<T>::SLOT_GRANULES.min(PAGE_GRANULES) as u16;
        self.slots.pages.push(PageMeta { tag: Tag::of::<T>(), slot_granules, ..later });
        self.slots.pages.resize((page + run) as usize, later);
        self.occupied.grow(page + run);
        self.white.grow(page + run);
        Ok(page)
    }

    /// Puts a page in which all objects died out of access, so that every handle into it is dead. O(1); the
    /// generations are bumped when the page is next used. For types without destructors only.
    pub(crate) fn close_page(&mut self, page: u32) {
        self.slots.pages[page as usize].tag = Tag::NONE;
        self.occupied.page_mut(page).fill(0);
        self.white.page_mut(page).fill(0);
    }

    /// Undoes `close_page`: bumps the generations of the dead and opens the page to access. Gives the slots
    /// whose generations are used up.
    pub(crate) fn reopen_closed<T: 'static>(&mut self, page: u32, mut retire: impl FnMut(Granule)) {
        assert!(!needs_drop::<T>(), "a page of values with destructors is not closed");
        self.slots.pages[page as usize].tag = Tag::of::<T>();
        for slot_index in 0..Geometry::<T>::PAGE_SLOTS {
            let granule = Granule::of_slot::<T>(page, slot_index);
            let slot = self.slots.slot::<T>(granule).expect("the page is one of T's");
            if slot.generation().is_occupied() {
                slot.set_generation(slot.generation().next());
                if slot.generation() == Generation::ZERO {
                    self.occupied.set(BitPlace::new(page, slot_index));
                    retire(granule);
                }
            }
        }
    }

    /// Gives the memory of a page without occupied slots back to the system. Its slots, made again, start
    /// above every generation that was handed out.
    pub(crate) fn release_page<T: 'static>(&mut self, page: u32) {
        assert!(
            self.occupied.page(page).iter().all(|word| *word == 0),
            "a released page has no occupied slot"
        );
        let meta = self.slots.pages[page as usize];
        let mut last = Generation::ZERO;
        // A page that was closed still holds the odd generations of its dead.
        self.slots.pages[page as usize].tag = Tag::of::<T>();
        for slot_index in 0..Geometry::<T>::PAGE_SLOTS {
            let slot = self.slots.slot::<T>(Granule::of_slot::<T>(page, slot_index)).expect("a page of T's");
            assert!(slot.flags() & DOOMED == 0, "a released page has no value left to drop");
            last = last.max(slot.generation());
        }
        // Odd: the next tenant's, one above the last one's. If that is past the end the page is of no more use.
        let next = if last.is_occupied() { last.0.checked_add(2) } else { Some(last.0 + 1) };
        let first = next.map_or(Generation::ZERO, |next| meta.first.max(Generation(next)));
        self.slots.pages[page as usize] = PageMeta { tag: Tag::NONE, first, ..meta };
        self.slots.space.release(page, Geometry::<T>::RUN_PAGES);
    }

    /// Undoes `release_page`; `false` if the page's generations are used up.
    pub(crate) fn reopen_released<T: 'static>(&mut self, page: u32) -> Result<bool, Limit> {
        let meta = self.slots.pages[page as usize];
        if meta.first == Generation::ZERO {
            return Ok(false);
        }
        self.slots.space.reopen(page, Geometry::<T>::RUN_PAGES)?;
        self.slots.pages[page as usize].tag = Tag::of::<T>();
        Ok(true)
    }

    // ---- Allocation

    /// Claims the free slots of the next word of a page from `word` on; `None` if there is none.
    #[inline]
    pub(crate) fn claim(&mut self, page: u32, word: u32) -> Option<Claim> {
        let meta = self.slots.pages[page as usize];
        if meta.tag == Tag::NONE {
            return None;
        }
        let slots = PAGE_GRANULES / u32::from(meta.slot_granules);
        let bits = self.occupied.page_mut(page);
        for word in word..slots.div_ceil(64) {
            let valid = u64::MAX >> (64 - (slots - word * 64).min(64));
            let free = !bits[word as usize] & valid;
            if free != 0 {
                bits[word as usize] |= free;
                return Some(Claim { tag: meta.tag, page, word, free, first: meta.first });
            }
        }
        None
    }

    /// Frees the slots of a claim that were not used.
    pub(crate) fn unclaim(&mut self, claim: Claim) {
        self.occupied.page_mut(claim.page)[claim.word as usize] &= !claim.free;
    }

    /// Puts a value into the next slot of a claim. The claim must have one.
    #[inline(always)]
    pub(crate) fn fill<T: 'static>(&mut self, claim: &mut Claim, value: T) -> RawHandle {
        let (slot, granule) = self.next_slot::<T>(claim);
        let generation = slot.generation().next().max(claim.first);
        // SAFETY: the slot is one of `T`'s and its generation even, so no value is there; room for a `T` is.
        unsafe { slot.value().write(value) };
        slot.set_header(generation);
        RawHandle::new(granule, generation)
    }

    /// Takes the next slot of a claim and leaves it empty: `occupied`, of an even generation. The handle is
    /// what [`fill_reserved`](Self::fill_reserved) will make true.
    pub(crate) fn reserve<T: 'static>(&mut self, claim: &mut Claim) -> RawHandle {
        let (slot, granule) = self.next_slot::<T>(claim);
        let generation = slot.generation().next().max(claim.first);
        // The stored generation is the even one just before the handle's, also in a slot that was never used.
        slot.set_header(Generation(generation.0 - 1));
        RawHandle::new(granule, generation)
    }

    /// Puts the value into a reserved slot.
    pub(crate) fn fill_reserved<T: 'static>(&mut self, raw: RawHandle, value: T) {
        let slot = self.slots.slot::<T>(raw.granule()).expect("a reserved slot's page is open");
        assert!(slot.generation().next() == raw.generation(), "the slot is reserved");
        // SAFETY: the slot is one of `T`'s and its generation even, so no value is there; room for a `T` is.
        unsafe { slot.value().write(value) };
        slot.set_header(raw.generation());
    }

    /// Gives a reserved slot up: its handle is never made true.
    pub(crate) fn abandon_reserved<T: 'static>(&mut self, raw: RawHandle) -> Vacated {
        let slot = self.slots.slot::<T>(raw.granule()).expect("a reserved slot's page is open");
        assert!(slot.generation().next() == raw.generation(), "the slot is reserved");
        slot.set_generation(raw.generation().next());
        self.vacated(slot)
    }

    #[inline(always)]
    fn next_slot<T: 'static>(&self, claim: &mut Claim) -> (Slot<T>, Granule) {
        assert!(claim.tag == Tag::of::<T>() && claim.free != 0, "a claim of T's with a free slot");
        let bit = claim.free.trailing_zeros();
        claim.free &= claim.free - 1;
        let granule = Granule::of_slot::<T>(claim.page, claim.word * 64 + bit);
        (Slot { start: self.slots.space.slot_ptr(granule), target: PhantomData }, granule)
    }

    fn vacated<T>(&self, slot: Slot<T>) -> Vacated {
        if slot.generation() == Generation::ZERO { Vacated::Retired } else { Vacated::Reusable }
    }

    /// Frees a slot whose object is gone, so that it can be claimed again.
    pub(crate) fn free(&mut self, granule: Granule) {
        let meta = self.slots.pages[granule.page() as usize];
        if let Some(slot) = meta.slot_at(granule) {
            let generation = self.slots.untyped(granule).generation();
            assert!(!generation.is_occupied(), "only a dead object's slot is freed");
            self.occupied.clear(BitPlace::new(granule.page(), slot));
        }
    }

    // ---- Access

    #[inline(always)]
    pub(crate) fn get_mut<T: 'static>(&mut self, raw: RawHandle) -> Option<&mut T> {
        let slot = self.slots.find::<T>(raw)?;
        // SAFETY: `find` saw the tag of `T` and an odd generation, so the value is an initialised `T`;
        // `&mut self` keeps everybody else away.
        Some(unsafe { &mut *slot.value() })
    }

    /// As `get_mut`, for as long as the caller likes.
    ///
    /// # Safety
    /// While the reference lives the store may be used, but this object's value must not be accessed by any
    /// other way, nor the object be killed or dropped.
    pub(crate) unsafe fn get_mut_apart<'a, T: 'static>(&mut self, raw: RawHandle) -> Option<&'a mut T> {
        let slot = self.slots.find::<T>(raw)?;
        // SAFETY: `find` saw the tag of `T` and an odd generation, so the value is an initialised `T`; the
        // caller keeps everybody else away. Pages never move.
        Some(unsafe { &mut *slot.value() })
    }

    /// Several objects at once; `None` if one is dead or two are the same.
    pub(crate) fn get_disjoint_mut<T: 'static, const N: usize>(
        &mut self,
        handles: [RawHandle; N],
    ) -> Option<[&mut T; N]> {
        for (index, handle) in handles.iter().enumerate() {
            if !self.slots.is_alive::<T>(*handle) || handles[..index].contains(handle) {
                return None;
            }
        }
        Some(handles.map(|raw| {
            let slot = self.slots.find::<T>(raw).expect("seen alive just now");
            // SAFETY: `find` saw an initialised `T`; the handles are alive and differ, hence so do the slots,
            // and `&mut self` keeps everybody else away.
            unsafe { &mut *slot.value() }
        }))
    }

    /// Two objects at once; `None` if one is dead or the two are the same.
    pub(crate) fn get_pair_mut<A: 'static, B: 'static>(
        &mut self,
        a: RawHandle,
        b: RawHandle,
    ) -> Option<(&mut A, &mut B)> {
        if a.granule() == b.granule() {
            return None;
        }
        let (a, b) = (self.slots.find::<A>(a)?, self.slots.find::<B>(b)?);
        // SAFETY: `find` saw an initialised `A`, and `&mut self` keeps everybody else away.
        let a = unsafe { &mut *a.value() };
        // SAFETY: likewise; the granules differ, so it is another slot than `a`'s.
        let b = unsafe { &mut *b.value() };
        Some((a, b))
    }

    /// Calls `change` with an object and what may be read beside it: generations and white bits.
    pub(crate) fn with_headers<T: 'static, R>(
        &mut self,
        raw: RawHandle,
        change: impl FnOnce(&mut T, Headers<'_>, &Bitmap) -> R,
    ) -> Option<R> {
        let slot = self.slots.find::<T>(raw)?;
        // SAFETY: `find` saw an initialised `T`, `&mut self` keeps everybody else away, and `Headers` reads
        // headers only, which are no part of the value.
        let value = unsafe { &mut *slot.value() };
        Some(change(value, Headers(&self.slots), &self.white))
    }

    /// Every living object in these pages, in slot order.
    pub(crate) fn iter<'a, T: 'static>(
        &'a self,
        pages: &'a [u32],
    ) -> impl Iterator<Item = (RawHandle, &'a T)> {
        self.living::<T>(pages).map(|(raw, slot)| {
            // SAFETY: `living` saw the tag of `T` and an odd generation, so the value is an initialised `T`;
            // the store is borrowed for as long as the reference.
            (raw, unsafe { &*slot.value() })
        })
    }

    /// Every living object in these pages, in slot order.
    pub(crate) fn iter_mut<'a, T: 'static>(
        &'a mut self,
        pages: &'a [u32],
    ) -> impl Iterator<Item = (RawHandle, &'a mut T)> {
        let store: &'a Self = self;
        store.living::<T>(pages).map(|(raw, slot)| {
            // SAFETY: `living` saw an initialised `T` and gives each slot once; the store is borrowed mutably
            // for as long as the reference, and the iterator reads headers and bitmaps only.
            (raw, unsafe { &mut *slot.value() })
        })
    }

    fn living<'a, T: 'static>(&'a self, pages: &'a [u32]) -> impl Iterator<Item = (RawHandle, Slot<T>)> {
        let words = Geometry::<T>::PAGE_SLOTS.div_ceil(64);
        pages.iter().flat_map(move |page| (0..words).map(move |word| (*page, word))).flat_map(
            move |(page, word)| {
                let occupied = self.occupied.page(page)[word as usize];
                ones(occupied).filter_map(move |bit| {
                    let granule = Granule::of_slot::<T>(page, word * 64 + bit);
                    let slot = self.slots.slot::<T>(granule)?;
                    let generation = slot.generation();
                    generation.is_occupied().then(|| (RawHandle::new(granule, generation), slot))
                })
            },
        )
    }

    // ---- Death

    /// Ends an object's life and gives its value. The slot stays occupied.
    pub(crate) fn take<T: 'static>(&mut self, raw: RawHandle) -> Option<(T, Vacated)> {
        let slot = self.slots.find::<T>(raw)?;
        slot.set_generation(raw.generation().next());
        // SAFETY: `find` saw an initialised `T`. The generation is even now, so nobody reads it again.
        let value = unsafe { slot.value().read() };
        Some((value, self.vacated(slot)))
    }

    /// Ends an object's life; the value waits for [`drop_slot`](Self::drop_slot). The slot stays occupied.
    pub(crate) fn kill<T: 'static>(&mut self, raw: RawHandle) -> Option<Vacated> {
        let slot = self.slots.find::<T>(raw)?;
        slot.set_generation(raw.generation().next());
        slot.set_flags(slot.flags() | DOOMED);
        Some(self.vacated(slot))
    }

    /// Runs the destructor of a value whose object was killed, if it has not run yet.
    pub(crate) fn drop_slot<T: 'static>(&mut self, granule: Granule) {
        let Some(slot) = self.slots.slot::<T>(granule).filter(|slot| slot.flags() & DOOMED != 0) else {
            return;
        };
        slot.set_flags(slot.flags() & !DOOMED);
        // SAFETY: `DOOMED` was set, so the value is initialised and its destructor has not run; it is cleared
        // now, so this is the only time.
        unsafe { slot.value().drop_in_place() };
    }

    /// All white: every occupied slot of these pages is up for collection.
    pub(crate) fn whiten(&mut self, pages: &[u32]) {
        for page in pages {
            *self.white.page_mut(*page) = *self.occupied.page(*page);
        }
    }

    /// Takes a slot out of what the collection may free.
    pub(crate) fn spare(&mut self, granule: Granule) {
        if let Some(slot) = self.slots.pages[granule.page() as usize].slot_at(granule) {
            self.white.clear(BitPlace::new(granule.page(), slot));
        }
    }

    /// Ends the life of every white object in a word of slots: their generations move on, in memory order.
    /// Without destructors the slots are free at once; with them (`doom`) they stay occupied and white until
    /// [`drop_doomed`](Self::drop_doomed). White slots without an object (limbo) are freed.
    #[inline]
    pub(crate) fn sweep_word(&mut self, page: u32, word: usize, doom: bool) -> SweptWord {
        let meta = self.slots.pages[page as usize];
        let white = self.white.page(page)[word];
        let mut swept = SweptWord::default();
        for bit in ones(white) {
            let slot_index = word as u32 * 64 + bit;
            let granule = Granule::new(page, slot_index * u32::from(meta.slot_granules));
            if meta.slot_at(granule).is_none() {
                continue;
            }
            let slot = self.slots.untyped(granule);
            let generation = slot.generation();
            if generation.is_occupied() {
                swept.died |= 1 << bit;
                slot.set_generation(generation.next());
                if doom {
                    slot.set_flags(slot.flags() | DOOMED);
                }
                if generation.next() == Generation::ZERO {
                    swept.retired |= 1 << bit;
                }
            }
        }
        let keep = if doom { swept.died } else { 0 };
        self.occupied.page_mut(page)[word] &= !white | keep | swept.retired;
        self.white.page_mut(page)[word] = if doom { swept.died } else { 0 };
        swept
    }

    /// Runs the destructor of the next doomed value in these pages from `cursor` on, if there is one, and
    /// moves the cursor past it. If the destructor panics the cursor has moved all the same.
    pub(crate) fn drop_doomed<T: 'static>(&mut self, pages: &[u32], cursor: &mut DoomCursor) -> bool {
        while let Some(page) = pages.get(cursor.page).copied() {
            while cursor.word < PAGE_WORDS {
                let word = self.white.page(page)[cursor.word];
                if word == 0 {
                    cursor.word += 1;
                    continue;
                }
                let slot_index = cursor.word as u32 * 64 + word.trailing_zeros();
                let place = BitPlace::new(page, slot_index);
                self.white.clear(place);
                let granule = Granule::of_slot::<T>(page, slot_index);
                if self.slots.generation::<T>(granule) != Some(Generation::ZERO) {
                    self.occupied.clear(place);
                }
                self.drop_slot::<T>(granule);
                return true;
            }
            *cursor = DoomCursor { page: cursor.page + 1, word: 0 };
        }
        false
    }

    /// Dooms every living object of these pages. Gives how many there were.
    pub(crate) fn doom_all<T: 'static>(&mut self, pages: &[u32]) -> usize {
        self.whiten(pages);
        let mut died = 0;
        for page in pages {
            for word in 0..PAGE_WORDS {
                died += self.sweep_word(*page, word, true).died.count_ones() as usize;
            }
        }
        died
    }
}

/// Where [`Store::drop_doomed`] goes on: an index into the pages, and a word.
#[derive(Clone, Copy, Default)]
pub(crate) struct DoomCursor {
    page: usize,
    word: usize,
}

impl Claim {
    /// A claim without slots.
    pub(crate) const EMPTY: Claim =
        Claim { tag: Tag::NONE, page: 0, word: 0, free: 0, first: Generation::ZERO };

    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.free == 0
    }

    /// Page and word of the claim.
    pub(crate) fn position(&self) -> (u32, u32) {
        (self.page, self.word)
    }
}
