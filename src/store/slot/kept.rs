//! What checkpoints keep of a slot.

use super::{DOOMED, RESERVED};
use crate::handle::Generation;

/// In a kept header: the object had died with all of its page, which was closed.
const DEAD: u32 = RESERVED;

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

    /// That of a slot of a closed page. If its generation is odd, no value is kept: nothing reads the slot
    /// before its generation is bumped, when the page is opened again or released.
    pub(in crate::store) fn of_closed_page(self) -> Self {
        if self.generation.is_occupied() { Self { flags: DEAD, ..self } } else { self }
    }

    /// That of a free slot.
    pub(in crate::store) fn free(generation: Generation) -> Self {
        assert!(!generation.is_occupied(), "the generation of a free slot is even");
        Self { generation, flags: 0 }
    }

    pub(in crate::store) fn generation(self) -> Generation {
        self.generation
    }

    /// The flags to be restored.
    pub(super) fn flags(self) -> u32 {
        self.flags & !DEAD
    }

    /// Whether an object lived there, or a value waited for its destructor.
    #[inline(always)]
    pub(in crate::store) fn has_value(self) -> bool {
        self.flags & DEAD == 0 && (self.generation.is_occupied() || self.flags & DOOMED != 0)
    }
}
