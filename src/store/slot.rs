//! A slot: one header of 8 bytes and room for one value. Every value is written, read and dropped in this
//! file.
//!
//! Its header alone tells what a slot holds. It is always initialised, since fresh pages read as zero:
//!
//! ```text
//! generation  flags      state      value
//! even        -          free       none
//! even        RESERVED   reserved   none; a handle of the next generation was given out
//! zero        SPENT      spent      none; its last generation was used, and it is not retired yet
//! odd         -          occupied   initialised: the object is alive
//! even        DOOMED     doomed     initialised: the object is dead, its destructor has not run
//! ```
//!
//! The header changes only by *transitions*, the methods of [`SlotMut`]. Each checks the state that it starts
//! from, and refuses any other. So in whatever order they are called, a value is never read where there is
//! none, never overwritten, never dropped twice. A `SlotMut` is the only access to its slot, so no transition
//! happens behind a reference to a value. Notes in the flags, which say nothing about the value, may change
//! through a shared [`Slot`]: they are atomics.
#![expect(unsafe_code, reason = "reads and writes values through their addresses; see the argument above")]

mod kept;

use core::marker::PhantomData;
use core::ptr::NonNull;

use crate::geometry::{GRANULE_BYTES, HEADER_BYTES};
use crate::handle::{Generation, RawHandle};
use crate::store::{Age, Barrier};
use crate::sync::{FlagsWord, Ordering};

pub(super) use kept::KeptHeader;

/// The header before each value.
#[repr(C)]
struct Header {
    generation: Generation,
    flags: FlagsWord,
}

const _: () = assert!(size_of::<Header>() == HEADER_BYTES && align_of::<Header>() <= GRANULE_BYTES);

/// The object is dead (the generation is even) but its destructor has not run yet.
const DOOMED: u32 = 1;
/// Something is registered on the object, to be notified of its death.
const WATCHED: u32 = 2;
/// The object was changed or made since it was last traced, and the collector knows or will find out: the
/// handle is in `dirty`, or the slot is white, or the object was made while marking.
const LOGGED: u32 = 4;
/// The object requested its `prune` in the current collection.
const WEAK_OWNER: u32 = 8;
/// The slot waits for the object that `alloc_cyclic` is making.
const RESERVED: u32 = 16;
/// Of a free slot, which is never in `dirty`: its last generation was used, but it is not retired yet.
const SPENT: u32 = LOGGED;
/// The rest of the flags is a number: that of the ephemerons waiting for the object to be marked, zero if
/// there are none.
const WAITER_SHIFT: u32 = 5;

/// The largest number that a slot can keep for what waits for its object.
pub(crate) const MAX_WAITER: u32 = u32::MAX >> WAITER_SHIFT;

/// The notes with which an object begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Start {
    /// The next change will be logged.
    Clean,
    /// It counts as logged already.
    Logged,
}

impl Start {
    /// For objects of this age, with this barrier.
    #[inline(always)]
    pub(super) fn of(age: Age, barrier: Barrier) -> Self {
        if age == Age::Old || barrier == Barrier::None { Start::Clean } else { Start::Logged }
    }

    #[inline(always)]
    fn flags(self) -> u32 {
        match self {
            Start::Clean => 0,
            Start::Logged => LOGGED,
        }
    }
}

/// A slot of `T`, or of an unknown type for `T = ()`, to be read.
pub(super) struct Slot<'a, T> {
    header: NonNull<Header>,
    /// The store is borrowed.
    store: PhantomData<&'a T>,
}

impl<T> Clone for Slot<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Slot<'_, T> {}

impl<'a, T> Slot<'a, T> {
    /// The value follows the header at the next multiple of its alignment.
    const VALUE_OFFSET: usize = if align_of::<T>() > HEADER_BYTES { align_of::<T>() } else { HEADER_BYTES };

    /// The slot at this address.
    ///
    /// # Safety
    /// For `'a`: `start` is a slot boundary of an open page of `T`'s (of any type's for `T = ()`), only this
    /// file has changed its memory since it read as zero, and no [`SlotMut`] of it is used.
    #[inline(always)]
    pub(super) unsafe fn at(start: NonNull<u8>) -> Self {
        Self { header: start.cast(), store: PhantomData }
    }

    /// The same slot, mutably.
    ///
    /// # Safety
    /// For `'b` nothing else uses the slot or a reference to its value.
    #[inline(always)]
    pub(super) unsafe fn exclusive<'b>(self) -> SlotMut<'b, T> {
        SlotMut(Slot { header: self.header, store: PhantomData })
    }

