//! The op language: what a mutator may do.
//!
//! Every sequence of ops is a valid program, hence every string of bytes is one ([`from_bytes`]): objects and
//! handles are named by small numbers, taken modulo what there is. The numbers are small so that programs meet
//! themselves: the same few objects are linked, destroyed, collected and named again.
//!
//! A new kind of op is a variant here and a method of the runner; nothing else names them all. The names of all
//! variants differ, so that a printed program needs no paths.

use std::fmt;

use arbitrary::{Arbitrary, Result, Unstructured};

use crate::kinds::{Fuse, Kind};

/// One operation on one of two heaps.
#[derive(Arbitrary, Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Makes an object.
    Alloc {
        #[arbitrary(with = mostly_first)]
        heap: u8,
        make: Make,
        how: How,
    },
    /// Makes an object with its own handle in hand; `inside` runs before there is the object.
    Cyclic {
        #[arbitrary(with = mostly_first)]
        heap: u8,
        make: Make,
        inside: Block,
        ending: Ending,
    },
    /// Makes many objects.
    Burst {
        #[arbitrary(with = mostly_first)]
        heap: u8,
        kind: Kind,
        size: u8,
        shape: Shape,
        rooted: bool,
    },
    /// Reads an object.
    Read {
        #[arbitrary(with = mostly_first)]
        heap: u8,
        target: Pick,
        by: Access,
    },
    /// Changes an object.
    Change {
        #[arbitrary(with = mostly_first)]
        heap: u8,
        target: Pick,
        by: Access,
        edit: Edit,
    },
    /// Exchanges the values of two objects.
    Exchange {
        #[arbitrary(with = mostly_first)]
        heap: u8,
        targets: [Pick; 2],
    },
    /// Changes every object of a type.
    ChangeAll {
        #[arbitrary(with = mostly_first)]
        heap: u8,
        kind: Kind,
        value: u8,
    },
    /// Splits an object off, looks at another and makes one beside it, and changes the one in hand.
    Split {
        #[arbitrary(with = mostly_first)]
        heap: u8,
        target: Pick,
        peek: Pick,
        make: Option<Make>,
        edit: Edit,
    },
    /// Makes an object panic when it is next traced, or when it dies.
    Arm {
        #[arbitrary(with = mostly_first)]
        heap: u8,
        target: Pick,
        fuse: Fuse,
    },
    /// Asks for the type behind a handle.
    Downcast {
        #[arbitrary(with = mostly_first)]
        heap: u8,
        target: Pick,
        kind: Kind,
    },
    /// Compares two handles, of any heaps.
    Compare {
        #[arbitrary(with = mostly_first)]
        heap: u8,
        targets: [Pick; 2],
    },
    /// Roots an object.
    Root {
        #[arbitrary(with = mostly_first)]
        heap: u8,
        target: Pick,
    },
    /// Clones one of the roots.
    CloneRoot { index: u8 },
    /// Drops some of the roots.
    DropRoots { index: u8, len: u8 },
    /// Ends an object by hand.
    Destroy {
        #[arbitrary(with = mostly_first)]
        heap: u8,
        target: Pick,
        erased: bool,
    },
    /// Ends many objects by hand, enough that their slots are reused while live objects still name them.
    DestroyMany {
        #[arbitrary(with = mostly_first)]
        heap: u8,
        kind: Kind,
        size: u8,
        newest: bool,
    },
    /// Collects.
    Collect {
        #[arbitrary(with = mostly_first)]
        heap: u8,
    },
    /// Collects with handles that are kept outside, by a source that may panic.
    CollectWith {
        #[arbitrary(with = mostly_first)]
        heap: u8,
        roots: [Pick; 3],
        ending: Ending,
    },
    /// Gives memory back.
    Shrink {
        #[arbitrary(with = mostly_first)]
        heap: u8,
    },
    /// Drops a heap and starts another in its place. Its roots and handles stay around.
    Fresh {
        #[arbitrary(with = mostly_first)]
        heap: u8,
        setup: Setup,
    },
}

