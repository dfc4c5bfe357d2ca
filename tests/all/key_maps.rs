//! `WeakKeyMap`: an ephemeron table. How ephemerons are marked is in `ephemerons.rs`; entries that lead from
//! one to the next are in `key_chains.rs`; tests of what works as in std's maps are in
//! `key_maps/std_parity.rs`.

mod std_parity;

use slotgc::{Gc, Heap, Root, Trace, Tracer, Weak, WeakKeyMap, WeakSet, WeakValueMap};

use crate::objects::{Dice, Log, Node, Noisy, panic_text, traced};

type Notes = WeakKeyMap<Node, Gc<Node>>;

fn sorted<T: Ord>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut items: Vec<T> = items.into_iter().collect();
    items.sort();
    items
}

#[test]
fn an_entry_goes_with_its_key() {
    // weak-cases 49
    let mut heap = Heap::new();
    let mut keys: Vec<_> = (0..10).map(|n| heap.alloc_root(Node::leaf(n))).collect();
    let map = keys.iter().map(|key| (key, heap[key].value * 10)).collect::<WeakKeyMap<_, _>>();
    let map = heap.alloc_root(map);
    assert_eq!((heap.collect().pruned, heap[&map].len()), (0, 10));
    let lost = keys.remove(3).downgrade();
    let stats = heap.collect();
    assert_eq!((stats.pruned, stats.freed, heap[&map].len()), (1, 1, 9));
    assert!(keys.iter().all(|key| heap[&map].get(key) == Some(&(heap[key].value * 10))));
    assert_eq!((heap[&map].get(lost), heap[&map].contains_key(lost)), (None, false));
    let never = heap.alloc(Node::leaf(4));
    assert_eq!((heap[&map].get(never), heap[&map].contains_key(Weak::dangling())), (None, false));
}

#[test]
fn keys_are_told_apart_by_identity() {
    // weak-cases 50
    // weak-cases: mistakes
    #[derive(PartialEq, Eq, Hash)]
    struct Equal(u32);
    traced!(Equal {});
    let mut heap = Heap::new();
    let (a, b) = (heap.alloc_root(Equal(1)), heap.alloc_root(Equal(1)));
    let map = heap.alloc_root(WeakKeyMap::new());
    assert_eq!((heap[&map].insert(&a, "a"), heap[&map].insert(&b, "b")), (None, None));
    assert_eq!(heap[&map].len(), 2);
    drop(a);
    heap.collect();
    assert_eq!(heap[&map].iter().collect::<Vec<_>>(), [(b.downgrade(), &"b")]);
}

#[test]
fn an_entry_is_there_exactly_while_its_key_lives_whatever_becomes_of_its_value() {
    // weak-cases 55
    for (key_lives, value_lives) in [(true, true), (true, false), (false, true), (false, false)] {
        let mut heap = Heap::new();
        let map = heap.alloc_root(Notes::new());
        let (key, value) = (heap.alloc(Node::leaf(1)), heap.alloc(Node::leaf(2)));
        heap[&map].insert(key, value);
        let _key = key_lives.then(|| heap.root(key));
        let _value = value_lives.then(|| heap.root(value));
        let stats = heap.collect();
        assert_eq!(heap[&map].len(), usize::from(key_lives));
        assert_eq!((stats.pruned, heap.is_alive(key)), (usize::from(!key_lives), key_lives));
        assert_eq!(heap.is_alive(value), key_lives || value_lives);
    }
}

#[test]
fn an_entry_whose_value_was_destroyed_stays_with_its_key() {
    let mut heap = Heap::new();
    let map = heap.alloc_root(Notes::new());
    let (key, value) = (heap.alloc_root(Node::leaf(1)), heap.alloc(Node::leaf(2)));
    heap[&map].insert(&key, value);
    heap.destroy(value);
    heap.collect();
    assert_eq!((heap[&map].get(&key), heap.get(value).is_none()), (Some(&value), true));
}

#[test]
fn a_value_that_reaches_its_own_key_keeps_nothing() {
    // weak-cases 54: where CPython and Java leak to this day
    // weak-cases: mistakes
    let mut heap = Heap::new();
    let map = heap.alloc_root(WeakKeyMap::new());
    // Directly, through the key itself, and through a chain of objects.
    let keys: Vec<Gc<Node>> = (0..3).map(|n| heap.alloc(Node::leaf(n))).collect();
    let direct = heap.alloc(Node::with([keys[0]]));
    let mut far = heap.alloc(Node::with([keys[2]]));
    for _ in 0..100 {
        far = heap.alloc(Node::with([far]));
    }
    for (key, value) in keys.iter().zip([direct, keys[1], far]) {
        heap[&map].insert(key, value);
    }
    let roots: Vec<_> = keys.iter().map(|key| heap.root(key)).collect();
    assert_eq!((heap.collect().freed, heap[&map].len()), (0, 3));
    drop(roots);
    let stats = heap.collect();
    assert_eq!((stats.pruned, stats.freed, heap[&map].len()), (3, 3 + 1 + 101, 0));
}

