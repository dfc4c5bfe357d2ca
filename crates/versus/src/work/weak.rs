//! Weak handles and weak maps: resolving, inserting, looking up, and losing the entries of what died.
//!
//! Two maps of as many entries as there are objects: from numbers to objects (`value-map`) and from objects to
//! numbers (`key-map`). Entries are inserted in random order and looked up in another; before a pruning half of
//! the objects die, chosen at random. What dies, and what it takes to find out, is not timed: only the removal
//! of the entries is. The floor is the same table of the same keys with nothing weak about it, pruned by a bit an
//! object; see `crate::peers::weak`.

use std::hint::black_box;
use std::rc::Rc;
use std::time::Duration;

use crate::clock::Stopwatch;
use crate::limits::IndexVec;
use crate::peers::slotmap::SlotMap;
use crate::peers::weak::{
    Foldhash, GcArenaKeys, GcArenaValues, InHeap, OutOfHeap, PlainKeys, PlainValues, SameHash, SideTable,
    SlotGcKeys, SlotGcValues, StdWeak, WeakHandles, WeakTableKeys, WeakTableValues, boa_gc::BoaKeys,
    boa_gc::BoaWeak, gc_arena,
};
use crate::peers::{Ends, Field, First, Last};
use crate::shape::{Inputs, Random};
use crate::work::get::{Order, measure};
use crate::work::{Bound, Work, per_object, size_name};

/// The target for pruning, for every peer that keeps a map of its own.
const BEST_PEER: f64 = 0.25;

/// Which entries there are, in which orders.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    /// All objects, in the order of insertion.
    pub(crate) insertions: &'a [u32],
    /// All objects, in the order of lookups; the first half of them is what dies.
    pub(crate) lookups: Vec<u32>,
}

impl<'a> Plan<'a> {
    fn new(inputs: &'a Inputs) -> Self {
        Self { insertions: inputs.order(), lookups: Random::new(6).order(inputs.objects) }
    }

    /// How many objects there are.
    pub(crate) fn len(&self) -> usize {
        self.insertions.len()
    }

    /// The objects that die, and those that live on.
    pub(crate) fn split(&self) -> (&[u32], &[u32]) {
        self.lookups.split_at(self.len() / 2)
    }
}

/// An object's number and its handle.
pub(crate) type Entry<H> = (u64, H);

/// A weak map whose objects have handles that are plain values.
pub(crate) trait Table: Sized {
    /// What names an object.
    type Handle: Clone;

    /// No objects, and an empty map.
    fn new() -> Self;
    /// Makes an object.
    fn alloc(&mut self, id: u64) -> Self::Handle;
    /// Puts an entry for this object into the map.
    fn insert(&mut self, id: u64, handle: &Self::Handle);
    /// Finds the entry, and gives what tells it from others.
    fn get(&self, id: u64, handle: &Self::Handle) -> u64;
    /// What `get` is to give.
    fn expected(id: u64, handle: &Self::Handle) -> u64;
    /// Entries.
    fn len(&self) -> usize;
    /// Lets objects die, removes their entries from the map, and says how long the removal took.
    fn prune(&mut self, dead: Vec<Entry<Self::Handle>>, kept: &[Entry<Self::Handle>]) -> Duration;
}

