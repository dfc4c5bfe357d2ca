//! Lookup: from a handle to its slot, and from a slot to its bits.
//!
//! Invariant: a slot is found behind the tag of its type (or, untyped, behind any tag and at a slot boundary
//! of its page), and a word of bits by the class for which its page was opened.
#![expect(unsafe_code, reason = "turns an observed tag into permission to access; see `space.rs`")]

use crate::bitmap::{Bits, Class, read_word, take_bits, write_word};
use crate::geometry::{Granule, PAGE_GRANULES};
use crate::handle::{Generation, RawHandle};
use crate::space::{Space, View, prefetch_far, prefetch_near};
use crate::store::Store;
use crate::store::color::{Color, Tenant};
use crate::store::pages::PageMeta;
use crate::store::slot::{Slot, SlotMut};
use crate::sync::BitsWord;
use crate::tag::Tag;

/// A view of the storage: one or two addresses, which a loop can keep in registers.
#[derive(Clone, Copy)]
pub(crate) struct Look<'a> {
    view: View<'a>,
}

/// Only the slots' generations and colors, for code that holds a `&mut T` into the slots.
#[derive(Clone, Copy)]
pub(crate) struct Headers<'a>(&'a Store);

/// The slots, to be changed with exclusive access to the store. Words of bits are read beside them.
pub(super) struct Slots<'a> {
    look: Look<'a>,
    pages: &'a [PageMeta],
}

impl<'a> Look<'a> {
    pub(super) fn of(space: &'a Space) -> Self {
        Self { view: space.view() }
    }

    /// The slot at a slot boundary of `T`, if its page is one of `T`'s and the slot is not that of a dead
    /// object that awaits its sweep.
    #[inline(always)]
    pub(super) fn slot<T: 'static>(self, granule: Granule) -> Option<Slot<'a, T>> {
        match self.slot_in_the_open(granule) {
            Some(slot) => Some(slot),
            None => self.slot_behind_veil(granule),
        }
    }

    /// As `slot`, in a page that is not veiled.
    #[inline(always)]
    fn slot_in_the_open<T: 'static>(self, granule: Granule) -> Option<Slot<'a, T>> {
        self.is_page_of::<T>(granule).then(|| {
            // SAFETY: the page has a tag, so it is open.
            let start = unsafe { self.view.slot_ptr(granule) };
            // SAFETY: the tag is that of `T`, and the store is borrowed for `'a`.
            unsafe { Slot::at(start) }
        })
    }

    /// As `slot`, in a veiled page.
    #[cold]
    #[inline(never)]
    fn slot_behind_veil<T: 'static>(self, granule: Granule) -> Option<Slot<'a, T>> {
        if self.view.tag(granule.page()) != Tag::of::<T>().veiled() {
            return None;
        }
        let class = Class::of::<T>();
        // SAFETY: the page is one of `T`'s, so it was opened for slots of this class.
        let word = unsafe { self.view.word(Bits::White, class, granule) };
        if read_word(word) & class.mask(granule) != 0 {
            return None;
        }
        self.slot_to_sweep(granule)
    }

    /// As `slot`, dead or not.
    #[inline(always)]
    pub(super) fn slot_to_sweep<T: 'static>(self, granule: Granule) -> Option<Slot<'a, T>> {
        (self.view.tag(granule.page()).unveiled() == Tag::of::<T>()).then(|| {
            // SAFETY: the page has a tag, so it is open.
            let start = unsafe { self.view.slot_ptr(granule) };
            // SAFETY: the tag is that of `T`, and the store is borrowed for `'a`.
            unsafe { Slot::at(start) }
        })
    }

    /// The slot in which the object of this handle lives.
    #[inline(always)]
    pub(super) fn find<T: 'static>(self, raw: RawHandle) -> Option<Slot<'a, T>> {
        self.slot::<T>(raw.granule()).filter(|slot| slot.holds(raw))
    }

