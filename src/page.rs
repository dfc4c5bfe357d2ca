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
use core::ptr::NonNull;

use crate::bitmap::{Bits, Class, Valid, ones};
use crate::config::Limit;
use crate::handle::{GRANULE_BYTES, Generation, Geometry, Granule, HEADER_BYTES, PAGE_GRANULES, RawHandle};
use crate::space::{Space, View, prefetch_far, prefetch_near};
use crate::sync::{BitsWord, Ordering};
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
/// Something is registered on the slot's object, to be told of its death.
const WATCHED: u32 = 2;
/// The object was changed or made since it was last traced, and the collector knows or will see for itself: the
/// handle is in `dirty`, or the slot is white, or the object was made while marking.
const LOGGED: u32 = 4;
/// The object asked for its `prune` in the collection under way.
const WEAK_OWNER: u32 = 8;
/// The rest of the flags is a number: of what waits for the object to be marked, zero if nothing does.
const WAITER_SHIFT: u32 = 4;

/// What is known of the objects that a page has had. As long as no slot has had two, an occupied slot's object is its
/// first, and the slot's generation that at which the page began.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Past {
    /// None is gone.
    Fresh,
    /// Some are, and their slots are not occupied.
    Vacated,
    /// Slots were used again, or the occupied ones are not all alive.
    Recycled,
}

/// What is known of a page besides its tag. Eight bytes, so that one line describes eight pages.
#[derive(Clone, Copy)]
pub(crate) struct PageMeta {
    /// The generation at which its fresh slots start.
    first: Generation,
    /// The pool that the page belongs to.
    pool: u16,
    /// Granules from one slot to the next; the whole page where an object takes a run of pages.
    slot_granules: u16,
}

const _: () = assert!(size_of::<PageMeta>() == 8);

impl PageMeta {
    /// The number of the slot that begins at `granule`, if one does.
    fn slot_at(&self, granule: Granule) -> Option<u32> {
        let slot_granules = u32::from(self.slot_granules);
        let slot = granule.in_page() / slot_granules;
        (granule.in_page() % slot_granules == 0 && slot < PAGE_GRANULES / slot_granules).then_some(slot)
    }
}

/// The address of a slot that begins at a slot boundary of an open page, of type `T` (or of unknown type
/// for `T = ()`). Made in [`Slots`] only, after the page's tag was seen.
struct Slot<T> {
    start: NonNull<Header>,
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
        unsafe { (*self.start.as_ptr()).generation }
    }

    #[inline(always)]
    fn set_generation(self, generation: Generation) {
        // SAFETY: as above; the heap is borrowed mutably by whoever changes a slot.
        unsafe { (*self.start.as_ptr()).generation = generation }
    }

    /// Generation and flags at once: a tenant's first moment, or none's.
    #[inline(always)]
    fn set_header(self, generation: Generation, flags: u32) {
        // SAFETY: as above.
        unsafe { self.start.write(Header { generation, flags }) }
    }

    #[inline(always)]
    fn flags(self) -> u32 {
        // SAFETY: as above.
        unsafe { (*self.start.as_ptr()).flags }
    }

    #[inline(always)]
    fn set_flags(self, flags: u32) {
        // SAFETY: as above.
        unsafe { (*self.start.as_ptr()).flags = flags }
    }

    /// Overwrites a value that is gone, so that whoever still looks at it is noticed. In zeal mode only.
    #[inline(always)]
    fn poison(self) {
        #[cfg(gc_zeal)]
        {
            // SAFETY: the value's bytes lie in the slot, no value is there, and the heap is borrowed mutably.
            unsafe { self.value().cast::<u8>().write_bytes(0xdb, size_of::<T>()) };
        }
    }

    #[inline(always)]
    fn value(self) -> NonNull<T> {
        // SAFETY: the value lies in the slot, which lies in the page.
        unsafe { self.start.byte_add(Self::VALUE_OFFSET) }.cast()
    }
}

/// Whether a change of an object is taken note of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Barrier {
    /// It may hold handles: the collector is to trace it again.
    Log,
    /// It holds none.
    None,
}

impl Barrier {
    #[inline(always)]
    pub(crate) const fn of(needs_trace: bool) -> Self {
        if needs_trace { Barrier::Log } else { Barrier::None }
    }
}

/// All storage of a heap: the pages and what is in them.
///
/// Two bits accompany each slot. `Occupied`: the slot is not to be handed out, since an object lives there, its
/// destructor is yet to run, a handle to the destroyed object may still be stored somewhere (limbo), it is
/// retired, or a [`Claim`] has it. `White`: occupied, and not reached by the collection under way; between
/// collections, made since the last one. The bits are atomics so that marking can change them while it reads the objects; only whoever has the heap to itself
/// does change them, so all their orderings are relaxed.
///
/// When marking is complete, everything white is dead at that moment. Until a sweep in slices has come by, the
/// pages with dead objects are *veiled*: their tag is another one, so that access takes a path that asks the white bit.
pub(crate) struct Store {
    space: Space,
    pages: Vec<PageMeta>,
    /// What is known of each page's past.
    pasts: Vec<Past>,
    /// The write barrier's list: objects that were changed after they had been traced, each once.
    dirty: Vec<RawHandle>,
}

/// The storage, to look at: one address or two, which a loop can keep in registers.
#[derive(Clone, Copy)]
pub(crate) struct Look<'a> {
    view: View<'a>,
}

/// The slots' generations and colors alone, for code that holds a `&mut T` into the slots.
#[derive(Clone, Copy)]
pub(crate) struct Headers<'a>(&'a Store);

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

/// Who lives in the slot that a handle names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Tenant {
    /// The handle's own object.
    Own,
    /// Nobody.
    None,
    /// A later object, or an earlier one if the handle was made up.
    Other,
}

/// What a sweep found besides numbers.
#[derive(Default)]
pub(crate) struct SweepLog {
    /// Slots whose generations are used up.
    pub(crate) retired: Vec<Granule>,
    /// Objects that died and had something registered on them.
    pub(crate) watched: Vec<RawHandle>,
}

/// Up to 64 neighbouring slots set aside for allocation. Their bits in `occupied` are set and nobody else
/// hands them out.
#[derive(Clone, Copy)]
pub(crate) struct Claim {
    page: u32,
    word: usize,
    /// Slots not handed out yet.
    free: u64,
    /// The same, and those handed out of which no note was taken.
    all: u64,
    first: Generation,
    /// What the headers of its objects begin with.
    flags: u32,
}

