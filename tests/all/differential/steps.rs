//! Programs whose collections are cut into slices: every mutation in every phase, and panics there.

use slotgc_oracle::stepped::prelude::*;

/// Runs it on a stack that has room for the largest objects, unoptimised.
pub(super) fn check(program: Program) -> Result<Report, String> {
    let large = std::thread::Builder::new().stack_size(256 << 20);
    large.spawn(move || check_stepped(&program)).expect("a thread").join().expect("a checked program")
}

/// Live and dead objects of several kinds, everything that weak collections can hold, deaths with
/// notifications.
fn world() -> Vec<Op> {
    let mut ops = vec![
        Make { kind: Shelf, edges: [0, 0], how: Rooted },
        Make { kind: Set, edges: [0, 0], how: Rooted },
        Chain { kind: Node, len: 6, rooted: true },
        Chain { kind: Node, len: 6, rooted: false },
        Make { kind: Leaf, edges: [0, 0], how: Unrooted },
        Chain { kind: Plain, len: 5, rooted: false },
    ];
    for target in 0..6 {
        ops.push(Change { target: 17, by: ByGet, edit: Listen(6 + target) });
        ops.push(Change { target: 18, by: ByGet, edit: Element { of: target, put: true } });
        ops.push(Change { target: 19, by: ByGet, edit: Keyed { key: target, to: 12, inner: None } });
        ops.push(Change {
            target: 12,
            by: ByGet,
            edit: Entry { key: 6 + target, inner: None, value: target },
        });
        ops.push(Watch(5 + target));
        ops.push(OnDeath { target: 5 + target, then: inside(&[]), ending: Returns });
    }
    ops
}

fn mutations() -> Vec<Vec<Op>> {
    let steps = inside(&[Step { units: Few(1), source: Kept }, StepTo { phase: 5 }]);
    let ending = |ending| Cyclic { kind: Node, edges: [0, 9], inside: steps.clone(), ending };
    let mut mutations = vec![vec![]];
    for target in [6, 12] {
        mutations.extend([
            vec![Make { kind: Node, edges: [target, 0], how: Unrooted }],
            vec![Make { kind: Wide, edges: [target, 0], how: Rooted }],
            // An edge of a live object to one that may die soon.
            vec![Change { target: 12, by: ByGet, edit: Link(target) }],
            vec![Change { target, by: ByGet, edit: Clear }],
            vec![Root(target)],
            vec![Keep(target), Unroot(target)],
            vec![Unroot(target)],
            vec![Destroy { target, erased: target % 2 == 0 }],
            vec![Change { target: 18, by: ByGet, edit: Element { of: target, put: true } }],
            vec![Change {
                target: 12,
                by: ByGet,
                edit: Entry { key: target, inner: Some(0), value: target },
            }],
            vec![Cancel(target), Watch(target)],
            vec![OnDeath {
                target,
                then: inside(&[Collect(Kept), Step { units: All, source: Kept }]),
                ending: Panics,
            }],
        ]);
    }
    mutations.extend([
        vec![ending(Returns)],
        vec![ending(Panics)],
        vec![ending(Swaps)],
        vec![Minor(Kept)],
        vec![Collect(Nothing)],
    ]);
    mutations.push(vec![Step { units: All, source: Panicking }]);
    mutations.push(vec![
        Pause,
        Pace { units: Few(1), source: Kept },
        Resume,
        Pace { units: All, source: Kept },
    ]);
    mutations
}

#[test]
fn every_mutation_in_every_phase_keeps_within_bounds() {
    let mut total = Report::default();
    for phase in 0..=5 {
        for later in [0, 2] {
            // Zeal verifies the heap after each phase: a third of the programs, each in different phases.
            let some = if cfg!(gc_zeal) { 3 } else { 1 };
            for mutation in mutations().into_iter().skip((phase + later) as usize % some).step_by(some) {
                let mut ops = world();
                ops.push(StepTo { phase });
                ops.extend((0..later).map(|_| Step { units: Few(1), source: Kept }));
                ops.extend(mutation);
                ops.push(Step { units: All, source: Kept });
                let end = if later > 0 { Dropped } else { Collected };
                let report = check(Program { tuning: Tuning { end, ..Tuning::default() }, ops });
                total = total.and(&report.unwrap_or_else(|failure| panic!("{failure}")));
            }
        }
    }
    let (least_ops, least) = if cfg!(gc_zeal) { (10, 100) } else { (50, 1000) };
    assert!(total.at.iter().all(|ops| *ops > least_ops), "ops began in every phase: {:?}", total.at);
    assert!(total.told > least && total.pruned > least, "{total:?}");
}

#[test]
fn panics_of_user_code_in_every_phase_reach_the_caller_of_the_step_and_stop_nothing() {
    let mut total = Report::default();
    for phase in 0..=5 {
        for (target, fuse) in [(12, Fuse::Trace), (6, Fuse::Drop), (6, Fuse::Trace), (15, Fuse::Drop)] {
            for before in [0, phase] {
                let mut ops = world();
                ops.push(StepTo { phase: before });
                ops.push(Arm { target, fuse });
                ops.push(OnDeath {
                    target: 7,
                    then: inside(&[Destroy { target: 0, erased: true }]),
                    ending: Panics,
                });
                ops.push(StepTo { phase });
                ops.extend([Step { units: All, source: Kept }, Unroot(2), Minor(Kept), Collect(Kept)]);
                let report = check(Program { tuning: Tuning::default(), ops });
                total = total.and(&report.unwrap_or_else(|failure| panic!("{failure}")));
            }
        }
    }
    assert!(total.panics > 48, "{total:?}");
}

#[test]
#[cfg_attr(not(feature = "std"), ignore = "without std nobody catches panics")]
fn swapped_heaps_locks_and_code_that_panics_in_every_phase() {
    let some = if cfg!(gc_zeal) {
        4
    } else if cfg!(slotgc_table) {
        2
    } else {
        1
    };
    let mut total = Report::default();
    for program in slotgc_oracle::stepped::shapes().into_iter().step_by(some) {
        total = total.and(&check(program).unwrap_or_else(|failure| panic!("{failure}")));
    }
    let least = 60 / some as u64;
    assert!(total.broken > least && total.refused > least, "{total:?}");
}
