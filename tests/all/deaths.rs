//! Callbacks: `on_death`. What callbacks may do to the heap is in `deaths/inside.rs`, cancelling them in
//! `deaths/guards.rs`, random programs in `deaths/model.rs`.

mod guards;
mod inside;
mod model;
#[cfg(feature = "std")]
mod panics;

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use slotgc::{AnyGc, Gc, Heap, Watch, WatchGuard, Weak, WeakKeyMap, WeakSet, WeakValueMap};

use crate::objects::{Dice, Log, Node, Noisy, on_small_stack};

/// Registers a callback that writes this number.
fn note(heap: &mut Heap, gc: Gc<Node>, number: u32, log: &Log) -> slotgc::Watch {
    let log = log.clone();
    heap.on_death(gc, move |_, _| log.write(number)).unwrap()
}

fn count(counter: &AtomicUsize) {
    counter.fetch_add(1, Ordering::Relaxed);
}

#[test]
fn a_callback_runs_once_with_a_handle_that_no_longer_resolves() {
    // weak-cases 20
    let (runs, seen) = (Arc::new(AtomicUsize::new(0)), Arc::default());
    let mut heap = Heap::new();
    let root = heap.alloc_root(Node::leaf(1));
    let weak = root.downgrade();
    let (count, seen_inside): (_, Arc<AtomicUsize>) = (Arc::clone(&runs), Arc::clone(&seen));
    heap.on_death(&root, move |heap, dead| {
        count.fetch_add(1, Ordering::Relaxed);
        seen_inside.fetch_add(usize::from(dead == weak && heap.get(dead).is_none()), Ordering::Relaxed);
    })
    .unwrap();
    assert_eq!(heap.collect().notified, 0);
    drop(root);
    let notified: Vec<usize> = (0..3).map(|_| heap.collect().notified).collect();
    assert_eq!((notified, runs.load(Ordering::Relaxed), seen.load(Ordering::Relaxed)), (vec![1, 0, 0], 1, 1));
}

#[test]
fn callbacks_of_one_object_run_latest_first() {
    // weak-cases 21
    let log = Log::default();
    let mut heap = Heap::new();
    let object = heap.alloc(Node::leaf(1));
    for number in 0..5 {
        note(&mut heap, object, number, &log);
    }
    heap.collect();
    assert_eq!(log.take(), [4, 3, 2, 1, 0]);
}

/// The ways to die.
#[derive(Clone, Copy, Debug)]
enum Death {
    Collect,
    Destroy,
    DestroyAny,
}

fn kill(heap: &mut Heap, objects: &[Gc<Node>], death: Death) {
    match death {
        Death::Collect => drop(heap.collect()),
        Death::Destroy => objects.iter().for_each(|gc| {
            heap.destroy(gc);
        }),
        Death::DestroyAny => objects.iter().for_each(|gc| assert!(heap.destroy_any(gc.erase()))),
    }
}

const WAYS: [Death; 3] = [Death::Collect, Death::Destroy, Death::DestroyAny];

#[test]
fn the_order_is_that_of_registration_whatever_slots_the_objects_have_and_however_they_die() {
    // weak-cases: mistakes
    let mut dice = Dice::new(2);
    for round in 0..30 {
        for death in WAYS {
            let log = Log::default();
            let mut heap = Heap::new();
            // Freed slots from earlier objects, so that slots are handed out in no particular order.
            let mut old: Vec<_> = (0..200).map(|n| heap.alloc(Node::leaf(n))).collect();
            dice.shuffle(&mut old);
            old[..100].iter().for_each(|gc| {
                heap.destroy(gc);
            });
            let _kept: Vec<_> = old[100..].iter().map(|gc| heap.root(gc)).collect();
            heap.collect();
            let mut objects: Vec<_> = (0..150).map(|n| heap.alloc(Node::leaf(n))).collect();
            dice.shuffle(&mut objects);
            for number in 0..300 {
                let target = objects[dice.below(objects.len())];
                match dice.below(2) {
                    0 => drop(note(&mut heap, target, number, &log)),
                    _ => {
                        let log = log.clone();
                        heap.finalizer(target, move |_| log.write(number)).unwrap();
                    }
                }
            }
            // The first callback to run kills the others, which join its batch.
            dice.shuffle(&mut objects);
            let trigger = heap.alloc(Node::leaf(0));
            if !matches!(death, Death::Collect) {
                let objects = objects.clone();
                heap.on_death(trigger, move |heap, _| kill(heap, &objects, death)).unwrap();
            }
            heap.destroy(trigger);
            if matches!(death, Death::Collect) {
                heap.collect();
            }
            assert!(log.take().into_iter().eq((0..300).rev()), "round {round}, {death:?}");
            assert!(objects.iter().all(|gc| !heap.is_alive(gc)));
        }
    }
}