/// Slots of a word in which objects were made.
#[derive(Clone, Copy)]
pub(crate) struct Made {
    pub(crate) page: u32,
    pub(crate) word: usize,
    pub(crate) bits: u64,
}

/// What the collector knows of objects that are made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Age {
    /// White: they die unless the next collection, a minor one too, reaches them.
    Young,
    /// Not white: they outlive the collection under way, which is to trace them.
    Traced,
    /// Not white, and all that they refer to is not.
    Old,
}

/// What became of a slot whose object died.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Vacated {
    /// It can be used again.
    Reusable,
    /// Its generations are used up; it stays occupied for ever.
    Retired,
}

#[inline(always)]
fn load(word: &BitsWord) -> u64 {
    // Relaxed: see `Store`.
    word.load(Ordering::Relaxed)
}

#[inline(always)]
fn store(word: &BitsWord, bits: u64) {
    // Relaxed: see `Store`.
    word.store(bits, Ordering::Relaxed);
}

impl<'a> Look<'a> {
    /// The slot at a slot boundary of `T`, if its page is one of `T`'s and the slot is not that of a dead object
    /// that awaits its sweep.
    #[inline(always)]
    fn slot<T: 'static>(self, granule: Granule) -> Option<Slot<T>> {
        if self.view.tag(granule.page()) == Tag::of::<T>() {
            // SAFETY: the page has a tag, so it is open.
            let start = unsafe { self.view.slot_ptr(granule) };
            Some(Slot { start: start.cast(), target: PhantomData })
        } else {
            self.slot_behind_veil(granule)
        }
    }

    /// As `slot`, for a page that is not open to everybody.
    #[cold]
    #[inline(never)]
    fn slot_behind_veil<T: 'static>(self, granule: Granule) -> Option<Slot<T>> {
        let class = Class::of::<T>();
        if self.view.tag(granule.page()) != Tag::of::<T>().veiled() {
            return None;
        }
        // SAFETY: the page is one of `T`'s, so it was opened for slots of this class.
        let word = unsafe { self.view.word(Bits::White, class, granule) };
        if load(word) & class.mask(granule) != 0 {
            return None;
        }
        // SAFETY: the page has a tag, so it is open.
        let start = unsafe { self.view.slot_ptr(granule) };
        Some(Slot { start: start.cast(), target: PhantomData })
    }

    /// As `slot`, dead or not.
    fn slot_to_sweep<T: 'static>(self, granule: Granule) -> Option<Slot<T>> {
        (self.view.tag(granule.page()).unveiled() == Tag::of::<T>()).then(|| {
            // SAFETY: the page has a tag, so it is open.
            let start = unsafe { self.view.slot_ptr(granule) };
            Slot { start: start.cast(), target: PhantomData }
        })
    }

    /// The slot in which the object of this handle lives.
    #[inline(always)]
    fn find<T: 'static>(self, raw: RawHandle) -> Option<Slot<T>> {
        self.slot::<T>(raw.granule()).filter(|slot| slot.generation() == raw.generation())
    }

    #[inline(always)]
    pub(crate) fn get<T: 'static>(self, raw: RawHandle) -> Option<&'a T> {
        let slot = self.find::<T>(raw)?;
        // SAFETY: `find` saw the tag of `T` and an odd generation, so the value is an initialised `T`; the store, borrowed,
        // keeps it from being changed.
        Some(unsafe { slot.value().as_ref() })
    }

    /// The object, about to be traced, and whether something waits for that. From here on changes of it are news
    /// again.
    #[inline(always)]
    pub(crate) fn get_to_trace<T: 'static>(self, raw: RawHandle) -> Option<(&'a T, bool)> {
        let slot = self.find::<T>(raw)?;
        let flags = slot.flags();
        if flags & LOGGED != 0 {
            slot.set_flags(flags & !LOGGED);
        }
        // SAFETY: as in `get`.
        Some((unsafe { slot.value().as_ref() }, flags >> WAITER_SHIFT != 0))
    }

    #[inline(always)]
    pub(crate) fn is_alive<T: 'static>(self, raw: RawHandle) -> bool {
        self.find::<T>(raw).is_some()
    }

    /// The generation of the slot at a slot boundary of `T`, if the page is one of `T`'s.
    #[inline(always)]
    pub(crate) fn generation<T: 'static>(self, granule: Granule) -> Option<Generation> {
        self.slot::<T>(granule).map(Slot::generation)
    }

    /// Whether the slot at a slot boundary of `T` is white; `false` for one in a page of another type or behind a
    /// veil.
    #[inline(always)]
    fn is_white<T: 'static>(self, granule: Granule) -> bool {
        self.is_page_of::<T>(granule) && {
            let class = Class::of::<T>();
            // SAFETY: the page is one of `T`'s, so it was opened for slots of this class.
            let word = unsafe { self.view.word(Bits::White, class, granule) };
            load(word) & class.mask(granule) != 0
        }
    }

    /// Whether `granule` lies in a page of `T` that is open to everybody.
    #[inline(always)]
    pub(crate) fn is_page_of<T: 'static>(self, granule: Granule) -> bool {
        self.view.tag(granule.page()) == Tag::of::<T>()
    }

    /// Asks for the lines of the slot at `granule`, from the beginning of the slot on, to be brought near.
    #[inline(always)]
    pub(crate) fn prefetch_far(self, granule: Granule, lines: u32) {
        let start = self.view.hint_ptr(granule);
        for line in 0..lines {
            prefetch_far(start.wrapping_add(line as usize * 64));
        }
    }

    #[inline(always)]
    pub(crate) fn prefetch_near(self, granule: Granule) {
        prefetch_near(self.view.hint_ptr(granule));
    }

    /// Clears the white bit of the slot that a handle of a `T` names; gives whether it was set. The generation
    /// is not looked at: it is a cache miss away, and whoever takes the handle up looks at it then.
    #[inline(always)]
    pub(crate) fn take_white<T: 'static>(self, raw: RawHandle) -> bool {
        let granule = raw.granule();
        if !self.is_page_of::<T>(granule) {
            return false;
        }
        let class = Class::of::<T>();
        // SAFETY: the page is one of `T`'s, so it was opened for slots of this class.
        let word = unsafe { self.view.word(Bits::White, class, granule) };
        let (old, mask) = (load(word), class.mask(granule));
        store(word, old & !mask);
        old & mask != 0
    }
}

impl Store {
    pub(crate) fn new() -> Self {
        Self { space: Space::new(), pages: Vec::new(), pasts: Vec::new(), dirty: Vec::new() }
    }

    // ---- Looking

