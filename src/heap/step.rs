//! Collecting in pieces that fit into a frame.

use core::time::Duration;

use crate::clock::Timer;
use crate::collector::{CycleKind, Meter};
use crate::config::Budget;
use crate::heap::Heap;
use crate::heap::pacer::{Action, Nearness, Plan, Situation};
use crate::heap::telemetry::MARGIN;
use crate::panics::Panics;
use crate::pool::Pool;
use crate::stats::{CollectStats, Phase, Rule, StepReport};
use crate::trace::RootSource;

/// What a slice does with the edges that it finds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Edges {
    Follow,
    /// Leaves them to other threads, if there are many edges and some thread marks.
    Leave,
}

/// # Collecting within a frame
impl Heap {
    /// One bounded piece of a full cycle: begins one if none is in progress, whatever the pacing says, and
    /// does at least one unit of work. [`Budget::Unlimited`] finishes the cycle.
    ///
    /// Between two steps the program may do anything. What it allocates or roots during a cycle survives that
    /// cycle (or only what is reachable, with [`HeapConfig::collect_new`](crate::HeapConfig::collect_new));
    /// what it stores in a reachable object is never lost, wherever the handle came from. All objects that a
    /// cycle frees stop resolving in the same step; until then an unreachable object that still resolves can
    /// be stored again. Unreachable objects are gone after two cycles at the latest.
    ///
    /// Weak collections are traced and pruned in slices, however large. A budget of time is exceeded if one
    /// indivisible piece takes longer: a destructor, a callback, a root source, the `trace` of one object
    /// with a hundred thousand edges, or a weak map whose values the program changes as a whole (`iter_mut`,
    /// `retain`) between any two steps of one cycle, or that grows to several times its size while the cycle
    /// prunes it. [`StepReport::overshot`] reports this. Inside a callback it does nothing, and a full
    /// collection runs after all callbacks.
    ///
    /// # Panics
    /// As [`collect`](Self::collect), at the end of the step in which user code panicked. A panic in a
    /// `trace` or a root source abandons the cycle. After marking, the `trace` of an object that was made or
    /// changed since is called once more; if that panics, the cycle continues and the object stays.
    ///
    /// # Examples
    /// ```
    /// use slotgc::{Budget, Heap};
    ///
    /// let mut heap = Heap::new();
    /// let garbage: Vec<_> = (0..1000).map(|n| heap.alloc(n.to_string())).collect();
    /// let mut steps = 0;
    /// let stats = loop {
    ///     steps += 1;
    ///     if let Some(stats) = heap.step(Budget::Objects(100)).finished {
    ///         break stats;
    ///     }
    ///     // a frame of the game
    /// };
    /// assert_eq!(stats.freed, 1000);
    /// assert!(steps > 5 && !heap.is_alive(garbage[0]));
    /// ```
    #[doc(alias("incremental"))]
    pub fn step(&mut self, budget: Budget) -> StepReport {
        self.step_with(budget, &())
    }

    /// As [`step`](Self::step), with further roots that live outside the heap. The source is asked when a
    /// cycle begins and again whenever nothing is left to trace, until it reports nothing new: what it
    /// reports last is alive.
    ///
    /// # Examples
    /// ```
    /// use slotgc::{Budget, Heap};
    ///
    /// let mut heap = Heap::new();
    /// let mut components = vec![heap.alloc(1)];
    /// heap.step_with(Budget::Objects(1), &components);
    /// components.push(heap.alloc(2));
    /// while heap.step_with(Budget::Objects(1), &components).finished.is_none() {}
    /// assert!(components.iter().all(|gc| heap.is_alive(gc)));
    /// ```
    pub fn step_with(&mut self, budget: Budget, roots: &dyn RootSource) -> StepReport {
        if self.collect_later() {
            return StepReport::default();
        }
        self.take_up_shared();
        self.store.note_frame();
        self.slice(budget, budget, Rule::Slice, Edges::Follow, roots)
    }

    /// What an engine calls each frame: spends at most the budget on what is due. That is nothing if little
    /// was allocated, a minor collection if one fits, or a slice of a full cycle.
    ///
    /// A budget alone would let memory run away, so what was allocated since the last full cycle counts as
    /// debt, up to a ceiling that finishes the cycle at once
    /// ([`HeapConfig::ceiling_bytes`](crate::HeapConfig::ceiling_bytes)); [`StepReport::rule`] says which
    /// rule decided. With a budget in objects the decisions depend on the program alone. Values of
    /// [`alloc_later`](Self::alloc_later) become objects first, and count from the next call on. Inside a
    /// callback that is all it does.
    ///
    /// # Panics
    /// As [`step`](Self::step).
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use slotgc::{Budget, Heap, Phase};
    ///
    /// let mut heap = Heap::new();
    /// let player = heap.alloc_root("player".to_string());
    /// for frame in 0..10_000 {
    ///     heap.alloc([frame; 8]); // short-lived
    ///     heap.pace(Budget::Time(Duration::from_millis(1)));
    /// }
    /// assert!(heap.len() < 5000);
    /// assert!(heap.is_alive(&player));
    /// ```
    #[doc(alias("incremental", "frame", "budget"))]
    pub fn pace(&mut self, budget: Budget) -> StepReport {
        self.pace_with(budget, &())
    }

