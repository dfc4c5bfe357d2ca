//! Asking for a collection.

use crate::clock::Stopwatch;
use crate::collector::{Parts, Reach};
use crate::heap::Heap;
use crate::stats::CollectStats;
use crate::trace::RootSource;
use crate::unwind::Panics;

impl Heap {
    /// A full collection: frees everything that no [`Root`](crate::Root) reaches.
    ///
    /// In this order: mark from the roots; prune the weak collections of live objects; all unreached objects
    /// die at once, buried values move to their graveyards; destructors run; tags go to their queues, callbacks
    /// and finalizers run. A panic in a destructor or callback does not stop the others; the first is raised
    /// again at the end. A panic in a `trace` abandons the collection: nothing is freed.
    ///
    /// Inside a callback it returns `CollectStats::default()` at once, and a collection runs after all callbacks.
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
        if self.collect_later() {
            return CollectStats::default();
        }
        let mut panics = Panics::default();
        let stats = self.collect_roots(roots, &mut panics);
        panics.raise();
        stats
    }

    /// Collects, tells of the deaths, and again as long as a callback asked for it. The numbers are of all of
    /// that together, what is living of the last.
    pub(super) fn collect_roots(&mut self, roots: &dyn RootSource, panics: &mut Panics) -> CollectStats {
        let (mut total, mut again) = self.collect_reach(Reach::Roots(roots), panics);
        while again {
            again = false;
            // A panic in a `trace` here is not to hide one from a callback before.
            panics.run_once(|panics| {
                let (stats, wants_another) = self.collect_reach(Reach::Roots(roots), panics);
                total = total.then(&stats);
                again = wants_another;
            });
        }
        total
    }

    /// One collection and what it sets off, and whether a callback asked for another.
    pub(super) fn collect_reach(&mut self, reach: Reach<'_>, panics: &mut Panics) -> (CollectStats, bool) {
        panics.run_once(|_| self.drop_cancelled());
        let parts = Parts {
            store: &mut self.store,
            pools: &mut self.pools,
            roots: &self.roots,
            deaths: &mut self.deaths,
        };
        let mut stats = self.collector.collect(parts, reach, panics);
        self.counts.died(stats.freed, stats.freed_bytes);
        self.counts.collections += 1;
        self.counts.pauses += 1;
        let mut watch = Stopwatch::start();
        let told = self.tell(panics);
        stats.notified += told.count;
        if told.count > 0 {
            stats.notify_time = watch.lap();
        }
        (stats, told.wants_collection)
    }
}
