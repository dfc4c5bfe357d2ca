//! The store: all slots of a heap, where its objects live.
//!
//! What makes it sound, in four sentences. A page whose tag is that of `T` is open, holds slots of `T` at
//! every slot boundary of `Geometry<T>`, and nothing else (`store/pages.rs`). What a slot holds is said by
//! its header (`store/slot.rs`). A `Gc<T>` or `Weak<T>` lies on a slot boundary of `T` (`handle.rs`). So: the
//! tag matches, the generation matches, hence the value is there and is a `T`.
//!
//! Everything here is safe to call in any order: whoever forgets to mark an object gets `None` later, never
//! a value of the wrong type or a value that is gone.

mod access;
mod ahead;
mod claim;
#[cfg(gc_zeal)]
mod deaths;
mod keep;
mod living;
mod look;
mod pages;
mod slot;
mod sweep;
mod verify;

use alloc::vec::Vec;

use crate::handle::{Generation, RawHandle};
use crate::space::Space;

#[cfg(feature = "rayon")]
pub(crate) use access::LoggedMut;
pub(crate) use access::{Barrier, Objects, ObjectsMut};
use ahead::Ahead;
pub(crate) use ahead::Draft;
pub(crate) use claim::{Age, Claim, Made, Room, slot_of_bit};
pub(crate) use keep::{KeptPages, KeptStore, KeptValues};
pub(crate) use look::{Color, Headers, Look, Tenant};
pub(crate) use pages::reserve;
use pages::{GivenUp, PageMeta, PagePast};
pub(crate) use slot::MAX_WAITER;
pub(crate) use sweep::{DoomCursor, SweepLog};
pub(crate) use verify::Tally;

/// All storage of a heap: the pages and what is in them.
///
/// Two bits accompany each slot. `Occupied`: the slot is not to be handed out, since an object lives there,
/// its destructor is yet to run, a handle to the destroyed object may still be stored somewhere (limbo), it
/// is retired, or a [`Claim`] has it. `White`: occupied, and not reached by the collection under way; between
/// collections, made since the last one. The bits are atomics so that marking can change them while it reads
/// the objects. Bits are set by whoever has the heap to itself; markers beside readers clear white ones, one
/// at a time (`take_bits`). What marking did is handed over with a lock, so all their orderings are relaxed.
///
/// When marking is complete, everything white is dead at that moment. Until a sweep in slices has come by,
/// the pages with dead objects are *veiled*: their tag is another one, so that access takes a path that asks
/// the white bit.
pub(crate) struct Store {
    /// The number of the heap.
    heap: u64,
    space: Space,
    pages: Vec<PageMeta>,
    /// What is known of each page's past.
    pasts: Vec<PagePast>,
    /// Pages that have no type any more.
    given_up: GivenUp,
    /// Pages that are filled with `&Heap`.
    ahead: Ahead,
    /// The write barrier's list: objects that were changed after they had been traced, each once.
    dirty: Vec<RawHandle>,
    /// What values owned whose destructors ran, in bytes outside of their slots.
    freed_owned: usize,
    #[cfg(gc_zeal)]
    deaths: deaths::Deaths,
}

/// What became of a slot whose object died.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Vacated {
    /// It can be used again.
    Reusable,
    /// Its generations are used up; it stays occupied for ever.
    Retired,
}

impl Vacated {
    /// What becomes of the slot of this handle's object.
    fn after(raw: RawHandle) -> Self {
        if raw.generation().next() == Generation::ZERO { Vacated::Retired } else { Vacated::Reusable }
    }
}

impl Store {
    pub(crate) fn new(heap: u64, max_bytes: usize) -> Self {
        Self {
            heap,
            space: Space::new(max_bytes),
            pages: Vec::new(),
            pasts: Vec::new(),
            given_up: GivenUp::default(),
            ahead: Ahead::default(),
            dirty: Vec::new(),
            freed_owned: 0,
            #[cfg(gc_zeal)]
            deaths: deaths::Deaths::default(),
        }
    }
}
