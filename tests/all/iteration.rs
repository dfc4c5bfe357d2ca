//! Iterators as in std: nameable, exact, double-ended, usable on any thread.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::iter::FusedIterator;

use slotgc::iter::{self, interner, weak_key_map, weak_set, weak_value_map};
use slotgc::{Gc, Heap, Interner, Trace, Weak, WeakKeyMap, WeakSet, WeakValueMap};

use crate::objects::{Link, Node};

const fn is_send_and_sync<T: Send + Sync>() {}
const fn is_exact<I: ExactSizeIterator + FusedIterator + Debug>() {}
const fn is_fused<I: FusedIterator + Debug + Clone>() {}
const fn is_cloned<I: Clone>() {}
const fn has_two_ends<I: DoubleEndedIterator>() {}

/// Properties that the compiler checks.
const _: () = {
    type Key = String;
    is_send_and_sync::<iter::Iter<'_, Node>>();
    is_send_and_sync::<iter::IterMut<'_, Node>>();
    is_send_and_sync::<weak_set::Iter<'_, Node>>();
    is_send_and_sync::<weak_set::Drain<'_, Node>>();
    is_send_and_sync::<weak_set::IntoIter<Node>>();
    is_send_and_sync::<weak_set::Union<'_, Node>>();
    is_send_and_sync::<weak_set::Intersection<'_, Node>>();
    is_send_and_sync::<weak_key_map::Iter<'_, Node, Key>>();
    is_send_and_sync::<weak_key_map::IterMut<'_, Node, Key>>();
    is_send_and_sync::<weak_key_map::Keys<'_, Node, Key>>();
    is_send_and_sync::<weak_key_map::Values<'_, Node, Key>>();
    is_send_and_sync::<weak_key_map::ValuesMut<'_, Node, Key>>();
    is_send_and_sync::<weak_key_map::Drain<'_, Node, Key>>();
    is_send_and_sync::<weak_key_map::IntoIter<Node, Key>>();
    is_send_and_sync::<weak_value_map::Iter<'_, Key, Node>>();
    is_send_and_sync::<weak_value_map::Keys<'_, Key, Node>>();
    is_send_and_sync::<weak_value_map::Values<'_, Key, Node>>();
    is_send_and_sync::<weak_value_map::Drain<'_, Key, Node>>();
    is_send_and_sync::<weak_value_map::IntoIter<Key, Node>>();
    is_send_and_sync::<interner::Iter<'_, Key>>();

    is_exact::<iter::Iter<'_, Node>>();
    is_exact::<iter::IterMut<'_, Node>>();
    is_exact::<weak_set::Iter<'_, Node>>();
    is_exact::<weak_set::Drain<'_, Node>>();
    is_exact::<weak_set::IntoIter<Node>>();
    is_exact::<weak_key_map::Iter<'_, Node, Key>>();
    is_exact::<weak_key_map::IterMut<'_, Node, Key>>();
    is_exact::<weak_key_map::Keys<'_, Node, Key>>();
    is_exact::<weak_key_map::Values<'_, Node, Key>>();
    is_exact::<weak_key_map::ValuesMut<'_, Node, Key>>();
    is_exact::<weak_key_map::Drain<'_, Node, Key>>();
    is_exact::<weak_key_map::IntoIter<Node, Key>>();
    is_exact::<weak_value_map::Iter<'_, Key, Node>>();
    is_exact::<weak_value_map::Keys<'_, Key, Node>>();
    is_exact::<weak_value_map::Values<'_, Key, Node>>();
    is_exact::<weak_value_map::Drain<'_, Key, Node>>();
    is_exact::<weak_value_map::IntoIter<Key, Node>>();
    is_exact::<interner::Iter<'_, Key>>();

    is_cloned::<iter::Iter<'_, Node>>();
    is_cloned::<weak_set::Iter<'_, Node>>();
    is_cloned::<weak_key_map::Iter<'_, Node, Key>>();
    is_cloned::<weak_key_map::Keys<'_, Node, Key>>();
    is_cloned::<weak_key_map::Values<'_, Node, Key>>();
    is_cloned::<weak_value_map::Iter<'_, Key, Node>>();
    is_cloned::<weak_value_map::Keys<'_, Key, Node>>();
    is_cloned::<weak_value_map::Values<'_, Key, Node>>();
    is_cloned::<interner::Iter<'_, Key>>();

    is_fused::<weak_set::Union<'_, Node>>();
    is_fused::<weak_set::Intersection<'_, Node>>();
    is_fused::<weak_set::Difference<'_, Node>>();
    is_fused::<weak_set::SymmetricDifference<'_, Node>>();

    has_two_ends::<iter::Iter<'_, Node>>();
    has_two_ends::<iter::IterMut<'_, Node>>();
    has_two_ends::<iter::GetMany<'_, Gc<Node>>>();
    is_exact::<iter::GetMany<'_, Gc<Node>>>();
    is_cloned::<iter::GetMany<'_, Gc<Node>>>();
    is_send_and_sync::<iter::GetMany<'_, Gc<Node>>>();
};

