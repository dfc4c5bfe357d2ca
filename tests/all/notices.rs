//! Learning of a death: callbacks, queues, finalizers, graveyards, and the end of a heap.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use slotgc::{CollectStats, DeathQueue, Gc, Graveyard, Heap, Trace, Tracer, Watch, WatchGuard, WeakSet};

use crate::objects::{Bomb, Log, Node, Noisy, on_small_stack, panic_text};

/// Registers callbacks with these numbers.
fn watch(heap: &mut Heap, gc: Gc<Node>, ran: &Log, numbers: impl IntoIterator<Item = u32>) -> Vec<Watch> {
    let register = |number| {
        let ran = ran.clone();
        heap.on_death(gc, move |_, _| ran.write(number)).unwrap()
    };
    numbers.into_iter().map(register).collect()
}

#[test]
fn a_callback_runs_once_with_a_handle_that_resolves_to_nothing() {
    // weak-cases 20, 23
    let mut heap = Heap::new();
    let ran = Log::default();
    let gc = heap.alloc(Node::leaf(1));
    let noted = ran.clone();
    let _: Watch = heap
        .on_death(gc, move |heap, weak| {
            assert!(weak == gc && heap.get(weak).is_none());
            noted.write(1);
        })
        .unwrap();
    let notified: Vec<usize> = (0..3).map(|_| heap.collect().notified).collect();
    assert_eq!((ran.take(), notified), (vec![1], vec![1, 0, 0]));
}

#[test]
fn callbacks_run_latest_first_over_all_objects_however_they_died() {
    // weak-cases 21
    for way in 0..3 {
        let mut heap = Heap::new();
        let ran = Log::default();
        let objects: Vec<_> = (0..5).map(|n| heap.alloc(Node::leaf(n))).collect();
        for (number, object) in [3, 0, 4, 1, 2, 0].into_iter().enumerate() {
            watch(&mut heap, objects[object], &ran, [number as u32]);
        }
        match way {
            0 => {
                heap.collect();
                assert_eq!(ran.take(), [5, 4, 3, 2, 1, 0]);
            }
            1 => {
                heap.destroy(objects[0]);
                assert_eq!(ran.take(), [5, 1]);
            }
            _ => {
                assert!(heap.destroy_any(objects[0].erase()));
                assert_eq!(ran.take(), [5, 1]);
            }
        }
    }
}

#[test]
fn a_cancelled_callback_does_not_run_and_is_cancelled_once() {
    // weak-cases 22, 32
    let mut heap = Heap::new();
    let ran = Log::default();
    let gc = heap.alloc(Node::leaf(1));
    let watches = watch(&mut heap, gc, &ran, 0..4);
    assert!(heap.cancel(watches[1]) && !heap.cancel(watches[1]));
    assert_eq!(heap.watch_count(gc), 3);
    heap.collect();
    assert_eq!(ran.take(), [3, 2, 0]);
    assert!(watches.iter().all(|watch| !heap.cancel(*watch)));
    assert!(!Heap::new().cancel(watches[0]));
}

#[test]
fn callbacks_allocate_register_and_see_pruned_collections() {
    // weak-cases 24, 25, 26
    let mut heap = Heap::new();
    let ran = Log::default();
    let set = heap.alloc_root(WeakSet::new());
    let keeper = heap.alloc_root(Node::leaf(0));
    let (gc, living) = (heap.alloc(Node::leaf(1)), keeper.gc());
    heap[&set].insert(gc);
    let kept = Arc::new(Mutex::new(None));
    let (noted, keeping, set_weak) = (ran.clone(), kept.clone(), set.downgrade());
    heap.on_death(gc, move |heap, weak| {
        assert!(heap[set_weak].is_empty() && !heap[set_weak].contains(weak));
        let made: Vec<_> = (0..1000).map(|n| heap.alloc(Node::leaf(n))).collect();
        *keeping.lock().unwrap() = heap.root(made[500]);
        for (number, target) in [(1, living), (2, made[0])] {
            let noted = noted.clone();
            heap.on_death(target, move |_, _| noted.write(number)).unwrap();
        }
    })
    .unwrap();
    heap.collect();
    assert_eq!((ran.take(), heap.len()), (vec![], 1002));
    heap.collect();
    assert_eq!((ran.take(), heap.len()), (vec![2], 3));
    assert_eq!(heap[kept.lock().unwrap().as_ref().unwrap()].value, 500);
    drop(keeper);
    heap.collect();
    assert_eq!(ran.take(), [1]);
}

