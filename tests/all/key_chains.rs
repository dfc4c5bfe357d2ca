//! Entries of weak-key maps that lead from one to the next, over one map, many maps, and maps in maps: all in
//! one collection, without recursion, in any order of insertion.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use slotgc::{Gc, Heap, Root, Trace, Tracer, WeakKeyMap};

use crate::objects::{Dice, Node, on_small_stack, traced};

/// A chain of keys, each the value of the one before, with its entries inserted in this order.
type Table = WeakKeyMap<u64, Gc<u64>>;

fn chain(heap: &mut Heap, len: usize, order: &[usize]) -> (Vec<Gc<u64>>, Root<Table>) {
    let keys: Vec<_> = (0..=len as u64).map(|n| heap.alloc(n)).collect();
    let map = heap.alloc_root(WeakKeyMap::new());
    for index in order {
        heap[&map].insert(keys[*index], keys[index + 1]);
    }
    (keys, map)
}

/// Forwards, backwards, shuffled.
fn orders(len: usize) -> [Vec<usize>; 3] {
    let mut shuffled: Vec<usize> = (0..len).collect();
    Dice::new(3).shuffle(&mut shuffled);
    [(0..len).collect(), (0..len).rev().collect(), shuffled]
}

const LONG: usize = 100_000;

#[test]
fn a_chain_lives_and_dies_with_its_head_in_one_collection_on_a_small_stack() {
    // weak-cases 51, 52
    // weak-cases: mistakes
    on_small_stack(|| {
        for order in orders(LONG) {
            let mut heap = Heap::new();
            let (keys, map) = chain(&mut heap, LONG, &order);
            let head = heap.root(keys[0]).unwrap();
            assert_eq!((heap.collect().pruned, heap[&map].len()), (0, LONG));
            drop(head);
            let stats = heap.collect();
            assert_eq!((stats.pruned, stats.freed, heap[&map].len()), (LONG, LONG + 1, 0));
        }
    });
}

#[test]
fn a_chain_lives_from_its_first_live_key_on_whatever_the_order_of_insertion() {
    on_small_stack(|| {
        for order in orders(LONG) {
            let mut heap = Heap::new();
            let (keys, map) = chain(&mut heap, LONG, &order);
            let middle = heap.root(keys[LONG / 2]).unwrap();
            let stats = heap.collect();
            assert_eq!((stats.pruned, heap[&map].len()), (LONG / 2, LONG / 2));
            assert_eq!((stats.marked, stats.kept), (LONG / 2 + 2, LONG / 2 + 2));
            assert!(keys.iter().enumerate().all(|(n, key)| heap.is_alive(key) == (n >= LONG / 2)));
            drop(middle);
        }
    });
}

#[test]
fn a_chain_over_many_maps_lives_and_dies_in_one_collection() {
    for order in orders(1000) {
        let mut heap = Heap::new();
        let keys: Vec<_> = (0..=1000_u64).map(|n| heap.alloc(n)).collect();
        let maps: Vec<_> = (0..7).map(|_| heap.alloc_root(WeakKeyMap::<u64, Gc<u64>>::new())).collect();
        for index in order {
            heap[&maps[index % 7]].insert(keys[index], keys[index + 1]);
        }
        let head = heap.root(keys[0]).unwrap();
        assert_eq!((heap.collect().freed, maps.iter().map(|map| heap[map].len()).sum::<usize>()), (0, 1000));
        drop(head);
        assert_eq!(heap.collect().pruned, 1000);
        assert!(maps.iter().all(|map| heap[map].is_empty()));
    }
}

/// Counts how often it is traced.
struct Counted {
    next: Gc<Node>,
    times: Arc<AtomicUsize>,
}

impl Trace for Counted {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        self.times.fetch_add(1, Ordering::Relaxed);
        tracer.edge(self.next);
    }
}

#[test]
fn each_value_of_a_chain_is_traced_once_whatever_the_order() {
    // weak-cases: mistakes
    const LEN: usize = 20_000;
    let times = Arc::new(AtomicUsize::new(0));
    for order in orders(LEN) {
        let mut heap = Heap::new();
        let keys: Vec<_> = (0..=LEN as u64).map(|n| heap.alloc(Node::leaf(n))).collect();
        let map = heap.alloc_root(WeakKeyMap::new());
        for index in order {
            let value = Counted { next: keys[index + 1], times: Arc::clone(&times) };
            heap[&map].insert(keys[index], value);
        }
        let _head = heap.root(keys[0]);
        assert_eq!(heap.collect().pruned, 0);
        assert_eq!(times.swap(0, Ordering::Relaxed), LEN, "the work is linear");
    }
}

