//! Stepped programs, as data.

use std::cell::Cell;
use std::fmt::{self, Write};
use std::time::{Duration, Instant};

use slotgc::HeapConfig;

use crate::kind::{Fuse, Kind, UserCode};
use crate::log;
use crate::model::Limits;
use crate::ops::Interning;

thread_local! {
    static START: Instant = Instant::now();
}

/// A clock that jumps.
fn wild() -> Duration {
    thread_local! {
        static READINGS: Cell<u64> = const { Cell::new(0) };
    }
    let reading = READINGS.replace(READINGS.get() + 1);
    match reading % 3 {
        0 => Duration::ZERO,
        1 => Duration::MAX,
        _ => Duration::from_micros(reading),
    }
}

/// A program, and the settings of its heap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Program {
    pub tuning: Tuning,
    pub ops: Vec<Op>,
}

/// Settings of a heap. The numbers are small, so that pacing does something in small heaps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tuning {
    /// In units of 64 bytes.
    pub nursery: Option<u8>,
    /// In hundredths.
    pub growth: Option<u8>,
    /// In units of 256 bytes.
    pub ceiling: Option<u8>,
    pub stress: bool,
    /// Whether a cycle may free objects that were allocated while it marked.
    pub collect_new: bool,
    /// In KiB.
    pub owned: Option<u8>,
    pub limit: Limit,
    pub clock: Clock,
    pub end: End,
}

/// The limit of a heap: programs that keep to few objects meet it often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Limit {
    #[default]
    Unlimited,
    Objects(u8),
    /// In units of 2 KiB.
    Bytes(u8),
}

/// The clock of a heap. None of them changes what the heap does: budgets are in objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Clock {
    #[default]
    OfSystem,
    /// Always the same time.
    Still,
    /// From one extreme to the other.
    Wild,
}

/// The end of a heap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum End {
    /// It is collected until it is empty.
    #[default]
    Collected,
    /// It is dropped as it is, perhaps in the middle of a cycle, and so in all that follow.
    Dropped,
    ShutDown,
    /// By `*heap = Heap::new()` in the `make` of `alloc_cyclic`.
    InMake,
    /// The same in a callback.
    InCallback,
    /// The same in an at-exit finalizer of a heap that is dropped.
    AtExit,
}

impl Tuning {
    pub(super) fn limits(self) -> Limits {
        let none = Limits::default();
        match self.limit {
            Limit::Unlimited => none,
            Limit::Objects(objects) => Limits { objects: objects.into(), ..none },
            Limit::Bytes(units) => Limits { bytes: usize::from(units) << 11, ..none },
        }
    }

    pub(super) fn config(self) -> HeapConfig {
        let Limits { objects, bytes } = self.limits();
        let mut config = HeapConfig::default().stress(self.stress).collect_new(self.collect_new);
        config = config.max_objects(objects).max_bytes(bytes);
        config = match self.clock {
            Clock::OfSystem => config.clock(log::clock(|| START.with(Instant::elapsed))),
            Clock::Still => config.clock(log::clock(|| Duration::ZERO)),
            Clock::Wild => config.clock(log::clock(wild)),
        };
        if let Some(kib) = self.owned {
            config = config.max_owned_bytes(usize::from(kib) << 10);
        }
        if let Some(units) = self.nursery {
            config = config.nursery_bytes(usize::from(units) * 64);
        }
        if let Some(part) = self.growth {
            config = config.growth(f32::from(part) / 100.0);
        }
        if let Some(units) = self.ceiling {
            config = config.ceiling_bytes(usize::from(units) * 256);
        }
        config
    }
}