    #[inline(always)]
    pub(crate) fn get<T: 'static>(self, raw: RawHandle) -> Option<&'a T> {
        // A tail call: nothing happens after it, so no register is saved.
        match self.slot_in_the_open::<T>(raw.granule()) {
            Some(slot) => slot.get(raw),
            None => self.get_behind_veil(raw),
        }
    }

    #[cold]
    #[inline(never)]
    fn get_behind_veil<T: 'static>(self, raw: RawHandle) -> Option<&'a T> {
        self.slot_behind_veil::<T>(raw.granule())?.get(raw)
    }

    /// The object, about to be traced, and whether something waits for it. From here on its next change is
    /// logged again.
    #[inline(always)]
    pub(crate) fn get_to_trace<T: 'static>(self, raw: RawHandle) -> Option<(&'a T, bool)> {
        let slot = self.slot::<T>(raw.granule())?;
        let object = slot.get(raw)?;
        Some((object, slot.begin_trace()))
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

    /// The word and the bit in it of the slot at a slot boundary of `T`, if the page is one of `T`'s and not
    /// veiled.
    #[inline(always)]
    fn white_bit<T: 'static>(self, granule: Granule) -> Option<(&'a BitsWord, u64)> {
        self.is_page_of::<T>(granule).then(|| {
            let class = Class::of::<T>();
            // SAFETY: the page is one of `T`'s, so it was opened for slots of this class.
            (unsafe { self.view.word(Bits::White, class, granule) }, class.mask(granule))
        })
    }

    /// Whether `granule` lies in a page of `T` that is not veiled.
    #[inline(always)]
    pub(crate) fn is_page_of<T: 'static>(self, granule: Granule) -> bool {
        self.view.tag(granule.page()) == Tag::of::<T>()
    }

    /// Prefetches the lines of the slot at `granule`, from the beginning of the slot on.
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

    /// Clears the white bit of the slot that a handle of a `T` names; returns whether it was set. The
    /// generation is not compared: it is a cache miss away, and is compared when the handle is taken from its
    /// queue.
    #[inline(always)]
    pub(crate) fn take_white<T: 'static>(self, raw: RawHandle) -> bool {
        let Some((word, mask)) = self.white_bit::<T>(raw.granule()) else {
            return false;
        };
        let old = read_word(word);
        write_word(word, old & !mask);
        old & mask != 0
    }

    /// Whether the slot that a handle of a `T` names is white.
    #[inline(always)]
    pub(crate) fn is_white<T: 'static>(self, raw: RawHandle) -> bool {
        self.white_bit::<T>(raw.granule()).is_some_and(|(word, mask)| read_word(word) & mask != 0)
    }

    /// How far the collection has come with the object of this handle, if the page is one of `T`'s and not
    /// veiled.
    #[inline]
    pub(crate) fn color<T: 'static>(self, raw: RawHandle) -> Option<Color> {
        let slot = self.slot_in_the_open::<T>(raw.granule())?;
        Some(if !slot.holds(raw) {
            Color::Dead
        } else if self.is_white::<T>(raw) {
            Color::White
        } else {
            Color::Reached
        })
    }

    /// Sets what waits for a living object to be marked, and returns what waited before.
    #[inline]
    pub(crate) fn replace_waiter<T: 'static>(self, raw: RawHandle, waiter: u32) -> u32 {
        self.find::<T>(raw).map_or(0, |slot| slot.replace_waiter(waiter))
    }

    /// As `take_white`, beside other markers: only one of those that see the bit set takes it.
    #[inline(always)]
    pub(crate) fn take_white_beside<T: 'static>(self, raw: RawHandle) -> bool {
        self.white_bit::<T>(raw.granule()).is_some_and(|(word, mask)| take_bits(word, mask))
    }

    /// The words of a page's slots.
    #[inline]
    pub(super) fn words(self, pages: &[PageMeta], bits: Bits, page: u32) -> &'a [BitsWord] {
        let class = pages[page as usize].class();
        // SAFETY: the page was opened for slots of this size.
        unsafe { self.view.words(bits, class, page) }
    }
}