#[test]
fn a_panic_in_a_callback_stops_no_other_and_comes_out_once() {
    // weak-cases 27
    let mut heap = Heap::new();
    let ran = Log::default();
    let gc = heap.alloc(Node::leaf(1));
    watch(&mut heap, gc, &ran, [1]);
    heap.on_death(gc, |_, _| panic!("two")).unwrap();
    watch(&mut heap, gc, &ran, [3]);
    assert_eq!(panic_text(|| heap.collect()), "two");
    assert_eq!((ran.take(), heap.len()), (vec![3, 1], 0));
    assert_eq!((heap.collect().notified, ran.take()), (0, vec![]));
}

#[test]
fn a_chain_of_callbacks_that_destroy_the_next_object_does_not_recurse() {
    // weak-cases 28
    on_small_stack(|| {
        let mut heap = Heap::new();
        let ran = Log::default();
        let objects: Vec<_> = (0..100_000).map(|n| heap.alloc_root(Node::leaf(n))).collect();
        for (number, pair) in objects.windows(2).enumerate() {
            let (next, noted) = (pair[1].gc(), ran.clone());
            heap.on_death(&pair[0], move |heap, _| {
                noted.write(number as u32);
                assert!(heap.destroy(next).is_some());
            })
            .unwrap();
        }
        heap.destroy(&objects[0]);
        assert!(ran.take().into_iter().eq(0..99_999));
        assert!(heap.is_empty());
    });
}

#[test]
fn nothing_is_registered_on_a_dead_object() {
    // weak-cases 29
    let mut heap = Heap::new();
    let log = Log::default();
    let gc = heap.alloc(Node::leaf(1));
    heap.collect();
    assert!(heap.on_death(gc, |_, _| unreachable!()).is_err());
    assert!(heap.finalizer(gc, |_| unreachable!()).is_err());
    assert!(DeathQueue::new().watch(&mut heap, gc, Noisy::new(1, &log)).is_err());
    assert!(Graveyard::new().bury(&mut heap, gc).is_err());
    assert_eq!((log.take(), heap.watch_count(gc)), (vec![1], 0));
    heap.shutdown().unwrap();
}

#[test]
fn a_collection_asked_for_in_a_callback_runs_after_all_of_them() {
    let mut heap = Heap::new();
    let ran = Log::default();
    let held = [heap.alloc(Node::leaf(7))];
    let (gc, other) = (heap.alloc(Node::leaf(1)), heap.alloc_root(Node::leaf(2)));
    watch(&mut heap, gc, &ran, [0]);
    let (noted, target) = (ran.clone(), other.gc());
    let other = Arc::new(Mutex::new(Some(other)));
    heap.on_death(gc, move |heap, _| {
        noted.write(1);
        drop(other.lock().unwrap().take());
        assert_eq!(heap.collect(), CollectStats::default());
        assert!(heap.is_alive(target));
    })
    .unwrap();
    watch(&mut heap, target, &ran, [9]);
    let stats = heap.collect_with(&held);
    assert_eq!((ran.take(), stats.freed, stats.kept), (vec![1, 0, 9], 2, 1));
    assert!(heap.is_alive(held[0]), "the root source is asked again");
}

#[test]
fn queue_tags_come_in_the_order_of_registration_once() {
    // weak-cases 30, 33, 34
    let mut heap = Heap::new();
    let log = Log::default();
    let queue = DeathQueue::new();
    let objects: Vec<_> = (0..4).map(|n| heap.alloc(Node::leaf(n))).collect();
    for object in [2, 0, 3, 1] {
        queue.watch(&mut heap, objects[object], objects[object]).unwrap();
    }
    assert_eq!(queue.poll(), None);
    assert_eq!(heap.collect().notified, 4);
    let tags: Vec<_> = queue.drain().collect();
    assert_eq!(tags, [2, 0, 3, 1].map(|n| objects[n]));
    assert!(tags.iter().all(|tag| !heap.is_alive(tag)) && queue.is_empty());

    let gone = DeathQueue::new();
    let gc = heap.alloc(Node::leaf(1));
    for number in 0..3 {
        gone.watch(&mut heap, gc, Bomb(Noisy::new(number, &log))).unwrap();
    }
    watch(&mut heap, gc, &log, [9]);
    drop(gone);
    assert_eq!(panic_text(|| heap.collect()), "bomb 0");
    assert_eq!((log.take(), heap.len()), (vec![0, 1, 2, 9], 0));
}

