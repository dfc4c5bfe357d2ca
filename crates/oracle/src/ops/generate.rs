//! Ops from bytes: which ops, and how often.

use arbitrary::{Arbitrary, Result, Unstructured};

use crate::kind::Kind;
use crate::ops::{Block, Ending, Goal, KeysEdit, Make, Op, Pick, SetEdit, Shape, weak};

impl<'a> Arbitrary<'a> for Block {
    /// Half of the time empty, else a few ops: a program that nests without end would do little else.
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let len = u8::arbitrary(u)?.saturating_sub(128) / 32;
        (0..len).map(|_| inner_op(u)).collect::<Result<_>>().map(Self)
    }

    fn size_hint(_: usize) -> (usize, Option<usize>) {
        (1, None)
    }
}

/// Half of the ops inside of user code are those that matter most there: collections, deaths, and weak edges
/// to what was made last, which may be under construction.
fn inner_op(u: &mut Unstructured<'_>) -> Result<Op> {
    let (choice, number) = (u8::arbitrary(u)? % 12, u8::arbitrary(u)?);
    let last = Pick::Recent(number % 2);
    Ok(match choice {
        0 | 1 => Op::Collect { heap: 0 },
        2 | 3 => Op::Destroy { heap: 0, target: Pick::Live(number % 16), erased: number >= 128 },
        6 => Op::WatchQueue { heap: 0, target: Pick::Live(number % 16) },
        4 => Op::EditSet { heap: 0, table: number, edit: SetEdit::PutElement(last) },
        5 => {
            let edit = KeysEdit::EntryKey { key: last, to: Goal::arbitrary(u)?, inner: None };
            Op::EditKeys { heap: 0, table: number, edit }
        }
        _ => Op::arbitrary(u)?,
    })
}

/// Keys and names are few, so that programs meet them again.
pub(super) fn small(u: &mut Unstructured<'_>) -> Result<u8> {
    Ok(u8::arbitrary(u)? % 8)
}

/// A panic one time in four: after a panic there is less to see.
pub(super) fn seldom(u: &mut Unstructured<'_>) -> Result<bool> {
    Ok(u8::arbitrary(u)? % 4 == 3)
}

pub(super) fn seldom_panics(u: &mut Unstructured<'_>) -> Result<Ending> {
    Ok(if u8::arbitrary(u)? % 4 == 3 { Ending::Panics } else { Ending::Returns })
}

/// A living object three times out of four.
pub(super) fn mostly_live(u: &mut Unstructured<'_>) -> Result<Pick> {
    if u8::arbitrary(u)? % 4 == 3 { Pick::arbitrary(u) } else { Ok(live(u)) }
}

/// The first heap three times out of four, so that it becomes interesting.
pub(super) fn mostly_first(u: &mut Unstructured<'_>) -> Result<u8> {
    Ok(u8::from(u8::arbitrary(u)? % 4 == 3))
}

/// The program that these bytes encode.
///
/// # Examples
/// ```
/// let ops = slotgc_oracle::from_bytes(b"any bytes at all, the longer the better, are a program");
/// slotgc_oracle::run(&ops);
/// ```
pub fn from_bytes(bytes: &[u8]) -> Vec<Op> {
    let mut bytes = Unstructured::new(bytes);
    let mut ops = Vec::new();
    while !bytes.is_empty() {
        ops.push(next_op(&mut bytes));
    }
    ops
}

/// The program that these bytes encode when most ops are about weak collections and deaths: it begins with
/// rooted weak collections of every sort, fills them with objects that nothing else holds, and collects
/// often.
pub fn weak_from_bytes(bytes: &[u8]) -> Vec<Op> {
    let mut bytes = Unstructured::new(bytes);
    let mut ops = rooted_tables();
    while !bytes.is_empty() {
        ops.push(next_of_weak(&mut bytes));
    }
    ops
}

/// One op as [`weak_from_bytes`] chooses them.
pub fn weak_op_from_bytes(bytes: &[u8]) -> Op {
    next_of_weak(&mut Unstructured::new(bytes))
}