impl<'a> Slots<'a> {
    pub(super) fn new(space: &'a mut Space, pages: &'a [PageMeta]) -> Self {
        Self { look: Look::of(space), pages }
    }

    #[inline(always)]
    pub(super) fn look(&self) -> Look<'_> {
        self.look
    }

    /// The words of a page's slots: atomics, not part of the slots.
    #[inline]
    pub(super) fn words(&self, bits: Bits, page: u32) -> &'a [BitsWord] {
        self.look.words(self.pages, bits, page)
    }

    /// The slot at a slot boundary of `T`, dead or not, if its page is one of `T`'s.
    #[inline(always)]
    pub(super) fn slot_to_sweep<T: 'static>(&mut self, granule: Granule) -> Option<SlotMut<'_, T>> {
        // SAFETY: the store is borrowed mutably for `'a`, by this alone, and this for as long as the slot.
        self.look.slot_to_sweep::<T>(granule).map(|slot| unsafe { slot.exclusive() })
    }
}

impl Store {
    /// The number of the heap.
    pub(crate) fn heap_number(&self) -> u64 {
        self.heap
    }

    #[inline(always)]
    pub(crate) fn look(&self) -> Look<'_> {
        Look::of(&self.space)
    }

    /// The slots, mutably.
    #[inline(always)]
    pub(super) fn slots(&mut self) -> Slots<'_> {
        Slots::new(&mut self.space, &self.pages)
    }

    /// The slot at a slot boundary of `T`, mutably.
    #[inline(always)]
    pub(super) fn slot_mut<T: 'static>(&mut self, granule: Granule) -> Option<SlotMut<'_, T>> {
        // SAFETY: the store is borrowed mutably for as long as the slot.
        self.look().slot::<T>(granule).map(|slot| unsafe { slot.exclusive() })
    }

    #[inline(always)]
    pub(crate) fn is_alive<T: 'static>(&self, raw: RawHandle) -> bool {
        self.look().is_alive::<T>(raw)
    }

    /// The pool to which the page of `granule` belongs, even if the page is out of access.
    #[inline(always)]
    pub(crate) fn pool_of(&self, granule: Granule) -> u16 {
        self.pages[granule.page() as usize].pool
    }

    /// The slot that begins at `granule`, if one does and its page is accessible.
    #[inline]
    pub(super) fn untyped(&self, granule: Granule) -> Option<Slot<'_, ()>> {
        if self.space.view().tag(granule.page()) == Tag::NONE {
            return None;
        }
        self.pages[granule.page() as usize].slot_at(granule)?;
        // SAFETY: the page has a tag, so it is open.
        let start = unsafe { self.space.view().slot_ptr(granule) };
        // SAFETY: `slot_at` saw a slot boundary of the page's type; the store is borrowed.
        Some(unsafe { Slot::at(start) })
    }

    /// As `untyped`, mutably.
    pub(super) fn untyped_mut(&mut self, granule: Granule) -> Option<SlotMut<'_, ()>> {
        // SAFETY: the store is borrowed mutably for as long as the slot.
        self.untyped(granule).map(|slot| unsafe { slot.exclusive() })
    }

    /// The slot at a slot boundary of a page that is accessible or closed.
    #[inline(always)]
    pub(super) fn slot_of_page(&self, page: u32, slot_index: u32) -> Slot<'_, ()> {
        let is_open = self.space.view().tag(page) != Tag::NONE || self.pasts[page as usize].is_closed;
        let in_page = slot_index * u32::from(self.pages[page as usize].slot_granules);
        assert!(is_open && in_page < PAGE_GRANULES, "slot {slot_index} of page {page} has memory");
        // SAFETY: the page has a tag, or had one until it was closed, and was not released since: it is open.
        let start = unsafe { self.space.view().slot_ptr(Granule::new(page, in_page)) };
        // SAFETY: a slot boundary of the page's type; the store is borrowed.
        unsafe { Slot::at(start) }
    }

    /// The slot of this handle's object, which may be dead and not swept yet.
    #[inline]
    pub(super) fn tenant(&self, raw: RawHandle) -> Option<Slot<'_, ()>> {
        self.untyped(raw.granule()).filter(|slot| slot.holds(raw))
    }

    #[inline]
    pub(crate) fn is_alive_any(&self, raw: RawHandle) -> bool {
        self.tenant(raw).is_some() && !self.is_condemned(raw.granule())
    }

    /// What lives in the slot that a handle of unknown type names.
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
    pub(super) fn words(&self, bits: Bits, page: u32) -> &[BitsWord] {
        self.look().words(&self.pages, bits, page)
    }

    /// The word and the bit in it of the slot that begins at `granule`, if one does and its page is
    /// accessible.
    #[inline]
    pub(super) fn bit(&self, bits: Bits, granule: Granule) -> Option<(&BitsWord, u64)> {
        self.untyped(granule)?;
        let class = self.pages[granule.page() as usize].class();
        // SAFETY: the page was opened for slots of this size.
        let word = unsafe { self.space.view().word(bits, class, granule) };
        Some((word, class.mask(granule)))
    }

    pub(super) fn clear(&self, bits: Bits, granule: Granule) {
        if let Some((word, mask)) = self.bit(bits, granule) {
            write_word(word, read_word(word) & !mask);
        }
    }

    pub(crate) fn is_white_any(&self, granule: Granule) -> bool {
        self.bit(Bits::White, granule).is_some_and(|(word, mask)| read_word(word) & mask != 0)
    }

    /// As `take_white`, for a handle whose type is not known.
    #[inline]
    pub(crate) fn take_white_any(&self, raw: RawHandle) -> bool {
        self.bit(Bits::White, raw.granule()).is_some_and(|(word, mask)| {
            let old = read_word(word);
            write_word(word, old & !mask);
            old & mask != 0
        })
    }

    /// As `take_white_any`, beside other markers: only one of those that see the bit set takes it.
    pub(crate) fn take_white_any_beside(&self, raw: RawHandle) -> bool {
        self.bit(Bits::White, raw.granule()).is_some_and(|(word, mask)| take_bits(word, mask))
    }

    /// Undoes `take_white`.
    pub(crate) fn put_white_back(&self, raw: RawHandle) {
        if let Some((word, mask)) = self.bit(Bits::White, raw.granule()) {
            write_word(word, read_word(word) | mask);
        }
    }

    /// How far the collection has come with the object of this handle.
    pub(crate) fn color_any(&self, raw: RawHandle) -> Color {
        if self.tenant(raw).is_none() {
            return Color::Dead;
        }
        match self.bit(Bits::White, raw.granule()) {
            Some((word, mask)) if read_word(word) & mask != 0 => {
                if self.is_veiled(raw.granule().page()) {
                    Color::Dead
                } else {
                    Color::White
                }
            }
            _ => Color::Reached,
        }
    }

    /// Whether the slot at a slot boundary is white and its page veiled.
    pub(crate) fn is_condemned(&self, granule: Granule) -> bool {
        self.is_veiled(granule.page()) && self.is_white_any(granule)
    }

    /// Exempts a slot from what the collection may free.
    pub(crate) fn spare(&mut self, granule: Granule) {
        self.clear(Bits::White, granule);
    }

    // ---- Notes of the collector

    /// Records that a living object requested its `prune`, or that it was done; `true` if that is new.
    pub(crate) fn set_weak_owner(&self, raw: RawHandle, asked: bool) -> bool {
        self.tenant(raw).is_some_and(|slot| slot.set_weak_owner(asked))
    }

    /// Sets what waits for a living object to be marked, and returns what waited before.
    pub(crate) fn replace_waiter(&self, raw: RawHandle, waiter: u32) -> u32 {
        self.tenant(raw).map_or(0, |slot| slot.replace_waiter(waiter))
    }

    /// Whether something is registered on a living object.
    pub(crate) fn is_watched(&self, raw: RawHandle) -> bool {
        self.tenant(raw).is_some_and(Slot::is_watched)
    }

    /// Records whether something is registered on a living object. `true` if that is new.
    pub(crate) fn set_watched(&mut self, raw: RawHandle, watched: bool) -> bool {
        self.tenant(raw).is_some_and(|slot| slot.set_watched(watched))
    }

    /// What may be read beside a `&mut T`.
    pub(crate) fn headers(&self) -> Headers<'_> {
        Headers(self)
    }
}