#[test]
fn destroy_runs_callbacks_before_it_returns() {
    let log = Log::default();
    for death in [Death::Destroy, Death::DestroyAny] {
        let mut heap = Heap::new();
        let root = heap.alloc_root(Node::leaf(1));
        for number in 0..3 {
            note(&mut heap, root.gc(), number, &log);
        }
        kill(&mut heap, &[root.gc()], death);
        assert_eq!(log.take(), [2, 1, 0]);
        drop(root);
        assert_eq!((heap.collect().notified, log.take()), (0, vec![]));
    }
}

#[test]
fn a_watch_may_be_forgotten() {
    // weak-cases 23
    let log = Log::default();
    let mut heap = Heap::new();
    let object = heap.alloc(Node::leaf(1));
    {
        let watch = note(&mut heap, object, 1, &log);
        let copy = watch;
        assert_eq!(watch, copy);
    }
    heap.collect();
    assert_eq!(log.take(), [1]);
}

#[test]
fn any_kind_of_handle_may_be_watched() {
    let log = Log::default();
    let mut heap = Heap::new();
    let root = heap.alloc_root(Node::leaf(1));
    let (gc, weak, log_of) = (root.gc(), root.downgrade(), |_| log.clone());
    let logs: Vec<Log> = (0..5).map(log_of).collect();
    let [a, b, c, d, e] = <[Log; 5]>::try_from(logs).unwrap();
    heap.on_death(gc, move |_, _| a.write(1)).unwrap();
    heap.on_death(weak, move |_, _| b.write(2)).unwrap();
    heap.on_death(&root, move |_, _| c.write(3)).unwrap();
    let by_reference = (&gc, &weak);
    heap.on_death(by_reference.0, move |_, _| d.write(4)).unwrap();
    heap.on_death(by_reference.1, move |_, _| e.write(5)).unwrap();
    assert_eq!(heap.watch_count(&root), 5);
    drop(root);
    heap.collect();
    assert_eq!(log.take(), [5, 4, 3, 2, 1]);
}

#[test]
fn a_closure_that_mentions_its_own_target_keeps_nothing_alive() {
    // weak-cases: mistakes
    let mut heap = Heap::new();
    let target = heap.alloc(Node::leaf(1));
    let weak = target.downgrade();
    heap.on_death(target, move |heap, dead| {
        assert!(dead == target && dead == weak && heap.get(target).is_none() && heap.get(weak).is_none());
    })
    .unwrap();
    let stats = heap.collect();
    assert_eq!((stats.freed, stats.notified), (1, 1));
}

#[test]
fn a_closure_need_not_be_sync() {
    let (ran, cell) = (Arc::new(AtomicUsize::new(0)), Cell::new(1));
    let mut heap = Heap::new();
    let target = heap.alloc(1);
    let count = Arc::clone(&ran);
    heap.on_death(target, move |_, _| {
        cell.set(cell.get() + 1);
        count.store(cell.get(), Ordering::Relaxed);
    })
    .unwrap();
    std::thread::spawn(move || heap.collect()).join().unwrap();
    assert_eq!(ran.load(Ordering::Relaxed), 2);
}

