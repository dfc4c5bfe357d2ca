//! User code that panics where it is asked about keys and copies, and limits, in each phase of a cycle.

use crate::kind::{Kind, UserCode};
use crate::ops::Interning;
use crate::stepped::program::{Edit, Ending, Limit, Making, Op, Program, Source, Tuning, Units, Way, inside};

/// Programs of every shape.
pub(super) fn shapes() -> Vec<Program> {
    let mut programs = Vec::new();
    for phase in 0..=5 {
        for code in [UserCode::Hashing, UserCode::Comparing, UserCode::Cloning] {
            for call in [0, 1, 4, 11, 33] {
                let ops = [world(), vec![Op::StepTo { phase }], broken(code, call), end()].concat();
                programs.push(Program { tuning: Tuning::default(), ops });
            }
        }
        for limit in [Limit::Objects(24), Limit::Objects(28), Limit::Objects(31), Limit::Bytes(6)] {
            let ops = [world(), vec![Op::StepTo { phase }], limited(), end()].concat();
            programs.push(Program { tuning: Tuning { limit, ..Tuning::default() }, ops });
        }
    }
    for units in (8..248).step_by(8) {
        programs.push(Program { tuning: Tuning::default(), ops: full(units) });
    }
    for kind in [Kind::Plain, Kind::Leaf, Kind::Chunk, Kind::Block, Kind::Large] {
        programs.push(Program { tuning: Tuning::default(), ops: idle(kind) });
        let tuning = Tuning { limit: Limit::Bytes(30), ..Tuning::default() };
        programs.push(Program { tuning, ops: refused_later(kind) });
    }
    programs
}

/// An object is made through `&Heap`, and then none for many frames; and a cycle in steps of one unit.
fn idle(kind: Kind) -> Vec<Op> {
    let made = Op::Make { kind, edges: [0, 0], how: Making::Later };
    let frame = Op::Pace { units: Units::Few(1), source: Source::Kept };
    let frames = vec![frame; 40];
    [&[made.clone()][..], &frames, &[made, Op::StepTo { phase: 6 }], &frames].concat()
}

/// What waits for a flush is refused, and with it nothing else for which there is room.
fn refused_later(kind: Kind) -> Vec<Op> {
    let both = |kinds| Op::TwoLater { kinds, edges: [0, 0] };
    let mut ops =
        vec![both([Kind::Large, kind]), both([kind, Kind::Large]), both([Kind::Large, Kind::Large])];
    ops.extend(vec![both([kind, Kind::Chunk]); 4]);
    ops.push(Op::Collect(Source::Kept));
    ops.push(both([Kind::Large, kind]));
    ops
}

/// So large a table that it is traced in slices, and full: after so many units an entry is put that is there.
fn full(units: u8) -> Vec<Op> {
    let node = Op::Chain { kind: Kind::Node, len: 1, rooted: false };
    let mut ops = vec![Op::Chain { kind: Kind::Node, len: 112, rooted: true }];
    // Which only the table keeps.
    ops.extend(vec![node; 80]);
    ops.push(Op::Make { kind: Kind::ValueMap, edges: [0, 0], how: Making::Rooted });
    ops.push(change(0, Edit::Fill { from: 80, len: 224 }));
    ops.push(Op::Step { units: Units::Few(units), source: Source::Kept });
    ops.push(change(0, Edit::Mapped { key: 100, to: 100, edge: None }));
    ops.push(Op::Step { units: Units::All, source: Source::Kept });
    ops
}

fn change(target: u8, edit: Edit) -> Op {
    Op::Change { target, by: Way::ByGet, edit }
}

/// Names, chains of old and of young nodes, and tables that have some of them: counted from the last, a
/// `WeakValueMap` is 0, a `WeakKeyMap` 1, and a chain of `Plain`s 2 to 5.
fn world() -> Vec<Op> {
    let make = |kind| Op::Make { kind, edges: [0, 0], how: Making::Rooted };
    let intern = |name| Op::Intern { table: 0, name, by: Interning::ByValue };
    vec![
        make(Kind::Names),
        intern(1),
        Op::Root(0),
        Op::Chain { kind: Kind::Node, len: 10, rooted: true },
        Op::Collect(Source::Kept),
        intern(2),
        Op::Chain { kind: Kind::Node, len: 8, rooted: false },
        Op::Chain { kind: Kind::Plain, len: 4, rooted: true },
        make(Kind::KeyMap),
        make(Kind::ValueMap),
        change(0, Edit::Fill { from: 0, len: 5 }),
        change(1, Edit::Fill { from: 0, len: 5 }),
    ]
}

fn end() -> Vec<Op> {
    let few = Op::Step { units: Units::Few(3), source: Source::Kept };
    let rest = Op::Step { units: Units::All, source: Source::Kept };
    vec![few.clone(), few, rest, Op::Minor(Source::Kept), Op::Collect(Source::Kept)]
}

/// Calls of all sorts that ask user code, which panics at one of its calls.
fn broken(code: UserCode, call: u8) -> Vec<Op> {
    let intern = |name, by| Op::Intern { table: 0, name, by };
    let cached = |key, ending| {
        let inside = inside(&[Op::Step { units: Units::Few(2), source: Source::Kept }]);
        Op::GetOrAlloc { table: 0, key, edge: Some(3), inside, ending }
    };
    // As many come and go that a table of this size has no empty bucket left.
    let come_and_go =
        [Edit::Fill { from: 0, len: 20 }, Edit::Empty { from: 4, len: 200 }, Edit::Fill { from: 0, len: 3 }];
    let mut ops = come_and_go[..2].iter().map(|edit| change(0, *edit)).collect::<Vec<_>>();
    ops.push(Op::ArmCode { code, call });
    ops.push(change(0, come_and_go[2]));
    ops.push(change(0, Edit::Remapped { key: 1, to: 0 }));
    // Objects that are made here come last.
    ops.extend([Op::CloneGraph(3), Op::CloneTable(0), Op::CloneTable(1), Op::CloneTable(2)]);
    ops.extend([cached(70, Ending::Returns), cached(70, Ending::Returns), cached(71, Ending::Panics)]);
    ops.extend([intern(3, Interning::ByValue), intern(1, Interning::ByTrying)]);
    ops.push(intern(4, Interning::ByMaking(2)));
    ops
}

/// Objects made in every way, as many as there may be, and the next one.
fn limited() -> Vec<Op> {
    let make = |how| Op::Make { kind: Kind::Node, edges: [0, 9], how };
    let mut ops = vec![make(Making::Trying); 4];
    ops.push(Op::TwoLater { kinds: [Kind::Node, Kind::Leaf], edges: [0, 3] });
    ops.push(make(Making::OrCollect));
    ops.extend(vec![make(Making::Unrooted); 4]);
    ops.extend([Op::CloneGraph(3), Op::Intern { table: 0, name: 5, by: Interning::ByTrying }]);
    // Room for one, which is then under construction.
    ops.push(Op::Destroy { target: 0, erased: false });
    let (kind, inside) = (Kind::Leaf, inside(&[make(Making::Trying), make(Making::OrCollect)]));
    ops.push(Op::Cyclic { kind, edges: [0, 0], inside, ending: Ending::Returns });
    ops.extend([Op::Pace { units: Units::Few(2), source: Source::Kept }, make(Making::Rooted)]);
    ops.extend([Op::Pace { units: Units::All, source: Source::Kept }, make(Making::Rooted)]);
    ops.extend(vec![make(Making::OrCollect); 3]);
    ops
}
