//! A cycle of collection: mark, prune, sweep, drop, notify; in one go or in slices.
//!
//! The collector owns what must outlive a slice and nothing that a program can see. [`Phase`] drives a cycle.
//! Between two slices the heap is consistent and the program may do anything to it. User code (root sources,
//! `trace`, `prune`, destructors) runs only in these phases:
//!
//! 1. `Mark`: at the start of a full cycle everything is white, at the start of a minor one, what was made
//!    since the last collection. What a root reaches loses its white bit. What the program makes, roots or
//!    changes meanwhile is traced before the phase ends (re-graying; Steele's variant of the
//!    incremental-update barrier, CACM 1975). `trace` runs.
//! 2. `Prune`: everything white is dead, all at once: it no longer resolves. Live objects that hold weak
//!    collections drop their dead entries. `prune` runs.
//! 3. `Sweep`: the slots of the dead are freed; buried values move to their graveyards. No user code.
//! 4. `Drop`: destructors run. Then the pages with free slots are listed again.
//! 5. `Notify`: the collector has nothing left to do; the heap sends tags and runs callbacks.
//!
//! A panic in 1 abandons the cycle: nothing was freed, and the next cycle starts over. From 2 on there is no
//! way back, and a panic stops nothing.
//!
//! Invariant: between cycles, an object that is not white holds no handle of a white one unless it is on the
//! write barrier's list or in `unguarded`. So a minor collection need not look at old objects (sticky mark
//! bits: Demers et al., POPL 1990).

mod attempt;
mod finish;
mod go_back;
mod mark;
mod meter;
mod prefetch_queue;
mod set_aside;
#[cfg(gc_zeal)]
mod zeal;

use alloc::vec::Vec;
use core::cell::RefCell;

use crate::clock::{Stopwatch, Timer};
use crate::death::Deaths;
use crate::handle::RawHandle;
use crate::panics::Panics;
use crate::pool::{Pool, Scope};
use crate::root::RootTable;
use crate::stats::{CollectStats, Phase};
use crate::store::{Age, Store, SweepLog};
use crate::sync::{HeapNumber, Ordering};
use crate::trace::{Destroyed, Moment, RootSource, Trace};
use crate::tracing_spans;

use attempt::Attempt;
use finish::Settling;
pub(crate) use mark::Marker;
use mark::TraceOps;
pub(crate) use meter::Meter;
use set_aside::SetAside;
#[cfg(gc_zeal)]
pub(crate) use zeal::rarity;

/// What a collection works on. `H` is what callbacks receive.
pub(crate) struct Parts<'a, H> {
    pub(crate) store: &'a mut Store,
    pub(crate) pools: &'a mut [Pool],
    pub(crate) roots: &'a RootTable,
    pub(crate) deaths: &'a mut Deaths<H>,
    pub(crate) clock: &'a Timer,
    /// Objects ever allocated.
    pub(crate) allocated: u64,
    /// Full cycles after which vacant pages are released.
    pub(crate) release_after: u32,
    /// Whether a full cycle may free objects that are made while it marks.
    pub(crate) collects_new: bool,
    /// Threads that mark in a collection that is not incremental.
    pub(crate) mark_threads: usize,
}

/// What a cycle starts from, and which objects it covers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum CycleKind {
    /// Roots and root sources; all objects.
    Major,
    /// The same, and all old objects; only objects made since the last collection.
    Minor,
    /// Nothing; all objects.
    Clear,
    /// The same, at the end of the heap: finalizers that did not run are dropped.
    Shutdown,
}

impl CycleKind {
    fn scope(self) -> Scope {
        if self == CycleKind::Minor { Scope::Minor } else { Scope::Major }
    }
}

/// The objects that died in a slice.
#[derive(Clone, Copy, Default)]
pub(crate) struct Freed {
    pub(crate) objects: usize,
    pub(crate) bytes: usize,
}

