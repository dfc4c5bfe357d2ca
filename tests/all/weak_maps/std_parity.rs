//! `WeakValueMap` where it behaves like a map of std.

use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};

use slotgc::{Entry, HandleHasher, Heap, Root, Weak, WeakValueMap};

use super::{Names, sorted, ten};
use crate::objects::{Node, traced};

#[test]
fn reserved_room_is_there() {
    let mut map = WeakValueMap::<u32, Node>::with_capacity(1000);
    let room = map.capacity();
    assert!(room >= 1000);
    map.extend((0..1000).map(|key| (key, Weak::dangling())));
    assert_eq!((map.capacity(), map.len()), (room, 1000));
    map.clear();
    assert_eq!((map.capacity(), map.len(), map.is_empty()), (room, 0, true));
    map.shrink_to_fit();
    assert_eq!(map.capacity(), 0);
    assert_eq!(Names::new().capacity(), 0);
}

#[test]
fn the_methods_of_a_std_map() {
    let mut heap = Heap::new();
    let (map, values) = ten(&mut heap, 4);
    let weak: Vec<Weak<Node>> = values.iter().map(Root::downgrade).collect();
    let map = &mut heap[&map];
    assert_eq!(sorted(map.keys().copied()), [0, 1, 2, 3]);
    assert_eq!(sorted(map.values()), sorted(weak.clone()));
    assert_eq!(sorted(map.iter().map(|(key, value)| (*key, value))), sorted((0..).zip(weak.clone())));
    assert_eq!((map.remove(&2), map.remove(&2)), (Some(weak[2]), None));
    *map.get_mut(&0).unwrap() = weak[3];
    assert_eq!((map.get(&0), map.get_mut(&9)), (Some(weak[3]), None));
    map.retain(|key, value| *key != 1 && value == weak[3]);
    assert_eq!(sorted(map.keys().copied()), [0, 3]);
    assert_eq!(sorted(map.clone()), [(0, weak[3]), (3, weak[3])]);
}

#[test]
fn a_key_can_be_looked_up_by_its_borrowed_form() {
    let mut map = WeakValueMap::<String, Node>::default();
    map.insert("Teddy".to_string(), Weak::dangling());
    assert!(map.contains_key("Teddy") && map.get("Mike").is_none());
    assert_eq!(map.remove("Teddy"), Some(Weak::dangling()));
}

#[test]
fn an_entry_is_inspected_and_filled() {
    let mut heap = Heap::new();
    let (a, b) = (heap.alloc_root(1), heap.alloc_root(2));
    let mut map = WeakValueMap::new();
    assert_eq!(*map.entry("x").or_insert(a.downgrade()), a.downgrade());
    assert_eq!(*map.entry("x").or_insert_with(|| unreachable!()), a.downgrade());
    assert_eq!(*map.entry("x").and_modify(|weak| *weak = b.downgrade()).or_default(), b.downgrade());
    assert_eq!(*map.entry("y").and_modify(|_| unreachable!()).or_default(), Weak::dangling());
    assert_eq!((*map.entry("y").key(), *map.entry("z").key(), map.len()), ("y", "z", 2));
    let Entry::Occupied(mut entry) = map.entry("x") else { panic!("x is there") };
    assert_eq!((*entry.key(), *entry.get()), ("x", b.downgrade()));
    *entry.get_mut() = a.downgrade();
    assert_eq!(entry.insert(b.downgrade()), a.downgrade());
    assert_eq!(entry.remove(), b.downgrade());
    let Entry::Vacant(entry) = map.entry("x") else { panic!("x is gone") };
    assert_eq!(*entry.key(), "x");
    *entry.insert(Weak::dangling()) = a.downgrade();
    assert_eq!(map.get("x"), Some(a.downgrade()));
    let Entry::Occupied(entry) = map.entry("x") else { panic!("x is there") };
    assert_eq!(entry.remove_entry(), ("x", a.downgrade()));
    let Entry::Vacant(entry) = map.entry("w") else { panic!("w is not there") };
    assert_eq!((entry.into_key(), map.len()), ("w", 1));
}

