//! Places for pending values, in words that were set aside: which are taken, and where the next value goes.

use core::any::TypeId;
use core::hash::BuildHasherDefault;

use hashbrown::HashMap;

use crate::handle::{Generation, RawHandle};
use crate::hash::HandleHasher;
use crate::heap::Heap;
use crate::store::slot_of_bit;
use crate::trace::Trace;

pub(super) type ByType<V> = HashMap<TypeId, V, BuildHasherDefault<HandleHasher>>;

/// The demand for places of a type.
pub(super) struct Demand {
    /// The next word that was set aside.
    pub(super) next: usize,
    /// Values of the current flush.
    pub(super) seen: usize,
    /// Values of the last flush, or of those before it if they were more.
    pub(super) values: usize,
    /// Flushes since as many values came.
    unneeded: u32,
    pub(super) set_aside: fn(&mut Heap, usize),
}

impl Demand {
    /// Of a type.
    pub(super) fn of<T: Trace>(types: &mut ByType<Demand>) -> &mut Demand {
        types.entry(TypeId::of::<T>()).or_insert(Demand {
            next: 0,
            seen: 0,
            values: 0,
            unneeded: 0,
            set_aside: |heap, values| heap.set_aside::<T>(values),
        })
    }

    pub(super) fn end_frame(&mut self) {
        /// More than this is not set aside for long: it takes time.
        const MANY: usize = 4096;
        self.next = 0;
        let seen = core::mem::take(&mut self.seen);
        self.unneeded += 1;
        if seen >= self.values {
            (self.values, self.unneeded) = (seen, 0);
            return;
        }
        // A value for which nothing is set aside takes a whole page, so what a program makes now and then
        // stays set aside.
        let frames = match self.values {
            1 => 4096,
            2..=MANY => 64,
            _ => 4,
        };
        if self.unneeded >= frames {
            (self.values, self.unneeded) = (seen.max(self.values / 2), 0);
        }
    }
}

/// Pending values for a word that was set aside, by its position among those of the pool.
#[derive(Clone, Copy)]
pub(super) struct Block {
    pub(super) word: usize,
    pub(super) used: usize,
}

/// The remaining places of a word.
pub(super) struct Places {
    pub(super) page: u32,
    pub(super) word: usize,
    pub(super) free: u64,
    pub(super) first: Generation,
}

impl Places {
    pub(super) fn next<T: 'static>(&mut self, heap: &Heap) -> Option<RawHandle> {
        let bit = (self.free != 0).then(|| self.free.trailing_zeros())?;
        self.free &= self.free - 1;
        let granule = slot_of_bit::<T>(self.page, self.word, bit);
        let last = heap.store.look().generation::<T>(granule)?;
        Some(RawHandle::new(granule, last.next().max(self.first)))
    }
}