    /// As [`pace`](Self::pace), with further roots that live outside the heap. The source is asked whenever
    /// something is being marked.
    pub fn pace_with(&mut self, budget: Budget, roots: &dyn RootSource) -> StepReport {
        if self.is_telling() {
            self.flush();
            return StepReport::default();
        }
        // What is pending counts from the next call on, as `is_due` says.
        let is_due = self.is_due();
        self.take_up_shared();
        self.store.note_frame();
        self.pacer.note_call();
        if !is_due {
            self.load.wait(self.roots.dropped(), &self.config);
            if self.is_later_used() {
                self.set_aside_for_later();
            }
            return StepReport::default();
        }
        self.pace_due(budget, self.weight(), roots)
    }

    /// The rest of a call of `pace` when something is due: outlined, so that other calls cost next to
    /// nothing.
    #[inline(never)]
    fn pace_due(&mut self, budget: Budget, weight: usize, roots: &dyn RootSource) -> StepReport {
        let plan = self.plan(budget, weight);
        // For the next call: this one does what `is_due` announced.
        self.load.wait(self.roots.dropped(), &self.config);
        match plan.action {
            Action::Nothing => {
                self.set_aside_for_later();
                StepReport::default()
            }
            Action::Minor => self.minor(budget, plan.rule, roots),
            Action::Slice(part) => {
                let is_urgent = matches!(plan.rule, Rule::Debt | Rule::Limit);
                let edges = if is_urgent { Edges::Follow } else { Edges::Leave };
                self.slice(part, budget, plan.rule, edges, roots)
            }
            Action::Finish => self.slice(Budget::Unlimited, budget, plan.rule, Edges::Follow, roots),
            Action::Collect => {
                let stats = self.collect_with(roots);
                let times =
                    [stats.mark_time, stats.prune_time, stats.sweep_time, stats.drop_time, stats.notify_time];
                let time = times.into_iter().fold(Duration::ZERO, Duration::saturating_add);
                let (phase, work) = (Phase::Notify, (stats.marked + stats.freed).max(1));
                StepReport { phase, work, time, finished: Some(stats), rule: plan.rule, overshot: false }
            }
        }
    }

    /// Decides what to do.
    fn plan(&self, budget: Budget, weight: usize) -> Plan {
        let situation = Situation {
            allocated_bytes: self.allocated_bytes(),
            weight,
            size: self.size(),
            roots: self.load.roots_weight(self.roots.dropped()),
            owned: self.load.owned(),
            nearness: self.pacer.nearness(self.len(), self.counts.bytes, &self.config),
            is_idle: self.collector.phase() == Phase::Idle,
            is_marking: self.collector.phase() == Phase::Mark,
            marked: self.collector.marked(),
            is_behind_program: self.collector.is_behind_program(),
            can_do_minor: self.collector.can_do_minor(),
            minor_work: self.minor_work(),
            has_help: self.collector.expects_help(),
        };
        self.pacer.plan(budget, &situation, &self.config)
    }

    /// Whether [`pace`](Self::pace) would do something: one comparison, for a VM's safe point.
    ///
    /// # Examples
    /// ```
    /// use slotgc::{Budget, Heap};
    ///
    /// let mut heap = Heap::new();
    /// assert!(!heap.is_due());
    /// assert_eq!(heap.pace(Budget::Unlimited).work, 0);
    /// while !heap.is_due() {
    ///     heap.alloc([0_u64; 100]);
    /// }
    /// assert!(heap.pace(Budget::Unlimited).work > 0);
    /// ```
    #[inline]
    pub fn is_due(&self) -> bool {
        self.pacer.is_due(self.weight())
    }

    /// From now on [`pace`](Self::pace) does nothing (the boss fight) until [`resume`](Self::resume), or
    /// until the heap reaches its ceiling. [`step`](Self::step) and [`collect`](Self::collect) still work.
    ///
    /// # Examples
    /// ```
    /// use slotgc::{Budget, Heap};
    ///
    /// let mut heap = Heap::new();
    /// heap.pause();
    /// for n in 0..50_000 {
    ///     heap.alloc(n);
    /// }
    /// assert_eq!(heap.pace(Budget::Unlimited).work, 0);
    /// heap.resume();
    /// assert!(heap.pace(Budget::Unlimited).work > 0);
    /// ```
    pub fn pause(&mut self) {
        self.pacer.pause(&self.config);
    }

