//! Asking for a collection.

use crate::clock::{Stopwatch, Timer};
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
    /// callbacks. A cycle in steps that is under way is finished first if objects died in it already, else
    /// given up; what it freed counts too.
    ///
    /// Time: what is reachable, plus a bit for each slot, plus a few nanoseconds for each object freed.
    /// Values without a destructor are not read.
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
        self.take_up_shared();
        self.in_one_go(|heap, clock, panics| heap.collect_whole(roots, clock, panics))
    }

    /// Runs a collection, notes how long it took, and raises the first panic of user code.
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

    /// A minor collection: frees what was made since the last collection and is not reached by a
    /// [`Root`](crate::Root) made since, by what was changed since, or by each other from there. What is
    /// older is taken for alive, however many objects that is, and costs nothing.
    ///
    /// Otherwise it is as [`collect`](Self::collect): the same order, weak collections that changed are
    /// pruned. In the midst of a cycle in steps it does nothing and returns `CollectStats::default()`: the
    /// objects made during a cycle outlive it. The first collection of a heap is always of all objects, since
    /// all are young.
    ///
    /// Time: objects made and changed since, and pages in which they are. (Sticky mark bits: Demers et al.,
    /// POPL 1990.)
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

    /// As [`collect_minor`](Self::collect_minor), with further roots that live outside of the heap: all of
    /// them, or at least those that changed since the last collection. A stale one whose slot has a young
    /// tenant spares the tenant until the next full collection.
    pub fn collect_minor_with(&mut self, roots: &dyn RootSource) -> CollectStats {
        if self.collect_later() {
            return CollectStats::default();
        }
        self.take_up_shared();
        if self.collector.phase() != Phase::Idle {
            return CollectStats::default();
        }
        let kind = if self.collector.can_do_minor() { CycleKind::Minor } else { CycleKind::Major };
        self.in_one_go(|heap, clock, panics| heap.cycles(kind, roots, clock, panics))
    }

    /// Finishes what cannot be given up, then collects everything.
    pub(super) fn collect_whole(
        &mut self,
        roots: &dyn RootSource,
        clock: &Timer,
        panics: &mut Panics,
    ) -> CollectStats {
        let own = self.number();
        let before = self.finish_committed(roots, clock, panics);
        if self.number() != own {
            return before.unwrap_or_default();
        }
        self.wants_collection = false;
        let stats = self.cycles(CycleKind::Major, roots, clock, panics);
        before.map_or(stats, |before| before.then(&stats))
    }

    /// A cycle in one go, and a full one if a callback asked for it. What the callbacks of that one ask for
    /// waits for the next call, so that no call collects for ever. The numbers are of both together, what is
    /// living of the last.
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
            // A panic in a `trace` here is not to hide one from a callback before.
            panics.run_once(|panics| {
                let stats = self.cycle(CycleKind::Major, roots, clock, panics);
                total = total.then(&stats);
            });
        }
        total
    }

    /// One cycle in one go, and what it sets off.
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

    /// Finishes the cycle under way, if it is past marking.
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

    /// Begins a cycle, and gives up one that is marking.
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
        let Heap { store, pools, roots, deaths, collector, config, .. } = self;
        let (release_after, mark_threads) = (config.release_after_cycles(), config.threads());
        (collector, Parts { store, pools, roots, deaths, clock, release_after, mark_threads })
    }

    /// Zeal mode: a step of one object. Now and then a check of what a minor collection would rely on; a
    /// minor collection itself would free what the program has in hand.
    #[cfg(gc_zeal)]
    pub(super) fn mark_a_bit(&mut self) {
        const OFTEN: u64 = 61;
        const SMALL: usize = 2000;
        if self.allocated() % OFTEN == 0 && self.counts.objects < SMALL {
            self.verify_books();
        }
        let clock = self.config.timer();
        let (collector, mut parts) = self.parts(&clock);
        collector.mark_a_bit(&mut parts);
    }

    /// Goes on with the cycle up to a phase, or until the budget is spent.
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
        // It counts for the callbacks that it sets off.
        let is_over = before != Phase::Notify && collector.phase() == Phase::Notify;
        self.counts.collections += u64::from(is_over);
        #[cfg(gc_zeal)]
        self.store.count_collections(self.counts.collections);
        self.counts.died(freed.objects, freed.bytes);
        self.settle_owned();
    }

    /// Bytes ever allocated, in slots and owned.
    fn allocated_bytes(&self) -> u64 {
        self.counts.freed_bytes + self.counts.bytes as u64 + self.load.allocated()
    }

    pub(super) fn can_do_minor(&self) -> bool {
        self.collector.phase() == Phase::Idle && self.collector.can_do_minor()
    }

    /// Goes on with the cycle until the budget is spent; returns what it did when it is finished, and nothing
    /// of it when a callback left another heap here.
    pub(super) fn advance(
        &mut self,
        roots: &dyn RootSource,
        in_slices: bool,
        meter: &mut Meter<'_>,
        panics: &mut Panics,
    ) -> Option<CollectStats> {
        // What a `make` gave up by taking this heap away: it counts as alive no longer.
        self.take_back_abandoned();
        // What died is counted before code of the user runs.
        self.advance_until(Phase::Drop, roots, in_slices, meter, panics);
        if !meter.is_spent() {
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
        self.pacer.finish(kind, totals, &self.config);
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