#[test]
fn a_tag_that_owns_a_root_keeps_its_object_until_it_is_polled() {
    // weak-cases 31
    let mut heap = Heap::new();
    let queue = DeathQueue::new();
    let (gc, kept) = (heap.alloc(Node::leaf(1)), heap.alloc_root(Node::leaf(2)));
    let weak = kept.downgrade();
    queue.watch(&mut heap, gc, kept).unwrap();
    for _ in 0..3 {
        heap.collect();
        assert!(heap.is_alive(weak));
    }
    drop(queue.poll());
    heap.collect();
    assert!(!heap.is_alive(weak));
}

#[test]
fn guards_cancel_wherever_they_are_dropped() {
    let mut heap = Heap::new();
    let ran = Log::default();
    let gc = heap.alloc_root(Node::leaf(1));
    let watches = watch(&mut heap, gc.gc(), &ran, 0..4);
    drop(WatchGuard::from(watches[0]));
    let twice = watches[1];
    std::thread::spawn(move || drop((WatchGuard::from(twice), WatchGuard::from(twice)))).join().unwrap();
    assert_eq!(heap.watch_count(&gc), 2);
    assert_eq!(WatchGuard::from(watches[2]).keep(), watches[2]);

    // One that dies with its guard's owner: the tag is not sent.
    struct Owner(#[expect(dead_code, reason = "dropped with it")] WatchGuard);
    impl Trace for Owner {
        fn trace(&self, _: &mut Tracer<'_>) {}
    }
    let queue = DeathQueue::new();
    let guard = queue.watch(&mut heap, &gc, 5).unwrap().into();
    heap.alloc(Owner(guard));
    drop(gc);
    heap.collect();
    assert_eq!((ran.take(), queue.poll()), (vec![3, 2], None));

    // One that outlived its heap cancels nothing in the heap that uses its cell again.
    let late = WatchGuard::from(watches[3]);
    drop(heap);
    let mut heap = Heap::new();
    let gc = heap.alloc(Node::leaf(1));
    watch(&mut heap, gc, &ran, 0..4);
    drop(late);
    assert_eq!(heap.watch_count(gc), 4);
}

#[test]
fn finalizers_run_once_by_hand_or_by_death() {
    // weak-cases 35, 36, 37
    let mut heap = Heap::new();
    let ran = Log::default();
    let gc = heap.alloc_root(Node::leaf(1));
    let mut make = |number: u32| {
        let ran = ran.clone();
        let code = move |_: &mut Heap| {
            ran.write(number);
            number
        };
        heap.finalizer(&gc, code).unwrap()
    };
    // Those of the first and the fourth are dropped, which changes nothing.
    let [_, f2, f3, _, f5] = [1, 2, 3, 4, 5].map(&mut make);
    assert_eq!((f5.detach(&mut heap), f5.call(&mut heap), f5.peek(&heap)), (Some(gc.gc()), None, None));
    assert_eq!((f3.peek(&heap), f3.call(&mut heap), f3.call(&mut heap)), (Some(gc.gc()), Some(3), None));
    assert!(!f3.is_alive(&heap) && f2.is_alive(&heap) && f3.detach(&mut heap).is_none());
    drop(gc);
    assert_eq!(heap.collect().notified, 3);
    assert_eq!(ran.take(), [3, 4, 2, 1]);
    assert!(!f2.is_alive(&heap));
}

#[test]
fn at_exit_finalizers_run_latest_first_with_targets_readable() {
    // weak-cases 38, 39
    let mut heap = Heap::new();
    let ran = Log::default();
    let gc = heap.alloc_root(Node::leaf(70));
    let finalizers: Vec<_> = (1..5)
        .map(|number| {
            let (ran, gc) = (ran.clone(), gc.gc());
            let code = move |heap: &mut Heap| {
                ran.write(number + heap[gc].value as u32);
                let made = heap.alloc(Noisy::new(1000 + number, &ran));
                heap.collect();
                assert!(heap.is_alive(made));
            };
            heap.finalizer(&gc, code).unwrap()
        })
        .collect();
    finalizers[1].set_at_exit(&mut heap, false);
    heap.shutdown().unwrap();
    assert_eq!(ran.take(), [74, 73, 71, 1004, 1003, 1001]);
}

#[test]
fn a_buried_value_moves_out_whole() {
    // weak-cases 40
    let mut heap = Heap::new();
    let log = Log::default();
    let (graves, late) = (Graveyard::new(), Graveyard::new());
    let gcs: Vec<_> = (0..3).map(|n| heap.alloc(Noisy::new(n, &log))).collect();
    for gc in &gcs {
        graves.bury(&mut heap, gc).unwrap();
        late.bury(&mut heap, gc).unwrap();
        assert_eq!(heap.watch_count(gc), 0);
    }
    assert!(heap.destroy(gcs[0]).is_some());
    assert_eq!((log.take(), graves.len()), (vec![0], 0));
    assert!(heap.destroy_any(gcs[1].erase()));
    heap.collect();
    assert_eq!((log.take(), graves.len(), late.len(), heap.len()), (vec![], 2, 0, 0));
    let (weak, value) = graves.exhume().unwrap();
    assert!(weak == gcs[1] && heap.get(weak).is_none());
    drop(value);
    drop(graves);
    assert_eq!(log.take(), [1, 2]);

    let plain: Graveyard<u64> = Graveyard::new();
    let gc = heap.alloc(7);
    plain.bury(&mut heap, gc).unwrap();
    heap.collect();
    assert_eq!(plain.exhume().map(|(_, value)| value), Some(7));
    let again = heap.alloc(8);
    assert!(heap.get(gc).is_none() && heap.get(again) == Some(&8));
}

#[test]
fn watches_are_counted_without_burials() {
    // weak-cases 65
    let mut heap = Heap::new();
    let gc = heap.alloc(Node::leaf(1));
    let set = heap.alloc_root(WeakSet::new());
    heap[&set].insert(gc);
    assert_eq!(heap.watch_count(gc), 0);
    let watches = watch(&mut heap, gc, &Log::default(), 0..2);
    heap.finalizer(gc, |_| ()).unwrap();
    DeathQueue::new().watch(&mut heap, gc, ()).unwrap();
    Graveyard::new().bury(&mut heap, gc).unwrap();
    assert_eq!(heap.watch_count(gc), 4);
    assert!(heap.cancel(watches[0]));
    assert_eq!(heap.watch_count(gc), 3);
}

#[test]
fn shutting_down_tells_of_every_death_and_keeps_the_first_panic() {
    let mut heap = Heap::new();
    let ran = Log::default();
    let queue = DeathQueue::new();
    let gc = heap.alloc_root(Node::leaf(1));
    let noted = ran.clone();
    heap.on_death(&gc, move |heap, _| {
        assert!(heap.is_empty());
        noted.write(1);
        let again = heap.alloc(Node::leaf(2));
        watch(heap, again, &noted, [2]);
    })
    .unwrap();
    heap.on_death(&gc, |_, _| panic!("first")).unwrap();
    queue.watch(&mut heap, &gc, "tag").unwrap();
    let error = heap.shutdown().unwrap_err();
    assert_eq!(error.into_payload().downcast_ref(), Some(&"first"));
    assert_eq!((ran.take(), queue.poll()), (vec![1, 2], Some("tag")));
}

#[test]
fn a_callback_may_put_another_heap_in_the_place_of_its_own() {
    let other: Arc<Mutex<Heap>> = Arc::default();
    let mut heap = Heap::new();
    let ran = Log::default();
    let gc = heap.alloc(Node::leaf(1));
    watch(&mut heap, gc, &ran, [1]);
    let swapped = other.clone();
    heap.on_death(gc, move |heap, _| std::mem::swap(heap, &mut swapped.lock().unwrap())).unwrap();
    heap.collect();
    heap.alloc(Node::leaf(5));
    assert_eq!(heap.collect().freed, 1);
    let mut old = other.lock().unwrap();
    old.alloc(Node::leaf(7));
    assert_eq!((old.collect().freed, ran.take(), old.len()), (1, vec![1], 0));
}

#[test]
fn a_panic_in_the_collection_a_callback_asked_for_does_not_hide_the_callbacks() {
    struct Armed(bool);
    impl Trace for Armed {
        fn trace(&self, _: &mut Tracer<'_>) {
            assert!(!self.0, "second");
        }
    }
    let mut heap = Heap::new();
    let armed = heap.alloc_root(Armed(false));
    let (gc, target) = (heap.alloc(1), armed.gc());
    heap.on_death(gc, move |heap, _| {
        heap[target].0 = true;
        heap.collect();
        panic!("first")
    })
    .unwrap();
    let payload = catch_unwind(AssertUnwindSafe(|| heap.collect())).unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"first"));
}