#[test]
fn a_map_whose_value_or_key_is_its_own_owner_is_freed() {
    // weak-cases 54
    struct Owner(WeakKeyMap<Owner, Gc<Owner>>);
    traced!(Owner { 0 });
    let mut heap = Heap::new();
    let key = heap.alloc_root(Owner(WeakKeyMap::new()));
    let owner = heap.alloc(Owner(WeakKeyMap::new()));
    heap[owner].0.insert(&key, owner);
    assert_eq!((heap.collect().freed, heap.is_alive(owner)), (1, false));
    let owner = heap.alloc(Owner(WeakKeyMap::new()));
    heap[owner].0.insert(owner, key.gc());
    assert_eq!((heap.collect().freed, heap.is_alive(owner), heap.is_alive(&key)), (1, false, true));
    // If they are reached in another way, both entries live.
    let owner = heap.alloc_root(Owner(WeakKeyMap::new()));
    heap[&owner].0.insert(&key, owner.gc());
    heap[&owner].0.insert(&owner, key.gc());
    assert_eq!((heap.collect().pruned, heap[&owner].0.len()), (0, 2));
    drop(key);
    // The owner is a live key, so its value lives, and that is the other key.
    assert_eq!((heap.collect().freed, heap[&owner].0.len()), (0, 2));
}

#[test]
fn a_removed_or_overwritten_value_is_freed_while_its_key_lives() {
    // weak-cases 56
    let mut heap = Heap::new();
    let map = heap.alloc_root(Notes::new());
    let key = heap.alloc_root(Node::leaf(0));
    let values: Vec<_> = (0..4).map(|n| heap.alloc(Node::leaf(n))).collect();
    assert_eq!(heap[&map].insert(&key, values[0]), None);
    assert_eq!(heap[&map].insert(&key, values[1]), Some(values[0]));
    *heap[&map].get_mut(&key).unwrap() = values[2];
    assert_eq!((heap.collect().freed, heap.is_alive(values[2])), (3, true));
    assert_eq!((heap[&map].remove(&key), heap[&map].remove(&key)), (Some(values[2]), None));
    assert_eq!((heap.collect().freed, heap.is_alive(&key)), (1, true));
}

#[test]
fn values_are_dropped_once_before_the_collection_that_found_their_keys_dead_returns() {
    // weak-cases 57
    // weak-cases: mistakes
    let log = Log::default();
    let mut heap = Heap::new();
    let map = heap.alloc_root(WeakKeyMap::new());
    let mut keys: Vec<_> = (0..100).map(|n| heap.alloc_root(Node::leaf(n))).collect();
    for (number, key) in (0..).zip(&keys) {
        heap[&map].insert(key, Noisy::new(number, &log));
    }
    heap.collect();
    assert!(log.take().is_empty());
    let mut number = 0;
    keys.retain(|_| {
        number += 1;
        number % 3 != 1
    });
    assert_eq!(heap.collect().pruned, 34);
    assert_eq!(sorted(log.take()), (0..100).step_by(3).collect::<Vec<_>>());
    heap[&map].clear();
    assert_eq!(log.take().len(), 66);
    drop(keys);
    assert_eq!((heap.collect().pruned, log.take()), (0, vec![]));
}

#[test]
fn a_map_with_many_short_lived_keys_stays_small() {
    // weak-cases 58
    const ROUND: usize = 1000;
    let mut heap = Heap::new();
    let map = heap.alloc_root(WeakKeyMap::new());
    let mut fresh = WeakKeyMap::<u32, u64>::new();
    fresh.extend((0..ROUND).map(|_| heap.alloc(0)).zip(0..));
    let most = fresh.capacity() * 8;
    for _ in 0..1000 {
        for n in 0..ROUND as u64 {
            let key = heap.alloc(7_u32);
            heap[&map].insert(key, n);
        }
        assert!(heap[&map].capacity() <= most, "{} places", heap[&map].capacity());
        heap.collect();
        assert!(heap[&map].is_empty() && heap[&map].capacity() <= most);
    }
}

