//! Making objects: in a fresh heap, and in one in which a random half has died.
//!
//! The heap's creation is timed, its end is not. Each object's handle is kept in a vector whose memory was touched
//! before. No collection falls into the timed part, except where a peer's `alloc` cannot be kept from it.

use std::rc::Rc;
use std::time::Duration;

use crate::clock::Stopwatch;
use crate::limits::{BitmapSlots, IndexVec};
use crate::peers::{First, Free, Handles};
use crate::peers::{
    boa_gc::BoaGc, dumpster::Dumpster, gc::RustGc, gc_arena::GcArena, rc::Rc as StdRc, rust_cc::RustCc,
    safe_gc::SafeGc, slotgc::SlotGc, slotmap::ReservedSlotMap, slotmap::SlotMap, thunderdome::Thunderdome,
};
use crate::shape::Inputs;
use crate::work::{Work, per_object, sum_of_ids, touched};

/// A timed allocation and the sum of the ids of the objects that it made.
pub(crate) struct Filled {
    /// The timed part.
    pub(crate) time: Duration,
    /// Read from the objects afterwards.
    pub(crate) sum: u64,
}

/// What allocating into a fresh heap needs of a peer.
pub(crate) trait Fresh {
    /// Makes a heap and `n` objects, with the numbers less than `n` as ids.
    fn fresh(n: usize) -> Filled;
}

/// What allocating after deaths needs of a peer.
pub(crate) trait Refill {
    /// Makes as many objects as `order` has, frees the first half of them in that order, and makes as many again,
    /// with ids from 0: only that is timed.
    fn refill(order: &[u32]) -> Filled;
}

impl<P: Handles> Fresh for P {
    fn fresh(n: usize) -> Filled {
        let mut handles = touched(n);
        let start = Stopwatch::start();
        let mut heap = P::new(n);
        fill(&mut heap, n, &mut handles);
        let time = start.elapsed();
        let sum = sum(&heap, &handles);
        // Handles go before the heap does.
        drop(handles);
        Filled { time, sum }
    }
}

impl<P: Free> Refill for P {
    fn refill(order: &[u32]) -> Filled {
        let n = order.len();
        let mut heap = P::new(n);
        let mut handles: Vec<_> = (0..n as u64).map(|id| Some(heap.alloc(id))).collect();
        let mut taken = order.iter().map(|index| handles[*index as usize].take().expect("each once"));
        let dead: Vec<_> = taken.by_ref().take(n / 2).collect();
        let kept: Vec<_> = taken.collect();
        heap.free(dead, &kept);

        let mut made = touched(n / 2);
        let start = Stopwatch::start();
        fill(&mut heap, n / 2, &mut made);
        let time = start.elapsed();
        let kept_ids = order[n / 2..].iter().map(|id| u64::from(*id)).sum::<u64>();
        assert_eq!(sum(&heap, &kept), kept_ids);
        let sum = sum(&heap, &made);
        // Handles go before the heap does.
        drop((kept, made));
        Filled { time, sum }
    }
}

/// The loop that is timed.
#[inline(never)]
fn fill<P: Handles>(heap: &mut P, n: usize, handles: &mut Vec<P::Handle>) {
    (0..n as u64).for_each(|id| handles.push(heap.alloc(id)));
}

fn sum<P: Handles>(heap: &P, handles: &[P::Handle]) -> u64 {
    handles.iter().map(|handle| heap.read::<First>(handle)).sum()
}

fn fresh<P: Fresh>(n: usize) -> f64 {
    let filled = P::fresh(n);
    assert_eq!(filled.sum, sum_of_ids(n));
    per_object(filled.time, n)
}

fn refill<P: Refill>(order: &[u32]) -> f64 {
    let n = order.len() / 2;
    let filled = P::refill(order);
    assert_eq!(filled.sum, sum_of_ids(n));
    per_object(filled.time, n)
}

pub(super) fn works(inputs: &Rc<Inputs>) -> Vec<Work> {
    vec![fresh_work(inputs.objects), refill_work(inputs)]
}

fn fresh_work(n: usize) -> Work {
    Work::new("alloc/fresh", format!("a new heap and {n} objects in it"))
        .case("slotgc", move || fresh::<SlotGc>(n))
        .case("slotmap", move || fresh::<SlotMap>(n))
        .case("slotmap-reserved", move || fresh::<ReservedSlotMap>(n))
        .case("thunderdome", move || fresh::<Thunderdome>(n))
        .case("gc-arena", move || fresh::<GcArena>(n))
        .case("safe-gc", move || fresh::<SafeGc>(n))
        .case("boa_gc", move || fresh::<BoaGc>(n))
        .case("gc", move || fresh::<RustGc>(n))
        .case("dumpster", move || fresh::<Dumpster>(n))
        .case("rust-cc", move || fresh::<RustCc>(n))
        .case("rc", move || fresh::<StdRc>(n))
        .case("limit:index", move || fresh::<IndexVec>(n))
        .case("limit:bitmap-huge", move || fresh::<BitmapSlots>(n))
        .target("slotmap", 1.0)
        .note(&["safe-gc"], "roots every object it makes, and collects each time before it doubles its room")
        .note(&["boa_gc"], "cannot be told when to collect; its threshold has grown in earlier rounds")
        .note(&["limit:index"], "pushes to a Vec")
        .note(&["limit:bitmap-huge"], "takes the next clear bit of a bitmap, on huge pages")
}

fn refill_work(inputs: &Rc<Inputs>) -> Work {
    let input = || Rc::clone(inputs);
    macro_rules! refill {
        ($peer:ty) => {{
            let inputs = input();
            move || refill::<$peer>(inputs.order())
        }};
    }
    let about = format!("{} objects where as many died at random among as many living", inputs.objects / 2);
    Work::new("alloc/refill", about)
        .case("slotgc", refill!(SlotGc))
        .case("slotmap", refill!(SlotMap))
        .case("thunderdome", refill!(Thunderdome))
        .case("gc-arena", refill!(GcArena))
        .case("safe-gc", refill!(SafeGc))
        .case("boa_gc", refill!(BoaGc))
        .case("gc", refill!(RustGc))
        .case("dumpster", refill!(Dumpster))
        .case("rust-cc", refill!(RustCc))
        .case("rc", refill!(StdRc))
        .case("limit:bitmap-huge", refill!(BitmapSlots))
        .target("slotmap", 0.15)
        .note(
            &["slotmap", "thunderdome", "rc", "dumpster", "rust-cc"],
            "freed in random order; a collection frees in its own",
        )
}