/// Which object to make: the links it holds are strong edges.
#[derive(Arbitrary, Clone, Debug, PartialEq, Eq)]
pub struct Make {
    pub kind: Kind,
    pub value: u8,
    pub edges: [Pick; 2],
}

/// How to make an object.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    Unrooted,
    AtRoot,
    Trying,
    /// Collects at a limit, with one handle kept outside.
    OrCollect(Pick),
}

/// How user code inside a call ends.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Returns,
    Panics,
}

/// How the objects of a burst are linked.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Not at all.
    Loose,
    /// Each to the one before.
    Chain,
    /// Each to this one.
    Star(Pick),
    /// From this one to each.
    Fan(Pick),
}

/// Which object, or which handle that may name none.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick {
    /// Of the handles that the heap gave out, counted from the last.
    Recent(u8),
    /// Of the living objects, counted from the last made.
    Live(u8),
    /// Of the rooted ones.
    Rooted(u8),
    /// Any handle that the heap gave out, counted from the first.
    Ever(u16),
    /// A handle of the other heap, counted from the last.
    Stray(u8),
    /// A handle beside a recent one: another generation, or another place.
    Near { like: u8, generation: i8, granule: i8 },
    /// A recent handle, read as one of another type.
    Cast { like: u8, kind: Kind },
    /// Made-up bits.
    Bits(u64, Kind),
}

/// Through what an object is reached.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    ByGc,
    ByWeak,
    ByGcRef,
    ByWeakRef,
    ByTry,
    ByIndex,
    ByWeakIndex,
}

/// A change to an object's contents.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit {
    Value(u8),
    /// A strong edge more, as an `AnyGc` if `erased`.
    Link {
        to: Pick,
        erased: bool,
    },
    /// A strong edge to each of the last handles given out.
    LinkMany(u8),
    /// The edge at this place instead of the one there.
    Relink {
        at: u8,
        to: Pick,
    },
    /// An edge less.
    Unlink(u8),
    /// An element more in the weak list.
    Listen(Pick),
    /// An entry more in the ephemeron table.
    Entry {
        key: Pick,
        value: Pick,
    },
    /// An entry whose value is itself guarded by a key.
    Nested {
        keys: [Pick; 2],
        value: Pick,
    },
    /// Nothing left.
    Clear,
}

/// The settings of a heap.
#[derive(Arbitrary, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Setup {
    pub first: First,
    /// Sixteenfold, plus one. `None`: no limit.
    pub max_objects: Option<u8>,
    /// In KiB, plus one. `None`: no limit.
    pub max_bytes: Option<u8>,
}

/// Where generations start.
#[derive(Arbitrary, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum First {
    #[default]
    One,
    /// The heap's number times this: apart from the other heap's.
    Apart,
    /// So many before the last, so that slots are soon used up.
    BeforeLast(u8),
}

/// Ops inside an op.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Block(pub Vec<Op>);

impl fmt::Debug for Block {
    /// As the expression that makes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "block(&{:?})", self.0)
    }
}

impl<'a> Arbitrary<'a> for Block {
    /// Half of the time empty, else a few ops: a program that nests without end would do little else.
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let len = u8::arbitrary(u)?.saturating_sub(128) / 32;
        (0..len).map(|_| Op::arbitrary(u)).collect::<Result<_>>().map(Self)
    }

    fn size_hint(_: usize) -> (usize, Option<usize>) {
        (1, None)
    }
}

/// The first heap three times out of four, so that it becomes interesting.
fn mostly_first(u: &mut Unstructured<'_>) -> Result<u8> {
    Ok(u8::from(u8::arbitrary(u)? % 4 == 3))
}

/// The program that these bytes are.
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

/// The op with which these bytes begin.
pub fn op_from_bytes(bytes: &[u8]) -> Op {
    next_op(&mut Unstructured::new(bytes))
}

fn next_op(bytes: &mut Unstructured<'_>) -> Op {
    // Bytes that run out read as zeros; what fails is ops nested too deep.
    Op::arbitrary(bytes).unwrap_or(Op::Collect { heap: 0 })
}