#[test]
fn a_callback_sees_the_heap_in_its_final_state() {
    // weak-cases 26
    // weak-cases: mistakes
    let mut heap = Heap::new();
    let dying: Vec<_> = (0..500).map(|n| heap.alloc(Node::leaf(n))).collect();
    let kept: Vec<_> = (0..20).map(|n| heap.alloc_root(Node::leaf(n))).collect();
    let all = || dying.iter().copied().chain(kept.iter().map(|root| root.gc()));
    let set = heap.alloc_root(WeakSet::from_iter(all()));
    let names = heap.alloc_root((0_u32..).zip(all()).collect::<WeakValueMap<_, _>>());
    let notes = heap.alloc_root(all().zip(0_u32..).collect::<WeakKeyMap<_, _>>());
    let ran = Arc::new(AtomicUsize::new(0));
    for target in &dying {
        let (dying, ran) = (dying.clone(), Arc::clone(&ran));
        let (set, names, notes) = (set.downgrade(), names.downgrade(), notes.downgrade());
        heap.on_death(target, move |heap, _| {
            assert!(dying.iter().all(|gc| heap.get(gc).is_none()), "they all died in the same step");
            assert_eq!((heap[set].len(), heap[names].len(), heap[notes].len()), (20, 20, 20));
            assert!(heap[set].iter().all(|weak| heap.is_alive(weak)));
            assert!(heap[names].values().all(|weak| heap.is_alive(weak)));
            assert!(heap[notes].keys().all(|weak| heap.is_alive(weak)));
            assert_eq!((heap.len(), heap.len_of::<Node>()), (23, 20));
            assert!(dying.iter().all(|gc| !heap[set].contains(gc) && !heap[notes].contains_key(gc)));
            ran.fetch_add(1, Ordering::Relaxed);
        })
        .unwrap();
    }
    let stats = heap.collect();
    assert_eq!((stats.notified, stats.pruned, ran.load(Ordering::Relaxed)), (500, 1500, 500));
}

#[test]
fn all_destructors_have_run_before_the_first_callback() {
    let log = Log::default();
    let mut heap = Heap::new();
    for number in 0..50 {
        let object = heap.alloc(Noisy::new(number, &log));
        let log = log.clone();
        heap.on_death(object, move |_, _| log.write(100 + number)).unwrap();
    }
    let map = heap.alloc_root(WeakKeyMap::new());
    let key = heap.alloc(1);
    heap[&map].insert(key, Noisy::new(50, &log));
    heap.collect();
    let written = log.take();
    assert_eq!(written.len(), 101);
    assert!(written[..51].iter().all(|number| *number <= 50));
    assert!(written[51..].iter().copied().eq((100..150).rev()));
}

#[test]
fn registering_on_a_dead_object_is_refused_and_drops_the_closure() {
    // weak-cases 29
    let log = Log::default();
    let mut heap = Heap::new();
    let (collected, destroyed) = (heap.alloc(Node::leaf(1)), heap.alloc_root(Node::leaf(2)));
    heap.destroy(&destroyed);
    heap.collect();
    for handle in [collected.downgrade(), destroyed.downgrade(), Weak::dangling()] {
        let noisy = Noisy::new(1, &log);
        let refused = heap.on_death(handle, move |_, _| drop(noisy)).unwrap_err();
        let text = refused.to_string();
        assert!(text.starts_with("weakly-referenced object no longer exists: Node("), "{text}");
        assert!(text.contains(&format!("({handle})")), "{text}");
        let noisy = Noisy::new(2, &log);
        assert_eq!(heap.finalizer(handle, move |_| drop(noisy)).unwrap_err(), refused);
        let queue = slotgc::DeathQueue::new();
        assert_eq!(queue.watch(&mut heap, handle, Noisy::new(3, &log)).unwrap_err(), refused);
        assert_eq!(slotgc::Graveyard::new().bury(&mut heap, handle).unwrap_err(), refused);
        assert_eq!((log.take(), heap.watch_count(handle)), (vec![1, 2, 3], 0));
    }
    assert_eq!(heap.collect().notified, 0);
    assert_eq!((heap.shutdown().is_ok(), log.take()), (true, vec![]));
}

#[test]
fn an_object_under_construction_cannot_be_watched_yet() {
    let mut heap = Heap::new();
    heap.alloc_cyclic(|heap, me: Gc<Node>| {
        assert!(heap.on_death(me, |_, _| unreachable!()).is_err());
        Node::leaf(1)
    });
    assert_eq!(heap.collect().notified, 0);
}

