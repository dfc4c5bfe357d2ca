//! The state of a run: two heaps, their models, and the books that are kept between two comparisons.

use std::collections::{BTreeSet, HashSet};
use std::mem;
use std::panic::{self, AssertUnwindSafe};

use slotgc::{DeathQueue, Heap, HeapConfig, Watch};

use crate::contents::Contents;
use crate::dyn_heap::Held;
use crate::dyn_heap::deaths::{Finalizing, Graves, Tagged};
use crate::kind::Kind;
use crate::link::{Link, ObjectId};
use crate::log::{self, Event, Mark};
use crate::model::{Index, Limits, Model, WatchRef};
use crate::ops::{First, Make, Pick, Setup};
use crate::outside::Outside;
use crate::runner::frame::Frame;
use crate::tables::Tables;
use crate::types::slot_bytes;

/// A heap under test and what it should hold.
pub(super) struct World {
    pub(super) heap: Heap,
    pub(super) model: Model,
    /// Which heap in this place it is: its roots outlive it.
    pub(super) incarnation: u32,
    /// Calls of the heap that are under way.
    pub(super) busy: u32,
    /// Weak collections of its objects that it does not hold.
    pub(super) outside: Outside,
    pub(super) outside_tables: Tables,
    pub(super) queue: DeathQueue<Tagged>,
    pub(super) graves: Cemetery,
}

impl World {
    pub(super) fn new(number: u8, setup: Setup, incarnation: u32) -> Self {
        let limits = Limits::of(setup);
        Self {
            heap: Heap::with_config(config(setup, number, limits)),
            model: Model::new(limits, *slot_bytes()),
            incarnation,
            busy: 0,
            outside: Outside::default(),
            outside_tables: Tables::default(),
            queue: DeathQueue::new(),
            graves: Cemetery::new(),
        }
    }

    /// How many marked keys and values there must be.
    pub(super) fn marks(&self) -> usize {
        let living = self.model.alive.iter().map(|index| &self.model.objects[*index].contents.tables);
        let buried = self.model.deaths.graves.values().flatten().map(|buried| &buried.contents.tables);
        living.chain(buried).chain([&self.outside_tables]).map(Tables::marks).sum()
    }
}

/// A `Root` that the program holds.
pub(super) struct HeldRoot {
    pub(super) root: Box<dyn Held>,
    pub(super) link: Link,
    pub(super) heap: usize,
    pub(super) incarnation: u32,
    pub(super) object: Index,
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
    /// Entries of weak collections that they removed.
    pub pruned: u64,
    /// Callbacks and finalizers run, and tags polled.
    pub told: u64,
    /// A digest of all handles handed out and all destructors that ran, in order.
    pub digest: u64,
}

/// The state of a run.
#[derive(Default)]
pub(super) struct Runner {
    /// Two; none while the runner is lent.
    pub(super) worlds: Vec<World>,
    pub(super) held: Vec<HeldRoot>,
    /// Of both heaps, and of those that were in their places.
    pub(super) watches: Vec<(Watch, WatchRef)>,
    pub(super) finalizers: Vec<HeldFinalizer>,
    pub(super) made: u32,
    /// Objects whose destructors panic.
    pub(super) armed: HashSet<ObjectId>,
    /// The calls of heaps that are under way and may run user code, the innermost last.
    pub(super) frames: Vec<Frame>,
    /// A difference that a callback found: a panic there is the heap's to deal with.
    pub(super) failed: Option<String>,
    /// Objects whose destructors must have run by the end of this op, and those whose destructors ran.
    pub(super) expected: Vec<ObjectId>,
    pub(super) dropped: Vec<ObjectId>,
    /// Whose `trace` panicked.
    pub(super) traced: Vec<ObjectId>,
    /// Registrations whose closure or tag has not been dropped.
    pub(super) notices: BTreeSet<ObjectId>,
    /// Those whose closure or tag was dropped in this op.
    pub(super) unheard: Vec<ObjectId>,
    /// How many entries of weak collections must have been dropped, and how many were.
    pub(super) entries: [usize; 2],
    /// Keys and values of weak maps that the call under way has.
    pub(super) in_flight: usize,
    pub(super) depth: u32,
    pub(super) random: u64,
    pub(super) report: Report,
}

/// A finalizer that the program holds.
pub(super) struct HeldFinalizer {
    pub(super) finalizer: Box<dyn Finalizing>,
    pub(super) watch: WatchRef,
}

/// The graveyards of one heap, each made when it is first used.
pub(super) type Cemetery = Vec<((Kind, bool), Box<dyn Graves>)>;

/// A heap with more objects than this makes no further ones in bursts.
pub(super) const MANY_OBJECTS: usize = 20_000;

impl Runner {
    pub(super) fn new() -> Self {
        slot_bytes();
        log::take();
        Mark::reset();
        let apart = Setup { first: First::Apart, ..Setup::default() };
        Self { worlds: vec![World::new(0, apart, 0), World::new(1, apart, 0)], random: 1, ..Self::default() }
    }

