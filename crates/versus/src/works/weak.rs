//! Weak handles and weak maps: resolving, inserting, looking up, and losing the entries of what died.
//!
//! Two maps of as many entries as there are objects: from numbers to objects (`value-map`) and from objects
//! to numbers (`key-map`). Entries are inserted in random order and looked up in another; before a pruning
//! half of the objects die, chosen at random. What dies, and what it takes to find out, is not timed: only
//! the removal of the entries is. The floor is the same table of the same keys with nothing weak about it,
//! pruned by a bit per object; see `crate::peers::weak`.

use std::rc::Rc;

use crate::limits::IndexVec;
use crate::needs::weak::{Maps, Plan, SameHash};
use crate::needs::{Ends, Field, First, Last};
use crate::peers::slotmap::SlotMap;
use crate::peers::weak::{
    Foldhash, GcArenaKeys, GcArenaValues, InHeap, OutOfHeap, PlainKeys, PlainValues, SideTable, SlotGcKeys,
    SlotGcValues, StdWeak, WeakHandles, WeakTableKeys, WeakTableValues, boa_gc::BoaKeys, boa_gc::BoaWeak,
    gc_arena,
};
use crate::shape::Inputs;
use crate::work::{Bound, Work, per_object, size_name};
use crate::works::get::{Order, measure};

/// The target for pruning, for every peer that keeps a map of its own.
const BEST_PEER: f64 = 0.25;

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
        .note(&["slotgc"], IN_PLACE)
        .note(&["hashbrown"], "the floor: nothing weak about it, with slotgc's hash function")
        .note(&["hashbrown-foldhash"], "the same with hashbrown's default hash function")
        .note(&["gc-arena"], "a hashbrown map of `GcWeak`, with slotgc's hash function")
        .note(&["weak-table"], "with slotgc's hash function");
    match action {
        Action::Insert => work.target("hashbrown", 1.3),
        Action::Get => work
            .target("hashbrown", 1.1)
            .target("hashbrown-foldhash", 1.2)
            .note(&["weak-table"], "upgrades what it finds, and reads the object for that")
            .note(&["slotgc", "gc-arena"], "return a weak handle; resolving it is another work"),
    }
}

fn with_key_map(inputs: &Rc<Inputs>, action: Action) -> Work {
    let n = inputs.objects;
    let name = format!("weak/key-map/{}", action.name());
    let work = Work::new(name, about(action, "from objects to numbers", n))
        .case("slotgc", act!(inputs, action, SlotGcKeys<InHeap>))
        .case("hashbrown", act!(inputs, action, PlainKeys<SameHash>))
        .case("hashbrown-foldhash", act!(inputs, action, PlainKeys<Foldhash>))
        .case("weak-table", act!(inputs, action, WeakTableKeys))
        .case("gc-arena", act!(inputs, action, GcArenaKeys))
        .case("slotmap", act!(inputs, action, SideTable))
        .case("boa_gc", act!(inputs, action, BoaKeys))
        .note(&["slotgc"], IN_PLACE)
        .note(&["hashbrown"], "the floor: nothing weak about it, the same keys and hash function")
        .note(&["hashbrown-foldhash"], "the same with hashbrown's default hash function")
        .note(&["weak-table"], "`PtrWeakKeyHashMap`, with slotgc's hash function")
        .note(
            &["gc-arena"],
            "a hashbrown map from addresses to `GcWeak` and number, with slotgc's hash function",
        )
        .note(&["slotmap"], "a `SecondaryMap` is a vector: no hashing, but room for every slot there is")
        .note(&["boa_gc"], "`WeakMap`, whose entries are allocations; may collect while inserting");
    match action {
        Action::Insert => work.target("hashbrown", 1.3),
        Action::Get => work.target("hashbrown", 1.1).target("hashbrown-foldhash", 1.2),
    }
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
const BY_COLLECTION: &str = "`prune_time` of the collection, for a map in the heap; wall-clock time";
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
    .target_of("slotgc:collect", "hashbrown", Bound::AtMost(1.6))
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
    .target_of("slotgc:collect", "hashbrown", Bound::AtMost(1.6))
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
