//! Claims: slots set aside for allocation, and how objects are made in them.

use alloc::vec::Vec;

use crate::bitmap::{Bits, Class, Valid, ones, read_word, write_word};
use crate::geometry::Granule;
use crate::handle::{Generation, RawHandle};
use crate::store::pages::Past;
use crate::store::slot::{SlotMut, Start};
use crate::store::{Barrier, Store, Vacated};

/// Up to 64 neighbouring slots set aside for allocation. Their bits in `occupied` are set, so nothing else
/// hands them out. A clone is part of a checkpoint.
#[derive(Clone)]
pub(crate) struct Claim {
    page: u32,
    word: usize,
    /// Slots not handed out yet.
    free: u64,
    /// The free slots, plus slots handed out but not yet reported.
    all: u64,
    first: Generation,
    /// The start of its objects' headers.
    start: Start,
}

/// Slots of a word in which objects were made.
#[derive(Clone, Copy)]
pub(crate) struct Made {
    pub(crate) page: u32,
    pub(crate) word: usize,
    pub(crate) bits: u64,
}

/// What the collector knows of new objects.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Age {
    /// White: they die unless the next collection, even a minor one, reaches them.
    Young,
    /// Not white: they outlive the current collection, which must trace them.
    Traced,
    /// Not white, nor is anything that they refer to.
    Old,
}

impl Claim {
    /// A claim without slots.
    pub(crate) const EMPTY: Claim =
        Claim { page: 0, word: 0, free: 0, all: 0, first: Generation::ZERO, start: Start::Clean };

    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.free == 0
    }

    /// Slots not handed out yet.
    pub(crate) fn len(&self) -> usize {
        self.free.count_ones() as usize
    }

    /// The page, the word in it, its free slots, and the least generation of their next objects.
    pub(crate) fn places(&self) -> (u32, usize, u64, Generation) {
        (self.page, self.word, self.free, self.first)
    }

    /// The word of its page that comes next.
    pub(crate) fn next_word(&self) -> usize {
        // Slots that were set aside may be free again in any word.
        if self.first == Generation::ZERO { 0 } else { self.word + 1 }
    }

    /// The slots handed out since the last call.
    pub(crate) fn take_handed_out(&mut self) -> Made {
        let bits = self.all & !self.free;
        self.all = self.free;
        Made { page: self.page, word: self.word, bits }
    }
}

/// Handles for future objects in the next slots of a claim: copying a graph needs them in advance. Nothing is
/// written until the objects are made. Valid as long as nothing else uses the claim.
#[derive(Default)]
pub(crate) struct Room {
    handles: Vec<RawHandle>,
    used: usize,
    start: Option<Start>,
}

impl Room {
    /// The next handle.
    #[inline(always)]
    pub(crate) fn next(&mut self) -> Option<RawHandle> {
        let next = *self.handles.get(self.used)?;
        self.used += 1;
        Some(next)
    }

    /// The first handle, taken or not.
    pub(crate) fn first(&self) -> Option<RawHandle> {
        self.handles.first().copied()
    }

    /// The number of handles taken.
    pub(crate) fn used(&self) -> usize {
        self.used
    }

    /// The number of handles, taken ones included.
    pub(crate) fn len(&self) -> usize {
        self.handles.len()
    }

    /// Forgets all but the first `len` handles.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.handles.truncate(len);
    }
}

/// The slot of a bit in a word of a page of `T`.
pub(crate) fn slot_of_bit<T>(page: u32, word: usize, bit: u32) -> Granule {
    Granule::of_slot::<T>(page, Class::of::<T>().slot::<T>(word, bit))
}

