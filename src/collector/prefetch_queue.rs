//! The queue between finding an object and tracing it, one per type: while an object waits here, its memory
//! is being fetched.

use alloc::boxed::Box;

use crate::handle::RawHandle;

/// Room of a queue. Twice the depth, so that the queues of other types can fill while one type is traced.
pub(crate) const QUEUE_LEN: usize = 128;
/// How many objects a type keeps in flight while it has them.
pub(crate) const QUEUE_DEPTH: usize = 64;
/// How many places before it leaves the queue an object is prefetched into the first-level cache.
pub(crate) const NEAR: usize = 8;

/// First in, first out. The counters only grow and wrap; their difference is the length.
#[derive(Clone)]
pub(crate) struct PrefetchQueue {
    places: Box<[RawHandle; QUEUE_LEN]>,
    head: usize,
    tail: usize,
}

impl PrefetchQueue {
    pub(crate) fn new() -> Self {
        Self { places: Box::new([RawHandle::NULL; QUEUE_LEN]), head: 0, tail: 0 }
    }

    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.tail.wrapping_sub(self.head)
    }

    #[inline(always)]
    pub(crate) fn is_full(&self) -> bool {
        self.len() == QUEUE_LEN
    }

    /// Puts a handle in. The queue must not be full.
    #[inline(always)]
    pub(crate) fn push(&mut self, raw: RawHandle) {
        debug_assert!(!self.is_full());
        self.places[self.tail % QUEUE_LEN] = raw;
        self.tail = self.tail.wrapping_add(1);
    }

    #[inline(always)]
    pub(crate) fn pop(&mut self) -> Option<RawHandle> {
        if self.len() == 0 {
            return None;
        }
        let raw = self.places[self.head % QUEUE_LEN];
        self.head = self.head.wrapping_add(1);
        Some(raw)
    }

    /// The handle that `NEAR` more pops will return, if the queue is that long; otherwise some earlier one.
    #[inline(always)]
    pub(crate) fn near(&self) -> RawHandle {
        self.places[self.head.wrapping_add(NEAR) % QUEUE_LEN]
    }

    pub(crate) fn clear(&mut self) {
        self.head = self.tail;
    }
}
