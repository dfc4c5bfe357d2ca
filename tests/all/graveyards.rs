//! `Graveyard`: values of dead objects, moved out of the heap without running their destructors.

use slotgc::{DeathQueue, Gc, Graveyard, Heap, Watch, Weak, WeakKeyMap};

use crate::objects::{Bomb, Link, Log, Node, Noisy, panic_text, traced};

/// A value with a destructor and a handle of each kind.
struct Grave {
    noisy: Noisy,
    strong: Gc<Node>,
    weak: Weak<Node>,
}

traced!(Grave { strong });

fn bury(heap: &mut Heap, graves: &Graveyard<Noisy>, number: u32, log: &Log) -> (Gc<Noisy>, Watch) {
    let gc = heap.alloc(Noisy::new(number, log));
    (gc, graves.bury(heap, gc).unwrap())
}

fn numbers(graves: &Graveyard<Noisy>) -> Vec<u32> {
    graves.drain().map(|(_, noisy)| noisy.number).collect()
}

#[test]
fn a_buried_value_arrives_whole_and_its_handles_tell_the_living_from_the_dead() {
    // weak-cases 40
    let log = Log::default();
    let mut heap = Heap::new();
    let graves = Graveyard::new();
    let (dying, living) = (heap.alloc(Node::leaf(1)), heap.alloc_root(Node::leaf(2)));
    let grave = Grave { noisy: Noisy::new(1, &log), strong: dying, weak: living.downgrade() };
    let object = heap.alloc_root(grave);
    graves.bury(&mut heap, &object).unwrap();
    heap.collect();
    assert!(graves.exhume().is_none());
    let gc = object.gc();
    drop(object);
    let stats = heap.collect();
    assert_eq!((stats.freed, stats.notified, log.take()), (2, 0, vec![]));
    assert_eq!((graves.len(), graves.is_empty()), (1, false));
    let (weak, value) = graves.exhume().unwrap();
    assert!(weak == gc && heap.get(weak).is_none() && graves.exhume().is_none() && graves.is_empty());
    assert!(heap.get(value.strong).is_none());
    assert_eq!((heap[value.weak].value, value.noisy.number, log.take()), (2, 1, vec![]));
    drop(value);
    assert_eq!(log.take(), [1]);
}

#[test]
fn values_left_in_a_graveyard_are_dropped_with_it_once() {
    // weak-cases 40
    let log = Log::default();
    let mut heap = Heap::new();
    let graves = Graveyard::new();
    for number in 0..3 {
        bury(&mut heap, &graves, number, &log);
    }
    heap.collect();
    let copy = graves.clone();
    drop(graves);
    assert_eq!((copy.len(), log.take()), (3, vec![]));
    drop(heap);
    drop(copy);
    assert_eq!(log.take(), [0, 1, 2]);
}

#[test]
fn a_value_whose_graveyard_is_gone_is_dropped_with_the_others() {
    let log = Log::default();
    let mut heap = Heap::new();
    let (graves, kept) = (Graveyard::new(), Graveyard::new());
    bury(&mut heap, &graves, 1, &log);
    bury(&mut heap, &kept, 2, &log);
    // The value goes to the graveyard that still exists, even though it comes second.
    let (both, _) = bury(&mut heap, &graves, 3, &log);
    kept.bury(&mut heap, both).unwrap();
    drop(graves);
    assert_eq!(heap.collect().freed, 3);
    let dropped = log.take();
    let mut all = [numbers(&kept), dropped].concat();
    assert!(all.contains(&1) && log.take().contains(&2));
    all.sort_unstable();
    assert_eq!((all, heap.len()), (vec![1, 2, 3], 0));
}

#[test]
#[cfg_attr(not(feature = "std"), ignore = "without std nobody catches panics")]
fn a_panic_of_a_value_whose_graveyard_is_gone_stops_nothing() {
    let log = Log::default();
    let mut heap = Heap::new();
    let graves = Graveyard::new();
    for number in 0..3 {
        let bomb = heap.alloc(Bomb(Noisy::new(number, &log)));
        graves.bury(&mut heap, bomb).unwrap();
        let log = log.clone();
        heap.on_death(bomb, move |_, _| log.write(10 + number)).unwrap();
    }
    heap.alloc(Noisy::new(5, &log));
    drop(graves);
    let text = panic_text(|| heap.collect());
    let written = log.take();
    assert_eq!(text, format!("bomb {}", written.iter().find(|number| **number < 5).unwrap()));
    let mut destructors = written[..4].to_vec();
    destructors.sort_unstable();
    assert_eq!((destructors, &written[4..]), (vec![0, 1, 2, 5], &[12, 11, 10][..]));
    assert_eq!((heap.len(), heap.stats().freed), (0, 4));
}

