//! Random programs on heaps and on a model of them, compared after every op: see `crates/oracle`.
//!
//! A failing program shrinks and is printed as a Rust test; paste it below.

mod deaths;
#[cfg(not(slotgc_plain))]
mod properties;
#[cfg(slotgc_plain)]
mod seeds;
mod steps;
mod weak;

use slotgc_oracle::prelude::*;
use slotgc_oracle::{Failure, Nested, Report};

/// Without std nobody catches a panic, and a second one during unwinding ends the process: at most one object
/// may have a panicking destructor, and nothing else panics.
fn fit_to_be_caught(mut ops: Vec<Op>) -> Vec<Op> {
    if cfg!(feature = "std") {
        return ops;
    }
    let mut fuses = 0;
    ops.retain_mut(|op| {
        if let Some(inside) = op.inside() {
            inside.clear();
        }
        if let OnDeath { ending, .. } | Finalize { ending, .. } = op {
            *ending = Returns;
        }
        fuses += usize::from(matches!(op, Arm { fuse: Fuse::Drop, .. }));
        fuses < 2 || !matches!(op, Arm { fuse: Fuse::Drop, .. })
    });
    ops
}

/// Without optimisation the largest objects are copied from call to call, which needs more than a test's
/// stack.
fn check_on_large_stack(ops: &[Op]) -> Result<Report, Failure> {
    std::thread::scope(|scope| {
        let large = std::thread::Builder::new().stack_size(256 << 20);
        let checking = large.spawn_scoped(scope, || check(ops)).expect("a thread");
        checking.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

#[test]
fn slots_that_a_live_object_still_names_are_reused_and_keep_nothing_alive() {
    let make = |kind| Make { kind, value: 0, edges: [Rooted(0), Rooted(0)] };
    let report = run(&[
        Alloc { heap: 0, make: make(Node), how: AtRoot },
        Burst { heap: 0, kind: Node, size: 255, shape: Fan(Rooted(0)), rooted: false },
        // More than fit in limbo: the oldest slots are freed although the root still names them.
        DestroyMany { heap: 0, kind: Node, size: 255, newest: true },
        Burst { heap: 0, kind: Node, size: 255, shape: Chain, rooted: false },
        Collect { heap: 0 },
        Burst { heap: 0, kind: Node, size: 255, shape: Chain, rooted: true },
        Collect { heap: 0 },
        Collect { heap: 0 },
    ]);
    assert_eq!(report.freed, 1280, "the slots' next tenants are a chain");
}

#[test]
fn generations_run_out_page_by_page() {
    let burst = Burst { heap: 0, kind: Plain, size: 255, shape: Chain, rooted: false };
    let page = Burst { heap: 0, kind: Chunk, size: 200, shape: Loose, rooted: false };
    let mut ops = vec![Fresh { heap: 0, setup: Setup { first: BeforeLast(5), ..Setup::default() } }];
    for _ in 0..8 {
        ops.extend([burst.clone(), page.clone(), Collect { heap: 0 }, Shrink { heap: 0 }]);
    }
    run(&ops);
}

#[test]
fn a_collection_inside_alloc_cyclic_counts_the_object_as_a_live_key() {
    let make = |kind| Make { kind, value: 0, edges: [Recent(0), Recent(1)] };
    let change = |edit| Change { heap: 0, target: Rooted(0), by: ByGc, edit };
    run(&[
        Alloc { heap: 0, make: make(Node), how: AtRoot },
        Cyclic {
            heap: 0,
            make: make(Wide),
            inside: block(&[
                Alloc { heap: 0, make: make(Kind::Block), how: Unrooted },
                change(Entry { key: Recent(1), value: Recent(0) }),
                change(Listen(Recent(1))),
                Collect { heap: 0 },
            ]),
            ending: Panics,
        },
        Collect { heap: 0 },
    ]);
}