    #[inline(always)]
    pub(super) fn generation(self) -> Generation {
        // SAFETY: by `at` the header is initialised, and changes only through a `SlotMut`.
        unsafe { (*self.header.as_ptr()).generation }
    }

    #[inline(always)]
    fn flags_word(&self) -> &FlagsWord {
        // SAFETY: as in `generation`; the flags are atomics.
        unsafe { &(*self.header.as_ptr()).flags }
    }

    #[inline(always)]
    fn flags(self) -> u32 {
        // Relaxed, here and below: notes of the collector. A writer has exclusive access to the heap, or
        // traces the object beside readers, having won its white bit. A load and a store, not one operation,
        // since that is an ordinary move: two threads could lose each other's notes, but never a state, which
        // changes only through a `SlotMut`.
        self.flags_word().load(Ordering::Relaxed)
    }

    #[inline(always)]
    fn note(self, flags: u32) {
        // Relaxed: see `flags`.
        self.flags_word().store(flags, Ordering::Relaxed);
    }

    #[inline(always)]
    fn value(self) -> NonNull<T> {
        // SAFETY: the value lies in the slot, which lies in the page.
        unsafe { self.header.byte_add(Self::VALUE_OFFSET) }.cast()
    }

    /// The content of the header, to be restored later.
    #[inline(always)]
    pub(super) fn kept(self) -> KeptHeader {
        KeptHeader::new(self.generation(), self.flags() & !(WATCHED | RESERVED))
    }

    /// The value of a slot that has one: of an object that lives here, or one whose destructor has not run.
    #[inline(always)]
    pub(super) fn value_if_any(self) -> Option<&'a T> {
        let has_value = self.generation().is_occupied() || self.is_doomed();
        // SAFETY: in these two states the value is initialised; the store, borrowed for `'a`, keeps it from
        // being changed.
        has_value.then(|| unsafe { self.value().as_ref() })
    }

    /// Whether the object of this handle lives here.
    #[inline(always)]
    pub(super) fn holds(self, raw: RawHandle) -> bool {
        self.generation() == raw.generation()
    }

    /// The object of this handle.
    #[inline(always)]
    pub(super) fn get(self, raw: RawHandle) -> Option<&'a T> {
        // SAFETY: a handle's generation is odd, so the value is initialised; the store, borrowed for `'a`,
        // keeps it from being changed.
        self.holds(raw).then(|| unsafe { self.value().as_ref() })
    }

    /// The generation of the next tenant, `least` or a later one.
    #[inline(always)]
    pub(super) fn next_tenant(self, least: Generation) -> Generation {
        self.generation().next().max(least)
    }

    /// Whether the slot belongs to an object: one that lives here, one whose destructor has not run, or one
    /// that is being made.
    pub(super) fn is_held(self) -> bool {
        self.generation().is_occupied() || self.flags() & (DOOMED | RESERVED) != 0
    }

    /// Whether a destructor waits here.
    pub(super) fn is_doomed(self) -> bool {
        self.flags() & DOOMED != 0
    }

    /// Whether the slot was used up while its page was closed, and is not retired yet.
    pub(super) fn is_spent(self) -> bool {
        self.generation() == Generation::ZERO && self.flags() & SPENT != 0
    }

    /// Whether the slot waits for the object of this handle.
    pub(super) fn is_reserved_for(self, raw: RawHandle) -> bool {
        self.flags() & RESERVED != 0 && self.generation().next() == raw.generation()
    }

    pub(super) fn is_reserved(self) -> bool {
        self.flags() & RESERVED != 0
    }

    pub(super) fn is_watched(self) -> bool {
        self.flags() & WATCHED != 0
    }

    #[inline(always)]
    pub(super) fn is_logged(self) -> bool {
        self.flags() & LOGGED != 0
    }

    /// Sets the notes of an object that was just made.
    pub(super) fn begin(self, start: Start) {
        self.note(self.flags() & !LOGGED | start.flags());
    }

    #[inline(always)]
    pub(super) fn note_logged(self) {
        self.note(self.flags() | LOGGED);
    }

    /// Clears the note that the object was logged; returns whether it was.
    #[inline(always)]
    pub(super) fn take_logged(self) -> bool {
        let flags = self.flags();
        if flags & LOGGED != 0 {
            self.note(flags & !LOGGED);
        }
        flags & LOGGED != 0
    }

    /// Clears the note that the object was logged; returns whether something waits for it.
    #[inline(always)]
    pub(super) fn begin_trace(self) -> bool {
        let flags = self.flags();
        if flags & LOGGED != 0 {
            self.note(flags & !LOGGED);
        }
        flags >> WAITER_SHIFT != 0
    }

    /// Records that the object requested its `prune`, or that it was done; returns whether that is new.
    pub(super) fn set_weak_owner(self, asked: bool) -> bool {
        self.set(WEAK_OWNER, asked)
    }

    /// Records whether something is registered on the object; returns whether that is new.
    pub(super) fn set_watched(self, watched: bool) -> bool {
        self.set(WATCHED, watched)
    }

    fn set(self, flag: u32, on: bool) -> bool {
        let old = self.flags();
        self.note(if on { old | flag } else { old & !flag });
        old != self.flags()
    }

    /// Sets the number of what waits for the object to be marked, and returns the one before.
    pub(super) fn replace_waiter(self, waiter: u32) -> u32 {
        debug_assert!(waiter <= MAX_WAITER);
        let flags = self.flags();
        self.note(flags & !(u32::MAX << WAITER_SHIFT) | waiter << WAITER_SHIFT);
        flags >> WAITER_SHIFT
    }
}

