//! Weak handles and weak maps of the peers, for `crate::work::weak` and `crate::work::ephemeron`.
//!
//! Objects are eight words, `[id, 0, .., id + 1]`, without edges. Wherever a peer's map takes a hash function it gets
//! slotgc's, so that maps are compared and not hash functions.

pub(crate) mod boa_gc;
pub(crate) mod gc_arena;
mod hashbrown;
mod slotgc;
mod slotmap;
mod std_weak;
mod weak_table;

use std::hash::BuildHasherDefault;

pub(crate) use gc_arena::{GcArenaKeys, GcArenaValues};
pub(crate) use hashbrown::{Foldhash, PlainKeys, PlainValues};
pub(crate) use slotgc::{InHeap, OutOfHeap, SlotGcKeys, SlotGcValues, TableChain, WeakHandles, WeakKeyChain};
pub(crate) use slotmap::SideTable;
pub(crate) use std_weak::StdWeak;
pub(crate) use weak_table::{WeakTableKeys, WeakTableValues};

use crate::peers::NODE_BYTES;

/// An object of 64 bytes.
pub(crate) type Object = [u64; 8];

const _: () = assert!(size_of::<Object>() == NODE_BYTES);

/// An object.
#[inline(always)]
fn object(id: u64) -> Object {
    [id, 0, 0, 0, 0, 0, 0, id + 1]
}

/// The hash function of slotgc's maps.
pub(crate) type SameHash = BuildHasherDefault<::slotgc::HandleHasher>;