/// Runs cycles, and remembers between slices how far it has come. A clone is part of a checkpoint.
#[derive(Clone)]
pub(crate) struct Collector {
    ops: Vec<TraceOps>,
    marker: Marker,
    phase: Phase,
    kind: CycleKind,
    /// The age of objects that are made while the cycle marks.
    made_in_mark: Age,
    /// More objects than this were allocated if the cycle's steps do not keep up.
    most_allocated: u64,
    /// Whether the dead were made unresolvable before their sweep.
    condemned: bool,
    /// Whether a cycle was abandoned, so that the white bits mean nothing until a full one completes.
    needs_major: bool,
    /// Old objects that the program destroyed, as long as they are few: weak collections drop them in minor
    /// collections without looking at all entries.
    destroyed: Vec<Destroyed>,
    settling: Settling,
    /// The pool that the phase has reached.
    pool: usize,
    /// Pools whose pages with free slots were found.
    listed_pools: usize,
    log: SweepLog,
    discarded: SetAside,
    /// Figures of the current cycle.
    stats: CollectStats,
}

impl Default for Collector {
    fn default() -> Self {
        Self {
            ops: Vec::new(),
            marker: Marker::default(),
            phase: Phase::Idle,
            kind: CycleKind::Major,
            made_in_mark: Age::Traced,
            most_allocated: u64::MAX,
            condemned: false,
            needs_major: false,
            destroyed: Vec::new(),
            settling: Settling::default(),
            pool: 0,
            listed_pools: 0,
            log: SweepLog::default(),
            discarded: SetAside::default(),
            stats: CollectStats::default(),
        }
    }
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

    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether a cycle is past the point from which it cannot be abandoned.
    pub(crate) fn is_committed(&self) -> bool {
        self.phase > Phase::Mark
    }

    /// Whether there are dead objects that are counted and not swept yet.
    pub(crate) fn has_condemned(&self) -> bool {
        self.condemned && matches!(self.phase, Phase::Prune | Phase::Sweep)
    }

    /// Objects that the current cycle has reached.
    pub(crate) fn marked(&self) -> usize {
        self.marker.marked()
    }

    /// Whether the cycle is marking, and only the program's changes keep it from coming to an end.
    pub(crate) fn is_behind_program(&self) -> bool {
        self.phase == Phase::Mark && self.marker.is_behind_program()
    }

    /// The age of objects that are made now.
    pub(crate) fn making(&self) -> Age {
        match self.phase {
            Phase::Mark => self.made_in_mark,
            Phase::Prune | Phase::Sweep | Phase::Drop => Age::Old,
            Phase::Idle | Phase::Notify => Age::Young,
        }
    }

    /// What reachable objects own outside their slots, as the last full cycle found.
    pub(crate) fn owned(&self) -> usize {
        self.marker.owned()
    }

    /// Old objects that a minor collection looks at all the same: those that change past the write barrier.
    pub(crate) fn unguarded_len(&self) -> usize {
        self.marker.unguarded_len()
    }

    /// Whether any object that was traced had a weak collection.
    pub(crate) fn knows_weak_collections(&self) -> bool {
        self.marker.knows_weak_collections()
    }

    /// Releases the spare memory of lists.
    pub(crate) fn shrink(&mut self) {
        self.marker.shrink();
    }

    /// Whether a minor collection can tell young from old.
    pub(crate) fn can_do_minor(&self) -> bool {
        !self.needs_major
    }

    /// Begins a cycle; abandons one that is marking.
    pub(crate) fn begin<H>(&mut self, parts: &mut Parts<'_, H>, kind: CycleKind) {
        assert!(!self.is_committed(), "a cycle that is past marking is finished before the next one begins");
        self.marker.set_threads(parts.mark_threads);
        let Parts { store, pools, roots, clock, allocated, collects_new, .. } = parts;
        let mut watch = Stopwatch::start(clock);
        self.kind = kind;
        self.begin_era();
        self.stats = CollectStats { is_minor: kind == CycleKind::Minor, ..CollectStats::default() };
        self.pool = 0;
        self.listed_pools = 0;
        self.condemned = false;
        self.needs_major = true;
        store.set_marking(kind == CycleKind::Major);
        let may_die = *collects_new && kind == CycleKind::Major;
        self.made_in_mark = if may_die { Age::Young } else { Age::Traced };
        // What the program makes and stores is marked like everything else, so marking would never end if
        // that is more than the steps trace.
        let objects: usize = pools.iter().map(Pool::live).sum();
        self.most_allocated = if may_die { *allocated + objects as u64 } else { u64::MAX };
        pools.iter_mut().for_each(|pool| pool.set_making(store, self.made_in_mark));
        match kind {
            CycleKind::Major => self.marker.begin_major(store, pools, roots),
            CycleKind::Minor => {
                self.marker.begin_minor(store);
                pools.iter_mut().for_each(Pool::begin_minor);
            }
            CycleKind::Clear | CycleKind::Shutdown => self.marker.mark_nothing(store, pools, roots),
        }
        self.phase = Phase::Mark;
        self.stats.mark_time = self.stats.mark_time.saturating_add(watch.lap());
    }

