//! `DeathQueue`: tags of the dead, polled from anywhere.

use std::collections::BTreeSet;
use std::sync::Arc;

use slotgc::{DeathQueue, Gc, Heap, Root, WeakSet};

use crate::objects::{Bomb, Dice, Log, Node, Noisy, panic_text};

#[test]
fn a_tag_arrives_once_after_the_death() {
    // weak-cases 30
    let mut heap = Heap::new();
    let dead = DeathQueue::new();
    let root = heap.alloc_root(Node::leaf(1));
    dead.watch(&mut heap, &root, "tag").unwrap();
    heap.collect();
    assert_eq!((dead.poll(), dead.len(), dead.is_empty()), (None, 0, true));
    drop(root);
    assert_eq!(dead.poll(), None);
    assert_eq!(heap.collect().notified, 1);
    assert_eq!((dead.len(), dead.is_empty()), (1, false));
    assert_eq!((dead.poll(), dead.poll()), (Some("tag"), None));
    assert_eq!((heap.collect().notified, dead.poll()), (0, None));
}

#[test]
fn a_root_in_a_tag_keeps_its_object_until_the_tag_is_gone() {
    // weak-cases 31
    let mut heap = Heap::new();
    let dead: DeathQueue<Root<Node>> = DeathQueue::new();
    let (target, held) = (heap.alloc(Node::leaf(1)), heap.alloc_root(Node::leaf(2)));
    let weak = held.downgrade();
    dead.watch(&mut heap, target, held).unwrap();
    assert_eq!((heap.collect().freed, heap.collect().freed), (1, 0));
    assert!(heap.is_alive(weak));
    let tag = dead.poll().unwrap();
    assert_eq!((heap[&tag].value, heap.collect().freed), (2, 0));
    drop(tag);
    assert_eq!((heap.collect().freed, heap.is_alive(weak)), (1, false));
}

#[test]
fn a_tag_that_is_the_target_itself_keeps_nothing() {
    // weak-cases 33
    // weak-cases: mistakes
    let mut heap = Heap::new();
    let dead: DeathQueue<Gc<Node>> = DeathQueue::new();
    let target = heap.alloc(Node::leaf(1));
    dead.watch(&mut heap, target, target).unwrap();
    assert_eq!(heap.collect().freed, 1);
    let tag = dead.poll().unwrap();
    assert!(tag == target && heap.get(tag).is_none());
}

#[test]
fn cancelled_watches_deliver_nothing() {
    // weak-cases 32
    let log = Log::default();
    let mut heap = Heap::new();
    let dead = DeathQueue::new();
    let target = heap.alloc(1);
    let watches: Vec<_> =
        (0..10).map(|n| dead.watch(&mut heap, target, Noisy::new(n, &log)).unwrap()).collect();
    assert!(watches.iter().step_by(2).all(|watch| heap.cancel(*watch)));
    assert_eq!(log.take(), [0, 2, 4, 6, 8]);
    assert_eq!((heap.watch_count(target), heap.collect().notified), (5, 5));
    assert_eq!(dead.drain().map(|tag| tag.number).collect::<Vec<_>>(), [1, 3, 5, 7, 9]);
    assert!(watches.iter().all(|watch| !heap.cancel(*watch)));
}

#[test]
fn tags_arrive_in_the_order_of_registration_whatever_slots_the_objects_have() {
    let mut dice = Dice::new(8);
    for round in 0..20 {
        let mut heap = Heap::new();
        let dead = DeathQueue::new();
        let mut objects: Vec<_> = (0..300).map(|n| heap.alloc(Node::leaf(n))).collect();
        dice.shuffle(&mut objects);
        for number in 0..500 {
            dead.watch(&mut heap, objects[dice.below(300)], number).unwrap();
        }
        assert_eq!(heap.collect().notified, 500);
        assert!(dead.drain().eq(0..500), "round {round}");
    }
}

