//! The heap as a whole: making one, how much it holds, what it did, and returning memory.

use alloc::vec::Vec;

use crate::collector::Collector;
use crate::config::HeapConfig;
use crate::death::Deaths;
use crate::heap::later::Later;
use crate::heap::load::Load;
use crate::heap::pacer::Pacer;
use crate::heap::telemetry::Telemetry;
use crate::heap::types::Types;
use crate::heap::{Counts, Heap};
use crate::pool::Pool;
use crate::root::RootTable;
use crate::stats::{HeapStats, Phase, TypeCensus};
use crate::store::Store;
use crate::sync::Arc;
use crate::type_names::short_names;

/// # The heap as a whole
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
            load: Load::new(&config),
            later: Later::default(),
            config,
        }
    }

    /// Which heap this is, wherever it is moved. A caller of user code that receives this heap compares the
    /// numbers before and after: the code may have left another heap in its place.
    #[inline(always)]
    pub(crate) fn number(&self) -> u64 {
        self.roots.heap_number()
    }

    /// How many objects are alive, garbage included. O(1); while an incremental cycle frees its dead,
    /// O(types), and O(pages) for the first caller.
    pub fn len(&self) -> usize {
        if self.collector.has_condemned() {
            self.counts.objects - self.condemned().map(|(_, objects)| objects).sum::<usize>()
        } else {
            self.counts.objects
        }
    }

    /// Whether no object is alive.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many objects of type `T` are alive, garbage included. O(1); while an incremental cycle frees its
    /// dead, O(pages) for the first caller.
    pub fn len_of<T: 'static>(&self) -> usize {
        self.pool_of::<T>().map_or(0, |pool| self.living_in(pool))
    }

    pub(super) fn living_in(&self, pool: &Pool) -> usize {
        if self.collector.has_condemned() { pool.live() - pool.condemned(&self.store) } else { pool.live() }
    }

    /// Dead objects that are not swept yet.
    pub(super) fn condemned(&self) -> impl Iterator<Item = (&Pool, usize)> {
        self.pools.iter().map(|pool| (pool, pool.condemned(&self.store)))
    }

    /// Bytes in the slots of what is alive.
    pub(super) fn bytes(&self) -> usize {
        if self.collector.has_condemned() {
            let dead = self.condemned().map(|(pool, objects)| objects * pool.info().slot_bytes);
            self.counts.bytes - dead.sum::<usize>()
        } else {
            self.counts.bytes
        }
    }

    /// Objects ever allocated, without those whose `make` panicked or that met a limit. O(1).
    pub fn allocated(&self) -> u64 {
        self.counts.freed + self.counts.objects as u64
    }

    /// What the heap holds and has done so far. O(pages + roots).
    #[doc(alias("memory", "usage"))]
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

    /// The objects of each type, in the order in which the heap first saw the types. O(pages).
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
    pub(super) fn type_names(&self) -> Vec<&'static str> {
        let names: Vec<_> = self.pools.iter().map(|pool| pool.info().name).collect();
        short_names(&names)
    }

    /// The heap is about to shrink.
    pub(super) fn note_peak(&mut self) {
        self.telemetry.peak_objects = self.telemetry.peak_objects.max(self.counts.objects);
        self.telemetry.peak_bytes = self.telemetry.peak_bytes.max(self.counts.bytes);
    }

    /// Returns the memory of empty pages to the system. If their slots are used again, they never repeat a
    /// handle. O(slots of empty pages).
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
    #[doc(alias("memory", "release"))]
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

    /// Returns the memory of empty pages to the system. During a cycle (which is what it returns) they stay
    /// with their types.
    pub(super) fn release_empty_pages(&mut self) -> bool {
        let in_cycle = self.collector.phase() != Phase::Idle;
        for pool in &mut self.pools {
            pool.shrink(&mut self.store, in_cycle);
        }
        in_cycle
    }

    /// Each `Root` has a share of the table, and so has each call of `alloc_cyclic` in progress, except one
    /// that was abandoned after a swap of heaps and is not taken back yet.
    pub(super) fn roots_len(&self) -> usize {
        (Arc::strong_count(&self.roots) - 1).saturating_sub(self.making().objects)
    }

    pub(super) fn pool_of<T: 'static>(&self) -> Option<&Pool> {
        self.types.get::<T>().map(|index| &self.pools[index as usize])
    }
}
