//! Cancelling registrations: `cancel`, and guards that cancel when they are dropped.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use slotgc::{DeathQueue, Gc, Graveyard, Heap, Trace, Tracer, Watch, WatchGuard, WeakKeyMap};

use super::{count, note};
use crate::objects::{Bomb, Log, Node, Noisy, panic_text};

/// An object that owns guards.
struct Guarding {
    _guards: Vec<WatchGuard>,
}

impl Trace for Guarding {
    const NEEDS_TRACE: bool = false;

    fn trace(&self, _: &mut Tracer<'_>) {}
}

fn guarding(heap: &mut Heap, watches: impl IntoIterator<Item = Watch>) -> Gc<Guarding> {
    let guards = watches.into_iter().map(WatchGuard::from).collect();
    heap.alloc(Guarding { _guards: guards })
}

#[test]
fn a_cancelled_callback_does_not_run_and_is_cancelled_once() {
    // weak-cases 22
    let log = Log::default();
    let mut heap = Heap::new();
    let object = heap.alloc(Node::leaf(1));
    let watches: Vec<Watch> = (0..5).map(|number| note(&mut heap, object, number, &log)).collect();
    // The latest, the first, and one in the middle.
    for index in [4, 0, 2] {
        assert!(heap.cancel(watches[index]));
        assert!(!heap.cancel(watches[index]));
    }
    assert_eq!((heap.watch_count(object), heap.collect().notified, log.take()), (2, 2, vec![3, 1]));
    assert!(watches.iter().all(|watch| !heap.cancel(*watch)), "they have run");
}

#[test]
fn cancelling_drops_the_closure_at_once() {
    let log = Log::default();
    let mut heap = Heap::new();
    let object = heap.alloc(1);
    let noisy = Noisy::new(1, &log);
    let watch = heap.on_death(object, move |_, _| drop(noisy)).unwrap();
    assert!(heap.cancel(watch));
    assert_eq!(log.take(), [1]);
}

#[test]
fn every_kind_can_be_cancelled() {
    // weak-cases 32
    let mut heap = Heap::new();
    let (dead, graves) = (DeathQueue::new(), Graveyard::new());
    let object = heap.alloc(Node::leaf(1));
    let watches = [
        heap.on_death(object, |_, _| unreachable!()).unwrap(),
        dead.watch(&mut heap, object, 1).unwrap(),
        graves.bury(&mut heap, object).unwrap(),
    ];
    assert_eq!(watches.iter().collect::<HashSet<_>>().len(), 3);
    assert!(watches.iter().all(|watch| heap.cancel(*watch)));
    assert_eq!((heap.collect().notified, dead.poll(), graves.len()), (0, None, 0));
    assert!(watches.iter().all(|watch| !heap.cancel(*watch)));
}

#[test]
fn a_watch_of_another_heap_is_unknown() {
    // weak-cases 32
    let log = Log::default();
    let (mut one, mut two) = (Heap::new(), Heap::new());
    let (a, b) = (one.alloc(Node::leaf(1)), two.alloc(Node::leaf(1)));
    let (x, y) = (note(&mut one, a, 1, &log), note(&mut two, b, 2, &log));
    assert!(x != y && !one.cancel(y) && !two.cancel(x) && !Heap::new().cancel(x));
    one.collect();
    two.collect();
    assert_eq!(log.take(), [1, 2]);
}

#[test]
fn a_cancelled_registrations_entry_is_reused_and_its_watch_stays_dead() {
    let log = Log::default();
    let mut heap = Heap::new();
    let object = heap.alloc(Node::leaf(1));
    let mut old = Vec::new();
    for number in 0..100 {
        let watch = note(&mut heap, object, number, &log);
        assert!(old.iter().all(|old| !heap.cancel(*old)));
        if number % 2 == 0 {
            assert!(heap.cancel(watch));
            old.push(watch);
        }
    }
    heap.collect();
    assert!(log.take().into_iter().eq((0..100).rev().filter(|number| number % 2 == 1)));
}

#[test]
fn a_dropped_guard_cancels() {
    let log = Log::default();
    let mut heap = Heap::new();
    let object = heap.alloc(Node::leaf(1));
    let guards: Vec<WatchGuard> = (0..4).map(|number| note(&mut heap, object, number, &log).into()).collect();
    assert_eq!(heap.watch_count(object), 4);
    let mut guards = guards.into_iter();
    let (first, second, third, fourth) =
        (guards.next().unwrap(), guards.next().unwrap(), guards.next().unwrap(), guards.next().unwrap());
    let watch = second.watch();
    drop(first);
    drop(second);
    let kept = third.keep();
    assert_eq!(heap.watch_count(object), 2);
    assert!(!heap.cancel(watch), "the guard has cancelled it");
    assert_eq!((heap.collect().notified, log.take()), (2, vec![3, 2]));
    assert!(!heap.cancel(kept));
    drop(fourth);
}

#[test]
fn a_guards_closure_is_dropped_when_the_heap_next_registers_or_notifies() {
    let log = Log::default();
    let mut heap = Heap::new();
    let (object, other) = (heap.alloc(Node::leaf(1)), heap.alloc(Node::leaf(2)));
    for way in 0..3 {
        let noisy = Noisy::new(way, &log);
        let watch = heap.on_death(object, move |_, _| drop(noisy)).unwrap();
        drop(WatchGuard::from(watch));
        match way {
            0 => drop(note(&mut heap, other, 9, &log)),
            1 => drop(heap.cancel(watch)),
            _ => drop(heap.collect()),
        }
        assert_eq!(log.take().first(), Some(&way));
    }
}

#[test]
fn a_guard_dropped_by_a_destructor_of_the_same_collection_still_cancels() {
    // The guard's owner and the target die together, in both slot orders; also when the owner is destroyed.
    for kind in 0..2 {
        for owner_first in [true, false] {
            let mut heap = Heap::new();
            let dead = DeathQueue::new();
            let early = owner_first.then(|| guarding(&mut heap, []));
            let target = heap.alloc(Node::leaf(1));
            let watch = match kind {
                0 => heap.on_death(target, |_, _| unreachable!("cancelled")).unwrap(),
                _ => dead.watch(&mut heap, target, "cancelled").unwrap(),
            };
            let other = dead.watch(&mut heap, target, "delivered").unwrap();
            let owner = early.unwrap_or_else(|| guarding(&mut heap, []));
            heap[owner]._guards.push(watch.into());
            let stats = heap.collect();
            assert_eq!((stats.freed, stats.notified), (2, 1));
            assert_eq!(dead.drain().collect::<Vec<_>>(), ["delivered"]);
            assert!(!heap.cancel(watch) && !heap.cancel(other));
        }
    }
}

#[test]
fn a_guard_in_the_dying_object_itself_cancels() {
    let dead = DeathQueue::new();
    let mut heap = Heap::new();
    for way in 0..2 {
        let object = guarding(&mut heap, []);
        let watches = [
            dead.watch(&mut heap, object, 1).unwrap(),
            heap.on_death(object, |_, _| unreachable!("cancelled")).unwrap(),
        ];
        heap[object]._guards.extend(watches.map(WatchGuard::from));
        match way {
            0 => assert_eq!(heap.collect().notified, 0),
            _ => assert!(heap.destroy_any(object.erase())),
        }
        assert_eq!((dead.poll(), heap.len()), (None, 0));
    }
}

#[test]
fn a_guard_in_an_entry_of_a_dead_key_cancels() {
    let mut heap = Heap::new();
    let map = heap.alloc_root(WeakKeyMap::new());
    let (key, target) = (heap.alloc(1), heap.alloc(2));
    let watch = heap.on_death(target, |_, _| unreachable!("cancelled")).unwrap();
    heap[&map].insert(key, Guarding { _guards: vec![watch.into()] });
    assert_eq!(heap.collect().notified, 0);
}

#[test]
fn a_guard_of_an_object_that_outlives_its_owner_cancels() {
    let graves = Graveyard::new();
    let mut heap = Heap::new();
    let target = heap.alloc_root(Node::leaf(1));
    let watches = [
        heap.on_death(&target, |_, _| unreachable!("cancelled")).unwrap(),
        graves.bury(&mut heap, &target).unwrap(),
    ];
    guarding(&mut heap, watches);
    assert_eq!((heap.collect().freed, heap.watch_count(&target)), (1, 0));
    drop(target);
    let stats = heap.collect();
    assert_eq!((stats.freed, stats.notified, graves.len()), (1, 0, 0));
}

#[test]
fn a_callback_may_drop_the_guard_of_one_that_is_due() {
    let mut heap = Heap::new();
    let object = heap.alloc(1);
    let watch = heap.on_death(object, |_, _| unreachable!("cancelled")).unwrap();
    let guard = WatchGuard::from(watch);
    heap.on_death(object, move |heap, _| {
        drop(guard);
        assert!(!heap.cancel(watch));
    })
    .unwrap();
    assert_eq!(heap.collect().notified, 1);
}

#[test]
fn a_guard_may_be_dropped_on_another_thread() {
    let ran = Arc::new(AtomicUsize::new(0));
    let mut heap = Heap::new();
    let objects: Vec<_> = (0..2000_u64).map(|n| heap.alloc(n)).collect();
    let mut guards = Vec::new();
    for object in &objects {
        let ran = Arc::clone(&ran);
        let watch = heap.on_death(object, move |_, _| count(&ran));
        guards.push(WatchGuard::from(watch.unwrap()));
    }
    let half = guards.split_off(1000);
    let threads: Vec<_> =
        [guards].into_iter().map(|guards| std::thread::spawn(move || drop(guards))).collect();
    // Meanwhile the heap is in use.
    for object in &objects {
        heap.on_death(object, |_, _| {}).unwrap();
    }
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert!(objects[..1000].iter().all(|gc| heap.watch_count(gc) == 1));
    assert_eq!((heap.collect().notified, ran.load(Ordering::Relaxed)), (3000, 1000));
    drop(half);
}

#[test]
fn guards_of_copies_of_one_watch_are_guards_of_one_registration() {
    let log = Log::default();
    let mut heap = Heap::new();
    let object = heap.alloc(Node::leaf(1));
    let watch = note(&mut heap, object, 1, &log);
    let guards = [WatchGuard::from(watch), WatchGuard::from(watch), WatchGuard::from(watch)];
    note(&mut heap, object, 2, &log);
    let [a, b, c] = guards;
    drop(a);
    // Its entry is reused; the other guards belong to the old registration.
    note(&mut heap, object, 3, &log);
    drop(b);
    assert_eq!(heap.watch_count(object), 2);
    assert_eq!((heap.collect().notified, log.take()), (2, vec![3, 2]));
    drop(c);
}

#[test]
fn guards_of_earlier_heaps_cancel_nothing_in_later_ones() {
    let ran = Arc::new(AtomicUsize::new(0));
    let mut stale = Vec::new();
    for round in 0..50 {
        // One heap after the other, so that each reuses the storage in which the previous one tracked its
        // guards.
        let mut heap = Heap::new();
        let objects: Vec<_> = (0..20_u64).map(|n| heap.alloc(n)).collect();
        let mut watches: Vec<Watch> = Vec::new();
        for object in &objects {
            let ran = Arc::clone(&ran);
            let watch = heap.on_death(object, move |_, _| count(&ran));
            watches.push(watch.unwrap());
        }
        // Those of earlier rounds, cancelled directly and by guard.
        let old: Vec<WatchGuard> = std::mem::take(&mut stale);
        assert!(old.iter().all(|guard| !heap.cancel(guard.watch())));
        drop(old);
        assert!(objects.iter().all(|gc| heap.watch_count(gc) == 1));
        let notified = heap.collect().notified;
        assert_eq!((notified, ran.swap(0, Ordering::Relaxed)), (20, 20), "round {round}");
        stale.extend(watches.into_iter().map(WatchGuard::from));
    }
}

#[test]
fn a_guard_may_outlive_its_heap() {
    let log = Log::default();
    let mut heap = Heap::new();
    let object = heap.alloc(Node::leaf(1));
    let guard = WatchGuard::from(note(&mut heap, object, 1, &log));
    drop(heap);
    assert_eq!(log.take(), [1]);
    assert!(!Heap::new().cancel(guard.watch()));
    drop(guard);
}

#[test]
fn closures_that_own_guards_of_each_other_are_dropped_one_by_one() {
    crate::objects::on_small_stack(|| {
        let mut heap = Heap::new();
        let object = heap.alloc(1);
        let mut last: Option<WatchGuard> = None;
        for _ in 0..50_000 {
            let earlier = last.take();
            let watch = heap.on_death(object, move |_, _| drop(earlier)).unwrap();
            last = Some(watch.into());
        }
        assert_eq!(heap.watch_count(object), 50_000);
        drop(last);
        let stats = heap.collect();
        assert_eq!((stats.notified, heap.len()), (0, 0));
    });
}

#[test]
fn cancelling_costs_the_same_anywhere_in_the_list() {
    // If this were quadratic, it would take minutes.
    let mut heap = Heap::new();
    let object = heap.alloc(1);
    let watches: Vec<Watch> = (0..100_000).map(|_| heap.on_death(object, |_, _| {}).unwrap()).collect();
    let (by_hand, by_guard) = watches.split_at(50_000);
    assert!(by_hand.iter().all(|watch| heap.cancel(*watch)));
    by_guard.iter().for_each(|watch| drop(WatchGuard::from(*watch)));
    assert_eq!((heap.watch_count(object), heap.collect().notified), (0, 0));
}

#[test]
#[cfg_attr(not(feature = "std"), ignore = "without std nobody catches panics")]
fn a_cancelled_closure_that_panics_when_dropped_stops_nothing_else() {
    for way in 0..3 {
        let log = Log::default();
        let mut heap = Heap::new();
        let (object, other) = (heap.alloc(Node::leaf(1)), heap.alloc(Node::leaf(2)));
        let dead = DeathQueue::new();
        let bomb = Bomb(Noisy::new(1, &log));
        let watch = heap.on_death(object, move |_, _| drop(bomb)).unwrap();
        for number in 0..2 {
            note(&mut heap, other, 10 + number, &log);
            dead.watch(&mut heap, other, number).unwrap();
        }
        drop(WatchGuard::from(watch));
        let text = panic_text(|| match way {
            0 => drop(heap.collect()),
            1 => drop(heap.destroy(other)),
            _ => drop(heap.destroy_any(other.erase())),
        });
        assert_eq!(text, "bomb 1");
        assert!(!heap.is_alive(other));
        assert_eq!((log.take(), dead.drain().collect::<Vec<_>>()), (vec![1, 11, 10], vec![0, 1]));
    }
}

#[test]
fn a_watch_is_plain_data() {
    fn plain<T: Copy + Eq + std::hash::Hash + std::fmt::Debug + Send + Sync + 'static>() {}
    fn movable<T: Send + Sync + std::fmt::Debug>() {}
    plain::<Watch>();
    movable::<WatchGuard>();
}
