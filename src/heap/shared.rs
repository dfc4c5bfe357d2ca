//! What threads may do with only `&Heap`.

use core::time::Duration;

use crate::collector::Meter;
use crate::config::Budget;
use crate::heap::Heap;
use crate::heap::telemetry::MARGIN;
use crate::panics::Panics;
use crate::stats::{Rule, StepReport};

/// # Marking beside readers
impl Heap {
    /// Follows edges of a full cycle that is marking, through `&Heap`: while a frame's systems or its
    /// renderer read the heap, a worker does a part of the collector's work. Several threads may call it at
    /// once and share the work. Readers never wait for it, not even at a lock inside an object.
    ///
    /// [`step`](Self::step) or [`pace`](Self::pace) begin the cycle; [`StepReport::work`] is zero while no
    /// cycle is marking. What needs `&mut Heap` is left to their next call: root sources, new roots, what the
    /// program changed, objects with locks or weak collections, pruning, sweeping and everything after. When
    /// nothing else is left the work is zero too, and `finished` is always `None`. If other threads mark,
    /// [`pace`](Self::pace) leaves the edges to them.
    ///
    /// When marking runs to its end, the same objects die in the same order, whoever marked. Only objects
    /// that the program releases between the steps may differ: which of them outlive the cycle depends on the
    /// timing of the threads.
    ///
    /// O(budget). With [`Budget::Unlimited`] it returns when all edges are followed, by other threads too.
    ///
    /// # Panics
    /// If a `trace` or the clock does. The cycle is then abandoned by the next call that collects: nothing is
    /// lost, and that call begins another.
    ///
    /// # Examples
    /// ```
    /// use slotgc::{Budget, Gc, Heap, Trace};
    ///
    /// #[derive(Trace)]
    /// struct Node { next: Option<Gc<Node>> }
    ///
    /// let mut heap = Heap::new();
    /// let mut list = None;
    /// for _ in 0..10_000 {
    ///     list = Some(heap.alloc(Node { next: list }));
    /// }
    /// let root = heap.root(list.unwrap()).unwrap();
    ///
    /// heap.step(Budget::Objects(1)); // a cycle begins
    /// std::thread::scope(|scope| {
    ///     let heap = &heap;
    ///     let marker = scope.spawn(move || heap.step_shared(Budget::Unlimited));
    ///     assert!(heap.is_alive(&root)); // the game reads
    ///     assert!(marker.join().unwrap().work > 9_900);
    /// });
    /// assert_eq!(heap.step(Budget::Unlimited).finished.unwrap().kept, 10_000);
    /// ```
    #[doc(alias("concurrent", "parallel marking"))]
    pub fn step_shared(&self, budget: Budget) -> StepReport {
        let clock = self.config.timer();
        let start = clock.now();
        let mut meter = Meter::new(budget, &clock, start);
        self.collector.help(&self.store, &mut meter);
        let (work, time) = (meter.work(), clock.now().saturating_sub(start));
        let over = match budget {
            Budget::Time(budget) => time.saturating_sub(budget),
            Budget::Objects(_) | Budget::Unlimited => Duration::ZERO,
        };
        let mut panics = Panics::default();
        clock.end(&mut panics);
        panics.raise();
        let phase = self.collector.phase();
        StepReport { phase, work, time, finished: None, rule: Rule::Slice, overshot: over > MARGIN }
    }

    /// Takes up what was done with `&Heap`, before anything is collected.
    ///
    /// # Panics
    /// As [`flush`](Self::flush).
    #[inline]
    pub(super) fn take_up_shared(&mut self) {
        if self.is_later_used() {
            let mut panics = Panics::default();
            self.take_up_later(&mut panics);
            panics.raise();
        }
        let Self { collector, store, pools, .. } = self;
        collector.give_up_failed(store, pools);
    }
}
