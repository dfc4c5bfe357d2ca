//! What programs seldom do by chance, in each phase of a cycle: the heap swapped for another, objects changed
//! through `&` or in an unusual way, root sources that report changes, clocks that panic, and each end of a
//! heap.

mod broken;

use crate::kind::Kind;
use crate::stepped::program::{
    Edit, End, Ending, Inside, Making, Op, Program, Source, Tuning, Units, Way, inside,
};

/// Programs of every shape.
pub fn shapes() -> Vec<Program> {
    let mut programs = broken::shapes();
    for phase in 0..=5 {
        for at in [0, 3, 7] {
            for (number, middle) in mutations(at).into_iter().enumerate() {
                for minor in [false, true] {
                    let mut ops = world();
                    ops.extend([Op::Collect(Source::Kept), Op::StepTo { phase }]);
                    ops.extend(middle.clone());
                    if minor {
                        ops.push(Op::Minor(Source::Logged));
                    }
                    ops.push(Op::Step { units: Units::Few(3), source: Source::Logged });
                    ops.extend([Op::Minor(Source::Logged), Op::Collect(Source::Logged)]);
                    let ends = [
                        End::Collected,
                        End::Dropped,
                        End::ShutDown,
                        End::InMake,
                        End::InCallback,
                        End::AtExit,
                    ];
                    let end = ends[(number + usize::from(phase)) % ends.len()];
                    programs.push(Program { tuning: Tuning { end, ..Tuning::default() }, ops });
                }
            }
        }
    }
    programs.extend(weights().map(|middle| {
        let ops = [world(), vec![Op::Collect(Source::Kept)], middle, vec![Op::Due]].concat();
        Program { tuning: Tuning { nursery: Some(4), ..Tuning::default() }, ops }
    }));
    programs
}

/// What makes a collection due, though the heap does not grow: deaths by hand beside weak collections, roots
/// that are dropped, bytes elsewhere.
fn weights() -> [Vec<Op>; 3] {
    let made = Op::Make { kind: Kind::Plain, edges: [0, 0], how: Making::Unrooted };
    let death = Op::Destroy { target: 0, erased: false };
    let by_hand = (0..40).flat_map(|_| [made.clone(), death.clone()]).collect();
    [by_hand, vec![Op::Unroot(0); 5], vec![Op::Own { target: 0, kib: 9 }]]
}

/// Old objects: what may be changed, and what is to die. Counted from the last, the rooted ones are 0 to 3.
fn world() -> Vec<Op> {
    let make = |kind, how| Op::Make { kind, edges: [0, 0], how };
    let told = |target| Op::OnDeath { target, then: Inside::default(), ending: Ending::Returns };
    vec![
        Op::Chain { kind: Kind::Node, len: 4, rooted: false },
        Op::Chain { kind: Kind::Node, len: 3, rooted: true },
        make(Kind::Plain, Making::Unrooted),
        make(Kind::Leaf, Making::Unrooted),
        told(0),
        told(1),
        Op::Root(2),
        make(Kind::Locked, Making::Rooted),
        make(Kind::Locked, Making::Rooted),
        make(Kind::Node, Making::Rooted),
        make(Kind::Node, Making::Rooted),
    ]
}

