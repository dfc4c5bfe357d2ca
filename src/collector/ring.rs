//! The queue between finding an object and tracing it, one a type: while an object waits here, its memory is
//! on the way.

use alloc::boxed::Box;

use crate::handle::RawHandle;

/// Room of a ring. Twice the depth, so that the rings of other types can fill while one type is traced.
pub(crate) const RING_LEN: usize = 128;
/// How many objects a type keeps in flight while it has them.
pub(crate) const RING_DEPTH: u32 = 64;
/// How many places before it comes out an object is brought into the first-level cache.
pub(crate) const NEAR: u32 = 8;

/// First in, first out.
pub(crate) struct Ring {
    places: Box<[RawHandle; RING_LEN]>,
    head: u32,
    len: u32,
}

impl Ring {
    pub(crate) fn new() -> Self {
        Self { places: Box::new([RawHandle::NULL; RING_LEN]), head: 0, len: 0 }
    }

    #[inline(always)]
    pub(crate) fn len(&self) -> u32 {
        self.len
    }

    #[inline(always)]
    pub(crate) fn is_full(&self) -> bool {
        self.len as usize == RING_LEN
    }

    #[inline(always)]
    fn place(&self, index: u32) -> usize {
        self.head.wrapping_add(index) as usize % RING_LEN
    }

    /// Puts a handle in. The ring must not be full.
    #[inline(always)]
    pub(crate) fn push(&mut self, raw: RawHandle) {
        debug_assert!(!self.is_full());
        let place = self.place(self.len);
        self.places[place] = raw;
        self.len += 1;
    }

    #[inline(always)]
    pub(crate) fn pop(&mut self) -> Option<RawHandle> {
        let left = self.len.checked_sub(1)?;
        let raw = self.places[self.place(0)];
        self.head = self.head.wrapping_add(1);
        self.len = left;
        Some(raw)
    }

    /// The handle that `NEAR` more pops will give, if the ring is that long; else some earlier one.
    #[inline(always)]
    pub(crate) fn near(&self) -> RawHandle {
        self.places[self.place(NEAR)]
    }

    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }
}
