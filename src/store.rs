//! The store: all slots of a heap, in which its objects live.
//!
//! Why it is sound, in four sentences. A page whose tag is that of `T` is open, holds slots of `T` at every
//! slot boundary of `Geometry<T>`, and nothing else (`store/pages.rs`). A slot's header tells what the slot
//! holds (`store/slot.rs`). A `Gc<T>` or `Weak<T>` lies on a slot boundary of `T` (`handle.rs`). So if the
//! tag and the generation match, the value is there and is a `T`.
//!
//! Everything here is safe to call in any order: if an object is not marked, its handle returns `None` later,
//! never a value of the wrong type or a value that is gone.

mod access;
mod ahead;
mod claim;
mod color;
#[cfg(gc_zeal)]
mod deaths;
mod keep;
mod living;
mod look;
mod open_page;
mod pages;
mod slot;
mod sweep;
mod verify;

use alloc::vec::Vec;

use crate::handle::{Generation, RawHandle};
use crate::space::Space;
use crate::sync::Lock;

#[cfg(feature = "rayon")]
pub(crate) use access::LoggedMut;
pub(crate) use access::{Barrier, Objects, ObjectsMut};
use ahead::Ahead;
pub(crate) use ahead::Draft;
pub(crate) use claim::{Age, Claim, Made, Room, slot_of_bit};
pub(crate) use color::{Color, Tenant};
pub(crate) use keep::{KeptPages, KeptStore, KeptValues};
pub(crate) use look::{Headers, Look};
pub(crate) use pages::reserve;
use pages::{GivenUp, PageMeta, PagePast};
pub(crate) use slot::MAX_WAITER;
pub(crate) use sweep::{DoomCursor, SweepLog};
pub(crate) use verify::Tally;

/// All storage of a heap: the pages and what is in them.
///
/// Two bits accompany each slot. `Occupied`: the slot must not be handed out, since an object lives there,
/// its destructor has yet to run, a handle to the destroyed object may still be stored somewhere (limbo), it
/// is retired, or a [`Claim`] has it. `White`: occupied, and not reached by the current collection; between
/// collections, made since the last one. The bits are atomics so that marking can change them while it reads
/// the objects. Bits are set only with exclusive access to the heap; markers beside readers clear white ones,
/// one at a time (`take_bits`). A lock publishes what marking did, so all their orderings are relaxed.
///
/// When marking is complete, everything white is dead at that moment. Until a sweep in slices reaches them,
/// the pages with dead objects are *veiled*: they have another tag, so that access takes a path that tests
/// the white bit.
pub(crate) struct Store {
    /// The number of the heap.
    heap: u64,
    space: Space,
    pages: Vec<PageMeta>,
    /// What is known about each page's past.
    pasts: Vec<PagePast>,
    /// Pages that no longer have a type.
    given_up: Lock<GivenUp>,
    /// Pages that are filled with `&Heap`.
    ahead: Ahead,
    /// The write barrier's list: objects that were changed after they had been traced. While a full
    /// collection marks, one that is traced and changed again is listed again.
    dirty: Vec<RawHandle>,
    /// Whether a full collection marks.
    is_marking: bool,
    /// Bytes outside their slots that values owned whose destructors ran.
    freed_owned: usize,
    #[cfg(gc_zeal)]
    deaths: deaths::Deaths,
}

/// The state of a slot whose object died.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Vacated {
    /// It can be reused.
    Reusable,
    /// Its generations are used up; it stays occupied for ever.
    Retired,
}

impl Vacated {
    /// The state of this slot after its object.
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
            given_up: Lock::default(),
            ahead: Ahead::default(),
            dirty: Vec::new(),
            is_marking: false,
            freed_owned: 0,
            #[cfg(gc_zeal)]
            deaths: deaths::Deaths::default(),
        }
    }
}
