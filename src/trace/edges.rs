//! The stack of edges found and not yet followed.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use crate::handle::RawHandle;

/// Handles, the last found on top.
///
/// Not a `Vec`: its growth takes the stack by value, so that no reference to it is ever passed to a function
/// that is not inlined, and the loop that traces keeps it in registers. (With a `Vec` every push waits for the
/// length that the last one stored.)
#[derive(Default)]
pub(crate) struct EdgeStack {
    room: Box<[RawHandle]>,
    len: usize,
}

impl EdgeStack {
    /// Pushes without a branch on `condition`, which is a coin toss where it is called.
    #[inline(always)]
    pub(crate) fn push_if(&mut self, handle: RawHandle, condition: bool) {
        match self.room.get_mut(self.len) {
            Some(place) => *place = handle,
            None => self.room = Self::grow_with(core::mem::take(&mut self.room), handle),
        }
        self.len += usize::from(condition);
    }

    #[inline(always)]
    pub(crate) fn pop(&mut self) -> Option<RawHandle> {
        let last = self.len.checked_sub(1)?;
        let handle = *self.room.get(last)?;
        self.len = last;
        Some(handle)
    }

    #[cold]
    #[inline(never)]
    fn grow_with(room: Box<[RawHandle]>, handle: RawHandle) -> Box<[RawHandle]> {
        let len = room.len();
        let mut room = Vec::from(room);
        room.resize((len * 2).max(256), RawHandle::NULL);
        room[len] = handle;
        room.into_boxed_slice()
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The handles pushed since the stack was `start` long.
    pub(crate) fn from(&self, start: usize) -> &[RawHandle] {
        &self.room[start..self.len]
    }

    pub(crate) fn truncate(&mut self, len: usize) {
        debug_assert!(len <= self.len);
        self.len = len;
    }

    /// Empties the stack, and gives its memory back if it grew beyond what a usual collection needs.
    pub(crate) fn reset(&mut self) {
        const KEEP: usize = 64 * 1024;
        self.len = 0;
        if self.room.len() > KEEP {
            self.room = vec![RawHandle::NULL; KEEP].into_boxed_slice();
        }
    }
}

impl core::fmt::Debug for EdgeStack {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("EdgeStack").field("len", &self.len).finish_non_exhaustive()
    }
}
