//! Requesting a collection.

use core::time::Duration;

use crate::clock::{Stopwatch, Timer};
#[cfg(gc_zeal)]
use crate::collector::rarity;
use crate::collector::{Collector, CycleKind, Meter, Parts};
use crate::config::Budget;
use crate::heap::Heap;
use crate::heap::pacer::Totals;
use crate::panics::Panics;
use crate::stats::{CollectStats, Phase};
use crate::sync::Arc;
use crate::trace::RootSource;
use crate::tracing_spans;

/// # Collecting at once
impl Heap {
    /// A full collection: frees everything that no [`Root`](crate::Root) reaches.
    ///
    /// In this order: mark from the roots; prune the weak collections of live objects; all unreached objects
    /// die at once, buried values move to their graveyards; destructors run; tags go to their queues,
    /// callbacks and finalizers run. A panic in a destructor or callback does not stop the others; the first
    /// is raised again at the end. A panic in a `trace` abandons the collection: nothing is freed.
    ///
    /// Inside a callback it returns `CollectStats::default()` at once, and a collection runs after all
    /// callbacks. An incremental cycle in progress is finished first if it has begun freeing, otherwise
    /// abandoned; what it freed is included.
    ///
    /// Time: proportional to what is reachable, plus a bit for each slot, plus a few nanoseconds for each
    /// object freed. Values without a destructor are not read.
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
    #[doc(alias("gc", "garbage", "mark and sweep"))]
    pub fn collect(&mut self) -> CollectStats {
        self.collect_with(&())
    }