    #[inline(always)]
    pub(crate) fn look(&self) -> Look<'_> {
        Look { view: self.space.view() }
    }

    #[inline(always)]
    fn find<T: 'static>(&self, raw: RawHandle) -> Option<Slot<T>> {
        self.look().find(raw)
    }

    #[inline(always)]
    fn slot<T: 'static>(&self, granule: Granule) -> Option<Slot<T>> {
        self.look().slot(granule)
    }

    #[inline(always)]
    pub(crate) fn is_alive<T: 'static>(&self, raw: RawHandle) -> bool {
        self.look().is_alive::<T>(raw)
    }

    /// The pool to which the page of `granule` belongs; of a page that is out of access, too.
    #[inline(always)]
    pub(crate) fn pool_of(&self, granule: Granule) -> u16 {
        self.pages[granule.page() as usize].pool
    }

    /// The slot that begins at `granule`, if one does and its page is accessible.
    #[inline]
    fn untyped(&self, granule: Granule) -> Option<Slot<()>> {
        if self.space.view().tag(granule.page()) == Tag::NONE {
            return None;
        }
        self.pages[granule.page() as usize].slot_at(granule)?;
        // SAFETY: the page has a tag, so it is open.
        let start = unsafe { self.space.view().slot_ptr(granule) };
        Some(Slot { start: start.cast(), target: PhantomData })
    }

    /// The slot of a living object of unknown type.
    #[inline]
    fn living_any(&self, raw: RawHandle) -> Option<Slot<()>> {
        let slot = self.untyped(raw.granule()).filter(|slot| slot.generation() == raw.generation())?;
        let is_veiled = self.space.view().tag(raw.granule().page()).is_veiled();
        (!is_veiled || !self.is_white_any(raw.granule())).then_some(slot)
    }

    #[inline]
    pub(crate) fn is_alive_any(&self, raw: RawHandle) -> bool {
        self.living_any(raw).is_some()
    }

    /// Whether a living object was not reached so far.
    pub(crate) fn is_white_handle(&self, raw: RawHandle) -> bool {
        self.color_any(raw) == Color::White
    }

    pub(crate) fn is_white_any(&self, granule: Granule) -> bool {
        self.bit(Bits::White, granule).is_some_and(|(word, mask)| load(word) & mask != 0)
    }

    /// Who lives in the slot that a handle of unknown type names.
    pub(crate) fn tenant_of(&self, raw: RawHandle) -> Tenant {
        match self.untyped(raw.granule()).map(Slot::generation) {
            Some(generation) if generation == raw.generation() => Tenant::Own,
            Some(generation) if generation.is_occupied() => Tenant::Other,
            _ => Tenant::None,
        }
    }

    // ---- Bits

    /// The words of a page's slots.
    #[inline]
    fn words(&self, bits: Bits, page: u32) -> &[BitsWord] {
        words(&self.space, &self.pages, bits, page)
    }

    /// The word and the bit in it of the slot that begins at `granule`, if one does and its page is accessible.
    #[inline]
    fn bit(&self, bits: Bits, granule: Granule) -> Option<(&BitsWord, u64)> {
        self.untyped(granule)?;
        let class = Class::of_slots(self.pages[granule.page() as usize].slot_granules.into());
        // SAFETY: the page was opened for slots of this size.
        let word = unsafe { self.space.view().word(bits, class, granule) };
        Some((word, class.mask(granule)))
    }

    /// As `take_white`, for a handle whose type is not known.
    #[inline]
    pub(crate) fn take_white_any(&self, raw: RawHandle) -> bool {
        self.bit(Bits::White, raw.granule()).is_some_and(|(word, mask)| {
            let old = load(word);
            store(word, old & !mask);
            old & mask != 0
        })
    }

    /// Undoes `take_white`.
    pub(crate) fn put_white_back(&self, raw: RawHandle) {
        if let Some((word, mask)) = self.bit(Bits::White, raw.granule()) {
            store(word, load(word) | mask);
        }
    }

    /// How far the collection has come with the object of this handle.
    pub(crate) fn color_any(&self, raw: RawHandle) -> Color {
        match self.bit(Bits::White, raw.granule()) {
            Some((word, mask)) if self.is_alive_any(raw) => {
                if load(word) & mask != 0 {
                    Color::White
                } else {
                    Color::Reached
                }
            }
            _ => Color::Dead,
        }
    }

    /// The largest number that a slot can keep for what waits for its object.
    pub(crate) const MAX_WAITER: u32 = u32::MAX >> WAITER_SHIFT;

    /// Notes that a living object asked for its `prune`, or that it was done; `true` if that is news.
    pub(crate) fn set_weak_owner(&self, raw: RawHandle, asked: bool) -> bool {
        let slot = self.untyped(raw.granule()).filter(|slot| slot.generation() == raw.generation());
        slot.is_some_and(|slot| {
            let old = slot.flags();
            slot.set_flags(if asked { old | WEAK_OWNER } else { old & !WEAK_OWNER });
            old != slot.flags()
        })
    }

    /// Sets what waits for a living object to be marked, and gives what did before.
    pub(crate) fn replace_waiter(&self, raw: RawHandle, waiter: u32) -> u32 {
        debug_assert!(waiter <= Self::MAX_WAITER);
        let slot = self.untyped(raw.granule()).filter(|slot| slot.generation() == raw.generation());
        slot.map_or(0, |slot| {
            let flags = slot.flags();
            slot.set_flags(flags & !(u32::MAX << WAITER_SHIFT) | waiter << WAITER_SHIFT);
            flags >> WAITER_SHIFT
        })
    }

    /// Whether no slot of the page is occupied.
    pub(crate) fn is_vacant(&self, page: u32) -> bool {
        self.words(Bits::Occupied, page).iter().all(|word| load(word) == 0)
    }

    /// Occupied slots of the page.
    pub(crate) fn occupied_len(&self, page: u32) -> u32 {
        self.words(Bits::Occupied, page).iter().map(|word| load(word).count_ones()).sum()
    }

    /// White slots of the page; `None` if every occupied one is.
    pub(crate) fn white_len(&self, page: u32) -> Option<u32> {
        let white = self.words(Bits::White, page);
        let occupied = self.words(Bits::Occupied, page);
        let some_black = white.iter().zip(occupied).any(|(white, occupied)| load(white) != load(occupied));
        some_black.then(|| white.iter().map(|word| load(word).count_ones()).sum())
    }

    // ---- Pages

    /// Opens a page for `T` (a run of pages where `T` is larger than one), all slots free.
    pub(crate) fn open_page<T: 'static>(&mut self, pool: u16, first: Generation) -> Result<u32, Limit> {
        let () = Geometry::<T>::FITS;
        let run = Geometry::<T>::RUN_PAGES;
        let page = self.space.open(run, Class::of::<T>())?;
        let slot_granules = Geometry::<T>::SLOT_GRANULES.min(PAGE_GRANULES) as u16;
        self.pages.resize((page + run) as usize, PageMeta { first, pool, slot_granules });
        self.pasts.resize((page + run) as usize, Past::Fresh);
        // Only the first page of a run: no slot begins in the others.
        self.space.set_tag(page, Tag::of::<T>());
        Ok(page)
    }

    /// Puts a page in which all objects died out of access, so that every handle into it is dead. O(1); the
    /// generations are bumped when the page is next used. For types without destructors only.
    pub(crate) fn close_page(&mut self, page: u32) {
        self.note_past(page, Past::Vacated);
        self.space.set_tag(page, Tag::NONE);
        for bits in [Bits::Occupied, Bits::White] {
            self.words(bits, page).iter().for_each(|word| store(word, 0));
        }
    }

    /// Undoes `close_page`: bumps the generations of the dead and opens the page to access. Gives the slots
    /// whose generations are used up.
    pub(crate) fn reopen_closed<T: 'static>(&mut self, page: u32, mut retire: impl FnMut(Granule)) {
        assert!(!needs_drop::<T>(), "a page of values with destructors is not closed");
        self.space.set_tag(page, Tag::of::<T>());
        for slot_index in 0..Geometry::<T>::PAGE_SLOTS {
            let granule = Granule::of_slot::<T>(page, slot_index);
            let slot = self.slot::<T>(granule).expect("the page is one of T's");
            if slot.generation().is_occupied() {
                slot.set_generation(slot.generation().next());
                if slot.generation() == Generation::ZERO {
                    self.set_occupied(granule);
                    retire(granule);
                }
            }
        }
    }

    /// Gives the memory of a page without occupied slots back to the system. Its slots, made again, start
    /// above every generation that was handed out.
    pub(crate) fn release_page<T: 'static>(&mut self, page: u32) {
        assert!(self.is_vacant(page), "a released page has no occupied slot");
        let meta = self.pages[page as usize];
        let mut last = Generation::ZERO;
        // A page that was closed still holds the odd generations of its dead.
        self.space.set_tag(page, Tag::of::<T>());
        for slot_index in 0..Geometry::<T>::PAGE_SLOTS {
            let slot = self.slot::<T>(Granule::of_slot::<T>(page, slot_index)).expect("a page of T's");
            assert!(slot.flags() & DOOMED == 0, "a released page has no value left to drop");
            last = last.max(slot.generation());
        }
        // Odd: the next tenant's, one above the last one's. If that is past the end the page is of no more use.
        let next = if last.is_occupied() { last.0.checked_add(2) } else { Some(last.0 + 1) };
        let first = next.map_or(Generation::ZERO, |next| meta.first.max(Generation(next)));
        self.pages[page as usize].first = first;
        self.space.set_tag(page, Tag::NONE);
        self.space.release(page, Geometry::<T>::RUN_PAGES);
    }

    /// Undoes `release_page`; `false` if the page's generations are used up.
    pub(crate) fn reopen_released<T: 'static>(&mut self, page: u32) -> Result<bool, Limit> {
        let meta = self.pages[page as usize];
        if meta.first == Generation::ZERO {
            return Ok(false);
        }
        self.space.reopen(page, Geometry::<T>::RUN_PAGES)?;
        self.space.set_tag(page, Tag::of::<T>());
        self.pasts[page as usize] = Past::Fresh;
        Ok(true)
    }

    // ---- Allocation

    /// Claims the free slots of the next word of a page of `T` from `word` on; `None` if there is none, or if the
    /// page is still to be swept.
    pub(crate) fn claim<T: 'static>(
        &mut self,
        page: u32,
        word: usize,
        age: Age,
        barrier: Barrier,
    ) -> Option<Claim> {
        if !self.look().is_page_of::<T>(Granule::new(page, 0)) {
            return None;
        }
        let words = self.words(Bits::Occupied, page);
        for (word, occupied) in words.iter().enumerate().skip(word) {
            let free = !load(occupied) & Valid::<T>::bits(word);
            if free != 0 {
                store(occupied, load(occupied) | free);
                let past = &mut self.pasts[page as usize];
                *past = if *past == Past::Fresh { Past::Fresh } else { Past::Recycled };
                if age == Age::Young {
                    let white = &self.words(Bits::White, page)[word];
                    store(white, load(white) | free);
                }
                let first = self.pages[page as usize].first;
                let flags = if age == Age::Old || barrier == Barrier::None { 0 } else { LOGGED };
                return Some(Claim { page, word, free, all: free, first, flags });
            }
        }
        None
    }

    /// The program is between two frames.
    pub(crate) fn note_frame(&mut self) {
        self.space.note_frame();
    }

    /// Frees the slots of a claim that were not used.
    pub(crate) fn unclaim(&mut self, claim: Claim) {
        for bits in [Bits::Occupied, Bits::White] {
            let word = &self.words(bits, claim.page)[claim.word];
            store(word, load(word) & !claim.free);
        }
    }

    /// The handles of the objects in these slots of a page of `T`.
    pub(crate) fn each_of<T: 'static>(
        &self,
        page: u32,
        word: usize,
        bits: u64,
        visit: &mut dyn FnMut(RawHandle),
    ) {
        for bit in ones(bits) {
            let granule = Granule::of_slot::<T>(page, Class::of::<T>().slot::<T>(word, bit));
            let generation = self.slot::<T>(granule).map(Slot::generation);
            if let Some(generation) = generation.filter(|generation| generation.is_occupied()) {
                visit(RawHandle::new(granule, generation));
            }
        }
    }

    fn note_past(&mut self, page: u32, past: Past) {
        let known = &mut self.pasts[page as usize];
        *known = past.max(*known);
    }

    fn set_occupied(&self, granule: Granule) {
        if let Some((word, mask)) = self.bit(Bits::Occupied, granule) {
            store(word, load(word) | mask);
        }
    }

    fn clear(&self, bits: Bits, granule: Granule) {
        if let Some((word, mask)) = self.bit(bits, granule) {
            store(word, load(word) & !mask);
        }
    }

    /// Puts a value into the next slot of a claim. The claim must have one.
    #[inline(always)]
    pub(crate) fn fill<T: 'static>(&mut self, claim: &mut Claim, value: T) -> RawHandle {
        let (slot, granule) = self.next_slot::<T>(claim);
        let generation = slot.generation().next().max(claim.first);
        // SAFETY: the slot is one of `T`'s and its generation even, so no value is there; room for a `T` is.
        unsafe { slot.value().write(value) };
        slot.set_header(generation, claim.flags);
        RawHandle::new(granule, generation)
    }

    /// Takes the next slot of a claim and leaves it empty: `occupied`, of an even generation. The handle is
    /// what [`fill_reserved`](Self::fill_reserved) will make true.
    pub(crate) fn reserve<T: 'static>(&mut self, claim: &mut Claim) -> RawHandle {
        let (slot, granule) = self.next_slot::<T>(claim);
        let generation = slot.generation().next().max(claim.first);
        // The stored generation is the even one just before the handle's, also in a slot that was never used.
        slot.set_header(Generation(generation.0 - 1), 0);
        RawHandle::new(granule, generation)
    }

    /// The slot that was reserved for this handle, if it is in this store.
    fn reserved<T: 'static>(&self, raw: RawHandle) -> Option<Slot<T>> {
        self.slot::<T>(raw.granule()).filter(|slot| slot.generation().next() == raw.generation())
    }

    /// Puts the value into a reserved slot. Gives it back if the slot is not in this store.
    pub(crate) fn fill_reserved<T: 'static>(
        &mut self,
        raw: RawHandle,
        value: T,
        barrier: Barrier,
    ) -> Result<(), T> {
        let Some(slot) = self.reserved::<T>(raw) else {
            return Err(value);
        };
        // SAFETY: the slot is one of `T`'s and its generation even, so no value is there; room for a `T` is.
        unsafe { slot.value().write(value) };
        slot.set_header(raw.generation(), 0);
        // A collection may have passed over the slot while it was empty.
        self.note_change(slot, raw, barrier);
        Ok(())
    }

    /// Gives a reserved slot up, if it is in this store: its handle is never made true.
    pub(crate) fn abandon_reserved<T: 'static>(&mut self, raw: RawHandle) -> Option<Vacated> {
        let slot = self.reserved::<T>(raw)?;
        slot.set_generation(raw.generation().next());
        self.note_past(raw.granule().page(), Past::Recycled);
        Some(self.vacated(slot))
    }

    #[inline(always)]
    fn next_slot<T: 'static>(&self, claim: &mut Claim) -> (Slot<T>, Granule) {
        assert!(claim.free != 0, "a claim with a free slot");
        let bit = claim.free.trailing_zeros();
        claim.free &= claim.free - 1;
        let granule = Granule::of_slot::<T>(claim.page, Class::of::<T>().slot::<T>(claim.word, bit));
        let slot = self.slot::<T>(granule).expect("a claim of slots of T");
        (slot, granule)
    }

    fn vacated<T>(&self, slot: Slot<T>) -> Vacated {
        if slot.generation() == Generation::ZERO { Vacated::Retired } else { Vacated::Reusable }
    }

    /// Frees a slot whose object is gone, so that it can be claimed again.
    pub(crate) fn free(&mut self, granule: Granule) {
        if let Some(slot) = self.untyped(granule) {
            assert!(!slot.generation().is_occupied(), "only a dead object's slot is freed");
            self.clear(Bits::Occupied, granule);
            self.clear(Bits::White, granule);
        }
    }

    // ---- Access

    /// The write barrier: whoever gets a `&mut T` passes here. One test of the header, which is at hand.
    #[inline(always)]
    fn note_change<T: 'static>(&mut self, slot: Slot<T>, raw: RawHandle, barrier: Barrier) {
        if barrier == Barrier::Log && slot.flags() & LOGGED == 0 {
            self.log::<T>(slot, raw);
        }
    }

    /// The first change of an object since it was traced. (Or before, while a full collection marks; then the entry
    /// is one too many.)
    #[inline]
    fn log<T: 'static>(&mut self, slot: Slot<T>, raw: RawHandle) {
        slot.set_flags(slot.flags() | LOGGED);
        self.dirty.push(raw);
    }

    /// How many objects were changed since they were last traced.
    pub(crate) fn dirty_len(&self) -> usize {
        self.dirty.len()
    }

    /// The next object that was changed since it was last traced; the latest first.
    pub(crate) fn next_dirty(&mut self) -> Option<RawHandle> {
        self.dirty.pop()
    }

    /// Whether the object was changed since it was last traced, or last asked for.
    pub(crate) fn take_change(&self, raw: RawHandle) -> bool {
        let Some(slot) = self.untyped(raw.granule()) else { return false };
        let flags = slot.flags();
        slot.set_flags(flags & !LOGGED);
        flags & LOGGED != 0
    }

    /// Asks for the headers of the next so many.
    pub(crate) fn prefetch_dirty(&self, len: usize) {
        let next = self.dirty.iter().rev().take(len);
        next.for_each(|raw| self.look().prefetch_near(raw.granule()));
    }

    /// Everything is white, so that all that is reached will be traced.
    pub(crate) fn forget_dirty(&mut self) {
        const KEEP: usize = 64 * 1024;
        self.dirty.clear();
        self.dirty.shrink_to(KEEP);
    }

    #[inline(always)]
    pub(crate) fn get_mut<T: 'static>(&mut self, raw: RawHandle, barrier: Barrier) -> Option<&mut T> {
        let slot = self.find::<T>(raw)?;
        self.note_change(slot, raw, barrier);
        // SAFETY: `find` saw the tag of `T` and an odd generation, so the value is an initialised `T`;
        // `&mut self` keeps everybody else away.
        Some(unsafe { slot.value().as_mut() })
    }

    /// As `get_mut`, for as long as the caller likes.
    ///
    /// # Safety
    /// While the reference lives the store may be used, but this object's value must not be accessed by any
    /// other way, nor the object be killed or dropped.
    pub(crate) unsafe fn get_mut_apart<'a, T: 'static>(
        &mut self,
        raw: RawHandle,
        barrier: Barrier,
    ) -> Option<&'a mut T> {
        let slot = self.find::<T>(raw)?;
        self.note_change(slot, raw, barrier);
        // SAFETY: `find` saw the tag of `T` and an odd generation, so the value is an initialised `T`; the
        // caller keeps everybody else away. Pages never move.
        Some(unsafe { slot.value().as_mut() })
    }

    /// Several objects at once; `None` if one is dead or two are the same.
    pub(crate) fn get_disjoint_mut<T: 'static, const N: usize>(
        &mut self,
        handles: [RawHandle; N],
        barrier: Barrier,
    ) -> Option<[&mut T; N]> {
        for (index, handle) in handles.iter().enumerate() {
            if !self.is_alive::<T>(*handle) || handles[..index].contains(handle) {
                return None;
            }
        }
        for raw in handles {
            let slot = self.find::<T>(raw).expect("seen alive just now");
            self.note_change(slot, raw, barrier);
        }
        Some(handles.map(|raw| {
            let slot = self.find::<T>(raw).expect("seen alive just now");
            // SAFETY: `find` saw an initialised `T`; the handles are alive and differ, hence so do the slots,
            // and `&mut self` keeps everybody else away.
            unsafe { slot.value().as_mut() }
        }))
    }

    /// Two objects at once; `None` if one is dead or the two are the same.
    pub(crate) fn get_pair_mut<A: 'static, B: 'static>(
        &mut self,
        (a, a_barrier): (RawHandle, Barrier),
        (b, b_barrier): (RawHandle, Barrier),
    ) -> Option<(&mut A, &mut B)> {
        if a.granule() == b.granule() {
            return None;
        }
        let (a_slot, b_slot) = (self.find::<A>(a)?, self.find::<B>(b)?);
        self.note_change(a_slot, a, a_barrier);
        self.note_change(b_slot, b, b_barrier);
        let (a, b) = (a_slot, b_slot);
        // SAFETY: `find` saw an initialised `A`, and `&mut self` keeps everybody else away.
        let a = unsafe { a.value().as_mut() };
        // SAFETY: likewise; the granules differ, so it is another slot than `a`'s.
        let b = unsafe { b.value().as_mut() };
        Some((a, b))
    }

    /// Calls `change`, which adds no edges, with an object and what may be read beside it: generations and white
    /// bits.
    pub(crate) fn with_headers<T: 'static, R>(
        &mut self,
        raw: RawHandle,
        change: impl FnOnce(&mut T, Headers<'_>) -> R,
    ) -> Option<R> {
        let slot = self.find::<T>(raw)?;
        // SAFETY: `find` saw an initialised `T`, `&mut self` keeps everybody else away, and `Headers` reads
        // headers only, which are no part of the value.
        let value = unsafe { slot.value().as_mut() };
        Some(change(value, Headers(self)))
    }

    /// What may be read beside a `&mut T`.
    pub(crate) fn headers(&self) -> Headers<'_> {
        Headers(self)
    }

    /// Every living object in these pages, in slot order.
    pub(crate) fn iter<'a, T: 'static>(
        &'a self,
        pages: &'a [u32],
    ) -> impl Iterator<Item = (RawHandle, &'a T)> {
        living::<T>(&self.space, &self.pages, pages).map(|(raw, slot)| {
            // SAFETY: `living` saw the tag of `T` and an odd generation, so the value is an initialised `T`;
            // the store is borrowed for as long as the reference.
            (raw, unsafe { slot.value().as_ref() })
        })
    }

    /// Every living object in these pages, in slot order.
    pub(crate) fn iter_mut<'a, T: 'static>(
        &'a mut self,
        pages: &'a [u32],
        barrier: Barrier,
    ) -> impl Iterator<Item = (RawHandle, &'a mut T)> {
        let Self { space, pages: metas, dirty, .. } = self;
        let space: &'a Space = space;
        living::<T>(space, metas, pages).map(move |(raw, slot)| {
            if barrier == Barrier::Log && slot.flags() & LOGGED == 0 {
                slot.set_flags(slot.flags() | LOGGED);
                dirty.push(raw);
            }
            // SAFETY: `living` saw an initialised `T` and gives each slot once; the store is borrowed mutably
            // for as long as the reference, and the iterator reads headers and bitmaps only.
            (raw, unsafe { slot.value().as_mut() })
        })
    }

    // ---- Checking

    /// Checks what is written about a page of `T`; gives how many objects live there, the dead that are not swept yet
    /// included, and on how many of them something is registered. Adds the old ones that were changed.
    ///
    /// # Panics
    /// If something is wrong.
    pub(crate) fn verify_page<T: 'static>(&self, page: u32, logged: &mut Vec<RawHandle>) -> (usize, usize) {
        let name = core::any::type_name::<T>();
        let (mut objects, mut watched) = (0, 0);
        let (white, occupied) = (self.words(Bits::White, page), self.words(Bits::Occupied, page));
        for (word, (white, occupied)) in white.iter().zip(occupied).enumerate() {
            let (white, occupied) = (load(white), load(occupied));
            assert!(occupied & !Valid::<T>::bits(word) == 0, "page {page} of {name}: a bit without a slot");
            assert!(white & !occupied == 0, "page {page} of {name}: a white slot that is not occupied");
            for bit in ones(Valid::<T>::bits(word)) {
                let granule = Granule::of_slot::<T>(page, Class::of::<T>().slot::<T>(word, bit));
                let slot = self.look().slot_to_sweep::<T>(granule).expect("an open page of its type");
                let (is_alive, flags) = (slot.generation().is_occupied(), slot.flags());
                let is_held = is_alive || flags & DOOMED != 0;
                assert!(
                    !is_held || occupied >> bit & 1 != 0,
                    "slot {granule:?} of {name}: its value is not safe"
                );
                assert!(!is_alive || flags & DOOMED == 0, "slot {granule:?} of {name}: alive and doomed");
                objects += usize::from(is_alive);
                watched += usize::from(is_alive && flags & WATCHED != 0);
                if is_alive && flags & LOGGED != 0 && white >> bit & 1 == 0 {
                    logged.push(RawHandle::new(granule, slot.generation()));
                }
            }
        }
        (objects, watched)
    }

    /// Checks the write barrier's list, between two cycles: these old objects believe that they are in it.
    ///
    /// # Panics
    /// If one is not.
    pub(crate) fn verify_dirty(&self, logged: &[RawHandle]) {
        let mut dirty = self.dirty.clone();
        dirty.sort_unstable();
        let lost = logged.iter().find(|raw| dirty.binary_search(raw).is_err());
        assert!(lost.is_none(), "{lost:?} was changed, and the write barrier's list does not have it");
    }

    // ---- Death

    /// Ends an object's life and gives its value. The slot stays occupied.
    pub(crate) fn take<T: 'static>(&mut self, raw: RawHandle) -> Option<(T, Vacated)> {
        let slot = self.find::<T>(raw)?;
        slot.set_header(raw.generation().next(), 0);
        // SAFETY: `find` saw an initialised `T`. The generation is even now, so nobody reads it again.
        let value = unsafe { slot.value().read() };
        slot.poison();
        self.note_past(raw.granule().page(), Past::Recycled);
        Some((value, self.vacated(slot)))
    }

    /// Ends an object's life; the value waits for [`drop_slot`](Self::drop_slot). The slot stays occupied.
    pub(crate) fn kill<T: 'static>(&mut self, raw: RawHandle) -> Option<Vacated> {
        let slot = self.find::<T>(raw)?;
        slot.set_generation(raw.generation().next());
        slot.set_flags(DOOMED);
        self.note_past(raw.granule().page(), Past::Recycled);
        Some(self.vacated(slot))
    }

    /// Takes the value of an object that died out of its slot, unless its destructor ran or it was taken before.
    pub(crate) fn exhume<T: 'static>(&mut self, raw: RawHandle) -> Option<T> {
        let slot = self.slot::<T>(raw.granule())?;
        if slot.generation() != raw.generation().next() || slot.flags() & DOOMED == 0 {
            return None;
        }
        slot.set_flags(slot.flags() & !DOOMED);
        // SAFETY: `DOOMED` was set, so the value is initialised and its destructor has not run; it is cleared
        // now, so nobody reads or drops it again.
        let value = unsafe { slot.value().read() };
        slot.poison();
        Some(value)
    }

    /// Whether something is registered on a living object.
    pub(crate) fn is_watched(&self, raw: RawHandle) -> bool {
        self.untyped(raw.granule())
            .is_some_and(|slot| slot.generation() == raw.generation() && slot.flags() & WATCHED != 0)
    }

    /// Notes whether something is registered on a living object. `true` if that is news.
    pub(crate) fn set_watched(&mut self, raw: RawHandle, watched: bool) -> bool {
        let slot = self.untyped(raw.granule()).filter(|slot| slot.generation() == raw.generation());
        slot.is_some_and(|slot| {
            let old = slot.flags();
            slot.set_flags(if watched { old | WATCHED } else { old & !WATCHED });
            old != slot.flags()
        })
    }

    /// Runs the destructor of a value whose object was killed, if it has not run yet.
    pub(crate) fn drop_slot<T: 'static>(&mut self, granule: Granule) {
        let Some(slot) = self.slot::<T>(granule).filter(|slot| slot.flags() & DOOMED != 0) else {
            return;
        };
        slot.set_flags(slot.flags() & !DOOMED);
        // SAFETY: `DOOMED` was set, so the value is initialised and its destructor has not run; it is cleared
        // now, so this is the only time.
        unsafe { slot.value().drop_in_place() };
        slot.poison();
    }

    /// All white: every occupied slot of these pages is up for collection.
    pub(crate) fn whiten(&mut self, pages: &[u32]) {
        for page in pages {
            let occupied = self.words(Bits::Occupied, *page);
            self.words(Bits::White, *page)
                .iter()
                .zip(occupied)
                .for_each(|(white, word)| store(white, load(word)));
        }
    }

    /// Takes a slot out of what the collection may free.
    pub(crate) fn spare(&mut self, granule: Granule) {
        self.clear(Bits::White, granule);
    }

    /// Makes everything white in a page dead at once; its sweep comes later. Nothing happens to a page without.
    pub(crate) fn veil(&mut self, page: u32) {
        let tag = self.space.view().tag(page);
        if tag != Tag::NONE && self.words(Bits::White, page).iter().any(|word| load(word) != 0) {
            self.space.set_tag(page, tag.veiled());
        }
    }

    /// Words of bits that the page has.
    pub(crate) fn page_words(&self, page: u32) -> usize {
        Class::of_slots(self.pages[page as usize].slot_granules.into()).page_words()
    }

    /// Opens a page again, whose dead were swept.
    pub(crate) fn unveil(&mut self, page: u32) {
        let tag = self.space.view().tag(page);
        if tag.is_veiled() {
            self.space.set_tag(page, tag.unveiled());
        }
    }

    /// Whether the page has dead objects that resolve no longer and are not swept yet.
    pub(crate) fn is_veiled(&self, page: u32) -> bool {
        self.space.view().tag(page).is_veiled()
    }

    /// White slots of the page.
    pub(crate) fn white_slots_len(&self, page: u32) -> usize {
        self.words(Bits::White, page).iter().map(|word| load(word).count_ones() as usize).sum()
    }

    /// Whether the slot at a slot boundary is white and its page veiled.
    pub(crate) fn is_condemned(&self, granule: Granule) -> bool {
        self.is_veiled(granule.page()) && self.is_white_any(granule)
    }

    /// The dead objects of a veiled page that its sweep has not come to. Looks at each.
    pub(crate) fn condemned_len<T: 'static>(&self, page: u32) -> usize {
        let white = self.words(Bits::White, page).iter().enumerate();
        let slots = white.flat_map(|(word, white)| ones(load(white)).map(move |bit| (word, bit)));
        let is_object = |(word, bit): (usize, u32)| {
            let granule = Granule::of_slot::<T>(page, Class::of::<T>().slot::<T>(word, bit));
            self.look().slot_to_sweep::<T>(granule).is_some_and(|slot| slot.generation().is_occupied())
        };
        slots.filter(|slot| is_object(*slot)).count()
    }

    /// Ends the lives of white objects in a page, from `cursor` on and at most `quota` of them: their generations move
    /// on, in memory order. Gives how many died, and notes which slots are retired and which objects were
    /// watched. The page is done when the cursor is past its last word.
    ///
    /// Without destructors the slots are free at once; with them, and where an object was watched, they stay
    /// occupied and white until [`drop_doomed`](Self::drop_doomed). White slots without an object (limbo) are
    /// freed.
    pub(crate) fn sweep_page<T: 'static>(
        &mut self,
        page: u32,
        cursor: &mut usize,
        quota: usize,
        log: &mut SweepLog,
    ) -> usize {
        self.note_past(page, Past::Vacated);
        let look = self.look();
        let (white, occupied) = (self.words(Bits::White, page), self.words(Bits::Occupied, page));
        let granule_of = |word, bit| Granule::of_slot::<T>(page, Class::of::<T>().slot::<T>(word, bit));
        let (mut died_len, mut any_held) = (0, false);
        for (word, (white_word, occupied)) in white.iter().zip(occupied).enumerate().skip(*cursor) {
            // The next word's headers arrive while this one's are changed.
            if let Some(next) = white.get(word + 1) {
                ones(load(next)).for_each(|bit| look.prefetch_near(granule_of(word + 1, bit)));
            }
            *cursor = word;
            let white_bits = load(white_word);
            let (mut swept, mut doomed, mut retired) = (0_u64, 0, 0);
            for bit in ones(white_bits) {
                let granule = granule_of(word, bit);
                let Some(slot) = look.slot_to_sweep::<T>(granule) else { continue };
                let (generation, flags) = (slot.generation(), slot.flags());
                if !generation.is_occupied() {
                    // Doomed when this word was begun, or in limbo.
                    doomed |= u64::from(flags & DOOMED != 0) << bit;
                    swept |= 1_u64 << bit;
                    continue;
                }
                if died_len == quota {
                    break;
                }
                died_len += 1;
                swept |= 1_u64 << bit;
                if flags & WATCHED != 0 {
                    log.watched.push(RawHandle::new(granule, generation));
                }
                if needs_drop::<T>() || flags & WATCHED != 0 {
                    doomed |= 1_u64 << bit;
                    slot.set_flags(DOOMED);
                } else {
                    slot.poison();
                }
                slot.set_generation(generation.next());
                if generation.next() == Generation::ZERO {
                    retired |= 1_u64 << bit;
                    log.retired.push(granule);
                }
            }
            if white_bits == 0 {
                *cursor = word + 1;
                continue;
            }
            store(occupied, load(occupied) & !swept | doomed | retired);
            store(white_word, white_bits & !swept | doomed);
            any_held |= doomed | retired != 0;
            if swept != white_bits {
                break;
            }
            *cursor = word + 1;
        }
        if any_held {
            self.note_past(page, Past::Recycled);
        }
        died_len
    }

    /// Runs the destructor of the next doomed value in these pages from `cursor` on, if there is one, and
    /// moves the cursor past it. If the destructor panics the cursor has moved all the same.
    pub(crate) fn drop_doomed<T: 'static>(&mut self, pages: &[u32], cursor: &mut DoomCursor) -> bool {
        while let Some(page) = pages.get(cursor.page).copied() {
            while cursor.word < Class::of::<T>().page_words() {
                let white = load(&self.words(Bits::White, page)[cursor.word]);
                if white == 0 {
                    cursor.word += 1;
                    continue;
                }
                let slot_index = Class::of::<T>().slot::<T>(cursor.word, white.trailing_zeros());
                let granule = Granule::of_slot::<T>(page, slot_index);
                store(&self.words(Bits::White, page)[cursor.word], white & (white - 1));
                if self.look().generation::<T>(granule) != Some(Generation::ZERO) {
                    self.clear(Bits::Occupied, granule);
                }
                self.drop_slot::<T>(granule);
                return true;
            }
            *cursor = DoomCursor { page: cursor.page + 1, word: 0 };
        }
        false
    }
}

