//! Runs a program on two real heaps and on their models, and compares after every op.
//!
//! Invariant between two ops: heap and model agree on every handle ever given out, and every destructor that
//! should have run has, once. An op asks the model first what must happen, calls the heap, and panics with a
//! sentence where the heap did something else.

mod collecting;
mod compare;
mod mutating;

use std::fmt;
use std::mem;
use std::panic::{self, AssertUnwindSafe};

use slotgc::Heap;

use crate::calls::Held;
use crate::kinds::Kind;
use crate::link::{Contents, Link};
use crate::log::{self, Event, ObjectId};
use crate::model::{Index, Model, slot_bytes};
use crate::ops::{Block, Make, Op, Pick, Setup};
use crate::print::to_rust_test;

/// A heap under test and what it should hold.
struct World {
    heap: Heap,
    model: Model,
    /// Which heap in this place it is: its roots outlive it.
    incarnation: u32,
}

impl World {
    fn new(number: u8, setup: Setup, incarnation: u32) -> Self {
        let (config, limits) = setup.config(number);
        Self { heap: Heap::with_config(config), model: Model::new(limits), incarnation }
    }
}

/// A `Root` that the program has.
struct HeldRoot {
    root: Box<dyn Held>,
    link: Link,
    heap: usize,
    incarnation: u32,
    object: Index,
}

/// What a program did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Operations, those inside of others included.
    pub ops: u64,
    /// Objects made.
    pub objects: u64,
    /// Collections that ran to their end.
    pub collections: u64,
    /// Objects that they freed.
    pub freed: u64,
    /// All handles given out and all destructors that ran, in order, folded.
    pub digest: u64,
}

/// The state of a run.
struct Runner {
    worlds: [World; 2],
    held: Vec<HeldRoot>,
    made: u32,
    /// Objects whose destructors must have run by the end of this op, and those whose destructors ran.
    expected: Vec<ObjectId>,
    dropped: Vec<ObjectId>,
    /// How many entries of weak collections must have been dropped, and how many were.
    entries: [usize; 2],
    depth: u32,
    random: u64,
    report: Report,
}

/// Ops nest this deep at most; deeper ones do nothing.
const MAX_DEPTH: u32 = 3;
/// A heap with more objects than this makes no further ones in bursts.
const MANY_OBJECTS: usize = 20_000;

/// Runs a program. The same program gives the same report.
///
/// # Panics
/// Where the heap does not do what the model says.
pub fn run(ops: &[Op]) -> Report {
    run_noting(ops, &mut 0)
}

/// Runs a program; a difference between heap and model is given back.
///
/// # Errors
/// [`Failure`]: the op, the difference, and the program as a test.
pub fn check(ops: &[Op]) -> Result<Report, Failure> {
    let mut at = 0;
    log::caught(|| run_noting(ops, &mut at)).map_err(|payload| Failure {
        at,
        op: ops.get(at).map_or("the end".to_string(), |op| format!("{op:?}")),
        what: log::text_of(&*payload),
        test: to_rust_test(ops),
    })
}

/// A difference between heap and model.
#[derive(Clone, PartialEq, Eq)]
pub struct Failure {
    /// The number of the op.
    pub at: usize,
    /// The op.
    pub op: String,
    /// The difference.
    pub what: String,
    /// The program, as a Rust test to be pasted.
    pub test: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, op, what, test } = self;
        write!(f, "op {at}, {op}: {what}\n\n{test}")
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn run_noting(ops: &[Op], at: &mut usize) -> Report {
    let mut runner = Runner::new();
    for (index, op) in ops.iter().enumerate() {
        *at = index;
        runner.step(op);
    }
    *at = ops.len();
    runner.finish()
}

impl Runner {
    fn new() -> Self {
        slot_bytes(Kind::Node);
        log::take();
        let apart = Setup { first: crate::ops::First::Apart, ..Setup::default() };
        Self {
            worlds: [World::new(0, apart, 0), World::new(1, apart, 0)],
            held: Vec::new(),
            made: 0,
            expected: Vec::new(),
            dropped: Vec::new(),
            entries: [0; 2],
            depth: 0,
            random: 1,
            report: Report::default(),
        }
    }

