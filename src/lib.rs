#![doc = include_str!("../README.md")]
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;
// So that derived code, which says `::slotgc`, works inside this crate too.
extern crate self as slotgc;

mod bitmap;
mod clock;
mod collector;
mod config;
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

pub use config::{AllocError, Dead, HeapConfig};
pub use handle::{AnyGc, Gc, Weak};
pub use hash::{GcMap, GcSet, HandleHasher};
pub use heap::{Heap, Others};
pub use root::Root;
pub use stats::{CollectStats, HeapStats};
pub use trace::{Handle, Liveness, RootSource, Trace, Tracer, Untraced, roots};
