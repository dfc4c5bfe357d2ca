//! What `pace` costs where there is nothing to do.

use std::hint::black_box;
use std::rc::Rc;
use std::time::Duration;

use slotgc::{Budget, Heap};

use crate::clock::Stopwatch;
use crate::needs::Handles;
use crate::peers::slotgc::SlotGc;
use crate::shape::Inputs;
use crate::work::{Work, per_object};

const CALLS: usize = 1_000_000;

/// The most time that a call may take.
const MOST_NS: f64 = 5.0;

fn measure(n: usize) -> f64 {
    let mut heap = SlotGc::new(n);
    let handles: Vec<_> = (0..n as u64).map(|id| heap.alloc(id)).collect();
    let heap = heap.heap_mut();
    heap.collect_with(&handles);
    assert!(!heap.is_due());
    let start = Stopwatch::start();
    let work = call(black_box(heap));
    let time = start.elapsed();
    assert_eq!((work, heap.len()), (0, n), "nothing was to be done");
    per_object(time, CALLS)
}

/// The loop that is timed.
#[inline(never)]
fn call(heap: &mut Heap) -> usize {
    let budget = Budget::Time(Duration::from_millis(1));
    (0..CALLS).map(|_| black_box(heap.pace(black_box(budget))).work).sum()
}

pub(super) fn works(inputs: &Rc<Inputs>) -> Vec<Work> {
    let n = inputs.objects;
    let work =
        Work::new("idle", format!("ns a call of `pace` that finds nothing to do, in a heap of {n} objects"))
            .case("slotgc", move || measure(n))
            .case("limit:5ns", || MOST_NS)
            .target("limit:5ns", 1.0);
    vec![work]
}
