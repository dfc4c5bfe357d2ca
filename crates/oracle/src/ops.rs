//! The op language: what a mutator may do.
//!
//! Every sequence of ops is a valid program, and so is every string of bytes ([`from_bytes`]): objects and
//! handles are named by numbers, taken modulo their count. The numbers are small, so that a program names the
//! same few objects again and again: to link, destroy and collect them.
//!
//! A new op needs a variant here and a method of the runner. The names of all variants differ, so that a
//! printed program needs no paths.

mod generate;
mod shapes;
mod weak;

use std::fmt;

use arbitrary::Arbitrary;

use crate::kind::{Fuse, Kind};
use crate::shrink::Nested;

use generate::{mostly_first, mostly_live, seldom, seldom_panics, small};

pub use generate::{from_bytes, op_from_bytes, rooted_tables, weak_from_bytes, weak_op_from_bytes};
pub use shapes::shapes;
pub use weak::{Combine, Gives, Goal, Interning, KeysEdit, SetEdit, Sort, Using, ValuesEdit};

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
    /// Makes an object that knows its own handle; `inside` runs before the object exists.
    Cyclic {
        #[arbitrary(with = mostly_first)]
        heap: u8,
        make: Make,
        inside: Block,
        #[arbitrary(with = seldom_panics)]
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
    /// Splits an object off, reads another and makes one beside it, and changes the one split off.
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
    /// Returns memory to the system.
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
    /// Edits a `WeakValueMap`, of a living object or outside of the heap.
    EditValues {
        #[arbitrary(with = mostly_first)]
        heap: u8,
        table: u8,
        #[arbitrary(with = weak::values_edit)]
        edit: ValuesEdit,
    },
    /// Edits a `WeakKeyMap`.
    EditKeys {
        #[arbitrary(with = mostly_first)]
        heap: u8,
        table: u8,
        #[arbitrary(with = weak::keys_edit)]
        edit: KeysEdit,
    },
    /// Edits a `WeakSet`.
    EditSet {
        #[arbitrary(with = mostly_first)]
        heap: u8,
        table: u8,
        #[arbitrary(with = weak::set_edit)]
        edit: SetEdit,
    },
    /// Combines the set outside of the heap with one of a living object.
    CombineSets {
        #[arbitrary(with = mostly_first)]
        heap: u8,
        table: u8,
        by: Combine,
    },
    /// Interns a name.
    Intern {
        #[arbitrary(with = mostly_first)]
        heap: u8,
        table: u8,
        #[arbitrary(with = small)]
        name: u8,
        by: Interning,
    },
    /// Gets an object from a `WeakValueMap`, or makes it if there is none; `inside` runs before it is made.
    GetOrAlloc {
        #[arbitrary(with = mostly_first)]
        heap: u8,
        table: u8,
        #[arbitrary(with = small)]
        key: u8,
        edge: Option<Pick>,
        make: Make,
        inside: Block,
        /// Whether the factory then swaps this heap for the other one.
        #[arbitrary(with = seldom)]
        swaps: bool,
        #[arbitrary(with = seldom_panics)]
        ending: Ending,
    },
    /// As `GetOrAlloc`, where the factory finds an object by itself, or does not.
    GetOrTry {
        #[arbitrary(with = mostly_first)]
        heap: u8,
        table: u8,
        #[arbitrary(with = small)]
        key: u8,
        inside: Block,
        #[arbitrary(with = seldom)]
        swaps: bool,
        gives: Gives,
    },
    /// Puts a clone of a weak collection outside of the heap, in place of the one there.
    CopyOut {
        #[arbitrary(with = mostly_first)]
        heap: u8,
        table: u8,
        sort: Sort,
    },
    /// Makes an object from a clone of the weak collection outside of the heap.
    CopyIn {
        #[arbitrary(with = mostly_first)]
        heap: u8,
        sort: Sort,
        rooted: bool,
    },
    /// Prunes the weak collections outside of the heap.
    PruneOutside {
        #[arbitrary(with = mostly_first)]
        heap: u8,
    },
    /// Registers a callback, which runs the ops `then`.
    OnDeath {
        #[arbitrary(with = mostly_first)]
        heap: u8,
        #[arbitrary(with = mostly_live)]
        target: Pick,
        then: Block,
        #[arbitrary(with = seldom_panics)]
        ending: Ending,
    },
    /// Registers a finalizer, which runs the ops `then`.
    Finalize {
        #[arbitrary(with = mostly_first)]
        heap: u8,
        #[arbitrary(with = mostly_live)]
        target: Pick,
        then: Block,
        #[arbitrary(with = seldom_panics)]
        ending: Ending,
    },
    /// Uses one of the finalizers, on this heap.
    UseFinalizer {
        #[arbitrary(with = mostly_first)]
        heap: u8,
        index: u8,
        by: Using,
    },
    /// Registers a tag for the heap's queue.
    WatchQueue {
        #[arbitrary(with = mostly_first)]
        heap: u8,
        #[arbitrary(with = mostly_live)]
        target: Pick,
    },
    /// Takes tags out of the queue.
    Poll {
        #[arbitrary(with = mostly_first)]
        heap: u8,
        all: bool,
    },
    /// Registers an object at one of two graveyards.
    Bury {
        #[arbitrary(with = mostly_first)]
        heap: u8,
        #[arbitrary(with = mostly_live)]
        target: Pick,
        second: bool,
    },
    /// Takes values out of the fullest graveyard.
    Exhume {
        #[arbitrary(with = mostly_first)]
        heap: u8,
        all: bool,
    },
    /// Cancels one of the watches, on this heap.
    Cancel {
        #[arbitrary(with = mostly_first)]
        heap: u8,
        watch: u8,
    },
    /// Drops a guard of one of the watches.
    DropGuard { watch: u8 },
    /// Puts a guard of one of the watches into an object: its destructor cancels.
    GuardIn {
        #[arbitrary(with = mostly_first)]
        heap: u8,
        #[arbitrary(with = mostly_live)]
        target: Pick,
        watch: u8,
    },
    /// As `Fresh`, by `shutdown`.
    Shutdown {
        #[arbitrary(with = mostly_first)]
        heap: u8,
        setup: Setup,
    },
}