impl Headers<'_> {
    #[inline(always)]
    pub(crate) fn is_alive<T: 'static>(self, raw: RawHandle) -> bool {
        self.0.is_alive::<T>(raw)
    }

    /// Whether the handle names a slot for a `T`.
    pub(crate) fn is_of<T: 'static>(self, raw: RawHandle) -> bool {
        self.0.space.view().tag(raw.granule().page()).unveiled() == Tag::of::<T>()
    }

    /// Asks for the header of the slot that a handle names, if it is going to be looked at.
    #[inline(always)]
    pub(crate) fn prefetch(self, raw: RawHandle) {
        if self.0.pasts.get(raw.granule().page() as usize) == Some(&Past::Recycled) {
            self.0.look().prefetch_near(raw.granule());
        }
    }

    /// Whether the object is alive and, in a cycle, not white: where the bitmaps tell, which are nearer than the
    /// headers. (An object under construction counts as alive.)
    #[inline(always)]
    pub(crate) fn is_live_by_bits<T: 'static>(self, raw: RawHandle, in_cycle: bool) -> Option<bool> {
        let Headers(store) = self;
        let (granule, page) = (raw.granule(), raw.granule().page());
        let tag = store.space.view().tag(page);
        if tag.unveiled() != Tag::of::<T>() || store.pasts.get(page as usize) == Some(&Past::Recycled) {
            return None;
        }
        let class = Class::of::<T>();
        // SAFETY: the page is one of `T`'s, so it was opened for slots of this class.
        let occupied = unsafe { store.space.view().word(Bits::Occupied, class, granule) };
        // SAFETY: as above.
        let white = unsafe { store.space.view().word(Bits::White, class, granule) };
        let white = if in_cycle || tag.is_veiled() { load(white) } else { 0 };
        let is_own = raw.generation() == store.pages[page as usize].first;
        Some(is_own && load(occupied) & !white & class.mask(granule) != 0)
    }

    /// Whether the slot of a handle of a `T` is white.
    #[inline(always)]
    pub(crate) fn is_white<T: 'static>(self, raw: RawHandle) -> bool {
        self.0.look().is_white::<T>(raw.granule())
    }
}