#[test]
fn all_tags_arrive_before_the_first_callback() {
    let mut heap = Heap::new();
    let dead = DeathQueue::new();
    let objects: Vec<_> = (0..10).map(|n| heap.alloc(Node::leaf(n))).collect();
    for (number, target) in objects.iter().enumerate() {
        let seen = dead.clone();
        heap.on_death(target, move |_, _| assert_eq!(seen.len(), 10)).unwrap();
        dead.watch(&mut heap, target, number).unwrap();
    }
    assert_eq!(heap.collect().notified, 20);
    assert!(dead.drain().eq(0..10));
}

#[test]
fn destroy_sends_tags_before_it_returns() {
    let mut heap = Heap::new();
    let dead = DeathQueue::default();
    let (a, b) = (heap.alloc_root(Node::leaf(1)), heap.alloc_root(Node::leaf(2)));
    for number in 0..3 {
        dead.watch(&mut heap, &a, number).unwrap();
        dead.watch(&mut heap, &b, 10 + number).unwrap();
    }
    heap.destroy(&b);
    assert!(dead.drain().eq(10..13));
    heap.destroy_any(a.gc().erase());
    assert!(dead.drain().eq(0..3));
}

#[test]
fn a_destroyed_objects_tags_arrive_at_once_inside_a_callback_too() {
    let mut heap = Heap::new();
    let dead = DeathQueue::new();
    let (object, other) = (heap.alloc(Node::leaf(1)), heap.alloc_root(Node::leaf(2)));
    dead.watch(&mut heap, &other, "other").unwrap();
    let (gc, seen) = (other.gc(), dead.clone());
    heap.on_death(object, move |heap, _| {
        assert_eq!(seen.poll(), None);
        heap.destroy(gc);
        assert_eq!(seen.poll(), Some("other"));
    })
    .unwrap();
    // The callback and the tag.
    assert_eq!(heap.collect().notified, 2);
}

#[test]
fn a_dropped_queues_tags_are_dropped_once_each() {
    // weak-cases 34
    let log = Log::default();
    let mut heap = Heap::new();
    let (dead, other) = (DeathQueue::new(), DeathQueue::new());
    let [a, b] = [1, 2].map(|n| heap.alloc_root(Node::leaf(n)));
    for number in 0..3 {
        for (object, plus) in [(&a, 0), (&b, 10)] {
            dead.watch(&mut heap, object, Noisy::new(number + plus, &log)).unwrap();
            other.watch(&mut heap, object, number + plus).unwrap();
        }
    }
    drop(a);
    heap.collect();
    assert_eq!((dead.poll().map(|tag| tag.number), log.take()), (Some(0), vec![0]));
    // Two wait in the queue, three for the other object's death.
    drop((dead.clone(), dead));
    assert_eq!(log.take(), [1, 2]);
    drop(b);
    assert_eq!((heap.collect().notified, log.take()), (6, vec![10, 11, 12]));
    assert!(other.drain().eq([0, 1, 2, 10, 11, 12]));
}

#[test]
#[cfg_attr(not(feature = "std"), ignore = "without std nobody catches panics")]
fn a_panic_of_a_dropped_queues_tag_stops_no_other() {
    // weak-cases 34
    let log = Log::default();
    let mut heap = Heap::new();
    let (bombs, other) = (DeathQueue::new(), DeathQueue::new());
    let [a, b] = [1, 2].map(|n| heap.alloc_root(Node::leaf(n)));
    for number in 0..3 {
        for (object, plus) in [(&a, 0), (&b, 10)] {
            bombs.watch(&mut heap, object, Bomb(Noisy::new(number + plus, &log))).unwrap();
            other.watch(&mut heap, object, number + plus).unwrap();
        }
    }
    drop((a, bombs));
    assert_eq!((panic_text(|| heap.collect()).as_str(), log.take()), ("bomb 0", vec![0, 1, 2]));
    assert_eq!((panic_text(|| heap.destroy(&b)).as_str(), log.take()), ("bomb 10", vec![10, 11, 12]));
    assert!(other.drain().eq([0, 1, 2, 10, 11, 12]));
    assert_eq!((heap.len(), heap.collect().notified), (0, 0));
}

