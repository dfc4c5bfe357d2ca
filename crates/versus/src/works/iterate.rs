//! Iterating over all objects, of a full heap and of one in which a random half died.
//!
//! The first word of each object is read, and its handle is not looked at. Where objects are contiguous the
//! processor prefetches, so a million objects measure the bandwidth of memory.

use std::hint::black_box;
use std::rc::Rc;

use crate::limits::{BitmapSlots, IndexVec};
use crate::needs::iterate::Iterate;
use crate::needs::{Free, passes};
use crate::peers::{
    slotgc::SlotGc,
    slotmap::{DenseSlotMap, SlotMap},
    thunderdome::Thunderdome,
};
use crate::shape::Inputs;
use crate::work::{Work, size_name, sum_of_ids};

pub(super) fn works(inputs: &Rc<Inputs>) -> Vec<Work> {
    let n = inputs.objects;
    let mut works: Vec<_> = [10_000].into_iter().filter(|size| *size < n).chain([n]).map(full).collect();
    works.push(half(inputs));
    works
}

/// All of `n` objects.
pub(super) fn measure<P: Iterate>(n: usize) -> f64 {
    let mut heap = P::new(n);
    let handles: Vec<_> = (0..n as u64).map(|id| heap.alloc(id)).collect();
    let time = passes(n, sum_of_ids(n), || sum(black_box(&heap)));
    // Handles go before the heap does.
    drop(handles);
    time
}

/// Those that are left after the first half of `order` died.
fn measure_half<P: Iterate + Free>(order: &[u32]) -> f64 {
    let n = order.len();
    let mut heap = P::new(n);
    let mut handles: Vec<_> = (0..n as u64).map(|id| Some(heap.alloc(id))).collect();
    let mut taken = order.iter().map(|index| handles[*index as usize].take().expect("each once"));
    let dead: Vec<_> = taken.by_ref().take(n / 2).collect();
    let kept: Vec<_> = taken.collect();
    heap.free(dead, &kept);
    let expected = order[n / 2..].iter().map(|id| u64::from(*id)).sum();
    let time = passes(kept.len(), expected, || sum(black_box(&heap)));
    drop(kept);
    time
}

/// The loop that is timed.
#[inline(never)]
fn sum<P: Iterate>(heap: &P) -> u64 {
    heap.sum_of_all()
}

fn full(n: usize) -> Work {
    let work = Work::new(
        format!("iterate/{}", size_name(n)),
        format!("iterate over {n} objects, read the first word"),
    )
    .case("slotgc", move || measure::<SlotGc>(n))
    .case("slotmap", move || measure::<SlotMap>(n))
    .case("slotmap-dense", move || measure::<DenseSlotMap>(n))
    .case("thunderdome", move || measure::<Thunderdome>(n))
    .case("limit:index", move || measure::<IndexVec>(n))
    .case("limit:index-huge", move || measure::<BitmapSlots>(n))
    .target("slotmap", 1.0)
    .target("slotmap-dense", 1.05)
    .note(&["limit:index-huge"], "slots of 72 bytes, none of which may be free");
    absent(work)
}

fn half(inputs: &Rc<Inputs>) -> Work {
    macro_rules! half {
        ($peer:ty) => {{
            let inputs = Rc::clone(inputs);
            move || measure_half::<$peer>(inputs.order())
        }};
    }
    let n = inputs.objects;
    let work = Work::new(
        format!("iterate-half/{}", size_name(n)),
        format!("iterate over what is left of {n} objects after a random half died, read the first word"),
    )
    .case("slotgc", half!(SlotGc))
    .case("slotmap", half!(SlotMap))
    .case("slotmap-dense", half!(DenseSlotMap))
    .case("thunderdome", half!(Thunderdome))
    .target("slotmap", 1.0);
    absent(work)
}

fn absent(work: Work) -> Work {
    work.note(
        &["slotmap-dense"],
        "a `DenseSlotMap`: its values are a vector, and a lookup takes one step more",
    )
    .absent(
        &["gc-arena", "safe-gc", "boa_gc", "gc", "dumpster", "rust-cc", "rc"],
        "have no list of objects: a program keeps its own",
    )
}
