//! Weak handles and weak maps of the peers, for `crate::works::weak` and `crate::works::ephemeron`.

pub(crate) mod boa_gc;
pub(crate) mod gc_arena;
mod hashbrown;
mod slotgc;
mod slotmap;
mod std_weak;
mod weak_table;

pub(crate) use gc_arena::{GcArenaKeys, GcArenaValues};
pub(crate) use hashbrown::{Foldhash, PlainKeys, PlainValues};
pub(crate) use slotgc::{InHeap, OutOfHeap, SlotGcKeys, SlotGcValues, TableChain, WeakHandles, WeakKeyChain};
pub(crate) use slotmap::SideTable;
pub(crate) use std_weak::StdWeak;
pub(crate) use weak_table::{WeakTableKeys, WeakTableValues};