    /// As [`collect`](Self::collect), with further roots that live outside the heap.
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
        self.take_up_shared();
        self.in_one_go(|heap, clock, panics| heap.collect_whole(roots, clock, panics))
    }

    /// Runs a collection, records how long it took, and raises the first panic of user code.
    pub(super) fn in_one_go(
        &mut self,
        collect: impl FnOnce(&mut Heap, &Timer, &mut Panics) -> CollectStats,
    ) -> CollectStats {
        let (own, clock) = (self.number(), self.config.timer());
        let start = clock.now();
        let (mut panics, mut stats) = (Panics::default(), CollectStats::default());
        panics.run_once(|panics| stats = collect(self, &clock, panics));
        if self.number() == own {
            self.set_aside_for_later();
            self.telemetry.note_pause(clock.now().saturating_sub(start));
        }
        clock.end(&mut panics);
        panics.raise();
        stats
    }

    /// A minor collection: frees objects allocated since the last collection, unless they are reachable from
    /// a new [`Root`](crate::Root) or from an older object modified since. Older objects are taken to be
    /// alive and cost nothing, however many there are.
    ///
    /// Otherwise it works as [`collect`](Self::collect), in the same order; weak collections that changed are
    /// pruned. During an incremental cycle it does nothing and returns `CollectStats::default()`. The first
    /// collection of a heap always covers all objects, since all are young.
    ///
    /// Time: proportional to the objects made and changed since, and the pages that hold them. (Sticky mark
    /// bits: Demers et al., POPL 1990.)
    ///
    /// # Examples
    /// ```
    /// use slotgc::Heap;
    ///
    /// let mut heap = Heap::new();
    /// let world = heap.alloc_root(vec![]);
    /// heap.collect();
    ///
    /// let (bullet, smoke) = (heap.alloc("bullet"), heap.alloc("smoke"));
    /// heap[&world].push(bullet);
    /// let stats = heap.collect_minor();
    /// assert_eq!((stats.freed, heap.is_alive(bullet), heap.is_alive(smoke)), (1, true, false));
    /// ```
    #[doc(alias("generational", "nursery", "young"))]
    pub fn collect_minor(&mut self) -> CollectStats {
        self.collect_minor_with(&())
    }

    /// As [`collect_minor`](Self::collect_minor), with further roots that live outside the heap: all of them,
    /// or at least those that changed since the last collection. A stale handle whose slot has a young tenant
    /// keeps that tenant until the next full collection.
    pub fn collect_minor_with(&mut self, roots: &dyn RootSource) -> CollectStats {
        if self.collect_later() {
            return CollectStats::default();
        }
        self.take_up_shared();
        if self.collector.phase() != Phase::Idle {
            self.set_aside_for_later();
            return CollectStats::default();
        }
        let kind = if self.collector.can_do_minor() { CycleKind::Minor } else { CycleKind::Major };
        self.in_one_go(|heap, clock, panics| heap.cycles(kind, roots, clock, panics))
    }

    /// Finishes a cycle that cannot be abandoned, then collects everything, and once more if a callback
    /// requested that.
    pub(super) fn collect_whole(
        &mut self,
        roots: &dyn RootSource,
        clock: &Timer,
        panics: &mut Panics,
    ) -> CollectStats {
        self.whole(Self::cycles, roots, clock, panics)
    }

    /// The collection that a callback requested. What its callbacks request waits for the next call.
    pub(super) fn collect_as_requested(
        &mut self,
        roots: &dyn RootSource,
        clock: &Timer,
        panics: &mut Panics,
    ) -> CollectStats {
        self.whole(Self::cycle, roots, clock, panics)
    }

    fn whole(
        &mut self,
        cycles: fn(&mut Self, CycleKind, &dyn RootSource, &Timer, &mut Panics) -> CollectStats,
        roots: &dyn RootSource,
        clock: &Timer,
        panics: &mut Panics,
    ) -> CollectStats {
        let own = self.number();
        // After a death by hand, what is pending has not been taken up yet.
        self.take_up_later(panics);
        let before = self.finish_committed(roots, clock, panics);
        if self.number() != own {
            return before.unwrap_or_default();
        }
        self.wants_collection = false;
        let stats = cycles(self, CycleKind::Major, roots, clock, panics);
        before.map_or(stats, |before| before.then(&stats))
    }

    /// A whole cycle, and a full one after it if a callback requested that. What the callbacks of the second
    /// request waits for the next call, so that no call collects for ever. The numbers are those of both
    /// together, except that the objects kept are those of the last.
    pub(super) fn cycles(
        &mut self,
        kind: CycleKind,
        roots: &dyn RootSource,
        clock: &Timer,
        panics: &mut Panics,
    ) -> CollectStats {
        let own = self.number();
        let mut total = self.cycle(kind, roots, clock, panics);
        if self.number() == own && core::mem::take(&mut self.wants_collection) {
            // A panic in a `trace` here must not hide an earlier one from a callback.
            panics.run_once(|panics| {
                let stats = self.cycle(CycleKind::Major, roots, clock, panics);
                total = total.then(&stats);
            });
        }
        total
    }

    /// One whole cycle, and what it triggers.
    pub(super) fn cycle(
        &mut self,
        kind: CycleKind,
        roots: &dyn RootSource,
        clock: &Timer,
        panics: &mut Panics,
    ) -> CollectStats {
        self.begin(kind, clock, panics);
        if kind == CycleKind::Clear {
            self.spare_what_roots_name();
        }
        let mut meter = Meter::new(Budget::Unlimited, clock, clock.now());
        let stats = self.advance(roots, false, &mut meter, panics);
        stats.expect("a cycle without a budget ends")
    }

    /// Finishes the current cycle if it is past marking.
    pub(super) fn finish_committed(
        &mut self,
        roots: &dyn RootSource,
        clock: &Timer,
        panics: &mut Panics,
    ) -> Option<CollectStats> {
        if !self.collector.is_committed() {
            return None;
        }
        let mut meter = Meter::new(Budget::Unlimited, clock, clock.now());
        self.advance(roots, true, &mut meter, panics)
    }

    /// Begins a cycle; abandons one that is marking.
    pub(super) fn begin(&mut self, kind: CycleKind, clock: &Timer, panics: &mut Panics) {
        panics.run_once(|_| self.drop_cancelled());
        self.take_up_later(panics);
        self.take_back_abandoned();
        self.deaths.take_up();
        self.load.begin(kind != CycleKind::Minor, self.roots.dropped());
        self.pacer.begin(self.allocated_bytes());
        if kind != CycleKind::Minor {
            self.pacer.begin_full(self.size(), self.counts.objects);
        }
        let (collector, mut parts) = self.parts(clock);
        collector.begin(&mut parts, kind);
    }

    fn parts<'a>(&'a mut self, clock: &'a Timer) -> (&'a mut Collector, Parts<'a, Heap>) {
        let allocated = self.allocated();
        let Heap { store, pools, roots, deaths, collector, config, .. } = self;
        let (release_after, mark_threads) = (config.release_after_cycles(), config.threads());
        let collects_new = config.collects_new();
        let parts = Parts {
            store,
            pools,
            roots,
            deaths,
            clock,
            allocated,
            release_after,
            collects_new,
            mark_threads,
        };
        (collector, parts)
    }

    /// Zeal mode: a step of one object, and now and then a check of what a minor collection would rely on. A
    /// minor collection itself would free what the program holds in local variables.
    #[cfg(gc_zeal)]
    pub(super) fn mark_a_bit(&mut self) {
        const OFTEN: u64 = 61;
        const SMALL: usize = 2000;
        let allocated = self.allocated();
        if allocated % OFTEN == 0
            && self.counts.objects < SMALL
            && allocated / OFTEN % rarity(&self.pools) == 0
        {
            self.verify_books();
        }
        let clock = self.config.timer();
        let (collector, mut parts) = self.parts(&clock);
        collector.mark_a_bit(&mut parts);
    }

    /// Continues the cycle up to a phase, or until the budget is spent.
    pub(super) fn advance_until(
        &mut self,
        until: Phase,
        roots: &dyn RootSource,
        in_slices: bool,
        meter: &mut Meter<'_>,
        panics: &mut Panics,
    ) {
        let clock = meter.clock();
        self.note_peak();
        let (collector, mut parts) = self.parts(clock);
        let before = collector.phase();
        let freed = collector.advance(&mut parts, roots, until, in_slices, meter, panics);
        if before == Phase::Mark && collector.phase() > Phase::Mark {
            self.pacer.end_marking(self.allocated_bytes(), &self.config);
        }
        let collector = &self.collector;
        // The cycle is counted before the callbacks that it triggers.
        let is_over = before != Phase::Notify && collector.phase() == Phase::Notify;
        self.counts.collections += u64::from(is_over);
        #[cfg(gc_zeal)]
        self.store.count_collections(self.counts.collections);
        self.counts.died(freed.objects, freed.bytes);
        self.settle_owned();
    }

    /// Bytes ever allocated, in slots and owned.
    pub(super) fn allocated_bytes(&self) -> u64 {
        (self.counts.freed_bytes + self.counts.bytes as u64).saturating_add(self.load.allocated())
    }

    pub(super) fn can_do_minor(&self) -> bool {
        self.collector.phase() == Phase::Idle && self.collector.can_do_minor()
    }

    /// Continues the cycle until the budget is spent. Returns its figures when it is finished, and none if a
    /// callback left another heap here.
    pub(super) fn advance(
        &mut self,
        roots: &dyn RootSource,
        in_slices: bool,
        meter: &mut Meter<'_>,
        panics: &mut Panics,
    ) -> Option<CollectStats> {
        // An object whose `make` swapped this heap away no longer counts as alive.
        self.take_back_abandoned();
        // What died is counted before user code runs.
        self.advance_until(Phase::Drop, roots, in_slices, meter, panics);
        // A phase may also leave its rest to the next step, before the budget is spent.
        if self.collector.phase() >= Phase::Drop && !meter.is_spent() {
            self.advance_until(Phase::Notify, roots, in_slices, meter, panics);
        }
        if self.collector.phase() != Phase::Notify || meter.is_spent() {
            return None;
        }
        let _span = tracing_spans::enter(Phase::Notify);
        let mut watch = Stopwatch::start(meter.clock());
        let told = self.tell(meter, panics);
        if !told.is_own_heap {
            return Some(CollectStats::default());
        }
        self.collector.count_notified(told.count, watch.lap());
        self.wants_collection |= told.wants_collection;
        told.is_done.then(|| self.finish())
    }

    fn finish(&mut self) -> CollectStats {
        let (kind, stats) = self.collector.finish();
        self.telemetry.note_cycle(&stats);
        if kind != CycleKind::Minor {
            let roots = Arc::strong_count(&self.roots) - 1;
            self.load.finish_full(self.collector.owned(), roots, &self.config);
        }
        let totals = self.totals();
        let times = [stats.mark_time, stats.prune_time, stats.sweep_time, stats.drop_time];
        let time = times.into_iter().fold(Duration::ZERO, Duration::saturating_add);
        self.pacer.finish(kind, time, totals, &self.config);
        self.counts.check_limits_next();
        stats
    }

    fn totals(&self) -> Totals {
        Totals {
            size: self.size(),
            bytes: self.counts.bytes,
            objects: self.counts.objects,
            allocated_bytes: self.allocated_bytes(),
            allocated: self.allocated(),
            has_help: self.collector.expects_help(),
        }
    }
}
