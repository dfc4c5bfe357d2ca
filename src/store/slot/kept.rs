//! What checkpoints keep of a slot.

use super::{DOOMED, SPENT};
use crate::handle::Generation;

/// The content of a slot's header at some time, for [`SlotMut::restore`](super::SlotMut::restore). Without
/// what is registered on the object.
#[derive(Clone, Copy)]
pub(in crate::store) struct KeptHeader {
    generation: Generation,
    flags: u32,
}

impl KeptHeader {
    pub(super) fn new(generation: Generation, flags: u32) -> Self {
        Self { generation, flags }
    }

    /// What is kept of a slot of a closed page: its object is dead, which its generation does not say yet. If
    /// that was the last one, the slot is retired when the page is opened again.
    pub(in crate::store) fn of_closed_page(self) -> Self {
        match self.generation.next() {
            _ if !self.generation.is_occupied() => self,
            Generation::ZERO => Self { generation: Generation::ZERO, flags: SPENT },
            next => Self { generation: next, flags: 0 },
        }
    }

    /// That of a free slot.
    pub(in crate::store) fn free(generation: Generation) -> Self {
        assert!(!generation.is_occupied(), "the generation of a free slot is even");
        Self { generation, flags: 0 }
    }

    pub(in crate::store) fn generation(self) -> Generation {
        self.generation
    }

    pub(super) fn flags(self) -> u32 {
        self.flags
    }

    /// Whether an object lived there, or a value waited for its destructor.
    #[inline(always)]
    pub(in crate::store) fn has_value(self) -> bool {
        self.generation.is_occupied() || self.flags & DOOMED != 0
    }
}