/// A slot with exclusive access: its transitions.
pub(super) struct SlotMut<'a, T>(Slot<'a, T>);

impl<'a, T> SlotMut<'a, T> {
    #[inline(always)]
    pub(super) fn look(&self) -> Slot<'_, T> {
        self.0
    }

    /// Sets generation and flags together: when a tenant begins, or when there is none.
    #[inline(always)]
    fn set_header(&mut self, generation: Generation, flags: u32) {
        // SAFETY: the header lies in the page, and nothing else uses the slot.
        unsafe { self.0.header.write(Header { generation, flags: FlagsWord::new(flags) }) }
    }

    /// Overwrites a value that is gone, so that a later read is noticed. Only in zeal mode.
    #[inline(always)]
    fn poison(&mut self) {
        #[cfg(gc_zeal)]
        {
            // SAFETY: the value's bytes lie in the slot, no value is there, and nothing else uses the slot.
            unsafe { self.0.value().cast::<u8>().write_bytes(0xdb, size_of::<T>()) };
        }
    }

    fn is_free(&self) -> bool {
        !self.0.generation().is_occupied() && self.0.flags() & (DOOMED | RESERVED) == 0
    }

    /// free -> occupied. Returns the object's generation, `least` or a later one.
    ///
    /// # Panics
    /// If an object lives here.
    #[inline(always)]
    pub(super) fn occupy(&mut self, least: Generation, start: Start, value: T) -> Generation {
        debug_assert!(self.is_free(), "an object is made in a free slot");
        let generation = self.0.next_tenant(least);
        // Also in release builds: a reference to the object that lives here may exist. What is doomed or
        // reserved would only be leaked.
        assert!(generation.is_occupied(), "an object is made where none lives");
        // SAFETY: the generation is even, so there is no reference to a value here; there is room for a `T`.
        unsafe { self.0.value().write(value) };
        self.set_header(generation, start.flags());
        generation
    }

    /// free -> reserved. Returns the generation of the handle that [`occupy_reserved`](Self::occupy_reserved)
    /// will make resolve.
    ///
    /// # Panics
    /// If the slot is not free.
    pub(super) fn reserve(&mut self, least: Generation) -> Generation {
        assert!(self.is_free(), "a free slot is reserved");
        let generation = self.0.next_tenant(least);
        // The even one just before the handle's, also in a slot that was never used.
        self.set_header(Generation(generation.0 - 1), RESERVED);
        generation
    }

    /// reserved -> occupied. Returns the value if the slot was not reserved for this handle.
    pub(super) fn occupy_reserved(&mut self, raw: RawHandle, value: T) -> Result<(), T> {
        if !self.0.is_reserved_for(raw) {
            return Err(value);
        }
        // SAFETY: the slot is reserved, so no value is there; there is room for a `T`.
        unsafe { self.0.value().write(value) };
        self.set_header(raw.generation(), 0);
        Ok(())
    }

    /// reserved -> free, past the generation of the handle; `false` if the slot was not reserved for it.
    pub(super) fn abandon(&mut self, raw: RawHandle) -> bool {
        let is_own = self.0.is_reserved_for(raw);
        if is_own {
            self.set_header(raw.generation().next(), 0);
        }
        is_own
    }

    /// occupied -> free: moves the value out, if the object of this handle lives here.
    pub(super) fn take(&mut self, raw: RawHandle) -> Option<T> {
        if !self.0.holds(raw) {
            return None;
        }
        self.set_header(raw.generation().next(), 0);
        // SAFETY: the generation was odd, so the value is initialised; it is even now, so the value is not
        // read again.
        let value = unsafe { self.0.value().read() };
        self.poison();
        Some(value)
    }

    /// occupied -> doomed; `false` if the object of this handle does not live here.
    pub(super) fn doom(&mut self, raw: RawHandle) -> bool {
        let is_own = self.0.holds(raw);
        if is_own {
            self.set_header(raw.generation().next(), DOOMED);
        }
        is_own
    }

    /// occupied -> free, for a value without a destructor. Does nothing where no object lives. Returns the
    /// generation.
    ///
    /// # Panics
    /// If the type has a destructor.
    #[inline(always)]
    pub(super) fn forget(&mut self) -> Generation {
        assert!(!core::mem::needs_drop::<T>(), "a value with a destructor is doomed");
        self.end_life()
    }

    /// spent -> free. `false` for any other state.
    pub(super) fn end_spent(&mut self) -> bool {
        let is_spent = self.0.is_spent();
        if is_spent {
            self.set_header(Generation::ZERO, 0);
        }
        is_spent
    }

    /// As [`forget`](Self::forget), leaking what has a destructor.
    #[inline(always)]
    fn end_life(&mut self) -> Generation {
        let generation = self.0.generation();
        if !generation.is_occupied() {
            return generation;
        }
        self.set_header(generation.next(), 0);
        self.poison();
        generation.next()
    }

    /// occupied -> free or doomed, depending on its type and `hold`. Returns the generation, and whether the
    /// value is still there.
    #[inline(always)]
    pub(super) fn die(&mut self, hold: bool) -> (Generation, bool) {
        let generation = self.0.generation();
        if !generation.is_occupied() || !(core::mem::needs_drop::<T>() || hold) {
            return (self.end_life(), false);
        }
        self.set_header(generation.next(), DOOMED);
        (generation.next(), true)
    }

    /// doomed -> free: moves the value out, if it is that of the dead object of this handle.
    pub(super) fn exhume(&mut self, raw: RawHandle) -> Option<T> {
        if self.0.generation() != raw.generation().next() || !self.0.is_doomed() {
            return None;
        }
        self.0.note(self.0.flags() & !DOOMED);
        // SAFETY: `DOOMED` was set, so the value is initialised and its destructor has not run; it is cleared
        // now, so the value is not read or dropped again.
        let value = unsafe { self.0.value().read() };
        self.poison();
        Some(value)
    }

    /// doomed -> free: shows the value to `look` and runs its destructor. Does nothing in any other state.
    pub(super) fn drop_doomed(&mut self, look: impl FnOnce(&T)) {
        /// Runs the destructor when dropped, also when `look` panics.
        struct Doomed<'a, T>(NonNull<T>, PhantomData<&'a mut T>);

        impl<T> Drop for Doomed<'_, T> {
            fn drop(&mut self) {
                // SAFETY: made below from a doomed value, of a slot that is free by now and used by nothing
                // else.
                unsafe { self.0.drop_in_place() };
            }
        }

        if !self.0.is_doomed() {
            return;
        }
        self.0.note(self.0.flags() & !DOOMED);
        // `DOOMED` was set, so the value is initialised and its destructor has not run; it is cleared now, so
        // this is the only time.
        let doomed = Doomed(self.0.value(), PhantomData::<&mut T>);
        // SAFETY: as above, and the destructor comes after.
        look(unsafe { doomed.0.as_ref() });
        drop(doomed);
        self.poison();
    }

    /// any -> the state that was kept, with its value if it had one. Returns the value that was here, if its
    /// type has a destructor.
    ///
    /// # Panics
    /// If there is a value for a state without, or none for one with.
    #[inline(always)]
    pub(super) fn restore(&mut self, kept: KeptHeader, value: Option<T>) -> Option<T> {
        assert!(kept.has_value() == value.is_some(), "a value is restored where one was kept");
        let had_value = self.0.generation().is_occupied() || self.0.is_doomed();
        // SAFETY: in these two states the value is initialised; it is overwritten or out of reach below,
        // before any user code runs.
        let old = (core::mem::needs_drop::<T>() && had_value).then(|| unsafe { self.0.value().read() });
        match value {
            // SAFETY: what was here was moved out, or needs no destructor; there is room for a `T`.
            Some(value) => unsafe { self.0.value().write(value) },
            None => self.poison(),
        }
        self.set_header(kept.generation(), kept.flags());
        old
    }

    /// The object of this handle, mutably.
    #[inline(always)]
    pub(super) fn get_mut(self, raw: RawHandle) -> Option<&'a mut T> {
        // SAFETY: a handle's generation is odd, so the value is initialised; nothing else uses the slot for
        // `'a`.
        self.0.holds(raw).then(|| unsafe { self.0.value().as_mut() })
    }
}

#[cfg(test)]
mod tests;
