//! Looking up a handle and reading one field, over all objects in a given order.
//!
//! Which field is read matters as much as the lookup: 64-byte values in 72-byte slots straddle two cache
//! lines, and the peers keep their generations at different ends of a slot. So at the largest size the first
//! word, the last word, and both are works of their own.

use std::hint::black_box;
use std::rc::Rc;

use slotgc::Gc;
use slotgc_graphs::Random;

use crate::limits::{BitmapSlots, IndexVec};
use crate::needs::passes;
use crate::needs::{Ends, Field, First, Handles, Last};
use crate::peers::{
    rc::Rc as StdRc,
    safe_gc::Unrooted,
    slotgc::{Node, SlotGc},
    slotmap::SlotMap,
    thunderdome::Thunderdome,
};
use crate::shape::Inputs;
use crate::work::{Work, size_name, sum_of_ids};

/// In which order objects are visited.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Order {
    Random,
    Sequence,
}

pub(super) fn works(inputs: &Rc<Inputs>) -> Vec<Work> {
    let n = inputs.objects;
    let mut works = Vec::new();
    for order in [Order::Random, Order::Sequence] {
        let smaller = [1_000, 10_000, 100_000].into_iter().filter(|size| *size < n);
        works.extend(smaller.chain([n]).map(|size| work::<First>(order, size, at_most(order, size))));
    }
    works.push(work::<Last>(Order::Random, n, 0.95));
    works.push(work::<Ends>(Order::Random, n, 0.95));
    for size in [100_000, n] {
        if size < n {
            works.push(many::<First>(size));
        }
    }
    works.push(many::<First>(n));
    works.push(many::<Ends>(n));
    works
}

/// The most time that a lookup may take, as a multiple of slotmap's.
fn at_most(order: Order, n: usize) -> f64 {
    match (order, n) {
        (Order::Random, 1_000_000..) => 0.75,
        (Order::Random, 100_000..) => 0.95,
        _ => 1.0,
    }
}

/// All handles in one call, where a peer has that.
fn many<F: Field>(n: usize) -> Work {
    Work::new(
        format!("get/many{}/{}", F::SUFFIX, size_name(n)),
        format!("look up {n} objects in a random order in one call, read {}", F::ABOUT),
    )
    .case("slotgc", move || measure_many::<F>(n))
    .case("slotgc:get", move || measure::<SlotGc, F>(Order::Random, n))
    .case("slotmap", move || measure::<SlotMap, F>(Order::Random, n))
    .absent(&["thunderdome", "safe-gc", "rc"], "have no such call; get/random is what they have")
    .target("slotmap", 0.5)
}

fn work<F: Field>(order: Order, n: usize, at_most: f64) -> Work {
    let (name, about) = match order {
        Order::Random => ("random", "a random order"),
        Order::Sequence => ("sequence", "allocation order"),
    };
    Work::new(
        format!("get/{name}{}/{}", F::SUFFIX, size_name(n)),
        format!("look up {n} objects in {about}, read {}", F::ABOUT),
    )
    .case("slotgc", move || measure::<SlotGc, F>(order, n))
    .case("slotmap", move || measure::<SlotMap, F>(order, n))
    .case("thunderdome", move || measure::<Thunderdome, F>(order, n))
    .case("safe-gc", move || measure::<Unrooted, F>(order, n))
    .case("rc", move || measure::<StdRc, F>(order, n))
    .case("limit:index", move || measure::<IndexVec, F>(order, n))
    .case("limit:index-huge", move || measure::<BitmapSlots, F>(order, n))
    .absent(
        &["gc-arena", "boa_gc", "gc", "dumpster", "rust-cc"],
        "have pointers, not handles to look up; rc shows what following one costs",
    )
    .target("slotmap", at_most)
}

pub(super) fn measure<P: Handles, F: Field>(order: Order, n: usize) -> f64 {
    measure_by::<P, F>(order, n, sum::<P, F>)
}

pub(super) fn measure_many<F: Field>(n: usize) -> f64 {
    measure_by::<SlotGc, F>(Order::Random, n, sum_many::<F>)
}

fn measure_by<P: Handles, F: Field>(order: Order, n: usize, sum: fn(&P, &[P::Handle]) -> u64) -> f64 {
    let mut heap = P::new(n);
    let mut handles: Vec<_> = (0..n as u64).map(|id| heap.alloc(id)).collect();
    if order == Order::Random {
        Random::new(n as u64).shuffle(&mut handles);
    }
    let expected = F::sum(sum_of_ids(n), n as u64);
    assert_eq!(sum(&heap, &handles), expected);

    passes(n, expected, || sum(black_box(&heap), black_box(&handles)))
}

/// The loop that is timed: a function of its own, so that all peers' loops are compiled alike.
#[inline(never)]
fn sum<P: Handles, F: Field>(heap: &P, handles: &[P::Handle]) -> u64 {
    handles.iter().fold(0, |sum, handle| sum.wrapping_add(heap.read::<F>(handle)))
}

/// The same by one call.
#[inline(never)]
fn sum_many<F: Field>(heap: &SlotGc, handles: &[Gc<Node>]) -> u64 {
    heap.sum_many::<F>(handles)
}