    /// The end of the program: both heaps are dropped, and roots may outlive them.
    pub(super) fn finish(mut self) -> Report {
        self.compare_all();
        // What runs at the end of one heap may make objects in the other.
        let mut ended = [false; 2];
        while let Some(heap) = (0..2).find(|heap| !ended[*heap] || !self.model(*heap).alive.is_empty()) {
            self.fresh(heap, Setup::default(), drop);
            self.settle();
            ended[heap] = true;
        }
        // And tags sent to its queue, which is dropped with it.
        if !self.notices.is_empty() {
            (0..2).for_each(|heap| self.fresh(heap, Setup::default(), drop));
            self.settle();
        }
        assert!(
            self.notices.is_empty(),
            "all closures and tags are dropped at the end, but not these: {:?}",
            self.notices
        );
        self.report
    }

    // ---- Names

    /// The handle that a pick names: its bits, and the type it is read as.
    pub(super) fn pick(&self, heap: usize, pick: Pick) -> (Kind, u64) {
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
    pub(super) fn link(&self, heap: usize, pick: Pick) -> (Kind, Link) {
        let (kind, bits) = self.pick(heap, pick);
        (kind, Link::typed(kind, bits))
    }

    pub(super) fn typed_link(&self, heap: usize, pick: Pick) -> Link {
        self.link(heap, pick).1
    }

    pub(super) fn erased_link(&self, heap: usize, pick: Pick) -> Link {
        Link::erased(self.pick(heap, pick).1)
    }

    pub(super) fn next_id(&mut self) -> ObjectId {
        self.made += 1;
        ObjectId(self.made - 1)
    }

    /// A value that no two objects have in common.
    pub(super) fn value_of(id: ObjectId, value: u8) -> u64 {
        u64::from(id.0) << 8 | u64::from(value)
    }

    pub(super) fn contents_of(&self, heap: usize, id: ObjectId, make: &Make) -> Contents {
        let edges = make.edges.map(|pick| self.typed_link(heap, pick)).to_vec();
        let mut contents = Contents { value: Self::value_of(id, make.value), edges, ..Contents::default() };
        make.kind.fit(&mut contents);
        contents
    }

    // ---- Books

    /// A handle was handed out.
    pub(super) fn noted(&mut self, bits: u64) {
        self.report.objects += 1;
        self.fold(bits);
    }

    pub(super) fn fold(&mut self, number: u64) {
        self.report.digest = (self.report.digest.rotate_left(5) ^ number).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    /// The destructor of this object must run now, if it has one.
    pub(super) fn expect_drop(&mut self, kind: Kind, id: ObjectId) {
        if kind.has_destructor() {
            self.expected.push(id);
        }
    }

    /// Reads the log. Returns the objects whose destructors ran since it was last read.
    pub(super) fn read_log(&mut self) -> Vec<ObjectId> {
        let mut dropped = Vec::new();
        for event in log::take() {
            match event {
                Event::Dropped(id) => dropped.push(id),
                Event::EntryDropped(_) => self.entries[1] += 1,
                Event::TracePanicked(id) => self.traced.push(id),
                Event::NoticeDropped(id) => self.notice_dropped(id),
                Event::ClockPanicked => panic!("nobody armed the clock"),
            }
            self.fold(event.id().0.into());
        }
        self.dropped.extend(&dropped);
        dropped
    }

    pub(super) fn notice_dropped(&mut self, id: ObjectId) {
        assert!(self.notices.remove(&id), "the closure or tag of {id:?} is dropped once");
        self.unheard.push(id);
    }

    /// Compares the destructors that ran with those that had to.
    pub(super) fn settle(&mut self) {
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
        for id in mem::take(&mut self.unheard) {
            let mut registered = self.worlds.iter().flat_map(|world| world.model.deaths.registered.values());
            assert!(
                registered.all(|known| known.id != id),
                "{id:?} is registered, and its closure is dropped"
            );
        }
        assert_eq!(self.traced, [], "no `trace` was to panic");
        let [expected, dropped] = mem::take(&mut self.entries);
        assert_eq!(
            dropped, expected,
            "entries set aside that were dropped (left), and those set aside (right)"
        );
    }

    pub(super) fn model(&self, heap: usize) -> &Model {
        &self.worlds[heap].model
    }

    /// Calls `f` with the heap taken out of `self` and put back afterwards, also when `f` panics.
    pub(super) fn with_heap_apart<R>(&mut self, heap: usize, f: impl FnOnce(&mut Self, &mut Heap) -> R) -> R {
        let mut apart = mem::take(&mut self.worlds[heap].heap);
        self.worlds[heap].busy += 1;
        let result = panic::catch_unwind(AssertUnwindSafe(|| f(self, &mut apart)));
        self.worlds[heap].heap = apart;
        self.worlds[heap].busy -= 1;
        result.unwrap_or_else(|payload| panic::resume_unwind(payload))
    }
}

/// The settings of the heap of this number.
fn config(setup: Setup, heap: u8, limits: Limits) -> HeapConfig {
    let first = match setup.first {
        First::One => 1,
        First::Apart => 1 + 1000 * u32::from(heap),
        First::BeforeLast(rest) => HeapConfig::MAX_GENERATION - u32::from(rest) % 8,
    };
    HeapConfig::default().first_generation(first).max_objects(limits.objects).max_bytes(limits.bytes)
}
