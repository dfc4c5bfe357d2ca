//! The stack of edges found and not yet followed.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use crate::handle::RawHandle;

/// Handles, the last found on top.
///
/// Not a `Vec`: when there is no room the caller takes the stack by value, so that no reference to it is ever
/// passed to a function that is not inlined, and the loop that traces keeps it in registers. (With a `Vec`
/// every push waits for the length that the last one stored.)
///
/// A stack without room is also how edges are gathered instead of followed (for an ephemeron's value, and in
/// exact marking): every push then comes to the caller's slow path, and the fast one needs no test for it.
#[derive(Default)]
pub(crate) struct EdgeStack {
    room: Box<[RawHandle]>,
    len: usize,
}

impl EdgeStack {
    /// Entries of room that are kept from one collection to the next: 128 KiB.
    pub(crate) const KEEP: usize = 16 * 1024;

    /// Pushes the handle without a branch on `condition`; `false` if there is no room.
    #[inline(always)]
    pub(crate) fn try_push(&mut self, handle: RawHandle, condition: bool) -> bool {
        let Some(place) = self.room.get_mut(self.len) else {
            return false;
        };
        *place = handle;
        self.len += usize::from(condition);
        true
    }

    /// Doubles the room.
    pub(crate) fn grow(&mut self) {
        let mut room = Vec::from(core::mem::take(&mut self.room));
        room.resize((room.len() * 2).max(256), RawHandle::NULL);
        self.room = room.into_boxed_slice();
    }

    #[inline(always)]
    pub(crate) fn pop(&mut self) -> Option<RawHandle> {
        let last = self.len.checked_sub(1)?;
        let handle = *self.room.get(last)?;
        self.len = last;
        Some(handle)
    }

    /// Empties the stack, and gives its memory back if it grew beyond what a usual collection needs.
    pub(crate) fn reset(&mut self) {
        self.len = 0;
        if self.room.len() > Self::KEEP {
            self.room = vec![RawHandle::NULL; Self::KEEP].into_boxed_slice();
        }
    }
}

impl core::fmt::Debug for EdgeStack {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("EdgeStack").field("len", &self.len).finish_non_exhaustive()
    }
}