/// What a user writes: a struct with an iterator in a field.
struct Sweep<'a> {
    objects: iter::Iter<'a, Node>,
}

#[test]
fn an_iterator_can_be_a_field_and_cross_threads() {
    let mut heap = Heap::new();
    heap.extend((0..1000).map(Node::leaf));
    let sweep = Sweep { objects: heap.iter() };
    let sum = std::thread::scope(|scope| {
        scope.spawn(move || sweep.objects.map(|(_, node)| node.value).sum::<u64>()).join().unwrap()
    });
    assert_eq!(sum, 499_500);
    std::thread::scope(|scope| {
        let objects = heap.iter_mut::<Node>();
        scope.spawn(move || objects.for_each(|(_, node)| node.value = 1));
    });
    assert_eq!(heap.iter::<Node>().map(|(_, node)| node.value).sum::<u64>(), 1000);
}

/// Objects of several pages with gaps: destroyed ones, and free slots at the end.
fn heap_with_gaps<T: Trace>(value: impl Fn(u64) -> T) -> (Heap, Vec<Gc<T>>) {
    let mut heap = Heap::new();
    let made: Vec<_> = (0..10_000).map(|n| heap.alloc(value(n))).collect();
    let gone = |n: usize| n % 3 == 0 || (2000..5000).contains(&n);
    made.iter().enumerate().filter(|(n, _)| gone(*n)).for_each(|(_, gc)| drop(heap.destroy(gc)));
    let left = made.iter().enumerate().filter(|(n, _)| !gone(*n)).map(|(_, gc)| *gc).collect();
    (heap, left)
}

fn from_both_ends<T: Trace>(value: impl Fn(u64) -> T) {
    let (mut heap, left) = heap_with_gaps(value);
    let handles = |(gc, _): (Gc<T>, &T)| gc;
    assert!(heap.iter().map(handles).eq(left.iter().copied()));
    assert!(heap.iter().rev().map(handles).eq(left.iter().rev().copied()));

    // Alternates between the ends, in runs of different lengths, until they meet.
    for seed in 1..20_u64 {
        let (mut objects, mut expected) = (heap.iter::<T>(), left.iter().copied());
        let mut turn = seed;
        while expected.len() > 0 {
            turn = turn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            for _ in 0..turn >> 57 {
                assert_eq!(objects.len(), expected.len());
                match turn >> 40 & 1 {
                    0 => assert_eq!(objects.next().map(handles), expected.next()),
                    _ => assert_eq!(objects.next_back().map(handles), expected.next_back()),
                }
            }
        }
        assert!(objects.next().is_none() && objects.next_back().is_none() && objects.next().is_none());
        assert_eq!(objects.len(), 0);
    }
    let mut front = heap.iter_mut::<T>();
    let half: Vec<_> = front.by_ref().take(left.len() / 2).map(|(gc, _)| gc).collect();
    let back: Vec<_> = front.rev().map(|(gc, _)| gc).collect();
    assert!(half.iter().chain(back.iter().rev()).eq(&left));
}