impl Nested for Op {
    fn inside(&mut self) -> Option<&mut Vec<Op>> {
        match self {
            Op::Cyclic { inside, .. } | Op::GetOrAlloc { inside, .. } | Op::GetOrTry { inside, .. } => {
                Some(&mut inside.0)
            }
            Op::OnDeath { then, .. } | Op::Finalize { then, .. } => Some(&mut then.0),
            _ => None,
        }
    }
}

/// Which object to make; the links that it holds are strong edges.
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
    /// Through `&Heap`, and the flush right after.
    Later,
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

/// Which object, or which handle, which may name no object.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick {
    /// Of the handles that the heap handed out, counted from the last.
    Recent(u8),
    /// Of the living objects, counted from the last made.
    Live(u8),
    /// Of the rooted ones.
    Rooted(u8),
    /// Any handle that the heap handed out, counted from the first.
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
    /// One more strong edge, as an `AnyGc` if `erased`.
    Link {
        to: Pick,
        erased: bool,
    },
    /// A strong edge to each of the last handles handed out.
    LinkMany(u8),
    /// Replaces the edge at this place.
    Relink {
        at: u8,
        to: Pick,
    },
    /// One edge fewer.
    Unlink(u8),
    /// One more element in the weak list.
    Listen(Pick),
    /// One more entry in the ephemeron table.
    Entry {
        key: Pick,
        value: Pick,
    },
    /// An entry whose value is itself guarded by a key.
    Nested {
        keys: [Pick; 2],
        value: Pick,
    },
    /// Removes everything.
    Clear,
}

/// The settings of a heap.
#[derive(Arbitrary, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Setup {
    pub first: First,
    /// In units of sixteen, plus one. `None`: no limit.
    pub max_objects: Option<u8>,
    /// In KiB, plus one. `None`: no limit.
    pub max_bytes: Option<u8>,
}

/// Where generations start.
#[derive(Arbitrary, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum First {
    #[default]
    One,
    /// At a distance that depends on the heap's number, so that it differs from the other heap's.
    Apart,
    /// This many before the last, so that slots are soon used up.
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
