//! Handwritten programs with deaths that are hard to get right. Their reports prove that they do what they
//! are meant to do.

use slotgc_oracle::prelude::*;

use super::weak::{make, nodes, rooted};

const COLLECT: Op = Collect { heap: 0 };
const ALLOC: Op = Burst { heap: 0, kind: Node, size: 0, shape: Loose, rooted: false };

fn on_death(target: u8, then: &[Op]) -> Op {
    OnDeath { heap: 0, target: Live(target), then: block(then), ending: Returns }
}

fn panicking(target: u8, then: &[Op]) -> Op {
    OnDeath { heap: 0, target: Live(target), then: block(then), ending: Panics }
}

fn finalize(target: u8, then: &[Op]) -> Op {
    Finalize { heap: 0, target: Live(target), then: block(then), ending: Returns }
}

fn queue(target: u8) -> Op {
    WatchQueue { heap: 0, target: Live(target) }
}

fn destroy(target: u8) -> Op {
    Destroy { heap: 0, target: Live(target), erased: false }
}

#[test]
fn a_callback_that_collects_gets_its_collection_after_the_batch_with_the_same_roots() {
    let report = run(&[
        rooted(Node),
        nodes(3),
        on_death(0, &[ALLOC, COLLECT, on_death(0, &[ALLOC, COLLECT])]),
        on_death(1, &[COLLECT]),
        CollectWith { heap: 0, roots: [Live(2), Live(2), Live(2)], ending: Returns },
        COLLECT,
    ]);
    // Two dead, and what the first callback allocated. That object's callback requests the last collection,
    // which frees what it allocated and the object that the source kept.
    assert_eq!((report.freed, report.told, report.collections), (5, 3, 3));
}

#[test]
fn a_callback_cancels_others_of_its_batch() {
    let report = run(&[
        nodes(3),
        on_death(0, &[ALLOC]),
        on_death(1, &[ALLOC]),
        queue(1),
        // The last registered runs first: by then the tag is sent.
        on_death(2, &[Cancel { heap: 0, watch: 0 }, DropGuard { watch: 1 }, Cancel { heap: 0, watch: 2 }]),
        COLLECT,
        Poll { heap: 0, all: true },
    ]);
    assert_eq!((report.freed, report.told, report.objects), (3, 2, 3));
}

#[test]
fn a_guard_in_a_dying_object_cancels_a_notification_of_the_same_collection() {
    let report = run(&[
        nodes(2),
        on_death(0, &[]),
        queue(0),
        on_death(0, &[]),
        GuardIn { heap: 0, target: Live(1), watch: 0 },
        GuardIn { heap: 0, target: Live(1), watch: 1 },
        COLLECT,
        Poll { heap: 0, all: true },
    ]);
    assert_eq!((report.freed, report.told), (2, 1));
}

#[test]
fn a_guard_in_a_buried_object_cancels_when_the_value_is_dropped() {
    let report = run(&[
        rooted(Node),
        nodes(1),
        on_death(1, &[]),
        queue(1),
        GuardIn { heap: 0, target: Live(0), watch: 0 },
        Bury { heap: 0, target: Live(0), second: false },
        Bury { heap: 0, target: Live(0), second: true },
        COLLECT,
        Exhume { heap: 0, all: true },
        DropRoots { index: 0, len: 0 },
        COLLECT,
        Poll { heap: 0, all: true },
    ]);
    assert_eq!((report.freed, report.told), (2, 1));
}

#[test]
fn what_a_callback_destroys_joins_its_batch() {
    let report = run(&[
        rooted(Node),
        rooted(Node),
        nodes(1),
        on_death(1, &[destroy(0), ALLOC]),
        queue(1),
        on_death(2, &[Poll { heap: 0, all: true }]),
        on_death(0, &[destroy(0)]),
        COLLECT,
        Poll { heap: 0, all: true },
    ]);
    assert_eq!((report.told, report.objects), (4, 4));
}

#[test]
fn a_finalizer_is_called_inside_a_batch_in_which_it_is_due() {
    let call = |by| UseFinalizer { heap: 0, index: 0, by };
    let report = run(&[
        nodes(2),
        finalize(0, &[COLLECT, ALLOC]),
        on_death(1, &[call(Peeking), call(Calling), call(Calling), COLLECT]),
        COLLECT,
        nodes(1),
        finalize(0, &[ALLOC, COLLECT]),
        // A direct call: no batch, so its collection runs at once, and frees the target and what it
        // allocated.
        UseFinalizer { heap: 0, index: 1, by: Calling },
    ]);
    assert_eq!((report.freed, report.told, report.collections), (5, 3, 3));
}

