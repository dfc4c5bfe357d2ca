#![doc = include_str!("../README.md")]
#![doc = include_str!("../docs/by_task.md")]
#![cfg_attr(not(feature = "std"), no_std)]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;
// So that derived code, which says `::slotgc`, works inside this crate too.
extern crate self as slotgc;

mod sync;
mod tag;
mod geometry;
mod handle;
mod hash;
mod type_names;
mod config;
mod stats;
mod clock;
mod tracing_spans;
mod panics;
mod bitmap;
mod space;
mod store;
mod root;
mod trace;
mod gc_dyn;
mod weak;
mod death;
mod pool;
mod graph;
mod collector;
#[cfg(feature = "inspect")]
pub mod inspect;
mod heap;
pub mod iter;
pub mod docs;

/// Used by derived code; not part of the interface.
#[doc(hidden)]
pub mod __derive {
    pub use crate::trace::Components;
    pub use crate::trace::adapter::With;
    pub use crate::trace::field::{HasField, MayHold, Object, Objects, SharedData, SharedMutability};
}

pub use config::{AllocError, Budget, Dead, HeapConfig};
pub use death::{DeathQueue, Graveyard, Watch, WatchGuard};
pub use gc_dyn::{CastFrom, DynHandle, GcDyn, RootDyn, WeakDyn};
pub use graph::{GraphError, Relinked, Schema, TypeList};
#[cfg(feature = "serde")]
pub use graph::{LoadError, Save, SaveTypes};
pub use handle::{AnyGc, Gc, Weak};
pub use hash::HandleHasher;
#[cfg(feature = "std")]
pub use hash::{GcMap, GcSet};
#[cfg(feature = "serde")]
pub use heap::LoadTypes;
pub use heap::{AllocManyError, Checkpoint, CloneTypes, Finalizer, Heap, Others, ShutdownError};
#[cfg(feature = "inspect")]
pub use inspect::named_roots;
pub use root::Root;
#[cfg(feature = "derive")]
pub use slotgc_derive::Trace;
pub use stats::{CollectStats, HeapStats, Phase, PhaseTimes, Rule, StepReport, TypeCensus};
#[cfg(feature = "std")]
pub use trace::GcRwLock;
pub use trace::{
    Epoch, Handle, Inspector, Links, Liveness, RootLog, RootSource, Trace, TraceDyn, TraceWith, Tracer,
    Untraced, roots,
};
pub use weak::{Entry, Interner, OccupiedEntry, VacantEntry, WeakKeyMap, WeakSet, WeakValueMap};
