//! Stepped programs from bytes: which ops, and how often. Also shortens a failing program.

use arbitrary::{Arbitrary, Result, Unstructured};

use crate::kind::{Fuse, Kind, UserCode};
use crate::ops::Interning;
use crate::random::random_bytes;
use crate::shrink::{Nested, shrink};
use crate::stepped::program::{
    Clock, Edit, End, Ending, Inside, Limit, Making, Op, Program, Source, Tuning, Units, Way,
};

/// The program that these bytes are.
///
/// # Examples
/// ```
/// use slotgc_oracle::stepped::{program_from_bytes, run_stepped};
///
/// let program = program_from_bytes(b"any bytes at all, the longer the better, are a program");
/// run_stepped(program.tuning, &program.ops);
/// ```
pub fn program_from_bytes(bytes: &[u8]) -> Program {
    let mut u = Unstructured::new(bytes);
    let tuning = tuning(&mut u).unwrap_or_default();
    let mut ops = Vec::new();
    while !u.is_empty() {
        ops.extend(op(&mut u, 0));
    }
    Program { tuning, ops }
}

/// A random program of about that many bytes. The same seed produces the same program.
pub fn random_stepped(seed: u64, bytes: usize) -> Program {
    program_from_bytes(&random_bytes(seed, bytes))
}

fn tuning(u: &mut Unstructured<'_>) -> Result<Tuning> {
    let choice = u8::arbitrary(u)?;
    let mut some = |bit: u8| Ok(if choice & bit == 0 { None } else { Some(u8::arbitrary(u)? % 64) });
    let (nursery, growth, ceiling) = (some(1)?, some(2)?, some(4)?);
    let (odd, last) = (byte(u)?, byte(u)?);
    let owned = (odd % 4 == 0).then_some(odd / 4);
    let limit = match odd % 8 {
        1 => Limit::Objects(odd / 8 * 2),
        5 => Limit::Bytes(odd / 8 * 2),
        _ => Limit::Unlimited,
    };
    let clock = match last / 16 % 4 {
        0 => Clock::Wild,
        1 => Clock::Still,
        _ => Clock::OfSystem,
    };
    let end = match last % 16 {
        0..=7 => End::Collected,
        8 | 9 => End::Dropped,
        10 | 11 => End::ShutDown,
        12 => End::InMake,
        13 => End::InCallback,
        _ => End::AtExit,
    };
    Ok(Tuning {
        nursery,
        growth,
        ceiling,
        stress: choice % 32 == 31,
        collect_new: choice & 64 != 0,
        owned,
        limit,
        clock,
        end,
    })
}

fn op(u: &mut Unstructured<'_>, depth: u32) -> Result<Op> {
    let (choice, number) = (byte(u)?, byte(u)?);
    if choice >= NEW {
        return op_of_tables(u, choice - NEW, number, depth);
    }
    Ok(match choice % 48 {
        0..=5 => {
            let how = match number {
                0..64 => Making::Rooted,
                64..96 => Making::Later,
                96..112 => Making::Trying,
                112..128 => Making::OrCollect,
                _ => Making::Unrooted,
            };
            Op::Make { kind: Kind::arbitrary(u)?, edges: [byte(u)?, byte(u)?], how }
        }
        6 | 7 => Op::Chain { kind: Kind::arbitrary(u)?, len: number % 40, rooted: number < 128 },
        8 => {
            let (kind, edges) = (Kind::arbitrary(u)?, [byte(u)?, byte(u)?]);
            Op::Cyclic { kind, edges, inside: block(u, depth)?, ending: ending(number) }
        }
        9..=17 => Op::Change { target: number, by: way(u)?, edit: edit(u)? },
        18 => Op::Root(number),
        19 | 20 => Op::Unroot(number),
        21 => Op::Keep(number),
        22 => Op::Forget(number),
        23 => Op::Destroy { target: number, erased: number % 2 == 0 },
        24 | 25 => Op::OnDeath { target: number, then: block(u, depth)?, ending: ending(byte(u)?) },
        26 => Op::Watch(number),
        27 if number < 128 => Op::Cancel(number),
        27 if number < 200 => {
            let fuse = if number % 2 == 0 { Fuse::Trace } else { Fuse::Drop };
            Op::Arm { target: byte(u)?, fuse }
        }
        27 => Op::Shrink,
        28..=32 => Op::Step { units: units(number), source: source(u)? },
        33 => Op::StepTo { phase: number % 5 + 1 },
        34 | 35 => Op::Pace { units: units(number), source: source(u)? },
        36 | 37 => Op::Minor(source(u)?),
        38 if number < 128 => Op::Collect(source(u)?),
        38 => Op::Step { units: Units::All, source: source(u)? },
        40..=42 => Op::Through { target: number, edit: edit(u)? },
        43 if number < 128 => Op::Own { target: number, kib: byte(u)? % 32 },
        43 if number < 192 => Op::ArmClock(number % 16),
        43 => Op::Own { target: number, kib: 0 },
        44 => Op::Finalize { target: number, then: block(u, depth)?, ending: ending(byte(u)?) },
        45 => Op::Help { units: units(number), alone: number % 16 > 0 },
        47 => Op::ThroughValue { target: number, to: byte(u)? % 3 },
        46 => {
            Op::TwoLater { kinds: [Kind::arbitrary(u)?, Kind::arbitrary(u)?], edges: [number % 3, byte(u)?] }
        }
        _ if number < 32 => Op::Pause,
        _ if number < 128 => Op::Resume,
        _ => Op::Step { units: Units::Few(1), source: source(u)? },
    })
}

