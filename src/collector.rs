//! One collection: mark, prune, sweep, drop.
//!
//! The collector owns what must outlive a phase and nothing that a program can see. A cycle is driven by
//! [`Phase`]; between two phases the heap is consistent, and user code (root sources, `trace`, `prune`,
//! destructors) runs only where a phase says so:
//!
//! 1. `Mark`: everything is white; what a root reaches loses its white bit. `trace` runs.
//! 2. `Prune`: live objects that hold weak collections drop their dead entries. `prune` runs.
//! 3. `Sweep`: what is still white dies, all at once; buried values move to their graveyards. No user code.
//! 4. `Drop`: the heap is in its final state; destructors run.
//!
//! Then tags are in their queues, and the heap runs the callbacks that are due. A panic in 1 or 2 abandons the
//! collection: nothing was freed, and the next one starts afresh.

mod mark;
mod ring;

use core::cell::RefCell;

use alloc::vec::Vec;

use crate::clock::Stopwatch;
use crate::death::{Deaths, Mourning};
use crate::handle::RawHandle;
use crate::page::{DoomCursor, Store, SweepLog};
use crate::pool::Pool;
use crate::root::RootTable;
use crate::stats::CollectStats;
use crate::trace::{Aside, RootSource, Trace};
use crate::unwind::Panics;

pub(crate) use mark::Marker;
use mark::TraceOps;

/// What a collection works on. `H` is what callbacks get.
pub(crate) struct Parts<'a, H> {
    pub(crate) store: &'a mut Store,
    pub(crate) pools: &'a mut [Pool],
    pub(crate) roots: &'a RootTable,
    pub(crate) deaths: &'a mut Deaths<H>,
}

/// What a collection starts from.
pub(crate) enum Reach<'a> {
    /// Roots and a root source; the rest is garbage.
    Roots(&'a dyn RootSource),
    /// Nothing: the end of the heap.
    Nothing,
}

/// Where a cycle is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Phase {
    Mark,
    Prune,
    Sweep,
    Drop,
    Done,
}

/// Marks, and remembers between collections what helps the next one.
#[derive(Default)]
pub(crate) struct Collector {
    ops: Vec<TraceOps>,
    marker: Marker,
}

impl Collector {
    /// Tells the collector how to trace the objects of a new pool, in the order of pools.
    pub(crate) fn add_type<T: Trace>(&mut self) {
        self.ops.push(TraceOps::of::<T>());
        self.marker.add_type::<T>();
    }

    /// The handles of objects under construction: alive though they do not resolve.
    pub(crate) fn building(&self) -> &[RawHandle] {
        self.marker.building()
    }

    pub(crate) fn building_mut(&mut self) -> &mut Vec<RawHandle> {
        self.marker.building_mut()
    }

    /// A full collection, from the first phase to the last. The panics of destructors go to `panics`, to be
    /// raised when the caller's books are in order.
    pub(crate) fn collect<H: 'static>(
        &mut self,
        parts: Parts<'_, H>,
        reach: Reach<'_>,
        panics: &mut Panics,
    ) -> CollectStats {
        let Parts { store, pools, roots, deaths } = parts;
        let mut stats = CollectStats::default();
        let mut watch = Stopwatch::start();
        let aside = RefCell::new(Aside::default());
        let mut mourning = Mourning::default();
        let mut phase = Phase::Mark;
        while phase != Phase::Done {
            phase = match phase {
                Phase::Mark => {
                    pools.iter_mut().for_each(|pool| pool.return_claim(store));
                    stats.marked = match reach {
                        Reach::Roots(source) => self.marker.mark(&self.ops, store, pools, roots, source),
                        Reach::Nothing => self.marker.mark_nothing(store, pools),
                    };
                    stats.mark_time = watch.lap();
                    Phase::Prune
                }
                Phase::Prune => {
                    stats.pruned = self.marker.prune(&self.ops, store, &aside);
                    stats.prune_time = watch.lap();
                    Phase::Sweep
                }
                Phase::Sweep => {
                    let mut log = SweepLog::default();
                    for pool in &mut *pools {
                        let died = pool.sweep(store, &mut log);
                        stats.freed += died;
                        stats.freed_bytes += died * pool.info().slot_bytes;
                        stats.kept += pool.live();
                    }
                    mourning = deaths.mourn(log.watched, matches!(reach, Reach::Nothing));
                    mourning.bury(store);
                    stats.sweep_time = watch.lap();
                    Phase::Drop
                }
                Phase::Drop => {
                    for pool in &*pools {
                        let mut cursor = DoomCursor::default();
                        panics.run_all(|| pool.drop_doomed(store, &mut cursor));
                    }
                    panics.run_all(|| aside.borrow_mut().drop_first());
                    pools.iter_mut().for_each(|pool| pool.relist(store));
                    stats.drop_time = watch.lap();
                    Phase::Done
                }
                Phase::Done => Phase::Done,
            };
        }
        stats.notified = mourning.send(panics);
        stats
    }
}
