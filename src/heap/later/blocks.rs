//! Blocks of places for values that wait: which are taken, and where in a block the next value goes.

use alloc::vec::Vec;
use core::any::TypeId;
use core::hash::BuildHasherDefault;
use core::ops::Range;

use hashbrown::HashMap;

use crate::config::Limit;
use crate::geometry::{Geometry, Granule};
use crate::handle::{Generation, RawHandle};
use crate::hash::HandleHasher;
use crate::heap::Heap;
use crate::store::slot_of_bit;

pub(super) type ByType<V> = HashMap<TypeId, V, BuildHasherDefault<HandleHasher>>;

/// Which blocks are taken.
#[derive(Default)]
pub(super) struct Blocks {
    pub(super) types: ByType<Demand>,
    pub(super) promised: Vec<Promised>,
}

/// How many places of a type are asked for.
pub(super) struct Demand {
    /// The next word that was set aside.
    pub(super) next: usize,
    /// Values of the flush under way.
    pub(super) seen: usize,
    /// Values of the last flush, or of those before it if they were many more.
    pub(super) values: usize,
    pub(super) set_aside: fn(&mut Heap, usize),
}

impl Demand {
    pub(super) fn end_frame(&mut self) {
        self.next = 0;
        self.values = core::mem::take(&mut self.seen).max(self.values / 8 * 7);
    }
}

/// A page that a type will get.
#[derive(Clone, Copy)]
pub(super) struct Promised {
    pub(super) page: u32,
    pub(super) open: fn(&mut Heap, u32) -> Result<Range<usize>, Limit>,
}

/// A run of places.
#[derive(Clone, Copy)]
pub(super) struct Block {
    pub(super) from: From,
    pub(super) used: usize,
}

#[derive(Clone, Copy)]
pub(super) enum From {
    /// A word set aside, by its position among those of the pool.
    Word(usize),
    /// A page promised, by its position among those.
    Page(usize),
}

/// The places of a block that are left.
pub(super) enum Places {
    Word { page: u32, word: usize, free: u64, first: Generation },
    Page { page: u32, next: u32, first: Generation },
}

impl Places {
    pub(super) fn next<T: 'static>(&mut self, heap: &Heap) -> Option<RawHandle> {
        match self {
            Places::Word { page, word, free, first } => {
                let bit = (*free != 0).then(|| free.trailing_zeros())?;
                *free &= *free - 1;
                let granule = slot_of_bit::<T>(*page, *word, bit);
                let last = heap.store.look().generation::<T>(granule)?;
                Some(RawHandle::new(granule, last.next().max(*first)))
            }
            Places::Page { page, next, first } => {
                let slot = (*next < Geometry::<T>::PAGE_SLOTS).then_some(*next)?;
                *next += 1;
                Some(RawHandle::new(Granule::of_slot::<T>(*page, slot), *first))
            }
        }
    }
}
