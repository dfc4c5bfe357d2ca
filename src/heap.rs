//! The heap: where objects live, and the only place through which they change.
//!
//! This file is what a user sees. Storage is in `page.rs` and `pool.rs`, collecting in `collector.rs`.

mod access;
mod alloc;
mod collect;
mod death;
mod finalizer;
mod others;
mod weak;

use ::alloc::vec::Vec;
use core::any::TypeId;
use core::fmt;

use crate::collector::Collector;
use crate::config::HeapConfig;
use crate::death::Deaths;
use crate::page::Store;
use crate::pool::Pool;
use crate::root::RootTable;
use crate::stats::HeapStats;
use crate::sync::Arc;
use crate::tag::Tag;

use death::Batch;
pub use death::ShutdownError;
pub use finalizer::Finalizer;
pub use others::Others;

/// A heap of objects of any number of types, whose garbage is found by tracing.
///
/// Objects are made with [`alloc`](Self::alloc), read with [`get`](Self::get) or `heap[handle]`, and changed
/// with [`get_mut`](Self::get_mut) or `heap[handle] = ..`. They live until a collection finds that no
/// [`Root`](crate::Root) and no root source reaches them; collections happen only where the program asks for
/// one. `Send + Sync`: any number of threads may read through `&Heap`.
///
/// The same sequence of operations on a fresh heap gives the same handles and the same order of destructors,
/// on every machine: nothing depends on addresses or on hash seeds.
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
    /// Pools by the tag of their type: a few instructions for the types in use.
    recent: [(Tag, u16); RECENT],
    roots: Arc<RootTable>,
    collector: Collector,
    deaths: Deaths<Heap>,
    /// The callbacks being run, or those run last.
    batch: Option<Batch>,
    /// Tags sent since the batch began, by deaths that joined it.
    joined_tags: usize,
    counts: Counts,
    config: HeapConfig,
}

/// Places in the cache of pools.
const RECENT: usize = 32;

/// What is counted as objects come and go.
#[derive(Clone, Copy, Default)]
struct Counts {
    objects: usize,
    bytes: usize,
    /// Objects being made by `alloc_cyclic`, which have their places already.
    making: usize,
    making_bytes: usize,
    freed: u64,
    collections: u64,
    pauses: u64,
}

impl Counts {
    fn died(&mut self, objects: usize, bytes: usize) {
        self.objects -= objects;
        self.bytes -= bytes;
        self.freed += objects as u64;
    }
}

impl Heap {
    /// An empty heap without limits. Costs nothing: memory is taken when the first object is allocated.
    pub fn new() -> Self {
        Self::with_config(HeapConfig::default())
    }

    /// An empty heap with these settings.
    ///
    /// # Examples
    /// ```
    /// use slotgc::{Heap, HeapConfig};
    ///
    /// let mut heap = Heap::with_config(HeapConfig::default().max_bytes(1 << 12));
    /// let refused = heap.try_alloc([0_u8; 1 << 13]).unwrap_err();
    /// assert!(refused.to_string().contains("max_bytes of 4096 bytes"));
    /// ```
    pub fn with_config(config: HeapConfig) -> Self {
        Self {
            store: Store::new(),
            pools: Vec::new(),
            recent: [(Tag::NONE, 0); RECENT],
            roots: Arc::new(RootTable::new()),
            collector: Collector::default(),
            deaths: Deaths::new(),
            batch: None,
            joined_tags: 0,
            counts: Counts::default(),
            config,
        }
    }

    /// How many objects are alive, those that no collection has found dead yet included. O(1).
    pub fn len(&self) -> usize {
        self.counts.objects
    }

    /// Whether no object is alive.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many objects of type `T` are alive. O(number of types).
    pub fn len_of<T: 'static>(&self) -> usize {
        self.pool_of::<T>().map_or(0, Pool::live)
    }

    /// Objects ever allocated: not those whose `make` panicked or that met a limit. O(1).
    pub fn allocated(&self) -> u64 {
        self.counts.freed + self.counts.objects as u64
    }

    /// What the heap holds and has done so far. O(pages + roots).
    pub fn stats(&self) -> HeapStats {
        HeapStats {
            objects: self.counts.objects,
            bytes: self.counts.bytes,
            pages: self.pools.iter().map(Pool::pages_in_memory).sum(),
            roots: self.roots.len(),
            collections: self.counts.collections,
            allocated: self.allocated(),
            freed: self.counts.freed,
            pauses: self.counts.pauses,
        }
    }

    /// Gives the memory of wholly empty pages back to the system. Their slots, when they are made again, never
    /// repeat a handle. O(slots of empty pages).
    ///
    /// # Examples
    /// ```
    /// use slotgc::Heap;
    ///
    /// let mut heap = Heap::new();
    /// let level: Vec<_> = (0..100_000).map(|i| heap.alloc(i)).collect();
    /// heap.collect();
    /// heap.shrink_to_fit();
    /// assert_eq!(heap.stats().pages, 0);
    /// heap.alloc(1);
    /// assert!(level.iter().all(|old| !heap.is_alive(old)));
    /// ```
    pub fn shrink_to_fit(&mut self) {
        for pool in &mut self.pools {
            pool.shrink(&mut self.store);
        }
    }

    fn pool_of<T: 'static>(&self) -> Option<&Pool> {
        self.pools.iter().find(|pool| pool.info().id == TypeId::of::<T>())
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
        self.wind_up().raise_unless_panicking();
    }
}

/// What the docs say of threads, checked.
const _: () = {
    const fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<Heap>();
    is_send_and_sync::<crate::root::Root<u8>>();
};