impl Store {
    /// Claims the free slots of the next word of a page of `T` from `word` on; `None` if there is none, or if
    /// the page has not been swept yet.
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
            let free = !read_word(occupied) & Valid::<T>::bits(word);
            if free == 0 {
                continue;
            }
            write_word(occupied, read_word(occupied) | free);
            let past = &mut self.pasts[page as usize];
            past.of_objects = if past.of_objects == Past::Fresh { Past::Fresh } else { Past::Recycled };
            past.is_claimed = true;
            if age == Age::Young {
                let white = &self.words(Bits::White, page)[word];
                write_word(white, read_word(white) | free);
            }
            let first = self.pages[page as usize].first();
            return Some(Claim { page, word, free, all: free, first, start: Start::of(age, barrier) });
        }
        None
    }

    /// All slots of a claim were handed out, or are being returned.
    pub(crate) fn end_claim(&mut self, claim: &Claim) {
        // The claim without slots names no page.
        if claim.first != Generation::ZERO {
            self.pasts[claim.page as usize].is_claimed = false;
        }
    }

    /// Frees the slots of a claim that were not used.
    pub(crate) fn unclaim(&mut self, claim: Claim) {
        for bits in [Bits::Occupied, Bits::White] {
            let word = &self.words(bits, claim.page)[claim.word];
            write_word(word, read_word(word) & !claim.free);
        }
    }

    /// Makes the objects white that were made there.
    pub(crate) fn whiten_made(&self, made: Made) {
        let white = &self.words(Bits::White, made.page)[made.word];
        write_word(white, read_word(white) | made.bits);
    }

    /// The handles of the objects in these slots of a page of `T`.
    pub(crate) fn each_of<T: 'static>(
        &self,
        page: u32,
        word: usize,
        bits: u64,
        visit: &mut dyn FnMut(RawHandle),
    ) {
        self.each_in_word::<T>(page, word, bits, visit);
    }

    /// The handles of the objects made there that are not white.
    #[inline(always)]
    pub(crate) fn each_reached<T: 'static>(&self, made: Made, visit: impl FnMut(RawHandle)) {
        let Made { page, word, bits } = made;
        // By now the page may be one of another type, or have no memory.
        if self.look().is_page_of::<T>(slot_of_bit::<T>(page, word, 0)) {
            let white = read_word(&self.words(Bits::White, page)[word]);
            self.each_in_word::<T>(page, word, bits & !white, visit);
        }
    }

    #[inline(always)]
    fn each_in_word<T: 'static>(&self, page: u32, word: usize, bits: u64, mut visit: impl FnMut(RawHandle)) {
        // All at once, before the first has to wait for memory.
        for bit in ones(bits) {
            self.look().prefetch_near(slot_of_bit::<T>(page, word, bit));
        }
        for bit in ones(bits) {
            let granule = slot_of_bit::<T>(page, word, bit);
            match self.look().generation::<T>(granule) {
                Some(generation) if generation.is_occupied() => visit(RawHandle::new(granule, generation)),
                _ => {}
            }
        }
    }

    /// Puts a value into the next slot of a claim. The claim must have one.
    #[inline(always)]
    pub(crate) fn fill<T: 'static>(&mut self, claim: &mut Claim, value: T) -> RawHandle {
        let (first, start) = (claim.first, claim.start);
        let (mut slot, granule) = self.next_slot::<T>(claim);
        RawHandle::new(granule, slot.occupy(first, start, value))
    }

    /// Looks ahead at the slots of a claim.
    pub(crate) fn look_ahead<T: 'static>(&self, claim: &Claim, room: &mut Room) {
        room.handles.clear();
        (room.used, room.start) = (0, Some(claim.start));
        for bit in ones(claim.free) {
            let granule = slot_of_bit::<T>(claim.page, claim.word, bit);
            let slot = self.look().slot::<T>(granule).expect("a claim of slots of T");
            room.handles.push(RawHandle::new(granule, slot.next_tenant(claim.first)));
        }
    }

    /// Removes from a claim the slots whose handles were taken.
    pub(crate) fn hand_out(claim: &mut Claim, room: &mut Room) {
        for _ in 0..core::mem::take(&mut room.used) {
            claim.free &= claim.free.wrapping_sub(1);
        }
        room.handles.clear();
    }

    /// Makes the object of a handle from the room. The collector has not seen it yet, so its first changes
    /// need no barrier.
    ///
    /// # Panics
    /// If an object lives there, or one did since.
    #[inline(always)]
    pub(crate) fn fill_ahead<T: 'static>(&mut self, room: &Room, raw: RawHandle, value: T) -> &mut T {
        let start = room.start.expect("a room that was looked at");
        let mut slot = self.slot_mut::<T>(raw.granule()).expect("a slot of T");
        let generation = slot.occupy(raw.generation(), start, value);
        assert!(generation == raw.generation(), "the slot is as it was when its handle was made");
        slot.get_mut(raw).expect("an object that was made just now")
    }

    /// Uses up a handle from a room, without an object.
    pub(crate) fn waste(&mut self, raw: RawHandle) -> Vacated {
        let mut slot = self.untyped_mut(raw.granule()).expect("a slot of a page in use");
        let generation = slot.reserve(raw.generation());
        let is_own = generation == raw.generation() && slot.abandon(raw);
        assert!(is_own, "the slot is as it was when its handle was made");
        self.note_past(raw.granule().page(), Past::Recycled);
        Vacated::after(raw)
    }

    /// Takes the next slot of a claim and leaves it reserved. [`fill_reserved`](Self::fill_reserved) makes
    /// the handle resolve.
    pub(crate) fn reserve<T: 'static>(&mut self, claim: &mut Claim) -> RawHandle {
        let first = claim.first;
        let (mut slot, granule) = self.next_slot::<T>(claim);
        RawHandle::new(granule, slot.reserve(first))
    }

    #[inline(always)]
    fn next_slot<T: 'static>(&mut self, claim: &mut Claim) -> (SlotMut<'_, T>, Granule) {
        assert!(claim.free != 0, "a claim with a free slot");
        let bit = claim.free.trailing_zeros();
        claim.free &= claim.free - 1;
        let granule = slot_of_bit::<T>(claim.page, claim.word, bit);
        let slot = self.slot_mut::<T>(granule).expect("a claim of slots of T");
        (slot, granule)
    }

    /// Puts the value into the slot that was reserved for this handle. Returns the value if there is none.
    pub(crate) fn fill_reserved<T: 'static>(
        &mut self,
        raw: RawHandle,
        value: T,
        barrier: Barrier,
    ) -> Result<(), T> {
        let Some(mut slot) = self.slot_mut::<T>(raw.granule()) else {
            return Err(value);
        };
        slot.occupy_reserved(raw, value)?;
        // A collection may have passed the slot while it was empty.
        self.note_change::<T>(raw, barrier);
        Ok(())
    }

    /// Gives up the slot that was reserved for this handle, if there is one: the handle never resolves.
    pub(crate) fn abandon_reserved<T: 'static>(&mut self, raw: RawHandle) -> Option<Vacated> {
        let is_own = self.slot_mut::<T>(raw.granule())?.abandon(raw);
        is_own.then(|| {
            self.note_past(raw.granule().page(), Past::Recycled);
            Vacated::after(raw)
        })
    }
}