/// Without std a second panic during unwinding ends the process.
#[test]
#[cfg(feature = "std")]
fn no_panic_stops_the_rest_and_the_first_one_is_raised() {
    let report = run(&[
        nodes(3),
        Arm { heap: 0, target: Live(1), fuse: Fuse::Drop },
        panicking(0, &[ALLOC]),
        panicking(1, &[ALLOC, panicking(0, &[]), destroy(0)]),
        finalize(2, &[]),
        COLLECT,
        nodes(1),
        panicking(0, &[COLLECT]),
        Destroy { heap: 0, target: Live(0), erased: true },
    ]);
    assert_eq!((report.told, report.freed), (5, 4));
}

#[test]
fn a_panicking_trace_in_a_collection_that_a_callback_requested_ends_only_that_one() {
    let report = run(&[
        rooted(Node),
        nodes(1),
        Arm { heap: 0, target: Live(1), fuse: Fuse::Trace },
        on_death(0, &[COLLECT, ALLOC]),
        // Twice: the first ends before anything has died.
        COLLECT,
        Arm { heap: 0, target: Live(1), fuse: Fuse::Trace },
        destroy(0),
        COLLECT,
    ]);
    assert_eq!((report.freed, report.told, report.collections), (1, 1, 1));
}

#[test]
fn a_shutdown_runs_until_nothing_new_is_made() {
    // Without std a panic ends the shutdown before its next round.
    let last = if cfg!(feature = "std") { panicking(2, &[]) } else { on_death(2, &[]) };
    for end in [Shutdown { heap: 0, setup: Setup::default() }, Fresh { heap: 0, setup: Setup::default() }] {
        let report = run(&[
            rooted(Node),
            nodes(2),
            finalize(0, &[ALLOC, on_death(0, &[ALLOC, queue(0)]), finalize(0, &[destroy(0)])]),
            finalize(1, &[]),
            UseFinalizer { heap: 0, index: 1, by: AtExit(false) },
            on_death(1, &[COLLECT, ALLOC, finalize(0, &[])]),
            last.clone(),
            end,
        ]);
        assert_eq!((report.told, report.collections), (7, 0));
    }
}

#[test]
fn inside_a_callback_an_allocation_at_the_limit_does_not_collect() {
    let last = Alloc { heap: 0, make: make(Node), how: OrCollect(Bits(0, Node)) };
    let report = run(&[
        Fresh { heap: 0, setup: Setup { max_objects: Some(0), ..Setup::default() } },
        ALLOC,
        // The first fits where the dead one was; the second does not fit until the batch is over.
        on_death(0, &[last.clone(), last.clone()]),
        destroy(0),
        last,
    ]);
    assert_eq!((report.told, report.objects, report.freed, report.collections), (1, 3, 1, 1));
}

#[test]
fn watches_of_another_heap_and_of_an_ended_heap_cancel_nothing() {
    let report = run(&[
        nodes(1),
        on_death(0, &[]),
        Cancel { heap: 1, watch: 0 },
        Fresh { heap: 0, setup: Setup::default() },
        nodes(1),
        on_death(0, &[]),
        Cancel { heap: 0, watch: 0 },
        DropGuard { watch: 0 },
        UseFinalizer { heap: 0, index: 0, by: Calling },
        COLLECT,
    ]);
    assert_eq!(report.told, 2);
}

#[test]
fn a_tag_sent_while_the_other_heap_ends_is_dropped_with_its_queue() {
    run(&[
        Alloc { heap: 1, make: Make { kind: Node, value: 0, edges: [Recent(0), Recent(0)] }, how: Unrooted },
        OnDeath {
            heap: 1,
            target: Live(0),
            then: block(&[
                Alloc {
                    heap: 0,
                    make: Make { kind: Node, value: 0, edges: [Recent(0), Recent(0)] },
                    how: Unrooted,
                },
                WatchQueue { heap: 0, target: Live(0) },
                Collect { heap: 0 },
            ]),
            ending: Returns,
        },
    ]);
}