    fn begin_era(&mut self) {
        let is_minor = self.kind == CycleKind::Minor;
        let era = self.marker.era_mut();
        // A heap that has used up its cycle numbers gets a new heap number.
        let is_new = era.now.heap == 0 || era.now.cycle >= u32::MAX - 2;
        if is_new {
            era.now = Moment { heap: next_heap(), cycle: 0 };
            era.since = 1;
        }
        era.now.cycle += 1;
        era.is_minor = is_minor;
        if !is_minor {
            era.full += 1;
            era.since = era.now.cycle;
        }
        if is_new || !is_minor {
            self.destroyed.clear();
        }
    }

    /// An object that is not known to be young was destroyed by hand.
    pub(crate) fn note_destroyed(&mut self, raw: RawHandle) {
        const MOST: usize = 4096;
        let era = self.marker.era_mut();
        if self.destroyed.len() < MOST && self.destroyed.try_reserve(1).is_ok() {
            self.destroyed.push(Destroyed { cycle: era.now.cycle, raw });
        } else {
            self.destroyed.clear();
            era.since = era.now.cycle.saturating_add(1);
        }
    }

    /// Continues the cycle until the budget is spent or it reaches phase `until`. Panics of `prune` and of
    /// destructors go to `panics`; one of `trace` or of a root source propagates, and abandons the cycle.
    /// Returns what died.
    pub(crate) fn advance<H: 'static>(
        &mut self,
        parts: &mut Parts<'_, H>,
        source: &dyn RootSource,
        until: Phase,
        in_slices: bool,
        meter: &mut Meter<'_>,
        panics: &mut Panics,
    ) -> Freed {
        let mut freed = Freed::default();
        let mut watch = Stopwatch::start(parts.clock);
        while self.phase != Phase::Idle && self.phase < until {
            let phase = self.phase;
            let _span = tracing_spans::enter(phase);
            let is_done = match phase {
                Phase::Mark => self.mark(parts, source, in_slices, meter),
                Phase::Prune => self.prune(parts, meter, panics),
                Phase::Sweep => self.sweep(parts, meter, &mut freed),
                _ => self.drop_doomed(parts, meter, panics),
            };
            let time = watch.lap();
            let total = match phase {
                Phase::Mark => &mut self.stats.mark_time,
                Phase::Prune => &mut self.stats.prune_time,
                Phase::Sweep => &mut self.stats.sweep_time,
                _ => &mut self.stats.drop_time,
            };
            *total = total.saturating_add(time);
            if is_done {
                self.pool = 0;
                meter.begin_phase();
                #[cfg(gc_zeal)]
                zeal::verify_now_and_then(parts, phase);
            }
            if !is_done || meter.is_spent() {
                break;
            }
        }
        freed
    }

    fn mark<H>(
        &mut self,
        parts: &mut Parts<'_, H>,
        source: &dyn RootSource,
        in_slices: bool,
        meter: &mut Meter<'_>,
    ) -> bool {
        if matches!(self.kind, CycleKind::Major | CycleKind::Minor) {
            // Until this returns: a panic abandons the cycle.
            self.phase = Phase::Idle;
            let mut attempt = Attempt { store: parts.store, pools: parts.pools, succeeded: false };
            let Attempt { store, pools, .. } = &mut attempt;
            self.marker.set_overrun(parts.allocated > self.most_allocated);
            let is_done = self.marker.mark(&self.ops, store, pools, parts.roots, source, meter);
            attempt.succeeded = true;
            self.phase = Phase::Mark;
            if !is_done {
                return false;
            }
        }
        self.stats.marked = self.marker.marked();
        self.condemned = in_slices;
        parts.store.set_marking(false);
        for pool in &mut *parts.pools {
            pool.set_making(parts.store, Age::Old);
            pool.begin_sweep(self.kind.scope());
            if in_slices {
                pool.condemn(parts.store);
            }
        }
        self.phase = Phase::Prune;
        true
    }

    fn prune<H>(&mut self, parts: &mut Parts<'_, H>, meter: &mut Meter<'_>, panics: &mut Panics) -> bool {
        let Self { marker, ops, discarded, stats, destroyed, .. } = self;
        let set_aside = RefCell::new(discarded.take());
        let mut is_done = false;
        // One owner at a time: what an owner pruned before its panic is not counted.
        panics.run_all(|| {
            if meter.is_spent() {
                return false;
            }
            match marker.prune(ops, parts.store, &set_aside, destroyed, meter.slice()) {
                Some(pruned) => {
                    stats.pruned += pruned.removed;
                    meter.spend(1 + pruned.looked_at);
                }
                None => is_done = true,
            }
            !is_done
        });
        discarded.put_back(set_aside.into_inner());
        if is_done {
            self.phase = Phase::Sweep;
        }
        is_done
    }

    fn sweep<H: 'static>(
        &mut self,
        parts: &mut Parts<'_, H>,
        meter: &mut Meter<'_>,
        freed: &mut Freed,
    ) -> bool {
        while let Some(pool) = parts.pools.get_mut(self.pool) {
            if meter.is_spent() {
                return false;
            }
            let slot_bytes = pool.info().slot_bytes;
            match pool.sweep(parts.store, self.kind.scope(), meter.quota(), &mut self.log) {
                Some(swept) => {
                    freed.objects += swept.died;
                    freed.bytes += swept.died * slot_bytes;
                    self.stats.freed += swept.died;
                    self.stats.freed_bytes += swept.died * slot_bytes;
                    meter.spend(swept.work);
                }
                None => self.pool += 1,
            }
        }
        while let Some(raw) = self.log.watched.pop() {
            parts.deaths.mourn(raw, self.kind == CycleKind::Shutdown);
            meter.spend(1);
            if meter.is_spent() {
                return false;
            }
        }
        while parts.deaths.bury_next(parts.store) {
            meter.spend(1);
            if meter.is_spent() {
                return false;
            }
        }
        self.log.watched = Vec::new();
        self.stats.kept = parts.pools.iter().map(Pool::live).sum();
        self.phase = Phase::Drop;
        true
    }

    fn drop_doomed<H>(
        &mut self,
        parts: &mut Parts<'_, H>,
        meter: &mut Meter<'_>,
        panics: &mut Panics,
    ) -> bool {
        let scope = self.kind.scope();
        while let Some(pool) = parts.pools.get_mut(self.pool) {
            let mut is_done = false;
            let mut dropped = 0;
            panics.run_all(|| {
                // Those before one that panicked.
                meter.spend(core::mem::take(&mut dropped));
                let quota = meter.quota();
                if quota == 0 {
                    return false;
                }
                is_done = !pool.drop_doomed(parts.store, scope, quota, &mut dropped);
                !is_done
            });
            meter.spend(dropped);
            if !is_done {
                return false;
            }
            self.pool += 1;
        }
        let mut discarded = self.discarded.take();
        let mut is_done = false;
        panics.run_all(|| {
            if meter.is_spent() {
                return false;
            }
            is_done = !discarded.drop_first();
            meter.spend(usize::from(!is_done));
            !is_done
        });
        self.discarded.put_back(discarded);
        if !is_done {
            return false;
        }
        while let Some(pool) = parts.pools.get_mut(self.listed_pools) {
            if meter.is_spent() {
                return false;
            }
            if pool.relist(parts.store, scope, meter.quota().saturating_mul(4), parts.release_after) {
                meter.spend(meter.quota())
            } else {
                self.listed_pools += 1
            }
        }
        let is_done = self.settle(parts, meter, panics);
        if is_done {
            self.end(parts);
        }
        is_done
    }
}

/// A new number for a heap, when it first collects.
fn next_heap() -> u32 {
    static LAST: HeapNumber = HeapNumber::new(0);
    // Relaxed: only the number is used. After 2^32 heaps numbers repeat, those of heaps long gone.
    (LAST.fetch_add(1, Ordering::Relaxed) as u32).wrapping_add(1).max(1)
}
