//! The heap: where objects live, and the only place through which they change.
//!
//! This file is what a user sees. Storage is in `store.rs` and `pool.rs`, collecting in `collector.rs`.

mod access;
mod alloc;
mod checkpoint;
mod collect;
mod death;
mod dynamic;
mod ending;
mod later;
mod load;
mod many;
mod finalizer;
mod get_many;
mod graph;
#[cfg(feature = "inspect")]
mod inspect;
mod iter;
mod others;
mod pacer;
#[cfg(feature = "rayon")]
mod parallel;
#[cfg(feature = "serde")]
mod saved;
mod shared;
mod step;
mod telemetry;
mod types;
mod verify;
mod weak;

use ::alloc::vec::Vec;
use core::fmt;

use crate::collector::Collector;
use crate::config::HeapConfig;
use crate::death::Deaths;
use crate::pool::Pool;
use crate::root::RootTable;
use crate::stats::{HeapStats, Phase, TypeCensus};
use crate::store::Store;
use crate::sync::{Arc, Gauge, Ordering};
use crate::type_names::short_names;

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
/// Nothing is looked at. The field is there all the same, so that a heap's layout, and with it every
/// instruction of an access, does not depend on the feature.
#[cfg(not(feature = "inspect"))]
type InspectOps = core::convert::Infallible;

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
    types: Types,
    /// How to look at the objects of each pool.
    #[cfg_attr(not(feature = "inspect"), expect(dead_code, reason = "there for the layout"))]
    inspect_ops: Vec<InspectOps>,
    roots: Arc<RootTable>,
    collector: Collector,
    deaths: Deaths<Heap>,
    /// The callbacks being run, or those run last.
    batch: Option<Batch>,
    /// The end that is under way, if it is.
    ending: Option<Batch>,
    /// It came to its end: nothing is left to do.
    has_ended: bool,
    /// At an end that takes too long: callbacks are dropped uncalled, so many so far.
    closing: Option<usize>,
    /// Tags sent since the batch began, by deaths that joined it.
    joined_tags: usize,
    /// Whether a callback of the cycle under way asked for a collection.
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
    /// Up to so many bytes no limit of the configuration is met, whatever the objects are that make them up.
    /// Zero when that is to be found out anew.
    bytes_stop: Stop,
    /// Bytes of the slots of objects being made by `alloc_cyclic`.
    making_bytes: usize,
    freed: u64,
    freed_bytes: u64,
    collections: u64,
}

/// Objects made with `&Heap` that are not in the heap so far, and the bytes of their slots.
#[derive(Clone, Copy, Default)]
struct Pending {
    objects: usize,
    bytes: usize,
}

/// A number that is lowered with `&Heap`, too.
#[derive(Default)]
struct Stop(Gauge);

impl Stop {
    #[inline(always)]
    fn get(&self) -> usize {
        // Relaxed, here and below: what it rests on is looked at by whoever has `&mut Heap`.
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
    /// What `bytes_stop` rests on has changed. Without limits it does not change.
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
        let roots = Arc::new(RootTable::new(config.remembers_root_origins()));
        Self {
            store: Store::new(roots.heap_number(), config.bytes_limit()),
            pools: Vec::new(),
            types: Types::default(),
            inspect_ops: Vec::new(),
            roots,
            collector: Collector::default(),
            deaths: Deaths::new(),
            batch: None,
            ending: None,
            has_ended: false,
            closing: None,
            joined_tags: 0,
            wants_collection: false,
            pacer: Pacer::new(&config),
            telemetry: Telemetry::default(),
            counts: Counts::default(),
            load: Load::default(),
            later: Later::default(),
            config,
        }
    }

    /// Which heap this is, wherever it is moved to. Whoever calls code of the user that gets this heap
    /// compares the numbers before and after: it may have left another heap in this one's place.
    #[inline(always)]
    pub(super) fn number(&self) -> u64 {
        self.roots.heap_number()
    }

    /// How many objects are alive, those that no collection has found dead yet included. O(1); while a cycle
    /// in steps frees its dead, O(pages).
    pub fn len(&self) -> usize {
        match self.collector.has_condemned() {
            false => self.counts.objects,
            true => self.counts.objects - self.condemned().map(|(_, objects)| objects).sum::<usize>(),
        }
    }

