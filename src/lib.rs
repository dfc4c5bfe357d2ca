#![doc = include_str!("../README.md")]
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;
// So that derived code, which says `::slotgc`, works inside this crate too.
extern crate self as slotgc;

mod bitmap;
mod clock;
mod collector;
mod config;
mod death;
mod handle;
mod hash;
mod heap;
mod page;
mod pool;
mod root;
mod space;
mod stats;
mod sync;
mod tag;
mod trace;
mod unwind;
mod weak;

pub use config::{AllocError, Dead, HeapConfig};
pub use death::{DeathQueue, Graveyard, Watch, WatchGuard};
pub use handle::{AnyGc, Gc, Weak};
pub use hash::{GcMap, GcSet, HandleHasher};
pub use heap::{Finalizer, Heap, Others, ShutdownError};
pub use root::Root;
pub use slotgc_derive::Trace;
pub use stats::{CollectStats, HeapStats};
pub use trace::{Handle, Liveness, RootSource, Trace, Tracer, Untraced, roots};
pub use weak::{Entry, Interner, OccupiedEntry, VacantEntry, WeakKeyMap, WeakSet, WeakValueMap};
