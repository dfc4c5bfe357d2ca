//! `WeakKeyMap` where it behaves like a map of std.

use slotgc::{Entry, Heap, Root, Weak, WeakKeyMap};

use super::sorted;
use crate::objects::{Log, Noisy, panic_text};

#[test]
fn the_methods_of_a_std_map() {
    let mut heap = Heap::new();
    let keys: Vec<_> = (0..4_u32).map(|n| heap.alloc_root(n)).collect();
    let weak: Vec<Weak<u32>> = keys.iter().map(Root::downgrade).collect();
    let mut map = weak.iter().zip(0..4).collect::<WeakKeyMap<u32, i32>>();
    assert_eq!(sorted(map.keys()), sorted(weak.clone()));
    assert_eq!(sorted(map.values().copied()), [0, 1, 2, 3]);
    map.values_mut().for_each(|value| *value *= 10);
    map.iter_mut().filter(|(key, _)| *key == weak[3]).for_each(|(_, value)| *value += 1);
    assert_eq!(
        sorted(map.iter().map(|(key, value)| (key, *value))),
        sorted(weak.iter().copied().zip([0, 10, 20, 31]))
    );
    *map.get_mut(&keys[0]).unwrap() = 5;
    assert_eq!((map[&keys[0]], map.get_mut(Weak::dangling())), (5, None));
    map.retain(|key, value| {
        *value += 1;
        key != weak[1]
    });
    assert_eq!(sorted(map.clone().into_iter().map(|(_, value)| value)), [6, 21, 32]);
    let text = panic_text(|| map[weak[1]]);
    assert_eq!(text, format!("no entry in a WeakKeyMap for the key {:?}", weak[1]));
    assert_eq!(format!("{:?}", WeakKeyMap::from_iter([(weak[0], "x")])), format!("{{{:?}: \"x\"}}", weak[0]));
    assert!(WeakKeyMap::<u32, i32>::default().is_empty());
}

#[test]
fn keys_are_passed_as_any_kind_of_handle() {
    let mut heap = Heap::new();
    let root = heap.alloc_root(1);
    let (gc, weak) = (root.gc(), root.downgrade());
    let mut map = WeakKeyMap::new();
    assert_eq!((map.insert(&root, 1), map.insert(gc, 2), map.insert(weak, 3)), (None, Some(1), Some(2)));
    map.extend([(&root, 4)]);
    map.extend([(gc, 5)]);
    map.extend([(&weak, 6)]);
    assert_eq!([map.get(&root), map.get(gc), map.get(weak), map.get(gc)], [Some(&6); 4]);
    assert!(map.contains_key(weak) && map.len() == 1);
    assert_eq!((map.remove(gc), map.remove(gc)), (Some(6), None));
}

#[test]
fn an_entry_is_inspected_and_filled() {
    let mut heap = Heap::new();
    let (a, b) = (heap.alloc_root(1), heap.alloc_root(2));
    let mut map = WeakKeyMap::<i32, u32>::new();
    *map.entry(&a).or_insert(0) += 1;
    *map.entry(a.gc()).and_modify(|n| *n += 10).or_default() += 1;
    assert_eq!((map[&a], *map.entry(&b).or_insert_with(|| 7), *map.entry(&b).key()), (12, 7, b.downgrade()));
    let Entry::Occupied(mut entry) = map.entry(&b) else { panic!("b is there") };
    assert_eq!((entry.insert(8), *entry.get()), (7, 8));
    *entry.into_mut() = 9;
    assert_eq!(map.remove(&b), Some(9));
    let Entry::Vacant(entry) = map.entry(&b) else { panic!("b is gone") };
    assert_eq!((*entry.key(), *entry.insert(3)), (b.downgrade(), 3));
    assert_eq!(
        format!("{:?}", map.entry(&b)),
        format!("Entry(OccupiedEntry {{ key: {:?}, value: 3 }})", b.downgrade())
    );
}

#[test]
fn a_half_consumed_drain_empties_the_map_and_drops_the_rest_once() {
    // weak-cases 67
    let log = Log::default();
    let mut heap = Heap::new();
    let keys: Vec<_> = (0..100_u32).map(|n| heap.alloc_root(n)).collect();
    let map = keys.iter().map(|key| (key, Noisy::new(heap[key], &log))).collect::<WeakKeyMap<_, _>>();
    let map = heap.alloc_root(map);
    let half: Vec<_> = heap[&map].drain().take(50).collect();
    assert!(heap[&map].is_empty() && heap[&map].keys().next().is_none());
    let dropped = log.take();
    let mut numbers: Vec<u32> = half.iter().map(|(key, noisy)| heap[key].max(noisy.number)).collect();
    drop(half);
    assert_eq!((dropped.len(), log.take().len()), (50, 50));
    numbers.extend(dropped);
    assert_eq!(sorted(numbers), (0..100).collect::<Vec<_>>());
}

#[test]
fn reserved_room_is_there() {
    let mut map = WeakKeyMap::<u32, u32>::with_capacity(100);
    let room = map.capacity();
    assert!(room >= 100);
    map.insert(Weak::dangling(), 1);
    map.clear();
    assert_eq!((map.capacity(), map.len()), (room, 0));
    map.shrink_to_fit();
    assert_eq!((map.capacity(), WeakKeyMap::<u32, u32>::new().capacity()), (0, 0));
}

#[test]
fn a_list_of_keys_taken_before_shows_later_deaths_and_no_later_insertions() {
    // weak-cases 59; that iterating and inserting does not compile is in `ui/weak_iteration.rs`
    let mut heap = Heap::new();
    let map = heap.alloc_root(WeakKeyMap::new());
    let (a, b) = (heap.alloc_root("a"), heap.alloc_root("b"));
    heap[&map].extend([(&a, 1), (&b, 2)]);
    let keys: Vec<Weak<&str>> = heap[&map].keys().collect();
    let late = heap.alloc_root("late");
    for _ in 0..keys.len() {
        heap[&map].insert(&late, 3);
    }
    drop(a);
    heap.collect();
    let shown: Vec<Option<&&str>> = keys.iter().map(|key| heap.get(key)).collect();
    assert_eq!(sorted(shown), [None, Some(&"b")]);
    assert_eq!(heap[&map].len(), 2);
}