/// A map whose values are owners of maps.
struct Level(WeakKeyMap<Node, Gc<Level>>);

traced!(Level { 0 });

#[test]
fn a_hundred_nested_maps_live_and_die_with_their_keys() {
    // weak-cases 53
    let mut heap = Heap::new();
    let keys = [1, 2].map(|n| heap.alloc_root(Node::leaf(n)));
    let own_key = heap.alloc_root(Node::leaf(3));
    let bottom = heap.alloc(Level(WeakKeyMap::new()));
    let mut levels = Vec::new();
    for depth in 0..100 {
        // The innermost 49 maps are behind a key of their own.
        let key = if depth == 49 { &own_key } else { &keys[depth % 2] };
        let inner = levels.last().copied().unwrap_or(bottom);
        let garbage = heap.alloc(Node::leaf(9)).downgrade();
        let map = WeakKeyMap::from_iter([(key.downgrade(), inner), (garbage, bottom)]);
        levels.push(heap.alloc(Level(map)));
    }
    let _top = heap.root(levels[99]);
    let stats = heap.collect();
    assert_eq!((stats.pruned, stats.freed), (100, 100));
    assert!(levels.iter().all(|level| heap[level].0.len() == 1));
    drop(own_key);
    // The key, the 49 maps within, and the bottom.
    assert_eq!(heap.collect().freed, 1 + 49 + 1);
    for (depth, level) in levels.iter().enumerate() {
        assert_eq!(heap.is_alive(level), depth >= 49);
    }
    assert!(heap[levels[49]].0.is_empty());
}

/// Maps as values of maps, in one object: a value behind several keys at once.
type Nested = WeakKeyMap<Node, WeakKeyMap<Node, WeakKeyMap<Node, Gc<Node>>>>;

#[test]
fn a_value_behind_several_keys_needs_all_of_them() {
    // All eight combinations of living and dead keys, found before or after the map.
    for living in 0..8_u32 {
        for map_first in [true, false] {
            let mut heap = Heap::new();
            let early = map_first.then(|| heap.alloc_root(Nested::new()));
            let keys: Vec<_> = (0..3).map(|n| heap.alloc(Node::leaf(n))).collect();
            let value = heap.alloc(Node::leaf(7));
            let roots: Vec<_> =
                (0..3).filter(|n| living >> n & 1 != 0).map(|n| heap.root(keys[n]).unwrap()).collect();
            let map = early.unwrap_or_else(|| heap.alloc_root(Nested::new()));
            let inner = WeakKeyMap::from_iter([(keys[1], WeakKeyMap::from_iter([(keys[2], value)]))]);
            heap[&map].insert(keys[0], inner);
            heap.collect();
            assert_eq!(heap.is_alive(value), living == 7, "keys {living:03b}");
            assert_eq!(heap[&map].len(), living as usize & 1);
            if let Some(inner) = heap[&map].get(keys[0]) {
                assert_eq!(inner.len(), living as usize >> 1 & 1);
                let innermost = inner.get(keys[1]).map(WeakKeyMap::len);
                assert_eq!(innermost, (living & 2 != 0).then_some(living as usize >> 2 & 1));
            }
            drop(roots);
            heap.collect();
            assert_eq!((heap.len(), heap[&map].len()), (1, 0));
        }
    }
}

