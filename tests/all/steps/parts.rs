//! A root source that reports its handles in parts.

use std::cell::Cell;
use std::ops::Range;

use slotgc::{Budget, Gc, Heap, RootLog, RootSource, Tracer};

/// A column of components, as rows.
#[derive(Default)]
struct Column {
    rows: Vec<Gc<u64>>,
    changed: Vec<Gc<u64>>,
    log: RootLog,
    /// The largest number of rows in one report, and the sum over all reports.
    most: Cell<usize>,
    sum: Cell<usize>,
}

impl Column {
    fn new(heap: &mut Heap, len: u64) -> Self {
        Self { rows: (0..len).map(|number| heap.alloc(number)).collect(), ..Self::default() }
    }

    /// What was counted since the last call.
    fn counted(&self) -> (usize, usize) {
        (self.most.take(), self.sum.take())
    }

    fn store(&mut self, place: usize, gc: Gc<u64>) {
        self.rows[place] = gc;
        self.changed.push(gc);
    }

    fn all_live(&self, heap: &Heap) -> bool {
        self.rows.iter().all(|gc| heap.is_alive(gc))
    }
}

impl RootSource for Column {
    fn trace_roots(&self, tracer: &mut Tracer<'_>) {
        let sum = self.sum.get();
        let rows = |part: Range<usize>| {
            self.sum.set(self.sum.get() + part.len());
            self.rows[part].iter().copied()
        };
        self.log.report_rows(tracer, self.rows.len(), rows, self.changed.iter().copied());
        self.most.set(self.most.get().max(self.sum.get() - sum));
    }

    fn trace_changed_roots(&self, tracer: &mut Tracer<'_>) {
        self.trace_roots(tracer);
    }
}

/// More than two parts.
const LEN: u64 = 40_000;

#[test]
fn what_is_reported_in_parts_stays_whatever_the_program_does_to_the_rows_in_between() {
    let mut heap = Heap::new();
    let mut column = Column::new(&mut heap, LEN);
    let mut random = 1_u64;
    let mut below = move |limit: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (random >> 33) as usize % limit
    };
    let (mut steps, mut cycles, mut next) = (0, 0, LEN);
    while cycles < 4 {
        for _ in 0..40 {
            let len = column.rows.len();
            match below(8) {
                0 => _ = column.rows.swap_remove(below(len)),
                1 => _ = column.rows.pop(),
                2 => _ = column.rows.remove(below(len)),
                3 => column.rows.truncate(len - below(3)),
                _ => {
                    next += 1;
                    let made = heap.alloc(next);
                    match below(2) {
                        0 => column.store(below(len), made),
                        _ => {
                            column.rows.push(made);
                            column.changed.push(made);
                        }
                    }
                }
            }
        }
        steps += 1;
        cycles += usize::from(heap.step_with(Budget::Objects(2000), &column).finished.is_some());
        column.log.forget_reported(&mut column.changed);
        assert!(column.all_live(&heap), "in step {steps}");
    }
    assert!(steps > 40, "{steps} steps");
    assert_eq!(heap.collect_with(&column).kept, column.rows.len());
}

#[test]
fn a_report_in_a_step_is_one_part_and_each_row_is_reported_once_in_a_cycle() {
    let mut heap = Heap::new();
    let column = Column::new(&mut heap, LEN);
    heap.collect_with(&column);
    column.counted();
    while heap.step_with(Budget::Objects(1000), &column).finished.is_none() {
        let (most, _) = (column.most.get(), column.sum.get());
        assert!(most <= 16 * 1024, "{most} rows in a report");
    }
    assert_eq!(column.counted().1, LEN as usize);
    assert_eq!(heap.len(), LEN as usize);
}

#[test]
fn calls_without_a_budget_get_everything_at_once() {
    let mut heap = Heap::new();
    let column = Column::new(&mut heap, LEN);
    let all = LEN as usize;
    heap.collect_with(&column);
    assert_eq!(column.counted(), (all, all));
    column.log.start_again();
    heap.collect_minor_with(&column);
    assert_eq!(column.counted(), (all, all), "a minor collection");
    heap.step_with(Budget::Unlimited, &column);
    assert_eq!(column.counted(), (all, all), "a step without a limit");
    #[cfg(feature = "inspect")]
    {
        assert!(heap.why_alive_with(column.rows[1], &column).is_some());
        assert_eq!(column.counted().0, all, "a walk that changes nothing");
    }
    // The rest of an incremental cycle that has not requested most rows yet.
    heap.step_with(Budget::Objects(1), &column);
    assert!(column.counted().0 < all);
    heap.collect_with(&column);
    assert_eq!(heap.len(), all);
}