#[test]
fn iteration_from_both_ends_yields_each_object_once_in_slot_order() {
    from_both_ends(|n| n);
    from_both_ends(Node::leaf);
    from_both_ends(|n| [n; 300]); // few to a page
}

#[test]
fn references_from_both_ends_may_be_held_all_at_once() {
    let mut heap = Heap::new();
    heap.extend(0..2000_u64);
    let mut objects = heap.iter_mut::<u64>();
    let mut held = Vec::new();
    while let Some((_, front)) = objects.next() {
        held.push(front);
        held.extend(objects.next_back().map(|(_, back)| back));
    }
    held.iter_mut().for_each(|value| **value += 1);
    let distinct: BTreeSet<_> = held.iter().map(|value| **value).collect();
    assert_eq!((held.len(), distinct.len()), (2000, 2000));
}

#[test]
fn an_iterator_knows_its_length_even_while_an_incremental_cycle_has_dead_objects_to_sweep() {
    let mut heap = Heap::new();
    let kept: Vec<_> = (0..500).map(|value| heap.alloc_root(Node::leaf(value))).collect();
    heap.extend((0..5000).map(Node::leaf));
    let mut lengths = BTreeSet::new();
    loop {
        let report = heap.step(slotgc::Budget::Objects(50));
        let (len, count) = (heap.iter::<Node>().len(), heap.iter::<Node>().rev().count());
        assert_eq!((len, count), (heap.len_of::<Node>(), len), "in {:?}", report.phase);
        assert_eq!(heap.iter_mut::<Node>().len(), heap.iter_mut::<Node>().count());
        lengths.insert(len);
        if report.finished.is_some() {
            break;
        }
    }
    assert_eq!(lengths, BTreeSet::from([500, 5500]));
    drop(kept);
}

/// Pages that are full, with gaps, veiled and half handed out; iterators that have already advanced at either
/// end.
#[test]
fn fold_and_for_each_visit_the_same_objects_as_next() {
    fn check<T: Trace + Debug>(random: &mut slotgc_graphs::Random, make: fn(u64) -> T) {
        let mut heap = Heap::new();
        let handles: Vec<_> = (0..4000).map(|n| heap.alloc_root(make(n))).collect();
        heap.extend((0..10_000).map(make));
        for gc in handles.iter().skip(2000).step_by(3) {
            heap.destroy(gc);
        }
        loop {
            let report = heap.step(slotgc::Budget::Objects(700));
            let one_by_one: Vec<_> = std::iter::from_fn({
                let mut objects = heap.iter::<T>();
                move || objects.next().map(|(gc, _)| gc)
            })
            .collect();
            let (front, back) = (random.below(200), random.below(200));
            let mut objects = heap.iter::<T>();
            (0..front).for_each(|_| _ = objects.next());
            (0..back).for_each(|_| _ = objects.next_back());
            let rest = objects.fold(Vec::new(), |mut all, (gc, _)| {
                all.push(gc);
                all
            });
            assert_eq!(rest, one_by_one[front..one_by_one.len() - back], "in {:?}", report.phase);
            let mut objects = heap.iter_mut::<T>();
            (0..front).for_each(|_| _ = objects.next());
            let mut rest = Vec::new();
            objects.for_each(|(gc, _)| rest.push(gc));
            assert_eq!(rest, one_by_one[front..]);
            if report.finished.is_some() {
                return;
            }
        }
    }

    let random = &mut slotgc_graphs::Random::new(7);
    check(random, |n| n);
    check(random, |n| [n; 3]);
    check(random, |n| [n; 8]);
    check(random, |n| [n; 1000]);
    check(random, |_| ());
}