#[test]
fn nested_keys_may_be_reached_through_each_others_values() {
    // Keys 0 and 1 are rooted; each later key is the value behind the two before it, in either order of
    // nesting.
    for later_outside in [true, false] {
        for order in orders(48) {
            let mut heap = Heap::new();
            let keys: Vec<_> = (0..50).map(|n| heap.alloc(Node::leaf(n))).collect();
            // Found before the keys: it is traced while nothing else is reached.
            let map = heap.alloc_root(WeakKeyMap::<Node, WeakKeyMap<Node, Gc<Node>>>::new());
            for n in order {
                let [outer, inner] = if later_outside { [n + 1, n] } else { [n, n + 1] };
                heap[&map].insert(keys[outer], WeakKeyMap::from_iter([(keys[inner], keys[n + 2])]));
            }
            let list = heap.alloc_root(Node::with([keys[0], keys[1]]));
            assert_eq!((heap.collect().freed, heap[&map].len()), (0, 48));
            heap[&list].edges.remove(1);
            // With key 0 alone, nothing beyond it is reached.
            let stats = heap.collect();
            assert_eq!((stats.freed, heap[&map].len()), (49, usize::from(!later_outside)));
            // If key 0 is the outer one, its inner entry is pruned too.
            assert_eq!(stats.pruned, 48);
            drop(list);
            assert_eq!((heap.collect().pruned, heap.len()), (usize::from(!later_outside), 1));
        }
    }
}

#[test]
fn many_entries_for_one_key_in_many_maps_are_released_together() {
    on_small_stack(|| {
        let mut heap = Heap::new();
        let key = heap.alloc_root(Node::leaf(1));
        // Found before the key: maps that a list leads to, with the list in the slot before the key's.
        let maps: Vec<_> = (0..20_000)
            .map(|n| {
                let value = heap.alloc(Node::leaf(n));
                heap.alloc(WeakKeyMap::from_iter([(&key, value)]))
            })
            .collect();
        let all = heap.alloc_root(maps.clone());
        assert_eq!((heap.collect().freed, heap.len()), (0, 40_002));
        drop(key);
        let stats = heap.collect();
        assert_eq!((stats.pruned, stats.freed), (20_000, 20_001));
        assert!(maps.iter().all(|map| heap[map].is_empty()) && heap.is_alive(&all));
    });
}

#[test]
fn a_ring_of_entries_lives_while_anybody_holds_one_of_its_keys() {
    let mut heap = Heap::new();
    let map = heap.alloc_root(WeakKeyMap::new());
    let keys: Vec<_> = (0..100).map(|n| heap.alloc(Node::leaf(n))).collect();
    for n in 0..100 {
        heap[&map].insert(keys[n], keys[(n + 37) % 100]);
    }
    for n in [0, 50, 99] {
        let root = heap.root(keys[n]).unwrap();
        assert_eq!((heap.collect().pruned, heap[&map].len()), (0, 100));
        drop(root);
    }
    assert_eq!((heap.collect().pruned, heap[&map].len()), (100, 0));
}

#[test]
fn an_entry_whose_key_is_reachable_only_through_another_entry_stays() {
    // weak-cases: mistakes
    let mut heap = Heap::new();
    let (one, two) = (heap.alloc_root(WeakKeyMap::new()), heap.alloc_root(WeakKeyMap::new()));
    let keys: Vec<_> = (0..4).map(|n| heap.alloc(Node::leaf(n))).collect();
    let deep = heap.alloc(Node::with([keys[1]]));
    heap[&two].insert(keys[1], keys[2]);
    heap[&one].insert(keys[2], keys[3]);
    heap[&one].insert(keys[0], deep);
    let head = heap.root(keys[0]).unwrap();
    assert_eq!((heap.collect().freed, heap[&one].len(), heap[&two].len()), (0, 2, 1));
    drop(head);
    assert_eq!((heap.collect().freed, heap[&one].len(), heap[&two].len()), (5, 0, 0));
}

#[test]
fn stale_edges_beside_chains_change_nothing() {
    // An edge to a former tenant of a slot makes the collection mark exactly.
    for order in orders(1000) {
        let mut heap = Heap::new();
        let (keys, map) = chain(&mut heap, 1000, &order);
        let head = heap.root(keys[0]).unwrap();
        let stale: Gc<u64> = Gc::from_bits(keys[500].to_bits() + 2);
        let _holder = heap.alloc_root(vec![stale]);
        for _ in 0..3 {
            assert_eq!((heap.collect().pruned, heap[&map].len()), (0, 1000));
        }
        heap[&map].remove(keys[300]);
        assert_eq!((heap.collect().pruned, heap[&map].len()), (699, 300));
        drop(head);
        assert_eq!((heap.collect().pruned, heap[&map].len()), (300, 0));
    }
}