#[test]
fn rows_that_were_sorted_are_reported_again_if_the_log_starts_again() {
    let mut heap = Heap::new();
    let mut column = Column::new(&mut heap, LEN);
    column.rows.reverse();
    heap.step_with(Budget::Objects(1), &column);
    // The rows reported so far are now where the others are expected, and the other way round.
    column.rows.reverse();
    column.log.start_again();
    while heap.step_with(Budget::Objects(1000), &column).finished.is_none() {}
    assert!(column.all_live(&heap));
}

#[test]
fn a_cycle_ends_although_its_log_starts_again_in_every_frame() {
    let mut heap = Heap::new();
    let column = Column::new(&mut heap, 4 * LEN);
    // Everything that can be traced, and a few more steps.
    let most = 4 * LEN / 100 + 100;
    let steps = (0..most).take_while(|_| {
        column.log.start_again();
        heap.step_with(Budget::Objects(100), &column).finished.is_none()
    });
    let steps = steps.count() as u64;
    assert!(steps < most, "the cycle has not ended after {steps} steps");
    assert_eq!(heap.len() as u64, 4 * LEN);
}

#[test]
fn a_report_that_panicked_does_not_count_even_if_the_source_caught_the_panic() {
    /// Catches the panics of its rows.
    struct Careless(Column, Cell<bool>);

    impl RootSource for Careless {
        fn trace_roots(&self, tracer: &mut Tracer<'_>) {
            let Self(column, panics) = self;
            let rows = |part: Range<usize>| {
                assert!(!panics.take(), "a row panics");
                column.rows[part].iter().copied()
            };
            let report = || column.log.report_rows(tracer, column.rows.len(), rows, []);
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(report));
        }

        fn trace_changed_roots(&self, tracer: &mut Tracer<'_>) {
            self.trace_roots(tracer);
        }
    }

    let mut heap = Heap::new();
    // So much else that the cycle takes several steps, and traces the source again.
    let other: Vec<_> = (0..1000).map(|number| heap.alloc_root(number)).collect();
    let source = Careless(Column::new(&mut heap, 100), Cell::new(false));
    heap.collect_with(&source);
    source.1.set(true);
    while heap.step_with(Budget::Objects(10), &source).finished.is_none() {}
    assert!(source.0.all_live(&heap));
    assert_eq!(heap.len(), other.len() + 100);
}

#[test]
fn a_rest_is_requested_even_if_the_part_before_it_had_nothing_new() {
    /// The first reports have one handle each, the same one, and leave a rest.
    struct Twice(Gc<u64>, Gc<u64>, Cell<u32>);

    impl RootSource for Twice {
        fn trace_roots(&self, tracer: &mut Tracer<'_>) {
            let parts = self.2.get();
            self.2.set(parts + 1);
            match parts {
                0..4 => {
                    tracer.edge(self.0);
                    assert!(tracer.leave_rest());
                }
                _ => {
                    tracer.edge(self.1);
                    // The last report leaves no rest.
                }
            }
        }

        fn trace_changed_roots(&self, tracer: &mut Tracer<'_>) {
            self.trace_roots(tracer);
        }
    }

    let mut heap = Heap::new();
    let source = Twice(heap.alloc(1), heap.alloc(2), Cell::new(0));
    while heap.step_with(Budget::Objects(1), &source).finished.is_none() {}
    assert!(heap.is_alive(source.1));
}

#[test]
fn only_a_root_source_with_a_budget_may_leave_a_rest() {
    struct Asks;

    impl slotgc::Trace for Asks {
        fn trace(&self, tracer: &mut Tracer<'_>) {
            assert!(!tracer.leave_rest());
        }
    }

    let mut heap = Heap::new();
    let asks = heap.alloc(Asks);
    let source = slotgc::roots(|tracer: &mut Tracer<'_>| tracer.edge(asks));
    while heap.step_with(Budget::Objects(1), &source).finished.is_none() {}
    let refused = slotgc::roots(|tracer: &mut Tracer<'_>| {
        tracer.edge(asks);
        assert!(!tracer.leave_rest());
    });
    heap.collect_with(&refused);
    heap.collect_minor_with(&refused);
    assert_eq!(heap.len(), 1);
}