/// From here on a byte is an op with tables.
const NEW: u8 = 240;

/// Ops in which user code is called that may panic, and that code.
fn op_of_tables(u: &mut Unstructured<'_>, choice: u8, number: u8, depth: u32) -> Result<Op> {
    Ok(match choice {
        0..=2 => {
            let by = match byte(u)? % 8 {
                0 => Interning::ByMaking(number / 32),
                1 => Interning::ByMaking(number % 4),
                2 => Interning::Looking,
                3 | 4 => Interning::ByTrying,
                _ => Interning::ByValue,
            };
            Op::Intern { table: number / 8, name: number % 8, by }
        }
        3..=5 => {
            let (key, edge) = (byte(u)? % 32, byte(u)?);
            let edge = (edge % 4 == 0).then_some(edge / 4);
            Op::GetOrAlloc { table: number, key, edge, inside: block(u, depth)?, ending: ending(byte(u)?) }
        }
        6 => Op::CloneTable(number),
        7 => Op::CloneGraph(number),
        8..=11 => Op::ArmCode { code: UserCode::arbitrary(u)?, call: few(number) },
        12 | 13 => Op::Change { target: number, by: way(u)?, edit: many(u)? },
        14 => Op::Through { target: number, edit: many(u)? },
        _ => Op::Change { target: number, by: way(u)?, edit: edit(u)? },
    })
}

/// Mostly small, and seldom large.
fn few(number: u8) -> u8 {
    if number < 224 { number % 6 } else { number % 128 }
}

/// Many edits of tables, or what goes with them.
fn many(u: &mut Unstructured<'_>) -> Result<Edit> {
    let (choice, number, of) = (byte(u)? % 8, byte(u)?, byte(u)?);
    // As many as are traced in slices, sometimes.
    let len = if of < 224 { of % 32 } else { of / 2 };
    Ok(match choice {
        0..=3 => Edit::Fill { from: number, len },
        4 => Edit::Empty { from: number, len: of },
        5 => Edit::Shorten,
        6 => Edit::Remapped { key: number % 32, to: of },
        _ => Edit::Empty { from: number, len },
    })
}

fn byte(u: &mut Unstructured<'_>) -> Result<u8> {
    u8::arbitrary(u)
}

fn ending(number: u8) -> Ending {
    match number % 16 {
        0 => Ending::Panics,
        1 | 2 => Ending::Swaps,
        3 => Ending::SwapsAndPanics,
        _ => Ending::Returns,
    }
}

fn way(u: &mut Unstructured<'_>) -> Result<Way> {
    let number = byte(u)?;
    Ok(match number % 12 {
        0 => Way::ByTry,
        1 => Way::ByIndex,
        2 => Way::ByIter,
        3 => Way::BySplit,
        4 => Way::Beside(byte(u)?),
        5 => Way::With(byte(u)?),
        6 => Way::After(byte(u)?),
        _ => Way::ByGet,
    })
}

fn units(number: u8) -> Units {
    if number >= 250 { Units::All } else { Units::Few(number % 12) }
}

fn source(u: &mut Unstructured<'_>) -> Result<Source> {
    Ok(match byte(u)? {
        0..=99 => Source::Kept,
        100..=199 => Source::Logged,
        200..=249 => Source::Nothing,
        _ => Source::Panicking,
    })
}

fn block(u: &mut Unstructured<'_>, depth: u32) -> Result<Inside> {
    let len = if depth < 3 { byte(u)?.saturating_sub(96) / 32 } else { 0 };
    (0..len).map(|_| op(u, depth + 1)).collect::<Result<_>>().map(Inside)
}

fn edit(u: &mut Unstructured<'_>) -> Result<Edit> {
    let (choice, number, of) = (byte(u)? % 21, byte(u)?, byte(u)?);
    let mut maybe = || Ok(if byte(u)? % 4 == 0 { Some(byte(u)?) } else { None });
    Ok(match choice {
        0 => Edit::Value(number),
        // To what was made last, which nothing else may hold.
        1..=3 => Edit::Link(number % 3),
        4..=6 => Edit::Link(number),
        7 | 8 => Edit::Unlink(number),
        9 => Edit::Clear,
        10 | 11 => Edit::Listen(number),
        12 | 13 => Edit::Entry { key: number, inner: maybe()?, value: of },
        14 | 15 => Edit::Element { of: number, put: of < 192 },
        16 => Edit::Mapped { key: number % 8, to: of, edge: maybe()? },
        17 => Edit::Unmapped(number % 8),
        18 => Edit::Keyed { key: number, to: of, inner: maybe()? },
        20 => Edit::LockKey(number),
        _ if of < 128 => Edit::Keyed { key: number, to: of, inner: maybe()? },
        _ => Edit::Unkeyed(number),
    })
}

impl Nested for Op {
    fn inside(&mut self) -> Option<&mut Vec<Op>> {
        match self {
            Op::Cyclic { inside, .. }
            | Op::OnDeath { then: inside, .. }
            | Op::GetOrAlloc { inside, .. }
            | Op::Finalize { then: inside, .. } => Some(&mut inside.0),
            _ => None,
        }
    }
}

/// Leaves out ops as long as the program still `fails`, as [`shrink`](crate::shrink()) does.
pub fn shrink_stepped(program: &Program, fails: &mut dyn FnMut(&Program) -> bool) -> Program {
    let tuning = program.tuning;
    let ops = shrink(program.ops.clone(), &mut |ops| fails(&Program { tuning, ops: ops.to_vec() }));
    Program { tuning, ops }
}