/// What is timed: one for each of the three works on a map.
pub(crate) trait Maps {
    /// Inserting all entries into an empty map.
    fn insert(plan: &Plan<'_>) -> Duration;
    /// Looking up every entry once.
    fn get(plan: &Plan<'_>) -> Duration;
    /// Removing the entries of the dead half.
    fn prune(plan: &Plan<'_>) -> Duration;
}

impl<T: Table> Maps for T {
    fn insert(plan: &Plan<'_>) -> Duration {
        let (mut table, handles) = objects::<T>(plan.len());
        let entries = entries(plan.insertions, &handles);
        let start = Stopwatch::start();
        insert_all(&mut table, black_box(&entries));
        let time = start.elapsed();
        check(&table, &entries);
        drop((entries, handles));
        time
    }

    fn get(plan: &Plan<'_>) -> Duration {
        let (mut table, handles) = objects::<T>(plan.len());
        insert_all(&mut table, &entries(plan.insertions, &handles));
        let entries = entries(&plan.lookups, &handles);
        let start = Stopwatch::start();
        let found = get_all(black_box(&table), black_box(&entries));
        let time = start.elapsed();
        assert_eq!(found, expected::<T>(&entries));
        // Handles go before the heap does.
        drop((entries, handles));
        time
    }

    fn prune(plan: &Plan<'_>) -> Duration {
        let (mut table, handles) = objects::<T>(plan.len());
        insert_all(&mut table, &entries(plan.insertions, &handles));
        let (dead, kept) = plan.split();
        let (dead, kept) = (entries(dead, &handles), entries(kept, &handles));
        drop(handles);
        let time = table.prune(dead, &kept);
        check(&table, &kept);
        drop(kept);
        time
    }
}

fn objects<T: Table>(n: usize) -> (T, Vec<T::Handle>) {
    let mut table = T::new();
    let handles = (0..n as u64).map(|id| table.alloc(id)).collect();
    (table, handles)
}

/// The entries in this order, one after the other in memory.
fn entries<H: Clone>(order: &[u32], handles: &[H]) -> Vec<Entry<H>> {
    order.iter().map(|id| (u64::from(*id), handles[*id as usize].clone())).collect()
}

/// The map has these entries and no others.
fn check<T: Table>(table: &T, entries: &[Entry<T::Handle>]) {
    assert_eq!(table.len(), entries.len(), "entries in the map");
    assert_eq!(get_all(table, entries), expected::<T>(entries), "what the entries say");
}

fn expected<T: Table>(entries: &[Entry<T::Handle>]) -> u64 {
    entries.iter().fold(0, |sum, (id, handle)| sum.wrapping_add(T::expected(*id, handle)))
}

/// A loop that is timed.
#[inline(never)]
fn insert_all<T: Table>(table: &mut T, entries: &[Entry<T::Handle>]) {
    entries.iter().for_each(|(id, handle)| table.insert(*id, handle));
}

/// A loop that is timed.
#[inline(never)]
fn get_all<T: Table>(table: &T, entries: &[Entry<T::Handle>]) -> u64 {
    entries.iter().fold(0, |sum, (id, handle)| sum.wrapping_add(table.get(*id, handle)))
}

pub(super) fn works(inputs: &Rc<Inputs>) -> Vec<Work> {
    vec![
        resolve::<First>(inputs.objects),
        resolve::<Last>(inputs.objects),
        resolve::<Ends>(inputs.objects),
        with_value_map(inputs, Action::Insert),
        with_key_map(inputs, Action::Insert),
        with_value_map(inputs, Action::Get),
        with_key_map(inputs, Action::Get),
        prune_values(inputs),
        prune_keys(inputs),
    ]
}

fn resolve<F: Field>(n: usize) -> Work {
    Work::new(
        format!("weak/resolve{}/{}", F::SUFFIX, size_name(n)),
        format!("from {n} weak handles in a random order to {}", F::ABOUT),
    )
    .case("slotgc", move || measure::<WeakHandles, F>(Order::Random, n))
    .case("slotmap", move || measure::<SlotMap, F>(Order::Random, n))
    .case("gc-arena", move || gc_arena::resolve::<F>(n))
    .case("std-weak", move || measure::<StdWeak, F>(Order::Random, n))
    .case("boa_gc", move || measure::<BoaWeak, F>(Order::Random, n))
    .case("limit:index", move || measure::<IndexVec, F>(Order::Random, n))
    .target("slotmap", 1.1)
    .note(&["slotmap"], "`get` with a key, which is weak by nature")
    .note(&["std-weak"], "`std::rc::Weak::upgrade`, which counts up and down again")
}

/// What is done to a map.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Action {
    Insert,
    Get,
}

impl Action {
    fn name(self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Get => "get",
        }
    }

    fn run<M: Maps>(self, inputs: &Inputs) -> f64 {
        let plan = Plan::new(inputs);
        let time = match self {
            Self::Insert => M::insert(&plan),
            Self::Get => M::get(&plan),
        };
        per_object(time, plan.len())
    }
}

/// A case that does `action` to a map.
macro_rules! act {
    ($inputs:ident, $action:ident, $maps:ty) => {{
        let inputs = Rc::clone($inputs);
        move || $action.run::<$maps>(&inputs)
    }};
}

fn about(action: Action, map: &str, n: usize) -> String {
    match action {
        Action::Insert => format!("{n} entries in random order into an empty map {map}"),
        Action::Get => format!("look up {n} entries in random order in a map {map}"),
    }
}

const IN_PLACE: &str = "its map is an object, and looked up for each entry: `heap[&map].insert(..)`";

fn with_value_map(inputs: &Rc<Inputs>, action: Action) -> Work {
    let n = inputs.objects;
    let name = format!("weak/value-map/{}", action.name());
    let work = Work::new(name, about(action, "from numbers to objects", n))
        .case("slotgc", act!(inputs, action, SlotGcValues<InHeap>))
        .case("hashbrown", act!(inputs, action, PlainValues<SameHash>))
        .case("hashbrown-foldhash", act!(inputs, action, PlainValues<Foldhash>))
        .case("weak-table", act!(inputs, action, WeakTableValues))
        .case("gc-arena", act!(inputs, action, GcArenaValues))
        .absent(&["boa_gc", "slotmap"], "have maps keyed by objects only")
        .target("hashbrown", 1.3)
        .note(&["slotgc"], IN_PLACE)
        .note(&["hashbrown"], "the floor: nothing weak about it, with slotgc's hash function")
        .note(&["hashbrown-foldhash"], "the same with hashbrown's default hash function")
        .note(&["gc-arena"], "a hashbrown map of `GcWeak`, with slotgc's hash function")
        .note(&["weak-table"], "with slotgc's hash function");
    match action {
        Action::Insert => work,
        Action::Get => work
            .note(&["weak-table"], "upgrades what it finds, and reads the object for that")
            .note(&["slotgc", "gc-arena"], "give a weak handle; resolving it is another work"),
    }
}

fn with_key_map(inputs: &Rc<Inputs>, action: Action) -> Work {
    let n = inputs.objects;
    let name = format!("weak/key-map/{}", action.name());
    Work::new(name, about(action, "from objects to numbers", n))
        .case("slotgc", act!(inputs, action, SlotGcKeys<InHeap>))
        .case("hashbrown", act!(inputs, action, PlainKeys<SameHash>))
        .case("hashbrown-foldhash", act!(inputs, action, PlainKeys<Foldhash>))
        .case("weak-table", act!(inputs, action, WeakTableKeys))
        .case("gc-arena", act!(inputs, action, GcArenaKeys))
        .case("slotmap", act!(inputs, action, SideTable))
        .case("boa_gc", act!(inputs, action, BoaKeys))
        .target("hashbrown", 1.3)
        .note(&["slotgc"], IN_PLACE)
        .note(&["hashbrown"], "the floor: nothing weak about it, the same keys and hash function")
        .note(&["hashbrown-foldhash"], "the same with hashbrown's default hash function")
        .note(&["weak-table"], "`PtrWeakKeyHashMap`, with slotgc's hash function")
        .note(
            &["gc-arena"],
            "a hashbrown map from addresses to `GcWeak` and number, with slotgc's hash function",
        )
        .note(&["slotmap"], "a `SecondaryMap` is a vector: no hashing, but room for every slot there is")
        .note(&["boa_gc"], "`WeakMap`, whose entries are allocations; collects when it likes while inserting")
}

/// A case that prunes.
macro_rules! prune {
    ($inputs:ident, $maps:ty) => {{
        let inputs = Rc::clone($inputs);
        move || {
            let plan = Plan::new(&inputs);
            per_object(<$maps as Maps>::prune(&plan), plan.len())
        }
    }};
}

const BY_HAND: &str = "`prune_dead` of a map outside of the heap, after the collection";
const BY_COLLECTION: &str = "`prune_time` of the collection, for a map in the heap; of the clock on the wall";
const ONE_BIT: &str = "the floor: `retain` by a bit for each object";

fn prune_values(inputs: &Rc<Inputs>) -> Work {
    let n = inputs.objects;
    Work::new(
        "weak/value-map/prune",
        format!("remove the dead half of {n} entries, from numbers to objects; for each entry there was"),
    )
    .case("slotgc", prune!(inputs, SlotGcValues<OutOfHeap>))
    .case("slotgc:collect", prune!(inputs, SlotGcValues<InHeap>))
    .case("hashbrown", prune!(inputs, PlainValues<SameHash>))
    .case("weak-table", prune!(inputs, WeakTableValues))
    .case("gc-arena", prune!(inputs, GcArenaValues))
    .absent(&["boa_gc", "slotmap"], "have maps keyed by objects only")
    .target("hashbrown", 2.0)
    .target_of("slotgc:collect", "hashbrown", Bound::AtMost(2.0))
    .target("weak-table", BEST_PEER)
    .target("gc-arena", BEST_PEER)
    .note(&["slotgc"], BY_HAND)
    .note(&["slotgc:collect"], BY_COLLECTION)
    .note(&["hashbrown"], ONE_BIT)
    .note(&["weak-table"], "`remove_expired`")
    .note(&["gc-arena"], "`retain` of what can be upgraded, in a hashbrown map")
}

fn prune_keys(inputs: &Rc<Inputs>) -> Work {
    let n = inputs.objects;
    Work::new(
        "weak/key-map/prune",
        format!("remove the dead half of {n} entries, from objects to numbers; for each entry there was"),
    )
    .case("slotgc", prune!(inputs, SlotGcKeys<OutOfHeap>))
    .case("slotgc:collect", prune!(inputs, SlotGcKeys<InHeap>))
    .case("hashbrown", prune!(inputs, PlainKeys<SameHash>))
    .case("weak-table", prune!(inputs, WeakTableKeys))
    .case("gc-arena", prune!(inputs, GcArenaKeys))
    .case("slotmap", prune!(inputs, SideTable))
    .absent(&["boa_gc"], "prunes inside its collections and does not say how long that took")
    .target("hashbrown", 2.0)
    .target_of("slotgc:collect", "hashbrown", Bound::AtMost(2.0))
    .target("weak-table", BEST_PEER)
    .target("gc-arena", BEST_PEER)
    .target("slotmap", BEST_PEER)
    .note(&["slotgc"], BY_HAND)
    .note(&["slotgc:collect"], BY_COLLECTION)
    .note(&["hashbrown"], ONE_BIT)
    .note(&["weak-table"], "`remove_expired`")
    .note(&["gc-arena"], "`retain` of what can be upgraded, in a hashbrown map")
    .note(
        &["slotmap"],
        "`SecondaryMap::retain` of what the `SlotMap` contains: goes through both in the order of slots, a \
         sequence, where the others jump from an entry to its object",
    )
}