impl<'a> Headers<'a> {
    pub(super) fn of(store: &'a Store) -> Self {
        Self(store)
    }

    /// The number of the heap.
    pub(crate) fn heap_number(self) -> u64 {
        self.0.heap
    }

    #[inline(always)]
    pub(crate) fn is_alive<T: 'static>(self, raw: RawHandle) -> bool {
        self.0.is_alive::<T>(raw)
    }

    /// Whether the handle names a slot for a `T`.
    pub(crate) fn is_of<T: 'static>(self, raw: RawHandle) -> bool {
        self.0.space.view().tag(raw.granule().page()).unveiled() == Tag::of::<T>()
    }

    /// Prefetches the header of the slot that a handle names, if it will be read.
    #[inline(always)]
    pub(crate) fn prefetch(self, raw: RawHandle) {
        if self.0.pasts.get(raw.granule().page() as usize).is_some_and(|past| !past.is_told_by_bits()) {
            self.0.look().prefetch_near(raw.granule());
        }
    }

    /// Whether the object is alive and, in a cycle, not white, if the bitmaps tell; they are nearer than the
    /// headers. (An object under construction counts as alive.)
    #[inline(always)]
    pub(crate) fn is_live_by_bits<T: 'static>(self, raw: RawHandle, in_cycle: bool) -> Option<bool> {
        let Headers(store) = self;
        let (granule, page) = (raw.granule(), raw.granule().page());
        let tag = store.space.view().tag(page);
        if tag.unveiled() != Tag::of::<T>() || !store.pasts[page as usize].is_told_by_bits() {
            return None;
        }
        let class = Class::of::<T>();
        // SAFETY: the page is one of `T`'s, so it was opened for slots of this class.
        let occupied = unsafe { store.space.view().word(Bits::Occupied, class, granule) };
        // SAFETY: as above.
        let white = unsafe { store.space.view().word(Bits::White, class, granule) };
        let white = if in_cycle || tag.is_veiled() { read_word(white) } else { 0 };
        let is_own = raw.generation() == store.pages[page as usize].first();
        Some(is_own && read_word(occupied) & !white & class.mask(granule) != 0)
    }

    /// Whether the slot of a handle of a `T` is white; `false` for one in a page of another type or behind a
    /// veil.
    #[inline(always)]
    pub(crate) fn is_white<T: 'static>(self, raw: RawHandle) -> bool {
        let bit = self.0.look().white_bit::<T>(raw.granule());
        bit.is_some_and(|(word, mask)| read_word(word) & mask != 0)
    }
}

impl PageMeta {
    /// The number of the slot that begins at `granule`, if one does.
    pub(super) fn slot_at(&self, granule: Granule) -> Option<u32> {
        let slot_granules = u32::from(self.slot_granules);
        let slot = granule.in_page() / slot_granules;
        (granule.in_page() % slot_granules == 0 && slot < PAGE_GRANULES / slot_granules).then_some(slot)
    }
}