/// The slots of all living objects in these pages, in order.
fn living<'a, T: 'static>(
    space: &'a Space,
    metas: &'a [PageMeta],
    pages: &'a [u32],
) -> impl Iterator<Item = (RawHandle, Slot<T>)> + 'a {
    let look = Look { view: space.view() };
    pages.iter().flat_map(move |page| {
        let words = words(space, metas, Bits::Occupied, *page).iter().enumerate();
        words.flat_map(move |(word, occupied)| {
            ones(load(occupied)).filter_map(move |bit| {
                let granule = Granule::of_slot::<T>(*page, Class::of::<T>().slot::<T>(word, bit));
                let slot = look.slot::<T>(granule)?;
                let generation = slot.generation();
                generation.is_occupied().then(|| (RawHandle::new(granule, generation), slot))
            })
        })
    })
}

/// The words of a page's slots.
#[inline]
fn words<'a>(space: &'a Space, metas: &[PageMeta], bits: Bits, page: u32) -> &'a [BitsWord] {
    let class = Class::of_slots(metas[page as usize].slot_granules.into());
    // SAFETY: the page was opened for slots of this size.
    unsafe { space.view().words(bits, class, page) }
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
        Claim { page: 0, word: 0, free: 0, all: 0, first: Generation::ZERO, flags: 0 };

    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.free == 0
    }

    /// The word of the claim in its page.
    pub(crate) fn word(&self) -> usize {
        self.word
    }

    /// The slots that were handed out since it was last asked.
    pub(crate) fn take_handed_out(&mut self) -> Made {
        let bits = self.all & !self.free;
        self.all = self.free;
        Made { page: self.page, word: self.word, bits }
    }
}