fn next_of_weak(bytes: &mut Unstructured<'_>) -> Op {
    let (choice, number) = (next_byte(bytes) % 16, next_byte(bytes));
    match choice {
        0 => Op::Collect { heap: 0 },
        1 => members(number),
        2 => Op::Root { heap: 0, target: Pick::Live(number % 16) },
        3 => Op::CollectWith { heap: 0, roots: [(); 3].map(|()| live(bytes)), ending: Ending::Returns },
        4 if number % 2 == 0 => cyclic(bytes).unwrap_or_else(|_| next_op(bytes)),
        4 => next_op(bytes),
        // Bytes that have run out make no edit.
        5..8 => weak::keys_edit(bytes)
            .map_or_else(|_| next_op(bytes), |edit| Op::EditKeys { heap: 0, table: number, edit }),
        8 => weak::values_edit(bytes)
            .map_or_else(|_| next_op(bytes), |edit| Op::EditValues { heap: 0, table: number, edit }),
        9 => weak::set_edit(bytes)
            .map_or_else(|_| next_op(bytes), |edit| Op::EditSet { heap: 0, table: number, edit }),
        _ => next_weak_op(bytes),
    }
}

/// A node under construction: the weak collections hold it before it is there.
fn cyclic(u: &mut Unstructured<'_>) -> Result<Op> {
    let make = Make { kind: Kind::Node, ..Make::arbitrary(u)? };
    Ok(Op::Cyclic { heap: 0, make, inside: Block::arbitrary(u)?, ending: seldom_panics(u)? })
}

fn next_byte(bytes: &mut Unstructured<'_>) -> u8 {
    u8::arbitrary(bytes).unwrap_or(0)
}

/// A rooted object of each kind that has weak collections, and objects for them to refer to.
pub fn rooted_tables() -> Vec<Op> {
    let kinds = Kind::ALL.into_iter().filter(|kind| kind.is_bare() || kind.has_shelf());
    let rooted = |kind| Op::Burst { heap: 0, kind, size: 0, shape: Shape::Loose, rooted: true };
    let root = |back| Op::Root { heap: 0, target: Pick::Live(back) };
    kinds.map(rooted).chain([members(0), root(0), root(2)]).collect()
}

fn live(bytes: &mut Unstructured<'_>) -> Pick {
    Pick::Live(next_byte(bytes) % 16)
}

/// A few objects for weak collections to refer to. Half of the time a chain, whose end is marked late.
fn members(number: u8) -> Op {
    let shape = if number % 2 == 0 { Shape::Loose } else { Shape::Chain };
    let kind = if number % 8 < 6 { Kind::Node } else { Kind::Plain };
    Op::Burst { heap: 0, kind, size: 32, shape, rooted: number % 4 == 3 }
}

/// Draws until an op is about weak collections or deaths: one in two is.
fn next_weak_op(bytes: &mut Unstructured<'_>) -> Op {
    const DRAWS: usize = 6;
    let mut op = next_op(bytes);
    for _ in 1..DRAWS {
        if op.is_weak() || bytes.is_empty() {
            break;
        }
        op = next_op(bytes);
    }
    op
}

/// The op with which these bytes begin.
pub fn op_from_bytes(bytes: &[u8]) -> Op {
    next_op(&mut Unstructured::new(bytes))
}

fn next_op(bytes: &mut Unstructured<'_>) -> Op {
    // Bytes that run out read as zeros; what fails is ops nested too deep.
    Op::arbitrary(bytes).unwrap_or(Op::Collect { heap: 0 })
}

impl Op {
    /// Whether it is about weak collections or deaths.
    fn is_weak(&self) -> bool {
        matches!(
            self,
            Op::EditValues { .. }
                | Op::EditKeys { .. }
                | Op::EditSet { .. }
                | Op::CombineSets { .. }
                | Op::Intern { .. }
                | Op::GetOrAlloc { .. }
                | Op::GetOrTry { .. }
                | Op::CopyOut { .. }
                | Op::CopyIn { .. }
                | Op::PruneOutside { .. }
                | Op::OnDeath { .. }
                | Op::Finalize { .. }
                | Op::UseFinalizer { .. }
                | Op::WatchQueue { .. }
                | Op::Poll { .. }
                | Op::Bury { .. }
                | Op::Exhume { .. }
                | Op::Cancel { .. }
                | Op::DropGuard { .. }
                | Op::GuardIn { .. }
        )
    }
}