#[test]
fn destroy_returns_the_value_and_destroy_any_buries_it() {
    let log = Log::default();
    let mut heap = Heap::new();
    let graves = Graveyard::new();
    let (destroyed, watch) = bury(&mut heap, &graves, 1, &log);
    assert_eq!(heap.destroy(destroyed).map(|noisy| noisy.number), Some(1));
    assert_eq!((log.take(), graves.len(), heap.cancel(watch)), (vec![1], 0, false));
    // Here the value is not returned to anybody, so it is buried.
    let (destroyed, watch) = bury(&mut heap, &graves, 2, &log);
    let inner = log.clone();
    heap.on_death(destroyed, move |_, _| inner.write(3)).unwrap();
    assert!(heap.destroy_any(destroyed.erase()) && !heap.destroy_any(destroyed.erase()));
    assert_eq!((log.take(), graves.len(), heap.cancel(watch)), (vec![3], 1, false));
    assert_eq!((numbers(&graves), heap.len(), heap.collect().freed), (vec![2], 0, 0));
}

#[test]
fn the_first_burial_gets_the_value() {
    let log = Log::default();
    let mut heap = Heap::new();
    let (first, second) = (Graveyard::new(), Graveyard::new());
    let mut dead = Vec::new();
    for number in 0..6 {
        let (gc, watch) = bury(&mut heap, &first, number, &log);
        second.bury(&mut heap, gc).unwrap();
        first.bury(&mut heap, gc).unwrap();
        if number % 2 == 0 {
            assert!(heap.cancel(watch));
        }
        dead.push(gc);
    }
    assert_eq!(heap.watch_count(dead[0]), 0, "burials do not count");
    assert_eq!(heap.collect().notified, 0);
    assert_eq!((numbers(&first), numbers(&second)), (vec![1, 3, 5], vec![0, 2, 4]));
    let mut dropped = log.take();
    dropped.sort_unstable();
    assert_eq!(dropped, [0, 1, 2, 3, 4, 5]);
}

#[test]
fn a_cancelled_burial_leaves_the_value_to_its_destructor() {
    let log = Log::default();
    let mut heap = Heap::new();
    let graves = Graveyard::new();
    let (_, watch) = bury(&mut heap, &graves, 1, &log);
    let (_, guarded) = bury(&mut heap, &graves, 2, &log);
    assert!(heap.cancel(watch) && !heap.cancel(watch));
    drop(slotgc::WatchGuard::from(guarded));
    heap.collect();
    assert_eq!((log.take(), graves.len()), (vec![1, 2], 0));
}

#[test]
fn values_arrive_in_the_order_of_burial() {
    let mut heap = Heap::new();
    let graves = Graveyard::new();
    let objects: Vec<_> = (0..1000).map(|n| heap.alloc(Node::leaf(n))).collect();
    for n in 0..1000 {
        graves.bury(&mut heap, objects[n * 7 % 1000]).unwrap();
    }
    heap.collect();
    assert!(graves.drain().map(|(_, node)| node.value).eq((0..1000).map(|n| n * 7 % 1000)));
}