#[test]
fn a_dead_key_may_be_inserted_and_reaches_nothing() {
    let mut heap = Heap::new();
    let map = heap.alloc_root(Notes::new());
    let (key, destroyed) = (heap.alloc_root(Node::leaf(1)), heap.alloc(Node::leaf(2)));
    let values: Vec<_> = (0..3).map(|n| heap.alloc(Node::leaf(n))).collect();
    heap[&map].insert(destroyed, values[0]);
    heap.destroy(destroyed);
    heap[&map].insert(Weak::dangling(), values[1]);
    heap[&map].insert(&key, values[2]);
    assert_eq!((heap[&map].len(), heap[&map].get(destroyed)), (3, Some(&values[0])));
    let stats = heap.collect();
    assert_eq!((stats.pruned, stats.freed), (2, 2));
    assert_eq!(heap[&map].iter().collect::<Vec<_>>(), [(key.downgrade(), &values[2])]);
}

#[test]
fn a_destroyed_key_takes_its_value_at_the_next_collection_though_its_slot_is_used_again() {
    let mut heap = Heap::new();
    let map = heap.alloc_root(WeakKeyMap::new());
    let key = heap.alloc_root(1_u64);
    let value = heap.alloc("value");
    heap[&map].insert(&key, value);
    heap.destroy(&key);
    // More than fit in limbo, so that the slot gets a new tenant.
    let tenants: Vec<_> = (0..5000)
        .map(|n| {
            let old = heap.alloc(n);
            heap.destroy(old);
            heap.alloc_root(n)
        })
        .collect();
    assert!(tenants.iter().all(|tenant| heap[&map].get(tenant).is_none()));
    let stats = heap.collect();
    assert_eq!((stats.pruned, stats.freed, heap[&map].len()), (1, 1, 0));
    assert!(tenants.iter().all(|tenant| heap.is_alive(tenant)));
}

#[test]
fn an_object_under_construction_is_a_live_key_and_a_live_value() {
    // weak-cases 5
    let mut heap = Heap::new();
    let map = heap.alloc_root(Notes::new());
    let weak = map.downgrade();
    let made = heap.alloc_cyclic(|heap, me: Gc<Node>| {
        let value = heap.alloc(Node::leaf(7));
        heap[weak].insert(me, value);
        let stats = heap.collect();
        assert_eq!((stats.pruned, stats.freed, heap[weak].len()), (0, 0, 1));
        Node::leaf(1)
    });
    assert_eq!(heap[heap[&map][made]].value, 7);
    assert_eq!((heap.collect().pruned, heap[&map].len()), (1, 0));
    let text = panic_text(|| {
        heap.alloc_cyclic(|heap, me: Gc<Node>| {
            heap[weak].insert(me, me);
            panic!("nothing comes of it")
        })
    });
    assert_eq!((text.as_str(), heap[&map].len()), ("nothing comes of it", 1));
    assert_eq!(heap.collect().pruned, 1);
}

#[test]
fn a_map_outside_of_the_heap_is_pruned_by_hand_and_can_be_a_root_source() {
    let mut heap = Heap::new();
    let (key, value) = (heap.alloc_root(Node::leaf(1)), heap.alloc(Node::leaf(2)));
    let mut map = Notes::from_iter([(&key, value)]);
    map.insert(Weak::dangling(), value);
    let sources = [map.clone()];
    assert_eq!((heap.collect_with(&sources).freed, heap.is_alive(value)), (0, true));
    assert_eq!(heap.collect_with(&sources).pruned, 0);
    map.prune_dead(&heap);
    assert_eq!(map.len(), 1);
    drop(key);
    assert_eq!(heap.collect_with(&sources).freed, 2);
    map.prune_dead(&heap);
    assert!(map.is_empty());
}

#[test]
fn pruning_by_hand_inside_make_keeps_the_object_under_construction() {
    let mut heap = Heap::new();
    let mut map = Notes::new();
    let made = heap.alloc_cyclic(|heap, me: Gc<Node>| {
        map.extend([(me.downgrade(), me), (Weak::dangling(), me)]);
        map.prune_dead(heap);
        assert!(map.contains_key(me) && map.len() == 1);
        Node::leaf(1)
    });
    map.prune_dead(&heap);
    assert_eq!(map.iter().collect::<Vec<_>>(), [(made.downgrade(), &made)]);
}