    /// Undoes [`pause`](Self::pause).
    pub fn resume(&mut self) {
        let is_idle = self.collector.phase() == Phase::Idle;
        self.pacer.resume(is_idle, &self.config);
    }

    /// Objects that a minor collection would have to look at.
    fn minor_work(&self) -> usize {
        let made: usize = self.pools.iter().map(Pool::made_len).sum();
        let untraced = self.store.dirty_len() + made + self.collector.unguarded_len();
        self.pacer.young(self.allocated()).saturating_add(untraced)
    }

    /// A slice of the current cycle, or of a new one. It spends a part of the budget, or more than all of it.
    fn slice(
        &mut self,
        part: Budget,
        budget: Budget,
        rule: Rule,
        edges: Edges,
        roots: &dyn RootSource,
    ) -> StepReport {
        self.one_step(part, budget, rule, |heap, meter, panics| {
            let (own, clock) = (heap.number(), meter.clock());
            if edges == Edges::Leave {
                meter.leave_edges();
            }
            if heap.collector.phase() == Phase::Idle {
                // What callbacks of an earlier call requested.
                heap.wants_collection = false;
                heap.begin(CycleKind::Major, clock, panics);
                meter.spend_piece();
            }
            let finished = heap.advance(roots, true, meter, panics);
            heap.and_again(own, finished, rule, roots, clock, panics)
        })
    }

    /// The collection that follows a finished one because it freed too little, or because a callback
    /// requested another.
    fn and_again(
        &mut self,
        own: u64,
        finished: Option<CollectStats>,
        rule: Rule,
        roots: &dyn RootSource,
        clock: &Timer,
        panics: &mut Panics,
    ) -> Option<CollectStats> {
        let stats = finished?;
        if self.number() != own {
            return Some(stats);
        }
        let is_still_over = match rule {
            Rule::Ceiling => {
                self.pacer.is_over(self.size(), &self.config) || self.load.owned() > self.config.owned_limit()
            }
            Rule::Limit => {
                self.pacer.nearness(self.counts.objects, self.counts.bytes, &self.config) != Nearness::Far
            }
            _ => false,
        };
        let more = match (core::mem::take(&mut self.wants_collection), is_still_over) {
            (true, _) => self.collect_as_requested(roots, clock, panics),
            (false, true) => self.collect_whole(roots, clock, panics),
            (false, false) => return Some(stats),
        };
        Some(stats.then(&more))
    }

    /// Runs a step, records how long it took, and raises the first panic of user code.
    fn one_step(
        &mut self,
        part: Budget,
        budget: Budget,
        rule: Rule,
        step: impl FnOnce(&mut Heap, &mut Meter<'_>, &mut Panics) -> Option<CollectStats>,
    ) -> StepReport {
        let (own, clock) = (self.number(), self.config.timer());
        let start = clock.now();
        let (mut panics, mut finished) = (Panics::default(), None);
        let mut meter = Meter::new(part, &clock, start);
        panics.run_once(|panics| finished = step(self, &mut meter, panics));
        let report = if self.number() == own {
            self.set_aside_for_later();
            self.report(budget, rule, &meter, start, finished)
        } else {
            StepReport { work: meter.work().max(1), finished, rule, ..StepReport::default() }
        };
        clock.end(&mut panics);
        panics.raise();
        report
    }

    /// A minor collection; its destructors and notifications may be left to the next call.
    fn minor(&mut self, budget: Budget, rule: Rule, roots: &dyn RootSource) -> StepReport {
        let work = self.minor_work();
        self.one_step(Budget::Unlimited, budget, rule, |heap, meter, panics| {
            let (own, clock) = (heap.number(), meter.clock());
            let start = clock.now();
            heap.begin(CycleKind::Minor, clock, panics);
            heap.advance_until(Phase::Drop, roots, false, meter, panics);
            heap.pacer.learn(work, clock.now().saturating_sub(start));
            meter.limit(budget, start);
            let finished = heap.advance(roots, false, meter, panics);
            heap.and_again(own, finished, rule, roots, clock, panics)
        })
    }

    fn report(
        &mut self,
        budget: Budget,
        rule: Rule,
        meter: &Meter<'_>,
        start: Duration,
        finished: Option<CollectStats>,
    ) -> StepReport {
        let time = meter.clock().now().saturating_sub(start);
        let over = match budget {
            Budget::Time(budget) => time.saturating_sub(budget),
            Budget::Objects(_) | Budget::Unlimited => Duration::ZERO,
        };
        self.telemetry.note_step(time, over);
        if let Some(stats) = &finished {
            self.telemetry.end_cycle(stats.is_minor);
        }
        let phase = if finished.is_some() { Phase::Notify } else { self.collector.phase() };
        StepReport { phase, work: meter.work().max(1), time, finished, rule, overshot: over > MARGIN }
    }
}