/// What the program may do. A number that names an object counts the living ones from the last made, round
/// and round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Makes an object with two edges.
    Make {
        kind: Kind,
        edges: [u8; 2],
        how: Making,
    },
    /// Makes two objects through `&Heap`, for one flush, each with two edges.
    TwoLater {
        kinds: [Kind; 2],
        edges: [u8; 2],
    },
    /// Makes this many, each with an edge to the one before.
    Chain {
        kind: Kind,
        len: u8,
        rooted: bool,
    },
    /// Makes an object with its handle in hand; `inside` runs before it is there.
    Cyclic {
        kind: Kind,
        edges: [u8; 2],
        inside: Inside,
        ending: Ending,
    },
    /// Changes an object.
    Change {
        target: u8,
        by: Way,
        edit: Edit,
    },
    /// Changes one of the objects that are behind a lock, through `&`.
    Through {
        target: u8,
        edit: Edit,
    },
    /// Changes a value of a `WeakKeyMap` that has a lock, through `&`.
    ThroughValue {
        target: u8,
        to: u8,
    },
    /// Says that an object owns so many KiB.
    Own {
        target: u8,
        kib: u8,
    },
    /// The clock panics at this reading from now on, once.
    ArmClock(u8),
    /// This code panics at this call from now on, once.
    ArmCode {
        code: UserCode,
        call: u8,
    },
    /// Interns a name, in one of the tables; if there is none makes one.
    Intern {
        table: u8,
        name: u8,
        by: Interning,
    },
    /// Asks one of the `WeakValueMap`s of nodes for an object; if there is no map makes one. `inside` runs
    /// before the object is made.
    GetOrAlloc {
        table: u8,
        key: u8,
        edge: Option<u8>,
        inside: Inside,
        ending: Ending,
    },
    /// Makes an object of a clone of one that is a weak collection.
    CloneTable(u8),
    /// Copies an object and all that it reaches by edges.
    CloneGraph(u8),
    Root(u8),
    Unroot(u8),
    /// Puts a handle into the root source.
    Keep(u8),
    /// Takes one out.
    Forget(u8),
    Destroy {
        target: u8,
        erased: bool,
    },
    /// Registers a callback, which runs these ops.
    OnDeath {
        target: u8,
        then: Inside,
        ending: Ending,
    },
    /// Registers a finalizer, which runs these ops.
    Finalize {
        target: u8,
        then: Inside,
        ending: Ending,
    },
    /// Registers a tag.
    Watch(u8),
    Cancel(u8),
    /// Makes the object panic, when it is traced next or in its destructor.
    Arm {
        target: u8,
        fuse: Fuse,
    },
    Step {
        units: Units,
        source: Source,
    },
    /// Steps of one unit until the cycle is in this phase (1: mark, to 5: notify), or finished.
    StepTo {
        phase: u8,
    },
    /// Follows edges through `&Heap`, as a thread beside the program does; with another thread, perhaps.
    Help {
        units: Units,
        alone: bool,
    },
    Pace {
        units: Units,
        source: Source,
    },
    Minor(Source),
    Collect(Source),
    /// Says that `pace` must have something to do: for programs made by hand.
    Due,
    Pause,
    Resume,
    Shrink,
}

/// How an object is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Making {
    Unrooted,
    Rooted,
    /// Through `&Heap`.
    Later,
    /// Where a limit returns the value.
    Trying,
    /// With a collection at a limit.
    OrCollect,
}

/// How user code that has the heap ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Returns,
    Panics,
    /// It puts another heap in the place of the one it was lent.
    Swaps,
    /// Both.
    SwapsAndPanics,
}

impl Ending {
    pub(super) fn panics(self) -> bool {
        matches!(self, Ending::Panics | Ending::SwapsAndPanics)
    }

    pub(super) fn swaps(self) -> bool {
        matches!(self, Ending::Swaps | Ending::SwapsAndPanics)
    }
}

/// How the program gets an object to change it: every call that gives out a `&mut`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    ByGet,
    ByTry,
    ByIndex,
    ByIter,
    /// Split off.
    BySplit,
    /// Of the others, while this one is split off.
    Beside(u8),
    /// Together with this one: one of `get_disjoint_mut` if they are of one type, else of `get_pair_mut`.
    With(u8),
    /// As the second of the two.
    After(u8),
}

