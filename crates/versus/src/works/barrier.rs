//! The write barrier: `get_mut` and a write, over all objects in random order.
//!
//! It tests whether an object was changed since it was traced. The first change after a collection (`first`)
//! records the object; every further one (`again`) is a test of the header that the handle check has already
//! loaded. A type without handles has no barrier at all. "Without" means such a type: the same layout, the
//! same size, but `NEEDS_TRACE` is false.
//!
//! There is no build whose `get_mut` has no barrier. For a type without handles the state of the heap makes
//! no difference (`none`), which shows that it pays nothing.

use std::hint::black_box;
use std::rc::Rc;

use slotgc::{Gc, Heap, Trace, Tracer};
use slotgc_graphs::{DEGREE, Random};

use crate::clock::Stopwatch;
use crate::needs::NODE_BYTES;
use crate::shape::Inputs;
use crate::work::{Bound, Work, per_object};

/// Rounds over all objects in one measurement.
const PASSES: u64 = 4;

/// An object with room for edges, in which a word is incremented.
trait Counter: Trace {
    fn new() -> Self;
    fn count(&mut self) -> u64;
}

#[derive(Trace)]
#[repr(C)]
struct Traced {
    count: u64,
    edges: [Option<Gc<Traced>>; DEGREE],
    fill: [u64; 3],
}

#[repr(C)]
struct Untraced {
    count: u64,
    edges: [u64; DEGREE],
    fill: [u64; 3],
}

const _: () = assert!(size_of::<Traced>() == NODE_BYTES && size_of::<Untraced>() == NODE_BYTES);

impl Trace for Untraced {
    const NEEDS_TRACE: bool = false;

    fn trace(&self, _: &mut Tracer<'_>) {}
}

impl Counter for Traced {
    fn new() -> Self {
        Self { count: 0, edges: [None; DEGREE], fill: [0; 3] }
    }

    #[inline(always)]
    fn count(&mut self) -> u64 {
        self.count += 1;
        self.count
    }
}

impl Counter for Untraced {
    fn new() -> Self {
        Self { count: 0, edges: [0; DEGREE], fill: [0; 3] }
    }

    #[inline(always)]
    fn count(&mut self) -> u64 {
        self.count += 1;
        self.count
    }
}

/// What the objects went through before they are changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Before {
    /// They were changed already.
    Change,
    /// They were traced, and not changed since.
    Collection,
}

fn changes<T: Counter>(n: usize, before: Before) -> f64 {
    let mut heap = Heap::new();
    let mut handles: Vec<Gc<T>> = (0..n).map(|_| heap.alloc(T::new())).collect();
    let in_order = handles.clone();
    Random::new(n as u64).shuffle(&mut handles);
    heap.collect_with(&in_order);
    assert_eq!(pass(&mut heap, &handles), n as u64);
    let mut total = 0.0;
    for number in 2..2 + PASSES {
        if before == Before::Collection {
            heap.collect_with(&in_order);
        }
        let start = Stopwatch::start();
        let sum = pass(black_box(&mut heap), black_box(&handles));
        total += per_object(start.elapsed(), n);
        assert_eq!(sum, number * n as u64, "how often each was changed");
    }
    total / PASSES as f64
}

/// The loop that is timed.
#[inline(never)]
fn pass<T: Counter>(heap: &mut Heap, handles: &[Gc<T>]) -> u64 {
    handles.iter().fold(0, |sum, gc| sum + heap.get_mut(gc).expect("a living object").count())
}

pub(super) fn works(inputs: &Rc<Inputs>) -> Vec<Work> {
    let n = inputs.objects;
    let work = |name, before, what, at_most| {
        Work::new(name, format!("`get_mut` and a write, {n} objects in random order, {what}"))
            .case("slotgc", move || changes::<Traced>(n, before))
            .case("slotgc:untraced", move || changes::<Untraced>(n, before))
            .target("slotgc:untraced", at_most)
            .note(&["slotgc:untraced"], "the same layout, without handles: no barrier")
    };
    let none = Work::new(
        "barrier/none",
        format!("`get_mut` and a write, {n} objects without handles in random order, after a collection"),
    )
    .case("slotgc", move || changes::<Untraced>(n, Before::Collection))
    .case("slotgc:again", move || changes::<Untraced>(n, Before::Change))
    .target_of("slotgc", "slotgc:again", Bound::Within(1.05))
    .note(&["slotgc:again"], "no collection before");
    vec![
        work("barrier/again", Before::Change, "changed before", 1.3),
        work("barrier/first", Before::Collection, "each for the first time since a collection", 1.2),
        none,
    ]
}