#[test]
fn changes_in_for_each_pass_the_write_barrier() {
    let mut heap = Heap::new();
    let old: Vec<_> = (0..300).map(|_| heap.alloc_root(Link::default())).collect();
    heap.collect();
    let young = heap.alloc(Link { value: 7, next: None });
    heap.iter_mut::<Link>().for_each(|(gc, link)| {
        if gc == old[200].gc() {
            link.next = Some(young);
        }
    });
    heap.collect_minor();
    assert_eq!(heap.get(young).map(|link| link.value), Some(7));
}

#[test]
fn changes_from_the_back_pass_the_write_barrier() {
    let mut heap = Heap::new();
    let old = heap.alloc_root(Link::default());
    heap.collect();
    let young = heap.alloc(Link { value: 7, next: None });
    let (_, last) = heap.iter_mut::<Link>().rev().find(|(gc, _)| *gc == old.gc()).unwrap();
    last.next = Some(young);
    heap.collect_minor();
    assert_eq!(heap.get(young).map(|link| link.value), Some(7));
}

/// Exhausts the iterator; checks its length at each item.
fn drained<I: IntoIterator<IntoIter: ExactSizeIterator>>(items: I) -> Vec<I::Item> {
    let mut iterator = items.into_iter();
    let mut items = Vec::new();
    loop {
        let len = iterator.len();
        match iterator.next() {
            Some(item) => items.push(item),
            None => {
                assert_eq!(len, 0);
                assert!(iterator.next().is_none());
                return items;
            }
        }
        assert_eq!(iterator.len() + 1, len);
    }
}

#[test]
fn loops_over_references_to_collections_yield_what_their_methods_yield() {
    let mut heap = Heap::new();
    let handles = heap.alloc_many(0..100_u32);
    let set: WeakSet<u32> = handles.iter().collect();
    let mut by_key: WeakKeyMap<u32, u32> = handles.iter().map(|gc| (gc, heap[gc])).collect();
    let by_value: WeakValueMap<u32, u32> = handles.iter().map(|gc| (heap[gc], gc)).collect();
    let names = heap.alloc_root(Interner::new());
    let interned: Vec<_> = (0..10).map(|n| heap.intern(&names, format!("{n}"))).collect();

    let mut seen = BTreeSet::new();
    for weak in &set {
        seen.insert(heap[weak]);
    }
    assert_eq!(seen, (0..100).collect());
    for (key, value) in &mut by_key {
        assert_eq!(heap[key], *value);
        *value += 1;
    }
    for (key, value) in &by_key {
        assert_eq!(heap[key] + 1, *value);
    }
    for (key, weak) in &by_value {
        assert_eq!(heap[weak], *key);
    }
    let mut all: Vec<Weak<String>> = Vec::new();
    for weak in &heap[&names] {
        all.push(weak);
    }
    all.sort();
    assert!(all.iter().eq(&interned));

    assert!(drained(&set) == set.iter().collect::<Vec<_>>());
    assert!(drained(by_key.keys()) == by_key.iter().map(|(key, _)| key).collect::<Vec<_>>());
    assert!(drained(by_key.values()) == by_key.iter().map(|(_, value)| value).collect::<Vec<_>>());
    assert_eq!(drained(by_key.values_mut()).len(), 100);
    assert!(drained(by_value.keys()) == by_value.iter().map(|(key, _)| key).collect::<Vec<_>>());
    assert!(drained(by_value.values()) == by_value.iter().map(|(_, weak)| weak).collect::<Vec<_>>());
    let (set_before, key_before) = (set.clone(), by_key.clone());
    assert!(drained(set.clone()) == drained(&set));
    assert_eq!(drained(by_value.clone().drain()), drained(by_value));
    assert_eq!(drained(by_key.drain()), drained(key_before));
    assert!(by_key.is_empty());
    let mut set = set;
    assert!(set.drain().next().is_some());
    assert!(set.is_empty() && set_before.len() == 100, "including what the iterator did not reach");
}

