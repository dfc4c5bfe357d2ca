//! Allocation: in a fresh heap, and in one in which a random half has died.
//!
//! The heap's creation is timed; its end is not. Each object's handle is kept in a vector whose memory was
//! touched before. No collection falls into the timed part, except where a peer's `alloc` cannot be kept from
//! collecting.

use std::rc::Rc;

use crate::limits::{BitmapSlots, IndexVec};
use crate::needs::alloc::{Fresh, Refill};
use crate::peers::{
    boa_gc::BoaGc, dumpster::Dumpster, gc::RustGc, gc_arena::GcArena, rc::Rc as StdRc, rust_cc::RustCc,
    safe_gc::SafeGc, slotgc::SlotGc, slotmap::ReservedSlotMap, slotmap::SlotMap, thunderdome::Thunderdome,
};
use crate::shape::Inputs;
use crate::work::{Work, per_object, sum_of_ids};

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
        .note(&["boa_gc"], "decides itself when to collect; its threshold has grown in earlier rounds")
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
