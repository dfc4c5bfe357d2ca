//! Asking for a collection.

use crate::collector::Parts;
use crate::heap::Heap;
use crate::stats::CollectStats;
use crate::trace::RootSource;

impl Heap {
    /// A full collection: frees everything that no [`Root`](crate::Root) reaches.
    ///
    /// In this order: mark from the roots; prune the weak collections of live objects; all unreached objects
    /// die at once; then their destructors run. A destructor that panics does not stop the others; the first
    /// panic is raised again at the end. A panic in a `trace` abandons the collection: nothing is freed.
    ///
    /// Time: what is reachable, plus a bit for each slot, plus a few nanoseconds for each object freed. Values
    /// without a destructor are not read.
    ///
    /// # Examples
    /// ```
    /// use slotgc::Heap;
    ///
    /// let mut heap = Heap::new();
    /// let kept = heap.alloc_root(1);
    /// heap.alloc(2);
    /// let stats = heap.collect();
    /// assert_eq!((stats.kept, stats.freed), (1, 1));
    /// assert!(heap.is_alive(&kept));
    /// ```
    pub fn collect(&mut self) -> CollectStats {
        self.collect_with(&())
    }

    /// As [`collect`](Self::collect), with further roots that live outside of the heap.
    ///
    /// # Examples
    /// ```
    /// use slotgc::Heap;
    ///
    /// let mut heap = Heap::new();
    /// let stack = vec![heap.alloc(1), heap.alloc(2)];
    /// heap.collect_with(&stack);
    /// assert_eq!(heap.len(), 2);
    /// heap.collect_with(&&stack[..1]);
    /// assert_eq!(heap.len(), 1);
    /// ```
    pub fn collect_with(&mut self, roots: &dyn RootSource) -> CollectStats {
        let parts = Parts { store: &mut self.store, pools: &mut self.pools, roots: &self.roots };
        let (stats, panics) = self.collector.collect(parts, roots);
        self.counts.died(stats.freed, stats.freed_bytes);
        self.counts.collections += 1;
        self.counts.pauses += 1;
        panics.raise();
        stats
    }
}