#[test]
fn a_queue_outlives_its_heap() {
    let log = Log::default();
    let dead = DeathQueue::new();
    let mut heap = Heap::new();
    for number in 0..5 {
        let object = heap.alloc_root(1);
        dead.watch(&mut heap, &object, Noisy::new(number, &log)).unwrap();
    }
    heap.shutdown().unwrap();
    assert_eq!((dead.len(), log.take()), (5, vec![]));
    assert_eq!(dead.drain().take(2).map(|tag| tag.number).collect::<Vec<_>>(), [0, 1]);
    let copy = dead.clone();
    drop(dead);
    assert_eq!((copy.len(), log.take()), (3, vec![0, 1]));
    drop(copy);
    assert_eq!(log.take(), [2, 3, 4]);
}

#[test]
fn a_queue_may_serve_several_heaps_and_an_object_several_queues() {
    let dead = DeathQueue::new();
    let second = DeathQueue::new();
    let mut heaps = [Heap::new(), Heap::new()];
    for (heap, name) in heaps.iter_mut().zip(["one", "two"]) {
        let object = heap.alloc(1);
        dead.watch(heap, object, name).unwrap();
        second.watch(heap, object, 7).unwrap();
        dead.watch(heap, object, name).unwrap();
        heap.collect();
    }
    assert!(dead.drain().eq(["one", "one", "two", "two"]));
    assert!(second.drain().eq([7, 7]));
}

#[test]
fn another_thread_polls_while_the_heap_goes_on() {
    const LEN: usize = 20_000;
    let dead = DeathQueue::new();
    let reader = dead.clone();
    let thread = std::thread::spawn(move || {
        let mut tags = BTreeSet::new();
        while tags.len() < LEN {
            match reader.poll() {
                Some(tag) => assert!(tags.insert(tag), "a tag comes once"),
                None => std::thread::yield_now(),
            }
        }
        tags
    });
    let mut heap = Heap::new();
    for number in 0..LEN {
        let object = heap.alloc(number);
        dead.watch(&mut heap, object, number).unwrap();
        if number % 1000 == 999 {
            heap.collect();
        }
    }
    assert!(thread.join().unwrap().into_iter().eq(0..LEN));
    assert!(dead.is_empty());
}

#[test]
fn tags_are_shared_out_among_several_readers() {
    let mut heap = Heap::new();
    let dead = DeathQueue::new();
    for number in 0..1000 {
        let object = heap.alloc(1_u64);
        dead.watch(&mut heap, object, number).unwrap();
    }
    heap.collect();
    let dead = Arc::new(dead);
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let dead = Arc::clone(&dead);
            std::thread::spawn(move || dead.drain().collect::<Vec<u32>>())
        })
        .collect();
    let mut tags: Vec<u32> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    tags.sort_unstable();
    assert!(tags.into_iter().eq(0..1000));
}

#[test]
fn a_tag_need_not_be_sync_and_may_hold_weak_collections() {
    let mut heap = Heap::new();
    let dead = DeathQueue::new();
    let object = heap.alloc(Node::leaf(1));
    dead.watch(&mut heap, object, (std::cell::Cell::new(7), WeakSet::from_iter([object]))).unwrap();
    heap.collect();
    let (cell, mut set) = dead.poll().unwrap();
    set.prune_dead(&heap);
    assert_eq!((cell.get(), set.len()), (7, 0));
    fn shared<T: Send + Sync>(_: &T) {}
    shared(&dead);
    assert_eq!(format!("{dead:?}"), "DeathQueue { len: 0 }");
}