    /// One op, and the comparison after it.
    fn step(&mut self, op: &Op) {
        self.report.ops += 1;
        match *op {
            Op::Alloc { heap, ref make, how } => self.alloc(heap.into(), make, how),
            Op::Cyclic { heap, ref make, ref inside, ending } => {
                self.cyclic(heap.into(), make, inside, ending);
            }
            Op::Burst { heap, kind, size, shape, rooted } => {
                self.burst(heap.into(), kind, size, shape, rooted);
            }
            Op::Read { heap, target, by } => self.read(heap.into(), target, by),
            Op::Change { heap, target, by, edit } => self.change(heap.into(), target, by, edit),
            Op::Exchange { heap, targets } => self.exchange(heap.into(), targets),
            Op::ChangeAll { heap, kind, value } => self.change_all(heap.into(), kind, value),
            Op::Split { heap, target, peek, ref make, edit } => {
                self.split(heap.into(), target, peek, make.as_ref(), edit);
            }
            Op::Arm { heap, target, fuse } => self.arm(heap.into(), target, fuse),
            Op::Downcast { heap, target, kind } => self.downcast(heap.into(), target, kind),
            Op::Compare { heap, targets } => self.compare_two(heap.into(), targets),
            Op::Root { heap, target } => self.root(heap.into(), target),
            Op::CloneRoot { index } => self.clone_root(index),
            Op::DropRoots { index, len } => self.drop_roots(index, len),
            Op::Destroy { heap, target, erased } => self.destroy(heap.into(), target, erased),
            Op::DestroyMany { heap, kind, size, newest } => {
                self.destroy_many(heap.into(), kind, size, newest);
            }
            Op::Collect { heap } => self.collect(heap.into()),
            Op::CollectWith { heap, roots, ending } => self.collect_with(heap.into(), roots, ending),
            Op::Shrink { heap } => self.shrink(heap.into()),
            Op::Fresh { heap, setup } => self.fresh(heap.into(), setup),
        }
        self.settle();
        self.compare();
    }

    fn block(&mut self, block: &Block) {
        self.depth += 1;
        if self.depth <= MAX_DEPTH {
            block.0.iter().for_each(|op| self.step(op));
        }
        self.depth -= 1;
    }

    /// The end of the program: both heaps go, whose roots may outlive them.
    fn finish(mut self) -> Report {
        self.compare_all();
        for heap in [0, 1] {
            self.fresh(heap, Setup::default());
            self.settle();
        }
        self.report
    }

    // ---- Names

    /// The handle that a pick names: its bits, and the type it is read as.
    fn pick(&self, heap: usize, pick: Pick) -> (Kind, u64) {
        let model = &self.worlds[heap].model;
        let recent = |back: u8| model.nth_last(back.into());
        let found = match pick {
            Pick::Recent(back) => recent(back),
            Pick::Live(back) => {
                let back = usize::from(back) % model.alive.len().max(1);
                model.alive.iter().rev().nth(back).map(|index| &model.objects[*index])
            }
            Pick::Rooted(index) => {
                let index = usize::from(index) % model.roots.len().max(1);
                model.roots.get(index).map(|object| &model.objects[*object])
            }
            Pick::Ever(index) => model.objects.get(usize::from(index) % model.objects.len().max(1)),
            Pick::Stray(back) => self.worlds[1 - heap].model.nth_last(back.into()),
            Pick::Near { like, generation, granule } => {
                return recent(like).map_or((Kind::Node, 0), |object| {
                    let bits = object.bits.wrapping_add_signed(i64::from(generation));
                    (object.kind, bits.wrapping_add_signed(i64::from(granule) << 32))
                });
            }
            Pick::Cast { like, kind } => return (kind, recent(like).map_or(0, |object| object.bits)),
            Pick::Bits(bits, kind) => return (kind, bits),
        };
        found.map_or((Kind::Node, 0), |object| (object.kind, object.bits))
    }