/// A budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Units {
    Few(u8),
    All,
}

/// The root source of a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// None: what was put there is not kept.
    Nothing,
    /// What was put there.
    Kept,
    /// The same, by a source that reports what changed since it was last asked.
    Logged,
    /// Panics when it is asked.
    Panicking,
}

/// A change of an object, of what its kind has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit {
    Value(u8),
    Link(u8),
    Unlink(u8),
    Clear,
    /// The weak list.
    Listen(u8),
    /// The table of ephemerons, with an inner key maybe.
    Entry {
        key: u8,
        inner: Option<u8>,
        value: u8,
    },
    /// The `WeakSet`: inserts, or removes.
    Element {
        of: u8,
        put: bool,
    },
    /// The `WeakValueMap`, with a strong edge in the key maybe.
    Mapped {
        key: u8,
        to: u8,
        edge: Option<u8>,
    },
    Unmapped(u8),
    /// The `WeakKeyMap`.
    Keyed {
        key: u8,
        to: u8,
        inner: Option<u8>,
    },
    Unkeyed(u8),
    /// The value of this key in the `WeakKeyMap` gets a lock.
    LockKey(u8),
    /// Another object for this key of the `WeakValueMap`, in place.
    Remapped {
        key: u8,
        to: u8,
    },
    /// So many entries for the tables, from this key or object on, and as many more as there is room for.
    Fill {
        from: u8,
        len: u8,
    },
    /// Takes as many out.
    Empty {
        from: u8,
        len: u8,
    },
    /// The `WeakValueMap` gives memory back.
    Shorten,
}

/// Ops inside an op.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Inside(pub Vec<Op>);

impl fmt::Debug for Inside {
    /// As the expression that makes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "inside(&{:?})", self.0)
    }
}

/// Ops inside an op, as printed.
pub fn inside(ops: &[Op]) -> Inside {
    Inside(ops.to_vec())
}

/// What a program did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Operations, those inside of others included.
    pub ops: u64,
    pub objects: u64,
    /// Cycles that were finished, in one go or in slices.
    pub collections: u64,
    /// Objects that they freed.
    pub freed: u64,
    pub pruned: u64,
    /// Callbacks that ran and tags that were sent.
    pub told: u64,
    /// Calls that a panic of user code came out of.
    pub panics: u64,
    /// Those that a panic of a `Hash`, `Eq` or `Clone` came out of.
    pub broken: u64,
    /// Objects that a limit refused.
    pub refused: u64,
    /// Ops that began in each phase of a cycle.
    pub at: [u64; 6],
    /// All handles, and all that user code did, in order, folded.
    pub digest: u64,
}

impl Report {
    /// This and another one together.
    pub fn and(mut self, other: &Report) -> Report {
        let Report { ops, objects, collections, freed, pruned, told, panics, broken, refused, at, digest } =
            other;
        self.ops += ops;
        self.objects += objects;
        self.collections += collections;
        self.freed += freed;
        self.pruned += pruned;
        self.told += told;
        self.panics += panics;
        self.broken += broken;
        self.refused += refused;
        self.at.iter_mut().zip(at).for_each(|(sum, ops)| *sum += ops);
        self.digest ^= digest;
        self
    }
}

impl Program {
    /// The program as a Rust test.
    pub fn to_test(&self) -> String {
        let mut test =
            "#[test]\nfn heap_keeps_within_bounds() {\n    use slotgc_oracle::stepped::prelude::*;\n"
                .to_string();
        writeln!(test, "    run_stepped({:?}, &[", self.tuning).expect("writing to a string");
        for op in &self.ops {
            writeln!(test, "        {op:?},").expect("writing to a string");
        }
        test.push_str("    ]);\n}\n");
        test
    }
}