    /// Whether no object is alive.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many objects of type `T` are alive. O(1); while a cycle in steps frees its dead, O(pages).
    pub fn len_of<T: 'static>(&self) -> usize {
        self.pool_of::<T>().map_or(0, |pool| self.living_in(pool))
    }

    fn living_in(&self, pool: &Pool) -> usize {
        match self.collector.has_condemned() {
            false => pool.live(),
            true => pool.live() - pool.condemned(&self.store),
        }
    }

    /// The dead that are not swept yet.
    fn condemned(&self) -> impl Iterator<Item = (&Pool, usize)> {
        self.pools.iter().map(|pool| (pool, pool.condemned(&self.store)))
    }

    /// Bytes in the slots of what is alive.
    fn bytes(&self) -> usize {
        match self.collector.has_condemned() {
            false => self.counts.bytes,
            true => {
                let dead = self.condemned().map(|(pool, objects)| objects * pool.info().slot_bytes);
                self.counts.bytes - dead.sum::<usize>()
            }
        }
    }

    /// Objects ever allocated: not those whose `make` panicked or that met a limit. O(1).
    pub fn allocated(&self) -> u64 {
        self.counts.freed + self.counts.objects as u64
    }

    /// What the heap holds and has done so far. O(pages + roots).
    pub fn stats(&self) -> HeapStats {
        let telemetry = &self.telemetry;
        let (objects, bytes) = (self.len(), self.bytes());
        HeapStats {
            objects,
            bytes,
            peak_objects: telemetry.peak_objects.max(self.counts.objects),
            peak_bytes: telemetry.peak_bytes.max(self.counts.bytes),
            live_bytes: self.pacer.live_bytes(),
            debt_bytes: self.pacer.debt_bytes(self.size()),
            owned_bytes: self.load.owned(),
            pages: self.pools.iter().map(Pool::pages_in_memory).sum(),
            roots: self.roots_len(),
            collections: self.counts.collections,
            allocated: self.allocated(),
            freed: self.allocated() - objects as u64,
            freed_bytes: self.counts.freed_bytes + (self.counts.bytes - bytes) as u64,
            phase: self.collector.phase(),
            pauses: telemetry.pauses,
            pause_p50: telemetry.quantile(500),
            pause_p99: telemetry.quantile(990),
            pause_p999: telemetry.quantile(999),
            pause_max: telemetry.worst,
            steps: telemetry.steps,
            overshoots: telemetry.overshoots,
            overshoot_max: telemetry.worst_overshoot,
            cycle_steps: telemetry.cycle_steps,
            times: telemetry.times,
        }
    }

    /// The objects of each type, in the order in which the types came into the heap. O(pages).
    ///
    /// # Examples
    /// ```
    /// use slotgc::Heap;
    ///
    /// let mut heap = Heap::new();
    /// heap.alloc(1_u64);
    /// heap.alloc(2_u64);
    /// heap.alloc("Teddy".to_string());
    /// let census: Vec<_> = heap.census().map(|of| (of.type_name, of.objects, of.bytes)).collect();
    /// assert_eq!(census, [("u64", 2, 32), ("String", 1, 32)]);
    /// ```
    pub fn census(&self) -> impl Iterator<Item = TypeCensus> {
        self.pools.iter().zip(self.type_names()).map(|(pool, type_name)| {
            let objects = self.living_in(pool);
            TypeCensus {
                type_name,
                objects,
                bytes: objects * pool.info().slot_bytes,
                pages: pool.pages_in_memory(),
            }
        })
    }

    /// Short names of the types of pools, told apart.
    fn type_names(&self) -> Vec<&'static str> {
        let names: Vec<_> = self.pools.iter().map(|pool| pool.info().name).collect();
        short_names(&names)
    }

    /// The heap is about to shrink.
    fn note_peak(&mut self) {
        self.telemetry.peak_objects = self.telemetry.peak_objects.max(self.counts.objects);
        self.telemetry.peak_bytes = self.telemetry.peak_bytes.max(self.counts.bytes);
    }

    /// Gives the memory of wholly empty pages back to the system. Their slots, when they are made again,
    /// never repeat a handle. O(slots of empty pages).
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
        self.take_up_shared();
        // They would be lost with the table of roots.
        self.take_back_abandoned();
        let in_cycle = self.release_empty_pages();
        self.store.shrink_lists();
        self.collector.shrink();
        self.deaths.shrink();
        // An entry stays where it is while it has a `Root`.
        if !in_cycle && Arc::strong_count(&self.roots) == 1 {
            self.roots = Arc::new(self.roots.renewed());
        }
    }

    /// Gives the memory of empty pages back; in the midst of a cycle, which is what it returns, they stay
    /// their types'.
    fn release_empty_pages(&mut self) -> bool {
        let in_cycle = self.collector.phase() != Phase::Idle;
        for pool in &mut self.pools {
            pool.shrink(&mut self.store, in_cycle);
        }
        in_cycle
    }

    /// Each `Root` has a share of the table, and so has whoever is making a cyclic object: not if it was
    /// given up with another heap in hand, and is not taken back yet.
    fn roots_len(&self) -> usize {
        let making = self.collector.building().len().saturating_sub(self.roots.abandoned_len());
        (Arc::strong_count(&self.roots) - 1).saturating_sub(making)
    }

    fn pool_of<T: 'static>(&self) -> Option<&Pool> {
        self.types.get::<T>().map(|index| &self.pools[index as usize])
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

/// What the docs say of threads, checked.
const _: () = {
    const fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<Heap>();
    is_send_and_sync::<crate::root::Root<u8>>();
};