/// What is done in the middle, to the object of this number.
fn mutations(at: u8) -> Vec<Vec<Op>> {
    let young = |kind| Op::Make { kind, edges: [at, at], how: Making::Unrooted };
    let through = |edit| Op::Through { target: at, edit };
    let then = inside(&[through(Edit::Link(at)), Op::Collect(Source::Logged)]);
    let told = |ending| Op::OnDeath { target: at, then: then.clone(), ending };
    let mut all = Vec::new();
    for ending in [Ending::Swaps, Ending::SwapsAndPanics] {
        let cyclic = Op::Cyclic { kind: Kind::Locked, edges: [at, 0], inside: then.clone(), ending };
        all.push(vec![cyclic.clone()]);
        all.push(vec![cyclic, Op::Shrink]);
        all.push(vec![told(Ending::Returns), told(ending), Op::Destroy { target: at, erased: false }]);
        // The first to die is told of last.
        let dying = Op::Finalize { target: 0, then: then.clone(), ending };
        let bystander = Op::OnDeath { target: 0, then: Inside::default(), ending: Ending::Returns };
        all.push(vec![young(Kind::Leaf), bystander, dying, Op::Collect(Source::Logged)]);
    }
    // A young object that nothing else holds.
    all.push(vec![young(Kind::Node), through(Edit::Link(0))]);
    all.push(vec![young(Kind::Plain), through(Edit::Keyed { key: 0, to: 0, inner: None })]);
    all.push(vec![young(Kind::Plain), through(Edit::Element { of: 0, put: true })]);
    for by in [Way::ByGet, Way::ByTry, Way::ByIndex, Way::ByIter, Way::BySplit] {
        all.push(vec![young(Kind::Node), Op::Change { target: 1, by, edit: Edit::Link(0) }]);
    }
    for (target, by) in [(1, Way::Beside(3)), (1, Way::With(2)), (1, Way::After(2)), (1, Way::After(3))] {
        all.push(vec![young(Kind::Node), Op::Change { target, by, edit: Edit::Link(0) }]);
    }
    all.extend((0..6).map(|reading| vec![young(Kind::Node), Op::ArmClock(reading)]));
    all.push(vec![young(Kind::Leaf), Op::Own { target: 0, kib: 9 }, Op::Own { target: 1, kib: 5 }]);
    // Marked beside the program, and changed right after.
    let help = |units| Op::Help { units, alone: at > 0 };
    let later = Op::Make { kind: Kind::Node, edges: [at, at], how: Making::Later };
    for units in [Units::Few(1), Units::All] {
        let change = Op::Change { target: 1, by: Way::ByGet, edit: Edit::Link(0) };
        all.push(vec![help(units), young(Kind::Node), change.clone(), help(units)]);
        all.push(vec![help(units), later.clone(), change, help(Units::All)]);
        all.push(vec![young(Kind::Node), help(units), through(Edit::Link(0)), later.clone()]);
    }
    // Waiting for one flush, on new pages and then among others. A node holds what was young when a cycle
    // began.
    let both = |edges| Op::TwoLater { kinds: [Kind::Node, Kind::Block], edges };
    let few = |units| Op::Step { units: Units::Few(units), source: Source::Logged };
    all.push(vec![young(Kind::Plain), few(1), both([0, at]), Op::Root(1), few(200)]);
    all.push(vec![young(Kind::Leaf), few(1), both([5, 5]), both([2, at]), Op::Root(1), few(200)]);
    // Made when marking is over, perhaps, and changed through `&` when the cycle is.
    let locked = |how| Op::Make { kind: Kind::Locked, edges: [at, at], how };
    let third = Op::Through { target: 2, edit: Edit::Link(0) };
    for how in [Making::Rooted, Making::Later] {
        let made = [locked(how), Op::Root(0), few(200), young(Kind::Node), third.clone()];
        all.push([&made[..], &[Op::Minor(Source::Logged)]].concat());
    }
    // Kept by a source that reports everything once, when a cycle in steps begins.
    let kept = [young(Kind::Node), Op::Keep(0), young(Kind::Node), Op::Keep(0)];
    let steps = [few(1), few(1), few(200), few(1), few(200)];
    all.push([&kept[..], &steps].concat());
    // More than is followed in one go.
    all.push([&kept[..2], &vec![Op::Keep(1); 20], &steps].concat());
    // White when a cycle began, and held only since then: by the source, or by what was reached before.
    all.push(vec![young(Kind::Node), few(1), Op::Keep(0), few(200)]);
    for units in [2, 5, 9] {
        let change = Op::Change { target: 1, by: Way::ByGet, edit: Edit::Link(0) };
        all.push(vec![young(Kind::Plain), few(units), change, few(200)]);
    }
    // A value of an old map, changed through `&`.
    let keyed = |edit| Op::Change { target: 0, by: Way::ByGet, edit };
    let map = Op::Make { kind: Kind::KeyMap, edges: [at, at], how: Making::Rooted };
    let entry = [map, keyed(Edit::Keyed { key: 0, to: 0, inner: None }), keyed(Edit::LockKey(0))];
    let late = [young(Kind::Leaf), Op::ThroughValue { target: 0, to: 0 }, Op::Minor(Source::Logged)];
    all.push([&entry[..], &[Op::Collect(Source::Logged)], &late, &late].concat());
    // A page of one type, then of another, and of the first one again.
    let page = |kind| [young(kind), Op::Collect(Source::Logged), Op::Shrink];
    all.push([page(Kind::Chunk), page(Kind::Block), page(Kind::Chunk)].concat());
    let keep = [young(Kind::Node), Op::Keep(0)];
    let step = Op::Step { units: Units::Few(1), source: Source::Logged };
    all.push([&keep[..], &keep, &[step, young(Kind::Node), Op::Keep(0)]].concat());
    all.push([&keep[..], &[Op::Minor(Source::Logged), Op::Forget(0)], &keep].concat());
    // Forgotten again before it was reported.
    let forgotten = [Op::Forget(1), Op::Minor(Source::Logged)];
    all.push([&keep[..], &[Op::Minor(Source::Logged)], &keep, &forgotten].concat());
    all
}