#[test]
fn a_half_consumed_drain_empties_the_map() {
    // weak-cases 67
    let mut heap = Heap::new();
    let (map, _values) = ten(&mut heap, 100);
    let before = sorted(heap[&map].iter().map(|(key, value)| (*key, value)));
    let mut half: Vec<_> = heap[&map].drain().take(50).collect();
    assert!(heap[&map].is_empty() && heap[&map].iter().next().is_none());
    half.sort();
    half.dedup();
    assert_eq!(half.len(), 50);
    assert!(half.iter().all(|entry| before.contains(entry)));
    assert_eq!((heap.collect().pruned, heap[&map].drain().count()), (0, 0));
}

#[test]
fn values_are_passed_as_any_kind_of_handle() {
    let mut heap = Heap::new();
    let root = heap.alloc_root(Node::leaf(1));
    let (gc, weak) = (root.gc(), root.downgrade());
    let mut map: WeakValueMap<_, _> = WeakValueMap::from_iter([(1, gc)]);
    map.extend([(2, weak)]);
    map.extend([(3, &root)]);
    map.extend([(4, &gc)]);
    map.extend([(5, &weak)]);
    map.insert(6, gc);
    map.insert(7, weak);
    map.insert(8, &root);
    assert_eq!(sorted(map.keys().copied()), [1, 2, 3, 4, 5, 6, 7, 8]);
    assert!(map.values().all(|value| value == weak));
}

#[test]
fn debug_shows_keys_and_handles_without_asking_anything_of_the_values() {
    let mut heap = Heap::new();
    struct Plain;
    traced!(Plain {});
    let value = heap.alloc(Plain);
    let map: WeakValueMap<_, _> = WeakValueMap::from_iter([("key", value)]);
    assert_eq!(format!("{map:?}"), format!("{{\"key\": Weak<Plain>({value})}}"));
}

/// A hasher that gives every key the same hash.
#[derive(Clone, Default)]
struct Worst(u32);

impl BuildHasher for Worst {
    type Hasher = Same;

    fn build_hasher(&self) -> Same {
        Same
    }
}

struct Same;

impl Hasher for Same {
    fn write(&mut self, _: &[u8]) {}

    fn finish(&self) -> u64 {
        7
    }
}

fn loses_its_dead<S: BuildHasher + Send + Sync + 'static>(map: WeakValueMap<u64, Node, S>) {
    let mut heap = Heap::new();
    let map = heap.alloc_root(map);
    let mut roots = Vec::new();
    for key in 0..200 {
        let root = heap.alloc_root(Node::leaf(key));
        heap[&map].insert(key, &root);
        if key % 3 == 0 {
            roots.push(root);
        }
    }
    assert_eq!(heap.collect().pruned, 200 - roots.len());
    assert_eq!(heap[&map].len(), roots.len());
    for root in roots {
        assert_eq!(heap[&map].get(&heap[&root].value), Some(root.downgrade()));
    }
}

#[test]
fn the_hasher_is_the_users_choice() {
    loses_its_dead(WeakValueMap::with_hasher(RandomState::new()));
    loses_its_dead(WeakValueMap::with_hasher(Worst::default()));
    loses_its_dead(WeakValueMap::<_, _, RandomState>::default());
    loses_its_dead(WeakValueMap::<_, _, Worst>::from_iter([(1, Weak::dangling())]));
    loses_its_dead(WeakValueMap::with_capacity_and_hasher(50, BuildHasherDefault::<HandleHasher>::default()));
    let map = WeakValueMap::<u64, Node, _>::with_hasher(Worst(5));
    assert_eq!((map.hasher().0, map.clone().hasher().0), (5, 5));
}

#[test]
fn the_order_of_iteration_is_the_programs() {
    let run = || {
        let mut heap = Heap::new();
        let (map, mut values) = ten(&mut heap, 500);
        values.retain(|root| heap[root].value % 7 != 0);
        heap.collect();
        heap[&map].keys().copied().collect::<Vec<_>>()
    };
    assert_eq!(run(), run());
}