#[test]
fn weak_collections_that_are_values_are_pruned_too() {
    struct Deep {
        set: WeakSet<Node>,
        map: WeakValueMap<u32, Node>,
        inner: WeakKeyMap<Node, WeakSet<Node>>,
    }
    traced!(Deep { set, map, inner });
    let mut heap = Heap::new();
    let (key, kept, lost) =
        (heap.alloc_root(Node::leaf(1)), heap.alloc_root(Node::leaf(2)), heap.alloc(Node::leaf(3)));
    let both = || [kept.downgrade(), lost.downgrade()];
    let deep = Deep {
        set: WeakSet::from_iter(both()),
        map: (0..).zip(both()).collect(),
        inner: both().into_iter().map(|key| (key, WeakSet::from_iter(both()))).collect(),
    };
    let map = heap.alloc_root(WeakKeyMap::from_iter([(&key, Some(deep))]));
    assert_eq!(heap.collect().pruned, 4);
    let deep = heap[&map][&key].as_ref().unwrap();
    assert_eq!((deep.set.len(), deep.map.len(), deep.inner.len()), (1, 1, 1));
    assert_eq!(deep.inner[&kept].iter().collect::<Vec<_>>(), [kept.downgrade()]);
    drop(key);
    // A value that is removed with its key counts as one entry.
    assert_eq!((heap.collect().pruned, heap[&map].len()), (1, 0));
}

/// What a model says lives: what roots reach, where an entry's value counts once its table and key are
/// reached.
fn reached(heap: &Heap, roots: &[Gc<Thing>]) -> std::collections::BTreeSet<Gc<Thing>> {
    let mut live: std::collections::BTreeSet<_> = roots.iter().copied().collect();
    loop {
        let mut found = live.clone();
        for thing in &live {
            found.extend(&heap[*thing].edges);
            let entries = heap[*thing].tables.iter().flat_map(WeakKeyMap::iter);
            found.extend(
                entries.filter(|(key, _)| live.iter().any(|gc| gc == key)).flat_map(|(_, value)| value),
            );
        }
        if found.len() == live.len() {
            return live;
        }
        live = found;
    }
}

#[derive(Default)]
struct Thing {
    edges: Vec<Gc<Thing>>,
    tables: Vec<WeakKeyMap<Thing, Vec<Gc<Thing>>>>,
}

traced!(Thing { edges, tables });

#[test]
fn random_tables_agree_with_a_model_that_repeats_until_nothing_changes() {
    let mut dice = Dice::new(11);
    for round in 0..150 {
        let mut heap = Heap::new();
        let len = 2 + dice.below(40);
        let all: Vec<_> = (0..len).map(|_| heap.alloc(Thing::default())).collect();
        for _ in 0..dice.below(len) {
            let (from, to) = (all[dice.below(len)], all[dice.below(len)]);
            heap[from].edges.push(to);
        }
        for _ in 0..dice.below(3 * len) {
            let owner = all[dice.below(len)];
            let values: Vec<_> = (0..dice.below(3)).map(|_| all[dice.below(len)]).collect();
            let tables = &mut heap[owner].tables;
            if tables.is_empty() || dice.one_in(4) {
                tables.push(WeakKeyMap::new());
            }
            let table = dice.below(tables.len());
            tables[table].insert(all[dice.below(len)], values);
        }
        let mut roots: Vec<Root<Thing>> =
            (0..=dice.below(4)).map(|_| heap.root(all[dice.below(len)]).unwrap()).collect();
        while !heap.is_empty() {
            let expected = reached(&heap, &roots.iter().map(Root::gc).collect::<Vec<_>>());
            let entries = |heap: &Heap| -> usize {
                heap.iter::<Thing>().flat_map(|(_, thing)| &thing.tables).map(WeakKeyMap::len).sum()
            };
            let live_tables = expected.iter().flat_map(|gc| &heap[*gc].tables);
            let dead_keys =
                live_tables.flat_map(WeakKeyMap::keys).filter(|key| !expected.iter().any(|gc| gc == key));
            let dead_keys = dead_keys.count();
            let stats = heap.collect();
            let living: std::collections::BTreeSet<_> = heap.iter::<Thing>().map(|(gc, _)| gc).collect();
            assert_eq!((&living, stats.pruned), (&expected, dead_keys), "round {round}");
            let shown = heap.iter::<Thing>().flat_map(|(_, thing)| &thing.tables).flat_map(WeakKeyMap::keys);
            assert_eq!(shown.filter(|key| heap.is_alive(key)).count(), entries(&heap));
            roots.pop();
        }
    }
}

/// A value that must not be traced unless its key is reached.
struct Unseen;

impl Trace for Unseen {
    fn trace(&self, _: &mut Tracer<'_>) {
        unreachable!("the value of a dead key is traced")
    }
}

#[test]
fn values_of_destroyed_keys_are_not_even_traced() {
    let mut heap = Heap::new();
    let key = heap.alloc(1);
    let map = heap.alloc_root(WeakKeyMap::from_iter([(key, Unseen)]));
    heap.destroy(key);
    assert_eq!((heap.collect().pruned, heap[&map].len()), (1, 0));
}
