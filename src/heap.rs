//! The heap: where objects live, and the only place through which they change.
//!
//! This folder is what a user sees. Storage is in `store.rs` and `pool.rs`, collecting in `collector.rs`.

// In the order in which the documentation shows their methods of `Heap`.
mod whole;
mod alloc;
mod later;
mod many;
mod access;
mod get_many;
mod others;
mod iter;
#[cfg(feature = "rayon")]
mod parallel;
mod dynamic;
mod step;
mod collect;
mod shared;
mod death;
mod finalizer;
mod weak;
mod load;
mod graph;
#[cfg(feature = "serde")]
mod saved;
mod checkpoint;
#[cfg(feature = "inspect")]
mod inspect;
mod verify;
mod ending;
mod pacer;
mod telemetry;
mod types;

use ::alloc::vec::Vec;
use core::fmt;

use crate::collector::Collector;
use crate::config::HeapConfig;
use crate::death::Deaths;
use crate::pool::Pool;
use crate::root::RootTable;
use crate::store::Store;
use crate::sync::{Arc, Gauge, Ordering};

pub use checkpoint::Checkpoint;
use death::Batch;
pub use ending::ShutdownError;
pub use finalizer::Finalizer;
pub use get_many::GetMany;
pub use graph::CloneTypes;
pub use iter::{Iter, IterMut};
use later::Later;
use load::Load;
pub use many::AllocManyError;
pub use others::Others;
use pacer::Pacer;
#[cfg(feature = "rayon")]
pub use parallel::{ParIter, ParIterMut};
#[cfg(feature = "serde")]
pub use saved::LoadTypes;
use telemetry::Telemetry;
use types::Types;

#[cfg(feature = "inspect")]
use crate::inspect::InspectOps;
/// Nothing is inspected. The field exists all the same, so that a heap's layout, and with it every
/// instruction of an access, does not depend on the feature.
#[cfg(not(feature = "inspect"))]
type InspectOps = core::convert::Infallible;

/// A heap of objects of any number of types, whose garbage is found by tracing.
///
/// Objects are made with [`alloc`](Self::alloc), read with [`get`](Self::get) or `heap[handle]`, and changed
/// with [`get_mut`](Self::get_mut) or `heap[handle] = ..`. They live until a collection finds that no
/// [`Root`](crate::Root) and no root source reaches them; collections happen only where the program requests
/// one. `Send + Sync`: any number of threads may read through `&Heap`.
///
/// The same sequence of operations on a fresh heap produces the same handles and the same order of
/// destructors, on every machine: nothing depends on addresses or on hash seeds.
///
/// # Examples
/// ```
/// use slotgc::{Gc, Heap, Trace};
///
/// #[derive(Trace)]
/// struct Node { value: u32, next: Option<Gc<Node>> }
///
/// let mut heap = Heap::new();
/// let tail = heap.alloc(Node { value: 2, next: None });
/// let head = heap.alloc_root(Node { value: 1, next: Some(tail) });
/// heap[tail].next = Some(head.gc()); // a cycle
///
/// heap.collect();
/// assert_eq!(heap.len(), 2);
/// assert_eq!(heap[heap[&head].next.unwrap()].value, 2);
///
/// drop(head);
/// assert_eq!(heap.collect().freed, 2);
/// ```
pub struct Heap {
    store: Store,
    pools: Vec<Pool>,
    types: Types,
    /// How to look at the objects of each pool.
    #[cfg_attr(not(feature = "inspect"), expect(dead_code, reason = "there for the layout"))]
    inspect_ops: Vec<InspectOps>,
    roots: Arc<RootTable>,
    collector: Collector,
    deaths: Deaths<Heap>,
    /// The batch of callbacks that is running, or ran last.
    batch: Option<Batch>,
    /// The batch of the shutdown in progress, if there is one.
    ending: Option<Batch>,
    /// The shutdown is complete: nothing is left to do.
    has_ended: bool,
    /// In a shutdown that takes too long callbacks are dropped uncalled; this is how many so far.
    closing: Option<usize>,
    /// Tags sent since the batch began, by deaths that joined it.
    joined_tags: usize,
    /// Whether a callback of the current cycle requested a collection.
    wants_collection: bool,
    pacer: Pacer,
    telemetry: Telemetry,
    counts: Counts,
    load: Load,
    later: Later,
    config: HeapConfig,
}

/// What is counted as objects come and go.
#[derive(Clone, Default)]
struct Counts {
    objects: usize,
    bytes: usize,
    /// Up to this many bytes no limit of the configuration is reached, whatever the objects are. Zero when it
    /// must be computed again.
    bytes_stop: Stop,
    /// Bytes of the slots of objects being made by `alloc_cyclic`.
    making_bytes: usize,
    freed: u64,
    freed_bytes: u64,
    collections: u64,
}

/// Objects that are not in the heap yet, and the bytes of their slots.
#[derive(Clone, Copy, Default)]
struct Pending {
    objects: usize,
    bytes: usize,
}

/// A number that can be lowered with `&Heap`, too.
#[derive(Default)]
struct Stop(Gauge);

impl Stop {
    #[inline(always)]
    fn get(&self) -> usize {
        // Relaxed, here and below: only holders of `&mut Heap` read the data that it depends on.
        self.0.load(Ordering::Relaxed)
    }

    #[inline(always)]
    fn get_mut(&mut self) -> &mut usize {
        self.0.get_mut()
    }

    fn set(&self, bytes: usize) {
        self.0.store(bytes, Ordering::Relaxed);
    }
}

impl Clone for Stop {
    fn clone(&self) -> Self {
        Self(Gauge::new(self.get()))
    }
}

impl Counts {
    /// What `bytes_stop` depends on has changed. Without limits it does not change.
    fn check_limits_next(&self) {
        if self.bytes_stop.get() != usize::MAX {
            self.bytes_stop.set(0);
        }
    }

    fn died(&mut self, objects: usize, bytes: usize) {
        self.objects -= objects;
        self.bytes -= bytes;
        self.check_limits_next();
        self.freed += objects as u64;
        self.freed_bytes += bytes as u64;
    }
}

impl Default for Heap {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Heap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Heap")
            .field("objects", &self.counts.objects)
            .field("bytes", &self.counts.bytes)
            .field("types", &self.pools.len())
            .field("collections", &self.counts.collections)
            .finish_non_exhaustive()
    }
}

impl Drop for Heap {
    /// As [`shutdown`](Self::shutdown); the first panic of user code is raised again at the end, unless the
    /// thread is panicking already.
    fn drop(&mut self) {
        if !self.has_ended {
            self.wind_up().0.raise_unless_panicking();
        }
    }
}

/// Checks what the docs say about threads.
const _: () = {
    const fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<Heap>();
    is_send_and_sync::<crate::root::Root<u8>>();
};
