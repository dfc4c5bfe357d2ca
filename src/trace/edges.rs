//! The stack of edges found and not yet followed.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use crate::handle::RawHandle;
use crate::store::Look;
use crate::trace::Mode;

/// Handles, the latest on top.
///
/// Not a `Vec`: when there is no room, the caller passes the stack by value, so that no reference to it ever
/// reaches a function that is not inlined, and the tracing loop keeps it in registers. (With a `Vec` every
/// push waits for the length that the last one stored.)
///
/// A stack without room also serves to gather edges instead of following them (for an ephemeron's value, and
/// in exact marking): every push then takes the slow path, and the fast path needs no test for it.
#[derive(Clone, Default)]
pub(crate) struct EdgeStack {
    room: Box<[RawHandle]>,
    len: usize,
}

/// What did not fit into the stack: full chunks, the latest on top. In chunks, so that no push takes long.
#[derive(Default)]
pub(crate) struct Spill {
    full: Vec<Box<[RawHandle]>>,
    /// Empty chunks for reuse, from this cycle and the one before: the system takes longer to provide new
    /// memory than a root source to fill it.
    spare: Vec<Box<[RawHandle]>>,
    /// The most chunks that were full in this cycle.
    peak: usize,
}

/// Without the spare chunks.
impl Clone for Spill {
    fn clone(&self) -> Self {
        Self { full: self.full.clone(), spare: Vec::new(), peak: self.peak }
    }
}

impl EdgeStack {
    /// Entries of a chunk, which is also the room that is kept from one collection to the next: 128 KiB.
    pub(crate) const CHUNK: usize = 16 * 1024;

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

    /// Makes room: doubles the first chunk until it has its size, then begins another one.
    pub(crate) fn make_room(&mut self, spill: &mut Spill) {
        if self.room.len() < Self::CHUNK {
            let mut room = Vec::from(core::mem::take(&mut self.room));
            room.resize((room.len() * 2).clamp(256, Self::CHUNK), RawHandle::NULL);
            self.room = room.into_boxed_slice();
        } else if self.len == self.room.len() {
            let empty = spill.spare.pop().unwrap_or_else(|| vec![RawHandle::NULL; Self::CHUNK].into());
            spill.full.push(core::mem::replace(&mut self.room, empty));
            spill.peak = spill.peak.max(spill.full.len());
            self.len = 0;
        }
    }

    /// Pushes the handle and makes room for it.
    #[inline]
    pub(crate) fn push(&mut self, handle: RawHandle, spill: &mut Spill) {
        if !self.try_push(handle, true) {
            self.push_with_room(handle, spill);
        }
    }

    #[cold]
    #[inline(never)]
    fn push_with_room(&mut self, handle: RawHandle, spill: &mut Spill) {
        self.make_room(spill);
        self.try_push(handle, true);
    }

    /// Removes the top; only [`unspill`](Self::unspill) brings back what was spilled.
    #[inline(always)]
    pub(crate) fn pop(&mut self) -> Option<RawHandle> {
        let last = self.len.checked_sub(1)?;
        let handle = *self.room.get(last)?;
        self.len = last;
        Some(handle)
    }

    /// Moves a chunk back into the empty stack; `false` if there is none.
    pub(crate) fn unspill(&mut self, spill: &mut Spill) -> bool {
        spill.full.pop().is_some_and(|full| {
            self.len = full.len();
            spill.spare.push(core::mem::replace(&mut self.room, full));
            true
        })
    }

    /// Handles in the stack and in what was spilled.
    pub(crate) fn len(&self, spill: &Spill) -> usize {
        self.len + spill.full.iter().map(|chunk| chunk.len()).sum::<usize>()
    }

    /// Moves the latest handles to another stack, `most` of them at most, or a chunk of what was spilled.
    pub(crate) fn give(&mut self, spill: &mut Spill, most: usize, to: &mut Self, to_spill: &mut Spill) {
        if self.len == 0 {
            to_spill.full.extend(spill.full.pop());
            return;
        }
        let kept = self.len.saturating_sub(most);
        self.room[kept..self.len].iter().for_each(|raw| to.push(*raw, to_spill));
        self.len = kept;
    }

    /// Moves the oldest handles to another stack, `most` of them at most, or a chunk of what was spilled.
    pub(crate) fn give_oldest(
        &mut self,
        spill: &mut Spill,
        most: usize,
        to: &mut Self,
        to_spill: &mut Spill,
    ) {
        if !spill.full.is_empty() {
            to_spill.full.push(spill.full.remove(0));
            return;
        }
        let given = most.min(self.len);
        self.room[..given].iter().for_each(|raw| to.push(*raw, to_spill));
        self.room.copy_within(given..self.len, 0);
        self.len -= given;
    }

    /// Moves everything to another stack.
    pub(crate) fn give_all(mut self, spill: &mut Spill, to: &mut Self, to_spill: &mut Spill) {
        to_spill.full.append(&mut spill.full);
        let most = self.len;
        if most > 0 {
            self.give(spill, most, to, to_spill);
        }
    }

    /// Releases the spare chunks.
    pub(crate) fn shrink(spill: &mut Spill) {
        spill.spare = Vec::new();
    }

    /// Empties the stack, for another cycle.
    pub(crate) fn reset(&mut self, spill: &mut Spill, is_minor: bool) {
        self.len = 0;
        spill.spare.append(&mut spill.full);
        // So that memory shrinks again after a large full cycle.
        if !is_minor {
            spill.spare.truncate(core::mem::take(&mut spill.peak));
        }
    }
}

/// An edge found beside other markers (see `trace/beside.rs`), or in the value of an ephemeron, where it
/// waits for the key. Never inlined, and never passed the tracer's address, so that the loop of a marker with
/// exclusive access stays small and keeps its tracer in registers.
#[cold]
#[inline(never)]
pub(super) fn edge_apart<T: 'static>(mode: Mode, look: Look<'_>, raw: RawHandle, found: &mut Vec<RawHandle>) {
    // A branch: few edges lead to white objects, and taking a bit costs more than a misprediction.
    let is_found = match mode {
        Mode::Gather => look.is_white::<T>(raw),
        Mode::Beside | Mode::Follow => look.take_white_beside::<T>(raw),
    };
    if is_found {
        found.push(raw);
    }
}

impl core::fmt::Debug for EdgeStack {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("EdgeStack").field("len", &self.len).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_spilled_comes_back_last_in_first_out() {
        let (mut stack, mut spill) = (EdgeStack::default(), Spill::default());
        let handle = |n: usize| RawHandle::from_bits((n as u64) << 32 | 1);
        let len = 3 * EdgeStack::CHUNK + 5;
        (0..len).for_each(|n| stack.push(handle(n), &mut spill));
        for n in (0..len).rev() {
            let top = stack.pop().or_else(|| stack.unspill(&mut spill).then(|| stack.pop()).flatten());
            assert_eq!(top, Some(handle(n)));
        }
        assert!(stack.pop().is_none() && !stack.unspill(&mut spill));
    }
}