#[test]
fn types_without_destructors_and_without_size_are_buried_too() {
    struct Nothing;
    traced!(Nothing {});
    let mut heap = Heap::new();
    let (plain, nothings) = (Graveyard::new(), Graveyard::default());
    // Whole pages in which some objects are buried.
    let links: Vec<_> = (0..10_000).map(|value| heap.alloc(Link { value, next: None })).collect();
    let empty: Vec<_> = (0..10_000).map(|_| heap.alloc(Nothing)).collect();
    for n in (0..10_000).step_by(100) {
        plain.bury(&mut heap, links[n]).unwrap();
        nothings.bury(&mut heap, empty[n]).unwrap();
    }
    assert_eq!(heap.collect().freed, 20_000);
    for n in (0..10_000).step_by(100) {
        let (weak, link) = plain.exhume().unwrap();
        assert!(weak == links[n] && link.value == n as u64);
        assert!(nothings.exhume().unwrap().0 == empty[n]);
    }
    assert!(plain.is_empty() && nothings.is_empty());
    // The slots are reused.
    let pages = heap.stats().pages;
    for value in 0..10_000 {
        heap.alloc(Link { value, next: None });
    }
    assert!(links.iter().all(|gc| !heap.is_alive(gc)));
    assert_eq!((heap.stats().pages, heap.collect().freed), (pages, 10_000));
}

#[test]
fn the_last_generation_of_a_slot_can_be_buried() {
    let config = slotgc::HeapConfig::default().first_generation(slotgc::HeapConfig::MAX_GENERATION);
    let mut heap = Heap::with_config(config);
    let (log, graves) = (Log::default(), Graveyard::new());
    let (gc, _) = bury(&mut heap, &graves, 1, &log);
    let (other, _) = bury(&mut heap, &graves, 2, &log);
    assert!(heap.destroy_any(other.erase()));
    heap.collect();
    assert_eq!((numbers(&graves), log.take()), (vec![2, 1], vec![2, 1]));
    assert!(!heap.is_alive(gc) && heap.is_empty());
}

#[test]
fn values_are_in_their_graveyards_before_any_destructor_or_notification() {
    let log = Log::default();
    let mut heap = Heap::new();
    let graves = Graveyard::new();
    let dead = DeathQueue::new();
    let (object, _) = bury(&mut heap, &graves, 1, &log);
    let (seen, inner) = (graves.clone(), log.clone());
    heap.on_death(object, move |_, dead| {
        let (weak, noisy) = seen.exhume().unwrap();
        inner.write(if weak == dead { 100 } else { 200 } + noisy.number);
    })
    .unwrap();
    dead.watch(&mut heap, object, "told").unwrap();
    assert_eq!(heap.collect().notified, 2);
    assert_eq!((dead.poll(), log.take()), (Some("told"), vec![101, 1]));
}

#[test]
fn a_buried_value_can_be_allocated_again() {
    let log = Log::default();
    let mut heap = Heap::new();
    let graves = Graveyard::new();
    let (mut gc, _) = bury(&mut heap, &graves, 1, &log);
    for _ in 0..10 {
        heap.collect();
        let (weak, value) = graves.exhume().unwrap();
        assert!(weak == gc && !heap.is_alive(weak));
        gc = heap.alloc(value);
        graves.bury(&mut heap, gc).unwrap();
        assert_ne!(weak, gc.downgrade());
    }
    assert!(log.take().is_empty());
}

#[test]
fn a_buried_weak_map_keeps_what_it_had() {
    let mut heap = Heap::new();
    let graves = Graveyard::new();
    let key = heap.alloc_root(Node::leaf(1));
    let lost = heap.alloc(Node::leaf(2));
    let map = heap.alloc(WeakKeyMap::from_iter([(key.gc(), 5), (lost, 6)]));
    graves.bury(&mut heap, map).unwrap();
    assert_eq!(heap.collect().pruned, 0);
    let (_, mut map) = graves.exhume().unwrap();
    assert_eq!(map.len(), 2);
    map.prune_dead(&heap);
    assert_eq!(map.iter().collect::<Vec<_>>(), [(key.downgrade(), &5)]);
}

#[test]
fn another_thread_may_exhume() {
    let log = Log::default();
    let mut heap = Heap::new();
    let graves = Graveyard::new();
    for number in 0..100 {
        bury(&mut heap, &graves, number, &log);
    }
    let reader = graves.clone();
    let thread = std::thread::spawn(move || {
        let mut found = Vec::new();
        while found.len() < 100 {
            found.extend(reader.drain().map(|(_, noisy)| noisy.number));
            std::thread::yield_now();
        }
        found
    });
    heap.collect();
    assert!(thread.join().unwrap().into_iter().eq(0..100));
    assert_eq!((log.take().len(), format!("{graves:?}").as_str()), (100, "Graveyard { len: 0 }"));
}