    /// The handle that a pick names, of its type.
    fn link(&self, heap: usize, pick: Pick) -> (Kind, Link) {
        let (kind, bits) = self.pick(heap, pick);
        (kind, Link::typed(kind, bits))
    }

    fn typed_link(&self, heap: usize, pick: Pick) -> Link {
        self.link(heap, pick).1
    }

    fn erased_link(&self, heap: usize, pick: Pick) -> Link {
        Link::erased(self.pick(heap, pick).1)
    }

    fn next_id(&mut self) -> ObjectId {
        self.made += 1;
        ObjectId(self.made - 1)
    }

    /// A value that no two objects have in common.
    fn value_of(id: ObjectId, value: u8) -> u64 {
        u64::from(id.0) << 8 | u64::from(value)
    }

    fn contents_of(&self, heap: usize, id: ObjectId, make: &Make) -> Contents {
        let edges = make.edges.map(|pick| self.typed_link(heap, pick)).to_vec();
        let mut contents = Contents { value: Self::value_of(id, make.value), edges, ..Contents::default() };
        make.kind.fit(&mut contents);
        contents
    }

    // ---- Books

    /// A handle was given out.
    fn noted(&mut self, bits: u64) {
        self.report.objects += 1;
        self.fold(bits);
    }

    fn fold(&mut self, number: u64) {
        self.report.digest = (self.report.digest.rotate_left(5) ^ number).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    /// The destructor of this object must run now, if it has one.
    fn expect_drop(&mut self, kind: Kind, id: ObjectId) {
        if kind.has_destructor() {
            self.expected.push(id);
        }
    }

    /// An object is dead, and its destructor must run.
    fn expect_dead(&mut self, heap: usize, index: Index) {
        let object = &self.worlds[heap].model.objects[index];
        self.expect_drop(object.kind, object.id);
    }

    /// Reads the log. Gives the objects whose destructors ran since it was last read.
    fn read_log(&mut self) -> Vec<ObjectId> {
        let mut dropped = Vec::new();
        for event in log::take() {
            match event {
                Event::Dropped(id) => dropped.push(id),
                Event::EntryDropped(_) => self.entries[1] += 1,
            }
            let (Event::Dropped(id) | Event::EntryDropped(id)) = event;
            self.fold(id.0.into());
        }
        self.dropped.extend(&dropped);
        dropped
    }

    /// Compares the destructors that ran with those that had to.
    fn settle(&mut self) {
        self.read_log();
        let (mut dropped, mut expected) = (mem::take(&mut self.dropped), mem::take(&mut self.expected));
        dropped.sort_unstable();
        expected.sort_unstable();
        if dropped != expected {
            let without = |ids: &[ObjectId], others: &[ObjectId]| {
                ids.iter().copied().filter(|id| !others.contains(id)).take(8).collect::<Vec<_>>()
            };
            panic!(
                "{} destructors ran and {} had to; too many (or twice): {:?}, too few: {:?}",
                dropped.len(),
                expected.len(),
                without(&dropped, &expected),
                without(&expected, &dropped)
            );
        }
        let [expected, dropped] = mem::take(&mut self.entries);
        assert_eq!(
            dropped, expected,
            "entries set aside that were dropped (left), and those set aside (right)"
        );
    }

    fn model(&self, heap: usize) -> &Model {
        &self.worlds[heap].model
    }

    /// Calls `f` with the heap taken out of `self` and put back afterwards, also when `f` panics.
    fn with_heap_apart<R>(&mut self, heap: usize, f: impl FnOnce(&mut Self, &mut Heap) -> R) -> R {
        let mut apart = mem::take(&mut self.worlds[heap].heap);
        let result = panic::catch_unwind(AssertUnwindSafe(|| f(self, &mut apart)));
        self.worlds[heap].heap = apart;
        result.unwrap_or_else(|payload| panic::resume_unwind(payload))
    }
}