#[test]
fn iterators_print_what_is_left_or_how_much() {
    let mut heap = Heap::new();
    let gc = heap.alloc(7_u32);
    assert_eq!(
        format!("{:?} {:?}", heap.iter::<u32>(), heap.iter::<u8>()),
        "Iter<u32>(1 left) Iter<u8>(0 left)"
    );
    assert_eq!(format!("{:?}", heap.iter_mut::<u32>()), "IterMut<u32>(1 left)");
    let mut set = WeakSet::from_iter([gc]);
    assert_eq!(format!("{:?}", set.iter()), format!("[{:?}]", gc.downgrade()));
    assert_eq!(format!("{:?}", set.union(&WeakSet::new())), format!("[{:?}]", gc.downgrade()));
    assert_eq!(format!("{:?}", set.drain()), "Drain(1 left)");
    let map = WeakKeyMap::from_iter([(gc, "seven")]);
    assert_eq!(format!("{:?}", map.values()), "[\"seven\"]");
}

#[test]
fn set_operations_stay_exhausted_and_bound_what_is_left() {
    let mut heap = Heap::new();
    let handles = heap.alloc_many(0..30_u32);
    let set = |range: std::ops::Range<usize>| -> WeakSet<u32> { handles[range].iter().collect() };
    let (a, b) = (set(0..20), set(10..30));
    let values = |iterator: &mut dyn Iterator<Item = Weak<u32>>| -> BTreeSet<u32> {
        let (least, most) = iterator.size_hint();
        let all: BTreeSet<_> = iterator.map(|weak| heap[weak]).collect();
        assert!(least <= all.len() && all.len() <= most.unwrap() && iterator.next().is_none());
        all
    };
    assert_eq!(values(&mut a.union(&b)), (0..30).collect());
    assert_eq!(values(&mut a.intersection(&b)), (10..20).collect());
    assert_eq!(values(&mut a.difference(&b)), (0..10).collect());
    assert_eq!(values(&mut a.symmetric_difference(&b)), (0..10).chain(20..30).collect());
}

#[test]
fn get_many_looks_handles_up_in_order_as_get_does() {
    let mut heap = Heap::new();
    let mut handles = heap.alloc_many((0..3000).map(Node::leaf));
    handles.iter().step_by(7).for_each(|gc| drop(heap.destroy(gc)));
    handles.sort_by_key(|gc| gc.to_bits().wrapping_mul(0x9e37_79b9_7f4a_7c15));
    handles.extend([handles[0], Gc::default(), Gc::from_bits(u64::MAX - 12)]);
    for len in [0, 1, 7, 8, 9, 63, 64, 65, handles.len()] {
        let handles = &handles[..len];
        let values = |node: Option<&Node>| node.map(|node| node.value);
        let each: Vec<_> = handles.iter().map(|gc| values(heap.get(gc))).collect();
        assert!(heap.get_many(handles).map(values).eq(each.iter().copied()));
        assert!(heap.get_many(handles).rev().map(values).eq(each.iter().rev().copied()));
        assert_eq!(drained(heap.get_many(handles)).len(), len);
        let mut many = heap.get_many(handles);
        assert_eq!(many.nth(5).map(values), each.get(5).copied());
        assert_eq!(many.len(), len.saturating_sub(6));
        assert!(many.nth(usize::MAX).is_none() && many.len() == 0);
    }
    assert_eq!(format!("{:?}", heap.get_many(&handles[..3])), "GetMany<Node>(3 left)");
    // Also weak handles, and roots, including one of another heap.
    let weak: Vec<_> = handles.iter().map(|gc| gc.downgrade()).collect();
    assert!(heap.get_many(&weak).map(|node| node.is_some()).eq(handles.iter().map(|gc| heap.is_alive(gc))));
    let roots = [heap.alloc_root(Node::leaf(7)), Heap::new().alloc_root(Node::leaf(8))];
    let found: Vec<_> =
        heap.get_many(&[&roots[0], &roots[1]]).map(|node| node.map(|node| node.value)).collect();
    assert_eq!(found, [Some(7), None]);
}