#[test]
fn a_hundred_thousand_callbacks_each_destroy_the_next_on_a_small_stack() {
    // weak-cases 28
    // weak-cases: mistakes
    const LEN: usize = 100_000;
    on_small_stack(|| {
        let ran = Arc::new(AtomicUsize::new(0));
        // Registered along the chain and against it; destroyed by typed handles and by erased ones.
        for backwards in [false, true] {
            let mut heap = Heap::new();
            let objects: Vec<_> = (0..LEN as u64).map(|n| heap.alloc(n)).collect();
            let all: Vec<_> = objects.iter().map(|gc| heap.root(gc)).collect();
            let mut order: Vec<usize> = (0..LEN).collect();
            if backwards {
                order.reverse();
            }
            for index in order {
                let (next, ran) = (objects.get(index + 1).copied(), Arc::clone(&ran));
                heap.on_death(objects[index], move |heap, _| {
                    ran.fetch_add(1, Ordering::Relaxed);
                    match next {
                        Some(next) if index % 2 == 0 => drop(heap.destroy(next)),
                        Some(next) => drop(heap.destroy_any(next.erase())),
                        None => {}
                    }
                })
                .unwrap();
            }
            heap.destroy(objects[0]);
            assert_eq!((ran.swap(0, Ordering::Relaxed), heap.len()), (LEN, 0));
            drop(all);
        }
    });
}

#[test]
fn many_callbacks_on_one_object_and_one_on_each_of_many() {
    let ran = Arc::new(AtomicUsize::new(0));
    let mut heap = Heap::new();
    let one = heap.alloc(0_u64);
    for _ in 0..50_000 {
        let (ran, many) = (Arc::clone(&ran), Arc::clone(&ran));
        heap.on_death(one, move |_, _| count(&ran)).unwrap();
        let other = heap.alloc(1_u64);
        heap.on_death(other, move |_, _| count(&many)).unwrap();
    }
    assert_eq!(heap.watch_count(one), 50_000);
    assert_eq!((heap.collect().notified, ran.load(Ordering::Relaxed)), (100_000, 100_000));
}

#[test]
fn an_object_without_watchers_notifies_nobody_in_any_page() {
    // Pages of objects without destructors: watched, once watched, and never watched.
    let ran = Arc::new(AtomicUsize::new(0));
    let mut heap = Heap::new();
    let all: Vec<Gc<u64>> = (0..20_000).map(|n| heap.alloc(n)).collect();
    let mut watches = Vec::new();
    for gc in all.iter().step_by(500) {
        let ran = Arc::clone(&ran);
        watches.push(heap.on_death(gc, move |_, _| count(&ran)).unwrap());
    }
    watches.iter().step_by(2).for_each(|watch| assert!(heap.cancel(*watch)));
    let stats = heap.collect();
    assert_eq!((stats.freed, stats.notified, ran.load(Ordering::Relaxed)), (20_000, 20, 20));
    assert!(all.iter().all(|gc| !heap.is_alive(gc) && heap.watch_count(gc) == 0));
    let again: Vec<AnyGc> = (0..20_000_u64).map(|n| heap.alloc(n).erase()).collect();
    assert_eq!(heap.collect().notified, 0);
    assert!(again.iter().all(|any| !heap.is_alive_any(*any)));
}

#[test]
fn a_watch_of_another_heap_cancels_nothing() {
    // Heaps take turns with the numbers of their registrations, so two heaps eventually begin with the same
    // one.
    let mut heaps: Vec<(Heap, Watch, Arc<AtomicUsize>)> = Vec::new();
    let (mut first, mut second) = loop {
        let (mut heap, told) = (Heap::new(), Arc::new(AtomicUsize::new(0)));
        let (object, in_callback) = (heap.alloc(1_u64), Arc::clone(&told));
        let watch = heap
            .on_death(object, move |_, _| {
                in_callback.fetch_add(1, Ordering::Relaxed);
            })
            .unwrap();
        let twin = heaps.iter().position(|(_, other, _)| format!("{other:?}") == format!("{watch:?}"));
        if let Some(twin) = twin {
            break (heaps.swap_remove(twin), (heap, watch, told));
        }
        heaps.push((heap, watch, told));
        assert!(heaps.len() < 10_000, "no two heaps issued the same number");
    };
    assert_ne!(first.1, second.1, "the same number in two heaps");
    assert!(!first.0.cancel(second.1) && !second.0.cancel(first.1));
    drop(WatchGuard::from(first.1));
    assert!(!first.0.cancel(first.1), "the guard has cancelled it");
    second.0.collect();
    first.0.collect();
    assert_eq!((first.2.load(Ordering::Relaxed), second.2.load(Ordering::Relaxed)), (0, 1));
}
