//! Whole heaps: one made for a single object, a small one that is collected, a large one that is dropped.

use std::hint::black_box;
use std::rc::Rc;

use slotgc_graphs::Graph;

use crate::clock::Stopwatch;
use crate::limits::TwoStageMark;
use crate::machine;
use crate::malloc;
use crate::needs::NODE_BYTES;
use crate::needs::collect::{Collector, Rooted};
use crate::needs::heaps::Heaps;
use crate::peers::{
    boa_gc::BoaGc, dumpster::Dumpster, gc::RustGc, gc_arena::GcArena, rc::Rc as StdRc, rust_cc::RustCc,
    safe_gc::SafeGc, slotgc::SlotGc, slotmap::SlotMap, thunderdome::Thunderdome,
};
use crate::shape::Inputs;
use crate::work::{Work, per_object, size_name};

/// Heaps that are made one after the other.
const LIVES: usize = 500;

/// Objects in a small heap, and collections in a row.
const SMALL: usize = 2_000;
const CYCLES: usize = 50;

/// The most time that the first object of a heap and a cycle of a small heap may take.
const MOST_LIFE_NS: f64 = 5_000.0;
const MOST_CYCLE_NS: f64 = 30_000.0;

pub(super) fn works(inputs: &Rc<Inputs>) -> Vec<Work> {
    vec![one_object(), small_cycle(), end(inputs.objects)]
}

fn lives<P: Heaps>() -> f64 {
    let mut sum = 0;
    P::one_object(0);
    let start = Stopwatch::start();
    for id in 0..LIVES as u64 {
        sum += P::one_object(black_box(id));
    }
    let time = per_object(start.elapsed(), LIVES);
    assert_eq!(sum, crate::work::sum_of_ids(LIVES));
    time
}

fn one_object() -> Work {
    Work::new("heaps/one-object", "ns a heap: made, one object allocated and read, dropped")
        .case("slotgc", lives::<SlotGc>)
        .case("slotmap", lives::<SlotMap>)
        .case("thunderdome", lives::<Thunderdome>)
        .case("gc-arena", lives::<GcArena>)
        .case("safe-gc", lives::<SafeGc>)
        .case("limit:5us", || MOST_LIFE_NS)
        .target("limit:5us", 1.0)
        .absent(&["boa_gc", "gc", "dumpster", "rust-cc", "rc"], "have one heap a thread, or none")
}

/// A full collection of a small graph in which nothing dies.
fn cycles<C: Collector>() -> f64 {
    let graph = Graph::random(SMALL);
    let mut heap = C::build(&graph);
    (0..5).for_each(|_| heap.collect());
    let start = Stopwatch::start();
    (0..CYCLES).for_each(|_| heap.collect());
    let time = per_object(start.elapsed(), CYCLES);
    let reached = heap.walk();
    assert_eq!((reached.count, reached.sum), (SMALL, crate::work::sum_of_ids(SMALL)));
    time
}

fn small_cycle() -> Work {
    let about = format!("ns a full collection: a random graph of {SMALL} objects in which nothing dies");
    Work::new("heaps/small-cycle", about)
        .case("slotgc", cycles::<Rooted<SlotGc>>)
        .case("gc-arena", cycles::<GcArena>)
        .case("safe-gc", cycles::<Rooted<SafeGc>>)
        .case("boa_gc", cycles::<Rooted<BoaGc>>)
        .case("gc", cycles::<Rooted<RustGc>>)
        .case("limit:two-stage", cycles::<TwoStageMark>)
        .case("limit:30us", || MOST_CYCLE_NS)
        .target("limit:30us", 1.0)
        .absent(&["dumpster", "rust-cc"], "look only at objects that lost a reference: here none")
}

/// Dropping a heap. Its memory must be back with the system, or free in the C allocator.
fn ends<P: Heaps>(n: usize) -> f64 {
    let before = machine::resident_bytes();
    let time = P::end(n);
    malloc::trim();
    let after = machine::resident_bytes();
    // Half of it: some collectors keep tables for the next heap.
    let most = before + n * NODE_BYTES / 2;
    assert!(after <= most, "{after} bytes in memory after the heap was dropped, {before} before it was made");
    per_object(time, n)
}

fn end(n: usize) -> Work {
    Work::new(
        format!("heaps/drop/{}", size_name(n)),
        format!("drop a heap of {n} objects without destructors"),
    )
    .case("slotgc", move || ends::<SlotGc>(n))
    .case("slotmap", move || ends::<SlotMap>(n))
    .case("thunderdome", move || ends::<Thunderdome>(n))
    .case("gc-arena", move || ends::<GcArena>(n))
    .case("safe-gc", move || ends::<SafeGc>(n))
    .case("boa_gc", move || ends::<BoaGc>(n))
    .case("gc", move || ends::<RustGc>(n))
    .case("dumpster", move || ends::<Dumpster>(n))
    .case("rust-cc", move || ends::<RustCc>(n))
    .case("rc", move || ends::<StdRc>(n))
    .target("slotmap", 1.0)
    .note(&["boa_gc", "gc"], "have one heap a thread: its handles are dropped, and then it is collected")
    .note(&["dumpster", "rust-cc", "rc"], "have no heap: the list of handles is dropped")
}
